"""A drill told to people before it is run: story, timeline, promises, needs."""

from __future__ import annotations

from collections.abc import Iterator

from hotline.drill import faults
from hotline.drill.durations import spoken
from hotline.drill.plan import Drill
from hotline.drill.scene import lacking
from hotline.drill.telling import describe
from hotline.drill.versions import unplayable


def told(drill: Drill) -> Iterator[str]:
    """Lines about a drill."""
    faults.register()
    plan = drill.plan
    yield f"{plan.name}: {plan.title}"
    yield ""
    yield from plan.story.strip().splitlines()
    yield ""
    yield f"source     {plan.source}{f' (incident {plan.incident})' if plan.incident else ''}"
    topology = plan.topology
    travels = dict.fromkeys(topology.travels, " (travels)")
    alternates = (f"{party}-alt{travels.get(party, '')}" for party in topology.alternates)
    terminals = ", ".join((*topology.capitals, *alternates))
    yield f"stages     {terminals}, {topology.relays} relays ({topology.profile}), {topology.witnesses} witnesses"
    yield f"lasts      {spoken(plan.length_ms)} after the steady state, and at most {spoken(plan.settle)} to settle"
    yield f"hash       {drill.digest[:16]}"
    yield ""
    for flow in plan.traffic:
        what = f"{flow.precedence} of {flow.size} bytes every {spoken(flow.every)}"
        yield f"{_clock(flow.start)}  {flow.sender} says {what} until {_clock(flow.until)}"
    for inject in sorted(plan.inject, key=lambda one: one.at):
        yield f"{_clock(inject.at)}  {describe(inject)}"
    yield ""
    for promise in plan.promise:
        words = promise.model_dump(exclude={"promise", "limit", "why"}, exclude_defaults=True, by_alias=True)
        limit = getattr(promise, "limit", None)
        yield f"promises   {promise.promise} {_words(words)}{'' if limit is None else f' at most {limit}'}".rstrip()
    for reason in lacking(plan):
        yield f"cannot run here: {reason}"
    for reason in unplayable(plan, None):
        yield f"needs more: {reason}"


def _words(fields: dict[str, object]) -> str:
    return " ".join(
        f"{name} {' and '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in fields.items()
    )


def _clock(at_ms: float) -> str:
    return f"{int(at_ms) // 60_000:02d}:{at_ms / 1_000 % 60:04.1f}"
