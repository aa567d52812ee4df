"""The floors: what the bare parts cost without the product, so that its own share of a delay can be told.

Each ping travels sender -> relay -> receiver and its pong comes back the same way: three processes on loopback, the
sender in this one. The code is what one would write first: every step inline on one event loop, nothing batched.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio
from nacl.signing import SigningKey

from benchmarks.floor_parts import LEVELS, SENDER, Journal, Letters, Part, attach, make_certificate, open_channel

PAYLOAD_BYTES = 1_024
NAMES = {
    1: "F1 plain streams",
    2: "F2 with mTLS",
    3: "F3 with three commits",
    4: "F4 signed and sealed",
}

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 15
_STOP_SECONDS = 5
_ROUND_SECONDS = 60
_WARM_UP = 30
_ROUNDS = 5
_PINGS_PER_ROUND = 100
_WINDOW = 64


class Floor:
    """One running topology: start it once, then measure as many rounds as wanted, one at a time."""

    def __init__(self, level: int, folder: Path | None = None) -> None:
        """`level` 1 to 4; the journals lie below `folder` (the system's temporary folder if None).

        A comparison is fair only if the product's files lie on the same file system.
        """
        if level not in LEVELS:
            raise ValueError(f"there is no floor {level}; choose one of {LEVELS}")
        self.level = level
        self._folder = folder
        self._stack = AsyncExitStack()
        self._next = 0
        self._payload = os.urandom(PAYLOAD_BYTES)

    async def __aenter__(self) -> Self:
        """Start relay and receiver, connect, warm up. Raises TimeoutError or what went wrong; leaves nothing behind."""
        async with AsyncExitStack() as stack, asyncio.timeout(_START_SECONDS):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="floor-", dir=self._folder))
            sender, relay, receiver = _make_parts(self.level, Path(folder))
            address = "127.0.0.1:" + await _start_child(stack, "benchmarks.floor_relay", relay)
            sender, receiver = replace(sender, address=address), replace(receiver, address=address)
            await _start_child(stack, "benchmarks.floor_receiver", receiver)
            self._journal = Journal(sender)
            stack.callback(self._journal.close)
            self._letters = Letters(sender)
            channel = await stack.enter_async_context(open_channel(sender))
            self._call = await attach(channel, SENDER)
            self._pongs: AsyncIterator[bytes] = aiter(self._call)
            stack.push_async_callback(self._hang_up)
            await self.latency(_WARM_UP)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both child processes by their own id and remove the temporary folder."""
        await self._stack.__aexit__(kind, error, trace)

    async def latency(self, count: int) -> list[float]:
        """Milliseconds of each of `count` ping-pongs, one after the other. Raises TimeoutError after 60 s."""
        measured: list[float] = []
        async with asyncio.timeout(_ROUND_SECONDS):
            for _ in range(count):
                begin = time.perf_counter()
                number = await self._ping()
                await self._pong(number)
                measured.append((time.perf_counter() - begin) * 1_000)
        return measured

    async def throughput(self, count: int, window: int) -> float:
        """Ping-pongs per second over `count` of them, at most `window` in flight. Raises TimeoutError after 60 s."""
        room = asyncio.Semaphore(window)
        first = self._next

        async def send() -> None:
            for _ in range(count):
                await room.acquire()
                await self._ping()

        async def receive() -> None:
            for number in range(first, first + count):
                await self._pong(number)
                room.release()

        begin = time.perf_counter()
        async with asyncio.timeout(_ROUND_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(send())
            group.create_task(receive())
        return count / (time.perf_counter() - begin)

    async def _hang_up(self) -> None:
        self._call.cancel()
        with suppress(asyncio.CancelledError, grpc.aio.AioRpcError, StopAsyncIteration):
            await anext(self._pongs)
        # While a call is referred to, gRPC keeps its connection, and complains when the relay then ends.
        del self._call, self._pongs

    async def _ping(self) -> int:
        number = self._next
        self._next += 1
        frame = self._letters.ping(number, self._payload)
        self._journal.commit(number, frame)
        await self._call.write(frame)
        return number

    async def _pong(self, number: int) -> None:
        try:
            frame = await anext(self._pongs)
        except StopAsyncIteration:
            raise ConnectionError("the relay ended the sender's stream") from None
        self._letters.check_pong(frame, number, self._payload)


async def latency(level: int, count: int) -> list[float]:
    """Milliseconds of each of `count` ping-pongs at one level, on a topology of its own."""
    async with Floor(level) as floor:
        return await floor.latency(count)


async def throughput(level: int, count: int, window: int) -> float:
    """Ping-pongs per second at one level with `window` in flight, on a topology of its own."""
    async with Floor(level) as floor:
        return await floor.throughput(count, window)


def _make_parts(level: int, folder: Path) -> tuple[Part, Part, Part]:
    """Sender, relay and receiver with new keys and certificates."""
    certificates = {name: make_certificate(name) for name in ("sender", "relay", "receiver")}
    sender_key, receiver_key = SigningKey.generate(), SigningKey.generate()
    sealing_key = os.urandom(32).hex()

    def part(name: str, *trusted: str) -> Part:
        private_pem, certificate_pem = certificates[name]
        trusted_pem = "".join(certificates[other][1] for other in trusted)
        journal = str(folder / f"{name}.db")
        return Part(level, "127.0.0.1:0", journal, private_pem, certificate_pem, trusted_pem)

    def end(name: str, own: SigningKey, peer: SigningKey) -> Part:
        return replace(
            part(name, "relay"),
            signing_seed=bytes(own).hex(),
            peer_key=bytes(peer.verify_key).hex(),
            sealing_key=sealing_key,
        )

    return (
        end("sender", sender_key, receiver_key),
        part("relay", "sender", "receiver"),
        end("receiver", receiver_key, sender_key),
    )


async def _start_child(stack: AsyncExitStack, module: str, part: Part) -> str:
    """Start one process, hand it its part, and return the line that it says when it is up."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=_ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    stack.push_async_callback(_end_child, child)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(part.to_line())
    await child.stdin.drain()
    line = await child.stdout.readline()
    if not line:
        raise ConnectionError(f"{module} ended before it was up; its error is above")
    return line.decode().strip()


async def _end_child(child: asyncio.subprocess.Process) -> None:
    """Ask by closing its stdin, then kill; returns when the process is gone."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), _STOP_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()


def _quantile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


async def main() -> None:
    """Measure all floors in turns, so that a change of the machine's mood meets all of them, and print a table."""
    async with AsyncExitStack() as stack:
        floors = [await stack.enter_async_context(Floor(level)) for level in LEVELS]
        delays: dict[int, list[float]] = {level: [] for level in LEVELS}
        rates: dict[int, list[float]] = {level: [] for level in LEVELS}
        for _ in range(_ROUNDS):
            for floor in floors:
                delays[floor.level] += await floor.latency(_PINGS_PER_ROUND)
                rates[floor.level].append(await floor.throughput(_PINGS_PER_ROUND * 2, _WINDOW))
    print(
        f"{PAYLOAD_BYTES} bytes, {_ROUNDS} rounds of {_PINGS_PER_ROUND} pings; throughput: median, {_WINDOW} in flight"
    )
    print(f"{'floor':<24}{'p50 ms':>9}{'p99 ms':>9}{'per second':>12}")
    for level in LEVELS:
        sample = sorted(delays[level])
        rate = _quantile(sorted(rates[level]), 0.5)
        print(f"{NAMES[level]:<24}{_quantile(sample, 0.5):>9.2f}{_quantile(sample, 0.99):>9.2f}{rate:>12.0f}")


if __name__ == "__main__":
    asyncio.run(main())
