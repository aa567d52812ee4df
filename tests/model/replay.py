"""Runs of the delivery model on the real machines: two Endpoints, real Relays between them, the same observable result.

The model's network is a set of messages that may never arrive, so the real machines may send whatever else they like:
only what the run delivers is delivered. What is compared after every action is what people and peers can see: what is
owed and to whom it was told, what was received, shown and marked, and in which order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hotline.charter.profiles import PROFILES
from hotline.errors import NotOpened
from hotline.machine import (
    Delivery,
    FramesReceived,
    LinkClosed,
    LinkOpened,
    Output,
    Plane,
    RequestId,
    Tick,
)
from hotline.protocol.events import EndpointEvent, Submit
from hotline.protocol.outbox import SentState
from hotline.protocol.paths import PathState
from hotline.protocol.statements import statement_hash
from hotline.wire.codec import decode_frame, envelope_frame
from hotline.wire.envelope import decode_header
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2
from relay.machine import Hotline, Relay
from tests.hotline.protocol.pair import CHARTER, FLASH, ROUTINE, Memory, Pair, Party
from tests.model import delivery as model
from tests.model.explorer import Action

LANES = (ROUTINE, FLASH)
HOURS = 36_000_000
CALM = replace(
    PROFILES["fibre"],
    silent_floor_ms=HOURS,
    silent_ceiling_ms=HOURS,
    retransmit_ms=100,
    retransmit_max_ms=100,
    prekey_rotation_ms=HOURS,
    checkpoint_ms=HOURS,
)
"""A path that says nothing of its own accord for as long as a run lasts, but repeats soon."""
VALID_MS = 1_000_000


class Unreplayable(Exception):
    """The real machines cannot be brought to do this: the keys of what should arrive are gone at both ends."""


@dataclass
class Waiting:
    """An envelope that a relay has put out for its recipient; `what` is what the model calls it."""

    what: model.Stmt | model.Receipt | str
    frame: bytes


@dataclass
class RelayEnd:
    """One real relay: its machine and what it has put out."""

    machine: Relay
    out: dict[str, list[Waiting]] = field(default_factory=lambda: {"ALPHA": [], "BRAVO": []})


class Stage(Pair):
    """ALPHA and BRAVO with real relays between them, everything held until the run says so."""

    def __init__(self, seed: int, relays: int) -> None:
        super().__init__(seed, relays)
        self.paths = tuple(replace(path, profile=CALM) for path in self.paths)
        for party in (self.alpha, self.bravo):
            party.prepare()
        self.ends = {name: RelayEnd(self._relay(name)) for name in self.relay_keys}
        self.scripted = False
        self.named: dict[bytes, Inner] = {}
        self.statements: dict[bytes, model.Stmt] = {}
        self.shown: list[int] = []
        self.lives: list[int] = []
        """When BRAVO was put back, by the clock on the wall."""
        self.asked: list[bytes] = []
        """Key requests of BRAVO or ALPHA that have not been passed on."""
        self.cutting = False
        for name in self.relay_keys:
            self.join_relay(name)
        self.open(4_000)
        assert all(path.state is PathState.UP for path in self.alpha.endpoint.context.paths.values())
        self.scripted = True
        for end in self.ends.values():
            for held in end.out.values():
                held.clear()

    # --- wiring ------------------------------------------------------------------------------------------------------

    def _relay(self, name: str) -> Relay:
        hotline = Hotline(CHARTER, {"ALPHA": 1, "BRAVO": 2})
        return Relay(name, self.relay_keys[name], [hotline], [])

    def join_relay(self, name: str) -> None:
        """Both terminals have a stream to a relay, not yet admitted."""
        for party in ("ALPHA", "BRAVO"):
            self.ends[name].machine.step(LinkOpened(party, party), self.alpha.now())

    def watch(self, party: Party) -> None:
        """Know what the party seals, for the run names contents and the network carries envelopes."""
        session = party.endpoint.context.session
        seal = session.seal

        def noted(plane: Plane, inner: Inner, *, transient: bool) -> bytes:
            envelope = seal(plane, inner, transient=transient)
            self.named[hashlib.sha256(envelope).digest()] = inner
            return envelope

        session.seal = noted  # type: ignore[method-assign]

    def carry(self, sender: Party, relay: str, data: bytes) -> None:
        """A frame reaches a relay at once; what the relay answers and forwards is held, or arrives soon."""
        if self.cutting:
            return
        self.watch_once(sender)
        output = self.ends[relay].machine.step(FramesReceived(sender.name, (data,)), sender.now())
        self._relay_says(relay, output)

    def watch_once(self, party: Party) -> None:
        if "seal" not in vars(party.endpoint.context.session):
            self.watch(party)

    def _relay_says(self, relay: str, output: Output) -> None:
        for item in (*output.express, *output.transmit):
            party = self.alpha if item.link == "ALPHA" else self.bravo
            frame = decode_frame(item.frame)
            if not self.scripted:
                self.after(self.latency, lambda p=party, f=item.frame: p.hear(relay, f))  # type: ignore[misc]
            elif frame.WhichOneof("body") == "welcome":
                self.hear(party, relay, item.frame)
            elif frame.WhichOneof("body") == "custody":
                self.ends[relay].out[item.link].append(Waiting("custody", item.frame))
            elif frame.WhichOneof("body") == "envelope":
                self._held(relay, item.link, frame.envelope, item.frame)

    def _held(self, relay: str, link: str, envelope: bytes, frame: bytes) -> None:
        inner = self.named.get(hashlib.sha256(envelope).digest())
        if inner is None:
            self.asked.append(envelope)
        elif inner.type is ContentType.STATEMENT:
            self.ends[relay].out[link].append(Waiting(self.stmt(inner.content), frame))
        elif inner.type is ContentType.HEARTBEAT:
            self.ends[relay].out[link].append(Waiting("beat", frame))
        else:
            receipt = content_pb2.Receipt.FromString(inner.content)
            conflict = receipt.stage == content_pb2.STAGE_CONFLICT
            stmt = self.statements[receipt.item[0].statement]
            life = sum(receipt.time_ms >= since for since in self.lives)
            what = model.Receipt(stmt, conflict, receipt.received_through if conflict else 0, life)
            self.ends[relay].out[link].append(Waiting(what, frame))

    def stmt(self, content: bytes) -> model.Stmt:
        """A real statement as the model names it."""
        real = content_pb2.Statement.FromString(content)
        words = int(real.text.removeprefix("text ")) if real.text else model.NOBODY
        lane = LANES.index(real.precedence)
        made = model.Stmt(real.serial, lane, real.previous_in_precedence, words, real.first_serial)
        name = statement_hash(Plane.REAL, self.alpha.endpoint.context.session.ends_out, content)
        self.statements[name] = made
        return made

    def hear(self, party: Party, relay: str, frame: bytes) -> Output:
        """A frame reaches a terminal; what people are told is noted."""
        return self.noted(party, FramesReceived(relay, (frame,)))

    def noted(self, party: Party, event: EndpointEvent) -> Output:
        """One step of a terminal, with what BRAVO's people are shown."""
        output = party.step(event)
        if party is self.bravo:
            self._show(output.deliver)
        return output

    def _show(self, deliveries: Iterable[Delivery]) -> None:
        self.shown += [int(str(told.fields["serial"])) for told in deliveries if told.kind == "received"]

    def cut(self, *relays: str) -> None:
        raise NotImplementedError("a run closes one end of one path at a time")

    def cut_in(self, party: Party, event: EndpointEvent) -> None:
        """One step is committed, and the power goes before anything leaves."""
        self.cutting = True
        output = party.step(event)
        self.cutting = False
        if party is self.bravo:
            self._show(output.deliver)
        self.restart(party, None)

    def restart(self, party: Party, memory: Memory | None) -> None:
        """The streams of a terminal end, it starts from its disk or a copy, and dials what was open."""
        open_before = [name for name, path in party.endpoint.context.paths.items() if path.open]
        for name in self.ends:
            self.ends[name].machine.step(LinkClosed(party.name, "power"), party.now())
        self.cutting = True
        party.restart(memory)
        self.cutting = False
        self.watch_once(party)
        for name in open_before:
            self.dial(party, name)

    def dial(self, party: Party, relay: str) -> None:
        """A stream is opened; the relay is greeted and greets."""
        self.ends[relay].machine.step(LinkOpened(party.name, party.name), party.now())
        party.step(LinkOpened(relay))

    # --- time --------------------------------------------------------------------------------------------------------

    def pass_ms(self, milliseconds: int, party: Party) -> None:
        """Time passes, and one terminal looks at what is due."""
        self.time += milliseconds
        self.noted(party, Tick())

    def newest(self, relay: str, link: str, what: object) -> Waiting | None:
        """The newest envelope of this content that waits at a relay."""
        return next((one for one in reversed(self.ends[relay].out[link]) if one.what == what), None)

    def owed(self, stmt: model.Stmt) -> bool:
        """Whether ALPHA still owes exactly this."""
        item = self.alpha.endpoint.context.outboxes[Plane.REAL].pending.get(stmt.serial)
        return item is not None and self.stmt(item.content) == stmt

    def obtain(self, relay: str, stmt: model.Stmt, *, other_than: Waiting | None = None) -> Waiting:
        """An envelope of `stmt` at this relay: one that waits, or after some repetition a new one."""
        for _ in range(12):
            found = self.newest(relay, "BRAVO", stmt)
            if found is not None and (other_than is None or found.frame != other_than.frame):
                return found
            if not self.owed(stmt):
                break
            self.pass_ms(1_000, self.alpha)
        raise Unreplayable("nobody seals it any more")

    def pass_on_requests(self) -> bool:
        """Key requests that were made are heard by the other side."""
        asked, self.asked = self.asked[-1:], []
        for envelope in asked:
            party = self.bravo if envelope[4:6] == b"\0\1" else self.alpha
            path = next((name for name, path in party.endpoint.context.paths.items() if path.open), None)
            if path is None:
                raise Unreplayable("nobody hears the key request")
            self.time += 2_000
            self.hear(party, path, envelope_frame(envelope))
        return bool(asked)


