"""One connection through the fault proxy: two sockets and two pipes with weather between them.

Undisturbed, a pipe is a write in the callback of a read, and back-pressure is the transport's own. With weather, bytes
become segments that wait for their time. Everything is bounded: what may wait in a pipe by FLIGHT_BYTES, before a slow
line as `weather` says; in a black hole by HOLD_BYTES. Beyond, the proxy stops reading and the sender's kernel fills.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from hotline.drill.weather import SEGMENT, Air, next_repetition

FLIGHT_BYTES: Final = 1_048_576
"""What one way of one connection may have under way: the window of TCP, as a kernel would grow it."""
HOLD_BYTES: Final = 65_536
"""The same in a black hole, where no window grows."""
SCRATCH_BYTES: Final = 65_536
_NARROW_BUFFER: Final = 4_096
_WIDE_BUFFER: Final = 4_194_304
_AT_ONCE: Final = struct.pack("ii", 1, 0)
End = Literal["", "eof", "reset"]


@dataclass(slots=True)
class Segment:
    """Some bytes under way, or the end of the stream."""

    data: bytes
    end: End
    sent: float
    done: float = 0.0
    due: float = 0.0


class Owner(Protocol):
    """What a connection learns from its sockets and pipes."""

    def made(self, side: Side) -> None:
        """A socket is connected."""

    def said_all(self, side: Side) -> None:
        """A socket will bring no more bytes."""

    def lost(self, side: Side, *, broken: bool) -> None:
        """A socket is closed; `broken`: not by us."""

    def ended(self) -> None:
        """A pipe has handed over its end."""

    def into_void(self) -> None:
        """Bytes were read for nobody."""


class Side(asyncio.BufferedProtocol):
    """One socket. What it reads goes into `pipe`, what `feeder` brings it writes."""

    pipe: Pipe
    feeder: Pipe

    def __init__(self, owner: Owner, scratch: memoryview) -> None:
        self._owner = owner
        self._scratch = scratch
        self._transport: asyncio.Transport | None = None
        self.writable = False
        self.ended = False
        """It has said everything."""
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.writable = True
        self._owner.made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """From asyncio. One buffer for all: a selector loop fills and empties it within one callback."""
        del sizehint
        return self._scratch[: self.pipe.appetite]

    def buffer_updated(self, nbytes: int) -> None:
        """From asyncio. Copied, because newer transports keep what they could not write at once."""
        self.pipe.take(bytes(self._scratch[:nbytes]))

    def eof_received(self) -> bool:
        """From asyncio. The other direction lives on."""
        self.ended = True
        self._owner.said_all(self)
        return True

    def pause_writing(self) -> None:
        """From asyncio."""
        self.writable = False
        self.feeder.refresh()

    def resume_writing(self) -> None:
        """From asyncio."""
        self.writable = True
        self.feeder.deliver()

    def connection_lost(self, exc: Exception | None) -> None:
        """From asyncio."""
        self.writable = False
        self.gone = True
        self._owner.lost(self, broken=exc is not None)

    def write(self, data: bytes) -> None:
        """Send; what is meant for a connection that has just broken is nobody's, as on a wire."""
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Nothing more will be sent."""
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                self._transport.write_eof()

    def read(self, wanted: bool) -> None:
        """Go on or stop reading."""
        if self._transport is not None and not self.ended:
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def narrow(self, narrow: bool) -> None:
        """Whether the kernel may take in only little for us, so that a slow line is felt by whoever sends."""
        self._set(socket.SO_RCVBUF, _NARROW_BUFFER if narrow else _WIDE_BUFFER)

    def close(self) -> None:
        """Close after what is written has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, *, reset: bool) -> None:
        """Close now: as a process that ends, or with a RST."""
        if self._transport is not None and not self.gone:
            if reset:
                self._set(socket.SO_LINGER, _AT_ONCE)
            self._transport.abort()

    def _set(self, option: int, value: int | bytes) -> None:
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, value)


