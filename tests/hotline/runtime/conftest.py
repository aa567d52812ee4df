"""A real TLS server on loopback with throw-away certificates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc.aio
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from hotline.charter.profiles import PROFILES
from hotline.crypto.tls import make_tls_identity, server_name
from hotline.runtime.credentials import OwnTls, RelayTarget, peer_fingerprint, server_credentials, server_options
from hotline.wire.v1 import relay_pb2, relay_pb2_grpc


def own_tls(name: str) -> OwnTls:
    """A fresh key and certificate."""
    identity = make_tls_identity(name, time.time_ns() // 1_000_000)
    return OwnTls(identity.private_pem, identity.certificate_der)


def certified(name: str, by: OwnTls | None, authority: bool = False) -> OwnTls:
    """A fresh key whose certificate `by` has signed, or itself; `authority` as certificates were made formerly."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = key if by is None else load_pem_private_key(by.private_pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server_name(name))])
    issuer = subject if by is None else x509.load_der_x509_certificate(by.certificate_der).subject
    begin = datetime.now(UTC) - timedelta(days=2)
    made = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(begin).not_valid_after(begin + timedelta(days=9))
    constraint = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
    made = made.add_extension(constraint, critical=True)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(server_name(name))]), critical=False)
    der = made.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)
    return OwnTls(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), der)


@dataclass
class Server(relay_pb2_grpc.RelayServiceServicer):
    """Answers each parcel with the same frames, and knows who was there."""

    own: OwnTls
    terminal: OwnTls
    peers: list[str | None] = field(default_factory=list)
    address: str = ""
    hang_up_after: int | None = None

    async def Attach(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[relay_pb2.AttachRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[relay_pb2.AttachResponse]:
        self.peers.append(peer_fingerprint(context.auth_context()))
        await context.send_initial_metadata(())
        taken = 0
        async for request in request_iterator:
            yield relay_pb2.AttachResponse(frame=request.frame)
            taken += 1
            if taken == self.hang_up_after:
                return

    def target(self, certificate: bytes | None = None) -> RelayTarget:
        """The server as a terminal dials it; `certificate` is what the terminal pins."""
        return RelayTarget("relay-1", self.address, certificate or self.own.certificate_der, PROFILES["fibre"])


@pytest.fixture(scope="session")
def relay_own() -> OwnTls:
    """The relay's certificate."""
    return own_tls("relay-1")


@pytest.fixture(scope="session")
def terminal_own() -> OwnTls:
    """The certificate of the one terminal that the relay knows."""
    return own_tls("alpha-main")


@pytest_asyncio.fixture
async def server(relay_own: OwnTls, terminal_own: OwnTls) -> AsyncIterator[Server]:
    """A server that lets in one terminal."""
    served = Server(relay_own, terminal_own)
    made = grpc.aio.server(options=server_options(slow_links=False))
    relay_pb2_grpc.add_RelayServiceServicer_to_server(served, made)
    credentials = server_credentials(relay_own, [terminal_own.certificate_der])
    served.address = f"127.0.0.1:{made.add_secure_port('127.0.0.1:0', credentials)}"
    await made.start()
    yield served
    await asyncio.wait_for(made.stop(0), 5)
