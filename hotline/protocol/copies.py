"""Copies for terminals that are not the first to have a statement, and what came late (docs/protocol.md 23.4)."""

from __future__ import annotations

from typing import Final

from hotline.limits import MIRROR_BATCH
from hotline.machine import Delete, Instant, Plane
from hotline.protocol.context import Context
from hotline.protocol.lately import remember
from hotline.protocol.neutral import NON_PAPER, VOIDS
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.statements import decode_statement, spans
from hotline.wire.v1 import content_pb2

DOUBTS_ANSWERED_MAX: Final = 16
"""So often a sibling shows what it holds under a serial and knows no end of: then it is asked no more."""


def acknowledged(ctx: Context, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> list[int]:
    """What a terminal holds that is not the first one is owed to it no more; nobody need be told."""
    outbox, copies = ctx.outboxes[plane], []
    for item in receipt.item:
        pending = outbox.pending.get(item.serial)
        if pending is not None and pending.copy and item.statement in pending.names:
            outbox.remove(item.serial, now.mono)
            copies.append(item.serial)
    for line in spans(copies):
        ctx.record("msg.copied", plane=plane.value, serials=line, receipt=name.hex(), **ctx.whose)
    return copies


def copy_again(ctx: Context, plane: Plane, serial: int, sibling: Context) -> bool:
    """A statement of our party goes to a sibling once more, if the record holds it and it is no empty one.

    Whether it is on its way now.
    """
    row, box = ctx.history.sent(plane, serial), sibling.outboxes[plane]
    if serial in box.pending:
        return True
    statement = content_pb2.Statement() if row is None else decode_statement(row.content)
    if row is None or statement.kind in (*VOIDS, NON_PAPER):  # that was said while each party had one terminal alone
        return False
    item = Pending(serial, statement.precedence, row.content, row.signature, row.hash, 0)
    box.add(item.copied(copy=True))
    return True


class Late:
    """What had expired and been told as such, and had arrived all the same (docs/protocol.md 8.4, 12.7, 23.5)."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.doubted: dict[tuple[Plane, int], dict[int, int]] = {}
        """What had expired here when it was let go: a sibling may know that it arrived. How often each has answered."""

    def doubt(self, plane: Plane, serial: int) -> None:
        """Nothing is sent in its place from here any more, so that the peer will not say that it has it."""
        remember(self.doubted, (plane, serial), {})

    def recall(self) -> None:
        """After a start: the newest statements that had expired, and of which the record knows no better end."""
        history = self._ctx.history
        for plane, outbox in self._ctx.outboxes.items():
            for serial in range(max(1, outbox.last_serial - MIRROR_BATCH + 1), outbox.last_serial + 1):
                expired = history.has_sent_fact(plane, serial, SentState.EXPIRED.value)
                if expired and not history.has_sent_fact(plane, serial, SentState.DELIVERED.value):
                    self.doubt(plane, serial)

    def shown(self, plane: Plane, serial: int, sibling: int, times: int = 1) -> None:
        """A terminal of ours has shown what it holds there; if it knows the end, it says that too."""
        answers = self.doubted.get((plane, serial))
        if answers is not None:
            answers[sibling] = answers.get(sibling, 0) + times

    def doubts(self, plane: Plane, sibling: int) -> set[int]:
        """Serials of which this terminal of ours is asked."""
        found = (serial for (one, serial) in self.doubted if one is plane)
        return {serial for serial in found if self.doubted[plane, serial].get(sibling, 0) < DOUBTS_ANSWERED_MAX}

    def is_news(self, plane: Plane, serial: int, statement: bytes) -> bool:
        """Whether it expired here, is the statement of this name, and nobody was told yet that it is delivered."""
        history = self._ctx.history
        expired = history.has_sent_fact(plane, serial, SentState.EXPIRED.value)
        if not expired or history.has_sent_fact(plane, serial, SentState.DELIVERED.value):
            return False
        return history.sent_hash(plane, serial) == statement

    def came(self, plane: Plane, serial: int, now: Instant) -> None:
        """Siblings are told, and the other terminals of the peer get the statement instead of an empty one."""
        ctx, name = self._ctx, self._ctx.history.sent_hash(plane, serial)
        if name is None:
            return
        ctx.out.changes.append(Delete("outbox", {"plane": plane.value, "serial": serial}))
        item = content_pb2.ReceiptItem(serial=serial, statement=name)
        for line in ctx.siblings:
            line.tell_settled(plane, [item], now, expired=False)
        known = ctx.history.sent(plane, serial)
        if known is None:
            return  # its text is gone
        statement = decode_statement(known.content)
        for line in ctx.peers:
            outbox = line.outboxes[plane]
            empty = outbox.pending.get(serial)
            if empty is None or not empty.is_void:
                continue
            high, since = outbox.delivered_high, outbox.delivered_since
            outbox.remove(serial, now.mono)
            full = Pending(serial, statement.precedence, known.content, known.signature, known.hash, 0, copy=True)
            full.mark(statement)
            outbox.add(full)
            outbox.delivered_high, outbox.delivered_since = high, since
