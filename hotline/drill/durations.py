"""Spans of time as people write them in a drill: 250ms, 2s, 5m, 24h; with a sign where one is meant.

A plan that is dumped as JSON spells them in the same way, so that the plan in a journal is read back as a plan.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN: Final = re.compile(r"([+-]?)(\d{1,9})(ms|s|m|h|d)", re.ASCII)


def milliseconds(text: object) -> object:
    """`text` in milliseconds. Raises ValueError for what is no such span, a bare number included: it has no unit."""
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f'{text!r} is no span of time; write "250ms", "2s", "5m" or "24h"')
    sign, number, unit = found.groups()
    return (-1 if sign == "-" else 1) * int(number) * _UNITS[unit]


def spelt(span_ms: int) -> str:
    """The shortest text that `milliseconds` reads as this span."""
    for unit, size in reversed(_UNITS.items()):
        if span_ms % size == 0 and span_ms:
            return f"{span_ms // size}{unit}"
    return f"{span_ms}ms"


def _forward(value: object) -> object:
    spoken = milliseconds(value)
    if isinstance(spoken, int) and spoken < 0:
        raise ValueError("a span of time that goes back")
    return spoken


_SPELT: Final = PlainSerializer(spelt, return_type=str, when_used="json")

Span = Annotated[int, BeforeValidator(_forward), _SPELT]
"""Milliseconds, not negative."""
SignedSpan = Annotated[int, BeforeValidator(milliseconds), _SPELT]
"""Milliseconds; negative goes back."""


def spoken(span_ms: float | None) -> str:
    """Milliseconds for people: 12 ms, 1.9 s, 3 min 20 s."""
    if span_ms is None:
        return "never"
    if span_ms < 1_000:
        return f"{span_ms:.0f} ms"
    if span_ms < 60_000:
        return f"{span_ms / 1_000:.1f} s"
    minutes, seconds = divmod(round(span_ms / 1_000), 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
