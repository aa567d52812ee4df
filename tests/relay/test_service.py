"""The relay's gRPC face on loopback, with real certificates and a real store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from hotline.charter.profiles import PROFILES
from hotline.crypto.signing import SigningKey
from hotline.crypto.tls import certificate_name, fingerprint, pem
from hotline.limits import (
    ENVELOPE_BYTES_MAX,
    LINK_QUEUE_BYTES_MAX,
    MAILBOX_BYTES_MAX,
    PARCEL_BYTES_MAX,
    STREAMS_PER_CERTIFICATE,
)
from hotline.machine import Delivery, Transmission
from hotline.runtime.credentials import OwnTls, RelayTarget, open_channel, server_credentials, server_options
from hotline.runtime.driver import Driver
from hotline.runtime.frames import FrameQueue
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import FLAG_TRANSIENT, Header, envelope_id
from hotline.wire.v1 import frame_pb2, relay_pb2, relay_pb2_grpc
from relay import service
from relay.machine import Hotline, Relay, RelayEvent
from relay.service import Links, RelayService, RelayWorld
from relay.store import SqliteMailboxStore
from tests.hotline.runtime.conftest import certified, own_tls

CHARTER = b"c" * 32
ALPHA, BRAVO, CHARLIE = 1, 2, 3
SECONDS = 8.0
Call = grpc.aio.StreamStreamCall[relay_pb2.AttachRequest, relay_pb2.AttachResponse]


@dataclass
class Told:
    """What the relay says about itself."""

    deliveries: list[Delivery] = field(default_factory=list)

    def told(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)


@dataclass
class House:
    """One relay that runs, and the terminals that may attach to it."""

    folder: Path
    relay: OwnTls
    terminals: dict[int, OwnTls]
    observer: Told = field(default_factory=Told)
    links: Links = field(default_factory=Links)
    channels: list[grpc.aio.Channel] = field(default_factory=list)
    address: str = ""

    async def start(self) -> None:
        self.store = SqliteMailboxStore(self.folder)
        known = {fingerprint(own.certificate_der): number for number, own in self.terminals.items()}
        self.machine = Relay("relay-1", SigningKey(b"r" * 32), [Hotline(CHARTER, known)], self.store.load())
        self.driver: Driver[RelayEvent] = Driver(self.machine, RelayWorld(self.store, self.links, self.observer))
        self.server = grpc.aio.server(options=server_options(slow_links=False))
        service = RelayService(self.driver, self.links, known)
        relay_pb2_grpc.add_RelayServiceServicer_to_server(service, self.server)
        clients = [own.certificate_der for own in self.terminals.values()]
        port = self.server.add_secure_port("127.0.0.1:0", server_credentials(self.relay, clients))
        await self.server.start()
        self.address = f"127.0.0.1:{port}"

    async def stop(self) -> None:
        self.links.hang_up_all()
        await asyncio.wait_for(self.server.stop(0.2), SECONDS)
        await asyncio.gather(*(channel.close() for channel in self.channels))
        await asyncio.wait_for(self.driver.settled(), SECONDS)
        self.driver.close()
        self.store.close()

    def dial(self, terminal: int, own: OwnTls | None = None) -> Call:
        """A stream that has not said anything yet; `own` is what is shown instead of the terminal's certificate."""
        target = RelayTarget("relay-1", self.address, self.relay.certificate_der, PROFILES["fibre"])
        self.channels.append(open_channel(target, own or self.terminals[terminal]))
        return relay_pb2_grpc.RelayServiceStub(self.channels[-1]).Attach()

    async def attach(self, terminal: int) -> tuple[Call, Frames]:
        """A stream that the relay has welcomed."""
        call = self.dial(terminal)
        hello = frame_pb2.Hello(version=1, charter=CHARTER, terminal=terminal)
        await call.write(relay_pb2.AttachRequest(frame=[encode(frame_pb2.Frame(hello=hello))]))
        frames = Frames(call)
        assert (await frames.next()).WhichOneof("body") == "welcome"
        return call, frames


