"""How cases are collected and written: pretty, one file for each kind, long strings in pieces."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

from hotline.conformance.answers import answer
from hotline.conformance.kit import CASES, Json

TARGET = Path(__file__).resolve().parents[2] / "docs" / "vectors"
NOTE = "Every key is a test key, made by SHAKE256('hotline test key, for nothing else: ' || name). Use it for nothing."
_LINE = 192
_HEX_RUNS = re.compile(r"([0-9a-f]{2})\1{64,}|(?:(?!([0-9a-f]{2})\2{64,})[0-9a-f]{2})+")
_TEXT_RUNS = re.compile(r"(.)\1{64,}|(?:(?!(.)\2{64,})[\s\S])+")
_COPY_MIN = 400


class Cases:
    """The cases of one kind; `copies` are long texts of which cases repeat parts."""

    def __init__(self, kind: str, clauses: str, about: str, given: Json | None = None) -> None:
        self.kind, self.clauses, self.about, self.given = kind, clauses, about, given or {}
        self.copies: dict[str, str] = {}
        self.cases: list[Json] = []

    def good(self, why: str, **asked: Any) -> None:
        """A case that is accepted."""
        made = answer(self.kind, self.given, asked)
        assert made["accept"], (self.kind, why, made)
        self._add(why, asked, made)

    def bad(self, word: str, why: str, **asked: Any) -> None:
        """A case that is refused, with this word of section 15 or, where it has none, with ''."""
        made = answer(self.kind, self.given, asked)
        assert not made["accept"], (self.kind, why, made)
        assert word in ("", made["word"]), (self.kind, why, word, made)
        self._add(why, asked, {"accept": False, "word": word} if word else {"accept": False})

    def _add(self, why: str, asked: Json, expected: Json) -> None:
        number = len(self.cases) + 1
        self.cases.append({"id": f"{self.kind}-{number:03}", "why": why, "input": asked, "expect": expected})


def text_of(cases: Cases) -> str:
    """The file."""
    given = dict(cases.given)
    if cases.copies:
        given["copies"] = cases.copies
    made = {
        "schema": CASES,
        "kind": cases.kind,
        "clauses": cases.clauses,
        "about": f"{cases.about} {NOTE}",
        "given": _pieces(given, {}),
        "cases": [_pieces(case, cases.copies) for case in cases.cases],
    }
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


def _pieces(value: Any, copies: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _pieces(item, copies) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pieces(item, copies) for item in value]
    if not isinstance(value, str) or (len(value) <= _LINE and "\n" not in value):
        return value
    if re.fullmatch("(?:[0-9a-f]{2})+", value):
        return {"hex": _hex(value)}
    return {"text": _copied(value, copies)}


def _hex(value: str) -> list[Any]:
    """Lines of hexadecimal; a long run of one byte is told by its length."""
    made: list[Any] = []
    for run in _HEX_RUNS.finditer(value):
        if run[1]:
            made.append({"repeat": run[1], "times": len(run[0]) // 2})
        else:
            made += [run[0][at : at + _LINE] for at in range(0, len(run[0]), _LINE)]
    assert sum(len(one) if isinstance(one, str) else 2 * one["times"] for one in made) == len(value)
    return made


def _copied(value: str, copies: dict[str, str]) -> list[Any]:
    """A text of whose lines long ones are told as parts of the copies."""
    made: list[Any] = []
    for name, whole in copies.items():
        if len(value) < _COPY_MIN or (value == whole and not made):
            continue
        lines, known = value.splitlines(keepends=True), whole.splitlines(keepends=True)
        at, plain = 0, ""
        places = [0]
        for line in known:
            places.append(places[-1] + len(line))
        for block in difflib.SequenceMatcher(None, known, lines, autojunk=False).get_matching_blocks():
            begin, end = places[block.a], places[block.a + block.size]
            plain += "".join(lines[at : block.b])
            at = block.b + block.size
            if end - begin < _COPY_MIN:
                plain += "".join(lines[block.b : at])
                continue
            made += _lines(plain)
            plain = ""
            made.append({"copy": name, "from": begin, "to": end})
        return made + _lines(plain)
    if value in copies.values():
        name = next(name for name, whole in copies.items() if whole == value)
        return [{"copy": name, "from": 0, "to": len(value)}]
    return _lines(value)


def _lines(value: str) -> list[Any]:
    """Pieces of a text: its lines, cut where they are long; a long run of one sign is told by its length."""
    made: list[Any] = []
    for line in value.splitlines(keepends=True):
        for run in _TEXT_RUNS.finditer(line):
            if run[1]:
                made.append({"repeat": run[1], "times": len(run[0])})
            else:
                made += [run[0][at : at + _LINE] for at in range(0, len(run[0]), _LINE)]
    return made
