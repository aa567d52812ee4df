"""The file of a drill: checked whole before anything is started, every mistake named at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotline.drill.durations import milliseconds, spoken
from hotline.drill.injects import Kill, LinkFault, Say
from hotline.drill.plan import PLAN_BYTES_MAX, Drill, find_plan, library, load_plan
from hotline.drill.promises import Noticed
from hotline.errors import ConfigError
from hotline.phrasebook import book

GOOD = """drill = 1
name = "cut"
title = "A cut"
story = "A cable is cut."
source = "A planner"
tags = ["path"]

[[traffic]]
from = "ALPHA"
every = "250ms"
until = "4s"

[[inject]]
at = "1s"
label = "digger"
fault = "link"
links = ["ALPHA/relay-1"]
mode = "blackhole"
for = "2s"

[[promise]]
promise = "noticed"
fault = "digger"
limit = "1500ms"
"""


def _load(folder: Path, text: str, name: str = "cut") -> Drill:
    file = folder / f"{name}.toml"
    file.write_text(text)
    return load_plan(file)


def _refusal(folder: Path, text: str, name: str = "cut") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(folder, text, name)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{folder / name}.toml: ") for line in lines)
    return [line.split(".toml: ", 1)[1] for line in lines]


def test_good_file_is_read_with_defaults(tmp_path: Path) -> None:
    """If the lawful file were refused too, the refusals below would prove nothing."""
    drill = _load(tmp_path, GOOD)
    plan = drill.plan
    (flow,), (inject,) = plan.traffic, plan.inject
    assert (plan.topology.relays, plan.topology.witnesses, plan.topology.profile) == (3, 0, "fibre")
    assert (flow.sender, flow.precedence, flow.every, flow.size, flow.plane) == (
        "ALPHA",
        "routine",
        250,
        500,
        "exercise",
    )
    assert isinstance(inject, LinkFault)
    assert (inject.name, inject.at, inject.lasting, inject.way) == ("digger", 1_000, 2_000, "both")
    assert (plan.settle, plan.steady.within, plan.incident) == (20_000, 20_000, "")


def test_the_length_is_that_of_what_ends_last(tmp_path: Path) -> None:
    """A drill would be cut off before its last fault was over, or its pace be judged by a wrong length."""
    assert _load(tmp_path, GOOD).plan.length_ms == 4_000
    assert _load(tmp_path, GOOD.replace('for = "2s"', 'for = "5s"')).plan.length_ms == 6_000


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    """Two reports would be compared that speak of different drills."""
    one, same = _load(tmp_path, GOOD).digest, _load(tmp_path, GOOD).digest
    assert one == same
    assert _load(tmp_path, GOOD.replace("1500ms", "1501ms")).digest != one


def test_every_mistake_is_named_at_once_and_with_the_key_that_was_meant(tmp_path: Path) -> None:
    """A planner would find the mistakes one by one, a run each."""
    bad = (
        GOOD.replace("every =", "evry =")
        .replace("mode =", "mod =")
        .replace('tags = ["path"]', 'tags = ["loud"]\nsettel = "3s"')
        .replace('limit = "1500ms"', 'limt = "1500ms"')
    )
    said = _refusal(tmp_path, bad)
    assert "traffic.0.every: is missing" in said
    assert "traffic.0.evry: unknown key; did you mean 'every'?" in said
    assert "inject.0.link.mod: unknown key; did you mean 'mode'?" in said
    assert "promise.0.noticed.limit: is missing" in said
    assert "promise.0.noticed.limt: unknown key; did you mean 'limit'?" in said
    assert "settel: unknown key; did you mean 'settle'?" in said
    assert any(line.startswith("tags.0: ") for line in said)


def test_a_kind_that_there_is_not_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    """A planner read of tags and discriminators, and looked for what was meant in a long list."""
    said = _refusal(
        tmp_path, GOOD.replace('fault = "link"\nlinks', 'fault = "lnk"\nlinks').replace('"noticed"', '"notised"')
    )
    for place, word in (
        ("inject.0.fault: there is no 'lnk'", "link"),
        ("promise.0.promise: there is no 'notised'", "noticed"),
    ):
        (told,) = [line for line in said if line.startswith(place)]
        assert told.endswith(f"; did you mean '{word}'?")
        assert "silence, " in told or "freeze, " in told


def test_a_key_is_suggested_by_the_name_that_the_file_gives_it(tmp_path: Path) -> None:
    """The planner would be told to write a word of the program's inside."""
    assert "inject.0.link.fr: unknown key; did you mean 'for'?" in _refusal(tmp_path, GOOD.replace("for =", "fr ="))
    assert "traffic.0.frm: unknown key; did you mean 'from'?" in _refusal(tmp_path, GOOD.replace("from =", "frm ="))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('fault = "link"', 'fault = "lnk"', "inject.0.fault: "),
        ('promise = "noticed"', 'promise = "notice"', "promise.0.promise: "),
        ('at = "1s"', 'at = "-1s"', "inject.0.link.at: a span of time that goes back"),
        ('at = "1s"', "at = 1", "inject.0.link.at: 1 is no span of time"),
        ('at = "1s"', 'at = "1.5s"', "inject.0.link.at: '1.5s' is no span of time"),
        ('at = "1s"', 'at = "1 s"', "inject.0.link.at: '1 s' is no span of time"),
        ('links = ["ALPHA/relay-1"]', "links = []", "inject.0.link.links: "),
        ('links = ["ALPHA/relay-1"]', 'links = ["GAMMA/relay-1"]', "inject.0.link.links.0: "),
        ('name = "cut"', 'name = "Cut"', "name: "),
        ("drill = 1", "drill = 2", "drill: "),
        ('from = "ALPHA"', 'from = "DELTA"', "traffic.0.from: "),
        ('from = "ALPHA"', 'from = "CHARLIE"', "traffic.0.from: CHARLIE is not staged"),
        ('promise = "noticed"', 'promise = "noticed"\nby = ["CHARLIE"]', "promise.0.by: CHARLIE is not staged"),
        ('source = "A planner"\n', "", "source: is missing"),
    ],
)
def test_what_is_no_value_of_its_key_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """The drill would be played with another fault than its planner had in mind."""
    assert old in GOOD
    assert any(line.startswith(said) for line in _refusal(tmp_path, GOOD.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('links = ["ALPHA/relay-1"]', 'links = ["ALPHA/relay-4"]', "inject.0.links: relay-4 is not staged"),
        ('fault = "digger"', 'fault = "plough"', "promise.0.fault: there is no inject 'plough'; there is digger"),
        ('until = "4s"', 'until = "2s"\nstart = "2s"', "traffic.0.until: is not after its start"),
        ('every = "250ms"', 'every = "0s"', "traffic.0.every: is no pace"),
        (
            '[[promise]]\npromise = "noticed"',
            '[[sabotage]]\nweakness = "w"\nbreaks = ["silence"]\n\n[[promise]]\npromise = "noticed"',
            "sabotage.0.breaks: the drill does not promise 'silence'",
        ),
        (
            '[[promise]]\npromise = "noticed"',
            '[[sabotage]]\nweakness = "w"\nbreaks = ["noticed"]\nhinders = ["d"]\n\n[[promise]]\npromise = "noticed"',
            "sabotage.0.hinders: there is no inject 'd'",
        ),
    ],
)
def test_contradictions_are_found(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A promise about something that never happens would hold, or break, for nothing."""
    assert old in GOOD
    assert any(line.startswith(said) for line in _refusal(tmp_path, GOOD.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("inject", "said"),
    [
        ('fault = "kill"\ntarget = "relay-7"', "inject.1.target: relay-7 is not staged"),
        ('fault = "kill"\ntarget = "witness-1"', "inject.1.target: witness-1 is not staged"),
        ('fault = "freeze"\ntarget = "relay-1"', "inject.1.for: is missing"),
        ('fault = "partition"\nbetween = [["ALPHA"], ["relay-5"]]', "inject.1.between: relay-5 is not staged"),
        ('fault = "restore"\ntarget = "ALPHA"', "inject.1: there is no backup of ALPHA before it"),
    ],
)
def test_an_inject_into_nothing_is_found(tmp_path: Path, inject: str, said: str) -> None:
    """It would fail in the middle of the run."""
    text = GOOD + f'\n[[inject]]\nat = "2s"\n{inject}\n'
    assert any(line.startswith(said) for line in _refusal(tmp_path, text))


def test_contradictions_come_together_with_the_wrong_name(tmp_path: Path) -> None:
    """The report would bear the name of another drill, and the second mistake be found after the first is mended."""
    said = _refusal(tmp_path, GOOD.replace("relay-1", "relay-9"), name="other")
    assert said[0].startswith("inject.0.links: relay-9 is not staged")
    assert said[1] == "name: 'cut' is not the name of the file, 'other'"


def test_a_planners_own_file_is_found_by_its_path_and_the_librarys_by_name(tmp_path: Path) -> None:
    """A planner could run only what came with the program."""
    file = _load(tmp_path, GOOD).path
    assert find_plan(str(file)).plan.name == "cut"
    name = library()[0].stem
    assert find_plan(name).plan.name == name


def test_a_name_that_nobody_has_is_answered_with_the_nearest() -> None:
    """The planner would search the list for a missing letter."""
    with pytest.raises(ConfigError, match="did you mean relay-killed"):
        find_plan("relay-kiled")


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    """A huge or odd file would take the planner's machine instead of a sentence."""
    assert _refusal(tmp_path, GOOD + "[[inject]\n")[0].startswith("not TOML")
    with pytest.raises(ConfigError):
        _load(tmp_path, "#" * (PLAN_BYTES_MAX + 1))
    with pytest.raises(ConfigError):
        load_plan(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0ms", 0), ("250ms", 250), ("2s", 2_000), ("5m", 300_000), ("-2h", -7_200_000), ("+1d", 86_400_000)],
)
def test_spans_are_read(text: str, ms: int) -> None:
    """Limits and times would be off by a unit."""
    assert milliseconds(text) == ms


@pytest.mark.parametrize("odd", ["", "s", "2", "2 s", "2sec", "1.5s", "2S", "٢s", "2s\n", 2, 2.0, None, True, ["2s"]])
def test_what_is_no_span_is_refused(odd: Any) -> None:
    """A bare number would be taken for seconds by one reader and for milliseconds by the other."""
    with pytest.raises(ValueError, match="no span of time"):
        milliseconds(odd)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, "never"), (0, "0 ms"), (999.4, "999 ms"), (1_900, "1.9 s"), (200_000, "3 min 20 s")],
)
def test_spans_are_told(ms: float | None, text: str) -> None:
    """A report would speak of 0 s where it means never."""
    assert spoken(ms) == text


