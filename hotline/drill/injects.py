"""What a drill may do to a hotline, as its file says it: one model for each kind of inject (docs/drills.md).

Every inject has a time `at` after the steady state is reached; one with `for` is undone after that span, and whatever
is not undone by the file is undone by the roll-back at the end.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hotline.config import Settings
from hotline.drill.durations import SignedSpan, Span

Party = Annotated[str, Field(pattern=r"^(ALPHA|BRAVO|CHARLIE)$")]
Relay = Annotated[str, Field(pattern=r"^relay-[1-9]$")]
Terminal = Annotated[str, Field(pattern=r"^(ALPHA|BRAVO|CHARLIE)(-alt)?$")]
"""By the name of its process: the party's, and for its alternate `PARTY-alt`."""
Process = Annotated[str, Field(pattern=r"^((ALPHA|BRAVO|CHARLIE)(-alt)?|relay-[1-9]|witness-[1-9])$")]
LinkPattern = Annotated[str, Field(pattern=r"^(ALPHA|BRAVO|CHARLIE|\*)/(relay-[1-9]|\*)$")]
"""Party and relay of one stream; an asterisk stands for all of them."""
Precedence = Literal["routine", "priority", "immediate", "flash"]
Plane = Literal["exercise", "real"]
Signer = Literal["drafter", "releaser", "deputy"]
"""An officer who signs drafts. The deputy signs as releaser, by a mandate of the party."""


class Inject(Settings):
    """What every inject has."""

    at: Span
    label: str = Field(default="", max_length=40, pattern=r"^[a-z0-9-]*$")
    """How promises name it; without one, its kind."""
    lasting: Span | None = Field(default=None, alias="for")

    @property
    def name(self) -> str:
        """The label, or the kind of fault."""
        return self.label or str(self.fault)  # type: ignore[attr-defined]


class OfStatement(Inject):
    """What an officer says of a statement that was said before."""

    sender: Party = Field(alias="from")
    statement: str = Field(min_length=1, max_length=40)
    """Label of the `say`."""


class Kill(Inject):
    """kill -9; started again after `for`."""

    fault: Literal["kill"]
    target: Process


class Stop(Inject):
    """An orderly stop (SIGTERM); started again after `for`."""

    fault: Literal["stop"]
    target: Process


class Start(Inject):
    """Start what was killed or stopped before."""

    fault: Literal["start"]
    target: Process


class Upgrade(Inject):
    """An orderly stop; after `for` the process comes back from another installation, or from the drill's own."""

    fault: Literal["upgrade"]
    target: Process
    to: Literal["other", "own"] = "other"


class Freeze(Inject):
    """SIGSTOP, and SIGCONT after `for`: the kernel still answers for it."""

    fault: Literal["freeze"]
    target: Process


class Wipe(Inject):
    """kill -9, the store emptied, started again: a relay or witness that has lost its disk."""

    fault: Literal["wipe"]
    target: Annotated[str, Field(pattern=r"^(relay|witness)-[1-9]$")]


class Backup(Inject):
    """A copy of the store, as of one moment."""

    fault: Literal["backup"]
    target: Process


class Restore(Inject):
    """kill -9, the last backup put back, started again."""

    fault: Literal["restore"]
    target: Process


class LinkFault(Inject):
    """Weather on streams between terminals and relays, by the fault proxy. What is not named stays undisturbed."""

    fault: Literal["link"]
    links: list[LinkPattern] = Field(min_length=1)
    way: Literal["both", "up", "down"] = "both"
    """up: from the terminal to the relay."""
    latency: Span = 0
    """One way."""
    jitter: Span = 0
    loss: int = Field(default=0, ge=0, le=50)
    """Percent of segments that need a repetition: TCP turns them into waiting."""
    rate: int | None = Field(default=None, ge=300)
    """Bits per second."""
    mode: Literal["pass", "blackhole", "reset", "refuse", "half-open"] = "pass"
    """blackhole: bytes vanish, connections stay. reset: all are broken, new ones pass. refuse: nobody listens.
    half-open: the terminal's side lives on while the relay's is closed."""


