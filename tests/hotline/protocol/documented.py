"""What docs/tables.md says of records and alarms, held against every record that any test of this folder causes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hotline.machine import Delivery, Output, Record

TABLES = Path(__file__).resolve().parents[3] / "docs" / "tables.md"

TOLD = {
    "received": {"plane", "serial", "void", "test", "authority", "at", "mode"},
    "draft": {"plane", "number", "state", "by"},
    "sent": {"plane", "serial", "state", "by", "test", "at", "mode"},
    "read": {"plane", "serial", "officer", "at", "mode"},
    "repeat": {"plane", "serial", "of", "at"},
    "corrected": {"plane", "serial", "state", "by", "way"},
    "translated": {"plane", "serial", "way", "grade", "lang", "carrier", "number", "at"},
    "presence": {"by", "presence", "until"},
    "presence-asked": {"by", "presence"},
    "terminal": {"terminal", "term"},
    "charter": {"state", "serial", "hash"},
    "renumbered": {"plane", "serial", "new"},
    "presented": {"plane", "serial", "officer", "principal", "at"},
    "promise": {"way", "plane", "serial", "officer", "until"},
    "promise-kept": {"way", "plane", "serial", "by", "late", "at"},
    "recorded": {"way", "plane", "serial", "by"},
    "record-asked": {"plane", "serial", "by"},
    "path": {"path", "state", "at"},
    "gap-closed": {"plane", "through"},
    "refused": {"path", "reason"},
    "test-resumed": {"way", "serial", "missed", "at"},
    "challenge-answered": {"serial", "plane", "of", "verdict", "by", "at"},
    "handover": {"number", "outgoing", "oncoming", "at"},
    "quorum": {"state", "size"},
    "checkpoint": {"note", "size", "log_epoch"},
}
"""What whoever watches may rely upon (docs/protocol.md 3.6)."""


LEDGERS = {"log.open": frozenset({"previous", "root", "size"})}
"""Fields that the ledger adds, which knows where the log before it ends."""


class Shape(NamedTuple):
    """Fields that are always there, those that may be, and those that are only committed to."""

    always: frozenset[str]
    perhaps: frozenset[str]
    committed: frozenset[str]


def _cells(heading: str) -> Iterator[list[str]]:
    """The rows of the table under a heading."""
    text = TABLES.read_text(encoding="utf-8")
    part = re.search(rf"^#+ {heading}\n(.*?)(?=^#)", text, re.MULTILINE | re.DOTALL)
    assert part is not None, heading
    for line in part.group(1).splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" |")]


@cache
def records() -> dict[str, Shape]:
    """Record type to its fields."""
    found = {}
    for type_, fields, committed, *_ in _cells("Records"):
        words = re.findall(r"[\w()]+", fields)
        always = frozenset(word for word in words if not word.startswith("("))
        perhaps = frozenset(word.strip("()") for word in words if word.startswith("("))
        found[type_.strip("`")] = Shape(always, perhaps, frozenset(re.findall(r"\w+", committed)))
    return found


@cache
def alarms() -> dict[str, frozenset[str]]:
    """Alarm to its fields."""
    return {name.strip("`"): frozenset(re.findall(r"\w+", fields)) for name, fields, *_ in _cells("Alarms")}


@cache
def types() -> dict[str, str]:
    """Field to what is said of its type."""
    return {name.strip("`"): said for name, said, *_ in _cells("Fields of records and alarms")}


def _wrong(name: str, value: str | int) -> bool:
    said = types().get(name, "")
    digits = re.search(r"(\d+) hex digits", said)
    if digits and isinstance(value, str):
        return not re.fullmatch(rf"([0-9a-f]{{{digits.group(1)}}})?", value)
    return (type(value) is int and "integer" not in said) or (type(value) is str and "string" not in said)


def problems(output: Output) -> list[str]:
    """What one step said otherwise than the tables do."""
    return [*_recorded(output.records), *_told(output.deliver)]


def _recorded(entries: list[Record]) -> Iterator[str]:
    for record in entries:
        shape = records().get(record.kind)
        if shape is None:
            yield f"{record.kind} is no documented record"
            continue
        always, names = (
            shape.always - LEDGERS.get(record.kind, frozenset()),
            frozenset(record.fields) - {"clock", "party"},
        )
        if record.kind == "alarm":
            always |= alarms().get(str(record.fields["name"]), frozenset({"an alarm of this name"}))
        if not always <= names <= always | shape.perhaps:
            yield f"{record.kind} has {sorted(names)}, documented are {sorted(always)}"
        if frozenset(record.private) != shape.committed:
            yield f"{record.kind} commits to {sorted(record.private)}"
        yield from (
            f"{record.kind}: {name} is {value!r}" for name, value in record.fields.items() if _wrong(name, value)
        )


def _told(deliveries: list[Delivery]) -> Iterator[str]:
    for delivery in deliveries:
        wanted = TOLD.get(delivery.kind)
        if delivery.kind == "courier":
            ways = {"out": {"statements"}, "in": {"statements", "delivered", "refused"}}
            wanted = {"way", "bundle"} | ways[str(delivery.fields["way"])]
        if delivery.kind == "alarm":
            wanted = {"name", "meaning", *alarms().get(str(delivery.fields["name"]), ())}
        if wanted is None:
            yield f"{delivery.kind} is no documented delivery"
        elif set(delivery.fields) - {"party"} != wanted:
            yield f"{delivery.kind} tells {sorted(delivery.fields)}, documented are {sorted(wanted)}"
