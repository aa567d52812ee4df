"""A witness as a service: what it cosigned last of each log, on disk, and the C2SP HTTP interface over it.

Checking what is held and storing what replaces it is one transaction under one lock, and only after its commit a
cosignature leaves: otherwise two requests could take a log back (c2sp.org/tlog-witness).
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from hotline.errors import ConfigError, StorageError
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint
from hotline.ledger.log import split_origin
from hotline.ledger.note import parse_note
from hotline.ledger.tree import EMPTY_ROOT
from hotline.ledger.witness import REQUEST_BYTES_MAX, Judgement, Status, Witness, parse_add_checkpoint
from hotline.limits import WITNESS_CONNECTIONS_MAX, WITNESS_EVIDENCE_MAX, WITNESS_SILENCE
from hotline.runtime.crowd import who_gives_way
from hotline.runtime.logs import get_logger
from relay.database import lock_folder, open_durable

SCHEMA_VERSION: Final = 1
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE head (
  origin TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, root BLOB NOT NULL,
  note BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE evidence (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, held BLOB NOT NULL, request BLOB NOT NULL) STRICT;
PRAGMA user_version=1;
COMMIT;
"""
_SIZE_TYPE: Final = "text/x.tlog.size"
_TEXT_TYPE: Final = "text/plain; charset=utf-8"


class WitnessStore:
    """The newest cosigned checkpoint of each log, and requests that convict their log."""

    def __init__(self, folder: Path) -> None:
        """Open or create `folder`/witness.db. Raises StorageError or ConfigError."""
        self._lock = lock_folder(folder, "witness")
        self.path = folder / "witness.db"
        self._kept: dict[Checkpoint, int] = {}
        """Heads that are evidence, each with the number of its row."""
        self._counted: Counter[tuple[str, bool]] = Counter()
        """Rows of each log, whatever its log epoch: those that convict it by themselves, and all others."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.close)
            unusable = "witness store ({}); a witness must not forget: repair it"
            self._db = open_durable(self.path, _SCHEMA, SCHEMA_VERSION, unusable)
            undo.callback(self._db.close)
            self._load()
            undo.pop_all()

    def _load(self) -> None:
        for number, held, request in self._db.execute("SELECT id, held, request FROM evidence ORDER BY id").fetchall():
            head = _head_of(parse_add_checkpoint(bytes(request)).note)
            known = _head_of(bytes(held)) if held else Checkpoint(head.origin, 0, EMPTY_ROOT)
            if known == head:  # an earlier program kept these, too
                self._db.execute("DELETE FROM evidence WHERE id=?", (number,))
            else:
                self._remember(number, head, convicts=known.size == head.size)

    def held(self, origin: str) -> tuple[Checkpoint, int, bytes] | None:
        """(checkpoint, when it was cosigned, the cosigned note) of a log."""
        row = self._db.execute("SELECT size, root, at, note FROM head WHERE origin=?", (origin,)).fetchone()
        return None if row is None else (Checkpoint(origin, row[0], bytes(row[1])), int(row[2]), bytes(row[3]))

    def by_name(self, name: str) -> bytes | None:
        """The newest cosigned note of the log whose origin has this hex SHA-256."""
        row = self._db.execute("SELECT note FROM head WHERE name=?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def keep(self, checkpoint: Checkpoint, note: bytes, at: int) -> None:
        """Replace what is held of a log; part of the caller's transaction.

        The head may have come before, with a wrong proof: it is no evidence any more.
        """
        name = hashlib.sha256(checkpoint.origin.encode()).hexdigest()
        row = (checkpoint.origin, name, checkpoint.size, checkpoint.root, note, at)
        self._db.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?, ?)", row)
        number = self._kept.pop(checkpoint, None)
        if number is not None:
            self._db.execute("DELETE FROM evidence WHERE id=?", (number,))
            self._counted[_log_of(checkpoint), False] -= 1

    def accuse(self, held: bytes, request: bytes, at: int, *, convicts: bool) -> None:
        """Keep a request that contradicts what is held, once for a head, unless there are too many of this log.

        Those that convict it by themselves have room of their own (docs/protocol.md 13.7).
        """
        head = _head_of(parse_add_checkpoint(request).note)
        if head in self._kept or self._counted[_log_of(head), convicts] >= WITNESS_EVIDENCE_MAX:
            return
        kept = self._db.execute("INSERT INTO evidence (at, held, request) VALUES (?, ?, ?)", (at, held, request))
        self._remember(int(kept.lastrowid or 0), head, convicts=convicts)

    def _remember(self, number: int, head: Checkpoint, *, convicts: bool) -> None:
        self._kept.setdefault(head, number)
        self._counted[_log_of(head), convicts] += 1

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """One durable transaction. Raises StorageError: whether it was stored is unknown."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:  # what was begun ends with the process
            raise StorageError(f"{self.path}: a commit failed ({error}); whether it was stored is unknown") from error
        except BaseException:
            self._db.rollback()
            raise

    def close(self) -> None:
        """Give the store up."""
        self._db.close()
        self._lock.close()


def _head_of(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)


def _log_of(head: Checkpoint) -> str:
    """The log without its log epoch: there are as many as the charters name."""
    found = split_origin(head.origin)
    return head.origin if found is None else found[0]


