"""Travelling terminals: a part of the hotline only for the time that both parties have signed (docs/protocol.md 24.13).

Each side looks at its own wall clock. Outside of that time a line to such a terminal sends nothing and takes nothing.
"""

from __future__ import annotations

from typing import Final

from hotline.machine import Instant
from hotline.protocol.context import Context
from hotline.protocol.mirror import Mirror
from hotline.protocol.paths import PathInput, PathState

_LOOK_AGAIN: Final = 60_000
"""Longest time until the clock is looked at again: somebody may set it."""


class Travelling:
    """Which terminals are activated now, and what changes when that does."""

    def __init__(self, context: Context, mirror: Mirror) -> None:
        self._ctx = context
        self._standing = context.standing
        self._mirror = mirror
        self._asleep: frozenset[int] | None = None

    def look(self, now: Instant) -> None:
        """Begin or end what the clock says. At the first look of a run nothing is told: it is as it was."""
        travels, standing = self._ctx.setup.travels, self._standing
        if not travels and not self._asleep:
            return
        asleep = frozenset(
            number for number in standing.sides if number in travels and not _holds(travels[number], now.wall)
        )
        before, self._asleep = self._asleep, asleep
        if asleep == before:
            return
        spoke = standing.active
        standing.asleep = standing.local.number in asleep
        for line in self._ctx.lines:
            awake = not standing.asleep and line.setup.remote.number not in asleep
            if awake != line.awake:
                line.awake = awake
                self._turn(line, now)
        if standing.active and not spoke:
            self._mirror.speak(now)  # again: it asks first (23.3), and hears who speaks by now
        for number in sorted(asleep ^ before) if before is not None else ():
            self._tell(number, begins=number not in asleep)

    def _turn(self, ctx: Context, now: Instant) -> None:
        """What was known of the other side's paths is known no more; a beat finds out anew."""
        for path in ctx.paths.values():
            if path.state in (PathState.UP, PathState.SUSPECT):
                path.apply(PathInput.CLOSED, now)
                path.apply(PathInput.OPENED, now)
                ctx.record("path.state", path=path.setup.name, state=path.state.value, **ctx.whose)
            path.beat_soon(now)

    def _tell(self, number: int, *, begins: bool) -> None:
        name = self._standing.name(number)
        self._ctx.record("terminal.travels", other=name, state="active" if begins else "inactive")
        if not begins:
            text = "the time for which both parties have activated a travelling terminal is over: it says nothing more"
            self._ctx.alarm("activation-ended", text, other=name)

    def next_deadline(self, now: Instant) -> int | None:
        """When the clock is to be looked at again."""
        travels = self._ctx.setup.travels
        if not travels:
            return None
        bounds = [at - now.wall for span in travels.values() for at in span if at > now.wall]
        return now.mono + min([_LOOK_AGAIN, *bounds])


def _holds(span: tuple[int, int], wall: int) -> bool:
    return span[0] <= wall < span[1]
