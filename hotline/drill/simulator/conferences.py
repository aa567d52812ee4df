"""A terminal among several parties in the simulator: a Conference, with the tables of each other party on one disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.shelf import Shelf
from hotline.machine import Output, Reply, RequestId, Tick
from hotline.protocol.conference import Conference, ConferenceEvent, To
from hotline.protocol.context import EndpointSetup
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import EndpointEvent


class ConferenceNode(EndpointNode):
    """One terminal of several parties. `machine` is what it has with the first of the others by name."""

    conference: Conference | None = None
    on_made: Callable[[Conference], None] = staticmethod(lambda _: None)
    """Called with each new machine before it takes its first step."""

    @property
    def others(self) -> list[EndpointNode]:
        """The terminals of the other parties, in the order of their names."""
        found = [node for node in self.world.endpoints.values() if node is not self]
        return sorted(found, key=lambda node: node.name)

    def scope(self, party: str) -> str:
        """Whose name the tables bear that hold what there is with `party`: none for the first."""
        return "" if party == self.others[0].name else party

    def member(self, party: str) -> Endpoint:
        """What it has with one other party; it must run."""
        assert self.conference is not None
        return self.conference.members[party]

    def build(self) -> Endpoint:
        """The machine, from what the disk holds."""

        def ports(party: str) -> tuple[Shelf, Shelf]:
            shelf = Shelf(self.disk, party)
            return shelf, shelf

        setups = [self.setup(other) for other in self.others]
        self.conference = Conference(setups, self.world.entropy, ports, self.disk.log, self.now())
        self.on_made(self.conference)
        return self.conference.first

    def setup(self, remote: EndpointNode) -> EndpointSetup:
        """What the machine is given, of one other party."""
        fellows = tuple(one.log for one in self.others if one is not remote)
        return replace(super().setup(remote), others=(), everyone=True, fellow_logs=fellows)

    def decide(self, event: ConferenceEvent | Tick) -> Output:
        """One step of the machine."""
        assert self.conference is not None
        return self.conference.step(event, self.now())

    def deadline(self) -> int | None:
        assert self.conference is not None
        return self.conference.next_deadline()

    def ask_at(self, party: str, make: Callable[[RequestId], EndpointEvent], then: Callable[[Reply], None]) -> None:
        """Step with a request from the window of `party`."""
        self.ask(lambda request: To(party, make(request)), then)

    def crash(self) -> None:
        super().crash()
        self.conference = None
