"""One relay as a path to the peer: its state table, its detector and its beats (docs/protocol.md sections 10 and 11).

The state colours the lamp and raises alarms. It never gates sending: statements go over every stream that is open.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hotline.charter.profiles import Profile
from hotline.limits import FRESH_ECHO_BEATS, IDLE_BEAT_FACTOR
from hotline.machine import Entropy, Instant

_BEATS_KEPT: Final = 32
_BEATS_NEEDED: Final = 8
_DEVIATIONS: Final = 17.4
"""phi = 8 of the accrual detector, as standard deviations of an exponential tail: TCP's repetitions make such a one."""
ECHO_DELAY_MAX: Final = 999_999
_REPLY_BEAT_MIN: Final = 50
"""Least milliseconds between two beats on one path, also when each answers the other."""


class PathState(StrEnum):
    """What we know of one path."""

    DOWN = "down"
    """No stream to the relay."""
    ATTACHED = "attached"
    """The relay lets us in; the peer has not answered over it."""
    UP = "up"
    """The peer answers us over it."""
    SUSPECT = "suspect"
    """The peer answered over it and has been silent for too long."""


class PathInput(StrEnum):
    """What moves a path from state to state."""

    OPENED = "opened"
    CLOSED = "closed"
    HEARD = "heard"
    SILENT = "silent"


TRANSITIONS: Final = {
    (PathState.DOWN, PathInput.OPENED): PathState.ATTACHED,
    (PathState.ATTACHED, PathInput.HEARD): PathState.UP,
    (PathState.ATTACHED, PathInput.CLOSED): PathState.DOWN,
    (PathState.UP, PathInput.SILENT): PathState.SUSPECT,
    (PathState.UP, PathInput.CLOSED): PathState.DOWN,
    (PathState.SUSPECT, PathInput.HEARD): PathState.UP,
    (PathState.SUSPECT, PathInput.CLOSED): PathState.DOWN,
}

IGNORED: Final = {
    (PathState.DOWN, PathInput.CLOSED): "a stream that failed before it opened",
    (PathState.DOWN, PathInput.HEARD): "a frame that was read before the stream broke",
    (PathState.DOWN, PathInput.SILENT): "no stream, nothing to hear",
    (PathState.ATTACHED, PathInput.OPENED): "the relay welcomes a second time",
    (PathState.ATTACHED, PathInput.SILENT): "was not heard before either",
    (PathState.UP, PathInput.OPENED): "the relay welcomes a second time",
    (PathState.UP, PathInput.HEARD): "stays up",
    (PathState.SUSPECT, PathInput.OPENED): "the relay welcomes a second time",
    (PathState.SUSPECT, PathInput.SILENT): "stays suspect",
}


@dataclass(frozen=True, slots=True)
class PathSetup:
    """A relay of the charter as an endpoint uses it."""

    name: str
    number: int
    signing: bytes
    profile: Profile


class Detector:
    """How long silence may last before it is worth saying: how late past beats were, within floor and ceiling.

    Only lateness counts: beats that came early, as answers do, say nothing of how long the next may take.
    """

    def __init__(self, profile: Profile, last: int | None = None) -> None:
        """`last`: when a fresh beat arrived before, by other timers."""
        self._profile = profile
        self._lateness: deque[int] = deque(maxlen=_BEATS_KEPT)
        self._last = last
        self.tolerance = profile.silent_ceiling_ms
        """Milliseconds of silence after which the path is suspect."""

    def heard(self, now: int) -> None:
        """A fresh beat arrived at monotonic `now`."""
        if self._last is not None:
            self._lateness.append(max(0, now - self._last - self._profile.heartbeat_ms))
        self._last = now
        self.tolerance = self._expected()

    def reset(self) -> None:
        """Forget the rhythm: the path starts anew."""
        self._lateness.clear()
        self._last = None
        self.tolerance = self._profile.silent_ceiling_ms

    def _expected(self) -> int:
        profile, lateness = self._profile, self._lateness
        if len(lateness) < _BEATS_NEEDED:
            return profile.silent_ceiling_ms
        mean = sum(lateness) / len(lateness)
        variance = sum((value - mean) ** 2 for value in lateness) / len(lateness)
        expected = 1.5 * profile.heartbeat_ms + mean + _DEVIATIONS * variance**0.5
        return int(min(max(expected, profile.silent_floor_ms), profile.silent_ceiling_ms))

    def deadline(self) -> int | None:
        """Monotonic time at which silence becomes suspicious."""
        return None if self._last is None else self._last + self.tolerance


