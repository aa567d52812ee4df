"""How far one path may have us look ahead along chains that nothing has proven (docs/protocol.md 7.11)."""

from __future__ import annotations

from hotline.errors import NotOpened
from hotline.limits import LOOK_AHEAD_INTERVAL, LOOK_AHEAD_MAX
from hotline.machine import Instant


class LookAhead:
    """Whoever knows a prekey makes openers that hold, and names numbers far ahead in each: that is paid by its path."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[int, int]] = {}
        """By path: since when, and how many steps."""

    def spend(self, path: str, steps: int, now: Instant) -> None:
        """Before so many steps are taken. Raises NotOpened('too-far'); then a key request helps an honest sender."""
        since, spent = self._spent.get(path, (now.mono, 0))
        if now.mono - since >= LOOK_AHEAD_INTERVAL:
            since, spent = now.mono, 0
        if spent + steps > LOOK_AHEAD_MAX:
            raise NotOpened("too-far", f"{steps} more steps over {path}")
        self._spent[path] = since, spent + steps
