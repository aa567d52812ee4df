"""Which charter follows which: what an amendment must leave as it was, and which charter a terminal starts with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter, RelayEntry, Terminal
from hotline.errors import ConfigError, Untrusted
from hotline.limits import CHARTER_BYTES_MAX

Entry = Terminal | RelayEntry


def check_follows(new: Charter, old: Charter) -> None:
    """Raises Untrusted, with every reason, unless `new` is the next charter after `old`.

    docs/protocol.md 24.3.
    """
    found = [problem for holds, problem in _continuity(new, old) if not holds]
    found += _renumbered("terminal", new.terminals, old.terminals, old.highest[0])
    found += _renumbered("relay", new.relays, old.relays, old.highest[1])
    if found:
        raise Untrusted("amendment", "; ".join(found[:20]))


def _continuity(new: Charter, old: Charter) -> list[tuple[bool, str]]:
    identities = [{party.name: party.identity for party in charter.parties} for charter in (new, old)]
    return [
        (new.serial == old.serial + 1, f"serial {new.serial} does not follow serial {old.serial}"),
        (new.founding == old.founding, "it has another founding charter: that is a new ceremony, and needs new stores"),
        (new.previous == old.hash, "it amends another charter than the one it is held against"),
        (new.hotline == old.hotline, "it gives the hotline another name"),
        (identities[0] == identities[1], "it names other parties or identity keys: that is a new ceremony"),
        (new.pairwise_check == old.pairwise_check, "it names another pairwise secret: that is a new ceremony"),
        (new.created >= old.created, f"it is of {new.created}, its predecessor of {old.created}"),
        (new.numbered == old.highest, "it does not say which numbers were given out before it"),
    ]


def _renumbered(what: str, new: Iterable[Entry], old: Iterable[Entry], highest: int) -> list[str]:
    """A number is bound into signatures: it stays with its keys, and goes to nobody else afterwards."""
    found = []
    known = {entry.number: _who(entry) for entry in old}
    names = {_who(entry)[0] for entry in old}
    for entry in new:
        who = _who(entry)
        if entry.number in known:
            if known[entry.number] != who:
                found.append(f"{what} number {entry.number} goes to another, or to other keys: give a new name")
        elif who[0] in names:
            found.append(f"{what} {who[0]} has another number than before")
        elif entry.number <= highest:
            found.append(f"{what} number {entry.number} was given out before")
    return found


def _who(entry: Entry) -> tuple[Any, ...]:
    """What stays with a number for ever; its name first."""
    if isinstance(entry, Terminal):
        return f"{entry.party}/{entry.name}", entry.signing, entry.ledger
    return entry.name, entry.signing


def read_next(note: bytes, now: Charter | None) -> Charter:
    """The charter that may come into force after `now` in service (docs/protocol.md 24.7).

    Raises Untrusted for one that does not hold or follow, ConfigError for one that needs a restart or is no news.
    """
    if now is None:
        raise ConfigError("this terminal stands under no charter that could be amended")
    if len(note) > CHARTER_BYTES_MAX:
        raise ConfigError(f"more than {CHARTER_BYTES_MAX} bytes: put the file in place and start the daemon anew")
    charter = load_charter(note)
    if charter.hash == now.hash:
        raise ConfigError(f"serial {charter.serial} is in force already")
    check_follows(charter, now)
    # For what time a terminal that travels is activated may change in service; who it is, and that it travels, not.
    if _resting(charter) != _resting(now):
        raise ConfigError("it changes terminals: stop the daemon, put charter and key file in place, and start it")
    return charter


def _resting(charter: Charter) -> tuple[Terminal, ...]:
    return tuple(one if one.travels is None else replace(one, travels=(0, 0)) for one in charter.terminals)


def standing(filed: Charter, kept: Charter | None) -> Charter:
    """The charter that a terminal starts under: `filed` is what its configuration names, `kept` what its store holds.

    Never an older one than was in force before. Raises Untrusted (docs/protocol.md 24.4).
    """
    if kept is None or filed.hash == kept.hash:
        return filed
    if filed.founding != kept.founding:
        raise Untrusted(
            "founding",
            f"not the founding charter of this store, which stands under serial {kept.serial} of {kept.hotline}: a new "
            "ceremony begins with a new store",
        )
    if filed.serial < kept.serial:
        return kept
    check_follows(filed, kept)
    return filed
