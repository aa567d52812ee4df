"""Single clauses of docs/protocol.md, each at its edge: what one wrong sign or word in the code would break."""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict

import pytest

from hotline.civil import date_time_group
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.note import Ed25519Signer, parse_note
from hotline.ledger.policy import parse_policy
from hotline.limits import REFUSALS_RECORDED_PER_MINUTE, ROUNDS_KEPT, SERIAL_MAX, WITNESS_INTERVAL
from hotline.machine import Instant, LinkClosed, Output, Plane, RequestId
from hotline.protocol import lately
from hotline.protocol.events import Closing, Cosigned, SendTest
from hotline.protocol.paths import PathState
from hotline.protocol.statements import (
    CHECKPOINT_MAX,
    PROOF_HASHES_MAX,
    decode_heartbeat,
    decode_receipt,
    decode_statement,
)
from hotline.protocol.status import status
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR, FLAG_TRANSIENT, decode_header
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2, frame_pb2
from tests.hotline.protocol.pair import WALL, Memory, Pair, durable, losing

MINUTE = 60_000


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def envelopes(pair: Pair, name: str) -> list[bytes]:
    """What this party has sent over relay-1."""
    return [envelope for sender, relay, envelope in pair.sent if (sender, relay) == (name, "relay-1")]


# --- statements ------------------------------------------------------------------------------------------------------


def test_a_statement_bears_the_moment_it_was_accepted(pair: Pair) -> None:
    """Both capitals would file it under another date-time group than it was said (docs/protocol.md 8.1)."""
    pair.alpha.submit("x")
    pair.run(500)
    (row,) = pair.bravo.memory.rows("received")
    said = content_pb2.Statement.FromString(row["content"])  # type: ignore[arg-type]
    assert said.composed_ms == WALL + pair.time - 500
    assert said.date_time_group == date_time_group(said.composed_ms)
    recorded = [r.fields["dtg"] for r in (*pair.alpha.records, *pair.bravo.records) if "dtg" in r.fields]
    assert recorded == [said.date_time_group] * 2


def test_the_void_of_a_text_must_be_opened_like_any_other(pair: Pair) -> None:
    """A statement that expired would be passed over as if it had been a channel test (docs/protocol.md 8.4 and 8.5)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x", valid_for_ms=1_000)
    pair.run(2_000)
    pair.weather = lambda sender, relay, envelope: [envelope]
    pair.run(20_000)
    (shown,) = [told.fields for told in pair.bravo.told if told.kind == "received"]
    assert (shown["void"], shown["test"]) == (1, 0)
    assert list(pair.bravo.endpoint.context.unread[Plane.REAL]) == [1]
    (row,) = pair.bravo.memory.rows("received")
    assert content_pb2.Statement.FromString(row["content"]).kind == content_pb2.STATEMENT_KIND_VOID  # type: ignore[arg-type]


def test_a_void_that_clashes_is_not_given_a_new_serial(pair: Pair) -> None:
    """After a loss of state the officer would be told that something empty was renumbered (docs/protocol.md 12.6)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x", valid_for_ms=1_000)
    pair.run(2_000)
    assert pair.alpha.states(1)[-1] == "expired"
    session = pair.bravo.endpoint.context.session
    word = content_pb2.Receipt(
        stage=content_pb2.STAGE_CONFLICT,
        item=[content_pb2.ReceiptItem(serial=1, statement=b"other".ljust(32, b"\0"))],
        received_through=1,
    )
    inner = session.sign(ContentType.RECEIPT, Plane.REAL, encode(word))
    pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    assert "msg.renumbered" not in pair.alpha.kinds()
    assert pair.alpha.submit("y").fields["serial"] == 2


def test_a_higher_precedence_that_was_shown_early_is_not_shown_again_after_a_restart(pair: Pair) -> None:
    """An order would be carried out twice (docs/protocol.md 1.1 and 12.5)."""
    lost = list[bytes]()

    def first_is_held_back(sender: object, relay: str, envelope: bytes) -> list[bytes]:
        if durable(envelope) and not lost:
            lost.append(envelope)
        return [] if envelope in lost else [envelope]

    pair.weather = first_is_held_back
    pair.alpha.submit("first")
    pair.alpha.submit("second", content_pb2.PRECEDENCE_FLASH)
    pair.run(100)
    assert pair.bravo.shown() == [2]
    pair.bravo.restart()
    pair.weather = lambda sender, relay, envelope: [envelope]
    pair.run(20_000)
    assert pair.bravo.shown() == [2, 1]


# --- receipts --------------------------------------------------------------------------------------------------------


