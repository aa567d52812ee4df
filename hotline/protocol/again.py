"""What the peer had acknowledged and has lost, and is owed again (docs/protocol.md 10.5)."""

from __future__ import annotations

from hotline.machine import Instant, Plane, Put
from hotline.protocol.context import Context
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.sending import Sending
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import SentRow
from hotline.protocol.voids import filler, void


class Again:
    """Offers a peer that has lost state what it had acknowledged."""

    def __init__(self, context: Context, sending: Sending, mirror: Mirror) -> None:
        self._ctx = context
        self._sending = sending
        self._mirror = mirror

    def offer(self, plane: Plane, after: int, now: Instant) -> None:
        """The peer has lost what it had acknowledged: everything after `after` is owed again."""
        ctx, outbox = self._ctx, self._ctx.outboxes[plane]
        if not (ctx.standing.several or ctx.fellows):  # else it may never have had them
            text = "the peer has lost statements that it had acknowledged"
            ctx.alarm("peer-restored", text, plane=plane.value, through=after)
        last = min(outbox.last_serial, after + ctx.setup.outbox_max)
        for serial in range(after + 1, last + 1):
            if serial not in outbox.pending:
                self._offer_one(plane, serial, now)
        outbox.restored()
        self._sending.pump(now)

    def _offer_one(self, plane: Plane, serial: int, now: Instant) -> None:
        ctx, outbox = self._ctx, self._ctx.outboxes[plane]
        stored = ctx.history.sent(plane, serial)
        if ctx.standing.several and ctx.history.is_nonpaper(plane, serial):
            empty = filler(ctx, plane, serial, now)  # it was for one terminal alone: this one is not to wait for it
            empty.copy = True
            outbox.add(empty)
            return
        if stored is None and self._mirror.lacking.may_come(plane, serial):
            return  # a sibling said it, to another terminal of the peer: it brings it to us, and we to this one
        if stored is None:
            # Given out by a state that we lost: an empty statement closes the gap, or the peer says CONFLICT.
            outbox.add(filler(ctx, plane, serial, now))
            return
        item = _made(serial, stored, now)
        renumbered = ctx.history.has_sent_fact(plane, serial, SentState.RENUMBERED.value)
        expired = ctx.history.has_sent_fact(plane, serial, SentState.EXPIRED.value)
        delivered = ctx.history.has_sent_fact(plane, serial, SentState.DELIVERED.value)
        # The void keeps the predecessor: an emptier one would let later statements overtake earlier ones.
        if renumbered or (expired and not delivered):
            item = void(ctx, plane, item)
        item.copy = ctx.standing.several and delivered
        self._owe(plane, item)

    def _owe(self, plane: Plane, item: Pending) -> None:
        self._ctx.outboxes[plane].add(item)
        if not item.copy:
            key = {"plane": plane.value, "serial": item.serial, "stage": item.state.value}
            self._ctx.out.changes.append(Put("outbox", key))


def _made(serial: int, stored: SentRow, now: Instant) -> Pending:
    statement = decode_statement(stored.content)
    expires_at = now.mono + statement.valid_for_ms
    item = Pending(serial, statement.precedence, stored.content, stored.signature, stored.hash, expires_at)
    item.mark(statement)
    return item
