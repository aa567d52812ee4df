"""The relay's mailboxes on disk: SQLite, WAL, synchronous=FULL. Any error means "unknown" and stops the relay.

`MailboxStore` is the whole interface, so that a relay with many hotlines can keep them in another engine.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from hotline.errors import ConfigError, StorageError
from hotline.files import sync_folder
from hotline.machine import Instant, Output, Put
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
            make_file(self.path)
            try:
                self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
                undo.callback(self._db.close)
                self._prepare()
            except sqlite3.Error as error:
                text = f"{self.path}: not a usable mailbox store ({error}); move it away: senders will repeat"
                raise StorageError(text) from error
            undo.pop_all()

    def _prepare(self) -> None:
        execute = self._db.execute
        version = execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError(f"{self.path}: written by a newer program (schema {version}); upgrade hotline-relay")
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=FULL")
        # Envelopes are sealed, but what has been taken need not linger in free pages either.
        execute("PRAGMA secure_delete=FAST")
        mode = execute("PRAGMA journal_mode").fetchone()[0]
        level = execute("PRAGMA synchronous").fetchone()[0]
        if (mode, level) != ("wal", 2):
            raise StorageError(f"{self.path}: this file system does not give WAL with synchronous=FULL")
        if version == 0:
            self._db.executescript(_SCHEMA)

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


def make_file(path: Path) -> None:
    """An empty file that only we can read, and whose name survives a power cut; SQLite's other files take its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be used as a store ({error.strerror})") from error


def lock_folder(folder: Path, who: str) -> IO[bytes]:
    """The lock of a store's folder, which is made if need be. Raises StorageError if another `who` has it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = (folder / "lock").open("ab")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be used as a store ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        if isinstance(error, BlockingIOError):
            raise StorageError(f"{folder}: another {who} uses this store; stop it first") from error
        raise StorageError(f"{folder}: cannot be used as a store ({error.strerror})") from error
    return handle
