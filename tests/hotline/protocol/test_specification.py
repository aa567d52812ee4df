"""Clauses of the specification that show only between two endpoints: what is sent in which way, and what never is."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hotline.charter.profiles import PROFILES
from hotline.machine import Instant, LinkOpened, Plane
from hotline.protocol.outbox import FOLLOWS, FOLLOWS_LOSS, SentState
from hotline.protocol.paths import PathState
from hotline.protocol.prekeys import tag
from hotline.protocol.voids import filler
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR
from hotline.wire.inner import ContentType, Inner, decode_inner
from hotline.wire.v1 import content_pb2, frame_pb2

from .pair import FLASH, ROUTINE, WALL, Memory, Pair, Party, durable, losing

Sealed = tuple[Plane, Inner, bool]
FIBRE = PROFILES["fibre"]


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def overheard(party: Party, monkeypatch: pytest.MonkeyPatch) -> list[Sealed]:
    """Everything that `party` seals from now on: plane, content, whether it is transient."""
    found: list[Sealed] = []
    session = party.endpoint.context.session
    seal: Callable[..., bytes] = session.seal

    def listening(plane: Plane, inner: Inner, *, transient: bool) -> bytes:
        found.append((plane, inner, transient))
        return seal(plane, inner, transient=transient)

    monkeypatch.setattr(session, "seal", listening)
    return found


def test_a_tag_is_the_beginning_of_a_name_and_never_none() -> None:
    """A prekey whose name begins with zeros would be announced for ever (docs/protocol.md 2.7)."""
    assert tag(bytes.fromhex("01020304") + bytes(28)) == 0x01020304
    assert tag(bytes(4) + b"\1" * 28) == 1
    assert tag(b"\xff" * 12) == 0xFFFF_FFFF


# --- keys ------------------------------------------------------------------------------------------------------------


def test_what_fails_is_answered_by_a_key_request_or_not_at_all(pair: Pair) -> None:
    """An attacker would read from our answers which part of a forgery was right."""
    # docs/protocol.md 7.9 and 15.3
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.bravo.submit("never arrived as it was")
    envelope = next(data for who, _, data in reversed(pair.sent) if who == "BRAVO" and durable(data))
    pair.run(2_000)
    unknown = envelope[:6] + bytes(12) + envelope[18:]
    spots = (22, 53, 54, len(envelope) - 1)  # commitment and ciphertext, first and last byte of each
    bent = [envelope[:spot] + bytes((envelope[spot] ^ 1,)) + envelope[spot + 1 :] for spot in spots]
    for data, asks in [(unknown, True), *((each, False) for each in bent)]:
        begun = len(pair.sent)
        output = pair.alpha.hear("relay-1", envelope_frame(data))
        assert output.replies == []
        assert output.changes == []
        assert pair.alpha.refusals()[-1] == ("unknown-epoch" if asks else "not-opened")
        answers = [answer for who, _, answer in pair.sent[begun:] if who == "ALPHA"]
        assert bool(answers) == asks
        assert all(answer[1] & FLAG_CLEAR for answer in answers)
        pair.run(1_500)
        pair.time += 1


def test_first_contact_is_a_key_request_on_every_open_path() -> None:
    """Two new terminals would wait for each other, or for the one path that leads nowhere (docs/protocol.md 10.10)."""
    pair = Pair(relays=3)
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.start()
    pair.bravo.start()
    pair.run(50)
    said = [(relay, data) for who, relay, data in pair.sent if who == "ALPHA"]
    assert {relay for relay, _ in said} == {"relay-1", "relay-2", "relay-3"}
    for _, data in said:
        assert data[1] & FLAG_CLEAR
        inner = decode_inner(data[22:], padded=False)
        assert inner.type is ContentType.KEY_REQUEST
        assert content_pb2.KeyRequest.FromString(inner.content).unknown_epoch == b""


def test_a_prekey_is_announced_until_the_peer_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer would never learn of it; or each beat would carry it for ever and fill a narrow line."""
    # docs/protocol.md 10.4
    pair = Pair(relays=1).open()
    pair.weather = losing(lambda sender, relay, envelope: True)
    sealed = overheard(pair.alpha, monkeypatch)

    def announced() -> list[bool]:
        beats = [inner.content for _, inner, _ in sealed if inner.type is ContentType.HEARTBEAT]
        sealed.clear()
        return [content_pb2.Heartbeat.FromString(content).HasField("announcement") for content in beats]

    pair.run(1_600)
    assert announced() == [False] * 3
    changes = pair.alpha.endpoint.context.prekeys.rotate(pair.alpha.now(), FIBRE.prekey_rotation_ms)
    assert changes
    pair.run(1_600)
    assert announced() == [True] * 3
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(2_000)
    announced()
    pair.run(1_500)
    assert set(announced()) == {False}


