"""A record of somebody else as files: whatever stands in them, its reader gets a reason or the record."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from hotline.errors import ConfigError, StorageError
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.verify import Outcome, verify_log
from hotline.machine import Instant
from hotline.runtime.recordfiles import open_record, write_export
from tests.hotline.runtime.store_writer import BASE, KEY, opened, statement

VERIFIER = Ed25519Verifier(f"{BASE}/1", KEY.public)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of three entries, whose tables take values of any type."""
    folder = tmp_path_factory.mktemp("record")
    with opened(folder) as store:
        for serial in (1, 2, 3):
            store.commit([statement(serial)], Instant(serial, 1_795_000_000_000 + serial))
    made = folder / "copy.db"
    with contextlib.closing(sqlite3.connect(made)) as database:
        database.execute("ATTACH ? AS whole", (str(folder / "ledger.db"),))
        for table in ("entry", "log", "cosignature"):
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM whole.{table}")
        database.execute("INSERT INTO cosignature (epoch, size, line) VALUES (1, 3, '\u2014 w AAAAAAAAAAAA')")
        database.commit()
    return made


def _verified(path: Path) -> Outcome:
    with open_record(path) as logs:
        (log,) = logs
        return verify_log(log.leaves(), log.notes[-1], VERIFIER, log.hashes.get, log.notes[:-1]).outcome


def test_a_lawful_copy_is_read(record: Path) -> None:
    """The tests below would only knock at closed doors (docs/protocol.md 13.18)."""
    assert _verified(record) is Outcome.VERIFIED


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET leaf = 'a text' WHERE seq = 1",
        "UPDATE entry SET leaf = 1000000000 WHERE seq = 1",
        "UPDATE entry SET leaf = -1 WHERE seq = 1",
        "UPDATE entry SET leaf = NULL WHERE seq = 1",
        "UPDATE entry SET note = 'a text' WHERE seq = 1",
        "UPDATE entry SET nodes = 7 WHERE seq = 1",
        "UPDATE entry SET nodes = NULL WHERE seq = 1",
        "UPDATE log SET epoch = x'31'",
        "UPDATE log SET epoch = NULL",
        "UPDATE log SET epoch = 'one'",
        "DELETE FROM log",
        "DROP TABLE cosignature",
        "UPDATE cosignature SET size = 'three'",
        "UPDATE cosignature SET line = 'no line of a note'",
        "UPDATE entry SET note = 5000000 WHERE seq = 2",
    ],
)
def test_a_cell_of_another_kind_ends_the_reading(record: Path, tmp_path: Path, sql: str) -> None:
    """A copy that the peer gives would end its auditor's program, or fill the memory (docs/protocol.md 13.18)."""
    path = shutil.copy(record, tmp_path / "copy.db")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(sql)
    tracemalloc.start()
    try:
        assert _verified(path) is Outcome.UNDECIDED
    except StorageError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2_000_000


def test_what_can_no_longer_be_read_has_a_reason(record: Path) -> None:
    """An audit of a disk that fails would end in the midst of itself (docs/protocol.md 13.18)."""
    with open_record(record) as logs:
        (log,) = logs
    assert log.read is not None
    with pytest.raises(StorageError):
        log.read(0, 0)
    with pytest.raises(StorageError):
        list(log.leaves())


@pytest.mark.parametrize("name", ["\u00b2", "\u0661", "0", "01", "-1", "9" * 13])
def test_a_folder_that_is_no_log_epoch_is_refused(record: Path, tmp_path: Path, name: str) -> None:
    """An export with an odd folder in it would end its auditor's program (docs/protocol.md 13.18)."""
    with open_record(record) as logs:
        write_export(logs[0], tmp_path / "1", lambda _: None)
    assert _verified(tmp_path) is Outcome.VERIFIED
    (tmp_path / "1").rename(tmp_path / name)
    with pytest.raises(ConfigError, match="not the number of a log epoch"), open_record(tmp_path):
        pass
