"""`hotline-relay key init`: what an administrator types, and what he is told when it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def relay(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "relay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("address", ["192.0.2.10", "192.0.2.10:", "192.0.2.10:0", "192.0.2.10:65536", "a b:1", "[::1]"])
def test_an_address_that_nobody_can_dial_is_refused_in_words(tmp_path: Path, address: str) -> None:
    """The charter would name a relay that is reached by nobody, until an amendment; or it told a pattern."""
    words = ("key", "init", "--name", "relay-1", "--operator", "X", "--address", address, "--out", tmp_path / "keys")
    made = relay(*words)
    assert made.returncode == 1
    assert f"address: {address!r} is none; write host and port: 192.0.2.10:7443" in made.stderr
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("address", ["192.0.2.10:1", "relay.example:65535", "[2001:db8::1]:7443"])
def test_an_address_that_can_be_dialled_is_taken(tmp_path: Path, address: str) -> None:
    """No relay could be made any more."""
    words = ("key", "init", "--name", "relay-1", "--operator", "X", "--address", address, "--out", tmp_path / "keys")
    assert relay(*words).returncode == 0
    assert (tmp_path / "keys" / "relay-1.card").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("key", "init", "--name", "relay-1", "--operator", "X", "--address", "192.0.2.10:7443"),
        ("witness", "init", "--name", "w1", "--url", "http://192.0.2.10:7480"),
    ],
)
def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It was an internal fault."""
    (tmp_path / "file").touch()
    made = relay(*words, "--out", tmp_path / "file" / "keys")
    assert made.returncode == 1
    assert made.stderr == f"{tmp_path / 'file' / 'keys'}: cannot be made a folder (Not a directory)\n"
