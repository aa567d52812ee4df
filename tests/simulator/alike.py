"""What must hold among several parties of what officers do beside saying and reading (docs/protocol.md section 26).

| judge | promise |
|---|---|
| alike | what a party says of itself it says to all others, and they hold one word of it in the end (18.3, 26.8) |
| asked | whether anybody is there is asked of that party alone at whose window it was asked (18.4, 26.8) |
| kept | nothing that was said, told or noted of a statement is deleted (8.10, 13.4) |
| window | what is opened, shown, promised or gone through at a window is that party's alone (26.8, 26.17) |
| answer | what counts as the answer to a statement names it, whoever else has one of that serial (26.5) |
| refused | what is not said or asked among several is refused in a sentence, and nothing is done (26.3) |

Between each two it is judged as between two (windows.py): presence, rungs, corrections, talk, handovers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.shelf import octets
from hotline.drill.simulator.world import World
from hotline.machine import Delete, Delivery, Output, Record, Tick
from hotline.protocol.conference import ConferenceEvent, To
from hotline.protocol.entries import corrected_word
from hotline.protocol.events import AskPresence, MarkRead, MarkShown, PromiseReply, RecordChecklist
from hotline.protocol.neutral import CORRECTING
from hotline.protocol.presence import presence_word
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2
from tests.simulator.judges import Broken
from tests.simulator.parties import Parties

_KEPT: Final = (
    *("sent", "received", "sent_fact", "received_fact", "correction", "ladder", "translation", "translated"),
    "handover",
)
_OF_ONE: Final = ("unread", "unnoted", "ladder", "promise", "received_fact")
REFUSALS: Final = ("nonpaper", "record", "challenge", "word", "bundle", "import")
"""What delegates.py tries in vain."""


class Alike:
    """Watches the same world as `judges`. Raises Broken naming the promise."""

    def __init__(self, world: World, judges: Parties) -> None:
        self.judges = judges
        self.refused = 0
        self._asked: set[tuple[str, str]] = set()
        """Who asked whom whether anybody is there."""
        tell = world.on_delivery

        def told(node: EndpointNode, delivery: Delivery) -> None:
            self._told(node.name, delivery)
            tell(node, delivery)

        world.on_delivery = told
        for node in judges.nodes:
            self._watch(node)

    def _watch(self, node: ConferenceNode) -> None:
        commit, decide = node.commit, node.decide

        def committed(batch: list[Output]) -> None:
            for output in batch:
                self._committed(node, output)
            commit(batch)

        def decided(event: ConferenceEvent | Tick) -> Output:
            output = decide(event)
            if isinstance(event, To):
                self._at_window(node, event, output)
            return output

        node.commit, node.decide = committed, decided  # type: ignore[method-assign]

    # --- what is decided ---------------------------------------------------------------------------------------------

    def _committed(self, node: ConferenceNode, output: Output) -> None:
        gone = {change.table.partition("@")[0] for change in output.changes if isinstance(change, Delete)} & {*_KEPT}
        if gone:
            raise Broken("kept", f"{node.name} deletes from {sorted(gone)}")
        said = [record for record in output.records if record.kind == "presence.set"]
        words = {(record.fields["presence"], record.fields["until"]) for record in said}
        if said and ({_party(record) for record in said} != {one.name for one in node.others} or len(words) > 1):
            raise Broken("alike", f"{node.name} says {sorted(words)} of itself to {[_party(one) for one in said]}")

    def _at_window(self, node: ConferenceNode, event: To, output: Output) -> None:
        if isinstance(event.event, AskPresence) and output.replies[0].ok:
            self._asked.add((node.name, event.party))
        if isinstance(event.event, RecordChecklist):
            self._ran(node, output)
        if not isinstance(event.event, MarkRead | MarkShown | PromiseReply):
            return
        parts = [change.table.partition("@") for change in output.changes]
        others = {table for table, _, party in parts if table in _OF_ONE and party != node.scope(event.party)}
        if others:
            raise Broken("window", f"{node.name}: what is done at the window of {event.party} is another's {others}")
        plane, serial = event.event.plane, event.event.serial
        if output.replies[0].ok and serial in node.member(event.party).context.unread[plane]:
            raise Broken("window", f"{node.name}: #{serial} of {event.party} is unread, and was opened there")

    @staticmethod
    def _ran(node: ConferenceNode, output: Output) -> None:
        """A checklist is an entry of the ledger (checklists.py), and nothing that is said, told or noted."""
        said = [change.table for change in output.changes if change.table.partition("@")[0] in _KEPT]
        if said:
            raise Broken("window", f"{node.name} makes more of a checklist than an entry: {said}")

    def _told(self, name: str, delivery: Delivery) -> None:
        fields = delivery.fields
        if delivery.kind == "alarm" and fields["name"] == "presence-asked":
            by = str(fields["party"])
            if (by, name) not in self._asked:
                raise Broken("asked", f"{name} is told that {by} asks for a word, where nobody has asked for it")

    def on_tried(self, node: ConferenceNode, output: Output, what: str) -> None:
        """Somebody has asked for what there is not; this is all that came of it."""
        self.refused += 1
        (reply,) = output.replies
        if reply.ok or reply.code != "several-parties" or not reply.text.startswith("among several parties "):
            raise Broken("refused", f"{node.name} answers {reply.code} to {what}: {reply.text}")
        done = [record.kind for record in output.records if record.kind != "clock.step"]
        done += [change.table for change in output.changes] + [told.kind for told in output.deliver]
        if done or output.transmit or output.express:
            raise Broken("refused", f"{node.name} refuses {what}, and does {done}")

    # --- in the end --------------------------------------------------------------------------------------------------

    def final(self) -> None:
        """All others know the same word, and what was corrected is marked wherever it is."""
        for node in self.judges.nodes:
            assert node.conference is not None
            if node.name not in self.judges.liars:
                self._one_word(node)
                self._answered(node)
                for wrong in self._corrections(node):
                    raise Broken("corrected", wrong)

    def _one_word(self, node: ConferenceNode) -> None:
        assert node.conference is not None
        own = {(one.presence.word, one.presence.until) for one in node.conference.members.values()}
        views = [other.member(node.name).context.peer for other in self.judges.nodes if other is not node]
        held = {(view.presence, view.presence_until) for view in views}
        if len(own) > 1 or held != own:
            words = [presence_word(word) for word, _ in (*own, *held)]
            raise Broken("alike", f"{node.name} is one thing to one and another to another: {words}")

    def _answered(self, node: ConferenceNode) -> None:
        """Both sides of every pair know which statement of the other side answers which, and by its name."""
        for other in {one.name for one in node.others} - self.judges.liars.keys() - self.judges.restored:
            rows = {way: self.judges.table(node, other, way) for way in ("sent", "received")}
            for row in self.judges.table(node, other, "ladder").values():
                way, plane, answer = str(row["way"]), row["plane"], row["answer"]
                if row["stage"] != "answered" or node.name in self.judges.restored:
                    continue
                named = _statement(rows["received" if way == "sent" else "sent"][plane, answer]).in_reply_to
                original = rows[way].get((plane, row["serial"]))
                if original is None or original["hash"] != named.statement:
                    raise Broken("answer", f"{node.name}: #{answer} answers no {way} #{row['serial']} of {other}")

    def _corrections(self, node: ConferenceNode) -> Iterator[str]:
        doubtful = self.judges.restored
        for other in node.others:
            rows = self.judges.table(node, other.name, "sent")
            facts = self.judges.table(node, other.name, "correction")
            theirs = self.judges.node(other.name)
            received = self.judges.table(theirs, node.name, "received")
            marks = self.judges.table(theirs, node.name, "correction")
            for place, row in rows.items():
                statement = _statement(row)
                if statement.kind not in CORRECTING:
                    continue
                named, word = statement.corrects, corrected_word(statement.kind)
                mark = (place[0], named.serial, place[1])
                if ("sent", *mark) not in facts and node.name not in doubtful:
                    yield f"{node.name} does not know that #{named.serial}, which {other.name} was told, was {word}"
                there, original = received.get(place), received.get((place[0], named.serial))
                if there is None or there["hash"] != row["hash"] or {node.name, other.name} & doubtful:
                    continue  # it has expired for this one, or somebody has lost state
                if ("received", *mark) not in marks:
                    yield f"{other.name} does not know that #{named.serial} of {node.name} was {word}"
                if original is not None and original["hash"] not in (named.statement, self._void(original)):
                    yield f"what corrects #{named.serial} of {node.name} names another than {other.name} has"

    @staticmethod
    def _void(row: Row) -> object:
        """The name of an empty statement, which stands for one that expired for this party alone."""
        empty = _statement(row).kind in (content_pb2.STATEMENT_KIND_VOID, content_pb2.STATEMENT_KIND_TEST_VOID)
        return row["hash"] if empty else None


def _party(record: Record) -> str:
    return str(record.fields["party"])


def _statement(row: Row) -> content_pb2.Statement:
    return decode_statement(octets(row["content"]))
