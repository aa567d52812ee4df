"""The journey in: what the peer's statements become, and the receipts we owe for them (docs/protocol.md section 12)."""

from __future__ import annotations

from collections.abc import Iterator

from hotline.errors import Malformed
from hotline.limits import BUNDLE_RECEIPTS_MAX, CLOCK_SKEW_ALARM, RECEIPT_ITEMS_MAX
from hotline.machine import Delete, Instant, Plane, Put
from hotline.protocol import modes, neutral
from hotline.protocol.branding import Branding
from hotline.protocol.challenges import Challenges
from hotline.protocol.channeltests import ChannelTests
from hotline.protocol.context import Context
from hotline.protocol.corrections import Corrections
from hotline.protocol.entries import references, said
from hotline.protocol.inbox import Ahead, Verdict
from hotline.protocol.ladder import Ladder
from hotline.protocol.language import link
from hotline.protocol.neutral import ANSWERS, CORRECTING, NON_PAPER, UNATTENDED, VOIDS, kind_of, kind_word
from hotline.protocol.nonpapers import Name, size_class
from hotline.protocol.ownlog import OwnLog
from hotline.protocol.peerlog import PeerLog
from hotline.protocol.promises import Promises
from hotline.protocol.release import RELEASED
from hotline.protocol.repeats import Repeats
from hotline.protocol.session import Opened
from hotline.protocol.statements import Ends, decode_statement, read_statement, spans, statement_name
from hotline.protocol.tables import Saved
from hotline.protocol.voices import Voices
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

_DOUBT_INTERVAL = 1_000
"""Least time between two words to a peer that has lost state."""


