"""What the peer has sent and we lack, once it is late (docs/protocol.md 10.6)."""

from __future__ import annotations

from hotline.limits import SERVICE_GAP_PATIENCE
from hotline.machine import Instant, Plane
from hotline.protocol.bell import may_ring_at
from hotline.protocol.context import Context


class Gaps:
    """Looks at every plane, and says when to look again."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def look(self, now: Instant) -> int | None:
        """Report statements that the peer sent and we lack, once they are late. Returns when to look again."""
        ctx = self._ctx
        again: list[int] = []
        for plane, inbox in ctx.inboxes.items():
            gap = ctx.gap(plane)
            late = 0 if gap is None else self._patience(plane)
            if gap is None:
                inbox.gap_since = None
                if inbox.gap_reported is not None:
                    inbox.gap_reported = None
                    ctx.record("gap.closed", plane=plane.value, through=inbox.through)
                    ctx.tell("gap-closed", plane=plane.value, through=inbox.through)
            elif inbox.gap_since is None or inbox.gap_since[0] != gap[0]:
                # What moves on is a queue that drains, not something withheld.
                inbox.gap_since = (gap[0], now.mono)
                again.append(now.mono + late)
            elif now.mono - inbox.gap_since[1] < late:
                again.append(inbox.gap_since[1] + late)
            elif gap != inbox.gap_reported and now.mono < may_ring_at(inbox.gap_rung):
                again.append(may_ring_at(inbox.gap_rung))
            elif gap != inbox.gap_reported:
                inbox.gap_reported, inbox.gap_rung = gap, now.mono
                text = f"the peer has sent #{gap[0]} to #{gap[1]}, which have not arrived"
                ctx.alarm("gap", text, plane=plane.value, first=gap[0], last=gap[1])
        return min(again, default=None)

    def _patience(self, plane: Plane) -> int:
        """On each stream a statement leaves before the beat that counts it: half a beat is patience enough."""
        if plane is Plane.SERVICE:
            return SERVICE_GAP_PATIENCE
        return min(path.setup.profile.heartbeat_ms for path in self._ctx.paths.values()) // 2
