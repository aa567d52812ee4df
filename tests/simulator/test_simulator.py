"""Fifty short storms and some long ones, each judged; nothing that can happen is left out; one seed, one history."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from hotline.drill.simulator.world import World
from tests.simulator.adversary import ADVERSARIES
from tests.simulator.officers import DEEDS
from tests.simulator.play import ROWS, Result, run_light, run_seed
from tests.simulator.run import RARE, SELDOM, UNREACHED, Tally, _resume, seeds_for, seeds_of
from tests.simulator.schedule import draw
from tests.simulator.timers import LIGHT
from tests.simulator.weather import WEATHERS, Storm

SEEDS = range(50)
TIMED = {30: "very-slow", 31: "fast", 40: "mixed", 41: "slow", 45: "slow"}
"""Those that are played with other timers than the usual ones: they cost no more than they did with these."""
NOT_IN_FIFTY = {*RARE, "told queued > renumbered", "told relayed > renumbered"}
"""What none of these has, though others do."""


@cache
def short(seed: int) -> Result:
    """A short seed, played once in this process."""
    return run_seed(seed, short=True, timed=seed in TIMED)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_judge_complains(seed: int) -> None:
    """A statement would be lost, shown twice, forged or out of order when the weather is bad enough."""
    result = short(seed)
    assert not result.broken, f"seed {seed}: {result.judge}: {result.broken}"
    assert result.timers == TIMED.get(seed, "usual")
    assert result.accepted > 20
    assert result.virtual_ms >= 300_000


@pytest.mark.parametrize("seed", [4, 11, 25, 45])
def test_no_judge_complains_of_light_storms(seed: int) -> None:
    """What long campaigns are made of would be other storms than those that are played here."""
    result = run_light(seed)
    assert not result.broken, f"seed {seed}: {result.judge}: {result.broken}"
    assert result.timers == LIGHT
    assert result.accepted > 5
    assert result.virtual_ms >= 300_000


def test_a_light_campaign_has_a_third_of_the_storms_of_several_terminals() -> None:
    """They would take half of its time, or a kind of them would never be played."""
    seeds = seeds_of(1_000, 2_000, light=True)
    assert len(seeds) == len(set(seeds)) == 2_000
    several = [one for one in (draw(seed, short=True) for seed in seeds) if one.alternates]
    every = [one for one in (draw(seed, short=True) for seed in range(120)) if one.alternates]
    assert 60 <= len(several) <= 80
    assert {(len(one.alternates), one.amendments) for one in several} == {
        (len(one.alternates), one.amendments) for one in every
    }
    assert list(seeds_of(7, 3)) == [7, 8, 9]


def test_nothing_that_a_storm_began_comes_after_its_end() -> None:
    """Judges would reckon from a sky that is not clear yet, and complain of a path that is cut."""
    world = World(1, 3, "fibre")
    storm = Storm(world)
    world.start()
    world.run_until(5_000)
    storm.obey("swizzle 253499")
    world.run_until(5_100)
    storm.obey("clear")
    world.run_until(5_400)
    streams = {cable.link for cable in world.cables.values()}
    world.run_until(20_000)
    assert "" not in streams
    assert {cable.link for cable in world.cables.values()} == streams


@pytest.mark.parametrize(("seed", "idle_hour"), [(2, True), (6, False)])
def test_no_judge_complains_of_an_ordinary_day_after_the_storm(seed: int, idle_hour: bool) -> None:
    """What a storm leaves behind would grow, or break a promise, when nobody looks any more."""
    result = run_seed(seed, idle_hour=idle_hour)
    assert not result.broken, f"seed {seed}: {result.judge}: {result.broken}"


def test_every_weather_every_adversary_and_every_row_was_there() -> None:
    """A weather that never happens is a promise that was never tried."""
    tally = Tally()
    for seed in SEEDS:
        tally.add(short(seed))
    assert set(tally.never()) - NOT_IN_FIFTY == set()
    assert tally.missing() == []


def test_what_is_called_out_of_reach_is_out_of_reach() -> None:
    """A list of excuses that nobody prunes becomes the rule."""
    assert set(UNREACHED) | set(RARE) <= set(ROWS)
    reached = {row for seed in SEEDS for row in short(seed).rows}
    assert reached & (set(UNREACHED) | set(RARE)) == set()


def test_a_campaign_that_lacks_a_weather_fails() -> None:
    """The coverage could not complain."""
    tally = Tally()
    tally.add(Result(0, 1, "", 0, 0, played={"cut": 1}, rows={ROWS[0]: 1}))
    assert "swizzle" in tally.never()
    assert "cut" not in tally.never()
    assert ROWS[1] in tally.never()
    assert tally.missing() == []
    tally.seeds = set(range(50))
    assert "swizzle" in tally.missing()
    assert "clone" not in tally.missing()
    tally.seeds = set(range(600))
    assert "clone" in tally.missing()
    assert set(tally.never()) - set(tally.missing()) == {"charter-differs", *RARE}


def test_what_is_seldom_is_something_that_can_happen() -> None:
    """A misspelt name would excuse nothing, and one in two lists would be excused by the wrong one."""
    named = [name for names in SELDOM.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= {*WEATHERS, *ADVERSARIES, *DEEDS, *ROWS} - set(UNREACHED) - set(RARE)
    assert [round(seeds_for(what)) for what in ("cut", "split", "clone")] == [32, 106, 548]


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A night of seeds would be lost with the machine, or counted twice."""
    file = tmp_path / "results"
    done = Result(3, 300_000, "d", 1_000, 20, "lost", "lost: one", {"cut": 2}, {ROWS[0]: 5})
    cut_off = json.dumps(Result(4, 1, "", 0, 0).line())[:-7]
    file.write_text("\n".join([json.dumps(done.line()), json.dumps(done.line()), cut_off]))
    tally = Tally()
    assert _resume(file, range(2, 6), tally) == [2, 4, 5]
    assert (tally.virtual_ms, tally.played["cut"]) == (300_000, 2)
    assert tally.bad == [(3, "lost", "lost: one")]


@pytest.mark.parametrize("seed", [4, 85])
def test_the_same_seed_gives_the_same_history(seed: int) -> None:
    """A failing seed could not be looked at again, and nobody could check our claim."""
    digests = set()
    for hash_seed in ("0", "4242"):
        code = "import sys; from tests.simulator.play import run_seed;"
        code += f"r = run_seed({seed}, short=True, storm_ms=60_000); print(r.digest, sorted(r.played.items()))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop().split()[0]) == 64
