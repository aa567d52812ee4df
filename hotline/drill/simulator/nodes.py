"""The terminals and relays of the simulator: the real machines, with a disk of memory under them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from hotline.charter.profiles import Profile
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.power import Node
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.machine import Delivery, Output, Plane, Reply, RequestId, Tick, Transmission
from hotline.protocol.context import EndpointSetup, LogIdentity, Other
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import Closing, EndpointEvent, Started, Suspicion
from hotline.protocol.heads import open_head
from hotline.protocol.paths import PathSetup
from hotline.protocol.session import Side
from hotline.protocol.tables import TABLES, Row, SentRow
from hotline.runtime.ratchet import suspicion
from hotline.wire.v1 import content_pb2
from relay.machine import Closing as RelayClosing
from relay.machine import Hotline, Relay, RelayEvent
from relay.mailbox import Held

if TYPE_CHECKING:  # a world is made of nodes and cables, and a node stands in its world
    from hotline.drill.simulator.cables import Cable
    from hotline.drill.simulator.world import World

DAY: Final = 86_400_000
CHARTER: Final = hashlib.sha256(b"a charter of the simulator").digest()


class EndpointNode(Node[EndpointEvent]):
    """One terminal."""

    def __init__(self, world: World, name: str, number: int, peer: str, peer_number: int) -> None:
        super().__init__(world, name)
        self.number, self.peer, self.peer_number = number, peer, peer_number
        self.party, _, self.terminal = name.partition("-")
        """`ALPHA` is the main terminal of its party, `ALPHA-ALT` its alternate."""
        self.terminal = self.terminal.lower() or "main"
        self.signing, self.ledger_key = (SigningKey(world.rng.randbytes(32)) for _ in range(2))
        self.storage_key = world.rng.randbytes(32)
        self.machine: Endpoint | None = None
        self.requests = 0
        self.on_reply: dict[RequestId, Callable[[Reply], None]] = {}
        self._on_loss: dict[RequestId, Callable[[], None]] = {}
        self._ratchet = b""

    @property
    def log(self) -> LogIdentity:
        """Name and key of its ledger."""
        return LogIdentity(f"hotline/sim/{self.party}/{self.terminal}", self.ledger_key.public)

    @property
    def side(self) -> Side:
        """As the others know it."""
        return Side(self.number, self.party, self.terminal, self.signing.public)

    def start(self) -> None:
        """Power on: the machine is made from what the disk holds."""
        self.up = True
        world, remote = self.world, self.world.endpoints[self.peer]
        setup = EndpointSetup(
            charter=CHARTER,
            local=self.side,
            remote=remote.side,
            signing=self.signing,
            storage_key=self.storage_key,
            pairwise=world.pairwise,
            local_log=self.log,
            remote_log=remote.log,
            cosigner=Ed25519Cosigner(self.log.base, self.ledger_key),
            policy=None,
            paths=tuple(PathSetup(r.name, r.number, r.signing.public, r.profile) for r in world.relays.values()),
            validity_ms=dict.fromkeys(content_pb2.Precedence.values(), 7 * DAY),
            text_bytes_max=32_768,
            outbox_max=1_000,
            version="sim",
            objective_ms=world.objective_ms,
            channel_test_ms=world.channel_test_ms,
            release=world.release,
            others=tuple(
                Other(one.side, one.log)
                for one in world.endpoints.values()
                if one.number not in (self.number, self.peer_number)
            ),
        )
        self.disk.log.start(self.log.base, self.ledger_key, world.entropy)
        self.machine = Endpoint(setup, world.entropy, self, self.disk.log, self, self.now())
        self.post(Started(self._suspicion() if world.ratchets else None))
        for relay in world.relays.values():
            self.cable(relay.name).wake()

    def cable(self, relay: str) -> Cable:
        """Its cable to a relay."""
        return self.world.cables[self.name, relay]

    def _suspicion(self) -> Suspicion | None:
        """What the daemon concludes at its start from the ratchet file, which is in no backup (13.5)."""
        log = self.disk.log
        notes = log.current.notes if log.epoch in log.epochs else []
        kept = open_head(self._ratchet, self.log) if self._ratchet else None
        return suspicion(log.head(), notes[-1] if notes else b"", kept, self.log, log.root_at)

    # The machine's ports: saved rows and committed history.

    def rows(self, table: str) -> list[Row]:
        """Every row of a live table, in an order that is the same in every run."""
        rows = self.disk.tables.get(table, {})
        return [rows[key] for key in sorted(rows, key=repr)]

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        """Our statement with this serial."""
        row = self.disk.tables.get("sent", {}).get((plane.value, serial))
        return None if row is None else SentRow(*(octets(row[column]) for column in ("content", "signature", "hash")))

    def received(self, plane: Plane, serial: int) -> bytes | None:
        """Content of the peer's statement with this serial."""
        row = self.disk.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else octets(row["content"])

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of the peer's statement with this serial."""
        row = self.disk.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else octets(row["hash"])

    def received_signed(self, plane: Plane, serial: int) -> SentRow | None:
        """The peer's statement with this serial, with its signature."""
        row = self.disk.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else SentRow(*(octets(row[column]) for column in ("content", "signature", "hash")))

    def received_draft(self, draft: bytes) -> tuple[Plane, int] | None:
        """Plane and serial of the released statement of the peer that has used this draft up."""
        row = self.disk.tables.get("received_draft", {}).get((draft,))
        return None if row is None else (Plane(str(row["plane"])), int(str(row["serial"])))

    def authority(self, plane: Plane, serial: int) -> str:
        """What the release of the peer's statement was found to be worth."""
        row = self.disk.tables.get("received_fact", {}).get((plane.value, serial, "authority"))
        return "" if row is None else str(row["by"])

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        """Whether this stage is already known of our statement."""
        return (plane.value, serial, stage) in self.disk.stages

    def rung(self, way: str, plane: Plane, serial: int, stage: str) -> int:
        """When `shown` or the newest `reply-by` was said of a statement; 0 if it was not."""
        row = self.disk.tables.get("ladder", {}).get((way, plane.value, serial, stage))
        return 0 if row is None else int(str(row["said"]))

    # The node.

    def step(self, event: EndpointEvent | Tick) -> Output:
        assert self.machine is not None
        output = self.machine.step(event, self.now())
        for record in output.records:
            self.world.trace(self.name, "record", record.kind, record.fields.get("serial", ""))
        return output

    def closing(self) -> EndpointEvent:
        return Closing()

    def deadline(self) -> int | None:
        assert self.machine is not None
        return self.machine.next_deadline()

    def commit(self, batch: list[Output]) -> None:
        records = [record for output in batch for record in output.records]
        for output in batch:
            for change in output.changes:
                self.disk.apply(change, TABLES[change.table].key)
        if records:
            self.disk.log.commit(records, self.now().wall)
            self._ratchet = self.disk.log.note or self._ratchet

    def transmit(self, transmissions: Iterable[Transmission]) -> None:
        for item in transmissions:
            self.frames_out += 1
            self.cable(item.link).to_relay(item.frame)

    def deliver(self, delivery: Delivery) -> None:
        self.world.on_delivery(self, delivery)

    def reply(self, reply: Reply) -> None:
        handler = self.on_reply.pop(reply.request, None)
        self._on_loss.pop(reply.request, None)
        if handler is not None:
            handler(reply)

    def ask(
        self,
        make: Callable[[RequestId], EndpointEvent],
        then: Callable[[Reply], None],
        lost: Callable[[], None] | None = None,
    ) -> None:
        """Step with a request; `then` gets the answer once what it says is on the disk, `lost` is called at a crash."""
        self.requests += 1
        request = RequestId(self.requests)
        self.on_reply[request] = then
        if lost is not None:
            self._on_loss[request] = lost
        self.post(make(request))

    def crash(self) -> None:
        super().crash()
        self.machine = None
        self.on_reply.clear()
        lost, self._on_loss = self._on_loss, {}
        for tell in lost.values():
            tell()


