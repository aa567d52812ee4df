"""The terminal's memory: what was acknowledged is there again, whatever happened to the process or the disk."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.shelf import Shelf
from hotline.errors import ConfigError, StorageError
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.tree import verify_consistency
from hotline.ledger.verify import Outcome, Verdict, verify_log
from hotline.machine import Delete, Instant, Output, Plane, Put, Record
from hotline.protocol.tables import NO_CORRECTION, NO_RUNG, TABLES, History, scoped
from hotline.runtime import contentkeys as contentkeys_module
from hotline.runtime import store as store_module
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.recordfiles import open_record
from hotline.runtime.store import SCHEMA_VERSION, EndpointStore, connect
from tests.hotline.runtime.store_writer import BASE, KEY, make_ledger, open_store, opened, statement, stored_serial

NOW = Instant(1, 1_700_000_000_000)
ROOT = Path(__file__).parents[3]


def _filled(folder: Path, count: int = 5) -> Path:
    with opened(folder) as store:
        for serial in range(1, count + 1):
            store.commit([statement(serial)], NOW)
        return store.path


def _alter(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(sql)


# --- a commit -------------------------------------------------------------------------------------------------------


def test_a_number_that_no_row_can_have_names_no_row(tmp_path: Path) -> None:
    """A mistyped number of an officer would stop the terminal (docs/protocol.md 14.1)."""
    with opened(tmp_path) as store:
        for serial in (2**63, 2**64 - 1):
            assert store.sent(Plane.REAL, serial) is None
            assert store.received(Plane.REAL, serial) is None


def test_reopening_gives_the_same_head_and_rows(tmp_path: Path) -> None:
    """If a restart changed the head, the peer would hold proof of a ledger that we no longer have: tampering."""
    with opened(tmp_path) as store:
        store.commit([statement(1), statement(2)], NOW)
        store.commit([statement(3)], NOW)
        head = store.head()
        assert head.size == 3
    with opened(tmp_path) as store:
        assert store.head() == head._replace(note=b""), "nothing is shown before somebody has vouched"
        assert stored_serial(store) == 3
        store.commit([statement(4)], NOW)
        assert store.head().size == 4


def test_the_request_of_an_auditor_that_was_told_is_gone(tmp_path: Path) -> None:
    """Each who reads the record would stop the daemon, or be told of for ever (docs/protocol.md 13.3)."""
    with opened(tmp_path) as store:
        store.request_audit(NOW.wall, "read", "an auditor", "the record")
        ((number,),) = store.query("SELECT id FROM audit_request", ())
        told = Output(records=[Record("audit.read", {})], changes=[Delete("audit_request", {"id": number})])
        store.commit([told], NOW)
        assert store.query("SELECT id FROM audit_request", ()) == []


def test_records_and_changes_are_one_transaction(tmp_path: Path) -> None:
    """If the change failed and the record stayed, the ledger would tell of a statement that the outbox never had."""
    # docs/protocol.md 13.3
    with opened(tmp_path) as store:
        store.commit([statement(1)], NOW)
        head = store.head()
        broken = Output(
            records=[Record("submitted", {"serial": 2})],
            changes=[Put("counter", {"name": "serial", "value": "not a number"})],
        )
        with pytest.raises(StorageError, match="unknown"):
            store.commit([broken], NOW)
        assert store.head() == head
    with opened(tmp_path) as store:
        assert store.head() == head._replace(note=b"")
        assert stored_serial(store) == 1


def test_change_without_record_leaves_the_head(tmp_path: Path) -> None:
    """A head signed for nothing new would be a second signature over one size: it looks like a fork."""
    with opened(tmp_path) as store:
        store.commit([statement(1)], NOW)
        head = store.head()
        store.commit([Output(changes=[Put("counter", {"name": "other", "value": 3})])], NOW)
        assert store.head() == head
        store.commit([Output(changes=[Delete("counter", {"name": "other"})])], NOW)
        assert [row["name"] for row in store.rows("counter")] == ["serial"]


def test_a_new_log_lies_beside_the_old_one(tmp_path: Path) -> None:
    """A terminal that begins anew would lose the record of everything before."""
    opening = Record("log.open", {"log_epoch": 4, "reason": "restored"})
    with opened(tmp_path) as store:
        store.commit([statement(1), statement(2)], NOW)
        both = Output(records=[Record("before"), opening, Record("after")])
        store.commit([both], NOW)
        assert (store.head().epoch, store.head().size) == (4, 2)
        store.commit([Output(records=[Record("later")])], NOW)
    with opened(tmp_path) as store:
        assert (store.head().epoch, store.head().size) == (4, 3)
        assert store.root_at(3) == store.head().root
        assert len(store.consistency(1, 3)) == 2
    with open_record(tmp_path) as logs:
        assert [(log.epoch, len(log.hashes)) for log in logs] == [(1, 3), (4, 3)]
        for log in logs:
            verifier = Ed25519Verifier(f"{BASE}/{log.epoch}", KEY.public)
            verdict = verify_log(log.leaves(), log.notes[-1], verifier, log.hashes.get, log.notes)
            assert verdict.good_through == (2 if log.epoch == 1 else 3)
    for table in ("entry", "entry_1"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            _alter(tmp_path / "ledger.db", f"DELETE FROM {table} WHERE seq=0;")


def test_history_is_found_by_plane_and_serial(tmp_path: Path) -> None:
    """If the exercise's #1 answered for the real #1, a drill text could be repeated as a real statement."""
    fact = {"plane": "real", "serial": 1, "stage": "delivered", "at": 5, "by": "BRAVO", "evidence": b""}
    received = {"plane": "real", "serial": 9, "content": b"c", "signature": b"s", "hash": b"h", "at": 1}
    with opened(tmp_path) as store:
        store.commit([statement(1), Output(changes=[Put("sent_fact", fact), Put("received", received)])], NOW)
        row = store.sent(Plane.REAL, 1)
        assert row is not None
        assert row.content == b"c" * 400
        assert store.sent(Plane.EXERCISE, 1) is None
        assert store.sent(Plane.REAL, 2) is None
        assert store.sent_hash(Plane.REAL, 1) == row.hash
        assert store.sent_hash(Plane.EXERCISE, 1) is None
        assert store.received_hash(Plane.REAL, 9) == b"h"
        assert store.received_hash(Plane.EXERCISE, 9) is None
        assert store.has_sent_fact(Plane.REAL, 1, "delivered")
        assert not store.has_sent_fact(Plane.REAL, 1, "read")
        assert not store.has_sent_fact(Plane.EXERCISE, 1, "delivered")