def test_a_read_receipt_is_durable_and_repeated_ever_more_rarely(pair: Pair) -> None:
    """No relay would hold it for a peer that is away, or it would fill a narrow line (docs/protocol.md 9.4, 9.5)."""
    pair.alpha.submit("x")
    pair.run(1_000)
    pair.sent.clear()
    times = list[int]()

    def lost(sender: object, relay: str, envelope: bytes) -> list[bytes]:
        is_read = sender is pair.bravo and durable(envelope)
        times.extend([pair.time] if is_read and relay == "relay-1" else [])
        return [] if is_read else [envelope]

    pair.weather = lost
    pair.bravo.read(1)
    assert not decode_header(envelopes(pair, "BRAVO")[0]).transient
    pair.run(60_000)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 3
    assert gaps[0] < gaps[-1]
    assert gaps == sorted(gaps)
    assert pair.alpha.states(1)[-1] == "delivered"


def test_an_older_tests_receipt_says_nothing_of_the_newest() -> None:
    """`status` would call a test delivered that is still under way (docs/protocol.md 10.8)."""
    pair = Pair(channel_test_ms=600_000).open()
    tests = pair.alpha.endpoint.tests
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    for _ in range(2):
        tests._send(tests._statement(), pair.alpha.now())
        pair.alpha.memory.apply(pair.alpha.endpoint.context.out)
    pair.alpha.lies = True
    row = next(row for row in pair.alpha.memory.rows("sent") if row["serial"] == 1)
    session = pair.bravo.endpoint.context.session
    word = content_pb2.Receipt(
        stage=content_pb2.STAGE_DELIVERED,
        item=[content_pb2.ReceiptItem(serial=1, statement=row["hash"])],  # type: ignore[arg-type]
    )
    inner = session.sign(ContentType.RECEIPT, Plane.REAL, encode(word))
    pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    assert pair.alpha.states(1)[-1] == "delivered"
    assert tests.outcome() == "queued"


