"""Channel tests: sent in turn, missed by the monotonic clock, never in an officer's way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from hotline.ledger.record import parse_leaf
from hotline.limits import TEST_VALIDITY_UNSCHEDULED
from hotline.machine import Plane, RequestId, Tick
from hotline.protocol.events import SendTest
from hotline.protocol.neutral import DRAFTER, TEXTS, kind_word
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.protocol.statements import check_text, decode_statement
from hotline.protocol.status import status
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2

from .pair import WALL, Memory, Pair, Party, durable, losing

I = 60_000  # noqa: E741 - the letter of docs/protocol.md 10.7
GRACE = I // 4
FIRST = (WALL // I + 1) * I - WALL
"""Pair time at which the first whole slot begins; it is BRAVO's, and ALPHA's is the next."""
assert WALL // I % 2 == 0


@pytest.fixture
def pair() -> Pair:
    return Pair(channel_test_ms=I).open()


def until(pair: Pair, time: int) -> None:
    pair.run(time - pair.time)


def sent(party: Party) -> list[int]:
    """When this terminal sent tests, in pair time, to the second."""
    rows = party.memory.rows("channel_test")
    return sorted((int(str(row["at"])) - WALL - party.offset) // 1_000 for row in rows if row["way"] == "sent")


def came(party: Party, way: str) -> list[int]:
    rows = party.memory.rows("channel_test")
    return sorted(int(str(row["serial"])) for row in rows if row["way"] == way)


def told(party: Party, kind: str) -> list[Mapping[str, object]]:
    return [delivery.fields for delivery in party.told if delivery.kind == kind]


def lost_from(*names: str) -> object:
    return losing(lambda sender, relay, envelope: sender.name in names)


def deaf(pair: Pair, *names: str) -> None:
    """What these parties send is lost from now on."""
    pair.weather = losing(lambda sender, relay, envelope: sender.name in names)


def alarms(party: Party) -> list[object]:
    return [name for name in party.alarms() if str(name).startswith("test-")]


def listed(party: Party) -> list[str]:
    """Alarms about tests that `status` lists now."""
    found = status(party.endpoint, party.now())["alarms"]
    return [alarm["name"] for alarm in found if alarm["name"].startswith("test-")]


def asleep(pair: Pair, until_time: int) -> None:
    """Nobody runs for a while."""
    pair.time = until_time


# --- the schedule ----------------------------------------------------------------------------------------------------


def test_terminals_take_turns(pair: Pair) -> None:
    """Both would test in the same minute, and nobody in the other (docs/protocol.md 10.7)."""
    until(pair, FIRST + 4 * I + 1_000)
    seconds, step = FIRST // 1_000, I // 1_000
    assert sent(pair.bravo) == [seconds, seconds + 2 * step, seconds + 4 * step]
    assert sent(pair.alpha) == [seconds + step, seconds + 3 * step]
    for party in (pair.alpha, pair.bravo):
        assert alarms(party) == [] == listed(party)
        assert came(party, "received") == came(party.peer, "sent")
        assert all(party.states(serial) == ["delivered"] for serial in came(party, "sent"))
    picture = status(pair.alpha.endpoint, pair.alpha.now())["tests"]
    assert (picture["interval_ms"], picture["missed"], picture["undelivered"]) == (I, 0, 0)
    assert (picture["sent"]["serial"], picture["sent"]["outcome"]) == (2, "delivered")
    assert picture["received"]["serial"] == 3
    assert picture["next_due"] == "2026-11-18T11:12:00.000Z"


def test_a_test_goes_the_whole_way_of_a_statement_and_says_nothing(pair: Pair) -> None:
    """A path that only tests use proves nothing; a text that could be read as news would be worse than none."""
    # docs/protocol.md 8.5
    until(pair, FIRST + 1_000)
    row = pair.alpha.memory.tables["received"]["real", 1]
    assert isinstance(row["content"], bytes)
    statement = decode_statement(row["content"])
    assert statement.kind == content_pb2.STATEMENT_KIND_TEST
    assert (statement.precedence, statement.drafter) == (content_pb2.PRECEDENCE_ROUTINE, DRAFTER)
    assert statement.text in TEXTS
    assert statement.valid_for_ms == I // 2
    for party, kind in ((pair.bravo, "msg.submit"), (pair.alpha, "msg.recv")):
        assert [record.fields["kind"] for record in party.records if record.kind == kind] == ["test"]
    assert pair.bravo.submit("An answer.").fields["serial"] == 2
    assert [record.fields["kind"] for record in pair.bravo.records if record.kind == "msg.submit"] == ["test", "text"]


def test_nobody_need_open_a_test(pair: Pair) -> None:
    """An officer who is called for nothing every hour does not come when it matters."""
    until(pair, FIRST + 1_000)
    assert pair.alpha.endpoint.context.unread[Plane.REAL] == {}
    assert pair.alpha.memory.rows("unread") == []
    assert status(pair.alpha.endpoint, pair.alpha.now())["planes"]["real"]["unread"] == []
    assert [(event["serial"], event["test"]) for event in told(pair.alpha, "received")] == [(1, 1)]
    assert {event["test"] for event in told(pair.bravo, "sent")} == {1}
    assert pair.alpha.read(1).code == "again"
    pair.run(5_000)
    assert pair.alpha.memory.rows("unnoted") == []
    assert pair.bravo.states(1) == ["delivered"], "no READ receipt was owed"
    pair.bravo.submit("Now there is something to read.")
    pair.run(1_000)
    assert list(pair.alpha.endpoint.context.unread[Plane.REAL]) == [2]
    assert told(pair.alpha, "received")[-1]["test"] == 0


@pytest.mark.parametrize("text", TEXTS)
def test_neutral_texts_can_be_said(text: str) -> None:
    """One would be refused in its hour, and the alarm would be our own fault."""
    check_text(text, 200)
    assert text.isascii()


def test_without_an_interval_nothing_is_sent_and_nothing_missed() -> None:
    """A charter that asks for none would be overruled."""
    pair = Pair().open()
    pair.run(5 * I)
    assert sent(pair.alpha) == sent(pair.bravo) == alarms(pair.alpha) == alarms(pair.bravo) == []
    assert pair.alpha.memory.tables["fact"].get(("channel.tests",)) is None
    assert status(pair.alpha.endpoint, pair.alpha.now())["tests"]["next_due"] is None


def test_a_new_terminal_begins_with_its_next_slot_of_its_own(pair: Pair) -> None:
    """A ceremony at five to the hour would be greeted by a test that no one expects, and each restart by another."""
    # docs/protocol.md 10.7
    assert WALL // I % 2 == 0, "the slot in which both start is ALPHA's"
    until(pair, FIRST)
    assert sent(pair.alpha) == []


def test_a_restart_neither_repeats_nor_forgets(pair: Pair) -> None:
    """A terminal that is restarted often would flood the line, one that was down at the full hour would be silent."""
    # docs/protocol.md 10.7
    until(pair, FIRST + I + 1_000)
    assert len(sent(pair.alpha)) == 1
    for _ in range(3):
        pair.alpha.restart()
        pair.run(2_000)
    assert len(sent(pair.alpha)) == 1, "this slot is served"
    until(pair, FIRST + 3 * I - 2_000)
    asleep(pair, FIRST + 3 * I + 20_000)
    pair.alpha.restart()
    pair.run(2_000)
    assert sent(pair.alpha)[1:] == [(FIRST + 3 * I) // 1_000 + 20], "it was due, and is sent late"
    assert pair.alpha.states(2) == ["delivered"]


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_a_clock_that_steps_causes_no_storm(pair: Pair) -> None:
    """A faulty time server would fill both ledgers with tests (docs/protocol.md 10.7)."""
    until(pair, FIRST + I + 1_000)
    start = pair.time
    for number in range(120):
        pair.alpha.offset += 2 * I if number % 3 else -I
        pair.run(1_000)
        pair.alpha.step(Tick())
    made = [delivery for delivery in pair.bravo.told if delivery.kind == "received"]
    assert 2 <= len(made) <= 1 + (pair.time - start) // (I // 2) + 1


def test_half_an_interval_lies_between_two_tests_of_a_schedule(pair: Pair) -> None:
    """A clock that steps would make tests follow each other, or stop them for long (docs/protocol.md 10.7)."""
    until(pair, FIRST + I + 1_000)
    assert len(came(pair.alpha, "sent")) == 1
    pair.alpha.offset += 2 * I
    pair.alpha.step(Tick())
    until(pair, FIRST + I + I // 2 - 2_000)
    assert len(came(pair.alpha, "sent")) == 1
    until(pair, FIRST + I + I // 2 + 2_000)
    assert len(came(pair.alpha, "sent")) == 2


def test_a_clock_that_was_ahead_does_not_silence_the_schedule(pair: Pair) -> None:
    """After a year in the future all slots until then would count as served."""
    pair.alpha.offset = 400 * 86_400_000
    until(pair, FIRST + 2 * I)
    count = len(came(pair.alpha, "sent"))
    assert count
    pair.alpha.offset = 0
    until(pair, FIRST + 6 * I)
    assert len(came(pair.alpha, "sent")) >= count + 2
    assert alarms(pair.bravo) == []


@pytest.mark.parametrize("step", [-10 * I, -I // 2, I // 2, 10 * I])
def test_a_step_of_our_clock_makes_no_test_missed_and_hides_none(pair: Pair, step: int) -> None:
    """The alarm would ring for a clock, or be silenced by one (docs/protocol.md 10.8)."""
    until(pair, FIRST + 1_000)
    pair.alpha.offset = step
    until(pair, FIRST + 2 * I + 1_000)
    assert alarms(pair.alpha) == []
    deaf(pair, "BRAVO")
    until(pair, FIRST + 4 * I + GRACE - 1_000)
    assert "test-missed" not in alarms(pair.alpha)
    pair.alpha.offset = -step
    until(pair, FIRST + 4 * I + GRACE + 2_000)
    assert alarms(pair.alpha).count("test-missed") == 1


# --- what is missed --------------------------------------------------------------------------------------------------


def test_a_test_that_does_not_come_is_told_once_each_and_its_return_too(pair: Pair) -> None:
    """A dead line would be discovered when it is needed (docs/protocol.md 10.8 and 10.9)."""
    until(pair, FIRST + 1_000)
    deaf(pair, "BRAVO")
    until(pair, FIRST + 2 * I + GRACE - 1_000)
    assert "test-missed" not in alarms(pair.alpha)
    until(pair, FIRST + 2 * I + GRACE + 1_000)
    assert alarms(pair.alpha).count("test-missed") == 1
    assert "test-missed" in listed(pair.alpha)
    until(pair, FIRST + 4 * I + GRACE - 1_000)
    assert alarms(pair.alpha).count("test-missed") == 1
    until(pair, FIRST + 4 * I + GRACE + 1_000)
    assert alarms(pair.alpha).count("test-missed") == 2, "the next one did not come either"
    pair.weather = losing(lambda sender, relay, envelope: False)
    until(pair, FIRST + 6 * I + 2_000)
    (resumed,) = [event for event in told(pair.alpha, "test-resumed") if event["way"] == "received"]
    assert resumed["missed"] == 2
    assert [record.fields["way"] for record in pair.alpha.records if record.kind == "test.resumed"].count(
        "received"
    ) == 1
    assert "test-missed" not in listed(pair.alpha)
    assert len([row for row in pair.alpha.memory.rows("channel_test") if row["way"] == "missed"]) == 2


def test_a_peer_that_is_never_heard_is_missed_too() -> None:
    """The first hour would be the one in which nobody notices."""
    pair = Pair(channel_test_ms=I)
    deaf(pair, "BRAVO")
    pair.open()
    until(pair, 2 * I + GRACE + 3_000)
    assert alarms(pair.alpha).count("test-missed") == 1


def test_first_contact_gives_the_peer_its_time() -> None:
    """A peer that has just been switched on would be accused of what it could not do."""
    pair = Pair(channel_test_ms=I)
    deaf(pair, "BRAVO")
    pair.open()
    until(pair, 2 * I)
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope) and sender.name == "BRAVO")
    until(pair, 4 * I + GRACE - 1_000)
    assert "test-missed" not in alarms(pair.alpha)
    until(pair, 4 * I + GRACE + 2 * 20_000)
    assert alarms(pair.alpha).count("test-missed") == 1


def test_our_own_test_without_a_receipt_is_told_once(pair: Pair) -> None:
    """We would believe for an hour that we are heard (docs/protocol.md 10.8)."""
    until(pair, FIRST + I - 1_000)
    deaf(pair, "BRAVO")
    until(pair, FIRST + I + GRACE - 1_000)
    assert "test-undelivered" not in alarms(pair.alpha)
    until(pair, FIRST + I + GRACE + 1_000)
    assert alarms(pair.alpha).count("test-undelivered") == 1
    assert "test-undelivered" in listed(pair.alpha)
    pair.alpha.restart()
    pair.run(GRACE + 2_000)
    assert alarms(pair.alpha).count("test-undelivered") == 1, "a restart is no news"
    assert "test-undelivered" in listed(pair.alpha)
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(15_000)
    (resumed,) = [event for event in told(pair.alpha, "test-resumed") if event["way"] == "sent"]
    assert (resumed["serial"], resumed["missed"]) == (1, 1)
    assert listed(pair.alpha) == []
    assert came(pair.bravo, "received") == [1]


def test_a_restart_forgets_no_alarm_and_raises_none_anew(pair: Pair) -> None:
    """The line would look well after every restart, or ring without end (docs/protocol.md 10.9)."""
    until(pair, FIRST + 1_000)
    deaf(pair, "BRAVO")
    until(pair, FIRST + 2 * I + GRACE + 1_000)
    pair.alpha.restart()
    pair.run(2 * I)
    assert alarms(pair.alpha).count("test-missed") == 1
    assert "test-missed" in listed(pair.alpha)
    pair.run(GRACE + 1_000)
    assert alarms(pair.alpha).count("test-missed") == 2


def test_an_expired_test_leaves_nothing_to_read(pair: Pair) -> None:
    """After a night without a line the officer would find a page of withdrawn serials (docs/protocol.md 8.5)."""
    until(pair, FIRST + I - 1_000)
    deaf(pair, "ALPHA")
    until(pair, FIRST + I + I // 2 + 2_000)
    assert pair.alpha.states(1) == ["expired"]
    assert status(pair.alpha.endpoint, pair.alpha.now())["tests"]["sent"]["outcome"] == "expired"
    pair.alpha.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(15_000)
    assert pair.bravo.shown() == [-1]
    assert [(event["void"], event["test"]) for event in told(pair.bravo, "received")] == [(1, 1)]
    assert pair.bravo.endpoint.context.unread[Plane.REAL] == {}
    assert came(pair.bravo, "received") == [], "a withdrawn test is none that arrived"
    assert [record.fields["kind"] for record in pair.bravo.records if record.kind == "msg.recv"] == ["test-void"]
    assert "test-undelivered" in listed(pair.alpha), "its empty place was acknowledged, it was not"
    assert pair.alpha.memory.rows("outbox") == []


def test_a_test_that_finds_no_room_is_an_alarm(pair: Pair) -> None:
    """The schedule would stop without a word just when the line has been dead for long."""
    pair.alpha.prepare(channel_test_ms=I, outbox_max=2)
    pair.alpha.restart()
    deaf(pair, "ALPHA", "BRAVO")
    for text in ("one", "two"):
        assert pair.alpha.submit(text).ok
    until(pair, FIRST + I + 1_000)
    assert alarms(pair.alpha) == ["test-undelivered"]
    assert sent(pair.alpha) == []
    until(pair, FIRST + 2 * I - 1_000)
    assert alarms(pair.alpha).count("test-undelivered") == 1


# --- loss of state ---------------------------------------------------------------------------------------------------


def test_a_peer_that_was_restored_gets_its_tests_again_and_nobody_need_read_them(pair: Pair) -> None:
    """An old backup would bring old tests back as news, or as alarms."""
    backup = pair.alpha.memory.copy()
    until(pair, FIRST + 2 * I + 1_000)
    assert came(pair.bravo, "sent") == [1, 2]
    pair.alpha.restart(backup)
    pair.run(20_000)
    assert came(pair.alpha, "received") == [1, 2]
    assert pair.alpha.endpoint.context.unread[Plane.REAL] == {}
    assert alarms(pair.bravo) == []
    assert "peer-restored" in pair.bravo.alarms()


def test_a_test_that_is_renumbered_is_followed(pair: Pair) -> None:
    """A restored terminal would take its own test for lost and ring."""
    backup = pair.alpha.memory.copy()
    pair.alpha.submit("One.")
    pair.alpha.submit("Two.")
    pair.run(2_000)
    pair.weather = lost_from("BRAVO")  # type: ignore[assignment]
    pair.alpha.restart(backup)
    asleep(pair, FIRST + I + 1_000)
    pair.alpha.step(Tick())
    assert came(pair.alpha, "sent") == [1], "it does not know that the peer holds another #1"
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(I // 2)
    assert pair.alpha.states(1)[-1] == "renumbered"
    assert came(pair.alpha, "sent") == [1, 3]
    assert pair.alpha.states(3) == ["delivered"]
    assert alarms(pair.alpha) == []
    assert status(pair.alpha.endpoint, pair.alpha.now())["tests"]["sent"]["serial"] == 3
    assert list(pair.bravo.endpoint.context.unread[Plane.REAL]) == [1, 2]


def test_a_test_that_is_renumbered_is_late_at_the_time_of_the_first_number(pair: Pair) -> None:
    """Its receipt would never be missed, or be missed from anew (docs/protocol.md 10.8)."""
    deaf(pair, "ALPHA", "BRAVO")
    serial, tests = ask(pair.alpha), pair.alpha.endpoint.tests
    late = dict(tests._late_at)
    assert list(late) == [serial]
    tests.renumbered(serial, serial + 8, pair.alpha.now())
    assert tests._late_at == {serial + 8: late[serial]}
    tests.renumbered(serial + 1, serial + 9, pair.alpha.now())
    assert tests._late_at == {serial + 8: late[serial]}, "what was not waited for is not waited for now"


def differs(memory: Memory) -> Sequence[str]:
    tables: dict[str, Sequence[Row]] = {name: memory.rows(name) for name in REBUILT}
    return differences(rebuild(parse_leaf(leaf) for leaf in memory.log.leaves), tables)


def test_the_tables_are_what_the_ledger_tells(pair: Pair) -> None:
    """`hotline audit fsck` would accuse an honest terminal, or pass over a history that was tidied up."""
    # docs/protocol.md 13.3
    deaf(pair, "ALPHA")
    until(pair, FIRST + 4 * I + GRACE + 1_000)
    pair.weather = losing(lambda sender, relay, envelope: False)
    until(pair, FIRST + 6 * I)
    for party in (pair.alpha, pair.bravo):
        assert differs(party.memory) == []
    rows = pair.bravo.memory.tables["channel_test"]
    assert {row["way"] for row in rows.values()} == {"sent", "received", "missed"}
    for key in list(rows):
        row = rows.pop(key)
        what = f"#{row['serial'] or row['at']} ({row['way']})"
        assert differs(pair.bravo.memory) == [f"channel_test {what}: only in the ledger"]
        rows[key] = row


# --- held back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
def test_a_test_that_is_held_back_is_a_test_when_it_is_shown(pair: Pair, restarted: bool) -> None:
    """A gap would turn tests into statements that somebody must open."""
    until(pair, FIRST - 4_000)
    first = {"waiting": True}
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope) and first["waiting"])
    pair.bravo.submit("This one is late.")
    pair.run(500)
    first["waiting"] = False
    # What was sent once is repeated soon: only its test must come before it.
    late = pair.bravo.endpoint.context.outboxes[Plane.REAL].pending[1].envelope
    assert late is not None
    pair.weather = losing(lambda sender, relay, envelope: envelope == late)
    until(pair, FIRST + 500)
    assert 2 in pair.alpha.endpoint.context.inboxes[Plane.REAL].ahead
    assert pair.alpha.shown() == []
    assert came(pair.alpha, "received") == [2], "it has arrived, though it is not shown"
    if restarted:
        pair.alpha.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.alpha.shown() == [1, 2]
    assert list(pair.alpha.endpoint.context.unread[Plane.REAL]) == [1]
    assert [event["test"] for event in told(pair.alpha, "received")] == [0, 1]


# --- officers, and others who would like to pass for a test ----------------------------------------------------------


def ask(party: Party) -> int:
    request = RequestId(len(party.replies) + 1)
    party.step(SendTest(request, "duty-1"))
    reply = party.replies[request]
    assert reply.ok, reply.text
    serial = reply.fields["serial"]
    assert isinstance(serial, int)
    return serial


@pytest.mark.parametrize("interval", [0, I])
def test_an_officer_may_test_at_any_time(interval: int) -> None:
    """After a repair nobody would want to wait for the full hour."""
    pair = Pair(channel_test_ms=interval).open()
    serial = ask(pair.alpha)
    pair.run(1_000)
    assert pair.alpha.states(serial) == ["delivered"]
    assert came(pair.bravo, "received") == [serial]
    (asked,) = [record for record in pair.alpha.records if record.kind == "test.asked"]
    assert asked.private["officer"].value == b"duty-1"
    content = pair.alpha.memory.tables["sent"]["real", serial]["content"]
    assert isinstance(content, bytes)
    statement = decode_statement(content)
    assert statement.drafter == DRAFTER
    assert statement.valid_for_ms == (I // 2 if interval else TEST_VALIDITY_UNSCHEDULED)
    if interval:
        until(pair, FIRST + I + 1_000)
        assert len(sent(pair.alpha)) == 2, "the schedule is not spared by it"


def test_without_a_schedule_no_receipt_is_late() -> None:
    """A test that an officer sends over a dead line would be an alarm at once, with a grace of nought (10.8)."""
    pair = Pair(channel_test_ms=0).open()
    pair.cut()
    ask(pair.alpha)
    pair.run(60_000)
    assert "test-undelivered" not in pair.alpha.alarms()


def test_a_test_that_an_officer_wants_is_refused_when_there_is_no_room(pair: Pair) -> None:
    """It would be said to be under way."""
    pair.alpha.prepare(channel_test_ms=I, outbox_max=1)
    pair.alpha.restart()
    deaf(pair, "ALPHA")
    pair.alpha.submit("one")
    pair.alpha.step(SendTest(RequestId(77), "duty-1"))
    reply = pair.alpha.replies[RequestId(77)]
    assert (reply.ok, reply.code) == (False, "full")
    assert sent(pair.alpha) == []


def test_what_an_officer_says_is_never_a_test(pair: Pair) -> None:
    """A statement could slip by unread because of its words (docs/protocol.md 8.5)."""
    pair.alpha.submit(TEXTS[0])
    pair.run(1_000)
    assert list(pair.bravo.endpoint.context.unread[Plane.REAL]) == [1]
    assert came(pair.bravo, "received") == came(pair.alpha, "sent") == []


def forged(pair: Pair, plane: Plane = Plane.REAL, **changes: object) -> None:
    """BRAVO's terminal says what an honest one never would."""
    fields: dict[str, object] = {
        "precedence": content_pb2.PRECEDENCE_ROUTINE,
        "kind": content_pb2.STATEMENT_KIND_TEST,
        "language": "en",
        "direction": content_pb2.DIRECTION_LTR,
        "drafter": DRAFTER,
        "text": TEXTS[0],
        "valid_for_ms": I,
    }
    statement = content_pb2.Statement(**(fields | changes))  # type: ignore[arg-type]
    sending = pair.bravo.endpoint.sending
    sending.say(plane, statement, pair.bravo.now())
    pair.bravo.memory.apply(pair.bravo.endpoint.context.out)
    pair.bravo.lies = True
    sending.pump(pair.bravo.now())
    pair.bravo.step(Tick())
    pair.run(1_000)


