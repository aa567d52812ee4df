"""docs/tables.md is what the code says, and what the code writes is what the tables say."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hotline import limits
from hotline.ledger.record import parse_leaf
from tests.hotline.protocol.pair import Memory, Pair, durable, losing
from tests.test_house import ROOT

TABLES = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
SPECIFICATION = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_gen_tables", ROOT / "tools/gen_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


gen_tables = _tool()


def rows(title: str) -> list[list[str]]:
    """The cells of every table below a heading of docs/tables.md, without the header lines."""
    part = re.split(rf"^#+ {re.escape(title)}\n", TABLES, flags=re.MULTILINE)[1]
    part = re.split(r"^## ", part, flags=re.MULTILINE)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_tables_are_those_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A second implementation would be built from numbers that are no longer ours (docs/protocol.md 2.6 and 4.7)."""
    status = gen_tables.main(["--check"])
    assert (status, capsys.readouterr().err) == (0, ""), "run python tools/gen_tables.py"


def test_stale_tables_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check above would pass whatever the file says."""
    (tmp_path / "docs").mkdir()
    assert gen_tables.main(["--check"], tmp_path) == 1
    (tmp_path / "docs/tables.md").write_text(TABLES.replace("4096", "4097"), encoding="utf-8")
    assert gen_tables.main(["--check"], tmp_path) == 1
    assert "run python tools/gen_tables.py" in capsys.readouterr().err
    assert gen_tables.main([], tmp_path) == 0
    assert gen_tables.main(["--check"], tmp_path) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('ctx.record("msg.held"', 'ctx.record("msg.kept"'),
        ("through=inbox.through)\n        ctx.out", "through=inbox.through, colour=1)\n        ctx.out"),
    ],
)
def test_a_record_or_field_without_words_is_an_error(tmp_path: Path, old: str, new: str) -> None:
    """A new kind of entry would stand in the ledger and in no table."""
    shutil.copytree(ROOT / "hotline", tmp_path / "hotline", ignore=shutil.ignore_patterns("__pycache__", "drill"))
    source = tmp_path / "hotline/protocol/receiving.py"
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(gen_tables.TableError):
        gen_tables._check_fields(gen_tables.records(tmp_path), gen_tables.alarms(tmp_path))


def test_every_bound_stands_in_the_table_with_what_happens() -> None:
    """Nobody could say what a terminal does when something is full (docs/protocol.md 4.7)."""
    bounds = {name for name in vars(limits) if name.isupper()}
    told = {cells[0]: cells[2] for cells in rows("Limits") if cells[0].isupper()}
    assert set(told) == bounds
    assert all(meaning for meaning in told.values())
    for name in re.findall(r"\b[A-Z]+(?:_[A-Z]+)*_(?:MAX|BYTES|KEPT|INTERVAL|GRACE|PATIENCE)\b", SPECIFICATION):
        assert name in bounds, name


def test_what_a_ledger_holds_is_what_the_table_says() -> None:
    """An auditor would meet entries and fields that no specification knows (docs/protocol.md 11.4 and 13.13)."""
    kinds = {cells[0]: cells[1:3] for cells in rows("Records") if len(cells) == 4}
    glossary = {cells[0]: cells[1] for cells in rows("Fields of records and alarms")}
    alarms = {cells[0]: set(re.findall(r"\w+", cells[1])) for cells in rows("Alarms")}
    pair = Pair(relays=2).open()
    pair.alpha.submit("one")
    pair.run(500)
    pair.bravo.read(1)
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("two", valid_for_ms=2_000)
    pair.cut()
    pair.join()
    pair.run(62_000)
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.alpha.hear("relay-1", b"\xff")
    pair.alpha.offset -= 60_000
    pair.run(5_000)
    pair.bravo.restart(Memory())
    pair.run(20_000)
    seen = set()
    written = [*pair.alpha.memory.log.leaves, *pair.bravo.memory.log.leaves]
    for leaf in map(parse_leaf, written):
        always = set(re.findall(r"\w+", re.sub(r"\(\w+\)", "", kinds[leaf.type][0])))
        sometimes = set(re.findall(r"\w+", kinds[leaf.type][0])) | {"clock"}
        if leaf.type == "alarm":
            always = always | alarms[str(leaf.fields["name"])]
            sometimes = sometimes | always
        assert always <= set(leaf.fields) <= sometimes, leaf
        assert set(leaf.commit) == set(re.findall(r"\w+", kinds[leaf.type][1])), leaf
        for name, value in leaf.fields.items():
            wanted = glossary[name]
            assert ("integer" in wanted) if isinstance(value, int) else ("string" in wanted), (leaf.type, name)
            if digits := re.search(r"(\d+) hex digits", wanted):
                assert re.fullmatch(f"[0-9a-f]{{{digits[1]}}}", str(value)), (leaf.type, name)
        seen.add(leaf.type)
    assert len(seen) > 20


def test_what_people_are_told_is_what_the_specification_lists() -> None:
    """A console of another make would pass over what it was never told of (docs/protocol.md 3.6)."""
    told = set()
    for path in (ROOT / "hotline/protocol").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "tell" and node.args:
                told |= {str(node.args[0].value)} if isinstance(node.args[0], ast.Constant) else set()
    clause = re.search(r"\*\*3\.6\*\*.*?\n\n", SPECIFICATION, re.DOTALL)
    assert clause is not None
    assert told
    assert told == set(re.findall(r"`([a-z-]+)`", clause[0]))


def test_every_word_of_a_refusal_is_explained() -> None:
    """A record would say no more than that something was wrong (docs/protocol.md 15.1 and 15.3)."""
    section = SPECIFICATION.split("## 15. ")[1].split("\n## ")[0]
    explained = set(
        re.findall(r"[a-z]+(?:-[a-z]+)*", " ".join(re.findall(r"^\| ([a-z., -]+) \|", section, re.MULTILINE)))
    )
    for word, files in gen_tables.refusals().items():
        of_ledgers = all(name.startswith("hotline/ledger/") or name.endswith("/heads.py") for name in files)
        if of_ledgers or word in ("used", "not-admitted"):
            continue  # behind checkpoint- and cosignature-; no refusal (7.11); ends a stream (5.18)
        assert word in explained, f"{word}: {files}"
    said = {cells[0] for cells in rows("Refusals")}
    unsaid = {word for word in explained - said if not word.startswith(("checkpoint", "cosignature", "relay"))}
    assert unsaid == set()


def test_every_message_of_the_wire_and_of_a_courier_has_a_table() -> None:
    """A second implementation would have to guess the fields of a file that it must read (docs/protocol.md 4.5)."""
    for path in (ROOT / "proto/hotline/wire/v1").glob("*.proto"):
        for name in re.findall(r"^message (\w+) \{", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"\n### {name}\n" in TABLES, f"{path.name}: {name}"


def test_each_alarm_is_told_in_words_of_its_own() -> None:
    """A console would say of what nobody reads that it was not delivered (docs/protocol.md 11.4)."""
    told = {cells[0]: cells[2] for cells in rows("Alarms")[1:]}
    assert len(told) > 30
    assert all(told.values())
    assert len(set(told.values())) == len(told)
    assert "has not been read" in told["not-read"]


def test_every_label_of_the_programs_is_listed() -> None:
    """A signature of one kind could be asked for as one of another, and nobody would know of both (2.5)."""
    # docs/protocol.md 2.5
    listed = {cells[0] for cells in rows("Labels")}
    for folder in ("hotline", "relay"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for label in re.findall(r'"(hotline/v1/[a-z-]+)["{/\\]', path.read_text(encoding="utf-8")):
                assert any(one == label or one.startswith(f"{label}/") for one in listed), f"{path}: {label}"
