"""`hotline drill proxy` and `hotline drill weather` as a person types them."""

from __future__ import annotations

import asyncio
import json
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.drill.proxy import ProxyProcess
from hotline.drill.stage import short_folder
from tests.hotline.cli.conftest import Run
from tests.schemas import printed

LINK = "relay-1=127.0.0.1:0,127.0.0.1:7001"


@pytest.fixture(scope="module")
def control() -> Iterator[Path]:
    """The control socket of a proxy that runs, with two links."""
    folder = short_folder()
    with ProxyProcess({"ALPHA/relay-1": "127.0.0.1:1", "BRAVO/relay-1": "127.0.0.1:1"}, folder / "c"):
        yield folder / "c"
    folder.rmdir()


def test_a_proxy_for_a_while(run: Run) -> None:
    """An administrator could not try a line."""
    ran = run("drill", "proxy", "--link", LINK, "--latency", "300ms", "--rate", 2_400, "--way", "up", "--for", "50ms")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^relay-1: 127\.0\.0\.1:\d+ leads to 127\.0\.0\.1:7001$", ran.out, re.MULTILINE)
    assert re.search(r"^relay-1 +up .* 300 ms, 2400 bit/s$", ran.out, re.MULTILINE)
    assert re.search(r"^relay-1 +down .* undisturbed$", ran.out, re.MULTILINE)


def test_a_proxy_in_json(run: Run) -> None:
    """A script could not find the port."""
    begin, end = printed(run("drill", "proxy", "--link", LINK, "--loss", 12.5, "--for", "50ms", "--json").out)
    assert (begin["links"][0]["link"], begin["control"]) == ("relay-1", None)
    assert begin["links"][0]["listen"] == end["links"][0]["listen"]
    assert end["links"][0]["down"]["weather"]["loss_percent"] == 12.5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--link", "relay-1"), 2, "write NAME=LISTEN,TARGET"),
        (("--link", "relay-1=0.0.0.0:0,127.0.0.1:1"), 2, "loopback only"),
        (("--link", LINK, "--latency", "300"), 2, "no span of time"),
        (("--link", LINK, "--latency=-3s"), 2, "back in time"),
        (("--link", LINK, "--loss", "51"), 2, "51"),
        (("--link", LINK, "--rate", "299"), 2, "299"),
        (("--link", LINK, "--mode", "fog"), 2, "fog"),
        (("--link", LINK, "--latency", "2m"), 1, "latency_ms"),
        (("--link", LINK, "--link", LINK), 1, "one name"),
        (("--link", LINK, "--control", "/nowhere/c"), 1, "no control socket"),
        ((), 2, "--link"),
    ],
)
def test_a_proxy_that_cannot_be(run: Run, arguments: tuple[str, ...], code: int, says: str) -> None:
    """One wrong word would give a traceback, or a line without its fault."""
    ran = run("drill", "proxy", *arguments, "--for", "50ms")
    assert ran.code == code
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_a_port_that_is_taken(run: Run) -> None:
    """An administrator would look for the fault elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ran = run("drill", "proxy", "--link", f"relay-1=127.0.0.1:{port},127.0.0.1:1", "--for", "50ms")
    assert ran.code == 1
    assert f"link relay-1: cannot listen on 127.0.0.1:{port}" in ran.err


def test_weather_of_a_running_proxy(run: Run, control: Path) -> None:
    """The fault could be begun and not ended."""
    ran = run("drill", "weather", "ALPHA/*", "--control", control, "--mode", "blackhole", "--way", "up")
    assert ran.code == 0
    assert re.search(r"^ALPHA/relay-1 +up .* blackhole$", ran.out, re.MULTILINE)
    shown = printed(run("drill", "weather", "--control", control, "--json").out)[0]
    modes = [[link[way]["weather"]["mode"] for way in ("up", "down")] for link in shown["links"]]
    assert modes == [["blackhole", "pass"], ["pass", "pass"]]
    assert "blackhole" not in run("drill", "weather", "*", "--control", control, "--clear").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nowhere", "--clear"), 1, "there is ALPHA/relay-1, BRAVO/relay-1"),
        (("--clear",), 2, "name the links"),
        (("--latency", "3ms"), 2, "name the links"),
        (("*", "--clear", "--loss", "1"), 2, "name none beside it"),
        (("*", "--latency", "2h"), 1, "latency_ms"),
    ],
)
def test_weather_that_cannot_be(run: Run, control: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    """A person would believe in a fault that is not there."""
    ran = run("drill", "weather", *arguments, "--control", control)
    assert ran.code == code
    assert says in ran.err


def test_weather_without_a_proxy(run: Run, tmp_path: Path) -> None:
    """The answer would be a traceback."""
    ran = run("drill", "weather", "--control", tmp_path / "c")
    assert ran.code == 1
    assert "no fault proxy answers there" in ran.err


def test_ctrl_c_ends_with_what_passed() -> None:
    """The count would be lost with the process."""
    with socket.create_server(("127.0.0.1", 0)) as target:
        link = f"relay-1=127.0.0.1:0,127.0.0.1:{target.getsockname()[1]}"
        program = [sys.executable, "-m", "hotline", "drill", "proxy", "--link", link, "--json"]
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert select.select([running.stdout], [], [], 20)[0]
            host, _, port = json.loads(running.stdout.readline())["links"][0]["listen"].rpartition(":")
            with socket.create_connection((host, int(port)), 4) as client:
                client.sendall(b"four")
                accepted, _ = target.accept()
                with accepted:
                    assert accepted.recv(4) == b"four"
                    running.send_signal(signal.SIGINT)
                    (end,) = printed(running.stdout.read())
            assert (running.wait(4), running.stderr.read()) == (0, "")
        assert end["links"][0]["up"]["passed"] == 4


def test_a_proxy_leaves_the_loop_of_its_caller_alone(run: Run) -> None:
    """A second command in one process would find signals taken and sockets open."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    for _ in range(2):
        assert run("drill", "proxy", "--link", LINK, "--for", "20ms").code == 0
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
