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
    assert bravo("shown", "1").code == 0
    (row,) = printed(bravo("log", "--received", "--json").out)
    names = ("approved", "transmitted", "received", "sight", "shown", "rough", "official")
    assert [name for name in names if row[name]] == ["received", "shown", "rough", "official"]
    until(lambda: stage.statements("ALPHA", sent=True)[0].shown_ms > 0, "the SHOWN receipt")
    (ours,) = printed(alpha("log", "--json").out)
    assert [name for name in names if ours[name]] == ["transmitted", "received", "shown", "official"]
    assert bravo("log", "--sent").out == "nothing was said\n", "a translation is in a column, and no row"
    assert alpha("log", "7").code == 1
    home = next(item for item in stage.rehearsal.terminals if item.party == "BRAVO")
    assert run("audit", "fsck", "--store", home.folder / "store").code == 0


def test_a_phrase_and_its_values_are_read_alike_on_both_sides(
    stages: Stages, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said in Urdu, read in Hindi, with the number where it belongs (docs/protocol.md 21.8 and 21.10)."""
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    alpha, bravo = officer(run, stage, "ALPHA"), officer(run, stage, "BRAVO")
    said = alpha("send", "--phrase", "B02", "--fill", "number=17", "--lang", "ur", "--wait", "delivered", "--json")
    assert printed(said.out)[0]["phrase"]["agrees"] is True
    typed = ("--field", "time=2026-11-25T10:00Z", "--field", "coord.site=28.6139,-77.2")
    desks = ("--action", "Foreign Minister", "--info", "Defence Minister", "--reference", "12/26")
    alpha("send", "At {time}, {site}.", *typed, *desks, "--wait", "delivered")
    assert "Foreign Minister" not in bravo("inbox", "--json").out, "nobody has opened it"
    assert alpha("send", "At {time}.", "--field", "time=10:00").code == 1
    (listed, _) = printed(bravo("inbox", "--json").out)
    assert (listed["text"], listed["fields"], listed["phrase"]) == (None, [], None), "nobody has opened it"
    monkeypatch.setenv("HOTLINE_LANGUAGE", "hi")
    opened = bravo("read", 1).out
    assert "ہمیں آپ کا پیغام \u206817\u2069" in opened
    assert "हमें आपका संदेश \u206817\u2069" in opened
    assert "unreviewed" in opened
    assert "WARNING" not in opened
    opened = bravo("read", 2).out
    assert "At \u20682026-11-25T10:00Z\u2069, \u206828.6139N 077.2000W\u2069." in opened
    assert "  coord   site             28.6139N 077.2000W" in opened
    assert "  action           Foreign Minister" in opened
    (listed,) = [one for one in printed(bravo("inbox", "--json").out) if one["serial"] == 2]
    assert (listed["action"], listed["info"], listed["reference"]) == (
        ["Foreign Minister"],
        ["Defence Minister"],
        "12/26",
    )
