"""Time objectives: first the path, then the person (docs/protocol.md 20.7 to 20.11)."""

from __future__ import annotations

from typing import Any

import pytest

from hotline.limits import WATCHED_MAX
from hotline.machine import Delete, Instant, Output, Plane, Put, RequestId
from hotline.protocol.events import AlarmNotPassedOn, Closing, SendTest, SetPresence
from hotline.protocol.objectives import spoken
from hotline.protocol.outbox import Outbox, Pending, SentState
from hotline.protocol.status import status
from hotline.wire.v1 import content_pb2

from .pair import FLASH, ROUTINE, Pair, Party, losing

HALF = 5_000
"""Half of the objective of a FLASH here."""
OBJECTIVES = {ROUTINE: 40 * HALF, FLASH: 2 * HALF}
OURS = ("not-delivered", "not-read", "unread")


def rung(party: Party) -> list[object]:
    return [name for name in party.alarms() if name in OURS]


def meanings(party: Party, name: str) -> list[str]:
    return [str(d.fields["meaning"]) for d in party.told if d.kind == "alarm" and d.fields["name"] == name]


def verdict(party: Party) -> dict[str, Any]:
    found: dict[str, Any] = status(party.endpoint, party.now())["peer"]["verdict"]
    return found


def nothing(pair: Pair) -> None:
    pair.weather = losing(lambda *_: True)


@pytest.fixture
def pair() -> Pair:
    return Pair(objective_ms=OBJECTIVES).open()


def test_what_is_not_delivered_is_told_before_its_time_is_over(pair: Pair) -> None:
    """The officer would learn that nobody has it when it is too late to walk over (docs/protocol.md 20.7)."""
    nothing(pair)
    pair.alpha.submit("now", FLASH)
    pair.run(HALF - 10)
    assert rung(pair.alpha) == []
    pair.run(20)
    assert rung(pair.alpha) == ["not-delivered"]
    assert "FLASH #1 has not been delivered for 5 s" in meanings(pair.alpha, "not-delivered")[0]
    (alarm,) = [record for record in pair.alpha.records if record.fields.get("name") == "not-delivered"]
    assert "FLASH" not in repr(alarm), "precedence is no plain word of a ledger (docs/protocol.md 20.9)"
    pair.run(HALF)
    assert rung(pair.alpha) == ["not-delivered"] * 2
    pair.run(6 * HALF)
    assert rung(pair.alpha) == ["not-delivered"] * 4, "at half, at all, at twice, at four times"
    assert rung(pair.bravo) == []
    assert "not-delivered" in [one["name"] for one in status(pair.alpha.endpoint, pair.alpha.now())["alarms"]]


def test_what_nobody_opens_rings_on_both_sides(pair: Pair) -> None:
    """A statement would lie in an inbox over night, and both would believe the other (docs/protocol.md 20.7)."""
    pair.alpha.submit("now", FLASH)
    pair.run(HALF + 1_000)
    assert (rung(pair.alpha), rung(pair.bravo)) == ([], ["unread"])
    assert "nobody has opened FLASH #1 for 5 s; the objective is 10 s" in meanings(pair.bravo, "unread")
    pair.run(HALF)
    assert (rung(pair.alpha), rung(pair.bravo)) == (["not-read"], ["unread", "unread"])
    assert meanings(pair.alpha, "not-read") == [
        "FLASH #1 was delivered and has not been read for 10 s; the peer is alive"
    ]
    assert verdict(pair.alpha) == {"word": "unread", "text": "present, ALIVE; #1 delivered, unread for 11 s"}
    pair.bravo.read(1)
    pair.run(20 * HALF)
    assert (len(rung(pair.alpha)), len(rung(pair.bravo))) == (1, 2)
    for party in (pair.alpha, pair.bravo):
        assert party.memory.rows("waiting") == []
        assert [one for one in status(party.endpoint, party.now())["alarms"] if one["name"] in OURS] == []
    assert verdict(pair.alpha)["word"] == "present"


def test_each_precedence_has_its_own_time_and_tests_have_none(pair: Pair) -> None:
    """docs/protocol.md 20.7."""
    pair.alpha.submit("later", ROUTINE)
    pair.alpha.step(SendTest(RequestId(900), "watch"))
    pair.alpha.submit("talk", ROUTINE, Plane.SERVICE)
    pair.run(20 * HALF - 2_000)
    assert rung(pair.bravo) == []
    pair.run(4_000)
    assert rung(pair.bravo) == ["unread"]
    assert len(pair.bravo.memory.rows("waiting")) == 1


