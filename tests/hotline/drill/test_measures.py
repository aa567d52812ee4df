"""From entries to facts: statements, faults, paths, silences and numbers, each from a journal written by hand."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.drill.injects import Fault
from hotline.drill.judging import judge
from hotline.drill.measures import facts_of, lost, percentile, silence
from hotline.drill.outcome import PathSpan
from hotline.drill.spans import departures, touched
from hotline.errors import Malformed
from tests.hotline.drill.journals import Story, monsoon, told

KILL = {"fault": "kill", "target": "relay-1", "at": "5s", "for": "5s"}


def one(inject: dict[str, Any]) -> Fault:
    return Story(inject=[inject]).plan.inject[0]


# --- statements -------------------------------------------------------------------------------------------------------


def test_a_statement_and_its_way() -> None:
    """Delivery times are the heart of every report."""
    story = told()
    story.say(1_000, "BRAVO", "flash", 40, 2_000, lang="ur", label="words", relay="relay-2")
    (message,) = story.report().messages
    assert (message.sender, message.serial, message.plane, message.lang) == ("BRAVO", 1, "exercise", "ur")
    assert (message.said, message.relayed, message.delivered, message.read) == (1_000, 1_020, 1_040, 3_040)
    assert (message.relayed_by, message.told, message.times_shown) == ("relay-2", "read", 1)


def test_the_first_time_of_a_stage_counts() -> None:
    """A receipt that comes again after a repair would make every statement slow."""
    story = told()
    identifier = story.say(0, delivered=30)
    story.add(9_000, "stage", id=identifier, stage="delivered", by="")
    story.add(9_500, "stage", id=identifier, stage="relayed", by="relay-3")
    (message,) = story.report().messages
    assert (message.delivered, message.relayed_by, message.told) == (30, "relay-1", "delivered")


def test_what_a_restored_sender_forgot_is_lost_only_if_nobody_has_it() -> None:
    """The other side has them, and a drill would say that the hotline loses what it took."""
    restored = {"fault": "restore", "target": "ALPHA", "at": "5s"}
    story = told({"promise": "none-lost"}, inject=[restored])
    ids = [
        story.say(at, sender, delivered=None) for at, sender in ((3_000, "ALPHA"), (4_000, "ALPHA"), (4_500, "BRAVO"))
    ]
    story.inject(5_000)
    ids.append(story.say(7_000, "ALPHA", delivered=None))
    for identifier in (ids[0], ids[2], ids[3]):
        story.add(20_000, "shown", id=identifier, by="BRAVO", repeat=False, late=True)
    messages = story.report().messages
    assert [message.id for message in lost(messages)] == ids[1:]
    assert [message.forgotten for message in messages] == [True, True, False, False]


@pytest.mark.parametrize(
    ("stages", "told_"),
    [
        (["relayed", "delivered", "relayed"], "delivered"),
        (["read", "delivered", "relayed"], "read"),
        (["relayed", "expired"], "expired"),
        (["expired", "relayed", "delivered"], "delivered"),
        (["delivered", "renumbered"], "delivered"),
        ([], ""),
    ],
)
def test_the_last_stage_told_is_the_highest(stages: list[str], told_: str) -> None:
    """What is learned late stands late in the journal, and is no news."""
    story = told()
    identifier = story.say(0, delivered=None)
    for at, stage in enumerate(stages, 1):
        story.add(at, "stage", id=identifier, stage=stage, by="7")
    assert story.report().messages[0].told == told_


def test_a_read_receipt_proves_the_delivery() -> None:
    """A statement that somebody has read would be called lost because one receipt was missed."""
    story = told()
    identifier = story.say(0, delivered=None)
    story.add(700, "stage", id=identifier, stage="read", by="duty-1")
    (message,) = story.report().messages
    assert message.delivered == 700


def test_a_statement_with_another_serial_is_the_same_statement() -> None:
    """After a restored backup every statement that waited would be called lost, and its successor unknown."""
    story = told()
    identifier = story.say(0, delivered=None)
    story.add(500, "stage", id=identifier, stage="renumbered", by="9")
    story.add(600, "shown", id="ALPHA/exercise/9", by="BRAVO", repeat=False)
    story.add(650, "stage", id="ALPHA/exercise/9", stage="delivered", by="")
    (message,) = story.report().messages
    assert (message.id, message.serial, message.delivered) == ("ALPHA/exercise/9", 9, 650)
    assert story.report().measures["lost"] == 0


def test_another_serial_that_no_event_told_is_learned_afterwards() -> None:
    """A statement that was said before the desk watched again, after a restore, would be called lost."""
    story = told()
    story.say(0, delivered=20)
    story.serials["ALPHA"] = 0
    again = story.say(5_000, delivered=None)
    story.add(5_200, "shown", id="ALPHA/exercise/9", by="BRAVO", repeat=False)
    learned = ((again, "renumbered", "9"), (again, "read", "duty-1"), ("ALPHA/exercise/9", "delivered", ""))
    for at, (identifier, stage, by) in enumerate(learned, 9_000):
        story.add(at, "stage", id=identifier, stage=stage, by=by, late=True)
    facts = facts_of(story.finish())
    assert [(message.serial, message.delivered, message.shown, message.read) for message in facts.messages] == [
        (1, 20, 12, 9_001),
        (9, 9_002, 5_200, None),
    ]


def test_a_serial_given_out_twice_names_two_statements() -> None:
    """A terminal that lost its state reuses a serial: the second statement must not inherit the first one's receipt."""
    story = told()
    story.say(0, delivered=20)
    story.serials["ALPHA"] = 0
    again = story.say(5_000, delivered=None)
    facts = facts_of(story.finish())
    assert [message.delivered for message in facts.messages] == [20, None]
    story = told()
    story.say(0, delivered=20)
    story.serials["ALPHA"] = 0
    assert story.say(5_000, delivered=None) == again
    story.add(5_100, "stage", id=again, stage="renumbered", by="2")
    story.add(5_200, "stage", id="ALPHA/exercise/2", stage="delivered", by="")
    story.add(5_300, "stage", id=again, stage="read", by="duty-1")
    facts = facts_of(story.finish())
    assert [(message.serial, message.delivered, message.read) for message in facts.messages] == [
        (1, 20, 5_300),
        (2, 5_200, None),
    ]


