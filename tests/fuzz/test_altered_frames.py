"""Every bit of every kind of frame flipped, every frame cut at every byte: refused, and the whole state as before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import RemoteError
from hotline.machine import FramesReceived, Instant, LinkOpened, Plane
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2, frame_pb2
from relay.machine import Relay
from tests.fuzz.machines import HOTLINE, template
from tests.fuzz.state import changed, state
from tests.hotline.protocol.pair import CHARTER, WALL, Pair, losing

BATCH = 64
"""Altered frames between two looks at the state."""

NOTED = (
    ".context.ledger",  # the record of the refusal
    ".context.history",
    ".context._refusals",  # how much was refused
    ".context.out",  # the output of the last step
    ".context.session._asked_at",  # when a key was last asked for
    ".context.session._openers",  # epochs whose opener held, and what a path has had tried in this second
    "._first._key_requests",  # how many of a path were read in this second (docs/protocol.md 7.13)
    "._first.answers._vain",  # how many of a relay did not hold (docs/protocol.md 5.19)
    "._taken",  # envelopes refused for good, of which the relay is told (docs/protocol.md 5.8)
)
"""What may change by a refusal (docs/protocol.md 4.1)."""

LOOKED_AHEAD = re.compile(r"\._(durable|transient)\._keys(#|\[[1-9][0-9]*\])$")
"""Steps of a chain beyond the one where it stands: each is taken once."""


def altered(frame: bytes) -> Iterator[bytes]:
    """Each single bit flipped, and each beginning."""
    for bit in range(len(frame) * 8):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
    for length in range(len(frame)):
        yield frame[:length]


def sealed(
    pair: Pair, kind: ContentType, content: bytes, plane: Plane = Plane.REAL, *, transient: bool = False
) -> bytes:
    """BRAVO says it."""
    session = pair.bravo.endpoint.context.session
    return envelope_frame(session.seal(plane, session.sign(kind, plane, content), transient=transient))


def smallest(pair: Pair) -> dict[str, bytes]:
    """The smallest lawful frame of each kind that BRAVO, or a relay, could send to ALPHA now."""
    session = pair.bravo.endpoint.context.session
    path = pair.alpha.endpoint.context.paths["relay-1"]
    beat = content_pb2.Heartbeat(beat=1, path=1, echo=path._beat, presence=content_pb2.PRESENCE_ALIVE)
    said = content_pb2.Statement(
        serial=2, precedence=1, kind=1, direction=1, language="en", from_party="BRAVO", to_party="ALPHA",
        text="x", body_salt=bytes(32), previous_in_precedence=1,
    )  # type: ignore[arg-type]  # fmt: skip
    receipt = content_pb2.Receipt(stage=1, item=[content_pb2.ReceiptItem(serial=1, statement=bytes(32))])  # type: ignore[arg-type]
    pair.time += 10_000  # so that both may ask for a key
    request = session.key_request(b"", pair.bravo.now())
    assert request is not None
    return {
        "statement": sealed(pair, ContentType.STATEMENT, encode(said)),
        "receipt": sealed(pair, ContentType.RECEIPT, encode(receipt)),
        "heartbeat": sealed(pair, ContentType.HEARTBEAT, encode(beat), transient=True),
        "key request": envelope_frame(request),
        "custody": pair.custody_frame("relay-1", 1, [under_way(pair)]),
    }


def under_way(pair: Pair) -> bytes:
    """ALPHA says something that nobody hears; the name of its envelope."""
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.submit("nobody hears this")
    outbox = pair.alpha.endpoint.context.outboxes[Plane.REAL]
    return outbox.pending[outbox.last_serial].name


def unbounded(pair: Pair) -> None:
    """Each altered frame is tried, however many there are: what bounds them is not what refuses them here."""
    line, openers = pair.alpha.endpoint._first, pair.alpha.endpoint.context.session._openers
    for allowance in (line._key_requests, line.answers._vain, openers._tries, openers._ahead):
        allowance._most = 10**9


def is_replay(data: bytes, frame: bytes) -> bool:
    """A key request comes in the clear: its signature covers neither epoch nor number, which mean nothing there.

    Altered in these it is the same request once more, and a replay is worth nothing (docs/protocol.md 7.7).
    """
    try:
        one, other = (decode_frame(part).envelope for part in (data, frame))
    except RemoteError:
        return False
    return bool(other) and bool(other[1] & FLAG_CLEAR) and one[:6] + one[22:] == other[:6] + other[22:]


def check(pair: Pair, frame: bytes, every: int = 1) -> None:
    """None of the altered frames does anything; the frame itself is taken after them as if they had never come."""
    alpha = pair.alpha
    unbounded(pair)
    alpha.hear("relay-1", b"\xff")  # so that its clocks have been read at this moment
    before = state(alpha.endpoint)
    frames = [data for data in altered(frame) if not is_replay(data, frame)][::every]
    for start in range(0, len(frames), BATCH):
        output = alpha.hear("relay-1", *frames[start : start + BATCH])
        assert {record.kind for record in output.records} <= {"refused", "refused.more", "key.request.sent"}
        assert output.changes == []
        assert {delivery.kind for delivery in output.deliver} <= {"refused"}
        places = {place for place in changed(before, state(alpha.endpoint)) if not place.startswith(NOTED)}
        places = {place for place in places if not LOOKED_AHEAD.search(place)}
        assert places == set()
    output = alpha.hear("relay-1", frame)
    places = {place for place in changed(before, state(alpha.endpoint)) if not place.startswith(NOTED)}
    assert output.changes or places, "it was refused"


@pytest.mark.parametrize("kind", ["statement", "receipt", "heartbeat", "key request", "custody"])
def test_no_altered_frame_does_anything_at_a_terminal(kind: str) -> None:
    """Noise, or a relay, could bring a terminal out of step without one signature (docs/protocol.md 4.1)."""
    pair = template().copy()
    check(pair, smallest(pair)[kind])


def test_no_altered_opener_does_anything_at_a_terminal() -> None:
    """The same for the first envelope of an epoch; of its thousand bytes, which cost a decapsulation each, a part."""
    pair = template().copy()
    pair.bravo.restart()
    pair.run(3_000)
    session = pair.bravo.endpoint.context.session
    session._sending.clear()
    content = encode(content_pb2.Receipt(stage=1, item=[content_pb2.ReceiptItem(serial=1, statement=bytes(32))]))  # type: ignore[arg-type]
    frame = sealed(pair, ContentType.RECEIPT, content, Plane.EXERCISE)
    assert len(frame) > 1_300
    check(pair, frame, 7)


@pytest.mark.parametrize("forged", ["announcement", "courier", "activation", "peer_activation"])
def test_nothing_of_a_heartbeat_is_believed_if_one_part_of_it_is_forged(forged: str) -> None:
    """A path would count as heard, and a lawful prekey beside a forged one be taken (docs/protocol.md 4.1, 10.11)."""
    pair = template().copy()
    pair.alpha.hear("relay-1", b"\xff")
    alpha, bravo = pair.alpha.endpoint, pair.bravo.endpoint
    path = alpha.context.paths["relay-1"]
    pair.bravo.restart()  # whose new prekey is lawful news
    newest = bravo.context.prekeys.newest
    assert newest is not None
    beat = content_pb2.Heartbeat(
        beat=path.peer_beat + 1, path=1, echo=path._beat, presence=content_pb2.PRESENCE_CLOSING, sent_through=9,
        announcement=newest.signed,
    )  # fmt: skip
    wrong = content_pb2.SignedPrekey(body=newest.signed.body, signature=bytes(64))
    if forged == "announcement":
        beat.announcement.CopyFrom(wrong)
    elif forged == "courier":
        beat.courier.prekey.CopyFrom(wrong)
    else:
        getattr(beat, forged).body = encode(content_pb2.ActivationBody(term=9, terminal=1 + (forged == "activation")))
        getattr(beat, forged).signature = bytes(64)
    before = state(alpha)
    output = pair.alpha.hear("relay-1", sealed(pair, ContentType.HEARTBEAT, encode(beat), transient=True))
    assert [record.kind for record in output.records if record.kind != "key.epoch.opened"] == ["refused"]
    assert {change.table for change in output.changes} <= {"peer_epoch"}
    places = {place for place in changed(before, state(alpha)) if not place.startswith((*NOTED, ".context.session"))}
    assert places == set()


@pytest.mark.parametrize(
    "frame",
    [
        frame_pb2.Frame(hello=frame_pb2.Hello(version=1, charter=CHARTER, terminal=2)),
        frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay="relay-1", waiting=3)),
        frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=[bytes(18)])),
        frame_pb2.Frame(refusal=frame_pb2.Refusal(envelope_id=bytes(18), reason=4)),  # type: ignore[arg-type]
    ],
)
def test_what_a_relay_says_without_a_signature_changes_no_table(frame: frame_pb2.Frame) -> None:
    """A relay could make a terminal believe something of the peer (docs/protocol.md 1.2)."""
    pair = template().copy()
    for data in altered(encode(frame)):
        output = pair.alpha.hear("relay-1", data)
        assert {record.kind for record in output.records} <= {"refused", "refused.more", "alarm", "path.state"}
        # That an alarm rang is kept for the next handover of the watch (25.9), and is nothing about the peer.
        assert {change.table for change in output.changes} <= {"raised"}
        assert not {delivery.kind for delivery in output.deliver} & {"received", "sent", "read"}


# --- the relay -------------------------------------------------------------------------------------------------------
NOW = Instant(1_000, WALL)


def attached() -> Relay:
    """Two terminals are here, and one envelope waits for the third."""
    machine = Relay("relay-1", SigningKey(b"r" * 32), [HOTLINE], [])
    for link, terminal in (("a", 1), ("b", 2)):
        machine.step(LinkOpened(link, f"fp-{link}"), NOW)
        machine.step(FramesReceived(link, (hello(terminal),)), NOW)
    return machine


def hello(terminal: int) -> bytes:
    return encode(frame_pb2.Frame(hello=frame_pb2.Hello(version=1, charter=CHARTER, terminal=terminal)))


def from_alpha(to: int = 3) -> bytes:
    return envelope_frame(bytes((1, 0, 0, to, 0, 1)) + b"e" * 12 + b"\0\0\0\1" + b"sealed")


def test_no_altered_hello_is_admitted() -> None:
    """Whoever comes near enough to a lawful Hello would get a terminal's traffic (docs/protocol.md 5.5)."""
    machine = attached()
    before = state(machine.mailboxes), dict(machine._attached)
    for number, data in enumerate(altered(hello(3))):
        link = f"c{number}"
        machine.step(LinkOpened(link, "fp-c"), NOW)
        out = machine.step(FramesReceived(link, (data,)), NOW)
        (answer,) = out.transmit
        assert decode_frame(answer.frame).refusal.reason == frame_pb2.REFUSAL_REASON_NOT_ADMITTED
        assert (machine.streams, machine.attached) == (2, 2)
    assert (state(machine.mailboxes), dict(machine._attached)) == before


