"""Which run `hotline drill report` and `compare` are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotline.cli.drill import journal_of
from hotline.errors import ConfigError
from tests.hotline.cli.conftest import Run


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "journal.jsonl").touch()
    return folder


def test_what_a_run_was_told_to_write_into_can_be_compared(tmp_path: Path) -> None:
    """`drill run --out before` writes before/NAME, and `drill compare before after` found nothing there."""
    one = made(tmp_path / "before", "relay-killed")
    journal = one / "relay-killed" / "journal.jsonl"
    assert journal_of(one) == journal_of(one / "relay-killed") == journal_of(journal) == journal


def test_of_several_runs_one_is_to_be_named(tmp_path: Path, run: Run) -> None:
    """It was told of a file that does not exist, and not of those that do."""
    several = made(tmp_path / "today", "relay-killed", "long-day")
    with pytest.raises(ConfigError, match="name one of its runs: long-day, relay-killed"):
        journal_of(several)
    (tmp_path / "empty").mkdir()
    refused = run("drill", "compare", tmp_path / "empty", several)
    assert (refused.code, refused.err) == (1, f"{tmp_path / 'empty'}: no journal.jsonl in this folder\n")
