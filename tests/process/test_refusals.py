"""Daemons that must not start, and say why; and callers that a running one must not take."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hotline.charter.model import load_charter
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.crypto.tls import pem, server_name
from tests.process.conftest import Stage, program, until

pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]


def _endpoint(stage: Stage) -> subprocess.CompletedProcess[str]:
    return program("hotline", "endpoint", "run", "--config", str(stage.folder / "ALPHA" / "endpoint.toml"))


def _relay(stage: Stage) -> subprocess.CompletedProcess[str]:
    return program("relay", "run", "--config", str(stage.folder / "relay-1" / "relay.toml"))


def _one_sentence(text: str) -> bool:
    return "Traceback" not in text and bool(text.strip())


def test_charter_signed_by_one_party_only(stages: Stages) -> None:
    """A charter that one capital made alone could name its own machines as the other's (docs/protocol.md 5.1)."""
    stage = stages(1)
    note = stage.rehearsal.charter.read_text()
    signatures = [line for line in note.splitlines(keepends=True) if line.startswith("— ")]
    assert len(signatures) >= 2
    by_bravo = [line for line in signatures if "BRAVO" in line] or signatures[len(signatures) // 2 :]
    for line in by_bravo:
        note = note.replace(line, "")
    stage.rehearsal.charter.write_text(note)
    for done in (_endpoint(stage), _relay(stage)):
        assert done.returncode == 4, done.stderr
        assert _one_sentence(done.stderr)
        assert "charter.note" in done.stderr
        assert "BRAVO" in done.stderr
    assert not (stage.folder / "ALPHA" / "store").exists()


@pytest.mark.parametrize("name", ["ALPHA/terminal.key", "ALPHA/pairwise.key"])
def test_key_that_others_can_read(stages: Stages, name: str) -> None:
    """A key that every account can read has to be thought of as copied; starting on it hides that."""
    stage = stages(1)
    (stage.folder / name).chmod(0o644)
    done = _endpoint(stage)
    assert done.returncode == 9
    assert f"chmod 600 {stage.folder / 'ALPHA' / Path(name).name}" in done.stderr


def test_unknown_key_in_the_configuration(stages: Stages) -> None:
    """A misspelt key must stop the start, not leave a default in force."""
    stage = stages(1)
    with (stage.folder / "ALPHA" / "endpoint.toml").open("a") as file:
        file.write("\n[log]\nlevle = 'debug'\n")
    done = _endpoint(stage)
    assert done.returncode == 1
    assert "did you mean 'level'" in done.stderr
    assert str(stage.folder / "ALPHA" / "endpoint.toml") in done.stderr


def test_second_daemon_and_old_tls_are_turned_away(stages: Stages, tmp_path: Path) -> None:
    """Two daemons on one store fork the record; a relay that speaks TLS 1.2 shows the wire who is calling."""
    stage = stages(1)
    stage.start("relay-1", "ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's socket")
    second = _endpoint(stage)
    assert second.returncode == 9
    assert "another daemon uses this store" in second.stderr
    until(lambda: "ready" in stage.log("relay-1").read_text(), "the relay")
    assert stage.running("ALPHA")
    again = _relay(stage)
    assert again.returncode == 9
    assert "another relay uses this store" in again.stderr

    data = (stage.folder / "ALPHA" / "terminal.key").read_bytes()
    _, secret = decode_secret(TerminalSecret, data, None)
    relay = load_charter(stage.rehearsal.charter.read_bytes()).relays[0]
    assert _version(tmp_path, secret, relay.tls_certificate_der, relay.address, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert _version(tmp_path, secret, relay.tls_certificate_der, relay.address, ssl.TLSVersion.TLSv1_2) is None


def test_a_relay_is_asked_whether_it_serves(stages: Stages) -> None:
    """Whoever watches a relay would take one that is dead for one that serves, for its files are right."""
    stage = stages(1)
    ask = ("check", "--health", "--config", str(stage.folder / "relay-1" / "relay.toml"))
    stage.start("relay-1")
    until(lambda: "ready" in stage.log("relay-1").read_text(), "the relay")
    alive = program("relay", *ask)
    assert (alive.returncode, alive.stdout.splitlines()[-1]) == (0, "ok    health    serving")
    stage.kill("relay-1")
    dead = program("relay", *ask)
    assert dead.returncode == 1, "nothing is wrong with a store or a key"
    assert "no relay answers there" in dead.stderr


def _version(
    folder: Path, secret: TerminalSecret, certificate: bytes, address: str, highest: ssl.TLSVersion
) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    context.load_verify_locations(cadata=certificate)
    (folder / "c.pem").write_bytes(secret.tls_private_pem + pem(secret.tls_certificate_der))
    context.load_cert_chain(folder / "c.pem")
    host, _, port = address.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), 5) as raw,
            context.wrap_socket(raw, server_hostname=server_name("relay-1")) as channel,
        ):
            return channel.version() if channel.recv(9) else None
    except (ssl.SSLError, ConnectionError):
        return None
