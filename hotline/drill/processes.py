"""Ending and bringing back one process of a scene, however many injects act upon it at once."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hotline.drill.scene import Scene, Undo
from hotline.drill.stage import wait_until
from hotline.errors import LocalError

_STOPS_WITHIN: Final = 5.0
"""Seconds for the kernel to stop a process that was told to."""


def once(undo: Undo) -> Undo:
    """The same, for the first call; further calls do nothing."""
    lock = threading.Lock()

    def first_only() -> None:
        if lock.acquire(blocking=False):
            undo()

    return first_only


def end_child(process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """SIGTERM, and kill -9 after `seconds`; nothing for a process that has gone."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def alone(scene: Scene, name: str) -> Iterator[None]:
    """Nobody else starts or ends the process `name` in the meantime."""
    lock: threading.RLock = scene.kept.setdefault(f"lock of {name}", threading.RLock())
    with lock:
        yield


def runs(scene: Scene, name: str) -> bool:
    """Whether the process was started and has not ended."""
    return scene.stage.started(name) and scene.stage.ended(name) is None


def end_now(scene: Scene, name: str) -> None:
    """kill -9; nothing for a process that has gone."""
    with alone(scene, name):
        if scene.stage.started(name):
            scene.stage.kill(name)


def bring_back(scene: Scene, name: str) -> None:
    """Start the process unless it runs, or its stage is given up. Raises LocalError if it does not come up."""
    with alone(scene, name):
        if not (runs(scene, name) or scene.stage.given_up):
            end_now(scene, name)
            scene.stage.start(name)


def stands_still(pid: int) -> bool:
    """Whether the kernel has stopped every thread of a process, or it has gone."""
    return all(_state(status) in ("T", "Z", "X", "") for status in Path(f"/proc/{pid}/task").glob("*/stat"))


def _state(status: Path) -> str:
    try:
        return status.read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def freeze_now(scene: Scene, name: str) -> None:
    """SIGSTOP; no thread of the process runs any more when this returns. Raises LocalError if one still does."""
    pid = scene.stage.pid(name)
    scene.stage.freeze(name)
    # The signal is only on its way then: a write could still be halfway.
    try:
        wait_until(lambda: stands_still(pid), f"{name} to stand still", _STOPS_WITHIN)
    except LocalError:
        scene.stage.thaw(name)  # what is no fault is undone by nobody else
        raise


@contextlib.contextmanager
def standing_still(scene: Scene, name: str) -> Iterator[None]:
    """The process does nothing in the meantime; one that was frozen before stays so, one that does not run also."""
    with alone(scene, name):
        if not runs(scene, name) or stands_still(scene.stage.pid(name)):
            yield
            return
        try:
            freeze_now(scene, name)
            yield
        finally:
            scene.stage.thaw(name)
