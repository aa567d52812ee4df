"""Mutation testing: small faults put into the rooms that decide, to see whether a test notices.

    python -m tools.mutants --sample 400 --seed 1   a sample; results in build/mutants/seed-1.jsonl
    python -m tools.mutants --module relay.machine  every mutant of one module
    python -m tools.mutants --resume ...            go on where the same call was ended; survivors are tried again,
                                                    with --seconds 60 by more tests
    python -m tools.mutants --check                 only: does every entry of the accepted list still name a mutant?

Nothing is written into the tree. This process has imported the heavy libraries and none of the rooms; a mutant is a
fork of it, in which an import hook gives out the mutated module. Which tests execute which lines is measured once with
coverage.py and kept; a mutant meets only the tests that execute its lines, those of its module first, then the quickest
of every file, until one fails. Left out are the daemons' shells, tests that start processes or wait for real time, and
the simulator but for a few of its conversations. Times are processor time: on a busy machine as on an idle one.

The accepted list, tests/mutants/accepted.toml, names survivors that change nothing anyone was promised, and why.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import selectors
import signal
import sys
import time
import tomllib
import traceback
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tools.mutations import Candidate, Mutant, candidates

ROOT = Path(__file__).resolve().parent.parent

ROOMS = ("hotline/protocol", "hotline/crypto", "hotline/ledger", "relay")
SHELLS = {"relay/__main__.py", "relay/cli.py", "relay/health.py", "relay/relayd.py", "relay/witnessd.py"}
"""Daemons and commands: what they do is seen by the process tests, which are too slow and too real for this."""

TESTS = (
    *("hotline/charter", "hotline/crypto", "hotline/ledger", "hotline/protocol", "hotline/wire", "relay"),
    *("hotline/cli/test_twowords.py", "hotline/test_config.py", "test_conformance.py", "test_oracle.py", "fuzz"),
    *("scenarios", "claims"),
)
SEEDS = ("tests/simulator/test_simulator.py", [f"test_no_judge_complains[{seed}]" for seed in (15, 19, 3, 11)], 8.0)
"""Whole conversations in virtual time: the quickest seeds, offered last to what decides."""

OWN = {
    "hotline.protocol.asking": "test_statements",
    "hotline.protocol.branding": "test_release",
    "hotline.protocol.charters": "test_amendments",
    "hotline.protocol.early": "test_challenges",
    "hotline.protocol.language": "test_translations",
    "hotline.protocol.mirror": "test_terminals",
    "hotline.protocol.nonpapers": "test_modes",
    "hotline.protocol.promises": "test_ladder",
    "hotline.protocol.references": "test_corrections",
    "hotline.protocol.talk": "test_service",
    "hotline.protocol.thirds": "test_statements",
    "hotline.protocol.voids": "test_clauses",
    "hotline.protocol.ownlog": "test_ledgers",
    "hotline.protocol.peerlog": "test_ledgers",
    "hotline.protocol.bundle": "test_courier",
    "hotline.protocol.courierkeys": "test_courier",
    "hotline.protocol.beats": "test_specification",
    "hotline.protocol.answers": "test_endpoint",
    "hotline.protocol.line": "test_endpoint",
    "hotline.protocol.receiving": "test_endpoint",
    "hotline.protocol.sending": "test_endpoint",
}
"""Modules whose own tests bear another name than theirs, or that have more than those of their name."""

EDGES = tuple(f"tests/hotline/protocol/test_{name}.py" for name in ("clauses", "seams", "bounds", "timetables"))
"""Clauses of the protocol at their edges, where they meet, and when: run like the own tests of every module there."""

LEFT_OUT = {
    "tests/relay/test_witness_cli.py": "starts programs",
}
"""Test files that take no part, each with the reason."""

WORK = ROOT / "build/mutants"
ACCEPTED = ROOT / "tests/mutants/accepted.toml"
USUAL_SECONDS_MAX = 15.0
"""Tests offered to one mutant, in seconds of processor time, unless the call says otherwise."""
MEMORY_MAX = 6 << 30
OPTIONS = [
    "-q",
    "--no-header",
    "--tb=no",
    "-p",
    "no:cacheprovider",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
]


Stage = tuple[str, Sequence[str], float]
"""A test file, its tests that are to run, and their usual seconds."""


@dataclass(slots=True)
class Known:
    """What is known of one test: its seconds of processor time and, for each module, the lines it executes as bits."""

    seconds: float
    lines: dict[str, int]


def preload() -> None:
    """Import what every test needs and no mutant can change, so that a fork has it already."""
    import hotline  # noqa: F401 - it sets gRPC's environment, so it comes first

    for name in (
        *(
            "pytest",
            "_pytest.assertion.rewrite",
            "pytest_asyncio",
            "coverage",
            "jsonschema",
            "pydantic",
            "click",
        ),
        *("grpc", "grpc.aio", "cryptography.hazmat.primitives.hpke", "cryptography.x509", "nacl.bindings", "structlog"),
        *("google.protobuf.message", "hypothesis", "hypothesis.strategies", "Crypto.PublicKey.ECC"),
        *("hotline.machine", "hotline.limits", "hotline.errors", "hotline.safetext", "hotline.files"),
        *(f"hotline.wire.v1.{path.stem}" for path in sorted((ROOT / "hotline/wire/v1").glob("*_pb2.py"))),
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    inside = [name for name in sys.modules if is_room(name)]
    assert not inside, f"{inside} cannot be mutated any more"
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


def is_room(module: str) -> bool:
    """Whether a module is one that may be mutated."""
    return any(module.startswith(f"{room.replace('/', '.')}.") for room in ROOMS)


def sources() -> dict[str, str]:
    """Dotted name -> text of every module that is mutated."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).glob("*.py"))]
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    return {
        name.removesuffix(".py").replace("/", "."): (ROOT / name).read_text(encoding="utf-8")
        for name in names
        if name not in SHELLS and not name.endswith("__init__.py")
    }


