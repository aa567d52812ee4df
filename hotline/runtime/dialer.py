"""Keeps one stream to one relay open, for ever. Reports what happens to the driver; decides nothing.

What waits for a stream that breaks is lost: everything that matters is repeated until it is acknowledged.
"""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

import grpc
import grpc.aio

from hotline.machine import FramesReceived, LinkClosed, LinkOpened
from hotline.runtime.credentials import OwnTls, RelayTarget, open_channel
from hotline.runtime.frames import FrameQueue
from hotline.runtime.logs import get_logger
from hotline.wire.v1 import relay_pb2, relay_pb2_grpc

_BACKOFF_FIRST = 0.1
_BACKOFF_GROWTH = 1.6
_BACKOFF_SPREAD = 0.2
_LIVED_SECONDS = 3.0
_NO_ADDRESS = "failed to connect to all addresses; last error: "
"""gRPC begins so even where there is one address; what helps comes after."""


class Post(Protocol):
    """What a dialer needs of a driver."""

    def post(self, event: LinkOpened | LinkClosed | FramesReceived) -> None:
        """Step with an event."""

    async def room(self) -> None:
        """Wait until the disk has caught up."""


class Dialer:
    """One relay's stream as seen from a terminal."""

    def __init__(self, target: RelayTarget, own: OwnTls, driver: Post) -> None:
        self.target = target
        self._own = own
        self._driver = driver
        self._queue: FrameQueue | None = None
        self._call: grpc.aio.StreamStreamCall[relay_pb2.AttachRequest, relay_pb2.AttachResponse] | None = None
        self.last_error = ""
        # Half of what makes a path suspect: service is back within that time of a relay's return.
        self._backoff_last = target.profile.silent_ceiling_ms / 2_000

    def send(self, frame: bytes) -> None:
        """Queue one frame for `flush`; without a stream it is swallowed, on a full queue the stream is given up."""
        if self._queue is not None and not self._queue.put(frame) and self._call is not None:
            self.last_error = "the relay does not take our frames"
            self._call.cancel()

    def flush(self) -> None:
        """Begin to write what was queued."""
        if self._queue is not None:
            self._queue.flush()

    async def run(self) -> None:
        """Dial, serve the stream until it breaks, dial again; ends only by cancellation."""
        pause = _BACKOFF_FIRST
        loop = asyncio.get_running_loop()
        channel = open_channel(self.target, self._own)
        try:
            while True:
                begun = loop.time()
                try:
                    await self._serve(channel)
                except Exception as error:  # noqa: BLE001 - gRPC's own faults at the end of a call: no path ends by them
                    self.last_error = f"{type(error).__name__}: {error}"[:200]
                    get_logger("dialer").error("stream", relay=self.target.name, reason=self.last_error)
                # A stream that was ended at once (not admitted, replaced) must not be dialled again at full speed.
                if loop.time() - begun > _LIVED_SECONDS:
                    pause = _BACKOFF_FIRST
                spread = 1 + random.uniform(-_BACKOFF_SPREAD, _BACKOFF_SPREAD)  # noqa: S311 - only spreads the load
                await asyncio.sleep(pause * spread)
                pause = min(pause * _BACKOFF_GROWTH, self._backoff_last)
        finally:
            await channel.close()

    async def _serve(self, channel: grpc.aio.Channel) -> None:
        """One stream from open to broken."""
        queue = FrameQueue()
        stub = relay_pb2_grpc.RelayServiceStub(channel)
        opened = False
        name = self.target.name
        call = stub.Attach(wait_for_ready=False)

        async def write(parcel: list[bytes]) -> None:
            await call.write(relay_pb2.AttachRequest(frame=parcel))

        def written(done: asyncio.Task[None]) -> None:
            """A stream that cannot be written to any more is given up as a whole; its reader says why."""
            if not done.cancelled():
                done.exception()
            call.cancel()

        writing = asyncio.create_task(queue.drain(write))
        writing.add_done_callback(written)
        try:
            await call.wait_for_connection()
            opened = True
            self._queue, self._call = queue, call
            self.last_error = ""
            self._driver.post(LinkOpened(name))
            async for response in call:
                await self._driver.room()
                self._driver.post(FramesReceived(name, tuple(response.frame)))
            self.last_error = "the relay closed the stream"
        except grpc.aio.AioRpcError as error:
            self.last_error = f"{error.code().name.lower()}: {(error.details() or '').removeprefix(_NO_ADDRESS)}"[:200]
        except asyncio.CancelledError:
            # gRPC raises this also for a call that `send` gave up; only our own task's end may end the dialing.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            self._queue = self._call = None
            writing.cancel()
            call.cancel()
            if opened:
                self._driver.post(LinkClosed(name, self.last_error or "stopped"))
