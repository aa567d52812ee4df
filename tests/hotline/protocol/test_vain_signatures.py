"""What a relay, or another terminal, may have a terminal verify for nothing: little, and nobody else pays for it."""

from __future__ import annotations

from typing import Any

import pytest

from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import SigningKey
from hotline.limits import LOOK_AHEAD_INTERVAL, SIGNATURES_TRIED_MAX
from hotline.machine import Plane
from hotline.protocol import custody, session
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import frame_pb2

from .pair import CHARTER, Memory, Pair, durable, losing
from .quartet import Quartet
from .test_hostile_keys import key_request, prekey

STRANGER = SigningKey(b"s" * 32)


@pytest.fixture
def pair() -> Pair:
    """ALPHA has said three things that no relay passes on."""
    pair = Pair().open()
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    for number in range(3):
        pair.alpha.submit(f"number {number}")
    return pair


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """Gets one more element whenever that function of that module is called."""
    calls: list[int] = []
    real = getattr(module, name)

    def call(*given: Any) -> Any:
        calls.append(len(calls))
        return real(*given)

    monkeypatch.setattr(module, name, call)
    return calls


def names(pair: Pair) -> list[bytes]:
    """Of the envelopes under way, by serial."""
    return [item.name for _, item in sorted(pair.alpha.endpoint.context.outboxes[Plane.REAL].pending.items())]


def relays(pair: Pair, serial: int) -> set[str]:
    """Who is known to hold it."""
    return pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[serial].custody


# --- custody ---------------------------------------------------------------------------------------------------------


def test_a_receipt_of_custody_that_says_nothing_new_is_not_verified(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relays could make a terminal verify signatures for nothing as long as they like (docs/protocol.md 5.19)."""
    verified, (first, second, _) = counted(monkeypatch, custody, "verify"), names(pair)
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [bytes(32)]))
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [bytes(32)], STRANGER))
    assert (verified, pair.alpha.refusals()) == ([], []), "of what this terminal never sent"
    true = pair.custody_frame("relay-1", 1, [bytes(32), first])
    for _ in range(5):
        pair.alpha.hear("relay-1", true)
    assert (len(verified), relays(pair, 1)) == (1, {"relay-1"})
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [first, second]))
    pair.alpha.hear("relay-2", pair.custody_frame("relay-2", 1, [first]))
    assert (len(verified), relays(pair, 1), relays(pair, 2)) == (3, {"relay-1", "relay-2"}, {"relay-1"})


def test_custody_is_looked_at_before_its_signature(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no key to be found out would cost a signature (docs/protocol.md 5.19)."""
    verified, (first, *_) = counted(monkeypatch, custody, "verify"), names(pair)
    for frame in (
        encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=b"\xff", signature=bytes(64)))),
        pair.custody_frame("relay-1", 2, [first]),
    ):
        pair.alpha.hear("relay-1", frame)
    body = encode(frame_pb2.CustodyBody(charter=bytes(32), terminal=1, envelope=[first], time_ms=1))
    signature = pair.relay_keys["relay-1"].sign("hotline/v1/custody", body)
    pair.alpha.hear("relay-1", encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=body, signature=signature))))
    assert pair.alpha.refusals() == ["unreadable", "custody-address", "custody-address"]
    assert (verified, relays(pair, 1)) == ([], set())


def test_a_relay_that_forges_custody_pays_for_it_alone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows what it has been given, and could keep a terminal busy with that (docs/protocol.md 5.19)."""
    verified, (first, *_) = counted(monkeypatch, custody, "verify"), names(pair)
    forged = [pair.custody_frame("relay-1", 1, [first], STRANGER)] * 100
    begun = pair.time
    pair.alpha.hear("relay-1", *forged)
    pair.time = begun + LOOK_AHEAD_INTERVAL - 1
    pair.alpha.hear("relay-1", *forged)
    assert pair.alpha.refusals() == ["signature"] * SIGNATURES_TRIED_MAX
    assert len(verified) == SIGNATURES_TRIED_MAX
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [first]))
    assert relays(pair, 1) == set()
    pair.alpha.hear("relay-2", pair.custody_frame("relay-2", 1, [first]))
    assert relays(pair, 1) == {"relay-2"}, "another relay is heard all the same"
    pair.time = begun + LOOK_AHEAD_INTERVAL
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [first]))
    assert relays(pair, 1) == {"relay-1", "relay-2"}


def test_a_burst_of_true_custody_is_heard_to_its_end() -> None:
    """A thousand statements would leave, and most be said to be in nobody's hands (docs/protocol.md 5.19 and 12.4)."""
    pair = Pair().open()
    pair.custody = True
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    serials = range(1, 5 * SIGNATURES_TRIED_MAX + 1)
    for serial in serials:
        pair.alpha.submit(f"number {serial}")
    pair.run(LOOK_AHEAD_INTERVAL - 100)
    assert [relays(pair, serial) for serial in serials] == [{"relay-1", "relay-2"}] * len(serials)
    assert pair.alpha.refusals() == []


