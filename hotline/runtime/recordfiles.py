"""A record as files: the store of a terminal, a copy of its database, or an export in tiles. Read only."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hotline.errors import ConfigError, Malformed, StorageError
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint
from hotline.ledger.log import split_origin
from hotline.ledger.note import Note, Signature, parse_note
from hotline.ledger.tiles import bundled_leaves, entry_bundles, hash_tiles, stored_hashes
from hotline.ledger.tree import ReadNode
from hotline.runtime.ledgerstore import blob, log_epochs, log_table, read_log, read_node, whole
from hotline.runtime.store import connect

CHECKPOINT: Final = "checkpoint"
COSIGNED: Final = "cosigned"
UNVOUCHED: Final = "unvouched"
_NOTE_BYTES_MAX: Final = 65_536
_UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError)
"""A message of SQLite's that quotes a damaged file may be no text; then Python raises the second."""
_EPOCH: Final = re.compile("[1-9][0-9]{0,11}")


@dataclass(slots=True)
class LogFiles:
    """One log epoch. `notes` are signed heads, the newest last; `cosigned` the heads that others signed too."""

    epoch: int
    leaves: Callable[[], Iterator[bytes]]
    notes: Sequence[bytes]
    hashes: Mapping[int, bytes]
    cosigned: Sequence[bytes] = ()
    read: ReadNode | None = field(default=None, repr=False)
    """Stored tree nodes; only a database has them at hand."""

    def newest(self, notes: Sequence[bytes]) -> bytes | None:
        """The last of `notes` under the origin of this log epoch, that is of those which others may be shown: not one
        that the log signed for itself alone (docs/protocol.md 13.5). Raises Malformed.
        """
        for note in reversed(notes):
            place = split_origin(_head(note).origin)
            if place is not None and place[1] == self.epoch:
                return note
        return None


def _head(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)


def export_in(folder: Path) -> bool:
    """Whether a folder holds an export of a record."""
    return any(folder.glob(f"*/{CHECKPOINT}"))


@contextmanager
def open_record(path: Path) -> Iterator[list[LogFiles]]:
    """Every log epoch of a store folder, a database or an export, at least one. Raises ConfigError, StorageError."""
    if path.is_dir() and not (path / "ledger.db").exists() and export_in(path):
        yield _exported(path)
        return
    database = path / "ledger.db" if path.is_dir() else path
    if not database.is_file():
        raise ConfigError(f"{path}: no ledger there; name a store folder, a copy of its ledger.db, or an export")
    with closing(connect(database, read_only=True)) as connection:
        try:
            connection.execute("BEGIN")  # one picture, though a daemon may be writing at this moment
            logs = [_stored(connection, epoch) for epoch in log_epochs(connection)]
            if not logs:
                raise StorageError(f"{database}: names no log; verify another copy")
        except (*_UNREADABLE, Malformed) as error:
            raise StorageError(f"{database}: cannot be read to the end ({error}); verify another copy") from error
        yield logs


def _stored(connection: sqlite3.Connection, epoch: int) -> LogFiles:
    log = read_log(connection, epoch)
    table = log_table(connection, epoch)

    def leaves() -> Iterator[bytes]:
        try:
            yield from (blob(row[0]) for row in connection.execute(f"SELECT leaf FROM {table} ORDER BY seq"))  # noqa: S608
        except _UNREADABLE as error:
            raise StorageError(str(error)) from error

    def node(level: int, position: int) -> bytes:
        try:
            return read_node(connection, level, position, table)
        except _UNREADABLE as error:
            raise StorageError(str(error)) from error

    return LogFiles(
        epoch,
        leaves,
        log.notes,
        log.hashes,
        list(_cosigned(connection, epoch, table)),
        node,
    )


