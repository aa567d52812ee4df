"""Nothing gets by with less: no signature left out, no flag taken off, no other version or suite, in any frame kind.

Only `Custody`, envelopes and what they carry are signed. `Hello`, `Welcome`, `Taken` and `Refusal` are words between a
terminal and a relay whose certificates are pinned; that they vouch for nothing is part of the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from hotline.crypto import epochs
from hotline.crypto.signing import SigningKey
from hotline.machine import FramesReceived, LinkOpened, Output, Plane, RequestId
from hotline.protocol import custody, prekeys, session
from hotline.protocol.events import MarkShown, PromiseReply
from hotline.protocol.paths import PathState
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR, FLAG_TRANSIENT, HEADER_SIZE, Header, decode_header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2, frame_pb2
from relay.machine import Hotline, Relay
from tests.hotline.protocol.pair import CHARTER, WALL, Pair, durable, losing

STRANGER = SigningKey(b"x" * 32)


class Said(NamedTuple):
    """Something that BRAVO signed for ALPHA."""

    kind: str
    plane: Plane
    inner: Inner


@pytest.fixture(scope="module")
def said() -> dict[str, Said]:
    """One of every content type and receipt stage, from a real conversation."""
    pair = Pair(3)
    pair.alpha.start()
    pair.bravo.start()
    found: dict[str, Said] = {}
    sign = pair.bravo.endpoint.context.session.sign

    def noted(kind: ContentType, plane: Plane, content: bytes) -> Inner:
        inner = sign(kind, plane, content)
        name = kind.name
        if kind is ContentType.RECEIPT:
            name = content_pb2.Stage.Name(content_pb2.Receipt.FromString(content).stage)
        found.setdefault(name, Said(name, plane, inner))
        return inner

    pair.bravo.endpoint.context.session.sign = noted  # type: ignore[method-assign]
    pair.run(3_000)
    backup = pair.alpha.memory.copy()
    for party in (pair.alpha, pair.bravo):
        party.submit("words")
        pair.run(500)
        party.peer.read(1)
        pair.run(500)
    pair.bravo.step(MarkShown(RequestId(80), Plane.REAL, 1, "watch", "The Prime Minister"))
    pair.bravo.step(PromiseReply(RequestId(81), Plane.REAL, 1, "watch", WALL + 3_600_000))
    pair.run(500)
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.restart(backup)
    pair.alpha.submit("other words")
    pair.weather = losing(lambda sender, relay, envelope: not durable(envelope) and sender is pair.alpha)
    pair.run(9_000)
    return found


def test_one_of_everything_was_said(said: dict[str, Said]) -> None:
    """A kind that is missing here is not tested below."""
    others = {"STAGE_SETTLED", "STAGE_TOLD"}  # no peer says that; one among several parties does (26.11)
    stages = {name for name, number in content_pb2.Stage.items() if number} - others
    assert said.keys() == {"STATEMENT", "HEARTBEAT", "KEY_REQUEST"} | stages


KINDS = ["STATEMENT", "HEARTBEAT", "KEY_REQUEST", "STAGE_DELIVERED", "STAGE_READ", "STAGE_NOTED", "STAGE_CONFLICT"]

STRIPPED: dict[str, Callable[[Inner], Inner]] = {
    "zeros": lambda inner: inner._replace(signature=bytes(64)),
    "left out": lambda inner: inner._replace(signature=b""),
    "half": lambda inner: inner._replace(signature=inner.signature[:32] + bytes(32)),
    "another's": lambda inner: inner._replace(signature=STRANGER.sign("hotline/v1/statement/real", inner.content)),
    "of other words": lambda inner: inner._replace(content=inner.content[:-1] + bytes([inner.content[-1] ^ 1])),
}


def _deliver(pair: Pair, one: Said, inner: Inner) -> Output:
    """Seal as BRAVO's own terminal would and bring it to ALPHA: all that is missing is the signature."""
    if one.kind == "KEY_REQUEST":
        header = Header(FLAG_CLEAR | FLAG_TRANSIENT, 1, 2, bytes(12), 0).encode()
        return pair.alpha.hear("relay-1", envelope_frame(header + encode_inner(inner, padded=False)))
    transient = one.kind in ("HEARTBEAT", "STAGE_NOTED")
    sealed = pair.bravo.endpoint.context.session.seal(one.plane, inner, transient=transient)
    return pair.alpha.hear("relay-1", envelope_frame(sealed))


@pytest.fixture
def pair() -> Pair:
    return Pair(3).open()