def test_files() -> list[str]:
    """The test files that take part."""
    found: list[str] = []
    for name in TESTS:
        place = ROOT / "tests" / name
        found += [path.relative_to(ROOT).as_posix() for path in sorted(place.glob("test_*.py"))] or [f"tests/{name}"]
    return [name for name in found if name not in LEFT_OUT and (ROOT / name).is_file()]


# --- children --------------------------------------------------------------------------------------------------------
def fork(work: Any, seconds: float) -> tuple[int, int]:
    """Start `work()` in a child; its JSON answer comes through the returned descriptor. (process, descriptor)."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return process, reader
    try:
        os.setsid()
        os.close(reader)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        cpu = int(seconds) + 5
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        with os.fdopen(writer, "w") as answer:
            try:
                json.dump(work(), answer)
            except Exception:  # noqa: BLE001 - the parent must see whatever it was, to tell it from a killed mutant
                json.dump({"broken": traceback.format_exc()}, answer)
    finally:
        os._exit(0)


def reap(process: int) -> None:
    """End a child with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


class Pool:
    """Children that run side by side; each has a deadline of the wall clock beside its limit of processor time."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, tuple[Any, int, float, bytearray]] = {}

    def run(self, tasks: Iterator[tuple[Any, Any, float]]) -> Iterator[tuple[Any, Any]]:
        """(key, work, seconds) for each task -> (key, answer); no answer within the time, or at all, is None."""
        waiting = True
        while waiting or self._running:
            while waiting and len(self._running) < self._jobs:
                task = next(tasks, None)
                if task is None:
                    waiting = False
                    break
                key, work, seconds = task
                process, descriptor = fork(work, seconds)
                self._running[descriptor] = (key, process, time.monotonic() + 30 + 6 * seconds, bytearray())
                self._selector.register(descriptor, selectors.EVENT_READ)
            yield from self._wait()

    def _wait(self) -> Iterator[tuple[Any, Any]]:
        for chosen, _ in self._selector.select(timeout=1.0):
            descriptor = chosen.fd
            key, process, _, received = self._running[descriptor]
            if data := os.read(descriptor, 65_536):
                received += data
                continue
            yield key, self._close(descriptor, process, received)
        for descriptor, (key, process, deadline, _) in list(self._running.items()):
            if time.monotonic() > deadline:
                yield key, self._close(descriptor, process, bytearray())

    def _close(self, descriptor: int, process: int, received: bytearray) -> Any:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        del self._running[descriptor]
        reap(process)
        return json.loads(received) if received else None


# --- which tests execute which lines ---------------------------------------------------------------------------------
class Contexts:
    """A pytest plugin: tells coverage which test, or which fixture of wider scope, executes what, and takes times."""

    def __init__(self, coverage: Any) -> None:
        self._coverage = coverage
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._coverage.switch_context(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        if fixturedef.scope != "function":
            self._coverage.switch_context(f"fixture {fixturedef.argname}")
        made = yield
        if fixturedef.scope != "function":
            self._coverage.switch_context("setup")
        return made

    def pytest_runtest_setup(self, item: Any) -> None:
        self.fixtures[item.nodeid] = list(getattr(item, "fixturenames", ()))

    def pytest_runtest_call(self, item: Any) -> None:
        self._coverage.switch_context(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, Any, Any]:
        begun = time.process_time()
        done = yield
        self.seconds[item.nodeid] = self.seconds.get(item.nodeid, 0.0) + time.process_time() - begun
        return done

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:
            self.seconds[report.nodeid] = -1e9


def measure(file: str) -> dict[str, Any]:
    """Run one test file under coverage: seconds and lines of each test that passes."""
    import coverage

    tracer = coverage.Coverage(data_file=None, config_file=False, include=[f"{ROOT}/{room}/*" for room in ROOMS])
    plugin = Contexts(tracer)
    tracer.start()
    pytest.main([*OPTIONS, file], plugins=[plugin])
    tracer.stop()
    data = tracer.get_data()
    lines: dict[str, dict[str, int]] = {}
    for measured in data.measured_files():
        module = Path(measured).relative_to(ROOT).as_posix().removesuffix(".py").replace("/", ".")
        for line, contexts in data.contexts_by_lineno(measured).items():
            for context in contexts:
                bits = lines.setdefault(context, {})
                bits[module] = bits.get(module, 0) | 1 << line
    found: dict[str, Any] = {}
    for test, seconds in plugin.seconds.items():
        if seconds >= 0:
            seen = [test, *(f"fixture {name}" for name in plugin.fixtures.get(test, ()))]
            merged: dict[str, int] = {}
            for module, bits in [pair for context in seen for pair in lines.get(context, {}).items()]:
                merged[module] = merged.get(module, 0) | bits
            found[test] = [round(seconds, 4), {module: hex(bits) for module, bits in merged.items()}]
    modules = {module for bits in lines.values() for module in bits}
    return {"tests": found, "modules": sorted(modules)}


def digest(text: str) -> str:
    """A short name of a text's state."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def coverage_map(modules: dict[str, str], jobs: int) -> dict[str, Known]:
    """Every test with its lines. Kept in build/mutants/map.json; what has changed is measured anew."""
    store = WORK / "map.json"
    kept: dict[str, Any] = json.loads(store.read_text()) if store.is_file() else {}
    states = {module: digest(text) for module, text in modules.items()}
    files = test_files()

    def current(file: str) -> bool:
        entry = kept.get(file)
        own = digest((ROOT / file).read_text(encoding="utf-8"))
        return bool(entry) and entry["file"] == own and all(states.get(m, s) == s for m, s in entry["modules"].items())

    stale = [file for file in files if not current(file)]
    tasks = ((file, lambda file=file: measure(file), 900.0) for file in stale)
    for number, (file, answer) in enumerate(Pool(jobs).run(iter(tasks)), 1):
        if answer is None or "broken" in answer:
            print(f"{file}: left out: {'too slow' if answer is None else answer['broken']}", flush=True)
            continue
        touched = {module: states.get(module, "") for module in answer["modules"]}
        kept[file] = {"file": digest((ROOT / file).read_text()), "modules": touched, "tests": answer["tests"]}
        print(f"measured {number} of {len(stale)}: {file}, {len(answer['tests'])} tests", flush=True)
        store.write_text(json.dumps(kept))
    return {
        test: Known(seconds, {module: int(bits, 16) for module, bits in lines.items()})
        for file in files
        if file in kept
        for test, (seconds, lines) in kept[file]["tests"].items()
    }


