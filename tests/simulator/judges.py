"""What must hold: after every delivery (safety) and after the sky has cleared (liveness, bounds)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Output, Plane, Put
from hotline.protocol.paths import PathState
from hotline.protocol.statements import decode_statement
from hotline.wire.v1 import content_pb2
from tests.simulator.adversary import rewrite
from tests.simulator.audit import audit


class Broken(AssertionError):
    """A promise does not hold."""


@dataclass
class Shown:
    """What one terminal's people have seen, as its disk remembers it: a restore takes this back too."""

    texts: dict[tuple[str, int], str] = field(default_factory=dict)
    last: dict[tuple[str, int], int] = field(default_factory=dict)
    repeats: set[tuple[str, int]] = field(default_factory=set)
    """Marked as said before."""

    def copy(self) -> Shown:
        return Shown(dict(self.texts), dict(self.last), set(self.repeats))


@dataclass
class Accepted:
    """A statement that a terminal answered for, and what its sender was told last."""

    sender: str
    text: str
    told: str = "queued"
    expired: bool = False
    """Given up once: then a void may stand in its place at a peer that has forgotten it."""


class Judges:
    """Watches a world. Raises Broken naming the promise."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.accepted: dict[str, Accepted] = {}
        self.shown = {name: Shown() for name in world.endpoints}
        self._backups: dict[str, tuple[Shown, dict[str, str]]] = {}
        self._restored: set[str] = set()
        self._heads: dict[tuple[bytes, bytes], bytes] = {}
        self.forgers: set[str] = set()
        """Terminals whose ledger a thief has rewritten."""
        self.noticed: set[str] = set()
        """Terminals whose peer has raised an alarm over their ledger."""
        self._ever_held: dict[str, set[tuple[str, int, bytes]]] = {name: set() for name in world.endpoints}
        self._keys: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
        self.recovered_at: int | None = None
        world.on_delivery = self.on_delivery
        for node in world.endpoints.values():
            self._watch_commits(node)

    # --- safety ------------------------------------------------------------------------------------------------------

    def _watch_commits(self, node: EndpointNode) -> None:
        """Remember every statement that a disk ever held, whatever is restored over it later."""
        commit, held = node.commit, self._ever_held[node.name]

        def watched(batch: list[Output]) -> None:
            commit(batch)
            self._signed(node)
            for output in batch:
                for change in output.changes:
                    if isinstance(change, Put) and change.table == "received":
                        row = change.row
                        held.add((str(row["plane"]), int(str(row["serial"])), row["hash"]))  # type: ignore[arg-type]

        node.commit = watched  # type: ignore[method-assign]

    def _signed(self, node: EndpointNode) -> None:
        """Whatever a terminal lost or was restored to: it never signs two logs of one origin and size for others."""
        if not node.disk.log.note or node.name in self.forgers:
            return
        origin, size, root = node.disk.log.note.split(b"\n", 3)[:3]
        if self._heads.setdefault((origin, size), root) != root:
            raise Broken(f"{node.name} signed two different logs of {size.decode()} entries as {origin.decode()}")

    def forge(self, node: EndpointNode) -> None:
        """A thief rewrites an entry that the peer has linked, under the running terminal."""
        assert node.machine is not None
        size = node.machine.own_log.peer_linked
        if size:
            self.forgers.add(node.name)
            rewrite(node.disk.log, self.world.rng.randrange(size))

    def spy_seal(self, key: bytes, nonce: bytes, header: bytes, plaintext: bytes) -> None:
        """No key and nonce pair seals two envelopes."""
        if self._keys.setdefault((key, nonce), (header, plaintext)) != (header, plaintext):
            raise Broken("a key and nonce pair sealed two envelopes")

    def on_accepted(self, sender: str, text: str) -> None:
        """A terminal said `queued`."""
        self.accepted[text] = Accepted(sender, text)

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
        if name in ("peer-fork", "peer-old-log") and node.peer not in self.forgers:
            raise Broken(f"{node.name} accused an honest peer: {name}")
        if name in ("peer-fork", "peer-log"):
            self.noticed.add(node.peer)

    def _received(self, node: EndpointNode, delivery: Delivery) -> None:
        plane, serial = str(delivery.fields["plane"]), delivery.fields["serial"]
        assert isinstance(serial, int)
        row = node.disk.tables["received"].get((plane, serial))
        if row is None:
            raise Broken("shown before it was durable")
        statement = decode_statement(row["content"])  # type: ignore[arg-type]
        shown = self.shown[node.name]
        if (plane, serial) in shown.texts:
            raise Broken(f"{node.name} was shown #{serial} twice")
        lane = (plane, statement.precedence)
        # A restored sender fills old gaps: what it says now it really said later than what was shown before.
        if shown.last.get(lane, 0) >= serial and node.peer not in self._restored:
            raise Broken(f"{node.name} was shown #{serial} after #{shown.last[lane]} of one precedence")
        shown.last[lane] = max(serial, shown.last.get(lane, 0))
        shown.texts[plane, serial] = statement.text
        if statement.kind == content_pb2.STATEMENT_KIND_TEXT:
            known = self.accepted.get(statement.text)
            if known is None or known.sender == node.name:
                raise Broken(f"{node.name} was shown a statement that nobody said")
            if statement.text[:4] != plane[:4]:
                raise Broken("a statement changed its plane")

    def _told(self, node: EndpointNode, delivery: Delivery) -> None:
        plane, serial, state = str(delivery.fields["plane"]), delivery.fields["serial"], str(delivery.fields["state"])
        row = node.disk.tables["sent"].get((plane, serial))
        if row is None:
            return
        text = decode_statement(row["content"]).text  # type: ignore[arg-type]
        if text in self.accepted:
            if state == "expired" and self.accepted[text].told in ("delivered", "read"):
                raise Broken(f"{node.name} was told expired for #{serial} after {self.accepted[text].told}")
            self.accepted[text].told = state
            self.accepted[text].expired |= state == "expired"
        if state in ("delivered", "read"):
            peer = self.world.endpoints[node.peer]
            stored = peer.disk.tables.get("received", {}).get((plane, serial))
            held = stored is not None and stored["hash"] == row["hash"]
            if peer.name in self._restored:
                held = (plane, serial, row["hash"]) in self._ever_held[peer.name]
            if not held:
                raise Broken(f"{node.name} was told {state} for #{serial}, which {peer.name} does not hold")

    # --- crashes and restores ----------------------------------------------------------------------------------------

    def on_backup(self, node: EndpointNode) -> None:
        """A disk is copied: so is what its people have seen, for people have a paper of their own."""
        texts = {text: item.told for text, item in self.accepted.items() if item.sender == node.name}
        self._backups[node.name] = (self.shown[node.name].copy(), texts)
        self._resync(node, self._backups[node.name][0])

    def on_crash(self, node: EndpointNode) -> None:
        """Committed but not yet told: the inbox shows it after the restart, without a new event."""
        self._resync(node, self.shown[node.name])

    def _resync(self, node: EndpointNode, shown: Shown) -> None:
        facts = node.disk.tables.get("received_fact", {})
        shown.texts.clear()
        shown.last.clear()
        shown.repeats.clear()
        for plane, serial, stage in facts:
            if stage == "repeat":
                shown.repeats.add((str(plane), int(str(serial))))
            if stage != "shown":
                continue
            row = node.disk.tables["received"][plane, serial]
            statement = decode_statement(row["content"])  # type: ignore[arg-type]
            shown.texts[str(plane), int(str(serial))] = statement.text
            lane = (str(plane), statement.precedence)
            shown.last[lane] = max(shown.last.get(lane, 0), int(str(serial)))

    def on_restore(self, node: EndpointNode) -> None:
        """An old disk is back: what was accepted after the backup may be forgotten, unless the peer has it."""
        self._restored.add(node.name)
        _, texts = self._backups[node.name]
        for text, item in list(self.accepted.items()):
            if item.sender == node.name:
                item.told = texts.get(text, "forgotten")
        self._resync(node, self.shown[node.name])

    def complain(self, text: str) -> None:
        """A promise does not hold."""
        raise Broken(text)

    # --- in the end --------------------------------------------------------------------------------------------------

    def settled(self) -> bool:
        """Whether everything owed has been paid."""
        for node in self.world.endpoints.values():
            if node.machine is None or not node.up:
                return False
            ctx = node.machine.context
            if any(outbox.pending for outbox in ctx.outboxes.values()) or len(ctx.reads):
                return False
            if any(inbox.ahead for inbox in ctx.inboxes.values()):
                return False
            if any(path.state is not PathState.UP for path in ctx.paths.values()):
                return False
        return all(not relay.disk.tables.get("mailbox") for relay in self.world.relays.values())

    def final(self) -> None:
        """Nothing lost, nothing left, both ledgers whole."""
        world = self.world
        for text, item in self.accepted.items():
            peer = world.endpoints[item.sender].peer
            shown = self.shown[peer]
            count = sum(1 for key, seen in shown.texts.items() if seen == text and key not in shown.repeats)
            if item.told in ("expired", "forgotten"):
                continue
            if count > 1:
                raise Broken(f"{peer} was shown {text!r} {count} times")
            # docs/protocol.md 12.7; that the peer did hold it was checked when its sender was told so.
            if count == 0 and item.expired and item.told in ("delivered", "read") and peer in self._restored:
                continue
            if count == 0:
                raise Broken(f"lost: {item.sender} was told {item.told!r} for {text!r}, {peer} never saw it")
            if item.told not in ("delivered", "read"):
                raise Broken(f"{item.sender} was last told {item.told!r} for {text!r}, which arrived")
        for node in world.endpoints.values():
            self._bounds(node)
        if self.forgers - self.noticed:
            raise Broken(f"nobody noticed that a thief rewrote the ledger of {', '.join(self.forgers - self.noticed)}")
        wrong = audit(world, frozenset(self._restored), frozenset(self.forgers))
        if wrong:
            raise Broken(wrong)

    def _bounds(self, node: EndpointNode) -> None:
        assert node.machine is not None
        ctx = node.machine.context
        for plane in Plane:
            outbox = ctx.outboxes[plane]
            if outbox.window_messages or outbox.window_bytes or outbox.bytes:
                raise Broken(f"{node.name} keeps {outbox.bytes} bytes in an empty outbox")
        tables = node.disk.tables
        for live in ("outbox", "held", "unnoted"):
            if tables.get(live):
                raise Broken(f"{node.name} keeps rows in {live}")
        if len(tables.get("prekey", {})) > 6 or len(tables.get("peer_epoch", {})) > 8:
            raise Broken(f"{node.name} keeps more keys than it may")

    def idle_hour(self) -> None:
        """A quiet hour costs beats and nothing else."""
        world = self.world
        before = {node.name: node.frames_out for node in world.nodes}
        entries = {node.name: len(node.disk.log.leaves) for node in world.endpoints.values()}
        world.run_until(world.time + 3_600_000)
        profile = next(iter(world.relays.values())).profile
        beats = 3_600_000 // profile.heartbeat_ms * len(world.relays)
        for node in world.endpoints.values():
            if node.frames_out - before[node.name] > beats * 1.2 + 200:
                raise Broken(f"{node.name} sent {node.frames_out - before[node.name]} frames in a quiet hour")
            if len(node.disk.log.leaves) - entries[node.name] > 400:
                raise Broken(
                    f"{node.name} wrote {len(node.disk.log.leaves) - entries[node.name]} entries in a quiet hour"
                )
            # One in use, its successor, and one in its grace period: the rest can open old mail and must be gone.
            if len(node.disk.tables.get("prekey", {})) > 4:
                raise Broken(f"{node.name} keeps {len(node.disk.tables['prekey'])} prekey secrets after a quiet hour")
