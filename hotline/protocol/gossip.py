"""What two parties tell each other of a third: whoever says one thing here and another there is convicted.

docs/protocol.md 26.10 to 26.12. Heartbeats name heads of the third party's ledger and, in turn, its statements, the
newest first. Who holds one of them otherwise shows what the third party signed; two signed statements under one serial
are the evidence. An empty statement (8.4) contradicts nothing: what expired for one was said to the other.

And what it tells the peer of itself (26.15): statements of the peer's that a third party holds and this terminal does
not. A terminal that was restored from a backup learns so what it has said before it says another thing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from hotline.errors import RemoteError
from hotline.limits import (
    GOSSIP_CLAIMS_MAX,
    GOSSIP_CONTENT_MAX,
    GOSSIP_ITEMS_MAX,
    GOSSIP_SHOWN_AGAIN,
    GOSSIP_TOLD,
)
from hotline.machine import Instant, Plane, Put
from hotline.protocol.allowance import Allowance
from hotline.protocol.neutral import VOIDS, kind_of
from hotline.protocol.outbox import SentState
from hotline.protocol.paths import Path, PathState
from hotline.protocol.statements import EVERYONE, decode_statement, read_statement, statement_name, verify_content
from hotline.protocol.tables import SentRow
from hotline.protocol.voids import void
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2

if TYPE_CHECKING:
    from hotline.protocol.answers import Answers
    from hotline.protocol.endpoint import Endpoint

_PLANES = (Plane.REAL, Plane.EXERCISE)
_Key = tuple[int, Plane, int]
"""Terminal of the third party, plane and serial."""


class Gossip:
    """What one of several other parties is told, and tells, of the third ones."""

    def __init__(self, peer: Endpoint, thirds: Mapping[int, Endpoint]) -> None:
        """`thirds` are what this terminal has with each third party, by the number of its terminal."""
        self._ctx = peer.context
        self._thirds = thirds
        self.fellows: list[Gossip] = []
        """What the others are told of, and tell."""
        self._head_at: int | None = None
        self._named: dict[tuple[int, Plane], tuple[object, int]] = {}
        """What of a third party's statements was told last, and how often it is still to be told."""
        self._turn: dict[tuple[int, Plane], int] = {}
        """Where the row stands in which all that has come is named again and again: the next serial, downwards."""
        self._shown: dict[_Key, tuple[int, int]] = {}
        """How often the peer was shown what is here, and when it is shown again at the earliest."""
        self._shows = Allowance(2 * GOSSIP_ITEMS_MAX, GOSSIP_SHOWN_AGAIN)
        self._claims: dict[_Key, bytes] = {}
        """Names that the peer holds of statements that are not here yet."""
        self._convicted: set[_Key] = set()

    # --- out ---------------------------------------------------------------------------------------------------------

    def write(self, heartbeat: content_pb2.Heartbeat, path: Path, now: Instant) -> None:
        """What a beat says of third parties: news a few times, heads from time to time."""
        self._compare(now)
        self._write_of_peer(heartbeat)
        if path.state is not PathState.UP:
            return
        in_turn = path.is_due(self._head_at, now)
        if in_turn:
            self._head_at = now.mono
        for number, third in self._thirds.items():
            one = content_pb2.Gossip(terminal=number)
            if in_turn:
                one.checkpoint = third.peer_log.next_to_tell()
            name = self._in_turn if in_turn else self._newest
            one.heard.extend(name(number, third, Plane.REAL))
            one.exercise_heard.extend(name(number, third, Plane.EXERCISE))
            if one.checkpoint or one.heard or one.exercise_heard:
                heartbeat.gossip.append(one)

    def _write_of_peer(self, heartbeat: content_pb2.Heartbeat) -> None:
        """Before it may say anything here: the highest serials of its own that others hold, and this terminal lacks."""
        number = self._ctx.setup.remote.number
        one = content_pb2.Gossip(terminal=number)
        for plane, field in zip(_PLANES, (one.heard, one.exercise_heard), strict=True):
            said = [sorted(fellow._claimed(number, plane), reverse=True) for fellow in self.fellows]
            # One of each in turn: what a liar makes up leaves room for what another one holds.
            turns = (claim for claims in zip_longest(*said) for claim in claims if claim is not None)
            for serial, name in list(dict.fromkeys(turns))[:GOSSIP_ITEMS_MAX]:
                field.add(serial=serial, statement=name)
        if one.heard or one.exercise_heard:
            heartbeat.gossip.append(one)

    def _claimed(self, number: int, plane: Plane) -> Iterator[tuple[int, bytes]]:
        """What this one says that it holds of a third party, and that is not here yet."""
        return ((serial, name) for (of, where, serial), name in self._claims.items() if (of, where) == (number, plane))

    def _newest(self, number: int, third: Endpoint, plane: Plane) -> Iterator[content_pb2.ReceiptItem]:
        """What has just come, a few times."""
        inbox = third.context.inboxes[plane]
        state = (inbox.through, len(inbox.ahead), inbox.highest)
        known, left = self._named.get((number, plane), (None, 0))
        left = GOSSIP_TOLD if known != state else left
        self._named[number, plane] = (state, max(left - 1, 0))
        if not left:
            return
        for serial in sorted({*inbox.ahead, *range(inbox.through, 0, -1)[:GOSSIP_ITEMS_MAX]})[-GOSSIP_ITEMS_MAX:]:
            name = inbox.known_hash(serial)
            if name is not None:
                yield content_pb2.ReceiptItem(serial=serial, statement=name)

    def _in_turn(self, number: int, third: Endpoint, plane: Plane) -> Iterator[content_pb2.ReceiptItem]:
        """The next of all that has come: what was lost of those beats is compared in the end."""
        last = self._turn.get((number, plane), 0) or third.context.inboxes[plane].through
        first = max(0, last - GOSSIP_ITEMS_MAX)
        self._turn[number, plane] = first
        for serial in range(first + 1, last + 1):
            row = third.context.history.received_signed(plane, serial)
            if row is not None and not _is_empty(row):
                yield content_pb2.ReceiptItem(serial=serial, statement=row.hash)

    # --- in ----------------------------------------------------------------------------------------------------------

    def heard(self, heartbeat: content_pb2.Heartbeat, path: Path, answers: Answers, now: Instant) -> None:
        """What a fresh beat of the peer says of third parties, and of us."""
        for one in heartbeat.gossip:
            if one.terminal == self._ctx.setup.local.number:
                self._heard_of_us(one, answers, now)
            third = self._thirds.get(one.terminal)
            if third is None:
                continue
            if one.checkpoint:
                third.peer_log.shown_to_another(one.checkpoint, path.setup.name, now)
            for plane, items in zip(_PLANES, (one.heard, one.exercise_heard), strict=True):
                for item in items:
                    self._claims[one.terminal, plane, item.serial] = item.statement
        while len(self._claims) > GOSSIP_CLAIMS_MAX:
            del self._claims[next(iter(self._claims))]
        self._compare(now)

    def _heard_of_us(self, one: content_pb2.Gossip, answers: Answers, now: Instant) -> None:
        """The peer knows what a third party holds of ours: if we do not, no serial of it is given out again (26.15)."""
        clashing: dict[Plane, list[int]] = {}
        for plane, items in zip(_PLANES, (one.heard, one.exercise_heard), strict=True):
            outbox = self._ctx.outboxes[plane]
            for serial in sorted((item.serial for item in items), reverse=True):
                if serial > outbox.last_serial and answers.skip_to(plane, serial, now, hearsay=True):
                    break
            for item in items:
                pending = outbox.pending.get(item.serial)
                if pending is None or pending.is_void or self._acknowledged(plane, item.serial):
                    continue
                if item.statement not in (*pending.names, void(self._ctx, plane, pending).hash):
                    clashing.setdefault(plane, []).append(item.serial)
        if clashing:
            answers.renumber(clashing, now, hearsay=True)

    def _acknowledged(self, plane: Plane, serial: int) -> bool:
        """Whether another party has signed that it holds what we said: then that is said, whoever says otherwise."""
        delivered = SentState.DELIVERED.value
        return any(one._ctx.history.has_sent_fact(plane, serial, delivered) for one in self.fellows)

    def _compare(self, now: Instant) -> None:
        """Names of the peer's against those that are here; what is not here yet is compared when it comes."""
        for key, name in list(self._claims.items()):
            number, plane, serial = key
            own = self._thirds[number].context.inboxes[plane].known_hash(serial)
            if own is None:
                continue
            if own != name and not self._show(key, now):
                continue  # it is being committed
            del self._claims[key]

    def _show(self, key: _Key, now: Instant) -> bool:
        """Show the peer what the third party signed for us; False if that cannot be read yet."""
        number, plane, serial = key
        history = self._thirds[number].context.history
        row = history.received_signed(plane, serial)
        if row is None:  # what is not being committed has lost its text, and is never shown
            return history.received_hash(plane, serial) is not None
        times, again_at = self._shown.pop(key, (0, 0))
        self._shown[key] = (times, again_at)
        if _is_empty(row) or len(row.content) > GOSSIP_CONTENT_MAX or now.mono < again_at:
            return True
        if not self._shows.spend("", 1, now):
            return True  # whoever lies of more serials than are remembered here would have them all again and again
        self._shown[key] = (times + 1, now.mono + (GOSSIP_SHOWN_AGAIN << min(times, 16)))
        while len(self._shown) > GOSSIP_CLAIMS_MAX:
            del self._shown[next(iter(self._shown))]
        receipt = content_pb2.Receipt(
            stage=content_pb2.STAGE_TOLD,
            item=[content_pb2.ReceiptItem(serial=serial, statement=row.hash)],
            time_ms=now.wall,
            told=content_pb2.Told(terminal=number, content=row.content, signature=row.signature),
        )
        self._ctx.send_content(plane, ContentType.RECEIPT, encode(receipt), now, transient=False, urgent=False)
        return True

    def told(self, plane: Plane, receipt: content_pb2.Receipt, now: Instant) -> None:
        """The peer shows what a third party signed for it. Raises RemoteError if that one did not."""
        if plane not in _PLANES:  # a terminal that has lost its state is told of no talk that it lost (26.15)
            raise RemoteError("stage")
        told, item = receipt.told, receipt.item[0]
        third = self._thirds.get(told.terminal)
        if third is None:
            raise RemoteError("third-party")
        ctx, setup = third.context, third.context.setup
        inner, ends = Inner(ContentType.STATEMENT, told.content, told.signature), ctx.session.ends_in
        verify_content(setup.remote.signing, inner, plane, ends)
        statement = read_statement(told.content, plane, setup.remote.party, EVERYONE)
        name = statement_name(plane, ends, statement, told.content)
        if (item.serial, item.statement) != (statement.serial, name):
            raise RemoteError("third-party")
        own, key = ctx.history.received_signed(plane, item.serial), (told.terminal, plane, item.serial)
        if own is None or own.hash == name or _is_empty(own) or kind_of(statement) in VOIDS or key in self._convicted:
            return
        self._convicted.add(key)
        holder = self._ctx.setup.remote
        text = "a party has signed two statements under one number: one for us, another one for others"
        ctx.alarm(
            "said-otherwise",
            text,
            plane=plane.value,
            serial=item.serial,
            statement=own.hash.hex(),
            told=name.hex(),
            other=f"{holder.party}/{holder.name}",
        )
        ctx.out.changes.append(Put("told", {"plane": plane.value, "serial": item.serial, "content": encode(told)}))
        self._show(key, now)


def _is_empty(row: SentRow) -> bool:
    """Whether it contradicts nothing: nor does what nobody has signed, which cannot be read here."""
    return not row.signature or kind_of(decode_statement(row.content)) in VOIDS
