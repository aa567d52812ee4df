"""What lasts in a drill: faults with what followed from them, and the states of paths.

A state of a path or an alarm counts as having noticed a fault only if the fault touches that path, and only until the
next fault begins after everything had become steady again: what comes later belongs to that one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from hotline.drill.injects import NOT_A_FAULT, Fault, LinkFault, Partition, Swizzle
from hotline.drill.journal import Entry, of_kind
from hotline.drill.outcome import FaultSpan, Message, PathSpan
from hotline.drill.patterns import CAPITALS
from hotline.drill.plan import Plan
from hotline.drill.telling import party_of

NOT_RUNNING: Final = "not-running"
"""State of a path whose terminal is dead or frozen: nobody looks at it."""
_AT_ONCE: Final = ("wipe", "restore")
"""Over as soon as they are done, if the journal does not say when."""
_ENDS_PROCESS: Final = ("kill", "stop", "restore", "roster")


def fault_spans(plan: Plan, entries: Sequence[Entry], messages: Iterable[Message]) -> tuple[FaultSpan, ...]:
    """Every inject of the journal, in order of time."""
    injects = [entry for entry in of_kind(entries, "inject") if 0 <= entry["n"] < len(plan.inject)]
    faults = [entry for entry in injects if not isinstance(plan.inject[entry["n"]], NOT_A_FAULT)]
    steady = [float(entry["t"]) for entry in of_kind(entries, "steady-again")]
    marks, known = of_kind(entries, "path", "alarm", "inject", "undo"), list(messages)
    return tuple(
        _fault_span(plan, entry, _end_of(entry, marks), steady, faults, marks, known, entry in faults)
        for entry in injects
    )


def _fault_span(
    plan: Plan,
    entry: Entry,
    end: float | None,
    steady: list[float],
    faults: list[Entry],
    marks: Sequence[Entry],
    messages: list[Message],
    is_fault: bool,
) -> FaultSpan:
    begin, inject = float(entry["t"]), plan.inject[entry["n"]]
    again = None if end is None else next((at for at in steady if at >= end), None)
    later = (float(one["t"]) for one in faults if again is not None and one["t"] >= again and one is not entry)
    until = min(later, default=math.inf)
    noticed = {
        party: _noticed(party, inject, plan, marks, begin, until) if is_fault else None
        for party in plan.topology.capitals
    }
    arrived = [one.delivered for one in messages if one.said >= begin and one.delivered is not None]
    return FaultSpan(
        n=entry["n"],
        name=entry["name"],
        fault=entry["fault"],
        target=entry["target"] or where(inject),
        text=entry["text"],
        begin=begin,
        end=end,
        until=None if math.isinf(until) else until,
        is_fault=is_fault,
        noticed_ms=noticed,
        next_delivery_ms=round(min(arrived) - begin, 3) if arrived else None,
        recovered_ms=None if end is None or again is None else round(again - end, 3),
    )


def _end_of(entry: Entry, marks: Sequence[Entry]) -> float | None:
    """When an inject was undone: by itself, by the start of what it had ended, or because it was over at once."""
    for later in marks:
        if later["t"] < entry["t"]:
            continue
        if later["kind"] == "undo" and later["n"] == entry["n"]:
            return float(later["t"])
        restarts = later["kind"] == "inject" and later["fault"] == "start" and later["target"] == entry["target"]
        if restarts and entry["fault"] in ("kill", "stop"):
            return float(later["t"])
    return float(entry["t"]) if entry["fault"] in _AT_ONCE else None


def where(inject: Fault) -> str:
    """What an inject without a single target works upon."""
    match inject:
        case LinkFault() | Swizzle():
            return ", ".join(inject.links)
        case Partition():
            return " | ".join(", ".join(side) for side in inject.between)
        case _:
            return str(getattr(inject, "target", getattr(inject, "sender", "")))


def touched(inject: Fault, relays: int) -> set[str]:
    """The paths on which either side can notice it. A stream of one side carries the beats of both."""
    every = {f"relay-{number}" for number in range(1, relays + 1)}
    match inject:
        case LinkFault() | Swizzle():
            named = {pattern.partition("/")[2] for pattern in inject.links}
        case Partition():
            here, there = (set(side) for side in inject.between)
            named = (here & every if there & set(CAPITALS) else set()) | (
                there & every if here & set(CAPITALS) else set()
            )
        case _:
            target = where(inject)
            named = {"*"} if party_of(target) in CAPITALS else {target}
    return every if "*" in named else named & every


def _noticed(party: str, inject: Fault, plan: Plan, marks: Iterable[Entry], begin: float, until: float) -> float | None:
    paths = touched(inject, plan.topology.relays)
    for entry in marks:
        if entry.get("by") != party or not begin <= entry["t"] < until:
            continue
        lowered = entry["kind"] == "path" and entry["state"] != "up" and entry["path"] in paths
        if lowered or entry["kind"] == "alarm":
            return round(float(entry["t"]) - begin, 3)
    return None


# --- paths ------------------------------------------------------------------------------------------------------------


def path_spans(plan: Plan, entries: Sequence[Entry], end: float) -> tuple[PathSpan, ...]:
    """Every path's states as each side saw them, from the steady state, in which all are up, to the last reading."""
    changes: dict[tuple[str, str], list[tuple[float, str]]] = {
        (party, f"relay-{number}"): [(0.0, "up")]
        for party in plan.topology.capitals
        for number in range(1, plan.topology.relays + 1)
    }
    for at, party, path, state in _changes(entries):
        for key in [key for key in changes if key[0] == party] if path == "*" else [(party, path)]:
            changes.setdefault(key, [(0.0, "up")]).append((max(at, 0.0), state or _thawed(changes[key])))
    return tuple(
        PathSpan(party=party, path=path, state=state, begin=begin, end=stop)
        for (party, path), steps in sorted(changes.items())
        for begin, stop, state in _lengths(steps, end)
    )


