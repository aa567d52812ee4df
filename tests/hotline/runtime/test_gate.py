"""The operator socket: the kernel says who calls."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from hotline.errors import ConfigError
from hotline.limits import (
    DRAFTS_FINISHED_KEPT,
    DRAFTS_MAX,
    LISTED_MAX,
    OPERATOR_ANSWER_BYTES_MAX,
    PADDING_CLASSES,
)
from hotline.runtime import gate as gate_module
from hotline.runtime.client import daemon
from hotline.runtime.gate import Gate
from hotline.wire.v1 import operator_pb2, operator_pb2_grpc

OpenGate = Callable[..., object]
ME = os.getuid()


class _Service(operator_pb2_grpc.OperatorServiceServicer):
    """Says who it believes is calling."""

    def __init__(self, officer: str | None) -> None:
        self._officer = officer

    async def GetStatus(  # noqa: N802 - gRPC's name
        self, request: object, context: object
    ) -> operator_pb2.GetStatusResponse:
        return operator_pb2.GetStatusResponse(json=str(self._officer))

    async def ListStatements(  # noqa: N802 - gRPC's name
        self, request: operator_pb2.ListStatementsRequest, context: object
    ) -> operator_pb2.ListStatementsResponse:
        return operator_pb2.ListStatementsResponse(statement=[LONGEST] * request.limit)


LONGEST = operator_pb2.StatementView(
    text="x" * PADDING_CLASSES[-1],
    original=operator_pb2.OriginalView(text="y" * PADDING_CLASSES[-1]),
    reason="z" * 4_096,
)
"""Whatever a statement and the original that it translates say, each is sealed in the largest class at most (4.3)."""


class Gates:
    """Opens gates and closes them at the end."""

    def __init__(self) -> None:
        self.opened: list[Gate] = []

    async def open(self, path: Path, officers: Mapping[int, str]) -> Gate:
        gate = Gate(path, officers, _Service)
        self.opened.append(gate)
        await gate.open()
        return gate


@pytest_asyncio.fixture
async def gates() -> AsyncIterator[Gates]:
    """Where gates come from."""
    made = Gates()
    yield made
    for gate in made.opened:
        await gate.close(0)


async def _who(path: Path) -> str:
    credentials = grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
    async with grpc.aio.secure_channel(f"unix:{path}", credentials) as channel:
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        answer = await stub.GetStatus(operator_pb2.GetStatusRequest(), timeout=5, wait_for_ready=True)
        return str(answer.json)


async def test_officer_gets_through_with_a_name(gates: Gates, tmp_path: Path) -> None:
    """If the name were lost, READ receipts could not say which officer has read the statement."""
    # docs/protocol.md 14.1
    await gates.open(tmp_path / "op.sock", {ME: "duty-1", ME + 1: "duty-2"})
    assert await _who(tmp_path / "op.sock") == "duty-1"


async def test_other_user_is_a_visitor(gates: Gates, tmp_path: Path) -> None:
    """If any local user counted as an officer, a web server's account could speak for the head of government."""
    # docs/protocol.md 14.1
    await gates.open(tmp_path / "op.sock", {ME + 1: "duty-2"})
    assert await _who(tmp_path / "op.sock") == "None"


