"""Promises of an answer until a time, ours and the peer's (docs/protocol.md 20.3 to 20.5)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

from hotline.machine import Delete, Instant, Plane, Put
from hotline.protocol.context import Context
from hotline.protocol.lately import remember
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.outbox import Pending
from hotline.protocol.receipts import rung
from hotline.protocol.release import RELEASED, judge
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Rung, Saved
from hotline.wire.v1 import content_pb2

_SOON: Final = 60_000
_AT_ONCE: Final = 64
"""Overdue promises that one step tells: a peer may have many end in one moment, and a FLASH does not wait for them."""
SENT: Final = "sent"
RECEIVED: Final = "received"
"""Way of the statement that is to be answered: by the peer, or by us."""
_PROMISED: Final = "reply-by"
_ANSWERED: Final = "answered"
_ARRIVED: Final = "arrived"
_Key = tuple[str, Plane, int]


@dataclass(slots=True)
class Promise:
    """An answer that is owed: `until` is the written time, `due_at` monotonic."""

    until: int
    due_at: int
    overdue: bool = False
    after: int = 0
    """The answer that was there when it was made: one with a higher serial keeps it."""


class Promises:
    """What is promised and not answered yet. Each names a statement that was said, so they are no more than those.

    Whatever the order in which promises and answers come, and at whichever terminal: the newest promise counts, and an
    answer keeps it that the sender of the question has and whose serial is above the one that the promise names.
    """

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.open: dict[_Key, Promise] = {}
        self._agenda: list[tuple[int, _Key]] = []
        self._lately: dict[tuple[str, Plane, int, str], Rung] = {}
        """History does not know yet what the commit under way holds."""

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what was promised; what was told as overdue is not told again."""
        for row in saved.rows("promise"):
            serial, until = row["serial"], row["until"]
            assert isinstance(serial, int)
            assert isinstance(until, int)
            key = (str(row["way"]), Plane(str(row["plane"])), serial)
            after = self._rung(*key, _PROMISED).answer
            self._take(key, Promise(until, _due(until, 0, now), bool(row["overdue"]), after))

    # --- promises ----------------------------------------------------------------------------------------------------

    def later(self, plane: Plane, serial: int, now: Instant) -> int:
        """When a promise of ours is made: after every other one for that statement, whatever the clock says.

        Above TIME_MAX, which nobody takes, if somebody has promised at the last time there is.
        """
        return max(now.wall, self._rung(RECEIVED, plane, serial, _PROMISED).said + 1)

    def answered(self, plane: Plane, serial: int) -> int:
        """The highest serial under which we have answered a statement of the peer; 0 if we have not."""
        return self._rung(RECEIVED, plane, serial, _ANSWERED).answer

    def is_newest(self, way: str, plane: Plane, serial: int, receipt: content_pb2.Receipt) -> bool:
        """Whether it was promised after what is known: what comes late or again undoes nothing."""
        known = self._rung(way, plane, serial, _PROMISED)
        return (receipt.time_ms, receipt.reply_by_ms, receipt.answered) > known

    def take(
        self, way: str, plane: Plane, serial: int, receipt: content_pb2.Receipt, now: Instant, *, offset: int = 0
    ) -> None:
        """An answer is promised, by a clock that is `offset` before ours; a newer one takes the place of an older."""
        key, until = (way, plane, serial), receipt.reply_by_ms
        remember(self._lately, (*key, _PROMISED), Rung(receipt.time_ms, until, receipt.answered))
        if self._is_kept(way, plane, serial, receipt):
            if self.open.pop(key, None) is not None:
                self._ctx.out.changes.append(Delete("promise", _row(key)))
            return
        due_at, known = _due(until, offset, now), self.open.get(key)
        # What is overdue stays so until a promise that is worth another alarm: else each word of the peer would ring.
        overdue = known is not None and known.overdue and due_at < now.mono + _SOON
        promise = Promise(until, due_at, overdue, receipt.answered)
        self._take(key, promise)
        self._put(key, promise)

    def _take(self, key: _Key, promise: Promise) -> None:
        self.open[key] = promise
        heapq.heappush(self._agenda, (promise.due_at, key))
        if len(self._agenda) > 2 * len(self.open) + _AT_ONCE:  # most of it was kept since, or promised anew
            self._agenda = [(one.due_at, key) for key, one in self.open.items() if not one.overdue]
            heapq.heapify(self._agenda)

    def _put(self, key: _Key, promise: Promise) -> None:
        row = {**_row(key), "until": promise.until, "overdue": int(promise.overdue)}
        self._ctx.out.changes.append(Put("promise", row))

    def _is_kept(self, way: str, plane: Plane, serial: int, receipt: content_pb2.Receipt) -> bool:
        """Whether the answer is where it belongs already: the promise came after it, or comes again."""
        answer = self._rung(way, plane, serial, _ANSWERED if way == SENT else _ARRIVED).answer
        if answer <= receipt.answered:
            return False
        # It may have come before what it names, and have named another statement.
        content = self._ctx.history.received(plane, answer) if way == SENT else self._said(plane, answer)
        names = None if content is None else decode_statement(content).in_reply_to.statement
        return names in (None, receipt.item[0].statement)

    # --- answers -----------------------------------------------------------------------------------------------------

    def answered_by_us(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """We say `statement`, which may answer one of the peer's."""
        if self._answers(RECEIVED, plane, statement):
            self._climb(RECEIVED, plane, _ANSWERED, statement, now)

    def delivered(self, plane: Plane, serial: int, item: Pending | None, now: Instant) -> None:
        """The peer has our statement of this serial, pending until now as `item`: if it answers, a promise is kept."""
        if plane is Plane.SERVICE:  # nobody promises to answer talk (25.2)
            return
        if item is not None and not item.is_void:
            content = item.content if item.answers else None
        else:
            content = self._said(plane, serial)
        if content is None:
            return
        statement = decode_statement(content)
        if self._answers(RECEIVED, plane, statement) and self._has_authority(plane, statement):
            self._climb(RECEIVED, plane, _ARRIVED, statement, now)
            self._keep(RECEIVED, plane, statement, now)

    def _said(self, plane: Plane, serial: int) -> bytes | None:
        row = self._ctx.history.sent(plane, serial)
        return None if row is None else row.content

    def _has_authority(self, plane: Plane, statement: content_pb2.Statement) -> bool:
        setup = self._ctx.setup
        return judge(setup.release, plane, setup.charter, statement, statement.composed_ms) in ("", RELEASED)

    def answered_by_peer(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """The peer says `statement`; it answers ours if it names the one that we sent under that number."""
        if self._answers(SENT, plane, statement):
            self._climb(SENT, plane, _ANSWERED, statement, now)
            self._keep(SENT, plane, statement, now)

    def _answers(self, way: str, plane: Plane, statement: content_pb2.Statement) -> bool:
        """Whether it names what stands under that serial here, or what a sibling may still bring."""
        if not statement.HasField("in_reply_to") or statement.kind == NON_PAPER:
            return False
        ctx, named = self._ctx, statement.in_reply_to
        inbox, history = ctx.inboxes[plane], ctx.history
        held = inbox.known_hash(named.serial) if way == RECEIVED else history.sent_hash(plane, named.serial)
        return held == named.statement or (held is None and bool(ctx.standing.siblings))

    def _climb(self, way: str, plane: Plane, stage: str, statement: content_pb2.Statement, now: Instant) -> None:
        serial, answer, said = statement.in_reply_to.serial, statement.serial, statement.composed_ms
        if answer <= self._rung(way, plane, serial, stage).answer:
            return
        remember(self._lately, (way, plane, serial, stage), Rung(said, 0, answer))
        by_nobody = content_pb2.Receipt(time_ms=said, answered=answer)
        self._ctx.out.changes.append(rung(way, plane, serial, stage, by_nobody, now))

    def _keep(self, way: str, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        ctx, serial, answer = self._ctx, statement.in_reply_to.serial, statement.serial
        promise = self.open.get((way, plane, serial))
        if promise is None or answer <= promise.after:
            return
        del self.open[way, plane, serial]
        late = int(promise.overdue or promise.due_at <= now.mono)
        ctx.out.changes.append(Delete("promise", _row((way, plane, serial))))
        ctx.record("promise.kept", way=way, plane=plane.value, serial=serial, by=answer, late=late)
        ctx.tell("promise-kept", way=way, plane=plane.value, serial=serial, by=answer, late=late, at=now.wall)

    def _rung(self, way: str, plane: Plane, serial: int, stage: str) -> Rung:
        return self._lately.get((way, plane, serial, stage)) or self._ctx.history.rung(way, plane, serial, stage)

    # --- time --------------------------------------------------------------------------------------------------------

    def due(self, now: Instant) -> None:
        """An answer that has not come in time is an alarm, once."""
        for _ in range(_AT_ONCE):
            at = self.next_deadline()
            if at is None or at > now.mono:
                break
            _, key = heapq.heappop(self._agenda)
            way, plane, serial = key
            promise = self.open[key]
            promise.overdue = True
            self._put(key, promise)
            self._ctx.alarm(
                "promise-overdue", overdue(way, serial), way=way, plane=plane.value, serial=serial, until=promise.until
            )

    def next_deadline(self) -> int | None:
        """When the next answer is due."""
        while self._agenda and not self._is_current(*self._agenda[0]):
            heapq.heappop(self._agenda)
        return self._agenda[0][0] if self._agenda else None

    def _is_current(self, at: int, key: _Key) -> bool:
        promise = self.open.get(key)
        return promise is not None and not promise.overdue and promise.due_at == at


def overdue(way: str, serial: int) -> str:
    """What people are told."""
    if way == SENT:
        return f"the answer to our #{serial} that the peer promised has not come in time"
    return f"the answer to #{serial} that we promised has not reached the peer in time"


def _row(key: _Key) -> dict[str, str | int]:
    way, plane, serial = key
    return {"way": way, "plane": plane.value, "serial": serial}


def _due(until: int, offset: int, now: Instant) -> int:
    """By the monotonic clock from here on: a step of the other one breaks nobody's promise."""
    return now.mono + max(0, until - offset - now.wall)
