"""Date-time groups: no two statements of one side and plane have the same (docs/protocol.md 8.8, decision 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hotline.civil import date_time_group, minute_of_group
from hotline.limits import DTG_AHEAD_MAX
from hotline.machine import Instant, Plane
from hotline.protocol.neutral import UNATTENDED
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import History
from hotline.wire.v1 import content_pb2

_MINUTE: Final = 60_000
_DAY: Final = 1_440
_AHEAD: Final = DTG_AHEAD_MAX // _MINUTE
_LOOKED_AT: Final = 4 * _AHEAD
"""Statements looked at after a start: those of the last hours, among them tests and what was lost."""


class Groups:
    """Gives each statement its date-time group. What was given out is read from the record when it is first needed."""

    def __init__(self, history: History, newest: Callable[[Plane], int]) -> None:
        """`newest` says the highest serial of ours on a plane."""
        self._history = history
        self._newest = newest
        self._last: dict[Plane, int] = {}

    def give(self, plane: Plane, kind: content_pb2.StatementKind.ValueType, now: Instant) -> str:
        """The minute of `now`, or the first later one that is free; a channel test has its own and takes up none."""
        here = now.wall // _MINUTE
        own = _written(here)
        if kind in UNATTENDED:
            return date_time_group(own * _MINUTE)
        last = self._last.get(plane)
        if last is None:
            last = self._given(plane, here)
        free = own if own > last else _written(last + 1)
        if free > here + _AHEAD:  # faster than minutes pass, or the clock was set back: begin again
            free = own
        self._last[plane] = free
        return date_time_group(free * _MINUTE)

    def forget(self) -> None:
        """Another terminal of our party has spoken meanwhile: look into the record again."""
        self._last.clear()

    def _given(self, plane: Plane, here: int) -> int:
        """The last minute that was given out before, as far as it can matter now; -1 if none does."""
        last, newest = -1, self._newest(plane)
        for serial in range(newest, max(0, newest - _LOOKED_AT), -1):
            row = self._history.sent(plane, serial)
            if row is None:
                continue
            said = decode_statement(row.content)
            if said.kind in UNATTENDED:
                continue
            if said.composed_ms // _MINUTE < here - _AHEAD:
                break
            minute = minute_of_group(said.date_time_group)
            if minute is not None and minute <= here + _AHEAD:
                last = max(last, minute)
        return last


def _written(minute: int) -> int:
    """Midnight is written as the minute after it."""
    return minute + 1 if minute % _DAY == 0 else minute
