"""A peer of several terminals, of which the first one is gone: what people are told is about all of them."""

from __future__ import annotations

from typing import Any

import pytest

from hotline.limits import CLOCK_SKEW_ALARM, PRESENCE_ASK_INTERVAL
from hotline.machine import RequestId
from hotline.protocol.events import AskPresence, Closing, SetPresence
from hotline.protocol.objectives import SENT
from hotline.protocol.promises import Promise
from hotline.protocol.status import status
from tests.hotline.protocol.pair import FLASH, IMMEDIATE, PRIORITY, ROUTINE
from tests.hotline.protocol.quartet import Quartet, Terminal

HALF = 5_000
"""Half of every objective here."""
MINUTE = 60_000


@pytest.fixture
def four() -> Quartet:
    """BRAVO's main terminal has failed, and its alternate speaks."""
    made = Quartet()
    for one in made.all:
        one.prepare(objective_ms=dict.fromkeys((ROUTINE, PRIORITY, IMMEDIATE, FLASH), 2 * HALF))
    made.open()
    made.bravo.kill()
    made.run(4_000)
    assert made.beside.speak()
    made.run(4_000)
    return made


def shown(one: Terminal) -> dict[str, Any]:
    return status(one.endpoint, one.now())


def rung(one: Terminal) -> list[object]:
    return [name for name in one.alarms() if name in ("not-delivered", "not-read")]


def asked(one: Terminal) -> RequestId:
    request = RequestId(len(one.replies) + 1)
    one.step(AskPresence(request, "watch"))
    return request


def test_what_one_of_them_has_is_delivered(four: Quartet) -> None:
    """Each word to an alternate would ring as if nobody had it, and nobody be heard (docs/protocol.md 20.7, 20.11)."""
    assert four.alpha.submit("now", FLASH).ok
    four.run(HALF + 1_000)
    assert (four.alpha.states(1)[-1], rung(four.alpha)) == ("delivered", [])
    verdict = shown(four.alpha)["peer"]["verdict"]
    assert verdict == {"word": "unread", "text": "present, ALIVE; #1 delivered, unread for 6 s"}
    four.run(HALF)
    assert rung(four.alpha) == ["not-read"]
    (alarm,) = [d for d in four.alpha.told if d.kind == "alarm" and d.fields["name"] == "not-read"]
    assert str(alarm.fields["meaning"]).endswith("the peer is alive")
    assert [one["name"] for one in shown(four.alpha)["alarms"]] == ["not-read"]


def test_what_none_of_them_has_goes_over_every_path_to_each(four: Quartet) -> None:
    """What is late would wait for a window at the only terminal that could take it (docs/protocol.md 20.8)."""
    four.weather = lambda sender, relay, envelope: [] if envelope[1] & 2 == 0 else [envelope]
    assert four.alpha.submit("now").ok
    four.run(HALF - 100)
    (line,) = [one for one in four.alpha.endpoint.context.peers if one.setup.remote.number == four.beside.number]
    assert not any(item.everywhere for box in line.outboxes.values() for item in box.pending.values())
    four.run(200)
    assert rung(four.alpha) == ["not-delivered"]
    assert "the peer is heard" in [str(d.fields["meaning"]) for d in four.alpha.told if d.kind == "alarm"][-1]
    assert all(item.everywhere for box in line.outboxes.values() for item in box.pending.values())


def test_a_fault_is_that_none_of_them_is_heard(four: Quartet) -> None:
    """An officer would call a line broken that works, and a peer that has left a fault (docs/protocol.md 20.11)."""
    assert shown(four.alpha)["peer"]["verdict"]["word"] == "present"
    heard = four.alpha.now().wall
    four.beside.step(Closing())
    four.beside.kill()
    four.run(4_000)
    assert shown(four.alpha)["peer"]["verdict"]["word"] == "closed"
    assert four.alpha.endpoint.context.peers[1].peer.heard_wall in range(heard, four.alpha.now().wall)
    for one in (four.alpha, four.alt):
        one.restart()
    four.run(1_000)
    assert shown(four.alpha)["peer"]["verdict"]["text"] == "not heard on any path since this terminal started: fault"
    four.beside.start()
    four.run(4_000)
    four.beside.kill()
    four.run(4_000)
    verdict = shown(four.alpha)["peer"]["verdict"]
    assert (verdict["word"], verdict["text"][:13]) == ("fault", "silent since ")


