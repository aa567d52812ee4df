"""CUSTODY: a relay's signature for what it holds (docs/protocol.md 5.6)."""

from __future__ import annotations

from typing import Final

from hotline.crypto.signing import verify
from hotline.errors import RemoteError
from hotline.limits import FRAME_BYTES_MAX
from hotline.wire.codec import decode
from hotline.wire.v1 import frame_pb2

_LABEL: Final = "hotline/v1/custody"


def read_custody(relay: bytes, charter: bytes, terminal: int, frame: frame_pb2.Custody) -> frame_pb2.CustodyBody:
    """What the relay whose key is `relay` signed for this terminal. Raises RemoteError."""
    verify(relay, frame.signature, _LABEL, frame.body)
    body = decode(frame_pb2.CustodyBody, frame.body, FRAME_BYTES_MAX)
    if body.charter != charter or body.terminal != terminal:
        raise RemoteError("custody-address")
    return body
