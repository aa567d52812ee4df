"""The rungs above READ: shown to the principal, and an answer promised (docs/protocol.md section 20)."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from hotline.ledger.record import parse_leaf
from hotline.limits import TIME_MAX
from hotline.machine import Instant, Plane, RequestId, Tick
from hotline.protocol.events import SendTest, Submit
from hotline.protocol.outbox import SentState
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.protocol.status import status
from hotline.wire.codec import envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

from .pair import WALL, Pair, Party, losing
from .quartet import Quartet
from .test_specification import Stages

MINUTE = 60_000


@pytest.fixture
def pair() -> Pair:
    """ALPHA has said one thing, and an officer of BRAVO has opened it."""
    pair = Pair().open()
    pair.alpha.submit("Whose aircraft is it?")
    pair.run(500)
    pair.bravo.read(1)
    pair.run(500)
    return pair


def until(pair: Pair, span: int) -> int:
    return WALL + pair.time + span


def answer(party: Party, serial: int, text: str = "It is ours.") -> None:
    request = RequestId(len(party.replies) + 1)
    ltr = content_pb2.DIRECTION_LTR
    party.step(Submit(request, Plane.REAL, content_pb2.PRECEDENCE_ROUTINE, "en", ltr, text, "watch", 0, serial))
    assert party.replies[request].ok


def promises(party: Party) -> list[tuple[object, ...]]:
    told = [d.fields for d in party.told if d.kind == "promise"]
    return [(one["way"], one["serial"], one["until"]) for one in told]


def kept(party: Party) -> list[tuple[object, ...]]:
    found = [record.fields for record in party.records if record.kind == "promise.kept"]
    return [(one["way"], one["serial"], one["by"], one["late"]) for one in found]


def receipts(pair: Pair, party: Party, stage: int) -> list[content_pb2.Receipt]:
    """What `party` was given to open of this stage, from here on."""
    found: list[content_pb2.Receipt] = []
    opener = party.endpoint.context.session.open

    def spy(header: object, envelope: bytes, now: Instant, path: str) -> object:
        opened = opener(header, envelope, now, path)  # type: ignore[arg-type]
        if opened.inner.type is ContentType.RECEIPT:
            receipt = content_pb2.Receipt.FromString(opened.inner.content)
            if receipt.stage == stage:
                found.append(receipt)
        return opened

    party.endpoint.context.session.open = spy  # type: ignore[method-assign, assignment]
    return found


def deaf(pair: Pair, party: Party) -> None:
    pair.weather = losing(lambda sender, relay, envelope: sender is not party)


def test_the_sender_is_told_that_it_was_shown_and_by_whom(pair: Pair) -> None:
    """Read by an officer would pass for known to the principal (docs/protocol.md 20.1, 20.3 and 20.6)."""
    assert pair.bravo.present(1, principal="The Prime Minister").code == "shown"
    pair.run(500)
    assert pair.alpha.states(1) == ["delivered", "read", "shown"]
    assert pair.bravo.present(1).code == "again"
    (row,) = [row for row in pair.alpha.memory.rows("ladder") if row["way"] == "sent"]
    assert (row["stage"], row["officer"], row["principal"]) == ("shown", "watch", "The Prime Minister")
    (ours,) = [record for record in pair.bravo.records if record.kind == "msg.presented"]
    (theirs,) = [record for record in pair.alpha.records if record.kind == "peer.shown"]
    assert set(ours.private) == set(theirs.private) == {"officer", "principal"}
    assert b"Prime" not in repr((ours.fields, theirs.fields)).encode()
    assert pair.bravo.memory.rows("unnoted") == []


def test_what_is_not_there_not_opened_or_says_nothing_is_refused(pair: Pair) -> None:
    """A rung would be climbed in the air (docs/protocol.md 20.1)."""
    pair.alpha.submit("not opened")
    pair.alpha.step(SendTest(RequestId(900), "watch"))
    pair.run(500)
    for serial in (2, 3, 9):
        assert not pair.bravo.present(serial).ok
        assert not pair.bravo.promise(serial, until(pair, MINUTE)).ok
    assert not pair.bravo.present(1, principal="x" * 65).ok
    for time in (until(pair, 0), 0, TIME_MAX + 1):
        assert not pair.bravo.promise(1, time).ok
    pair.run(2_000)
    assert {"msg.presented", "msg.promised"}.isdisjoint(pair.bravo.kinds())
    assert pair.alpha.states(1) == ["delivered", "read"]
    assert all("nothing was" in reply.text for reply in pair.bravo.replies.values() if not reply.ok)


def test_the_rungs_are_repeated_until_noted_and_heard_in_order(pair: Pair) -> None:
    """One lost receipt, and the sender would never learn it, or in a senseless order (docs/protocol.md 20.2)."""
    pair.alpha.submit("again")
    pair.run(500)
    deaf(pair, pair.alpha)
    heard = receipts(pair, pair.alpha, content_pb2.STAGE_REPLY_BY)
    pair.bravo.read(2)
    pair.bravo.present(2)
    pair.bravo.promise(2, until(pair, MINUTE))
    pair.run(3_000)
    assert {row["stage"] for row in pair.bravo.memory.rows("unnoted")} == {"read", "shown", "reply-by"}
    pair.bravo.restart()
    pair.weather = losing(lambda *_: False)
    pair.run(20_000)
    assert pair.alpha.states(2) == ["delivered", "read", "shown"]
    assert [receipt.reply_by_ms for receipt in heard][:1] == [promises(pair.alpha)[0][2]]
    assert pair.bravo.memory.rows("unnoted") == []


def test_nothing_above_read_leaves_before_read_is_noted(pair: Pair) -> None:
    """docs/protocol.md 20.2."""
    pair.alpha.submit("again")
    pair.run(500)
    shown = receipts(pair, pair.alpha, content_pb2.STAGE_SHOWN)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and bool(envelope[1] & 0x02))
    pair.bravo.read(2)
    pair.bravo.present(2)
    pair.run(3_000)
    assert pair.alpha.states(2)[-1] == "read"
    assert shown == []


def test_a_note_ends_only_what_it_names(pair: Pair) -> None:
    """The note for an older promise would end the telling of the newer one (docs/protocol.md 20.2)."""
    first, second = until(pair, MINUTE), until(pair, 2 * MINUTE)
    pair.bravo.promise(1, first)
    pair.bravo.promise(1, second)
    ctx = pair.bravo.endpoint.context
    name = ctx.inboxes[Plane.REAL].known_hash(1)
    assert name is not None
    for stage, time in ((content_pb2.STAGE_READ, 0), (content_pb2.STAGE_SHOWN, 0), (content_pb2.STAGE_REPLY_BY, first)):
        assert not ctx.reads.noted(Plane.REAL, 1, name, stage, time)
    (item,) = ctx.reads.of(Plane.REAL)
    assert not ctx.reads.noted(Plane.REAL, 1, name, content_pb2.STAGE_REPLY_BY, second, item.at - 1)
    assert ctx.reads.noted(Plane.REAL, 1, name, content_pb2.STAGE_REPLY_BY, second, item.at)


def test_the_newest_promise_counts_in_whatever_order_they_come(pair: Pair) -> None:
    """A relay that holds one back would undo what was said after it (docs/protocol.md 20.1 and 20.3)."""
    first, second = until(pair, 9 * MINUTE), until(pair, MINUTE)
    kept_back: list[tuple[str, bytes]] = []

    def hold(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is pair.bravo and not envelope[1] & 0x02 and not kept_back:
            kept_back.append((relay, envelope))
        return [envelope] if sender is not pair.bravo or envelope not in [e for _, e in kept_back] else []

    pair.weather = hold
    pair.bravo.promise(1, first)
    pair.run(10)
    pair.bravo.promise(1, second)
    pair.run(500)
    assert promises(pair.alpha) == [("sent", 1, second)]
    pair.weather = losing(lambda *_: False)
    pair.carry(pair.bravo, kept_back[0][0], envelope_frame(kept_back[0][1]))
    pair.run(500)
    assert promises(pair.alpha) == [("sent", 1, second)]
    assert status(pair.alpha.endpoint, pair.alpha.now())["promises"][0]["overdue"] is False


def test_an_answer_keeps_the_promise_on_both_sides(pair: Pair) -> None:
    """docs/protocol.md 20.4 and 20.5: an alarm would ring for what was answered."""
    end = until(pair, MINUTE)
    assert pair.bravo.promise(1, end).code == "promised"
    pair.run(500)
    assert promises(pair.bravo) == [("received", 1, end)]
    assert promises(pair.alpha) == [("sent", 1, end)]
    answer(pair.bravo, 1)
    pair.run(2 * MINUTE)
    assert kept(pair.bravo) == [("received", 1, 1, 0)]
    assert kept(pair.alpha) == [("sent", 1, 1, 0)]
    assert "promise-overdue" not in pair.alpha.alarms() + pair.bravo.alarms()
    for party in (pair.alpha, pair.bravo):
        assert status(party.endpoint, party.now())["promises"] == []
        assert party.memory.rows("promise") == []


def test_what_answers_another_statement_keeps_no_promise(pair: Pair) -> None:
    """docs/protocol.md 20.4."""
    pair.alpha.submit("another")
    pair.run(500)
    pair.bravo.promise(1, until(pair, MINUTE))
    pair.run(500)
    answer(pair.bravo, 2)
    pair.bravo.submit("no answer at all")
    pair.run(500)
    assert kept(pair.alpha) == kept(pair.bravo) == []


def test_an_overdue_promise_is_one_alarm_on_each_side_until_it_is_kept(pair: Pair) -> None:
    """The answer would be forgotten where both believe the other's clock (docs/protocol.md 20.5)."""
    pair.bravo.promise(1, until(pair, MINUTE))
    pair.run(MINUTE - 1_000)
    assert "promise-overdue" not in pair.alpha.alarms() + pair.bravo.alarms()
    pair.bravo.offset -= 30 * MINUTE  # a step of the clock puts nothing off
    pair.run(2_000)
    for party in (pair.alpha, pair.bravo):
        assert party.alarms().count("promise-overdue") == 1
        pair.cut()
        party.restart()
        pair.join()
    pair.run(5_000)
    for party, way in ((pair.alpha, "sent"), (pair.bravo, "received")):
        assert party.alarms().count("promise-overdue") == 1, "it is told once"
        picture = status(party.endpoint, party.now())
        assert [(one["way"], one["serial"], one["overdue"]) for one in picture["promises"]] == [(way, 1, True)]
        assert "promise-overdue" in [alarm["name"] for alarm in picture["alarms"]]
    answer(pair.bravo, 1)
    pair.run(500)
    assert kept(pair.alpha) == [("sent", 1, 1, 1)]
    assert kept(pair.bravo) == [("received", 1, 1, 1)]
    assert status(pair.alpha.endpoint, pair.alpha.now())["promises"] == []