class Frames:
    """The frames of a stream, one by one."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._got: list[bytes] = []

    async def next(self) -> frame_pb2.Frame:
        """The next frame; EOFError when the relay has ended the stream."""
        while not self._got:
            response = await asyncio.wait_for(self._call.read(), SECONDS)
            if response is grpc.aio.EOF:
                raise EOFError
            assert isinstance(response, relay_pb2.AttachResponse)
            self._got = list(response.frame)
        return decode_frame(self._got.pop(0))


@pytest.fixture(scope="session")
def identities() -> dict[int, OwnTls]:
    """Certificates of the relay (0) and of three terminals."""
    names = {0: "relay-1", ALPHA: "alpha-main", BRAVO: "bravo-main", CHARLIE: "charlie-main"}
    return {number: own_tls(name) for number, name in names.items()}


@pytest_asyncio.fixture
async def house(identities: dict[int, OwnTls], tmp_path: Path) -> AsyncIterator[House]:
    """A relay that serves ALPHA, BRAVO and CHARLIE."""
    made = House(tmp_path, identities[0], {number: own for number, own in identities.items() if number})
    await made.start()
    yield made
    await made.stop()


def _envelope(number: int, rest: bytes = b"sealed") -> bytes:
    return Header(0, BRAVO, ALPHA, b"e" * 12, number).encode() + rest


async def _send(call: Call, *envelopes: bytes) -> None:
    for envelope in envelopes:
        await call.write(relay_pb2.AttachRequest(frame=[envelope_frame(envelope)]))


async def test_envelope_goes_to_the_reader_and_custody_to_the_sender(house: House) -> None:
    """The one thing a relay is for."""
    alpha, custody = await house.attach(ALPHA)
    _, received = await house.attach(BRAVO)
    await _send(alpha, _envelope(1))
    assert (await received.next()).envelope == _envelope(1)
    assert (await custody.next()).WhichOneof("body") == "custody"
    assert len(house.store.load()) == 1


async def test_replaced_stream_is_told_and_ended(house: House) -> None:
    """A terminal that comes back after a cut must not share its mailbox with the ghost of its old stream."""
    _, old = await house.attach(BRAVO)
    _, new = await house.attach(BRAVO)
    assert (await old.next()).refusal.reason == frame_pb2.REFUSAL_REASON_REPLACED
    with pytest.raises(EOFError):
        await old.next()
    alpha, _ = await house.attach(ALPHA)
    await _send(alpha, _envelope(1))
    assert (await new.next()).envelope == _envelope(1)


async def test_stranger_in_the_hotline_is_told_and_ended(house: House) -> None:
    """With its own certificate BRAVO must not be able to read ALPHA's mailbox."""
    call = house.dial(BRAVO)
    hello = frame_pb2.Hello(version=1, charter=CHARTER, terminal=ALPHA)
    await call.write(relay_pb2.AttachRequest(frame=[encode(frame_pb2.Frame(hello=hello))]))
    frames = Frames(call)
    assert (await frames.next()).refusal.reason == frame_pb2.REFUSAL_REASON_NOT_ADMITTED
    with pytest.raises(EOFError):
        await frames.next()


async def test_backlog_larger_than_a_link_queue_arrives(house: House) -> None:
    """A terminal that was away for a weekend must be able to come back, however much has been left for it."""
    count = LINK_QUEUE_BYTES_MAX // 30_000 + 10
    large = [_envelope(number, bytes(30_000)) for number in range(count)]
    assert len(large[0]) < ENVELOPE_BYTES_MAX
    alpha, custody = await house.attach(ALPHA)
    await _send(alpha, *large)
    held = 0
    while held < count:
        body = frame_pb2.CustodyBody.FromString((await custody.next()).custody.body)
        held += len(body.envelope)
    bravo, received = await house.attach(BRAVO)
    for envelope in large:
        assert (await received.next()).envelope == envelope
    taken = frame_pb2.Taken(envelope_id=[envelope_id(envelope) for envelope in large])
    await bravo.write(relay_pb2.AttachRequest(frame=[encode(frame_pb2.Frame(taken=taken))]))
    await _send(alpha, _envelope(9_999))
    assert (await received.next()).envelope == _envelope(9_999)
    await asyncio.wait_for(house.driver.settled(), SECONDS)
    assert house.machine.held <= 1


