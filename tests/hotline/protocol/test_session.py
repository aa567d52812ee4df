"""The secure channel: openers, epochs, order, replay, altered bits, key requests, restart, size."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.crypto.epochs import OPENER_SIZE, PREKEY_TAG_SIZE, ReceivingEpoch, next_chain_key
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.limits import (
    DURABLE_SKIP_MAX,
    EPOCHS_KEPT_MAX,
    KEY_REQUEST_INTERVAL,
    LOOK_AHEAD_INTERVAL,
    LOOK_AHEAD_MAX,
    OPENERS_TRIED_MAX,
    PADDING_CLASSES,
    PREKEYS_KEPT_MAX,
    SERIAL_MAX,
    SKIPPED_KEYS_MAX,
    TRANSIENT_KEYS_KEPT,
    TRANSIENT_SKIP_MAX,
)
from hotline.machine import Change, Delete, Instant, Plane, Put
from hotline.protocol.prekeys import OwnPrekeys, tag
from hotline.protocol.session import Opened, Session, Side
from hotline.protocol.statements import Ends, sign_content
from hotline.protocol.tables import Row
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, HEADER_SIZE, Header, decode_header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2

CHARTER = b"c" * 32
WALL = 1_795_000_000_000
HOUR = 3_600_000
NOW = Instant(0, WALL)


def at(mono: int) -> Instant:
    return Instant(mono, WALL + mono)


@dataclass
class End:
    """One end of the channel with what it has on disk."""

    number: int
    peer: int
    pairwise: bytes
    seed: int
    charter: bytes = CHARTER

    def __post_init__(self) -> None:
        self.signing = SigningKey(bytes([self.number]) * 32)
        self.tables: dict[str, dict[object, Row]] = {"prekey": {}, "peer_prekey": {}, "peer_epoch": {}}
        self.run = 0
        self.start()

    def start(self) -> None:
        """Begin, or begin again, with what is on disk."""
        self.run += 1
        entropy = random.Random(1_000 * self.seed + self.run).randbytes
        self.prekeys = OwnPrekeys(
            self.charter, self.number, self.signing, b"s" * 32, entropy, list(self.tables["prekey"].values())
        )
        local = Side(self.number, "", "main", self.signing.public)
        remote = Side(self.peer, "", "main", SigningKey(bytes([self.peer]) * 32).public)
        self.session = Session(self.charter, local, remote, self.pairwise, self.signing, self.prekeys, entropy)
        self.session.restore(self.tables["peer_prekey"].values(), self.tables["peer_epoch"].values())

    def keep(self, changes: list[Change]) -> None:
        keys = {"prekey": "generation", "peer_prekey": "terminal", "peer_epoch": "epoch"}
        for change in changes:
            key = keys[change.table]
            if isinstance(change, Put):
                self.tables[change.table][change.row[key]] = change.row
            else:
                self.tables[change.table].pop(change.match[key], None)

    def rotate(self, now: Instant = NOW) -> content_pb2.SignedPrekey:
        self.keep(self.prekeys.rotate(now, HOUR))
        assert self.prekeys.newest is not None
        return self.prekeys.newest.signed

    def seal(self, content: bytes = b"words", plane: Plane = Plane.REAL, *, transient: bool = False) -> bytes:
        kind = ContentType.HEARTBEAT if transient else ContentType.RECEIPT
        return self.session.seal(plane, self.session.sign(kind, plane, content), transient=transient)

    def open(self, envelope: bytes, now: Instant = NOW, path: str = "relay-1") -> Opened:
        opened = self.session.open(decode_header(envelope), envelope, now, path)
        self.keep(opened.changes)
        return opened

    def fails(self, envelope: bytes, now: Instant = NOW, path: str = "relay-1") -> str:
        with pytest.raises(RemoteError) as caught:
            self.open(envelope, now, path)
        return caught.value.reason


def ends() -> tuple[End, End]:
    """ALPHA and BRAVO, each with the other's prekey."""
    pairwise = b"p" * 32
    alpha, bravo = End(1, 2, pairwise, 1), End(2, 1, pairwise, 2)
    alpha.keep(alpha.session.offer_prekey(bravo.rotate(), fresh=True))
    bravo.keep(bravo.session.offer_prekey(alpha.rotate(), fresh=True))
    return alpha, bravo


def has_opener(envelope: bytes) -> bool:
    return bool(envelope[1] & FLAG_OPENER)


def epoch_of(envelope: bytes) -> bytes:
    return envelope[6:18]


# --- epochs ----------------------------------------------------------------------------------------------------------


