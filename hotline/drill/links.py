"""The links of the fault proxy: where it listens, whom it dials, and what the weather does to whole connections."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import re
import socket
from dataclasses import dataclass
from typing import Final

from hotline.config import Settings
from hotline.drill.pipes import SCRATCH_BYTES, Pipe, Side
from hotline.drill.weather import HANDSHAKE_RTO, Air, Way, Weather, next_repetition
from hotline.errors import ConfigError

_BACKLOG: Final = 1_024
_PORT_MAX: Final = 65_535
_SPELLING: Final = re.compile(r"(?P<name>[A-Za-z0-9._/-]{1,64})=(?P<listen>[^,=]+),(?P<target>[^,=]+)", re.ASCII)
_ADDRESS: Final = re.compile(r"(?:(?P<v4>[0-9.]+)|\[(?P<v6>[0-9a-fA-F:.]+)\]):(?P<port>[0-9]{1,5})", re.ASCII)
_ETHERNET: Final = 1_460
"""Longest segment that the proxy's sockets agree upon. Loopback's own, 64 KiB, stall when a buffer is narrower."""
Host = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A link: where it listens (port 0: any that is free) and where it leads. Addresses are IP:PORT."""

    name: str
    listen: str
    target: str


class WayStats(Settings):
    """One way of a link: bytes handed over since the start, bytes taken in and not handed over, weather."""

    passed: int
    waiting: int
    weather: Weather


class LinkStats(Settings):
    """One link. `connections` live now, of which `opening` have not reached the target; `accepted` since the start."""

    link: str
    listen: str
    target: str
    connections: int
    opening: int
    accepted: int
    up: WayStats
    down: WayStats


def parse_link(text: str) -> LinkSpec:
    """NAME=LISTEN,TARGET. Raises ConfigError saying what is wrong with it."""
    found = _SPELLING.fullmatch(text)
    if found is None:
        raise ConfigError(f"{text!r} is no link; write NAME=LISTEN,TARGET, as in relay-1=127.0.0.1:0,127.0.0.1:7001")
    spec = LinkSpec(found["name"], found["listen"], found["target"])
    check_link(spec)
    return spec


def check_link(spec: LinkSpec) -> None:
    """Raises ConfigError unless it listens on loopback and both addresses are some."""
    if not split_address(spec.listen)[0].is_loopback:
        raise ConfigError(f"link {spec.name}: listens on loopback only, as in 127.0.0.1:0, not on {spec.listen}")
    if split_address(spec.target)[1] == 0:
        raise ConfigError(f"link {spec.name}: the target {spec.target} has no port that could be dialled")


def split_address(text: str) -> tuple[Host, int]:
    """Host and port of IP:PORT, [IP]:PORT for IPv6. No names: nothing here asks a resolver. Raises ConfigError."""
    wrong = ConfigError(f"{text!r} is no address; write IP:PORT, as in 127.0.0.1:7001 or [::1]:7001")
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _PORT_MAX:
        raise wrong
    try:
        host: Host = ipaddress.IPv4Address(found["v4"]) if found["v4"] else ipaddress.IPv6Address(found["v6"])
    except ValueError as error:
        raise wrong from error
    return host, int(found["port"])


