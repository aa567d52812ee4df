"""Programs of unequal versions, and of one version that do not know the same words (docs/protocol.md 4.9)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hotline.limits import WIRE_VERSION
from hotline.machine import LinkClosed, LinkOpened, Plane
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import frame_pb2

from .pair import Pair

A_LATER_FIELD = b"\xfa\x7f\x01x"
"""Field 2047, which no message of this version has."""


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def says_more(pair: Pair, kind: ContentType, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on ALPHA is a later program: what it signs and seals of this kind has a field more."""
    session = pair.alpha.endpoint.context.session
    seal: Callable[..., bytes] = session.seal

    def later(plane: Plane, inner: Inner, *, transient: bool) -> bytes:
        more = session.sign(kind, plane, inner.content + A_LATER_FIELD) if inner.type is kind else inner
        return seal(plane, more, transient=transient)

    monkeypatch.setattr(session, "seal", later)


def test_a_field_that_one_side_does_not_know_is_refused_and_seen_as_a_gap(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what was said would be shown as the whole, or its loss would show nowhere (docs/protocol.md 4.9)."""
    with monkeypatch.context() as later:
        says_more(pair, ContentType.STATEMENT, later)
        pair.alpha.submit("with a word more")
        pair.run(20_000)
    assert set(pair.bravo.refusals()) == {"spelling"}
    assert pair.bravo.shown() == []
    assert "delivered" not in pair.alpha.states(1)
    assert "gap" in pair.bravo.alarms()
    pair.run(60_000)
    assert pair.alpha.states(1)[-1] == "delivered", "what both know was not said again"


def test_heartbeats_that_the_other_side_cannot_read_are_silence(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that cannot follow would be shown as listening (docs/protocol.md 4.9 and 11.3)."""
    says_more(pair, ContentType.HEARTBEAT, monkeypatch)
    pair.run(60_000)
    assert set(pair.bravo.refusals()) == {"spelling"}
    assert "no-path" in pair.bravo.alarms()


def test_an_envelope_of_another_version_is_refused_and_its_like_of_ours_taken(pair: Pair) -> None:
    """A later layout would be read as if it were this one (docs/protocol.md 4.9)."""
    pair.alpha.submit("x")
    envelope = next(data for who, _, data in reversed(pair.sent) if who == "ALPHA")
    assert envelope[0] == WIRE_VERSION
    for version in (0, WIRE_VERSION + 1, 255):
        before = len(pair.bravo.refusals())
        pair.bravo.hear("relay-1", envelope_frame(bytes([version]) + envelope[1:]))
        assert pair.bravo.refusals()[before:] == ["version"]
    pair.run(500)
    assert pair.alpha.states(1)[-1] == "delivered"


def test_a_relay_of_another_version_opens_no_path() -> None:
    """What it carries would be read as if it were of this one (docs/protocol.md 4.9 and 5.5)."""
    pair = Pair(relays=1)
    pair.alpha.start()
    pair.alpha.step(LinkClosed("relay-1", "again"))
    pair.alpha.step(LinkOpened("relay-1"))
    path = pair.alpha.endpoint.context.paths["relay-1"]
    for version in (0, WIRE_VERSION + 1):
        pair.alpha.hear("relay-1", encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=version, relay="relay-1"))))
    assert pair.alpha.refusals() == ["version"] * 2
    assert not path.open
    pair.alpha.hear("relay-1", encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay="relay-1"))))
    assert path.open
