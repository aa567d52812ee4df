"""Explicit-state model checking: every state that a small model can reach, invariants, states without a way out.

A model says where it begins, what can happen next, what must never be (invariants) and where it must be able to get
(the goal). Safety: no reachable state breaks an invariant. Liveness: from every reachable state that `hopeful` admits,
some run of fair actions alone, which is one without further faults, reaches the goal. Finding that from each state is
enough for "it will" under strong fairness: a fair run cannot for ever avoid a goal that stays reachable.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

Action = tuple[Any, ...]
"""Its name first, then what it happens to."""
State = Any
"""A NamedTuple of hashable values."""


class Model(Protocol):
    """A small machine under every weather."""

    name: str
    faults: frozenset[str]
    """Names of actions that a fair run need not take."""

    def begin(self) -> State:
        """The first state."""

    def steps(self, state: State) -> Iterable[tuple[Action, State]]:
        """Everything that can happen next."""

    def same(self, state: State) -> Hashable:
        """One representative of all states that differ only in what does not matter."""

    def broken(self, state: State) -> str:
        """Which promise this state breaks, in words; empty if none."""

    def hopeful(self, state: State) -> bool:
        """Whether the goal is owed from here without another favour of the world."""

    def done(self, state: State) -> bool:
        """The goal: everything owed has been paid."""


@dataclass
class Result:
    """What exploring a model found."""

    name: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    complete: bool = True
    """Whether every reachable state was seen."""
    wrong: str = ""
    trace: list[Action] = field(default_factory=list)
    """The shortest way to what is wrong."""

    def line(self) -> str:
        """One line for people."""
        verdict = self.wrong or ("holds" if self.complete else "holds as far as it was explored")
        counts = f"{self.states:>9} states {self.transitions:>9} transitions  depth {self.depth:>3}"
        return f"{self.name:<34}{counts} {self.seconds:>7.1f} s  {verdict}"


class _Graph:
    """States by number, how each was reached first, and who can step to it by a fair action."""

    def __init__(self, first: State, key: Hashable) -> None:
        self.numbers: dict[Hashable, int] = {key: 0}
        self.states: list[State] = [first]
        self.parents = array("l", [-1])
        self.actions: list[Action] = [()]
        self.fair_from = array("l")
        self.fair_to = array("l")

    def trace(self, number: int) -> list[Action]:
        actions = []
        while number > 0:
            actions.append(self.actions[number])
            number = self.parents[number]
        return actions[::-1]


def explore(model: Model, limit: int = 5_000_000) -> Result:
    """Breadth first through at most `limit` states; stops at the first broken invariant."""
    started, result = time.perf_counter(), Result(model.name)
    first = model.begin()
    graph = _Graph(first, model.same(first))
    ring, depth = [0], 0
    while ring and not result.wrong:
        following: list[int] = []
        for number in ring:
            if not _expand(model, graph, number, following, result):
                break
            if len(graph.states) > limit:
                result.complete = False
                break
        ring = following if result.complete else []
        depth += 1
    result.states, result.depth = len(graph.states), depth
    if result.complete and not result.wrong:
        _stuck(model, graph, result)
    result.seconds = time.perf_counter() - started
    return result


def _expand(model: Model, graph: _Graph, number: int, following: list[int], result: Result) -> bool:
    """Take every step out of one state. False once a promise is broken."""
    for action, state in model.steps(graph.states[number]):
        result.transitions += 1
        key = model.same(state)
        known = graph.numbers.get(key)
        if known is None:
            known = graph.numbers[key] = len(graph.states)
            graph.states.append(state)
            graph.parents.append(number)
            graph.actions.append(action)
            following.append(known)
            result.wrong = model.broken(state)
            if result.wrong:
                result.trace = graph.trace(known)
                return False
        if action[0] not in model.faults:
            graph.fair_from.append(number)
            graph.fair_to.append(known)
    return True


def _stuck(model: Model, graph: _Graph, result: Result) -> None:
    """Walk back from the goal over fair steps: what is not met is stuck."""
    before: dict[int, list[int]] = {}
    for start, end in zip(graph.fair_from, graph.fair_to, strict=True):
        before.setdefault(end, []).append(start)
    saved = [number for number, state in enumerate(graph.states) if model.done(state)]
    reached = set(saved)
    while saved:
        for number in before.get(saved.pop(), ()):
            if number not in reached:
                reached.add(number)
                saved.append(number)
    for number, state in enumerate(graph.states):
        if number not in reached and model.hopeful(state):
            result.wrong = "stuck: what is owed can never be paid"
            result.trace = graph.trace(number)
            return


def walk(model: Model, choose: Any, length: int) -> Iterator[tuple[Action, State]]:
    """One run: `choose` picks from the steps of each state."""
    state = model.begin()
    for _ in range(length):
        steps = list(model.steps(state))
        if not steps:
            return
        action, state = choose(steps)
        yield action, state
