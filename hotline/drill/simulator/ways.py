"""One direction of one stream in virtual time, as the fault proxy's pipes are in real time (hotline/drill/weather.py).

Frames arrive whole, in order, and are never lost while the stream lives: loss and a black hole are waiting. What the
kernels of a real machine would buffer or push back is not bounded here but by LINK_QUEUE_BYTES_MAX (lines.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.drill.weather import SEGMENT, Air, next_repetition

if TYPE_CHECKING:  # a world is made of cables, and a cable lies in its world
    from hotline.drill.simulator.world import World

LOCAL_MS: Final = 1
"""What a frame takes at least: the smallest step of virtual time."""


@dataclass(slots=True)
class _Load:
    """One frame under way. Times are virtual milliseconds; `done` is when its last bit has left the line."""

    size: int
    arrive: Callable[[], None]
    sent: int
    done: float = 0.0
    due: int = 0


class Way:
    """From one end of a stream to the other. `back` is the air of the other direction, which carries what answers."""

    def __init__(self, world: World, air: Air, back: Air) -> None:
        self._world, self.air, self._back = world, air, back
        self._flying: deque[_Load] = deque()
        self._held: deque[_Load] = deque()
        self._last_due = 0
        self._turn = 0
        self._unanswered: int | None = None
        self._mending = False
        self._dead = False
        self.waiting = 0
        """Bytes taken in that have not arrived."""

    def send(self, size: int, arrive: Callable[[], None]) -> None:
        """Carry `size` bytes and then call `arrive`. Nothing happens on a way whose end is gone."""
        if self._dead:
            return
        self.waiting += size
        load = _Load(size, arrive, self._world.time)
        if self._held or self._mending or self._unheard():
            self._held.append(load)
        else:
            self._schedule((load,))

    def kill(self) -> None:
        """The far end is gone: what is under way reaches nobody."""
        self._dead = True
        self._turn += 1
        self._flying.clear()
        self._held.clear()
        self.waiting = 0

    def takes(self) -> int | None:
        """Milliseconds that something small sent now would take, None in the dark: what a ping would find."""
        if self._held or self._mending or self.air.weather.dark or self._back.weather.dark:
            return None
        queued = max(0, self._last_due - self._world.time)
        return queued + self.air.weather.latency_ms + LOCAL_MS

    def adjust(self) -> None:
        """The weather has changed, on this way or on the other."""
        if self.air.weather.dark and self._flying:
            self._unanswered = self._flying[0].sent if self._unanswered is None else self._unanswered
            self._held.extendleft(reversed(self._flying))
            self._flying.clear()
            self._turn += 1
        elif self._flying:
            self._load_again()
        if self.air.weather.dark or self._back.weather.dark:
            self._mending = False
        elif not self._mending:
            self._begin_to_mend()

    def _begin_to_mend(self) -> None:
        first, self._unanswered = self._unanswered, None
        if not self._held:
            return
        now = self._world.time
        at = now
        if first is not None:
            at = round(1_000 * next_repetition(first / 1_000, self.air.timeout(self._back), now / 1_000))
        self._mending = True
        turn = self._turn
        self._world.at(at, lambda: self._mend(turn))

    def _mend(self, turn: int) -> None:
        if self._mending and turn == self._turn:
            self._mending = False
            held, self._held = self._held, deque()
            self._schedule(held)

    def _unheard(self) -> bool:
        """Whether what is sent now does not arrive: the way is dark, or no acknowledgement has come for too long."""
        if not (self.air.weather.dark or self._back.weather.dark):
            return False
        now = self._world.time
        if self._unanswered is None:
            self._unanswered = now
        return self.air.weather.dark or now >= self._unanswered + 1_000 * self.air.timeout(self._back)

    def _load_again(self) -> None:
        """What has not left the line goes through the new one."""
        now = self._world.time
        back: deque[_Load] = deque()
        while self._flying and self._flying[-1].done > now:
            back.appendleft(self._flying.pop())
        self._turn += 1
        self._last_due = self._flying[-1].due if self._flying else now
        for load in self._flying:
            self._expect(load)
        self._schedule(back)

    def _schedule(self, loads: Iterable[_Load]) -> None:
        now = self._world.time
        for load in loads:
            if self.air.weather.still:
                load.done, due = now, now
            else:
                due = self._carried(load, now)
            load.due = self._last_due = max(due, now + LOCAL_MS, self._last_due)
            self._flying.append(load)
            self._expect(load)

    def _carried(self, load: _Load, now: int) -> int:
        """Piece by piece through the air; when the last piece arrives."""
        last = 0.0
        sizes = [SEGMENT] * (load.size // SEGMENT) + [load.size % SEGMENT]
        for number, size in enumerate(sizes, 1):
            done, arrives = self.air.carry(size, now / 1_000, self._back, followed=number < len(sizes))
            load.done, last = 1_000 * done, max(last, arrives)
        return round(1_000 * last)

    def _expect(self, load: _Load) -> None:
        turn = self._turn
        self._world.at(load.due, lambda: self._land(turn))

    def _land(self, turn: int) -> None:
        while turn == self._turn and self._flying and self._flying[0].due <= self._world.time:
            load = self._flying.popleft()
            self.waiting -= load.size
            load.arrive()