def test_the_opener_rides_until_the_epoch_is_acknowledged() -> None:
    """If the first envelope is lost, none after it could be opened (docs/protocol.md 6.2 and 7.3)."""
    alpha, bravo = ends()
    first, second = alpha.seal(), alpha.seal()
    assert has_opener(first)
    assert has_opener(second)
    opened = bravo.open(second)
    assert opened.inner.content == b"words"
    assert opened.new_epoch == epoch_of(first)
    assert bravo.open(first).new_epoch is None
    alpha.session.acknowledge_epoch(12345)
    assert has_opener(alpha.seal())
    alpha.session.acknowledge_epoch(bravo.session.opened_epoch(0))
    last = alpha.seal()
    assert not has_opener(last)
    assert bravo.open(last).plane is Plane.REAL


def test_each_plane_has_its_own_epoch_and_says_so_by_turns() -> None:
    """The opener of one plane would ride for ever, or an exercise would be opened as real."""
    alpha, bravo = ends()
    real, exercise = alpha.seal(plane=Plane.REAL), alpha.seal(plane=Plane.EXERCISE)
    assert epoch_of(real) != epoch_of(exercise)
    assert bravo.session.opened_epoch(0) == 0
    assert bravo.open(real).plane is Plane.REAL
    assert bravo.open(exercise).plane is Plane.EXERCISE
    told = {bravo.session.opened_epoch(0), bravo.session.opened_epoch(1)}
    assert told == {tag(epoch_of(real)), tag(epoch_of(exercise))}


def test_a_newer_prekey_opens_a_new_epoch() -> None:
    """A stolen key would open everything that is said afterwards (docs/protocol.md 7.12)."""
    alpha, bravo = ends()
    old = alpha.seal()
    alpha.session.offer_prekey(bravo.rotate(at(5_000)), fresh=True)
    new = alpha.seal()
    assert epoch_of(new) != epoch_of(old)
    assert has_opener(new)
    assert bravo.open(new).inner.content == bravo.open(old).inner.content


def test_an_epoch_ends_when_it_has_sealed_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """One secret would protect an unbounded amount of traffic (docs/protocol.md 7.12)."""
    monkeypatch.setattr("hotline.crypto.epochs.EPOCH_MESSAGES_MAX", 3)
    alpha, bravo = ends()
    envelopes = [alpha.seal(transient=bool(i % 2)) for i in range(4)]
    assert len({epoch_of(envelope) for envelope in envelopes[:3]}) == 1
    assert epoch_of(envelopes[3]) != epoch_of(envelopes[0])
    assert [bravo.open(envelope).inner.content for envelope in envelopes] == [b"words"] * 4


def test_old_receiving_epochs_are_forgotten_oldest_first() -> None:
    """A peer that opens epoch after epoch would fill memory and disk (docs/protocol.md 7.8)."""
    alpha, bravo = ends()
    envelopes = []
    for turn in range(EPOCHS_KEPT_MAX + 1):
        alpha.session.offer_prekey(bravo.rotate(at(turn)), fresh=True)
        first, later = alpha.seal(), alpha.seal()
        alpha.session.acknowledge_epoch(tag(epoch_of(first)))
        envelopes.append((later, alpha.seal()))
        changes = bravo.open(first, at(turn)).changes
        assert (Delete("peer_epoch", {"epoch": epoch_of(envelopes[0][0])}) in changes) == (turn == EPOCHS_KEPT_MAX)
    assert len(bravo.tables["peer_epoch"]) == EPOCHS_KEPT_MAX
    assert bravo.fails(envelopes[0][1]) == "unknown-epoch"
    assert bravo.open(envelopes[1][1]).inner.content == b"words"


def test_an_epoch_that_had_to_go_is_not_opened_again_by_its_opener() -> None:
    """A relay has all openers, and would push out with old ones those that are in use (docs/protocol.md 7.8, 7.11)."""
    alpha, bravo = ends()
    sealed = []
    for _ in range(EPOCHS_KEPT_MAX + 1):
        alpha.session._sending.clear()  # another epoch to the same prekey, whose secret BRAVO still has
        sealed.append((alpha.seal(), alpha.seal()))
        bravo.open(sealed[-1][0])
    assert bravo.fails(sealed[0][1]) == "unknown-epoch"
    assert bravo.open(sealed[1][1]).inner.content == b"words"


@pytest.mark.parametrize("kind", [ContentType.STATEMENT, ContentType.RECEIPT, ContentType.HEARTBEAT])
def test_nothing_but_a_statement_is_handed_on_for_another_terminal(kind: ContentType) -> None:
    """One terminal would pass on another one's beats and receipts as its own (docs/protocol.md 7.4, 7.11 and 23.5)."""
    alpha, bravo = ends()
    author = SigningKey(b"3" * 32)
    bravo.session._authors = {3: author.public}
    inner = sign_content(author, kind, Plane.REAL, Ends(CHARTER, 3, 2), b"words")
    envelope = alpha.session.seal(Plane.REAL, inner, transient=False)
    if kind is ContentType.STATEMENT:
        assert bravo.open(envelope).author == 3
    else:
        assert bravo.fails(envelope) == "signature"


