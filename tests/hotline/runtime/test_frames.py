"""Frames waiting for one stream: bounded, in order, and never in a message that gRPC would refuse."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hotline.limits import FRAME_BYTES_MAX, FRAMES_PER_PARCEL_MAX, LINK_QUEUE_BYTES_MAX, PARCEL_BYTES_MAX
from hotline.runtime.frames import FrameQueue
from hotline.wire.v1 import relay_pb2


async def _drain(queue: FrameQueue) -> list[list[bytes]]:
    queue.close()
    return [parcel async for parcel in queue.parcels()]


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


async def test_taken_frames_make_room() -> None:
    """If the count never went down, a healthy stream would be broken off after four megabytes."""
    queue = FrameQueue()
    taking = queue.parcels()
    for _ in range(3 * LINK_QUEUE_BYTES_MAX // 40_000):
        assert queue.put(b"f" * 40_000)
        assert await anext(taking) == [b"f" * 40_000]


async def test_waiting_stream_wakes_for_a_frame() -> None:
    """If a waiting stream slept on, a FLASH would lie in the queue until the next heartbeat."""
    queue = FrameQueue()
    taking = asyncio.ensure_future(anext(queue.parcels()))
    await asyncio.sleep(0)
    assert not taking.done()
    queue.put(b"flash")
    assert await asyncio.wait_for(taking, 5) == [b"flash"]


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
