"""A party's terminal in a network namespace of its own, so that its interface can go down. Needs root and `ip`.

    terminal ── uplink ══════ far ── pass-through ── relay or fault proxy, on loopback as ever
    (namespace of the party) (namespace of its line)  (our own)

No interface and no address of this machine changes: both ends of the line are in namespaces, and the pass-through holds
a listening socket in one of them and dials in ours. What lies beyond the interface cannot tell the difference; a
terminal whose interface is down has no route, and whoever talks to it gets no answer, not even a refusal.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import re
import shutil
import socket
import subprocess
import threading
import tomllib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from hotline.drill.injects import Interface
from hotline.drill.processes import once
from hotline.drill.rehearsal import RehearsedTerminal
from hotline.drill.scene import NEEDS, PERFORMERS, PREPARERS, Scene, Undo
from hotline.errors import LocalError

_PLACE: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x4000_0000
_NEAR: Final = "192.0.2.2"
_FAR: Final = "192.0.2.1"
"""Both of the range for documentation (RFC 5737): seen in these namespaces only."""
_FIRST_PORT: Final = 7_440
_CHUNK: Final = 65_536
_TURNS_SECONDS: Final = 0.02
_OURS: Final = re.compile(r"hl([0-9]+)-[a-z]+")
_TABLE: Final = "\n[relays]\n"

Address = tuple[str, int]


# --- what is needed ---------------------------------------------------------------------------------------------------


def interface_needs(inject: Interface) -> str | None:
    """Why no interface of a party can go down here; None if it can."""
    del inject
    return _lacking()


@functools.cache
def _lacking() -> str | None:
    for program, package in (("ip", "iproute2"), ("nsenter", "util-linux")):
        if shutil.which(program) is None:
            return f"an interface that goes down needs the program {program}: apt install {package}"
    if os.geteuid() != 0:
        return "an interface that goes down needs network namespaces, and they need root: run the drill as root"
    trial = f"hl{os.getpid()}-try"
    try:
        _ip("netns", "add", trial)
        _ip("netns", "del", trial)
    except LocalError as error:
        return f"an interface that goes down needs network namespaces, and there are none here: {error}"
    return None


def _ip(*words: str) -> str:
    """Run `ip`. Raises LocalError with what it said."""
    ran = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607 - our words
    if ran.returncode:
        raise LocalError(f"ip {' '.join(words)}: {ran.stderr.strip() or ran.returncode}")
    return ran.stdout


# --- a line -----------------------------------------------------------------------------------------------------------


class Line:
    """Two namespaces and the cable between them; their names carry our process id."""

    def __init__(self, party: str) -> None:
        self.near = f"hl{os.getpid()}-{party.lower()}"
        self.far = f"{self.near}line"
        self.down: set[int] = set()
        """Faults for which the interface is down."""

    def lay(self) -> None:
        """Make both and join them. Raises LocalError."""
        for name in (self.near, self.far):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", self.near, "link", "add", "uplink", "type", "veth", "peer", "name", "far", "netns", self.far)
        for name, device, address in ((self.near, "uplink", _NEAR), (self.far, "far", _FAR)):
            _ip("-n", name, "address", "add", f"{address}/30", "dev", device)
            _ip("-n", name, "link", "set", device, "up")

    def remove(self) -> None:
        """Neither is there any more; nothing for what was removed before."""
        for name in (self.near, self.far):
            if (_PLACE / name).exists():
                with contextlib.suppress(LocalError):
                    _ip("netns", "del", name)

    def take_down(self, mark: int) -> None:
        """The interface goes down. Raises LocalError."""
        self.down.add(mark)
        _ip("-n", self.near, "link", "set", "uplink", "down")

    def bring_up(self, mark: int) -> None:
        """It is up again, unless another fault holds it down. Raises LocalError; nothing for a line that has gone."""
        self.down.discard(mark)
        if not self.down and (_PLACE / self.near).exists():
            _ip("-n", self.near, "link", "set", "uplink", "up")


def remove_leftovers() -> None:
    """Namespaces of drills whose process has gone without its last word (kill -9)."""
    for path in _PLACE.glob("hl*-*"):
        found = _OURS.fullmatch(path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            with contextlib.suppress(LocalError):
                _ip("netns", "del", path.name)


def socket_in(namespace: str | None) -> socket.socket:
    """A new TCP socket that belongs to a namespace, or to ours. Raises OSError."""
    if namespace is None:
        return socket.socket()
    made: list[socket.socket | OSError] = []

    def make() -> None:
        # A thread of its own, for it is the thread that enters the namespace, and it never comes back.
        try:
            descriptor = os.open(_PLACE / namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            finally:
                os.close(descriptor)
            made.append(socket.socket())
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


# --- the pass-through -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """From an address in one namespace to an address in another; None is ours."""

    listens_in: str
    listens_on: Address
    dials_in: str | None
    dials: Address


class PassThrough:
    """Carries streams along ways, in a thread of its own, until it is ended."""

    def __init__(self, ways: Sequence[Way]) -> None:
        """Raises OSError if an address cannot be listened on."""
        self._loop = asyncio.new_event_loop()
        self._writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()
        self._listening = [(way, _listener(way)) for way in ways]
        self._thread = threading.Thread(target=self._run, name="pass-through", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Every stream is broken, nobody listens any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        opening = [asyncio.start_server(partial(self._carry, way), sock=listener) for way, listener in self._listening]
        servers = [self._loop.run_until_complete(one) for one in opening]
        self._loop.run_forever()
        # Nothing new is taken, and what was taken a moment ago becomes a stream before its server is closed: a stream
        # of a closed server could not be closed any more.
        for _, listener in self._listening:
            self._loop.remove_reader(listener)
        self._loop.run_until_complete(asyncio.sleep(_TURNS_SECONDS))
        for server in servers:
            server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        for writer in list(self._writers):
            writer.transport.abort()  # what it still holds may be for an interface that is down
        self._loop.run_until_complete(asyncio.sleep(_TURNS_SECONDS))
        self._loop.close()

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await self._dial(way)
        except OSError:
            writer.close()  # nobody is there, or the interface is down: as it would be on a real line
            return
        self._writers.add(back)
        ways = [asyncio.ensure_future(_pass(reader, back)), asyncio.ensure_future(_pass(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for passing in ways:
                passing.cancel()
            for one in (writer, back):
                one.close()

    async def _dial(self, way: Way) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        dialing = socket_in(way.dials_in)
        try:
            dialing.setblocking(False)
            await self._loop.sock_connect(dialing, way.dials)
        except BaseException:
            dialing.close()
            raise
        return await asyncio.open_connection(sock=dialing)


def _listener(way: Way) -> socket.socket:
    listener = socket_in(way.listens_in)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(way.listens_on)
    listener.listen()
    return listener


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while (data := await reader.read(_CHUNK)) and not writer.is_closing():
            writer.write(data)
            await writer.drain()


# --- the inject -------------------------------------------------------------------------------------------------------


def _split(address: str) -> Address:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _dialed(scene: Scene, terminal: RehearsedTerminal) -> dict[str, str]:
    """Where the terminal dials each relay: what its configuration says, or the charter."""
    named = tomllib.loads(terminal.config.read_text(encoding="utf-8")).get("relays", {})
    return {relay.name: str(named.get(relay.name, relay.address)) for relay in scene.stage.relays}


def _ways(scene: Scene, terminal: RehearsedTerminal, line: Line) -> tuple[list[Way], dict[str, str]]:
    """Ways to every relay and witness, and the new address of each relay."""
    ports = iter(range(_FIRST_PORT, 65_536))
    ways, addresses = [], {}
    for relay, address in _dialed(scene, terminal).items():
        far = (_FAR, next(ports))
        ways.append(Way(line.far, far, None, _split(address)))
        addresses[relay] = f"{far[0]}:{far[1]}"
    for witness in scene.stage.witnesses:
        # The charter names their addresses on loopback, and no configuration names others: so they are there, too.
        far = (_FAR, next(ports))
        ways.append(Way(line.far, far, None, _split(witness.address)))
        ways.append(Way(line.near, _split(witness.address), line.near, far))
    return ways, addresses


def prepare(scene: Scene) -> None:
    """Parties whose interface is to go down get a line of their own; it ends with the stage. Raises LocalError."""
    parties = sorted({inject.target for inject in scene.plan.inject if isinstance(inject, Interface)})
    if not parties:
        return
    reason = _lacking()
    if reason is not None:
        raise LocalError(reason)
    remove_leftovers()
    for terminal in scene.stage.rehearsal.terminals:
        if terminal.party in parties:
            line = Line(terminal.party)
            scene.stage.belongings.callback(line.remove)
            line.lay()
            ways, addresses = _ways(scene, terminal, line)
            try:
                passing = PassThrough(ways)
            except OSError as error:
                raise LocalError(f"{terminal.party} cannot be joined to its relays: {error}") from error
            scene.stage.belongings.callback(passing.end)
            table = "".join(f'"{relay}" = "{address}"\n' for relay, address in addresses.items())
            text = terminal.config.read_text(encoding="utf-8").partition(_TABLE)[0]
            terminal.config.write_text(text + _TABLE + table, encoding="utf-8")
            scene.stage.prefix[terminal.party] = ["nsenter", f"--net={_PLACE / line.near}", "--"]
            scene.kept[f"line of {terminal.party}"] = line


def interface(inject: Interface, scene: Scene) -> Undo:
    """The party's interface is down when this returns; undone, it is up again. Raises LocalError."""
    line: Line | None = scene.kept.get(f"line of {inject.target}")
    if line is None:
        raise LocalError(f"{inject.target} was not started in a network namespace of its own")
    line.take_down(id(inject))
    return once(partial(line.bring_up, id(inject)))


PERFORMERS["interface"] = interface
NEEDS["interface"] = interface_needs
PREPARERS.append(prepare)
