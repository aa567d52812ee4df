"""Two terminals whose prekeys rotate every few minutes, so that a test can wait for it."""

from __future__ import annotations

from dataclasses import replace

from hotline.charter.profiles import PROFILES
from hotline.machine import Plane
from tests.hotline.protocol.pair import Pair, Party

ROTATION = 200_000
CALM = replace(
    PROFILES["fibre"],
    heartbeat_ms=10_000,
    silent_floor_ms=30_000,
    silent_ceiling_ms=60_000,
    prekey_rotation_ms=ROTATION,
)


def calm_pair(seed: int = 1) -> Pair:
    """ALPHA and BRAVO, acquainted, over one relay."""
    pair = Pair(seed, relays=1)
    pair.paths = tuple(replace(path, profile=CALM) for path in pair.paths)
    for party in (pair.alpha, pair.bravo):
        party.prepare()
    return pair.open(25_000)


def converse(pair: Pair, text: str) -> None:
    """Each says something on each plane, and opens what the other said."""
    for party in (pair.alpha, pair.bravo):
        for plane in Plane:
            serial = int(str(party.submit(f"{text} of {party.name}, {plane}", plane=plane).fields["serial"]))
            pair.run(1_000)
            assert party.states(serial, plane)[-1] == "delivered"
            assert party.peer.read(serial, plane).ok
            pair.run(1_000)


def carried(pair: Pair, sender: Party) -> list[bytes]:
    """Every envelope of one terminal that the relay has seen."""
    return [envelope for name, _, envelope in pair.sent if name == sender.name]


def bodies(party: Party) -> list[bytes]:
    """What its prekeys say in public."""
    return [row["content"] for row in party.memory.tables["prekey"].values()]  # type: ignore[misc]
