"""A main terminal that dies, and the alternate that goes on, as real processes (docs/protocol.md section 23)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2
from tests.process.conftest import Stage, until

pytestmark = pytest.mark.process


def test_the_alternate_goes_on_where_the_main_terminal_was_killed(stages: Callable[..., Stage]) -> None:
    """Killed in the middle of FLASH traffic: nothing is lost or said twice, and the answer is read (P40, P41)."""
    stage = stages(2, ("ALPHA",))
    stage.start(*stage.relays, "ALPHA", "ALPHA-alt", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("ALPHA-alt") and stage.up("BRAVO"), "every path up")
    refused = stage.cli("ALPHA-alt", "send", "A second voice", "-p", "flash")
    assert refused.returncode == 1
    assert "stands by" in refused.stderr
    texts = [f"Flash {number} of the exchange" for number in range(1, 9)]
    stage.submit("ALPHA", *texts)
    stage.kill("ALPHA")
    taken = stage.cli("ALPHA-alt", "terminal", "takeover", "--yes")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    after = stage.cli("ALPHA-alt", "send", "The alternate speaks", "-p", "flash", "--wait", "delivered")
    assert after.returncode == 0, after.stdout + after.stderr
    stage.submit("BRAVO", "Read and understood")
    until(lambda: len(stage.received("ALPHA-alt")) == 1, "the answer at the alternate")
    assert _read(stage, "ALPHA-alt") == ["Read and understood"]
    until(lambda: stage.statements("BRAVO", sent=True)[0].state == "read", "the READ receipt")

    stage.start("ALPHA")
    until(lambda: _speaks(stage, "ALPHA") == "alt", "the returned one to stand by")
    until(lambda: stage.received("ALPHA") == [1], "the answer at the other one")
    until(lambda: _settled(stage), "everything decided")
    read = _read(stage, "BRAVO")
    assert sorted(read) == sorted(set(read)), "nothing twice"
    assert read[-1] == "The alternate speaks"
    until(lambda: _known(stage) == {text for text in texts if text in read}, "each told of what was received")
    listed = json.loads(stage.cli("BRAVO", "terminal", "list", "--json").stdout)["terminals"]
    assert [one["terminal"] for one in listed if one["party"] == "ALPHA" and one["speaks"]] == ["alt"]


def _read(stage: Stage, name: str) -> list[str]:
    """Open everything that has come, in order."""
    with daemon(stage.socket(name)) as stub:
        return [stub.Read(operator_pb2.ReadRequest(serial=serial)).statement.text for serial in stage.received(name)]


def _known(stage: Stage) -> set[str]:
    """What the returned terminal knows that the peer has."""
    views = stage.statements("ALPHA", sent=True)
    return {view.text for view in views if view.state in ("delivered", "read")} - {"The alternate speaks"}


def _speaks(stage: Stage, name: str) -> str:
    found = stage.status(name).get("terminals", [])
    return str(next((one["terminal"] for one in found if one["party"] == "ALPHA" and one["speaks"]), ""))


def _settled(stage: Stage) -> bool:
    """Whether the returned terminal knows of each of its statements what became of it."""
    return all(view.state in ("delivered", "read", "expired") for view in stage.statements("ALPHA", sent=True))
