"""One spelling only: protobuf messages are accepted in exactly the encoding this project writes (docs/protocol.md 4.2).

The protobuf library accepts duplicate, unknown, over-long and wrapped fields in silence, so that many byte strings
read as one message. Here a message must be the ascending, minimal, default-free encoding of itself.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from hotline.errors import Malformed
from hotline.limits import FRAME_BYTES_MAX
from hotline.wire.v1 import frame_pb2

MessageT = TypeVar("MessageT", bound=Message)


def encode(message: Message) -> bytes:
    """The one encoding of `message`."""
    return message.SerializeToString(deterministic=True)


def decode(kind: type[MessageT], data: bytes, limit: int) -> MessageT:
    """Parse `data` as `kind`. Raises Malformed('too-long' | 'unreadable' | 'spelling')."""
    if len(data) > limit:
        raise Malformed("too-long", f"{len(data)} bytes where {limit} are allowed")
    message = kind()
    try:
        message.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        raise Malformed("unreadable", kind.__name__) from error
    # Unknown fields would be written back verbatim, so they are dropped before the two spellings are compared.
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != data:
        raise Malformed("spelling", kind.__name__)
    return message


def decode_frame(data: bytes) -> frame_pb2.Frame:
    """Parse one frame; a frame without a body is Malformed('empty')."""
    frame = decode(frame_pb2.Frame, data, FRAME_BYTES_MAX)
    if frame.WhichOneof("body") is None:
        raise Malformed("empty", "Frame")
    return frame


def envelope_frame(envelope: bytes) -> bytes:
    """The encoded Frame that carries `envelope`."""
    return encode(frame_pb2.Frame(envelope=envelope))
