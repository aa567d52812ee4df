"""One list of promises at every terminal of both parties, whatever came first (docs/protocol.md 20.3, 20.4, 23.5)."""

from __future__ import annotations

import pytest

from hotline.drill.simulator.shelf import octets
from hotline.machine import Delete, Instant, Output, Plane, Put, Tick
from hotline.protocol.outbox import SentState
from hotline.protocol.promises import SENT
from hotline.protocol.status import status
from hotline.wire.v1 import content_pb2

from .offices import TWO, smuggle
from .pair import FLASH, IMMEDIATE, Pair, Party, clear, durable, losing
from .quartet import Quartet
from .test_again import frame
from .test_ladder import MINUTE, deaf, kept, pair, promises, until
from .test_release import plain

__all__ = ["pair"]


@pytest.fixture
def four() -> Quartet:
    """The same of two parties with two terminals each."""
    four = Quartet().open()
    four.alpha.submit("Whose aircraft is it?")
    four.run(1_000)
    four.bravo.read(1)
    four.run(1_000)
    return four


def owed(*parties: Party) -> list[list[object]]:
    """Until when each terminal knows an answer to be promised; of #1 alone something is promised here."""
    listed = [party.memory.rows("promise") for party in parties]
    assert all(row["serial"] == 1 for rows in listed for row in rows)
    return [[row["until"] for row in rows] for rows in listed]


