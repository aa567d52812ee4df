"""Brings what SQLite's log file holds into the database, in a thread of its own and under no commit.

SQLite does that by itself, under the commit that fills a thousand pages: two syncs of much, which on a busy disk took
30 to 180 ms in which a FLASH waited. At the pace of people the thread is always there before. Nothing
depends on it: readers find what the log file holds, a power cut loses none of it, and in a flood, which the thread
would only slow down, or on a disk that is ill SQLite does it as ever.
"""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

_ROWS: Final = 200
"""Changed rows that are worth it: some three hundred pages."""
_PAUSE_MS: Final = 3_000
_PASSES: Final = 3


class Tidier:
    """One store's thread. `look` after each commit; `close` before the store's connections are closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tidier")
        self.under_way: Future[None] | None = None
        """The last time that it was begun."""
        self._rows = 0
        self._begun_at: int | None = None

    def look(self, rows: int, mono: int) -> None:
        """`rows` were changed through the writing connection since it was opened; begin if that is enough."""
        rested = self._begun_at is None or mono - self._begun_at >= _PAUSE_MS
        if rested and rows - self._rows >= _ROWS and (self.under_way is None or self.under_way.done()):
            self._rows, self._begun_at = rows, mono
            self.under_way = self._thread.submit(self._tidy)

    def _tidy(self) -> None:
        """Again until the log file holds nothing else: only then is it begun anew. A commit says what ails the disk."""
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._path)) as database:
            for _ in range(_PASSES):
                _, pages, done = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if pages == done:
                    return

    def close(self) -> None:
        """Wait for what is under way."""
        self._thread.shutdown(wait=True)