def test_a_disk_of_the_simulator_answers_as_the_store_does(tmp_path: Path) -> None:
    """A storm would show what no daemon does, or pass over what each of them does."""
    real, at = {"plane": "real", "serial": 1}, {"at": 5, "by": "BRAVO"}
    rung = {"way": "sent", **real, "said": 7, "officer": "w", "principal": "", "until": 9, "answer": 0}
    made = {"way": "received", **real, "serial": 9, "stage": "retracted", "named": b"h", "at": 6}
    puts = [
        *(Put("sent_fact", {**real, "stage": one, **at, "evidence": b""}) for one in ("delivered", "read")),
        Put("sent_fact", {**real, "stage": "renumbered", "at": 5, "by": "12", "evidence": b""}),
        Put("received", {**real, "serial": 9, "content": b"c", "signature": b"s", "hash": b"h", "at": 1}),
        Put("received_fact", {**real, "serial": 9, "stage": "authority", **at}),
        Put("received_draft", {"draft": b"d", "plane": "real", "serial": 9}),
        *(Put("ladder", {**rung, "stage": stage, "at": 6}) for stage in ("shown", "reply-by")),
        *(Put("correction", {**made, "by": by, "first": first}) for by, first in ((11, 10), (12, 2), (10, 10))),
        Put("correction", {**made, "by": 13, "first": 13, "named": b"n"}),
    ]
    outputs, disk = [statement(1), Output(changes=[*puts])], Disk()
    for change in (change for output in outputs for change in output.changes):
        disk.apply(change, TABLES[change.table].key)
    with opened(tmp_path) as store:
        store.commit(outputs, NOW)
        places = [(plane, serial) for plane in Plane for serial in (1, 9, 12)]
        stages = [
            (*place, stage) for place in places for stage in ("delivered", "read", "renumbered", "shown", "reply-by")
        ]

        def answers(history: History) -> list[object]:
            asked = ("sent", "sent_hash", "received", "received_hash", "received_signed", "authority", "moved_to")
            found: list[object] = [getattr(history, name)(*place) for name in asked for place in places]
            found += [history.has_sent_fact(*one) for one in stages]
            found += [history.rung(way, *one) for way in ("sent", "received") for one in stages]
            found += [history.correction(way, *one, b"h") for way in ("sent", "received") for one in places]
            return [*found, history.received_draft(b"d"), history.received_draft(b"x")]

        assert answers(Shelf(disk)) == answers(store)
        assert store.moved_to(Plane.REAL, 1) == 12
        assert store.correction("received", Plane.REAL, 9, b"h") == (10, 11, "retracted")
        assert sum(one not in (NO_RUNG, NO_CORRECTION) and bool(one) for one in answers(store)) == 14


