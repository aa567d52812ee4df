"""`hotline phrase`: the book of coded phrases (docs/protocol.md 21.10)."""

from __future__ import annotations

import click

from hotline.cli.groups import Commands
from hotline.cli.officer import json_option
from hotline.cli.output import line, print_json
from hotline.cli.phraseview import own_language
from hotline.phrasebook import LANGUAGES, PhraseEntry, book, phrase
from hotline.protocol.fields import field_word


@click.group("phrase", cls=Commands)
def phrases() -> None:
    """Coded phrases: one code, one meaning, in English, Hindi and Urdu.

    The other side reads a phrase from its own copy of the book, in its own language; HOTLINE_LANGUAGE says which that
    is here (en, hi or ur).

    \b
    Example:
      hotline phrase list
    """


@phrases.command("list")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language.  [default: HOTLINE_LANGUAGE, or en]")
@json_option
def list_(lang: str | None, as_json: bool) -> None:
    """List every phrase of the book.

    \b
    Examples:
      hotline phrase list
      hotline phrase list --lang ur
    """
    ours = book()
    if as_json:
        for entry in ours.phrases.values():
            print_json(_json(entry))
        return
    line(f"Book {ours.name.hex()[:16]}, edition {ours.edition}, {ours.status}")
    for entry in ours.phrases.values():
        line(f"{entry.code}  {entry.texts[lang or own_language()]}")


@phrases.command()
@click.argument("code")
@json_option
def show(code: str, as_json: bool) -> None:
    """Show phrase CODE in every language, and the fields that it takes.

    \b
    Examples:
      hotline phrase show B02
      hotline phrase show E01 --json
    """
    entry = phrase(code)
    if as_json:
        print_json(_json(entry))
        return
    line(f"{entry.code}, edition {book().edition}, {book().status}")
    for language, text in entry.texts.items():
        line(f"\n{language}:\n{text}")
    if entry.fields:
        line()
    for name, kind in entry.fields.items():
        line(f"  --fill {name}=...  {field_word(kind)}")


def _json(entry: PhraseEntry) -> dict[str, object]:
    """Schema hotline.phrase/1."""
    ours = book()
    return {
        "schema": "hotline.phrase/1",
        "code": entry.code,
        "edition": ours.edition,
        "status": ours.status,
        "book": ours.name.hex(),
        "texts": dict(entry.texts),
        "fields": {name: field_word(kind) for name, kind in entry.fields.items()},
    }
