"""Three daemons over two relays: one statement, signed once, read by both others, verified from all three ledgers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2
from tests.process.conftest import Stage, hotline, until

pytestmark = pytest.mark.process
NAMES = ("ALPHA", "BRAVO", "CHARLIE")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "three", 2, parties=NAMES)
    yield made
    made.end()


def _run(*words: object) -> tuple[int, str]:
    done = hotline(*words)
    return done.returncode, done.stdout + done.stderr


def test_one_statement_among_three(stage: Stage) -> None:
    """Three capitals could found a hotline that no daemon serves (docs/protocol.md 26.4, 26.8)."""

    def read(party: str, other: str) -> str:
        with daemon(f"{stage.socket(party)}.{other}") as stub:
            return stub.Read(operator_pb2.ReadRequest(serial=1)).statement.text

    def listed(party: str, other: str, *, sent: bool) -> list[tuple[int, str]]:
        with daemon(f"{stage.socket(party)}.{other}") as stub:
            found = stub.ListStatements(operator_pb2.ListStatementsRequest(sent=sent)).statement
        return [(view.serial, view.state) for view in found]

    def heard(name: str) -> bool:
        return [one["paths_up"] for one in stage.status(name).get("parties", [])] == [2, 2]

    stage.start("relay-1", "relay-2", *NAMES)
    until(lambda: all(heard(name) for name in NAMES), "every party at every other", 60)
    stage.submit("ALPHA", "Our ships keep their distance.")
    until(
        lambda: listed("BRAVO", "ALPHA", sent=False) == listed("CHARLIE", "ALPHA", sent=False) == [(1, "unread")], "it"
    )
    code, text = _run("read", "1", "--socket", f"{stage.socket('BRAVO')}.ALPHA")
    assert (code, "Our ships keep their distance." in text) == (0, True), text
    until(lambda: listed("ALPHA", "BRAVO", sent=True) == [(1, "read")], "the receipt of one of the two")
    assert listed("ALPHA", "CHARLIE", sent=True) == [(1, "delivered")]
    for window, whose in (("", "BRAVO"), (".BRAVO", "BRAVO"), (".CHARLIE", "CHARLIE")):
        code, text = _run("sent", "1", "--socket", f"{stage.socket('ALPHA')}{window}")
        assert (code, f"signed by {whose}'s terminal" in text) == (0, True), text
    with daemon(f"{stage.socket('ALPHA')}.CHARLIE") as stub:
        events = stub.Watch(operator_pb2.WatchRequest(), timeout=30)
        events.initial_metadata()
        assert read("CHARLIE", "ALPHA") == "Our ships keep their distance."
        told = next(one for one in (json.loads(event.json) for event in events) if one.get("state") == "read")
        assert told["party"] == "CHARLIE", "who watches that window hears of that party"
        events.cancel()
    # From the other one, at the window that is not the first.
    with daemon(f"{stage.socket('CHARLIE')}.BRAVO") as stub:
        said = operator_pb2.SubmitRequest(
            precedence=1, language="en", direction=1, text="So do ours.", request_key=b"k"
        )
        assert stub.Submit(said).accepted
    until(lambda: listed("ALPHA", "CHARLIE", sent=False) == [(1, "unread")], "the answer")
    assert read("ALPHA", "CHARLIE") == "So do ours."
    assert listed("ALPHA", "BRAVO", sent=False) == []
    parties = stage.status("ALPHA")["parties"]
    assert [(one["party"], one["not_delivered"], one["unread_here"]) for one in parties] == [
        ("BRAVO", [], []),
        ("CHARLIE", [], []),
    ]
    for name in NAMES:
        assert stage.terminate(name)[0] == 0
    code, text = _run(
        *("audit", "verify", "--store", stage.folder / "BRAVO" / "store"),
        *("--charter", stage.rehearsal.charter, "--party", "BRAVO"),
    )
    assert (code, "VERIFIED" in text) == (0, True), text
    stores = [stage.folder / name / "store" for name in ("ALPHA", "CHARLIE")]
    compared = _run(
        "audit", "compare", *stores, "--charter", stage.rehearsal.charter, "--of", "ALPHA", "--of", "CHARLIE"
    )
    assert (compared[0], "they agree" in compared[1]) == (0, True), compared[1]
    assert _run("audit", "fsck", "--store", stage.folder / "ALPHA" / "store")[0] == 0
