"""The history of channel tests for people, as the tables hold it (docs/protocol.md 10.7 to 10.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hotline.machine import Plane
from hotline.runtime.lookups import Lookups
from hotline.runtime.views import LISTED_AT_ONCE
from hotline.wire.v1 import operator_pb2

StatementOf = Callable[[Plane, int], operator_pb2.StatementView | None]
"""One statement and what is known of its way."""


async def channel_tests(
    store: Lookups, sent: StatementOf, received: StatementOf, limit: int
) -> list[operator_pb2.ChannelTest]:
    """The last `limit` tests sent, received and missed, newest last. Raises StorageError."""
    found = []
    rows = store.query("SELECT at, way, serial FROM channel_test ORDER BY at DESC, serial DESC LIMIT ?", (limit,))
    for at, way, serial in rows:
        test = operator_pb2.ChannelTest(time_ms=at, way=way)
        view = {"sent": sent, "received": received}[way](Plane.REAL, serial) if serial else None
        if view is not None:
            test.statement.CopyFrom(view)
        found.append(test)
        if len(found) % LISTED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return found[::-1]
