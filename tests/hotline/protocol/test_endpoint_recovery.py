"""Restarts, lost disks and old backups: nothing is shown twice, nothing is lost without a word."""

from __future__ import annotations

import pytest

from hotline.machine import Plane
from hotline.protocol.repeats import Repeats
from hotline.protocol.statements import decode_statement
from hotline.wire.codec import envelope_frame
from hotline.wire.v1 import content_pb2

from .pair import Memory, Pair, Party, clear, durable, losing


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def deaf(sender_name: str) -> object:
    return losing(lambda sender, relay, envelope: sender.name == sender_name)


def test_a_restart_of_the_sender_loses_and_repeats_nothing(pair: Pair) -> None:
    """A power cut would eat what was queued, or say it twice (docs/protocol.md 3.5)."""
    # docs/protocol.md 1.1
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    for text in ("a", "b", "c"):
        pair.alpha.submit(text)
    pair.alpha.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(10_000)
    assert pair.bravo.shown() == [1, 2, 3]
    assert [pair.alpha.states(serial)[-1] for serial in (1, 2, 3)] == ["delivered"] * 3
    assert pair.alpha.submit("d").fields["serial"] == 4


def test_a_restart_of_the_receiver_shows_nothing_twice(pair: Pair) -> None:
    """What an officer has read would come again as news."""
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    pair.alpha.submit("a")
    pair.run(100)
    assert pair.bravo.shown() == [1]
    pair.bravo.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [1]
    assert pair.alpha.states(1) == ["delivered"]
    assert pair.bravo.read(1).code == "read", "it is still unread after the restart"


