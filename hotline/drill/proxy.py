"""The fault proxy as a process of its own, and its control: what passes must not wait for the thread of a runner."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from hotline.drill.links import LinkSpec, LinkStats, check_link
from hotline.errors import LocalError
from hotline.runtime import interrupts

ANSWER_SECONDS: Final = 5.0
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0


class ProxyControl:
    """A running proxy, by its control socket. One connection for each request: it survives a proxy started anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, links: Sequence[str], way: str, **weather: int | str | None) -> None:
        """Weather on these links: latency_ms, jitter_ms, loss_percent, rate_bps, mode. Raises LocalError.

        What is not named is undisturbed, whatever it was before. Links may be patterns: `ALPHA/*`.
        """
        self._ask({"do": "set", "links": list(links), "way": way, "weather": weather})

    def clear(self, links: Sequence[str]) -> None:
        """No weather on them any more, on both ways. Raises LocalError."""
        self._ask({"do": "clear", "links": list(links)})

    def stats(self) -> list[LinkStats]:
        """Every link: connections, bytes, weather. Raises LocalError."""
        answer = self._ask({"do": "list"})
        try:
            return [LinkStats.model_validate(link) for link in answer.get("links", [])]
        except ValidationError as error:
            raise LocalError(f"{self.path}: what answers there is no fault proxy of this version") from error

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            line = _exchange(self.path, json.dumps(request).encode() + b"\n")
        except TimeoutError as error:
            raise LocalError(f"{self.path}: the fault proxy did not answer within {ANSWER_SECONDS:.0f} s") from error
        except OSError as error:
            raise LocalError(f"{self.path}: no fault proxy answers there: {error.strerror or error}") from error
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise LocalError(f"{self.path}: what answers there is no fault proxy") from error
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            raise LocalError(str(answer.get("error")) if isinstance(answer, dict) else f"{self.path}: no fault proxy")
        return answer


def _exchange(path: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_SECONDS)
        sock.connect(str(path))
        sock.sendall(line)
        with sock.makefile("rb") as answers:
            return answers.readline()


class ProxyProcess:
    """The fault proxy as a child. Use as a context: it listens when entered, and is gone when left.

    `links` are names and the addresses they lead to; each listens on a port of loopback that is free. A child whose
    parent dies, however it dies, ends by itself: its standard input ends. Raises LocalError.
    """

    def __init__(self, links: Mapping[str, str], control: Path, seed: int = 0) -> None:
        self._specs = [LinkSpec(name, "127.0.0.1:0", target) for name, target in links.items()]
        for spec in self._specs:
            check_link(spec)
        self._seed = seed
        self._process: subprocess.Popen[bytes] | None = None
        self.control = ProxyControl(control)
        self.addresses: dict[str, str] = {}
        """Link to the address to be dialled in the place of its target."""

    @property
    def pid(self) -> int:
        """Process id of the running proxy. Raises LocalError if there is none."""
        if self._process is None:
            raise LocalError("the fault proxy does not run")
        return self._process.pid

    def ended(self) -> int | None:
        """Exit code if it has ended by itself, else None."""
        return None if self._process is None else self._process.poll()

    def __enter__(self) -> ProxyProcess:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with interrupts.whole():
            self.stop()

    def _start(self) -> None:
        links = [[spec.name, spec.listen, spec.target] for spec in self._specs]
        order = {"links": links, "control": str(self.control.path), "seed": self._seed}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hotline.drill.proxyd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its answer says more
        line = _line_of(self._process.stdout.fileno())
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise LocalError("the fault proxy did not start; its words are above") from error
        if "error" in answer:
            raise LocalError(str(answer["error"]))
        self.addresses = dict(answer["listening"])

    def stop(self) -> None:
        """End it by its process id. Doing so twice does nothing more."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _line_of(descriptor: int) -> bytes:
    """One line, or what came of it before the end. Raises LocalError after START_SECONDS."""
    line, end = bytearray(), time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
            raise LocalError(f"the fault proxy did not listen within {START_SECONDS:.0f} s")
        more = os.read(descriptor, 65_536)
        if not more:
            break
        line += more
    return bytes(line)
