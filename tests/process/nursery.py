"""The programs as processes without the half second of their imports: one process has them all and forks for each.

What it forks is a process like any other: arguments, environment, folder, streams, signals, exit code, end of the
interpreter. Tests of drills, versions and the tour start programs from nothing, as everybody else does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
PROGRAMS = {"hotline": "hotline.cli.main", "relay": "relay.cli"}
DAEMONS = ("hotline.endpointd", "hotline.materials", "hotline.runtime.logs", "relay.relayd", "relay.witnessd")
_REQUEST_MAX = 131_072


class Forked:
    """A running program: what a stage needs of subprocess.Popen."""

    def __init__(self, pid: int, end: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = end

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._end, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1_000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            told = os.read(self._end, 4)
            assert told, "the nursery is gone"
            os.close(self._end)
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(told, "big"))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing for one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


Running = Forked | subprocess.Popen[bytes]


class _Nursery:
    """The connection to the process that forks."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from tests.process.nursery import main; main({number})"],
                cwd=ROOT,
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(self, request: dict[str, Any], streams: Sequence[int]) -> Forked:
        end, told = os.pipe()
        try:
            with self._turn:
                socket.send_fds(self._control, [json.dumps(request).encode()], [*streams, told])
                return Forked(int(self._control.recv(16)), end)
        finally:
            os.close(told)

    def close(self) -> None:
        self._control.close()
        self._process.wait(10)


_nursery = cache(_Nursery)


def close() -> None:
    """No program can be started any more, and none of those that run is a child of anybody here."""
    if _nursery.cache_info().currsize:
        _nursery().close()
        _nursery.cache_clear()


def start(
    program: str,
    *words: object,
    environment: Mapping[str, str],
    out: IO[Any],
    err: IO[Any],
    given: IO[Any] | None = None,
    session: bool = False,
) -> Running:
    """Start `hotline` or `relay` with these words; `session`: out of reach of our terminal."""
    if environment.get("LD_PRELOAD"):  # read at the start of a process, and by nobody later
        command = [sys.executable, "-m", program, *map(str, words)]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=given, stdout=out, stderr=err, start_new_session=session
        )
    request = {
        "program": program,
        "words": [str(word) for word in words],
        "environment": dict(environment),
        "session": session,
    }
    with Path(os.devnull).open("rb") as nothing:
        return _nursery().start(request, [(given or nothing).fileno(), out.fileno(), err.fileno()])


def run(
    program: str, *words: object, environment: Mapping[str, str], given: bytes = b"", seconds: float = 30.0
) -> subprocess.CompletedProcess[bytes]:
    """Run `hotline` or `relay` to its end. Raises subprocess.TimeoutExpired, and has killed it then."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(given)
        stdin.seek(0)
        process = start(program, *words, environment=environment, out=out, err=err, given=stdin)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(words), code, out.read(), err.read())


# --- the process that forks -------------------------------------------------------------------------------------------


def main(number: int) -> None:
    """Serve the socket with this number; a child leaves by the door of its program."""
    request = _serve(socket.socket(fileno=number))
    if request is not None:
        importlib.import_module(PROGRAMS[request["program"]]).main()


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """None when nobody can ask any more; in a child what it is to be."""
    commands = [f"hotline.cli.{one.name}" for one in pkgutil.iter_modules([str(ROOT / "hotline" / "cli")])]
    for name in (*PROGRAMS.values(), *DAEMONS, *commands):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    living: dict[int, int] = {}
    waiting = select.poll()
    for end in (control.fileno(), woken):
        waiting.register(end, select.POLLIN)
    while True:
        ready = [end for end, _ in waiting.poll()]
        if woken in ready:
            os.read(woken, 4_096)
            _bury(living)
        if control.fileno() not in ready:
            continue
        data, handed, _, _ = socket.recv_fds(control, _REQUEST_MAX, 4)
        if not data:
            return None
        *streams, told = handed
        request: dict[str, Any] = json.loads(data)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            for end in (woken, wake, told, *living.values()):
                os.close(end)
            _become(request, streams)
            return request
        living[pid] = told
        for stream in streams:
            os.close(stream)
        control.send(str(pid).encode())


def _become(request: dict[str, Any], streams: Sequence[int]) -> None:
    if request["session"]:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["program"], *request["words"]]


def _bury(living: dict[int, int]) -> None:
    """Tell how each child has ended."""
    while living:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = living.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(told, status.to_bytes(4, "big"))
        os.close(told)
