"""Operators' talk: a plane of its own that gives way to statements (docs/protocol.md section 25)."""

from __future__ import annotations

import pytest

from hotline.limits import SERVICE_BEATS, SERVICE_GAP_PATIENCE, SERVICE_OUTBOX_MAX, SERVICE_STUCK
from hotline.machine import Plane, Reply, RequestId, Tick
from hotline.protocol.events import Submit
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import FLASH, PRIORITY, ROUTINE, Pair, Party, durable, losing

SERVICE = Plane.SERVICE
WAIT = Pair().paths[0].profile.retransmit_ms


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def left(party: Party) -> list[tuple[object, object]]:
    """Plane and serial of what was sealed, in order."""
    return [(r.fields["plane"], r.fields["serial"]) for r in party.records if r.kind == "msg.sent"]


def in_talk(party: Party, **fields: object) -> list[dict[str, object]]:
    """The alarms that name the plane."""
    alarms = [dict(r.fields) for r in party.records if r.kind == "alarm" and r.fields.get("plane") == "service"]
    return [alarm for alarm in alarms if fields.items() <= alarm.items()]


def test_talk_is_kept_apart_and_takes_the_whole_way(pair: Pair) -> None:
    """What an operator says would stand among what a leader says (docs/protocol.md 25.1)."""
    assert pair.alpha.submit("a statement").ok
    assert pair.alpha.submit("relay-2 is being repaired", plane=SERVICE).ok
    pair.run(1_000)
    assert (pair.bravo.shown(), pair.bravo.shown(SERVICE)) == ([1], [1]), "each plane counts for itself"
    assert pair.bravo.text(1, SERVICE) == "relay-2 is being repaired"
    assert pair.bravo.read(1, SERVICE, "duty-2").ok
    pair.run(1_000)
    assert pair.alpha.states(1, SERVICE) == ["delivered", "read"]
    assert pair.alpha.states(1) == ["delivered"], "who reads the talk has not read the statement"
    assert [r.fields["plane"] for r in pair.bravo.records if r.kind == "msg.opened"] == ["service"]


@pytest.mark.parametrize("plane", [Plane.REAL, Plane.EXERCISE])
def test_talk_never_validates_as_a_statement(pair: Pair, plane: Plane) -> None:
    """An operator's terminal alone could put words into a leader's mouth (docs/protocol.md 25.1)."""
    session = pair.bravo.endpoint.context.session
    statement = content_pb2.Statement(
        serial=1, precedence=ROUTINE, kind=content_pb2.STATEMENT_KIND_TEXT, language="en", direction=1, text="x",
        from_party="BRAVO", to_party="ALPHA", body_salt=bytes(32),
    )  # fmt: skip
    inner = session.sign(ContentType.STATEMENT, SERVICE, encode(statement))
    pair.carry(pair.bravo, "relay-1", envelope_frame(session.seal(plane, inner, transient=False)))
    pair.run(100)
    assert pair.alpha.refusals() == ["signature"]
    assert pair.alpha.shown(plane) == pair.alpha.shown(SERVICE) == []


def said(party: Party, text: str = "x", precedence: int = ROUTINE, corrects: int = 0) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(Submit(request, SERVICE, precedence, "en", 1, text, "watch", 0, 0, corrects))  # type: ignore[arg-type]
    return party.replies[request]


def test_what_is_no_talk_is_refused_with_a_sentence(pair: Pair) -> None:
    """Talk could be as long and as urgent as a statement (docs/protocol.md 25.2)."""
    assert said(pair.alpha, "x" * 1_000).ok
    for reply in (said(pair.alpha, "é" * 501), said(pair.alpha, precedence=FLASH), said(pair.alpha, corrects=1)):
        assert not reply.ok
        assert "nothing was queued" in reply.text
    assert pair.alpha.endpoint.context.outboxes[SERVICE].last_serial == 1


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("precedence", {"precedence": PRIORITY}),
        ("text", {"text": "x" * 1_001}),
        ("kind", {"kind": content_pb2.STATEMENT_KIND_TEST, "drafter": "channel-test"}),
    ],
)
def test_what_no_honest_terminal_says_is_refused(pair: Pair, word: str, changes: dict[str, object]) -> None:
    """The peer's terminal could flood the desk with urgent talk (docs/protocol.md 25.2 and 8.6)."""
    fields: dict[str, object] = {
        "precedence": ROUTINE, "kind": content_pb2.STATEMENT_KIND_TEXT, "language": "en", "direction": 1,
        "drafter": "watch", "text": "x", "valid_for_ms": 60_000,
    }  # fmt: skip
    bravo = pair.bravo
    bravo.endpoint.sending.say(SERVICE, content_pb2.Statement(**(fields | changes)), bravo.now())  # type: ignore[arg-type]
    bravo.memory.apply(bravo.endpoint.context.out)
    bravo.lies = True
    bravo.step(Tick())
    pair.run(1_000)
    assert set(pair.alpha.refusals()) == {word}
    assert pair.alpha.shown(SERVICE) == []


