"""Delivery, receipts and failover as a model (docs/protocol.md sections 8, 9, 11 and 12): ALPHA says, BRAVO is told.

What is left out: keys (tests/model/keys.py), READ, time (whatever a timer may do can happen at any moment), the window.
A step and its commit are one action, because a driver lets nothing out before the commit; a power cut before it is a
step that did not happen, and one right after it keeps what was committed and loses what should have left: the action
`cut`. A fresh beat and its answer are one action, `beat`, whose answer may arrive late or never. The network is a set
of messages at each relay: any may be delivered in any order, again, or never; `lose` and `wipe` take them away.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hotline.protocol.inbox import Verdict
from hotline.protocol.outbox import SentState
from hotline.protocol.paths import TRANSITIONS, PathInput, PathState
from tests.model.explorer import Action

NOBODY = -1
"""The words of a VOID."""


class Stmt(NamedTuple):
    """A statement as its hash sees it. Two are the same statement only if all of this is equal."""

    serial: int
    lane: int
    """Its precedence."""
    previous: int
    words: int
    """Which of the accepted texts; NOBODY for a VOID."""
    first: int = 0
    """The serial it had first, if it was renumbered."""


class Pending(NamedTuple):
    """What ALPHA owes: the statement, the one that a VOID took the place of, and whether a relay signed for it."""

    stmt: Stmt
    original: Stmt | None = None
    relayed: bool = False


class Sender(NamedTuple):
    """ALPHA's disk, and what is memory: `high`, every serial up to there has been acknowledged, and `contested`."""

    last: int
    lanes: tuple[int, ...]
    """The newest serial of each precedence."""
    pending: frozenset[Pending]
    sent: frozenset[Stmt]
    facts: frozenset[tuple[int, SentState]]
    high: int
    contested: frozenset[int] = frozenset()
    """Pending, and BRAVO has named another under their serials."""
    named: frozenset[tuple[int, int]] = frozenset()
    """Serials under which BRAVO has named another, and in which of its lives last."""

    def owed(self, serial: int) -> Pending | None:
        return next((item for item in self.pending if item.stmt.serial == serial), None)

    def through(self) -> int:
        return min((item.stmt.serial for item in self.pending), default=self.last + 1) - 1

    def told(self, serial: int, fact: SentState) -> bool:
        return (serial, fact) in self.facts


class Receiver(NamedTuple):
    """BRAVO's disk."""

    received: frozenset[Stmt]
    shown: tuple[int, ...]
    marked: frozenset[int]
    """Marked as the repeat of another."""

    def holds(self, serial: int) -> Stmt | None:
        return next((stmt for stmt in self.received if stmt.serial == serial), None)

    def through(self) -> int:
        serials = {stmt.serial for stmt in self.received}
        return next(serial for serial in range(len(serials) + 1) if serial + 1 not in serials)

    def highest(self) -> int:
        return max((stmt.serial for stmt in self.received), default=0)


class Receipt(NamedTuple):
    """A signed word of BRAVO: it holds `stmt` under this serial. A conflict also says how far it has got."""

    stmt: Stmt
    conflict: bool = False
    highest: int = 0
    life: int = 0
    """How often BRAVO had been put back when it said so: the time in it tells."""


class Relay(NamedTuple):
    """One relay: ALPHA's and BRAVO's path to it, and what it holds for each."""

    near: PathState
    far: bool
    hold: frozenset[Stmt] = frozenset()
    back: frozenset[Receipt] = frozenset()

    @property
    def whole(self) -> bool:
        return self.near is not PathState.DOWN and self.far


class Beat(NamedTuple):
    """BRAVO's answer to a beat of ALPHA under way. Stale: something was acknowledged after ALPHA's beat."""

    through: int
    stale: bool = False


