"""The report's page and its summary: whole, harmless, small, and in the promised order."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotline.drill import charts
from hotline.drill.judging import judge
from hotline.drill.markup import Markup, tag, words
from hotline.drill.outcome import Report
from hotline.drill.report import TIMELINE_MAX, WORDS_MAX, render, summary
from hotline.safetext import controls_found
from tests.hotline.drill.journals import HINDI, URDU, Story, monsoon, told
from tests.hotline.drill.pages import Page, addresses

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></tr></table></main><h1>PASSED",
    "</title></style></svg>",
    "\u202eDESSAP\u202c",
    "\x1b]0;title\x07\x1b[31m",
    "a\u2066b\u2069c\u200b\u00ad",
    "&lt;b&gt; &amp; &#x202e;",
    "]]><!-- -->",
    "x" * 3_000,
    "\ud800",
    "\0",
)
KILL = {"fault": "kill", "target": "relay-1", "at": "5s", "for": "5s"}


def hostile(text: str) -> Story:
    """A journal in which every text that can be foreign is this one."""
    say = {"fault": "say", "from": "ALPHA", "at": "1s", "text": "here stands what the officer said", "lang": "ur"}
    story = Story({"promise": "no-alarm", "why": "w"}, {"promise": "ledgers"}, inject=[KILL, say]).begin()
    story.journal.entries[0]["environment"]["system"] = text
    story.journal.entries[0]["started"] = text
    story.journal.entries[0]["digest"] = text
    story.say(1_000, lang=text, label=text)
    story.say(1_500, label=text, precedence=text, relay=text)
    story.inject(5_000, 0, 10_000).inject(1_000, 1)
    story.alarm(5_100, "ALPHA", text, text).path(5_200, "ALPHA", text, text).path(5_300, text, "relay-1", "down")
    story.add(6_000, "refused", by="BRAVO", path=text, reason=text).add(6_100, "note", text=text)
    story.add(6_200, "refused-to-say", **{"from": "ALPHA"}, text=text).add(
        6_300, "exit", process=text, code=1, asked=False
    )
    story.add(6_400, "plaintext", place=text).add(6_500, "inject", n=99, name=text, fault=text, target=text, text=text)
    story.polls(12_000).ledger(12_100, "ALPHA", False, text).ledger(12_100, text, False, text)
    return story.add(12_200, "agree", holds=False, text=text)


@pytest.fixture(scope="module")
def page() -> str:
    return render(judge(monsoon()))


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    """Whoever opens a report in a closed room would see half of it, and whoever serves the rest would know."""
    found = Page(page)
    assert found.problems == []
    assert addresses(page) == []
    assert "script" not in {tag_ for tag_, _ in found.elements}
    assert "@import" not in page
    assert re.findall(r"url\((?!#p-[a-z-]+\))", page) == []


def test_the_page_says_that_nothing_may_be_fetched(page: str) -> None:
    """What no test has thought of would still be fetched."""
    (policy,) = [one for one in Page(page).all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_order_of_the_page(page: str) -> None:
    """A reader looks for the verdict first, and for how to run it again last."""
    found = Page(page)
    headings = [text for name, text, _ in found.texts if name in ("h1", "h2")]
    assert headings == [
        "A cable is cut while a relay dies", "Promises", "Delivery", "Paths", "Silence", "Faults", "Timeline",
        "Ledgers", "Where, what and with which", "Run it again",
    ]  # fmt: skip
    text = found.words()
    assert text.index("EXERCISE EXERCISE EXERCISE") < text.index("PASSED") < text.index("All 13 promises held")
    assert "hotline drill run monsoon-cut --seed 1" in text
    assert "Mumbai flood of July 2005" in text
    assert "D04" in text


def test_tables_can_be_read_aloud(page: str) -> None:
    """A reader who does not see the table hears numbers without names."""
    found = Page(page)
    assert len(found.all("table")) == len(found.all("caption")) == 7
    assert {one.get("scope") for one in found.all("th")} == {"row", "col"}
    rows = [text for name, text, _ in found.texts if name == "th" and re.fullmatch(r"F\d+", text)]
    assert rows == ["F1", "F2"]


def test_charts_can_be_read_aloud_and_without_colour(page: str) -> None:
    """A chart that only eyes can read, and only such as see red."""
    found = Page(page)
    images = [one for one in found.all("svg") if one.get("role") == "img"]
    assert len(images) == 3
    text = found.words()
    assert "302 statements. Half arrived within" in text
    assert "ALPHA saw relay-1 down at 12.0 s" in text
    assert {"p-fault", "p-suspect", "p-attached", "p-not-running"} == {one["id"] for one in found.all("pattern")}
    shapes = {mark("0", "0") for mark in charts._MARKS.values()}
    assert len(shapes) == 4


def test_words_have_their_language_and_direction(page: str) -> None:
    """Urdu would be set from the left, in a face without its letters."""
    found = Page(page)
    told_ = [(text, one.get("lang"), one.get("dir")) for name, text, one in found.texts if name == "bdi"]
    both = [(URDU, "ur", "rtl"), (HINDI, "hi", "ltr")]
    assert told_ == both + both, "in the table of statements and in the timeline"
    (html,) = found.all("html")
    assert (html["lang"], html["dir"]) == ("en", "ltr")


@pytest.mark.parametrize(("lang", "known"), [("ur", "ur"), ("en", "en"), ('"><b>', None), ("", None), ("ur-PK", None)])
def test_a_language_that_is_none_is_left_out(lang: str, known: str | None) -> None:
    """A peer's word would stand in an attribute."""
    ((_, one),) = Page(words("x", lang)).elements
    assert one.get("lang") == known
    assert one["dir"] == {"ur": "rtl", "en": "ltr"}.get(lang, "auto")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_hostile_texts_stay_texts(text: str) -> None:
    """A peer's alarm text would write the verdict of our report."""
    report = hostile(text).report()
    page = render(report)
    assert Page(page).problems == []
    assert controls_found(summary(report, text)) == 0
    # Nothing was lost for it: the same elements stand in the page of a harmless text.
    calm = Page(render(hostile("calm" + "." * len(text)).report()))
    assert Counter(name for name, _ in Page(page).elements) == Counter(name for name, _ in calm.elements)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=30))