@pytest.mark.parametrize("new", ["", "x", "9" * 400, "-3", "²"])
def test_a_new_serial_that_is_none_changes_nothing(new: str) -> None:
    """One bad entry would end the judging of a whole drill in a traceback."""
    story = told()
    story.add(500, "stage", id=story.say(0), stage="renumbered", by=new)
    assert story.report().messages[0].serial == 1


def test_stages_of_what_nobody_said_are_nobodys() -> None:
    """Channel tests travel on the same ladder; they are no statements of the drill."""
    story = told().add(5, "stage", id="ALPHA/exercise/77", stage="delivered", by="")
    assert story.report().messages == []


def test_showings_of_unknown_statements_can_be_twice() -> None:
    """A terminal that took a statement without answering: its two showings would count for nothing."""
    story = told()
    story.say(0)
    for at in (10, 20, 30):
        story.add(at, "shown", id="ALPHA/exercise/77", by="BRAVO", repeat=False)
    assert story.report().measures["twice"] == 2


@pytest.mark.parametrize("identifier", ["", "ALPHA", "ALPHA/exercise", "ALPHA/exercise/x", "a/b/c/1"])
def test_an_id_that_is_none_is_refused(identifier: str) -> None:
    """A broken recorder would be taken for a hotline that loses everything."""
    story = told()
    story.say(0)
    story.add(0, "said", id=identifier, **{"from": "ALPHA"}, serial=1, plane="exercise", precedence="flash",
              lang="en", bytes=1, label="")  # fmt: skip
    story.add(5, "shown", id=identifier, by="BRAVO", repeat=False)
    with pytest.raises(Malformed, match="no id"):
        story.report()


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inject", "paths"),
    [
        (KILL, {"relay-1"}),
        ({"fault": "freeze", "target": "BRAVO", "at": "1s", "for": "1s"}, {"relay-1", "relay-2", "relay-3"}),
        ({"fault": "link", "links": ["ALPHA/relay-2"], "at": "1s"}, {"relay-2"}),
        ({"fault": "link", "links": ["*/relay-2", "ALPHA/relay-3"], "at": "1s"}, {"relay-2", "relay-3"}),
        ({"fault": "swizzle", "links": ["ALPHA/*"], "at": "1s"}, {"relay-1", "relay-2", "relay-3"}),
        ({"fault": "partition", "between": [["ALPHA"], ["relay-2"]], "at": "1s"}, {"relay-2"}),
        (
            {"fault": "partition", "between": [["ALPHA", "relay-1"], ["BRAVO", "relay-3"]], "at": "1s"},
            {"relay-1", "relay-3"},
        ),
        ({"fault": "partition", "between": [["relay-1"], ["relay-3"]], "at": "1s"}, set()),
        ({"fault": "kill", "target": "witness-1", "at": "1s"}, set()),
    ],
)  # fmt: skip
def test_what_a_fault_touches(inject: dict[str, Any], paths: set[str]) -> None:
    """The loss of another path would count as having noticed this fault."""
    assert touched(one(inject), 3) == paths


