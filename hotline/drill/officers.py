"""What officers of a drill say beside statements: presence, and the question whether anybody is there."""

from __future__ import annotations

import time

from hotline.drill.injects import Ask, Presence, Takeover
from hotline.drill.processes import once
from hotline.drill.scene import PERFORMERS, Scene, Undo


def presence(inject: Presence, scene: Scene) -> Undo:
    """A word of presence; undone, the side is alive. Raises LocalError if the terminal does not take it."""
    desk = scene.desks[inject.sender]
    until = time.time_ns() // 1_000_000 + inject.until if inject.until else 0
    desk.set_presence(inject.word, until)
    return once(lambda: desk.set_presence("alive", 0))


def ask(inject: Ask, scene: Scene) -> None:
    """The question. Raises LocalError if the terminal does not take it."""
    scene.desks[inject.sender].ask_presence()


def takeover(inject: Takeover, scene: Scene) -> None:
    """An officer's act at that terminal. Raises LocalError if it does not take it."""
    scene.desks[inject.target].take_over()


PERFORMERS |= {"presence": presence, "ask": ask, "takeover": takeover}