@example("<i>", '" onclick="x')
@example("&amp;<!--", "'><b x='")
def test_nothing_but_markup_becomes_an_element(text: str, value: str) -> None:
    """Escaping would be forgotten in one of a hundred places."""
    made = tag("p", text, tag("b", value), title=value)
    found = Page(made)
    assert found.problems == []
    assert [name for name, _ in found.elements] == ["p", "b"]
    assert list(found.elements[0][1]) == ["title"]
    assert not any(unicodedata.category(char) in ("Cc", "Cs") and char != "\n" for char in made)


def test_markup_is_lost_by_every_change() -> None:
    """A text cut out of a page would pass as safe."""
    assert type(Markup("<b>") + "x") is str
    assert type(Markup("<b>")[1:]) is str
    assert tag("p", Markup("<b>")[0:] + "").count("<b>") == 0


# --- what is drawn ----------------------------------------------------------------------------------------------------


def test_the_page_of_a_minute_is_small(page: str) -> None:
    """Reports are sent by courier and by narrow lines."""
    assert len(page.encode()) < 80_000


def test_dense_series_are_thinned_and_the_page_says_so() -> None:
    """The page of a long drill could not be opened; or it would hide its slowest statement."""
    story = told({"promise": "none-lost"})
    for number in range(9_000):
        story.say(number * 400.0, precedence="flash", delivered=777_000.0 if number == 4_321 else 20.0 + number % 7)
    for number in range(3_000):
        story.path(number * 1_200.0, "ALPHA", "relay-1", "suspect" if number % 2 else "up")
    for number in range(8_000):
        story.poll(number * 450.0, "ALPHA", 99.0)
    report = story.report()
    page = render(report)
    assert len(page.encode()) < 200_000
    assert "are drawn: the fastest and the slowest of each column" in page
    assert "States shorter than a column are joined" in page
    assert "the longest is drawn" in page
    assert f"the first {TIMELINE_MAX} of" in page
    axis = charts.axis_of(report)
    drawn = charts._thinned([(one, (one.delivered or 0) - one.said) for one in report.messages], axis)
    assert max(value for _, value in drawn) == 777_000
    assert len(drawn) <= 2 * charts.PLOT + 2


