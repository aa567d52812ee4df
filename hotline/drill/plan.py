"""A drill as its planner writes it: one TOML file, checked whole before anything is started (docs/drills.md).

`load_plan` gives every error at once, with the file and the key. The hash of the file's bytes names the drill in its
report: two reports with one hash speak of the same drill.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from hotline.config import Settings, load_toml
from hotline.drill import phrases
from hotline.drill.durations import Span
from hotline.drill.injects import (
    Amend,
    Challenge,
    Checklist,
    Confirm,
    Fault,
    LinkFault,
    Partition,
    Party,
    Plane,
    Precedence,
    Presence,
    ReplyBy,
    Say,
    Service,
    Shown,
    Swizzle,
    Takeover,
    Translate,
    Travel,
)
from hotline.drill.promises import (
    Answered,
    Corrected,
    Entered,
    Exits,
    Growth,
    Heard,
    InForce,
    NotTaken,
    Promise,
    Rung,
    Speaks,
    StaysOut,
    Understood,
)
from hotline.drill.several import by_all, sides_of, wrong_among
from hotline.drill.topology import Topology
from hotline.errors import ConfigError
from hotline.files import read_public

PLAN_BYTES_MAX: Final = 262_144


class Steady(Settings):
    """What must hold before the first fault: every path up on both sides. If it does not, the drill is aborted."""

    within: Span = 20_000
    quiet: Span = 500
    """How long it must go on holding."""


WAITS_OVER_MS: Final = 120_000
WAITS_EVERY_MS: Final = 2_000
"""A drill longer than the first that says no more than a statement in the second is played beside others."""


class Traffic(Settings):
    """Statements said at a steady pace, until nothing is injected any more or for `count` of them."""

    sender: Party = Field(alias="from")
    terminal: Literal["main", "alt"] = "main"
    """At which of its terminals."""
    precedence: Precedence = "routine"
    every: Span
    start: Span = 0
    until: Span
    size: int = Field(default=500, ge=24, le=32_000)
    """Bytes of text."""
    lang: Literal["en", "ur", "hi"] = "en"
    read_after: Span | None = None
    """The other side's duty officer opens each statement this long after it is shown."""
    plane: Plane = "exercise"


class Sabotage(Settings):
    """A weakness under which promises of this drill must break: how it is known that the drill can fail."""

    weakness: str = Field(min_length=1, max_length=40)
    breaks: list[str] = Field(min_length=1)
    hinders: list[str] = Field(default_factory=list)  # labels of injects that cannot be brought about under it


class Plan(Settings):
    """One drill."""

    drill: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,39}$")
    title: str = Field(min_length=1, max_length=120)
    story: str = Field(min_length=1, max_length=2_000)
    source: str = Field(min_length=1, max_length=400)
    incident: str = Field(default="", pattern=r"^(D[0-9]{2})?$")
    """Number of the historical incident that it re-enacts."""
    tags: list[
        Literal["quick", "path", "relay", "terminal", "link", "disk", "clock", "hostile", "procedure", "slow"]
    ] = Field(min_length=1)
    topology: Topology = Topology()
    steady: Steady = Steady()
    traffic: list[Traffic] = Field(default_factory=list)
    inject: list[Fault] = Field(default_factory=list)
    settle: Span = 20_000
    """Longest wait after the last inject and statement until everything accepted is settled and the state is steady."""
    promise: list[Promise] = Field(min_length=1)
    sabotage: list[Sabotage] = Field(default_factory=list)

    @property
    def length_ms(self) -> int:
        """When the last inject is done and the last statement said, after the steady state."""
        ends = [item.at + (item.lasting or 0) for item in self.inject]
        return max([*ends, *(flow.until for flow in self.traffic)], default=0)

    @property
    def waits(self) -> bool:
        """Whether it is long and mostly waits, so that it takes next to nothing of the machine: see WAITS_OVER_MS."""
        said = sum((flow.until - flow.start) / flow.every for flow in self.traffic)
        return self.length_ms > WAITS_OVER_MS and said * WAITS_EVERY_MS <= self.length_ms and not self.floods

    @property
    def floods(self) -> bool:
        """Whether it loads the machine on purpose: another drill beside it would be late for that."""
        return any(item.fault == "flood" for item in self.inject)


