"""A record of somebody else as files: whatever stands in them, its reader gets a reason or the record."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import ConfigError, StorageError
from hotline.ledger.checkpoint import parse_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.note import Ed25519Verifier, parse_note
from hotline.ledger.policy import open_cosigned, parse_policy
from hotline.ledger.verify import Outcome, verify_log
from hotline.machine import Instant, Output, Put
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


def test_what_a_key_cosigned_twice_at_the_turn_of_an_hour_is_two_notes(tmp_path: Path) -> None:
    """An honest record would be called tampered with, for good if its terminal was stopped then."""
    # docs/protocol.md 13.18
    cosigners = [Ed25519Cosigner(f"witness.example/{name}", SigningKey(name.encode() * 32)) for name in "ab"]
    lines = "".join(f"witness {one.name[-1]} {one.verifier.vkey()}\n" for one in cosigners)
    policy = parse_policy(f"log {VERIFIER.vkey()}\n{lines}quorum none\n".encode())
    with opened(tmp_path) as store:
        store.commit([statement(1)], Instant(1, 1_795_000_000_000))
        note = parse_note(store.head().note)
        size = parse_checkpoint(note.text).size
        for hour, by in ((7, cosigners), (8, cosigners[:1])):
            rows = [{"epoch": 1, "name": one.name, "hour": hour, "size": size} for one in by]
            signed = [one.cosign(note.text, hour * 3_600).line() for one in by]
            puts = [Put("cosignature", {**row, "line": line}) for row, line in zip(rows, signed, strict=True)]
            store.commit([Output(changes=list(puts))], Instant(hour, 1_795_000_000_000))
    with open_record(tmp_path) as (log,):
        told = [open_cosigned(found, policy).witnesses for found in log.cosigned]
    assert told == [{"a": 7 * 3_600}, {"a": 8 * 3_600, "b": 7 * 3_600}]


def test_a_head_that_did_not_grow_for_days_has_all_its_cosignatures(record: Path, tmp_path: Path) -> None:
    """The record of a terminal whose peer was silent for days could be read no more (docs/protocol.md 13.18)."""
    path, hours = shutil.copy(record, tmp_path / "copy.db"), 70
    note = Ed25519Cosigner("witness.example/a", SigningKey(b"a" * 32))
    with contextlib.closing(sqlite3.connect(path)) as database:
        lines = [(hour, note.cosign(b"x\n", hour * 3_600).line()) for hour in range(hours)]
        database.executemany("INSERT INTO cosignature (epoch, size, hour, line) VALUES (1, 2, ?, ?)", lines)
        database.commit()
    assert _verified(path) is Outcome.VERIFIED
    with open_record(path) as (log,):
        assert len(log.cosigned) == hours + 1


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
