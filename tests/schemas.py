"""What commands print with --json, held against docs/schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """The published schema of this name."""
    schema = json.loads((FOLDER / f"{name.replace('/', '.')}.json").read_text())
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def printed(text: str) -> list[dict[str, Any]]:
    """Every JSON value in a command's output, each of which names its schema and keeps it."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        validator(value["schema"]).validate(value)
        found.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return found
