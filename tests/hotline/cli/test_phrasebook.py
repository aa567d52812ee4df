"""The book of coded phrases, and how a phrase that came is read (docs/protocol.md 21.10)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest

from hotline import phrasebook
from hotline.cli.fieldview import said_fields
from hotline.cli.phraseview import phrase_json, print_phrase
from hotline.errors import TextError
from hotline.phrasebook import LANGUAGES, book, phrase, reading
from hotline.protocol.fields import NUMBER, TIME
from hotline.safetext import controls_found
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.cli.conftest import Run
from tests.schemas import printed

SCRIPTS = {"en": "LATIN", "hi": "DEVANAGARI", "ur": "ARABIC"}
SEVENTEEN = content_pb2.Field(name="number", kind=NUMBER, value="17")
OURS = content_pb2.Phrase(code="B02", book=book().name)


def test_every_phrase_is_whole_in_every_language() -> None:
    """One side would read a sentence without its time or number (docs/protocol.md 21.10)."""
    assert len(book().phrases) >= 40
    assert book().status == "unreviewed", "no native speaker has read it: every view says so"
    for entry in book().phrases.values():
        for language in LANGUAGES:
            text = entry.texts[language]
            named = re.findall(r"\{([^}]*)\}", text)
            assert sorted(named) == sorted(entry.fields), (entry.code, language)
            assert controls_found(text) == 0
            assert unicodedata.normalize("NFC", text) == text.strip() == text
            letters = [char for char in re.sub(r"\{[^}]*\}", "", text) if unicodedata.category(char)[0] == "L"]
            assert letters
            assert {unicodedata.name(char).split()[0] for char in letters} == {SCRIPTS[language]}, (entry.code, text)
            assert text.rstrip(")")[-1] in {"en": ".?", "hi": "।?", "ur": "۔؟"}[language]
    for language in LANGUAGES:
        texts = [entry.texts[language] for entry in book().phrases.values()]
        assert len(set(texts)) == len(texts), "two codes would say the same"


def test_a_phrase_is_read_from_our_own_book() -> None:
    """docs/protocol.md 21.10: what the other side calls the phrase is shown only where it is the phrase."""
    entry = phrase("b02")
    same = reading(OURS, entry.texts["ur"], "ur", [SEVENTEEN], "hi")
    assert (same.text, same.agrees, same.warning, same.note) == (entry.texts["hi"], True, "", "")
    other = reading(OURS, "ہم حملہ کریں گے۔", "ur", [SEVENTEEN], "hi")
    assert (other.agrees, "does not say what phrase B02 says" in other.warning) == (False, True)
    assert other.text == entry.texts["hi"]
    swapped = reading(OURS, phrase("B01").texts["ur"], "ur", [SEVENTEEN], "en")
    assert swapped.agrees is False
    theirs = content_pb2.Phrase(code="B02", book=bytes(32))
    assert reading(theirs, entry.texts["ur"], "ur-PK", [SEVENTEEN], "en").note
    unknown = reading(content_pb2.Phrase(code="Z99", book=bytes(32)), "text", "en", [], "en")
    assert (unknown.text, unknown.agrees) == ("", None)
    assert "no phrase Z99" in unknown.warning
    assert reading(OURS, "texte", "fr", [SEVENTEEN], "en").agrees is None


def test_an_older_copy_says_that_it_lacks_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new code would be shown as something else, or as nothing, where the book is an edition behind (21.10)."""
    said, theirs = phrase("B11").texts["ur"], content_pb2.Phrase(code="B11", book=book().name)
    older = replace(book(), edition="1", name=bytes(32), phrases={"B10": phrase("B10")})
    monkeypatch.setattr(phrasebook, "book", lambda: older)
    read = reading(theirs, said, "ur", [SEVENTEEN], "hi")
    assert (read.text, read.agrees) == ("", None)
    assert read.warning == "our book has no phrase B11: only the text says what is meant"
    assert read.note == "the sender's book is another one than ours"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [content_pb2.Field(name="number", kind=TIME, value="2026-11-25T10:00Z")],
        [SEVENTEEN, content_pb2.Field(name="time", kind=TIME, value="2026-11-25T10:00Z")],
    ],
)
def test_fields_that_are_not_the_phrase_s_are_told(fields: list[content_pb2.Field]) -> None:
    """docs/protocol.md 21.10: our sentence would be shown with a hole, or with something of theirs beside it."""
    read = reading(OURS, phrase("B02").texts["en"], "en", fields, "en")
    assert read.agrees is False
    assert "fields" in read.warning


def test_what_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/protocol.md 21.10: code, book, language and `unreviewed`; the warning says which text holds."""
    monkeypatch.setenv("HOTLINE_LANGUAGE", "hi")
    view = operator_pb2.StatementView(text=phrase("B02").texts["ur"], language="ur", phrase=OURS, field=[SEVENTEEN])
    print_phrase(view)
    shown = capsys.readouterr().out
    assert "unreviewed" in shown
    assert phrase("B02").texts["hi"].replace("{number}", "\u206817\u2069") in shown
    assert "WARNING" not in shown
    view.text = "Something else.\x1b[2J"
    view.phrase.book = bytes(32)
    print_phrase(view)
    shown = capsys.readouterr().out
    assert "*** WARNING" in shown
    assert "another one than ours" in shown
    assert phrase_json(view)["phrase"]["agrees"] is False
    view.text = ""
    print_phrase(view)
    assert capsys.readouterr().out == "", "nothing of what nobody has opened"


def test_what_send_is_given() -> None:
    """docs/protocol.md 21.10: the text is the phrase's, and nothing else."""
    fields, entry = said_fields("B03", ["number=17", "time=2026-11-25T10:00Z"], [], None, None)
    assert entry is phrase("B03")
    assert [(one.name, one.kind, one.value) for one in fields] == [
        ("number", NUMBER, "17"),
        ("time", TIME, "2026-11-25T10:00Z"),
    ]
    for given, words in (
        (("B03", ["number=17"], [], None, None), "wrong or missing: time"),
        (("B01", ["number=17", "time=x"], [], None, None), "wrong or missing: time"),
        (("B01", ["number=x"], [], None, None), "a number has"),
        (("B01", ["17"], [], None, None), "not a fill"),
        (("Z99", [], [], None, None), "no phrase"),
        (("A01", [], [], "and more", None), "text of its own"),
        (("A01", [], ["number=1"], None, None), "text of its own"),
        ((None, ["number=17"], [], "text", None), "goes with --phrase"),
    ):
        with pytest.raises(TextError, match=words):
            said_fields(*given)
    with pytest.raises(TextError, match="has no 'fr'"):
        phrase("A01").texts_in("fr")


def test_the_book_on_the_screen(run: Run) -> None:
    """docs/protocol.md 21.10."""
    listed = run("phrase", "list", "--lang", "ur")
    assert listed.out.count("\n") == len(book().phrases) + 1
    assert "unreviewed" in listed.out
    assert "--fill number=" in run("phrase", "show", "b02").out
    (shown,) = printed(run("phrase", "show", "B02", "--json").out)
    assert (shown["fields"], shown["status"]) == ({"number": "number"}, "unreviewed")
    assert len(printed(run("phrase", "list", "--json").out)) == len(book().phrases)
    assert run("phrase", "show", "Z99").code == 1