def test_an_altered_envelope_is_another_or_is_refused() -> None:
    """A relay would keep altered bytes in the place of what it has signed for (docs/protocol.md 5.7)."""
    machine = attached()
    lawful = from_alpha()
    machine.step(FramesReceived("a", (lawful,)), NOW)
    place = (CHARTER, 3)
    held = {item.envelope_id: item.name for item in machine.mailboxes[place]}
    for data in altered(lawful):
        before = {item.envelope_id: item.name for item in machine.mailboxes[place]}
        out = machine.step(FramesReceived("a", (data,)), NOW)
        after = {item.envelope_id: item.name for item in machine.mailboxes[place]}
        new = after.keys() - before.keys()
        assert {name: after[name] for name in before} == before
        if new:
            envelope = decode_frame(data).envelope
            assert new == {envelope[4:22]}
            assert envelope[:6] == decode_frame(lawful).envelope[:6], "to and from are what the stream is admitted for"
        elif out.transmit:
            kinds = {decode_frame(item.frame).WhichOneof("body") for item in out.transmit}
            assert kinds == {"refusal"}
    assert machine.mailboxes[place].judge(*next(iter(held.items())), 1).name == "REPEAT"
    assert hashlib.sha256(decode_frame(lawful).envelope).digest() in held.values()


def test_an_altered_taken_takes_nothing() -> None:
    """A relay would let go of what nobody has (docs/protocol.md 5.8)."""
    machine = attached()
    machine.step(FramesReceived("a", (from_alpha(to=2),)), NOW)
    place = (CHARTER, 2)
    (held,) = list(machine.mailboxes[place])
    taken = encode(frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=[held.envelope_id])))
    for data in altered(taken):
        machine.step(FramesReceived("b", (data,)), NOW)
        assert len(machine.mailboxes[place]) == 1
    machine.step(FramesReceived("b", (taken,)), NOW)
    assert len(machine.mailboxes[place]) == 0
