"""The steps of a ceremony as pure functions: keys, cards, offers, checks. Files and questions are the CLI's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hotline.charter.cards import (
    IdentityCard,
    OfficerCard,
    PartyOffer,
    ProfileName,
    RelayCard,
    Role,
    TerminalCard,
    check_address,
    encode,
    open_officer_card,
    open_relay_card,
    open_terminal_card,
)
from hotline.charter.documents import IdentitySigner, check_name, issue, lawful, read_unverified
from hotline.charter.mandates import Mandate
from hotline.charter.parts import Charter, Officer, Terminal
from hotline.charter.secrets import RelaySecret, TerminalSecret
from hotline.civil import civil, exact_span
from hotline.crypto.fingerprint import fingerprint
from hotline.crypto.identity import IdentityKey
from hotline.crypto.signing import SigningKey
from hotline.crypto.tls import make_tls_identity
from hotline.errors import ConfigError, Malformed
from hotline.ledger.note import Ed25519Signer, parse_note
from hotline.machine import Entropy

_YEAR_MS = 31_557_600_000
_TERMINAL_YEARS = 2
_OFFICER_YEARS = 2


def day(unix_ms: int) -> str:
    """YYYY-MM-DD."""
    at = civil(unix_ms)
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d}"


def identity_fingerprint(identity: bytes) -> bytes:
    """What people compare of a party's identity key."""
    return fingerprint("identity", identity)


def make_identity_card(identity: IdentityKey, party: str) -> bytes:
    """The public half as a file. Raises ConfigError for a name that no party can have."""
    card = lawful(lambda: IdentityCard(schema="hotline.identity-card/1", party=party, identity=encode(identity.public)))
    return issue(card, [IdentitySigner(party, identity)])


def make_terminal(
    identity: IdentityKey, party: str, name: str, entropy: Entropy, unix_ms: int
) -> tuple[TerminalSecret, bytes]:
    """A terminal's keys and its card."""
    check_name("name", name)
    tls = make_tls_identity(f"{party}-{name}", unix_ms)
    secret = TerminalSecret(
        entropy(32), entropy(32), entropy(32), tls.private_pem, tls.certificate_der, identity.public
    )
    card = lawful(
        lambda: TerminalCard(
            schema="hotline.terminal-card/1",
            party=party,
            name=name,
            signing=encode(SigningKey(secret.signing).public),
            ledger=encode(SigningKey(secret.ledger).public),
            tls=encode(tls.certificate_der),
            not_before=day(unix_ms),
            not_after=day(unix_ms + _TERMINAL_YEARS * _YEAR_MS),
        )
    )
    return secret, issue(card, [IdentitySigner(party, identity)])


def make_officer(
    identity: IdentityKey, party: str, name: str, roles: Sequence[Role], entropy: Entropy, unix_ms: int
) -> tuple[bytes, bytes]:
    """An officer's signing seed and card."""
    seed = entropy(32)
    return seed, certify_officer(identity, party, name, roles, SigningKey(seed).public, unix_ms)


def certify_officer(
    identity: IdentityKey, party: str, name: str, roles: Sequence[Role], signing: bytes, unix_ms: int
) -> bytes:
    """The card of an officer whose public key is `signing`, wherever the private one lies."""
    card = lawful(
        lambda: OfficerCard(
            schema="hotline.officer-card/1",
            party=party,
            name=name,
            roles=tuple(sorted(set(roles))),
            signing=encode(signing),
            not_before=day(unix_ms),
            not_after=day(unix_ms + _OFFICER_YEARS * _YEAR_MS),
        )
    )
    return issue(card, [IdentitySigner(party, identity)])


def renewed(identity: IdentityKey, holder: Terminal | Officer, unix_ms: int) -> bytes:
    """The card of a terminal or officer of a charter with the same keys and new dates."""
    years = _TERMINAL_YEARS if isinstance(holder, Terminal) else _OFFICER_YEARS
    dates = {"not_before": day(unix_ms), "not_after": day(unix_ms + years * _YEAR_MS)}
    named = {"party": holder.party, "name": holder.name, "signing": encode(holder.signing), **dates}
    card: TerminalCard | OfficerCard
    if isinstance(holder, Terminal):
        keys = {"ledger": encode(holder.ledger), "tls": encode(holder.tls_certificate_der)}
        card = lawful(lambda: TerminalCard(schema="hotline.terminal-card/1", **named, **keys))
    else:
        roles = holder.roles
        card = lawful(lambda: OfficerCard.model_validate({"schema": "hotline.officer-card/1", "roles": roles, **named}))
    return issue(card, [IdentitySigner(holder.party, identity)])


