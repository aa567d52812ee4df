"""The envelope as relays see it: a fixed header of 22 bytes and an opaque rest (docs/protocol.md section 6).

0      version      u8   1
1      flags        u8   OPENER, TRANSIENT, CLEAR; every other bit zero
2..3   to           u16  terminal number of the charter
4..5   from         u16
6..17  epoch        12 bytes, random
18..21 number       u32
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from hotline.errors import Malformed
from hotline.limits import ENVELOPE_BYTES_MAX, WIRE_VERSION

FLAG_OPENER: Final = 0x01
"""The rest begins with an epoch opener."""
FLAG_TRANSIENT: Final = 0x02
"""Worth nothing later: a relay forwards it or drops it, and never stores it."""
FLAG_CLEAR: Final = 0x04
"""The rest is a signed key request, not sealed."""

HEADER_SIZE: Final = 22
ENVELOPE_ID_SIZE: Final = 18
EPOCH_ID_SIZE: Final = 12

_HEADER: Final = struct.Struct(">BBHH12sI")
_LAWFUL_FLAGS: Final = frozenset(
    {0, FLAG_OPENER, FLAG_TRANSIENT, FLAG_OPENER | FLAG_TRANSIENT, FLAG_CLEAR | FLAG_TRANSIENT}
)


class Header(NamedTuple):
    """The fixed header of an envelope. (`sender`, `epoch`, `number`, chain) is never used twice."""

    flags: int
    recipient: int
    sender: int
    epoch: bytes
    number: int

    def encode(self) -> bytes:
        """The 22 bytes; they are authenticated by the seal."""
        return _HEADER.pack(WIRE_VERSION, self.flags, self.recipient, self.sender, self.epoch, self.number)

    @property
    def transient(self) -> bool:
        """Whether a relay must not store it."""
        return bool(self.flags & FLAG_TRANSIENT)


def envelope_id(envelope: bytes) -> bytes:
    """Sender, epoch and number: what custody, TAKEN and refusals name. The TRANSIENT chain is never named."""
    return envelope[4:HEADER_SIZE]


def decode_header(envelope: bytes) -> Header:
    """Parse the fixed header. Raises Malformed('too-long' | 'too-short' | 'version' | 'flags' | 'address')."""
    if len(envelope) > ENVELOPE_BYTES_MAX:
        raise Malformed("too-long", f"envelope of {len(envelope)} bytes")
    if len(envelope) <= HEADER_SIZE:
        raise Malformed("too-short", f"envelope of {len(envelope)} bytes")
    version, flags, recipient, sender, epoch, number = _HEADER.unpack_from(envelope)
    if version != WIRE_VERSION:
        raise Malformed("version", f"{version}")
    if flags not in _LAWFUL_FLAGS:
        raise Malformed("flags", f"{flags:#x}")
    if not recipient or not sender or recipient == sender:
        raise Malformed("address", f"from {sender} to {recipient}")
    return Header(flags, recipient, sender, epoch, number)
