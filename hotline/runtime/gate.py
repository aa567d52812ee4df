"""The door to the operator interface: who is calling is asked of the kernel, never of the caller.

gRPC does not tell a service which user is at the other end of a Unix socket. So the public socket is ours: for each
connection the kernel's SO_PEERCRED gives the user id, and the bytes are passed on to a gRPC server that belongs to
that one user and listens in a folder beside it that only the daemon can enter: `NAME.d`. Both stay behind when the
daemon is killed, and the next one that starts there removes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from hotline.errors import ConfigError
from hotline.limits import OPERATOR_CONNECTIONS_MAX, OPERATOR_REQUEST_BYTES_MAX
from hotline.runtime.crowd import who_gives_way
from hotline.runtime.logs import get_logger
from hotline.wire.v1 import operator_pb2_grpc

_CHUNK = 65_536
_BACKLOG = 32
"""As many are accepted before one of them is counted."""
_PATH_BYTES_MAX = 107
"""Of a Unix socket, by the kernel."""
_PEERCRED = struct.Struct("3i")

MakeService = Callable[[str | None], operator_pb2_grpc.OperatorServiceServicer]
"""Makes the service of one officer, or of somebody who is none."""


class Gate:
    """The operator socket and the servers behind it."""

    def __init__(
        self,
        path: Path,
        officers: Mapping[int, str],
        make_service: MakeService,
        health: health_pb2_grpc.HealthServicer | None = None,
        mode: int = 0o660,
        is_named: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`is_named` says whether the charter in force names an officer: who comes as another one is none."""
        self._path = path
        self._officers = officers
        self._make_service = make_service
        self._health = health
        self._mode = mode
        self._is_named = is_named
        self._inner = path.with_name(path.name + ".d")
        self._servers: dict[str | None, grpc.aio.Server] = {}
        self._listener: asyncio.AbstractServer | None = None
        self._passing: dict[asyncio.Task[None], int] = {}
        """Connections, the oldest first, and the user of each."""

    async def open(self) -> None:
        """Listen. Raises ConfigError if the socket cannot be made or another daemon answers on it."""
        over = (
            max(len(os.fsencode(self._socket_of(name))) for name in (None, *self._officers.values())) - _PATH_BYTES_MAX
        )
        if over > 0:
            raise ConfigError(
                f"{self._path}: the path of this operator socket is {over} bytes too long; choose another"
            )
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            _remove_stale(self._path)
            if self._inner.exists():
                shutil.rmtree(self._inner)
            self._inner.mkdir(mode=0o700)
        except OSError as error:
            raise self._impossible(error) from error
        for officer in {None, *self._officers.values()}:
            server = grpc.aio.server(options=(("grpc.max_receive_message_length", OPERATOR_REQUEST_BYTES_MAX),))
            operator_pb2_grpc.add_OperatorServiceServicer_to_server(self._make_service(officer), server)
            if self._health is not None:
                health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            credentials = grpc.local_server_credentials(grpc.LocalConnectionType.UDS)
            server.add_secure_port(f"unix:{self._socket_of(officer)}", credentials)
            await server.start()
            self._servers[officer] = server
        try:
            # Created closed to everybody else, then opened as far as the configuration says.
            before = os.umask(0o177)
            try:
                self._listener = await asyncio.start_unix_server(self._accept, self._path, backlog=_BACKLOG)
            finally:
                os.umask(before)
            self._path.chmod(self._mode)
        except OSError as error:
            raise self._impossible(error) from error

    def _impossible(self, error: OSError) -> ConfigError:
        return ConfigError(f"{self._path}: the operator socket cannot be made ({error.strerror or error})")

    async def close(self, grace: float) -> None:
        """Stop listening, end the servers and remove the socket."""
        if self._listener is not None:
            self._listener.close()
            self._path.unlink(missing_ok=True)
        await asyncio.gather(*(server.stop(grace) for server in self._servers.values()))
        for task in self._passing:
            task.cancel()
        if self._listener is not None or self._servers:  # else it may be another daemon's
            shutil.rmtree(self._inner, ignore_errors=True)

    def turn_out(self, officer: str) -> None:
        """End the connections of one whom the charter does not name any more."""
        for task in [task for task, uid in self._passing.items() if self._officers.get(uid) == officer]:
            task.cancel()

    def _socket_of(self, officer: str | None) -> Path:
        names = [None, *sorted(set(self._officers.values()))]
        return self._inner / str(names.index(officer))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            uid = _peer_uid(writer.get_extra_info("socket"))
            self._count(task, uid)
            officer = self._officers.get(uid)
            server = self._socket_of(officer if officer is not None and self._is_named(officer) else None)
            inner_reader, inner_writer = await asyncio.open_unix_connection(server)
            await _join(reader, writer, inner_reader, inner_writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()  # who does not read his answer is counted as long
        except asyncio.CancelledError:
            pass  # it ends here; of a task that ends as cancelled asyncio would tell as of a fault
        except OSError as error:
            get_logger("operators").warning("turned-away", reason=str(error))
        finally:
            self._passing.pop(task, None)
            writer.transport.abort()

    def _count(self, task: asyncio.Task[None], uid: int) -> None:
        """One more connection; of too many, the oldest of whoever has most gives way (docs/protocol.md 14.5)."""
        self._passing[task] = uid
        oldest = who_gives_way(self._passing, OPERATOR_CONNECTIONS_MAX)
        if oldest is not None:
            del self._passing[oldest]
            oldest.cancel()


def _peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    _pid, uid, _gid = _PEERCRED.unpack(credentials)
    return int(uid)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner_reader: asyncio.StreamReader,
    inner_writer: asyncio.StreamWriter,
) -> None:
    """Pass bytes both ways until either side is done."""
    ways = [
        asyncio.create_task(_pass(reader, inner_writer)),
        asyncio.create_task(_pass(inner_reader, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        inner_writer.transport.abort()
        raise
    finally:
        for way in ways:
            way.cancel()
        inner_writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody answers on; one that answers belongs to a living daemon."""
    if not path.exists():
        return
    if not path.is_socket():
        raise ConfigError(f"{path}: exists and is not a socket; remove it or name another operator socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise ConfigError(f"{path}: another daemon answers on this operator socket; stop it first")
