"""Making, signing and loading a charter: one hotline as both parties signed it (docs/protocol.md 5.1 to 5.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from hotline.charter.body import (
    CHANNEL_TEST_DEFAULT,
    DAY_MS,
    NUMBER_MAX,
    OBJECTIVES,
    CharterText,
    PairEntry,
    PartyEntry,
    PolicyEntry,
    ProfileEntry,
    RelayEntryText,
    ReleaseEntry,
    TerminalEntry,
    TermsEntry,
    release_by_two,
)
from hotline.charter.cards import (
    OfficerCard,
    TerminalCard,
    decode,
    identity_key,
    open_offer,
    open_officer_card,
    open_relay_card,
    open_terminal_card,
    signing_key,
)
from hotline.charter.choices import unfit_choices
from hotline.charter.documents import (
    IdentitySigner,
    IdentityVerifier,
    lawful,
    read_text,
    read_unverified,
    spell,
)
from hotline.charter.pairwise import pair_of
from hotline.charter.parts import Charter, Officer, Party, RelayEntry, ReleaseRule, Terminal
from hotline.charter.profiles import PROFILES, Profile
from hotline.civil import iso_utc
from hotline.crypto.derivation import SUITE
from hotline.crypto.identity import IdentityKey
from hotline.crypto.tls import certificate_name, check_certificate, public_key, validity_ms
from hotline.errors import ConfigError, HotlineError, RemoteError, Untrusted
from hotline.ledger.note import Note, Signature, open_note, parse_note
from hotline.ledger.policy import Policy, parse_policy
from hotline.limits import PARTIES_MAX, TEXT_BYTES_MAX

# --- making and signing -----------------------------------------------------------------------------------------------


NO_WITNESSES = "quorum none\n"


def new_charter(
    hotline: str,
    created: str,
    offers: Sequence[bytes],
    pairwise_check: str | Mapping[tuple[str, str], str],
    witnesses: str = NO_WITNESSES,
    channel_test_ms: int = CHANNEL_TEST_DEFAULT,
    terms: TermsEntry | None = None,
    release: Sequence[ReleaseEntry] | None = None,
    objective_ms: tuple[int, int, int, int] | None = None,
    takeover_after_ms: int | None = None,
) -> bytes:
    """The text of a first charter from the parties' offers, unsigned.

    `pairwise_check` is the check value of the secret of two parties, or those of each pair of several by their names,
    the lesser first. `witnesses` is a policy without log lines, `channel_test_ms` the interval of the channel tests, 0
    for none, `terms` how a party may leave, `release` who signs what; None: the usual two. `objective_ms` are the time
    objectives, routine to flash; None: the usual ones. `takeover_after_ms` is the silence after which an alternate
    terminal takes over by itself; None: never.

    Raises ConfigError, Malformed, Untrusted.
    """
    opened = sorted((open_offer(data) for data in offers), key=lambda offer: offer.party)
    names = [offer.party for offer in opened]
    if not 2 <= len(set(names)) == len(names) <= PARTIES_MAX:
        raise ConfigError(f"a charter is made from the offers of two to {PARTIES_MAX} different parties")
    checks: dict[str, Any] = {"pairwise_check": pairwise_check}
    if not isinstance(pairwise_check, str):
        pairs = sorted(pairwise_check.items())
        entries = (PairEntry(first=first, second=second, check=check) for (first, second), check in pairs)
        checks = {"pairwise_checks": tuple(entries)}
    parties = [PartyEntry(name=offer.party, identity=offer.identity) for offer in opened]
    terminals = [card for offer in opened for card in offer.terminals]
    relays = _unique([card for offer in opened for card in offer.relays])
    text = lawful(
        lambda: CharterText(
            schema="hotline.charter/1",
            hotline=hotline,
            serial=1,
            created=created,
            suite=SUITE,
            parties=tuple(parties),
            terminals=tuple(TerminalEntry(number=number, card=card) for number, card in enumerate(terminals, 1)),
            officers=tuple(card for offer in opened for card in offer.officers),
            relays=tuple(RelayEntryText(number=number, card=card) for number, card in enumerate(relays, 1)),
            profiles=tuple(ProfileEntry(**asdict(profile)) for profile in PROFILES.values()),
            policy=PolicyEntry(
                text_bytes_max=TEXT_BYTES_MAX,
                validity_ms=(7 * DAY_MS,) * 4,
                witnesses=witnesses,
                channel_test_ms=channel_test_ms,
                release=release_by_two() if release is None else tuple(release),
                objective_ms=objective_ms,
                takeover_after_ms=takeover_after_ms,
            ),
            terms=terms,
            **checks,
        )
    )
    return checked(text)


def checked(text: CharterText) -> bytes:
    """The bytes of a text that contradicts itself nowhere. Raises ConfigError for a choice of its makers, Untrusted."""
    data = spell(text)
    _view(text, data, (), making=True)
    return data


def _unique(cards: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(cards))


def sign_charter(data: bytes, party: str, key: IdentityKey) -> bytes:
    """Add a party's signature to a charter text or to a charter that the other party has signed.

    Raises ConfigError, Malformed or Untrusted; a charter that contradicts itself is not signed.
    """
    text, signatures = split(data)
    charter = load_draft(data)
    if charter.party(party).identity != key.public:
        raise Untrusted("identity", f"the charter names another identity key for {party} than the one given")
    if party in charter.signed_by:
        raise ConfigError(f"{party} has signed this charter already")
    signer = IdentitySigner(party, key)
    added = Signature(signer.name, signer.key_id, signer.sign(text))
    return Note(text, (*signatures, added)).encode()


def split(data: bytes) -> tuple[bytes, tuple[Signature, ...]]:
    """Text and signatures of a charter; an unsigned text has none."""
    if data.endswith(b"}\n"):
        return data, ()
    note = parse_note(data)
    return note.text, note.signatures


# --- loading ----------------------------------------------------------------------------------------------------------


def load_charter(data: bytes) -> Charter:
    """A charter in force: every party has signed, every signature holds. Raises ConfigError, Malformed, Untrusted."""
    charter = load_draft(data)
    missing = [party.name for party in charter.parties if party.name not in charter.signed_by]
    if missing:
        raise Untrusted("unsigned", f"the charter is not signed by {' and '.join(missing)}: it is not in force")
    return charter


def load_draft(data: bytes) -> Charter:
    """A charter of which each signature that is there holds. Raises ConfigError, Malformed, Untrusted."""
    text_bytes, signatures = split(data)
    text = read_text(CharterText, text_bytes)
    signed_by: tuple[str, ...] = ()
    if signatures:
        verifiers = [IdentityVerifier(party.name, identity_key(party.identity)) for party in text.parties]
        opened = open_note(data, verifiers)
        if opened.unknown:
            raise Untrusted("signature", "the charter bears a signature by a key that it does not name")
        signed_by = tuple(signature.name for signature in opened.verified)
    return _view(text, text_bytes, signed_by)


def _view(text: CharterText, data: bytes, signed_by: tuple[str, ...], *, making: bool = False) -> Charter:
    """Check everything against everything; raises with all problems at once.

    Whoever is `making` it can choose otherwise: what contradicts a choice alone is a ConfigError then.
    """
    problems: list[str] = []
    parties = _each("parties", text.parties, lambda entry: Party(entry.name, identity_key(entry.identity)), problems)
    identities = {party.name: party.identity for party in parties}
    profiles = {entry.name: Profile(**entry.model_dump()) for entry in text.profiles}
    if len(profiles) != len(text.profiles):
        problems.append("a profile stands twice in the charter")
    terminals = _each("terminals", text.terminals, lambda entry: _terminal(entry, identities), problems)
    officers = _each("officers", text.officers, lambda card: _officer(card, identities), problems)
    relays = _each("relays", text.relays, lambda entry: _relay(entry, profiles), problems)
    pairs = {(entry.first, entry.second): entry.check for entry in text.pairwise_checks or ()}
    if text.pairwise_check is not None and identities:
        pairs[pair_of(min(identities), max(identities))] = text.pairwise_check
    hash_, amends, terms = hashlib.sha256(data).digest(), text.amends, text.terms
    charter = Charter(
        hash=hash_,
        founding=hash_ if amends is None else bytes.fromhex(amends.founding),
        previous=b"" if amends is None else bytes.fromhex(amends.previous),
        numbered=(0, 0) if amends is None else (amends.terminal_number, amends.relay_number),
        hotline=text.hotline,
        serial=text.serial,
        created=text.created,
        parties=parties,
        terminals=terminals,
        officers=officers,
        relays=relays,
        profiles=profiles,
        text_bytes_max=text.policy.text_bytes_max,
        validity_ms=text.policy.validity_ms,
        witnesses=_witnesses(text.policy.witnesses, problems),
        witnesses_text=text.policy.witnesses,
        channel_test_ms=text.policy.channel_test_ms,
        release=tuple(ReleaseRule(entry.plane, entry.precedence, entry.roles) for entry in text.policy.release),
        objective_ms=text.policy.objective_ms or OBJECTIVES,
        pairwise_checks=pairs,
        takeover_after_ms=text.policy.takeover_after_ms or 0,
        notice_days=0 if terms is None else terms.notice_days,
        depositary="" if terms is None else terms.depositary,
        signed_by=signed_by,
    )
    problems += _contradictions(charter)
    choices = unfit_choices(charter)
    if making and choices and not problems:
        raise ConfigError("; ".join(choices))
    problems += choices
    if problems:
        raise Untrusted("charter", "; ".join(problems[:20]))
    return charter


def _witnesses(text: str, problems: list[str]) -> Policy:
    """The policy of a charter; its logs are the terminals' own and stand on their cards."""
    try:
        policy = parse_policy(text.encode())
    except RemoteError as error:
        problems.append(f"witnesses: {error}")
        return Policy((), (), (), "")
    if policy.logs:
        problems.append("witnesses: logs are not named here, the terminals' cards name them")
    return policy


