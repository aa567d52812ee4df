"""`hotline doctor` looks at every part, whatever it finds in another."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from hotline.drill.rehearsal import rehearse
from hotline.runtime.store import SCHEMA_VERSION
from tests.hotline.cli.conftest import Run


def test_a_store_that_cannot_be_read_is_one_finding(run: Run, tmp_path: Path) -> None:
    """The doctor would fall ill of the patient: an internal fault, and not a word about disk, relays and daemon."""
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    terminal = site.terminals[0]
    database = terminal.folder / "store" / "ledger.db"
    database.parent.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(database)) as empty:
        empty.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    database.chmod(0o600)
    ran = run("doctor", "--config", terminal.config)
    assert ran.code == 1
    assert "FAIL  store      no such table: entry" in ran.out
    assert "disk" in ran.out
    assert "daemon" in ran.out
