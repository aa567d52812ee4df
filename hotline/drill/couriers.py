"""A courier between the capitals of a drill, by the very commands that officers use."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Final

from hotline.drill.injects import Courier
from hotline.drill.processes import once
from hotline.drill.scene import PERFORMERS, Scene, Undo
from hotline.drill.telling import PEER
from hotline.errors import LocalError

_SECONDS: Final = 20.0
_NUMBERS: Final = itertools.count(1)


def courier(inject: Courier, scene: Scene) -> Undo:
    """A bundle leaves when this returns; undone, it has arrived. Raises LocalError with the command's own words."""
    bundle = scene.folder / f"{inject.sender.lower()}-{next(_NUMBERS)}.bundle"
    _ask(scene, inject.sender, "export", bundle)

    def arrive() -> None:
        said = _ask(scene, PEER[inject.sender], "import", bundle)
        scene.note(f"the bundle of {inject.sender} has arrived: {said}")

    return once(arrive)


def _ask(scene: Scene, party: str, what: str, bundle: Path) -> str:
    terminal = next(one for one in scene.stage.rehearsal.terminals if one.party == party)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "hotline", "courier", what, str(bundle), "--socket", str(terminal.socket)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise LocalError(f"courier {what} at {party}: {done.stderr.strip()}")
    return done.stdout.strip()


PERFORMERS["courier"] = courier
