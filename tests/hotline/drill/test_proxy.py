"""The fault proxy on real sockets: what passes, what waits, what breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from hotline.drill.pipes import HOLD_BYTES
from hotline.drill.weather import LINE_BYTES, RTO_FLOOR, SEGMENT
from tests.hotline.drill.wires import End, Wires, until, wires

NOTHING_WITHIN = 0.12
"""Seconds of silence that prove a fault: undisturbed bytes need less than a hundredth of it."""
SLACK = 0.2
"""Seconds that a busy machine may add to one measurement that cannot be taken three times."""


@pytest.fixture
async def wired() -> AsyncIterator[Wires]:
    """A target behind an undisturbed link."""
    async with wires(seed=5) as made:
        yield made


async def _echo_times(client: End, target: End, count: int = 3) -> list[float]:
    times = []
    for _ in range(count):
        begun = time.monotonic()
        client.say(b"ping")
        target.say(await target.hear(4))
        await client.hear(4)
        times.append(time.monotonic() - begun)
    return times


async def test_bytes_pass_both_ways_and_are_counted(wired: Wires) -> None:
    """Nothing else here would mean anything."""
    client, target = await wired.pair()
    client.say(b"to the target")
    target.say(b"back")
    assert (await target.hear(13), await client.hear(4)) == (b"to the target", b"back")
    stats = wired.stats()
    assert (stats.up.passed, stats.down.passed) == (14, 5)
    assert (stats.connections, stats.opening, stats.accepted) == (1, 0, 1)
    assert (stats.up.waiting, stats.down.waiting) == (0, 0)


# --- waiting ---


async def test_latency_adds_to_both_ways_of_an_echo(wired: Wires) -> None:
    """A satellite link would be drilled with half or twice its time."""
    client, target = await wired.pair()
    await wired.weather(latency_ms=50)
    times = await _echo_times(client, target)
    assert 0.1 <= min(times) < 0.15
    assert (wired.stats().up.waiting, wired.stats().down.waiting) == (0, 0)


async def test_latency_of_one_way_stays_there(wired: Wires) -> None:
    """A fault of one direction would be one of both."""
    client, target = await wired.pair()
    await wired.weather("down", latency_ms=60)
    ways = []
    for _ in range(3):
        begun = time.monotonic()
        client.say(b"a")
        await target.hear(1)
        arrived = time.monotonic()
        target.say(b"b")
        await client.hear(1)
        ways.append((arrived - begun, time.monotonic() - arrived))
    assert min(up for up, _ in ways) < 0.05
    assert 0.06 <= min(down for _, down in ways) < 0.11


async def test_an_opening_takes_a_round_trip_before_the_first_byte(wired: Wires) -> None:
    """A new stream over a satellite would be as good as an old one."""
    await wired.weather(latency_ms=50)
    begun = time.monotonic()
    client = await wired.dial()
    client.say(b"hello")
    target = await wired.met()
    assert time.monotonic() - begun >= 0.05
    await target.hear(5)
    assert 0.15 <= time.monotonic() - begun < 0.6


async def test_a_slow_line_takes_the_time_of_its_bits(wired: Wires) -> None:
    """2,400 bit/s would be drilled on fibre."""
    client, target = await wired.pair()
    await wired.weather("up", rate_bps=2_400)
    begun = time.monotonic()
    client.say(bytes(300))
    await target.hear(300)
    assert 0.99 <= time.monotonic() - begun < 1.2 + SLACK


async def test_connections_of_a_link_share_its_line(wired: Wires) -> None:
    """Reconnecting would make a modem faster."""
    pairs = [await wired.pair(), await wired.pair()]
    await wired.weather("up", rate_bps=8_000)
    begun = time.monotonic()
    for client, _ in pairs:
        client.say(bytes(200))
    await asyncio.gather(*(target.hear(200) for _, target in pairs))
    assert 0.39 <= time.monotonic() - begun < 0.5 + SLACK


async def test_a_faster_line_takes_over_what_waits(wired: Wires) -> None:
    """Whoever mends the line would wait for the old one."""
    client, target = await wired.pair()
    await wired.weather("up", rate_bps=300)
    text = random.Random(1).randbytes(2_000)
    client.say(text)
    await until(lambda: wired.stats().up.waiting >= SEGMENT)
    begun = time.monotonic()
    await wired.weather("up")
    assert await target.hear(2_000) == text
    assert time.monotonic() - begun < 0.5


async def test_a_long_line_goes_on_taking_while_the_first_bytes_fly(wired: Wires) -> None:
    """A satellite link would idle for a round trip after each bufferful."""
    client, _ = await wired.pair()
    await wired.weather("up", rate_bps=64_000, latency_ms=3_000)
    client.say(bytes(10_000))
    await until(lambda: wired.stats().up.waiting == 10_000)
    assert wired.stats().up.passed == 1


async def test_a_slow_line_is_felt_by_the_sender(wired: Wires) -> None:
    """A terminal would believe that everything has left, and the proxy would hold a megabyte."""
    await wired.weather(rate_bps=2_400)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        client.connect(("127.0.0.1", wired.port))
        client.setblocking(False)
        taken, idle = 0, 0
        while idle < 20:
            try:
                taken += client.send(bytes(4_096))
                idle = 0
            except BlockingIOError:
                idle += 1
            await asyncio.sleep(0.01)
            assert wired.stats().up.waiting <= LINE_BYTES + SEGMENT
        assert LINE_BYTES < taken < 65_536


@pytest.mark.parametrize("while_opening", [False, True])
async def test_a_slow_line_narrows_both_ends_and_a_fast_one_widens_them(wired: Wires, while_opening: bool) -> None:
    """The kernel would take in for us what the line cannot carry, from one of the two."""
    if while_opening:
        await wired.weather(latency_ms=100)
        await wired.dial()
        await until(lambda: wired.stats().opening == 1)
    await wired.weather(rate_bps=64_000)
    if while_opening:
        await wired.met()
    else:
        await wired.pair()
    await until(lambda: wired.stats().opening == 0)
    (connection,) = wired.live
    ends = [side._transport.get_extra_info("socket") for side in (connection.client, connection.target)]  # type: ignore[union-attr]
    assert all(end.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < 16_384 for end in ends)
    await wired.weather()
    assert all(end.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 65_536 for end in ends)


async def test_whoever_does_not_read_stops_the_sender(wired: Wires) -> None:
    """One stalled reader would fill the proxy's memory."""
    client, target = await wired.pair()
    target.reader._transport.pause_reading()  # type: ignore[attr-defined]
    text = random.Random(2).randbytes(1 << 20) * 24
    sending = asyncio.ensure_future(_say_all(client, text))
    await until(lambda: not wired.live[0].target.writable)
    stuck = wired.stats().up.passed
    for _ in range(50):
        await asyncio.sleep(0)
    assert wired.stats().up.passed == stuck < len(text)
    assert wired.live[0].up.waiting == 0
    target.reader._transport.resume_reading()  # type: ignore[attr-defined]
    assert await target.hear(len(text)) == text
    await sending