def test_without_objectives_nobody_is_rung() -> None:
    """docs/protocol.md 20.7."""
    pair = Pair().open()
    pair.alpha.submit("now", FLASH)
    pair.run(12 * HALF)
    assert rung(pair.alpha) == rung(pair.bravo) == []


def test_many_that_are_late_together_are_one_alarm(pair: Pair) -> None:
    """A flood of statements would be a flood of alarms (docs/protocol.md 20.7)."""
    for number in range(20):
        pair.alpha.submit(f"{number}", FLASH)
    pair.run(HALF + 1_000)
    assert rung(pair.bravo) == ["unread"]
    (alarm,) = [record for record in pair.bravo.records if record.fields.get("name") == "unread"]
    assert (alarm.fields["serial"], alarm.fields["count"]) == (1, 20)
    assert "FLASH #1 and 19 more" in meanings(pair.bravo, "unread")[0]


def test_a_restart_neither_forgets_nor_repeats(pair: Pair) -> None:
    """Whoever restarts a terminal would silence it (docs/protocol.md 20.7)."""
    pair.alpha.submit("now", FLASH)
    pair.run(HALF + 1_000)
    pair.cut()
    pair.bravo.restart()
    pair.alpha.restart()
    pair.join()
    pair.run(3_000)
    assert (rung(pair.alpha), rung(pair.bravo)) == ([], ["unread"])
    pair.run(2_500)
    assert (rung(pair.alpha), rung(pair.bravo)) == (["not-read"], ["unread", "unread"])


def test_what_is_late_goes_over_narrow_paths_in_a_new_envelope() -> None:
    """The path that holds it back would go on holding it back (docs/protocol.md 20.8 and 11.2)."""
    pair = Pair(relays=2, profiles=("fibre", "narrow"), objective_ms=OBJECTIVES).open(30_000)
    pair.weather = losing(
        lambda sender, relay, envelope: relay == "relay-1" and sender is pair.alpha and not envelope[1] & 0x02
    )
    pair.custody = True
    pair.alpha.submit("later", ROUTINE)
    pair.run(19 * HALF)
    sent = [record for record in pair.alpha.records if record.kind == "msg.sent"]
    assert {record.fields["paths"] for record in sent} == {"relay-1"}
    assert pair.alpha.states(1) == ["relayed"]
    pair.run(2 * HALF)
    assert rung(pair.alpha) == ["not-delivered"]
    last = [record for record in pair.alpha.records if record.kind == "msg.sent"][-1]
    assert last.fields["paths"] == "relay-1 relay-2"
    assert last.fields["envelope"] not in {record.fields["envelope"] for record in sent}
    assert pair.alpha.states(1) == ["relayed", "delivered"]


def test_what_is_late_waits_for_no_window() -> None:
    """It would wait behind what the same fault holds back (docs/protocol.md 20.8)."""
    outbox = Outbox(0, {})
    for serial in (1, 2):
        outbox.add(Pending(serial, ROUTINE, b"x" * 9_000, b"", bytes(32), 10**9))
    first = outbox.next_to_send(1, 10_000, 0)
    assert first is not None
    outbox.sealed(first, b"envelope", b"name", 0)
    assert outbox.next_to_send(1, 10_000, 0) is None
    outbox.pending[2].escalated = True
    assert outbox.next_to_send(1, 10_000, 0) is outbox.pending[2]


def test_a_status_tells_a_fault_from_a_refusal(pair: Pair) -> None:
    """ "They do not answer" would be taken for "they will not" (docs/protocol.md 20.11)."""
    assert verdict(pair.alpha) == {"word": "present", "text": "present, ALIVE"}
    pair.bravo.step(SetPresence(RequestId(800), "watch", "declined", 0))
    pair.run(1_000)
    told = verdict(pair.alpha)
    assert told["word"] == "declined"
    assert told["text"].startswith("present, DECLINED by word of 2026-")
    nothing(pair)
    pair.run(20_000)
    told = verdict(pair.alpha)
    assert (told["word"], told["text"].startswith("silent since 2026-"), "on all paths: fault" in told["text"]) == (
        "fault",
        True,
        True,
    )


