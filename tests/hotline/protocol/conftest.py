"""Whatever a test of this folder is about: what is recorded is documented, and the tables follow from the record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotline.machine import Output
from hotline.protocol.events import EndpointEvent
from tests.hotline.protocol.documented import problems
from tests.hotline.protocol.pair import Pair, Party


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
        assert party.lies or party.ledger_and_tables() == [], party.name
