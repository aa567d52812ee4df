"""Calendar arithmetic, checked against the calendar of the standard library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotline.civil import civil, date_time_group, iso_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800_000
LAST = 253_402_300_799_999


@given(st.integers(FIRST, LAST))
@example(0)
@example(-1)
@example(951_782_400_000)
@example(4_107_542_399_999)
@example(FIRST)
@example(LAST)
def test_every_instant_has_its_date(unix_ms: int) -> None:
    """A wrong day in a date-time group makes a statement look older or newer than the act it speaks of."""
    expected = EPOCH + timedelta(milliseconds=unix_ms)
    at = civil(unix_ms)
    assert at[:6] == expected.timetuple()[:6]
    assert at.millisecond == expected.microsecond // 1_000
    assert iso_utc(unix_ms) == expected.strftime(f"{expected.year:04d}-%m-%dT%H:%M:%S.") + f"{at.millisecond:03d}Z"


def _ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1_000)  # type: ignore[misc] - six numbers of a date


@pytest.mark.parametrize(
    ("at", "group"),
    [
        ((2024, 2, 29, 14, 30), "291430Z FEB 24"),
        ((2024, 12, 31, 23, 59), "312359Z DEC 24"),
        ((2025, 1, 1, 0, 0), "010001Z JAN 25"),
        ((2025, 1, 1, 0, 1), "010001Z JAN 25"),
        ((2100, 3, 1, 1, 0), "010100Z MAR 00"),
        ((2009, 9, 9, 9, 9), "090909Z SEP 09"),
    ],
)
def test_date_time_groups(at: tuple[int, ...], group: str) -> None:
    """0000Z belongs to two days in two services' habits: written, it would start a dispute about the day."""
    # docs/protocol.md 8.8
    assert date_time_group(_ms(*at)) == group


@given(st.integers(0, LAST))
def test_midnight_is_never_written(unix_ms: int) -> None:
    """See above; for every day of every year."""
    group = date_time_group(unix_ms)
    assert len(group) == len("DDHHMMZ MON YY")
    assert group[2:6] not in ("0000", "2400")