class _Alarm:
    """At most one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        return self._handle is not None

    def set(self, at: float) -> None:
        self.off()
        self._handle = self._loop.call_at(at, self._ring)

    def off(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._call()


class Pipe:
    """One way of one connection, from the source to the sink, through `air`; `back` is the air of the other way."""

    def __init__(self, owner: Owner, source: Side, sink: Side, air: Air, back: Air) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._source, self._sink, self._air, self._back = source, sink, air, back
        self._queue: deque[Segment] = deque()
        self._held: deque[Segment] = deque()
        self._open = False
        self._dead = False
        self._direct = False
        self._narrow = False
        self._unanswered: float | None = None
        self._due = _Alarm(self._loop, self.deliver)
        self._mending = _Alarm(self._loop, self._mend)
        self._breath = _Alarm(self._loop, self.refresh)
        self.finished = False
        """Its end has been handed over."""
        self.waiting = 0
        """Bytes taken in and not handed over."""
        self.swallowed = 0
        """Bytes read for nobody."""
        self.appetite = SCRATCH_BYTES

    # --- from the source ---

    def take(self, data: bytes) -> None:
        """Bytes that the source sent."""
        if self._direct:
            self._air.passed += len(data)
            self._sink.write(data)
        elif self._dead:
            self.swallowed += len(data)
            self._owner.into_void()
        else:
            now = self._loop.time()
            pieces = (data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT))
            self._enter([Segment(piece, "", now) for piece in pieces], now)

    def finish(self, end: End) -> None:
        """The source has said everything, or is gone."""
        if not self._dead:
            now = self._loop.time()
            self._enter([Segment(b"", end, now)], now)

    def _enter(self, segments: list[Segment], now: float) -> None:
        self.waiting += sum(len(segment.data) for segment in segments)
        if not self._open or self._mending.is_set or self._unheard(now):
            self._held.extend(segments)
            self.refresh()
        else:
            self._schedule(segments, now)
            self.deliver()

    def _unheard(self, now: float) -> bool:
        """Whether what is sent now does not arrive: the way is dark, or no acknowledgement has come for too long."""
        if not (self._air.weather.dark or self._back.weather.dark):
            return False
        if self._unanswered is None:
            self._unanswered = now
        silent_for = now - self._unanswered
        return self._air.weather.dark or bool(self._held) or silent_for >= self._air.timeout(self._back)

    def _schedule(self, segments: Iterable[Segment], now: float) -> None:
        left = list(segments)
        for number, segment in enumerate(left, 1):
            followed = number < len(left) and not segment.end
            # The head of the queue holds up the rest: nothing overtakes, however early it would be due.
            segment.done, segment.due = self._air.carry(len(segment.data), now, self._back, followed=followed)
            self._queue.append(segment)

    # --- to the sink ---

    def deliver(self) -> None:
        """Hand over what is due."""
        self._due.off()
        now = self._loop.time()
        while self._queue and self._sink.writable and self._queue[0].due <= now:
            segment = self._queue.popleft()
            self.waiting -= len(segment.data)
            if segment.end:
                self._hand_over_end(segment.end)
                return
            self._air.passed += len(segment.data)
            self._sink.write(segment.data)
        if self._queue and self._sink.writable:
            self._due.set(self._queue[0].due)
        self.refresh()

    def _hand_over_end(self, end: End) -> None:
        self.finished = True
        if end == "reset":
            self._sink.abort(reset=True)
        else:
            self._sink.write_eof()
        self._owner.ended()

    # --- weather ---

    def open(self) -> None:
        """Both sockets are there: what was said meanwhile goes on its way."""
        self._open = True
        self._narrow = False
        self.adjust()

    def kill(self) -> None:
        """The sink is gone: what is under way is dropped, what still comes is read for nobody."""
        self._dead, self._direct = True, False
        self._queue.clear()
        self._held.clear()
        self.waiting = 0
        self._due.off()
        self._mending.off()
        self.refresh()

    def on_line(self, now: float) -> list[Segment]:
        """Take back what has not left the line yet."""
        back: list[Segment] = []
        while self._queue and self._queue[-1].done > now:
            back.append(self._queue.pop())
        back.reverse()
        return back

    def again(self, segment: Segment, now: float) -> None:
        """Send one that was taken back."""
        self._schedule([segment], now)

    def adjust(self) -> None:
        """The weather has changed, on this way or on the other."""
        now = self._loop.time()
        dark = self._air.weather.dark or self._back.weather.dark
        if self._air.weather.dark and self._queue:
            self._unanswered = self._queue[0].sent if self._unanswered is None else self._unanswered
            self._held.extendleft(reversed(self._queue))
            self._queue.clear()
        if dark:
            self._mending.off()
        elif self._open and not self._mending.is_set:
            if self._held and self._unanswered is not None:
                self._mending.set(next_repetition(self._unanswered, self._air.timeout(self._back), now))
            else:
                self._mend()
        self.deliver()

    def _mend(self) -> None:
        self._unanswered = None
        held, self._held = self._held, deque()
        self._schedule(held, self._loop.time())
        self.deliver()

    def refresh(self) -> None:
        """Decide anew whether bytes take the short way, and whether to read."""
        weather, dark = self._air.weather, self._air.weather.dark or self._back.weather.dark
        busy = self._queue or self._held or self._mending.is_set
        self._direct = self._open and weather.still and not (dark or busy or self._dead or self.finished)
        self._breath.off()
        if (weather.rate_bps is not None) != self._narrow:
            self._narrow = not self._narrow
            self._source.narrow(self._narrow)
        if self._dead or self._direct:
            self.appetite = SCRATCH_BYTES
            self._source.read(self._dead or self._sink.writable)
            return
        room = (HOLD_BYTES if self._held else FLIGHT_BYTES) - self.waiting
        self.appetite = max(1, min(room, SEGMENT if weather.rate_bps else SCRATCH_BYTES))
        now = self._loop.time()
        pause = self._air.room_in(now)
        if room > 0 and pause > 0:
            self._breath.set(now + pause)
        self._source.read(room > 0 and pause <= 0)

    def stop(self) -> None:
        """No timer outlives the connection."""
        self.kill()
        self._breath.off()
