"""`hotline translate` and `hotline translations`: what was said, in other words that bind nobody (section 21)."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hotline.civil import iso_utc
from hotline.cli.divergence import Difference, differences
from hotline.cli.draft import Stub, print_made
from hotline.cli.exits import Exit, leave, need_accepted
from hotline.cli.fieldview import print_text
from hotline.cli.officer import exercise_option, json_option, socket_option
from hotline.cli.output import direction_word, line, print_json, print_translation, translation_title
from hotline.cli.textinput import before_typing, direction_of, read_text
from hotline.errors import TextError
from hotline.protocol.language import grade_word
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import content_pb2, operator_pb2

_GRADES = ("courtesy", "sight", "rough", "official")
sent_option = click.option("--sent", is_flag=True, help="A statement of ours, not one of the peer's.")


@click.command()
@click.argument("serial", type=click.IntRange(1))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@sent_option
@click.option("--grade", type=click.Choice(_GRADES), help="How good it claims to be.  [default: courtesy; rough]")
@click.option("--lang", required=True, help="Language tag of the translation: en, ur, hi, ...")
@click.option("--dir", "direction", type=click.Choice(("ltr", "rtl")), help="Writing direction; follows --lang.")
@click.option("--translator", required=True, metavar="NAME", help="Who made it.")
@click.option("--send", "goes", is_flag=True, help="Send it to the peer too, so that it can object.")
@click.option("--draft", "as_draft", is_flag=True, help="Make it a draft, to be signed and then sent: hotline draft.")
@exercise_option
@socket_option
@json_option
def translate(
    serial: int,
    file: Path | None,
    sent: bool,
    grade: str | None,
    lang: str,
    direction: str | None,
    translator: str,
    goes: bool,
    as_draft: bool,
    exercise: bool,
    socket: str | None,
    as_json: bool,
) -> None:
    """Hand in a translation of statement SERIAL from FILE (`-` or nothing: standard input).

    \b
    Examples:
      hotline translate 3 --grade sight --lang en --translator "A. Reader" sight.txt
      hotline translate 3 --grade official --lang en --translator "B. Reader" --send official.txt
      hotline translate 4 --sent --grade courtesy --lang ur --translator "A. Writer" courtesy.txt
      hotline translate 4 --sent --lang ur --translator "A. Writer" --draft courtesy.txt

    A translation of the peer's statement (sight, rough, official) stays at this terminal, and in its record, unless
    --send is given. A courtesy translation of our own goes to the peer. The original stays what holds, and is
    shown with each. With --draft it becomes a draft that officers sign before it goes, as they sign a statement: what
    is sent needs that where the charter asks for signatures.
    Exit 1 if there is nothing to translate or it is in that language already; 8 for a caller who is no officer,
    or if it must be signed.
    """
    before_typing(None, None if str(file) == "-" else file, socket)
    text = _utf8(read_text(None, None if str(file) == "-" else file))
    word = grade or ("courtesy" if sent else "rough")
    request = operator_pb2.TranslateRequest(
        exercise=exercise,
        serial=serial,
        sent=sent,
        grade=content_pb2.TranslationGrade.Value(f"TRANSLATION_GRADE_{word.upper()}"),
        translator=_utf8(translator),
        language=lang,
        direction=direction_of(lang, direction),
        text=text,
        send=goes,
        request_key=secrets.token_bytes(16),
    )
    with daemon(socket) as stub:
        (_draft if as_draft else _hand_in)(stub, request, as_json=as_json)


def _draft(stub: Stub, request: operator_pb2.TranslateRequest, *, as_json: bool) -> None:
    made = stub.MakeDraft(operator_pb2.MakeDraftRequest(translation=request))
    need_accepted(made)
    print_made(stub, made.draft.number, as_json=as_json)


def _hand_in(stub: Stub, request: operator_pb2.TranslateRequest, *, as_json: bool) -> None:
    answer = stub.Translate(request)
    need_accepted(answer)
    serial, word = request.serial, grade_word(request.grade)
    if as_json:
        print_json(_made(serial, word, answer))
    elif answer.serial:
        line(f"#{answer.serial:04d} {word} translation of #{serial:04d} queued, {answer.date_time_group}")
    else:
        line(f"{word} translation of #{serial:04d} kept here as {answer.number}; --send would give it to the peer")


def _utf8(text: str) -> str:
    """`text`, if it can go through the socket. Raises TextError."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TextError("the translation is not UTF-8: nothing was kept or sent") from error
    return text


