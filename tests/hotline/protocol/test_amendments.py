"""A charter that is amended while a line lives."""

from __future__ import annotations

from hotline.charter.model import load_charter
from tests.hotline.charter.conftest import Ceremony, ceremony  # noqa: F401 - a fixture
from tests.hotline.charter.test_amendment import FEWER_TESTS

from .pair import Pair


def test_a_charter_that_comes_into_force_is_recorded_and_kept(ceremony: Ceremony) -> None:  # noqa: F811
    """Nobody could prove under which roster something was said (docs/protocol.md 24.5)."""
    first, second = ceremony.signed, ceremony.agreed(FEWER_TESTS)
    pair = Pair()
    for party in (pair.alpha, pair.bravo):
        party.prepare(charter=load_charter(first).founding, standing=load_charter(first), note=first)
    pair.open()
    alpha = pair.alpha
    assert alpha.memory.tables["fact"][("charter.note",)]["value"] == first
    assert "charter.changed" not in alpha.kinds()
    alpha.prepare(charter=load_charter(first).founding, standing=load_charter(second), note=second)
    alpha.restart()
    changed = [record.fields for record in alpha.records if record.kind == "charter.changed"]
    hashes = {"old": load_charter(first).hash.hex(), "new": load_charter(second).hash.hex(), "serial": 2}
    assert changed == [hashes]
    assert alpha.memory.tables["fact"][("charter.note",)]["value"] == second
    alpha.restart()
    assert len([kind for kind in alpha.kinds() if kind == "charter.changed"]) == 1


def test_what_was_said_before_an_amendment_is_delivered_after_it(ceremony: Ceremony) -> None:  # noqa: F811
    """A change of roster would cost every statement under way, and its proof (docs/protocol.md 24.1)."""
    first, second = ceremony.signed, ceremony.agreed(FEWER_TESTS)
    founding = load_charter(first).founding
    pair = Pair()
    for party in (pair.alpha, pair.bravo):
        party.prepare(charter=founding, standing=load_charter(first), note=first)
    pair.open()
    pair.cut("relay-1", "relay-2")
    pair.alpha.submit("said before")
    for party in (pair.alpha, pair.bravo):
        party.prepare(charter=founding, standing=load_charter(second), note=second)
        party.restart()
    pair.join("relay-1", "relay-2")
    pair.run(5_000)
    assert pair.bravo.shown() == [1]
    assert pair.bravo.refusals() == []
    assert "delivered" in pair.alpha.states(1)
