"""Who watches a terminal, and what they are told."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from hotline.limits import UNHEARD_ALARMS_MAX, WATCH_QUEUE_MAX
from hotline.machine import Delivery
from hotline.runtime.driver import system_clock
from hotline.wire.v1 import operator_pb2


class Watchers:
    """Everyone who watches; a slow one is told how many events it missed.

    There is a window for each of several other parties, and one where there is one other. At a window is heard what is
    about its party, and what is about none of them.
    """

    def __init__(self, windows: Sequence[str] = ("",)) -> None:
        self._queues: dict[asyncio.Queue[operator_pb2.WatchResponse], _Watching] = {}
        self._unheard: dict[str, deque[operator_pb2.WatchResponse]] = {
            window: deque(maxlen=UNHEARD_ALARMS_MAX) for window in windows
        }

    def add(self, window: str = "") -> asyncio.Queue[operator_pb2.WatchResponse]:
        """The queue of a new watcher at `window`; first the alarms that were raised while nobody watched there."""
        queue: asyncio.Queue[operator_pb2.WatchResponse] = asyncio.Queue(WATCH_QUEUE_MAX)
        unheard = self._unheard[window]
        while unheard:
            queue.put_nowait(unheard.popleft())
        self._queues[queue] = _Watching(window)
        return queue

    def remove(self, queue: asyncio.Queue[operator_pb2.WatchResponse]) -> None:
        """The watcher is gone."""
        self._queues.pop(queue, None)

    def tell(self, delivery: Delivery) -> None:
        """Give one event to everyone whom it concerns."""
        if not self._queues and delivery.kind != "alarm":
            return
        fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in delivery.fields.items()}
        event = operator_pb2.WatchResponse(
            time_ms=system_clock().wall, kind=delivery.kind, json=json.dumps(fields, sort_keys=True)
        )
        about = delivery.fields.get("party")
        windows = {window for window in self._unheard if about is None or window in ("", about)}
        watched = {watching.window for watching in self._queues.values()}
        if delivery.kind == "alarm":
            for window in windows - watched:
                self._unheard[window].append(event)
        for queue, watching in self._queues.items():
            if watching.window in windows:
                _give(queue, watching, event)


@dataclass(slots=True)
class _Watching:
    """Where somebody sits, and how many events they were too slow for."""

    window: str
    missed: int = 0


def _give(
    queue: asyncio.Queue[operator_pb2.WatchResponse], watching: _Watching, event: operator_pb2.WatchResponse
) -> None:
    if queue.full():
        watching.missed += 1
        return
    if watching.missed and queue.qsize() < WATCH_QUEUE_MAX - 1:
        missed = json.dumps({"events": watching.missed})
        watching.missed = 0
        queue.put_nowait(operator_pb2.WatchResponse(time_ms=event.time_ms, kind="missed", json=missed))
    queue.put_nowait(event)