# --- order and replay ------------------------------------------------------------------------------------------------


def test_overtaken_and_skipped_numbers_open() -> None:
    """What two paths deliver in different order would be lost."""
    alpha, bravo = ends()
    envelopes = [alpha.seal(str(i).encode()) for i in range(8)]
    for i in (3, 0, 7, 5, 1):
        assert bravo.open(envelopes[i]).inner.content == str(i).encode()


@pytest.mark.parametrize("transient", [False, True])
def test_no_envelope_opens_twice(transient: bool) -> None:
    """A recorded envelope would count as said again."""
    alpha, bravo = ends()
    envelopes = [alpha.seal(transient=transient) for _ in range(3)]
    for envelope in (envelopes[2], envelopes[0]):
        bravo.open(envelope)
        assert bravo.fails(envelope) == "used"


def test_the_two_chains_share_nothing() -> None:
    """A heartbeat would use up the key of a statement (docs/protocol.md 7.14)."""
    alpha, bravo = ends()
    beat, words = alpha.seal(transient=True), alpha.seal()
    assert beat[18:22] == words[18:22] == bytes(4)
    bravo.open(beat)
    assert bravo.open(words).inner.content == b"words"
    swapped = bytes([words[0], words[1] ^ FLAG_TRANSIENT]) + words[2:]
    assert bravo.fails(swapped) in {"used", "not-opened"}


def test_a_number_too_far_ahead_costs_nothing_and_asks() -> None:
    """One forged header would keep the processor busy for minutes (docs/protocol.md 7.11)."""
    alpha, bravo = ends()
    first = alpha.seal()
    bravo.open(first)
    header = decode_header(first)
    near = Header(header.flags, 2, 1, header.epoch, DURABLE_SKIP_MAX + 1).encode() + first[HEADER_SIZE:]
    far = Header(header.flags, 2, 1, header.epoch, DURABLE_SKIP_MAX + 2).encode() + first[HEADER_SIZE:]
    assert bravo.fails(near) == "not-opened"
    assert bravo.fails(far) == "too-far"
    assert bravo.open(alpha.seal()).inner.content == b"words"


