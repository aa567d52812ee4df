"""Two parties' ledgers held against each other: where they first contradict, and what that proves. Pure.

Each side's log must have been verified by itself before. What one side admits to have lost is no contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hotline.errors import Malformed
from hotline.ledger.record import EMPTY, Leaf
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.limits import ENTRY_SERIALS_MAX, SERIAL_MAX


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction, at an entry of `side`'s log: `kind` in one word, `text` in one sentence."""

    side: str
    log_epoch: int
    seq: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Told:
    """What a log says of one statement, and where."""

    log_epoch: int
    seq: int
    statement: str
    body: str
    kind: str = "text"


_RANGE: Final = re.compile("([0-9]{1,13})(?:-([0-9]{1,13}))?")

_QUIET = "without-prejudice"
"""Said in neither ledger: only that it was said, and how long it is."""

_Name = tuple[str, int]
"""Plane and serial."""


@dataclass(slots=True)
class Side:
    """What one party's logs say, as far as the other can know it too."""

    name: str
    counterpart: str = ""
    """PARTY/terminal whose log is the other side's: what an entry tells of another terminal's log is not held against
    it. Entries name a terminal only where there are several."""
    submitted: dict[_Name, _Told] = field(default_factory=dict)
    mirrored: dict[_Name, _Told] = field(default_factory=dict)
    """What a sibling has said, as this terminal holds it."""
    received: dict[_Name, _Told] = field(default_factory=dict)
    voices: dict[_Name, str] = field(default_factory=dict)
    """PARTY/terminal that said what was received; written down only where there are several."""
    delivered: dict[_Name, _Told] = field(default_factory=dict)
    of_thirds: dict[tuple[str, str, int], _Told] = field(default_factory=dict)
    """What third parties said, among several: their name, plane and serial."""
    closed: set[_Name] = field(default_factory=set)
    """Serials that were expired or renumbered: an empty statement takes their place."""
    heads: dict[tuple[int, int], tuple[str, int, int]] = field(default_factory=dict)
    """Of the other side's log: (log epoch, size) to root and the entry that says so."""
    restored: bool = False
    entries: int = 0

    def read(self, log_epoch: int, leaf: Leaf) -> None:
        """Take up one entry; each in its order. Raises Malformed: it holds what none may, whoever signed it."""
        self.entries += 1
        fields, place = leaf.fields, (log_epoch, leaf.seq)
        name = (str(fields.get("plane")), _int(fields.get("serial")))
        told = _Told(
            *place, str(fields.get("statement", "")), leaf.commit.get("body", ""), str(fields.get("kind", "text"))
        )
        party = str(fields.get("party", ""))
        if party and party != self.counterpart.partition("/")[0]:
            if leaf.type == "msg.recv":
                self.of_thirds[party, *name] = told
            return
        match leaf.type:
            case "msg.submit":
                self.submitted[name] = told
            case "msg.mirrored":
                self.submitted.setdefault(name, told)
                self.mirrored[name] = told
            case "nonpaper.submit":
                self.submitted[name] = replace(told, kind=_QUIET)
            case "nonpaper.recv":
                self.received[name] = replace(told, kind=_QUIET)
            case "nonpaper.renumbered":
                self.closed.add(name)
                self.submitted[name[0], _int(fields.get("new"))] = replace(told, kind=_QUIET)
            case "msg.renumbered":
                self.closed.add(name)
                self.submitted[name[0], _int(fields.get("new"))] = told
            case "msg.expired":
                self.closed.add(name)
            case "msg.recv":
                self.received[name] = told
            case "msg.voice":
                self.voices[name] = str(fields.get("other", ""))
            case "msg.delivered" if self._of_counterpart(leaf):
                for serial in serials(str(fields.get("serials", ""))):
                    self.delivered[name[0], serial] = told
            case "log.open":
                self.restored = self.restored or fields.get("reason") == "restored"
            case "peer.log" if self._of_counterpart(leaf):
                self._head(log_epoch, leaf, "")
        if "peer_root" in fields and self._of_counterpart(leaf):
            self._head(log_epoch, leaf, "peer_")

    def _of_counterpart(self, leaf: Leaf) -> bool:
        return leaf.fields.get("other", self.counterpart) == self.counterpart

    def _head(self, log_epoch: int, leaf: Leaf, prefix: str) -> None:
        """A head of the other side, at the first entry that tells of it."""
        place = (leaf.number(f"{prefix}log_epoch"), leaf.number(f"{prefix}size"))
        self.heads.setdefault(place, (leaf.text(f"{prefix}root"), log_epoch, leaf.seq))


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def serials(text: str) -> list[int]:
    """The numbers of a list of ranges: 3-5 8. Raises Malformed: another spelling, or more than an entry may name."""
    found: list[int] = []
    for part in text.split():
        match = _RANGE.fullmatch(part)
        if match is None:
            raise Malformed("serials", "not a list of numbers and ranges")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= SERIAL_MAX or last - first >= ENTRY_SERIALS_MAX - len(found):
            raise Malformed("serials", "other ones or more than an entry may name")
        found += range(first, last + 1)
    return found


