"""What a side says of itself, and the question whether anybody is there (docs/protocol.md section 18).

The word of the duty officer rides in every heartbeat, so that silence of a person is told from silence of the line,
and both from a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hotline.limits import PRESENCE_ASK_INTERVAL, TIME_MAX
from hotline.machine import Instant, Private, Put, Reply
from hotline.protocol.context import Context
from hotline.protocol.events import AskPresence, SetPresence
from hotline.protocol.statements import PRESENCE_WITH_TIME
from hotline.protocol.tables import Saved
from hotline.wire.v1 import content_pb2

ALIVE: Final = content_pb2.PRESENCE_ALIVE
SETTABLE: Final[Mapping[str, content_pb2.Presence.ValueType]] = {
    "alive": content_pb2.PRESENCE_ALIVE,
    "consulting": content_pb2.PRESENCE_CONSULTING,
    "declined": content_pb2.PRESENCE_DECLINED,
    "principal-absent": content_pb2.PRESENCE_PRINCIPAL_ABSENT,
    "degraded": content_pb2.PRESENCE_DEGRADED,
}
"""What an officer may say, by its word. CLOSING is said by the daemon alone."""

_FACT: Final = "presence"


def presence_word(presence: content_pb2.Presence.ValueType) -> str:
    """As people and `--json` have it."""
    return content_pb2.Presence.Name(presence).removeprefix("PRESENCE_").lower().replace("_", "-")


class Presence:
    """Our word, and the questions under way."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.word: content_pb2.Presence.ValueType = ALIVE
        self.until = 0
        """Written time until which the word holds; 0: until another is said."""
        self._ends_at: int | None = None
        self._asking = 0
        self._asked_at: int | None = None
        self._answering: dict[int, int] = {}
        """By terminal of the peer: the question that the next beat to it answers."""

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up the word of the last run."""
        for row in saved.rows("fact"):
            if row["name"] == _FACT and isinstance(row["value"], bytes):
                word, until = row["value"].decode().split()
                self._take(SETTABLE[word], int(until), now)

    # --- what officers ask -------------------------------------------------------------------------------------------

    def set(self, event: SetPresence, now: Instant) -> None:
        """An officer says what this side is. Refused with a sentence if it makes no sense."""
        reason = self._senseless(event, now)
        if reason:
            self._ctx.out.replies.append(Reply(event.request, False, "presence", reason))
            return
        self._say(SETTABLE[event.word], event.until, event.officer, now)
        when = "" if self._ctx.standing.active else "once this terminal speaks, "
        self._ctx.out.replies.append(Reply(event.request, True, "said", f"{when}the peer is told: {event.word}"))

    def ask(self, event: AskPresence, now: Instant) -> None:
        """Ask the peer's duty officer for a word. The peer's terminal answers at once that it has been told."""
        if self._asked_at is not None and now.mono - self._asked_at < PRESENCE_ASK_INTERVAL:
            text = "the peer was asked a moment ago; nothing was sent"
            self._ctx.out.replies.append(Reply(event.request, False, "presence", text))
            return
        self._asking = int.from_bytes(self._ctx.entropy(4), "big") or 1
        self._asked_at = now.mono
        self._ctx.record("presence.ask", {"officer": Private(event.officer.encode())})
        self._beat_soon(now)
        self._ctx.out.replies.append(Reply(event.request, True, "asked", "the peer's duty officer is asked for a word"))

    def _senseless(self, event: SetPresence, now: Instant) -> str:
        if event.word not in SETTABLE:
            return f"no such presence: use {', '.join(SETTABLE)}; nothing was said"
        if event.until and SETTABLE[event.word] not in PRESENCE_WITH_TIME:
            return f"{event.word} has no end: leave the time away; nothing was said"
        if event.until and not now.wall < event.until <= TIME_MAX:
            return "the time given is over, or after the year 9999; nothing was said"
        return ""

    def _say(self, word: content_pb2.Presence.ValueType, until: int, officer: str, now: Instant) -> None:
        self._take(word, until, now)
        ctx, name = self._ctx, presence_word(word)
        ctx.record("presence.set", {"officer": Private(officer.encode())}, presence=name, until=until)
        ctx.out.changes.append(Put("fact", {"name": _FACT, "value": f"{name} {until}".encode()}))
        ctx.tell("presence", by="us", presence=name, until=until)
        self._beat_soon(now)

    def _take(self, word: content_pb2.Presence.ValueType, until: int, now: Instant) -> None:
        self.word, self.until = word, until
        # From here on by the monotonic clock: a step of the other one ends nobody's consultation.
        self._ends_at = now.mono + max(0, until - now.wall) if until else None

    def _beat_soon(self, now: Instant) -> None:
        for line in self._ctx.lines:
            for path in line.paths.values():
                path.beat_soon(now)

    def due(self, now: Instant) -> None:
        """What was said until a time is over when the time has come."""
        if self._ends_at is not None and self._ends_at <= now.mono:
            self._say(ALIVE, 0, "", now)

    def next_deadline(self) -> int | None:
        """When that is."""
        return self._ends_at

    # --- on the wire -------------------------------------------------------------------------------------------------

    def write(self, heartbeat: content_pb2.Heartbeat, line: Context, *, closing: bool) -> None:
        """Our word into a beat over `line`."""
        if not self._ctx.standing.active:
            self._asking = 0  # the peer listens to the terminal that speaks, and its officers ask there
        heartbeat.presence = content_pb2.PRESENCE_CLOSING if closing else self.word
        heartbeat.presence_until_ms = 0 if closing else self.until
        heartbeat.presence_asked = self._asking
        heartbeat.presence_answered = self._answering.pop(line.setup.remote.number, 0)

    def read(self, heartbeat: content_pb2.Heartbeat, line: Context, now: Instant) -> None:
        """The peer's word out of a fresh beat over `line`, told if it is news."""
        ctx, peer = self._ctx, self._ctx.peer
        if (peer.presence, peer.presence_until) != (heartbeat.presence, heartbeat.presence_until_ms):
            peer.presence, peer.presence_until = heartbeat.presence, heartbeat.presence_until_ms
            peer.presence_at = now.wall
            name = presence_word(heartbeat.presence)
            ctx.record("peer.presence", presence=name, until=heartbeat.presence_until_ms)
            ctx.tell("presence", by="peer", presence=name, until=heartbeat.presence_until_ms)
        asked = heartbeat.presence_asked
        if asked:
            self._answering[line.setup.remote.number] = asked
            if asked != peer.asked:
                peer.asked = asked
                ctx.record("presence.asked")
                ctx.alarm("presence-asked", "the peer asks whether anybody is there: say so with hotline presence set")
            for path in line.paths.values():
                path.beat_soon(now)
        if self._asking and heartbeat.presence_answered == self._asking:
            self._asking = 0
            ctx.record("presence.heard")
            ctx.tell("presence-asked", by="us", presence=presence_word(heartbeat.presence))
