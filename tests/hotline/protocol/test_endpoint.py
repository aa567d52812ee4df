"""Two endpoints in conversation: the journey of a statement, what is refused at the door, paths, alarms, clocks."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from hotline.charter.profiles import PROFILES
from hotline.crypto.signing import SigningKey
from hotline.limits import (
    CLOCK_SKEW_ALARM,
    CLOCK_STEP_RECORD,
    OUTBOX_BYTES_MAX,
    TAKEN_DELAY,
    TAKEN_WAITING_MAX,
    TEXT_BYTES_MAX,
    TIME_MAX,
)
from hotline.machine import LinkClosed, LinkOpened, Output, Plane, RequestId, Tick
from hotline.protocol.events import Closing, Submit
from hotline.protocol.pace import START
from hotline.protocol.paths import PathState
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.v1 import content_pb2, frame_pb2

from .pair import FLASH, IMMEDIATE, ROUTINE, Pair, Party, durable, losing


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def up(party: Party) -> list[str]:
    return [name for name, path in party.endpoint.context.paths.items() if path.state is PathState.UP]


# --- the journey -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", list(Plane))
def test_a_statement_is_delivered_read_and_noted(pair: Pair, plane: Plane) -> None:
    """The hotline would not be one (docs/protocol.md 9.1 and 9.2)."""
    reply = pair.alpha.submit("Our ships leave at noon.", plane=plane)
    assert (reply.ok, reply.code, reply.fields["serial"]) == (True, "queued", 1)
    pair.run(100)
    assert pair.bravo.shown(plane) == [1]
    assert pair.bravo.text(1, plane) == "Our ships leave at noon."
    assert pair.alpha.states(1, plane) == ["delivered"]
    assert pair.bravo.read(1, plane, "chancellor").ok
    pair.run(100)
    assert pair.alpha.states(1, plane) == ["delivered", "read"]
    assert pair.bravo.memory.rows("unnoted") == []
    assert pair.alpha.memory.rows("outbox") == []
    other = next(each for each in Plane if each is not plane)
    assert pair.bravo.shown(other) == []
    pair.run(60_000)
    assert pair.alpha.states(1, plane) == ["delivered", "read"]
    assert pair.bravo.shown(plane) == [1]


def _taken(output: Output) -> list[str]:
    """The links on which an output says TAKEN."""
    frames = [(item.link, decode_frame(item.frame)) for item in output.transmit]
    return [link for link, frame in frames if frame.WhichOneof("body") == "taken"]


def _unheard(pair: Pair, sender: Party, count: int) -> list[bytes]:
    """Frames of relay-1 with durable envelopes of `sender` that are lost: statements of ALPHA, or BRAVO's receipts."""
    pair.weather = losing(lambda who, _, envelope: who is sender and durable(envelope))
    begun = len(pair.sent)
    for number in range(count):
        pair.alpha.submit(f"number {number}")
        pair.run(10)
    pair.weather = losing(lambda who, _, envelope: durable(envelope))
    found = [data for who, relay, data in pair.sent[begun:] if (who, relay) == (sender.name, "relay-1")]
    return [envelope_frame(data) for data in found if durable(data)][:count]


def test_taken_leaves_behind_a_receipt(pair: Pair) -> None:
    """A relay would store, and sign for, everything that its recipient has long had (docs/protocol.md 5.8)."""
    (statement,) = _unheard(pair, pair.alpha, 1)
    assert _taken(pair.bravo.hear("relay-1", statement)) == ["relay-1"]


def test_taken_alone_waits_a_moment_for_company(pair: Pair) -> None:
    """A message of its own for each receipt would cost as much as the statement that follows it."""
    # docs/protocol.md 5.8
    one, two = _unheard(pair, pair.bravo, 2)
    assert _taken(pair.alpha.hear("relay-1", one)) == []
    waiting = pair.alpha.endpoint.next_deadline()
    assert waiting is not None
    assert waiting <= pair.time + TAKEN_DELAY
    output = pair.alpha.step(Submit(RequestId(99), Plane.REAL, ROUTINE, "en", 1, "next", "watch"))
    assert _taken(output) == ["relay-1"]
    assert _taken(pair.alpha.hear("relay-1", two)) == []
    pair.time += TAKEN_DELAY
    assert _taken(pair.alpha.step(Tick())) == ["relay-1"]
    pair.time += TAKEN_DELAY
    assert _taken(pair.alpha.step(Tick())) == []