def _changes(entries: Iterable[Entry]) -> Iterator[tuple[float, str, str, str]]:
    """(time, party, path or *, state); an empty state: as before the last one."""
    for entry in entries:
        at, kind = float(entry["t"]), entry["kind"]
        if kind == "path":
            yield at, entry["by"], entry["path"], entry["state"]
        elif kind == "exit" and not entry["asked"] and entry["process"] in CAPITALS:
            yield at, entry["process"], "*", NOT_RUNNING
        elif kind in ("inject", "undo") and entry["target"] in CAPITALS:
            if entry["fault"] == "freeze":
                yield at, entry["target"], "*", NOT_RUNNING if kind == "inject" else ""
            elif kind == "inject" and entry["fault"] in _ENDS_PROCESS:
                yield at, entry["target"], "*", NOT_RUNNING


def _thawed(steps: list[tuple[float, str]]) -> str:
    return next((state for _, state in reversed(steps) if state != NOT_RUNNING), "up")


def _lengths(steps: list[tuple[float, str]], end: float) -> list[tuple[float, float, str]]:
    """Begin, end and state of each span of some length, equal neighbours made one."""
    found: list[tuple[float, float, str]] = []
    for (begin, state), (after, _) in pairwise([*steps, (end, "")]):
        stop = min(after, end)
        if stop <= begin:
            continue
        if found and found[-1][2] == state:
            begin = found.pop()[0]  # noqa: PLW2901 - the span before goes on
        found.append((begin, stop, state))
    return found


def departures(entries: Iterable[Entry], party: str) -> list[tuple[float, str, str]]:
    """(time, path, state) of each time that a path of `party` left the state up, since the steady state."""
    last: dict[str, str] = {}
    found = []
    for entry in of_kind(entries, "path"):
        if entry["by"] != party:
            continue
        path, state, at = str(entry["path"]), str(entry["state"]), float(entry["t"])
        if at >= 0 and state != "up" and last.get(path, "up") == "up":
            found.append((at, path, state))
        last[path] = state
    return found