@dataclass(frozen=True, slots=True)
class Drill:
    """A checked plan and the name of its bytes."""

    plan: Plan
    digest: str
    """SHA-256 of the file, hex."""
    path: Path


def load_plan(path: Path) -> Drill:
    """Read and check a drill. Raises ConfigError with every problem."""
    plan = load_toml(path, Plan, {})
    wrong = list(_contradictions(plan))
    if path.stem != plan.name:
        wrong.append(f"name: {plan.name!r} is not the name of the file, {path.stem!r}")
    if wrong:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in wrong))
    injects = [phrases.said(one) if isinstance(one, Say) else one for one in plan.inject]
    judged = [by_all(one, plan.topology.capitals) for one in plan.promise]
    plan = plan.model_copy(update={"inject": injects, "promise": judged})
    return Drill(plan, hashlib.sha256(read_public(path, PLAN_BYTES_MAX)).hexdigest(), path)


def _contradictions(plan: Plan) -> Iterator[str]:
    """What no single field can tell."""
    relays = [f"relay-{number}" for number in range(1, plan.topology.relays + 1)]
    witnesses = [f"witness-{number}" for number in range(1, plan.topology.witnesses + 1)]
    here = {*plan.topology.capitals, *relays, *witnesses}
    here |= {one.joins for one in plan.inject if isinstance(one, Amend)}
    here |= {f"{party}-alt" for party in plan.topology.alternates}
    names = {inject.name for inject in plan.inject}
    has = [key for key in ("alternates", "release", "travels", "witnesses") if getattr(plan.topology, key)]
    yield from wrong_among(plan.topology.parties, has, plan.inject)
    for party in set(plan.topology.travels) - set(plan.topology.alternates):
        yield f"topology.travels: {party} has no alternate that could"
    for place, process in _named(plan):
        if process not in here:
            yield f"{place}: {process} is not staged: the topology has {', '.join(sorted(here))}"
    for number, inject in enumerate(plan.inject):
        if inject.fault == "freeze" and inject.lasting is None:
            yield f"inject.{number}.for: is missing: say for how long it stays frozen"
        if inject.fault == "restore" and not any(
            other.fault == "backup" and other.target == inject.target and other.at <= inject.at for other in plan.inject
        ):
            yield f"inject.{number}: there is no backup of {inject.target} before it"
        if isinstance(inject, Amend):
            before = [one.joins for one in plan.inject[:number] if isinstance(one, Amend)]
            if inject.joins in (*relays, *before):
                yield f"inject.{number}.joins: {inject.joins} is there already"
        if isinstance(inject, Travel):
            yield from _wrong_journey(plan, number, inject)
        yield from _wrong_rung(plan, number, inject)
        yield from _wrong_doubt(plan, number, inject)
        if isinstance(inject, Say):
            yield from _wrong_reference(plan, number, inject)
            yield from _wrong_release(plan, number, inject)
            yield from _wrong_phrase(plan, number, inject)
    for number, promise in enumerate(plan.promise):
        fault = getattr(promise, "fault", None)
        if fault is not None and fault not in names:
            yield f"promise.{number}.fault: there is no inject {fault!r}; there is {', '.join(sorted(names)) or 'none'}"
        yield from _wrong_kind(plan, number, promise)
    kinds = {promise.promise for promise in plan.promise}
    for number, sabotage in enumerate(plan.sabotage):
        for broken in sabotage.breaks:
            if broken not in kinds:
                yield f"sabotage.{number}.breaks: the drill does not promise {broken!r}"
        for label in sabotage.hinders:
            if label not in names:
                yield f"sabotage.{number}.hinders: there is no inject {label!r}"
    for number, flow in enumerate(plan.traffic):
        if flow.until <= flow.start:
            yield f"traffic.{number}.until: is not after its start"
        if flow.every == 0:
            yield f"traffic.{number}.every: is no pace"


_OF_OFFICERS: Final = (
    Answered, Corrected, Entered, Heard, InForce, NotTaken, Rung, Speaks, StaysOut, Understood
)  # fmt: skip