def test_what_was_said_without_prejudice_is_known_as_such_whatever_keys_are_gone(tmp_path: Path) -> None:
    """A terminal that joins a party would be told it, and refuse it for ever (docs/protocol.md 22.1, 23.11)."""
    quiet = {"plane": "real", "serial": 2, "content": b"\0sealed", "signature": b"", "hash": bytes(32)}
    received = {**quiet, "at": 1}
    outputs, disk = [statement(1), Output(changes=[Put("sent", quiet), Put("received", received)])], Disk()
    for change in (change for output in outputs for change in output.changes):
        disk.apply(change, TABLES[change.table].key)
    places = [(way, plane, serial) for way in ("sent", "received") for plane in Plane for serial in (1, 2, 2**63)]
    with opened(tmp_path) as store:
        store.commit(outputs, NOW)
        for period in store.keys.periods():
            store.keys.destroy(period)
        for history in (store, Shelf(disk)):
            assert [place for place in places if history.is_nonpaper(*place)] == [
                ("sent", Plane.REAL, 2),
                ("received", Plane.REAL, 2),
            ]


@pytest.mark.parametrize("sql", ["UPDATE entry SET leaf=x'00' WHERE seq=0;", "DELETE FROM entry WHERE seq=0;"])
def test_the_ledger_only_grows(tmp_path: Path, sql: str) -> None:
    """If one line of SQL could change an entry, the record would be worth what its keeper's patience is worth."""
    path = _filled(tmp_path)
    with pytest.raises(sqlite3.IntegrityError, match="only grows"):
        _alter(path, sql)


# --- opening --------------------------------------------------------------------------------------------------------


def test_durability_is_asked_for_and_read_back(tmp_path: Path) -> None:
    """With Python's default settings 31 of 40 power cuts lose the last acknowledged statement."""
    (tmp_path / "ledger.db").touch(0o600)
    connection = connect(tmp_path / "ledger.db")
    with contextlib.closing(connection):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with opened(tmp_path) as store:
        assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_commits_find_room_in_the_log_file(tmp_path: Path) -> None:
    """A file that grows under a commit makes its sync slower; room in the database would never be given back."""
    with opened(tmp_path) as store:
        log = store.path.with_name("ledger.db-wal")
        room, database = log.stat().st_size, store.path.stat().st_size
        assert room > 1_000 * 4_096, "SQLite begins the file anew after 1000 pages: it must never have to grow"
        assert database < 400_000
        for serial in range(1, 400):
            store.commit([statement(serial)], NOW)
        assert log.stat().st_size == room
        assert store.path.stat().st_size > database, "the log file was never begun anew: this test shows nothing"


@pytest.mark.parametrize("party", ["", "CHARLIE"])
@pytest.mark.parametrize("table", [name for name, form in TABLES.items() if {"plane", "content"} <= set(form.columns)])
def test_what_was_said_lies_in_no_file_and_goes_with_its_month(tmp_path: Path, table: str, party: str) -> None:
    """A stolen backup would hold what others signed, whatever keys were destroyed (docs/protocol.md 13.4)."""
    words, filled = b"the fleet puts to sea", {"TEXT": "real", "INTEGER": 1, "BLOB": b"x"}
    row = {column: filled[kind] for column, kind in TABLES[table].columns.items()}
    with opened(tmp_path) as store:
        rows = store.of(party)
        store.commit([Output(changes=[Put(scoped(table, party), {**row, "content": words})])], NOW)
        assert [one["content"] for one in rows.rows(table)] == [words]
        assert _files_with(words, tmp_path) == []
        (period,) = store.keys.periods()
        assert store.keys.destroy(period)
        assert rows.rows(table) == []


