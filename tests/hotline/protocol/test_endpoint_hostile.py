"""Frames that no honest relay and no honest peer makes: one record at most, nothing else, and never an exception."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer
from hotline.limits import (
    FRAME_BYTES_MAX,
    FRAMES_PER_PARCEL_MAX,
    INBOX_HELD_MAX,
    KEY_ELSEWHERE_INTERVAL,
    KEY_ELSEWHERE_SHOWN,
    REFUSALS_RECORDED_PER_MINUTE,
    SERIAL_SKIP_MAX,
)
from hotline.machine import Output, Plane, Tick
from hotline.protocol.statements import statement_hash
from hotline.protocol.status import status
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2, frame_pb2

from .pair import WALL, Pair, durable, losing

PAIR = Pair(seed=9).open()
PAIR.alpha.submit("said before the attack")
PAIR.bravo.submit("and answered")
PAIR.run(1_000)
PLAYED = len(PAIR.sent)
PAIR.weather = losing(lambda sender, relay, envelope: True)
PAIR.alpha.submit("still under way")
RECORDED = [envelope_frame(envelope) for _, _, envelope in PAIR.sent]
MINUTE = 60_001

numbers = st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1))
envelopes = st.builds(
    lambda version, flags, to, by, epoch, number, rest: b"".join(
        (bytes((version, flags)), to.to_bytes(2, "big"), by.to_bytes(2, "big"), epoch, number.to_bytes(4, "big"), rest)
    ),
    st.sampled_from([1, 1, 1, 1, 0, 2]),
    st.integers(0, 15),
    st.sampled_from([1, 1, 1, 2, 0, 9]),
    st.sampled_from([2, 2, 2, 1, 0, 9]),
    st.one_of(st.binary(min_size=12, max_size=12), st.sampled_from([e[6:18] for _, _, e in PAIR.sent])),
    numbers,
    st.binary(max_size=300),
)
bodies = st.one_of(
    st.builds(lambda e: frame_pb2.Frame(envelope=e), st.one_of(envelopes, st.binary(max_size=100))),
    st.builds(
        lambda b, s: frame_pb2.Frame(custody=frame_pb2.Custody(body=b, signature=s)),
        st.binary(max_size=80),
        st.one_of(st.binary(max_size=70), st.binary(min_size=64, max_size=64)),
    ),
    st.builds(
        lambda i, r: frame_pb2.Frame(refusal=frame_pb2.Refusal(envelope_id=i, reason=r)),
        st.binary(max_size=20),
        st.integers(0, 2**31 - 1),
    ),
    st.builds(lambda v: frame_pb2.Frame(welcome=frame_pb2.Welcome(version=v, relay="x", waiting=v)), numbers),
    st.builds(lambda i: frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=i)), st.lists(st.binary(max_size=20))),
    st.builds(lambda v, c: frame_pb2.Frame(hello=frame_pb2.Hello(version=v, charter=c)), numbers, st.binary()),
).map(encode)
altered = st.tuples(st.sampled_from(RECORDED), st.integers(0, 10**6), st.integers(0, 7)).map(
    lambda t: t[0][: t[1] % len(t[0])] + bytes((t[0][t[1] % len(t[0])] ^ 1 << t[2],)) + t[0][t[1] % len(t[0]) + 1 :]
)


def refused_quietly(output: Output) -> None:
    kinds = sorted(record.kind for record in output.records)
    assert kinds in ([], ["refused"], ["key.request.sent", "refused"], ["alarm", "refused"]), kinds
    # How often an alarm was raised is counted for whoever takes over the watch.
    assert [change.table for change in output.changes] == ["raised"] * kinds.count("alarm")
    assert output.replies == []
    assert sorted(delivery.kind for delivery in output.deliver) == [
        kind for kind in kinds if kind != "key.request.sent"
    ]
    if "alarm" in kinds:
        assert {record.fields["name"] for record in output.records if record.kind == "alarm"} == {"key-elsewhere"}


@settings(max_examples=400, deadline=None)
@given(st.one_of(bodies, altered, st.binary(max_size=120)))
def test_a_hostile_relay_gets_at_most_one_record(frame: bytes) -> None:
    """One relay could stop a terminal, fill its ledger, or change what it believes (docs/protocol.md 3.3 and 15.3)."""
    PAIR.time += MINUTE
    endpoint = PAIR.alpha.endpoint
    before = dict(endpoint.context.peer.sent_through), endpoint.context.session.peer_prekey
    refused_quietly(PAIR.alpha.hear("relay-1", frame))
    assert (dict(endpoint.context.peer.sent_through), endpoint.context.session.peer_prekey) == before


@pytest.mark.parametrize("index", range(0, PLAYED, 3))
def test_everything_that_was_ever_sent_played_back_changes_nothing(index: int) -> None:
    """Old traffic would be taken for new."""
    PAIR.time += MINUTE
    for party in (PAIR.alpha, PAIR.bravo):
        shown, states = party.shown(), party.states(1)
        output = party.hear("relay-1", RECORDED[index])
        assert {change.table for change in output.changes} <= {"peer_prekey"}
        assert {record.kind for record in output.records} <= {"refused", "key.request.sent", "key.request.obeyed"}
        assert (party.shown(), party.states(1)) == (shown, states)


def test_a_flood_of_refusals_is_counted_and_not_written() -> None:
    """Noise from one relay would fill the ledger and the disk (docs/protocol.md 15.1)."""
    pair = Pair().open()
    pair.time -= pair.time % 60_000
    before = len(pair.alpha.records)
    for _ in range(20):
        pair.alpha.hear("relay-1", *[b"\xff"] * 50)
    written = [record.kind for record in pair.alpha.records[before:]]
    assert written == ["refused"] * REFUSALS_RECORDED_PER_MINUTE
    pair.alpha.hear("relay-2", b"\xff")
    assert pair.alpha.records[-1].fields["path"] == "relay-2", "each path has its own bound"
    pair.time += 60_000
    pair.alpha.hear("relay-1", b"\xff")
    more = [record for record in pair.alpha.records[before:] if record.kind == "refused.more"]
    assert [(record.fields["path"], record.fields["count"]) for record in more] == [
        ("relay-1", 1_000 - REFUSALS_RECORDED_PER_MINUTE)
    ]


def test_a_relay_that_gives_our_place_away_is_an_alarm_that_names_it() -> None:
    """A stolen key would be used beside us, and the robbed would see paths come and go (docs/protocol.md 11.3)."""
    pair = Pair().open()
    replaced = encode(frame_pb2.Frame(refusal=frame_pb2.Refusal(reason=frame_pb2.REFUSAL_REASON_REPLACED)))

    def raised(*relays: str) -> list[object]:
        before = len(pair.alpha.records)
        for relay in relays:
            pair.alpha.hear(relay, replaced)
        return [record.fields["path"] for record in pair.alpha.records[before:] if record.kind == "alarm"]

    def shown() -> bool:
        return "key-elsewhere" in {alarm["name"] for alarm in status(pair.alpha.endpoint, pair.alpha.now())["alarms"]}

    assert not shown()
    assert raised("relay-1", "relay-2") == ["relay-1"]
    pair.time += KEY_ELSEWHERE_INTERVAL - 1
    assert raised("relay-1", "relay-1") == []
    pair.time += 1
    assert raised("relay-2", "relay-1") == ["relay-2"], "while it lasts it is said again"
    pair.time += KEY_ELSEWHERE_SHOWN - 1
    assert shown()
    pair.time += 1
    assert not shown()


def test_a_frame_at_the_limit_and_one_beyond() -> None:
    """A lawful frame would be refused, or one without end be parsed (docs/protocol.md 4.3)."""
    pair = Pair().open()
    pair.alpha.hear("relay-1", bytes(FRAME_BYTES_MAX + 1))
    pair.alpha.hear("relay-1", envelope_frame(bytes(36_865)))
    pair.alpha.hear("relay-1", envelope_frame(bytes(36_864)))
    pair.alpha.hear("relay-1", envelope_frame(bytes(22)))
    assert pair.alpha.refusals() == ["too-long", "too-long", "version", "too-short"]


def test_a_parcel_is_read_to_its_bound() -> None:
    """One gRPC message of a relay could keep a terminal busy with thirty thousand frames (docs/protocol.md 4.8)."""
    pair = Pair().open()
    word = envelope_frame(pair.bravo.endpoint.context.session.key_request(b"", pair.bravo.now()) or b"")
    lawful = [word] * (FRAMES_PER_PARCEL_MAX - 1)
    output = pair.alpha.hear("relay-1", b"\xff", *lawful, *[b"\xff"] * 30_000)
    assert [record.fields["reason"] for record in output.records] == ["too-many-frames", "unreadable"]
    assert pair.alpha.hear("relay-1", b"\xff", *lawful).records[0].fields["reason"] == "unreadable"


def test_frames_of_an_unknown_link_are_nothing() -> None:
    """A stream that no charter names would be listened to."""
    pair = Pair().open()
    output = pair.alpha.hear("relay-9", b"\xff")
    assert (output.records, output.transmit) == ([], [])


# --- a peer that lies with its own key -------------------------------------------------------------------------------


def say(pair: Pair, kind: ContentType, content: bytes, plane: Plane = Plane.REAL) -> Output:
    """BRAVO's key signs and seals `content`, whatever it is; ALPHA hears it."""
    session = pair.bravo.endpoint.context.session
    envelope = session.seal(plane, session.sign(kind, plane, content), transient=kind is ContentType.HEARTBEAT)
    return pair.alpha.hear("relay-1", envelope_frame(envelope))


