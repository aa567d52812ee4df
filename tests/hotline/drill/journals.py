"""Journals written by hand: a tiny builder for one fact at a time, and a whole realistic drill."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from hotline.drill.journal import Entry, Journal
from hotline.drill.judging import judge
from hotline.drill.outcome import Judged, Report
from hotline.drill.plan import Plan

URDU: Final = "ہم نے آپ کا پیغام پڑھ لیا ہے۔ مشق 14:30 PKT پر شروع ہوگی۔"
HINDI: Final = "संदेश प्राप्त हुआ। अभ्यास 14:30 PKT पर शुरू होगा।"
PEER: Final = {"ALPHA": "BRAVO", "BRAVO": "ALPHA"}
PRECEDENCES: Final = ("flash", "immediate", "priority", "routine")


class Story:
    """A journal in the making: three relays, both sides up, polls four times a second until `end`."""

    def __init__(self, *promises: dict[str, Any], inject: list[dict[str, Any]] | None = None, **plan: Any) -> None:
        self.plan = Plan.model_validate(
            {
                "drill": 1,
                "name": "made-by-hand",
                "title": "A drill made by hand",
                "story": "Somebody wrote it down.",
                "source": "tests",
                "tags": ["quick"],
                "promise": list(promises) or [{"promise": "none-lost"}],
                "inject": inject or [],
            }
            | plan
        )
        self.journal = Journal()
        self.serials = dict.fromkeys(PEER, 0)
        self.seed = 424_242

    def add(self, at: float, kind: str, **fields: object) -> Story:
        self.journal.add(at, kind, **fields)
        return self

    def begin(self, steady: bool = True) -> Story:
        self.add(
            0,
            "drill",
            plan=self.plan.model_dump(mode="json", by_alias=True),
            digest="5f" * 32,
            seed=self.seed,
            started="2026-11-23T10:14:02Z",
            simulated=False,
            environment={"hotline": "0.1.0", "python": "3.11.7", "system": "Linux"},
        )
        return self.add(0, "steady", holds=steady, within_ms=812.4 if steady else None)

    def say(
        self,
        at: float,
        sender: str = "ALPHA",
        precedence: str = "flash",
        delivered: float | None = 20.0,
        read: float | None = None,
        *,
        plane: str = "exercise",
        lang: str = "en",
        label: str = "",
        shown: bool = True,
        relay: str = "relay-1",
    ) -> str:
        """One statement; `delivered` and `read` are milliseconds after it. Returns its id."""
        self.serials[sender] += 1
        identifier = f"{sender}/{plane}/{self.serials[sender]}"
        fields = {"id": identifier, "from": sender, "serial": self.serials[sender], "plane": plane}
        self.add(at, "said", **fields, precedence=precedence, lang=lang, bytes=500, label=label)
        if delivered is not None:
            self.add(at + delivered / 2, "stage", id=identifier, stage="relayed", by=relay)
            self.add(at + delivered, "stage", id=identifier, stage="delivered", by="")
            if shown:
                self.add(at + delivered * 0.6, "shown", id=identifier, by=PEER[sender], repeat=False)
            if read is not None:
                self.add(at + delivered + read, "stage", id=identifier, stage="read", by="duty-1")
        return identifier

    def inject(self, at: float, n: int = 0, until: float | None = None) -> Story:
        """Inject `n` of the plan, undone at `until`."""
        one = self.plan.inject[n]
        target = getattr(one, "target", getattr(one, "sender", ""))
        fields = {"n": n, "name": one.name, "fault": one.fault, "target": target, "text": f"{one.fault} {target}"}
        self.add(at, "inject", **fields)
        if until is not None:
            self.add(until, "undo", **fields)
        return self

    def path(self, at: float, by: str, path: str, state: str) -> Story:
        return self.add(at, "path", by=by, path=path, state=state)

    def alarm(self, at: float, by: str, name: str, text: str = "it is so") -> Story:
        return self.add(at, "alarm", by=by, name=name, text=text)

    def poll(self, at: float, by: str, heard: float | None, up: int = 3, waiting: int | None = 0) -> Story:
        return self.add(at, "poll", by=by, heard_ms=heard, up=up, waiting=waiting)

    def polls(self, until: float, heard: Callable[[str, float], float | None] = lambda by, at: 120.0) -> Story:
        for turn in range(1, int(until / 250) + 1):
            for party in PEER:
                value = heard(party, turn * 250.0)
                self.poll(turn * 250.0, party, value, 3 if value is not None else 0, None if value is None else 0)
        return self

    def finish(self, outcome: str = "ended", ledgers: bool = True) -> list[Entry]:
        """The end of the story: ledgers, agreement, end; the entries in order of time."""
        last = max((float(entry["t"]) for entry in self.journal.entries), default=0.0)
        if ledgers:
            for party in PEER:
                self.ledger(last + 900, party)
            self.add(last + 950, "agree", holds=True, text="both say the same")
        self.add(last + 1_000, "end", outcome=outcome, text="played to its end" if outcome == "ended" else "Ctrl-C")
        self.journal.finish()
        return self.journal.entries

    def ledger(self, at: float, by: str, verified: bool = True, text: str = "verified") -> Story:
        root = ("1a" if by == "ALPHA" else "b2") * 32
        return self.add(at, "ledger", by=by, size=412, log_epoch=1, root=root, verified=verified, text=text)

    def report(self) -> Report:
        return judge(self.finish())

    def judged(self) -> Judged:
        """The first promise."""
        return self.report().promises[0]


def told(*promises: dict[str, Any], inject: list[dict[str, Any]] | None = None, **plan: Any) -> Story:
    """A story that has begun in its steady state."""
    return Story(*promises, inject=inject, **plan).begin()


# --- a whole drill ----------------------------------------------------------------------------------------------------

MONSOON: Final[dict[str, Any]] = {
    "name": "monsoon-cut",
    "title": "A cable is cut while a relay dies",
    "story": "Rain has taken the eastern cable; before, the room of relay-1 was flooded. Both capitals go on.",
    "source": "Mumbai flood of July 2005: exchanges in basements failed one after the other",
    "incident": "D04",
    "tags": ["relay", "link"],
    "traffic": [
        {"from": "ALPHA", "precedence": "flash", "every": "400ms", "until": "60s", "read_after": "2s"},
        {"from": "BRAVO", "precedence": "routine", "every": "400ms", "until": "60s"},
    ],
}
MONSOON_INJECTS: Final[list[dict[str, Any]]] = [
    {"fault": "kill", "target": "relay-1", "at": "12s", "for": "10s"},
    {"fault": "partition", "between": [["ALPHA"], ["relay-2"]], "at": "31s", "for": "12s", "label": "eastern-cable"},
    {"fault": "say", "from": "BRAVO", "at": "40s", "text": URDU, "lang": "ur"},
    {"fault": "say", "from": "ALPHA", "at": "45s", "text": HINDI, "lang": "hi"},
]
MONSOON_PROMISES: Final[list[dict[str, Any]]] = [
    {"promise": "none-lost", "why": "an accepted statement is a promise of the terminal"},
    {"promise": "none-twice"},
    {"promise": "in-order"},
    {
        "promise": "delivered-within",
        "precedence": "flash",
        "limit": "500ms",
        "why": "every path carries every statement",
    },
    {"promise": "extra-delay", "limit": "300ms"},
    {"promise": "silence", "limit": "5s"},
    {"promise": "noticed", "fault": "kill", "limit": "2s"},
    {"promise": "noticed", "fault": "eastern-cable", "limit": "3s"},
    {"promise": "resumed", "fault": "kill", "after": "begin", "limit": "1s"},
    {"promise": "recovered", "fault": "eastern-cable", "limit": "3s"},
    {"promise": "no-alarm", "name": "no-path"},
    {"promise": "ledgers"},
    {"promise": "no-plaintext"},
]


def monsoon(seed: int = 1, statements: int = 300, slow: float = 1.0) -> list[Entry]:
    """A minute with 300 statements, two faults, words in Urdu and Hindi; `slow` stretches every delivery."""
    rng, story = random.Random(seed), Story(*MONSOON_PROMISES, inject=MONSOON_INJECTS, **MONSOON)
    story.seed = seed
    story.begin()
    spoken = [(40_003.0, "BRAVO", "ur", URDU, 4_000.0), (45_003.0, "ALPHA", "hi", HINDI, 3_000.0)]
    for number in range(statements):
        at = number * 60_000 / statements + rng.uniform(0, 40)
        disturbed = 12_000 <= at < 22_000 or 31_000 <= at < 43_000
        took = slow * rng.lognormvariate(3.2 if disturbed else 2.7, 0.45)
        while spoken and spoken[0][0] < at:
            when, sender, lang, text, reading = spoken.pop(0)
            story.say(when, sender, "flash", 24.0, reading, lang=lang, label=text)
        flash = number % 2 == 0
        relay = "relay-3" if disturbed else f"relay-{rng.randint(1, 3)}"
        opened = rng.uniform(1_900, 2_400) if flash else None
        story.say(at, "ALPHA" if flash else "BRAVO", "flash" if flash else "routine", took, opened, relay=relay)
    story.inject(12_003, 0, 22_010).inject(31_001, 1, 43_004).inject(40_002, 2).inject(45_002, 3)
    for party, delay in (("ALPHA", 6.0), ("BRAVO", 9.0)):
        story.path(12_003 + delay, party, "relay-1", "down").path(22_900 + delay, party, "relay-1", "attached")
        story.path(23_400 + delay, party, "relay-1", "up")
        story.path(32_300 + 90 * delay, party, "relay-2", "suspect").path(44_100 + delay, party, "relay-2", "up")
    story.path(34_000, "ALPHA", "relay-2", "down").path(43_600, "ALPHA", "relay-2", "attached")
    story.add(23_500, "steady-again").add(44_200, "steady-again")
    story.add(33_000, "note", text="the proxy closed 2 streams")
    story.polls(62_000, lambda by, at: rng.uniform(5, 480) + (900 if 31_500 < at < 33_000 else 0))
    for at in range(0, 62_000, 1_000):
        story.add(at, "memory", process="ALPHA", mib=round(71 + at / 60_000, 1))
    return story.finish()
