"""Three parties with a terminal each, over relays that only pass on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.record import parse_leaf
from hotline.machine import FramesReceived, LinkOpened, Output, Plane, Put, RequestId
from hotline.protocol.conference import Conference, ConferenceEvent, To
from hotline.protocol.context import EndpointSetup
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import MarkRead, Started
from hotline.protocol.rebuild import REBUILT, about, differences, rebuild
from hotline.protocol.session import Side
from hotline.protocol.tables import Row, scoped, shape
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import CHARTER, DAY, Memory, Pair, Party


@dataclass
class Scoped(Memory):
    """The part of a disk that belongs to one other party; the first one's has no name of its own."""

    whole: Memory = field(default_factory=Memory)
    party: str = ""

    def __post_init__(self) -> None:
        self.tables = _Named(self.whole, self.party)  # type: ignore[assignment]


class _Named:
    def __init__(self, whole: Memory, party: str) -> None:
        self._whole, self._party = whole, party

    def get(self, table: str, default: dict[tuple[object, ...], Row]) -> dict[tuple[object, ...], Row]:
        return self._whole.tables.get(scoped(table, self._party), default)


class Disk(Memory):
    """A disk with the tables of every other party."""

    def copy(self) -> Disk:
        return Disk({name: dict(rows) for name, rows in self.tables.items()}, self.log.copy())

    def of(self, party: str) -> Scoped:
        return Scoped(whole=self, party=party)

    def apply(self, output: Output) -> None:
        for change in output.changes:
            rows = self.tables.setdefault(change.table, {})
            if isinstance(change, Put):
                assert set(change.row) == set(shape(change.table).columns), change
                rows[tuple(change.row[column] for column in shape(change.table).key)] = change.row
            else:
                for key in [k for k, row in rows.items() if all(row[c] == v for c, v in change.match.items())]:
                    del rows[key]


class Delegation(Party):
    """One of the three."""

    pair: Trio
    memory: Disk

    def __init__(self, pair: Trio, name: str, number: int) -> None:
        super().__init__(pair, name, number)
        self.memory = Disk()
        self.on = False
        self.conference: Conference

    @property
    def others(self) -> list[Delegation]:
        return [one for one in self.pair.all if one is not self]

    def prepare(self, **changes: object) -> None:
        self.setups = [self._setup(other, **changes) for other in self.others]

    def _setup(self, other: Delegation, **changes: object) -> EndpointSetup:
        three = self.pair
        setup = EndpointSetup(
            charter=CHARTER,
            local=Side(self.number, self.name, "main", self.signing.public),
            remote=Side(other.number, other.name, "main", other.signing.public),
            signing=self.signing,
            storage_key=self.storage_key,
            pairwise=three.secrets[frozenset((self.name, other.name))],
            local_log=self.log,
            remote_log=other.log,
            cosigner=Ed25519Cosigner(self.log.base, self.ledger_key),
            policy=None,
            paths=three.paths,
            validity_ms=dict.fromkeys(content_pb2.Precedence.values(), DAY),
            text_bytes_max=32_768,
            outbox_max=1_000,
            version="test",
            everyone=True,
            fellow_logs=tuple(one.log for one in self.others if one is not other),
        )
        return replace(setup, **changes)  # type: ignore[arg-type]

    def start(self) -> None:
        self.on = True
        memory = self.memory
        memory.log.start(self.log.base, self.ledger_key, self.pair.entropy)
        ports = lambda party: (memory.of(party), memory.of(party))  # noqa: E731 - two ports of one disk
        self.conference = Conference(self.setups, self.pair.entropy, ports, memory.log, self.now())
        self.endpoint = self.conference  # type: ignore[assignment]
        self.step(Started(self.suspicion))
        for path in self.pair.paths:
            self.step(LinkOpened(path.name))

    def ledger_and_tables(self) -> list[str]:
        found = []
        for other in self.others:
            memory = self.memory.of(self.scope(other))
            tables = {table: memory.rows(table) for table in REBUILT}
            leaves = [parse_leaf(leaf) for leaf in self.memory.log.leaves]
            found += [f"{other.name}: {one}" for one in differences(rebuild(about(leaves, other.name, ())), tables)]
        return found

    def member(self, other: Party) -> Endpoint:
        """What it has with one of the others."""
        return self.conference.members[other.name]

    def hear(self, relay: str, *frames: bytes) -> Output:
        return self.step(FramesReceived(relay, frames)) if self.on else Output()

    def at(self, other: Party, event: ConferenceEvent) -> Output:
        """An officer asks for something at the window of one other party."""
        assert not isinstance(event, To)
        return self.step(To(other.name, event))  # type: ignore[arg-type]

    def reads(self, other: Party, serial: int, plane: Plane = Plane.REAL) -> bool:
        """An officer opens a statement of one of the others."""
        request = RequestId(len(self.replies) + 1)
        self.at(other, MarkRead(request, plane, serial, "watch"))
        return self.replies[request].ok

    def got(self, other: Party, plane: Plane = Plane.REAL) -> dict[int, str]:
        """Serial to text of what this one holds of another; what was withdrawn has none."""
        rows = self.memory.of(self.scope(other)).rows("received")
        return {int(str(row["serial"])): _text(row["content"]) for row in rows if row["plane"] == plane.value}

    def facts(self, other: Party, serial: int) -> set[str]:
        """What is known of a statement of ours with one of the others."""
        rows = self.memory.of(self.scope(other)).rows("sent_fact")
        return {str(row["stage"]) for row in rows if row["serial"] == serial}

    def scope(self, other: Party) -> str:
        """How the tables of one other party are named."""
        return "" if self.conference.first is self.member(other) else other.name


def _text(content: object) -> str:
    assert isinstance(content, bytes)
    return content_pb2.Statement.FromString(content).text


class Trio(Pair):
    """ALPHA, BRAVO and CHARLIE. `blocked` names pairs of numbers that nothing passes between."""

    names: Sequence[str] = ("ALPHA", "BRAVO", "CHARLIE")
    alpha: Delegation
    bravo: Delegation

    def __init__(self, seed: int = 1, relays: int = 2, **setup: object) -> None:
        self.blocked: set[frozenset[int]] = set()
        self.secrets: dict[frozenset[str], bytes] = {}
        super().__init__(seed, relays, **setup)  # type: ignore[arg-type]

    def sides(self) -> tuple[Party, Party]:
        self.all: Sequence[Delegation] = [Delegation(self, name, number) for number, name in enumerate(self.names, 1)]
        for one in self.all:
            for other in one.others:
                self.secrets.setdefault(frozenset((one.name, other.name)), self.entropy(32))
        return self.all[0], self.all[1]

    @property
    def charlie(self) -> Delegation:
        return self.all[2]

    def running(self) -> tuple[Delegation, ...]:
        started = tuple(one for one in self.all if one.on)
        return started or tuple(self.all)

    def receiver(self, sender: Party, envelope: bytes) -> Delegation | None:
        number = int.from_bytes(envelope[2:4], "big")
        blocked = frozenset((sender.number, number)) in self.blocked
        return None if blocked else next(one for one in self.all if one.number == number)

    def part(self, one: Party, other: Party) -> None:
        """Nothing passes between these two any more."""
        self.blocked.add(frozenset((one.number, other.number)))

    def meet(self) -> None:
        """Everything passes again."""
        self.blocked.clear()

    def open(self, settle_ms: int = 4_000) -> Trio:
        for one in self.all:
            one.start()
        self.run(settle_ms)
        return self