def noticed(story: Story, n: int = 0) -> dict[str, float | None]:
    return story.report().faults[n].noticed_ms


def test_a_fault_is_noticed_by_its_path_or_an_alarm() -> None:
    """Detection times are the second measure of every drill."""
    story = told(inject=[KILL]).inject(5_000, 0, 10_000)
    story.path(5_400, "ALPHA", "relay-1", "suspect").alarm(5_900, "BRAVO", "single-path")
    assert noticed(story) == {"ALPHA": 400, "BRAVO": 900}


def test_what_came_before_or_elsewhere_notices_nothing() -> None:
    """A lamp that is red for another reason would pass for a watchful terminal."""
    story = told(inject=[KILL]).inject(5_000, 0, 10_000)
    story.path(4_900, "ALPHA", "relay-1", "suspect").path(5_100, "ALPHA", "relay-2", "down")
    story.path(5_200, "BRAVO", "relay-1", "up").alarm(4_000, "BRAVO", "clock")
    assert noticed(story) == {"ALPHA": None, "BRAVO": None}


def test_what_follows_a_recovery_and_another_fault_belongs_to_that_fault() -> None:
    """A fault that nobody saw would be called noticed, minutes late, when another one strikes the same relay."""
    injects = [KILL, KILL | {"at": "60s", "label": "again"}]
    story = told(inject=injects).inject(5_000, 0, 10_000).add(10_250, "steady-again").inject(60_000, 1, 65_000)
    story.path(60_700, "ALPHA", "relay-1", "down")
    assert noticed(story)["ALPHA"] is None
    assert noticed(story, 1)["ALPHA"] == 700


def test_ends_of_faults() -> None:
    """Recovery would be measured from the wrong moment."""
    injects = [
        {"fault": "kill", "target": "relay-1", "at": "1s"},
        {"fault": "start", "target": "relay-1", "at": "4s"},
        {"fault": "wipe", "target": "relay-2", "at": "5s"},
        {"fault": "lie", "target": "relay-3", "how": "drop", "at": "6s"},
        KILL | {"at": "7s", "label": "short"},
    ]
    story = told(inject=injects).inject(1_000, 0).inject(4_010, 1).inject(5_000, 2).inject(6_000, 3)
    story.inject(7_000, 4, 12_000).add(12_400, "steady-again")
    spans = story.report().faults
    assert [span.end for span in spans] == [4_010, None, 5_000, None, 12_000]
    assert [span.is_fault for span in spans] == [True, False, True, True, True]
    assert [span.recovered_ms for span in spans] == [8_390, None, 7_400, None, 400]


# --- paths and silence ------------------------------------------------------------------------------------------------


def states(spans: list[PathSpan], party: str, path: str) -> list[tuple[float, float, str]]:
    return [(span.begin, span.end, span.state) for span in spans if (span.party, span.path) == (party, path)]


