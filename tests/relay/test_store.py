"""The relay's mailboxes on disk."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.errors import ConfigError, StorageError
from hotline.machine import Delete, Instant, Output, Put
from relay.database import open_durable
from relay.mailbox import Held
from relay.store import SCHEMA_VERSION, SqliteMailboxStore

NOW = Instant(0, 0)
CHARTER = b"c" * 32


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[SqliteMailboxStore]:
    """The store, closed at the end."""
    store = SqliteMailboxStore(folder)
    try:
        yield store
    finally:
        store.close()


def _put(number: int, terminal: int = 2) -> Put:
    row = {
        "charter": CHARTER,
        "terminal": terminal,
        "envelope_id": b"id-%d" % number,
        "name": b"name-%d" % number,
        "frame": b"frame-%d" % number * 30,
        "stored_at": number,
    }
    return Put("mailbox", row)


def _held(number: int) -> Held:
    return Held(b"id-%d" % number, b"name-%d" % number, b"frame-%d" % number * 30, number)


def _delete(number: int) -> Delete:
    return Delete("mailbox", {"charter": CHARTER, "terminal": 2, "envelope_id": b"id-%d" % number})


def _filled(folder: Path) -> Path:
    with opened(folder) as store:
        store.commit([Output(changes=[_put(3), _put(1)]), Output(changes=[_put(2)])], NOW)
        return store.path


def test_a_store_that_others_can_read_is_not_served(tmp_path: Path) -> None:
    """A backup that was put back would tell every user of the machine who wrote when (docs/protocol.md 13.3)."""
    path = _filled(tmp_path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"mailbox\.db: others can read it \(mode 0644\); chmod 600 "):
        SqliteMailboxStore(tmp_path)
    path.chmod(0o600)
    with opened(tmp_path) as store:
        assert len(store.load()) == 3


def test_reopening_gives_the_order_of_arrival(tmp_path: Path) -> None:
    """A restart that shuffles the mailbox makes the reader hold back what could be shown."""
    _filled(tmp_path)
    with opened(tmp_path) as store:
        assert store.load() == [(CHARTER, 2, _held(number)) for number in (3, 1, 2)]
        store.commit([Output(changes=[_delete(1), _put(4), _put(1)])], NOW)
    with opened(tmp_path) as store:
        assert [held for _, _, held in store.load()] == [_held(number) for number in (3, 2, 4, 1)]
        assert store.damaged == 0


def test_the_same_id_for_two_terminals_is_two_envelopes(tmp_path: Path) -> None:
    """If one row stood for both, taking one would take the other's copy away."""
    with opened(tmp_path) as store:
        store.commit([Output(changes=[_put(1, 2), _put(1, 3)])], NOW)
        store.commit([Output(changes=[_delete(1)])], NOW)
        assert [(terminal, held) for _, terminal, held in store.load()] == [(3, _held(1))]


@pytest.mark.parametrize("frame", [b"", b"frame-1" * 29 + b"frame-2"])
def test_damaged_row_is_left_out_and_counted(tmp_path: Path, frame: bytes) -> None:
    """A bit that rots on the disk must cost one repeat, not the whole mailbox, and must be told."""
    path = _filled(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE mailbox SET frame=? WHERE envelope_id=?", (frame, b"id-1"))
    with opened(tmp_path) as store:
        assert [held for _, _, held in store.load()] == [_held(3), _held(2)]
        assert store.damaged == 1
        store.commit([Output(changes=[_put(1)])], NOW)
    with opened(tmp_path) as store:
        assert [held for _, _, held in store.load()] == [_held(3), _held(2), _held(1)]
        assert store.damaged == 0


def test_half_a_batch_is_never_stored(tmp_path: Path) -> None:
    """Half a batch stored is custody signed for one envelope and denied for its neighbour."""
    with opened(tmp_path) as store:
        broken = Put("mailbox", {**_put(2).row, "terminal": "two"})
        with pytest.raises(StorageError, match="unknown"):
            store.commit([Output(changes=[_put(1), broken])], NOW)
    with opened(tmp_path) as store:
        assert store.load() == []


def test_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An old relay that writes into a newer store loses what the new one signed for."""
    path = _filled(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    # The words between the schemas are read by a drill that changes versions.
    said = f"newer program \\(schema {SCHEMA_VERSION + 1}, this is {SCHEMA_VERSION}\\)"
    with pytest.raises(ConfigError, match=said) as caught:
        SqliteMailboxStore(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_an_earlier_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A new relay would look for columns that an older store has not, in the middle of its service."""
    database = open_durable(tmp_path / "x.db", "PRAGMA user_version=1", 1, "store ({})")
    database.close()
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(ConfigError, match=r"earlier program \(schema 1, this is 2\)"):
        open_durable(tmp_path / "x.db", "PRAGMA user_version=2", 2, "store ({})")
    assert (tmp_path / "x.db").read_bytes() == before


def test_corrupt_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """What could still be rescued must not be overwritten by an eager start."""
    path = _filled(tmp_path)
    path.write_bytes(b"\xa5" * 5_000)
    with pytest.raises(StorageError, match="not a usable") as caught:
        SqliteMailboxStore(tmp_path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"\xa5" * 5_000


def test_second_relay_is_refused(tmp_path: Path) -> None:
    """Two relays on one store would each believe that the other's rows are gone."""
    with opened(tmp_path), pytest.raises(StorageError, match="another relay"):
        SqliteMailboxStore(tmp_path)


def test_durability_and_mode(tmp_path: Path) -> None:
    """Custody signed over a store without fsync is worth nothing after a power cut."""
    with opened(tmp_path / "new") as store:
        assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store.path.stat().st_mode & 0o077 == 0
        assert store.path.parent.stat().st_mode & 0o077 == 0


def test_every_file_is_closed_to_others_from_its_birth(tmp_path: Path) -> None:
    """In a folder that an administrator made too open, others would read who writes to whom, and when."""
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        with opened(tmp_path) as store:
            store.commit([Output(changes=[_put(1)])], NOW)
            found = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("mailbox.db*")}
    finally:
        os.umask(before)
    assert found == {"mailbox.db": 0, "mailbox.db-wal": 0, "mailbox.db-shm": 0}


def test_what_cannot_be_a_store_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay would end in a traceback, or sign for what no disk holds (docs/protocol.md 3.4)."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder" / "mailbox.db").mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "folder"):
        with pytest.raises(StorageError, match="cannot be used as a store"):
            SqliteMailboxStore(folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="does not give WAL"):
        open_durable(Path(":memory:"), "", 1, "store ({})")
    with opened(tmp_path / "again") as store:
        assert store.damaged == 0
        assert store._db.execute("PRAGMA secure_delete").fetchone() == (2,), "what was taken lingers in free pages"
        store._db.close()
        with pytest.raises(StorageError, match="cannot be read"):
            store.load()


def test_a_store_that_could_not_be_opened_may_be_tried_again(tmp_path: Path) -> None:
    """One failed start would keep the folder locked against the next one."""
    (tmp_path / "mailbox.db").mkdir()
    with pytest.raises(StorageError):
        SqliteMailboxStore(tmp_path)
    (tmp_path / "mailbox.db").rmdir()
    with opened(tmp_path) as store:
        assert store.load() == []
