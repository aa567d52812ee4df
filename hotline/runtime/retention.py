"""Which content keys have had their time (docs/protocol.md 13.20): no clock decides that alone, least of all ours."""

from __future__ import annotations

from hotline.civil import civil
from hotline.limits import QUORUM_PATIENCE
from hotline.machine import Instant
from hotline.runtime.contentkeys import ContentKeys


class Retention:
    """Whole months for which texts are kept; 0: for ever."""

    def __init__(self, months: int, keys: ContentKeys) -> None:
        self._months = months
        self._keys = keys
        self._tried: set[str] = set()
        self._waiting: list[str] = []
        self._waits_since = 0

    def due(self, now: Instant, others_time: int | None) -> list[str]:
        """Months whose keys are to be destroyed now, each named once; others say it is `others_time` (Unix ms)."""
        if not self._months:
            return []
        over = [period for period in self._keys.periods() if self._is_over(period, now.wall)]
        due = [
            period
            for period in over
            if others_time is not None and self._is_over(period, others_time) and period not in self._tried
        ]
        self._tried.update(due)
        if not self._waiting:
            self._waits_since = now.mono
        self._waiting = [period for period in over if period not in due]
        return due

    def _is_over(self, period: str, unix_ms: int) -> bool:
        at = civil(unix_ms)
        return int(period[:4]) * 12 + int(period[5:]) < at.year * 12 + at.month - self._months

    def alarms(self, now: Instant) -> list[dict[str, str]]:
        """What the picture for officers says of it, once those who cosign have had time to answer."""
        if not self._waiting or now.mono - self._waits_since < QUORUM_PATIENCE:
            return []
        first, last = self._waiting[0], self._waiting[-1]
        months = first if first == last else f"{first} to {last}"
        text = (
            f"by our clock the texts of {months} have had their time, and are kept: nobody who cosigns says that it is "
            "so late, or the log says why a key cannot be removed; look at the clock, or use `hotline audit destroy`"
        )
        return [{"name": "retention", "text": text}]
