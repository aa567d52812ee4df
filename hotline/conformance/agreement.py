"""Answers about cards, the charter and the pairwise secret (docs/protocol.md 5.1 to 5.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from hotline.charter.cards import (
    IdentityCard,
    OfficerCard,
    PartyOffer,
    RelayCard,
    TerminalCard,
    open_identity_card,
    open_offer,
    open_officer_card,
    open_relay_card,
    open_terminal_card,
)
from hotline.charter.mandates import Mandate, open_mandate
from hotline.charter.model import load_charter
from hotline.charter.pairwise import check_value, derive_pairwise
from hotline.charter.parts import Officer, RelayEntry, Terminal
from hotline.conformance.kit import Json
from hotline.conformance.record import text_bytes
from hotline.crypto.fingerprint import digits, fingerprint, joint_safety_number, qr_text, words
from hotline.errors import ConfigError, Malformed
from hotline.ledger.note import parse_note

raw = bytes.fromhex
Card = IdentityCard | TerminalCard | OfficerCard | RelayCard | PartyOffer | Mandate

_OPEN: Final[Mapping[str, Callable[[bytes, bytes], Card]]] = {
    "hotline.identity-card/1": lambda data, _: open_identity_card(data),
    "hotline.terminal-card/1": open_terminal_card,
    "hotline.officer-card/1": open_officer_card,
    "hotline.relay-card/1": lambda data, _: open_relay_card(data),
    "hotline.offer/1": lambda data, _: open_offer(data),
    "hotline.mandate/1": open_mandate,
}


def card(given: Json, asked: Json) -> Json:
    """A card of any kind; `identity` is the key that the cards of terminals and officers must be signed by."""
    data = text_bytes(asked["note"])
    made = _OPEN[asked["schema"]](data, raw(given["identity"]))
    owner = made.operator if isinstance(made, RelayCard) else made.party
    return {"owner": owner, "hash": hashlib.sha256(parse_note(data).text).hexdigest()}


def pairwise(given: Json, asked: Json) -> Json:
    """The pairwise secret of two shares, and its check value."""
    shares = {party: raw(share) for party, share in asked["shares"].items()}
    secret = derive_pairwise(shares, {party: raw(key) for party, key in given["identities"].items()})
    return {"secret": secret.hex(), "check": check_value(secret)}


def charter(given: Json, asked: Json) -> Json:
    """A charter in force."""
    del given
    try:
        made = load_charter(text_bytes(asked["note"]))
    except ConfigError as error:
        raise Malformed("charter", str(error)) from error
    return {
        "hash": made.hash.hex(),
        "founding": made.founding.hex(),
        "hotline": made.hotline,
        "parties": [party.name for party in made.parties],
        "terminals": [_terminal(one) for one in made.terminals],
        "officers": [_officer(one) for one in made.officers],
        "relays": [_relay(one) for one in made.relays],
        "pairwise_check": made.pairwise_check,
    }


def _terminal(one: Terminal) -> Json:
    keys = {"signing": one.signing.hex(), "ledger": one.ledger.hex(), "tls": one.tls_fingerprint}
    return {"number": one.number, "party": one.party, "name": one.name} | keys


def _officer(one: Officer) -> Json:
    return {"party": one.party, "name": one.name, "roles": list(one.roles), "signing": one.signing.hex()}


def _relay(one: RelayEntry) -> Json:
    places = {"number": one.number, "name": one.name, "operator": one.operator, "address": one.address}
    return places | {"signing": one.signing.hex(), "tls": one.tls_fingerprint}


def compared(given: Json, asked: Json) -> Json:
    """What people compare of a key, and of two keys together."""
    del given
    value, other = fingerprint(asked["kind"], raw(asked["key"])), fingerprint(asked["kind"], raw(asked["other"]))
    return {
        "fingerprint": value.hex(),
        "digits": digits(value),
        "words": words(value),
        "code": qr_text(asked["kind"], asked["name"], value),
        "safety_number": joint_safety_number(value, other),
    }