EntryT = TypeVar("EntryT")
ResultT = TypeVar("ResultT")


def _each(
    field: str, entries: Iterable[EntryT], make: Callable[[EntryT], ResultT], problems: list[str]
) -> tuple[ResultT, ...]:
    made = []
    for index, entry in enumerate(entries):
        try:
            made.append(make(entry))
        except (HotlineError, ValueError) as error:
            problems.append(f"{field}.{index}: {error}")
    return tuple(made)


def _terminal(entry: TerminalEntry, identities: Mapping[str, bytes]) -> Terminal:
    data = entry.card.encode()
    party = read_unverified(TerminalCard, data).party
    card = open_terminal_card(data, _identity_of(identities, party))
    der = decode(card.tls)
    check_certificate(der)
    keys = (signing_key(card.signing), signing_key(card.ledger))
    travels = None if entry.travels is None else (entry.travels.from_ms, entry.travels.until_ms)
    return Terminal(entry.number, card.party, card.name, *keys, der, card.not_before, card.not_after, travels)


def _officer(text: str, identities: Mapping[str, bytes]) -> Officer:
    data = text.encode()
    card = open_officer_card(data, _identity_of(identities, read_unverified(OfficerCard, data).party))
    return Officer(card.party, card.name, tuple(card.roles), signing_key(card.signing), card.not_before, card.not_after)