def test_an_inject_is_named_by_its_label_or_its_kind() -> None:
    """Promises would speak of another fault."""
    assert Kill.model_validate({"at": "1s", "fault": "kill", "target": "relay-1"}).name == "kill"
    word = {"at": "1s", "fault": "say", "from": "ALPHA", "text": "Good morning.", "label": "first"}
    assert Say.model_validate(word).name == "first"


SAYS = """
[[inject]]
at = "2s"
label = "fix"
fault = "say"
from = "ALPHA"
text = "At three."
corrects = "wrong"
"""
FIRST = SAYS.replace('"2s"', '"1s"').replace('"fix"', '"wrong"').replace('corrects = "wrong"\n', "")


def test_what_officers_say_of_their_own_words_names_words_of_theirs(tmp_path: Path) -> None:
    """A correction of nothing would be found out in the middle of an exercise."""
    promised = '\n[[promise]]\npromise = "corrected"\nfault = "fix"\nlimit = "1s"\n'
    assert _load(tmp_path, GOOD + FIRST + SAYS + promised).plan.inject[2].name == "fix"
    nothing = "inject.{}: before it, ALPHA says nothing 'wrong' on this plane, or several things"
    assert _refusal(tmp_path, GOOD + SAYS) == [nothing.format(1)]
    for other in (
        FIRST.replace("ALPHA", "BRAVO"),
        FIRST.replace('"1s"', '"2s"'),
        FIRST + FIRST,
        FIRST + 'plane = "real"\n',
    ):
        assert _refusal(tmp_path, GOOD + other + SAYS) == [nothing.format(1 + other.count("[[inject]]"))]
    assert "inject.2: corrects or retracts, not both" in _refusal(
        tmp_path, GOOD + FIRST + SAYS + 'retracts = "wrong"\n'
    )
    for kind, says in (
        ("corrected", "corrects and retracts nothing"),
        ("presence", "is no word of presence"),
        ("speaks", "lets no terminal speak"),
        ("in-force", "amends nothing"),
        ("stays-out", "activates no terminal"),
        ("not-taken", "says nothing"),
        ("answered", "challenges nothing"),
        ("entered", "is no checklist"),
        ("rung", "says nothing of a statement of the other side"),
        ("understood", "says no phrase"),
    ):
        wrong = promised.replace("fix", "digger").replace("corrected", kind)
        wrong = wrong.replace('"1s"', "0") if kind == "not-taken" else wrong
        wrong += 'verdict = "yes"\nby = "record"\n' if kind == "answered" else ""
        assert _refusal(tmp_path, GOOD + FIRST + SAYS + wrong) == [f"promise.1.fault: digger {says}"]


