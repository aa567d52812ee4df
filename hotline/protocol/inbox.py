"""What we are owed by the peer on one plane: order, repeats, gaps (docs/protocol.md section 12).

Statements are shown in order within their precedence: each names its predecessor of the same precedence. A FLASH does
not wait for a ROUTINE that is still under way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from hotline.limits import INBOX_HELD_MAX, SERIAL_SKIP_MAX

_HASHES_REMEMBERED = 4_096
"""Hashes of recent statements kept in memory; older ones are looked up. More than one commit can ever hold back."""


class Verdict(Enum):
    """What a statement is to the inbox."""

    NEW = "new"
    REPEAT = "repeat"
    CONFLICT = "conflict"
    FULL = "full"
    FAR = "far"
    """So far above all that is received that nobody could close the gap."""


@dataclass(slots=True)
class Ahead:
    """A received statement beyond the first gap."""

    precedence: int
    previous: int
    hash: bytes
    shown: bool


class Inbox:
    """What has been received from the peer on one plane."""

    def __init__(self, through: int, lookup: Callable[[int], bytes | None]) -> None:
        self.through = through
        """Every serial up to here is received."""
        self.ahead: dict[int, Ahead] = {}
        self._lookup = lookup
        self._recent: OrderedDict[int, bytes] = OrderedDict()
        self._released: list[int] = []
        self.gap_since: tuple[int, int] | None = None
        """The first missing serial, and since when it is the first."""
        self.gap_reported: tuple[int, int] | None = None
        self.gap_rung: int | None = None

    @property
    def highest(self) -> int:
        """The highest serial received, gaps or not, that an honest sender would believe to have given out (12.6)."""
        if not self.ahead:
            return self.through
        within = (serial for serial in self.ahead if serial <= self.through + SERIAL_SKIP_MAX)
        return max(within, default=self.through)

    def known_hash(self, serial: int) -> bytes | None:
        """Hash of the statement that holds this serial, if it was received."""
        if serial in self.ahead:
            return self.ahead[serial].hash
        if serial > self.through:
            return None
        return self._recent.get(serial) or self._lookup(serial)

    def judge(self, serial: int, statement: bytes) -> Verdict:
        """Whether the statement with this hash is new; changes nothing."""
        known = self.known_hash(serial)
        if known is not None:
            return Verdict.REPEAT if known == statement else Verdict.CONFLICT
        # Who is told of the one stretch can pass over it, and what is said after that has room in the next one.
        stretch = self._stretch(serial)
        if stretch > 1:
            return Verdict.FAR
        if serial > self.through + 1 and len(self.ahead) >= INBOX_HELD_MAX:
            held = sum(self._stretch(one) == stretch for one in self.ahead)
            return Verdict.FULL if held >= INBOX_HELD_MAX else Verdict.NEW
        return Verdict.NEW

    def _stretch(self, serial: int) -> int:
        """How many times as many serials as may be passed over at once lie between what is received and this one."""
        return (serial - self.through - 1) // SERIAL_SKIP_MAX

    def accept(self, serial: int, ahead: Ahead) -> list[int]:
        """Take a NEW statement; returns the serials that may be shown now, in order."""
        self.ahead[serial] = ahead
        self._recent[serial] = ahead.hash
        while len(self._recent) > _HASHES_REMEMBERED:
            self._recent.popitem(last=False)
        shown: list[int] = []
        # Only a shown predecessor or a closed gap can release others, so one ascending pass is enough.
        for number in sorted(self.ahead):
            item = self.ahead[number]
            if number == self.through + 1:
                self.through = number
            if not item.shown and (item.previous <= self.through or self._is_shown(item.previous, item.precedence)):
                item.shown = True
                shown.append(number)
        for number in [number for number in self.ahead if number <= self.through]:
            del self.ahead[number]
            self._released.append(number)
        return shown

    def take_released(self) -> list[int]:
        """Serials that left `ahead` since the last call because no gap is before them any more."""
        released, self._released = self._released, []
        return released

    def _is_shown(self, serial: int, precedence: int) -> bool:
        """Whether a predecessor is: what has its serial and another precedence was said by somebody else."""
        item = self.ahead.get(serial)
        return item is not None and item.shown and item.precedence == precedence

    def missing(self, sent_through: int) -> tuple[int, int] | None:
        """The first gap below or at what the peer says it has sent: (first, last) missing serial, or None."""
        highest = max(sent_through, self.highest)
        if highest <= self.through:
            return None
        first = self.through + 1
        last = min([serial for serial in self.ahead if serial <= highest], default=highest + 1) - 1
        return first, last
