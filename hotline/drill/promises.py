"""What a drill promises and how it is judged, as its file says it: one model for each kind (docs/drills.md).

A promise about a fault names it by its label or, without one, by its kind. Limits are spans or counts; a promise holds
if what was measured is not above its limit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hotline.config import Settings
from hotline.drill.durations import Span
from hotline.drill.injects import Party, Plane, Precedence, Process, Terminal

Both = Annotated[list[Party], Field(min_length=1, max_length=3)]
FaultName = Annotated[str, Field(min_length=1, max_length=40)]


class Promised(Settings):
    """What every promise has."""

    why: str = Field(default="", max_length=200)


class NoneLost(Promised):
    """Accepted statements that are neither delivered nor told to their sender as expired, at the end."""

    promise: Literal["none-lost"]
    limit: int = 0


class NoneTwice(Promised):
    """Statements shown twice without being marked as a repeat."""

    promise: Literal["none-twice"]
    limit: int = 0


class InOrder(Promised):
    """Statements of one sender and precedence shown out of the order in which they were said."""

    promise: Literal["in-order"]
    limit: int = 0


class DeliveredWithin(Promised):
    """The slowest delivery, from acceptance to the verified receipt."""

    promise: Literal["delivered-within"]
    limit: Span
    precedence: Precedence | None = None
    sender: Party | None = Field(default=None, alias="from")


class ExtraDelay(Promised):
    """The slowest delivery above the median of those that ended before the first fault."""

    promise: Literal["extra-delay"]
    limit: Span
    precedence: Precedence | None = None


class Silence(Promised):
    """The longest time for which either side had not heard the other."""

    promise: Literal["silence"]
    limit: Span
    by: Both = Field(default_factory=lambda: ["ALPHA", "BRAVO"])


class Noticed(Promised):
    """From a fault to the first path that is no longer up, or the first alarm, on the slower of the sides `by`."""

    promise: Literal["noticed"]
    fault: FaultName
    limit: Span
    by: Both = Field(default_factory=lambda: ["ALPHA", "BRAVO"])


class Alarm(Promised):
    """From a fault to the alarm `name` on the slower of the sides `by`."""

    promise: Literal["alarm"]
    name: str = Field(min_length=1, max_length=40)
    fault: FaultName
    limit: Span
    by: Both = Field(default_factory=lambda: ["ALPHA", "BRAVO"])


class NoAlarm(Promised):
    """Alarms raised, of one name or of any."""

    promise: Literal["no-alarm"]
    name: str | None = None
    by: Both = Field(default_factory=lambda: ["ALPHA", "BRAVO"])
    limit: int = 0


class SteadyPaths(Promised):
    """How often a path left the state `up`."""

    promise: Literal["steady-paths"]
    by: Both = Field(default_factory=lambda: ["ALPHA", "BRAVO"])
    limit: int = 0


class Resumed(Promised):
    """From the begin or the end of a fault to the next delivery."""

    promise: Literal["resumed"]
    fault: FaultName
    after: Literal["begin", "end"] = "end"
    limit: Span


class Recovered(Promised):
    """From the end of a fault to the steady state on both sides."""

    promise: Literal["recovered"]
    fault: FaultName
    limit: Span


class Refused(Promised):
    """Refusals with one of `reasons` that a side recorded; at least `least`."""

    promise: Literal["refused"]
    reasons: list[str] = Field(min_length=1)
    by: Party
    least: int = 1


class Told(Promised):
    """Statements whose sender was told this last; at least `least`.

    With `within`: those whose sender was told this so soon after they were said, whatever was told later. A statement
    that expired may still turn out to have arrived.
    """

    promise: Literal["told"]
    state: Literal["relayed", "delivered", "read", "expired"]
    sender: Party | None = Field(default=None, alias="from")
    within: Span | None = None
    least: int = 1


class Corrected(Promised):
    """From a statement that corrects or retracts to the moment the other side marks what it names."""

    promise: Literal["corrected"]
    fault: FaultName
    limit: Span


class Heard(Promised):
    """From a word of presence to the moment the other side is told it, or is told `word` instead."""

    promise: Literal["presence"]
    fault: FaultName
    word: Literal["alive", "consulting", "declined", "principal-absent", "degraded"] | None = None
    limit: Span


class Speaks(Promised):
    """From a takeover to the moment that the slower of the sides `by` is told which terminal speaks now.

    From any other fault until they are told that `terminal` does, by the charter's rule; `least`: not sooner.
    """

    promise: Literal["speaks"]
    fault: FaultName
    terminal: Terminal | None = None
    limit: Span | None = None
    least: Span | None = None
    by: Both = Field(default_factory=lambda: ["ALPHA", "BRAVO"])

    @model_validator(mode="after")
    def _one_bound(self) -> Speaks:
        if (self.limit is None) == (self.least is None):
            raise ValueError("give a limit or a least, not both")
        return self


class InForce(Promised):
    """From an amendment to the moment that the slower side stands under its charter."""

    promise: Literal["in-force"]
    fault: FaultName
    limit: Span


class StaysOut(Promised):
    """From the end of a `travel` to the last moment at which its terminal heard, was heard, or was shown anything.

    Without such a moment before it, and with one in it.
    """

    promise: Literal["stays-out"]
    fault: FaultName
    limit: Span


class Rung(Promised):
    """From `shown`, `reply-by` or an answer, in its promised time, to the moment that the other side is told.

    From `service` or `translate` to the moment that the other side is shown it.
    """

    promise: Literal["rung"]
    fault: FaultName
    limit: Span


class Understood(Promised):
    """From a phrase to the moment that the other side's officer, opening it, finds it in his book as it was said."""

    promise: Literal["understood"]
    fault: FaultName
    limit: Span