TAKEN = """
[topology]
alternates = ["ALPHA"]

[[inject]]
at = "2s"
fault = "takeover"
target = "ALPHA-alt"

[[inject]]
at = "3s"
fault = "say"
from = "ALPHA"
terminal = "alt"
text = "The alternate speaks."
"""


def test_an_alternate_acts_only_where_there_is_one(tmp_path: Path) -> None:
    """An exercise would end where the officers of a second terminal are to begin."""
    assert _load(tmp_path, GOOD + TAKEN).plan.topology.alternates == ["ALPHA"]
    said = _refusal(tmp_path, GOOD + TAKEN.replace('["ALPHA"]', '["BRAVO"]'))
    assert [line.split(":")[:2] for line in said] == [
        ["inject.1.target", " ALPHA-alt is not staged"],
        ["inject.2.terminal", " ALPHA-alt is not staged"],
    ]
    spoken_of = GOOD.replace('from = "ALPHA"', 'from = "ALPHA"\nterminal = "alt"', 1)
    assert any(line.startswith("traffic.0.terminal: ALPHA-alt") for line in _refusal(tmp_path, spoken_of))


JOURNEY = """
[topology]
alternates = ["ALPHA"]
travels = ["ALPHA"]

[[inject]]
at = "2s"
label = "journey"
fault = "travel"
target = "ALPHA-alt"
for = "2s"

[[promise]]
promise = "stays-out"
fault = "journey"
limit = "1s"

[[promise]]
promise = "in-force"
fault = "journey"
limit = "1s"
"""


