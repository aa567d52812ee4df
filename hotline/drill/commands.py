"""Officers of a drill at their keyboards: the very commands, at the socket of their party's main terminal."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from hotline.drill.scene import Scene
from hotline.errors import LocalError

_SECONDS: Final = 20.0


def at_the_keyboard(scene: Scene, party: str, *words: str) -> str:
    """What `hotline WORDS` printed there. Raises LocalError with its own words if it did not do it."""
    terminal = next(one for one in scene.stage.rehearsal.terminals if one.party == party)
    command = [sys.executable, "-m", "hotline", *words, "--socket", str(terminal.socket)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise LocalError(f"{' '.join(words[:2])} at {party}: no end within {_SECONDS:.0f} s") from error
    if done.returncode:
        raise LocalError(f"{' '.join(words[:2])} at {party}: {done.stderr.strip()}")
    return done.stdout.strip()
