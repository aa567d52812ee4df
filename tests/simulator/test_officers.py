"""Officers who say what their side is, ask, and send couriers, in bad weather (docs/protocol.md sections 17 and 18)."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final
from unittest.mock import patch

import pytest

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Output, Reply
from hotline.protocol.bundle import read_bundle
from hotline.protocol.courier import Courier
from hotline.protocol.events import AskPresence, ExportBundle, ImportBundle, SetPresence
from hotline.protocol.presence import SETTABLE, Presence, presence_word
from hotline.protocol.statements import PRESENCE_WITH_TIME
from hotline.wire.v1 import content_pb2
from tests.simulator.judges import Broken
from tests.simulator.play import Result, run_seed
from tests.simulator.schedule import SHORT_STORM_MS

_EVERY_MS: Final = 1_500
_JOURNEY_MS: Final = 30_000


class Officers:
    """What they do, and the judges of it: no word is told that was not said, and only whole bundles are taken."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"officers {world.seed}")
        self.said = {name: {("alive", 0)} for name in world.endpoints}
        self.told: dict[str, list[tuple[str, int]]] = {name: [] for name in world.endpoints}
        self.rung = 0
        self.carried = {"whole": 0, "altered": 0, "astray": 0}
        told = world.on_delivery

        def on_delivery(node: EndpointNode, delivery: Delivery) -> None:
            self._hears(node, delivery)
            told(node, delivery)

        world.on_delivery = on_delivery
        for node in world.endpoints.values():
            self._watch(node)
        for at in range(0, SHORT_STORM_MS, _EVERY_MS):
            world.at(at + self._rng.randrange(_EVERY_MS), self._something)

    # --- judges ------------------------------------------------------------------------------------------------------

    def _watch(self, node: EndpointNode) -> None:
        commit = node.commit

        def judged(batch: list[Output]) -> None:
            for record in (record for output in batch for record in output.records if record.kind == "presence.set"):
                self.said[node.name].add((str(record.fields["presence"]), int(str(record.fields["until"]))))
            commit(batch)

        node.commit = judged  # type: ignore[method-assign]

    def _hears(self, node: EndpointNode, delivery: Delivery) -> None:
        fields = delivery.fields
        if delivery.kind == "alarm" and fields["name"] == "presence-asked":
            self.rung += 1
        if delivery.kind == "presence" and fields["by"] == "peer":
            word = str(fields["presence"]), int(str(fields["until"]))
            self.told[node.name].append(word)
            if word not in self.said[node.peer] and word != ("closing", 0):
                raise Broken("presence", f"{node.name} is told {word}, which {node.peer} never said")

    def agree(self) -> list[str]:
        """After the storm each side holds the other's word; who does not, in words."""
        found = []
        for node in self._world.endpoints.values():
            peer = self._world.endpoints[node.peer].machine
            assert node.machine is not None
            assert peer is not None
            held = node.machine.context.peer
            if (held.presence, held.presence_until) != (peer.presence.word, peer.presence.until):
                found.append(f"{node.name} holds {presence_word(held.presence)}")
        return found

    # --- people ------------------------------------------------------------------------------------------------------

    def _something(self) -> None:
        node = self._rng.choice(list(self._world.endpoints.values()))
        act = self._rng.choice((self._say, self._say, self._ask, self._export))
        if node.up and not node.frozen:
            act(node)

    def _say(self, node: EndpointNode) -> None:
        word = self._rng.choice(list(SETTABLE))
        ends = SETTABLE[word] in PRESENCE_WITH_TIME and self._rng.random() < 0.5
        until = node.now().wall + self._rng.randrange(1_000, 20_000) if ends else 0
        node.ask(partial(SetPresence, officer="duty", word=word, until=until), lambda _: None)

    def _ask(self, node: EndpointNode) -> None:
        node.ask(partial(AskPresence, officer="duty"), lambda _: None)

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


@pytest.mark.parametrize("seed", [2, 13])
def test_words_and_couriers_in_a_storm(seed: int) -> None:
    """A word would be told that nobody said, or a bundle say a thing twice (docs/protocol.md 17.6, 18.2 and 18.3)."""
    result, officers = played(seed)
    assert result.broken == ""
    assert officers.agree() == []
    assert officers.rung
    assert all(officers.carried.values()), officers.carried
    assert all(len(set(told)) > 2 for told in officers.told.values()), officers.told


def never_declines(
    write: Callable[..., None], self: Presence, heartbeat: content_pb2.Heartbeat, *, closing: bool
) -> None:
    """Who consults is said to have declined."""
    write(self, heartbeat, closing=closing)
    if heartbeat.presence == content_pb2.PRESENCE_CONSULTING:
        heartbeat.presence, heartbeat.presence_until_ms = content_pb2.PRESENCE_PRINCIPAL_ABSENT, 1


def test_a_word_that_nobody_said_is_seen() -> None:
    """The test above would pass whatever was told (docs/protocol.md 18.2)."""
    write = Presence.write
    other = lambda self, heartbeat, *, closing: never_declines(write, self, heartbeat, closing=closing)  # noqa: E731
    with patch.object(Presence, "write", other):
        assert played(2)[0].judge == "presence"


def test_a_bundle_that_is_taken_unverified_is_seen() -> None:
    """The test above would pass whatever a courier brought (docs/protocol.md 17.5)."""
    with patch.object(Courier, "_checked", lambda self, data: read_bundle(data)):
        assert played(2)[0].judge == "courier"
