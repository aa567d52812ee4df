"""The models hold, planted errors are found in them, and the real machines do what they do.

Larger bounds: python -m tests.model --large.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hotline.protocol.again import Again
from hotline.protocol.inbox import Ahead, Inbox, Verdict
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import SentState
from hotline.protocol.paths import TRANSITIONS, PathInput, PathState
from hotline.protocol.session import ASKABLE, Session
from hotline.wire.v1 import content_pb2
from tests.model import keys, takeover
from tests.model.delivery import Bounds, Delivery, Receiver, Relay, Stmt
from tests.model.explorer import Action, Model, Result, State, explore
from tests.model.kept import Kept
from tests.model.library import ROAMING, ROAMING_KEYS, SLOW, USUAL, run, run_of_keys, run_of_takeover
from tests.model.planted import DELIVERY, KEYS, TAKEOVER
from tests.model.replay import Unreplayable, replay
from tests.model.sessions import replay_keys
from tests.model.takeover import Takeover
from tests.model.terminals import replay_takeover

ROOT = Path(__file__).resolve().parents[2]

# --- the models -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", USUAL, ids=[model.name for model in USUAL])
def test_every_reachable_state_keeps_the_promises(model: Model) -> None:
    """Some order of losses, cuts and restored copies would lose, repeat, reorder or stop something for ever."""
    result = explore(model, 30_000)
    assert result.wrong == "", result.trace
    assert result.complete
    assert result.states > 400


QUICK = {name: case for name, case in (DELIVERY | KEYS | TAKEOVER).items() if name not in SLOW}


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_error_is_found(name: str) -> None:
    """A model that is content with everything proves nothing."""
    _, complaint = QUICK[name]
    result = explored(name)
    assert complaint in result.wrong
    assert result.trace


@cache
def explored(name: str) -> Result:
    """What comes of a planted error."""
    return explore(QUICK[name][0], 30_000)


def disks(model: Model) -> set[Hashable]:
    """What both sides may have on their disks, and an observer have noted of it."""
    first = model.begin()
    seen, open_ones, found = {model.same(first)}, [first], set[Hashable]()
    while open_ones:
        state = open_ones.pop()
        found.add((state.sender, state.receiver, state.ever, state.restored))
        for _, after in model.steps(state):
            if model.same(after) not in seen:
                seen.add(model.same(after))
                open_ones.append(after)
    return found


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds("losses, a path lost", lanes=(0,), losses=1, closings=1),
        Bounds("both restored", lanes=(0,), relays=1, restores_a=1, restores_b=1),
        Bounds("BRAVO restored, a cut, a loss", lanes=(0,), relays=1, restores_b=1, cuts=1, losses=1),
    ],
    ids=lambda bounds: bounds.name,
)
def test_relays_that_keep_everything_hide_nothing(bounds: Bounds) -> None:
    """What is found of fewer states would be no finding about the others."""
    assert disks(Kept(Delivery(bounds))) == disks(Delivery(bounds))


@pytest.mark.parametrize("name", [name for name, (model, _) in DELIVERY.items() if isinstance(model, Delivery)])
def test_the_same_errors_are_found_where_relays_keep_everything(name: str) -> None:
    """Larger bounds are explored so alone: what goes wrong there would be seen by nobody."""
    model, complaint = DELIVERY[name]
    assert isinstance(model, Delivery)
    assert complaint in explore(Kept(model), 10_000).wrong


def test_the_slow_ones_are_still_there() -> None:
    """An error that only the large run looks for could be forgotten with its name."""
    assert set(DELIVERY | KEYS | TAKEOVER) > SLOW


# --- the explorer -----------------------------------------------------------------------------------------------------


class Counter:
    """Counts to six by one or, as a fault, falls into a hole at four."""

    name = "counter"

    def __init__(self, *, hole: bool = False, fair: bool = True, limit: int = 99) -> None:
        self.hole, self.limit = hole, limit
        self.faults = frozenset({"fall"} if fair else {"fall", "count"})

    def begin(self) -> int:
        return 0

    def steps(self, state: int) -> Iterator[tuple[Action, int]]:
        if 0 <= state < 6:
            yield ("count",), state + 1
        if self.hole and state == 4:
            yield ("fall",), -1

    def same(self, state: int) -> Hashable:
        return state

    def broken(self, state: int) -> str:
        return "too far" if state >= self.limit else ""

    def hopeful(self, state: int) -> bool:
        return True

    def done(self, state: int) -> bool:
        return state == 6


def test_exploring_counts_and_finds() -> None:
    """The explorer could overlook states, take an unfair step for a way out, or report a detour."""
    whole = explore(Counter())
    assert (whole.states, whole.transitions, whole.depth, whole.wrong, whole.complete) == (7, 6, 7, "", True)
    assert explore(Counter(hole=True)).trace == [("count",)] * 4 + [("fall",)]
    assert explore(Counter(hole=True)).wrong.startswith("stuck")
    assert explore(Counter(fair=False)).wrong.startswith("stuck")
    far = explore(Counter(limit=3))
    assert (far.wrong, far.trace) == ("too far", [("count",)] * 3)
    assert not explore(Counter(), limit=3).complete


def test_relays_are_alike_and_nothing_else_is() -> None:
    """Two states that are not the same would be taken for one, and what follows from one never looked at."""
    model = Delivery(Bounds("x"))
    first, stmt = model.begin(), Stmt(1, 0, 0, 0)
    left = first._replace(relays=(first.relays[0]._replace(hold=frozenset({stmt})), first.relays[1]))
    right = first._replace(relays=(first.relays[0], first.relays[1]._replace(hold=frozenset({stmt}))))
    assert model.same(left) == model.same(right)
    assert model.same(left) != model.same(first)
    assert model.same(left) != model.same(left._replace(said=1))


def test_keys_are_the_same_state_only_if_they_open_the_same() -> None:
    """Counting epochs anew must not make a spent key fresh, or an open epoch closed."""
    model = keys.Keys(keys.Bounds("x", statements=2))
    sealed = model.seal(model.begin(), 0)
    later = sealed._replace(
        alpha=sealed.alpha._replace(
            epoch=keys.Epoch(7, keys.Prekey(1, 0), 1),
            sealed=frozenset(one._replace(epoch=7) for one in sealed.alpha.sealed),
            recent=frozenset({7}),
        ),
        in_flight=frozenset(one._replace(epoch=7) for one in sealed.in_flight),
        seals=frozenset({(7, 0, 0)}),
    )
    assert model.same(later) == model.same(sealed)
    (envelope,) = sealed.in_flight
    opened = model.open(sealed, envelope)
    unused = opened._replace(bravo=opened.bravo._replace(used=frozenset()))
    closed = opened._replace(bravo=opened.bravo._replace(live=frozenset()))
    assert len({model.same(state) for state in (sealed, opened, unused, closed)}) == 4


# --- in step with the product -----------------------------------------------------------------------------------------


def test_the_models_know_every_word_of_the_product() -> None:
    """A state, a stage or a verdict that the product gains would be missing here, and nobody would notice."""
    stages = {name.removeprefix("STAGE_") for name, number in content_pb2.Stage.items() if number}
    left_out = {"READ", "NOTED", "SHOWN", "REPLY_BY", "SETTLED", "TOLD"}
    assert stages == {"DELIVERED", "CONFLICT"} | left_out
    assert {state.name for state in SentState} == {
        "QUEUED",
        "RELAYED",
        "DELIVERED",
        "EXPIRED",
        "RENUMBERED",
        "READ",
        "SHOWN",
    }
    # FULL and FAR refuse without an acknowledgement: to the sender it is a loss.
    assert set(Verdict) == {Verdict.NEW, Verdict.REPEAT, Verdict.CONFLICT, Verdict.FULL, Verdict.FAR}
    assert frozenset({"unknown-epoch", "unknown-prekey", "too-far"}) == ASKABLE
    reasons = set()
    for state in (PathState.DOWN, PathState.ATTACHED, PathState.UP, PathState.SUSPECT):
        reasons |= {what for what in PathInput if (state, what) in TRANSITIONS}
    assert reasons == set(PathInput)


@pytest.mark.parametrize("state", PathState)
def test_the_model_sends_over_what_the_product_calls_open(state: PathState) -> None:
    """11.2: a lamp would gate sending here or there, and the models would prove something of another product."""
    (relay,) = Delivery(Bounds("x")).send((Relay(state, True),), Stmt(1, 0, 0, 0))
    assert bool(relay.hold) == (state is not PathState.DOWN)


def test_the_model_shows_what_the_inbox_shows() -> None:
    """Order within a precedence is decided twice, here and there: every order of arrival must give the same."""
    model = Delivery(Bounds("x"))
    statements = [Stmt(1, 0, 0, 0), Stmt(2, 1, 0, 1), Stmt(3, 0, 1, 2), Stmt(4, 1, 2, 3)]

    def arrivals(left: list[Stmt]) -> Iterator[list[Stmt]]:
        yield []
        for one in left:
            for rest in arrivals([other for other in left if other != one]):
                yield [one, *rest]

    for order in arrivals(statements):
        receiver, inbox, shown = Receiver(frozenset(), (), frozenset()), Inbox(0, lambda serial: None), []
        for stmt in order:
            receiver, _ = model.receive(receiver, stmt)
            shown += inbox.accept(stmt.serial, Ahead(stmt.lane, stmt.previous, repr(stmt).encode(), shown=False))
            assert (receiver.shown, receiver.through()) == (tuple(shown), inbox.through), order


PLAYED = (0, 2, 3, 5, 6, 8, 9, 12, 14, 16, 17, 24)
"""Runs that the real machines can play to the end. Together they take every action of the model."""


@pytest.mark.parametrize("seed", PLAYED)
def test_a_run_of_the_model_is_a_run_of_the_machines(seed: int) -> None:
    """The models would be right, and the product would do something else."""
    differences = [(action, difference) for action, difference in replay(run(seed), ROAMING, seed) if difference]
    assert differences == []


def test_a_run_is_the_same_in_every_process() -> None:
    """A run that failed once could not be found again. (Sets have another order in each process.)"""
    script = (
        "from tests.model.library import run, run_of_keys as keys\nprint([a for r in (run, keys) for a, _ in r(1)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert said.pop().count(b"(") > 70


def test_the_runs_take_every_action() -> None:
    """What is never taken is never compared."""
    taken = {action[0] for seed in PLAYED for action, _ in run(seed)}
    known = {"submit", "send", "deliver", "hear", "beat", "believe"}
    assert taken == known | Delivery.faults - {"silent"}  # lamps are left out: they gate nothing (11.2)


PLAYED_KEYS = range(12)


@pytest.mark.parametrize("seed", PLAYED_KEYS)
def test_a_run_of_keys_is_a_run_of_the_sessions(seed: int) -> None:
    """The model of keys would be right, and sessions would seal, open and ask otherwise."""
    differences = [(action, difference) for action, difference in replay_keys(run_of_keys(seed), ROAMING_KEYS)]
    assert [one for one in differences if one[1]] == []


def test_the_runs_of_keys_take_every_action_and_meet_every_reason() -> None:
    """What never happens is never compared."""
    taken, reasons = set(), set()
    for seed in PLAYED_KEYS:
        before = keys.Keys(ROAMING_KEYS).begin()
        for action, state in run_of_keys(seed):
            taken.add(action[0])
            if action[0] in ("deliver", "again"):
                reasons.add(keys.Keys(ROAMING_KEYS).reason(before.bravo, action[1]))
            before = state
    known = {"seal", "repeat", "reseal", "deliver", "hear", "beat", "believe", "obey"}
    assert taken == known | keys.Keys.faults
    assert reasons == {"", "used", "unknown-epoch", "unknown-prekey"}


def _any_epoch(self: Session, epoch_tag: int) -> None:
    for epoch in self._sending.values():
        epoch.acknowledged = True


def _forgets_openers(self: Session, *_: object) -> None:
    return None


@pytest.mark.parametrize(
    ("method", "mutant"),
    [("acknowledge_epoch", _any_epoch), ("_reopen", _forgets_openers)],
    ids=["any word acknowledges", "openers are forgotten"],
)
def test_a_session_that_does_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch, method: str, mutant: Any) -> None:
    """Comparing could be blind."""
    monkeypatch.setattr(Session, method, mutant)
    assert any(difference for seed in PLAYED_KEYS for _, difference in replay_keys(run_of_keys(seed), ROAMING_KEYS))


PLAYED_TAKEOVERS = (0, 5, 12)


@pytest.mark.parametrize("seed", PLAYED_TAKEOVERS)
def test_a_run_of_takeovers_is_a_run_of_the_terminals(seed: int) -> None:
    """The model of takeovers would be right, and terminals would hear, tell and say otherwise."""
    assert [one for one in replay_takeover(run_of_takeover(seed)) if one[1]] == []


def test_the_runs_of_takeovers_take_every_action() -> None:
    """What is never taken is never compared."""
    taken = {action[0] for seed in PLAYED_TAKEOVERS for action, _ in run_of_takeover(seed)}
    happens = {"start", "send", "tell", "meet", "beat", "deliver", "delivered", "conflict", "settled"}
    assert taken == Takeover.faults | happens


def way_to(name: str) -> Iterator[tuple[Action, State]]:
    """The way to a planted error, as far as the model goes it that has none."""
    rules = Takeover(takeover.Bounds(name, words=2, takeovers=2, crashes=1))
    state = rules.begin()
    for action in explored(name).trace:
        following = dict(rules.steps(state)).get(action)
        if following is None:
            return
        state = following
        yield action, state


PITFALLS = ("a sibling's late words are renumbered", "the peer's conflict drops without a word")


@pytest.mark.parametrize("name", PITFALLS)
def test_terminals_do_not_fall_where_the_model_could(name: str) -> None:
    """The way to an error is seldom walked by chance (docs/protocol.md 23.6, 23.8)."""
    played = list(replay_takeover(way_to(name)))
    assert [one for one in played if one[1]] == []
    assert len(played) > 8


@pytest.mark.parametrize(
    ("method", "walk"),
    [
        ("_too_late", lambda: run_of_takeover(0)),
        ("_not_said", lambda: way_to(PITFALLS[1])),
        ("judged", lambda: way_to(PITFALLS[0])),
    ],
)
def test_terminals_that_do_otherwise_are_noticed(
    monkeypatch: pytest.MonkeyPatch, method: str, walk: Callable[[], Iterator[tuple[Action, State]]]
) -> None:
    """Comparing could be blind."""
    monkeypatch.setattr(Mirror, method, lambda *_: False)
    assert any(difference for _, difference in replay_takeover(walk()))


def _never_offers(self: Again, plane: Any, after: int, now: Any) -> None:
    return None


def _shows_at_once(self: Inbox, serial: int, ahead: Ahead) -> list[int]:
    shown = _accept(self, serial, ahead)
    item = self.ahead.get(serial)
    if item is not None and not item.shown:
        item.shown = True
        shown.append(serial)
    return shown


_accept = Inbox.accept


@pytest.mark.parametrize(
    ("where", "method", "mutant"),
    [(Again, "offer", _never_offers), (Inbox, "accept", _shows_at_once)],
    ids=["offers nothing again", "shows at once"],
)
def test_a_machine_that_does_otherwise_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: type, method: str, mutant: Any
) -> None:
    """Comparing could be blind."""
    monkeypatch.setattr(where, method, mutant)
    assert any(_differs(seed) for seed in range(60))


def _differs(seed: int) -> bool:
    try:
        return any(difference for _, difference in replay(run(seed), ROAMING, seed))
    except Unreplayable:
        return False
