"""A terminal among several parties: an endpoint for each of the others, one ledger, one row of serials, one voice.

docs/protocol.md section 26. Between each two parties everything is as on a hotline of two: session, receipts, presence,
alarms. What is shared is said here: what one endpoint says, all say, under one signature; what they decide in one step
is one output, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hotline.errors import RemoteError
from hotline.limits import FRAMES_PER_PARCEL_MAX
from hotline.machine import (
    Change,
    Delivery,
    Entropy,
    FramesReceived,
    Instant,
    LinkClosed,
    LinkOpened,
    Output,
    Reply,
    RequestId,
    Tick,
)
from hotline.protocol.context import EndpointSetup
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import (
    AlarmNotPassedOn,
    AnswerChallenge,
    AskChallenge,
    Audited,
    Closing,
    Cosigned,
    EndpointEvent,
    ExportBundle,
    HeadSeen,
    ImportBundle,
    MakeDraft,
    SetPresence,
    Started,
    Submit,
    Suspicion,
)
from hotline.protocol.gossip import Gossip
from hotline.protocol.tables import History, LedgerView, Saved, scoped
from hotline.wire.codec import decode_frame
from hotline.wire.envelope import decode_header

Ports = Callable[[str], tuple[History, Saved]]
"""History and saved tables that belong to one other party, by its name; the first one's have no name of their own."""

_SHARED = ("log.", "quorum.", "audit.", "config.", "clock.", "alarm.command")
"""Kinds of entries that are about this terminal and about no other party."""
_SHARED_ALARMS = frozenset({"alarm-command", "key-elsewhere", "log-epoch", "no-quorum"})
"""Alarms that are about this terminal and about no other party."""
_UNTOLD = frozenset({"daemon.stop", "config.changed", "clock.step"})
"""What the first one has entered already."""


@dataclass(frozen=True, slots=True)
class To:
    """An event that is about one other party: the one at whose window the officer sits."""

    party: str
    event: EndpointEvent


ConferenceEvent = EndpointEvent | To


