"""What a drill makes of a machine that stood still: it sees it, excuses lateness alone, and is played again."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hotline.cli import drillrun, drills
from hotline.cli.main import cli
from hotline.drill.comparison import compare
from hotline.drill.journal import Journal, of_kind
from hotline.drill.judging import judge
from hotline.drill.outcome import Report
from hotline.drill.plan import Drill
from hotline.drill.report import render
from hotline.drill.standstills import EVERY_MS, STANDSTILL_MS, Watch
from hotline.drill.summary import summary
from tests.hotline.drill.journals import Story, told
from tests.schemas import printed

IN_TIME = {"promise": "delivered-within", "limit": "250ms"}
KILL = {"fault": "kill", "target": "relay-1", "at": "100ms"}


def stood(story: Story, ms: float = 200, at: float = 100) -> Story:
    """The disk stood still."""
    return story.add(at, "standstill", what="disk", ms=ms)


def late(promise: dict[str, Any] = IN_TIME, delivered: float | None = 400, ms: float = 200, at: float = 100) -> Report:
    """A statement that came after `delivered`, on a machine that stood still for `ms`."""
    story = stood(told(promise), ms, at)
    story.say(100, delivered=delivered)
    return story.report()


def silent_at(alarm: float, at: float = 100) -> Story:
    """ALPHA heard nobody, on a machine that stood still for 200 ms."""
    return stood(told({"promise": "no-alarm"}), at=at).polls(3_000).alarm(alarm, "ALPHA", "no-path")


# --- seeing it --------------------------------------------------------------------------------------------------------


def test_a_sync_that_takes_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delay of a disk would be called a delay of the hotline."""
    sync, first, seen = os.fdatasync, threading.Event(), threading.Event()
    found: list[tuple[str, float]] = []

    def slow(descriptor: int) -> None:
        if not first.is_set():
            first.set()
            time.sleep((STANDSTILL_MS + 60) / 1_000)
        sync(descriptor)

    def tell(what: str, ms: float) -> None:
        found.append((what, ms))
        if what == "disk":
            seen.set()

    monkeypatch.setattr(os, "fdatasync", slow)
    with Watch(tmp_path, tell):
        assert seen.wait(20)
    assert min(ms for what, ms in found if what == "disk") > STANDSTILL_MS
    assert list(tmp_path.iterdir()) == []


# --- judging ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        pytest.param(late(delivered=240), "passed", id="in-time-all-the-same"),
        pytest.param(late(delivered=250 + 200 + EVERY_MS), "undecided", id="late-by-the-standstill"),
        pytest.param(late(delivered=251 + 200 + EVERY_MS), "broken", id="late-by-more"),
        pytest.param(late(at=-100), "broken", id="stood-still-before-the-steady-state"),
        pytest.param(late(delivered=None), "broken", id="never"),
        pytest.param(late({"promise": "none-lost"}, delivered=None), "broken", id="lost"),
        pytest.param(
            late({"promise": "told", "state": "delivered", "within": "250ms"}), "undecided", id="told-not-so-soon"
        ),
        pytest.param(late({"promise": "told", "state": "read"}), "broken", id="never-told"),
        pytest.param(
            stood(told({"promise": "steady-paths"})).polls(1_000).path(900, "ALPHA", "relay-1", "suspect").report(),
            "undecided",
            id="path",
        ),
        pytest.param(
            stood(told({"promise": "speaks", "fault": "kill", "terminal": "ALPHA-alt", "least": "6s"}, inject=[KILL]))
            .inject(100, 0)
            .add(700, "speaks", by="ALPHA-alt", terminal="ALPHA/alt", term=1)
            .add(700, "speaks", by="BRAVO", terminal="ALPHA/alt", term=1)
            .report(),
            "broken",
            id="too-soon",
        ),
        pytest.param(stood(told({"promise": "no-alarm"})).alarm(900, "ALPHA", "fork").report(), "broken", id="alarm"),
        pytest.param(silent_at(2_100).report(), "undecided", id="silence-after-it"),
        pytest.param(silent_at(2_101).report(), "broken", id="silence-much-later"),
        pytest.param(silent_at(899, at=1_100).report(), "broken", id="silence-before-it"),
        pytest.param(silent_at(900).alarm(901, "BRAVO", "fork").report(), "broken", id="alarm-beside-silence"),
    ],
)
def test_only_lateness_is_excused(report: Report, verdict: str) -> None:
    """A disk would be blamed for a loss, or the hotline for a disk."""
    (promise,) = report.promises
    assert (report.verdict, promise.holds, promise.decided) == (verdict, verdict == "passed", verdict != "undecided")