def test_a_journey_is_one_of_a_terminal_that_travels_and_has_an_end(tmp_path: Path) -> None:
    """The charter could not be drawn up in the middle of the drill, or would be in force for ever."""
    plan = _load(tmp_path, GOOD + JOURNEY).plan
    assert (plan.topology.serial, plan.length_ms) == (2, 4_000)
    assert _load(tmp_path, GOOD).plan.topology.serial == 1
    stays = "ALPHA-alt does not travel: name its party in topology.travels"
    assert _refusal(tmp_path, GOOD + JOURNEY.replace('travels = ["ALPHA"]\n', "")) == [f"inject.1.target: {stays}"]
    home = JOURNEY.replace('target = "ALPHA-alt"', 'target = "ALPHA"')
    assert _refusal(tmp_path, GOOD + home) == [f"inject.1.target: {stays.replace('-alt', '')}"]
    (lacking,) = _refusal(tmp_path, GOOD + JOURNEY.replace('travels = ["ALPHA"]', 'travels = ["ALPHA", "BRAVO"]'))
    assert lacking == "topology.travels: BRAVO has no alternate that could"
    endless = "inject.1.for: is missing: say for how long it is a part of the hotline"
    assert _refusal(tmp_path, GOOD + JOURNEY.replace('for = "2s"\n', "")) == [endless]


