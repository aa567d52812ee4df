"""READ receipts under way: repeated until noted, and bounded."""

from __future__ import annotations

from hotline.limits import READ_RECEIPTS_PENDING_MAX
from hotline.machine import Plane
from hotline.protocol.receipts import LadderReceipts, Unnoted
from hotline.wire.v1 import content_pb2


def unnoted(serial: int, plane: Plane = Plane.REAL, retry_at: int | None = 0) -> Unnoted:
    return Unnoted(plane, serial, serial.to_bytes(32, "big"), "watch", 0, retry_at=retry_at)


def test_a_receipt_is_due_until_the_peer_has_noted_exactly_it() -> None:
    """The sender would never learn that it was read, or the wrong word would end the telling."""
    reads = LadderReceipts()
    reads.add(unnoted(1, retry_at=50))
    assert reads.next_deadline() == 50
    assert reads.due(49) == []
    assert [item.serial for item in reads.due(50)] == [1]
    assert not reads.noted(Plane.EXERCISE, 1, (1).to_bytes(32, "big"))
    assert not reads.noted(Plane.REAL, 2, (1).to_bytes(32, "big"))
    assert not reads.noted(Plane.REAL, 1, bytes(32))
    assert reads.noted(Plane.REAL, 1, (1).to_bytes(32, "big"))
    assert not reads.noted(Plane.REAL, 1, (1).to_bytes(32, "big"))
    assert reads.due(10**9) == []
    assert reads.next_deadline() is None


def test_planes_do_not_share_serials() -> None:
    """Reading an exercise statement would count as reading the real one."""
    reads = LadderReceipts()
    reads.add(unnoted(1))
    reads.add(unnoted(1, Plane.EXERCISE))
    assert len(reads) == 2
    assert reads.noted(Plane.EXERCISE, 1, (1).to_bytes(32, "big"))
    assert [item.plane for item in reads.due(0)] == [Plane.REAL]


def test_the_oldest_is_given_up_beyond_the_bound() -> None:
    """A peer that never notes would fill memory and line."""
    reads = LadderReceipts()
    for serial in range(1, READ_RECEIPTS_PENDING_MAX + 1):
        assert reads.add(unnoted(serial)) == []
    assert reads.add(unnoted(9_999)) == [(Plane.REAL, 1, content_pb2.STAGE_READ)]
    assert len(reads) == READ_RECEIPTS_PENDING_MAX
    assert min(item.serial for item in reads.due(0)) == 2


def test_everything_becomes_due_when_the_peer_returns() -> None:
    """A READ from the night would wait for its long timer in the morning."""
    reads = LadderReceipts()
    reads.add(unnoted(1, retry_at=10**9))
    reads.add(unnoted(2, retry_at=None))
    assert reads.due(7) == []
    reads.all_now(7)
    assert [item.serial for item in reads.due(7)] == [1, 2]
