"""Virtual time: nodes with disks and clocks, cables between them, one agenda. Deterministic for a seed.

A node performs an Output as the real driver does: express frames at once, then one commit shared by everything that
waits, then frames, deliveries and replies in order. A crash loses everything that was not committed.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hotline.charter.profiles import PROFILES, Profile
from hotline.crypto.signing import SigningKey
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.machine import (
    Delete,
    Delivery,
    FramesReceived,
    Instant,
    LinkClosed,
    LinkOpened,
    Output,
    Plane,
    Put,
    Reply,
    Tick,
    Transmission,
)
from hotline.protocol.context import EndpointSetup, LogIdentity
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import EndpointEvent, Started
from hotline.protocol.paths import PathSetup
from hotline.protocol.session import Side
from hotline.protocol.tables import TABLES, Row, SentRow
from hotline.wire.v1 import content_pb2
from relay.machine import Hotline, Relay
from relay.mailbox import Held
from tests.memorylog import MemoryLog

EPOCH_WALL = 1_795_000_000_000
DAY = 86_400_000
CHARTER = hashlib.sha256(b"a charter of the simulator").digest()
RECONNECT_MIN, RECONNECT_MAX = 100, 5_000


@dataclass(slots=True)
class Weather:
    """What cables and disks do now. Probabilities per frame, times in milliseconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_min: int = 1
    delay_max: int = 5
    disk_max: int = 3


@dataclass(slots=True)
class Disk:
    """What survives a crash: operational tables and, at an endpoint, the ledger."""

    tables: dict[str, dict[tuple[object, ...], Row]] = field(default_factory=dict)
    log: MemoryLog = field(default_factory=MemoryLog)

    def copy(self) -> Disk:
        """A backup."""
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        return Disk(tables, self.log.copy())

    def apply(self, change: Put | Delete, key: tuple[str, ...]) -> None:
        rows = self.tables.setdefault(change.table, {})
        if isinstance(change, Put):
            rows[tuple(change.row[column] for column in key)] = change.row
        else:
            for found in [k for k, row in rows.items() if all(row[c] == v for c, v in change.match.items())]:
                del rows[found]


