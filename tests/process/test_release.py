"""Two officers, their keys and a draft between real daemons; and a terminal that says something without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotline.charter.body import release_by_two
from hotline.charter.cards import OfficerCard, encode
from hotline.charter.mandates import make_mandate
from hotline.charter.model import load_charter
from tests.hotline.cli.conftest import Run, run
from tests.process.conftest import Stage, until
from tests.schemas import printed

__all__ = ["run"]
pytestmark = pytest.mark.process


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "stage", 1, release=release_by_two())
    yield made
    made.end()


def test_two_officers_release_and_one_is_refused(stage: Stage, run: Run) -> None:
    """One person alone would speak for a state, or two could not (docs/protocol.md 19.9, 19.10 and 19.11)."""
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")

    def key(name: str) -> tuple[str, str, str]:
        return ("--key", str(stage.folder / "ALPHA" / f"ALPHA.{name}.officer.key"), "--yes")

    alone = stage.cli("ALPHA", "send", "We shall not fire.", "-p", "flash")
    assert alone.returncode == 8
    assert "hotline draft new" in alone.stderr
    assert stage.cli("ALPHA", "send", "An exercise.", "--exercise").returncode == 0
    made = stage.cli("ALPHA", "draft", "new", "We shall fire.", "-p", "flash")
    assert "draft 1: to be signed by drafter and releaser" in made.stdout
    nowhere = stage.cli("ALPHA", "draft", "sign", "1", *key("nobody")[:2])
    assert (nowhere.returncode, "no such file" in nowhere.stderr) == (9, True), "before it asks"
    assert stage.cli("ALPHA", "draft", "sign", "1", *key("duty-1")).returncode == 0
    edited = stage.cli("ALPHA", "draft", "edit", "1", "We shall not \x1b[31mfire.")
    assert "to be signed by drafter and releaser" in edited.stdout
    wrong = stage.cli("ALPHA", "draft", "sign", "1", *key("release-1"))
    assert (wrong.returncode, "role" in wrong.stderr) == (8, True)
    signed = stage.cli("ALPHA", "draft", "sign", "1", *key("duty-1"))
    assert "draft 1 is signed by duty-1 as drafter" in signed.stdout
    assert "\x1b" not in signed.stdout
    early = stage.cli("ALPHA", "release", "1")
    assert (early.returncode, "releaser" in early.stderr) == (8, True)
    (listed,) = printed(stage.cli("ALPHA", "draft", "list", "--json").stdout)
    assert (listed["missing"], listed["text"]) == (["releaser"], None)
    gone = stage.cli("ALPHA", "release", "1", *key("release-1"), "--wait", "delivered")
    assert gone.returncode == 0, gone.stderr
    assert "#0001 released from draft 1" in gone.stdout
    for again in (("draft", "sign", "1"), ("release", "1")):
        unasked = stage.cli("ALPHA", *again, *key("release-1")[:2])
        assert (unasked.returncode, "draft 1 is RELEASED as #0001" in unasked.stderr) == (1, True), "before it asks"
    (shown,) = printed(stage.cli("ALPHA", "draft", "show", "1", "--json").stdout)
    assert (shown["state"], shown["serial"]) == ("released", 1)
    opened = stage.cli("BRAVO", "read", "1").stdout
    assert "signed by        duty-1 as drafter" in opened
    assert "signed by        release-1 as releaser" in opened
    assert "NOT RELEASED" not in opened
    timed = ("It begins at {time}.", "--field", "time=2026-11-25T10:00Z")
    assert stage.cli("ALPHA", "draft", "new", *timed).returncode == 0
    (timed_anew,) = printed(stage.cli("ALPHA", "draft", "edit", "2", "At {time} it begins.", "--json").stdout)
    assert [field["value"] for field in timed_anew["fields"]] == ["2026-11-25T10:00Z"]
    assert "REJECTED" in stage.cli("ALPHA", "draft", "reject", "2", "--reason", "Not now.").stdout
    assert "no open drafts" in stage.cli("ALPHA", "draft", "list").stdout
    assert "REJECTED by duty-1: Not now." in stage.cli("ALPHA", "draft", "list", "--all").stdout
    _by_mandate(stage, key)
    _translated(stage, run, key)
    told = printed(stage.cli("BRAVO", "inbox", "--json").stdout)[0]
    assert (told["authority"], [one["role"] for one in told["releases"]]) == ("released", ["drafter", "releaser"])


def _translated(stage: Stage, run: Run, key: Callable[[str], tuple[str, str, str]]) -> None:
    """What two have signed is said in another language by two (docs/protocol.md 21.12)."""
    bare = ("--socket", stage.socket("ALPHA"))
    text = stage.folder / "courtesy.txt"
    text.write_text("ہم فائر نہیں کریں گے۔\n")
    words = ("translate", "1", "--sent", "--lang", "ur", "--translator", "A. Writer")
    alone = run(*words, text, *bare)
    assert (alone.code, "hotline translate --draft" in alone.err) == (8, True)
    (made,) = printed(run(*words, "--draft", text, "--json", *bare).out)
    assert (made["kind"], made["translates"], made["grade"]) == ("translation", 1, "courtesy")
    text.write_text("ہم ہرگز فائر نہیں کریں گے۔\n")
    refused = run("draft", "edit", 4, "--file", text, "-p", "routine", *bare)
    assert (refused.code, "this draft is a translation" in refused.err) == (1, True)
    assert run("draft", "edit", 4, "--file", text, "--action", "Foreign Minister", *bare).code == 1
    (anew,) = printed(run("draft", "edit", 4, "--file", text, "--json", *bare).out)
    assert (anew["text"], anew["translator"], anew["precedence"], anew["dir"]) == (
        "ہم ہرگز فائر نہیں کریں گے۔", "A. Writer", "flash", "rtl",
    )  # fmt: skip
    signed = run("draft", "sign", 4, *key("duty-1"), *bare)
    assert "*** COURTESY TRANSLATION OF #0001 (OURS) by A. Writer: the original is authoritative ***" in signed.out
    assert signed.out.index("We shall not") < signed.out.index("TRANSLATION (ur, courtesy), which is not:")
    gone = run("release", 4, *key("release-1"), "--wait", "delivered", *bare)
    assert (gone.code, "#0003 released from draft 4" in gone.out) == (0, True), gone.err
    beside = run("translations", 1, "--socket", stage.socket("BRAVO"))
    assert "courtesy (ur) by A. Writer" in beside.out


def _by_mandate(stage: Stage, key: Callable[[str], tuple[str, str, str]]) -> None:
    """The two change places, each by a mandate of their party (docs/protocol.md 19.12 and 19.13)."""
    charter = load_charter(stage.rehearsal.charter.read_bytes())
    for name, role in (("duty-1", "releaser"), ("release-1", "drafter")):
        signing = encode(charter.officer("ALPHA", name).signing)
        card = OfficerCard(
            schema="hotline.officer-card/1", party="ALPHA", name=name, roles=(), signing=signing,
            not_before="2026-01-01", not_after="2099-01-01",
        )  # fmt: skip
        days = (charter.created, "2099-01-01")
        made = make_mandate(stage.rehearsal.identities["ALPHA"], card, role, charter.founding, days, "Order 12.")  # type: ignore[arg-type]
        (stage.folder / f"{name}.mandate").write_bytes(made)

    def mandate(name: str) -> tuple[str, str]:
        return ("--mandate", str(stage.folder / f"{name}.mandate"))

    assert stage.cli("ALPHA", "draft", "new", "The deputies speak.", "-p", "flash").returncode == 0
    other = stage.cli("ALPHA", "draft", "sign", "3", *key("release-1"), *mandate("duty-1"))
    assert (other.returncode, "for another officer" in other.stderr) == (8, True), other.stderr
    assert stage.cli("ALPHA", "draft", "sign", "3", *key("release-1"), *mandate("release-1")).returncode == 0
    gone = stage.cli("ALPHA", "release", "3", *key("duty-1"), *mandate("duty-1"), "--wait", "delivered")
    assert gone.returncode == 0, gone.stderr
    opened = stage.cli("BRAVO", "read", "2").stdout
    assert "signed by        duty-1 as releaser by mandate of ALPHA until 2099-01-01 (Order 12.), " in opened
    assert "NOT RELEASED" not in opened
