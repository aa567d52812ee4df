"""Officers who show what they have opened to their principal, and promise answers, in bad weather (section 20)."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final
from unittest.mock import patch

import pytest

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Instant, Output, Plane, Put
from hotline.protocol.answers import Answers
from hotline.protocol.events import MarkShown, PromiseReply
from hotline.wire.v1 import content_pb2
from tests.simulator.judges import Broken
from tests.simulator.play import Result, run_seed
from tests.simulator.schedule import SHORT_STORM_MS

_EVERY_MS: Final = 700
Rung = tuple[str, int, str, object, int]
"""Plane, serial, stage, name of the statement, and until when."""


class Climbers:
    """What they do, and the judge of it: the sender is told of no rung that nobody over there has climbed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"climbers {world.seed}")
        self.said: dict[str, set[Rung]] = {name: set() for name in world.endpoints}
        self.told = {"shown": 0, "reply-by": 0}
        before = world.on_delivery

        def on_delivery(node: EndpointNode, delivery: Delivery) -> None:
            if not self._hears(node, delivery):
                before(node, delivery)

        world.on_delivery = on_delivery
        for node in world.endpoints.values():
            self._watch(node)
        for at in range(0, SHORT_STORM_MS, _EVERY_MS):
            world.at(at + self._rng.randrange(_EVERY_MS), self._something)

    # --- judge -------------------------------------------------------------------------------------------------------

    def _watch(self, node: EndpointNode) -> None:
        commit = node.commit

        def judged(batch: list[Output]) -> None:
            for change in (change for output in batch for change in output.changes):
                if isinstance(change, Put) and change.table == "unnoted":
                    row = change.row
                    place = str(row["plane"]), int(str(row["serial"])), str(row["stage"])
                    self.said[node.name].add((*place, row["hash"], int(str(row["until"]))))
            commit(batch)

        node.commit = judged  # type: ignore[method-assign]

    def _hears(self, node: EndpointNode, delivery: Delivery) -> bool:
        """Whether it was news of a rung, which the judges of every storm know nothing of."""
        fields = delivery.fields
        if delivery.kind == "sent" and fields["state"] == "shown":
            stage, until = "shown", 0
        elif delivery.kind == "promise" and fields["way"] == "sent":
            stage, until = "reply-by", int(str(fields["until"]))
        else:
            return False
        plane, serial = str(fields["plane"]), int(str(fields["serial"]))
        name = node.disk.tables["sent"][plane, serial]["hash"]
        self.told[stage] += 1
        if (plane, serial, stage, name, until) not in self.said[node.peer]:
            raise Broken("rung", f"{node.name} is told {stage} of #{serial}, which nobody at {node.peer} has said")
        return True

    def owed(self) -> list[Rung]:
        """What was said of statements that both sides hold, and is not on the sender's disk after the storm."""
        found = []
        for node in self._world.endpoints.values():
            held = node.disk.tables.get("ladder", {})
            for plane, serial, stage, name, until in self.said[node.peer]:
                row = node.disk.tables.get("sent", {}).get((plane, serial))
                if stage == "shown" and row is not None and row["hash"] == name:
                    found += [] if ("sent", plane, serial, stage) in held else [(plane, serial, stage, name, until)]
        return found

    # --- people ------------------------------------------------------------------------------------------------------

    def _something(self) -> None:
        node = self._rng.choice(list(self._world.endpoints.values()))
        opened = [key[:2] for key in node.disk.tables.get("received_fact", {}) if key[2] == "read"]
        opened = [(plane, serial) for plane, serial in opened if plane != Plane.SERVICE.value]
        if not node.up or node.frozen or not opened:
            return
        plane, serial = self._rng.choice(opened)
        named = {"plane": Plane(str(plane)), "serial": int(str(serial)), "officer": "duty"}
        until = node.now().wall + self._rng.randrange(1_000, 60_000)
        if self._rng.random() < 0.5:
            node.ask(partial(MarkShown, principal="", **named), lambda _: None)  # type: ignore[arg-type]
        else:
            node.ask(partial(PromiseReply, until=until, **named), lambda _: None)  # type: ignore[arg-type]


def played(seed: int) -> tuple[Result, Climbers]:
    """A short storm with such officers."""
    made: list[Climbers] = []
    result = run_seed(seed, short=True, prepare=lambda world: made.append(Climbers(world)))
    return result, made[0]


@pytest.mark.parametrize("seed", [2, 5])
def test_rungs_in_a_storm(seed: int) -> None:
    """A sender would believe that a leader has seen what no leader saw (docs/protocol.md 20.2 and 20.3)."""
    result, climbers = played(seed)
    assert result.broken == ""
    assert all(climbers.told.values()), climbers.told
    if "restore" not in result.played:  # an old disk on either side takes back what was said or told
        assert climbers.owed() == []


Step = Callable[[Answers, Plane, int, content_pb2.Receipt, bytes, Instant], None]


def test_what_was_read_and_is_told_as_shown_is_seen() -> None:
    """The test above would pass whatever was told (docs/protocol.md 20.3)."""
    read: Step = Answers._read

    def too_much(
        self: Answers, plane: Plane, serial: int, receipt: content_pb2.Receipt, name: bytes, now: Instant
    ) -> None:
        read(self, plane, serial, receipt, name, now)
        self._shown(plane, serial, receipt, name, now)

    with patch.object(Answers, "_read", too_much):
        assert played(2)[0].judge == "rung"


def test_a_promise_of_another_time_is_seen() -> None:
    """The test above would pass whatever was promised (docs/protocol.md 20.3)."""
    promised: Step = Answers._promised

    def later(
        self: Answers, plane: Plane, serial: int, receipt: content_pb2.Receipt, name: bytes, now: Instant
    ) -> None:
        other = content_pb2.Receipt()
        other.CopyFrom(receipt)
        other.reply_by_ms += 1
        promised(self, plane, serial, other, name, now)

    with patch.object(Answers, "_promised", later):
        assert played(2)[0].judge == "rung"
