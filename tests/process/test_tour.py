"""docs/tour.md is true: every command of it, on a real hotline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from hotline.drill.stage import Stage, short_folder
from tools.tour import PAGE, Lost, Tour, matches, play, steps

pytestmark = pytest.mark.process


def test_the_tour_prints_what_the_page_says() -> None:
    """A newcomer would type it and meet something else."""
    text = PAGE.read_text(encoding="utf-8")
    assert play(text, quiet=True) == len(list(steps(text)))


@pytest.fixture(scope="module")
def tour() -> Iterator[Tour]:
    """The desks, and nobody on the line."""
    folder = short_folder()
    with Stage(folder, 1) as stage:
        yield Tour(stage)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "block", ["ALPHA$ true", "ALPHA$ echo a\na", "SECRETARIAT$ false\nexit 1", "ALPHA$ hotline status\n…\nexit 1"]
)
def test_a_page_that_is_true_is_played(block: str, tour: Tour) -> None:
    """The next test would pass whatever the page says."""
    for step in steps(f"```console\n{block}\n```\n"):
        tour.type(step)


@pytest.mark.parametrize(
    "block", ["ALPHA$ echo a", "ALPHA$ echo a\nb", "ALPHA$ true\nexit 1", "ALPHA$ false", "ALPHA$ hotline status"]
)
def test_a_page_that_is_false_is_lost(block: str, tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tour would be no test of the page."""
    monkeypatch.setattr("tools.tour._LOOK_SECONDS", 0.0)
    (step,) = steps(f"```console\n{block}\n```\n")
    with pytest.raises(Lost, match="line 2"):
        tour.type(step)


def test_a_word_of_one_step_is_known_to_the_next(tour: Tour) -> None:
    """The number of an entry is another every day."""
    for step in steps("```console\nALPHA$ echo entry 17\nentry «seq»\nBRAVO$ echo «seq» and on\n17 and on\n```\n"):
        tour.type(step)


@pytest.mark.parametrize(
    ("expected", "printed", "found"),
    [
        (["a", "b"], "a\nb\n", {}),
        (["a", "b"], "a\nb\nc\n", None),
        (["a", "…"], "a\nb\nc\n", {}),
        (["…", "c"], "a\nb\nc", {}),
        (["…", "b"], "a\nb\nc\n", None),
        (["a … c"], "a b c   \n", {}),
        (["a … c"], "a b\nb c\n", None),
        (["1/«seq» x"], "1/17 x\n", {"seq": "17"}),
        (["1/«seq» x"], "1/1 7 x\n", None),
        (["a.c"], "abc\n", None),
        ([], "a\n", None),
    ],
)
def test_what_the_page_shows_is_what_must_come(expected: list[str], printed: str, found: dict[str, str] | None) -> None:
    """A lenient comparison is none."""
    assert matches(tuple(expected), printed) == found


def test_a_block_without_a_prompt_is_no_block() -> None:
    """Its lines would be compared with nothing."""
    with pytest.raises(Lost, match="line 2"):
        list(steps("```console\nhotline status\n```\n"))
