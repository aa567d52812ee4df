"""Texts with typed fields, shown so that a value reads alike in either writing direction (docs/protocol.md 21.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from hotline.cli.quoted import print_folded, print_quoted
from hotline.errors import TextError
from hotline.phrasebook import PhraseEntry, fill, phrase
from hotline.protocol.fields import KINDS, Typed, canonical, fault, field_word
from hotline.safetext import safe_block, safe_line
from hotline.wire.v1 import content_pb2

_FSI, _PDI = "\u2068", "\u2069"
_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9-]{0,15})\}", re.ASCII)
_VALUE_MAX: Final = 2_000


def isolated(text: str, fields: Iterable[content_pb2.Field]) -> str:
    """`text` made safe, with each field's value in its place between isolates, which are the only ones in it."""
    values = {field.name: safe_line(field.value, _VALUE_MAX) for field in fields}
    parts = _PLACEHOLDER.split(text)
    shown = [str(safe_block(parts[0]))]
    for name, after in zip(parts[1::2], parts[2::2], strict=True):
        value = values.get(name)
        shown.append(f"{{{name}}}" if value is None else f"{_FSI}{value}{_PDI}")
        shown.append(str(safe_block(after)))
    return "".join(shown)


def print_text(text: str, fields: Iterable[content_pb2.Field]) -> None:
    """The text with nothing beside it but the mark of a text, then each field on a line of its own."""
    given = list(fields)
    print_quoted(isolated(text, given))
    print_fields(given)


def print_fields(fields: Iterable[content_pb2.Field]) -> None:
    """Each field on a line of its own, the value at its end."""
    for field in fields:
        print_folded(f"  {field_word(field.kind):7} {safe_line(field.name):16} {safe_line(field.value, _VALUE_MAX)}")


def typed(given: str) -> Typed:
    """A field as it is written on the command line: KIND=VALUE or KIND.NAME=VALUE. Raises TextError."""
    head, equals, value = given.partition("=")
    word, dot, name = head.partition(".")
    if not equals or word not in KINDS:
        raise TextError(f"not a field: {given[:60]!r}; write time=..., place=..., coord=... or number=...")
    made = Typed(name if dot else word, KINDS[word], canonical(KINDS[word], value))
    if why := fault(made):
        raise TextError(f"{head[:40]}: {why}; nothing was queued")
    return made


def filling(given: str) -> tuple[str, str]:
    """A fill of a phrase: NAME=VALUE. Raises TextError."""
    name, equals, value = given.partition("=")
    if not equals:
        raise TextError(f"not a fill: {given[:60]!r}; write NAME=VALUE")
    return name, value


def check_named(text: str, fields: Iterable[Typed]) -> None:
    """Nobody has to mean `{plcae}`: what a text with fields names beside them is told, and what a text without names.

    Raises TextError for the one; for the other, which may be meant as it stands, there is a word on stderr.
    """
    given = {field.name for field in fields}
    lacking = [name for name in _PLACEHOLDER.findall(text) if name not in given]
    if lacking and given:
        there = ", ".join(f"{{{name}}}" for name in sorted(given))
        raise TextError(
            f"the text names {{{lacking[0]}}}, and no --field has that name; there are: {there}; nothing was queued"
        )
    if lacking:
        click.echo(f"note: {{{lacking[0]}}} stands in the text as it is: no --field has that name", err=True)


def said_fields(
    code: str | None, fills: Sequence[str], fields: Sequence[str], text: str | None, file: Path | None
) -> tuple[tuple[Typed, ...], PhraseEntry | None]:
    """What `hotline send` was given: typed fields, and the phrase if there is one. Raises TextError."""
    if code is None:
        if fills:
            raise TextError("--fill goes with --phrase; a text of its own takes --field: nothing was queued")
        return tuple(map(typed, fields)), None
    if text is not None or file is not None or fields:
        raise TextError("a phrase has a text of its own: give --phrase with --fill alone; nothing was queued")
    entry = phrase(code)
    return fill(entry, map(filling, fills)), entry
