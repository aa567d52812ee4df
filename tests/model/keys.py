"""Epochs, prekeys and key requests as a model (docs/protocol.md section 7): ALPHA seals, BRAVO opens.

What is left out: order and receipts that are lost (tests/model/delivery.py), the opposite direction (it shares
nothing), bounds on what is kept. A step and its commit are one action, as there. `in_flight` holds a few envelopes;
a newer one pushes out an older, and any may be lost, delivered again or never. Epochs are numbered as they are drawn;
only their order and that of the numbers within one matter, so `same` counts both from zero.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hotline.protocol.session import ASKABLE
from tests.model.explorer import Action


class Prekey(NamedTuple):
    """One prekey of BRAVO. `secret` numbers what was drawn, so that two of one generation can differ."""

    generation: int
    secret: int


class Epoch(NamedTuple):
    """ALPHA's sending side of an epoch: memory only."""

    drawn: int
    prekey: Prekey
    next: int = 0
    acknowledged: bool = False


class Envelope(NamedTuple):
    """What is under way; `opener` names the prekey, or is None once the epoch is acknowledged."""

    epoch: int
    number: int
    opener: Prekey | None
    stmt: int


class Alpha(NamedTuple):
    """ALPHA: `held` and `owed` are on disk, the rest is memory."""

    held: Prekey
    owed: frozenset[int]
    epoch: Epoch | None = None
    sealed: frozenset[Envelope] = frozenset()
    """The newest envelope of each owed statement."""
    recent: frozenset[int] = frozenset()


class Bravo(NamedTuple):
    """BRAVO: `prekeys`, `openers`, `shown` are on disk, the rest is memory."""

    prekeys: tuple[Prekey, ...]
    openers: frozenset[tuple[int, Prekey]]
    shown: tuple[int, ...]
    live: frozenset[int] = frozenset()
    """Epochs whose chains are in memory."""
    used: frozenset[tuple[int, int]] = frozenset()
    """Keys that are forgotten."""
    newest: int | None = None
    """The epoch opened last, as beats say."""
    spent: int = 0
    """Prekeys below this generation may be destroyed: the peer has used a newer one."""


class Beat(NamedTuple):
    """What BRAVO's beat says; fresh while ALPHA remembers the beat that it answers."""

    prekey: Prekey
    opened: int | None
    fresh: bool = True


class Request(NamedTuple):
    """A key request of BRAVO."""

    unknown: int
    prekey: Prekey


class State(NamedTuple):
    """Everything, and what an observer who sees all has noted."""

    alpha: Alpha
    bravo: Bravo
    in_flight: frozenset[Envelope]
    back: frozenset[int]
    """Receipts on their way."""
    beat: Beat | None
    request: Request | None
    drawn: tuple[int, int]
    """Epochs and prekey secrets drawn so far: nothing is ever drawn twice."""
    seals: frozenset[tuple[int, int, int]]
    """(epoch, number, statement) of everything sealed that a later seal could still repeat."""
    copies: tuple[Alpha | None, Bravo | None]
    budget: tuple[int, ...]


ROTATIONS, RESTARTS_A, RESTARTS_B, RESTORES_A, RESTORES_B = range(5)


@dataclass(frozen=True)
class Bounds:
    """How much world a model has."""

    name: str
    statements: int = 1
    in_flight: int = 2
    rotations: int = 1
    restarts_a: int = 0
    restarts_b: int = 0
    restores_a: int = 0
    restores_b: int = 0
    hostile: bool = True
    """Whether envelopes are lost, and anything arrives a second time."""
    clock_lies: bool = False
    """After a restore BRAVO's generations do not rise above those that the peer has seen."""