def test_taken_that_waits_is_bounded(pair: Pair) -> None:
    """A frame longer than a relay accepts would be refused, and everything in it kept for a week."""
    (receipt,) = _unheard(pair, pair.bravo, 1)
    pair.alpha.hear("relay-1", receipt)
    pair.time += TAKEN_DELAY
    pair.alpha.step(Tick())
    for _ in range(TAKEN_WAITING_MAX - 1):
        assert _taken(pair.alpha.hear("relay-1", receipt)) == []
    assert _taken(pair.alpha.hear("relay-1", receipt)) == ["relay-1"]


def test_both_say_the_same_of_it_in_their_ledgers(pair: Pair) -> None:
    """Two ledgers could not be held against each other after a dispute."""
    pair.alpha.submit("Same words, same commitment.")
    pair.run(100)
    submitted = next(record for record in pair.alpha.records if record.kind == "msg.submit")
    received = next(record for record in pair.bravo.records if record.kind == "msg.recv")
    assert submitted.private == received.private
    assert submitted.fields["statement"] == received.fields["statement"]


def test_nothing_leaves_before_it_is_in_the_output_that_commits_it(pair: Pair) -> None:
    """A statement could be on the line that no disk knows of (docs/protocol.md 1.6 and 12.1)."""
    pair.alpha.submit("x")
    output = pair.alpha.endpoint.context.out
    assert output.durable
    assert not output.express
    assert output.transmit
    assert {change.table for change in output.changes} >= {"sent", "outbox", "counter"}


def test_a_lost_statement_and_a_lost_receipt_are_repeated(pair: Pair) -> None:
    """One lost packet would lose a statement, or show it twice (docs/protocol.md 9.1 and 12.3)."""
    losses = iter([True, True, True, True, False])
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope) and next(losses, False))
    pair.alpha.submit("x")
    pair.run(30_000)
    assert pair.alpha.states(1) == ["delivered"]
    assert pair.bravo.shown() == [1]
    answered = iter([True] * 4)
    pair.weather = losing(
        lambda sender, relay, envelope: sender is pair.bravo and durable(envelope) and next(answered, False)
    )
    pair.alpha.submit("y")
    pair.run(30_000)
    assert pair.alpha.states(2) == ["delivered"]
    assert pair.bravo.shown() == [1, 2]


def test_a_lost_read_receipt_and_a_lost_noted_are_repeated(pair: Pair) -> None:
    """The sender would never learn that it was read; or the reader would tell it for ever (docs/protocol.md 9.4)."""
    pair.alpha.submit("x")
    pair.run(100)
    pair.weather = losing(lambda sender, relay, envelope: pair.time < 12_000)
    pair.bravo.read(1)
    pair.run(60_000)
    assert pair.alpha.states(1) == ["delivered", "read"]
    assert pair.bravo.memory.rows("unnoted") == []
    assert [record.kind for record in pair.alpha.records].count("msg.read") == 1


def test_reading_twice_or_what_is_not_there_is_answered(pair: Pair) -> None:
    """An officer would wait in front of a silent screen, or a READ be told of something never shown."""
    pair.alpha.submit("x")
    pair.run(100)
    assert pair.bravo.read(1).code == "read"
    again = pair.bravo.read(1)
    assert (again.ok, again.code) == (True, "again")
    unknown = pair.bravo.read(2)
    assert (unknown.ok, unknown.code) == (False, "unknown")


def test_what_is_said_before_the_peer_is_there_is_delivered_when_it_comes() -> None:
    """The first word of a crisis would be lost because the other side starts later."""
    pair = Pair()
    pair.alpha.start()
    pair.bravo.prepare()
    pair.alpha.submit("early")
    assert pair.alpha.kinds().count("msg.sent") == 0
    pair.time += 9_000
    pair.bravo.start()
    pair.run(10_000)
    assert pair.bravo.shown() == [1]
    assert pair.alpha.states(1) == ["delivered"]