RULED = """
[[promise]]
promise = "speaks"
fault = "digger"
terminal = "ALPHA-alt"
least = "6s"
"""


def test_who_takes_over_by_the_rule_is_named_with_one_bound(tmp_path: Path) -> None:
    """Nobody could tell whether it took over too soon, or the drill would be judged by no limit at all."""
    head = GOOD + '\n[topology]\nalternates = ["ALPHA"]\ntakeover_after = "6s"\n'
    assert _load(tmp_path, head + RULED).plan.topology.takeover_after == 6_000
    for changed in (RULED.replace('least = "6s"\n', ""), RULED + 'limit = "8s"\n'):
        assert "give a limit or a least, not both" in " ".join(_refusal(tmp_path, head + changed))
    assert _refusal(tmp_path, head + RULED.replace("ALPHA-alt", "BRAVO-alt"))[0].startswith("promise.1.terminal: BRAVO")
    assert _refusal(tmp_path, head + RULED.replace('terminal = "ALPHA-alt"\n', "")) == [
        "promise.1.fault: digger lets no terminal speak"
    ]


def test_a_clock_that_is_wrong_from_the_start_is_that_of_a_process(tmp_path: Path) -> None:
    """It would be right, and the drill prove nothing."""
    clocks = GOOD + '\n[topology]\nclock_step = { relay-1 = "+2d", relay-7 = "+2d" }\n'
    (said,) = _refusal(tmp_path, clocks)
    assert said.startswith("topology.clock_step.relay-7: relay-7 is not staged")


THREE = '\n[topology]\nparties = 3\n\n[[traffic]]\nfrom = "CHARLIE"\nevery = "1s"\nuntil = "4s"\n'


def test_a_drill_of_three_parties_is_about_all_of_them(tmp_path: Path) -> None:
    """A promise would hold that nobody has looked at in the third capital (docs/protocol.md 26.4)."""
    (promise,) = _load(tmp_path, GOOD + THREE).plan.promise
    assert isinstance(promise, Noticed)
    assert promise.by == ["ALPHA", "BRAVO", "CHARLIE"]
    (named,) = _load(tmp_path, GOOD.replace('limit = "1500ms"', 'limit = "1s"\nby = ["BRAVO"]') + THREE).plan.promise
    assert isinstance(named, Noticed)
    assert named.by == ["BRAVO"]
    both = _load(tmp_path, GOOD).plan.promise[0]
    assert isinstance(both, Noticed)
    assert both.by == ["ALPHA", "BRAVO"]
    text = THREE.replace("parties = 3", 'parties = 3\nwitnesses = 1\nalternates = ["ALPHA"]\nrelease = true')
    asks = '\n[[inject]]\nat = "1s"\nfault = "ask"\nfrom = "ALPHA"\n'
    late = SAYS.replace("corrects", "answers").replace("ALPHA", "BRAVO")
    assert _refusal(tmp_path, GOOD + text + FIRST + late + asks) == [
        "topology.alternates: a drill of three parties has none",
        "topology.release: a drill of three parties has none",
        "topology.witnesses: a drill of three parties has none",
        "inject.2: among three parties nothing is answered or corrected yet",
        "inject.3: ask is not played among three parties",
    ]