class RelayNode(Node[RelayEvent]):
    """One relay."""

    def __init__(self, world: World, name: str, number: int, profile: Profile) -> None:
        super().__init__(world, name)
        self.number, self.profile = number, profile
        self.signing = SigningKey(world.rng.randbytes(32))
        self.machine: Relay | None = None
        self.make: Callable[..., Relay] = Relay
        """Makes its machine at a start; for drills that need another one."""

    def start(self) -> None:
        """Power on: the machine is made from what the disk holds."""
        self.up = True
        terminals = {node.name: node.number for node in self.world.endpoints.values()}
        saved = [_held(row) for row in self.disk.tables.get("mailbox", {}).values()]
        self.machine = self.make(self.name, self.signing, [Hotline(CHARTER, terminals)], saved)
        self._arm()

    def step(self, event: RelayEvent | Tick) -> Output:
        assert self.machine is not None
        return self.machine.step(event, self.now())

    def closing(self) -> RelayEvent:
        return RelayClosing()

    def deadline(self) -> int | None:
        return None if self.machine is None else self.machine.next_deadline()

    def commit(self, batch: list[Output]) -> None:
        for output in batch:
            for change in output.changes:
                self.disk.apply(change, ("charter", "terminal", "envelope_id"))

    def transmit(self, transmissions: Iterable[Transmission]) -> None:
        for item in transmissions:
            cable = self.world.cables_by_link.get(item.link)
            if cable is not None:
                self.frames_out += 1
                cable.to_endpoint(item.frame, item.link)

    def deliver(self, delivery: Delivery) -> None:
        if delivery.kind == "hang-up":
            cable = self.world.cables_by_link.get(str(delivery.fields["link"]))
            if cable is not None:
                cable.hang_up(str(delivery.fields["link"]))

    def crash(self) -> None:
        super().crash()
        self.machine = None


def octets(value: str | int | bytes | None) -> bytes:
    """The value of a column that holds bytes."""
    assert isinstance(value, bytes)
    return value


def _held(row: Row) -> tuple[bytes, int, Held]:
    terminal, stored_at = row["terminal"], row["stored_at"]
    assert isinstance(terminal, int)
    assert isinstance(stored_at, int)
    held = Held(octets(row["envelope_id"]), octets(row["name"]), octets(row["frame"]), stored_at)
    return octets(row["charter"]), terminal, held
