"""Which drills can be played in virtual time: what the simulator has no counterpart for, and why."""

from __future__ import annotations

from collections.abc import Iterator

from hotline.drill.injects import (
    Amend,
    Checklist,
    Courier,
    DiskFault,
    Flood,
    Roster,
    Say,
    Takeover,
    Thief,
    Travel,
    Upgrade,
)
from hotline.drill.patterns import PARTIES
from hotline.drill.performers import partition_needs
from hotline.drill.plan import Plan


def cannot_simulate(plan: Plan) -> list[str]:
    """Why the simulator cannot play the plan, or not measure what it promises, in sentences; empty if it can."""
    return sorted({*_unplayable(plan), *_unmeasurable(plan)})


def _unplayable(plan: Plan) -> Iterator[str]:
    if plan.topology.witnesses or any(str(getattr(one, "target", "")).startswith("witness-") for one in plan.inject):
        yield "witnesses are not simulated"
    if plan.topology.release:
        yield "release: the charter of a drill in virtual time asks for nobody's signature"
    if plan.topology.parties > len(PARTIES):
        yield "parties: a drill in virtual time has two"
    if plan.topology.alternates:
        yield "alternates: a drill in virtual time has one terminal for each party"
    for inject in plan.inject:
        match inject:
            case Amend():
                yield "amend: the simulator has no charter that could be exchanged"
            case Travel():
                yield "travel: a drill in virtual time has one terminal for each party"
            case Say(unreleased=True) | Say(odd=True):
                yield "unreleased, odd: a drill in virtual time has no terminal whose program was changed"
            case Say(released=True):
                yield "released: the charter of a drill in virtual time asks for nobody's signature"
            case Takeover():
                yield "takeover: a drill in virtual time has one terminal for each party"
            case Flood():
                yield "flood: the simulator has no sockets that strangers could crowd"
            case DiskFault(how="full" | "failing" | "read-only"):
                yield f"disk {inject.how}: a disk of memory can be slow, but its writes do not fail"
            case Thief():
                yield "thief: the simulator has one terminal for each key"
            case Courier():
                yield "courier: the simulator has no files that could be carried"
            case Checklist():
                yield "checklist: the simulator has no commands by which an officer goes through one"
            case Upgrade():
                yield "upgrade: the simulator has one version, in this very process"
            case Roster():
                yield "roster: the simulator has no charter that could be exchanged"
    for partition in (one for one in plan.inject if one.fault == "partition"):
        reason = partition_needs(partition)
        if reason is not None:
            yield reason


def _unmeasurable(plan: Plan) -> Iterator[str]:
    for promise in plan.promise:
        match promise.promise:
            case "growth":
                yield "the promise growth: memory is that of the simulator, not of a daemon"
            case "understood":
                yield "the promise understood: nobody opens a phrase at a screen"
            case "versions":
                yield "the promise versions: the simulator has one version"
            case "exits":
                yield "the promise exits: there are no processes that could end with a code"
