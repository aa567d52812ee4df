"""Judges of parties with several terminals: one short storm, of which nobody complains, and a fault for each judge."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from hotline.machine import Instant, Plane
from hotline.protocol import challenges, handover
from hotline.protocol.again import Again
from hotline.protocol.charters import Charters
from hotline.protocol.context import Context
from hotline.protocol.early import EarlyAnswers
from hotline.protocol.inbox import Inbox
from hotline.protocol.ladder import Ladder
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import Pending
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.standing import Standing
from hotline.wire.v1 import content_pb2
from tests.simulator import misdeeds
from tests.simulator.planted import (
    _any_order,
    _begins_no_term,
    _everything_new,
    _no_verdict,
    _nothing,
    _takes_and_forgets,
    _yes,
)
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


WATCH = """
3000 alpha says "real statement 1 of ALPHA" routine
3100 bravo says "real statement 2 of BRAVO" routine
3500 alpha activates 2
3600 bravo activates 2
3700 alpha-alt activates 2
4500 alpha goes-through called-away 7
4600 alpha-alt goes-through unanswered 7
5000 part alpha-alt bravo for 9s
5000 part alpha-alt bravo-alt for 9s
5500 bravo challenges 0 theirs
6500 alpha reads all
7500 alpha confirms yes
8500 crash alpha-alt for 1s
9000 part bravo bravo-alt for 3s
9100 bravo-alt reads all
10000 crash bravo-alt for 1s
13000 bravo-alt activates 2
14500 slow-disk alpha-alt 1000ms for 2s
14600 alpha challenges 0 theirs
16600 alpha-alt speaks
16900 crash bravo for 4s
17000 alpha-alt says "real statement 3 of ALPHA" routine
18000 alpha-alt hands-over at-once
18000 alpha hands-over at-once
"""


UNHEARD = """
3000 alpha-alt speaks
4000 part alpha-alt alpha for 4s
4000 part alpha-alt bravo for 4s
4000 part alpha-alt bravo-alt for 4s
4100 alpha speaks
4300 alpha says "real statement 1 of ALPHA" flash
4600 alpha rests
"""


def _names(faults: list[tuple[str, Any, str, Any]]) -> list[str]:
    return [f"{judge}-{name}-{getattr(fault, '__name__', '')}" for judge, _, name, fault in faults]


def schedule(text: str, end: int, amendments: int = 0) -> Schedule:
    lines = [line.split(" ", 1) for line in text.strip().splitlines()]
    events = tuple(Event(int(at), command) for at, command in lines)
    return Schedule(1, 2, "fibre", end, events, alternates=("ALPHA", "BRAVO"), amendments=amendments)


def played() -> Result:
    """Words in bad weather, a restore, and a takeover from a terminal that nobody hears."""
    return play(schedule(STORM, 28_500), rest_ms=5_000)


def watched() -> Result:
    """An amendment, and watches that read, answer, go through checklists and hand over, some of them cut off."""
    return play(schedule(WATCH, 20_000, amendments=1), rest_ms=5_000)


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
    ("lost", Again, "offer", _nothing),
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


def test_somebody_speaks_in_the_end_where_one_has_not_heard_that_it_was_followed() -> None:
    """Who followed it was made to stand by: the product would be blamed (docs/protocol.md 23.3)."""
    result = play(schedule(UNHEARD, 5_000), rest_ms=5_000)
    assert (result.judge, result.broken, result.played["takeover"]) == ("", "", 2)


OF_WATCHES: list[tuple[str, Any, str, Any]] = [
    ("apart", Charters, "_enforce", misdeeds.amends_one_line),
    ("settled", Charters, "_is_known", _yes),
    ("handover", Context, "owed", misdeeds.lists_copies),
    ("listed", EarlyAnswers, "recall", _nothing),
    ("listed", challenges, "remember", _nothing),
    ("watch", Ladder, "noted", misdeeds.noted_by_one),
    ("checklist", handover, "record_checklist", misdeeds.enters_twice),
    ("unanswered", handover, "_no_checklist", _no_verdict),
]


def test_nobody_complains_of_watches_at_several_terminals() -> None:
    """A fault would be seen by what the storm itself does (docs/protocol.md 24.9, 25.7, 25.9, 25.12)."""
    result = watched()
    assert (result.judge, result.broken) == ("", "")
    deeds = ("charter-changed", "confirmed", "watch-signed", "checklist-called-away", "checklist-unanswered")
    assert [result.played[name] for name in deeds] == [4, 1, 2, 1, 1]


@pytest.mark.parametrize(("judge", "where", "name", "fault"), OF_WATCHES, ids=_names(OF_WATCHES))
def test_each_judge_of_their_watches_sees_its_fault(judge: str, where: Any, name: str, fault: Any) -> None:
    """A judge that sees nothing would let the product break that promise (docs/protocol.md 24.9, 25.7, 25.9, 25.12)."""
    with patch.object(where, name, fault):
        assert watched().judge == judge


@pytest.mark.parametrize(("judge", "where", "name", "fault"), FAULTS, ids=_names(FAULTS))
def test_each_judge_of_several_terminals_sees_its_fault(judge: str, where: Any, name: str, fault: Any) -> None:
    """A judge that sees nothing would let the product break that promise (docs/protocol.md 23.1 to 23.9)."""
    with patch.object(where, name, fault):
        assert played().judge == judge
