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
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from hotline.errors import ConfigError, Malformed, StorageError
from hotline.ledger.checkpoint import parse_checkpoint
from hotline.ledger.log import Ledger, Staged
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import HASH_SIZE, Frontier, frontier_nodes
from hotline.machine import Change, Instant, Output, Plane, Put
from hotline.protocol.tables import TABLES, Head, Row, SentRow

SCHEMA_VERSION = 1

_LEDGER_SCHEMA = """
CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, nodes BLOB NOT NULL, note BLOB) STRICT;
CREATE TRIGGER entry_keep BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER entry_hold BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""


"""One table, so that an append touches few pages: `nodes` are the hashes of the complete subtrees that end with this
entry, its own leaf first; `note` is the signed head behind the last entry of each transaction."""


class StoredLog(NamedTuple):
    """A whole ledger as it is stored. Reading `leaves` may raise sqlite3.Error."""

    leaves: Iterator[bytes]
    notes: Sequence[bytes]
    hashes: Mapping[int, bytes]


def read_log(database: sqlite3.Connection) -> StoredLog:
    """Leaves, signed heads, and the leaf hashes that the stored tree was made of. Raises sqlite3.Error."""
    notes = [bytes(row[0]) for row in database.execute("SELECT note FROM entry WHERE note IS NOT NULL ORDER BY seq")]
    hashes = {seq: bytes(hash_) for seq, hash_ in database.execute("SELECT seq, substr(nodes, 1, 32) FROM entry")}
    leaves = (bytes(row[0]) for row in database.execute("SELECT leaf FROM entry ORDER BY seq"))
    return StoredLog(leaves, notes, hashes)


def _schema() -> str:
    statements = [_LEDGER_SCHEMA]
    for name, table in TABLES.items():
        columns = ", ".join(f'"{column}" {kind}' for column, kind in table.columns.items())
        key = ", ".join(f'"{column}"' for column in table.key)
        statements.append(f'CREATE TABLE "{name}" ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID;')
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
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: written by a newer program (schema {version}, this is {SCHEMA_VERSION}); upgrade hotline"
        )
    if read_only:
        return
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise StorageError(f"{path}: this file system does not give WAL with synchronous=FULL (got {mode}, {level})")


def _unusable(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(f"{path}: not a usable database ({error}); restore it from the other disk or move it away")


class EndpointStore:
    """One terminal's database. `commit` may run in the driver's writer thread, lookups run on the event loop."""

    def __init__(self, folder: Path, make_ledger: Callable[[Frontier, int], Ledger]) -> None:
        """Open or create `folder`/ledger.db. Raises StorageError, ConfigError."""
        self._folder = folder
        self._lock = _lock(folder)
        self.path = folder / "ledger.db"
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.close)
            is_new = not self.path.exists()
            self._writer = connect(self.path)
            undo.callback(self._writer.close)
            if is_new or self._writer.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._create()
            self._reader = connect(self.path, read_only=True)
            undo.callback(self._reader.close)
            frontier, last_ts, self._head = self._load_head()
            self._ledger = make_ledger(frontier, last_ts)
            undo.pop_all()

    def _create(self) -> None:
        try:
            self._writer.executescript(f"BEGIN IMMEDIATE;{_schema()}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
            self.path.chmod(0o600)
            _sync_folder(self._folder)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{self.path}: cannot be created ({error})") from error

    def _load_head(self) -> tuple[Frontier, int, Head]:
        try:
            last = self._writer.execute("SELECT seq, leaf, note FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
            if last is None:
                return Frontier(), 0, Head(0, b"", b"")
            seq, leaf, note = last
            if note is None:
                raise self._altered(f"there is no signed head behind the last entry, {seq}")
            frontier = Frontier(seq + 1, [self._node(level, position) for level, position in frontier_nodes(seq + 1)])
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}; run hotline audit verify on a copy") from error
        try:
            # Whether our own key signed it is asked by whoever audits; here it must only be the head of these entries.
            signed = parse_checkpoint(bytes(note).partition(b"\n\n")[0] + b"\n")
            timestamp = round(datetime.fromisoformat(parse_leaf(bytes(leaf)).ts).timestamp() * 1_000)
        except (Malformed, ValueError) as error:
            raise self._altered(f"the last entry or its signed head is not readable ({error})") from error
        if (signed.size, signed.root) != (frontier.size, frontier.root()):
            raise self._altered("the stored tree does not give the signed root")
        return frontier, timestamp, Head(signed.size, signed.root, bytes(note))

    def _node(self, level: int, position: int) -> bytes:
        last = (position + 1 << level) - 1
        sql = "SELECT substr(nodes, ?, 32) FROM entry WHERE seq=?"
        found = self._writer.execute(sql, (32 * level + 1, last)).fetchone()
        if found is None or len(found[0]) != HASH_SIZE:
            raise self._altered(f"a tree node is missing at entry {last}")
        return bytes(found[0])

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
                self._append(staged)
            for output in batch:
                for change in output.changes:
                    self._apply(change)
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: a commit failed ({error}); whether it was stored is unknown") from error
        if staged is not None:
            self._ledger.accept(staged)
            self._head = Head(staged.checkpoint.size, staged.checkpoint.root, staged.note)

    def _append(self, staged: Staged) -> None:
        rows: list[tuple[int, bytes, bytes, bytes | None]] = [
            (entry.seq, entry.leaf, b"".join(node.hash for node in nodes), None)
            for entry, nodes in zip(staged.entries, staged.nodes, strict=True)
        ]
        rows[-1] = (*rows[-1][:3], staged.note)
        self._writer.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", rows)

    def _apply(self, change: Change) -> None:
        if isinstance(change, Put):
            sql = _PUT[change.table]
            self._writer.execute(sql, [change.row[column] for column in TABLES[change.table].columns])
        else:
            condition = " AND ".join(f'"{column}"=?' for column in change.match)
            self._writer.execute(f'DELETE FROM "{change.table}" WHERE {condition}', list(change.match.values()))  # noqa: S608 - names are ours

    # --- ports of the endpoint ---------------------------------------------------------------------------------------

    def head(self) -> Head:
        """The last committed head of the ledger."""
        return self._head

    def rows(self, table: str) -> list[Row]:
        """Every row of a live table, in key order."""
        shape = TABLES[table]
        columns = ", ".join(f'"{column}"' for column in shape.columns)
        order = ", ".join(f'"{column}"' for column in shape.key)
        found = self.query(f'SELECT {columns} FROM "{table}" ORDER BY {order}', ())  # noqa: S608 - names are ours
        return [dict(zip(shape.columns, row, strict=True)) for row in found]

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        """Our statement with this serial."""
        sql = "SELECT content, signature, hash FROM sent WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        return SentRow(*found[0]) if found else None

    def received(self, plane: Plane, serial: int) -> bytes | None:
        """Content of the peer's statement with this serial."""
        sql = "SELECT content FROM received WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        return bytes(found[0][0]) if found else None

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of the peer's statement with this serial."""
        sql = "SELECT hash FROM received WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        return bytes(found[0][0]) if found else None

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        """Whether this stage is known of our statement."""
        sql = "SELECT 1 FROM sent_fact WHERE plane=? AND serial=? AND stage=? LIMIT 1"
        return bool(self.query(sql, (plane.value, serial, stage)))

    # --- for people --------------------------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[str | int]) -> list[tuple[Any, ...]]:
        """Read committed rows. Raises StorageError."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: cannot be read ({error}); run hotline audit verify on a copy") from error

    def close(self) -> None:
        """Give the store up; the last commit is already durable."""
        self._reader.close()
        self._writer.close()
        self._lock.close()


_PUT = {
    name: f'INSERT OR REPLACE INTO "{name}" VALUES ({", ".join("?" * len(table.columns))})'  # noqa: S608 - names are ours
    for name, table in TABLES.items()
}


def _lock(folder: Path) -> IO[bytes]:
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
            raise StorageError(f"{folder}: another daemon uses this store; stop it first") from error
        raise StorageError(f"{folder}: cannot be used as a store ({error.strerror})") from error
    return handle


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
