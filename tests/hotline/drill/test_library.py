"""The drills that come with the program, and the document that describes them."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from hotline.drill.injects import Fault
from hotline.drill.plan import Plan, Sabotage, Steady, Traffic, library, load_plan
from hotline.drill.promises import Promise
from hotline.drill.topology import Topology
from tests.sabotage import weaknesses
from tests.sabotage.weaknesses import WEAKNESSES

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/drills.md"
PLANS: dict[str, Plan] = {path.stem: load_plan(path).plan for path in library()}
INCIDENTS = [f"D{number:02d}" for number in range(1, 22)]
QUICK = 8
QUICK_MS = 12_000
SLOW_MS = 30_000
"""A drill that takes longer is tagged `slow`, so that nobody waits for it unasked."""
PRIVILEGED = {"disk", "clock", "interface"}
"""Kinds of fault that need root, strace, libfaketime or a name space: not for a quick look on any machine."""


def _models(union: Any, tag: str) -> dict[str, type[BaseModel]]:
    """Kind to model of a tagged union."""
    return {get_args(model.model_fields[tag].annotation)[0]: model for model in get_args(get_args(union)[0])}


FAULTS = _models(Fault, "fault")
PROMISES = _models(Promise, "promise")


def test_there_is_a_library() -> None:
    """Every test below would hold for nothing."""
    assert len(PLANS) >= 32
    assert len({plan.title for plan in PLANS.values()}) == len(PLANS)


@pytest.mark.parametrize("path", library(), ids=lambda path: path.stem)
def test_a_drill_is_valid_and_says_where_it_comes_from(path: Path) -> None:
    """A planner would find out in the middle of an exercise."""
    plan = load_plan(path).plan
    assert plan.name == path.stem
    assert len(plan.story) > 80
    assert len(plan.source) > 15
    lines = path.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 160
    assert not any("://" in line for line in lines)


def test_every_incident_has_a_drill_and_no_drill_claims_another() -> None:
    """A report would name an incident that is in no list."""
    claimed = Counter(plan.incident for plan in PLANS.values() if plan.incident)
    assert sorted(claimed) == INCIDENTS
    assert {name[:3].upper() for name, plan in PLANS.items() if plan.incident} == set(claimed)


@pytest.mark.parametrize("name", sorted(name for name, plan in PLANS.items() if plan.incident))
def test_a_drill_of_history_says_what_it_does_not_reenact(name: str) -> None:
    """A reader would take a part of the story for the whole of it."""
    assert re.search(r"[Nn]ot\s+re-enacted|[Ff]ully\s+expressible", PLANS[name].story)


def test_quick_drills_are_quick_and_run_anywhere() -> None:
    """The set that everybody runs first would take minutes, or be skipped on most machines."""
    quick = [plan for plan in PLANS.values() if "quick" in plan.tags]
    assert len(quick) == QUICK
    for plan in quick:
        assert plan.length_ms <= QUICK_MS, plan.name
        assert not PRIVILEGED & {inject.fault for inject in plan.inject}, plan.name
        assert not plan.topology.clock_step, plan.name


def test_what_is_slow_says_so() -> None:
    """The library would not be through within twenty minutes."""
    assert {name for name, plan in PLANS.items() if plan.length_ms > SLOW_MS} == {
        name for name, plan in PLANS.items() if "slow" in plan.tags
    }
    assert sum(plan.length_ms for plan in PLANS.values() if "slow" not in plan.tags) < 1_000_000


def test_every_kind_of_fault_and_promise_is_used() -> None:
    """One that no drill uses is tried for the first time by a planner, in earnest."""
    assert {inject.fault for plan in PLANS.values() for inject in plan.inject} == set(FAULTS)
    assert {promise.promise for plan in PLANS.values() for promise in plan.promise} == set(PROMISES)


@pytest.mark.parametrize(
    ("kind", "field"), [("lie", "how"), ("flood", "kind"), ("disk", "how"), ("link", "mode"), ("link", "way")]
)
def test_every_variant_of_a_fault_is_used(kind: str, field: str) -> None:
    """The same, one level deeper."""
    used = {getattr(one, field) for plan in PLANS.values() for one in plan.inject if one.fault == kind}
    assert used == set(get_args(FAULTS[kind].model_fields[field].annotation))


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_drill_promises_what_every_drill_must(name: str) -> None:
    """It would pass while the ledgers do not hold, or while words are lost."""
    plan = PLANS[name]
    kinds = {promise.promise for promise in plan.promise}
    # Whoever has a stolen ledger key may begin a log under the stolen name, and the comparison is to show it.
    assert ("ledgers" in kinds) != any(inject.fault == "thief" for inject in plan.inject)
    says = plan.traffic or any(inject.fault == "say" for inject in plan.inject)
    assert not says or "none-lost" in kinds
    assert plan.inject, "nothing happens in it"


@pytest.mark.parametrize("name", sorted(name for name, plan in PLANS.items() if plan.traffic))
def test_an_undisturbed_time_comes_before_the_first_fault(name: str) -> None:
    """`extra-delay` would have no median to compare with."""
    plan = PLANS[name]
    if any(promise.promise == "extra-delay" for promise in plan.promise):
        first = min(inject.at for inject in plan.inject)
        assert any(flow.start + 2 * flow.every <= first for flow in plan.traffic)


def test_drills_that_can_be_shown_to_fail() -> None:
    """A drill that cannot fail is not counted; those of the quick set have all to show it."""
    assert all(plan.sabotage for plan in PLANS.values() if "quick" in plan.tags)
    assert sum(1 for plan in PLANS.values() if plan.sabotage) >= len(PLANS) // 3
    named = {sabotage.weakness for plan in PLANS.values() for sabotage in plan.sabotage}
    assert named == set(WEAKNESSES), "a weakness that nobody plays, or that nobody has made"
    described = _section("sabotage")
    assert [name for name in WEAKNESSES if f"`{name}`" not in described] == []


def _assigned(function: ast.FunctionDef) -> Iterator[ast.Attribute]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            yield from (target for target in node.targets if isinstance(target, ast.Attribute))


def _places() -> Iterator[tuple[str, Any, str]]:
    """Weakness, holder and name of each thing of the program that it puts something else in the place of."""
    made = [node for node in ast.parse(inspect.getsource(weaknesses)).body if isinstance(node, ast.FunctionDef)]
    for function in made:
        for target in _assigned(function):
            # A name of the function's own cannot be missing.
            if ast.unparse(target.value).partition(".")[0] in vars(weaknesses):
                yield function.name, eval(ast.unparse(target.value), vars(weaknesses)), target.attr


def test_a_weakness_takes_the_place_of_something() -> None:
    """What was moved would be left as it is, and a drill that stays green would say that it finds nothing."""
    found = list(_places())
    assert len(found) >= len(WEAKNESSES)
    for name, holder, attribute in found:
        assert hasattr(holder, attribute), f"{name}: there is no {attribute} in {holder}"


@pytest.mark.parametrize("name", sorted({name for name, _, _ in _places()}))
def test_a_weakness_takes_what_its_place_is_called_with(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon would end by a TypeError, and a drill would turn red for that, or come to nothing."""
    places = [(holder, attribute) for _, holder, attribute in _places()]  # one weakness may bring another
    before = [vars(holder).get(attribute) or getattr(holder, attribute) for holder, attribute in places]
    for (holder, attribute), true in zip(places, before, strict=True):
        monkeypatch.setattr(holder, attribute, true)  # put back afterwards
    getattr(weaknesses, name)()
    for (holder, attribute), true in zip(places, before, strict=True):
        weak = getattr(holder, attribute)
        if inspect.isfunction(true) and inspect.isfunction(weak):
            taken = inspect.signature(true).parameters.values()
            words = {one.name: None for one in taken if one.kind is one.KEYWORD_ONLY}
            plain = [one for one in taken if one.kind is one.POSITIONAL_OR_KEYWORD]
            inspect.signature(weak).bind(*plain, **words)


