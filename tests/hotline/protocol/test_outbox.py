"""What we owe: precedence, window, retries, expiry, and how far the peer has acknowledged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.protocol.outbox import Outbox, Pending
from hotline.wire.v1 import content_pb2

ROUTINE, PRIORITY, IMMEDIATE, FLASH = (content_pb2.Precedence.values()[i] for i in (1, 2, 3, 4))
PLENTY = 10**9


def item(
    serial: int,
    precedence: content_pb2.Precedence.ValueType = ROUTINE,
    size: int = 10,
    expires_at: int = 10**12,
) -> Pending:
    return Pending(serial, precedence, b"x" * size, b"", bytes([serial % 256]) * 32, expires_at)


def outbox(*items: Pending, last: int = 0) -> Outbox:
    box = Outbox(last, {})
    for each in items:
        box.add(each)
    return box


def leave(box: Outbox, messages: int = PLENTY, size: int = PLENTY) -> list[int]:
    """Serials that leave, each sealed in an envelope of its own."""
    left = []
    while (chosen := box.next_to_send(messages, size, 0)) is not None:
        box.sealed(chosen, b"e%d" % chosen.serial, b"n%d" % chosen.serial, 0)
        left.append(chosen.serial)
    return left


def test_higher_precedence_overtakes_and_serials_keep_their_order_within_it() -> None:
    """A FLASH would stand in line behind a day's ROUTINE (docs/protocol.md 12.2)."""
    box = outbox(item(1), item(2, PRIORITY), item(3, FLASH), item(4, IMMEDIATE), item(5), item(6, FLASH))
    assert leave(box) == [3, 6, 4, 2, 1, 5]


def test_what_takes_the_place_of_a_sealed_one_takes_no_second_place_in_the_window() -> None:
    """Of talk one is under way: nothing would follow it, for ever (docs/protocol.md 12.2, 23.4, 25.3)."""
    # docs/protocol.md 12.2, 23.4
    box = outbox(item(1, size=30), item(2))
    assert leave(box, messages=1) == [1]
    box.add(item(1, FLASH, size=20))
    assert (box.window_messages, box.window_bytes, box.bytes) == (0, 0, 30)
    assert box.in_custody(b"n1", "relay-1", 0) is None, "that was the envelope of the other one"
    assert leave(box, messages=1) == [1]
    box.remove(1, 0)
    assert leave(box, messages=1) == [2]
    assert box.bytes == 10


def test_the_window_holds_back_all_but_the_urgent() -> None:
    """A slow line would be filled for minutes before the FLASH gets through (docs/protocol.md 12.2)."""
    box = outbox(*(item(n) for n in range(1, 6)))
    assert leave(box, messages=2) == [1, 2]
    box.add(item(6, IMMEDIATE))
    box.add(item(7, FLASH))
    assert leave(box, messages=2) == [7, 6]
    assert box.window_messages == 4
    box.remove(1, 0)
    box.in_custody(b"n6", "relay-1", 0)
    assert leave(box, messages=2) == []
    box.remove(2, 0)
    box.remove(7, 0)
    assert leave(box, messages=2) == [3, 4]


def test_the_window_counts_bytes_and_lets_one_long_statement_through() -> None:
    """A statement longer than the window would never leave (docs/protocol.md 12.2 and 12.9)."""
    box = outbox(item(1, size=500), item(2, size=60), item(3, size=40), item(4, size=1))
    assert leave(box, size=100) == [1]
    box.in_custody(b"n1", "relay-1", 0)
    assert leave(box, size=100) == [2, 3]
    assert box.window_bytes == 100


def test_custody_leaves_the_window_once_and_is_news_once_for_each_relay() -> None:
    """Two relays that sign for one envelope would open the window twice; one could write our ledger full."""
    box = outbox(item(1), item(2))
    leave(box)
    assert box.in_custody(b"n1", "relay-1", 0) is box.pending[1]
    assert box.in_custody(b"n1", "relay-1", 0) is None
    assert box.in_custody(b"n1", "relay-2", 0) is box.pending[1]
    assert box.in_custody(b"n9", "relay-1", 0) is None
    assert (box.window_messages, box.window_bytes) == (1, 10)
    assert box.pending[1].custody == {"relay-1", "relay-2"}
    box.remove(1, 0)
    assert box.in_custody(b"n1", "relay-3", 0) is None
    assert (box.window_messages, box.window_bytes, box.bytes) == (1, 10, 10)


