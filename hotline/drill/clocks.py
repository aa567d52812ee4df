"""Wrong wall clocks for one process at a time, by libfaketime; its monotonic clock stays as it is.

The process is started with the library between it and the C library. What its clock shows beside the true one stands
in a file that the library reads at each look at the clock. A drift is made of many small steps, each of two
milliseconds at most: the library's own factor would also stretch the timeouts of select and epoll.
"""

from __future__ import annotations

import glob
import itertools
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final

from hotline.drill.durations import milliseconds
from hotline.drill.injects import Clock
from hotline.drill.plan import Plan
from hotline.drill.scene import NEEDS, PERFORMERS, PLAN_NEEDS, PREPARERS, Scene, Undo
from hotline.errors import LocalError

_LIBRARY: Final = "faketime/libfaketimeMT.so.1"
_PLACES: Final = (
    "/usr/lib/*-linux-gnu*/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/local/lib/",
    "/usr/local/lib/*-linux-gnu*/",
)
_DRIFT_SECONDS: Final = 0.02
LACKING: Final = "libfaketime is not installed, so that no clock can be made wrong: apt install faketime"


def library() -> Path | None:
    """Where libfaketime is, by the places where distributions put it; None if it is nowhere."""
    found = (Path(name) for place in _PLACES for name in sorted(glob.glob(place + _LIBRARY)))  # noqa: PTH207
    return next(found, None)


class WallClock:
    """What the clock of one process shows beside the true one: a sum of parts, each of which may be taken back."""

    def __init__(self, path: Path, wrong_by_ms: int = 0) -> None:
        self.path = path
        self._parts: dict[int, float] = {0: wrong_by_ms}
        self._marks = itertools.count(1)
        self._lock = threading.Lock()
        self._write()

    def add(self, part_ms: float) -> int:
        """One more part; the number that comes back names it."""
        with self._lock:
            mark = next(self._marks)
            self._parts[mark] = part_ms
            self._write()
        return mark

    def change(self, mark: int, part_ms: float) -> None:
        """Another value for a part; nothing if it was taken back."""
        with self._lock:
            if mark in self._parts:
                self._parts[mark] = part_ms
                self._write()

    def take_back(self, mark: int) -> None:
        """Without this part; nothing if it was taken back before."""
        with self._lock:
            if self._parts.pop(mark, None) is not None:
                self._write()

    def _write(self) -> None:
        # Replaced as a whole: half a number read at the wrong moment would be another fault.
        draft = self.path.with_suffix(".draft")
        draft.write_text(f"{sum(self._parts.values()) / 1_000:+.6f}\n")
        draft.replace(self.path)


class _Drift:
    """A clock that runs off, in a thread of its own."""

    def __init__(self, clock: WallClock, per_thousand: int) -> None:
        self._clock = clock
        self._rate = per_thousand / 1_000
        self._mark = clock.add(0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._over.wait(_DRIFT_SECONDS):
            self._clock.change(self._mark, (time.monotonic() - begun) * 1_000 * self._rate)

    def end(self) -> None:
        """The clock is right again."""
        self._over.set()
        self._thread.join()
        self._clock.take_back(self._mark)


def _wrong_from_the_start(plan: Plan) -> dict[str, int]:
    return {party: int(str(milliseconds(step))) for party, step in plan.topology.clock_step.items()}


def clock_needs(inject: Clock) -> str | None:
    """Why no clock can be made wrong here; None if it can."""
    del inject
    return LACKING if library() is None else None


def topology_needs(plan: Plan) -> str | None:
    """The same for clocks that are wrong from the start."""
    return LACKING if plan.topology.clock_step and library() is None else None


def prepare(scene: Scene) -> None:
    """Processes whose clock is or will be wrong are started with the library. Raises LocalError without it."""
    wrong = _wrong_from_the_start(scene.plan)
    names = {inject.target for inject in scene.plan.inject if isinstance(inject, Clock)} | set(wrong)
    if not names:
        return
    preloaded = library()
    if preloaded is None:
        raise LocalError(LACKING)
    for name in sorted(names):
        clock = WallClock(scene.folder / f"{name}.clock", wrong.get(name, 0))
        scene.kept[f"clock of {name}"] = clock
        scene.stage.environment.setdefault(name, {}).update(variables(preloaded, clock))


def variables(preloaded: Path, clock: WallClock) -> dict[str, str]:
    """What a process must be started with to have this clock."""
    return {
        "LD_PRELOAD": str(preloaded),
        "FAKETIME_TIMESTAMP_FILE": str(clock.path),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
        # The library's cure for waits that hang makes those of gRPC's threads return at once, again and again: the
        # process would be busy with nothing, and the drill would accuse the hotline of being slow.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def clock(inject: Clock, scene: Scene) -> Undo:
    """The clock steps, runs off, or both; undone, it shows what it would have shown.

    Raises LocalError if the process was not started with the library.
    """
    found: WallClock | None = scene.kept.get(f"clock of {inject.target}")
    if found is None:
        raise LocalError(f"{inject.target} was not started with a clock that can be made wrong")
    undos: list[Undo] = []
    if inject.step:
        undos.append(partial(found.take_back, found.add(inject.step)))
    if inject.drift:
        undos.append(_Drift(found, inject.drift).end)

    def undo() -> None:
        for one in undos:
            one()

    return undo


PERFORMERS["clock"] = clock
NEEDS["clock"] = clock_needs
PLAN_NEEDS.append(topology_needs)
PREPARERS.append(prepare)
