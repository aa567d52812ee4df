"""Translations beside their originals, as officers see them: nothing of the peer that no officer has opened."""

from __future__ import annotations

from hotline.limits import TRANSLATIONS_SHOWN_MAX
from hotline.machine import Plane
from hotline.protocol.language import decode_local
from hotline.protocol.neutral import SPOKEN, kind_of
from hotline.protocol.statements import decode_statement
from hotline.runtime.lookups import Lookups
from hotline.wire.v1 import content_pb2, operator_pb2


class TranslationViews:
    """Reads translations out of the store."""

    def __init__(self, store: Lookups) -> None:
        self._store = store

    def count(self, plane: Plane, way: str, serial: int, name: bytes) -> int:
        """How many translations name exactly this statement."""
        sql = "SELECT original FROM translated WHERE plane=? AND way=? AND serial=?"
        return [original for (original,) in self._store.query(sql, (plane.value, way, serial))].count(name)

    def of(self, plane: Plane, way: str, serial: int, name: bytes) -> list[operator_pb2.TranslationView]:
        """The newest TRANSLATIONS_SHOWN_MAX of them, oldest first."""
        sql = "SELECT carrier, number, original FROM translated WHERE plane=? AND way=? AND serial=?"
        found = [
            self._here(plane, number) if carrier == "here" else self._carried(plane, str(carrier), number)
            for carrier, number, original in self._store.query(sql, (plane.value, way, serial))
            if original == name
        ]
        return sorted(found, key=lambda view: view.made_ms)[-TRANSLATIONS_SHOWN_MAX:]

    def _here(self, plane: Plane, number: int) -> operator_pb2.TranslationView:
        rows = self._store.query(
            "SELECT content, hash FROM translation WHERE plane=? AND serial=?", (plane.value, number)
        )
        view = operator_pb2.TranslationView(way="here", serial=number)
        content = self._store.content("translation", plane.value, number, rows[0][0]) if rows else None
        if content is None:
            return view  # its content key was destroyed
        made = decode_local(content)
        _say(view, made.translation, made.language, made.direction, made.text)
        view.made_ms, view.officer, view.name = made.made_ms, made.officer, rows[0][1]
        return view

    def _carried(self, plane: Plane, table: str, serial: int) -> operator_pb2.TranslationView:
        view = operator_pb2.TranslationView(way=table, serial=serial)
        row = self._store.query(f"SELECT content, hash FROM {table} WHERE plane=? AND serial=?", (plane.value, serial))  # noqa: S608 - `table` is ours
        content = self._store.content(table, plane.value, serial, row[0][0]) if row else None
        if content is None:
            return view
        statement = decode_statement(content)
        text = statement.text if table == "sent" or self.is_read(plane, serial) else ""
        _say(view, statement.translation, statement.language, statement.direction, text)
        view.made_ms, view.officer, view.name = statement.composed_ms, statement.drafter, row[0][1]
        newest = self._store.correction(table, plane, serial, view.name)
        view.corrected_by, view.retracted = newest.by, newest.stage == "retracted"
        return view

    def is_read(self, plane: Plane, serial: int) -> bool:
        """Whether an officer has opened this statement of the peer."""
        sql = "SELECT 1 FROM received_fact WHERE plane=? AND serial=? AND stage='read'"
        return bool(self._store.query(sql, (plane.value, serial)))

    def original(self, plane: Plane, way: str, named: content_pb2.Reference) -> operator_pb2.OriginalView:
        """What a translation names, as far as it may be shown; `way` says whose it is."""
        view = operator_pb2.OriginalView(serial=named.serial, sent=way == "sent", state="missing")
        sql = f"SELECT content, hash FROM {way} WHERE plane=? AND serial=?"  # noqa: S608 - `way` is ours
        rows = self._store.query(sql, (plane.value, named.serial))
        if not rows:
            return view
        content = self._store.content(way, plane.value, named.serial, rows[0][0])
        if content is None:
            return view
        statement = decode_statement(content)
        if rows[0][1] != named.statement or kind_of(statement) not in SPOKEN or statement.HasField("translation"):
            view.state = "other"
        elif way == "received" and not self.is_read(plane, named.serial):
            view.state = "unread"
        else:
            view.state, view.text = "here", statement.text
            view.language, view.direction = statement.language, statement.direction
            view.field.extend(statement.field)
        return view


def _say(
    view: operator_pb2.TranslationView,
    tie: content_pb2.Translation,
    language: str,
    direction: content_pb2.Direction.ValueType,
    text: str,
) -> None:
    view.grade, view.translator = tie.grade, tie.translator
    view.language, view.direction, view.text = language, direction, text
