"""What must hold while a charter is amended in a storm (docs/protocol.md section 24).

| judge | promise |
|---|---|
| charter | nobody stands under what both have not signed, nor before the peer was ready for it (24.7, 24.9) |
| chain | the amendments in a ledger follow each other, and are those that the disk stands under (24.5) |
| standing | a start is under what was in force when the last run ended, and dials its relays, no others (24.4, 24.7) |
| differs | whoever stands under another charter than its peer is told in time, and nobody else (24.10) |
| apart | in the end all terminals stand under the same, each on every line: relays, timers, roster and policy (24.9) |
| roster | a release is worth what the roster in force says: who was taken off it signs for nothing (19.5, 24.9) |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.shelf import Shelf
from hotline.drill.simulator.world import World
from hotline.ledger.record import parse_leaf
from hotline.limits import CHARTER_PATIENCE
from hotline.machine import Delivery, Output, Put, Record, Reply
from hotline.protocol.charters import NOTE, kept_charter, path_of
from hotline.protocol.paths import PathState
from hotline.protocol.release import RELEASED, policy_of
from hotline.protocol.statements import decode_statement
from tests.simulator.charters import Charters, of
from tests.simulator.commits import watch_commits
from tests.simulator.judges import Broken, Judges
from tests.simulator.timers import every_ms

_LATE: Final = 6_000
"""Two commits on the slowest disk that a storm has, and the delay of its slowest cable."""


Told = Callable[[EndpointNode, Delivery], None]


class Amendments:
    """Watches the same world as `judges`. Raises Broken naming the promise."""

    def __init__(self, world: World, judges: Judges, charters: Charters, people: Told, played: Counter[str]) -> None:
        """`people` hear what their terminals tell them; what happens is counted in `played`."""
        self.world, self.judges, self.charters, self._people = world, judges, charters, people
        self.seen = played
        profiles = [relay.profile for relay in world.relays.values()]
        self._every = every_ms(profiles)
        # Over a path that is UP a beat has come within its ceiling: the one that differs, and the one that rings.
        self._late = CHARTER_PATIENCE + 2 * max(profile.silent_ceiling_ms for profile in profiles) + _LATE
        self._ready: dict[str, set[int]] = {name: {1} for name in world.endpoints}
        self._apart: dict[str, int] = {}
        """Since when a terminal has heard, without a break, a peer that stands under another charter."""
        self._told: set[tuple[str, int, int]] = set()
        self._tell = world.on_delivery
        world.on_delivery = self._on_delivery
        for node in world.endpoints.values():
            self._watch(node)
        world.after(self._every, self._look)

    def _watch(self, node: EndpointNode) -> None:
        start, step = node.start, node.step

        def started() -> None:
            start()
            self._apart.pop(node.name, None)
            self._stands(node)

        def stepped(event: Any) -> Output:
            before = of(node)
            output = step(event)
            for change in output.changes:
                if isinstance(change, Put) and change.row.get("stage") == "authority":
                    self._authority(node, change, output, before)
            return output

        node.start, node.step = started, stepped  # type: ignore[method-assign]
        watch_commits(
            node,
            {
                "charter.ready": lambda node, batch, at, record: self._gets_ready(node, record),
                "charter.changed": lambda node, batch, at, record: self._changes(node, record, batch[at]),
            },
        )

    # --- what is committed -------------------------------------------------------------------------------------------

    def _gets_ready(self, node: EndpointNode, record: Record) -> None:
        serial = int(str(record.fields["serial"]))
        signed = self.charters.charters[serial - 1 : serial]
        if not signed or signed[0].hash.hex() != record.fields["hash"]:
            raise Broken("charter", f"{node.name} is ready for a charter {serial} that both have not signed")
        self._ready[node.name].add(serial)

    def _changes(self, node: EndpointNode, record: Record, output: Output) -> None:
        serial, charters = int(str(record.fields["serial"])), self.charters.charters
        steps = (charters[serial - 2].hash.hex(), charters[serial - 1].hash.hex())
        if (record.fields["old"], record.fields["new"]) != steps:
            raise Broken("chain", f"{node.name} enters a step to charter {serial} that is none")
        for name in (node.name, node.peer):
            if serial not in self._ready[name]:
                raise Broken("charter", f"{node.name} stands under charter {serial}, for which {name} was never ready")
        kept = [one.row["value"] for one in output.changes if isinstance(one, Put) and one.row.get("name") == NOTE]
        if kept != [self.charters.notes[serial - 1]]:
            raise Broken("chain", f"{node.name} enters charter {serial} and does not keep it in the same commit")
        self.seen["charter-changed"] += 1

    def _stands(self, node: EndpointNode) -> None:
        """Right after a start: the machine against its disk."""
        assert node.machine is not None
        charters, rows = node.machine.charters, Shelf(node.disk).rows("fact")
        facts, kept = {row["name"]: row["value"] for row in rows}, kept_charter(rows)
        serial = 1 if kept is None else self.charters.notes.index(kept) + 1
        if charters.serial != serial:
            raise Broken("standing", f"{node.name} starts under charter {charters.serial}, its disk has {serial}")
        following = self.charters.notes[serial : serial + 1]
        waits = facts.get("charter.next") in following
        if waits != (charters.next is not None):
            raise Broken("standing", f"{node.name} has forgotten at a start which charter it is ready for")
        named = {relay.name for one in self.charters.charters[serial - 1 : serial + waits] for relay in one.relays}
        for line in node.machine.context.lines:
            if set(line.paths) != named:
                raise Broken("standing", f"{node.name} starts with paths {sorted(line.paths)}")

    # --- who has signed ----------------------------------------------------------------------------------------------

    def on_former(self, node: EndpointNode, reply: Reply, *, due: bool) -> None:
        """A terminal was asked to release what somebody has signed who may not be an officer any more."""
        if reply.ok and not due:
            raise Broken("roster", f"{node.name} says what an officer has released whom its charter does not name")

    def _authority(self, node: EndpointNode, change: Put, output: Output, before: Any) -> None:
        place = (change.row["plane"], change.row["serial"])
        taken = [one.row for one in output.changes if isinstance(one, Put) and one.table == "received"]
        rows = [row for row in taken if (row["plane"], row["serial"]) == place]
        row = rows[0] if rows else node.disk.tables.get("received", {}).get(place)
        if row is None:
            return
        content = row["content"]
        assert isinstance(content, bytes)
        statement = decode_statement(content)
        signers = {release.officer for release in statement.release}
        party = self.world.endpoints[node.peer].party
        rosters = [{one.name for one in charter.officers if one.party == party} for charter in (before, of(node))]
        verdict = change.row["by"]
        if verdict == RELEASED and not any(signers <= roster for roster in rosters):
            raise Broken("roster", f"{node.name} takes #{statement.serial} as released by {sorted(signers)}")
        if verdict == "officer" and all(signers <= roster for roster in rosters):
            raise Broken("roster", f"{node.name} does not know {sorted(signers)}, whom its charter names as officers")
        self.seen["former-refused"] += verdict == "officer"

    # --- every second, and what people are told ----------------------------------------------------------------------

    def _on_delivery(self, node: EndpointNode, delivery: Delivery) -> None:
        fields = delivery.fields
        if delivery.kind == "alarm":
            name = fields["name"]
            if name == "charter-conflict":
                raise Broken("differs", f"{node.name} is told of two charters of one serial, and there is one")
            if name == "charter-differs":
                if fields["standing"] == fields["peers"]:
                    raise Broken("differs", f"{node.name} is told that both stand under {fields['peers']}")
                self.seen["charter-differs"] += 1
                self._told.add((node.name, node.run, int(str(fields["peers"]))))
        self._people(node, delivery)
        self._tell(node, delivery)

    def _look(self) -> None:
        for node in self.world.endpoints.values():
            peer = self.world.endpoints[node.peer]
            if not self._apart_and_heard(node, peer):
                self._apart.pop(node.name, None)
                continue
            assert peer.machine is not None
            since = self._apart.setdefault(node.name, self.world.time)
            late = self.world.time - since > self._late
            if late and (node.name, node.run, peer.machine.charters.serial) not in self._told:
                raise Broken("differs", f"{node.name} stands under another charter than its peer and is not told")
        self.world.after(self._every, self._look)

    def _apart_and_heard(self, node: EndpointNode, peer: EndpointNode) -> bool:
        if any(one.machine is None or not one.up or one.frozen for one in (node, peer)):
            return False
        assert node.machine is not None
        assert peer.machine is not None
        ours, theirs = node.machine.charters, peer.machine.charters
        coming = ours.next is not None and ours.next.serial == theirs.serial
        following = theirs.next is not None and theirs.next.serial == ours.serial
        if ours.serial == theirs.serial or coming or following or self.judges.cloned or self.judges.perjured:
            return False
        return any(path.state is PathState.UP for path in node.machine.context.paths.values())

    # --- in the end --------------------------------------------------------------------------------------------------

    def agreed(self) -> bool:
        """Whether all stand under the last charter that all were given, and know it of each other."""
        if self.judges.perjured:
            return True
        last = self._last()
        for node in self.world.endpoints.values():
            if node.machine is None or not node.up:
                return False
            if node.machine.charters.serial != last:
                return False
            following = node.machine.charters.next  # one side may be ready for ever
            named = {relay.name for one in (of(node), following) if one is not None for relay in one.relays}
            if any(set(line.paths) != named for line in node.machine.context.lines):
                return False
        return True

    def _last(self) -> int:
        """Of the charters that every terminal has been given, the last."""
        return max(set.intersection(*self._ready.values()))

    def final(self) -> None:
        """What machines, disks and ledgers must say of it."""
        if self.judges.perjured:
            return
        serials = {node.name: node.machine.charters.serial for node in self.world.endpoints.values() if node.machine}
        if len(set(serials.values())) > 1 or not self.agreed():
            raise Broken("apart", f"in the end they stand under charters {serials}, all were given {self._last()}")
        for node in self.world.endpoints.values():
            self._lives_by(node)
            if node.name not in self.judges.rewritten:
                self._chain(node)

    def _lives_by(self, node: EndpointNode) -> None:
        assert node.machine is not None
        charter = self.charters.charters[self._last() - 1]
        driven = {relay.name: path_of(relay, {}) for relay in charter.relays}
        for line in node.machine.context.lines:
            setup, paths = line.setup, {name: path.setup for name, path in line.paths.items()}
            where = f"{node.name}, on its line to {setup.remote.party}/{setup.remote.name},"
            if not paths.items() >= driven.items():
                raise Broken("apart", f"{where} does not drive its paths by its charter")
            if (setup.release, setup.text_bytes_max) != (policy_of(charter), charter.text_bytes_max):
                raise Broken("apart", f"{where} does not live by the roster and the policy of its charter")

    def _chain(self, node: EndpointNode) -> None:
        leaves = [parse_leaf(leaf) for leaf in node.disk.log.leaves if b"charter.changed" in leaf]
        serials = [leaf.fields["serial"] for leaf in leaves if leaf.type == "charter.changed"]
        if serials != list(range(2, self._last() + 1)):
            raise Broken("chain", f"{node.name} stands under {self._last()}, its ledger has the amendments {serials}")
