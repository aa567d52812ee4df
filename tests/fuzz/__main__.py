"""Long fuzzing: python -m tests.fuzz [--executions N] [--minutes N] [--target NAME]... [--results FILE] [--keep]

With Atheris (pip install atheris) inputs are chosen by the code that they reach; without it they are mutated blindly or
in the target's form. What is found is written to build/fuzz/<target>/: `corpus` grows from run to run; `crash-*`,
`timeout-*` and `oom-*` are inputs that broke something. Mend what one shows, and move it to
tests/fuzz/regressions/<target>/, where every test run replays it. `--results` adds a line for each target and minute to
a file of JSON lines; a later run goes on, without Atheris, where the earlier ones ended, and `--executions` counts them
all. `--keep` writes the smallest inputs that reach all the code that is reached into tests/fuzz/corpus/.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib.util
import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from hotline.errors import ConfigError, HotlineError, KeyFileError, Malformed
from tests.fuzz.every import EVERY
from tests.fuzz.machines import Shallow
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import FOLDER, Target, refused, replayed

TraceFunction = Callable[[FrameType, str, Any], Any]

ROOT = FOLDER.parent.parent
WORK = ROOT / "build" / "fuzz"
SECONDS_MAX = 10
"""One input that takes longer is a hang."""
MEMORY_MB = 2_048
SLOW_SECONDS, GROWN_MB = 1, 64
"""Of one input in a blind run: time on the processor, and memory beyond what was ever held."""
BATCH = 1_000
"""Inputs that one seed makes."""
KEPT_MAX = 40
"""Files of the corpus for one target."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of one target came to."""

    executions: int
    seconds: float
    finds: tuple[str, ...]
    taken: int = 0
    """Inputs that got past the parser, whatever the rules behind it said. Atheris does not say."""
    batch: int = 0
    """The last one that was begun, of a run without Atheris."""


def prepared(name: str) -> Path:
    """The folder of one target, its corpus filled with what the tree and the vectors have."""
    folder = WORK / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in (*EVERY[name].seeds(), *(path.read_bytes() for path in replayed(name))):
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return folder


def finds(folder: Path) -> tuple[str, ...]:
    """Inputs that broke something."""
    return tuple(
        str(path.relative_to(ROOT)) for kind in ("crash", "timeout", "oom") for path in folder.glob(f"{kind}-*")
    )


def guided(name: str, executions: int, seconds: float) -> Result:
    """A run under Atheris."""
    folder, begun = prepared(name), time.monotonic()
    options = [
        f"-max_len={EVERY[name].size}",
        f"-timeout={SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
    ]
    options += [f"-artifact_prefix={folder}/", "-verbosity=0", "-seed=1"]
    options += [f"-runs={executions}"] if executions else []
    options += [f"-max_total_time={int(seconds)}"] if seconds else []
    done = _atheris(name, options, folder / "corpus")
    (folder / "log.txt").write_text(done.stderr)
    found = re.search(r"stat::number_of_executed_units: +(\d+)", done.stderr)
    return Result(int(found.group(1)) if found else 0, time.monotonic() - begun, finds(folder))


def _atheris(name: str, options: Sequence[str], *folders: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.guided", name, *options, *map(str, folders)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")


