"""Several drills of one call of `hotline drill run`: each a process of its own, and which of them beside each other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Final

import click

from hotline.cli.exits import Exit, read_or_not
from hotline.cli.output import line, print_json
from hotline.drill.reaper import Reaper
from hotline.runtime import interrupts

if TYPE_CHECKING:
    from hotline.drill.plan import Drill

_CHILD_PATIENCE: Final = 120.0
"""Seconds: each step of a drill's end has its own limit, and one that is killed before writes no report."""
_LOOK_SECONDS: Final = 0.2


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
    """Play them and print a line for each; `skipped` more are counted. DONE only if there was one and all passed.

    After an interrupt none is begun any more, those under way end what they have started, and all that is told.
    """
    begun = time.monotonic()
    with Reaper() as reaper:
        children = _Children(settings, reaper)
        try:
            _all(drills, jobs, children, apart=jobs > 1 and not settings.simulate)
        except KeyboardInterrupt:
            children.interrupted = True
    codes = children.codes
    counted = (Exit.DONE, Exit.DRILL_BROKEN, Exit.UNDECIDED, Exit.INTERRUPTED)
    passed, broken, undecided, given_up = (codes.count(int(code)) for code in counted)
    if not settings.as_json:
        rest = f"{len(codes) - passed - broken - undecided - given_up} aborted, {skipped} not run here"
        told = f"{passed} of {len(codes)} drills passed, {broken} broken, {undecided} undecided, {rest}"
        if children.interrupted:
            told += f", {given_up} interrupted, {len(drills) - len(codes)} not begun"
        with read_or_not(sys.stdout):
            line(f"{told}; {time.monotonic() - begun:.0f} s")
    if children.interrupted:
        return Exit.INTERRUPTED
    if broken or undecided:
        return Exit.DRILL_BROKEN if broken else Exit.UNDECIDED
    return Exit.DONE if passed == len(codes) and codes else Exit.FIXABLE


def _all(drills: Sequence[Drill], jobs: int, children: _Children, *, apart: bool) -> None:
    """`jobs` at one time, those that mostly wait beside them one by one, floods at the end, each alone."""
    floods = [one for one in drills if apart and one.plan.floods]
    beside = [one for one in drills if apart and one.plan.waits]
    rest = [one for one in drills if one not in floods and one not in beside]
    if jobs > 1:
        # The longest begins first, or everybody would wait for it alone at the end.
        rest.sort(key=lambda one: one.plan.length_ms, reverse=True)
    _play((jobs, rest), (1, beside), children=children)
    _play((1, floods), children=children)


def _play(*lanes: tuple[int, Sequence[Drill]], children: _Children) -> None:
    """Every lane, so many of it at one time; returns, or raises KeyboardInterrupt, when none is under way any more."""
    pools = [(ThreadPoolExecutor(width), those) for width, those in lanes]
    playing = [pool.submit(children.play, one) for pool, those in pools for one in those]
    try:
        while wait(playing, _LOOK_SECONDS).not_done:
            interrupts.look()
    except KeyboardInterrupt:
        children.end()
        if wait(playing, _CHILD_PATIENCE).not_done:
            children.kill()
        raise
    finally:
        for pool, _ in pools:
            pool.shutdown()
    for one in playing:
        one.result()


class _Children:
    """The drills that are under way, each a process of its own, out of reach of the keyboard. Thread-safe."""

    def __init__(self, settings: Settings, reaper: Reaper) -> None:
        self._settings, self._reaper = settings, reaper
        self._running: set[subprocess.Popen[str]] = set()
        self._turn = threading.Lock()
        self._over = False
        self.interrupted = False
        self.codes: list[int] = []
        """Exit codes of those that have ended."""

    def play(self, one: Drill) -> None:
        """From begin to end, unless none is to be begun any more."""
        with self._turn:
            if self._over:
                return
            process = self._reaper.start(_words(one, self._settings), stdout=PIPE, stderr=PIPE, text=True)
            self._running.add(process)
        out, error = process.communicate()
        with self._turn:
            self._running.remove(process)
            # A child that was just being imported has no handler yet, and nothing to end either.
            code = int(Exit.INTERRUPTED) if process.returncode == -signal.SIGTERM else process.returncode
            self.codes.append(code)
        with read_or_not(sys.stdout), read_or_not(sys.stderr):
            _tell(one, out, error, code, self._settings)

    def end(self) -> None:
        """Each ends what it has started, and none is begun any more. SIGINT may be ignored, as it is by us then."""
        with self._turn:
            self._over = True
            for process in self._running:
                process.terminate()
        if not self._settings.as_json:
            with read_or_not(sys.stdout):
                line("interrupted: what is under way ends what it has started, and nothing more is begun")

    def kill(self) -> None:
        """Those that have not ended."""
        with self._turn:
            for process in self._running:
                process.kill()


def _words(one: Drill, settings: Settings) -> list[str]:
    words = [sys.executable, "-m", "hotline", "drill", "run", str(one.path), "--json", "--out", str(settings.out)]
    words += ["--seed", str(settings.seed), "--time-limit", f"{settings.time_limit}ms", "--again", str(settings.again)]
    words += [flag for flag, asked in (("--simulate", settings.simulate), ("--keep", settings.keep)) if asked]
    words += ["--system", str(settings.system)] if settings.system is not None else []
    words += ["--other", str(settings.other)] if settings.other is not None else []
    return words


def _tell(one: Drill, out: str, error: str, code: int, settings: Settings) -> None:
    """What became of one, by what its process said."""
    found = json.loads(out.splitlines()[-1]) if out.strip() else None
    if found is None:
        word = "INTERRUPTED" if code == Exit.INTERRUPTED else "ABORTED  "
        click.echo(f"{word} {one.plan.name}: {error.strip()}".rstrip(": "), err=True)
        return
    if found["tries"] > 1 or settings.keep:
        click.echo(error.strip(), err=True)
    if settings.as_json:
        print_json(found)
        return
    held = sum(bool(promise["holds"]) for promise in found["promises"])
    word = "INTERRUPTED" if code == Exit.INTERRUPTED else found["verdict"].upper()
    line(
        f"{word:9} {one.plan.name:28} {held} of {len(found['promises'])} promises, "
        f"{found['seconds']:.1f} s{'' if found['tries'] == 1 else ', played again'}"
    )
    for promise in found["promises"]:
        if not promise["holds"] and code != Exit.INTERRUPTED:
            line(f"          {promise['text']}: limit {promise['limit']:g}, measured {promise['measured']}")
