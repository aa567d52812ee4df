"""What is inside an envelope: exact content, and a length that tells only its class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import Malformed
from hotline.limits import PADDING_CLASSES
from hotline.wire.inner import SIGNATURE_SIZE, ContentType, Inner, decode_inner, encode_inner

SIGNATURE = bytes(range(64))
OVERHEAD = 4 + SIGNATURE_SIZE


def _inner(length: int) -> Inner:
    return Inner(ContentType.STATEMENT, b"m" * length, SIGNATURE)


def test_layout_is_the_written_one() -> None:
    """If a byte moved, the peer would verify a signature over other bytes than were signed (docs/protocol.md 7.4)."""
    assert encode_inner(Inner(ContentType.RECEIPT, b"abc", SIGNATURE), padded=False) == b"\2\0\0\3abc" + SIGNATURE


@pytest.mark.parametrize("size", PADDING_CLASSES)
def test_padding_class_bounds_are_exact(size: int) -> None:
    """A content one byte under or over must fall in the class that everybody expects, or its length leaks."""
    # docs/protocol.md 7.4
    following = next((larger for larger in PADDING_CLASSES if larger > size), None)
    largest = encode_inner(_inner(size - OVERHEAD), padded=True)
    assert len(largest) == size
    assert decode_inner(largest, padded=True) == _inner(size - OVERHEAD)
    if following is None:
        with pytest.raises(Malformed) as caught:
            encode_inner(_inner(size - OVERHEAD + 1), padded=True)
        assert caught.value.reason == "too-long"
    else:
        assert len(encode_inner(_inner(size - OVERHEAD + 1), padded=True)) == following


@pytest.mark.parametrize("position", [-1, -10, -(128 - OVERHEAD - 3)])
def test_padding_that_is_not_zero_is_refused(position: int) -> None:
    """Otherwise a leaky terminal can carry secret bytes past every check, in padding nobody looks at."""
    data = bytearray(encode_inner(_inner(3), padded=True))
    data[position] = 1
    with pytest.raises(Malformed) as caught:
        decode_inner(bytes(data), padded=True)
    assert caught.value.reason == "padding"


@pytest.mark.parametrize("size", [*PADDING_CLASSES[1:], OVERHEAD + 3, 127, 129, 200])
def test_another_length_than_the_least_class_is_refused(size: int) -> None:
    """Otherwise the choice of a class is a covert channel, and an unpadded content shows its length."""
    data = encode_inner(_inner(3), padded=False).ljust(size, b"\0")
    with pytest.raises(Malformed) as caught:
        decode_inner(data, padded=True)
    assert caught.value.reason == "padding"


def test_unpadded_content_ends_where_it_says() -> None:
    """Otherwise bytes that no signature covers travel behind a signed key request."""
    data = encode_inner(_inner(3), padded=False)
    assert decode_inner(data, padded=False) == _inner(3)
    with pytest.raises(Malformed):
        decode_inner(data + b"\0", padded=False)


@pytest.mark.parametrize("kind", [0, *range(len(ContentType) + 1, 256)])
def test_unknown_types_are_refused(kind: int) -> None:
    """An unknown type has no signature label: nothing could say what was signed."""
    data = bytes((kind,)) + encode_inner(_inner(3), padded=True)[1:]
    with pytest.raises(Malformed) as caught:
        decode_inner(data, padded=True)
    assert caught.value.reason == "inner"


@pytest.mark.parametrize("padded", [True, False])
def test_every_truncation_is_refused(padded: bool) -> None:
    """A cut content must never be read as a shorter lawful one."""
    data = encode_inner(_inner(70), padded=padded)
    for length in range(len(data)):
        with pytest.raises(Malformed):
            decode_inner(data[:length], padded=padded)


@given(st.sampled_from(list(ContentType)), st.binary(max_size=600), st.booleans())
def test_inner_survives(kind: ContentType, content: bytes, padded: bool) -> None:
    """If content changed by one byte here, its signature would never verify at the peer."""
    inner = Inner(kind, content, SIGNATURE)
    assert decode_inner(encode_inner(inner, padded=padded), padded=padded) == inner


@given(st.binary(max_size=300), st.booleans())
def test_noise_is_refused_or_identical(data: bytes, padded: bool) -> None:
    """Any other exception would stop the daemon on one opened envelope of a hostile peer."""
    try:
        assert encode_inner(decode_inner(data, padded=padded), padded=padded) == data
    except Malformed:
        return