def test_a_test_with_words_of_its_own_must_be_read(pair: Pair) -> None:
    """A peer's terminal could put words on record as told that nobody was ever shown (docs/protocol.md 8.5)."""
    forged(pair, text="Our forces will cross the line at dawn.")
    pair.run(5_000)
    assert list(pair.alpha.endpoint.context.unread[Plane.REAL]) == [1]
    assert [event["test"] for event in told(pair.alpha, "received")] == [0]
    assert came(pair.alpha, "received") == []
    assert [record.fields["kind"] for record in pair.alpha.records if record.kind == "msg.recv"] == ["text"]
    assert differs(pair.alpha.memory) == []


@pytest.mark.parametrize(
    ("plane", "changes"),
    [
        (Plane.EXERCISE, {}),
        (Plane.REAL, {"precedence": content_pb2.PRECEDENCE_FLASH}),
        (Plane.REAL, {"drafter": "minister"}),
    ],
)
def test_a_test_that_is_more_than_a_test_is_refused(pair: Pair, plane: Plane, changes: dict[str, object]) -> None:
    """An exercise could be mixed with the real line, a FLASH could be hidden among tests."""
    # docs/protocol.md 8.5 and 8.6
    forged(pair, plane, **changes)
    pair.run(5_000)
    assert set(pair.alpha.refusals()) == {"kind"}
    assert pair.alpha.shown(plane) == []


