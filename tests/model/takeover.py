"""Several terminals of a party as a model (docs/protocol.md section 23): ALPHA's two, and one of BRAVO.

What is left out: precedence, expiry by time, READ (tests/model/delivery.py has order and expiry), epochs, and standing
by without a takeover. A step and its commit are one action, as there. A heartbeat is an exchange of both ways that is
fresh, or never happens: a turn only rises, so that an old one tells nothing. A sibling answers at once what it is
told. Statements, receipts and SETTLED are under way for as long as the run likes; what is lost is repeated, as there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tests.model.explorer import Action

NOBODY = -1
"""The words of an empty statement (8.7)."""
Turn = tuple[int, int]
"""A term and the terminal that speaks in it."""


class Stmt(NamedTuple):
    """A statement of ALPHA: which terminal said it, in which term."""

    serial: int
    words: int
    term: int
    author: int

    def same(self, other: Stmt) -> bool:
        """Whether a receipt for one counts for the other: empty ones of both terminals have the same bytes (23.5)."""
        return self._replace(term=0) == other._replace(
            term=0, author=self.author if self.words == NOBODY else other.author
        )


class Terminal(NamedTuple):
    """A terminal of ALPHA. What follows `told` is memory."""

    on: bool = True
    turn: Turn = (0, 1)
    record: frozenset[Stmt] = frozenset()
    pending: frozenset[Stmt] = frozenset()
    last: int = 0
    told: frozenset[tuple[int, str]] = frozenset()
    """What its people were told became of these words."""
    heard: bool = False
    """BRAVO has been heard since the start."""
    peer_has: int = 0
    sibling_sent: int = 0
    owed: frozenset[int] = frozenset()
    """Serials that the sibling is to be told."""
    ahead: frozenset[Stmt] = frozenset()
    """Acknowledged by BRAVO, and not known here yet."""

    def at(self, serial: int) -> Stmt | None:
        """What it holds pending under a serial."""
        return next((one for one in self.pending if one.serial == serial), None)

    def held(self, serial: int) -> Stmt | None:
        """What its record holds under a serial."""
        return next((one for one in self.record if one.serial == serial), None)

    def without(self, stmt: Stmt, word: str = "") -> Terminal:
        """It waits no more, and its people are told the word."""
        told = self.told | {(stmt.words, word)} if word and stmt.words != NOBODY else self.told
        return self._replace(pending=self.pending - {stmt}, owed=self.owed - {stmt.serial}, told=told)


class Peer(NamedTuple):
    """BRAVO's terminal."""

    turn: Turn = (0, 1)
    received: frozenset[Stmt] = frozenset()

    @property
    def through(self) -> int:
        """Everything up to here has come."""
        serials, through = {one.serial for one in self.received}, 0
        while through + 1 in serials:
            through += 1
        return through

    def held(self, serial: int) -> Stmt | None:
        """What it holds under a serial."""
        return next((one for one in self.received if one.serial == serial), None)


class State(NamedTuple):
    """Everything, and what an observer who sees all has noted."""

    alpha: tuple[Terminal, Terminal]
    peer: Peer
    to_peer: frozenset[tuple[int, Stmt]]
    """Under way to BRAVO, by whom."""
    to_us: frozenset[tuple[int, str, Stmt]]
    """DELIVERED and CONFLICT, to whom, and what BRAVO holds."""
    settled: frozenset[tuple[int, str, Stmt]]
    """SETTLED, to which sibling, what became of which statement."""
    said: int
    flown: frozenset[int]
    """Words that have left for BRAVO in the term of who said them, or that who took over held then."""
    inherited: frozenset[tuple[int, int]]
    """(terminal, words) that its record held when it took over."""
    since: tuple[Turn, Turn]
    """What BRAVO knew when each started."""
    wrong: str
    budget: tuple[int, ...]


WORDS, TAKEOVERS, CRASHES = range(3)


@dataclass(frozen=True)
class Bounds:
    """How much world a model has."""

    name: str
    words: int = 1
    takeovers: int = 1
    crashes: int = 0
    again: bool = False
    """Whether the one that speaks may stand by and begin a new term in one moment."""


