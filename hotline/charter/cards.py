"""Cards: what an identity key certifies, what a relay says of itself, and what a party brings to the ceremony."""

from __future__ import annotations

import base64
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from hotline.charter.documents import Base64, Date, Document, IdentityVerifier, Name, read_unverified
from hotline.crypto.identity import PUBLIC_SIZE, check_identity_key
from hotline.crypto.signing import PUBLIC_KEY_SIZE, check_public_key
from hotline.errors import ConfigError, Malformed
from hotline.ledger.note import Ed25519Verifier, open_note

Role = Literal["drafter", "releaser", "duty", "principal"]
Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$", max_length=255)]
ProfileName = Literal["fibre", "satellite", "narrow"]

_ADDRESS: Final[TypeAdapter[str]] = TypeAdapter(Address)


def check_address(address: str) -> None:
    """Raises ConfigError unless terminals can dial `address`."""
    try:
        dialled = 1 <= int(_ADDRESS.validate_python(address).rpartition(":")[2]) <= 65_535
    except ValidationError:
        dialled = False
    if not dialled:
        raise ConfigError(f"address: {address!r} is none; write host and port: 192.0.2.10:7443, [2001:db8::1]:7443")


class IdentityCard(Document):
    """A party's identity key, signed by itself: whoever made the file holds the key. Whose it is, people compare."""

    schema_: Literal["hotline.identity-card/1"] = Field(alias="schema")
    party: Name
    identity: Base64


class TerminalCard(Document):
    """One terminal of a party, certified by its identity key."""

    schema_: Literal["hotline.terminal-card/1"] = Field(alias="schema")
    party: Name
    name: Name
    signing: Base64
    ledger: Base64
    tls: Base64
    not_before: Date
    not_after: Date


class OfficerCard(Document):
    """One officer of a party, certified by its identity key."""

    schema_: Literal["hotline.officer-card/1"] = Field(alias="schema")
    party: Name
    name: Name
    roles: tuple[Role, ...]
    signing: Base64
    not_before: Date
    not_after: Date


class RelayCard(Document):
    """A relay's own word about itself, signed by its signing key."""

    schema_: Literal["hotline.relay-card/1"] = Field(alias="schema")
    name: Name
    operator: Name
    address: Address
    profile: ProfileName
    signing: Base64
    tls: Base64


class PartyOffer(Document):
    """What a party brings to the ceremony, signed by its identity key. Cards are whole notes."""

    schema_: Literal["hotline.offer/1"] = Field(alias="schema")
    party: Name
    identity: Base64
    terminals: tuple[str, ...]
    officers: tuple[str, ...]
    relays: tuple[str, ...]


def encode(data: bytes) -> str:
    """Bytes as they stand in cards."""
    return base64.b64encode(data).decode()


def decode(text: str, size: int | None = None) -> bytes:
    """Bytes of a card's field in its one spelling. Raises Malformed."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed("base64") from error
    if encode(data) != text or (size is not None and len(data) != size):
        raise Malformed("base64", "not canonical, or of the wrong length")
    return data


def signing_key(text: str) -> bytes:
    """An Ed25519 public key of a card. Raises Malformed or Untrusted."""
    public = decode(text, PUBLIC_KEY_SIZE)
    check_public_key(public)
    return public


def identity_key(text: str) -> bytes:
    """A composite public key of a card. Raises Malformed or Untrusted."""
    public = decode(text, PUBLIC_SIZE)
    check_identity_key(public)
    return public


def open_identity_card(data: bytes) -> IdentityCard:
    """Verify that whoever made the card holds the key. Raises Malformed or Untrusted."""
    card = read_unverified(IdentityCard, data)
    open_note(data, [IdentityVerifier(card.party, identity_key(card.identity))])
    return card


def open_terminal_card(data: bytes, identity: bytes) -> TerminalCard:
    """Verify a terminal's card with its party's identity key. Raises Malformed or Untrusted."""
    card = read_unverified(TerminalCard, data)
    open_note(data, [IdentityVerifier(card.party, identity)])
    return card


def open_officer_card(data: bytes, identity: bytes) -> OfficerCard:
    """Verify an officer's card with the party's identity key. Raises Malformed or Untrusted."""
    card = read_unverified(OfficerCard, data)
    open_note(data, [IdentityVerifier(card.party, identity)])
    return card


def open_relay_card(data: bytes) -> RelayCard:
    """Verify that the relay that names itself holds the key it names. Raises Malformed or Untrusted."""
    card = read_unverified(RelayCard, data)
    open_note(data, [Ed25519Verifier(card.name, signing_key(card.signing))])
    return card


def open_offer(data: bytes) -> PartyOffer:
    """Verify an offer with the identity key inside; whose key that is, people compare. Raises Malformed, Untrusted."""
    offer = read_unverified(PartyOffer, data)
    open_note(data, [IdentityVerifier(offer.party, identity_key(offer.identity))])
    return offer
