"""One record at every terminal of a party: what is asked for, what is offered, and what comes with a statement."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import patch

import pytest

from hotline.limits import MIRROR_BATCH, SERIAL_MAX, SERIAL_SKIP_MAX, SUMMARY_INTERVAL
from hotline.machine import FramesReceived, Output, Plane, RequestId, Transmission
from hotline.protocol.copies import DOUBTS_ANSWERED_MAX
from hotline.protocol.events import Submit, Translate
from hotline.protocol.lacking import _stretch
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import Pending
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import FLASH, PRIORITY, ROUTINE, WALL, Party, clear, durable
from tests.hotline.protocol.quartet import Quartet, Terminal

REAL = Plane.REAL


@pytest.fixture
def four() -> Quartet:
    return Quartet().open()


def mirror_of(one: Terminal) -> Mirror:
    return one.endpoint.terminals._mirror


def holding(one: Terminal, held: Iterable[int], last: int, of: Plane = REAL) -> Mirror:
    """Its mirror, as if the record held these of the party's statements of a plane, the last known of this number."""
    mirror, kept = mirror_of(one), set(held)
    for line in one.endpoint.context.lines:
        line.outboxes[of].last_serial = last
    one.lies = True
    mirror.held = lambda plane, serial: bytes(32) if plane is of and serial in kept else None  # type: ignore[method-assign]
    return mirror


def test_a_long_record_is_passed_over_in_several_beats(four: Quartet) -> None:
    """A terminal with a record of years would say nothing for seconds after each start (docs/protocol.md 23.7)."""
    mirror, looked = mirror_of(four.alpha), list[int]()
    four.alpha.endpoint.context.raise_serial(REAL, 10_000)
    mirror.held = lambda plane, serial: looked.append(serial) or bytes(32)  # type: ignore[method-assign, func-returns-value]
    assert [mirror.lacking._mark(REAL) for _ in range(4)] == [4_096, 8_192, 10_000, 10_000]
    assert looked == [*range(1, 10_001)]


@pytest.mark.parametrize(
    ("held", "last", "heard", "mark", "asked"),
    [
        ({1, 2, 3}, 3, 0, 3, [None]),
        ({1, 4, 6}, 8, 0, 1, [(2, 3), (5, 5), (7, 8), None, (2, 3)]),
        ((), 150, 0, 0, [(1, MIRROR_BATCH), (65, 128), (129, 150), None, (1, MIRROR_BATCH)]),
        ({1, 2}, 2, 4, 2, [(3, 4), None]),
        ({2}, 2, 0, 0, [(1, 1), None]),
    ],
)
def test_what_is_lacking_is_asked_for_in_stretches(
    four: Quartet,
    held: Iterable[int],
    last: int,
    heard: int,
    mark: int,
    asked: list[tuple[int, int] | None],
) -> None:
    """A new alternate would ask for nothing, for what it has, or for all at once (docs/protocol.md 23.7)."""
    mirror = holding(four.alt, held, last)
    (sibling,) = four.alt.endpoint.context.siblings
    sibling.peer.sent_through[REAL] = heard
    assert mirror.lacking._mark(REAL) == mark
    assert [mirror.lacking._lacking(REAL) for _ in asked] == asked
    assert mirror.lacking._lacking(Plane.EXERCISE) is None


@pytest.mark.parametrize(
    ("waiting", "has", "asked"),
    [
        ((), 9, []),
        ((3, 4, 6), 2, []),
        ((3, 4, 6), 3, [(3, 3), (3, 3)]),
        ((3, 4, 6), 6, [(3, 4), (6, 6)]),
        (range(1, 100), 99, [(1, MIRROR_BATCH), (MIRROR_BATCH + 1, 99)]),
    ],
)
def test_who_has_no_news_of_what_the_peer_has_asks_the_one_that_speaks(
    four: Quartet, waiting: Iterable[int], has: int, asked: list[tuple[int, int]]
) -> None:
    """It would hold what was delivered for waiting, as long as it stands by (docs/protocol.md 23.7)."""
    mirror, ctx = holding(four.alt, range(1, 200), 199), four.alt.endpoint.context
    for serial in waiting:
        ctx.outboxes[REAL].add(Pending(serial, ROUTINE, b"", b"", bytes(32), 10**9))
    for serial, mark in ((1, "copy"), (2, "is_void")):
        if 3 in set(waiting) and 1 not in set(waiting):
            item = Pending(serial, ROUTINE, b"", b"", bytes(32), 10**9)
            setattr(item, mark, True)
            ctx.outboxes[REAL].add(item)
    ctx.peers[1].peer.received_through[REAL] = has
    (line,) = ctx.siblings
    beats = [content_pb2.Heartbeat() for _ in range(129)]
    mirror.lacking._beats = 0
    for beat in beats:
        mirror.lacking.write(beat, line)
    stretches = [(beat.lacking.first, beat.lacking.last) for beat in beats if beat.HasField("lacking")]
    assert stretches == asked
    assert {beat.received_through for beat in beats} == {199}
    other = four.alpha.endpoint.context.siblings[0]
    mirror_of(four.alpha).lacking._beats = 63
    beat = content_pb2.Heartbeat()
    mirror_of(four.alpha).lacking.write(beat, other)
    assert not beat.HasField("lacking"), "the one that speaks asks nobody"


