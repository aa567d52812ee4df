"""Date-time groups that name one statement each (docs/protocol.md 8.8, decision 15)."""

from __future__ import annotations

import pytest

from hotline.civil import date_time_group, minute_of_group, unix_ms
from hotline.limits import DTG_AHEAD_MAX
from hotline.machine import Plane, RequestId
from hotline.protocol.events import SendTest
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import WALL, Pair, Party
from tests.hotline.protocol.quartet import Quartet

AHEAD = DTG_AHEAD_MAX // 60_000


def groups(party: Party, plane: Plane = Plane.REAL) -> list[str]:
    """Those of what this party has said, by serial."""
    rows = [row for row in party.memory.rows("sent") if row["plane"] == plane.value]
    said = [content_pb2.Statement.FromString(row["content"]) for row in rows]  # type: ignore[arg-type]
    return [one.date_time_group for one in sorted(said, key=lambda one: one.serial)]


def minutes(party: Party, plane: Plane = Plane.REAL) -> list[int]:
    found = [minute_of_group(group) for group in groups(party, plane)]
    assert None not in found
    return [minute for minute in found if minute is not None]


def say(party: Party, times: int, plane: Plane = Plane.REAL) -> None:
    for _ in range(times):
        assert party.submit("x", plane=plane).ok


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def here(pair: Pair) -> int:
    return (WALL + pair.time) // 60_000


def test_a_burst_has_a_hundred_names(pair: Pair) -> None:
    """Two statements would be quoted by one name (docs/protocol.md 8.8)."""
    first = here(pair)
    say(pair.alpha, 100)
    assert minutes(pair.alpha) == list(range(first, first + 100))
    rows = pair.alpha.memory.rows("sent")
    composed = {content_pb2.Statement.FromString(row["content"]).composed_ms for row in rows}  # type: ignore[arg-type]
    assert {at // 60_000 for at in composed} == {first}, "the time is what it was"


def test_a_restart_goes_on_where_it_ended(pair: Pair) -> None:
    """The first statement after a start would have the name of one before it (docs/protocol.md 8.8)."""
    first = here(pair)
    say(pair.alpha, 5)
    pair.alpha.restart()
    say(pair.alpha, 2)
    assert minutes(pair.alpha) == list(range(first, first + 7))


def test_another_terminal_goes_on_where_the_first_ended() -> None:
    """Both would name by the same minutes (docs/protocol.md 8.8 and 23)."""
    four = Quartet().open()
    first = here(four)
    say(four.alpha, 5)
    four.run(5_000)
    assert four.alt.speak()
    four.run(5_000)
    say(four.alt, 2)
    assert minutes(four.alt) == list(range(first, first + 7))
    four.run(5_000)
    assert four.alpha.speak()
    four.run(5_000)
    say(four.alpha, 1)
    assert minutes(four.alpha)[-1] == first + 7


def test_minutes_that_pass_are_caught_up_with(pair: Pair) -> None:
    """A busy morning would be early for ever (docs/protocol.md 8.8)."""
    say(pair.alpha, 3)
    pair.run(3 * 60_000)
    say(pair.alpha, 1)
    assert minutes(pair.alpha)[-1] == here(pair)


def test_what_is_faster_than_the_bound_begins_again(pair: Pair) -> None:
    """A flood would date statements into the next week (docs/protocol.md 8.8)."""
    first = here(pair)
    say(pair.alpha, AHEAD + 3)
    assert minutes(pair.alpha)[-3:] == [first + AHEAD, first, first + 1]
    assert max(minutes(pair.alpha)) == first + AHEAD


def test_planes_and_tests_take_no_minute_from_statements(pair: Pair) -> None:
    """A rehearsal or the hourly test would date the word of a leader (docs/protocol.md 8.8)."""
    first = here(pair)
    say(pair.alpha, 4, Plane.EXERCISE)
    for _ in range(2):
        pair.alpha.step(SendTest(RequestId(len(pair.alpha.replies) + 1), "watch"))
        pair.run(2_000)
    say(pair.alpha, 2)
    assert minutes(pair.alpha, Plane.EXERCISE) == list(range(first, first + 4))
    assert minutes(pair.alpha) == [first, first, first, first + 1]
    assert minutes(pair.alpha)[2:] == [first, first + 1]


def test_midnight_and_the_minute_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """0000 is written 0001, which the next statement would have too (docs/protocol.md 8.8)."""
    monkeypatch.setattr("tests.hotline.protocol.pair.WALL", WALL - WALL % 86_400_000 + 86_400_000 - 34_000)
    pair = Pair().open()
    say(pair.alpha, 3)
    assert [group[2:6] for group in groups(pair.alpha)] == ["2359", "0001", "0002"]
    pair.run(60_000)
    say(pair.alpha, 1)
    assert groups(pair.alpha)[-1][2:6] == "0003"


def test_a_group_is_read_as_it_is_written() -> None:
    """What was given out before a start would not be known (docs/protocol.md 8.8)."""
    for minute in range(29_000_000, 29_000_000 + 600_000, 977):
        assert minute_of_group(date_time_group(minute * 60_000)) == minute + (minute % 1_440 == 0)
    bad = (
        "",
        "181106Z NOV 2",
        "181106Z NOV 266",
        "311106Z NOV 26",
        "182506Z NOV 26",
        "181106A NOV 26",
        "18110\u0666Z NOV 26",
    )
    assert {minute_of_group(group) for group in bad} == {None}
    assert minute_of_group("181106Z NOV 26") == (unix_ms(2026, 11, 18, 11, 6, 0) or 0) // 60_000