def test_talk_waits_while_a_statement_waits_or_is_under_way(pair: Pair) -> None:
    """A FLASH would queue behind the operators' chatter on a slow line (docs/protocol.md 25.3)."""
    pair.weather = losing(lambda sender, relay, sealed: durable(sealed))
    pair.alpha.submit("exercise", plane=Plane.EXERCISE)
    said(pair.alpha, "first")
    said(pair.alpha, "second")
    assert left(pair.alpha) == [("exercise", 1)]
    pair.run(WAIT + 1)
    assert left(pair.alpha)[-1] == ("service", 1), "what no relay takes is not on the line"
    pair.run(WAIT * 3)
    assert ("service", 2) not in left(pair.alpha), "one piece of talk is on the line at a time"
    pair.weather = losing(lambda sender, relay, sealed: False)
    pair.run(20_000)
    assert pair.bravo.shown(SERVICE) == [1, 2]


def test_talk_comes_after_a_queue_of_statements_and_does_not_thin_it(pair: Pair) -> None:
    """A thousand statements would share the line with talk (docs/protocol.md 25.3)."""
    pair.custody = True
    for _ in range(40):
        pair.alpha.submit("x" * 1_000)
        said(pair.alpha, "y" * 900)
    pair.run(3_000)
    order = [plane for plane, _ in left(pair.alpha)]
    assert order == ["real"] * 40 + ["service"] * 40


