"""Statements far above all that was received: what a thief of a terminal's key leaves behind in an hour."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from hotline.limits import INBOX_HELD_MAX, SERIAL_MAX
from hotline.machine import Plane
from tests.hotline.protocol.liars import sealed, statement
from tests.hotline.protocol.pair import FLASH, Pair, durable

REAL = Plane.REAL


def stolen(pair: Pair, serials: Iterable[int]) -> None:
    """The thief says something to ALPHA under each of these, and is gone."""
    session = pair.bravo.endpoint.context.session
    pair.bravo.lies = True
    for serial in serials:
        pair.alpha.hear("relay-1", sealed(session, statement(pair.bravo, serial, valid_for_ms=1)))


def late_and_flash(pair: Pair) -> int:
    """BRAVO says a ROUTINE, which is lost at first, and then a FLASH; how long until the FLASH is shown."""
    lost = [True]
    pair.weather = lambda sender, relay, envelope: (
        [] if lost[0] and sender is pair.bravo and durable(envelope) else [envelope]
    )
    pair.bravo.submit("late")
    pair.run(100)
    lost[0] = False
    since, flash = pair.time, pair.bravo.submit("now", FLASH).fields["serial"]
    while flash not in pair.alpha.shown():
        pair.run(5)
        assert pair.time < since + 60_000
    return pair.time - since


def test_a_thief_at_the_end_of_all_serials_takes_nothing_from_a_flash() -> None:
    """The FLASH of the robbed terminal waited for seven seconds, for ever, and every statement rang `gap`
    (docs/protocol.md 12.13)."""
    pair = Pair().open()
    stolen(pair, range(SERIAL_MAX, SERIAL_MAX - INBOX_HELD_MAX, -1))
    assert not pair.alpha.endpoint.context.inboxes[REAL].ahead
    assert set(pair.alpha.refusals()) == {"serial"}
    pair.run(2_000)
    pair.alpha.restart()
    pair.bravo.restart()
    pair.run(5_000)
    before = len(pair.alpha.refusals())
    assert late_and_flash(pair) <= 10
    pair.run(10_000)
    pair.bravo.submit("and on")
    pair.run(3_000)
    assert pair.alpha.shown() == [2, 1, 3]
    assert pair.alpha.refusals()[before:] == []
    assert pair.bravo.alarms() == []


@pytest.mark.parametrize("first", [2, 100, 181, 201])
def test_the_robbed_terminal_closes_every_gap_that_a_thief_could_open(
    monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """What a thief is let in with the honest one must be able to fill (docs/protocol.md 12.13 and 12.6)."""
    most, held = 200, 20
    for name in ("inbox", "credence"):
        monkeypatch.setattr(f"hotline.protocol.{name}.SERIAL_SKIP_MAX", most)
    monkeypatch.setattr("hotline.protocol.inbox.INBOX_HELD_MAX", held)
    pair = Pair().open()
    stolen(pair, range(first, first + held + 1))
    stolen(pair, range(2 * most, 2 * most - held - 1, -1))
    stolen(pair, [2 * most + 1])
    assert pair.alpha.refusals().count("serial") == 1
    late_and_flash(pair)
    pair.run(200_000)
    inbox = pair.alpha.endpoint.context.inboxes[REAL]
    assert inbox.missing(0) is None
    assert all(serial > inbox.through + most for serial in inbox.ahead), "what nobody need fill yet"
    assert inbox.through == pair.bravo.endpoint.context.outboxes[REAL].last_serial
    since = len(pair.alpha.refusals()), len(pair.alpha.alarms())
    assert late_and_flash(pair) <= 10
    pair.run(10_000)
    assert [pair.alpha.refusals()[since[0] :], pair.alpha.alarms()[since[1] :].count("gap")] == [[], 1]
