"""Officers of a drill who sign, with the keys of a rehearsal."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hotline.charter.body import release_by_two
from hotline.charter.model import load_charter
from hotline.drill.injects import Say
from hotline.drill.plan import Plan
from hotline.drill.releases import signers_of
from hotline.drill.scene import Scene
from hotline.drill.stage import Stage, short_folder
from hotline.drill.staging import NoLinks
from hotline.drill.unreleased import MODULE, prepare
from hotline.machine import Plane
from hotline.protocol.release import RELEASED, judge, policy_of
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.drill.test_performers import PLAN


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Rehearsed with two who sign and an alternate of ALPHA; nothing of it runs."""
    folder = short_folder()
    with Stage(folder, 1, release=release_by_two(), alternates=["ALPHA"], takeover_after_ms=6_000) as stage:
        yield Scene(PLAN, stage, NoLinks(), random.Random(7), folder)
    shutil.rmtree(folder)


def says(*signers: str, **fields: object) -> Say:
    given = {"fault": "say", "at": "0s", "from": "ALPHA", "text": "Hold.", "plane": "real", "released": True}
    return Say.model_validate({**given, "signers": list(signers), **fields})


@pytest.mark.parametrize(
    ("signers", "word"),
    [
        (("drafter", "releaser"), RELEASED),
        (("drafter", "deputy"), RELEASED),
        (("drafter",), "missing"),
        (("deputy", "releaser"), "missing"),
    ],
)
@pytest.mark.parametrize(("party", "terminal"), [("ALPHA", "main"), ("ALPHA", "alt"), ("BRAVO", "main")])
def test_what_they_sign_is_what_the_other_side_looks_for(
    scene: Scene, party: str, terminal: str, signers: tuple[str, ...], word: str
) -> None:
    """A drill of two officers would be one of forged words, or a deputy would need no mandate."""
    charter = load_charter(scene.stage.rehearsal.charter.read_bytes())
    statement = content_pb2.Statement(from_party=party, text="Hold.", draft=bytes(16), precedence=4)
    draft = operator_pb2.Draft(content=encode(statement))
    for sign in signers_of(says(*signers, terminal=terminal, **{"from": party}), scene):
        statement.release.append(sign(charter.hash, draft))
    at = statement.release[0].signed_ms
    assert judge(policy_of(charter), Plane.REAL, charter.hash, statement, at) == word
    assert judge(policy_of(charter), Plane.EXERCISE, charter.hash, statement, at) == "signature"


def test_a_changed_program_is_told_which_texts_it_makes_odd() -> None:
    """Everything that the terminal says would be odd, or nothing, or the wrong terminal be changed."""
    word = {"fault": "say", "from": "BRAVO", "at": "1s"}
    injects = [{**word, "text": "Odd.", "odd": True}, {**word, "text": "Lawful."}]
    injects.append({**word, "from": "ALPHA", "text": "Alone.", "unreleased": True, "plane": "real"})
    head = {"drill": 1, "name": "made-up", "title": "t", "story": "s", "source": "s", "tags": ["hostile"]}
    plan = Plan.model_validate({**head, "inject": injects, "promise": [{"promise": "ledgers"}]})
    stage = SimpleNamespace(module={}, environment={})
    prepare(cast("Any", SimpleNamespace(plan=plan, stage=stage)))
    assert stage.module == dict.fromkeys(("ALPHA", "BRAVO"), MODULE)
    assert {name: json.loads(one["HOTLINE_DRILL_ODD"]) for name, one in stage.environment.items()} == {
        "BRAVO": ["Odd."],
        "ALPHA": [],
    }


def test_the_rule_of_takeover_stands_in_the_charter(scene: Scene) -> None:
    """Nobody would take over, and the drill wait for it (docs/protocol.md 23.13)."""
    assert load_charter(scene.stage.rehearsal.charter.read_bytes()).takeover_after_ms == 6_000