def _wrong_kind(plan: Plan, number: int, promise: Promise) -> Iterator[str]:
    """A promise about what officers say that names something else."""
    if isinstance(promise, _OF_OFFICERS):
        for inject in (one for one in plan.inject if one.name == promise.fault):
            if isinstance(promise, Heard) and not isinstance(inject, Presence):
                yield f"promise.{number}.fault: {promise.fault} is no word of presence"
            if isinstance(promise, Rung) and not rung_of(inject) and not isinstance(inject, Service | Translate):
                yield f"promise.{number}.fault: {promise.fault} says nothing of a statement of the other side"
            if isinstance(promise, Understood) and not (isinstance(inject, Say) and inject.phrase):
                yield f"promise.{number}.fault: {promise.fault} says no phrase"
            if isinstance(promise, Answered) and not isinstance(inject, Challenge):
                yield f"promise.{number}.fault: {promise.fault} challenges nothing"
            if isinstance(promise, Entered) and not isinstance(inject, Checklist):
                yield f"promise.{number}.fault: {promise.fault} is no checklist"
            if isinstance(promise, NotTaken) and not isinstance(inject, Say):
                yield f"promise.{number}.fault: {promise.fault} says nothing"
            if isinstance(promise, InForce) and not isinstance(inject, Amend | Travel):
                yield f"promise.{number}.fault: {promise.fault} amends nothing"
            if isinstance(promise, StaysOut) and not isinstance(inject, Travel):
                yield f"promise.{number}.fault: {promise.fault} activates no terminal"
            if isinstance(promise, Speaks) and not isinstance(inject, Takeover) and not promise.terminal:
                yield f"promise.{number}.fault: {promise.fault} lets no terminal speak"
            if isinstance(promise, Corrected) and not (
                isinstance(inject, Say) and (inject.corrects or inject.retracts)
            ):
                yield f"promise.{number}.fault: {promise.fault} corrects and retracts nothing"


def _wrong_journey(plan: Plan, number: int, inject: Travel) -> Iterator[str]:
    if inject.target not in [f"{party}-alt" for party in plan.topology.travels]:
        yield f"inject.{number}.target: {inject.target} does not travel: name its party in topology.travels"
    if inject.lasting is None:
        yield f"inject.{number}.for: is missing: say for how long it is a part of the hotline"


def _wrong_reference(plan: Plan, number: int, inject: Say) -> Iterator[str]:
    if inject.corrects and inject.retracts:
        yield f"inject.{number}: corrects or retracts, not both"
    for name in filter(None, (inject.corrects, inject.retracts)):
        said = [
            other
            for other in plan.inject
            if isinstance(other, Say) and (other.name, other.sender, other.plane) == (name, inject.sender, inject.plane)
        ]
        if len(said) != 1 or said[0].at >= inject.at:
            yield f"inject.{number}: before it, {inject.sender} says nothing {name!r} on this plane, or several things"


def _wrong_doubt(plan: Plan, number: int, inject: Fault) -> Iterator[str]:
    if isinstance(inject, Challenge):
        said = said_as(plan, inject.statement)
        if said is None or said.at >= inject.at:
            yield f"inject.{number}: before it, nobody says {inject.statement!r}, or several things are called so"
    if isinstance(inject, Translate):
        said = said_as(plan, inject.statement)
        if said is None or said.at >= inject.at:
            yield f"inject.{number}: before it, nobody says {inject.statement!r}, or several things are called so"
        elif (inject.grade == "courtesy") != (said.sender == inject.sender):
            yield f"inject.{number}.grade: courtesy is for one's own statement, and nothing else is"
        elif inject.lang == said.lang:
            yield f"inject.{number}.lang: {inject.statement} is in {said.lang} already"
    if isinstance(inject, Confirm) and not any(
        isinstance(one, Challenge) and one.sender != inject.sender and one.at < inject.at for one in plan.inject
    ):
        yield f"inject.{number}: before it, the other side challenges nothing"


def _wrong_phrase(plan: Plan, number: int, inject: Say) -> Iterator[str]:
    yield from (f"inject.{number}.{key}: {why}" for key, why in phrases.problems(inject))
    for label in phrases.labels(inject):
        named = said_as(plan, label)
        if named is None or named.at >= inject.at:
            yield f"inject.{number}.fill: before it, nobody says {label!r}, or several things are called so"


