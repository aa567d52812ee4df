"""The rungs above READ between real daemons, as officers climb them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.conftest import Stage, until
from tests.schemas import printed

pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]


def test_shown_promised_overdue_and_answered(stages: Stages) -> None:
    """An officer who shows a statement and promises an answer is believed at the other end (docs/protocol.md 20.1)."""
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    stage.cli("ALPHA", "send", "Whose aircraft is it?", "-p", "flash", "--wait", "delivered")
    refused = stage.cli("BRAVO", "shown", "1")
    assert (refused.returncode, "read it first" in refused.stderr) == (1, True)
    assert stage.cli("BRAVO", "reply-by", "1", "yesterday").returncode == 1
    assert stage.cli("BRAVO", "reply-by", "1", "2020-01-01T00:00Z").returncode == 1
    stage.cli("BRAVO", "read", "1")
    assert stage.cli("BRAVO", "shown", "1", "--principal", "The \x1b[31mPM").returncode == 0
    assert "answer to #1 until" in stage.cli("BRAVO", "reply-by", "1", "1s").stdout
    until(lambda: stage.statements("ALPHA", sent=True)[0].reply_by_ms > 0, "the promise")
    until(lambda: stage.statements("ALPHA", sent=True)[0].state == "shown", "the SHOWN receipt")
    (told,) = printed(stage.cli("ALPHA", "sent", "1", "--json").stdout)
    assert (told["state"], told["shown_to"], told["answered_by"]) == ("shown", "The \x1b[31mPM", None)
    words = stage.cli("ALPHA", "sent", "1").stdout
    assert "[31mPM, by duty-2, signed by BRAVO" in words
    assert "reply promised   until" in words
    assert "\x1b" not in stage.cli("BRAVO", "inbox").stdout + stage.cli("BRAVO", "read", "1").stdout
    for party in ("ALPHA", "BRAVO"):
        until(lambda party=party: stage.status(party)["promises"][0]["overdue"], "an overdue promise")  # type: ignore[misc]
        (picture,) = printed(stage.cli(party, "status", "--json").stdout)
        assert "promise-overdue" in [alarm["name"] for alarm in picture["alarms"]]
    stage.cli("BRAVO", "send", "It is ours.", "--reply-to", "1", "--wait", "delivered")
    assert stage.status("ALPHA")["promises"] == stage.status("BRAVO")["promises"] == []
    assert "ANSWERED BY #0001" in stage.cli("ALPHA", "sent").stdout.upper()


def test_what_is_late_calls_the_watch(tmp_path: Path) -> None:
    """Nobody looks at a terminal at night: the command of the configuration is called, and is told what rings."""
    # docs/protocol.md 20.7, 20.10 and 20.11
    stage = Stage(tmp_path, 1, objective_ms=(60_000, 30_000, 10_000, 2_000))
    out, bell = tmp_path / "bell.jsonl", tmp_path / "bell"
    bell.write_text(f"#!/bin/sh\ncat >> {out}\n")
    bell.chmod(0o755)
    alpha = next(item.config for item in stage.rehearsal.terminals if item.party == "ALPHA")
    alpha.write_text(alpha.read_text() + f'\n[alarm]\ncommand = ["{bell}"]\n')
    try:
        stage.start(*stage.relays, "ALPHA", "BRAVO")
        until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
        stage.kill("BRAVO")
        stage.cli("ALPHA", "send", "It was an accident.", "-p", "flash")
        until(lambda: out.exists() and '"not-delivered"' in out.read_text(), "the bell")
        alarms = printed(out.read_text())
        (late,) = [one for one in alarms if one["name"] == "not-delivered"][:1]
        assert (late["party"], late["terminal"], late["serial"], late["plane"]) == ("ALPHA", "main", 1, "real")
        assert "accident" not in out.read_text()
        until(lambda: stage.status("ALPHA")["peer"]["verdict"]["word"] == "fault", "a fault")
        assert "on all paths: fault" in stage.cli("ALPHA", "status").stdout
        assert "not-delivered" in [json.dumps(one["name"]).strip('"') for one in stage.status("ALPHA")["alarms"]]
    finally:
        stage.end()
