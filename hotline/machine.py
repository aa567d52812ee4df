"""The shape that Endpoint and Relay share: one door in, one door out.

`step(event, now)` decides; a driver performs the returned `Output` in the declared order. A machine reads no clock,
no randomness, no file, no socket and no logger: time is an argument, entropy and keys are ports given at construction.
`step` never raises on input. `docs/protocol.md` section 3 is the contract, ARCHITECTURE.md shows who drives whom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType, Protocol, TypeVar

PathName = NewType("PathName", str)
"""Name of a relay as the charter spells it; a relay is a path."""

RequestId = NewType("RequestId", int)
"""Pairs a request from a person with its Reply; chosen by the driver."""

Entropy = Callable[[int], bytes]
"""`entropy(n)` returns n unpredictable bytes. The operating system's in daemons, a seeded stream in the simulator."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One reading of both clocks, in milliseconds.

    `mono` drives every timer and never goes back. `wall` (Unix time, UTC) is written down, and chooses the moment of
    what people expect by the calendar: a channel test (docs/protocol.md 10.7), a new log each quarter (13.5).
    """

    mono: int
    wall: int


class Private(NamedTuple):
    """A value that enters the ledger only as a salted commitment. Without a `salt` the ledger draws and keeps one."""

    value: bytes
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """One ledger entry to be: `fields` as they are, `private` ones as commitments that can be opened one by one."""

    kind: str
    fields: Mapping[str, str | int] = field(default_factory=dict)
    private: Mapping[str, Private] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Put:
    """Insert or replace one row of an operational table: `row` maps column to value and holds the table's key."""

    table: str
    row: Mapping[str, str | int | bytes | None]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the rows of `table` in which every column of `match` has the given value."""

    table: str
    match: Mapping[str, str | int | bytes]


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class Transmission:
    """One frame (encoded bytes of a wire Frame) to put on the stream of `link`.

    `sender`: the terminal whose envelope a relay passes on, for what waits is written in turns (docs/protocol.md 5.25).
    """

    link: str
    frame: bytes
    sender: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something for people: `kind` names it (docs/protocol.md 3.6), `fields` carry it. Never a key; bodies allowed."""

    kind: str
    fields: Mapping[str, str | int | bytes | None]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request: accepted with `fields`, or refused with a `code` and a sentence."""

    request: RequestId
    ok: bool
    code: str
    text: str
    fields: Mapping[str, str | int | bytes | None] = field(default_factory=dict)


@dataclass(slots=True)
class Output:
    """What one step decided. The driver performs the fields from top to bottom.

    0. `express` frames vouch for nothing and may leave before the commit (a relay forwarding; never a receipt).
    1. `records` and `changes` go into ONE transaction, committed durably.
    2. `transmit` frames go onto links.
    3. `deliver` goes to people.
    4. `replies` answer requests.
    """

    express: list[Transmission] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    transmit: list[Transmission] = field(default_factory=list)
    deliver: list[Delivery] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    @property
    def durable(self) -> bool:
        """Whether anything in here must be committed."""
        return bool(self.records or self.changes)

    @property
    def says(self) -> bool:
        """Whether anything in here follows a commit."""
        return bool(self.transmit or self.deliver or self.replies)


EventT = TypeVar("EventT", contravariant=True)


class Machine(Protocol[EventT]):
    """A state machine as a driver, a simulator or a drill sees it."""

    def step(self, event: EventT, now: Instant) -> Output:
        """Take one event. Never raises on any event; what it cannot accept becomes a record or a refusing reply."""
        ...

    def next_deadline(self) -> int | None:
        """Monotonic millisecond at which `Tick` must be stepped, or None if nothing is due. No other timer exists."""
        ...


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: the deadline the machine asked for is reached."""


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A stream is open. At an endpoint `link` is a PathName; at a relay it is a stream name chosen by the service."""

    link: str
    peer: str = ""
    """At a relay: the certificate fingerprint (hex SHA-256) that the transport authenticated."""


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The stream is gone, for whatever reason; `reason` is for the record."""

    link: str
    reason: str


@dataclass(frozen=True, slots=True)
class FramesReceived:
    """Frames that arrived together on one stream, in order, still encoded."""

    link: str
    frames: tuple[bytes, ...]


class Plane(StrEnum):
    """Each plane has its own key tree, labels and serials: content of one never validates in another.

    REAL and EXERCISE are for statements. SERVICE is operators' talk, which nobody may take for a statement.
    """

    REAL = "real"
    EXERCISE = "exercise"
    SERVICE = "service"