def test_what_was_never_delivered_is_drawn() -> None:
    """The worst statements would be the only ones that no chart shows."""
    story = told({"promise": "none-lost"})
    story.say(0)
    story.say(500, delivered=None)
    page = render(story.polls(2_000).report())
    assert "1 were never delivered" in page
    assert 'class="lost"' in page


def test_faults_that_overlap_are_one_shade_and_each_has_its_sign() -> None:
    """Three faults at one moment: two of them would have no sign, and the shade would hide the marks."""
    injects = [KILL | {"target": f"relay-{number}", "label": f"loss-{number}"} for number in (1, 2, 3)]
    injects.append(KILL | {"at": "20s", "label": "later"})
    story = told(inject=injects).inject(5_000, 0, 9_000).inject(5_010, 1, 10_000).inject(5_020, 2, 8_000)
    found = Page(render(story.inject(20_000, 3, 21_000).polls(30_000).report()))
    signs = [text for name, text, one in found.texts if name == "text" and one.get("class") == "fault-label"]
    assert signs == ["F1–F3", "F4"] * 2
    axis = charts.Axis(30_000)
    shades = [one for one in found.all("rect") if one.get("class") == "fault" and one.get("y") == "26"]
    assert [float(one["x"] or 0) for one in shades] == [round(axis.x(at), 1) for at in (5_000, 20_000)]
    widths = [round(axis.x(end) - axis.x(begin), 1) for begin, end in ((5_000, 10_000), (20_000, 21_000))]
    assert [float(one["width"] or 0) for one in shades] == widths


def test_of_a_thinned_series_the_worst_is_drawn() -> None:
    """The one second without any path would fall between two columns."""
    axis = charts.Axis(charts.PLOT * 1_000.0)
    story = told().path(500_100, "ALPHA", "relay-1", "suspect").path(500_200, "ALPHA", "relay-1", "down")
    story.path(500_300, "ALPHA", "relay-1", "attached").path(500_900, "ALPHA", "relay-1", "up")
    story.poll(500_100, "ALPHA", 5).poll(500_200, "ALPHA", 900).poll(500_300, "ALPHA", 50).poll(800_000, "BRAVO", 5)
    story.poll(600_100, "ALPHA", 5).poll(600_200, "ALPHA", None).poll(600_300, "ALPHA", 50)
    report = story.report()
    spans = [span for span in report.paths if (span.party, span.path) == ("ALPHA", "relay-1")]
    assert [span.state for span in charts._columns(spans, axis)] == ["up", "down", "up"]
    assert [gap.heard_ms for gap in charts._worst([gap for gap in report.gaps if gap.party == "ALPHA"], axis)] == [
        900,
        None,
    ]


def test_what_lies_outside_of_the_axis_stands_at_its_edge() -> None:
    """A fault undone after the last reading would be drawn beside the page."""
    axis = charts.Axis(1_000)
    assert [axis.x(at) for at in (-5, 0, 1_000, 9_000)] == [charts.LEFT] * 2 + [charts.WIDTH - charts.RIGHT] * 2
    story = told(inject=[KILL]).inject(5_000, 0, 90_000).polls(6_000)
    numbers = re.findall(r' x="([0-9.]+)"', render(story.report()))
    assert max(map(float, numbers)) <= charts.WIDTH


