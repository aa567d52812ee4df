"""Coded phrases that officers of a drill say, from the book that comes with the program (docs/protocol.md 21.10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hotline.drill.injects import Say
from hotline.errors import TextError
from hotline.phrasebook import book, fill, phrase, reading
from hotline.wire.v1 import operator_pb2

_LABEL: Final = "@"
_READER: Final = "en"


def said(inject: Say) -> Say:
    """The inject with the text of its phrase, which must be one of the book."""
    return inject.model_copy(update={"text": phrase(inject.phrase).texts_in(inject.lang)}) if inject.phrase else inject


def labels(inject: Say) -> list[str]:
    """What its fields name by label."""
    return [value[1:] for value in inject.fill.values() if value.startswith(_LABEL)]


def problems(inject: Say) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of an inject as its file has it."""
    if not inject.phrase:
        if not inject.text:
            yield "text", "is missing: say a text, or a phrase"
        if inject.fill:
            yield "fill", "there is no phrase to fill"
        return
    if inject.text:
        yield "text", "a phrase has a text of its own"
    entry = book().phrases.get(inject.phrase)
    if entry is None:
        yield "phrase", f"the book has no {inject.phrase}: look at hotline phrase list"
    elif wrong := ", ".join(sorted(entry.fields.keys() ^ inject.fill.keys())):
        yield "fill", f"{inject.phrase} takes {', '.join(entry.fields) or 'nothing'}; wrong or missing: {wrong}"
    else:
        try:
            filled(inject, lambda _: 1)
        except TextError as error:
            yield "fill", str(error).partition(";")[0]


def filled(inject: Say, serial: Callable[[str], int]) -> dict[str, Any]:
    """Phrase, book and fields as a terminal takes them; nothing for a text. Raises TextError."""
    if not inject.phrase:
        return {}
    values = [
        (name, str(serial(value[1:])) if value.startswith(_LABEL) else value) for name, value in inject.fill.items()
    ]
    entry = phrase(inject.phrase)
    return {"phrase": entry.code, "book": book().name, "fields": fill(entry, values)}


def opened(view: operator_pb2.StatementView) -> Mapping[str, Any]:
    """What whoever opens it finds in the book: the code, and whether it says there what the text says."""
    read = reading(view.phrase, view.text, view.language, view.field, _READER)
    return {"code": view.phrase.code, "agrees": bool(read.agrees), "text": read.warning or read.note}
