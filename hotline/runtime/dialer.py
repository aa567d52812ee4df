"""Keeps one stream to one relay open, for ever. Reports what happens to the driver; decides nothing.

Frames wait in one queue per relay and leave several in one gRPC message. A queue that grows beyond its bound, or a
stream that breaks, loses what it held: everything that matters is repeated by the endpoint until it is acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio

from hotline.limits import FRAMES_PER_PARCEL_MAX, LINK_QUEUE_BYTES_MAX, PARCEL_BYTES_MAX
from hotline.machine import FramesReceived, LinkClosed, LinkOpened
from hotline.runtime.credentials import RelayTarget, open_channel
from hotline.runtime.driver import Driver
from hotline.wire.v1 import relay_pb2, relay_pb2_grpc

_PARCEL_ROOM = PARCEL_BYTES_MAX - 2_048
"""What frames may fill of one gRPC message; the rest is for their lengths."""


class FrameQueue:
    """Frames waiting for one stream, handed out as parcels."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, frame: bytes) -> bool:
        """Queue one frame; False if the queue is full."""
        if self._bytes + len(frame) > LINK_QUEUE_BYTES_MAX:
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
        """What is queued, several frames at a time, until closed."""
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


class Dialer:
    """One relay's stream as seen from a terminal."""

    def __init__(
        self,
        target: RelayTarget,
        post: Callable[[LinkOpened | LinkClosed | FramesReceived], None],
        room: Callable[[], object],
    ) -> None:
        raise NotImplementedError