class Partition(Inject):
    """Nothing passes between the two sets."""

    fault: Literal["partition"]
    between: Annotated[list[list[Process]], Field(min_length=2, max_length=2)]


class Swizzle(Inject):
    """Streams are clogged one by one, `each` apart, and mended in another order drawn from the seed."""

    fault: Literal["swizzle"]
    links: list[LinkPattern] = Field(min_length=1)
    each: Span = 500


class Lie(Inject):
    """A relay that does not do what it signs for. `share`: one in so many envelopes."""

    fault: Literal["lie"]
    target: Relay
    how: Literal["drop", "replay", "reorder", "alter", "forge-custody", "withhold-last", "delay"]
    share: int = Field(default=1, ge=1, le=100)


class Flood(Inject):
    """A relay under load from strangers or from an admitted terminal."""

    fault: Literal["flood"]
    target: Relay
    kind: Literal["silent-tcp", "silent-tls", "garbage", "streams", "statements"]
    count: int = Field(default=200, ge=1, le=2_000)


class DiskFault(Inject):
    """full, failing or read-only: writes fail. slow: every sync takes `delay` longer."""

    fault: Literal["disk"]
    target: Process
    how: Literal["full", "failing", "read-only", "slow"]
    delay: Span = 400


class Clock(Inject):
    """The wall clock of one process steps, or runs off by `drift` parts per thousand. Needs libfaketime."""

    fault: Literal["clock"]
    target: Process
    step: SignedSpan = 0
    drift: int = Field(default=0, ge=-100, le=100)


class Interface(Inject):
    """The network interface of a party goes down. Needs root, for network namespaces."""

    fault: Literal["interface"]
    target: Party


class Thief(Inject):
    """A second terminal comes up elsewhere with the stolen key of `target`."""

    fault: Literal["thief"]
    target: Party


class Roster(Inject):
    """A charter that the other party has not signed is handed to a terminal; then it is started anew with it."""

    fault: Literal["roster"]
    target: Party


class Say(Inject):
    """One statement of an officer."""

    fault: Literal["say"]
    sender: Party = Field(alias="from")
    terminal: Literal["main", "alt"] = "main"
    """At which of its terminals."""
    precedence: Precedence = "flash"
    text: str = Field(default="", min_length=1, max_length=4_096)
    phrase: str = Field(default="", pattern=r"^([A-Z][A-Z0-9-]{0,15})?$")
    """Code of the phrase that he says, in the place of a text; once the plan is loaded, `text` is what it says."""
    fill: dict[str, str] = Field(default_factory=dict)
    """Fields of the phrase by name. `@LABEL` is the serial of what that `say` has said."""
    lang: Literal["en", "ur", "hi"] = "en"
    plane: Plane = "exercise"
    valid_for: Span = 0
    """0: what the charter says."""
    corrects: str = Field(default="", max_length=40)
    """Label of an earlier statement of the same side, which this one corrects."""
    retracts: str = Field(default="", max_length=40)
    """The same, which this one takes back."""
    unreleased: bool = False
    """Said by a terminal whose program was changed: it asks for no release, whatever the charter says."""
    odd: bool = False
    """Said by a terminal whose program was changed: sealed and signed as it must be, and it names another recipient."""
    released: bool = False
    """Said through a draft that `signers` sign, and that then is released."""
    signers: list[Signer] = Field(default=["drafter", "releaser"], min_length=1, max_length=3)
    """Who signs the draft, in this order."""
    answers: str = Field(default="", max_length=40)
    """Label of an earlier statement of the other side, which this one answers."""


class Service(Inject):
    """What an operator says to the other side's operators: on record, and nobody's statement."""

    fault: Literal["service"]
    sender: Party = Field(alias="from")
    text: str = Field(min_length=1, max_length=1_000)


class Translate(OfStatement):
    """A translation of a statement, our own or one of the other side that was read, by a translator of `from`."""

    fault: Literal["translate"]
    text: str = Field(min_length=1, max_length=4_096)
    lang: Literal["en", "ur", "hi"]
    grade: Literal["courtesy", "sight", "rough", "official"]
    """Courtesy for our own statement, the others for one of the other side."""
    translator: str = Field(min_length=1, max_length=64)


