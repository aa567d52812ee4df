"""What happens to one world and when, drawn from a seed and written as commands: a scenario before it is played.

Every event stands for itself, so that any of them can be left out (shrink.py): what one draws depends on no other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

from tests.simulator.timers import USUAL, Timers, drawn, light, stretched

STORM_MS: Final = 180_000
"""From the first command of a storm to its end."""
SHORT_STORM_MS: Final = 200_000
SHORT_REST_MS: Final = 100_000
"""Clear sky after a short storm: five minutes with it, more if something is still owed."""
LIGHT_SHARES: Final = (0.05, 0.25)
"""Of the events of a short storm, what a light one has."""
SEVERAL_SEED: Final = 4
"""Seeds that end so have several terminals."""
DAY: Final = 86_400_000

_PROFILES: Final = ("fibre", "satellite", "satellite", "narrow")
_SHORT_PROFILES: Final = ("fibre", "satellite", "fibre", "satellite", "satellite", "fibre", "satellite", "narrow")
ENDPOINTS: Final = ("ALPHA", "BRAVO")
PERJURIES: Final = ("through", "time", "receipt", "read", "conflict", "two-texts", "head")
"""Ways in which a peer lies (perjury.py)."""
LIES: Final = ("drop", "replay", "reorder", "alter", "forge-custody", "withhold-last", "delay")
"""Ways in which a relay lies (hotline/drill/lies.py)."""
TRICKS: Final = (
    "split", "babble", "flood", "steal-stream", "stray-charter", "statement", "key-request", "receipt", "receipt",
)  # fmt: skip
"""What else a relay or a thief does (adversary.py); the last four are forged."""
PRECEDENCES: Final = ("routine", "priority", "immediate", "flash")


ACTS: Final = (
    "is consulting within {within}s", "is consulting", "is principal-absent within {within}s", "is declined",
    "is alive", "asks-presence", "shows {number}", "shows {number}", "promises {number} within {within}s",
    "promises {number} within {within}s", "answers {number}", "answers {number}", "corrects {number}",
    "corrects {number}", "retracts {number}", "translates {number} here", "translates {number} sent",
    "challenges {number} ours", "challenges {number} theirs", "confirms yes", "confirms yes", "confirms unknown",
    "records {number} ours", "records {number} theirs", "records {number} theirs",
    'says "real statement {at} of {who}, quietly" routine quiet',
    'says "real statement {at} of {who}, quietly" immediate quiet',
    'says "exercise statement {at} of {who}, quietly" priority quiet exercise',
)  # fmt: skip
"""What officers do beside saying and reading (officers.py)."""
WATCHES: Final = (
    'says "service remark {at} of {who}" service', "hands-over at-once", "hands-over at-once", "hands-over late",
    "hands-over late", "hands-over forged",
)  # fmt: skip
"""And operators."""
CHECKLISTS: Final = ("whole", "whole", "called-away", "called-away", "unanswered", "wrong")
"""How a watch goes through a checklist."""
RELEASES: Final = (
    "releases right",
    "releases right",
    "releases right",
    "releases lacking",
    "releases forged",
    "steals",
)
AMENDING: Final = ("activates unsigned", "releases former", "releases fallen", "releases fallen", "releases right")
"""What else they do where the charter is amended."""


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """A command, and the virtual millisecond at which it is given."""

    at: int
    command: str

    def stretched(self, by: float) -> Event:
        """The same in a storm that lasts longer by so much."""
        return self if by == 1 else Event(int(self.at * by), stretched(self.command, by))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A world and its events. `storm_ms`: when everything clears."""

    seed: int
    relays: int
    profile: str
    storm_ms: int
    events: tuple[Event, ...]
    narrow: int = 0
    """So many of the relays have the narrow profile."""
    tests_ms: int = 0
    ratchets: bool = False
    release: bool = False
    """A FLASH needs two officers (officers.py)."""
    alternates: tuple[str, ...] = ()
    """Parties that have two terminals (company.py)."""
    amendments: int = 0
    """Of the charter (amendments.py); the world has one relay more, which comes with one of them."""
    timers: Timers = USUAL
    """Of the charter (timers.py)."""

    def thinned(self, events: tuple[Event, ...]) -> Schedule:
        """The same world with other events."""
        return replace(self, events=events)


