"""What must hold of watches that hand over, and of what operators say to operators (docs/protocol.md section 25).

| judge | promise |
|---|---|
| handover | a watch takes over what is open, by number, and by the signature of who takes it (25.9 to 25.11) |
| asked | what a record answers is so, it does answer, and nobody is told what nobody answered (25.6, 25.7) |
| listed | at every terminal a challenge is listed with the answers that are there, whatever came first (25.7) |
| watch | what is opened at one terminal is so at its siblings (23.5, 25.9), and all list the same promises (20.4) |
| talk | nothing of the service channel is a statement: no plane, authority or rung of one (25.1) |
| line | at most one piece of talk is on the line and in nobody's custody (25.3) |

The lists are made anew from the disk, and the alarms counted in the ledger: neither is what the terminal signs from.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import Any, Final

from hotline.crypto.signing import verify
from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.nodes import CHARTER, EndpointNode
from hotline.drill.simulator.world import World
from hotline.errors import Untrusted
from hotline.ledger.record import check_opening, parse_leaf
from hotline.machine import Delete, Delivery, Output, Plane, Put, Record, Reply
from hotline.protocol.asking import WORDS
from hotline.protocol.handover import LABEL, signed_parts
from hotline.protocol.tables import TABLES
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.offices import key_of
from tests.simulator.commits import watch_commits
from tests.simulator.judges import Broken, Judges
from tests.simulator.stored import statement_of
from tests.simulator.timers import every_ms

_CHALLENGE: Final = content_pb2.STATEMENT_KIND_CHALLENGE
_RECORD: Final = content_pb2.STATEMENT_KIND_RECORD_ANSWER
_WORD: Final = content_pb2.STATEMENT_KIND_OFFICER_ANSWER
TALK: Final = (_CHALLENGE, _RECORD, _WORD)
Talk = dict[int, tuple[object, content_pb2.Statement]]
"""Name and statement of what a disk holds of operators' talk one way, by serial."""
_LISTED: Final = ("counter", "unread", "outbox", "challenge", "promise")


