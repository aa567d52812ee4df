"""Every promise of docs/promises.md, and every claim of docs/threat-model.md, names tests and drills that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.test_clauses import SPECIFICATION, clauses
from tests.test_house import ROOT, read

PROMISES = read(Path("docs/promises.md"))
THREATS = read(Path("docs/threat-model.md"))
LIBRARY = ROOT / "hotline/drill/library"
TEST = re.compile(r"`(tests/[\w./-]+\.py)::(\w+)`")
DRILL = re.compile(r"drill `([\w-]+)`(?:: ([a-z0-9, -]+))?")
CLAUSES_IN_WORDS = re.compile(r"\(((?:\d+\.\d+(?:, | to | and )?)+)")


@cache
def functions(path: str) -> frozenset[str]:
    """The test functions of a file; none if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    names = (node.name for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, kinds))
    return frozenset(name for name in names if name.startswith("test_"))


@cache
def judged(drill: str) -> frozenset[str]:
    """What a drill of the library promises: kinds, and kinds with their limits; none if there is no such drill."""
    file = LIBRARY / f"{drill}.toml"
    if not file.is_file():
        return frozenset()
    promised = tomllib.loads(file.read_text(encoding="utf-8"))["promise"]
    return frozenset(
        word for one in promised for word in (one["promise"], f"{one['promise']} {one.get('limit', '')}".strip())
    )


def promises(text: str) -> Iterator[tuple[str, str]]:
    """(number, text) of each promise."""
    yield from re.findall(r"^### (P\d+)\. (.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)


def faults(text: str) -> list[str]:
    """Tests, drills, limits and clauses that a text names and that do not exist."""
    found = [f"no test {path}::{name}" for path, name in TEST.findall(text) if name not in functions(path)]
    for drill, words in DRILL.findall(text):
        if not judged(drill):
            found.append(f"no drill {drill}")
            continue
        wanted = [word.strip() for word in words.split(",") if word.strip()]
        found += [f"drill {drill} does not judge {word!r}" for word in wanted if word not in judged(drill)]
    known = clauses(read(SPECIFICATION))
    cited = [number for group in CLAUSES_IN_WORDS.findall(text) for number in re.findall(r"\d+\.\d+", group)]
    return found + [f"no clause {number}" for number in cited if number not in known]


def test_promises_are_numbered_once_and_in_order() -> None:
    """A report that cites P17 would mean another promise next year."""
    numbers = [number for number, _ in promises(PROMISES)]
    assert numbers == sorted(set(numbers), key=lambda number: int(number[1:]))
    assert len(numbers) >= 20


@pytest.mark.parametrize(("number", "text"), list(promises(PROMISES)), ids=lambda value: value[:4].strip())
def test_a_promise_names_who_shows_it(number: str, text: str) -> None:
    """A promise that nobody plays is a wish."""
    assert faults(text) == []
    assert TEST.search(text), f"{number} names no test"
    assert CLAUSES_IN_WORDS.search(text), f"{number} names no clause"


def test_the_threat_model_names_who_shows_it() -> None:
    """What holds against whom would be an opinion."""
    assert faults(THREATS) == []
    table = [line for line in THREATS.splitlines() if re.match(r"\| \*\*", line)]
    assert len(table) >= 8
    for line in table:
        for cell in line.split("|")[2:-1]:
            assert re.match(r" (holds|holds until|does not hold|no matter)\b", cell), cell
            assert "no matter" in cell or re.search(r"\d+\.\d+|`[\w-]+`|\[\d+\]", cell), cell


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("`tests/test_promises.py::test_nothing`", "no test tests/test_promises.py::test_nothing"),
        ("`tests/test_nowhere.py::test_a`", "no test tests/test_nowhere.py::test_a"),
        ("drill `relay-painted`: none-lost", "no drill relay-painted"),
        ("drill `relay-killed`: noticed 1ms", "drill relay-killed does not judge 'noticed 1ms'"),
        ("drill `relay-killed`: told", "drill relay-killed does not judge 'told'"),
        ("as is said (1.1, 99.1)", "no clause 99.1"),
    ],
)
def test_a_fault_is_seen(text: str, fault: str) -> None:
    """The tests above would pass whatever the documents name."""
    assert faults(text) == [fault]
    name = "test_a_fault_is_seen"
    assert faults(f"`tests/test_promises.py::{name}`, drill `relay-killed`: noticed 1s, none-lost (1.1 and 5.6)") == []