def test_the_other_clock_is_reckoned_with() -> None:
    """A clock an hour ahead would ring an hour late, or at once (docs/protocol.md 20.5)."""
    pair = Pair()
    pair.bravo.offset = 60 * MINUTE
    pair.open()
    pair.alpha.submit("Whose aircraft is it?")
    pair.run(500)
    pair.bravo.read(1)
    pair.bravo.promise(1, until(pair, 61 * MINUTE))
    pair.run(MINUTE - 2_000)
    assert "promise-overdue" not in pair.alpha.alarms()
    pair.run(4_000)
    assert "promise-overdue" in pair.alpha.alarms()


def test_a_receipt_for_another_statement_counts_for_nothing(pair: Pair) -> None:
    """A word about what was never said would be told as if it were (docs/protocol.md 20.3)."""
    ctx = pair.bravo.endpoint.context
    for stage, time in ((content_pb2.STAGE_SHOWN, 0), (content_pb2.STAGE_REPLY_BY, until(pair, MINUTE))):
        lie = content_pb2.Receipt(
            stage=stage,
            item=[content_pb2.ReceiptItem(serial=1, statement=b"x" * 32)],
            officer="watch",
            time_ms=until(pair, 0),
            reply_by_ms=time,
        )
        out = pair.bravo.step(Tick())
        ctx.out = out
        ctx.send_content(
            Plane.REAL, ContentType.RECEIPT, lie.SerializeToString(), pair.bravo.now(), transient=False, urgent=False
        )
        for item in out.transmit:
            pair.carry(pair.bravo, item.link, item.frame)
        pair.run(500)
    assert pair.alpha.states(1) == ["delivered", "read", "delivered", "delivered"], "ours is owed again (12.12)"
    assert promises(pair.alpha) == []


