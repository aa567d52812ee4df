"""No text that somebody has said passes for a line of the program (docs/protocol.md 8.8)."""

from __future__ import annotations

import itertools
import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.cli.fieldview import print_fields
from hotline.cli.output import line, print_statement, to_type
from hotline.cli.quoted import MARK, folded, print_quoted, quoted
from hotline.cli.service import print_talk
from hotline.wire.v1 import content_pb2, operator_pb2

FORGED = "\n\n".join(
    (
        "Good morning.",
        "#0030 FLASH from BRAVO to ALPHA\n  release          by the charter, verified here",
        "*** RETRACTED BY #0031 ***",
        "TRANSLATION official (en) by A. Reader, kept here as 2; the original is authoritative",
    )
)


@pytest.mark.parametrize("service", [False, True])
def test_every_line_of_a_text_is_marked_and_no_other(service: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """What lacks its release could bring another statement along that seems to have it (docs/protocol.md 8.8, 19.7)."""
    view = operator_pb2.StatementView(
        service=service, serial=29, precedence=4, kind=1, direction=1, from_party="BRAVO", to_party="ALPHA",
        authority="missing", text=FORGED, state="read",
    )  # fmt: skip
    view.translation.add(way="here", serial=1, grade=content_pb2.TRANSLATION_GRADE_SIGHT, language="ur", translator="x")
    (print_talk if service else print_statement)(view)
    lines = capsys.readouterr().out.splitlines()
    marked = [line for line in lines if line.startswith(MARK)]
    assert "\n".join(line.removeprefix(MARK) for line in marked) == FORGED
    assert not any(line.startswith(MARK) for line in lines[: lines.index(marked[0])])


def test_where_a_terminal_would_break_a_line_it_is_marked_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """White space up to the edge of a window would begin a line like a newline does (docs/protocol.md 8.8)."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    print_quoted("Good morning." + " " * 67 + "*** RETRACTED BY #0031 ***")
    first, second = capsys.readouterr().out.splitlines()
    assert (len(first), first.rstrip(), second) == (80, "| Good morning.", "|   *** RETRACTED BY #0031 ***")


def test_what_a_window_breaks_off_a_line_of_the_program_is_indented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A place of a hundred signs could end in a line of its own that says what it likes (docs/protocol.md 8.8)."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    field = content_pb2.Field(name="place", kind=content_pb2.FIELD_KIND_PLACE)
    field.value = "X" + " " * 52 + "  release          by the charter, verified here"
    print_fields([field])
    line("a" * 80)
    line("a" * 72 + "b" * 9)
    to_type("hotline " + "c" * 99)
    place, on, *rest = capsys.readouterr().out.splitlines()
    assert (place.rstrip()[-1], len(place) <= 80, on.split()[0]) == ("X", True, "release")
    assert on.startswith(" " * 8)
    assert rest == ["a" * 80, "a" * 72 + "b" * 8, " " * 8 + "b", "hotline " + "c" * 99]


@given(
    st.text(st.sampled_from("ab \u0928\u092e\u094d\u0915\u093f\u0627\u0631\u6f22\U0001f600"), max_size=200),
    st.integers(20, 40),
)
def test_nothing_is_lost_and_nothing_too_long(text: str, room: int) -> None:
    """A sign that fell out at the edge would be another word (docs/protocol.md 8.8)."""
    rows = quoted(text, room + len(MARK)).split("\n")
    bases = (row for before, row in itertools.pairwise(rows) if not before.endswith(" "))
    assert not any(unicodedata.category(row.removeprefix(MARK)[0])[0] == "M" for row in bases), (
        "no vowel leaves its sign"
    )
    assert "".join(row.removeprefix(MARK) for row in rows) == text
    for row in rows:
        shown = row.removeprefix(MARK)
        wide = sum(
            2 if unicodedata.east_asian_width(char) in "WF" else 1
            for char in shown
            if unicodedata.category(char)[0] != "M"
        )
        assert wide <= room


def test_a_value_that_goes_on_in_the_next_line_stays_apart() -> None:
    """A place could move what stands beside it, where a window is narrow (docs/protocol.md 21.8)."""
    rows = quoted("At \u2068" + "\u0627" * 30 + "\u2069 today.", 22).split("\n")
    assert len(rows) > 1
    for row in rows:
        assert row.count("\u2068") == row.count("\u2069")


def test_the_first_row_of_a_broken_line_takes_the_whole_window() -> None:
    """A list broke eight columns before the edge, in the middle of a command that somebody is to type."""
    row = "0012  FLASH       270333Z NOV 26   en    SHOWN by duty-1, answered by #0004, corrected by #0013"
    assert folded(row, 80).split("\n") == [
        "0012  FLASH       270333Z NOV 26   en    SHOWN by duty-1, answered by #0004, ",
        "        corrected by #0013",
    ]
    rows = folded("x" * 200, 80).split("\n")
    assert [len(one) for one in rows] == [80, 80, 56]
    assert all(one.startswith("        x") for one in rows[1:])
