"""The timers of a storm's charter, drawn from its seed; and how long a promise may take under any timers.

usual       those of hotline/charter/profiles.py
fast        down to the least that a charter may have
slow        two to twelve times slower
very-slow   up to a hundred and fifty times: beats of a narrow path are half an hour apart
mixed       each relay of any kind, each kind at a pace of its own
light       of light storms alone: on every kind of path a beat in some seconds, so that five minutes have few of them

Beside the pace of its kind each timer is drawn for itself, as far as docs/protocol.md 5.13 lets a charter have it. Slow
links have slow storms: as a rule everything in them is stretched by as much.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields, replace
from typing import Final

from hotline.charter.profiles import PROFILES, Profile
from hotline.limits import SUMMARY_INTERVAL, WITNESS_INTERVAL
from tests.simulator.weather import milliseconds

SHARES: Final = {"usual": 40, "fast": 4, "slow": 24, "very-slow": 22, "mixed": 10}
"""Kinds of timers, and in how many of a hundred storms."""
_PACES: Final = {"fast": (0.1, 0.7), "slow": (2.0, 12.0), "very-slow": (12.0, 150.0), "mixed": (0.4, 40.0)}
LIGHT: Final = "light"
_LIGHT_BEAT_MS: Final = (4_000, 10_000)
_LIGHT_CHECKPOINT: Final = 5
"""Heartbeats from one exchange of heads to the next, at most."""
LEAST: Final = 50
"""Of what a charter may have, in milliseconds; the most, 30 days, is not played for its hours of silence."""
_BEAT_MOST: Final = 1_800_000
_REPEAT_MOST: Final = 21_600_000
_CHECKPOINT_MOST: Final = 3_600_000
_ROTATION_MOST: Final = 30 * 86_400_000

_DIALLED_MS: Final = 5_000
"""After a storm every cable has been dialled again within this (RECONNECT_MAX)."""
_RECEIPT_AGAIN: Final = 90
"""Heartbeats: in every 64th a sibling names one whose receipt was lost (23.7)."""


@dataclass(frozen=True, slots=True)
class Timers:
    """What one charter has."""

    kind: str
    profiles: Mapping[str, Profile]
    kinds: tuple[str, ...] = ()
    """Which profile each relay has; empty: as its storm has it otherwise."""
    stretch: float = 1.0
    """So much longer the storm lasts, and all that lasts in it."""


USUAL: Final = Timers("usual", PROFILES)


def drawn(seed: int, relays: int) -> Timers:
    """The timers of a seed, apart from everything else that it draws."""
    rng = random.Random(f"timers {seed}")
    (kind,) = rng.choices(list(SHARES), list(SHARES.values()))
    if kind == "usual":
        return USUAL
    one = _spread(rng, *_PACES[kind])
    paces = {name: _spread(rng, *_PACES[kind]) if kind == "mixed" else one for name in PROFILES}
    profiles = _profiles(rng, paces)
    kinds = tuple(rng.choice(list(PROFILES)) for _ in range(relays)) if kind == "mixed" else ()
    pace = min((paces[name] for name in kinds), default=one)
    return Timers(kind, profiles, kinds, max(1.0, rng.choice((pace, pace, pace, pace**0.5, 1.0))))


def light(seed: int) -> Timers:
    """The timers of a light storm: few beats in five minutes, apart from everything else that the seed draws."""
    rng = random.Random(f"light timers {seed}")
    profiles = _profiles(
        rng, {kind: _spread(rng, *_LIGHT_BEAT_MS) / one.heartbeat_ms for kind, one in PROFILES.items()}
    )
    often = {
        name: replace(profile, checkpoint_ms=min(profile.checkpoint_ms, _LIGHT_CHECKPOINT * profile.heartbeat_ms))
        for name, profile in profiles.items()
    }
    return Timers(LIGHT, often)


_LASTING: Final = re.compile(r"(?<= for )\w+$")
_BUSY: Final = re.compile(r"(babble|full-disk|unsure-disk) |perjure \w+ (receipt|read|conflict|two-texts) ")
"""What does something again and again while it lasts, at a pace of its own."""


def stretched(command: str, by: float) -> str:
    """What it begins lasts longer by so much."""
    if _BUSY.match(command):
        return command
    return _LASTING.sub(lambda found: f"{int(milliseconds(found[0]) * by)}ms", command)


def _spread(rng: random.Random, least: float, most: float) -> float:
    """As often between 1 and 2 as between 10 and 20."""
    return float(least * (most / least) ** rng.random())


def _profiles(rng: random.Random, paces: Mapping[str, float]) -> dict[str, Profile]:
    """One of each kind; no prekey is gone before the silence of any path is noticed."""
    profiles = {name: _profile(rng, usual, paces[name]) for name, usual in PROFILES.items()}
    longest = max(profile.silent_ceiling_ms for profile in profiles.values())
    return {
        name: replace(profile, prekey_rotation_ms=max(profile.prekey_rotation_ms, longest))
        for name, profile in profiles.items()
    }


def _profile(rng: random.Random, usual: Profile, pace: float) -> Profile:
    def about(value: int, most: int) -> int:
        return int(min(max(value * pace * _spread(rng, 0.4, 2.5), LEAST), most))

    beat = int(min(max(usual.heartbeat_ms * pace * _spread(rng, 0.7, 1.4), LEAST), _BEAT_MOST))
    floor = max(beat + 1, rng.choice((0, about(usual.silent_floor_ms, 8 * _BEAT_MOST))))
    ceiling = max(floor, 2 * beat, rng.choice((0, about(usual.silent_ceiling_ms, 8 * _BEAT_MOST))))
    again = about(usual.retransmit_ms, _REPEAT_MOST)
    rotation = about(int(usual.prekey_rotation_ms * rng.choice((0.01, 0.1, 1.0))), _ROTATION_MOST)
    return Profile(
        usual.name,
        heartbeat_ms=beat,
        silent_floor_ms=floor,
        silent_ceiling_ms=ceiling,
        retransmit_ms=again,
        retransmit_max_ms=max(again, rng.choice((0, about(usual.retransmit_max_ms, _REPEAT_MOST)))),
        prekey_rotation_ms=rotation,
        checkpoint_ms=about(usual.checkpoint_ms, _CHECKPOINT_MOST),
        window_messages=rng.choice((1, 4, usual.window_messages, 1_000)),
        window_bytes=rng.choice((1, 2_048, usual.window_bytes, 2**30)),
    )


# --- in a scenario ----------------------------------------------------------------------------------------------------


def written(profiles: Mapping[str, Profile]) -> str:
    """Profiles in one word."""
    return ",".join("/".join(str(value) for value in astuple(profile)) for profile in profiles.values())


def read(word: str) -> dict[str, Profile]:
    """Back again."""
    found = {}
    for text in word.split(","):
        name, *numbers = text.split("/")
        names = [field.name for field in fields(Profile)][1:]
        found[name] = Profile(name, **dict(zip(names, map(int, numbers), strict=True)))
    return found


# --- how long a promise may take --------------------------------------------------------------------------------------


def paid_ms(profiles: Iterable[Profile], *, several: bool = False) -> int:
    """Within this after a storm everything is delivered or expired, and every path is up.

    A stream is dialled, beats are five times rarer until the peer answers and a few more pass; what was under way
    comes again at the latest after the longest pause between two attempts, and once more if its receipt was lost.
    """
    slowest = list(profiles)
    beat = max(one.heartbeat_ms for one in slowest)
    again = max(one.retransmit_ms for one in slowest) + max(one.retransmit_max_ms for one in slowest)
    return max(_DIALLED_MS + 8 * beat + 2 * again, _RECEIPT_AGAIN * beat if several else 0)


def recovery_ms(profiles: Iterable[Profile]) -> int:
    """Within this after new streams relays hold nothing."""
    return max(180_000, 6 * max(one.heartbeat_ms for one in profiles))


def told_ms(profiles: Iterable[Profile], *, several: bool = False) -> int:
    """What a side says in every beat the other has after this; siblings ask in one of eight, or of 64 (23.7)."""
    return (_RECEIPT_AGAIN if several else 3) * max(one.heartbeat_ms for one in profiles)


def exchange_ms(profiles: Iterable[Profile]) -> int:
    """How far apart two exchanges of heads are on the path that has them most often."""
    return min(one.checkpoint_ms + one.heartbeat_ms for one in profiles)


def linked_ms(profiles: Iterable[Profile]) -> int:
    """Within this a head is given out, shown with its proof, and shown anew if the proof was for another moment."""
    return WITNESS_INTERVAL + 3 * exchange_ms(profiles)


def unlinked(profiles: Iterable[Profile]) -> int:
    """Entries of the peer's ledger that may wait for the next exchange: a hundred, and what minutes bring."""
    return 100 + 10 * (exchange_ms(profiles) // SUMMARY_INTERVAL)


def every_ms(profiles: Iterable[Profile]) -> int:
    """How often judges look: each second; ten times between two beats of slow timers, once between two of fast ones."""
    quickest = min(one.heartbeat_ms for one in profiles)
    return max(quickest // 10, 1_000) if quickest >= PROFILES["fibre"].heartbeat_ms else max(quickest, 100)