def _identity_of(identities: Mapping[str, bytes], party: str) -> bytes:
    if party not in identities:
        raise Untrusted("party", f"a card of {party}, who is no party of this charter")
    return identities[party]


def _relay(entry: RelayEntryText, profiles: Mapping[str, Profile]) -> RelayEntry:
    card = open_relay_card(entry.card.encode())
    if card.profile not in profiles:
        raise ConfigError(f"relay {card.name} has the profile {card.profile}, which the charter does not define")
    der = decode(card.tls)
    check_certificate(der)
    key = signing_key(card.signing)
    return RelayEntry(entry.number, card.name, card.operator, card.address, key, der, profiles[card.profile])


def _contradictions(charter: Charter) -> list[str]:
    found = []
    if len({party.name for party in charter.parties}) != len(charter.parties):
        found.append("two parties have one name")
    found += [f"{party.name} has no terminal" for party in charter.parties if not charter.terminals_of(party.name)]
    holders: list[Terminal | RelayEntry] = [*charter.terminals, *charter.relays]
    certificates = [holder.tls_certificate_der for holder in holders]
    unique: tuple[tuple[str, Sequence[Hashable]], ...] = (
        ("terminal number", [terminal.number for terminal in charter.terminals]),
        ("terminal name", [(terminal.party, terminal.name) for terminal in charter.terminals]),
        ("officer name", [(officer.party, officer.name) for officer in charter.officers]),
        ("relay number", [relay.number for relay in charter.relays]),
        ("relay name", [relay.name for relay in charter.relays]),
        ("relay address", [relay.address.lower() for relay in charter.relays]),
        # Two certificates of one name are taken for one another when a chain is built.
        ("certificate name", [certificate_name(der) for der in certificates]),
        ("TLS key", [public_key(der) for der in certificates]),
        ("key", _all_keys(charter)),
    )
    found += [f"a {what} stands twice in the charter" for what, values in unique if len(values) != len(set(values))]
    if any(holder.number > NUMBER_MAX for holder in holders):
        found.append(f"a number is beyond {NUMBER_MAX}")
    return found + _untimely(charter)


def _untimely(charter: Charter) -> list[str]:
    """Cards and certificates that do not hold on the day of the charter."""
    found = []
    dated: list[Terminal | Officer] = [*charter.terminals, *charter.officers]
    holders: list[Terminal | RelayEntry] = [*charter.terminals, *charter.relays]
    for entry in dated:
        if not entry.not_before <= charter.created < entry.not_after:
            found.append(f"the card of {entry.party}/{entry.name} does not hold on {charter.created}")
    for holder in holders:
        first, last = validity_ms(holder.tls_certificate_der)
        if not iso_utc(first)[:10] <= charter.created < iso_utc(last)[:10]:
            found.append(f"the certificate of {holder.name} does not hold on {charter.created}")
    return found


def _all_keys(charter: Charter) -> list[bytes]:
    keys = [half for party in charter.parties for half in (party.identity[:-32], party.identity[-32:])]
    keys += [key for terminal in charter.terminals for key in (terminal.signing, terminal.ledger)]
    keys += [officer.signing for officer in charter.officers]
    return keys + [relay.signing for relay in charter.relays]
