"""Relay: forwards at once, holds durably, signs for what it holds. Cannot open anything (docs/protocol.md section 5).

A stream is admitted by the certificate that the transport authenticated and by a matching Hello. An envelope is
forwarded before it is stored (`Output.express`); CUSTODY leaves only after the commit (`Output.transmit`). If its
recipient is attached, storing waits RELAY_LINGER for its TAKEN: what is taken by then is neither stored nor signed for.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hotline.crypto.signing import SigningKey
from hotline.errors import RemoteError
from hotline.limits import (
    FRAMES_PER_PARCEL_MAX,
    MAILBOX_RETENTION,
    RECEIPT_ITEMS_MAX,
    REFUSALS_RECORDED_PER_MINUTE,
    RELAY_LINGER,
    RELAY_RATE_PER_SECOND,
    WIRE_VERSION,
)
from hotline.machine import (
    Delete,
    Delivery,
    FramesReceived,
    Instant,
    LinkClosed,
    LinkOpened,
    Output,
    Put,
    Tick,
    Transmission,
)
from hotline.wire.codec import decode_frame, encode
from hotline.wire.envelope import decode_header, envelope_id
from hotline.wire.v1 import frame_pb2
from relay.mailbox import Admission, Held, Mailbox

CUSTODY_LABEL = "hotline/v1/custody"
_SWEEP_EVERY = 3_600_000
_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Closing:
    """The daemon is about to stop: what lingers is stored now."""


RelayEvent = LinkOpened | LinkClosed | FramesReceived | Tick | Closing

Place = tuple[bytes, int]
"""A founding charter's hash and a terminal number."""


@dataclass(frozen=True, slots=True)
class Hotline:
    """One hotline as a relay needs it: its founding charter by hash, its terminals by the certificate's fingerprint."""

    charter: bytes
    terminals: Mapping[str, int]


@dataclass(slots=True)
class Stream:
    """One stream and, once admitted, the terminal at its other end."""

    link: str
    fingerprint: str
    hotline: Hotline | None = None
    terminal: int = 0


@dataclass(slots=True)
class _Bucket:
    """How many envelopes a terminal may send at once, whichever stream it sends them on."""

    refilled_at: int
    tokens: float = 2.0 * RELAY_RATE_PER_SECOND

    def take(self, now: Instant) -> bool:
        """Take a token: RELAY_RATE_PER_SECOND come in, up to twice that."""
        gained = (now.mono - self.refilled_at) * RELAY_RATE_PER_SECOND / 1_000
        self.tokens = min(2.0 * RELAY_RATE_PER_SECOND, self.tokens + gained)
        self.refilled_at = now.mono
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Lingering:
    """An envelope that was forwarded and waits for its TAKEN before it is stored."""

    due: int
    place: Place
    sender: int
    held: Held


@dataclass(slots=True)
class _Parcel:
    """What one parcel of frames caused."""

    custody: list[bytes] = field(default_factory=list)