def test_a_relay_that_joins_is_new_and_one_that_leaves_is_there(tmp_path: Path) -> None:
    """The charter would be refused in the middle of the drill, as nobody can draw it up."""
    text = '\n[[inject]]\nat = "2s"\nfault = "amend"\nleaves = "relay-{}"\njoins = "relay-{}"\n'
    later = '\n[[inject]]\nat = "3s"\nfault = "kill"\ntarget = "relay-4"\n'
    assert len(_load(tmp_path, GOOD + text.format(1, 4) + later).plan.inject) == 3
    assert _refusal(tmp_path, GOOD + text.format(1, 3)) == ["inject.1.joins: relay-3 is there already"]
    twice = GOOD + text.format(1, 4) + text.format(2, 4)
    assert _refusal(tmp_path, twice) == ["inject.2.joins: relay-4 is there already"]
    assert _refusal(tmp_path, GOOD + text.format(7, 4))[0].startswith("inject.1.leaves: relay-7 is not staged")


RUNGS = """
[[inject]]
at = "3s"
fault = "shown"
from = "BRAVO"
statement = "wrong"

[[inject]]
at = "4s"
fault = "say"
from = "BRAVO"
text = "It was."
answers = "wrong"
"""


def test_what_is_said_of_a_statement_names_one_of_the_other_side(tmp_path: Path) -> None:
    """An answer to nothing, or to oneself, would be found out in the middle of an exercise."""
    assert len(_load(tmp_path, GOOD + FIRST + RUNGS).plan.inject) == 4
    nothing = "inject.{}: before it, the other side says nothing 'wrong' on this plane, or several things"
    assert _refusal(tmp_path, GOOD + RUNGS) == [nothing.format(1), nothing.format(2)]
    for other in (FIRST.replace("ALPHA", "BRAVO"), FIRST.replace('"1s"', '"5s"')):
        assert _refusal(tmp_path, GOOD + other + RUNGS) == [nothing.format(2), nothing.format(3)]
    assert _refusal(tmp_path, GOOD + FIRST + 'plane = "real"\n' + RUNGS) == [nothing.format(3)]


UNRELEASED = """
[topology]
release = true

[[inject]]
at = "2s"
fault = "say"
from = "ALPHA"
plane = "real"
text = "Nobody has signed this."
unreleased = true
"""


def test_what_lacks_a_release_is_said_where_one_is_asked_for(tmp_path: Path) -> None:
    """The drill would show that what needs no signature is shown without one."""
    assert len(_load(tmp_path, GOOD + UNRELEASED).plan.inject) == 2
    nobody = "inject.1.unreleased: nobody's release is asked for: set topology.release, and plane to real"
    for changed in (
        UNRELEASED.replace("release = true", "release = false", 1),
        UNRELEASED.replace('"real"', '"exercise"'),
    ):
        assert _refusal(tmp_path, GOOD + changed) == [nobody]


def test_officers_sign_where_a_release_is_asked_for(tmp_path: Path) -> None:
    """Nobody would be needed for what the drill says needs two, or one officer would count as both."""
    two = UNRELEASED.replace("unreleased = true", 'released = true\nsigners = ["drafter", "deputy"]')
    said = _load(tmp_path, GOOD + two).plan.inject[1]
    assert isinstance(said, Say)
    assert (said.released, said.signers) == (True, ["drafter", "deputy"])
    nobody = "inject.1.released: nobody's release is asked for: set topology.release, and plane to real"
    both, unsigned = "inject.1: released, unreleased or odd: one of them", "there is no draft to sign: set released"
    for changed, why in (
        (two.replace("release = true", "release = false", 1), nobody),
        (two.replace('"real"', '"exercise"'), nobody),
        (two + "unreleased = true\n", both),
        (two + "odd = true\n", both),
        (two.replace("released = true\n", ""), f"inject.1.signers: {unsigned}"),
        (two.replace('"deputy"', '"drafter"'), "inject.1.signers: nobody signs twice"),
    ):
        assert _refusal(tmp_path, GOOD + changed) == [why]


PHRASE = """
[[inject]]
at = "3s"
fault = "say"
from = "BRAVO"
answers = "wrong"
phrase = "B11"
fill = { number = "@wrong" }
lang = "hi"
"""


