"""C2SP checkpoints: origin, size and root of a log, signed as a note (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from hotline.errors import Malformed, Untrusted
from hotline.ledger.note import Ed25519Verifier, Signer, Verifier, check_name, decode_base64, open_note, sign_note
from hotline.ledger.tree import HASH_SIZE

_SIZE: Final = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)
CHECKPOINT_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: how many entries, and the hash over all of them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The note text. Extension lines are not written and not accepted."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def parse_size(text: str) -> int:
    """A decimal size in its one spelling. Raises Malformed."""
    if not _SIZE.fullmatch(text):
        raise Malformed("size", text[:32])
    return int(text)


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Parse a note text as a checkpoint. Raises Malformed."""
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("checkpoint", "not UTF-8") from error
    if len(lines) != 4 or lines[3]:
        raise Malformed("checkpoint", "not exactly three lines")
    check_name(lines[0])
    root = decode_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise Malformed("checkpoint", "the root is not 32 bytes")
    return Checkpoint(lines[0], parse_size(lines[1]), root)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The signed note."""
    return sign_note(checkpoint.text(), [signer])


def open_checkpoint(note: bytes, origin: str, public: bytes) -> Checkpoint:
    """Verify a checkpoint of the log `origin`, whose Ed25519 key carries the same name. Raises Malformed, Untrusted."""
    return open_checkpoint_with(note, origin, Ed25519Verifier(origin, public))


def open_checkpoint_with(
    note: bytes, origin: str, verifier: Verifier, bytes_max: int = CHECKPOINT_BYTES_MAX
) -> Checkpoint:
    """The same with any verifier. Raises Malformed or Untrusted('origin')."""
    if len(note) > bytes_max:
        raise Malformed("too-long", f"checkpoint of {len(note)} bytes")
    checkpoint = parse_checkpoint(open_note(note, [verifier]).text)
    if checkpoint.origin != origin:
        raise Untrusted("origin", checkpoint.origin)
    return checkpoint
