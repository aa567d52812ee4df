"""An officer of a drill goes through a checklist by the command, as far as it goes without a terminal."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hotline.drill import checklists
from hotline.drill.injects import Checklist
from hotline.drill.plan import library, load_plan
from hotline.drill.scene import Scene
from hotline.drill.stage import Stage
from hotline.drill.staging import NoLinks
from hotline.errors import LocalError
from tests.hotline.drill.test_performers import PLAN, stage

__all__ = ["stage"]


@pytest.fixture
def scene(stage: Stage, tmp_path: Path) -> Scene:
    return Scene(PLAN, stage, NoLinks(), random.Random(7), tmp_path)


def watch(**fields: object) -> Checklist:
    word = {"fault": "checklist", "at": "0s", "from": "ALPHA", "checklist": "opening-the-watch"}
    return Checklist.model_validate(word | fields)


def test_each_step_is_answered(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command would refuse the answers, or enter a step as done that was skipped."""
    asked: list[str] = []
    monkeypatch.setattr(checklists, "at_the_keyboard", lambda scene, party, *words: asked.extend((party, *words)))
    entries: list[dict[str, object]] = []
    scene.record = lambda kind, **fields: entries.append({"kind": kind, **fields})
    checklists.checklist(watch(skip={"2": "No light."}), scene)
    assert asked[:4] == ["ALPHA", "checklist", "run", "opening-the-watch"]
    assert asked[4::2] == ["--answer"] * 8
    assert asked[5::2] == ["done", "skip:No light.", *["done"] * 6]
    assert entries == [{"kind": "checklist", "from": "ALPHA", "name": "opening-the-watch", "done": 7, "skipped": 1}]


def test_what_cannot_be_gone_through_is_told(scene: Scene) -> None:
    """The drill would go on as if an officer had done it."""
    with pytest.raises(LocalError, match="8 steps: there is no step 9"):
        checklists.checklist(watch(skip={"9": "No such step."}), scene)
    with pytest.raises(LocalError, match="coffee: no such checklist"):
        checklists.checklist(watch(checklist="coffee"), scene)


def test_the_checklists_of_the_library_are_there() -> None:
    """A drill would stop in its middle, for a list that was renamed."""
    from hotline.cli.checklist import load

    found = [one for path in library() for one in load_plan(path).plan.inject if isinstance(one, Checklist)]
    assert found
    for one in found:
        assert max(map(int, one.skip), default=0) <= len(load(one.checklist)[2].step)
