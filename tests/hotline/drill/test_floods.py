"""A flood where it can be seen without a hotline: a plain server counts what strangers do to it."""

from __future__ import annotations

import asyncio
import contextlib
import resource

import pytest

from hotline.drill.floods import Flooding, flood_needs
from hotline.drill.injects import Flood

TLS_HANDSHAKE = b"\x16\x03\x01"


class Victim:
    """Keeps what each connection says."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []
        self._changed = asyncio.Condition()

    async def met(self, count: int, *, silent: bool) -> None:
        """Wait for so many; each has said something, unless `silent`."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= count and (silent or all(self.heard)))

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = bytearray()
        self.heard.append(mine)
        await self._tell()
        while data := await reader.read(4_096):
            mine += data
            await self._tell()
        writer.close()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@pytest.mark.parametrize(("kind", "words"), [("silent_tcp", b""), ("silent_tls", TLS_HANDSHAKE), ("garbage", None)])
async def test_strangers_come_in_number_and_stay(kind: str, words: bytes | None) -> None:
    """A flood of one connection would be a visitor."""
    victim = Victim()
    server = await asyncio.start_server(victim.take, "127.0.0.1", 0)
    flooding = Flooding(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", 20)
    task = asyncio.create_task(flooding.run(getattr(flooding, kind)))
    async with asyncio.timeout(10):
        await victim.met(20, silent=words == b"")
    assert flooding.opened == 20
    assert flooding.closed == 0
    if words is not None:
        assert all(bytes(one[:3]) == words for one in victim.heard)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    server.close()
    await asyncio.sleep(0.05)


def test_too_few_files_are_told_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a flood would be reported as a whole one."""
    inject = Flood.model_validate({"fault": "flood", "at": "0s", "target": "relay-1", "kind": "silent-tcp"})
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 200))
    assert "ulimit -Hn" in (flood_needs(inject) or "")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 4_096))
    assert flood_needs(inject) is None