def test_kinds_have_words() -> None:
    """A ledger would name a kind as no reader expects it."""
    quiet = ["without-prejudice", "put-on-record"]
    words = [kind_word(kind) for kind in content_pb2.StatementKind.values() if kind]
    assert words == [
        "text",
        "void",
        "test",
        "test-void",
        "correction",
        "retraction",
        "translation",
        *quiet,
        "challenge",
        "record-answer",
        "officer-answer",
    ]


def test_a_schedule_that_is_given_up_misses_nothing_any_more(pair: Pair) -> None:
    """It would ring for a receipt after 0 s, and say so in every status from then on (docs/protocol.md 10.7, 10.9)."""
    deaf(pair, "ALPHA")
    tests = pair.alpha.endpoint.tests
    until(pair, FIRST + 3 * I)
    assert tests.kept.undelivered
    ask(pair.alpha)
    before = pair.alpha.alarms()
    pair.alpha.endpoint.context.setup = replace(pair.alpha.endpoint.context.setup, channel_test_ms=0)
    tests.amended(pair.alpha.now())
    pair.run(2 * I)
    assert pair.alpha.alarms()[len(before) :].count("test-undelivered") == 0
    assert (tests.kept.missed, tests.kept.undelivered) == (0, 0)


def amended(pair: Pair, interval: int) -> None:
    """Another interval is in force on both sides."""
    for party in (pair.alpha, pair.bravo):
        party.endpoint.context.setup = replace(party.endpoint.context.setup, channel_test_ms=interval)
        party.endpoint.tests.amended(party.now())


