"""What the word of another side can raise as often as it likes rings only so often (docs/protocol.md 11.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hotline.limits import ALARM_INTERVAL

AT_WILL: Final = frozenset(
    {
        *("challenge-denied", "challenged", "late-voice", "peer-restored", "presence-asked", "promise-overdue"),
        *("record-differs", "two-voices", "unreleased", "unreleased-by-us"),
    }
)
"""Alarms of which every one counts. What `clock` and `gap` say is looked at anew when they may ring again."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What people are told of a condition, and the fields of its entry."""

    name: str
    text: str
    fields: Mapping[str, str | int]


class Bell:
    """Says of each alarm whether it rings now. `mono` is the time of the step under way."""

    def __init__(self) -> None:
        self.mono = 0
        self.reach = ""
        """Which of `no-path` and `single-path` has rung and holds (11.3)."""
        self._rung: dict[_Key, int] = {}
        self._held: dict[_Key, tuple[Alarm, int]] = {}
        """The newest that was held back, and how many there were."""

    def holds(self, name: str, text: str, fields: Mapping[str, str | int]) -> bool:
        """Whether one of its kind has just rung, so that this one is told with the next."""
        key = _key(name, fields)
        at = self._rung.get(key)
        if name not in AT_WILL or at is None or self.mono - at >= ALARM_INTERVAL:
            return False
        _, before = self._held.get(key, (None, 0))
        self._held[key] = Alarm(name, text, fields), before + 1
        return True

    def rung(self, name: str, text: str, fields: Mapping[str, str | int]) -> Alarm:
        """This one rings, and tells how many were held back before it."""
        key = _key(name, fields)
        self._rung[key] = self.mono
        _, before = self._held.pop(key, (None, 0))
        return Alarm(name, f"{text} (and {before} more like it before)" if before else text, fields)

    def take_due(self, *, last: bool = False) -> list[Alarm]:
        """What has been held back long enough and rings now; at the `last` moment all of it."""
        found = []
        for key, (alarm, times) in list(self._held.items()):
            if last or self.mono - self._rung[key] >= ALARM_INTERVAL:
                self._held[key] = alarm, times - 1  # the others, which it tells of
                found.append(self.rung(alarm.name, alarm.text, alarm.fields))
        return found

    def next_deadline(self) -> int | None:
        """When the next of them rings."""
        return min(self._rung[key] for key in self._held) + ALARM_INTERVAL if self._held else None


def _key(name: str, fields: Mapping[str, str | int]) -> _Key:
    return name, str(fields.get("plane", "")), str(fields.get("way", ""))


def may_ring_at(rung: int | None) -> int:
    """When an alarm may ring again that rang at `rung`, by the monotonic clock."""
    return 0 if rung is None else rung + ALARM_INTERVAL
