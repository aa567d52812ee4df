"""What the peer had acknowledged and has lost, and is owed again (docs/protocol.md 10.5, 12.12)."""

from __future__ import annotations

from collections.abc import Collection

from hotline.limits import OWED_AGAIN_MAX
from hotline.machine import Instant, Plane, Put
from hotline.protocol.composing import is_full
from hotline.protocol.context import Context
from hotline.protocol.lately import remember
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.sending import Sending
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import SentRow
from hotline.protocol.voids import filler, void
from hotline.wire.v1 import content_pb2


class Again:
    """Knows by what a peer says that it has lost state, and offers it what it had acknowledged."""

    def __init__(self, context: Context, sending: Sending, mirror: Mirror) -> None:
        self._ctx = context
        self._sending = sending
        self._mirror = mirror
        self._contested: dict[tuple[Plane, int], None] = {}
        """Pending, and the peer has named another under its serial."""
        self._moved: dict[tuple[Plane, int], None] = {}
        """Renumbered, and maybe not committed yet."""
        self._times: dict[tuple[Plane, int], int] = {}
        """How often a statement, by its first serial, was owed again on such a word."""
        self._named: dict[tuple[Plane, int], int] = {}
        """When the peer, by its clock, last named another under a serial of ours."""
        self._outdated: dict[tuple[Plane, int], int] = {}
        """How often it acknowledged ours, and that was said before."""

    # --- a whole row -------------------------------------------------------------------------------------------------

    def offer(self, plane: Plane, after: int, now: Instant) -> None:
        """The peer has lost what it had acknowledged: everything after `after` is owed again."""
        ctx, outbox = self._ctx, self._ctx.outboxes[plane]
        if not (ctx.standing.several or ctx.fellows):  # else it may never have had them
            self._alarm(plane, after)
        last = min(outbox.last_serial, after + ctx.setup.outbox_max)
        for serial in range(after + 1, last + 1):
            if serial not in outbox.pending:
                self._offer_one(plane, serial, now)
        outbox.restored()
        self._sending.pump(now)

    def _alarm(self, plane: Plane, after: int) -> None:
        text = "the peer has lost statements that it had acknowledged"
        self._ctx.alarm("peer-restored", text, plane=plane.value, through=after)

    def _offer_one(self, plane: Plane, serial: int, now: Instant) -> None:
        ctx, outbox = self._ctx, self._ctx.outboxes[plane]
        stored = ctx.history.sent(plane, serial)
        if ctx.standing.several and ctx.history.is_nonpaper("sent", plane, serial):
            empty = filler(ctx, plane, serial, now)  # it was for one terminal alone: this one is not to wait for it
            empty.copy = True
            outbox.add(empty)
            return
        if stored is None and self._may_come(plane, serial, now):
            return  # a sibling said it, to another terminal of the peer: it brings it to us, and we to this one
        if stored is None:
            # Given out by a state that we lost: an empty statement closes the gap, or the peer says CONFLICT.
            outbox.add(filler(ctx, plane, serial, now))
            return
        item = _made(serial, stored, now)
        renumbered = self.has_moved(plane, serial)
        expired = ctx.history.has_sent_fact(plane, serial, SentState.EXPIRED.value)
        delivered = ctx.history.has_sent_fact(plane, serial, SentState.DELIVERED.value)
        # The void keeps the predecessor: an emptier one would let later statements overtake earlier ones.
        if renumbered or (expired and not delivered):
            item = void(ctx, plane, item)
        item.copy = ctx.standing.several and delivered
        self._owe(plane, item)

    def _may_come(self, plane: Plane, serial: int, now: Instant) -> bool:
        """Whether it is a sibling's: what no terminal of the peer has is not said any more (23.6)."""
        lacking = self._mirror.lacking
        return lacking.peer_has(plane) >= serial and lacking.may_come(plane, serial, now)

    def _owe(self, plane: Plane, item: Pending) -> None:
        self._ctx.outboxes[plane].add(item)
        if not item.copy:
            key = {"plane": plane.value, "serial": item.serial, "stage": item.state.value}
            self._ctx.out.changes.append(Put("outbox", key))

    # --- one statement -----------------------------------------------------------------------------------------------

    def doubt(self, plane: Plane, receipt: content_pb2.Receipt, now: Instant, *, taken: Collection[int] = ()) -> None:
        """The peer names what is in `receipt`; the serials `taken` are acknowledged by that.

        Who has acknowledged our statement of a serial, and names another one, before or after, has lost one of them.
        Ours is offered again under its serial: the peer acknowledges it, or says CONFLICT, and it is renumbered.
        """
        ctx, outbox, lost = self._ctx, self._ctx.outboxes[plane], []
        if ctx.standing.several or ctx.fellows:  # another one may have acknowledged it, or sees the two (23.8, 26.11)
            return
        for item in receipt.item:
            pending = outbox.pending.get(item.serial)
            if pending is not None:
                if not pending.is_void and item.statement not in pending.names:
                    remember(self._contested, (plane, item.serial), None)
                    self._note(plane, item.serial, receipt.time_ms)
            elif item.serial not in taken or (plane, item.serial) in self._contested:
                owed = self._lost(plane, item, receipt.time_ms, now)
                if owed is not None:
                    self._owe(plane, owed)
                    lost.append(item.serial)
        if lost:
            self._alarm(plane, min(lost) - 1)
            self._sending.pump(now)

    def _note(self, plane: Plane, serial: int, at: int) -> None:
        remember(self._named, (plane, serial), max(at, self._named.get((plane, serial), 0)))

    def outdated(self, plane: Plane, serial: int, at: int) -> bool:
        """Whether the peer has named another there since `at`, when it acknowledged ours. A few times: clocks lie."""
        key = (plane, serial)
        if at >= self._named.get(key, 0):
            return False
        times = self._outdated.get(key, 0)
        remember(self._outdated, key, times + 1)
        return times < OWED_AGAIN_MAX

    def _lost(self, plane: Plane, item: content_pb2.ReceiptItem, at: int, now: Instant) -> Pending | None:
        """Our statement of this serial, which is not pending, if the peer has lost it and is to have it still."""
        ctx, key = self._ctx, (plane, item.serial)
        contested = key in self._contested
        self._contested.pop(key, None)
        stored = None if is_full(ctx, plane) else ctx.history.sent(plane, item.serial)
        if stored is None or (stored.hash == item.statement and not contested):
            return None
        if stored.hash != item.statement:
            self._note(plane, item.serial, at)
        expired = ctx.history.has_sent_fact(plane, item.serial, SentState.EXPIRED.value)
        if expired or self.has_moved(plane, item.serial):
            return None
        owed = _made(item.serial, stored, now)
        key = plane, decode_statement(stored.content).first_serial or item.serial
        times = self._times.get(key, 0)
        remember(self._times, key, times + 1)
        return None if owed.is_nonpaper or times >= OWED_AGAIN_MAX else owed

    def has_moved(self, plane: Plane, serial: int) -> bool:
        """Whether our statement of this serial goes on under another one."""
        key, state = (plane, serial), SentState.RENUMBERED.value
        return key in self._moved or self._ctx.history.has_sent_fact(plane, serial, state)

    def moved(self, plane: Plane, serial: int) -> None:
        """From now on it does."""
        remember(self._moved, (plane, serial), None)


def _made(serial: int, stored: SentRow, now: Instant) -> Pending:
    statement = decode_statement(stored.content)
    expires_at = now.mono + statement.valid_for_ms
    item = Pending(serial, statement.precedence, stored.content, stored.signature, stored.hash, expires_at)
    item.mark(statement)
    return item
