"""What a terminal says that lies: with its true key, whatever its machine would say."""

from __future__ import annotations

from typing import Protocol

from hotline.machine import Plane
from hotline.protocol.session import Session
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import ROUTINE, WALL


class Speaker(Protocol):
    """A terminal of ALPHA or BRAVO."""

    @property
    def name(self) -> str: ...


def statement(sender: Speaker, serial: int, text: str = "x", **more: object) -> content_pb2.Statement:
    """A ROUTINE of the sender's party, unless `more` says otherwise."""
    fields: dict[str, object] = {
        "serial": serial,
        "precedence": ROUTINE,
        "kind": content_pb2.STATEMENT_KIND_TEXT,
        "language": "en",
        "direction": content_pb2.DIRECTION_LTR,
        "from_party": sender.name,
        "to_party": "BRAVO" if sender.name == "ALPHA" else "ALPHA",
        "text": text,
        "body_salt": bytes(range(32)),
        "composed_ms": WALL,
        "drafter": "thief",
        "valid_for_ms": 10**8,
    }
    return content_pb2.Statement(**fields | more)  # type: ignore[arg-type]


def sealed(session: Session, said: content_pb2.Statement, plane: Plane = Plane.REAL) -> bytes:
    """The frame of it, signed and sealed as this session does."""
    quiet = said.kind == content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE
    inner = session.sign(ContentType.WITHOUT_PREJUDICE if quiet else ContentType.STATEMENT, plane, encode(said))
    return envelope_frame(session.seal(plane, inner, transient=False))
