"""Whether a disk would take what a step puts out."""

from __future__ import annotations

import sqlite3
from functools import cache

from hotline.machine import Output, Put
from hotline.protocol.tables import shape
from hotline.runtime.store import _put, _schema


@cache
def _tables() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.executescript(_schema())
    return database


def stored(output: Output) -> None:
    """Whether the tables of the store take what was decided: else the commit fails, and the daemon stops."""
    database = _tables()
    database.execute("BEGIN")
    try:
        for change in output.changes:
            if isinstance(change, Put):
                row = [change.row[column] for column in shape(change.table).columns]
                database.execute(_put(change.table), row)
            else:
                condition = " AND ".join(f'"{column}"=?' for column in change.match)
                database.execute(f'DELETE FROM "{change.table}" WHERE {condition}', list(change.match.values()))
    finally:
        database.execute("ROLLBACK")
