"""Whatever a test of this folder is about: what is recorded is documented, and the tables follow from the record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotline.ledger.record import parse_leaf
from hotline.machine import Output
from hotline.protocol.events import EndpointEvent
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from tests.hotline.protocol.documented import problems
from tests.hotline.protocol.pair import Memory, Pair, Party


def ledger_and_tables(memory: Memory) -> list[str]:
    """Where the tables are not what the ledger tells (docs/protocol.md 13.3)."""
    tables = {table: memory.rows(table) for table in REBUILT}
    return differences(rebuild(parse_leaf(leaf) for one in memory.log.epochs.values() for leaf in one.leaves), tables)


@pytest.fixture(autouse=True)
def documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every step of every party is checked, and the disk of every party at the end."""
    plain_step, plain_init = Party.step, Party.__init__
    parties: list[Party] = []

    def init(self: Party, pair: Pair, name: str, number: int) -> None:
        plain_init(self, pair, name, number)
        parties.append(self)

    def step(self: Party, event: EndpointEvent) -> Output:
        output = plain_step(self, event)
        assert problems(output) == []
        return output

    monkeypatch.setattr(Party, "__init__", init)
    monkeypatch.setattr(Party, "step", step)
    yield
    for party in parties:
        assert party.lies or ledger_and_tables(party.memory) == [], party.name
