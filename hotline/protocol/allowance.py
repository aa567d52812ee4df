"""How much work each path or party may cause in a while (docs/protocol.md 5.19, 7.11, 7.13, 26.11), each for itself."""

from __future__ import annotations

from hotline.limits import LOOK_AHEAD_INTERVAL
from hotline.machine import Instant


class Allowance:
    """How much of one thing each path, or whoever else costs it, may have in an interval."""

    def __init__(self, most: int, interval: int = LOOK_AHEAD_INTERVAL) -> None:
        self._most, self._interval = most, interval
        self._spent: dict[str, tuple[int, int]] = {}
        """By path: since when, and how much."""

    def spend(self, path: str, amount: int, now: Instant) -> bool:
        """Whether this path may have so much more; then it has had it."""
        since, spent = self._spent.get(path, (now.mono, 0))
        if now.mono - since >= self._interval:
            since, spent = now.mono, 0
        if spent + amount > self._most:
            return False
        self._spent[path] = since, spent + amount
        return True

    def give_back(self, path: str, amount: int) -> None:
        """So much of what was spent in this step was no waste."""
        since, spent = self._spent[path]
        self._spent[path] = since, spent - amount

    def renew(self, path: str) -> None:
        """What this path has had is forgotten."""
        self._spent.pop(path, None)
