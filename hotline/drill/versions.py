"""Another version of the program in a drill: one process after the other is exchanged for it, and back.

A process that comes back from another installation opens its own store, keys and configuration, and speaks with
processes of the drill's version. It must serve. There is one lawful other end: a program MUST NOT open a store of a
later schema than its own, so that a step back over such a change is refused, and the store stays as it was.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import hotline
from hotline.drill.injects import Upgrade
from hotline.drill.performers import stop_in_order
from hotline.drill.plan import Plan
from hotline.drill.processes import alone, once, runs
from hotline.drill.scene import PERFORMERS, Other, Scene, Undo
from hotline.errors import ConfigError, LocalError

_SECONDS: Final = 20.0
_ASK: Final = "import hotline, hotline.endpointd, relay; print(hotline.__version__); print(hotline.__file__)"
_SCHEMAS: Final = re.compile(r"schema (\d+), this is (\d+)")
_STORES: Final = ("ledger.db", "mailbox.db", "witness.db")


def other_installation(place: Path) -> Other:
    """The hotline in the virtual environment `place`. Raises ConfigError if there is none, or it is this very one."""
    interpreter = place.absolute() / "bin" / "python"
    if not interpreter.exists():
        raise ConfigError(f"{place}: is no virtual environment (it has no bin/python); see docs/drills.md")
    python = [str(interpreter), "-P"]  # -P: nothing is imported from where we happen to stand
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(  # noqa: S603 - the installation that the planner names
            [*python, "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{place}: its Python cannot be run ({error})") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"{place}: no hotline runs from there ({last}); install one: pip install hotline-VERSION.whl")
    version, file = done.stdout.split("\n")[:2]
    if Path(file).resolve() == Path(hotline.__file__).resolve():
        raise ConfigError(f"{place}: is this very installation; name one with another version")
    return Other(python, version)


def unplayable(plan: Plan, other: Path | None) -> list[str]:
    """Why a plan that changes versions cannot be played, in sentences; empty if it can."""
    if other is None and any(isinstance(inject, Upgrade) for inject in plan.inject):
        return ["it changes versions: name a virtual environment with another one by --other"]
    return []


def upgrade(inject: Upgrade, scene: Scene) -> Undo | None:
    """An orderly stop now; the process comes back from the installation `to`, at once or when it is undone."""
    stop_in_order(scene, inject.target)

    def come_back() -> None:
        with alone(scene, inject.target):
            if not (runs(scene, inject.target) or scene.stage.given_up):
                _exchange(scene, inject.target, inject.to)

    if inject.lasting is None:
        come_back()
        return None
    return once(come_back)


def _exchange(scene: Scene, name: str, to: str) -> None:
    """Start from another installation, or from the former one again if the other refuses; write down which."""
    stage = scene.stage
    if scene.other is None:
        raise LocalError("the drill was given no other installation")
    versions: dict[bool, str] = {True: scene.other.version, False: hotline.__version__}
    was_other = name in stage.installation
    before = _state(stage.folder_of(name))

    def come_from(other: bool) -> None:
        stage.installation.pop(name, None)
        if other and scene.other is not None:
            stage.installation[name] = scene.other.python
        stage.start(name)

    asked = to == "other"
    outcome, text = _attempt(lambda: come_from(asked))
    if outcome != "serves":
        if stage.started(name):
            stage.kill(name)
        if outcome == "refused" and _state(stage.folder_of(name)) != before:
            outcome, text = "failed", f"it changed the store that it refused: {text}"
    scene.record("version", process=name, to=versions[asked], outcome=outcome, text=text)
    if outcome != "serves":
        come_from(was_other)


def _attempt(start: Callable[[], None]) -> tuple[str, str]:
    """serves; refused: the store's schema is later than the program's, which said both; failed: anything else."""
    try:
        start()
    except LocalError as error:
        # Of the last lines of its log, which may be those of its former life, only the last one tells why.
        begin, _, lines = str(error).partition(": ")
        reason = f"{begin}: {lines.rpartition(' / ')[2]}"
        schemas = _SCHEMAS.search(reason)
        refused = schemas is not None and int(schemas[1]) > int(schemas[2])
        return ("refused" if refused else "failed"), reason
    return "serves", ""


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Schema and size of what a process keeps, by file: what a program that refuses must leave alone."""
    found = {}
    for name in _STORES:
        path = folder / "store" / name
        if path.exists():
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                schema = database.execute("PRAGMA user_version").fetchone()[0]
                found[name] = (int(schema), int(database.execute("PRAGMA page_count").fetchone()[0]))
    return found


PERFORMERS["upgrade"] = upgrade
