"""The peer's ledger as we know it: heads it signed, linked by proofs; two that cannot both be true are evidence.

docs/protocol.md 13.6. Heads arrive in its statements and receipts (claims, looked at a little later) and, with proofs,
in its heartbeats.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from hotline.errors import RemoteError, Untrusted
from hotline.ledger.note import parse_note
from hotline.ledger.tree import verify_consistency
from hotline.limits import CLAIMS_DELAY, CLAIMS_WAITING_MAX, LEDGER_ALARMS_MAX, OLD_LOG_GRACE
from hotline.machine import Instant, Put
from hotline.protocol.context import Context
from hotline.protocol.heads import EpochPace, SignedHead, open_head, place_of, said_head
from hotline.protocol.tables import Row, Saved
from hotline.wire.v1 import content_pb2

_REMEMBERED = 8
_RESERVED_SECONDS = 60
"""How far ahead the times of cosignatures are written down, so that few of them cost a commit."""


class PeerLog:
    """Everything an endpoint knows of the peer's ledger."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.linked: SignedHead | None = None
        """The largest head that proofs connect with everything before it."""
        self.seen: SignedHead | None = None
        """The largest head that the peer signed, linked or not."""
        self._known: OrderedDict[tuple[int, int], SignedHead] = OrderedDict()
        """Heads that a proof may start from or lead to: those that were linked, and those that we told the peer of.
        Others must not push them out, or a busy peer could never be linked."""
        self._waiting: deque[tuple[bytes, str]] = deque(maxlen=CLAIMS_WAITING_MAX)
        self._look_at: int | None = None
        self._elsewhere: SignedHead | None = None
        """A head that the peer showed to a third party, and has not proven here yet."""
        self._shown: OrderedDict[tuple[int, int], SignedHead] = OrderedDict()
        """Heads that third parties hold, and show us."""
        self._pair: tuple[SignedHead, ...] = ()
        """Two heads that convict the peer: third parties are shown them too."""
        self._disputed: tuple[SignedHead, ...] = ()
        """Two heads of the peer's log that contradict each other: one may be of somebody else who has its key."""
        self._answers = 0
        self._told = 0
        self._accused: set[tuple[int, int]] = set()
        self._new_logs = 0
        self._pace = EpochPace()
        self._left_at = 0
        self._cosigned_at = self._reserved = 0
        """The last second that we have cosigned at, and the last one up to which we may before that is written down."""

    def restore(self, saved: Saved) -> None:
        """Take up the newest heads that we hold."""
        for row in saved.rows("peer_head"):
            if row["terminal"] != self._ctx.setup.remote.number:
                continue
            linked, claimed, at = row["linked"], row["claimed"], row["at"]
            assert isinstance(at, int)
            self._cosigned_at = self._reserved = max(self._cosigned_at, at)
            assert isinstance(linked, bytes)
            assert isinstance(claimed, bytes)
            try:
                self.linked = self._remember(open_head(linked, self._ctx.setup.remote_log))
                self.seen = self._remember(open_head(claimed, self._ctx.setup.remote_log))
            except RemoteError:
                # Another ledger key of the peer, by a new charter: its old logs are history.
                self.linked = self.seen = None

    def _remember(self, head: SignedHead) -> SignedHead:
        self._known[head.place] = head
        self._known.move_to_end(head.place)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return head

    # --- claims ------------------------------------------------------------------------------------------------------

    def claim(self, note: bytes, path: str, now: Instant) -> None:
        """A statement or receipt carried this head: it is looked at soon."""
        self._waiting.append((note, path))
        if self._look_at is None:
            self._look_at = now.mono + CLAIMS_DELAY

    def said(self, note: bytes) -> dict[str, str | int]:
        """For the record: what a note says of this log, and whose that is where there are several (23.12)."""
        return {**said_head(note, self._ctx.setup.remote_log), **self._ctx.whose}

    def shown_to_another(self, note: bytes, path: str, now: Instant) -> None:
        """A third party holds this head of the peer's: it must be one with what the peer shows us (26.12)."""
        try:
            head = open_head(note, self._ctx.setup.remote_log)
        except RemoteError as error:
            self._ctx.refuse(path, f"checkpoint-{error.reason}", now)
            return
        held, linked = self._held(head.place), self.linked
        known = held or self._shown.get(head.place)
        self._shown.setdefault(head.place, head)
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        if known is not None and known.root != head.root:
            self._accuse("peer-fork", "the peer signed two different ledgers of one size", known, head)
        elif linked is not None and head.epoch == linked.epoch and head.size > linked.size:
            if self._elsewhere is None or self._elsewhere.epoch != head.epoch:  # else every proof would come too late
                self._elsewhere = head  # what we say that we have seen: the peer proves its way there next
        elif held is None:
            self.claim(note, path, now)

    @property
    def names_another(self) -> bool:
        """Whether the peer is asked to prove the way to a head that a third party holds."""
        return self._elsewhere is not None

    def next_to_tell(self) -> bytes:
        """What third parties are told now: the newest head that the peer signed, in turn with two that convict it."""
        heads = [head for head in (self.seen, *self._pair) if head is not None]
        self._told += 1
        return heads[self._told % len(heads)].note if heads else b""

    def due(self, now: Instant) -> None:
        """Look at the heads that wait. Only those that could tell something new are verified."""
        if self._look_at is not None and self._look_at <= now.mono:
            self._look(now)

    def _look(self, now: Instant) -> None:
        self._look_at = None
        waiting, self._waiting = list(self._waiting), deque(maxlen=CLAIMS_WAITING_MAX)
        before = self.seen
        for note, path in reversed(waiting):  # the newest first: it leaves least to do
            try:
                if self._is_news(note):
                    self._take(open_head(note, self._ctx.setup.remote_log), now)
            except RemoteError as error:
                self._ctx.refuse(path, f"checkpoint-{error.reason}", now)
        if self.seen is not before:
            self._save()

    def next_deadline(self) -> int | None:
        """When heads are to be looked at."""
        return self._look_at

    def _is_news(self, note: bytes) -> bool:
        place = place_of(note, self._ctx.setup.remote_log)
        if self.seen is None or place > self.seen.place:
            return True
        known = self._held(place)
        return known is not None and parse_note(known.note).text != parse_note(note).text

    def _held(self, place: tuple[int, int]) -> SignedHead | None:
        """The head of this place, if it is one of those that we still have."""
        for head in (self.linked, self.seen):
            if head is not None and head.place == place:
                return head
        return self._known.get(place)

    def _take(self, head: SignedHead, now: Instant) -> bool:
        """A verified head; False if it contradicts what we know or is of a log that the peer has left.

        Raises Untrusted('epoch') for one so far ahead that the log epochs would soon be used up.
        """
        known = self._held(head.place)
        if known is not None and known.root != head.root:
            self._accuse("peer-fork", "the peer signed two different ledgers of one size", known, head)
            return False
        if self.linked is not None and head.epoch < self.linked.epoch:
            return False
        if self.linked is not None:
            self._pace.check(head.epoch, self.linked.epoch, now)
        if self.linked is None or head.epoch > self.linked.epoch:
            self._new_log(head, now)
        elif self.seen is None or head.size > self.seen.size:
            self.seen = head
        return True

    def _left(self, head: SignedHead, now: Instant) -> None:
        """A fresh heartbeat shows a head of a log that the peer has left. One that was under way is no fault."""
        known = [size for epoch, size in self._known if epoch == head.epoch]
        if self.linked is None or head.epoch >= self.linked.epoch or now.mono - self._left_at < OLD_LOG_GRACE:
            return
        if known and head.size > max(known):
            self._accuse("peer-old-log", "the peer goes on signing a log that it had left", self.linked, head)

    def _new_log(self, head: SignedHead, now: Instant) -> None:
        ctx, old = self._ctx, self.linked
        self._save()  # the old one as it stands: one look may find several
        self.linked = self.seen = self._remember(head)
        self._disputed = ()
        self._left_at = now.mono
        ctx.record("peer.log", log_epoch=head.epoch, size=head.size, root=head.root.hex(), **ctx.whose)
        self._new_logs += old is not None
        if old is not None and self._new_logs <= LEDGER_ALARMS_MAX:
            text = f"the peer has begun a new log; of the old one {old.size} entries are linked here"
            ctx.alarm("peer-log", text, log_epoch=head.epoch, held=old.size)

    # --- links -------------------------------------------------------------------------------------------------------

    def heard(self, log: content_pb2.LogExchange, now: Instant) -> None:
        """What a fresh heartbeat brought: a head, and proofs in its log that lead to it. Raises RemoteError."""
        if not log.checkpoint:
            return
        head = open_head(log.checkpoint, self._ctx.setup.remote_log)
        before = (self.linked, self.seen)
        claimed = self._held((head.epoch, log.claimed_to))
        if claimed is not None:
            self._link(log.claimed_from, claimed, log.claimed_proof)
        if self._take(head, now):
            self._link(log.proof_from, head, log.proof)
        else:
            self._left(head, now)
        if (self.linked, self.seen) != before:
            self._save()

    def _link(self, start: int, head: SignedHead, proof: Sequence[bytes]) -> None:
        """`head` becomes the linked one if `proof` holds from a linked head of `start` entries."""
        linked = self.linked
        if linked is None or head.epoch != linked.epoch or head.size <= linked.size:
            return
        known = self._held((head.epoch, start))
        if known is None or known.size > linked.size or not proof:
            return  # made for another moment: the next one will fit
        between = self._elsewhere
        if between is not None and known.place < between.place < head.place:
            return  # the same: it does not lead by way of what somebody else holds (26.12)
        try:
            verify_consistency(known.size, head.size, proof, known.root, head.root)
        except Untrusted:
            self._accuse("peer-fork", "the peer's ledger does not continue the one that it showed before", known, head)
            return
        self.linked = self._remember(head)
        if self._elsewhere is not None and self.linked.place >= self._elsewhere.place:
            self._elsewhere = None

    def _save(self) -> None:
        if self.linked is not None and self.seen is not None:
            row: Row = {
                "terminal": self._ctx.setup.remote.number,
                "epoch": self.linked.epoch,
                "linked": self.linked.note,
                "claimed": self.seen.note,
                "at": self._reserved,
            }
            self._ctx.out.changes.append(Put("peer_head", row))

    def _accuse(self, name: str, text: str, one: SignedHead | None, other: SignedHead) -> None:
        """Two signed heads that contradict each other: both go into the record, each pair once."""
        if other.place in self._accused or len(self._accused) >= LEDGER_ALARMS_MAX:
            return
        self._accused.add(other.place)
        if one is not None and one.epoch == other.epoch:
            self._disputed, self._answers = (one, other), 0
        if one is not None and one.place == other.place:
            self._pair = (one, other)
        first = "" if one is None else one.note.decode()
        self._ctx.alarm(name, text, size=other.size, log_epoch=other.epoch, held=first, note=other.note.decode())

    # --- what we answer ----------------------------------------------------------------------------------------------

    def answer(self, exchange: content_pb2.LogExchange, now: Instant) -> None:
        """Say what we have seen and linked, and cosign what is linked."""
        self._look(now)  # the peer may go on by what it is told now
        exchange.answered = True
        turn, self._answers = self._answers % (len(self._disputed) + 1), self._answers + 1
        seen = self._elsewhere or self.seen
        if turn < len(self._disputed):
            exchange.seen = self._disputed[turn].note
        elif seen is not None:
            exchange.seen = self._remember(seen).note
        if self.linked is not None:
            exchange.linked, exchange.linked_epoch = self.linked.size, self.linked.epoch
            # A clock that was set back would make an honest cosigner look like one that went back itself.
            self._cosigned_at = max(self._cosigned_at, now.wall // 1_000)
            if self._cosigned_at > self._reserved:
                self._reserved = self._cosigned_at + _RESERVED_SECONDS
                self._save()
            text = parse_note(self.linked.note).text
            exchange.cosignature = self._ctx.setup.cosigner.cosign(text, self._cosigned_at).value
