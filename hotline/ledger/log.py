"""The sequencer of one terminal's log: records become entries, tree nodes and one signed checkpoint per transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Signer
from hotline.ledger.record import Entry, make_entry
from hotline.ledger.tree import Frontier, Node, leaf_hash
from hotline.machine import Entropy, Record

_BACKWARDS_WORTH_SAYING = 1_000


@dataclass(frozen=True, slots=True)
class Staged:
    """What one transaction adds: nothing of it counts until it is committed."""

    entries: tuple[Entry, ...]
    nodes: tuple[tuple[Node, ...], ...]
    """What each entry completes, its own leaf first."""
    checkpoint: Checkpoint
    note: bytes
    frontier: Frontier
    last_timestamp_ms: int


class Ledger:
    """One log. `stage` inside the transaction, `accept` after its commit; never two at once."""

    def __init__(
        self, origin: str, epoch: int, signer: Signer, frontier: Frontier, last_timestamp_ms: int, entropy: Entropy
    ) -> None:
        self.origin = origin
        self.epoch = epoch
        self._signer = signer
        self._frontier = frontier
        self._last_timestamp_ms = last_timestamp_ms
        self._entropy = entropy

    @property
    def size(self) -> int:
        """Entries accepted so far."""
        return self._frontier.size

    @property
    def head(self) -> Checkpoint:
        """Origin, size and root of what was accepted so far."""
        return Checkpoint(self.origin, self._frontier.size, self._frontier.root())

    def stage(self, records: Sequence[Record], wall_ms: int) -> Staged:
        """Entries, nodes and the signed head that `records` give. Times never go back."""
        timestamp = max(wall_ms, self._last_timestamp_ms)
        frontier = self._frontier.copy()
        entries: list[Entry] = []
        nodes: list[tuple[Node, ...]] = []
        for record in records:
            written = record
            if timestamp - wall_ms > _BACKWARDS_WORTH_SAYING:
                written = replace(record, fields={**record.fields, "clock": wall_ms})
            entry = make_entry(frontier.size, timestamp, self.epoch, written, self._entropy)
            entries.append(entry)
            nodes.append(tuple(frontier.append(leaf_hash(entry.leaf))))
        checkpoint = Checkpoint(self.origin, frontier.size, frontier.root())
        note = sign_checkpoint(checkpoint, self._signer)
        return Staged(tuple(entries), tuple(nodes), checkpoint, note, frontier, timestamp)

    def accept(self, staged: Staged) -> None:
        """`staged` is durable: go on from there."""
        self._frontier = staged.frontier
        self._last_timestamp_ms = staged.last_timestamp_ms