def make_relay(
    name: str, operator: str, address: str, profile: ProfileName, entropy: Entropy, unix_ms: int
) -> tuple[RelaySecret, bytes]:
    """A relay's keys and its card, signed by itself."""
    check_name("name", name)
    check_name("operator", operator)
    check_address(address)
    tls = make_tls_identity(name, unix_ms)
    secret = RelaySecret(entropy(32), tls.private_pem, tls.certificate_der)
    key = SigningKey(secret.signing)
    card = lawful(
        lambda: RelayCard(
            schema="hotline.relay-card/1",
            name=name,
            operator=operator,
            address=address,
            profile=profile,
            signing=encode(key.public),
            tls=encode(tls.certificate_der),
        )
    )
    return secret, issue(card, [Ed25519Signer(name, key)])


def make_offer(
    identity: IdentityKey, party: str, terminals: Sequence[bytes], officers: Sequence[bytes], relays: Sequence[bytes]
) -> bytes:
    """What a party brings to the ceremony. Raises ConfigError, Malformed or Untrusted for a card that cannot go in."""
    if not (terminals or officers or relays):
        raise ConfigError("an offer needs a card: make one with `hotline key terminal` or `hotline key officer`")
    if any(len(set(kind)) != len(kind) for kind in (terminals, officers, relays)):
        raise ConfigError("one card is given twice: an offer has each once")
    for data in terminals:
        if open_terminal_card(data, identity.public).party != party:
            raise ConfigError("a terminal card of another party cannot be offered")
    for data in officers:
        if open_officer_card(data, identity.public).party != party:
            raise ConfigError("an officer card of another party cannot be offered")
    for data in relays:
        open_relay_card(data)
    offer = PartyOffer(
        schema="hotline.offer/1",
        party=party,
        identity=encode(identity.public),
        terminals=tuple(data.decode() for data in terminals),
        officers=tuple(data.decode() for data in officers),
        relays=tuple(data.decode() for data in relays),
    )
    return issue(offer, [IdentitySigner(party, identity)])


Claim = IdentityCard | TerminalCard | OfficerCard | RelayCard | PartyOffer | Mandate
_KINDS: Final[dict[str, type[Claim]]] = {
    "hotline.identity-card/1": IdentityCard,
    "hotline.terminal-card/1": TerminalCard,
    "hotline.officer-card/1": OfficerCard,
    "hotline.relay-card/1": RelayCard,
    "hotline.offer/1": PartyOffer,
    "hotline.mandate/1": Mandate,
}


def read_claim(data: bytes) -> Claim:
    """What a card of any kind claims; no signature is verified. Raises Malformed."""
    text = parse_note(data).text
    for schema, kind in _KINDS.items():
        if f'\n "schema": "{schema}"'.encode() in text:
            return read_unverified(kind, data)
    raise Malformed("document", "not a card, not an offer and not a mandate")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a charter's verification."""

    name: str
    ok: bool
    text: str


def release_text(charter: Charter) -> str:
    """Who signs what, in one line."""
    rules = [f"{rule.plane} {rule.precedence}: {' and '.join(rule.roles)}" for rule in charter.release]
    return "; ".join(rules) or "nobody signs: whoever sits at a terminal speaks for the party"


def takeover_text(charter: Charter) -> str:
    """How an alternate terminal comes to speak, in one line."""
    after = charter.takeover_after_ms
    return f"by the rule after {exact_span(after)} of silence, or by an officer" if after else "by an officer only"


def checks(charter: Charter) -> list[Check]:
    """What a person should know of a loaded charter; its signatures held, or it would not have loaded."""
    found = []
    for party in charter.parties:
        signed = party.name in charter.signed_by
        text = "signature of the identity key holds" if signed else "has not signed: the charter is not in force"
        found.append(Check(f"signed by {party.name}", signed, text))
    operators = {relay.operator for relay in charter.relays}
    under = "one operator" if len(operators) == 1 else f"{len(operators)} operators"
    text = f"{len(charter.relays)} relay{'s' if charter.relays[1:] else ''} under {under}"
    found.append(Check("relays", len(charter.relays) >= 2, text))
    for party in charter.parties:
        officers = [officer.name for officer in charter.officers if officer.party == party.name]
        found.append(Check(f"officers of {party.name}", bool(officers), ", ".join(officers) or "none"))
    interval = charter.channel_test_ms
    text = f"every {exact_span(interval)} in turn" if interval else "none: a dead line is noticed by heartbeats only"
    found.append(Check("channel tests", interval > 0, text))
    by_two = any(rule.plane == "real" and len(rule.roles) > 1 for rule in charter.release)
    found.append(Check("release by two", by_two, release_text(charter)))
    return found
