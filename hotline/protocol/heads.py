"""Signed heads of a terminal's logs: whose they are, which log epoch, how large (docs/protocol.md 13.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from hotline.errors import Malformed, Untrusted
from hotline.ledger.checkpoint import parse_checkpoint, parse_size
from hotline.ledger.log import log_origin, split_origin
from hotline.ledger.note import Ed25519Verifier, Note, decode_base64, open_note, parse_note
from hotline.ledger.tree import HASH_SIZE
from hotline.limits import LOG_EPOCHS_AHEAD_MAX, LOG_EPOCHS_INTERVAL, SERIAL_MAX
from hotline.machine import Instant
from hotline.protocol.context import LogIdentity
from hotline.protocol.statements import CHECKPOINT_MAX


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


@lru_cache(maxsize=64)
def _verifier(log: LogIdentity, epoch: int) -> Ed25519Verifier:
    """One key signs many heads: whether it is a good one is looked at once. Raises Malformed or Untrusted."""
    return Ed25519Verifier(log_origin(log.base, epoch), log.key)


def place_of(note: bytes, log: LogIdentity) -> tuple[int, int]:
    """(log epoch, size) that a note claims; nothing is verified. Raises Malformed or Untrusted('origin')."""
    if len(note) > CHECKPOINT_MAX:
        raise Malformed("too-long", f"{len(note)} bytes")
    checkpoint = parse_checkpoint(parse_note(note).text)
    found = split_origin(checkpoint.origin)
    if found is None or found[0] != log.base:
        raise Untrusted("origin", checkpoint.origin[:64])
    if checkpoint.size > SERIAL_MAX:
        raise Malformed("size", str(checkpoint.size))
    return found[1], checkpoint.size


def check_epoch(epoch: int, last: int) -> None:
    """Raises Untrusted('epoch') for a log epoch beyond `last`."""
    if epoch > last:
        raise Untrusted("epoch", str(epoch))


class EpochPace:
    """How fast the log epochs of one terminal may rise by what is shown: a thief of its key must not use them up.

    What is refused today is let in later, as far as honest terminals may have been led meanwhile.
    """

    def __init__(self) -> None:
        self._highest = 0
        self._raised_at: int | None = None

    def check(self, epoch: int, known: int, now: Instant) -> None:
        """Raises Untrusted('epoch') for one too far above `known`, the newest; the next one never is."""
        if epoch <= known + 1:
            return
        if epoch > self._highest and (self._raised_at is None or now.mono - self._raised_at >= LOG_EPOCHS_INTERVAL):
            self._highest, self._raised_at = max(known, self._highest) + LOG_EPOCHS_AHEAD_MAX, now.mono
        check_epoch(epoch, self._highest)


def said_head(note: bytes, log: LogIdentity) -> dict[str, str | int]:
    """What a note says of the peer's log, for the record. Nothing is verified; empty if it says nothing.

    It stands on the way of every statement, and so reads no more than the three lines that it needs.
    """
    if not note or len(note) > CHECKPOINT_MAX:
        return {}
    try:
        origin, size, root = (line.decode("ascii") for line in note.split(b"\n", 3)[:3])
        found, number, hash_ = split_origin(origin), parse_size(size), decode_base64(root)
    except (ValueError, Malformed):
        return {}
    if found is None or found[0] != log.base or number > SERIAL_MAX or len(hash_) != HASH_SIZE:
        return {}
    return {"peer_log_epoch": found[1], "peer_size": number, "peer_root": hash_.hex()}


def open_head(note: bytes, log: LogIdentity) -> SignedHead:
    """A head that `log` signed, without what others wrote beside it. Raises Malformed or Untrusted."""
    epoch, _ = place_of(note, log)
    opened = open_note(note, [_verifier(log, epoch)])
    checkpoint = parse_checkpoint(opened.text)
    # Whoever passes a note on may add lines to it, and a few signs in them fill a ledger entry.
    return SignedHead(epoch, checkpoint.size, checkpoint.root, Note(opened.text, opened.verified).encode())
