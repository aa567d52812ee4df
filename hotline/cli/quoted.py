"""What somebody has said, apart from what the program says of it (docs/protocol.md 8.8).

Whoever writes a text chooses its lines, also where a terminal breaks them: one could read as a word of the program, or
as another statement. So each line of a text, as it is shown, begins with a mark that no other line begins with.
"""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Iterator
from typing import Final

import click

MARK: Final = "| "
_ON: Final = " " * 8
"""Before what a window would break off a line of the program: a name that a peer chose may stand in it."""
_FSI, _PDI = "\u2068", "\u2069"
_COLUMNS_MIN: Final = 30


def print_quoted(safe: str) -> None:
    """Show a text that was made safe, each of its lines behind the mark."""
    click.echo(quoted(safe, _columns()))


def print_folded(safe: str) -> None:
    """Show lines of the program that were made safe; where a window would break one, it goes on indented."""
    click.echo(folded(safe, _columns()))


def _columns() -> int:
    """Of the window; 0 if there is none, and nobody breaks lines."""
    return max(shutil.get_terminal_size().columns, _COLUMNS_MIN) if sys.stdout.isatty() else 0


def quoted(safe: str, columns: int = 0) -> str:
    """The lines of `safe` behind the mark, parted where they have no room; 0: nobody breaks them."""
    lines = safe.split("\n")
    return "\n".join(MARK + row for line in lines for row in (_rows(line, columns - len(MARK)) if columns else [line]))


def folded(safe: str, columns: int) -> str:
    """The lines of `safe`, parted where they have no room; 0: nobody breaks them."""
    if not columns:
        return safe
    return "\n".join(f"\n{_ON}".join(_rows(line, columns, columns - len(_ON))) for line in safe.split("\n"))


def _rows(line: str, room: int, later: int | None = None) -> Iterator[str]:
    """`room` columns in the first row and `later` in the others, the same if not given.

    Parted after white space where there is some in the second half, else before a sign that stands for itself."""
    row, width, space = "", 0, 0
    for char in line:
        wide = _wide(char)
        if width + wide > room and not unicodedata.category(char).startswith(("M", "Cf")):
            cut = space if space > len(row) // 2 else len(row)
            head, row = row[:cut], row[cut:]
            if head.count(_FSI) > head.count(_PDI):  # a value that goes on stays apart from what stands beside it
                head, row = head + _PDI, _FSI + row
            yield head
            room = room if later is None else later
            width, space = sum(map(_wide, row)), 0
        row, width = row + char, width + wide
        if char.isspace():
            space = len(row)
    yield row


def _wide(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WFA" else 1
