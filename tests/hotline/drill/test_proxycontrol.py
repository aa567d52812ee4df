"""The fault proxy told from outside: its control socket, its process, the links it is given."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotline.drill.links import LinkSpec, parse_link
from hotline.drill.proxy import ProxyControl, ProxyProcess
from hotline.drill.proxyd import Proxy
from hotline.drill.stage import short_folder, wait_until
from hotline.errors import ConfigError, LocalError
from tests.hotline.drill.wires import Wires, wires


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket's path."""
    made = short_folder()
    yield made
    for path in made.iterdir():
        path.unlink()
    made.rmdir()


async def _ask(path: Path, line: bytes) -> Any:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer = await asyncio.wait_for(reader.readline(), 4)
    writer.close()
    await writer.wait_closed()
    return json.loads(answer) if answer else None


async def test_only_its_owner_can_talk_to_it(folder: Path) -> None:
    """Any user of the machine could cut the line."""
    async with wires(control=folder / "c") as wired:
        assert stat.S_IMODE((folder / "c").stat().st_mode) == 0o600
        assert wired.stats().accepted == 0
    assert not (folder / "c").exists()


async def test_set_list_and_clear(folder: Path) -> None:
    """The runner and the proxy would speak of two weathers."""
    async with wires(control=folder / "c") as wired:
        weather = {"latency_ms": 7, "mode": "pass"}
        request = {"do": "set", "links": ["li*"], "way": "down", "weather": weather}
        assert await _ask(folder / "c", json.dumps(request).encode() + b"\n") == {"ok": True}
        assert (wired.link.up.weather.latency_ms, wired.link.down.weather.latency_ms) == (0, 7)
        listed = await _ask(folder / "c", b'{"do":"list"}\n')
        assert listed["links"][0]["down"]["weather"]["latency_ms"] == 7
        # What is not named is undisturbed, whatever it was before.
        request["weather"] = {"jitter_ms": 3}
        await _ask(folder / "c", json.dumps(request).encode() + b"\n")
        assert (wired.link.down.weather.latency_ms, wired.link.down.weather.jitter_ms) == (0, 3)
        assert await _ask(folder / "c", b'{"do":"clear","links":["link"]}\n') == {"ok": True}
        assert wired.link.down.weather.still


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"hello\n", "no such request"),
        (b'{"do":"explode"}\n', "do"),
        (b'{"do":"list","also":1}\n', "also"),
        (b'{"do":"set","links":["nowhere"],"weather":{}}\n', "there is no link 'nowhere'; there is link"),
        (b'{"do":"clear","links":["link","x*"]}\n', "'x*'"),
        (b'{"do":"set","links":["link"],"way":"left","weather":{}}\n', "way"),
        (b'{"do":"set","links":["link"],"weather":{"loss_percent":99}}\n', "loss_percent"),
        (b'{"do":"set","links":["link"],"weather":[]}\n', "weather"),
        (b"[]\n", "no such request"),
        (b"\xff\xfe\n", "no such request"),
    ],
)
async def test_a_request_that_cannot_be_done_is_told_and_changes_nothing(folder: Path, line: bytes, says: str) -> None:
    """A drill would go on without its fault."""
    async with wires(control=folder / "c") as wired:
        answer = await _ask(folder / "c", line)
        assert not answer["ok"]
        assert says in answer["error"]
        assert wired.link.up.weather.still
        assert (await _ask(folder / "c", b'{"do":"list"}\n'))["ok"]