def blind(name: str, executions: int, seconds: float, batch: int = 0) -> Result:
    """A run without Atheris, after so many batches: no hang is ended, though it is named, and nothing is learnt."""
    folder, begun, done, taken = prepared(name), time.monotonic(), 0, 0
    target: Target = EVERY[name]
    seeds = [path.read_bytes() for path in sorted((folder / "corpus").iterdir())]
    settle(target, seeds)
    while not (executions and done >= executions) and not (seconds and time.monotonic() - begun >= seconds):
        batch += 1
        for data in mutated(seeds, BATCH, batch, target.size, target.shape):
            if seconds and done % 100 == 0 and time.monotonic() - begun >= seconds:
                break
            done += 1
            fault, began, held = "", time.thread_time(), _memory_mb()
            try:
                target.run(data)
                taken += 1
            except HotlineError as error:
                taken += not isinstance(error, Malformed | ConfigError | KeyFileError | Shallow)
            except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
                fault = "crash"
            gc.collect(0)  # what one input has left is thrown away while it is at hand
            if not fault and time.thread_time() - began > SLOW_SECONDS and _seconds(target, data) > SLOW_SECONDS:
                fault = "timeout"
            if not fault and _memory_mb() - held > GROWN_MB:
                fault = "oom"
            if fault:
                (folder / f"{fault}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
    return Result(done, time.monotonic() - begun, finds(folder), taken, batch)


def _seconds(target: Target, data: bytes) -> float:
    """How long an input takes once more: the machine may have been busy with something else."""
    began = time.thread_time()
    refused(target.run, data)
    return time.thread_time() - began


def _memory_mb() -> float:
    """The most that this process has ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def added_up(results: Path, name: str, executions: int, seconds: float) -> Result:
    """Go on, blindly, where the runs in `results` have ended, minute by minute; what came to them now."""
    lines = results.read_text().splitlines() if results.exists() else []
    earlier = [one for one in map(json.loads, lines) if one["target"] == name]
    before, batch = sum(one["executions"] for one in earlier), max((one["batch"] for one in earlier), default=0)
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    whole = Result(0, 0.0, ())
    while not (executions and before + whole.executions >= executions) and not (seconds and whole.seconds >= seconds):
        left = max(1, executions - before - whole.executions) if executions else 0
        least = min(60.0, seconds - whole.seconds) if seconds else 60.0
        part = blind(name, left, least, batch)
        batch = part.batch
        line = {"target": name, "executions": part.executions, "taken": part.taken, "seconds": round(part.seconds, 1)}
        with results.open("a") as file:
            file.write(
                json.dumps(line | {"batch": batch, "finds": len(part.finds), "revision": git.stdout.strip()}) + "\n"
            )
        done, taken = whole.executions + part.executions, whole.taken + part.taken
        whole = Result(done, whole.seconds + part.seconds, part.finds, taken, batch)
    return whole


def settle(target: Target, inputs: Sequence[bytes]) -> None:
    """What is made once is made now, and is no longer looked through for what could be thrown away."""
    for data in inputs[:10]:
        refused(target.run, data)
    gc.collect()
    gc.freeze()
    gc.disable()


def reached(run: Callable[[bytes], object], data: bytes) -> set[tuple[str, int, int]]:
    """(file, line before, line) of everything of ours that runs for an input."""
    found: set[tuple[str, int, int]] = set()

    def called(frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        file = frame.f_code.co_filename
        if not file.startswith((str(ROOT / "hotline"), str(ROOT / "relay"))):
            return None
        before = 0

        def stepped(frame: FrameType, event: str, argument: object) -> TraceFunction:
            nonlocal before
            found.add((file, before, frame.f_lineno))
            before = frame.f_lineno
            return stepped

        return stepped

    sys.settrace(called)
    try:
        refused(run, data)
    finally:
        sys.settrace(None)
    return found


def keep(name: str) -> int:
    """Write the smallest inputs that reach all the code that is reached into the tree. Returns how many."""
    source, wanted = prepared(name) / "corpus", FOLDER / "corpus" / name
    inputs = sorted((path.read_bytes() for path in source.iterdir()), key=lambda data: (len(data), data))
    known: set[tuple[str, int, int]] = set()
    chosen = []
    for data in inputs:
        new = reached(EVERY[name].run, data) - known
        if new and len(chosen) < KEPT_MAX:
            known |= new
            chosen.append(data)
    shutil.rmtree(wanted, ignore_errors=True)
    wanted.mkdir(parents=True)
    for data in chosen:
        (wanted / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(chosen)


def main() -> int:
    """The command line; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz every parser and every machine.")
    parser.add_argument("--executions", type=int, default=0, help="how many inputs for each target")
    parser.add_argument("--minutes", type=float, default=0, help="how long for all targets together")
    parser.add_argument("--target", action="append", choices=sorted(EVERY), help="only this one; may be repeated")
    parser.add_argument("--results", type=Path, help="add up here what was done; --executions counts that too")
    parser.add_argument("--keep", action="store_true", help="write what was learnt into the tree")
    options = parser.parse_args()
    names = options.target or list(EVERY)
    has_atheris = importlib.util.find_spec("atheris") is not None
    print(
        f"{len(names)} targets, {'guided by Atheris' if has_atheris else 'blind: Atheris is not installed'}", flush=True
    )
    seconds = options.minutes * 60 / len(names)
    broken = 0
    for name in names:
        if options.executions or seconds:
            run = partial(added_up, options.results) if options.results else guided if has_atheris else blind
            result = run(name, options.executions, seconds)
            rate = result.executions / max(result.seconds, 0.001)
            share = "" if run is guided else f"{result.taken / max(result.executions, 1):>7.1%} past the parser"
            print(
                f"{name:<18}{result.executions:>12,} executions {rate:>10,.0f}/s{share}  {' '.join(result.finds)}",
                flush=True,
            )
            broken += len(result.finds) or not result.executions
        if options.keep:
            print(f"{name:<18}{keep(name):>12,} files kept", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
