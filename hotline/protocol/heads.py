"""Signed heads of a terminal's logs: whose they are, which log epoch, how large (docs/protocol.md 13.2)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hotline.errors import Malformed, Untrusted
from hotline.ledger.checkpoint import open_checkpoint, parse_checkpoint
from hotline.ledger.log import log_origin
from hotline.ledger.note import parse_note
from hotline.limits import SERIAL_MAX
from hotline.protocol.context import LogIdentity
from hotline.protocol.statements import CHECKPOINT_MAX

_EPOCH: Final = re.compile("[1-9][0-9]{0,8}", re.ASCII)


class SignedHead(NamedTuple):
    """A head that its log signed. Compares by log epoch, then size."""

    epoch: int
    size: int
    root: bytes
    note: bytes

    @property
    def place(self) -> tuple[int, int]:
        """Log epoch and size."""
        return self.epoch, self.size


def place_of(note: bytes, log: LogIdentity) -> tuple[int, int]:
    """(log epoch, size) that a note claims; nothing is verified. Raises Malformed or Untrusted('origin')."""
    if len(note) > CHECKPOINT_MAX:
        raise Malformed("too-long", f"{len(note)} bytes")
    checkpoint = parse_checkpoint(parse_note(note).text)
    base, slash, number = checkpoint.origin.rpartition("/")
    if base != log.base or not slash or not _EPOCH.fullmatch(number):
        raise Untrusted("origin", checkpoint.origin[:64])
    if checkpoint.size > SERIAL_MAX:
        raise Malformed("size", str(checkpoint.size))
    return int(number), checkpoint.size


def said_head(note: bytes, log: LogIdentity) -> dict[str, str | int]:
    """What a note says of the peer's log, for the record. Nothing is verified; empty if it says nothing."""
    try:
        epoch, size = place_of(note, log)
        root = parse_checkpoint(parse_note(note).text).root
    except (Malformed, Untrusted):
        return {}
    return {"peer_log_epoch": epoch, "peer_size": size, "peer_root": root.hex()}


def open_head(note: bytes, log: LogIdentity) -> SignedHead:
    """A head that `log` signed. Raises Malformed or Untrusted."""
    epoch, _ = place_of(note, log)
    checkpoint = open_checkpoint(note, log_origin(log.base, epoch), log.key)
    return SignedHead(epoch, checkpoint.size, checkpoint.root, note)
