"""Ed25519 over unambiguous bytes, signed and verified by libsodium only (docs/protocol.md 7.1).

Libraries disagree on malformed keys and signatures (165 of 914 published edge cases); what may become evidence needs
one fixed, strict verifier. Small-order keys are refused: with one, an all-zero signature fits every message.
"""

from __future__ import annotations

from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from hotline.errors import Untrusted

SIGNATURE_SIZE: Final = 64
PUBLIC_KEY_SIZE: Final = 32


def pae(label: str, *parts: bytes) -> bytes:
    """Pre-authentication encoding: label and parts with their lengths, so that no two inputs give the same bytes."""
    pieces = [b"HLv1"]
    for part in (label.encode("ascii"), *parts):
        pieces.append(b" %d " % len(part))
        pieces.append(part)
    return b"".join(pieces)


class SigningKey:
    """An Ed25519 private key. Its representation never shows it."""

    __slots__ = ("_secret", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        self.public, self._secret = crypto_sign_seed_keypair(seed)
        self.seed = seed

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed."""
        return cls(seed)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.hex()[:16]})"

    def sign(self, label: str, *parts: bytes) -> bytes:
        """64 bytes over `pae(label, *parts)`."""
        return self.sign_raw(pae(label, *parts))

    def sign_raw(self, message: bytes) -> bytes:
        """64 bytes over `message` as it is; only for formats that have their own domain separation."""
        return crypto_sign(message, self._secret)[:SIGNATURE_SIZE]


def verify(public: bytes, signature: bytes, label: str, *parts: bytes) -> None:
    """Raises Untrusted unless `signature` is `public`'s over `pae(label, *parts)`."""
    verify_raw(public, signature, pae(label, *parts))


def verify_raw(public: bytes, signature: bytes, message: bytes) -> None:
    """Raises Untrusted unless `signature` is `public`'s over `message`."""
    if len(signature) != SIGNATURE_SIZE or len(public) != PUBLIC_KEY_SIZE:
        raise Untrusted("signature", "wrong length")
    try:
        crypto_sign_open(signature + message, public)
    except (CryptoError, ValueError) as error:
        raise Untrusted("signature", "does not hold") from error


def check_public_key(public: bytes) -> None:
    """Raises Untrusted unless `public` is a canonical point of the prime-order subgroup."""
    if len(public) != PUBLIC_KEY_SIZE or not crypto_core_ed25519_is_valid_point(public):
        raise Untrusted("weak-key", "not a valid Ed25519 public key")