async def test_one_certificate_cannot_take_every_stream(house: House) -> None:
    """A captured terminal that opens stream after stream must not lock the other capital out of the relay."""
    # docs/protocol.md 5.18
    _, received = await house.attach(BRAVO)
    silent = []
    for _ in range(STREAMS_PER_CERTIFICATE + 5):
        silent.append(house.dial(ALPHA))
        await asyncio.wait_for(silent[-1].initial_metadata(), SECONDS)
    for call in silent[:5]:
        assert await asyncio.wait_for(call.code(), SECONDS) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(house.links) == 1 + STREAMS_PER_CERTIFICATE
    alpha, _ = await house.attach(ALPHA)
    await _send(alpha, _envelope(1))
    assert (await received.next()).envelope == _envelope(1)


async def test_what_a_pinned_key_has_certified_takes_no_stream(identities: dict[int, OwnTls], tmp_path: Path) -> None:
    """One captured terminal could make certificates until every stream of the relay is theirs."""
    # docs/protocol.md 5.16; the terminal has a certificate of the older kind, by which the handshake lets others in
    house = House(tmp_path, identities[0], {ALPHA: certified("alpha-main", None, authority=True)})
    await house.start()
    try:
        for number in range(3):
            call = house.dial(ALPHA, certified(f"child-{number}", house.terminals[ALPHA]))
            assert await asyncio.wait_for(call.code(), SECONDS) is grpc.StatusCode.PERMISSION_DENIED
            assert (len(house.links), house.machine.streams) == (0, 0)
        await house.attach(ALPHA)
    finally:
        await house.stop()


async def test_terminal_that_does_not_read_is_told_when_it_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is dead at the relay and alive at the terminal is a path that nobody ever dials again."""
    # docs/protocol.md 5.18
    monkeypatch.setattr("relay.service._QUEUE_BYTES_MAX", 300_000)
    monkeypatch.setattr("hotline.runtime.frames.STREAM_PATIENCE", 0.2)
    call, _ = await house.attach(BRAVO)
    alpha, _ = await house.attach(ALPHA)
    number = 0
    while len(house.links) == 2:
        number += 1
        assert number < 10_000
        await _send(alpha, _envelope(number, bytes(30_000)))
    with contextlib.suppress(grpc.aio.AioRpcError):
        while await asyncio.wait_for(call.read(), SECONDS) is not grpc.aio.EOF:
            pass
    assert await asyncio.wait_for(call.code(), SECONDS) is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_one_terminal_s_flood_neither_delays_another_nor_ends_the_stream(house: House) -> None:
    """CHARLIE, or who has its key, would silence ALPHA at BRAVO on every relay at once (docs/protocol.md 5.25)."""
    _, received = await house.attach(BRAVO)
    alpha, behind = await house.attach(ALPHA)
    charlie, _ = await house.attach(CHARLIE)
    noise = bytes(36_000)
    flood = service._QUEUE_BYTES_MAX // len(noise) + 100
    for number in range(flood):
        header = Header(FLAG_TRANSIENT, BRAVO, CHARLIE, b"c" * 12, number)
        await _send(charlie, header.encode() + noise)
    await _send(charlie, Header(FLAG_TRANSIENT, ALPHA, CHARLIE, b"c" * 12, flood).encode() + noise)
    assert (await behind.next()).WhichOneof("body") == "envelope"
    await _send(alpha, _envelope(1))
    before = 0
    while (await received.next()).envelope != _envelope(1):
        before += 1
    assert before < flood / 4, "what gRPC had taken already, and a few turns"
    assert len(house.links) == 3


async def test_parcel_too_long_breaks_only_its_own_stream(house: House) -> None:
    """A huge message must cost its sender the stream, not the relay its memory or the others their path."""
    _, received = await house.attach(BRAVO)
    own, server = house.terminals[ALPHA], house.relay.certificate_der
    credentials = grpc.ssl_channel_credentials(pem(server), own.private_pem, pem(own.certificate_der))
    name = ("grpc.ssl_target_name_override", certificate_name(server))
    async with grpc.aio.secure_channel(house.address, credentials, options=[name]) as channel:
        call = relay_pb2_grpc.RelayServiceStub(channel).Attach()
        await call.write(relay_pb2.AttachRequest(frame=[bytes(PARCEL_BYTES_MAX + 1)]))
        assert await asyncio.wait_for(call.code(), SECONDS) is grpc.StatusCode.RESOURCE_EXHAUSTED
    again, _ = await house.attach(ALPHA)
    await _send(again, _envelope(1))
    assert (await received.next()).envelope == _envelope(1)


async def test_restart_keeps_what_was_signed_for(identities: dict[int, OwnTls], tmp_path: Path) -> None:
    """Custody that does not outlive the relay's process is a lie told to the sender."""
    terminals = {number: own for number, own in identities.items() if number}
    first = House(tmp_path, identities[0], terminals)
    await first.start()
    alpha, custody = await first.attach(ALPHA)
    await _send(alpha, _envelope(1), _envelope(2))
    assert (await custody.next()).WhichOneof("body") == "custody"
    await first.stop()
    second = House(tmp_path, identities[0], terminals)
    await second.start()
    try:
        _, received = await second.attach(BRAVO)
        assert (await received.next()).envelope == _envelope(1)
    finally:
        await second.stop()


