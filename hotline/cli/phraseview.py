"""A coded phrase as the receiving side reads it: from its own book, in its own language (docs/protocol.md 21.10)."""

from __future__ import annotations

import os
from typing import Any, Final

import click

from hotline.cli.fieldview import isolated
from hotline.cli.quoted import print_quoted
from hotline.phrasebook import LANGUAGES, book, reading
from hotline.protocol.fields import field_word
from hotline.safetext import safe_block
from hotline.wire.v1 import content_pb2, operator_pb2

LANGUAGE_VARIABLE: Final = "HOTLINE_LANGUAGE"
"""Environment variable with the language in which a terminal shows phrases."""


def own_language() -> str:
    """The language in which this terminal shows phrases: HOTLINE_LANGUAGE, or English."""
    named = os.environ.get(LANGUAGE_VARIABLE, "").split("-")[0].lower()
    return named if named in LANGUAGES else "en"


def print_phrase(view: operator_pb2.StatementView) -> None:
    """What our book says for the code, and a warning where the text says something else; the text is what was said."""
    if not view.HasField("phrase") or not view.text:
        return
    own, ours = own_language(), book()
    read = reading(view.phrase, view.text, view.language, view.field, own)
    said = f"\nPHRASE {view.phrase.code}, our book (edition {ours.edition}, {ours.status}) in {own}:"
    click.echo(safe_block(said))
    if read.text:
        click.echo()
        print_quoted(isolated(read.text, view.field))
    if read.note:
        click.echo(safe_block(f"\n  {read.note}: theirs {view.phrase.book.hex()[:16]}, ours {ours.name.hex()[:16]}"))
    if read.warning:
        click.echo(safe_block(f"\n*** WARNING: {read.warning}; what was said is the text above ***"))


def phrase_json(view: operator_pb2.StatementView | content_pb2.Statement) -> dict[str, Any]:
    """`fields` and `phrase` of schemas hotline.statement/1 and hotline.draft/1."""
    fields = [{"name": one.name, "kind": field_word(one.kind), "value": one.value} for one in view.field]
    if not view.HasField("phrase"):
        return {"fields": fields, "phrase": None}
    read = reading(view.phrase, view.text, view.language, view.field, own_language())
    named = {"code": view.phrase.code, "book": view.phrase.book.hex(), "ours": view.phrase.book == book().name}
    return {
        "fields": fields,
        "phrase": {**named, "agrees": read.agrees if view.text else None, "text": read.text or None},
    }
