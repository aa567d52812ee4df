"""What corrects or retracts a statement: on both sides, and at every terminal, the same (docs/protocol.md 8.10)."""

from __future__ import annotations

from hotline.machine import Instant, Plane, Put
from hotline.protocol.context import Context
from hotline.protocol.entries import corrected_word
from hotline.protocol.lately import remember
from hotline.protocol.tables import NO_CORRECTION, Correction
from hotline.wire.v1 import content_pb2


class Corrections:
    """Keeps all of them, in whatever order they come: which is the newest is said by their serials."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._lately: dict[tuple[str, Plane, int, bytes], Correction] = {}

    def mark(self, way: str, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
        """What was said before stays, and is shown with what became of it; told if nothing newer is known."""
        ctx, named, serial = self._ctx, statement.corrects, statement.serial
        made = Correction(statement.first_serial or serial, serial, corrected_word(statement.kind))
        place = way, plane, named.serial, named.statement
        row = {"way": way, "plane": plane.value, "serial": named.serial, "named": named.statement, "at": now.wall}
        ctx.out.changes.append(Put("correction", {**row, **made._asdict()}))
        newest = max(self._lately.get(place, NO_CORRECTION), ctx.history.correction(*place))
        remember(self._lately, place, max(made, newest))
        if way == "received" and ctx.inboxes[plane].known_hash(named.serial) not in (named.statement, None):
            return  # another statement has that number here: whoever looks at it is not told that it is corrected
        if made.first > newest.first:  # else it is older, or the same once more under another serial
            ctx.tell("corrected", plane=plane.value, serial=named.serial, state=made.stage, by=serial, way=way)
