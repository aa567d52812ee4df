"""One schedule from its first command to the verdict."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from unittest.mock import patch

from hotline.crypto.sealing import MessageKey, seal
from hotline.drill.simulator.world import World
from hotline.machine import Instant
from hotline.protocol.paths import IGNORED, TRANSITIONS, Path, PathInput
from tests.simulator.adversary import Hostile
from tests.simulator.amendments import Amendments
from tests.simulator.charters import Charters
from tests.simulator.checklists import Checklists
from tests.simulator.company import Company
from tests.simulator.judges import TOLD, TOLD_AGAIN, Broken, Judges
from tests.simulator.officers import REFUSED, Heed, Officers
from tests.simulator.people import People
from tests.simulator.procedure import Procedure
from tests.simulator.promises import Promises
from tests.simulator.schedule import SHORT_REST_MS, Schedule, draw, draw_light
from tests.simulator.secrecy import Secrecy
from tests.simulator.speed import hastened, read_once, unswept
from tests.simulator.timers import USUAL, every_ms, linked_ms, paid_ms, recovery_ms, told_ms
from tests.simulator.watches import Watches

REST_MS: Final = 90_000
"""Clear sky at least, before anything is judged; with other timers than the usual ones until heads were exchanged."""
CALM_MS: Final = 1_800_000
HEARD_BY_THEN: Final = 3
"""Of so many beats one has arrived, whatever the weather."""

ROWS: Final = (
    *(f"path {state.value}+{what.value}" for state, what in (*TRANSITIONS, *IGNORED)),
    *("told " + " > ".join(step) for step in (*TOLD, *TOLD_AGAIN)),
)
"""Every row of the tables of transitions."""


@dataclass(frozen=True)
class Result:
    """What one schedule came to."""

    seed: int
    virtual_ms: int
    digest: str
    recovered_ms: int
    accepted: int
    judge: str = ""
    broken: str = ""
    played: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    timers: str = USUAL.kind
    steps: int = 0
    """Of machines."""
    cpu_ms: int = 0
    """All of it: keys, charter, storm and verdict."""

    def line(self) -> dict[str, Any]:
        """For a file of results."""
        return asdict(self)


@contextmanager
def spied(judges: Judges) -> Iterator[None]:
    """Every seal of the session passes the judge, every input of a path is counted."""
    apply = Path.apply

    def watched(key: MessageKey, header: bytes, plaintext: bytes) -> bytes:
        judges.spy_seal(key.key, key.nonce, header, plaintext)
        return seal(key, header, plaintext)

    def counted(self: Path, what: PathInput, now: Instant) -> bool:
        judges.rows[f"path {self.state.value}+{what.value}"] += 1
        return apply(self, what, now)

    with patch("hotline.protocol.session.seal", watched), patch.object(Path, "apply", counted):
        yield


class Play:
    """A world with everybody in it, ready to be run."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        kinds = schedule.timers.kinds or ("narrow",) * schedule.narrow
        self.world = World(
            schedule.seed,
            schedule.relays + (schedule.amendments > 0),
            schedule.profile,
            profiles={f"relay-{number}": kind for number, kind in enumerate(kinds, 1)},
            timers=schedule.timers.profiles,
            channel_test_ms=schedule.tests_ms,
            ratchets=schedule.ratchets,
            alternates=schedule.alternates,
        )
        self.charters = Charters(self.world, release=schedule.release, amendments=schedule.amendments)
        self.judges = judges = Company(self.world) if schedule.alternates else Judges(self.world)
        self.promises: Promises | None = None
        self.procedure: Procedure | None = None
        self.people = People(self.world, judges)
        self.storm = storm = Hostile(self.world)
        storm.on_rewrite, storm.on_clone, storm.on_perjury = judges.on_rewrite, judges.on_clone, judges.on_perjury
        storm.on_restore = judges.on_restore
        heed = Heed(lambda node, text: judges.on_said(node.name, text), judges.on_accepted, done=self._done)
        if not schedule.alternates:
            self.promises = promises = Promises(self.world, judges)
            self.procedure = Procedure(self.world, judges)
            heed.released = self.procedure.released.add
            self.people.on_valid, storm.on_clock = promises.on_valid, promises.on_clock
            storm.on_restore = lambda node: (promises.on_restore(node), judges.on_restore(node))  # type: ignore[func-returns-value]
        self.watches = watches = Watches(self.world, judges)
        heed.handed = lambda node, reply, due: watches.on_handed(node, reply, due=due)
        self.checklists = checklists = Checklists(
            self.world, lambda: {*judges.cloned, *judges.perjured, *judges.rewritten}
        )
        heed.went = lambda node, run, reply, due: checklists.on_run(node, run, reply, due=due)
        restored = storm.on_restore
        storm.on_restore = lambda node: (restored(node), checklists.on_restore(node))  # type: ignore[func-returns-value]
        self.officers = Officers(self.world, heed, self.charters)
        self.amendments: Amendments | None = None
        if schedule.amendments:
            self.amendments = amendments = Amendments(
                self.world, judges, self.charters, self.officers.told, storm.played
            )
            heed.former = lambda node, reply, due: amendments.on_former(node, reply, due=due)
        self.secrecy = Secrecy(self.world)
        if not any(event.command.startswith("lie ") for event in schedule.events):
            storm.be_honest()
        for event in schedule.events:
            self.world.at(event.at, lambda command=event.command: self._obey(command))  # type: ignore[misc]
        self.world.at(schedule.storm_ms, lambda: storm.obey("clear"))

    def _obey(self, command: str) -> None:
        if command == "clear" or not (self.people.obeys(command) or self.officers.obeys(command)):
            self.storm.obey(command)

    def _done(self, what: str, ok: bool) -> None:
        """An officer was answered."""
        refused = what in REFUSED
        if refused and ok:
            raise Broken("authority", f"a terminal says what its officers have {what}")
        self.storm.played[what] += ok != refused

    def _rest(self, since: int, rest: int) -> int:
        """How long the sky is clear before it is judged what heads and beats were to bring."""
        profiles = [relay.profile for relay in self.world.relays.values()]
        if self.schedule.timers is USUAL:
            return rest
        after = max([0, *(event.at - since for event in self.schedule.events)])
        return max(rest, after + linked_ms(profiles) + told_ms(profiles, several=bool(self.schedule.alternates)))

    def verdict(self, since: int, rest: int) -> int:
        """Everything owed must be paid in time; then judge. Returns how long it took, in virtual milliseconds."""
        profiles = [relay.profile for relay in self.world.relays.values()]
        limit = paid_ms(profiles, several=bool(self.schedule.alternates))
        world, judges = self.world, self.judges
        if isinstance(judges, Company):
            judges.wake()
        if not judges.perjured:
            self._wait(judges.paid, since + limit)
            paid = world.time - since
            # A TAKEN that was lost on a stream that lived on leaves an envelope behind until the next stream.
            for cable in world.cables.values():
                cable.break_now("the night shift")
            self._wait(judges.settled, world.time + recovery_ms(profiles))
        world.run_until(max(world.time, since + self._rest(since, rest)))
        if not judges.perjured:
            if self.amendments is not None:
                self._wait(self.amendments.agreed, world.time + limit)
            self._wait(judges.settled, world.time + recovery_ms(profiles))
        forked = {one.liar for one in self.storm.perjurers if one.forked_beats >= HEARD_BY_THEN}
        judges.final(forked, {clone.of for clone in self.storm.clones if clone.heard})
        if self.promises is not None and self.procedure is not None:
            self.promises.final(self.storm.lied_to)
            self.procedure.final()
        self.watches.final()
        self.checklists.final()
        if self.amendments is not None:
            self.amendments.final()
        return 0 if judges.perjured else paid

    def _wait(self, done: Callable[[], bool], until: int) -> None:
        begun = self.world.time
        every = every_ms(relay.profile for relay in self.world.relays.values())
        while not done():
            if self.world.time >= until:
                waited = self.world.time - begun
                raise Broken("settled", f"not settled after {waited} ms of clear sky: {unsettled(self.world)}")
            self.world.run_until(self.world.time + every)