def _wrong_release(plan: Plan, number: int, inject: Say) -> Iterator[str]:
    for key in (key for key in ("unreleased", "released") if getattr(inject, key)):
        if not (plan.topology.release and inject.plane == "real"):
            yield f"inject.{number}.{key}: nobody's release is asked for: set topology.release, and plane to real"
    if inject.unreleased + inject.released + inject.odd > 1:
        yield f"inject.{number}: released, unreleased or odd: one of them"
    if "signers" in inject.model_fields_set and not inject.released:
        yield f"inject.{number}.signers: there is no draft to sign: set released"
    if len(set(inject.signers)) != len(inject.signers):
        yield f"inject.{number}.signers: nobody signs twice"


def rung_of(inject: Fault) -> str:
    """Label of the statement of the other side that an inject is about; empty for none."""
    match inject:
        case Say():
            return inject.answers
        case Shown() | ReplyBy():
            return inject.statement
        case _:
            return ""


def said_as(plan: Plan, label: str) -> Say | None:
    """The one statement of the plan with this label."""
    found = [one for one in plan.inject if isinstance(one, Say) and one.name == label]
    return found[0] if len(found) == 1 else None


def _wrong_rung(plan: Plan, number: int, inject: Fault) -> Iterator[str]:
    label = rung_of(inject)
    if label:
        said, sender = said_as(plan, label), getattr(inject, "sender", "")
        plane = inject.plane if isinstance(inject, Say) else getattr(said, "plane", "")
        if said is None or said.sender == sender or said.plane != plane or said.at >= inject.at:
            yield f"inject.{number}: before it, the other side says nothing {label!r} on this plane, or several things"


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    """(place in the file, process) for every process that the plan names."""
    yield from ((f"topology.relay_profiles.{relay}", relay) for relay in plan.topology.relay_profiles)
    yield from ((f"topology.clock_step.{process}", process) for process in plan.topology.clock_step)
    yield from (("topology.links", end) for link in plan.topology.links for end in _ends(link))
    for number, inject in enumerate(plan.inject):
        match inject:
            case LinkFault() | Swizzle():
                yield from ((f"inject.{number}.links", end) for link in inject.links for end in _ends(link))
            case Partition():
                yield from ((f"inject.{number}.between", name) for side in inject.between for name in side)
            case Amend():
                yield f"inject.{number}.leaves", inject.leaves
            case Say():
                yield f"inject.{number}.{_where(inject)}", speaker(inject)
            case _ if hasattr(inject, "sender"):
                yield f"inject.{number}.from", inject.sender
            case _ if hasattr(inject, "target"):
                yield f"inject.{number}.target", inject.target
    yield from ((f"traffic.{number}.{_where(flow)}", speaker(flow)) for number, flow in enumerate(plan.traffic))
    for number, promise in enumerate(plan.promise):
        yield from ((f"promise.{number}.by", party) for party in sides_of(promise))
        if isinstance(promise, Exits | Growth):
            yield f"promise.{number}.target", promise.target
        if isinstance(promise, Speaks) and promise.terminal:
            yield f"promise.{number}.terminal", promise.terminal


def speaker(one: Say | Traffic) -> str:
    """The process of the terminal at which something is said."""
    return one.sender if one.terminal == "main" else f"{one.sender}-{one.terminal}"


def _where(one: Say | Traffic) -> str:
    return "from" if one.terminal == "main" else "terminal"


def _ends(link: str) -> list[str]:
    return [end for end in link.split("/") if end != "*"]


def library() -> list[Path]:
    """The drills that come with the program, by name."""
    with resources.as_file(resources.files("hotline.drill") / "library") as folder:
        return sorted(folder.glob("*.toml"))


def find_plan(given: str) -> Drill:
    """A drill by its name in the library, or by the path of a file. Raises ConfigError."""
    for path in library():
        if path.stem == given:
            return load_plan(path)
    path = Path(given)
    if path.suffix == ".toml" or path.exists():
        return load_plan(path)
    near = difflib.get_close_matches(given, [path.stem for path in library()], 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"there is no drill {given!r}{hint}\n`hotline drill list` shows those there are; your own is named by its path"
    )