async def test_more_streams_than_there_may_be_are_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that say nothing would take the memory of those that do (docs/protocol.md 5.18)."""
    monkeypatch.setattr("relay.service.RELAY_STREAMS_MAX", 1)
    await house.attach(ALPHA)
    call = house.dial(BRAVO)
    assert await asyncio.wait_for(call.code(), SECONDS) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(house.links) == 1


def test_of_one_certificate_the_oldest_stream_goes() -> None:
    """A terminal that comes back would be shut out by its own ghosts (docs/protocol.md 5.18)."""
    links, ended = Links(), list[str]()
    queues = {f"{peer}-{n}": FrameQueue(10) for peer in ("a", "b") for n in range(STREAMS_PER_CERTIFICATE + 1)}
    for name, queue in queues.items():
        links.open(name, name[0], queue, lambda name=name: ended.append(name))  # type: ignore[misc]
    assert ended == ["a-0", "b-0"]
    assert len(links) == 2 * STREAMS_PER_CERTIFICATE
    links.send([Transmission(name, bytes(6)) for name in ("a-0", "a-1", "a-1", "b-1")])
    assert ended == ["a-0", "b-0", "a-1"], "what does not drain is given up, and nothing else"
    links.closed("a-1")
    links.closed("a-1")
    links.hang_up("a-1")
    links.hang_up("a-2")
    assert len(links) == 2 * STREAMS_PER_CERTIFICATE - 1
    assert [name for name, queue in queues.items() if queue._closed] == ["a-2"]
    links.hang_up_all()
    assert {name for name, queue in queues.items() if queue._closed} == {*queues} - {"a-0", "b-0", "a-1"}


def test_a_whole_mailbox_and_what_comes_meanwhile_wait_for_one_stream() -> None:
    """A terminal with a full mailbox could never come back (docs/protocol.md 5.5 and 5.18)."""
    queue, frame = FrameQueue(service._QUEUE_BYTES_MAX), bytes(32_768)
    room = (MAILBOX_BYTES_MAX + LINK_QUEUE_BYTES_MAX) // len(frame)
    assert all(queue.put(frame) for _ in range(room))
    assert not queue.put(b"x")
