"""Strict decoding: one message has one spelling, whatever a hostile relay or peer writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import Malformed
from hotline.limits import FRAME_BYTES_MAX
from hotline.wire.codec import decode, decode_frame, encode, envelope_frame
from hotline.wire.v1 import content_pb2, frame_pb2

HELLO = frame_pb2.Hello(version=1, charter=b"c" * 32, terminal=2)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, wire_type: int, rest: bytes) -> bytes:
    return _varint(number << 3 | wire_type) + rest


def _bytes_field(number: int, data: bytes) -> bytes:
    return _field(number, 2, _varint(len(data)) + data)


HELLO_BYTES = _field(1, 0, _varint(1)) + _bytes_field(2, b"c" * 32) + _field(3, 0, _varint(2))


def test_reference_spelling_is_the_one_written() -> None:
    """If the hand-made bytes below were not the lawful ones, every refusal in this file would be for a wrong reason."""
    # docs/protocol.md 4.5
    assert encode(HELLO) == HELLO_BYTES
    assert decode(frame_pb2.Hello, HELLO_BYTES, 100) == HELLO


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(HELLO_BYTES + _field(3, 0, _varint(2)), "spelling", id="duplicate-equal"),
        pytest.param(_field(1, 0, _varint(9)) + HELLO_BYTES, "spelling", id="duplicate-last-wins"),
        pytest.param(HELLO_BYTES + _field(15, 0, _varint(1)), "spelling", id="unknown-field"),
        pytest.param(HELLO_BYTES + _bytes_field(4_000, b"smuggled"), "spelling", id="unknown-high-field"),
        pytest.param(_field(1, 0, b"\x81\x00") + HELLO_BYTES[2:], "spelling", id="over-long-value"),
        pytest.param(b"\x88\x00\x01" + HELLO_BYTES[2:], "spelling", id="over-long-tag"),
        pytest.param(_field(1, 0, _varint(1)) + b"\x12\xa0\x00" + HELLO_BYTES[4:], "spelling", id="over-long-length"),
        pytest.param(HELLO_BYTES[:-1] + _varint(2**32 + 2), "spelling", id="uint32-overflow"),
        pytest.param(HELLO_BYTES[:-1] + _varint(2**64 - 1), "spelling", id="uint32-minus-one"),
        pytest.param(HELLO_BYTES[:-1] + b"\x00", "spelling", id="explicit-default"),
        pytest.param(_field(1, 0, _varint(1)) + _bytes_field(2, b""), "spelling", id="explicit-empty"),
        pytest.param(_field(3, 0, _varint(2)) + HELLO_BYTES[:-2], "spelling", id="descending-order"),
        pytest.param(_field(1, 5, b"\1\0\0\0") + HELLO_BYTES[2:], "spelling", id="wrong-wire-type-fixed32"),
        pytest.param(_bytes_field(1, b"\1") + HELLO_BYTES[2:], "spelling", id="wrong-wire-type-bytes"),
        pytest.param(HELLO_BYTES[:-1], "unreadable", id="truncated-varint"),
        pytest.param(HELLO_BYTES[:10], "unreadable", id="truncated-bytes"),
        pytest.param(b"\x0b\x0c" + HELLO_BYTES, "spelling", id="group"),
        pytest.param(b"\x00\x01", "unreadable", id="field-zero"),
        pytest.param(b"\xff" * 11, "unreadable", id="endless-varint"),
    ],
)
def test_other_spellings_of_a_message_are_refused(data: bytes, reason: str) -> None:
    """Otherwise two terminals could read one signed byte string as two things, or carry smuggled bytes unseen."""
    # docs/protocol.md 4.2
    with pytest.raises(Malformed) as caught:
        decode(frame_pb2.Hello, data, 1_000)
    assert caught.value.reason == reason


def test_longer_than_allowed_is_refused_before_parsing() -> None:
    """Otherwise a peer chooses how much memory our parser takes (docs/protocol.md 4.6)."""
    with pytest.raises(Malformed) as caught:
        decode(frame_pb2.Hello, b"\xff" * 200, 199)
    assert caught.value.reason == "too-long"
    assert decode(frame_pb2.Hello, HELLO_BYTES, len(HELLO_BYTES)) == HELLO


def test_text_that_is_not_utf8_is_refused() -> None:
    """Otherwise a relay's name could be bytes that no screen shows the same way twice (docs/protocol.md 4.6)."""
    with pytest.raises(Malformed) as caught:
        decode(frame_pb2.Welcome, _bytes_field(2, b"relay\xff"), 100)
    assert caught.value.reason == "unreadable"


