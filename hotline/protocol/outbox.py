"""What we owe the peer on one plane: serials, precedence, the window, retransmission (docs/protocol.md section 12)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.pace import Pace
from hotline.wire.v1 import content_pb2


class SentState(StrEnum):
    """What the sender is told of a statement."""

    QUEUED = "queued"
    RELAYED = "relayed"
    DELIVERED = "delivered"
    READ = "read"
    SHOWN = "shown"
    EXPIRED = "expired"
    RENUMBERED = "renumbered"


FOLLOWS: Final[Mapping[SentState, frozenset[SentState]]] = {
    SentState.QUEUED: frozenset({SentState.RELAYED, SentState.DELIVERED, SentState.EXPIRED}),
    SentState.RELAYED: frozenset({SentState.RELAYED, SentState.DELIVERED, SentState.EXPIRED}),
    SentState.DELIVERED: frozenset({SentState.READ}),
    SentState.READ: frozenset({SentState.SHOWN}),
    SentState.SHOWN: frozenset(),
    SentState.EXPIRED: frozenset({SentState.DELIVERED}),
    SentState.RENUMBERED: frozenset(),
}
"""What a sender may be told next (docs/protocol.md 12.11). RELAYED again: custody is not remembered over a restart."""

FOLLOWS_LOSS: Final[Mapping[SentState, frozenset[SentState]]] = {
    SentState.QUEUED: frozenset({SentState.RENUMBERED}),
    SentState.RELAYED: frozenset({SentState.RENUMBERED}),
    SentState.DELIVERED: frozenset({SentState.RELAYED, SentState.DELIVERED, SentState.SHOWN, SentState.RENUMBERED}),
    SentState.READ: frozenset({SentState.RELAYED, SentState.DELIVERED, SentState.RENUMBERED}),
    SentState.SHOWN: frozenset({SentState.RELAYED, SentState.DELIVERED, SentState.RENUMBERED}),
    SentState.EXPIRED: frozenset(),
    SentState.RENUMBERED: frozenset(),
}
"""The same once one side has lost state: the peer is owed again what it has forgotten."""


def said_first(statement: content_pb2.Statement) -> tuple[int, bytes]:
    """First serial and body salt: the same under every serial that it is given (docs/protocol.md 12.6)."""
    return statement.first_serial or statement.serial, statement.body_salt


BESIDE: Final = 16
"""Added to the precedence of non-papers: they have an order of their own, so that nothing of record waits for one."""


@dataclass(slots=True)
class Pending:
    """A statement of ours that the peer has not acknowledged."""

    serial: int
    precedence: content_pb2.Precedence.ValueType
    content: bytes
    signature: bytes
    hash: bytes
    expires_at: int
    is_void: bool = False
    """Expired: the serial is kept by an empty statement until the peer has acknowledged that."""
    is_test: bool = False
    """A channel test, or what took the place of one."""
    is_nonpaper: bool = False
    """Said without prejudice: it has no signature."""
    answers: bool = False
    """It names a statement of the peer that it answers."""
    original_hash: bytes = b""
    """Of the statement that a void one replaced."""
    other_names: tuple[bytes, ...] = ()
    """Of the void ones that our siblings make in its place."""
    first: tuple[int, bytes] | None = None
    """What it keeps if it is renumbered: first serial and body salt. Of empty ones nothing."""
    copy: bool = False
    """For a terminal that is not the first to have it: nothing is told of it any more, and it does not expire."""
    state: SentState = SentState.QUEUED
    envelope: bytes | None = None
    name: bytes = b""
    """SHA-256 of the envelope, as custody receipts name it."""
    custody: set[str] = field(default_factory=set)
    sent_at: int = 0
    """When `envelope` was sealed."""
    alone: bool = False
    """Nothing else was under way then."""
    attempts: int = 0
    retry_at: int | None = None
    relayed_by: str | None = None
    escalated: bool = False
    """It has not been delivered for half of its objective."""

    def mark(self, statement: content_pb2.Statement) -> None:
        """Note what is said in it, where that matters on its way."""
        self.is_test = statement.kind == content_pb2.STATEMENT_KIND_TEST
        self.is_nonpaper = statement.kind == NON_PAPER
        self.answers = statement.HasField("in_reply_to")
        self.first = said_first(statement)

    @property
    def names(self) -> tuple[bytes, ...]:
        """What a receipt for it may call it."""
        return (self.hash, *((self.original_hash,) if self.original_hash else ()), *self.other_names)

    def copied(self, *, copy: bool) -> Pending:
        """The same for another terminal."""
        return replace(self, envelope=None, name=b"", custody=set(), attempts=0, retry_at=None, copy=copy or self.copy)

    @property
    def is_filler(self) -> bool:
        """It keeps a serial of which this terminal knows nothing else."""
        return self.is_void and not self.original_hash

    @property
    def urgent(self) -> bool:
        """FLASH and IMMEDIATE: they use narrow paths too and do not wait for the window."""
        return self.precedence >= content_pb2.PRECEDENCE_IMMEDIATE

    @property
    def everywhere(self) -> bool:
        """It goes over every path and waits for no window: urgent, or undelivered for too long (20.8)."""
        return self.urgent or self.escalated

    @property
    def in_window(self) -> bool:
        """Sealed and in nobody's custody yet: it occupies the window."""
        return self.envelope is not None and not self.custody