@pytest.mark.parametrize("known", ["opened", "restarted", "unopened"])
def test_what_is_forged_opens_no_epoch_anew(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One relay could make a terminal spend its time on keys (docs/protocol.md 7.11)."""
    opened: list[bytes] = []

    def counted(*given: Any) -> ReceivingEpoch:
        opened.append(given[2])
        return ReceivingEpoch(*given)

    monkeypatch.setattr("hotline.protocol.openers.ReceivingEpoch", counted)
    alpha, bravo = ends()
    envelope = alpha.seal()
    if known != "unopened":
        bravo.open(envelope)
    if known == "restarted":
        bravo.start()
    opened.clear()
    forged = bytearray(alpha.seal())
    forged[-1] ^= 1
    for number in range(20):
        forged[HEADER_SIZE - 4 : HEADER_SIZE] = (number + 9).to_bytes(4, "big")
        assert bravo.fails(bytes(forged)) == "not-opened"
    assert len(opened) == (0 if known == "opened" else 1)
    assert bravo.open(alpha.seal()).inner.content == b"words"


def test_forged_openers_cost_a_path_what_it_is_given_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that knows a prekey could fill parcels with epochs, and hold all paths up (docs/protocol.md 7.11)."""
    steps: list[bytes] = []

    def counted(chain_key: bytes) -> bytes:
        steps.append(chain_key)
        return next_chain_key(chain_key)

    monkeypatch.setattr("hotline.crypto.epochs.next_chain_key", counted)
    alpha, bravo = ends()
    relay = End(1, 2, b"x" * 32, 9)
    relay.keep(relay.session.offer_prekey(bravo.prekeys.newest.signed, fresh=True))  # it was in a key request
    words = []
    for _ in range(20):
        relay.session._sending.clear()
        forged = bytearray(relay.seal())
        forged[HEADER_SIZE - 4 : HEADER_SIZE] = DURABLE_SKIP_MAX.to_bytes(4, "big")
        words.append(bravo.fails(bytes(forged), path="relay-2"))
    assert words == ["not-opened"] * (LOOK_AHEAD_MAX // DURABLE_SKIP_MAX) + ["too-far"] * (len(words) - 4)
    assert len(steps) <= LOOK_AHEAD_MAX + 20
    for _ in range(9):
        late = alpha.seal(plane=Plane.EXERCISE)
    assert bravo.fails(late, path="relay-2") == "too-far"
    assert bravo.open(late, path="relay-1").plane is Plane.EXERCISE
    assert bravo.open(alpha.seal(plane=Plane.EXERCISE), path="relay-2").plane is Plane.EXERCISE, (
        "of an epoch that is open"
    )
    other = bytearray(forged)
    assert bravo.fails(bytes(other), Instant(NOW.mono + LOOK_AHEAD_INTERVAL, NOW.wall), "relay-2") == "not-opened"


def forged_opener(end: End, number: int, *, holds: bool) -> bytes:
    """Of an epoch of its own, under the tag of the newest prekey; who knows the prekey makes one that holds."""
    assert end.prekeys.newest is not None
    if holds:
        relay = End(end.peer, end.number, b"x" * 32, 1_000 + number)
        relay.keep(relay.session.offer_prekey(end.prekeys.newest.signed, fresh=True))
        return relay.seal()
    header = Header(FLAG_OPENER, end.number, end.peer, number.to_bytes(12, "big"), 0).encode()
    return header + end.prekeys.newest.name[:PREKEY_TAG_SIZE] + bytes(OPENER_SIZE) + bytes(64)


@pytest.mark.parametrize("holds", [False, True])
def test_openers_that_come_to_nothing_are_tried_so_often_and_no_more(
    monkeypatch: pytest.MonkeyPatch, *, holds: bool
) -> None:
    """One relay that knows a prekey's tag could take a whole core, and all paths wait (docs/protocol.md 7.11)."""
    tried: list[bytes] = []

    def counted(*given: Any) -> ReceivingEpoch:
        tried.append(given[2])
        return ReceivingEpoch(*given)

    monkeypatch.setattr("hotline.protocol.openers.ReceivingEpoch", counted)
    alpha, bravo = ends()
    flood = [forged_opener(bravo, number, holds=holds) for number in range(OPENERS_TRIED_MAX + 2)]
    for one in flood:
        assert bravo.fails(one, path="relay-2") == "not-opened"
    assert len(tried) == OPENERS_TRIED_MAX
    envelope, last = alpha.seal(), Instant(NOW.mono + LOOK_AHEAD_INTERVAL - 1, NOW.wall)
    assert bravo.fails(envelope, last, "relay-2") == "not-opened"
    assert bravo.open(envelope, last, "relay-1").inner.content == b"words"
    assert bravo.open(alpha.seal(), last, "relay-2").inner.content == b"words", "of an epoch that is open"
    other, later = alpha.seal(plane=Plane.SERVICE), Instant(last.mono + 1, NOW.wall)
    assert bravo.fails(other, last, "relay-2") == "not-opened"
    assert bravo.open(other, later, "relay-2").plane is Plane.SERVICE


def test_an_opener_of_which_something_opens_renews_what_its_path_may_have_tried() -> None:
    """A peer that opens many epochs would be shut out like a relay that makes them up (docs/protocol.md 7.11)."""
    alpha, bravo = ends()
    for _ in range(OPENERS_TRIED_MAX):
        alpha.session._sending.clear()
        assert bravo.open(alpha.seal(plane=Plane.SERVICE)).plane is Plane.SERVICE


def test_what_a_restart_reopens_is_paid_for_too() -> None:
    """Openers that are kept would be another door to the same (docs/protocol.md 7.11)."""
    alpha, bravo = ends()
    bravo.open(alpha.seal())
    bravo.start()
    forged = bytearray(alpha.seal())
    forged[-1] ^= 1
    forged[HEADER_SIZE - 4 : HEADER_SIZE] = DURABLE_SKIP_MAX.to_bytes(4, "big")
    words = [bravo.fails(bytes(forged)) for _ in range(5)]
    assert words == ["not-opened"] * 4 + ["too-far"]


def test_with_a_prekey_goes_what_it_opened_and_nothing_came_of() -> None:
    """The keys of a conversation would stay in memory after its secret is destroyed (docs/protocol.md 7.8)."""
    alpha, bravo = ends()
    envelope = alpha.seal()
    bravo.fails(envelope[:-1] + bytes((envelope[-1] ^ 1,)))
    assert bravo.session._openers._tried
    for _ in range(PREKEYS_KEPT_MAX):
        bravo.rotate()
    assert bravo.fails(envelope) == "unknown-prekey"
    assert not bravo.session._openers._tried


def test_keys_of_overtaken_heartbeats_are_bounded() -> None:
    """Keys of a path that loses much would pile up in memory; those of a slow one be gone (docs/protocol.md 7.5)."""
    alpha, bravo = ends()
    first, second, third = (alpha.seal(transient=True) for _ in range(3))
    chain = alpha.session._sending[Plane.REAL]
    while chain.take(transient=True)[0] <= TRANSIENT_KEYS_KEPT:
        pass
    bravo.open(second)
    bravo.open(alpha.seal(transient=True))
    assert bravo.fails(first) == "used"
    assert bravo.open(third).inner.content == b"words"
    assert TRANSIENT_KEYS_KEPT >= TRANSIENT_SKIP_MAX
    assert SKIPPED_KEYS_MAX >= DURABLE_SKIP_MAX


# --- alterations -----------------------------------------------------------------------------------------------------


def snapshot(end: End, good: bytes) -> object:
    """What an attempt may not change, as far as it can be seen without opening anything."""
    session = end.session
    return (
        dict(session.newest_peer_epochs),
        session.opened_epoch(0),
        {name: dict(rows) for name, rows in end.tables.items()},
        session.peer_prekey,
        end.prekeys.next_deadline(),
    )


@pytest.mark.parametrize("known", [False, True], ids=["first of its epoch", "epoch already open"])
@pytest.mark.parametrize("transient", [False, True], ids=["durable", "transient"])
def test_any_flipped_bit_is_refused_and_changes_nothing(known: bool, transient: bool) -> None:
    """Words could be altered on the way, or a terminal be brought out of step by noise (docs/protocol.md 4.1)."""
    # docs/protocol.md 7.11
    alpha, bravo = ends()
    if known:
        bravo.open(alpha.seal(transient=transient))
    envelope = alpha.seal(transient=transient)
    assert has_opener(envelope)
    before = snapshot(bravo, envelope)
    step = 1 if known else 7
    bits = [*range(HEADER_SIZE * 8), *range(HEADER_SIZE * 8, len(envelope) * 8, step if not known else 3)]
    for bit in bits:
        altered = bytearray(envelope)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RemoteError):
            bravo.open(bytes(altered))
    assert snapshot(bravo, envelope) == before
    assert bravo.open(envelope).inner.content == b"words"


def test_every_flipped_bit_without_opener_is_refused() -> None:
    """The same, for the envelope of every day, bit for bit."""
    alpha, bravo = ends()
    bravo.open(alpha.seal())
    alpha.session.acknowledge_epoch(bravo.session.opened_epoch(0))
    envelope = alpha.seal()
    assert not has_opener(envelope)
    for bit in range(len(envelope) * 8):
        altered = bytearray(envelope)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RemoteError):
            bravo.open(bytes(altered))
    assert bravo.open(envelope).inner.content == b"words"


