"""What the parts of one endpoint share: who we are, the session, the paths, the boxes, and the output being built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

from hotline.charter.parts import Charter
from hotline.charter.profiles import Profile
from hotline.crypto.signing import SigningKey
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.policy import Policy
from hotline.limits import REFUSALS_RECORDED_PER_MINUTE, SERIAL_MAX, UNREAD_SHOWN_MAX
from hotline.machine import Delivery, Entropy, Instant, Output, Plane, Private, Put, Record, Transmission
from hotline.protocol.bell import Bell
from hotline.protocol.credence import Credence
from hotline.protocol.inbox import Inbox
from hotline.protocol.nonpapers import NonPapers
from hotline.protocol.objectives import Objectives
from hotline.protocol.openhistory import OpenHistory
from hotline.protocol.outbox import BESIDE, Outbox, Pending
from hotline.protocol.paths import Path, PathSetup, PathState
from hotline.protocol.prekeys import OwnPrekeys
from hotline.protocol.receipts import LadderReceipts
from hotline.protocol.release import ReleasePolicy
from hotline.protocol.session import Session, Side
from hotline.protocol.standing import Standing
from hotline.protocol.statements import EVERYONE
from hotline.protocol.tables import History, LedgerView, Saved
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """The logs of one terminal: their origin without the log epoch, and the key that signs them."""

    base: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Other:
    """A terminal beside `remote` to which there is a line: another one of the peer's, or one of our own party."""

    side: Side
    log: LogIdentity


