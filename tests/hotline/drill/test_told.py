"""The promise that a sender is told in time, whatever is told later."""

from __future__ import annotations

import pytest

from hotline.drill import schedule
from hotline.drill.plan import find_plan
from tests.hotline.drill.journals import told


@pytest.mark.parametrize(
    ("promise", "holds", "measured"),
    [
        ({"state": "delivered"}, True, 1),
        ({"state": "expired"}, False, 0),
        ({"state": "expired", "within": "4s"}, True, 1),
        ({"state": "expired", "within": "3s"}, False, 0),
        ({"state": "delivered", "within": "8s"}, False, 0),
        ({"state": "delivered", "within": "9s"}, True, 1),
        ({"state": "expired", "within": "4s", "from": "BRAVO"}, False, 0),
        ({"state": "read", "within": "1h"}, False, 0),
    ],
)
def test_a_statement_that_expired_and_arrived_late(promise: dict[str, str], holds: bool, measured: int) -> None:
    """A sender who was told in time would count as one who never was, or the late word as one in time."""
    story = told({"promise": "told", **promise})
    identifier = story.say(1_000, delivered=9_000)
    story.add(4_500, "stage", id=identifier, stage="expired", by="in custody of relay-1")
    judged = story.polls(11_000).judged()
    assert (judged.holds, judged.measured) == (holds, measured)


def test_the_promise_says_within_what_time() -> None:
    """The reader of a report would take it for what was told last."""
    story = told({"promise": "told", "state": "read", "from": "ALPHA", "within": "2s"})
    story.say(0, read=100)
    assert story.judged().text == 'ALPHA is told "read" within 2.0 s'


def test_who_travels_is_told_before_the_drill_is_run() -> None:
    """A planner would take it for an alternate that stands by."""
    lines = list(schedule.told(find_plan("leader-travels-with-a-terminal")))
    assert "stages     ALPHA, BRAVO, ALPHA-alt (travels), 3 relays (fibre), 0 witnesses" in lines
    assert "00:02.0  travel ALPHA-alt for 18 s" in lines
