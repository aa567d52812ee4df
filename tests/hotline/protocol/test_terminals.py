"""Several terminals of one party: taking over in every phase of a statement's life (docs/protocol.md section 23)."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from hotline.errors import RemoteError
from hotline.machine import Output, Plane, Reply, RequestId
from hotline.protocol.events import SendTest, SetTerminal, Submit
from hotline.protocol.statements import Ends, sign_content
from hotline.protocol.status import status
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import envelope_id
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.offices import DRAFTER, RELEASER, TWO, Desk
from tests.hotline.protocol.pair import CHARTER, FLASH, PRIORITY, Pair, Party, Weather, clear, durable, losing
from tests.hotline.protocol.quartet import Quartet, Terminal


@pytest.fixture
def four() -> Quartet:
    return Quartet().open()


def statements_between(four: Quartet, sender: Terminal, receiver: Terminal, since: int) -> int:
    """Durable envelopes that left `sender` for `receiver` after the first `since` envelopes of this world."""
    to = receiver.number.to_bytes(2, "big")
    return sum(
        1
        for name, _, envelope in four.sent[since:]
        if name == sender.name
        and envelope[4:6] == sender.number.to_bytes(2, "big")
        and envelope[2:4] == to
        and durable(envelope)
    )


# --- one record -------------------------------------------------------------------------------------------------------


def test_all_four_hold_what_is_said(four: Quartet) -> None:
    """Said once, signed once, sealed to each terminal of the peer and to the sibling (docs/protocol.md 23.4, 23.5)."""
    four.alpha.submit("one", FLASH)
    four.bravo.submit("an answer")
    four.run(2_000)
    assert four.alpha.said() == four.alt.said() == four.bravo.got() == four.beside.got() == {1: "one"}
    assert four.bravo.said() == four.beside.said() == four.alpha.got() == four.alt.got() == {1: "an answer"}
    signatures = {
        next(iter(one.memory.tables[table].values()))["signature"]
        for one, table in (
            (four.alpha, "sent"),
            (four.alt, "sent"),
            (four.bravo, "received"),
            (four.beside, "received"),
        )
    }
    assert len(signatures) == 1
    assert four.alpha.states(1) == four.alt.states(1) == ["delivered"]
    assert [not one.endpoint.context.outboxes[Plane.REAL].pending for one in four.all] == [True] * 4


def test_an_entry_names_the_terminal_whose_log_it_tells_of(four: Quartet) -> None:
    """The head of an alternate would be held against the main one, which never signed it (docs/protocol.md 23.12)."""
    four.alpha.submit("one", FLASH)
    four.bravo.submit("an answer")
    four.run(2_000)
    for kind, others in (
        ("peer.log", {"BRAVO/main", "BRAVO/alt", "ALPHA/alt"}),
        ("msg.recv", {"BRAVO/main"}),
        ("msg.delivered", {"BRAVO/main"}),
    ):
        assert {record.fields["other"] for record in four.alpha.records if record.kind == kind} <= others, kind
        assert any(record.kind == kind for record in four.alpha.records), kind


def test_a_head_is_entered_as_that_of_the_log_it_is_of(four: Quartet) -> None:
    """What an alternate said would have no head beside it, and the main one's name (docs/protocol.md 23.12)."""
    assert four.beside.speak()
    four.run(1_000)
    four.beside.submit("said to all", FLASH)
    four.run(1_000)
    four.part((four.alpha, four.beside))
    four.beside.submit("handed on by its sibling", FLASH)
    four.run(1_000)
    assert four.bravo.speak()
    four.run(3_000)
    assert four.alpha.got()[2] == "handed on by its sibling"
    entries = [record.fields for record in four.alpha.records if record.kind == "msg.recv"]
    assert [fields["serial"] for fields in entries] == [1, 2]
    for fields in entries:
        size = fields["peer_size"]
        assert isinstance(size, int)
        assert (fields["other"], fields["peer_log_epoch"]) == ("BRAVO/alt", 1)
        assert fields["peer_root"] == four.beside.memory.log.root_at(size).hex()


def test_a_delivery_is_entered_as_the_word_of_whose_it_is(four: Quartet) -> None:
    """A receipt of one terminal would be held against the record of the other (docs/protocol.md 23.12)."""
    four.part((four.alpha, four.alt), (four.alt, four.bravo))
    four.alpha.submit("acknowledged before it is known")
    four.run(1_000)
    four.meet()
    four.run(4_000)
    assert [one.fields["other"] for one in four.alt.records if one.kind == "msg.delivered"] == ["BRAVO/alt"]


def test_a_read_by_an_officer_is_a_read_at_the_sibling_too(four: Quartet) -> None:
    """Whoever opened it, nobody need open it again; both terminals of the sender are told (docs/protocol.md 23.5)."""
    four.alpha.submit("one")
    four.run(1_000)
    assert four.beside.read(1).ok
    four.run(1_000)
    assert four.bravo.endpoint.context.unread[Plane.REAL] == {}
    assert four.alpha.states(1) == four.alt.states(1) == ["delivered", "read"]
    assert [len(one.endpoint.context.reads) for one in (four.bravo, four.beside)] == [0, 0]


