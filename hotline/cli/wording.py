"""What a draft says: the options of `hotline draft new` and `hotline draft edit`, and what an edit keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from hotline.cli.fieldview import check_named, filling, said_fields
from hotline.cli.output import duration_ms
from hotline.cli.textinput import direction_of, read_text
from hotline.errors import TextError
from hotline.phrasebook import book, fill, phrase
from hotline.protocol.fields import Typed
from hotline.protocol.language import original_is_senders
from hotline.wire.v1 import content_pb2, operator_pb2

_PRECEDENCES: Final = ("routine", "priority", "immediate", "flash")
NOT_IN_TRANSLATIONS: Final = (
    "this draft is a translation: only its text, language and direction can be said otherwise, nothing was kept; "
    "its precedence is that of its original, and fields, phrases and addressees are the original's alone"
)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def wording(command: CommandT) -> CommandT:
    """The options that say what is said, and how: the fields of `Wording`."""
    options = (
        click.argument("text", required=False),
        click.option(
            "-p", "--precedence", type=click.Choice(_PRECEDENCES), help="[default: routine; in an edit the draft's]"
        ),
        click.option("--lang", help="Language tag of the text: en, ur, hi, ...  [default: en; in an edit the draft's]"),
        click.option("--dir", "direction", type=click.Choice(("ltr", "rtl")), help="Writing direction."),
        click.option("--file", "file", type=click.Path(path_type=Path), help="Take the text from a file."),
        click.option("--valid-for", metavar="2h", help="Give up if not delivered by then.  [default: by the charter]"),
        click.option("--phrase", metavar="CODE", help="Say this phrase of the book: hotline phrase list."),
        click.option("--fill", "fills", multiple=True, metavar="NAME=VALUE", help="A value that the phrase takes."),
        click.option("--field", "fields", multiple=True, metavar="KIND=VALUE", help="A time, place, coord or number."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Wording:
    """What an officer gave."""

    text: str | None
    precedence: str | None
    lang: str | None
    direction: str | None
    file: Path | None
    valid_for: str | None
    phrase: str | None
    fills: tuple[str, ...]
    fields: tuple[str, ...]

    def first(self) -> operator_pb2.SubmitRequest:
        """A new draft. Raises TextError."""
        language = self.lang or "en"
        text, fields, named = self._said(language)
        if named is None:
            check_named(text, fields)
        return operator_pb2.SubmitRequest(
            precedence=_level(self.precedence or "routine"),
            language=language,
            direction=direction_of(language, self.direction),
            text=text,
            valid_for_ms=duration_ms(self.valid_for, 0, "--valid-for"),
            field=_on_wire(fields),
            phrase=named,
        )

    def instead_of(self, old: content_pb2.Statement, *, plain: bool) -> operator_pb2.SubmitRequest:
        """Another wording of an open draft; what is not said otherwise stays. `plain`: without its phrase and fields.

        Raises TextError.
        """
        language = self.lang or old.language
        keeps_way = self.direction is None and self.lang is None
        if plain or self.phrase is not None:
            text, fields, named = self._said(language)
        elif old.HasField("phrase"):
            text, fields, named = self._same_phrase(old)
        else:
            text, fields, named = self._said(language)
            fields = _updated(old, fields)
        if named is None:
            check_named(text, fields)
        return operator_pb2.SubmitRequest(
            precedence=_level(self.precedence) if self.precedence else old.precedence,
            language=language,
            direction=old.direction if keeps_way else direction_of(language, self.direction),
            text=text,
            valid_for_ms=duration_ms(self.valid_for, old.valid_for_ms, "--valid-for"),
            in_reply_to=old.in_reply_to.serial,
            corrects=old.corrects.serial,
            retracts=old.kind == content_pb2.STATEMENT_KIND_RETRACTION,
            field=_on_wire(fields),
            phrase=named,
        )

    def translation_instead_of(self, old: content_pb2.Statement) -> operator_pb2.TranslateRequest:
        """Another wording of a draft that is a translation; original, grade and translator stay. Raises TextError."""
        if any((self.precedence, self.valid_for, self.phrase, self.fills, self.fields)):
            raise TextError(NOT_IN_TRANSLATIONS)
        language, keeps_way = self.lang or old.language, self.direction is None and self.lang is None
        made = old.translation
        return operator_pb2.TranslateRequest(
            serial=made.original.serial,
            sent=original_is_senders(made.grade),
            grade=made.grade,
            translator=made.translator,
            language=language,
            direction=old.direction if keeps_way else direction_of(language, self.direction),
            text=read_text(self.text, self.file),
            send=True,
        )

    def _said(self, language: str) -> tuple[str, tuple[Typed, ...], content_pb2.Phrase | None]:
        fields, entry = said_fields(self.phrase, self.fills, self.fields, self.text, self.file)
        if entry is None:
            return read_text(self.text, self.file), fields, None
        return entry.texts_in(language), fields, content_pb2.Phrase(code=entry.code, book=book().name)

    def _same_phrase(self, old: content_pb2.Statement) -> tuple[str, tuple[Typed, ...], content_pb2.Phrase]:
        """The phrase of the draft: as it stands, or with other fills or in another language by our book."""
        if self.text is not None or self.file is not None or self.fields:
            raise TextError(
                f"the draft says phrase {old.phrase.code[:16]}, which has words of its own: nothing was kept; "
                "give --plain to say it in yours, or --fill to change a value"
            )
        if not self.fills and self.lang is None:
            return old.text, _fields_of(old), old.phrase
        entry = phrase(old.phrase.code)
        values = {one.name: one.value for one in old.field} | dict(map(filling, self.fills))
        named = content_pb2.Phrase(code=entry.code, book=book().name)
        return entry.texts_in(self.lang or old.language), fill(entry, values.items()), named


def _level(precedence: str) -> content_pb2.Precedence.ValueType:
    return content_pb2.Precedence.Value(f"PRECEDENCE_{precedence.upper()}")


def _fields_of(statement: content_pb2.Statement) -> tuple[Typed, ...]:
    return tuple(Typed(one.name, one.kind, one.value) for one in statement.field)


def _updated(old: content_pb2.Statement, given: tuple[Typed, ...]) -> tuple[Typed, ...]:
    """The fields of the draft, in their order; those of a name that was given again by what was given."""
    return tuple({one.name: one for one in (*_fields_of(old), *given)}.values())


def _on_wire(fields: Iterable[Typed]) -> list[content_pb2.Field]:
    return [content_pb2.Field(name=one.name, kind=one.kind, value=one.value) for one in fields]
