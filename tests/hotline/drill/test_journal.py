"""The journal's file: what goes in comes out, and nothing in a text can end a line, act on a screen or be a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.drill.journal import FIELDS, SCHEMA, Journal, problem_of, read_journal, spell
from hotline.errors import Malformed
from tests.hotline.drill.journals import monsoon, told
from tests.schemas import validator


def _written(path: Path, entries: list[dict[str, Any]]) -> Path:
    path.write_text("".join(map(spell, entries)), encoding="utf-8")
    return path


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The report made from the file would differ from the one made at the end of the run."""
    entries = monsoon(statements=20)
    assert read_journal(_written(tmp_path / "journal.jsonl", entries)) == entries
    assert entries[0]["schema"] == SCHEMA


@given(text=st.text())
def test_no_text_ends_a_line_or_leaves_ascii(text: str) -> None:
    """A line separator in an alarm would make the journal unreadable; an escape would act on a reader's screen."""
    line = spell({"t": 0, "kind": "note", "text": text})
    assert line.isascii()
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert json.loads(line)["text"] == text


def test_separators_in_texts_survive_the_file(tmp_path: Path) -> None:
    """str.splitlines would cut these lines in two."""
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    entries = told().add(5, "note", text=text).finish()
    assert any(entry.get("text") == text for entry in read_journal(_written(tmp_path / "j", entries)))


def test_a_file_grows_with_the_run_and_is_put_in_order_at_its_end(tmp_path: Path) -> None:
    """A run that is killed would leave nothing; one that ends would leave what was learned late in the wrong place."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for entry in told().finish():
        journal.add(
            entry["t"], entry["kind"], **{key: entry[key] for key in entry if key not in ("t", "kind", "schema")}
        )
    journal.add(3.0, "note", text="learned late")
    assert len(path.read_text().splitlines()) == len(journal.entries)
    journal.finish()
    entries = read_journal(path)
    assert [entry["t"] for entry in entries[1:-1]] == sorted(entry["t"] for entry in entries[1:-1])
    assert entries[-1]["kind"] == "end"
    assert entries == journal.entries


def test_a_line_cut_short_costs_only_itself(tmp_path: Path) -> None:
    """The journal of a killed run is what tells why it was killed."""
    entries = told().finish()
    path = _written(tmp_path / "j", entries)
    path.write_bytes(path.read_bytes()[:-7])
    assert read_journal(path) == entries[:-1]


@pytest.mark.parametrize(
    ("line", "told_"),
    [
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("[]", "line 2: no entry"),
        ('{"t":1}', "line 2: no entry"),
        ('{"kind":"note","text":"x"}', "line 2: note without t"),
        ('{"t":true,"kind":"note","text":"x"}', "line 2: note: t is not: number"),
        ('{"t":NaN,"kind":"note","text":"x"}', "line 2 is not JSON"),
        ('{"t":Infinity,"kind":"note","text":"x"}', "line 2 is not JSON"),
        ('{"t":1e999,"kind":"note","text":"x"}', "line 2: note: t is not: number"),
        ('{"t":1e13,"kind":"note","text":"x"}', "line 2: note: t is no time of a drill"),
        ('{"t":1,"kind":"note"}', "line 2: note without text"),
        ('{"t":1,"kind":"poll","by":"ALPHA","heard_ms":"x","up":3,"waiting":0}', "heard_ms is not: number or null"),
        ('{"t":1,"kind":"steady","holds":1,"within_ms":null}', "line 2: steady: holds is not: truth"),
    ],
)
def test_what_is_no_entry_is_named(tmp_path: Path, line: str, told_: str) -> None:
    """Whoever made a journal by hand would search in thousands of lines."""
    path = _written(tmp_path / "j", told().finish()[:1])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(Malformed, match=told_.replace("(", r"\(")):
        read_journal(path)


@pytest.mark.parametrize("content", [b"", b"\n", b'{"t":0,"kind":"note","text":"x"}\n', b"\xff\xfe\n"])
def test_a_file_without_a_beginning_is_none(tmp_path: Path, content: bytes) -> None:
    """An empty report would look like one of a drill in which nothing happened."""
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(Malformed):
        read_journal(path)


def test_kinds_of_later_versions_pass() -> None:
    """An old report program would refuse a whole journal for one new kind of entry."""
    assert problem_of({"t": 1, "kind": "moon-phase", "phase": "full"}) == ""


def test_every_entry_keeps_the_published_schema() -> None:
    """Researchers read journals with their own programs."""
    schema = validator(SCHEMA)
    kinds = set()
    for entry in monsoon(statements=12):
        schema.validate(entry)
        kinds.add(entry["kind"])
    assert {"drill", "steady", "said", "stage", "shown", "inject", "undo", "path", "poll", "ledger", "end"} <= kinds


@pytest.mark.parametrize("kind", FIELDS)
def test_the_schema_and_the_reader_agree_on_what_a_kind_must_have(kind: str) -> None:
    """A journal that passes one would fail in the other."""
    samples: dict[str, Any] = {"text": "ALPHA/exercise/1", "integer": 1, "number": 1.5, "truth": True, "object": {}}
    entry = {"t": 1, "kind": kind} | {name: samples[type_.split(" or ")[0]] for name, type_ in FIELDS[kind].items()}
    if kind == "drill":
        entry["schema"] = SCHEMA
    schema = validator(SCHEMA)
    assert problem_of(entry) == ""
    assert list(schema.iter_errors(entry)) == []
    for name, type_ in FIELDS[kind].items():
        without = {key: value for key, value in entry.items() if key != name}
        assert problem_of(without)
        assert list(schema.iter_errors(without))
        wrong = entry | {name: ["neither"]}
        assert problem_of(wrong)
        assert list(schema.iter_errors(wrong))
        if "null" in type_:
            assert problem_of(entry | {name: None}) == ""
            assert list(schema.iter_errors(entry | {name: None})) == []