def test_what_a_sibling_lacks_is_offered_in_one_batch(four: Quartet) -> None:
    """One beat of a restored sibling would queue the whole record (docs/protocol.md 23.7)."""
    for number in range(1, 4):
        four.alpha.submit(f"{number}", FLASH if number == 2 else ROUTINE)
    four.run(2_000)
    (line,) = four.alpha.endpoint.context.siblings
    mirror, box = mirror_of(four.alpha), line.outboxes[REAL]
    assert not box.pending
    beat = content_pb2.Heartbeat()
    for first, last, offered in ((0, 3, []), (2, 2, [2]), (3, 900, [2, 3]), (1, 1, [1, 2, 3])):
        beat.lacking.first, beat.lacking.last = first, last
        four.alpha.endpoint.begin()
        mirror.lacking.heard(beat, line)
        assert sorted(box.pending) == offered
    assert [(box.pending[serial].copy, box.pending[serial].precedence) for serial in (1, 2)] == [
        (True, ROUTINE),
        (True, FLASH),
    ]
    with patch.object(mirror.lacking, "_offer") as offer:
        beat.lacking.first, beat.lacking.last = 5, 5 + 2 * MIRROR_BATCH
        beat.lacking.exercise_first, beat.lacking.exercise_last = 7, 9
        beat.lacking.service_first, beat.lacking.service_last = 2, 3
        mirror.lacking.heard(beat, line)
    assert [call.args[1:] for call in offer.call_args_list] == [
        (REAL, 5, 5 + MIRROR_BATCH - 1),
        (Plane.EXERCISE, 7, 9),
        (Plane.SERVICE, 2, 3),
    ]


def test_a_sibling_that_claims_without_end_keeps_nobody_from_asking_for_what_there_is(four: Quartet) -> None:
    """What another sibling holds would not be asked for again while a thief's word of numbers lasts (docs/protocol.md
    23.7)."""
    mirror, (line,) = holding(four.alt, {1, 2, 5}, 6), four.alt.endpoint.context.siblings
    asked = []
    for claimed in (SERIAL_MAX, 400):
        line.peer.sent_through[REAL] = claimed
        for _ in range(30):
            beat = content_pb2.Heartbeat()
            mirror.lacking.write(beat, line)
            asked.append((beat.lacking.first, beat.lacking.last))
        assert asked.count((3, 4)) >= 5
        assert asked.count((6, 6)) >= 5
        assert len({one for one in asked if one[0] > 6}) >= 5, "it may be true"
        asked.clear()


def test_each_sibling_is_asked_in_turn_for_what_is_old_and_for_what_is_new(four: Quartet) -> None:
    """Behind a long stretch that nobody holds the newest would be asked for after minutes, or of one sibling alone
    (docs/protocol.md 23.7)."""
    mirror, siblings = holding(four.alt, (), 10_000), four.alt.endpoint.context.siblings
    siblings.append(siblings[0])
    siblings[0].peer.sent_through[REAL] = 10_500
    new = []
    for _ in range(8):
        beat = content_pb2.Heartbeat()
        mirror.lacking.write(beat, siblings[0])
        new.append(beat.lacking.first > 10_000)
    assert [new[::2].count(True), new[1::2].count(True)] == [2, 2]