@dataclass
class Player:
    """Plays one run and compares after every action."""

    stage: Stage
    copies: dict[str, tuple[Memory, list[int]]] = field(default_factory=dict)
    said: int = 0
    beat: tuple[str, bytes, int] | None = None
    """The relay, the frame and how far BRAVO had got: its answer under way."""

    def name(self, index: int) -> str:
        return f"relay-{index + 1}"

    def play(self, action: Action, lane: int) -> None:
        """One action of the model; `lane` is the precedence of a text that is handed in."""
        method: Callable[..., None] = getattr(self, "do_" + action[0].replace("-", "_"))
        if action[0] in ("submit", "cut-submit"):
            method(lane)
        else:
            method(*action[1:])

    def _submit(self, lane: int) -> Submit:
        text, self.said = f"text {self.said}", self.said + 1
        request = RequestId(self.said)
        return Submit(request, Plane.REAL, LANES[lane], "en", content_pb2.DIRECTION_LTR, text, "watch", VALID_MS)

    def do_submit(self, lane: int) -> None:
        self.stage.alpha.step(self._submit(lane))

    def do_cut_submit(self, lane: int) -> None:
        self.stage.cut_in(self.stage.alpha, self._submit(lane))

    def do_send(self, serial: int) -> None:
        stage = self.stage
        item = stage.alpha.endpoint.context.outboxes[Plane.REAL].pending[serial]
        stmt = stage.stmt(item.content)
        for name, path in stage.alpha.endpoint.context.paths.items():
            if path.open and stage.newest(name, "BRAVO", stmt) is None:
                stage.pass_ms(1_000, stage.alpha)

    def do_expire(self, serial: int) -> None:
        """The validity of all is alike: those that the run does not let expire are given more."""
        stage = self.stage
        outbox = stage.alpha.endpoint.context.outboxes[Plane.REAL]
        for item in list(outbox.pending.values()):
            if not item.is_void and item.serial != serial:
                item.expires_at += 10 * HOURS
                outbox.add(item)
                outbox.bytes -= len(item.content)
        item = outbox.pending[serial]
        stage.pass_ms(max(0, item.expires_at - stage.time), stage.alpha)

    def _arrive(self, index: int, stmt: model.Stmt) -> None:
        """Until BRAVO has taken it or acknowledged it again: a used key brings nothing, a lost one a question."""
        stage, relay = self.stage, self.name(index)
        envelope = stage.obtain(relay, stmt)
        for _ in range(4):
            before = self._receipts()
            stage.asked.clear()
            stage.hear(stage.bravo, relay, envelope.frame)
            if not stage.asked and (self._receipts() != before or not stage.owed(stmt) or not self._answers()):
                return
            stage.pass_on_requests()
            envelope = stage.obtain(relay, stmt, other_than=envelope)
        raise Unreplayable("it does not open")

    def _answers(self) -> bool:
        return any(path.open for path in self.stage.bravo.endpoint.context.paths.values())

    def _receipts(self) -> int:
        return sum(isinstance(one.what, model.Receipt) for end in self.stage.ends.values() for one in end.out["ALPHA"])

    def _drop(self, index: int, what: object, link: str) -> None:
        out = self.stage.ends[self.name(index)].out
        out[link] = [one for one in out[link] if one.what != what]

    def do_deliver(self, index: int, stmt: model.Stmt) -> None:
        self._arrive(index, stmt)
        self._drop(index, stmt, "BRAVO")

    def do_again(self, index: int, stmt: model.Stmt) -> None:
        self._arrive(index, stmt)

    def do_cut_deliver(self, index: int, stmt: model.Stmt) -> None:
        stage, relay = self.stage, self.name(index)
        envelope = stage.obtain(relay, stmt)
        known = len(stage.bravo.memory.tables.get("received", {}))
        stage.cut_in(stage.bravo, FramesReceived(relay, (envelope.frame,)))
        if len(stage.bravo.memory.tables.get("received", {})) == known:
            raise Unreplayable("it does not open")

    def do_lose(self, index: int, stmt: model.Stmt) -> None:
        self._drop(index, stmt, "BRAVO")

    def do_wipe(self, index: int) -> None:
        stage, name = self.stage, self.name(index)
        parties = [p for p in (stage.alpha, stage.bravo) if p.endpoint.context.paths[name].open]
        for party in parties:
            party.step(LinkClosed(name, "wiped"))
        stage.ends[name] = RelayEnd(stage._relay(name))
        for party in parties:
            stage.dial(party, name)

    def do_hear(self, index: int, receipt: model.Receipt) -> None:
        stage, relay = self.stage, self.name(index)
        found = stage.newest(relay, "ALPHA", receipt)
        owed = stage.alpha.endpoint.context.outboxes[Plane.REAL].pending
        counts = receipt.stmt.serial in owed or self._doubts(receipt.stmt)
        if found is None and not receipt.conflict and not counts:
            return
        if found is None:
            raise Unreplayable("no such receipt: what it answers to was no news, or used a key that is gone")
        if counts and self._is_used(decode_frame(found.frame).envelope):
            raise Unreplayable("the same receipt was opened over another path: its key is used")
        stage.asked.clear()
        stage.hear(stage.alpha, relay, found.frame)
        if stage.asked:
            raise Unreplayable("the receipt does not open")
        self._drop(index, receipt, "ALPHA")

    def _doubts(self, stmt: model.Stmt) -> bool:
        """Whether BRAVO has acknowledged another one under this serial, which is to have it still (12.12)."""
        memory = self.stage.alpha.memory
        known = memory.sent(Plane.REAL, stmt.serial)
        gone = (SentState.EXPIRED, SentState.RENUMBERED)
        if any(memory.has_sent_fact(Plane.REAL, stmt.serial, state.value) for state in gone):
            return False
        return known is not None and self.stage.stmt(known.content) != stmt

    def _is_used(self, envelope: bytes) -> bool:
        """Whether ALPHA has opened this envelope in its present run and would pass over it without a word."""
        header = decode_header(envelope)
        epoch = self.stage.alpha.endpoint.context.session._receiving.get(header.epoch)
        try:
            if epoch is not None:
                epoch.look(header.number, transient=header.transient)
        except NotOpened as error:
            return error.reason == "used"
        return False

    def do_custody(self, index: int, serial: int) -> None:
        stage, name = self.stage, self.name(index)
        stage.time += 100
        stage._relay_says(name, stage.ends[name].machine.step(Tick(), stage.alpha.now()))
        for found in [one for one in stage.ends[name].out["ALPHA"] if one.what == "custody"]:
            stage.hear(stage.alpha, name, found.frame)
        self._drop(index, "custody", "ALPHA")

    def do_beat(self) -> None:
        """A beat of ALPHA reaches BRAVO over a whole path, and BRAVO's answer sets out."""
        stage = self.stage
        alpha, bravo = stage.alpha.endpoint.context.paths, stage.bravo.endpoint.context.paths
        relay = next(name for name in stage.ends if alpha[name].open and bravo[name].open)
        for _ in range(6):
            stage.asked.clear()
            stage.ends[relay].out["BRAVO"] = [w for w in stage.ends[relay].out["BRAVO"] if w.what != "beat"]
            stage.pass_ms(600, stage.alpha)
            found = stage.newest(relay, "BRAVO", "beat")
            if found is not None:
                stage.hear(stage.bravo, relay, found.frame)
                stage.ends[relay].out["ALPHA"] = [w for w in stage.ends[relay].out["ALPHA"] if w.what != "beat"]
                stage.pass_ms(600, stage.bravo)
                answer = stage.newest(relay, "ALPHA", "beat")
                if answer is not None and not stage.asked:
                    through = stage.bravo.endpoint.context.inboxes[Plane.REAL].through
                    self.beat = (relay, answer.frame, through)
                    return
            stage.pass_on_requests()
        raise Unreplayable("no beat")

    def do_believe(self) -> None:
        stage = self.stage
        assert self.beat is not None
        for _ in range(4):
            relay, frame, through = self.beat
            heard = stage.alpha.endpoint.context.peer.heard_at
            stage.asked.clear()
            stage.time += 1
            stage.hear(stage.alpha, relay, frame)
            if stage.alpha.endpoint.context.peer.heard_at != heard:
                self.beat = None
                return
            if stage.bravo.endpoint.context.inboxes[Plane.REAL].through != through:
                break
            stage.pass_on_requests()
            self.do_beat()
        raise Unreplayable("the beat is not fresh any more")

    def do_cut(self) -> None:
        self.stage.restart(self.stage.alpha, None)

    def do_copy(self, who: str) -> None:
        party = self.stage.alpha if who == "ALPHA" else self.stage.bravo
        self.copies[who] = (party.memory.copy(), list(self.stage.shown))

    def do_restore(self, who: str) -> None:
        memory, shown = self.copies[who]
        party = self.stage.alpha if who == "ALPHA" else self.stage.bravo
        if who == "BRAVO":
            self.stage.shown = list(shown)
            self.stage.time += 1
            self.stage.lives.append(party.now().wall)
        self.stage.restart(party, memory.copy())

    def do_close(self, index: int, who: str) -> None:
        stage, name = self.stage, self.name(index)
        party = stage.alpha if who == "ALPHA" else stage.bravo
        stage.ends[name].machine.step(LinkClosed(party.name, "closed"), party.now())
        stage.noted(party, LinkClosed(name, "closed"))

    def do_open(self, index: int, who: str) -> None:
        stage, name = self.stage, self.name(index)
        self.stage.dial(stage.alpha if who == "ALPHA" else stage.bravo, name)

    # --- what can be seen --------------------------------------------------------------------------------------------

    def seen(self) -> dict[str, Any]:
        """What people and peers can see of the real machines."""
        stage = self.stage
        alpha, bravo = stage.alpha.endpoint.context, stage.bravo.memory.tables
        outbox = alpha.outboxes[Plane.REAL]
        facts = {(key[1], key[2]) for key in stage.alpha.memory.tables.get("sent_fact", {})}
        wanted = {SentState.DELIVERED.value, SentState.EXPIRED.value, SentState.RENUMBERED.value}
        return {
            "owed": {stage.stmt(item.content) for item in outbox.pending.values()},
            "last": outbox.last_serial,
            "acknowledged": outbox.delivered_high,
            "told": {fact for fact in facts if fact[1] in wanted},
            "received": {stage.stmt(row["content"]) for row in bravo.get("received", {}).values()},  # type: ignore[arg-type]
            "shown": tuple(stage.shown),
            "marked": {key[1] for key in bravo.get("received_fact", {}) if key[2] == "repeat"},
        }


def expected(state: model.State) -> dict[str, Any]:
    """The same of a state of the model."""
    sender, receiver = state.sender, state.receiver
    return {
        "owed": {item.stmt for item in sender.pending},
        "last": sender.last,
        "acknowledged": sender.high,
        "told": {(serial, fact.value) for serial, fact in sender.facts},
        "received": set(receiver.received),
        "shown": receiver.shown,
        "marked": set(receiver.marked),
    }


def replay(run: Iterable[tuple[Action, model.State]], bounds: model.Bounds, seed: int) -> Iterator[tuple[Action, str]]:
    """Play a run; for each action what differs afterwards, empty if nothing. Raises Unreplayable."""
    player = Player(Stage(seed, bounds.relays))
    for action, state in run:
        player.play(action, bounds.lanes[min(player.said, len(bounds.lanes) - 1)])
        seen, wanted = player.seen(), expected(state)
        yield action, "; ".join(f"{key}: {seen[key]} for {wanted[key]}" for key in wanted if seen[key] != wanted[key])
