"""The rules of the house, checked on the tree itself: what nobody checks is gone within a year."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
GENERATED = Path("hotline/wire/v1")

FILE_LINES = 400
FUNCTION_LINES = 60
LONG_FILES: dict[str, str] = {
    "hotline/protocol/endpoint.py": "every event of a terminal in one match, and its parts put together"
}
"""Files that may be longer, each with the reason: "relay/x.py": "one table, no logic"."""
LONG_FUNCTIONS: dict[str, str] = {
    "hotline/cli/officer.py:send": "eleven options and their help; the work is ten lines",
}
"""Functions that may be longer, each with the reason: "relay/x.py:name": "one match statement"."""

EMPTY_WORDS = {"manager", "helper", "helpers", "util", "utils", "common", "misc"}

PURE = ("hotline/machine.py", "relay/machine.py", "relay/mailbox.py")
PURE_ROOMS = ("hotline/wire", "hotline/crypto", "hotline/ledger", "hotline/charter", "hotline/protocol")
IMPURE = {"asyncio", "grpc", "os", "socket", "time", "datetime", "random", "secrets", "threading", "logging"} | {
    "sqlite3",
    "pathlib",
    "importlib",
    "__import__",
}

REGISTRY_HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|invalid)\b", re.IGNORECASE)
THIS_MACHINE = "/".join(["", "work", ""])  # spelt in parts, so that this file passes its own test

NUMBER = re.compile(r"\d+(?:\.\d+)*")
LIST_OF_NUMBERS = rf"{NUMBER.pattern}(?:(?:, | and | to ){NUMBER.pattern})*"
CITATION = re.compile(rf"\bP-{NUMBER.pattern}|§§?\s?{LIST_OF_NUMBERS}|protocol\.md,? (?:sections? )?{LIST_OF_NUMBERS}")
OTHER_DOCUMENT = re.compile(r"\b(?:RFC|FIPS|SP|draft|C2SP|Unicode|UAX|UTS|FM|ACP)\b")
CLAUSE = re.compile(r"^#{1,6} (?:P-)?(\d+(?:\.\d+)*)\b|\*\*(?:P-)?(\d+(?:\.\d+)*)\.?\*\*", re.MULTILINE)


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the project relative to ROOT: what git holds or would take; without git, all but hidden folders."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listing.returncode == 0:
        names = [Path(name) for name in listing.stdout.decode().split("\0") if name]
    else:
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [name for name in names if not any(part[0] == "." or part == "__pycache__" for part in name.parts)]
    found = tuple(sorted(name for name in names if (ROOT / name).is_file()))
    assert found, "no file found: the rules below would hold for nothing"
    return found


def written_code() -> list[Path]:
    """The Python files of both programs that a person wrote."""
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and path.parts[0] in {"hotline", "relay"} and not path.is_relative_to(GENERATED)
    ]


def read(path: Path) -> str:
    """A text of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Each function with its length in lines, decorators and docstring counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield node.name, (node.end_lineno or first) - first + 1


def imported(source: str) -> set[str]:
    """The top-level names of all modules that `source` imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Name) and node.id == "__import__":
            names.add("__import__")
    return names


def citations(line: str) -> list[str]:
    """The clauses of our own specification that one line cites. A § on a line that names another document is its."""
    if OTHER_DOCUMENT.search(line):
        line = line.replace("§", "")
    return [number for match in CITATION.finditer(line) for number in NUMBER.findall(match.group())]


def test_no_file_is_too_long_to_read_at_one_sitting() -> None:
    """A reviewer would skim the part where the fault is."""
    long = {path.as_posix(): read(path).count("\n") for path in written_code()}
    assert {name: lines for name, lines in long.items() if lines > FILE_LINES and name not in LONG_FILES} == {}


def test_no_function_is_too_long_to_hold_in_mind() -> None:
    """A path through it would never be thought about, and this one runs in a crisis."""
    found = {f"{path.as_posix()}:{name}": lines for path in written_code() for name, lines in functions(read(path))}
    assert {key: lines for key, lines in found.items() if lines > FUNCTION_LINES and key not in LONG_FUNCTIONS} == {}


def test_exceptions_are_still_needed_and_have_reasons() -> None:
    """A list of exceptions that nobody prunes becomes the rule."""
    lengths = {path.as_posix(): read(path).count("\n") for path in written_code()}
    assert all(len(reason) > 10 and lengths.get(name, 0) > FILE_LINES for name, reason in LONG_FILES.items())
    found = {f"{path.as_posix()}:{name}": lines for path in written_code() for name, lines in functions(read(path))}
    assert all(len(reason) > 10 and found.get(key, 0) > FUNCTION_LINES for key, reason in LONG_FUNCTIONS.items())


def test_no_file_has_an_empty_name() -> None:
    """Things that belong nowhere would gather there, and nobody could say what the file promises."""
    bad = [path for path in tracked() if EMPTY_WORDS & set(re.split(r"[^a-z]+", path.as_posix().lower()))]
    assert bad == []


def test_what_decides_reads_nothing_from_the_world() -> None:
    """A replay of a recorded crisis would decide otherwise than the machine did, and the drill would prove nothing."""
    # docs/protocol.md 3.1
    rooms = [path for path in written_code() if any(path.is_relative_to(room) for room in PURE_ROOMS)]
    pure = [path for path in written_code() if path.as_posix() in PURE] + rooms
    assert Path("hotline/machine.py") in pure
    found = {path.as_posix(): sorted(imported(read(path)) & IMPURE) for path in pure}
    # The certificate library takes datetime values, made there from a given Unix time.
    assert {name: names for name, names in found.items() if names} == {"hotline/crypto/tls.py": ["datetime"]}


def test_every_test_is_in_one_of_the_runs() -> None:
    """A test of real daemons that lies where no run looks for it would never fail."""
    named = re.search(r"^PROCESSES := (.+)$", read(Path("Makefile")), re.MULTILINE)
    assert named is not None
    mark = "pytest.mark."
    tests = {path: read(path) for path in tracked() if path.parts[0] == "tests" and path.match("test_*.py")}
    marked = {path for path, text in tests.items() if re.search(rf"\b{re.escape(mark)}(process|root|alone)\b", text)}
    assert [path for path in marked if not any(path.is_relative_to(place) for place in named[1].split())] == []
    daemons = {path: text for path, text in tests.items() if path.is_relative_to("tests/process")}
    assert daemons
    assert [path for path, text in daemons.items() if f"\npytestmark = {mark}process\n" not in text] == []


def test_the_lock_names_no_place() -> None:
    """Whoever owns the named place would choose the code that every site installs."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert REGISTRY_HOST.findall(lock) == []


