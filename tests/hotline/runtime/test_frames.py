"""Frames waiting for one stream: bounded, in order, and never in a message that gRPC would refuse."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotline.limits import FRAME_BYTES_MAX, FRAMES_PER_PARCEL_MAX, LINK_QUEUE_BYTES_MAX, PARCEL_BYTES_MAX
from hotline.runtime.frames import FrameQueue
from hotline.wire.v1 import relay_pb2


class Stream:
    """What is written to. While it is stuck, nothing more is taken."""

    def __init__(self) -> None:
        self.parcels: list[list[bytes]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def write(self, parcel: list[bytes]) -> None:
        self.parcels.append(parcel)
        await self.free.wait()


async def _drain(queue: FrameQueue) -> list[list[bytes]]:
    queue.close()
    stream = Stream()
    await asyncio.wait_for(queue.drain(stream.write), 5)
    return stream.parcels


async def test_full_queue_says_so_and_keeps_what_it_has() -> None:
    """Without a bound, a relay that does not read makes our memory grow until the daemon is killed."""
    queue = FrameQueue()
    frame = b"f" * 40_000
    accepted = 0
    while queue.put(frame):
        accepted += 1
    assert accepted == LINK_QUEUE_BYTES_MAX // len(frame)
    assert not queue.put(frame)
    parcels = await _drain(queue)
    assert sum(len(parcel) for parcel in parcels) == accepted


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_taken_frames_make_room() -> None:
    """If the count never went down, a healthy stream would be broken off after four megabytes."""
    queue, stream = FrameQueue(), Stream()
    draining = asyncio.create_task(queue.drain(stream.write))
    await _turns()
    for _ in range(3 * LINK_QUEUE_BYTES_MAX // 40_000):
        assert queue.put(b"f" * 40_000)
        queue.flush()
        assert stream.parcels.pop() == [b"f" * 40_000]
    queue.close()
    await asyncio.wait_for(draining, 5)


async def test_a_write_begins_in_the_turn_of_its_frame() -> None:
    """A FLASH would wait for whatever else the loop has to do, at each end and in each relay."""
    queue, stream = FrameQueue(), Stream()
    draining = asyncio.create_task(queue.drain(stream.write))
    await _turns()
    queue.put(b"flash")
    assert stream.parcels == [], "what belongs together goes together"
    queue.flush()
    assert stream.parcels == [[b"flash"]]
    draining.cancel()


async def test_frames_wait_for_the_stream_and_for_the_write_before_them() -> None:
    """Two writes at once are an error of gRPC; frames that came before the stream would be lost."""
    queue, stream = FrameQueue(), Stream()
    queue.put(b"early")
    queue.flush()
    stream.free.clear()
    draining = asyncio.create_task(queue.drain(stream.write))
    await _turns()
    for frame in (b"one", b"two"):
        queue.put(frame)
        queue.flush()
    await _turns()
    assert stream.parcels == [[b"early"]]
    stream.free.set()
    await _turns()
    assert stream.parcels == [[b"early"], [b"one", b"two"]]
    queue.close()
    await asyncio.wait_for(draining, 5)


@pytest.mark.parametrize("stuck", [True, False])
async def test_a_write_that_fails_ends_the_draining(stuck: bool) -> None:
    """A stream that takes nothing any more would look alive for ever."""
    queue = FrameQueue()
    free = asyncio.Event()

    async def write(parcel: list[bytes]) -> None:
        if stuck:
            await free.wait()
        raise ConnectionError(f"{len(parcel)}")

    queue.put(b"one")
    draining = asyncio.create_task(queue.drain(write))
    await _turns()
    queue.put(b"two")
    queue.flush()
    free.set()
    with pytest.raises(ConnectionError, match="1"):
        await asyncio.wait_for(draining, 5)
    queue.flush()


async def test_a_stuck_write_can_be_left() -> None:
    """A relay that has given up a terminal would wait for it, with its stream and its memory."""
    queue, stream = FrameQueue(), Stream()
    stream.free.clear()
    queue.put(b"one")
    draining = asyncio.create_task(queue.drain(stream.write))
    await _turns()
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(draining, 5)
    stream.free.set()
    await _turns()
    queue.put(b"two")
    queue.flush()
    assert stream.parcels == [[b"one"]]


async def test_a_cancelled_call_ends_the_draining() -> None:
    """gRPC cancels the write of a call that ended; nobody may be left waiting for it."""
    queue = FrameQueue()
    waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write(_: list[bytes]) -> None:
        await waits

    queue.put(b"one")
    draining = asyncio.create_task(queue.drain(write))
    await _turns()
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(draining, 5)


async def test_closing_ends_after_what_is_queued() -> None:
    """If closing dropped the queue, a relay would hang up without saying why."""
    queue = FrameQueue()
    queue.put(b"refusal")
    assert await _drain(queue) == [[b"refusal"]]
    assert await _drain(FrameQueue()) == []


@given(st.lists(st.integers(1, FRAME_BYTES_MAX), max_size=12), st.integers(0, 600))
def test_parcels_hold_everything_in_order_and_fit(sizes: list[int], small: int) -> None:
    """A parcel over the bound breaks the stream at the receiver, and everything behind it with it."""
    frames = [bytes((number % 251,)) * size for number, size in enumerate(sizes + [20] * small)]
    queue = FrameQueue()
    assert all(queue.put(frame) for frame in frames)
    parcels = asyncio.run(_drain(queue))
    assert [frame for parcel in parcels for frame in parcel] == frames
    for parcel in parcels:
        assert len(parcel) <= FRAMES_PER_PARCEL_MAX
        assert relay_pb2.AttachRequest(frame=parcel).ByteSize() <= PARCEL_BYTES_MAX


async def test_each_sender_has_its_turn() -> None:
    """A FLASH would wait behind whatever another terminal has thrown in before it (docs/protocol.md 5.25)."""
    queue = FrameQueue()
    for number in range(100):
        assert queue.put(b"%d" % number, sender=3)
    assert queue.put(b"flash", sender=1)
    assert queue.put(b"custody")
    (parcel,) = await _drain(queue)
    assert parcel[:4] == [b"0", b"flash", b"custody", b"1"]
    assert len(parcel) == 102


async def test_the_longest_lane_gives_way() -> None:
    """One sender's flood would cost the others their frames, or the recipient its stream (docs/protocol.md 5.25)."""
    queue = FrameQueue(100)
    assert all(queue.put(bytes((number,)) * 10, sender=3) for number in range(20))
    assert queue.put(b"a" * 30, sender=1)
    assert queue.put(b"o" * 30)
    kept = [frame for parcel in await _drain(queue) for frame in parcel]
    assert kept == [bytes(10), b"a" * 30, b"o" * 30, *(bytes((number,)) * 10 for number in (1, 2, 3))]


