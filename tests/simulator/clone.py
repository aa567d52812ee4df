"""A thief who has a backup and every key of a terminal, and runs a second one from them beside the first."""

from __future__ import annotations

from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Plane
from hotline.protocol.events import Submit
from hotline.wire.v1 import content_pb2

STOLEN_WORDS = "real statement of a thief"
"""Begins what a clone says: it is signed by the true key, and the peer cannot but believe it."""
_FIRST_STREAM = 10_000


class _Ghost(EndpointNode):
    """A terminal that stands in no world's list; it has cables of its own."""

    def __init__(self, world: World, victim: EndpointNode, disk: Disk) -> None:
        super().__init__(world, victim.name, victim.number, victim.peer, victim.peer_number)
        self.signing, self.ledger_key, self.storage_key = victim.signing, victim.ledger_key, victim.storage_key
        self.disk = disk
        self.heard = 0
        self._own = {relay.name: Cable(world, self, relay) for relay in world.relays.values()}
        for cable in self._own.values():
            cable.opened = _FIRST_STREAM

    def cable(self, relay: str) -> Cable:
        return self._own[relay]

    def deliver(self, delivery: Delivery) -> None:
        self.heard += delivery.kind == "path" and delivery.fields["state"] == "up"

    def unplug(self) -> None:
        """It is gone, with its streams."""
        self.up = False
        self.run += 1
        for cable in self._own.values():
            cable.break_now("the thief is gone")


class Clone:
    """Runs from now until `end`."""

    def __init__(self, world: World, victim: EndpointNode, disk: Disk) -> None:
        self._ghost = _Ghost(world, victim, disk)
        self._ghost.start()
        world.after(3_000, self._speak)

    @property
    def of(self) -> str:
        """In whose name it runs."""
        return self._ghost.name

    @property
    def heard(self) -> int:
        """How often it had the peer on a path."""
        return self._ghost.heard

    def _speak(self) -> None:
        text = f"{STOLEN_WORDS} at {self._ghost.world.time}"
        self._ghost.ask(
            lambda number: Submit(
                number, Plane.REAL, content_pb2.PRECEDENCE_FLASH, "en", content_pb2.DIRECTION_LTR, text, "thief"
            ),
            lambda reply: None,
        )

    def end(self) -> None:
        """The keys were replaced, or the thief was caught."""
        if self._ghost.up:
            self._ghost.unplug()
