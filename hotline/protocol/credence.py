"""How far a terminal is believed that says it holds statements of ours that we do not know (docs/protocol.md 12.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.limits import SERIAL_SKIP_MAX, SUMMARY_INTERVAL
from hotline.machine import Instant, Plane

if TYPE_CHECKING:
    from hotline.protocol.context import Context


class Credence:
    """Of the terminal at the other end of one line. Nobody loses so much as a liar may claim, and serials end."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._told: set[Plane] = set()
        self._skipped: dict[Plane, tuple[int, int]] = {}
        """Since when, and how many serials were passed over since then."""

    def believes(self, plane: Plane, serial: int, now: Instant, *, hearsay: bool = False) -> bool:
        """Whether all serials up to here may be passed over; if not, people are told once, but of no mere hearsay."""
        ctx = self._ctx
        # Of the first line: a question to a sibling raises what is known on that sibling's own line (23.4).
        beyond = max(0, serial - ctx.lines[0].outboxes[plane].last_serial)
        since, skipped = self._skipped.get(plane, (now.mono, 0))
        others = [line for one in (ctx, *ctx.fellows) for line in one.lines]
        follows = ctx.sibling and ctx.standing.speaks(ctx.setup.remote.number)
        if len(others) > 1 and not follows:  # all others get what one makes up: so much in a run (23.19, 26.16)
            skipped = sum(one.passed_over[plane] for one in others)
        elif now.mono - since >= SUMMARY_INTERVAL:
            since, skipped = now.mono, 0
        if skipped + beyond <= SERIAL_SKIP_MAX:
            self._skipped[plane] = since, skipped + beyond
            ctx.passed_over[plane] += 0 if follows else beyond
            return True
        if plane not in self._told and not hearsay:
            self._told.add(plane)
            text = "the peer claims to hold far more statements of ours than were said: its terminal lies or is broken"
            ctx.alarm("absurd-serial", text, plane=plane.value, through=serial)
        return False