def test_the_alarm_of_a_test_without_receipt_comes_with_the_grace() -> None:
    """A dead line would be told too late, or a slow one as dead (docs/protocol.md 10.8)."""
    interval = 60_000
    pair = Pair(channel_test_ms=interval).open()
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    while not pair.alpha.memory.rows("channel_test"):
        pair.run(1_000)
    begun = int(str(pair.alpha.memory.rows("channel_test")[0]["at"])) - WALL
    pair.run(begun + interval // 4 - 1 - pair.time)
    assert "test-undelivered" not in pair.alpha.alarms()
    pair.run(1)
    (alarm,) = [r.fields for r in pair.alpha.records if r.kind == "alarm" and r.fields["name"] == "test-undelivered"]
    assert alarm["missed"] == 1


# --- paths -----------------------------------------------------------------------------------------------------------


def test_a_narrow_path_carries_everything_while_no_wide_one_is_up() -> None:
    """A statement would wait although a line is there (docs/protocol.md 11.2)."""
    pair = Pair(profiles=("fibre", "narrow")).open(60_000)
    pair.weather = losing(lambda sender, relay, envelope: relay == "relay-1")
    pair.run(60_000)
    assert pair.alpha.endpoint.context.paths["relay-1"].state is not PathState.UP
    pair.sent.clear()
    pair.alpha.submit("x")
    assert {relay for sender, relay, envelope in pair.sent if durable(envelope)} == {"relay-1", "relay-2"}


def test_refusals_are_counted_by_whole_minutes(pair: Pair) -> None:
    """Nobody could tell from the record how much noise there was (docs/protocol.md 15.1)."""
    pair.time += MINUTE - pair.time % MINUTE
    for _ in range(REFUSALS_RECORDED_PER_MINUTE):
        pair.alpha.hear("relay-1", b"\xff")
    pair.time += MINUTE - 1
    assert [record.kind for record in pair.alpha.hear("relay-1", b"\xff").records] == []
    pair.time += 1
    kinds = [record.kind for record in pair.alpha.hear("relay-1", b"\xff").records]
    assert kinds == ["refused.more", "refused"]


def test_prekeys_ride_until_they_are_held_and_no_longer(pair: Pair) -> None:
    """Every heartbeat would cost seven times its size (docs/protocol.md 10.1 and 10.4)."""
    pair.run(10_000)
    pair.sent.clear()
    pair.run(4_000)
    assert len(envelopes(pair, "ALPHA")) >= 6
    assert max(len(envelope) for envelope in envelopes(pair, "ALPHA")) < 1_216


def test_a_peer_that_lost_everything_is_given_the_prekey_again(pair: Pair) -> None:
    """Two terminals would never speak again after one was installed anew (docs/protocol.md 7.7 and 10.4)."""
    pair.run(10_000)
    pair.sent.clear()
    pair.bravo.restart(Memory())
    pair.run(3_000)
    assert any(len(envelope) > 1_216 for envelope in envelopes(pair, "ALPHA"))
    pair.bravo.submit("I am back.")
    pair.run(3_000)
    assert pair.bravo.states(1)[-1] == "delivered"


def test_what_waited_at_a_relay_opens_after_a_restart_without_a_question(pair: Pair) -> None:
    """Everything that waited would be sent twice (docs/protocol.md 7.6)."""
    pair.run(3_000)
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x")
    waiting = next(envelope for sender, _, envelope in pair.sent if sender == "ALPHA" and durable(envelope))
    pair.bravo.restart()
    before = len(pair.bravo.records)
    pair.bravo.hear("relay-1", envelope_frame(waiting))
    kinds = [record.kind for record in pair.bravo.records[before:]]
    assert "msg.recv" in kinds
    assert "key.request.sent" not in kinds


def test_each_epoch_that_we_begin_is_recorded(pair: Pair) -> None:
    """An auditor could not tell which keys sealed what (docs/protocol.md 1.6 and 7.3)."""
    pair.alpha.submit("x", plane=Plane.EXERCISE)
    begun = [record.fields["plane"] for record in pair.alpha.records if record.kind == "key.epoch.begun"]
    assert begun == ["real", "exercise"]


def test_a_key_request_has_number_zero_and_a_random_epoch(pair: Pair) -> None:
    """Another implementation would refuse it (docs/protocol.md 7.7)."""
    requests = [envelope for _, _, envelope in pair.sent if envelope[1] & FLAG_CLEAR]
    headers = {decode_header(envelope) for envelope in requests}
    assert {(header.flags, header.number) for header in headers} == {(FLAG_CLEAR | FLAG_TRANSIENT, 0)}
    assert len({header.epoch for header in headers}) == len({bytes(envelope) for envelope in requests})


# --- bounds ----------------------------------------------------------------------------------------------------------


def statement(**fields: object) -> bytes:
    plain = {
        "serial": 1, "precedence": 1, "kind": 1, "direction": 1, "language": "en", "from_party": "ALPHA",
        "to_party": "BRAVO", "text": "x", "body_salt": bytes(32),
    }  # fmt: skip
    return encode(content_pb2.Statement(**(plain | fields)))  # type: ignore[arg-type]


def receipt(**fields: object) -> bytes:
    item = content_pb2.ReceiptItem(serial=1, statement=bytes(32))
    return encode(content_pb2.Receipt(**({"stage": 1, "item": [item]} | fields)))  # type: ignore[arg-type]


def heartbeat(**log: object) -> bytes:
    exchange = content_pb2.LogExchange(**log)  # type: ignore[arg-type]
    return encode(content_pb2.Heartbeat(beat=1, presence=content_pb2.PRESENCE_ALIVE, log=exchange))


@pytest.mark.parametrize(
    ("decode", "lawful", "beyond"),
    [
        (
            decode_statement,
            statement(checkpoint=bytes(CHECKPOINT_MAX)),
            statement(checkpoint=bytes(CHECKPOINT_MAX + 1)),
        ),
        (decode_receipt, receipt(checkpoint=bytes(CHECKPOINT_MAX)), receipt(checkpoint=bytes(CHECKPOINT_MAX + 1))),
        (decode_receipt, receipt(stage=3), receipt(stage=3, checkpoint=b"x")),
        (decode_receipt, receipt(received_through=SERIAL_MAX), receipt(received_through=SERIAL_MAX + 1)),
        (
            decode_heartbeat,
            heartbeat(checkpoint=bytes(CHECKPOINT_MAX)),
            heartbeat(checkpoint=bytes(CHECKPOINT_MAX + 1)),
        ),
        (decode_heartbeat, heartbeat(seen=bytes(CHECKPOINT_MAX)), heartbeat(seen=bytes(CHECKPOINT_MAX + 1))),
        (decode_heartbeat, heartbeat(linked=SERIAL_MAX), heartbeat(linked=SERIAL_MAX + 1)),
        (decode_heartbeat, heartbeat(proof_from=SERIAL_MAX), heartbeat(proof_from=SERIAL_MAX + 1)),
        (
            decode_heartbeat,
            heartbeat(proof=[bytes(32)] * PROOF_HASHES_MAX),
            heartbeat(proof=[bytes(32)] * (PROOF_HASHES_MAX + 1)),
        ),
        (decode_heartbeat, heartbeat(claimed_proof=[bytes(32)]), heartbeat(claimed_proof=[bytes(31)])),
    ],
)
def test_what_is_said_of_ledgers_is_bounded(decode: object, lawful: bytes, beyond: bytes) -> None:
    """Evidence would not fit into one entry, or a proof cost more than any honest one (docs/protocol.md 4.3)."""
    decode(lawful)  # type: ignore[operator]
    with pytest.raises(Malformed):
        decode(beyond)  # type: ignore[operator]


# --- ledgers ---------------------------------------------------------------------------------------------------------


def say_log(pair: Pair, log: content_pb2.LogExchange) -> None:
    """BRAVO's next fresh beat brings this exchange."""
    path = pair.alpha.endpoint.context.paths["relay-1"]
    beat = content_pb2.Heartbeat(beat=1, path=1, echo=path._beat, presence=content_pb2.PRESENCE_ALIVE, log=log)
    session = pair.bravo.endpoint.context.session
    inner = session.sign(ContentType.HEARTBEAT, Plane.REAL, encode(beat))
    pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=True)))


