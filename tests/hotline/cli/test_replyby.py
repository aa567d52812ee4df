"""The time of a promise, as an officer types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hotline.cli.conftest import Run


@pytest.mark.parametrize(
    ("when", "code", "sentence"),
    [
        ("noon", 1, "noon: not a time; write 2h, from now, or one with its zone: 2030-06-01T06:00Z"),
        ("friends", 1, "friends: not a time; write 2h"),
        ("2030-06-01T06:00", 1, "not a time; write 2h"),
        ("0h", 2, "'0h' is not a duration; write 30s, 10m, 2h or 7d"),
        ("20", 2, "'20' is not a duration"),
        ("10000d", 2, "at most 9999 of them"),
        ("2h", 1, "no endpoint daemon here"),
        ("2030-06-01T06:00Z", 1, "no endpoint daemon here"),
    ],
)
def test_a_time_that_is_none_is_told_with_both_ways_to_write_one(
    tmp_path: Path, run: Run, when: str, code: int, sentence: str
) -> None:
    """An officer who promises an answer in two hours would reckon with zones at night (docs/protocol.md 20.1)."""
    for words in (("reply-by", 1, when), ("presence", "set", "consulting", "--until", when)):
        done = run(*words, "--socket", tmp_path / "none.sock")
        assert (done.code, sentence in done.err) == (code, True), done.err
