"""The operational tables as the ledger alone gives them, to be held against what is stored (docs/protocol.md 13.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hotline.ledger.comparison import serials
from hotline.ledger.record import Leaf
from hotline.machine import Plane
from hotline.protocol.modes import ASKED, RECORDED
from hotline.protocol.outbox import LEFT, SentState
from hotline.protocol.release import RELEASED
from hotline.protocol.tables import Row

_Name = tuple[str, int]
"""Plane and serial."""
_Mark = tuple[str, str, str, int, int]
"""Of a correction or retraction way, plane and stage, the serial that it names, and its own."""
_Link = tuple[str, str, int, str, int]
"""Of an original plane, way and serial; of its translation carrier and number."""

REBUILT = (
    *("sent", "received", "sent_fact", "received_fact", "unread", "outbox", "custody", "counter", "channel_test"),
    *("translation", "translated", "ladder", "draft", "correction"),
)
"""The tables that the ledger tells of."""


_CORRECTIONS: Final = {"correction": "corrected", "retraction": "retracted"}
_ANSWERS: Final = frozenset({"answered", "arrived"})
"""Rungs that an answer climbs."""
_MARKS: Final = frozenset({RECORDED, ASKED})
"""Stages that say what became of a non-paper by another statement."""


@dataclass(slots=True)
class Rebuilt:
    """What the entries of every log epoch, in order, say that the tables must hold."""

    sent: dict[_Name, str] = field(default_factory=dict)
    """Names by plane and serial; empty for what was said without prejudice, of which no ledger says more."""
    received: dict[_Name, str] = field(default_factory=dict)
    stages: dict[str, set[_Name]] = field(default_factory=lambda: {stage: set() for stage in (*SentState, LEFT)})
    shown: set[_Name] = field(default_factory=set)
    opened: set[_Name] = field(default_factory=set)
    custody: set[str] = field(default_factory=set)
    unattended: set[_Name] = field(default_factory=set)
    """Received statements that nobody need open."""
    gaps: set[_Name] = field(default_factory=set)
    """Of these what says no more than that its sender knows nothing (8.7); stores of before list it as unread."""
    recorded: set[tuple[str, str, _Name]] = field(default_factory=set)
    """Table, stage and name of a non-paper that is of record, or is to be."""
    corrections: set[_Mark] = field(default_factory=set)
    ladder: set[tuple[str, str, _Name]] = field(default_factory=set)
    """Way, stage and name of what stands higher than READ."""
    answers: set[tuple[str, _Name]] = field(default_factory=set)
    """Way and name of what a statement answers, or says it does."""
    beside: dict[_Name, tuple[set[_Mark], set[tuple[str, _Name]]]] = field(default_factory=dict)
    """What a received statement marks and answers that nothing did before: one without authority does neither."""
    authority: set[tuple[str, _Name]] = field(default_factory=set)
    """Verdict and name of received statements."""
    drafts: set[_Name] = field(default_factory=set)
    tests: set[_Name] = field(default_factory=set)
    """Channel tests: way and serial; for one that was missed, the time."""
    kept: dict[_Name, str] = field(default_factory=dict)
    """Translations that stayed here."""
    translated: set[_Link] = field(default_factory=set)

    def read(self, leaf: Leaf) -> None:
        """Take up one entry."""
        fields = leaf.fields
        plane, serial = str(fields.get("plane")), fields.get("serial")
        name = (plane, serial if isinstance(serial, int) else 0)
        many = {(plane, number) for number in serials(str(fields.get("serials", "")))}
        match leaf.type:
            case "msg.presented" | "msg.promised" | "peer.shown" | "peer.promised":
                who, _, rung = leaf.type.partition(".")
                stage = "reply-by" if rung == "promised" else "shown"
                self.ladder.add(("sent" if who == "peer" else "received", stage, name))
                if leaf.type == "peer.shown":
                    self.stages["shown"].add(name)
            case "msg.submit" | "msg.mirrored":
                self.sent[name] = str(fields["statement"])
                self._translation("sent", name, fields)
                self._references("sent", name, fields)
                if fields.get("kind") == "test" and leaf.type == "msg.submit":
                    self.tests.add(("sent", name[1]))
            case "msg.renumbered":
                self.stages["renumbered"].add(name)
                self.sent[plane, int(fields["new"])] = str(fields["statement"])
                self._moved(name, int(fields["new"]))
                if plane == "real" and ("sent", name[1]) in self.tests:
                    self.tests.add(("sent", int(fields["new"])))
            case "msg.expired" | "msg.read" | "msg.sent":
                self.stages[leaf.type.removeprefix("msg.")].add(name)
            case "msg.custody":
                self.stages["relayed"] |= many
                if "receipt" in fields:
                    self.custody.add(str(fields["receipt"]))
            case "msg.delivered":
                self.stages["delivered"] |= many
            case "msg.recv":
                self.received[name] = str(fields["statement"])
                self._translation("received", name, fields)
                self._references("received", name, fields)
                self._kind(name, str(fields.get("kind")), str(fields.get("dtg")))
                if fields.get("shown"):
                    self.shown.add(name)
            case "msg.shown":
                self.shown |= many
            case "msg.translated":
                number = int(fields["number"])
                self.kept[plane, number] = str(fields["translation"])
                self.translated.add((plane, "received", name[1], "here", number))
            case "msg.authority":
                self.authority.add((str(fields["verdict"]), name))
                if fields["verdict"] != RELEASED:
                    self._unmark(name)
            case "draft.made":
                self.drafts.add((plane, int(fields["number"])))
            case "msg.opened":
                self.opened.add(name)
            case "alarm" if fields.get("name") == "test-missed":
                self.tests.add(("missed", int(fields["at"])))
            case _ if leaf.type.startswith("nonpaper."):
                self._nonpaper(leaf.type, plane, name, fields, many)

    def _nonpaper(self, kind: str, plane: str, name: _Name, fields: Mapping[str, str | int], many: set[_Name]) -> None:
        match kind:
            case "nonpaper.submit":
                self.sent[name] = ""
            case "nonpaper.renumbered":
                self.stages["renumbered"].add(name)
                self.sent[plane, int(fields["new"])] = ""
            case "nonpaper.recv":
                self.received[name] = ""
                if fields.get("shown"):
                    self.shown.add(name)
            case "nonpaper.custody":
                self.stages["relayed"] |= many
            case "nonpaper.asked":
                self.recorded.add(("sent_fact", ASKED, name))
            case "nonpaper.recorded":
                self.recorded.add((f"{fields['way']}_fact", RECORDED, name))

    def _references(self, way: str, name: _Name, fields: Mapping[str, str | int]) -> None:
        marked: set[_Mark] = set()
        answers: set[tuple[str, _Name]] = set()
        stage = _CORRECTIONS.get(str(fields.get("kind")))
        if stage is not None:
            marked = {(way, name[0], stage, int(fields["corrects"]), name[1])}
        if "reply_to" in fields:
            answers = {("received" if way == "sent" else "sent", (name[0], int(fields["reply_to"])))}
        if way == "received":
            self.beside[name] = (marked, answers - self.answers)
        self.corrections |= marked
        self.answers |= answers

    def _moved(self, name: _Name, new: int) -> None:
        """What it translates or corrects it does under its new serial, too."""
        links = {link for link in self.translated if link[0] == name[0] and link[3:] == ("sent", name[1])}
        self.translated |= {(*link[:4], new) for link in links}
        ours = {mark for mark in self.corrections if (*mark[:2], mark[4]) == ("sent", *name)}
        self.corrections |= {(*mark[:4], new) for mark in ours}

    def _unmark(self, name: _Name) -> None:
        """What came without authority stands for itself, and beside nothing."""
        marked, answers = self.beside.get(name, (set(), set()))
        self.corrections -= marked
        self.answers -= answers
        self.translated = {one for one in self.translated if (one[0], *one[3:]) != (name[0], "received", name[1])}

    def _translation(self, carrier: str, name: _Name, fields: Mapping[str, str | int]) -> None:
        if fields.get("kind") == "translation":
            own = (fields["grade"] == "courtesy") == (carrier == "sent")
            way = "sent" if own else "received"
            self.translated.add((name[0], way, int(fields["translates"]), carrier, name[1]))

    def _kind(self, name: _Name, kind: str, group: str) -> None:
        if kind == "void" and not group:
            self.gaps.add(name)
        if kind in ("test", "test-void"):
            self.unattended.add(name)
        if kind == "test":
            self.tests.add(("received", name[1]))


def rebuild(leaves: Iterable[Leaf]) -> Rebuilt:
    """All of it."""
    made = Rebuilt()
    for leaf in leaves:
        made.read(leaf)
    return made


def about(leaves: Iterable[Leaf], party: str, named: Collection[str]) -> Iterator[Leaf]:
    """The entries about `party` among several; without a name about the one that is none of those `named` (26.6)."""
    for leaf in leaves:
        whose = str(leaf.fields.get("party", party))
        if whose == party or (not party and whose not in named):
            yield leaf


def differences(made: Rebuilt, tables: Mapping[str, Sequence[Row]]) -> list[str]:
    """What the tables say and the ledger does not, or the other way round; one sentence each."""
    found = []
    for table, wanted in (("sent", made.sent), ("received", made.received), ("translation", made.kept)):
        stored = {_name(row): _hex(row["hash"]) for row in tables[table]}
        found += [f"{table} {_said(name)}: in the ledger, not in the table" for name in wanted.keys() - stored.keys()]
        found += [f"{table} {_said(name)}: in the table, not in the ledger" for name in stored.keys() - wanted.keys()]
        both = wanted.keys() & stored.keys()
        found += [
            f"{table} {_said(name)}: another statement" for name in both if wanted[name] not in ("", stored[name])
        ]
    found += _stages(made, tables["sent_fact"])
    facts = {"shown": made.shown, "read": made.opened}
    for stage, expected in facts.items():
        stored_facts = {_name(row) for row in tables["received_fact"] if row["stage"] == stage}
        found += _sets(f"received_fact {stage}", expected, stored_facts)
    marked = {
        (table, str(row["stage"]), _name(row))
        for table in ("sent_fact", "received_fact")
        for row in tables[table]
        if row["stage"] in _MARKS
    }
    found += [
        f"{table} {stage} {_said(name)}: in one of ledger and table only"
        for table, stage, name in sorted(marked ^ made.recorded)
    ]
    corrections = {_mark(row) for row in tables["correction"]}
    found += [f"correction {mark}: in one of ledger and table only" for mark in sorted(corrections ^ made.corrections)]
    links = {_link(row) for row in tables["translated"]}
    found += [f"translated {link}: in one of ledger and table only" for link in sorted(links ^ made.translated)]
    found += _ladder(made, tables["ladder"])
    branded = {(str(row["by"]), _name(row)) for row in tables["received_fact"] if row["stage"] == "authority"}
    found += [
        f"authority {verdict} {_said(name)}: in one of ledger and table only"
        for verdict, name in sorted(branded ^ made.authority)
    ]
    found += _sets("draft", set(), {_name(row) for row in tables["draft"]} - made.drafts)
    unread = made.shown - made.opened - made.unattended - made.gaps
    found += _sets("unread", unread, {_name(row) for row in tables["unread"]} - made.gaps)
    tests = {(str(row["way"]), int(str(row["serial"] or row["at"]))) for row in tables["channel_test"]}
    found += _sets("channel_test", made.tests, tests)
    pending = {_name(row) for row in tables["outbox"]}
    found += [f"outbox {_said(name)}: waits, and was never submitted" for name in pending - made.sent.keys()]
    custody = {_hex(row["hash"]) for row in tables["custody"]}
    found += [f"custody {name[:16]}: in one of ledger and table only" for name in custody ^ made.custody]
    return sorted(found + _counters(made, tables["counter"]))


def _stages(made: Rebuilt, rows: Sequence[Row]) -> list[str]:
    stored: dict[str, set[_Name]] = {stage: set() for stage in (*SentState, LEFT)}
    for row in rows:
        if row["stage"] not in _MARKS:
            stored[str(row["stage"])].add(_name(row))
    found = []
    for stage in ("read", "shown", "expired", "renumbered"):
        found += _sets(f"sent_fact {stage}", made.stages[stage], stored[stage])
    # A receipt for an empty statement, and custody of one, are entered and are no stage of what it took the place of.
    heard = made.stages["delivered"] | made.stages["read"]
    for stage, known in (("relayed", made.stages["relayed"]), ("delivered", heard), (LEFT, made.stages[LEFT])):
        found += [f"sent_fact {stage} {_said(name)}: the ledger has no receipt" for name in stored[stage] - known]
    replaced = made.stages["expired"] | made.stages["renumbered"]
    lost = made.stages["delivered"] - stored["delivered"] - replaced
    found += [f"sent_fact delivered {_said(name)}: only in the ledger" for name in lost & made.sent.keys()]
    return found


def _ladder(made: Rebuilt, rows: Sequence[Row]) -> list[str]:
    said = {(str(row["way"]), str(row["stage"]), _name(row)) for row in rows if row["stage"] not in _ANSWERS}
    found = [
        f"ladder {stage} {way} {_said(name)}: in one of ledger and table only"
        for way, stage, name in sorted(said ^ made.ladder)
    ]
    # The ledger holds the serial that an answer names; the table only what was sent under it.
    answered = {(str(row["way"]), _name(row)) for row in rows if row["stage"] in _ANSWERS}
    return found + [
        f"ladder answered {way} {_said(name)}: nothing in the ledger answers it"
        for way, name in sorted(answered - made.answers)
    ]


def _counters(made: Rebuilt, rows: Sequence[Row]) -> list[str]:
    counters = {str(row["name"]): row["value"] for row in rows}
    found = []
    for plane in Plane:
        through = 0
        while (plane, through + 1) in made.received:
            through += 1
        stored = counters.get(f"through:{plane}", 0)
        if stored != through:
            found.append(f"counter through:{plane}: {stored!r}, the ledger gives {through}")
        last = max((serial for where, serial in made.sent if where == plane), default=0)
        value = counters.get(f"sent:{plane}", 0)
        if not isinstance(value, int) or value < last:
            found.append(f"counter sent:{plane}: {value!r}, the ledger gives at least {last}")
    return found


def _sets(what: str, wanted: set[_Name], stored: set[_Name]) -> list[str]:
    found = [f"{what} {_said(name)}: only in the ledger" for name in wanted - stored]
    return found + [f"{what} {_said(name)}: only in the table" for name in stored - wanted]


def _name(row: Row) -> _Name:
    serial = row["serial"]
    return str(row["plane"]), serial if isinstance(serial, int) else 0


def _link(row: Row) -> _Link:
    serial, number = (value if isinstance(value, int) else 0 for value in (row["serial"], row["number"]))
    return str(row["plane"]), str(row["way"]), serial, str(row["carrier"]), number


def _mark(row: Row) -> _Mark:
    serial, by = (value if isinstance(value, int) else 0 for value in (row["serial"], row["by"]))
    return str(row["way"]), str(row["plane"]), str(row["stage"]), serial, by


def _said(name: _Name) -> str:
    return f"#{name[1]} ({name[0]})"


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else ""
