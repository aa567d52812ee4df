"""Channel tests in every weather: beside ordinary traffic, through storms, crashes, old backups and lying relays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hotline.drill.simulator.shelf import Shelf
from hotline.drill.simulator.world import World
from hotline.ledger.record import parse_leaf
from hotline.machine import Plane
from hotline.protocol.neutral import UNATTENDED, kind_of
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from tests.simulator.play import play
from tests.simulator.schedule import draw
from tests.simulator.stored import statement_of

INTERVAL = 30_000


@pytest.mark.parametrize("seed", [4, 7])
def test_tests_keep_every_promise_and_call_nobody(seed: int) -> None:
    """What tests the line would itself lose statements, repeat them, or fill an inbox."""
    worlds: list[World] = []
    schedule = replace(draw(seed, short=False), tests_ms=INTERVAL)
    result = play(schedule, calm_ms=300_000, prepare=worlds.append)
    assert result.broken == ""
    (world,) = worlds
    for node in world.endpoints.values():
        assert node.machine is not None
        arrived = [row for row in node.disk.tables["channel_test"].values() if row["way"] == "received"]
        assert arrived, "no test came in five minutes"
        unread = node.machine.context.unread[Plane.REAL]
        for (plane, serial), row in node.disk.tables["received"].items():
            if kind_of(statement_of(node, "received", row)) in UNATTENDED:
                assert plane == Plane.REAL
                assert serial not in unread
        kept = node.machine.tests.kept
        assert (kept.missed, kept.undelivered) == (0, 0), "after minutes of calm the line is well"
        tables = {name: Shelf(node.disk).rows(name) for name in REBUILT}
        assert differences(rebuild(parse_leaf(leaf) for leaf in node.disk.log.leaves), tables) == []
