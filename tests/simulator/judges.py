"""What must hold of statements: after every delivery (safety), and after the sky has cleared (nothing lost).

Each complaint names its judge, so that a schedule can be thinned while the same judge complains. Paths, alarms and
deadlines are judged in promises.py, what relays can see in secrecy.py, disks and memories in audit.py.

| judge | promise |
|---|---|
| accepted | `queued` is said of what is on the disk (docs/protocol.md 12.1) |
| forged, altered, plane | nobody is shown what the other side did not say, on that plane, in those words (1.1, 8.3) |
| twice, order | each once, in the order of its precedence (1.1, 12.5) |
| lost, told, legal | what was accepted arrives or its sender is told; the states follow the tables below (12.4) |
| receipt | delivered and read are told when the peer holds it, and when a person has opened it (1.2) |
| key | no key and nonce pair seals two plaintexts (1.5) |
| fork, accused | one head for one size of one log; nobody is accused who did not lie (13.5, 13.6) |
| noticed | a rewritten ledger and a second log are noticed by the peer (13.6) |
| settled, bounds, audit | everything owed is paid, nothing is kept for ever, disk and memory agree |
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Output, Plane, Put, Reply
from hotline.protocol.paths import PathState
from tests.simulator.audit import audit
from tests.simulator.clone import STOLEN_WORDS
from tests.simulator.forgery import rewrite
from tests.simulator.stored import SAYS, Readings, lane_of, words_of

TOLD: Final = {
    ("queued", "relayed"): "a relay signs for it",
    ("queued", "delivered"): "the peer's receipt is quicker than any relay's",
    ("queued", "expired"): "nobody took it in time",
    ("relayed", "delivered"): "the peer's receipt",
    ("relayed", "expired"): "a relay holds it, the peer did not answer in time",
    ("delivered", "read"): "a person opened it",
    ("expired", "delivered"): "it had arrived all the same",
}
"""What a sender is told of a statement, and after what."""
TOLD_AGAIN: Final = {
    ("relayed", "relayed"): "after a restart: custody rests in the history, not in the outbox",
    ("delivered", "relayed"): "offered again to a peer that has lost it",
    ("delivered", "delivered"): "and taken again",
    ("read", "relayed"): "offered again",
    ("read", "delivered"): "and taken again",
    ("queued", "renumbered"): "its serial had been given out by a state that was lost",
    ("relayed", "renumbered"): "the same",
    ("delivered", "renumbered"): "the peer has lost it, and its serial was given out by a state that was lost",
    ("read", "renumbered"): "the same",
}
"""After a restart, or a loss of state on either side."""
_RANK: Final = ("queued", "relayed", "expired", "delivered", "read")


class Broken(AssertionError):
    """A promise does not hold; `judge` says which."""

    def __init__(self, judge: str, text: str) -> None:
        super().__init__(text)
        self.judge = judge


@dataclass
class Shown:
    """What one terminal's people have seen, as its disk remembers it: a restore takes this back too."""

    texts: dict[tuple[str, int], str] = field(default_factory=dict)
    last: dict[tuple[str, int], int] = field(default_factory=dict)
    repeats: set[tuple[str, int]] = field(default_factory=set)
    """Marked as said before."""


@dataclass
class Accepted:
    """A statement that a terminal answered for, or that its disk holds, and what its sender was told last."""

    sender: str
    text: str
    told: str = "queued"
    expired: bool = False
    """Given up once: then a void may stand in its place at a peer that has forgotten it."""


