"""Each two of several parties as a world of two, so that the judges of two see each pair as it is.

A window is what one terminal has with one other party: its tables by their own names, the entries about that party,
what is asked for there. What is between others is not seen in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.memorylog import MemoryLog
from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.ledger.record import Leaf, Opening, parse_leaf
from hotline.machine import Delivery, Output, Record, Reply, RequestId
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import EndpointEvent
from hotline.protocol.tables import scoped
from tests.simulator.parties import Parties
from tests.simulator.procedure import Procedure
from tests.simulator.watches import Watches


class _Tables(Mapping[str, Any]):
    """Those of one other party."""

    def __init__(self, tables: Mapping[str, Any], scope: str) -> None:
        self._tables, self._scope = tables, scope

    def __getitem__(self, name: str) -> Any:
        return self._tables[scoped(name, self._scope)]

    def __iter__(self) -> Iterator[str]:
        parts = (name.partition("@") for name in self._tables)
        return (name for name, _, party in parts if party == self._scope)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Log:
    """The entries about one other party; for the rest the log that they stand in."""

    def __init__(self, log: MemoryLog, party: str) -> None:
        self._log, self._mark = log, f'"party":"{party}"'.encode()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    @property
    def leaves(self) -> list[bytes]:
        alarm = b'"type":"alarm"'
        return [
            leaf
            for leaf in self._log.leaves
            if self._mark in leaf or (alarm in leaf and _rings_at_all(parse_leaf(leaf)))
        ]

    @property
    def openings(self) -> dict[tuple[int, int], tuple[Opening, ...]]:
        logs, found = self._log.epochs, self._log.openings.items()
        return {(epoch, seq): one for (epoch, seq), one in found if self._mark in logs[epoch].leaves[seq]}


def _rings_at_all(one: Leaf | Record | Delivery) -> bool:
    """Whether it is an alarm about the terminal itself, which every watch hears and hands over (26.8)."""
    kind = one.type if isinstance(one, Leaf) else one.kind
    return kind == "alarm" and "party" not in one.fields


class _Disk:
    """What a disk holds of one other party."""

    def __init__(self, whole: Disk, scope: str, party: str) -> None:
        self.tables, self.log = _Tables(whole.tables, scope), _Log(whole.log, party)

    @property
    def stages(self) -> set[tuple[object, ...]]:
        return {key[:3] for key in self.tables.get("sent_fact", {})}


class Window:
    """What a terminal has with `peer`; for the rest the terminal."""

    def __init__(self, pair: Pair, node: ConferenceNode, peer: str) -> None:
        self.world, self.node, self.peer = pair, node, peer
        self._whole: Disk | None = None
        self._part: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.node, name)

    @property
    def disk(self) -> Any:
        """The same object as long as the disk is."""
        if self._whole is not self.node.disk:
            whole = self._whole = self.node.disk
            self._part = _Disk(whole, self.node.scope(self.peer), self.peer)
        return self._part

    @property
    def machine(self) -> Endpoint | None:
        """The endpoint for that party."""
        conference = self.node.conference
        return None if conference is None else conference.members[self.peer]

    def ask(self, make: Callable[[RequestId], EndpointEvent], then: Callable[[Reply], None]) -> None:
        """Step with a request from here."""
        self.node.ask_at(self.peer, make, then)

    def commit(self, batch: list[Output]) -> None:
        """About to be committed; whoever watches takes its place."""

    def start(self) -> None:
        """The terminal has started."""

    def part(self, output: Output) -> Output:
        """What an output holds of that party."""
        scope = self.node.scope(self.peer)
        parts = [(change, *change.table.partition("@")) for change in output.changes]
        changes = [change if not scope else replace(change, table=name) for change, name, _, of in parts if of == scope]
        records = [one for one in output.records if one.fields.get("party") == self.peer or _rings_at_all(one)]
        return Output(records=records, changes=changes)


class _Known:
    """What judges of two ask the judge of all."""

    def __init__(self, judges: Parties, pair: frozenset[str]) -> None:
        self._judges, self._pair = judges, pair
        self.cloned = self.rewritten = frozenset[str]()

    @property
    def restored(self) -> frozenset[str]:
        return self._pair & self._judges.restored

    @property
    def perjured(self) -> frozenset[str]:
        return self._pair & frozenset(self._judges.liars)


class Pair:
    """Two of the parties, and their judges."""

    seed = 0
    """Of no seed that `rebuilt` of procedure.py looks at: parties.py does, in all."""

    def __init__(self, world: World, judges: Parties, one: ConferenceNode, other: ConferenceNode) -> None:
        self._whole = world
        self.on_delivery: Callable[[Any, Delivery], None] = lambda *_: None
        self.endpoints = {one.name: Window(self, one, other.name), other.name: Window(self, other, one.name)}
        known = _Known(judges, frozenset(self.endpoints))
        self.procedure = Procedure(cast(World, self), cast(Any, known))
        self.watches = Watches(cast(World, self), cast(Any, known))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class Windows:
    """All pairs of a world."""

    def __init__(self, world: World, judges: Parties) -> None:
        nodes = judges.nodes
        self.pairs = [Pair(world, judges, one, other) for at, one in enumerate(nodes) for other in nodes[at + 1 :]]
        self._windows = {(one.node.name, one.peer): one for pair in self.pairs for one in pair.endpoints.values()}
        tell = world.on_delivery

        def told(node: EndpointNode, delivery: Delivery) -> None:
            tell(node, delivery)
            for window in self.of(node):
                if delivery.fields.get("party") == window.peer or _rings_at_all(delivery):
                    window.world.on_delivery(window, delivery)

        world.on_delivery = told
        for node in nodes:
            self._watch(node)

    def _watch(self, node: ConferenceNode) -> None:
        commit, start, mine = node.commit, node.start, self.of(node)

        def committed(batch: list[Output]) -> None:
            for window in mine:
                window.commit([window.part(output) for output in batch])
            commit(batch)

        def started() -> None:
            start()
            for window in mine:
                window.start()

        node.commit, node.start = committed, started  # type: ignore[method-assign]

    def at(self, name: str, peer: str) -> Window:
        """The window of one terminal to another party."""
        return self._windows[name, peer]

    def of(self, node: EndpointNode) -> list[Window]:
        """All windows of a terminal."""
        return [window for (name, _), window in self._windows.items() if name == node.name]

    def final(self) -> None:
        """What must be so of each two when everything is paid."""
        for pair in self.pairs:
            pair.procedure.final()
            pair.watches.final()
