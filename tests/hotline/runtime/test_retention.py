"""What is to be forgotten is forgotten in its time, and not because one clock is wrong."""

from __future__ import annotations

from pathlib import Path

from hotline.civil import unix_ms
from hotline.limits import QUORUM_PATIENCE
from hotline.machine import Instant
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.retention import Retention


def month(year: int, number: int) -> int:
    found = unix_ms(year, number, 15, 12, 0, 0)
    assert found is not None
    return found


def filled(folder: Path) -> ContentKeys:
    """Texts of every month of 2026 up to November."""
    keys = ContentKeys(folder / "keys", b"s" * 32)
    for number in range(1, 12):
        keys.seal("a", b"text", month(2026, number))
    return keys


def test_a_month_goes_when_the_months_after_it_are_over(tmp_path: Path) -> None:
    """Texts would be kept a month too long, or be gone a month too early (docs/protocol.md 13.20)."""
    kept = Retention(2, filled(tmp_path))
    for last, end in ((8, month(2026, 11)), (9, month(2026, 12)), (10, month(2027, 1))):
        due = Retention(2, filled(tmp_path)).due(Instant(0, end), end)
        assert due == [f"2026-{number:02d}" for number in range(1, last + 1)]
    assert kept.due(Instant(0, month(2026, 3)), month(2026, 3)) == []
    assert Retention(0, filled(tmp_path)).due(Instant(0, month(2099, 1)), month(2099, 1)) == []


def test_no_clock_alone_ends_the_time_of_a_text(tmp_path: Path) -> None:
    """One start with a flat battery, or a lie of a time server, would destroy the record (docs/protocol.md 13.20)."""
    keys = filled(tmp_path)
    for wall, others in ((month(2099, 1), month(2026, 11)), (month(2026, 11), month(2099, 1)), (month(2099, 1), None)):
        assert Retention(24, keys).due(Instant(0, wall), others) == []
    retention = Retention(24, keys)
    assert retention.due(Instant(5, month(2099, 1)), None) == []
    assert retention.alarms(Instant(4 + QUORUM_PATIENCE, 0)) == [], "who cosigns has not had time to answer"
    retention.due(Instant(QUORUM_PATIENCE, month(2099, 1)), month(2026, 11))
    (alarm,) = retention.alarms(Instant(5 + QUORUM_PATIENCE, 0))
    assert alarm["name"] == "retention"
    assert "2026-01 to 2026-11" in alarm["text"]
    retention.due(Instant(QUORUM_PATIENCE, month(2026, 11)), month(2026, 11))
    assert retention.alarms(Instant(9 * QUORUM_PATIENCE, 0)) == [], "the clock was put right"


def test_a_key_that_cannot_be_removed_is_told_and_not_entered_each_second(tmp_path: Path) -> None:
    """A folder that cannot be written would fill the ledger, and nobody would look (docs/protocol.md 13.20)."""
    keys, now = filled(tmp_path), month(2027, 1)
    retention = Retention(11, keys)
    assert retention.due(Instant(0, now), now) == ["2026-01"]
    assert retention.due(Instant(1, now), now) == []
    assert "2026-01" in retention.alarms(Instant(2 + QUORUM_PATIENCE, now))[0]["text"]
    keys.destroy("2026-01")
    assert retention.due(Instant(3, now), now) == []
    assert retention.alarms(Instant(2 + QUORUM_PATIENCE, now)) == []