def _cosigned(connection: sqlite3.Connection, epoch: int, table: str) -> Iterator[bytes]:
    """Heads with the cosignatures that are kept for them, smallest first, and of one size the newest last."""
    lines: dict[int, list[str]] = {}
    stored = "SELECT size, line FROM cosignature WHERE epoch=? ORDER BY size, hour"
    for size, line in connection.execute(stored, (epoch,)):
        lines.setdefault(whole(size), []).append(str(line))
    for size, found in lines.items():
        row = connection.execute(f"SELECT note FROM {table} WHERE seq=?", (size - 1,)).fetchone()  # noqa: S608
        if row is not None and row[0] is not None:
            note = parse_note(blob(row[0]))
            for signatures in _signatures(found):
                yield Note(note.text, (*note.signatures, *signatures)).encode()


def _signatures(lines: Sequence[str]) -> list[tuple[Signature, ...]]:
    """A note holds one line of each key: what a key signed before, an hour ago, goes into a note of its own."""
    notes: list[list[Signature]] = []
    seen: Counter[tuple[str, bytes]] = Counter()
    for line in reversed(dict.fromkeys(lines)):
        for one in parse_note(f"x\n\n{line}\n".encode()).signatures:
            place = seen[one.name, one.key_id]
            seen[one.name, one.key_id] += 1
            notes += [[]] if place == len(notes) else []
            notes[place].append(one)
    return [tuple(reversed(note)) for note in reversed(notes)]


def _exported(path: Path) -> list[LogFiles]:
    logs = []
    for folder in sorted((one.parent for one in path.glob(f"*/{CHECKPOINT}")), key=lambda one: one.name.zfill(12)):
        if not _EPOCH.fullmatch(folder.name):
            raise ConfigError(f"{folder}: not the number of a log epoch")
        logs.append(_export(folder))
    return logs


def _export(folder: Path) -> LogFiles:
    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise StorageError(f"{folder / name}: {error.strerror}") from error

    names = [name for name in (COSIGNED, CHECKPOINT, UNVOUCHED) if name == CHECKPOINT or (folder / name).exists()]
    notes = {name: read(name)[:_NOTE_BYTES_MAX] for name in names}
    try:
        size = max(_head(note).size for name, note in notes.items() if name != COSIGNED)
        hashes = dict(enumerate(stored_hashes(size, read)))
    except Malformed as error:
        raise StorageError(f"{folder}: {error}") from error

    def leaves() -> Iterator[bytes]:
        try:
            yield from bundled_leaves(size, read)
        except Malformed as error:
            raise StorageError(f"{folder}: {error}") from error

    cosigned = [note for name, note in notes.items() if name != UNVOUCHED]
    return LogFiles(int(folder.name), leaves, list(notes.values()), hashes, cosigned)


def write_export(log: LogFiles, folder: Path, told: Callable[[int], None]) -> int:
    """Write one log epoch as C2SP tiles; `told` is called with the entries written so far. Returns its size.

    Its head is the newest that others may be shown. Entries behind that are there as well, under the head that the log
    signed for itself alone. Raises ConfigError if there is nothing to export or the folder is not new.
    """
    if not log.notes or log.read is None:
        raise ConfigError(f"log epoch {log.epoch} has no signed head yet: there is nothing to export")
    last = log.notes[-1]
    shown, cosigned = log.newest(log.notes) or last, log.newest(log.cosigned)
    try:
        folder.mkdir(parents=True, exist_ok=False)
    except OSError as error:
        raise ConfigError(
            f"{folder}: exists already or cannot be made ({error.strerror}); name a new folder"
        ) from error
    size = _head(last).size
    _write_tiles(log, log.read, folder, size, told)
    if shown != last:
        _write_tiles(log, log.read, folder, _head(shown).size, lambda _: None)
        _write(folder / UNVOUCHED, last)
    if cosigned is not None:
        _write(folder / COSIGNED, cosigned)
    _write(folder / CHECKPOINT, shown)
    return size


def _write_tiles(log: LogFiles, read: ReadNode, folder: Path, size: int, told: Callable[[int], None]) -> None:
    """The first `size` entries and the tree over them. What is there already, from more of them, is the same."""
    done = 0
    for path, data in entry_bundles(itertools.islice(log.leaves(), size)):
        _write(folder / path, data)
        done = min(size, done + 256)
        told(done)
    for path, data in hash_tiles(size, read):
        _write(folder / path, data)


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error
