"""What a drill does to whole processes, to their stores and to the streams between them."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hotline.drill.fronts import cover, uncover
from hotline.drill.injects import Backup, Freeze, Kill, LinkFault, Partition, Restore, Start, Stop, Swizzle, Wipe
from hotline.drill.patterns import expand, links_between
from hotline.drill.processes import alone, bring_back, end_now, freeze_now, runs, standing_still
from hotline.drill.scene import NEEDS, PERFORMERS, Scene, Undo
from hotline.errors import HotlineError, LocalError

_STORE: Final = "store"


# --- processes --------------------------------------------------------------------------------------------------------


def kill(inject: Kill, scene: Scene) -> Undo:
    """kill -9; undone by a start."""
    end_now(scene, inject.target)
    return lambda: bring_back(scene, inject.target)


def stop_in_order(scene: Scene, name: str) -> None:
    """SIGTERM. A process that does not end in time is killed, and the journal is told."""
    with alone(scene, name):
        if runs(scene, name):
            try:
                code = scene.stage.stop(name)
            except LocalError as error:
                scene.note(str(error))
            else:
                scene.note(f"{name} stopped with exit code {code}")


def stop(inject: Stop, scene: Scene) -> Undo:
    """SIGTERM; undone by a start."""
    stop_in_order(scene, inject.target)
    return lambda: bring_back(scene, inject.target)


def start(inject: Start, scene: Scene) -> None:
    """Start what does not run. Raises LocalError if it does not come up."""
    bring_back(scene, inject.target)


def freeze(inject: Freeze, scene: Scene) -> Undo:
    """SIGSTOP; undone by SIGCONT. Raises LocalError if there is nothing to freeze."""
    with alone(scene, inject.target):
        if not runs(scene, inject.target):
            raise LocalError(f"{inject.target} does not run and cannot be frozen")
        freeze_now(scene, inject.target)

    def undo() -> None:
        with alone(scene, inject.target):
            if scene.stage.started(inject.target):
                scene.stage.thaw(inject.target)

    return undo


# --- stores -----------------------------------------------------------------------------------------------------------


def wipe(inject: Wipe, scene: Scene) -> None:
    """kill -9, the store is gone, started again. Raises LocalError if it does not come up."""
    with alone(scene, inject.target):
        end_now(scene, inject.target)
        shutil.rmtree(_store(scene, inject.target), ignore_errors=True)
        scene.stage.start(inject.target)


def backup(inject: Backup, scene: Scene) -> None:
    """A copy of the whole store as of one moment: the process stands still while it is made.

    The ratchet file of a terminal lies beside the store and is in no backup, as `hotline config init` advises.
    """
    place = scene.folder / "backups" / inject.target
    with standing_still(scene, inject.target):
        shutil.rmtree(place, ignore_errors=True)
        # SQLite makes the shared memory anew from the write-ahead log; the lock belongs to the living process.
        shutil.copytree(_store(scene, inject.target), place, ignore=shutil.ignore_patterns("*-shm", "lock"))


def restore(inject: Restore, scene: Scene) -> None:
    """kill -9, the last backup in the place of the store, started again.

    Raises LocalError if there is no backup or the process does not come up.
    """
    place = scene.folder / "backups" / inject.target
    if not place.is_dir():
        raise LocalError(f"there is no backup of {inject.target}: put an inject `backup` before `restore`")
    with alone(scene, inject.target):
        end_now(scene, inject.target)
        shutil.rmtree(_store(scene, inject.target), ignore_errors=True)
        shutil.copytree(place, _store(scene, inject.target))
        scene.stage.start(inject.target)


def _store(scene: Scene, name: str) -> Path:
    return scene.stage.folder_of(name) / _STORE


# --- links ------------------------------------------------------------------------------------------------------------


def link(inject: LinkFault, scene: Scene) -> Undo:
    """Weather on links; undone, they have the weather that they had before."""
    mark = cover(
        scene,
        _links(scene, inject.links),
        inject.way,
        latency_ms=inject.latency,
        jitter_ms=inject.jitter,
        loss_percent=inject.loss,
        rate_bps=inject.rate,
        mode=inject.mode,
    )
    return lambda: uncover(scene, mark)


def partition(inject: Partition, scene: Scene) -> Undo:
    """A black hole, both ways, on every link with one end in each set."""
    mark = cover(scene, links_between(*inject.between), "both", mode="blackhole")
    return lambda: uncover(scene, mark)


def partition_needs(inject: Partition) -> str | None:
    """Why a partition would cut nothing, or less than it says."""
    one, other = inject.between
    watching = sorted({name for name in (*one, *other) if name.startswith("witness-")})
    if watching:
        return (
            f"a partition cannot cut off {', '.join(watching)}: only streams between terminals and relays are proxied"
        )
    if not links_between(one, other):
        return f"nothing runs between {' '.join(one)} and {' '.join(other)}: terminals meet only at relays"
    return None


class _Swizzle:
    """Clogs links one by one and mends them in another order, in a thread of its own."""

    def __init__(self, inject: Swizzle, scene: Scene) -> None:
        links = _links(scene, inject.links)
        self._scene, self._inject = scene, inject
        self._clog, self._mend = list(links), list(links)
        rng: random.Random = scene.rng
        rng.shuffle(self._clog)
        rng.shuffle(self._mend)
        self._each = inject.each / 1_000
        # The last link is mended when the fault is over, if it lasts longer than the two rounds take.
        self._between = max(0.0, (inject.lasting or 0) / 1_000 - self._each * (2 * len(links) - 1))
        self._marks: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swizzle", daemon=True)

    def begin(self) -> None:
        """Clog the first link now, the others in their time."""
        self._thread.start()

    def undo(self) -> None:
        """Mend whatever is clogged; nothing more is clogged."""
        self._over.set()
        self._thread.join()
        for name in list(self._marks):
            uncover(self._scene, self._marks.pop(name))

    def _run(self) -> None:
        try:
            for number, name in enumerate(self._clog):
                if number and self._over.wait(self._each):
                    return
                self._marks[name] = cover(self._scene, [name], "both", mode="blackhole")
            pause = self._each + self._between
            for name in self._mend:
                if self._over.wait(pause):
                    return
                uncover(self._scene, self._marks.pop(name))
                pause = self._each
        except HotlineError as error:
            self._scene.failed(self._inject, f"it ended early: {error}")


def swizzle(inject: Swizzle, scene: Scene) -> Undo:
    """Returns at once; links are clogged and mended in the background."""
    running = _Swizzle(inject, scene)
    running.begin()
    return running.undo


def _links(scene: Scene, patterns: Sequence[str]) -> list[str]:
    relays = [relay.name for relay in scene.stage.rehearsal.relays]
    return expand(patterns, relays, scene.plan.topology.capitals)


PERFORMERS |= {
    "kill": kill,
    "stop": stop,
    "start": start,
    "freeze": freeze,
    "wipe": wipe,
    "backup": backup,
    "restore": restore,
    "link": link,
    "partition": partition,
    "swizzle": swizzle,
}
NEEDS["partition"] = partition_needs
