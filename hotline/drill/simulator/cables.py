"""The streams of the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.machine import FramesReceived, LinkClosed, LinkOpened

if TYPE_CHECKING:  # a world is made of cables, and a cable lies in its world
    from hotline.drill.simulator.world import World

RECONNECT_MIN: Final = 100
RECONNECT_MAX: Final = 5_000
_FRAMING: Final = 40
"""Bytes around one frame on a narrow line, as in lines.py."""


class Cable:
    """The stream from one terminal to one relay, opened again for ever."""

    def __init__(self, world: World, endpoint: EndpointNode, relay: RelayNode) -> None:
        self.world, self.endpoint, self.relay = world, endpoint, relay
        self.cut = False
        self.mute_up = self.mute_down = False
        self.swallowed = 0
        """Frames that a mute stream took and did not carry."""
        self.rate = 0
        """Bits per second each way; 0: no narrower than the weather."""
        self.queued = 0
        """Frames that had to wait for a narrow line."""
        self._free_at = {"up": 0, "down": 0}
        self.link = ""
        self.opened = 0
        self._backoff = RECONNECT_MIN
        self._dialing = False

    def wake(self) -> None:
        """Dial soon, unless there is a stream or a dialing already, or the terminal does not use this relay."""
        if not self._dialing and not self.link and self.endpoint.up and self.endpoint.dials(self.relay.name):
            self._dialing = True
            self.world.after(self.world.rng.randint(1, self._backoff), self._dial)

    def _dial(self) -> None:
        self._dialing = False
        if self.link or not self.endpoint.up or not self.endpoint.dials(self.relay.name):
            return
        if self.cut or not self.relay.up:
            self._backoff = min(self._backoff * 2, RECONNECT_MAX)
            self.wake()
            return
        self._backoff = RECONNECT_MIN
        self.opened += 1
        self.link = f"{self.endpoint.name}/{self.relay.name}/{self.opened}"
        self.world.cables_by_link[self.link] = self
        self.relay.post(LinkOpened(self.link, self.endpoint.name))
        self.endpoint.post(LinkOpened(self.relay.name))

    def break_now(self, reason: str) -> None:
        """The stream ends for both sides; the terminal dials again."""
        if not self.link:
            return
        link, self.link = self.link, ""
        del self.world.cables_by_link[link]
        self.relay.post(LinkClosed(link, reason))
        self.endpoint.post(LinkClosed(self.relay.name, reason))
        self.wake()

    def gone(self, name: str) -> None:
        """The machine at one end has lost its power."""
        del name
        self.break_now("peer gone")

    def hang_up(self, link: str) -> None:
        """The relay ends a stream."""
        del link
        self.break_now("hang-up")

    def to_relay(self, frame: bytes) -> None:
        """Carry one frame of the terminal."""
        link = self.link
        if link and self.mute_up:
            self.swallowed += 1
        elif link:
            later = self._crawl("up", frame) if self.rate else 0
            self.world.carry(lambda: self._arrive_at_relay(link, frame), later)

    def to_endpoint(self, frame: bytes, link: str) -> None:
        """Carry one frame of the relay, if it was meant for the stream that there is now."""
        if link == self.link and self.mute_down:
            self.swallowed += 1
        elif link == self.link:
            later = self._crawl("down", frame) if self.rate else 0
            self.world.carry(lambda: self._arrive_at_endpoint(link, frame), later)

    def _crawl(self, way: str, frame: bytes) -> int:
        """How long a frame waits for the narrow line and is under way on it, in milliseconds."""
        now = self.world.time
        self.queued += self._free_at[way] > now
        self._free_at[way] = max(self._free_at[way], now) + (len(frame) + _FRAMING) * 8_000 // self.rate
        return self._free_at[way] - now

    def widen(self) -> None:
        """The line is no longer narrow; what waited for it is gone with its stream."""
        self.rate = 0
        self._free_at = {"up": 0, "down": 0}
        self.break_now("the line is changed")

    def _arrive_at_relay(self, link: str, frame: bytes) -> None:
        if link == self.link:
            self.relay.post(FramesReceived(link, (frame,)))

    def _arrive_at_endpoint(self, link: str, frame: bytes) -> None:
        if link == self.link:
            self.endpoint.post(FramesReceived(self.relay.name, (frame,)))