# --- the document -----------------------------------------------------------------------------------------------------


def _entries() -> dict[str, str]:
    """Name of a drill to its entry in the document."""
    parts = re.split(r"^#### `([a-z0-9-]+)`", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(set(parts[1::2])) == len(parts[1::2]), "a drill has two entries"
    found = zip(parts[1::2], parts[2::2], strict=True)
    return {name: re.split(r"^#{1,4} ", entry, maxsplit=1, flags=re.MULTILINE)[0] for name, entry in found}


def test_the_document_has_an_entry_for_every_drill_and_for_no_other() -> None:
    """It would go stale with the next drill."""
    assert sorted(_entries()) == sorted(PLANS)


@pytest.mark.parametrize("name", sorted(PLANS))
def test_an_entry_names_title_incident_and_source(name: str) -> None:
    """The document would tell another story than the file."""
    entry, plan = " ".join(_entries()[name].split()), PLANS[name]
    assert plan.title in entry
    assert plan.source in entry
    assert plan.incident in entry
    assert all(f"`{tag}`" in entry for tag in plan.tags)


def _section(title: str) -> str:
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.search(rf"^(#{{2,4}}) {re.escape(title)}\n(.*?)(?=^#{{2,4}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"the document has no section {title!r}"
    return found.group(2)


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field


SECTIONS = {"The whole file": Plan, "topology": Topology, "steady": Steady, "traffic": Traffic, "sabotage": Sabotage}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_of_a_table_is_described(title: str) -> None:
    """A planner would have to read the program."""
    text = _section(title)
    assert [key for key, _ in _fields(SECTIONS[title]) if f"`{key}`" not in text] == []


@pytest.mark.parametrize(("union", "title"), [("fault", "inject"), ("promise", "promise")])
def test_every_kind_and_every_key_of_it_is_described(union: str, title: str) -> None:
    """The same for injects and promises: one row for each kind, with its keys."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|(.*)$", _section(title), re.MULTILINE))
    models = FAULTS if union == "fault" else PROMISES
    assert sorted(kind for kind in models if kind not in rows) == []
    usual = {"fault", "at", "label", "for"} if union == "fault" else {"promise", "why", "limit"}
    for kind, model in models.items():
        missing = [key for key, _ in _fields(model) if key not in usual and f"`{key}`" not in rows[kind]]
        assert not missing, f"{kind}: {missing}"


def test_every_word_that_a_key_may_have_is_described() -> None:
    """Half of what a relay can do would be known to nobody."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for model in (Traffic, *FAULTS.values(), *PROMISES.values(), Plan):
        for key, field in _fields(model):
            for part in (field.annotation, *get_args(field.annotation)):
                words = (
                    [word for word in get_args(part) if isinstance(word, str)] if get_origin(part) is Literal else []
                )
                assert [word for word in words if f"`{word}`" not in text] == [], f"{model.__name__}.{key}"


def test_the_document_says_why_an_incident_is_not_played_whole() -> None:
    """A reader would look for what is not there."""
    text = DOCUMENT.read_text(encoding="utf-8").split("## What cannot be played yet")[1]
    played_whole = {plan.incident for plan in PLANS.values() if re.search(r"Fully\s+expressible", plan.story)}
    assert [number for number in INCIDENTS if number not in text and number not in played_whole] == []
