"""`hotline charter expiries`: nobody is surprised by a date."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from hotline.charter.model import load_charter
from hotline.cli.expiries import expiries, told
from hotline.drill.rehearsal import rehearse
from tests.hotline.cli.conftest import Run


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rehearse(tmp_path_factory.mktemp("dated"), [("relay-1", "127.0.0.1:41001")]).charter


def _on(note: Path, left: int) -> list[int | None]:
    """The steps of everything, `left` days before the first end."""
    charter = load_charter(note.read_bytes())
    first = min(one.ends for one in expiries(charter, charter.created))
    day = (date.fromisoformat(first) - timedelta(days=left)).isoformat()
    found = expiries(charter, day)
    assert found[0].ends == first
    assert found[0].days == left
    return [one.within for one in found]


@pytest.mark.parametrize(
    ("left", "step"),
    [(91, None), (90, 90), (31, 90), (30, 30), (8, 30), (7, 7), (1, 7), (0, 0), (-400, 0)],
)
def test_an_end_is_told_at_ninety_thirty_and_seven_days(note: Path, left: int, step: int | None) -> None:
    """A hotline would be found dead on the day it is needed, for a date that nobody had read."""
    assert _on(note, left)[0] == step


def test_every_card_and_certificate_is_listed(note: Path, run: Run) -> None:
    """The one that is left out is the one that ends."""
    done = run("charter", "expiries", note)
    assert done.code == 0
    assert len(done.out.splitlines()) == 7
    for words in ("terminal card of ALPHA/main", "officer card of BRAVO/duty-2", "certificate of relay-1"):
        assert words in done.out
    picture = json.loads(run("charter", "expiries", note, "--json").out)
    assert [one["days"] for one in picture["expiries"]] == sorted(one["days"] for one in picture["expiries"])


def test_what_has_ended_is_said_and_is_an_error_to_scripts(
    note: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two years later nobody would know what to renew, and with which command."""
    monkeypatch.setattr("hotline.cli.expiries.now_ms", lambda: 4_070_908_800_000)
    late = run("charter", "expiries", note)
    assert late.code == 1
    assert "FAIL" in late.out
    assert "HAS ENDED" in late.out
    verified = run("charter", "verify", note)
    assert verified.code == 0, "it stays in force"
    assert "WARN  dates  " in verified.out
    assert "HAS ENDED, on 20" in verified.out
    assert "see hotline charter expiries" in verified.out
    charter = load_charter(note.read_bytes())
    assert "HAS ENDED" in told(expiries(charter, "2099-01-01")[0])
    for step in ("charter offer --amendment", "charter amend --base", "charter sign --base", "charter reactivate"):
        assert step in " ".join(run("charter", "expiries", "--help").out.split())


def test_the_end_of_a_journey_is_told_ahead_and_not_afterwards(note: Path) -> None:
    """A right that is over has ended as it was meant to (docs/protocol.md 24.13)."""
    charter = load_charter(note.read_bytes())
    span = (1_795_000_000_000, 1_795_000_000_000 + 20 * 86_400_000)
    plane = replace(charter.terminals[0], name="plane", travels=span)
    flying = replace(charter, terminals=(*charter.terminals, plane))
    ahead = [one for one in expiries(flying, "2026-11-20") if one.what == "activation"]
    assert [(one.name, one.within) for one in ahead] == [(f"{plane.party}/plane", 30)]
    assert [one for one in expiries(flying, ahead[0].ends) if one.what == "activation"] == []
    resting = replace(flying, terminals=(*charter.terminals, replace(plane, travels=(0, 0))))
    assert [one for one in expiries(resting, "2026-11-20") if one.what == "activation"] == []
