"""The conformance kit: its cases, this implementation's answers, and the command that checks answers."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hotline.cli.conformance import conformance
from hotline.cli.exits import Exit, exit_for
from hotline.conformance import kit
from hotline.conformance.answers import KINDS, answer
from hotline.conformance.kit import CaseSet, default_vectors, is_right, load, whole
from hotline.errors import ConfigError
from hotline.wire.v1 import content_pb2, frame_pb2
from tests import differential, oracle
from tests.schemas import printed
from tests.test_house import ROOT
from tools.cases.every import made
from tools.cases.writing import NOTE, text_of

VECTORS = ROOT / "docs" / "vectors"
SETS = load(default_vectors())
BY_KIND = {one.kind: one for one in SETS}
ALTERED = 400


# --- the cases -------------------------------------------------------------------------------------------------------


def test_they_are_what_the_code_makes() -> None:
    """A change of the format would pass unnoticed, and the published files would lie.

    The writer asks the product on every case: docs/protocol.md 4.6, 6.5, 7.11, 13.11, 13.14, 13.15.
    """
    written = {path.stem: path.read_text() for path in VECTORS.glob("*.json")}
    stale = [one.kind for one in made() if written.pop(one.kind, "") != text_of(one)]
    assert (stale, list(written)) == ([], []), "run: python -m tools.cases"


def test_every_kind_is_asked_of_both_implementations() -> None:
    """A kind without cases is a part of the specification that nobody checks."""
    assert set(BY_KIND) == set(KINDS) == set(oracle.KINDS)
    text = (ROOT / "docs" / "conformance.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text.split("## Kinds")[1], re.MULTILINE)) == set(KINDS)
    assert f"{len(SETS)} kinds" in text


BEHAVIOUR = {
    "too-many-frames": "what is beyond the bound is counted by the kind parcel, which is accepted",
    "frame-kind": "depends on who reads the frame",
    "inbox-full": "depends on what is held back",
    "checkpoint-...": "heads and cosignatures are kinds of their own, refused in whatever words",
    "cosignature-...": "the same",
    "relay-...": "what a relay says, which depends on its mailboxes",
    "activation": "who may speak is of a charter: signed words inside a heartbeat, told by tests that cite 23.2",
    "inactive": "depends on what time it is where it arrives",
    "third-party": "depends on who else stands in the charter: told by tests that cite 26.11",
    "weak-key": "such a key is refused in cards and policies, whose words are free",
}
"""Words of section 15 without a case, each with the reason."""


def test_every_word_of_a_refusal_has_a_case() -> None:
    """Another implementation could refuse for another reason, or not at all (docs/protocol.md 15.1, 7.11, 8.6, 9.6)."""
    section = (ROOT / "docs" / "protocol.md").read_text().split("## 15.")[1].split("**15.2**")[0]
    rows = re.findall(r"^\| ([a-z][^|]*) \|", section, re.MULTILINE)
    words = {word.strip() for row in rows for word in row.split(",")} - {"word"}
    expected = {case.expected["word"] for one in SETS for case in one.cases if "word" in case.expected}
    assert len(words) > 30
    assert words - expected - set(BEHAVIOUR) == set()
    assert expected - words == {"used"}, "7.11 gives it: refused, and no fault"


def _accepted(kind: str) -> list[Any]:
    """What the accepted cases of a message are read as; what is said without prejudice is a statement too."""
    kinds = (kind, "non-paper") if kind == "statement" else (kind,)
    return [case.expected["output"] for one in kinds for case in BY_KIND[one].cases if case.expected["accept"]]


def _written(value: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found[str(name)] += 1
        found += _written(item)
    return found


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("frame", frame_pb2.Frame),
        ("statement", content_pb2.Statement),
        ("receipt", content_pb2.Receipt),
        ("heartbeat", content_pb2.Heartbeat),
        ("prekey", content_pb2.PrekeyBody),
        ("custody", frame_pb2.CustodyBody),
        ("courier-prekey", content_pb2.PrekeyBody),
    ],
)
def test_every_field_is_in_an_accepted_case(kind: str, message: Any) -> None:
    """A field that no case has could be read in two ways (docs/protocol.md 4.5)."""

    def names(descriptor: Any) -> set[str]:
        inner = [field.message_type for field in descriptor.fields if field.message_type is not None]
        return {field.name for field in descriptor.fields} | {name for one in inner for name in names(one)}

    shown = _accepted(kind)
    assert names(message.DESCRIPTOR) - set(_written(shown)) == set()


def test_every_value_of_an_enumeration_is_in_an_accepted_case() -> None:
    """The same of values (docs/protocol.md 8.5, 9.1, 9.2, 9.3)."""

    def seen(kind: str, field: str) -> set[int]:
        parts = [output[kind] for output in _accepted(kind)]
        return {part.get(field, 0) for part in parts}

    for kind, field, numbers in (
        ("statement", "precedence", content_pb2.Precedence),
        ("statement", "kind", content_pb2.StatementKind),
        ("statement", "direction", content_pb2.Direction),
        ("receipt", "stage", content_pb2.Stage),
        ("heartbeat", "presence", content_pb2.Presence),
    ):
        assert seen(kind, field) == set(numbers.values()) - {0}
    frames = [case.expected["output"]["frame"] for case in BY_KIND["frame"].cases if case.expected["accept"]]
    reasons = {frame["refusal"].get("reason", 0) for frame in frames if "refusal" in frame}
    assert reasons >= set(frame_pb2.RefusalReason.values())


def test_files_say_that_their_keys_are_test_keys_and_can_be_read() -> None:
    """Somebody would put a published key into service, or give up on a line of a hundred thousand signs."""
    for path in VECTORS.glob("*.json"):
        text = path.read_text()
        assert json.loads(text)["about"].endswith(NOTE)
        assert max(len(line) for line in text.splitlines()) < 420
        assert len(text) < 650_000


# --- this implementation ---------------------------------------------------------------------------------------------


def test_product_and_oracle_agree_on_altered_cases() -> None:
    """Between the cases that somebody thought of, two implementations would part."""
    found, counts = differential.run(ALTERED, 1)
    assert found == []
    assert set(counts) == set(BY_KIND) - {"pae"}, "every kind is altered"


def test_alterations_reach_what_lies_behind_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above would compare nothing but broken signatures."""
    seen: Counter[tuple[str, str]] = Counter()

    def note(one: CaseSet, asked: Any, *, words: bool) -> str:
        given = answer(one.kind, one.given, asked)
        seen[one.kind, "accepted" if given["accept"] else given["word"]] += 1
        return ""

    monkeypatch.setattr(differential, "disagreement", note)
    for kind in ("prekey", "custody", "statement", "heartbeat", "receipt", "checkpoint"):
        differential.run(120, 1, kind)
    for kind, word in (
        ("prekey", "prekey"), ("prekey", "spelling"), ("prekey", "unreadable"), ("custody", "custody-address"),
        ("custody", "spelling"), ("statement", "kind"), ("statement", "text"), ("statement", "accepted"),
        ("heartbeat", "beat"), ("heartbeat", "accepted"), ("receipt", "items"), ("receipt", "stage"),
        ("checkpoint", "size"), ("checkpoint", "accepted"),
    ):  # fmt: skip
        assert seen[kind, word], f"no altered {kind} was {word}"


