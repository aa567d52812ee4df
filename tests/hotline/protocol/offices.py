"""Officers with keys for both sides, and a charter's release policy over them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from unittest.mock import patch

from hotline.charter.cards import OfficerCard, Role, encode
from hotline.charter.mandates import make_mandate
from hotline.charter.parts import Officer
from hotline.crypto.identity import IdentityKey
from hotline.crypto.signing import SigningKey
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import MakeDraft, RejectDraft, ReleaseDraft, SignDraft, Submit, Translate
from hotline.protocol.release import ReleasePolicy, sign_release
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2, operator_pb2

from .pair import CHARTER, FLASH, ROUTINE, WALL, Party

DRAFTER, RELEASER, DUTY, PRINCIPAL = (content_pb2.Role.values()[i] for i in (1, 2, 3, 4))
_CARDS = (
    ("ALPHA", "duty-1", ("drafter", "duty"), "2026-01-01", "2028-01-01"),
    ("ALPHA", "release-1", ("releaser",), "2026-01-01", "2028-01-01"),
    ("ALPHA", "both-1", ("drafter", "releaser"), "2026-01-01", "2028-01-01"),
    ("ALPHA", "former-1", ("drafter", "releaser"), "2026-01-01", "2026-11-18"),
    ("ALPHA", "future-1", ("drafter", "releaser"), "2026-11-19", "2028-01-01"),
    ("BRAVO", "duty-2", ("drafter", "duty"), "2026-01-01", "2028-01-01"),
    ("BRAVO", "release-2", ("releaser",), "2026-01-01", "2028-01-01"),
)
"""The tests begin on 18 November 2026."""


def key_of(name: str) -> SigningKey:
    return SigningKey(hashlib.sha256(name.encode()).digest())


OFFICERS = {(card[0], card[1]): Officer(*card[:3], key_of(card[1]).public, *card[3:]) for card in _CARDS}
IDENTITIES = {party: IdentityKey.from_seed(hashlib.sha512(party.encode()).digest()) for party in ("ALPHA", "BRAVO")}
TWO = ReleasePolicy(
    OFFICERS,
    {(Plane.REAL, FLASH): ("drafter", "releaser"), (Plane.REAL, ROUTINE): ("drafter",)},
    {party: identity.public for party, identity in IDENTITIES.items()},
    hashlib.sha256(b"the founding charter").digest(),
)
"""FLASH needs two, ROUTINE one, what lies between and every exercise nobody."""


def signed(
    statement: content_pb2.Statement,
    name: str,
    role: content_pb2.Role.ValueType,
    *,
    plane: Plane = Plane.REAL,
    charter: bytes = CHARTER,
    at: int = WALL,
    key: SigningKey | None = None,
    mandate: bytes = b"",
) -> content_pb2.Release:
    """An officer's signature on a draft, by the officer's own key or another."""
    return sign_release(key or key_of(name), plane, charter, statement, name, role, at, mandate)


def mandate_for(
    name: str = "duty-1",
    role: Role = "releaser",
    *,
    party: str = "ALPHA",
    by: str = "",
    key: SigningKey | None = None,
    founding: bytes = TWO.founding,
    days: tuple[str, str] = ("2026-11-18", "2026-11-20"),
    grounds: str = "Order 12: the releaser is abroad.",
) -> bytes:
    """What a party's identity key, or that of `by`, lets an officer do."""
    card = OfficerCard(
        schema="hotline.officer-card/1", party=party, name=name, roles=(), signing=encode((key or key_of(name)).public),
        not_before="2026-01-01", not_after="2028-01-01",
    )  # fmt: skip
    return make_mandate(IDENTITIES[by or party], card, role, founding, days, grounds)


@dataclass
class Desk:
    """What officers do at one terminal."""

    party: Party

    def _request(self) -> RequestId:
        return RequestId(len(self.party.replies) + 1)

    def _ask(self, event: MakeDraft | SignDraft | RejectDraft | ReleaseDraft) -> Reply:
        self.party.step(event)
        return self.party.replies[event.request]

    def said(self, text: str, precedence: content_pb2.Precedence.ValueType, plane: Plane, corrects: int = 0) -> Submit:
        ltr = content_pb2.DIRECTION_LTR
        return Submit(self._request(), plane, precedence, "en", ltr, text, "duty-1", corrects=corrects)

    def make(
        self,
        text: str = "We shall not fire.",
        precedence: content_pb2.Precedence.ValueType = FLASH,
        plane: Plane = Plane.REAL,
        *,
        number: int = 0,
        corrects: int = 0,
    ) -> Reply:
        return self._ask(MakeDraft(self._request(), number, self.said(text, precedence, plane, corrects)))

    def translate(self, serial: int, *, number: int = 0, **changes: object) -> Reply:
        """A courtesy translation of our own statement into Urdu as a draft, unless changed."""
        usual: dict[str, object] = {
            "plane": Plane.REAL, "sent": True, "grade": content_pb2.TRANSLATION_GRADE_COURTESY,
            "translator": "A. Writer", "language": "ur", "direction": content_pb2.DIRECTION_RTL,
            "text": "ہم فائر نہیں کریں گے۔", "officer": "duty-1",
        }  # fmt: skip
        said = Translate(self._request(), serial=serial, **(usual | changes))  # type: ignore[arg-type]
        return self._ask(MakeDraft(self._request(), number, said))

    def sign(self, number: int, release: content_pb2.Release) -> Reply:
        return self._ask(SignDraft(self._request(), number, release))

    def sign_as(self, number: int, name: str, role: content_pb2.Role.ValueType, mandate: bytes = b"") -> Reply:
        return self.sign(number, signed(self.statement(number), name, role, plane=self.plane(number), mandate=mandate))

    def reject(self, number: int, reason: str) -> Reply:
        return self._ask(RejectDraft(self._request(), "release-1", number, reason))

    def release(self, number: int) -> Reply:
        return self._ask(ReleaseDraft(self._request(), "release-1", number))

    def draft(self, number: int) -> operator_pb2.Draft:
        return next(draft for draft, _ in self.party.endpoint.drafts.listed() if draft.number == number)

    def plane(self, number: int) -> Plane:
        return Plane.EXERCISE if self.draft(number).exercise else Plane.REAL

    def statement(self, number: int) -> content_pb2.Statement:
        return decode(content_pb2.Statement, self.draft(number).content, 131_072)

    def state(self, number: int) -> str:
        return self.draft(number).state


def smuggle(party: Party, statement: content_pb2.Statement, plane: Plane = Plane.REAL) -> None:
    """A thief with the terminal and all its keys has it say something that no honest terminal would take."""
    sending = party.endpoint.sending
    request = RequestId(len(party.replies) + 1)
    with patch.object(sending, "submit", lambda event, now: sending.hand_in(event.request, plane, statement, now)):
        party.step(Submit(request, plane, FLASH, "en", content_pb2.DIRECTION_LTR, "", "thief"))
    assert party.replies[request].ok
