"""What a watch does beside statements, against real daemons: talk and challenges."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
