"""Readiness for systemd, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hotline.runtime.notify import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_state_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    """If READY never arrived, systemd would kill a healthy daemon after its start timeout, again and again."""
    name = f"@hotline-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert notify("READY=1\nSTATUS=serving")
        assert systemd.recv(100) == b"READY=1\nSTATUS=serving"


@pytest.mark.parametrize("value", [None, "", "relative", "/nowhere/at/all", "@nobody-listens-here", "/" + "x" * 300])
def test_nobody_listening_is_no_error(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """A daemon started by hand, or under a broken environment, must run all the same."""
    if value is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    assert notify("READY=1") is False


def test_full_receiver_does_not_stop_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog is called on the one event loop: a receiver that does not read must not stop all heartbeats."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        results = [notify("WATCHDOG=1") for _ in range(2_000)]
    assert results[0] is True
    assert results[-1] is False