def draw(seed: int, *, short: bool, storm_ms: int | None = None, timed: bool = False) -> Schedule:
    """The schedule of a seed. `timed`: its charter has the timers of the seed, else the usual ones."""
    rng = random.Random(f"schedule {seed}")
    profile = _SHORT_PROFILES[seed % 8] if short else _PROFILES[seed % 4]
    relays = 2 + seed % 2
    storm_ms = storm_ms or (SHORT_STORM_MS if short else STORM_MS)
    alternates = () if seed % 10 != SEVERAL_SEED else ENDPOINTS if seed % 20 == SEVERAL_SEED else ENDPOINTS[:1]
    amended = seed % 5 == 0 or seed % 30 == 14
    amendments = 0 if not amended else 1 if seed % 20 == 0 or seed % 120 == 104 else 2
    names = [f"relay-{number}" for number in range(1, relays + 1 + (amendments > 0))]
    drawing = Drawing(rng, names, storm_ms, (*ENDPOINTS, *(f"{party}-ALT" for party in alternates)))
    drawing.people(pace=2.5 if short else 1.0)
    if seed % 3 == 0:
        drawing.talk(random.Random(f"talk {seed}"))
    release = amendments > 0 or (seed % 4 == 2 and not alternates)
    if amendments:
        drawing.charter(random.Random(f"charter {seed}"), amendments)
    if alternates:
        drawing.company(random.Random(f"company {seed}"))
    if alternates or seed % 5 == 3:
        drawing.checklists(random.Random(f"checklists {seed}"))
    drawing.officers(random.Random(f"officers {seed}"), release=release)
    drawing.storm()
    if not alternates:
        drawing.adversary(seed)
    if seed % 12 == 11:
        drawing.outage()
    if seed % 60 == 44:
        drawing.crossing(random.Random(f"crossing {seed}"), amendments)
    timers = drawn(seed, len(names)) if timed else USUAL
    return Schedule(
        seed,
        relays,
        profile,
        int(storm_ms * timers.stretch),
        tuple(event.stretched(timers.stretch) for event in sorted(drawing.events)),
        narrow=int(seed % 5 == 4 and profile != "narrow"),
        tests_ms=int(40_000 * timers.stretch) if seed % 6 == 5 and profile != "narrow" else 0,
        ratchets=seed % 3 == 1,
        release=release,
        alternates=alternates,
        amendments=amendments,
        timers=timers,
    )


def draw_light(seed: int) -> Schedule:
    """The short storm of a seed with a part of its events and rarer beats: a quarter of the work, and quick to read."""
    schedule, rng = draw(seed, short=True), random.Random(f"light {seed}")
    share = rng.uniform(*LIGHT_SHARES)
    events = (event for event in schedule.events if event.at >= schedule.storm_ms or rng.random() < share)
    return replace(schedule, events=tuple(events), timers=light(seed))


