"""Frames waiting for one stream, handed out several at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from hotline.limits import FRAMES_PER_PARCEL_MAX, LINK_QUEUE_BYTES_MAX, PARCEL_BYTES_MAX

_PARCEL_ROOM = PARCEL_BYTES_MAX - 4 * FRAMES_PER_PARCEL_MAX - 64
"""What frames may fill of one gRPC message; the rest is for their lengths."""


class FrameQueue:
    """A bounded queue of encoded frames for one stream."""

    def __init__(self, limit: int = LINK_QUEUE_BYTES_MAX) -> None:
        self._limit = limit
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, frame: bytes) -> bool:
        """Queue one frame; False if the queue is full (`limit` bytes) and the stream should be given up."""
        if self._bytes + len(frame) > self._limit:
            return False
        self._frames.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        return True

    def close(self) -> None:
        """Let the parcels end after what is queued now."""
        self._closed = True
        self._wake.set()

    async def parcels(self) -> AsyncIterator[list[bytes]]:
        """What is queued, as much as one gRPC message holds at a time, until closed."""
        while True:
            while not self._frames:
                if self._closed:
                    return
                self._wake.clear()
                await self._wake.wait()
            parcel = [self._frames.popleft()]
            size = len(parcel[0])
            while self._frames and len(parcel) < FRAMES_PER_PARCEL_MAX and size + len(self._frames[0]) <= _PARCEL_ROOM:
                parcel.append(self._frames.popleft())
                size += len(parcel[-1])
            self._bytes -= size
            yield parcel
