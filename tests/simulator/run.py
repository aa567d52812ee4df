"""Many seeds, each from storm to verdict. `python -m tests.simulator.run --seeds 2000 --short --results FILE`"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.simulator.adversary import ADVERSARIES
from tests.simulator.officers import DEEDS
from tests.simulator.play import ROWS, Result, run_light, run_seed
from tests.simulator.schedule import SEVERAL_SEED
from tests.simulator.speed import Paces
from tests.simulator.weather import WEATHERS

UNREACHED = {
    "path down+heard": "cables bring nothing after their end; tests/hotline/protocol/test_paths.py has the row",
    "path down+silent": "silence is looked for only where a path is up",
    "path attached+silent": "the same",
    "path suspect+silent": "the same",
}
"""Rows of the tables of transitions that no weather can reach, and why."""
RARE = {
    "path suspect+opened": "a welcome that was repeated on its way, and silence between the two",
    "told delivered > renumbered": "both have lost state, one after the other, and a relay holds what was said first",
    "told read > renumbered": "the same, and it was read before",
}
"""What so few seeds have that nobody has counted in how many."""
SELDOM: Final[Mapping[int, tuple[str, ...]]] = {
    150: ("charter-differs",),
    60: (
        "clone", "rewrite", "forge-receipt", "lie-replay", "perjure-head", "perjure-conflict", "perjure-receipt",
        "perjure-time", "perjure-two-texts", "perjure-read", "former-refused", "standdown", "path up+opened",
        "told queued > renumbered",
    ),
    25: (
        "lie-forge-custody", "lie-delay", "lie-alter", "lie-reorder", "lie-drop", "perjure-through", "steal-stream",
        "part", "takeover", "told relayed > renumbered",
    ),
    12: (
        "lie-withhold-last", "split", "stray-charter", "babble", "flood", "forge-key-request", "forge-statement",
        "amnesia", "mute-up", "relay-full-disk", "relay-torn", "stolen", "charter-changed", "charter-unsigned",
        "charter-ready", "released-former", "released-fallen", "released-lacking", "released-forged",
        "checklist-whole", "checklist-called-away", "checklist-unanswered", "checklist-wrong", "path attached+opened",
        "told delivered > relayed", "told delivered > delivered", "told read > relayed", "told relayed > relayed",
    ),
}  # fmt: skip
"""What one of so many seeds has, or more of them, as counted over 95 that drew their timers."""
OFTEN: Final = 4
"""One of so many has everything else."""
ODDS: Final = 10_000
"""What never happened is a failure of the campaign where so long a one would lack it once in so many times: of a
hundred things one is lacking by chance in one campaign of a hundred."""


def seeds_for(what: str) -> float:
    """How long a campaign must be before it is no chance that this never happened in it."""
    in_one_of = next((number for number, names in SELDOM.items() if what in names), OFTEN)
    return math.inf if what in RARE else math.log(ODDS) / -math.log(1 - 1 / in_one_of)


_SEEDS_ALIKE: Final = 60
"""What a seed's kind of storm hangs on comes again after so many."""
LIGHT_SEEDS: Final = 90
"""So many light storms have what one whole storm has: a seventh of the events, of which some things need two, and a
third of the storms of several terminals."""


class Tally:
    """What a campaign came to."""

    def __init__(self, *, light: bool = False) -> None:
        self._worth = LIGHT_SEEDS if light else 1
        self.seeds: set[int] = set()
        self.bad: list[tuple[int, str, str]] = []
        self.virtual_ms = 0
        self.statements = 0
        self.played: Counter[str] = Counter()
        self.in_seeds: Counter[str] = Counter()
        """In how many seeds each weather and adversary was played."""
        self.paces = Paces()
        self.rows: Counter[str] = Counter()

    def add(self, result: Result) -> None:
        """One seed more."""
        self.seeds.add(result.seed)
        self.virtual_ms += result.virtual_ms
        self.statements += result.accepted
        self.played.update(result.played)
        self.in_seeds.update(result.played.keys())
        self.rows.update(result.rows)
        self.paces.add(result.timers, result.virtual_ms, result.steps, result.cpu_ms)
        if result.broken:
            self.bad.append((result.seed, result.judge, result.broken))

    def never(self) -> list[str]:
        """Weathers, adversaries, deeds and rows that never happened though they could."""
        kinds = [kind for kind in (*WEATHERS, *ADVERSARIES, *DEEDS) if not self.played[kind]]
        return kinds + [row for row in ROWS if not self.rows[row] and row not in UNREACHED]

    def missing(self) -> list[str]:
        """What never happened in a campaign that is long enough for that to be no chance."""
        return [what for what in self.never() if len(self.seeds) >= self._worth * seeds_for(what)]

    def report(self) -> Iterable[str]:
        """The coverage, for people."""
        for title, kinds in (("weather", WEATHERS), ("adversary", ADVERSARIES), ("officers", DEEDS)):
            counts = ", ".join(f"{kind} {self.played[kind]} in {self.in_seeds[kind]}" for kind in kinds)
            yield f"{title} (times played in so many seeds): {counts}"
        seen = [row for row in ROWS if self.rows[row]]
        yield f"transitions: {len(seen)} of {len(ROWS)} rows; " + ", ".join(f"{row} {self.rows[row]}" for row in seen)
        excused = {row: why for row, why in {**UNREACHED, **RARE}.items() if not self.rows[row]}
        yield f"out of reach: {', '.join(f'{row} ({why})' for row, why in excused.items())}"
        missing = self.missing()
        waiting = [what for what in self.never() if what not in missing and what not in RARE]
        if waiting and len(self.seeds) >= self._worth * seeds_for(""):
            until = ", ".join(f"{what} (until {self._worth * seeds_for(what):.0f} seeds)" for what in waiting)
            yield f"not yet: {until}"
        if missing:
            yield f"never happened: {', '.join(missing)}"