# --- a destroyed secret ---------------------------------------------------------------------------------------------

BOX = b"a sealed prekey secret".ljust(72, b".")


def _prekey(generation: int, box: bytes = BOX) -> Output:
    row = {"generation": generation, "box": box, "content": b"c" * 1_250, "signature": b"s" * 64}
    return Output(records=[Record("key.prekey", {"generation": generation})], changes=[Put("prekey", row)])


DESTROY = Output(changes=[Delete("prekey", {"generation": 1})])


def _files_with(secret: bytes, folder: Path) -> list[str]:
    return [file.name for file in sorted(folder.iterdir()) if file.is_file() and secret in file.read_bytes()]


def test_a_log_that_was_left_can_still_be_proved_to_have_grown(tmp_path: Path) -> None:
    """A head on its way to a witness would be proved by another log: it would stand there as a contradiction of ours
    (docs/protocol.md 13.7).
    """
    with opened(tmp_path) as store:
        store.commit([statement(1)], NOW)
        small = store.head()
        store.commit([statement(number) for number in range(2, 8)], NOW)
        large = store.head()
        store.commit([Output(records=[Record("log.open", {"log_epoch": 4, "reason": "restored"})])], NOW)
        store.commit([statement(8)], NOW)
        proof = store.consistency_of(1, small.size, large.size)
        verify_consistency(small.size, large.size, proof, small.root, large.root)
        assert store.consistency_of(4, 1, 2) == store.consistency(1, 2)
        with pytest.raises(StorageError):
            store.consistency(small.size, large.size)


@pytest.mark.parametrize("moved", [False, True])
def test_a_destroyed_secret_is_in_no_file(tmp_path: Path, moved: bool) -> None:
    """Whoever copies the disk would open what a relay recorded long ago (docs/protocol.md 7.8)."""
    with opened(tmp_path) as store:
        store.commit([_prekey(1)], NOW)
        if moved:
            store._writer.execute("PRAGMA wal_checkpoint(FULL)")
        assert _files_with(BOX, tmp_path) == ["ledger.db"] * moved + ["ledger.db-wal"]
        room = store.path.with_name("ledger.db-wal").stat().st_size
        store.commit([DESTROY], NOW)
        assert _files_with(BOX, tmp_path) == []
        for generation in range(2, 5):
            store.commit([_prekey(generation, b"x" * 72)], NOW)
            store.commit([Output(changes=[Delete("prekey", {"generation": generation})])], NOW)
        assert store.path.with_name("ledger.db-wal").stat().st_size == room, "it does not grow with each"
        assert store.rows("prekey") == []


