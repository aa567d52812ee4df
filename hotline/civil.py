"""Calendar arithmetic on Unix milliseconds, without a clock or a time zone table."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAY_MS: Final = 86_400_000


class Civil(NamedTuple):
    """A UTC instant in the Gregorian calendar."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    millisecond: int


@lru_cache(maxsize=4)  # one transaction asks for one time again and again
def civil(unix_ms: int) -> Civil:
    """The UTC date and time of `unix_ms`. Algorithm: days from civil, era of 400 years beginning in March."""
    days, rest = divmod(unix_ms, _DAY_MS)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    seconds, millisecond = divmod(rest, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return Civil(year, month, day, hour, minute, second, millisecond)


def iso_utc(unix_ms: int) -> str:
    """ISO 8601 with milliseconds and Z."""
    at = civil(unix_ms)
    return (
        f"{at.year:04d}-{at.month:02d}-{at.day:02d}T{at.hour:02d}:{at.minute:02d}:{at.second:02d}.{at.millisecond:03d}Z"
    )


def unix_ms(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    """Unix milliseconds of a UTC date and time; None if the calendar has no such one (years 1 to 9999)."""
    if not (1 <= year <= 9_999 and 1 <= month <= 12 and day >= 1 and hour < 24 and minute < 60 and second < 60):
        return None
    shifted = year - (month <= 2)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - 719_468
    made = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000
    # The 31st of a short month would be the first of the next.
    return made if civil(made)[:3] == (year, month, day) else None


def minute_of_group(group: str) -> int | None:
    """Minutes since 1970 of a date-time group of this century; None if it is none."""
    day, zone, month, year = group[:6], group[6:8], group[8:11], group[11:]
    numbers = day + year[1:]
    if len(group) != 14 or zone != "Z " or year[:1] != " " or month not in _MONTHS or not numbers.isdecimal():
        return None
    of_year = (2_000 + int(year), _MONTHS.index(month) + 1, int(day[:2]))
    made = unix_ms(*of_year, int(day[2:4]), int(day[4:]), 0) if numbers.isascii() else None
    return None if made is None else made // 60_000


def date_time_group(unix_ms: int) -> str:
    """`DDHHMMZ MON YY`. Midnight is never written: 0000Z becomes 0001Z, so that no day is in doubt."""
    at = civil(unix_ms)
    minute = 1 if (at.hour, at.minute) == (0, 0) else at.minute
    return f"{at.day:02d}{at.hour:02d}{minute:02d}Z {_MONTHS[at.month - 1]} {at.year % 100:02d}"


_SPANS: Final = ((_DAY_MS, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def exact_span(milliseconds: int) -> str:
    """7 d, 90 min, 1500 ms: in the largest unit of which it is a whole number, two at least; nothing is rounded."""
    for size, unit in _SPANS:
        if milliseconds >= 2 * size and milliseconds % size == 0:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"
