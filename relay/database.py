"""What the stores of a relay and of a witness share: one process each, a durable SQLite file, a schema of their own."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from pathlib import Path
from typing import IO

from hotline.errors import ConfigError, StorageError
from hotline.files import keep_from_others, sync_folder


def open_durable(path: Path, schema: str, version: int, unusable: str) -> sqlite3.Connection:
    """Open or create the database with WAL and synchronous=FULL.

    `unusable` names what it is and the remedy: `X ({}); Y`. Raises StorageError or ConfigError.
    """
    _make_file(path)
    with contextlib.ExitStack() as undo:
        try:
            database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            undo.callback(database.close)
            _prepare(database, path, schema, version)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: not a usable {unusable.format(error)}") from error
        undo.pop_all()
    return database


def _prepare(database: sqlite3.Connection, path: Path, schema: str, version: int) -> None:
    execute = database.execute
    found = execute("PRAGMA user_version").fetchone()[0]
    if found > version:
        raise ConfigError(
            f"{path}: written by a newer program (schema {found}, this is {version}); upgrade hotline-relay"
        )
    if 0 < found < version:
        raise ConfigError(
            f"{path}: written by an earlier program (schema {found}, this is {version}) and kept as it is; "
            "move it away: what is lost is repeated"
        )
    execute("PRAGMA journal_mode=WAL")
    execute("PRAGMA synchronous=FULL")
    mode = execute("PRAGMA journal_mode").fetchone()[0]
    level = execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise StorageError(f"{path}: this file system does not give WAL with synchronous=FULL")
    if found == 0:
        database.executescript(schema)


def _make_file(path: Path) -> None:
    """An empty file that only we can read, and whose name survives a power cut."""
    keep_from_others(path)
    try:
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
