"""Disk faults where they can be seen without a hotline: how full is full, which calls are answered, what is needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hotline.drill.disks import disk_needs, injection, longest_write, strace_lacking
from hotline.drill.injects import DiskFault


def fault(how: str, **fields: object) -> DiskFault:
    return DiskFault.model_validate({"fault": "disk", "at": "0s", "target": "ALPHA", "how": how, **fields})


@pytest.fixture
def no_strace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    strace_lacking.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    strace_lacking.cache_clear()


@pytest.mark.usefixtures("no_strace")
def test_without_strace_the_reason_is_a_remedy() -> None:
    """A planner would see a traceback, or a drill that quietly breaks nothing."""
    assert disk_needs(fault("full")) is None
    for how in ("failing", "read-only", "slow"):
        assert disk_needs(fault(how)) == "strace is not installed: apt install strace"


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ("failing", "fdatasync,fsync:error=EIO"),
        ("read-only", "pwrite64,ftruncate:error=EROFS"),
        ("slow", "fdatasync,fsync:delay_enter=250000us"),
    ],
)
def test_each_fault_answers_the_calls_that_sqlite_makes(how: str, rule: str) -> None:
    """SQLite syncs by fdatasync: a rule for fsync alone would never be met."""
    assert injection(fault(how, delay="250ms")) == rule


def test_a_log_that_is_written_again_from_its_begin_is_not_as_long_as_its_file(tmp_path: Path) -> None:
    """The disk would count as full only after megabytes, and the drill would be over by then."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (zeroblob(400000))")
        length = path.with_name("ledger.db-wal").stat().st_size
        assert longest_write(tmp_path) == length > 400_000
        database.execute("PRAGMA wal_checkpoint(RESTART)")
        database.execute("INSERT INTO t VALUES (1)")
        assert path.with_name("ledger.db-wal").stat().st_size == length
        assert 0 < longest_write(tmp_path) < 50_000


def test_an_empty_store_is_no_obstacle(tmp_path: Path) -> None:
    """A relay that has stored nothing has a disk all the same."""
    assert longest_write(tmp_path) == 0