def test_the_programs_need_what_they_name_and_nothing_else() -> None:
    """A package that nobody imports is one stranger more who can change what every site runs."""
    project = tomllib.loads(read(Path("pyproject.toml")))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["hsm"]]
    modules = {
        name
        for path in tracked()
        if path.parts[0] in {"hotline", "relay"} and path.suffix == ".py"
        for name in imported(read(path))
    }
    foreign = modules - {"hotline", "relay", "__import__"} - sys.stdlib_module_names
    holders = packages_distributions()
    assert {canonicalize_name(holder) for name in foreign for holder in holders[name]} == {
        canonicalize_name(Requirement(one).name) for one in named
    }


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    """A path of ours would break, or send a reader to a place that does not exist, on every other machine."""
    naming = [path.as_posix() for path in tracked() if THIS_MACHINE.encode() in (ROOT / path).read_bytes()]
    assert naming == []


def test_every_cited_clause_exists() -> None:
    """A reviewer would look for the rule that a line obeys and find none, or another."""
    cited = {
        (clause, f"{path.as_posix()}:{number} cites {clause}")
        for path in tracked()
        if (path.suffix in {".py", ".proto"} and path.parts[0] in {"hotline", "relay", "proto", "tests"})
        and not path.is_relative_to(GENERATED)
        and path != Path("tests/test_house.py")
        for number, line in enumerate(read(path).splitlines(), 1)
        for clause in citations(line)
    }
    assert cited, "no citation found: the pattern or the habit is lost"
    specification = ROOT / "docs/protocol.md"
    text = specification.read_text(encoding="utf-8") if specification.is_file() else ""
    clauses = {first or second for first, second in CLAUSE.findall(text)}
    assert sorted(where for clause, where in cited if clause not in clauses) == []


@pytest.mark.parametrize(
    ("line", "clauses"),
    [
        ("// The streams. docs/protocol.md sections 5 and 6.", ["5", "6"]),
        ("// The contents. docs/protocol.md sections 8 to 11.", ["8", "11"]),
        ("# P-4.2: one spelling only", ["4.2"]),
        ("# as §7.4 and § 7.5 demand", ["7.4", "7.5"]),
        ('"""One door (docs/protocol.md section 3)."""', ["3"]),
        ("kind names it (docs/protocol.md 3.6), fields carry it", ["3.6"]),
        ("# RFC 9180 §5.1, as docs/protocol.md 7.1 takes it over", ["7.1"]),
        ("# RFC 6962 §2.1", []),
        ("SP-4.2 and 4.2 alone cite nothing", []),
    ],
)
def test_citations_are_found(line: str, clauses: list[str]) -> None:
    """The check above would pass because it sees nothing."""
    assert citations(line) == clauses


def test_clauses_are_found() -> None:
    """The check above would refuse everything because it knows no clause."""
    text = "## 4. Encoding\n\n**4.2** One spelling.\n**P-4.3** Another.\nNot **bold 5** nor 6.1 alone.\n### 7.1 Keys\n"
    assert [first or second for first, second in CLAUSE.findall(text)] == ["4", "4.2", "4.3", "7.1"]


def test_lazy_imports_are_found() -> None:
    """A clock could be read behind the back of the check, from inside a function."""
    source = "def f():\n    from os import path\n    import time as t\n    __import__('x')\nfrom . import os\n"
    assert imported(source) == {"os", "time", "__import__"}
    assert imported("from .os import a\nfrom hotline.machine import b\n") == {"hotline"}


def test_lengths_count_decorators() -> None:
    """A function could hide its length above its name."""
    assert list(functions("@a\n@b(\n 1)\ndef f():\n  return 1\n")) == [("f", 5)]