def test_stages_after_a_loss_of_state(pair: Pair) -> None:
    """A restored sender hears SHOWN without READ; a restored reader is owed it again (docs/protocol.md 20.3, 12.11)."""
    stages = {party: Stages(party) for party in (pair.alpha, pair.bravo)}
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and not envelope[1] & 0x02)
    pair.alpha.submit("again")
    pair.run(500)
    early = pair.alpha.memory.copy()
    pair.weather = losing(lambda *_: False)
    pair.run(20_000)
    pair.bravo.read(2)
    pair.run(500)
    deaf(pair, pair.alpha)
    pair.bravo.present(2)
    pair.run(100)
    stages[pair.alpha].check(lost=False)
    stages[pair.alpha].restored()
    pair.cut()
    pair.alpha.restart(early)
    pair.weather = losing(lambda *_: False)
    pair.join()
    pair.run(30_000)
    stages[pair.alpha].check(lost=True)
    assert (SentState.DELIVERED, SentState.SHOWN) in stages[pair.alpha].seen
    assert pair.alpha.states(2)[-1] == "shown"


def test_the_ledger_gives_the_rungs_again(pair: Pair) -> None:
    """A row that nobody entered, or that is gone, would be believed (docs/protocol.md 20.6 and 13.3)."""
    pair.bravo.present(1)
    pair.bravo.promise(1, until(pair, MINUTE))
    answer(pair.bravo, 1)
    pair.run(1_000)
    for party in (pair.alpha, pair.bravo):
        made = rebuild(parse_leaf(leaf) for leaf in party.memory.log.leaves)
        tables = {name: party.memory.rows(name) for name in REBUILT}
        assert differences(made, tables) == []
        for row in party.memory.rows("ladder"):
            rest = [other for other in party.memory.rows("ladder") if other is not row]
            assert row["stage"] in ("answered", "arrived") or differences(made, tables | {"ladder": rest})
        alien = {**party.memory.rows("ladder")[0], "serial": 77}
        assert differences(made, tables | {"ladder": [*tables["ladder"], alien]})