# --- one mutant ------------------------------------------------------------------------------------------------------
class Injected(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives out the mutated text when its module is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._file = str(ROOT / f"{mutant.module.replace('.', '/')}.py")

    def find_spec(self, fullname: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._file, loader=self)  # type: ignore[arg-type]

    def get_filename(self, _: str) -> str:
        return self._file

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._file, "exec"), module.__dict__)


class Chosen:
    """A pytest plugin: keeps the named tests, in their order, and the first that failed."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: number for number, test in enumerate(tests)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self._order), key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def try_mutant(mutant: Mutant, stages: Sequence[Stage]) -> dict[str, str]:
    """In a child: run the tests file by file until one fails."""
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, Injected(mutant))
    for file, tests, seconds in stages:
        plugin = Chosen(tests)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (min(hard, int(time.process_time() + 4 + 4 * seconds)), hard))
        try:
            code = int(pytest.main([*OPTIONS, "-x", file], plugins=[plugin]))
        except Exception:  # noqa: BLE001 - pytest itself raises for what a mutant leaves open at the end
            code = 1
        if code not in {0, 5}:
            return {"outcome": "killed", "test": plugin.failed or f"{file} cannot be loaded"}
    return {"outcome": "survived", "test": ""}


def stages_of(mutant: Mutant, known: dict[str, Known], limit: float = USUAL_SECONDS_MAX) -> list[Stage]:
    """The tests that execute the mutant, by file: its module's first, then some of every file."""
    wanted = sum(1 << line for line in mutant.lines)
    covering = [test for test, item in known.items() if item.lines.get(mutant.module, 0) & wanted]
    if not mutant.function or not covering:  # it runs when the module is loaded, before any test
        covering = [test for test, item in known.items() if mutant.module in item.lines]
    names = mutant.module.split(".")
    folder = f"tests/{'/'.join(names[:-1])}"
    own = (f"{folder}/test_{names[-1]}", f"{folder}/{OWN.get(mutant.module, f'test_{names[-1]}')}")
    ranks, seen = dict[str, int](), dict[str, int]()
    for test in sorted(covering, key=lambda test: known[test].seconds):
        file = test.partition("::")[0]
        ranks[test] = seen[file] = seen.get(file, 0) + 1
    # Two thirds of the time for the module's own tests, the rest for the quickest of every file, then the second of
    # every file, and so on: each looks elsewhere.
    covering.sort(key=lambda test: (ranks[test], known[test].seconds))
    first = [test for test in covering if test.startswith((*own, *EDGES))]
    total, files = 0.0, dict[str, list[str]]()
    for tests, share in ((first, limit * 2 / 3), (covering, limit)):
        for test in tests:
            file = test.partition("::")[0]
            if total + known[test].seconds <= share and test not in files.get(file, ()):
                total += known[test].seconds
                files.setdefault(file, []).append(test)
    stages: list[Stage] = [(file, tests, sum(known[test].seconds for test in tests)) for file, tests in files.items()]
    if mutant.module in {"relay.machine", "relay.mailbox"} or mutant.module.startswith("hotline.protocol."):
        file, tests, seconds = SEEDS
        stages.append((file, [f"{file}::{test}" for test in tests], seconds))
    return stages


