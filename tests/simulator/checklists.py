"""What must hold of the checklists that watches go through (docs/protocol.md 25.12).

| judge | promise |
|---|---|
| checklist | recorded is said of what is in the ledger of that terminal, and of no other: once, as it was handed in |
| unanswered | nothing is in a ledger that nobody handed in, that nobody answered, or that is no run of a checklist |
| forgotten | what a ledger has had of them it has, whatever crashes; an old disk has what it had |
"""

from __future__ import annotations

import json
from collections import Counter

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.ledger.record import check_opening, parse_leaf
from hotline.machine import Output, Reply
from hotline.protocol.events import RecordChecklist
from tests.simulator.commits import watch_commits
from tests.simulator.judges import Broken, Judges

Place = tuple[int, int]
"""Log epoch and entry."""


class Checklists:
    """Watches the same world as `judges`. Raises Broken naming the promise."""

    def __init__(self, world: World, judges: Judges) -> None:
        self.world, self.judges = world, judges
        self._runs: dict[str, tuple[str, RecordChecklist, bool]] = {}
        """By the hash of the file, which no two of them share: terminal, what was handed in, whether it is a run."""
        self._entered: dict[str, dict[str, Place]] = {name: {} for name in world.endpoints}
        """Where the ledger that a terminal has now holds which of them."""
        for node in world.endpoints.values():
            watch_commits(node, {}, self._commits)

    def on_run(self, node: EndpointNode, run: RecordChecklist, reply: Reply | None, *, due: bool) -> None:
        """An officer hands something in, which is to be recorded if it is `due`; or is answered."""
        if reply is None:
            self._runs[run.file.hex()] = node.name, run, due
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
            file = str(record.fields["file"])
            places = [
                (epoch, seq)
                for epoch, one in node.disk.log.epochs.items()
                for seq, leaf in enumerate(one.leaves)
                if b"watch.checklist" in leaf and file.encode() in leaf
            ]
            if len(places) != 1:
                raise Broken("checklist", f"{node.name} has {len(places)} entries of one run of a checklist")
            self._compare(node, file, places[0])
            self._entered[node.name][file] = places[0]

    def _compare(self, node: EndpointNode, file: str, place: Place) -> None:
        """An entry, and what opens it, against what was handed in."""
        if file not in self._runs or not self._runs[file][2]:
            raise Broken("unanswered", f"{node.name} enters a checklist that nobody has gone through")
        where, run, _ = self._runs[file]
        log = node.disk.log
        leaf, openings = parse_leaf(log.epochs[place[0]].leaves[place[1]]), log.openings[place]
        for opening in openings:
            check_opening(leaf, opening)
        said = {opening.tag: opening.value for opening in openings}
        counts = Counter(outcome for outcome, _ in run.steps)
        handed_in = {"name": run.name, "file": file, **{word: counts[word] for word in ("done", "skipped", "open")}}
        as_entered = {name: leaf.fields.get(name) for name in handed_in}
        steps = [tuple(step) for step in json.loads(said["steps"])["steps"]]
        if where != node.name or leaf.type != "watch.checklist":
            raise Broken("checklist", f"{node.name} enters a checklist that was gone through at {where}")
        if (as_entered, steps, said["officer"].decode()) != (handed_in, list(run.steps), run.officer):
            raise Broken("checklist", f"{node.name} enters a checklist otherwise than {run.officer} handed it in")

    def final(self) -> None:
        """Every ledger against what was entered in it."""
        for node in self.world.endpoints.values():
            if {node.name} & {*self.judges.cloned, *self.judges.perjured, *self.judges.rewritten}:
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
