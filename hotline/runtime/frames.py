"""Frames waiting for one stream, written several at a time, the first of them in the turn that brought them.

A relay passes on what several terminals send, and none of them may fill the queue for the others: each has a lane, the
lanes have turns, and where there is no room the longest gives way (docs/protocol.md 5.25).

A task that must be woken to write begins one turn of the loop later, behind everything else that waits there: at each
end and in each relay of a statement's way. So `flush` begins the write itself. (From Python 3.12 on a task started
eagerly does that; here a coroutine is stepped by what it waits for.)
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from hotline.limits import FRAMES_PER_PARCEL_MAX, LINK_QUEUE_BYTES_MAX, PARCEL_BYTES_MAX, STREAM_PATIENCE

_PARCEL_ROOM = PARCEL_BYTES_MAX - 4 * FRAMES_PER_PARCEL_MAX - 64
"""What frames may fill of one gRPC message; the rest is for their lengths."""

Writing = Coroutine["asyncio.Future[Any]", None, None]
Write = Callable[[list[bytes]], Writing]
"""Writes one parcel onto a stream; returns when the next one may follow. It waits for futures, and for nothing else."""


OWN: Final = 0
"""The lane of what is not passed on: everything that a terminal sends, and what a relay says itself."""


class _Lane:
    """What waits of one sender."""

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.bytes = 0


class FrameQueue:
    """A bounded queue of encoded frames for one stream. Use on one event loop only."""

    def __init__(self, limit: int = LINK_QUEUE_BYTES_MAX) -> None:
        self._limit = limit
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
        """Those with something in them, whose turn is next first."""
        self._bytes = 0
        self._closed = False
        self._write: Write | None = None
        self._writing: Writing | None = None
        self._since = 0.0
        """When the write under way began."""
        self._ended: asyncio.Future[None]

    def put(self, frame: bytes, sender: int = OWN) -> bool:
        """Queue one frame; False if the stream should be given up.

        It should if there is no room (`limit` bytes) though nobody else's frames could give way, or if one write has
        lasted for STREAM_PATIENCE.
        """
        if self._writing is not None and time.monotonic() - self._since > STREAM_PATIENCE:
            return False
        lane = self._lanes.setdefault(sender, _Lane())
        lane.frames.append(frame)
        lane.bytes += len(frame)
        self._bytes += len(frame)
        drains = True
        while self._bytes > self._limit:
            longest = max(self._lanes, key=lambda one: self._lanes[one].bytes)
            self._take(longest, self._lanes[longest].frames.pop())
            drains = drains and longest != OWN
        return drains

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
                if not self._lanes:
                    if self._closed:
                        self._ended.set_result(None)
                    return
                self._writing, self._since = self._write(self._parcel()), time.monotonic()
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
        """A frame of each lane in turn, as much as one gRPC message holds."""
        parcel, size = list[bytes](), 0
        while self._lanes and len(parcel) < FRAMES_PER_PARCEL_MAX:
            sender, lane = next(iter(self._lanes.items()))
            if parcel and size + len(lane.frames[0]) > _PARCEL_ROOM:
                break
            parcel.append(self._take(sender, lane.frames.popleft()))
            size += len(parcel[-1])
            if sender in self._lanes:
                self._lanes.move_to_end(sender)
        return parcel

    def _take(self, sender: int, frame: bytes) -> bytes:
        """One frame has left a lane."""
        lane = self._lanes[sender]
        lane.bytes -= len(frame)
        self._bytes -= len(frame)
        if not lane.frames:
            del self._lanes[sender]
        return frame
