"""Three parties in the storms of two: schedules, plays, a campaign. `python -m tests.simulator.several --seeds 40`"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hotline.drill.simulator.world import World
from tests.simulator.adversary import Hostile
from tests.simulator.alike import REFUSALS, Alike
from tests.simulator.checklists import Checklists
from tests.simulator.delegates import Delegates
from tests.simulator.doubletongue import LIES, TwoLedgers, TwoWords
from tests.simulator.judges import Broken
from tests.simulator.parties import Parties
from tests.simulator.schedule import ACTS, CHECKLISTS, WATCHES, Drawing, Event
from tests.simulator.schedule import LIES as RELAYS_LIES
from tests.simulator.speed import Paces, hastened, unswept
from tests.simulator.timers import USUAL, Timers, drawn, every_ms, exchange_ms, paid_ms, recovery_ms
from tests.simulator.windows import Windows

PARTIES: Final = ("ALPHA", "BRAVO", "CHARLIE")
STORM_MS: Final = 60_000
CONVICTED_MS: Final = 120_000
"""Under a clear sky a liar is found out within this, or within six exchanges of heads: in each eight statements
are compared."""
_NOT_AMONG: Final = ("challenges", "confirms", "records", "says")
DEEDS: Final = (
    *(act for act in (*ACTS, *WATCHES) if act.split()[0] not in _NOT_AMONG),
    *(act for act in WATCHES if act.startswith("says")),
    *(f"tries {what}" for what in REFUSALS),
    "hands-over elsewhere",
)
"""What officers do beside saying and reading, each at the window of one of the others (delegates.py)."""
DONE: Final = (
    *("presence", "presence-asked", "shown", "promised", "answered", "corrected", "retracted", "translated-here"),
    *("translated-sent", "watch-signed", "watch-late", "watch-forged", "handed-elsewhere", "refused"),
    *(f"checklist-{how}" for how in dict.fromkeys(CHECKLISTS)),
)
"""What must have been done in a campaign of ENOUGH_SEEDS."""
ENOUGH_SEEDS: Final = 20


@dataclass(frozen=True, slots=True)
class Parley:
    """A world of three and its events. `lie` names who lies how to whom."""

    seed: int
    relays: int
    profile: str
    storm_ms: int
    events: tuple[Event, ...]
    lie: tuple[str, str, str] | None = None
    timers: Timers = USUAL


@dataclass(frozen=True)
class Outcome:
    """What one of them came to."""

    seed: int
    virtual_ms: int
    digest: str
    accepted: int
    judge: str = ""
    broken: str = ""
    played: Counter[str] = field(default_factory=Counter)
    timers: str = USUAL.kind
    steps: int = 0
    cpu_ms: int = 0


def draw(seed: int, *, storm_ms: int = STORM_MS, timed: bool = False) -> Parley:
    """The schedule of a seed. Of four one has a liar among the parties, one an old backup, two have lying relays.

    `timed`: with the timers of the seed, else with the usual ones.
    """
    rng = random.Random(f"several {seed}")
    relays = [f"relay-{number}" for number in range(1, 3 + seed % 2)]
    drawing = Drawing(rng, relays, storm_ms, PARTIES)
    drawing.people(pace=1.5)
    drawing.storm()
    events = [_placed(rng, event) for event in drawing.events] + _officers(seed, storm_ms)
    at = 4_000
    while at < storm_ms:
        one, other = rng.sample(PARTIES, 2)
        events.append(Event(at, f"part {one.lower()} {other.lower()} for {rng.randint(1_000, 20_000)}ms"))
        at += rng.randint(2_000, 25_000)
    if seed % 2:
        for how in rng.sample(RELAYS_LIES, 3):
            at, lasting = rng.randint(3_000, storm_ms - 15_000), rng.randint(1_000, 20_000)
            events.append(Event(at, f"lie {rng.choice(relays)} {how} {rng.randint(1, 3)} for {lasting}ms"))
    if seed % 4 == 1:
        events += _old_backup(rng, storm_ms)
    lie = None
    if seed % 4 == 3:
        liar, victim = rng.sample(PARTIES, 2)
        lie = (LIES[seed // 4 % len(LIES)], liar, victim)
        # Who goes back to an old disk may have said two things honestly: only the liar is to be found out.
        events = [event for event in events if not event.command.startswith("restore")]
    timers = drawn(seed, len(relays)) if timed else USUAL
    return Parley(
        seed,
        len(relays),
        "satellite" if seed % 5 == 4 else "fibre",
        int(storm_ms * timers.stretch),
        tuple(event.stretched(timers.stretch) for event in sorted(events)),
        lie,
        timers,
    )


def _officers(seed: int, storm_ms: int) -> list[Event]:
    """What they do beside it. At first, while all lists are alike, what was signed of one party is taken to another."""
    rng, at = random.Random(f"officers of several {seed}"), 2_000
    events = [Event(20, f"{party.lower()} hands-over elsewhere") for party in PARTIES]
    if seed % 3 == 0:
        talk = Drawing(rng, [], storm_ms, PARTIES)
        talk.talk(rng)
        events += [_placed(rng, event) for event in talk.events]
    if seed % 5 == 2:
        watch = Drawing(rng, [], storm_ms, PARTIES)
        watch.checklists(random.Random(f"checklists of several {seed}"), most_ms=5_000)
        events += [_placed(rng, event) for event in watch.events]
    while at < storm_ms:
        who, act = rng.choice(PARTIES), rng.choice(DEEDS)
        words = act.format(number=rng.randrange(1_000), within=rng.randint(1, 20), at=at, who=who)
        other = rng.choice([party for party in PARTIES if party != who])
        events.append(Event(at, f"{who.lower()} {words} at {other.lower()}"))
        at += rng.randint(200, 2_500)
    return events


def _old_backup(rng: random.Random, storm_ms: int) -> list[Event]:
    """What one of two has heard is lost by its sender, who then hears the other one alone."""
    at, (who, one, other) = rng.randint(4_000, storm_ms // 2), rng.sample([party.lower() for party in PARTIES], 3)
    return [
        Event(at, f"backup {who}"),
        Event(at, f"part {who} {other} for 5s"),
        *(Event(at + 400, f'{who} says "real statement {number} before the loss" immediate') for number in range(3)),
        Event(at + 5_000, f"part {who} {one} for 9s"),
        Event(at + 5_000, f"restore {who}"),
        *(Event(at + 5_000 + 1_300 * n, f'{who} says "real statement {n} after the loss" flash') for n in (1, 2, 3)),
    ]


def _placed(rng: random.Random, event: Event) -> Event:
    who, verb, *_ = event.command.split()
    if verb not in ("says", "goes-through"):
        return event
    return Event(event.at, f"{event.command} at {rng.choice([p for p in PARTIES if p != who.upper()]).lower()}")


class Table:
    """A world of three with everybody in it."""

    def __init__(self, parley: Parley) -> None:
        self.parley = parley
        self.world = world = World(
            parley.seed,
            parley.relays,
            parley.profile,
            profiles={f"relay-{number}": kind for number, kind in enumerate(parley.timers.kinds, 1)},
            timers=parley.timers.profiles,
            parties=PARTIES,
            ratchets=True,
        )
        self.judges = judges = Parties(world)
        self.windows, self.alike = Windows(world, judges), Alike(world, judges)
        self.checklists = checklists = Checklists(world)
        self.storm = storm = Hostile(world)
        self.people = Delegates(world, judges, self.windows, self.alike, checklists, self._done)
        storm.on_restore = lambda node: (judges.on_restore(node), checklists.on_restore(node))  # type: ignore[assignment,func-returns-value]
        if not any(event.command.startswith("lie ") for event in parley.events):
            storm.be_honest()
        if parley.lie is not None:
            how, liar, victim = parley.lie
            node, said = judges.node(liar), set[str]()
            if how == "two-words":
                said = TwoWords(node, victim).said
            else:
                TwoLedgers(node, victim)
            judges.liars[liar] = said
        for event in parley.events:
            world.at(event.at, lambda command=event.command: self.obey(command))  # type: ignore[misc]
        world.at(parley.storm_ms, lambda: storm.obey("clear"))

    def _done(self, what: str, ok: bool) -> None:
        """An officer was answered."""
        self.storm.played[what] += ok

    def obey(self, command: str) -> None:
        """A command to people, or to the weather."""
        if not self.people.obeys(command):
            self.storm.obey(command)

    def verdict(self) -> None:
        """Everything owed is paid in time; then judge."""
        world, judges = self.world, self.judges
        profiles = [relay.profile for relay in world.relays.values()]
        recovery, exchange = recovery_ms(profiles), exchange_ms(profiles)
        self._wait(judges.paid, world.time + paid_ms(profiles), "settled", self._unpaid)
        for cable in world.cables.values():
            cable.break_now("the night shift")
        self._wait(judges.settled, world.time + recovery, "settled", self._unpaid)
        convicted = max(CONVICTED_MS, 6 * exchange)
        self._wait(lambda: not self._unnoticed(), world.time + convicted, "convicted", self._unnoticed)
        world.run_until(world.time + 6 * exchange // 5)  # heads were exchanged once more
        self._wait(judges.settled, world.time + recovery, "settled", self._unpaid)
        judges.final()
        self.windows.final()
        self.alike.final()
        self.checklists.final()

    def _wait(self, done: Callable[[], bool], until: int, judge: str, left: Callable[[], object]) -> None:
        every = every_ms(relay.profile for relay in self.world.relays.values())
        while not done():
            if self.world.time >= until:
                raise Broken(judge, f"under a clear sky: {left()}")
            self.world.run_until(self.world.time + every)

    def _unnoticed(self) -> list[str]:
        found = self.judges.undetected()
        if self.parley.lie is not None and self.parley.lie[0] == "two-ledgers":
            liar = self.parley.lie[1]
            others = [party for party in PARTIES if party != liar]
            found += [f"{by} knows of one ledger" for by in others if not self.judges.accused[by, liar, "peer-fork"]]
        return found

    def _unpaid(self) -> str:
        parts = []
        for node in self.judges.nodes:
            for other, member in node.conference.members.items() if node.conference is not None else ():
                ctx = member.context
                pending = {plane.value: sorted(box.pending) for plane, box in ctx.outboxes.items() if box.pending}
                ahead = {p.value: (box.through, sorted(box.ahead)) for p, box in ctx.inboxes.items() if box.ahead}
                paths = " ".join(path.state.value for path in ctx.paths.values())
                parts.append(f"{node.name} to {other}: pending {pending} ahead {ahead} reads {len(ctx.reads)} {paths}")
        return "; ".join(parts)


def play(parley: Parley, prepare: Callable[[Table], None] = lambda _: None) -> Outcome:
    """Storm, clear sky, verdict."""
    begun = time.process_time()
    table, judge, broken = Table(parley), "", ""
    prepare(table)
    world = table.world
    try:
        with unswept(), hastened():
            world.start()
            world.run_until(parley.storm_ms)
            table.verdict()
    except Broken as error:
        judge, broken = error.judge, f"at {world.time} ms: {error}"
    if parley.lie is not None:
        table.storm.played[parley.lie[0]] += 1
    table.storm.played["restored and accused"] += sum(
        times for (_, party, _), times in table.judges.accused.items() if party not in table.judges.liars
    )
    return Outcome(
        parley.seed,
        world.time,
        world.digest(),
        len(table.judges.accepted),
        judge,
        broken,
        table.storm.played,
        parley.timers.kind,
        world.decided,
        int(1_000 * (time.process_time() - begun)),
    )


def run_seed(seed: int, storm_ms: int = STORM_MS, *, timed: bool = False) -> Outcome:
    """Draw and play; an exception out of a step is a finding."""
    try:
        return play(draw(seed, storm_ms=storm_ms, timed=timed))
    except Exception as error:  # noqa: BLE001 - the reason stands above
        return Outcome(seed, 0, "", 0, type(error).__name__, f"{type(error).__name__}: {error}")


def main() -> int:
    """Play many; exit 1 if a judge complains."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.several", description=__doc__)
    parser.add_argument("--seeds", type=int, default=40, help="how many seeds (default 40)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--storm", type=int, default=STORM_MS, help=f"milliseconds of storm (default {STORM_MS})")
    parser.add_argument(
        "--usual", action="store_true", help="the usual timers in every seed, not those that each seed draws"
    )
    wanted = parser.parse_args()
    bad, played, paces = 0, Counter[str](), Paces()
    for seed in range(wanted.first, wanted.first + wanted.seeds):
        outcome = run_seed(seed, wanted.storm, timed=not wanted.usual)
        paces.add(outcome.timers, outcome.virtual_ms, outcome.steps, outcome.cpu_ms)
        played.update(name for name, times in outcome.played.items() if times)
        bad += bool(outcome.broken)
        line = f"seed {seed}: {outcome.accepted} statements, {outcome.virtual_ms} ms"
        print(f"{line} {outcome.judge} {outcome.broken}", flush=True)
    print(
        f"{wanted.seeds - bad} of {wanted.seeds} without a complaint; in so many seeds: {dict(sorted(played.items()))}"
    )
    for line in paces.lines():
        print(line)
    never = [name for name in DONE if not played[name]] if wanted.seeds >= ENOUGH_SEEDS else []
    if never:
        print(f"never happened: {', '.join(never)}")
    return 1 if bad or never else 0


if __name__ == "__main__":
    sys.exit(main())
