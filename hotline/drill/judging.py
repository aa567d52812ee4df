"""Promises against facts, and the report of a whole drill.

A promise holds only if it was measured. What never happened is None, not nought: a silent instrument must not pass for
a quiet line. A drill that did not run from its steady state to its end, or in which something was not brought about,
is aborted, and none of its promises holds. A promise about time that is broken by no more than this machine stood
still, or about alarms by those of a silence right after it, is not decided; nothing else is excused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from hotline.drill import faultjudges, journeyjudges, officerjudges, statementjudges
from hotline.drill.durations import spoken
from hotline.drill.faultjudges import alarms_of
from hotline.drill.findings import named
from hotline.drill.journal import Entry
from hotline.drill.measures import Facts, facts_of, numbers
from hotline.drill.outcome import Judged, Report, Verdict
from hotline.drill.promises import NoAlarm, Promise, SteadyPaths, Told
from hotline.drill.timeline import timeline

JUDGES: Final = statementjudges.JUDGES | faultjudges.JUDGES | officerjudges.JUDGES | journeyjudges.JUDGES
"""Kind of promise to its judge."""


def judge(entries: Sequence[Entry]) -> Report:
    """The report of a journal. Raises Malformed for entries that are no journal of a drill."""
    facts = facts_of(entries)
    judged = [judge_promise(promise, facts) for promise in facts.plan.promise]
    verdict, outcome = _verdict(facts, judged)
    plan, head = facts.plan, facts.head
    return Report(
        verdict=verdict,
        outcome=outcome,
        name=plan.name,
        title=plan.title,
        story=plan.story,
        incident=plan.incident,
        source=plan.source,
        digest=head["digest"],
        seed=head["seed"],
        started=head["started"],
        simulated=head["simulated"],
        seconds=round(facts.end / 1_000, 3) if facts.steady else 0.0,
        environment={str(key): str(value) for key, value in head["environment"].items()},
        topology=_topology(facts),
        promises=judged,
        measures=numbers(facts),
        messages=list(facts.messages),
        faults=list(facts.faults),
        paths=list(facts.paths),
        gaps=list(facts.gaps),
        timeline=timeline(facts),
        ledgers=list(facts.ledgers),
        agree=facts.agree,
    )


def _verdict(facts: Facts, judged: list[Judged]) -> tuple[Verdict, str]:
    if not facts.steady:
        why = facts.end_text or f"the steady state was not reached within {spoken(facts.plan.steady.within)}"
        return "aborted", f"Aborted before the first fault: {why}."
    if not facts.whole:
        return "aborted", f"{_why_not_whole(facts)}."
    broken = [one.text for one in judged if not one.holds and one.decided]
    if broken:
        return "broken", f"{len(broken)} of {len(judged)} promises did not hold: {named(broken)}."
    undecided = [one.text for one in judged if not one.decided]
    if undecided:
        stood = f"this machine stood still for {spoken(facts.stood_still)} in all"
        return (
            "undecided",
            f"{len(undecided)} of {len(judged)} promises cannot be decided, for {stood}: {named(undecided)}.",
        )
    return "passed", "The promise held." if len(judged) == 1 else f"All {len(judged)} promises held."


def _why_not_whole(facts: Facts) -> str:
    if facts.outcome != "ended":
        return f"Not played to its end ({facts.outcome}): {facts.end_text}"
    return "It proves nothing, for not everything was brought about: " + "; ".join(
        f"{entry['name']} ({entry['text']})" for entry in facts.failed
    )


def _topology(facts: Facts) -> dict[str, str]:
    topology = facts.plan.topology
    found = {
        "terminals": str(topology.parties + len(topology.alternates)),
        "relays": str(topology.relays),
        "witnesses": str(topology.witnesses),
    }
    found["link profile"] = topology.profile
    found |= {f"{relay} profile": profile for relay, profile in topology.relay_profiles.items()}
    found |= {f"{party} clock": f"{step} off from the start" for party, step in topology.clock_step.items()}
    if topology.travels:
        found["travels"] = ", ".join(f"{party}-alt" for party in topology.travels)
    if topology.channel_test is not None:
        found["channel tests every"] = spoken(topology.channel_test)
    return found


def judge_promise(promise: Promise, facts: Facts) -> Judged:
    """One promise against the facts; it does not hold if the drill is not whole."""
    found = JUDGES[promise.promise](promise, facts)
    least = getattr(promise, "least", None)
    limit = float(promise.limit if least is None else least)  # type: ignore[union-attr, arg-type]
    if not facts.steady:
        found = replace(found, measured=None, detail="the drill was aborted before the first fault", out_of=None)
    elif not facts.whole:
        why = f"was not played to its end ({facts.outcome})" if facts.outcome != "ended" else "lacks what failed in it"
        found = replace(found, detail=f"not judged: the drill {why}")
    measured = None if found.measured is None else round(found.measured, 3)
    within = measured is not None and (measured <= limit if least is None else measured >= limit)
    holds = within and facts.whole
    excused = not holds and measured is not None and _may_be_the_machine(promise, measured - limit, facts)
    return Judged(
        promise=promise.promise,
        text=found.text,
        limit=limit,
        bound="most" if least is None else "least",
        measured=measured,
        out_of=found.out_of,
        unit=_UNITS.get(promise.promise, "count"),
        holds=holds,
        decided=not excused,
        detail=found.detail,
        why=promise.why,
    )


def _may_be_the_machine(promise: Promise, over: float, facts: Facts) -> bool:
    """Whether the machine stood still for so long that the promise may be broken by that alone, `over` its limit."""
    if not facts.whole or not facts.stood_still:
        return False
    match promise:
        case Told():
            return promise.within is not None
        case SteadyPaths():
            return True
        case NoAlarm():
            alarms = alarms_of(promise, facts)
            return len(alarms) - sum(_from_standing_still(alarm, facts) for alarm in alarms) <= promise.limit
        case _:
            return _UNITS.get(promise.promise) == "ms" and 0 < over <= facts.stood_still


_SILENCE: Final = frozenset({"no-path", "single-path", "terminal-silent"})
"""Alarms that say that nobody was heard."""
_AFTERMATH_MS = 2_000
"""A silence is told so long after it began, at the latest, where paths are quick."""


def _from_standing_still(alarm: Entry, facts: Facts) -> bool:
    return alarm["name"] in _SILENCE and any(
        entry["t"] - entry["ms"] <= alarm["t"] <= entry["t"] + _AFTERMATH_MS for entry in facts.of("standstill")
    )


_UNITS: Final[dict[str, Any]] = {
    "delivered-within": "ms",
    "extra-delay": "ms",
    "silence": "ms",
    "noticed": "ms",
    "alarm": "ms",
    "resumed": "ms",
    "recovered": "ms",
    "corrected": "ms",
    "presence": "ms",
    "speaks": "ms",
    "in-force": "ms",
    "stays-out": "ms",
    "rung": "ms",
    "understood": "ms",
    "answered": "ms",
    "entered": "ms",
    "exits": "ms",
    "growth": "MiB",
}
"""Everything else is counted."""