def test_one_that_stands_by_makes_nobody_present_who_has_said_that_he_goes(four: Quartet) -> None:
    """The alternate is heard, and nobody is there who answers (docs/protocol.md 20.11)."""
    four.bravo.start()
    four.run(4_000)
    four.beside.step(Closing())
    four.beside.kill()
    four.run(4_000)
    assert (shown(four.alpha)["link"], shown(four.alpha)["peer"]["verdict"]["word"]) == ("up", "closed")


def test_whoever_speaks_is_told_that_the_bell_has_rung(four: Quartet) -> None:
    """The answer would go to another terminal, and the question never end (docs/protocol.md 18.4)."""
    four.bravo.start()
    four.run(4_000)
    asked(four.beside)
    four.run(3_000)
    assert (four.alpha.alarms().count("presence-asked"), "presence.heard" in four.beside.kinds()) == (1, True)
    assert four.beside.endpoint.presence._asking == 0
    assert four.alpha.endpoint.presence._answering == {}


def test_a_word_at_one_that_stands_by_is_for_later(four: Quartet) -> None:
    """An officer would believe that the other side has heard it (docs/protocol.md 18.1, 23.9)."""
    for one, when in ((four.alpha, ""), (four.alt, "once this terminal speaks, ")):
        request = RequestId(len(one.replies) + 1)
        one.step(SetPresence(request, "watch", "declined" if when else "consulting", 0))
        assert one.replies[request].text.startswith(f"{when}the peer is told: ")
    four.run(2_000)
    assert shown(four.beside)["peer"]["presence"] == "consulting"


def test_who_stands_by_asks_nothing(four: Quartet) -> None:
    """Its question would reach nobody, or ring when it is long forgotten (docs/protocol.md 18.4)."""
    assert four.alt.replies[asked(four.alt)].code == "standby"
    four.part(*((one, other) for one in (four.alpha, four.alt) for other in (four.bravo, four.beside)))
    four.run(4_000)
    assert four.alpha.replies[asked(four.alpha)].ok
    assert four.alt.speak()
    four.run(2_000)
    four.meet()
    four.run(4_000)
    assert four.alpha.speak()
    four.run(PRESENCE_ASK_INTERVAL)
    assert "presence-asked" not in four.beside.alarms()


def test_the_clock_of_the_terminal_that_promises_counts(four: Quartet) -> None:
    """A promise would ring an hour early because another terminal's clock is wrong (docs/protocol.md 20.5)."""
    four.bravo.offset, four.beside.offset = 60 * MINUTE, 2 * CLOCK_SKEW_ALARM
    four.bravo.start()
    four.run(4_000)
    assert [one for one in shown(four.alpha)["alarms"] if one["name"] == "clock"] != []
    four.bravo.kill()
    four.alpha.submit("when?")
    four.run(1_000)
    assert four.beside.read(1).ok
    assert four.beside.promise(1, four.beside.now().wall + 10 * MINUTE).ok
    four.run(2_000)
    (promise,) = [p for (way, _, _), p in four.alpha.endpoint.promises.open.items() if way == SENT]
    assert isinstance(promise, Promise)
    assert abs(promise.due_at - four.time - 10 * MINUTE) < 4_000


def test_a_gap_that_another_one_names_stands_in_the_status(four: Quartet) -> None:
    """It would ring, and be nowhere (docs/protocol.md 10.6, 23.4)."""
    four.weather = lambda sender, relay, envelope: [] if envelope[1] & 2 == 0 else [envelope]
    assert four.beside.submit("lost").ok
    four.run(3_000)
    assert "gap" in four.alpha.alarms()
    assert shown(four.alpha)["planes"]["real"]["missing"] == [1, 1]


def test_tests_are_missed_from_the_first_word_of_any_of_them() -> None:
    """A peer whose first terminal never came would be called silent too early (docs/protocol.md 10.8)."""
    four = Quartet()
    for one in four.all:
        one.prepare(channel_test_ms=10 * MINUTE)
    four.alpha.start()
    four.run(15 * MINUTE)
    four.beside.start()
    heard = four.time
    four.run(4_000)
    assert four.alpha.endpoint.tests._missed_at - heard in range(20 * MINUTE, 30 * MINUTE)
