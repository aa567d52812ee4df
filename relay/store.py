"""The relay's mailboxes on disk: SQLite, WAL, synchronous=FULL. Any error means "unknown" and stops the relay.

`MailboxStore` is the whole interface, so that a relay with many hotlines can keep them in another engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hotline.errors import StorageError
from hotline.machine import Instant, Output, Put
from relay.database import lock_folder, open_durable
from relay.mailbox import Held

SCHEMA_VERSION = 1
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE mailbox (
  arrival INTEGER PRIMARY KEY, charter BLOB NOT NULL, terminal INTEGER NOT NULL, envelope_id BLOB NOT NULL,
  name BLOB NOT NULL, frame BLOB NOT NULL, checksum BLOB NOT NULL, stored_at INTEGER NOT NULL,
  UNIQUE (charter, terminal, envelope_id)
) STRICT;
PRAGMA user_version=1;
COMMIT;
"""
_COLUMNS = "charter, terminal, envelope_id, name, frame, checksum, stored_at"


def row_checksum(*values: object) -> bytes:
    """Over everything that a row says about an envelope: a flipped bit must not deliver it to somebody else."""
    return hashlib.sha256(repr(values).encode()).digest()


class MailboxStore(Protocol):
    """Where a relay keeps what it signed for."""

    def load(self) -> list[tuple[bytes, int, Held]]:
        """(charter, recipient, envelope) of everything held, oldest first."""

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        """Make the changes durable in one transaction. Raises StorageError: unknown outcome."""

    def close(self) -> None:
        """Give the store up."""


class SqliteMailboxStore:
    """Mailboxes in one SQLite file."""

    def __init__(self, folder: Path) -> None:
        """Open or create `folder`/mailbox.db. Raises StorageError or ConfigError."""
        self._lock = lock_folder(folder, "relay")
        self.path = folder / "mailbox.db"
        self.damaged = 0
        """Rows that `load` left out because their checksum was wrong."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.close)
            unusable = "mailbox store ({}); move it away: senders will repeat"
            self._db = open_durable(self.path, _SCHEMA, SCHEMA_VERSION, unusable)
            # Envelopes are sealed, but what has been taken need not linger in free pages either.
            self._db.execute("PRAGMA secure_delete=FAST")
            undo.pop_all()

    def load(self) -> list[tuple[bytes, int, Held]]:
        """Everything held, oldest first; rows whose checksum is wrong are counted and left out."""
        held = []
        try:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM mailbox ORDER BY arrival").fetchall()  # noqa: S608
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: cannot be read ({error})") from error
        for charter, terminal, identifier, name, frame, checksum, stored_at in rows:
            if row_checksum(charter, terminal, identifier, name, frame) != checksum:
                self.damaged += 1
                continue
            held.append((charter, terminal, Held(identifier, name, frame, stored_at)))
        return held

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        """Make the changes durable in one transaction. Raises StorageError."""
        del now
        execute = self._db.execute
        try:
            execute("BEGIN IMMEDIATE")
            for output in batch:
                for change in output.changes:
                    if isinstance(change, Put):
                        row = change.row
                        values = (row["charter"], row["terminal"], row["envelope_id"], row["name"], row["frame"])
                        checksum = row_checksum(*values)
                        execute(
                            f"INSERT OR REPLACE INTO mailbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                            (*values, checksum, row["stored_at"]),
                        )
                    else:
                        match = change.match
                        execute(
                            "DELETE FROM mailbox WHERE charter=? AND terminal=? AND envelope_id=?",
                            (match["charter"], match["terminal"], match["envelope_id"]),
                        )
            execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: a commit failed ({error}); whether it was stored is unknown") from error

    def close(self) -> None:
        """Give the store up."""
        self._db.close()
        self._lock.close()
