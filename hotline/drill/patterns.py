"""Streams between terminals and relays by name: PARTY/RELAY, with an asterisk for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PARTIES: Final = ("ALPHA", "BRAVO")
CAPITALS: Final = (*PARTIES, "CHARLIE")
"""Those of a drill with three parties."""


def expand(patterns: Sequence[str], relays: Sequence[str], parties: Sequence[str] = PARTIES) -> list[str]:
    """The links that `patterns` mean among `relays`, sorted, each once."""
    found = set()
    for pattern in patterns:
        party, _, relay = pattern.partition("/")
        found |= {
            f"{one}/{other}"
            for one in (parties if party == "*" else (party,))
            for other in (relays if relay == "*" else (relay,))
        }
    return sorted(found)


def links_between(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """The links that have one end in each set; two terminals have none between them."""
    pairs = [(a, b) for a in one for b in other] + [(b, a) for a in one for b in other]
    return sorted({f"{a}/{b}" for a, b in pairs if a in CAPITALS and b.startswith("relay-")})
