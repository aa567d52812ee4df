"""The journey out: submit, seal, send, repeat, and what comes back for it (docs/protocol.md section 12)."""

from __future__ import annotations

import hashlib

from hotline.errors import LocalError
from hotline.limits import SERIAL_MAX
from hotline.machine import Instant, Plane, Put, Reply, RequestId
from hotline.protocol import modes
from hotline.protocol.composing import check_authority, code_of, compose, is_full
from hotline.protocol.context import Context
from hotline.protocol.corrections import Corrections
from hotline.protocol.entries import references, said
from hotline.protocol.events import Submit
from hotline.protocol.groups import Groups
from hotline.protocol.language import link, translated
from hotline.protocol.neutral import NON_PAPER, kind_word
from hotline.protocol.nonpapers import Name
from hotline.protocol.outbox import BESIDE, Pending, SentState
from hotline.protocol.ownlog import OwnLog
from hotline.protocol.paths import Path, PathState
from hotline.protocol.promises import Promises
from hotline.protocol.statements import (
    decode_statement,
    statement_name,
)
from hotline.protocol.tables import Saved
from hotline.protocol.talk import UNDER_WAY_MAX, Talk
from hotline.protocol.voids import filler, void
from hotline.wire.codec import encode
from hotline.wire.envelope import EPOCH_ID_SIZE
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2

_RESEAL_AFTER = 3
"""Attempts after which an unanswered statement is sealed anew: the envelope itself may be what fails."""
_UNHEARD_FACTOR = 6
"""While the peer is not heard, retransmission is this many times rarer: relays hold what they signed for."""


