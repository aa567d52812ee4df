"""The book of coded phrases: one code, one meaning, in the languages of both sides (docs/protocol.md 21.10)."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from hotline.errors import TextError
from hotline.protocol.fields import KINDS, Typed, canonical, fault
from hotline.wire.v1 import content_pb2

LANGUAGES: Final = ("en", "hi", "ur")


@dataclass(frozen=True, slots=True)
class PhraseEntry:
    """One phrase: its text in each language, with `{name}` for each of its fields."""

    code: str
    texts: Mapping[str, str]
    fields: Mapping[str, content_pb2.FieldKind.ValueType]

    def texts_in(self, language: str) -> str:
        """The text in the language of this tag. Raises TextError if the book has none."""
        found = self.texts.get(language.split("-")[0].lower())
        if found is None:
            raise TextError(f"the book has no {language[:16]!r}: say it in one of {', '.join(self.texts)}")
        return found


@dataclass(frozen=True, slots=True)
class Book:
    """A phrasebook as it lies in the program; `name` is SHA-256 of its file."""

    edition: str
    status: str
    name: bytes
    phrases: Mapping[str, PhraseEntry]


@cache
def book() -> Book:
    """Our copy of the book."""
    data = Path(__file__).with_name("phrasebook.toml").read_bytes()
    table = tomllib.loads(data.decode())
    phrases = {
        row["code"]: PhraseEntry(
            row["code"],
            {language: row[language] for language in LANGUAGES},
            {name: KINDS[word] for name, word in row.get("fields", {}).items()},
        )
        for row in table["phrase"]
    }
    return Book(table["edition"], table["status"], hashlib.sha256(data).digest(), phrases)


def phrase(code: str) -> PhraseEntry:
    """The phrase of this code, in either case. Raises TextError."""
    found = book().phrases.get(code.upper())
    if found is None:
        raise TextError(f"the book has no phrase {code[:16]!r}; look at: hotline phrase list")
    return found


def fill(entry: PhraseEntry, given: Iterable[tuple[str, str]]) -> tuple[Typed, ...]:
    """The fields of a phrase, each of its kind. Raises TextError if one is missing, unknown or of another kind."""
    values = dict(given)
    wrong = sorted(entry.fields.keys() ^ values.keys())
    if wrong:
        needed = " ".join(f"--fill {name}=..." for name in entry.fields) or "no --fill"
        raise TextError(f"phrase {entry.code} takes {needed}; wrong or missing: {', '.join(wrong)[:100]}")
    fields = tuple(Typed(name, kind, canonical(kind, values[name])) for name, kind in entry.fields.items())
    for one in fields:
        if why := fault(one):
            raise TextError(f"{one.name}: {why}; nothing was queued")
    return fields


@dataclass(frozen=True, slots=True)
class Reading:
    """What our book makes of a phrase that came: our text of it, and whether they agree; None: cannot tell."""

    text: str
    agrees: bool | None
    warning: str = ""
    note: str = ""


def reading(
    named: content_pb2.Phrase, text: str, language: str, fields: Iterable[content_pb2.Field], own: str
) -> Reading:
    """Hold a statement's text and fields against the phrase that it names, in OUR copy of the book."""
    ours, code = book(), named.code
    note = "" if named.book == ours.name else "the sender's book is another one than ours"
    entry = ours.phrases.get(code)
    if entry is None:
        return Reading("", None, f"our book has no phrase {code}: only the text says what is meant", note)
    shown = entry.texts[own]
    said = entry.texts.get(language.split("-")[0].lower())
    if {one.name: one.kind for one in fields} != dict(entry.fields):
        return Reading(shown, False, f"the fields are not those of phrase {code} in our book", note)
    if said is None:
        return Reading(shown, None, f"our book has no {language}: whether the text says this cannot be told", note)
    if said != text:
        return Reading(shown, False, f"the text does not say what phrase {code} says in our book", note)
    return Reading(shown, True, "", note)
