"""Taking over by the charter's rule: after what silence, and who must say so too (docs/protocol.md 23.13, 23.14).

A silent sibling and a cut line look alike from one terminal. So nobody takes over on what it alone hears: every other
terminal that it can ask must answer, to a question put after its own silence was long enough, that it hears as little.
"""

from __future__ import annotations

from typing import NamedTuple

from hotline.machine import Instant
from hotline.protocol.context import Context
from hotline.protocol.paths import PathState
from hotline.protocol.standing import TERM_MAX
from hotline.wire.v1 import content_pb2


class _Word(NamedTuple):
    """What another terminal last said of the silence of the one that speaks for our party."""

    answers: int
    """When the beat of ours that it answers was sent."""
    turn: int
    silent_ms: int


class TakeoverRule:
    """How long a terminal that speaks has not been heard, and whether this one is to take over from it."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._standing = context.standing
        self._words: dict[int, _Word] = {}
        self._asked_at: int | None = None
        self._seen_at: int | None = None
        self._counted_from: dict[str, int] = {}

    @property
    def after_ms(self) -> int:
        """The rule of the charter in force; 0: none."""
        return self._ctx.setup.takeover_after_ms

    # --- what is heard -----------------------------------------------------------------------------------------------

    def begun(self, party: str, now: Instant) -> None:
        """Another terminal speaks for this party: its silence is counted from here."""
        self._counted_from[party] = now.mono
        self._asked_at = None

    def heard(self, heartbeat: content_pb2.Heartbeat, line: Context, answered: int) -> None:
        """A fresh beat, which answers one of ours that was sent at `answered`."""
        turn = heartbeat.turn if line.sibling else heartbeat.peer_turn
        self._words[line.setup.remote.number] = _Word(answered, turn, heartbeat.silent_ms)

    def write(self, heartbeat: content_pb2.Heartbeat, line: Context, now: Instant) -> None:
        """Say to a terminal that the one that speaks for its party is silent, once that is as long as the rule says."""
        remote = line.setup.remote
        if not self.after_ms or self._standing.turns[remote.party].terminal == remote.number:
            return
        silent = self._silent_ms(remote.party, now)
        if silent >= self.after_ms:
            heartbeat.silent_ms = silent

    def _silent_ms(self, party: str, now: Instant) -> int:
        """Since when nothing fresh of the terminal that speaks for `party` was heard, where it could have been."""
        ctx, number = self._ctx, self._standing.turns[party].terminal
        line = next((line for line in ctx.lines if line.setup.remote.number == number), None)
        # While no terminal of the other party is heard, nothing can be: that silence is our own.
        hearing = [path.since for peer in ctx.peers for path in peer.paths.values() if path.state is PathState.UP]
        if line is None or not hearing or self._seen_at is None:
            return 0
        last = line.peer.heard_at or 0
        return now.mono - max(last, min(since or 0 for since in hearing), self._counted_from.get(party, 0))

    # --- when it is due ----------------------------------------------------------------------------------------------

    def due(self, now: Instant) -> int:
        """How long the terminal that speaks for our party has been silent, if this one is to take over now; else 0."""
        standing = self._standing
        after, before, self._seen_at = self.after_ms, self._seen_at, now.mono
        if not after or not standing.several:
            self._seen_at = None
            return 0
        if before is None or now.mono - before > after // 2:
            # It did not run, or there was no rule: nothing of that time was silence.
            self._counted_from = dict.fromkeys(standing.turns, now.mono)
        speaker = standing.turn.terminal
        place = [number for number in standing.terminals(standing.local.party) if number != speaker]
        needed = after * (1 + place.index(standing.local.number)) if standing.local.number in place else 0
        silent = self._silent_ms(standing.local.party, now)
        if not needed or standing.stood_down or standing.turn.term >= TERM_MAX or silent < needed:
            self._asked_at = None
            return 0
        if self._asked_at is None:
            self._asked_at = now.mono
            for line in self._ctx.lines:
                for path in line.paths.values():
                    path.beat_soon(now)
            return 0
        asked = [line for line in self._ctx.lines if line.peer_is_heard and line.setup.remote.number != speaker]
        confirmed = all(self._confirms(line, needed, self._asked_at) for line in asked)
        return silent if confirmed and any(not line.sibling for line in asked) else 0

    def _confirms(self, line: Context, needed: int, asked_at: int) -> bool:
        word = self._words.get(line.setup.remote.number)
        turn = self._standing.turn.number
        return word is not None and word.answers >= asked_at and word.turn == turn and word.silent_ms >= needed