def test_every_cut_or_lengthened_envelope_is_refused() -> None:
    """A broken line would deliver part of a sentence."""
    alpha, bravo = ends()
    envelope = alpha.seal()
    for length in range(len(envelope)):
        with pytest.raises(RemoteError):
            bravo.open(envelope[:length], path=f"relay-{length}")
    bravo.fails(envelope + b"\0")
    assert bravo.open(envelope).inner.content == b"words"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=1_600), st.sampled_from([0, 1, 2, 3]))
def test_noise_never_opens(noise: bytes, flags: int) -> None:
    """Somebody on the line would stop the terminal with a random byte."""
    _, bravo = SHARED
    envelope = Header(flags, 2, 1, b"e" * 12, 0).encode() + noise
    with pytest.raises(RemoteError):
        bravo.session.open(decode_header(envelope + b"\0"), envelope, NOW)


SHARED = ends()


# --- the wrong place -------------------------------------------------------------------------------------------------


def test_an_envelope_opens_only_for_its_recipient() -> None:
    """A relay could hand words to another terminal, or back to the one who said them."""
    alpha, bravo = ends()
    envelope = alpha.seal()
    other = End(3, 1, b"p" * 32, 3)
    other.rotate()
    assert other.fails(envelope) == "unknown-prekey"
    assert alpha.fails(envelope) == "unknown-prekey"
    stolen = End(3, 1, b"p" * 32, 2)
    stolen.tables = bravo.tables
    stolen.start()
    assert stolen.fails(envelope) in {"unknown-prekey", "not-opened"}


def test_the_pairwise_secret_and_the_charter_are_part_of_every_key() -> None:
    """Whoever breaks the key exchange alone would read everything."""
    alpha, bravo = ends()
    envelope = alpha.seal()
    for twin in (End(2, 1, b"q" * 32, 2), End(2, 1, b"p" * 32, 2, b"d" * 32)):
        for generation, row in bravo.tables["prekey"].items():
            twin.tables["prekey"][generation] = row
        twin.start()
        named = twin.prekeys.with_tag(b"")[0]
        retagged = envelope[:HEADER_SIZE] + named.name[:4] + envelope[HEADER_SIZE + 4 :]
        assert twin.fails(retagged) == "not-opened"
    assert bravo.open(envelope).inner.content == b"words"


def test_content_of_one_plane_never_validates_in_the_other() -> None:
    """An exercise order would be obeyed as a real one (docs/protocol.md 8.3)."""
    alpha, bravo = ends()
    inner = alpha.session.sign(ContentType.STATEMENT, Plane.EXERCISE, b"x")
    envelope = alpha.session.seal(Plane.REAL, inner, transient=False)
    assert bravo.fails(envelope) == "signature"
    assert bravo.session.newest_peer_epochs == {}, "the epoch is not taken either"


