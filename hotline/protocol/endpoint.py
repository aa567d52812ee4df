"""Endpoint: one terminal's machine. Dispatches events; the parts decide (docs/protocol.md section 3).

Out:  Submit -> Sending.submit -> Session.seal -> every route            (records and rows commit first)
In:   FramesReceived -> Line.envelope -> Session.open -> Receiving.statement -> receipts  (they leave after the commit)
Back: receipts and custody -> Answers; heartbeats -> Beats
Time: Tick -> whatever is due; there is no other timer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from hotline.errors import RemoteError
from hotline.limits import (
    FRAMES_PER_PARCEL_MAX,
    TAKEN_DELAY,
    TAKEN_WAITING_MAX,
    WIRE_VERSION,
)
from hotline.machine import (
    Entropy,
    FramesReceived,
    Instant,
    LinkClosed,
    LinkOpened,
    Output,
    Tick,
    Transmission,
)
from hotline.protocol import modes
from hotline.protocol.answers import Answers
from hotline.protocol.beats import Beats
from hotline.protocol.bell import Bell
from hotline.protocol.challenges import Challenges
from hotline.protocol.channeltests import ChannelTests
from hotline.protocol.charters import Charters
from hotline.protocol.chronicle import Chronicle
from hotline.protocol.context import Context, EndpointSetup
from hotline.protocol.courier import Courier
from hotline.protocol.courierkeys import CourierKeys
from hotline.protocol.drafts import Drafts
from hotline.protocol.events import (
    ActivateCharter,
    AlarmNotPassedOn,
    AnswerChallenge,
    AskChallenge,
    AskPresence,
    Audited,
    Closing,
    Cosigned,
    EndpointEvent,
    ExportBundle,
    HeadSeen,
    ImportBundle,
    MakeDraft,
    MarkRead,
    MarkShown,
    PromiseReply,
    RecordChecklist,
    RejectDraft,
    ReleaseDraft,
    SendTest,
    SetPresence,
    SetTerminal,
    ShowHandover,
    SignDraft,
    SignHandover,
    Started,
    Submit,
    Translate,
)
from hotline.protocol.gaps import Gaps
from hotline.protocol.gossip import Gossip
from hotline.protocol.handover import Handovers
from hotline.protocol.ladder import Ladder
from hotline.protocol.line import Line, relay_reason
from hotline.protocol.mirror import Mirror
from hotline.protocol.objectives import Objectives
from hotline.protocol.ownlog import OwnLog
from hotline.protocol.paths import Path, PathInput
from hotline.protocol.peerlog import PeerLog
from hotline.protocol.prekeys import OwnPrekeys
from hotline.protocol.presence import Presence
from hotline.protocol.promises import Promises
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.session import Session
from hotline.protocol.standing import Standing
from hotline.protocol.tables import History, LedgerView, Saved
from hotline.protocol.terminals import Terminals
from hotline.protocol.translations import Translations
from hotline.wire.codec import decode_frame, encode
from hotline.wire.envelope import decode_header
from hotline.wire.v1 import frame_pb2


class Endpoint:
    """The machine of one terminal. Construct it with what was saved, then step `Started` before anything else."""

    def __init__(
        self,
        setup: EndpointSetup,
        entropy: Entropy,
        history: History,
        ledger: LedgerView,
        saved: Saved,
        now: Instant,
        own_log: OwnLog | None = None,
    ) -> None:
        prekeys = OwnPrekeys(
            setup.charter, setup.local.number, setup.signing, setup.storage_key, entropy, saved.rows("prekey")
        )
        local, remote = setup.local, setup.remote
        sides = [remote, *(one.side for one in setup.others)]
        self.courier_keys = courier_keys = _courier_keys(setup, entropy, saved)
        self.standing = Standing(setup.charter, local, sides)

        def context(setup: EndpointSetup, courier: CourierKeys | None) -> Context:
            to, party = setup.remote, [side for side in (local, *sides) if side.party == setup.remote.party]
            authors = {side.number: side.signing for side in party if side.number != to.number}
            ends = (setup.charter, local, to, setup.pairwise, setup.signing)
            session = Session(*ends, prekeys, entropy, courier, authors)
            session.restore(saved.rows("peer_prekey"), saved.rows("peer_epoch"))
            return Context(setup, session, prekeys, entropy, history, ledger, saved, self.standing)

        self.context = context(setup, courier_keys)
        self.own_log = own_log or OwnLog(self.context)
        self.promises = Promises(self.context)
        self.objectives = self.context.objectives
        self.sending = Sending(self.context, self.own_log, self.promises)
        self._translations = Translations(self.context, self.sending)
        self.tests = ChannelTests(self.context, self.sending)
        self.challenges = Challenges(self.context, self.sending)
        ladder = Ladder(self.context, self.promises)
        self._receiving = Receiving(self.context, self.own_log, self.tests, ladder, self.promises, self.challenges)
        self.presence = Presence(self.context)
        self.handovers = Handovers(self.context, self.challenges, self.promises, self.presence, self.tests)
        self.charters = Charters(self.context, self.tests)
        self.context.nonpapers.restore(saved.rows("nonpaper"), now)
        sending = {remote.number: self.sending}
        self._mirror = Mirror(self.context, sending, self.promises, self.challenges)
        self.terminals = Terminals(self.context, self._mirror)
        self._first = self._line(self.context, self.sending, ladder, courier_keys, now)
        self.peer_log = self._first.peer_log
        self._lines = {remote.number: self._first}
        for other in setup.others:
            courier = courier_keys if other.side.party == remote.party else None
            ctx = context(replace(setup, remote=other.side, remote_log=other.log), courier)
            ctx.share(self.context)
            one = sending[other.side.number] = Sending(ctx, self.own_log, self.promises)
            self._lines[other.side.number] = self._line(ctx, one, Ladder(ctx, self.promises), courier, now)
        self.courier = Courier(self.context, self._lines, courier_keys, self._receiving, self._envelope)
        self.drafts = Drafts(self.context, self.sending, self._translations)
        self._restore(saved, now)
        self._taken: dict[str, list[bytes]] = {}
        self._taken_at: int | None = None
        self._gaps = Gaps(self.context)
        self._gap_at: int | None = None
        self._chronicle = Chronicle(self.context, saved, now)

    def _restore(self, saved: Saved, now: Instant) -> None:
        self.terminals.restore(saved)
        for line in self._lines.values():
            line.peer_log.restore(saved)
            line.sending.restore(saved, now)
            line.ladder.restore(saved, now)
        self.drafts.restore(saved)
        self._receiving.restore(saved)
        self.tests.restore(saved, now)
        self.presence.restore(saved, now)
        self._translations.restore(saved)
        self.promises.restore(saved, now)
        self.objectives.restore(saved, now)
        self.challenges.restore(saved, now)
        self.handovers.restore(saved)
        self.own_log.restore(saved)
        self.charters.restore(saved)

    def _line(
        self, context: Context, sending: Sending, ladder: Ladder, courier: CourierKeys | None, now: Instant
    ) -> Line:
        self.charters.contexts.append(context)
        peer_log = self._receiving.peer_logs[context.setup.remote.number] = PeerLog(context)
        answers = Answers(context, sending, self.tests, self.promises, self.challenges, self._mirror)
        parts = (sending, answers, self._receiving, self.own_log, peer_log, self.terminals)
        beats = Beats(context, self.presence, self.charters, courier, *parts)
        return Line(context, sending, answers, ladder, beats, peer_log, self._receiving, self._mirror, now)

    # --- the machine -------------------------------------------------------------------------------------------------

    def begin(self) -> Output:
        """A new output for a step. What several endpoints of one terminal decide together begins so, and is merged."""
        out = Output()
        for line in self._lines.values():
            line.context.out = out
        return out

    def step(self, event: EndpointEvent, now: Instant) -> Output:
        """Take one event; what it decided is in the output, and nowhere else."""
        out = self.begin()
        self.watch_clock(now)
        self.handle(event, now)
        self.handovers.note(out, now)
        return out

    def listen(self, gossip: Gossip) -> None:
        """From now on the peer is told of third parties, and tells of them."""
        self._first.beats.gossip = gossip

    def watch_clock(self, now: Instant) -> None:
        """A wall clock that moves otherwise than the monotonic one is written down."""
        self._chronicle.watch_clock(now)

    def handle(self, event: EndpointEvent, now: Instant) -> None:
        """Take one event into the output that was begun."""
        self.context.bell.mono = now.mono
        self.terminals.look(now)
        match event:
            case FramesReceived():
                self._frames(event, now)
            case Tick():
                self._tick(now)
            case Submit() | SendTest() | AskChallenge() | AnswerChallenge() | AskPresence() if not self.standing.active:
                self.terminals.refuse(event.request)
            case SetTerminal():
                self.terminals.set(event, now)
            case Submit():
                self.sending.submit(event, now)
            case MakeDraft() | SignDraft() | RejectDraft() | ReleaseDraft():
                self.drafts.take(event, now)
            case Translate():
                self._translations.translate(event, now)
            case MarkRead() | MarkShown() | PromiseReply():
                self._first.ladder.hear(event, now)
            case SendTest():
                self.tests.ask(event, now)
            case SetPresence():
                self.presence.set(event, now)
            case AskPresence():
                self.presence.ask(event, now)
            case AskChallenge() | AnswerChallenge():
                self.challenges.hear(event, now)
            case ShowHandover() | SignHandover() | RecordChecklist():
                self.handovers.hear(event, now)
            case ActivateCharter():
                self.charters.activate(event, now)
            case ExportBundle():
                self.courier.export(event, now)
            case ImportBundle():
                self.courier.take_in(event, now)
                self._settle(now)
            case LinkOpened():
                self._link_opened(event)
            case LinkClosed():
                self._link_closed(event, now)
            case Started():
                self._started(event, now)
            case HeadSeen():
                self.own_log.head_seen(event, now)
            case Cosigned():
                self.own_log.cosigned(event, now)
            case Audited() | AlarmNotPassedOn():
                self._chronicle.told(event)
            case Closing():
                self._closing(now)
            case _:
                assert_never(event)
        self._conclude(now)

    def _conclude(self, now: Instant) -> None:
        self._receiving.voices.look(now)
        for line in self._lines.values():
            for epoch, plane in line.context.session.take_begun():
                line.context.record("key.epoch.begun", epoch=epoch.hex(), plane=plane.value)
        if self._taken_at is not None:
            self._say_taken(self._taken_at, now)

    def _parts(self) -> tuple[OwnLog | ChannelTests | Presence | Promises | Objectives | Challenges | Bell, ...]:
        telling = self.presence, self.promises, self.objectives, self.challenges, self.context.bell
        return self.own_log, self.tests, *telling

    def next_deadline(self) -> int | None:
        """When something is due."""
        deadlines = [self._gap_at, self._taken_at, self.context.nonpapers.next_deadline(), self.terminals.look_at]
        deadlines += [self.context.prekeys.next_deadline(), self.courier_keys.next_deadline()]
        deadlines.append(self._receiving.voices.next_deadline())
        deadlines += [part.next_deadline() for part in self._parts()]
        for line in self._lines.values():
            deadlines += line.deadlines()
        return min([at for at in deadlines if at is not None], default=None)

    def _tick(self, now: Instant) -> None:
        ctx = self.context
        lifetime = min(path.setup.profile.prekey_rotation_ms for path in ctx.paths.values())
        changes, rotated = ctx.prekeys.due(now, lifetime)
        ctx.out.changes += changes
        if rotated and ctx.prekeys.newest is not None:
            ctx.record("key.prekey", generation=ctx.prekeys.newest.generation, name=ctx.prekeys.newest.name.hex())
        ctx.out.changes += self.courier_keys.due(now)
        self.presence.due(now)
        modes.due(self.context, now)
        lines = self._lines.values()
        for line in lines:
            line.beats.silence(now)
        self.objectives.due(now)
        for line in lines:
            line.sending.due(now)
        for line in lines:
            line.ladder.due(now)
        self.tests.due(now)
        self.challenges.due(now)
        self.promises.due(now)
        self.context.ring_again()
        self._gap_at = self._gaps.look(now)
        for line in lines:
            line.peer_log.due(now)
        self.own_log.due(now)
        self.terminals.due(now)
        for line in lines:
            line.beats.summary(now)
            line.beats.due(now)

    def _started(self, event: Started, now: Instant) -> None:
        ctx = self.context
        self.own_log.started(event.suspicion, now)
        ctx.record(
            "daemon.start",
            version=ctx.setup.version,
            charter=self.charters.hash.hex(),
            terminal=ctx.setup.local.number,
            peer=ctx.setup.remote.number,
        )
        self.charters.started()
        self.sending.started(now)
        self._chronicle.note_configuration()
        self.tests.started(now)
        lifetime = min(path.setup.profile.prekey_rotation_ms for path in ctx.paths.values())
        ctx.out.changes += ctx.prekeys.rotate(now, lifetime)
        ctx.out.changes += self.courier_keys.due(now)
        assert ctx.prekeys.newest is not None
        ctx.record("key.prekey", generation=ctx.prekeys.newest.generation, name=ctx.prekeys.newest.name.hex())

    def _closing(self, now: Instant) -> None:
        for line in self._lines.values():
            line.beats.close(now)
        self.context.ring_again(last=True)
        self.context.record("daemon.stop")

    # --- links -------------------------------------------------------------------------------------------------------

    def _link_opened(self, event: LinkOpened) -> None:
        """A stream is open: say who we are. The path counts as open once the relay welcomes us."""
        setup = self.context.setup
        hello = frame_pb2.Hello(version=WIRE_VERSION, charter=setup.charter, terminal=setup.local.number)
        if event.link in self.context.paths:
            self.context.out.transmit.append(Transmission(event.link, encode(frame_pb2.Frame(hello=hello))))

    def _link_closed(self, event: LinkClosed, now: Instant) -> None:
        for line in self._lines.values():
            path = line.context.paths.get(event.link)
            if path is not None and path.apply(PathInput.CLOSED, now):
                line.beats.path_changed(path, now)

    def _frames(self, event: FramesReceived, now: Instant) -> None:
        if event.link not in self.context.paths:
            return
        if len(event.frames) > FRAMES_PER_PARCEL_MAX:
            self.context.refuse(event.link, "too-many-frames", now)
        for data in event.frames[:FRAMES_PER_PARCEL_MAX]:
            path = self.context.paths.get(event.link)
            if path is None:
                break  # what the peer said in a frame of this parcel has retired the relay
            try:
                self._frame(path, decode_frame(data), now)
            except RemoteError as error:
                self.context.refuse(event.link, error.reason, now)
        if self._taken and self._taken_at is None:
            self._taken_at = now.mono + TAKEN_DELAY
        self._settle(now)

    def _settle(self, now: Instant) -> None:
        """After statements were taken: receipts for them, and a look at what is missing."""
        self._receiving.flush(now)
        self._gap_at = self._gaps.look(now)

    def _say_taken(self, due: int, now: Instant) -> None:
        """TAKEN leaves behind other frames; by itself only when none have left for a while, for it costs as much."""
        transmit = self.context.out.transmit
        many = any(len(taken) >= TAKEN_WAITING_MAX for taken in self._taken.values())
        if not (transmit or many or due <= now.mono):
            return
        for link, taken in self._taken.items():
            frame = frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=taken))
            transmit.append(Transmission(link, encode(frame)))
        self._taken.clear()
        self._taken_at = None

    def _frame(self, path: Path, frame: frame_pb2.Frame, now: Instant) -> None:
        match frame.WhichOneof("body"):
            case "envelope":
                self._envelope(path, frame.envelope, now)
            case "custody":
                for line in self._lines.values():
                    line.answers.custody(path, frame.custody, now)
            case "welcome":
                if frame.welcome.version != WIRE_VERSION:
                    raise RemoteError("version")
                self._welcome(path.setup.name, now)
            case "refusal":
                self.context.refuse(path.setup.name, f"relay-{relay_reason(frame.refusal.reason)}", now)
                if frame.refusal.reason == frame_pb2.REFUSAL_REASON_REPLACED:
                    self._first.beats.replaced(path, now)
            case _:
                raise RemoteError("frame-kind")

    def _welcome(self, link: str, now: Instant) -> None:
        for line in self._lines.values():
            path = line.context.paths[link]
            if path.apply(PathInput.OPENED, now):
                line.beats.path_changed(path, now)
                line.sending.path_opened(path, now)
                line.ladder.due(now)

    # --- envelopes ---------------------------------------------------------------------------------------------------

    def _envelope(self, path: Path, envelope: bytes, now: Instant) -> None:
        """Whoever it is from says its header; a header that names nobody whom we know is refused by the first line."""
        header = decode_header(envelope)
        line = self._lines.get(header.sender, self._first)
        line.envelope(line.context.paths.get(path.setup.name, path), header, envelope, now, self._settled)

    def _settled(self, link: str, name: bytes) -> None:
        self._taken.setdefault(link, []).append(name)


def _courier_keys(setup: EndpointSetup, entropy: Entropy, saved: Saved) -> CourierKeys:
    remotes = [setup.remote, *(other.side for other in setup.others if other.side.party == setup.remote.party)]
    theirs = {side.number: side.signing for side in remotes}
    keys = CourierKeys(setup.charter, setup.local.number, theirs, setup.signing, setup.storage_key, entropy)
    keys.restore(saved.rows("courier_prekey"), saved.rows("peer_courier"))
    return keys