LEFT: Final = "sent"
"""When a statement was sealed and sent, where the peer's receipt came before any relay's."""


class Outbox:
    """Statements accepted and not yet acknowledged, and the order in which they leave."""

    def __init__(self, last_serial: int, last_in_precedence: dict[int, int]) -> None:
        self.last_serial = last_serial
        self.last_in_precedence = last_in_precedence
        self.pending: dict[int, Pending] = {}
        self.bytes = 0
        self._waiting: list[tuple[int, int]] = []
        self._retries: list[tuple[int, int]] = []
        self._expiries: list[tuple[int, int]] = []
        self._by_envelope: dict[bytes, int] = {}
        self.pace = Pace()
        self._held_back = False
        """A statement waits because the bytes under way are at their bound."""
        self._urgent: dict[int, Pending] = {}
        """Urgent ones that are sealed and in nobody's custody."""
        self.window_messages = 0
        self.window_bytes = 0
        self.delivered_since = 0
        """Monotonic time of the last acknowledgement that raised `delivered_through`."""
        self.delivered_high = last_serial
        self.moved_at = 0
        """Monotonic time at which something last came into custody or was acknowledged."""
        self._sealed_at = 0

    def restored(self) -> None:
        """Call once after the saved statements were added: what is pending now was not delivered before."""
        self.delivered_high = self.delivered_through

    def add(self, item: Pending) -> None:
        """Take responsibility for `item`; it waits to be sent, in the place of what had its serial."""
        before = self.pending.get(item.serial)
        if before is not None:
            self._let_go(before)
        self.pending[item.serial] = item
        self.bytes += len(item.content)
        self.last_serial = max(self.last_serial, item.serial)
        heapq.heappush(self._waiting, _turn(item))
        heapq.heappush(self._expiries, (item.expires_at, item.serial))

    def remove(self, serial: int, now: int) -> Pending | None:
        """Forget a statement that the peer has acknowledged."""
        item = self.pending.pop(serial, None)
        if item is None:
            return None
        self.moved_at = now
        self._arrived(item, now)
        self._let_go(item)
        through = self.delivered_through
        if through > self.delivered_high:
            self.delivered_high, self.delivered_since = through, now
        return item

    def _let_go(self, item: Pending) -> None:
        """Neither its bytes nor its envelope count any more."""
        self.bytes -= len(item.content)
        self._leave_window(item)
        self._by_envelope.pop(item.name, None)

    @property
    def delivered_through(self) -> int:
        """Every serial up to here is acknowledged."""
        return min(self.pending, default=self.last_serial + 1) - 1

    @property
    def owed(self) -> int:
        """How many of the pending are more than an empty statement for a serial of which nothing is known here."""
        return sum(not item.is_filler for item in self.pending.values())

    def next_to_send(self, window_messages: int, window_bytes: int, since: int) -> Pending | None:
        """The most urgent waiting statement that the window admits; it is taken out of the waiting line.

        Others wait for an urgent one under way that was sealed after `since`: what follows it would delay its receipt.
        """
        while self._waiting:
            item = self.pending.get(self._waiting[0][1])
            if item is None or item.envelope is not None:
                heapq.heappop(self._waiting)
                continue
            room = min(window_bytes, self.pace.bound)
            full = self.window_messages >= window_messages or self.window_bytes + len(item.content) > room
            passed = any(one.sent_at > since for one in self._urgent.values())
            if (passed or (full and self.window_messages)) and not item.everywhere:
                self._held_back = self._held_back or not passed
                return None
            heapq.heappop(self._waiting)
            return item
        self._held_back = False
        return None

    @property
    def waits(self) -> bool:
        """Whether something waits to be sealed. True may be a moment too old until `next_to_send` has looked."""
        return bool(self._waiting)

    def busy(self, since: int) -> bool:
        """Whether something waits, or was sealed after `since` and is on its way into somebody's hands."""
        return self.waits or (self.window_messages > 0 and self._sealed_at > since)

    def sealed(self, item: Pending, envelope: bytes, name: bytes, now: int) -> None:
        """`item` leaves in `envelope`, whose SHA-256 is `name`."""
        self._leave_window(item)
        item.sent_at, item.alone = now, not self.window_messages
        self._sealed_at = now
        self._by_envelope.pop(item.name, None)
        item.custody.clear()
        item.envelope = envelope
        item.name = name
        self._by_envelope[name] = item.serial
        if item.urgent:
            self._urgent[item.serial] = item
        self.window_messages += 1
        self.window_bytes += len(item.content)

    def _arrived(self, item: Pending, now: int) -> None:
        if item.in_window:
            self.pace.left(len(item.content), item.sent_at, now, alone=item.alone, held_back=self._held_back)

    def _leave_window(self, item: Pending) -> None:
        if item.in_window:
            self._urgent.pop(item.serial, None)
            self.window_messages -= 1
            self.window_bytes -= len(item.content)

    def unseal(self, item: Pending) -> None:
        """The envelope is worthless: the statement waits to be sealed again."""
        self._leave_window(item)
        self._by_envelope.pop(item.name, None)
        item.envelope = None
        item.name = b""
        item.custody.clear()
        heapq.heappush(self._waiting, _turn(item))

    def awaits(self, name: bytes, relay: str) -> Pending | None:
        """What is pending in the envelope of this SHA-256, if it would be news that `relay` holds it."""
        item = self.pending.get(self._by_envelope.get(name, 0))
        return None if item is None or relay in item.custody else item

    def in_custody(self, name: bytes, relay: str, now: int) -> Pending | None:
        """A relay holds the envelope of this SHA-256; None if that is no news, or none of ours is still pending."""
        item = self.awaits(name, relay)
        if item is None:
            return None
        self.moved_at = now
        self._arrived(item, now)
        self._leave_window(item)
        item.custody.add(relay)
        return item

    def schedule(self, item: Pending, at: int) -> None:
        """Try `item` again at monotonic `at` unless it is acknowledged before."""
        item.retry_at = at
        heapq.heappush(self._retries, (at, item.serial))

    def due_retries(self, now: int) -> Iterator[Pending]:
        """Statements whose time to be sent again has come."""
        while self._retries and self._retries[0][0] <= now:
            at, serial = heapq.heappop(self._retries)
            if self._retries_at(at, serial):
                yield self.pending[serial]

    def due_expiries(self, now: int) -> Iterator[Pending]:
        """Statements whose validity has run out, each once."""
        while self._expiries and self._expiries[0][0] <= now:
            at, serial = heapq.heappop(self._expiries)
            if self._expires_at(at, serial):
                yield self.pending[serial]

    def _retries_at(self, at: int, serial: int) -> bool:
        item = self.pending.get(serial)
        return item is not None and item.retry_at == at and item.envelope is not None

    def _expires_at(self, at: int, serial: int) -> bool:
        item = self.pending.get(serial)
        return item is not None and item.expires_at == at and not item.is_void

    def next_deadline(self) -> int | None:
        """When a retry or an expiry is due; for what was delivered meanwhile nobody is woken up."""
        while self._retries and not self._retries_at(*self._retries[0]):
            heapq.heappop(self._retries)
        while self._expiries and not self._expires_at(*self._expiries[0]):
            heapq.heappop(self._expiries)
        return min([first[0][0] for first in (self._retries, self._expiries) if first], default=None)


def _turn(item: Pending) -> tuple[int, int]:
    """By precedence, then serial; what closes a gap of which nothing is known comes after all else (12.2)."""
    return 0 if item.is_filler else -item.precedence, item.serial
