"""Operators' talk gives way to statements, on the line and in every queue (docs/protocol.md section 25)."""

from __future__ import annotations

from hotline.errors import TextError
from hotline.limits import SERVICE_OUTBOX_MAX, SERVICE_STUCK, SERVICE_TEXT_BYTES_MAX
from hotline.machine import Instant, Plane
from hotline.protocol.context import Context
from hotline.protocol.events import Submit
from hotline.protocol.statements import check_text
from hotline.wire.v1 import content_pb2

UNDER_WAY_MAX = 1
"""What is on the line cannot be overtaken: a FLASH finds at most one of these before it."""


def check_talk(event: Submit) -> None:
    """Raises TextError for what an operator may not say on the SERVICE plane."""
    check_text(event.text, SERVICE_TEXT_BYTES_MAX)
    if event.precedence != content_pb2.PRECEDENCE_ROUTINE:
        raise TextError("operators' talk has no precedence: nothing was queued; what is urgent is a statement")
    if event.action or event.info or event.reference:
        raise TextError("operators' talk has no addressees: nothing was queued; write it out")
    if event.fields or event.phrase:
        raise TextError("operators' talk has neither fields nor a phrase: nothing was queued; write it out")
    if event.corrects:
        raise TextError("operators' talk is not corrected: nothing was queued; say it again")


def outbox_room(plane: Plane, most: int) -> int:
    """How many may be pending on `plane` at a terminal that takes `most` statements."""
    return min(most, SERVICE_OUTBOX_MAX) if plane is Plane.SERVICE else most


class Talk:
    """When what waits on the SERVICE plane may use the line."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._since: int | None = None
        """Since when the talk has been waiting for statements."""

    def yields(self, plane: Plane, retransmit_ms: int, now: Instant) -> bool:
        """Whether `plane` has to wait. Statements that none moves of are not waited for: they are not on the line."""
        if plane is not Plane.SERVICE:
            return False
        others = [outbox for other, outbox in self._ctx.outboxes.items() if other is not Plane.SERVICE]
        if not any(outbox.busy(now.mono - retransmit_ms) for outbox in others):
            self._since = None
            return False
        if self._since is None:
            self._since = now.mono
        return now.mono - max(self._since, *(outbox.moved_at for outbox in others)) < SERVICE_STUCK
