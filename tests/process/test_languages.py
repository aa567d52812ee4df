"""Translations and coded phrases between real daemons, as officers meet them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hotline.cli.conftest import Ran, Run, run
from tests.process.conftest import Stage, until
from tests.schemas import printed

__all__ = ["run"]
pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]


def officer(run: Run, stage: Stage, party: str) -> Run:
    """Commands of one side's officer, in this process: a new one for each would take longer than all the rest."""

    def call(*words: object) -> Ran:
        return run(*words, "--socket", stage.socket(party))

    return call


def test_a_translation_stands_beside_what_was_said(stages: Stages, run: Run, tmp_path: Path) -> None:
    """Officers see what holds, what the other side makes of it, and where readings part (docs/protocol.md 21.6)."""
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    alpha, bravo = officer(run, stage, "ALPHA"), officer(run, stage, "BRAVO")
    alpha("send", "مشق منسوخ کر دی گئی ہے۔", "--lang", "ur", "--wait", "delivered")
    rough, official = tmp_path / "rough.txt", tmp_path / "official.txt"
    rough.write_text("The exercise was called off.\n")
    official.write_text("The exercise has been cancelled.\n")
    made = ("translate", "1", "--lang", "en", "--translator", "A. Reader")
    early = bravo(*made, str(rough))
    assert (early.code, "has not been opened" in early.err) == (1, True)
    assert bravo("translations", "1").code == 1
    bravo("read", "1")
    assert "kept here as 1" in bravo(*made, str(rough)).out
    (sent,) = printed(bravo(*made, "--grade", "official", "--send", "--json", str(official)).out)
    assert (sent["serial"], sent["number"], sent["grade"]) == (1, None, "official")
    assert bravo(*made, str(tmp_path / "nowhere")).code == 1
    told = bravo("read", "1").out
    assert told.index("مشق") < told.index("rough (en) by A. Reader, kept here as 1")
    shown = bravo("translations", "1").out
    assert "A: was called off." in shown
    assert "B: has been cancelled." in shown
    (whole,) = printed(bravo("translations", "1", "--json").out)
    assert whole["divergences"][0]["places"] == [
        {"after": "The exercise", "one": "was called off.", "other": "has been cancelled."}
    ]
    until(lambda: bool(stage.statements("ALPHA", sent=False)), "what BRAVO made of it")
    opened = alpha("read", "1").out
    assert "OFFICIAL TRANSLATION OF #0001 (OURS) by A. Reader: the original is authoritative" in opened
    assert opened.index("مشق") < opened.index("The exercise has been cancelled.")
    courtesy = ("translate", "1", "--sent", "--lang", "en", "--translator", "A. Writer", "--json", str(official))
    assert printed(alpha(*courtesy).out)[0]["serial"] == 2
    (listed,) = printed(alpha("translations", "1", "--sent", "--json").out)
    assert [one["where"] for one in listed["translations"]] == ["received", "sent"]
    home = next(item for item in stage.rehearsal.terminals if item.party == "BRAVO")
    assert run("audit", "fsck", "--store", home.folder / "store").code == 0
