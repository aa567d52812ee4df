"""CUSTODY: a relay's signature for what it holds (docs/protocol.md 5.6)."""

from __future__ import annotations

from typing import Final

from hotline.crypto.signing import verify
from hotline.errors import RemoteError
from hotline.limits import FRAME_BYTES_MAX
from hotline.wire.codec import decode
from hotline.wire.v1 import frame_pb2

_LABEL: Final = "hotline/v1/custody"


def parse_custody(charter: bytes, terminal: int, frame: frame_pb2.Custody) -> frame_pb2.CustodyBody:
    """What it says to this terminal; nothing is verified. Raises RemoteError."""
    body = decode(frame_pb2.CustodyBody, frame.body, FRAME_BYTES_MAX)
    if body.charter != charter or body.terminal != terminal:
        raise RemoteError("custody-address")
    return body


def verify_custody(relay: bytes, frame: frame_pb2.Custody) -> None:
    """Raises RemoteError unless the relay whose key is `relay` signed it."""
    verify(relay, frame.signature, _LABEL, frame.body)


def read_custody(relay: bytes, charter: bytes, terminal: int, frame: frame_pb2.Custody) -> frame_pb2.CustodyBody:
    """What the relay whose key is `relay` signed for this terminal. Raises RemoteError."""
    body = parse_custody(charter, terminal, frame)
    verify_custody(relay, frame)
    return body