def test_a_proof_to_a_head_that_nobody_showed_is_passed_over(pair: Pair) -> None:
    """A peer could stop the daemon with a number (docs/protocol.md 13.6)."""
    pair.run(20_000)
    linked = pair.alpha.endpoint.peer_log.linked
    say_log(pair, content_pb2.LogExchange(claimed_proof=[bytes(32)], claimed_from=1, claimed_to=SERIAL_MAX))
    assert pair.alpha.endpoint.peer_log.linked is linked
    assert "peer-fork" not in pair.alpha.alarms()


def test_a_head_of_a_left_log_stops_nobody_after_a_restart(pair: Pair) -> None:
    """A peer that shows an old head would end the daemon (docs/protocol.md 3.3 and 13.6)."""
    pair.run(20_000)
    pair.weather = losing(lambda sender, relay, envelope: True)
    for epoch in (2, 1):
        origin = f"{pair.bravo.log.base}/{epoch}"
        note = sign_checkpoint(Checkpoint(origin, 300, b"r" * 32), Ed25519Signer(origin, pair.bravo.ledger_key))
        say_log(pair, content_pb2.LogExchange(checkpoint=note))
        assert pair.alpha.endpoint.peer_log.linked is not None
        assert pair.alpha.endpoint.peer_log.linked.epoch == 2
        pair.alpha.restart()
        pair.run(100)
    assert "peer-log" in pair.alpha.alarms()


def test_a_receipt_brings_the_peers_head(pair: Pair) -> None:
    """What the peer held when it acknowledged could be denied later (docs/protocol.md 13.6)."""
    pair.run(30_000)
    before = pair.alpha.endpoint.peer_log.seen
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and not durable(envelope))
    for _ in range(2):  # the second receipt carries a head that holds the first statement
        pair.alpha.submit("x")
        pair.run(1_000)
    after = pair.alpha.endpoint.peer_log.seen
    assert before is not None
    assert after is not None
    assert after.size > before.size


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_tells_how_long_a_path_has_been_as_it_is(pair: Pair) -> None:
    """An officer would take a line that has just come back for a steady one."""
    pair.run(7_000)
    (since,) = {path["for_ms"] for path in status(pair.alpha.endpoint, pair.alpha.now())["paths"]}
    assert isinstance(since, int)
    assert 7_000 <= since <= 10_000
    pair.alpha.step(LinkClosed("relay-1", "cut"))
    pair.time += 2_500
    found = {path["name"]: path["for_ms"] for path in status(pair.alpha.endpoint, pair.alpha.now())["paths"]}
    assert found["relay-1"] == 2_500
    heard = {path["heard_ms_ago"] for path in status(pair.alpha.endpoint, pair.alpha.now())["paths"]}
    assert max(heard) <= 2_500 + 1_000, "a beat came in each second before the cut"


def test_status_lists_a_gap_while_it_is_there(pair: Pair) -> None:
    """A withheld statement would be told once and then forgotten (docs/protocol.md 10.6)."""
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
    pair.alpha.submit("x")
    pair.run(3_000)
    names = [alarm["name"] for alarm in status(pair.bravo.endpoint, pair.bravo.now())["alarms"]]
    assert "gap" in names
    pair.weather = lambda sender, relay, envelope: [envelope]
    pair.run(20_000)
    names = [alarm["name"] for alarm in status(pair.bravo.endpoint, pair.bravo.now())["alarms"]]
    assert "gap" not in names


def test_frames_are_what_they_say(pair: Pair) -> None:
    """Everything above would look at other bytes than were sent."""
    assert decode_frame(envelope_frame(envelopes(pair, "ALPHA")[0])).envelope == envelopes(pair, "ALPHA")[0]


