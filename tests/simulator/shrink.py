"""A failing schedule made short: events are left out while the same judge complains, then it is written as a scenario.

`python -m tests.simulator.shrink SEED` looks for what the product does wrong; `--planted NAME` for a planted fault.
The scenario has the world and the commands that are left, and below the line what happens now: with a fault of the
product that is the fault, so read it, mend the product, and let HOTLINE_REWRITE=1 write what happens then.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from tests.scenarios.test_scenarios import HERE, RULE
from tests.scenarios.test_scenarios import play as transcript
from tests.simulator.planted import PLANTED
from tests.simulator.play import REST_MS, Result, play
from tests.simulator.schedule import Event, Schedule, draw, draw_light
from tests.simulator.timers import USUAL, written

_MARGIN_MS = 10_000
"""A thinner schedule may break its promise somewhat later."""

Complaint = Callable[[Schedule], str]
"""The judge that complains of a schedule; empty if none does."""


def judge_of(schedule: Schedule, until: int | None = None) -> Result:
    """Play it; an exception counts as a judge of its own."""
    try:
        return play(schedule, until=until)
    except Exception as error:  # noqa: BLE001 - whatever a step raises is what is looked for
        return Result(schedule.seed, 0, "", 0, 0, type(error).__name__, str(error))


def thin(schedule: Schedule, complains: Complaint) -> Schedule:
    """Leave out as many events as possible while `complains` says the same. What is left: no single one can go."""
    judge = complains(schedule)
    if not judge:
        raise ValueError("nobody complains of this schedule")

    def still(events: Sequence[Event]) -> bool:
        return complains(schedule.thinned(tuple(events))) == judge

    # Whole kinds first: most of the weather has nothing to do with it.
    events = list(schedule.events)
    for kind in sorted({_kind(event) for event in events}):
        fewer = [event for event in events if _kind(event) != kind]
        if still(fewer):
            events = fewer
    size = len(events) // 2
    while size:
        at, shorter = 0, False
        while at < len(events):
            fewer = events[:at] + events[at + size :]
            if still(fewer):
                events, shorter = fewer, True
            else:
                at += size
        # Once nothing of this size can go, and again from the start after something went: then nothing can go.
        size = size if size == 1 and shorter else size // 2
    for at, event in enumerate(events):
        for plain in _plainer(event):
            simpler = [*events[:at], plain, *events[at + 1 :]]
            if still(simpler):
                events = simpler
                break
    return schedule.thinned(tuple(events))


def _plainer(event: Event) -> list[Event]:
    """The same statement without what need not be said of it: plainest first."""
    if " says " not in event.command:
        return []
    short = re.sub(r" long \d+", "", event.command)
    plainer = dict.fromkeys((re.sub(r" within \w+", "", short), short))
    return [Event(event.at, command) for command in plainer if command != event.command]


def _kind(event: Event) -> str:
    first, second, *_ = event.command.split()
    return f"{first} {second}" if second in ("says", "reads") else first


def hasten(schedule: Schedule, complains: Complaint) -> Schedule:
    """End the storm as soon after its last event as the same judge still complains."""
    judge = complains(schedule)
    last = max((event.at for event in schedule.events), default=0)
    for spare in (100, 5_000, 20_000, 60_000):
        sooner = replace(schedule, storm_ms=last + spare)
        if sooner.storm_ms < schedule.storm_ms and complains(sooner) == judge:
            return sooner
    return schedule


def scenario(schedule: Schedule, why: str) -> str:
    """The schedule in the language of the scenarios, and below the line what happens."""
    relays = schedule.relays + (schedule.amendments > 0)
    settings = f"relays={relays} profile={schedule.profile} seed={schedule.seed} weather=drawn"
    settings += f" narrow={schedule.narrow}" if schedule.narrow else ""
    settings += f" tests={schedule.tests_ms}ms" if schedule.tests_ms else ""
    settings += " ratchets=yes" if schedule.ratchets else ""
    settings += " release=two" if schedule.release else ""
    settings += f" amendments={schedule.amendments}" if schedule.amendments else ""
    settings += f" alternates={','.join(schedule.alternates)}" if schedule.alternates else ""
    if schedule.timers is not USUAL:
        settings += f" timers={written(schedule.timers.profiles)}"
        settings += f" kinds={','.join(schedule.timers.kinds)}" if schedule.timers.kinds else ""
    lines = [f"# {line}" for line in why.splitlines()] + [f"world {settings}", ""]
    now = 0
    for event in (*schedule.events, Event(schedule.storm_ms, "clear"), Event(schedule.storm_ms + REST_MS, "")):
        lines += [f"wait {event.at - now}ms"] if event.at > now else []
        lines += [event.command] if event.command else []
        now = event.at
    return transcript("\n".join([*lines, RULE]) + "\n")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.shrink", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--long", action="store_true", help="the long form of the seed, without its calm")
    parser.add_argument("--usual", action="store_true", help="with the usual timers, not those of the seed")
    parser.add_argument("--light", action="store_true", help="the light storm of the seed")
    parser.add_argument("--planted", choices=[planted.name for planted in PLANTED], help="with this fault in place")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the scenario (default: tests/scenarios)")
    return parser.parse_args(words)


def shrunk(schedule: Schedule) -> tuple[Schedule, str, int]:
    """The short one, the judge who complains of both, and how many plays it took. Raises ValueError if none does."""
    result = judge_of(schedule)
    # What broke on the way is looked for on the way only; what was found in the end needs the end.
    early = 0 < result.virtual_ms < schedule.storm_ms
    until = result.virtual_ms + _MARGIN_MS if early else None
    tries = 1

    def complains(candidate: Schedule) -> str:
        nonlocal tries
        tries += 1
        return judge_of(candidate, until).judge

    if early:
        schedule = schedule.thinned(tuple(event for event in schedule.events if event.at <= result.virtual_ms))
    small = thin(schedule, complains)
    until = None
    return hasten(small, complains), result.judge, tries


def main(words: Sequence[str] | None = None) -> int:
    """Shrink one seed; exit 1 if nobody complains of it."""
    arguments = _arguments(words)
    planted = next((one for one in PLANTED if one.name == arguments.planted), None)
    timed = not (arguments.usual or planted)  # planted faults were found under the usual ones
    if arguments.light:
        schedule = draw_light(arguments.seed)
    else:
        schedule = draw(arguments.seed, short=not arguments.long, timed=timed)
    try:
        with planted.in_place() if planted else nullcontext():
            small, judge, tries = shrunk(schedule)
    except ValueError:
        print(f"nobody complains of seed {arguments.seed}", file=sys.stderr)
        return 1
    why = f'Found by seed {arguments.seed}: "{judge}" complained of {len(schedule.events)} events;'
    why += f" these {len(small.events)} were enough."
    if planted:
        why += f"\nThe fault was planted: {planted.name}. Below is what happens without it."
    name = f"{judge}-{arguments.seed}.txt"
    (arguments.out / name).write_text(scenario(small, why))
    print(f"{name}: {len(schedule.events)} events became {len(small.events)} in {tries} plays")
    return 0


if __name__ == "__main__":
    sys.exit(main())