def test_precedence_overtakes_on_the_way(pair: Pair) -> None:
    """A FLASH would arrive behind everything that was said before it."""
    pair.cut()
    for number in range(70):
        pair.alpha.submit(f"routine {number}")
    pair.alpha.submit("flash", FLASH)
    pair.join()
    pair.run(20_000)
    assert pair.bravo.shown()[0] == 71
    assert pair.bravo.shown()[1:] == list(range(1, 71))


# --- refused at the door ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", {}),
        ("   ", {}),
        ("x" * (TEXT_BYTES_MAX + 1), {}),
        ("a\0b", {}),
        ("\ud800", {}),
        ("x", {"precedence": 0}),
        ("x", {"precedence": 9}),
        ("x", {"direction": 0}),
        ("x", {"language": "no language"}),
        ("x", {"valid_for_ms": TIME_MAX + 1}),
        ("x", {"valid_for_ms": -1}),
    ],
)
def test_what_cannot_be_said_is_refused_before_anything_is_queued(
    pair: Pair, text: str, changes: dict[str, object]
) -> None:
    """An officer would believe that it was sent, or the peer refuse it for ever."""
    before = len(pair.alpha.records)
    reply = pair.alpha.submit(text, **changes)  # type: ignore[arg-type]
    assert (reply.ok, reply.code) == (False, "text")
    assert len(reply.text) > 20
    assert len(pair.alpha.records) == before
    assert pair.alpha.memory.rows("outbox") == []
    assert pair.alpha.submit("x").fields["serial"] == 1


def test_the_longest_text_arrives_whole(pair: Pair) -> None:
    """A lawful text would be accepted and never delivered."""
    text = "ü" * (TEXT_BYTES_MAX // 2)
    pair.alpha.submit(text)
    pair.run(1_000)
    assert pair.bravo.text(1) == text


def test_a_full_outbox_refuses_and_says_so() -> None:
    """Words would pile up without anybody being told that none of them arrives (docs/protocol.md 12.9)."""
    pair = Pair(outbox_max=3).open()
    pair.cut()
    assert [pair.alpha.submit("x").ok for _ in range(4)] == [True, True, True, False]
    reply = list(pair.alpha.replies.values())[-1]
    assert (reply.code, "nothing was queued" in reply.text) == ("full", True)
    assert pair.alpha.submit("x", plane=Plane.EXERCISE).ok, "planes do not share the bound"
    pair.join()
    pair.run(10_000)
    assert pair.alpha.submit("x").ok


def test_a_full_outbox_counts_bytes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few long statements would fill the memory (docs/protocol.md 12.9)."""
    assert OUTBOX_BYTES_MAX > 1_000 * 4_000
    monkeypatch.setattr("hotline.protocol.composing.OUTBOX_BYTES_MAX", 1_000)
    pair.cut()
    assert pair.alpha.submit("x" * 1_000).ok
    assert pair.alpha.submit("x").code == "full"


# --- custody ---------------------------------------------------------------------------------------------------------


def deaf(pair: Pair) -> bytes:
    """ALPHA says something that nobody hears; the name of its envelope."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x")
    return hashlib.sha256(next(e for who, _, e in reversed(pair.sent) if who == "ALPHA" and durable(e))).digest()


def test_a_relays_signature_makes_it_relayed_once(pair: Pair) -> None:
    """The officer would not know that a relay has taken over; or the ledger be filled by one that says it again."""
    # docs/protocol.md 12.4
    name = deaf(pair)
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [name]))
    assert pair.alpha.states(1) == ["relayed"]
    assert len(pair.alpha.memory.rows("custody")) == 1
    for _ in range(5):
        pair.time += 1
        pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [name]))
    pair.alpha.hear("relay-2", pair.custody_frame("relay-2", 1, [name]))
    assert pair.alpha.kinds().count("msg.custody") == 2
    assert len(pair.alpha.memory.rows("custody")) == 2
    assert pair.alpha.states(1) == ["relayed"]


