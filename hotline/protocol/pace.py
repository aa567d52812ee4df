"""How many bytes may be under way at once: as many as the line carries without a queue (docs/protocol.md 12.2).

A queue before the line is where a FLASH would have to wait, and nobody can overtake in it. So the bound follows what
the line shows: it grows while custody and receipts come as soon as they do when nothing else is under way, and is
halved when they come late. On a fast line it is soon at the window of the profile; a slow one keeps a message or two.
"""

from __future__ import annotations

from typing import Final

START: Final = 2_048
"""Bytes at first, and least after a bound was halved: one message is always allowed."""
_LEAST: Final = 1_024
_MOST: Final = 262_144
"""No profile has a larger window; beyond it a bound would need long to come down."""
_TELLING: Final = 2_048
"""A longer statement that takes long says nothing about the line."""
_SLACK: Final = 50
"""Milliseconds that are no sign of a queue: commits, turns of an event loop, a relay that lingers."""


class Pace:
    """The bound of one outbox. Times are monotonic milliseconds, sizes bytes of content."""

    def __init__(self) -> None:
        self.bound = START
        self._base: int | None = None
        self._doubling = True
        self._cut_at: int | None = None

    def left(self, size: int, sent_at: int, now: int, *, alone: bool, held_back: bool) -> None:
        """A statement of `size` bytes, sent at `sent_at`, is in somebody's hands.

        `alone`: it was the only one under way when it was sent. `held_back`: another one waits for the bound.
        """
        delay = now - sent_at
        if self._base is None or delay < self._base:
            self._base = delay
        elif alone and size <= _TELLING:
            # What was alone shows the line itself, also when it has become slower than it was.
            self._base += (delay - self._base) // 8
        if 4 * delay > 5 * self._base + 4 * _SLACK:
            if self._cut_at is None or sent_at >= self._cut_at:
                # One halving for all that was under way when the queue stood.
                self._cut_at = now
                self._doubling = False
                self.bound = max(_LEAST, self.bound // 2)
        elif held_back:
            # A bound that nobody waits for is not tried, and says nothing of what the line would carry.
            more = size if self._doubling else max(1, size * size // self.bound)
            self.bound = min(self.bound + more, _MOST)
