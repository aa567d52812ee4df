"""An auditor's check of a log: leaves, a signed checkpoint, and a key from outside. Nothing else is believed.

Three outcomes, kept apart: VERIFIED, TAMPERED (with the first bad index), UNDECIDED (what would be needed to tell).
Nothing to check is never good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from hotline.civil import iso_utc
from hotline.errors import Malformed, RemoteError, StorageError
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint
from hotline.ledger.log import FREEZE, unvouched_origin
from hotline.ledger.note import NOTE_BYTES_MAX, Ed25519Verifier
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash

BRACKET_SLACK = 300
"""Seconds by which the clocks of a terminal and of a witness may differ before a written time is called false."""


class Outcome(Enum):
    """What a check came to."""

    VERIFIED = "verified"
    TAMPERED = "tampered"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result, in values and in one sentence.

    `size` counts the lawful entries that were read. `root` is the root over all entries, whoever signed it; empty where
    they were not read to the end, or are TAMPERED.
    `good_through` counts entries that a signed checkpoint vouches for. `first_bad` is the first entry at fault; where
    it cannot be named exactly it is the first that may be, and the text gives the range.
    """

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
    verifier: Ed25519Verifier | None,
    stored: StoredHash | None = None,
    older: Sequence[bytes] = (),
    cosigned: Sequence[tuple[int, int]] = (),
) -> Verdict:
    """Recompute a log and compare it with its signed head.

    `older` are other checkpoints of the same log; with them and with `stored` hashes the first altered entry is named,
    not only the fact that there is one. Heads that the log signed for itself alone (docs/protocol.md 13.5) vouch for
    nothing, but tell entries of its own from foreign ones. `leaves` and `stored` may raise StorageError: reading that
    stops early decides nothing. `cosigned` are sizes of this log and when a trusted witness cosigned them, in Unix
    seconds. Raises nothing of its own: what is wrong is in the verdict.
    """
    if verifier is None:
        return _undecided("no-key", "no key of this log was given: take it from the charter, not from the log")
    try:
        notes = [*older, note] if note else list(older)
        opened = [_open(data, verifier) for data in notes]
    except Malformed as error:
        return _tampered("checkpoint", f"a checkpoint is not readable ({error})")
    except RemoteError as error:
        if error.reason == "unverified":
            return _undecided("other-key", "the given key signed no checkpoint of this log: is it the right log?")
        return _tampered("checkpoint", f"a checkpoint is not signed by the key of this log ({error})")
    roots: dict[int, bytes] = {0: EMPTY_ROOT}
    own: dict[int, bytes] = {}
    for checkpoint in opened:
        kept = roots if checkpoint.origin == verifier.name else own
        if kept.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            return _tampered("fork", f"the key of this log signed two different roots for {checkpoint.size} entries")
    number = verifier.name.rpartition("/")[2]
    epoch = int(number) if number.isascii() and number.isdigit() else 0
    return _Check(roots, own, stored, has_head=note is not None, epoch=epoch, cosigned=cosigned).run(leaves)


def _open(data: bytes, verifier: Ed25519Verifier) -> Checkpoint:
    """A head of this log, or one that it signed for itself alone. Raises Malformed or Untrusted."""
    private = unvouched_origin(verifier.name)
    if data.startswith(private.encode() + b"\n"):
        return open_checkpoint(data, private, Ed25519Verifier(private, verifier.public), NOTE_BYTES_MAX)
    return open_checkpoint(data, verifier.name, verifier, NOTE_BYTES_MAX)


