"""Which promise a NOTED ends, and which of several is told (docs/protocol.md 20.2, 20.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotline.limits import TIME_MAX
from hotline.machine import Plane
from hotline.protocol.promises import RECEIVED
from hotline.protocol.receipts import Unnoted
from hotline.wire.codec import decode, encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

from .pair import FLASH, Pair, Party, clear, durable, losing
from .quartet import Quartet, Terminal
from .test_ladder import MINUTE, until
from .test_promised import four, owed, pair

__all__ = ["four", "pair"]


def told(one: Terminal) -> Iterator[content_pb2.Receipt]:
    """What this terminal tells each other one that has not noted it."""
    for line in one.endpoint.context.lines:
        for receipt in line.reads.of(Plane.REAL):
            yield decode(content_pb2.Receipt, receipt.encoded(), 4_096)


@pytest.mark.parametrize("answers", [True, False])
def test_a_late_note_ends_no_newer_promise_until_the_same_time(pair: Pair, answers: bool) -> None:
    """A relay that holds the note back and loses the promise would leave each side with a list of its own, for ever
    (docs/protocol.md 20.2)."""
    held: list[tuple[str, bytes]] = []

    def holding(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is pair.bravo or durable(envelope):
            return [envelope]
        held.append((relay, envelope))
        return []

    pair.weather = holding
    end = until(pair, 10 * MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.run(50)
    if answers:
        assert pair.bravo.submit("It is ours. More follows.", in_reply_to=1).ok
    else:
        assert pair.bravo.promise(1, end + MINUTE).ok
    pair.run(50)
    assert owed(pair.alpha) == [[] if answers else [end + MINUTE]]
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    assert pair.bravo.promise(1, end).ok
    pair.run(20)
    pair.weather = clear
    for relay, envelope in held:
        pair.bring(pair.alpha, relay, envelope)
    pair.run(MINUTE)
    assert owed(pair.alpha, pair.bravo) == [[end]] * 2
    assert pair.bravo.memory.rows("unnoted") == []


def test_what_is_told_of_a_promise_is_the_same_after_a_restart(four: Quartet) -> None:
    """A terminal would sign twice what its officer promised, and name in one an answer that was not given yet: a newer
    promise of its sibling takes the place of what it tells (docs/protocol.md 20.2, 20.3)."""
    end = four.bravo.now().wall + 50 * MINUTE
    four.part((four.bravo, four.alpha), (four.bravo, four.alt), (four.beside, four.alpha))
    assert four.bravo.promise(1, end).ok
    four.run(3_000)
    assert four.bravo.submit("It is ours. More follows.", in_reply_to=1).ok
    four.run(3_000)
    assert four.beside.promise(1, end + 5).ok
    four.run(3_000)
    before = list(told(four.bravo))
    assert {(one.reply_by_ms, one.answered) for one in before} == {(end + 5, 1)}
    four.bravo.restart()
    assert {encode(one) for one in told(four.bravo)} == {encode(one) for one in before}
    four.beside.kill()
    four.meet()
    four.run(30_000)
    assert owed(*four.all) == [[end + 5]] * 4
    assert four.bravo.memory.rows("unnoted") != [], "the one that is off has not noted it"


def test_an_older_promise_that_an_older_store_holds_names_no_answer(four: Quartet) -> None:
    """Its sibling's newer one stands in the place where the answer is looked up (docs/protocol.md 20.2)."""
    end = four.bravo.now().wall + 50 * MINUTE
    four.part((four.bravo, four.alpha), (four.bravo, four.alt), (four.bravo, four.beside))
    assert four.bravo.promise(1, end).ok
    four.bravo.lies = True
    key = (RECEIVED, "real", 1, "reply-by")
    row = four.bravo.memory.tables["ladder"][key]
    four.bravo.memory.tables["ladder"][key] = {**row, "said": int(str(row["said"])) + 1, "answer": 7}
    four.bravo.restart()
    assert {one.answered for one in told(four.bravo)} == {0}


