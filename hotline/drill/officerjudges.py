"""Judges of promises about what officers say of themselves and of what they have said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hotline.drill import promises
from hotline.drill.faultjudges import over_faults
from hotline.drill.findings import Finding, clock, named, number_of, sides
from hotline.drill.injects import (
    Challenge,
    Checklist,
    Fault,
    Presence,
    ReplyBy,
    Say,
    Service,
    Shown,
    Takeover,
    Translate,
)
from hotline.drill.journal import Entry
from hotline.drill.measures import Facts
from hotline.drill.outcome import FaultSpan
from hotline.drill.patterns import PARTIES
from hotline.drill.plan import rung_of, said_as
from hotline.drill.telling import PEER, name_of, parts_of, party_of


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


def _speaks(promise: promises.Speaks, facts: Facts) -> Finding:
    text = f"{sides(promise.by)} told which terminal speaks after {promise.fault}"

    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        target = promise.terminal or (inject.target if isinstance(inject, Takeover) else "")
        if not target:
            return None, f"{span.name} lets no terminal speak"
        name = name_of(target)
        told = {
            side: min(
                (
                    float(one["t"])
                    for one in facts.of("speaks")
                    if party_of(one["by"]) == side and one["terminal"] == name and one["t"] >= span.begin
                ),
                default=None,
            )
            for side in promise.by
        }
        deaf = [side for side, at in told.items() if at is None]
        if deaf:
            return None, f"{sides(deaf)} not told that {name} speaks after {span.name} at {clock(span.begin)}"
        last = max(at for at in told.values() if at is not None)
        return last - span.begin, ", ".join(f"{side} at {clock(at)}" for side, at in told.items() if at is not None)

    return over_faults(promise.fault, facts, text, measure)


def _in_force(promise: promises.InForce, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        # Which serial it has: each amendment is one more than the charter that it amends.
        before = sum(one.fault in ("amend", "travel") and one.begin <= span.begin for one in facts.faults)
        serial = facts.plan.topology.serial + before
        found = {}
        for side in PARTIES:
            told = [
                one for one in facts.of("charter", by=side) if (one["state"], one["serial"]) == ("in-force", serial)
            ]
            if not told:
                return None, f"{side} does not stand under serial {serial} after {span.name} at {clock(span.begin)}"
            found[side] = float(told[0]["t"])
        return max(found.values()) - span.begin, ", ".join(f"{side} at {clock(at)}" for side, at in found.items())

    return over_faults(promise.fault, facts, f"both sides stand under the charter of {promise.fault}", measure)


def _seen(inject: Service | Translate, span: FaultSpan, facts: Facts) -> tuple[float | None, str]:
    """When the other side was first shown what the inject said."""
    peer = PEER[inject.sender]
    said = [
        one
        for one in facts.of("said")
        if (one["from"], one["label"]) == (inject.sender, inject.text) and one["t"] >= span.begin
    ]
    name = said[0]["id"] if said else ""
    shown = [float(one["t"]) for one in facts.of("shown") if (one["id"], party_of(one["by"])) == (name, peer)]
    if not shown:
        return None, f"{peer} was not shown {span.name} of {clock(span.begin)}"
    return min(shown) - span.begin, f"{peer} at {clock(min(shown))}"


def _rung(promise: promises.Rung, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if isinstance(inject, Service | Translate):
            return _seen(inject, span, facts)
        about = said_as(facts.plan, rung_of(inject))
        if about is None:
            return None, f"{span.name} says nothing of a statement of the other side"
        names = [one["id"] for one in facts.of("said") if (one["from"], one["label"]) == (about.sender, about.text)]
        told = [
            float(one["t"])
            for one in facts.of("stage", "promise", "promise-kept")
            if one["id"] in names and one["t"] >= span.begin and _tells(one, inject, about.sender)
        ]
        if not told:
            return None, f"{about.sender} was not told of {span.name} at {clock(span.begin)}"
        return told[0] - span.begin, f"{about.sender} at {clock(told[0])}"

    return over_faults(promise.fault, facts, f"the other side is told of {promise.fault}", measure)


def _understood(promise: promises.Understood, facts: Facts) -> Finding:
    text = f"{promise.fault} understood by the other side's book"

    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Say) or not inject.phrase:
            return None, f"{span.name} says no phrase"
        names = [one["id"] for one in facts.of("said") if (one["from"], one["label"]) == (inject.sender, inject.text)]
        opened = [one for one in facts.of("phrase") if one["id"] in names and one["t"] >= span.begin]
        if not opened:
            return None, f"nobody at {PEER[inject.sender]} has opened {span.name} as a phrase"
        first = opened[0]
        if first["code"] != inject.phrase or not first["agrees"]:
            return None, f"{first['by']} has {first['code']}: {first['text']}"
        return float(first["t"]) - span.begin, f"{first['by']} at {clock(first['t'])}: {first['code']}"

    return over_faults(promise.fault, facts, text, measure)


def _answered(promise: promises.Answered, facts: Facts) -> Finding:
    text = f"{promise.fault} answered by the other side's {promise.by}: {promise.verdict}"

    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Challenge):
            return None, f"{span.name} challenges nothing"
        asked = [one for one in facts.of("challenge") if one["from"] == inject.sender and one["t"] >= span.begin]
        if not asked:
            return None, f"the terminal of {inject.sender} did not ask {span.name}"
        told = [
            one
            for one in facts.of("challenge-answered", by=inject.sender)
            if (one["serial"], one["whose"]) == (asked[0]["serial"], promise.by)
        ]
        if not told:
            return None, f"{inject.sender} was told no answer of the {promise.by} to {span.name}"
        # Who says it otherwise first has not answered so, whatever comes after it.
        if told[0]["verdict"] != promise.verdict:
            return None, f"the {promise.by} answered {told[0]['verdict']} to {span.name}"
        return float(told[0]["t"]) - span.begin, f"{inject.sender} at {clock(told[0]['t'])}: {promise.verdict}"

    return over_faults(promise.fault, facts, text, measure)


def _entered(promise: promises.Entered, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Checklist):
            return None, f"{span.name} is no checklist"
        who, name = inject.sender, inject.checklist
        found = [one for one in facts.of("checklist") if (one["from"], one["name"]) == (who, name)]
        found = [one for one in found if one["t"] >= span.begin]
        if not found:
            return None, f"{who} has no {name} of {clock(span.begin)} on record"
        return float(found[0]["t"]) - span.begin, f"{who}: {found[0]['done']} done, {found[0]['skipped']} skipped"

    return over_faults(promise.fault, facts, f"{promise.fault} on record", measure)


def _not_taken(promise: promises.NotTaken, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        inject = facts.plan.inject[span.n]
        if not isinstance(inject, Say):
            return None, f"{span.name} says nothing"
        tried = [
            one
            for one in facts.of("said", "refused-to-say")
            if (one["from"], one.get("label")) == (inject.sender, inject.text) and one["t"] >= span.begin
        ]
        refused = [one for one in tried if one["kind"] == "refused-to-say"]
        if not tried or any(not one.get("code") for one in refused):
            return None, f"the terminal of {inject.sender} did not say whether it takes {span.name}"
        taken = [number_of(one["id"]) for one in tried if one["kind"] == "said"]
        return float(len(taken)), named(taken) or str(refused[0]["text"])

    return over_faults(promise.fault, facts, f"{promise.fault} not taken by its own terminal", measure)


def _tells(entry: Entry, inject: Fault, asker: str) -> bool:
    """Whether the entry tells `asker`, who said what it is about, of this very inject."""
    match inject:
        case Shown():
            return bool(entry["kind"] == "stage" and entry["stage"] == "shown")
        case ReplyBy():
            return bool(entry["kind"] == "promise" and entry["by"] == asker)
        case _:
            return bool(entry["kind"] == "promise-kept" and entry["by"] == asker and not entry["late"])


JUDGES: Final[dict[str, Callable[[Any, Facts], Finding]]] = {
    "corrected": _corrected,
    "presence": _heard,
    "speaks": _speaks,
    "in-force": _in_force,
    "rung": _rung,
    "understood": _understood,
    "answered": _answered,
    "entered": _entered,
    "not-taken": _not_taken,
}
"""Kind of promise to its judge."""
