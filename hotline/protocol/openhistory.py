"""What the store knows of the past, as the machine may use it (docs/protocol.md 12.6, 22.7)."""

from __future__ import annotations

from hotline.machine import Plane
from hotline.protocol.lately import remember
from hotline.protocol.nonpapers import Name, NonPapers
from hotline.protocol.statements import SAYABLE_MAX
from hotline.protocol.tables import History, SentRow


class OpenHistory:
    """History in which non-papers lie open; one whose key was destroyed is as gone as if its month were."""

    def __init__(self, history: History, nonpapers: NonPapers) -> None:
        self._history = history
        self._nonpapers = nonpapers
        self.lately: dict[tuple[Plane, int, str], None] = {}
        """Stages that people were told of, and that may not be committed yet; of all lines."""
        self._of_record: dict[Name, None] = {}
        """What this run has said or taken, and not without prejudice: most is told of that, and no store is asked."""
        self.sent_hash = history.sent_hash
        self.received_hash = history.received_hash
        self.moved_to = history.moved_to
        self.received_draft = history.received_draft
        self.received_signed = history.received_signed
        self.authority = history.authority
        self.correction = history.correction
        self.rung = history.rung

    def reached(self, plane: Plane, serial: int, stage: str) -> None:
        """From now on ours of this serial has got so far."""
        remember(self.lately, (plane, serial, stage), None)

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        """Whether ours of this serial has got so far, in the step under way or before it."""
        return (plane, serial, stage) in self.lately or self._history.has_sent_fact(plane, serial, stage)

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        """Ours of this serial; None too if its text is gone."""
        row = self._history.sent(plane, serial)
        content = self._nonpapers.open(Name("sent", plane, serial), row.content) if row is not None else None
        # An earlier program may have kept what no envelope holds: nobody has it, and nobody gets it.
        return None if row is None or content is None or len(content) > SAYABLE_MAX else row._replace(content=content)

    def says(self, name: Name, *, quiet: bool) -> None:
        """From now on this stands under the name; `quiet` if it was said without prejudice."""
        self._of_record.pop(name, None)
        if not quiet:
            remember(self._of_record, name, None)

    def is_nonpaper(self, way: str, plane: Plane, serial: int) -> bool:
        """Whether it was said without prejudice, in the step under way or before it, also if its text is gone."""
        name = Name(way, plane, serial)
        return name not in self._of_record and (name in self._nonpapers or self._history.is_nonpaper(*name))

    def mode(self, name: Name) -> str:
        """The word for people."""
        return "without-prejudice" if self.is_nonpaper(*name) else "of-record"

    def received(self, plane: Plane, serial: int) -> bytes | None:
        """The peer's of this serial; None too if its text is gone."""
        content = self._history.received(plane, serial)
        return None if content is None else self._nonpapers.open(Name("received", plane, serial), content)
