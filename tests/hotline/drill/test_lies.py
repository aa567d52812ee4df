"""A lying relay as a machine: each lie is told as its name says, and an honest one tells none."""

from __future__ import annotations

import hashlib

import pytest

from hotline.crypto.signing import SigningKey, verify
from hotline.drill.lies import Lie, LyingRelay
from hotline.errors import Untrusted
from hotline.machine import FramesReceived, Instant, LinkOpened, Output, Tick
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import FLAG_TRANSIENT, HEADER_SIZE, Header
from hotline.wire.v1 import frame_pb2
from relay.machine import CUSTODY_LABEL, Hotline, Relay

KEY = SigningKey(b"r" * 32)
CHARTER = b"c" * 32
ALPHA, BRAVO = 1, 2
HOTLINES = [Hotline(CHARTER, {"fp-a": ALPHA, "fp-b": BRAVO})]


def at(ms: int) -> Instant:
    return Instant(ms, 1_700_000_000_000 + ms)


def attach(relay: Relay, link: str, fingerprint: str, terminal: int) -> None:
    hello = frame_pb2.Hello(version=1, charter=CHARTER, terminal=terminal)
    relay.step(LinkOpened(link, fingerprint), at(0))
    relay.step(FramesReceived(link, (encode(frame_pb2.Frame(hello=hello)),)), at(0))


def liar(lie: Lie) -> LyingRelay:
    """Both terminals attached, and the lie begun."""
    relay = LyingRelay("relay-1", KEY, HOTLINES, [])
    attach(relay, "a", "fp-a", ALPHA)
    attach(relay, "b", "fp-b", BRAVO)
    relay.step(Tick(), at(1))
    relay.tell(lie)
    return relay


def envelope(number: int, flags: int = 0) -> bytes:
    return Header(flags, BRAVO, ALPHA, b"e" * 12, number).encode() + bytes([number % 256]) * 600


def say(relay: LyingRelay, ms: int, *envelopes: bytes) -> Output:
    return relay.step(FramesReceived("a", tuple(envelope_frame(one) for one in envelopes)), at(ms))


def passed(out: Output) -> list[bytes]:
    """Envelopes on their way to BRAVO, in order."""
    frames = [decode_frame(item.frame) for item in (*out.express, *out.transmit) if item.link == "b"]
    return [frame.envelope for frame in frames if frame.WhichOneof("body") == "envelope"]


def custodies(out: Output) -> list[tuple[frame_pb2.CustodyBody, bool]]:
    """What was signed for ALPHA, and whether it is the relay's own signature."""
    found = []
    for item in out.transmit:
        frame = decode_frame(item.frame)
        if item.link == "a" and frame.WhichOneof("body") == "custody":
            body, signature = frame.custody.body, frame.custody.signature
            own = True
            try:
                verify(KEY.public, signature, CUSTODY_LABEL, body)
            except Untrusted:
                own = False
            found.append((frame_pb2.CustodyBody.FromString(body), own))
    return found


def test_an_honest_liar_decides_what_a_relay_decides() -> None:
    """A drill would measure the liar's program and not its lie."""
    honest, other = Relay("relay-1", KEY, HOTLINES, []), LyingRelay("relay-1", KEY, HOTLINES, [])
    for relay in (honest, other):
        attach(relay, "a", "fp-a", ALPHA)
        attach(relay, "b", "fp-b", BRAVO)
    for ms, event in enumerate(
        (FramesReceived("a", (envelope_frame(envelope(1)),)), Tick(), FramesReceived("b", (b"noise",)), Tick()), 100
    ):
        assert honest.step(event, at(20 * ms)) == other.step(event, at(20 * ms))
        assert honest.next_deadline() == other.next_deadline()
    assert not other.told


def test_drop_swallows_one_in_so_many() -> None:
    """All or nothing would be another fault: a dead relay, or a good one."""
    relay = liar(Lie("drop", share=3))
    sent = [envelope(number) for number in range(1, 10)]
    out = say(relay, 10, *sent)
    assert passed(out) == [one for number, one in enumerate(sent, 1) if number % 3]
    later = relay.step(Tick(), at(1_000))
    assert {name for body, _ in custodies(later) for name in body.envelope} == {
        hashlib.sha256(one).digest() for number, one in enumerate(sent, 1) if number % 3
    }
    assert relay.told == {"drop": 3}


def test_replay_sends_old_envelopes_again() -> None:
    """Nothing would be replayed, and the receiver's guard would stay untested."""
    relay = liar(Lie("replay"))
    sent = [envelope(number) for number in range(1, 6)]
    arrived = [one for number, item in enumerate(sent) for one in passed(say(relay, number, item))]
    assert len(arrived) > len(sent)
    assert set(arrived) == set(sent)


def test_reorder_lets_the_next_overtake() -> None:
    """Held and never given back would be a loss, not an order."""
    relay = liar(Lie("reorder"))
    sent = [envelope(number) for number in range(1, 5)]
    assert passed(say(relay, 10, *sent)) == [sent[1], sent[0], sent[3], sent[2]]
    assert passed(say(relay, 20, envelope(5))) == []
    assert relay.next_deadline() is not None
    assert passed(relay.step(Tick(), at(1_020))) == [envelope(5)]


def test_alter_flips_one_bit_behind_the_header() -> None:
    """A changed header would be refused by the address and never reach the seal."""
    relay = liar(Lie("alter"))
    sent = envelope(1)
    (arrived,) = passed(say(relay, 10, sent))
    assert arrived[:HEADER_SIZE] == sent[:HEADER_SIZE]
    assert sum((a ^ b).bit_count() for a, b in zip(arrived, sent, strict=True)) == 1
    relay.tell(Lie())
    assert passed(say(relay, 20, envelope(2))) == [envelope(2)]


def test_forged_custody_is_signed_for_what_is_gone() -> None:
    """The sender would never see the lie that this drill is about."""
    relay = liar(Lie("forge-custody"))
    sent, beat = envelope(1), envelope(2, FLAG_TRANSIENT)
    out = say(relay, 10, sent, beat)
    assert passed(out) == [beat]
    assert [(body.terminal, own) for body, own in custodies(out)] == [(ALPHA, False), (BRAVO, True), (ALPHA, True)]
    assert all(list(body.envelope) == [hashlib.sha256(sent).digest()] for body, _ in custodies(out))
    assert relay.held == 0


def test_withheld_statements_leave_the_heartbeats_alone() -> None:
    """A silent path would give it away; the lie is that it looks alive."""
    relay = liar(Lie("withhold-last"))
    beats = [envelope(number, FLAG_TRANSIENT) for number in (7, 8)]
    out = say(relay, 10, beats[0], envelope(1), beats[1], envelope(2))
    assert passed(out) == beats
    assert [own for _, own in custodies(out)] == [True, True]


@pytest.mark.parametrize("flags", [0, FLAG_TRANSIENT])
def test_delay_gives_everything_back_in_order(flags: int) -> None:
    """A delay that loses or swaps would be three lies at once."""
    relay = liar(Lie("delay", delay_ms=500))
    sent = [envelope(number, flags) for number in range(1, 4)]
    assert passed(say(relay, 10, *sent)) == []
    assert relay.next_deadline() == 510
    assert passed(relay.step(Tick(), at(509))) == []
    assert passed(relay.step(Tick(), at(510))) == sent


def test_what_was_held_back_passes_when_the_lie_ends() -> None:
    """The undo would leave statements behind."""
    relay = liar(Lie("delay", delay_ms=60_000))
    say(relay, 10, envelope(1))
    relay.tell(Lie())
    assert passed(relay.step(Tick(), at(20))) == [envelope(1)]