async def test_a_request_without_an_end_is_cut_off(folder: Path) -> None:
    """Whoever holds the socket could fill the proxy's memory."""
    async with wires(control=folder / "c") as wired:
        reader, writer = await asyncio.open_unix_connection(folder / "c")
        writer.write(b"x" * 300_000)
        assert await asyncio.wait_for(_rest(reader), 4) == b""
        writer.close()
        assert wired.link.up.weather.still


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_a_socket_of_a_dead_proxy_is_replaced_and_that_of_a_live_one_is_not(folder: Path) -> None:
    """A crash would need a person, or two proxies would fight for one name."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "c"))
    async with wires(control=folder / "c"):
        with pytest.raises(ConfigError, match="another proxy"):
            async with Proxy([LinkSpec("b", "127.0.0.1:0", "127.0.0.1:1")], folder / "c"):
                pass
        assert (await _ask(folder / "c", b'{"do":"list"}\n'))["ok"]
    (folder / "c").write_text("precious")
    with pytest.raises(ConfigError, match="no control socket"):
        async with Proxy([LinkSpec("b", "127.0.0.1:0", "127.0.0.1:1")], folder / "c"):
            pass
    assert (folder / "c").read_text() == "precious"


async def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    """The drill would run beside its proxy."""
    async with wires() as wired:
        taken = LinkSpec("b", f"127.0.0.1:{wired.port}", "127.0.0.1:1")
        with pytest.raises(ConfigError, match="link b: cannot listen"):
            async with Proxy([taken]):
                pass
    with pytest.raises(ConfigError, match="one name"):
        Proxy([taken, taken])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no link"),
        ("a", "no link"),
        ("a=127.0.0.1:0", "no link"),
        ("=127.0.0.1:0,127.0.0.1:1", "no link"),
        ("a b=127.0.0.1:0,127.0.0.1:1", "no link"),
        ("a*=127.0.0.1:0,127.0.0.1:1", "no link"),
        ("a=127.0.0.1:0,127.0.0.1:1,x", "no link"),
        ("a=0.0.0.0:0,127.0.0.1:1", "loopback"),
        ("a=[::]:0,127.0.0.1:1", "loopback"),
        ("a=10.0.0.1:0,127.0.0.1:1", "loopback"),
        ("a=127.0.0.1,127.0.0.1:1", "no address"),
        ("a=127.0.0.1:65536,127.0.0.1:1", "no address"),
        ("a=127.0.0.1:0,relay.example:1", "no address"),
        ("a=127.0.0.1:0,::1:7001", "no address"),
        ("a=127.0.0.1:0,127.0.0.256:1", "no address"),
        ("a=127.0.0.1:0,127.0.0.1:0", "no port"),
    ],
)
def test_a_link_that_cannot_be_is_told(text: str, says: str) -> None:
    """A drill would start half, or a proxy listen to the world."""
    with pytest.raises(ConfigError, match=says):
        parse_link(text)


def test_links_that_can_be() -> None:
    """The check above would refuse everything."""
    assert parse_link("ALPHA/relay-1=127.0.0.1:0,10.1.2.3:7001") == LinkSpec(
        "ALPHA/relay-1", "127.0.0.1:0", "10.1.2.3:7001"
    )
    assert parse_link("six=[::1]:0,[fe80::1]:7001").listen == "[::1]:0"


async def test_loopback_of_ipv6(folder: Path) -> None:
    """A link could be named and not be dialled."""
    async with wires() as wired, Proxy([LinkSpec("six", "[::1]:0", f"127.0.0.1:{_target(wired)}")]) as proxy:
        port = int(proxy.addresses["six"].removeprefix("[::1]:"))
        _, writer = await asyncio.open_connection("::1", port)
        writer.write(b"six")
        assert await (await wired.met()).hear(3) == b"six"
        writer.close()


def _target(wired: Wires) -> int:
    return int(wired.target.sockets[0].getsockname()[1])


# --- a process of its own ---


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a target that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                with sock:
                    while data := sock.recv(65_536):
                        sock.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(4)


def test_the_proxy_as_a_child(folder: Path, echo: str) -> None:
    """A drill would have no way to its own proxy."""
    with ProxyProcess({"ALPHA/relay-1": echo, "BRAVO/relay-1": echo}, folder / "c", 3) as child:
        pid = child.pid
        host, _, port = child.addresses["ALPHA/relay-1"].rpartition(":")
        with socket.create_connection((host, int(port)), 4) as client:
            client.sendall(b"ping")
            assert client.recv(4) == b"ping"
            child.control.set(["ALPHA/*"], "up", latency_ms=5, loss_percent=1, rate_bps=None, mode="blackhole")
            client.sendall(b"ping")
            client.settimeout(0.15)
            with pytest.raises(TimeoutError):
                client.recv(4)
            first, second = child.control.stats()
            assert (first.link, first.connections, first.up.passed, first.up.waiting) == ("ALPHA/relay-1", 1, 4, 4)
            assert (first.up.weather.mode, first.down.weather.mode) == ("blackhole", "pass")
            assert second.up.weather.still
            child.control.clear(["ALPHA/relay-1"])
            client.settimeout(4)
            assert client.recv(4) == b"ping"
        with pytest.raises(LocalError, match="there is no link 'x'; there is ALPHA/relay-1, BRAVO/relay-1"):
            child.control.set(["x"], "both", latency_ms=1)
        with pytest.raises(LocalError, match="latency_ms"):
            child.control.set(["*"], "both", latency_ms=-1)
        assert child.ended() is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    child.stop()
    assert not (folder / "c").exists()
    with pytest.raises(LocalError, match="does not run"):
        _ = child.pid
    with pytest.raises(LocalError, match="no fault proxy answers there"):
        child.control.clear(["*"])


def test_a_child_whose_parent_is_gone_ends(folder: Path, echo: str) -> None:
    """Every runner that is killed would leave a proxy on the machine."""
    with ProxyProcess({"link": echo}, folder / "c") as child:
        assert child._process is not None
        assert child._process.stdin is not None
        child._process.stdin.close()
        wait_until(lambda: child.ended() is not None, "the proxy to end", 4)
        assert child.ended() == 0


def test_a_child_that_is_killed_is_noticed_and_told(folder: Path, echo: str) -> None:
    """A drill would measure its own broken tool."""
    with ProxyProcess({"link": echo}, folder / "c") as child:
        os.kill(child.pid, signal.SIGKILL)
        wait_until(lambda: child.ended() is not None, "the proxy to die", 4)
        with pytest.raises(LocalError, match="no fault proxy answers there"):
            child.control.stats()


def test_a_child_that_cannot_begin_says_why(folder: Path, echo: str) -> None:
    """The drill would be aborted without a reason."""
    with pytest.raises(LocalError, match="no control socket"), ProxyProcess({"link": echo}, folder / ("x" * 200)):
        pass
    with pytest.raises(ConfigError, match="no address"):
        ProxyProcess({"link": "nowhere"}, folder / "c")


@pytest.mark.parametrize("answer", [b"", b"what?\n", b"[]\n", b'{"ok": true, "links": [{}]}\n', b'{"ok": false}\n'])
def test_something_else_behind_the_socket(folder: Path, answer: bytes) -> None:
    """A person who names the wrong socket would see a traceback."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "c"))
        server.listen()

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                sock.recv(1_000)
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(LocalError):
            ProxyControl(folder / "c").stats()
        thread.join(4)
