"""`hotline doctor` looks at every part, whatever it finds in another."""

from __future__ import annotations

import contextlib
import errno
import socket
import sqlite3
from pathlib import Path

import pytest

from hotline.charter.amendment import Changes, amend
from hotline.charter.model import sign_charter
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


def test_a_folder_that_cannot_be_written_is_told_in_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of an error, and the name of a file that nobody knows, were all that was said of the disk."""
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)

    def refused(folder: Path) -> float:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder / ".doctor-x"))

    monkeypatch.setattr("hotline.cli.doctor._probe", refused)
    said = run("doctor", "--config", site.terminals[0].config).out
    assert f"FAIL  disk       {site.terminals[0].folder}: cannot be written (Permission denied)\n" in said
    assert "make it a folder of the daemon's user" in said
    assert "3 failures, 1 warning\n" in said


def test_a_relay_that_the_charter_does_not_know_is_told(run: Run, tmp_path: Path) -> None:
    """With a misspelt name another address was given for nobody, and nobody heard of it."""
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    config = site.terminals[0].config
    text = config.read_text()
    config.write_text(f'{text}\n[relays]\nrelay-1 = "127.0.0.1:2"\nreley-1 = "127.0.0.1:3"\n')
    said = run("endpoint", "check", "--config", config)
    assert said.code == 0
    assert "WARN  relay      reley-1 stands in the configuration and not in the charter" in said.out
    assert "ok    relay      relay-1 at 127.0.0.1:2, fibre, run by " in said.out
    assert "; in the charter 127.0.0.1:1, fibre\n" in said.out
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config.write_text(f'{text}\n[relays]\nrelay-1 = "127.0.0.1:{port}"\n[profile]\nreley-1 = "narrow"\n')
        assert (
            "WARN  relays     in the configuration and not in the charter: reley-1\n"
            in run("doctor", "--config", config).out
        )


def test_what_is_in_force_and_not_what_a_file_says_is_looked_at(run: Run, tmp_path: Path) -> None:
    """An officer who was struck off was one, and a relay that was retired reachable (docs/protocol.md 24.4)."""
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1"), ("relay-2", "127.0.0.1:2")], sockets=tmp_path)
    config = site.terminals[0].config
    assert "ok    charter    " in run("doctor", "--config", config).out
    note = amend(site.charter.read_bytes(), Changes(retire=("officer:ALPHA/duty-1", "relay:relay-2")), "2026-11-27")
    for party, key in site.identities.items():
        note = sign_charter(note, party, key)
    store = site.terminals[0].folder / "store"
    store.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(store / "ledger.db")) as database, database:
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        database.execute("CREATE TABLE fact (name TEXT, value BLOB)")
        database.execute("INSERT INTO fact VALUES ('charter.note', ?)", (note,))
    (store / "ledger.db").chmod(0o600)
    said = run("doctor", "--config", config).out
    assert "WARN  charter    " in said
    assert "has serial 1; in force here is serial 2" in said
    assert "put the charter of serial 2 in its place" in said
    assert "FAIL  officers   duty-1 stand" in said
    assert "relay-1 127.0.0.1:1" in said
    assert "relay-2" not in said
