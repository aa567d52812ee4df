"""Text from outside becomes text that is safe to show: what would act on a screen is made visible instead.

The one door between a peer's words (and any other foreign text) and every terminal, log line and page. A message body
can carry escape sequences that rename a window, bidirectional overrides that turn "do not fire" round, or invisible
characters that make two different texts look the same. Nothing is dropped silently: each such character is replaced
by a mark such as `⟦U+202E RLO⟧`.

Left alone: every assigned visible character of every script, and ZWJ and ZWNJ, which Urdu and Hindi need in order to be
spelt. Markup is not this module's subject: square brackets pass through, and a page still escapes for HTML.

A peer can type a mark by hand, so a mark in a text proves nothing by itself; `controls_found` of the original counts
the real ones. Marks are for people: signatures, hashes and the ledger always take the original text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

LINE_LIMIT: Final = 240
"""Characters that `safe_line` returns at most unless told otherwise: three rows of a narrow terminal."""

SHORTEST_LINE: Final = 16
"""The smallest `limit`: below it not even one mark and the sign that something was cut would fit."""

STACK_LIMIT: Final = 8
"""Combining marks kept on one base character. Pointed Urdu and Hindi need four; a tall stack paints over other rows."""

JOINER_RUN: Final = 2
"""ZWJ and ZWNJ kept in a row. Spelling needs at most two; a longer run carries only hidden data."""

_JOINERS: Final = frozenset("\u200c\u200d")

# Format characters (Cf) with a glyph of their own: Arabic year, page, number and verse signs. Urdu prints them.
_VISIBLE_FORMAT: Final = frozenset(map(chr, [*range(0x0600, 0x0606), 0x06DD, 0x0890, 0x0891, 0x08E2]))

# Invisible although Unicode files them under letters or marks; the variation selectors' supplement can smuggle bytes.
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0" + "".join(map(chr, range(0xE0100, 0xE01F0)))
)

_BY_CATEGORY: Final = {"Cc": "CONTROL", "Cf": "FORMAT", "Cs": "SURROGATE", "Co": "PRIVATE", "Cn": "UNASSIGNED"}

_C0: Final = """
NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US
"""
_NAMES: Final = {chr(code): name for code, name in enumerate(_C0.split())} | {
    "\x7f": "DEL", "\x85": "NEL", "\x90": "DCS", "\x9b": "CSI", "\x9c": "ST", "\x9d": "OSC", "\x9e": "PM",
    "\x9f": "APC",
    "\u00ad": "SHY", "\u034f": "CGJ", "\u061c": "ALM", "\u200b": "ZWSP", "\u200c": "ZWNJ", "\u200d": "ZWJ",
    "\u200e": "LRM", "\u200f": "RLM", "\u2028": "LINE SEPARATOR", "\u2029": "PARAGRAPH SEPARATOR", "\u202a": "LRE",
    "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO", "\u2060": "WJ", "\u2066": "LRI",
    "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI", "\ufeff": "BOM", "\ufff9": "ANNOTATION",
    "\ufffa": "ANNOTATION SEPARATOR", "\ufffb": "ANNOTATION END",
}  # fmt: skip


class SafeText(str):
    """Text that may go to a terminal, a log line or a page as it stands.

    Made by `safe_line` and `safe_block`. Made by hand it is checked, and ValueError says that it is not safe;
    slicing, joining or formatting gives a plain `str` again, because the result has not been checked.
    """

    __slots__ = ()

    def __new__(cls, text: str = "") -> SafeText:
        """Check `text` and take it over unchanged. Raises ValueError if anything in it would be marked."""
        found = controls_found(text)
        if found:
            raise ValueError(f"{found} characters are not safe to show: pass the text through safe_line or safe_block")
        return str.__new__(cls, text)


def safe_line(text: str, limit: int = LINE_LIMIT, *, ascii_only: bool = False) -> SafeText:
    """Show `text` on one line of at most `limit` characters; newlines and tabs become marks.

    A longer result is cut between characters and ends in `⟦CUT⟧`. `ascii_only` writes the marks as `[U+202E]`, for
    devices without the brackets; the text around them stays as it is. Idempotent for equal arguments.
    Raises ValueError if `limit` is below SHORTEST_LINE.
    """
    if limit < SHORTEST_LINE:
        raise ValueError(f"limit is {limit}; a line needs at least {SHORTEST_LINE} characters")
    if len(text) <= limit and text.isascii() and text.isprintable():
        return _vouched(text)  # most of what is logged
    pieces = _Show(keep_newline=False, ascii_only=ascii_only).all(text)
    if sum(map(len, pieces)) > limit:
        pieces = _cut(pieces, limit, "[CUT]" if ascii_only else "⟦CUT⟧")
    return _vouched("".join(pieces))


def safe_block(text: str, *, ascii_only: bool = False) -> SafeText:
    """Show `text` whole, keeping its newlines (U+000A); everything else as `safe_line`. Idempotent."""
    return _vouched("".join(_Show(keep_newline=True, ascii_only=ascii_only).all(text)))


def controls_found(text: str) -> int:
    """How many characters of `text` would not be shown as themselves by `safe_block`; 0 means that it is unchanged."""
    shown = _Show(keep_newline=True, ascii_only=True)
    shown.all(text)
    return shown.replaced


def _vouched(text: str) -> SafeText:
    """Skip the check of the constructor: `text` has just been through it."""
    return str.__new__(SafeText, text)


def _is_hidden(char: str, category: str) -> bool:
    """Whether `char` is never shown as itself, wherever it stands. What is not known to be visible counts as hidden."""
    if char in _JOINERS or char in _VISIBLE_FORMAT:
        return False
    return category[0] == "C" or category in {"Zl", "Zp"} or char in _INVISIBLE


def _name(char: str, category: str) -> str:
    code = ord(char)
    if char in _NAMES:
        return _NAMES[char]
    if 0xE0000 <= code < 0xE0080:
        return "TAG"
    if 0xE0100 <= code < 0xE01F0:
        return "VARIATION"
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code < 0xFDF0:
        return "NONCHARACTER"
    return _BY_CATEGORY.get(category, "COMBINING" if category[0] == "M" else "INVISIBLE")


def _cut(pieces: list[str], limit: int, sign: str) -> list[str]:
    """The longest beginning of `pieces` that fits with `sign`, not parting a base from its combining marks."""
    room = limit - len(sign)
    end = 0
    while len(pieces[end]) <= room:
        room -= len(pieces[end])
        end += 1
    while end and _clings(pieces[end]):
        end -= 1
    return [*pieces[:end], sign]


def _clings(piece: str) -> bool:
    """Whether `piece` is a character that belongs to the one before it."""
    return piece in _JOINERS or (len(piece) == 1 and unicodedata.category(piece)[0] == "M")


class _Show:
    """One pass over one text: a piece of output for each character, and the count of those replaced."""

    def __init__(self, *, keep_newline: bool, ascii_only: bool) -> None:
        self.replaced = 0
        self._newline = "\n" if keep_newline else None
        self._ascii_only = ascii_only
        self._pieces: list[str] = []
        self._based = False  # whether a visible character of this text stands before, for a combining mark to sit on
        self._stack = 0
        self._joiners = 0
        self._cut_off = 0

    def all(self, text: str) -> list[str]:
        """The pieces in order; joined, they are the safe text."""
        if text.isascii() and text.isprintable():
            return list(text)
        for char in text:
            category = unicodedata.category(char)
            self._kind(char, category)(char, category)
        self._end_stack()
        return self._pieces

    def _kind(self, char: str, category: str) -> Callable[[str, str], None]:
        if char == self._newline:
            return self._take_newline
        if _is_hidden(char, category):
            return self._mark
        if char in _JOINERS:
            return self._take_joiner
        return self._take_combining if category[0] == "M" else self._take_base

    def _take_base(self, char: str, _category: str) -> None:
        self._end_stack()
        self._pieces.append(char)
        self._based = True

    def _take_newline(self, char: str, _category: str) -> None:
        self._end_stack()
        self._pieces.append(char)
        self._based = False

    def _mark(self, char: str, category: str) -> None:
        self._end_stack()
        code = f"U+{ord(char):04X}"
        self._pieces.append(f"[{code}]" if self._ascii_only else f"⟦{code} {_name(char, category)}⟧")
        self.replaced += 1
        self._based = False

    def _take_combining(self, char: str, category: str) -> None:
        self._joiners = 0
        if not self._based:
            # It would sit on whatever our own program printed before the text, or on the bracket of a mark.
            self._mark(char, category)
        elif self._stack < STACK_LIMIT:
            self._stack += 1
            self._pieces.append(char)
        else:
            self._cut_off += 1

    def _take_joiner(self, char: str, category: str) -> None:
        # A joiner is no base: it must not open room for eight more combining marks.
        if self._cut_off:
            self._cut_off += 1
        elif self._joiners < JOINER_RUN:
            self._joiners += 1
            self._pieces.append(char)
        else:
            joiners = self._joiners
            self._mark(char, category)
            self._joiners = joiners

    def _end_stack(self) -> None:
        """Say how much of the stack before was cut off, and begin anew."""
        if self._cut_off:
            said = f"+{self._cut_off} COMBINING"
            self._pieces.append(f"[{said}]" if self._ascii_only else f"⟦{said}⟧")
            self.replaced += self._cut_off
        self._stack = self._joiners = self._cut_off = 0
