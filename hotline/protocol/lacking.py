"""What siblings ask each other for: statements of their party, and what became of them (docs/protocol.md 23.7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hotline.limits import MIRROR_BATCH
from hotline.machine import Instant, Plane
from hotline.protocol.context import Context
from hotline.protocol.copies import copy_again
from hotline.protocol.lately import remember
from hotline.protocol.talk import outbox_room
from hotline.protocol.voids import filler
from hotline.wire.v1 import content_pb2

if TYPE_CHECKING:
    from hotline.protocol.mirror import Mirror

_NEWS_EVERY: Final = 64
"""Beats to siblings after which the one that speaks is asked about what the peer has and still waits here."""
_DOUBTS_EVERY: Final = 8
"""Beats to siblings after which they are asked about what had expired here."""
_LOOKED_AT: Final = 4 * MIRROR_BATCH  # for one beat, above a hole that nobody can fill
_PASSED: Final = 4_096  # for one beat: after a start the whole record, of years maybe, is passed over once


class Lacking:
    """How far the record of a party's statements goes at this terminal, and what it asks of its siblings."""

    def __init__(self, context: Context, mirror: Mirror) -> None:
        self._ctx = context
        self._mirror = mirror
        self.through = dict.fromkeys(Plane, 0)
        """Every statement of our party up to here is in this record, or in none."""
        self._asked, self._asked_above = dict.fromkeys(Plane, 0), dict.fromkeys(Plane, 0)
        self._doubted = dict.fromkeys(Plane, 0)
        """Of what a sibling was last asked whether it knows a better end."""
        self._beats = 0
        self._denied: dict[tuple[Plane, int], frozenset[int]] = {}
        """What this record lacks, and which siblings have said that they hold nothing there either."""
        self._questions: dict[int, set[tuple[Plane, int]]] = {}
        """Of what each sibling is asked that now."""

    def write(self, heartbeat: content_pb2.Heartbeat, line: Context) -> None:
        """In a beat to a sibling: how far our record of the party's statements goes, and what it lacks."""
        marks = {plane: self._mark(plane) for plane in Plane}
        heartbeat.received_through, heartbeat.exercise_received_through = marks[Plane.REAL], marks[Plane.EXERCISE]
        if heartbeat.service_received:  # not each beat says it (25.4)
            heartbeat.service_received = marks[Plane.SERVICE] + 1
        if not self._beats:
            self._mirror.late.recall()
        self._beats += 1
        doubted = {plane: self._without_news(line, plane) for plane in Plane}
        asked = {plane: self._lacking(plane) or self._in_turn(plane, doubted[plane]) for plane in Plane}
        if any(asked.values()):
            lacking = heartbeat.lacking
            lacking.first, lacking.last = asked[Plane.REAL] or (0, 0)
            lacking.exercise_first, lacking.exercise_last = asked[Plane.EXERCISE] or (0, 0)
            lacking.service_first, lacking.service_last = asked[Plane.SERVICE] or (0, 0)

    def _mark(self, plane: Plane) -> int:
        through = self.through[plane]
        for serial in range(through + 1, min(self._ctx.outboxes[plane].last_serial, through + _PASSED) + 1):
            if self._mirror.held(plane, serial) is None and not self._is_gone(plane, serial):
                break
            self.through[plane] = serial
        return self.through[plane]

    def _lacking(self, plane: Plane) -> tuple[int, int] | None:
        """The next stretch to ask for, in turn below the highest serial that we know and above, up to what others say.

        A sibling that lies says so without end; it keeps nobody from what another one holds.
        """
        heard = [line.peer.sent_through[plane] for line in self._ctx.lines if line.sibling]
        known = self._ctx.outboxes[plane].last_serial
        below = self._asked, self.through[plane], known
        above = self._asked_above, max(self.through[plane], known), max(known, *heard)
        turn = self._beats // max(1, len(self._ctx.siblings)) % 2  # each sibling is asked for both
        first, second = (above, below) if turn else (below, above)
        return self._following(plane, *first) or self._following(plane, *second)

    def _following(self, plane: Plane, asked: dict[Plane, int], through: int, top: int) -> tuple[int, int] | None:
        """What is lacking between these, and was not `asked` for yet; after the last one the first again."""
        start = max(through, asked[plane])
        end = min(top, start + _LOOKED_AT)
        while start < end and not self._wants(plane, start + 1):
            start += 1
        if start >= end:
            asked[plane] = start if start < top else 0
            return None
        last = start + 1
        while last < min(top, start + MIRROR_BATCH) and self._wants(plane, last + 1):
            last += 1
        asked[plane] = last
        return start + 1, last

    def _wants(self, plane: Plane, serial: int) -> bool:
        """Whether it is lacking here, and would be taken if a sibling told it."""
        if self._mirror.held(plane, serial) is not None:
            return False
        return (plane, serial) not in self._mirror.refused_late or self.peer_has(plane) >= serial

    # --- what nobody holds -------------------------------------------------------------------------------------------

    def may_come(self, plane: Plane, serial: int, now: Instant) -> bool:
        """Whether a sibling may still bring what this record lacks.

        Not once each of them has said that it holds nothing there either: who said it has lost it. And nobody brings
        back what stands here, and whose text is destroyed.
        """
        if self._ctx.history.sent_hash(plane, serial) is not None:
            return False
        if self._mirror.held(plane, serial) is not None:
            return True  # it is about to be committed
        for line in self._ctx.siblings:
            self._ask(line, plane, serial, now)
        return not self._is_gone(plane, serial)

    def _is_gone(self, plane: Plane, serial: int) -> bool:
        denied = self._denied.get((plane, serial), frozenset())
        return denied >= {line.setup.remote.number for line in self._ctx.siblings if line.awake}

    def _ask(self, line: Context, plane: Plane, serial: int, now: Instant) -> None:
        """By the empty statement that is to close the gap: the sibling acknowledges it, or has something else."""
        number, box = line.setup.remote.number, line.outboxes[plane]
        if serial in box.pending or number in self._denied.get((plane, serial), ()):
            return
        asked = {(of, one) for of, one in self._questions.get(number, ()) if one in line.outboxes[of].pending}
        if serial <= max(box.last_serial, self.peer_has(plane)) and len(asked) < MIRROR_BATCH:
            box.add(replace(filler(self._ctx, plane, serial, now), copy=True))
            self._questions[number] = asked | {(plane, serial)}

    def denied(self, line: Context, plane: Plane, serials: Iterable[int]) -> None:
        """A sibling holds these; what is not in this record was a question: it holds nothing there."""
        for serial in serials:
            if self._mirror.held(plane, serial) is None:
                known = self._denied.get((plane, serial), frozenset())
                remember(self._denied, (plane, serial), known | {line.setup.remote.number})

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
            (Plane.SERVICE, lacking.service_first, lacking.service_last),
        ):
            if first:
                self._offer(line, plane, first, min(last, first + MIRROR_BATCH - 1))

    def _offer(self, line: Context, plane: Plane, first: int, last: int) -> None:
        waits, room = line.outboxes[plane].pending, outbox_room(plane, self._ctx.setup.outbox_max)
        for serial in range(first, last + 1):
            if len(waits) >= room:
                return  # it asks again: one that acknowledges nothing would have the whole record in memory
            copy_again(self._ctx, plane, serial, line)


def _stretch(serials: set[int]) -> tuple[int, int] | None:
    """The first of them, and those that follow it without a gap."""
    if not serials:
        return None
    first = last = min(serials)
    while last + 1 in serials and last + 1 < first + MIRROR_BATCH:
        last += 1
    return first, last