def test_custody_that_is_not_signed_by_this_relay_for_us_is_refused(pair: Pair) -> None:
    """Anybody could say that a relay holds what it never had (docs/protocol.md 5.19)."""
    name = deaf(pair)
    wrong = [
        pair.custody_frame("relay-1", 1, [name], SigningKey(b"x" * 32)),
        pair.custody_frame("relay-2", 1, [name]),
        encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=b"\xff", signature=bytes(64)))),
    ]
    for frame in wrong:
        pair.alpha.hear("relay-1", frame)
    assert pair.alpha.refusals() == ["signature", "signature", "unreadable"]
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 2, [name]))
    assert pair.alpha.refusals()[3:] == ["custody-address"]
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [b"z" * 32]))
    assert pair.alpha.states(1) == []
    assert "msg.custody" not in pair.alpha.kinds()


def test_custody_opens_the_window(pair: Pair) -> None:
    """While the peer is away only one window of statements would reach the relays."""
    pair.custody = True
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    for _ in range(200):
        pair.alpha.submit("x")
    pair.run(500)
    assert [pair.alpha.states(serial) for serial in (1, 200)] == [["relayed"], ["relayed"]]


def test_without_custody_the_window_holds_and_flash_passes_it(pair: Pair) -> None:
    """A slow line would be flooded; or the FLASH wait behind the flood."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    for _ in range(100):
        pair.alpha.submit("x")
    outbox = pair.alpha.endpoint.context.outboxes[Plane.REAL]
    assert 1 <= pair.alpha.kinds().count("msg.sent") == outbox.window_messages < 100
    assert outbox.window_bytes <= START
    pair.alpha.submit("now", FLASH)
    pair.alpha.submit("soon", IMMEDIATE)
    assert [r.fields["serial"] for r in pair.alpha.records if r.kind == "msg.sent"][-2:] == [101, 102]


def test_with_custody_the_window_opens_as_far_as_the_profile_says(pair: Pair) -> None:
    """A fast line would carry a few statements at a time for ever (docs/protocol.md 12.2)."""
    pair.custody = True
    most = 0
    for _ in range(400):
        pair.alpha.submit("x" * 1_000)
    for _ in range(60):
        pair.run(2)
        most = max(most, pair.alpha.endpoint.context.outboxes[Plane.REAL].window_messages)
    assert most == pair.paths[0].profile.window_messages
    assert not pair.alpha.endpoint.context.outboxes[Plane.REAL].window_messages


def test_what_is_less_urgent_waits_while_a_flash_is_under_way(pair: Pair) -> None:
    """Its receipt would come behind theirs on a slow line (docs/protocol.md 12.2)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("now", FLASH)
    pair.alpha.submit("later")
    sent = [r.fields["serial"] for r in pair.alpha.records if r.kind == "msg.sent"]
    assert sent == [1]
    pair.run(pair.paths[0].profile.retransmit_ms + 1)
    sent = [r.fields["serial"] for r in pair.alpha.records if r.kind == "msg.sent"]
    assert sent == [1, 2], "but not for ever: the FLASH may be what no relay takes"


# --- expiry ----------------------------------------------------------------------------------------------------------