async def _say_all(end: End, text: bytes) -> None:
    end.say(text)
    await end.writer.drain()


async def test_a_megabyte_through_jitter_and_loss_is_whole_and_in_order(wired: Wires) -> None:
    """TCP would lose its one promise in our hands."""
    client, target = await wired.pair()
    await wired.weather(latency_ms=5, jitter_ms=5, loss_percent=3)
    there, back = random.Random(3).randbytes(1 << 20), random.Random(4).randbytes(1 << 18)
    client.say(there)
    target.say(back)
    assert await asyncio.gather(target.hear(len(there)), client.hear(len(back))) == [there, back]


async def test_calm_weather_does_not_overtake_what_is_under_way(wired: Wires) -> None:
    """The short way would be opened while older bytes still fly."""
    client, target = await wired.pair()
    await wired.weather(latency_ms=150)
    client.say(b"first ")
    await until(lambda: wired.stats().up.waiting == 6)
    await wired.weather()
    client.say(b"second")
    assert await target.hear(12) == b"first second"


# --- black holes ---


async def test_a_black_hole_swallows_until_it_is_mended(wired: Wires) -> None:
    """What was said into the hole would be lost, arrive at once, or arrive out of order."""
    client, target = await wired.pair()
    await wired.weather(mode="blackhole")
    begun = time.monotonic()
    client.say(b"one ")
    target.say(b"three")
    assert await target.hears_within(NOTHING_WITHIN) == b""
    assert await client.hears_within(NOTHING_WITHIN) == b""
    client.say(b"two")
    await until(lambda: wired.stats().up.waiting == 7)
    await until(lambda: time.monotonic() - begun > 0.25)
    await wired.weather()
    client.say(b" late")
    assert await target.hear(12) == b"one two late"
    # Repetitions leave 0.2, 0.6 and 1.4 s after the first segment.
    assert 0.59 <= time.monotonic() - begun < 0.9 + SLACK
    assert await client.hear(5) == b"three"
    assert min(await _echo_times(client, target)) < 0.1