READ, SHOWN, REPLY_BY = content_pb2.STAGE_READ, content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY


def test_what_an_officer_did_at_a_sibling_is_done_here_once_and_noted_each_time() -> None:
    """It would be opened twice, or told by the sibling for ever (docs/protocol.md 23.5 and 20.2)."""
    four = Quartet().open()
    four.alpha.submit("one")
    four.alpha.submit("two")
    four.run(1_000)
    beside, until_ms = four.beside, WALL + four.time + MINUTE
    ladder, ctx = beside.endpoint._lines[four.bravo.number].ladder, beside.endpoint.context
    names = {serial: ctx.inboxes[Plane.REAL].known_hash(serial) or b"" for serial in (1, 2)}
    sent: list[content_pb2.Receipt] = []

    def spy(plane: Plane, kind: ContentType, content: bytes, now: Instant, **ways: bool) -> bool:
        assert (plane, kind, ways) == (Plane.REAL, ContentType.RECEIPT, {"transient": True, "urgent": False})
        sent.append(content_pb2.Receipt.FromString(content))
        return True

    def tell(stage: content_pb2.Stage.ValueType, *items: tuple[int, bytes], **more: object) -> list[str]:
        fields = {"officer": "duty-2", "time_ms": WALL + four.time} | more
        wanted = [content_pb2.ReceiptItem(serial=serial, statement=name) for serial, name in items]
        out = beside.endpoint.begin()
        ladder.told(Plane.REAL, content_pb2.Receipt(stage=stage, item=wanted, **fields), beside.now())  # type: ignore[arg-type]
        beside.memory.apply(out)
        return [record.kind for record in out.records]

    one = (1, names[1])
    shown = {"principal": "The Prime Minister"}
    promised = {"reply_by_ms": until_ms}
    with patch.object(type(ladder._ctx), "send_content", lambda self, *what, **ways: spy(*what, **ways)):
        assert tell(READ, (9, bytes(32))) == []
        assert not sent, "what is not here yet is told again"
        assert tell(READ, (2, bytes(32))) == []
        assert 2 in ctx.unread[Plane.REAL]
        assert tell(READ, one, (9, bytes(32))) == tell(READ, (2, names[2])) == ["msg.opened"]
        assert tell(READ, one) == []
        assert tell(SHOWN, one, **shown) == ["msg.presented"]
        assert tell(SHOWN, one, **shown) == []
        assert tell(REPLY_BY, one, **promised) == ["msg.promised"]
        assert tell(REPLY_BY, one, **promised) == []
    beside.lies = True
    noted = content_pb2.STAGE_NOTED
    assert [(r.stage, [i.serial for i in r.item], r.noted, r.reply_by_ms, r.time_ms) for r in sent] == [
        (noted, serials, stage, at, WALL + four.time)
        for serials, stage, at in (
            ([2], 0, 0), ([1], 0, 0), ([2], 0, 0), ([1], 0, 0),
            ([1], SHOWN, 0), ([1], SHOWN, 0), ([1], REPLY_BY, until_ms), ([1], REPLY_BY, until_ms),
        )
    ]  # fmt: skip
    rows = {str(row["stage"]): row for row in beside.memory.rows("ladder")}
    assert (rows["shown"]["officer"], rows["shown"]["principal"]) == ("duty-2", "The Prime Minister")
    assert (rows["reply-by"]["until"], rows["reply-by"]["said"]) == (until_ms, WALL + four.time)
    assert not ctx.unread[Plane.REAL]