class WitnessService:
    """Answers requests, from any thread. After a failed commit it answers nothing any more."""

    def __init__(self, witness: Witness, store: WitnessStore, clock: Callable[[], float] = time.time) -> None:
        self._witness = witness
        self._store = store
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._log = get_logger("witness")
        self.failed = threading.Event()
        self.reason = ""

    def add_checkpoint(self, request: bytes) -> tuple[int, str, bytes]:
        """(status, content type, body) of the answer."""
        with self._one_at_a_time:
            if self.failed.is_set():
                return 503, _TEXT_TYPE, b"stopping\n"
            try:
                return self._add(request)
            except StorageError as error:
                self.reason = str(error)
                self.failed.set()
                return 503, _TEXT_TYPE, b"stopping\n"

    def _add(self, request: bytes) -> tuple[int, str, bytes]:
        now = int(self._clock())
        with self._store.transaction():
            answer = self._witness.judge(request, self._known)
            if answer.checkpoint is not None:
                before = self._store.held(answer.checkpoint.origin)
                # A clock that was set back would make an honest witness look like one that went back itself.
                at = max(now, before[1]) if before is not None else now
                lines = self._witness.cosign(answer.text, at)
                self._store.keep(answer.checkpoint, parse_note(answer.note + lines).encode(), at)
            elif answer.evidence:
                self._store.accuse(self._evidence(answer.note), request, now, convicts=answer.convicts)
        self._tell(answer)
        if answer.checkpoint is not None:
            return int(answer.status), _TEXT_TYPE, lines
        if answer.status is Status.CONFLICT:
            return int(answer.status), _SIZE_TYPE, b"%d\n" % answer.held
        return int(answer.status), _TEXT_TYPE, f"{answer.why}\n".encode()

    def _known(self, origin: str) -> Checkpoint | None:
        found = self._store.held(origin)
        return None if found is None else found[0]

    def _evidence(self, note: bytes) -> bytes:
        origin = note.partition(b"\n")[0].decode()
        found = self._store.held(origin)
        return b"" if found is None else found[2]

    def _tell(self, answer: Judgement) -> None:
        if answer.evidence:
            self._log.error("contradiction", reason=answer.why, held=answer.held)
        elif answer.status not in (Status.OK, Status.CONFLICT):
            self._log.warning("refused", status=int(answer.status), reason=answer.why)

    def latest(self, name: str) -> bytes | None:
        """The newest cosigned checkpoint of the log whose origin has this hex SHA-256."""
        with self._one_at_a_time:
            return self._store.by_name(name)


def whose(address: str) -> str:
    """Who is counted as one: an address, in IPv6 a network of 64 bits, which is what one subscriber has."""
    at = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(at, ipaddress.IPv4Address):
        return str(at)
    return str(at.ipv4_mapped or ipaddress.ip_network((at, 64), strict=False))


class WitnessServer(ThreadingHTTPServer):
    """HTTP/1.1, a thread for each connection, as many as there may be."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = WITNESS_CONNECTIONS_MAX  # else the system resets those that come together

    def __init__(self, address: str, service: WitnessService) -> None:
        """Listen at `host:port`. Raises ConfigError."""
        host, _, port = address.rpartition(":")
        self.address_family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        self.service = service
        self._open: dict[socket.socket, str] = {}
        """Connections, the oldest first, and whose each is."""
        self._opening = threading.Lock()
        try:
            super().__init__((host.strip("[]"), int(port)), _Handler)
        except OSError as error:
            raise ConfigError(f"listen: {address} cannot be listened on ({error.strerror})") from error

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """One more connection; of too many, the oldest of whoever has most gives way (docs/protocol.md 13.17)."""
        with self._opening:
            self._open[request] = whose(client_address[0])
            oldest = who_gives_way(self._open, WITNESS_CONNECTIONS_MAX)
            if oldest is not None:
                del self._open[oldest]
                with contextlib.suppress(OSError):  # it may just have ended
                    oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """A connection from its first to its last request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._opening:
                self._open.pop(request, None)

    def handle_error(self, request: object, client_address: object) -> None:
        """A broken connection is no news; anything else is a fault of this program."""
        del request, client_address
        error = sys.exception()
        if not isinstance(error, OSError):
            get_logger("witness").error("fault", reason=f"{type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    timeout = 2 * WITNESS_SILENCE
    server_version = "hotline-witness"
    sys_version = ""

    def do_POST(self) -> None:
        """add-checkpoint."""
        length = self.headers.get("Content-Length", "")
        # More digits than that are no number to Python, which would answer nothing.
        if not (length.isascii() and length.isdigit() and len(length) <= 5 and int(length) <= REQUEST_BYTES_MAX):
            self.close_connection = True
            self._answer(400, _TEXT_TYPE, b"a Content-Length of at most 65536 is needed\n")
            return
        body = self.rfile.read(int(length))
        if self.path != "/add-checkpoint":
            self._answer(404, _TEXT_TYPE, b"POST /add-checkpoint\n")
            return
        self._answer(*self.server.service.add_checkpoint(body))

    def do_GET(self) -> None:
        """<sha256 of an origin>/checkpoint."""
        name, slash, rest = self.path.removeprefix("/").partition("/")
        note = self.server.service.latest(name) if slash and rest == "checkpoint" else None
        if note is None:
            self._answer(404, _TEXT_TYPE, b"nothing is held under this name\n")
        else:
            self._answer(200, _TEXT_TYPE, note)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's name
        """What matters is logged by the service."""
