"""`hotline-relay witness`: what an administrator types, and what he is told when it cannot be."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.ledger.policy import parse_policy


def relay(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "relay", "witness", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], witnesses=[("witness-1", "127.0.0.1:0")])


def test_a_new_witness_is_a_line_of_a_policy(tmp_path: Path) -> None:
    """Its key could not be brought into the charter."""
    made = relay("init", "--name", "witness.example/w1", "--url", "http://192.0.2.10:7480", "--out", tmp_path)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "w1.witness.key").stat().st_mode & 0o777 == 0o600
    policy = parse_policy((tmp_path / "w1.witness").read_bytes() + b"quorum w1\n")
    assert policy.witnesses[0].url == "http://192.0.2.10:7480"
    again = relay("init", "--name", "witness.example/w1", "--url", "http://192.0.2.10:7480", "--out", tmp_path)
    assert again.returncode == 1
    assert "not overwritten" in again.stderr


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("two words", "http://192.0.2.10:7480", "not a name"),
        ("a+b", "http://192.0.2.10:7480", "not a name"),
        ("w1", "192.0.2.10:7480", "not an address"),
        ("w1", "http://192.0.2.10 :7480", "not an address"),
    ],
)
def test_what_cannot_be_a_witness_is_refused(tmp_path: Path, name: str, url: str, says: str) -> None:
    """A file would be made that no policy can hold."""
    made = relay("init", "--name", name, "--url", url, "--out", tmp_path / "keys")
    assert made.returncode == 1
    assert says in made.stderr
    assert not (tmp_path / "keys").exists()


def test_it_says_why_it_does_not_start(rehearsal: Rehearsal) -> None:
    """An administrator would look in the wrong place."""
    (witness,) = rehearsal.witnesses
    good = witness.config.read_text()
    for text, code, says in (
        (good.replace("listen", "lisen"), 1, "did you mean"),
        (good.replace("charter.note", "gone.note"), 1, "gone.note"),
        (good.replace("witness.key", "gone.key"), 9, "gone.key"),
    ):
        witness.config.write_text(text)
        ran = relay("run", "--config", witness.config)
        assert (ran.returncode, says in ran.stderr) == (code, True), ran.stderr


def test_it_stops_when_it_is_asked_to(rehearsal: Rehearsal) -> None:
    """A stop would look like a fault, and the next start would find a lock."""
    (witness,) = rehearsal.witnesses
    witness.config.write_text(witness.config.read_text() + 'port_file = "port"\n')
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        command = [sys.executable, "-m", "relay", "witness", "run", "--config", str(witness.config)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        port = witness.folder / "port"
        end = time.monotonic() + 20
        while not port.exists() and time.monotonic() < end and process.poll() is None:
            time.sleep(0.02)
        assert port.exists(), process.communicate()[1]
        port.unlink()
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert "asked to" in said
