"""What a terminal writes down about itself: its clock, its configuration, and who looked into its record."""

from __future__ import annotations

from hotline.limits import CLOCK_STEP_RECORD
from hotline.machine import Delete, Instant, Private, Put
from hotline.protocol.context import Context
from hotline.protocol.events import AlarmNotPassedOn, Audited
from hotline.protocol.tables import Saved


class Chronicle:
    """Entries that are about no statement and no path."""

    def __init__(self, context: Context, saved: Saved, now: Instant) -> None:
        self._ctx = context
        known = {row["name"]: row["value"] for row in saved.rows("fact")}.get("config")
        self._known = known if isinstance(known, bytes) else None
        self._clocks = now

    def watch_clock(self, now: Instant) -> None:
        """A wall clock that moves otherwise than the monotonic one is written down."""
        step = (now.wall - self._clocks.wall) - (now.mono - self._clocks.mono)
        if abs(step) > CLOCK_STEP_RECORD:
            self._ctx.record("clock.step", by_ms=step)
        self._clocks = now

    def note_configuration(self) -> None:
        """Another configuration than at the last start is told once."""
        known, value = self._known, self._ctx.setup.config
        if known == value.encode():
            return
        if known is not None:
            self._ctx.record("config.changed", old=known.decode(), new=value)
        self._ctx.out.changes.append(Put("fact", {"name": "config", "value": value.encode()}))

    def told(self, event: Audited | AlarmNotPassedOn) -> None:
        """What the daemon has to say."""
        if isinstance(event, Audited):
            self._audited(event)
        else:
            self._ctx.objectives.not_passed_on(event.reason)

    def _audited(self, event: Audited) -> None:
        """Whoever looks into the record stands in it."""
        private = {"who": Private(event.who.encode()), "what": Private(event.what.encode())}
        self._ctx.record(f"audit.{event.kind}", private)
        self._ctx.out.changes.append(Delete("audit_request", {"id": event.request}))