class Watches:
    """Watches the same world as `judges`. Raises Broken naming the promise."""

    def __init__(self, world: World, judges: Judges) -> None:
        self.world, self.judges = world, judges
        self._every = every_ms(relay.profile for relay in world.relays.values())
        self._raised: dict[str, tuple[Disk, Counter[str]]] = {}
        self._answers: dict[str, set[tuple[str, int, str]]] = {name: set() for name in world.endpoints}
        """Who gave which answer to the challenge of which serial: the record, or an officer."""
        self._tell = world.on_delivery
        world.on_delivery = self._on_delivery
        for node in world.endpoints.values():
            self._watch(node)
        world.after(self._every, self._look)

    def _watch(self, node: EndpointNode) -> None:
        watch_commits(
            node,
            {
                "watch.handover": lambda node, batch, at, record: self._handed(node, batch[:at], batch[at]),
                "challenge.heard": lambda node, batch, at, record: self._answer(node, batch, record),
                "challenge.word": lambda node, batch, at, record: self._answer(node, batch, record),
            },
            self._count,
        )

    def _false(self, name: str) -> bool:
        return name in self.judges.cloned or name in self.judges.perjured

    # --- handover ----------------------------------------------------------------------------------------------------

    def on_handed(self, node: EndpointNode, reply: Reply, *, due: bool) -> None:
        """A terminal was given a signature that it must take, or must not."""
        if reply.ok != due:
            raise Broken("handover", f"{node.name} answers {reply.code} to a handover that is {due or 'not'} in order")

    def _since(self, node: EndpointNode) -> Counter[str]:
        """Alarms in the ledger since the last handover in it."""
        disk, raised = self._raised.get(node.name, (None, Counter()))
        if disk is not node.disk:
            raised = Counter()
            _add(raised, (parse_leaf(leaf) for leaf in node.disk.log.leaves if b'"alarm"' in leaf or b"watch." in leaf))
            self._raised[node.name] = node.disk, raised
        return raised

    def _count(self, node: EndpointNode, batch: Iterable[Output]) -> None:
        known = self._raised.get(node.name)
        if known is not None and known[0] is node.disk:
            _add(known[1], (record for output in batch for record in output.records))

    def _handed(self, node: EndpointNode, before: list[Output], output: Output) -> None:
        """A handover is about to be committed, after these outputs of the same batch."""
        disk = Disk({name: dict(node.disk.tables.get(name, {})) for name in _LISTED})
        raised = Counter(self._since(node))
        for earlier in before:
            _add(raised, earlier.records)
            for change in earlier.changes:
                if change.table in _LISTED:
                    disk.apply(change, TABLES[change.table].key)
        (row,) = [change.row for change in output.changes if isinstance(change, Put) and change.table == "handover"]
        wrong = _unlisted(json.loads(_kept(row)["list"]), disk, raised)
        if wrong:
            raise Broken("handover", f"{node.name} hands over {wrong}")
        gone = {change.table for change in output.changes if isinstance(change, Delete)} - {"raised"}
        if gone:
            raise Broken("handover", f"{node.name} drops {sorted(gone)} with a handover")

    def _entered(self, node: EndpointNode) -> None:
        """Each handover on the disk is one entry of the ledger, and signed by an officer of the party."""
        leaves = {}
        for (epoch, seq), openings in node.disk.log.openings.items():
            if any(opening.tag == "oncoming" for opening in openings):
                leaf = parse_leaf(node.disk.log.epochs[epoch].leaves[seq])
                if leaf.fields["number"] in leaves:
                    raise Broken("handover", f"{node.name} has two handovers of number {leaf.fields['number']}")
                leaves[leaf.fields["number"]] = leaf, openings
        rows = {int(str(serial)): row for (_, serial), row in node.disk.tables.get("handover", {}).items()}
        if sorted(rows) != sorted(leaves) or sorted(rows) != list(range(1, len(rows) + 1)):
            raise Broken("handover", f"{node.name} keeps handovers {sorted(rows)}, its ledger has {sorted(leaves)}")
        for number, row in rows.items():
            leaf, openings = leaves[number]
            kept, signature = _kept(row), row["signature"]
            assert isinstance(signature, bytes)
            listed = kept["list"].encode()
            said = {tag: kept[tag].encode() for tag in ("outgoing", "oncoming", "notes")}
            named = (leaf.fields["list"], leaf.fields["signature"])
            for opening in openings:
                check_opening(leaf, opening)
            if named != (hashlib.sha256(listed).hexdigest(), signature.hex()) or said != {
                opening.tag: opening.value for opening in openings
            }:
                raise Broken("handover", f"{node.name} keeps another handover {number} than its ledger has")
            parts = signed_parts(CHARTER, node.number, listed, kept["outgoing"], kept["notes"])
            try:
                verify(key_of(kept["oncoming"]).public, signature, LABEL, *parts)
            except Untrusted:
                raise Broken("handover", f"nobody has signed handover {number} of {node.name}") from None

    # --- challenges --------------------------------------------------------------------------------------------------

    def _answer(self, node: EndpointNode, batch: list[Output], record: Record) -> None:
        """What a terminal or its officer answers, and whether the disk bears the record out."""
        fields = record.fields
        by = "record" if record.kind == "challenge.heard" else "officer"
        serial, verdict = int(str(fields["serial"])), str(fields["verdict"])
        self._answers[node.name].add((by, serial, verdict))
        if by == "officer":
            return
        way, place = ("received" if fields["ours"] else "sent"), (fields["plane"], fields["of"])
        rows = [node.disk.tables.get(way, {}).get(place)]
        rows += [
            change.row
            for output in batch
            for change in output.changes
            if isinstance(change, Put) and change.table == way and (change.row["plane"], change.row["serial"]) == place
        ]
        names = {row["hash"].hex() if row is not None else None for row in rows}  # type: ignore[union-attr]
        known = fields["statement"] in names
        # Of ours an empty one that we would make in its place is known too, and on no disk.
        if verdict != "yes" and len(names) == 1 and known:
            raise Broken("asked", f"{node.name} answers {verdict} of #{fields['of']}, which its disk holds")
        if verdict == "yes" and not known and way == "received":
            raise Broken("asked", f"{node.name} answers yes of #{fields['of']}, which it does not hold")
        if verdict == "no" and names == {None} and int(str(fields["of"])) <= _through(node, way, str(fields["plane"])):
            raise Broken("asked", f"{node.name} denies #{fields['of']}, of which its disk has lost what it was")

    def _on_delivery(self, node: EndpointNode, delivery: Delivery) -> None:
        fields = delivery.fields
        if delivery.kind == "challenge-answered" and not self._false(node.peer):
            word = str(fields["by"]), int(str(fields["serial"])), str(fields["verdict"])
            others = [one.name for one in self.world.endpoints.values() if one.party != node.party]
            if not any(word in self._answers[name] for name in others):
                raise Broken("asked", f"{node.name} is told {word}, which nobody at {node.peer} has answered")
        elif delivery.kind == "received":
            self._received(node, fields)
        self._tell(node, delivery)

    # --- talk --------------------------------------------------------------------------------------------------------

    @staticmethod
    def _received(node: EndpointNode, fields: Any) -> None:
        plane, serial = str(fields["plane"]), fields["serial"]
        statement = statement_of(node, "received", node.disk.tables["received"][plane, serial])
        talk = plane == Plane.SERVICE.value
        if statement.kind in TALK and not talk:
            raise Broken("talk", f"{node.name} is shown #{serial}, which operators said, as a statement")
        if talk and (fields["authority"] or statement.precedence != content_pb2.PRECEDENCE_ROUTINE):
            raise Broken("talk", f"{node.name} is shown talk #{serial} with the authority of a statement")

    def _look(self) -> None:
        for node in self.world.endpoints.values():
            for ctx in node.machine.context.lines if node.machine is not None and node.up else ():
                pending = ctx.outboxes[Plane.SERVICE].pending.values()
                under_way = [item.serial for item in pending if item.in_window]
                if len(under_way) > 1:
                    raise Broken("line", f"{node.name} has talk {under_way} on the line and in nobody's custody")
        self.world.after(self._every, self._look)

    # --- in the end --------------------------------------------------------------------------------------------------

    def final(self) -> None:
        """What disks and ledgers must say of it when everything is paid."""
        for node in self.world.endpoints.values():
            if self._false(node.name) or node.name in self.judges.rewritten:
                continue
            self._entered(node)
            self._lists(node)
            self._knows_answers(node)
            for table in ("ladder", "promise", "waiting", "translation", "nonpaper"):
                for row in node.disk.tables.get(table, {}).values():
                    if row["plane"] == Plane.SERVICE.value and row.get("stage") != "answered":
                        raise Broken("talk", f"{node.name} keeps talk #{row['serial']} in {table}")
        honest = [one for one in self.world.endpoints.values() if not self._false(one.name)]
        for party in dict.fromkeys(node.party for node in self.world.endpoints.values()):
            self._one_watch([node for node in self.world.endpoints.values() if node.party == party])
        for node, other in combinations(honest, 2):
            if node.party != other.party and not (self.judges.restored or self.judges.rewritten):
                self._one_list((node, "sent"), (other, "received"))
                self._one_list((node, "received"), (other, "sent"))

    def _lists(self, node: EndpointNode) -> None:
        """Whoever took over now would sign for what the disk says."""
        if node.machine is None or node._waiting or node._committing:
            return
        disk = Disk({name: node.disk.tables.get(name, {}) for name in _LISTED})
        wrong = _unlisted(json.loads(node.machine.handovers.listed()), disk, self._since(node))
        if wrong:
            raise Broken("handover", f"{node.name} would hand over {wrong}")

    def _knows_answers(self, node: EndpointNode) -> None:
        """Each challenge on a disk is listed there, with an answer of each kind that the talk on it gives."""
        sent, received = _talk(node, "sent"), _talk(node, "received")
        self._compare(node, "asked", sent, received, {"record": _RECORD, "officer": _WORD})
        # What one's own record says is known before anybody says it.
        self._compare(node, "heard", received, sent, {"officer": _WORD})
        several = len(self.world.endpoints) > 2  # else procedure.py judges of it
        for (way, serial), row in node.disk.tables.get("challenge", {}).items():
            ended = any((Plane.SERVICE.value, serial, stage) in node.disk.stages for stage in ("expired", "renumbered"))
            silent = way == "asked" and not (row["record"] or ended)
            if several and silent and not self.judges.restored:
                raise Broken("asked", f"no record of the peer has answered challenge #{serial} of {node.name}")

    @staticmethod
    def _compare(node: EndpointNode, way: str, asked: Talk, answers: Talk, columns: dict[str, int]) -> None:
        listed, stages = node.disk.tables.get("challenge", {}), node.disk.stages
        for serial, (name, challenge) in asked.items():
            moved = way == "asked" and (Plane.SERVICE.value, serial, "renumbered") in stages
            if challenge.kind != _CHALLENGE:
                continue
            if moved and (way, serial) in listed:
                raise Broken("listed", f"{node.name} lists challenge #{serial}, which goes on under another number")
            if moved:
                continue
            if (way, serial) not in listed:
                raise Broken("listed", f"{node.name} does not list challenge #{serial}, which it has {way}")
            replies = [
                answer
                for _, answer in answers.values()
                if (answer.in_reply_to.serial, answer.in_reply_to.statement) == (serial, name)
            ]
            for column, kind in columns.items():
                given = {WORDS[answer.verdict] for answer in replies if answer.kind == kind}
                found = listed[way, serial][column]
                if found not in (given or {""}):
                    text = f"{node.name} lists {found!r} as what the {column} answered challenge #{serial} {way}"
                    raise Broken("listed", f"{text}, the talk there has {sorted(given)}")

    def _one_watch(self, terminals: list[EndpointNode]) -> None:
        """What officers have opened and promised at one terminal of a party they need not at another."""
        if {node.name for node in terminals} & self.judges.restored:
            return
        restored = self.judges.restored
        for node, other in combinations(terminals, 2):
            held, there = (one.disk.tables.get("received", {}) for one in (node, other))
            same = {place for place, row in held.items() if place in there and there[place]["hash"] == row["hash"]}
            unread, also = (set(one.disk.tables.get("unread", {})) & same for one in (node, other))
            if unread != also:
                place = min(unread ^ also, key=repr)
                raise Broken("watch", f"{place} is opened at one of {node.name} and {other.name}, and not at the other")
            if not restored:
                for way in ("sent", "received"):
                    self._one_list((node, way), (other, way))

    @staticmethod
    def _one_list(here: tuple[EndpointNode, str], there: tuple[EndpointNode, str]) -> None:
        """Who knows a statement as sent or received lists the same as promised of it (20.4, 23.5)."""
        owed, owed_there = _promised(*here, *there), _promised(*there, *here)
        if owed != owed_there:
            names = here[0].name, there[0].name
            raise Broken("watch", f"{names[0]} lists promises {owed} of {here[1]}, {names[1]} lists {owed_there}")


