"""Every numbered clause of the specification is tested by a test that names it.

A test function cites a clause by naming it in its docstring or in a comment of its body, in the form of all citations
here: `docs/protocol.md 7.5`, several as `docs/protocol.md 7.5, 7.6 and 8.1`. A citation means: change what the clause
says, in the code, and this test turns red.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.test_house import CLAUSE, ROOT, citations, read, tracked

SPECIFICATION = Path("docs/protocol.md")
DEFINITIONS = {
    "13.10": "says what no ledger can show: there is nothing that a test could see",
    "16.1": "says what conformance is; the vectors are checked by the tests of the clauses that they show",
}
"""Clauses that no test can break, each with the reason."""


def clauses(text: str) -> set[str]:
    """The numbered clauses of a specification; its sections are no clauses."""
    return {second for _, second in CLAUSE.findall(text) if re.fullmatch(r"\d+\.\d+", second)}


def cited(source: str) -> Iterator[tuple[str, str]]:
    """(test function, clause) for each citation in the body of a test function."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for line in lines[node.lineno : node.end_lineno]:
                yield from ((node.name, clause) for clause in citations(line) if "." in clause)


def faults(known: set[str], found: Iterable[str], definitions: Iterable[str]) -> dict[str, list[str]]:
    """What is wrong between a specification and the tests that cite it, by kind; empty lists are good."""
    named, exempt = set(found), set(definitions)

    def ordered(numbers: set[str]) -> list[str]:
        return sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])

    return {
        "no test cites": ordered(known - named - exempt),
        "cited, and not there": ordered(named - known),
        "exempt, and not there": ordered(exempt - known),
        "exempt, and cited all the same": ordered(exempt & named),
    }


def test_every_clause_is_cited_by_a_test() -> None:
    """A rule would stand in the specification that nobody notices when it is broken."""
    tests = [path for path in tracked() if path.parts[0] == "tests" and path.name.startswith("test_")]
    found = {clause for path in tests if path.suffix == ".py" for _, clause in cited(read(path))}
    wrong = faults(clauses(read(SPECIFICATION)), found, DEFINITIONS)
    assert {what: numbers for what, numbers in wrong.items() if numbers} == {}
    assert all(len(reason) > 20 for reason in DEFINITIONS.values())


@pytest.mark.parametrize(
    ("known", "found", "definitions", "what"),
    [
        ({"1.1", "1.2"}, ["1.1"], [], "no test cites"),
        ({"1.1"}, ["1.1", "1.2"], [], "cited, and not there"),
        ({"1.1"}, ["1.1"], ["9.9"], "exempt, and not there"),
        ({"1.1"}, ["1.1"], ["1.1"], "exempt, and cited all the same"),
    ],
)
def test_each_fault_is_seen(known: set[str], found: list[str], definitions: list[str], what: str) -> None:
    """The test above would pass whatever the tests cite."""
    wrong = faults(known, found, definitions)
    assert [kind for kind, numbers in wrong.items() if numbers] == [what]
    assert not any(faults({"1.1", "10.2"}, ["1.1"], ["10.2"]).values())


def test_citations_and_clauses_are_found_where_they_count() -> None:
    """A citation in a module, in data or in a fixture would stand for a test that nobody wrote."""
    name = SPECIFICATION.as_posix()
    source = (
        f'"""{name} 1.1"""\n# {name} 1.2\n@mark("{name} 1.3")\ndef test_a():\n    """{name} 2.1 and 2.2."""\n'
        f"    # {name} section 3, and {name} 4.1\n    pass\n\nasync def test_b():\n    pass  # {name} 5.1\n\n"
        f"def other():\n    pass  # {name} 6.1\n"
    )
    assert list(cited(source)) == [("test_a", "2.1"), ("test_a", "2.2"), ("test_a", "4.1"), ("test_b", "5.1")]
    assert clauses("## 4. Sizes\n\n**4.1** One.\n**4.10** Ten, as 4.2 says.\n") == {"4.1", "4.10"}
    assert (ROOT / SPECIFICATION).is_file()
