"""The 22 bytes that relays see."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import Malformed
from hotline.limits import ENVELOPE_BYTES_MAX
from hotline.wire.envelope import (
    ENVELOPE_ID_SIZE,
    HEADER_SIZE,
    Header,
    decode_header,
    envelope_id,
)

LAWFUL_FLAGS = (0b000, 0b001, 0b010, 0b011, 0b110)
EPOCH = bytes(range(12))


def _raw(version: int = 1, flags: int = 0, to: int = 2, sender: int = 1, number: int = 5, rest: bytes = b"x") -> bytes:
    return struct.pack(">BBHH12sI", version, flags, to, sender, EPOCH, number) + rest


def test_layout_is_the_written_one() -> None:
    """If a field moved, terminals of two versions would read each other's addresses wrongly."""
    # docs/protocol.md 2.1 and 6.1
    data = bytes.fromhex("0103 0002 0001 000102030405060708090a0b 00000005".replace(" ", ""))
    assert Header(3, 2, 1, EPOCH, 5).encode() == data
    assert decode_header(data + b"x") == Header(3, 2, 1, EPOCH, 5)


@pytest.mark.parametrize("flags", range(256))
def test_every_flag_byte(flags: int) -> None:
    """An unlawful flag that passes is a hidden bit in each envelope, or a clear text taken for a sealed one."""
    # docs/protocol.md 6.1
    if flags in LAWFUL_FLAGS:
        header = decode_header(_raw(flags=flags))
        assert header.flags == flags
        assert header.transient is bool(flags & 2)
    else:
        with pytest.raises(Malformed) as caught:
            decode_header(_raw(flags=flags))
        assert caught.value.reason == "flags"


@pytest.mark.parametrize("version", [0, *range(2, 256)])
def test_every_other_version_is_refused(version: int) -> None:
    """There is no negotiation: a version read by guess is a downgrade (docs/protocol.md 4.4)."""
    with pytest.raises(Malformed) as caught:
        decode_header(_raw(version=version))
    assert caught.value.reason == "version"


@pytest.mark.parametrize(("to", "sender"), [(0, 1), (1, 0), (0, 0), (3, 3), (65_535, 65_535)])
def test_impossible_addresses_are_refused(to: int, sender: int) -> None:
    """A terminal that writes to itself, or to nobody, would make a relay store for ever what nobody takes."""
    # docs/protocol.md 6.5
    with pytest.raises(Malformed) as caught:
        decode_header(_raw(to=to, sender=sender))
    assert caught.value.reason == "address"


@pytest.mark.parametrize("length", range(HEADER_SIZE + 1))
def test_every_short_length_is_refused(length: int) -> None:
    """A header alone, or part of one, is no envelope; reading on would be reading nothing (docs/protocol.md 6.5)."""
    with pytest.raises(Malformed) as caught:
        decode_header(_raw()[:length])
    assert caught.value.reason == "too-short"


@pytest.mark.parametrize(
    ("length", "lawful"), [(HEADER_SIZE + 1, True), (ENVELOPE_BYTES_MAX, True), (ENVELOPE_BYTES_MAX + 1, False)]
)
def test_length_bounds_are_exact(length: int, lawful: bool) -> None:
    """Relays and terminals that disagree by one byte lose the longest statements (docs/protocol.md 6.5)."""
    data = _raw(rest=b"x" * (length - HEADER_SIZE))
    if lawful:
        assert decode_header(data).number == 5
    else:
        with pytest.raises(Malformed) as caught:
            decode_header(data)
        assert caught.value.reason == "too-long"


@given(
    st.sampled_from(LAWFUL_FLAGS),
    st.integers(1, 65_535),
    st.integers(1, 65_535),
    st.binary(min_size=12, max_size=12),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=1, max_size=30),
)
def test_headers_survive_the_wire(flags: int, to: int, sender: int, epoch: bytes, number: int, rest: bytes) -> None:
    """A header that changes on the way is refused by the seal: the statement would never arrive."""
    # docs/protocol.md 6.3
    header = Header(flags, to, sender, epoch, number)
    if to == sender:
        return
    data = header.encode() + rest
    assert decode_header(data) == header
    assert envelope_id(data) == struct.pack(">H", sender) + epoch + struct.pack(">I", number)
    assert len(envelope_id(data)) == ENVELOPE_ID_SIZE


@given(st.binary(max_size=60))
def test_noise_is_refused_or_identical(data: bytes) -> None:
    """Any other exception would stop a relay: one hostile envelope would take a path away."""
    try:
        assert decode_header(data).encode() == data[:HEADER_SIZE]
    except Malformed:
        return
