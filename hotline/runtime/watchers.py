"""Who watches a terminal, and what they are told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
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
        self._unheard: dict[str, list[tuple[object, operator_pb2.WatchResponse]]] = {window: [] for window in windows}
        """Alarms with their names."""

    def add(self, window: str = "") -> asyncio.Queue[operator_pb2.WatchResponse]:
        """The queue of a new watcher at `window`; first the alarms that were raised while nobody watched there."""
        queue: asyncio.Queue[operator_pb2.WatchResponse] = asyncio.Queue(WATCH_QUEUE_MAX)
        for _, event in self._unheard[window]:
            queue.put_nowait(event)
        self._unheard[window].clear()
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
                self._wait(window, delivery.fields["name"], event)
        for queue, watching in self._queues.items():
            if watching.window in windows:
                _give(queue, watching, event)

    def _wait(self, window: str, name: object, event: operator_pb2.WatchResponse) -> None:
        """Until somebody watches there. Of too many the oldest of the most frequent name goes: it hides no other."""
        unheard = self._unheard[window]
        unheard.append((name, event))
        if len(unheard) > UNHEARD_ALARMS_MAX:
            (most, _), *_ = Counter(one for one, _ in unheard).most_common(1)
            del unheard[[one for one, _ in unheard].index(most)]


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
