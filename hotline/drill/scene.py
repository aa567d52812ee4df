"""What the faults of a drill work upon, and how one is performed and undone.

Each module under `hotline.drill` that can do something to a running hotline registers its injects in PERFORMERS. What
it returns undoes it; undoing twice does nothing more than undoing once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hotline.drill.desk import Desk
from hotline.drill.injects import Fault, Say
from hotline.drill.phrases import filled
from hotline.drill.plan import Plan
from hotline.drill.stage import Stage
from hotline.errors import LocalError

Undo = Callable[[], None]


class Links(Protocol):
    """The fault proxy as a drill uses it. A link is named PARTY/RELAY."""

    def set(self, links: Sequence[str], way: str, **weather: int | str | None) -> None:
        """Weather on these links: latency_ms, jitter_ms, loss_percent, rate_bps, mode. Raises LocalError."""

    def clear(self, links: Sequence[str]) -> None:
        """No weather on them any more. Raises LocalError."""


def _nobody(text: str) -> None:
    del text


def _nothing(kind: str, **fields: object) -> None:
    del kind, fields


def _untold(inject: Fault, why: str) -> None:
    del inject, why


@dataclass(frozen=True, slots=True)
class Other:
    """Another installation of the program, from which processes of a drill may be started."""

    python: Sequence[str]
    """How its Python is called."""
    version: str


@dataclass
class Scene:
    """A staged hotline, the proxy on its links if there is one, and a place for what the drill leaves behind."""

    plan: Plan
    stage: Stage
    links: Links
    rng: random.Random
    folder: Path
    note: Callable[[str], None] = _nobody
    """For the journal: what a reader should know of how a fault was made."""
    record: Callable[..., None] = _nothing
    """One more entry of the journal: its kind, and its fields by name."""
    failed: Callable[[Fault, str], None] = _untold
    """For what is done in the background: an inject could not be brought about, and why."""
    other: Other | None = None
    desks: Mapping[str, Desk] = field(default_factory=dict)
    """The officers of both parties, once the steady state is reached."""
    said: dict[str, int] = field(default_factory=dict)
    """Serial of each single statement that was accepted, by its label."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What performers remember between two injects, by a name of their own."""


Performer = Callable[[Any, Scene], Undo | None]
PERFORMERS: dict[str, Performer] = {}
"""Kind of fault to what performs it."""
NEEDS: dict[str, Callable[[Any], str | None]] = {}
"""Kind of fault to why it cannot be performed on this machine, with what to do; None if it can."""
PLAN_NEEDS: list[Callable[[Plan], str | None]] = []
"""The same for what a plan's topology asks for."""
PREPARERS: list[Callable[[Scene], None]] = []
"""Called before anything is started: a fault may need a process to be started in another way."""


def lacking(plan: Plan) -> list[str]:
    """Why this machine cannot run the plan, in sentences; empty if it can."""
    reasons = [NEEDS[inject.fault](inject) for inject in plan.inject if inject.fault in NEEDS]
    reasons += [needs(plan) for needs in PLAN_NEEDS]
    return sorted({reason for reason in reasons if reason is not None})


def serial_of(said: Mapping[str, int], label: str) -> int:
    """The serial of what was said under this label. Raises LocalError if it was not said, or not accepted."""
    if not said.get(label):
        raise LocalError(f"{label} was not said, so that nothing can be said of it")
    return said[label]


def references(inject: Say, said: Mapping[str, int]) -> dict[str, Any]:
    """What an inject corrects, retracts and answers, and its phrase, as a desk takes it.

    Raises LocalError as `serial_of`.
    """
    named = inject.corrects or inject.retracts
    if named and named not in said:
        raise LocalError(f"{named} was not said, so that nothing corrects or retracts it")
    more: dict[str, Any] = {"corrects": said[named], "retracts": bool(inject.retracts)} if named else {}
    if inject.answers:
        more["in_reply_to"] = serial_of(said, inject.answers)
    return more | filled(inject, lambda label: serial_of(said, label))