def test_an_expired_statement_leaves_a_void_that_closes_its_place(pair: Pair) -> None:
    """Everything behind it would be held up for ever (docs/protocol.md 8.4)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("short", valid_for_ms=5_000)
    pair.alpha.submit("long")
    pair.run(6_000)
    assert pair.alpha.states(1) == ["expired"]
    assert pair.alpha.states(2) == []
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [-1, 2]
    assert pair.alpha.states(1) == ["expired"], "the void does not make it delivered"
    assert pair.alpha.states(2) == ["delivered"]
    assert pair.alpha.memory.rows("outbox") == []
    assert b"short" not in b"".join(str(row).encode() for row in pair.bravo.memory.rows("received"))


def test_a_late_receipt_turns_expired_into_delivered(pair: Pair) -> None:
    """The sender would believe for ever that it was not heard, though the peer has read it (docs/protocol.md 8.4)."""
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    pair.alpha.submit("heard", valid_for_ms=5_000)
    pair.run(6_000)
    assert pair.bravo.shown() == [1]
    assert pair.alpha.states(1) == ["expired"]
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert pair.alpha.states(1) == ["expired", "delivered"]
    assert pair.bravo.shown() == [1], "the void is not shown beside the words"
    assert pair.alpha.memory.rows("outbox") == []


def test_expiry_says_who_holds_it(pair: Pair) -> None:
    """The officer would not know whether the words can still arrive (docs/protocol.md 12.4)."""
    pair.custody = True
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("x", valid_for_ms=4_000)
    pair.run(5_000)
    reasons = [d.fields["by"] for d in pair.alpha.told if d.fields.get("state") == "expired"]
    assert reasons == ["in custody of relay-1, relay-2"]


def test_a_lost_receipt_is_asked_for_by_the_first_repeat(pair: Pair) -> None:
    """All paths are up, the peer has read it, and for a quarter of a minute the sender would not know."""
    # docs/protocol.md 12.3
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo and durable(envelope))
    pair.alpha.submit("x")
    pair.run(600)
    assert pair.bravo.shown() == [1]
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(pair.paths[0].profile.retransmit_ms)
    assert pair.alpha.states(1) == ["delivered"]
    assert pair.bravo.shown() == [1]


# --- paths and heartbeats --------------------------------------------------------------------------------------------


def beats(pair: Pair, sender: str, relay: str) -> list[bytes]:
    return [e for who, over, e in pair.sent if (who, over) == (sender, relay) and e[1] & 0x06 == 0x02]


def test_every_path_comes_up_and_goes_down(pair: Pair) -> None:
    """The lamp would lie (docs/protocol.md 11.3)."""
    assert up(pair.alpha) == up(pair.bravo) == ["relay-1", "relay-2"]
    pair.cut("relay-2")
    assert pair.alpha.alarms() == ["single-path"]
    pair.alpha.step(LinkClosed("relay-2", "again"))
    assert pair.alpha.alarms() == ["single-path"]
    pair.cut("relay-1")
    assert pair.alpha.alarms() == ["single-path", "no-path"]
    pair.join()
    pair.run(3_000)
    assert up(pair.alpha) == ["relay-1", "relay-2"]


def test_what_holds_already_rings_once(pair: Pair) -> None:
    """A relay that was dialled in vain rang `no-path` at each attempt (docs/protocol.md 11.3)."""
    rung = ["single-path", "no-path"]
    pair.run(30_000)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    pair.run(20_000)
    for _ in range(3):
        pair.alpha.step(LinkClosed("relay-1", "lost"))
        pair.alpha.step(LinkOpened("relay-1"))
        pair.run(2_000)
    assert pair.alpha.alarms() == rung
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(5_000)
    assert up(pair.alpha) == ["relay-1", "relay-2"]
    pair.cut()
    assert pair.alpha.alarms() == rung * 2


def test_one_path_that_is_left_after_an_outage_rings_when_the_other_is_lost_again(pair: Pair) -> None:
    """That the first came back is no alarm, and takes none back (docs/protocol.md 11.3)."""
    pair.cut()
    pair.join("relay-1")
    pair.run(5_000)
    assert pair.alpha.alarms() == ["single-path", "no-path"]
    pair.alpha.step(LinkOpened("relay-2"))
    pair.run(1_000)
    pair.alpha.step(LinkClosed("relay-2", "lost"))
    assert pair.alpha.alarms() == ["single-path", "no-path", "single-path"]


def test_silence_is_noticed_within_the_ceiling(pair: Pair) -> None:
    """A dead peer would look alive."""
    pair.run(30_000)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    pair.run(pair.paths[0].profile.silent_ceiling_ms + 1)
    assert up(pair.alpha) == []
    assert pair.alpha.alarms() == ["single-path", "no-path"]
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(3_000)
    assert up(pair.alpha) == ["relay-1", "relay-2"]


def test_a_replayed_heartbeat_proves_nothing(pair: Pair) -> None:
    """A relay could keep a dead peer alive with recordings (docs/protocol.md 10.3)."""
    recorded = [envelope_frame(beat) for beat in beats(pair, "BRAVO", "relay-1")]
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    heard = pair.alpha.endpoint.context.peer.heard_at
    for _ in range(10):
        pair.run(500)
        pair.alpha.hear("relay-1", *recorded)
    assert up(pair.alpha) == []
    assert pair.alpha.endpoint.context.peer.heard_at == heard


def test_heartbeats_held_back_until_after_a_restart_are_not_fresh(pair: Pair) -> None:
    """The same with recordings that this run has never opened."""
    recorded = [envelope_frame(beat) for beat in beats(pair, "BRAVO", "relay-1")]
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.restart()
    pair.run(100)
    pair.alpha.hear("relay-1", *recorded)
    assert up(pair.alpha) == []
    assert pair.alpha.endpoint.context.peer.heard_at is None
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(5_000)
    assert up(pair.alpha) == ["relay-1", "relay-2"]


def test_a_heartbeat_of_another_path_is_refused(pair: Pair) -> None:
    """One relay could keep the lamp of another lit (docs/protocol.md 10.2 and 10.11)."""
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    pair.run(600)
    pair.alpha.hear("relay-2", envelope_frame(beats(pair, "BRAVO", "relay-1")[-1]))
    assert pair.alpha.refusals() == ["wrong-path"]


def test_a_withheld_last_statement_is_noticed_within_a_heartbeat(pair: Pair) -> None:
    """A relay could hold back the one statement that nothing follows (docs/protocol.md 1.4 and 10.6)."""
    pair.run(5_000)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
    pair.alpha.submit("the last word")
    profile = pair.paths[0].profile
    pair.run(profile.heartbeat_ms + profile.retransmit_ms + 10)
    alarm = next(record for record in pair.bravo.records if record.kind == "alarm")
    assert (alarm.fields["name"], alarm.fields["first"], alarm.fields["last"]) == ("gap", 1, 1)
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(20_000)
    assert "gap.closed" in pair.bravo.kinds()
    assert pair.bravo.shown() == [1]


def test_a_narrow_path_is_spared_while_another_is_up() -> None:
    """The line of last resort would be full when it is needed (docs/protocol.md 11.2)."""
    pair = Pair(profiles=["fibre", "narrow"]).open(60_000)
    assert up(pair.alpha) == ["relay-1", "relay-2"]

    def routes(precedence: content_pb2.Precedence.ValueType) -> set[str]:
        start = len(pair.sent)
        pair.alpha.submit("x", precedence)
        found = {relay for who, relay, envelope in pair.sent[start:] if who == "ALPHA" and durable(envelope)}
        pair.run(20)
        return found

    assert routes(ROUTINE) == {"relay-1"}
    assert routes(content_pb2.PRECEDENCE_PRIORITY) == {"relay-1"}
    assert routes(IMMEDIATE) == {"relay-1", "relay-2"}
    assert routes(FLASH) == {"relay-1", "relay-2"}
    pair.cut("relay-1")
    assert routes(ROUTINE) == {"relay-2"}
    for party in (pair.alpha, pair.bravo):
        party.step(LinkOpened("relay-1"))
    pair.weather = losing(lambda sender, relay, envelope: relay == "relay-1")
    pair.run(100)
    assert routes(ROUTINE) == {"relay-1", "relay-2"}, "attached is not up: the state must not keep anything back"


def test_a_slow_path_comes_up_while_another_one_swallows_all_beats() -> None:
    """Keys of what was swallowed would take the place of those that its beats need (docs/protocol.md 7.5)."""
    pair = Pair(relays=3, profiles=["fibre", "fibre", "narrow"])
    quick = replace(PROFILES["fibre"], heartbeat_ms=50)
    paths = tuple(one if one.profile.name == "narrow" else replace(one, profile=quick) for one in pair.paths)
    for party in pair.running():
        party.prepare(paths=paths)
    pair.weather = losing(lambda sender, relay, envelope: relay == "relay-3")
    pair.open(500)

    def weather(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if relay == "relay-3":
            pair.after(3_500, lambda: pair.bring(sender, relay, envelope))
        return [envelope] if relay == "relay-1" else []

    pair.weather = weather
    pair.cut("relay-3")
    pair.join("relay-3")
    pair.run(7_500)
    for party in pair.running():
        assert up(party) == ["relay-1", "relay-3"]


@pytest.mark.parametrize(
    ("precedence", "over"),
    [
        (content_pb2.PRECEDENCE_PRIORITY, {"relay-1"}),
        (IMMEDIATE, {"relay-1", "relay-2"}),
        (FLASH, {"relay-1", "relay-2"}),
    ],
)
def test_a_receipt_goes_the_ways_of_what_it_answers(
    precedence: content_pb2.Precedence.ValueType, over: set[str]
) -> None:
    """An urgent word would arrive by the last line, and its sender not be told over it (docs/protocol.md 11.2)."""
    pair = Pair(profiles=["fibre", "narrow"]).open(60_000)
    start = len(pair.sent)
    pair.alpha.submit("x", precedence)
    pair.run(100)
    assert {relay for who, relay, envelope in pair.sent[start:] if who == "BRAVO" and durable(envelope)} == over
    start = len(pair.sent)
    pair.alpha.submit("y", ROUTINE)
    pair.run(100)
    after = {relay for who, relay, envelope in pair.sent[start:] if who == "BRAVO" and durable(envelope)}
    assert after == {"relay-1"}, "what was urgent once makes nothing after it so"


def test_statements_go_over_paths_that_are_not_up() -> None:
    """A detector that is wrong would silence the terminal (docs/protocol.md 11.2)."""
    pair = Pair().open()
    pair.weather = losing(lambda sender, relay, envelope: not durable(envelope))
    pair.run(60_000)
    assert up(pair.alpha) == []
    pair.alpha.submit("x")
    pair.run(1_000)
    assert pair.bravo.shown() == [1]
    assert pair.alpha.states(1) == ["delivered"]


def test_the_peer_is_told_when_a_terminal_closes(pair: Pair) -> None:
    """A planned stop would look like a broken line (docs/protocol.md 10.13)."""
    pair.alpha.step(Closing())
    pair.run(10)
    assert [d.fields["presence"] for d in pair.bravo.told if d.kind == "presence"][-1] == "closing"
    assert pair.alpha.kinds()[-1] == "daemon.stop"


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_a_step_of_the_clock_is_recorded_and_changes_nothing_else(pair: Pair) -> None:
    """Written times would jump and nobody could say when and by how much (docs/protocol.md 3.7)."""
    pair.alpha.offset += CLOCK_STEP_RECORD
    pair.run(1_000)
    assert "clock.step" not in pair.alpha.kinds()
    pair.alpha.offset -= 2 * CLOCK_STEP_RECORD + 1
    pair.run(1_000)
    assert [r.fields["by_ms"] for r in pair.alpha.records if r.kind == "clock.step"] == [-2 * CLOCK_STEP_RECORD - 1]
    pair.alpha.submit("x")
    pair.run(1_000)
    assert pair.alpha.states(1) == ["delivered"]


@pytest.mark.parametrize("years", [-20, 20])
def test_a_wrong_clock_is_an_alarm_and_silences_nobody(pair: Pair, years: int) -> None:
    """A set-back clock would end the hotline on the night it is needed (docs/protocol.md 3.7 and 7.2)."""
    pair.bravo.offset = years * 365 * 86_400_000
    assert abs(pair.bravo.offset) > CLOCK_SKEW_ALARM
    pair.bravo.restart()
    pair.run(5_000)
    assert "clock" in pair.alpha.alarms()
    pair.alpha.submit("x")
    pair.bravo.submit("y")
    pair.run(5_000)
    assert pair.bravo.shown() == pair.alpha.shown() == [1]
    assert pair.alpha.states(1) == pair.bravo.states(1) == ["delivered"]


def test_prekeys_rotate_while_they_talk() -> None:
    """After the first rotation nothing would be understood any more (docs/protocol.md 7.2 and 7.8)."""
    pair = Pair(profiles=["satellite"], relays=1).open()
    for turn in range(1, 4):
        pair.run(pair.paths[0].profile.prekey_rotation_ms)
        pair.alpha.submit(f"{turn}")
        pair.bravo.submit(f"{turn}")
        pair.run(1_000)
        assert pair.alpha.states(turn) == pair.bravo.states(turn) == ["delivered"]
    newest = pair.alpha.endpoint.context.prekeys.newest
    assert newest is not None
    generations = [row["generation"] for row in pair.alpha.memory.rows("prekey")]
    assert max(generations) == newest.generation > 2, "what opens the next epoch outlives a power cut"  # type: ignore[type-var]
    assert len(generations) <= 3, "older secrets are destroyed"
    assert pair.alpha.refusals() == pair.bravo.refusals() == []
