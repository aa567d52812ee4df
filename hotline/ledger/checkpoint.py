"""C2SP checkpoints: origin, size and root of a log, signed as a note (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from hotline.errors import Malformed, Untrusted
from hotline.ledger.note import Signer, Verifier, check_name, decode_base64, open_note, sign_note
from hotline.ledger.tree import HASH_SIZE

_SIZE: Final = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)
_SIZE_MAX: Final = 2**63 - 1
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
    """A decimal size in its one spelling, that a database can hold. Raises Malformed."""
    if not _SIZE.fullmatch(text) or int(text) > _SIZE_MAX:
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


def open_checkpoint(note: bytes, origin: str, verifier: Verifier, bytes_max: int = CHECKPOINT_BYTES_MAX) -> Checkpoint:
    """Verify a checkpoint of the log `origin` with its key, given from outside. Raises Malformed, Untrusted."""
    if len(note) > bytes_max:
        raise Malformed("too-long", f"checkpoint of {len(note)} bytes")
    checkpoint = parse_checkpoint(open_note(note, [verifier]).text)
    if checkpoint.origin != origin:
        raise Untrusted("origin", checkpoint.origin)
    return checkpoint
