"""What one terminal has not taken yet: bounded, ordered, and never one envelope for another."""

from __future__ import annotations

import pytest

from hotline.limits import MAILBOX_BYTES_MAX, MAILBOX_ENVELOPES_MAX
from hotline.wire.envelope import Header
from relay.mailbox import Admission, Held, Mailbox

ALPHA, BRAVO, CHARLIE = 1, 2, 3
SHARE = MAILBOX_ENVELOPES_MAX // 2 // 3
"""Of each of three senders."""


def _held(number: int, size: int = 10, stored_at: int = 0, sender: int = ALPHA) -> Held:
    identifier = Header(0, 9, sender, b"e" * 12, number).encode()[4:]
    return Held(identifier, b"name-%d" % number, b"f" * size, stored_at)


def _judge(mailbox: Mailbox, held: Held) -> Admission:
    return mailbox.judge(held.envelope_id, held.name, len(held.frame))


def test_order_of_arrival_is_kept() -> None:
    """Out of order, a terminal that comes back after a night would hold back most of what it receives."""
    mailbox = Mailbox([ALPHA])
    for number in (3, 1, 2):
        mailbox.put(_held(number))
    mailbox.take(_held(1).envelope_id)
    assert [held.name for held in mailbox] == [b"name-3", b"name-2"]


def test_count_bound_is_exact_and_room_comes_back() -> None:
    """A mailbox that stays full after it was emptied is a path that is dead until the relay restarts."""
    mailbox = Mailbox([ALPHA])
    for number in range(MAILBOX_ENVELOPES_MAX):
        assert _judge(mailbox, _held(number)) is Admission.NEW
        mailbox.put(_held(number))
    assert _judge(mailbox, _held(2**32 - 1)) is Admission.FULL
    assert _judge(mailbox, _held(5)) is Admission.REPEAT
    assert mailbox.take(_held(5).envelope_id) == _held(5)
    assert _judge(mailbox, _held(5)) is Admission.NEW


def test_byte_bound_is_exact() -> None:
    """Without it, few large envelopes fill the relay's disk."""
    mailbox = Mailbox([ALPHA])
    half = MAILBOX_BYTES_MAX // 2
    mailbox.put(_held(1, half))
    assert _judge(mailbox, _held(2, MAILBOX_BYTES_MAX - half)) is Admission.NEW
    assert _judge(mailbox, _held(2, MAILBOX_BYTES_MAX - half + 1)) is Admission.FULL
    mailbox.put(_held(2, MAILBOX_BYTES_MAX - half))
    assert mailbox.size == MAILBOX_BYTES_MAX
    mailbox.take(_held(1).envelope_id)
    mailbox.take(_held(1).envelope_id)
    assert mailbox.size == MAILBOX_BYTES_MAX - half


def test_same_id_with_other_bytes_is_a_clash() -> None:
    """If the second replaced the first, custody would have been signed for bytes that are gone."""
    mailbox = Mailbox([ALPHA])
    mailbox.put(_held(1))
    assert mailbox.judge(_held(1).envelope_id, b"other", 10) is Admission.CLASH
    assert _judge(mailbox, _held(1)) is Admission.REPEAT


def test_age_is_judged_by_the_time_of_storing() -> None:
    """An envelope dropped too early is lost for a terminal that was off for the weekend."""
    mailbox = Mailbox([ALPHA])
    for number in (10, 20, 30):
        mailbox.put(_held(number, stored_at=number))
    assert [held.stored_at for held in mailbox.older_than(20)] == [10]


def _fill(mailbox: Mailbox, sender: int, size: int = 10) -> int:
    """How many envelopes of `sender` were held."""
    for number in range(MAILBOX_ENVELOPES_MAX + 1):
        held = _held(number, size, sender=sender)
        if _judge(mailbox, held) is not Admission.NEW:
            return number
        mailbox.put(held)
    pytest.fail("a mailbox without end")


def test_no_sender_fills_a_mailbox_for_the_others() -> None:
    """A capital that floods another one that is away would keep a third from leaving word for it."""
    # docs/protocol.md 5.24
    mailbox = Mailbox([ALPHA, BRAVO, CHARLIE])
    assert _fill(mailbox, ALPHA) == MAILBOX_ENVELOPES_MAX - 2 * SHARE
    assert (_fill(mailbox, BRAVO), _fill(mailbox, CHARLIE)) == (SHARE, SHARE)
    assert len(mailbox) == MAILBOX_ENVELOPES_MAX
    mailbox.take(_held(0, sender=ALPHA).envelope_id)
    assert _judge(mailbox, _held(SHARE, sender=BRAVO)) is Admission.NEW, (
        "what nobody's share holds goes to who comes first"
    )
    mailbox.put(_held(SHARE, sender=BRAVO))
    mailbox.take(_held(0, sender=BRAVO).envelope_id)
    mailbox.take(_held(1, sender=BRAVO).envelope_id)
    assert _judge(mailbox, _held(0, sender=ALPHA)) is Admission.NEW
    mailbox.put(_held(0, sender=ALPHA))
    assert _judge(mailbox, _held(MAILBOX_ENVELOPES_MAX, sender=ALPHA)) is Admission.FULL, (
        "a share that was used is kept again"
    )


def test_no_sender_takes_all_bytes_of_a_mailbox() -> None:
    """A few hundred long statements would do the same."""
    # docs/protocol.md 5.24
    mailbox, size = Mailbox([ALPHA, BRAVO]), MAILBOX_BYTES_MAX // 64
    assert (_fill(mailbox, ALPHA, size), _fill(mailbox, BRAVO, size)) == (48, 16)


def test_a_sender_whom_the_charter_has_left_has_no_share() -> None:
    """What waits of it counts, it is owed no room, and no mailbox has room for more than all."""
    # docs/protocol.md 5.24
    mailbox = Mailbox([ALPHA, BRAVO])
    for number in range(MAILBOX_ENVELOPES_MAX):
        mailbox.put(_held(number, sender=CHARLIE))
    assert _judge(mailbox, _held(0, sender=ALPHA)) is Admission.FULL
    mailbox.take(_held(0, sender=CHARLIE).envelope_id)
    assert _judge(mailbox, _held(0, sender=ALPHA)) is Admission.NEW
    assert _judge(mailbox, _held(0, sender=CHARLIE)) is Admission.FULL
