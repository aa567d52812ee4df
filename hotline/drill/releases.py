"""Officers of a drill who sign what is said: their keys lie beside the terminal's (docs/protocol.md 19.9, 19.12)."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from hotline.charter.cards import OfficerCard, encode
from hotline.charter.mandates import make_mandate
from hotline.charter.model import load_charter
from hotline.crypto.signing import SigningKey
from hotline.crypto.vault import open_secret
from hotline.drill.desk import Sign
from hotline.drill.injects import Say
from hotline.drill.patterns import PARTIES
from hotline.drill.plan import speaker
from hotline.drill.scene import Scene
from hotline.machine import Plane
from hotline.protocol.release import sign_release
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2, operator_pb2

_OFFICES: Final = {
    "drafter": ("duty", content_pb2.ROLE_DRAFTER),
    "releaser": ("release", content_pb2.ROLE_RELEASER),
    "deputy": ("deputy", content_pb2.ROLE_RELEASER),
}
"""Whose key it is, and the role in which he signs."""
_STATEMENT_BYTES_MAX: Final = 131_072
_GROUNDS: Final = "The releaser cannot be reached."


def signers_of(inject: Say, scene: Scene) -> list[Sign]:
    """Those who sign its draft, in order. Raises OSError, KeyFileError if a key of the rehearsal is gone."""
    folder = next(one.folder for one in scene.stage.terminals if one.process == speaker(inject))
    party, signers = inject.sender, list[Sign]()
    for signer in inject.signers:
        office, role = _OFFICES[signer]
        officer = f"{office}-{PARTIES.index(party) + 1}"
        key = SigningKey(open_secret((folder / f"{party}.{officer}.officer.key").read_bytes(), "officer", None)[1])
        paper = _mandate(scene, party, officer) if signer == "deputy" else b""
        signers.append(partial(_sign, key, officer, role, paper))
    return signers


def _sign(
    key: SigningKey,
    officer: str,
    role: content_pb2.Role.ValueType,
    mandate: bytes,
    charter: bytes,
    draft: operator_pb2.Draft,
) -> content_pb2.Release:
    """A signature of this moment on the draft as its terminal shows it."""
    statement = decode(content_pb2.Statement, draft.content, _STATEMENT_BYTES_MAX)
    at, plane = time.time_ns() // 1_000_000, Plane.EXERCISE if draft.exercise else Plane.REAL
    return sign_release(key, plane, charter, statement, officer, role, at, mandate)


def _mandate(scene: Scene, party: str, officer: str) -> bytes:
    """By what a deputy signs as releaser, as long as the card holds."""
    rehearsal = scene.stage.rehearsal
    charter = load_charter(rehearsal.charter.read_bytes())
    named = charter.officer(party, officer)
    card = OfficerCard(
        schema="hotline.officer-card/1",
        party=party,
        name=officer,
        roles=(),
        signing=encode(named.signing),
        not_before=named.not_before,
        not_after=named.not_after,
    )
    days = (named.not_before, named.not_after)
    return make_mandate(rehearsal.identities[party], card, "releaser", charter.founding, days, _GROUNDS)