class Keys:
    """The rules. Each is a method, so that a planted error replaces one."""

    faults = frozenset({"rotate", "destroy", "restart", "copy", "restore", "lose", "again", "replay"})

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.name = bounds.name

    def begin(self) -> State:
        b = self.bounds
        first = Prekey(1, 0)
        alpha, bravo = Alpha(first, frozenset(range(b.statements))), Bravo((first,), frozenset(), ())
        budget = (b.rotations, b.restarts_a, b.restarts_b, b.restores_a, b.restores_b)
        return State(alpha, bravo, frozenset(), frozenset(), None, None, (0, 1), frozenset(), (None, None), budget)

    def broken(self, state: State) -> str:
        if len(set(state.bravo.shown)) != len(state.bravo.shown):
            return "a statement was shown twice"
        if len({(epoch, number) for epoch, number, _ in state.seals}) != len(state.seals):
            return "a key and nonce sealed two texts"
        return ""

    def hopeful(self, state: State) -> bool:
        return True

    def done(self, state: State) -> bool:
        return not state.alpha.owed

    # --- what does not matter ----------------------------------------------------------------------------------------

    def same(self, state: State) -> Hashable:
        """Epochs and numbers counted anew, and what nothing can refer to any more left out."""
        alpha, bravo, kept = state.alpha, state.bravo, state.copies
        envelopes = state.in_flight | alpha.sealed
        used = {pair for pair in bravo.used if any(pair == (one.epoch, one.number) for one in envelopes)}
        chains = [one.epoch for one in (alpha, kept[0]) if one is not None and one.epoch is not None]
        seals = {
            seal for seal in state.seals if any(seal[0] == chain.drawn and seal[1] >= chain.next for chain in chains)
        }
        numbers = {(one.epoch, one.number) for one in envelopes} | {(chain.drawn, chain.next) for chain in chains}
        numbers |= {seal[:2] for seal in seals}
        epochs = {epoch for epoch, _ in numbers}
        asked = set() if state.request is None else {state.request.unknown}
        epochs |= asked & (alpha.recent | ({alpha.epoch.drawn} if alpha.epoch else set()))
        name = {epoch: rank for rank, epoch in enumerate(sorted(epochs))}
        count: dict[tuple[int, int], tuple[int, int]] = {}
        for epoch in epochs:
            ranks = sorted(number for of, number in numbers if of == epoch)
            count |= {(epoch, number): (name[epoch], rank) for rank, number in enumerate(ranks)}

        def envelope(one: Envelope) -> Envelope:
            return Envelope(*count[one.epoch, one.number], one.opener, one.stmt)

        def sender(one: Alpha | None) -> Hashable:
            if one is None:
                return None
            chain = one.epoch and one.epoch._replace(
                drawn=name[one.epoch.drawn], next=count[one.epoch.drawn, one.epoch.next][1]
            )
            recent = frozenset(name[epoch] for epoch in one.recent if epoch in name)
            sealed = frozenset(map(envelope, one.sealed)) if one is alpha else one.sealed
            return one._replace(epoch=chain, sealed=sealed, recent=recent)

        def receiver(one: Bravo | None) -> Hashable:
            if one is None:
                return None
            openers = frozenset((name[epoch], prekey) for epoch, prekey in one.openers if epoch in name)
            live = frozenset(name[epoch] for epoch in one.live if epoch in name)
            return one._replace(openers=openers, live=live, newest=name.get(one.newest or 0), used=frozenset())

        return (
            sender(alpha),
            receiver(bravo),
            frozenset(count[pair] for pair in used),
            frozenset(map(envelope, state.in_flight)),
            state.back,
            state.beat and state.beat._replace(opened=name.get(state.beat.opened or 0)),
            state.request and (name.get(state.request.unknown), state.request.prekey),
            frozenset((*count[seal[:2]], seal[2]) for seal in seals),
            (sender(kept[0]), receiver(kept[1])),
            state.budget,
            state.drawn[1],
        )

    # --- what can happen ---------------------------------------------------------------------------------------------

    def steps(self, state: State) -> Iterator[tuple[Action, State]]:
        yield from self._sealing(state)
        yield from self._opening(state)
        yield from self._words(state)
        yield from self._clockwork(state)
        yield from self._disks(state)

    def _spend(self, state: State, what: int) -> tuple[int, ...]:
        budget = list(state.budget)
        budget[what] -= 1
        return tuple(budget)

    def _sealing(self, state: State) -> Iterator[tuple[Action, State]]:
        alpha = state.alpha
        for stmt in sorted(alpha.owed):
            sealed = next((one for one in alpha.sealed if one.stmt == stmt), None)
            if sealed is None:
                yield ("seal", stmt), self.seal(state, stmt)
                continue
            if sealed not in state.in_flight:
                yield ("repeat", stmt), self._send(state, sealed)
            anew = state._replace(alpha=alpha._replace(sealed=alpha.sealed - {sealed}))
            yield ("reseal", stmt), self.reseal(anew, sealed)

    def _send(self, state: State, envelope: Envelope) -> State:
        in_flight = sorted(state.in_flight | {envelope})
        while len(in_flight) > self.bounds.in_flight:
            in_flight.remove(next(one for one in in_flight if one != envelope))
        return state._replace(in_flight=frozenset(in_flight))

    def _opening(self, state: State) -> Iterator[tuple[Action, State]]:
        # In order: a run must be the same in every process, and None has another hash in each.
        for envelope in sorted(state.in_flight):
            opened = self.open(state, envelope)
            yield ("deliver", envelope), opened._replace(in_flight=opened.in_flight - {envelope})
            if self.bounds.hostile and opened != state:
                yield ("again", envelope), opened
            if self.bounds.hostile:
                yield ("lose", envelope), state._replace(in_flight=state.in_flight - {envelope})
        for stmt in sorted(state.back):
            alpha = state.alpha
            sealed = frozenset(one for one in alpha.sealed if one.stmt != stmt)
            heard = alpha._replace(owed=alpha.owed - {stmt}, sealed=sealed)
            yield ("hear", stmt), state._replace(alpha=heard, back=state.back - {stmt})

    def _words(self, state: State) -> Iterator[tuple[Action, State]]:
        beat = Beat(state.bravo.prekeys[-1], state.bravo.newest)
        if state.beat != beat:
            yield ("beat",), state._replace(beat=beat)
        if state.beat is not None:
            heard = state._replace(alpha=self.believe(state.alpha, state.beat))
            yield ("believe",), heard._replace(beat=None)
            if self.bounds.hostile and heard != state:
                yield ("replay", "beat"), heard
        if state.request is not None:
            obeyed = state._replace(alpha=self.obey(state.alpha, state.request))
            yield ("obey",), obeyed._replace(request=None)
            if self.bounds.hostile and obeyed != state:
                yield ("replay", "request"), obeyed

    def _clockwork(self, state: State) -> Iterator[tuple[Action, State]]:
        if state.budget[ROTATIONS]:
            yield ("rotate",), self.rotate(state)._replace(budget=self._spend(state, ROTATIONS))
        bravo = state.bravo
        kept = tuple(prekey for prekey in bravo.prekeys if prekey.generation >= bravo.spent)
        if kept != bravo.prekeys:
            yield ("destroy",), state._replace(bravo=bravo._replace(prekeys=kept))

    def _disks(self, state: State) -> Iterator[tuple[Action, State]]:
        a, b = state.copies
        if state.budget[RESTARTS_A]:
            yield ("restart", "ALPHA"), self.start_alpha(state, state.alpha, RESTARTS_A)
        if state.budget[RESTARTS_B]:
            yield ("restart", "BRAVO"), self.start_bravo(state, state.bravo, RESTARTS_B)
        if state.budget[RESTORES_A]:
            if a is None:
                yield ("copy", "ALPHA"), state._replace(copies=(self.disk_of(state.alpha), b))
            else:
                yield ("restore", "ALPHA"), self.start_alpha(state, a, RESTORES_A)
        if state.budget[RESTORES_B]:
            if b is None:
                copy = Bravo(state.bravo.prekeys, state.bravo.openers, state.bravo.shown)
                yield ("copy", "BRAVO"), state._replace(copies=(a, copy))
            else:
                yield ("restore", "BRAVO"), self.start_bravo(state, b, RESTORES_B)

    def start_alpha(self, state: State, disk: Alpha, what: int) -> State:
        """From what is on disk; no beat from before is fresh."""
        beat = None if state.beat is None else state.beat._replace(fresh=False)
        return state._replace(alpha=self.disk_of(disk), beat=beat, budget=self._spend(state, what))

    def start_bravo(self, state: State, disk: Bravo, what: int) -> State:
        """From what is on disk, with a new prekey (7.2)."""
        bravo = Bravo(disk.prekeys, disk.openers, disk.shown)
        back = frozenset(stmt for stmt in state.back if stmt in disk.shown)
        started = state._replace(bravo=bravo, back=back, budget=self._spend(state, what))
        return self.rotate(started)

    # --- the rules ---------------------------------------------------------------------------------------------------

    def disk_of(self, alpha: Alpha) -> Alpha:
        """7.6: the sending side of an epoch is not written to disk."""
        return Alpha(alpha.held, alpha.owed)

    def seal(self, state: State, stmt: int) -> State:
        """7.3: in the epoch of the newest prekey, with the next key; the opener rides until it is acknowledged."""
        alpha, (epochs, secrets) = state.alpha, state.drawn
        epoch = alpha.epoch
        if epoch is None or epoch.prekey != alpha.held:
            epoch, epochs = Epoch(epochs + 1, alpha.held), epochs + 1
        envelope = Envelope(epoch.drawn, epoch.next, None if epoch.acknowledged else epoch.prekey, stmt)
        alpha = alpha._replace(
            epoch=epoch._replace(next=epoch.next + 1),
            sealed=alpha.sealed | {envelope},
            recent=alpha.recent | {epoch.drawn},
        )
        seals = state.seals | {(epoch.drawn, envelope.number, stmt)}
        return self._send(state._replace(alpha=alpha, seals=seals, drawn=(epochs, secrets)), envelope)

    def reseal(self, state: State, old: Envelope) -> State:
        """12.3: after some attempts the envelope itself may be what fails."""
        return state

    def open(self, state: State, envelope: Envelope) -> State:
        """4.1, 7.7: find the key, use it once, or ask."""
        bravo = state.bravo
        reason = self.reason(bravo, envelope)
        if reason in ASKABLE:
            return state._replace(request=Request(envelope.epoch, bravo.prekeys[-1]))
        if reason:
            return state
        if envelope.epoch not in bravo.live:
            bravo = bravo._replace(live=bravo.live | {envelope.epoch}, newest=envelope.epoch)
        if envelope.epoch not in dict(bravo.openers):
            assert envelope.opener is not None
            openers = bravo.openers | {(envelope.epoch, envelope.opener)}
            bravo = bravo._replace(openers=openers, spent=max(bravo.spent, envelope.opener.generation))
        bravo = bravo._replace(used=bravo.used | {(envelope.epoch, envelope.number)})
        return self.take(state._replace(bravo=bravo), envelope.stmt)

    def reason(self, bravo: Bravo, envelope: Envelope) -> str:
        """Why an envelope cannot be opened, in the words of docs/protocol.md 15.1; empty if it can."""
        if envelope.epoch in bravo.live:
            return "used" if (envelope.epoch, envelope.number) in bravo.used else ""
        if dict(bravo.openers).get(envelope.epoch) in bravo.prekeys:
            return ""
        if envelope.opener is None:
            return "unknown-epoch"
        return "" if envelope.opener in bravo.prekeys else "unknown-prekey"

    def take(self, state: State, stmt: int) -> State:
        """12.5: a repeat is acknowledged and not shown again."""
        bravo = state.bravo
        if stmt not in bravo.shown:
            bravo = bravo._replace(shown=(*bravo.shown, stmt))
        return state._replace(bravo=bravo, back=state.back | {stmt})

    def rotate(self, state: State) -> State:
        """7.2: a new prekey, of a higher generation than any before unless the clock lies."""
        bravo, (epochs, secrets) = state.bravo, state.drawn
        generation = bravo.prekeys[-1].generation + 1 if self.bounds.clock_lies else secrets + 1
        new = Prekey(generation, secrets)
        return state._replace(bravo=bravo._replace(prekeys=(*bravo.prekeys, new)), drawn=(epochs, secrets + 1))

    def offer(self, alpha: Alpha, prekey: Prekey, *, fresh: bool) -> Alpha:
        """7.2, 7.7: the newest; an older one only if this is an answer to something just said."""
        if not fresh and prekey.generation <= alpha.held.generation:
            return alpha
        return alpha._replace(held=prekey)

    def believe(self, alpha: Alpha, beat: Beat) -> Alpha:
        """A beat reaches ALPHA. Only a fresh one acknowledges an epoch."""
        alpha = self.offer(alpha, beat.prekey, fresh=beat.fresh)
        if beat.fresh and alpha.epoch is not None and alpha.epoch.drawn == beat.opened:
            alpha = alpha._replace(epoch=alpha.epoch._replace(acknowledged=True))
        return alpha

    def obey(self, alpha: Alpha, request: Request) -> Alpha:
        """7.7: seal again what cannot be opened; a request that names none of our epochs may bring a newer prekey."""
        current = alpha.epoch is not None and alpha.epoch.drawn == request.unknown
        alpha = self.offer(alpha, request.prekey, fresh=current)
        if request.unknown not in alpha.recent:
            return alpha
        sealed = frozenset(one for one in alpha.sealed if one.epoch != request.unknown)
        return alpha._replace(sealed=sealed, epoch=None if current else alpha.epoch)
