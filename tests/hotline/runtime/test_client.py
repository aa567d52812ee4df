"""What a command says of a daemon that it does not reach."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import grpc
import pytest

from hotline.errors import LocalError
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2


class _Refused(grpc.RpcError):
    """As gRPC tells of a socket that this user may not write to."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "failed to connect to all addresses; last error: ... connect failed: ... error: Permission denied"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A socket that nobody listens at."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(tmp_path / "s"))
    return tmp_path / "s"


def test_a_daemon_that_has_ended_is_told_with_what_to_do(path: Path) -> None:
    """A socket file outlives its daemon after kill -9."""
    with pytest.raises(LocalError, match=r"no endpoint daemon answers behind .*start it"), daemon(str(path)) as stub:
        stub.GetStatus(operator_pb2.GetStatusRequest())


def test_whoever_may_not_connect_is_not_told_that_nobody_answers(path: Path) -> None:
    """An officer would have the daemon started anew, which serves well; the group of the socket decides (14.1)."""
    with pytest.raises(LocalError, match="you may not connect") as caught, daemon(str(path)):
        raise _Refused
    assert "start it" not in str(caught.value)