LIAR = Pair(seed=11).open()
LIAR.alpha.submit("x")
LIAR.run(1_000)
u64 = st.one_of(st.integers(0, 6), st.integers(0, 2**64 - 1), st.sampled_from([2**40, 2**40 + 1, 2**53, 2**63]))
u32 = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))
enums = st.one_of(st.integers(0, 5), st.integers(-(2**31), 2**31 - 1))
words = st.text(max_size=80)
statements = st.builds(
    content_pb2.Statement,
    serial=u64, previous_in_precedence=u64, precedence=enums, kind=enums, date_time_group=words, composed_ms=u64,
    language=st.one_of(st.just("en"), words), direction=enums, from_party=st.one_of(st.just("BRAVO"), words),
    to_party=st.one_of(st.just("ALPHA"), words), drafter=words, text=words,
    body_salt=st.one_of(st.just(bytes(32)), st.binary(max_size=40)), valid_for_ms=u64,
)  # fmt: skip
plausible = st.builds(
    content_pb2.Statement,
    serial=st.one_of(st.integers(1, 2 * SERIAL_SKIP_MAX), st.integers(1, 2**41)),
    previous_in_precedence=st.integers(0, 3), precedence=st.integers(1, 4),
    kind=st.just(1), date_time_group=st.text(max_size=16), composed_ms=st.integers(0, 2**50), language=st.just("en"),
    direction=st.integers(1, 2), from_party=st.just("BRAVO"), to_party=st.just("ALPHA"), drafter=st.text(max_size=64),
    text=words, body_salt=st.binary(min_size=32, max_size=32), valid_for_ms=u64,
)  # fmt: skip
SAID = LIAR.alpha.memory.sent(Plane.REAL, 1)
assert SAID is not None
items = st.one_of(
    st.just(content_pb2.ReceiptItem(serial=1, statement=SAID.hash)),
    st.builds(
        content_pb2.ReceiptItem,
        serial=u64,
        statement=st.one_of(st.binary(max_size=33), st.binary(min_size=32, max_size=32)),
    ),
)
receipts = st.builds(
    content_pb2.Receipt,
    stage=enums, item=st.lists(items, max_size=4), officer=st.one_of(st.just(""), words), time_ms=u64,
    received_through=u64,
)  # fmt: skip
rungs = st.builds(
    content_pb2.Receipt,
    stage=st.sampled_from([content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY]),
    item=st.lists(items, min_size=1, max_size=1),
    officer=st.text(min_size=1, max_size=64), time_ms=u64, reply_by_ms=st.one_of(st.just(0), u64), principal=words,
)  # fmt: skip


