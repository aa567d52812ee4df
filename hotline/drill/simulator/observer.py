"""Writes the journal of a simulated drill: what both terminals tell, and their status several times a second.

In a long drill nobody needs every reading: of those within one span only the one with the longest silence is written,
and each that shows another number of paths or of waiting statements. Every reading counts for the steady state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hotline.drill.journal import Journal
from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.drill.telling import Telling
from hotline.machine import Delivery, Plane
from hotline.protocol.paths import PathState

POLL_MS: Final = 250
READINGS_MAX: Final = 4_000
"""Spans of a drill from each of which one reading of each side is written in any case."""

Reading = tuple[float, int | None, int, int | None]
"""When; milliseconds since the peer was heard; paths up; statements waiting. As a `poll` has them."""


class Observer:
    """Looks at a world from outside, as an officer's desk looks at a terminal."""

    def __init__(self, world: World, journal: Journal, length_ms: int, on_delivered: Callable[[str], None]) -> None:
        self.world = world
        self._journal = journal
        self._telling = Telling(self.add, on_delivered)
        self._zero = world.time
        self._span = max(POLL_MS, length_ms // READINGS_MAX)
        self._written: dict[str, Reading] = {}
        self._longest: dict[str, Reading] = {}
        self._ended_at: float | None = None
        self._closed = False

    def begin(self) -> None:
        """The steady state is reached: time counts from now, and everything is written down."""
        self._zero = self.world.time
        self.world.on_delivery = self._told
        self.world.after(POLL_MS, self._poll)

    def close(self) -> None:
        """No more readings and events."""
        self._closed = True
        self.world.on_delivery = lambda *_: None
        for party in list(self._longest):
            self._write(party, self._longest.pop(party))

    def now(self) -> float:
        """Milliseconds since `begin`."""
        return float(self.world.time - self._zero)

    def add(self, kind: str, at: float | None = None, **fields: object) -> None:
        """One journal entry, now or `at`."""
        self._journal.add(self.now() if at is None else at, kind, **fields)

    def _told(self, node: EndpointNode, delivery: Delivery) -> None:
        # A head for the witnesses is the driver's business: no officer sees it.
        if delivery.kind != "checkpoint":
            self._telling.event(node.name, delivery.kind, delivery.fields)

    # --- status ------------------------------------------------------------------------------------------------------

    def steady(self) -> bool:
        """Whether both sides have every path up and nothing waits."""
        return all(
            (reading := self._read(node))[2] == len(self.world.relays) and reading[3] == 0
            for node in self.world.endpoints.values()
        )

    def settled(self) -> bool:
        """Whether a reading has shown the steady state since the last fault ended."""
        return self._ended_at is None and self.steady()

    def fault_ended(self) -> None:
        """From now on the steady state is waited for anew."""
        self._ended_at = self.now()

    def _read(self, node: EndpointNode) -> Reading:
        """A frozen or dead terminal answers nothing."""
        machine = node.machine
        if machine is None or not node.up or node.frozen:
            return self.now(), None, 0, None
        ctx = machine.context
        heard = None if ctx.peer.heard_at is None else self.world.time - ctx.peer.heard_at
        up = sum(path.state is PathState.UP for path in ctx.paths.values())
        return self.now(), heard, up, sum(len(ctx.outboxes[plane].pending) for plane in Plane)

    def _poll(self) -> None:
        if self._closed:
            return
        for party, node in self.world.endpoints.items():
            self._keep(party, self._read(node))
        if self._ended_at is not None and self.now() > self._ended_at and self.steady():
            self._ended_at = None
            self.add("steady-again")
        self.world.after(POLL_MS, self._poll)

    def _keep(self, party: str, reading: Reading) -> None:
        last, longest = self._written.get(party), self._longest.get(party)
        if last is None or reading[2:] != last[2:]:
            self._longest.pop(party, None)
            if longest is not None:
                self._write(party, longest)
            self._write(party, reading)
            return
        if longest is None or _silence(reading) >= _silence(longest):
            self._longest[party] = longest = reading
        if reading[0] - last[0] >= self._span:
            del self._longest[party]
            self._write(party, longest)

    def _write(self, party: str, reading: Reading) -> None:
        at, heard, up, waiting = reading
        self._written[party] = reading
        self.add("poll", at=at, by=party, heard_ms=heard, up=up, waiting=waiting)


def _silence(reading: Reading) -> float:
    return float("inf") if reading[1] is None else reading[1]
