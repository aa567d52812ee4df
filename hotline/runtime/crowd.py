"""Who gives way where there are too many connections (docs/protocol.md 13.17, 14.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

ConnectionT = TypeVar("ConnectionT")


def who_gives_way(connections: Mapping[ConnectionT, Hashable], most: int) -> ConnectionT | None:
    """Of more than `most` connections, oldest first and whose each is, the oldest of whoever has most; else None."""
    if len(connections) <= most:
        return None
    counted = Counter(connections.values())
    crowd = max(counted.values())
    return next(one for one, holder in connections.items() if counted[holder] == crowd)
