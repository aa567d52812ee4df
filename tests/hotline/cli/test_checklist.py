"""Checklists as files: those that are shipped, and those that somebody wrote (docs/protocol.md 25.12)."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest

from hotline.cli.checklist import load, shipped
from hotline.errors import ConfigError
from tests.hotline.cli.conftest import Run
from tests.schemas import printed
from tests.test_docs import wrong_in

NEEDED = ["flash-received", "handover", "line-silent", "opening-the-watch", "suspected-tampering"]


def test_the_shipped_ones_are_there_and_name_commands_that_exist(run: Run) -> None:
    """An officer would type at night what no program knows."""
    assert shipped() == NEEDED
    for name in shipped():
        _, _, content = load(name)
        assert 5 <= len(content.step) <= 12
        for step in content.step:
            assert not step.command or wrong_in(shlex.join(shlex.split(step.command))) in ("", None)
    listed = printed(run("checklist", "list", "--json").out)
    assert [one["name"] for one in listed] == NEEDED
    assert "1  Open it." in run("checklist", "show", "flash-received").out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = [", "not TOML"),
        ('schema = "hotline.checklist/2"\ntitle = "x"\n[[step]]\ntext = "y"\n', "schema"),
        ('schema = "hotline.checklist/1"\ntitle = "x"\n', "step"),
        ('schema = "hotline.checklist/1"\ntitle = "x"\n[[step]]\ntext = "y"\nwho = "z"\n', "who"),
        ('schema = "hotline.checklist/1"\ntitle = "x"\n' + '[[step]]\ntext = "y"\n' * 101, "step"),
        ("#" * 65_537, "longer"),
    ],
)
def test_a_file_that_is_none_is_refused_with_one_sentence(tmp_path: Path, run: Run, text: str, words: str) -> None:
    """Half a checklist would be run for a whole one."""
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(str(file))
    assert run("checklist", "show", file).code == 1
    assert run("checklist", "show", "nothing-of-that-name").code == 1


def test_answers_are_checked_before_anybody_is_asked(run: Run) -> None:
    """A run would be recorded that nobody made."""
    for answers in (["done"], ["later"] * 9, ["skip:"] * 9):
        words = [word for answer in answers for word in ("--answer", answer)]
        done = run("checklist", "run", "line-silent", *words, "--socket", "/nowhere")
        assert (done.code, "nothing was recorded" in done.err) == (1, True)


def test_a_run_that_nobody_answers_is_not_recorded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record without a single step would stand for a watch that somebody opened; the questions are not the answer."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    done = run("checklist", "run", "line-silent", "--json", "--socket", "/nowhere")
    assert (done.code, done.out, "nothing was recorded" in done.err) == (130, "", True)