def test_a_phrase_is_one_of_the_book_with_its_fields(tmp_path: Path) -> None:
    """The officer would find out in the middle of an exercise that nobody can say it (docs/protocol.md 21.10)."""
    inject = _load(tmp_path, GOOD + FIRST + PHRASE).plan.inject[2]
    assert isinstance(inject, Say)
    assert inject.text == book().phrases["B11"].texts["hi"]
    missing = "inject.2.fill: before it, nobody says 'other', or several things are called so"
    for changed, why in (
        (PHRASE.replace("B11", "Z99"), "inject.2.phrase: the book has no Z99: look at hotline phrase list"),
        (PHRASE.replace("number =", "no ="), "inject.2.fill: B11 takes number; wrong or missing: no, number"),
        (
            PHRASE.replace("@wrong", "x"),
            "inject.2.fill: number: a number has at most 15 digits and no leading zero",
        ),
        (PHRASE.replace("@wrong", "@other"), missing),
        (PHRASE + 'text = "No."\n', "inject.2.text: a phrase has a text of its own"),
        (PHRASE.replace('phrase = "B11"', 'text = "No."'), "inject.2.fill: there is no phrase to fill"),
    ):
        assert _refusal(tmp_path, GOOD + FIRST + changed) == [why]
    neither = PHRASE.replace('phrase = "B11"\nfill = { number = "@wrong" }\n', "")
    assert _refusal(tmp_path, GOOD + FIRST + neither) == ["inject.2.text: is missing: say a text, or a phrase"]


DOUBTS = """
[[inject]]
at = "3s"
fault = "challenge"
from = "{}"
statement = "wrong"

[[inject]]
at = "4s"
fault = "confirm"
from = "ALPHA"
answer = "no"
"""


def test_a_challenge_names_what_was_said_and_a_person_answers_one(tmp_path: Path) -> None:
    """An officer would be asked of nothing, or answer what nobody has asked."""
    assert len(_load(tmp_path, GOOD + FIRST + DOUBTS.format("BRAVO")).plan.inject) == 4
    nobody = "inject.{}: before it, nobody says 'wrong', or several things are called so"
    assert _refusal(tmp_path, GOOD + DOUBTS.format("BRAVO")) == [nobody.format(1)]
    assert _refusal(tmp_path, GOOD + FIRST.replace('"1s"', '"3s"') + DOUBTS.format("BRAVO")) == [nobody.format(2)]
    nothing = "inject.3: before it, the other side challenges nothing"
    assert _refusal(tmp_path, GOOD + FIRST + DOUBTS.format("ALPHA")) == [nothing]
    early = DOUBTS.format("BRAVO").replace('"4s"', '"3s"')
    assert _refusal(tmp_path, GOOD + FIRST + early) == [nothing]


TRANSLATED = """
[[inject]]
at = "3s"
fault = "translate"
from = "BRAVO"
statement = "wrong"
grade = "rough"
lang = "hi"
translator = "Watch linguist"
text = "Three o'clock."
"""


def test_a_translation_is_of_something_in_another_language_and_of_a_lawful_grade(tmp_path: Path) -> None:
    """The terminal would refuse it in the middle of an exercise."""
    assert len(_load(tmp_path, GOOD + FIRST + TRANSLATED).plan.inject) == 3
    nobody = "inject.1: before it, nobody says 'wrong', or several things are called so"
    assert _refusal(tmp_path, GOOD + TRANSLATED) == [nobody]
    grade = "inject.2.grade: courtesy is for one's own statement, and nothing else is"
    courtesy = TRANSLATED.replace('"rough"', '"courtesy"')
    assert _refusal(tmp_path, GOOD + FIRST + courtesy) == [grade]
    assert _refusal(tmp_path, GOOD + FIRST + TRANSLATED.replace("BRAVO", "ALPHA")) == [grade]
    assert len(_load(tmp_path, GOOD + FIRST + courtesy.replace("BRAVO", "ALPHA")).plan.inject) == 3
    same = "inject.2.lang: wrong is in en already"
    assert _refusal(tmp_path, GOOD + FIRST + TRANSLATED.replace('"hi"', '"en"')) == [same]
