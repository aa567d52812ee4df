"""The charter that one party alone has signed is lawful in everything but the other signature."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.charter.model import load_charter, load_draft
from hotline.drill.scene import Scene
from hotline.drill.stage import Stage, short_folder
from hotline.drill.thieves import ADDED_OFFICER, one_sided_charter
from hotline.errors import Untrusted
from tests.hotline.drill.test_performers import PLAN, WrittenDown


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Rehearsed; nothing of it runs."""
    folder = short_folder()
    with Stage(folder, relays=1) as stage:
        yield stage
    shutil.rmtree(folder)


@pytest.mark.parametrize("party", ["ALPHA", "BRAVO"])
def test_only_the_other_signature_is_missing(stage: Stage, tmp_path: Path, party: str) -> None:
    """It would be refused for a reason that this drill is not about."""
    data = one_sided_charter(Scene(PLAN, stage, WrittenDown(), random.Random(1), tmp_path), party)
    draft = load_draft(data)
    assert draft.signed_by == (party,)
    assert ADDED_OFFICER in {officer.name for officer in draft.officers if officer.party == party}
    with pytest.raises(Untrusted, match="not signed by " + ("BRAVO" if party == "ALPHA" else "ALPHA")):
        load_charter(data)
