"""Delivery over relays that keep everything: far fewer states, for worlds too large to be explored as they are.

Safety. A relay may bring a statement at any moment, again, or never. So it may as well have at once what is pending,
and keep all that it ever had: a run of the model is one of this world, in which the rest does not arrive.

Liveness. From the disks of each state, with what BRAVO has answered and no statement under way, a fair run must pay
what is owed. With more under way the same run is open: the rest does not arrive.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final

from tests.model.delivery import EXPIRIES, RESTORES_A, RESTORES_B, Delivery, State
from tests.model.explorer import Action

_NOTHING_NEW: Final = ("send", "deliver", "lose")
"""What is sent is there already; what is delivered stays, as by `again`; what is lost need not arrive."""
_FIRST: Final = ("hear", "deliver", "send", "believe", "beat")
"""The fair run that is tried takes the first of these that is open. One is enough; if it pays, `it can` is proven."""


class Kept:
    """The world of `model`, and its promises."""

    faults: frozenset[str] = frozenset()

    def __init__(self, model: Delivery) -> None:
        self.model = model
        self.name = model.name
        self._pays: dict[State, bool] = {}

    def begin(self) -> State:
        return self._sent(self.model.begin())

    def steps(self, state: State) -> Iterator[tuple[Action, State]]:
        for action, after in self.model.steps(state):
            if action[0] in _NOTHING_NEW:
                continue
            relays = after.relays
            if action[0] == "wipe":  # answers are gone
                pairs = zip(relays, state.relays, strict=True)
                relays = tuple(one._replace(hold=before.hold) for one, before in pairs)
            yield action, self._sent(after._replace(relays=relays))

    def same(self, state: State) -> Hashable:
        return self.model.same(state)

    def broken(self, state: State) -> str:
        return self.model.broken(state)

    def hopeful(self, state: State) -> bool:
        """Whether something is owed that is not paid: what explore() then finds has no way out."""
        return self.model.hopeful(state) and not self.pays(state)

    def done(self, state: State) -> bool:
        return False

    def _sent(self, state: State) -> State:
        relays = state.relays
        for item in state.sender.pending:
            relays = self.model.send(relays, item.stmt)
        return state._replace(relays=relays)

    # --- liveness ----------------------------------------------------------------------------------------------------

    def pays(self, state: State) -> bool:
        """Whether one fair run from these disks, with no statement under way, pays everything."""
        bare = self._bare(state)
        if bare not in self._pays:
            self._pays[bare] = self._run(bare)
        return self._pays[bare]

    def _bare(self, state: State) -> State:
        """What a fair run begins with, and nothing else in which two states may differ."""
        relays = tuple(relay._replace(hold=frozenset()) for relay in state.relays)
        budget = [0 if what in (RESTORES_A, RESTORES_B, EXPIRIES) else left for what, left in enumerate(state.budget)]
        none: frozenset[int] = frozenset()
        said = len(self.model.bounds.lanes)
        return state._replace(
            relays=relays, beat=None, said=said, accepted=none, forgotten=none, ever=frozenset(), copies=(None, None),
            budget=tuple(budget),
        )  # fmt: skip

    def _run(self, state: State) -> bool:
        seen = set[State]()
        while not self.model.done(state):
            fair = [step for step in self.model.steps(state) if step[0][0] not in self.model.faults]
            if state in seen or not fair:
                return False
            seen.add(state)
            state = min(fair, key=lambda step: _FIRST.index(step[0][0]) if step[0][0] in _FIRST else len(_FIRST))[1]
        return True