class State(NamedTuple):
    """Everything, and what an observer who sees all has noted."""

    sender: Sender
    receiver: Receiver
    relays: tuple[Relay, ...]
    beat: Beat | None
    said: int
    """How many texts officers have handed in."""
    accepted: frozenset[int]
    forgotten: frozenset[int]
    """Texts that a restored backup took from ALPHA: nobody can owe what no disk knows."""
    ever: frozenset[Stmt]
    """Everything that BRAVO ever committed."""
    copies: tuple[Sender | None, Receiver | None]
    budget: tuple[int, ...]
    """Cuts, losses, copies restored at ALPHA and at BRAVO, expiries, paths closed: how many may still happen."""
    restored: tuple[bool, bool]


CUTS, LOSSES, RESTORES_A, RESTORES_B, EXPIRIES, CLOSINGS = range(6)


@dataclass(frozen=True)
class Bounds:
    """How much world a model has."""

    name: str
    lanes: tuple[int, ...] = (0, 0)
    """The precedence of each text that will be handed in."""
    relays: int = 2
    cuts: int = 0
    losses: int = 0
    restores_a: int = 0
    restores_b: int = 0
    expiries: int = 0
    closings: int = 0
    custody: bool = False
    lamps: bool = False
    """Whether paths also become UP and SUSPECT."""
    twice: bool = False
    """Whether ALPHA, from an old copy, has said a second text under #1, and BRAVO, which took that, is empty again."""


