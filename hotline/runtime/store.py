"""The terminal's memory: SQLite with the ledger and the operational tables in one transaction.

WAL with synchronous=FULL, read back at the start: nothing acknowledged is lost in a power cut. Any error from a write
or a commit is StorageError and means "unknown": the process stops and the next start reconciles. One daemon per
store, by a lock on a file beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import struct
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import IO

from hotline.errors import ConfigError, KeyFileError, StorageError
from hotline.files import keep_from_others, sync_folder
from hotline.ledger.log import Ledger
from hotline.ledger.record import Entry
from hotline.ledger.tree import Frontier
from hotline.machine import Change, Instant, Output, Put
from hotline.protocol.tables import TABLES, Head, scoped, shape
from hotline.runtime.contentkeys import ContentKeys, spell_openings
from hotline.runtime.ledgerstore import LEDGER_SCHEMA, Loaded, append, consistency, head_of, load, log_table, root_at
from hotline.runtime.lookups import CONTENT, SEALED, Lookups, label, show_party
from hotline.runtime.tidying import Tidier

SCHEMA_VERSION = 6
KEY_FOLDER = "keys"
_LOG_FILE_ROOM = 4_300_000
"""A little more than the log file holds when SQLite begins it anew, after 1000 pages."""

_LOG_HEADER = struct.Struct(">8sI4x8s8x")
"""Of SQLite's log file: format, page size, and the salts of this generation; a checksum."""
_FRAME_HEADER = struct.Struct(">8s8s8x")
"""Of each page in it: which page, and the salts of its generation; a checksum."""

_BUSY_MS = 5_000
"""How long a statement waits for another process that holds the database: what SQLite's module does by itself."""
_WIPE_AGAIN_MS = 10_000
"""How soon writing over the log file is tried again where a reader of an older state was in the way."""

_REQUESTS = """
CREATE TABLE audit_request (id INTEGER PRIMARY KEY, at INTEGER, kind TEXT, who TEXT, what TEXT) STRICT;
"""
"""Readings of the record that people announced and the ledger has not told yet."""


def _schema() -> str:
    return "\n".join([LEDGER_SCHEMA, _REQUESTS, _tables("")])


