"""The pairwise secret: a share from each party, carried by courier, mixed into every epoch (docs/protocol.md 5.3)."""

from __future__ import annotations

import hashlib
import re

from hotline.crypto.derivation import hkdf
from hotline.crypto.signing import pae
from hotline.errors import KeyFileError
from hotline.safetext import safe_line

SHARE_SIZE = 32


def derive_pairwise(shares: dict[str, bytes], identities: dict[str, bytes]) -> bytes:
    """32 bytes from the shares of both parties, the same whoever computes it. Raises KeyFileError."""
    if set(shares) != set(identities) or any(len(share) != SHARE_SIZE for share in shares.values()):
        raise KeyFileError(f"one share of {SHARE_SIZE} bytes from each of {', '.join(sorted(identities))} is needed")
    parties = sorted(shares)
    if len({shares[party] for party in parties}) != len(parties):
        raise KeyFileError("both shares are the same: one party's file was copied; bring each party's own")
    named = [part for party in parties for part in (party.encode(), hashlib.sha256(identities[party]).digest())]
    return hkdf(b"", b"".join(shares[party] for party in parties), pae("hotline/v1/pairwise", *named), 32)


def pair_of(one: str, other: str) -> tuple[str, str]:
    """Two parties as a charter names a pair: the lesser name first."""
    return min(one, other), max(one, other)


def spell_pair(one: str, other: str, value: str) -> str:
    """A line of a file of secrets or check values: `ALPHA/BRAVO <hex>`."""
    return f"{'/'.join(pair_of(one, other))} {value}\n"


def read_pairs(text: str) -> dict[tuple[str, str], str]:
    """Hex value of each pair in such a file. Raises KeyFileError."""
    found: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        names, _, value = line.partition(" ")
        first, _, second = names.partition("/")
        if not (first < second and re.fullmatch("[0-9a-f]{64}", value)) or (first, second) in found:
            raise KeyFileError(
                f"{safe_line(names, 70)!r}: not a pair and its value; make it with `hotline charter pairwise`"
            )
        found[first, second] = value
    return found


def check_value(secret: bytes) -> str:
    """A one-way value of the secret: says whether two parties hold the same, and nothing else."""
    return hashlib.sha256(pae("hotline/v1/pairwise-check", secret)).hexdigest()
