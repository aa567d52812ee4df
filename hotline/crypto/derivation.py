"""HKDF-SHA256 and the name of the suite: what rooms need that must not be able to seal or open anything."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SUITE: Final = "HL1_XWING_CHACHA20POLY1305_SHA256_ED25519"
"""The one suite; it is named in the charter and bound into every key."""


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(ikm)