async def test_own_words_that_do_not_fit_end_the_stream() -> None:
    """A terminal that sends and never reads would fill the relay with what it is answered (docs/protocol.md 5.18)."""
    queue = FrameQueue(100)
    assert queue.put(b"c" * 30, sender=3)
    assert queue.put(b"o" * 60)
    assert not queue.put(b"o" * 60)


async def test_a_write_that_lasts_too_long_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that hangs would never be told to dial anew (docs/protocol.md 5.18)."""
    queue, stream = FrameQueue(), Stream()
    draining = asyncio.create_task(queue.drain(stream.write))
    await _turns()
    assert queue.put(b"quick", sender=1)
    queue.flush()
    stream.free.clear()
    assert queue.put(b"stuck", sender=1)
    queue.flush()
    assert queue.put(b"waits", sender=1)
    monkeypatch.setattr("hotline.runtime.frames.STREAM_PATIENCE", 0.0)
    assert not queue.put(b"too long", sender=1)
    stream.free.set()
    await _turns()
    assert queue.put(b"goes on", sender=1)
    draining.cancel()


@example([(0, 1), (0, 1), (0, 287), (0, 1), (1, 2)], 302)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, FRAME_BYTES_MAX)), max_size=40), st.integers(1, 400_000))
def test_turns_keep_each_sender_s_order_and_the_bound(sizes: list[tuple[int, int]], limit: int) -> None:
    """A relay's memory would be the senders' to fill, or their words out of order (docs/protocol.md 5.25)."""
    queue = FrameQueue(limit)
    put: dict[int, list[bytes]] = {}
    for number, (sender, size) in enumerate(sizes):
        frame = b"%3d" % number + bytes(size)
        if queue.put(frame, sender):
            put.setdefault(sender, []).append(frame)
    parcels = asyncio.run(_drain(queue))
    kept = [frame for parcel in parcels for frame in parcel]
    assert sum(map(len, kept)) <= limit
    for sender, frames in put.items():
        mine = [frame for frame in kept if frame in frames]
        assert mine == [frame for frame in frames if frame in kept], sender
    if sum(size + 3 for _, size in sizes) <= limit:
        assert len(kept) == len(sizes)
    for parcel in parcels:
        assert relay_pb2.AttachRequest(frame=parcel).ByteSize() <= PARCEL_BYTES_MAX
