"""What comes back for our statements: custody, receipts, and what a loss of state asks for (docs/protocol.md 9, 12)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from hotline.limits import RENUMBERED_MAX, SERIAL_MAX, SIGNATURES_TRIED_MAX
from hotline.machine import Delete, Instant, Plane, Private, Put
from hotline.protocol import copies, modes
from hotline.protocol.again import Again
from hotline.protocol.allowance import Allowance
from hotline.protocol.challenges import Challenges
from hotline.protocol.channeltests import ChannelTests
from hotline.protocol.context import Context
from hotline.protocol.custody import parse_custody, verify_custody
from hotline.protocol.entries import said
from hotline.protocol.heads import said_head
from hotline.protocol.lately import remember
from hotline.protocol.mirror import Mirror
from hotline.protocol.nonpapers import Name, size_class
from hotline.protocol.outbox import LEFT, Pending, SentState
from hotline.protocol.paths import Path
from hotline.protocol.promises import SENT, Promises
from hotline.protocol.receipts import note, rung
from hotline.protocol.sending import Sending
from hotline.protocol.statements import decode_statement, fits_renumbered, spans
from hotline.protocol.tables import Row
from hotline.protocol.voids import void
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2, frame_pb2


class Answers:
    """Everything that reaches an endpoint about its own statements."""

    def __init__(
        self,
        context: Context,
        sending: Sending,
        tests: ChannelTests,
        promises: Promises,
        challenges: Challenges,
        mirror: Mirror,
    ) -> None:
        self._ctx = context
        self._mirror = mirror
        self._sending = sending
        self.again = Again(context, sending, mirror)
        self._tests = tests
        self._promises = promises
        self._challenges = challenges
        self._told_restored: set[Plane] = set()
        self._credence = context.credence
        self._vain = Allowance(SIGNATURES_TRIED_MAX)
        self._moves: dict[tuple[Plane, int], int] = {}
        """Of several parties or terminals: new serials that statements took on this one's word, by the first one."""

    def custody(self, path: Path, frame: frame_pb2.Custody, now: Instant) -> None:
        """A relay signs for envelopes. Raises RemoteError if the signature or the text is not right."""
        body = self._news_of_custody(path, frame, now)
        if body is None:
            return
        held: dict[Plane, list[int]] = {}
        quiet: dict[Plane, list[int]] = {}
        for plane, outbox in self._ctx.outboxes.items():
            for name in body.envelope:
                item = outbox.in_custody(name, path.setup.name, now.mono)
                if item is None:
                    continue
                (quiet if item.is_nonpaper else held).setdefault(plane, []).append(item.serial)
                if item.state is SentState.QUEUED and not item.copy:
                    item.state = SentState.RELAYED
                    item.relayed_by = path.setup.name
                    self._sending.fact(plane, item.serial, SentState.RELAYED, now, path.setup.name, test=item.is_test)
        self._enter_custody(path, frame, held, quiet, kept=not self._ctx.nonpapers.any_of(body.envelope))
        self._sending.pump(now)

    def _news_of_custody(self, path: Path, frame: frame_pb2.Custody, now: Instant) -> frame_pb2.CustodyBody | None:
        """What it says, verified; None if there is nothing to learn from it, or this relay has forged too many."""
        setup, relay = self._ctx.setup, path.setup.name
        outboxes = [outbox for outbox in self._ctx.outboxes.values() if outbox.pending]
        if not outboxes:
            return None
        body = parse_custody(setup.charter, setup.local.number, frame)
        news = any(outbox.awaits(name, relay) for name in body.envelope for outbox in outboxes)
        if not (news and self._vain.spend(relay, 1, now)):
            return None
        verify_custody(path.setup.signing, frame)
        self._vain.give_back(relay, 1)
        return body

    def _enter_custody(
        self,
        path: Path,
        frame: frame_pb2.Custody,
        held: dict[Plane, list[int]],
        quiet: dict[Plane, list[int]],
        *,
        kept: bool,
    ) -> None:
        """What a relay signed is evidence, and kept; but not if it names the envelope of a non-paper (22.5)."""
        relay, receipt = path.setup.name, {}
        if kept:
            name = hashlib.sha256(frame.body).digest()
            row: Row = {"hash": name, "relay": relay, "body": frame.body, "signature": frame.signature}
            self._ctx.out.changes.append(Put("custody", row))
            receipt["receipt"] = name.hex()
        for plane, serials in held.items():
            for line in spans(serials):
                self._ctx.record(
                    "msg.custody", plane=plane.value, relay=relay, serials=line, **receipt, **self._ctx.whose
                )
        for plane, serials in quiet.items():
            for line in spans(serials):
                self._ctx.record("nonpaper.custody", plane=plane.value, relay=relay, serials=line)

    def delivered(self, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        """The peer's terminal holds these statements."""
        copied = self._copies(plane, receipt, name, now)
        if self._ctx.sibling:  # it has the copy; whether the peer has anything is another question
            self._mirror.acknowledged(self._ctx, plane, copied, now)
            self._sending.pump(now)
            return
        serials = self._deliver(plane, receipt, receipt.item, name, now)
        if serials or copied:
            self._sending.pump(now)
        self.again.doubt(plane, receipt, now, taken=set(serials))

    def _copies(self, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> list[int]:
        for item in receipt.item:
            pending = self._ctx.outboxes[plane].pending.get(item.serial)
            if pending is None and self._ctx.standing.siblings and not self._ctx.sibling:
                self._mirror.heard_of(self._ctx, plane, item, name)
        return copies.acknowledged(self._ctx, plane, receipt, name, now)

    def _deliver(
        self,
        plane: Plane,
        receipt: content_pb2.Receipt,
        items: Iterable[content_pb2.ReceiptItem],
        name: bytes,
        now: Instant,
    ) -> list[int]:
        """Of `items` those that are no longer owed on the word of this receipt; each has its entry."""
        serials = [item.serial for item in items if self._deliver_one(plane, item, receipt.time_ms, now)]
        head = said_head(receipt.checkpoint, self._ctx.setup.remote_log)
        for line in spans(serials):
            self._ctx.record(
                "msg.delivered", plane=plane.value, serials=line, receipt=name.hex(), **head, **self._ctx.whose
            )
        return serials

    def _deliver_one(self, plane: Plane, named: content_pb2.ReceiptItem, at: int, now: Instant) -> bool:
        outbox, serial, statement = self._ctx.outboxes[plane], named.serial, named.statement
        item = outbox.pending.get(serial)
        if item is None or item.copy:
            return self._deliver_late(plane, serial, statement, now)
        if statement not in item.names or (not item.is_void and self.again.outdated(plane, serial, at)):
            return False
        outbox.remove(serial, now.mono)
        self._ctx.heard_elsewhere(plane, serial)
        self._ctx.out.changes.append(Delete("outbox", {"plane": plane.value, "serial": serial}))
        if item.is_void and statement != item.original_hash:
            return True
        self._tell_delivered(plane, serial, now, test=item.is_test)
        self._promises.delivered(plane, serial, item, now)
        if item.is_void:
            self._mirror.late.came(plane, serial, now)
        if item.is_test:
            self._tests.delivered(serial, now)
        elif item.state is SentState.QUEUED and item.envelope is not None and not item.is_nonpaper:
            # No relay has signed for it: when it left is known from nothing else (20.12).
            left: dict[str, str | int | bytes | None] = {"at": now.wall - (now.mono - item.sent_at), "by": ""}
            row = {"plane": plane.value, "serial": serial, "stage": LEFT, "evidence": None, **left}
            self._ctx.out.changes.append(Put("sent_fact", row))
        return True

    def _deliver_late(self, plane: Plane, serial: int, statement: bytes, now: Instant) -> bool:
        """It had expired and its void was taken; a peer that lost that may still be given the original by a relay."""
        if not self._mirror.late.is_news(plane, serial, statement):
            return False
        known = self._ctx.history.sent(plane, serial)
        is_test = known is not None and decode_statement(known.content).kind == content_pb2.STATEMENT_KIND_TEST
        self._tell_delivered(plane, serial, now, test=is_test)
        self._promises.delivered(plane, serial, None, now)
        self._mirror.late.came(plane, serial, now)
        return True

    def _tell_delivered(self, plane: Plane, serial: int, now: Instant, *, test: bool) -> None:
        self._sending.fact(plane, serial, SentState.DELIVERED, now, self._ctx.setup.remote.name, test=test)

    def said(self, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        """What a named officer of the peer did with these statements; it is noted whether or not it is news."""
        ours, noted = set[int](), []
        self._deliver(plane, receipt, receipt.item, name, now)
        for item in receipt.item:
            known = self._ctx.history.sent_hash(plane, item.serial)  # its text may be gone
            if known is None and self._mirror.lacking.may_come(plane, item.serial, now):
                continue  # a sibling said it: once it is here, we are told again
            noted.append(item)
            if known != item.statement:
                continue
            if self.again.has_moved(plane, item.serial):
                if receipt.stage == content_pb2.STAGE_REPLY_BY:  # whoever holds it is owed the answer by name
                    self._promised(plane, item.serial, receipt, name, now)
                continue
            ours.add(item.serial)
            match receipt.stage:
                case content_pb2.STAGE_READ:
                    self._read(plane, item.serial, receipt, name, now)
                case content_pb2.STAGE_SHOWN:
                    self._shown(plane, item.serial, receipt, name, now)
                case _:
                    self._promised(plane, item.serial, receipt, name, now)
        self.again.doubt(plane, receipt, now, taken=ours)
        if not noted:
            return
        # Noted even if we do not know it: after a loss of state it would be repeated for ever.
        content = note(receipt, noted, now.wall)
        self._ctx.send_content(plane, ContentType.RECEIPT, content, now, transient=True, urgent=False)

    def _is_news(self, plane: Plane, serial: int, state: SentState) -> bool:
        return not self._ctx.history.has_sent_fact(plane, serial, state.value)

    def _read(self, plane: Plane, serial: int, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        if not self._is_news(plane, serial, SentState.READ):
            return
        self._ctx.out.changes += self._ctx.nonpapers.finish(Name("sent", plane, serial), now)
        self._sending.fact(plane, serial, SentState.READ, now, receipt.officer)
        officer = {"officer": Private(receipt.officer.encode())}
        self._ctx.record("msg.read", officer, plane=plane.value, serial=serial, receipt=name.hex())

    def _shown(self, plane: Plane, serial: int, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        if not self._is_news(plane, serial, SentState.SHOWN):
            return
        self._sending.fact(plane, serial, SentState.SHOWN, now, receipt.officer)
        self._ctx.out.changes.append(rung(SENT, plane, serial, "shown", receipt, now))
        shown_to = {"officer": Private(receipt.officer.encode()), "principal": Private(receipt.principal.encode())}
        self._ctx.record("peer.shown", shown_to, plane=plane.value, serial=serial, receipt=name.hex())

    def _promised(self, plane: Plane, serial: int, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        """The newest promise counts: one that a relay held back undoes none that was said after it."""
        ctx = self._ctx
        if not self._promises.is_newest(SENT, plane, serial, receipt):
            return
        ctx.out.changes.append(rung(SENT, plane, serial, "reply-by", receipt, now))
        until = receipt.reply_by_ms
        officer = {"officer": Private(receipt.officer.encode())}
        ctx.record("peer.promised", officer, plane=plane.value, serial=serial, until=until, receipt=name.hex())
        self._promises.take(SENT, plane, serial, receipt, now, offset=ctx.peer.clock_offset_ms or 0)
        ctx.tell("promise", way=SENT, plane=plane.value, serial=serial, officer=receipt.officer, until=until)

    # --- after loss of state -----------------------------------------------------------------------------------------

    def conflict(self, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        """The peer holds other statements under these serials: ours were given out twice, after a loss of state."""
        if not self._ctx.sibling:
            self._arrived(plane, receipt, name, now)
        if self._ctx.sibling or not self._ctx.standing.active:
            self._mirror.refused(self._ctx, plane, receipt, now)
            return
        outbox = self._ctx.outboxes[plane]
        if receipt.received_through > outbox.last_serial:
            self.skip_to(plane, receipt.received_through, now)
        clashing, lost = [], False
        for item in receipt.item:
            pending = outbox.pending.get(item.serial)
            if pending is None or item.statement in pending.names:
                continue
            clashing.append(item.serial)
            # Our own void under this serial is no sign of a lost state: it overtook the statement.
            lost = lost or item.statement != void(self._ctx, plane, pending).hash
        if lost:
            self.skip_to(plane, receipt.received_through, now)
        anew = [serial for serial in clashing if not self._mirror.judged(self._ctx, plane, outbox.pending[serial], now)]
        if anew:
            self.renumber({plane: anew}, now)
        self.again.doubt(plane, receipt, now)

    def _arrived(self, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        """What expired here and had arrived before: the void that should close the gap finds none."""
        self._copies(plane, receipt, name, now)
        self._mirror.named(self._ctx, plane, receipt.item, now)
        pending = self._ctx.outboxes[plane].pending
        named = receipt.item
        other = [one for one in named if one.serial not in pending or pending[one.serial].hash != one.statement]
        self._deliver(plane, receipt, other, name, now)

    def renumber(self, anew: Mapping[Plane, Iterable[int]], now: Instant, *, hearsay: bool = False) -> None:
        """Give unacknowledged statements new serials beyond everything the peer has seen; then they are sent."""
        for plane, serials in anew.items():
            for serial in sorted(serials):
                self._renumber_one(plane, serial, now, hearsay=hearsay)
            for one in (self._ctx, *self._ctx.fellows):
                one.outboxes[plane].restored()
        self._sending.pump_all(now)

    def _renumber_one(self, plane: Plane, serial: int, now: Instant, *, hearsay: bool) -> None:
        ctx, every = self._ctx, (self._ctx, *self._ctx.fellows)
        held = [one.outboxes[plane].pending.get(serial) for one in every]
        item = next((one for one in held if one is not None and not one.is_void), None)
        if item is not None and self._contradicts_all(plane, item, now, hearsay=hearsay):
            return
        statement = self._under_next(plane, serial, item)
        if item is not None and statement is None:
            for one, was, sending in zip(every, held, (self._sending, *self._sending.fellows), strict=True):
                if was is not None and was.copy:  # another terminal of the peer has it
                    one.outboxes[plane].remove(serial, now.mono)
                elif was is not None and not was.is_void:
                    sending.give_up(plane, was, now, "it cannot be said under another serial")
            return
        ctx.drop(plane, serial, now)
        for one in every:
            one.out.changes.append(Delete("outbox", {"plane": plane.value, "serial": serial}))
        if statement is None:
            return  # an empty one goes on nowhere
        self.again.moved(plane, serial)
        moved = self._sending.take(plane, statement, now)
        for sending in (self._sending, *self._sending.fellows):
            sending.fact(plane, serial, SentState.RENUMBERED, now, str(moved.serial), test=moved.is_test)
        if moved.is_test:
            self._tests.renumbered_all(serial, moved.serial, now)
        if plane is Plane.SERVICE:
            self._challenges.renumbered(serial, moved.serial, now)
        for one, was, sending in zip(every, held, (self._sending, *self._sending.fellows), strict=True):
            self._enter_renumbered(one, plane, serial, moved, statement)
            sending.leave_out(plane, moved, now, expired=was is not None and was.is_void)
        ctx.tell("renumbered", plane=plane.value, serial=serial, new=moved.serial)

    def _under_next(self, plane: Plane, serial: int, item: Pending | None) -> content_pb2.Statement | None:
        """The same under the serial after the last one; None if there is none, or no envelope would hold it."""
        if item is None:
            return None
        statement = decode_statement(item.content)
        statement.first_serial = statement.first_serial or serial
        statement.serial = self._ctx.outboxes[plane].last_serial + 1
        return statement if statement.serial <= SERIAL_MAX and fits_renumbered(statement) else None

    def _contradicts_all(self, plane: Plane, item: Pending, now: Instant, *, hearsay: bool) -> bool:
        """Whether one of several contradicts it under too many serials: it goes without, unless it heard so.

        Of several parties it has expired for that one; of several terminals it is for the others, or is there.
        """
        ctx, elsewhere = self._ctx, item.copy or self._waits_elsewhere(plane, item.serial)
        if not (ctx.fellows or elsewhere):
            return False
        key = (plane, decode_statement(item.content).first_serial or item.serial)
        times = self._moves.get(key, 0)
        remember(self._moves, key, times + 1)
        if times < RENUMBERED_MAX:
            return False
        own = ctx.outboxes[plane].pending.get(item.serial)
        if not ctx.fellows:
            ctx.outboxes[plane].remove(item.serial, now.mono)
        elif own is not None and not (own.is_void or hearsay):
            self._sending.expire(plane, own, now, "the peer contradicts it under every serial")
        return True

    def _waits_elsewhere(self, plane: Plane, serial: int) -> bool:
        """Whether another terminal of the peer is still to get it."""
        held = (line.outboxes[plane].pending.get(serial) for line in self._ctx.peers if line is not self._ctx)
        return any(item is not None and not item.is_void for item in held)

    def _enter_renumbered(
        self, ctx: Context, plane: Plane, serial: int, moved: Pending, statement: content_pb2.Statement
    ) -> None:
        new, name = moved.serial, moved.hash.hex()
        if moved.is_nonpaper:
            modes.destroy(ctx, Name("sent", plane, serial))
            size = size_class(moved.content)
            ctx.record("nonpaper.renumbered", plane=plane.value, serial=serial, new=new, size=size)
            return
        ctx.record("msg.renumbered", said(statement), plane=plane.value, serial=serial, new=new, statement=name)

    def skip_to(self, plane: Plane, serial: int, now: Instant, *, hearsay: bool = False) -> bool:
        """We lost state: the peer holds serials of ours up to here that we may not give out again. False: too many.

        What is pending stays as it is. The peer may hold it already; if it holds something else, it says CONFLICT.
        """
        ctx = self._ctx
        if not self._credence.believes(plane, serial, now, hearsay=hearsay):
            return False
        if plane not in self._told_restored:
            self._told_restored.add(plane)
            if ctx.standing.siblings:
                text = (
                    "the peer holds statements of our party that this record lacks: another terminal of ours said them"
                )
                ctx.alarm("sibling-said", text, plane=plane.value, through=serial)
            else:
                text = (
                    "the peer holds statements of ours that we do not know: this terminal was restored from an older "
                    "state"
                )
                ctx.alarm("restored", text, plane=plane.value, through=serial)
        ctx.raise_serial(plane, serial)
        for line in ctx.peers:  # those of its terminals that lack these serials get an empty statement for each
            line.outboxes[plane].restored()
        return True
