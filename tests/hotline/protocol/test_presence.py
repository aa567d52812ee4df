"""What a side says of itself (docs/protocol.md section 18)."""

from __future__ import annotations

import pytest

from hotline.limits import PRESENCE_ASK_INTERVAL, TIME_MAX
from hotline.machine import Reply, RequestId
from hotline.protocol.events import AskPresence, Closing, SetPresence
from hotline.protocol.status import status

from .pair import WALL, Pair, Party, clear, durable

HOUR = 3_600_000


def said(party: Party, word: str, until: int = 0) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(SetPresence(request, "watch", word, until))
    return party.replies[request]


def asked(party: Party) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(AskPresence(request, "watch"))
    return party.replies[request]


def heard(party: Party) -> list[tuple[object, object]]:
    """What a side was told of the other, in order."""
    told = [d.fields for d in party.told if d.kind == "presence" and d.fields["by"] == "peer"]
    return [(fields["presence"], fields["until"]) for fields in told]


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def test_a_word_reaches_the_other_side_and_both_ledgers(pair: Pair) -> None:
    """Silence of a person would look like a broken line (docs/protocol.md 18.1 to 18.3)."""
    until = WALL + pair.time + HOUR
    assert said(pair.alpha, "consulting", until).ok
    pair.run(200)
    assert heard(pair.bravo) == [("alive", 0), ("consulting", until)]
    peer = status(pair.bravo.endpoint, pair.bravo.now())["peer"]
    assert (peer["presence"], status(pair.bravo.endpoint, pair.bravo.now())["link"]) == ("consulting", "up")
    (ours,) = [record for record in pair.alpha.records if record.kind == "presence.set"]
    assert (ours.fields["presence"], ours.fields["until"], set(ours.private)) == ("consulting", until, {"officer"})
    theirs = [record.fields["presence"] for record in pair.bravo.records if record.kind == "peer.presence"]
    assert theirs == ["alive", "consulting"]
    pair.run(5_000)
    assert len(heard(pair.bravo)) == 2, "it is told when it is news"


@pytest.mark.parametrize("word", ["consulting", "principal-absent", "degraded"])
def test_what_holds_until_a_time_is_over_then_whatever_the_clock_does(pair: Pair, word: str) -> None:
    """A side would be consulting for ever, or for an hour less because somebody set a clock (docs/protocol.md 18.1)."""
    said(pair.alpha, word, WALL + pair.time + 60_000)
    pair.run(30_000)
    pair.alpha.offset += HOUR
    pair.run(29_000)
    assert heard(pair.bravo)[-1][0] == word
    pair.run(2_000)
    assert heard(pair.bravo)[-1] == ("alive", 0)
    pair.run(2_000)
    assert [record.fields["presence"] for record in pair.alpha.records if record.kind == "presence.set"] == [
        word,
        "alive",
    ]


def test_a_word_holds_over_a_restart(pair: Pair) -> None:
    """docs/protocol.md 18.1: the peer would be told that everything is as usual."""
    said(pair.alpha, "declined")
    pair.alpha.step(Closing())
    pair.run(1_000)
    assert heard(pair.bravo)[-1] == ("closing", 0)
    pair.cut()
    pair.alpha.restart()
    pair.join()
    pair.run(3_000)
    assert heard(pair.bravo)[-1] == ("declined", 0)
    said(pair.alpha, "degraded", WALL + pair.time + HOUR)
    pair.cut()
    pair.time += 2 * HOUR
    pair.alpha.restart()
    pair.join()
    pair.run(3_000)
    assert heard(pair.bravo)[-1] == ("alive", 0), "its time was over while nobody was there"


