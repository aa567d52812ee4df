"""Drawing up an amendment: the next charter of a hotline.

The hash of the founding charter stays bound into keys and signatures (docs/protocol.md 24.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hotline.charter.body import (
    AmendsEntry,
    CharterText,
    RelayEntryText,
    ReleaseEntry,
    TerminalEntry,
    TermsEntry,
    TravelsEntry,
)
from hotline.charter.cards import OfficerCard, TerminalCard, decode, open_offer, open_relay_card
from hotline.charter.documents import lawful, read_text, read_unverified
from hotline.charter.model import checked, load_charter, split
from hotline.charter.parts import Charter
from hotline.errors import ConfigError, Untrusted


@dataclass(frozen=True, slots=True)
class Changes:
    """What an amendment changes; nothing by default.

    `offers` and `relays` (cards) add, or renew what has the same name; `retire` takes away, as `officer:ALPHA/duty-1`,
    `terminal:ALPHA/main`, `relay:relay-1`. `values` sets numbers: `policy.channel_test_ms`, `fibre.heartbeat_ms`.
    `travelling` are terminals, as `ALPHA/plane`, that are a part of the hotline from and until these Unix ms; (0, 0):
    certified, and not activated. `release` is the whole policy of 19.3, empty: nobody signs.
    """

    offers: Sequence[bytes] = ()
    relays: Sequence[bytes] = ()
    retire: Sequence[str] = ()
    witnesses: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    travelling: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    release: Sequence[ReleaseEntry] | None = None
    notice_days: int | None = None
    depositary: str | None = None


def amend(base: bytes, changes: Changes, created: str) -> bytes:
    """The text of the charter that follows `base`, unsigned. `created` is today.

    Raises ConfigError for a change that cannot be made, Malformed or Untrusted for what does not hold.
    """
    old = load_charter(base)
    text = read_text(CharterText, split(base)[0])
    roster = _Roster(text, old)
    for data in changes.offers:
        roster.offer(data)
    for data in changes.relays:
        roster.relay(data.decode("utf-8", "replace"))
    for word in changes.retire:
        roster.retire(word)
    for name, span in changes.travelling.items():
        roster.travel(name, span)
    members = text.model_dump(by_alias=True, exclude_none=True)
    _set_values(members, changes)
    members |= roster.members() | {
        "serial": old.serial + 1,
        "created": created,
        "amends": AmendsEntry(
            founding=old.founding.hex(),
            previous=old.hash.hex(),
            terminal_number=old.highest[0],
            relay_number=old.highest[1],
        ).model_dump(),
    }
    made = checked(lawful(lambda: CharterText.model_validate(members)))
    if _unchanged(text, read_text(CharterText, made)):
        raise ConfigError("the amendment changes nothing: say what it adds, renews, retires or sets")
    return made


def _unchanged(old: CharterText, new: CharterText) -> bool:
    hidden = {"serial", "created", "amends"}
    return old.model_dump(exclude=hidden) == new.model_dump(exclude=hidden)


class _Roster:
    """Terminals, officers and relays of a charter text by name, while they are being changed."""

    def __init__(self, text: CharterText, old: Charter) -> None:
        self._old = old
        self._numbers = list(old.highest)
        self._terminals = {
            f"{terminal.party}/{terminal.name}": entry
            for terminal, entry in zip(old.terminals, text.terminals, strict=True)
        }
        self._officers = {
            f"{officer.party}/{officer.name}": card for officer, card in zip(old.officers, text.officers, strict=True)
        }
        self._relays = {relay.name: entry for relay, entry in zip(old.relays, text.relays, strict=True)}

    def offer(self, data: bytes) -> None:
        """Everything that a party brings. Raises ConfigError, Malformed or Untrusted."""
        offer = open_offer(data)
        if decode(offer.identity) != self._old.party(offer.party).identity:
            raise Untrusted(
                "identity",
                f"the offer of {offer.party} comes with another identity key than the charter's; an identity key is "
                "replaced by a new ceremony, not by an amendment",
            )
        for card in offer.terminals:
            terminal = read_unverified(TerminalCard, card.encode())
            name = f"{terminal.party}/{terminal.name}"
            known = self._terminals.get(name)
            travels = None if known is None else known.travels
            self._terminals[name] = TerminalEntry(number=self._number(0, known), card=card, travels=travels)
        for card in offer.officers:
            officer = read_unverified(OfficerCard, card.encode())
            self._officers[f"{officer.party}/{officer.name}"] = card
        for card in offer.relays:
            self.relay(card)

    def relay(self, card: str) -> None:
        """One more relay, or one renewed. Raises Malformed or Untrusted."""
        name = open_relay_card(card.encode()).name
        self._relays[name] = RelayEntryText(number=self._number(1, self._relays.get(name)), card=card)

    def _number(self, kind: int, known: TerminalEntry | RelayEntryText | None) -> int:
        if known is not None:
            return known.number
        self._numbers[kind] += 1
        return self._numbers[kind]

    def retire(self, word: str) -> None:
        """Take one entry away. Raises ConfigError."""
        kind, _, name = word.partition(":")
        tables: dict[str, dict[str, Any]] = {
            "terminal": self._terminals,
            "officer": self._officers,
            "relay": self._relays,
        }
        if kind not in tables:
            raise ConfigError(f"{word!r}: say officer:PARTY/NAME, terminal:PARTY/NAME or relay:NAME")
        if name not in tables[kind]:
            raise ConfigError(f"the charter knows no {kind} {name!r}; it knows: {', '.join(tables[kind]) or 'none'}")
        del tables[kind][name]

    def travel(self, name: str, span: tuple[int, int]) -> None:
        """Let a terminal travel, activated for this time. Raises ConfigError."""
        if name not in self._terminals:
            raise ConfigError(f"the charter knows no terminal {name!r}; it knows: {', '.join(self._terminals)}")
        first, until = span
        travels = lawful(lambda: TravelsEntry(from_ms=first, until_ms=until))
        self._terminals[name] = self._terminals[name].model_copy(update={"travels": travels})

    def members(self) -> dict[str, Any]:
        """As they stand in the text."""
        return {
            "terminals": tuple(entry.model_dump(exclude_none=True) for entry in self._terminals.values()),
            "officers": tuple(self._officers.values()),
            "relays": tuple(entry.model_dump() for entry in self._relays.values()),
        }


_MAY_BE_ADDED: Final = ((), ("objective_ms", "takeover_after_ms"))
"""To a profile, and to the policy."""
_BY_PRECEDENCE: Final = frozenset({"objective_ms", "validity_ms"})


def _set_values(members: dict[str, Any], changes: Changes) -> None:
    profiles = {profile["name"]: profile for profile in members["profiles"]}
    policy = members["policy"]
    for place, value in changes.values.items():
        table, _, name = place.partition(".")
        target = policy if table == "policy" else profiles.get(table)
        if target is None or name not in {*target, *_MAY_BE_ADDED[table == "policy"]} or name in ("name", "witnesses"):
            raise ConfigError(
                f"{place!r} cannot be set: say policy.NAME or PROFILE.NAME, with a profile of the charter "
                f"({', '.join(profiles)})"
            )
        if name in _BY_PRECEDENCE and not isinstance(value, list):
            raise ConfigError(
                f"{place!r} has a number for each precedence, ROUTINE first: {place}=[{','.join('1234')}]"
            )
        target[name] = tuple(value) if isinstance(value, list) else value
    if changes.witnesses is not None:
        policy["witnesses"] = changes.witnesses
    if changes.release is not None:
        policy["release"] = tuple(entry.model_dump() for entry in changes.release)
    terms = members.get("terms", {"notice_days": 0, "depositary": ""})
    if changes.notice_days is not None:
        terms["notice_days"] = changes.notice_days
    if changes.depositary is not None:
        terms["depositary"] = changes.depositary
    if any(terms.values()):
        members["terms"] = lawful(lambda: TermsEntry(**terms)).model_dump()
    else:
        members.pop("terms", None)