def alarms_of(pair: Pair) -> set[str]:
    """What `status` at ALPHA lists."""
    return {alarm["name"] for alarm in status(pair.alpha.endpoint, pair.alpha.now())["alarms"]}


def test_status_lists_the_alarms_that_stand() -> None:
    """Who comes to the desk later would not learn what was told before (docs/protocol.md 11.3)."""
    pair = Pair().open()
    assert alarms_of(pair) == set()
    pair.cut("relay-1")
    assert alarms_of(pair) == {"single-path"}
    pair.cut("relay-2")
    assert alarms_of(pair) == {"no-path"}
    pair.join()
    pair.run(3_000)
    assert alarms_of(pair) == set()
    pair.bravo.offset += 3_600_000
    pair.run(2_000)
    assert alarms_of(pair) == {"clock"}


def test_a_hotline_of_one_relay_is_not_alarmed_for_it() -> None:
    """An alarm that stands for ever is looked at by nobody (docs/protocol.md 11.3)."""
    pair = Pair(relays=1).open()
    assert alarms_of(pair) == set()


def test_status_tells_of_keys_and_ledgers(pair: Pair) -> None:
    """An officer could not read out to the other side what both should see."""
    pair.run(20_000)
    said = status(pair.alpha.endpoint, pair.alpha.now())
    linked, newest = pair.alpha.endpoint.peer_log.linked, pair.alpha.endpoint.context.prekeys.newest
    assert linked is not None
    assert newest is not None
    assert (said["ledger"]["peer_log_epoch"], said["ledger"]["peer_size"]) == (1, linked.size)
    assert said["keys"]["prekey_generation"] == newest.generation
    assert {path["name"]: path["state"] for path in said["paths"]} == {"relay-1": "up", "relay-2": "up"}


def test_the_summary_of_heartbeats_counts_each_once() -> None:
    """A record of a silent line would look like one of a living line, or the other way round."""
    pair = Pair().open(5_000)
    pair.alpha.step(Closing())
    (summary,) = [record for record in pair.alpha.records if record.kind == "hb.summary"]
    counts = dict(part.split("=") for part in str(summary.fields["beats"]).split())
    assert set(counts) == {"relay-1", "relay-2"}
    for relay, count in counts.items():
        sent, heard = map(int, count.split("/"))
        said = [who for who, where, envelope in pair.sent if where == relay and not envelope[1] & FLAG_CLEAR]
        asked = len([1 for who, where, envelope in pair.sent if (who, where) == ("ALPHA", relay)]) - said.count("ALPHA")
        assert said.count("ALPHA") <= sent <= said.count("ALPHA") + asked
        assert said.count("BRAVO") - 3 <= heard <= said.count("BRAVO")


def test_an_envelope_for_another_terminal_is_refused(pair: Pair) -> None:
    """Our own words, sent back by a relay, would be taken for the peer's (docs/protocol.md 6.1)."""
    pair.alpha.submit("x")
    own = next(envelope for sender, _, envelope in pair.sent if sender == "ALPHA" and durable(envelope))
    pair.alpha.hear("relay-1", envelope_frame(own))
    other = bytearray(own)
    other[2:6] = bytes((0, 1, 0, 3))
    pair.alpha.hear("relay-1", envelope_frame(bytes(other)))
    assert pair.alpha.refusals() == ["address", "address"]


def test_an_old_round_is_forgotten(pair: Pair) -> None:
    """Every head that was ever given to witnesses would stay in memory (docs/protocol.md 13.7)."""
    own = pair.alpha.endpoint.own_log
    for _ in range(ROUNDS_KEPT + 4):
        pair.alpha.submit("x")
        assert own._begin_round()
    assert len(own._rounds) == ROUNDS_KEPT
    assert own.round_head() == next(reversed(own._rounds.values())).head


def test_a_log_is_vouched_for_once(pair: Pair) -> None:
    """Every answer of the peer would be an entry (docs/protocol.md 13.5)."""
    pair.run(15_000)
    assert pair.alpha.kinds().count("log.vouched") == 1


def test_alarms_of_paths_say_how_many_are_left(pair: Pair) -> None:
    """An auditor could not tell a cut line from a thin one (docs/protocol.md 11.3)."""
    pair.cut("relay-1")
    pair.cut("relay-2")
    found = [(r.fields["name"], r.fields["up"]) for r in pair.alpha.records if r.kind == "alarm" and "up" in r.fields]
    assert found == [("single-path", 1), ("no-path", 0)]


