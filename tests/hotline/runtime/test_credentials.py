"""Who is let in, seen with the TLS library of Python instead of gRPC's own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from hotline.crypto.tls import fingerprint, pem, server_name
from hotline.runtime.credentials import OwnTls, open_channel, peer_fingerprint
from hotline.wire.v1 import relay_pb2, relay_pb2_grpc
from tests.hotline.runtime.conftest import Server, certified, own_tls

_SETTINGS = 4


def _greeting(server: Server, own: OwnTls | None, folder: Path, highest: ssl.TLSVersion) -> tuple[str | None, bytes]:
    """TLS version and first bytes of HTTP/2 that the server gives this client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    context.load_verify_locations(cadata=server.own.certificate_der)
    if own is not None:
        (folder / "c.pem").write_bytes(own.private_pem + pem(own.certificate_der))
        context.load_cert_chain(folder / "c.pem")
    host, _, port = server.address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), 5) as raw,
        context.wrap_socket(raw, server_hostname=server_name("relay-1")) as channel,
    ):
        return channel.version(), channel.recv(9)


async def _refused(server: Server, own: OwnTls | None, folder: Path, highest: ssl.TLSVersion) -> bool:
    try:
        _, first = await asyncio.to_thread(_greeting, server, own, folder, highest)
    except (ssl.SSLError, ConnectionError):
        return True
    return first == b""


async def test_the_right_terminal_gets_tls13(server: Server, tmp_path: Path) -> None:
    """If the lawful terminal were refused too, the refusals below would prove nothing."""
    version, first = await asyncio.to_thread(_greeting, server, server.terminal, tmp_path, ssl.TLSVersion.TLSv1_3)
    assert version == "TLSv1.3"
    assert first[3] == _SETTINGS


async def test_tls12_is_refused(server: Server, tmp_path: Path) -> None:
    """TLS 1.2 shows the certificates in clear: who listens on the wire learns which capital is calling."""
    # docs/protocol.md 5.4 and 5.16
    assert await _refused(server, server.terminal, tmp_path, ssl.TLSVersion.TLSv1_2)
    assert not await _refused(server, server.terminal, tmp_path, ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("name", ["stranger", "alpha-main"])
async def test_certificate_that_is_not_pinned_is_refused(server: Server, tmp_path: Path, name: str) -> None:
    """If the name in a certificate counted instead of its key, anybody could attach as ALPHA (docs/protocol.md 5.4)."""
    assert await _refused(server, own_tls(name), tmp_path, ssl.TLSVersion.TLSv1_3)


async def test_what_a_pinned_key_has_certified_is_refused(server: Server, tmp_path: Path) -> None:
    """Whoever has one terminal's key could come as any number of others (docs/protocol.md 5.16)."""
    assert await _refused(server, certified("alpha-main", server.terminal), tmp_path, ssl.TLSVersion.TLSv1_3)


async def test_client_without_certificate_is_refused(server: Server, tmp_path: Path) -> None:
    """An anonymous client that gets a stream can flood the relay before anybody knows who it is."""
    assert await _refused(server, None, tmp_path, ssl.TLSVersion.TLSv1_3)


async def test_relay_learns_the_pinned_fingerprint(server: Server) -> None:
    """Admission rests on this fingerprint: a wrong one gives one terminal another's mailbox."""
    async with open_channel(server.target(), server.terminal) as channel:
        call = relay_pb2_grpc.RelayServiceStub(channel).Attach(timeout=5)
        await call.write(relay_pb2.AttachRequest(frame=[b"x"]))
        answer = await call.read()
        assert list(answer.frame) == [b"x"]
        call.cancel()
    assert server.peers == [fingerprint(server.terminal.certificate_der)]


@pytest.mark.parametrize("name", ["relay-1", "relay-2"])
async def test_relay_with_another_certificate_is_not_talked_to(server: Server, name: str) -> None:
    """A machine in the relay's place, with the relay's name but not its key, must get nothing at all."""
    target = server.target(own_tls(name).certificate_der)
    async with open_channel(target, server.terminal) as channel:
        call = relay_pb2_grpc.RelayServiceStub(channel).Attach(timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.wait_for_connection()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert server.peers == []


@pytest.mark.parametrize("context", [{}, {"x509_pem_cert": [b"not a certificate"]}, {"x509_pem_cert": []}])
def test_no_certificate_no_fingerprint(context: dict[str, list[bytes]]) -> None:
    """An unreadable certificate must count as none, never as an empty name that something else matches."""
    assert peer_fingerprint(context) is None


@pytest.mark.parametrize("silent", [100, 30 * 86_400_000])
async def test_the_shortest_and_the_longest_silence_of_a_charter_can_be_dialled(server: Server, silent: int) -> None:
    """A terminal would stop at its start over a number that its charter may have (docs/protocol.md 5.10)."""
    target = server.target()
    timed = replace(target, profile=replace(target.profile, silent_ceiling_ms=silent))
    async with open_channel(timed, server.terminal) as channel:
        call = relay_pb2_grpc.RelayServiceStub(channel).Attach(timeout=5)
        await call.write(relay_pb2.AttachRequest(frame=[b"x"]))
        assert list((await call.read()).frame) == [b"x"]
        call.cancel()
