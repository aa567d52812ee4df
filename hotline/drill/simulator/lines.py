"""Streams of a drill in virtual time: gRPC over TLS over TCP, approximated; the weather is the fault proxy's.

A frame costs its bytes and WIRE_OVERHEAD, a dialling the bytes and round trips of a real handshake (HANDSHAKE, as
measured on loopback). The dialer's pauses, the time after which a dialling is given up, and both keepalives are those
of the daemons. Approximated: a keepalive ping finds at once what it would find after its round trip; gRPC's own pause
between two diallings, its pings for bandwidth and its window updates are left out; a process starts in no time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.drill.simulator.ways import Way
from hotline.drill.weather import HANDSHAKE_RTO, Air, Weather
from hotline.limits import LINK_QUEUE_BYTES_MAX
from hotline.machine import FramesReceived, LinkClosed, LinkOpened

if TYPE_CHECKING:  # a world is made of cables, and a cable lies in its world
    from hotline.drill.simulator.world import World

WIRE_OVERHEAD: Final = 40
"""Bytes around one frame: protobuf 3, gRPC 5, HTTP/2 9, TLS 22, and now and then one more."""
HANDSHAKE: Final = (("up", 1_471), ("down", 1_841), ("up", 689), ("down", 1_387), ("up", 303))
"""Flights of TLS 1.3 with both certificates and a post-quantum key share, and of HTTP/2, until a stream is open."""

PAUSE_FIRST: Final = 100
PAUSE_GROWTH: Final = 1.6
PAUSE_SPREAD: Final = 0.2
LIVED_MS: Final = 3_000
"""As in hotline/runtime/dialer.py."""
RELAY_KEEPALIVE: Final = {False: 10_000, True: 30_000}
"""Whether any path is narrow, to the relay's keepalive, as in hotline/runtime/credentials.py."""

End = Literal["near", "far"]


@dataclass(slots=True)
class Stream:
    """One stream from its dialling to its end. Near is the terminal's end, far the relay's."""

    name: str
    up: Way
    down: Way
    opened: int
    alive: dict[End, bool] = field(default_factory=lambda: {"near": True, "far": True})
    heard: dict[End, int] = field(default_factory=lambda: {"near": 0, "far": 0})
    silent: bool = False
    """Half open: the relay's end is gone and the terminal was not told."""
    void: bool = False
    """Something was said into that silence."""


