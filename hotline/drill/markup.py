"""HTML as a type of its own: whatever is not Markup is made safe and escaped on its way into a page.

A page of a drill holds words of peers, of planners and of programs. None of them can become a tag, an attribute, a
direction or an invisible character, because there is no other way into an element than `tag`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from hotline.safetext import safe_block

_EMPTY: Final = frozenset({"meta", "link", "br", "col", "rect", "line", "path", "circle", "use"})
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}", re.ASCII)
_RIGHT_TO_LEFT: Final = frozenset({"ur", "ar", "fa", "ps", "sd", "ks"})

Value = str | int | float | bool | None


class Markup(str):
    """HTML that may stand in a page as it is. Only this module makes it from foreign text."""

    __slots__ = ()


def shown(text: str) -> Markup:
    """`text` as HTML: marked where it would act on the page, then escaped."""
    return text if isinstance(text, Markup) else Markup(html.escape(safe_block(text)))


def tag(element: str, /, *content: str, **attributes: Value) -> Markup:
    """One element. An underscore in an attribute's name stands for a hyphen; None and False leave it out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in _EMPTY:
        return Markup(f"<{element}{written}/>")
    return Markup(f"<{element}{written}>{''.join(map(shown, content))}</{element}>")


def _value(value: Value) -> str:
    if value is True:
        return ""
    return safe_block(value) if isinstance(value, str) else short(value or 0)


def short(number: float) -> str:
    """At most one decimal, for coordinates."""
    text = f"{number:.1f}"
    return text[:-2] if text.endswith(".0") else text


def words(text: str, lang: str) -> Markup:
    """Somebody's words, set apart from what stands around them, with their language and direction."""
    known = lang if _LANGUAGE.fullmatch(lang) else None
    direction = ("rtl" if known in _RIGHT_TO_LEFT else "ltr") if known else "auto"
    return tag("bdi", text, lang=known, dir=direction, class_="words")


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Parts after each other."""
    return Markup(shown(between).join(map(shown, parts)))


def table(
    caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]], *, numbers: int = 0, wide: int | None = None
) -> Markup:
    """A table whose first column names its rows; the last `numbers` columns hold numbers. Wide ones can be scrolled.

    The column `wide` takes what room there is, and the others only what they need.
    """
    columns = list(heads)
    first_number = len(columns) - numbers

    def kind(at: int) -> str | None:
        if at >= first_number:
            return "n"
        return None if wide is None else "wide" if at == wide else "tight"

    def cell(at: int, content: str) -> Markup:
        if at:
            return tag("td", content, class_=kind(at))
        return tag("th", content, scope="row", class_=kind(at))

    body = [tag("tr", *(cell(at, content) for at, content in enumerate(row))) for row in rows]
    head = tag("tr", *(tag("th", text, scope="col", class_=kind(at)) for at, text in enumerate(columns)))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return scrolled(whole, caption)


def scrolled(content: str, label: str) -> Markup:
    """A part of the page that may be wider than the window; with the keyboard too it can be moved."""
    return tag("div", content, class_="scroll", tabindex=0, role="group", aria_label=label)