def test_a_key_request_is_never_taken_from_a_sealed_envelope() -> None:
    """What is meant for the clear would act from inside, where no limit is."""
    alpha, bravo = ends()
    inner = alpha.session.sign(ContentType.KEY_REQUEST, Plane.REAL, b"x")
    assert bravo.fails(alpha.session.seal(Plane.REAL, inner, transient=True)) == "content-type"


# --- prekeys of the peer ---------------------------------------------------------------------------------------------


def test_an_older_prekey_is_taken_only_when_it_answers_us() -> None:
    """A replayed announcement would bring a key back whose secret may be stolen."""
    alpha, bravo = ends()
    old = bravo.prekeys.newest
    assert old is not None
    new = bravo.rotate(at(9_000))
    assert [change.table for change in alpha.session.offer_prekey(new, fresh=False)] == ["peer_prekey"]
    assert alpha.session.offer_prekey(old.signed, fresh=False) == []
    last = OwnPrekeys(CHARTER, bravo.number, bravo.signing, b"s" * 32, random.Random(9).randbytes, [])
    last.rotate(at(9_000), HOUR)
    assert last.newest is not None
    assert bravo.prekeys.newest is not None
    assert last.newest.generation == bravo.prekeys.newest.generation
    assert alpha.session.offer_prekey(last.newest.signed, fresh=False) == [], "nor another one of the same generation"
    assert alpha.session.peer_prekey is not None
    assert alpha.session.peer_prekey.generation == old.generation + 9
    alpha.session.offer_prekey(old.signed, fresh=True)
    assert alpha.session.peer_prekey.name == old.name


def test_an_expired_prekey_seals_nothing_but_heartbeats_unless_confirmed() -> None:
    """A key from last year would still be used; or a wrong clock would silence the terminal (docs/protocol.md 7.2)."""
    alpha, bravo = End(1, 2, b"p" * 32, 1), End(2, 1, b"p" * 32, 2)
    signed = bravo.rotate()
    assert not alpha.session.can_seal(NOW)
    assert not alpha.session.has_prekey
    alpha.session.offer_prekey(signed, fresh=False)
    assert alpha.session.has_prekey
    assert alpha.session.can_seal(at(2 * HOUR))
    assert not alpha.session.can_seal(at(2 * HOUR + 1))
    assert bravo.prekeys.newest is not None
    assert not alpha.session.confirm_prekey(tag(bravo.prekeys.newest.name) ^ 1)
    assert not alpha.session.can_seal(at(2 * HOUR + 1))
    assert alpha.session.confirm_prekey(tag(bravo.prekeys.newest.name))
    assert alpha.session.can_seal(at(2 * HOUR + 1))


def test_a_fresh_word_counts_for_the_prekey_that_it_names() -> None:
    """A relay could hold a terminal to an expired key with an old announcement (docs/protocol.md 7.2)."""
    alpha, bravo = ends()
    late = at(3 * HOUR)
    assert alpha.session.can_seal(late), "the peer has just named the one we hold"
    newer = bravo.rotate(at(1_000))
    assert len(alpha.session.offer_prekey(newer, fresh=False)) == 1
    assert not alpha.session.can_seal(late)
    assert alpha.session.offer_prekey(newer, fresh=True) == []
    assert alpha.session.can_seal(late)
    assert alpha.session.offer_prekey(newer, fresh=False) == []
    assert alpha.session.can_seal(late), "a word that proves nothing takes nothing away"


def test_only_recent_epochs_of_ours_are_sealed_again_and_the_newest_is_one() -> None:
    """A request could name an epoch of last year, or the one under way be unknown (docs/protocol.md 7.7)."""
    alpha, bravo = ends()
    names = []
    for number in range(17):
        alpha.keep(alpha.session.offer_prekey(bravo.rotate(at(1_000 * number)), fresh=True))
        names.append(epoch_of(alpha.seal()))
    for number, name in enumerate((names[0], names[1], names[-1])):
        request = bravo.session.key_request(name, at(100_000 * (number + 1)))
        assert request is not None
        asked = alpha.session.read_key_request(request, at(100_000 * (number + 1)))
        assert asked.reseal == (name if number else b"")


# --- key requests ----------------------------------------------------------------------------------------------------


def test_a_key_request_is_obeyed_for_the_epoch_in_use_whatever_began_on_other_planes() -> None:
    """One plane would lie still, both ways, until prekeys rotate (docs/protocol.md 7.12, 7.13; storm 1000323)."""
    alpha, bravo = ends()
    exercise = alpha.seal(plane=Plane.EXERCISE)
    for turn in range(20):
        alpha.session.offer_prekey(bravo.rotate(at(turn)), fresh=True)
        alpha.seal()
    request = bravo.session.key_request(epoch_of(exercise), at(100))
    assert request is not None
    assert alpha.session.read_key_request(request, at(100)).reseal == epoch_of(exercise)


