"""Timers and windows that fit a kind of link. Fast timers destroy slow links, so each relay names its profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """How a path is driven. Times in milliseconds, sizes in bytes."""

    name: str
    heartbeat_ms: int
    silent_floor_ms: int
    silent_ceiling_ms: int
    retransmit_ms: int
    retransmit_max_ms: int
    prekey_rotation_ms: int
    checkpoint_ms: int
    window_messages: int
    window_bytes: int


PROFILES: Final[Mapping[str, Profile]] = {
    "fibre": Profile("fibre", 500, 1_250, 2_000, 1_000, 10_000, 600_000, 10_000, 64, 262_144),
    "satellite": Profile("satellite", 1_000, 14_000, 15_000, 3_000, 30_000, 600_000, 20_000, 64, 65_536),
    "narrow": Profile("narrow", 10_000, 25_000, 60_000, 30_000, 300_000, 86_400_000, 600_000, 8, 4_096),
}
"""Fibre: up to 50 ms round trip. Satellite: 600 ms and 10 % loss. Narrow: 2,400 bit/s."""