def test_of_talk_too_a_beat_says_how_far_the_record_goes_and_what_it_lacks(four: Quartet) -> None:
    """A sibling would take what the peer has said for what was received of ours (docs/protocol.md 23.7)."""
    mirror, (line,) = holding(four.alt, {1, 2, 5}, 6, Plane.SERVICE), four.alt.endpoint.context.siblings
    beats = [content_pb2.Heartbeat(service_sent=7, service_received=9), content_pb2.Heartbeat()]
    for beat in beats:
        mirror.lacking.write(beat, line)
    assert [beat.service_received for beat in beats] == [3, 0], "in the beats that say it (25.4), plus one"
    assert [(beat.lacking.service_first, beat.lacking.service_last) for beat in beats] == [(3, 4), (6, 6)]


def test_what_a_statement_does_to_others_it_does_at_the_sibling_too(four: Quartet) -> None:
    """Whoever takes over would show what was taken back, and not its translation (docs/protocol.md 23.5)."""
    four.alpha.submit("The exercise ends at noon.", PRIORITY)
    four.alpha.submit("It ends at one.", PRIORITY, corrects=1)
    four.alpha.submit("Nothing of this holds.", FLASH, corrects=2, retracts=True)
    tie = content_pb2.TRANSLATION_GRADE_COURTESY
    event = Translate(RequestId(900), REAL, 1, True, tie, "t", "ur", content_pb2.DIRECTION_RTL, "...", "watch", True)
    four.alpha.step(event)
    assert four.alpha.replies[900].ok, four.alpha.replies[900].text
    four.run(3_000)
    for table in ("sent", "translated", "correction"):
        kept = [
            sorted(
                tuple(row[column] for column in sorted(row) if column not in ("at", "evidence"))
                for row in one.memory.rows(table)
            )
            for one in (four.alpha, four.alt)
        ]
        assert kept[0] == kept[1], table
        assert kept[0], table
    counters = [
        {str(row["name"]): row["value"] for row in one.memory.rows("counter") if str(row["name"]).startswith("last:")}
        for one in (four.alpha, four.alt)
    ]
    assert counters[0] == counters[1]
    assert sorted(str(d.fields["state"]) for d in four.alt.told if d.kind == "corrected") == ["corrected", "retracted"]
    assert four.alt.endpoint.context.outboxes[REAL].last_in_precedence[PRIORITY] == 4
    assert four.alpha.speak(speak=False)
    assert four.alt.speak()
    four.alt.submit("more", PRIORITY)
    four.run(2_000)
    row = four.bravo.memory.tables["received"]["real", 5]
    assert content_pb2.Statement.FromString(row["content"]).previous_in_precedence == 4  # type: ignore[arg-type]


