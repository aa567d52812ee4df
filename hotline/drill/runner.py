"""Runs one drill on real processes: stage, steady state, timeline, roll-back, settling, ledgers.

The timeline is kept by one thread; what takes time (a start, a call to a daemon that may be frozen) is done by others,
so that nothing is late because something else is slow. Whatever happens, Ctrl-C included, what was started is ended.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import platform
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from hotline import __version__
from hotline.drill import faults
from hotline.drill.aftermath import look_for_plaintext, stop_everyone, verify_ledgers
from hotline.drill.desk import Said
from hotline.drill.durations import spoken
from hotline.drill.injects import NOT_A_FAULT, Fault, Read, Say, Service, Translate
from hotline.drill.installation import Installation
from hotline.drill.journal import Journal, of_kind
from hotline.drill.plan import Drill, Traffic, said_as, speaker
from hotline.drill.processes import bring_back
from hotline.drill.recorder import Recorder
from hotline.drill.releases import signers_of
from hotline.drill.scene import PERFORMERS, Other, Scene, Undo, references, serial_of
from hotline.drill.staging import installed, staged
from hotline.drill.standstills import Watch
from hotline.drill.telling import at_terminal, entry_of, parts_of, party_of, reader_of, senders, statement_id, why_not
from hotline.drill.texts import statement_text
from hotline.errors import HotlineError, LocalError
from hotline.runtime import interrupts

_HANDS: Final = 12
_SETTLE_POLL: Final = 0.05
_LOOK_AGAIN: Final = 250.0
"""Milliseconds after which the timeline looks at the time limit again."""

Progress = Callable[[float, str], None]
"""Called with milliseconds of the drill and a line for people."""


class DrillAborted(LocalError):
    """The drill could not be played to its end, and says nothing about its promises."""


class Run:
    """One drill on one staged hotline."""

    def __init__(self, drill: Drill, scene: Scene, recorder: Recorder, seed: int, progress: Progress) -> None:
        self._drill = drill
        self._plan = drill.plan
        self._scene = scene
        self._recorder = recorder
        self._progress = progress
        self._rng = random.Random(seed)  # noqa: S311 - a drill is repeatable, not secret
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._numbers = itertools.count(1)
        self._undos: dict[int, Undo] = {}
        self._read_after: dict[tuple[str, str, str], int] = {
            (flow.sender, flow.plane, flow.precedence): flow.read_after
            for flow in self._plan.traffic
            if flow.read_after is not None
        }
        self._precedences: dict[str, str] = {}
        self._serials = scene.said
        self._performed: dict[int, Future[None]] = {}
        self._changed = threading.Condition()
        self._busy = 0
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="hand")
        recorder.on_delivered = self._delivered
        scene.failed = self._failed

    # --- the timeline ------------------------------------------------------------------------------------------------

    def play(self, deadline: float) -> None:
        """The whole timeline and the roll-back. Raises DrillAborted at the monotonic time `deadline`."""
        for flow in self._plan.traffic:
            self._at(flow.start, lambda flow=flow: self._flow(flow, flow.start))  # type: ignore[misc]
        for number, inject in enumerate(self._plan.inject):
            self._at(inject.at, lambda n=number, one=inject: self._begin(n, one))  # type: ignore[misc]
        with interrupts.whole():
            try:
                while (action := self._next(deadline)) is not None:
                    action()
            except BaseException:
                self._tell("given up: what was done is being undone")
                # What a hand is just doing must be done, or nobody would undo it.
                self._scene.stage.give_up()
                self.close()
                raise
            finally:
                self._roll_back()

    def _at(self, at: float, action: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._agenda, (at, next(self._order), action))
            self._changed.notify()

    def _due(self) -> Callable[[], None] | None:
        """What is due now, taken off the agenda."""
        with self._changed:
            if self._agenda and self._agenda[0][0] <= self._recorder.now():
                return heapq.heappop(self._agenda)[2]
            return None

    def _next(self, deadline: float) -> Callable[[], None] | None:
        """What is due, waited for; None when the plan is played and no hand is busy. Raises DrillAborted."""
        while True:
            interrupts.look()
            if time.monotonic() > deadline:
                raise DrillAborted("the time limit was reached before the end of the timeline")
            with self._changed:
                now = self._recorder.now()
                if (due := self._due()) is not None:
                    return due
                if not self._agenda and not self._busy and now >= self._plan.length_ms:
                    return None
                at = self._agenda[0][0] if self._agenda else now + _LOOK_AGAIN
                self._changed.wait(max(0.0, min(at - now, _LOOK_AGAIN)) / 1_000)

    def _do(self, work: Callable[..., object], *arguments: object) -> Future[None]:
        with self._changed:
            self._busy += 1
        return self._hands.submit(self._hand, work, *arguments)

    def _hand(self, work: Callable[..., object], *arguments: object) -> None:
        try:
            self._carefully(work, *arguments)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def _carefully(self, work: Callable[..., object], *arguments: object) -> None:
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost; here the journal has it
            self._recorder.add("note", text=f"a step of the drill failed: {type(error).__name__}: {error}")
            self._tell(f"a step of the drill failed: {error}")

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):  # whoever looked on has gone
            self._progress(self._recorder.now(), text)

    # --- people ------------------------------------------------------------------------------------------------------

    def _flow(self, flow: Traffic, at: float) -> None:
        self._do(self._say_of, flow)
        if at + flow.every < flow.until:
            self._at(at + flow.every, lambda: self._flow(flow, at + flow.every))

    def _say_of(self, flow: Traffic) -> None:
        text = statement_text(flow.sender, next(self._numbers), flow.lang, flow.size)
        self._say(speaker(flow), text, flow.lang, flow.precedence, flow.plane)

    def _say_once(self, inject: Say) -> None:
        more = references(inject, self._serials)
        if inject.released:
            more["signers"] = signers_of(inject, self._scene)
        lang, text = inject.lang, inject.text
        at = speaker(inject)
        serial = self._say(at, text, lang, inject.precedence, inject.plane, inject.valid_for, text, **more)
        self._serials[inject.name] = serial

    def _translate(self, inject: Translate) -> None:
        said, serial = said_as(self._plan, inject.statement), serial_of(self._serials, inject.statement)
        assert said is not None  # a plan with such a translation is not loaded
        desk, sent, text = self._recorder.desks[inject.sender], said.sender == inject.sender, inject.text
        how = partial(desk.translate, inject, said.plane, serial, sent=sent)
        self._say(inject.sender, text, inject.lang, said.precedence, said.plane, label=text, how=how)

    def _say(
        self,
        terminal: str,
        text: str,
        lang: str,
        precedence: str,
        plane: str,
        valid: int = 0,
        label: str = "",
        how: Callable[[], Said] | None = None,
        **named: Any,
    ) -> int:
        """The serial, 0 if it was not accepted."""
        recorder, sender = self._recorder, party_of(terminal)
        at = recorder.now()
        said = recorder.at(terminal)[0].say(text, lang, precedence, plane, valid, **named) if how is None else how()
        if not said.serial:
            told = {"text": said.text, "code": said.code, "label": label}
            recorder.add("refused-to-say", at=at, **{"from": sender}, **told, **at_terminal(terminal))
            return 0
        fields = {"from": sender, "serial": said.serial, "plane": plane, "precedence": precedence, "lang": lang}
        for name in senders(sender, self._plan.topology.capitals):
            identifier = statement_id(name, plane, said.serial)
            self._precedences[identifier] = precedence
            size, where = len(text.encode()), at_terminal(terminal)
            recorder.add("said", at=at, id=identifier, **fields, bytes=size, label=label, **where)
            stages = of_kind(recorder.journal.entries, "stage")
            if any(e["id"] == identifier and e["stage"] == "delivered" for e in stages):
                self._delivered(identifier)
        return said.serial

    def _delivered(self, identifier: str) -> None:
        """The other side's officer opens what its flow says is to be read."""
        sender, plane, serial = parts_of(identifier)
        after = self._read_after.get((sender.partition(":")[0], plane, self._precedences.get(identifier, "")))
        if after is not None and self._precedences.pop(identifier, None) is not None:
            desk = self._recorder.desks[reader_of(sender)]
            self._at(self._recorder.now() + after, lambda: void(self._do(desk.read, plane, serial)))

    # --- injects -----------------------------------------------------------------------------------------------------

    def _begin(self, number: int, inject: Fault) -> None:
        self._performed[number] = self._do(self._inject, number, inject)
        if inject.lasting is not None:
            self._at(inject.at + inject.lasting, lambda: void(self._do(self._undo, number)))

    def _inject(self, number: int, inject: Fault) -> None:
        fields = entry_of(number, inject)
        self._recorder.add("inject", **fields)
        self._tell(fields["text"])
        try:
            self._bring_about(number, inject, fields)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost; here the judge hears of it
            self._failed(inject, why_not(error))

    def _bring_about(self, number: int, inject: Fault, fields: dict[str, Any]) -> None:
        match inject:
            case Say():
                self._say_once(inject)
            case Service():
                self._say(inject.sender, inject.text, "en", "routine", "service", label=inject.text)
            case Translate():
                self._translate(inject)
            case Read():
                for desk in self._recorder.at(inject.target):
                    for plane, serial in desk.unread():
                        desk.read(plane, serial)
            case _:
                undo = PERFORMERS[inject.fault](inject, self._scene)
                if undo is not None:
                    self._undos[number] = undo
                elif not isinstance(inject, NOT_A_FAULT):
                    self._over(fields)

    def _failed(self, inject: Fault, why: str) -> None:
        number = next(n for n, one in enumerate(self._plan.inject) if one is inject)
        self._recorder.add("inject-failed", **{**entry_of(number, inject), "text": why})
        self._tell(f"could not be brought about: {inject.name}: {why}")

    def _undo(self, number: int) -> None:
        performed = self._performed.get(number)
        if performed is not None:
            performed.result()
        undo = self._undos.pop(number, None)
        if undo is not None:
            undo()
            if not self._scene.stage.given_up:
                self._over(entry_of(number, self._plan.inject[number]))

    def _over(self, fields: dict[str, Any]) -> None:
        self._recorder.add("undo", **fields)
        self._recorder.fault_ended()
        self._tell(f"over: {fields['text']}")

    def _roll_back(self) -> None:
        for number in sorted(self._undos, reverse=True):
            self._carefully(self._undo, number)
        for name in self._scene.stage.names():
            self._carefully(bring_back, self._scene, name)

    # --- afterwards --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until nothing waits any more and every path is up, at most as long as the plan says.

        What was delivered late is still read when its time comes.
        """
        self._recorder.fault_ended()
        end = time.monotonic() + self._plan.settle / 1_000
        with interrupts.whole():
            while time.monotonic() < end:
                interrupts.look()
                if (due := self._due()) is not None:
                    due()
                elif self._recorder.settled() and not self._agenda and not self._busy:
                    return
                else:
                    time.sleep(_SETTLE_POLL)
        self._recorder.add("note", text="not everything had settled within the time that the plan allows")

    def close(self) -> None:
        """Wait for what is still being done; nothing more will be."""
        with interrupts.whole():
            self._hands.shutdown(wait=True, cancel_futures=True)


def void(_: object) -> None:
    """For actions whose result nobody wants."""


def run_drill(
    drill: Drill,
    seed: int,
    folder: Path,
    journal: Journal,
    progress: Progress,
    time_limit: float = 3_600.0,
    system: Path | None = None,
    other: Other | None = None,
) -> None:
    """Play `drill` on processes staged under `folder`, or on those of the file `system`; write `journal` in any case.

    Injects may start processes from the installation `other`. `time_limit` is in seconds. KeyboardInterrupt is written
    down as such and raised again.
    """
    faults.register()
    deadline = time.monotonic() + time_limit
    journal.add(
        0,
        "drill",
        plan=drill.plan.model_dump(mode="json", by_alias=True),
        digest=drill.digest,
        seed=seed,
        started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        simulated=False,
        environment=_environment(other),
    )
    try:
        making = (
            staged(drill.plan, folder, seed, other) if system is None else installed(drill.plan, system, folder, seed)
        )
        with interrupts.listening(), making as scene:
            _played(drill, scene, seed, journal, progress, deadline)
    except KeyboardInterrupt:
        what = "everything was ended" if system is None else "what had been done to it was undone"
        journal.add(journal.entries[-1]["t"], "end", outcome="interrupted", text=f"interrupted; {what}")
        raise
    except HotlineError as error:
        journal.add(journal.entries[-1]["t"], "end", outcome="aborted", text=str(error))
    finally:
        journal.finish()


def _environment(other: Other | None) -> dict[str, str]:
    here = {"hotline": __version__, "python": platform.python_version(), "system": platform.platform()}
    return here | ({} if other is None else {"other": other.version})


def _played(drill: Drill, scene: Scene, seed: int, journal: Journal, progress: Progress, deadline: float) -> None:
    plan, stage = drill.plan, scene.stage
    recorder = Recorder(journal, stage, plan.topology.relays, plan.topology.capitals)
    scene.note = lambda text: recorder.add("note", text=text)
    scene.record = recorder.add
    scene.desks = recorder.desks
    with contextlib.ExitStack() as until:
        until.callback(recorder.close)
        took = recorder.reach_steady(plan.steady.within, plan.steady.quiet)
        recorder.begin()
        until.enter_context(Watch(scene.folder, partial(_stood_still, recorder, progress)))
        recorder.add("steady", holds=took is not None, within_ms=took)
        if took is None:
            within = f"{plan.steady.within / 1_000:.0f} s"
            raise DrillAborted(f"the steady state was not reached within {within}: {recorder.unsteady()}")
        progress(0, f"steady state: every path up both ways after {took / 1_000:.1f} s")
        run = Run(drill, scene, recorder, seed, progress)
        try:
            run.play(deadline)
            run.settle()
        finally:
            run.close()
        recorder.reconcile()
    if isinstance(stage, Installation):
        stores = {name: store for name, store in stage.stores.items() if store is not None}
    else:
        look_for_plaintext(plan, stage, recorder)
        stop_everyone(stage, recorder)
        stores = {terminal.process: terminal.folder / "store" for terminal in stage.terminals}
    verify_ledgers(plan, stage.rehearsal.charter, stores, recorder)
    recorder.add("end", outcome="ended", text="played to its end")


def _stood_still(recorder: Recorder, progress: Progress, what: str, ms: float) -> None:
    recorder.add("standstill", at=recorder.now() - ms, what=what, ms=round(ms, 1))
    progress(recorder.now(), f"the {what} of this machine stood still for {spoken(ms)}")
