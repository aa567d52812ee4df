"""Heartbeats: made for each path, and what the peer's mean (docs/protocol.md section 10)."""

from __future__ import annotations

from hotline.errors import RemoteError
from hotline.limits import (
    CLOCK_SKEW_ALARM,
    EPOCHS_KEPT_MAX,
    KEY_ELSEWHERE_INTERVAL,
    SERVICE_BEATS,
    SUMMARY_INTERVAL,
)
from hotline.machine import Instant, Plane
from hotline.protocol.answers import Answers
from hotline.protocol.bell import may_ring_at
from hotline.protocol.charters import Charters
from hotline.protocol.context import Context
from hotline.protocol.courierkeys import CourierKeys
from hotline.protocol.gossip import Gossip
from hotline.protocol.ownlog import OwnLog
from hotline.protocol.paths import Path, PathInput, PathState
from hotline.protocol.peerlog import PeerLog
from hotline.protocol.prekeys import tag
from hotline.protocol.presence import Presence
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.statements import read_heartbeat
from hotline.protocol.terminals import Terminals
from hotline.wire.codec import encode
from hotline.wire.envelope import Header
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2


class Beats:
    """Everything an endpoint says and hears about itself and the peer as a whole."""

    def __init__(
        self,
        context: Context,
        presence: Presence,
        charters: Charters,
        courier: CourierKeys | None,
        sending: Sending,
        answers: Answers,
        receiving: Receiving,
        own_log: OwnLog,
        peer_log: PeerLog,
        terminals: Terminals,
    ) -> None:
        self._ctx = context
        self._terminals = terminals
        self._presence = presence
        self._charters = charters
        self._courier = courier
        self._courier_held: int | None = None
        self._courier_at: int | None = None
        self._own_log = own_log
        self._peer_log = peer_log
        self._sending = sending
        self._answers = answers
        self._receiving = receiving
        self.gossip: Gossip | None = None
        """Where there are several parties: what the peer is told of the third ones."""
        self.closing = False
        self._checkpoint_at: int | None = None
        self._told_epoch = 0
        self._owes_answer = False
        self._counts: dict[str, list[int]] = {name: [0, 0] for name in context.paths}
        self._summary_at: int | None = None
        self._elsewhere_at: int | None = None
        self._silent = False
        """That this terminal is not heard has rung, and holds."""
        self._epochs: list[bytes] = []
        """Of fresh beats, in the order in which they were begun; of the last one the highest number is `_newest`."""
        self._newest = 0

    # --- out ---------------------------------------------------------------------------------------------------------

    def due(self, now: Instant) -> None:
        """Beat on every path whose time has come."""
        for path in self._ctx.paths.values():
            if self._ctx.awake and path.open and path.next_beat_at is not None and path.next_beat_at <= now.mono:
                self.beat(path, now)

    def close(self, now: Instant) -> None:
        """The last beat on every open path."""
        self.closing = True
        for path in self._ctx.paths.values():
            if path.open and self._ctx.awake:
                self.beat(path, now)
        self.summary(now)

    def beat(self, path: Path, now: Instant) -> None:
        """One beat on one path; without a key of the peer it is a key request, which carries ours."""
        ctx = self._ctx
        number = path.beat(now)
        self._counts.setdefault(path.setup.name, [0, 0])[0] += 1
        if self._summary_at is None:
            self._summary_at = now.mono + SUMMARY_INTERVAL
        if not ctx.session.has_prekey:
            # Over every path: requests are rare, and the path that is due first may lead nowhere.
            self.ask_for_key(b"", now, [other for other in ctx.paths.values() if other.open])
            return
        head = ctx.ledger.head()
        newest = ctx.prekeys.newest
        real, exercise = ctx.outboxes[Plane.REAL], ctx.outboxes[Plane.EXERCISE]
        heartbeat = content_pb2.Heartbeat(
            beat=number,
            echo=path.peer_beat,
            path=path.setup.number,
            sent_through=real.last_serial,
            received_through=ctx.inboxes[Plane.REAL].through,
            exercise_sent_through=exercise.last_serial,
            exercise_received_through=ctx.inboxes[Plane.EXERCISE].through,
            time_ms=now.wall,
            prekey=tag(newest.name) if newest is not None else 0,
            prekey_held=tag(ctx.session.peer_prekey.name) if ctx.session.peer_prekey is not None else 0,
            epoch_opened=ctx.session.opened_epoch(number),
            log_size=head.size,
            echo_delay_ms=path.echo_delay(now),
        )
        self._say_service(heartbeat)
        self._presence.write(heartbeat, ctx, closing=self.closing)
        self._terminals.write(heartbeat, ctx, now)
        if newest is not None and ctx.peer.prekey_held != tag(newest.name):
            heartbeat.announcement.CopyFrom(newest.signed)
        exchange = self._exchange(path, now)
        if exchange is not None:
            heartbeat.log.CopyFrom(exchange)
        if self._courier is not None and path.is_due(self._courier_at, now):
            self._courier_at = now.mono
            heartbeat.courier.CopyFrom(self._courier.word(ctx.setup.remote.number, self._courier_held))
        self._charters.write(heartbeat, ctx, path, now)
        if self.gossip is not None:
            self.gossip.write(heartbeat, path, now)
        inner = ctx.session.sign(ContentType.HEARTBEAT, Plane.REAL, encode(heartbeat))
        ctx.send(ctx.session.seal(Plane.REAL, inner, transient=True), [path])

    def _say_service(self, heartbeat: content_pb2.Heartbeat) -> None:
        """Now and then the serials of SERVICE, once it is used; what changes least makes room for them."""
        ctx, plane = self._ctx, Plane.SERVICE
        sent, received = ctx.outboxes[plane].last_serial, ctx.inboxes[plane].through
        used = sent or received or ctx.peer.sent_through[plane] or ctx.peer.received_through[plane]
        if used and heartbeat.beat % SERVICE_BEATS == 0:
            heartbeat.service_sent, heartbeat.service_received = sent + 1, received + 1
            heartbeat.log_size = heartbeat.epoch_opened = 0

    def _exchange(self, path: Path, now: Instant) -> content_pb2.LogExchange | None:
        """What this beat says of the ledgers: rarely anything, at once when one of us does not know its own."""
        base = self._ctx.setup.remote_log.base
        asking = self._own_log.asks(base)
        offered = self._own_log.round_head()
        new_log = offered is not None and offered.epoch != self._told_epoch
        due = path.is_due(None if new_log else self._checkpoint_at, now)
        if not (asking or due or self._owes_answer):
            return None
        exchange = content_pb2.LogExchange(asked=asking)
        if due or self._owes_answer:
            self._peer_log.answer(exchange, now)
            self._owes_answer = False
        if due and not asking:
            self._own_log.offer(exchange, base)
            self._checkpoint_at = now.mono
            self._told_epoch = offered.epoch if offered is not None else self._told_epoch
        return exchange

    def ask_for_key(self, unknown_epoch: bytes, now: Instant, paths: list[Path]) -> None:
        """Send a key request unless one has just been sent."""
        envelope = self._ctx.session.key_request(unknown_epoch, now)
        if envelope is not None:
            self._ctx.send(envelope, paths)
            if unknown_epoch:
                self._ctx.record("key.request.sent", epoch=unknown_epoch.hex())

    # --- in ----------------------------------------------------------------------------------------------------------

    def heard(self, path: Path, content: bytes, now: Instant, header: Header) -> None:
        """A verified heartbeat arrived over `path`. Raises RemoteError; then nothing is believed of what it says."""
        ctx = self._ctx
        heartbeat = read_heartbeat(content, path.setup.number, transient=header.transient)
        self._check(heartbeat)
        answered = path.heard(heartbeat.beat, heartbeat.echo, heartbeat.echo_delay_ms, now)
        if heartbeat.HasField("announcement"):
            ctx.out.changes += ctx.session.offer_prekey(heartbeat.announcement, fresh=answered is not None)
        self._terminals.read(heartbeat, ctx, now)
        if heartbeat.HasField("courier") and answered is not None and self._courier is not None:
            if heartbeat.courier.HasField("prekey"):
                ctx.out.changes += self._courier.offer(heartbeat.courier.prekey, ctx.setup.remote.number, fresh=True)
            self._courier_held = heartbeat.courier.held
        if answered is None:
            path.beat_soon(now)  # it does not know that we hear it: answer at once
            return
        ctx.session.is_live(header.epoch)
        if path.apply(PathInput.HEARD, now):
            self.path_changed(path, now)
            path.beat_soon(now)
            self._sending.peer_returned(now)
        self._counts.setdefault(path.setup.name, [0, 0])[1] += 1
        self._terminals.heard(heartbeat, ctx, answered, now)
        overtaken = header.epoch in self._epochs[-1:] and header.number < self._newest
        if self._is_newest(header) and not ctx.sibling and ctx.standing.speaks(ctx.setup.remote.number):
            self._presence.read(heartbeat, ctx, now)
        self._believe(heartbeat, now)
        if not overtaken:
            self._believe_serials(heartbeat, answered, now)
        if heartbeat.HasField("log"):
            self._heard_log(heartbeat.log, path, now)
        if not ctx.sibling:
            self._charters.heard(ctx, heartbeat, path, now)
        if self.gossip is not None:
            self.gossip.heard(heartbeat, path, self._answers, now)
        self._sending.pump(now)

    def _check(self, heartbeat: content_pb2.Heartbeat) -> None:
        """What in it is signed by itself, before anything is believed (10.11). Raises RemoteError."""
        if heartbeat.HasField("announcement"):
            self._ctx.session.read_prekey(heartbeat.announcement)
        self._terminals.check(heartbeat, self._ctx)
        if heartbeat.courier.HasField("prekey") and self._courier is not None:
            self._courier.check(heartbeat.courier.prekey, self._ctx.setup.remote.number)

    def _is_newest(self, header: Header) -> bool:
        """Whether no beat that was sealed later is here: a word of before comes late over a slower path (18.2)."""
        if header.epoch not in self._epochs:
            self._epochs = [*self._epochs[1 - EPOCHS_KEPT_MAX :], header.epoch]
        elif header.epoch != self._epochs[-1] or header.number < self._newest:
            return False
        self._newest = header.number
        return True

    def _believe(self, heartbeat: content_pb2.Heartbeat, now: Instant) -> None:
        """Take over what a fresh heartbeat says."""
        ctx, peer = self._ctx, self._ctx.peer
        ctx.session.acknowledge_epoch(heartbeat.epoch_opened)
        if not ctx.session.confirm_prekey(heartbeat.prekey) and heartbeat.prekey:
            for path in ctx.paths.values():
                path.beat_soon(now)
        peer.heard_at, peer.heard_wall = now.mono, now.wall
        peer.log_size = heartbeat.log_size or peer.log_size
        peer.prekey_held = heartbeat.prekey_held
        peer.clock_offset_ms = heartbeat.time_ms - now.wall
        differs = abs(peer.clock_offset_ms) > CLOCK_SKEW_ALARM
        if differs != peer.clock_alarmed and not (differs and now.mono < may_ring_at(peer.clock_rung)):
            peer.clock_alarmed = differs
            if differs:
                peer.clock_rung = now.mono
                text = "our clock and the peer's differ; nothing depends on it, but written times will not agree"
                ctx.alarm("clock", text, offset_ms=peer.clock_offset_ms)

    def _believe_serials(self, heartbeat: content_pb2.Heartbeat, answered: int, now: Instant) -> None:
        """The same of what was sent and received; `answered` is when we sent what it answers."""
        ctx, peer = self._ctx, self._ctx.peer
        said = [
            (Plane.REAL, heartbeat.sent_through, heartbeat.received_through),
            (Plane.EXERCISE, heartbeat.exercise_sent_through, heartbeat.exercise_received_through),
        ]
        if heartbeat.service_sent:
            said.append((Plane.SERVICE, heartbeat.service_sent - 1, heartbeat.service_received - 1))
        for plane, sent, received in said:
            peer.sent_through[plane] = sent
            peer.received_through[plane] = received
            if ctx.sibling:
                continue
            if ctx.standing.speaks(ctx.setup.remote.number):
                self._receiving.doubt(ctx, plane, sent, now)
            outbox = ctx.outboxes[plane]
            if not ctx.standing.active:
                continue  # what it must know of this is asked when it takes over
            if received > outbox.last_serial:
                self._answers.skip_to(plane, received, now)
            elif received < outbox.delivered_high and answered >= outbox.delivered_since:
                self._answers.again.offer(plane, received, now)

    def _heard_log(self, log: content_pb2.LogExchange, path: Path, now: Instant) -> None:
        ctx = self._ctx
        if log.asked:
            self._owes_answer = True
            path.beat_soon(now)
        try:
            if log.answered:
                base = ctx.setup.remote_log.base
                before = self._own_log.known_to(base).seen
                self._own_log.peer_told(log, base, now)
                if self.gossip is not None and self._own_log.leads_past(base, before):
                    self._checkpoint_at = None
                    path.beat_soon(now)
            before = self._peer_log.linked
            self._peer_log.heard(log, now)
            if self._peer_log.linked is not before or (log.checkpoint and self._peer_log.names_another):
                self._owes_answer = True  # our cosignature, which the peer counts by rounds that pass, or what to prove
                path.beat_soon(now)
        except RemoteError as error:
            ctx.refuse(path.setup.name, f"checkpoint-{error.reason}", now)

    # --- the record --------------------------------------------------------------------------------------------------

    def summary(self, now: Instant) -> None:
        """One entry for the heartbeats of a minute, and for how far the peer's ledger is linked."""
        if self._summary_at is None or (self._summary_at > now.mono and not self.closing):
            return
        self._summary_at = now.mono + SUMMARY_INTERVAL
        counts = {name: f"{sent}/{heard}" for name, (sent, heard) in self._counts.items()}
        self._counts = {name: [0, 0] for name in self._counts}
        linked = self._peer_log.linked
        if any(count != "0/0" for count in counts.values()):
            text = " ".join(f"{name}={count}" for name, count in counts.items())
            fields: dict[str, str | int] = {"beats": text, **self._ctx.whose}
            if linked is not None:
                fields |= {
                    "peer_log_epoch": linked.epoch,
                    "peer_size": linked.size,
                    "peer_root": linked.root.hex(),
                }
            self._ctx.record("hb.summary", **fields)

    def next_deadline(self) -> int | None:
        """When the record of heartbeats is due; the beats themselves are the paths'."""
        return self._summary_at

    # --- the state of paths ------------------------------------------------------------------------------------------

    def path_changed(self, path: Path, now: Instant) -> None:
        """Record and tell a new state; raise the alarms that follow from all of them together."""
        ctx = self._ctx
        ctx.record("path.state", path=path.setup.name, state=path.state.value, **ctx.whose)
        if ctx is ctx.lines[0]:
            ctx.tell("path", path=path.setup.name, state=path.state.value, at=now.wall)
        worse = ctx.awake and path.state in (PathState.DOWN, PathState.SUSPECT)
        silent = ctx.standing.several and not ctx.peer_is_heard
        if silent and worse and not self._silent:
            name = ctx.standing.name(ctx.setup.remote.number)
            ctx.alarm("terminal-silent", "a terminal of the charter is not heard on any path", other=name)
        self._silent = silent and (worse or self._silent)
        if not ctx.sibling:
            self._reach(worse=worse)

    def _reach(self, *, worse: bool) -> None:
        """Ring for what has begun to hold of the peer's terminals together; what holds already has rung."""
        ctx, held = self._ctx, self._ctx.bell
        up = max(line.paths_up for line in ctx.peers)
        name = "no-path" if up == 0 else "single-path" if up == 1 and len(ctx.paths) > 1 else ""
        if name == held.reach:
            return
        held.reach = name if worse else ""
        if held.reach == "no-path":
            ctx.alarm("no-path", "the peer is not heard on any path; statements are queued", up=0)
        elif held.reach:
            ctx.alarm("single-path", "only one path is left", up=1)

    def replaced(self, path: Path, now: Instant) -> None:
        """Its relay says that a newer stream with our key has taken our place. We have one stream at each relay."""
        path.replaced_at = now.mono
        if self._elsewhere_at is None or now.mono - self._elsewhere_at >= KEY_ELSEWHERE_INTERVAL:
            self._elsewhere_at = now.mono
            text = "another holder of this terminal's key has our place at a relay: it is stolen, or that relay lies"
            self._ctx.alarm("key-elsewhere", text, path=path.setup.name)

    def silence(self, now: Instant) -> None:
        """Paths that have been silent for too long become SUSPECT."""
        for path in self._ctx.paths.values():
            at = path.silent_at()
            if at is not None and at <= now.mono and path.apply(PathInput.SILENT, now):
                self.path_changed(path, now)
