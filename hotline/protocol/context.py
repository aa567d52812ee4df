"""What the parts of one endpoint share: who we are, the session, the paths, the boxes, and the output being built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hotline.charter.parts import Charter
from hotline.charter.profiles import Profile
from hotline.crypto.signing import SigningKey
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.policy import Policy
from hotline.limits import REFUSALS_RECORDED_PER_MINUTE
from hotline.machine import Delivery, Entropy, Instant, Output, Plane, Private, Record, Transmission
from hotline.protocol.inbox import Inbox
from hotline.protocol.nonpapers import Name, NonPapers
from hotline.protocol.outbox import BESIDE, Outbox
from hotline.protocol.paths import Path, PathSetup, PathState
from hotline.protocol.prekeys import OwnPrekeys
from hotline.protocol.receipts import LadderReceipts
from hotline.protocol.release import ReleasePolicy
from hotline.protocol.session import Session, Side
from hotline.protocol.tables import History, LedgerView, Saved, SentRow
from hotline.wire.codec import envelope_frame
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
    channel_test_ms: int = 0
    """Interval of the channel tests; 0: none by schedule."""
    release: ReleasePolicy = field(default_factory=ReleasePolicy)
    """Whose signatures statements need."""
    config: str = ""
    """Hex SHA-256 of the configuration; a change of it is recorded."""
    others: tuple[Other, ...] = ()
    standing: Charter | None = None
    """The charter in force; None where a test has none."""
    note: bytes = b""
    """The same as both parties signed it."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """Link profiles that this machine's configuration gives to relays, by name, in place of the charter's."""


@dataclass(slots=True)
class PeerView:
    """What the peer last said of itself, by a heartbeat that answered ours."""

    heard_at: int | None = None
    heard_wall: int | None = None
    presence: content_pb2.Presence.ValueType = content_pb2.PRESENCE_UNSPECIFIED
    presence_until: int = 0
    asked: int = 0
    """The last question of the peer that people were told of."""
    sent_through: dict[Plane, int] = field(default_factory=lambda: dict.fromkeys(Plane, 0))
    received_through: dict[Plane, int] = field(default_factory=lambda: dict.fromkeys(Plane, 0))
    log_size: int = 0
    prekey_held: int = 0
    clock_offset_ms: int | None = None
    clock_alarmed: bool = False


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
    ) -> None:
        self.setup = setup
        self.session = session
        self.prekeys = prekeys
        self.entropy = entropy
        self.nonpapers = NonPapers(setup.storage_key, entropy)
        self.history = _Opened(history, self.nonpapers)
        self.ledger = ledger
        self.paths = {path.name: Path(path, entropy) for path in setup.paths}
        self.peer = PeerView()
        self.reads = LadderReceipts()
        self.unread: dict[Plane, dict[int, bytes]] = {plane: {} for plane in Plane}
        counters = {str(row["name"]): row["value"] for row in saved.rows("counter")}
        self.outboxes: dict[Plane, Outbox] = {}
        self.inboxes: dict[Plane, Inbox] = {}
        for plane in Plane:
            last: dict[int, int] = {
                line: _number(counters.get(f"last:{plane}:{line}"))
                for precedence in content_pb2.Precedence.values()
                for line in (precedence, precedence + BESIDE)
            }
            self.outboxes[plane] = Outbox(_number(counters.get(f"sent:{plane}")), last)
            self.inboxes[plane] = Inbox(_number(counters.get(f"through:{plane}")), _lookup(history, plane))
        self.out = Output()
        self._refusals: dict[tuple[str, int], int] = {}

    # --- routes ------------------------------------------------------------------------------------------------------

    def routes(self, *, urgent: bool) -> list[Path]:
        """The paths that an envelope goes over: every open one, narrow ones only if urgent or nothing else is up."""
        usable = [path for path in self.paths.values() if path.open]
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
        return any(path.state is PathState.UP for path in self.paths.values())

    # --- the record --------------------------------------------------------------------------------------------------

    def record(self, kind: str, private: Mapping[str, Private] | None = None, /, **fields: str | int) -> None:
        """Write one ledger record; `private` values enter it only as salted commitments."""
        self.out.records.append(Record(kind, fields, private or {}))

    def tell(self, kind: str, /, **fields: str | int | bytes | None) -> None:
        """Tell people."""
        self.out.deliver.append(Delivery(kind, fields))

    def alarm(self, name: str, text: str, **fields: str | int) -> None:
        """A condition that needs a person: recorded and told."""
        self.record("alarm", name=name, **fields)
        self.tell("alarm", name=name, meaning=text, **fields)

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


class _Opened:
    """History in which non-papers lie open; one whose key was destroyed is as gone as if its month were."""

    def __init__(self, history: History, nonpapers: NonPapers) -> None:
        self._history = history
        self._nonpapers = nonpapers
        self.received_hash = history.received_hash
        self.has_sent_fact = history.has_sent_fact
        self.received_draft = history.received_draft
        self.authority = history.authority
        self.rung = history.rung

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        row = self._history.sent(plane, serial)
        content = self._nonpapers.open(Name("sent", plane, serial), row.content) if row is not None else None
        return None if row is None or content is None else row._replace(content=content)

    def received(self, plane: Plane, serial: int) -> bytes | None:
        content = self._history.received(plane, serial)
        return None if content is None else self._nonpapers.open(Name("received", plane, serial), content)


def _number(value: str | int | bytes | None) -> int:
    return value if isinstance(value, int) else 0


def _lookup(history: History, plane: Plane) -> Callable[[int], bytes | None]:
    return lambda serial: history.received_hash(plane, serial)
