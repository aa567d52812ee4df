"""Storms under any timers that a charter may have: which are drawn, what bounds follow, what judges still see."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any
from unittest.mock import patch

import pytest

from hotline.charter.body import ProfileEntry
from hotline.charter.profiles import PROFILES
from hotline.protocol.gaps import Gaps
from hotline.protocol.paths import Detector
from tests.simulator.play import play
from tests.simulator.schedule import Event, Schedule, draw, draw_light
from tests.simulator.speed import Paces
from tests.simulator.timers import LEAST, SHARES, USUAL, Timers, drawn, every_ms, paid_ms, read, unlinked, written

MANY = range(100_000, 102_000)


def test_what_is_drawn_is_lawful_and_reaches_far() -> None:
    """Storms would be of charters that nobody may have, or of ever the same one (docs/protocol.md 5.13)."""
    found = [drawn(seed, 3) for seed in MANY]
    assert {one.kind for one in found} == set(SHARES)
    for timers in found:
        profiles = [ProfileEntry(**asdict(profile)) for profile in timers.profiles.values()]
        longest = max(profile.silent_ceiling_ms for profile in profiles)
        assert min(profile.prekey_rotation_ms for profile in profiles) >= longest
        assert set(timers.kinds) <= set(PROFILES)
        assert len(timers.kinds) == (3 if timers.kind == "mixed" else 0)
    every = [profile for timers in found for profile in timers.profiles.values()]
    assert min(profile.heartbeat_ms for profile in every) == LEAST
    assert max(profile.heartbeat_ms for profile in every) == 1_800_000
    assert any(profile.silent_floor_ms == profile.heartbeat_ms + 1 for profile in every)
    assert any(profile.silent_ceiling_ms == 2 * profile.heartbeat_ms for profile in every)
    assert any(profile.retransmit_ms == profile.retransmit_max_ms for profile in every)
    assert {profile.window_messages for profile in every} >= {1, 1_000}


def test_usual_timers_leave_a_storm_as_it_is() -> None:
    """A seed that was looked at once could not be looked at again."""
    for seed in range(200):
        timed, plain = draw(seed, short=True, timed=True), draw(seed, short=True)
        assert (timed == plain) == (timed.timers == USUAL)
        if timed.timers.stretch == 1:
            assert timed.events == plain.events


def test_a_light_storm_is_a_part_of_the_same_storm() -> None:
    """A campaign of them would play other weathers, or leave a side for ever without the charter of the other one."""
    for seed in range(200):
        whole, part = draw(seed, short=True), draw_light(seed)
        assert set(part.events) < set(whole.events)
        assert [event for event in part.events if event.at >= part.storm_ms] == [
            event for event in whole.events if event.at >= whole.storm_ms
        ]
        assert len(part.events) < len(whole.events) / 2
        assert replace(part, events=whole.events, timers=USUAL) == whole
        for profile in part.timers.profiles.values():
            ProfileEntry(**asdict(profile))
            assert 2_000 < profile.heartbeat_ms < 16_000
            assert profile.checkpoint_ms <= 5 * profile.heartbeat_ms


def test_a_slow_storm_is_the_same_storm() -> None:
    """What lasts for two beats would last for none."""
    assert Event(4_000, "cut alpha relay-1 for 3s").stretched(2.5) == Event(10_000, "cut alpha relay-1 for 7500ms")
    assert Event(10, 'alpha says "wait for 3s" within 5s').stretched(2) == Event(
        20, 'alpha says "wait for 3s" within 5s'
    )
    assert Event(10, "full-disk alpha for 3s").stretched(2) == Event(20, "full-disk alpha for 3s")
    assert Event(10, "perjure alpha head for 3s").stretched(2) == Event(20, "perjure alpha head for 6000ms")


def test_bounds_follow_from_the_timers() -> None:
    """A judge would wait for what may not come, or not for what is owed."""
    fibre, narrow = PROFILES["fibre"], PROFILES["narrow"]
    assert paid_ms([fibre]) == 31_000
    assert paid_ms([fibre], several=True) == 45_000
    assert paid_ms([replace(fibre, heartbeat_ms=60_000, silent_ceiling_ms=120_000)]) == 507_000
    assert paid_ms([fibre, narrow]) == paid_ms([narrow]) == 745_000
    assert [every_ms([profile]) for profile in PROFILES.values()] == [1_000, 1_000, 1_000]
    assert every_ms([replace(fibre, heartbeat_ms=50)]) == 100
    assert [unlinked([profile]) for profile in (fibre, PROFILES["satellite"])] == [100, 100]


def test_timers_are_written_into_a_scenario() -> None:
    """A complaint under other timers could not be kept."""
    profiles = drawn(next(seed for seed in MANY if drawn(seed, 2).kind == "mixed"), 2).profiles
    assert read(written(profiles)) == profiles


def test_pace_is_told_for_each_kind_of_timers() -> None:
    """Slow timers would hide how slow the usual ones are."""
    paces = Paces()
    paces.add("usual", 300_000, 6_000, 2_000)
    paces.add("slow", 7_200_000, 4_000, 1_000)
    paces.add("slow", 7_200_000, 4_000, 0)
    usual, slow, both = paces.lines()
    assert usual.startswith("usual timers: 1 schedules, 0.1 virtual hours, 2 CPU s: 150 virtual seconds and 3000 steps")
    assert slow.startswith("slow timers: 1 schedules, 2.0 virtual hours, 1 CPU s: 7200 virtual seconds")
    assert both.startswith("in all: 2 schedules, 2.1 virtual hours, 3 CPU s: 2500 virtual seconds")


SLOW = Timers(
    "slow",
    {
        **PROFILES,
        "fibre": replace(
            PROFILES["fibre"],
            heartbeat_ms=60_000,
            silent_floor_ms=120_000,
            silent_ceiling_ms=180_000,
            retransmit_ms=30_000,
            retransmit_max_ms=300_000,
        ),
    },
)


def _storm(*events: str) -> Schedule:
    """Twenty minutes over two relays whose beats are a minute apart."""
    first = [Event(int(at), command) for at, command in (event.split(" ", 1) for event in events)]
    return Schedule(1, 2, "fibre", 1_200_000, tuple(first), timers=SLOW)


MUTE = _storm("300000 mute alpha relay-1 down for 700s")
WITHHELD = _storm(
    "200000 lie relay-1 withhold-last 1 for 900s",
    "200000 lie relay-2 withhold-last 1 for 900s",
    '250000 alpha says "real statement 1 of ALPHA" flash',
)
FAULTS: list[tuple[str, Schedule, Any, str, Any]] = [
    ("path", MUTE, Detector, "_expected", lambda self: 2 * self._profile.silent_ceiling_ms),
    ("gap", WITHHELD, Gaps, "_patience", lambda self, plane: 1_000_000),
]


@pytest.mark.parametrize(("judge", "storm", "where", "name", "fault"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_under_slow_timers_is_seen(judge: str, storm: Schedule, where: Any, name: str, fault: Any) -> None:
    """A bound that is wide enough for any timers would let everything pass (docs/protocol.md 10.6, 11.1)."""
    assert play(storm).broken == ""
    with patch.object(where, name, fault):
        assert play(storm).judge == judge