def _tables(party: str) -> str:
    """The operational tables; those that belong to one other party among several are made where they are lacking."""
    statements = []
    for name, table in TABLES.items():
        columns = ", ".join(f'"{column}" {kind}' for column, kind in table.columns.items())
        key = ", ".join(f'"{column}"' for column in table.key)
        kind = "STRICT" if table.heap else "STRICT, WITHOUT ROWID"
        made = f'IF NOT EXISTS "{scoped(name, party)}"' if party else f'"{name}"'
        statements.append(f"CREATE TABLE {made} ({columns}, PRIMARY KEY ({key})) {kind};")
    return "\n".join(statements)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database file with the durability this project promises. Raises StorageError or ConfigError."""
    try:
        if read_only:
            connection = sqlite3.connect(
                f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
            )
        else:
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        try:
            _check(connection, path, read_only=read_only)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        undo.pop_all()
    return connection


def _check(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if 0 < version < SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: written by an earlier program (schema {version}, this is {SCHEMA_VERSION}) and kept as it is; "
            "move the store away and start with an empty one: the peer and its ledger know what was said"
        )
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: written by a newer program (schema {version}, this is {SCHEMA_VERSION}); upgrade hotline"
        )
    if read_only:
        return
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # a prekey secret that was destroyed stays in no free page
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise StorageError(f"{path}: this file system does not give WAL with synchronous=FULL (got {mode}, {level})")


def _make_room(connection: sqlite3.Connection) -> bool:
    """Let the log file grow now and not under each commit: a sync of a file that has grown takes a quarter longer.

    What is rolled back has been written into the log file, which keeps its size; the database never sees it. Says
    whether it was written: a disk that is full or ill says so at the next commit.
    """
    connection.execute("PRAGMA cache_size=16")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE room (filling BLOB)")
        connection.execute("INSERT INTO room VALUES (zeroblob(?))", (_LOG_FILE_ROOM,))
    except sqlite3.Error:
        return False
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA cache_size=-2000")
    return True


def _write_over(connection: sqlite3.Connection, path: Path) -> bool:
    """Write over everything that the log file holds: a destroyed secret is not to be found there. False: not yet."""
    log_file = path.with_name(path.name + "-wal")
    try:
        connection.execute("PRAGMA busy_timeout=0")
        # Room is written where the old frames lie; a file that has outgrown it, because somebody read long, is cut.
        for how in ("RESTART", "TRUNCATE"):
            if connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()[0] or not _make_room(connection):
                return False
            if _is_written_over(log_file):
                return True
    except (sqlite3.Error, OSError):
        return False
    else:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")


def _is_written_over(log_file: Path) -> bool:
    """Whether the last frame of the log file is of the generation that its header names, and so are all before it."""
    with log_file.open("rb") as file:
        header = file.read(_LOG_HEADER.size)
        _, page_size, salts = _LOG_HEADER.unpack(header)
        file.seek(-(_FRAME_HEADER.size + page_size), os.SEEK_END)
        _, of_frame = _FRAME_HEADER.unpack(file.read(_FRAME_HEADER.size))
    return bool(of_frame == salts)


def _unusable(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(f"{path}: not a usable database ({error}); restore it from the other disk or move it away")


class EndpointStore(Lookups):
    """One terminal's database. `commit` may run in the driver's writer thread, lookups run on the event loop."""

    def __init__(self, folder: Path, make_ledger: Callable[[int, Frontier, int], Ledger], keys: ContentKeys) -> None:
        """Open or create `folder`/ledger.db; `keys` seal content. Raises StorageError, ConfigError."""
        self._folder = folder
        self._lock = _lock(folder)
        path = folder / "ledger.db"
        self._parties: list[Lookups] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.close)
            keep_from_others(path)
            self._writer = connect(path)
            undo.callback(self._writer.close)
            self._tidier = Tidier(path)
            undo.callback(self._tidier.close)
            if self._writer.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._create(path)
            self._wipe_at: int | None = None
            """When the log file is to be written over, because a secret was destroyed that it may still hold."""
            if not _write_over(self._writer, path):
                self._wipe_at = 0
                _make_room(self._writer)
            reader = connect(path, read_only=True)
            undo.callback(reader.close)
            super().__init__(path, reader, keys)
            self.loaded = self._load()
            self._head = head_of(self.loaded)
            self._ledger = make_ledger(self.loaded.epoch, self.loaded.frontier, self.loaded.last_timestamp_ms)
            undo.pop_all()

    def of(self, party: str) -> Lookups:
        """The rows that belong to one other party among several, whose tables are made where they are lacking.

        Without a name, those of the first one. Raises StorageError.
        """
        if not party:
            return self
        try:
            self._writer.executescript(f"BEGIN IMMEDIATE;{_tables(party)}COMMIT;")
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: the tables of {party} cannot be made ({error})") from error
        reader = connect(self.path, read_only=True)
        found = Lookups(self.path, reader, self.keys, party)
        self._parties.append(found)
        show_party(reader, party)
        return found

    def _create(self, path: Path) -> None:
        try:
            self._writer.executescript(f"BEGIN IMMEDIATE;{_schema()}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
            sync_folder(self._folder)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{path}: cannot be created ({error})") from error

    def _load(self) -> Loaded:
        try:
            return load(self._writer)
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}; run hotline audit verify on a copy") from error
        except StorageError as error:
            raise self._altered(str(error)) from error

    def _altered(self, what: str) -> StorageError:
        return StorageError(f"{self.path}: {what}; run hotline audit verify")

    # --- the driver's world ------------------------------------------------------------------------------------------

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        """Append every record of `batch`, apply its changes and sign the new head, in one durable transaction."""
        records = [record for output in batch for record in output.records]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            staged = self._ledger.stage(records, now.wall) if records else None
            if staged is not None:
                append(self._writer, staged, partial(self._seal_openings, now), self._ledger.epoch)
            for output in batch:
                for change in output.changes:
                    self._apply(change, now)
            self._writer.execute("COMMIT")
        except (sqlite3.Error, KeyFileError) as error:
            raise StorageError(f"{self.path}: a commit failed ({error}); whether it was stored is unknown") from error
        self._wipe_when_due(now.mono)
        self._tidier.look(self._writer.total_changes, now.mono)
        if staged is not None:
            self._ledger.accept(staged)
            last = staged.segments[-1]
            self._head = Head(
                last.epoch, last.checkpoint.size, last.checkpoint.root, last.note if last.vouched else b""
            )

    def _wipe_when_due(self, mono: int) -> None:
        """Try until nobody reads an older state, but not at every commit."""
        if self._wipe_at is not None and self._wipe_at <= mono:
            self._wipe_at = None if _write_over(self._writer, self.path) else mono + _WIPE_AGAIN_MS

    def _seal_openings(self, now: Instant, epoch: int, entry: Entry) -> bytes:
        return self.keys.seal(f"opening/{epoch}/{entry.seq}", spell_openings(entry.openings), now.wall)

    def _apply(self, change: Change, now: Instant) -> None:
        if isinstance(change, Put):
            values = [change.row[column] for column in shape(change.table).columns]
            if change.table.partition("@")[0] in SEALED:
                row = change.row
                plane, serial, content = (row[name] for name in ("plane", "serial", "content"))
                assert isinstance(plane, str)
                assert isinstance(serial, int)
                assert isinstance(content, bytes)
                values[CONTENT] = self.keys.seal(label(change.table, plane, serial), content, now.wall)
            self._writer.execute(_put(change.table), values)
        else:
            condition = " AND ".join(f'"{column}"=?' for column in change.match)
            self._writer.execute(f'DELETE FROM "{change.table}" WHERE {condition}', list(change.match.values()))  # noqa: S608 - names are ours
            if self._wipe_at is None and _holds_secrets(change.table):
                self._wipe_at = now.mono

    # --- ports of the endpoint ---------------------------------------------------------------------------------------

    def head(self) -> Head:
        """The last committed head of the ledger."""
        return self._head

    def root_at(self, size: int) -> bytes:
        """Root of the first `size` entries of the current log. Raises StorageError."""
        return root_at(self._reader, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency proof between two sizes of the current log. Raises StorageError, ValueError."""
        return consistency(self._reader, old, new)

    def consistency_of(self, epoch: int, old: int, new: int) -> list[bytes]:
        """The same of any log epoch: a head of a log that was left meanwhile may still be on its way."""
        self._reader.execute("BEGIN")  # a commit that begins a new log renames the tables
        try:
            return consistency(self._reader, old, new, log_table(self._reader, epoch))
        finally:
            self._reader.execute("ROLLBACK")

    # --- for people --------------------------------------------------------------------------------------------------

    def audit_requests(self) -> list[tuple[int, str, str, str]]:
        """(id, kind, who, what) of readings that the ledger does not tell of yet. Raises StorageError."""
        found = self.query("SELECT id, kind, who, what FROM audit_request ORDER BY id", ())
        return [(int(number), str(kind), str(who), str(what)) for number, kind, who, what in found]

    def request_audit(self, unix_ms: int, kind: str, who: str, what: str) -> None:
        """Announce a reading of the record; durable when it returns. Raises StorageError."""
        request_audit(self._writer, unix_ms, kind, who, what)

    def close(self) -> None:
        """Give the store up; the last commit is already durable."""
        self._tidier.close()
        for one in (self, *self._parties):
            one._reader.close()
        self._writer.close()
        self._lock.close()


def _holds_secrets(name: str) -> bool:
    table = TABLES.get(name.partition("@")[0])  # requests of auditors lie in a table of this store's own
    return table is not None and "box" in table.columns


def request_audit(database: sqlite3.Connection, unix_ms: int, kind: str, who: str, what: str) -> None:
    """Announce a reading of the record to the daemon, which enters it into the ledger. Raises StorageError."""
    try:
        database.execute(
            "INSERT INTO audit_request (at, kind, who, what) VALUES (?, ?, ?, ?)", (unix_ms, kind, who, what)
        )
    except sqlite3.Error as error:
        raise StorageError(f"the reading could not be announced to the record ({error})") from error


@cache
def _put(table: str) -> str:
    return f'INSERT OR REPLACE INTO "{table}" VALUES ({", ".join("?" * len(shape(table).columns))})'  # noqa: S608 - names are ours


def _lock(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
        handle = (folder / "lock").open("ab")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be used as a store ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        if isinstance(error, BlockingIOError):
            raise StorageError(f"{folder}: another daemon uses this store; stop it first") from error
        raise StorageError(f"{folder}: cannot be used as a store ({error.strerror})") from error
    return handle