async def test_what_was_under_way_falls_into_the_hole(wired: Wires) -> None:
    """A cut cable would still deliver."""
    client, target = await wired.pair()
    await wired.weather(latency_ms=100)
    client.say(b"under way")
    await until(lambda: wired.stats().up.waiting == 9)
    await wired.weather(mode="blackhole")
    assert await target.hears_within(0.2) == b""
    await wired.weather()
    assert await target.hear(9) == b"under way"


async def test_a_hole_in_one_way_lets_the_other_pass_for_one_timeout(wired: Wires) -> None:
    """A one-way cut would be drilled as no TCP can suffer it: acknowledgements are lost with it."""
    client, target = await wired.pair()
    await wired.weather("up", mode="blackhole")
    begun = time.monotonic()
    client.say(b"swallowed")
    target.say(b"still passes")
    assert await client.hear(12) == b"still passes"
    await until(lambda: time.monotonic() - begun > 0.3)
    target.say(b" and now waits")
    assert await client.hears_within(NOTHING_WITHIN) == b""
    assert await target.hears_within(NOTHING_WITHIN) == b""
    await wired.weather("up")
    assert await client.hear(14) == b" and now waits"
    assert await target.hear(9) == b"swallowed"


async def test_every_hole_in_one_way_begins_anew(wired: Wires) -> None:
    """After the first outage, the next one would silence the other way at once."""
    client, target = await wired.pair()
    for _ in range(2):
        await wired.weather("up", mode="blackhole")
        client.say(b"swallowed")
        target.say(b"still passes")
        assert await client.hear(12) == b"still passes"
        await until(lambda: wired.stats().up.waiting == 9)
        await wired.weather("up")
        assert await target.hear(9) == b"swallowed"


async def test_nothing_overtakes_what_waits_for_an_answer(wired: Wires) -> None:
    """What is held while acknowledgements are lost would be shuffled by the next change of weather."""
    client, target = await wired.pair()
    await wired.weather("down", mode="blackhole")
    await wired.weather("up", rate_bps=300)
    client.say(b"first " * 10)
    await until(lambda: wired.stats().up.waiting == 60)
    begun = time.monotonic()
    await until(lambda: time.monotonic() - begun > RTO_FLOOR + 0.02)
    client.say(b"second ")
    await until(lambda: wired.stats().up.waiting == 67)
    await wired.weather("up", latency_ms=400)
    client.say(b"third")
    await until(lambda: wired.stats().up.waiting == 72)
    await wired.weather("up", mode="blackhole")
    await wired.weather()
    assert await target.hear(72) == b"first " * 10 + b"second third"


async def test_a_hole_that_opens_again_before_the_repetition_keeps_all(wired: Wires) -> None:
    """A flapping path would lose or shuffle what it held."""
    client, target = await wired.pair()
    await wired.weather(mode="blackhole")
    client.say(b"one ")
    await until(lambda: wired.stats().up.waiting == 4)
    for word in (b"two ", b"three"):
        await wired.weather()
        await wired.weather(mode="blackhole")
        waited = wired.stats().up.waiting
        client.say(word)
        await until(lambda waited=waited, word=word: wired.stats().up.waiting == waited + len(word))
    assert await target.hears_within(0.45) == b""
    await wired.weather()
    assert await target.hear(13) == b"one two three"


