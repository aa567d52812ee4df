"""What must hold where parties have several terminals (docs/protocol.md section 23); all those of the peer are readers.

| judge | promise |
|---|---|
| speaker | nobody gives out a serial in a term that it has not begun; in the end all know one speaker (23.1, 23.2) |
| order | each is shown after its predecessor, what one terminal says of one precedence in its order (12.5, 23.17) |
| twice | no terminal shows a text twice, whoever said it (23.6) |
| lost | what is on a disk is shown by every terminal of the peer, or its operator is told of it (23.4, 23.6) |
| told | what the peer shows is delivered at each terminal that holds it, also if it had expired there (23.4, 23.5) |
| legal | a stage is told once (23.4, 23.5) |
| serial | a new serial lies above all that its terminal holds of its party (23.2) |
| record | siblings hold the same under each serial; two things only if two said them, and that is noticed (23.8) |

Forged, plane, receipt, key, accepted, settled and audit are as in judges.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Output, Plane, Reply, RequestId
from hotline.protocol.events import SetTerminal
from hotline.protocol.neutral import VOIDS
from hotline.protocol.paths import PathState
from hotline.wire.v1 import content_pb2
from tests.simulator.audit import leaves_are_whole, memory_is_disk
from tests.simulator.judges import Accepted, Broken, Judges
from tests.simulator.stored import SAYS, lane_of, statement_of, words_of

_DONE = ("delivered", "expired", "renumbered")


@dataclass
class Voices:
    """What records say of the terminals of one party."""

    begun: set[tuple[int, int]] = field(default_factory=set)
    """Terms, and who began them."""
    doubled: set[tuple[str, int]] = field(default_factory=set)
    """Serials that two of them gave out, as somebody has noticed."""


class Company(Judges):
    """Watches a world with more than two terminals. Raises Broken naming the promise."""

    def __init__(self, world: World) -> None:
        self.voices = {party: Voices() for party in ("ALPHA", "BRAVO")}
        self._mirrored: dict[str, set[str | int]] = {name: set() for name in world.endpoints}
        self._given: dict[tuple[str, str], int] = {}
        """Of each terminal and plane: the highest serial of its party in its record."""
        self._last: dict[tuple[str, str, int, str], dict[int, int]] = {}
        """The highest serial that a terminal has shown, of a plane, a lane, an author and each of its terms."""
        self._once: set[tuple[str, str, int, str]] = set()
        """What each terminal was told of each statement."""
        super().__init__(world)

    def _watch(self, node: EndpointNode) -> None:
        super()._watch(node)
        commit, party = node.commit, node.party
        other = "BRAVO" if party == "ALPHA" else "ALPHA"

        def committed(batch: list[Output]) -> None:
            commit(batch)
            for record in (record for output in batch for record in output.records):
                fields = record.fields
                self._above(node, record.kind, fields)
                if record.kind == "terminal.takeover":
                    self._begins(node, int(str(fields["term"])))
                elif record.kind in ("mirror.conflict", "mirror.refused"):
                    self.voices[party].doubled.add((str(fields["plane"]), int(str(fields["serial"]))))
                elif record.kind == "msg.conflict":
                    self.voices[other].doubled.add((str(fields["plane"]), int(str(fields["serial"]))))

        node.commit = committed  # type: ignore[method-assign]

    def _begins(self, node: EndpointNode, term: int) -> None:
        begun = self.voices[node.party].begun
        before = max((one for one, number in begun if number == node.number), default=0)
        if term <= before and not (term and node.name in self.restored):
            raise Broken("speaker", f"{node.name} begins term {term} after {before}")
        begun.add((term, node.number))

    def _above(self, node: EndpointNode, kind: str, fields: Mapping[str, str | int]) -> None:
        if kind not in ("msg.submit", "msg.mirrored", "msg.renumbered"):
            return
        key = (node.name, str(fields["plane"]))
        serial, top = int(str(fields["new" if kind == "msg.renumbered" else "serial"])), self._given.get(key, 0)
        # What a sibling has renumbered is entered so too, after it was mirrored.
        moved = kind == "msg.renumbered" and fields["new"] in self._mirrored[node.name]
        if kind == "msg.mirrored":
            self._mirrored[node.name].add(fields["serial"])
        elif serial <= top and not moved:
            raise Broken("serial", f"{node.name} gives out #{serial}, and its record has #{top}")
        self._given[key] = max(top, serial)

    def of(self, party: str) -> list[EndpointNode]:
        """The terminals of a party."""
        return [node for node in self.world.endpoints.values() if node.party == party]

    def _terminal(self, number: int) -> EndpointNode:
        return next(node for node in self.world.endpoints.values() if node.number == number)

    def _readers(self, node: EndpointNode) -> list[EndpointNode]:
        return [one for one in self.world.endpoints.values() if one.party != node.party]

    def _lost_state(self, party: str) -> bool:
        return any(node.name in self.restored for node in self.of(party))

    # --- what people are told ----------------------------------------------------------------------------------------

    def on_said(self, sender: str, text: str) -> None:
        self.said[text] = self.world.endpoints[sender].party

    def on_accepted(self, node: EndpointNode, plane: Plane, text: str, reply: Reply) -> None:
        row = node.disk.tables.get("sent", {}).get((plane.value, reply.fields["serial"]))
        statement = None if row is None else statement_of(node, "sent", row)
        if statement is None or words_of(statement) != text:
            raise Broken("accepted", f"{node.name} said queued of what is not on its disk")
        self.accepted.setdefault(text, Accepted(node.name, text))
        first = min(one.number for one in self.of(node.party))
        if (statement.term, node.number) not in {(0, first), *self.voices[node.party].begun}:
            raise Broken("speaker", f"{node.name} speaks in term {statement.term}, which it has not begun")

    def _received(self, node: EndpointNode, delivery: Delivery) -> None:
        plane, serial = str(delivery.fields["plane"]), int(str(delivery.fields["serial"]))
        row = node.disk.tables["received"].get((plane, serial))
        if row is None:
            raise Broken("receipt", f"{node.name} was shown #{serial} before it was durable")
        statement, shown = statement_of(node, "received", row), self.shown[node.name]
        if (plane, serial) in shown.texts:
            raise Broken("twice", f"{node.name} was shown #{serial} twice")
        self._in_order(node, plane, statement)
        shown.texts[plane, serial] = words_of(statement)
        if statement.kind in SAYS:
            party = next(iter(self._readers(node))).party
            if self.said.get(statement.text) != party:
                raise Broken("forged", f"{node.name} was shown a statement that nobody said")
            if statement.text[:4] != plane[:4]:
                raise Broken("plane", "a statement changed its plane")

    def _in_order(self, node: EndpointNode, plane: str, statement: content_pb2.Statement) -> None:
        shown, serial, previous = self.shown[node.name], statement.serial, statement.previous_in_precedence
        voice = node.disk.tables.get("voice", {}).get((plane, "received", serial))
        if voice is None:
            raise Broken("record", f"{node.name} does not know which terminal said #{serial}")
        if previous and (plane, previous) not in shown.texts:
            raise Broken("order", f"{node.name} was shown #{serial} before #{previous}, its predecessor")
        author, last = str(voice["terminal"]), self._note(node, plane, statement, str(voice["terminal"]))
        fork = last > serial and self._forked(node, (plane, last), serial, author)
        if last > serial and not fork and author not in self._restored_voices():
            raise Broken("order", f"{node.name} was shown #{serial} of {author} after #{last}")

    def _forked(self, node: EndpointNode, place: tuple[str, int], first: int, author: str) -> bool:
        """Whether the reader holds something else of that precedence in the place of a predecessor (23.17)."""
        writer = next(one for one in self.world.endpoints.values() if f"{one.party}/{one.terminal}" == author)
        said, held = writer.disk.tables.get("sent", {}), node.disk.tables.get("received", {})
        while place[1] > first and place in said:
            statement = statement_of(writer, "sent", said[place])
            place = (place[0], statement.previous_in_precedence)
            if place in said and place in held and said[place]["hash"] != held[place]["hash"]:
                return lane_of(statement_of(node, "received", held[place])) == lane_of(statement)
        return False

    def _note(self, node: EndpointNode, plane: str, statement: content_pb2.Statement, author: str) -> int:
        """What this author said last of this lane, until this term, as far as this terminal has shown it.

        An empty statement names no term, and may be signed by a sibling: its predecessor is all that it has.
        """
        if statement.kind in VOIDS:
            return 0
        terms = self._last.setdefault((node.name, plane, lane_of(statement), author), {})
        last = max((serial for term, serial in terms.items() if term <= statement.term), default=0)
        terms[statement.term] = max(terms.get(statement.term, 0), statement.serial)
        return last

    def _restored_voices(self) -> set[str]:
        nodes = (self.world.endpoints[name] for name in self.restored)
        return {f"{node.party}/{node.terminal}" for node in nodes}

    def _resync(self, node: EndpointNode) -> None:
        super()._resync(node)
        for key in [key for key in self._last if key[0] == node.name]:
            del self._last[key]
        tables = node.disk.tables
        for place in self.shown[node.name].texts:
            voice, row = tables["voice"][place[0], "received", place[1]], tables["received"][place]
            self._note(node, place[0], statement_of(node, "received", row), str(voice["terminal"]))
        for plane in Plane:
            held = [int(str(serial)) for of, serial in tables.get("sent", {}) if of == plane.value]
            self._given[node.name, plane.value] = max(held, default=0)

    def _told(self, node: EndpointNode, delivery: Delivery) -> None:
        plane, serial, state = str(delivery.fields["plane"]), delivery.fields["serial"], str(delivery.fields["state"])
        row = node.disk.tables.get("sent", {}).get((plane, serial))
        if row is None:
            raise Broken("record", f"{node.name} was told {state} for #{serial}, which it does not hold")
        step = (node.name, plane, int(str(serial)), state)
        if step in self._once and state != "relayed" and node.name not in self.crashed | self.restored:
            raise Broken("legal", f"{node.name} was told {state} for #{serial} twice")
        self._once.add(step)
        if state not in ("delivered", "read"):
            return
        readers = [one.name for one in self._readers(node)]
        if not any((plane, serial, row["hash"]) in self._ever_held[name] for name in readers):
            raise Broken("receipt", f"{node.name} was told {state} for #{serial}, which no terminal of the peer held")
        if state == "read" and not any((plane, serial) in self._ever_read[name] for name in readers):
            raise Broken("receipt", f"{node.name} was told read for #{serial}, which nobody over there opened")

    def _recall_told(self, node: EndpointNode) -> None:
        """What each terminal was told is looked at on its disk; what that holds is owed, answered for or not."""
        for row in node.disk.tables.get("sent", {}).values():
            statement = statement_of(node, "sent", row)
            text = words_of(statement)
            if statement.kind in SAYS and self.said.get(text) == node.party:
                self.accepted.setdefault(text, Accepted(node.name, text))

    # --- in the end --------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """After the storm somebody speaks for each party again."""
        for party in self.voices:
            known = {node: node.machine.standing for node in self.of(party) if node.machine is not None}
            knows = max(known, key=lambda node: known[node].turn, default=None)
            # One that has not heard yet that it was followed speaks only until it hears that.
            if knows is not None and not any(one.active and one.turn == known[knows].turn for one in known.values()):
                knows.ask(lambda number: SetTerminal(RequestId(number), "duty", True), lambda _: None)

    def paid(self) -> bool:
        """Whether no terminal owes another anything, all hear each other on every path, and all know who speaks."""
        for node in self.world.endpoints.values():
            if node.machine is None or not node.up:
                return False
            for ctx in node.machine.context.lines:
                if any(outbox.pending for outbox in ctx.outboxes.values()) or len(ctx.reads):
                    return False
                if any(inbox.ahead for inbox in ctx.inboxes.values()):
                    return False
                there = self._terminal(ctx.setup.remote.number)
                if any(path.state is not PathState.UP for name, path in ctx.paths.items() if there.dials(name)):
                    return False
        return not any(self._speakers())

    def _speakers(self) -> Iterator[str]:
        machines = [node.machine for node in self.world.endpoints.values() if node.machine is not None]
        for party in self.voices:
            turns = {machine.standing.turns[party] for machine in machines}
            if len(turns) > 1:
                yield f"terminals know {len(turns)} speakers of {party}"
        for party in self.voices:
            active = [node.name for node in self.of(party) if node.machine is not None and node.machine.standing.active]
            if len(active) != 1:
                yield f"{' and '.join(active) or 'nobody'} speaks for {party}"

    def final(self, forked: set[str], doubled: set[str]) -> None:
        """Nothing lost, one record, one speaker."""
        for wrong in self._speakers():
            raise Broken("speaker", wrong)
        for text, item in self.accepted.items():
            self._became(text, self.world.endpoints[item.sender])
        for party in self.voices:
            self._one_record(party)
        for node in self.world.endpoints.values():
            wrong = leaves_are_whole(node) or memory_is_disk(node)
            if wrong:
                raise Broken("audit", f"{node.name}: {wrong}")

    def _became(self, text: str, sender: EndpointNode) -> None:
        states = {node.name: self._states(node, text) for node in self.of(sender.party)}
        held = {name: state for name, state in states.items() if state is not None}
        shown = {
            node.name: sum(
                1 for place, seen in self.shown[node.name].texts.items()
                if seen == text and place not in self.shown[node.name].repeats
            )
            for node in self._readers(sender)
        }  # fmt: skip
        if any(count > 1 for count in shown.values()):
            raise Broken("twice", f"{shown} times {text[:60]!r} was shown")
        if not held and not any(shown.values()) and sender.name not in self.restored:
            raise Broken("lost", f"no terminal of {sender.party} holds {text[:60]!r} any more")
        lacking = [
            name for name, count in shown.items() if not count and not self._has_another(name, sender.party, text)
        ]
        delivered = any("delivered" in state for state in held.values())
        if held and lacking and (delivered or not any("expired" in state for state in held.values())):
            raise Broken("lost", f"{text[:60]!r} is {held} and {lacking[0]} does not show it")
        for name, state in held.items():
            came = any(shown.values()) and not self._said_elsewhere(self.world.endpoints[name], text)
            if not state or (came and "delivered" not in state):
                raise Broken("told", f"{name} was told {state or 'nothing'} of {text[:60]!r}, shown {shown}")

    @staticmethod
    def _said_elsewhere(node: EndpointNode, text: str) -> bool:
        """Whether it was told that a sibling says it under a serial for which this record has another (23.18)."""
        sent, facts = node.disk.tables.get("sent", {}), node.disk.tables.get("sent_fact", {})
        ended = [key[:2] for key, row in facts.items() if str(row["by"]).startswith("said again by ")]
        return any(words_of(statement_of(node, "sent", sent[place])) == text for place in ended)

    def _has_another(self, reader: str, party: str, text: str) -> bool:
        """Whether a reader holds under a serial of this text an empty statement, or what another terminal said."""
        rows = self.world.endpoints[reader].disk.tables.get("received", {})
        return any(
            place in rows and rows[place]["hash"] != row["hash"]
            for node in self.of(party)
            for place, row in node.disk.tables.get("sent", {}).items()
            if words_of(statement_of(node, "sent", row)) == text
        )

    @staticmethod
    def _states(node: EndpointNode, text: str) -> set[str] | None:
        """What a terminal was told of a text under all its serials; None if it does not hold it."""
        rows = node.disk.tables.get("sent", {})
        places = [place for place, row in rows.items() if words_of(statement_of(node, "sent", row)) == text]
        stages = node.disk.stages
        return {stage for place in places for stage in _DONE if (*place, stage) in stages} if places else None

    def _one_record(self, party: str) -> None:
        """Under each serial the terminals hold the same; one that lacks what is delivered has lost it."""
        for way, terminals in (("sent", self.of(party)), ("received", self._readers(self.of(party)[0]))):
            tables = {node.name: node.disk.tables.get(way, {}) for node in terminals}
            for place in {place for rows in tables.values() for place in rows}:
                plane, serial = str(place[0]), int(str(place[1]))
                said = self._said_at(terminals, way, place)
                if len(said) > 1 and not self._two_spoke(party, plane, serial, list(said.values())):
                    raise Broken("record", f"{way} {plane} #{serial} is another at each of {', '.join(tables)}")
                lacking = [name for name, rows in tables.items() if place not in rows]
                if lacking and (
                    way == "received" or any((*place, "delivered") in one.disk.stages for one in terminals)
                ):
                    raise Broken("record", f"{lacking[0]} lacks {way} {plane} #{serial}")

    def _said_at(self, terminals: list[EndpointNode], way: str, place: tuple[object, ...]) -> dict[object, str]:
        """Names of what these hold there that says something, and who said it: empty ones came to some only (23.5)."""
        said: dict[object, str] = {}
        for node in terminals:
            row = node.disk.tables.get(way, {}).get(place)
            if row is not None and statement_of(node, way, row).kind not in VOIDS:
                voice = node.disk.tables.get("voice", {}).get((place[0], way, place[1]))
                said[row["hash"]] = f"{node.party}/{node.terminal}" if voice is None else str(voice["terminal"])
        return said

    def _two_spoke(self, party: str, plane: str, serial: int, authors: list[str]) -> bool:
        """Whether these are of as many terminals, or of one that forgot what it had said, and somebody has noticed."""
        twice = {author for author in authors if authors.count(author) > 1}
        return twice <= self._restored_voices() and (plane, serial) in self.voices[party].doubled
