"""Judges of promises about faults, and about what each side heard, saw and refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hotline.drill import promises
from hotline.drill.durations import spoken
from hotline.drill.findings import Finding, clock, named, sides, who
from hotline.drill.journal import Entry
from hotline.drill.measures import Facts, silence
from hotline.drill.outcome import FaultSpan
from hotline.drill.spans import departures


def _silence(promise: promises.Silence, facts: Facts) -> Finding:
    text = f"longest silence, as {sides(promise.by)} heard it"
    found = {party: silence(facts, party) for party in promise.by}
    deaf = [party for party, reading in found.items() if reading is None]
    if deaf:
        return Finding(text, None, f"no reading was taken of {sides(deaf)}")
    party, (length, at) = max(((one, it) for one, it in found.items() if it is not None), key=lambda pair: pair[1][0])
    return Finding(text, length, f"{party} at {clock(at)}")


def _unwatched(facts: Facts, parties: Sequence[str]) -> str:
    """Which side left no trace in the journal: what it did not tell cannot be counted."""
    silent = [party for party in parties if not facts.of("poll", "path", "alarm", "event", "presence", by=party)]
    return f"nothing is known of {sides(silent)}" if silent else ""


def _no_alarm(promise: promises.NoAlarm, facts: Facts) -> Finding:
    which = f' "{promise.name}"' if promise.name else ""
    text = f"no alarm{which} at {sides(promise.by)}"
    if unwatched := _unwatched(facts, promise.by):
        return Finding(text, None, unwatched)
    alarms = alarms_of(promise, facts)
    words = [f"{entry['by']} at {clock(entry['t'])}: {entry['name']}" for entry in alarms]
    return Finding(text, float(len(alarms)), named(words))


def alarms_of(promise: promises.NoAlarm, facts: Facts) -> list[Entry]:
    """The alarms that the promise says there are none of."""
    return [entry for entry in facts.of("alarm") if entry["by"] in promise.by and promise.name in (None, entry["name"])]


def _steady_paths(promise: promises.SteadyPaths, facts: Facts) -> Finding:
    text = f"no path goes down, as {sides(promise.by)} saw it"
    if unwatched := _unwatched(facts, promise.by):
        return Finding(text, None, unwatched)
    left = sorted(
        (at, party, path, state) for party in promise.by for at, path, state in departures(facts.entries, party)
    )
    words = [f"{party}: {path} {state} at {clock(at)}" for at, party, path, state in left]
    return Finding(text, float(len(left)), named(words))


def _refused(promise: promises.Refused, facts: Facts) -> Finding:
    text = f"{promise.by} refuses, and says why: {', '.join(promise.reasons)}"
    found = [entry for entry in facts.of("refused", by=promise.by) if entry["reason"] in promise.reasons]
    counts: dict[str, int] = {}
    for entry in found:
        key = f"{entry['reason']} on {entry['path'] or 'no path'}"
        counts[key] = counts.get(key, 0) + 1
    return Finding(text, float(len(found)), named([f"{key}: {count}" for key, count in sorted(counts.items())]))


# --- faults -----------------------------------------------------------------------------------------------------------


def over_faults(
    name: str, facts: Facts, text: str, measure: Callable[[FaultSpan], tuple[float | None, str]]
) -> Finding:
    """The worst of all injects of this name: each has its measure and its words."""
    spans = [fault for fault in facts.faults if fault.name == name]
    if not spans:
        return Finding(text, None, f"{name} was never injected")
    measured = [measure(span) for span in spans]
    for value, words in measured:
        if value is None:
            return Finding(text, None, words)
    value, words = max(measured, key=lambda one: one[0] or 0.0)
    return Finding(text, value, words)


def _per_side(
    span: FaultSpan, parties: Sequence[str], spans_ms: Callable[[str], float | None], what: str
) -> tuple[float | None, str]:
    found = {party: spans_ms(party) for party in parties}
    missing = [party for party, value in found.items() if value is None]
    if missing:
        return None, f"{sides(missing)}: {what} after {span.name} at {clock(span.begin)}"
    words = ", ".join(f"{party} after {spoken(value)}" for party, value in found.items())
    return max(value or 0.0 for value in found.values()), words


def _noticed(promise: promises.Noticed, facts: Facts) -> Finding:
    text = f"{promise.fault} noticed by {sides(promise.by)}"
    return over_faults(
        promise.fault,
        facts,
        text,
        lambda span: _per_side(span, promise.by, span.noticed_ms.get, "noticed nothing"),
    )


def _alarm(promise: promises.Alarm, facts: Facts) -> Finding:
    text = f'alarm "{promise.name}" after {promise.fault} at {sides(promise.by)}'

    def raised(span: FaultSpan, party: str) -> float | None:
        times = (float(one["t"]) for one in facts.of("alarm", by=party) if one["name"] == promise.name)
        return next((at - span.begin for at in times if _within(span, at)), None)

    return over_faults(
        promise.fault,
        facts,
        text,
        lambda span: _per_side(span, promise.by, lambda party: raised(span, party), "no such alarm"),
    )


def _within(span: FaultSpan, at: float) -> bool:
    return span.begin <= at and (span.until is None or at < span.until)


def _resumed(promise: promises.Resumed, facts: Facts) -> Finding:
    begin = promise.after == "begin"
    text = f"next delivery after the {promise.after} of {promise.fault}"

    def measure(span: FaultSpan) -> tuple[float | None, str]:
        since = span.begin if begin else span.end
        if since is None:
            return None, f"{span.name} at {clock(span.begin)} did not end"
        # A receipt that was under way when the fault began says nothing about going on in spite of it.
        arrived = [
            message
            for message in facts.messages
            if message.delivered is not None and (message.said if begin else message.delivered) >= since
        ]
        if not arrived:
            return None, f"nothing was delivered after the {promise.after} of {span.name}"
        first = min(arrived, key=lambda message: message.delivered or 0.0)
        return (first.delivered or 0.0) - since, who(first)

    return over_faults(promise.fault, facts, text, measure)


def _recovered(promise: promises.Recovered, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        if span.end is None:
            return None, f"{span.name} at {clock(span.begin)} did not end"
        if span.recovered_ms is None:
            return None, f"no steady state came back after the end of {span.name} at {clock(span.end)}"
        return span.recovered_ms, f"steady again at {clock(span.end + span.recovered_ms)}"

    return over_faults(promise.fault, facts, f"steady again after the end of {promise.fault}", measure)


def _exits(promise: promises.Exits, facts: Facts) -> Finding:
    def measure(span: FaultSpan) -> tuple[float | None, str]:
        exits = [
            entry
            for entry in facts.of("exit")
            if entry["process"] == promise.target and not entry["asked"] and entry["t"] >= span.begin
        ]
        right = [entry for entry in exits if entry["code"] == promise.code]
        if right:
            return float(right[0]["t"]) - span.begin, f"at {clock(right[0]['t'])}"
        codes = ", ".join(str(entry["code"]) for entry in exits)
        return None, f"ended with {codes}" if codes else f"{promise.target} did not end by itself"

    text = f"{promise.target} ends by itself with code {promise.code} after {promise.fault}"
    return over_faults(promise.fault, facts, text, measure)


def _versions(promise: promises.Versions, facts: Facts) -> Finding:
    del promise
    text = "every change of version comes out as it must"
    changes = facts.of("version")
    if not changes:
        return Finding(text, None, "no process changed its version")
    wrong = [entry for entry in changes if entry["outcome"] not in ("serves", "refused")]
    refused = [entry for entry in changes if entry["outcome"] == "refused"]
    if refused:
        text += f"; {len(refused)} refused, for the store is of a later schema"
    told = [f"{entry['process']} to {entry['to']} {entry['outcome']}: {entry['text']}" for entry in (*wrong, *refused)]
    return Finding(text, float(len(wrong)), named(told))


JUDGES: Final[dict[str, Callable[[Any, Facts], Finding]]] = {
    "silence": _silence,
    "no-alarm": _no_alarm,
    "steady-paths": _steady_paths,
    "refused": _refused,
    "noticed": _noticed,
    "alarm": _alarm,
    "resumed": _resumed,
    "recovered": _recovered,
    "exits": _exits,
    "versions": _versions,
}
"""Kind of promise to its judge."""