def test_what_is_broken_beside_it_is_broken() -> None:
    """One slow sync would hide a statement shown twice."""
    story = stood(told(IN_TIME, {"promise": "none-twice"}))
    identifier = story.say(100, delivered=400)
    story.add(600, "shown", id=identifier, by="BRAVO", repeat=False)
    report = story.report()
    assert (report.verdict, [one.decided for one in report.promises]) == ("broken", [False, True])
    assert "1 of 2 promises" in report.outcome


def test_an_interrupted_drill_excuses_nothing() -> None:
    """What was not played to its end is aborted, whatever the machine did."""
    story = stood(told(IN_TIME))
    story.say(100, delivered=400)
    report = judge(story.finish("interrupted"))
    assert (report.verdict, report.promises[0].decided) == ("aborted", True)


def test_every_view_says_that_it_is_not_decided() -> None:
    """Whoever reads one of them alone would take it for kept, or for broken."""
    report = late()
    words = "1 of 1 promises cannot be decided, for this machine stood still for 250 ms in all"
    assert words in report.outcome
    assert report.measures["stood_still_ms"] == 250
    text = str(summary(report))
    assert words in text
    assert "not decided" in text
    assert "UNDECIDED" in text
    page = render(report)
    assert "? UNDECIDED" in page
    assert "? not decided" in page
    assert "the disk of this machine, for 200 ms" in page
    assert [row.change for row in compare(report, late(delivered=100)).promises] == ["not decided"]


# --- playing it again -------------------------------------------------------------------------------------------------


class Played:
    """Stands in for the processes of a drill: each time, the entries of a story."""

    def __init__(self, *delivered: float) -> None:
        self._delivered = iter(delivered)

    def __call__(self, _one: object, _settings: object, journal: Journal, _other: object, _folder: object) -> None:
        story = stood(told(IN_TIME))
        story.say(100, delivered=next(self._delivered))
        for entry in story.finish():
            fields = {name: value for name, value in entry.items() if name not in ("t", "kind", "schema")}
            journal.add(entry["t"], entry["kind"], **fields)
        journal.finish()


@pytest.mark.parametrize(
    ("delivered", "options", "code", "kept"),
    [
        ((100,), (), 0, 0),
        ((400, 100), (), 0, 1),
        ((400, 900), (), 7, 1),
        ((400, 400), (), 10, 1),
        ((400,), ("--again", "0"), 10, 0),
        ((400, 400, 100), ("--again", "2"), 0, 2),
        ((900,), (), 7, 0),
    ],
)
def test_what_is_not_decided_is_played_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    delivered: tuple[float, ...],
    options: tuple[str, ...],
    code: int,
    kept: int,
) -> None:
    """A planner would have to run by hand what the machine spoilt, or a broken promise be tried until it holds."""
    monkeypatch.setattr(drillrun, "_play", Played(*delivered))
    done = CliRunner().invoke(
        cli, ["drill", "run", "relay-killed", "--seed", "1", "--out", str(tmp_path), "--json", *options]
    )
    assert done.exit_code == code, done.output
    (result,) = printed(done.stdout)
    assert (result["tries"], Path(result["folder"])) == (kept + 1, tmp_path / "relay-killed")
    aside = [tmp_path / f"relay-killed.undecided-{number}" for number in range(1, kept + 1)]
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "relay-killed", *aside])
    for folder in aside:
        assert json.loads((folder / "report.json").read_text())["verdict"] == "undecided"
        assert folder.name in done.stderr


def test_a_standstill_is_an_entry_of_the_journal() -> None:
    """The report of a planner's own journal would not know of it."""
    (entry,) = of_kind(stood(told(IN_TIME)).finish(), "standstill")
    assert (entry["what"], entry["ms"]) == ("disk", 200)


# --- company ----------------------------------------------------------------------------------------------------------


def test_floods_are_played_alone_and_what_waits_beside_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What another drill makes late would be called a fault under a flood, and ten idle minutes cost a job."""
    present: set[str] = set()
    beside: dict[str, set[str]] = {}
    both = threading.Barrier(3, timeout=20)

    def child(children: drills._Children, one: Drill) -> None:
        present.add(one.plan.name)
        if not one.plan.floods:
            both.wait()
        beside[one.plan.name] = set(present)
        if not one.plan.floods:
            both.wait()
        present.remove(one.plan.name)
        children.codes.append(0)

    monkeypatch.setattr(drills._Children, "play", child)
    names = ("flood-by-terminal", "satellite-ten-minutes", "relay-killed", "flood-by-strangers", "terminal-killed")
    done = CliRunner().invoke(cli, ["drill", "run", *names, "--jobs", "2", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    three = {"satellite-ten-minutes", "relay-killed", "terminal-killed"}
    assert beside == {name: three if name in three else {name} for name in names}