@dataclass(frozen=True, slots=True)
class EndpointSetup:
    """Everything an endpoint is given once. Keys come from files, the rest from the charter and the configuration."""

    charter: bytes
    """Hash of the founding charter: what keys and signatures are bound to, whatever is in force (24.1)."""
    local: Side
    remote: Side
    signing: SigningKey
    storage_key: bytes
    pairwise: bytes
    local_log: LogIdentity
    remote_log: LogIdentity
    cosigner: Ed25519Cosigner
    """Signs for the peer's log; its name is our log's base, its key the ledger key."""
    policy: Policy | None
    paths: tuple[PathSetup, ...]
    validity_ms: dict[int, int]
    text_bytes_max: int
    outbox_max: int
    version: str
    objective_ms: Mapping[int, int] = field(default_factory=dict)
    """Precedence to the time in which a statement should be read; none: nobody is told that it was not."""
    channel_test_ms: int = 0
    """Interval of the channel tests; 0: none by schedule."""
    takeover_after_ms: int = 0
    """Silence after which an alternate takes over by itself (23.13); 0: only an officer lets a terminal speak."""
    travels: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Travelling terminals by number, with the time for which they are activated, Unix ms (24.13)."""
    release: ReleasePolicy = field(default_factory=ReleasePolicy)
    """Whose signatures statements need."""
    config: str = ""
    """Hex SHA-256 of the configuration; a change of it is recorded."""
    others: tuple[Other, ...] = ()
    everyone: bool = False
    """Whether the charter has several parties: what is said is said to all of them, of whom `remote` is of one (26)."""
    fellow_logs: tuple[LogIdentity, ...] = ()
    """The logs of the other ones' terminals, who are told of ours too."""
    standing: Charter | None = None
    """The charter in force; None where a test has none."""
    note: bytes = b""
    """The same as both parties signed it."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """Link profiles that this machine's configuration gives to relays, by name, in place of the charter's."""

    @property
    def said_to(self) -> str:
        """What a statement of ours names as its recipient."""
        return EVERYONE if self.everyone else self.remote.party

    @property
    def heard_as(self) -> str:
        """What a statement of the peer must name."""
        return EVERYONE if self.everyone else self.local.party


@dataclass(slots=True)
class PeerView:
    """What the peer last said of itself, by a heartbeat that answered ours."""

    heard_at: int | None = None
    heard_wall: int | None = None
    presence: content_pb2.Presence.ValueType = content_pb2.PRESENCE_UNSPECIFIED
    presence_until: int = 0
    presence_at: int = 0
    """When it said so, by our clock."""
    asked: int = 0
    """The last question of the peer that people were told of."""
    sent_through: dict[Plane, int] = field(default_factory=lambda: dict.fromkeys(Plane, 0))
    received_through: dict[Plane, int] = field(default_factory=lambda: dict.fromkeys(Plane, 0))
    log_size: int = 0
    prekey_held: int = 0
    clock_offset_ms: int | None = None
    clock_alarmed: bool = False
    clock_rung: int | None = None
    knows_us: int = 0
    """The turn of our party that it has named, and that of its own."""
    knows_itself: int = 0
    knows_other: int = 0
    """A sibling: the turn of the other party that it has named."""


class Context:
    """Shared state of an endpoint's parts. `out` is the output of the step under way."""

    def __init__(
        self,
        setup: EndpointSetup,
        session: Session,
        prekeys: OwnPrekeys,
        entropy: Entropy,
        history: History,
        ledger: LedgerView,
        saved: Saved,
        standing: Standing,
    ) -> None:
        self.setup = setup
        self.standing = standing
        self.fellows: list[Context] = []
        """Those of the same terminal for the other parties, where there are several: they give out the same serials."""
        self.lines: list[Context] = [self]
        """Of all lines, this one among them; the first is the one that asks and answers people."""
        self.sibling = setup.remote.party == setup.local.party
        """Whether this line is to a terminal of our own party."""
        self.peers: list[Context] = [] if self.sibling else [self]
        """The lines to the peer's terminals."""
        self.siblings: list[Context] = [self] if self.sibling else []
        """The lines to the other terminals of our party."""
        self.awake = True
        """Whether both ends are a part of the hotline now: one that travels is not while it is not activated."""
        self.session = session
        self.prekeys = prekeys
        self.entropy = entropy
        self.nonpapers = NonPapers(setup.storage_key, entropy)
        self.history = OpenHistory(history, self.nonpapers)
        self.ledger = ledger
        self.paths = {path.name: Path(path, entropy) for path in setup.paths}
        self.peer = PeerView()
        self.reads = LadderReceipts()
        self.unread: dict[Plane, dict[int, bytes]] = {plane: {} for plane in Plane}
        self.credence = Credence(self)
        """How far the other end is believed of serials that nobody has told us of."""
        self.passed_over = dict.fromkeys(Plane, 0)
        """Serials of ours that this run has passed over on the word of this party."""
        counters = {str(row["name"]): row["value"] for row in saved.rows("counter")}
        self.outboxes: dict[Plane, Outbox] = {}
        self.inboxes: dict[Plane, Inbox] = {}
        for plane in Plane:
            last: dict[int, int] = {
                line: _number(counters.get(f"last:{plane}:{line}"))
                for precedence in content_pb2.Precedence.values()
                for line in (precedence, precedence + BESIDE)
            }
            # A row of an earlier program may end beyond all serials: a beat that says so is refused (10.11).
            self.outboxes[plane] = Outbox(min(_number(counters.get(f"sent:{plane}")), SERIAL_MAX), last)
            self.inboxes[plane] = Inbox(_number(counters.get(f"through:{plane}")), _lookup(history, plane))
        self.out = Output()
        self.objectives, self.bell = Objectives(self), Bell()
        self._refusals: dict[tuple[str, int], int] = {}

    # --- lines -------------------------------------------------------------------------------------------------------

    def share(self, first: Context) -> None:
        """One inbox, one row of serials and one count of refusals for all lines."""
        self.objectives, self.bell = first.objectives, first.bell
        self.history.lately = first.history.lately
        self.inboxes, self.unread, self._refusals = first.inboxes, first.unread, first._refusals
        for plane, outbox in self.outboxes.items():
            outbox.last_in_precedence = first.outboxes[plane].last_in_precedence
        for shared, own in ((first.lines, self.lines), (first.peers, self.peers), (first.siblings, self.siblings)):
            shared.extend(own)
        self.lines, self.peers, self.siblings = first.lines, first.peers, first.siblings

    def copy(self, plane: Plane, item: Pending) -> None:
        """A new statement, pending on this line, for every other one. A full one is offered it when there is room."""
        for line in self.lines:
            outbox = line.outboxes[plane]
            if line is not self and len(outbox.pending) < self.setup.outbox_max:
                outbox.add(item.copied(copy=line.sibling))
            outbox.last_serial = max(outbox.last_serial, item.serial)

    @property
    def speaking(self) -> Context:
        """The line to the terminal that speaks for the peer; the first one if none leads there."""
        return next((line for line in self.peers if self.standing.speaks(line.setup.remote.number)), self.peers[0])

    @property
    def front(self) -> Context:
        """The line that people look at: to the terminal that speaks for the peer, or to one that is heard."""
        speaking = self.speaking
        return next((line for line in (speaking, *self.peers) if line.peer_is_heard), speaking)

    def gap(self, plane: Plane) -> tuple[int, int] | None:
        """First and last serial of what a terminal of the peer says was sent, and has not come."""
        return self.inboxes[plane].missing(max(line.peer.sent_through[plane] for line in self.peers))

    @property
    def may_speak(self) -> bool:
        """Whether statements may leave over this line.

        With siblings, and to one of several parties, only once the other side is heard: it knows whether one of them
        has taken over, and what was said before, if this terminal does not.
        """
        standing, asks = self.standing, bool(self.standing.siblings) or self.setup.everyone
        return self.sibling or (standing.active and (not asks or self.peer_is_heard))

    @property
    def whose(self) -> dict[str, str]:
        """For records: the terminal that this line leads to, where there are several."""
        remote = self.setup.remote
        return {"other": f"{remote.party}/{remote.name}"} if self.standing.several else {}

    def raise_serial(self, plane: Plane, serial: int) -> None:
        """Serials up to here are given out."""
        for line in self.lines:
            outbox = line.outboxes[plane]
            outbox.last_serial = max(outbox.last_serial, serial)
        value = self.outboxes[plane].last_serial
        self.out.changes.append(Put("counter", {"name": f"sent:{plane}", "value": value}))
        for fellow in self.fellows:
            if fellow.outboxes[plane].last_serial < value:
                fellow.raise_serial(plane, value)
                fellow.outboxes[plane].restored()

    def drop(self, plane: Plane, serial: int, now: Instant) -> Pending | None:
        """A statement of ours is pending no more, for nobody; what was pending on this line."""
        item = self.outboxes[plane].remove(serial, now.mono)
        for line in (line for one in (self, *self.fellows) for line in one.lines):
            line.outboxes[plane].remove(serial, now.mono)
        return item

    def owed(self, plane: Plane) -> list[Pending]:
        """What no terminal of the peer has acknowledged, by serial; copies for the others of them are not among it."""
        boxes = [line.outboxes[plane].pending for line in reversed(self.peers)]
        found = {serial: item for box in boxes for serial, item in box.items() if not item.copy}
        return [found[serial] for serial in sorted(found)]

    def is_owed(self, plane: Plane, serial: int) -> bool:
        """Whether no terminal of the peer has acknowledged this statement of ours, which was said."""
        held = (line.outboxes[plane].pending.get(serial) for line in self.peers)
        return any(item is not None and not item.copy for item in held)

    def oldest_unread(self, plane: Plane) -> tuple[list[int], int]:
        """The oldest that nobody has opened, and how many more there are: a peer may say as many as it likes."""
        every = self.unread[plane]
        return nsmallest(UNREAD_SHOWN_MAX, every), max(0, len(every) - UNREAD_SHOWN_MAX)

    def heard_elsewhere(self, plane: Plane, serial: int) -> None:
        """A terminal of the peer has it: for the others it is a copy."""
        for line in self.lines:
            item = line.outboxes[plane].pending.get(serial)
            if item is not None:
                item.copy = True

    def tell_settled(self, plane: Plane, items: list[content_pb2.ReceiptItem], now: Instant, *, expired: bool) -> None:
        """Tell a sibling that these statements of our party wait no more."""
        receipt = content_pb2.Receipt(stage=content_pb2.STAGE_SETTLED, item=items, time_ms=now.wall, expired=expired)
        self.send_content(plane, ContentType.RECEIPT, encode(receipt), now, transient=False, urgent=False)

    # --- routes ------------------------------------------------------------------------------------------------------

    def routes(self, *, urgent: bool) -> list[Path]:
        """The paths that an envelope goes over: every open one, narrow ones only if urgent or nothing else is up."""
        usable = [path for path in self.paths.values() if path.open and self.awake]
        wide = [path for path in usable if not path.narrow]
        if urgent or not any(path.state is PathState.UP for path in wide):
            return usable
        return wide

    def send(self, envelope: bytes, routes: list[Path]) -> None:
        """Put one envelope onto each of `routes`."""
        frame = envelope_frame(envelope)
        self.out.transmit.extend(Transmission(path.setup.name, frame) for path in routes)

    def send_content(
        self, plane: Plane, kind: ContentType, content: bytes, now: Instant, *, transient: bool, urgent: bool
    ) -> bool:
        """Sign, seal and send content that is not a statement; False if no key of the peer can be used now."""
        routes = self.routes(urgent=urgent)
        if not routes or not self.session.can_seal(now):
            return False
        inner = self.session.sign(kind, plane, content)
        self.send(self.session.seal(plane, inner, transient=transient), routes)
        return True

    @property
    def peer_is_heard(self) -> bool:
        """Whether the peer answers on at least one path."""
        return self.paths_up > 0

    @property
    def paths_up(self) -> int:
        """Paths on which the other side answers."""
        return sum(1 for path in self.paths.values() if path.state is PathState.UP)

    # --- the record --------------------------------------------------------------------------------------------------

    def record(self, kind: str, private: Mapping[str, Private] | None = None, /, **fields: str | int) -> None:
        """Write one ledger record; `private` values enter it only as salted commitments."""
        self.out.records.append(Record(kind, fields, private or {}))

    def tell(self, kind: str, /, **fields: str | int | bytes | None) -> None:
        """Tell people."""
        self.out.deliver.append(Delivery(kind, fields))

    def alarm(self, name: str, text: str, **fields: str | int) -> None:
        """A condition that needs a person: recorded and told; later, if a peer raises it at will (11.5)."""
        if not self.bell.holds(name, text, fields):
            self._raise(name, self.bell.rung(name, text, fields).text, **fields)

    def ring_again(self, *, last: bool = False) -> None:
        """Raise what was held back, once its time has come; at the `last` moment all of it."""
        for alarm in self.bell.take_due(last=last):
            self._raise(alarm.name, alarm.text, **alarm.fields)

    def _raise(self, name: str, words: str, /, **fields: str | int) -> None:
        self.record("alarm", name=name, **fields)
        self.tell("alarm", name=name, meaning=words, **fields)

    def refuse(self, path: str, reason: str, now: Instant) -> None:
        """Something that arrived was refused: one record, unless this path floods us."""
        minute = now.mono // _MINUTE
        key = (path, minute)
        count = self._refusals.get(key, 0) + 1
        if count == 1:
            self._close_minutes(minute)
        self._refusals[key] = count
        if count <= REFUSALS_RECORDED_PER_MINUTE:
            self.record("refused", path=path, reason=reason)
            self.tell("refused", path=path, reason=reason)

    def _close_minutes(self, minute: int) -> None:
        for (path, old), count in list(self._refusals.items()):
            if old < minute:
                del self._refusals[path, old]
                if count > REFUSALS_RECORDED_PER_MINUTE:
                    self.record("refused.more", path=path, count=count - REFUSALS_RECORDED_PER_MINUTE)


def _number(value: str | int | bytes | None) -> int:
    return value if isinstance(value, int) else 0


def _lookup(history: History, plane: Plane) -> Callable[[int], bytes | None]:
    return lambda serial: history.received_hash(plane, serial)
