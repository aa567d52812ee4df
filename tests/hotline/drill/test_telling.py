"""What terminals tell, as entries of a journal: of one other party, and of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotline.drill import schedule
from hotline.drill.patterns import CAPITALS, PARTIES, expand
from hotline.drill.plan import find_plan
from hotline.drill.recorder import windows
from hotline.drill.rehearsal import RehearsedTerminal
from hotline.drill.telling import Telling, at_terminal, reader_of, senders

SENT = {"plane": "real", "serial": 7, "state": "delivered", "by": ""}
COME = {"plane": "real", "serial": 4, "void": False}


def told(*events: tuple[str, str, dict[str, Any]], several: bool) -> tuple[list[tuple[str, Any]], list[str]]:
    """Kind and fields of the entries, and whose delivery was told."""
    entries, delivered = list[tuple[str, Any]](), list[str]()
    telling = Telling(lambda kind, **fields: entries.append((kind, fields)), delivered.append, several=several)
    for by, kind, fields in events:
        telling.event(by, kind, fields)
    return entries, delivered


def test_among_three_each_receipt_is_its_own() -> None:
    """The receipt of one would be taken for that of the other, or what one says for what the other does (26.5)."""
    events = (
        ("ALPHA", "sent", {**SENT, "party": "BRAVO"}),
        ("ALPHA", "received", {**COME, "party": "CHARLIE"}),
        ("CHARLIE", "received", {**COME, "party": "BRAVO"}),
    )
    entries, delivered = told(*events, several=True)
    assert delivered == ["ALPHA:BRAVO/real/7"]
    assert [(kind, fields["id"], fields["by"]) for kind, fields in entries] == [
        ("stage", "ALPHA:BRAVO/real/7", ""),
        ("shown", "CHARLIE:ALPHA/real/4", "ALPHA"),
        ("shown", "BRAVO:CHARLIE/real/4", "CHARLIE"),
    ]


def test_between_two_nobody_is_named_twice() -> None:
    """Journals of two parties would be read by nobody any more."""
    entries, delivered = told(("ALPHA", "sent", SENT), ("ALPHA-alt", "received", COME), several=False)
    assert delivered == ["ALPHA/real/7"]
    assert [(kind, fields["id"]) for kind, fields in entries] == [("stage", "ALPHA/real/7"), ("shown", "BRAVO/real/4")]
    assert (at_terminal("CHARLIE"), at_terminal("ALPHA-alt")) == ({}, {"terminal": "ALPHA-alt"})


def test_what_is_said_to_two_is_opened_at_the_desk_of_each() -> None:
    """It would be opened at the window of a third party, where it does not lie (26.8)."""
    home = Path("/h")
    alpha, charlie = (RehearsedTerminal(one, home, home / one, home / "sock") for one in ("ALPHA", "CHARLIE"))
    assert senders("ALPHA", CAPITALS) == ["ALPHA:BRAVO", "ALPHA:CHARLIE"]
    assert senders("ALPHA", PARTIES) == ["ALPHA"]
    assert [reader_of(one) for one in ("ALPHA:CHARLIE", "BRAVO")] == ["CHARLIE.ALPHA", "ALPHA"]
    assert windows(charlie, CAPITALS) == [(f"CHARLIE.{one}", home / f"sock.{one}") for one in PARTIES]
    assert windows(alpha, PARTIES) == [("ALPHA", home / "sock")]


def test_what_is_staged_is_named() -> None:
    """Whoever looks at a drill before it is run would not know that there is a third capital, or an alternate."""
    for name, terminals in (
        ("three-capitals", "ALPHA, BRAVO, CHARLIE, 3 relays"),
        ("alternate-takes-over", "ALPHA, BRAVO, ALPHA-alt, 3 relays"),
    ):
        assert any(line.startswith(f"stages     {terminals}") for line in schedule.told(find_plan(name)))
    assert expand(["*/relay-1"], ["relay-1"], CAPITALS) == [f"{party}/relay-1" for party in CAPITALS]
