"""Load on a relay from strangers and from an admitted terminal, by a child process: `python -m hotline.drill.floods`.

| kind | what `count` are |
|---|---|
| silent-tcp | connections that say nothing |
| silent-tls | connections that begin a handshake and leave it there |
| garbage | connections that send random bytes until they are closed |
| streams | calls of Attach at once, with the certificate of a terminal |
| statements | lawful envelopes of noise in one parcel, sent again and again, with the certificate of a terminal |

What the relay closes is opened again at once. The last two use BRAVO's key, as if it were stolen: the relay takes them
for BRAVO, whose own stream suffers at this relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import select
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, Literal, get_args

import click
import grpc.aio

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.drill.injects import Flood
from hotline.drill.processes import end_child, once
from hotline.drill.scene import NEEDS, PERFORMERS, Scene, Undo
from hotline.errors import LocalError
from hotline.files import read_public, read_secret
from hotline.limits import FRAMES_PER_PARCEL_MAX, WIRE_VERSION
from hotline.runtime.credentials import OwnTls, RelayTarget, open_channel
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import EPOCH_ID_SIZE, Header
from hotline.wire.v1 import frame_pb2, relay_pb2, relay_pb2_grpc

Call = grpc.aio.StreamStreamCall[relay_pb2.AttachRequest, relay_pb2.AttachResponse]
Kind = Literal["silent-tcp", "silent-tls", "garbage", "streams", "statements"]
MODULE: Final = "hotline.drill.floods"
READY: Final = "flooding"
PARTY: Final = "BRAVO"
_AGAIN_SECONDS: Final = 0.05
_GARBAGE_BYTES: Final = 1_024
_NOISE_BYTES: Final = 128
"""Small enough for 256 of them to fit one gRPC message."""
_CALLS_PER_CHANNEL: Final = 8
_ANSWER_SECONDS: Final = 10.0
_OTHER_FILES: Final = 64
_NICEST: Final = 19


class Flooding:
    """One flood on one relay, until it is cancelled."""

    def __init__(self, address: str, count: int) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._count = count
        self._client_hello = _client_hello()
        self.opened = self.closed = self.sent = 0

    async def run(self, one: Callable[[], Awaitable[None]]) -> None:
        """`count` times at once, each begun anew when it ends."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._for_ever(one))

    async def _for_ever(self, one: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await one()
                self.closed += 1
            await asyncio.sleep(_AGAIN_SECONDS)

    async def silent_tcp(self) -> None:
        """A connection, and not a word."""
        await self._converse(b"")

    async def silent_tls(self) -> None:
        """A lawful first word of a handshake, and no second."""
        await self._converse(self._client_hello)

    async def garbage(self) -> None:
        """Noise."""
        await self._converse(os.urandom(_GARBAGE_BYTES))

    async def _converse(self, first: bytes) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        self.opened += 1
        try:
            writer.write(first)
            while await reader.read(_GARBAGE_BYTES):
                pass
        finally:
            writer.close()


def _client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="relay.hotline.invalid")
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


class Admitted:
    """Calls with the certificate of a terminal of the charter."""

    def __init__(self, flooding: Flooding, charter: Charter, relay: str, secret: TerminalSecret) -> None:
        self._flooding = flooding
        self._charter = charter
        entry = charter.relay(relay)
        self._target = RelayTarget(relay, entry.address, entry.tls_certificate_der, entry.profile)
        self._own = OwnTls(secret.tls_private_pem, secret.tls_certificate_der)
        mine = next(one for one in charter.terminals if one.tls_certificate_der == secret.tls_certificate_der)
        self._number = mine.number
        self._peer = next(one.number for one in charter.terminals if one.party != mine.party)
        self._channel: grpc.aio.Channel | None = None
        self._calls = 0

    def _hello(self) -> bytes:
        hello = frame_pb2.Hello(version=WIRE_VERSION, charter=self._charter.founding, terminal=self._number)
        return encode(frame_pb2.Frame(hello=hello))

    def _open(self) -> grpc.aio.Channel:
        # A connection carries eight calls; more would wait in our own library and load nobody.
        if self._channel is None or self._calls % _CALLS_PER_CHANNEL == 0:
            self._channel = open_channel(self._target, self._own)
        self._calls += 1
        return self._channel

    async def stream(self) -> None:
        """One call that says Hello and listens until it is ended."""
        async with self._attached() as call:
            await _listen(call)

    async def statements(self) -> None:
        """One call that talks as fast as it is let, until it is ended."""
        number, epoch = 0, os.urandom(EPOCH_ID_SIZE)
        async with self._attached() as call:
            listening = asyncio.create_task(_listen(call))
            try:
                while not listening.done():
                    await call.write(relay_pb2.AttachRequest(frame=self._noise(epoch, number)))
                    number += FRAMES_PER_PARCEL_MAX
                    self._flooding.sent += 1
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _attached(self) -> AsyncIterator[Call]:
        call = relay_pb2_grpc.RelayServiceStub(self._open()).Attach()
        self._flooding.opened += 1
        try:
            await call.write(relay_pb2.AttachRequest(frame=[self._hello()]))
            yield call
        finally:
            call.cancel()

    def _noise(self, epoch: bytes, first: int) -> list[bytes]:
        headers = (Header(0, self._peer, self._number, epoch, first + one) for one in range(FRAMES_PER_PARCEL_MAX))
        return [envelope_frame(header.encode() + os.urandom(_NOISE_BYTES)) for header in headers]