def test_a_secret_that_is_only_deleted_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search could be blind."""
    monkeypatch.setattr(store_module, "_write_over", lambda connection, path: True)
    with opened(tmp_path) as store:
        store.commit([_prekey(1)], NOW)
        store.commit([DESTROY], NOW)
        assert _files_with(BOX, tmp_path) == ["ledger.db-wal"]


def test_a_reader_delays_the_destruction_and_does_not_prevent_it(tmp_path: Path) -> None:
    """An audit that runs for a minute must neither stop commits nor keep a secret for ever."""
    with opened(tmp_path) as store:
        store.commit([_prekey(1)], NOW)
        with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM prekey").fetchone()
            store.commit([DESTROY], NOW)
            box = b"x" * 30_000
            for generation in range(2, 202):
                store.commit([_prekey(generation, box)], NOW)
            log = store.path.with_name("ledger.db-wal")
            assert log.stat().st_size > 5_000_000, "the reader was not in the way: this test shows nothing"
            reader.execute("ROLLBACK")
        store.commit([_prekey(202, b"y")], NOW)
        assert _files_with(BOX, tmp_path), "not tried at every commit"
        store.commit([Output(changes=[Delete("prekey", {"generation": 202})])], Instant(NOW.mono + 10_000, NOW.wall))
        assert _files_with(BOX, tmp_path) == []
        assert log.stat().st_size < 5_000_000


@pytest.mark.parametrize("frames", [2, 4, 30])
def test_a_secret_right_behind_the_room_is_destroyed(tmp_path: Path, frames: int) -> None:
    """A reader of a moment lets the log file outgrow its room by a page or two, which no later frame reached
    (docs/protocol.md 7.8).
    """
    with opened(tmp_path) as store:
        log = store.path.with_name("ledger.db-wal")
        room = log.stat().st_size
        with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM prekey").fetchone()
            for generation in itertools.count(1_000):
                store.commit([_prekey(generation, b"x")], NOW)
                if log.stat().st_size >= room + (frames - 1) * 4_120:
                    break
            store.commit([_prekey(1)], NOW)
            assert log.stat().st_size > room
            reader.execute("ROLLBACK")
        store.commit([DESTROY], NOW)
        assert store._wipe_at is None
        assert _files_with(BOX, tmp_path) == []
        assert log.stat().st_size <= room + 16 * 4_120


def test_writing_over_cuts_no_file_that_did_not_grow(tmp_path: Path) -> None:
    """Each destruction would write everything twice."""
    with opened(tmp_path) as store:
        asked: list[str] = []
        store._writer.set_trace_callback(lambda text: asked.append(text) if "wal_checkpoint" in text else None)
        for generation in range(1, 6):
            store.commit([_prekey(generation)], NOW)
            store.commit([Output(changes=[Delete("prekey", {"generation": generation})])], NOW)
        assert asked == ["PRAGMA wal_checkpoint(RESTART)"] * 5


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o622])
def test_a_store_that_others_can_read_is_not_served(tmp_path: Path, mode: int) -> None:
    """A backup that was put back as it comes would be read by every user of the machine (docs/protocol.md 13.3)."""
    with opened(tmp_path) as store:
        store.commit([statement(1)], NOW)
    database = tmp_path / "ledger.db"
    database.chmod(mode)
    with pytest.raises(ConfigError, match=f"others can read it \\(mode {mode:04o}\\); chmod 600 "):
        open_store(tmp_path)
    database.chmod(0o600)
    with opened(tmp_path) as store:
        assert store.head().size == 1


def test_a_store_of_somebody_else_is_not_served(tmp_path: Path) -> None:
    """Whoever it belongs to could read it, and change it under the daemon (docs/protocol.md 13.3)."""
    with opened(tmp_path):
        pass
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(tmp_path / "ledger.db", 12_345, 12_345)
    with pytest.raises(ConfigError, match="belongs to another user"):
        open_store(tmp_path)


def test_a_power_cut_after_the_first_start_leaves_the_store_and_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of their folders would be gone, and with them what was acknowledged (docs/protocol.md 3.4, 13.4)."""
    synced: list[Path] = []
    for module in (store_module, contentkeys_module):
        monkeypatch.setattr(module, "sync_folder", synced.append)
    with opened(tmp_path / "store") as store:
        assert synced[0] == tmp_path
        synced.clear()
        store.keys.seal("x", b"y", NOW.wall)
        assert synced == [tmp_path / "store"]