def test_frame_with_two_bodies_is_refused() -> None:
    """Otherwise a relay could act on the hello while a log shows the envelope."""
    for first, second in ((1, 3), (3, 1)):
        bodies = {1: _bytes_field(1, HELLO_BYTES), 3: _bytes_field(3, b"e" * 40)}
        with pytest.raises(Malformed) as caught:
            decode_frame(bodies[first] + bodies[second])
        assert caught.value.reason == "spelling"


def test_same_body_twice_is_not_merged() -> None:
    """Otherwise protobuf merges two halves of a hello into one that nobody sent."""
    with pytest.raises(Malformed):
        decode_frame(_bytes_field(1, HELLO_BYTES[:2]) + _bytes_field(1, HELLO_BYTES[2:]))


def test_unknown_field_deep_inside_is_refused() -> None:
    """Otherwise only the outermost layer is strict, and hidden bytes travel one layer down."""
    with pytest.raises(Malformed) as caught:
        decode_frame(_bytes_field(1, HELLO_BYTES + _field(9, 0, _varint(1))))
    assert caught.value.reason == "spelling"


def test_frame_without_body_is_refused() -> None:
    """Otherwise an empty frame reaches code that believes every frame has a body (docs/protocol.md 4.6)."""
    with pytest.raises(Malformed) as caught:
        decode_frame(b"")
    assert caught.value.reason == "empty"


@pytest.mark.parametrize(("extra", "lawful"), [(0, True), (1, False)])
def test_frame_length_bound_is_exact(extra: int, lawful: bool) -> None:
    """Otherwise a lawful largest frame is dropped, or a larger one taken, depending on who implements it."""
    # docs/protocol.md 4.3
    data = envelope_frame(b"e" * (FRAME_BYTES_MAX - 4 + extra))
    assert len(data) == FRAME_BYTES_MAX + extra
    if lawful:
        assert len(decode_frame(data).envelope) == FRAME_BYTES_MAX - 4
    else:
        with pytest.raises(Malformed):
            decode_frame(data)


def test_every_bit_flip_in_a_statement_changes_what_is_read() -> None:
    """If a flipped bit gave the same statement, a hash of the bytes and the words read would not bind each other."""
    statement = content_pb2.Statement(serial=7, text="The exercise begins at 14:30.", language="en")
    data = encode(statement)
    for position in range(8 * len(data)):
        altered = bytearray(data)
        altered[position // 8] ^= 1 << position % 8
        try:
            assert decode(content_pb2.Statement, bytes(altered), 1_000) != statement
        except Malformed:
            continue


_names = st.binary(min_size=0, max_size=40)
_u32 = st.integers(0, 2**32 - 1)
_frames = st.one_of(
    st.builds(
        lambda v, c, t: frame_pb2.Frame(hello=frame_pb2.Hello(version=v, charter=c, terminal=t)), _u32, _names, _u32
    ),
    st.builds(lambda e: frame_pb2.Frame(envelope=e), _names),
    st.builds(lambda i: frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=i)), st.lists(_names, max_size=4)),
    st.builds(lambda b, s: frame_pb2.Frame(custody=frame_pb2.Custody(body=b, signature=s)), _names, _names),
    st.builds(
        lambda i, r: frame_pb2.Frame(refusal=frame_pb2.Refusal(envelope_id=i, reason=r)),  # type: ignore[arg-type]
        _names,
        st.integers(0, 6),
    ),
    st.builds(
        lambda n, w: frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay=n, waiting=w)),
        st.text(max_size=9),
        _u32,
    ),
)


@st.composite
def _mutations(draw: st.DrawFn) -> tuple[bytes, bytes]:
    original = encode(draw(_frames))
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("flip", "insert", "delete", "double", "append"))):
            case "flip" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
            case "delete":
                del data[at : at + draw(st.integers(1, 4))]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 8))]
            case _:
                data += draw(st.binary(min_size=1, max_size=6))
    return original, bytes(data)


@given(_frames)
def test_what_we_write_we_read(frame: frame_pb2.Frame) -> None:
    """Otherwise an honest peer's frame is refused for its spelling."""
    assert decode_frame(encode(frame)) == frame


@given(_mutations())
def test_altered_frame_is_refused_or_means_something_else(pair: tuple[bytes, bytes]) -> None:
    """If two byte strings read as one frame, de-duplication by hash and the record of what came can be fooled."""
    original, altered = pair
    try:
        frame = decode_frame(altered)
    except Malformed:
        return
    assert encode(frame) == altered
    if altered != original:
        assert frame != decode_frame(original)


@given(st.binary(max_size=200))
def test_noise_never_raises_anything_else(data: bytes) -> None:
    """Any other exception would come out of a machine's step and stop the daemon: a remote off switch."""
    for kind in (frame_pb2.Frame, content_pb2.Statement, content_pb2.Heartbeat, content_pb2.Receipt):
        try:
            assert encode(decode(kind, data, 200)) == data
        except Malformed:
            continue
