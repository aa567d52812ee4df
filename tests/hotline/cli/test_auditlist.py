"""The entries of a ledger, as `hotline audit list` shows them."""

from __future__ import annotations

from pathlib import Path

from hotline.machine import Instant
from tests.hotline.cli.conftest import Run
from tests.hotline.runtime.store_writer import opened, statement


def test_a_type_that_no_entry_has_is_told_with_those_that_there_are(tmp_path: Path, run: Run) -> None:
    """Nothing at all would be read as: it did not happen, where the type was mistyped."""
    with opened(tmp_path) as store:
        store.commit([statement(1)], Instant(1, 1_700_000_000_000))
    listed = ("audit", "list", "--store", tmp_path)
    assert "submitted" in run(*listed, "--type", "submitted").out
    none = run(*listed, "--type", "msg.submitt")
    assert (none.code, none.out) == (0, "no entry is of the type msg.submitt; there are submitted\n")
    assert run(*listed, "--type", "msg.submitt", "--json").out == ""
