"""What is inside an envelope: one type byte, content, signature, zero padding (docs/protocol.md 7.4).

0        type       u8
1..3     length     u24, of the content
4..      content    exactly the signed bytes
..       signature  64 bytes; for WITHOUT_PREJUDICE an HMAC-SHA512 in its place
..       padding    zeros up to the next size class (sealed envelopes only)
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from hotline.errors import Malformed
from hotline.limits import PADDING_CLASSES

SIGNATURE_SIZE: Final = 64
_PREFIX: Final = 4
INNER_OVERHEAD: Final = _PREFIX + SIGNATURE_SIZE
"""What stands beside the content, padding aside."""


class ContentType(IntEnum):
    """What the content is; each has its own signature label."""

    STATEMENT = 1
    RECEIPT = 2
    HEARTBEAT = 3
    KEY_REQUEST = 4
    WITHOUT_PREJUDICE = 5


class Inner(NamedTuple):
    """An unpadded inner content, signature not yet verified."""

    type: ContentType
    content: bytes
    signature: bytes


def encode_inner(inner: Inner, *, padded: bool) -> bytes:
    """Bytes of `inner`. Raises Malformed('too-long') if no size class holds it."""
    unpadded = b"".join((bytes((inner.type,)), len(inner.content).to_bytes(3, "big"), inner.content, inner.signature))
    if not padded:
        return unpadded
    for size in PADDING_CLASSES:
        if len(unpadded) <= size:
            return unpadded.ljust(size, b"\0")
    raise Malformed("too-long", f"content of {len(inner.content)} bytes")


def decode_inner(data: bytes, *, padded: bool) -> Inner:
    """Undo `encode_inner`. Raises Malformed('inner' | 'padding')."""
    length = int.from_bytes(data[1:_PREFIX], "big")
    end = _PREFIX + length + SIGNATURE_SIZE
    if len(data) < end:
        raise Malformed("inner", "shorter than it says")
    try:
        kind = ContentType(data[0])
    except ValueError as error:
        raise Malformed("inner", f"type {data[0]}") from error
    rest = data[end:]
    if padded:
        smallest = next((size for size in PADDING_CLASSES if end <= size), None)
        if len(data) != smallest or rest.count(0) != len(rest):
            raise Malformed("padding", f"{len(rest)} bytes")
    elif rest:
        raise Malformed("inner", "longer than it says")
    content = data[_PREFIX : _PREFIX + length]
    return Inner(kind, content, data[_PREFIX + length : end])
