"""What a watch does beside statements, against real daemons: talk, challenges, handovers, checklists."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotline.charter.ceremony import make_officer
from hotline.crypto.identity import IdentityKey
from hotline.crypto.vault import plain_secret
from hotline.drill import rehearsal
from tests.process.conftest import Stage, until
from tests.schemas import printed

pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]


def test_operators_talk_and_challenge(stages: Stages) -> None:
    """The commands of section 25 in the order of a watch, in words and in JSON that keeps its schema."""
    # docs/protocol.md 25.1, 25.6 and 25.7
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")

    (said,) = printed(stage.cli("ALPHA", "service", "send", "All well here.", "--wait", "delivered", "--json").stdout)
    assert (said["schema"], said["state"], said["serial"]) == ("hotline.talk/1", "delivered", 1)
    assert stage.cli("ALPHA", "service", "send", "x" * 1_001).returncode == 1
    assert "nothing to read" in stage.cli("BRAVO", "inbox", "--unread").stdout, "talk is no statement"
    assert "0001" in stage.cli("BRAVO", "service", "inbox", "--unread").stdout
    opened = stage.cli("BRAVO", "service", "read", "1").stdout
    assert opened.startswith("SERVICE  operators' talk")
    assert "All well here." in opened
    assert "SERVICE 0 to deliver, 0 to read" in stage.cli("BRAVO", "status").stdout

    stage.cli("ALPHA", "send", "Our aircraft is in distress.", "-p", "flash", "--wait", "delivered")
    (asked,) = printed(stage.cli("BRAVO", "challenge", "1", "--json").stdout)
    assert (asked["question"], asked["record"], asked["officer"]) == ("said", "yes", None)
    assert stage.cli("ALPHA", "challenge", "confirm", "1", "--answer", "no", "--text", "Nobody here.").returncode == 0
    until(lambda: ": NO" in stage.cli("BRAVO", "challenge", "list").stdout, "the answer")
    (known,) = printed(stage.cli("BRAVO", "challenge", "list", "--json").stdout)
    assert (known["record"], known["officer"]) == ("yes", "no")
    assert "we were asked whether #0001" in stage.cli("ALPHA", "challenge", "list").stdout
    late = stage.cli("ALPHA", "challenge", "1", "--sent", "--wait", "officer", "--timeout", "1s")
    assert (late.returncode, "record: YES" in late.stdout) == (5, True)
    assert stage.cli("BRAVO", "challenge", "7").returncode == 1


def test_the_watch_is_handed_over_and_a_checklist_run(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was shown is what is signed, with the officer's own key (docs/protocol.md 25.10 to 25.12)."""
    seeds: dict[str, bytes] = {}
    usual = rehearsal._officers

    def one_more(
        party: str, number: int, key: IdentityKey, now: int, *, by_two: bool
    ) -> list[tuple[str, bytes, bytes]]:
        relief = make_officer(key, party, f"duty-{number + 6}", ("duty",), os.urandom, now)
        made = [*usual(party, number, key, now, by_two=by_two), (f"duty-{number + 6}", *relief)]
        seeds.update((name, seed) for name, seed, _ in made)
        return made

    monkeypatch.setattr(rehearsal, "_officers", one_more)
    stage = stages(1)
    config = next(item.config for item in stage.rehearsal.terminals if item.party == "ALPHA")
    config.write_text(config.read_text().replace('name = "duty-1"', 'name = "duty-7"'))
    key = tmp_path / "duty-1.key"
    key.write_bytes(plain_secret("officer", "ALPHA/duty-1", seeds["duty-1"]))
    key.chmod(0o600)
    stage.start("ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's daemon")

    (shown,) = printed(stage.cli("ALPHA", "handover", "show", "--json").stdout)
    assert shown["number"] is None
    stage.cli("ALPHA", "send", "Nobody hears this yet.")
    sign = ("handover", "sign", "--key", str(key), "--notes", "One statement waits.", "--yes")
    stale = stage.cli("ALPHA", *sign, "--list", shown["hash"])
    assert (stale.returncode, "something has changed" in stale.stderr) == (1, True)
    signed = stage.cli("ALPHA", *sign)
    assert (signed.returncode, "waiting: #0001 queued" in signed.stdout) == (0, True)
    (kept,) = printed(stage.cli("ALPHA", "handover", "list", "--json").stdout)
    assert (kept["number"], kept["outgoing"], kept["oncoming"]) == (1, "duty-7", "duty-1")
    assert "One statement waits." in stage.cli("ALPHA", "handover", "show", "1").stdout
    other = tmp_path / "other.key"
    other.write_bytes(plain_secret("officer", "ALPHA/duty-1", bytes(32)))
    other.chmod(0o600)
    assert stage.cli("ALPHA", "handover", "sign", "--key", str(other), "--yes").returncode == 4

    answers = [word for _ in range(8) for word in ("--answer", "done")] + ["--answer", "skip:no courier here"]
    run = stage.cli("ALPHA", "checklist", "run", "line-silent", *answers)
    assert (run.returncode, "8 done, 1 skipped, 0 open" in run.stdout) == (0, True)
