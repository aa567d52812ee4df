"""Time objectives, writer to reader: what is not read in time is told, and told again (docs/protocol.md 20.7 to 20.9).

Both sides watch: the sender from the moment a statement was accepted, the receiver from the moment it could be opened.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.limits import WATCHED_MAX
from hotline.machine import Delete, Instant, Plane, Put
from hotline.protocol.neutral import UNATTENDED, VOIDS
from hotline.protocol.outbox import SentState
from hotline.protocol.tables import Saved
from hotline.wire.v1 import content_pb2

if TYPE_CHECKING:
    from hotline.protocol.context import Context

SENT: Final = "sent"
RECEIVED: Final = "received"
_Key = tuple[str, Plane, int]
_AGENDA_MAX: Final = 4 * WATCHED_MAX


@dataclass(slots=True)
class Watched:
    """A statement that nobody has read yet: since when (monotonic, and as written), and how often it was told."""

    precedence: int
    objective: int
    started: int
    since: int
    told: int = 0

    @property
    def due_at(self) -> int:
        """Half the objective, the objective, twice that, and so on: before it is too late, and then more rarely."""
        return self.started + (self.objective << self.told) // 2


class Objectives:
    """Statements of both ways that are not read."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._watched: dict[str, dict[tuple[Plane, int], Watched]] = {SENT: {}, RECEIVED: {}}
        """Each way by itself: a flood of the peer's makes nobody forget what we said."""
        self._agenda: list[tuple[int, _Key]] = []

    def said(self, plane: Plane, serial: int, statement: content_pb2.Statement, now: Instant) -> None:
        """We say `statement`: somebody there should read it, unless it is a test or empty."""
        if statement.kind not in (*UNATTENDED, *VOIDS):
            self.begin(SENT, plane, serial, statement.precedence, now)

    def reached(self, plane: Plane, serial: int, state: SentState) -> None:
        """A statement of ours has come so far."""
        if state in (SentState.READ, SentState.SHOWN, SentState.EXPIRED, SentState.RENUMBERED):
            self.end(SENT, plane, serial)

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what was not read; the time between the runs is that of the written clock."""
        for row in saved.rows("waiting"):
            serial, precedence, since, told = (row[name] for name in ("serial", "precedence", "since", "told"))
            assert isinstance(serial, int)
            assert isinstance(precedence, int)
            assert isinstance(since, int)
            assert isinstance(told, int)
            objective = self._ctx.setup.objective_ms.get(precedence, 0)
            if objective:
                started = now.mono - max(0, now.wall - since)
                watched = Watched(precedence, objective, started, since, told)
                self._take((str(row["way"]), Plane(str(row["plane"])), serial), watched)

    def _take(self, key: _Key, watched: Watched) -> None:
        way, plane, serial = key
        self._watched[way][plane, serial] = watched
        heapq.heappush(self._agenda, (watched.due_at, key))
        if len(self._agenda) > _AGENDA_MAX:  # most of it was read since, or is watched no more
            self._agenda = [(one.due_at, (way, plane, serial)) for way, plane, serial, one in self._all()]
            heapq.heapify(self._agenda)

    def begin(self, way: str, plane: Plane, serial: int, precedence: int, now: Instant) -> None:
        """From now on somebody should read this one."""
        objective = self._ctx.setup.objective_ms.get(precedence, 0)
        if not objective or plane is Plane.SERVICE or (plane, serial) in self._watched[way]:
            return
        watched = Watched(precedence, objective, now.mono, now.wall)
        self._take((way, plane, serial), watched)
        self._put((way, plane, serial), watched)
        while len(self._watched[way]) > WATCHED_MAX:
            self.end(way, *next(iter(self._watched[way])))

    def end(self, way: str, plane: Plane, serial: int) -> None:
        """It was read, or never will be."""
        if self._watched[way].pop((plane, serial), None) is not None:
            self._ctx.out.changes.append(Delete("waiting", {"way": way, "plane": plane.value, "serial": serial}))

    def _put(self, key: _Key, watched: Watched) -> None:
        way, plane, serial = key
        row: dict[str, str | int | bytes | None] = {"way": way, "plane": plane.value, "serial": serial}
        row |= {"precedence": watched.precedence, "since": watched.since, "told": watched.told}
        self._ctx.out.changes.append(Put("waiting", row))

    def due(self, now: Instant) -> None:
        """Tell what is late: one alarm for all of one kind, so that a flood of statements is no flood of alarms."""
        late: dict[tuple[str, Plane], list[tuple[int, Watched]]] = {}
        while self._agenda and self._agenda[0][0] <= now.mono:
            at, key = heapq.heappop(self._agenda)
            watched = self._find(key)
            if watched is None or watched.due_at != at:
                continue
            while watched.due_at <= now.mono:
                watched.told += 1
            self._put(key, watched)
            heapq.heappush(self._agenda, (watched.due_at, key))
            way, plane, serial = key
            name = self._lacks(way, plane, serial)
            if name == "not-read" and now.mono - watched.started < watched.objective:
                continue  # it is there, and its time is not over: the other side rings now
            late.setdefault((name, plane), []).append((serial, watched))
        for (name, plane), found in late.items():
            self._tell(name, plane, found, now)

    def _lacks(self, way: str, plane: Plane, serial: int) -> str:
        """What has not happened to a statement that is watched, as the name of an alarm."""
        return "unread" if way == RECEIVED else "not-delivered" if self._ctx.is_owed(plane, serial) else "not-read"

    def _tell(self, name: str, plane: Plane, found: list[tuple[int, Watched]], now: Instant) -> None:
        """The one that has waited longest speaks for all. Its precedence is told and not entered."""
        serial, oldest = min(found, key=lambda one: one[1].started)
        ctx, span = self._ctx, spoken(now.mono - oldest.started)
        what = f"{_NAMES[oldest.precedence]} #{serial}"
        what += f" and {len(found) - 1} more" if len(found) > 1 else ""
        where, count = plane.value, len(found)
        if name == "unread":
            text = f"nobody has opened {what} for {span}; the objective is {spoken(oldest.objective)}"
            ctx.alarm("unread", text, plane=where, serial=serial, count=count)
        elif name == "not-read":
            word = _word(ctx.peer.presence) if ctx.front.peer_is_heard else "not heard"
            text = f"{what} was delivered and has not been read for {span}; the peer is {word}"
            ctx.alarm("not-read", text, plane=where, serial=serial, count=count)
        else:
            heard = "the peer is heard" if ctx.front.peer_is_heard else "the peer is not heard on any path"
            text = f"{what} has not been delivered for {span}; {heard}; it goes over every path now"
            ctx.alarm("not-delivered", text, plane=where, serial=serial, count=count)
            for each, _ in found:
                self._escalate(plane, each)

    def _escalate(self, plane: Plane, serial: int) -> None:
        """In a new envelope over every path, whatever the window says (20.8): this very tick sends what waits."""
        for outbox in (line.outboxes[plane] for line in self._ctx.peers):
            item = outbox.pending.get(serial)
            if item is not None:
                item.escalated = True
                if item.envelope is not None:
                    outbox.unseal(item)

    def not_passed_on(self, reason: str) -> None:
        """The command that should call somebody took no alarm (20.10)."""
        text = "the command of the configuration did not take an alarm: whoever it should call was not called"
        self._ctx.alarm("alarm-command", text, reason=reason)

    def next_deadline(self) -> int | None:
        """When the next one is late."""
        while self._agenda and not self._is_current(*self._agenda[0]):
            heapq.heappop(self._agenda)
        return self._agenda[0][0] if self._agenda else None

    def _is_current(self, at: int, key: _Key) -> bool:
        watched = self._find(key)
        return watched is not None and watched.due_at == at

    def _find(self, key: _Key) -> Watched | None:
        way, plane, serial = key
        return self._watched[way].get((plane, serial))

    def _all(self) -> Iterator[tuple[str, Plane, int, Watched]]:
        for way, every in self._watched.items():
            yield from ((way, plane, serial, watched) for (plane, serial), watched in every.items())

    def late(self, now: Instant) -> dict[tuple[str, Plane], tuple[int, int, int]]:
        """What was told and holds: (alarm, plane) -> serial of the oldest, how long it waits, how many there are."""
        found: dict[tuple[str, Plane], list[tuple[int, int]]] = {}
        for way, plane, serial, watched in self._all():
            waited = now.mono - watched.started
            name = self._lacks(way, plane, serial)
            if watched.told and (name != "not-read" or waited >= watched.objective):
                found.setdefault((name, plane), []).append((waited, serial))
        return {key: (max(items)[1], max(items)[0], len(items)) for key, items in found.items()}

    def oldest_unread_there(self, now: Instant) -> tuple[int, int] | None:
        """Serial of our REAL statement that was delivered and has waited longest for a reader, and how long it has."""
        waiting = [
            (now.mono - watched.started, serial)
            for (plane, serial), watched in self._watched[SENT].items()
            if plane is Plane.REAL and not self._ctx.is_owed(plane, serial)
        ]
        return (max(waiting)[1], max(waiting)[0]) if waiting else None


_NAMES: Final[Mapping[int, str]] = {
    value: name.removeprefix("PRECEDENCE_") for name, value in content_pb2.Precedence.items()
}
_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def _word(presence: content_pb2.Presence.ValueType) -> str:
    return content_pb2.Presence.Name(presence).removeprefix("PRESENCE_").lower().replace("_", "-")


def spoken(milliseconds: int) -> str:
    """90 min, 30 s: in the largest unit of which there are at least two, rounded down."""
    for size, unit in _UNITS:
        if milliseconds >= 2 * size:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds / 1_000:.1f} s"
