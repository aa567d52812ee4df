"""A message body must not be able to act on the console of the officer who reads it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.safetext import (
    JOINER_RUN,
    LINE_LIMIT,
    SHORTEST_LINE,
    STACK_LIMIT,
    SafeText,
    controls_found,
    safe_block,
    safe_line,
)

SAMPLES = [
    "ALPHA proposes a call at 14:30Z. [Please] confirm; cost < 5 & risk > 0.",
    "جناب، ہماری تجویز ہے کہ بات چیت آج 14:30 پر شروع ہو۔ کیا آپ متفق ہیں؟",
    "مے\u200cخواہم، آئین\u200dہ؛ صفحہ \u0603۱۲ اور سنہ \u0601۱۹۶۳",
    "मान्यवर, हमारा प्रस्ताव है कि वार्ता आज १४:३० बजे आरंभ हो। क्या आप सहमत हैं?",
    "क्\u200dष और क्\u200cष, र्\u200dय: दोनों रूप सही हैं।",
    "مُحَمَّدٌ — naïve café, Zürich, 1 °C, €5 ✓ \u2764\ufe0f",
    "",
]

BIDI = {chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}

SHOWN_FORMAT = set("\n\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u0890\u0891\u08e2")
"""The newline of a block, the joiners, and the Arabic signs that have a glyph although they are format characters."""

ANY_CHARACTER = st.characters(codec=None, exclude_categories=())
"""All of Unicode with surrogates, private use and what is not assigned."""

HOSTILE_PIECE = st.one_of(
    st.sampled_from(
        ["\x1b", "\x9b", "\x1b[", "\x1b]0;", "\x1b]52;c;", "\x1bP", "\x1bc", "\x07", "\x1b\\", "\x9d", "\x9c"]
    ),
    st.sampled_from(["31m", "2J", "?1049h", "8;;x:y", "6n", "\r", "\n", "\t", "\x08", "\x7f", "\x85", "\x0e"]),
    st.sampled_from(sorted(BIDI)),
    st.sampled_from(["\u200c", "\u200d", "\u0301", "\u0651", "\u20e0", "\ufe0f", "\u034f", "\U000e0041", "\U000e0101"]),
    st.sampled_from(["⟦", "⟧", "⟦U+202E RLO⟧", "[U+202E]", "⟦CUT⟧", "a", "ہ", "क", " "]),
)
ANY_TEXT = st.one_of(st.text(ANY_CHARACTER, max_size=60), st.lists(HOSTILE_PIECE, max_size=60).map("".join))


def harmful(text: str, *, allowed: str = "") -> list[str]:
    """Characters that a terminal or a bidirectional layout obeys, judged without the module under test."""
    found = [char for char in text if char not in allowed and (ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0)]
    found += [char for char in text if char in BIDI or 0xD800 <= ord(char) < 0xE000]
    found += [char for char in text if unicodedata.category(char) in {"Zl", "Zp", "Co", "Cn"}]
    return found + [char for char in text if 0xE0000 <= ord(char) < 0xE0200]


@given(ANY_TEXT, st.booleans())
def test_nothing_that_acts_survives(text: str, ascii_only: bool) -> None:
    """A peer could rename the window, hide lines or turn a sentence round on the officer's screen."""
    assert harmful(safe_line(text, ascii_only=ascii_only)) == []
    assert harmful(safe_block(text, ascii_only=ascii_only), allowed="\n") == []


@given(ANY_TEXT, st.integers(SHORTEST_LINE, 80), st.booleans())
def test_showing_twice_changes_nothing(text: str, limit: int, ascii_only: bool) -> None:
    """A text that passes two layers, log and console, would be shown differently from one that passes one."""
    line = safe_line(text, limit, ascii_only=ascii_only)
    assert safe_line(line, limit, ascii_only=ascii_only) == line
    block = safe_block(text, ascii_only=ascii_only)
    assert safe_block(block, ascii_only=ascii_only) == block


@given(ANY_TEXT)
def test_count_is_zero_exactly_if_the_text_is_unchanged(text: str) -> None:
    """The officer would be told that a text is clean when it was altered for display, or the reverse."""
    assert (controls_found(text) == 0) == (safe_block(text) == text)


@given(ANY_TEXT, st.integers(SHORTEST_LINE, 80), st.booleans())
def test_a_line_is_one_line_and_within_its_limit(text: str, limit: int, ascii_only: bool) -> None:
    """A forged second log line could be written, or a row could push the alarm beside it off the screen."""
    line = safe_line(text, limit, ascii_only=ascii_only)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


@given(ANY_TEXT)
def test_a_result_is_accepted_as_safe_text(text: str) -> None:
    """A store of checked texts would refuse what this module itself produced."""
    assert SafeText(str(safe_line(text, 40))) == safe_line(text, 40)
    assert SafeText(str(safe_block(text))) == safe_block(text)


def test_every_code_point_is_shown_or_marked() -> None:
    """One forgotten invisible character would make two different texts look the same."""
    # Planes 4 to 13 are unassigned and 15 and 16 private throughout: their first and last pages stand for them.
    for code in (*range(0x40000), *range(0xE0000, 0xE0400), *range(0xF0000, 0xF0100), *range(0x10FF00, 0x110000)):
        char = chr(code)
        shown = safe_block("x" + char)
        if shown == "x" + char:
            assert unicodedata.category(char)[0] in "LMNPSZ" or char in SHOWN_FORMAT
            assert not harmful(char, allowed="\n")
        else:
            assert shown.startswith(f"x⟦U+{code:04X} ")
            assert shown.endswith("⟧")