@pytest.mark.parametrize(
    ("word", "until"),
    [
        ("closing", 0),
        ("asleep", 0),
        ("alive", WALL + HOUR),
        ("declined", WALL + HOUR),
        ("consulting", WALL),
        ("consulting", TIME_MAX + 1),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(pair: Pair, word: str, until: int) -> None:
    """docs/protocol.md 18.1 and 18.2."""
    reply = said(pair.alpha, word, until)
    assert not reply.ok
    assert reply.text.endswith("nothing was said")
    pair.run(2_000)
    assert heard(pair.bravo) == [("alive", 0)]


def test_the_other_side_is_asked_once_and_says_that_it_was(pair: Pair) -> None:
    """Nobody would know whether the bell has rung (docs/protocol.md 18.4)."""
    assert asked(pair.alpha).ok
    assert not asked(pair.alpha).ok, "not twice in a moment"
    pair.run(3_000)
    assert pair.bravo.alarms().count("presence-asked") == 1
    assert [d.fields["presence"] for d in pair.alpha.told if d.kind == "presence-asked"] == ["alive"]
    assert pair.alpha.kinds().count("presence.ask") == pair.alpha.kinds().count("presence.heard") == 1
    pair.run(PRESENCE_ASK_INTERVAL)
    assert asked(pair.alpha).ok
    pair.run(2_000)
    assert pair.bravo.alarms().count("presence-asked") == 2
    beats = pair.alpha.endpoint.presence
    assert (beats._asking, pair.bravo.endpoint.presence._answering) == (0, {}), "then beats are short again"


def test_a_question_without_a_path_is_asked_when_there_is_one(pair: Pair) -> None:
    """docs/protocol.md 18.4."""
    pair.cut()
    assert asked(pair.alpha).ok
    pair.run(5_000)
    assert "presence-asked" not in pair.bravo.alarms()
    pair.join()
    pair.run(3_000)
    assert pair.bravo.alarms().count("presence-asked") == 1


def test_a_word_that_was_overtaken_on_its_way_is_not_told(pair: Pair) -> None:
    """A relay that is a little slower would take a side's last word back (docs/protocol.md 18.2)."""
    late: list[bytes] = []

    def slow_first(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is pair.alpha and relay == "relay-1" and not durable(envelope):
            late.append(envelope)
            return []
        return [envelope]

    pair.weather = slow_first
    pair.run(600)
    assert late
    assert said(pair.alpha, "declined").ok
    pair.run(100)
    assert heard(pair.bravo)[-1] == ("declined", 0)
    for envelope in late:
        pair.bring(pair.alpha, "relay-1", envelope)
    assert heard(pair.bravo) == [("alive", 0), ("declined", 0)]
    pair.weather = clear
    pair.run(20_000)
    pair.alpha.restart()  # its beats are of another epoch, and their numbers begin anew
    pair.run(2_000)
    assert said(pair.alpha, "alive").ok
    pair.run(1_000)
    assert heard(pair.bravo)[-1] == ("alive", 0)


def test_a_time_that_is_now_is_over(pair: Pair) -> None:
    """The peer would be told of a word that held for no moment (docs/protocol.md 18.1)."""
    assert not said(pair.alpha, "consulting", WALL + pair.time).ok
    assert said(pair.alpha, "consulting", WALL + pair.time + 1).ok
    assert pair.alpha.endpoint.presence.next_deadline() == pair.time + 1
    pair.cut()
    pair.run(1)
    assert [r.fields["presence"] for r in pair.alpha.records if r.kind == "presence.set"] == ["consulting", "alive"]
    assert said(pair.alpha, "consulting", TIME_MAX).ok


def test_a_question_may_be_put_again_after_its_interval(pair: Pair) -> None:
    """A duty officer would be rung without end, or could not be rung again (docs/protocol.md 18.4)."""
    assert asked(pair.alpha).ok
    pair.run(PRESENCE_ASK_INTERVAL - 1)
    assert asked(pair.alpha).code == "presence"
    pair.run(1)
    assert asked(pair.alpha).code == "asked"


def test_what_is_heard_first_is_told_with_when_it_was_said(pair: Pair) -> None:
    """An old word would stand as one of now (docs/protocol.md 18.2 and 20.11)."""
    view, before = pair.bravo.endpoint.context.peer, pair.bravo.now().wall
    assert said(pair.alpha, "declined").ok
    pair.run(100)
    assert before < view.presence_at <= pair.bravo.now().wall
    at = view.presence_at
    pair.run(3_000)
    assert view.presence_at == at
