"""What a challenge and its answers say, in fields and in words, and how one is kept (docs/protocol.md 25.5, 25.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hotline.errors import Malformed
from hotline.limits import SERIAL_MAX
from hotline.protocol.neutral import ANSWERS
from hotline.wire.v1 import content_pb2

TERMINAL: Final = "terminal-record"
"""Who answers a challenge out of the record: no person, and no officer's name."""

WORDS: Final = {
    content_pb2.VERDICT_YES: "yes",
    content_pb2.VERDICT_NO: "no",
    content_pb2.VERDICT_UNKNOWN: "unknown",
}

ASKED: Final = "asked"
HEARD: Final = "heard"
"""Way of a challenge: ours, or the peer's."""
THEIRS, OURS, UNDER_WAY = 0, 1, 2
"""Who said what is challenged; the last: we did, and no receipt of it was here when we asked."""
NOBODY, RECORD, OFFICER = 0, 1, 2
"""Whose silence an alarm has told of."""


@dataclass(slots=True)
class Kept:
    """One challenge; `serial` is its own, on SERVICE, of the side that asked."""

    way: str
    serial: int
    plane: str
    named: int
    statement: bytes
    ours: int
    """THEIRS, or whether the challenger said it."""
    at: int
    record: str = ""
    officer: str = ""
    by: str = ""
    alarmed: int = NOBODY


def check_challenge(statement: content_pb2.Statement) -> None:
    """A challenge names a statement, an answer a challenge and a verdict, and nothing else does. Raises Malformed."""
    kind, asks = statement.kind, statement.HasField("challenge")
    answers = kind in ANSWERS
    named = statement.challenge.named
    if asks != (kind == content_pb2.STATEMENT_KIND_CHALLENGE):
        raise Malformed("reference", "what challenges names what it challenges, and nothing else does")
    if asks and not (1 <= named.serial <= SERIAL_MAX and len(named.statement) == 32):
        raise Malformed("reference", "a challenge of nothing")
    if bool(statement.verdict) != answers or (answers and statement.verdict not in WORDS):
        raise Malformed("reference", "an answer to a challenge has a verdict, and nothing else has")
    if answers and not statement.HasField("in_reply_to"):
        raise Malformed("reference", "an answer to no challenge")
    if answers and (kind == content_pb2.STATEMENT_KIND_RECORD_ANSWER) != (statement.drafter == TERMINAL):
        raise Malformed("kind", "a terminal answers for its record, and for nothing else")


def question(plane: str, serial: int, name: bytes, *, ours: bool) -> str:
    """The challenge for people."""
    what = f"#{serial:04d} of the {plane} plane, statement {name.hex()[:16]}"
    return f"Have you received our {what}?" if ours else f"Did you say {what}?"


def answer(plane: str, serial: int, verdict: str, *, ours: bool) -> str:
    """The terminal's answer for people."""
    verb = "received" if ours else "said"
    known = {
        "yes": f"Yes: by this terminal's record #{serial:04d} ({plane}) was {verb} here under that name.",
        "no": f"No: by this terminal's record #{serial:04d} ({plane}) was not {verb} here under that name.",
        "unknown": f"Unknown: this terminal's record does not reach #{serial:04d} ({plane}).",
    }
    return known[verdict]
