"""One record at every terminal of a party: what one has said, the others hold too (docs/protocol.md 23.5 to 23.8)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from hotline.errors import Malformed
from hotline.machine import Delete, Instant, Plane, Put
from hotline.protocol.branding import has_our_authority
from hotline.protocol.challenges import Challenges
from hotline.protocol.context import Context
from hotline.protocol.copies import DOUBTS_ANSWERED_MAX, Late, copy_again
from hotline.protocol.entries import references, said
from hotline.protocol.lacking import Lacking
from hotline.protocol.language import link
from hotline.protocol.lately import remember
from hotline.protocol.neutral import CORRECTING, VOIDS, kind_word
from hotline.protocol.outbox import Pending, SentState, said_first
from hotline.protocol.promises import Promises
from hotline.protocol.sending import Sending
from hotline.protocol.session import Opened
from hotline.protocol.statements import Ends, decode_statement, fits_renumbered, read_statement, spans, statement_hash
from hotline.protocol.voids import void
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

_NOTHING: Final = bytes(32)
"""In a CONFLICT between siblings: nothing holds this serial, and nothing is said under it any more."""


class Mirror:
    """What siblings say to each other of their party's statements."""

    def __init__(
        self, context: Context, sending: dict[int, Sending], promises: Promises, challenges: Challenges
    ) -> None:
        self._ctx = context
        self._challenges = challenges
        self._promises = promises
        self._sending = sending
        self._setup = context.setup
        self._lately: OrderedDict[tuple[Plane, int], bytes] = OrderedDict()
        """Names of what was taken and may not be committed yet."""
        self.late = Late(context)
        self.refused_late: OrderedDict[tuple[Plane, int], None] = OrderedDict()
        """What siblings told of an earlier term when it was too late (23.6)."""
        self._clashed: set[tuple[Plane, int]] = set()
        self._ahead: OrderedDict[tuple[Plane, int], tuple[bytes, bytes, Context]] = OrderedDict()
        """Receipts of the peer for what no sibling has told us yet: its name; the receipt's, and who said it."""
        self._elsewhere: OrderedDict[tuple[Plane, int], dict[int, bytes]] = OrderedDict()
        """What each terminal of the peer holds in the place of what our record has: a sibling may have said it."""
        self.lacking = Lacking(context, self)

    # --- who speaks --------------------------------------------------------------------------------------------------

    def speak(self, now: Instant) -> None:
        """From now on this terminal sends what its party has pending, and rings if nobody gets it."""
        ctx = self._ctx
        for plane in Plane:
            for serial, item in ctx.outboxes[plane].pending.items():
                if not (item.is_void or item.copy):
                    ctx.objectives.said(plane, serial, decode_statement(item.content), now)
        for line in ctx.peers:
            self._sending[line.setup.remote.number].wake(now)
        self._challenges.speak(now)

    def rest(self) -> None:
        """From now on it does not; receipts still count. What is pending, or expired, siblings judge once more."""
        ctx = self._ctx
        for line in ctx.peers:
            self._sending[line.setup.remote.number].rest()
        for plane in Plane:
            for item in ctx.outboxes[plane].pending.values():
                for line in ctx.siblings if not item.copy else ():
                    if item.is_void:
                        copy_again(ctx, plane, item.serial, line)
                    elif item.serial not in line.outboxes[plane].pending:
                        line.outboxes[plane].add(item.copied(copy=True))

    # --- statements of our party -------------------------------------------------------------------------------------

    def statement(self, line: Context, opened: Opened, now: Instant) -> bool:
        """A sibling tells a statement of our party. Raises Malformed."""
        ctx, plane, local = self._ctx, opened.plane, self._setup.local
        statement = read_statement(opened.inner.content, plane, local.party, self._setup.remote.party)
        if not line.credence.believes(plane, statement.serial - 1, now, hearsay=True):
            raise Malformed("serial", "of a row that nobody else knows")
        ends = Ends(self._setup.charter, opened.author, local.number)
        name = statement_hash(plane, ends, opened.inner.content)
        held = self.held(plane, statement.serial)
        again = held == name
        if statement.kind in VOIDS:
            held = self._asked(line, plane, statement.serial, held) or name
        elif held is None and self._too_late(plane, statement, opened.author):
            if (plane, statement.serial) not in self.refused_late:
                ctx.record("mirror.refused", plane=plane.value, serial=statement.serial, statement=name.hex())
            remember(self.refused_late, (plane, statement.serial), None)
            held = _NOTHING
        elif held is None:
            if not fits_renumbered(statement):
                raise Malformed("too-long", "no envelope would hold it under another serial")
            self._take(plane, statement, opened, name, now)
            held = name
        elif held != name:
            self._clash(plane, statement.serial, name, held)
            self._is_other(line, plane, statement.serial, name, now)
            self._given_up(plane, ctx.outboxes[plane].pending.get(statement.serial), now)
            if not ctx.standing.active:  # who speaks hears from the peer what holds
                self._went_on_elsewhere(plane, statement, ctx.standing.name(opened.author), now)
        item = content_pb2.ReceiptItem(serial=statement.serial, statement=held)
        stage = content_pb2.STAGE_DELIVERED if held == name else content_pb2.STAGE_CONFLICT
        through = ctx.outboxes[plane].last_serial
        receipt = content_pb2.Receipt(stage=stage, item=[item], time_ms=now.wall, received_through=through)
        line.send_content(plane, ContentType.RECEIPT, encode(receipt), now, transient=False, urgent=False)
        if again:
            self._moved(plane, statement, opened.author, now)
            self.acknowledged(line, plane, [statement.serial], now)
        return True

    def _asked(self, line: Context, plane: Plane, serial: int, held: bytes | None) -> bytes | None:
        """A sibling asks what is here before it closes a gap: what could be told it is told (23.4)."""
        return held if held is not None and copy_again(self._ctx, plane, serial, line) else None

    def held(self, plane: Plane, serial: int) -> bytes | None:
        """The name of what our party has said under this serial, as far as this record knows."""
        said = self._lately.get((plane, serial)) or self._ctx.history.sent_hash(plane, serial)
        own = self._ctx.outboxes[plane].pending.get(serial)
        # What an officer has just handed in here may not be committed yet, and is nobody else's place.
        return said if said is not None or own is None or own.is_filler else own.original_hash or own.hash

    def _too_late(self, plane: Plane, statement: content_pb2.Statement, author: int) -> bool:
        """It speaks for the party in an earlier term: only what the peer has received is said still."""
        standing = self._ctx.standing
        if not standing.active or author == standing.local.number or statement.term >= standing.turn.term:
            return False
        return statement.serial > self.lacking.peer_has(plane)

    def _clash(self, plane: Plane, serial: int, name: bytes, held: bytes) -> None:
        """Two terminals gave out one serial. Each keeps what it said; the peer holds one of them."""
        if (plane, serial) in self._clashed:
            return
        self._clashed.add((plane, serial))
        self._ctx.record("mirror.conflict", plane=plane.value, serial=serial, statement=name.hex(), held=held.hex())
        text = "two terminals of ours gave out one number for different statements: compare their records"
        self._ctx.alarm("two-voices", text, plane=plane.value, serial=serial)

    def _take(self, plane: Plane, statement: content_pb2.Statement, opened: Opened, name: bytes, now: Instant) -> None:
        ctx, content, serial = self._ctx, opened.inner.content, statement.serial
        key: dict[str, str | int] = {"plane": plane.value, "serial": serial}
        other = ctx.standing.name(opened.author)
        remember(self._lately, (plane, serial), name)
        ctx.out.changes += [
            Put("sent", {**key, "content": content, "signature": opened.inner.signature, "hash": name}),
            Put("outbox", {**key, "stage": SentState.QUEUED.value}),
            Put("voice", {**key, "way": "sent", "terminal": other, "term": statement.term}),
        ]
        ctx.record(
            "msg.mirrored",
            said(statement),
            plane=plane.value,
            serial=serial,
            kind=kind_word(statement.kind),
            dtg=statement.date_time_group,
            lang=statement.language,
            statement=name.hex(),
            other=other,
            term=statement.term,
            **references(statement),
        )
        ctx.raise_serial(plane, serial)
        last = ctx.outboxes[plane].last_in_precedence
        newest = last[statement.precedence]
        # Who speaks has said more meanwhile: what did not know of that would bring our next word before it (23.17).
        forks = ctx.standing.active and statement.previous_in_precedence < newest
        if serial > newest and not forks:
            last[statement.precedence] = serial
            ctx.out.changes.append(Put("counter", {"name": f"last:{plane}:{statement.precedence}", "value": serial}))
        if has_our_authority(ctx, plane, statement, self.lacking.peer_has(plane)):
            self._promises.answered_by_us(plane, statement, now)
            if statement.HasField("translation"):
                ctx.out.changes.append(link(plane, statement, "sent"))
            if statement.kind in CORRECTING:
                self._first().corrected(plane, statement, now)
        expires_at = now.mono + statement.valid_for_ms
        item = Pending(serial, statement.precedence, content, opened.inner.signature, name, expires_at)
        item.mark(statement)
        for line in ctx.lines:
            if line.setup.remote.number != opened.author:
                line.outboxes[plane].add(item.copied(copy=line.sibling))
        if plane is Plane.SERVICE:
            self._challenges.said_elsewhere(statement, now)
        self._moved(plane, statement, opened.author, now)
        self._was_ahead(plane, serial, name, now)
        for line in ctx.peers:
            self._sending[line.setup.remote.number].pump(now)

    def _first(self) -> Sending:
        return self._sending[self._setup.remote.number]

    def _moved(self, plane: Plane, statement: content_pb2.Statement, author: int, now: Instant) -> None:
        """It took the place of what waits under the serials that it had before, which the peer knew for another.

        Nobody else renumbers what is being said here: a thief would have another thing said in its place.
        """
        ctx, new = self._ctx, statement.serial
        keeps = ctx.standing.active and author != self._setup.local.number
        moved = [
            item for item in self._waits_under_earlier(plane, statement) if not (keeps and self._is_of_this_turn(item))
        ]
        for serial in (item.serial for item in moved):
            self._drop(plane, serial, now)
            name = (self.held(plane, new) or b"").hex()
            ctx.record("msg.renumbered", said(statement), plane=plane.value, serial=serial, new=new, statement=name)
            self._first().fact(plane, serial, SentState.RENUMBERED, now, str(new))
            if plane is Plane.SERVICE:
                self._challenges.moved(serial, new)

    def _went_on_elsewhere(self, plane: Plane, statement: content_pb2.Statement, by: str, now: Instant) -> None:
        """The same, where our record has another statement under the new serial: it cannot go on there."""
        for item in self._waits_under_earlier(plane, statement):
            if not item.copy:  # else it is delivered, and ends here in another way (23.5)
                self._first().expire(plane, item, now, f"said again by {by} as #{statement.serial}")

    def _waits_under_earlier(self, plane: Plane, statement: content_pb2.Statement) -> list[Pending]:
        """What is this statement, and pending under serials that it had before; in their order."""
        if not statement.first_serial:
            return []
        what, waits = said_first(statement), self._ctx.outboxes[plane].pending
        return [waits[serial] for serial in sorted(waits) if waits[serial].first == what and serial < statement.serial]

    def _drop(self, plane: Plane, serial: int, now: Instant) -> Pending | None:
        self._ctx.out.changes.append(Delete("outbox", {"plane": plane.value, "serial": serial}))
        return self._ctx.drop(plane, serial, now)

    def heard_of(self, line: Context, plane: Plane, item: content_pb2.ReceiptItem, receipt: bytes) -> None:
        """The peer acknowledges what we have not pending: it may be on its way to us."""
        if self.held(plane, item.serial) is None:
            remember(self._ahead, (plane, item.serial), (item.statement, receipt, line))

    def _was_ahead(self, plane: Plane, serial: int, name: bytes, now: Instant) -> None:
        statement, receipt, line = self._ahead.pop((plane, serial), (b"", b"", self._ctx))
        if statement == name:
            self._promises.delivered(plane, serial, self._drop(plane, serial, now), now)
            self._first().fact(plane, serial, SentState.DELIVERED, now, self._setup.remote.name)
            self._ctx.record(
                "msg.delivered", plane=plane.value, serials=str(serial), receipt=receipt.hex(), **line.whose
            )

    # --- what became of them -----------------------------------------------------------------------------------------

    def named(self, line: Context, plane: Plane, items: Iterable[content_pb2.ReceiptItem], now: Instant) -> None:
        """A CONFLICT of the peer names what it holds: who of us has said it, and counts it as expired, is told (23.8).

        Once for each serial and terminal of the peer, so that one that lies costs no more.
        """
        news, number = [], line.setup.remote.number
        for item in items:
            key = (plane, item.serial)
            known = self._elsewhere.get(key, {})
            given = item.serial <= self._ctx.outboxes[plane].last_serial
            if given and number not in known and self.held(*key) != item.statement:
                remember(self._elsewhere, key, {**known, number: item.statement})
                news.append(item)
        for sibling in self._ctx.siblings if news else ():
            sibling.tell_settled(plane, news, now, expired=False)

    def _is_other(self, line: Context, plane: Plane, serial: int, name: bytes, now: Instant) -> None:
        """A sibling has this where we have something else: all that we know of it is whether the peer named it."""
        self.late.shown(plane, serial, line.setup.remote.number, DOUBTS_ANSWERED_MAX)
        if name in self._elsewhere.get((plane, serial), {}).values():
            item = content_pb2.ReceiptItem(serial=serial, statement=name)
            line.tell_settled(plane, [item], now, expired=False)

    def acknowledged(self, line: Context, plane: Plane, serials: list[int], now: Instant) -> None:
        """A sibling holds these: it is told which of them wait no more, and under which serial they go on."""
        history = self._ctx.history
        self.lacking.denied(line, plane, serials)
        for serial in serials:
            self.late.shown(plane, serial, line.setup.remote.number)
            copy_again(self._ctx, plane, history.moved_to(plane, serial), line)
        for state in (SentState.DELIVERED, SentState.EXPIRED):
            items = []
            for serial in serials:
                name = history.sent_hash(plane, serial)
                delivered = history.has_sent_fact(plane, serial, SentState.DELIVERED.value)
                if name is None or delivered != (state is SentState.DELIVERED):
                    continue
                if delivered or history.has_sent_fact(plane, serial, SentState.EXPIRED.value):
                    items.append(content_pb2.ReceiptItem(serial=serial, statement=name))
            if items:
                line.tell_settled(plane, items, now, expired=state is SentState.EXPIRED)

    def settled(self, line: Context, plane: Plane, receipt: content_pb2.Receipt, name: bytes, now: Instant) -> None:
        """A sibling says that these wait no more: what we hold of them does not either."""
        ctx, delivered = self._ctx, []
        for item in receipt.item:
            if self.held(plane, item.serial) == item.statement:
                self.late.doubted.pop((plane, item.serial), None)
            pending = ctx.outboxes[plane].pending.get(item.serial)
            empty = pending is None or pending.is_void
            late = empty and not receipt.expired and self.late.is_news(plane, item.serial, item.statement)
            if not (late or self._waits(pending, item)):
                continue
            if receipt.expired and pending is not None:
                if ctx.standing.active and self._is_of_this_turn(pending):
                    continue  # who speaks sees for itself whether it expires
                self._first().expire(plane, pending, now, f"said by {line.setup.remote.name}")
                continue
            self._drop(plane, item.serial, now)
            self._first().fact(plane, item.serial, SentState.DELIVERED, now, line.setup.remote.name)
            self._promises.delivered(plane, item.serial, pending, now)
            delivered.append(item.serial)
        for text in spans(delivered):
            ctx.record("msg.delivered", plane=plane.value, serials=text, receipt=name.hex(), **line.whose)

    def _is_of_this_turn(self, item: Pending) -> bool:
        return decode_statement(item.content).term >= self._ctx.standing.turn.term

    @staticmethod
    def _waits(pending: Pending | None, item: content_pb2.ReceiptItem) -> bool:
        return pending is not None and not (pending.is_void or pending.copy) and pending.hash == item.statement

    def refused(self, line: Context, plane: Plane, receipt: content_pb2.Receipt, now: Instant) -> None:
        """Somebody holds another statement under a serial of ours, or none any more on our word."""
        ctx = self._ctx
        for item in receipt.item:
            pending = line.outboxes[plane].pending.get(item.serial)
            if pending is None or item.statement in pending.names:
                continue
            waits = ctx.outboxes[plane].pending.get(item.serial)  # it may be the same box
            line.outboxes[plane].remove(item.serial, now.mono)
            if line.sibling and pending.is_void:
                continue  # it was a question, and what stands there is on its way to us
            if item.statement != _NOTHING:
                self._clash(plane, item.serial, item.statement, pending.hash)
                if line.sibling:
                    self._is_other(line, plane, item.serial, item.statement, now)
            self._given_up(plane, waits, now)

    def _given_up(self, plane: Plane, waits: Pending | None, now: Instant) -> None:
        """What waits at a terminal that stands by, while others have something else under its serial."""
        if self._ctx.standing.active or waits is None or waits.copy:
            return
        if waits.is_void:
            self._let_go(plane, waits.serial, now)
        else:
            self._not_said(plane, waits, now)

    def _let_go(self, plane: Plane, serial: int, now: Instant) -> None:
        """No gap is left to close, or the terminal that speaks closes it; a sibling may know of a better end."""
        self._drop(plane, serial, now)
        self.late.doubt(plane, serial)

    def judged(self, line: Context, plane: Plane, item: Pending, now: Instant) -> bool:
        """A terminal of the peer holds another statement in the place of `item`. Whether that was its end (23.6)."""
        ctx = self._ctx
        own = item.hash == statement_hash(plane, ctx.session.ends_out, item.content)
        if own or item.is_void or item.copy or self._is_of_this_turn(item):
            return False
        self._not_said(plane, item, now)
        settled = [content_pb2.ReceiptItem(serial=item.serial, statement=item.hash)]
        for sibling in ctx.siblings:
            sibling.tell_settled(plane, settled, now, expired=True)
        for other in ctx.peers:
            if other is not line:  # it may have the statement: then it contradicts the empty one
                other.outboxes[plane].add(replace(void(ctx, plane, item), copy=True))
        return True

    def _not_said(self, plane: Plane, item: Pending, now: Instant) -> None:
        ctx = self._ctx
        self._let_go(plane, item.serial, now)
        reason = f"not said: {ctx.standing.name(ctx.standing.turn.terminal)} has taken over"
        ctx.record("msg.expired", plane=plane.value, serial=item.serial, reason=reason)
        self._first().fact(plane, item.serial, SentState.EXPIRED, now, reason, test=item.is_test)
        text = "a statement was not said before another terminal took over: say it there if it still holds"
        if not item.is_test:  # the terminal that speaks sends its own
            ctx.alarm("not-said", text, plane=plane.value, serial=item.serial)

    def held_there(self, heartbeat: content_pb2.Heartbeat, line: Context, now: Instant) -> None:
        """What a terminal of the peer has everything of, while nothing leaves from here: nobody would answer for it."""
        for plane, through in (
            (Plane.REAL, heartbeat.received_through),
            (Plane.EXERCISE, heartbeat.exercise_received_through),
            (Plane.SERVICE, heartbeat.service_received - 1),
        ):
            box = line.outboxes[plane]
            for item in [item for serial, item in box.pending.items() if serial <= through]:
                if item.copy:
                    box.remove(item.serial, now.mono)
                elif item.is_void:
                    self._let_go(plane, item.serial, now)
