"""What the peer had acknowledged, and has lost behind another statement of the same serial (docs/protocol.md 12.12)."""

from __future__ import annotations

import pytest

from hotline.limits import ALARM_INTERVAL, OWED_AGAIN_MAX, TIME_MAX
from hotline.machine import Output, Plane
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

from .pair import WALL, Memory, Pair, Party, clear, durable, losing
from .quartet import Quartet

CONFLICT, DELIVERED, READ = content_pb2.STAGE_CONFLICT, content_pb2.STAGE_DELIVERED, content_pb2.STAGE_READ
SHOWN, REPLY_BY = content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY
OTHER = b"another".ljust(32, b"\0")


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def deaf(party: Party) -> object:
    """Nothing that a relay stores arrives from this party."""
    return losing(lambda sender, relay, envelope: sender is party and durable(envelope))


def sealed(pair: Pair, text: str) -> bytes:
    """What ALPHA says, in the envelope in which it leaves."""
    known = len(pair.sent)
    pair.alpha.submit(text)
    return next(envelope for name, _, envelope in pair.sent[known:] if name == "ALPHA" and durable(envelope))


def frame(
    party: Party, stage: content_pb2.Stage.ValueType, statement: bytes = OTHER, serial: int = 1, at: int = WALL
) -> bytes:
    """A party's word on a statement, whether or not it is true."""
    receipt = content_pb2.Receipt(
        stage=stage, item=[content_pb2.ReceiptItem(serial=serial, statement=statement)], time_ms=at
    )
    if stage in (CONFLICT, DELIVERED):
        receipt.received_through = serial
    else:
        receipt.officer = "watch"
    if stage == SHOWN:
        receipt.principal = "head of government"
    elif stage == REPLY_BY:
        receipt.reply_by_ms = WALL + 86_400_000
    session = party.endpoint.context.session
    inner = session.sign(ContentType.RECEIPT, Plane.REAL, encode(receipt))
    return envelope_frame(session.seal(Plane.REAL, inner, transient=False))


def name(pair: Pair, serial: int = 1) -> bytes:
    row = pair.alpha.memory.sent(Plane.REAL, serial)
    assert row is not None
    return row.hash


def pending(pair: Pair) -> list[int]:
    return sorted(pair.alpha.endpoint.context.outboxes[Plane.REAL].pending)


def repeats(pair: Pair) -> list[object]:
    return [told.fields["serial"] for told in pair.bravo.told if told.kind == "repeat"]


def restored(pair: Pair) -> int:
    return pair.alpha.alarms().count("peer-restored")


def said_twice(pair: Pair) -> tuple[Memory, bytes, bytes]:
    """ALPHA, from an old backup, says "second" under #1 again, and BRAVO reads it.

    BRAVO's disk from before, and the envelopes that a relay may hold still: of "first", and of "second".
    """
    old, before = pair.alpha.memory.copy(), pair.bravo.memory.copy()
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    first = sealed(pair, "first")
    pair.alpha.restart(old)
    pair.run(0)
    pair.weather = clear
    second = sealed(pair, "second")
    pair.run(1_000)
    pair.bravo.read(1)
    pair.run(1_000)
    assert (pair.bravo.text(1), pair.alpha.states(1)[-1], restored(pair)) == ("second", "read", 0)
    return before, first, second


@pytest.mark.parametrize("stage", [DELIVERED, READ, SHOWN, REPLY_BY])
def test_whatever_rung_tells_first_that_a_statement_arrived_is_entered_as_its_receipt(
    pair: Pair, stage: content_pb2.Stage.ValueType
) -> None:
    """A terminal with an old disk may hear SHOWN alone: its ledger would not say why nothing is owed any more."""
    # docs/protocol.md 9.7 and 13.3
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("said before the loss, and owed again after it")
    pair.run(500)
    assert pending(pair) == [1]
    pair.alpha.hear("relay-1", frame(pair.bravo, stage, name(pair)))
    assert pending(pair) == []
    assert "delivered" in pair.alpha.states(1)
    assert pair.alpha.kinds().count("msg.delivered") == 1
    assert pair.alpha.ledger_and_tables() == []