async def test_each_connection_is_judged_by_itself(
    gates: Gates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the first caller's identity stuck, the night shift would sign with the day shift's name."""
    await gates.open(tmp_path / "op.sock", {7: "duty-7", 8: "duty-8"})
    for uid, name in ((7, "duty-7"), (9, "None"), (8, "duty-8"), (0, "None")):
        monkeypatch.setattr(gate_module, "_peer_uid", lambda connection, uid=uid: uid)
        assert await _who(tmp_path / "op.sock") == name


async def test_two_users_may_be_one_officer(gates: Gates, tmp_path: Path) -> None:
    """An officer with two accounts must not stop the daemon from starting."""
    await gates.open(tmp_path / "op.sock", {ME: "duty-1", ME + 1: "duty-1"})
    assert await _who(tmp_path / "op.sock") == "duty-1"


async def test_inner_servers_are_out_of_reach(gates: Gates, tmp_path: Path) -> None:
    """If others could enter the inner folder, they would pick the officer they wish to be."""
    gate = await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    inner = gate._inner
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    await gate.close(0)
    assert not inner.exists()
    assert not (tmp_path / "op.sock").exists()


async def test_socket_is_open_to_owner_and_group_only(gates: Gates, tmp_path: Path) -> None:
    """If everybody could connect, everybody could read the list of statements (docs/protocol.md 14.5)."""
    await gates.open(tmp_path / "run" / "op.sock", {ME: "duty-1"})
    assert stat.S_IMODE((tmp_path / "run" / "op.sock").stat().st_mode) == 0o660
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) & 0o007 == 0


async def test_socket_is_made_closed(gates: Gates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its making and its mode any account could connect, and stay (docs/protocol.md 14.1 and 14.5)."""
    path, make, modes = tmp_path / "op.sock", asyncio.start_unix_server, list[int]()

    async def made(*given: Any, **named: Any) -> asyncio.Server:
        server = await make(*given, **named)
        modes.append(stat.S_IMODE(path.stat().st_mode))
        return server

    monkeypatch.setattr(asyncio, "start_unix_server", made)
    before = os.umask(0)
    try:
        await gates.open(path, {ME: "duty-1"})
    finally:
        assert os.umask(before) == 0, "what the daemon makes later has the modes that it had before"
    assert (modes, stat.S_IMODE(path.stat().st_mode)) == ([0o600], 0o660)


async def test_stale_socket_is_replaced(gates: Gates, tmp_path: Path) -> None:
    """After a crash the daemon must start again by itself: nobody is there at night to delete a file."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "op.sock"))
    await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    assert await _who(tmp_path / "op.sock") == "duty-1"


async def test_what_a_killed_daemon_left_is_removed(gates: Gates, tmp_path: Path) -> None:
    """A terminal killed a thousand times must not fill the disk with folders of sockets, nor stumble over one."""
    (tmp_path / "op.sock.d").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "op.sock.d" / "0"))
    (tmp_path / "op.sock.d" / "9").touch()
    gate = await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    assert await _who(tmp_path / "op.sock") == "duty-1"
    assert {path.name for path in gate._inner.iterdir()} == {"0", "1"}


async def test_folder_of_somebody_else_is_not_followed(gates: Gates, tmp_path: Path) -> None:
    """Who may write beside the socket must not choose where the servers of the officers listen, nor what is deleted."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "orders").write_text("orders")
    (tmp_path / "op.sock.d").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be made"):
        await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    await gates.opened[0].close(0)
    assert (tmp_path / "elsewhere" / "orders").read_text() == "orders"


async def test_living_socket_is_refused_and_lives_on(gates: Gates, tmp_path: Path) -> None:
    """A second daemon that takes the socket over would cut the officers off from the running one."""
    await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    with pytest.raises(ConfigError, match="another daemon") as caught:
        await gates.open(tmp_path / "op.sock", {ME: "duty-2"})
    assert str(tmp_path / "op.sock") in str(caught.value)
    await gates.opened[1].close(0)
    assert await _who(tmp_path / "op.sock") == "duty-1"


async def test_plain_file_is_refused_and_kept(gates: Gates, tmp_path: Path) -> None:
    """A wrong path in the configuration must not delete the file it happens to name."""
    (tmp_path / "op.sock").write_text("orders")
    with pytest.raises(ConfigError, match="not a socket"):
        await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    assert (tmp_path / "op.sock").read_text() == "orders"


@pytest.mark.parametrize(("name", "why"), [("x" * 200, "bytes too long"), ("file/op.sock", "cannot be made")])
async def test_impossible_place_is_one_sentence(gates: Gates, tmp_path: Path, name: str, why: str) -> None:
    """A socket that cannot be made must be told with its path, or nobody finds the cause."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=why) as caught:
        await gates.open(tmp_path / name, {ME: "duty-1"})
    assert name in str(caught.value)


async def test_noise_on_the_socket_harms_nobody(gates: Gates, tmp_path: Path) -> None:
    """A program that writes rubbish into the socket must not take the officers' interface away."""
    await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    with socket.socket(socket.AF_UNIX) as rude, socket.socket(socket.AF_UNIX) as silent:
        rude.connect(str(tmp_path / "op.sock"))
        silent.connect(str(tmp_path / "op.sock"))
        rude.sendall(b"\xff\0" * 20_000)
        assert await _who(tmp_path / "op.sock") == "duty-1"
    assert await _who(tmp_path / "op.sock") == "duty-1"


class Crowd:
    """Connections of several users, as the kernel would tell them: `come` as `uid`, and see who is left."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._uids: list[int] = []
        self.sockets: list[tuple[int, socket.socket]] = []
        monkeypatch.setattr(gate_module, "_peer_uid", lambda connection: self._uids.pop(0))

    async def come(self, uid: int, gate: Gate) -> socket.socket:
        self._uids.append(uid)
        made = socket.socket(socket.AF_UNIX)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, str(self._path))
        self.sockets.append((uid, made))
        await _until(lambda: not self._uids)
        return made

    def left(self) -> list[int]:
        """Users whose connections are still there, the oldest first."""
        found = []
        for uid, one in self.sockets:
            try:
                while one.recv(65_536):
                    pass
            except BlockingIOError:
                found.append(uid)
        return found

    def go(self) -> None:
        for _, one in self.sockets:
            one.close()


@pytest.fixture
def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    monkeypatch.setattr(gate_module, "OPERATOR_CONNECTIONS_MAX", 5)
    made = Crowd(tmp_path / "op.sock", monkeypatch)
    yield made
    made.go()


async def test_nobody_takes_all_connections(gates: Gates, tmp_path: Path, crowd: Crowd) -> None:
    """Who may ask for the status could take every file that the daemon may open: nothing would be dialled any more,
    and officers would be kept out (docs/protocol.md 14.5).
    """
    gate = await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    for uid in (ME, 7_001, ME, *[7_001] * 8):
        await crowd.come(uid, gate)
    await _until(lambda: crowd.left() == [ME, ME, 7_001, 7_001, 7_001])
    assert [len(gate._passing), crowd.sockets[-1][0]] == [5, 7_001]
    crowd._uids.append(ME)
    assert await _who(tmp_path / "op.sock") == "duty-1"


async def test_who_gives_way_frees_his_files_though_he_does_not_read(
    gates: Gates, tmp_path: Path, crowd: Crowd
) -> None:
    """Connections would be closed in name only, and hold the daemon's files as before (docs/protocol.md 14.5)."""
    gate = await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    before = _files()
    for number in range(20):
        made = await crowd.come(7_001, gate)
        writer = _outgoing(gate)
        writer.write(bytes(4_000_000))  # an answer that he asks for and does not read
        if number % 2:
            made.shutdown(socket.SHUT_WR)  # and he says that he is done
    # Five of ours are counted, three files each; twenty are the test's own ends.
    await _until(lambda: _files() <= before + 20 + 5 * 3)
    assert len(gate._passing) == 5


async def test_an_answer_under_way_arrives_whole(gates: Gates, tmp_path: Path, crowd: Crowd) -> None:
    """A command that reads slowly would get half of what the terminal told it (docs/protocol.md 14.5)."""
    gate = await gates.open(tmp_path / "op.sock", {ME: "duty-1"})
    made = await crowd.come(ME, gate)
    _outgoing(gate).write(bytes(4_000_000))
    made.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.1)
    came = 0
    while data := await asyncio.get_running_loop().sock_recv(made, 65_536):
        came += len(data)
    assert came >= 4_000_000
    await _until(lambda: not gate._passing)


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _outgoing(gate: Gate) -> asyncio.StreamWriter:
    """Of the newest connection, what goes to whoever made it."""
    task = list(gate._passing)[-1]
    frame = task.get_coro().cr_frame  # type: ignore[union-attr]
    writer: asyncio.StreamWriter = frame.f_locals["writer"]
    return writer


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        await asyncio.sleep(0.01)
    assert holds()


async def test_the_longest_list_comes_through(gates: Gates, tmp_path: Path) -> None:
    """From 128 long statements on, an officer could list none of them (docs/protocol.md 14.5)."""
    await gates.open(tmp_path / "op.sock", {ME: "duty-1"})

    def ask() -> int:
        with daemon(str(tmp_path / "op.sock")) as stub:
            return len(stub.ListStatements(operator_pb2.ListStatementsRequest(limit=LISTED_MAX)).statement)

    assert await asyncio.to_thread(ask) == LISTED_MAX
    drafts = DRAFTS_MAX + DRAFTS_FINISHED_KEPT
    assert max(LISTED_MAX, drafts) * LONGEST.ByteSize() < OPERATOR_ANSWER_BYTES_MAX