def test_what_was_read_before_a_crash_is_told_the_sibling_all_the_same(four: Quartet) -> None:
    """The next watch would open it again, as if nobody had (docs/protocol.md 23.5)."""
    four.alpha.submit("one")
    four.run(1_000)
    four.part((four.bravo, four.beside))
    assert four.beside.read(1).ok
    four.run(1_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["delivered", "read"]
    four.beside.restart()
    four.meet()
    four.run(12_000)
    assert four.bravo.endpoint.context.unread[Plane.REAL] == {}
    assert not four.beside.memory.rows("unnoted")


def test_what_was_read_at_a_sibling_is_read_here_once_it_is_shown(four: Quartet) -> None:
    """Noted while it is held back for what comes before it, it would be opened again (docs/protocol.md 23.5)."""
    to_beside = next(one for one in four.alpha.endpoint.context.peers if one.setup.remote.number == four.beside.number)

    def is_the_first(sender: Party, relay: str, envelope: bytes) -> bool:
        item = to_beside.outboxes[Plane.REAL].pending.get(1)
        return item is not None and item.envelope == envelope

    four.weather = losing(is_the_first)
    four.alpha.submit("one")
    four.alpha.submit("two")
    four.run(500)
    assert (four.bravo.shown(), four.beside.shown(), four.beside.got()) == ([1, 2], [], {2: "two"})
    assert four.bravo.read(1).ok
    assert four.bravo.read(2).ok
    four.run(500)
    four.weather = losing(lambda *_: False)
    four.run(12_000)
    assert four.beside.shown() == [1, 2]
    assert four.beside.endpoint.context.unread[Plane.REAL] == {}


def test_a_lost_alternate_delays_nothing(four: Quartet) -> None:
    """DELIVERED is what the first terminal says; the other has its copies when it is back (docs/protocol.md 23.4)."""
    four.beside.kill()
    four.run(10_000)
    for number in range(1, 6):
        four.alpha.submit(f"statement {number}")
    four.run(500)
    assert [four.alpha.states(number) for number in range(1, 6)] == [["delivered"]] * 5
    four.alpha.restart()  # what the other one lacks is in no table of things under way
    four.beside.start()
    four.run(20_000)
    assert four.beside.got() == four.bravo.got()
    assert len(four.beside.shown()) == 5
    assert "peer-restored" not in four.alpha.alarms()
    assert [four.alpha.states(number) for number in range(1, 6)] == [["delivered"]] * 5


def test_an_alternate_that_is_new_is_told_everything(four: Quartet) -> None:
    """It asks for what its record lacks, in stretches, and is told what waits no more (docs/protocol.md 23.7)."""
    four.alt.kill()
    four.run(10_000)
    for number in range(1, 71):
        four.alpha.submit(f"statement {number}")
    four.run(2_000)
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("never heard", valid_for_ms=5_000)
    four.run(10_000)
    assert four.alpha.states(71)[-1] == "expired"
    four.meet()
    four.run(30_000)
    four.alpha.restart()
    four.alt.start()
    four.run(30_000)
    assert four.alt.said() == four.alpha.said()
    assert {one for number in range(1, 71) for one in four.alt.states(number)} == {"delivered"}
    assert four.alt.states(71) == ["expired"]
    four.alpha.kill()
    assert four.alt.speak()
    four.run(10_000)
    assert "never heard" not in four.bravo.got().values()
    assert four.bravo.shown() == [*range(1, 71), -71]


def test_a_sibling_that_hears_nobody_else_is_told_what_was_delivered(four: Quartet) -> None:
    """It would owe it for ever, and say it again when it takes over (docs/protocol.md 23.5)."""
    four.part(*((four.alt, other) for other in (four.alpha, four.bravo, four.beside)))
    four.alpha.submit("delivered before", FLASH)
    four.run(1_000)
    assert four.alpha.states(1)[-1] == "delivered"
    four.blocked -= {frozenset((four.alpha.number, four.alt.number))}
    four.run(4_000)
    assert four.alt.said() == {1: "delivered before"}
    assert [one.fields["other"] for one in four.alt.records if one.kind == "msg.delivered"] == ["ALPHA/main"]
    assert four.alt.states(1) == ["delivered"]
    assert not four.alt.endpoint.context.outboxes[Plane.REAL].pending


def test_a_sibling_whose_receipt_was_lost_asks_the_one_that_speaks(four: Quartet) -> None:
    """It would hold what was delivered for waiting, for as long as it stands by (docs/protocol.md 23.7)."""
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("mirrored first", FLASH)
    four.run(600)
    assert four.alt.said() == {1: "mirrored first"}
    four.weather = lambda sender, relay, envelope: (
        [] if sender.name == "BRAVO" and envelope[2:4] == b"\0\2" and durable(envelope) else [envelope]
    )
    four.meet()
    four.run(2_000)
    four.weather = lambda sender, relay, envelope: [envelope]
    assert (four.alpha.states(1), four.alt.states(1)) == (["delivered"], [])
    four.run(40_000)
    assert four.alt.states(1) == ["delivered"]
    assert not four.alt.endpoint.context.outboxes[Plane.REAL].pending
    copies = four.alpha.kinds().count("msg.copied")
    four.run(40_000)
    assert four.alpha.kinds().count("msg.copied") == copies, "nothing is asked any more"


@pytest.mark.parametrize("plane", Plane)
def test_what_a_restored_terminal_has_lost_it_is_told_by_its_sibling(four: Quartet, plane: Plane) -> None:
    """It would wait at the sibling for ever, and the peer for what stands in the gap (docs/protocol.md 23.7)."""
    # docs/protocol.md 23.7
    four.alpha.submit("delivered", plane=plane)
    four.run(4_000)
    backup = four.alpha.memory.copy()
    four.alpha.submit("delivered, and lost", plane=plane)
    four.run(4_000)
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("never left, and lost", plane=plane)
    four.run(4_000)
    four.alpha.restart(backup)
    assert four.alpha.said() == {1: "delivered"}
    four.meet()
    four.run(20_000)
    said = {1: "delivered", 2: "delivered, and lost", 3: "never left, and lost"}
    assert four.alpha.said() == four.alt.said() == four.bravo.got() == four.beside.got() == said
    assert four.alpha.states(3, plane) == four.alt.states(3, plane) == ["delivered"]
    assert nothing_pending(four)
    copied = [one.kinds().count("msg.copied") for one in four.all]
    four.run(20_000)
    assert [one.kinds().count("msg.copied") for one in four.all] == copied, "nothing is asked for any more"


@pytest.mark.parametrize("plane", Plane)
def test_what_a_sibling_asks_for_waits_for_it_up_to_a_bound(plane: Plane) -> None:
    """One that acknowledges nothing, as a thief's, would have the whole record in memory (docs/protocol.md 4.7)."""
    # docs/protocol.md 23.7
    four = Quartet()
    for one in four.all:
        one.prepare(outbox_max=6)
        if one is not four.alt:
            one.start()
    four.run(4_000)
    for number in range(20):
        assert four.alpha.submit(str(number), plane=plane).ok
        four.run(1_000)
    to_alternate = four.alt.number.to_bytes(2, "big")
    four.weather = losing(lambda _, relay, envelope: durable(envelope) and envelope[2:4] == to_alternate)
    four.alt.start()
    four.run(10_000)
    (line,) = four.alpha.endpoint.context.siblings
    assert len(line.outboxes[plane].pending) == 6
    four.weather = clear
    four.run(30_000)
    assert len(four.alt.said()) == 20, "it asks again"


def test_talk_whose_receipt_was_lost_is_settled_by_the_one_that_speaks(four: Quartet) -> None:
    """It would wait at the other for as long as that stands by (docs/protocol.md 23.7)."""
    # docs/protocol.md 23.7
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("between operators", plane=Plane.SERVICE)
    with patch("hotline.protocol.lacking._NEWS_EVERY", 2):
        four.run(4_000)
    assert "msg.copied" not in four.alt.kinds(), "the peer has not got it"
    assert len(four.alt.endpoint.context.outboxes[Plane.SERVICE].pending) == 1
    no_receipts(four, four.alt, four.bravo, four.beside, four.alpha)
    four.meet()
    four.run(10_000)
    four.weather = lambda sender, relay, envelope: [envelope]
    assert (four.alpha.states(1, Plane.SERVICE), four.alt.states(1, Plane.SERVICE)) == (["delivered"], [])
    four.run(40_000)
    assert four.alt.states(1, Plane.SERVICE) == ["delivered"]
    assert nothing_pending(four)
    mirrored = four.alt.kinds().count("msg.copied")
    four.run(40_000)
    assert four.alt.kinds().count("msg.copied") == mirrored, "nothing is told again"


def test_what_expired_at_the_one_that_speaks_is_expired_at_its_sibling(four: Quartet) -> None:
    """It came later, and waits no longer; the empty one of either counts for both (docs/protocol.md 23.5)."""
    four.part((four.alpha, four.alt), *((one, other) for one in four.all[:2] for other in four.all[2:]))
    four.alpha.submit("too late", valid_for_ms=10_000)
    four.run(6_000)
    four.blocked.remove(frozenset((four.alpha.number, four.alt.number)))
    four.run(6_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["expired"]
    assert [item.is_void for item in four.alt.endpoint.context.outboxes[Plane.REAL].pending.values()] == [True]
    four.meet()
    four.run(30_000)
    assert four.bravo.shown() == [-1]
    assert not four.alt.endpoint.context.outboxes[Plane.REAL].pending


@pytest.mark.parametrize("restarts", [False, True])
def test_what_expired_for_who_was_cut_off_is_delivered_when_its_sibling_says_so(four: Quartet, restarts: bool) -> None:
    """Its officer would read that it expired, and the peer had read it long ago (docs/protocol.md 23.7)."""
    four.part(*((one, other) for one in four.all[:2] for other in four.all[2:]))
    four.alpha.submit("in time", valid_for_ms=10_000)
    four.run(500)
    four.meet()
    four.part(*((four.alt, other) for other in four.all if other is not four.alt))
    four.run(12_000)
    assert (four.alpha.states(1)[-1], four.alt.states(1)) == ("delivered", ["expired"])
    four.blocked.discard(frozenset((four.alt.number, four.bravo.number)))
    four.run(5_000)
    assert not four.alt.endpoint.context.outboxes[Plane.REAL].pending, "the peer has all, it says"
    if restarts:
        four.alt.restart(four.alt.memory.copy())
    four.meet()
    four.run(30_000)
    assert four.alt.states(1)[-1] == "delivered"
    assert not four.alt.endpoint.context.siblings[0].outboxes[Plane.REAL].pending


def test_what_every_terminal_of_ours_has_lost_is_closed_for_the_peers_other_one(four: Quartet) -> None:
    """Its gap would be an alarm for ever: nobody can fill it (docs/protocol.md 10.5, 23.4)."""
    copy = four.alpha.memory.copy()
    four.part((four.alpha, four.alt), (four.alpha, four.beside))
    four.alpha.submit("only one has heard this", FLASH)
    four.alpha.submit("nor has another heard this", FLASH)
    four.run(2_000)
    assert (len(four.bravo.got()), four.beside.got()) == (2, {})
    four.alpha.restart(copy)
    four.meet()
    four.run(1_000)
    four.alpha.submit("what was said then is lost to us", FLASH)
    four.run(60_000)
    assert four.beside.got()[3] == "what was said then is lost to us"
    assert [one.endpoint.context.inboxes[Plane.REAL].through for one in (four.bravo, four.beside)] == [3, 3]
    assert four.bravo.got()[1] == "only one has heard this"


def heard_by_one_alone(four: Quartet) -> None:
    """Talk of ALPHA's main terminal that neither its sibling nor BRAVO's alternate has."""
    four.part((four.alpha, four.alt), (four.alpha, four.beside))
    for text in ("heard by one alone", "like this"):
        four.alpha.submit(text, plane=Plane.SERVICE)
    four.run(2_000)
    assert (four.bravo.shown(Plane.SERVICE), four.beside.got(), four.alt.said()) == ([1, 2], {}, {})


def test_talk_that_every_terminal_of_ours_has_lost_is_closed_for_the_peers_other_one(four: Quartet) -> None:
    """No heartbeat of siblings tells of talk: its gap would stand for ever (docs/protocol.md 23.4)."""
    copy = four.alpha.memory.copy()
    heard_by_one_alone(four)
    four.alpha.restart(copy)
    four.meet()
    four.run(1_000)
    assert four.alt.speak()
    four.alt.submit("what comes after it", plane=Plane.SERVICE)
    four.run(30_000)
    assert [one.endpoint.context.inboxes[Plane.SERVICE].through for one in (four.bravo, four.beside)] == [3, 3]
    assert four.beside.got() == {1: "", 2: "", 3: "what comes after it"}


def test_talk_that_a_sibling_holds_is_told_before_its_gap_is_closed(four: Quartet) -> None:
    """It would be empty at the peer's other terminal: after a start nobody tells it (docs/protocol.md 23.4)."""
    heard_by_one_alone(four)
    four.alpha.restart()
    four.meet()
    assert four.alt.speak()
    four.run(30_000)
    assert four.alt.said() == four.beside.got() == {1: "heard by one alone", 2: "like this"}
    assert "two-voices" not in four.alt.alarms() + four.alpha.alarms()


def destroy_the_first(*terminals: Terminal) -> None:
    """The text of #1 is destroyed there; its row stands (docs/protocol.md 13.4)."""
    for one in terminals:
        sent = one.memory.sent
        one.memory.sent = lambda plane, serial, sent=sent: sent(plane, serial) if serial != 1 else None  # type: ignore[method-assign, misc]
        one.restart()


def test_a_text_that_was_destroyed_is_not_brought_back_by_a_sibling(four: Quartet) -> None:
    """It would be there again, in the store and as an entry, after each start (docs/protocol.md 13.20, 23.7)."""
    # docs/protocol.md 23.7
    four.alpha.submit("one")
    four.alpha.submit("two")
    four.run(2_000)
    entries = len(four.alt.records)
    destroy_the_first(four.alt)
    four.run(8_000)
    assert four.bravo.read(1).ok
    four.run(30_000)
    assert not [one for one in four.alt.records[entries:] if one.kind in ("msg.mirrored", "mirror.conflict")]
    assert [len(line.reads) for line in four.bravo.endpoint.context.lines] == [0, 0, 0], "it was noted"


@pytest.mark.parametrize("restored", [False, True])
def test_a_text_that_was_destroyed_is_an_empty_statement_to_a_terminal_that_lacks_it(
    four: Quartet, restored: bool
) -> None:
    """Its gap would stand there for ever: nobody brings it, and who is asked tells nothing (docs/protocol.md 23.4)."""
    empty = four.alpha.memory.copy(), four.beside.memory.copy()
    four.alpha.submit("one")
    four.alpha.submit("two")
    four.run(2_000)
    destroy_the_first(four.alt, *(() if restored else (four.alpha,)))
    if restored:
        four.alpha.restart(empty[0])
    four.beside.restart(empty[1])
    four.run(30_000)
    assert four.beside.got() == {1: "", 2: "two"}
    assert four.alpha.said() == ({2: "two"} if restored else {1: "one", 2: "two"})


def expired_where_it_had_arrived(four: Quartet) -> None:
    """BRAVO's alternate has #1, whose receipts are lost; it expires, and then BRAVO's main terminal is heard again."""
    no_receipts(four, four.alpha, four.beside)
    to_alpha = four.weather
    four.weather = lambda sender, relay, envelope: (
        []
        if durable(envelope) and (envelope[4:6], envelope[2:4]) == (b"\0\4", b"\0\2")
        else to_alpha(sender, relay, envelope)
    )
    four.part((four.alpha, four.bravo), (four.alt, four.bravo))
    four.alpha.submit("arrived all the same", valid_for_ms=4_000)
    four.run(10_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["expired"]
    assert (four.beside.got(), four.bravo.got()) == ({1: "arrived all the same"}, {})


def nothing_pending(four: Quartet) -> bool:
    """Nobody owes anybody a statement."""
    return not any(line.outboxes[Plane.REAL].pending for one in four.all for line in one.endpoint.context.lines)


def test_an_empty_copy_that_finds_its_statement_is_let_go_and_both_are_told(four: Quartet) -> None:
    """It would be repeated for ever, and nobody told that the peer has read what had expired (23.4, 23.5)."""
    # docs/protocol.md 23.4, 23.5
    expired_where_it_had_arrived(four)
    four.meet()
    four.run(3_000)
    assert four.bravo.got() == {1: ""}, "its first terminal to answer has the empty one"
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(10_000)
    assert nothing_pending(four)
    assert all("other" in one.fields for party in four.all for one in party.records if one.kind == "msg.delivered")
    assert four.alpha.states(1) == four.alt.states(1) == ["expired", "delivered"]


def test_what_had_expired_and_came_late_is_the_same_at_each_terminal_of_the_peer(four: Quartet) -> None:
    """One of them would show words under a number that is empty at the other (23.4)."""
    # docs/protocol.md 23.4
    expired_where_it_had_arrived(four)
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(10_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["expired", "delivered"]
    four.meet()
    four.run(10_000)
    assert four.bravo.got() == four.beside.got() == {1: "arrived all the same"}
    assert nothing_pending(four)


def nothing_committed(one: Terminal) -> None:
    """As long as this lasts no stage of a statement is in its history yet."""
    one.memory.has_sent_fact = lambda *_: False  # type: ignore[method-assign]


def test_what_is_about_to_be_committed_as_delivered_is_a_copy_to_others(four: Quartet) -> None:
    """Its sender would be told twice that it is delivered (docs/protocol.md 23.4)."""
    backup = four.beside.memory.copy()
    four.alpha.submit("one")
    four.run(2_000)
    nothing_committed(four.alpha)
    four.beside.restart(backup)
    four.run(8_000)
    assert four.beside.got() == {1: "one"}
    assert four.alpha.states(1) == ["delivered"]


def test_what_the_peer_had_before_the_siblings_word_is_told_once(four: Quartet) -> None:
    """The peer's other terminal has it later, and would make it delivered again (docs/protocol.md 23.4)."""
    four.part((four.alpha, four.alt), (four.alpha, four.beside))
    four.alpha.submit("one")
    four.run(2_000)
    assert four.alt.speak()
    nothing_committed(four.alt)
    four.meet()
    four.run(12_000)
    assert four.beside.got() == four.alt.said() == {1: "one"}
    assert four.alt.states(1) == ["delivered"]


def test_what_arrived_late_is_owed_to_no_other_terminal_of_the_peer(four: Quartet) -> None:
    """A watch would hand over that it waits, and it would be said again after a start (docs/protocol.md 23.4, 25.9)."""
    # docs/protocol.md 23.4
    expired_where_it_had_arrived(four)
    backup = four.bravo.memory.copy()
    four.meet()
    four.run(3_000)
    assert four.bravo.got() == {1: ""}
    four.weather = losing(lambda sender, relay, envelope: durable(envelope) and envelope[2:4] == b"\0\3")
    four.bravo.restart(backup)
    four.run(3_000)
    assert len(four.alpha.memory.rows("outbox")) == 1, "it is owed again, as an empty one"
    assert four.beside.read(1).ok
    four.run(8_000)
    assert four.alpha.states(1) == ["expired", "delivered", "read"]
    assert four.alpha.memory.rows("outbox") == []
    four.weather = clear
    four.run(30_000)
    assert four.bravo.got() == {1: "arrived all the same"}
    assert nothing_pending(four)


def test_a_read_of_what_had_expired_is_its_delivery_too(four: Quartet) -> None:
    """Its sender would be told that nobody has it, and that somebody has read it (docs/protocol.md 9.7, 23.4)."""
    expired_where_it_had_arrived(four)
    four.meet()
    four.run(3_000)
    conflict = four.weather
    four.weather = lambda sender, relay, envelope: [envelope]
    assert four.beside.read(1).ok
    four.weather = conflict
    four.run(3_000)
    assert four.alpha.states(1) == ["expired", "delivered", "read"]


def test_the_peers_receipt_may_come_before_the_siblings_word(four: Quartet) -> None:
    """What it acknowledged is delivered as soon as it is known here (docs/protocol.md 23.5)."""
    four.part((four.alpha, four.alt))
    four.alpha.submit("one")
    four.run(3_000)
    assert four.alt.said() == {}
    assert "sibling-said" not in four.alt.alarms(), "what stands by asks when it takes over"
    four.meet()
    four.run(30_000)
    assert four.alt.said() == {1: "one"}
    assert four.alt.states(1) == ["delivered"]


def no_receipts(four: Quartet, receiver: Terminal, *senders: Terminal) -> None:
    """Every durable envelope of these for it is lost, and not repeated; beats arrive."""
    ways = {(one.number.to_bytes(2, "big"), receiver.number.to_bytes(2, "big")) for one in senders}
    four.weather = lambda sender, relay, envelope: (
        [] if durable(envelope) and (envelope[4:6], envelope[2:4]) in ways else [envelope]
    )


def test_what_is_read_and_promised_before_the_siblings_word_is_so_here_too(four: Quartet) -> None:
    """Noted while it is not held, it would be read at one terminal and not at the other (docs/protocol.md 23.5)."""
    four.part((four.alpha, four.alt))
    four.alpha.submit("one")
    four.run(1_000)
    assert four.bravo.read(1).ok
    until = four.bravo.now().wall + 600_000
    assert four.bravo.promise(1, until).ok
    four.run(3_000)
    assert (four.alpha.states(1), four.alt.said()) == (["delivered", "read"], {})
    four.alt.restart()
    four.run(3_000)
    four.meet()
    four.run(30_000)
    assert four.alt.states(1) == ["delivered", "read"]
    promised = [one.memory.rows("promise") for one in (four.alpha, four.alt)]
    assert promised[0] == promised[1] != []
    assert not len(four.bravo.endpoint.context.lines[1].reads)


def test_who_stands_by_lets_go_of_what_nobody_will_answer_it_for(four: Quartet) -> None:
    """Copies and empty statements would pile up where they are never sent (docs/protocol.md 23.5)."""
    four.part(*((one, other) for one in four.all[:2] for other in four.all[2:]))
    four.alpha.submit("never heard", valid_for_ms=4_000)
    four.run(10_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["expired"]
    no_receipts(four, four.alt, four.bravo, four.beside)
    four.meet()
    four.run(8_000)
    assert four.bravo.shown() == [-1]
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("a word")
    four.run(500)
    no_receipts(four, four.alt, four.beside, four.alpha)
    four.meet()
    four.run(8_000)
    assert four.alt.states(2) == ["delivered"]
    for line in four.alt.endpoint.context.peers:
        assert not [item for item in line.outboxes[Plane.REAL].pending.values() if item.copy or item.is_void]


def test_a_terminal_that_falls_silent_is_an_alarm_and_its_sibling_keeps_the_line(four: Quartet) -> None:
    """A lost alternate is a person's business; the peer is heard all the same (docs/protocol.md 23.10)."""
    four.bravo.kill()
    four.run(20_000)
    assert four.alpha.alarms() == four.alt.alarms() == ["terminal-silent"]
    four.beside.kill()
    four.run(20_000)
    assert four.alpha.alarms() == ["terminal-silent", "terminal-silent", "no-path"]


def test_each_alarm_of_silence_rings_once(four: Quartet) -> None:
    """It rang for each terminal of the peer and each path that was lost (docs/protocol.md 11.3, 23.10)."""
    for relay in four.relay_keys:
        four.cut(relay)
    assert sorted(four.alpha.alarms()) == ["no-path", "terminal-silent", "terminal-silent", "terminal-silent"]
    for relay in four.relay_keys:
        four.join(relay)
        four.cut(relay)
    assert len(four.alpha.alarms()) == 4
    four.join()
    four.run(8_000)
    four.cut()
    assert len(four.alpha.alarms()) == 8


def test_nothing_is_said_without_prejudice_where_there_are_several(four: Quartet) -> None:
    """What authenticates it holds between two terminals only (docs/protocol.md 23.11)."""
    event = Submit(
        RequestId(1), Plane.REAL, FLASH, "en", content_pb2.DIRECTION_LTR, "between us", "watch", without_prejudice=True
    )
    four.alpha.step(event)
    assert not four.alpha.replies[1].ok
    assert "several terminals" in four.alpha.replies[1].text
    four.run(500)
    assert four.bravo.got() == {}


# --- taking over ------------------------------------------------------------------------------------------------------


def test_a_terminal_that_stands_by_says_nothing(four: Quartet) -> None:
    """It refuses with a sentence, and gives out no serial (docs/protocol.md 23.1)."""
    reply = four.alt.submit("a second voice")
    assert (reply.ok, reply.code) == (False, "standby")
    assert "ALPHA/main speaks" in reply.text
    four.run(1_000)
    assert four.bravo.got() == {}
    assert not four.alpha.speak(), "it speaks already"
    assert four.alpha.speak(speak=False)
    assert four.alpha.submit("not now").code == "standby"
    assert four.alpha.speak()
    assert four.alpha.submit("now").ok
    four.run(1_000)
    assert four.bravo.got() == {1: "now"}
    assert four.bravo.endpoint.standing.turns["ALPHA"] == (1, 1)


def test_taken_over_before_anything_left(four: Quartet) -> None:
    """Its operator is told that it was not said: nothing old is said by the successor (docs/protocol.md 23.6)."""
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("an order that nobody heard", FLASH)
    four.alpha.submit("nor this one", FLASH)
    four.run(200)
    four.alpha.kill()
    assert four.alt.speak()
    four.run(1_000)
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    four.meet()
    before = len(four.sent)
    four.alpha.start()
    four.run(30_000)
    assert statements_between(four, four.alpha, four.bravo, before) == 0, "it asks before it speaks"
    assert "not-said" in four.alpha.alarms()
    assert "taken-over" in four.alpha.alarms()
    assert four.alpha.states(1) == four.alpha.states(2) == ["expired"]
    assert four.bravo.got() == four.beside.got() == {1: "what holds now"}
    assert four.bravo.shown() == [1]
    assert "mirror.refused" in four.alt.kinds(), "a number that is free is not taken for it either"
    assert not four.alpha.endpoint.context.outboxes[Plane.REAL].pending


@pytest.mark.parametrize(("plane", "told"), [(Plane.REAL, True), (Plane.REAL, False), (Plane.SERVICE, False)])
def test_what_arrived_after_it_was_given_up_is_told_by_whom_the_peer_contradicts(
    four: Quartet, plane: Plane, told: bool
) -> None:
    """It would be said again as never said, and its number be asked about without end (docs/protocol.md 23.7, 23.8)."""
    # docs/protocol.md 23.7, 23.8
    under_way: dict[Terminal, bytes] = {}

    def weather(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        receiver = four.receiver(sender, envelope)
        if receiver is None or not durable(envelope) or sender.name == receiver.name:
            return [envelope]
        if sender is four.alpha:
            under_way.setdefault(receiver, envelope)
        return []

    four.part((four.alpha, four.alt))
    four.weather = weather
    four.alpha.submit("given up", plane=plane)
    four.run(500)
    assert four.alt.speak()
    four.alt.submit("what holds now", plane=plane)
    four.run(1_000)
    for receiver, envelope in under_way.items():  # it lay at a relay
        receiver.hear("relay-1", envelope_frame(envelope))
    four.meet()
    four.run(3_000)
    assert (four.alpha.states(1, plane), four.bravo.got()) == (["expired"], {1: "given up"})
    if not told:
        four.part((four.alpha, four.alt))
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(10_000)
    assert four.bravo.got() == four.beside.got() == {1: "given up", 2: "what holds now"}
    four.meet()  # now it asks, if it does not know
    four.run(10_000)
    assert four.alpha.states(1, plane) == ["expired", "delivered"]
    assert four.alt.states(1, plane) == ["renumbered"]
    four.alpha.restart()
    four.run(10_000)
    sent = [one.kinds().count("msg.sent") for one in (four.alpha, four.alt)]
    four.run(12_000)
    assert [one.kinds().count("msg.sent") for one in (four.alpha, four.alt)] == sent, "nothing is asked any more"


def test_whoever_holds_another_statement_is_not_asked_again(four: Quartet) -> None:
    """Each answer would be an entry, thousands a day, and say no more than the first one (docs/protocol.md 23.7)."""
    four.part(*((four.alpha, other) for other in four.all))
    four.alpha.submit("never heard")
    four.run(500)
    four.alpha.kill()
    assert four.alt.speak()
    four.alt.submit("what holds now")
    four.run(2_000)
    four.meet()
    four.alpha.start()
    four.run(8_000)
    assert four.alpha.states(1) == ["expired"]
    four.alpha.restart()
    four.run(8_000)
    sent = [one.kinds().count("msg.sent") for one in (four.alpha, four.alt)]
    four.run(12_000)
    assert [one.kinds().count("msg.sent") for one in (four.alpha, four.alt)] == sent


def test_what_one_terminal_of_the_peer_contradicts_and_the_other_has_is_delivered(four: Quartet) -> None:
    """It would be said again as never said, and stand in the peer's record (docs/protocol.md 23.4, 23.6)."""
    # docs/protocol.md 23.6
    lost = {(1, 2), (1, 3), (1, 4), (2, 3)}
    four.weather = losing(
        lambda _, __, envelope: (
            durable(envelope) and (int.from_bytes(envelope[4:6], "big"), int.from_bytes(envelope[2:4], "big")) in lost
        )
    )
    four.alpha.submit("one")
    four.run(3_000)
    assert four.alt.speak()
    four.run(3_000)
    assert (four.beside.got(), four.bravo.got()) == ({1: ""}, {})
    lost ^= {(1, 2), (4, 1), (4, 2)}
    four.run(8_000)
    assert four.alt.said() == {1: "one"}
    lost ^= {(2, 3), (3, 1), (3, 2)}
    four.run(8_000)
    assert four.bravo.got() == {1: "one"}
    lost ^= {(4, 1), (4, 2)}
    four.run(8_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["expired"]
    lost.clear()
    four.run(30_000)
    assert four.alpha.states(1) == four.alt.states(1) == ["expired", "delivered"]
    assert nothing_pending(four)


def test_what_only_its_number_was_heard_of_is_not_said_later(four: Quartet) -> None:
    """The number is taken by an empty statement; an order of yesterday would be said as of today (23.6)."""
    # docs/protocol.md 23.6
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.weather = lambda sender, relay, envelope: [] if sender is four.alpha and durable(envelope) else [envelope]
    four.alpha.submit("an order that nobody heard", FLASH)
    four.run(1_500)
    four.alpha.kill()
    four.weather = lambda sender, relay, envelope: [envelope]
    assert four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    assert four.bravo.got() == {1: "", 2: "what holds now"}
    four.meet()
    four.alpha.start()
    four.run(30_000)
    assert four.bravo.got() == four.beside.got() == {1: "", 2: "what holds now"}
    assert four.alpha.states(1) == four.alt.states(1) == ["expired"]
    assert "not-said" in four.alt.alarms()
    assert not four.alt.endpoint.context.outboxes[Plane.REAL].pending


def test_a_terminal_that_comes_back_asks_before_it_tests_the_channel() -> None:
    """Its test took a number that its successor had given: both rang for two voices (docs/protocol.md 10.7, 23.3)."""
    # docs/protocol.md 10.7
    four = Quartet()
    for one in four.all:
        one.prepare(channel_test_ms=20_000)
    four.open()
    four.run(81_000)
    tested = len(four.alpha.memory.rows("channel_test"))
    assert tested
    four.alpha.kill()
    four.run(5_000)
    assert four.alt.speak()
    four.run(82_000)
    four.alpha.start()
    four.run(25_000)
    assert "taken-over" in four.alpha.alarms()
    assert "two-voices" not in four.alpha.alarms() + four.alt.alarms()
    assert set(four.alpha.endpoint.context.outboxes[Plane.REAL].pending) == set()
    assert four.alpha.speak()
    four.run(81_000)
    assert len(four.alpha.memory.rows("channel_test")) > tested, "and it tests again once it speaks"
    assert "test-missed" not in four.bravo.alarms()


def test_a_channel_test_that_a_takeover_overtook_is_nobodys_to_say_again(four: Quartet) -> None:
    """An officer was to say a neutral text anew, and `status` called it queued for good (docs/protocol.md 23.6)."""
    # docs/protocol.md 23.6
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.step(SendTest(RequestId(1), "watch"))
    assert four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    four.meet()
    four.run(10_000)
    assert "taken-over" in four.alpha.alarms()
    assert "not-said" not in four.alpha.alarms()
    assert status(four.alpha.endpoint, four.alpha.now())["tests"]["sent"]["outcome"] == "expired"


@pytest.mark.parametrize("valid_for_ms", [0, 2_000])
def test_what_was_refused_is_refused_once(four: Quartet, valid_for_ms: int) -> None:
    """Its number was asked for with each beat, and refused with an entry, without end (docs/protocol.md 23.6, 23.7)."""
    # docs/protocol.md 23.6, 23.7
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("an order that nobody heard", FLASH)
    four.alpha.submit("nor this one", FLASH, valid_for_ms=valid_for_ms)
    four.run(4_200)
    assert four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    four.meet()
    four.run(10_000)
    assert four.alpha.states(1) == four.alpha.states(2) == ["expired"]
    assert nothing_pending(four), "no gap is left to close"
    since = len(four.sent)
    four.run(10_000)
    assert four.alt.kinds().count("mirror.refused") == 1
    assert statements_between(four, four.alpha, four.alt, since) == 0, "nobody asks for it"
    four.alt.submit("what takes its number", FLASH)
    four.run(4_000)
    assert four.bravo.got() == {1: "what holds now", 2: "what takes its number"}


def test_a_hole_that_nobody_can_fill_hides_none_behind_it(four: Quartet) -> None:
    """Each beat would look at all that is above it, or never come to what is further up (docs/protocol.md 23.7)."""
    for number in range(1, 21):
        four.alpha.submit(f"statement {number}")
    four.run(2_000)
    lost = [one.memory.tables["sent"].pop(("real", 5)) for one in (four.alpha, four.alt)]
    del four.alt.memory.tables["sent"]["real", 18]
    with patch("hotline.protocol.lacking._LOOKED_AT", 3):
        four.alt.restart()
        four.run(12_000)
    assert sorted({*range(1, 21)} - {*four.alt.said()}) == [5]
    for one, row in zip((four.alpha, four.alt), lost, strict=True):
        one.memory.tables["sent"]["real", 5] = row  # every disk is compared with its ledger afterwards


def test_the_peers_own_conflict_ends_it_for_who_stands_by(four: Quartet) -> None:
    """Its officer would never be told that it was not said (docs/protocol.md 23.6)."""
    held: list[tuple[Party, str, bytes]] = []

    def hold(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is four.alpha and durable(envelope):
            held.append((sender, relay, envelope))
            return []
        return [envelope]

    four.part((four.alpha, four.alt), (four.alpha, four.beside))
    four.weather = hold
    four.alpha.submit("a relay held this", FLASH)
    four.run(50)
    four.part((four.alpha, four.bravo))
    assert four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    four.blocked -= {frozenset((four.alpha.number, four.bravo.number))}
    four.run(2_000)
    assert "taken-over" in four.alpha.alarms()
    four.weather = lambda sender, relay, envelope: [envelope]
    for sender, relay, envelope in held:
        four.bring(sender, relay, envelope)
    four.run(1_000)
    assert four.alpha.states(1) == ["expired"]
    assert {"two-voices", "not-said"} <= set(four.alpha.alarms())
    assert four.bravo.got() == {1: "what holds now"}


def test_what_a_restored_terminal_says_before_it_knows_its_term_is_renumbered(four: Quartet) -> None:
    """Its own words of today would be taken for those of an earlier term (docs/protocol.md 12.6, 23.8)."""
    copy = four.alpha.memory.copy()
    assert four.alpha.speak(speak=False)
    assert four.alpha.speak()
    four.alpha.submit("the first", FLASH)
    four.run(2_000)
    four.part(*((four.alpha, other) for other in four.all[1:]))
    four.alpha.restart(copy)
    four.alpha.submit("after the restore", FLASH)
    four.run(100)
    four.meet()
    four.run(20_000)
    assert four.alpha.endpoint.standing.turn == (1, 1)
    assert four.alpha.states(1)[-1] == "renumbered"
    assert four.bravo.got() == {1: "the first", 2: "after the restore"}


def test_a_sibling_judges_again_once_the_returned_one_stands_by(four: Quartet) -> None:
    """Its CONFLICT may come before the word that it has taken over (docs/protocol.md 23.6)."""
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("nobody heard this", FLASH)
    four.run(200)
    four.alpha.kill()
    assert four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    four.meet()
    four.weather = lambda sender, relay, envelope: (
        [envelope] if durable(envelope) or envelope[2:4] != b"\0\1" else []  # no beat reaches the returned one
    )
    four.run(10)
    four.alpha.start()
    four.run(3_000)
    assert four.alpha.endpoint.standing.active, "nobody has told it"
    assert "two-voices" in four.alpha.alarms(), "it has had the CONFLICT"
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(30_000)
    assert four.alpha.states(1) == ["expired"]
    assert four.bravo.got() == {1: "what holds now"}


def test_what_had_expired_at_the_returned_one_is_judged_again_too(four: Quartet) -> None:
    """Its empty successor would wait for ever: who speaks has no use for the number (docs/protocol.md 23.6)."""
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("nobody heard this", FLASH, valid_for_ms=1_000)
    assert four.alt.speak()
    four.run(2_000)
    assert four.alpha.states(1) == ["expired"]
    four.weather = lambda sender, relay, envelope: (
        [envelope] if durable(envelope) or envelope[2:4] != b"\0\1" else []  # no beat reaches the returned one
    )
    four.run(100)
    four.meet()
    four.run(62_000)
    assert four.alpha.endpoint.standing.active, "nobody has told it"
    assert "mirror.refused" in four.alt.kinds(), "it has had the CONFLICT"
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(8_000)
    assert not four.alpha.endpoint.standing.active
    assert not any(line.outboxes[Plane.REAL].pending for line in four.alpha.endpoint.context.lines)
    assert not four.alpha.memory.rows("outbox")


def test_who_stands_by_gives_up_what_a_sibling_has_another_for(four: Quartet) -> None:
    """It would wait for ever where its own word about that serial was answered long ago (docs/protocol.md 23.6)."""
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("nobody heard this", FLASH)
    assert four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(2_000)
    four.weather = lambda sender, relay, envelope: (
        [] if sender is four.alpha and durable(envelope) else [envelope]  # nobody is asked about it
    )
    four.meet()
    four.run(10_000)
    assert four.alpha.states(1) == ["expired"]
    assert {"taken-over", "two-voices", "not-said"} <= set(four.alpha.alarms())
    assert four.alpha.said()[1] == "nobody heard this", "nothing is deleted"


def test_taken_over_when_only_the_sibling_has_it(four: Quartet) -> None:
    """What the record of the successor holds is said, with the signature of its author (docs/protocol.md 23.6)."""
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("held by both", FLASH)
    four.run(500)
    assert four.bravo.got() == {}
    four.alpha.kill()
    assert four.alt.speak()
    four.run(1_000)
    assert four.bravo.got() == four.beside.got() == {1: "held by both"}
    assert four.bravo.shown() == [1]
    assert four.alt.states(1) == ["delivered"]
    voice = four.bravo.memory.tables["voice"]["real", "received", 1]
    assert (voice["terminal"], voice["term"]) == ("ALPHA/main", 0)


def test_the_head_in_a_statement_is_its_authors_whoever_sends_it(four: Quartet) -> None:
    """It would be refused as a stranger's, and a ledger that is lost with its terminal be vouched for by nobody
    (docs/protocol.md 23.12)."""
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.run(3_000)
    authors = four.bravo.endpoint._lines[four.alpha.number].peer_log
    before = authors.seen
    four.alpha.submit("held by both", FLASH)
    four.run(500)
    four.alpha.kill()
    assert authors.seen is before
    assert four.alt.speak()
    four.run(1_000)
    said = content_pb2.Statement.FromString(four.bravo.memory.received(Plane.REAL, 1) or b"")
    assert (said.text, four.bravo.refusals(), four.beside.refusals()) == ("held by both", [], [])
    assert before is not None
    assert authors.seen is not None
    assert (authors.seen.note, authors.seen.place > before.place) == (said.checkpoint, True)


def test_taken_over_when_only_the_peer_has_it(four: Quartet) -> None:
    """New serials lie above it; its author brings it into the record when it is back (docs/protocol.md 23.2, 23.7)."""
    four.part((four.alpha, four.alt), (four.alpha, four.beside))
    four.weather = lambda sender, relay, envelope: (
        [] if sender is four.bravo and envelope[2:4] == b"\0\1" and durable(envelope) else [envelope]
    )
    four.alpha.submit("heard once", FLASH)
    four.run(500)
    assert four.bravo.got() == {1: "heard once"}
    four.alpha.kill()
    four.run(2_000)
    assert four.alt.speak()
    four.alt.submit("the next word", FLASH)
    four.run(2_000)
    assert four.bravo.got() == {1: "heard once", 2: "the next word"}
    four.weather = lambda sender, relay, envelope: [envelope]
    four.meet()
    four.alpha.start()
    four.run(60_000)
    assert four.alpha.said() == four.alt.said() == {1: "heard once", 2: "the next word"}
    assert four.bravo.got() == four.beside.got() == four.alt.said()
    assert (four.bravo.shown(), sorted(four.beside.shown())) == ([1, 2], [1, 2])
    assert four.alpha.states(1)[-1] == "delivered"


def test_taken_over_after_delivery_and_read(four: Quartet) -> None:
    """The successor knows both, and says it no second time (docs/protocol.md 23.5)."""
    four.alpha.submit("done", FLASH)
    four.run(500)
    four.bravo.read(1)
    four.run(500)
    four.alpha.kill()
    before = len(four.sent)
    assert four.alt.speak()
    four.run(5_000)
    assert four.alt.states(1) == ["delivered", "read"]
    assert four.bravo.shown() == [1]
    assert statements_between(four, four.alt, four.bravo, before) == 0


def test_an_answer_under_way_reaches_the_successor(four: Quartet) -> None:
    """The peer goes on as it was; whoever speaks for the other side reads it (docs/protocol.md 23.4)."""
    four.alpha.submit("a question", FLASH)
    four.run(500)
    four.alpha.kill()
    four.bravo.submit("an answer", FLASH)
    four.run(500)
    assert four.alt.speak()
    assert four.alt.read(1).ok
    four.run(1_000)
    assert four.bravo.states(1) == four.beside.states(1) == ["delivered", "read"]
    four.alpha.start()
    four.run(30_000)
    assert four.alpha.got() == {1: "an answer"}
    assert four.alpha.endpoint.context.unread[Plane.REAL] == {}


def test_the_peer_follows_a_takeover_and_sees_who_speaks(four: Quartet) -> None:
    """It is entered, told, and kept over a restart (docs/protocol.md 23.2)."""
    four.alpha.kill()
    assert four.alt.speak()
    four.run(1_000)
    told = [d.fields for d in four.bravo.told if d.kind == "terminal"]
    assert told == [{"terminal": "ALPHA/alt", "term": 1}]
    four.bravo.restart()
    assert four.bravo.endpoint.standing.turns["ALPHA"] == (1, 2)
    four.alt.restart()
    assert four.alt.endpoint.standing.active
    four.alt.submit("one")
    four.run(4_000)
    assert four.bravo.memory.tables["voice"]["real", "received", 1]["term"] == 1


# --- two voices -------------------------------------------------------------------------------------------------------


def test_a_partition_between_siblings_is_ended_by_the_peer(four: Quartet) -> None:
    """The peer shows the old one what the new one signed (docs/protocol.md 23.3)."""
    four.part((four.alpha, four.alt))
    assert four.alt.speak()
    four.run(1_500)
    assert not four.alpha.endpoint.standing.active
    assert "taken-over" in four.alpha.alarms()
    assert four.alpha.submit("still here").code == "standby"


def test_both_believe_that_they_speak(four: Quartet) -> None:
    """The higher term holds; a number given out twice is told to both, nothing is lost (docs/protocol.md 23.8)."""
    four.part((four.alpha, four.alt), (four.alpha, four.beside), (four.alt, four.bravo), (four.bravo, four.beside))
    assert four.alt.speak()
    four.alpha.submit("from main", FLASH)
    four.alt.submit("from alt", FLASH)
    four.run(3_000)
    assert four.bravo.got() == {1: "from main"}
    assert four.beside.got() == {1: "from alt"}
    four.meet()
    four.run(60_000)
    assert [one.endpoint.standing.active for one in (four.alpha, four.alt)] == [False, True]
    assert set(four.bravo.got().values()) == {"from main", "from alt"}
    assert "from alt" in four.beside.got().values()
    assert four.bravo.shown() == [1, 2]
    assert "two-voices" in four.alt.alarms()
    assert "msg.conflict" in four.bravo.kinds()
    assert four.bravo.read(1).ok
    assert four.beside.read(1).ok
    four.run(20_000)
    assert not [line for one in four.all for line in one.endpoint.context.lines if len(line.reads)], "said for ever"
    four.alt.submit("one voice again")
    four.run(3_000)
    assert "one voice again" in four.bravo.got().values()
    assert "one voice again" in four.beside.got().values()
    assert "one voice again" in four.alpha.said().values()


def test_of_one_term_the_higher_number_holds(four: Quartet) -> None:
    """Both were let speak in the same moment: all come to the same end (docs/protocol.md 23.1)."""
    four.part((four.alpha, four.alt), (four.alpha, four.beside), (four.alt, four.bravo), (four.bravo, four.beside))
    assert four.alpha.speak(speak=False)
    assert four.alpha.speak()
    assert four.alt.speak()
    assert four.alpha.endpoint.standing.turn.term == four.alt.endpoint.standing.turn.term == 1
    four.run(1_000)
    four.meet()
    four.run(30_000)
    assert {one.endpoint.standing.turns["ALPHA"] for one in four.all} == {(1, 2)}
    assert not four.alpha.endpoint.standing.active


def test_a_statement_that_a_relay_held_is_shown_and_marked(four: Quartet) -> None:
    """It was said; who said it no longer speaks (docs/protocol.md 23.9)."""
    late: list[tuple[Party, str, bytes]] = []

    def hold(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is four.alpha and durable(envelope):
            late.append((sender, relay, envelope))
            return []
        return [envelope]

    four.weather = hold
    four.alpha.submit("late", FLASH)
    four.run(100)
    four.alpha.kill()
    four.weather = lambda sender, relay, envelope: [envelope]
    assert four.alt.speak()
    four.run(2_000)
    for sender, relay, envelope in late:
        four.bring(sender, relay, envelope)
    four.run(2_000)
    assert "late" in four.bravo.got().values()
    assert "late-voice" in four.bravo.alarms()
    assert "sibling-said" in four.alt.alarms()
    four.alpha.start()
    four.run(20_000)
    assert four.alt.said() == {1: "late"}
    assert four.bravo.shown() == [1]


@pytest.mark.parametrize("term", [0, 1])
def test_a_terminal_that_was_followed_cannot_hide_it_behind_a_term(four: Quartet, term: int) -> None:
    """A thief of its key would speak beside its successor, and no alarm would tell (docs/protocol.md 23.9)."""
    four.alpha.kill()
    assert four.alt.speak()
    four.run(2_000)
    line = four.alpha.endpoint._lines[four.bravo.number].context
    statement = content_pb2.Statement(
        serial=1, precedence=FLASH, kind=content_pb2.STATEMENT_KIND_TEXT, language="en",
        direction=content_pb2.DIRECTION_LTR, from_party="ALPHA", to_party="BRAVO", text="stolen", body_salt=bytes(32),
        term=term,
    )  # fmt: skip
    inner = line.session.sign(ContentType.STATEMENT, Plane.REAL, encode(statement))
    four.bravo.hear("relay-1", envelope_frame(line.session.seal(Plane.REAL, inner, transient=False)))
    assert four.bravo.shown() == [1]
    assert "late-voice" in four.bravo.alarms()


# --- who may say so ---------------------------------------------------------------------------------------------------


def test_nobody_else_deposes_a_terminal(four: Quartet) -> None:
    """Only a terminal of the party itself begins a term, by its own signature (docs/protocol.md 23.2)."""
    standing = four.alpha.endpoint.standing
    forged = four.bravo.endpoint.standing.begin(four.bravo.signing, 0)
    with pytest.raises(RemoteError, match="activation"):
        standing.hear("ALPHA", forged)
    body = content_pb2.ActivationBody(term=9, terminal=2, time_ms=1).SerializeToString()
    for signature in (bytes(64), b"", four.bravo.signing.sign("hotline/v1/activation", body)):
        with pytest.raises(RemoteError):
            standing.hear("ALPHA", content_pb2.SignedActivation(body=body, signature=signature))
    assert standing.active


def test_a_peer_settles_nothing_of_ours(four: Quartet) -> None:
    """SETTLED is a word between siblings; a peer that says it would undo what is owed to it (docs/protocol.md 23.5)."""
    four.alpha.kill()
    assert four.alt.speak()
    four.part((four.alt, four.bravo), (four.alt, four.beside))
    four.alt.submit("still under way", FLASH)
    four.run(100)
    four.meet()
    (item,) = four.alt.endpoint.context.outboxes[Plane.REAL].pending.values()
    line = four.bravo.endpoint._lines[four.alt.number].context
    line.out = Output()
    named = content_pb2.ReceiptItem(serial=1, statement=item.hash)
    line.tell_settled(Plane.REAL, [named], four.bravo.now(), expired=False)
    for sent in line.out.transmit:
        four.carry(four.bravo, sent.link, sent.frame)
    four.run(20)
    assert "stage" in four.alt.refusals()
    assert "delivered" not in four.alt.states(1)


def test_a_party_with_one_terminal_neither_takes_over_nor_stands_down() -> None:
    """It always speaks, and its wire is as it was (docs/protocol.md 23.1)."""
    pair = Pair().open()
    for number, speak in ((900, True), (901, False)):
        pair.alpha.step(SetTerminal(RequestId(number), "watch", speak))
        assert pair.alpha.replies[number].code == "single"
    assert pair.alpha.submit("one").ok
    pair.run(500)
    assert pair.bravo.shown() == [1]


def test_what_officers_sign_is_released_after_another_terminal_has_taken_over() -> None:
    """A party could release nothing after its first change: the term is its terminal's (docs/protocol.md 19.2)."""
    four = Quartet()
    for one in four.all:
        one.prepare(release=TWO)
    four.open()
    assert four.alt.speak()
    four.run(5_000)
    desk = Desk(four.alt)
    assert desk.make().ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.release(1).ok
    four.run(5_000)
    for one in (four.bravo, four.beside):
        rows = one.memory.tables["received_fact"].values()
        assert [row["by"] for row in rows if row["stage"] == "authority"] == ["released"], one.terminal


def test_a_turn_is_proven_until_it_is_named_and_no_longer(four: Quartet) -> None:
    """Every heartbeat would carry the word again, or whoever missed it never hear it (docs/protocol.md 23.2)."""
    four.alpha.kill()
    assert four.alt.speak()
    four.run(4_000)
    for one in (four.alt, four.bravo, four.beside):
        for line in one.endpoint.context.lines:
            if line.setup.remote.number == four.alpha.number:
                continue
            beat, turn = content_pb2.Heartbeat(), 65_536 + four.alt.number
            one.endpoint.terminals.write(beat, line, one.now())
            ours, theirs = (turn, 0) if one.name == "ALPHA" else (0, turn)
            sibling = line.sibling
            assert (beat.turn, beat.peer_turn, beat.other_turn) == (
                ours,
                0 if sibling else theirs,
                theirs if sibling else 0,
            )
            words = [beat.HasField(name) for name in ("activation", "peer_activation", "other_activation")]
            assert words == [False] * 3, (one.number, line.setup.remote.number)
            for known in ("knows_us", "knows_itself", "knows_other"):
                setattr(line.peer, known, 0)
            beat = content_pb2.Heartbeat()
            one.endpoint.terminals.write(beat, line, one.now())
            words = [beat.HasField(name) for name in ("activation", "peer_activation", "other_activation")]
            assert words == [bool(ours), bool(theirs) and not sibling, bool(theirs) and sibling]


def test_no_terminal_of_ours_signs_for_the_peer(four: Quartet) -> None:
    """With a stolen alternate of one side the other side's word could be forged (docs/protocol.md 23.5 and 2.3)."""
    session = four.bravo.endpoint.context.session
    said = content_pb2.Statement(
        serial=1, precedence=1, kind=content_pb2.STATEMENT_KIND_TEXT, language="en", direction=1, text="x",
        from_party="BRAVO", to_party="ALPHA", body_salt=bytes(32),
    )  # fmt: skip
    for author, word in ((four.alt, "signature"), (four.beside, "")):
        before = len(four.alpha.refusals())
        ends = Ends(CHARTER, author.number, four.alpha.number)
        inner = sign_content(author.signing, ContentType.STATEMENT, Plane.REAL, ends, encode(said))
        four.carry(four.bravo, "relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
        four.run(50)
        assert four.alpha.refusals()[before:] == ([word] if word else []), author.number
    four.bravo.lies = four.beside.lies = True
    assert four.alpha.got() == {1: "x"}


def test_an_end_that_nobody_knows_holds_no_other_question_up(four: Quartet) -> None:
    """A statement would count as expired for ever if an earlier one is never settled (docs/protocol.md 23.7)."""
    for number in range(1, 10):
        four.alpha.submit(f"number {number}")
    four.run(4_000)
    (line,) = four.alt.endpoint.context.siblings
    mirror = four.alt.endpoint._mirror
    lacking = mirror.lacking
    lacking._beats = 8
    for serial in (2, 3, 5, 9):
        mirror.late.doubt(Plane.REAL, serial)
    asked = []
    for _ in range(32):
        beat = content_pb2.Heartbeat()
        lacking.write(beat, line)
        asked += [(beat.lacking.first, beat.lacking.last)] if beat.HasField("lacking") else []
    assert asked == [(2, 3), (5, 5), (9, 9), (2, 3)]


def test_what_one_of_them_alone_has_heard_is_no_hole_at_the_other_when_it_is_lost(four: Quartet) -> None:
    """The gap would stand until its party says another word, and what was read there be told for ever."""
    # docs/protocol.md 23.4
    four.alpha.submit("first")
    four.run(4_000)
    copies = four.alpha.memory.copy(), four.alt.memory.copy()
    four.part((four.alpha, four.alt), (four.alpha, four.bravo))
    four.alpha.submit("heard by one")
    four.run(4_000)
    assert (four.bravo.shown(), four.beside.shown()) == ([1], [1, 2])
    assert four.beside.read(2).ok
    four.run(4_000)
    four.alpha.restart(copies[0])
    four.alt.restart(copies[1])
    four.meet()
    four.run(10_000)
    assert [one.endpoint.context.inboxes[Plane.REAL].through for one in four.all[2:]] == [2, 2]
    assert nothing_pending(four)
    four.run(60_000)
    assert [len(line.reads) for line in four.beside.endpoint.context.peers] == [0, 0]


# --- order ------------------------------------------------------------------------------------------------------------


def first_is_late(sender: Terminal, receiver: Terminal) -> Weather:
    """The first durable envelope between these two is lost, however often it is sent."""
    late: list[bytes] = []

    def weather(by: Party, relay: str, envelope: bytes) -> list[bytes]:
        between = by is sender and envelope[2:4] == receiver.number.to_bytes(2, "big")
        if between and durable(envelope) and not late:
            late.append(envelope)
        return [envelope] if envelope not in late else []

    return weather


def _previous(sender: Terminal, reply: Reply) -> int:
    content = sender.memory.tables["sent"]["real", reply.fields["serial"]]["content"]
    assert isinstance(content, bytes)
    return content_pb2.Statement.FromString(content).previous_in_precedence


def test_what_a_terminal_said_that_forgot_it_is_no_predecessor_of_what_its_sibling_says(four: Quartet) -> None:
    """The third of three orders would be read before the first (docs/protocol.md 12.5, 23.17)."""
    backup = four.alt.memory.copy()
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alt, four.beside), (four.bravo, four.beside))
    assert four.alt.speak()
    four.weather = losing(lambda *_: True)
    four.alt.submit("nobody has this")
    four.weather = losing(lambda sender, relay, envelope: sender is four.alt and not durable(envelope))
    four.alt.submit("meanwhile", PRIORITY)
    four.run(20)
    four.alt.kill()
    assert four.bravo.got() == {2: "meanwhile"}
    for text in ("one", "two", "three"):
        four.alpha.submit(text, FLASH)
    four.run(1_000)
    assert four.beside.got() == {1: "one", 2: "two", 3: "three"}
    four.alt.restart(backup)

    four.weather = first_is_late(four.alpha, four.bravo)
    four.meet()
    four.run(8_000)
    assert four.bravo.shown() == [2, 1, 3, 4]
    assert [four.bravo.text(serial) for serial in (1, 3, 4)] == ["one", "three", "two"]


def test_what_a_sibling_said_before_our_term_is_no_predecessor_of_what_we_say(four: Quartet) -> None:
    """Where it came before our last word, what we say next would be read before that (docs/protocol.md 23.17)."""
    assert four.alt.speak()
    four.run(1_000)
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.bravo, four.beside))
    four.weather = losing(lambda *_: True)
    four.alt.submit("nobody has this")
    four.weather = losing(lambda sender, relay, envelope: envelope[2:4] == four.alt.number.to_bytes(2, "big"))
    four.alt.submit("theirs", FLASH)
    four.run(600)
    four.alt.kill()
    assert four.bravo.got() == four.beside.got() == {2: "theirs"}
    assert four.alpha.speak()
    four.alpha.submit("ours", FLASH)
    four.run(1_000)
    assert four.beside.got() == {1: "ours", 2: "theirs"}
    four.meet()
    four.part((four.alpha, four.bravo), (four.alt, four.bravo), (four.bravo, four.beside))
    four.alt.start()
    four.weather = losing(lambda *_: False)
    four.run(2_500)
    assert four.alpha.said() == {1: "ours", 2: "theirs"}
    four.weather = first_is_late(four.alpha, four.bravo)
    four.meet()
    four.run(1_500)
    assert four.bravo.got() == {2: "theirs"}
    four.alpha.submit("next", FLASH)
    four.run(8_000)
    assert four.bravo.shown() == [2, 1, 3]
    assert [four.bravo.text(serial) for serial in (1, 3)] == ["ours", "next"]
    assert four.alt.speak()
    assert _previous(four.alt, four.alt.submit("after both", FLASH)) == 3


def test_what_follows_our_last_word_is_the_predecessor_of_our_next_one(four: Quartet) -> None:
    """It would be read after what was said later, where we took ourselves for the one that speaks (23.17)."""
    four.alpha.submit("one", FLASH)
    four.run(1_000)
    four.weather = losing(lambda sender, relay, envelope: sender is not four.alpha and not durable(envelope))
    assert four.alt.speak()
    four.alt.submit("two", FLASH)
    four.run(1_000)
    assert four.alpha.endpoint.standing.active
    assert four.alpha.said() == {1: "one", 2: "two"}
    four.weather = losing(lambda *_: False)
    four.run(2_000)
    assert four.alpha.speak()
    assert _previous(four.alpha, four.alpha.submit("three", FLASH)) == 2


def test_what_comes_from_a_terminal_that_is_not_known_yet_stays_at_the_relay(four: Quartet) -> None:
    """A terminal that was set back before an amendment would have relays throw away what the new terminal has said,
    and could open once it stands under that charter again (docs/protocol.md 5.8, 24.10)."""
    four.beside.speak()
    four.run(2_000)
    four.part((four.alpha, four.beside))
    begun, four.taken[:] = len(four.sent), []
    four.beside.submit("said by the new one")
    four.run(10)
    ends = four.beside.number.to_bytes(2, "big"), four.alpha.number.to_bytes(2, "big")
    held = next(e for _, _, e in four.sent[begun:] if durable(e) and (e[4:6], e[2:4]) == ends)
    whole = four.alpha.setup
    four.alpha.prepare(others=tuple(other for other in whole.others if other.side.number != four.beside.number))
    four.alpha.restart()
    four.alpha.hear("relay-1", envelope_frame(held))
    four.run(100)
    assert four.alpha.refusals() == ["address"]
    assert envelope_id(held) not in four.taken
    four.alpha.prepare(others=whole.others)
    four.alpha.restart()
    four.alpha.hear("relay-1", envelope_frame(held))
    four.run(100)
    assert envelope_id(held) in four.taken
    assert four.alpha.refusals() == ["address"]
    assert four.alpha.got() == {1: "said by the new one"}
