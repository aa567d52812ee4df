"""The judge of what is promised about a terminal that travels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from hotline.drill import promises
from hotline.drill.faultjudges import over_faults
from hotline.drill.findings import Finding, clock, number_of
from hotline.drill.injects import Travel
from hotline.drill.measures import Facts
from hotline.drill.outcome import FaultSpan
from hotline.drill.telling import name_of


def _stays_out(promise: promises.StaysOut, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Travel):
            return None, f"{span.name} activates no terminal"
        if span.end is None:
            return None, f"{span.name} at {clock(span.begin)} did not end"
        target, (since, until) = inject.target, _around(span, inject.target, promise.limit, facts)
        read = [float(one["t"]) for one in facts.of("poll", by=target) if one["waiting"] is not None]
        signs = list(_signs(target, facts))
        early = [(at, words) for at, words in signs if since < at < span.begin]
        late = [(at, words) for at, words in signs if span.end < at < until]
        if not any(since < at < span.begin for at in read) or not any(span.end < at < until for at in read):
            return None, f"no reading was taken of {target} before or after {span.name}"
        if not any(span.begin <= at <= span.end for at, _ in signs):
            return None, f"{target} was no part of the hotline in {span.name} either"
        if early:
            return None, f"{early[0][1]} at {clock(early[0][0])}, before {span.name}"
        at, words = late[-1] if late else (span.end, "")
        return at - span.end, f"{words} at {clock(at)}" if words else ""

    return over_faults(promise.fault, facts, f"out of the hotline before {promise.fault} and after it", measure)


def _around(span: FaultSpan, target: str, limit: int, facts: Facts) -> tuple[float, float]:
    """Since when a terminal must have rested before a journey, and until when afterwards: others may be beside it."""
    others = [one for one in facts.faults if (one.fault, one.target) == ("travel", target)]
    ends = [one.end + limit for one in others if one.end is not None and one.end <= span.begin]
    begins = [one.begin for one in others if one.begin > span.begin]
    return max(ends, default=0.0), min(begins, default=math.inf)


def _signs(target: str, facts: Facts) -> Iterator[tuple[float, str]]:
    """When the terminal `target` was heard, heard anybody, or was shown anything; and which of it."""
    for entry in facts.of("poll", "shown"):
        at, own = float(entry["t"]), entry["by"] == target
        if entry["kind"] == "shown":
            if own and not entry.get("late"):
                yield at, f"{target} was shown {number_of(entry['id'])}"
        elif own and entry["up"]:
            yield at, f"{target} heard the other side"
        elif name_of(target) in entry.get("hears", ()):
            yield at, f"{entry['by']} heard {target}"


JUDGES: Final[dict[str, Callable[[Any, Facts], Finding]]] = {"stays-out": _stays_out}
"""Kind of promise to its judge."""
