"""Two endpoints face to face: relays that only pass on, a clock that the test moves, and loss that the test scripts."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hotline.charter.profiles import PROFILES
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.memorylog import MemoryLog
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.record import parse_leaf
from hotline.machine import (
    Delivery,
    FramesReceived,
    Instant,
    LinkClosed,
    LinkOpened,
    Output,
    Plane,
    Put,
    Record,
    Reply,
    RequestId,
    Tick,
)
from hotline.protocol.context import EndpointSetup, LogIdentity
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import EndpointEvent, MarkRead, MarkShown, PromiseReply, Started, Submit, Suspicion
from hotline.protocol.paths import PathSetup
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.protocol.session import Side
from hotline.protocol.tables import NO_CORRECTION, NO_RUNG, TABLES, Correction, Row, Rung, SentRow
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.v1 import content_pb2, frame_pb2

WALL = 1_795_000_000_000
CHARTER = hashlib.sha256(b"a charter of the tests").digest()
DAY = 86_400_000
ROUTINE, PRIORITY, IMMEDIATE, FLASH = (content_pb2.Precedence.values()[i] for i in (1, 2, 3, 4))

Weather = Callable[["Party", str, bytes], Iterable[bytes]]
"""(sender, relay, envelope) -> the envelopes that arrive."""


def clear(sender: Party, relay: str, envelope: bytes) -> Iterable[bytes]:
    """Everything arrives."""
    return [envelope]


@dataclass
class Memory:
    """What survives a restart: tables and the ledger. Copies are backups."""

    tables: dict[str, dict[tuple[object, ...], Row]] = field(default_factory=dict)
    log: MemoryLog = field(default_factory=MemoryLog)

    def copy(self) -> Memory:
        return Memory({name: dict(rows) for name, rows in self.tables.items()}, self.log.copy())

    def rows(self, table: str) -> Sequence[Row]:
        return list(self.tables.get(table, {}).values())

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        row = self.tables.get("sent", {}).get((plane.value, serial))
        return None if row is None else SentRow(row["content"], row["signature"], row["hash"])  # type: ignore[arg-type]

    def sent_hash(self, plane: Plane, serial: int) -> bytes | None:
        row = self.tables.get("sent", {}).get((plane.value, serial))
        return None if row is None else row["hash"]  # type: ignore[return-value]

    def received(self, plane: Plane, serial: int) -> bytes | None:
        row = self.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else row["content"]  # type: ignore[return-value]

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        row = self.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else row["hash"]  # type: ignore[return-value]

    def received_signed(self, plane: Plane, serial: int) -> SentRow | None:
        row = self.tables.get("received", {}).get((plane.value, serial))
        return None if row is None else SentRow(row["content"], row["signature"], row["hash"])  # type: ignore[arg-type]

    def is_nonpaper(self, way: str, plane: Plane, serial: int) -> bool:
        row = self.tables.get(way, {}).get((plane.value, serial))
        return row is not None and not row["signature"]

    def received_draft(self, draft: bytes) -> tuple[Plane, int] | None:
        row = self.tables.get("received_draft", {}).get((draft,))
        return None if row is None else (Plane(str(row["plane"])), int(str(row["serial"])))

    def authority(self, plane: Plane, serial: int) -> str:
        row = self.tables.get("received_fact", {}).get((plane.value, serial, "authority"))
        return "" if row is None else str(row["by"])

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        return any(key[:3] == (plane.value, serial, stage) for key in self.tables.get("sent_fact", {}))

    def moved_to(self, plane: Plane, serial: int) -> int:
        rows = self.tables.get("sent_fact", {}).items()
        wanted = (plane.value, serial, "renumbered")
        return next((int(str(row["by"])) for key, row in rows if key[:3] == wanted), 0)

    def correction(self, way: str, plane: Plane, serial: int, name: bytes) -> Correction:
        rows, wanted = self.tables.get("correction", {}), (way, plane.value, serial)
        found = [row for key, row in rows.items() if key[:3] == wanted and row["named"] == name]
        made = [Correction(int(str(row["first"])), int(str(row["by"])), str(row["stage"])) for row in found]
        return max(made, default=NO_CORRECTION)

    def rung(self, way: str, plane: Plane, serial: int, stage: str) -> Rung:
        row = self.tables.get("ladder", {}).get((way, plane.value, serial, stage))
        return NO_RUNG if row is None else Rung(*(row[column] for column in Rung._fields))  # type: ignore[arg-type]

    def apply(self, output: Output) -> None:
        for change in output.changes:
            rows = self.tables.setdefault(change.table, {})
            if isinstance(change, Put):
                assert set(change.row) == set(TABLES[change.table].columns), change
                assert all(not isinstance(v, int) or -(2**63) <= v < 2**63 for v in change.row.values()), change
                rows[tuple(change.row[column] for column in TABLES[change.table].key)] = change.row
            else:
                for key in [k for k, row in rows.items() if all(row[c] == v for c, v in change.match.items())]:
                    del rows[key]


class Party:
    """One terminal: its keys, its disk, its endpoint, and everything that it ever said to people."""

    def __init__(self, pair: Pair, name: str, number: int) -> None:
        self.pair, self.name, self.number = pair, name, number
        self.signing, self.ledger_key = SigningKey(pair.entropy(32)), SigningKey(pair.entropy(32))
        self.storage_key = pair.entropy(32)
        self.memory = Memory()
        self.offset = 0
        self.records: list[Record] = []
        self.told: list[Delivery] = []
        self.replies: dict[int, Reply] = {}
        self.lies = False
        """Whether a test has made it say what no endpoint would: then its record is no measure of its tables."""
        self.suspicion: Suspicion | None = None
        """What a ratchet file would say at the next start."""
        self.setup: EndpointSetup
        self.endpoint: Endpoint

    @property
    def peer(self) -> Party:
        return self.pair.bravo if self is self.pair.alpha else self.pair.alpha

    @property
    def log(self) -> LogIdentity:
        return LogIdentity(f"hotline/test/{self.name}/main", self.ledger_key.public)

    def now(self) -> Instant:
        return Instant(self.pair.time, WALL + self.pair.time + self.offset)

    def prepare(self, **changes: object) -> None:
        """Build the setup; `changes` replace fields of it."""
        peer, pair = self.peer, self.pair
        setup = EndpointSetup(
            charter=CHARTER,
            local=Side(self.number, self.name, "main", self.signing.public),
            remote=Side(peer.number, peer.name, "main", peer.signing.public),
            signing=self.signing,
            storage_key=self.storage_key,
            pairwise=pair.pairwise,
            local_log=self.log,
            remote_log=peer.log,
            cosigner=Ed25519Cosigner(self.log.base, self.ledger_key),
            policy=None,
            paths=pair.paths,
            validity_ms=dict.fromkeys(content_pb2.Precedence.values(), DAY),
            text_bytes_max=32_768,
            outbox_max=1_000,
            version="test",
        )
        self.setup = replace(setup, **changes)  # type: ignore[arg-type]

    def start(self) -> None:
        memory = self.memory
        memory.log.start(self.log.base, self.ledger_key, self.pair.entropy)
        self.endpoint = Endpoint(self.setup, self.pair.entropy, memory, memory.log, memory, self.now())
        self.step(Started(self.suspicion))
        for path in self.setup.paths:
            self.step(LinkOpened(path.name))

    def restart(self, memory: Memory | None = None) -> None:
        """Power off and on, with the disk as it is or with `memory` from a backup."""
        self.memory = memory or self.memory
        self.start()

    def step(self, event: EndpointEvent) -> Output:
        """One step, committed and performed at once."""
        output = self.endpoint.step(event, self.now())
        self.memory.apply(output)
        if output.records:
            self.memory.log.commit(output.records, self.now().wall)
        self.records += output.records
        self.told += output.deliver
        self.replies |= {reply.request: reply for reply in output.replies}
        for item in (*output.express, *output.transmit):
            self.pair.carry(self, item.link, item.frame)
        return output

    def hear(self, relay: str, *frames: bytes) -> Output:
        """Frames that come out of a relay, whoever made them."""
        return self.step(FramesReceived(relay, frames))

    def submit(
        self,
        text: str,
        precedence: content_pb2.Precedence.ValueType = ROUTINE,
        plane: Plane = Plane.REAL,
        valid_for_ms: int = 0,
        language: str = "en",
        direction: content_pb2.Direction.ValueType = content_pb2.DIRECTION_LTR,
        **more: object,
    ) -> Reply:
        """An officer hands in a statement; the answer. `more` are further fields of Submit."""
        request = RequestId(len(self.replies) + 1)
        event = Submit(request, plane, precedence, language, direction, text, "watch", valid_for_ms)
        self.step(replace(event, **more))  # type: ignore[arg-type]
        return self.replies[request]

    def read(self, serial: int, plane: Plane = Plane.REAL, officer: str = "watch") -> Reply:
        """An officer opens a received statement; the answer."""
        request = RequestId(len(self.replies) + 1)
        self.step(MarkRead(request, plane, serial, officer))
        return self.replies[request]

    def present(self, serial: int, plane: Plane = Plane.REAL, principal: str = "") -> Reply:
        """An officer has shown a received statement to the principal; the answer."""
        request = RequestId(len(self.replies) + 1)
        self.step(MarkShown(request, plane, serial, "watch", principal))
        return self.replies[request]

    def promise(self, serial: int, until: int, plane: Plane = Plane.REAL, officer: str = "watch") -> Reply:
        """An officer promises an answer to a received statement; the answer of the terminal."""
        request = RequestId(len(self.replies) + 1)
        self.step(PromiseReply(request, plane, serial, officer, until))
        return self.replies[request]

    def ledger_and_tables(self) -> list[str]:
        """Where the tables are not what the ledger tells (docs/protocol.md 13.3)."""
        tables = {table: self.memory.rows(table) for table in REBUILT}
        return differences(rebuild(parse_leaf(leaf) for leaf in self.memory.log.leaves), tables)

    def kinds(self) -> list[str]:
        return [record.kind for record in self.records]

    def refusals(self) -> list[object]:
        return [record.fields["reason"] for record in self.records if record.kind == "refused"]

    def alarms(self) -> list[object]:
        return [record.fields["name"] for record in self.records if record.kind == "alarm"]

    def states(self, serial: int, plane: Plane = Plane.REAL) -> list[object]:
        """What people were told of a statement of ours, in order."""
        wanted = (serial, plane.value)
        return [
            d.fields["state"]
            for d in self.told
            if d.kind == "sent" and (d.fields["serial"], d.fields["plane"]) == wanted
        ]

    def shown(self, plane: Plane = Plane.REAL) -> list[object]:
        """Serials in the order in which they were shown; voids are negative."""
        return [
            -int(str(d.fields["serial"])) if d.fields["void"] else d.fields["serial"]
            for d in self.told
            if d.kind == "received" and d.fields["plane"] == plane.value
        ]

    def text(self, serial: int, plane: Plane = Plane.REAL) -> str:
        row = self.memory.tables["received"][plane.value, serial]
        assert isinstance(row["content"], bytes)
        return content_pb2.Statement.FromString(row["content"]).text


class Pair:
    """ALPHA, BRAVO and relays that pass envelopes on without keeping them. Time in milliseconds."""

    def __init__(
        self, seed: int = 1, relays: int = 2, profiles: Sequence[str] = (), *, latency: int = 2, **setup: object
    ) -> None:
        self.entropy = random.Random(seed).randbytes
        self.time = 1_000
        self.latency = latency
        self.pairwise = self.entropy(32)
        self.relay_keys = {f"relay-{i}": SigningKey(self.entropy(32)) for i in range(1, relays + 1)}
        kinds = list(profiles) or ["fibre"] * relays
        self.paths = tuple(
            PathSetup(name, number, key.public, PROFILES[kind])
            for number, ((name, key), kind) in enumerate(zip(self.relay_keys.items(), kinds, strict=True), 1)
        )
        self.weather: Weather = clear
        self.custody = False
        self.sent: list[tuple[str, str, bytes]] = []
        self.taken: list[bytes] = []
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._order = 0
        self.alpha, self.bravo = self.sides()
        for party in self.running():
            party.prepare(**setup)

    def sides(self) -> tuple[Party, Party]:
        """The two that stand face to face."""
        return Party(self, "ALPHA", 1), Party(self, "BRAVO", 2)

    def running(self) -> tuple[Party, ...]:
        """Every terminal that is on."""
        return self.alpha, self.bravo

    def receiver(self, sender: Party, envelope: bytes) -> Party | None:
        """Where a relay brings an envelope; None: nowhere."""
        del envelope
        return sender.peer

    def open(self, settle_ms: int = 3_000) -> Pair:
        """Start both and let them find each other."""
        self.alpha.start()
        self.bravo.start()
        self.run(settle_ms)
        return self

    def after(self, delay: int, action: Callable[[], object]) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (self.time + delay, self._order, action))

    def carry(self, sender: Party, relay: str, data: bytes) -> None:
        frame = decode_frame(data)
        match frame.WhichOneof("body"):
            case "hello":
                welcome = encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay=relay)))
                self.after(0, lambda: sender.hear(relay, welcome))
            case "taken":
                self.taken += frame.taken.envelope_id
            case "envelope":
                self.sent.append((sender.name, relay, frame.envelope))
                for envelope in self.weather(sender, relay, frame.envelope):
                    self.after(self.latency, lambda e=envelope: self.bring(sender, relay, e))  # type: ignore[misc]
                if self.custody and not frame.envelope[1] & 0x02:
                    signed = self.custody_frame(relay, sender.number, [hashlib.sha256(frame.envelope).digest()])
                    self.after(self.latency, lambda: sender.hear(relay, signed))

    def bring(self, sender: Party, relay: str, envelope: bytes) -> None:
        receiver = self.receiver(sender, envelope)
        if receiver is not None:
            receiver.hear(relay, envelope_frame(envelope))

    def custody_frame(self, relay: str, terminal: int, names: list[bytes], key: SigningKey | None = None) -> bytes:
        body = encode(
            frame_pb2.CustodyBody(charter=CHARTER, terminal=terminal, envelope=names, time_ms=WALL + self.time)
        )
        signature = (key or self.relay_keys[relay]).sign("hotline/v1/custody", body)
        return encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=body, signature=signature)))

    def run(self, for_ms: int) -> None:
        """Let time pass; deadlines and arrivals happen in order."""
        end, steps = self.time + for_ms, 0
        while True:
            due = [(self._agenda[0][0], 0, None)] if self._agenda else []
            for rank, party in enumerate(self.running(), 1):
                deadline = party.endpoint.next_deadline()
                if deadline is not None:
                    due.append((max(deadline, self.time), rank, party))  # type: ignore[arg-type]
            first = min(due, default=None, key=lambda item: item[:2])
            if first is None or first[0] > end:
                break
            steps += 1
            assert steps < 200_000, "a deadline that never passes"
            self.time = max(self.time, first[0])
            if first[2] is None:
                heapq.heappop(self._agenda)[2]()
            else:
                first[2].step(Tick())
        self.time = end

    def cut(self, *relays: str) -> None:
        """Streams break on both sides."""
        for relay in relays or tuple(self.relay_keys):
            for party in self.running():
                party.step(LinkClosed(relay, "cut"))

    def join(self, *relays: str) -> None:
        """Streams are opened again on both sides."""
        for relay in relays or tuple(self.relay_keys):
            for party in self.running():
                party.step(LinkOpened(relay))


def durable(envelope: bytes) -> bool:
    """Whether an envelope is one that a relay stores."""
    return not envelope[1] & 0x02


def losing(chosen: Callable[[Party, str, bytes], bool]) -> Weather:
    """Weather that loses what `chosen` picks."""
    return lambda sender, relay, envelope: [] if chosen(sender, relay, envelope) else [envelope]