def test_a_sibling_is_believed_within_a_row_that_somebody_can_know(four: Quartet) -> None:
    """A stolen alternate would use up a party's serials by one word (docs/protocol.md 12.6 and 23.5)."""
    four.alpha.kill()
    assert four.alt.speak()
    four.part((four.alt, four.bravo), (four.alt, four.beside), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.start()
    four.run(3_000)
    once = SERIAL_SKIP_MAX + 1  # what is passed over, and the statement
    for over, last in ((SERIAL_SKIP_MAX, once), (SERIAL_SKIP_MAX, 2 * once), (SERIAL_SKIP_MAX + 1, 2 * once)):
        known = four.alpha.endpoint.context.outboxes[REAL].last_serial
        four.alt.endpoint.context.raise_serial(REAL, known + over)
        assert four.alt.submit("x").ok
        four.run(300)
        assert four.alpha.endpoint.context.outboxes[REAL].last_serial == last
        assert ("serial" in four.alpha.refusals()) == (over > SERIAL_SKIP_MAX)
        four.time += SUMMARY_INTERVAL
    assert [one.passed_over[REAL] for one in four.alpha.endpoint.context.lines] == [0, 0, 0], "who follows is led on"
    four.alt.lies = four.alpha.lies = True
    four.alt.kill()


def test_what_the_peer_settles_for_a_sibling_is_told_with_its_name(four: Quartet) -> None:
    """What is lost on one line would be owed on it for ever (docs/protocol.md 23.5)."""
    four.part((four.alt, four.bravo), (four.alt, four.beside))
    four.alpha.submit("one")
    four.alpha.submit("two")
    four.run(3_000)
    assert four.alt.states(1) == four.alt.states(2) == ["delivered"]
    facts = [row for row in four.alt.memory.rows("sent_fact") if row["stage"] == "delivered"]
    assert [row["by"] for row in facts] == ["main", "main"]
    assert all(WALL < int(str(row["at"])) <= four.alt.now().wall for row in facts)
    spans = [str(record.fields["serials"]) for record in four.alt.records if record.kind == "msg.delivered"]
    assert {number for span in spans for number in span.replace("-", " ").split()} == {"1", "2"}
    mirror, (line,) = mirror_of(four.alt), four.alt.endpoint.context.siblings
    out = four.alt.endpoint.context.out = Output()
    known = four.alt.memory.tables["sent"]["real", 1]["hash"]
    assert isinstance(known, bytes)
    item = content_pb2.ReceiptItem(serial=1, statement=known)
    mirror.settled(line, REAL, content_pb2.Receipt(item=[item]), b"n" * 32, four.alt.now())
    assert not out.changes, "it does not wait any more"


def test_what_had_expired_here_is_doubted_in_every_eighth_beat(four: Quartet) -> None:
    """A sibling would be asked with every beat, or nobody told that it had arrived (docs/protocol.md 23.7)."""
    mirror, ctx = holding(four.alt, range(1, 200), 199), four.alt.endpoint.context
    (line,) = ctx.siblings
    mirror.late.doubt(REAL, 5)
    mirror.late.doubt(REAL, 6)
    mirror.late.doubt(REAL, 90)
    mirror.late.doubt(Plane.EXERCISE, 5)
    ctx.peers[0].peer.received_through[REAL] = 80
    mirror.lacking._beats = 1
    beats = [content_pb2.Heartbeat() for _ in range(2, 25)]
    for beat in beats:
        mirror.lacking.write(beat, line)
    asked = {number: beat.lacking for number, beat in enumerate(beats, 2) if beat.HasField("lacking")}
    assert set(asked) == {8, 16, 24}
    assert {(one.first, one.last, one.exercise_first, one.exercise_last) for one in asked.values()} == {(5, 6, 0, 0)}


def test_what_a_contradiction_names_is_told_siblings_once_for_each_terminal_of_the_peer(four: Quartet) -> None:
    """Who lies could have us tell our siblings without end, and of what nobody has said (docs/protocol.md 23.8)."""
    mirror, ctx = holding(four.alt, {1, 2}, 3), four.alt.endpoint.context
    (sibling,), (main, beside) = ctx.siblings, ctx.peers
    told: list[list[int]] = []
    sibling.tell_settled = lambda plane, items, now, *, expired: told.append([item.serial for item in items])  # type: ignore[method-assign]
    items = [content_pb2.ReceiptItem(serial=serial, statement=b"x" * 32) for serial in (1, 3, 4)]
    ours = content_pb2.ReceiptItem(serial=2, statement=bytes(32))
    mirror.named(main, REAL, [*items, ours], four.alt.now())
    for name in (b"x", b"y"):
        again = [content_pb2.ReceiptItem(serial=1, statement=name * 32)]
        mirror.named(main, REAL, again, four.alt.now())
    assert told == [[1, 3]]
    mirror.named(beside, REAL, items[:1], four.alt.now())
    assert told == [[1, 3], [1]]


def test_a_doubt_ends_with_a_word_on_the_very_statement(four: Quartet) -> None:
    """What another one said under its number would end it, and nobody hear that it arrived (docs/protocol.md 23.8)."""
    mirror, (line,) = holding(four.alt, {1}, 1), four.alt.endpoint.context.siblings
    mirror.late.doubt(REAL, 1)
    for name, left in ((b"x" * 32, {1}), (bytes(32), set())):
        item = content_pb2.ReceiptItem(serial=1, statement=name)
        mirror.settled(line, REAL, content_pb2.Receipt(item=[item]), b"n" * 32, four.alt.now())
        assert mirror.late.doubts(REAL, line.setup.remote.number) == left


def test_who_shows_a_statement_again_and_again_and_knows_no_end_is_asked_no_more(four: Quartet) -> None:
    """Each question is an entry there; another sibling may know more (docs/protocol.md 23.7)."""
    mirror, (line,) = holding(four.alt, {1}, 1), four.alt.endpoint.context.siblings
    number = line.setup.remote.number
    mirror.late.doubt(REAL, 1)
    for _ in range(DOUBTS_ANSWERED_MAX):
        assert mirror.late.doubts(REAL, number) == {1}
        mirror.acknowledged(line, REAL, [1, 2], four.alt.now())
    assert mirror.late.doubts(REAL, number) == set()
    assert mirror.late.doubts(REAL, number + 1) == {1}


def test_after_a_start_the_newest_that_expired_are_doubted(four: Quartet) -> None:
    """All of a long record would be looked at, or nothing of it (docs/protocol.md 23.7)."""
    mirror, ctx = mirror_of(four.alt), four.alt.endpoint.context
    ctx.outboxes[REAL].last_serial = 100
    ctx.outboxes[Plane.EXERCISE].last_serial = 2
    known = {("expired", serial) for serial in range(1, 101)} | {("delivered", 90)}
    ctx.history.has_sent_fact = lambda plane, serial, stage: (stage, serial) in known  # type: ignore[method-assign]
    four.alt.lies = True
    mirror.late.recall()
    assert mirror.late.doubts(REAL, 1) == {*range(101 - MIRROR_BATCH, 101)} - {90}
    assert mirror.late.doubts(Plane.EXERCISE, 1) == {1, 2}
    assert mirror.late.doubts(Plane.SERVICE, 1) == set()


def test_a_hole_is_nobodys_once_each_sibling_says_that_it_holds_nothing_there(four: Quartet) -> None:
    """It would be waited for without end, or closed while somebody could still fill it (docs/protocol.md 23.4)."""
    mirror, ctx = holding(four.alt, {1, 2, 4}, 4), four.alt.endpoint.context
    (line,) = ctx.siblings
    lacking, asked = mirror.lacking, line.outboxes[REAL].pending
    assert lacking.may_come(REAL, 2, four.alt.now()), "it has come, and is about to be committed"
    assert not asked
    four.part((four.alpha, four.alt))
    for _ in range(2):
        assert lacking.may_come(REAL, 3, four.alt.now())
        assert list(asked) == [3]
    four.run(4_000)
    assert lacking.may_come(REAL, 3, four.alt.now()), "who is not heard may have it"
    four.meet()
    four.run(8_000)
    assert not lacking.may_come(REAL, 3, four.alt.now()), "it was said once: who said it has lost it"
    assert not asked
    assert lacking._mark(REAL) == 4, "the record goes on behind it"
    assert four.alpha.said() == {}, "what is asked about is said by nobody"


def test_siblings_are_asked_of_few_holes_at_once_and_of_none_that_nobody_knows(four: Quartet) -> None:
    """A peer that lies would fill their boxes, or a long gap (docs/protocol.md 23.4)."""
    mirror, ctx = holding(four.alt, (), 2 * MIRROR_BATCH), four.alt.endpoint.context
    (line,) = ctx.siblings
    ctx.peers[0].peer.received_through[REAL] = 2 * MIRROR_BATCH + 1
    asked = line.outboxes[REAL].pending
    for serial in (2 * MIRROR_BATCH + 2, *range(2 * MIRROR_BATCH + 1, 0, -1)):
        assert mirror.lacking.may_come(REAL, serial, four.alt.now())
    assert list(asked) == list(range(2 * MIRROR_BATCH + 1, MIRROR_BATCH + 1, -1))
    assert mirror.lacking.may_come(Plane.SERVICE, 1, four.alt.now())
    assert not line.outboxes[Plane.SERVICE].pending
    four.run(2_000)
    assert mirror.lacking.may_come(REAL, 1, four.alt.now())
    assert list(asked) == [1]


def test_a_stretch_that_is_asked_for_ends_at_its_first_gap() -> None:
    """What is not in doubt would be sent again (docs/protocol.md 23.7)."""
    for serials, stretch in (
        (set(), None),
        ({7}, (7, 7)),
        ({9, 7, 8, 11}, (7, 9)),
        (set(range(3, 3 + MIRROR_BATCH)), (3, 2 + MIRROR_BATCH)),
        (set(range(3, 4 + MIRROR_BATCH)), (3, 2 + MIRROR_BATCH)),
    ):
        assert _stretch(serials) == stretch


def receipt_for_alt(
    four: Quartet, peer: Terminal, stage: content_pb2.Stage.ValueType, serial: int, name: bytes, plane: Plane = REAL
) -> list[Transmission]:
    """What a terminal of the peer says to our alternate about this serial."""
    line = peer.endpoint._lines[four.alt.number].context
    item = content_pb2.ReceiptItem(serial=serial, statement=name)
    receipt = content_pb2.Receipt(stage=stage, item=[item], time_ms=WALL, received_through=serial)
    line.out = Output()
    line.send_content(plane, ContentType.RECEIPT, encode(receipt), peer.now(), transient=False, urgent=False)
    return line.out.transmit


def contradicted(four: Quartet, serial: int, plane: Plane) -> None:
    """BRAVO's main terminal says to the alternate that it holds something else of its party there."""
    for sent in receipt_for_alt(four, four.bravo, content_pb2.STAGE_CONFLICT, serial, bytes([serial]) * 32, plane):
        four.carry(four.bravo, sent.link, sent.frame)
    four.run(200)


def test_what_is_given_up_and_acknowledged_in_one_commit_is_delivered(four: Quartet) -> None:
    """It would stand as never said, while one terminal of the peer shows it (docs/protocol.md 23.4)."""
    four.weather = lambda sender, relay, envelope: (
        [] if durable(envelope) and four.receiver(sender, envelope) in (four.bravo, four.beside) else [envelope]
    )
    four.alpha.submit("said before it was followed")
    four.run(500)
    four.part(*((four.alpha, other) for other in four.all))
    assert four.alt.speak()
    (row,) = four.alt.memory.rows("sent")
    name = bytes(row["hash"])  # type: ignore[arg-type]
    conflict = receipt_for_alt(four, four.bravo, content_pb2.STAGE_CONFLICT, 1, bytes(32))
    held = receipt_for_alt(four, four.beside, content_pb2.STAGE_DELIVERED, 1, name)
    four.alt.hear("relay-1", *(sent.frame for sent in (*conflict, *held) if sent.link == "relay-1"))
    assert four.alt.states(1) == ["expired", "delivered"]


@pytest.mark.parametrize(("plane", "late"), [(REAL, ()), (REAL, (1,)), (Plane.SERVICE, (1,)), (REAL, (2,))])
def test_what_took_another_serial_twice_waits_under_none_before_it_at_the_sibling(
    four: Quartet, plane: Plane, late: tuple[int, ...]
) -> None:
    """It would be pending there for ever, or be given up as not said (docs/protocol.md 23.18)."""
    assert four.alpha.speak(speak=False)
    assert four.alt.speak()
    four.run(500)
    held: list[bytes] = []
    under = 1

    def weather(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        receiver = four.receiver(sender, envelope)
        if sender is not four.alt or not durable(envelope):
            return [envelope]
        if receiver is not four.alpha:
            return []
        held.extend([envelope] if under in late else [])
        return [] if under in late else [envelope]

    four.weather = weather
    four.alt.submit("said once", plane=plane)
    four.run(200)
    for under in (2, 3):
        contradicted(four, under - 1, plane)
    four.weather = clear
    four.run(300)
    for envelope in held:
        four.bring(four.alt, "relay-1", envelope)
    four.run(6_000)  # serials of talk ride in every fourth beat
    mirror_of(four.alpha).lacking._beats = 60  # it asks in its 64th
    four.run(4_000)
    ends = {serial: four.alpha.states(serial, plane) for serial in four.alpha.said()}
    assert ends == {serial: ["delivered" if serial == 3 else "renumbered"] for serial in ends}
    assert 3 in ends
    assert not four.alpha.endpoint.context.outboxes[plane].pending
    assert four.alpha.memory.rows("outbox") == four.alt.memory.rows("outbox") == []


def two_give_out_number_two(four: Quartet, *, beside: bool = False) -> None:
    """ALPHA/alt has renumbered #1, which ALPHA/main holds pending, to #2, under which that has said something else.

    With `beside`, the peer's alternate has received #1.
    """
    deaf = (four.bravo,) if beside else (four.bravo, four.beside)
    assert four.alpha.speak(speak=False)
    assert four.alt.speak()
    four.run(500)
    four.weather = lambda sender, relay, envelope: (
        [] if durable(envelope) and four.receiver(sender, envelope) in deaf else [envelope]
    )
    four.alt.submit("goes on under #2")
    four.run(500)
    assert four.alpha.said() == {1: "goes on under #2"}
    four.part(*((four.alpha, other) for other in four.all))
    assert four.alpha.speak()
    four.alpha.submit("another #2")
    contradicted(four, 1, REAL)
    assert four.alt.states(1)[-1] == "renumbered"


def alt_goes_on(four: Quartet) -> None:
    """The sky clears, all hear each other, and the alternate is the one that speaks."""
    assert four.alpha.speak(speak=False)
    four.weather = clear
    four.meet()
    four.run(3_000)
    assert four.alt.speak()
    four.run(6_000)


def test_what_goes_on_under_a_serial_that_says_something_else_here_waits_no_more(four: Quartet) -> None:
    """It would be pending there for ever, and be told again and again by the other one (docs/protocol.md 23.18)."""
    two_give_out_number_two(four)
    alt_goes_on(four)
    mirror_of(four.alpha).lacking._beats = 60
    four.run(6_000)
    assert four.alpha.said()[2] == "another #2"
    assert four.alpha.states(1) == ["expired"]
    (end,) = [fact for fact in four.alpha.memory.rows("sent_fact") if (fact["serial"], fact["stage"]) == (1, "expired")]
    assert end["by"] == "said again by ALPHA/alt as #2"
    assert four.alpha.memory.rows("outbox") == four.alt.memory.rows("outbox") == []


def test_what_the_peers_alternate_has_is_not_told_as_expired_for_that(four: Quartet) -> None:
    """People would be told that nobody had it, after it was delivered (docs/protocol.md 23.18)."""
    two_give_out_number_two(four, beside=True)
    assert four.alpha.states(1) == ["delivered"]
    alt_goes_on(four)
    assert four.alpha.states(1) == ["delivered"]
    assert four.alpha.memory.rows("outbox") == four.alt.memory.rows("outbox") == []


def test_who_speaks_says_what_another_would_go_on_with_under_a_number_of_ours(four: Quartet) -> None:
    """Neither would say it any more: one had renumbered it, the other let it go for that (docs/protocol.md 23.18)."""
    two_give_out_number_two(four)
    four.weather = lambda sender, relay, envelope: (
        [] if durable(envelope) and four.receiver(sender, envelope) in (four.bravo, four.beside) else [envelope]
    )
    four.meet()
    four.run(2_000)
    four.weather = clear
    four.run(12_000)
    assert four.alpha.states(1) == ["delivered"]
    assert four.bravo.got() == {1: "goes on under #2", 2: "another #2"}


def test_what_waits_under_the_first_serial_of_what_a_sibling_renumbered_is_not_taken_for_it(four: Quartet) -> None:
    """An order that was never said would be told as one that goes on (docs/protocol.md 23.18)."""
    four.part(*((four.alpha, other) for other in four.all))
    four.alpha.submit("an order that nobody heard")
    assert four.alt.speak()
    four.alt.submit("what holds now")
    contradicted(four, 1, REAL)
    four.weather = lambda sender, relay, envelope: [] if sender is four.alpha and durable(envelope) else [envelope]
    four.meet()
    four.run(3_000)
    assert four.alpha.said() == {1: "an order that nobody heard", 2: "what holds now"}
    four.weather = clear
    four.run(12_000)
    assert four.alpha.states(1) == ["expired"]
    assert "not-said" in four.alpha.alarms()
    assert four.alpha.states(2) == ["delivered"]


def test_what_is_not_committed_yet_keeps_its_number_from_what_a_sibling_tells(four: Quartet) -> None:
    """Its officer was told that it is queued, and that another text was delivered in its place (23.8 and 3.2)."""
    # docs/protocol.md 23.8, 12.1
    four.part(*((four.alpha, other) for other in four.all))
    assert four.alt.speak()
    before = len(four.sent)
    four.alt.submit("from the alternate")
    four.run(100)
    told = [one for _, _, one in four.sent[before:] if durable(one) and (one[2:4], one[4:6]) == (b"\0\1", b"\0\2")]
    submit = Submit(RequestId(700), REAL, ROUTINE, "en", content_pb2.DIRECTION_LTR, "from the main", "watch", 0)
    heard = FramesReceived("relay-1", (envelope_frame(told[0]),))
    now, alpha = four.alpha.now(), four.alpha
    outputs = [alpha.endpoint.step(event, now) for event in (submit, heard)]  # one transaction
    assert outputs[0].replies[0].ok
    for output in outputs:
        alpha.memory.apply(output)
        alpha.memory.log.commit(output.records, now.wall)
        alpha.told += output.deliver
        alpha.records += output.records
        for item in (*output.express, *output.transmit):
            four.carry(alpha, item.link, item.frame)
    assert alpha.said() == {1: "from the main"}
    assert "two-voices" in alpha.alarms()
    four.meet()
    four.run(30_000)
    assert four.bravo.got() == {1: "from the alternate", 2: "from the main"}
    assert alpha.states(1) == ["renumbered"]
