"""Channel tests between real daemons: by schedule, by an officer, and the alarm when the peer is gone."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotline.drill.stage import reserve_ports
from tests.process.conftest import Stage, hotline, until
from tests.schemas import printed

pytestmark = pytest.mark.process
INTERVAL = 4_000
PATIENCE = 60.0
"""Several slots of both."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A hotline that is tested every four seconds."""
    made = Stage(tmp_path / "stage", 2, INTERVAL)
    made.start(*made.relays, "ALPHA", "BRAVO")
    until(lambda: made.up("ALPHA") and made.up("BRAVO"), "every path up", PATIENCE)
    yield made
    made.end()


def history(stage: Stage, party: str) -> list[dict[str, Any]]:
    """Every test that a terminal tells of."""
    return printed(stage.cli(party, "test", "history", "--limit", "500", "--json").stdout)


def alarms(stage: Stage, party: str) -> set[str]:
    """Alarms that hold now."""
    return {alarm["name"] for alarm in stage.status(party).get("alarms", [])}


def test_a_test_each_way_and_nobody_called(stage: Stage) -> None:
    """Everything could be right in the simulator and never happen on a real line."""
    until(lambda: all(stage.status(name)["tests"]["received"] for name in ("ALPHA", "BRAVO")), "both ways", PATIENCE)
    picture = stage.status("ALPHA")
    assert (picture["tests"]["interval_ms"], picture["tests"]["missed"]) == (INTERVAL, 0)
    assert picture["planes"]["real"]["unread"] == []
    (first, *_) = printed(stage.cli("ALPHA", "inbox", "--json").stdout)
    assert (first["kind"], first["state"], first["drafter"]) == ("test", "shown", "channel-test")
    assert first["text"], "whoever may list may see what a test says"
    assert printed(stage.cli("ALPHA", "inbox", "--unread", "--json").stdout) == []
    assert "TEST SHOWN" in stage.cli("ALPHA", "inbox").stdout
    assert "TEST DELIVERED" in stage.cli("ALPHA", "sent").stdout
    assert "TESTS   sent #" in stage.cli("ALPHA", "status").stdout
    opened = stage.cli("ALPHA", "read", str(first["serial"]))
    assert opened.returncode == 0
    assert "TEST TEST TEST" in opened.stdout
    found = history(stage, "ALPHA")
    assert {(test["way"], test["outcome"]) for test in found} >= {("sent", "delivered"), ("received", "arrived")}
    assert all(test["delivery_ms"] is not None for test in found if test["outcome"] == "delivered")
    assert "by two clocks" in stage.cli("ALPHA", "test", "history").stdout
    assert not [view for view in stage.statements("BRAVO", sent=True) if view.read_ms]


def test_an_officer_tests_at_once(stage: Stage) -> None:
    """After a repair the officer would have to wait for the schedule, or to say something of weight."""
    said = stage.cli("ALPHA", "test", "now")
    assert (said.returncode, said.stderr) == (0, "")
    assert "TEST queued" in said.stdout
    assert "  delivered  " in said.stdout
    (told,) = printed(stage.cli("BRAVO", "test", "now", "--json").stdout)
    assert (told["kind"], told["state"], told["way"]) == ("test", "delivered", "sent")
    until(lambda: "received" in {test["way"] for test in history(stage, "BRAVO")}, "ALPHA's test in BRAVO's history")


def test_a_peer_that_is_gone_is_missed_until_it_tests_again(stage: Stage) -> None:
    """A dead line would be found out when somebody has something to say (docs/protocol.md 10.8)."""
    until(lambda: bool(stage.status("ALPHA")["tests"]["received"]), "a test of BRAVO", PATIENCE)
    assert "test-missed" not in alarms(stage, "ALPHA")
    stage.kill("BRAVO")
    until(lambda: {"test-missed", "test-undelivered"} <= alarms(stage, "ALPHA"), "both alarms", PATIENCE)
    (missed, *_) = [test for test in history(stage, "ALPHA") if test["way"] == "missed"]
    assert (missed["outcome"], missed["serial"], missed["delivery_ms"]) == ("missed", None, None)
    assert "MISSED" in stage.cli("ALPHA", "test", "history").stdout
    late = stage.cli("ALPHA", "test", "now", "--timeout", "1s")
    # It is worth two seconds: on a busy machine it may be over before the command looks again.
    assert late.returncode in (3, 5), late.stdout + late.stderr
    assert "no path to the peer" in late.stdout or "EXPIRED" in late.stdout
    assert stage.cli("ALPHA", "test", "now", "--wait", "queued").returncode == 0

    stage.kill("ALPHA")
    stage.start("ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's daemon")
    assert {"test-missed", "test-undelivered"} <= alarms(stage, "ALPHA"), "a restart repairs no line"
    stage.start("BRAVO")
    until(lambda: not {"test-missed", "test-undelivered"} & alarms(stage, "ALPHA"), "tests both ways", PATIENCE)
    assert stage.status("BRAVO")["planes"]["real"]["unread"] == [], "no withdrawn test is to be read"
    for name in ("ALPHA", "BRAVO"):
        stage.terminate(name)
    for terminal in stage.rehearsal.terminals:
        words = ("audit", "fsck", "--store", str(terminal.folder / "store"))
        checked = hotline(*words)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_monitoring_sees_tests_that_fail(tmp_path: Path) -> None:
    """Whoever watches many lines looks at numbers, not at a terminal."""
    stage = Stage(tmp_path / "stage", 1, 1_000)
    (port,) = reserve_ports(1, stage.belongings)
    home = stage.rehearsal.terminals[0]
    with home.config.open("a") as config:
        config.write(f'\n[metrics]\nlisten = "127.0.0.1:{port}"\n')
    stage.start("ALPHA")
    try:
        until(lambda: "test-missed" in alarms(stage, "ALPHA"), "the alarm")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("hotline_channel_tests_failed{"))
        assert float(values['hotline_channel_tests_failed{way="received"}']) >= 1
        assert float(values['hotline_channel_tests_failed{way="sent"}']) >= 1
    finally:
        stage.end()
