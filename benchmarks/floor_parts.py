"""The parts the floors are made of: pinned mTLS streams, a durable journal, signed and sealed letters. No product code.

Levels: 1 plain streams; 2 with mTLS; 3 with one durable commit per process and ping; 4 with signatures and sealing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from nacl.signing import SigningKey, VerifyKey

LEVELS = (1, 2, 3, 4)
TLS, COMMITS, LETTERS = 2, 3, 4
"""The first level with each of them."""

SERVICE = "floor.Relay"
SENDER, RECEIVER = "Sender", "Receiver"
"""The two methods of the relay; each takes one stream."""

_ATTACH_SECONDS = 10
_NUMBER_BYTES = 8
_SIGNATURE_BYTES = 64
_PING_CONTEXT = b"floor ping"
_PONG_CONTEXT = b"floor pong"

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # several floors in one process never share a connection
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Part:
    """What one of the three processes is told: texts only, so that it crosses a pipe as one line of JSON."""

    level: int
    address: str
    journal: str
    private_pem: str
    certificate_pem: str
    trusted_pem: str
    signing_seed: str = ""
    peer_key: str = ""
    sealing_key: str = ""

    def to_line(self) -> bytes:
        """One line for `part_from_stdin`."""
        return json.dumps(asdict(self)).encode() + b"\n"


def part_from_stdin() -> Part:
    """Read the one line that a child process gets; keys come this way because a command line is public."""
    return Part(**json.loads(sys.stdin.buffer.readline()))


def say(line: str) -> None:
    """Tell the parent process one line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def stdin_closed() -> None:
    """Wait until the parent closes our stdin or dies: a child process never outlives it."""
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), closed.set)
    await closed.wait()
    loop.remove_reader(sys.stdin.fileno())


def make_certificate(name: str) -> tuple[str, str]:
    """A new ECDSA P-256 key and its self-signed certificate for `name`.invalid, both PEM, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _host(name))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_host(name))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), certificate.public_bytes(Encoding.PEM).decode()


def _host(name: str) -> str:
    return f"{name.lower()}.invalid"


def open_channel(part: Part) -> grpc.aio.Channel:
    """A channel to the relay at `part.address`; from level 2 on with mTLS and the relay's certificate pinned."""
    if part.level < TLS:
        return grpc.aio.insecure_channel(part.address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        part.trusted_pem.encode(), part.private_pem.encode(), part.certificate_pem.encode()
    )
    options = (*_OPTIONS, ("grpc.ssl_target_name_override", _host("relay")))
    return grpc.aio.secure_channel(part.address, credentials, options=options)


async def attach(channel: grpc.aio.Channel, method: str) -> grpc.aio.StreamStreamCall[bytes, bytes]:
    """Open one stream and return when the relay has taken it. Raises AioRpcError, or TimeoutError after 10 s."""
    async with asyncio.timeout(_ATTACH_SECONDS):
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(f"/{SERVICE}/{method}")()
        await call.wait_for_connection()
        return call


def listen(part: Part) -> tuple[grpc.aio.Server, int]:
    """A server on a loopback port chosen by the system, not yet started, and that port."""
    server = grpc.aio.server(options=_OPTIONS)
    if part.level < TLS:
        return server, server.add_insecure_port(part.address)
    credentials = grpc.ssl_server_credentials(
        [(part.private_pem.encode(), part.certificate_pem.encode())],
        root_certificates=part.trusted_pem.encode(),
        require_client_auth=True,
    )
    return server, server.add_secure_port(part.address, credentials)


class Journal:
    """An SQLite file with one durable commit for each record from level 3 on; below that it does nothing."""

    def __init__(self, part: Part) -> None:
        self._connection: sqlite3.Connection | None = None
        if part.level < COMMITS:
            return
        self._connection = sqlite3.connect(part.journal, isolation_level=None)
        mode = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        self._connection.execute("PRAGMA synchronous=FULL")
        level = self._connection.execute("PRAGMA synchronous").fetchone()[0]
        if (mode, level) != ("wal", 2):
            raise RuntimeError(f"the journal is not durable: {mode=}, synchronous={level}")
        self._connection.execute("CREATE TABLE record (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")

    def commit(self, number: int, body: bytes) -> None:
        """Return when the record is on the disk. Raises sqlite3.Error, also for a number seen before."""
        if self._connection is not None:
            self._connection.execute("INSERT INTO record VALUES (?, ?)", (number, body))

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()


class Letters:
    """Makes and reads pings and pongs: bare below level 4, signed and sealed from there on."""

    def __init__(self, part: Part) -> None:
        self._protected = part.level >= LETTERS
        if self._protected:
            self._own = SigningKey(bytes.fromhex(part.signing_seed))
            self._peer = VerifyKey(bytes.fromhex(part.peer_key))
            self._seal = ChaCha20Poly1305(bytes.fromhex(part.sealing_key))

    def ping(self, number: int, payload: bytes) -> bytes:
        """The frame that carries `payload`; a number is used once only."""
        head = _head(number)
        if not self._protected:
            return head + payload
        signature = self._own.sign(_PING_CONTEXT + head + payload).signature
        return head + self._seal.encrypt(_nonce(head), signature + payload, head)

    def read_ping(self, frame: bytes) -> tuple[int, bytes]:
        """Number and payload. Raises InvalidTag or BadSignatureError for a frame that the peer did not make."""
        head, body = frame[:_NUMBER_BYTES], frame[_NUMBER_BYTES:]
        if self._protected:
            opened = self._seal.decrypt(_nonce(head), body, head)
            signature, body = opened[:_SIGNATURE_BYTES], opened[_SIGNATURE_BYTES:]
            self._peer.verify(_PING_CONTEXT + head + body, signature)
        return number_of(frame), body

    def pong(self, number: int, payload: bytes) -> bytes:
        """The acknowledgement: number and SHA-256 of the payload, signed at level 4."""
        statement = _head(number) + hashlib.sha256(payload).digest()
        if not self._protected:
            return statement
        return statement + self._own.sign(_PONG_CONTEXT + statement).signature

    def check_pong(self, frame: bytes, number: int, payload: bytes) -> None:
        """Return if `frame` acknowledges just this ping. Raises ValueError or BadSignatureError."""
        statement = _head(number) + hashlib.sha256(payload).digest()
        if frame[: len(statement)] != statement:
            raise ValueError(f"a pong for {number_of(frame)} came where {number} was due")
        if self._protected:
            self._peer.verify(_PONG_CONTEXT + statement, frame[len(statement) :])


def number_of(frame: bytes) -> int:
    """The number in the clear at the head of every frame."""
    return int.from_bytes(frame[:_NUMBER_BYTES])


def _head(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES)


def _nonce(head: bytes) -> bytes:
    return bytes(4) + head
