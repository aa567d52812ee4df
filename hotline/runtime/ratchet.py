"""The last signed head of our log in a file of its own: a log restored from a backup is known by it at the start.

Best on another disk than the store, and in no backup. It follows the store by about a second; what it misses the peer
and the witnesses have seen (docs/protocol.md 13.5).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hotline.errors import ConfigError, RemoteError
from hotline.files import read_public, replace
from hotline.ledger.note import Ed25519Verifier, open_note
from hotline.protocol.context import LogIdentity
from hotline.protocol.events import Suspicion
from hotline.protocol.heads import SignedHead, open_head
from hotline.protocol.tables import Head

RATCHET_BYTES_MAX: Final = 4_096


class Ratchet:
    """One file with the newest signed head, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept = b""

    def check(self) -> None:
        """Raises ConfigError unless the file can be replaced: found out now, not when it is needed."""
        folder = self.path.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(f"{self.path}: its folder cannot be written; name another place with `ratchet`")

    def load(self, log: LogIdentity) -> SignedHead | None:
        """The head in the file; None if there is no file. Raises ConfigError for one that is not of this log."""
        if not self.path.exists():
            return None
        note = read_public(self.path, RATCHET_BYTES_MAX)
        try:
            head = open_head(note, log)
        except RemoteError as error:
            raise ConfigError(
                f"{self.path}: not a head that this terminal signed ({error}); put the right file back, or move it "
                "away if the terminal has a new key"
            ) from error
        self._kept = note
        return head

    def keep(self, note: bytes) -> None:
        """Put `note` into the file unless it is there; durable when it returns. Raises ConfigError."""
        if note and note != self._kept:
            replace(self.path, note, 0o600)
            self._kept = note


def suspicion(
    found: Head, note: bytes, kept: SignedHead | None, log: LogIdentity, root_at: Callable[[int], bytes]
) -> Suspicion | None:
    """Why the log that was found must not be gone on with, or None. `note` is the head behind its last entry.

    Another key has signed it: a key change. The ratchet knows more, or something else: an older state.
    """
    if note and not _signed_by(note, log):
        return Suspicion("key", found.epoch)
    if kept is None:
        return None
    if kept.epoch < found.epoch:
        return None
    if kept.epoch == found.epoch and kept.size <= found.size:
        root = found.root if kept.size == found.size else root_at(kept.size)
        if root == kept.root:
            return None
    return Suspicion("restored", kept.epoch)


def _signed_by(note: bytes, log: LogIdentity) -> bool:
    name = note.partition(b"\n")[0].decode("utf-8", "replace")
    try:
        open_note(note, [Ed25519Verifier(name, log.key)])
    except RemoteError:
        return False
    return True