@pytest.mark.parametrize("kind", KINDS)
def test_no_content_passes_without_its_signature(said: dict[str, Said], pair: Pair, kind: str) -> None:
    """Whoever has the keys of a session, and not the terminal's signing key, would speak for a capital."""
    one = said[kind]
    for change in STRIPPED.values():
        output = _deliver(pair, one, change(one.inner))
        assert [told.kind for told in output.deliver] == ["refused"]
        assert [change for change in output.changes if getattr(change, "table", "") != "peer_epoch"] == []
    assert set(pair.alpha.refusals()) <= {"signature", "inner", "padding"}
    _deliver(pair, one, one.inner)
    assert len(pair.alpha.refusals()) == len(STRIPPED), "what is signed is taken: only the signature was missing"


@pytest.mark.parametrize("kind", KINDS)
def test_stripping_would_be_seen(said: dict[str, Said], pair: Pair, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusals above could have another reason."""
    monkeypatch.setattr(session, "verify_content", lambda *_: None)
    _deliver(pair, said[kind], STRIPPED["zeros"](said[kind].inner))
    assert pair.alpha.refusals() == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "KEY_REQUEST"])
def test_only_a_key_request_comes_in_the_clear(said: dict[str, Said], pair: Pair, kind: str) -> None:
    """A relay that has seen no key could still put in what somebody once signed."""
    one = said[kind]
    header = Header(FLAG_CLEAR | FLAG_TRANSIENT, 1, 2, bytes(12), 0).encode()
    pair.alpha.hear("relay-1", envelope_frame(header + encode_inner(one.inner, padded=False)))
    assert pair.alpha.refusals() == ["content-type"]


def test_a_key_request_is_never_sealed(said: dict[str, Said], pair: Pair) -> None:
    """Two ways to say one thing would be two things to check."""
    _deliver(pair, said["KEY_REQUEST"]._replace(kind="STATEMENT"), said["KEY_REQUEST"].inner)
    assert pair.alpha.refusals() == ["content-type"]


def test_no_prekey_passes_without_its_signature(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay would hand out a prekey of its own and read everything from then on."""
    alpha, bravo = pair.alpha.endpoint.context, pair.bravo.endpoint.context
    held, newest = alpha.session.peer_prekey, bravo.prekeys.newest
    assert newest is not None
    body = content_pb2.PrekeyBody.FromString(newest.signed.body)
    body.generation += 5
    forged = content_pb2.SignedPrekey(body=encode(body), signature=newest.signed.signature)
    request = content_pb2.KeyRequest(unknown_epoch=bytes(12), prekey=forged, time_ms=WALL)
    inner = bravo.session.sign(ContentType.KEY_REQUEST, Plane.REAL, encode(request))
    _deliver(pair, Said("KEY_REQUEST", Plane.REAL, inner), inner)
    assert pair.alpha.refusals() == ["signature"]
    assert alpha.session.peer_prekey is held
    monkeypatch.setattr(prekeys, "verify", lambda *_: None)
    _deliver(pair, Said("KEY_REQUEST", Plane.REAL, inner), inner)
    assert alpha.session.peer_prekey is not held, "only the signature stood between"


def test_no_custody_passes_without_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender would believe that a relay holds what it threw away."""
    pair = Pair(3).open()
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.submit("words")
    item = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1]
    for key in (STRANGER, pair.relay_keys["relay-2"]):
        pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, [item.name], key))
    body = frame_pb2.CustodyBody(charter=CHARTER, terminal=1, envelope=[item.name], time_ms=WALL)
    bare = encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=encode(body))))
    pair.alpha.hear("relay-1", bare)
    assert pair.alpha.refusals() == ["signature"] * 3
    assert pair.alpha.states(1) == []
    monkeypatch.setattr(custody, "verify", lambda *_: None)
    pair.alpha.hear("relay-1", bare)
    assert pair.alpha.states(1) == ["relayed"]


# --- version, flags, suite --------------------------------------------------------------------------------------------


def _fresh_envelopes(said: dict[str, Said], pair: Pair) -> Iterator[bytes]:
    """One unused envelope of every shape: with and without opener, durable and transient, and in the clear."""
    bravo = pair.bravo.endpoint.context.session
    for epoch in bravo._sending.values():
        # Numbers that neither chain has seen: a used one would be passed over without a word.
        for chain in (epoch._durable, epoch._transient):
            while chain.next_number < 100:
                chain.take()
    shapes = [(said["STATEMENT"], False), (said["HEARTBEAT"], True)]
    for one, transient in shapes:
        yield bravo.seal(one.plane, one.inner, transient=transient)
    for epoch in bravo._sending.values():
        epoch.acknowledged = False
    for one, transient in shapes:
        yield bravo.seal(one.plane, one.inner, transient=transient)
    header = Header(FLAG_CLEAR | FLAG_TRANSIENT, 1, 2, b"fresh epoch!", 0).encode()
    yield header + encode_inner(said["KEY_REQUEST"].inner, padded=False)


@pytest.mark.parametrize("where", [0, 1], ids=["version", "flags"])
def test_every_other_version_and_flag_is_refused(said: dict[str, Said], pair: Pair, where: int) -> None:
    """A weaker format, or a message taken out of its shape, would be accepted because it parses."""
    envelopes = list(_fresh_envelopes(said, pair))
    assert len({envelope[1] for envelope in envelopes}) == 5
    for envelope in envelopes:
        for value in range(256):
            if value == envelope[where]:
                continue
            pair.time += 2_000  # the record of refusals is bounded by the minute
            altered = envelope[:where] + bytes([value]) + envelope[where + 1 :]
            output = pair.alpha.hear("relay-1", envelope_frame(altered))
            assert "refused" in [told.kind for told in output.deliver], (envelope[:2], value)
            assert output.changes == []
    before = len(pair.alpha.refusals())
    for envelope in envelopes:
        pair.alpha.hear("relay-1", envelope_frame(envelope))
    assert len(pair.alpha.refusals()) == before, "unaltered, each of them is taken"


def test_every_flag_is_authenticated_by_the_seal(said: dict[str, Said], pair: Pair) -> None:
    """The refusals above would be mere parsing: with the header out of the seal, a changed flag must pass."""
    bravo = pair.bravo.endpoint.context.session
    one = said["STATEMENT"]
    sealed = bravo.seal(one.plane, one.inner, transient=False)
    header = decode_header(sealed)
    other = Header(header.flags, header.recipient, header.sender, header.epoch, header.number + 1).encode()
    pair.alpha.hear("relay-1", envelope_frame(other + sealed[HEADER_SIZE:]))
    assert pair.alpha.refusals() == ["not-opened"]


def test_another_suite_opens_nothing(said: dict[str, Said], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sides that believe in two suites must not understand each other by chance."""
    pair = Pair(3).open()
    monkeypatch.setattr(epochs, "SUITE", "HL0_X25519_CHACHA20POLY1305_SHA256_ED25519")
    pair.bravo.endpoint.context.session._sending.clear()
    sealed = pair.bravo.endpoint.context.session.seal(Plane.REAL, said["STATEMENT"].inner, transient=False)
    monkeypatch.undo()
    pair.alpha.hear("relay-1", envelope_frame(sealed))
    assert pair.alpha.refusals() == ["not-opened"]


# --- frames that nobody signs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_relay_of_another_version_opens_no_path(version: int) -> None:
    """A relay could talk a terminal down to a format that it prefers."""
    pair = Pair(3)
    pair.alpha.start()
    welcome = encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=version, relay="relay-1")))
    pair.alpha.hear("relay-1", welcome)
    assert pair.alpha.endpoint.context.paths["relay-1"].state is PathState.DOWN


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_terminal_of_another_version_is_sent_away(version: int) -> None:
    """The same from the other side."""
    relay = Relay("relay-1", STRANGER, [Hotline(CHARTER, {"print": 1})], [])
    now = Pair(3).alpha.now()
    relay.step(LinkOpened("stream", "print"), now)
    hello = encode(frame_pb2.Frame(hello=frame_pb2.Hello(version=version, charter=CHARTER, terminal=1)))
    output = relay.step(FramesReceived("stream", (hello,)), now)
    assert [told.kind for told in output.deliver] == ["hang-up"]
    assert relay.attached == 0


def test_frames_that_nobody_signs_vouch_for_nothing(pair: Pair) -> None:
    """A relay could make a statement look taken, or make it go away, with a word that costs it nothing."""
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.alpha.submit("words")
    item = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1]
    assert item.envelope is not None
    name = item.envelope[4:HEADER_SIZE]
    for frame in (
        frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=[name])),
        frame_pb2.Frame(refusal=frame_pb2.Refusal(envelope_id=name, reason=frame_pb2.REFUSAL_REASON_MALFORMED)),
        frame_pb2.Frame(hello=frame_pb2.Hello(version=1, charter=CHARTER, terminal=1)),
        frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay="relay-1", waiting=9)),
    ):
        assert pair.alpha.hear("relay-1", encode(frame)).changes == []
    assert pair.alpha.states(1) == []
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].pending == {1: item}
    assert {field.name for field in frame_pb2.Frame.DESCRIPTOR.fields} == {
        "hello",
        "welcome",
        "envelope",
        "custody",
        "taken",
        "refusal",
    }
