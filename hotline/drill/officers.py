"""What officers of a drill say beside statements: presence, and the question whether anybody is there."""

from __future__ import annotations

import time

from hotline.drill.injects import Ask, Challenge, Confirm, Presence, ReplyBy, Shown, Takeover
from hotline.drill.plan import said_as
from hotline.drill.processes import once
from hotline.drill.scene import PERFORMERS, Scene, Undo, serial_of
from hotline.drill.telling import statement_id


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


def challenge(inject: Challenge, scene: Scene) -> None:
    """Raises LocalError if the terminal does not take it: nobody doubts what has not come."""
    label, said = inject.statement, said_as(scene.plan, inject.statement)
    sender, plane, serial = said.sender if said else "", _plane(scene, label), serial_of(scene.said, label)
    asked = scene.desks[inject.sender].challenge(plane, serial, sent=sender == inject.sender)
    scene.record("challenge", **{"from": inject.sender}, serial=asked, id=statement_id(sender, plane, serial))


def confirm(inject: Confirm, scene: Scene) -> None:
    """Raises LocalError if the terminal does not take it: nobody answers what was not asked."""
    scene.desks[inject.sender].confirm(inject.answer, inject.text)


PERFORMERS |= {"challenge": challenge, "confirm": confirm}
PERFORMERS |= {"presence": presence, "ask": ask, "takeover": takeover, "shown": shown, "reply-by": reply_by}