# --- the accepted list -----------------------------------------------------------------------------------------------
def accepted_list(path: Path = ACCEPTED) -> dict[tuple[str, str, str], str]:
    """(module, function, diff) -> reason."""
    with path.open("rb") as file:
        entries = tomllib.load(file).get("mutant", [])
    return {(entry["module"], entry["function"], entry["diff"].strip()): entry["reason"] for entry in entries}


def stale_entries(accepted: dict[tuple[str, str, str], str], modules: dict[str, str]) -> list[str]:
    """Entries that name no mutant any more: the code has changed, and the reason may be gone with it."""
    found: set[tuple[str, str, str]] = set()
    for module in {module for module, _, _ in accepted} & set(modules):
        for candidate in candidates(module, modules[module]):
            wanted = {diff for there, function, diff in accepted if (there, function) == (module, candidate.function)}
            if wanted and wanted & set(candidate.diffs()) and (mutant := candidate.build()) is not None:
                found.add((module, mutant.function, mutant.diff))
    return [
        f"{module} {function}\n{diff}" for module, function, diff in accepted if (module, function, diff) not in found
    ]


# --- the run ---------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Tally:
    """Outcomes of one room."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def line(self, room: str) -> str:
        noticed = self.counts.get("killed", 0) + self.counts.get("timeout", 0)
        judged = sum(self.counts.values()) - self.counts.get("accepted", 0)
        share = f"{noticed / judged:.1%}" if judged else "-"
        parts = [
            f"{self.counts.get(name, 0)} {name}" for name in ("killed", "timeout", "survived", "uncovered", "accepted")
        ]
        return f"{room:<18} {share:>6}  {', '.join(parts)}"


def draw(options: argparse.Namespace, modules: dict[str, str]) -> list[Candidate]:
    """The mutants of this run."""
    wanted = tuple(options.module or ("",))
    chosen = {name: text for name, text in modules.items() if name.startswith(wanted)}
    every = [candidate for module, text in chosen.items() for candidate in candidates(module, text)]
    if options.sample and options.sample < len(every):
        every = random.Random(options.seed).sample(every, options.sample)
    return every


def run(options: argparse.Namespace) -> int:
    """Everything; 0 unless the accepted list is stale."""
    modules = sources()
    accepted = accepted_list()
    if stale := stale_entries(accepted, modules):
        print("These entries of the accepted list name no mutant:", *stale, sep="\n")
        return 1
    if options.check:
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    preload()
    known = coverage_map(modules, options.jobs)
    which = {0: "seed", 1: "".join(options.module)}.get(len(options.module), f"of-{len(options.module)}")
    results = WORK / f"{which}-{options.seed}.jsonl"
    done: dict[str, dict[str, Any]] = {}
    if options.resume and results.is_file():
        entries = map(json.loads, results.read_text().splitlines())
        done = {entry["source"]: entry for entry in entries if entry["outcome"] in {"killed", "timeout"}}
    mutants = {
        digest(m.source): m for m in (candidate.build() for candidate in draw(options, modules)) if m is not None
    }
    ids = list(mutants)

    def tasks() -> Iterator[tuple[str, Any, float]]:
        for name in ids:
            stages = stages_of(mutants[name], known, options.seconds)
            if name not in done and stages:
                seconds = sum(4 + 4 * usual for _, _, usual in stages)
                yield name, lambda m=mutants[name], s=stages: try_mutant(m, s), seconds

    with results.open("a" if options.resume else "w") as file:

        def note(name: str, outcome: str, test: str) -> None:
            mutant = mutants[name]
            entry = {"source": name, "module": mutant.module, "function": mutant.function, "line": mutant.lines.start}
            entry |= {"operator": mutant.operator, "diff": mutant.diff, "outcome": outcome, "test": test}
            done[name] = entry
            file.write(json.dumps(entry) + "\n")
            file.flush()
            if len(done) % 50 == 0:
                print(f"{len(done)} of {len(ids)}", flush=True)

        for name in ids:
            if name not in done and not stages_of(mutants[name], known, options.seconds):
                note(name, "uncovered", "")
        for name, answer in Pool(options.jobs).run(tasks()):
            if answer and "broken" in answer:
                raise RuntimeError(answer["broken"])
            note(name, *((answer["outcome"], answer["test"]) if answer else ("timeout", "")))
    tell([done[name] for name in ids], accepted)
    return 0


def tell(entries: list[dict[str, Any]], accepted: dict[tuple[str, str, str], str]) -> None:
    """The survivors, then the score of each room."""
    tallies: dict[str, Tally] = {}
    for entry in sorted(entries, key=lambda entry: (entry["module"], entry["line"])):
        outcome = entry["outcome"]
        if outcome in {"survived", "uncovered"}:
            if (entry["module"], entry["function"], entry["diff"]) in accepted:
                outcome = "accepted"
            else:
                place = f"{entry['module'].replace('.', '/')}.py:{entry['line']}"
                print(f"\n{place} {entry['function']} ({entry['operator']}, {outcome})\n{entry['diff']}")
        for room in (entry["module"].rpartition(".")[0], "all"):
            tallies.setdefault(room, Tally()).add(outcome)
    print()
    for room, tally in sorted(tallies.items(), key=lambda item: (item[0] == "all", item[0])):
        print(tally.line(room))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Mutation testing of the rooms that decide.")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants, drawn by --seed (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--module", action="append", default=[], help="only modules whose dotted name begins so; may be repeated"
    )
    parser.add_argument("--resume", action="store_true", help="keep the results of the same call that was ended")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=USUAL_SECONDS_MAX, help="tests offered to one mutant")
    parser.add_argument("--check", action="store_true", help="only check the accepted list")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
