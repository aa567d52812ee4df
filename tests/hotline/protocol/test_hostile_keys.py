"""Keys, openers and heads of a liar or a thief: refused, and the terminal goes on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hotline.crypto.epochs import OPENER_SIZE, PREKEY_TAG_SIZE, ReceivingEpoch
from hotline.crypto.sealing import KemKey
from hotline.limits import EPOCHS_KEPT_MAX, LOOK_AHEAD_INTERVAL, OPENERS_TRIED_MAX
from hotline.machine import Output, Plane
from hotline.protocol.bundle import encode_bundle
from hotline.protocol.paths import PathState
from hotline.protocol.prekeys import COURIER_LABEL, LABEL, tag
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, encode_inner
from hotline.wire.v1 import bundle_pb2, content_pb2

from .pair import CHARTER, FLASH, WALL, Pair, Party
from .test_courier import counts, exported, imported

_MLKEM, _SHARE = KemKey(b"k" * 32).public[:1184], KemKey(b"k" * 32).public[1184:]
NO_KEYS = [bytes(1216), _MLKEM + bytes(32), b"\xff" * 1184 + _SHARE]
NEWEST = 9 * 10**9


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def prekey(liar: Party, public: bytes, label: str = LABEL, generation: int = NEWEST) -> content_pb2.SignedPrekey:
    """A prekey under the true signature of `liar`, whatever it is."""
    body = encode(
        content_pb2.PrekeyBody(
            generation=generation, public_key=public, created_ms=WALL, not_after_ms=WALL + 86_400_000
        )
    )
    signature = liar.signing.sign(label, CHARTER, liar.number.to_bytes(2, "big"), body)
    return content_pb2.SignedPrekey(body=body, signature=signature)


def beat(liar: Party, **fields: object) -> bytes:
    """A fresh heartbeat of `liar` over relay-1, with `fields` in it."""
    session = liar.endpoint.context.session
    path = liar.peer.endpoint.context.paths["relay-1"]
    said: dict[str, object] = {
        "beat": 7, "path": 1, "echo": path._beat, "presence": 1, "time_ms": liar.now().wall,
    }  # fmt: skip
    content = encode(content_pb2.Heartbeat(**(said | fields)))  # type: ignore[arg-type]
    inner = session.sign(ContentType.HEARTBEAT, Plane.REAL, content)
    return envelope_frame(session.seal(Plane.REAL, inner, transient=True))


def key_request(liar: Party, signed: content_pb2.SignedPrekey) -> bytes:
    """Whoever has nothing but the signing key of `liar` can make one."""
    content = encode(content_pb2.KeyRequest(prekey=signed, time_ms=WALL))
    inner = liar.endpoint.context.session.sign(ContentType.KEY_REQUEST, Plane.REAL, content)
    header = Header(FLAG_CLEAR | FLAG_TRANSIENT, liar.peer.number, liar.number, bytes(12), 0)
    return envelope_frame(header.encode() + encode_inner(inner, padded=False))


def stored(output: Output) -> list[str]:
    return [change.table for change in output.changes]


# --- prekeys that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("public", NO_KEYS, ids=["zeros", "small order", "not reduced"])
@pytest.mark.parametrize("way", ["heartbeat", "key request"])
def test_a_prekey_that_nothing_can_be_sealed_to_stops_no_terminal(pair: Pair, way: str, public: bytes) -> None:
    """One lawful signature would end the terminal at its next word, and at every start (docs/protocol.md 3.3, 7.10)."""
    lie = prekey(pair.bravo, public)
    frame = key_request(pair.bravo, lie) if way == "key request" else beat(pair.bravo, announcement=lie)
    assert stored(pair.alpha.hear("relay-1", frame)) == []
    assert pair.alpha.refusals() == ["prekey"]
    assert pair.alpha.submit("said all the same").ok
    pair.run(1_000)
    assert pair.alpha.states(1) == ["delivered"]
    pair.alpha.restart()
    pair.run(3_000)
    assert pair.alpha.submit("and after a start").ok
    pair.run(1_000)
    assert pair.alpha.states(2) == ["delivered"]


@pytest.mark.parametrize("public", NO_KEYS, ids=["zeros", "small order", "not reduced"])
def test_a_courier_key_that_nothing_can_be_sealed_to_stops_no_export(pair: Pair, public: bytes) -> None:
    """The bundle would end the terminal when no path is left (docs/protocol.md 3.3, 17.1)."""
    word = content_pb2.CourierKey(prekey=prekey(pair.bravo, public, COURIER_LABEL))
    assert stored(pair.alpha.hear("relay-1", beat(pair.bravo, courier=word))) == []
    assert pair.alpha.refusals() == ["prekey"]
    pair.cut()
    pair.alpha.submit("by hand")
    assert counts(imported(pair.bravo, exported(pair.alpha))) == (1, 0, 0)


def test_none_but_a_fresh_beat_brings_an_older_key(pair: Pair) -> None:
    """A beat of last year, played again, would have us seal to a key that was stolen since (7.10, 10.3, 17.2)."""
    # docs/protocol.md 7.10 and 17.2
    public, session = KemKey(b"o" * 32).public, pair.alpha.endpoint.context.session
    old, by_hand = (prekey(pair.bravo, public, label, generation=1) for label in (LABEL, COURIER_LABEL))
    said = {"announcement": old, "courier": content_pb2.CourierKey(prekey=by_hand)}

    def held() -> list[bytes]:
        courier = pair.alpha.endpoint.courier_keys.usable(pair.bravo.number, pair.alpha.now())
        assert session.peer_prekey is not None
        assert courier is not None
        return [session.peer_prekey.public, courier.public]

    before = held()
    assert public not in before
    assert stored(pair.alpha.hear("relay-1", beat(pair.bravo, echo=0, **said))) == []
    assert held() == before
    pair.alpha.hear("relay-1", beat(pair.bravo, **said))
    assert held() == [public, public]


def test_a_beat_with_a_courier_key_that_is_none_is_believed_in_nothing(pair: Pair) -> None:
    """What stands before the forged part would hold, and what stands behind it not (docs/protocol.md 4.1, 10.11)."""
    lie = content_pb2.CourierKey(prekey=prekey(pair.bravo, NO_KEYS[0], COURIER_LABEL))
    announced = prekey(pair.bravo, KemKey(b"n" * 32).public)
    before = pair.alpha.endpoint.context.session.peer_prekey
    assert stored(pair.alpha.hear("relay-1", beat(pair.bravo, announcement=announced, courier=lie))) == []
    assert pair.alpha.refusals() == ["prekey"]
    assert pair.alpha.endpoint.context.session.peer_prekey is before


def test_a_bundle_with_a_key_that_is_none_is_refused_in_a_sentence(pair: Pair) -> None:
    """Its importer would be stopped at the next export, or read nothing but a word (docs/protocol.md 17.5, 7.10)."""
    lie = prekey(pair.bravo, bytes(1216), COURIER_LABEL)
    body = bundle_pb2.BundleBody(charter=CHARTER, from_terminal=2, to_terminal=1, made_ms=WALL, prekey=lie)
    reply = imported(pair.alpha, encode_bundle(pair.bravo.signing, body))
    assert (reply.ok, reply.code) == (False, "prekey")
    assert reply.text.endswith("nothing was imported")
    assert counts(imported(pair.bravo, exported(pair.alpha))) == (0, 0, 0)


def test_what_was_stored_and_is_no_key_holds_up_no_start(pair: Pair) -> None:
    """A terminal that took one before it knew better would never start again (docs/protocol.md 3.5, 7.10)."""
    for table, label in (("peer_prekey", LABEL), ("peer_courier", COURIER_LABEL)):
        lie = prekey(pair.bravo, bytes(1216), label)
        (key,) = pair.alpha.memory.tables[table]
        pair.alpha.memory.tables[table][key] |= {"content": lie.body, "signature": lie.signature}
    pair.alpha.restart()
    assert not pair.alpha.endpoint.context.session.has_prekey
    assert not pair.alpha.endpoint.courier.usable(pair.alpha.now())
    pair.run(15_000)
    assert pair.alpha.submit("said all the same").ok
    pair.run(1_000)
    assert pair.alpha.states(1) == ["delivered"]
    assert pair.alpha.endpoint.courier.usable(pair.alpha.now()), "the peer has said its own again"


# --- openers that open nothing ---------------------------------------------------------------------------------------


def test_a_relay_that_makes_up_openers_holds_nobody_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take a whole core, and what the peer says would wait on every path (docs/protocol.md 7.11 and 11.2)."""
    tried: list[int] = []

    def counted(*given: Any) -> ReceivingEpoch:
        tried.append(pair.time)
        return ReceivingEpoch(*given)

    monkeypatch.setattr("hotline.protocol.openers.ReceivingEpoch", counted)
    newest, numbers = pair.alpha.endpoint.context.prekeys.newest, itertools.count()
    assert newest is not None

    def flood() -> None:
        for _ in range(50):
            header = Header(FLAG_OPENER, 1, 2, next(numbers).to_bytes(12, "big"), 0).encode()
            forged = header + newest.name[:PREKEY_TAG_SIZE] + bytes(OPENER_SIZE) + bytes(64)
            pair.alpha.hear("relay-1", envelope_frame(forged))

    end = pair.time + 5_000
    for at in range(0, 5_000, 100):
        pair.after(at, flood)
    pair.run(500)
    pair.bravo.restart()  # it opens epochs anew, and each of its envelopes has its opener until that is acknowledged
    pair.bravo.submit("over the other relay", FLASH)
    pair.run(2_000)
    assert pair.bravo.states(1) == ["delivered"]
    pair.run(end - pair.time + LOOK_AHEAD_INTERVAL)
    assert len(tried) < 7 * OPENERS_TRIED_MAX
    paths = pair.alpha.endpoint.context.paths
    assert {path.state for path in paths.values()} == {PathState.UP}