class Connection:
    """One accepted client and its way to the target. It leaves `link.connections` when both sockets are closed."""

    def __init__(self, link: Link) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._accepted = self._loop.time()
        self.client = Side(self, link.scratch)
        self.target = Side(self, link.scratch)
        self.up = Pipe(self, self.client, self.target, link.up, link.down)
        self.down = Pipe(self, self.target, self.client, link.down, link.up)
        self.client.pipe = self.target.feeder = self.up
        self.target.pipe = self.client.feeder = self.down
        self.opening = True
        self._silent = False
        self._over = False
        self._knocking: asyncio.TimerHandle | None = None
        self._dialling: asyncio.Task[None] | None = None

    # --- opening: the client's kernel believes to be through already; its bytes wait until it would be ---

    def made(self, side: Side) -> None:
        """From a socket."""
        if side is self.target:
            self._target_made()
            return
        self._link.connections.add(self)
        self._link.accepted += 1
        if not self._link.dark:
            self._knock(self._link.up.knock())
        self.up.refresh()

    def _knock(self, delay: float) -> None:
        if delay > 0:
            self._knocking = self._loop.call_later(delay, self._dial)
        else:
            self._dial()

    def _dial(self) -> None:
        self._knocking = None
        self._dialling = self._loop.create_task(self._reach())

    async def _reach(self) -> None:
        host, port = split_address(self._link.spec.target)
        try:
            with contextlib.ExitStack() as unless_connected:
                sock = unless_connected.enter_context(_socket(host))
                await self._loop.sock_connect(sock, (str(host), port))
                await self._loop.create_connection(lambda: self.target, sock=sock)
                unless_connected.pop_all()
        except OSError:
            self.abort(reset=True)

    def _target_made(self) -> None:
        if self._over:
            self.target.abort(reset=True)
            return
        self.opening = False
        self.down.open()
        # The client's first bytes may leave when the answer to its first segment has come back.
        back = self._link.down.knock()
        if back > 0:
            self._knocking = self._loop.call_later(back, self.up.open)
        else:
            self.up.open()

    # --- weather ---

    def adjust(self) -> None:
        """The weather of the link has changed."""
        if self._silent and self._link.mode != "half-open" and self.up.swallowed:
            # What was said into the void is repeated, and answered by a host that knows nothing of it.
            self.abort(reset=True)
        elif self.opening and self._dialling is None and not self._over:
            self._try_again()
        self.up.adjust()
        self.down.adjust()

    def _try_again(self) -> None:
        if self._link.dark:
            if self._knocking is not None:
                self._knocking.cancel()
                self._knocking = None
        elif self._knocking is None:
            now = self._loop.time()
            again = next_repetition(self._accepted, HANDSHAKE_RTO, now)
            self._knock(again - now + self._link.up.flight())

    def silence(self) -> None:
        """The target's side ends, the client is not told."""
        if self.opening:
            return
        self._silent = True
        self.target.abort(reset=False)
        self.up.kill()
        self.down.kill()

    def abort(self, *, reset: bool) -> None:
        """Both sides end now."""
        self._over = True
        self._stop()
        self.client.abort(reset=reset)
        self.target.abort(reset=reset)
        self._forget()

    # --- ending ---

    def ended(self) -> None:
        """From a pipe."""
        if self.up.finished and self.down.finished:
            self._over = True
            self.client.close()
            self.target.close()

    def said_all(self, side: Side) -> None:
        """From a socket."""
        # Whoever gives up while no handshake comes through has never reached the target.
        if self._silent or (self.opening and self._link.dark):
            self.abort(reset=False)
        else:
            side.pipe.finish("eof")

    def into_void(self) -> None:
        """From a pipe."""
        if self._silent and self._link.mode != "half-open":
            self.abort(reset=True)

    def lost(self, side: Side, *, broken: bool) -> None:
        """From a socket."""
        if self._over:
            self._forget()
            return
        if self._silent:
            if side is self.client:
                self.abort(reset=False)
            return
        if self.opening:
            self.abort(reset=False)
            return
        outward, inward = (self.up, self.down) if side is self.client else (self.down, self.up)
        inward.kill()
        if not side.ended or broken:
            outward.finish("reset" if broken else "eof")
        if self.client.gone and self.target.gone:
            self._over = True
            self._forget()

    def _stop(self) -> None:
        self.up.stop()
        self.down.stop()
        if self._knocking is not None:
            self._knocking.cancel()
        if self._dialling is not None:
            self._dialling.cancel()

    def _forget(self) -> None:
        if self.client.gone and (self.opening or self.target.gone):
            self._stop()
            self._link.connections.discard(self)


