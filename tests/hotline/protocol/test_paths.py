"""A path's table, its detector and its beats."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path as FilePath

import pytest

from hotline.charter.profiles import PROFILES
from hotline.limits import FRESH_ECHO_BEATS, IDLE_BEAT_FACTOR
from hotline.machine import Instant
from hotline.protocol.paths import IGNORED, TRANSITIONS, Detector, Path, PathInput, PathSetup, PathState

PROFILE = PROFILES["fibre"]
EVERY_PAIR = list(itertools.product(PathState, PathInput))
PROTOCOL = FilePath(__file__).resolve().parents[3] / "docs" / "protocol.md"


def at(mono: int) -> Instant:
    return Instant(mono, 1_795_000_000_000 + mono)


def path(state: PathState = PathState.DOWN, profile: str = "fibre") -> Path:
    made = Path(PathSetup("relay-1", 1, bytes(32), PROFILES[profile]), random.Random(3).randbytes)
    made.state = state
    return made


def test_every_pair_is_decided_exactly_once() -> None:
    """A pair that nobody thought of would be decided by accident on the night it happens."""
    assert set(TRANSITIONS) | set(IGNORED) == set(EVERY_PAIR)
    assert not set(TRANSITIONS) & set(IGNORED)
    assert all(len(reason) > 5 for reason in IGNORED.values())


@pytest.mark.parametrize(("state", "what"), EVERY_PAIR)
def test_every_pair_does_what_the_table_says(state: PathState, what: PathInput) -> None:
    """The lamp would show a path as up that is not (docs/protocol.md 11.1)."""
    walked = path(state)
    moved = walked.apply(what, at(77))
    assert moved == ((state, what) in TRANSITIONS)
    assert walked.state is TRANSITIONS.get((state, what), state)
    assert walked.since == (77 if moved else None)


def test_the_table_in_the_specification_is_the_table_in_the_code() -> None:
    """Whoever builds the other side from the specification would build another machine (docs/protocol.md 11.1)."""
    text = PROTOCOL.read_text()
    rows = re.findall(r"^\| (DOWN|ATTACHED|UP|SUSPECT) \|(.*)\|(.*)\|(.*)\|(.*)\|$", text, re.MULTILINE)
    header = re.search(r"^\| state \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    assert header is not None
    found = {
        (PathState(row[0].lower()), PathInput(column.lower())): PathState(cell.strip().lower())
        for row in rows
        for column, cell in zip(header.groups(), row[1:], strict=True)
        if cell.strip()
    }
    assert found == TRANSITIONS


def test_a_steady_rhythm_is_watched_within_floor_and_ceiling() -> None:
    """A silent peer would be noticed too late, or a living one be called silent again and again."""
    detector = Detector(PROFILE)
    assert detector.deadline() is None
    assert detector.tolerance == PROFILE.silent_ceiling_ms
    for beat in range(40):
        detector.heard(beat * PROFILE.heartbeat_ms)
    assert detector.tolerance == max(2 * PROFILE.heartbeat_ms, PROFILE.silent_floor_ms) == PROFILE.silent_floor_ms
    assert detector.deadline() == 39 * PROFILE.heartbeat_ms + PROFILE.silent_floor_ms


def test_a_ragged_rhythm_never_exceeds_the_ceiling() -> None:
    """An attacker who delays beats would teach the terminal to wait for ever."""
    detector = Detector(PROFILE)
    now = 0
    for gap in [10, 9_000] * 20:
        now += gap
        detector.heard(now)
    assert detector.tolerance == PROFILE.silent_ceiling_ms


def test_between_floor_and_ceiling_the_tolerance_is_the_one_of_the_specification() -> None:
    """The detector would be something else than what was reviewed (docs/protocol.md 11.1)."""
    detector, now = Detector(PROFILES["narrow"]), 0
    for gap in [10_000, 11_600] * 20:
        now += gap
        detector.heard(now)
    assert detector.tolerance == int(15_000 + 800 + 17.4 * 800)


def test_beats_that_come_early_do_not_make_a_path_look_ragged() -> None:
    """Answers at the start of a stream would blunt the detector for a quarter of a minute."""
    detector, now = Detector(PROFILE), 0
    for gap in [50, 60, 500, 80, 500, 500, 55, 500, 500, 500, 500, 500]:
        now += gap
        detector.heard(now)
    assert detector.tolerance == PROFILE.silent_floor_ms


def test_a_new_stream_forgets_the_old_rhythm() -> None:
    """The gap while the stream was down would count as a slow beat."""
    walked = path()
    walked.apply(PathInput.OPENED, at(0))
    for now in range(0, 5_000, 500):
        number = walked.beat(at(now))
        walked.heard(now + 1, number, 0, at(now + 1))
    walked.apply(PathInput.HEARD, at(5_000))
    assert walked.silent_at() is not None
    walked.apply(PathInput.CLOSED, at(5_001))
    assert walked.silent_at() is None
    assert walked.detector.deadline() is None
    assert walked.round_trip_ms is None
    assert walked.peer_beat == 0


def test_a_detector_that_is_reset_knows_nothing() -> None:
    """The rhythm of the stream before would judge the new one (docs/protocol.md 11.1)."""
    detector, now = Detector(PROFILE), 0
    for _ in range(20):
        now += PROFILE.heartbeat_ms
        detector.heard(now)
    assert detector.tolerance == PROFILE.silent_floor_ms
    detector.reset()
    assert detector.tolerance == PROFILE.silent_ceiling_ms
    detector.heard(now + 10_000)
    assert detector.deadline() == now + 10_000 + PROFILE.silent_ceiling_ms


def test_an_echo_says_how_long_the_beat_waited_here() -> None:
    """The peer would take our rhythm for the way (docs/protocol.md 10.2)."""
    walked = path()
    walked.apply(PathInput.OPENED, at(0))
    assert walked.echo_delay(at(50)) == 0, "nothing was heard yet"
    walked.heard(7, walked.beat(at(60)), 0, at(100))
    assert walked.echo_delay(at(130)) == 30


def test_only_an_echo_of_a_recent_beat_is_fresh() -> None:
    """A recorded heartbeat, played back, would keep a dead path lit (docs/protocol.md 10.3)."""
    walked = path()
    walked.apply(PathInput.OPENED, at(0))
    numbers = [walked.beat(at(now)) for now in range(FRESH_ECHO_BEATS + 1)]
    assert walked.heard(1, numbers[0], 0, at(900)) is None
    assert walked.heard(1, numbers[-1] + 1, 0, at(900)) is None
    assert walked.heard(1, 0, 0, at(900)) is None
    assert walked.heard_at is None
    assert walked.heard(1, numbers[1], 0, at(900)) == 1
    assert walked.heard(2, numbers[-1], 30, at(900)) == FRESH_ECHO_BEATS
    assert walked.round_trip_ms == 900 - FRESH_ECHO_BEATS - 30
    walked.apply(PathInput.CLOSED, at(901))
    assert walked.heard(3, numbers[-1], 0, at(902)) is None, "of a stream that is gone"


def test_a_claimed_delay_never_makes_the_round_trip_negative() -> None:
    """The display would show nonsense."""
    walked = path()
    walked.apply(PathInput.OPENED, at(0))
    assert walked.heard(1, walked.beat(at(0)), 500_000, at(10)) == 0
    assert walked.round_trip_ms == 0


def test_a_beat_that_waited_for_longer_than_can_be_said_tells_no_round_trip() -> None:
    """With beats half an hour apart the display would show a quarter of an hour (docs/protocol.md 10.11)."""
    walked = path()
    walked.apply(PathInput.OPENED, at(0))
    number = walked.beat(at(0))
    assert walked.heard(1, number, 999_999, at(1_800_000)) == 0
    assert walked.round_trip_ms is None
    assert walked.heard(2, number, 999_998, at(1_000_030)) == 0
    assert walked.round_trip_ms == 32


def test_beats_are_rarer_while_nobody_answers() -> None:
    """An unheard terminal would talk as much as a heard one (docs/protocol.md 10.1)."""
    walked = path()
    walked.apply(PathInput.OPENED, at(0))
    assert walked.next_beat_at == 0
    walked.beat(at(0))
    assert walked.next_beat_at == IDLE_BEAT_FACTOR * PROFILE.heartbeat_ms
    walked.apply(PathInput.HEARD, at(10))
    walked.beat(at(10))
    assert walked.next_beat_at == 10 + PROFILE.heartbeat_ms


def test_answers_at_once_are_paced() -> None:
    """Two terminals that answer each other would fill the line with beats (docs/protocol.md 10.11)."""
    walked = path()
    walked.beat_soon(at(0))
    assert walked.next_beat_at is None, "no stream, no beat"
    walked.apply(PathInput.OPENED, at(0))
    walked.beat(at(0))
    walked.beat_soon(at(1))
    assert walked.next_beat_at == 50
    walked.beat_soon(at(2))
    assert walked.next_beat_at == 50, "asking again does not postpone"


def test_numbers_start_at_random_and_skip_zero() -> None:
    """An echo of the run before would look fresh after a restart; zero means no beat."""
    # docs/protocol.md 10.2 and 10.11
    assert Path(PathSetup("r", 1, b"", PROFILE), random.Random(1).randbytes).beat(at(0)) != path().beat(at(0))
    last = Path(PathSetup("r", 1, b"", PROFILE), lambda size: b"\xff" * size)
    assert last.beat(at(0)) == 1