def test_a_worthless_envelope_is_replaced_and_its_custody_with_it() -> None:
    """The relays would be believed to hold something that the peer cannot open."""
    box = outbox(item(1))
    leave(box)
    box.in_custody(b"n1", "relay-1", 0)
    box.unseal(box.pending[1])
    assert box.pending[1].envelope is None
    assert box.pending[1].custody == set()
    assert box.in_custody(b"n1", "relay-1", 0) is None
    assert leave(box) == [1]
    assert box.window_messages == 1
    box.sealed(box.pending[1], b"e2", b"n2", 0)
    assert box.window_messages == 1
    assert box.in_custody(b"n1", "relay-1", 0) is None
    assert box.in_custody(b"n2", "relay-1", 0) is not None


def test_only_the_last_schedule_counts() -> None:
    """A statement would be repeated by every timer that was ever set for it."""
    box = outbox(item(1), item(2))
    leave(box)
    box.schedule(box.pending[1], 100)
    box.schedule(box.pending[1], 300)
    box.schedule(box.pending[2], 200)
    assert box.next_deadline() == 200
    assert list(box.due_retries(199)) == []
    assert [each.serial for each in box.due_retries(250)] == [2]
    assert [each.serial for each in box.due_retries(300)] == [1]
    assert list(box.due_retries(10_000)) == []


def test_nobody_is_woken_up_for_what_was_delivered() -> None:
    """Each statement would cost a second step, when the timer for its repetition ran out."""
    box = outbox(item(1, expires_at=300), item(2, expires_at=900))
    leave(box)
    box.schedule(box.pending[1], 100)
    box.schedule(box.pending[2], 200)
    box.remove(1, 50)
    assert box.next_deadline() == 200
    box.unseal(box.pending[2])
    assert box.next_deadline() == 900
    box.remove(2, 60)
    assert box.next_deadline() is None


def test_what_is_gone_or_not_sealed_is_not_repeated() -> None:
    """An acknowledged statement would be sent again."""
    box = outbox(item(1), item(2))
    leave(box)
    box.schedule(box.pending[1], 5)
    box.schedule(box.pending[2], 5)
    box.remove(1, 1)
    box.unseal(box.pending[2])
    assert list(box.due_retries(10)) == []


def test_a_void_one_is_repeated_also_when_its_time_is_over() -> None:
    """Nobody would wake up for it, and the gap would stay open (docs/protocol.md 12.7)."""
    box = outbox(item(1, expires_at=50))
    box.pending[1].is_void = True
    leave(box)
    box.schedule(box.pending[1], 70)
    assert list(box.due_expiries(60)) == []
    assert box.next_deadline() == 70


def test_each_statement_expires_once_and_a_void_one_never() -> None:
    """The officer would be told twice, or the void that closes the gap would expire itself."""
    box = outbox(item(1, expires_at=100), item(2, expires_at=50), item(3, expires_at=50))
    box.pending[3].is_void = True
    assert box.next_deadline() == 50
    assert [each.serial for each in box.due_expiries(99)] == [2]
    assert list(box.due_expiries(99)) == []
    box.remove(1, 99)
    assert list(box.due_expiries(100)) == []


def test_delivered_high_is_the_end_of_the_unbroken_run_and_keeps_its_time() -> None:
    """A peer that lost its disk would not be noticed, or one that did not would be sent everything again."""
    box = outbox(*(item(n) for n in range(11, 15)), last=10)
    assert box.delivered_through == 10
    assert box.delivered_high == 10
    box.remove(12, 5)
    assert (box.delivered_through, box.delivered_high, box.delivered_since) == (10, 10, 0)
    assert box.moved_at == 5, "what is acknowledged moves (docs/protocol.md 25.3)"
    box.remove(11, 7)
    assert (box.delivered_through, box.delivered_high, box.delivered_since) == (12, 12, 7)
    box.remove(13, 8)
    box.remove(14, 9)
    assert (box.delivered_high, box.delivered_since, box.last_serial) == (14, 9, 14)
    assert box.remove(14, 10) is None
    box.add(item(12))
    assert (box.delivered_through, box.delivered_high) == (11, 14)
    box.restored()
    assert box.delivered_high == 11


@given(
    st.lists(st.tuples(st.sampled_from(["add", "send", "custody", "ack", "unseal"]), st.integers(1, 12)), max_size=60)
)
def test_the_window_is_always_what_is_sealed_and_in_nobodys_custody(acts: list[tuple[str, int]]) -> None:
    """A miscount would close the window for ever, and nothing would leave any more."""
    box, serial = outbox(), 0
    for act, which in acts:
        chosen = box.pending.get(which)
        match act:
            case "add":
                serial += 1
                box.add(item(serial, content_pb2.Precedence.values()[1 + which % 4], size=which))
            case "send":
                leave(box, messages=3, size=30)
            case "custody":
                box.in_custody(b"n%d" % which, f"relay-{which % 2}", 0)
            case "ack":
                box.remove(which, which)
            case "unseal" if chosen is not None and chosen.envelope is not None:
                box.unseal(chosen)
        window = [each for each in box.pending.values() if each.envelope is not None and not each.custody]
        assert box.window_messages == len(window)
        assert box.window_bytes == sum(len(each.content) for each in window)
        assert box.bytes == sum(len(each.content) for each in box.pending.values())
    for each in list(box.pending):
        box.remove(each, 0)
    assert (box.window_messages, box.window_bytes, box.bytes) == (0, 0, 0)
    assert box.delivered_through == box.last_serial == serial


