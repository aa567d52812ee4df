"""Keys as people compare them: digits first, which are the same in Urdu, Hindi and English, and beat hexadecimal."""

from __future__ import annotations

import hashlib
from typing import Final

from hotline.crypto.signing import pae
from hotline.crypto.words import EVEN, ODD

_GROUPS: Final = 12
_WORDS: Final = 16


def fingerprint(kind: str, public: bytes) -> bytes:
    """32 bytes that stand for a public key of this kind."""
    return hashlib.sha256(pae("hotline/v1/fingerprint", kind.encode(), public)).digest()


def digits(name: bytes) -> str:
    """Twelve groups of five decimal digits: 12 x 40 bits of SHA-512, each modulo 100000 (199 bits in all)."""
    stretched = hashlib.sha512(pae("hotline/v1/fingerprint-digits", name)).digest()
    groups = (int.from_bytes(stretched[5 * index : 5 * index + 5], "big") % 100_000 for index in range(_GROUPS))
    return " ".join(f"{group:05d}" for group in groups)


def words(value: bytes) -> list[str]:
    """The first 16 bytes as words of the PGP word list: 128 bits, to be read out in English over a poor line."""
    return [(ODD if index % 2 else EVEN)[byte] for index, byte in enumerate(value[:_WORDS])]


def joint_safety_number(first: bytes, second: bytes) -> str:
    """One number of two fingerprints, the same whichever side reads it out."""
    low, high = sorted((first, second))
    return digits(hashlib.sha256(pae("hotline/v1/joint-safety-number", low, high)).digest())


def qr_text(kind: str, name: str, value: bytes) -> str:
    """What a QR code of a fingerprint says."""
    return f"HOTLINE-FP:1:{kind}:{name}:{value.hex()}"


def short(value: bytes) -> str:
    """The first sixteen hexadecimal digits, for logs; never for comparing keys."""
    return value.hex()[:16]
