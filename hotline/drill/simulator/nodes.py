"""The terminals and relays of the simulator: the real machines, with a disk of memory under them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from hotline.charter.profiles import Profile
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.power import Node
from hotline.drill.simulator.shelf import Shelf, octets
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.machine import Delivery, Output, Reply, RequestId, Tick, Transmission
from hotline.protocol.conference import ConferenceEvent, To
from hotline.protocol.context import EndpointSetup, LogIdentity, Other
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import Closing, Started, Suspicion
from hotline.protocol.heads import open_head
from hotline.protocol.paths import PathSetup
from hotline.protocol.session import Side
from hotline.protocol.tables import Row, shape
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


class EndpointNode(Node[ConferenceEvent]):
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
        self.disk.log.start(self.log.base, self.ledger_key, self.world.entropy)
        self.machine = self.build()
        self.post(Started(self._suspicion() if self.world.ratchets else None))
        self._dial()

    def build(self) -> Endpoint:
        """The machine, from what the disk holds."""
        shelf = Shelf(self.disk)
        setup = self.world.stands(self, self.setup(self.world.endpoints[self.peer]))
        return Endpoint(setup, self.world.entropy, shelf, self.disk.log, shelf, self.now())

    def setup(self, remote: EndpointNode) -> EndpointSetup:
        """What the machine is given, of one other party."""
        world = self.world
        return EndpointSetup(
            charter=CHARTER,
            local=self.side,
            remote=remote.side,
            signing=self.signing,
            storage_key=self.storage_key,
            pairwise=world.secret(self.party, remote.party),
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

    def cable(self, relay: str) -> Cable:
        """Its cable to a relay."""
        return self.world.cables[self.name, relay]

    def dials(self, relay: str) -> bool:
        """Whether this relay is one of its paths: under its charter, or under the next one (24.7)."""
        return self.machine is not None and relay in self.machine.context.paths

    def _dial(self) -> None:
        for relay in self.world.relays:
            cable = self.cable(relay)
            if self.dials(relay):
                cable.wake()
            else:
                cable.break_now("retired")

    def _suspicion(self) -> Suspicion | None:
        """What the daemon concludes at its start from the ratchet file, which is in no backup (13.5)."""
        log = self.disk.log
        notes = log.current.notes if log.epoch in log.epochs else []
        kept = open_head(self._ratchet, self.log) if self._ratchet else None
        return suspicion(log.head(), notes[-1] if notes else b"", kept, self.log, log.root_at)

    # The node.

    def step(self, event: ConferenceEvent | Tick) -> Output:
        output = self.decide(event)
        for record in output.records:
            self.world.trace(self.name, "record", record.kind, record.fields.get("serial", ""))
        return output

    def decide(self, event: ConferenceEvent | Tick) -> Output:
        """One step of the machine."""
        assert self.machine is not None
        assert not isinstance(event, To), "there is one window"
        return self.machine.step(event, self.now())

    def closing(self) -> ConferenceEvent:
        return Closing()

    def deadline(self) -> int | None:
        assert self.machine is not None
        return self.machine.next_deadline()

    def commit(self, batch: list[Output]) -> None:
        records = [record for output in batch for record in output.records]
        for output in batch:
            for change in output.changes:
                self.disk.apply(change, shape(change.table).key)
        if records:
            self.disk.log.commit(records, self.now().wall)
            self._ratchet = self.disk.log.note or self._ratchet

    def transmit(self, transmissions: Iterable[Transmission]) -> None:
        for item in transmissions:
            self.frames_out += 1
            self.cable(item.link).to_relay(item.frame)

    def deliver(self, delivery: Delivery) -> None:
        if delivery.kind == "charter":
            self._dial()
        self.world.on_delivery(self, delivery)

    def reply(self, reply: Reply) -> None:
        handler = self.on_reply.pop(reply.request, None)
        self._on_loss.pop(reply.request, None)
        if handler is not None:
            handler(reply)

    def ask(
        self,
        make: Callable[[RequestId], ConferenceEvent],
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


def _held(row: Row) -> tuple[bytes, int, Held]:
    terminal, stored_at = row["terminal"], row["stored_at"]
    assert isinstance(terminal, int)
    assert isinstance(stored_at, int)
    held = Held(octets(row["envelope_id"]), octets(row["name"]), octets(row["frame"]), stored_at)
    return octets(row["charter"]), terminal, held