class Sending:
    """Everything an endpoint does for its own statements."""

    def __init__(self, context: Context, own_log: OwnLog, promises: Promises) -> None:
        self._ctx = context
        self._own_log = own_log
        self._promises = promises
        self.fellows: list[Sending] = []
        """Those of the same terminal for the other parties, where there are several: what one takes, all take."""
        self._talk = Talk(context)
        self._corrections = Corrections(context)
        self._gone: list[tuple[Plane, int]] = []
        """What waits at the start, and whose text is gone."""
        self._groups = Groups(context.history, lambda plane: context.outboxes[plane].last_serial)

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up the statements that were not acknowledged when the last run ended."""
        for row in saved.rows("outbox"):
            plane, serial = Plane(str(row["plane"])), row["serial"]
            assert isinstance(serial, int)
            if serial > SERIAL_MAX:
                continue  # an earlier program gave it out: no terminal takes anything under it
            stored = self._ctx.history.sent(plane, serial)
            if stored is None and self._ctx.sibling:
                continue
            if stored is None:  # its content key was destroyed: the serial is kept by an empty statement
                empty = filler(self._ctx, plane, serial, now)
                empty.original_hash = self._ctx.history.sent_hash(plane, serial) or b""
                self._ctx.outboxes[plane].add(empty)
                self._gone.append((plane, serial))
                continue
            statement = decode_statement(stored.content)
            # Validity starts again: an expiry that comes late is better than a clock that silences a statement.
            expires_at = now.mono + statement.valid_for_ms
            state = SentState(str(row["stage"]))
            item = Pending(serial, statement.precedence, stored.content, stored.signature, stored.hash, expires_at)
            item.mark(statement)
            if state is SentState.EXPIRED:
                item = void(self._ctx, plane, item)
            item.state = state
            if not self._ctx.sibling:
                self._ctx.outboxes[plane].add(item)
            elif not item.is_void:
                self._ctx.outboxes[plane].add(item.copied(copy=True))
        for outbox in self._ctx.outboxes.values():
            outbox.restored()

    def started(self, now: Instant) -> None:
        """What waited and whose text was destroyed is said no more, and people are told so (docs/protocol.md 8.4)."""
        ctx, ends = self._ctx, (SentState.DELIVERED, SentState.EXPIRED, SentState.RENUMBERED)
        for plane, serial in self._gone:
            if any(ctx.history.has_sent_fact(plane, serial, end.value) for end in ends):
                continue
            reason = "its text was destroyed"
            ctx.record("msg.expired", plane=plane.value, serial=serial, reason=reason)
            self.fact(plane, serial, SentState.EXPIRED, now, reason)
            key = {"plane": plane.value, "serial": serial, "stage": SentState.EXPIRED.value}
            ctx.out.changes.append(Put("outbox", key))
        self._gone.clear()

    # --- submit ------------------------------------------------------------------------------------------------------

    def submit(self, event: Submit, now: Instant) -> None:
        """Accept a statement, or refuse it with a sentence."""
        try:
            statement = compose(self._ctx, event)
            if statement.kind != NON_PAPER:  # nobody signs what proves nothing (19.5)
                check_authority(self._ctx, event.plane, statement.precedence)
        except LocalError as error:
            self._ctx.out.replies.append(Reply(event.request, False, code_of(error), str(error)))
            return
        self.hand_in(event.request, event.plane, statement, now)

    def hand_in(self, request: RequestId, plane: Plane, statement: content_pb2.Statement, now: Instant) -> Pending:
        """What was composed goes its way, and whoever asked is answered."""
        item = self.say(plane, statement, now)
        if statement.kind == content_pb2.STATEMENT_KIND_PUT_ON_RECORD:
            modes.said_of_record(self._ctx, plane, statement, now)
        if statement.HasField("translation"):
            self._ctx.tell(
                "translated",
                plane=plane.value,
                **translated(statement.translation, statement.language, "sent"),
                number=item.serial,
                at=now.wall,
            )
        self.answer(request, item, statement)
        self.pump_all(now)
        return item

    def corrected(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """What was said stays, and is shown with what became of it."""
        self._corrections.mark("sent", plane, statement, now)

    def say(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> Pending:
        """Give `statement` serial, times, parties and salt; record it and make it pending. `pump` sends it."""
        setup = self._ctx.setup
        statement.serial = self._ctx.outboxes[plane].last_serial + 1
        statement.date_time_group = self._groups.give(plane, statement.kind, now)
        statement.composed_ms = now.wall
        statement.from_party, statement.to_party = setup.local.party, setup.said_to
        statement.body_salt = self._ctx.entropy(32)
        statement.term = self._ctx.standing.turn.term
        item = self.take(plane, statement, now)
        if item.is_nonpaper:
            modes.submitted(self._ctx, plane, statement, item.content)
            return item
        for one in (self, *self.fellows):
            one._enter(plane, statement, item)
            one.leave_out(plane, item, now)
        return item

    def _enter(self, plane: Plane, statement: content_pb2.Statement, item: Pending) -> None:
        self._ctx.record(
            "msg.submit",
            said(statement),
            plane=plane.value,
            serial=item.serial,
            kind=kind_word(statement.kind),
            dtg=statement.date_time_group,
            lang=statement.language,
            statement=item.hash.hex(),
            **references(statement),
        )

    def answer(self, request: RequestId, item: Pending, statement: content_pb2.Statement) -> None:
        """Tell whoever asked that the statement is queued."""
        fields: dict[str, str | int | bytes | None] = {
            "serial": item.serial,
            "dtg": statement.date_time_group,
            "hash": item.hash,
            "composed": statement.composed_ms,
        }
        self._ctx.out.replies.append(Reply(request, True, "queued", f"#{item.serial} queued", fields))

    def take(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> Pending:
        """Give `statement` its place in its precedence, sign it and make it pending: for every party, where several."""
        ctx, outbox = self._ctx, self._ctx.outboxes[plane]
        off_record = statement.kind == NON_PAPER
        statement.checkpoint = b"" if off_record else self._own_log.shown()
        line = statement.precedence + (BESIDE if off_record else 0)
        statement.previous_in_precedence = outbox.last_in_precedence[line]
        content = encode(statement)
        # What authenticates a non-paper is made when it leaves, and kept nowhere.
        signature = b"" if off_record else ctx.session.sign(ContentType.STATEMENT, plane, content).signature
        name = statement_name(plane, ctx.session.ends_out, statement, content)
        expires_at = now.mono + statement.valid_for_ms
        item = Pending(statement.serial, statement.precedence, content, signature, name, expires_at)
        item.mark(statement)
        self._keep(plane, statement, item, now)
        for fellow in self.fellows:
            fellow._keep(plane, statement, item.copied(copy=False), now)
        return item

    def _keep(self, plane: Plane, statement: content_pb2.Statement, item: Pending, now: Instant) -> None:
        """What was signed is owed from now on; to one of several parties, unless as much waits for it as may."""
        ctx, outbox, content = self._ctx, self._ctx.outboxes[plane], item.content
        line = statement.precedence + (BESIDE if item.is_nonpaper else 0)
        outbox.last_in_precedence[line] = statement.serial
        owed = not (self.fellows and is_full(ctx, plane))
        if owed:
            outbox.add(item)
        outbox.last_serial = max(outbox.last_serial, item.serial)
        ctx.objectives.said(plane, item.serial, statement, now)
        self._promises.answered_by_us(plane, statement, now)
        if statement.HasField("translation"):
            ctx.out.changes.append(link(plane, statement, "sent"))
        if statement.HasField("corrects"):
            self.corrected(plane, statement, now)
        ctx.copy(plane, item)
        stored = modes.keep(ctx, Name("sent", plane, item.serial), content, quiet=item.is_nonpaper)
        key = {"plane": plane.value, "serial": statement.serial}
        ctx.out.changes += [
            Put("sent", {**key, "content": stored, "signature": item.signature, "hash": item.hash}),
            *([Put("outbox", {**key, "stage": SentState.QUEUED.value})] if owed else []),
            Put("counter", {"name": f"sent:{plane}", "value": outbox.last_serial}),
            Put("counter", {"name": f"last:{plane}:{line}", "value": statement.serial}),
        ]

    # --- send and repeat ---------------------------------------------------------------------------------------------

    def pump_all(self, now: Instant) -> None:
        """The same to every party, where there are several."""
        for one in (self, *self.fellows):
            one.pump(now)

    def pump(self, now: Instant) -> None:
        """Send what waits, most urgent first, as far as the window admits."""
        waiting = [(plane, outbox) for plane, outbox in self._ctx.outboxes.items() if outbox.waits]
        if not (waiting and self._ctx.may_speak and self._ctx.session.can_seal(now)):
            return
        for plane, outbox in waiting:
            while routes := self._ctx.routes(urgent=False):
                profile = routes[0].setup.profile
                since = now.mono - profile.retransmit_ms
                messages = UNDER_WAY_MAX if plane is Plane.SERVICE else profile.window_messages
                if outbox.waits and self._talk.yields(plane, profile.retransmit_ms, now):
                    break
                item = outbox.next_to_send(messages, profile.window_bytes, since)
                if item is None:
                    break
                self._send_new(plane, item, now)

    def _send_new(self, plane: Plane, item: Pending, now: Instant) -> None:
        ctx = self._ctx
        if item.is_nonpaper:
            inner = ctx.session.sign(ContentType.WITHOUT_PREJUDICE, plane, item.content)
        else:
            inner = Inner(ContentType.STATEMENT, item.content, item.signature)
        envelope = ctx.session.seal(plane, inner, transient=False)
        name = hashlib.sha256(envelope).digest()
        ctx.outboxes[plane].sealed(item, envelope, name, now.mono)
        routes = ctx.routes(urgent=item.everywhere)
        ctx.send(envelope, routes)
        paths = " ".join(path.setup.name for path in routes)
        if item.is_nonpaper:
            ctx.nonpapers.sealed_in(name)
            ctx.record("nonpaper.sent", plane=plane.value, serial=item.serial, paths=paths)
        else:
            ctx.record("msg.sent", plane=plane.value, serial=item.serial, envelope=name.hex(), paths=paths, **ctx.whose)
        item.attempts += 1
        ctx.outboxes[plane].schedule(item, now.mono + self._delay(item, routes))

    def _delay(self, item: Pending, routes: list[Path]) -> int:
        up = [path.setup.profile for path in routes if path.state is PathState.UP]
        profiles = up or [path.setup.profile for path in routes] or [p.setup.profile for p in self._ctx.paths.values()]
        first = min(profile.retransmit_ms for profile in profiles)
        last = min(profile.retransmit_max_ms for profile in profiles)
        if not up:
            return last * _UNHEARD_FACTOR
        return int(min(first << min(max(item.attempts - 1, 0), 16), last))

    def due(self, now: Instant) -> None:
        """Repeat and expire what is due."""
        for plane, outbox in self._ctx.outboxes.items():
            for item in outbox.due_expiries(now.mono):
                self._expire(plane, item, now)
            for item in outbox.due_retries(now.mono):
                self._repeat(plane, item, now)
        self.pump(now)

    def _repeat(self, plane: Plane, item: Pending, now: Instant) -> None:
        outbox = self._ctx.outboxes[plane]
        if not self._ctx.may_speak:
            outbox.schedule(item, now.mono + self._delay(item, []))
            return
        # The peer has it: its receipt was lost. Only a new envelope makes it say so again: the old one's key is used.
        arrived = item.serial <= self._ctx.peer.received_through[plane]
        if (arrived or item.attempts >= _RESEAL_AFTER) and self._ctx.peer_is_heard:
            item.attempts += 1
            outbox.unseal(item)
            return
        routes = self._ctx.routes(urgent=item.everywhere)
        if routes and self._talk.yields(plane, routes[0].setup.profile.retransmit_ms, now):
            outbox.schedule(item, now.mono + routes[0].setup.profile.retransmit_ms)
            return
        if item.envelope is not None and routes:
            self._ctx.send(item.envelope, routes)
            item.attempts += 1
        outbox.schedule(item, now.mono + self._delay(item, routes))

    def path_opened(self, path: Path, now: Instant) -> None:
        """A stream came up: what no relay has signed for goes over it at once."""
        if not self._ctx.may_speak:
            return
        for outbox in self._ctx.outboxes.values():
            for item in outbox.pending.values():
                if item.in_window and item.envelope is not None and path in self._ctx.routes(urgent=item.everywhere):
                    self._ctx.send(item.envelope, [path])
        self.pump(now)

    def peer_returned(self, now: Instant) -> None:
        """The peer answers again: whatever it has not acknowledged is repeated soon, not after a long wait."""
        self._ctx.reads.all_now(now.mono)
        for outbox in self._ctx.outboxes.values():
            for item in outbox.pending.values():
                if item.envelope is not None:
                    item.attempts = min(item.attempts, 1)
                    outbox.schedule(item, now.mono + self._delay(item, self._ctx.routes(urgent=item.everywhere)))

    def reseal(self, epoch: bytes, now: Instant) -> None:
        """The peer cannot open `epoch`: everything under way in it is sealed again."""
        for outbox in self._ctx.outboxes.values():
            for item in list(outbox.pending.values()):
                if item.envelope is not None and item.envelope[6 : 6 + EPOCH_ID_SIZE] == epoch:
                    outbox.unseal(item)
        self._ctx.reads.all_now(now.mono)
        self.pump(now)

    def wake(self, now: Instant) -> None:
        """From now on this terminal speaks."""
        self._groups.forget()
        self.rest()
        self.pump(now)

    def rest(self) -> None:
        """What is under way is sealed anew if this terminal is to send it again."""
        for outbox in self._ctx.outboxes.values():
            for item in outbox.pending.values():
                outbox.unseal(item)

    # --- expiry ------------------------------------------------------------------------------------------------------

    def _expire(self, plane: Plane, item: Pending, now: Instant) -> None:
        if item.copy:
            return
        ctx = self._ctx
        if ctx.history.has_sent_fact(plane, item.serial, SentState.DELIVERED.value):
            return  # it was heard once: a peer that has lost it gets it back, however late
        reason = "in custody of " + ", ".join(sorted(item.custody)) if item.custody else "no relay took it"
        self.give_up(plane, item, now, reason)

    def give_up(self, plane: Plane, item: Pending, now: Instant, reason: str) -> None:
        """It expires here, and siblings are told so by the terminal that speaks."""
        self.expire(plane, item, now, reason)
        if self._ctx.standing.active:
            items = [content_pb2.ReceiptItem(serial=item.serial, statement=item.hash)]
            for line in self._ctx.siblings:
                line.tell_settled(plane, items, now, expired=True)

    def expire(self, plane: Plane, item: Pending, now: Instant, reason: str) -> None:
        """An empty statement takes its place, for every terminal of the peer."""
        ctx = self._ctx
        ctx.out.changes += ctx.nonpapers.finish(Name("sent", plane, item.serial), now)
        for line in ctx.peers:
            outbox = line.outboxes[plane]
            if item.serial in outbox.pending:
                high, since = outbox.delivered_high, outbox.delivered_since
                outbox.remove(item.serial, now.mono)
                outbox.add(void(self._ctx, plane, item))
                outbox.delivered_high, outbox.delivered_since = high, since
        ctx.record("msg.expired", plane=plane.value, serial=item.serial, reason=reason)
        self.fact(plane, item.serial, SentState.EXPIRED, now, reason, test=item.is_test)
        ctx.out.changes.append(
            Put("outbox", {"plane": plane.value, "serial": item.serial, "stage": SentState.EXPIRED.value})
        )

    def leave_out(self, plane: Plane, item: Pending, now: Instant, *, expired: bool = False) -> None:
        """What one of several parties does not get: as much waits for it as may, or it had `expired` before (26.5)."""
        held = self._ctx.outboxes[plane].pending.get(item.serial)
        if held is None:
            reason = "as much waits for it as may"
            self._ctx.record("msg.expired", plane=plane.value, serial=item.serial, reason=reason)
            self.fact(plane, item.serial, SentState.EXPIRED, now, reason, test=item.is_test)
        elif expired:
            self.expire(plane, held, now, "it had expired under its first serial")

    def fact(self, plane: Plane, serial: int, state: SentState, now: Instant, by: str, *, test: bool = False) -> None:
        """A stage of a statement's way: kept, and told to whoever watches."""
        self._ctx.objectives.reached(plane, serial, state)
        self._ctx.history.reached(plane, serial, state.value)
        key: dict[str, str | int] = {"plane": plane.value, "serial": serial}
        row = {**key, "stage": state.value, "at": now.wall, "by": by, "evidence": None}
        self._ctx.out.changes.append(Put("sent_fact", row))
        mode = self._ctx.history.mode(Name("sent", plane, serial))
        self._ctx.tell(
            "sent", plane=plane.value, serial=serial, state=state.value, by=by, test=int(test), at=now.wall, mode=mode
        )
