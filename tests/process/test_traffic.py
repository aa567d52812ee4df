"""Statements between real daemons, while daemons are killed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.conftest import Stage, until

pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]

WORDS = "Our convoy exercise begins at dawn and carries no live rounds"
ANSWER = "Understood and noted with appreciation by our duty officer"


def _held(relay: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{relay / 'store' / 'mailbox.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT COUNT(*) FROM mailbox").fetchone()[0])


def test_both_ways_and_nothing_in_clear(stages: Stages) -> None:
    """If this fails there is no hotline; if the words are found at a relay or in a log, there is no secrecy."""
    stage = stages(3)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    first = stage.cli("ALPHA", "send", WORDS, "-p", "flash", "--wait", "delivered", "--timeout", "10s")
    assert first.returncode == 0, first.stdout + first.stderr
    opened = stage.cli("BRAVO", "read", "1", "--json")
    assert json.loads(opened.stdout)["text"] == WORDS
    back = stage.cli("BRAVO", "send", ANSWER, "--wait", "delivered", "--timeout", "10s")
    assert back.returncode == 0, back.stdout + back.stderr
    until(lambda: stage.statements("ALPHA", sent=True)[0].state == "read", "the READ receipt")
    assert stage.statements("ALPHA", sent=True)[0].read_by == "duty-2"

    stage.terminate("BRAVO")
    kept = stage.cli("ALPHA", "send", WORDS, "--wait", "relayed", "--timeout", "10s")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    until(lambda: all(_held(stage.folder / name) for name in stage.relays), "the statement in every mailbox")
    watched = [stage.log(name) for name in (*stage.relays, "ALPHA", "BRAVO")]
    for name in stage.relays:
        watched += [path for path in (stage.folder / name).rglob("*") if path.is_file()]
    assert len([path for path in watched if path.name.startswith("mailbox.db")]) >= 3
    for path in watched:
        data = path.read_bytes()
        for words in (WORDS, ANSWER):
            for start in range(0, len(words) - 16, 8):
                part = words[start : start + 16].encode()
                assert part not in data, f"{part!r} in {path}"
                assert part.hex().encode() not in data, f"{part!r} in {path} as hex"
    assert all(json.loads(line) for line in stage.log("ALPHA").read_text().splitlines())


def test_killed_relay_costs_nothing(stages: Stages) -> None:
    """A relay that dies in the middle must cost no statement, no repetition before the reader, and no order."""
    stage = stages(3)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    texts = [f"Statement {number} of twenty." for number in range(1, 21)]
    stage.submit("ALPHA", *texts[:7])
    stage.kill(stage.relays[0])
    stage.submit("ALPHA", *texts[7:])
    until(lambda: len(stage.received("BRAVO")) >= 20, "twenty statements")
    until(lambda: all(view.state == "delivered" for view in stage.statements("ALPHA", sent=True)), "twenty receipts")
    assert stage.received("BRAVO") == list(range(1, 21))
    assert [view.text for view in stage.statements("ALPHA", sent=True)] == texts
    stage.start(stage.relays[0])
    until(lambda: stage.up("ALPHA"), "the third path again")
    assert stage.received("BRAVO") == list(range(1, 21))


def test_killed_endpoint_sends_what_it_had_queued(stages: Stages) -> None:
    """A queued statement was promised to the officer: it must arrive after the crash, once, by itself."""
    stage = stages(2)
    stage.start("ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's socket")
    stage.submit("ALPHA", "Queued before the crash.", "And a second one.")
    stage.kill("ALPHA")
    stage.start("ALPHA", "BRAVO", *stage.relays)
    until(lambda: bool(stage.status("ALPHA")) and bool(stage.status("BRAVO")), "both sockets")
    until(lambda: len(stage.received("BRAVO")) == 2, "both statements")
    stage.kill("BRAVO")
    stage.start("BRAVO")
    stage.submit("ALPHA", "After BRAVO's crash.")
    until(lambda: bool(stage.status("BRAVO")) and len(stage.received("BRAVO")) == 3, "the third statement")
    until(lambda: all(view.state == "delivered" for view in stage.statements("ALPHA", sent=True)), "all receipts")
    assert stage.received("BRAVO") == [1, 2, 3]


def test_stop_is_quick_and_told(stages: Stages) -> None:
    """A stop that takes long is killed by the service manager; one that is not told looks like a cut wire."""
    stage = stages(2)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    assert stage.status("BRAVO")["peer"]["presence"] == "alive"
    code, seconds = stage.terminate("ALPHA")
    assert (code, seconds < 3) == (0, True)
    until(lambda: stage.status("BRAVO")["peer"]["presence"] == "closing", "the word that ALPHA closes", 3)
    assert not Path(stage.socket("ALPHA")).exists()
    for name in (*stage.relays, "BRAVO"):
        code, seconds = stage.terminate(name)
        assert (name, code, seconds < 3) == (name, 0, True)
        assert "asked to" in stage.log(name).read_text()
