"""The relay process of a floor: passes frames between two streams and, from level 3 on, commits each ping first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio

from benchmarks.floor_parts import (
    RECEIVER,
    SENDER,
    SERVICE,
    Journal,
    listen,
    number_of,
    part_from_stdin,
    say,
    stdin_closed,
)

Context = grpc.aio.ServicerContext[bytes, bytes]


class Relay:
    """Both streams, each handled on arrival; frames wait until the other end has come."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        loop = asyncio.get_running_loop()
        self._sender: asyncio.Future[Context] = loop.create_future()
        self._receiver: asyncio.Future[Context] = loop.create_future()

    async def serve_sender(self, pings: AsyncIterator[bytes], context: Context) -> None:
        """Commit and pass on each ping."""
        await context.send_initial_metadata(())
        self._sender.set_result(context)
        receiver = await self._receiver
        async for frame in pings:
            self._journal.commit(number_of(frame), frame)
            await receiver.write(frame)

    async def serve_receiver(self, pongs: AsyncIterator[bytes], context: Context) -> None:
        """Pass on each pong."""
        await context.send_initial_metadata(())
        self._receiver.set_result(context)
        sender = await self._sender
        async for frame in pongs:
            await sender.write(frame)


async def main() -> None:
    """Say the port on stdout, then serve until stdin is closed."""
    part = part_from_stdin()
    journal = Journal(part)
    relay = Relay(journal)
    server, port = listen(part)
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        SENDER: grpc.stream_stream_rpc_method_handler(relay.serve_sender),
        RECEIVER: grpc.stream_stream_rpc_method_handler(relay.serve_receiver),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    await server.start()
    say(str(port))
    await stdin_closed()
    await server.stop(None)
    journal.close()


if __name__ == "__main__":
    asyncio.run(main())
