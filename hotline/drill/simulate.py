"""The same drill files in virtual time: `hotline drill run NAME --simulate` (docs/drills.md).

The terminals and relays are the very machines of the daemons; clocks, disks and streams are made of memory
(hotline/drill/simulator). Faults become weather. The journal is that of a real run, so that measures and reports need
not know the difference, and the same drill with the same seed gives the same bytes. It is an approximation of gRPC
(simulator/lines.py), it takes no computing time into account, and its processes start in no time: spans in which
those count are shorter than in life.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from hotline import __version__
from hotline.charter.body import OBJECTIVES
from hotline.civil import iso_utc
from hotline.drill.durations import milliseconds
from hotline.drill.injects import (
    NOT_A_FAULT,
    SAYS,
    Ask,
    Challenge,
    Confirm,
    Fault,
    Lie,
    Presence,
    Read,
    ReplyBy,
    Say,
    Service,
    Shown,
    Translate,
)
from hotline.drill.journal import Journal
from hotline.drill.lies import LyingRelay
from hotline.drill.plan import Drill, Plan, Traffic, said_as
from hotline.drill.runner import Progress
from hotline.drill.scene import Undo, references, serial_of
from hotline.drill.simulator.aftermath import Search, verify_ledgers
from hotline.drill.simulator.faults import FAULTS, Grounds
from hotline.drill.simulator.lines import Line
from hotline.drill.simulator.observer import Observer
from hotline.drill.simulator.officers import OFFICERS, Officers, translation
from hotline.drill.simulator.power import EPOCH_WALL
from hotline.drill.simulator.world import World
from hotline.drill.telling import PEER, entry_of, parts_of, statement_id
from hotline.drill.texts import DIRECTIONS, PRECEDENCES, needles, statement_text
from hotline.errors import HotlineError, LocalError
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import (
    EndpointEvent,
    MarkRead,
    Submit,
)
from hotline.runtime import interrupts

_LOOK_MS: Final = 50
"""How often the steady state is looked for."""
_PROGRESS_MS: Final = 60_000
_NEEDLE_BYTES: Final = 24
_NO_ANSWER: Final = "the terminal did not answer ({}); whether it took the statement is unknown"


# --- playing ----------------------------------------------------------------------------------------------------------


def _silent(at_ms: float, text: str) -> None:
    del at_ms, text


def simulate(drill: Drill, seed: int, journal: Journal, progress: Progress = _silent) -> None:
    """Play `drill`, against which `cannot_simulate` has nothing, and write `journal`, whatever happens.

    KeyboardInterrupt is written down as such and raised again.
    """
    journal.add(
        0,
        "drill",
        plan=drill.plan.model_dump(mode="json", by_alias=True),
        digest=drill.digest,
        seed=seed,
        started=iso_utc(EPOCH_WALL)[:19] + "Z",
        simulated=True,
        # Nothing of this machine: the journal is the same wherever it is made.
        environment={"hotline": __version__, "simulator": "virtual time"},
    )
    try:
        with interrupts.listening():
            Simulation(drill.plan, seed, journal, progress).play()
    except KeyboardInterrupt:
        journal.add(journal.entries[-1]["t"], "end", outcome="interrupted", text="interrupted")
        raise
    except HotlineError as error:
        journal.add(journal.entries[-1]["t"], "end", outcome="aborted", text=str(error))
    finally:
        journal.finish()


class Simulation:
    """One drill in one world."""

    def __init__(self, plan: Plan, seed: int, journal: Journal, progress: Progress) -> None:
        topology = plan.topology
        self.world = World(
            seed,
            topology.relays,
            topology.profile,
            profiles=topology.relay_profiles,
            cable=Line,
            channel_test_ms=topology.channel_test or 0,
            objective_ms=topology.objective_ms or OBJECTIVES,
            ratchets=True,
        )
        self._plan = plan
        self._progress = progress
        self._observer = Observer(self.world, journal, plan.length_ms, self._delivered)
        # As a runner draws: a generator of its own, so that the drill's draws do not depend on the world's.
        rng = random.Random(seed)  # noqa: S311 - a drill is repeatable, not secret
        self._ground = Grounds(self.world, rng, lambda text: self._observer.add("note", text=text), self._failed)
        self._search = Search(self.world, _needles(plan))
        self._zero = 0
        self._due = 0
        self._said = 0
        self._undos: dict[int, Undo] = {}
        self._read_after: dict[tuple[str, str, str], int] = {
            (flow.sender, flow.plane, flow.precedence): flow.read_after
            for flow in plan.traffic
            if flow.read_after is not None
        }
        self._precedences: dict[str, str] = {}
        self._serials: dict[str, int] = {}
        self._officers = Officers(self.world, plan, self._observer, self._serials, self._failed)
        for inject in plan.inject:
            if isinstance(inject, Lie):
                self.world.relays[inject.target].make = LyingRelay
        for name, step in topology.clock_step.items():
            offset = milliseconds(step)
            assert isinstance(offset, int)
            self._ground.node(name).clock_offset = offset

    def play(self) -> None:
        """From the start of the machines to the ledgers. Raises LocalError if the steady state is not reached."""
        world, observer, plan = self.world, self._observer, self._plan
        world.start()
        took = self._reach_steady_state()
        observer.begin()
        self._zero = world.time
        observer.add("steady", holds=took is not None, within_ms=took)
        if took is None:
            raise LocalError(f"the steady state was not reached within {plan.steady.within / 1_000:.0f} s")
        self._progress(0, f"steady state: every path up both ways after {took / 1_000:.1f} s")
        self._play_timeline()
        self._roll_back()
        self._settle()
        observer.close()
        for place in sorted(self._search.found):
            observer.add("plaintext", place=place)
        self._stop_in_order()
        verify_ledgers(world, observer)
        observer.add("end", outcome="ended", text="played to its end")

    def _reach_steady_state(self) -> float | None:
        """Milliseconds until every path was up on both sides and stayed so, or None."""
        since: int | None = None
        while self.world.time < self._plan.steady.within:
            self.world.run_until(self.world.time + _LOOK_MS)
            since = (self.world.time if since is None else since) if self._observer.steady() else None
            if since is not None and self.world.time - since >= self._plan.steady.quiet:
                return float(since)
        return None

    def _play_timeline(self) -> None:
        plan = self._plan
        for flow in plan.traffic:
            self._at(flow.start, partial(self._flow, flow, flow.start))
        for number, inject in enumerate(plan.inject):
            self._at(inject.at, partial(self._begin, number, inject))
        told = _PROGRESS_MS
        while self._due or self._observer.now() < plan.length_ms:
            self.world.run_until(self.world.time + _LOOK_MS)
            if self._observer.now() >= told:
                told += max(_PROGRESS_MS, plan.length_ms // 100)
                self._progress(self._observer.now(), "")

    def _at(self, at: float, action: Callable[[], None]) -> None:
        """At a time of the drill. An action that fails becomes a note."""
        self._due += 1

        def due() -> None:
            self._due -= 1
            self._carefully(action)

        self.world.at(self._zero + round(at), due)

    def _carefully(self, action: Callable[[], None]) -> None:
        try:
            action()
        except LocalError as error:
            self._observer.add("note", text=f"a step of the drill failed: {type(error).__name__}: {error}")
            self._progress(self._observer.now(), f"a step of the drill failed: {error}")

    # --- people ------------------------------------------------------------------------------------------------------

    def _flow(self, flow: Traffic, at: float) -> None:
        self._said += 1
        text = statement_text(flow.sender, self._said, flow.lang, flow.size)
        self._say(flow.sender, text, flow.lang, flow.precedence, flow.plane)
        if at + flow.every < flow.until:
            self._at(at + flow.every, partial(self._flow, flow, at + flow.every))

    def _say_once(self, inject: Say) -> None:
        more = references(inject, self._serials)
        lang, text, given = inject.lang, inject.text, (inject.text, inject.name)
        self._say(inject.sender, text, lang, inject.precedence, inject.plane, inject.valid_for, given, **more)

    def _translate(self, inject: Translate) -> None:
        said, text, sender = said_as(self._plan, inject.statement), inject.text, inject.sender
        assert said is not None  # a plan with such a translation is not loaded
        serial, ours = serial_of(self._serials, inject.statement), said.sender == sender
        event = translation(inject, Plane(said.plane), serial, ours=ours)
        self._say(sender, text, inject.lang, said.precedence, said.plane, given=(text, inject.name), event=event)

    def _say(
        self,
        sender: str,
        text: str,
        lang: str,
        precedence: str,
        plane: str,
        valid: int = 0,
        given: tuple[str, str] = ("", ""),
        event: Callable[[RequestId], EndpointEvent] | None = None,
        **named: Any,
    ) -> None:
        observer, node = self._observer, self.world.endpoints[sender]
        at = observer.now()

        def refused(why: str, code: str = "") -> None:
            observer.add("refused-to-say", at=at, **{"from": sender}, text=why, code=code, label=given[0])

        def answered(reply: Reply) -> None:
            if not reply.ok:
                refused(reply.text, reply.code)
                return
            serial = int(str(reply.fields["serial"]))
            identifier = statement_id(sender, plane, serial)
            self._precedences[identifier] = precedence
            fields = {"id": identifier, "from": sender, "serial": serial, "plane": plane, "precedence": precedence}
            observer.add("said", at=at, **fields, lang=lang, bytes=len(text.encode()), label=given[0])
            self._serials[given[1]] = serial

        if not node.up or node.frozen:
            refused(_NO_ANSWER.format("deadline_exceeded" if node.frozen else "unavailable"))
            return
        event = event or partial(
            Submit,
            plane=Plane(plane),
            precedence=PRECEDENCES[precedence],
            language=lang,
            direction=DIRECTIONS[lang],
            text=text,
            drafter=OFFICERS[sender],
            valid_for_ms=valid,
            **named,
        )
        node.ask(event, answered, partial(refused, _NO_ANSWER.format("unavailable")))

    def _delivered(self, identifier: str) -> None:
        """The other side's officer opens what its flow says is to be read."""
        sender, plane, serial = parts_of(identifier)
        after = self._read_after.get((sender, plane, self._precedences.pop(identifier, "")))
        if after is not None:
            self._at(self._observer.now() + after, partial(self._read, PEER[sender], Plane(plane), serial))

    def _read(self, party: str, plane: Plane, serial: int) -> None:
        node = self.world.endpoints[party]
        if node.up and not node.frozen:
            node.ask(partial(MarkRead, plane=plane, serial=serial, officer=OFFICERS[party]), lambda _: None)

    # --- injects -----------------------------------------------------------------------------------------------------

    def _begin(self, number: int, inject: Fault) -> None:
        fields = entry_of(number, inject)
        self._observer.add("inject", **fields)
        self._progress(self._observer.now(), fields["text"])
        if inject.lasting is not None:
            self._at(inject.at + inject.lasting, partial(self._undo, number))
        try:
            self._bring_about(number, inject, fields)
        except LocalError as error:
            self._failed(inject, str(error))

    def _bring_about(self, number: int, inject: Fault, fields: dict[str, Any]) -> None:
        match inject:
            case Say():
                self._say_once(inject)
            case Service():
                self._say(inject.sender, inject.text, "en", "routine", "service", given=(inject.text, inject.name))
            case Translate():
                self._translate(inject)
            case Presence() | Ask() | Shown() | ReplyBy() | Challenge() | Confirm():
                undo = self._officers.act(inject)
                if undo is not None:
                    self._undos[number] = undo
            case Read():
                machine = self.world.endpoints[inject.target].machine
                for plane in Plane:
                    for serial in sorted(machine.context.unread[plane]) if machine is not None else ():
                        self._read(inject.target, plane, serial)
            case _:
                undo = FAULTS[inject.fault](inject, self._ground)
                if undo is not None:
                    self._undos[number] = undo
                elif not isinstance(inject, NOT_A_FAULT):
                    self._over(fields)

    def _failed(self, inject: Fault, why: str) -> None:
        number = next(n for n, one in enumerate(self._plan.inject) if one is inject)
        self._observer.add("inject-failed", **{**entry_of(number, inject), "text": why})
        self._progress(self._observer.now(), f"could not be brought about: {inject.name}: {why}")

    def _undo(self, number: int) -> None:
        undo = self._undos.pop(number, None)
        if undo is not None:
            undo()
            self._over(entry_of(number, self._plan.inject[number]))

    def _over(self, fields: dict[str, Any]) -> None:
        self._observer.add("undo", **fields)
        self._observer.fault_ended()
        self._progress(self._observer.now(), f"over: {fields['text']}")

    def _roll_back(self) -> None:
        for number in sorted(self._undos, reverse=True):
            self._carefully(partial(self._undo, number))
        for node in self.world.nodes:
            self._ground.bring_back(node.name)

    # --- afterwards --------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Until nothing waits any more and every path is up, at most as long as the plan says."""
        self._observer.fault_ended()
        end = self.world.time + self._plan.settle
        while self.world.time < end:
            if self._observer.settled():
                return
            self.world.run_until(self.world.time + _LOOK_MS)
        self._observer.add("note", text="not everything had settled within the time that the plan allows")

    def _stop_in_order(self) -> None:
        for node in self.world.nodes:
            node.stop()
            while node.up:
                self.world.run_until(self.world.time + 1)
            self._observer.add("exit", process=node.name, code=0, asked=True)


def _needles(plan: Plan) -> set[bytes]:
    wanted = {needles(flow.lang) for flow in plan.traffic}
    return wanted | {one.text.encode()[:_NEEDLE_BYTES] for one in plan.inject if isinstance(one, SAYS)}