@pytest.mark.parametrize("by", ["receipt", "conflict", "read"])
def test_what_a_restored_peer_lost_behind_another_is_said_again(pair: Pair, by: str) -> None:
    """One side would hold it for read, the other would never have heard of it, and nobody would be alarmed."""
    # docs/protocol.md 12.12
    before, first, second = said_twice(pair)
    pair.bravo.told.clear()
    pair.bravo.restart(before)
    pair.run(0)
    if by != "receipt":
        pair.weather = deaf(pair.bravo)  # type: ignore[assignment]
    pair.bravo.hear("relay-1", envelope_frame(first))
    pair.run(5_000)
    pair.weather = clear
    if by == "conflict":
        pair.bravo.hear("relay-1", envelope_frame(second))
    elif by == "read":
        pair.bravo.read(1)
    pair.run(20_000)
    assert (pair.bravo.shown(), pair.bravo.text(1), pair.bravo.text(2)) == ([1, 2], "first", "second")
    assert pair.alpha.states(1)[-1] == "renumbered"
    assert pair.alpha.states(2) == ["delivered"]
    assert (restored(pair), repeats(pair)) == (1, [])
    assert pair.alpha.memory.rows("outbox") == []
    # From now on nothing that is said of #1 moves it once more, nor is it shown under that serial.
    pair.alpha.restart()
    pair.run(1_000)
    for stage, named in ((CONFLICT, OTHER), (DELIVERED, OTHER), (SHOWN, name(pair))):
        pair.alpha.hear("relay-1", frame(pair.bravo, stage, named))
    pair.run(20_000)
    assert (pair.alpha.states(1)[-1], pair.bravo.shown(), restored(pair)) == ("renumbered", [1, 2], 1)


@pytest.mark.parametrize("stage", [DELIVERED, READ])
def test_a_receipt_from_before_one_that_named_another_does_not_end_it(
    pair: Pair, stage: content_pb2.Stage.ValueType
) -> None:
    """What a relay held back would end what is owed again, and nobody would say it (docs/protocol.md 12.12)."""
    before, first, _ = said_twice(pair)
    late = [frame(pair.bravo, stage, name(pair)) for _ in range(2)]
    pair.bravo.restart(before)
    pair.run(0)
    pair.weather = deaf(pair.alpha)  # type: ignore[assignment]
    pair.bravo.hear("relay-1", envelope_frame(first))
    pair.run(500)
    assert pending(pair) == [1]
    for one in late:
        pair.alpha.hear("relay-1", one)
        assert (pending(pair), restored(pair)) == ([1], 1)
    pair.weather = clear
    pair.run(20_000)
    assert (pair.bravo.shown(), pair.bravo.text(1), pair.bravo.text(2)) == ([1, 1, 2], "first", "second")
    assert (pair.alpha.states(1)[-1], pair.alpha.states(2), restored(pair)) == ("renumbered", ["delivered"], 1)


@pytest.mark.parametrize("stage", [CONFLICT, DELIVERED, READ, SHOWN, REPLY_BY])
def test_a_receipt_that_is_true_no_more_brings_a_repetition_and_no_new_serial(
    pair: Pair, stage: content_pb2.Stage.ValueType
) -> None:
    """A relay that held it back would have an officer read one statement under two numbers (docs/protocol.md 12.12)."""
    pair.alpha.submit("one")
    pair.run(1_000)
    pair.alpha.hear("relay-1", frame(pair.bravo, stage))
    pair.run(10_000)
    assert pair.alpha.states(1) == ["delivered", "delivered"]
    assert (pair.bravo.shown(), restored(pair)) == ([1], 1)
    assert pair.alpha.submit("two").fields["serial"] == 2
    pair.run(1_000)
    assert pair.alpha.memory.rows("outbox") == []


def test_one_that_was_named_before_ours_was_acknowledged_counts_as_well(pair: Pair) -> None:
    """A receipt over a slow path comes after one that was made later (docs/protocol.md 12.12)."""
    pair.weather = deaf(pair.alpha)  # type: ignore[assignment]
    pair.alpha.submit("one")
    pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED))
    assert (pending(pair), restored(pair)) == ([1], 0)
    pair.weather = clear
    pair.run(20_000)
    assert pair.alpha.states(1) == ["delivered", "delivered"]
    assert (restored(pair), pair.alpha.memory.rows("outbox")) == (1, [])


