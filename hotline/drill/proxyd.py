"""The fault proxy: named TCP links whose weather can be changed while connections live (docs/drills.md).

`python -m hotline.drill.proxyd` is the program that a drill starts: it reads one line of JSON (`Order`) from standard
input, answers one line (`{"listening": {LINK: ADDRESS}}` or `{"error": TEXT}`) when every link listens, and ends when
standard input ends, on SIGTERM or on SIGINT. So it never outlives who started it.

Control: a Unix socket that only its owner can use, one JSON object a line, one answer a line. Links may be patterns
with an asterisk.

| request | answer |
|---|---|
| `{"do": "set", "links": [...], "way": "both", "weather": {...}}` | `{"ok": true}`; what is not named is undisturbed |
| `{"do": "clear", "links": [...]}` | `{"ok": true}` |
| `{"do": "list"}` | `{"ok": true, "links": [LinkStats, ...]}` |
| anything else | `{"ok": false, "error": TEXT}` |

What a real network would do otherwise: a connection is accepted by the proxy's kernel even in a black hole (the target
is dialled when the handshake would have come through), and a target that refuses shows as a reset connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fnmatch
import gc
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from hotline.config import Settings
from hotline.drill.links import Link, LinkSpec, LinkStats
from hotline.drill.weather import UNDISTURBED, Way, Weather, parse_weather
from hotline.errors import ConfigError, HotlineError, LocalError

REQUEST_BYTES_MAX: Final = 65_536


class Order(Settings):
    """What the program is told at its start. Each link is (name, listen, target)."""

    links: list[list[str]] = Field(min_length=1)
    control: str
    seed: int = 0


class _Request(Settings):
    do: Literal["set", "clear", "list"]
    links: list[str] = Field(default_factory=list)
    way: Way = "both"
    weather: dict[str, Any] = Field(default_factory=dict)


class Proxy:
    """Every link of one proxy and its control socket. Use as an asynchronous context, on one loop."""

    def __init__(self, specs: Sequence[LinkSpec], control: Path | None = None, seed: int = 0) -> None:
        self.links = {spec.name: Link(spec, seed) for spec in specs}
        if len(self.links) < len(specs):
            raise ConfigError("two links have one name; each needs its own")
        self._control = control
        self._server: asyncio.Server | None = None
        self._inode = -1

    async def __aenter__(self) -> Proxy:
        """Listen. Raises ConfigError."""
        try:
            for link in self.links.values():
                await link.open()
            if self._control is not None:
                await self._serve(self._control)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await asyncio.sleep(0)  # transports close their sockets in the next round of the loop

    def close(self) -> None:
        """Stop listening, end every connection, remove the control socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            if self._control is not None and _inode(self._control) == self._inode:
                self._control.unlink(missing_ok=True)
        for link in self.links.values():
            link.close()

    @property
    def addresses(self) -> dict[str, str]:
        """Link to where it listens."""
        return {name: link.address for name, link in self.links.items()}

    def named(self, patterns: Sequence[str]) -> list[Link]:
        """The links that the patterns name. Raises LocalError if one names none."""
        found: dict[str, Link] = {}
        for pattern in patterns:
            names = [name for name in self.links if fnmatch.fnmatchcase(name, pattern)]
            if not names:
                raise LocalError(f"there is no link {pattern!r}; there is {', '.join(self.links)}")
            found |= {name: self.links[name] for name in names}
        return list(found.values())

    async def set(self, patterns: Sequence[str], way: Way, weather: Weather) -> None:
        """Other weather on these links. Raises LocalError."""
        for link in self.named(patterns):
            try:
                await link.change(way, weather)
            except OSError as error:
                raise LocalError(f"link {link.spec.name} cannot listen again: {error.strerror or error}") from error

    def stats(self) -> list[LinkStats]:
        """Every link, in the order in which they were given."""
        return [link.stats() for link in self.links.values()]

    # --- control ---

    async def _serve(self, path: Path) -> None:
        try:
            sock = _unix_socket(path)
        except OSError as error:
            raise ConfigError(f"{path}: no control socket can be made there: {error.strerror or error}") from error
        self._inode = _inode(path)
        self._server = await asyncio.start_unix_server(self._converse, sock=sock, limit=REQUEST_BYTES_MAX)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.CancelledError):
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line), separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = _Request.model_validate_json(line)
            if request.do == "list":
                return {"ok": True, "links": [stats.model_dump() for stats in self.stats()]}
            weather = parse_weather(request.weather) if request.do == "set" else UNDISTURBED
            await self.set(request.links, request.way if request.do == "set" else "both", weather)
        except ValidationError as error:
            first = error.errors()[0]
            return {"ok": False, "error": f"no such request: {'.'.join(map(str, first['loc']))} {first['msg']}"}
        except HotlineError as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True}


def _unix_socket(path: Path) -> socket.socket:
    """A bound socket that only its owner can connect to. Takes the place of one nobody answers. Raises OSError."""
    if _answered(path):
        raise FileExistsError(errno.EADDRINUSE, "another proxy answers there")
    if path.is_socket():
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


async def run(order: Order) -> None:
    """Be the fault proxy until standard input ends or a signal comes. Raises ConfigError."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    specs = [LinkSpec(name, listen, target) for name, listen, target in order.links]
    async with Proxy(specs, Path(order.control), order.seed) as proxy:
        _say({"listening": proxy.addresses})
        loop.add_reader(sys.stdin.fileno(), _unless_more, stop)
        await stop.wait()
        loop.remove_reader(sys.stdin.fileno())


def _unless_more(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4_096):
        stop.set()


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Entry point of the child process. Exit code 1 with an error on standard output if it cannot listen."""
    try:
        # Straight from the descriptor: a buffered reader would take what `run` has to see.
        order = Order.model_validate_json(_first_line())
        raise_file_limit()
        # What is alive now lives for ever: collecting it again and again would delay what passes.
        gc.freeze()
        asyncio.run(run(order))
    except (HotlineError, ValueError) as error:
        _say({"error": str(error)})
        return 1
    return 0


def raise_file_limit() -> None:
    """As many open files as this process may have: every connection takes two, and a flood is a fault to be drilled."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n") and (more := os.read(sys.stdin.fileno(), 65_536)):
        line += more
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