def test_a_peer_that_has_lost_state_is_told_once_a_second(pair: Pair) -> None:
    """Each beat of a restored peer would be answered on every path (docs/protocol.md 10.5)."""
    pair.alpha.submit("x")
    pair.run(500)
    receiving, now = pair.bravo.endpoint._receiving, pair.bravo.now()
    told = []
    for later in (0, 1, 999, 1_000, 1_001, 2_000):
        out = pair.bravo.endpoint.context.out = Output()
        receiving.doubt(pair.bravo.endpoint.context, Plane.REAL, 0, Instant(now.mono + later, now.wall))
        told.append(bool(out.transmit))
    assert told == [True, False, False, True, False, True]


# --- repetition, gaps, restarts --------------------------------------------------------------------------------------


def test_a_statement_is_repeated_at_the_times_of_its_profile(pair: Pair) -> None:
    """A lost statement would wait, or a narrow line be filled with repeats (docs/protocol.md 12.3)."""
    times = list[int]()

    def lost(sender: object, relay: str, envelope: bytes) -> list[bytes]:
        gone = sender is pair.alpha and durable(envelope)
        times.extend([pair.time] if gone and relay == "relay-1" else [])
        return [] if gone else [envelope]

    pair.weather = lost
    pair.alpha.submit("x")
    pair.run(60_000)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    profile = pair.paths[0].profile
    assert gaps[:2] == [profile.retransmit_ms, 2 * profile.retransmit_ms]
    assert max(gaps) == profile.retransmit_max_ms
    assert pair.alpha.states(1) == []


def test_a_receipt_of_custody_is_looked_at_only_while_something_waits(pair: Pair) -> None:
    """Relays could make a terminal verify signatures for nothing as long as they like (docs/protocol.md 5.19)."""
    broken = encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=b"\xff")))
    pair.alpha.hear("relay-1", broken)
    assert pair.alpha.refusals() == []
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x")
    (item,) = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending.values()
    pair.alpha.hear("relay-1", broken, pair.custody_frame("relay-1", 1, [item.name], SigningKey(bytes(32))))
    assert pair.alpha.refusals() == ["unreadable", "signature"]


def test_a_statement_is_sealed_anew_after_three_attempts(pair: Pair) -> None:
    """What a peer cannot open would be sent in the same bytes for ever (docs/protocol.md 12.3)."""
    sent = list[bytes]()

    def lost(sender: object, relay: str, envelope: bytes) -> list[bytes]:
        gone = sender is pair.alpha and durable(envelope)
        sent.extend([envelope] if gone and relay == "relay-1" else [])
        return [] if gone else [envelope]

    pair.weather = lost
    pair.alpha.submit("x")
    pair.run(60_000)
    assert [len(list(same)) for _, same in itertools.groupby(sent)][:2] == [3, 1]


def test_each_gap_is_reported_and_each_closes(pair: Pair) -> None:
    """The second withheld statement would not be noticed (docs/protocol.md 10.6)."""
    for number in (1, 2):
        pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
        pair.alpha.submit("x")
        pair.run(3_000)
        assert pair.bravo.alarms().count("gap") == number
        pair.weather = lambda sender, relay, envelope: [envelope]
        pair.run(20_000)
        assert [told.kind for told in pair.bravo.told].count("gap-closed") == number
        assert pair.bravo.shown() == list(range(1, number + 1))


def test_a_log_whose_quarter_ended_while_the_terminal_was_off_is_closed_at_the_start() -> None:
    """The log of one quarter would go on into the next, under the same key (docs/protocol.md 13.5)."""
    pair = Pair().open()
    pair.run(3 * WITNESS_INTERVAL)
    assert pair.alpha.endpoint.own_log.known_to(pair.bravo.log.base).linked > 0
    for party in (pair.alpha, pair.bravo):
        party.offset += 95 * 86_400_000
        party.restart()
    pair.run(2 * WITNESS_INTERVAL)
    openings = [record.fields["reason"] for record in pair.alpha.records if record.kind == "log.open"]
    assert openings == ["calendar"]
    assert pair.alpha.memory.log.epoch == 2
    assert pair.alpha.endpoint.own_log.known_to(pair.bravo.log.base).linked <= len(pair.alpha.memory.log.current.leaves)


