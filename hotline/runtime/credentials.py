"""mTLS for the streams between terminals and relays: TLS 1.3, certificates pinned by the charter, no public CA.

gRPC for Python cannot be told a lowest TLS version. Its list of TLS 1.2 suites is therefore set to one that needs an
RSA certificate; ours are ECDSA, so that a TLS 1.2 handshake finds no common suite. TLS 1.3 suites are not affected.
gRPC reads that list when it is first imported, and so the package `hotline` itself sets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio

from hotline.charter.profiles import Profile
from hotline.crypto.tls import certificate_name, fingerprint_of_pem, pem
from hotline.limits import PARCEL_BYTES_MAX, RELAY_CONNECTIONS_MAX

Option = tuple[str, str | int]

_COMMON: tuple[Option, ...] = (
    ("grpc.max_receive_message_length", PARCEL_BYTES_MAX),
    ("grpc.max_send_message_length", PARCEL_BYTES_MAX),
    # Equal limits: between the two gRPC would refuse at random.
    ("grpc.max_metadata_size", 4_096),
    ("grpc.absolute_max_metadata_size", 4_096),
    ("grpc.enable_retries", 0),  # a retry runs the call twice; repeating is the endpoint's own business
    ("grpc.use_local_subchannel_pool", 1),  # two relays never share one connection
)

_OPTION_MAX: Final = 2**31 - 1
"""The largest number that an option takes, milliseconds: less than the longest ceiling of a charter."""


@dataclass(frozen=True, slots=True)
class RelayTarget:
    """A relay as a terminal dials it."""

    name: str
    address: str
    certificate_der: bytes
    profile: Profile


@dataclass(frozen=True, slots=True)
class OwnTls:
    """Our side of a handshake."""

    private_pem: bytes
    certificate_der: bytes


def _keepalive(profile: Profile) -> tuple[Option, ...]:
    # ping_timeout_ms defaults to 60 s and overrides keepalive_timeout: without it a frozen relay goes unnoticed.
    silent = min(profile.silent_ceiling_ms, _OPTION_MAX)
    return (
        ("grpc.keepalive_time_ms", max(1_000, silent)),
        ("grpc.keepalive_timeout_ms", silent),
        ("grpc.http2.ping_timeout_ms", silent),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", max(2_000, silent)),  # this is the connect timeout
        # Short, because the dialer has a pause of its own: a stream that fails while gRPC still waits fails at once.
        ("grpc.max_reconnect_backoff_ms", max(200, silent // 10)),
    )


def open_channel(target: RelayTarget, own: OwnTls) -> grpc.aio.Channel:
    """A channel to one relay; nothing is dialled yet. Only the pinned certificate is accepted."""
    credentials = grpc.ssl_channel_credentials(pem(target.certificate_der), own.private_pem, pem(own.certificate_der))
    name = ("grpc.ssl_target_name_override", certificate_name(target.certificate_der))
    return grpc.aio.secure_channel(target.address, credentials, options=(*_COMMON, *_keepalive(target.profile), name))


def server_credentials(own: OwnTls, clients_der: Iterable[bytes]) -> grpc.ServerCredentials:
    """Credentials that let in the holders of exactly these certificates."""
    roots = b"".join(pem(der) for der in clients_der)
    return grpc.ssl_server_credentials(
        [(own.private_pem, pem(own.certificate_der))], root_certificates=roots, require_client_auth=True
    )


def server_options(slow_links: bool, connections: int = RELAY_CONNECTIONS_MAX) -> tuple[Option, ...]:
    """Options of a relay's server; `slow_links` if any terminal comes over a narrow path, `connections` at one time."""
    return (
        *_COMMON,
        ("grpc.so_reuseport", 0),  # a second relay on one port must fail, not share
        ("grpc.max_concurrent_streams", 8),
        ("grpc.server_handshake_timeout_ms", 60_000 if slow_links else 5_000),
        ("grpc.keepalive_time_ms", 30_000 if slow_links else 10_000),
        ("grpc.keepalive_timeout_ms", 30_000 if slow_links else 10_000),
        ("grpc.http2.ping_timeout_ms", 30_000 if slow_links else 10_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
        ("grpc.http2.max_ping_strikes", 0),  # honest terminals ping often; floods are bounded by the streams
        ("grpc.max_connection_idle_ms", 60_000),
        ("grpc.max_allowed_incoming_connections", connections),
    )


def peer_fingerprint(auth_context: Mapping[str, Iterable[bytes]]) -> str | None:
    """Hex SHA-256 of the certificate that the other end proved to hold, or None without one."""
    for certificate in auth_context.get("x509_pem_cert", ()):
        try:
            return fingerprint_of_pem(certificate)
        except ValueError:
            return None
    return None