def test_paths_begin_up_and_end_with_the_last_reading() -> None:
    """The bars of the report would have holes, or go on while the ledgers are verified."""
    story = told().path(2_000, "ALPHA", "relay-2", "suspect").path(3_000, "ALPHA", "relay-2", "up").polls(8_000)
    spans = story.report().paths
    assert states(spans, "ALPHA", "relay-2") == [(0, 2_000, "up"), (2_000, 3_000, "suspect"), (3_000, 8_000, "up")]
    assert states(spans, "BRAVO", "relay-2") == [(0, 8_000, "up")]


def test_a_dead_or_frozen_terminal_sees_nothing() -> None:
    """The report would show green lamps on a terminal that lies dead."""
    injects = [
        {"fault": "freeze", "target": "ALPHA", "at": "1s", "for": "1s"},
        {"fault": "kill", "target": "BRAVO", "at": "3s", "for": "2s"},
    ]
    story = told(inject=injects).inject(1_000, 0, 2_000).inject(3_000, 1, 5_000)
    story.path(5_100, "BRAVO", "relay-1", "attached").path(5_200, "BRAVO", "relay-1", "up").polls(6_000)
    spans = story.report().paths
    assert states(spans, "ALPHA", "relay-1") == [(0, 1_000, "up"), (1_000, 2_000, "not-running"), (2_000, 6_000, "up")]
    assert states(spans, "BRAVO", "relay-1") == [
        (0, 3_000, "up"), (3_000, 5_100, "not-running"), (5_100, 5_200, "attached"), (5_200, 6_000, "up")
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["up", "down", "attached", "suspect"])), max_size=30))
def test_spans_of_a_path_follow_each_other(changes: list[tuple[int, str]]) -> None:
    """Two bars would overlap, or time would be missing from the share of time that a path was up."""
    story = told().polls(30_000)
    for at, state in changes:
        story.path(at * 1_000, "ALPHA", "relay-1", state)
    spans = states(story.report().paths, "ALPHA", "relay-1")
    assert spans[0][0] == 0
    assert spans[-1][1] == 30_000
    assert all(before[1] == after[0] and before[2] != after[2] for before, after in pairwise(spans))
    assert all(begin < end for begin, end, _ in spans)


def test_departures_are_changes_from_up() -> None:
    """A path that goes from suspect to down would be counted twice."""
    story = told()
    for at, state in (
        (-5, "down"),
        (-4, "up"),
        (10, "suspect"),
        (20, "down"),
        (30, "attached"),
        (40, "up"),
        (50, "down"),
    ):
        story.path(at, "ALPHA", "relay-1", state)
    assert [at for at, _, _ in departures(facts_of(story.finish()).entries, "ALPHA")] == [10, 50]


def test_the_longest_silence_is_what_was_read() -> None:
    """The measure that the whole project is about."""
    story = told().poll(1_000, "ALPHA", 200).poll(1_250, "ALPHA", 450).poll(1_500, "ALPHA", 20).poll(1_500, "BRAVO", 30)
    facts = facts_of(story.finish())
    assert silence(facts, "ALPHA") == (450, 1_250)
    assert silence(facts, "BRAVO") == (30, 1_500)


def test_a_terminal_that_does_not_answer_is_silent_since_its_last_word() -> None:
    """A dead terminal would have the shortest silence of all."""
    story = (
        told().poll(1_000, "ALPHA", 200).poll(3_000, "ALPHA", None).poll(9_000, "ALPHA", None).poll(9_250, "ALPHA", 5)
    )
    assert silence(facts_of(story.finish()), "ALPHA") == (8_200, 9_000)
    assert silence(facts_of(told().poll(4_000, "ALPHA", None).finish()), "ALPHA") == (4_000, 4_000)
    assert silence(facts_of(told().finish()), "ALPHA") is None