def guarded(seed: int, *, short: bool, timed: bool = False, light: bool = False) -> Result:
    """A seed; an exception out of a step is a finding, not the end of the campaign."""
    try:
        if light:
            return run_light(seed)
        return run_seed(seed, short=short, idle_hour=not short and seed % 50 == 0, timed=timed)
    except Exception as error:  # noqa: BLE001 - the reason stands above
        return Result(seed, 0, "", 0, 0, type(error).__name__, f"{type(error).__name__}: {error}")


def seeds_of(first: int, count: int, *, light: bool = False) -> Sequence[int]:
    """So many seeds from the first one on; light storms of several terminals, five times the work, only of a third."""
    if not light:
        return range(first, first + count)
    kept = (seed for seed in itertools.count(first) if seed % 10 != SEVERAL_SEED or seed // _SEEDS_ALIKE % 3 == 0)
    return list(itertools.islice(kept, count))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator.run",
        description="Run the very Endpoint and Relay classes through storms in virtual time, each drawn from a seed.",
        epilog="A seed is looked at again with: --first SEED --seeds 1 --verbose; it is made short to read with "
        "python -m tests.simulator.shrink SEED",
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds (default 200)")
    parser.add_argument("--first", "--start", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--short", action="store_true", help="five virtual minutes each, no calm after the storm")
    parser.add_argument(
        "--light", action="store_true", help="short storms with fewer events and rarer beats: a quarter of the work"
    )
    parser.add_argument(
        "--usual", action="store_true", help="the usual timers in every seed, not those that each seed draws"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--minutes", type=float, help="stop after this time, whatever is left")
    parser.add_argument("--results", type=Path, help="a file with a line per seed; seeds in it are not run again")
    parser.add_argument("--verbose", action="store_true", help="one line per seed")
    return parser.parse_args()


def _resume(path: Path | None, seeds: Sequence[int], tally: Tally) -> list[int]:
    """Take over what the file has of these seeds; returns those that are left. A line cut off by a crash is passed."""
    if path is None or not path.exists():
        return list(seeds)
    wanted = set(seeds)
    for line in path.read_text().splitlines():
        try:
            result = Result(**json.loads(line))
        except ValueError:
            continue
        if result.seed in wanted and result.seed not in tally.seeds:
            tally.add(result)
    return [seed for seed in seeds if seed not in tally.seeds]


def main() -> int:
    """Run many seeds; exit 1 if a judge complained or something never happened, 130 if interrupted."""
    arguments = _arguments()
    seeds = seeds_of(arguments.first, arguments.seeds, light=arguments.light)
    tally = Tally(light=arguments.light)
    left = _resume(arguments.results, seeds, tally)
    if tally.seeds:
        print(f"{len(tally.seeds)} seeds are in {arguments.results} already", flush=True)
    before, begun = tally.virtual_ms, time.monotonic()
    end = begun + 60 * arguments.minutes if arguments.minutes else None
    interrupted = False
    one = partial(guarded, short=arguments.short, timed=not arguments.usual, light=arguments.light)
    with (
        multiprocessing.get_context("spawn").Pool(arguments.jobs, gc.freeze) as pool,
        (arguments.results or Path(os.devnull)).open("a") as file,
    ):
        try:
            for result in pool.imap_unordered(one, left, chunksize=2):
                tally.add(result)
                file.write(json.dumps(result.line()) + "\n")
                file.flush()
                _report(result, len(tally.seeds), verbose=arguments.verbose)
                if end is not None and time.monotonic() > end:
                    break
        except KeyboardInterrupt:
            interrupted = True
        pool.terminate()
    return 130 if interrupted else _conclude(tally, len(seeds), before, time.monotonic() - begun, arguments.jobs)


def _conclude(tally: Tally, wanted: int, before: int, took: float, jobs: int) -> int:
    for line in tally.report():
        print(line)
    bad = [f"{seed} ({judge})" for seed, judge, _ in sorted(tally.bad)]
    print(
        f"{len(tally.seeds)} of {wanted} seeds, {tally.statements} statements,"
        f" {len(bad)} with a complaint{': ' if bad else ''}{', '.join(bad)}"
    )
    for line in tally.paces.lines():
        print(line)
    rate = (tally.virtual_ms - before) / 1_000 / max(took, 1e-9)
    print(
        f"{tally.virtual_ms / 3_600_000:.1f} virtual hours; {took:.0f} s now,"
        f" {rate:.0f} times faster than real time on {jobs} processes"
    )
    return 1 if bad or tally.missing() else 0


def _report(result: Result, done: int, *, verbose: bool) -> None:
    if result.broken:
        print(f"seed {result.seed} ({result.timers} timers): {result.judge}: {result.broken}", flush=True)
    elif verbose:
        line = f"seed {result.seed} ({result.timers} timers): {result.accepted} statements"
        print(f"{line}, settled {result.recovered_ms} ms after", flush=True)
    if done % 100 == 0:
        print(f"{done} seeds", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