class Node:
    """A machine with a disk, a clock offset and a power switch."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.disk = Disk()
        self.up = False
        self.run = 0
        self.clock_offset = 0
        self.frozen = False
        self._waiting: list[Output] = []
        self._committing = False
        self._armed: int | None = None
        self.frames_out = 0

    def now(self) -> Instant:
        return Instant(self.world.time, EPOCH_WALL + self.world.time + self.clock_offset)

    # subclasses: machine, _commit_batch, transmit, deliver

    def post(self, event: object) -> None:
        if not self.up:
            return
        output = self.step(event)
        self.transmit(output.express)
        if output.durable or self._waiting or self._committing:
            self._waiting.append(output)
            self._begin_commit()
        else:
            self._perform([output])
        self._arm()

    def step(self, event: object) -> Output:
        raise NotImplementedError

    def deadline(self) -> int | None:
        raise NotImplementedError

    def commit(self, batch: list[Output]) -> None:
        raise NotImplementedError

    def transmit(self, transmissions: Iterable[Transmission]) -> None:
        raise NotImplementedError

    def deliver(self, delivery: Delivery) -> None:
        raise NotImplementedError

    def reply(self, reply: Reply) -> None:
        """Relays answer nobody."""

    def _begin_commit(self) -> None:
        if self._committing or not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._committing = True
        run = self.run
        self.world.after(self.world.rng.randint(0, self.world.weather.disk_max), lambda: self._end_commit(batch, run))

    def _end_commit(self, batch: list[Output], run: int) -> None:
        if run != self.run or not self.up:
            return
        self.commit(batch)
        self._committing = False
        self._perform(batch)
        self._begin_commit()

    def _perform(self, batch: list[Output]) -> None:
        for output in batch:
            self.transmit(output.transmit)
        for output in batch:
            for delivery in output.deliver:
                self.world.trace(
                    self.name, delivery.kind, delivery.fields.get("serial", ""), delivery.fields.get("state", "")
                )
                self.deliver(delivery)
            for reply in output.replies:
                self.reply(reply)

    def _arm(self) -> None:
        deadline = self.deadline()
        if deadline is None or (self._armed is not None and self._armed <= deadline):
            return
        self._armed = max(deadline, self.world.time)
        run = self.run
        self.world.at(self._armed, lambda at=self._armed: self._tick(run, at))

    def _tick(self, run: int, at: int) -> None:
        if run != self.run or self._armed != at:
            return
        self._armed = None
        deadline = self.deadline()
        if deadline is not None and deadline <= self.world.time:
            self.post(Tick())
        else:
            self._arm()

    def crash(self) -> None:
        """Power off: everything that was not committed is gone."""
        self.up = False
        self.run += 1
        self._waiting = []
        self._committing = False
        self._armed = None
        for cable in self.world.cables_of(self.name):
            cable.break_now("peer gone")


class EndpointNode(Node):
    """One terminal."""

    def __init__(self, world: World, name: str, number: int, peer: str, peer_number: int) -> None:
        super().__init__(world, name)
        self.number, self.peer, self.peer_number = number, peer, peer_number
        self.signing, self.ledger_key = (SigningKey(world.rng.randbytes(32)) for _ in range(2))
        self.storage_key = world.rng.randbytes(32)
        self.machine: Endpoint | None = None
        self.requests = 0
        self.on_reply: dict[int, Callable[[Reply], None]] = {}

    @property
    def log(self) -> LogIdentity:
        return LogIdentity(f"hotline/sim/{self.name}/main", self.ledger_key.public)

    def start(self) -> None:
        self.up = True
        world, remote = self.world, self.world.endpoints[self.peer]
        setup = EndpointSetup(
            charter=CHARTER,
            local=Side(self.number, self.name, "main", self.signing.public),
            remote=Side(self.peer_number, self.peer, "main", remote.signing.public),
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
        )
        self.disk.log.start(self.log.base, self.ledger_key, world.entropy)
        self.machine = Endpoint(setup, world.entropy, self, self.disk.log, self, self.now())
        self.post(Started())
        for relay in world.relays.values():
            world.cables[self.name, relay.name].wake()

    # ports
    def rows(self, table: str) -> list[Row]:
        rows = self.disk.tables.get(table, {})
        return [rows[key] for key in sorted(rows, key=repr)]

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        row = self.disk.tables.get("sent", {}).get((plane.value, serial))
        return None if row is None else SentRow(row["content"], row["signature"], row["hash"])  # type: ignore[arg-type]

    def received(self, plane: Plane, serial: int) -> bytes | None:
        row = self.disk.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else row["content"]  # type: ignore[return-value]

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        row = self.disk.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else row["hash"]  # type: ignore[return-value]

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        facts = self.disk.tables.get("sent_fact", {})
        return any(key[:3] == (plane.value, serial, stage) for key in facts)

    # node
    def step(self, event: EndpointEvent) -> Output:
        assert self.machine is not None
        output = self.machine.step(event, self.now())
        for record in output.records:
            self.world.trace(self.name, "record", record.kind, record.fields.get("serial", ""))
        return output

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

    def transmit(self, transmissions: Iterable[Transmission]) -> None:
        for item in transmissions:
            self.frames_out += 1
            self.world.cables[self.name, item.link].to_relay(item.frame)

    def deliver(self, delivery: Delivery) -> None:
        self.world.on_delivery(self, delivery)

    def reply(self, reply: Reply) -> None:
        handler = self.on_reply.pop(reply.request, None)
        if handler is not None:
            handler(reply)

    def ask(self, make: Callable[[int], EndpointEvent], then: Callable[[Reply], None]) -> None:
        self.requests += 1
        self.on_reply[self.requests] = then
        self.post(make(self.requests))

    def crash(self) -> None:
        super().crash()
        self.machine = None
        self.on_reply.clear()


class RelayNode(Node):
    """One relay."""

    def __init__(self, world: World, name: str, number: int, profile: Profile) -> None:
        super().__init__(world, name)
        self.number, self.profile = number, profile
        self.signing = SigningKey(world.rng.randbytes(32))
        self.machine: Relay | None = None

    def start(self) -> None:
        self.up = True
        terminals = {node.name: node.number for node in self.world.endpoints.values()}
        saved = [
            (row["charter"], row["terminal"], Held(row["envelope_id"], row["name"], row["frame"], row["stored_at"]))
            for row in self.disk.tables.get("mailbox", {}).values()
        ]
        self.machine = Relay(self.name, self.signing, [Hotline(CHARTER, terminals)], saved)  # type: ignore[arg-type]
        self._arm()

    def step(self, event: object) -> Output:
        assert self.machine is not None
        return self.machine.step(event, self.now())  # type: ignore[arg-type]

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
                cable.break_now("hang-up")

    def crash(self) -> None:
        super().crash()
        self.machine = None


class Cable:
    """The stream from one terminal to one relay, opened again for ever."""

    def __init__(self, world: World, endpoint: EndpointNode, relay: RelayNode) -> None:
        self.world, self.endpoint, self.relay = world, endpoint, relay
        self.cut = False
        self.mute_up = self.mute_down = False
        self.link = ""
        self.opened = 0
        self._backoff = RECONNECT_MIN
        self._dialing = False

    def wake(self) -> None:
        if not self._dialing and not self.link and self.endpoint.up:
            self._dialing = True
            self.world.after(self.world.rng.randint(1, self._backoff), self._dial)

    def _dial(self) -> None:
        self._dialing = False
        if self.link or not self.endpoint.up:
            return
        if self.cut or not self.relay.up:
            self._backoff = min(self._backoff * 2, RECONNECT_MAX)
            self.wake()
            return
        self._backoff = RECONNECT_MIN
        self.opened += 1
        self.link = f"{self.endpoint.name}/{self.relay.name}/{self.opened}"
        self.world.cables_by_link[self.link] = self
        self.relay.post(LinkOpened(self.link, self.endpoint.name))
        self.endpoint.post(LinkOpened(self.relay.name))

    def break_now(self, reason: str) -> None:
        if not self.link:
            return
        link, self.link = self.link, ""
        del self.world.cables_by_link[link]
        self.relay.post(LinkClosed(link, reason))
        self.endpoint.post(LinkClosed(self.relay.name, reason))
        self.wake()

    def to_relay(self, frame: bytes) -> None:
        link = self.link
        if link and not self.mute_up:
            self.world.carry(lambda: self._arrive_at_relay(link, frame))

    def to_endpoint(self, frame: bytes, link: str) -> None:
        if link == self.link and not self.mute_down:
            self.world.carry(lambda: self._arrive_at_endpoint(link, frame))

    def _arrive_at_relay(self, link: str, frame: bytes) -> None:
        if link == self.link:
            self.relay.post(FramesReceived(link, (frame,)))

    def _arrive_at_endpoint(self, link: str, frame: bytes) -> None:
        if link == self.link:
            self.endpoint.post(FramesReceived(self.relay.name, (frame,)))


class World:
    """ALPHA, BRAVO and relays in one virtual time (milliseconds)."""

    def __init__(self, seed: int, relays: int = 3, profile: str = "satellite") -> None:
        self.rng = random.Random(seed)
        self.entropy = self.rng.randbytes
        self.time = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._history = hashlib.sha256()
        self.steps = 0
        self.weather = Weather()
        self.pairwise = self.rng.randbytes(32)
        self.on_delivery: Callable[[EndpointNode, Delivery], None] = lambda node, delivery: None
        self.endpoints: dict[str, EndpointNode] = {}
        self.endpoints["ALPHA"] = EndpointNode(self, "ALPHA", 1, "BRAVO", 2)
        self.endpoints["BRAVO"] = EndpointNode(self, "BRAVO", 2, "ALPHA", 1)
        self.relays = {f"relay-{i}": RelayNode(self, f"relay-{i}", i, PROFILES[profile]) for i in range(1, relays + 1)}
        self.cables_by_link: dict[str, Cable] = {}
        self.cables = {
            (endpoint.name, relay.name): Cable(self, endpoint, relay)
            for endpoint in self.endpoints.values()
            for relay in self.relays.values()
        }

    @property
    def nodes(self) -> list[EndpointNode | RelayNode]:
        return [*self.endpoints.values(), *self.relays.values()]

    def cables_of(self, name: str) -> list[Cable]:
        return [cable for ends, cable in self.cables.items() if name in ends]

    def start(self) -> None:
        for node in (*self.relays.values(), *self.endpoints.values()):
            node.start()

    def at(self, time: int, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (max(time, self.time), self._order, action))

    def after(self, delay: int, action: Callable[[], None]) -> None:
        self.at(self.time + delay, action)

    def carry(self, arrive: Callable[[], None]) -> None:
        """One frame over one cable, through the weather."""
        weather, rng = self.weather, self.rng
        if rng.random() < weather.loss:
            return
        self.after(rng.randint(weather.delay_min, weather.delay_max), arrive)
        if rng.random() < weather.duplicate:
            self.after(rng.randint(weather.delay_min, weather.delay_max * 2), arrive)

    def run_until(self, time: int, check: Callable[[], None] | None = None) -> None:
        while self._agenda and self._agenda[0][0] <= time:
            self.time, _, action = heapq.heappop(self._agenda)
            self.steps += 1
            action()
            if check is not None:
                check()
        self.time = time

    def trace(self, *what: object) -> None:
        """Part of the history whose hash must be the same for the same seed."""
        self._history.update(repr((self.time, *what)).encode())

    def digest(self) -> str:
        return self._history.hexdigest()
