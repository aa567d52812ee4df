"""What a terminal keeps, says and rings for, at its bounds: one more, one less, one millisecond later."""

from __future__ import annotations

import dataclasses
import json

import pytest

from hotline.limits import (
    CHARTER_PATIENCE,
    CLOCK_SKEW_ALARM,
    EPOCHS_KEPT_MAX,
    KEY_ELSEWHERE_INTERVAL,
    KEY_ELSEWHERE_SHOWN,
    PARTIES_MAX,
    SERIAL_MAX,
    SERVICE_STUCK,
    STATUS_JSON_MAX,
    UNREAD_SHOWN_MAX,
)
from hotline.machine import Instant, Output, Plane, RequestId
from hotline.protocol import challenges, channeltests, events, lately, nonpapers
from hotline.protocol.context import EndpointSetup, PeerView
from hotline.protocol.events import SetPresence
from hotline.protocol.heads import SignedHead
from hotline.protocol.nonpapers import NonPapers
from hotline.protocol.objectives import Watched
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.ownlog import Acquaintance
from hotline.protocol.promises import RECEIVED, SENT, Promise
from hotline.protocol.receipts import Unnoted
from hotline.protocol.release import ReleasePolicy
from hotline.protocol.status import at_a_glance, status
from hotline.protocol.tables import TABLES, Table
from hotline.protocol.talk import Talk
from hotline.wire.envelope import FLAG_TRANSIENT, Header
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import FLASH, ROUTINE, Memory, Pair, Party, clear, durable, losing

REAL = Plane.REAL


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def alarms_shown(party: Party, now: Instant | None = None) -> list[str]:
    return [alarm["name"] for alarm in status(party.endpoint, now or party.now())["alarms"]]


def test_a_status_has_room_for_itself_whatever_the_peer_has_said(pair: Pair) -> None:
    """A flooding peer would end `hotline status`, when it is needed most (docs/protocol.md 14.5)."""
    unread, now = pair.bravo.endpoint.context.unread, pair.bravo.now()
    first = range(SERIAL_MAX - 130_000, SERIAL_MAX - 130_000 + UNREAD_SHOWN_MAX)
    for plane in Plane:
        unread[plane] |= dict.fromkeys(range(SERIAL_MAX, SERIAL_MAX - 130_001, -1), bytes(32))
    picture, glance = status(pair.bravo.endpoint, now), at_a_glance("ALPHA", pair.bravo.endpoint, now)
    assert len(json.dumps(picture | {"parties": [glance] * PARTIES_MAX})) < STATUS_JSON_MAX // 8
    for plane in picture["planes"].values():
        assert (plane["unread"], plane["unread_more"]) == (list(first), 130_001 - UNREAD_SHOWN_MAX)
    assert (glance["unread_here"], glance["unread_more"]) == (list(first), 130_001 - UNREAD_SHOWN_MAX)
    unread[REAL] = dict.fromkeys(range(2, UNREAD_SHOWN_MAX + 2), bytes(32))
    picture = status(pair.bravo.endpoint, now)
    assert (picture["planes"]["real"]["unread"], picture["planes"]["real"]["unread_more"]) == (list(unread[REAL]), 0)


def test_a_receiver_that_lost_everything_is_offered_a_queue_at_a_time() -> None:
    """A whole record would wait in memory for a peer that was installed anew (docs/protocol.md 12.6)."""
    pair = Pair(outbox_max=3).open()
    for number in range(5):
        assert pair.alpha.submit(f"{number}").ok
        pair.run(300)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
    pair.bravo.restart(Memory())
    pending = pair.alpha.endpoint.context.outboxes[REAL].pending
    while not pending:
        pair.run(50)
    assert sorted(pending) == [1, 2, 3]
    pair.weather = clear
    pair.run(20_000)
    assert [pair.bravo.text(serial) for serial in range(1, 6)] == [f"{number}" for number in range(5)]


