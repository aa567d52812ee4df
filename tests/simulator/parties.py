"""What must hold among several parties (docs/protocol.md section 26), beside what holds of each two of them:

| judge | promise |
|---|---|
| voice | what a party says to two has one serial, one content and one signature; an empty statement excepted (26.4) |
| receipt | delivered and read are told of that party alone that has it, or where a person has opened it (26.5) |
| accused | nobody is told that an honest party said two things, or keeps two ledgers (26.11, 26.12) |
| warned | a party with an old disk says nothing else under a serial of which one that it hears has heard (26.15) |
| convicted | who says two things, or shows two ledgers, is found out by both; others accept the evidence (26.14) |
| record | what the ledger says of each of the others is what its tables hold, and it gives its signed head (26.6) |

Forged, plane, twice, order, accepted, lost, told, settled, bounds and audit are as in judges.py, for each two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hotline.charter.parts import Charter, Terminal
from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.nodes import CHARTER
from hotline.drill.simulator.shelf import octets
from hotline.drill.simulator.world import World
from hotline.ledger.record import parse_leaf
from hotline.limits import GOSSIP_CLAIMS_MAX
from hotline.machine import Delivery, Output, Plane, Put, Reply
from hotline.protocol.heads import open_head
from hotline.protocol.neutral import VOIDS
from hotline.protocol.paths import PathState
from hotline.protocol.rebuild import REBUILT, about, differences, rebuild
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Row, scoped
from hotline.protocol.twowords import TwoWords, judge
from hotline.wire.v1 import content_pb2
from tests.simulator.audit import ledger_is_whole, memory_is_bounded, memory_is_tables
from tests.simulator.judges import Broken
from tests.simulator.stored import SAYS

ACCUSATIONS: Final = ("said-otherwise", "peer-fork", "peer-old-log")
_GOSSIPED: Final = (Plane.REAL, Plane.EXERCISE)
_SETTLED: Final = ("delivered", "expired", "renumbered")
Place = tuple[str, int]
"""Plane and serial."""


@dataclass
class Pair:
    """What one party knows of another, over all its runs; what people have seen follows its disk."""

    shown: dict[Place, str] = field(default_factory=dict)
    last: dict[tuple[str, int], int] = field(default_factory=dict)
    repeats: set[Place] = field(default_factory=set)
    held: set[tuple[str, int, bytes]] = field(default_factory=set)
    opened: set[Place] = field(default_factory=set)


class Parties:
    """Watches a world of several parties. Raises Broken naming the promise."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: dict[str, str] = {}
        """Text to sender, of all that was handed in."""
        self.accepted: dict[str, str] = {}
        self.restored: set[str] = set()
        self.liars: dict[str, set[str]] = {}
        """Who says two things, and what it said to one alone."""
        self.accused: Counter[tuple[str, str, str]] = Counter()
        """Who was told what of whom."""
        self.pairs = {(a, b): Pair() for a in world.endpoints for b in world.endpoints if a != b}
        """By reader and sender."""
        self._warned: dict[tuple[str, str], set[tuple[str, int]]] = {}
        """Of whoever got an old disk, by who knew of it then: what others were known to hold that was not here."""
        self._voices: dict[tuple[str, Place], tuple[object, object]] = {}
        world.on_delivery = self.on_delivery  # type: ignore[assignment]
        for node in self.nodes:
            self._watch(node)

    @property
    def nodes(self) -> list[ConferenceNode]:
        """The terminals."""
        return [node for node in self.world.endpoints.values() if isinstance(node, ConferenceNode)]

    def node(self, name: str) -> ConferenceNode:
        """A terminal."""
        node = self.world.endpoints[name]
        assert isinstance(node, ConferenceNode)
        return node

    @staticmethod
    def table(node: ConferenceNode, other: str, name: str) -> Mapping[Any, Row]:
        """A table of what a terminal has with one of the others."""
        return node.disk.tables.get(scoped(name, node.scope(other)), {})

    # --- disks -------------------------------------------------------------------------------------------------------

    def _watch(self, node: ConferenceNode) -> None:
        commit, crash, first = node.commit, node.crash, node.others[0].name

        def committed(batch: list[Output]) -> None:
            commit(batch)
            for change in (change for output in batch for change in output.changes if isinstance(change, Put)):
                table, _, party = change.table.partition("@")
                self._kept(node, party or first, table, change.row)

        def crashed() -> None:
            crash()
            for sender in self._others(node.name):
                self._warned.pop((sender, node.name), None)
            self._resync(node)

        node.commit, node.crash = committed, crashed  # type: ignore[method-assign]

    def _kept(self, node: ConferenceNode, other: str, table: str, row: Row) -> None:
        if table not in ("sent", "received", "unnoted"):
            return
        place = (str(row["plane"]), int(str(row["serial"])))
        if table == "unnoted":
            if row["stage"] == "read":
                self.pairs[node.name, other].opened.add(place)
            return
        if table == "received":
            if place in self._warned.get((other, node.name), ()) and not _is_empty(row):
                self._warned_of(other, node.name, place, row)
            self.pairs[node.name, other].held.add((*place, octets(row["hash"])))
        self._voice(node.name if table == "sent" else other, place, row)

    def _voice(self, sender: str, place: Place, row: Row) -> None:
        """Whoever has it, and wherever it lies: these bytes, under this signature."""
        if sender in self.restored or sender in self.liars or _is_empty(row):
            return
        words = (row["content"], row["signature"])
        if self._voices.setdefault((sender, place), words) != words:
            raise Broken("voice", f"{sender} said two things as {place[0]} #{place[1]}")

    def _warned_of(self, sender: str, reader: str, place: Place, row: Row) -> None:
        """It may still be what had been under way."""
        if any(
            (*place, octets(row["hash"])) in self.pairs[other, sender].held for other in self._others(reader, sender)
        ):
            return
        raise Broken(
            "warned", f"{sender} says another thing as #{place[1]} to {reader}, who knew that another holds it"
        )

    def _others(self, *names: str) -> list[str]:
        return [name for name in self.world.endpoints if name not in names]

    def on_restore(self, node: ConferenceNode) -> None:
        """An old disk is back."""
        for other in node.others:
            assert isinstance(other, ConferenceNode)
            known = other.conference.members.values() if other.conference is not None else ()
            gossips = [one._first.beats.gossip for one in known]
            claims = {key for gossip in gossips if gossip is not None for key in gossip._claims}
            # After a second loss what was said after the first one may be under way.
            fresh = node.name not in self.restored
            self._warned[node.name, other.name] = {(p, s) for n, p, s in claims if fresh and n == node.number}
        self.restored.add(node.name)
        self._resync(node)

    def _resync(self, node: ConferenceNode) -> None:
        for other in node.others:
            pair = self.pairs[node.name, other.name]
            pair.shown.clear()
            pair.last.clear()
            pair.repeats.clear()
            received = self.table(node, other.name, "received")
            for plane, serial, stage in self.table(node, other.name, "received_fact"):
                if stage == "repeat":
                    pair.repeats.add((plane, serial))
                if stage == "shown":
                    self._seen(pair, (plane, serial), _statement(received[plane, serial]))

    @staticmethod
    def _seen(pair: Pair, place: Place, statement: content_pb2.Statement) -> None:
        lane = (place[0], statement.precedence)
        pair.last[lane] = max(pair.last.get(lane, 0), place[1])
        pair.shown[place] = statement.text

    # --- what people are told ----------------------------------------------------------------------------------------

    def on_said(self, sender: str, text: str) -> None:
        """An officer hands something in."""
        self.said[text] = sender

    def on_accepted(self, node: ConferenceNode, plane: Plane, text: str, reply: Reply) -> None:
        """A terminal said `queued`: then it is owed to each of the others."""
        place = (plane.value, reply.fields["serial"])
        for other in node.others:
            row = self.table(node, other.name, "sent").get(place)
            if row is None or (node.name not in self.liars and _statement(row).text != text):
                raise Broken("accepted", f"{node.name} said queued of what {other.name} is not owed")
        self.accepted.setdefault(text, node.name)

    def on_delivery(self, node: ConferenceNode, delivery: Delivery) -> None:
        """A person is told something."""
        fields, party = delivery.fields, str(delivery.fields.get("party", ""))
        match delivery.kind:
            case "alarm" if fields["name"] in ACCUSATIONS:
                self._accused(node.name, party, str(fields["name"]))
            case "refused" if fields["reason"] == "third-party" and not self.liars:
                raise Broken("accused", f"{party} showed {node.name} what a third party never said")
            case "repeat":
                self.pairs[node.name, party].repeats.add((str(fields["plane"]), int(str(fields["serial"]))))
            case "received":
                self._received(node, party, (str(fields["plane"]), int(str(fields["serial"]))))
            case "sent":
                self._told(node, party, (str(fields["plane"]), int(str(fields["serial"]))), str(fields["state"]))

    def _accused(self, by: str, party: str, name: str) -> None:
        self.accused[by, party, name] += 1
        # What nobody who was heard had heard of may be said twice (26.15); a log is not signed twice (13.5).
        excused = party in self.restored and (name == "said-otherwise" or bool(self.liars))
        if party not in self.liars and not excused:
            raise Broken("accused", f"{by} was told of {party}, which is honest: {name}")

    def _received(self, node: ConferenceNode, sender: str, place: Place) -> None:
        pair, row = self.pairs[node.name, sender], self.table(node, sender, "received").get(place)
        if row is None:
            raise Broken("receipt", f"{node.name} was shown {sender}'s #{place[1]} before it was durable")
        if place in pair.shown:
            raise Broken("twice", f"{node.name} was shown {sender}'s #{place[1]} twice")
        statement = _statement(row)
        last = pair.last.get((place[0], statement.precedence), 0)
        if last >= place[1] and sender not in self.restored:
            raise Broken("order", f"{node.name} was shown {sender}'s #{place[1]} after #{last} of one precedence")
        self._seen(pair, place, statement)
        if statement.kind in SAYS:
            if self.said.get(statement.text) != sender and statement.text not in self.liars.get(sender, ()):
                raise Broken("forged", f"{node.name} was shown as {sender}'s what nobody there said")
            if statement.text[:4] != place[0][:4]:
                raise Broken("plane", "a statement changed its plane")

    def _told(self, node: ConferenceNode, party: str, place: Place, state: str) -> None:
        row, pair = self.table(node, party, "sent").get(place), self.pairs[party, node.name]
        if row is None or state not in ("delivered", "read"):
            return
        if (*place, octets(row["hash"])) not in pair.held:
            raise Broken("receipt", f"{node.name} was told {state} of {party} for #{place[1]}, which never held it")
        if state == "read" and place not in pair.opened:
            raise Broken("receipt", f"{node.name} was told read of {party} for #{place[1]}, which nobody there opened")

    # --- in the end --------------------------------------------------------------------------------------------------

    def paid(self) -> bool:
        """Whether nobody owes anybody anything, and all hear each other on every path."""
        for node in self.nodes:
            if node.conference is None or not node.up:
                return False
            for member in node.conference.members.values():
                ctx = member.context
                owes = any(outbox.pending for outbox in ctx.outboxes.values()) or len(ctx.reads)
                if owes or any(inbox.ahead for inbox in ctx.inboxes.values()):
                    return False
                if any(path.state is not PathState.UP for path in ctx.paths.values()):
                    return False
        return True

    def settled(self) -> bool:
        """The same, and relays hold nothing."""
        return self.paid() and not any(relay.disk.tables.get("mailbox") for relay in self.world.relays.values())

    def final(self) -> None:
        """Nothing lost, nothing left, every ledger whole."""
        for text, sender in self.accepted.items():
            for other in self.node(sender).others:
                self._became(text, self.node(sender), other.name)
        for node in self.nodes:
            for wrong in filter(None, self._wrong(node)):
                raise Broken("audit", f"{node.name}: {wrong}")

    def _became(self, text: str, node: ConferenceNode, reader: str) -> None:
        pair, twins = self.pairs[reader, node.name], self.liars.get(node.name, set())
        rows = self.table(node, reader, "sent")
        places = [place for place, row in rows.items() if _statement(row).text == text]
        if not places:
            if node.name not in self.restored and not twins:
                raise Broken("lost", f"{node.name} does not hold {text[:60]!r} any more")
            return
        stages = {str(key[2]) for key in self.table(node, reader, "sent_fact") if key[:2] in places}
        shown = [place for place, seen in pair.shown.items() if seen == text and place not in pair.repeats]
        if len(shown) > 1:
            raise Broken("twice", f"{reader} was shown {text[:60]!r} {len(shown)} times")
        if not shown and "expired" not in stages:
            raise Broken("lost", f"{reader} was never shown {text[:60]!r}, of which {node.name} knows {sorted(stages)}")
        if not stages & set(_SETTLED):
            raise Broken("told", f"{node.name} was never told what became of {text[:60]!r} at {reader}")
        if shown and "delivered" not in stages and node.name not in self.restored:
            raise Broken("told", f"{node.name} was not told that {reader} has {text[:60]!r}")

    def _wrong(self, node: ConferenceNode) -> Iterator[str]:
        assert node.conference is not None
        leaves = [parse_leaf(leaf) for leaf in node.disk.log.leaves]
        for other, member in node.conference.members.items():
            tables = {
                name: self.table(node, other, name) for name in (*REBUILT, "held", "unnoted", "prekey", "peer_epoch")
            }
            yield memory_is_tables(member.context, tables)
            yield memory_is_bounded(member.context)
            gossip = member._first.beats.gossip
            assert gossip is not None
            yield "too many claims are kept" if len(gossip._claims) > GOSSIP_CLAIMS_MAX else ""
            if node.name not in self.liars:
                rows = {name: list(tables[name].values()) for name in REBUILT}
                yield from differences(rebuild(about(leaves, other, ())), rows)
            yield from (f"rows are left in {name}" for name in ("outbox", "held", "unnoted") if tables[name])
            yield self._heads(node, other)
        yield ledger_is_whole(node)

    def _heads(self, node: ConferenceNode, other: str) -> str:
        """What is linked of an honest party's ledger is a beginning of that."""
        peer = self.node(other)
        if other in self.liars or other in self.restored:
            return ""
        rows = list(self.table(node, other, "peer_head").values())
        for row in rows:
            head = open_head(octets(row["linked"]), peer.log)
            if head.epoch != peer.disk.log.epoch or peer.disk.log.root_at(head.size) != head.root:
                return f"what it has linked of {other} is no beginning of its ledger"
        return "" if rows else f"it holds no head of {other}"

    # --- liars -------------------------------------------------------------------------------------------------------

    def undetected(self) -> list[str]:
        """Lies that somebody who has heard of them cannot prove yet."""
        return [wrong for liar in self.liars for wrong in self._unproven(self.node(liar))]

    def lies(self, liar: ConferenceNode) -> Iterator[Place]:
        """Serials under which two others hold two things."""
        one, other = [self.table(self.node(node.name), liar.name, "received") for node in liar.others]
        for place in one.keys() & other.keys():
            mine, theirs = one[place], other[place]
            if place[0] in _GOSSIPED and mine["hash"] != theirs["hash"] and not (_is_empty(mine) or _is_empty(theirs)):
                yield place

    def _unproven(self, liar: ConferenceNode) -> Iterator[str]:
        for place in self.lies(liar):
            for node in liar.others:
                told = self.table(self.node(node.name), liar.name, "told").get(place)
                if told is None:
                    yield f"{node.name} does not know that {liar.name} said two things as {place[0]} #{place[1]}"
                elif not self._convicts(liar, node.name, place, octets(told["content"])):
                    yield f"nobody would believe {node.name} that {liar.name} said two things as #{place[1]}"

    def _convicts(self, liar: ConferenceNode, holder: str, place: Place, told: bytes) -> bool:
        mine = self.table(self.node(holder), liar.name, "received")[place]
        other = content_pb2.Told.FromString(told)
        signed = (octets(mine["content"]), octets(mine["signature"])), (other.content, other.signature)
        return judge(TwoWords(liar.number, Plane(place[0]), signed), charter_of(self.world)) is not None


def charter_of(world: World) -> Charter:
    """As much of a charter as evidence is judged by."""
    parts: dict[str, Any] = dict.fromkeys(Charter.__dataclass_fields__, ())
    terminals = tuple(
        Terminal(node.number, node.party, node.terminal, node.signing.public, node.ledger_key.public, b"", "", "")
        for node in world.endpoints.values()
    )
    return Charter(**{**parts, "founding": CHARTER, "terminals": terminals})


def _statement(row: Row) -> content_pb2.Statement:
    return decode_statement(octets(row["content"]))


def _is_empty(row: Row) -> bool:
    return _statement(row).kind in VOIDS
