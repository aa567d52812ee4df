"""A page read as a browser reads it: elements balanced, and everything that could act, fetch or mislead collected."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from hotline.safetext import controls_found

_VOID: Final = {"meta", "link", "br", "col"}
_ADDRESS: Final = re.compile(r"(?:https?|ftp|wss?|file|javascript):|//", re.IGNORECASE)
_FETCHING: Final = ("src", "srcset", "href", "action", "poster", "formaction", "xlink:href", "background", "style")


class Page(HTMLParser):
    """Feed it a document; `problems` says what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str, dict[str, str | None]]] = []
        self._images: list[list[str]] = []
        self.feed(text)
        self.close()
        self.problems += [f"<{name}> is never closed" for name, _ in self.open]
        self._ids()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if tag not in _VOID:
            self.open.append((tag, dict(attrs)))
        if dict(attrs).get("role") == "img":
            self._images.append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:]}")
            return
        _, attributes = self.open.pop()
        if attributes.get("role") == "img":
            inside = self._images.pop()
            if inside[:2] != ["title", "desc"]:
                self.problems.append(f"an image begins with {inside[:2]}, not with its title and description")

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            name, attributes = self.open[-1]
            self.texts.append((name, data, attributes))
            if name != "style" and controls_found(data):
                self.problems.append(f"text that acts on the screen: {data!r}")
            if name in ("title", "desc") and self._images and not data.strip():
                self.problems.append("an image without words")

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"a comment: {data!r}")

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if len(attributes) != len(attrs):
            self.problems.append(f"<{tag}> has an attribute twice")
        if self._images:
            self._images[-1].append(tag)
        if tag in ("script", "iframe", "object", "embed", "form", "img", "base", "image", "foreignobject", "use"):
            self.problems.append(f"<{tag}>")
        for name, value in attributes.items():
            if name.startswith("on"):
                self.problems.append(f"<{tag} {name}>")
            if name in _FETCHING and value is not None and value != "data:,":
                self.problems.append(f"<{tag} {name}={value!r}>")
            if value is not None and controls_found(value):
                self.problems.append(f"<{tag} {name}> acts on the screen")

    def _ids(self) -> None:
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        if len(ids) != len(set(ids)):
            self.problems.append("an id stands twice")
        for tag, attributes in self.elements:
            wanted = (attributes.get("aria-labelledby") or "").split()
            self.problems += [
                f"<{tag}> is labelled by {name}, which is not there" for name in wanted if name not in ids
            ]

    def all(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this name."""
        return [attributes for tag, attributes in self.elements if tag == name]

    def words(self) -> str:
        """All text but the style."""
        return " ".join(text for name, text, _ in self.texts if name != "style")


def addresses(text: str) -> list[str]:
    """Everything in a document that looks like the address of something elsewhere."""
    return _ADDRESS.findall(text)
