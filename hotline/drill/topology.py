"""What is staged for a drill, as its file says it (docs/drills.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hotline.charter.cards import ProfileName
from hotline.config import Settings
from hotline.drill.durations import Span
from hotline.drill.injects import LinkPattern, Party, Process, Relay
from hotline.drill.patterns import CAPITALS


class Topology(Settings):
    """What is staged: two or three parties with a terminal each, alternates, relays, witnesses."""

    parties: int = Field(default=2, ge=2, le=3)
    relays: int = Field(default=3, ge=1, le=9)
    witnesses: int = Field(default=0, ge=0, le=5)
    alternates: list[Party] = Field(default_factory=list, max_length=2)
    """Parties with a second terminal, `alt`: its process is PARTY-alt."""
    travels: list[Party] = Field(default_factory=list, max_length=2)
    """Those of them whose alternate travels: its keys stand in the charter, and it is no part of the hotline yet."""
    profile: ProfileName = "fibre"
    relay_profiles: dict[Relay, ProfileName] = Field(default_factory=dict)
    """Relays whose link profile is another one."""
    links: list[LinkPattern] = Field(default_factory=list)
    """Streams that go through the fault proxy from the start; those that a fault names do in any case."""
    clock_step: dict[Process, Annotated[str, Field(pattern=r"^[+-]?\d+(ms|s|m|h|d)$")]] = Field(default_factory=dict)
    """Wall clocks that are wrong from the start. Needs libfaketime."""
    release: bool = False
    """The charter asks for a drafter and a releaser on the real plane."""
    objectives: Annotated[list[Span], Field(min_length=4, max_length=4)] | None = None
    """Time objectives of the charter, routine to flash; without them the usual ones."""
    takeover_after: Span | None = None
    """Silence after which an alternate takes over by the charter's rule; without it, there is no rule."""
    channel_test: Span | None = None
    """Interval of the scheduled channel tests; without it, none."""

    @property
    def capitals(self) -> tuple[str, ...]:
        """The parties by name."""
        return CAPITALS[: self.parties]

    @property
    def serial(self) -> int:
        """That of the charter under which the drill begins: what travels is made known by an amendment."""
        return 1 + bool(self.travels)

    @property
    def objective_ms(self) -> tuple[int, int, int, int] | None:
        """As a charter has them."""
        if self.objectives is None:
            return None
        routine, priority, immediate, flash = self.objectives
        return routine, priority, immediate, flash
