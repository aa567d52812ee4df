"""The sizes in which the models are explored: what every test run affords, and what takes minutes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from tests.model import delivery, keys, takeover
from tests.model.explorer import Action, Model, State, walk
from tests.model.kept import Kept

USUAL: list[Model] = [
    delivery.Delivery(delivery.Bounds("two texts, a cut, a loss", relays=1, cuts=1, losses=1)),
    delivery.Delivery(delivery.Bounds("two relays, a path lost", closings=1)),
    delivery.Delivery(delivery.Bounds("two precedences, an expiry", lanes=(0, 1), relays=1, expiries=1)),
    delivery.Delivery(delivery.Bounds("ALPHA from an old copy", relays=1, restores_a=1)),
    delivery.Delivery(delivery.Bounds("BRAVO from an old copy", relays=1, restores_b=1)),
    delivery.Delivery(delivery.Bounds("BRAVO restored, an expiry", lanes=(0,), relays=1, restores_b=1, expiries=1)),
    delivery.Delivery(delivery.Bounds("one text, both restored", lanes=(0,), relays=1, restores_a=1, restores_b=1)),
    Kept(delivery.Delivery(delivery.Bounds("a serial given out twice", relays=1, twice=True))),
    keys.Keys(keys.Bounds("keys: a rotation")),
    keys.Keys(keys.Bounds("keys: rotation, ALPHA restarts", in_flight=1, restarts_a=1)),
    keys.Keys(keys.Bounds("keys: BRAVO restarts", in_flight=1, rotations=0, restarts_b=1)),
    keys.Keys(keys.Bounds("keys: ALPHA from an old copy", in_flight=1, rotations=0, restores_a=1)),
    keys.Keys(keys.Bounds("keys: BRAVO from an old copy", in_flight=1, rotations=0, restores_b=1)),
    takeover.Takeover(takeover.Bounds("takeover: one text")),
    takeover.Takeover(takeover.Bounds("takeover: terms, a crash", words=0, takeovers=3, crashes=1, again=True)),
]

_DISKS: list[delivery.Bounds] = [
    delivery.Bounds("one text, two relays, everything", lanes=(0,), cuts=1, losses=1, expiries=1, closings=1),
    delivery.Bounds("two relays, a cut, a path lost", cuts=1, closings=1),
    delivery.Bounds("three texts, a loss", lanes=(0, 0, 1), relays=1, losses=1),
    delivery.Bounds("two relays, custody, a loss", losses=1, custody=True),
    delivery.Bounds("one text, lamps", lanes=(0,), closings=2, lamps=True),
    delivery.Bounds("both from old copies", relays=1, restores_a=1, restores_b=1),
    delivery.Bounds("said twice, two relays", twice=True),
    delivery.Bounds("said twice, an expiry", relays=1, twice=True, expiries=1),
    delivery.Bounds("one text, both restored, two relays", lanes=(0,), restores_a=1, restores_b=1),
    delivery.Bounds("one text, each restored twice", lanes=(0,), relays=1, restores_a=2, restores_b=2),
    delivery.Bounds("ALPHA restored, a cut", relays=1, restores_a=1, cuts=1),
    delivery.Bounds("ALPHA restored twice", relays=1, restores_a=2),
    delivery.Bounds("one text, ALPHA restored, an expiry", lanes=(0,), relays=1, restores_a=1, expiries=1),
    delivery.Bounds("BRAVO restored, an expiry, a loss", lanes=(0,), relays=1, restores_b=1, expiries=1, losses=1),
    delivery.Bounds("BRAVO restored, two relays", restores_b=1),
    delivery.Bounds("ALPHA restored, an expiry", relays=1, restores_a=1, expiries=1),
]

LARGE: list[Model] = [
    *(Kept(delivery.Delivery(bounds)) for bounds in _DISKS),
    keys.Keys(keys.Bounds("keys: two texts, a rotation", statements=2, in_flight=1)),
    keys.Keys(keys.Bounds("keys: two texts, ALPHA restored", statements=2, in_flight=1, rotations=0, restores_a=1)),
    keys.Keys(keys.Bounds("keys: two in flight, ALPHA restarts", restarts_a=1)),
    keys.Keys(keys.Bounds("keys: two in flight, BRAVO restarts", restarts_b=1)),
    keys.Keys(keys.Bounds("keys: rotation, BRAVO restored", in_flight=1, restores_b=1)),
    keys.Keys(keys.Bounds("keys: BRAVO restored, clock lies", in_flight=1, restores_b=1, clock_lies=True)),
    keys.Keys(keys.Bounds("keys: both restored", in_flight=1, rotations=0, restores_a=1, restores_b=1)),
    takeover.Takeover(takeover.Bounds("takeover: one text, a crash", crashes=1)),
    takeover.Takeover(takeover.Bounds("takeover: one text, twice", takeovers=2)),
    takeover.Takeover(takeover.Bounds("takeover: two texts", words=2)),
    takeover.Takeover(takeover.Bounds("takeover: two texts, a crash", words=2, crashes=1)),
]

SLOW = {
    "expired is the last word",
    "a key request brings only a prekey",
    "generations only rise",
    "a prekey is its generation",
    "the peer's conflict is ignored",
    "what is pending ends with a takeover",
    "nobody is told what was settled",
    "what is lost behind another stays lost",
    "what the peer named before is forgotten",
    "what a relay held back is the last word",
}
"""Planted errors that take seconds to find, or more states than the plain model has room for."""

ROAMING = delivery.Bounds(
    "runs",
    lanes=(0, 0, 1),
    cuts=1,
    losses=1,
    restores_a=1,
    restores_b=1,
    expiries=1,
    closings=1,
    custody=True,
)
"""The world of the runs that are played on the real machines; too large to be explored whole."""

ROAMING_KEYS = keys.Bounds(
    "runs of keys",
    statements=4,
    in_flight=4,
    rotations=3,
    restarts_a=1,
    restarts_b=1,
    restores_a=1,
    restores_b=1,
)
"""The same for keys."""

ROAMING_TAKEOVER = takeover.Bounds("runs of takeovers", words=3, takeovers=2, crashes=1, again=True)
"""The same for takeovers."""

_WEIGHTS = {
    "submit": 3.0,
    "send": 3.0,
    "deliver": 4.0,
    "hear": 4.0,
    "beat": 2.0,
    "believe": 3.0,
    "expire": 0.5,
    "restore": 0.6,
    "again": 0.5,
    "cut-submit": 0.5,
    "cut-deliver": 0.5,
}
"""How often an action is taken where several can be; the rest seldom."""

_WEIGHTS_OF_KEYS = {
    "seal": 1.0,
    "deliver": 1.0,
    "hear": 0.1,
    "beat": 1.0,
    "believe": 1.0,
    "obey": 3.0,
    "rotate": 1.0,
    "destroy": 4.0,
    "restore": 1.0,
}


def _choose(seed: int, weights: Mapping[str, float]) -> Callable[[list[tuple[Action, State]]], tuple[Action, State]]:
    rng = random.Random(seed)
    return lambda steps: rng.choices(steps, [weights.get(action[0], 0.3) for action, _ in steps])[0]


def run(seed: int, length: int = 22) -> Iterator[tuple[Action, State]]:
    """One run of the roaming model of delivery, the same for the same seed."""
    return walk(delivery.Delivery(ROAMING), _choose(seed, _WEIGHTS), length)


def run_of_keys(seed: int, length: int = 60) -> Iterator[tuple[Action, State]]:
    """The same for keys."""
    return walk(keys.Keys(ROAMING_KEYS), _choose(seed, _WEIGHTS_OF_KEYS), length)


_WEIGHTS_OF_TAKEOVER = {"submit": 0.5, "takeover": 0.3, "crash": 0.2, "send": 2.0, "deliver": 1.5, "tell": 1.0}


def run_of_takeover(seed: int, length: int = 30) -> Iterator[tuple[Action, State]]:
    """The same for takeovers."""
    return walk(takeover.Takeover(ROAMING_TAKEOVER), _choose(seed, _WEIGHTS_OF_TAKEOVER), length)
