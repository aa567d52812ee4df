"""Who watches a terminal, and what they are told."""

from __future__ import annotations

import asyncio
import json
from collections import deque

from hotline.limits import UNHEARD_ALARMS_MAX, WATCH_QUEUE_MAX
from hotline.machine import Delivery
from hotline.runtime.driver import system_clock
from hotline.wire.v1 import operator_pb2


class Watchers:
    """Everyone who watches; a slow one is told how many events it missed."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[operator_pb2.WatchResponse], int] = {}
        self._unheard: deque[operator_pb2.WatchResponse] = deque(maxlen=UNHEARD_ALARMS_MAX)

    def add(self) -> asyncio.Queue[operator_pb2.WatchResponse]:
        """A new watcher's queue. Alarms that were raised while nobody watched come first, with their own times."""
        queue: asyncio.Queue[operator_pb2.WatchResponse] = asyncio.Queue(WATCH_QUEUE_MAX)
        for alarm in self._unheard:
            queue.put_nowait(alarm)
        self._unheard.clear()
        self._queues[queue] = 0
        return queue

    def remove(self, queue: asyncio.Queue[operator_pb2.WatchResponse]) -> None:
        """The watcher is gone."""
        self._queues.pop(queue, None)

    def tell(self, delivery: Delivery) -> None:
        """Give one event to everyone."""
        if not self._queues and delivery.kind != "alarm":
            return
        fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in delivery.fields.items()}
        event = operator_pb2.WatchResponse(
            time_ms=system_clock().wall, kind=delivery.kind, json=json.dumps(fields, sort_keys=True)
        )
        if not self._queues:
            self._unheard.append(event)
        for queue in self._queues:
            if queue.full():
                self._queues[queue] += 1
                continue
            missed = self._queues[queue]
            if missed and queue.qsize() < WATCH_QUEUE_MAX - 1:
                self._queues[queue] = 0
                queue.put_nowait(
                    operator_pb2.WatchResponse(
                        time_ms=event.time_ms, kind="missed", json=json.dumps({"events": missed})
                    )
                )
            queue.put_nowait(event)