def beat(**fields: object) -> content_pb2.Heartbeat:
    """A heartbeat of the liar that is fresh at ALPHA."""
    echo = LIAR.alpha.endpoint.context.paths["relay-1"]._beat
    return content_pb2.Heartbeat(**{"beat": 1, "path": 1, "echo": echo, "presence": 1, **fields})  # type: ignore[arg-type]


notes = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(LIAR.bravo.memory.log.current.notes + LIAR.alpha.memory.log.current.notes),
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 2**41),
        st.binary(min_size=32, max_size=32),
        st.sampled_from([b"", "\u2014 ".encode() + b"\x7f" * 690 + b" AAAAAAAA\n"]),
    ).map(
        lambda t: (
            sign_checkpoint(
                Checkpoint(f"{LIAR.bravo.log.base}/{t[0]}", t[1], t[2]),
                Ed25519Signer(f"{LIAR.bravo.log.base}/{t[0]}", LIAR.bravo.ledger_key),
            )
            + t[3]
        )
    ),
)
hashes = st.lists(st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40)), max_size=4)
exchanges = st.builds(
    content_pb2.LogExchange,
    checkpoint=notes, proof=hashes, proof_from=u64, claimed_proof=hashes, claimed_from=u64, claimed_to=u64, seen=notes,
    linked=u64, linked_epoch=u64, cosignature=st.binary(max_size=80), asked=st.booleans(), answered=st.booleans(),
)  # fmt: skip
heartbeats = st.fixed_dictionaries(
    {},
    optional={
        "beat": u32, "echo_delay_ms": u32, "sent_through": u64, "received_through": u64, "exercise_sent_through": u64,
        "exercise_received_through": u64, "time_ms": u64, "prekey": u32, "prekey_held": u32, "epoch_opened": u32,
        "log_size": u64, "presence": enums, "log": exchanges, "path": st.integers(0, 3),
        "announcement": st.builds(
            content_pb2.SignedPrekey, body=st.binary(max_size=50), signature=st.binary(max_size=70)
        ),
    },
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(statements, plausible, receipts, rungs, heartbeats), st.sampled_from(Plane))
def test_a_lying_peer_cannot_stop_the_terminal(
    content: content_pb2.Statement | content_pb2.Receipt | dict[str, object], plane: Plane
) -> None:
    """The other side's fault, or malice, would end our side too: the ledger must be able to write down what it is."""
    LIAR.time += 1_500
    LIAR.alpha.step(Tick())
    if isinstance(content, dict):
        say(LIAR, ContentType.HEARTBEAT, encode(beat(**content)))
    elif isinstance(content, content_pb2.Statement):
        say(LIAR, ContentType.STATEMENT, encode(content), plane)
    else:
        say(LIAR, ContentType.RECEIPT, encode(content), plane)
    LIAR.alpha.step(Tick())
    assert LIAR.alpha.submit("x", plane=plane).code in {"queued", "full"}