def play(
    schedule: Schedule,
    *,
    rest_ms: int = REST_MS,
    calm_ms: int = 0,
    idle_hour: bool = False,
    until: int | None = None,
    prepare: Callable[[World], None] | None = None,
) -> Result:
    """Storm, clear sky, verdict; then ordinary traffic for `calm_ms`, and a verdict on that.

    With `until`, only what is judged on the way there.
    """
    begun = time.process_time()
    with unswept(), read_once():
        return _played(schedule, rest_ms, calm_ms, begun, idle_hour=idle_hour, until=until, prepare=prepare)


def _played(
    schedule: Schedule,
    rest_ms: int,
    calm_ms: int,
    begun: float,
    *,
    idle_hour: bool,
    until: int | None,
    prepare: Callable[[World], None] | None,
) -> Result:
    scene = Play(schedule)
    world, judges = scene.world, scene.judges
    if prepare is not None:
        prepare(world)
    judge, broken, recovered = "", "", 0
    try:
        with hastened(), spied(judges):
            world.start()
            world.run_until(schedule.storm_ms if until is None else until)
            recovered = scene.verdict(schedule.storm_ms, rest_ms) if until is None else 0
            if calm_ms and not judges.perjured:
                end = world.time + calm_ms
                scene.people.calm(random.Random(f"calm {schedule.seed}"), end)
                world.run_until(end)
                scene.verdict(end, REST_MS)
            if idle_hour and not judges.perjured:
                judges.idle_hour()
    except Broken as error:
        judge, broken = error.judge, f"at {world.time} ms: {error}"
    played = Counter({name: count for name, count in scene.storm.played.items() if count})
    rows = {name: judges.rows[name] for name in sorted(judges.rows)}
    return Result(
        schedule.seed,
        world.time,
        world.digest(),
        recovered,
        len(judges.accepted),
        judge,
        broken,
        dict(played),
        rows,
        schedule.timers.kind,
        world.decided,
        int(1_000 * (time.process_time() - begun)),
    )


