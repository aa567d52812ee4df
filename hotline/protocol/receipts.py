"""READ receipts are repeated until the peer has noted them (docs/protocol.md 9.4)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from hotline.limits import READ_RECEIPTS_PENDING_MAX
from hotline.machine import Plane


@dataclass(slots=True)
class Unnoted:
    """A READ receipt that the peer has not noted yet."""

    plane: Plane
    serial: int
    hash: bytes
    officer: str
    at: int
    attempts: int = 0
    retry_at: int | None = None


class ReadReceipts:
    """Our READ receipts under way, oldest first."""

    def __init__(self) -> None:
        self._pending: OrderedDict[tuple[Plane, int], Unnoted] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, item: Unnoted) -> list[tuple[Plane, int]]:
        """Repeat `item` until it is noted; returns the oldest ones that are given up because there are too many."""
        self._pending[item.plane, item.serial] = item
        given_up = []
        while len(self._pending) > READ_RECEIPTS_PENDING_MAX:
            key, _ = self._pending.popitem(last=False)
            given_up.append(key)
        return given_up

    def noted(self, plane: Plane, serial: int, statement: bytes) -> bool:
        """The peer has noted that this statement was read."""
        item = self._pending.get((plane, serial))
        if item is None or item.hash != statement:
            return False
        del self._pending[plane, serial]
        return True

    def due(self, now: int) -> list[Unnoted]:
        """Those to send now."""
        return [item for item in self._pending.values() if item.retry_at is not None and item.retry_at <= now]

    def of(self, plane: Plane) -> list[Unnoted]:
        """All of one plane, oldest first."""
        return [item for item in self._pending.values() if item.plane is plane]

    def all_now(self, now: int) -> None:
        """Everything is due at once: the peer cannot have opened what it was sealed in."""
        for item in self._pending.values():
            item.retry_at = now

    def next_deadline(self) -> int | None:
        """When the next one is due."""
        return min((item.retry_at for item in self._pending.values() if item.retry_at is not None), default=None)
