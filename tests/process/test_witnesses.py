"""Three real witnesses and a real hotline: the ledgers are witnessed while a majority of them lives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from hotline.cli.stage import Stage, operator, short_folder, status_of, wait_until
from hotline.wire.v1 import operator_pb2


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
    wait_until(lambda: ledger(stage).get("witnessed", 0) > 0, "a quorum to cosign")
    before = ledger(stage)["witnessed"]
    stage.kill(stage.witnesses[0].name)
    with operator(stage.alpha) as stub:
        stub.Submit(operator_pb2.SubmitRequest(precedence=1, language="en", direction=1, text="So that the log grows."))
    wait_until(lambda: ledger(stage)["witnessed"] > before, "the others to go on")
    assert ledger(stage)["quorum"] is True
    stage.start_witness(stage.witnesses[0])
