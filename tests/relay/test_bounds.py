"""What one terminal can make a relay say: never more than a frame, a parcel or a log can hold."""

from __future__ import annotations

import hashlib

from hotline.crypto.signing import SigningKey, verify
from hotline.limits import (
    FRAME_BYTES_MAX,
    FRAMES_PER_PARCEL_MAX,
    REFUSALS_RECORDED_PER_MINUTE,
    RELAY_LINGER,
)
from hotline.machine import Delivery, FramesReceived, Instant, LinkOpened, Output, Tick
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import Header
from hotline.wire.v1 import frame_pb2
from relay.machine import CUSTODY_LABEL, Closing, Hotline, Relay

KEY = SigningKey(b"r" * 32)
CHARTER = b"c" * 32
NOW = Instant(1_000, 1_700_000_000_000)
MINUTE = 60_000
MANY = 6 * FRAMES_PER_PARCEL_MAX
"""Envelopes whose custody, said at once, would be longer than a frame may be."""


def _relay(*terminals: str) -> Relay:
    relay = Relay("relay-1", KEY, [Hotline(CHARTER, {"fp-a": 1, "fp-b": 2})], [])
    for link, number in {"a": 1, "b": 2}.items():
        if link in terminals:
            hello = frame_pb2.Frame(hello=frame_pb2.Hello(version=1, charter=CHARTER, terminal=number))
            relay.step(LinkOpened(link, f"fp-{link}"), NOW)
            relay.step(FramesReceived(link, (encode(hello),)), NOW)
    return relay


def _envelope(number: int) -> bytes:
    return Header(0, 2, 1, b"e" * 12, number).encode() + b"sealed"


def _send_many(relay: Relay) -> set[bytes]:
    """MANY envelopes at one moment, in lawful parcels; the names they will have in custody."""
    envelopes = [_envelope(number) for number in range(MANY)]
    for first in range(0, MANY, FRAMES_PER_PARCEL_MAX):
        parcel = envelopes[first : first + FRAMES_PER_PARCEL_MAX]
        relay.step(FramesReceived("a", tuple(map(envelope_frame, parcel))), NOW)
    return {hashlib.sha256(envelope).digest() for envelope in envelopes}


def _signed_for(out: Output) -> set[bytes]:
    names: set[bytes] = set()
    for item in out.transmit:
        assert len(item.frame) <= FRAME_BYTES_MAX
        frame = decode_frame(item.frame)
        if frame.WhichOneof("body") == "custody":
            verify(KEY.public, frame.custody.signature, CUSTODY_LABEL, frame.custody.body)
            names |= set(frame_pb2.CustodyBody.FromString(frame.custody.body).envelope)
    return names


def test_custody_for_many_is_said_in_frames_that_fit() -> None:
    """One frame too long for gRPC breaks the stream just when a terminal has caught up after an outage."""
    # docs/protocol.md 5.17
    relay = _relay("a", "b")
    names = _send_many(relay)
    later = Instant(NOW.mono + RELAY_LINGER, NOW.wall)
    assert _signed_for(relay.step(Tick(), later)) == names
    relay = _relay("a", "b")
    names = _send_many(relay)
    assert _signed_for(relay.step(Closing(), NOW)) == names


def test_parcel_with_too_many_frames_is_read_to_the_bound() -> None:
    """Without the bound one parcel of tiny frames keeps the relay from everybody else's heartbeats."""
    # docs/protocol.md 4.8
    relay = _relay("a")
    frames = tuple(envelope_frame(_envelope(number)) for number in range(FRAMES_PER_PARCEL_MAX + 5))
    out = relay.step(FramesReceived("a", frames), NOW)
    assert len(_signed_for(out)) == relay.held == FRAMES_PER_PARCEL_MAX
    assert [item.fields["reason"] for item in out.deliver if item.kind == "refused"] == ["too-many-frames"]


def _refused(out: Output) -> list[Delivery]:
    return [item for item in out.deliver if item.kind == "refused"]


def test_flood_of_bad_frames_cannot_flood_the_log() -> None:
    """A captured terminal must not push out of the log, or fill the disk with, what an administrator has to see."""
    # docs/protocol.md 15.2
    relay = _relay("a")
    parcel = FramesReceived("a", (b"\xff",) * 50)
    told = [refusal for _ in range(10) for refusal in _refused(relay.step(parcel, NOW))]
    assert len(told) == REFUSALS_RECORDED_PER_MINUTE
    assert relay.refused == 500
    later = Instant(NOW.mono + MINUTE, NOW.wall + MINUTE)
    first, second = _refused(relay.step(FramesReceived("a", (b"\xff",)), later))
    assert first.fields == {"link": "a", "reason": "more", "count": 500 - REFUSALS_RECORDED_PER_MINUTE}
    assert second.fields["reason"] == "unreadable"


def test_refusals_up_to_the_bound_leave_nothing_to_be_counted() -> None:
    """The log would speak of further refusals where there were none."""
    relay = _relay("a")
    told = _refused(relay.step(FramesReceived("a", (b"\xff",) * REFUSALS_RECORDED_PER_MINUTE), NOW))
    assert len(told) == REFUSALS_RECORDED_PER_MINUTE
    assert _refused(relay.step(Tick(), Instant(NOW.mono + MINUTE, NOW.wall + MINUTE))) == []


def test_refusals_beyond_the_bound_are_told_also_when_the_flood_ends() -> None:
    """If the count waited for the next bad frame, a flood that stops in time would never be known in its size."""
    relay = _relay("a")
    relay.step(Tick(), NOW)
    relay.step(FramesReceived("a", (b"\xff",) * (REFUSALS_RECORDED_PER_MINUTE + 7)), NOW)
    due = relay.next_deadline()
    assert due is not None
    assert due <= NOW.mono + MINUTE
    (told,) = _refused(relay.step(Tick(), Instant(due, NOW.wall + MINUTE)))
    assert told.fields == {"link": "a", "reason": "more", "count": 7}


def test_a_parcel_that_is_just_full_is_nothing_to_tell() -> None:
    """The log would complain of every terminal that catches up (docs/protocol.md 4.8)."""
    relay = _relay("a")
    frames = tuple(envelope_frame(_envelope(number)) for number in range(FRAMES_PER_PARCEL_MAX))
    assert _refused(relay.step(FramesReceived("a", frames), NOW)) == []