def test_a_status_knows_a_closed_peer_a_new_start_and_what_is_withheld(pair: Pair) -> None:
    """docs/protocol.md 20.11."""
    pair.weather = losing(lambda sender, relay, envelope: not envelope[1] & 0x02)
    pair.alpha.submit("now", FLASH)
    pair.run(HALF + 1_000)
    assert verdict(pair.alpha)["word"] == "undelivered"
    assert "#1 not delivered for 6 s" in verdict(pair.alpha)["text"]
    pair.bravo.step(Closing())
    pair.run(1_000)
    pair.cut()
    assert verdict(pair.alpha)["word"] == "closed"
    pair.alpha.restart()
    assert verdict(pair.alpha)["text"] == "not heard on any path since this terminal started: fault"


def test_that_an_alarm_was_not_passed_on_is_told_and_entered(pair: Pair) -> None:
    """Nobody would know that the bell is broken (docs/protocol.md 20.10)."""
    pair.alpha.step(AlarmNotPassedOn("timeout"))
    (alarm,) = [record for record in pair.alpha.records if record.fields.get("name") == "alarm-command"]
    assert alarm.fields["reason"] == "timeout"


@pytest.mark.parametrize(
    ("span", "words"), [(900, "0.9 s"), (2_000, "2 s"), (119_999, "119 s"), (120_000, "2 min"), (10**9, "11 d")]
)
def test_spans_in_words(span: int, words: str) -> None:
    """An officer reads minutes, not milliseconds."""
    assert spoken(span) == words


