"""The logs of one terminal in memory: what the simulator keeps in the place of a disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hotline.crypto.signing import SigningKey
from hotline.ledger.log import Ledger
from hotline.ledger.record import Opening
from hotline.ledger.tree import Frontier, consistency_proof, frontier_nodes
from hotline.machine import Entropy, Record
from hotline.protocol.tables import Head


@dataclass
class OneLog:
    """One log epoch."""

    leaves: list[bytes] = field(default_factory=list)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    notes: list[bytes] = field(default_factory=list)

    def read(self, level: int, position: int) -> bytes:
        """A stored node of the tree."""
        return self.nodes[level, position]


@dataclass
class MemoryLog:
    """What survives a restart; `copy` is a backup. `start` before the first commit of a run."""

    epochs: dict[int, OneLog] = field(default_factory=lambda: {1: OneLog()})
    openings: dict[tuple[int, int], tuple[Opening, ...]] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)
    last_ts: int = 0
    epoch: int = 1
    note: bytes = b""
    ledger: Ledger | None = None

    def copy(self) -> MemoryLog:
        """A backup; it is not started."""
        epochs = {
            epoch: OneLog(list(one.leaves), dict(one.nodes), list(one.notes)) for epoch, one in self.epochs.items()
        }
        return MemoryLog(epochs, dict(self.openings), self.frontier.copy(), self.last_ts, self.epoch)

    def start(self, base: str, key: SigningKey, entropy: Entropy) -> None:
        """Open it for writing, as the daemon does at its start: nobody has vouched for it yet."""
        self.note = b""
        self.ledger = Ledger(base, key, self.epoch, self.frontier, self.last_ts, entropy)

    def commit(self, records: Sequence[Record], wall_ms: int) -> None:
        """One transaction: entries, tree and signed head."""
        assert self.ledger is not None
        staged = self.ledger.stage(records, wall_ms)
        self.ledger.accept(staged)
        for segment in staged.segments:
            one = self.epochs.setdefault(segment.epoch, OneLog())
            for entry, nodes in zip(segment.entries, segment.nodes, strict=True):
                one.leaves.append(entry.leaf)
                one.nodes.update({(node.level, node.position): node.hash for node in nodes})
                self.openings[segment.epoch, entry.seq] = entry.openings
            one.notes.append(segment.note)
        last = staged.segments[-1]
        self.frontier, self.last_ts, self.epoch = staged.frontier, staged.last_timestamp_ms, last.epoch
        self.note = last.note if last.vouched else b""

    @property
    def leaves(self) -> list[bytes]:
        """Every leaf of every log, in the order in which they were written."""
        return [leaf for one in self.epochs.values() for leaf in one.leaves]

    @property
    def current(self) -> OneLog:
        """The log that is written now."""
        return self.epochs[self.epoch]

    def head(self) -> Head:
        """Log epoch, size, root and signed head of the current log."""
        return Head(self.epoch, self.frontier.size, self.frontier.root(), self.note)

    def root_at(self, size: int) -> bytes:
        """Root of the first `size` entries of the current log."""
        return Frontier(size, [self.current.read(*node) for node in frontier_nodes(size)]).root()

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency proof between two sizes of the current log."""
        return consistency_proof(old, new, self.current.read)
