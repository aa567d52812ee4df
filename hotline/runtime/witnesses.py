"""Gives each head of our log to the witnesses of the charter and brings back what they sign (c2sp.org/tlog-witness).

Nothing waits for it. What comes back is not believed here: the machine verifies every line.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from hotline.ledger.log import log_origin
from hotline.ledger.policy import PolicyWitness
from hotline.ledger.witness import AddCheckpoint, Status
from hotline.limits import WITNESS_ANSWER_MAX, WITNESS_SECONDS, WITNESS_SILENCE
from hotline.protocol.events import Cosigned, HeadSeen
from hotline.runtime.logs import get_logger

SIZE_TYPE: Final = "text/x.tlog.size"
_SIZE: Final = re.compile(rb"[0-9]{1,20}\s*")
GivenT = TypeVar("GivenT")
AnswerT = TypeVar("AnswerT")
Prove = Callable[[int, int, int], Sequence[bytes]]
"""Consistency proof of a log epoch of ours between two sizes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered."""

    status: int
    kind: str
    body: bytes


class _Connection(http.client.HTTPConnection):
    """HTTP or HTTPS to a witness, which another thread may end, also while it is being opened."""

    def __init__(self, parts: SplitResult, silence: float) -> None:
        self.default_port = http.client.HTTPS_PORT if parts.scheme == "https" else http.client.HTTP_PORT
        super().__init__(parts.hostname or "", parts.port, timeout=silence)
        self._is_https = parts.scheme == "https"
        self._line: socket.socket | None = None
        self.is_cut = False

    def connect(self) -> None:
        super().connect()
        self._line = self.sock.dup()
        if self.is_cut:
            raise TimeoutError("timed out")
        if self._is_https:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """Whoever waits for it waits no more."""
        self.is_cut = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Call once, when all was read."""
        self.close()
        if self._line is not None:
            self._line.close()


class WitnessClient:
    """Speaks to one witness. Blocks: run it in a thread."""

    def __init__(self, url: str, seconds: float = WITNESS_SECONDS, silence: float = WITNESS_SILENCE) -> None:
        self._parts = urlsplit(url)
        self._seconds = seconds
        self._silence = silence

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        """Raises OSError or http.client.HTTPException."""
        connection = _Connection(self._parts, self._silence)
        timer = threading.Timer(self._seconds, connection.cut)
        timer.daemon = True
        timer.start()
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body)
            response = connection.getresponse()
            data = response.read(WITNESS_ANSWER_MAX + 1)[:WITNESS_ANSWER_MAX]
            if connection.is_cut:
                raise TimeoutError("timed out")
            return Answer(response.status, response.getheader("Content-Type", ""), data)
        finally:
            timer.cancel()
            connection.end()

    def add_checkpoint(self, request: bytes) -> Answer:
        """Ask for a cosignature."""
        return self._ask("POST", "/add-checkpoint", request)

    def latest(self, origin: str) -> bytes:
        """The newest checkpoint of a log that the witness holds; empty if it holds none."""
        answer = self._ask("GET", f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint", None)
        return answer.body if answer.status == Status.OK else b""


@dataclass(slots=True)
class _Known:
    """What we think a witness holds of the current log."""

    epoch: int = 0
    size: int = 0
    failing: bool = False


class Submitter:
    """Every witness of the policy that has an address, each on its own, none in the way of another."""

    def __init__(
        self,
        witnesses: Sequence[PolicyWitness],
        base: str,
        prove: Prove,
        post: Callable[[HeadSeen | Cosigned], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """`fail` is told of what goes wrong here; what goes wrong at a witness is written down and tried again."""
        self._clients = {one.name: WitnessClient(one.url) for one in witnesses if one.url}
        self._known = {name: _Known() for name in self._clients}
        self._base = base
        self._prove = prove
        self._post = post
        self._fail = fail
        self._log = get_logger("witnesses")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()

    def ask_all(self, epoch: int) -> None:
        """Ask every witness which head of ours it holds."""
        for name in self._clients:
            self._run(name, self._ask(name, epoch))

    def submit(self, note: bytes, epoch: int, size: int) -> None:
        """Give a head to every witness that is not still busy with an older one."""
        for name in self._clients:
            if name not in self._running:
                self._run(name, self._submit(name, note, epoch, size))

    def _run(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._running[name] = task
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        if self._running.get(name) is task:
            del self._running[name]
        if task.cancelled():
            return
        error = task.exception()
        known = self._known[name]
        if error is not None and not isinstance(error, OSError | http.client.HTTPException):
            self._fail(error)
            return
        if (error is not None) != known.failing:
            known.failing = error is not None
            if error is not None:
                self._log.warning("witness", name=name, reason=f"{type(error).__name__}: {error}")
            else:
                self._log.info("witness", name=name, reason="answers again")

    async def _in_thread(self, work: Callable[[GivenT], AnswerT], given: GivenT) -> AnswerT:
        """In a thread that nobody waits for: a witness that keeps us waiting must not hold up the end of the daemon."""
        done: asyncio.Future[AnswerT] = self._loop.create_future()

        def run() -> None:
            try:
                tell = partial(done.set_result, work(given))
            except (OSError, http.client.HTTPException) as error:
                tell = partial(done.set_exception, error)
            except Exception as error:  # noqa: BLE001 - whatever a witness makes of HTTP is no fault of ours
                tell = partial(done.set_exception, http.client.HTTPException(f"{type(error).__name__}: {error}"))
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(lambda: done.done() or tell())

        threading.Thread(target=run, name="witness", daemon=True).start()
        return await done

    async def _ask(self, name: str, epoch: int) -> None:
        note = await self._in_thread(self._clients[name].latest, log_origin(self._base, epoch))
        self._post(HeadSeen(name, note))

    async def _submit(self, name: str, note: bytes, epoch: int, size: int) -> None:
        known = self._known[name]
        if known.epoch != epoch:
            known.epoch, known.size = epoch, 0
        for _ in range(3):
            if known.size > size:
                # It has seen more of us than this head: if more than there is, the machine must know.
                await self._ask(name, epoch)
                return
            proof = self._prove(epoch, known.size, size) if 0 < known.size < size else ()
            request = AddCheckpoint(known.size, tuple(proof), note).encode()
            answer = await self._in_thread(self._clients[name].add_checkpoint, request)
            if answer.status == Status.OK:
                known.size = size
                self._post(Cosigned(note, answer.body))
                return
            if answer.status != Status.CONFLICT or answer.kind != SIZE_TYPE or not _SIZE.fullmatch(answer.body):
                break
            known.size = int(answer.body)
        await self._ask(name, epoch)
        raise http.client.HTTPException(f"answered {answer.status} {answer.body[:80]!r}")

    async def close(self) -> None:
        """Stop asking."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