def test_talk_is_not_repeated_into_a_queue_of_statements(pair: Pair) -> None:
    """What was unanswered before the crisis would go on filling the line in it (docs/protocol.md 25.3)."""
    pair.weather = losing(lambda sender, relay, sealed: durable(sealed))
    said(pair.alpha, "unanswered")
    pair.run(5)
    alone = pair.alpha.endpoint.context.outboxes[SERVICE].pending[1].envelope
    for _ in range(50):
        pair.alpha.submit("x" * 1_000)
    pair.sent.clear()
    pair.run(SERVICE_STUCK // 2)
    assert pair.sent
    assert alone not in [sealed for _, _, sealed in pair.sent]


def test_talk_passes_statements_of_which_none_moves(pair: Pair) -> None:
    """Nobody could be asked why nothing is acknowledged (docs/protocol.md 25.3)."""
    real = set()

    def lost(sender: Party, relay: str, sealed: bytes) -> bool:
        ctx = pair.alpha.endpoint.context
        real.update(item.envelope for item in ctx.outboxes[Plane.REAL].pending.values())
        return sealed in real

    pair.weather = losing(lost)
    for _ in range(50):
        pair.alpha.submit("x" * 1_000)
    said(pair.alpha, "do our statements reach you?")
    pair.run(SERVICE_STUCK - 5_000)
    assert pair.bravo.shown(SERVICE) == []
    pair.run(10_000)
    assert pair.bravo.shown(SERVICE) == [1]


def test_no_more_talk_than_a_desk_can_say(pair: Pair) -> None:
    """A loop of a script would fill memory and relays (docs/protocol.md 25.3)."""
    pair.cut()
    answers = [said(pair.alpha).ok for _ in range(SERVICE_OUTBOX_MAX + 1)]
    assert answers == [True] * SERVICE_OUTBOX_MAX + [False]
    assert pair.alpha.submit("a statement").ok, "statements have room of their own"


def beats(party: Party) -> list[content_pb2.Heartbeat]:
    """What the party says in its heartbeats from now on."""
    found: list[content_pb2.Heartbeat] = []
    session = party.endpoint.context.session
    seal = session.seal

    def noted(plane: Plane, inner: object, *, transient: bool) -> bytes:
        if inner.type is ContentType.HEARTBEAT:  # type: ignore[attr-defined]
            found.append(content_pb2.Heartbeat.FromString(inner.content))  # type: ignore[attr-defined]
        sealed = seal(plane, inner, transient=transient)  # type: ignore[arg-type]
        told = found[-1] if found else content_pb2.Heartbeat()
        if transient and not (told.HasField("log") or told.HasField("announcement") or told.HasField("courier")):
            assert len(sealed) <= 200
        return sealed

    session.seal = noted  # type: ignore[method-assign]
    return found


def test_heartbeats_tell_of_talk_once_there_is_any(pair: Pair) -> None:
    """The last piece of talk could be withheld for ever; or each beat be longer than a narrow line bears."""
    # docs/protocol.md 25.4, 10.1 and 10.2
    silent = beats(pair.alpha)
    pair.run(20_000)
    assert silent
    assert not any(beat.service_sent or beat.service_received for beat in silent)
    said(pair.bravo, "x")
    pair.run(1_000)
    silent.clear()
    pair.run(30_000)
    told = [beat for beat in silent if beat.service_sent]
    assert told
    assert [(beat.service_sent, beat.service_received) for beat in told] == [(1, 2)] * len(told)
    assert all(not beat.log_size and not beat.epoch_opened for beat in told)
    assert all(bool(beat.service_sent) == (beat.beat % SERVICE_BEATS == 0) for beat in silent)
    assert pair.bravo.endpoint.context.peer.log_size > 0, "what such a beat leaves out is not forgotten"


def test_the_fullest_beat_that_tells_of_talk_fits_as_well() -> None:
    """Heartbeats alone would fill a narrow line (docs/protocol.md 25.4 and 10.1)."""
    fullest = content_pb2.Heartbeat(
        beat=2**32 - 4, echo=2**32 - 1, path=16, sent_through=2_000_000, received_through=2_000_000,
        exercise_sent_through=16_000, exercise_received_through=16_000, time_ms=4_948_600_000_000,
        prekey=2**32 - 1, prekey_held=2**32 - 1, presence=content_pb2.PRESENCE_ALIVE, echo_delay_ms=999_999,
        service_sent=2_000_000, service_received=2_000_000,
    )  # fmt: skip
    assert 4 + len(encode(fullest)) + 64 <= 128


def test_withheld_talk_is_reported_after_its_patience(pair: Pair) -> None:
    """Talk that gives way would raise alarms; or talk that a relay withholds none (docs/protocol.md 25.4, 10.6)."""
    pair.weather = losing(lambda sender, relay, sealed: sender is pair.alpha and durable(sealed))
    said(pair.alpha, "withheld")
    pair.run(SERVICE_GAP_PATIENCE - 5_000)
    assert in_talk(pair.bravo) == []
    pair.run(20_000)
    assert in_talk(pair.bravo, name="gap", first=1, last=1)
    pair.weather = losing(lambda sender, relay, sealed: False)
    pair.run(60_000)
    assert pair.bravo.shown(SERVICE) == [1]
    assert [d.fields["through"] for d in pair.bravo.told if d.kind == "gap-closed"] == [1]


def test_talk_survives_a_restart_and_an_old_backup(pair: Pair) -> None:
    """Of all planes this one would lose what was said (docs/protocol.md 25.1, 25.4 and 10.5)."""
    said(pair.alpha, "one")
    pair.run(1_000)
    backup = pair.alpha.memory.copy()
    said(pair.alpha, "two")
    pair.run(5_000)
    pair.alpha.restart(backup)
    pair.run(60_000)
    assert in_talk(pair.alpha, name="restored", through=2)
    assert said(pair.alpha, "three").ok
    pair.run(10_000)
    assert pair.bravo.shown(SERVICE) == [1, 2, 3]
    pair.bravo.restart()
    said(pair.alpha, "four")
    pair.run(10_000)
    assert pair.bravo.shown(SERVICE) == [1, 2, 3, 4]
    assert pair.bravo.text(3, SERVICE) == "three"
