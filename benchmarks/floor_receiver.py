"""The receiver process of a floor: answers each ping with a pong, from level 3 on after a durable commit."""

from __future__ import annotations

import asyncio

import grpc.aio

from benchmarks.floor_parts import RECEIVER, Journal, Letters, attach, open_channel, part_from_stdin, say, stdin_closed


async def answer(call: grpc.aio.StreamStreamCall[bytes, bytes], journal: Journal, letters: Letters) -> None:
    """Read, commit and acknowledge until the relay ends the stream."""
    async for frame in call:
        number, payload = letters.read_ping(frame)
        journal.commit(number, payload)
        await call.write(letters.pong(number, payload))
    raise ConnectionError("the relay ended the receiver's stream")


async def main() -> None:
    """Say on stdout when the stream is open, then answer until stdin is closed; an error ends the process."""
    part = part_from_stdin()
    journal = Journal(part)
    async with open_channel(part) as channel:
        call = await attach(channel, RECEIVER)
        say("ready")
        answering = asyncio.create_task(answer(call, journal, Letters(part)))
        told_to_stop = asyncio.create_task(stdin_closed())
        await asyncio.wait((answering, told_to_stop), return_when=asyncio.FIRST_COMPLETED)
        if not told_to_stop.done():
            await answering
        call.cancel()
        await asyncio.wait((answering,))
    journal.close()


if __name__ == "__main__":
    asyncio.run(main())
