"""The gRPC face of a relay: streams in, events out. Decides nothing and trusts no metadata."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Container, Sequence
from typing import Final, Protocol

import grpc
import grpc.aio

from hotline.limits import LINK_QUEUE_BYTES_MAX, MAILBOX_BYTES_MAX, RELAY_STREAMS_MAX, STREAMS_PER_CERTIFICATE
from hotline.machine import Delivery, FramesReceived, Instant, LinkClosed, LinkOpened, Output, Transmission
from hotline.runtime.credentials import peer_fingerprint
from hotline.runtime.driver import Driver
from hotline.runtime.frames import FrameQueue
from hotline.wire.v1 import relay_pb2, relay_pb2_grpc
from relay.machine import RelayEvent
from relay.store import MailboxStore

_QUEUE_BYTES_MAX: Final = MAILBOX_BYTES_MAX + LINK_QUEUE_BYTES_MAX
"""Bytes waiting for one stream: a whole mailbox must fit, or a terminal with a full one could never come back."""

Context = grpc.aio.ServicerContext[relay_pb2.AttachRequest, relay_pb2.AttachResponse]


class Links:
    """The open streams, by the name the relay machine knows them by."""

    def __init__(self) -> None:
        self._queues: dict[str, FrameQueue] = {}
        self._breakers: dict[str, Callable[[], object]] = {}
        self._peers: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def open(self, link: str, peer: str, queue: FrameQueue, give_up: Callable[[], object]) -> None:
        """A stream of the certificate `peer` exists; the oldest one beyond STREAMS_PER_CERTIFICATE is given up."""
        of_peer = [other for other, holder in self._peers.items() if holder == peer]
        if len(of_peer) >= STREAMS_PER_CERTIFICATE:
            self._breakers[of_peer[0]]()
            self.closed(of_peer[0])
        self._queues[link] = queue
        self._breakers[link] = give_up
        self._peers[link] = peer

    def closed(self, link: str) -> None:
        """It does not any more."""
        self._queues.pop(link, None)
        self._breakers.pop(link, None)
        self._peers.pop(link, None)

    def send(self, transmissions: Sequence[Transmission]) -> None:
        """Queue frames; a stream that does not drain is given up, its terminal comes back for the rest."""
        for item in transmissions:
            queue = self._queues.get(item.link)
            if queue is not None and not queue.put(item.frame, item.sender):
                self._breakers[item.link]()
        for link in {item.link for item in transmissions}:
            queue = self._queues.get(link)
            if queue is not None:
                queue.flush()

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

    def __init__(self, driver: Driver[RelayEvent], links: Links, pinned: Container[str]) -> None:
        """`pinned` holds the fingerprints of terminals: the handshake lets in whom one of their keys has certified."""
        self._driver = driver
        self._links = links
        self._pinned = pinned
        self._names = itertools.count(1)

    # A coroutine, where the stub expects a generator: a generator cannot end while one of its writes is stuck.
    async def Attach(  # type: ignore[override]  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[relay_pb2.AttachRequest], context: Context
    ) -> None:
        """Frames both ways until either side closes."""
        peer = peer_fingerprint(context.auth_context())
        if peer is None or peer not in self._pinned:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not a certificate of a terminal")
        if len(self._links) >= RELAY_STREAMS_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no stream to be had")
        if await self._serve(peer, request_iterator, context):
            # Only a status ends the stream at its other end; a cancelled call would look alive there for ever. It may
            # have to wait behind a write that is stuck, so the relay has let go of the stream before.
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "stream given up: dial again")

    async def _serve(self, peer: str, requests: AsyncIterator[relay_pb2.AttachRequest], context: Context) -> bool:
        """One stream from open to closed; whether it was given up."""
        link = f"stream-{next(self._names)}"
        queue = FrameQueue(_QUEUE_BYTES_MAX)
        given_up = asyncio.Event()
        self._links.open(link, peer, queue, given_up.set)
        self._driver.post(LinkOpened(link, peer))
        reading = asyncio.create_task(self._read(link, requests, queue))
        writing = asyncio.create_task(_write(context, queue))
        waiting = asyncio.create_task(given_up.wait())
        try:
            await asyncio.wait((writing, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.closed(link)
            self._driver.post(LinkClosed(link, "stream ended"))
            for task in (reading, writing, waiting):
                task.cancel()
            await asyncio.gather(reading, writing, waiting, return_exceptions=True)
        return given_up.is_set()

    async def _read(self, link: str, requests: AsyncIterator[relay_pb2.AttachRequest], queue: FrameQueue) -> None:
        try:
            async for request in requests:
                await self._driver.room()
                self._driver.post(FramesReceived(link, tuple(request.frame)))
        finally:
            queue.close()


async def _write(context: Context, queue: FrameQueue) -> None:
    await context.send_initial_metadata(())

    async def write(parcel: list[bytes]) -> None:
        await context.write(relay_pb2.AttachResponse(frame=parcel))

    await queue.drain(write)