def test_a_schedule_that_is_made_quicker_is_kept_at_once() -> None:
    """Whoever had just sent a test waited for half of the old interval, and the peer rang (docs/protocol.md 10.7)."""
    pair = Pair(channel_test_ms=10 * I).open()
    first = (WALL // (10 * I) + 1) * 10 * I - WALL
    until(pair, first + 1_000)
    assert len(came(pair.bravo, "sent")) + len(came(pair.alpha, "sent")) == 1
    amended(pair, I)
    pair.run(4 * I)
    assert len(came(pair.bravo, "sent")) >= 2
    assert len(came(pair.alpha, "sent")) >= 2
    assert alarms(pair.alpha) == alarms(pair.bravo) == []


def test_a_schedule_that_is_made_slower_is_kept_at_once(pair: Pair) -> None:
    """Two tests of it would be less than half of its interval apart (docs/protocol.md 10.7)."""
    slow = 4 * I
    at = (WALL // slow + 1) * slow - WALL  # begins a slot of the slow schedule; the party whose it is has sent before
    until(pair, at - I + 1_000)
    amended(pair, slow)
    until(pair, at + 2 * slow)
    for party in (pair.alpha, pair.bravo):
        times = sent(party)
        assert all(later - earlier >= slow // 2_000 for earlier, later in pairwise(times) if later * 1_000 >= at)
