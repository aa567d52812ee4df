"""Frames waiting for one stream, written several at a time, the first of them in the turn that brought them.

A task that must be woken to write begins one turn of the loop later, behind everything else that waits there: at each
end and in each relay of a statement's way. So `flush` begins the write itself. (From Python 3.12 on a task started
eagerly does that; here a coroutine is stepped by what it waits for.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from hotline.limits import FRAMES_PER_PARCEL_MAX, LINK_QUEUE_BYTES_MAX, PARCEL_BYTES_MAX

_PARCEL_ROOM = PARCEL_BYTES_MAX - 4 * FRAMES_PER_PARCEL_MAX - 64
"""What frames may fill of one gRPC message; the rest is for their lengths."""

Writing = Coroutine["asyncio.Future[Any]", None, None]
Write = Callable[[list[bytes]], Writing]
"""Writes one parcel onto a stream; returns when the next one may follow. It waits for futures, and for nothing else."""


class FrameQueue:
    """A bounded queue of encoded frames for one stream. Use on one event loop only."""

    def __init__(self, limit: int = LINK_QUEUE_BYTES_MAX) -> None:
        self._limit = limit
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._closed = False
        self._write: Write | None = None
        self._writing: Writing | None = None
        self._ended: asyncio.Future[None]

    def put(self, frame: bytes) -> bool:
        """Queue one frame; False if the queue is full (`limit` bytes) and the stream should be given up."""
        if self._bytes + len(frame) > self._limit:
            return False
        self._frames.append(frame)
        self._bytes += len(frame)
        return True

    def flush(self) -> None:
        """Begin to write what is queued; a write under way will go on with it, and before `drain` everything waits."""
        if self._write is not None and self._writing is None:
            self._go_on()

    def close(self) -> None:
        """Let `drain` return after what is queued now."""
        self._closed = True
        self.flush()

    async def drain(self, write: Write) -> None:
        """Write what is queued and flushed until closed. Raises what `write` raises. Call once."""
        self._ended = asyncio.get_running_loop().create_future()
        self._write = write
        self.flush()
        try:
            await self._ended
        finally:
            self._write = None
            if self._writing is not None:
                self._writing.close()
                self._writing = None

    def _go_on(self, done: asyncio.Future[Any] | None = None) -> None:
        """Step the write under way, then those that follow, as far as they go without waiting."""
        if done is not None and not done.cancelled():
            done.exception()  # of a stream that may be gone: unseen, asyncio would print it into the daemon's log
        while self._write is not None and not self._ended.done():
            if self._writing is None:
                if not self._frames:
                    if self._closed:
                        self._ended.set_result(None)
                    return
                self._writing = self._write(self._parcel())
            try:
                waits_for = self._writing.send(None)
            except StopIteration:
                self._writing = None
            except asyncio.CancelledError:
                self._writing = None
                self._ended.cancel()
            except Exception as error:  # noqa: BLE001 - handed to whoever drains
                self._writing = None
                self._ended.set_exception(error)
            else:
                waits_for.add_done_callback(self._go_on)
                return

    def _parcel(self) -> list[bytes]:
        """What is queued, as much as one gRPC message holds."""
        parcel = [self._frames.popleft()]
        size = len(parcel[0])
        while self._frames and len(parcel) < FRAMES_PER_PARCEL_MAX and size + len(self._frames[0]) <= _PARCEL_ROOM:
            parcel.append(self._frames.popleft())
            size += len(parcel[-1])
        self._bytes -= size
        return parcel