def test_what_the_liar_said_was_not_all_refused() -> None:
    """The test above would test nothing but the door."""
    pair = Pair().open()
    good = content_pb2.Statement(
        serial=2 * SERIAL_SKIP_MAX, precedence=1, kind=1, language="en", direction=1, from_party="BRAVO",
        to_party="ALPHA", text="x", body_salt=bytes(32), composed_ms=253_402_300_799_999,
    )  # type: ignore[arg-type]  # fmt: skip
    assert "msg.recv" in [record.kind for record in say(pair, ContentType.STATEMENT, encode(good)).records]
    pair.alpha.submit("x")
    name = pair.alpha.memory.rows("sent")[0]["hash"]
    assert isinstance(name, bytes)
    lie = content_pb2.Receipt(
        stage=content_pb2.STAGE_CONFLICT,
        item=[content_pb2.ReceiptItem(serial=1, statement=b"l" * 32)],
        received_through=2**40,
    )
    say(pair, ContentType.RECEIPT, encode(lie))
    assert pair.alpha.states(1)[-1] == "renumbered"
    assert pair.alpha.submit("x").ok


@pytest.mark.parametrize(
    ("kind", "content", "word"),
    [
        (
            ContentType.STATEMENT,
            content_pb2.Statement(
                serial=1,
                precedence=1,
                kind=1,
                direction=1,
                body_salt=bytes(32),
                text="x",
                language="en",
                from_party="ALPHA",
                to_party="BRAVO",
            ),
            "party",
        ),  # type: ignore[arg-type]
        (ContentType.RECEIPT, content_pb2.Receipt(), "stage"),
        (ContentType.HEARTBEAT, content_pb2.Heartbeat(beat=1, path=1, presence=77), "beat"),  # type: ignore[arg-type]
        (ContentType.HEARTBEAT, content_pb2.Heartbeat(beat=1, path=2, presence=1), "wrong-path"),  # type: ignore[arg-type]
    ],
)
def test_each_lie_has_its_word(kind: ContentType, content: content_pb2.Statement, word: str) -> None:
    """Nobody could tell from the record what was wrong (docs/protocol.md 15.1)."""
    pair = Pair().open()
    output = say(pair, kind, encode(content))
    assert [record.fields.get("reason") for record in output.records if record.kind == "refused"] == [word]


