"""A courier between the capitals of a drill, by the very commands that officers use."""

from __future__ import annotations

import itertools
from typing import Final

from hotline.drill.commands import at_the_keyboard
from hotline.drill.injects import Courier
from hotline.drill.processes import once
from hotline.drill.scene import PERFORMERS, Scene, Undo
from hotline.drill.telling import PEER

_NUMBERS: Final = itertools.count(1)


def courier(inject: Courier, scene: Scene) -> Undo:
    """A bundle leaves when this returns; undone, it has arrived. Raises LocalError with the command's own words."""
    bundle = scene.folder / f"{inject.sender.lower()}-{next(_NUMBERS)}.bundle"
    at_the_keyboard(scene, inject.sender, "courier", "export", str(bundle))

    def arrive() -> None:
        said = at_the_keyboard(scene, PEER[inject.sender], "courier", "import", str(bundle))
        scene.note(f"the bundle of {inject.sender} has arrived: {said}")

    return once(arrive)


PERFORMERS["courier"] = courier