def test_a_key_request_is_obeyed_once_and_not_too_often() -> None:
    """Two replayed requests a second would make the terminal seal everything again and again."""
    # docs/protocol.md 7.7 and 7.13
    alpha, bravo = ends()
    lost = alpha.seal()
    request = bravo.session.key_request(epoch_of(lost), NOW)
    assert request is not None
    assert request[1] == FLAG_CLEAR | FLAG_TRANSIENT
    asked = alpha.session.read_key_request(request, at(10_000))
    assert asked.reseal == epoch_of(lost)
    assert alpha.session.read_key_request(request, at(10_000 + KEY_REQUEST_INTERVAL - 1)).reseal == b""
    again = alpha.session.read_key_request(request, at(10_000 + KEY_REQUEST_INTERVAL))
    assert again.reseal == epoch_of(lost), "still recent: what is unacknowledged of it is sealed again"
    assert epoch_of(alpha.seal()) != epoch_of(lost)


def test_requests_are_sent_no_faster_than_the_interval() -> None:
    """Noise on one path would make the terminal flood all of them."""
    _, bravo = ends()
    assert bravo.session.key_request(b"e" * 12, at(0)) is not None
    assert bravo.session.key_request(b"f" * 12, at(KEY_REQUEST_INTERVAL - 1)) is None
    assert bravo.session.key_request(b"f" * 12, at(KEY_REQUEST_INTERVAL)) is not None


def test_no_request_without_a_prekey() -> None:
    """A request that offers nothing would be refused by the peer and help nobody."""
    assert End(1, 2, b"p" * 32, 1).session.key_request(b"e" * 12, NOW) is None


def test_only_a_request_that_names_the_current_epoch_brings_an_older_prekey() -> None:
    """A recorded request would make us seal to a prekey that the peer has destroyed (docs/protocol.md 7.7 and 7.10)."""
    alpha, bravo = ends()
    before = alpha.seal()
    past = bravo.session.key_request(epoch_of(before), NOW)
    blank = bravo.session.key_request(b"", at(2_000))
    assert past is not None
    assert blank is not None
    newer = bravo.rotate(at(5_000))
    alpha.session.offer_prekey(newer, fresh=True)
    current = alpha.seal()
    assert alpha.session.peer_prekey is not None
    generation = alpha.session.peer_prekey.generation
    for replayed in (past, blank):
        asked = alpha.session.read_key_request(replayed, at(10_000))
        assert not asked.new_prekey
        assert alpha.session.peer_prekey.generation == generation
        assert epoch_of(alpha.seal()) == epoch_of(current), "a replay opens no new epoch"

    lost = End(2, 1, b"p" * 32, 7)
    lost.rotate(Instant(0, WALL - HOUR))
    request = lost.session.key_request(epoch_of(current), NOW)
    assert request is not None
    asked = alpha.session.read_key_request(request, at(20_000))
    assert asked.new_prekey
    assert asked.reseal == epoch_of(current)
    assert alpha.session.peer_prekey.generation < generation
    assert lost.open(alpha.seal()).inner.content == b"words"


def test_a_request_that_is_altered_or_not_the_peers_is_refused() -> None:
    """Anybody could make us seal to a key of his."""
    alpha, bravo = ends()
    request = bravo.session.key_request(epoch_of(alpha.seal()), NOW)
    assert request is not None
    held = alpha.session.peer_prekey
    for byte in range(HEADER_SIZE, len(request)):
        altered = bytearray(request)
        altered[byte] ^= 1
        with pytest.raises(RemoteError):
            alpha.session.read_key_request(bytes(altered), at(9_000))
    with pytest.raises(RemoteError):
        bravo.session.read_key_request(request, at(9_000))
    assert alpha.session.peer_prekey is held


def test_nothing_but_a_key_request_comes_in_the_clear() -> None:
    """A statement could be brought in without any seal."""
    alpha, bravo = ends()
    inner = bravo.session.sign(ContentType.STATEMENT, Plane.REAL, b"x")
    with pytest.raises(Untrusted) as caught:
        alpha.session.read_key_request(bytes(HEADER_SIZE) + encode_inner(inner, padded=False), NOW)
    assert caught.value.reason == "content-type"


def test_a_request_without_a_prekey_is_refused() -> None:
    """A faulty peer would stop the terminal (docs/protocol.md 7.13)."""
    alpha, bravo = ends()
    inner = bravo.session.sign(ContentType.KEY_REQUEST, Plane.REAL, encode(content_pb2.KeyRequest(time_ms=1)))
    with pytest.raises(Malformed):
        alpha.session.read_key_request(bytes(HEADER_SIZE) + encode_inner(inner, padded=False), NOW)


