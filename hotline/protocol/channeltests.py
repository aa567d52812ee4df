"""Channel tests by schedule: when one is sent, and when one is missed (docs/protocol.md 8.5, 10.7 to 10.9).

The wall clock chooses the moment and nothing else; what is late is decided by the monotonic clock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from hotline.errors import LocalError
from hotline.limits import TEST_GRACE_MAX, TEST_VALIDITY_UNSCHEDULED
from hotline.machine import Instant, Plane, Private, Put, Reply
from hotline.protocol.composing import check_room
from hotline.protocol.context import Context
from hotline.protocol.events import SendTest
from hotline.protocol.neutral import DRAFTER, LANGUAGE, TEXTS
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.sending import Sending
from hotline.protocol.tables import Saved
from hotline.wire.v1 import content_pb2

_FACT: Final = "channel.tests"
_NO_SLOT: Final = -1


@dataclass(slots=True)
class Kept:
    """What a restart must know of the tests so far. Serials and counts; times are written ones."""

    interval: int = 0
    slot: int = _NO_SLOT
    """The last slot of ours that is served."""
    sent: int = 0
    sent_at: int = 0
    ended: str = ""
    """Of the last test sent, once it is decided: delivered or expired."""
    received: int = 0
    received_at: int = 0
    missed: int = 0
    """Tests of the peer that did not come, since the last one that did."""
    undelivered: int = 0
    """Tests of ours without a receipt in time, since the last one that had it."""
    alarmed: int = 0
    """The highest serial of ours that an alarm has told of."""


class ChannelTests:
    """Sends our tests, expects the peer's."""

    def __init__(self, context: Context, sending: Sending) -> None:
        self._ctx = context
        self._sending = sending
        self.interval = context.setup.channel_test_ms
        self.kept = Kept()
        self._turns = sorted((context.setup.local.number, context.setup.remote.number))
        """Who sends the test of a slot: the terminals in turn."""
        self._leads = True
        self._fellows: list[ChannelTests] = []
        self._late_at: dict[int, int] = {}
        """Our tests under way, and when their receipt is late."""
        self._missed_at = 0
        self._served_at: int | None = None
        """When a slot of ours was served last in this run, by the monotonic clock."""
        self._send_at = 0
        self._met = False

    def among(self, terminals: Sequence[int], fellows: Sequence[ChannelTests], *, leads: bool) -> None:
        """There are several parties: one of our endpoints sends our tests, which are for all of them (26.9)."""
        self._turns, self._fellows, self._leads = sorted(terminals), list(fellows), leads

    @property
    def _patience(self) -> int:
        """In what time everybody has had a turn."""
        return len(self._turns) * self.interval

    @property
    def _free_at(self) -> int:
        """Before this no test of the schedule in force, whatever the wall clock says."""
        return 0 if self._served_at is None else self._served_at + self.interval // 2

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what was sent, received and missed, and which tests are under way."""
        for row in saved.rows("fact"):
            if row["name"] == _FACT and isinstance(row["value"], bytes):
                self.kept = Kept(**json.loads(row["value"]))
        if self.interval:
            pending = self._ctx.outboxes[Plane.REAL].pending.values()
            self._late_at = {
                item.serial: now.mono + self.grace
                for item in pending
                if item.is_test and not item.is_void and item.serial > self.kept.alarmed
            }
        self._missed_at = now.mono + self._patience + self.grace

    @property
    def grace(self) -> int:
        """How late a test or its receipt may be, in milliseconds."""
        return min(TEST_GRACE_MAX, self.interval // 4)

    def amended(self, now: Instant) -> None:
        """Another interval may be in force."""
        if self.interval != self._ctx.setup.channel_test_ms:
            self.interval = self._ctx.setup.channel_test_ms
            self._missed_at = now.mono + self._patience + self.grace
            self.started(now)

    def started(self, now: Instant) -> None:
        """A terminal that is new to this schedule begins with its next slot; one that was away does what is due."""
        if self.kept.interval != self.interval:
            self.kept.interval = self.interval
            self.kept.slot = self._slot(now) if self.interval else _NO_SLOT
            if not self.interval:  # nobody misses any more what is under way
                self._late_at.clear()
                self.kept.missed = self.kept.undelivered = 0
            self._keep()
        self._send_at = now.mono

    # --- out ---------------------------------------------------------------------------------------------------------

    def ask(self, event: SendTest, now: Instant) -> None:
        """An officer wants a test now, apart from the schedule."""
        try:
            check_room(self._ctx, Plane.REAL)
        except LocalError as error:
            self._ctx.out.replies.append(Reply(event.request, False, "full", str(error)))
            return
        statement = self._statement()
        item = self._send(statement, now)
        self._ctx.record("test.asked", {"officer": Private(event.officer.encode())}, serial=item.serial)
        self._sending.answer(event.request, item, statement)

    def _statement(self) -> content_pb2.Statement:
        serial = self._ctx.outboxes[Plane.REAL].last_serial + 1
        return content_pb2.Statement(
            precedence=content_pb2.PRECEDENCE_ROUTINE,
            kind=content_pb2.STATEMENT_KIND_TEST,
            language=LANGUAGE,
            direction=content_pb2.DIRECTION_LTR,
            drafter=DRAFTER,
            text=TEXTS[serial % len(TEXTS)],
            valid_for_ms=self.interval // 2 or TEST_VALIDITY_UNSCHEDULED,
        )

    def _send(self, statement: content_pb2.Statement, now: Instant) -> Pending:
        item = self._sending.say(Plane.REAL, statement, now)
        for one in (self, *self._fellows):
            one._sent(item.serial, now)
        self._sending.pump_all(now)
        return item

    def _sent(self, serial: int, now: Instant) -> None:
        self.kept.sent, self.kept.sent_at, self.kept.ended = serial, now.wall, ""
        if self.interval:
            self._late_at[serial] = now.mono + self.grace
        self._note("sent", serial, now.wall)
        self._keep()

    def _by_schedule(self, slot: int, now: Instant) -> None:
        self.kept.slot = slot
        self._served_at = now.mono
        try:
            check_room(self._ctx, Plane.REAL)
        except LocalError as error:
            self._undelivered(0, f"the channel test of this slot was not sent: {error}")
            return
        self._send(self._statement(), now)

    def delivered(self, serial: int, now: Instant) -> None:
        """The peer's receipt for a test of ours is here."""
        self._late_at.pop(serial, None)
        if serial == self.kept.sent:
            self.kept.ended = SentState.DELIVERED.value
        if self.kept.undelivered:
            self._resumed("sent", serial, self.kept.undelivered, now)
            self.kept.undelivered = 0
        self._keep()

    def renumbered_all(self, serial: int, new: int, now: Instant) -> None:
        """The same for every party, where there are several."""
        for one in (self, *self._fellows):
            one.renumbered(serial, new, now)

    def renumbered(self, serial: int, new: int, now: Instant) -> None:
        """After a loss of state a test of ours goes on under another serial."""
        if serial in self._late_at:
            self._late_at[new] = self._late_at.pop(serial)
        if serial == self.kept.sent:
            self.kept.sent = new
        self._note("sent", new, now.wall)
        self._keep()

    # --- in ----------------------------------------------------------------------------------------------------------

    def arrived(self, serial: int, now: Instant) -> None:
        """A test of the peer is here."""
        self._missed_at = now.mono + self._patience + self.grace
        self.kept.received, self.kept.received_at = serial, now.wall
        if self.kept.missed:
            self._resumed("received", serial, self.kept.missed, now)
            self.kept.missed = 0
        self._note("received", serial, now.wall)
        self._keep()

    # --- time --------------------------------------------------------------------------------------------------------

    def due(self, now: Instant) -> None:
        """Send the test of a slot of ours, and raise the alarms that are due."""
        self._look_after(now)
        if not self.interval:
            return
        heard = [line.peer.heard_at for line in self._ctx.peers if line.peer.heard_at is not None]
        if heard and not self._met:
            self._met = True
            self._missed_at = min(heard) + self._patience + self.grace
        if self._missed_at <= now.mono:
            self._missed_at = now.mono + self._patience
            self._missed(now)
        # Of a sibling that has taken over the peer would have told; a test takes a number, as any statement.
        knows = bool(heard) or not self._ctx.standing.siblings
        slot = self._slot(now)
        if self._is_ours(slot) and not self._ctx.standing.active:
            self.kept.slot = slot  # the terminal that speaks sends it
        elif self._is_ours(slot) and slot != self.kept.slot and self._free_at <= now.mono and knows:
            self._by_schedule(slot, now)
        self._send_at = now.mono + (self.next_due(now) - now.wall if knows else self.interval)

    def next_due(self, now: Instant) -> int:
        """The wall time of our next test by schedule."""
        slot = self._slot(now)
        if self._is_ours(slot) and slot != self.kept.slot:
            at = now.wall
        else:
            turn, turns = self._turns.index(self._ctx.setup.local.number), len(self._turns)
            at = (slot + 1 + (turn - slot - 1) % turns) * self.interval
        return max(at, now.wall + self._free_at - now.mono)

    def outcome(self) -> str:
        """What has become of our last test: queued, relayed, delivered or expired, also if it was given up (23.6)."""
        item = self._ctx.outboxes[Plane.REAL].pending.get(self.kept.sent)
        return self.kept.ended or (item.state.value if item is not None else SentState.EXPIRED.value)

    def next_deadline(self) -> int | None:
        """When something is due."""
        return min((self._send_at, self._missed_at, *self._late_at.values())) if self.interval else None

    def _slot(self, now: Instant) -> int:
        return now.wall // self.interval

    def _is_ours(self, slot: int) -> bool:
        return self._leads and self._turns[slot % len(self._turns)] == self._ctx.setup.local.number

    def _look_after(self, now: Instant) -> None:
        """Tests under way whose receipt is late, and the last one's end if nobody acknowledged it."""
        pending = self._ctx.outboxes[Plane.REAL].pending
        for serial, at in list(self._late_at.items()):
            if serial not in pending:
                del self._late_at[serial]
            elif at <= now.mono:
                del self._late_at[serial]
                self.kept.alarmed = max(self.kept.alarmed, serial)
                text = f"our channel test #{serial} has no receipt after {self.grace // 1_000} s"
                self._undelivered(serial, text)
        last = pending.get(self.kept.sent)
        if last is not None and last.is_void and not self.kept.ended:
            self.kept.ended = SentState.EXPIRED.value
            self._keep()

    # --- the record --------------------------------------------------------------------------------------------------

    def _undelivered(self, serial: int, text: str) -> None:
        self.kept.undelivered += 1
        self._ctx.alarm("test-undelivered", text, serial=serial, missed=self.kept.undelivered)
        self._keep()

    def _missed(self, now: Instant) -> None:
        self.kept.missed += 1
        seconds = (self._patience + self.grace) // 1_000
        text = f"no channel test of the peer has come for {seconds} s or more: look at the line"
        self._ctx.alarm("test-missed", text, missed=self.kept.missed, at=now.wall)
        self._note("missed", 0, now.wall)
        self._keep()

    def _resumed(self, way: str, serial: int, missed: int, now: Instant) -> None:
        self._ctx.record("test.resumed", way=way, serial=serial, missed=missed)
        self._ctx.tell("test-resumed", way=way, serial=serial, missed=missed, at=now.wall)

    def _note(self, way: str, serial: int, at: int) -> None:
        self._ctx.out.changes.append(Put("channel_test", {"at": at, "way": way, "serial": serial}))

    def _keep(self) -> None:
        value = json.dumps(asdict(self.kept), sort_keys=True).encode()
        self._ctx.out.changes.append(Put("fact", {"name": _FACT, "value": value}))
