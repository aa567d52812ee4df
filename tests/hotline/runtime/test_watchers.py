"""Who watches a terminal hears what matters, also what was said when nobody listened."""

from __future__ import annotations

import asyncio
import json

from hotline.limits import UNHEARD_ALARMS_MAX, WATCH_QUEUE_MAX
from hotline.machine import Delivery
from hotline.runtime.watchers import Watchers
from hotline.wire.v1 import operator_pb2


def told(queue: asyncio.Queue[operator_pb2.WatchResponse]) -> list[tuple[str, dict[str, object]]]:
    """Everything that waits for one watcher."""
    return [(event.kind, json.loads(event.json)) for event in (queue.get_nowait() for _ in range(queue.qsize()))]


def alarm(number: int) -> Delivery:
    return Delivery("alarm", {"name": "log-epoch", "number": number})


async def test_an_alarm_of_the_start_is_heard_by_the_first_who_watches() -> None:
    """A daemon finds at its start that its disk is an old one, and nobody can be connected by then."""
    # docs/protocol.md 14.4
    watchers = Watchers()
    watchers.tell(Delivery("path", {"path": "relay-1"}))
    watchers.tell(alarm(1))
    first, second = watchers.add(), watchers.add()
    watchers.tell(alarm(2))
    assert told(first) == [("alarm", {"name": "log-epoch", "number": 1}), ("alarm", {"name": "log-epoch", "number": 2})]
    assert told(second) == [("alarm", {"name": "log-epoch", "number": 2})], "once somebody heard it, it is heard"


async def test_unheard_alarms_are_bounded_and_the_newest_stay() -> None:
    """A terminal that nobody looks at for a year would fill its memory."""
    watchers = Watchers()
    for number in range(UNHEARD_ALARMS_MAX + 5):
        watchers.tell(alarm(number))
    numbers = [fields["number"] for _, fields in told(watchers.add())]
    assert numbers == list(range(5, UNHEARD_ALARMS_MAX + 5))


async def test_a_slow_watcher_is_told_how_many_events_it_missed() -> None:
    """It would take what it heard for everything (docs/protocol.md 14.5)."""
    watchers = Watchers()
    queue = watchers.add()
    for number in range(WATCH_QUEUE_MAX + 3):
        watchers.tell(alarm(number))
    assert len(told(queue)) == WATCH_QUEUE_MAX
    watchers.tell(alarm(9))
    assert told(queue) == [("missed", {"events": 3}), ("alarm", {"name": "log-epoch", "number": 9})]