class Receiving:
    """Everything an endpoint does for the peer's statements."""

    def __init__(
        self,
        context: Context,
        own_log: OwnLog,
        tests: ChannelTests,
        ladder: Ladder,
        promises: Promises,
        challenges: Challenges,
    ) -> None:
        self._ctx = context
        self._ladder = ladder
        self._promises = promises
        self._challenges = challenges
        self._own_log = own_log
        self._tests = tests
        self.peer_logs: dict[int, PeerLog] = {}
        """By the number of the terminal whose log it is."""
        self._kinds: dict[tuple[Plane, int], tuple[content_pb2.StatementKind.ValueType, bool]] = {}
        """Of statements that are not shown yet."""
        self._precedences: dict[tuple[Plane, int], int] = {}
        self._owed: dict[Plane, list[tuple[int, bytes]]] = {plane: [] for plane in Plane}
        self._clashing: list[tuple[Context, Plane, int, bytes]] = []
        self._urgent = False
        self._doubted_at: dict[Plane, int] = {}
        self._repeats = Repeats(context)
        self._branding = Branding(context)
        self.voices = Voices(context)
        self._corrections = Corrections(context)
        self._verdicts: dict[tuple[Plane, int], str] = {}
        """Of statements that are not shown yet."""

    def restore(self, saved: Saved) -> None:
        """Take up what was unread or held back when the last run ended."""
        self._repeats.restore(saved)
        for row in saved.rows("unread"):
            serial, name = row["serial"], row["hash"]
            assert isinstance(serial, int)
            assert isinstance(name, bytes)
            self._ctx.unread[Plane(str(row["plane"]))][serial] = name
        for row in saved.rows("held"):
            serial, name = row["serial"], row["hash"]
            precedence, previous = row["precedence"], row["previous"]
            assert isinstance(serial, int)
            assert isinstance(name, bytes)
            assert isinstance(precedence, int)
            assert isinstance(previous, int)
            ahead = Ahead(precedence, previous, name, bool(row["shown"]))
            plane = Plane(str(row["plane"]))
            self._ctx.inboxes[plane].ahead[serial] = ahead
            if not ahead.shown:
                self._precedences[plane, serial] = precedence
            content = None if ahead.shown else self._ctx.history.received(plane, serial)
            if content is not None:
                self._kinds[plane, serial] = neutral.attention(decode_statement(content))

    # --- statements --------------------------------------------------------------------------------------------------

    def statement(self, line: Context, opened: Opened, path: str, now: Instant) -> bool:
        """A verified statement arrived over `line`. False: it cannot be taken now, offer it again. Raises Malformed."""
        ctx, setup, plane, inner = self._ctx, self._ctx.setup, opened.plane, opened.inner
        statement = read_statement(inner.content, plane, setup.remote.party, setup.heard_as, inner.type)
        name = statement_name(plane, Ends(setup.charter, opened.author, setup.local.number), statement, inner.content)
        inbox = ctx.inboxes[plane]
        match inbox.judge(statement.serial, name):
            case Verdict.FAR:
                raise Malformed("serial", "far above all that was received")
            case Verdict.FULL:
                ctx.refuse(path, "inbox-full", now)
                return False
            case Verdict.NEW if statement.kind == NON_PAPER and not ctx.nonpapers.has_room("received"):
                ctx.refuse(path, "inbox-full", now)
                return False
            case Verdict.CONFLICT:
                held = inbox.known_hash(statement.serial) or b""
                ctx.record(
                    "msg.conflict", plane=plane.value, serial=statement.serial, statement=name.hex(), held=held.hex()
                )
                self._clashing.append((line, plane, statement.serial, held))
            case Verdict.REPEAT:
                self._owed[plane].append((statement.serial, name))
            case Verdict.NEW:
                self._take(opened, statement, name, path, now)
                if ctx.standing.several:
                    self._note_voice(plane, statement, opened.author)
                    self.voices.heard(plane, statement, opened.author, now)
                self._owed[plane].append((statement.serial, name))
        if statement.checkpoint:
            self.peer_logs[opened.author].claim(statement.checkpoint, path, now)
        self._urgent = self._urgent or statement.precedence >= content_pb2.PRECEDENCE_IMMEDIATE
        return True

    def _take(self, opened: Opened, statement: content_pb2.Statement, name: bytes, path: str, now: Instant) -> None:
        ctx, plane, inbox = self._ctx, opened.plane, self._ctx.inboxes[opened.plane]
        serial, (kind, attended) = statement.serial, neutral.attention(statement)
        self._kinds[plane, serial] = kind, attended
        self._precedences[plane, serial] = statement.precedence
        key: dict[str, str | int] = {"plane": plane.value, "serial": serial}
        ahead = Ahead(statement.precedence, statement.previous_in_precedence, name, shown=False)
        shown = inbox.accept(serial, ahead)
        self._enter(opened, statement, name, path, now, shown=int(serial in shown))
        skew = abs((statement.composed_ms or now.wall) - now.wall)
        if skew > CLOCK_SKEW_ALARM and ctx.peer.clock_offset_ms is not None:
            ctx.record("msg.clock", plane=plane.value, serial=serial, composed=statement.composed_ms, here=now.wall)
        repeats = self._repeats.take(plane, statement)
        if repeats:
            ctx.record("msg.repeat", plane=plane.value, serial=serial, of=repeats)
            ctx.out.changes.append(Put("received_fact", {**key, "stage": "repeat", "at": now.wall, "by": str(repeats)}))
            ctx.tell("repeat", plane=plane.value, serial=serial, of=repeats, at=now.wall)
        verdict = self._branding.take(plane, statement, now, repeats=repeats)
        self._verdicts[plane, serial] = verdict
        if verdict in ("", RELEASED):
            self._promises.answered_by_peer(plane, statement, now)
        if statement.kind in CORRECTING and verdict in ("", RELEASED):
            self._correct(plane, statement, now)
        if statement.HasField("translation") and verdict in ("", RELEASED):
            ctx.out.changes.append(link(plane, statement, "received"))
        if verdict in ("", RELEASED):
            modes.received(ctx, plane, statement, now)
        self._keep_held(plane, serial)
        for number in shown:
            self._show(plane, number, now)
        if kind == content_pb2.STATEMENT_KIND_TEST:
            self._tests.arrived(serial, now)
        elif kind == content_pb2.STATEMENT_KIND_CHALLENGE:
            self._challenges.heard(statement, name, now)
        elif kind in ANSWERS:
            self._challenges.answered(statement, now)
        if shown and shown != [serial]:
            for line in spans(shown):
                ctx.record("msg.shown", plane=plane.value, serials=line)
        ctx.out.changes.append(Put("counter", {"name": f"through:{plane}", "value": inbox.through}))

    def _enter(
        self,
        opened: Opened,
        statement: content_pb2.Statement,
        name: bytes,
        path: str,
        now: Instant,
        *,
        shown: int,
    ) -> None:
        """Keep a new statement, and enter it: of a non-paper no more than how long it is."""
        ctx, plane, serial = self._ctx, opened.plane, statement.serial
        key: dict[str, str | int] = {"plane": plane.value, "serial": serial}
        content, signature = opened.inner.content, opened.inner.signature
        quiet = statement.kind == NON_PAPER
        content = modes.keep(ctx, Name("received", plane, serial), content, quiet=quiet)
        if quiet:
            # The MAC is not kept: with the pairwise secret it would confirm a guess of what is gone.
            signature = b""
        row = {**key, "content": content, "signature": signature, "hash": name, "at": now.wall}
        ctx.out.changes.append(Put("received", row))
        if quiet:
            size = size_class(opened.inner.content)
            ctx.record("nonpaper.recv", plane=plane.value, serial=serial, shown=shown, size=size, path=path)
            return
        ctx.record(
            "msg.recv",
            said(statement),
            plane=plane.value,
            serial=serial,
            shown=shown,
            kind=kind_word(kind_of(statement)),
            dtg=statement.date_time_group,
            lang=statement.language,
            statement=name.hex(),
            path=path,
            composed=statement.composed_ms,
            **references(statement),
            **self.peer_logs[opened.author].said(statement.checkpoint),
        )

    def _note_voice(self, plane: Plane, statement: content_pb2.Statement, author: int) -> None:
        """Which terminal of the peer said it."""
        ctx, serial, term = self._ctx, statement.serial, statement.term
        other = ctx.standing.name(author)
        row = {"plane": plane.value, "way": "received", "serial": serial, "terminal": other, "term": term}
        ctx.out.changes.append(Put("voice", row))
        ctx.record("msg.voice", plane=plane.value, serial=serial, other=other, term=term)

    def _correct(self, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """What was said before stays; from now on it is shown with what became of it."""
        self._corrections.mark("received", plane, statement, now)

    def _keep_held(self, plane: Plane, serial: int) -> None:
        """Bring the `held` table up to what the inbox holds beyond its first gap."""
        ctx, inbox = self._ctx, self._ctx.inboxes[plane]
        item = inbox.ahead.get(serial)
        if item is None:
            # The gap closed behind this one: everything below the new high-water mark leaves the table.
            ctx.out.changes.extend(
                Delete("held", {"plane": plane.value, "serial": number})
                for number in inbox.take_released()
                if number != serial  # it was never held
            )
            return
        ctx.record("msg.held", plane=plane.value, serial=serial, through=inbox.through)
        ctx.out.changes.append(Put("held", _held_row(plane, serial, item)))

    def _show(self, plane: Plane, serial: int, now: Instant) -> None:
        """A statement becomes visible; but for a test, and what only closes a gap, it is unread until it is opened."""
        ctx, inbox = self._ctx, self._ctx.inboxes[plane]
        key: dict[str, str | int] = {"plane": plane.value, "serial": serial}
        name = inbox.known_hash(serial)
        assert name is not None
        item = inbox.ahead.get(serial)
        if item is not None:
            ctx.out.changes.append(Put("held", _held_row(plane, serial, item)))
        # Its content key may have been destroyed while it was held back: then an officer is asked to look.
        kind, attended = self._kinds.pop((plane, serial), (content_pb2.STATEMENT_KIND_TEXT, True))
        precedence = self._precedences.pop((plane, serial), content_pb2.PRECEDENCE_ROUTINE)
        ctx.out.changes.append(Put("received_fact", {**key, "stage": "shown", "at": now.wall, "by": ""}))
        if attended:
            ctx.objectives.begin("received", plane, serial, precedence, now)
            ctx.out.changes.append(Put("unread", {**key, "hash": name}))
            ctx.unread[plane][serial] = name
        void, test = int(kind in VOIDS), int(kind in UNATTENDED)
        verdict = self._verdicts.pop((plane, serial), None)
        if verdict is None:  # it came in an earlier run
            verdict = ctx.history.authority(plane, serial)
        mode = ctx.history.mode(Name("received", plane, serial))
        ctx.tell(
            "received",
            plane=plane.value,
            serial=serial,
            void=void,
            test=test,
            authority=verdict,
            at=now.wall,
            mode=mode,
        )

    # --- receipts ----------------------------------------------------------------------------------------------------

    def flush(self, now: Instant) -> None:
        """Send the receipts for everything this step took. They leave after the commit."""
        ctx = self._ctx
        for plane in Plane:
            self._batches(ctx.peers, plane, content_pb2.STAGE_DELIVERED, self._owed[plane], now)
            for line in ctx.peers:
                clashing = [(serial, held) for one, of, serial, held in self._clashing if one is line and of is plane]
                self._batches([line], plane, content_pb2.STAGE_CONFLICT, clashing, now)
        self._clashing.clear()
        self._urgent = False

    def _batches(
        self,
        lines: list[Context],
        plane: Plane,
        stage: content_pb2.Stage.ValueType,
        owed: list[tuple[int, bytes]],
        now: Instant,
    ) -> None:
        while owed:
            batch = owed[:RECEIPT_ITEMS_MAX]
            del owed[:RECEIPT_ITEMS_MAX]
            self._send_receipt(lines, plane, stage, batch, now)

    def _send_receipt(
        self,
        lines: list[Context],
        plane: Plane,
        stage: content_pb2.Stage.ValueType,
        items: list[tuple[int, bytes]],
        now: Instant,
    ) -> None:
        content = self._receipt(plane, stage, items, now)
        for line in lines:
            line.send_content(plane, ContentType.RECEIPT, content, now, transient=False, urgent=self._urgent)

    def _receipt(
        self, plane: Plane, stage: content_pb2.Stage.ValueType, items: list[tuple[int, bytes]], now: Instant
    ) -> bytes:
        receipt = content_pb2.Receipt(
            stage=stage,
            item=[content_pb2.ReceiptItem(serial=serial, statement=name) for serial, name in items],
            time_ms=now.wall,
            received_through=self._ctx.inboxes[plane].highest,
            checkpoint=self._own_log.shown() if stage == content_pb2.STAGE_DELIVERED else b"",
        )
        return encode(receipt)

    def courier_receipts(self, plane: Plane, ladder: Ladder, now: Instant) -> Iterator[bytes]:
        """For a bundle: DELIVERED for the newest statements of the peer, and what its terminal has not noted."""
        inbox = self._ctx.inboxes[plane]
        serials = [*sorted(inbox.ahead, reverse=True), *range(inbox.through, 0, -1)][:BUNDLE_RECEIPTS_MAX]
        known = [(serial, inbox.known_hash(serial)) for serial in reversed(serials)]
        items = [(serial, name) for serial, name in known if name is not None]
        for start in range(0, len(items), RECEIPT_ITEMS_MAX):
            yield self._receipt(plane, content_pb2.STAGE_DELIVERED, items[start : start + RECEIPT_ITEMS_MAX], now)
        yield from ladder.receipts(plane)

    def doubt(self, line: Context, plane: Plane, peer_sent: int, now: Instant) -> None:
        """The peer says it has sent less than we have received: it has lost state and will repeat serials; tell it."""
        inbox = self._ctx.inboxes[plane]
        highest = inbox.highest
        if peer_sent >= highest:
            return
        name = inbox.known_hash(highest)
        told_at = self._doubted_at.get(plane)
        due = told_at is None or now.mono - told_at >= _DOUBT_INTERVAL
        if name is not None and due:
            self._doubted_at[plane] = now.mono
            self._send_receipt([line], plane, content_pb2.STAGE_CONFLICT, [(highest, name)], now)


def _held_row(plane: Plane, serial: int, item: Ahead) -> dict[str, str | int | bytes | None]:
    return {
        "plane": plane.value,
        "serial": serial,
        "precedence": item.precedence,
        "previous": item.previous,
        "hash": item.hash,
        "shown": int(item.shown),
    }
