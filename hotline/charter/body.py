"""The text of a charter: what both parties put their names to."""

from __future__ import annotations

import itertools
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, PositiveInt, model_validator

from hotline.charter.cards import Role
from hotline.charter.documents import Base64, Date, Document, Name
from hotline.limits import PARTIES_MAX, RELEASES_MAX, TEXT_BYTES_MAX, TIME_MAX, TRAVELS_MAX

DAY_MS: Final = 86_400_000
NUMBER_MAX: Final = 65_535
Interval = Annotated[int, Field(ge=50, le=30 * DAY_MS)]
CHANNEL_TEST_MIN: Final = 1_000
CHANNEL_TEST_DEFAULT: Final = 3_600_000


class PartyEntry(Document):
    """A party and its identity key."""

    name: Name
    identity: Base64


class TravelsEntry(Document):
    """For what time a travelling terminal is activated, Unix milliseconds; 0 and 0: it is not."""

    from_ms: int = Field(ge=0, le=TIME_MAX)
    until_ms: int = Field(ge=0, le=TIME_MAX)

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if (self.from_ms, self.until_ms) != (0, 0) and not 0 < self.until_ms - self.from_ms <= TRAVELS_MAX:
            raise ValueError("it is activated for no time, or for too long")
        return self


class TerminalEntry(Document):
    """A terminal's number and its whole card; `travels` if it is a part of the hotline only when activated."""

    number: PositiveInt
    card: str
    travels: TravelsEntry | None = None


class RelayEntryText(Document):
    """A relay's number and its whole card."""

    number: PositiveInt
    card: str


class ProfileEntry(Document):
    """Timers of one kind of link, in milliseconds and bytes."""

    name: Name
    heartbeat_ms: Interval
    silent_floor_ms: Interval
    silent_ceiling_ms: Interval
    retransmit_ms: Interval
    retransmit_max_ms: Interval
    prekey_rotation_ms: Interval
    checkpoint_ms: Interval
    window_messages: PositiveInt
    window_bytes: PositiveInt

    @model_validator(mode="after")
    def _order(self) -> Self:
        if not self.heartbeat_ms < self.silent_floor_ms <= self.silent_ceiling_ms:
            raise ValueError("heartbeat_ms < silent_floor_ms <= silent_ceiling_ms does not hold")
        if 2 * self.heartbeat_ms > self.silent_ceiling_ms:
            raise ValueError("silent_ceiling_ms is less than two heartbeat_ms: one lost beat would be a silence")
        if self.retransmit_ms > self.retransmit_max_ms:
            raise ValueError("retransmit_ms is longer than retransmit_max_ms")
        return self


class ReleaseEntry(Document):
    """Whose signatures a statement of this plane and precedence needs: one officer for each role, no officer twice."""

    plane: Literal["real", "exercise"]
    precedence: Literal["routine", "priority", "immediate", "flash"]
    roles: tuple[Role, ...] = Field(min_length=1, max_length=RELEASES_MAX)


def release_by_two() -> tuple[ReleaseEntry, ...]:
    """The usual policy: on the real plane a drafter and a releaser, in an exercise nobody's key."""
    return tuple(
        ReleaseEntry(plane="real", precedence=precedence, roles=("drafter", "releaser"))
        for precedence in get_args(ReleaseEntry.model_fields["precedence"].annotation)
    )


OBJECTIVES: Final = (21_600_000, 10_800_000, 1_800_000, 600_000)
"""Milliseconds from writer to reader, ROUTINE first, where a charter gives no others: 6 h, 3 h, 30 min, 10 min."""


class PolicyEntry(Document):
    """What the charter decides beyond names and keys. Validity by precedence: routine to flash, in milliseconds.

    `witnesses` is a C2SP policy without log lines: who cosigns the ledgers, and what quorum is asked for.
    `channel_test_ms` is the interval of the channel tests (docs/protocol.md 10.7); 0: none. `release` says who must
    sign (19.3); what has no entry goes out by the terminal's word. `objective_ms` is the time objective of each
    precedence, routine to flash (20.7); without it OBJECTIVES hold. `takeover_after_ms` is the silence of a terminal
    after which an alternate takes over by itself (23.13); without it, or 0, only an officer lets a terminal speak.
    """

    text_bytes_max: PositiveInt = Field(le=TEXT_BYTES_MAX)
    validity_ms: tuple[Interval, Interval, Interval, Interval]
    witnesses: str = Field(max_length=65_536)
    channel_test_ms: int = Field(ge=0, le=DAY_MS)
    release: tuple[ReleaseEntry, ...] = Field(max_length=8)
    objective_ms: tuple[Interval, Interval, Interval, Interval] | None = None
    takeover_after_ms: int | None = Field(default=None, ge=0, le=30 * DAY_MS)

    @model_validator(mode="after")
    def _test_interval(self) -> Self:
        if 0 < self.channel_test_ms < CHANNEL_TEST_MIN:
            raise ValueError(f"channel_test_ms is 0 (no tests) or {CHANNEL_TEST_MIN} to {DAY_MS}")
        return self

    @model_validator(mode="after")
    def _release_once(self) -> Self:
        if len({(entry.plane, entry.precedence) for entry in self.release}) != len(self.release):
            raise ValueError("release: a plane and precedence stands twice")
        return self


Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AmendsEntry(Document):
    """What an amendment continues: two charters by hash, and the highest numbers that were given out before it."""

    founding: Hash
    previous: Hash
    terminal_number: PositiveInt
    relay_number: PositiveInt


class TermsEntry(Document):
    """How the parties may leave: days of notice (0: none agreed), and in words who keeps the charter."""

    notice_days: int = Field(ge=0, le=3_650)
    depositary: str = Field(max_length=1_000)


class PairEntry(Document):
    """Two parties of several, the lesser name first, and the check value of the secret that they share."""

    first: Name
    second: Name
    check: Hash


class CharterText(Document):
    """The text that is signed. What has nothing to say is left out: a first charter amends nothing."""

    schema_: Literal["hotline.charter/1"] = Field(alias="schema", serialization_alias="schema")
    hotline: Name
    serial: PositiveInt
    created: Date
    suite: Literal["HL1_XWING_CHACHA20POLY1305_SHA256_ED25519"]
    parties: tuple[PartyEntry, ...] = Field(min_length=2, max_length=PARTIES_MAX)
    terminals: tuple[TerminalEntry, ...] = Field(min_length=2)
    officers: tuple[str, ...]
    relays: tuple[RelayEntryText, ...] = Field(min_length=1, max_length=16)
    profiles: tuple[ProfileEntry, ...]
    policy: PolicyEntry
    pairwise_check: Hash | None = None
    pairwise_checks: tuple[PairEntry, ...] | None = None
    amends: AmendsEntry | None = None
    terms: TermsEntry | None = None

    @model_validator(mode="after")
    def _first_or_amending(self) -> Self:
        if (self.serial == 1) != (self.amends is None):
            raise ValueError("serial 1 amends nothing, and every other serial says what it amends")
        return self

    @model_validator(mode="after")
    def _check_of_each_pair(self) -> Self:
        names = sorted(party.name for party in self.parties)
        listed = [(entry.first, entry.second) for entry in self.pairwise_checks or ()]
        if len(names) == 2 and (self.pairwise_check is None or self.pairwise_checks is not None):
            raise ValueError("two parties have one secret: pairwise_check, and no pairwise_checks")
        if len(names) > 2 and (self.pairwise_check is not None or listed != list(itertools.combinations(names, 2))):
            raise ValueError("of several parties each pair has a secret: pairwise_checks, in the order of their names")
        return self
