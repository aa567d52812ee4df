"""The log file is emptied beside the commits: at the pace of people nobody waits for it."""

from __future__ import annotations

from pathlib import Path

from hotline.machine import Instant
from hotline.runtime.store import EndpointStore
from hotline.runtime.tidying import Tidier
from tests.hotline.runtime.store_writer import open_store, opened, statement, stored_serial

WALL = 1_700_000_000_000
PACE_MS = 50
COMMITS = 400


def _said(store: EndpointStore) -> tuple[int, int]:
    """Many statements, one after the other: (how often the thread was begun, pages in the log file at its fullest)."""
    begun, fullest, before = 0, 0, None
    for serial in range(1, COMMITS + 1):
        store.commit([statement(serial)], Instant(serial * PACE_MS, WALL))
        fullest = max(fullest, _frames(store.path))
        if (under_way := store._tidier.under_way) is not before and under_way is not None:
            under_way.result()
            begun, before = begun + 1, under_way
    return begun, fullest


def _frames(database: Path) -> int:
    """Frames of the log file's present round, which bear the salts of its header, up to the last that ends a commit."""
    data = database.with_name("ledger.db-wal").read_bytes()
    salts, last, size = data[16:24], 0, 24 + 4_096
    for number, place in enumerate(range(32, len(data), size), 1):
        if data[place + 8 : place + 16] != salts:
            break
        if any(data[place + 4 : place + 8]):
            last = number
    return last


def test_no_commit_at_the_pace_of_people_empties_the_log_file(tmp_path: Path) -> None:
    """A FLASH would wait for the disk, every seven seconds, as in a drill."""
    with opened(tmp_path) as store:
        begun, fullest = _said(store)
        assert begun >= COMMITS * PACE_MS // 4_000
        assert fullest < 900, "SQLite empties it under the commit that makes it a thousand"
    with opened(tmp_path) as store:
        assert stored_serial(store) == COMMITS


def test_without_the_thread_a_commit_does(tmp_path: Path) -> None:
    """The pages could be counted wrongly, or be few whatever is done."""
    with opened(tmp_path) as store:
        store._tidier.look = lambda rows, mono: None  # type: ignore[method-assign]
        begun, fullest = _said(store)
        assert not begun
        assert fullest >= 1_000


def test_a_flood_is_left_to_sqlite(tmp_path: Path) -> None:
    """The thread would take the disk from the commits, again and again."""
    tidier = Tidier(tmp_path / "ledger.db")
    begun = set()
    for moment in range(3_000):
        tidier.look(moment * 100, moment)
        begun.add(tidier.under_way)
        if tidier.under_way is not None:
            tidier.under_way.result()
    tidier.close()
    assert len(begun - {None}) == 1


def test_a_store_that_closes_waits_for_the_thread(tmp_path: Path) -> None:
    """Its file would be in use when the next daemon starts, or when somebody copies it."""
    store = open_store(tmp_path)
    store._tidier.look(10_000, 0)
    under_way = store._tidier.under_way
    store.close()
    assert under_way is not None
    assert under_way.done()
    assert under_way.exception() is None
