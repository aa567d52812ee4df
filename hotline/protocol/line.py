"""A line: all that an endpoint has with one other terminal, and what becomes of an envelope from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from hotline.errors import NotOpened, RemoteError
from hotline.limits import KEY_REQUEST_INTERVAL, SIGNATURES_TRIED_MAX
from hotline.machine import Instant, Plane
from hotline.protocol.allowance import Allowance
from hotline.protocol.answers import Answers
from hotline.protocol.beats import Beats
from hotline.protocol.context import Context
from hotline.protocol.ladder import Ladder
from hotline.protocol.mirror import Mirror
from hotline.protocol.paths import Path
from hotline.protocol.peerlog import PeerLog
from hotline.protocol.receipts import WORDS
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.session import ASKABLE, Opened
from hotline.protocol.statements import decode_receipt
from hotline.wire.envelope import FLAG_CLEAR, Header, envelope_id
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2, frame_pb2

Taken = Callable[[str, bytes], None]
"""Told of each durable envelope that is settled: the path, and the envelope's identifier."""


class Line:
    """Session, paths, boxes and beats with one other terminal. What is received is taken by what all lines share."""

    def __init__(
        self,
        context: Context,
        sending: Sending,
        answers: Answers,
        ladder: Ladder,
        beats: Beats,
        peer_log: PeerLog,
        receiving: Receiving,
        mirror: Mirror,
        now: Instant,
    ) -> None:
        self.context = context
        self.sending = sending
        self.answers = answers
        self.ladder = ladder
        self.beats = beats
        self.peer_log = peer_log
        self._receiving = receiving
        self._mirror = mirror
        self._hastened_at = now.mono - KEY_REQUEST_INTERVAL
        self._key_requests = Allowance(SIGNATURES_TRIED_MAX)

    def deadlines(self) -> list[int | None]:
        """When something of this line is due."""
        ctx = self.context
        found = [ctx.reads.next_deadline(), self.beats.next_deadline(), self.peer_log.next_deadline()]
        found += [outbox.next_deadline() for outbox in ctx.outboxes.values()]
        for path in ctx.paths.values() if ctx.awake else ():
            found += [path.next_beat_at, path.silent_at()]
        return found

    def envelope(self, path: Path, header: Header, envelope: bytes, now: Instant, taken: Taken) -> None:
        """Order of trust: length and header, key, commitment and seal, signature, parse, order, act."""
        ctx = self.context
        ctx.session.check_address(header)
        if not ctx.awake:
            if not header.transient and path.setup.name in ctx.paths:
                taken(path.setup.name, envelope_id(envelope))
            raise RemoteError("inactive")
        if header.flags & FLAG_CLEAR:
            self._key_request(path, envelope, now)
            return
        settled = True
        try:
            opened = ctx.session.open(header, envelope, now, path.setup.name)
            ctx.out.changes += opened.changes
            if opened.new_epoch is not None:
                ctx.record("key.epoch.opened", epoch=opened.new_epoch.hex(), plane=opened.plane.value)
            settled = self._act(path, header, opened, now)
        except NotOpened as error:
            usable = [other for other in ctx.paths.values() if other.open]
            if error.reason in ASKABLE and usable and path.setup.name in ctx.paths:
                self.beats.ask_for_key(header.epoch, now, usable)
            if error.reason != "used":
                raise
        finally:
            # What cannot be opened now cannot be opened later either; the sender repeats what matters.
            if settled and not header.transient and path.setup.name in ctx.paths:
                taken(path.setup.name, envelope_id(envelope))

    def _act(self, path: Path, header: Header, opened: Opened, now: Instant) -> bool:
        inner: Inner = opened.inner
        match inner.type:
            case ContentType.STATEMENT if self.context.sibling:
                return self._mirror.statement(self.context, opened, now)
            case ContentType.WITHOUT_PREJUDICE if path.setup.name not in self.context.paths:
                raise RemoteError("content-type")  # a bundle is signed (22.6)
            case ContentType.WITHOUT_PREJUDICE if self.context.standing.several or self.context.setup.everyone:
                raise RemoteError("content-type")  # it is said between two terminals alone (23.11, 26.3)
            case ContentType.STATEMENT | ContentType.WITHOUT_PREJUDICE:
                return self._receiving.statement(self.context, opened, path.setup.name, now)
            case ContentType.RECEIPT:
                self._receipt(path, opened, now)
            case ContentType.HEARTBEAT:
                self.beats.heard(path, inner.content, now, header)
            case _:
                raise RemoteError("content-type")
        return True

    def _receipt(self, path: Path, opened: Opened, now: Instant) -> None:
        receipt = decode_receipt(opened.inner.content)
        name = hashlib.sha256(opened.inner.content).digest()
        match receipt.stage:
            case content_pb2.STAGE_SHOWN | content_pb2.STAGE_REPLY_BY if opened.plane is Plane.SERVICE:
                raise RemoteError("stage")  # nobody says so of talk (25.2)
            case content_pb2.STAGE_DELIVERED:
                if receipt.checkpoint:
                    self.peer_log.claim(receipt.checkpoint, path.setup.name, now)
                self.answers.delivered(opened.plane, receipt, name, now)
            case content_pb2.STAGE_SETTLED if self.context.sibling:
                self._mirror.settled(self.context, opened.plane, receipt, name, now)
            case stage if stage in WORDS and self.context.sibling:
                self.ladder.told(opened.plane, receipt, now)
            case content_pb2.STAGE_NOTED:
                self.ladder.noted(opened.plane, receipt, now)
            case content_pb2.STAGE_CONFLICT:
                self.answers.conflict(opened.plane, receipt, name, now)
            case content_pb2.STAGE_TOLD if self.beats.gossip is not None:
                self.beats.gossip.told(opened.plane, receipt, now)
            case stage if stage in WORDS:
                self.answers.said(opened.plane, receipt, name, now)
            case _:
                raise RemoteError("stage")

    def _key_request(self, path: Path, envelope: bytes, now: Instant) -> None:
        ctx = self.context
        if not self._key_requests.spend(path.setup.name, 1, now):
            return  # an honest one comes once in a KEY_REQUEST_INTERVAL, and again
        asked = ctx.session.read_key_request(envelope, now)
        ctx.out.changes += asked.changes
        # It may have lost everything, our prekey too: announce ours until a fresh heartbeat says that it holds it.
        ctx.peer.prekey_held = 0
        # A relay may replay old requests for ever: what brings no news hastens beats no more often than an honest one.
        news = asked.reseal or asked.new_prekey or now.mono - self._hastened_at >= KEY_REQUEST_INTERVAL
        if news:
            self._hastened_at = now.mono
            for other in ctx.paths.values():
                other.beat_soon(now)
        if asked.reseal:
            ctx.record("key.request.obeyed", epoch=asked.reseal.hex(), path=path.setup.name)
            self.sending.reseal(asked.reseal, now)
        if asked.new_prekey:
            self.sending.pump(now)


def relay_reason(number: int) -> str:
    """The word of a relay's reason; one that this version does not know is no reason to stop."""
    known = frame_pb2.RefusalReason.items()
    names = [name.removeprefix("REFUSAL_REASON_").lower() for name, value in known if value == number and value]
    return names[0] if names else "unspecified"
