"""Officers who send couriers in bad weather (docs/protocol.md section 17); the rest of them is in every storm."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Final
from unittest.mock import patch

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Reply
from hotline.protocol.bundle import Bundle, open_bundle, read_bundle
from hotline.protocol.events import ExportBundle, ImportBundle
from tests.simulator.judges import Broken
from tests.simulator.play import Result, run_seed
from tests.simulator.schedule import SHORT_STORM_MS

_EVERY_MS: Final = 4_500
_JOURNEY_MS: Final = 30_000


class Officers:
    """What they do, and the judge of it: only whole bundles are taken."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"officers {world.seed}")
        self.carried = {"whole": 0, "altered": 0, "astray": 0}
        for at in range(0, SHORT_STORM_MS, _EVERY_MS):
            world.at(at + self._rng.randrange(_EVERY_MS), self._something)

    # --- people ------------------------------------------------------------------------------------------------------

    def _something(self) -> None:
        node = self._rng.choice(list(self._world.endpoints.values()))
        if node.up and not node.frozen:
            self._export(node)

    def _export(self, node: EndpointNode) -> None:
        def leaves(reply: Reply) -> None:
            data = reply.fields["bundle"]
            assert isinstance(data, bytes)
            for _ in range(self._rng.choice((1, 1, 2))):
                self._world.after(self._rng.randrange(_JOURNEY_MS), lambda: self._arrives(node, data))

        node.ask(partial(ExportBundle, officer="duty"), leaves)

    def _arrives(self, sender: EndpointNode, data: bytes) -> None:
        how = self._rng.choice(("whole", "whole", "altered", "astray"))
        node = sender if how == "astray" else self._world.endpoints[sender.peer]
        if how == "altered":
            at = self._rng.randrange(len(data))
            data = data[:at] + bytes((data[at] ^ 1 << self._rng.randrange(8),)) + data[at + 1 :]
        if not node.up or node.frozen:
            return

        def taken(reply: Reply) -> None:
            self.carried[how] += 1
            if reply.ok != (how == "whole"):
                raise Broken("courier", f"{node.name}: a bundle that is {how}: {reply.text}")

        node.ask(partial(ImportBundle, officer="duty", bundle=data), taken)


def played(seed: int) -> tuple[Result, Officers]:
    """A short storm with such officers."""
    made: list[Officers] = []
    result = run_seed(seed, short=True, prepare=lambda world: made.append(Officers(world)))
    return result, made[0]


def test_couriers_in_a_storm() -> None:
    """A bundle would say a thing twice (docs/protocol.md 17.6)."""
    result, officers = played(2)
    assert result.broken == ""
    assert all(officers.carried.values()), officers.carried


def test_a_bundle_that_is_taken_unverified_is_seen() -> None:
    """The test above would pass whatever a courier brought (docs/protocol.md 17.5)."""

    def believed(data: bytes, charter: bytes, senders: Mapping[int, bytes], recipient: int) -> Bundle:
        bundle = read_bundle(data)
        return bundle if bundle.sender in senders else open_bundle(data, charter, senders, recipient)

    with patch("hotline.protocol.courier.open_bundle", believed):
        assert played(2)[0].judge == "courier"