async def _listen(call: Call) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


# --- the program ------------------------------------------------------------------------------------------------------


def _flood(kind: Kind, flooding: Flooding, charter: Path, relay: str, key: Path) -> Callable[[], Awaitable[None]]:
    if kind in ("streams", "statements"):
        secret = decode_secret(TerminalSecret, read_secret(key), None)[1]
        admitted = Admitted(flooding, load_charter(read_public(charter)), relay, secret)
        return admitted.stream if kind == "streams" else admitted.statements
    return {"silent-tcp": flooding.silent_tcp, "silent-tls": flooding.silent_tls}.get(kind, flooding.garbage)


async def _until_stdin_ends(work: Awaitable[None]) -> None:
    """The flood ends with the word of its parent, and also when the parent has gone without one."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.buffer.read)
    await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _step_back() -> None:
    """Take only what the others leave of the processors: who floods a hotline has processors of his own."""
    os.nice(_NICEST)
    # Where Linux shares the processors out among sessions, nice(2) yields only within one's own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(f"{_NICEST}\n", encoding="ascii")


@click.command()
@click.option("--kind", type=click.Choice(get_args(Kind)), required=True)
@click.option("--address", required=True, metavar="HOST:PORT")
@click.option("--count", type=click.IntRange(1), required=True)
@click.option("--charter", type=click.Path(path_type=Path), required=True)
@click.option("--relay", required=True, help="Its name in the charter.")
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Key file of an admitted terminal.")
def cli(kind: Kind, address: str, count: int, charter: Path, relay: str, key: Path) -> None:
    """Flood a relay of a drill until standard input ends. Never for a real hotline."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + _OTHER_FILES)), hard))
    _step_back()
    flooding = Flooding(address, count)
    one = _flood(kind, flooding, charter, relay, key)
    click.echo(READY)
    asyncio.run(_until_stdin_ends(flooding.run(one)))
    click.echo(f"{kind}: {flooding.opened} opened, {flooding.closed} closed by the relay, {flooding.sent} parcels sent")


# --- the inject -------------------------------------------------------------------------------------------------------


def flood_needs(inject: Flood) -> str | None:
    """Why there cannot be so many connections here; None if there can."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < inject.count + _OTHER_FILES:
        return f"a process may open {hard} files here, too few for {inject.count} connections: raise `ulimit -Hn`"
    return None


def flood(inject: Flood, scene: Scene) -> Undo:
    """The flood has begun when this returns; undone, it has ended, and the journal is told how much it was.

    Raises LocalError if it does not begin.
    """
    stage = scene.stage
    relay = next(one for one in stage.relays if one.name == inject.target)
    options = {
        "kind": inject.kind,
        "address": relay.address,
        "count": inject.count,
        "charter": stage.rehearsal.charter,
        "relay": relay.name,
        "key": stage.folder_of(PARTY) / "terminal.key",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with (scene.folder / f"flood-{inject.target}-{inject.kind}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", MODULE, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    stage.belongings.callback(_finish, process)
    stage.reaper.watch(process)  # without us its input ends, which it may long not come to see: it steps back for all
    said = _line_of(process)
    if said != READY:
        _finish(process)
        raise LocalError(f"the flood on {inject.target} did not begin: look at {log.name}")
    return once(partial(_end, process, inject, scene))


def _line_of(process: subprocess.Popen[bytes]) -> str:
    """The next line that the child says, or nothing if it says none in time."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], _ANSWER_SECONDS)[0]:
        return ""
    return process.stdout.readline().decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes], inject: Flood, scene: Scene) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    said = _line_of(process)
    _finish(process)
    scene.note(f"flood on {inject.target}: {said or inject.kind + ', which did not say how much it was'}")


def _finish(process: subprocess.Popen[bytes]) -> None:
    end_child(process)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


PERFORMERS["flood"] = flood
NEEDS["flood"] = flood_needs

if __name__ == "__main__":
    cli()