def answered(party: Party) -> list[object]:
    return [row["answer"] for row in party.memory.rows("ladder") if row["stage"] == "answered"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_promise_made_after_an_answer_stands_though_the_answer_comes_later(four: Quartet, restarted: bool) -> None:
    """It would be owed at one terminal of a party and not at the other, by what a relay held back (20.4)."""
    four.part((four.alpha, four.bravo))
    assert four.bravo.submit("It is ours. More follows.", in_reply_to=1).ok
    four.run(1_000)
    assert (four.alpha.got(), len(four.alt.got())) == ({}, 1)
    end = four.beside.now().wall + 10 * MINUTE
    assert four.beside.promise(1, end).ok
    four.run(2_000)
    assert owed(*four.all) == [[end]] * 4
    if restarted:
        four.alpha.restart()
        four.run(3_000)
    four.meet()
    four.run(30_000)
    assert len(four.alpha.got()) == 1
    assert owed(*four.all) == [[end]] * 4
    assert four.bravo.submit("This is what followed.", in_reply_to=1).ok
    four.run(3_000)
    assert owed(*four.all) == [[]] * 4
    assert [kept(one)[-1][2] for one in four.all] == [2] * 4


def test_a_promise_that_is_told_after_a_restart_names_the_same_answer(pair: Pair) -> None:
    """What was promised after an answer would be taken for kept by it (docs/protocol.md 20.2, 20.4)."""
    assert pair.bravo.submit("It is ours. More follows.", in_reply_to=1).ok
    pair.run(500)
    deaf(pair, pair.alpha)
    end = until(pair, 10 * MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.run(100)
    pair.bravo.restart()
    pair.weather = clear
    pair.run(20_000)
    assert owed(pair.alpha, pair.bravo) == [[end]] * 2


def test_an_answer_that_expires_keeps_no_promise(pair: Pair) -> None:
    """Where it was promised nobody would know that the peer has no answer (docs/protocol.md 20.4)."""
    end = until(pair, MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.run(500)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    assert pair.bravo.submit("It is ours.", in_reply_to=1, valid_for_ms=4_000).ok
    pair.run(10_000)
    pair.weather = clear
    pair.run(2 * MINUTE)
    assert pair.bravo.states(1) == ["expired"]
    assert owed(pair.alpha, pair.bravo) == [[end]] * 2
    for party in (pair.alpha, pair.bravo):
        assert kept(party) == []
        assert party.alarms().count("promise-overdue") == 1
    words = [alarm["text"] for alarm in status(pair.bravo.endpoint, pair.bravo.now())["alarms"]]
    assert any("has not reached the peer in time" in text for text in words)


def test_an_answer_that_arrived_all_the_same_keeps_it(pair: Pair) -> None:
    """It had expired where it was said, and was read where it was meant (docs/protocol.md 8.4, 20.4)."""
    assert pair.bravo.promise(1, until(pair, MINUTE)).ok
    pair.run(500)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
    assert pair.bravo.submit("It is ours.", in_reply_to=1, valid_for_ms=4_000).ok
    pair.run(6_000)
    assert (owed(pair.alpha), pair.bravo.states(1)) == ([[]], ["expired"])
    assert len(owed(pair.bravo)[0]) == 1
    pair.weather = clear
    pair.run(20_000)
    assert pair.bravo.states(1) == ["expired", "delivered"]
    assert owed(pair.bravo) == [[]]
    assert kept(pair.bravo) == [("received", 1, 1, 0)]


def test_an_answer_that_arrived_after_its_place_was_given_away_keeps_it(pair: Pair) -> None:
    """A peer that lost the empty one may still be given it by a relay (docs/protocol.md 12.7, 20.4)."""
    assert pair.bravo.promise(1, until(pair, 10 * MINUTE)).ok
    pair.run(500)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    assert pair.bravo.submit("It is ours.", in_reply_to=1, valid_for_ms=1_000).ok
    pair.run(2_000)
    pair.weather = clear
    pair.run(20_000)
    assert (pair.bravo.states(1), len(owed(pair.bravo)[0])) == (["expired"], 1)
    said = pair.bravo.memory.sent(Plane.REAL, 1)
    assert said is not None
    pair.bravo.hear("relay-1", frame(pair.alpha, content_pb2.STAGE_DELIVERED, said.hash))
    assert (pair.bravo.states(1), owed(pair.bravo)) == (["expired", "delivered"], [[]])


def test_what_a_terminal_said_and_nobody_got_keeps_no_promise(four: Quartet) -> None:
    """Its sibling would owe an answer that it believes to be given (docs/protocol.md 20.4, 23.6)."""
    end = four.bravo.now().wall + 10 * MINUTE
    assert four.bravo.promise(1, end).ok
    four.run(2_000)
    four.part(*((four.beside, other) for other in four.all if other is not four.beside))
    assert four.beside.speak()
    assert four.beside.submit("It is ours.", in_reply_to=1).ok
    four.run(1_000)
    assert four.bravo.submit("Good morning.").ok
    four.run(1_000)
    for _ in range(2):  # in a term above that of the other
        assert four.bravo.speak(speak=False)
        assert four.bravo.speak()
    four.meet()
    four.run(30_000)
    assert four.beside.states(1)[-1] == "expired"
    assert owed(*four.all) == [[end]] * 4


def test_an_answer_that_comes_before_its_question_keeps_the_promise(four: Quartet) -> None:
    """A terminal that lacked what its sibling asked would wait for ever (docs/protocol.md 20.4, 23.5)."""
    four.part((four.alpha, four.alt))
    assert four.alpha.submit("And whose ship?").ok
    four.run(1_000)
    assert four.bravo.read(2).ok
    assert four.bravo.promise(2, four.bravo.now().wall + MINUTE).ok
    four.run(1_000)
    assert four.bravo.submit("Ours.", in_reply_to=2).ok
    four.run(3_000)
    assert (len(four.alt.said()), len(four.alt.got())) == (1, 1)
    four.meet()
    four.run(30_000)
    assert len(four.alt.said()) == 2
    assert [promises(one)[-1][:2] for one in four.all] == [("sent", 2)] * 2 + [("received", 2)] * 2
    assert owed(*four.all) == [[]] * 4
    four.run(2 * MINUTE)
    assert not [one for one in four.all if "promise-overdue" in one.alarms()]


def test_what_answered_another_statement_before_ours_was_here_keeps_nothing(four: Quartet) -> None:
    """An answer to what a sibling said under that number would be taken for one to ours (docs/protocol.md 20.4)."""
    alt = four.alt
    alt.lies = True
    kept_here, now = alt.endpoint.promises, Instant(four.time, alt.now().wall)
    alt.endpoint.context.out = Output()
    early = content_pb2.Statement.FromString(octets(four.alpha.memory.rows("sent")[0]["content"]))
    early.serial = 4
    early.in_reply_to.CopyFrom(content_pb2.Reference(serial=2, statement=b"other" + bytes(27)))
    row = {"content": early.SerializeToString(), "hash": bytes(32), "signature": b""}
    alt.memory.tables.setdefault("received", {})["real", 4] = row
    kept_here.answered_by_peer(Plane.REAL, early, now)
    for name, listed in ((b"other" + bytes(27), False), (b"ours" + bytes(28), True)):
        receipt = content_pb2.Receipt(time_ms=5, reply_by_ms=now.wall + 10)
        receipt.item.add(serial=2, statement=name)
        kept_here.take(SENT, Plane.REAL, 2, receipt, now)
        assert ((SENT, Plane.REAL, 2) in kept_here.open) is listed


def test_an_answer_to_what_stands_otherwise_here_is_none(pair: Pair) -> None:
    """docs/protocol.md 20.4 and 8.9: it names a statement, not a number."""
    assert pair.bravo.promise(1, until(pair, MINUTE)).ok
    pair.run(500)
    kept_there, now = pair.bravo.endpoint.promises, pair.bravo.now()
    pair.bravo.lies = True
    pair.bravo.endpoint.context.out = Output()
    other = content_pb2.Statement(serial=4, kind=content_pb2.STATEMENT_KIND_TEXT)
    other.in_reply_to.CopyFrom(content_pb2.Reference(serial=1, statement=bytes(32)))
    kept_there.answered_by_us(Plane.REAL, other, now)
    assert kept_there.answered(Plane.REAL, 1) == 0


def test_the_newest_promise_counts_though_the_clock_was_set_back(pair: Pair) -> None:
    """The peer would go on waiting for what was promised before (docs/protocol.md 20.3)."""
    assert pair.bravo.promise(1, until(pair, 50 * MINUTE)).ok
    pair.run(500)
    pair.bravo.offset -= 30 * MINUTE
    end = until(pair, -20 * MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.run(500)
    assert owed(pair.alpha, pair.bravo) == [[end]] * 2


def test_of_two_promises_of_one_moment_the_later_time_counts_everywhere(four: Quartet) -> None:
    """Two terminals of a party would each hold its own (docs/protocol.md 20.3)."""
    first, second = (four.bravo.now().wall + minutes * MINUTE for minutes in (20, 10))
    assert four.bravo.promise(1, first).ok
    assert four.beside.promise(1, second).ok
    four.run(5_000)
    assert owed(*four.all) == [[first]] * 4


def test_a_promise_made_after_an_answer_that_got_another_number_stands(pair: Pair) -> None:
    """What was said before it would keep it as soon as it arrives (docs/protocol.md 12.6, 20.4)."""
    early = pair.bravo.memory.copy()
    assert pair.bravo.submit("first").ok
    pair.run(1_000)
    pair.cut()
    pair.bravo.restart(early)
    assert pair.bravo.submit("It is ours. More follows.", FLASH, in_reply_to=1).ok
    pair.join()
    pair.run(5_000)
    assert pair.bravo.states(1)[-1] == "renumbered"
    assert answered(pair.bravo) == [2]
    end = until(pair, 10 * MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.run(2_000)
    assert owed(pair.alpha, pair.bravo) == [[end]] * 2


@pytest.mark.parametrize("hears", [True, False])
def test_a_terminal_that_learns_late_of_an_answer_and_its_delivery_lists_it_no_more(four: Quartet, hears: bool) -> None:
    """By a receipt that came before the answer, or by its sibling alone (docs/protocol.md 20.4, 23.5)."""
    assert four.bravo.promise(1, four.bravo.now().wall + 10 * MINUTE).ok
    four.run(2_000)
    away = [(four.beside, four.alpha), (four.beside, four.alt)] if not hears else []
    four.part((four.bravo, four.beside), *away)
    assert four.bravo.submit("It is ours.", in_reply_to=1).ok
    four.run(3_000)
    assert [len(rows) for rows in owed(*four.all)] == [0, 0, 0, 1]
    four.meet()
    four.part(*away)
    four.run(30_000)
    assert four.beside.states(1) == ["delivered"]
    assert owed(*four.all) == [[]] * 4


def test_what_lacks_its_release_keeps_no_promise_at_any_terminal() -> None:
    """A thief's answer would end what its party owes (docs/protocol.md 19.7, 20.4 and 23.5)."""
    four = Quartet()
    for one in four.all:
        one.prepare(release=TWO)
    four.open()
    assert four.alpha.submit("Whose aircraft is it?", IMMEDIATE).ok
    four.run(1_000)
    assert four.bravo.read(1, officer="duty-2").ok
    end = four.bravo.now().wall + 10 * MINUTE
    assert four.bravo.promise(1, end, officer="duty-2").ok
    four.run(2_000)
    answer = plain("We shall see.", draft=b"")
    name = octets(four.alpha.memory.rows("sent")[0]["hash"])
    answer.in_reply_to.CopyFrom(content_pb2.Reference(serial=1, statement=name))
    smuggle(four.bravo, answer)
    four.run(3_000)
    assert [len(one.got()) for one in (four.alpha, four.alt)] == [1, 1]
    assert four.beside.states(1) == ["delivered"]
    assert owed(*four.all) == [[end]] * 4


def test_the_answer_with_the_highest_serial_counts_in_whatever_order_they_come(pair: Pair) -> None:
    """One that a relay held back would open again what is kept (docs/protocol.md 20.4)."""
    pair.bravo.lies = True
    there, now = pair.bravo.endpoint.promises, pair.bravo.now()
    pair.bravo.endpoint.context.out = Output()
    name = octets(pair.bravo.memory.rows("received")[0]["hash"])
    answer = content_pb2.Statement(serial=3, kind=content_pb2.STATEMENT_KIND_TEXT)
    answer.in_reply_to.CopyFrom(content_pb2.Reference(serial=1, statement=name))
    for answer.serial in (3, 2):
        there.answered_by_us(Plane.REAL, answer, now)
    assert there.answered(Plane.REAL, 1) == 3


def test_an_older_promise_does_not_outlive_a_newer_one_that_is_kept(pair: Pair) -> None:
    """docs/protocol.md 20.3: the newest one counts."""
    pair.alpha.lies = True
    here, now = pair.alpha.endpoint.promises, pair.alpha.now()
    pair.alpha.endpoint.context.out = Output()
    name = octets(pair.alpha.memory.rows("sent")[0]["hash"])
    answer = content_pb2.Statement(serial=3, kind=content_pb2.STATEMENT_KIND_TEXT)
    answer.in_reply_to.CopyFrom(content_pb2.Reference(serial=1, statement=name))
    here.answered_by_peer(Plane.REAL, answer, now)
    for said, after in ((5, 3), (6, 2)):
        receipt = content_pb2.Receipt(time_ms=said, reply_by_ms=now.wall + 10, answered=after)
        receipt.item.add(serial=1, statement=name)
        here.take(SENT, Plane.REAL, 1, receipt, now)
        assert len(here.open) == (said == 5)
        assert not here.is_newest(SENT, Plane.REAL, 1, receipt), "what is being committed is known"
    assert Delete("promise", {"way": SENT, "plane": "real", "serial": 1}) in pair.alpha.endpoint.context.out.changes


def test_talk_climbs_no_rung(pair: Pair) -> None:
    """docs/protocol.md 25.2."""
    pair.alpha.lies = True
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pair.alpha.endpoint.context.history, "sent", lambda *_: pytest.fail("looked up"))
        pair.alpha.endpoint.promises.delivered(Plane.SERVICE, 9, None, pair.alpha.now())


def test_a_promise_to_answer_what_was_renumbered_holds_for_both(pair: Pair) -> None:
    """One side would owe an answer that the other does not expect (docs/protocol.md 12.12, 20.4)."""
    pair.alpha.endpoint.sending.fact(Plane.REAL, 1, SentState.RENUMBERED, pair.alpha.now(), "2")
    pair.alpha.endpoint._first.answers.again.moved(Plane.REAL, 1)
    end = until(pair, 10 * MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.run(2_000)
    assert owed(pair.alpha, pair.bravo) == [[end]] * 2
    assert pair.bravo.submit("It is ours.", in_reply_to=1).ok
    pair.run(2_000)
    assert owed(pair.alpha, pair.bravo) == [[]] * 2


def test_many_promises_that_end_in_one_moment_are_told_some_at_a_time(pair: Pair) -> None:
    """All of them in one step, a FLASH would wait for five hundred rows (docs/protocol.md 20.5)."""
    alpha, known = pair.alpha, pair.alpha.endpoint.promises
    end = alpha.now().wall + 1_000
    alpha.endpoint.begin()
    for time in range(3):
        for serial in range(2, 502):
            item = [content_pb2.ReceiptItem(serial=serial)]
            receipt = content_pb2.Receipt(item=item, time_ms=time + 1, reply_by_ms=end)
            known.take(SENT, Plane.REAL, serial, receipt, alpha.now())
    assert len(known._agenda) <= 2 * 500 + 64, "what was promised anew would pile up"
    pair.time += 2_000
    steps = 0
    while (at := known.next_deadline()) is not None and at <= alpha.now().mono:
        assert sum(isinstance(row, Put) for row in alpha.step(Tick()).changes if row.table == "promise") <= 64
        steps += 1
    assert steps == 8
    assert sum(promise.overdue for promise in known.open.values()) == 500
