"""The sequencer: one place per entry, times that never go back, nothing counted before it is durable."""

from __future__ import annotations

from random import Random

from hotline.ledger.checkpoint import open_checkpoint
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Signer
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import EMPTY_ROOT, Frontier
from hotline.machine import Record
from tests.hotline.ledger.specimen import KEY, ORIGIN, WALL


def test_times_never_go_back_and_a_late_clock_is_written_down() -> None:
    """A clock set back would put an entry before its cause."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), 0, Random(1).randbytes)
    first = ledger.stage([Record("a")], WALL)
    ledger.accept(first)
    second = ledger.stage([Record("b")], WALL - 86_400_000)
    leaves = [parse_leaf(staged.entries[0].leaf) for staged in (first, second)]
    assert leaves[1].ts == leaves[0].ts
    assert leaves[1].fields == {"clock": WALL - 86_400_000}


def test_a_staged_transaction_that_is_not_accepted_leaves_no_trace() -> None:
    """A failed commit would leave a hole in the sequence."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), 0, Random(1).randbytes)
    ledger.stage([Record("lost")], WALL)
    assert ledger.size == 0
    assert ledger.stage([Record("kept")], WALL).entries[0].seq == 0


def test_a_clock_a_little_behind_is_no_news() -> None:
    """Every correction of a clock by a few milliseconds would fill the record with remarks."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), WALL, Random(1).randbytes)
    for behind, said in ((1_000, {}), (1_001, {"clock": WALL - 1_001})):
        assert parse_leaf(ledger.stage([Record("a")], WALL - behind).entries[0].leaf).fields == said


def test_the_head_is_what_was_accepted_and_signed() -> None:
    """We would tell the peer of a head that no stored checkpoint bears out: evidence against ourselves."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), 0, Random(1).randbytes)
    assert (ledger.head.size, ledger.head.root) == (0, EMPTY_ROOT)
    staged = ledger.stage([Record("a"), Record("b"), Record("c")], WALL)
    assert ledger.head.size == 0
    ledger.accept(staged)
    assert ledger.head == staged.checkpoint == open_checkpoint(staged.note, ORIGIN, KEY.public)
    assert [(node.level, node.position) for completed in staged.nodes for node in completed] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (0, 2),
    ]
