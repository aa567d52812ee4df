"""The pairwise secret: a share from each party, carried by courier, mixed into every epoch (docs/protocol.md 5.3)."""

from __future__ import annotations

import hashlib

from hotline.crypto.derivation import hkdf
from hotline.crypto.signing import pae
from hotline.errors import KeyFileError

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


def check_value(secret: bytes) -> str:
    """A one-way value of the secret: says whether two parties hold the same, and nothing else."""
    return hashlib.sha256(pae("hotline/v1/pairwise-check", secret)).hexdigest()