async def test_a_hole_takes_only_so_much(wired: Wires) -> None:
    """A sender in an outage would fill the proxy's memory instead of its own buffers."""
    client, target = await wired.pair()
    await wired.weather(mode="blackhole")
    text = random.Random(6).randbytes(16 << 20)
    sending = asyncio.ensure_future(_say_all(client, text))
    await until(lambda: wired.stats().up.waiting == HOLD_BYTES)
    assert not sending.done()
    await wired.weather()
    assert await target.hear(len(text)) == text
    await sending


async def test_nobody_new_comes_through_a_hole(wired: Wires) -> None:
    """A client would find the target through a cable that is cut."""
    await wired.weather("down", mode="blackhole")
    begun = time.monotonic()
    client = await wired.dial()
    client.say(b"hello")
    assert await wired.nobody_within(NOTHING_WITHIN)
    assert (wired.stats().connections, wired.stats().opening) == (1, 1)
    await wired.weather()
    target = await wired.met()
    # A kernel repeats the first segment of a connection after a second.
    assert 0.99 <= time.monotonic() - begun < 1.4 + SLACK
    assert await target.hear(5) == b"hello"


async def test_whoever_gives_up_in_a_hole_never_reaches_the_target(wired: Wires) -> None:
    """A hundred attempts of an outage would all arrive with its end."""
    await wired.weather(mode="blackhole")
    client = await wired.dial()
    await until(lambda: wired.stats().opening == 1)
    client.writer.close()
    await until(lambda: wired.stats().connections == 0)
    await wired.weather()
    assert await wired.nobody_within(NOTHING_WITHIN)


async def test_an_end_waits_in_the_hole_too(wired: Wires) -> None:
    """The peer would hear of a death through a dead line."""
    client, target = await wired.pair()
    await wired.weather(mode="blackhole")
    client.say(b"last words")
    client.writer.close()
    assert await target.hears_within(NOTHING_WITHIN) == b""
    assert not target.reader.at_eof()
    await wired.weather()
    assert await target.hear_all() == b"last words"


# --- whole connections ---


async def test_reset_breaks_what_lives_and_lets_new_ones_pass(wired: Wires) -> None:
    """A RST storm would be a polite end."""
    client, target = await wired.pair()
    await wired.weather(mode="reset")
    for end in (client, target):
        with pytest.raises(ConnectionResetError):
            await end.hear(1)
    assert min(await _echo_times(*await wired.pair())) < 0.1
    await until(lambda: wired.stats().connections == 1)


async def test_refuse_ends_what_lives_and_nobody_listens_until_it_is_cleared(wired: Wires) -> None:
    """The relay that is gone would still accept."""
    port = wired.port
    client, target = await wired.pair()
    await wired.weather("up", mode="refuse")
    assert (await client.hear_all(), await target.hear_all()) == (b"", b"")
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await wired.dial()
    assert wired.stats().connections == 0
    await wired.weather()
    assert wired.port == port
    await wired.pair()


async def test_a_refusing_link_keeps_its_port(wired: Wires) -> None:
    """Any dialling program on the machine could be given the port, and the link would never listen again."""
    await wired.weather(mode="refuse")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", wired.port))
    await wired.weather()
    await wired.pair()


async def test_half_open_ends_the_target_and_tells_the_client_nothing(wired: Wires) -> None:
    """A zombie stream would be noticed by its socket, and no heartbeat be needed."""
    client, target = await wired.pair()
    await wired.weather(mode="half-open")
    assert await target.hear_all() == b""
    client.say(b"anybody there?")
    assert await client.hears_within(NOTHING_WITHIN) == b""
    assert not client.reader.at_eof()
    assert wired.stats().connections == 1
    await wired.pair()
    # When the host is back, it knows nothing of the connection, and says so to what is repeated.
    await wired.weather()
    with pytest.raises(ConnectionResetError):
        await client.hear(1)


