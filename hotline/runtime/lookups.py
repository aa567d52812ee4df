"""Committed rows as the machine and people look them up: those of a terminal, or of one other party among several."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hotline.errors import KeyFileError, StorageError
from hotline.machine import Plane
from hotline.protocol.nonpapers import Name, is_sealed
from hotline.protocol.tables import NO_CORRECTION, NO_RUNG, TABLES, Correction, Row, Rung, SentRow, scoped, shape
from hotline.runtime.contentkeys import ContentKeys

SEALED = ("sent", "received", "translation", "draft", "told", "handover")
"""Tables whose column `content` is sealed under a content key."""
CONTENT = 2


def label(table: str, plane: object, serial: object) -> str:
    """What the content of a row is sealed under."""
    return f"{table}/{plane}/{serial}"


def stored_rows(database: sqlite3.Connection, table: str) -> list[Row]:
    """Every row of an operational table, in key order. Raises sqlite3.Error."""
    form = shape(table)
    columns = ", ".join(f'"{column}"' for column in form.columns)
    order = ", ".join(f'"{column}"' for column in form.key)
    found = database.execute(f'SELECT {columns} FROM "{table}" ORDER BY {order}')  # noqa: S608 - names are ours
    return [dict(zip(form.columns, row, strict=True)) for row in found]


def scopes(database: sqlite3.Connection) -> list[str]:
    """The other parties that have tables of their own here. Raises sqlite3.Error."""
    found = database.execute("SELECT name FROM sqlite_master WHERE name GLOB 'sent@*' AND type='table' ORDER BY name")
    return [str(name).partition("@")[2] for (name,) in found]


def show_party(reader: sqlite3.Connection, party: str) -> None:
    """From now on this connection sees the tables of `party` under the plain names. Raises StorageError."""
    try:
        for table in TABLES:
            reader.execute(f'CREATE TEMP VIEW "{table}" AS SELECT * FROM main."{scoped(table, party)}"')  # noqa: S608 - ours
    except sqlite3.Error as error:
        raise StorageError(f"the tables of {party} cannot be read ({error})") from error


class Lookups:
    """One reader of committed rows; its methods raise StorageError."""

    def __init__(self, path: Path, reader: sqlite3.Connection, keys: ContentKeys, party: str = "") -> None:
        self.path = path
        self._reader = reader
        self.keys = keys
        self.party = party

    def content(self, table: str, plane: str, serial: int, box: bytes) -> bytes | None:
        """Content of a row of `sent` or `received`; None if its key was destroyed. Raises StorageError."""
        try:
            content = self.keys.open(label(scoped(table, self.party), plane, serial), box)
            return (
                content if content is None or not is_sealed(content) else self._nonpaper(table, plane, serial, content)
            )
        except KeyFileError as error:
            raise StorageError(f"{self.path}: {error}") from error

    def is_nonpaper(self, way: str, plane: Plane, serial: int) -> bool:
        """Whether the statement of this way and serial was said without prejudice, also if its text is destroyed."""
        # It alone has no signature (22.2); of a content whose key is gone nothing could be seen.
        sql = f"SELECT length(signature) FROM {way} WHERE plane=? AND serial=?"  # noqa: S608 - ours
        return self.query(sql, (plane.value, serial)) == [(0,)]

    def _nonpaper(self, table: str, plane: str, serial: int, content: bytes) -> bytes | None:
        found = self.query("SELECT box FROM nonpaper WHERE way=? AND plane=? AND serial=?", (table, plane, serial))
        name = Name(table, Plane(plane), serial)
        return self.keys.open_nonpaper(name, bytes(found[0][0]), content) if found else None

    def rows(self, table: str) -> list[Row]:
        """Every row of a live table, in key order; without those whose content key was destroyed."""
        try:
            found = stored_rows(self._reader, table)
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: cannot be read ({error}); run hotline audit verify on a copy") from error
        return found if table not in SEALED else [row for row in map(partial(self._opened, table), found) if row]

    def _opened(self, table: str, row: Row) -> Row:
        plane, serial, box = row["plane"], row["serial"], row["content"]
        assert isinstance(plane, str)
        assert isinstance(serial, int)
        assert isinstance(box, bytes)
        content = self.content(table, plane, serial, box)
        return {} if content is None else {**row, "content": content}

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        """Our statement with this serial."""
        sql = "SELECT content, signature, hash FROM sent WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        content = self.content("sent", plane.value, serial, found[0][0]) if found else None
        return None if content is None else SentRow(content, *found[0][1:])

    def sent_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of our statement with this serial, also if its text is destroyed."""
        found = self.query("SELECT hash FROM sent WHERE plane=? AND serial=?", (plane.value, serial))
        return bytes(found[0][0]) if found else None

    def received(self, plane: Plane, serial: int) -> bytes | None:
        """Content of the peer's statement with this serial."""
        sql = "SELECT content FROM received WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        return self.content("received", plane.value, serial, found[0][0]) if found else None

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of the peer's statement with this serial."""
        sql = "SELECT hash FROM received WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        return bytes(found[0][0]) if found else None

    def received_signed(self, plane: Plane, serial: int) -> SentRow | None:
        """The peer's statement with this serial, with its signature."""
        sql = "SELECT content, signature, hash FROM received WHERE plane=? AND serial=?"
        found = self.query(sql, (plane.value, serial))
        content = self.content("received", plane.value, serial, found[0][0]) if found else None
        return None if content is None else SentRow(content, *found[0][1:])

    def received_draft(self, draft: bytes) -> tuple[Plane, int] | None:
        """Plane and serial of the released statement of the peer that has used this draft up."""
        found = self.query("SELECT plane, serial FROM received_draft WHERE draft=?", (draft,))
        return (Plane(found[0][0]), int(found[0][1])) if found else None

    def authority(self, plane: Plane, serial: int) -> str:
        """What the release of the peer's statement was found to be worth."""
        sql = "SELECT by FROM received_fact WHERE plane=? AND serial=? AND stage='authority'"
        found = self.query(sql, (plane.value, serial))
        return str(found[0][0]) if found else ""

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        """Whether this stage is known of our statement."""
        sql = "SELECT 1 FROM sent_fact WHERE plane=? AND serial=? AND stage=? LIMIT 1"
        return bool(self.query(sql, (plane.value, serial, stage)))

    def moved_to(self, plane: Plane, serial: int) -> int:
        """The serial under which our statement of this one goes on; 0 if it was not renumbered."""
        sql = "SELECT by FROM sent_fact WHERE plane=? AND serial=? AND stage='renumbered'"
        found = self.query(sql, (plane.value, serial))
        return int(found[0][0]) if found else 0

    def correction(self, way: str, plane: Plane, serial: int, name: bytes) -> Correction:
        """The newest that corrects or retracts the statement of this serial and name; NO_CORRECTION if nothing does."""
        sql = "SELECT first, by, stage FROM correction WHERE way=? AND plane=? AND serial=? AND named=?"
        found = self.query(sql, (way, plane.value, serial, name))
        return max((Correction(*row) for row in found), default=NO_CORRECTION)

    def rung(self, way: str, plane: Plane, serial: int, stage: str) -> Rung:
        """What stands on this rung of a statement; NO_RUNG if nothing does."""
        sql = "SELECT said, until, answer FROM ladder WHERE way=? AND plane=? AND serial=? AND stage=?"
        found = self.query(sql, (way, plane.value, serial, stage))
        return Rung(*found[0]) if found else NO_RUNG

    def query(self, sql: str, parameters: Sequence[str | int | bytes]) -> list[tuple[Any, ...]]:
        """Read committed rows. Raises StorageError."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except OverflowError:
            return []  # whoever asked named a number that no row can have
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: cannot be read ({error}); run hotline audit verify on a copy") from error