@pytest.mark.parametrize(
    ("precedence", "urgent"), [(ROUTINE, False), (PRIORITY, False), (IMMEDIATE, True), (FLASH, True)]
)
def test_urgent_means_immediate_and_flash(precedence: content_pb2.Precedence.ValueType, urgent: bool) -> None:
    """A ROUTINE would fill the narrow line, or a FLASH not use it."""
    assert item(1, precedence).urgent == urgent


def test_the_pace_is_told_what_each_showed_of_the_line() -> None:
    """The bound would follow what says nothing of the line (docs/protocol.md 12.2)."""
    box, told = outbox(item(1, size=10), item(2, size=20), item(3, size=30)), []
    box.pace.left = lambda size, sent_at, now, **more: told.append((size, sent_at, now, more))  # type: ignore[method-assign]
    for serial, at in ((1, 100), (2, 120)):
        chosen = box.next_to_send(2, PLENTY, at)
        assert chosen is not None
        assert chosen.serial == serial
        box.sealed(chosen, b"e", b"n%d" % serial, at)
    assert box.in_custody(b"n1", "relay-1", 130) is not None
    assert box.in_custody(b"n1", "relay-1", 131) is None, "that is no news"
    assert box.in_custody(b"n1", "relay-2", 132) is not None
    box.remove(1, 135)
    assert box.next_to_send(1, PLENTY, 0) is None
    box.remove(2, 140)
    waits = {"held_back": True}
    assert told == [(10, 100, 130, {"alone": True, "held_back": False}), (20, 120, 140, {"alone": False} | waits)]
    assert box.moved_at == 140
    chosen = box.next_to_send(1, PLENTY, 0)
    assert chosen is not None
    box.sealed(chosen, b"e", b"n3", 150)
    assert box.next_to_send(1, PLENTY, 0) is None
    box.remove(3, 160)
    assert told[2:] == [(30, 150, 160, {"alone": True, "held_back": False})], "nothing waits any more"


@pytest.mark.parametrize(
    ("serials", "removed", "high", "since"),
    [((1, 2, 3), (1,), 1, 50), ((1, 2, 3), (2,), 0, 0), ((1, 2, 3), (2, 1), 2, 51), ((1,), (1,), 1, 50)],
)
def test_since_when_the_peer_has_so_much(
    serials: tuple[int, ...], removed: tuple[int, ...], high: int, since: int
) -> None:
    """What is acknowledged would be offered again, or what was lost never (docs/protocol.md 12.6)."""
    box = outbox(*(item(serial) for serial in serials))
    box.restored()
    assert (box.delivered_high, box.delivered_since) == (0, 0)
    for later, serial in enumerate(removed):
        box.remove(serial, 50 + later)
    assert (box.delivered_high, box.delivered_since) == (high, since)


def test_what_is_under_way_is_busy_until_it_is_in_somebodys_hands() -> None:
    """Operators' talk would go before a statement, or never (docs/protocol.md 25.3)."""
    box = outbox(item(1))
    assert (box.waits, box.busy(0)) == (True, True)
    chosen = box.next_to_send(9, PLENTY, 0)
    assert chosen is not None
    box.sealed(chosen, b"e", b"n1", 100)
    assert (box.waits, box.busy(99), box.busy(100)) == (False, True, False)
    box.in_custody(b"n1", "relay-1", 110)
    assert not box.busy(0)
    box.unseal(chosen)
    assert box.busy(0)
    assert (chosen.envelope, chosen.name, chosen.custody, box.in_custody(b"n1", "relay-2", 120)) == (
        None,
        b"",
        set(),
        None,
    )


def test_what_only_closes_a_gap_leaves_after_all_else() -> None:
    """Who was told of a thousand serials that nobody gave out would wait for the next word (docs/protocol.md 12.2)."""
    filler = replace(item(1), is_void=True)
    box = outbox(filler, replace(item(2), is_void=True, original_hash=bytes(32)), item(3), item(4, PRIORITY))
    assert leave(box) == [4, 2, 3, 1]
    box.unseal(filler)
    box.add(item(5))
    assert leave(box) == [5, 1]
    assert box.owed == 4
