"""Two signed things that cannot both be true: whoever holds them can show anyone that a log or its keeper lied.

Evidence is made of C2SP files alone, checkpoints and proofs with their leaves; the kinds are those of
docs/protocol.md 13.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hotline.ledger.log import split_origin
from hotline.ledger.policy import Policy, Vouched, open_cosigned
from hotline.ledger.proof import verify_cosigned
from hotline.ledger.record import EMPTY, Leaf


class Kind(StrEnum):
    """What the two contradict each other in."""

    FORK_SIZE = "FORK-SIZE"
    """One log, one size, two roots."""
    FORK_LEAF = "FORK-LEAF"
    """One log, one index, two leaves."""
    ROLLBACK = "ROLLBACK"
    """A witness cosigned a size, and later a smaller one."""
    MISMATCH = "MISMATCH"
    """Two logs tell different texts of one statement."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One signed thing: a checkpoint, or a proof together with its leaf."""

    data: bytes
    leaf: bytes | None = None


@dataclass(frozen=True, slots=True)
class Conviction:
    """What two exhibits prove, in one sentence."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class _Read:
    vouched: Vouched
    index: int = -1
    data: bytes = b""
    leaf: Leaf | None = None


def _read(exhibit: Exhibit, policy: Policy) -> _Read:
    if exhibit.leaf is None:
        return _Read(open_cosigned(exhibit.data, policy))
    proven = verify_cosigned(exhibit.data, exhibit.leaf, _without_quorum(policy))
    return _Read(Vouched(proven.checkpoint, proven.witnesses), proven.leaf.seq, exhibit.leaf, proven.leaf)


def _without_quorum(policy: Policy) -> Policy:
    """A log convicts itself by its own signature; whether witnesses saw it changes nothing."""
    return Policy(policy.logs, policy.witnesses, policy.groups, "")


def convict(one: Exhibit, other: Exhibit, policy: Policy) -> Conviction | None:
    """What the two prove together, or None. Raises Malformed or Untrusted if either does not hold by itself."""
    left, right = _read(one, policy), _read(other, policy)
    a, b = left.vouched.checkpoint, right.vouched.checkpoint
    if a.origin != b.origin:
        return _mismatch(left, right)
    if a.size == b.size and a.root != b.root:
        return Conviction(Kind.FORK_SIZE, f"{a.origin} signed two different logs of {a.size} entries")
    if left.index >= 0 and left.index == right.index and left.data != right.data:
        return Conviction(Kind.FORK_LEAF, f"{a.origin} proves two different entries {left.index}")
    return _rollback(left.vouched, right.vouched) or _rollback(right.vouched, left.vouched)


def _rollback(early: Vouched, late: Vouched) -> Conviction | None:
    before, after = early.checkpoint, late.checkpoint
    for name, time in early.witnesses.items():
        later = late.witnesses.get(name)
        if later is not None and later > time and after.size < before.size:
            text = f"witness {name} cosigned {before.size} entries of {before.origin}, and later only {after.size}"
            return Conviction(Kind.ROLLBACK, text)
    return None


def _mismatch(left: _Read, right: _Read) -> Conviction | None:
    sent = next((item for item in (left, right) if item.leaf is not None and item.leaf.type == "msg.submit"), None)
    got = next((item for item in (left, right) if item.leaf is not None and item.leaf.type == "msg.recv"), None)
    if sent is None or got is None or sent.leaf is None or got.leaf is None:
        return None
    said, heard = sent.leaf, got.leaf
    where = (sent.vouched.checkpoint.origin, got.vouched.checkpoint.origin)
    one, other = _statement(said), _statement(heard)
    if one[:2] != other[:2] or one == other or not _heard_from(heard, *where):
        return None
    text = f"statement #{one[1]} has one text in {where[0]} and another in {where[1]}"
    return Conviction(Kind.MISMATCH, text)


def _statement(leaf: Leaf) -> tuple[str, int, str, str | None]:
    """Plane and serial of a statement, and what a log says that it is. Raises Malformed."""
    return leaf.text("plane"), leaf.number("serial"), leaf.text("statement"), leaf.commit.get("body")


def _heard_from(heard: Leaf, sender: str, receiver: str) -> bool:
    """Whether what the log `receiver` heard was said in the log `sender`, and not taken back.

    A serial stands for two statements in honest records too: one expired and an empty one took its place, the sender
    was restored (and began a new log), or an alternate gave the serial out as well.
    """
    one, other = _place(sender), _place(receiver)
    if one is None or other is None or heard.fields.get("kind") in EMPTY:
        return False
    line, party, terminal, log_epoch = one
    names = (heard.fields.get("party", party), heard.fields.get("other", f"{party}/{terminal}"))
    return (
        (line == other[0] and party != other[1])
        and names == (party, f"{party}/{terminal}")
        and heard.fields.get("peer_log_epoch") == log_epoch
    )


def _place(origin: str) -> tuple[str, str, str, int] | None:
    """Hotline, party, terminal and log epoch; None for what is no terminal's log."""
    found = split_origin(origin)
    if found is None or found[0].count("/") < 2:
        return None
    line, party, terminal = found[0].rsplit("/", 2)
    return line, party, terminal, found[1]
