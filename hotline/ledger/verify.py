"""An auditor's check of a log: leaves, a signed checkpoint, and a key from outside. Nothing else is believed.

Three outcomes, kept apart: VERIFIED, TAMPERED (with the first bad index), UNDECIDED (what would be needed to tell).
Nothing to check is never good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from hotline.errors import Malformed, RemoteError
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint_with
from hotline.ledger.note import Verifier
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import Frontier, leaf_hash


class Outcome(Enum):
    """What a check came to."""

    VERIFIED = "verified"
    TAMPERED = "tampered"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result, in values and in one sentence. `good_through` counts entries that are vouched for."""

    outcome: Outcome
    kind: str
    text: str
    size: int
    root: bytes
    good_through: int
    first_bad: int | None = None


StoredHash = Callable[[int], bytes | None]
"""The hash of a leaf as the log stored it in its tree, or None."""


def verify_log(
    leaves: Iterable[bytes],
    note: bytes | None,
    verifier: Verifier | None,
    stored: StoredHash | None = None,
    older: Sequence[bytes] = (),
) -> Verdict:
    """Recompute a log and compare it with its signed head.

    `older` are earlier checkpoints of the same log; with them and with `stored` hashes the first altered entry is
    named, not only the fact that there is one. Raises nothing: what is wrong is in the verdict.
    """
    if verifier is None:
        return _undecided("no-key", "no key of this log was given: take it from the charter, not from the log", 0)
    try:
        heads = sorted((open_checkpoint_with(data, verifier.name, verifier) for data in older), key=lambda h: h.size)
        head = open_checkpoint_with(note, verifier.name, verifier) if note else None
    except Malformed as error:
        return _tampered("checkpoint", f"a checkpoint is not readable ({error})", 0, 0)
    except RemoteError as error:
        if error.reason == "unverified":
            return _undecided("other-key", "the given key signed no checkpoint of this log: is it the right log?", 0)
        return _tampered("checkpoint", f"a checkpoint is not signed by the key of this log ({error})", 0, 0)
    return _Check(head, heads, stored).run(leaves)


class _Check:
    """One pass over the leaves."""

    def __init__(self, head: Checkpoint | None, heads: Sequence[Checkpoint], stored: StoredHash | None) -> None:
        self._head = head
        self._heads = {checkpoint.size: checkpoint for checkpoint in heads}
        self._stored = stored
        self._frontier = Frontier()
        self._vouched = 0
        self._suspect: int | None = None
        self._last_time = ""

    def run(self, leaves: Iterable[bytes]) -> Verdict:
        for index, leaf in enumerate(leaves):
            bad = self._one(index, leaf)
            if bad is not None:
                return bad
        return self._end()

    def _one(self, index: int, data: bytes) -> Verdict | None:
        try:
            leaf = parse_leaf(data)
        except Malformed as error:
            return _tampered("leaf", f"entry {index} is not a lawful entry ({error})", index, self._vouched)
        if leaf.seq != index:
            text = f"entry {index} says it is entry {leaf.seq}: one was removed, inserted or moved"
            return _tampered("sequence", text, index, self._vouched)
        if leaf.ts < self._last_time:
            return _tampered("time", f"entry {index} is older than the one before it", index, self._vouched)
        self._last_time = leaf.ts
        hash_ = leaf_hash(data)
        expected = self._stored(index) if self._stored is not None else None
        if expected is not None and expected != hash_ and self._suspect is None:
            self._suspect = index
        self._frontier.append(hash_)
        checkpoint = self._heads.get(index + 1)
        if checkpoint is None:
            return None
        if checkpoint.root != self._frontier.root():
            return self._altered(index + 1)
        self._vouched = index + 1
        return None

    def _altered(self, size: int) -> Verdict:
        """The first `size` entries do not give the root that was signed for them."""
        if self._suspect is not None:
            text = f"entry {self._suspect} was altered: it is not the one that was signed"
            return _tampered("altered", text, self._suspect, min(self._vouched, self._suspect))
        text = f"entries {self._vouched} to {size - 1} do not give the signed root: at least one of them was altered"
        return _tampered("altered", text, self._vouched, self._vouched)

    def _end(self) -> Verdict:
        size, head = self._frontier.size, self._head
        if head is None:
            if not size:
                return _undecided("empty", "there are no entries and no checkpoint: nothing can be said", 0)
            return _undecided("no-checkpoint", f"{size} entries, but no signed checkpoint to compare them with", size)
        if not size and not head.size:
            return _undecided("empty", "the log has no entries: nothing can be said", 0)
        if size < head.size:
            text = f"entries {size} to {head.size - 1} are missing: the signed checkpoint counts {head.size}"
            return _tampered("truncated", text, size, self._vouched)
        if size > head.size:
            text = f"entries {head.size} to {size - 1} stand behind the signed checkpoint: nobody has signed them"
            return _tampered("unsigned-tail", text, head.size, self._vouched)
        if head.root != self._frontier.root():
            return self._altered(size)
        if self._suspect is not None:
            text = f"entry {self._suspect} is good, but the stored tree was altered there"
            return _tampered("tree", text, self._suspect, size)
        return Verdict(Outcome.VERIFIED, "ok", f"{size} entries give the signed root", size, head.root, size)


def _tampered(kind: str, text: str, first_bad: int, good_through: int) -> Verdict:
    return Verdict(Outcome.TAMPERED, kind, text, 0, b"", good_through, first_bad)


def _undecided(kind: str, text: str, size: int) -> Verdict:
    return Verdict(Outcome.UNDECIDED, kind, text, size, b"", 0)