def test_what_comes_again_and_again_is_counted() -> None:
    """A hostile relay would push everything else out of the timeline."""
    story = told()
    for number in range(30):
        story.add(number, "refused", by="BRAVO", path="relay-2", reason="replayed")
    story.add(31, "refused", by="BRAVO", path="relay-1", reason="replayed")
    report = story.report()
    assert [one.times for one in report.timeline if one.kind == "refused"] == [30, 1]
    assert "30 times in a row" in render(report)


def test_who_speaks_where_and_under_which_charter_is_on_the_timeline() -> None:
    """What is said aboard would be taken for a word from home, and a journey have neither beginning nor end."""
    said = {"fault": "say", "from": "ALPHA", "terminal": "alt", "at": "1s", "text": "From aboard."}
    story = told(inject=[said]).inject(1_000)
    story.add(1_001, "refused-to-say", **{"from": "ALPHA"}, terminal="ALPHA-alt", text="not active", code="standby")
    story.add(1_002, "refused-to-say", **{"from": "ALPHA"}, text="too long", code="text")
    story.add(2_000, "charter", by="BRAVO", state="in-force", serial=3)
    story.add(3_000, "speaks", by="BRAVO", terminal="ALPHA/alt", term=1)
    assert [(one.kind, one.who, one.text) for one in story.report().timeline if 0 < one.at < 4_000] == [
        ("say", "ALPHA-alt", "From aboard."),
        ("not accepted", "ALPHA-alt", "not active"),
        ("not accepted", "ALPHA", "too long"),
        ("charter", "BRAVO", "serial 3 in-force"),
        ("speaks", "BRAVO", "ALPHA/alt, in term 1"),
    ]


def test_a_spell_lasts_until_the_path_is_up_again() -> None:
    """Down, attached, up: one loss would be counted as two."""
    story = told().path(2_000, "ALPHA", "relay-1", "down").path(4_000, "ALPHA", "relay-1", "attached")
    page = render(story.path(5_000, "ALPHA", "relay-1", "up").polls(10_000).report())
    row = '<th scope="row">ALPHA relay-1</th><td class="n">70.0 %</td><td class="n">1</td><td class="n">3.0 s</td>'
    assert row in page


def test_a_terminal_that_does_not_answer_is_drawn() -> None:
    """A gap in a line looks like a pause of the pen."""
    story = told().poll(100, "ALPHA", 5).poll(350, "ALPHA", None).poll(600, "ALPHA", None).poll(850, "ALPHA", 5)
    assert render(story.report()).count('class="not-running"') == 1


def test_many_words_are_cut_and_the_page_says_so() -> None:
    """A plan with a hundred statements would bury its verdict."""
    story = told()
    for number in range(WORDS_MAX + 5):
        story.say(number * 10.0, label=f"words {number}")
    page = render(story.report())
    assert f"the first {WORDS_MAX} of {WORDS_MAX + 5}" in page
    assert "words 5" in page
    assert f"words {WORDS_MAX + 1}" not in page


@pytest.mark.parametrize(
    "entries",
    [
        told().finish(ledgers=False),
        Story({"promise": "silence", "limit": "5s"}, inject=[KILL])
        .begin(steady=False)
        .finish("aborted", ledgers=False),
        told(inject=[KILL]).inject(5_000).finish("interrupted"),
        told(inject=[KILL]).inject(5_000, 0, 5_000).polls(300).finish(),
    ],
    ids=["empty", "aborted", "interrupted", "an instant"],
)
def test_odd_drills_have_pages_too(entries: list[dict[str, Any]]) -> None:
    """The report of a drill that went wrong is the one that is needed."""
    report = judge(entries)
    assert Page(render(report)).problems == []
    if report.verdict == "aborted":
        assert "– not judged" in render(report)
        assert "not judged" in summary(report)
        assert "✗ BROKEN" not in render(report)
        assert "never" not in summary(report)