def test_a_durable_heartbeat_is_refused() -> None:
    """A relay would store heartbeats and play them all at once (docs/protocol.md 10.11)."""
    pair = Pair().open()
    session = pair.bravo.endpoint.context.session
    content = encode(content_pb2.Heartbeat(beat=1, path=1, presence=content_pb2.PRESENCE_ALIVE))
    inner = session.sign(ContentType.HEARTBEAT, Plane.REAL, content)
    pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    assert pair.alpha.refusals() == ["durable-heartbeat"]


def test_a_relays_unknown_reason_is_no_reason_to_stop() -> None:
    """A newer relay, or a hostile one, would stop every terminal with one frame (docs/protocol.md 5.19 and 15.2)."""
    pair = Pair().open()
    for reason in (4, 0, 77):
        frame = frame_pb2.Frame(refusal=frame_pb2.Refusal(envelope_id=b"x", reason=reason))  # type: ignore[arg-type]
        pair.alpha.hear("relay-1", encode(frame))
    assert pair.alpha.refusals() == ["relay-mailbox_full", "relay-unspecified", "relay-unspecified"]


def test_a_full_inbox_is_not_acknowledged_and_taken_later() -> None:
    """A peer that leaves out one serial would fill the disk; or what came behind it be lost (docs/protocol.md 12.9)."""
    pair = Pair().open()
    session = pair.bravo.endpoint.context.session
    fields = {"precedence": 1, "kind": 1, "direction": 1, "language": "en", "from_party": "BRAVO", "to_party": "ALPHA"}

    def offer(serial: int) -> Output:
        statement = content_pb2.Statement(
            serial=serial, previous_in_precedence=serial - 1, text="x", body_salt=bytes(32), composed_ms=WALL, **fields
        )  # type: ignore[arg-type]
        return say(pair, ContentType.STATEMENT, encode(statement))

    for serial in range(2, INBOX_HELD_MAX + 2):
        offer(serial)
    taken = len(pair.taken)
    output = offer(INBOX_HELD_MAX + 2)
    assert [record.fields["reason"] for record in output.records] == ["inbox-full"]
    assert output.changes == []
    assert len(pair.taken) == taken
    offer(1)
    assert pair.alpha.shown() == list(range(1, INBOX_HELD_MAX + 2))
    offer(INBOX_HELD_MAX + 2)
    assert pair.alpha.shown()[-1] == INBOX_HELD_MAX + 2
    assert session.has_prekey


def test_many_scattered_serials_fit_the_ledger() -> None:
    """One receipt of a lawful peer would stop the daemon because its entry is too long."""
    pair = Pair().open()
    pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial = 2**40 - 2_000
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.custody = False
    for _ in range(600):
        pair.alpha.submit("x", content_pb2.PRECEDENCE_FLASH)
    rows = pair.alpha.memory.rows("sent")
    odd = [row for row in rows if int(str(row["serial"])) % 2][:256]
    receipt = content_pb2.Receipt(
        stage=content_pb2.STAGE_DELIVERED,
        item=[content_pb2.ReceiptItem(serial=row["serial"], statement=row["hash"]) for row in odd],  # type: ignore[arg-type]
    )
    output = say(pair, ContentType.RECEIPT, encode(receipt))
    assert [record.kind for record in output.records] == ["msg.delivered"] * 4
    names = [hashlib.sha256(e).digest() for who, _, e in pair.sent if who == "ALPHA" and durable(e)]
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, list(dict.fromkeys(names))))
    assert "msg.custody" in pair.alpha.kinds()
    ends = pair.alpha.endpoint.context.session.ends_out
    assert odd[0]["hash"] == statement_hash(Plane.REAL, ends, odd[0]["content"])  # type: ignore[arg-type]


def test_a_replayed_key_request_does_not_drive_the_beat() -> None:
    """A relay could make a terminal fill a narrow path with announcements for as long as it likes."""
    # docs/protocol.md 7.13
    pair = Pair(seed=21, relays=1).open()
    request = next(envelope for sender, _, envelope in pair.sent if sender == "ALPHA" and envelope[1] & FLAG_CLEAR)
    pair.run(10_000)
    quiet = len([1 for sender, _, _ in pair.sent if sender == "BRAVO"])
    pair.run(5_000)
    beats = len([1 for sender, _, _ in pair.sent if sender == "BRAVO"]) - quiet
    for _ in range(500):
        pair.bravo.hear("relay-1", envelope_frame(request))
        pair.run(10)
    flooded = len([1 for sender, _, _ in pair.sent if sender == "BRAVO"]) - quiet - beats
    assert flooded <= 3 * beats + 2