def compare(one: Side, other: Side, roots: Mapping[str, Mapping[tuple[int, int], str]]) -> list[Finding]:
    """Every contradiction, in the order of the entries. `roots` gives, by name, the roots that a side's own logs have
    at the sizes that the other side has written down (`roots_at`).
    """
    found = [*_statements(one, other), *_statements(other, one), *_two_words(one, other)]
    for side, peer in ((one, other), (other, one)):
        for place, (root, log_epoch, seq) in side.heads.items():
            real = roots[peer.name].get(place)
            if real == root or (real is None and peer.restored):
                continue
            what = "has no such log" if real is None else "has another one"
            text = (
                f"{side.name} holds a head of {peer.name}'s log {place[0]} over {place[1]} entries; {peer.name} {what}"
            )
            found.append(Finding(side.name, log_epoch, seq, "head", text))
    return sorted(found, key=lambda finding: (finding.log_epoch, finding.seq))


def _statements(sender: Side, receiver: Side) -> Iterator[Finding]:
    for name, got in receiver.received.items():
        said = sender.submitted.get(name)
        if receiver.voices.get(name, receiver.counterpart) != receiver.counterpart:
            # Told of a third terminal, whose own log has it; this one's only as far as it was mirrored here.
            said = sender.mirrored.get(name)
            if said is None or got.kind in EMPTY:
                continue
        number = f"#{name[1]} ({name[0]})"
        if said is None:
            if not sender.restored and got.kind in ("text", "test", _QUIET):
                text = f"{receiver.name} received statement {number}, of which {sender.name}'s ledger knows nothing"
                yield Finding(receiver.name, got.log_epoch, got.seq, "unsaid", text)
        elif got.kind in EMPTY:
            if name not in sender.closed and not sender.restored:
                text = f"{receiver.name} received {number} as withdrawn; {sender.name}'s ledger says that it was not"
                yield Finding(receiver.name, got.log_epoch, got.seq, "withdrawn", text)
        elif (said.statement, said.body) != (got.statement, got.body) and not sender.restored:
            text = f"statement {number} has one text in {sender.name}'s ledger and another in {receiver.name}'s"
            yield Finding(receiver.name, got.log_epoch, got.seq, "mismatch", text)
    for name, told in sender.delivered.items():
        if name not in receiver.received and not receiver.restored:
            number = f"#{name[1]} ({name[0]})"
            text = f"{sender.name} holds a receipt for {number}, which {receiver.name}'s ledger does not know"
            yield Finding(sender.name, told.log_epoch, told.seq, "unreceived", text)


def _two_words(one: Side, other: Side) -> Iterator[Finding]:
    """What a third party said to one of the two, and another thing to the other. Nothing contradicts an empty one."""
    for name, told in one.of_thirds.items():
        there = other.of_thirds.get(name)
        if there is None or told.statement == there.statement or EMPTY & {told.kind, there.kind}:
            continue
        text = f"{name[0]} said one thing as #{name[2]} ({name[1]}) to {one.name} and another to {other.name}"
        yield Finding(one.name, told.log_epoch, told.seq, "two-words", text)


def roots_at(leaves: Iterable[bytes], sizes: set[int]) -> dict[int, str]:
    """Roots of a log at some of its sizes, in hex."""
    frontier = Frontier()
    found = {0: frontier.root().hex()} if 0 in sizes else {}
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
        if frontier.size in sizes:
            found[frontier.size] = frontier.root().hex()
    return found