def test_what_opened_an_old_epoch_may_be_gone_after_a_restart(pair: Pair) -> None:
    """A daemon would not start again, or end with the first old envelope (docs/protocol.md 7.8)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x")
    waiting = next(envelope for sender, _, envelope in pair.sent if sender == "ALPHA" and durable(envelope))
    pair.bravo.memory.tables["prekey"].clear()
    pair.bravo.restart()
    pair.bravo.hear("relay-1", envelope_frame(waiting))
    assert pair.bravo.refusals()[-1] in {"unknown-epoch", "unknown-prekey"}


def test_a_prekey_that_is_held_is_not_taken_again(pair: Pair) -> None:
    """Every beat with an announcement would cost a write (docs/protocol.md 7.2)."""
    newest = pair.bravo.endpoint.context.prekeys.newest
    assert newest is not None
    assert pair.alpha.endpoint.context.session.offer_prekey(newest.signed, fresh=True) == []


def test_what_was_told_lately_is_bounded() -> None:
    """A year of receipts would stay in memory."""
    kept: OrderedDict[int, None] = OrderedDict()
    for number in range(lately.REMEMBERED + 10):
        lately.remember(kept, number, None)
    assert len(kept) == lately.REMEMBERED
    assert next(iter(kept)) == 10
    for number in (10, -1):
        lately.remember(kept, number, None)
    assert 10 in kept, "what the commit under way says anew is not yet in history"


@pytest.mark.parametrize(("quorum", "counts"), [("w", True), ("none", False)])
def test_a_quorum_is_what_the_policy_asks_for(quorum: str, counts: bool) -> None:
    """`status` would call a ledger witnessed that is not, or never one that is (docs/protocol.md 13.7)."""
    cosigner = Ed25519Cosigner("witness.example/w", SigningKey(b"w" * 32))
    policy = parse_policy(f"witness w {cosigner.verifier.vkey()}\nquorum {quorum}\n".encode())
    pair = Pair(policy=policy).open()
    pair.run(WITNESS_INTERVAL)
    told = next(told for told in reversed(pair.alpha.told) if told.kind == "checkpoint")
    note, size = told.fields["note"], told.fields["size"]
    assert isinstance(note, bytes)
    line = cosigner.cosign(parse_note(note).text, 1_795_000_000).line()
    pair.alpha.step(Cosigned(note, f"{line}\n".encode()))
    assert pair.alpha.endpoint.own_log.witnessed == (size if counts else 0)
    (row,) = [row for row in pair.alpha.memory.rows("cosignature") if row["name"] == "w"]
    assert (row["size"], row["line"]) == (size, line)


def test_what_was_tested_last_is_known_after_a_restart() -> None:
    """A test would be sent again, or called one that was never sent (docs/protocol.md 10.7)."""
    pair = Pair(channel_test_ms=600_000).open()
    pair.alpha.step(SendTest(RequestId(1), "watch"))
    pair.alpha.restart()
    assert pair.alpha.endpoint.tests.kept.sent == 1
    pair.run(2_000)
    assert pair.alpha.endpoint.tests.outcome() == "delivered"
    pair.bravo.restart()
    assert (pair.bravo.endpoint.tests.kept.received, pair.bravo.endpoint.tests.kept.sent) == (1, 0)


def test_after_a_silence_what_waits_is_repeated_as_if_it_were_new(pair: Pair) -> None:
    """A statement would wait ten seconds although the line is back (docs/protocol.md 12.3)."""
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.submit("x")
    pair.run(60_000)
    times = list[int]()

    def lost(sender: object, relay: str, envelope: bytes) -> list[bytes]:
        gone = sender is pair.alpha and durable(envelope)
        times.extend([pair.time] if gone and relay == "relay-1" else [])
        return [] if gone else [envelope]

    pair.weather = lost
    pair.run(20_000)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    profile = pair.paths[0].profile
    assert gaps[:2] == [2 * profile.retransmit_ms, 4 * profile.retransmit_ms]


# --- a quiet line ----------------------------------------------------------------------------------------------------


def test_a_quiet_line_records_nothing_and_keeps_its_rhythm(pair: Pair) -> None:
    """A year of silence would fill the disk, or a narrow line, with nothing (docs/protocol.md 1.6 and 10.1)."""
    pair.run(12_000)
    before = len(pair.alpha.records)
    pair.sent.clear()
    tables = list[str]()
    plain = pair.alpha.memory.apply

    def apply(output: Output) -> None:
        tables.extend(change.table for change in output.changes)
        plain(output)

    pair.alpha.memory.apply = apply  # type: ignore[method-assign]
    pair.run(20_000)
    kinds = [record.kind for record in pair.alpha.records[before:]]
    assert kinds in ([], ["hb.summary"]), "one a minute"
    assert set(tables) <= {"peer_head", "cosignature"}
    assert tables.count("peer_head") <= 2
    beats = len(envelopes(pair, "ALPHA"))
    assert 40 <= beats <= 46, "one in half a second, and a few at once with what is said of the ledgers"


def test_a_serial_that_the_peer_knows_is_not_given_out_after_a_restart_either(pair: Pair) -> None:
    """Two texts would bear one serial (docs/protocol.md 10.5)."""
    backup = pair.alpha.memory.copy()
    pair.alpha.submit("one")
    pair.run(1_000)
    pair.alpha.restart(backup)
    pair.run(3_000)
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial == 1
    pair.alpha.restart()
    assert pair.alpha.submit("two").fields["serial"] == 2


def test_the_quarter_of_a_log_outlives_a_restart(pair: Pair) -> None:
    """A log would be closed at every start, or never (docs/protocol.md 13.5)."""
    quarter = pair.alpha.endpoint.own_log._quarter
    assert quarter
    pair.alpha.restart()
    assert pair.alpha.endpoint.own_log._quarter == quarter


def test_a_receipt_for_another_statement_acknowledges_nothing(pair: Pair) -> None:
    """A statement would be called delivered that the peer holds otherwise (docs/protocol.md 9.1)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x")
    session = pair.bravo.endpoint.context.session
    word = receipt(item=[content_pb2.ReceiptItem(serial=1, statement=b"other".ljust(32, b"\0"))])
    inner = session.sign(ContentType.RECEIPT, Plane.REAL, word)
    before = len(pair.alpha.records)
    pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    assert [record.kind for record in pair.alpha.records[before:]] == []
    assert list(pair.alpha.endpoint.context.outboxes[Plane.REAL].pending) == [1]
    assert pair.alpha.states(1) == []


