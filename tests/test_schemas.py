"""Published schemas of what commands print: complete, lawful, closed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from hotline.cli import demo
from hotline.drill.journal import SCHEMA as JOURNAL
from hotline.drill.outcome import Report
from tests.schemas import FOLDER, printed

ROOT = FOLDER.parents[1]
FILES = sorted(FOLDER.glob("*.json"))
OPEN = {"hotline.alarm/1", "hotline.config/1", "hotline.entry/1", "hotline.event/1", JOURNAL}
"""Their fields depend on a kind; the kinds are the specification's."""


def _named_in(folder: str) -> set[str]:
    texts = [path.read_text() for path in (ROOT / folder).rglob("*.py")]
    return {name for text in texts for name in re.findall(r'"schema": "(hotline\.[a-z-]+/\d+)"', text)}


def test_every_schema_that_is_printed_is_published() -> None:
    """A program that reads our output would have to guess."""
    drills = {JOURNAL, str(Report.model_fields["schema_"].default)}
    printed_ = _named_in("hotline/cli") | _named_in("hotline/protocol") | _named_in("hotline/runtime") | drills
    assert {json.loads(path.read_text())["title"] for path in FILES} == printed_


def _objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _objects(item)]
    if not isinstance(schema, dict):
        return []
    inner = [found for value in schema.values() for found in _objects(value)]
    return [schema, *inner] if schema.get("type") == "object" else inner


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_schema_is_lawful_and_closed(path: Path) -> None:
    """A schema that admits anything promises nothing."""
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert path.name == f"{schema['title'].replace('/', '.')}.json"
    assert schema["properties"]["schema"] == {"const": schema["title"]}
    assert all(item["additionalProperties"] is not True for item in _objects(schema)) or schema["title"] in OPEN


def test_a_step_of_the_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    """A script could not tell which step failed."""
    assert demo._one(3, "relays", lambda: "three relays accept", as_json=True) == ""
    (step,) = printed(capsys.readouterr().out)
    assert (step["step"], step["holds"], step["text"]) == (3, True, "three relays accept")


@pytest.mark.parametrize("change", [{"link": "sideways"}, {"extra": 1}, {"time": None}])
def test_output_that_breaks_its_schema_is_seen(change: dict[str, Any]) -> None:
    """Every other test of output would pass whatever is printed."""
    step = {"schema": "hotline.demo-step/1", "step": 1, "name": "x", "holds": True, "seconds": 0.1, "text": "y"}
    assert printed(json.dumps(step)) == [step]
    with pytest.raises(ValidationError):
        printed(json.dumps(step | change))
