"""What we are owed: order within precedence, repeats, conflicts, gaps, bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.limits import INBOX_HELD_MAX, SERIAL_MAX, SERIAL_SKIP_MAX
from hotline.protocol.inbox import _HASHES_REMEMBERED, Ahead, Inbox, Verdict

ROUTINE, FLASH = 1, 4


def name(serial: int) -> bytes:
    return serial.to_bytes(32, "big")


def inbox(through: int = 0, stored: dict[int, bytes] | None = None) -> Inbox:
    return Inbox(through, ({} if stored is None else stored).get)


def take(box: Inbox, serial: int, previous: int, precedence: int = ROUTINE) -> list[int]:
    assert box.judge(serial, name(serial)) is Verdict.NEW
    return box.accept(serial, Ahead(precedence, previous, name(serial), shown=False))


def test_statements_in_order_are_shown_at_once() -> None:
    """The officer would wait for something that is already here."""
    box = inbox()
    assert [take(box, n, n - 1) for n in (1, 2, 3)] == [[1], [2], [3]]
    assert (box.through, box.highest, box.ahead) == (3, 3, {})


def test_one_that_overtook_its_predecessor_waits_for_it() -> None:
    """The answer would be read before the question (docs/protocol.md 12.5)."""
    box = inbox()
    assert take(box, 3, 2) == []
    assert take(box, 2, 1) == []
    assert (box.through, box.highest) == (0, 3)
    assert take(box, 1, 0) == [1, 2, 3]
    assert box.through == 3
    assert sorted(box.take_released()) == [1, 2, 3]
    assert box.take_released() == []


def test_a_flash_does_not_wait_for_a_routine() -> None:
    """The one statement that matters would wait for one that does not."""
    box = inbox()
    assert take(box, 2, 0, FLASH) == [2]
    assert take(box, 4, 2, FLASH) == [4]
    assert take(box, 3, 1) == []
    assert (box.through, box.highest) == (0, 4)
    assert take(box, 1, 0) == [1, 3]
    assert box.through == 4


def test_what_stands_in_the_place_of_a_predecessor_in_another_precedence_is_none() -> None:
    """What a terminal said later would be shown first, for what another one said meanwhile (docs/protocol.md 12.5)."""
    box = inbox()
    assert take(box, 3, 0) == [3]
    assert take(box, 4, 3, FLASH) == []
    assert take(box, 5, 4, FLASH) == []
    assert take(box, 1, 0, FLASH) == [1]
    assert take(box, 2, 1, FLASH) == [2, 4, 5]


def test_a_repeat_and_a_conflict_are_told_apart() -> None:
    """A repeat would be shown twice, or another text taken for one."""
    box = inbox()
    take(box, 1, 0)
    take(box, 3, 2)
    for serial in (1, 3):
        assert box.judge(serial, name(serial)) is Verdict.REPEAT
        assert box.judge(serial, name(99)) is Verdict.CONFLICT
    assert box.judge(2, name(2)) is Verdict.NEW


def test_what_was_received_before_the_restart_is_looked_up() -> None:
    """After a restart every repeat would be shown again."""
    box = inbox(5, {n: name(n) for n in range(1, 6)})
    assert box.judge(3, name(3)) is Verdict.REPEAT
    assert box.judge(5, name(6)) is Verdict.CONFLICT
    assert box.judge(6, name(6)) is Verdict.NEW
    assert box.known_hash(6) is None


def test_hashes_beyond_memory_are_looked_up() -> None:
    """A long conversation would fill the memory, or forget what was said."""
    stored: dict[int, bytes] = {}
    box = inbox(0, stored)
    for serial in range(1, _HASHES_REMEMBERED + 2):
        take(box, serial, serial - 1)
    assert box.known_hash(2) == name(2)
    assert box.known_hash(1) is None
    stored[1] = name(1)
    assert box.judge(1, name(1)) is Verdict.REPEAT


def test_no_more_than_the_bound_are_held_back() -> None:
    """A peer that leaves out one serial would fill memory and disk with the ones behind it."""
    box = inbox()
    for serial in range(2, INBOX_HELD_MAX + 2):
        take(box, serial, serial - 1)
    beyond = INBOX_HELD_MAX + 2
    assert box.judge(beyond, name(beyond)) is Verdict.FULL
    assert box.judge(beyond - 1, name(beyond - 1)) is Verdict.REPEAT
    assert box.judge(1, name(1)) is Verdict.NEW, "what closes the gap is never refused"
    assert len(take(box, 1, 0)) == INBOX_HELD_MAX + 1
    assert box.judge(beyond, name(beyond)) is Verdict.NEW


def test_what_lies_beyond_what_a_sender_would_pass_over_is_refused() -> None:
    """A gap that nobody can close would stay for ever (docs/protocol.md 12.13)."""
    for through in (0, 7):
        box = inbox(through)
        last = through + 2 * SERIAL_SKIP_MAX
        assert box.judge(last + 1, name(last + 1)) is Verdict.FAR
        take(box, last, 0, FLASH)
        take(box, last - SERIAL_SKIP_MAX + 1, 0, FLASH)
        assert (box.highest, box.missing(0)) == (through, None), "nobody is asked for so much at once"
        take(box, last - SERIAL_SKIP_MAX, 0, FLASH)
        assert (box.highest, box.missing(0)) == (last - SERIAL_SKIP_MAX, (through + 1, last - SERIAL_SKIP_MAX - 1))
        take(box, through + 1, 0)
        assert box.highest == last - SERIAL_SKIP_MAX + 1
        assert box.judge(last + 1, name(last + 1)) is Verdict.NEW


def test_what_is_held_in_one_stretch_leaves_room_in_the_other() -> None:
    """Who is told to pass over a stretch could not be heard after it (docs/protocol.md 12.13)."""
    box = inbox()
    second = SERIAL_SKIP_MAX + 1
    for serial in range(SERIAL_SKIP_MAX, SERIAL_SKIP_MAX - INBOX_HELD_MAX, -1):
        take(box, serial, serial - 1)
    assert box.judge(2, name(2)) is Verdict.FULL
    assert take(box, second, 0, FLASH) == [second]
    for serial in range(second + 1, second + INBOX_HELD_MAX):
        take(box, serial, serial - 1)
    assert box.judge(second + INBOX_HELD_MAX, name(1)) is Verdict.FULL
    assert take(box, 1, 0) == [1]


def test_what_a_store_holds_beyond_all_stretches_holds_nothing_up() -> None:
    """What an earlier program took of a thief would take the right of way from every FLASH (docs/protocol.md 12.13)."""
    box = inbox()
    for serial in range(SERIAL_MAX - INBOX_HELD_MAX + 1, SERIAL_MAX + 1):
        box.ahead[serial] = Ahead(ROUTINE, 0, name(serial), shown=True)
    assert (box.highest, box.missing(0), box.missing(4)) == (0, None, (1, 4))
    assert take(box, 3, 0, FLASH) == [3]
    assert box.missing(9) == (1, 2)
    assert [take(box, 1, 0), take(box, 2, 1)] == [[1], [2]]
    assert (box.through, box.missing(3)) == (3, None)
    assert box.judge(SERIAL_MAX, name(SERIAL_MAX)) is Verdict.REPEAT


@pytest.mark.parametrize(
    ("received", "sent", "gap"),
    [
        ([], 0, None),
        ([1, 2], 2, None),
        ([1, 2], 1, None),
        ([1, 2], 3, (3, 3)),
        ([1, 2], 9, (3, 9)),
        ([1, 4], 4, (2, 3)),
        ([1, 4, 6], 9, (2, 3)),
        ([3], 0, (1, 2)),
        ([2], 0, (1, 1)),
    ],
)
def test_the_first_gap_is_named(received: list[int], sent: int, gap: tuple[int, int] | None) -> None:
    """A withheld statement would go unnoticed."""
    box = inbox()
    for serial in received:
        take(box, serial, 0)
    assert box.missing(sent) == gap


@given(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_any_order_of_arrival_shows_each_once_and_in_order(precedences: list[int], chance: random.Random) -> None:
    """Two relays of different speed would lose, repeat or reorder what was said (docs/protocol.md 12.5)."""
    last: dict[int, int] = {}
    previous = []
    for serial, precedence in enumerate(precedences, 1):
        previous.append(last.get(precedence, 0))
        last[precedence] = serial
    order = list(range(1, len(precedences) + 1))
    chance.shuffle(order)
    box, shown = inbox(), []
    for serial in order:
        if chance.random() < 0.3 and shown:
            assert box.judge(shown[-1], name(shown[-1])) is Verdict.REPEAT
        shown += take(box, serial, previous[serial - 1], precedences[serial - 1])
        for precedence in set(precedences):
            mine = [n for n in shown if precedences[n - 1] == precedence]
            lawful = [n for n, p in enumerate(precedences, 1) if p == precedence]
            assert mine == lawful[: len(mine)]
    assert sorted(shown) == sorted(order)
    assert box.through == len(precedences)
    assert not box.ahead
