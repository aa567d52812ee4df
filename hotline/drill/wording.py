"""Numbers of a report as people read them, the same in the page, the terminal and the comparison."""

from __future__ import annotations

from typing import Final

from hotline.drill.durations import spoken
from hotline.drill.outcome import FaultSpan, Judged


def amount(value: float | None, unit: str) -> str:
    """A measure with its unit; `never` for a time that did not come, `not measured` for a count."""
    if unit == "ms":
        return spoken(value)
    if value is None:
        return "not measured"
    number = f"{value:.0f}" if value == int(value) else f"{value:.1f}"
    return number if unit == "count" else f"{number} {'%' if unit == 'percent' else unit}"


def limit_words(judged: Judged) -> str:
    """A promise's limit."""
    if judged.promise == "ledgers":
        return "yes"
    least = "at least " if judged.bound == "least" else ""
    return least + amount(judged.limit, judged.unit)


_NEVER: Final = frozenset(
    {
        "delivered-within",
        "extra-delay",
        "noticed",
        "alarm",
        "resumed",
        "recovered",
        "corrected",
        "presence",
        "speaks",
        "in-force",
        "rung",
        "understood",
        "answered",
        "entered",
        "exits",
    }
)
"""Promises that something happens: without a measure it never did. Of the others it is not known."""


def measured_words(judged: Judged, *, aborted: bool = False) -> str:
    """What was measured; a dash if the drill was aborted before it could be."""
    if judged.measured is None:
        return "–" if aborted else "never" if judged.promise in _NEVER else "not measured"
    if judged.promise == "ledgers":
        return "no" if judged.measured else "yes"
    of = f" of {judged.out_of}" if judged.out_of is not None else ""
    return amount(judged.measured, judged.unit) + of


def difference(before: float | None, after: float | None, unit: str) -> str:
    """What changed, with a sign; `=` for nothing."""
    if before is None or after is None:
        return "=" if before is after else f"{amount(before, unit)} → {amount(after, unit)}"
    change = round(after - before, 3)
    if not change:
        return "="
    return ("+" if change > 0 else "−") + amount(abs(change), unit)


def when(at: float) -> str:
    """A moment of the drill: 12.0 s, 3 min 20 s; before the steady state with a sign."""
    return ("−" if at < 0 else "") + (f"{abs(at) / 1_000:.1f} s" if abs(at) < 60_000 else spoken(abs(at)))


def numbered(faults: list[FaultSpan]) -> list[tuple[str, FaultSpan]]:
    """The faults with the signs under which charts and tables name them: F1, F2, ..."""
    return [(f"F{number}", fault) for number, fault in enumerate((one for one in faults if one.is_fault), 1)]