def _talk(node: EndpointNode, way: str) -> Talk:
    rows = node.disk.tables.get(way, {})
    service = {int(str(serial)): row for (plane, serial), row in rows.items() if plane == Plane.SERVICE.value}
    return {serial: (row["hash"], statement_of(node, way, row)) for serial, row in service.items()}


def _promised(node: EndpointNode, way: str, other: EndpointNode, known_as: str) -> dict[tuple[object, ...], object]:
    """What is listed as promised of statements sent, or received, under whose serials `other` holds nothing else."""
    held, there = node.disk.tables.get(way, {}), other.disk.tables.get(known_as, {})
    listed = {}
    for (listed_way, *place), row in node.disk.tables.get("promise", {}).items():
        names = {table[tuple(place)]["hash"] for table in (held, there) if tuple(place) in table}
        if listed_way == way and len(names) == 1:  # of what it holds otherwise a terminal enters nothing (23.5)
            listed[tuple(place)] = row["until"]
    return listed


def _kept(row: Any) -> dict[str, str]:
    kept: dict[str, str] = json.loads(row["content"])
    return kept


def _add(raised: Counter[str], records: Iterable[Any]) -> None:
    """Count the alarms among records or leaves; a handover begins anew, and what its own step rings is of the next."""
    for record in records:
        kind = record.kind if isinstance(record, Record) else record.type
        if kind == "alarm":
            raised[str(record.fields["name"])] += 1
        elif kind == "watch.handover":
            raised.clear()


