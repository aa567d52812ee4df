"""Three real witnesses and a real hotline: the ledgers are witnessed while a majority of them lives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.drill.stage import Stage, operator, short_folder, status_of, wait_until
from hotline.ledger.record import parse_leaf
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.recordfiles import open_record
from hotline.wire.v1 import operator_pb2
from tests.process.conftest import hotline

pytestmark = pytest.mark.process

LONG = 60.0
"""Seconds: heads are exchanged every ten, and this machine may be busy."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = short_folder()
    try:
        with Stage(folder, relays=1, witnesses=3) as made:
            for witness in made.witnesses:
                made.start_witness(witness)
            for relay in made.relays:
                made.start_relay(relay)
            for terminal in (made.alpha, made.bravo):
                made.start_endpoint(terminal)
            yield made
    finally:
        shutil.rmtree(folder)


def ledger(stage: Stage) -> dict[str, Any]:
    picture: dict[str, Any] = status_of(stage.alpha).get("ledger", {})
    return picture


def test_a_majority_witnesses_the_ledgers_and_one_may_die(stage: Stage) -> None:
    """A quorum would exist in the charter only."""
    wait_until(lambda: ledger(stage).get("witnessed", 0) > 0, "a quorum to cosign", LONG)
    before = ledger(stage)["witnessed"]
    stage.kill(stage.witnesses[0].name)
    with operator(stage.alpha) as stub:
        stub.Submit(operator_pb2.SubmitRequest(precedence=1, language="en", direction=1, text="So that the log grows."))
    wait_until(lambda: ledger(stage)["witnessed"] > before, "the others to go on", LONG)
    assert ledger(stage)["quorum"] is True
    stage.start_witness(stage.witnesses[0])


def test_whether_a_quorum_has_seen_an_entry_is_said_by_the_exit_code(stage: Stage) -> None:
    """An entry would be disclosed whose proof nobody need believe."""
    store = (
        "--store",
        str(stage.alpha.folder / "store"),
        "--charter",
        str(stage.rehearsal.charter),
        "--party",
        "ALPHA",
    )
    wait_until(lambda: ledger(stage).get("witnessed", 0) > 0, "a quorum to cosign", LONG)
    last = ledger(stage)["witnessed"] - 1
    for entry, code in ((0, 0), (last, 0), (last + 1_000_000, 10)):
        assert hotline("audit", "witness-status", *store, "--entry", str(entry)).returncode == code, entry


def kinds(stage: Stage) -> list[str]:
    """Types of every entry of ALPHA's ledger."""
    with open_record(stage.alpha.folder / "store") as logs:
        return [parse_leaf(leaf).type for log in logs for leaf in log.leaves()]


def test_who_reads_the_record_of_a_living_terminal_stands_in_it(stage: Stage) -> None:
    """Somebody could look through everything, and nobody would ever know."""
    before = kinds(stage).count("audit.read")
    assert hotline("audit", "list", "--store", str(stage.alpha.folder / "store"), "--json").returncode == 0
    wait_until(lambda: kinds(stage).count("audit.read") > before, "the reading to be recorded", LONG)


def test_content_keys_are_destroyed_when_their_time_is_over(stage: Stage) -> None:
    """What was promised to be forgotten would be kept for ever."""
    stage.stop("ALPHA")
    home = stage.alpha.folder
    secret = decode_secret(TerminalSecret, (home / "terminal.key").read_bytes(), None)[1]
    keys = ContentKeys(home / "store" / "keys", secret.storage)
    keys.seal("old", b"x", 1_700_000_000_000)
    old, now = keys.periods()
    stage.alpha.config.write_text("retention_months = 1\n" + stage.alpha.config.read_text())
    stage.start_endpoint(stage.alpha)
    assert old == "2023-11"
    wait_until(lambda: keys.periods() == [now], "a quorum to bear the clock out", LONG)
    wait_until(lambda: "audit.destroy" in kinds(stage), "the destruction to be recorded", LONG)
    assert "config.changed" in kinds(stage)
    with operator(stage.alpha) as stub:
        listed = stub.ListStatements(operator_pb2.ListStatementsRequest(sent=True)).statement
    assert [view.text for view in listed] == ["So that the log grows."], "what is not due is still there"
