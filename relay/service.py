"""The gRPC face of a relay: streams in, events out. Decides nothing and trusts no metadata."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import grpc
import grpc.aio

from hotline.limits import RELAY_STREAMS_MAX
from hotline.machine import Delivery, FramesReceived, Instant, LinkClosed, LinkOpened, Output, Transmission
from hotline.runtime.credentials import peer_fingerprint
from hotline.runtime.driver import Driver
from hotline.runtime.frames import FrameQueue
from hotline.wire.v1 import relay_pb2, relay_pb2_grpc
from relay.machine import RelayEvent
from relay.store import MailboxStore

Context = grpc.aio.ServicerContext[relay_pb2.AttachRequest, relay_pb2.AttachResponse]


class Links:
    """The open streams, by the name the relay machine knows them by."""

    def __init__(self) -> None:
        self._queues: dict[str, FrameQueue] = {}
        self._breakers: dict[str, Callable[[], object]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def open(self, link: str, queue: FrameQueue, give_up: Callable[[], object]) -> None:
        """A stream exists."""
        self._queues[link] = queue
        self._breakers[link] = give_up

    def closed(self, link: str) -> None:
        """It does not any more."""
        self._queues.pop(link, None)
        self._breakers.pop(link, None)

    def send(self, transmissions: Sequence[Transmission]) -> None:
        """Queue frames; a stream that does not drain is given up, its terminal comes back for the rest."""
        for item in transmissions:
            queue = self._queues.get(item.link)
            if queue is not None and not queue.put(item.frame):
                self._breakers[item.link]()

    def hang_up(self, link: str) -> None:
        """End a stream after what is queued for it."""
        queue = self._queues.get(link)
        if queue is not None:
            queue.close()

    def hang_up_all(self) -> None:
        """End every stream."""
        for queue in self._queues.values():
            queue.close()


class Observer(Protocol):
    """Who is told what the relay machine says about itself."""

    def told(self, delivery: Delivery) -> None:
        """One thing happened."""


class RelayWorld:
    """What the relay's driver acts upon."""

    def __init__(self, store: MailboxStore, links: Links, observer: Observer) -> None:
        self._store = store
        self._links = links
        self._observer = observer

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        """One transaction of the mailbox store."""
        self._store.commit(batch, now)

    def transmit(self, transmissions: Sequence[Transmission]) -> None:
        """Frames onto streams."""
        self._links.send(transmissions)

    def deliver(self, delivery: Delivery) -> None:
        """Streams to end; the rest is for the observer."""
        if delivery.kind == "hang-up":
            self._links.hang_up(str(delivery.fields["link"]))
        self._observer.told(delivery)


class RelayService(relay_pb2_grpc.RelayServiceServicer):
    """Attach: one stream per terminal."""

    def __init__(self, driver: Driver[RelayEvent], links: Links) -> None:
        self._driver = driver
        self._links = links
        self._names = itertools.count(1)

    async def Attach(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[relay_pb2.AttachRequest], context: Context
    ) -> AsyncIterator[relay_pb2.AttachResponse]:
        """Frames both ways until either side closes."""
        peer = peer_fingerprint(context.auth_context())
        if peer is None or len(self._links) >= RELAY_STREAMS_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no stream to be had")
        link = f"stream-{next(self._names)}"
        queue = FrameQueue()
        call = asyncio.current_task()
        assert call is not None
        self._links.open(link, queue, call.cancel)
        self._driver.post(LinkOpened(link, peer))
        reading = asyncio.create_task(self._read(link, request_iterator, queue))
        try:
            await context.send_initial_metadata(())
            async for parcel in queue.parcels():
                yield relay_pb2.AttachResponse(frame=parcel)
        finally:
            reading.cancel()
            self._links.closed(link)
            self._driver.post(LinkClosed(link, "stream ended"))

    async def _read(self, link: str, requests: AsyncIterator[relay_pb2.AttachRequest], queue: FrameQueue) -> None:
        try:
            async for request in requests:
                await self._driver.room()
                self._driver.post(FramesReceived(link, tuple(request.frame)))
        finally:
            queue.close()