class Judges:
    """Watches a world. Raises Broken naming the promise."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: dict[str, str] = {}
        """Text to sender, of all that was handed in."""
        self.accepted: dict[str, Accepted] = {}
        self.shown = {name: Shown() for name in world.endpoints}
        self.restored: set[str] = set()
        self.crashed: set[str] = set()
        self.rewritten: set[str] = set()
        """Terminals whose ledger a thief has rewritten."""
        self.noticed: set[str] = set()
        """Terminals whose peer has raised an alarm over their ledger."""
        self.cloned: set[str] = set()
        self.alarmed: set[str] = set()
        """Those of them of whom a person on either side was told that something is wrong."""
        self.perjured: dict[str, set[str]] = {}
        """Terminals whose own words are worth nothing, and how they lie."""
        self.rows: Counter[str] = Counter()
        """Rows of the tables above that were seen."""
        self._heads: dict[tuple[bytes, bytes], bytes] = {}
        self._ever_held: dict[str, set[tuple[str, int, bytes]]] = {name: set() for name in world.endpoints}
        self._ever_read: dict[str, set[tuple[str, int]]] = {name: set() for name in world.endpoints}
        self._keys: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
        self._statement = Readings().statement_of
        world.on_delivery = self.on_delivery
        for node in world.endpoints.values():
            self._watch(node)

    def _watch(self, node: EndpointNode) -> None:
        """Remember what a disk ever held, whatever is restored over it later; look at the disk after each crash."""
        commit, crash = node.commit, node.crash
        held, opened = self._ever_held[node.name], self._ever_read[node.name]

        def watched_commit(batch: list[Output]) -> None:
            commit(batch)
            self._signed(node)
            for output in batch:
                for change in output.changes:
                    if isinstance(change, Put) and change.table == "received":
                        row = change.row
                        held.add((str(row["plane"]), int(str(row["serial"])), row["hash"]))  # type: ignore[arg-type]
                    elif isinstance(change, Put) and change.table == "unnoted" and change.row["stage"] == "read":
                        opened.add((str(change.row["plane"]), int(str(change.row["serial"]))))

        def watched_crash() -> None:
            crash()
            self.crashed.add(node.name)
            self._resync(node)

        node.commit, node.crash = watched_commit, watched_crash  # type: ignore[method-assign]

    # --- keys and heads ----------------------------------------------------------------------------------------------

    def _signed(self, node: EndpointNode) -> None:
        """Whatever a terminal lost or was restored to: it never signs two logs of one origin and size for others.

        Without a ratchet file it can know only what others have seen; what those accuse it of is judged.
        """
        if not (self.world.ratchets and node.disk.log.note) or node.name in self.rewritten:
            return
        origin, size, root = node.disk.log.note.split(b"\n", 3)[:3]
        if self._heads.setdefault((origin, size), root) != root:
            text = f"{node.name} signed two different logs of {size.decode()} entries as {origin.decode()}"
            raise Broken("fork", text)

    def on_rewrite(self, node: EndpointNode) -> bool:
        """A thief rewrites an entry that the peer has linked, under the running terminal; False if there is none."""
        base = self.world.endpoints[node.peer].log.base
        size = node.machine.own_log.known_to(base).linked if node.machine is not None and node.up else 0
        if size:
            self.rewritten.add(node.name)
            self.noticed.discard(node.name)
            rewrite(node.disk.log, self.world.rng.randrange(size))
        return bool(size)

    def on_clone(self, node: EndpointNode) -> None:
        """From now on the peer believes what a thief says in the name of this terminal."""
        self.cloned.add(node.name)
        self.restored.add(node.name)

    def on_perjury(self, node: EndpointNode, how: str) -> None:
        """From now on nothing that this terminal says need be true."""
        self.perjured.setdefault(node.name, set()).add(how)

    def spy_seal(self, key: bytes, nonce: bytes, header: bytes, plaintext: bytes) -> None:
        """No key and nonce pair seals two envelopes."""
        if self._keys.setdefault((key, nonce), (header, plaintext)) != (header, plaintext):
            raise Broken("key", "a key and nonce pair sealed two envelopes")

    # --- what people are told ----------------------------------------------------------------------------------------

    def on_said(self, sender: str, text: str) -> None:
        """An officer hands something in: durable and told may be the same instant."""
        self.said[text] = sender

    def on_accepted(self, node: EndpointNode, plane: Plane, text: str, reply: Reply) -> None:
        """A terminal said `queued`."""
        row = node.disk.tables.get("sent", {}).get((plane.value, reply.fields["serial"]))
        if row is None or words_of(self._statement(node, "sent", row)) != text:
            raise Broken("accepted", f"{node.name} said queued of what is not on its disk")
        self.accepted.setdefault(text, Accepted(node.name, text))

    def on_delivery(self, node: EndpointNode, delivery: Delivery) -> None:
        """A person is told something."""
        if delivery.kind == "alarm":
            self._alarm(node, str(delivery.fields["name"]))
        elif delivery.kind == "repeat":
            self.shown[node.name].repeats.add((str(delivery.fields["plane"]), int(str(delivery.fields["serial"]))))
        elif delivery.kind == "received":
            self._received(node, delivery)
        elif delivery.kind == "sent":
            self._told(node, delivery)

    def _alarm(self, node: EndpointNode, name: str) -> None:
        lies = {*self.rewritten, *self.cloned, *(who for who, how in self.perjured.items() if "head" in how)}
        if name in ("peer-fork", "peer-old-log") and node.peer not in lies:
            raise Broken("accused", f"{node.name} accused an honest peer: {name}")
        if name in ("peer-fork", "peer-log", "peer-old-log"):
            self.noticed.add(node.peer)
        if node.peer in self.cloned and name in ("peer-fork", "peer-log", "peer-old-log", "peer-restored"):
            self.alarmed.add(node.peer)
        if node.name in self.cloned and name in ("no-path", "restored", "log-epoch"):
            self.alarmed.add(node.name)

    def _received(self, node: EndpointNode, delivery: Delivery) -> None:
        plane, serial = str(delivery.fields["plane"]), delivery.fields["serial"]
        assert isinstance(serial, int)
        row = node.disk.tables["received"].get((plane, serial))
        if row is None:
            raise Broken("receipt", f"{node.name} was shown #{serial} before it was durable")
        statement = self._statement(node, "received", row)
        shown = self.shown[node.name]
        if (plane, serial) in shown.texts:
            raise Broken("twice", f"{node.name} was shown #{serial} twice")
        lane = (plane, lane_of(statement))
        # A restored sender fills old gaps: what it says now it really said later than what was shown before.
        # A liar upsets its own list: whoever claims to have lost what it holds is offered it again.
        lawful = node.peer not in self.restored and not self.perjured
        if shown.last.get(lane, 0) >= serial and lawful:
            raise Broken("order", f"{node.name} was shown #{serial} after #{shown.last[lane]} of one precedence")
        shown.last[lane] = max(serial, shown.last.get(lane, 0))
        shown.texts[plane, serial] = words_of(statement)
        if statement.kind in SAYS and not statement.HasField("put_on_record") and node.peer not in self.perjured:
            stolen = node.peer in self.cloned and statement.text.startswith(STOLEN_WORDS)
            if self.said.get(statement.text) != node.peer and not stolen:
                raise Broken("forged", f"{node.name} was shown a statement that nobody said")
            if statement.text[:4] != plane[:4]:
                raise Broken("plane", "a statement changed its plane")

    def _told(self, node: EndpointNode, delivery: Delivery) -> None:
        plane, serial, state = str(delivery.fields["plane"]), delivery.fields["serial"], str(delivery.fields["state"])
        assert isinstance(serial, int)
        row = node.disk.tables["sent"].get((plane, serial))
        if row is None:
            return
        item = self.accepted.get(words_of(self._statement(node, "sent", row)))
        if item is not None and item.sender == node.name:
            self._legal(node, item, serial, state)
            item.told = "queued" if state == "renumbered" else state
            item.expired |= state == "expired"
        if state not in ("delivered", "read") or node.peer in self.perjured or node.peer in self.cloned:
            return
        peer = self.world.endpoints[node.peer]
        stored = peer.disk.tables.get("received", {}).get((plane, serial))
        held = stored is not None and stored["hash"] == row["hash"]
        if peer.name in self.restored:
            held = (plane, serial, row["hash"]) in self._ever_held[peer.name]
        if not held:
            raise Broken("receipt", f"{node.name} was told {state} for #{serial}, which {peer.name} does not hold")
        if state == "read" and (plane, serial) not in self._ever_read[peer.name]:
            raise Broken("receipt", f"{node.name} was told read for #{serial}, which nobody at {peer.name} opened")

    def _legal(self, node: EndpointNode, item: Accepted, serial: int, state: str) -> None:
        step = (item.told, state)
        disturbed = self.restored or node.name in self.crashed or self.perjured
        if step in TOLD or (disturbed and step in TOLD_AGAIN):
            self.rows["told " + " > ".join(step)] += 1
        elif item.told != "forgotten":
            raise Broken("legal", f"{node.name} was told {state} for #{serial} after {item.told}")

    # --- crashes and restores ----------------------------------------------------------------------------------------

    def on_restore(self, node: EndpointNode) -> None:
        """An old disk is back: what was accepted after the backup may be forgotten, unless the peer has it."""
        self.restored.add(node.name)
        self._resync(node)

    def _resync(self, node: EndpointNode) -> None:
        """After a crash or a restore people know what the lists of the terminal say, and no event told them."""
        shown, tables = self.shown[node.name], node.disk.tables
        shown.texts.clear()
        shown.last.clear()
        shown.repeats.clear()
        for plane, serial, stage in tables.get("received_fact", {}):
            place = (str(plane), int(str(serial)))
            if stage == "repeat":
                shown.repeats.add(place)
            if stage != "shown":
                continue
            statement = self._statement(node, "received", tables["received"][plane, serial])
            shown.texts[place] = words_of(statement)
            lane = (place[0], lane_of(statement))
            shown.last[lane] = max(shown.last.get(lane, 0), place[1])
        self._recall_told(node)

    def _recall_told(self, node: EndpointNode) -> None:
        tables = node.disk.tables
        stages: dict[tuple[object, object], str] = {}
        for plane, serial, stage, _ in tables.get("sent_fact", {}):
            if stage in _RANK:
                stages[plane, serial] = max(stages.get((plane, serial), "queued"), str(stage), key=_RANK.index)
        known: dict[str, str] = {}
        moved = {(plane, serial) for plane, serial, stage, _ in tables.get("sent_fact", {}) if stage == "renumbered"}
        for place, row in tables.get("sent", {}).items():
            if place in moved:
                continue
            text = words_of(self._statement(node, "sent", row))
            known[text] = max(known.get(text, "queued"), stages.get(place, "queued"), key=_RANK.index)  # type: ignore[call-overload]
        for text, told in known.items():
            # Committed and never answered for: it stands in the list of what was said, and is owed like the rest.
            if self.said.get(text) == node.name:
                self.accepted.setdefault(text, Accepted(node.name, text)).told = told
        for text, item in self.accepted.items():
            if item.sender == node.name and text not in known:
                item.told = "forgotten"

    # --- in the end --------------------------------------------------------------------------------------------------

    def settled(self) -> bool:
        """Whether everything owed has been paid, and relays hold nothing."""
        return self.paid() and not any(relay.disk.tables.get("mailbox") for relay in self.world.dialled)

    def paid(self) -> bool:
        """Whether terminals owe each other nothing, and hear each other on every path."""
        for node in self.world.endpoints.values():
            if node.machine is None or not node.up:
                return False
            ctx, peer = node.machine.context, self.world.endpoints[node.peer]
            if any(outbox.pending for outbox in ctx.outboxes.values()) or len(ctx.reads):
                return False
            if any(inbox.ahead for inbox in ctx.inboxes.values()):
                return False
            if any(path.state is not PathState.UP for name, path in ctx.paths.items() if peer.dials(name)):
                return False
        return True

    def final(self, forked: set[str], doubled: set[str]) -> None:
        """Nothing lost, nothing left, both ledgers whole. Beside a liar only what concerns the other side.

        `forked` names those who showed heads of another ledger often enough for one to have arrived, `doubled` those
        whose clone has had the peer on a path.
        """
        world = self.world
        if not self.perjured:
            for item in self.accepted.values():
                self._paid(item)
        for node in world.endpoints.values():
            if node.name not in self.perjured:
                self._bounds(node)
        for who in (self.rewritten | forked) - self.noticed:
            raise Broken("noticed", f"nobody noticed that the ledger of {who} was rewritten or forked")
        for who in doubled - self.alarmed:
            raise Broken("noticed", f"nobody was alarmed while a second terminal ran in the name of {who}")
        wrong = audit(world, frozenset(self.restored), frozenset(self.rewritten), frozenset(self.perjured))
        if wrong:
            raise Broken("audit", wrong)

    def _paid(self, item: Accepted) -> None:
        peer = self.world.endpoints[item.sender].peer
        shown = self.shown[peer]
        count = sum(1 for key, seen in shown.texts.items() if seen == item.text and key not in shown.repeats)
        if item.told in ("expired", "forgotten"):
            return
        if count > 1:
            raise Broken("twice", f"{peer} was shown {item.text[:60]!r} {count} times")
        # docs/protocol.md 12.7; that the peer did hold it was checked when its sender was told so.
        if count == 0 and item.expired and item.told in ("delivered", "read") and peer in self.restored:
            return
        if count == 0:
            raise Broken("lost", f"{item.sender} was told {item.told!r} for {item.text[:60]!r}, {peer} never saw it")
        if item.told not in ("delivered", "read"):
            raise Broken("told", f"{item.sender} was last told {item.told!r} for {item.text[:60]!r}, which arrived")

    def _bounds(self, node: EndpointNode) -> None:
        if node.machine is None or self.perjured:
            return
        ctx = node.machine.context
        for plane in Plane:
            outbox = ctx.outboxes[plane]
            if outbox.window_messages or outbox.window_bytes or outbox.bytes:
                raise Broken("bounds", f"{node.name} keeps {outbox.bytes} bytes in an empty outbox")
        tables = node.disk.tables
        for live in ("outbox", "held", "unnoted"):
            if tables.get(live):
                raise Broken("bounds", f"{node.name} keeps rows in {live}")
        if len(tables.get("prekey", {})) > 6 or len(tables.get("peer_epoch", {})) > 8:
            raise Broken("bounds", f"{node.name} keeps more keys than it may")

    def idle_hour(self) -> None:
        """A quiet hour costs beats and nothing else."""
        world = self.world
        before = {node.name: node.frames_out for node in world.nodes}
        entries = {node.name: len(node.disk.log.leaves) for node in world.endpoints.values()}
        world.run_until(world.time + 3_600_000)
        profiles = [relay.profile for relay in world.relays.values()]
        beats = sum(3_600_000 // profile.heartbeat_ms for profile in profiles)
        rotations = 3_600_000 // min(profile.prekey_rotation_ms for profile in profiles)
        for node in world.endpoints.values():
            sent, written = node.frames_out - before[node.name], len(node.disk.log.leaves) - entries[node.name]
            if sent > beats * 1.2 + 200:
                raise Broken("bounds", f"{node.name} sent {sent} frames in a quiet hour")
            if written > 400 + 3 * rotations:
                raise Broken("bounds", f"{node.name} wrote {written} entries in a quiet hour")
            # One in use, its successor, and one in its grace period: the rest can open old mail and must be gone.
            kept = len(node.disk.tables.get("prekey", {}))
            if kept > 4:
                raise Broken("bounds", f"{node.name} keeps {kept} prekey secrets after a quiet hour")