async def test_a_silent_client_that_says_nothing_lives_until_it_speaks_or_leaves(wired: Wires) -> None:
    """It would be told too early, or be kept for ever."""
    speaker, _ = await wired.pair()
    leaver, _ = await wired.pair()
    await wired.weather(mode="half-open")
    await wired.weather()
    assert await speaker.hears_within(NOTHING_WITHIN) == b""
    assert not speaker.reader.at_eof()
    speaker.say(b"?")
    with pytest.raises(ConnectionResetError):
        await speaker.hear(1)
    leaver.writer.close()
    await until(lambda: wired.stats().connections == 0)


async def test_one_direction_may_end_before_the_other(wired: Wires) -> None:
    """An answer to a finished question would be cut off."""
    client, target = await wired.pair()
    client.say(b"question")
    client.writer.write_eof()
    assert await target.hear_all() == b"question"
    target.say(b"answer")
    assert await client.hear(6) == b"answer"
    target.writer.close()
    assert await client.hear_all() == b""
    await until(lambda: wired.stats().connections == 0)


@pytest.mark.parametrize("dying", ["client", "target"])
@pytest.mark.parametrize("latency_ms", [0, 40])
async def test_a_broken_end_breaks_the_other(wired: Wires, dying: str, latency_ms: int) -> None:
    """A crash would look like an orderly end."""
    client, target = await wired.pair()
    await wired.weather(latency_ms=latency_ms)
    gone, left = (client, target) if dying == "client" else (target, client)
    begun = time.monotonic()
    sock = gone.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.writer.transport.abort()
    with pytest.raises(ConnectionResetError):
        await left.hear(1)
    assert time.monotonic() - begun >= latency_ms / 1_000
    await until(lambda: wired.stats().connections == 0)


async def test_what_is_said_to_a_dead_client_is_dropped(wired: Wires) -> None:
    """Until the target hears of the death its words would pile up, or count as heard."""
    client, target = await wired.pair()
    await wired.weather("up", latency_ms=150)
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()
    (connection,) = wired.live
    await until(lambda: connection.client.gone)
    target.say(b"are you there?")
    await until(lambda: connection.down.swallowed == 14)
    with pytest.raises(ConnectionResetError):
        await target.hear(1)
    assert (wired.stats().down.passed, wired.stats().down.waiting) == (1, 0)


async def test_both_ends_speak_in_segments_of_ethernet(wired: Wires) -> None:
    """Loopback's own segments stall before a narrow buffer: a line of 10 Mbit/s would carry a thirtieth of it."""
    client, target = await wired.pair()
    for end in (client, target):
        assert end.writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1_460


async def test_a_target_that_is_not_there_resets_the_client(wired: Wires) -> None:
    """A client would wait for a relay that is dead."""
    wired.target.close()
    client = await wired.dial()
    with pytest.raises(ConnectionResetError):
        await client.hear(1)
    await until(lambda: wired.stats().connections == 0)


@pytest.mark.parametrize("latency_ms", [0, 20])
async def test_hundreds_of_connections_leave_nothing_behind(wired: Wires, latency_ms: int) -> None:
    """A long drill would end in the proxy's own exhaustion."""
    await wired.weather(latency_ms=latency_ms)
    wired.polite = True
    before = asyncio.all_tasks()
    for number in range(8):
        ends = await asyncio.gather(*(wired.dial() for _ in range(50)))
        for end in ends[:: number % 3 + 1]:
            end.say(b"x")
        for end in ends:
            end.writer.transport.abort()
    await until(lambda: wired.stats().accepted == 400 and wired.stats().connections == 0)
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_proxy_that_ends_leaves_no_socket(wired: Wires) -> None:
    """A port would stay taken, a peer hang on."""
    client, target = await wired.pair()
    port = wired.port
    wired.proxy.close()
    with contextlib.suppress(ConnectionError):
        assert (await client.hear_all(), await target.hear_all()) == (b"", b"")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        pass
