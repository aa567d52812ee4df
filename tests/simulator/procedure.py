"""What must hold of what officers do beside saying and reading (officers.py).

| judge | promise |
|---|---|
| rung | SHOWN and an answer's promise are told only where somebody over there has said so (20.2, 20.3) |
| overdue | an answer that is owed rings once on each side, and only when its time has come (20.5) |
| presence | a word that is told was said, and not before one that was told; in the end each holds the other's (18.2) |
| correction | a correction is unread until somebody opens it, and what it corrects is marked (8.10) |
| replaced | a statement that is kept stays what it is, whatever is translated or corrected (21.1) |
| non-paper | what is said without prejudice leaves no text, name or commitment in either ledger (22.3, 22.5) |
| challenge | each is answered, or told of as unanswered, once for each who owes an answer (25.8) |
| denied | no record denies what its side has said or received (25.6) |
| authority | nothing is shown as released that nobody released, and what lacks it never without a word (19.5) |
| rebuilt | the tables are what the ledger says (13.3) |

A judge who must know what a terminal still remembers says nothing of terminals that were restored, cloned or that lie.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.shelf import Shelf
from hotline.drill.simulator.world import World
from hotline.ledger.record import parse_leaf
from hotline.limits import CHALLENGE_RECORD_PATIENCE
from hotline.machine import Delivery, Output, Plane, Put
from hotline.protocol.neutral import CORRECTING, NON_PAPER, UNATTENDED, VOIDS
from hotline.protocol.nonpapers import is_sealed
from hotline.protocol.presence import presence_word
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.protocol.release import RELEASED
from hotline.wire.v1 import content_pb2
from tests.simulator.charters import FORMER, LATER
from tests.simulator.judges import Broken, Judges
from tests.simulator.stored import statement_of

_PATIENCE: Final = 10_000
"""Two commits on the slowest disk, and a tick."""
_LONGEST: Final = 60_000
"""No officer promises an answer for later."""
Rung = tuple[str, int, str, object, int]
"""Plane, serial, stage, name of the statement, and until when."""


class Procedure:
    """Watches the same world as `judges`. Raises Broken naming the promise."""

    def __init__(self, world: World, judges: Judges) -> None:
        self.world, self.judges = world, judges
        self.said: dict[str, set[Rung]] = {name: set() for name in world.endpoints}
        self.words: dict[str, list[tuple[str, int]]] = {name: [("alive", 0)] for name in world.endpoints}
        self._told_word: dict[str, int] = dict.fromkeys(world.endpoints, 0)
        self.released: set[str] = set()
        """Texts that two officers have signed."""
        self.rung: Counter[tuple[str, ...]] = Counter()
        self._promised: dict[tuple[str, ...], int] = {}
        self._started: dict[str, int] = dict.fromkeys(world.endpoints, 0)
        self._tell = world.on_delivery
        world.on_delivery = self._on_delivery
        for node in world.endpoints.values():
            self._watch(node)

    def _watch(self, node: EndpointNode) -> None:
        commit, start = node.commit, node.start

        def committed(batch: list[Output]) -> None:
            for output in batch:
                self._entries(node, output)
                for change in output.changes:
                    if isinstance(change, Put):
                        self._before(node, change)
            commit(batch)

        def started() -> None:
            start()
            self._started[node.name] = self.world.time
            machine = node.machine
            if machine is not None:  # an old disk has an old word, which its terminal says from now on
                self.words[node.name].append((presence_word(machine.presence.word), machine.presence.until))

        node.commit, node.start = committed, started  # type: ignore[method-assign]

    def _doubtful(self, *names: str) -> bool:
        """Whether one of these has lost state, or is not what it says it is."""
        judges = self.judges
        return bool({*judges.restored, *judges.cloned, *judges.perjured, *judges.rewritten} & set(names))

    def _false(self, name: str) -> bool:
        return name in self.judges.cloned or name in self.judges.perjured

    # --- what is committed -------------------------------------------------------------------------------------------

    def _entries(self, node: EndpointNode, output: Output) -> None:
        sealed = {
            (change.row["plane"], change.row["serial"])
            for change in output.changes
            if isinstance(change, Put) and change.table in ("sent", "received") and _is_sealed(change.row["content"])
        }
        for record in output.records:
            fields = record.fields
            if record.kind == "presence.set":
                self.words[node.name].append((str(fields["presence"]), int(str(fields["until"]))))
            elif record.kind in ("msg.submit", "msg.recv") and (fields["plane"], fields["serial"]) in sealed:
                raise Broken(
                    "non-paper", f"{node.name} enters #{fields['serial']}, said without prejudice, as of record"
                )

    def _before(self, node: EndpointNode, change: Put) -> None:
        """One row, before it is on the disk."""
        row = change.row
        if change.table == "unnoted":
            place = str(row["plane"]), int(str(row["serial"])), str(row["stage"])
            self.said[node.name].add((*place, row["hash"], int(str(row["until"]))))
        elif change.table == "promise":
            key = (node.name, *(str(row[column]) for column in ("way", "plane", "serial", "until")))
            self._promised.setdefault(key, self.world.time)
        elif change.table in ("received", "sent"):
            before = node.disk.tables.get(change.table, {}).get((row["plane"], row["serial"]))
            if before is not None and before["content"] != row["content"]:
                raise Broken("replaced", f"{node.name}: {change.table} #{row['serial']} is another text than before")
            if not _is_sealed(row["content"]) and statement_of(node, change.table, row).kind == NON_PAPER:
                raise Broken("non-paper", f"{node.name} keeps {change.table} #{row['serial']} as if it were of record")

    # --- what people are told ----------------------------------------------------------------------------------------

    def _on_delivery(self, node: EndpointNode, delivery: Delivery) -> None:
        fields = delivery.fields
        match delivery.kind:
            case "sent" if fields["state"] == "shown":
                self._hears(node, fields, "shown", 0)
                return  # what is told of delivery and reading is judged by itself
            case "promise" if fields["way"] == "sent":
                self._hears(node, fields, "reply-by", int(str(fields["until"])))
            case "presence" if fields["by"] == "peer":
                self._hears_word(node, (str(fields["presence"]), int(str(fields["until"]))))
            case "alarm":
                self._alarm(node, fields)
            case "received":
                self._received(node, str(fields["plane"]), int(str(fields["serial"])), str(fields["authority"]))
        self._tell(node, delivery)

    def _hears(self, node: EndpointNode, fields: object, stage: str, until: int) -> None:
        assert isinstance(fields, dict)
        plane, serial = str(fields["plane"]), int(str(fields["serial"]))
        row = node.disk.tables.get("sent", {}).get((plane, serial))
        self.rung[f"told-{stage}",] += 1
        if self._false(node.peer) or row is None:
            return
        if (plane, serial, stage, row["hash"], until) not in self.said[node.peer]:
            raise Broken("rung", f"{node.name} is told {stage} of #{serial}, which nobody at {node.peer} has said")

    def _hears_word(self, node: EndpointNode, word: tuple[str, int]) -> None:
        if self._false(node.peer) or word == ("closing", 0):
            return
        words, since = self.words[node.peer], self._told_word[node.name]
        if word in words[since:]:
            self._told_word[node.name] = since + words[since:].index(word)
        elif word in words:
            raise Broken("presence", f"{node.name} is told {word}, which {node.peer} said before what was told last")
        else:
            raise Broken("presence", f"{node.name} is told {word}, which {node.peer} never said")

    def _alarm(self, node: EndpointNode, fields: object) -> None:
        assert isinstance(fields, dict)
        name = str(fields["name"])
        if name == "promise-overdue":
            key = (node.name, *(str(fields[column]) for column in ("way", "plane", "serial", "until")))
            self.rung[key] += 1
            if self.rung[key] > 1 and not self._doubtful(node.name, node.peer):
                raise Broken("overdue", f"{node.name} is told twice that the answer to #{fields['serial']} is overdue")
        elif name == "challenge-unanswered":
            key = (node.name, name, str(fields["serial"]), str(fields["by"]))
            self.rung[key] += 1
            if self.rung[key] > 1 and not self._doubtful(node.name, node.peer):
                raise Broken("challenge", f"{node.name} is told twice that nobody answers #{fields['serial']}")
        elif name == "challenge-denied" and fields["by"] == "record" and not self._doubtful(node.name, node.peer):
            raise Broken("denied", f"the record of {node.peer} denies {fields['plane']} #{fields['of']}")

    def _received(self, node: EndpointNode, plane: str, serial: int, verdict: str) -> None:
        row = node.disk.tables.get("received", {}).get((plane, serial))
        if row is None or self._false(node.peer):
            return
        statement = statement_of(node, "received", row)
        assert node.machine is not None
        roles = node.machine.context.setup.release.roles(Plane(plane), statement.precedence)
        says = statement.kind not in (NON_PAPER, *VOIDS, *UNATTENDED)
        if Shelf(node.disk).authority(Plane(plane), serial) != verdict:
            raise Broken("authority", f"{node.name} lists #{serial} by another word than it was shown with")
        if verdict == RELEASED and statement.text not in self.released:
            raise Broken("authority", f"{node.name} is shown #{serial} as released, and nobody has released it")
        if not verdict and roles and says and statement.text:
            raise Broken("authority", f"{node.name} is shown #{serial}, which needs a release, and no word of it")
        moved = any(one.officer in (FORMER, LATER) for one in statement.release)  # amendments.py judges of them
        doubtful = moved or self._doubtful(node.name, node.peer)
        if verdict != RELEASED and statement.text in self.released and not doubtful:
            raise Broken(
                "authority", f"{node.name} is shown #{serial} as {verdict!r}, which two officers have released"
            )
        if statement.kind in CORRECTING:
            self._corrected(node, plane, statement, verdict)

    def _corrected(self, node: EndpointNode, plane: str, statement: content_pb2.Statement, verdict: str) -> None:
        facts = node.disk.tables["received_fact"]
        opened = (plane, statement.serial, "read") in facts  # within one commit with being shown
        if not opened and (plane, statement.serial) not in node.disk.tables.get("unread", {}):
            raise Broken("correction", f"{node.name} need not open #{statement.serial}, which corrects another")
        word = "corrected" if statement.kind == content_pb2.STATEMENT_KIND_CORRECTION else "retracted"
        place = ("received", plane, statement.corrects.serial, statement.serial)
        row = node.disk.tables.get("correction", {}).get(place, {})
        if verdict in ("", RELEASED) and row.get("stage") != word:
            raise Broken("correction", f"{node.name} does not know that #{statement.corrects.serial} was {word}")

    # --- in the end --------------------------------------------------------------------------------------------------

    def final(self) -> None:
        """What must be so when everything is paid. Beside a liar nothing of this is judged."""
        if self.judges.perjured or self.judges.cloned:
            return
        for node in self.world.endpoints.values():
            self._agrees(node)
            self._non_papers(node)
            self._challenges(node)
            self._rebuilt(node)
            if not self._doubtful(node.name, node.peer):
                self._rungs(node)
                self._overdue(node)

    def _agrees(self, node: EndpointNode) -> None:
        peer = self.world.endpoints[node.peer].machine
        if node.machine is None or peer is None:
            return
        held = node.machine.context.peer
        if (held.presence, held.presence_until) != (peer.presence.word, peer.presence.until):
            raise Broken("presence", f"{node.name} holds {presence_word(held.presence)} of {node.peer} in the end")

    def _rungs(self, node: EndpointNode) -> None:
        """What the peer's officers said of statements that both hold is on the sender's disk."""
        held, sent = node.disk.tables.get("ladder", {}), node.disk.tables.get("sent", {})
        for plane, serial, stage, name, _ in self.said[node.peer]:
            row = sent.get((plane, serial))
            if stage not in ("shown", "reply-by") or row is None or row["hash"] != name:
                continue
            if ("sent", plane, serial, stage) not in held:
                raise Broken("rung", f"{node.name} was never told {stage} of #{serial}")

    def _overdue(self, node: EndpointNode) -> None:
        """A promise whose time is long over has rung, or was kept; where clocks were set nobody outside can say."""
        if any(one.clock_offset or one.clock_drift for one in self.world.endpoints.values()):
            return
        for (way, plane, serial), row in node.disk.tables.get("promise", {}).items():
            since = self._promised[node.name, str(way), str(plane), str(serial), str(row["until"])]
            if self.world.time - since > _LONGEST + _PATIENCE and not row["overdue"]:
                raise Broken("overdue", f"{node.name} was never told that the answer to {plane} #{serial} is overdue")

    def _challenges(self, node: EndpointNode) -> None:
        waited = self.world.time - self._started[node.name]
        for row in node.disk.tables.get("challenge", {}).values():
            if row["way"] != "asked" or row["record"]:
                continue
            if not self._doubtful(node.name, node.peer):
                raise Broken("challenge", f"the record of {node.peer} never answered challenge #{row['serial']}")
            if not row["alarmed"] and waited > CHALLENGE_RECORD_PATIENCE + _PATIENCE:
                raise Broken("challenge", f"{node.name} waits for an answer to #{row['serial']} and nobody is told")

    def _rebuilt(self, node: EndpointNode) -> None:
        """The tables are what the ledger says; it takes long, and is looked at now and then."""
        if self.world.seed % 8 != 2 or node.disk.log.epoch > 1 or node.name in self.judges.rewritten:
            return
        tables = {name: Shelf(node.disk).rows(name) for name in REBUILT}
        found = differences(rebuild(parse_leaf(leaf) for leaf in node.disk.log.leaves), tables)
        if found:
            raise Broken("rebuilt", f"{node.name}: {found[0]}")

    @staticmethod
    def _non_papers(node: EndpointNode) -> None:
        """No entry, and nothing that opens one, holds a text, a name or a commitment of what was said so."""
        quiet, of_record = set(), {b""}
        for way in ("sent", "received"):
            for row in node.disk.tables.get(way, {}).values():
                statement = statement_of(node, way, row)
                (quiet if _is_sealed(row["content"]) else of_record).add(statement.text.encode())
        quiet -= of_record
        openings = node.disk.log.openings.values() if quiet else ()
        if any(opening.value in quiet for entry in openings for opening in entry):
            raise Broken("non-paper", f"the ledger of {node.name} commits to what was said without prejudice")
        for data in node.disk.log.leaves if quiet else ():
            if b"nonpaper.submit" in data or b"nonpaper.recv" in data:
                leaf = parse_leaf(data)
                if leaf.commit or "statement" in leaf.fields:
                    raise Broken("non-paper", f"{leaf.type} of {node.name} holds more than length and time")


def _is_sealed(content: object) -> bool:
    return isinstance(content, bytes) and is_sealed(content)
