"""Promises of an answer until a time, ours and the peer's (docs/protocol.md 20.4 and 20.5)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from hotline.machine import Delete, Instant, Plane, Put
from hotline.protocol.context import Context
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.tables import Saved
from hotline.wire.v1 import content_pb2

_REMEMBERED: Final = 4_096
_SOON: Final = 60_000
SENT: Final = "sent"
RECEIVED: Final = "received"
"""Way of the statement that is to be answered: by the peer, or by us."""


@dataclass(slots=True)
class Promise:
    """An answer that is owed: `until` is the written time, `due_at` monotonic."""

    until: int
    due_at: int
    overdue: bool = False


class Promises:
    """What is promised and not answered yet. Each names a statement that was said, so they are no more than those."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.open: dict[tuple[str, Plane, int], Promise] = {}
        self._answered_lately: OrderedDict[tuple[str, Plane, int], int] = OrderedDict()
        """When the newest answers were said: history does not know yet what the commit under way holds."""

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what was promised; what was told as overdue is not told again."""
        for row in saved.rows("promise"):
            serial, until = row["serial"], row["until"]
            assert isinstance(serial, int)
            assert isinstance(until, int)
            key = (str(row["way"]), Plane(str(row["plane"])), serial)
            self.open[key] = Promise(until, _due(until, 0, now), bool(row["overdue"]))

    def take(self, way: str, plane: Plane, serial: int, until: int, now: Instant) -> None:
        """An answer is promised until then, by the promiser's clock; a newer promise takes the place of an older."""
        offset = (self._ctx.peer.clock_offset_ms or 0) if way == SENT else 0
        due_at, known = _due(until, offset, now), self.open.get((way, plane, serial))
        # What is overdue stays so until a promise that is worth another alarm: else each word of the peer would ring.
        overdue = known is not None and known.overdue and due_at < now.mono + _SOON
        promise = self.open[way, plane, serial] = Promise(until, due_at, overdue)
        self._put(way, plane, serial, promise)

    def _put(self, way: str, plane: Plane, serial: int, promise: Promise) -> None:
        key: dict[str, str | int] = {"way": way, "plane": plane.value, "serial": serial}
        row = {**key, "until": promise.until, "overdue": int(promise.overdue)}
        self._ctx.out.changes.append(Put("promise", row))

    def answered_by_us(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """We say `statement`; if it answers one of the peer's, that promise is kept."""
        if statement.HasField("in_reply_to") and statement.kind != NON_PAPER:
            self._answered(RECEIVED, plane, statement.in_reply_to.serial, statement, now)

    def answered_by_peer(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """The peer says `statement`; it answers ours if it names the one that we sent under that number."""
        if not statement.HasField("in_reply_to") or statement.kind == NON_PAPER:
            return
        named = statement.in_reply_to
        known = self._ctx.history.sent(plane, named.serial)
        if known is not None and known.hash == named.statement:
            self._answered(SENT, plane, named.serial, statement, now)

    def was_kept(self, way: str, plane: Plane, serial: int, said: int) -> bool:
        """Whether the answer was said after the promise, which came later, or comes again; by the promiser's clock."""
        key = (way, plane, serial)
        return (self._answered_lately.get(key) or self._ctx.history.rung(*key, "answered")) >= said

    def _answered(self, way: str, plane: Plane, serial: int, statement: content_pb2.Statement, now: Instant) -> None:
        ctx, answer, said = self._ctx, statement.serial, statement.composed_ms
        self._answered_lately[way, plane, serial] = said
        while len(self._answered_lately) > _REMEMBERED:
            self._answered_lately.popitem(last=False)
        key: dict[str, str | int] = {"way": way, "plane": plane.value, "serial": serial}
        row: dict[str, str | int | bytes | None] = {**key, "stage": "answered", "at": now.wall, "said": said}
        row |= {"officer": "", "principal": "", "until": 0, "answer": answer}
        ctx.out.changes.append(Put("ladder", row))
        promise = self.open.pop((way, plane, serial), None)
        if promise is None:
            return
        late = int(promise.overdue or promise.due_at <= now.mono)
        ctx.out.changes.append(Delete("promise", key))
        ctx.record("promise.kept", way=way, plane=plane.value, serial=serial, by=answer, late=late)
        ctx.tell("promise-kept", way=way, plane=plane.value, serial=serial, by=answer, late=late, at=now.wall)

    def due(self, now: Instant) -> None:
        """An answer that has not come in time is an alarm, once."""
        for (way, plane, serial), promise in self.open.items():
            if promise.overdue or promise.due_at > now.mono:
                continue
            promise.overdue = True
            self._put(way, plane, serial, promise)
            self._ctx.alarm(
                "promise-overdue", overdue(way, serial), way=way, plane=plane.value, serial=serial, until=promise.until
            )

    def next_deadline(self) -> int | None:
        """When the next answer is due."""
        return min([promise.due_at for promise in self.open.values() if not promise.overdue], default=None)


def overdue(way: str, serial: int) -> str:
    """What people are told."""
    if way == SENT:
        return f"the answer to our #{serial} that the peer promised has not come in time"
    return f"the answer to #{serial} that we promised has not been given in time"


def _due(until: int, offset: int, now: Instant) -> int:
    """By the monotonic clock from here on: a step of the other one breaks nobody's promise."""
    return now.mono + max(0, until - offset - now.wall)
