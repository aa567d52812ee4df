"""What must hold of the checklists that watches go through (docs/protocol.md 25.12, among several parties 26.17).

| judge | promise |
|---|---|
| checklist | recorded is said of what is in the ledger of that terminal, and of no other: once, as it was handed in |
| when | it is entered at the time of its commit, and after what was handed in there before |
| whose | among several parties the entry names that one at whose window it was handed in, among two nobody |
| unanswered | nothing is in a ledger that nobody handed in, that nobody answered, or that is no run of a checklist |
| forgotten | what a ledger has had of them it has, whatever crashes; an old disk has what it had |
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from hotline.civil import iso_utc
from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.ledger.record import Leaf, check_opening, parse_leaf
from hotline.machine import Output, Reply
from hotline.protocol.events import RecordChecklist
from tests.simulator.commits import watch_commits
from tests.simulator.judges import Broken

Place = tuple[int, int]
"""Log epoch and entry."""


@dataclass(frozen=True, slots=True)
class _Handed:
    """What somebody handed in, where, and as what number of all."""

    terminal: str
    party: str | None
    run: RecordChecklist
    due: bool
    number: int


class Checklists:
    """Watches a world. Raises Broken naming the promise."""

    def __init__(self, world: World, doubtful: Callable[[], Collection[str]] = tuple) -> None:
        """`doubtful` are terminals whose ledger is not looked at in the end."""
        self.world, self._doubtful = world, doubtful
        self._runs: dict[str, _Handed] = {}
        """By the hash of the file, which no two of them share."""
        self._entered: dict[str, dict[str, Place]] = {name: {} for name in world.endpoints}
        """Where the ledger that a terminal has now holds which of them."""
        for node in world.endpoints.values():
            watch_commits(node, {}, self._commits)

    def on_run(
        self, node: EndpointNode, run: RecordChecklist, reply: Reply | None, *, due: bool, party: str | None = None
    ) -> None:
        """Something is handed in at the window of `party`, to be recorded if it is `due`; or who did is answered."""
        if reply is None:
            self._runs[run.file.hex()] = _Handed(node.name, party, run, due, len(self._runs))
        elif reply.ok != due:
            word = "a run" if due else "none"
            raise Broken("unanswered", f"{node.name} answers {reply.code} to a checklist, of which this is {word}")
        elif due and run.file.hex() not in self._entered[node.name]:
            raise Broken("checklist", f"{node.name} says recorded of a checklist that is not in its ledger")

    def on_restore(self, node: EndpointNode) -> None:
        """An old disk is back: what was entered after the backup is gone, and nothing else."""
        epochs, entered = node.disk.log.epochs, self._entered[node.name]
        sizes = {epoch: len(one.leaves) for epoch, one in epochs.items()}
        self._entered[node.name] = {
            file: (epoch, seq) for file, (epoch, seq) in entered.items() if seq < sizes.get(epoch, 0)
        }

    def _commits(self, node: EndpointNode, batch: list[Output]) -> None:
        for record in (record for output in batch for record in output.records if record.kind == "watch.checklist"):
            file, log = str(record.fields["file"]), node.disk.log
            places = [
                (epoch, seq)
                for epoch, one in log.epochs.items()
                for seq, leaf in enumerate(one.leaves)
                if b"watch.checklist" in leaf and file.encode() in leaf
            ]
            if len(places) != 1:
                raise Broken("checklist", f"{node.name} has {len(places)} entries of one run of a checklist")
            handed, leaf = self._compare(node, file, places[0])
            if leaf.ts != iso_utc(log.last_ts) or log.last_ts < node.now().wall:
                raise Broken("when", f"{node.name} enters a checklist at {leaf.ts}, and commits at {log.last_ts}")
            later = [one for one in self._entered[node.name] if self._runs[one].number > handed.number]
            if later:
                raise Broken("when", f"{node.name} enters a checklist after one that was handed in later")
            self._entered[node.name][file] = places[0]

    def _compare(self, node: EndpointNode, file: str, place: Place) -> tuple[_Handed, Leaf]:
        """An entry, and what opens it, against what was handed in."""
        if file not in self._runs or not self._runs[file].due:
            raise Broken("unanswered", f"{node.name} enters a checklist that nobody has gone through")
        handed, log = self._runs[file], node.disk.log
        run = handed.run
        leaf, openings = parse_leaf(log.epochs[place[0]].leaves[place[1]]), log.openings[place]
        for opening in openings:
            check_opening(leaf, opening)
        said = {opening.tag: opening.value for opening in openings}
        counts = Counter(outcome for outcome, _ in run.steps)
        handed_in = {"name": run.name, "file": file, **{word: counts[word] for word in ("done", "skipped", "open")}}
        as_entered = {name: leaf.fields.get(name) for name in handed_in}
        steps = [tuple(step) for step in json.loads(said["steps"])["steps"]]
        if handed.terminal != node.name or leaf.type != "watch.checklist":
            raise Broken("checklist", f"{node.name} enters a checklist that was gone through at {handed.terminal}")
        if leaf.fields.get("party") != handed.party:
            whose = f"as of {leaf.fields.get('party')}, which was gone through at the window of {handed.party}"
            raise Broken("whose", f"{node.name} enters a checklist {whose}")
        if (as_entered, steps, said["officer"].decode()) != (handed_in, list(run.steps), run.officer):
            raise Broken("checklist", f"{node.name} enters a checklist otherwise than {run.officer} handed it in")
        return handed, leaf

    def final(self) -> None:
        """Every ledger against what was entered in it."""
        for node in self.world.endpoints.values():
            if node.name in self._doubtful():
                continue
            found: dict[str, Place] = {}
            for epoch, one in node.disk.log.epochs.items():
                for seq, data in enumerate(one.leaves):
                    leaf = parse_leaf(data) if b"watch.checklist" in data else None
                    if leaf is not None and leaf.type == "watch.checklist":
                        found[str(leaf.fields["file"])] = epoch, seq
                        self._compare(node, str(leaf.fields["file"]), (epoch, seq))
            if found != self._entered[node.name]:
                were, are = len(self._entered[node.name]), len(found)
                raise Broken("forgotten", f"{were} checklists were entered in the ledger of {node.name}, it has {are}")
