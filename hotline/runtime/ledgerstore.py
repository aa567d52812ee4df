"""The logs of one terminal in SQLite: one table for each log epoch, the current one named `entry`.

One table holds a log, so that an append touches few pages: `nodes` are the hashes of the complete subtrees that end
with an entry, its own leaf first; `note` is the signed head behind the last entry of each transaction; `box` is what
opens the commitments of the leaf, sealed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from hotline.errors import Malformed, StorageError
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint
from hotline.ledger.log import Segment, Staged
from hotline.ledger.record import Entry, parse_leaf
from hotline.ledger.tree import HASH_SIZE, Frontier, consistency_proof, frontier_nodes
from hotline.protocol.tables import Head

_ENTRY: Final = """
CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, nodes BLOB NOT NULL, note BLOB, box BLOB) STRICT;
CREATE TRIGGER entry_keep_{epoch} BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER entry_hold_{epoch} BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""

LEDGER_SCHEMA: Final = (
    _ENTRY.format(epoch=1)
    + """
CREATE TABLE log (epoch INTEGER PRIMARY KEY) STRICT;
INSERT INTO log VALUES (1);
"""
)

SealOpenings = Callable[[int, Entry], bytes]
"""(log epoch, entry) to the sealed openings of its commitments."""


class StoredLog(NamedTuple):
    """One log as it is stored. Reading `leaves` may raise sqlite3.Error."""

    leaves: Iterator[bytes]
    notes: Sequence[bytes]
    hashes: Mapping[int, bytes]


def blob(cell: object) -> bytes:
    """A cell that holds bytes. Raises StorageError: in a file from elsewhere it may hold anything."""
    if not isinstance(cell, bytes):
        raise StorageError(f"a cell holds {type(cell).__name__} where bytes belong")
    return cell


def whole(cell: object) -> int:
    """A cell that holds a number. Raises StorageError."""
    if not isinstance(cell, int):
        raise StorageError(f"a cell holds {type(cell).__name__} where a whole number belongs")
    return cell


def log_epochs(database: sqlite3.Connection) -> list[int]:
    """Every log epoch of a store, the current one last. Raises StorageError, sqlite3.Error."""
    return [whole(row[0]) for row in database.execute("SELECT epoch FROM log ORDER BY epoch")]


def log_table(database: sqlite3.Connection, epoch: int) -> str:
    """The table of one log epoch. Raises sqlite3.Error."""
    return "entry" if epoch == log_epochs(database)[-1] else f"entry_{epoch:d}"


def read_log(database: sqlite3.Connection, epoch: int | None = None) -> StoredLog:
    """Leaves, signed heads, and the leaf hashes that the tree was made of. Raises StorageError, sqlite3.Error."""
    table = "entry" if epoch is None else log_table(database, epoch)
    notes = [blob(row[0]) for row in database.execute(f"SELECT note FROM {table} WHERE note IS NOT NULL ORDER BY seq")]  # noqa: S608
    hashes = {seq: blob(hash_) for seq, hash_ in database.execute(f"SELECT seq, substr(nodes, 1, 32) FROM {table}")}  # noqa: S608
    leaves = (blob(row[0]) for row in database.execute(f"SELECT leaf FROM {table} ORDER BY seq"))  # noqa: S608
    return StoredLog(leaves, notes, hashes)


def read_node(database: sqlite3.Connection, level: int, position: int, table: str = "entry") -> bytes:
    """The stored hash of a complete subtree. Raises StorageError: it is not there."""
    last = (position + 1 << level) - 1
    sql = f"SELECT substr(nodes, ?, {HASH_SIZE}) FROM {table} WHERE seq=?"  # noqa: S608 - names are ours
    found = database.execute(sql, (HASH_SIZE * level + 1, last)).fetchone()
    if found is None or len(blob(found[0])) != HASH_SIZE:
        raise StorageError(f"a tree node is missing at entry {last}")
    return blob(found[0])


class Loaded(NamedTuple):
    """Where a log stands, from its last entry. `signed` is None where nothing is written yet."""

    epoch: int
    frontier: Frontier
    last_timestamp_ms: int
    signed: Checkpoint | None
    note: bytes


def load(database: sqlite3.Connection) -> Loaded:
    """The current log. Raises StorageError if entries, tree and head do not fit; sqlite3.Error."""
    epoch = log_epochs(database)[-1]
    last = database.execute("SELECT seq, leaf, note FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    if last is None:
        return Loaded(epoch, Frontier(), 0, None, b"")
    seq, leaf, note = last
    if note is None:
        raise StorageError(f"there is no signed head behind the last entry, {seq}")
    frontier = Frontier(seq + 1, [read_node(database, *node) for node in frontier_nodes(seq + 1)])
    try:
        signed = parse_checkpoint(bytes(note).partition(b"\n\n")[0] + b"\n")
        timestamp = round(datetime.fromisoformat(parse_leaf(bytes(leaf)).ts).timestamp() * 1_000)
    except (Malformed, ValueError) as error:
        raise StorageError(f"the last entry or its signed head is not readable ({error})") from error
    if (signed.size, signed.root) != (frontier.size, frontier.root()):
        raise StorageError("the stored tree does not give the signed root")
    return Loaded(epoch, frontier, timestamp, signed, bytes(note))


def append(database: sqlite3.Connection, staged: Staged, seal: SealOpenings, current: int) -> None:
    """Write what a transaction adds; a segment of another epoch than `current` begins a new log."""
    for segment in staged.segments:
        if segment.epoch != current:
            _begin(database, current, segment.epoch)
            current = segment.epoch
        _append(database, segment, seal)


def _begin(database: sqlite3.Connection, old: int, new: int) -> None:
    database.execute(f"ALTER TABLE entry RENAME TO entry_{old:d}")
    for statement in _ENTRY.format(epoch=new).strip().split("\n"):
        database.execute(statement)
    database.execute("INSERT INTO log VALUES (?)", (new,))


def _append(database: sqlite3.Connection, segment: Segment, seal: SealOpenings) -> None:
    last = segment.entries[-1]
    rows = [
        (
            entry.seq,
            entry.leaf,
            b"".join([node.hash for node in nodes]),
            segment.note if entry is last else None,
            seal(segment.epoch, entry) if entry.openings else None,
        )
        for entry, nodes in zip(segment.entries, segment.nodes, strict=True)
    ]
    database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)


def head_of(loaded: Loaded) -> Head:
    """The head of a loaded log, of which nothing may be shown yet."""
    return Head(loaded.epoch, loaded.frontier.size, loaded.frontier.root(), b"")


def root_at(database: sqlite3.Connection, size: int, table: str = "entry") -> bytes:
    """Root of the first `size` entries. Raises StorageError."""
    nodes = [read_node(database, level, position, table) for level, position in frontier_nodes(size)]
    return Frontier(size, nodes).root()


def consistency(database: sqlite3.Connection, old: int, new: int, table: str = "entry") -> list[bytes]:
    """Consistency proof between two sizes of a log. Raises StorageError, ValueError."""
    return consistency_proof(old, new, lambda level, position: read_node(database, level, position, table))
