"""Judges of parties with several terminals: one short storm, of which nobody complains, and a fault for each judge."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from hotline.machine import Instant, Plane
from hotline.protocol.answers import Answers
from hotline.protocol.inbox import Inbox
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import Pending
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.standing import Standing
from hotline.wire.v1 import content_pb2
from tests.simulator.planted import _any_order, _begins_no_term, _everything_new, _nothing, _takes_and_forgets
from tests.simulator.play import Result, play
from tests.simulator.schedule import Event, Schedule

STORM = """
3100 alpha says "real statement 1 of ALPHA" flash
3200 bravo says "real statement 2 of BRAVO" routine
4000 mute alpha relay-1 down for 3s
4000 mute alpha relay-2 down for 3s
4100 alpha says "real statement 3 of ALPHA" flash
8000 gust loss=0 duplicate=20 delay=2000 disk=1
8100 alpha says "real statement 4 of ALPHA" priority
8200 alpha says "real statement 5 of ALPHA" priority
8300 alpha says "real statement 6 of ALPHA" priority
8400 alpha says "real statement 7 of ALPHA" priority
14000 gust loss=0 duplicate=0 delay=5 disk=1
16000 part alpha bravo for 9s
16000 part alpha bravo-alt for 9s
16000 part alpha alpha-alt for 9s
16100 alpha says "real statement 8 of ALPHA" immediate
17000 alpha-alt speaks
17002 alpha-alt says "real statement 9 of ALPHA" immediate
26000 backup bravo-alt
26100 alpha-alt says "real statement 10 of ALPHA" flash
27500 restore bravo-alt
"""


def storm() -> Schedule:
    """Words in bad weather, a restore, and a takeover from a terminal that nobody hears."""
    lines = [line.split(" ", 1) for line in STORM.strip().splitlines()]
    events = tuple(Event(int(at), command) for at, command in lines)
    return Schedule(1, 2, "fibre", 28_500, events, alternates=("ALPHA", "BRAVO"))


def played() -> Result:
    return play(storm(), rest_ms=5_000)


def _again(self: Sending, plane: Plane, *what: Any) -> Pending:
    """Gives out the last serial once more."""
    for line in self._ctx.lines:
        line.outboxes[plane].last_serial = max(line.outboxes[plane].last_serial - 1, 0)
    return _true_say(self, plane, *what)


_true_say = Sending.say


def _quietly_dropped(self: Mirror, plane: Plane, item: Pending, now: Instant) -> None:
    self._drop(plane, item.serial, now)


def _unsigned_voice(self: Receiving, plane: Plane, statement: content_pb2.Statement, author: int) -> None:
    """Which terminal said it is not kept."""


def _twice(self: Sending, *what: Any, **how: Any) -> None:
    _true_fact(self, *what, **how)
    _true_fact(self, *what, **how)


_true_fact = Sending.fact


FAULTS: list[tuple[str, Any, str, Any]] = [
    ("order", Inbox, "accept", _any_order),
    ("twice", Inbox, "judge", _everything_new),
    ("lost", Answers, "offer_again", _nothing),
    ("told", Mirror, "_not_said", _quietly_dropped),
    ("legal", Sending, "fact", _twice),
    ("speaker", Standing, "begin", _begins_no_term),
    ("serial", Sending, "say", _again),
    ("record", Mirror, "_take", _takes_and_forgets),
    ("record", Receiving, "_note_voice", _unsigned_voice),
]


def test_nobody_complains_of_a_takeover_in_bad_weather() -> None:
    """What a fault is seen by would be the storm (docs/protocol.md 23.1 to 23.9)."""
    result = played()
    assert (result.judge, result.broken) == ("", "")
    assert result.accepted == 10


@pytest.mark.parametrize(("judge", "where", "name", "fault"), FAULTS, ids=[f"{one[0]}-{one[2]}" for one in FAULTS])
def test_each_judge_of_several_terminals_sees_its_fault(judge: str, where: Any, name: str, fault: Any) -> None:
    """A judge that sees nothing would let the product break that promise (docs/protocol.md 23.1 to 23.9)."""
    with patch.object(where, name, fault):
        assert played().judge == judge