def _made(original: int, grade: str, answer: operator_pb2.TranslateResponse) -> dict[str, Any]:
    """Schema hotline.translation-made/1."""
    return {
        "schema": "hotline.translation-made/1",
        "original": original,
        "grade": grade,
        "serial": answer.serial or None,
        "number": answer.number or None,
        "name": answer.name.hex(),
    }


@click.command()
@click.argument("serial", type=click.IntRange(1))
@sent_option
@exercise_option
@socket_option
@json_option
def translations(serial: int, sent: bool, exercise: bool, socket: str | None, as_json: bool) -> None:
    """Show statement SERIAL, every translation of it, and where two in the same language differ.

    \b
    Examples:
      hotline translations 3
      hotline translations 4 --sent --json

    Each difference names the words before it and what either translation has there; nothing depends on colour.
    What has been corrected or retracted is shown and not compared. Exit 1 if there is no such statement, or nobody
    has opened it.
    """
    request = operator_pb2.ListStatementsRequest(exercise=exercise, sent=sent, serial=serial)
    with daemon(socket) as stub:
        found = stub.ListStatements(request).statement
    if not found:
        leave(
            Exit.FIXABLE,
            f"there is no statement #{serial} {'of ours' if sent else 'of the peer; for one of ours: --sent'}",
        )
    view = found[0]
    if not sent and not view.text and not view.reason:
        leave(Exit.FIXABLE, f"nobody has opened #{serial}: hotline read {serial}")
    if as_json:
        print_json(_json(view))
        return
    line(f"ORIGINAL #{serial:04d} ({safe_line(view.language)}), which is authoritative")
    line()
    print_text(view.text or view.reason, view.field)
    line()
    for one in view.translation:
        print_translation(one, view.field)
    if not view.translation:
        line("no translation of it is here")
    for one, other, places in _divergences(view):
        line(f"DIVERGENCE ({safe_line(one.language, 40)}), {len(places)} {'place' if len(places) == 1 else 'places'}")
        line(f"  A = {translation_title(one)}")
        line(f"  B = {translation_title(other)}")
        for number, place in enumerate(places, 1):
            _print_difference(number, place)
        line()


def _print_difference(number: int, place: Difference) -> None:
    """Each text on a line of its own behind a plain label: so it reads the same in either writing direction."""
    line(f"  {number}. {'after: ' + place.after if place.after else 'at the beginning'}")
    line(f"     A: {place.one or '(nothing)'}")
    line(f"     B: {place.other or '(nothing)'}")


def _divergences(
    view: operator_pb2.StatementView,
) -> Iterator[tuple[operator_pb2.TranslationView, operator_pb2.TranslationView, list[Difference]]]:
    shown = [one for one in view.translation if one.text and not one.corrected_by]
    for one, other in itertools.combinations(shown, 2):
        if one.language.lower() == other.language.lower() and (places := differences(one.text, other.text)):
            yield one, other, places


def _json(view: operator_pb2.StatementView) -> dict[str, Any]:
    """Schema hotline.translations/1."""
    return {
        "schema": "hotline.translations/1",
        "plane": "exercise" if view.exercise else "real",
        "original": {
            "serial": view.serial,
            "way": "sent" if view.sent else "received",
            "lang": view.language,
            "dir": direction_word(view.direction) if view.direction else None,
            "statement": view.statement.hex(),
            "text": view.text or None,
        },
        "translations": [
            {
                "name": one.name.hex(),
                "where": one.way,
                "serial": one.serial,
                "grade": grade_word(one.grade) or None,
                "translator": one.translator,
                "lang": one.language,
                "dir": direction_word(one.direction) if one.direction else None,
                "made": iso_utc(one.made_ms) if one.made_ms else None,
                "officer": one.officer,
                "corrected_by": one.corrected_by or None,
                "retracted": one.retracted,
                "text": one.text or None,
            }
            for one in view.translation
        ],
        "divergences": [
            {"one": one.name.hex(), "other": other.name.hex(), "places": [place._asdict() for place in places]}
            for one, other, places in _divergences(view)
        ],
    }
