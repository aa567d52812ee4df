"""What siblings ask each other for: statements of their party, and what became of them (docs/protocol.md 23.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.limits import MIRROR_BATCH
from hotline.machine import Plane
from hotline.protocol.context import Context
from hotline.protocol.copies import copy_again, talk_again
from hotline.protocol.paths import PathState
from hotline.wire.v1 import content_pb2

if TYPE_CHECKING:
    from hotline.protocol.mirror import Mirror

_NEWS_EVERY: Final = 64
"""Beats to siblings after which the one that speaks is asked about what the peer has and still waits here."""
_DOUBTS_EVERY: Final = 8
"""Beats to siblings after which they are asked about what had expired here."""
_LOOKED_AT: Final = 4 * MIRROR_BATCH  # for one beat, above a hole that nobody can fill


class Lacking:
    """How far the record of a party's statements goes at this terminal, and what it asks of its siblings."""

    def __init__(self, context: Context, mirror: Mirror) -> None:
        self._ctx = context
        self._mirror = mirror
        self.through = dict.fromkeys(Plane, 0)
        """Every statement of our party up to here is in this record, or in none."""
        self._asked = dict.fromkeys(Plane, 0)
        self._doubted = dict.fromkeys(Plane, 0)
        """Of what a sibling was last asked whether it knows a better end."""
        self._asks: dict[tuple[int, Plane], tuple[int, int]] = {}
        """What each sibling asks for in its last beat: first and last serial."""
        self._beats = 0
        self._gone: set[tuple[Plane, int]] = set()
        """Said by a terminal of ours that has lost it, and held by none."""

    def write(self, heartbeat: content_pb2.Heartbeat, line: Context) -> None:
        """In a beat to a sibling: how far our record of the party's statements goes, and what it lacks."""
        marks = {plane: self._mark(plane) for plane in Plane}
        heartbeat.received_through, heartbeat.exercise_received_through = marks[Plane.REAL], marks[Plane.EXERCISE]
        if not self._beats:
            self._mirror.late.recall()
        self._beats += 1
        doubted = {plane: self._without_news(line, plane) for plane in Plane}
        talk_again(self._ctx, line, doubted[Plane.SERVICE])
        real, exercise = (
            self._lacking(plane) or self._in_turn(plane, doubted[plane]) for plane in (Plane.REAL, Plane.EXERCISE)
        )
        if real or exercise:
            heartbeat.lacking.first, heartbeat.lacking.last = real or (0, 0)
            heartbeat.lacking.exercise_first, heartbeat.lacking.exercise_last = exercise or (0, 0)

    def _mark(self, plane: Plane) -> int:
        while self._ctx.outboxes[plane].last_serial > self.through[plane]:
            following = self.through[plane] + 1
            if self._mirror.held(plane, following) is None and (plane, following) not in self._gone:
                break
            self.through[plane] += 1
        return self.through[plane]

    def _lacking(self, plane: Plane) -> tuple[int, int] | None:
        """The next stretch to ask for; after the last one the first again."""
        heard = [line.peer.sent_through[plane] for line in self._ctx.lines if line.sibling]
        top = max(self._ctx.outboxes[plane].last_serial, *heard)
        start = max(self.through[plane], self._asked[plane])
        end = min(top, start + _LOOKED_AT)
        while start < end and not self._wants(plane, start + 1):
            start += 1
        if start >= end:
            self._asked[plane] = start if start < top else 0
            return None
        last = start + 1
        while last < min(top, start + MIRROR_BATCH) and self._wants(plane, last + 1):
            last += 1
        self._asked[plane] = last
        return start + 1, last

    def _wants(self, plane: Plane, serial: int) -> bool:
        """Whether it is lacking here, and would be taken if a sibling told it."""
        if self._mirror.held(plane, serial) is not None:
            return False
        return (plane, serial) not in self._mirror.refused_late or self.peer_has(plane) >= serial

    def may_come(self, plane: Plane, serial: int) -> bool:
        """Whether a sibling may still bring what the peer has of our party and this record lacks.

        Not if every sibling is heard, and says that it lacks it like this one: who said it has lost it.
        """
        if (plane, serial) in self._gone or self.peer_has(plane) < serial:
            return False
        siblings = self._ctx.siblings
        if not siblings:
            return False
        heard = all(any(path.state is PathState.UP for path in line.paths.values()) for line in siblings)
        lacked = heard and all(self._lacks(line, plane, serial) for line in siblings)
        if not lacked or self._mark(plane) != serial - 1:
            return True
        self._gone.add((plane, serial))
        return False

    def _lacks(self, line: Context, plane: Plane, serial: int) -> bool:
        """Whether a sibling says that its record ends before this, or asks for all from where it ends to this.

        What it only doubts it asks for too, but that it holds.
        """
        through = line.peer.received_through[plane]
        first, last = self._asks.get((line.setup.remote.number, plane), (0, 0))
        return serial == through + 1 or (first == through + 1 <= serial <= last)

    def peer_has(self, plane: Plane) -> int:
        """How far the terminal of the peer has received that has received the most."""
        return max(line.peer.received_through[plane] for line in self._ctx.peers)

    def _without_news(self, line: Context, plane: Plane) -> set[int]:
        """What the peer has, of which a sibling may know more: its receipt, or the sibling's SETTLED, was lost.

        What is pending here the terminal that speaks is asked about, and any sibling about what had expired.
        """
        has, waits = self.peer_has(plane), set[int]()
        if self._beats % _DOUBTS_EVERY == 0:
            waits = self._mirror.late.doubts(plane, line.setup.remote.number)
        if self._beats % _NEWS_EVERY == 0 and self._ctx.standing.turn.terminal == line.setup.remote.number:
            pending = self._ctx.outboxes[plane].pending.values()
            waits |= {item.serial for item in pending if not (item.is_void or item.copy)}
        return {serial for serial in waits if serial <= has}

    def _in_turn(self, plane: Plane, serials: set[int]) -> tuple[int, int] | None:
        """The next of them, and those that follow it without a gap: one that nobody can settle holds no other up."""
        stretch = _stretch({serial for serial in serials if serial > self._doubted[plane]} or serials)
        if stretch is not None:
            self._doubted[plane] = stretch[1]
        return stretch

    def heard(self, heartbeat: content_pb2.Heartbeat, line: Context) -> None:
        """A fresh beat of a sibling: what it lacks and we hold goes to it."""
        lacking = heartbeat.lacking
        for plane, first, last in (
            (Plane.REAL, lacking.first, lacking.last),
            (Plane.EXERCISE, lacking.exercise_first, lacking.exercise_last),
        ):
            self._asks[line.setup.remote.number, plane] = (first, last)
            if first:
                self._offer(line, plane, first, min(last, first + MIRROR_BATCH - 1))

    def _offer(self, line: Context, plane: Plane, first: int, last: int) -> None:
        for serial in range(first, last + 1):
            copy_again(self._ctx, plane, serial, line)


def _stretch(serials: set[int]) -> tuple[int, int] | None:
    """The first of them, and those that follow it without a gap."""
    if not serials:
        return None
    first = last = min(serials)
    while last + 1 in serials and last + 1 < first + MIRROR_BATCH:
        last += 1
    return first, last
