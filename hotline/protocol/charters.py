"""The charter in force: kept beside everything else that a terminal must not forget (docs/protocol.md section 24)."""

from __future__ import annotations

from collections.abc import Iterable

from hotline.machine import Put
from hotline.protocol.context import Context
from hotline.protocol.tables import Row, Saved

IN_FORCE = "charter"
NOTE = "charter.note"
"""Names of facts: hash (hex) and whole text of the charter in force."""


def kept_charter(facts: Iterable[Row]) -> bytes | None:
    """The charter in force as a store holds it, both parties' signatures with it."""
    notes = [row["value"] for row in facts if row["name"] == NOTE]
    return notes[0] if notes and isinstance(notes[0], bytes) else None


class Charters:
    """Which charter a terminal stands under."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._known: bytes | None = None

    @property
    def hash(self) -> bytes:
        """Hash of the charter in force."""
        setup = self._ctx.setup
        return setup.charter if setup.standing is None else setup.standing.hash

    @property
    def serial(self) -> int:
        """Its serial; 1 for a first one."""
        standing = self._ctx.setup.standing
        return 1 if standing is None else standing.serial

    def restore(self, saved: Saved) -> None:
        """What was in force when the last run ended."""
        facts = {row["name"]: row["value"] for row in saved.rows("fact")}
        known = facts.get(IN_FORCE)
        self._known = known if isinstance(known, bytes) else None

    def started(self) -> None:
        """Another charter than at the last start is told once, and kept."""
        value = self.hash.hex().encode()
        if self._known is not None and self._known != value:
            self._ctx.record("charter.changed", old=self._known.decode(), new=value.decode(), serial=self.serial)
        self._keep()

    def _keep(self) -> None:
        note = self._ctx.setup.note
        self._known = self.hash.hex().encode()
        self._ctx.out.changes.append(Put("fact", {"name": IN_FORCE, "value": self._known}))
        if note:
            self._ctx.out.changes.append(Put("fact", {"name": NOTE, "value": note}))
