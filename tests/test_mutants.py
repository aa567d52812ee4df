"""The mutation tool makes the faults it says and runs the right tests, and its list of exceptions is alive."""

from __future__ import annotations

from types import ModuleType

from tools.mutants import Injected, Known, accepted_list, sources, stages_of, stale_entries
from tools.mutations import Mutant, candidates

SAMPLE = '''"""A docstring with 1 in it."""

LIMIT: int = 3


def within(value: int, *, strict: bool = False) -> int | None:
    """Whether and how."""
    assert value > 0, "never"
    if value < LIMIT and not strict:
        return value + 1
    log.info("none", size=2)
    items = [one for one in (value,) if one]
    items[0] = 5
    items.append(7)
    if not items:
        raise ValueError(f"{value + 1}")
    return max(items, default=0)
'''


def made(source: str = SAMPLE) -> list[Mutant]:
    return [mutant for mutant in (one.build() for one in candidates("sample", source)) if mutant is not None]


def test_the_faults_are_those_of_the_operators() -> None:
    """A score would be high because nothing that matters is ever broken."""
    diffs = {mutant.diff.replace("\n", " ") for mutant in made()}
    wanted = {
        "- LIMIT: int = 3 + LIMIT: int = 4",
        "- LIMIT: int = 3 + LIMIT: int = 2",
        "- if value < LIMIT and not strict: + if value <= LIMIT and not strict:",
        "- if value < LIMIT and not strict: + if value >= LIMIT and not strict:",
        "- if value < LIMIT and not strict: + if value < LIMIT or not strict:",
        "- if value < LIMIT and not strict: + if value < LIMIT and strict:",
        "- if value < LIMIT and not strict: + if True:",
        "- if value < LIMIT and not strict: + if False:",
        "- return value + 1 + return value - 1",
        "- return value + 1 + return None",
        "- items = [one for one in (value,) if one] + items = [one for one in (value,)]",
        "- items[0] = 5 + pass",
        "- items.append(7) + pass",
        '- raise ValueError(f"{value + 1}") + pass',
        "- return max(items, default=0) + return max(items)",
    }
    assert wanted <= diffs
    assert any(diff.endswith("strict: bool = True) -> int | None:") for diff in diffs)


def test_what_is_no_fault_is_left_alone() -> None:
    """Texts, log lines and assertions would fill the list of survivors."""
    for mutant in made():
        for untouched in ("A docstring with 1", 'assert value > 0, "never"', 'log.info("none", size=2)'):
            assert untouched in mutant.source
        assert mutant.source != SAMPLE
        compile(mutant.source, "sample", "exec")
    assert len({mutant.source for mutant in made()}) == len(made())


def test_places_are_told_right() -> None:
    """A survivor would be looked for in another function, and only tests of other lines would be run."""
    (appended,) = [mutant for mutant in made() if mutant.diff == "- items.append(7)\n+ pass"]
    assert (appended.function, appended.operator, appended.lines) == ("within", "delete", range(14, 15))
    (limit,) = [mutant for mutant in made() if mutant.diff.endswith("LIMIT: int = 4")]
    assert limit.function == ""


def test_texts_before_a_place_may_be_of_any_script() -> None:
    """Columns count bytes: the wrong piece would be cut out behind a text in Urdu."""
    source = 'def f():\n    return ("\u0648\u0642\u062a", 1)[1]\n'
    diffs = [mutant.diff for mutant in made(source)]
    assert '- return ("\u0648\u0642\u062a", 1)[1]\n+ return ("\u0648\u0642\u062a", 2)[1]' in diffs


def test_only_tests_that_execute_the_lines_are_run_the_modules_own_first() -> None:
    """A mutant would cost the whole suite, or be called a survivor because its tests were never run."""
    mutant = Mutant("hotline.ledger.tree", "f", "delete", range(7, 8), "", "")
    known = {
        "tests/hotline/ledger/test_tree.py::slow": Known(0.9, {"hotline.ledger.tree": 1 << 7}),
        "tests/hotline/ledger/test_tree.py::quick": Known(0.1, {"hotline.ledger.tree": 1 << 7 | 1 << 8}),
        "tests/hotline/ledger/test_log.py::other": Known(0.01, {"hotline.ledger.tree": 1 << 7}),
        "tests/hotline/ledger/test_log.py::elsewhere": Known(0.01, {"hotline.ledger.tree": 1 << 6}),
        "tests/hotline/ledger/test_log.py::endless": Known(900.0, {"hotline.ledger.tree": 1 << 7}),
    }
    assert stages_of(mutant, known) == [
        (
            "tests/hotline/ledger/test_tree.py",
            [f"tests/hotline/ledger/test_tree.py::{n}" for n in ("quick", "slow")],
            1.0,
        ),
        ("tests/hotline/ledger/test_log.py", ["tests/hotline/ledger/test_log.py::other"], 0.01),
    ]


def test_the_mutated_text_is_what_is_imported() -> None:
    """Every mutant would survive, for none would ever run."""
    mutant = Mutant("hotline.civil", "f", "constant", range(1, 2), "", "answer = 43\n")
    hook = Injected(mutant)
    assert hook.find_spec("hotline.errors") is None
    spec = hook.find_spec("hotline.civil")
    assert spec is not None
    module = ModuleType("hotline.civil")
    hook.exec_module(module)
    assert module.answer == 43


def test_every_accepted_survivor_still_exists_and_has_its_reason() -> None:
    """An exception would outlive the code that it was made for, and excuse another fault."""
    accepted = accepted_list()
    assert stale_entries(accepted, sources()) == []
    assert all(len(reason) > 20 for reason in accepted.values())


def test_a_stale_entry_is_told() -> None:
    """The test above could not fail."""
    gone = {("hotline.ledger.tree", "node_hash", "- return 1\n+ return 2"): "a reason that is long enough"}
    assert len(stale_entries(gone, sources())) == 1