class Delivery:
    """The rules. Each is a method, so that a planted error replaces one."""

    faults = frozenset(
        {"submit", "cut-submit", "cut-deliver", "cut", "lose", "wipe", "copy", "restore", "expire"}
        | {"close", "open", "silent", "again", "custody"}
    )

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.name = bounds.name

    # --- where it begins, what matters -------------------------------------------------------------------------------

    def begin(self) -> State:
        b = self.bounds
        sender = Sender(0, (0,) * (max(b.lanes) + 1), frozenset(), frozenset(), frozenset(), 0)
        attached = TRANSITIONS[PathState.DOWN, PathInput.OPENED]
        relays = (Relay(attached, True),) * b.relays
        budget = (b.cuts, b.losses, b.restores_a, b.restores_b, b.expiries, b.closings)
        nothing: frozenset[int] = frozenset()
        receiver = Receiver(frozenset(), (), nothing)
        first = State(
            sender, receiver, relays, None, 0, nothing, nothing, frozenset(), (None, None), budget, (False, False)
        )
        return self._said_twice(first) if b.twice else first

    def _said_twice(self, state: State) -> State:
        forgotten, sender = (self.take(state.sender, 0, words, 0) for words in (0, 1))
        (taken,) = sender.sent
        relays = (Relay(one.near, True, forgotten.sent, frozenset({Receipt(taken)})) for one in state.relays)
        return state._replace(
            sender=sender,
            relays=tuple(relays),
            said=2,
            accepted=frozenset({0, 1}),
            forgotten=frozenset({0}),
            ever=frozenset({taken}),
            restored=(True, True),
        )

    def same(self, state: State) -> Hashable:
        """Relays are alike: which is which does not matter. (Sets have no order, so their hashes serve to sort.)"""
        first, *rest = state.relays
        if not rest or all(other == first for other in rest):
            return state
        return state._replace(relays=tuple(sorted(state.relays, key=hash)))

    def broken(self, state: State) -> str:
        sender, receiver = state.sender, state.receiver
        if len(set(receiver.shown)) != len(receiver.shown):
            return "a statement was shown twice"
        for serial, fact in sender.facts:
            if fact is not SentState.DELIVERED:
                continue
            stmt = next(stmt for stmt in sender.sent if stmt.serial == serial)
            if stmt not in state.ever or (not state.restored[1] and stmt not in receiver.received):
                return "DELIVERED was told of what the peer has not committed"
        return self._lost(state) or self._twice(state) or self._order(state)

    def _lost(self, state: State) -> str:
        sender = state.sender
        known = {item.stmt.words for item in sender.pending}
        for stmt in sender.sent:
            if sender.told(stmt.serial, SentState.DELIVERED) or sender.told(stmt.serial, SentState.EXPIRED):
                known.add(stmt.words)
        return "" if state.accepted - state.forgotten <= known else "an accepted statement was lost, and nobody told"

    def _twice(self, state: State) -> str:
        receiver = state.receiver
        words = [
            stmt.words
            for stmt in receiver.received
            if stmt.words != NOBODY and stmt.serial in receiver.shown and stmt.serial not in receiver.marked
        ]
        return "a text was shown twice, unmarked" if len(set(words)) != len(words) else ""

    def _order(self, state: State) -> str:
        """A restored sender fills old gaps: what it says now, it really said later."""
        if state.restored[0]:
            return ""
        lane = {stmt.serial: stmt.lane for stmt in state.receiver.received}
        last = dict.fromkeys(lane.values(), 0)
        for serial in state.receiver.shown:
            if serial < last[lane[serial]]:
                return "shown out of order within a precedence"
            last[lane[serial]] = serial
        return ""

    def hopeful(self, state: State) -> bool:
        """One whole path is enough: no other need ever open."""
        return any(relay.whole for relay in state.relays)

    def done(self, state: State) -> bool:
        sender, receiver = state.sender, state.receiver
        if sender.pending or len(receiver.shown) != len(receiver.received) or sender.last < receiver.highest():
            return False
        for stmt in sender.sent:
            delivered = sender.told(stmt.serial, SentState.DELIVERED)
            # docs/protocol.md 12.7: what had expired first may have a VOID in its place at a peer that was restored.
            if sender.told(stmt.serial, SentState.RENUMBERED):
                continue  # it goes on under another serial
            lost = delivered and stmt not in receiver.received and not sender.told(stmt.serial, SentState.EXPIRED)
            if lost or (stmt in receiver.received and not delivered and not self._told_by_reading(state, stmt)):
                return False
        return True

    def _told_by_reading(self, state: State, stmt: Stmt) -> bool:
        """8.4 after a lost receipt: nothing is owed any more and nobody asks again. READ tells it, once an officer has
        opened the statement: the peer repeats it until it is noted (9.4). This model leaves that out.
        """
        spent = (CUTS, self.bounds.cuts), (LOSSES, self.bounds.losses), (CLOSINGS, self.bounds.closings)
        lost = any(state.budget[what] < bound for what, bound in spent)
        return lost and state.restored[1] and state.sender.told(stmt.serial, SentState.EXPIRED)

    # --- what can happen ---------------------------------------------------------------------------------------------

    def steps(self, state: State) -> Iterator[tuple[Action, State]]:
        yield from self._officer(state)
        yield from self._network(state)
        yield from self._beats(state)
        yield from self._disks(state)
        yield from self._links(state)

    def _spend(self, state: State, what: int) -> tuple[int, ...]:
        budget = list(state.budget)
        budget[what] -= 1
        return tuple(budget)

    def _life(self, state: State) -> int:
        return self.bounds.restores_b - state.budget[RESTORES_B] + self.bounds.twice

    def _officer(self, state: State) -> Iterator[tuple[Action, State]]:
        if state.said < len(self.bounds.lanes):
            sender = self.take(state.sender, self.bounds.lanes[state.said], state.said, 0)
            then = state._replace(sender=sender, said=state.said + 1)
            yield ("submit",), then._replace(accepted=state.accepted | {state.said})
            if state.budget[CUTS]:
                cut = then._replace(budget=self._spend(state, CUTS))
                yield ("cut-submit",), self.cut_in_submit(state, self._restart(cut))
        for item in sorted(state.sender.pending, key=_serial):
            serial = item.stmt.serial
            relays = self.send(state.relays, item.stmt)
            if relays != state.relays:
                yield ("send", serial), state._replace(relays=relays)
            if state.budget[EXPIRIES] and item.original is None and item.stmt.words != NOBODY:
                sender = self.expire(state.sender, item)
                if sender is not state.sender:
                    yield ("expire", serial), state._replace(sender=sender, budget=self._spend(state, EXPIRIES))

    def _network(self, state: State) -> Iterator[tuple[Action, State]]:
        for index, relay in enumerate(state.relays):
            for stmt in sorted(relay.hold) if relay.far else ():
                receiver, receipt = self.receive(state.receiver, stmt)
                receipt = receipt._replace(life=self._life(state))
                then = state._replace(receiver=receiver, ever=state.ever | (receiver.received - state.ever))
                answered = self._answer(then, receipt)
                yield ("deliver", index, stmt), self._without(answered, index, stmt)
                if receiver is not state.receiver or answered.relays != state.relays:
                    yield ("again", index, stmt), answered
                if state.budget[CUTS] and receiver is not state.receiver:
                    cut = self.cut_in_receive(state, then, receipt)
                    yield ("cut-deliver", index, stmt), cut._replace(budget=self._spend(state, CUTS))
            for receipt in sorted(relay.back) if relay.near is not PathState.DOWN else ():
                then = self.hear(state, receipt)
                left = then.relays[index]
                relays = list(then.relays)
                relays[index] = left._replace(back=left.back - {receipt})
                yield ("hear", index, receipt), then._replace(relays=tuple(relays))
            if self.bounds.custody:
                yield from self._custody(state, index)

    def _custody(self, state: State, index: int) -> Iterator[tuple[Action, State]]:
        for item in sorted(state.sender.pending, key=_serial):
            relay = state.relays[index]
            if item.stmt in relay.hold and relay.near is not PathState.DOWN and not item.relayed:
                yield ("custody", index, item.stmt.serial), state._replace(sender=self.custody(state.sender, item))

    def _beats(self, state: State) -> Iterator[tuple[Action, State]]:
        """A beat reaches BRAVO and its answer sets out; it arrives, or another takes its place."""
        if not any(relay.whole for relay in state.relays):
            return
        answer = state._replace(beat=Beat(state.receiver.through()))
        if state.sender.last < state.receiver.highest():
            held = state.receiver.holds(state.receiver.highest())
            assert held is not None
            answer = self._answer(answer, Receipt(held, True, state.receiver.highest(), self._life(state)))
        if answer != state:
            yield ("beat",), answer
        if state.beat is not None:
            yield ("believe",), self.believe(state, state.beat)._replace(beat=None)

    def _disks(self, state: State) -> Iterator[tuple[Action, State]]:
        if state.budget[CUTS]:
            yield ("cut",), self._restart(state)._replace(budget=self._spend(state, CUTS))
        a, b = state.copies
        if state.budget[RESTORES_A]:
            if a is None:
                yield ("copy", "ALPHA"), state._replace(copies=(state.sender, b))
            else:
                known = {stmt.words for stmt in a.sent}
                back = self._restart(state._replace(sender=a))._replace(
                    forgotten=state.forgotten | frozenset(state.accepted - known),
                    budget=self._spend(state, RESTORES_A),
                    restored=(True, state.restored[1]),
                )
                yield ("restore", "ALPHA"), back
        if state.budget[RESTORES_B]:
            if b is None:
                yield ("copy", "BRAVO"), state._replace(copies=(a, state.receiver))
            elif b != state.receiver:
                budget = self._spend(state, RESTORES_B)
                back = state._replace(receiver=b, budget=budget, restored=(state.restored[0], True))
                yield ("restore", "BRAVO"), back

    def _links(self, state: State) -> Iterator[tuple[Action, State]]:
        for index, relay in enumerate(state.relays):
            if state.budget[LOSSES] and (relay.hold or relay.back):
                empty = relay._replace(hold=frozenset(), back=frozenset())
                lost = state._replace(budget=self._spend(state, LOSSES))
                yield ("wipe", index), self._with(lost, index, empty)
                for stmt in sorted(relay.hold):
                    if len(relay.hold) > 1:
                        yield ("lose", index, stmt), self._without(lost, index, stmt)
            for what in PathInput:
                then = TRANSITIONS.get((relay.near, what))
                if then is None or (what in (PathInput.HEARD, PathInput.SILENT) and not self.bounds.lamps):
                    continue
                if what is PathInput.CLOSED and not state.budget[CLOSINGS]:
                    continue
                if what is PathInput.HEARD and not relay.far:
                    continue
                name = {PathInput.OPENED: "open", PathInput.CLOSED: "close"}.get(what, what.value)
                moved = self._with(state, index, relay._replace(near=then))
                if what is PathInput.CLOSED:
                    moved = moved._replace(budget=self._spend(state, CLOSINGS))
                yield (name, index, "ALPHA"), moved
            if relay.far and state.budget[CLOSINGS]:
                moved = self._with(state, index, relay._replace(far=False))
                yield ("close", index, "BRAVO"), moved._replace(budget=self._spend(state, CLOSINGS))
            elif not relay.far:
                yield ("open", index, "BRAVO"), self._with(state, index, relay._replace(far=True))

    @staticmethod
    def _with(state: State, index: int, relay: Relay) -> State:
        return state._replace(relays=(*state.relays[:index], relay, *state.relays[index + 1 :]))

    def _without(self, state: State, index: int, stmt: Stmt) -> State:
        relay = state.relays[index]
        return self._with(state, index, relay._replace(hold=relay.hold - {stmt}))

    @staticmethod
    def _answer(state: State, receipt: Receipt) -> State:
        """A receipt leaves over every path that BRAVO has."""
        relays = tuple(relay._replace(back=relay.back | {receipt}) if relay.far else relay for relay in state.relays)
        return state._replace(relays=relays)

    @staticmethod
    def _restart(state: State) -> State:
        """ALPHA starts again: what was memory is made anew, and no beat from before is fresh."""
        sender = state.sender
        sender = sender._replace(high=sender.through(), contested=frozenset(), named=frozenset())
        return state._replace(sender=sender, beat=None)

    # --- the rules ---------------------------------------------------------------------------------------------------

    def send(self, relays: tuple[Relay, ...], stmt: Stmt) -> tuple[Relay, ...]:
        """11.2: over every open path, whatever its lamp says."""
        return tuple(
            relay._replace(hold=relay.hold | {stmt}) if relay.near is not PathState.DOWN else relay for relay in relays
        )

    def take(self, sender: Sender, lane: int, words: int, first: int) -> Sender:
        """8.1: the next serial, and its predecessor in its precedence."""
        stmt = Stmt(sender.last + 1, lane, sender.lanes[lane], words, first)
        lanes = (*sender.lanes[:lane], stmt.serial, *sender.lanes[lane + 1 :])
        return sender._replace(
            last=stmt.serial, lanes=lanes, pending=sender.pending | {Pending(stmt)}, sent=sender.sent | {stmt}
        )

    def cut_in_submit(self, before: State, committed: State) -> State:
        """12.1: it is committed before the officer hears `queued`; a power cut between leaves it unanswered."""
        return committed

    def cut_in_receive(self, before: State, committed: State, receipt: Receipt) -> State:
        """9.1: committed, and the power goes before the receipt leaves."""
        return committed

    def expire(self, sender: Sender, item: Pending) -> Sender:
        """8.4: a VOID keeps the serial, and the sender is told."""
        serial = item.stmt.serial
        if sender.told(serial, SentState.DELIVERED):
            return sender
        void = Pending(item.stmt._replace(words=NOBODY, first=0), item.stmt)
        return sender._replace(
            pending=sender.pending - {item} | {void}, facts=sender.facts | {(serial, SentState.EXPIRED)}
        )

    def custody(self, sender: Sender, item: Pending) -> Sender:
        """12.4: one relay's custody is news and nothing more."""
        return sender._replace(pending=sender.pending - {item} | {item._replace(relayed=True)})

    def judge(self, receiver: Receiver, stmt: Stmt) -> Verdict:
        """12.5: what a statement is to the inbox."""
        held = receiver.holds(stmt.serial)
        if held is None:
            return Verdict.NEW
        return Verdict.REPEAT if held == stmt else Verdict.CONFLICT

    def receive(self, receiver: Receiver, stmt: Stmt) -> tuple[Receiver, Receipt]:
        """A statement arrives: taken or known, and a receipt in any case."""
        match self.judge(receiver, stmt):
            case Verdict.REPEAT:
                return receiver, Receipt(stmt)
            case Verdict.CONFLICT:
                held = receiver.holds(stmt.serial)
                assert held is not None
                return receiver, Receipt(held, True, receiver.highest())
        taken = receiver._replace(received=receiver.received | {stmt})
        if stmt.words != NOBODY and any(
            other.words == stmt.words and (other.first or other.serial) == (stmt.first or stmt.serial)
            for other in receiver.received
        ):
            taken = taken._replace(marked=taken.marked | {stmt.serial})
        return self.show(taken), Receipt(stmt)

    def show(self, receiver: Receiver) -> Receiver:
        """12.5: what waited for nothing else is shown, lowest serial first."""
        through = receiver.through()
        shown = list(receiver.shown)
        lanes = {(stmt.serial, stmt.lane) for stmt in receiver.received if stmt.serial in shown}
        for stmt in sorted(receiver.received):
            free = stmt.previous <= through or (stmt.previous, stmt.lane) in lanes
            if stmt.serial not in shown and free:
                shown.append(stmt.serial)
                lanes.add((stmt.serial, stmt.lane))
        return receiver._replace(shown=tuple(shown))

    def hear(self, state: State, receipt: Receipt) -> State:
        """A receipt reaches ALPHA."""
        if receipt.conflict:
            return self.conflict(state, receipt)
        item = state.sender.owed(receipt.stmt.serial)
        if item is None:
            return state._replace(sender=self.doubt(self.deliver_late(state.sender, receipt.stmt), receipt))
        if receipt.stmt not in (item.stmt, item.original):
            return state._replace(sender=self.contest(state.sender, item, receipt))
        if item.stmt.words != NOBODY and self.outdated(state.sender, receipt):
            return state
        return self.deliver(state, item, receipt.stmt)

    def deliver(self, state: State, item: Pending, stmt: Stmt) -> State:
        """12.4: what the peer holds is owed no more; a VOID that it holds is no news."""
        sender, beat = state.sender, state.beat
        sender = sender._replace(pending=sender.pending - {item})
        if stmt.words != NOBODY:
            sender = sender._replace(facts=sender.facts | {(stmt.serial, SentState.DELIVERED)})
        if sender.through() > sender.high:
            sender = sender._replace(high=sender.through())
            beat = None if beat is None else beat._replace(stale=True)
        if stmt.serial in sender.contested:
            sender = self.owe(sender._replace(contested=sender.contested - {stmt.serial}), stmt.serial)
        return state._replace(sender=sender, beat=beat)

    def outdated(self, sender: Sender, receipt: Receipt) -> bool:
        """12.12: the peer has named another one since it acknowledged ours."""
        return any(serial == receipt.stmt.serial and life > receipt.life for serial, life in sender.named)

    def note(self, sender: Sender, receipt: Receipt) -> Sender:
        """12.12: when the peer last named another one under this serial."""
        serial = receipt.stmt.serial
        known = {one for one in sender.named if one[0] == serial}
        life = max([receipt.life, *(life for _, life in known)])
        return sender._replace(named=sender.named - known | {(serial, life)})

    def contest(self, sender: Sender, item: Pending, receipt: Receipt) -> Sender:
        """12.12: the peer names another one; should it have acknowledged ours, it has lost one of the two."""
        if item.stmt.words == NOBODY:
            return sender
        return self.note(sender._replace(contested=sender.contested | {item.stmt.serial}), receipt)

    def doubt(self, sender: Sender, receipt: Receipt) -> Sender:
        """12.12: the peer names another one than it had acknowledged."""
        stmt = receipt.stmt
        if stmt in sender.sent or not any(one.serial == stmt.serial for one in sender.sent):
            return sender
        return self.owe(self.note(sender, receipt), stmt.serial)

    def owe(self, sender: Sender, serial: int) -> Sender:
        """12.12: what was acknowledged and is lost is owed again, under its serial."""
        gone = sender.told(serial, SentState.EXPIRED) or sender.told(serial, SentState.RENUMBERED)
        if gone or not sender.told(serial, SentState.DELIVERED):
            return sender
        lost = next(stmt for stmt in sender.sent if stmt.serial == serial)
        return sender._replace(pending=sender.pending | {Pending(lost)})

    def deliver_late(self, sender: Sender, stmt: Stmt) -> Sender:
        """8.4: it had expired, the VOID was taken and then lost, and the original arrived after all."""
        if stmt not in sender.sent or not sender.told(stmt.serial, SentState.EXPIRED):
            return sender
        return sender._replace(facts=sender.facts | {(stmt.serial, SentState.DELIVERED)})

    def skip_to(self, sender: Sender, serial: int) -> Sender:
        """10.5: serials that the peer has seen are not given out again."""
        sender = sender._replace(last=max(sender.last, serial))
        return sender._replace(high=sender.through())

    def conflict(self, state: State, receipt: Receipt) -> State:
        """9.3: the serial is taken by something else."""
        sender = state.sender
        if receipt.highest > sender.last:
            sender = self.skip_to(sender, receipt.highest)
        item = sender.owed(receipt.stmt.serial)
        if item is None:
            return state._replace(sender=self.doubt(self.deliver_late(sender, receipt.stmt), receipt))
        state = state._replace(sender=sender)
        if receipt.stmt == item.stmt:
            return state
        if receipt.stmt == item.original:
            return self.deliver(state, item, receipt.stmt)
        if receipt.stmt != item.stmt._replace(words=NOBODY, first=0):
            sender = self.skip_to(sender, receipt.highest)
        return state._replace(sender=self.renumber(sender, item))

    def renumber(self, sender: Sender, item: Pending) -> Sender:
        """12.6: a new serial above everything that the peer has seen; a VOID needs none."""
        sender = sender._replace(pending=sender.pending - {item}, contested=sender.contested - {item.stmt.serial})
        if item.stmt.words != NOBODY:
            stmt = item.stmt
            sender = self.take(sender, stmt.lane, stmt.words, stmt.first or stmt.serial)
            sender = sender._replace(facts=sender.facts | {(stmt.serial, SentState.RENUMBERED)})
        return sender._replace(high=sender.through())

    def believe(self, state: State, beat: Beat) -> State:
        """10.5: a fresh beat that contradicts what we know means that one side has lost state."""
        sender = state.sender
        if beat.through > sender.last:
            return state._replace(sender=self.skip_to(sender, beat.through))
        if beat.through < sender.high and not beat.stale:
            return state._replace(sender=self.offer_again(sender, beat.through))
        return state

    def offer_again(self, sender: Sender, after: int) -> Sender:
        """10.5: everything after is owed again, with a VOID for what we know nothing of."""
        pending = set(sender.pending)
        for serial in range(after + 1, sender.last + 1):
            if sender.owed(serial) is not None:
                continue
            stmt = next((stmt for stmt in sender.sent if stmt.serial == serial), None)
            if stmt is None:
                pending.add(Pending(Stmt(serial, 0, 0, NOBODY)))
                continue
            gone = sender.told(serial, SentState.EXPIRED) and not sender.told(serial, SentState.DELIVERED)
            if gone or sender.told(serial, SentState.RENUMBERED):
                pending.add(Pending(stmt._replace(words=NOBODY, first=0), stmt))
            else:
                pending.add(Pending(stmt))
        sender = sender._replace(pending=frozenset(pending))
        return sender._replace(high=sender.through())


def _serial(item: Pending) -> int:
    """Sets are gone through in order: a run must be the same in every process."""
    return item.stmt.serial