class Takeover:
    """The rules. Each is a method, so that a planted error replaces one."""

    faults = frozenset({"submit", "takeover", "crash"})

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.name = bounds.name

    def begin(self) -> State:
        b, none = self.bounds, frozenset[int]()
        budget = (b.words, b.takeovers, b.crashes)
        pair = (Terminal(heard=True), Terminal(heard=True))
        return State(pair, Peer(), none, none, none, 0, none, none, ((0, 1), (0, 1)), "", budget)  # type: ignore[arg-type]

    def broken(self, state: State) -> str:
        has = {one.words for one in state.peer.received}
        if any(word == "delivered" and words not in has for one in state.alpha for words, word in one.told):
            return "told delivered, and BRAVO has it not"
        has |= {stmt.words for one in state.alpha for stmt in one.pending}
        has |= {words for one in state.alpha for words, _ in one.told}
        if not has >= set(range(state.said)):
            return "lost: nobody owes it, and nobody was told"
        return state.wrong

    def hopeful(self, state: State) -> bool:
        return True

    def done(self, state: State) -> bool:
        """One voice that all know, one record, and everybody told what became of everything."""
        known = {one.words for one in state.peer.received}
        known |= {words for one in state.alpha for words, word in one.told if word == "expired"}
        real = {one for one in state.peer.received if one.words != NOBODY}
        return (
            all(one.on and one.turn == state.peer.turn for one in state.alpha)
            and known >= set(range(state.said))
            and not any(waits.words != NOBODY for one in state.alpha for waits in one.pending)
            and all(one.record >= real for one in state.alpha)
        )

    def same(self, state: State) -> Hashable:
        """What nobody looks at any more is left out."""
        asked = [one.on and one.turn >= since for one, since in zip(state.alpha, state.since, strict=True)]
        since = tuple((0, 0) if known else turn for known, turn in zip(asked, state.since, strict=True))
        unheard = frozenset(one for one in state.inherited if one[1] not in state.flown)
        return state._replace(inherited=unheard, since=since)

    # --- what can happen ---------------------------------------------------------------------------------------------

    def steps(self, state: State) -> Iterator[tuple[Action, State]]:
        for number, one in enumerate(state.alpha, 1):
            if one.on:
                yield from self._officers(state, number, one)
                yield from self._sending(state, number, one)
            else:
                yield ("start", number), self._start(state, number, one)
        yield from self._beats(state)
        yield from self._arrivals(state)

    def _spend(self, state: State, what: int) -> tuple[int, ...]:
        budget = list(state.budget)
        budget[what] -= 1
        return tuple(budget)

    def _put(self, state: State, number: int, one: Terminal) -> State:
        pair = (one, state.alpha[1]) if number == 1 else (state.alpha[0], one)
        return state._replace(alpha=pair)

    def _officers(self, state: State, number: int, one: Terminal) -> Iterator[tuple[Action, State]]:
        speaks = one.turn[1] == number
        if speaks and state.budget[WORDS]:
            stmt = Stmt(one.last + 1, state.said, one.turn[0], number)
            spent = state._replace(said=state.said + 1, budget=self._spend(state, WORDS))
            yield ("submit", number), self._put(spent, number, self._take(one, stmt))
        if (self.bounds.again or not speaks) and state.budget[TAKEOVERS]:
            inherited = state.inherited | {(number, stmt.words) for stmt in one.record}
            spent = state._replace(inherited=inherited, budget=self._spend(state, TAKEOVERS))
            yield ("takeover", number), self._put(spent, number, self.take_over(one, number))
        if state.budget[CRASHES]:
            off = Terminal(False, one.turn, one.record, one.pending, one.last, one.told)
            yield ("crash", number), self._put(state, number, off)._replace(budget=self._spend(state, CRASHES))

    def _start(self, state: State, number: int, one: Terminal) -> State:
        """From what is on disk: empty ones that were made for what it does not know are not."""
        pending = frozenset(stmt for stmt in one.pending if stmt.words != NOBODY or one.held(stmt.serial))
        owed = frozenset(stmt.serial for stmt in pending if stmt.words != NOBODY)
        since = (state.peer.turn, state.since[1]) if number == 1 else (state.since[0], state.peer.turn)
        return self._put(state, number, one._replace(on=True, pending=pending, owed=owed))._replace(since=since)

    def _sending(self, state: State, number: int, one: Terminal) -> Iterator[tuple[Action, State]]:
        for stmt in sorted(one.pending):
            answered = any(to == number and held.serial == stmt.serial for to, _, held in state.to_us)
            if self.may_speak(one, number) and (number, stmt) not in state.to_peer and not answered:
                yield ("send", number, stmt), self._sent(state, number, one, stmt)
        other = state.alpha[2 - number]
        for serial in sorted(one.owed) if other.on else ():
            told = one.held(serial)
            assert told is not None
            taken, held = self.mirror(other, 3 - number, told)
            yield ("tell", number, told), self.answered(self._put(state, 3 - number, taken), number, one, told, held)

    def _sent(self, state: State, number: int, one: Terminal, stmt: Stmt) -> State:
        wrong = state.wrong
        if one.turn[1] != number:
            wrong = "who stands by speaks"
        elif one.turn < state.since[number - 1]:
            wrong = "who came back speaks over who took its place"
        own = stmt.term >= one.turn[0] or (number, stmt.words) in state.inherited
        flown = state.flown | {stmt.words} if own else state.flown
        return state._replace(to_peer=state.to_peer | {(number, stmt)}, flown=flown, wrong=wrong)

    def _beats(self, state: State) -> Iterator[tuple[Action, State]]:
        one, two = state.alpha
        if one.on and two.on:
            met = state._replace(alpha=(self.meet(one, two, 1), self.meet(two, one, 2)))
            if met != state:
                yield ("meet",), met
        for number, one in enumerate(state.alpha, 1):
            peer = state.peer._replace(turn=max(one.turn, state.peer.turn, key=self.rank))
            heard = self._put(state._replace(peer=peer), number, self.hear_peer(one, number, state.peer))
            if one.on and heard != state:
                yield ("beat", number), heard

    def _arrivals(self, state: State) -> Iterator[tuple[Action, State]]:
        for number, stmt in sorted(state.to_peer):
            left = state._replace(to_peer=state.to_peer - {(number, stmt)})
            yield ("deliver", number, stmt), self.receive(left, number, stmt)
        for number, word, held in sorted(state.to_us):
            one = state.alpha[number - 1]
            if one.on:
                left = state._replace(to_us=state.to_us - {(number, word, held)})
                change = self.delivered if word == "delivered" else self.conflict
                yield (word, number, held), change(left, number, one, held)
        for number, word, stmt in sorted(state.settled):
            one = state.alpha[number - 1]
            if one.on:
                left = state._replace(settled=state.settled - {(number, word, stmt)})
                yield ("settled", number, word, stmt), self._put(left, number, self.settled(one, stmt, word))

    # --- the rules ---------------------------------------------------------------------------------------------------

    def rank(self, turn: Turn) -> Turn:
        """23.1: the higher term holds, of one term that of the higher terminal."""
        return turn

    def may_speak(self, one: Terminal, number: int) -> bool:
        """23.3: who speaks, and only once the peer was heard."""
        return one.turn[1] == number and one.heard

    def take_over(self, one: Terminal, number: int) -> Terminal:
        """23.2: a new term, and serials above everything heard of."""
        last = max(one.last, one.sibling_sent, one.peer_has)
        return one._replace(turn=(one.turn[0] + 1, number), last=last)

    def _take(self, one: Terminal, stmt: Stmt) -> Terminal:
        return one._replace(
            record=one.record | {stmt},
            pending=one.pending | {stmt},
            last=max(one.last, stmt.serial),
            owed=one.owed | {stmt.serial},
        )

    def _turned(self, one: Terminal, turn: Turn, number: int) -> Terminal:
        """23.3: who hears of a higher turn stands by; what it has pending is for its siblings to judge."""
        turn = max(one.turn, turn, key=self.rank)
        if one.turn[1] == number != turn[1]:
            one = one._replace(owed=one.owed | {stmt.serial for stmt in one.pending if stmt.words != NOBODY})
        return one._replace(turn=turn)

    def meet(self, one: Terminal, other: Terminal, number: int) -> Terminal:
        """23.7: a beat of the sibling: who speaks, how far it goes, and what it lacks."""
        lacks = {stmt.serial for stmt in one.record if other.held(stmt.serial) is None}
        if other.turn[1] == number:  # a receipt was lost
            lacks |= {stmt.serial for stmt in other.pending & one.record if stmt.serial <= other.peer_has}
        return self._turned(one, other.turn, number)._replace(owed=one.owed | lacks, sibling_sent=other.last)

    def hear_peer(self, one: Terminal, number: int, peer: Peer) -> Terminal:
        """A beat of BRAVO: who speaks, and what it has; gaps below what is pending are closed by empty ones (10.5)."""
        one = self._turned(one, peer.turn, number)._replace(heard=True, peer_has=peer.through)
        if one.turn[1] != number:
            return one
        one = one._replace(last=max(one.last, peer.through))
        delivered = min((stmt.serial for stmt in one.pending), default=one.last + 1) - 1
        if peer.through >= delivered:
            return one
        for serial in range(peer.through + 1, one.last + 1):
            held = one.held(serial)
            if one.at(serial) is None and (held is None or (held.words, "expired") in one.told):
                one = one._replace(pending=one.pending | {Stmt(serial, NOBODY, 0, number)})
        return one

    def receive(self, state: State, number: int, stmt: Stmt) -> State:
        """12.5, 23.4: receipts go to both terminals, CONFLICT to the one that caused it."""
        held = state.peer.held(stmt.serial)
        if held is not None and not held.same(stmt):
            return state._replace(to_us=state.to_us | {(number, "conflict", held)})
        if held is None and stmt.words not in state.flown | {NOBODY}:
            state = state._replace(wrong="what had not left before the takeover is said after it")
        peer = state.peer._replace(received=state.peer.received | {held or stmt})
        state = state._replace(peer=peer)
        for number, one in enumerate(state.alpha, 1):
            if self.delivered(state, number, one, held or stmt) != state:  # else it may as well be lost
                state = state._replace(to_us=state.to_us | {(number, "delivered", held or stmt)})
        return state

    def delivered(self, state: State, number: int, one: Terminal, stmt: Stmt) -> State:
        """DELIVERED, for what is pending, expired here, or not known yet (23.5)."""
        waits, held = one.at(stmt.serial), one.held(stmt.serial)
        if waits is not None and (waits.same(stmt) or (waits.words == NOBODY and held == stmt)):
            told = one.without(waits, "delivered")
            return self._put(
                state,
                number,
                told if stmt.words == NOBODY else told._replace(told=told.told | {(stmt.words, "delivered")}),
            )
        if waits is None and held is None and stmt.words != NOBODY:
            return self._put(state, number, one._replace(ahead=one.ahead | {stmt}))
        if waits is None and held == stmt and (stmt.words, "expired") in one.told:
            return self._put(state, number, one._replace(told=one.told | {(stmt.words, "delivered")}))
        return state

    def conflict(self, state: State, number: int, one: Terminal, held: Stmt) -> State:
        """BRAVO holds something else under this serial: renumbered by who said it in its term, else not said (23.8)."""
        waits = one.at(held.serial)
        if waits is None or waits.same(held):
            return state
        if waits.words == NOBODY:
            return self._put(state, number, one.without(waits))
        if one.turn[1] != number:
            return self._put(state, number, self.refused(one, waits))
        if self.renumbers(one, number, waits):
            moved = Stmt(one.last + 1, waits.words, waits.term, number)
            return self._put(state, number, self._take(one.without(waits), moved))
        settled = state.settled | {(3 - number, "expired", waits)}
        return self._put(state, number, one.without(waits, "expired"))._replace(settled=settled)

    def renumbers(self, one: Terminal, number: int, waits: Stmt) -> bool:
        """23.6, 23.8: its own, or of its term."""
        return waits.author == number or waits.term >= one.turn[0]

    def refused(self, one: Terminal, waits: Stmt) -> Terminal:
        """23.6: who stands by says it no more, and its operator is told."""
        return one.without(waits, "expired")

    def too_late(self, one: Terminal, number: int, stmt: Stmt) -> bool:
        """23.6: what is told of an earlier term is taken only if the peer has that serial."""
        earlier = stmt.author != number and stmt.term < one.turn[0]
        return one.turn[1] == number and earlier and stmt.serial > one.peer_has

    def mirror(self, one: Terminal, number: int, stmt: Stmt) -> tuple[Terminal, Stmt | None]:
        """23.5: a statement of the sibling's record, and what is answered: what is held in its place."""
        held = one.held(stmt.serial)
        if held is None and not self.too_late(one, number, stmt):
            held = stmt
            waiting = {old for old in one.pending if old.serial != stmt.serial and old.words != stmt.words} | {stmt}
            one = one._replace(record=one.record | {stmt}, pending=frozenset(waiting), last=max(one.last, stmt.serial))
            if stmt in one.ahead:
                one = one.without(stmt, "delivered")._replace(ahead=one.ahead - {stmt})
        return one, held

    def answered(self, state: State, number: int, one: Terminal, stmt: Stmt, held: Stmt | None) -> State:
        """The sibling says what it holds in the place of what it was told."""
        one = one._replace(owed=one.owed - {stmt.serial})
        if held == stmt:
            word = next((word for word in ("delivered", "expired") if (stmt.words, word) in one.told), "")
            settled = state.settled | ({(3 - number, word, stmt)} if word else frozenset())
            return self._put(state._replace(settled=settled), number, self.copied(one, stmt))
        waits = one.at(stmt.serial)
        if one.turn[1] != number and waits is not None and waits.words != NOBODY:
            one = one.without(waits, "expired")
        return self._put(state, number, one)

    def copied(self, one: Terminal, stmt: Stmt) -> Terminal:
        """23.5: DELIVERED of a sibling says nothing of the peer."""
        return one

    def settled(self, one: Terminal, stmt: Stmt, word: str) -> Terminal:
        """23.5: the sibling says that it waits no more."""
        waits = one.at(stmt.serial)
        if waits != stmt:
            return one
        one = one.without(waits, word)
        return one if word == "delivered" else one._replace(pending=one.pending | {stmt._replace(words=NOBODY)})
