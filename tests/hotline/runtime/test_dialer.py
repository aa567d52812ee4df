"""One relay's stream, seen from a terminal: always dialled again, and honest about what happened."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import grpc.aio
import pytest
import pytest_asyncio

from hotline.machine import FramesReceived, LinkClosed, LinkOpened
from hotline.runtime.dialer import Dialer
from tests.hotline.runtime.conftest import Server, own_tls

SECONDS = 8.0


class Post:
    """A driver that writes down its events and wakes who waits for them."""

    def __init__(self) -> None:
        self.events: list[LinkOpened | LinkClosed | FramesReceived] = []
        self.blocked = asyncio.Event()
        self.blocked.set()
        self._news = asyncio.Event()

    def post(self, event: LinkOpened | LinkClosed | FramesReceived) -> None:
        self.events.append(event)
        self._news.set()

    async def room(self) -> None:
        await self.blocked.wait()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not seen():
                self._news.clear()
                await self._news.wait()

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)


class Running:
    """Dialers that are ended with the test."""

    def __init__(self) -> None:
        self.post = Post()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, dialer: Dialer) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(dialer.run()))
        return self.tasks[-1]


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    """Where dialers run."""
    made = Running()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def _failed(dialer: Dialer) -> None:
    async with asyncio.timeout(SECONDS):
        while not dialer.last_error:  # noqa: ASYNC110 - a failed dial posts no event, and that is what is tested
            await asyncio.sleep(0.01)


async def test_frames_go_both_ways_in_order(server: Server, running: Running) -> None:
    """A stream that reorders frames makes every overtaken statement wait for its repeat."""
    post = running.post
    dialer = Dialer(server.target(), server.terminal, post)
    running.start(dialer)
    await post.until(lambda: post.count(LinkOpened) == 1)
    sent = [b"%d" % number for number in range(600)]
    for frame in sent:
        dialer.send(frame)
        dialer.flush()

    def received() -> list[bytes]:
        return [frame for event in post.events if isinstance(event, FramesReceived) for frame in event.frames]

    await post.until(lambda: len(received()) == len(sent))
    assert received() == sent
    assert post.events[0] == LinkOpened("relay-1")
    assert dialer.last_error == ""


async def test_broken_stream_is_told_and_dialled_again(server: Server, running: Running) -> None:
    """A path that stays down after one break is lost until somebody restarts the daemon."""
    server.hang_up_after = 1
    post = running.post
    dialer = Dialer(server.target(), server.terminal, post)
    running.start(dialer)
    for turn in range(1, 4):
        await post.until(lambda turn=turn: post.count(LinkOpened) == turn)
        dialer.send(b"x")
        dialer.flush()
        await post.until(lambda turn=turn: post.count(LinkClosed) == turn)
    kinds = [type(event) for event in post.events]
    assert kinds[:6] == [LinkOpened, FramesReceived, LinkClosed] * 2


async def test_frames_without_a_stream_are_swallowed(server: Server, running: Running) -> None:
    """Frames kept from before a break would arrive late and out of place: the endpoint repeats what matters."""
    post = running.post
    dialer = Dialer(server.target(), server.terminal, post)
    dialer.send(b"early")
    dialer.flush()
    running.start(dialer)
    await post.until(lambda: post.count(LinkOpened) == 1)
    dialer.send(b"now")
    dialer.flush()
    await post.until(lambda: post.count(FramesReceived) == 1)
    assert post.events[1] == FramesReceived("relay-1", (b"now",))


async def test_nobody_there_is_no_link_but_a_reason(server: Server, running: Running) -> None:
    """A link reported open to a dead relay shows a path that is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = replace(server.target(), address=f"127.0.0.1:{taken.getsockname()[1]}")
        dialer = Dialer(target, server.terminal, running.post)
        running.start(dialer)
        await _failed(dialer)
    assert dialer.last_error.startswith("unavailable: ")
    assert "all addresses" not in dialer.last_error
    assert running.post.events == []


async def test_wrong_relay_is_never_a_link(server: Server, running: Running) -> None:
    """A machine in the relay's place must not even be counted as a path."""
    dialer = Dialer(server.target(own_tls("relay-1").certificate_der), server.terminal, running.post)
    running.start(dialer)
    await _failed(dialer)
    assert running.post.events == []
    assert server.peers == []


async def test_stopping_closes_the_link(server: Server, running: Running) -> None:
    """Without the closing event the ledger would show a path that was up for ever."""
    post = running.post
    task = running.start(Dialer(server.target(), server.terminal, post))
    await post.until(lambda: post.count(LinkOpened) == 1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, SECONDS)
    assert post.events[-1] == LinkClosed("relay-1", "stopped")


async def test_relay_that_does_not_read_loses_its_stream(server: Server, running: Running) -> None:
    """One stuck relay must not eat the memory of the terminal."""
    post = running.post
    dialer = Dialer(server.target(), server.terminal, post)
    running.start(dialer)
    await post.until(lambda: post.count(LinkOpened) == 1)
    for _ in range(120):  # 4.8 MB in one turn of the loop: nothing can have been taken
        dialer.send(b"f" * 40_000)
        dialer.flush()
    await post.until(lambda: post.count(LinkClosed) == 1)
    await post.until(lambda: post.count(LinkOpened) == 2)


async def test_full_disk_queue_stops_the_reading(server: Server, running: Running) -> None:
    """If frames were read while the disk is behind, memory would grow with the peer's speed."""
    post = running.post
    dialer = Dialer(server.target(), server.terminal, post)
    running.start(dialer)
    await post.until(lambda: post.count(LinkOpened) == 1)
    post.blocked.clear()
    dialer.send(b"1")
    dialer.flush()
    for _ in range(50):
        await asyncio.sleep(0.002)
    assert post.count(FramesReceived) == 0
    post.blocked.set()
    await post.until(lambda: post.count(FramesReceived) == 1)


async def test_a_fault_of_grpc_ends_no_path(server: Server, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would dial the relay any more, and nobody would be told: nobody waits for the task of a path."""
    # docs/protocol.md 3.8
    begin, faults = Dialer._serve, [asyncio.InvalidStateError("RPC already finished.")]

    async def serve(self: Dialer, channel: grpc.aio.Channel) -> None:
        if faults:
            raise faults.pop()
        await begin(self, channel)

    monkeypatch.setattr(Dialer, "_serve", serve)
    dialer = Dialer(server.target(), server.terminal, running.post)
    running.start(dialer)
    await _failed(dialer)
    assert dialer.last_error == "InvalidStateError: RPC already finished."
    await running.post.until(lambda: running.post.count(LinkOpened) == 1)
