"""Judges of promises about what officers say of themselves and of what they have said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hotline.drill import promises
from hotline.drill.faultjudges import over_faults
from hotline.drill.findings import Finding, clock, number_of
from hotline.drill.injects import Presence, Say
from hotline.drill.measures import Facts
from hotline.drill.outcome import FaultSpan
from hotline.drill.telling import PEER, parts_of


def _corrected(promise: promises.Corrected, facts: Facts) -> Finding:
    text = f"marked at the other side after {promise.fault}"

    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Say):
            return None, f"{span.name} says nothing"
        said = [one for one in facts.of("said") if one["label"] == inject.text and one["t"] >= span.begin]
        serial = said[0]["serial"] if said else 0
        marked = [
            one
            for one in facts.of("corrected", by=PEER[inject.sender])
            if one["correction"] == serial and parts_of(one["id"])[:2] == (inject.sender, inject.plane)
        ]
        if not marked:
            return None, f"nothing is marked as corrected or retracted by {inject.name}"
        return float(marked[0]["t"]) - span.begin, f"{number_of(marked[0]['id'])} {marked[0]['state']}"

    return over_faults(promise.fault, facts, text, measure)


def _heard(promise: promises.Heard, facts: Facts) -> Finding:
    text = f"the other side is told{f' {promise.word}' if promise.word else ''} after {promise.fault}"

    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Presence):
            return None, f"{span.name} is no word of presence"
        word, peer = promise.word or inject.word, PEER[inject.sender]
        told = [
            float(one["t"])
            for one in facts.of("presence", by=peer)
            if (one["of"], one["word"]) == (inject.sender, word) and one["t"] >= span.begin
        ]
        if not told:
            return None, f"{peer} was not told that {inject.sender} is {word} after {span.name} at {clock(span.begin)}"
        return told[0] - span.begin, f"{peer} at {clock(told[0])}: {word}"

    return over_faults(promise.fault, facts, text, measure)


JUDGES: Final[dict[str, Callable[[Any, Facts], Finding]]] = {"corrected": _corrected, "presence": _heard}
"""Kind of promise to its judge."""