def test_a_power_cut_after_the_deletion_leaves_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start after it would go on writing behind the old frames, and never over them."""
    (tmp_path / "cut").mkdir()
    with monkeypatch.context() as cut, opened(tmp_path / "whole") as store:
        store.commit([_prekey(1)], NOW)
        cut.setattr(store_module, "_write_over", lambda connection, path: False)
        store.commit([DESTROY], NOW)
        for name in ("ledger.db", "ledger.db-wal"):
            shutil.copy(tmp_path / "whole" / name, tmp_path / "cut" / name)
    assert _files_with(BOX, tmp_path / "cut")
    with opened(tmp_path / "cut") as store:
        assert _files_with(BOX, tmp_path / "cut") == []
        assert store.head().size == 1


def test_place_that_cannot_be_durable_is_refused() -> None:
    """A store that silently falls back to another journal keeps promises only until the first power cut."""
    with pytest.raises(StorageError, match="does not give WAL"):
        connect(Path(":memory:"))


def test_only_the_owner_can_read_the_store(tmp_path: Path) -> None:
    """A ledger that other users of the machine can read is a leak of when the capitals spoke."""
    path = _filled(tmp_path / "new")
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_every_file_of_the_store_is_closed_to_others_from_its_birth(tmp_path: Path) -> None:
    """In a folder that an administrator made too open, others would read who said how much, and when."""
    # docs/protocol.md 13.3
    tmp_path.chmod(0o755)
    seen: dict[str, int] = {}

    def look(store: EndpointStore) -> None:
        seen.update({path.name: path.stat().st_mode & 0o077 for path in store.path.parent.glob("ledger.db*")})

    class Watched(EndpointStore):
        def _create(self, path: Path) -> None:
            self.path = path
            look(self)
            super()._create(path)
            look(self)

    before = os.umask(0)
    try:
        store = Watched(tmp_path, make_ledger, ContentKeys(tmp_path / "keys", b"k" * 32))
        store.commit([statement(1)], NOW)
        look(store)
        store.close()
    finally:
        os.umask(before)
    assert seen == {"ledger.db": 0, "ledger.db-wal": 0, "ledger.db-shm": 0}


def test_what_a_crash_left_open_to_others_is_closed(tmp_path: Path) -> None:
    """SQLite goes on with the log file that it finds, and everything after would be in it."""
    path = _filled(tmp_path)
    log_file = path.with_name("ledger.db-wal")
    log_file.write_bytes(b"of a crash")  # the mode of an empty one SQLite itself would set
    log_file.chmod(0o644)
    with opened(tmp_path) as store:
        store.commit([statement(6)], NOW)
        assert log_file.stat().st_mode & 0o077 == 0


def test_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    """An old program that writes into a newer store destroys it, in the night after a hasty roll-back."""
    path = _filled(tmp_path)
    _alter(path, f"PRAGMA user_version={SCHEMA_VERSION + 1};")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"newer program") as caught:
        open_store(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_second_daemon_is_refused(tmp_path: Path) -> None:
    """Two daemons on one store would sign two ledgers of one terminal: evidence of tampering against ourselves."""
    with opened(tmp_path), pytest.raises(StorageError, match="another daemon"):
        open_store(tmp_path)
    with opened(tmp_path):
        pass


@pytest.mark.parametrize("start", [0, 20, 100])
def test_corrupt_file_is_refused_and_left_alone(tmp_path: Path, start: int) -> None:
    """A start over a broken file must neither create a new ledger nor finish off what could still be rescued."""
    path = _filled(tmp_path)
    data = bytearray(path.read_bytes())
    data[start : start + 4_000] = b"\xa5" * 4_000
    path.write_bytes(data)
    with pytest.raises(StorageError) as caught:
        open_store(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == bytes(data)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DROP TRIGGER entry_keep_1; UPDATE entry SET note=NULL WHERE seq=4;", "no signed head"),
        ("DROP TRIGGER entry_hold_1; DELETE FROM entry WHERE seq=3;", "node is missing"),
        ("DROP TRIGGER entry_keep_1; UPDATE entry SET nodes=zeroblob(96) WHERE seq=3;", "signed root"),
        ("DROP TRIGGER entry_keep_1; UPDATE entry SET nodes=x'00' WHERE seq=3;", "node is missing"),
        ("DROP TRIGGER entry_keep_1; UPDATE entry SET note=x'00' WHERE seq=4;", "not readable"),
        ("DROP TRIGGER entry_keep_1; UPDATE entry SET leaf=x'00' WHERE seq=4;", "not readable"),
        ("DROP TABLE entry;", "audit verify"),
    ],
)
def test_altered_ledger_is_not_built_upon(tmp_path: Path, sql: str, says: str) -> None:
    """A terminal that goes on over a changed record signs a head that contradicts what the peer already holds."""
    path = _filled(tmp_path)
    _alter(path, sql)
    with pytest.raises(StorageError, match=says) as caught:
        open_store(tmp_path)
    assert str(path) in str(caught.value)


def test_table_that_cannot_be_read_is_an_error_of_the_store(tmp_path: Path) -> None:
    """Told as an internal fault, a rotten disk would be looked for in the program."""
    path = _filled(tmp_path)
    _alter(path, "DROP TABLE outbox; DROP TABLE sent;")
    with opened(tmp_path) as store:
        with pytest.raises(StorageError, match="cannot be read") as caught:
            store.rows("outbox")
        assert str(path) in str(caught.value)
        with pytest.raises(StorageError, match="cannot be read"):
            store.sent(Plane.REAL, 1)


@pytest.mark.parametrize("kind", ["file", "missing-parent-file"])
def test_store_that_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    """A typing error in the configuration must end in one sentence, not in a traceback at three in the morning."""
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" if kind == "file" else tmp_path / "file" / "below"
    with pytest.raises(StorageError, match="cannot be used as a store"):
        open_store(folder)


# --- processes that die ---------------------------------------------------------------------------------------------


def _start(folder: Path, count: int, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    command = [*before, sys.executable, "-m", "tests.hotline.runtime.store_writer", str(folder), str(count), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _acknowledged(lines: list[bytes]) -> int:
    serials = [int(line.split()[1]) for line in lines if line.startswith(b"ack ") and line.endswith(b"\n")]
    return max(serials, default=0)


def _read_until(process: subprocess.Popen[bytes], count: int) -> list[bytes]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


KILLS = int(os.environ.get("HOTLINE_KILLS", "12"))
"""How often the writer is killed; more by HOTLINE_KILLS=200."""


def test_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A daemon that is killed between two statements must come back with every one that it said it had."""
    # docs/protocol.md 12.1
    acknowledged = 0
    for turn in range(KILLS):
        process = _start(tmp_path, 100_000)
        lines = _read_until(process, 12 + turn % 31)
        process.kill()
        rest, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL
        acknowledged = max(acknowledged, _acknowledged([*lines, *rest.splitlines(keepends=True)]))
        with opened(tmp_path) as store:
            assert stored_serial(store) >= acknowledged
    assert acknowledged >= KILLS * 11
    assert _audit(tmp_path).outcome is Outcome.VERIFIED


