"""The connection of a command to the endpoint daemon of this terminal."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from hotline.errors import LocalError, StorageError
from hotline.limits import OPERATOR_ANSWER_BYTES_MAX
from hotline.wire.v1 import operator_pb2_grpc

SOCKET_VARIABLE = "HOTLINE_SOCKET"

turned_to: list[Path] = []
"""The sockets of daemons that this program has turned to: what those accepted stays, however the program ends."""


def socket_path(given: str | None) -> Path:
    """The operator socket: option, then HOTLINE_SOCKET, then the user's and the system's usual places."""
    named = given or os.environ.get(SOCKET_VARIABLE)
    if named:
        return Path(named)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [Path(runtime) / "hotline" / "operator.sock"] if runtime else []
    places.append(Path("/run/hotline/operator.sock"))
    return next((place for place in places if place.exists()), places[-1])


def channel_to(path: Path, *more: tuple[str, int]) -> grpc.Channel:
    """A channel to the daemon behind an operator socket, with `more` gRPC options; nothing is dialled yet."""
    options = (("grpc.max_receive_message_length", OPERATOR_ANSWER_BYTES_MAX), ("grpc.enable_retries", 0), *more)
    # Local credentials, because the socket's file permissions and the kernel's word on who calls are the protection.
    credentials = grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
    return grpc.secure_channel(f"unix:{path.absolute()}", credentials, options=options)


@contextmanager
def daemon(given: str | None) -> Iterator[operator_pb2_grpc.OperatorServiceStub]:
    """A stub for the daemon behind the socket. Raises LocalError if none answers, StorageError if it goes away."""
    path = socket_path(given)
    if not path.exists():
        raise LocalError(
            f"no endpoint daemon here: {path} does not exist; start one with `hotline endpoint run` or name "
            f"its socket with --socket or {SOCKET_VARIABLE}"
        )
    if not path.is_socket():
        raise LocalError(f"{path}: no socket; name that of the endpoint daemon with --socket or {SOCKET_VARIABLE}")
    turned_to.append(path)
    with channel_to(path) as channel:
        try:
            yield operator_pb2_grpc.OperatorServiceStub(channel)
        except grpc.RpcError as error:
            if getattr(error, "code", lambda: None)() is grpc.StatusCode.UNAVAILABLE and "connect" in _detail(error):
                raise LocalError(_unanswered(path, _detail(error))) from error
            raise StorageError(
                f"the endpoint daemon broke off ({_detail(error)}); whether it acted is unknown"
            ) from error


def _unanswered(path: Path, detail: str) -> str:
    if os.strerror(errno.EACCES) in detail:  # it may well run
        return f"{path}: you may not connect; an administrator adds you to the group of that socket"
    return f"no endpoint daemon answers behind {path}: start it, or look at its log"


def _detail(error: grpc.RpcError) -> str:
    details = getattr(error, "details", None)
    return str(details()) if callable(details) else "no reason given"