class Conference:
    """The machine of one terminal in a charter of several parties. `members` are its endpoints by the other party."""

    def __init__(
        self, setups: Sequence[EndpointSetup], entropy: Entropy, ports: Ports, ledger: LedgerView, now: Instant
    ) -> None:
        """`setups` has one for each other party, in the order of their names."""
        self.members: dict[str, Endpoint] = {}
        own_log = None
        for setup in setups:
            party = setup.remote.party
            history, saved = ports(party if self.members else "")
            member = Endpoint(setup, entropy, history, ledger, saved, now, own_log)
            self.members[party] = member
            own_log = member.own_log
        self.first = next(iter(self.members.values()))
        self._of_number = {setup.remote.number: setup.remote.party for setup in setups}
        for member in self.members.values():
            others = [other for other in self.members.values() if other is not member]
            member.context.fellows = [other.context for other in others]
            member.sending.fellows = [other.sending for other in others]
            numbers = [setups[0].local.number, *(setup.remote.number for setup in setups)]
            member.tests.among(numbers, [other.tests for other in others], leads=member is self.first)
        self._let_gossip()

    def _let_gossip(self) -> None:
        every = {member.context.setup.remote.number: member for member in self.members.values()}
        told = {number: Gossip(one, {n: o for n, o in every.items() if n != number}) for number, one in every.items()}
        for number, gossip in told.items():
            gossip.fellows = [fellow for fellow in told.values() if fellow is not gossip]
            every[number].listen(gossip)

    # --- the machine -------------------------------------------------------------------------------------------------

    def step(self, event: ConferenceEvent, now: Instant) -> Output:
        """Take one event; everything that the endpoints decide about it is one output."""
        outputs = {party: member.begin() for party, member in self.members.items()}
        self.first.watch_clock(now)
        addressed = self.first
        if isinstance(event, To):
            addressed, event = self.members.get(event.party, self.first), event.event
        refused = _unsupported(event)
        if refused is not None:
            addressed.context.out.replies.append(refused)
        else:
            if isinstance(event, FramesReceived) and len(event.frames) > FRAMES_PER_PARCEL_MAX:
                self.first.context.refuse(event.link, "too-many-frames", now)
            for member, one in self._shares(event, addressed):
                member.handle(one, now)
        shared = [told for told in self.first.context.out.deliver if _is_shared(told)]
        for member in self.members.values():  # what one says may be an alarm about another, or about none
            member.handovers.note(member.context.out, now, () if member is self.first else shared)
        return self._merged(outputs)

    def next_deadline(self) -> int | None:
        """When something is due."""
        deadlines = [member.next_deadline() for member in self.members.values()]
        return min((at for at in deadlines if at is not None), default=None)

    def _shares(self, event: EndpointEvent, addressed: Endpoint) -> Iterable[tuple[Endpoint, EndpointEvent]]:
        """Who hears of what."""
        match event:
            case Tick() | LinkClosed() | Closing() | SetPresence():
                return [(member, event) for member in self.members.values()]
            case Started():
                return [
                    (member, Started(_told(event.suspicion, member is self.first))) for member in self.members.values()
                ]
            case FramesReceived():
                return self._parcels(event)
            case LinkOpened() | HeadSeen() | Cosigned() | Audited() | AlarmNotPassedOn():
                return [(self.first, event)]
            case _:
                return [(addressed, event)]

    def _parcels(self, event: FramesReceived) -> list[tuple[Endpoint, EndpointEvent]]:
        """Each envelope to the endpoint of whoever its header names; what a relay says to those whom it concerns."""
        frames: dict[str, list[bytes]] = {party: [] for party in self.members}
        for data in event.frames[:FRAMES_PER_PARCEL_MAX]:
            for party in self._concerned(data):
                frames[party].append(data)
        return [
            (member, FramesReceived(event.link, tuple(frames[party])))
            for party, member in self.members.items()
            if frames[party]
        ]

    def _concerned(self, data: bytes) -> Iterable[str]:
        first = next(iter(self.members))
        try:
            frame = decode_frame(data)
            match frame.WhichOneof("body"):
                case "envelope":
                    return [self._of_number.get(decode_header(frame.envelope).sender, first)]
                case "custody" | "welcome":
                    return list(self.members)
                case _:
                    return [first]
        except RemoteError:
            return [first]

    # --- one output --------------------------------------------------------------------------------------------------

    def _merged(self, outputs: Mapping[str, Output]) -> Output:
        merged, answered = Output(), set()
        for party, out in outputs.items():
            is_first = out is self.first.context.out
            scope = "" if is_first else party
            merged.express += out.express
            for record in out.records:
                if record.kind.startswith(_SHARED) or _is_shared_alarm(record.kind, record.fields):
                    merged.records.append(record)
                elif is_first or record.kind not in _UNTOLD:
                    merged.records.append(replace(record, fields={**record.fields, "party": party}))
            merged.changes += [_in_scope(change, scope) for change in out.changes]
            merged.transmit += out.transmit
            merged.deliver += [
                told if _is_shared(told) else replace(told, fields={**told.fields, "party": party})
                for told in out.deliver
            ]
            for reply in out.replies:
                if reply.request not in answered:
                    answered.add(reply.request)
                    merged.replies.append(reply)
        return merged


def _is_shared_alarm(kind: str, fields: Mapping[str, object]) -> bool:
    return kind == "alarm" and fields["name"] in _SHARED_ALARMS


def _is_shared(told: Delivery) -> bool:
    return told.kind in ("checkpoint", "quorum") or _is_shared_alarm(told.kind, told.fields)


def _told(suspicion: Suspicion | None, is_first: bool) -> Suspicion | None:
    return suspicion if is_first else None


def _in_scope(change: Change, scope: str) -> Change:
    return replace(change, table=scoped(change.table, scope)) if scope else change


def _unsupported(event: EndpointEvent) -> Reply | None:
    """What there is not yet among several parties, refused in a sentence (26.3)."""
    submit = event.statement if isinstance(event, MakeDraft) else event
    request, what = RequestId(0), ""
    if isinstance(submit, Submit) and (submit.without_prejudice or submit.put_on_record):
        request, what = submit.request, "without prejudice nothing is said, nor put on record"
    elif isinstance(event, AskChallenge | AnswerChallenge):
        request, what = event.request, "no statement is challenged"
    elif isinstance(event, ExportBundle | ImportBundle):
        request, what = event.request, "no courier carries bundles"
    if not what:
        return None
    fields: dict[str, str | int | bytes | None] = {"bundle": b"", "statements": 0, "envelopes": 0}
    return Reply(request, False, "several-parties", f"among several parties {what}: nothing was done", fields)
