"""A relay is replaced while two real daemons are in service."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hotline.charter.amendment import Changes, amend
from hotline.charter.delta import to_text
from hotline.charter.model import load_charter, sign_charter
from hotline.drill.rehearsal import add_relay, signed_by_all
from hotline.drill.stage import reserve_ports
from tests.process.conftest import Stage, until

pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]


def _under(stage: Stage, party: str, serial: int, *relays: str) -> bool:
    picture = stage.status(party)
    up = {path["name"] for path in picture.get("paths", []) if path["state"] == "up"}
    return picture.get("charter_serial") == serial and up == set(relays) == {p["name"] for p in picture["paths"]}


def test_a_relay_is_replaced_in_service(stages: Stages) -> None:
    """Both capitals would have to stop to change a relay, at the very moment they need one (docs/protocol.md 24.9)."""
    stage = stages(2)
    stage.start("relay-1", "relay-2", "ALPHA", "BRAVO")
    (port,) = reserve_ports(1, stage.belongings)
    address = f"127.0.0.1:{port}"
    _, card = add_relay(stage.folder, "relay-3", address, "amended.note")
    base = stage.rehearsal.charter.read_bytes()
    text = amend(base, Changes(relays=[card], retire=["relay:relay-1"]), load_charter(base).created)
    amended, half = stage.folder / "amended.note", stage.folder / "half.note"
    amended.write_bytes(signed_by_all(text, stage.rehearsal.identities))
    half.write_bytes(sign_charter(text, "ALPHA", stage.rehearsal.identities["ALPHA"]))
    stage.start("relay-3")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")

    refused = stage.cli("ALPHA", "charter", "activate", str(half))
    assert (refused.returncode, "not signed by BRAVO" in refused.stderr) == (4, True)
    stage.submit("ALPHA", "before")
    assert stage.cli("ALPHA", "charter", "activate", str(amended)).returncode == 0
    stage.submit("ALPHA", "between")
    assert stage.status("ALPHA")["charter_serial"] == 1
    proposal, fetched = stage.folder / "proposal.txt", stage.folder / "fetched.note"
    proposal.write_text(to_text(amended.read_bytes(), base))
    stage.cli("ALPHA", "send", "--file", str(proposal), "--wait", "delivered")
    brought = stage.cli("BRAVO", "charter", "fetch", "3", "-o", str(fetched))
    assert "relay-3" in brought.stdout, brought.stderr
    assert fetched.read_bytes() == amended.read_bytes()
    assert stage.cli("BRAVO", "charter", "activate", str(fetched)).returncode == 0
    stage.submit("ALPHA", "after")
    for party in ("ALPHA", "BRAVO"):
        until(lambda party=party: _under(stage, party, 2, "relay-2", "relay-3"), f"{party} under serial 2")  # type: ignore[misc]

    stage.kill("relay-1")
    stage.kill("relay-2")
    stage.submit("ALPHA", "over the new relay alone")
    stage.kill("ALPHA")  # its configuration still names the file of serial 1
    stage.start("ALPHA", "relay-2")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's daemon")
    stage.submit("ALPHA", "after a crash")
    until(lambda: len(stage.received("BRAVO")) == 6, "everything at BRAVO")
    assert stage.received("BRAVO") == [1, 2, 3, 4, 5, 6]
    assert stage.status("ALPHA")["charter_serial"] == 2
    alarms = {alarm["name"] for party in ("ALPHA", "BRAVO") for alarm in stage.status(party)["alarms"]}
    assert not {name for name in alarms if name.startswith("charter")}
