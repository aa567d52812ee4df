"""Several drills of one call of `hotline drill run`: each a process of its own, and which of them beside each other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hotline.cli.exits import Exit
from hotline.cli.output import line, print_json

if TYPE_CHECKING:
    from hotline.drill.plan import Drill

_CHILD_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What all drills of one call share. `time_limit` is in milliseconds."""

    seed: int
    out: Path
    simulate: bool
    system: Path | None
    other: Path | None
    time_limit: int
    again: int
    keep: bool
    as_json: bool


def as_processes(drills: Sequence[Drill], jobs: int, settings: Settings, skipped: int) -> Exit:
    """Play them and print a line for each; `skipped` more are counted. DONE only if there was one and all passed."""
    begun = time.monotonic()
    codes = _all(drills, jobs, settings)
    passed, broken, undecided = (codes.count(int(code)) for code in (Exit.DONE, Exit.DRILL_BROKEN, Exit.UNDECIDED))
    if not settings.as_json:
        rest = f"{len(codes) - passed - broken - undecided} aborted, {skipped} not run here"
        told = f"{passed} of {len(codes)} drills passed, {broken} broken, {undecided} undecided, {rest}"
        line(f"{told}; {time.monotonic() - begun:.0f} s")
    if broken or undecided:
        return Exit.DRILL_BROKEN if broken else Exit.UNDECIDED
    return Exit.DONE if passed == len(codes) and codes else Exit.FIXABLE


def _all(drills: Sequence[Drill], jobs: int, settings: Settings) -> list[int]:
    """Exit codes. `jobs` at one time, those that mostly wait beside them one by one, floods at the end, each alone."""
    apart = jobs > 1 and not settings.simulate
    floods = [one for one in drills if apart and one.plan.floods]
    beside = [one for one in drills if apart and one.plan.waits]
    rest = [one for one in drills if one not in floods and one not in beside]
    if jobs > 1:
        # The longest begins first, or everybody would wait for it alone at the end.
        rest.sort(key=lambda one: one.plan.length_ms, reverse=True)
    running: dict[str, subprocess.Popen[str]] = {}
    lanes = [(ThreadPoolExecutor(jobs), rest), (ThreadPoolExecutor(1), beside)]
    try:
        playing = [pool.submit(_child, one, settings, running) for pool, those in lanes for one in those]
        codes = [one.result() for one in playing]
        return codes + [_child(one, settings, running) for one in floods]
    except KeyboardInterrupt:
        for pool, _ in lanes:
            pool.shutdown(wait=False, cancel_futures=True)
        _interrupt(running)
        raise


def _child(one: Drill, settings: Settings, running: dict[str, subprocess.Popen[str]]) -> int:
    words = [sys.executable, "-m", "hotline", "drill", "run", str(one.path), "--json", "--out", str(settings.out)]
    words += ["--seed", str(settings.seed), "--time-limit", f"{settings.time_limit}ms", "--again", str(settings.again)]
    words += [flag for flag, asked in (("--simulate", settings.simulate), ("--keep", settings.keep)) if asked]
    words += ["--system", str(settings.system)] if settings.system is not None else []
    words += ["--other", str(settings.other)] if settings.other is not None else []
    process = subprocess.Popen(  # noqa: S603 - our own program
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    running[one.plan.name] = process
    out, error = process.communicate()
    del running[one.plan.name]
    found = json.loads(out.splitlines()[-1]) if out.strip() else None
    if found is not None and found["tries"] > 1:
        click.echo(error.strip(), err=True)
    if settings.as_json and found is not None:
        print_json(found)
    elif found is not None:
        held = sum(bool(promise["holds"]) for promise in found["promises"])
        line(
            f"{found['verdict'].upper():9} {one.plan.name:28} {held} of {len(found['promises'])} promises, "
            f"{found['seconds']:.1f} s{'' if found['tries'] == 1 else ', played again'}"
        )
        for promise in found["promises"]:
            if not promise["holds"]:
                line(f"          {promise['text']}: limit {promise['limit']:g}, measured {promise['measured']}")
    else:
        click.echo(f"ABORTED   {one.plan.name}: {error.strip()}", err=True)
    return process.returncode


def _interrupt(running: dict[str, subprocess.Popen[str]]) -> None:
    """Each child ends what it started; only then may we."""
    for process in list(running.values()):
        process.send_signal(signal.SIGINT)
    end = time.monotonic() + _CHILD_PATIENCE
    for process in list(running.values()):
        try:
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