class Relay:
    """The machine of one relay."""

    def __init__(
        self, name: str, signing: SigningKey, hotlines: Iterable[Hotline], saved: Iterable[tuple[bytes, int, Held]]
    ) -> None:
        """`saved` holds (charter, recipient, envelope) of everything stored, oldest first."""
        self.name = name
        self._signing = signing
        self._hotlines = {hotline.charter: hotline for hotline in hotlines}
        self._streams: dict[str, Stream] = {}
        self._attached: dict[tuple[bytes, int], str] = {}
        self.mailboxes: dict[tuple[bytes, int], Mailbox] = {
            (hotline.charter, number): Mailbox({*hotline.terminals.values()} - {number})
            for hotline in self._hotlines.values()
            for number in hotline.terminals.values()
        }
        self._buckets: dict[Place, _Bucket] = {}
        self.forwarded = self.stored = self.refused = 0
        for charter, terminal, held in saved:
            if (charter, terminal) in self.mailboxes:
                self.mailboxes[charter, terminal].put(held)
        self._sweep_at: int | None = None
        self._lingering: OrderedDict[tuple[Place, bytes], _Lingering] = OrderedDict()
        self._refusals: dict[str, int] = {}
        self._refusals_until: int | None = None

    @property
    def streams(self) -> int:
        """Open streams, admitted or not."""
        return len(self._streams)

    @property
    def attached(self) -> int:
        """Terminals that are attached now."""
        return len(self._attached)

    @property
    def held(self) -> int:
        """Envelopes held for all terminals."""
        return sum(len(mailbox) for mailbox in self.mailboxes.values())

    def step(self, event: RelayEvent, now: Instant) -> Output:
        """Take one event."""
        out = Output()
        if self._sweep_at is None:
            self._sweep_at = now.mono
        self._count_refusals(now, out)
        match event:
            case FramesReceived():
                self._frames(event, now, out)
            case LinkOpened():
                self._closed(event.link)  # a name that comes again is another stream, which nobody has admitted
                self._streams[event.link] = Stream(event.link, event.peer)
            case LinkClosed():
                self._closed(event.link)
            case Tick():
                self._store_due(now.mono, now, out)
                self._sweep(now, out)
            case Closing():
                self._store_due(None, now, out)
        return out

    def next_deadline(self) -> int | None:
        """When something lingers no longer, refusals are summed up, or stored envelopes are looked at for their age."""
        lingering = next(iter(self._lingering.values()), None)
        due = (self._sweep_at, self._refusals_until, None if lingering is None else lingering.due)
        return min((at for at in due if at is not None), default=None)

    def _store_due(self, until: int | None, now: Instant, out: Output) -> None:
        """Store, and sign for, what has lingered long enough (everything, if `until` is None)."""
        custody: dict[Place, list[bytes]] = {}
        while self._lingering:
            key, item = next(iter(self._lingering.items()))
            if until is not None and item.due > until:
                break
            del self._lingering[key]
            self.stored += 1
            out.changes.append(_put(item.place, item.held))
            custody.setdefault((item.place[0], item.sender), []).append(item.held.name)
        for sender, names in custody.items():
            link = self._attached.get(sender)
            if link is not None:
                self._sign_for(link, sender, names, now, out)

    def _sign_for(self, link: str, sender: Place, names: list[bytes], now: Instant, out: Output) -> None:
        charter, terminal = sender
        for first in range(0, len(names), RECEIPT_ITEMS_MAX):
            part = names[first : first + RECEIPT_ITEMS_MAX]
            body = encode(frame_pb2.CustodyBody(charter=charter, terminal=terminal, envelope=part, time_ms=now.wall))
            custody = frame_pb2.Custody(body=body, signature=self._signing.sign(CUSTODY_LABEL, body))
            out.transmit.append(_frame(link, frame_pb2.Frame(custody=custody)))

    # --- admission ---------------------------------------------------------------------------------------------------

    def _closed(self, link: str) -> None:
        stream = self._streams.pop(link, None)
        if stream is not None and stream.hotline is not None:
            key = (stream.hotline.charter, stream.terminal)
            if self._attached.get(key) == link:
                del self._attached[key]

    def _hang_up(self, stream: Stream, reason: frame_pb2.RefusalReason.ValueType, out: Output) -> None:
        out.transmit.append(_frame(stream.link, frame_pb2.Frame(refusal=frame_pb2.Refusal(reason=reason))))
        name = frame_pb2.RefusalReason.Name(reason)
        out.deliver.append(Delivery("hang-up", {"link": stream.link, "reason": name}))
        self._closed(stream.link)

    def _hello(self, stream: Stream, hello: frame_pb2.Hello, out: Output) -> None:
        hotline = self._hotlines.get(hello.charter)
        if (
            hotline is None
            or hello.version != WIRE_VERSION
            or not hello.terminal
            or hotline.terminals.get(stream.fingerprint) != hello.terminal
        ):
            self._hang_up(stream, frame_pb2.REFUSAL_REASON_NOT_ADMITTED, out)
            return
        key = (hotline.charter, hello.terminal)
        older = self._streams.get(self._attached.get(key, ""))
        if older is not None and older is not stream:
            # The newer stream is the live one: the older may be a zombie that a partition left behind.
            self._hang_up(older, frame_pb2.REFUSAL_REASON_REPLACED, out)
        stream.hotline, stream.terminal = hotline, hello.terminal
        self._attached[key] = stream.link
        mailbox = self.mailboxes[key]
        welcome = frame_pb2.Welcome(version=WIRE_VERSION, relay=self.name, waiting=len(mailbox))
        out.transmit.append(_frame(stream.link, frame_pb2.Frame(welcome=welcome)))
        out.transmit.extend(Transmission(stream.link, held.frame, held.sender) for held in mailbox)
        out.deliver.append(Delivery("attached", {"link": stream.link, "terminal": hello.terminal}))

    # --- frames ------------------------------------------------------------------------------------------------------

    def _frames(self, event: FramesReceived, now: Instant, out: Output) -> None:
        stream = self._streams.get(event.link)
        if stream is None:
            return
        parcel = _Parcel()
        if len(event.frames) > FRAMES_PER_PARCEL_MAX:
            self._tell_refusal(stream.link, "too-many-frames", now, out)
        for data in event.frames[:FRAMES_PER_PARCEL_MAX]:
            try:
                self._one(stream, data, parcel, now, out)
            except RemoteError as error:
                self._tell_refusal(stream.link, error.reason, now, out)
                if stream.hotline is None:
                    self._hang_up(stream, frame_pb2.REFUSAL_REASON_NOT_ADMITTED, out)
            if stream.link not in self._streams:
                break
        if parcel.custody and stream.hotline is not None:
            sender = (stream.hotline.charter, stream.terminal)
            self._sign_for(stream.link, sender, parcel.custody, now, out)

    def _tell_refusal(self, link: str, reason: str, now: Instant, out: Output) -> None:
        """Each refusal is told up to a bound; `_count_refusals` tells how many more there were."""
        self.refused += 1
        if self._refusals_until is None:
            self._refusals_until = now.mono + _MINUTE
        count = self._refusals[link] = self._refusals.get(link, 0) + 1
        if count <= REFUSALS_RECORDED_PER_MINUTE:
            out.deliver.append(Delivery("refused", {"link": link, "reason": reason}))

    def _count_refusals(self, now: Instant, out: Output) -> None:
        if self._refusals_until is None or now.mono < self._refusals_until:
            return
        for link, count in self._refusals.items():
            more = count - REFUSALS_RECORDED_PER_MINUTE
            if more > 0:
                out.deliver.append(Delivery("refused", {"link": link, "reason": "more", "count": more}))
        self._refusals.clear()
        self._refusals_until = None

    def _one(self, stream: Stream, data: bytes, parcel: _Parcel, now: Instant, out: Output) -> None:
        frame = decode_frame(data)
        kind = frame.WhichOneof("body")
        if stream.hotline is None:
            if kind != "hello":
                raise RemoteError("not-admitted")
            self._hello(stream, frame.hello, out)
        elif kind == "envelope":
            self._envelope(stream, stream.hotline, frame.envelope, data, parcel, now, out)
        elif kind == "taken":
            self._taken(stream, stream.hotline, frame.taken, out)
        else:
            raise RemoteError("frame-kind")

    def _refuse(self, stream: Stream, envelope: bytes, reason: frame_pb2.RefusalReason.ValueType, out: Output) -> None:
        self.refused += 1
        refusal = frame_pb2.Refusal(envelope_id=envelope_id(envelope), reason=reason)
        out.transmit.append(_frame(stream.link, frame_pb2.Frame(refusal=refusal)))

    def _envelope(
        self, stream: Stream, hotline: Hotline, envelope: bytes, data: bytes, parcel: _Parcel, now: Instant, out: Output
    ) -> None:
        header = decode_header(envelope)
        if header.sender != stream.terminal:
            self._refuse(stream, envelope, frame_pb2.REFUSAL_REASON_NOT_ADMITTED, out)
            return
        key = (hotline.charter, header.recipient)
        mailbox = self.mailboxes.get(key)
        if mailbox is None:
            self._refuse(stream, envelope, frame_pb2.REFUSAL_REASON_UNKNOWN_RECIPIENT, out)
            return
        bucket = self._buckets.setdefault((hotline.charter, stream.terminal), _Bucket(now.mono))
        if not bucket.take(now):
            self._refuse(stream, envelope, frame_pb2.REFUSAL_REASON_TOO_FAST, out)
            return
        recipient = self._attached.get(key)
        if header.transient:
            if recipient is not None:
                out.express.append(Transmission(recipient, data, header.sender))
                self.forwarded += 1
            return
        name = hashlib.sha256(envelope).digest()
        identifier = envelope_id(envelope)
        verdict = mailbox.judge(identifier, name, len(data))
        if verdict is Admission.CLASH:
            self._refuse(stream, envelope, frame_pb2.REFUSAL_REASON_MALFORMED, out)
            return
        if recipient is not None:
            out.express.append(Transmission(recipient, data, header.sender))
            self.forwarded += 1
        if verdict is Admission.FULL:
            self._refuse(stream, envelope, frame_pb2.REFUSAL_REASON_MAILBOX_FULL, out)
            return
        if verdict is Admission.NEW:
            held = Held(identifier, name, data, now.wall)
            mailbox.put(held)
            if recipient is not None:
                lingering = _Lingering(now.mono + RELAY_LINGER, key, stream.terminal, held)
                self._lingering[key, identifier] = lingering
                return
            self.stored += 1
            out.changes.append(_put(key, held))
        elif (key, identifier) in self._lingering:
            return  # custody follows when it is stored
        parcel.custody.append(name)

    def _taken(self, stream: Stream, hotline: Hotline, taken: frame_pb2.Taken, out: Output) -> None:
        key = (hotline.charter, stream.terminal)
        mailbox = self.mailboxes[key]
        for identifier in taken.envelope_id:
            if mailbox.take(identifier) is not None and self._lingering.pop((key, identifier), None) is None:
                out.changes.append(_delete(key, identifier))

    def _sweep(self, now: Instant, out: Output) -> None:
        if self._sweep_at is not None and now.mono < self._sweep_at:
            return
        self._sweep_at = now.mono + _SWEEP_EVERY
        for key, mailbox in self.mailboxes.items():
            for held in mailbox.older_than(now.wall - MAILBOX_RETENTION):
                mailbox.take(held.envelope_id)
                out.changes.append(_delete(key, held.envelope_id))


def _frame(link: str, frame: frame_pb2.Frame) -> Transmission:
    return Transmission(link, encode(frame))


def _put(key: tuple[bytes, int], held: Held) -> Put:
    charter, terminal = key
    return Put(
        "mailbox",
        {
            "charter": charter,
            "terminal": terminal,
            "envelope_id": held.envelope_id,
            "name": held.name,
            "frame": held.frame,
            "stored_at": held.stored_at,
        },
    )


def _delete(key: tuple[bytes, int], identifier: bytes) -> Delete:
    charter, terminal = key
    return Delete("mailbox", {"charter": charter, "terminal": terminal, "envelope_id": identifier})
