"""The sequencer: one place per entry, times that never go back, nothing counted before it is durable."""

from __future__ import annotations

from random import Random

import pytest

from hotline.errors import Untrusted
from hotline.ledger.checkpoint import open_checkpoint
from hotline.ledger.log import FREEZE, OPEN, VOUCHED, Ledger, Segment, Staged
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import EMPTY_ROOT, Frontier
from hotline.machine import Private, Record
from tests.hotline.ledger.specimen import BASE, KEY, ORIGIN, VERIFIER, WALL


def ledger(last_ts: int = 0) -> Ledger:
    made = Ledger(BASE, KEY, 1, Frontier(), last_ts, Random(1).randbytes)
    made.signing = True
    return made


def only(staged: Staged) -> Segment:
    (segment,) = staged.segments
    return segment


def opens(segment: Segment, origin: str) -> bool:
    try:
        return open_checkpoint(segment.note, origin, Ed25519Verifier(origin, KEY.public)) == segment.checkpoint
    except Untrusted:
        return False


def test_times_never_go_back_and_a_late_clock_is_written_down() -> None:
    """A clock set back would put an entry before its cause (docs/protocol.md 13.13)."""
    log = ledger()
    first = log.stage([Record("a")], WALL)
    log.accept(first)
    second = log.stage([Record("b")], WALL - 86_400_000)
    leaves = [parse_leaf(only(staged).entries[0].leaf) for staged in (first, second)]
    assert leaves[1].ts == leaves[0].ts
    assert leaves[1].fields == {"clock": WALL - 86_400_000}


def test_a_staged_transaction_that_is_not_accepted_leaves_no_trace() -> None:
    """A failed commit would leave a hole in the sequence."""
    log = ledger()
    log.stage([Record("lost")], WALL)
    assert log.size == 0
    assert only(log.stage([Record("kept")], WALL)).entries[0].seq == 0


def test_a_clock_a_little_behind_is_no_news() -> None:
    """Every correction of a clock by a few milliseconds would fill the record with remarks."""
    log = ledger(WALL)
    for behind, said in ((1_000, {}), (1_001, {"clock": WALL - 1_001})):
        assert parse_leaf(only(log.stage([Record("a")], WALL - behind)).entries[0].leaf).fields == said


def test_the_head_is_what_was_accepted_and_signed() -> None:
    """We would tell the peer of a head that no stored checkpoint bears out: evidence against ourselves."""
    # docs/protocol.md 13.2
    log = ledger()
    assert (log.head.size, log.head.root) == (0, EMPTY_ROOT)
    staged = log.stage([Record("a"), Record("b"), Record("c")], WALL)
    assert log.head.size == 0
    log.accept(staged)
    segment = only(staged)
    assert log.head == segment.checkpoint == open_checkpoint(segment.note, ORIGIN, VERIFIER)
    assert [(node.level, node.position) for completed in segment.nodes for node in completed] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (0, 2),
    ]


def test_nothing_is_signed_for_others_before_somebody_vouches() -> None:
    """A terminal put back to an old state would sign a second history before it learns of the first."""
    log = Ledger(BASE, KEY, 1, Frontier(), 0, Random(1).randbytes)
    early = log.stage([Record("daemon.start")], WALL)
    log.accept(early)
    assert not only(early).vouched
    assert opens(only(early), f"{ORIGIN}/unvouched")
    assert not opens(only(early), ORIGIN)
    later = log.stage([Record(VOUCHED, {"by": "x"})], WALL)
    log.accept(later)
    assert only(later).vouched
    assert opens(only(later), ORIGIN)
    assert opens(only(log.stage([Record("a")], WALL)), ORIGIN)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_new_log_leaves_the_old_one_unsigned_unless_it_was_frozen(freeze: bool) -> None:
    """What was seen larger than it is would be signed once more, and convict an honest terminal."""
    # docs/protocol.md 13.5
    log = ledger()
    log.accept(log.stage([Record("a")], WALL))
    last = [Record(FREEZE)] if freeze else []
    opening = Record(OPEN, {"log_epoch": 3, "reason": "x"})
    staged = log.stage([Record("b"), *last, opening, Record("c")], WALL)
    old, new = staged.segments
    assert (old.epoch, new.epoch, log.epoch) == (1, 3, 1)
    assert opens(old, ORIGIN) is freeze
    assert opens(new, f"{BASE}/3")
    log.accept(staged)
    assert (log.epoch, log.origin, log.size) == (3, f"{BASE}/3", 2)
    leaf = parse_leaf(new.entries[0].leaf)
    assert (leaf.seq, leaf.epoch, leaf.type) == (0, 3, OPEN)
    assert leaf.fields["previous"] == ORIGIN
    assert leaf.fields["size"] == old.checkpoint.size
    assert leaf.fields["root"] == old.checkpoint.root.hex()


def test_private_values_are_committed_to_and_come_back_as_openings() -> None:
    """A text would stand in the record itself, or could never be shown to belong to it, or would be kept twice."""
    # docs/protocol.md 13.12
    from hotline.ledger.record import Opening, check_opening

    log = ledger()
    record = Record("msg", {"serial": 1}, {"body": Private(b"text", b"s" * 32), "drafter": Private(b"watch")})
    entry = only(log.stage([record], WALL)).entries[0]
    leaf = parse_leaf(entry.leaf)
    assert b"watch" not in entry.leaf
    assert set(leaf.commit) == {"body", "drafter"}
    for opening in entry.openings:
        check_opening(leaf, opening)
    (drafter,) = entry.openings
    body = Opening("body", b"s" * 32, b"text")  # its salt came with it and is kept with it
    check_opening(leaf, body)
    for wrong in (
        Opening("body", drafter.salt, body.value),
        Opening("body", body.salt, b"texT"),
        Opening("drafter", body.salt, body.value),
        Opening("other", body.salt, body.value),
    ):
        with pytest.raises(Untrusted):
            check_opening(leaf, wrong)


def test_a_new_log_that_opens_the_transaction_leaves_no_empty_segment() -> None:
    """A head over nothing new would be signed under the log that was left (docs/protocol.md 13.5)."""
    log = ledger()
    log.accept(log.stage([Record("a")], WALL))
    segment = only(log.stage([Record(OPEN, {"log_epoch": 2, "reason": "restored"}), Record("b")], WALL))
    assert segment.epoch == 2
    first = parse_leaf(segment.entries[0].leaf)
    assert (first.fields["previous"], first.fields["size"], first.fields["root"]) == (ORIGIN, 1, log.head.root.hex())
    assert [parse_leaf(entry.leaf).seq for entry in segment.entries] == [0, 1]
