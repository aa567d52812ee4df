"""The way to the witnesses: real HTTP to a real witness, and to servers that answer nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hotline.errors import StorageError
from hotline.ledger.policy import PolicyWitness
from hotline.ledger.tree import consistency_proof
from hotline.ledger.witness import parse_add_checkpoint
from hotline.limits import WITNESS_SILENCE
from hotline.protocol.events import Cosigned, HeadSeen
from hotline.runtime.witnesses import Answer, Submitter, WitnessClient
from tests.hotline.ledger.specimen import BASE
from tests.hotline.ledger.test_witness import LOG
from tests.relay.test_witness import ED, Site, running


def note(size: int) -> bytes:
    return parse_add_checkpoint(LOG.request(0, size)).note


def prove(epoch: int, old: int, new: int) -> list[bytes]:
    assert epoch == 1
    return consistency_proof(old, new, lambda level, position: LOG.nodes[level, position])


class Rig:
    """A submitter and everything that it brought back."""

    def __init__(self, url: str) -> None:
        self.told: list[HeadSeen | Cosigned] = []
        self.failures: list[BaseException] = []
        policy = [PolicyWitness("w1", ED.verifier, url)]
        self.submitter = Submitter(policy, BASE, prove, self.told.append, self.failures.append)

    async def submit(self, size: int) -> None:
        self.submitter.submit(note(size), 1, size)
        await self.quiet()

    async def quiet(self) -> None:
        while self.submitter._running:  # noqa: ASYNC110 - its tasks are its own
            await asyncio.sleep(0.005)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
async def rig(site: Site) -> AsyncIterator[Rig]:
    made = Rig(f"http://127.0.0.1:{site.server.server_address[1]}")
    yield made
    await made.submitter.close()


async def test_heads_are_cosigned_as_the_log_grows(rig: Rig) -> None:
    """The record would never be witnessed."""
    for size in (5, 12, 12, 40):
        await rig.submit(size)
    assert [type(event) for event in rig.told] == [Cosigned] * 4
    assert all(b"witness.example/w1" in event.lines for event in rig.told if isinstance(event, Cosigned))


async def test_a_restarted_terminal_finds_out_what_the_witness_holds(rig: Rig, site: Site) -> None:
    """After every restart the witness would refuse everything (docs/protocol.md 13.17)."""
    site.add(LOG.request(0, 12))
    await rig.submit(20)
    assert [type(event) for event in rig.told] == [Cosigned]
    rig.submitter.ask_all(1)
    await rig.quiet()
    (seen,) = [event for event in rig.told if isinstance(event, HeadSeen)]
    assert seen.note.split(b"\n")[1] == b"20"


async def test_a_witness_that_holds_more_shows_our_own_head(rig: Rig, site: Site) -> None:
    """A terminal with an old state would not learn of it."""
    site.add(LOG.request(0, 40))
    await rig.submit(12)
    (seen,) = rig.told
    assert isinstance(seen, HeadSeen)
    assert seen.note.split(b"\n")[1] == b"40"


async def test_a_witness_that_is_away_is_asked_again(site: Site) -> None:
    """One hour without a witness would be for ever."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        rig = Rig(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        await rig.submit(5)
    assert rig.told == []
    assert rig.submitter._known["w1"].failing
    rig.submitter._clients["w1"] = Rig(f"http://127.0.0.1:{site.server.server_address[1]}").submitter._clients["w1"]
    await rig.submit(5)
    assert [type(event) for event in rig.told] == [Cosigned]
    assert not rig.submitter._known["w1"].failing
    await rig.submitter.close()


async def test_what_fails_here_stops_the_daemon(rig: Rig) -> None:
    """A store that cannot be read any more would be an unread line of asyncio's, and no head be witnessed again
    (docs/protocol.md 3.8).
    """

    def broken(epoch: int, old: int, new: int) -> list[bytes]:
        raise StorageError("a tree node is missing")

    await rig.submit(5)
    rig.submitter._prove = broken
    await rig.submit(12)
    assert [str(error) for error in rig.failures] == ["a tree node is missing"]


async def test_whatever_a_witness_makes_of_http_stops_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A witness that finds a hole in a library could end every terminal (docs/protocol.md 13.7)."""

    def odd(request: bytes) -> Answer:
        raise ValueError("no such number")

    monkeypatch.setattr(rig.submitter._clients["w1"], "add_checkpoint", odd)
    await rig.submit(5)
    assert rig.failures == []
    assert rig.submitter._known["w1"].failing


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (409, "text/x.tlog.size", b"many\n"),
        (409, "text/x.tlog.size", b"-3\n"),
        (409, "text/plain", b"7\n"),
        (500, "text/plain", b""),
        (422, "text/plain", b"no"),
        (409, "text/x.tlog.size", b"3\n"),
        (409, "text/x.tlog.size", b"99999999999999999999999\n"),
        (409, "text/x.tlog.size", b"9" * 5_000),
    ],
)
async def test_nonsense_brings_nothing_and_stops_nothing(status: int, kind: str, body: bytes) -> None:
    """A hostile witness could stop the terminal, or keep it asking without end."""
    asked: list[str] = []

    class Nonsense(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say()

        def do_GET(self) -> None:
            self._say()

        def _say(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        rig = Rig(f"http://127.0.0.1:{server.server_address[1]}")
        await rig.submit(12)
        assert not [event for event in rig.told if isinstance(event, Cosigned)]
        assert len(asked) <= 4
        assert rig.submitter._known["w1"].failing
        await rig.submitter.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("scheme", "first"),
    [("http", b"HTTP/1.1 200 OK\r\nX: "), ("http", b"HTTP/1.1 200 OK\r\n\r\n"), ("https", b"\x16\x03\x03\x3f\xff\x02")],
    ids=["in the header", "in the answer", "in the handshake"],
)
async def test_a_witness_that_drips_is_given_up(scheme: str, first: bytes) -> None:
    """Byte by byte it would hold a thread for days, and never be told of as one that fails (docs/protocol.md 13.7)."""
    ended = threading.Event()

    def drip() -> None:
        asked, _ = server.accept()
        with asked, contextlib.suppress(OSError):
            asked.sendall(first)
            while not ended.wait(0.02):
                asked.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip)
        dripping.start()
        client = WitnessClient(f"{scheme}://127.0.0.1:{server.getsockname()[1]}", seconds=0.3)
        begun = time.monotonic()
        try:
            with pytest.raises((OSError, http.client.HTTPException)):
                client.add_checkpoint(b"old 0\n")
            assert 0.25 < time.monotonic() - begun < WITNESS_SILENCE
        finally:
            ended.set()
            dripping.join()


async def test_a_witness_that_keeps_silent_holds_up_no_end() -> None:
    """A daemon that was told to end would live on until the witness lets go of it: for ever, byte by byte."""
    # docs/protocol.md 3.8
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rig = Rig(f"http://127.0.0.1:{silent.getsockname()[1]}")
        rig.submitter.submit(note(5), 1, 5)
        asked, _ = await asyncio.get_running_loop().run_in_executor(None, silent.accept)
        waiting = [thread for thread in threading.enumerate() if thread.name.startswith("witness")]
        await rig.submitter.close()
        # The interpreter waits at its end for every thread that is none of these.
        assert [thread.daemon for thread in waiting] == [True]
        asked.close()
        waiting[0].join(5)