def run_seed(
    seed: int,
    *,
    short: bool = False,
    storm_ms: int | None = None,
    calm_ms: int = CALM_MS,
    idle_hour: bool = False,
    prepare: Callable[[World], None] | None = None,
    timed: bool = False,
) -> Result:
    """Draw the schedule of a seed and play it; a short one has no calm after it. `timed`: with the seed's timers."""
    schedule = draw(seed, short=short, storm_ms=storm_ms, timed=timed)
    if short:
        return play(schedule, rest_ms=SHORT_REST_MS, prepare=prepare)
    return play(schedule, calm_ms=calm_ms, idle_hour=idle_hour, prepare=prepare)


def run_light(seed: int) -> Result:
    """Play the light storm of a seed."""
    return play(draw_light(seed), rest_ms=SHORT_REST_MS)


def unsettled(world: World) -> str:
    """What is still owed, for people."""
    parts = []
    for node in world.endpoints.values():
        if node.machine is None:
            parts.append(f"{node.name} is down")
            continue
        ctx = node.machine.context
        pending = {plane.value: sorted(outbox.pending) for plane, outbox in ctx.outboxes.items() if outbox.pending}
        ahead = {
            plane.value: (inbox.through, sorted(inbox.ahead)) for plane, inbox in ctx.inboxes.items() if inbox.ahead
        }
        paths = [path.state.value for path in ctx.paths.values()]
        parts.append(f"{node.name} pending {pending} ahead {ahead} unnoted {len(ctx.reads)} paths {paths}")
    mailboxes = [len(relay.disk.tables.get("mailbox", {})) for relay in world.relays.values()]
    return "; ".join([*parts, f"mailboxes {mailboxes}"])
