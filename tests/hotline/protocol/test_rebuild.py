"""Tables are what the ledger tells: a row that nobody entered, or that is gone, is found (docs/protocol.md 13.3)."""

from __future__ import annotations

from collections.abc import Iterator

from hotline.ledger.record import parse_leaf
from hotline.machine import Plane, RequestId
from hotline.protocol.events import Translate
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.offices import DRAFTER, TWO, Desk
from tests.hotline.protocol.pair import PRIORITY, ROUTINE, WALL, Pair, Party, durable, losing

REAL = Plane.REAL
MAY_BE_GONE = {
    *("draft lost", "counter draft lost", "counter translation:real lost"),
    *("counter last:real:1 lost", "counter last:real:2 lost", "sent_fact relayed lost", "ladder answered lost"),
    "ladder arrived lost",
}
"""What goes with its content key, or does harm only where it is false."""


def a_day() -> Pair:
    """Something of everything that is entered."""
    pair = Pair(release=TWO, channel_test_ms=60_000).open()
    pair.custody = True
    alpha, bravo = pair.alpha, pair.bravo
    desk = Desk(alpha)
    assert desk.make("Released.", ROUTINE).ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.release(1).ok
    assert desk.make("Never released.", ROUTINE).ok
    alpha.submit("Whose aircraft is it?", PRIORITY)
    alpha.submit("Whose ship is it?", PRIORITY, corrects=2)
    pair.run(2_000)
    for serial in (1, 2, 3):
        assert bravo.read(serial).ok
    pair.run(500)
    assert bravo.present(2, principal="x").ok
    assert bravo.promise(2, WALL + pair.time + 60_000).ok
    bravo.submit("Ours.", PRIORITY, in_reply_to=2)
    rough, ltr = content_pb2.TRANSLATION_GRADE_ROUGH, content_pb2.DIRECTION_LTR
    bravo.step(Translate(RequestId(900), REAL, 2, False, rough, "t", "fr", ltr, "A qui ?", "watch"))
    assert bravo.replies[900].ok, bravo.replies[900].text
    pair.weather = losing(lambda sender, relay, sealed: sender is alpha and durable(sealed))
    alpha.submit("Too late.", PRIORITY, valid_for_ms=2_000)
    pair.run(3_000)
    pair.weather = losing(lambda *_: False)
    pair.run(130_000)
    return pair


def others(table: str, row: Row) -> Iterator[Row]:
    """The same row about a statement that there is none of."""
    column = "number" if "number" in row else "serial"
    if isinstance(row.get(column), int):
        yield {**row, column: 999}
    if isinstance(row.get("hash"), bytes) and table != "unread":
        yield {**row, "hash": b"f" * 32}


def undetected(party: Party) -> set[str]:
    """Tables, and stages in them, of which a row may be taken out, or put in, without a word."""
    tables = {table: party.memory.rows(table) for table in REBUILT}
    made = rebuild(parse_leaf(leaf) for leaf in party.memory.log.leaves)
    assert differences(made, tables) == []
    found = set()
    for table, rows in tables.items():
        for number, row in enumerate(rows):
            what = f"{table} {row.get('stage', row.get('name', ''))}".strip()
            if not differences(made, tables | {table: [*rows[:number], *rows[number + 1 :]]}):
                found.add(f"{what} lost")
            for other in others(table, row):
                if not differences(made, tables | {table: [*rows, other]}):
                    found.add(f"{what} added")
    return found


def test_no_row_is_there_that_nobody_entered_and_none_is_gone() -> None:
    """A table that a thief has changed would be believed (docs/protocol.md 13.3)."""
    pair = a_day()
    for party in (pair.alpha, pair.bravo):
        assert undetected(party) <= MAY_BE_GONE, party.name
    held = {table for table in REBUILT for party in (pair.alpha, pair.bravo) if party.memory.rows(table)}
    assert held == set(REBUILT) - {"outbox"}, "what is not there is not tried"
