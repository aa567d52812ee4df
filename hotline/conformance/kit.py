"""Case files, questions and answers, and the comparison of what was given with what is expected (docs/conformance.md).

A case is a question with one right answer: accepted, with what was read, or refused, with the word of
docs/protocol.md section 15 where that section gives one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hotline.errors import ConfigError

Json = dict[str, Any]

CASES: Final = "hotline.cases/1"
QUESTIONS: Final = "hotline.questions/1"
ANSWERS: Final = "hotline.answers/1"
_PIECES: Final = ("hex", "text")
_TIMES_MAX: Final = 1_048_576
_PACKAGED: Final = Path(__file__).parent / "vectors"
_CLONE: Final = Path(__file__).parents[2] / "docs" / "vectors"


@dataclass(frozen=True, slots=True)
class Case:
    """One question and its answer; `why` says what is special about it, and is not told to whoever is asked."""

    id: str
    why: str
    asked: Json
    expected: Json


@dataclass(frozen=True, slots=True)
class CaseSet:
    """Every case of one kind. `given` holds what its cases have in common."""

    kind: str
    clauses: str
    about: str
    given: Json
    cases: tuple[Case, ...]

    def questions(self) -> Json:
        """The inputs alone."""
        cases = [{"id": case.id, "input": case.asked} for case in self.cases]
        return {
            "schema": QUESTIONS,
            "kind": self.kind,
            "clauses": self.clauses,
            "about": self.about,
            "given": self.given,
            "cases": cases,
        }


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that is not the expected one."""

    case: Case
    given: Json


@dataclass(slots=True)
class Result:
    """What became of one kind."""

    kind: str
    right: int = 0
    missing: list[str] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    fault: str = ""
    """Why the file of answers could not be read; every case counts as missing then."""


def default_vectors() -> Path:
    """The cases that came with this installation, or those of the clone that it runs from."""
    return _PACKAGED if _PACKAGED.is_dir() else _CLONE


def whole(value: Any, copies: Mapping[str, str] | None = None) -> Any:
    """`value` with every byte string and text that is written in pieces put together. Raises ConfigError.

    A piece is a string, one repeated, or a part of one of `copies`.
    """
    if isinstance(value, list):
        return [whole(item, copies) for item in value]
    if not isinstance(value, dict):
        return value
    for name in _PIECES:
        if set(value) == {name} and isinstance(value[name], list):
            return "".join(_piece(item, copies or {}) for item in value[name])
    return {name: whole(item, copies) for name, item in value.items()}


def _piece(item: Any, copies: Mapping[str, str]) -> str:
    match item:
        case str():
            return item
        case {"repeat": str(text), "times": int(times)} if 0 <= times <= _TIMES_MAX:
            return text * times
        case {"copy": str(name), "from": int(begin), "to": int(end)} if name in copies:
            return copies[name][begin:end]
    raise ConfigError("a piece of a byte string or text is a string, {repeat, times} or {copy, from, to}")


def read_json(path: Path, schema: str) -> Json:
    """A JSON object of this schema. Raises ConfigError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error})") from error
    if not isinstance(value, dict) or value.get("schema") != schema:
        raise ConfigError(f"{path}: not a file of schema {schema}")
    given = value.get("given")
    copies = whole(given.pop("copies", {})) if isinstance(given, dict) else {}
    if not isinstance(copies, dict) or not all(isinstance(copy, str) for copy in copies.values()):
        raise ConfigError(f"{path}: copies are texts by their names")
    made = whole(value, copies)
    assert isinstance(made, dict)
    return made


def load(folder: Path) -> list[CaseSet]:
    """Every case set of a folder, by kind. Raises ConfigError."""
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not paths:
        raise ConfigError(f"{folder}: no case files; give the folder of a clone with --vectors docs/vectors")
    return [_case_set(path) for path in paths]


def _case_set(path: Path) -> CaseSet:
    made = read_json(path, CASES)
    try:
        cases = tuple(Case(one["id"], one["why"], one["input"], one["expect"]) for one in made["cases"])
        found = CaseSet(made["kind"], made["clauses"], made["about"], made["given"], cases)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a file of cases ({type(error).__name__}: {error})") from error
    if found.kind != path.stem or len({case.id for case in cases}) != len(cases) or not cases:
        raise ConfigError(f"{path}: not the cases of the kind {path.stem}, each once")
    return found


def is_right(expected: Json, given: Json) -> bool:
    """Whether an answer is the expected one. Where no word is expected, a refusal may name any or none."""
    if expected["accept"]:
        return given.get("accept") is True and _same(given.get("output"), expected["output"])
    return given.get("accept") is False and given.get("word") == expected.get("word", given.get("word"))


def _same(one: Any, other: Any) -> bool:
    """Equality in which 1, 1.0 and true are three values."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def check(sets: Iterable[CaseSet], folder: Path) -> Iterator[Result]:
    """The answers in `folder` against what is expected, kind by kind. Raises ConfigError if there is no such folder."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no folder of answers; see hotline conformance questions --help")
    for one in sets:
        result = Result(one.kind)
        answers = _answers(folder / f"{one.kind}.json", one.kind, result)
        for case in one.cases:
            given = answers.get(case.id)
            if not isinstance(given, dict) or not isinstance(given.get("accept"), bool):
                result.missing.append(case.id)
            elif is_right(case.expected, given):
                result.right += 1
            else:
                result.wrong.append(Wrong(case, given))
        yield result


def _answers(path: Path, kind: str, result: Result) -> Mapping[str, Any]:
    try:
        made = read_json(path, ANSWERS)
    except ConfigError as error:
        result.fault = str(error)
        return {}
    answers = made.get("answers")
    if made.get("kind") != kind or not isinstance(answers, dict):
        result.fault = f"{path}: not answers of the kind {kind}"
        return {}
    return answers
