"""What a judge of promises found, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hotline.drill.outcome import Message
from hotline.drill.telling import parts_of

_NAMED_MAX: Final = 3
"""Statements, places or alarms that a detail names; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge found, in the promise's unit."""

    text: str
    measured: float | None
    detail: str = ""
    out_of: int | None = None


def who(message: Message) -> str:
    """A statement as people name it."""
    plane = "" if message.plane == "exercise" else f", {message.plane}"
    return f"{message.sender} #{message.serial} ({message.precedence}{plane}), said at {clock(message.said)}"


def clock(at: float) -> str:
    """Milliseconds of the drill, in seconds."""
    return f"{at / 1_000:.1f} s"


def named(words: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    rest = len(words) - _NAMED_MAX
    return "; ".join(words[:_NAMED_MAX]) + (f"; and {rest} more" if rest > 0 else "")


def sides(parties: Sequence[str]) -> str:
    """ALPHA and BRAVO."""
    return " and ".join(parties)


def number_of(identifier: str) -> str:
    """A statement by its id. Raises Malformed."""
    sender, plane, serial = parts_of(identifier)
    return f"{sender} #{serial}" + ("" if plane == "exercise" else f" ({plane})")
