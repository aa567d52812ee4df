"""Our own ledger before others: what of it may be shown, who vouches for it, and when it must begin anew.

docs/protocol.md 13.5 to 13.7. A log that was seen larger than it is never signs again; until all who can know have
answered, nothing of it is shown.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from hotline.civil import civil
from hotline.errors import RemoteError
from hotline.ledger.cosignature import CosignatureVerifier, Ed25519CosignatureVerifier, check_cosignature, timestamp
from hotline.ledger.log import FREEZE, LOG_EPOCH_MAX, OPEN, VOUCHED
from hotline.ledger.note import Signature, parse_note
from hotline.ledger.policy import Policy
from hotline.limits import LOG_ENTRIES_MAX, QUORUM_PATIENCE, ROUNDS_KEPT, WITNESS_INTERVAL
from hotline.machine import Instant, Put
from hotline.protocol.context import Context
from hotline.protocol.events import Cosigned, HeadSeen, Suspicion
from hotline.protocol.heads import EpochPace, SignedHead, check_epoch, open_head
from hotline.protocol.tables import Row, Saved
from hotline.wire.v1 import content_pb2

_HOUR = 3_600_000
_NOBODY = Policy((), (), (), "")
_COMMIT_PATIENCE = 500
"""How soon to look again for a head that is being committed."""


@dataclass(slots=True)
class _Round:
    """One head given to everyone who cosigns, and who has."""

    head: SignedHead
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Acquaintance:
    """What one other terminal has told that it knows of our current log."""

    linked: int = 0
    """Entries that it has linked by proofs."""
    seen: SignedHead | None = None
    """The largest head that it says it has seen."""
    cosigned: int = 0


class OwnLog:
    """What an endpoint knows of others' knowledge of its ledger."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.vouched = False
        self.witnessed = 0
        """Entries of the current log that a quorum has cosigned."""
        setup = self._ctx.setup
        others = (setup.remote_log, *(one.log for one in setup.others), *setup.fellow_logs)
        self._known = {log.base: Acquaintance() for log in others}
        """By the base of the other terminal's log."""
        ours = [one.log for one in setup.others if one.side.party == setup.local.party]
        self._foreign = [log.base for log in others if log not in ours]
        self.quorum_lost = False
        self._epoch = context.ledger.head().epoch
        self._pace = EpochPace()
        self._quarter = ""
        self._answered: set[str] = set()
        """Witnesses that have shown what they hold."""
        self._told: dict[str, None] = {}
        """Bases of the terminals that have told in this run what they have seen of our logs; the last one is last."""
        self._rounds: OrderedDict[tuple[int, int], _Round] = OrderedDict()
        self._round_at = 0
        self._quorum_at = 0
        self._peers = {log.base: Ed25519CosignatureVerifier(log.base, log.key) for log in others}
        self._voters: dict[tuple[str, bytes], tuple[str, CosignatureVerifier]] = {}
        """By name and id of its key (a name may have several): its name in the policy and the key; ours has no vote."""
        self._counting: set[str] = set()
        self._voted_by: Policy | None = None
        self._times: dict[str, int] = {}
        """When each cosigner, by its name in the policy or its base, last cosigned by its own clock; Unix seconds."""

    def known_to(self, base: str) -> Acquaintance:
        """What the terminal whose log has this base knows of ours."""
        return self._known[base]

    @property
    def _policy(self) -> Policy:
        return self._ctx.setup.policy or _NOBODY

    def _vote(self) -> None:
        """Who has a vote is what the policy in force says, which an amendment changes. Our own key has none."""
        policy = self._policy
        if self._voted_by is policy:
            return
        own = self._ctx.setup.local_log.key
        voters = [(one.name, one.verifier) for one in policy.witnesses if one.verifier.public != own]
        self._counting = {name for name, _ in voters} if policy.quorum else set()
        voters += [(peer.name, peer) for peer in self._peers.values()]
        self._voters = {_place(verifier): (name, verifier) for name, verifier in reversed(voters)}
        for given in self._rounds.values():
            given.names.clear()
        self._times = {base: time for base, time in self._times.items() if base in self._peers}
        self._voted_by = policy

    @property
    def epoch(self) -> int:
        """The current log epoch, also while its first entry is not yet committed."""
        return self._epoch

    def restore(self, saved: Saved) -> None:
        """Take up in which quarter the current log was opened."""
        for row in saved.rows("fact"):
            if row["name"] == "log.quarter" and isinstance(row["value"], bytes):
                self._quarter = row["value"].decode()

    # --- what may be shown -------------------------------------------------------------------------------------------

    def shown(self) -> bytes:
        """The newest signed head that may leave this terminal; empty while there is none."""
        head = self._ctx.ledger.head()
        return head.note if self.vouched and head.epoch == self._epoch else b""

    def round_head(self) -> SignedHead | None:
        """The head that everyone is asked to cosign now."""
        return next(reversed(self._rounds.values())).head if self._rounds else None

    # --- a new log ---------------------------------------------------------------------------------------------------

    def started(self, suspicion: Suspicion | None, now: Instant) -> None:
        """Decide whether the log that was found may be gone on with. Call before anything else is recorded."""
        self._quorum_at = now.mono
        if suspicion is not None:
            self._begin(suspicion.reason, suspicion.epoch, now)
        elif not self._quarter:
            self._note_quarter(now)

    def _begin(self, reason: str, above: int, now: Instant) -> None:
        """Begin a new log epoch above `above`. What opens it names where the old one stood."""
        ctx = self._ctx
        self._epoch = max(self._epoch, above) + 1
        ctx.record(OPEN, log_epoch=self._epoch, reason=reason)
        self._rounds.clear()
        self._round_at = now.mono
        self.witnessed = 0
        self._known = {base: Acquaintance() for base in self._known}
        self._note_quarter(now)
        text = f"a new log of this terminal was begun ({reason}); the old one is kept and never signed again"
        ctx.alarm("log-epoch", text, log_epoch=self._epoch, reason=reason)

    def _note_quarter(self, now: Instant) -> None:
        self._quarter = _quarter(now)
        self._ctx.out.changes.append(Put("fact", {"name": "log.quarter", "value": self._quarter.encode()}))

    def asks(self, base: str) -> bool:
        """Whether the terminal of `base` has yet to tell what it has seen: until then it is shown nothing new."""
        return base not in self._told

    @property
    def awaited(self) -> list[str]:
        """Terminals that may hold what this log would contradict, and have not told; one that sleeps is none."""
        lines = (line for ctx in (self._ctx, *self._ctx.fellows) for line in ctx.lines if line.awake)
        ends = (line.setup for line in lines if self.asks(line.setup.remote_log.base))
        return [f"{end.remote.party}/{end.remote.name}" for end in ends]

    def _vouch_if_told(self) -> None:
        if self._told and not self.vouched and not self.awaited:
            self._vouch(next(reversed(self._told)))

    def _vouch(self, by: str) -> None:
        if not self.vouched:
            self.vouched = True
            self._round_at = 0
            self._ctx.record(VOUCHED, by=by)

    def seen(self, note: bytes, now: Instant) -> None:
        """Somebody holds this head of ours. Raises RemoteError if we did not sign it, or no log is to follow it now."""
        held = open_head(note, self._ctx.setup.local_log)
        head = self._ctx.ledger.head()
        if held.epoch < self._epoch:
            return
        if held.epoch == head.epoch and held.size <= head.size and self._root_at(held.size) == held.root:
            return
        self._pace.check(held.epoch, self._epoch, now)
        check_epoch(held.epoch, LOG_EPOCH_MAX - 1)
        self._begin("restored", held.epoch, now)

    def _root_at(self, size: int) -> bytes:
        head = self._ctx.ledger.head()
        return head.root if size == head.size else self._ctx.ledger.root_at(size)

    def offer(self, exchange: content_pb2.LogExchange, base: str) -> None:
        """Our head for the terminal of `base` to cosign, with proofs by way of what it has linked and seen."""
        offered = self.round_head()
        if offered is None:
            return
        exchange.checkpoint = offered.note
        start, seen = self._known[base].linked, self._known[base].seen
        if seen is not None and 0 < start < seen.size:
            exchange.claimed_proof.extend(self._ctx.ledger.consistency(start, seen.size))
            exchange.claimed_from, exchange.claimed_to = start, seen.size
            start = seen.size
        if 0 < start < offered.size:
            exchange.proof.extend(self._ctx.ledger.consistency(start, offered.size))
            exchange.proof_from = start

    def leads_past(self, base: str, before: SignedHead | None) -> bool:
        """Whether what is offered leads past a head that the terminal of `base` has named since `before` (26.12)."""
        offered, known = self.round_head(), self._known[base]
        if offered is None or known.seen is None or known.seen == before:
            return False
        return 0 < known.linked < known.seen.size < offered.size

    def peer_told(self, log: content_pb2.LogExchange, base: str, now: Instant) -> None:
        """Another terminal has told what it has seen and linked of our log. Raises RemoteError if that is not ours."""
        if log.seen:
            self.seen(log.seen, now)
        head, known = self._ctx.ledger.head(), self._known[base]
        if log.seen and head.epoch == self._epoch:
            told = open_head(log.seen, self._ctx.setup.local_log)
            known.seen = told if told.epoch == self._epoch else None
        if log.linked_epoch == self._epoch == head.epoch and log.linked <= head.size:
            known.linked = log.linked
            if log.cosignature:
                self.peer_cosignature(base, log.linked, log.cosignature, now)
        self._told[base] = self._told.pop(base, None)
        self._vouch_if_told()

    # --- witnesses ---------------------------------------------------------------------------------------------------

    def head_seen(self, event: HeadSeen, now: Instant) -> None:
        """A witness showed what it holds of our log."""
        try:
            if event.note:
                self.seen(event.note, now)
        except RemoteError as error:
            self._ctx.refuse(event.witness, f"checkpoint-{error.reason}", now)
            return
        self._answered.add(event.witness)
        if self._policy.quorum and self._policy.satisfied(self._answered):
            self._vouch("witnesses")

    def cosigned(self, event: Cosigned, now: Instant) -> None:
        """A witness answered; lines of keys that we do not know are passed over."""
        try:
            signatures = parse_note(event.note + event.lines).signatures
            head = open_head(event.note, self._ctx.setup.local_log)
        except RemoteError as error:
            self._ctx.refuse("witness", f"cosignature-{error.reason}", now)
            return
        for signature in signatures:
            self._count(head, signature, now)

    def peer_cosignature(self, base: str, size: int, value: bytes, now: Instant) -> None:
        """Another terminal cosigned our head of `size` entries; one over a head that we have forgotten is dropped."""
        found = self._rounds.get((self._epoch, size))
        if found is None:
            return
        self._count(found.head, Signature(*_place(self._peers[base]), value), now)

    def _count(self, head: SignedHead, signature: Signature, now: Instant) -> None:
        self._vote()
        found, voter = self._rounds.get(head.place), self._voters.get(_place(signature))
        if voter is None or found is None or found.head.root != head.root:
            return
        name, verifier = voter
        try:
            check_cosignature(parse_note(head.note).text, signature, verifier)
        except RemoteError as error:
            self._ctx.refuse(signature.name, f"cosignature-{error.reason}", now)
            return
        self._times[name] = timestamp(signature.value)
        known = self._known.get(signature.name)
        if known is not None and self._peers[signature.name].key_id == signature.key_id:
            known.cosigned = max(known.cosigned, head.size)
            self._times[signature.name] = self._times[name]  # also where the policy knows it by another name
        if name in found.names:
            return
        found.names.add(name)
        row: Row = {
            "epoch": head.epoch,
            "name": name,
            "hour": now.wall // _HOUR,
            "size": head.size,
            "line": signature.line(),
        }
        self._ctx.out.changes.append(Put("cosignature", row))
        if name in self._counting and self._policy.satisfied(found.names):
            self._quorum(head.size, now)

    def _quorum(self, size: int, now: Instant) -> None:
        self.witnessed = max(self.witnessed, size)
        self._quorum_at = now.mono
        if self.quorum_lost:
            self.quorum_lost = False
            self._ctx.record("quorum.regained", size=size)
            self._ctx.tell("quorum", state="regained", size=size)

    def others_time(self) -> int | None:
        """The time in Unix ms that others have borne out since the start (docs/protocol.md 13.20); None: nobody."""
        self._vote()
        if self._policy.quorum:
            agreed: set[str] = set()
            for name in sorted(self._counting & self._times.keys(), key=lambda one: -self._times[one]):
                agreed.add(name)
                if self._policy.satisfied(agreed):
                    return self._times[name] * 1_000
            return None
        told = [self._times[base] for base in self._foreign if base in self._times]
        return min(told) * 1_000 if told else None

    # --- time --------------------------------------------------------------------------------------------------------

    def due(self, now: Instant) -> None:
        """Give the newest head to everyone, miss a quorum, close a log that is full or old."""
        self._vouch_if_told()  # also when the one that was still awaited has fallen asleep
        if self._round_at <= now.mono:
            self._rotate(now)
            begun = self._begin_round()
            self._round_at = now.mono + (WITNESS_INTERVAL if begun or not self.vouched else _COMMIT_PATIENCE)
        if not self._policy.quorum:  # should an amendment ask for one, its patience begins then
            self._quorum_at, self.quorum_lost = now.mono, False
        elif not self.quorum_lost and now.mono - self._quorum_at >= QUORUM_PATIENCE:
            self.quorum_lost = True
            self._ctx.record("quorum.lost", witnessed=self.witnessed)
            text = "no quorum of witnesses has cosigned our ledger for a minute; messages go on"
            self._ctx.alarm("no-quorum", text, witnessed=self.witnessed)

    def _begin_round(self) -> bool:
        """Give the newest head to everyone; False if there is none yet."""
        note = self.shown()
        if not note:
            return False
        head = self._ctx.ledger.head()
        # A head that has not grown is cosigned anew: witnesses say when they last saw it.
        self._rounds.pop((head.epoch, head.size), None)
        self._rounds[head.epoch, head.size] = _Round(SignedHead(*head))
        while len(self._rounds) > ROUNDS_KEPT:
            self._rounds.popitem(last=False)
        self._ctx.tell("checkpoint", note=note, size=head.size, log_epoch=head.epoch)
        return True

    def _rotate(self, now: Instant) -> None:
        head = self._ctx.ledger.head()
        full = head.size >= LOG_ENTRIES_MAX
        if head.epoch != self._epoch or not self.vouched or not (full or _quarter(now) > self._quarter):
            return
        if self._epoch >= LOG_EPOCH_MAX:
            return  # a log that is too long says more than one that nobody can read
        reason = "full" if full else "calendar"
        self._ctx.record(FREEZE, reason=reason)
        self._begin(reason, self._epoch, now)

    def next_deadline(self) -> int:
        """When something is due."""
        if not self._policy.quorum or self.quorum_lost:
            return self._round_at
        return min(self._round_at, self._quorum_at + QUORUM_PATIENCE)


def _place(key: CosignatureVerifier | Signature) -> tuple[str, bytes]:
    return key.name, key.key_id


def _quarter(now: Instant) -> str:
    at = civil(now.wall)
    return f"{at.year:04d}-Q{(at.month + 2) // 3}"