class Drawing:
    """Draws events until the end of the storm."""

    def __init__(self, rng: random.Random, relays: list[str], end: int, terminals: tuple[str, ...]) -> None:
        self._rng, self._relays, self._end = rng, relays, end
        self._terminals = terminals
        self.events: list[Event] = []
        self._said = 0

    def _add(self, at: int, command: str) -> None:
        if at < self._end:
            self.events.append(Event(at, command))

    # --- people ------------------------------------------------------------------------------------------------------

    def people(self, pace: float) -> None:
        """They say things and read, all the time and in bursts."""
        rng, at = self._rng, 500
        while at < self._end:
            sender = rng.choice(self._terminals)
            for _ in range(rng.choice((1, 1, 1, 5, 20))):
                self._add(at, self._statement(sender))
            at += int(pace * rng.randint(100, 8_000))
        at = 1_000
        while at < self._end:
            self._add(at, f"{rng.choice(self._terminals).lower()} reads all")
            at += rng.randint(500, 6_000)

    def talk(self, rng: random.Random) -> None:
        """Operators talk to operators beside it, sometimes more than the line bears."""
        at = 2_000
        while at < self._end:
            sender = rng.choice(self._terminals)
            for number in range(rng.choice((1, 1, 1, 2, 30))):
                words = [f'{sender.lower()} says "service talk {at}-{number} of {sender}"', "service"]
                words += ["within 5s"] if rng.random() < 0.2 else []
                words += ["long 800"] if rng.random() < 0.2 else []
                self._add(at, " ".join(words))
            at += rng.randint(1_000, 20_000)

    def officers(self, rng: random.Random, *, release: bool) -> None:
        """What else they do (officers.py): each now and then, so that nothing of it is lacking in many storms."""
        acts = [*ACTS, *WATCHES, *(RELEASES if release else ())]
        at = 2_000
        while at < self._end:
            who, act = rng.choice(self._terminals), rng.choice(acts)
            number, within = rng.randrange(1_000), rng.randint(1, 40)
            self._add(at, f"{who.lower()} {act.format(number=number, within=within, at=at, who=who)}")
            at += rng.randint(300, 7_000)

    def charter(self, rng: random.Random, amendments: int) -> None:
        """The charter is amended twice, by both; or once, and one side never hears of it."""
        party, at = rng.choice(ENDPOINTS) if amendments == 1 else "", 0
        alone = [one for one in self._terminals if party and one.startswith(party)]
        for serial in range(2, amendments + 2):
            at = rng.randint(10_000, self._end // 2) if serial == 2 else at + rng.choice((100, 2_000, self._end // 4))
            for number in range(6):  # what a crash takes back is handed in again
                who = rng.choice(alone or self._terminals).lower()
                self._add(at + number * rng.randint(200, 5_000), f"{who} activates {serial}")
            # When the sky is clear whoever has not taken it does.
            for who in () if alone else self._terminals:
                self.events.append(Event(self._end + 5_000 * serial, f"{who.lower()} activates {serial}"))
        at = 5_000
        while at < self._end:
            who = rng.choice(self._terminals).lower()
            self._add(at, f"{who} {rng.choice(AMENDING)}")
            at += rng.randint(2_000, 20_000)

    def checklists(self, rng: random.Random, most_ms: int = 15_000) -> None:
        """A watch goes through one now and then, or is called away from it."""
        at = 1_500
        while at < self._end:
            who, how = rng.choice(self._terminals).lower(), rng.choice(CHECKLISTS)
            self._add(at, f"{who} goes-through {how} {rng.randrange(1_000)}")
            at += rng.randint(1_000, most_ms)

    def company(self, rng: random.Random) -> None:
        """Terminals take over from their siblings, whether these still live or not, and are cut off from each other."""
        at = 10_000
        while at < self._end:
            who, other = rng.sample(self._terminals, 2)
            match rng.choice(("speaks", "speaks", "speaks", "rests", "part", "part")):
                case "part":
                    self._add(at, f"part {who.lower()} {other.lower()} for {rng.randint(1_000, 40_000)}ms")
                case "rests":
                    self._add(at, f"{who.lower()} rests")
                    self._add(at + rng.randint(500, 5_000), f"{rng.choice((who, other)).lower()} speaks")
                case _:
                    self._add(at, f"{who.lower()} speaks")
            at += rng.randint(1_000, 20_000)

    def _statement(self, sender: str) -> str:
        rng = self._rng
        self._said += 1
        plane = rng.choice(("real", "real", "exercise"))
        words = [f'{sender.lower()} says "{plane} statement {self._said} of {sender}"', rng.choice(PRECEDENCES)]
        words += ["exercise"] if plane == "exercise" else []
        words += ["within 5s"] if rng.random() < 0.2 else []
        length = rng.choice((0, 0, 0, 0, 0, 300, 1_500, 9_000))
        words += [f"long {length}"] if length else []
        return " ".join(words)

    # --- weather -----------------------------------------------------------------------------------------------------

    def storm(self) -> None:
        """Some of the weathers, again and again."""
        rng = self._rng
        menu = [
            self._gust, self._cut, self._mute, self._swizzle, self._narrow, self._crash, self._relay_crash, self._stop,
            self._freeze, self._relay_freeze, self._torn, self._relay_torn, self._slow_disk, self._full_disk,
            self._relay_full_disk, self._unsure_disk, self._wipe, self._backups, self._relay_backups, self._clock,
            self._drift,
        ]  # fmt: skip
        chosen = rng.sample(menu, rng.randint(4, 12))
        at = 3_000
        while at < self._end:
            rng.choice(chosen)(at)
            at += rng.randint(200, 15_000)

    def _endpoint(self) -> str:
        return self._rng.choice(self._terminals).lower()

    def _relay(self) -> str:
        return self._rng.choice(self._relays)

    def _lasting(self, longest: int = 30_000) -> str:
        return f"for {self._rng.randint(100, longest)}ms"

    def _gust(self, at: int) -> None:
        rng = self._rng
        loss, duplicate = rng.choice((0, 1, 10, 30)), rng.choice((0, 5, 20))
        delay, disk = rng.choice((5, 50, 300, 2_000)), rng.choice((1, 5, 100))
        self._add(at, f"gust loss={loss} duplicate={duplicate} delay={delay} disk={disk}")

    def _cut(self, at: int) -> None:
        self._add(at, f"cut {self._endpoint()} {self._relay()} {self._lasting()}")

    def _mute(self, at: int) -> None:
        self._add(at, f"mute {self._endpoint()} {self._relay()} {self._rng.choice(('up', 'down'))} {self._lasting()}")

    def _swizzle(self, at: int) -> None:
        self._add(at, f"swizzle {self._rng.randrange(10**6)}")

    def _narrow(self, at: int) -> None:
        rate = self._rng.choice((2_400, 9_600))
        self._add(at, f"narrow {self._endpoint()} {self._relay()} {rate} {self._lasting()}")

    def _crash(self, at: int) -> None:
        self._add(at, f"crash {self._endpoint()} {self._lasting(10_000)}")

    def _relay_crash(self, at: int) -> None:
        self._add(at, f"crash {self._relay()} {self._lasting()}")

    def _stop(self, at: int) -> None:
        self._add(at, f"stop {self._rng.choice((self._endpoint(), self._relay()))} {self._lasting(10_000)}")

    def _freeze(self, at: int) -> None:
        self._add(at, f"freeze {self._endpoint()} {self._lasting(10_000)}")

    def _relay_freeze(self, at: int) -> None:
        self._add(at, f"freeze {self._relay()} {self._lasting()}")

    def _torn(self, at: int) -> None:
        self._add(at, f"torn {self._endpoint()} {self._rng.randint(0, 4)}")

    def _relay_torn(self, at: int) -> None:
        self._add(at, f"torn {self._relay()} {self._rng.randint(0, 2)}")

    def _slow_disk(self, at: int) -> None:
        who = self._rng.choice((self._endpoint(), self._relay()))
        self._add(at, f"slow-disk {who} {self._rng.choice((400, 2_000))}ms {self._lasting()}")

    def _full_disk(self, at: int) -> None:
        self._add(at, f"full-disk {self._endpoint()} {self._lasting(15_000)}")

    def _relay_full_disk(self, at: int) -> None:
        self._add(at, f"full-disk {self._relay()} {self._lasting()}")

    def _unsure_disk(self, at: int) -> None:
        self._add(at, f"unsure-disk {self._endpoint()} {self._lasting(15_000)}")

    def _wipe(self, at: int) -> None:
        self._add(at, f"wipe {self._relay()}")

    def _backups(self, at: int) -> None:
        """Copies now and then, and one of them is put back."""
        who = self._endpoint()
        self._add(at, f"backup {who}")
        if self._rng.random() < 0.6:
            self._add(at + self._rng.randint(1_000, 60_000), f"restore {who}")

    def _relay_backups(self, at: int) -> None:
        who = self._relay()
        self._add(at, f"backup {who}")
        self._add(at + self._rng.randint(500, 20_000), f"restore {who}")

    def _clock(self, at: int) -> None:
        self._add(at, f"clock {self._endpoint()} {self._rng.randint(-DAY, DAY)}")

    def _drift(self, at: int) -> None:
        self._add(at, f"drift {self._endpoint()} {self._rng.choice((-100, -1, 1, 100))}")

    def outage(self) -> None:
        """One side is away for longer than channel tests may be missed, and nothing else happens meanwhile."""
        at = self._rng.randint(40_000, 60_000)
        quiet = range(at - 40_000, at + 125_000)
        people = (" says ", " reads ")
        self.events = [
            event for event in self.events if event.at not in quiet or any(verb in event.command for verb in people)
        ]
        self._add(at, f"crash {self._endpoint()} for 120s")

    def crossing(self, rng: random.Random, amendments: int) -> None:
        """The last minute is fair, and what watches do at both terminals of a party crosses there, or comes too late.

        One terminal hears of no amendment before the others stand under it. None is put back: that would excuse it.
        """
        (a, a2), (b, b2) = (
            rng.sample((party.lower(), f"{party.lower()}-alt"), 2) for party in rng.sample(ENDPOINTS, 2)
        )
        at, given = self._end - 45_000, (2, 3) if amendments == 2 else ()
        left_out = (f"{b2} activates", *(f"restore {party.lower()}" for party in ENDPOINTS))
        self.events = [
            event
            for event in self.events
            if event.at >= self._end or not (event.at >= at - 15_000 or event.command.startswith(left_out))
        ]
        scene = (
            (-14_000, "clear"), (-12_000, f"{a} speaks"), (-12_000, f"{b} speaks"),
            *((-12_000 + 1_500 * serial, f"{one} activates {serial}") for serial in given for one in (a, a2, b)),
            (-6_000, f'{a} says "real statement 1 of the last watch" routine'),
            (-5_000, f'{b} says "real statement 2 of the last watch" routine'),
            # An answer is here before its question, and the run ends before that comes; then both within one commit.
            (0, f"part {a2} {b} for 6s"), (0, f"part {a2} {b2} for 6s"),
            (500, f"{b} challenges {rng.randrange(1_000)} theirs"),
            *((2_000 + 300 * number, f"{a} confirms yes") for number in range(5)), (4_000, f"crash {a2} for 1s"),
            (10_000, f"slow-disk {a2} 1000ms for 5s"),
            # A handover while one terminal of the peer lacks what the other one has.
            (16_000, f"crash {b.removesuffix('-alt')} for 5s"),
            (16_300, f'{a} says "real statement 3 of the last watch" routine'),
            (18_500, f"{a} hands-over at-once"),
            # What was opened is noted by all but the sibling when the run ends.
            (28_000, f"part {b2} {b} for 4s"), (28_300, f'{a} says "real statement 4 of the last watch" routine'),
            (29_500, f"{b2} reads all"), (30_800, f"crash {b2} for 1s"),
        )  # fmt: skip
        for after, command in scene:
            self._add(at + after + rng.randint(0, 50), command)
        for number in range(6):  # what is said beside it holds the answer up, and not the receipt
            when = at + 10_100 + 700 * number
            self._add(when, f"{a} challenges {rng.randrange(1_000)} theirs")
            self._add(when + rng.randint(0, 12), f'{b} says "service remark {number} of the last watch" service')

    # --- adversaries -------------------------------------------------------------------------------------------------

    def adversary(self, seed: int) -> None:
        """Every second seed has some; seldom one that nothing but silence could disarm."""
        match seed % 16:
            case 1 | 9:
                self._perjury(seed)
            case 3:
                self._clones()
            case 13:
                # All relays withhold together, and no path looks any worse for it.
                at = self._rng.randint(20_000, max(21_000, self._end // 2))
                for relay in self._relays:
                    self._add(at, f"lie {relay} withhold-last 1 for 70s")
            case 6:
                # The thief comes when the sky is clear, so that only he can be accused.
                self.events.append(Event(self._end + 30_000, f"rewrite {self._endpoint()}"))
            case odd if odd % 2:
                for trick in (*TRICKS, *self._rng.choices(LIES, k=4)):
                    self._trick(self._rng.randint(5_000, max(6_000, self._end - 20_000)), trick)

    def _perjury(self, seed: int) -> None:
        liar, rng = self._endpoint(), self._rng
        for number in range(3):
            how = PERJURIES[(seed // 8 + 2 * number) % len(PERJURIES)]
            at = rng.randint(15_000, max(16_000, self._end // 3)) + number * self._end // 5
            self._add(at, f"perjure {liar} {how} {self._lasting(60_000)}")

    def _clones(self) -> None:
        victim, rng = self._endpoint(), self._rng
        at = rng.randint(10_000, 60_000)
        self._add(at, f"backup {victim}")
        self._add(at + rng.randint(5_000, 60_000), f"clone {victim} for {rng.randint(5_000, 25_000)}ms")

    def _trick(self, at: int, trick: str) -> None:
        rng, relay, who = self._rng, self._relay(), self._endpoint()
        match trick:
            case "split" | "babble":
                self._add(at, f"{trick} {who} {relay} {self._lasting(40_000)}")
            case "flood":
                self._add(at, f"babble {who} {relay} for 100ms")
                self._add(at + 5_000, f"flood {who} {relay} {rng.choice((300, 1_000))}")
            case "steal-stream":
                self._add(at, f"steal-stream {who} {relay} {self._lasting(20_000)}")
            case "statement" | "key-request" | "receipt":
                self._add(at, f"forge {who} {relay} {trick}")
            case "stray-charter":
                self._add(at, f"stray-charter {who} {relay}")
            case how:
                self._add(at, f"lie {relay} {how} {rng.randint(1, 4)} {self._lasting(40_000)}")