class _Check:
    """One pass over the leaves."""

    def __init__(
        self,
        roots: Mapping[int, bytes],
        own: Mapping[int, bytes],
        stored: StoredHash | None,
        *,
        has_head: bool,
        epoch: int,
        cosigned: Sequence[tuple[int, int]],
    ) -> None:
        self._roots = roots
        self._own = own
        self._own_good = 0
        self._epoch = epoch
        self._frozen = False
        self._cosigned = sorted(cosigned)
        self._not_before = ""
        # A head put back to an older one must not hide what was signed after it.
        self._signed = max(roots)
        self._has_head = has_head
        self._stored = stored
        self._frontier = Frontier()
        self._vouched = 0
        self._last_time = ""
        self._suspect: int | None = None
        self._as_stored: Frontier | None = None
        self._bad_node: int | None = None
        self._false_time = ""

    def run(self, leaves: Iterable[bytes]) -> Verdict:
        try:
            for index, leaf in enumerate(leaves):
                bad = self._one(index, leaf)
                if bad is not None:
                    return bad
            return self._end()
        except StorageError as error:
            size = self._frontier.size
            text = f"reading stopped after {size} entries ({error}): verify another copy"
            return _undecided("stopped", text, size, self._vouched)

    def _one(self, index: int, data: bytes) -> Verdict | None:
        try:
            leaf = parse_leaf(data)
        except Malformed as error:
            return self._unlawful("leaf", f"entry {index} is not a lawful entry ({error})", index)
        if leaf.seq != index:
            text = f"entry {index} says it is entry {leaf.seq}: one was removed, inserted or moved"
            return self._unlawful("sequence", text, index)
        if self._epoch and leaf.epoch != self._epoch:
            text = f"entry {index} says it belongs to log epoch {leaf.epoch}"
            return self._unlawful("epoch", text, index)
        if self._frozen:
            return self._unlawful("frozen", f"entry {index} stands behind the end of a log that was closed", index)
        self._frozen = leaf.type == FREEZE
        self._false_time = self._false_time or self._bracket(index, leaf.ts)
        if leaf.ts < self._last_time:
            return self._unlawful("time", f"entry {index} is older than the one before it", index)
        self._last_time = leaf.ts
        self._append(index, leaf_hash(data))
        own = self._own.get(index + 1)
        if own is not None and own == self._frontier.root():
            self._own_good = index + 1
        root = self._roots.get(index + 1)
        if root is None:
            return None
        if root != self._frontier.root():
            return self._altered()
        self._vouched = index + 1
        if self._bad_node is None:
            self._bad_node = self._suspect
        self._suspect = self._as_stored = None
        return None

    def _bracket(self, index: int, ts: str) -> str:
        """Why the time of an entry cannot be true beside what witnesses saw and when; empty if it can.

        An entry that a witness had not yet seen at its time T was not made long before T, and one that it had seen was
        not made after T, clocks agreeing within BRACKET_SLACK.
        """
        while self._cosigned and self._cosigned[0][0] <= index:
            self._not_before = max(self._not_before, iso_utc((self._cosigned.pop(0)[1] - BRACKET_SLACK) * 1_000))
        if ts < self._not_before:
            return f"entry {index} says {ts}, but witnesses saw the log without it after {self._not_before}"
        if self._cosigned:
            latest = iso_utc((min(unix for _, unix in self._cosigned) + BRACKET_SLACK) * 1_000)
            if ts > latest:
                return f"entry {index} says {ts}, but a witness had seen it by {latest}"
        return ""

    def _append(self, index: int, hash_: bytes) -> None:
        kept = self._stored(index) if self._stored is not None else None
        if kept is not None and kept != hash_ and self._suspect is None:
            self._suspect, self._as_stored = index, self._frontier.copy()
        if self._as_stored is not None:
            self._as_stored.append(hash_ if kept is None else kept)
        self._frontier.append(hash_)

    def _suspect_holds(self) -> bool:
        """Whether the stored hashes lead to the next signed root: then the first leaf that differs is the bad one."""
        tree = self._as_stored
        later = [size for size in self._roots if tree is not None and size >= tree.size]
        if tree is None or self._stored is None or not later:
            return False
        for index in range(tree.size, min(later)):
            kept = self._stored(index)
            if kept is None:
                return False
            tree.append(kept)
        return tree.root() == self._roots[tree.size]

    def _unlawful(self, kind: str, text: str, index: int) -> Verdict:
        """Entry `index` breaks a rule by itself or is not there, unless one before it was altered."""
        return self._suspected() or _tampered(kind, text, index, self._vouched, self._frontier.size)

    def _altered(self) -> Verdict:
        """The entries so far are not the ones that were signed."""
        first, size = self._vouched, self._frontier.size
        text = f"entries {first} to {size - 1} do not give the signed root: at least one of them was altered"
        return self._suspected() or _tampered("altered", text, first, first, size)

    def _suspected(self) -> Verdict | None:
        if self._suspect is None or not self._suspect_holds():
            return None
        text = f"entry {self._suspect} was altered: it is not the one that was signed"
        return _tampered("altered", text, self._suspect, self._vouched, self._frontier.size)

    def _end(self) -> Verdict:
        size, signed = self._frontier.size, self._signed
        if size < signed:
            text = f"entries {size} to {signed - 1} are missing: a signed checkpoint counts {signed}"
            return self._unlawful("truncated", text, size)
        root = self._frontier.root()
        if not size:
            return _undecided("empty", "there are no entries: nothing can be said", root=root)
        if not self._has_head:
            text = f"{size} entries, but no signed head to compare them with"
            return _undecided("no-checkpoint", text, size, self._vouched, root)
        if size > signed and self._own_good == size:
            text = f"entries {signed} to {size - 1} were written since a start that nobody has vouched for"
            return _undecided("unvouched", text, size, self._vouched, root)
        if size > signed:
            text = f"entries {signed} to {size - 1} stand behind the signed checkpoint: nobody has signed them"
            return _tampered("unsigned-tail", text, signed, self._vouched, size)
        if self._bad_node is not None:
            text = f"entry {self._bad_node} is good, but the stored tree was altered there"
            return _tampered("tree", text, self._bad_node, size, size)
        if self._false_time:
            # A wrong clock and an entry that was dated back look alike; the entries are the signed ones in any case.
            why = "a clock was wrong, or a date is false"
            text = f"{size} entries give the signed root, but {self._false_time}: {why}"
            return _undecided("bracket", text, size, size, root)
        return Verdict(Outcome.VERIFIED, "ok", f"{size} entries give the signed root", size, root, size)


def _tampered(kind: str, text: str, first_bad: int | None = None, good_through: int = 0, size: int = 0) -> Verdict:
    return Verdict(Outcome.TAMPERED, kind, text, size, b"", good_through, first_bad)


def _undecided(kind: str, text: str, size: int = 0, good_through: int = 0, root: bytes = b"") -> Verdict:
    return Verdict(Outcome.UNDECIDED, kind, text, size, root, good_through)