# --- restart ---------------------------------------------------------------------------------------------------------


def test_what_waited_at_a_relay_opens_after_a_restart() -> None:
    """Statements that the relay kept through the night would be lost in the morning (docs/protocol.md 7.6)."""
    alpha, bravo = ends()
    bravo.open(alpha.seal())
    alpha.session.acknowledge_epoch(bravo.session.opened_epoch(0))
    waiting = alpha.seal(b"waited")
    assert not has_opener(waiting)
    bravo.start()
    bravo.rotate(at(9_000))
    assert bravo.open(waiting).inner.content == b"waited"
    assert bravo.session.newest_peer_epochs == {Plane.REAL: epoch_of(waiting)}


def test_without_the_saved_opener_it_asks() -> None:
    """After a lost disk the terminal would wait for ever (docs/protocol.md 7.7)."""
    alpha, bravo = ends()
    bravo.open(alpha.seal())
    alpha.session.acknowledge_epoch(bravo.session.opened_epoch(0))
    bravo.tables["peer_epoch"].clear()
    bravo.start()
    assert bravo.fails(alpha.seal()) == "unknown-epoch"


def test_a_sender_never_takes_up_its_old_epoch() -> None:
    """A key and nonce would seal two different texts after a restored backup (docs/protocol.md 1.5 and 7.6)."""
    alpha, _ = ends()
    before = alpha.seal()
    alpha.start()
    after = alpha.seal()
    assert epoch_of(before) != epoch_of(after)
    assert has_opener(after)


# --- size ------------------------------------------------------------------------------------------------------------


def padded(size: int) -> int:
    return next(limit for limit in PADDING_CLASSES if size <= limit)


@pytest.mark.parametrize("size", [1, 60, 61, 188, 1_000, 4_000, 34_748])
def test_the_wire_budget_is_kept(size: int) -> None:
    """A slow line would carry overhead instead of words (docs/protocol.md 6.4)."""
    alpha, bravo = ends()
    first = alpha.seal(b"x" * size)
    bravo.open(first)
    alpha.session.acknowledge_epoch(bravo.session.opened_epoch(0))
    later = alpha.seal(b"x" * size)
    content = padded(4 + size + 64) - 4 - 64
    assert len(later) == content + 138
    assert len(first) == content + 1_310
    assert len(later) - content <= 140


def test_the_largest_realistic_heartbeat_fits_two_hundred_bytes() -> None:
    """Heartbeats alone would fill a narrow line (docs/protocol.md 10.1)."""
    alpha, bravo = ends()
    bravo.open(alpha.seal())
    alpha.session.acknowledge_epoch(bravo.session.opened_epoch(0))
    century = 100 * 365 * 86_400_000
    heartbeat = content_pb2.Heartbeat(
        beat=2**32 - 1,
        echo=2**32 - 1,
        path=16,
        sent_through=2_000_000,
        received_through=2_000_000,
        exercise_sent_through=16_000,
        exercise_received_through=16_000,
        time_ms=WALL + century,
        prekey=2**32 - 1,
        prekey_held=2**32 - 1,
        epoch_opened=2**32 - 1,
        log_size=200_000_000,
        presence=content_pb2.PRESENCE_ALIVE,
        echo_delay_ms=999_999,
    )
    assert heartbeat.sent_through < SERIAL_MAX
    assert len(alpha.seal(encode(heartbeat), transient=True)) <= 200


def test_padding_that_is_not_zero_or_not_smallest_is_refused() -> None:
    """Padding would be a channel that nobody looks at, and one text would have many envelopes."""
    alpha, bravo = ends()

    def sealed(plain: bytes) -> bytes:
        import hotline.crypto.sealing as sealing

        epoch = alpha.session._epoch_for(Plane.REAL)
        number, key = epoch.take(transient=False)
        header = Header(FLAG_OPENER, 2, 1, epoch.epoch_id, number).encode()
        return header + epoch.prekey_hash[:4] + epoch.opener + sealing.seal(key, header, plain)

    good = encode_inner(alpha.session.sign(ContentType.RECEIPT, Plane.REAL, b"words"), padded=True)
    assert bravo.open(sealed(good)).inner.content == b"words"
    assert bravo.fails(sealed(good[:-1] + b"\1")) == "padding"
    assert bravo.fails(sealed(good.ljust(256, b"\0"))) == "padding"
    assert bravo.fails(sealed(good[:-1])) == "padding"
    assert bravo.fails(sealed(b"\x01\x00\x00\xff" + good[4:])) == "inner"
    assert bravo.fails(sealed(b"\x09" + good[1:])) == "inner"
    unsigned = Inner(ContentType.RECEIPT, b"words", bytes(64))
    assert bravo.fails(sealed(encode_inner(unsigned, padded=True))) == "signature"