def test_openers_that_a_relay_has_kept_bring_no_epoch_back(pair: Pair) -> None:
    """It would push out the one in use, and have an entry made for each, for ever (docs/protocol.md 7.8)."""
    # docs/protocol.md 7.8, 7.11
    session = pair.alpha.endpoint.context.session
    for _ in range(2 * EPOCHS_KEPT_MAX):  # a number too far ahead has the peer asked for another epoch
        epoch = session._sending[Plane.REAL].epoch_id
        pair.bravo.hear("relay-2", envelope_frame(Header(0, 2, 1, epoch, 2**31).encode() + bytes(80)))
        pair.run(1_500)
    kept = {one[6:18]: one for who, _, one in pair.sent if who == "ALPHA" and one[1] & 0x01}
    assert len(kept) > EPOCHS_KEPT_MAX + 4
    pair.run(5_000)
    pair.bravo.restart()
    pair.run(5_000)
    begun = pair.bravo.kinds().count("key.epoch.opened")
    for _ in range(50):
        pair.bravo.hear("relay-2", *(envelope_frame(one) for one in kept.values()))
        pair.alpha.submit("now", FLASH)
        pair.run(10)
    assert pair.bravo.endpoint.context.session.opened_epoch(0) == tag(session._sending[Plane.REAL].epoch_id), (
        "and named"
    )
    assert pair.bravo.shown() == list(range(1, 51)), "the epoch in use has stayed"
    assert pair.bravo.kinds().count("key.epoch.opened") - begun <= len(kept), "each once in a run"