class Path:
    """One relay as a path. The endpoint asks when to beat and tells what it heard."""

    def __init__(self, setup: PathSetup, entropy: Entropy) -> None:
        self.setup = setup
        self.state = PathState.DOWN
        self.since: int | None = None
        self.detector = Detector(setup.profile)
        self.round_trip_ms: int | None = None
        self.heard_at: int | None = None
        self.peer_beat = 0
        self._peer_beat_at = 0
        self.next_beat_at: int | None = None
        self.replaced_at: int | None = None
        """When its relay last said that another stream with our key has taken the place of ours."""
        # A random start: an echo of a beat from before a restart must not look fresh.
        self._beat = int.from_bytes(entropy(4), "big")
        self._recent: OrderedDict[int, int] = OrderedDict()
        self._beaten_at: int | None = None

    @property
    def open(self) -> bool:
        """Whether there is a stream that can carry frames."""
        return self.state is not PathState.DOWN

    @property
    def narrow(self) -> bool:
        """Whether the path is to be spared."""
        return self.setup.profile.name == "narrow"

    def is_due(self, told_at: int | None, now: Instant) -> bool:
        """Whether this path says anew what is said every `checkpoint_ms` and was said on some path at `told_at`."""
        if self.state is not PathState.UP:
            return False
        return told_at is None or now.mono - told_at >= self.setup.profile.checkpoint_ms

    def apply(self, what: PathInput, now: Instant) -> bool:
        """Move through the table; says whether the state changed."""
        new = TRANSITIONS.get((self.state, what))
        if new is None:
            return False
        if new in (PathState.DOWN, PathState.ATTACHED):
            self.detector.reset()
            self.peer_beat = 0
            self.round_trip_ms = None
            self._recent.clear()
            self.next_beat_at = now.mono if new is PathState.ATTACHED else None
        self.state = new
        self.since = now.mono
        return True

    def beat(self, now: Instant) -> int:
        """Number of a beat that leaves now; the next one is scheduled."""
        self._beat = self._beat % 0xFFFF_FFFF + 1
        self._recent[self._beat] = now.mono
        while len(self._recent) > FRESH_ECHO_BEATS:
            self._recent.popitem(last=False)
        self._beaten_at = now.mono
        pace = 1 if self.state is not PathState.ATTACHED else IDLE_BEAT_FACTOR
        self.next_beat_at = now.mono + pace * self.setup.profile.heartbeat_ms
        return self._beat

    def beat_soon(self, now: Instant) -> None:
        """Answer at once, but not faster than every _REPLY_BEAT_MIN."""
        if self.open:
            earliest = now.mono if self._beaten_at is None else max(now.mono, self._beaten_at + _REPLY_BEAT_MIN)
            if self.next_beat_at is None or earliest < self.next_beat_at:
                self.next_beat_at = earliest

    def retime(self, setup: PathSetup) -> None:
        """Other timers from now on. How late past beats were says nothing of what is to come; silence goes on."""
        self.setup = setup
        self.detector = Detector(setup.profile, self.heard_at if self.state is PathState.UP else None)

    def echo_delay(self, now: Instant) -> int:
        """How long the peer's last beat has been waiting for our next one."""
        return min(now.mono - self._peer_beat_at, ECHO_DELAY_MAX) if self.peer_beat else 0

    def heard(self, beat: int, echo: int, echo_delay_ms: int, now: Instant) -> int | None:
        """A beat of the peer arrived. Returns when the beat it answers was sent, or None if it answers none of ours."""
        self.peer_beat, self._peer_beat_at = beat, now.mono
        sent_at = self._recent.get(echo)
        if sent_at is None:
            return None
        if echo_delay_ms < ECHO_DELAY_MAX:  # else it waited there for longer than can be said
            self.round_trip_ms = max(0, now.mono - sent_at - echo_delay_ms)
        self.heard_at = now.mono
        self.detector.heard(now.mono)
        return sent_at

    def silent_at(self) -> int | None:
        """When an UP path becomes SUSPECT."""
        return self.detector.deadline() if self.state is PathState.UP else None
