"""`hotline conformance`: the questions of the kit, this implementation's answers, and whether answers are right."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hotline.cli.exits import Exit
from hotline.cli.groups import Commands
from hotline.cli.output import line, print_json
from hotline.cli.record import json_option
from hotline.conformance.answers import answer as answer_one
from hotline.conformance.kit import ANSWERS, QUESTIONS, Json, Result, check, default_vectors, load, read_json
from hotline.errors import ConfigError
from hotline.safetext import safe_line

_SHOWN = 3
"""Wrong cases of one kind that are told to people; --json tells every one."""
_VALUE_MAX = 160

vectors_option = click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the cases; else those that came with this program.",
)


@click.group(cls=Commands, short_help="Check an implementation against the cases of the specification.")
def conformance() -> None:
    """Check an implementation, this one or another, against the published cases of the specification.

    \b
    Example:
      hotline conformance questions build/questions
      hotline conformance answer build/answers
      hotline conformance run build/answers
    """


@conformance.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@vectors_option
def questions(folder: Path, vectors: Path | None) -> None:
    """Write the inputs of every case into DIR, one file for each kind, without the answers.

    \b
    Example:
      hotline conformance questions build/questions

    The format of questions and answers is told in docs/conformance.md. Files in DIR are written anew.
    """
    sets = load(vectors or default_vectors())
    _write(folder, {one.kind: one.questions() for one in sets})
    line(f"{sum(len(one.cases) for one in sets)} questions of {len(sets)} kinds in {folder}")


@conformance.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--questions",
    "asked",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of questions; else those of the cases that came with this program.",
)
def answer(folder: Path, asked: Path | None) -> None:
    """Answer every question as this implementation does, and write the answers into DIR.

    \b
    Example:
      hotline conformance answer build/answers
      hotline conformance answer build/answers --questions build/questions

    Exit 1 if a question is none or of a kind that this version does not know.
    """
    sets = _asked(asked) if asked is not None else [one.questions() for one in load(default_vectors())]
    made = {one["kind"]: _answers(one) for one in sets}
    _write(folder, made)
    line(f"{sum(len(one['answers']) for one in made.values())} answers of {len(made)} kinds in {folder}")


@conformance.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@vectors_option
@json_option
def run(folder: Path, vectors: Path | None, as_json: bool) -> None:
    """Check the answers in DIR: how many of each kind are right, wrong or missing, and the first wrong ones.

    \b
    Example:
      hotline conformance run build/answers
      hotline conformance run build/answers --json

    Exit 0 every answer is right, 7 at least one is wrong, 1 none is wrong but some are missing or cannot be read.
    """
    results = list(check(load(vectors or default_vectors()), folder))
    if as_json:
        print_json(_report(results))
    else:
        _tell(results)
    if any(result.wrong for result in results):
        sys.exit(int(Exit.DRILL_BROKEN))
    sys.exit(int(Exit.FIXABLE if any(result.missing for result in results) else Exit.DONE))


# --- files -----------------------------------------------------------------------------------------------------------


def _write(folder: Path, made: dict[str, Json]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, value in made.items():
            (folder / f"{kind}.json").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror})") from error


def _asked(folder: Path) -> list[Json]:
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not paths:
        raise ConfigError(f"{folder}: no files of questions; make them with hotline conformance questions {folder}")
    return [read_json(path, QUESTIONS) for path in paths]


def _answers(asked: Json) -> Json:
    try:
        kind, given, cases = asked["kind"], asked["given"], asked["cases"]
        answers = {case["id"]: answer_one(kind, given, case["input"]) for case in cases}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"a file of questions lacks kind, given, cases, id or input ({error})") from error
    return {"schema": ANSWERS, "kind": kind, "answers": answers}


# --- what is told ----------------------------------------------------------------------------------------------------


def _report(results: Sequence[Result]) -> dict[str, Any]:
    """Schema hotline.conformance/1."""
    return {
        "schema": "hotline.conformance/1",
        "right": sum(result.right for result in results),
        "wrong": sum(len(result.wrong) for result in results),
        "missing": sum(len(result.missing) for result in results),
        "kinds": [
            {
                "kind": result.kind,
                "right": result.right,
                "fault": result.fault or None,
                "missing": result.missing,
                "wrong": [
                    {"id": one.case.id, "why": one.case.why, "expected": one.case.expected, "given": one.given}
                    for one in result.wrong
                ],
            }
            for result in results
        ],
    }


def _tell(results: Sequence[Result]) -> None:
    for result in results:
        line(f"{result.kind:14} {result.right:4} right {len(result.wrong):4} wrong {len(result.missing):4} missing")
        if result.fault:
            line(f"  {safe_line(result.fault)}")
        for one in result.wrong[:_SHOWN]:
            expected, given = _differing(one.case.expected, one.given)
            line(f"  {one.case.id}: {one.case.why}")
            line(f"    expected {safe_line(expected)}")
            line(f"    given    {safe_line(given)}")
    right, wrong = sum(result.right for result in results), sum(len(result.wrong) for result in results)
    missing = sum(len(result.missing) for result in results)
    line(f"{'together':14} {right:4} right {wrong:4} wrong {missing:4} missing")


def _differing(expected: Any, given: Any) -> tuple[str, str]:
    """Both values, or the first part in which they differ, with its place."""
    place = ""
    while isinstance(expected, dict) and isinstance(given, dict) and set(expected) == set(given):
        name = next((name for name in sorted(expected) if expected[name] != given[name]), None)
        if name is None:
            break
        expected, given, place = (
            expected[name],
            given[name],
            f"{place}{name}: " if not place else f"{place[:-2]}.{name}: ",
        )
    return place + _short(expected), place + _short(given)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _VALUE_MAX else f"{text[:_VALUE_MAX]}... ({len(text)} characters)"