def test_what_never_happened_is_told_from_what_is_not_known() -> None:
    """A silent instrument would be reported as a silent line."""
    promises = [{"promise": "noticed", "fault": "kill", "limit": "1s"}, {"promise": "silence", "limit": "1s"}]
    lines = summary(told(*promises, inject=[KILL]).inject(5_000, 0, 6_000).report()).splitlines()
    assert [re.split(r" {2,}", line)[2] for line in lines[1:3]] == ["never", "not measured"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1e8), st.floats(0, 1e7)), max_size=8),
    st.sampled_from(["flash", "immediate", "priority", "routine"]),
    st.floats(0.0, 1e8),
)
def test_no_number_breaks_a_chart(said: list[tuple[float, float]], precedence: str, until: float) -> None:
    """A delivery in no time, or one of a day, would end the report in a traceback or draw outside the page."""
    story = told({"promise": "delivered-within", "limit": "0ms"}, {"promise": "silence", "limit": "0ms"})
    for at, took in said:
        story.say(at, precedence=precedence, delivered=took)
    story.poll(until, "ALPHA", until / 3).poll(until, "BRAVO", 0)
    page = render(story.report())
    assert Page(page).problems == []
    assert "nan" not in page.lower().replace("finance", "")
    numbers = [float(one) for one in re.findall(r' (?:x|width)="(-?[0-9.e+]+)"', page)]
    assert all(0 <= one <= charts.WIDTH for one in numbers)


# --- summary ----------------------------------------------------------------------------------------------------------


def test_the_summary_of_a_passed_drill() -> None:
    """What the planner sees first, and a script greps for."""
    lines = summary(judge(monsoon()), "out/monsoon-cut.html").splitlines()
    assert re.fullmatch(r"PROMISE +LIMIT +MEASURED", lines[0])
    assert re.fullmatch(r"no accepted statement lost +0 +0 of 302 +ok", lines[1])
    assert re.fullmatch(r"both ledgers verify and agree +yes +yes +ok", lines[12])
    assert lines[-1] == "PASSED 13 of 13   seed 1   report: out/monsoon-cut.html"
    assert max(map(len, lines)) <= 100


def test_the_summary_of_a_broken_drill_says_what_broke_it() -> None:
    """Without it the reader has to open the page to learn which statement was lost."""
    story = told({"promise": "none-lost"}, {"promise": "none-twice"}, {"promise": "in-order"})
    story.say(0, delivered=None)
    assert summary(story.report(), "out\n/x").splitlines()[-2:] == [
        "! no accepted statement lost: ALPHA #1 (flash), said at 0.0 s",
        "BROKEN 1 of 3   seed 424242   report: out⟦U+000A LF⟧/x",
    ]


def test_no_words_of_a_statement_stand_in_the_summary() -> None:
    """Urdu would break a table of columns, and a terminal may not be able to set it at all."""
    report: Report = judge(monsoon())
    assert URDU not in summary(report)
    assert summary(report).isascii()


def test_of_three_parties_each_two_have_a_chart() -> None:
    """Whoever looks at one line of three would read the delays of the two others into it."""
    whole = judge(monsoon(statements=61))
    ways = ("ALPHA:BRAVO", "CHARLIE:ALPHA", "CHARLIE:BRAVO")
    messages = [one.model_copy(update={"sender": ways[at % 3]}) for at, one in enumerate(whole.messages)]
    gaps = [*whole.gaps, *(gap.model_copy(update={"party": "CHARLIE"}) for gap in whole.gaps)]
    text = render(whole.model_copy(update={"messages": messages, "gaps": gaps}))
    found = Page(text)
    assert found.problems == []
    ids = [one["id"] for one in found.all("title") if "id" in one]
    pairs = ("ALPHA-and-BRAVO", "ALPHA-and-CHARLIE", "BRAVO-and-CHARLIE")
    assert ids[: len(pairs)] == [f"delivery-between-{pair}-title" for pair in pairs]
    assert text.count("21 statements. Half arrived within") == 3
    assert all(f">{party}</text>" in text for party in ("ALPHA", "BRAVO", "CHARLIE"))
    assert "delivery-title" in render(whole)