def test_a_disagreement_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above would be green whatever the two say."""
    monkeypatch.setitem(oracle.KINDS, "header", lambda given, asked: {})
    found, _ = differential.run(50, 1, "header")
    assert found
    assert all(told.startswith("header: product") for told in found)


def test_a_question_that_is_none_is_told() -> None:
    """It would look like an answer."""
    with pytest.raises(ConfigError, match="no such kind"):
        answer("later", {}, {})
    for asked in ({}, {"bytes": 1}, {"bytes": "0"}):
        with pytest.raises(ConfigError, match="not a question"):
            answer("header", {}, asked)
    with pytest.raises(ConfigError, match="an epoch has"):
        answer("chain", {}, {"root": "00" * 32, "number": 10**15})
    for path in sorted((Path(__file__).parent / "fuzz/regressions/question").glob("time-*")):
        with pytest.raises(ConfigError, match="OverflowError"):
            answer(*json.loads(path.read_bytes()))


# --- the command -----------------------------------------------------------------------------------------------------


def call(*words: str) -> tuple[int, str]:
    """Exit code and output of `hotline conformance`."""
    done = CliRunner().invoke(conformance, list(words), standalone_mode=True)
    if isinstance(done.exception, ConfigError):
        return int(exit_for(done.exception)), str(done.exception)
    return done.exit_code, done.output


@pytest.fixture(name="answers", scope="module")
def _answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit")
    assert call("questions", str(folder / "questions"))[0] == Exit.DONE
    code, text = call("answer", str(folder / "answers"), "--questions", str(folder / "questions"))
    assert code == Exit.DONE
    assert f"{sum(len(one.cases) for one in SETS)} answers of {len(SETS)} kinds" in text
    return folder


@pytest.fixture(name="given")
def _given(answers: Path, tmp_path: Path) -> Path:
    for path in (answers / "answers").glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


def test_questions_tell_no_answers(answers: Path) -> None:
    """An implementation could read them off."""
    for path in (answers / "questions").glob("*.json"):
        asked = json.loads(path.read_text())
        assert set(asked) == {"schema", "kind", "clauses", "about", "given", "cases"}
        assert all(set(case) == {"id", "input"} for case in asked["cases"])
        assert whole(asked) == asked, "long strings are put together"


def test_our_own_answers_are_right(given: Path) -> None:
    """What one implementation refuses another would show (docs/protocol.md 7.11)."""
    code, text = call("run", str(given))
    assert code == Exit.DONE
    assert text.splitlines()[-1].split() == [
        "together",
        str(sum(len(s.cases) for s in SETS)),
        "right",
        "0",
        "wrong",
        "0",
        "missing",
    ]
    code, text = call("run", str(given), "--json")
    (report,) = printed(text)
    assert (code, report["wrong"], report["missing"]) == (Exit.DONE, 0, 0)
    assert [one["kind"] for one in report["kinds"]] == sorted(BY_KIND)


def _change(folder: Path, kind: str, change: Any) -> None:
    path = folder / f"{kind}.json"
    value = json.loads(path.read_text())
    change(value["answers"])
    path.write_text(json.dumps(value))


def test_a_wrong_answer_is_named(given: Path) -> None:
    """Whoever implements would not know where to look."""

    def change(answers: dict[str, Any]) -> None:
        answers["header-001"]["output"]["number"] = 4
        answers["header-009"] = {"accept": False, "word": "address"}
        del answers["header-010"]

    _change(given, "header", change)
    code, text = call("run", str(given))
    assert code == Exit.DRILL_BROKEN
    assert "header           22 right    2 wrong    1 missing" in text
    assert "header-001: flags 0\n    expected output.number: 3\n    given    output.number: 4\n" in text
    assert '    expected word: "version"\n    given    word: "address"\n' in text
    (report,) = printed(call("run", str(given), "--json")[1])
    (kind,) = [one for one in report["kinds"] if one["kind"] == "header"]
    assert [one["id"] for one in kind["wrong"]] == ["header-001", "header-009"]
    assert kind["missing"] == ["header-010"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"schema": "hotline.answers/2"}',
        '{"schema": "hotline.answers/1", "kind": "pae", "answers": {}}',
        '{"schema": "hotline.answers/1", "kind": "header"}',
        '{"schema": "hotline.answers/1", "kind": "header", "answers": {"header-001": {"hex": [1]}}}',
        '{"schema": "hotline.answers/1", "kind": "header", "answers": {"header-001": {"accept": "yes"}}}',
        '{"schema": "hotline.answers/1", "kind": "header", "answers": {"header-001": null}}',
    ],
)
def test_answers_that_cannot_be_read_are_missing(given: Path, text: str) -> None:
    """The check would stop in the middle, or call nothing an answer."""
    (given / "header.json").write_text(text)
    code, told = call("run", str(given))
    assert code == Exit.FIXABLE
    assert f"header            0 right    0 wrong {len(BY_KIND['header'].cases):4} missing" in told


def test_a_file_that_is_not_there_and_a_folder_that_is_none(given: Path) -> None:
    """A run of nothing would pass."""
    (given / "leaf.json").unlink()
    code, told = call("run", str(given))
    assert (code, "leaf.json: cannot be read" in told) == (Exit.FIXABLE, True)
    assert call("run", str(given / "nothing"))[0] == Exit.FIXABLE
    assert call("run", str(given), "--vectors", str(given / "nothing"))[0] == Exit.FIXABLE
    assert call("answer", str(given), "--questions", str(given / "nothing"))[0] == Exit.FIXABLE


def test_the_oracle_answers_the_same_files(answers: Path, tmp_path: Path) -> None:
    """The format would be one that only its author can follow."""
    few = tmp_path / "questions"
    few.mkdir()
    for kind in ("frame", "receipt", "policy"):
        (few / f"{kind}.json").write_text((answers / "questions" / f"{kind}.json").read_text())
    oracle.answer_all(few, tmp_path / "answers")
    text = call("run", str(tmp_path / "answers"))[1]
    for kind in ("frame", "receipt", "policy"):
        assert re.search(rf"^{kind} +{len(BY_KIND[kind].cases)} right    0 wrong    0 missing", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        ({"accept": True, "output": {"n": 1}}, {"accept": True, "output": {"n": 1}, "seconds": 3}, True),
        ({"accept": True, "output": {"n": 1}}, {"accept": True, "output": {"n": True}}, False),
        ({"accept": True, "output": {"n": 1}}, {"accept": True, "output": {"n": 1.0}}, False),
        ({"accept": True, "output": {"n": 1}}, {"accept": True, "output": {"n": 1, "m": 2}}, False),
        ({"accept": True, "output": {}}, {"accept": True}, False),
        ({"accept": True, "output": {}}, {"accept": False}, False),
        ({"accept": False, "word": "text"}, {"accept": False, "word": "text"}, True),
        ({"accept": False, "word": "text"}, {"accept": False, "word": "kind"}, False),
        ({"accept": False, "word": "text"}, {"accept": False}, False),
        ({"accept": False}, {"accept": False, "word": "anything"}, True),
        ({"accept": False}, {"accept": False}, True),
        ({"accept": False}, {"accept": True, "output": {}}, False),
    ],
)
def test_what_is_right(expected: Any, given: Any, right: bool) -> None:
    """A wrong answer would pass as right, or a right one as wrong."""
    assert is_right(expected, given) is right


def test_the_cases_that_came_with_the_program_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed program would look for a clone, or a clone for an installed program."""
    assert default_vectors() == VECTORS
    monkeypatch.setattr(kit, "_PACKAGED", tmp_path)
    assert default_vectors() == tmp_path


def test_pieces() -> None:
    """A case would be another one than its file says."""
    copies = {"a": "0123456789"}
    value = {
        "x": {"hex": ["aa", {"repeat": "00", "times": 3}]},
        "y": [{"text": [{"copy": "a", "from": 2, "to": 4}, "!"]}],
    }
    assert whole(value, copies) == {"x": "aa000000", "y": ["23!"]}
    assert whole({"hex": "aa", "text": 1}) == {"hex": "aa", "text": 1}
    for piece in (1, {"repeat": "00", "times": 2**40}, {"copy": "b", "from": 0, "to": 1}, {"repeat": 0, "times": 1}):
        with pytest.raises(ConfigError):
            whole({"hex": [piece]}, copies)