@pytest.mark.parametrize("sample", SAMPLES)
def test_honest_text_is_unchanged(sample: str) -> None:
    """Urdu, Hindi or English of a head of government would reach the reader misspelt."""
    assert safe_line(sample) == sample
    assert safe_block(f"{sample}\n\n{sample}\n") == f"{sample}\n\n{sample}\n"
    assert controls_found(sample) == 0


@pytest.mark.parametrize(
    ("text", "shown", "plain"),
    [
        ("a\u202eb", "a⟦U+202E RLO⟧b", "a[U+202E]b"),
        ("\x1b]2;x\x07", "⟦U+001B ESC⟧]2;x⟦U+0007 BEL⟧", "[U+001B]]2;x[U+0007]"),
        ("a\x9b1mb", "a⟦U+009B CSI⟧1mb", "a[U+009B]1mb"),
        ("a\tb\nc", "a⟦U+0009 TAB⟧b⟦U+000A LF⟧c", "a[U+0009]b[U+000A]c"),
        ("a\u2028b", "a⟦U+2028 LINE SEPARATOR⟧b", "a[U+2028]b"),
        ("a\U000e0041", "a⟦U+E0041 TAG⟧", "a[U+E0041]"),
        ("a\U000e0100", "a⟦U+E0100 VARIATION⟧", "a[U+E0100]"),
        ("a\uffff\ufdd0", "a⟦U+FFFF NONCHARACTER⟧⟦U+FDD0 NONCHARACTER⟧", "a[U+FFFF][U+FDD0]"),
        ("\ud800", "⟦U+D800 SURROGATE⟧", "[U+D800]"),
        ("\ue000", "⟦U+E000 PRIVATE⟧", "[U+E000]"),
        ("\u2065", "⟦U+2065 UNASSIGNED⟧", "[U+2065]"),
        ("\u3164", "⟦U+3164 INVISIBLE⟧", "[U+3164]"),
    ],
)
def test_marks_read_as_written_in_the_manual(text: str, shown: str, plain: str) -> None:
    """An officer on the telephone to the other side's duty desk could not say which character was found."""
    assert safe_line(text) == shown
    assert safe_line(text, ascii_only=True) == plain


def test_a_block_keeps_its_lines_and_nothing_else() -> None:
    """A carriage return would let the second half of a line be printed over the first."""
    assert safe_block("one\r\ntwo\tthree\n") == "one⟦U+000D CR⟧\ntwo⟦U+0009 TAB⟧three\n"


def test_tall_stacks_are_cut() -> None:
    """A stack of accents on one letter would paint over the lines above, where the alarm stands."""
    assert STACK_LIMIT == 8  # what the manual promises
    assert safe_line("a" + "\u0301" * STACK_LIMIT) == "a" + "\u0301" * STACK_LIMIT
    assert safe_line("a" + "\u0301" * (STACK_LIMIT + 3) + "b") == "a" + "\u0301" * STACK_LIMIT + "⟦+3 COMBINING⟧b"
    assert controls_found("a" + "\u0301" * (STACK_LIMIT + 3)) == 3


def test_a_joiner_does_not_open_room_for_another_stack() -> None:
    """Joiners between accents would build the tall stack that the limit is there to stop."""
    shown = safe_line("a" + ("\u0301" * STACK_LIMIT + "\u200d") * 4)
    assert shown.count("\u0301") == STACK_LIMIT


def test_long_runs_of_joiners_are_shown() -> None:
    """Pages of hidden data could travel in a text that looks empty."""
    assert safe_line("a" + "\u200d" * JOINER_RUN) == "a" + "\u200d" * JOINER_RUN
    assert safe_line("a" + "\u200c\u200d" * 2) == "a\u200c\u200d⟦U+200C ZWNJ⟧⟦U+200D ZWJ⟧"


@pytest.mark.parametrize("before", ["", "\n", "\u202e"])
def test_a_combining_mark_without_a_base_is_shown(before: str) -> None:
    """It would sit on our own prompt, or strike out the bracket of a mark."""
    assert safe_block(f"{before}\u0338x").endswith("⟦U+0338 COMBINING⟧x")


def test_a_long_line_says_that_it_was_cut() -> None:
    """The reader would take the beginning of a sentence for the whole of it."""
    shown = safe_line("no " * 100)
    assert len(shown) == LINE_LIMIT
    assert shown.endswith("⟦CUT⟧")
    assert safe_line("x" * LINE_LIMIT) == "x" * LINE_LIMIT


def test_a_cut_does_not_part_a_vowel_from_its_consonant() -> None:
    """A Hindi word cut within a syllable reads as another word."""
    shown = safe_line("कि" * 40, 20)
    assert shown == "कि" * 7 + "⟦CUT⟧"
    assert safe_line("a" + "कि" * 40, 19) == "a" + "कि" * 6 + "⟦CUT⟧"


def test_a_cut_does_not_part_a_mark() -> None:
    """Half a mark would hide which character was found."""
    assert safe_line("\u202e" * 9, 30) == "⟦U+202E RLO⟧⟦U+202E RLO⟧⟦CUT⟧"


def test_unsafe_text_cannot_be_called_safe() -> None:
    """A caller in a hurry could wrap a peer's words by hand and print them."""
    with pytest.raises(ValueError, match="1 characters are not safe"):
        SafeText("a\x1bb")
    assert type(safe_line("a")[:1]) is str


def test_a_limit_that_cannot_hold_a_mark_is_refused() -> None:
    """A configuration slip would cut every warning down to nothing."""
    with pytest.raises(ValueError, match="limit is 15"):
        safe_line("x", SHORTEST_LINE - 1)