def test_a_beat_that_a_later_one_has_overtaken_tells_of_no_loss(pair: Pair) -> None:
    """What a sibling said last would be closed as lost, and the peer be called restored (docs/protocol.md 10.12)."""
    old, late, under_way = pair.alpha.memory.copy(), list[bytes](), list[bytes]()
    pair.alpha.submit("one")
    pair.run(1_000)
    pair.weather = lambda sender, relay, envelope: [] if durable(envelope) else [envelope]
    pair.alpha.submit("two")
    under_way += [envelope for name, _, envelope in pair.sent[-4:] if name == "ALPHA" and durable(envelope)]
    pair.alpha.restart(old)
    pair.run(2_000)
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial == 1

    def slow(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        held = sender is pair.bravo and relay == "relay-2" and not durable(envelope)
        late.extend([envelope] if held else [])
        return [] if held or durable(envelope) else [envelope]

    pair.weather = slow
    pair.run(500)
    pair.bravo.hear("relay-1", envelope_frame(under_way[0]))
    pair.run(600)
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial == 2
    assert late
    pair.alpha.hear("relay-2", envelope_frame(late[0]))
    assert pair.alpha.endpoint.context.peer.received_through[Plane.REAL] == 2
    assert "peer-restored" not in pair.alpha.alarms()
    assert not pair.alpha.endpoint.context.outboxes[Plane.REAL].pending


def test_held_back_statements_survive_a_restart(pair: Pair) -> None:
    """What overtook its predecessor would be lost, or shown before it."""
    first: list[bytes] = []

    def hold(sender: object, relay: str, envelope: bytes) -> list[bytes]:
        if sender is not pair.alpha or not durable(envelope):
            return [envelope]
        first.append(envelope)
        return [] if envelope == first[0] else [envelope]

    pair.weather = hold  # type: ignore[assignment]
    pair.alpha.submit("a")
    pair.alpha.submit("b")
    pair.run(100)
    assert pair.bravo.shown() == []
    assert [row["serial"] for row in pair.bravo.memory.rows("held")] == [2]
    pair.bravo.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [1, 2]
    assert pair.bravo.memory.rows("held") == []


def test_a_read_that_was_not_noted_is_told_after_a_restart(pair: Pair) -> None:
    """The sender would never learn that it was read."""
    pair.alpha.submit("a")
    pair.run(100)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    pair.bravo.read(1)
    pair.bravo.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(10_000)
    assert pair.alpha.states(1)[-1] == "read"
    assert pair.bravo.memory.rows("unnoted") == []


def test_an_expired_statement_stays_expired_after_a_restart(pair: Pair) -> None:
    """What was told to be lost would be sent after all."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("secret", valid_for_ms=1_000)
    pair.run(2_000)
    pair.alpha.restart()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [-1]
    assert pair.alpha.states(1) == ["expired"]


def test_a_sender_from_an_old_backup_gives_its_new_words_a_new_serial(pair: Pair) -> None:
    """Two statements would have one number, and the second would never be shown (docs/protocol.md 9.3 and 12.6)."""
    pair.alpha.submit("one")
    pair.run(1_000)
    backup = pair.alpha.memory.copy()
    pair.alpha.submit("two")
    pair.run(1_000)
    assert pair.bravo.shown() == [1, 2]
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.restart(backup)
    assert pair.alpha.submit("two, differently").fields["serial"] == 2
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [1, 2, 3]
    assert pair.bravo.text(2) == "two"
    assert pair.bravo.text(3) == "two, differently"
    assert [(d.fields["serial"], d.fields["new"]) for d in pair.alpha.told if d.kind == "renumbered"] == [(2, 3)]
    assert pair.alpha.states(2)[-1] == "renumbered"
    assert pair.alpha.states(3) == ["delivered"]
    assert "restored" in pair.alpha.alarms()
    assert "msg.conflict" in pair.bravo.kinds()
    pair.run(60_000)
    assert pair.alpha.memory.rows("outbox") == []
    assert pair.bravo.shown() == [1, 2, 3]


def test_the_same_words_after_an_old_backup_are_a_repeat(pair: Pair) -> None:
    """A restored sender would say everything again."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("one")
    backup = pair.alpha.memory.copy()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(10_000)
    assert pair.bravo.shown() == [1]
    pair.alpha.restart(backup)
    pair.run(20_000)
    assert pair.bravo.shown() == [1]
    assert pair.alpha.states(1)[-1] == "delivered"
    assert "renumbered" not in pair.alpha.states(1)


def test_a_sender_that_lost_everything_goes_on_above_what_the_peer_has(pair: Pair) -> None:
    """After a burnt disk the terminal could not say anything any more (docs/protocol.md 10.5)."""
    for text in ("one", "two", "three"):
        pair.alpha.submit(text)
    pair.run(1_000)
    pair.alpha.restart(Memory())
    pair.run(10_000)
    assert pair.alpha.submit("four").fields["serial"] == 4
    pair.run(10_000)
    assert pair.bravo.shown() == [1, 2, 3, 4]
    assert pair.alpha.states(4) == ["delivered"]


def test_a_receiver_from_an_old_backup_is_offered_everything_again(pair: Pair) -> None:
    """What the peer had acknowledged would be missing on its side for ever (docs/protocol.md 10.5)."""
    pair.alpha.submit("one")
    pair.run(1_000)
    backup = pair.bravo.memory.copy()
    for text in ("two", "three"):
        pair.alpha.submit(text)
    pair.run(1_000)
    pair.bravo.told.clear()
    pair.bravo.restart(backup)
    pair.run(20_000)
    assert pair.bravo.shown() == [2, 3]
    assert pair.bravo.text(3) == "three"
    assert "peer-restored" in pair.alpha.alarms()
    assert pair.alpha.memory.rows("outbox") == []
    assert pair.alpha.alarms().count("peer-restored") == 1


def test_a_receiver_that_lost_everything_is_offered_everything_in_both_planes(pair: Pair) -> None:
    """After a burnt disk the record would have a hole that nobody knows of."""
    pair.alpha.submit("one")
    pair.alpha.submit("drill", plane=Plane.EXERCISE)
    pair.run(1_000)
    pair.bravo.told.clear()
    pair.bravo.restart(Memory())
    pair.run(20_000)
    assert pair.bravo.shown() == [1]
    assert pair.bravo.shown(Plane.EXERCISE) == [1]
    assert pair.bravo.text(1, Plane.EXERCISE) == "drill"


def test_both_from_old_backups_meet_again(pair: Pair) -> None:
    """The two would wait for each other for ever."""
    pair.alpha.submit("one")
    pair.bravo.submit("eins")
    pair.run(1_000)
    old = pair.alpha.memory.copy(), pair.bravo.memory.copy()
    for party in (pair.alpha, pair.bravo):
        party.submit("lost")
    pair.run(1_000)
    pair.alpha.restart(old[0])
    pair.bravo.restart(old[1])
    pair.run(20_000)
    for party in (pair.alpha, pair.bravo):
        serial = int(str(party.submit("again").fields["serial"]))
        pair.run(20_000)
        assert party.states(serial)[-1] == "delivered"
        assert party.peer.text(serial) == "again"
        assert party.endpoint.context.outboxes[Plane.REAL].pending == {}


def test_an_expired_statement_of_a_lost_receiver_comes_back_as_void(pair: Pair) -> None:
    """What the officer was told was never delivered would be delivered a week later (docs/protocol.md 12.7)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("too late", valid_for_ms=1_000)
    pair.run(2_000)
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.alpha.submit("still true")
    pair.run(20_000)
    assert pair.bravo.shown() == [-1, 2]
    pair.bravo.told.clear()
    pair.bravo.restart(Memory())
    pair.run(20_000)
    assert pair.bravo.shown() == [-1, 2]
    assert pair.alpha.states(1) == ["expired"]


def test_what_expired_and_then_reached_a_lost_receiver_is_told_as_delivered(pair: Pair) -> None:
    """The officer would hold to "never delivered" while the peer reads it (docs/protocol.md 8.4)."""
    withheld: list[tuple[str, bytes]] = []

    def withholding(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if durable(envelope):
            withheld.append((relay, envelope))
        return [] if durable(envelope) else [envelope]

    pair.weather = withholding
    pair.alpha.submit("too late", valid_for_ms=1_000)
    pair.run(2_000)
    pair.weather = clear
    before = pair.bravo.memory.copy()
    pair.run(20_000)
    assert (pair.bravo.shown(), pair.alpha.states(1)) == ([-1], ["expired"])
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].pending == {}
    pair.bravo.told.clear()
    pair.bravo.restart(before)
    pair.run(0)
    pair.bravo.hear(withheld[0][0], envelope_frame(withheld[0][1]))
    pair.run(10)
    assert (pair.bravo.shown(), pair.bravo.text(1)) == ([1], "too late")
    pair.run(20_000)
    assert pair.alpha.states(1) == ["expired", "delivered"]
    assert [record.fields["serials"] for record in pair.alpha.records if record.kind == "msg.delivered"] == ["1", "1"]


def _said_twice(pair: Pair) -> Memory:
    """ALPHA gives #1 out twice, and "again" reaches BRAVO as #2; returns ALPHA's disk from before it was renumbered."""
    empty = pair.alpha.memory.copy()
    pair.alpha.submit("one")
    pair.run(1_000)
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.restart(empty)
    pair.alpha.submit("again")
    backup = pair.alpha.memory.copy()
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert [pair.bravo.text(serial) for serial in (1, 2)] == ["one", "again"]
    return backup


def _like(statement: content_pb2.Statement) -> content_pb2.Statement:
    return content_pb2.Statement.FromString(statement.SerializeToString())


def _repeats(pair: Pair) -> list[tuple[object, object]]:
    return [(d.fields["serial"], d.fields["of"]) for d in pair.bravo.told if d.kind == "repeat"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_text_that_comes_under_a_second_serial_is_marked(pair: Pair, restarted: bool) -> None:
    """An officer would take one statement for two, each a demand of its own (docs/protocol.md 12.6)."""
    backup = _said_twice(pair)
    assert _repeats(pair) == []
    if restarted:
        pair.bravo.restart()
    pair.alpha.restart(backup)
    pair.run(60_000)
    assert pair.bravo.shown() == [1, 2, 3]
    assert pair.bravo.text(3) == "again"
    assert _repeats(pair) == [(3, 2)]
    assert pair.bravo.memory.tables["received_fact"]["real", 3, "repeat"]["by"] == "2"
    assert "msg.repeat" in pair.bravo.kinds()
    assert pair.alpha.states(3) == ["delivered"]


def test_a_text_whose_first_serial_comes_last_is_marked(pair: Pair) -> None:
    """A relay may hold the first envelope longest: its text would be shown as news."""
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.submit("one")
    first = decode_statement(pair.alpha.memory.tables["sent"]["real", 1]["content"])  # type: ignore[arg-type]
    repeats = Repeats(pair.bravo.endpoint.context)
    moved = _like(first)
    moved.serial, moved.first_serial = 7, 1
    assert repeats.take(Plane.REAL, moved) == 0
    other = _like(first)
    other.body_salt = bytes(31) + b"\1"
    assert repeats.take(Plane.REAL, other) == 0
    assert repeats.take(Plane.EXERCISE, first) == 0
    assert repeats.take(Plane.REAL, first) == 7
    again = _like(moved)
    again.serial = 9
    assert repeats.take(Plane.REAL, again) == 7


def test_what_is_remembered_of_renumbered_statements_is_bounded(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that renumbers without end would fill memory and disk."""
    monkeypatch.setattr("hotline.protocol.repeats.MOVED_MAX", 3)
    pair.alpha.submit("one")
    first = decode_statement(pair.alpha.memory.tables["sent"]["real", 1]["content"])  # type: ignore[arg-type]
    repeats = Repeats(pair.bravo.endpoint.context)
    for number in range(10):
        moved = _like(first)
        moved.serial, moved.first_serial, moved.body_salt = 100 + number, 50 + number, bytes([number]) * 32
        repeats.take(Plane.REAL, moved)
    pair.bravo.memory.apply(pair.bravo.endpoint.context.out)
    assert [row["first"] for row in pair.bravo.memory.rows("moved")] == [57, 58, 59]


def test_our_own_void_in_the_peers_hands_is_no_loss_of_state(pair: Pair) -> None:
    """Operators would be told of a restored backup that never was."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("late", valid_for_ms=1_500)
    before = pair.alpha.memory.copy()
    pair.run(2_000)
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [-1]
    pair.alpha.restart(before)
    pair.run(20_000)
    assert pair.bravo.shown() == [-1, 2]
    assert "restored" not in pair.alpha.alarms()


def test_an_empty_statement_repeats_nothing(pair: Pair) -> None:
    """What expired twice would be shown as one text said twice (docs/protocol.md 12.6 and 8.7)."""
    repeats = Repeats(pair.bravo.endpoint.context)
    for kind in (content_pb2.STATEMENT_KIND_VOID, content_pb2.STATEMENT_KIND_TEST_VOID):
        for serial in (3, 4):
            empty = content_pb2.Statement(serial=serial, kind=kind, body_salt=bytes(32))
            assert repeats.take(Plane.REAL, empty) == 0
    assert not pair.bravo.endpoint.context.out.changes