def test_the_newest_beat_is_told_from_one_that_comes_late(pair: Pair) -> None:
    """A word of before would be shown as one of now, or a new one be taken for old (docs/protocol.md 18.2)."""
    beats = pair.alpha.endpoint._first.beats

    def newest(epoch: int, number: int) -> bool:
        return beats._is_newest(Header(FLAG_TRANSIENT, 1, 2, bytes([epoch]) * 12, number))

    assert all(newest(epoch, 5) for epoch in range(1, EPOCHS_KEPT_MAX + 3))
    last = EPOCHS_KEPT_MAX + 2
    assert (newest(last, 5), newest(last, 4), newest(last, 6), newest(last, 5)) == (True, False, True, False)
    assert len(beats._epochs) == EPOCHS_KEPT_MAX
    assert not newest(3, 9), "of an epoch before the last one"
    assert newest(2, 1), "of one that is forgotten"


@pytest.mark.parametrize(("ahead", "rung"), [(CLOCK_SKEW_ALARM, 0), (CLOCK_SKEW_ALARM + 1, 1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_that_differs_by_more_is_an_alarm_until_it_agrees(ahead: int, rung: int, sign: int) -> None:
    """Two capitals would argue about written times, or be rung for a second (docs/protocol.md 3.7)."""
    pair = Pair()
    pair.bravo.offset = sign * ahead + pair.latency
    pair.open()
    assert pair.alpha.alarms().count("clock") == rung
    assert alarms_shown(pair.alpha) == ["clock"] * rung
    pair.bravo.offset = 0
    pair.run(2_000)
    assert pair.alpha.alarms().count("clock") == rung
    assert alarms_shown(pair.alpha) == []


def test_another_holder_of_our_key_is_an_alarm_once_in_a_while_and_stands_for_an_hour(pair: Pair) -> None:
    """A relay that lies could ring for ever, or a thief be forgotten at once (docs/protocol.md 11.3)."""
    beats, path = pair.alpha.endpoint._first.beats, pair.alpha.endpoint.context.paths["relay-1"]
    out = pair.alpha.endpoint.begin()
    pair.alpha.lies = True
    rung = []
    for mono in (0, 1, KEY_ELSEWHERE_INTERVAL - 1, KEY_ELSEWHERE_INTERVAL, 2 * KEY_ELSEWHERE_INTERVAL - 1):
        beats.replaced(path, Instant(mono, 0))
        rung.append(len(out.records))
    assert rung == [1, 1, 1, 2, 2]
    assert path.replaced_at == 2 * KEY_ELSEWHERE_INTERVAL - 1
    shown = path.replaced_at + KEY_ELSEWHERE_SHOWN
    wall = pair.alpha.now().wall
    assert "key-elsewhere" in alarms_shown(pair.alpha, Instant(shown - 1, wall))
    assert "key-elsewhere" not in alarms_shown(pair.alpha, Instant(shown, wall))


def test_envelopes_of_non_papers_are_remembered_up_to_their_number() -> None:
    """Custody of one would be kept as evidence, or memory grow for ever (docs/protocol.md 22.5)."""
    kept, most = NonPapers(bytes(32), bytes), nonpapers._ENVELOPES_REMEMBERED
    assert most == 65_536
    names = [number.to_bytes(4, "big") for number in range(most + 1)]
    for name in names:
        kept.sealed_in(name)
    assert not kept.any_of(names[:1])
    assert kept.any_of(names[1:2])
    assert len(kept._envelopes) == most


def test_heads_that_convict_are_told_in_turn_with_the_newest(pair: Pair) -> None:
    """A third party would see one of two ledgers for ever (docs/protocol.md 26.12)."""
    log = pair.alpha.endpoint.peer_log
    log.seen, log._pair, log._told = None, (), 0
    assert log.next_to_tell() == b""
    log.seen = SignedHead(1, 3, bytes(32), b"seen")
    assert {log.next_to_tell() for _ in range(3)} == {b"seen"}
    log._pair = (SignedHead(1, 2, bytes(32), b"one"), SignedHead(1, 2, b"x" * 32, b"other"))
    told = [log.next_to_tell() for _ in range(6)]
    assert sorted(told[:3]) == sorted(told[3:]) == [b"one", b"other", b"seen"]
    assert told[:3] == told[3:]


def test_a_promise_that_falls_due_at_once_rings_no_second_time(pair: Pair) -> None:
    """A peer could ring with each word, or a new promise pass unnoticed (docs/protocol.md 20.5)."""
    kept, now = pair.alpha.endpoint.promises, Instant(pair.time, pair.alpha.now().wall)
    pair.alpha.endpoint.begin()
    pair.alpha.lies = True

    def take(way: str, serial: int, until: int, offset: int = 0) -> None:
        kept.take(way, REAL, serial, content_pb2.Receipt(time_ms=now.wall, reply_by_ms=until), now, offset=offset)

    for later, overdue in ((0, True), (59_999, True), (60_000, False)):
        kept.open[RECEIVED, REAL, 1] = Promise(now.wall, now.mono, overdue=True)
        take(RECEIVED, 1, now.wall + later)
        promise = kept.open[RECEIVED, REAL, 1]
        assert (promise.until, promise.due_at, promise.overdue) == (now.wall + later, now.mono + later, overdue)
    take(RECEIVED, 2, now.wall - 5)
    assert (kept.open[RECEIVED, REAL, 2].due_at, kept.open[RECEIVED, REAL, 2].overdue) == (now.mono, False)
    take(SENT, 3, now.wall + 10_000, offset=7_000)
    take(RECEIVED, 3, now.wall + 10_000)
    assert kept.open[SENT, REAL, 3].due_at == now.mono + 3_000
    assert kept.open[RECEIVED, REAL, 3].due_at == now.mono + 10_000


def test_answers_that_were_said_lately_are_bounded(pair: Pair) -> None:
    """A year of answers would stay in memory (docs/protocol.md 20.4)."""
    kept = pair.alpha.endpoint.promises
    pair.alpha.lies = True
    said = content_pb2.Statement(serial=1, composed_ms=5)
    kept._ctx.standing.siblings = [2]  # one of them may bring what is answered
    for serial in range(1, lately.REMEMBERED + 2):
        said.in_reply_to.serial = serial
        kept._ctx.out = Output()
        kept.answered_by_us(REAL, said, pair.alpha.now())
    assert len(kept._lately) == lately.REMEMBERED == 4_096
    assert next(iter(kept._lately)) == (RECEIVED, REAL, 2, "answered")
    assert (kept.answered(REAL, 1), kept.answered(REAL, 2)) == (0, 1)


def test_what_is_said_of_a_peer_that_declines_stays_so(pair: Pair) -> None:
    """A refusal would be read as a fault of the line (docs/protocol.md 20.11)."""
    pair = Pair(objective_ms={FLASH: 4_000}).open()
    pair.bravo.step(SetPresence(RequestId(800), "watch", "declined", 0))
    pair.run(1_000)
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("now", FLASH)
    pair.run(3_000)
    told = status(pair.alpha.endpoint, pair.alpha.now())["peer"]["verdict"]
    assert told["word"] == "declined"
    assert told["text"].endswith("; #1 not delivered for 3 s all the same")
    pair.weather = clear
    pair.run(3_000)
    told = status(pair.alpha.endpoint, pair.alpha.now())["peer"]["verdict"]
    assert told["word"] == "declined"
    assert told["text"].endswith("; #1 delivered, unread for 6 s")


def test_rows_of_the_size_of_a_statement_lie_in_their_order_of_arrival() -> None:
    """Each new one would be written in the middle of a file of years (docs/protocol.md 13.3)."""
    heaps = {name for name, table in TABLES.items() if table.heap}
    assert heaps == {"sent", "received", "translation", "told", "handover"}
    assert all(set(table.key) <= set(table.columns) for table in TABLES.values())


def test_talk_waits_for_statements_as_long_as_they_move_and_a_minute_more(pair: Pair) -> None:
    """Nobody could say why nothing is acknowledged, or talk would fill a slow line (docs/protocol.md 25.3)."""
    ctx = pair.alpha.endpoint.context
    talk, real, exercise = Talk(ctx), ctx.outboxes[REAL], ctx.outboxes[Plane.EXERCISE]
    real.moved_at = exercise.moved_at = 0

    def waits(mono: int, plane: Plane = Plane.SERVICE) -> bool:
        return talk.yields(plane, 1_000, Instant(mono, 0))

    assert not waits(0)
    exercise.add(Pending(1, ROUTINE, b"", b"", bytes(32), 10**9))
    assert not waits(500, REAL)
    found = [waits(at) for at in (1_000, SERVICE_STUCK, 999 + SERVICE_STUCK, 1_000 + SERVICE_STUCK)]
    assert found == [True, True, True, False]
    real.moved_at = 30_000
    assert [waits(at) for at in (29_999 + SERVICE_STUCK, 30_000 + SERVICE_STUCK)] == [True, False]
    exercise.remove(1, 31_000)
    exercise.next_to_send(9, 9, 0)
    assert not waits(200_000)
    exercise.add(Pending(2, ROUTINE, b"", b"", bytes(32), 10**9))
    assert [waits(at) for at in (300_000, 299_999 + SERVICE_STUCK, 300_000 + SERVICE_STUCK)] == [True, True, False]


@pytest.mark.parametrize("known", ["sent", "received", "peer sent", "peer received", ""])
def test_beats_tell_of_talk_once_either_side_knows_of_any(pair: Pair, known: str) -> None:
    """The last piece of talk could be withheld for ever (docs/protocol.md 25.4)."""
    ctx, service = pair.alpha.endpoint.context, Plane.SERVICE
    pair.alpha.lies = True
    match known:
        case "sent":
            ctx.outboxes[service].last_serial = 7
        case "received":
            ctx.inboxes[service].through = 7
        case "peer sent":
            ctx.peer.sent_through[service] = 7
        case "peer received":
            ctx.peer.received_through[service] = 7
    for number, told in ((7, False), (8, True), (9, False)):
        beat = content_pb2.Heartbeat(beat=number, log_size=3, epoch_opened=5)
        pair.alpha.endpoint._first.beats._say_service(beat)
        said = (beat.service_sent, beat.service_received, beat.log_size, beat.epoch_opened)
        numbers = {"sent": (8, 1), "received": (1, 8)}.get(known, (1, 1))
        assert said == ((*numbers, 0, 0) if told and known else (0, 0, 3, 5))


def test_two_charters_differ_once_they_have_for_so_long(pair: Pair) -> None:
    """Each switch would ring, or a terminal that was set back never be told (docs/protocol.md 24.10)."""
    charters = pair.alpha.endpoint.charters
    assert not charters.differ(pair.alpha.now())
    charters._differ_since = 1_000
    assert not charters.differ(Instant(999 + CHARTER_PATIENCE, 0))
    assert charters.differ(Instant(1_000 + CHARTER_PATIENCE, 0))
    for number in range(64):
        assert charters._is_news("charter-conflict", bytes([number]))
        assert not charters._is_news("charter-conflict", bytes([number]))
    assert not charters._is_news("charter-conflict", b"one more")


def test_what_a_beat_leaves_out_of_the_ledger_is_not_forgotten(pair: Pair) -> None:
    """`status` would show a ledger of nothing, now and then (docs/protocol.md 10.2)."""
    peer = pair.alpha.endpoint.context.peer
    size = peer.log_size
    assert size > 0
    beat = content_pb2.Heartbeat(beat=4, presence=content_pb2.PRESENCE_ALIVE, time_ms=pair.alpha.now().wall)
    pair.alpha.endpoint.begin()
    pair.alpha.endpoint._first.beats._believe(beat, pair.alpha.now())
    assert peer.log_size == size
    beat.log_size = size + 9
    pair.alpha.endpoint._first.beats._believe(beat, pair.alpha.now())
    assert peer.log_size == size + 9


SOMETHING = {
    ("Kept", "slot"): -1,
    ("Pending", "state"): SentState.QUEUED,
    ("Unnoted", "stage"): content_pb2.STAGE_READ,
}
"""What stands for nothing where 0 or an empty text would say something."""


@pytest.mark.parametrize(
    "kind",
    [
        *(EndpointSetup, PeerView, Pending, channeltests.Kept, challenges.Kept, Watched, Unnoted, Promise, Table),
        *(Acquaintance, ReleasePolicy, events.Submit, events.Translate, events.AnswerChallenge, events.Started),
    ],
)
def test_what_nobody_has_said_is_nothing(kind: type) -> None:
    """A field that is left away would have an officer correct, retract or promise something (docs/protocol.md 3.5)."""
    for one in dataclasses.fields(kind):
        made = one.default_factory is not dataclasses.MISSING
        if not made and one.default is dataclasses.MISSING:
            continue
        value = one.default_factory() if made else one.default  # type: ignore[misc]
        if dataclasses.is_dataclass(value):
            assert value == type(value)(), one.name
        elif isinstance(value, dict):
            assert not any(value.values()), one.name
        else:
            assert value == SOMETHING[kind.__name__, one.name] if (kind.__name__, one.name) in SOMETHING else not value
