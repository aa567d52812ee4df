"""A report as JSON: one spelling, read back whole, and as its published schema says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hotline.drill.judging import judge
from hotline.drill.outcome import Report, read_report, report_json
from hotline.errors import Malformed
from tests.hotline.drill.journals import monsoon, told
from tests.schemas import FOLDER, validator

NAME = "hotline.drill-report/1"


def of_the_model() -> dict[str, Any]:
    """The schema of the report's own model, in the form in which schemas are published."""
    made = Report.model_json_schema(by_alias=True, mode="serialization")
    schema = _without_noise(made)
    schema["properties"]["schema"] = {"const": NAME}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": NAME}
    about = {"description": "What came of a drill, made from its journal alone. Written by: hotline drill run"}
    return head | about | {key: schema[key] for key in schema if key not in ("title", "description")}


def _without_noise(value: Any) -> Any:
    """Without titles that only repeat a field's name, and without defaults: the writer leaves nothing out."""
    if isinstance(value, list):
        return [_without_noise(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: item for key, item in value.items() if not (key in ("title", "default") and not isinstance(item, dict))
    }
    return {key: _without_noise(item) for key, item in kept.items()}


def test_the_published_schema_is_the_models() -> None:
    """A program written after the schema would fail on the reports. If they differ, publish `of_the_model`."""
    published = json.loads((FOLDER / "hotline.drill-report.1.json").read_text(encoding="utf-8"))
    assert published == of_the_model()


@pytest.mark.parametrize("entries", [monsoon(statements=30), told().finish(), told().finish("interrupted")])
def test_a_report_keeps_its_schema(entries: list[dict[str, Any]]) -> None:
    """A researcher's program would meet a report that it was not told of."""
    validator(NAME).validate(json.loads(report_json(judge(entries))))


def test_a_report_is_read_back_whole() -> None:
    """Two reports compared from their files would differ from the same two in memory."""
    report = judge(monsoon(statements=40))
    text = report_json(report)
    assert read_report(text) == report
    assert report_json(read_report(text)) == text
    assert text.isascii()
    assert list(json.loads(text)) == sorted(json.loads(text))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"verdict": "splendid"}, "verdict"),
        ({"seed": "7"}, "seed"),
        ({"moon": "full"}, "moon"),
        ({"schema": "hotline.drill-report/2"}, "schema"),
        ({"seconds": None}, "seconds"),
    ],
)
def test_what_is_no_report_is_named(change: dict[str, Any], place: str) -> None:
    """A report of another version would be compared as if it said the same."""
    value = json.loads(report_json(judge(told().finish()))) | change
    with pytest.raises(Malformed, match=place):
        read_report(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", b"\xff"])
def test_what_is_no_json_is_no_report(text: str | bytes) -> None:
    """An empty file would be a traceback."""
    with pytest.raises(Malformed):
        read_report(text)
