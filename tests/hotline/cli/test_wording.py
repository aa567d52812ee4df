"""What a draft says, and what stays of it when it is said otherwise (docs/protocol.md 19.9 and 21.7)."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from hotline.cli.draftview import draft_json
from hotline.cli.wording import Wording
from hotline.errors import TextError
from hotline.phrasebook import book
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2, operator_pb2

TIME = "time=2026-11-25T10:00Z"
NOTHING: dict[str, Any] = {
    "text": None, "precedence": None, "lang": None, "direction": None, "file": None, "valid_for": None,
    "phrase": None, "fills": (), "fields": (),
}  # fmt: skip


def given(**options: Any) -> Wording:
    return Wording(**{**NOTHING, **options})


def kept(request: operator_pb2.SubmitRequest) -> content_pb2.Statement:
    """The draft that a terminal keeps of it."""
    statement = content_pb2.Statement(
        precedence=request.precedence, language=request.language, direction=request.direction, text=request.text,
        valid_for_ms=request.valid_for_ms or 86_400_000, field=request.field,
    )  # fmt: skip
    if request.HasField("phrase"):
        statement.phrase.CopyFrom(request.phrase)
    return statement


def values(request: operator_pb2.SubmitRequest | content_pb2.Statement) -> dict[str, str]:
    return {one.name: one.value for one in request.field}


FIELDS = kept(given(text="It begins at {time}, near {place}.", fields=(TIME, "place=Point One"), lang="ur").first())
PHRASE = kept(given(phrase="B02", fills=("number=17",), precedence="flash").first())


def test_a_draft_has_fields_or_says_a_phrase() -> None:
    """Where two must sign, nobody could say a phrase of the book."""
    assert values(FIELDS) == {"time": "2026-11-25T10:00Z", "place": "Point One"}
    assert (PHRASE.phrase.code, PHRASE.phrase.book, values(PHRASE)) == ("B02", book().name, {"number": "17"})
    assert PHRASE.text == book().phrases["B02"].texts["en"]


def test_an_edit_keeps_the_fields() -> None:
    """An hour would be changed into words, and read otherwise from right to left."""
    edited = given(text="Near {place}, at {time}.").instead_of(FIELDS, plain=False)
    assert values(edited) == values(FIELDS)
    assert (edited.language, edited.direction) == ("ur", content_pb2.DIRECTION_RTL)
    assert not edited.HasField("phrase")


def test_a_field_is_given_anew_by_its_name_and_another_is_added() -> None:
    """The old hour would stand beside the new one."""
    edited = given(text="x", fields=("time=2026-11-25T11:00Z", "number=3")).instead_of(FIELDS, plain=False)
    assert values(edited) == {"time": "2026-11-25T11:00Z", "place": "Point One", "number": "3"}


def test_plain_words_have_only_the_fields_that_are_given() -> None:
    """What the officer took back would be signed all the same."""
    assert values(given(text="x").instead_of(FIELDS, plain=True)) == {}
    assert values(given(text="x", fields=(TIME,)).instead_of(FIELDS, plain=True)) == {"time": "2026-11-25T10:00Z"}
    plain = given(text="Seventeen.").instead_of(PHRASE, plain=True)
    assert (plain.text, values(plain), plain.HasField("phrase")) == ("Seventeen.", {}, False)


def test_an_edit_keeps_the_phrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side would read the words of one language only, and the command wait for a text that is there."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from standard input")))
    edited = given(precedence="priority").instead_of(PHRASE, plain=False)
    assert (edited.text, edited.phrase, values(edited)) == (PHRASE.text, PHRASE.phrase, {"number": "17"})
    assert edited.precedence == content_pb2.PRECEDENCE_PRIORITY
    other_book = content_pb2.Statement()
    other_book.CopyFrom(PHRASE)
    other_book.phrase.book = bytes(32)
    assert given().instead_of(other_book, plain=False).phrase.book == bytes(32)


def test_a_phrase_is_filled_anew_or_said_in_another_language() -> None:
    """Eighteen would be said with the signature for seventeen, or in two languages at once."""
    filled = given(fills=("number=18",)).instead_of(PHRASE, plain=False)
    assert (values(filled), filled.text, filled.phrase.code) == ({"number": "18"}, PHRASE.text, "B02")
    urdu = given(lang="ur").instead_of(PHRASE, plain=False)
    assert (urdu.text, values(urdu)) == (book().phrases["B02"].texts["ur"], {"number": "17"})
    assert urdu.direction == content_pb2.DIRECTION_RTL


def test_another_phrase_takes_the_place_of_everything() -> None:
    """Fields of the old words would be refused with the new phrase, or stay beside it."""
    edited = given(phrase="B02", fills=("number=4",)).instead_of(FIELDS, plain=False)
    assert (edited.phrase.code, values(edited)) == ("B02", {"number": "4"})


@pytest.mark.parametrize(
    ("old", "options", "plain", "said"),
    [
        (PHRASE, {"text": "Eighteen."}, False, "--plain"),
        (PHRASE, {"file": Path("x")}, False, "--plain"),
        (PHRASE, {"fields": (TIME,)}, False, "--plain"),
        (PHRASE, {"fills": ("colour=red",)}, False, "colour"),
        (PHRASE, {"lang": "fr"}, False, "fr"),
        (FIELDS, {"text": "x", "fills": ("number=1",)}, False, "--fill goes with --phrase"),
        (FIELDS, {"text": "x", "phrase": "B02"}, False, "a text of its own"),
        (FIELDS, {"text": "x", "fields": ("time=noon",)}, False, "time"),
    ],
)
def test_an_edit_that_contradicts_itself_changes_nothing(
    old: content_pb2.Statement, options: dict[str, Any], plain: bool, said: str
) -> None:
    """The officer would believe that it was said otherwise."""
    with pytest.raises(TextError, match=said):
        given(**options).instead_of(old, plain=plain)


def test_a_list_does_not_say_that_a_phrase_is_contradicted() -> None:
    """Lists hold no texts: what is not there contradicts nothing."""

    def picture(statement: content_pb2.Statement) -> Any:
        one = operator_pb2.Draft(number=1, state="open", content=encode(statement))
        return draft_json(operator_pb2.DraftView(draft=one))["phrase"]

    assert picture(PHRASE)["agrees"] is True
    listed = content_pb2.Statement()
    listed.CopyFrom(PHRASE)
    listed.text = ""
    assert picture(listed)["agrees"] is None
