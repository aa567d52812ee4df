"""Charters that both parties sign in the middle of a drill, and who is given each of them, and when."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.charter.model import load_charter
from hotline.charter.succession import read_next
from hotline.drill.amendments import exchange, travel
from hotline.drill.injects import Amend, Travel
from hotline.drill.scene import Scene
from hotline.drill.stage import Stage, short_folder
from tests.hotline.drill.test_performers import PLAN, WrittenDown

PLANE = "ALPHA-alt"


class Rehearsed(Stage):
    """Nothing of it runs: what would be started, and under which charter, is written down."""

    def begin(self) -> None:
        self.told: list[tuple[str, str, int]] = []
        self.up = set(self.names())

    def start(self, name: str) -> None:
        self.up.add(name)
        file = self.folder_of(name) / "aboard.note"
        text = (self.folder_of(name) / ("relay" if "relay" in name else "endpoint")).with_suffix(".toml").read_text()
        named = 'charter = "aboard.note"' in text
        self.told.append(("start", name, load_charter(file.read_bytes()).serial if named else 0))

    def stop(self, name: str, seconds: float = 5.0) -> int:
        self.up.remove(name)
        self.told.append(("stop", name, 0))
        return 0

    def started(self, name: str) -> bool:
        return name in self.up

    def ended(self, name: str) -> int | None:
        return None


class Handed:
    """A terminal's desk: what its officer hands in."""

    def __init__(self, name: str, stage: Rehearsed) -> None:
        self._name, self._stage = name, stage
        self.notes: list[bytes] = []

    def activate(self, note: bytes) -> None:
        self.notes.append(note)
        self._stage.told.append(("hand", self._name, load_charter(note).serial))


@pytest.fixture(scope="module")
def stage() -> Iterator[Rehearsed]:
    """A rehearsal in which ALPHA's second terminal travels."""
    folder = short_folder()
    with Rehearsed(folder, relays=2, alternates=["ALPHA"], travels=["ALPHA"]) as stage:
        yield stage
    shutil.rmtree(folder)


@pytest.fixture
def scene(stage: Rehearsed, tmp_path: Path) -> Scene:
    stage.begin()
    desks = {one.process: Handed(one.process, stage) for one in stage.terminals}
    return Scene(PLAN, stage, WrittenDown(), random.Random(1), tmp_path, desks=desks)  # type: ignore[arg-type]


def journey(lasting: str = "16s") -> Travel:
    return Travel.model_validate({"fault": "travel", "at": "0s", "target": PLANE, "apart": "0s", "for": lasting})


def test_what_travels_is_known_ahead_of_time_and_not_activated(stage: Rehearsed) -> None:
    """It would be a part of the hotline before anybody has signed for its journey (docs/protocol.md 24.13)."""
    charter = load_charter(stage.rehearsal.charter.read_bytes())
    assert (charter.serial, charter.signed_by) == (2, ("ALPHA", "BRAVO"))
    assert {(one.party, one.name): one.travels for one in charter.terminals} == {
        ("ALPHA", "main"): None,
        ("ALPHA", "alt"): (0, 0),
        ("BRAVO", "main"): None,
    }
    assert PLANE in stage.names()


def test_the_terminal_starts_with_its_paper_and_the_others_are_handed_it(stage: Rehearsed, scene: Scene) -> None:
    """Nobody would hear of the journey, or one capital would decide it alone (docs/protocol.md 24.14)."""
    before = time.time_ns() // 1_000_000
    undo = travel(journey(), scene)
    assert stage.told == [("stop", PLANE, 0), ("start", PLANE, 3), ("hand", "ALPHA", 3), ("hand", "BRAVO", 3)]
    aboard = (stage.folder_of(PLANE) / "aboard.note").read_bytes()
    assert [desk.notes for desk in scene.desks.values()] == [[aboard], [aboard], []]  # type: ignore[attr-defined]
    new = read_next(aboard, load_charter(stage.rehearsal.charter.read_bytes()))
    first, until = new.terminal("ALPHA", "alt").travels or (0, 0)
    assert before <= first <= time.time_ns() // 1_000_000
    assert until == first + 16_000
    told = list(stage.told)
    assert undo is not None
    undo()
    assert stage.told == told, "it ends by itself"


def test_what_was_exchanged_meanwhile_is_taken_first(stage: Rehearsed, scene: Scene) -> None:
    """The terminal would not start with a charter that does not follow its own (docs/protocol.md 24.4)."""
    travel(journey("1s"), scene)
    exchange(
        Amend.model_validate({"fault": "amend", "at": "0s", "leaves": "relay-1", "joins": "relay-3", "apart": "0s"}),
        scene,
    )
    stage.up.discard("BRAVO")
    stage.told.clear()
    travel(journey(), scene)
    starts = [("stop", PLANE, 0), ("start", PLANE, 4), ("stop", PLANE, 0), ("start", PLANE, 5)]
    assert stage.told == [*starts, ("hand", "ALPHA", 5)], "who does not run is handed nothing"
