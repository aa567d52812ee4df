"""The sequencer of one terminal's log: records become entries, tree nodes and one signed checkpoint per transaction.

Three kinds of record rule the log itself (docs/protocol.md 13.5): from `log.vouched` on heads are signed under the
log's own origin, before it under another one that convicts nobody; `log.open` begins a new tree under the log epoch it
names; the old one gets a last head of its own only if `log.freeze` ends it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hotline.crypto.signing import SigningKey
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer
from hotline.ledger.record import Entry, make_entry
from hotline.ledger.tree import Frontier, Node, leaf_hash
from hotline.machine import Entropy, Record

OPEN: Final = "log.open"
FREEZE: Final = "log.freeze"
VOUCHED: Final = "log.vouched"
LOG_EPOCH_MAX: Final = 999_999_999
_EPOCH: Final = re.compile("[1-9][0-9]{0,8}", re.ASCII)
_UNVOUCHED: Final = "/unvouched"
_BACKWARDS_WORTH_SAYING: Final = 1_000


@dataclass(frozen=True, slots=True)
class Segment:
    """What one transaction adds to one log epoch."""

    epoch: int
    entries: tuple[Entry, ...]
    nodes: tuple[tuple[Node, ...], ...]
    """What each entry completes, its own leaf first."""
    checkpoint: Checkpoint
    note: bytes
    """The signed head; under `unvouched_origin` while nobody has vouched for this log."""

    @property
    def vouched(self) -> bool:
        """Whether `note` may be shown to others."""
        return not self.checkpoint.origin.endswith(_UNVOUCHED)


@dataclass(frozen=True, slots=True)
class Staged:
    """What one transaction adds: nothing of it counts until it is committed. More than one segment: a new log."""

    segments: tuple[Segment, ...]
    frontier: Frontier
    last_timestamp_ms: int
    signing: bool


@dataclass(slots=True)
class _Growing:
    """A segment while it is made."""

    epoch: int
    frontier: Frontier
    signing: bool
    entries: list[Entry] = field(default_factory=list)
    nodes: list[tuple[Node, ...]] = field(default_factory=list)


class Ledger:
    """The logs of one terminal. `stage` inside the transaction, `accept` after its commit; never two at once."""

    def __init__(
        self, base: str, key: SigningKey, epoch: int, frontier: Frontier, last_timestamp_ms: int, entropy: Entropy
    ) -> None:
        """`base` is the origin without the log epoch. Nothing is signed under it before `log.vouched`."""
        self.base = base
        self.epoch = epoch
        self.signing = False
        self._key = key
        self._frontier = frontier
        self._last_timestamp_ms = last_timestamp_ms
        self._entropy = entropy
        self._signer = Ed25519Signer(log_origin(base, epoch), key)

    @property
    def origin(self) -> str:
        """Origin of the current log."""
        return log_origin(self.base, self.epoch)

    @property
    def size(self) -> int:
        """Entries of the current log accepted so far."""
        return self._frontier.size

    @property
    def head(self) -> Checkpoint:
        """Origin, size and root of what was accepted so far."""
        return Checkpoint(self.origin, self._frontier.size, self._frontier.root())

    def stage(self, records: Sequence[Record], wall_ms: int) -> Staged:
        """Entries, nodes and the signed heads that `records` give. Times never go back."""
        timestamp = max(wall_ms, self._last_timestamp_ms)
        growing = [_Growing(self.epoch, self._frontier.copy(), self.signing)]
        previous = ""
        for record in records:
            last = growing[-1]
            written = record
            if record.kind == OPEN:
                growing.append(_Growing(int(record.fields["log_epoch"]), Frontier(), last.signing))
                last.signing = last.signing and previous == FREEZE
                written = replace(record, fields={**record.fields, **self._end_of(last)})
            elif record.kind == VOUCHED:
                last.signing = True
            previous = record.kind
            if timestamp - wall_ms > _BACKWARDS_WORTH_SAYING:
                written = replace(written, fields={**written.fields, "clock": wall_ms})
            last = growing[-1]
            entry = make_entry(last.frontier.size, timestamp, last.epoch, written, self._entropy)
            last.entries.append(entry)
            last.nodes.append(tuple(last.frontier.append(leaf_hash(entry.leaf))))
        segments = tuple(self._close(one) for one in growing if one.entries)
        return Staged(segments, growing[-1].frontier, timestamp, growing[-1].signing)

    def _end_of(self, one: _Growing) -> dict[str, str | int]:
        """What the first entry of a new log says of the one before it."""
        origin = log_origin(self.base, one.epoch)
        return {"previous": origin, "size": one.frontier.size, "root": one.frontier.root().hex()}

    def _close(self, one: _Growing) -> Segment:
        origin = log_origin(self.base, one.epoch)
        name = origin if one.signing else unvouched_origin(origin)
        if self._signer.name != name:
            self._signer = Ed25519Signer(name, self._key)
        checkpoint = Checkpoint(name, one.frontier.size, one.frontier.root())
        note = sign_checkpoint(checkpoint, self._signer)
        return Segment(one.epoch, tuple(one.entries), tuple(one.nodes), checkpoint, note)

    def accept(self, staged: Staged) -> None:
        """`staged` is durable: go on from there."""
        self._frontier = staged.frontier
        self._last_timestamp_ms = staged.last_timestamp_ms
        self.signing = staged.signing
        self.epoch = staged.segments[-1].epoch


def log_origin(base: str, epoch: int) -> str:
    """Origin of one log epoch of a terminal."""
    return f"{base}/{epoch}"


def split_origin(origin: str) -> tuple[str, int] | None:
    """(base, log epoch) of the origin of a log; None for what is no such origin."""
    base, slash, epoch = origin.rpartition("/")
    return (base, int(epoch)) if slash and _EPOCH.fullmatch(epoch) else None


def unvouched_origin(origin: str) -> str:
    """The name under which a terminal signs for itself what it may not yet sign for others."""
    return origin + _UNVOUCHED