def test_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    """A full disk must stop the daemon with a clear error, never let it acknowledge what it could not keep."""
    with opened(tmp_path) as store:
        store.commit([statement(1)], NOW)
    process = _start(tmp_path, 100_000, "--size", "800000")
    out, errors = process.communicate(timeout=30)
    lines = out.splitlines(keepends=True)
    assert lines[-1] == b"storage-error\n", errors.decode()
    assert _acknowledged(lines) > 20
    with opened(tmp_path) as store:
        last = stored_serial(store)
        assert last >= _acknowledged(lines)
        store.commit([statement(last + 1)], NOW)


def _unsynced_acknowledgements(trace: str) -> tuple[int, int]:
    """(acknowledgements, those of them before which the log file was written and not brought to the disk)."""
    dirty, wrote, seen, bad = False, False, 0, 0
    for row in trace.splitlines():
        if "-wal>" in row and "pwrite64(" in row:
            dirty = wrote = True
        elif "-wal>" in row and ("fdatasync(" in row or "fsync(" in row) and row.endswith("= 0"):
            dirty = False
        elif '"ack ' in row:
            seen += 1
            bad += dirty or not wrote
            wrote = False
    return seen, bad


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("level", ["FULL", "NORMAL", "OFF"])
def test_every_acknowledgement_follows_its_sync(tmp_path: Path, level: str) -> None:
    """An acknowledgement before fdatasync is a promise that the next power cut breaks. Without FULL it must be seen."""
    log = tmp_path / "trace"
    trace = ("strace", "-f", "--seccomp-bpf", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", str(log))
    process = _start(tmp_path / "store", 30, "--synchronous", level, before=trace)
    out, errors = process.communicate(timeout=60)
    if b"ptrace" in errors:
        pytest.skip("this machine does not let strace attach")
    assert out.endswith(b"done\n"), errors.decode()
    seen, bad = _unsynced_acknowledgements(log.read_text())
    assert seen == 30
    assert bad == (0 if level == "FULL" else 30)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_a_disk_that_fails_leaves_nothing_inconsistent(tmp_path: Path, call: str, error: str) -> None:
    """After a failed write or sync nobody knows what is stored: to go on would be to sign over it."""
    # docs/protocol.md 3.4
    folder = tmp_path / "store"
    for turn, nth in enumerate((1, 2, 3, 5, 9, 17, 33)):
        failing = f"inject={call}:error={error}:when={nth}+"
        before = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={call}", "-e", failing, "-o", "/dev/null")
        process = _start(folder, 60, before=before)
        out, errors = process.communicate(timeout=60)
        if b"ptrace" in errors:
            pytest.skip("this machine does not let strace attach")
        lines = out.splitlines(keepends=True)
        assert b"done\n" not in lines, f"{call} failed and nobody noticed"
        acknowledged = _acknowledged(lines)
        with opened(folder) as store:
            last = stored_serial(store)
            assert last >= acknowledged
            store.commit([statement(last + 1)], NOW)
        verdict = _audit(folder)
        assert verdict.outcome is Outcome.VERIFIED, f"turn {turn}: {verdict.text}"


def _audit(folder: Path) -> Verdict:
    with open_record(folder) as (log,):
        verifier = Ed25519Verifier(f"{BASE}/1", KEY.public)
        return verify_log(log.leaves(), log.notes[-1], verifier, log.hashes.get, log.notes)


# --- power cuts -----------------------------------------------------------------------------------------------------


def _stopped(pid: int) -> bool:
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(state in "tT" for state in states)


def _mount(image: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    # No writing back on the file system's own initiative: only what was synced may be in the image.
    subprocess.run(["mount", "-o", "loop,commit=300,noatime", image, folder], check=True, capture_output=True)


def _cut(image: Path, place: Path, copy: Path, check: Path, cuts: int, *more: str) -> list[tuple[int, int]]:
    """(acknowledged, found) for `cuts` images taken of a disk under a writer."""
    found = []
    process = _start(place / "store", 100_000, *more)
    assert process.stdout is not None
    try:
        os.set_blocking(process.stdout.fileno(), True)
        lines = _read_until(process, 5)
        for turn in range(cuts):
            lines += _read_until(process, 3 + turn % 4)
            process.send_signal(signal.SIGSTOP)
            while not _stopped(process.pid):
                os.sched_yield()
            lines += _drain(process)
            # A file of its own for each: somebody may still hold the loop device of the last one, and with it what
            # the kernel remembers of that file; mounted again it would show neither the one disk nor the other.
            cut = copy.with_suffix(f".{turn}")
            shutil.copyfile(image, cut)
            found.append((_acknowledged(lines), _serial_in_image(cut, check)))
            cut.unlink()
            process.send_signal(signal.SIGCONT)  # only now: on a slow machine it would meanwhile fill its disk
    finally:
        process.kill()
        process.communicate()
    return found


def _drain(process: subprocess.Popen[bytes]) -> list[bytes]:
    """What a stopped writer had already said."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    data = process.stdout.read() or b""
    os.set_blocking(process.stdout.fileno(), True)
    assert not data or data.endswith(b"\n")
    return data.splitlines(keepends=True)


def _serial_in_image(copy: Path, check: Path) -> int:
    _mount(copy, check)
    try:
        if not (check / "store" / "ledger.db").exists():
            return 0
        with opened(check / "store") as store:
            return stored_serial(store)
    except StorageError:
        return -1
    finally:
        subprocess.run(["umount", check], check=True, capture_output=True)


@pytest.mark.root
@pytest.mark.parametrize(("off", "cuts"), [(False, 15), (True, 4)])
def test_power_cut_loses_nothing_acknowledged(tmp_path: Path, off: bool, cuts: int) -> None:
    """When the power fails, every acknowledged statement must be on the disk. With OFF the loss must be seen."""
    # docs/protocol.md 12.1
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs root and mkfs.ext4 for a file system of its own")
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as handle:
        handle.truncate(12 * 1_048_576)
    subprocess.run(["mkfs.ext4", "-q", image], check=True, capture_output=True)
    try:
        _mount(image, place)
    except subprocess.CalledProcessError:
        pytest.skip("this machine does not let us mount a file system")
    try:
        with opened(place / "store"):
            os.sync()
        level = "OFF" if off else "FULL"
        found = _cut(image, place, tmp_path / "copy.img", tmp_path / "check", cuts, "--synchronous", level)
    finally:
        subprocess.run(["umount", place], check=True, capture_output=True)
    assert len(found) == cuts
    lost = [(said, kept) for said, kept in found if kept < said]
    if off:
        assert lost, "the control lost nothing: this test would not see a loss"
    else:
        assert not lost