class Checklist(Inject):
    """The duty officer goes through a checklist that comes with the program; that is on record."""

    fault: Literal["checklist"]
    sender: Party = Field(alias="from")
    checklist: str = Field(pattern=r"^[a-z-]{1,40}$")
    skip: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]?$")], Annotated[str, Field(min_length=1, max_length=200)]] = (
        Field(default_factory=dict)
    )
    """Number of each step that is not done, and why."""


class Read(Inject):
    """The duty officer opens everything that is unread."""

    fault: Literal["read"]
    target: Terminal


class Takeover(Inject):
    """An officer lets the terminal `target` speak for its party from now on."""

    fault: Literal["takeover"]
    target: Terminal


class Presence(Inject):
    """The duty officer says what this side is; with `until`, for so long. Undone, the side is alive."""

    fault: Literal["presence"]
    sender: Party = Field(alias="from")
    word: Literal["alive", "consulting", "declined", "principal-absent", "degraded"]
    until: Span = 0
    """0: until another word is said."""


class Ask(Inject):
    """An officer has the other side asked whether anybody is there."""

    fault: Literal["ask"]
    sender: Party = Field(alias="from")


class Shown(OfStatement):
    """An officer says that a statement of the other side, which was read, was shown to the principal."""

    fault: Literal["shown"]
    principal: str = Field(default="", max_length=64)


class ReplyBy(OfStatement):
    """An officer promises an answer to a statement of the other side, which was read, `within` a span."""

    fault: Literal["reply-by"]
    within: Span


class Challenge(OfStatement):
    """An officer asks the other side whether a statement is in its record: one that it said, or one of our own."""

    fault: Literal["challenge"]


class Confirm(Inject):
    """An officer answers the newest challenge of the other side that no person has answered."""

    fault: Literal["confirm"]
    sender: Party = Field(alias="from")
    answer: Literal["yes", "no", "unknown"]
    text: str = Field(default="", max_length=1_000)


class Amend(Inject):
    """A new relay takes the place of another: both sides are handed the charter for it, ALPHA first."""

    fault: Literal["amend"]
    leaves: Relay
    joins: Relay
    apart: Span = 1_000
    """How long after ALPHA BRAVO is handed it."""


class Travel(Inject):
    """Both parties sign that `target`, which travels, is a part of the hotline from now on `for` a span.

    It is started with that charter at once; then the other terminals are handed it, ALPHA's first.
    """

    fault: Literal["travel"]
    target: Terminal
    apart: Span = 1_000
    """From its start to when ALPHA is handed it, and from then to when BRAVO is."""


class Courier(Inject):
    """A bundle of everything that the other side lacks, taken by hand; it arrives after `for`."""

    fault: Literal["courier"]
    sender: Party = Field(alias="from")


Fault = Annotated[
    Kill
    | Stop
    | Start
    | Upgrade
    | Freeze
    | Wipe
    | Backup
    | Restore
    | LinkFault
    | Partition
    | Swizzle
    | Lie
    | Flood
    | DiskFault
    | Clock
    | Interface
    | Thief
    | Roster
    | Amend
    | Travel
    | Shown
    | ReplyBy
    | Challenge
    | Confirm
    | Courier
    | Presence
    | Ask
    | Say
    | Service
    | Translate
    | Checklist
    | Read
    | Takeover,
    Field(discriminator="fault"),
]

SAYS = (Say, Service, Translate)
"""Injects that bring words of the file before the other side."""
_SPOKEN = (*SAYS, Read, Takeover, Presence, Ask, Shown, ReplyBy, Challenge, Confirm)
_TO_PROCESSES = (Kill, Stop, Start, Freeze, Wipe, Backup, Restore, DiskFault, Clock)
AMONG_SEVERAL = (*_TO_PROCESSES, LinkFault, Partition, Swizzle, Lie, Say, Read)
"""Injects of a drill with three parties."""
NOT_A_FAULT = (Start, Backup, Courier, Checklist, Amend, Travel, *_SPOKEN)
"""Injects that break nothing."""