@pytest.mark.parametrize("same", [False, True])
def test_a_clock_that_was_far_ahead_delays_a_receipt_and_keeps_back_none(pair: Pair, same: bool) -> None:
    """What is delivered would be repeated until that clock comes true (docs/protocol.md 12.12)."""
    pair.weather = deaf(pair.alpha)  # type: ignore[assignment]
    pair.alpha.submit("one")
    for at in (TIME_MAX, WALL):
        pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED, at=at))
    for _ in range(0 if same else OWED_AGAIN_MAX):
        pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED, name(pair), at=TIME_MAX - 1))
        assert (pending(pair), pair.alpha.states(1)) == ([1], [])
    pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED, name(pair), at=TIME_MAX - (not same)))
    assert (pair.alpha.states(1), restored(pair)) == (["delivered"], 1)


def test_what_is_said_of_an_empty_statement_is_never_too_old(pair: Pair) -> None:
    """It says nothing of the one that expired, and the gap would be closed once more each time (12.12)."""
    # docs/protocol.md 12.12
    pair.weather = deaf(pair.alpha)  # type: ignore[assignment]
    pair.alpha.submit("one", valid_for_ms=2_000)
    pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED, at=TIME_MAX))
    pair.run(3_000)
    empty = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1].hash
    assert (empty != name(pair), pair.alpha.states(1)) == (True, ["expired"])
    pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED, empty))
    assert (pending(pair), restored(pair)) == ([], 0)


def test_words_that_arrive_in_one_commit_count_alike(pair: Pair) -> None:
    """History does not know yet what the commit under way holds (docs/protocol.md 12.12)."""
    pair.weather = deaf(pair.bravo)  # type: ignore[assignment]
    pair.alpha.submit("one")
    pair.run(100)
    pair.alpha.hear("relay-1", frame(pair.bravo, DELIVERED, name(pair)), frame(pair.bravo, CONFLICT))
    assert (pair.alpha.states(1), pending(pair), restored(pair)) == (["delivered"], [1], 1)
    pair.alpha.hear("relay-1", *(frame(pair.bravo, stage) for stage in (CONFLICT, CONFLICT, DELIVERED)))
    assert (pair.alpha.states(1)[-1], pending(pair), restored(pair)) == ("renumbered", [2], 1)


def test_what_is_owed_again_is_so_after_a_restart(pair: Pair) -> None:
    """A power cut would have the last word (docs/protocol.md 12.12)."""
    pair.alpha.submit("one", valid_for_ms=10_000)
    pair.run(1_000)
    pair.weather = deaf(pair.alpha)  # type: ignore[assignment]
    pair.alpha.hear("relay-1", frame(pair.bravo, CONFLICT))
    pair.alpha.restart()
    pair.run(20_000)
    assert (pending(pair), pair.alpha.states(1)) == ([1], ["delivered"]), "it does not expire: it was heard once"
    pair.weather = clear
    pair.run(60_000)
    assert (pending(pair), pair.alpha.states(1)) == ([], ["delivered", "delivered"])


def test_a_peer_that_always_names_another_is_given_it_a_few_times(pair: Pair) -> None:
    """A liar would keep both lines busy for ever (docs/protocol.md 12.12)."""
    pair.alpha.submit("one")
    pair.run(1_000)
    for _ in range(2 * OWED_AGAIN_MAX):
        pair.alpha.hear("relay-1", frame(pair.bravo, CONFLICT))
        pair.run(ALARM_INTERVAL)
    assert pair.alpha.states(1) == ["delivered"] * (1 + OWED_AGAIN_MAX)
    assert restored(pair) == OWED_AGAIN_MAX


def test_a_peer_that_always_answers_conflict_moves_a_statement_a_few_times(pair: Pair) -> None:
    """Each new serial would be a new beginning (docs/protocol.md 12.12)."""
    pair.alpha.submit("one")
    pair.run(1_000)
    for _ in range(2 * OWED_AGAIN_MAX):
        last = pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial
        pair.alpha.hear("relay-1", *(frame(pair.bravo, CONFLICT, serial=last) for _ in range(2)))
        pair.run(1_000)
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial == 1 + OWED_AGAIN_MAX
    assert repeats(pair) == list(range(2, 2 + OWED_AGAIN_MAX))