def test_a_test_is_sent_in_every_slot_of_ones_own() -> None:
    """Every second test would be missing, and the peer be alarmed (docs/protocol.md 10.7)."""
    pair = Pair(channel_test_ms=20_000).open(1_000)
    pair.run(160_000)
    for party in (pair.alpha, pair.bravo):
        slots = [int(str(row["at"])) // 20_000 for row in party.memory.rows("channel_test") if row["way"] == "sent"]
        assert len(slots) == 4
        assert [later - earlier for earlier, later in itertools.pairwise(sorted(slots))] == [2, 2, 2]


def test_what_left_in_which_envelope_over_which_paths_is_recorded(pair: Pair) -> None:
    """Nobody could say later which bytes a relay was given (docs/protocol.md 1.6)."""
    pair.sent.clear()
    pair.alpha.submit("x")
    (envelope,) = {envelope for sender, _, envelope in pair.sent if durable(envelope)}
    (record,) = [record for record in pair.alpha.records if record.kind == "msg.sent"]
    assert record.fields["envelope"] == hashlib.sha256(envelope).hexdigest()
    assert (record.fields["paths"], record.fields["serial"]) == ("relay-1 relay-2", 1)


def test_what_is_due_wakes_a_terminal_that_hears_nobody() -> None:
    """With the lines cut nothing would ring at its time, for no heartbeat wakes it (docs/protocol.md 3.7 and 20.5)."""
    pair = Pair().open()
    alpha = pair.alpha
    pair.bravo.submit("Whose aircraft is it?")
    pair.run(500)
    assert alpha.read(1).ok
    pair.run(20_000)
    pair.cut()
    at = WALL + pair.time + MINUTE
    assert alpha.promise(1, at).ok
    due = pair.time + MINUTE
    assert alpha.endpoint.promises.next_deadline() == due
    pair.run(MINUTE - 1)
    assert "promise-overdue" not in alpha.alarms()
    pair.run(1)
    assert "promise-overdue" in alpha.alarms()
    assert alpha.endpoint.promises.next_deadline() is None


def test_refusals_are_recorded_up_to_their_number(pair: Pair) -> None:
    """A flood would fill the ledger, or one refusal too few be on record (docs/protocol.md 15.1)."""
    pair.time += MINUTE - pair.time % MINUTE
    for _ in range(REFUSALS_RECORDED_PER_MINUTE + 5):
        pair.alpha.hear("relay-1", b"\xff")
    assert len(pair.alpha.refusals()) == REFUSALS_RECORDED_PER_MINUTE
    pair.time += MINUTE
    pair.alpha.hear("relay-1", b"\xff")
    (more,) = [record.fields for record in pair.alpha.records if record.kind == "refused.more"]
    assert 5 in more.values()


def test_clocks_that_agree_leave_no_entry_and_clocks_that_differ_one(pair: Pair) -> None:
    """Every statement would be suspect, or none (docs/protocol.md 3.7)."""
    pair.alpha.submit("x")
    pair.run(500)
    assert "msg.clock" not in pair.bravo.kinds()
    pair.alpha.offset += MINUTE
    pair.alpha.submit("y")
    pair.run(500)
    (entry,) = [record.fields for record in pair.bravo.records if record.kind == "msg.clock"]
    assert (entry["serial"], int(str(entry["composed"])) - int(str(entry["here"]))) == (2, MINUTE - pair.latency)
