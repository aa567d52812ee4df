"""A hostile relay costs time, never truth; and faults in the cryptography that the judges must see."""

from __future__ import annotations

import copy
from typing import Any
from unittest.mock import patch

import pytest

from hotline.crypto.epochs import SendingEpoch
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.nodes import RelayNode
from hotline.drill.simulator.world import World
from hotline.machine import FramesReceived, Output
from hotline.protocol.prekeys import OwnPrekeys
from hotline.wire.codec import envelope_frame
from hotline.wire.inner import ContentType
from tests.simulator import forgery
from tests.simulator.judges import Broken, Judges
from tests.simulator.play import play, run_seed
from tests.simulator.schedule import Event, draw
from tests.simulator.secrecy import Secrecy


def _forge() -> tuple[World, Judges, str]:
    world = World(11)
    judges = Judges(world)
    world.start()
    world.run_until(5_000)
    alpha = world.endpoints["ALPHA"]
    content = forgery.statement(world, alpha, "real statement that ALPHA never made")
    frame = forgery.sealed(world, alpha, ContentType.STATEMENT, content, SigningKey(world.entropy(32)))
    assert frame is not None
    try:
        world.endpoints["BRAVO"].post(FramesReceived("relay-1", (frame,)))
        world.run_until(8_000)
    except Broken as error:
        return world, judges, str(error)
    return world, judges, ""


def test_a_statement_without_the_senders_signature_is_refused() -> None:
    """Whoever holds the pairwise secret could put words into a leader's mouth."""
    world, judges, broken = _forge()
    assert not broken
    assert not judges.shown["BRAVO"].texts
    assert not world.endpoints["BRAVO"].disk.tables.get("received")
    assert any(b"refused" in leaf for leaf in world.endpoints["BRAVO"].disk.log.leaves)


def test_judges_see_a_forgery_when_signatures_are_not_checked() -> None:
    """A judge that cannot see a forgery would let a missing check pass."""
    with patch("hotline.protocol.session.verify_content", lambda *_: None):
        _, _, broken = _forge()
    assert "nobody said" in broken


@pytest.mark.parametrize("seed", [100, 102])
def test_a_lying_relay_changes_nothing(seed: int) -> None:
    """Replayed, altered or cut frames would lose, repeat or forge a statement, or stop a terminal."""
    schedule = draw(seed, short=True, storm_ms=60_000)
    lies = (Event(2_000, "babble alpha relay-1 for 50s"), Event(2_000, "babble bravo relay-2 for 50s"))
    result = play(schedule.thinned(tuple(sorted((*schedule.events, *lies)))))
    assert not result.broken
    assert result.played["babble"] > 50


def test_judges_see_a_key_that_is_used_twice() -> None:
    """Two envelopes under one key and nonce give both texts away."""

    def cloned(self: SendingEpoch, *, transient: bool) -> tuple[int, Any]:
        return copy.deepcopy(self._transient if transient else self._durable).take()

    with patch.object(SendingEpoch, "take", cloned):
        result = run_seed(3, storm_ms=20_000, calm_ms=0)
    assert result.judge == "key"


def test_judges_see_prekeys_that_are_never_destroyed() -> None:
    """Old mail could be read with a terminal that is captured later."""

    with patch.object(OwnPrekeys, "used", lambda *_: None):
        result = run_seed(2, storm_ms=20_000, calm_ms=0, idle_hour=True)
    assert "prekey secrets after a quiet hour" in result.broken


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_a_relay_that_signs_before_it_stores_costs_nothing(seed: int) -> None:
    """Truth would rest on a relay's disk if a relay that forgets what it signed for could lose a statement."""

    def hasty(self: RelayNode, batch: list[Output]) -> None:
        """Nothing is stored, everything is signed for."""

    with patch.object(RelayNode, "commit", hasty):
        assert not run_seed(seed, storm_ms=60_000, calm_ms=0).broken


@pytest.mark.parametrize(
    ("frame", "judge"),
    [
        (envelope_frame(bytes([1, 0, 0, 2, 0, 1]) + bytes(16) + b"a statement " + bytes(200)), "plaintext"),
        (envelope_frame(bytes([1, 0, 0, 2, 0, 1]) + bytes(16) + b"FLASH" + bytes(171)), "plaintext"),
        (envelope_frame(bytes([1, 0, 0, 2, 0, 1]) + bytes(16) + bytes(177)), "size-class"),
        (envelope_frame(bytes([1, 8, 0, 2, 0, 1]) + bytes(16) + bytes(176)), "header"),
    ],
)
def test_judges_see_what_a_relay_may_not(frame: bytes, judge: str) -> None:
    """A leak to relays would pass unseen."""
    secrecy = Secrecy(World(1))
    secrecy.judge(envelope_frame(bytes([1, 0, 0, 2, 0, 1]) + bytes(16) + bytes(176)))
    with pytest.raises(Broken) as found:
        secrecy.judge(frame)
    assert found.value.judge == judge