def test_what_has_expired_is_not_owed_again(pair: Pair) -> None:
    """The officer was told that it was not delivered, and may have said it otherwise since (docs/protocol.md 12.7)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("too late", valid_for_ms=1_000)
    pair.run(2_000)
    pair.weather = clear
    pair.run(20_000)
    for stage, named in ((CONFLICT, OTHER), (DELIVERED, name(pair)), (CONFLICT, OTHER)):
        pair.alpha.hear("relay-1", frame(pair.bravo, stage, named))
        assert (pending(pair), restored(pair)) == ([], 0)
    assert pair.alpha.states(1) == ["expired", "delivered"]


def test_what_was_said_without_prejudice_is_not_owed_again(pair: Pair) -> None:
    """Its text may be gone, and it was meant for one hearing (docs/protocol.md 12.12)."""
    pair.alpha.submit("between us", without_prejudice=True)
    pair.run(1_000)
    pair.alpha.hear("relay-1", frame(pair.bravo, CONFLICT))
    assert (pair.alpha.states(1), pending(pair), restored(pair)) == (["delivered"], [], 0)


def test_nothing_is_owed_again_while_the_outbox_is_full() -> None:
    """A liar could have more wait than officers may hand in (docs/protocol.md 12.9, 12.12)."""
    pair = Pair(outbox_max=1).open()
    pair.alpha.submit("one")
    pair.run(1_000)
    pair.weather = deaf(pair.alpha)  # type: ignore[assignment]
    pair.alpha.submit("two")
    pair.alpha.hear("relay-1", frame(pair.bravo, CONFLICT))
    assert (pending(pair), restored(pair)) == ([2], 0)


def test_a_terminal_of_several_may_hold_another_lawfully() -> None:
    """Another one may have acknowledged ours: nobody need have been restored (docs/protocol.md 12.12, 23.8)."""
    four = Quartet().open()
    four.alpha.submit("one")
    four.run(2_000)
    for stage in (CONFLICT, DELIVERED, READ):
        four.carry(four.bravo, "relay-1", frame(four.bravo, stage))
    four.run(2_000)
    assert (pending(four), restored(four), four.alpha.states(1)) == ([], 0, ["delivered"])


def test_what_is_about_to_be_committed_as_renumbered_is_offered_as_an_empty_one(pair: Pair) -> None:
    """The peer would be told it under both serials (docs/protocol.md 10.5, 12.6)."""
    pair.alpha.submit("one")
    pair.run(1_000)
    again = pair.alpha.endpoint._first.answers.again
    again.moved(Plane.REAL, 1)
    again.offer(Plane.REAL, 0, pair.alpha.now())
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1].is_void


def test_an_empty_statement_that_is_refused_goes_on_nowhere(pair: Pair) -> None:
    """What is said of the statement itself would be believed no more (docs/protocol.md 12.6, 20.2; storm 510164)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("It came late, and came.", valid_for_ms=4_000)
    pair.run(6_000)
    assert pair.alpha.states(1) == ["expired"]
    pair.alpha.hear("relay-1", frame(pair.bravo, CONFLICT))
    assert pending(pair) == []
    pair.alpha.hear("relay-1", frame(pair.bravo, READ, name(pair), at=WALL + 10_000))
    pair.run(100)
    assert pair.alpha.states(1)[-1] == "read"


@pytest.mark.parametrize("together", [False, True])
def test_what_expired_a_moment_ago_is_owed_no_more(pair: Pair, together: bool) -> None:
    """What became of a statement in one commit would be forgotten within it, and what had expired be said again
    (docs/protocol.md 12.12)."""
    pair.weather = deaf(pair.bravo)  # type: ignore[assignment]
    pair.alpha.submit("in time", valid_for_ms=2_000)
    pair.run(1_000)
    words = [frame(pair.bravo, DELIVERED, named) for named in (name(pair), OTHER)]
    disk, waiting = pair.alpha.memory.apply, list[Output]()
    if together:
        pair.alpha.memory.apply = waiting.append  # type: ignore[method-assign]
    pair.run(1_500)
    for word in words:
        pair.alpha.hear("relay-1", word)
        assert pending(pair) == []
    assert (pair.alpha.states(1), restored(pair)) == (["expired", "delivered"], 0)
    for output in waiting:
        disk(output)
