"""Both ends of proxied links on loopback: a target that keeps whom it accepts, and clients that dial."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from hotline.drill.links import Connection, Link, LinkSpec, LinkStats
from hotline.drill.proxyd import Proxy
from hotline.drill.weather import Way, parse_weather

PATIENCE = 4.0


@dataclass
class End:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, data: bytes) -> None:
        """Send."""
        self.writer.write(data)

    async def hear(self, count: int) -> bytes:
        """Exactly so many bytes. Raises TimeoutError, IncompleteReadError, ConnectionError."""
        return await asyncio.wait_for(self.reader.readexactly(count), PATIENCE)

    async def hear_all(self) -> bytes:
        """Everything up to the end."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def hears_within(self, seconds: float) -> bytes:
        """What comes within this time, nothing if nothing does."""
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self.reader.read(1 << 20), seconds)
        return b""


class Wires:
    """A target, a proxy with one link before it, and every end that was made."""

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self._stack = stack
        self._met: asyncio.Queue[End] = asyncio.Queue()
        self._ends: list[End] = []
        self.proxy: Proxy
        self.polite = False
        """Whether the target closes what its client has closed."""

    async def start(self, **options: Any) -> None:
        """Listen."""
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self._stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        self.target = server
        self.proxy = Proxy([LinkSpec("link", "127.0.0.1:0", f"127.0.0.1:{port}")], **options)
        await self._stack.enter_async_context(self.proxy)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = End(reader, writer)
        self._ends.append(end)
        self._met.put_nowait(end)
        if self.polite:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()

    @property
    def port(self) -> int:
        """Where the link listens."""
        return int(self.proxy.addresses["link"].rpartition(":")[2])

    @property
    def link(self) -> Link:
        """The link."""
        return self.proxy.links["link"]

    @property
    def live(self) -> list[Connection]:
        """Its connections."""
        return list(self.link.connections)

    def stats(self) -> LinkStats:
        """The only link."""
        return self.proxy.stats()[0]

    async def weather(self, way: Way = "both", **values: object) -> None:
        """Other weather."""
        await self.proxy.set(["link"], way, parse_weather(values))

    async def dial(self) -> End:
        """A client, as soon as the proxy's kernel has accepted it."""
        end = End(*await asyncio.open_connection("127.0.0.1", self.port))
        self._ends.append(end)
        return end

    async def met(self) -> End:
        """The target's end of the next connection that reaches it."""
        return await asyncio.wait_for(self._met.get(), PATIENCE)

    async def pair(self) -> tuple[End, End]:
        """A connection that is through."""
        client = await self.dial()
        target = await self.met()
        # One byte each way: what a test measures afterwards is no part of the opening.
        client.say(b"?")
        assert await target.hear(1) == b"?"
        target.say(b"!")
        assert await client.hear(1) == b"!"
        return client, target

    async def nobody_within(self, seconds: float) -> bool:
        """Whether no connection reaches the target in this time."""
        try:
            await asyncio.wait_for(self._met.get(), seconds)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        """Close every end."""
        for end in self._ends:
            end.writer.transport.abort()


@contextlib.asynccontextmanager
async def wires(**options: Any) -> AsyncIterator[Wires]:
    """A target behind a proxied link."""
    async with contextlib.AsyncExitStack() as stack:
        made = Wires(stack)
        await made.start(**options)
        stack.callback(made.close)
        yield made
    await asyncio.sleep(0)


async def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Go on as soon as it holds; fails if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.002)
