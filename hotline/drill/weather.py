"""Weather on one way of a link, and what TCP makes of it: everything is waiting, nothing is ever lost or reordered.

A fault proxy stands between two TCP connections, so it cannot lose a segment: the sender's kernel has seen it
acknowledged. It makes the receiver wait as long as TCP would have made it wait. What is modelled, for each way:

* **line**: `rate_bps` counts payload bits; all connections of a link share one line. A segment arrives whole, when its
  last bit has passed. At most LINE_BYTES, or LINE_SECONDS of the rate if that is more, wait before the line; beyond,
  the proxy reads no more, and the sender's own buffers fill.
* **flight**: latency, plus or minus a uniform jitter (never below zero), never overtaking what was sent before.
* **loss**: each segment of at most 1,448 bytes is lost with this probability, and each repetition of it too. If more
  of the same burst follows, the first repetition leaves one round trip later (fast retransmit), else after the
  retransmission timeout; further ones after that timeout, doubling up to BACKOFF_MAX. Every repetition occupies the
  line again, and what follows waits behind it (head of line).
* **black hole**: what is sent into it arrives after the heal, with the sender's next repetition: the timeout doubles
  from the first segment that went unanswered. Acknowledgements of the other way fall into the hole too: that way
  passes for one timeout more and then stands still as well, as a kernel does whose segments are never acknowledged.

Not modelled: slow start and the congestion window (long transfers under loss are faster than in life), headers,
delayed acknowledgements, keepalive and TCP_USER_TIMEOUT (the kernel of the proxy answers for a dead line).
"""

from __future__ import annotations

import random
from typing import Final, Literal

from pydantic import Field, ValidationError

from hotline.config import Settings
from hotline.errors import LocalError

Mode = Literal["pass", "blackhole", "reset", "refuse", "half-open"]
MODES: Final[tuple[Mode, ...]] = ("pass", "blackhole", "reset", "refuse", "half-open")
Way = Literal["both", "up", "down"]
WAYS: Final[tuple[Way, ...]] = ("both", "up", "down")

SEGMENT: Final = 1_448
"""Bytes of payload in one segment: Ethernet with TCP timestamps."""
RTO_FLOOR: Final = 0.2
"""Seconds above the round trip after which a kernel repeats a segment: the floor of its variance term."""
HANDSHAKE_RTO: Final = 1.0
"""Seconds after which a kernel repeats the first segment of a connection."""
BACKOFF_MAX: Final = 10.0
"""Longest wait between two repetitions, seconds. Kernels go up to 120: a drill would measure their patience."""
LINE_BYTES: Final = 2 * SEGMENT
LINE_SECONDS: Final = 0.25
"""What may wait before a line with a rate: the larger of both. About the buffer of a modem."""


class Weather(Settings):
    """Disturbance of one way. Times are milliseconds."""

    latency_ms: int = Field(default=0, ge=0, le=60_000)
    jitter_ms: int = Field(default=0, ge=0, le=60_000)
    loss_percent: float = Field(default=0, ge=0, le=50)
    rate_bps: int | None = Field(default=None, ge=300, le=1_000_000_000)
    mode: Mode = "pass"

    @property
    def still(self) -> bool:
        """Whether bytes that pass are not disturbed."""
        return not (self.latency_ms or self.jitter_ms or self.loss_percent or self.rate_bps)

    @property
    def dark(self) -> bool:
        """Whether nothing arrives."""
        return self.mode == "blackhole"

    def in_words(self) -> str:
        """For people: 300 ms +-20, 10 % lost, 2400 bit/s, blackhole; or undisturbed."""
        parts = [f"{self.latency_ms} ms" if self.latency_ms or self.jitter_ms else ""]
        parts[0] += f" +-{self.jitter_ms}" if self.jitter_ms else ""
        parts.append(f"{self.loss_percent:g} % lost" if self.loss_percent else "")
        parts.append(f"{self.rate_bps} bit/s" if self.rate_bps else "")
        parts.append(self.mode if self.mode != "pass" else "")
        return ", ".join(part for part in parts if part) or "undisturbed"


UNDISTURBED: Final = Weather()


def parse_weather(values: object) -> Weather:
    """Weather from JSON values; what is not named is undisturbed. Raises LocalError naming every wrong value."""
    try:
        return Weather.model_validate(values)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc'])) or 'weather'}: {one['msg']}" for one in error.errors()]
        raise LocalError("no such weather: " + "; ".join(wrong)) from error


def next_repetition(first: float, timeout: float, now: float) -> float:
    """When a kernel next repeats what it first sent at `first` and nobody answered: not before `now`. Seconds."""
    at = first + timeout
    while at < now:
        timeout = min(2 * timeout, BACKOFF_MAX)
        at += timeout
    return at


class Air:
    """One way of one link: its weather and its line. All times are seconds of one monotonic clock."""

    def __init__(self, rng: random.Random) -> None:
        self.weather = UNDISTURBED
        self.passed = 0
        """Bytes handed over at the far end."""
        self._rng = rng
        self._free_at = 0.0

    def clear_line(self, now: float) -> None:
        """Forget what was to pass the line: whoever waits must ask `carry` again."""
        self._free_at = now

    def room_in(self, now: float) -> float:
        """Seconds until the line takes more; not above 0: it takes some now."""
        rate = self.weather.rate_bps
        if rate is None:
            return 0.0
        return self._free_at - now - max(LINE_BYTES * 8 / rate, LINE_SECONDS)

    def carry(self, size: int, now: float, back: Air, *, followed: bool) -> tuple[float, float]:
        """When the last bit of a segment has left the line, and when it arrives. `followed`: more comes at once."""
        repeats, delay = self._losses(self.round_trip(back), self.timeout(back), followed=followed)
        done = now
        if self.weather.rate_bps is not None:
            taken = size * 8 / self.weather.rate_bps
            done = max(now, self._free_at) + taken
            self._free_at = done + repeats * taken
        return done, done + delay + self.flight()

    def flight(self) -> float:
        """Seconds in the air."""
        weather = self.weather
        if not weather.jitter_ms:
            return weather.latency_ms / 1_000
        return max(0.0, weather.latency_ms + self._rng.uniform(-weather.jitter_ms, weather.jitter_ms)) / 1_000

    def knock(self) -> float:
        """Seconds until one segment of a handshake has arrived: flight and repetitions."""
        return self._losses(HANDSHAKE_RTO, HANDSHAKE_RTO, followed=False)[1] + self.flight()

    def round_trip(self, back: Air) -> float:
        """Seconds there and back, without the line."""
        return (self.weather.latency_ms + back.weather.latency_ms) / 1_000

    def timeout(self, back: Air) -> float:
        """Seconds after which a sender repeats: the round trip and four of its deviations, which have a floor."""
        deviations = 2 * (self.weather.jitter_ms + back.weather.jitter_ms) / 1_000
        return self.round_trip(back) + max(RTO_FLOOR, deviations)

    def _losses(self, round_trip: float, timeout: float, *, followed: bool) -> tuple[int, float]:
        """How often one segment is repeated, and the seconds that this takes."""
        chance = self.weather.loss_percent / 100
        if not chance or self._rng.random() >= chance:
            return 0, 0.0
        repeats, delay = 1, round_trip if followed else timeout
        wait = timeout if followed else 2 * timeout
        while self._rng.random() < chance:
            repeats += 1
            delay += min(wait, BACKOFF_MAX)
            wait *= 2
        return repeats, delay
