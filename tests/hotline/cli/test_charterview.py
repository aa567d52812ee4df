"""Everything that a charter decides stands on the page that people look at before they sign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hotline.charter.body import CharterText
from hotline.charter.documents import read_text, spell
from hotline.charter.model import load_draft, split
from hotline.charter.profiles import PROFILES
from hotline.civil import exact_span
from hotline.cli.charterview import print_summary
from tests.hotline.cli.conftest import Ran, Run

VKEY = "witness.example/w1+c596e78d+BDXUgkgmzaTmcqqfQh2eIaAIjZ+PUcVYFtO2v2Lz5dJU"


def draw_up(table: Path, run: Run, *more: object) -> Ran:
    """`charter new` from the ceremony's files into a.note."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    shares = ("--share", table / "ALPHA.share", "--share", table / "BRAVO.share")
    outputs = ("--out", table / "a.note", "--pairwise-out", table / "a.key")
    return run("charter", "new", "--name", "x", "--release-policy", "one", *offers, *shares, *outputs, *more)


def test_both_sides_see_whose_cosignatures_are_enough(table: Path, run: Run) -> None:
    """Whoever draws up the charter could name witnesses of its own, and the other side would sign them unseen."""
    policy = table / "policy"
    policy.write_text(f"witness w1 {VKEY} http://192.0.2.10:7480\ngroup all any w1\nquorum all\n")
    done = draw_up(table, run, "--witnesses", policy)
    assert done.code == 0, done.err
    assert f"WITNESS  w1  at http://192.0.2.10:7480, key {VKEY}\n" in done.out
    assert "GROUP    all  1 of w1\n" in done.out
    assert "QUORUM   all\n" in done.out
    shown = run("charter", "show", table / "a.note")
    assert f"key {VKEY}\n" in shown.out
    assert json.loads(run("charter", "show", table / "a.note", "--json").out)["witnesses"] == policy.read_text()


def test_that_nobody_cosigns_is_said(table: Path, run: Run) -> None:
    """A side that expects witnesses would sign a charter without any."""
    assert "QUORUM   none: no witness need have seen the record\n" in draw_up(table, run).out


def test_a_policy_of_ones_own_that_is_no_policy_can_be_corrected(table: Path, run: Run) -> None:
    """Exit 4 would accuse somebody of a false signature, where a line is missing."""
    policy = table / "policy"
    policy.write_text(f"witness w1 {VKEY}\n")
    refused = draw_up(table, run, "--witnesses", policy)
    assert refused.code == 1
    assert "quorum NAME" in refused.err


def test_both_sides_see_how_long_a_statement_is_valid_and_how_long_it_may_be(table: Path, run: Run) -> None:
    """Two capitals would sign validities that nobody has read out."""
    out = draw_up(table, run).out
    assert "VALIDITY ROUTINE 7 d, PRIORITY 7 d, IMMEDIATE 7 d, FLASH 7 d; a text has at most 32768 bytes\n" in out
    assert "PROFILE" not in out


def test_timers_of_a_link_are_shown_where_they_are_not_the_usual_ones(
    table: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A side that is to be held for dead, or alive, by other timers than the usual ones would not see it."""
    assert draw_up(table, run).code == 0
    text = read_text(CharterText, split((table / "a.note").read_bytes())[0])
    changed = {"fibre": {"silent_ceiling_ms": 60_000}}
    slower = [entry.model_copy(update=changed.get(entry.name, {})) for entry in text.profiles]
    drawn = load_draft(spell(text.model_copy(update={"profiles": tuple(slower)})))
    print_summary(drawn)
    assert "PROFILE  fibre  silent_ceiling_ms 60000 (usually 2000)\n" in capsys.readouterr().out
    (shown,) = [one for one in _json(table, run)["profiles"] if one["name"] == "fibre"]
    assert shown["silent_ceiling_ms"] == PROFILES["fibre"].silent_ceiling_ms


def _json(table: Path, run: Run) -> Any:
    return json.loads(run("charter", "show", table / "a.note", "--json").out)


def test_numbers_that_are_compared_aloud_stand_in_two_rows_of_six(table: Path, run: Run) -> None:
    """In a narrow window the groups broke wherever they met the edge, and a group was read out twice or not at all."""
    lines = draw_up(table, run).out.splitlines()
    number = _json(table, run)["joint_safety_number"].split(" ")
    (at,) = [index for index, line in enumerate(lines) if line.startswith("JOINT SAFETY NUMBER")]
    assert lines[at].split() == ["JOINT", "SAFETY", "NUMBER", *number[:6]]
    assert lines[at + 1] == f"{'':21}{' '.join(number[6:])}"
    (at,) = [index for index, line in enumerate(lines) if line.startswith("PARTY    ALPHA")]
    assert (len(lines[at].split()), len(lines[at + 1].split())) == (8, 6)


@pytest.mark.parametrize(
    ("given", "said"), [(("--channel-tests", "1s"), "1000 ms"), (("--channel-tests", "150s"), "150 s")]
)
def test_an_interval_is_shown_as_it_is(table: Path, run: Run, given: tuple[str, ...], said: str) -> None:
    """It was told as 0.0166667 minutes."""
    assert f"TESTS    one every {said}, in turn\n" in draw_up(table, run, *given).out


def test_a_silence_that_is_too_short_is_told_in_words_that_can_be_typed(table: Path, run: Run) -> None:
    """Milliseconds, and 0 for none, are no values of the option that was given."""
    refused = draw_up(table, run, "--takeover-after", "1s")
    assert refused.code == 1
    assert "1000 ms is an ordinary silence on these relays: say 4 s (4000) or more, or none (0)" in refused.err


def test_relays_under_one_operator_are_said_in_english(table: Path, run: Run) -> None:
    """The line that warns of one operator for everything read as one about several."""
    out = run("charter", "verify", table / "charter.note").out
    assert "1 relay under one operator\n" in out


def test_no_span_is_rounded() -> None:
    """What is signed would not be what was shown."""
    spans = (604_800_000, 3_600_000, 5_400_000, 90_000, 1_500, 1_000, 86_401_000, 0)
    said = ["7 d", "60 min", "90 min", "90 s", "1500 ms", "1000 ms", "86401 s", "0 ms"]
    assert [exact_span(span) for span in spans] == said
