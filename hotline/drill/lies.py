"""A relay that does not do what it signs for. It cannot see inside an envelope: it goes by headers and sizes.

`LyingRelay` is the relay's own machine. While `lie` is honest it decides what that decides; otherwise it treats one in
`share` envelopes as the lie says:

| lie | what becomes of the envelope |
|---|---|
| drop | it is gone; nothing is signed |
| replay | it passes, and an old one to the same terminal with it |
| reorder | it is held until the next of the same stream has passed, for a second at most |
| alter | on its way out one bit of the sealed part is flipped |
| forge-custody | it is gone and custody is signed; also by another key, and for another terminal |
| withhold-last | if it is durable it is gone and custody is signed; heartbeats pass |
| delay | it is held for `delay_ms` |
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from hotline.crypto.signing import SigningKey
from hotline.errors import RemoteError
from hotline.machine import FramesReceived, Instant, Output, Transmission
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import HEADER_SIZE, Header, decode_header
from hotline.wire.v1 import frame_pb2
from relay.machine import CUSTODY_LABEL, Hotline, Relay, RelayEvent, Stream
from relay.mailbox import Held

How = Literal["honest", "drop", "replay", "reorder", "alter", "forge-custody", "withhold-last", "delay"]
HOW_DURABLE_ONLY: Final = frozenset({"forge-custody", "withhold-last"})
"""Lies about what a relay signs for; heartbeats are not."""
_REORDER_MS: Final = 1_000
_REMEMBERED: Final = 256
"""Envelopes kept for a replay. Full: the oldest is forgotten."""
_HELD_MAX: Final = 10_000
"""Envelopes held back at once. Full: further ones pass."""


DELAY_MS: Final = 3_000
UNTOLD: Final = "it met no envelope to lie about"
"""Why a lie that began has failed all the same."""


@dataclass(frozen=True, slots=True)
class Lie:
    """What a relay does with one in `share` envelopes."""

    how: How = "honest"
    share: int = 1
    delay_ms: int = DELAY_MS


@dataclass(frozen=True, slots=True)
class _HeldBack:
    due: int
    link: str
    frame: bytes


class LyingRelay(Relay):
    """The machine of a relay that lies while it is told to."""

    def __init__(
        self,
        name: str,
        signing: SigningKey,
        hotlines: Iterable[Hotline],
        saved: Iterable[tuple[bytes, int, Held]],
    ) -> None:
        super().__init__(name, signing, hotlines, saved)
        self.lie = Lie()
        self.told: Counter[str] = Counter()
        """How many lies of each kind were told."""
        self._rng = random.Random(name)  # noqa: S311 - which bit is flipped is no secret
        self._stranger = SigningKey(hashlib.sha256(b"stranger").digest())
        self._seen = 0
        self._held_back: deque[_HeldBack] = deque()
        self._remembered: deque[tuple[tuple[bytes, int], bytes]] = deque(maxlen=_REMEMBERED)

    def tell(self, lie: Lie) -> None:
        """From now on. What was held back passes at the next step."""
        self.lie = lie
        self._seen = 0
        self._held_back = deque(_HeldBack(0, item.link, item.frame) for item in self._held_back)

    def step(self, event: RelayEvent, now: Instant) -> Output:
        """Take one event, as a relay does or as the lie says."""
        out = Output()
        while self._held_back and self._held_back[0].due <= now.mono:
            item = self._held_back.popleft()
            _join(out, super().step(FramesReceived(item.link, (item.frame,)), now))
        if isinstance(event, FramesReceived):
            for data in event.frames:
                self._one_frame(event.link, data, now, out)
        else:
            _join(out, super().step(event, now))
        if self.lie.how == "alter":
            out.express = [self._altered(item) for item in out.express]
            out.transmit = [self._altered(item) for item in out.transmit]
        return out

    def next_deadline(self) -> int | None:
        """When something held back is due, or what a relay waits for."""
        due = [item.due for item in list(self._held_back)[:1]]
        honest = super().next_deadline()
        return min(due if honest is None else [*due, honest], default=None)

    def _one_frame(self, link: str, data: bytes, now: Instant, out: Output) -> None:
        stream = self._streams.get(link)
        found = _envelope_of(data)
        if stream is None or stream.hotline is None or found is None:
            _join(out, super().step(FramesReceived(link, (data,)), now))
            return
        header, envelope = found
        place = (stream.hotline.charter, header.recipient)
        if self._is_chosen(header) and self._swallows(stream, header, envelope, data, now, out):
            return
        _join(out, super().step(FramesReceived(link, (data,)), now))
        if self.lie.how == "reorder":
            self._let_follow(link, data, now, out)
        self._remembered.append((place, data))

    def _is_chosen(self, header: Header) -> bool:
        """Whether this envelope is one in `share` of those that the lie is about."""
        how = self.lie.how
        if how in ("honest", "alter") or (header.transient and how in HOW_DURABLE_ONLY):
            return False
        self._seen += 1
        return self._seen % self.lie.share == 0

    def _swallows(
        self, stream: Stream, header: Header, envelope: bytes, data: bytes, now: Instant, out: Output
    ) -> bool:
        """Lie about a chosen envelope; whether it goes no further now."""
        assert stream.hotline is not None
        charter, how = stream.hotline.charter, self.lie.how
        if how == "replay":
            old = [frame for place, frame in self._remembered if place == (charter, header.recipient)]
            recipient = self._attached.get((charter, header.recipient))
            if old and recipient is not None:
                self.told[how] += 1
                out.express.append(Transmission(recipient, self._rng.choice(old)))
            return False
        if how in ("reorder", "delay"):
            waits = any(item.link == stream.link for item in self._held_back)
            if len(self._held_back) >= _HELD_MAX or (how == "reorder" and waits):
                return False
            self.told[how] += 1
            patience = _REORDER_MS if how == "reorder" else self.lie.delay_ms
            self._held_back.append(_HeldBack(now.mono + patience, stream.link, data))
            return True
        self.told[how] += 1
        if how != "drop":
            name = hashlib.sha256(envelope).digest()
            if how == "forge-custody":  # first, for what a terminal knows of already it does not verify
                self._sign(stream.link, self._stranger, (charter, stream.terminal), name, now, out)
                self._sign(stream.link, self._signing, (charter, header.recipient), name, now, out)
            self._sign(stream.link, self._signing, (charter, stream.terminal), name, now, out)
        return True

    def _let_follow(self, link: str, data: bytes, now: Instant, out: Output) -> None:
        """What waited for this envelope to overtake it comes after it."""
        for item in [item for item in self._held_back if item.link == link and item.frame != data]:
            self._held_back.remove(item)
            _join(out, super().step(FramesReceived(link, (item.frame,)), now))

    def _sign(
        self, link: str, key: SigningKey, place: tuple[bytes, int], name: bytes, now: Instant, out: Output
    ) -> None:
        body = encode(frame_pb2.CustodyBody(charter=place[0], terminal=place[1], envelope=[name], time_ms=now.wall))
        custody = frame_pb2.Custody(body=body, signature=key.sign(CUSTODY_LABEL, body))
        out.transmit.append(Transmission(link, encode(frame_pb2.Frame(custody=custody))))

    def _altered(self, item: Transmission) -> Transmission:
        found = _envelope_of(item.frame)
        if found is None:
            return item
        self._seen += 1
        if self._seen % self.lie.share:
            return item
        self.told["alter"] += 1
        envelope = bytearray(found[1])
        envelope[self._rng.randrange(HEADER_SIZE, len(envelope))] ^= 1 << self._rng.randrange(8)
        return Transmission(item.link, envelope_frame(bytes(envelope)))


def _envelope_of(data: bytes) -> tuple[Header, bytes] | None:
    """Header and whole of the envelope that a frame carries; None for any other frame."""
    try:
        frame = decode_frame(data)
        if frame.WhichOneof("body") != "envelope":
            return None
        return decode_header(frame.envelope), frame.envelope
    except RemoteError:
        return None


def _join(out: Output, more: Output) -> None:
    """Perform `more` after `out`."""
    out.express += more.express
    out.records += more.records
    out.changes += more.changes
    out.transmit += more.transmit
    out.deliver += more.deliver
    out.replies += more.replies