def _through(node: EndpointNode, way: str, plane: str) -> int:
    row = node.disk.tables.get("counter", {}).get((f"{'through' if way == 'received' else 'sent'}:{plane}",))
    return 0 if row is None else int(str(row["value"]))


def _unlisted(listed: dict[str, Any], disk: Disk, raised: Counter[str]) -> str:
    """What the list of a handover says otherwise than disk and ledger."""
    counters = {name: row["value"] for (name,), row in disk.tables["counter"].items()}
    if listed["number"] != int(str(counters.get("handover", 0))) + 1:
        return f"number {listed['number']} after {counters.get('handover', 0)}"
    for plane in Plane:
        known = listed["planes"][plane.value]
        for name, table in (("unread", "unread"), ("waiting", "outbox")):
            open_ = sorted(serial for where, serial in disk.tables[table] if where == plane.value)  # type: ignore[type-var]
            told = known[name] if name == "unread" else [item[0] for item in known[name]]
            more = known["unread_more"] if name == "unread" else 0
            if open_[: len(open_) - more] != told:
                return f"{plane.value}: {name} is {known[name]} and {more} more, on the disk {open_}"
        through = [known["sent_through"], known["received_through"]]
        if through != [counters.get(f"{way}:{plane.value}", 0) for way in ("sent", "through")]:
            return f"{plane.value}: {through}, which the disk does not say"
    owed = sorted([row["way"], row["serial"]] for row in disk.tables["challenge"].values() if not row["officer"])
    if owed != sorted(listed["challenges"]):
        return f"challenges {listed['challenges']}, on the disk {owed}"
    columns = ("way", "plane", "serial", "until")
    promised = sorted([row[column] for column in columns] for row in disk.tables["promise"].values())  # type: ignore[type-var]
    if promised != sorted(item[:4] for item in listed["promises"]):
        return f"promises {listed['promises']}, on the disk {promised}"
    if dict(raised) != listed["alarms"]:
        return f"alarms {listed['alarms']}, in the ledger {dict(raised)}"
    return ""
