"""Namespaces where they can be seen without a hotline: what is needed, what is left behind, what passes through."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.drill import namespaces
from hotline.drill.injects import Interface
from hotline.drill.namespaces import Line, PassThrough, Way, interface_needs, remove_leftovers, socket_in

INJECT = Interface.model_validate({"fault": "interface", "at": "0s", "target": "ALPHA"})
NEAR, FAR = "192.0.2.2", "192.0.2.1"


@pytest.fixture
def asked_anew() -> Iterator[None]:
    namespaces._lacking.cache_clear()
    yield
    namespaces._lacking.cache_clear()


@pytest.fixture
def line() -> Iterator[Line]:
    lacking = interface_needs(INJECT)
    if lacking is not None:
        pytest.skip(lacking)
    made = Line("TEST")
    made.lay()
    yield made
    made.remove()


@pytest.mark.usefixtures("asked_anew")
def test_without_root_or_ip_the_reason_is_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A planner would see what the kernel says to `ip`."""
    with monkeypatch.context() as without:
        without.setattr(os, "geteuid", lambda: 1_000)
        without.setattr(namespaces.shutil, "which", lambda name: f"/sbin/{name}")
        assert "run the drill as root" in (interface_needs(INJECT) or "")
    namespaces._lacking.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install iproute2" in (interface_needs(INJECT) or "")


@pytest.mark.root
def test_a_stream_passes_while_the_interface_is_up(line: Line) -> None:
    """The terminal would be cut off by the drill's own plumbing."""
    with socket.create_server(("127.0.0.1", 0)) as relay:
        passing = PassThrough([Way(line.far, (FAR, 7_440), None, relay.getsockname()[:2])])
        try:
            with socket_in(line.near) as terminal:
                terminal.settimeout(5)
                terminal.connect((FAR, 7_440))
                terminal.sendall(b"there")
                back, _ = relay.accept()
                with back:
                    assert back.recv(5) == b"there"
                    back.sendall(b"and back")
                    assert terminal.recv(8) == b"and back"
            line.take_down(1)
            line.take_down(2)
            line.bring_up(1)
            with socket_in(line.near) as terminal, pytest.raises(OSError, match="unreachable"):
                terminal.connect((FAR, 7_440))
            line.bring_up(2)
            with socket_in(line.near) as terminal:
                terminal.settimeout(5)
                terminal.connect((FAR, 7_440))
        finally:
            passing.end()


@pytest.mark.root
def test_this_process_stays_where_it_is(line: Line) -> None:
    """Everything that the drill does afterwards would happen in the wrong network."""
    before = Path("/proc/self/ns/net").readlink()
    socket_in(line.near).close()
    assert Path("/proc/self/ns/net").readlink() == before
    assert Path(f"/proc/self/task/{threading.get_native_id()}/ns/net").readlink() == before


@pytest.mark.root
def test_what_a_killed_drill_left_behind_is_removed(line: Line) -> None:
    """Every drill that was killed would leave two namespaces for ever."""
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = f"hl{ended.stdout.strip()}-alpha"
    subprocess.run(["ip", "netns", "add", left], check=True)
    remove_leftovers()
    assert not Path("/run/netns", left).exists()
    assert Path("/run/netns", line.near).exists(), "those of a living process are its own"
    line.remove()
    line.remove()
    assert not Path("/run/netns", line.near).exists()
    assert not Path("/run/netns", line.far).exists()
