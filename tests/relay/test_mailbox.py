"""What one terminal has not taken yet: bounded, ordered, and never one envelope for another."""

from __future__ import annotations

from hotline.limits import MAILBOX_BYTES_MAX, MAILBOX_ENVELOPES_MAX
from relay.mailbox import Admission, Held, Mailbox


def _held(number: int, size: int = 10, stored_at: int = 0) -> Held:
    return Held(number.to_bytes(18, "big"), b"name-%d" % number, b"f" * size, stored_at)


def _judge(mailbox: Mailbox, held: Held) -> Admission:
    return mailbox.judge(held.envelope_id, held.name, len(held.frame))


def test_order_of_arrival_is_kept() -> None:
    """Out of order, a terminal that comes back after a night would hold back most of what it receives."""
    mailbox = Mailbox()
    for number in (3, 1, 2):
        mailbox.put(_held(number))
    mailbox.take(_held(1).envelope_id)
    assert [held.name for held in mailbox] == [b"name-3", b"name-2"]


def test_count_bound_is_exact_and_room_comes_back() -> None:
    """A mailbox that stays full after it was emptied is a path that is dead until the relay restarts."""
    mailbox = Mailbox()
    for number in range(MAILBOX_ENVELOPES_MAX):
        assert _judge(mailbox, _held(number)) is Admission.NEW
        mailbox.put(_held(number))
    assert _judge(mailbox, _held(-1 % 2**64)) is Admission.FULL
    assert _judge(mailbox, _held(5)) is Admission.REPEAT
    assert mailbox.take(_held(5).envelope_id) == _held(5)
    assert _judge(mailbox, _held(5)) is Admission.NEW


def test_byte_bound_is_exact() -> None:
    """Without it, few large envelopes fill the relay's disk."""
    mailbox = Mailbox()
    half = MAILBOX_BYTES_MAX // 2
    mailbox.put(_held(1, half))
    assert _judge(mailbox, _held(2, MAILBOX_BYTES_MAX - half)) is Admission.NEW
    assert _judge(mailbox, _held(2, MAILBOX_BYTES_MAX - half + 1)) is Admission.FULL
    mailbox.put(_held(2, MAILBOX_BYTES_MAX - half))
    assert mailbox.bytes == MAILBOX_BYTES_MAX
    mailbox.take(_held(1).envelope_id)
    mailbox.take(_held(1).envelope_id)
    assert mailbox.bytes == MAILBOX_BYTES_MAX - half


def test_same_id_with_other_bytes_is_a_clash() -> None:
    """If the second replaced the first, custody would have been signed for bytes that are gone."""
    mailbox = Mailbox()
    mailbox.put(_held(1))
    assert mailbox.judge(_held(1).envelope_id, b"other", 10) is Admission.CLASH
    assert _judge(mailbox, _held(1)) is Admission.REPEAT


def test_age_is_judged_by_the_time_of_storing() -> None:
    """An envelope dropped too early is lost for a terminal that was off for the weekend."""
    mailbox = Mailbox()
    for number in (10, 20, 30):
        mailbox.put(_held(number, stored_at=number))
    assert [held.stored_at for held in mailbox.older_than(20)] == [10]
