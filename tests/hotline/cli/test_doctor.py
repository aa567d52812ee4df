"""`hotline doctor` looks at every part, whatever it finds in another."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

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


def test_what_the_disk_is_tried_with_lies_over_nothing(run: Run, tmp_path: Path) -> None:
    """Whoever could put a link into a store's folder had root empty any file of the machine."""
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    terminal = site.terminals[0]
    store, precious = terminal.folder / "store", tmp_path / "precious"
    store.mkdir(mode=0o700)
    precious.write_text("precious")
    (store / ".doctor-probe").symlink_to(precious)
    assert "ok    disk" in run("doctor", "--config", terminal.config).out
    assert precious.read_text() == "precious"
    assert [path.name for path in store.iterdir()] == [".doctor-probe"], "nothing of it stays"


def test_a_link_under_the_name_that_is_tried_is_not_followed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name can be guessed, or seen in time (the flags, and not the name alone, keep what the link leads to)."""
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    store, precious = site.terminals[0].folder / "store", tmp_path / "precious"
    store.mkdir(mode=0o700)
    precious.write_text("precious")
    monkeypatch.setattr("hotline.cli.doctor.secrets.token_hex", lambda _: "guessed")
    (store / ".doctor-guessed").symlink_to(precious)
    assert "FAIL  disk" in run("doctor", "--config", site.terminals[0].config).out
    assert precious.read_text() == "precious"
    assert (store / ".doctor-guessed").is_symlink(), "what is not ours stays"