class Line(Cable):
    """A cable that behaves as TCP does: what is sent arrives in order or the stream breaks."""

    def __init__(self, world: World, endpoint: EndpointNode, relay: RelayNode) -> None:
        super().__init__(world, endpoint, relay)
        self.name = f"{endpoint.name}/{relay.name}"
        # As the fault proxy draws: what one way draws does not depend on what another carries.
        self.airs = {way: Air(random.Random(f"{world.seed}/{self.name}/{way}")) for way in ("up", "down")}  # noqa: S311
        self._rng = random.Random(f"{world.seed}/{self.name}")  # noqa: S311 - spreads the load
        self._streams: dict[str, Stream] = {}
        self._current: Stream | None = None
        self._pause = 0.0
        self._began = 0

    # --- weather -----------------------------------------------------------------------------------------------------

    def change(self, ways: tuple[str, ...], weather: Weather) -> None:
        """Other weather on these ways, at once, on live streams too."""
        for way in ways:
            self.airs[way].weather = weather
            self.airs[way].clear_line(self.world.time / 1_000)
        if weather.mode in ("reset", "refuse"):
            self.break_now(weather.mode)
        elif weather.mode == "half-open":
            self._silence()
        for stream in list(self._streams.values()):
            if stream.void and "half-open" not in self.modes:
                self._broken(stream, "reset")
            stream.up.adjust()
            stream.down.adjust()

    @property
    def modes(self) -> set[str]:
        """What the weather of both ways says of whole connections."""
        return {air.weather.mode for air in self.airs.values()}

    @property
    def dark(self) -> bool:
        """Whether no handshake comes through."""
        return any(air.weather.dark for air in self.airs.values())

    def _silence(self) -> None:
        stream = self._current
        if stream is not None:
            stream.silent = True
            self._end("far", stream, "half-open")

    # --- dialling ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Dial after the dialer's pause, unless there is a stream or a dialling already."""
        if self._dialing or self._current is not None or not self.endpoint.up:
            return
        self._dialing = True
        run = self.endpoint.run
        wait = round(self._pause * (1 + self._rng.uniform(-PAUSE_SPREAD, PAUSE_SPREAD)))
        last = self.relay.profile.silent_ceiling_ms
        self._pause = min(max(self._pause * PAUSE_GROWTH, PAUSE_FIRST), last)
        self.world.after(wait, lambda: self._knock(run, None))

    def _knock(self, run: int, deadline: int | None) -> None:
        """Try to reach the relay until `deadline`: a handshake that does not come through is repeated by the kernel."""
        if run != self.endpoint.run:
            return
        now = self.world.time
        if self.endpoint.frozen:
            self.world.after(PAUSE_FIRST, lambda: self._knock(run, None))
            return
        patience = max(2_000, self.relay.profile.silent_ceiling_ms)
        deadline = now + patience if deadline is None else deadline
        if "refuse" in self.modes or not (self.relay.up or self.dark):
            self._failed(run)
        elif self.dark or self.relay.frozen:
            again = now + round(1_000 * HANDSHAKE_RTO)
            if again < deadline:
                self.world.at(again, lambda: self._knock(run, deadline))
            else:
                self.world.at(deadline, lambda: self._failed(run))
        else:
            opens = self._handshake(now)
            if opens < deadline:
                self.world.at(opens, lambda: self._open(run))
            else:
                self.world.at(deadline, lambda: self._failed(run))

    def _handshake(self, now: int) -> int:
        """When the stream is open, if the weather stays as it is."""
        up, down = self.airs["up"], self.airs["down"]
        at = now / 1_000 + up.knock() + down.knock()
        for way, size in HANDSHAKE:
            air, back = (up, down) if way == "up" else (down, up)
            at = air.carry(size, at, back, followed=False)[1]
        return max(now + 1, round(1_000 * at))

    def _failed(self, run: int) -> None:
        if run == self.endpoint.run:
            self._dialing = False
            self.wake()

    def _open(self, run: int) -> None:
        if run != self.endpoint.run:
            return
        if not self.relay.up or self.relay.frozen or self.dark or "refuse" in self.modes:
            self._failed(run)
            return
        self._dialing = False
        self.opened += 1
        up, down = self.airs["up"], self.airs["down"]
        now = self.world.time
        name = f"{self.endpoint.name}/{self.relay.name}/{self.opened}"
        stream = Stream(name, Way(self.world, up, down), Way(self.world, down, up), now)
        stream.heard = {"near": now, "far": now}
        self._streams[name] = self._current = stream
        self.link = name
        self.world.cables_by_link[name] = self
        self.relay.post(LinkOpened(name, self.endpoint.name))
        self.endpoint.post(LinkOpened(self.relay.name))
        self._watch("near", stream, now + self._patience("near"))
        self._watch("far", stream, now + self._patience("far"))

    # --- ends --------------------------------------------------------------------------------------------------------

    def break_now(self, reason: str) -> None:
        """Every stream ends for both sides at once."""
        for stream in list(self._streams.values()):
            self._broken(stream, reason)

    def gone(self, name: str) -> None:
        """One machine has lost its power: its kernel still sends what it was given, and then the end of the stream."""
        if name == self.endpoint.name:
            self._dialing = False
            self._pause = 0.0
        for stream in list(self._streams.values()):
            self._leave("near" if name == self.endpoint.name else "far", stream, "peer gone")

    def hang_up(self, link: str) -> None:
        """The relay ends a stream, after what it has said."""
        stream = self._streams.get(link)
        if stream is not None:
            self._leave("far", stream, "hang-up")

    def _broken(self, stream: Stream, reason: str) -> None:
        for end in ("near", "far"):
            self._end(end, stream, reason)

    def _leave(self, end: End, stream: Stream, reason: str) -> None:
        """One end closes; the other hears of it after everything that was sent before."""
        if not stream.alive[end]:
            return
        outward, other = (stream.up, "far") if end == "near" else (stream.down, "near")
        outward.send(WIRE_OVERHEAD, lambda: self._end(other, stream, reason))  # type: ignore[arg-type]
        self._end(end, stream, reason)

    def _end(self, end: End, stream: Stream, reason: str) -> None:
        if not stream.alive[end]:
            return
        stream.alive[end] = False
        (stream.down if end == "near" else stream.up).kill()
        if not any(stream.alive.values()):
            stream.up.kill()
            stream.down.kill()
            self._streams.pop(stream.name, None)
        if end == "far":
            self.world.cables_by_link.pop(stream.name, None)
            self.relay.post(LinkClosed(stream.name, reason))
        elif stream is self._current:
            self._current, self.link = None, ""
            if self.world.time - stream.opened > LIVED_MS:
                self._pause = PAUSE_FIRST
            self.endpoint.post(LinkClosed(self.relay.name, reason))
            self.wake()

    # --- frames ------------------------------------------------------------------------------------------------------

    def to_relay(self, frame: bytes) -> None:
        """Carry one frame of the terminal; without a stream it is swallowed, on a full queue the stream is given up."""
        stream = self._current
        if stream is None:
            return
        if stream.silent:
            stream.void = True
            if "half-open" not in self.modes:
                self._broken(stream, "reset")
        elif stream.up.waiting + len(frame) > LINK_QUEUE_BYTES_MAX:
            self._leave("near", stream, "the relay does not take our frames")
        else:
            stream.up.send(len(frame) + WIRE_OVERHEAD, lambda: self._at_relay(stream, frame))

    def to_endpoint(self, frame: bytes, link: str) -> None:
        """Carry one frame of the relay, on the stream that it means."""
        stream = self._streams.get(link)
        if stream is None or not stream.alive["far"]:
            return
        if stream.down.waiting + len(frame) > LINK_QUEUE_BYTES_MAX:
            self._leave("far", stream, "the terminal does not take our frames")
        else:
            stream.down.send(len(frame) + WIRE_OVERHEAD, lambda: self._at_endpoint(stream, frame))

    def _at_relay(self, stream: Stream, frame: bytes) -> None:
        if stream.alive["far"]:
            stream.heard["far"] = self.world.time
            self.relay.post(FramesReceived(stream.name, (frame,)))

    def _at_endpoint(self, stream: Stream, frame: bytes) -> None:
        if stream is self._current:
            stream.heard["near"] = self.world.time
            self.endpoint.post(FramesReceived(self.relay.name, (frame,)))

    # --- keepalive ---------------------------------------------------------------------------------------------------

    def _patience(self, end: End) -> int:
        """Milliseconds of silence before a ping, and then for its answer."""
        if end == "near":
            return max(1_000, self.relay.profile.silent_ceiling_ms)
        return RELAY_KEEPALIVE[any(relay.profile.name == "narrow" for relay in self.world.relays.values())]

    def _watch(self, end: End, stream: Stream, at: int) -> None:
        self.world.at(at, lambda: self._listen(end, stream))

    def _listen(self, end: End, stream: Stream) -> None:
        """Look whether something was heard; if not, whether a ping would be answered in time."""
        if not stream.alive[end]:
            return
        now, patience = self.world.time, self._patience(end)
        node, peer = (self.endpoint, self.relay) if end == "near" else (self.relay, self.endpoint)
        if now < stream.heard[end] + patience or node.frozen:
            self._watch(end, stream, max(stream.heard[end] + patience, now + LIVED_MS if node.frozen else 0))
            return
        there, back = stream.up.takes(), stream.down.takes()
        dead = stream.silent or not peer.up or peer.frozen or there is None or back is None
        if not dead and (there or 0) + (back or 0) <= patience:
            stream.heard[end] = now
            self._watch(end, stream, now + patience)
        elif now >= stream.heard[end] + 2 * patience:
            self._leave(end, stream, "keepalive")
        else:
            # The ping is under way; whatever is heard before its time is over counts as its answer.
            self._watch(end, stream, min(stream.heard[end] + 2 * patience, now + 250))