# --- key requests ----------------------------------------------------------------------------------------------------


def forged_request(sender: int, to: int) -> bytes:
    """A key request that a stranger has signed."""
    inner = Inner(ContentType.KEY_REQUEST, b"", STRANGER.sign("hotline/v1/key-request/real", CHARTER))
    header = Header(FLAG_CLEAR | FLAG_TRANSIENT, to, sender, bytes(12), 0).encode()
    return envelope_frame(header + encode_inner(inner, padded=False))


def test_a_flood_of_key_requests_is_read_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay, or a recording of it, could keep a terminal verifying as long as it likes (docs/protocol.md 7.13)."""
    pair = Pair().open()
    replayed = next(envelope_frame(e) for sender, _, e in pair.sent if sender == "BRAVO" and e[1] & FLAG_CLEAR)
    pair.run(10_000)
    begun, verified = pair.time, counted(monkeypatch, session, "verify_content")
    pair.alpha.hear("relay-1", *[forged_request(2, 1), replayed] * 50)
    pair.time = begun + LOOK_AHEAD_INTERVAL - 1
    pair.alpha.hear("relay-1", *[forged_request(2, 1), replayed] * 50)
    assert len(verified) == SIGNATURES_TRIED_MAX
    assert pair.alpha.refusals() == ["signature"] * (SIGNATURES_TRIED_MAX // 2)
    for number, (relay, at, heard) in enumerate(
        [
            ("relay-1", LOOK_AHEAD_INTERVAL - 1, False),
            ("relay-2", LOOK_AHEAD_INTERVAL - 1, True),
            ("relay-1", LOOK_AHEAD_INTERVAL, True),
        ]
    ):
        pair.time = begun + at
        news = prekey(pair.bravo, KemKey(bytes([number]) * 32).public, generation=9 * 10**9 + number)
        output = pair.alpha.hear(relay, key_request(pair.bravo, news))
        assert ("peer_prekey" in {change.table for change in output.changes}) is heard, (relay, at)


def test_one_terminals_flood_of_key_requests_takes_nothing_from_another_one() -> None:
    """A stolen terminal would keep the other one of its party off an honest relay (docs/protocol.md 7.13)."""
    four = Quartet().open()
    assert list(four.relay_keys) == ["relay-1"]
    four.alpha.hear("relay-1", *[forged_request(4, 1)] * 200)
    news = prekey(four.bravo, KemKey(b"k" * 32).public)
    output = four.alpha.hear("relay-1", key_request(four.bravo, news))
    assert "peer_prekey" in {change.table for change in output.changes}


def test_a_terminal_that_lost_everything_is_answered_whatever_floods_beside_it() -> None:
    """Two terminals would not speak again as long as one relay lies (docs/protocol.md 7.7 and 7.13)."""
    pair = Pair().open()
    lie = frame_pb2.Frame.FromString(forged_request(2, 1)).envelope
    pair.weather = lambda sender, relay, envelope: (
        [lie] * 20 if (sender, relay) == (pair.bravo, "relay-1") else [envelope]
    )
    pair.bravo.restart(Memory())
    pair.run(5_000)
    pair.alpha.submit("said to one who knows nothing")
    pair.bravo.submit("and answered")
    pair.run(3_000)
    assert pair.alpha.states(1) == ["delivered"]
    assert pair.bravo.states(1)[-1:] == ["delivered"]
