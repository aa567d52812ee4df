"""An officer of a drill goes through a checklist, by the very command (docs/protocol.md 25.12)."""

from __future__ import annotations

import tomllib
from importlib import resources

from hotline.drill.commands import at_the_keyboard
from hotline.drill.injects import Checklist
from hotline.drill.scene import PERFORMERS, Scene
from hotline.errors import LocalError


def checklist(inject: Checklist, scene: Scene) -> None:
    """Every step is done, but for those that are skipped. Raises LocalError with the command's own words."""
    party = inject.sender
    file = resources.files("hotline").joinpath("cli", "checklists", f"{inject.checklist}.toml")
    if not file.is_file():
        raise LocalError(f"{inject.checklist}: no such checklist; hotline checklist list shows those there are")
    steps = len(tomllib.loads(file.read_text(encoding="utf-8"))["step"])
    strange = sorted(number for number in map(int, inject.skip) if number > steps)
    if strange:
        raise LocalError(f"{inject.checklist} has {steps} steps: there is no step {strange[0]}")
    why = {int(number): reason for number, reason in inject.skip.items()}
    answers = [f"skip:{why[number]}" if number in why else "done" for number in range(1, steps + 1)]
    given = [word for answer in answers for word in ("--answer", answer)]
    at_the_keyboard(scene, party, "checklist", "run", inject.checklist, *given)
    scene.record("checklist", **{"from": party}, name=inject.checklist, done=steps - len(why), skipped=len(why))


PERFORMERS["checklist"] = checklist
