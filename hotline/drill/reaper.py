"""What a runner starts ends with it, however it ends: by kill -9 too, after which it can end nothing itself.

A process beside the runner, the reaper, has a socket whose other end only the runner holds, and is handed a pidfd of
each process that the runner starts. When the runner is gone the kernel closes its end, and the reaper sends SIGKILL,
which also ends what is frozen. Nothing is asked of the programs themselves: they may be of another version.

Not by number: that may be another process's by then. A pidfd is not, and the runner opens it while the process is its
own child, for which nobody has waited yet. Not by PR_SET_PDEATHSIG: that is sent when the thread ends that started the
process, and a drill starts processes from threads of a pool. Not by a group of processes: each has a session of its
own, out of reach of the keyboard and with its own share of the processors.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hotline.errors import LocalError

_PROGRAM: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("reaperd.py")))
"""Without what is installed: so it is there sooner, and small. The kernel that lacks memory takes the largest first."""
_GATE: Final = ("/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh")
"""Behind it a program waits for the line that says that the reaper knows of it. If its runner dies before, that line
never comes, and the program does not begin."""
_END_SECONDS: Final = 5.0


class Reaper:
    """Use as a context: what was started by it and still lives is killed when it is left, or when we are gone.

    Its process begins with the first that is started. Thread-safe.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reaper:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is None or self._process is None:
            return
        self._line.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """As subprocess.Popen, in a session of its own and without standard input. Raises OSError.

        Raises LocalError if the reaper cannot be told; the program does not begin then.
        """
        gate, way = os.pipe()
        with open(gate, "rb"), open(way, "wb", buffering=0) as opening:  # noqa: PTH123 - no paths
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [*_GATE, *command], stdin=gate, start_new_session=True, **options
            )
            try:
                self.watch(process)
            except BaseException:
                process.kill()
                process.wait()
                raise
            opening.write(b"\n")
        return process

    def watch(self, process: subprocess.Popen[Any]) -> None:
        """A child of ours, which nobody has waited for yet, ends as what `start` has started does.

        For one that also sees by itself that we are gone, as we may be before this returns. Raises LocalError if the
        reaper cannot be told.
        """
        try:
            pidfd = os.pidfd_open(process.pid)
            try:
                with self._turn:
                    if self._line is None:
                        self._line = self._begin()
                    socket.send_fds(self._line, [b"\0"], [pidfd])
            finally:
                os.close(pidfd)
        except OSError as error:
            raise LocalError(f"what would end it cannot be told of process {process.pid}: {error.strerror}") from error

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                _PROGRAM,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return ours
