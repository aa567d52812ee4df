"""Officers who say every other thing without prejudice, in bad weather."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from hotline.drill.simulator.world import World
from hotline.errors import Untrusted
from hotline.ledger.record import parse_leaf
from hotline.machine import Plane, RequestId
from hotline.protocol import modes
from hotline.protocol.context import Context
from hotline.protocol.events import Submit
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.wire.v1 import content_pb2
from tests.simulator.people import Said
from tests.simulator.play import Result, run_seed


def quietly(said: Said, request: RequestId, drafter: str) -> Submit:
    """Every other word that may be said so."""
    ltr = content_pb2.DIRECTION_LTR
    event = Submit(request, said.plane, said.precedence, "en", ltr, said.text, drafter, said.validity)
    may = said.plane is not Plane.SERVICE and said.precedence != content_pb2.PRECEDENCE_FLASH
    return replace(event, without_prejudice=may and len(said.text) % 2 == 0)


def played(seed: int) -> tuple[Result, World]:
    """A short storm."""
    worlds: list[World] = []
    with patch.object(Said, "event", quietly):
        result = run_seed(seed, short=True, prepare=worlds.append)
    return result, worlds[0]


@pytest.mark.parametrize("seed", [2])
def test_both_modes_weather_the_same_storm(seed: int) -> None:
    """What bears no signature would be lost, shown twice or out of order (docs/protocol.md 22.4 and 22.5)."""
    result, world = played(seed)
    assert result.broken == ""
    for node in world.endpoints.values():
        leaves = [parse_leaf(leaf) for leaf in node.disk.log.leaves]
        quiet = [leaf for leaf in leaves if leaf.type in ("nonpaper.submit", "nonpaper.recv")]
        assert len({leaf.type for leaf in quiet}) == 2
        assert all(not leaf.commit and "statement" not in leaf.fields for leaf in quiet)
        if node.disk.log.epoch == 1:
            assert differences(rebuild(leaves), {name: node.rows(name) for name in REBUILT}) == []


def test_a_mode_that_is_lost_on_the_disk_is_seen() -> None:
    """The judge of kept statements would pass a non-paper that is kept as one of record (docs/protocol.md 22.7)."""

    def plainly(ctx: Context, name: object, content: bytes) -> bytes:
        del ctx, name
        return content

    with patch.object(modes, "keep", plainly), pytest.raises(Untrusted, match="signature"):
        played(2)
