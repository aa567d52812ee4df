"""Whether the terminal that says a thing speaks for its party (docs/protocol.md 23.9)."""

from __future__ import annotations

from typing import NamedTuple

from hotline.limits import VOICES_WAITING_MAX
from hotline.machine import Instant, Plane
from hotline.protocol.context import Context
from hotline.wire.v1 import content_pb2


class _Waiting(NamedTuple):
    """A statement of a term that nobody has shown to have begun."""

    author: int
    term: int
    until: int


class Voices:
    """What the peer's terminals say, held against the turns that are known. Of one run."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._waiting: dict[tuple[Plane, int], _Waiting] = {}

    def heard(self, plane: Plane, statement: content_pb2.Statement, author: int, now: Instant) -> None:
        """A new statement of the peer: `look` tells what it is. It may have overtaken the word of its term."""
        standing, serial = self._ctx.standing, statement.serial
        if standing.speaks(author):
            return
        waits = _Waiting(author, statement.term, now.mono + self._patience())
        if len(self._waiting) >= VOICES_WAITING_MAX:
            self._ring(plane, serial, waits)
        else:
            self._waiting[plane, serial] = waits

    def look(self, now: Instant) -> None:
        """Whether the turns that are known by now tell of one that waits, or its time is over."""
        turn = self._ctx.standing.turns[self._ctx.setup.remote.party]
        for (plane, serial), waits in list(self._waiting.items()):
            known = waits.term <= turn.term
            if not known and now.mono < waits.until:
                continue
            del self._waiting[plane, serial]
            if not (known and turn.terminal == waits.author):
                self._ring(plane, serial, waits)

    def next_deadline(self) -> int | None:
        """When the first of them has waited long enough."""
        return min(waits.until for waits in self._waiting.values()) if self._waiting else None

    def _patience(self) -> int:
        """The word of a term is in every heartbeat until it is known: as long as a path may be silent and be up."""
        return max(path.setup.profile.silent_ceiling_ms for path in self._ctx.paths.values())

    def _ring(self, plane: Plane, serial: int, said: _Waiting) -> None:
        turn = self._ctx.standing.turns[self._ctx.setup.remote.party]
        text = (
            "a statement has arrived from a terminal that no longer speaks for the peer"
            if said.term <= turn.term
            else "a statement has arrived from a terminal that nobody has shown to speak for the peer"
        )
        other = self._ctx.standing.name(said.author)
        self._ctx.alarm("late-voice", text, plane=plane.value, serial=serial, other=other, term=said.term)