# --- contents --------------------------------------------------------------------------------------------------------


def test_each_content_has_its_chain_and_its_plane(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay would keep heartbeats for a week, or forget the receipt that a sender waits for."""
    # docs/protocol.md 7.14 and 9.5
    sealed = [*[overheard(party, monkeypatch) for party in (pair.alpha, pair.bravo)]]
    for plane in Plane:
        pair.alpha.submit("words", plane=plane)
        pair.run(100)
        pair.bravo.read(1, plane)
        pair.run(1_000)
    pair.bravo.restart(Memory())  # it takes serials again that are given out, and is told CONFLICT
    sealed += [overheard(pair.bravo, monkeypatch)]
    pair.alpha.submit("more")
    pair.run(5_000)
    pair.alpha.restart(Memory())
    sealed += [overheard(pair.alpha, monkeypatch)]
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    pair.alpha.submit("again")
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.run(10_000)
    ways: dict[str, set[bool]] = {}
    for plane, inner, transient in (one for found in sealed for one in found):
        kind = inner.type.name
        if inner.type is ContentType.RECEIPT:
            kind = content_pb2.Stage.Name(content_pb2.Receipt.FromString(inner.content).stage)
        if inner.type is ContentType.HEARTBEAT:
            assert plane is Plane.REAL
        ways.setdefault(kind, set()).add(transient)
    lasting = {"STATEMENT": {False}, "STAGE_DELIVERED": {False}, "STAGE_READ": {False}, "STAGE_CONFLICT": {False}}
    assert ways == {**lasting, "STAGE_NOTED": {True}, "HEARTBEAT": {True}}


def test_a_void_is_the_same_bytes_each_time(pair: Pair) -> None:
    """A repeated void would be another statement under one serial: a conflict that nobody caused."""
    # docs/protocol.md 8.7
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("too late", valid_for_ms=1_000)
    original = content_pb2.Statement.FromString(pair.alpha.memory.sent(Plane.REAL, 1).content)  # type: ignore[union-attr]
    pair.run(2_000)
    void = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1].content
    assert void == encode(
        content_pb2.Statement(
            serial=1,
            previous_in_precedence=0,
            precedence=original.precedence,
            kind=content_pb2.STATEMENT_KIND_VOID,
            date_time_group=original.date_time_group,
            composed_ms=original.composed_ms,
            direction=original.direction,
            from_party="ALPHA",
            to_party="BRAVO",
            body_salt=bytes(32),
            valid_for_ms=1_000,
        )
    )
    pair.alpha.restart()
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1].content == void
    filled = filler(pair.alpha.endpoint.context, Plane.REAL, 9, pair.alpha.now())
    assert filled.content == encode(
        content_pb2.Statement(
            serial=9,
            precedence=content_pb2.PRECEDENCE_ROUTINE,
            kind=content_pb2.STATEMENT_KIND_VOID,
            direction=content_pb2.DIRECTION_LTR,
            from_party="ALPHA",
            to_party="BRAVO",
            body_salt=bytes(32),
        )
    )


def test_a_receipt_counts_only_for_the_statement_that_it_names(pair: Pair) -> None:
    """A peer that holds something else under this serial would make us believe that it holds ours."""
    # docs/protocol.md 1.2
    # docs/protocol.md 9.7
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.submit("mine")
    name = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1].hash

    def hear(stage: content_pb2.Stage.ValueType, serial: int, statement: bytes) -> None:
        receipt = content_pb2.Receipt(
            stage=stage,
            item=[content_pb2.ReceiptItem(serial=serial, statement=statement)],
            officer="watch" if stage == content_pb2.STAGE_READ else "",
            time_ms=WALL,
        )
        session = pair.bravo.endpoint.context.session
        inner = session.sign(ContentType.RECEIPT, Plane.REAL, encode(receipt))
        pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))

    for stage in (content_pb2.STAGE_DELIVERED, content_pb2.STAGE_READ):
        hear(stage, 1, bytes(32))
        hear(stage, 2, name)
        assert pair.alpha.states(1) == []
    hear(content_pb2.STAGE_READ, 1, name)
    assert pair.alpha.states(1) == ["delivered", "read"]


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_fresh_heartbeat_does_what_is_written() -> None:
    """A terminal of another make would believe other things of its peer than ours does (docs/protocol.md 10.12)."""
    # docs/protocol.md 10.2
    pair = Pair(relays=1).open()
    ctx = pair.alpha.endpoint.context
    pair.bravo.submit("counted")
    assert ctx.session._sending[Plane.REAL].acknowledged
    pair.run(2_000)
    path = ctx.paths["relay-1"]
    assert path.state is PathState.UP
    assert (ctx.peer.sent_through[Plane.REAL], ctx.peer.presence) == (1, content_pb2.PRESENCE_ALIVE)
    assert ctx.peer.log_size > 0
    assert ctx.peer.heard_at is not None
    assert ctx.peer.prekey_held == tag(ctx.prekeys.newest.name)  # type: ignore[union-attr]
    assert ctx.session.can_seal(Instant(pair.time, 2**47)), "a fresh beat has named the prekey: no clock can end it"


@pytest.mark.parametrize(("profile", "first", "last"), [("fibre", 1_000, 10_000), ("satellite", 3_000, 30_000)])
def test_attempts_double_up_to_their_bound_and_are_rare_without_the_peer(profile: str, first: int, last: int) -> None:
    """A slow line would be filled by repeats, or a lost statement be repeated minutes too late."""
    # docs/protocol.md 12.8
    pair = Pair(relays=1, profiles=[profile]).open(20_000)
    outbox = pair.alpha.endpoint.context.outboxes[Plane.REAL]
    sending = pair.alpha.endpoint.sending
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("unheard")
    item = outbox.pending[1]
    assert item.retry_at == pair.time + first
    path = pair.alpha.endpoint.context.paths["relay-1"]
    delays = []
    for item.attempts in range(1, 8):
        delays.append(sending._delay(item, [path]))
    assert delays == [min(first * 2**doubled, last) for doubled in range(7)]
    path.state = PathState.SUSPECT
    assert sending._delay(item, [path]) == 6 * last


def test_a_stream_that_opens_brings_what_is_in_nobodys_custody() -> None:
    """A statement would wait for its timer though a relay has just come back (docs/protocol.md 12.8)."""
    pair = Pair(relays=2).open()
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("at once")
    pair.cut("relay-2")
    begun = len(pair.sent)
    pair.alpha.step(LinkOpened("relay-2"))
    pair.run(1)
    assert [relay for who, relay, data in pair.sent[begun:] if who == "ALPHA" and durable(data)] == ["relay-2"]


def test_validity_begins_anew_after_a_restart(pair: Pair) -> None:
    """A terminal that was off for an hour would withdraw what its officers have handed in (docs/protocol.md 12.10)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("waiting", valid_for_ms=5_000)
    pair.run(4_000)
    pair.alpha.restart()
    pair.run(4_900)
    assert pair.alpha.states(1) == []
    pair.run(200)
    assert pair.alpha.states(1) == ["expired"]


def test_a_welcome_of_another_version_opens_nothing(pair: Pair) -> None:
    """A relay of another make would be counted as a path that it is not (docs/protocol.md 5.19)."""
    pair.cut("relay-1")
    path = pair.alpha.endpoint.context.paths["relay-1"]
    for version, state in ((2, PathState.DOWN), (1, PathState.ATTACHED)):
        welcome = frame_pb2.Frame(welcome=frame_pb2.Welcome(version=version, relay="relay-1"))
        pair.alpha.hear("relay-1", encode(welcome))
        assert path.state is state
        assert pair.alpha.refusals() == ["version"]


# --- stages ----------------------------------------------------------------------------------------------------------

Step = tuple[SentState, SentState]


class Stages:
    """What a party is told of each statement, in order; raises where docs/protocol.md says otherwise."""

    def __init__(self, party: Party) -> None:
        self.party = party
        self.last: dict[tuple[object, object], SentState] = {}
        self.seen: set[Step] = set()
        self._read = 0

    def check(self, *, lost: bool) -> None:
        """Look at what was told since the last time; `lost` once either side has lost state."""
        for told in self.party.told[self._read :]:
            if told.kind != "sent":
                continue
            name, state = (told.fields["plane"], told.fields["serial"]), SentState(str(told.fields["state"]))
            before = self.last.get(name)
            self.last[name] = state
            if before is None and lost:  # what its old disk remembers is not known here
                continue
            step = (before or SentState.QUEUED, state)
            self.seen.add(step)
            assert state in FOLLOWS[step[0]] | (FOLLOWS_LOSS[step[0]] if lost else frozenset()), (name, step)
        self._read = len(self.party.told)

    def restored(self) -> None:
        """Its disk is an old one: stages begin anew."""
        self.last.clear()


ORDINARY = ["say", "say", "say", "read", "deaf", "deaf", "clear", "restart"]


def _some_hours(seed: int, *, losses: bool) -> set[Step]:
    """Two endpoints in bad weather; with `losses` one comes back from a backup now and then."""
    chance = random.Random(seed)
    pair = Pair(seed, relays=2).open()
    pair.custody = seed % 2 == 0
    stages = {party: Stages(party) for party in (pair.alpha, pair.bravo)}
    backups = {party: party.memory.copy() for party in stages}
    lost = False
    for _ in range(30):
        party = chance.choice(list(stages))
        act = chance.choice(["say", "say", "read", "keep", "restore", "clear"] if losses else ORDINARY)
        if act == "say":
            party.submit(f"{chance.random()}", chance.choice([ROUTINE, FLASH]), valid_for_ms=chance.choice([900, 0]))
        elif act == "read" and party.endpoint.context.unread[Plane.REAL]:
            party.read(chance.choice(sorted(party.endpoint.context.unread[Plane.REAL])))
        elif act == "deaf":
            silent, half = party, chance.random() < 0.5
            pair.weather = losing(
                lambda who, _, data, silent=silent, half=half: who is silent and (half or durable(data))
            )
        elif act == "clear":
            pair.weather = losing(lambda who, relay, data: False)
        elif act == "restart":
            party.restart()
        elif act == "keep":
            backups[party] = party.memory.copy()
        elif act == "restore" and losses:
            lost = True
            stages[party].check(lost=lost)
            stages[party].restored()
            party.restart(backups[party].copy())
            party.submit("said anew")  # before the peer can tell it what it has lost
        pair.run(chance.choice([5, 200, 1_500]))
        for each in stages.values():
            each.check(lost=lost)
    pair.weather = losing(lambda who, relay, data: False)
    pair.run(20_000)
    for each in stages.values():
        each.check(lost=lost)
    return stages[pair.alpha].seen | stages[pair.bravo].seen


def test_stages_are_told_in_the_order_that_is_written() -> None:
    """An officer would see "expired" after "read", and the record of the sender would contradict itself."""
    # docs/protocol.md 12.4 and 12.11
    seen = set().union(*(_some_hours(seed, losses=False) for seed in (1, 4)))
    rungs = {(state, new) for state in SentState for new in SentState if SentState.SHOWN in (state, new)}
    assert seen == {(state, new) for state in SentState for new in FOLLOWS[state]} - rungs, "those: test_ladder.py"
    lost = set().union(*(_some_hours(seed, losses=True) for seed in (25, 26)))
    after_loss = {(state, new) for state in SentState for new in FOLLOWS_LOSS[state]} - rungs
    twice = {(state, SentState.RENUMBERED) for state in (SentState.DELIVERED, SentState.READ)}  # test_again.py
    assert after_loss - lost - twice == {(SentState.QUEUED, SentState.RENUMBERED)}, "its disk is new to the test then"