class Link:
    """One listener, its connections and the weather of both ways."""

    def __init__(self, spec: LinkSpec, seed: int) -> None:
        check_link(spec)
        self.spec = spec
        # Each way has a generator of its own: what one link draws does not depend on the traffic of another.
        self.up = Air(random.Random(f"{seed}/{spec.name}/up"))  # noqa: S311 - weather, no secret
        self.down = Air(random.Random(f"{seed}/{spec.name}/down"))  # noqa: S311 - weather, no secret
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.connections: set[Connection] = set()
        self.accepted = 0
        self.address = ""
        self._keeper: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def dark(self) -> bool:
        """Whether no handshake comes through."""
        return self.up.weather.dark or self.down.weather.dark

    @property
    def mode(self) -> str:
        """The mode that concerns whole connections, whichever way it was given for."""
        modes = {self.up.weather.mode, self.down.weather.mode}
        return next((mode for mode in ("refuse", "half-open", "reset") if mode in modes), "pass")

    async def open(self) -> None:
        """Listen. Raises ConfigError."""
        host, port = split_address(self.spec.listen)
        try:
            # This socket never listens: it keeps the port ours while the link refuses connections.
            self._keeper = _bound(host, port)
            port = int(self._keeper.getsockname()[1])
            self.address = f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"
            await self._listen()
        except OSError as error:
            self.close()
            reason = error.strerror or error
            raise ConfigError(f"link {self.spec.name}: cannot listen on {self.spec.listen}: {reason}") from error

    async def _listen(self) -> None:
        host, port = split_address(self.address)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self).client, sock=_bound(host, port), backlog=_BACKLOG
        )

    async def change(self, way: Way, weather: Weather) -> None:
        """Other weather, at once, on live connections too. Raises OSError if it cannot listen again."""
        now = asyncio.get_running_loop().time()
        airs = [air for name, air in (("up", self.up), ("down", self.down)) if way in ("both", name)]
        for air in airs:
            air.weather = weather
        if weather.mode in ("reset", "refuse", "half-open"):
            self._strike(weather.mode)
        if self.mode == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        elif self.mode != "refuse" and self._server is None:
            await self._listen()
        for air in airs:
            self._load_again(air, now)
        for connection in list(self.connections):
            connection.adjust()

    def _strike(self, mode: str) -> None:
        for connection in list(self.connections):
            if mode == "half-open":
                connection.silence()
            else:
                connection.abort(reset=mode == "reset")

    def _load_again(self, air: Air, now: float) -> None:
        """What had not left the line goes through the new one, in the order in which it would have left."""
        air.clear_line(now)
        pipes = [connection.up if air is self.up else connection.down for connection in self.connections]
        loads = [(segment.done, number, segment) for number, pipe in enumerate(pipes) for segment in pipe.on_line(now)]
        for _, number, segment in sorted(loads, key=lambda load: load[:2]):
            pipes[number].again(segment, now)

    def stats(self) -> LinkStats:
        """What passed and what waits."""
        return LinkStats(
            link=self.spec.name,
            listen=self.address,
            target=self.spec.target,
            connections=len(self.connections),
            opening=sum(1 for connection in self.connections if connection.opening),
            accepted=self.accepted,
            up=self._way(self.up, sum(connection.up.waiting for connection in self.connections)),
            down=self._way(self.down, sum(connection.down.waiting for connection in self.connections)),
        )

    @staticmethod
    def _way(air: Air, waiting: int) -> WayStats:
        return WayStats(passed=air.passed, waiting=waiting, weather=air.weather)

    def close(self) -> None:
        """Stop listening and end every connection, without a RST of our making."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        for connection in list(self.connections):
            connection.abort(reset=False)


def _socket(host: Host) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if host.version == 6 else socket.AF_INET)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _ETHERNET)
    return sock


def _bound(host: Host, port: int) -> socket.socket:
    """A bound socket that does not listen. Raises OSError."""
    sock = _socket(host)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(host), port))
    except OSError:
        sock.close()
        raise
    return sock