class Answered(Promised):
    """From a challenge to the moment that its asker is told this `verdict` of the other side's record or officer."""

    promise: Literal["answered"]
    fault: FaultName
    verdict: Literal["yes", "no", "unknown"]
    by: Literal["record", "officer"]
    limit: Span


class Entered(Promised):
    """From a checklist to the moment that its terminal has it on record."""

    promise: Literal["entered"]
    fault: FaultName
    limit: Span


class NotTaken(Promised):
    """Statements of the `say` `fault` that its own terminal took; it must have answered that it takes none."""

    promise: Literal["not-taken"]
    fault: FaultName
    limit: int = 0


class Exits(Promised):
    """A process ends by itself with this code within `limit` of the fault."""

    promise: Literal["exits"]
    target: Process
    code: int = Field(ge=0, le=255)
    fault: FaultName
    limit: Span


class Versions(Promised):
    """Changes of version that did not come out as they must (`upgrade`)."""

    promise: Literal["versions"]
    limit: int = 0


class Ledgers(Promised):
    """Both ledgers verify and agree with each other at the end. Measured: how many do not."""

    promise: Literal["ledgers"]
    limit: int = 0


class NoPlaintext(Promised):
    """Places (relay stores, relay and daemon logs) in which a text of the drill stands."""

    promise: Literal["no-plaintext"]
    limit: int = 0


class Growth(Promised):
    """Memory that a process has gained since the steady state, in MiB."""

    promise: Literal["growth"]
    target: Process
    limit: int


class NotShown(Promised):
    """Statements on a plane that were shown to anybody."""

    promise: Literal["not-shown"]
    plane: Plane
    limit: int = 0


Promise = Annotated[
    NoneLost
    | NoneTwice
    | InOrder
    | DeliveredWithin
    | ExtraDelay
    | Silence
    | Noticed
    | Alarm
    | NoAlarm
    | SteadyPaths
    | Resumed
    | Recovered
    | Refused
    | Told
    | Corrected
    | Heard
    | Speaks
    | InForce
    | StaysOut
    | Rung
    | Understood
    | Answered
    | Entered
    | NotTaken
    | Exits
    | Versions
    | Ledgers
    | NoPlaintext
    | Growth
    | NotShown,
    Field(discriminator="promise"),
]
