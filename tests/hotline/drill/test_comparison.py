"""Two runs side by side: what changed, by how much, and whether they are runs of one drill."""

from __future__ import annotations

import re

import pytest

from hotline.drill.comparison import MISSING, compare, comparison_page, comparison_text, measure_words
from hotline.drill.judging import judge
from hotline.drill.wording import amount, difference, when
from tests.hotline.drill.journals import Story, monsoon, told
from tests.hotline.drill.pages import Page, addresses


def test_what_changed_is_named() -> None:
    """A planner compares the run before a repair with the one after it."""
    before, after = judge(monsoon(slow=15)), judge(monsoon())
    found = compare(before, after)
    rows = {row.name: row for row in found.promises}
    assert found.same_drill
    assert rows["every FLASH statement delivered in time"].change == "mended"
    assert rows["no accepted statement lost"].change == "kept"
    assert rows["every FLASH statement delivered in time"].difference.startswith("−")
    back = {row.name: row for row in compare(after, before).promises}
    assert back["every FLASH statement delivered in time"].change == "broken"
    assert back["every FLASH statement delivered in time"].difference.startswith("+")
    same = compare(before, before)
    assert {row.difference for row in (*same.promises, *same.measures)} == {"="}
    assert "still broken" in {row.change for row in same.promises}


def test_promises_of_one_run_only_are_shown_as_such() -> None:
    """A promise that was taken out of a drill would look like one that is kept."""
    first = told({"promise": "none-lost"}, {"promise": "none-twice"}).report()
    second = told({"promise": "none-lost"}, {"promise": "in-order"}).report()
    rows = {
        row.name: (row.first == MISSING, row.second == MISSING, row.change) for row in compare(first, second).promises
    }
    assert rows["no statement shown twice"] == (False, True, "")
    assert rows["shown in the order in which they were said"] == (True, False, "")


def test_two_promises_with_the_same_words_are_two_rows() -> None:
    """The stricter limit would hide behind the laxer one."""
    story = told({"promise": "silence", "limit": "1s"}, {"promise": "silence", "limit": "2s"})
    assert [row.limit for row in compare(story.report(), story.report()).promises] == ["1.0 s", "2.0 s"]


def test_different_drills_are_called_different() -> None:
    """A laxer plan would pass for a better hotline."""
    first, second = judge(monsoon(statements=20)), judge(monsoon(statements=20))
    assert "different drills" not in comparison_text(first, second)
    assert "DIFFERENT DRILLS" not in comparison_page(first, second)
    other = second.model_copy(update={"digest": "ab" * 32})
    assert (
        comparison_text(first, other).splitlines()[0].startswith("! These are two different drills: monsoon-cut 5f5f")
    )
    assert "DIFFERENT DRILLS" in comparison_page(first, other)


def test_a_measure_of_one_run_only_has_no_difference() -> None:
    """Where nobody said a FLASH, none was late: `never` would say so."""
    first, second = told(), told()
    first.say(0, precedence="routine")
    second.say(0, precedence="flash")
    rows = {row.name: row for row in compare(first.report(), second.report()).measures}
    assert (rows["delivery FLASH, slowest"].first, rows["delivery FLASH, slowest"].difference) == ("–", "")


def test_a_changed_limit_is_shown() -> None:
    """The verdict would change and the table would not say why."""
    first = told({"promise": "silence", "limit": "1s"}).polls(2_000).report()
    second = told({"promise": "silence", "limit": "100ms"}).polls(2_000).report()
    (row,) = compare(first, second).promises
    assert (row.limit, row.change) == ("1.0 s → 100 ms", "broken")


def test_the_text_is_a_table() -> None:
    """It is read on a terminal, and by grep."""
    lines = comparison_text(judge(monsoon()), judge(monsoon(seed=7, slow=15))).splitlines()
    assert lines[0].startswith("A  monsoon-cut  PASSED")
    assert lines[1].startswith("B  monsoon-cut  BROKEN")
    assert re.fullmatch(r"PROMISE +LIMIT +A +B +DIFFERENCE", lines[3])
    assert any(re.fullmatch(r"delivery FLASH, 99 % within +\d+ ms +\d+ ms +\+\d+ ms", line) for line in lines)


def test_the_page_is_whole_and_harmless() -> None:
    """It stands beside the reports, and under the same rules."""
    bad = "</td><script>alert(1)</script>\u202e"
    first, second = judge(monsoon(statements=20)), judge(monsoon(2, statements=20, slow=15))
    second = second.model_copy(update={"title": bad, "name": bad, "environment": {bad: bad}, "started": bad})
    page = comparison_page(first, second)
    assert Page(page).problems == []
    assert addresses(page) == []
    assert len(page) < 40_000
    assert "\u202e" not in comparison_text(first, second)


def test_aborted_runs_can_be_compared() -> None:
    """The first run that fails to start is compared with the last that did."""
    aborted = judge(Story({"promise": "none-lost"}).begin(steady=False).finish("aborted"))
    assert Page(comparison_page(aborted, told().report())).problems == []
    assert "ABORTED" in comparison_text(aborted, told().report())


@pytest.mark.parametrize(
    ("before", "after", "unit", "words"),
    [
        (1.0, 1.0, "count", "="),
        (None, None, "ms", "="),
        (None, 5.0, "ms", "never → 5 ms"),
        (5.0, None, "count", "5 → not measured"),
        (5.0, 7.0, "count", "+2"),
        (7_000.0, 5_500.0, "ms", "−1.5 s"),
        (7.0, 5.5, "MiB", "−1.5 MiB"),
        (1.0, 1.0000001, "ms", "="),
    ],
)
def test_differences_in_words(before: float | None, after: float | None, unit: str, words: str) -> None:
    """A sign in the wrong direction turns better into worse."""
    assert difference(before, after, unit) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.0, "count", "0"), (2.5, "MiB", "2.5 MiB"), (99.0, "percent", "99 %"), (None, "ms", "never"),
     (None, "MiB", "not measured"), (1_234_567.0, "count", "1234567")],
)  # fmt: skip
def test_amounts_in_words(value: float | None, unit: str, words: str) -> None:
    """A count of a million would be written as a power of ten."""
    assert amount(value, unit) == words


def test_moments_in_words() -> None:
    """What came before the steady state would seem to come after it."""
    assert [when(at) for at in (0, 59_940, 61_000, -2_500, 7_500_000)] == [
        "0.0 s", "59.9 s", "1 min 1 s", "−2.5 s", "2 h 5 min"
    ]  # fmt: skip


def test_measures_have_names_for_people() -> None:
    """`delivery_flash_ms_p99` is a program's name."""
    assert measure_words("delivery_flash_ms_p99") == "delivery FLASH, 99 % within"
    assert measure_words("delivery_ms_max") == "delivery, slowest"
    assert measure_words("silence_ms") == "silence"
    assert measure_words("refused_to_say") == "refused to say"
