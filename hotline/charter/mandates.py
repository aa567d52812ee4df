"""A mandate lets an officer act in a role that is not on the card, signed by the party (docs/protocol.md 19.12)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hotline.charter.body import Hash
from hotline.charter.cards import OfficerCard, Role, encode
from hotline.charter.documents import (
    Base64,
    Date,
    Document,
    IdentitySigner,
    IdentityVerifier,
    Name,
    issue,
    lawful,
    read_unverified,
)
from hotline.charter.parts import Officer
from hotline.crypto.identity import IdentityKey
from hotline.errors import Malformed, RemoteError
from hotline.ledger.note import open_note
from hotline.limits import MANDATE_BYTES_MAX

GROUNDS_MAX: Final = 200


class Mandate(Document):
    """Who may act in which role, on which days, and why; under one hotline's charter and its amendments."""

    schema_: Literal["hotline.mandate/1"] = Field(alias="schema")
    party: Name
    officer: Name
    signing: Base64
    role: Role
    founding: Hash
    not_before: Date
    not_after: Date
    grounds: Annotated[str, StringConstraints(min_length=1, max_length=GROUNDS_MAX)]

    @model_validator(mode="after")
    def _some_day(self) -> Self:
        if not self.not_before < self.not_after:
            raise ValueError("it begins on the day on which it ends, or later")
        return self


def make_mandate(
    identity: IdentityKey, card: OfficerCard, role: Role, founding: bytes, days: tuple[str, str], grounds: str
) -> bytes:
    """A mandate for the holder of a card, over `days`: the first, and the first on which it does not hold any more.

    Raises ConfigError for a day or grounds that cannot stand in one.
    """
    made = lawful(
        lambda: Mandate(
            schema="hotline.mandate/1",
            party=card.party,
            officer=card.name,
            signing=card.signing,
            role=role,
            founding=founding.hex(),
            not_before=days[0],
            not_after=days[1],
            grounds=grounds.strip(),
        )
    )
    return issue(made, [IdentitySigner(card.party, identity)])


def read_mandate(data: bytes) -> Mandate:
    """What a mandate says of itself. Raises Malformed; no signature is verified."""
    if len(data) > MANDATE_BYTES_MAX:
        raise Malformed("too-long", f"a mandate of {len(data)} bytes")
    return read_unverified(Mandate, data)


def open_mandate(data: bytes, identity: bytes) -> Mandate:
    """Verify a mandate with its party's identity key. Raises Malformed or Untrusted."""
    made = read_mandate(data)
    open_note(data, [IdentityVerifier(made.party, identity)])
    return made


def mandate_fault(data: bytes, identity: bytes | None, founding: bytes, officer: Officer, role: str, *days: str) -> str:
    """Why a mandate does not let this officer act in this role on these days; empty if it does. Never raises."""
    try:
        made = read_mandate(data)
        if made.party != officer.party or identity is None:
            return "it is of another party"
        open_note(data, [IdentityVerifier(made.party, identity)])
    except RemoteError:
        return "the party's identity key did not sign it"
    if made.officer != officer.name or made.signing != encode(officer.signing):
        return "it is for another officer, or for a key that the officer has not any more"
    if made.role != role:
        return f"it is for the role {made.role}, not {role}"
    if made.founding != founding.hex():
        return "it is for the charter of another hotline"
    if not all(made.not_before <= one < made.not_after for one in days):
        return f"it holds from {made.not_before} until {made.not_after} only"
    return ""