# --- numbers ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: int) -> None:
    """An interpolated value would be a delivery time that no statement had."""
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_numbers_of_a_whole_drill() -> None:
    """Two runs are compared by these."""
    story = told()
    for number in range(10):
        story.say(number * 100, precedence="flash" if number < 6 else "routine", delivered=float(10 + number))
    story.say(2_000, precedence="routine", delivered=None)
    identifier = story.say(3_000, precedence="priority", delivered=None)
    story.add(9_000, "stage", id=identifier, stage="expired", by="ttl")
    story.add(9_100, "refused-to-say", **{"from": "ALPHA"}, text="the disk is full").alarm(9_200, "ALPHA", "disk")
    measures = story.polls(10_000).report().measures
    assert measures == {
        "said": 12, "refused_to_say": 1, "delivered": 10, "lost": 1, "twice": 0, "disordered": 0, "expired": 1,
        "silence_ms": 120, "alarms": 1, "stood_still_ms": 0,
        "delivery_ms_p50": 14, "delivery_ms_p99": 19, "delivery_ms_max": 19,
        "delivery_flash_ms_p50": 12, "delivery_flash_ms_p99": 15, "delivery_flash_ms_max": 15,
        "delivery_routine_ms_p50": 17, "delivery_routine_ms_p99": 19, "delivery_routine_ms_max": 19,
    }  # fmt: skip


def test_order_of_lines_does_not_matter() -> None:
    """The journal of a killed run is not yet in order of time; its report would be another one."""
    entries = monsoon(statements=60)
    head, *rest = entries
    mixed = sorted(rest, key=lambda entry: random.Random(str(entry)).random())
    mixed.sort(key=lambda entry: entry["kind"])
    assert judge([head, *mixed]).measures == judge(entries).measures
    assert lost(facts_of([head, *mixed]).messages) == []


@pytest.mark.parametrize("entries", [[], [{"t": 0, "kind": "steady-again"}], [{"kind": "note"}]])
def test_what_is_no_journal_is_refused(entries: list[dict[str, Any]]) -> None:
    """A report about nothing."""
    with pytest.raises(Malformed):
        facts_of(entries)


def test_a_plan_that_is_none_is_named() -> None:
    """A journal of another version would be judged by promises that nobody made."""
    entries = told().finish()
    entries[0]["plan"]["promise"][0]["limit"] = "5s"
    with pytest.raises(Malformed, match="its plan is none: promise"):
        judge(entries)


def test_the_plan_in_a_journal_is_the_plan() -> None:
    """Spans are numbers inside and texts in a file: the judge would read other limits than the planner wrote."""
    story = Story({"promise": "silence", "limit": "5s"}, {"promise": "growth", "target": "ALPHA", "limit": 5},
                  inject=[KILL, {"fault": "clock", "target": "ALPHA", "at": "0ms", "step": "-36h"}])  # fmt: skip
    assert facts_of(story.begin().finish()).plan == story.plan


def test_each_terminal_of_a_side_may_show_a_statement_once() -> None:
    """An alternate that holds the record would be taken for a repetition, or its repetition for the record."""
    story = told()
    identifier = story.say(0)  # BRAVO shows it
    story.add(700, "shown", id=identifier, by="BRAVO-alt", repeat=False)
    assert facts_of(story.finish()).twice == 0
    story = told()
    identifier = story.say(0)
    for at in (700, 800):
        story.add(at, "shown", id=identifier, by="BRAVO-alt", repeat=False)
    assert facts_of(story.finish()).twice == 1


def test_two_terminals_with_one_serial_each_tell_of_their_own() -> None:
    """What was never said would be called delivered, or what the alternate said would be called lost."""
    story = told()
    identifier = story.say(0, delivered=None)
    at_alt = {"terminal": "ALPHA-alt"}
    fields = {"id": identifier, "from": "ALPHA", "serial": 1, "plane": "exercise", "precedence": "flash"}
    story.add(500, "said", **fields, lang="en", bytes=500, label="", **at_alt)
    story.add(600, "stage", id=identifier, stage="delivered", by="", **at_alt)
    story.add(900, "stage", id=identifier, stage="expired", by="not said")
    assert [(one.delivered, one.expired) for one in facts_of(story.finish()).messages] == [(None, 900), (600, None)]


def test_a_sibling_tells_of_what_the_other_terminal_said() -> None:
    """The receipt that came to the alternate would count for nothing, and the statement for lost."""
    story = told()
    identifier = story.say(0, delivered=None)
    story.add(600, "stage", id=identifier, stage="delivered", by="", terminal="ALPHA-alt")
    assert facts_of(story.finish()).messages[0].delivered == 600
