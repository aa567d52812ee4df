"""How many bytes are under way at once (docs/protocol.md 12.2)."""

from __future__ import annotations

import heapq

import pytest

from hotline.limits import PADDING_CLASSES
from hotline.protocol.pace import START, Pace

SIZE = 600
WINDOW = 262_144


class Line:
    """A line of so many bytes a second and so many milliseconds; statements wait before it in the order they came."""

    def __init__(self, rate: int, trip: int) -> None:
        self.rate, self.trip, self.free_at = rate, trip, 0

    def arrives(self, now: int) -> int:
        self.free_at = max(self.free_at, now) + 1_000 * SIZE // self.rate
        return self.free_at + self.trip


def flow(pace: Pace, line: Line, begin: int, milliseconds: int) -> tuple[int, int]:
    """Send as the bound allows from `begin`: how many arrived, and how long the queue before the line is at the end."""
    now, done, under_way = begin, 0, []
    while now < begin + milliseconds:
        while SIZE * (len(under_way) + 1) <= min(pace.bound, WINDOW) or not under_way:
            heapq.heappush(under_way, (line.arrives(now), now, not under_way))
        now, sent_at, alone = heapq.heappop(under_way)
        pace.left(SIZE, sent_at, now, alone=alone, held_back=True)
        done += 1
    return done, max(0, line.free_at - now)


@pytest.mark.parametrize(("rate", "trip"), [(300, 500), (8_000, 20), (8_000, 600), (32_000, 300)])
def test_a_slow_line_is_kept_busy_and_has_no_queue_before_it(rate: int, trip: int) -> None:
    """A FLASH would wait behind a window of ROUTINE for seconds or minutes."""
    pace, line = Pace(), Line(rate, trip)
    flow(pace, line, 0, 120_000)
    done, queue = flow(pace, line, 120_000, 120_000)
    alone = 1_000 * SIZE // rate + trip
    assert queue <= alone + 1_000 * SIZE // rate
    assert done * SIZE >= 0.6 * rate * 120


def test_a_fast_line_is_soon_at_its_window() -> None:
    """A bound that grows slowly would cost a fibre its throughput."""
    pace = Pace()
    flow(pace, Line(100_000_000, 2), 0, 100)
    assert pace.bound >= WINDOW


def test_a_line_that_became_slower_is_not_taken_for_a_queue_for_ever() -> None:
    """After a fibre is lost and a satellite remains, one statement at a time would cross it."""
    pace = Pace()
    flow(pace, Line(1_000_000, 1), 0, 1_000)
    flow(pace, Line(1_000_000, 300), 1_000, 10_000)
    done, _ = flow(pace, Line(1_000_000, 300), 11_000, 10_000)
    assert done > 3 * 10_000 / 300


def test_the_bound_is_halved_once_for_what_was_under_way_together() -> None:
    """One delay of the line would be counted as often as there were statements."""
    pace = Pace()
    for _ in range(20):
        pace.left(SIZE, 0, 10, alone=True, held_back=True)
    before = pace.bound
    for _ in range(5):
        pace.left(SIZE, 20, 2_000, alone=False, held_back=True)
    assert pace.bound == before // 2
    assert before > START
    pace.left(SIZE, 2_000, 9_000, alone=False, held_back=True)
    assert pace.bound == before // 4


def test_after_a_queue_the_bound_grows_by_one_statement_for_all_that_it_allows() -> None:
    """It would be doubled into the same queue again and again (docs/protocol.md 12.2)."""
    pace = Pace()
    for _ in range(20):
        pace.left(SIZE, 0, 10, alone=True, held_back=True)
    pace.left(SIZE, 20, 2_000, alone=False, held_back=True)
    halved = pace.bound
    for _ in range(halved // SIZE):
        pace.left(SIZE, 3_000, 3_010, alone=False, held_back=True)
    assert halved + SIZE // 2 < pace.bound <= halved + SIZE


def test_a_bound_that_nobody_waits_for_does_not_grow() -> None:
    """A quiet line would be flooded by the first drawer that is emptied."""
    pace = Pace()
    for number in range(100):
        pace.left(SIZE, 1_000 * number, 1_000 * number + 20, alone=True, held_back=False)
    assert pace.bound == START


def test_the_bound_at_first_is_the_agreed_one() -> None:
    """Two sides would not make the same of one line (docs/protocol.md 12.2)."""
    assert Pace().bound == START == 2_048


def test_one_statement_of_any_size_is_always_allowed() -> None:
    """The longest one would wait for ever: the bound is for what is added to something under way."""
    assert PADDING_CLASSES[-1] > START
