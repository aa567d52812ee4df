"""Planted faults are seen by a judge, and a failing schedule becomes short enough to read."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from hotline.drill.simulator.world import World
from hotline.machine import Plane
from hotline.protocol.openhistory import OpenHistory
from tests.scenarios.test_scenarios import HERE
from tests.scenarios.test_scenarios import play as transcript
from tests.simulator.audit import received_is_signed
from tests.simulator.planted import PLANTED, Planted, first_complaint, in_turn
from tests.simulator.plantedseveral import PLANTED as AMONG_SEVERAL
from tests.simulator.play import Result, play
from tests.simulator.schedule import Event, Schedule, draw
from tests.simulator.shrink import hasten, judge_of, main, scenario, shrunk, thin
from tests.simulator.test_simulator import TIMED

COMMON = [planted for planted in PLANTED if planted.within <= 10][::2]
"""Every other one of those that nearly every storm shows. `make planted` plays them all, rare ones too: a change of the
product shifts every history, and with it the storms in which a rare fault shows."""


@pytest.mark.timeout(600)  # one seed as a rule
@pytest.mark.parametrize("planted", COMMON, ids=[planted.name for planted in COMMON])
def test_a_planted_fault_is_seen(planted: Planted) -> None:
    """Judges that cannot see this fault would let a real one pass."""
    assert first_complaint(planted, in_turn(planted)) is not None


def test_every_planted_fault_has_its_place() -> None:
    """A name that was changed in the product would be found out by nobody but the campaign that has no time."""
    for planted in (*PLANTED, *AMONG_SEVERAL):
        with planted.in_place():
            pass
        assert fits(planted), f"{planted.name}: what is called otherwise now ends in an error"


def fits(planted: Planted) -> bool:
    """Whether the fault takes what the place that it is planted in is called with."""
    where = importlib.import_module(planted.where) if isinstance(planted.where, str) else planted.where
    place = getattr(where, planted.attribute)
    if not callable(place):
        return True
    taken = inspect.signature(place).parameters.values()
    words = {one.name: None for one in taken if one.kind is one.KEYWORD_ONLY}
    try:
        inspect.signature(planted.fault).bind(*(one for one in taken if one.kind is one.POSITIONAL_OR_KEYWORD), **words)
    except TypeError:
        return False
    return True


def test_a_fault_that_no_longer_fits_is_found_out() -> None:
    """Its TypeError would end the campaign, which nobody plays every day."""
    fault = next(planted for planted in PLANTED if planted.attribute == "begin")
    assert fits(fault)
    assert not fits(replace(fault, fault=lambda self, key, wall: None))


def test_a_non_paper_is_kept_as_what_it_is_or_is_known_to_be_gone() -> None:
    """The judge of disks would complain of a text whose time is over, or believe whatever lies there."""
    worlds: list[World] = []
    event = Event(1_000, 'bravo says "real statement 1000 of BRAVO, quietly" routine quiet')
    play(Schedule(1, 2, "fibre", 5_000, (event,)), prepare=worlds.append, until=5_000)
    alpha = worlds[0].endpoints["ALPHA"]
    assert received_is_signed(worlds[0], alpha) == ""
    (row,) = alpha.disk.tables["received"].values()
    name, row["hash"] = row["hash"], bytes(32)
    assert "is kept as what it is not" in received_is_signed(worlds[0], alpha)
    row["hash"] = name
    alpha.disk.tables["nonpaper"].clear()
    assert "no entry says" in received_is_signed(worlds[0], alpha)


def test_a_product_without_fault_is_not_accused() -> None:
    """What is seen would be the judge and not the fault: `test_no_judge_complains` has the same seeds."""
    assert {planted.seed for planted in PLANTED} <= set(range(50)) - set(TIMED)


def test_events_that_do_not_matter_are_left_out() -> None:
    """Nobody reads a hundred commands to find the two that break a promise."""
    events = tuple(Event(1_000 * at, f"crash relay-{at % 2 + 1} for 5s") for at in range(40))
    schedule = Schedule(1, 2, "fibre", 100_000, events)
    needed = {events[7], events[31]}

    def complains(candidate: Schedule) -> str:
        return "lost" if needed <= set(candidate.events) else "told" if events[7] in candidate.events else ""

    assert set(thin(schedule, complains).events) == needed
    with pytest.raises(ValueError, match="nobody complains"):
        thin(schedule, lambda candidate: "")


def test_a_storm_ends_soon_after_what_broke_the_promise() -> None:
    """A transcript would go on for minutes in which nothing happens."""
    schedule = Schedule(1, 2, "fibre", 100_000, (Event(9_000, "clear"),))
    assert hasten(schedule, lambda candidate: "lost").storm_ms == 9_100
    assert hasten(schedule, lambda candidate: "lost" if candidate.storm_ms > 20_000 else "").storm_ms == 29_000


def test_a_planted_fault_becomes_a_scenario() -> None:
    """A complaint that cannot be read is not understood; one that is not kept comes back."""
    fault = next(planted for planted in PLANTED if planted.name == "repeats are shown again")
    drawn = draw(0, short=True)
    around = tuple(event for event in drawn.events if event.at == 3_000 or 8_000 < event.at < 14_000)
    schedule = replace(drawn.thinned(around), storm_ms=20_000)
    with fault.in_place():
        small, judge, _ = shrunk(schedule)
    assert judge in ("twice", "replaced")
    assert len(small.events) <= 8 < len(schedule.events)
    text = scenario(small, "a planted fault")
    assert transcript(text) == text
    with fault.in_place():
        assert transcript(text) != text, "the scenario would not have caught it"


def test_a_scenario_is_the_schedule_that_was_judged() -> None:
    """What is read would not be what happened."""
    schedule = draw(12, short=True, storm_ms=30_000)
    worlds: list[World] = []
    played = play(schedule, prepare=worlds.append)
    assert played.digest == judge_of(schedule).digest
    text = scenario(schedule, "a test")
    assert f"seed={schedule.seed}" in text
    assert all(event.command in text for event in schedule.events)
    (world,) = worlds
    for node in world.endpoints.values():
        shown = {
            serial for plane, serial, stage in node.disk.tables["received_fact"] if (plane, stage) == ("real", "shown")
        }
        assert shown
        assert {f"{node.name.lower()} shows #{serial}  " in text for serial in shown} == {True}


def test_a_receipt_within_a_commit_that_is_told_twice_is_seen() -> None:
    """Found by a seed once, and too rare to be found again: its scenario must see it."""

    def forgets(self: object, plane: Plane, serial: int, stage: str) -> None:
        """What is not committed yet is not known."""

    text = (HERE / "8-told-once.txt").read_text()
    with patch.object(OpenHistory, "reached", forgets):
        assert transcript(text).count("delivered: main") == text.count("delivered: main") + 1


def test_nobody_complains_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong seed would give an empty scenario, and a right one must give a file."""
    with patch("tests.simulator.shrink.judge_of", lambda *_: Result(2, 1, "", 0, 0)):
        assert main(["2", "--out", str(tmp_path)]) == 1
    assert "nobody complains of seed 2" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    small = Schedule(2, 2, "fibre", 5_000, (Event(4_000, 'alpha says "one"'),))
    with patch("tests.simulator.shrink.shrunk", lambda _: (small, "lost", 7)):
        assert main(["2", "--out", str(tmp_path)]) == 0
    assert 'shows #1  "one"' in (tmp_path / "lost-2.txt").read_text()
    assert "became 1 in 7 plays" in capsys.readouterr().out