def test_every_precedence_is_watched() -> None:
    """One that nobody thought of would never ring (docs/protocol.md 20.7)."""
    every = [value for value in content_pb2.Precedence.values() if value]
    pair = Pair(objective_ms=dict.fromkeys(every, HALF)).open()
    for precedence in every:
        pair.alpha.submit("now", precedence)
    pair.run(HALF // 2 + 1_000)
    (alarm,) = [record for record in pair.bravo.records if record.fields.get("name") == "unread"]
    assert alarm.fields["count"] == len(every)
    assert pair.bravo.endpoint.objectives.late(pair.bravo.now())["unread", Plane.REAL][2] == len(every)


@pytest.mark.parametrize(
    ("word", "said"), [("alive", "alive"), ("principal-absent", "principal-absent"), ("", "not heard")]
)
def test_whoever_waits_for_a_reader_is_told_what_the_peer_says_of_itself(pair: Pair, word: str, said: str) -> None:
    """An absent principal would be spelt otherwise than everywhere else (docs/protocol.md 20.7 and 18.1)."""
    pair.alpha.submit("now", FLASH)
    pair.run(1_000)
    if word:
        pair.bravo.step(SetPresence(RequestId(800), "watch", word, 0))
    else:
        nothing(pair)
    pair.run(2 * HALF)
    assert meanings(pair.alpha, "not-read")[0].endswith(f"; the peer is {said}")


def test_each_is_late_by_its_own_time_and_the_oldest_speaks(pair: Pair) -> None:
    """An officer would open the newer one first, or be rung for what was read (docs/protocol.md 20.7)."""
    watch, wall = pair.alpha.endpoint.objectives, pair.alpha.now().wall
    out = pair.alpha.endpoint.context.out = Output()
    pair.alpha.lies = True

    def at(mono: int) -> Instant:
        return Instant(mono, wall + mono)

    def rang() -> list[tuple[object, ...]]:
        found = [tuple(r.fields[name] for name in ("name", "plane", "serial", "count")) for r in out.records]
        out.records.clear()
        return found

    for way, plane, serial, precedence, mono in (
        ("received", Plane.REAL, 3, FLASH, 0),
        ("received", Plane.REAL, 2, FLASH, 100),
        ("received", Plane.REAL, 3, FLASH, 200),
        ("sent", Plane.REAL, 9, FLASH, 0),
        ("sent", Plane.REAL, 8, FLASH, 50),
        ("sent", Plane.EXERCISE, 7, FLASH, 0),
        ("received", Plane.REAL, 4, ROUTINE, 0),
        ("received", Plane.SERVICE, 5, FLASH, 0),
        ("received", Plane.REAL, 6, content_pb2.PRECEDENCE_PRIORITY, 0),
    ):
        watch.begin(way, plane, serial, precedence, at(mono))
    assert [change.row["since"] - wall for change in out.changes if isinstance(change, Put)] == [0, 100, 0, 50, 0, 0]  # type: ignore[operator]
    assert watch.next_deadline() == HALF
    watch.due(at(HALF - 1))
    assert rang() == []
    assert watch.late(at(HALF)) == {}
    watch.due(at(HALF + 100))
    assert rang() == [("unread", "real", 3, 2)]
    assert watch.late(at(HALF + 100)) == {("unread", Plane.REAL): (3, HALF + 100, 2)}
    assert watch.oldest_unread_there(at(HALF)) == (9, HALF)
    watch.end("received", Plane.REAL, 3)
    assert out.changes[-1] == Delete("waiting", {"way": "received", "plane": "real", "serial": 3})
    watch.reached(Plane.REAL, 9, SentState.DELIVERED)
    assert watch.next_deadline() == 2 * HALF
    watch.reached(Plane.REAL, 9, SentState.READ)
    watch.due(at(2 * HALF))
    assert rang() == [("not-read", "exercise", 7, 1)]
    assert watch.next_deadline() == 2 * HALF + 50
    watch.due(at(2 * HALF + 100))
    assert sorted(rang()) == [("not-read", "real", 8, 1), ("unread", "real", 2, 1)]
    assert watch.late(at(2 * HALF + 100)) == {
        ("unread", Plane.REAL): (2, 2 * HALF, 1),
        ("not-read", Plane.REAL): (8, 2 * HALF + 50, 1),
        ("not-read", Plane.EXERCISE): (7, 2 * HALF + 100, 1),
    }
    assert watch.oldest_unread_there(at(2 * HALF)) == (8, 2 * HALF - 50)
    for state in (SentState.SHOWN, SentState.EXPIRED):
        watch.reached(
            Plane.REAL if state is SentState.SHOWN else Plane.EXERCISE, 8 - (state is SentState.EXPIRED), state
        )
    assert watch.oldest_unread_there(at(2 * HALF)) is None
    assert watch.next_deadline() == 4 * HALF + 100
    watch.end("received", Plane.REAL, 2)
    assert watch.next_deadline() == 20 * HALF


def test_a_flood_of_the_peers_makes_nobody_forget_what_we_said(pair: Pair) -> None:
    """What was said first would never ring, for what came after it (docs/protocol.md 20.7)."""
    watch, now = pair.alpha.endpoint.objectives, pair.alpha.now()
    out = pair.alpha.endpoint.context.out = Output()
    pair.alpha.lies = True
    watch.begin("sent", Plane.REAL, 1, FLASH, now)
    for serial in range(1, WATCHED_MAX + 2):
        watch.begin("received", Plane.REAL, serial, FLASH, now)
    gone = [change.match for change in out.changes if isinstance(change, Delete)]
    assert gone == [{"way": "received", "plane": "real", "serial": 1}]
    assert watch.oldest_unread_there(now) == (1, 0)


def test_what_was_read_in_a_flood_is_kept_in_no_memory(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that talks without end would fill it for half the objective of what is read long since (docs/protocol.md
    4.7): its envelopes come by thousands a second."""
    monkeypatch.setattr("hotline.protocol.objectives._AGENDA_MAX", 40)
    watch, now = pair.alpha.endpoint.objectives, pair.alpha.now()
    pair.alpha.endpoint.context.out = Output()
    pair.alpha.lies = True
    watch.begin("received", Plane.REAL, 1, FLASH, now)
    for serial in range(2, 500):
        watch.begin("received", Plane.REAL, serial, FLASH, now)
        watch.end("received", Plane.REAL, serial)
    assert len(watch._agenda) <= 40
    assert watch.next_deadline() is not None, "the one that nobody has read still rings"


def test_what_the_charter_in_force_gives_no_time_is_not_watched_after_a_restart(pair: Pair) -> None:
    """It would ring without end, or at once (docs/protocol.md 20.7)."""
    pair.alpha.submit("now", FLASH)
    pair.run(1_000)
    pair.bravo.prepare(objective_ms={ROUTINE: 40 * HALF})
    pair.bravo.restart()
    pair.run(4 * HALF)
    assert rung(pair.bravo) == []
    assert pair.bravo.endpoint.objectives.next_deadline() is None
