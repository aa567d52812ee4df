"""What officers of a drill say beside statements: presence, and the question whether anybody is there."""

from __future__ import annotations

import time

from hotline.drill.injects import Ask, Presence, ReplyBy, Shown, Takeover
from hotline.drill.plan import said_as
from hotline.drill.processes import once
from hotline.drill.scene import PERFORMERS, Scene, Undo, serial_of


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


def _plane(scene: Scene, label: str) -> str:
    said = said_as(scene.plan, label)
    return "exercise" if said is None else said.plane


def shown(inject: Shown, scene: Scene) -> None:
    """Raises LocalError if the terminal does not take it: what nobody has opened cannot have been shown."""
    label = inject.statement
    scene.desks[inject.sender].shown(_plane(scene, label), serial_of(scene.said, label), inject.principal)


def reply_by(inject: ReplyBy, scene: Scene) -> None:
    """Raises LocalError if the terminal does not take it: nobody answers what nobody has opened."""
    label, until = inject.statement, time.time_ns() // 1_000_000 + inject.within
    scene.desks[inject.sender].reply_by(_plane(scene, label), serial_of(scene.said, label), until)


PERFORMERS |= {"presence": presence, "ask": ask, "takeover": takeover, "shown": shown, "reply-by": reply_by}
