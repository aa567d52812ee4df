"""Who watches a terminal hears what matters, also what was said when nobody listened."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

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


async def test_an_alarm_waits_for_whoever_watches_the_window_of_its_party() -> None:
    """Who watched another capital's window took it away, and nobody ever heard it (docs/protocol.md 14.4, 26.8)."""
    watchers = Watchers(("BRAVO", "CHARLIE"))
    about = lambda party, number: replace(alarm(number), fields={**alarm(number).fields, "party": party})  # noqa: E731
    numbers = lambda queue: [fields["number"] for _, fields in told(queue)]  # noqa: E731
    watchers.tell(about("CHARLIE", 1))
    bravo = watchers.add("BRAVO")
    watchers.tell(about("CHARLIE", 2))
    watchers.tell(about("BRAVO", 3))
    watchers.tell(alarm(4))
    assert numbers(bravo) == [3, 4]
    charlie = watchers.add("CHARLIE")
    assert numbers(charlie) == [1, 2, 4], "what is about the terminal is told at every window"
    watchers.tell(about("BRAVO", 5))
    watchers.tell(alarm(6))
    assert (numbers(bravo), numbers(charlie)) == ([5, 6], [6])
    watchers.remove(charlie)
    watchers.tell(about("CHARLIE", 7))
    watchers.tell(about("DELTA", 8))
    assert (numbers(bravo), numbers(watchers.add("CHARLIE"))) == ([], [7])


async def test_the_events_of_one_window_crowd_out_none_of_another() -> None:
    """A capital that talks without end would keep the word of another one from its officer (docs/protocol.md 26.8)."""
    watchers = Watchers(("BRAVO", "CHARLIE"))
    queue = watchers.add("BRAVO")
    for _ in range(WATCH_QUEUE_MAX + 3):
        watchers.tell(Delivery("path", {"path": "relay-1", "party": "CHARLIE"}))
    watchers.tell(Delivery("path", {"path": "relay-1", "party": "BRAVO"}))
    assert told(queue) == [("path", {"path": "relay-1", "party": "BRAVO"})]


async def test_no_alarm_that_nobody_heard_is_lost_to_many_of_another_name() -> None:
    """Who begins logs without end, or promises answers, would hide that a line was cut (docs/protocol.md 14.4)."""
    watchers = Watchers()
    for name in ("no-path", "key-elsewhere"):
        watchers.tell(Delivery("alarm", {"name": name, "number": 0}))
    for number in range(3 * UNHEARD_ALARMS_MAX):
        watchers.tell(alarm(number))
    heard = [(fields["name"], fields["number"]) for _, fields in told(watchers.add())]
    assert heard[:2] == [("no-path", 0), ("key-elsewhere", 0)]
    assert heard[2:] == [("log-epoch", number) for number in range(2 * UNHEARD_ALARMS_MAX + 2, 3 * UNHEARD_ALARMS_MAX)]
    assert told(watchers.add()) == []