def test_of_two_promises_alike_the_one_after_the_later_answer_counts(pair: Pair) -> None:
    """Two terminals that promised in one moment until one time would each hold its own (docs/protocol.md 20.3)."""
    end, now = until(pair, 10 * MINUTE), pair.bravo.now().wall
    name = pair.bravo.endpoint.context.inboxes[Plane.REAL].known_hash(1)
    assert name is not None
    assert pair.bravo.promise(1, end).ok
    for after, newer in ((1, True), (0, False)):
        same = Unnoted(Plane.REAL, 1, name, "watch", now, content_pb2.STAGE_REPLY_BY, until=end, answered=after)
        assert pair.bravo.endpoint.promises.is_newest(RECEIVED, Plane.REAL, 1, same.receipt()) is newer


def test_what_nobody_else_would_take_for_newer_is_not_promised(four: Quartet) -> None:
    """An officer would be told that the peer is promised what it passes over: a thief of the sibling's keys has
    promised at the last time there is (docs/protocol.md 20.3)."""
    four.beside.lies = True
    four.beside.endpoint.promises.later = lambda *_: TIME_MAX  # type: ignore[method-assign]
    end = four.beside.now().wall + 50 * MINUTE
    assert four.beside.promise(1, end).ok
    four.run(3_000)
    reply = four.bravo.promise(1, four.bravo.now().wall + MINUTE)
    assert (reply.ok, reply.code) == (False, "time")
    assert owed(*four.all) == [[end]] * 4


def test_talk_is_neither_shown_nor_is_an_answer_to_it_promised(pair: Pair) -> None:
    """The promise would stand and ring at one side for ever (docs/protocol.md 25.2)."""
    assert pair.alpha.submit("Line check at noon.", plane=Plane.SERVICE).ok
    pair.run(2_000)
    assert pair.bravo.read(1, Plane.SERVICE).ok
    pair.run(2_000)
    end = until(pair, 10 * MINUTE)
    replies = [pair.bravo.promise(1, end, Plane.SERVICE), pair.bravo.present(1, Plane.SERVICE, "the President")]
    assert [(one.ok, one.code) for one in replies] == [(False, "unknown")] * 2
    assert pair.bravo.endpoint.context.reads.of(Plane.SERVICE) == []


@pytest.mark.parametrize("stage", [content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY])
def test_what_a_peer_promises_for_talk_is_refused(pair: Pair, stage: content_pb2.Stage.ValueType) -> None:
    """docs/protocol.md 25.2."""
    assert pair.alpha.submit("Line check at noon.", plane=Plane.SERVICE).ok
    pair.run(2_000)
    name = pair.bravo.endpoint.context.inboxes[Plane.SERVICE].known_hash(1)
    assert name is not None
    end = until(pair, MINUTE) if stage == content_pb2.STAGE_REPLY_BY else 0
    said = Unnoted(Plane.SERVICE, 1, name, "watch", pair.bravo.now().wall, stage, until=end)
    context, now = pair.bravo.endpoint.context, pair.bravo.now()
    pair.bravo.lies = True
    context.send_content(Plane.SERVICE, ContentType.RECEIPT, said.encoded(), now, transient=False, urgent=False)
    for item in context.out.transmit:
        pair.carry(pair.bravo, item.link, item.frame)
    pair.run(500)
    assert pair.alpha.refusals()[-1:] == ["stage"]
    assert owed(pair.alpha) == [[]]


def test_an_answer_that_gets_another_number_keeps_what_was_promised_before_that(pair: Pair) -> None:
    """The two sides would not agree on what it keeps: each knows only the number under which it came (docs/protocol.md
    12.6, 20.4)."""
    early = pair.bravo.memory.copy()
    assert pair.bravo.submit("first").ok
    pair.run(1_000)
    pair.cut()
    pair.bravo.restart(early)
    assert pair.bravo.submit("It is ours. More follows.", FLASH, in_reply_to=1).ok
    end = until(pair, 10 * MINUTE)
    assert pair.bravo.promise(1, end).ok
    pair.join()
    pair.run(5_000)
    assert pair.bravo.states(1)[-1] == "renumbered"
    assert owed(pair.alpha, pair.bravo) == [[]] * 2
