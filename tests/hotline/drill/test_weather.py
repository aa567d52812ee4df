"""What TCP makes of weather, without a socket: a wrong model would measure itself in every drill."""

from __future__ import annotations

import random
import statistics

import pytest

from hotline.cli import drillproxy
from hotline.drill.weather import (
    BACKOFF_MAX,
    LINE_BYTES,
    MODES,
    SEGMENT,
    UNDISTURBED,
    WAYS,
    Air,
    Weather,
    next_repetition,
    parse_weather,
)
from hotline.errors import LocalError


def _air(seed: int = 1, **weather: object) -> Air:
    air = Air(random.Random(seed))
    air.weather = parse_weather(weather)
    return air


CALM = Air(random.Random(0))


def _delays(air: Air, back: Air = CALM, *, followed: bool = False, count: int = 4_000) -> list[float]:
    return [air.carry(SEGMENT, 0.0, back, followed=followed)[1] for _ in range(count)]


def test_undisturbed_air_costs_nothing() -> None:
    """A drill without a fault would have one."""
    assert CALM.carry(SEGMENT, 5.0, CALM, followed=False) == (5.0, 5.0)
    assert CALM.knock() == 0.0
    assert CALM.room_in(5.0) <= 0


def test_latency_is_one_way() -> None:
    """A satellite of 300 ms would answer after 300 ms."""
    assert _air(latency_ms=300).carry(1, 2.0, CALM, followed=False) == (2.0, 2.3)


def test_jitter_lies_evenly_on_both_sides_and_never_goes_back() -> None:
    """The mean would shift with the jitter, and a drill of jitter would be one of latency."""
    delays = _delays(_air(latency_ms=100, jitter_ms=40))
    assert 0.060 <= min(delays) < 0.063
    assert 0.137 < max(delays) <= 0.140
    assert statistics.fmean(delays) == pytest.approx(0.1, abs=0.002)
    assert min(_delays(_air(latency_ms=5, jitter_ms=40))) == 0.0


def test_a_line_takes_its_bits_one_after_the_other() -> None:
    """Two terminals on one modem would each have it whole."""
    air = _air(rate_bps=2_400)
    assert air.carry(300, 10.0, CALM, followed=False)[1] == pytest.approx(11.0)
    assert air.carry(150, 10.2, CALM, followed=False)[1] == pytest.approx(11.5)
    assert air.carry(150, 20.0, CALM, followed=False)[1] == pytest.approx(20.5)


def test_a_line_has_a_small_buffer() -> None:
    """The sender would believe that an hour of text has left."""
    air = _air(rate_bps=2_400)
    assert air.room_in(0.0) <= 0
    air.carry(LINE_BYTES, 0.0, CALM, followed=False)
    assert air.room_in(0.0) == pytest.approx(0.0)
    air.carry(300, 0.0, CALM, followed=False)
    assert air.room_in(0.0) == pytest.approx(1.0)
    assert air.room_in(1.5) < 0
    air.clear_line(0.0)
    assert air.room_in(0.0) < 0


def test_loss_is_waiting_for_the_repetition() -> None:
    """Loss would cost nothing, or bytes."""
    air, back = _air(loss_percent=10, latency_ms=50), _air(latency_ms=50)
    alone = _delays(air, back)
    assert sum(delay > 0.06 for delay in alone) / len(alone) == pytest.approx(0.10, abs=0.02)
    # Nothing follows: the timeout of 100 ms round trip and 200 ms floor, then twice that, then four times.
    assert sorted({round(delay, 3) for delay in alone})[:3] == [0.05, 0.35, 0.95]
    # More follows: one round trip.
    assert sorted({round(delay, 3) for delay in _delays(air, back, followed=True)})[:3] == [0.05, 0.15, 0.45]


def test_a_repetition_is_lost_as_often_as_the_first() -> None:
    """A line that loses half would look like one that loses half once."""
    delays = _delays(_air(loss_percent=50))
    lost = [delay for delay in delays if delay > 0.1]
    twice = [delay for delay in lost if delay > 0.3]
    assert len(twice) / len(lost) == pytest.approx(0.5, abs=0.05)


def test_a_repetition_occupies_the_line_again() -> None:
    """A lossy modem would be as fast as a clean one."""
    clean, lossy = _air(rate_bps=9_600), _air(rate_bps=9_600, loss_percent=20)
    for air in (clean, lossy):
        for _ in range(500):
            air.carry(SEGMENT, 0.0, CALM, followed=True)
    # One in five lost, each repetition likewise: a quarter more to send.
    assert lossy.room_in(0.0) / clean.room_in(0.0) == pytest.approx(1.25, abs=0.06)


def test_a_handshake_waits_longer_for_its_repetition() -> None:
    """A connection over a lossy link would come up as fast as it later talks."""
    air = _air(loss_percent=50, latency_ms=20)
    assert sorted({round(air.knock(), 2) for _ in range(400)})[:4] == [0.02, 1.02, 3.02, 7.02]


def test_jitter_lengthens_the_timeout() -> None:
    """Repetitions would be sent for what is only late."""
    assert _air(latency_ms=50).timeout(_air(latency_ms=50)) == pytest.approx(0.3)
    assert _air(latency_ms=50, jitter_ms=100).timeout(_air(jitter_ms=100)) == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("healed", "repeated"),
    [(0.0, 0.2), (0.2, 0.2), (0.21, 0.6), (0.7, 1.4), (3.1, 6.2), (6.3, 12.6), (12.7, 22.6), (60.0, 62.6)],
)
def test_what_was_sent_into_a_black_hole_comes_with_the_next_repetition(healed: float, repeated: float) -> None:
    """A heal would look instant, or like minutes, and neither is what a kernel does."""
    assert next_repetition(0.0, 0.2, healed) == pytest.approx(repeated)
    assert next_repetition(100.0, 0.2, 100.0 + healed) == pytest.approx(100.0 + repeated)
    assert repeated - healed <= BACKOFF_MAX


def test_the_same_seed_draws_the_same_weather() -> None:
    """A drill that failed could not be run again."""
    weather = {"latency_ms": 40, "jitter_ms": 30, "loss_percent": 20}
    assert _delays(_air(7, **weather), count=50) == _delays(_air(7, **weather), count=50)
    assert _delays(_air(7, **weather), count=50) != _delays(_air(8, **weather), count=50)


@pytest.mark.parametrize(
    "values",
    [
        {"latency_ms": -1},
        {"latency_ms": "300"},
        {"latency_ms": 60_001},
        {"loss_percent": 51},
        {"rate_bps": 299},
        {"mode": "fog"},
        {"snow": 1},
        {"jitter_ms": 0.5},
    ],
)
def test_weather_that_there_is_not(values: dict[str, object]) -> None:
    """A misspelt fault would be no fault, and the drill would pass."""
    with pytest.raises(LocalError, match=next(iter(values))):
        parse_weather(values)


def test_weather_in_words() -> None:
    """The table would show numbers without names."""
    assert UNDISTURBED.in_words() == "undisturbed"
    assert Weather(latency_ms=300, jitter_ms=20, loss_percent=10, rate_bps=2_400, mode="blackhole").in_words() == (
        "300 ms +-20, 10 % lost, 2400 bit/s, blackhole"
    )


def test_the_command_offers_what_there_is() -> None:
    """A mode could be drilled and not typed."""
    assert (drillproxy.WAYS, drillproxy.MODES) == (WAYS, MODES)
