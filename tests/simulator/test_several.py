"""Storms over three parties, each judged; what parties.py must see is planted."""

from __future__ import annotations

import pytest

from tests.simulator.plantedseveral import PLANTED, STORM_MS, first_complaint
from tests.simulator.several import Outcome, draw, play, run_seed

SEEDS = (1, 3, 7, 11)
"""An old backup, one that says two things, one that shows two ledgers, and one that does so behind relays that lie."""
QUICK = (
    "each of the others gets words of its own",
    "the receipt of one counts for all",
    "what is said is owed to one",
    "presence is told at one window",
    "what is done at a window counts at the first",
    "whom others heard is not told so",
    "a checklist counts at the first window",
    "what is left open is done",
)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_judge_complains_of_three_parties(seed: int) -> None:
    """One would be told what another has, or an honest one convicted (docs/protocol.md 26.4, 26.5, 26.11, 26.14)."""
    outcome = run_seed(seed, STORM_MS)
    assert not outcome.broken, f"seed {seed}: {outcome.judge}: {outcome.broken}"
    assert outcome.accepted > 5
    assert outcome.played["part"]
    assert outcome.played["refused"]
    assert {"presence", "corrected", "promised"} & set(outcome.played)
    assert ("checklist-whole" in outcome.played) is (seed == 7)
    assert outcome.played[{1: "restore", 3: "two-words", 7: "two-ledgers", 11: "two-words"}[seed]]


@pytest.mark.parametrize("name", QUICK)
def test_a_fault_planted_among_three_is_seen(name: str) -> None:
    """Judges that cannot see it would let a real one pass; `make planted` has the others (docs/protocol.md 26.17)."""
    (planted,) = [one for one in PLANTED if one.name == name]
    assert first_complaint(planted) is not None


def test_every_planted_fault_has_its_place() -> None:
    """A name that was changed in the product would be found out by nobody but the campaign that has no time."""
    for planted in PLANTED:
        with planted.in_place():
            pass


def test_the_same_seed_gives_the_same_parley() -> None:
    """A failing seed could not be looked at again."""

    def once() -> Outcome:
        return play(draw(2, storm_ms=10_000))

    assert once().digest == once().digest
