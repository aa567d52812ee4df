"""The identity key of a party: composite ML-DSA-65 and Ed25519 (draft-ietf-lamps-pq-composite-sigs).

`id-MLDSA65-Ed25519-SHA512`: both halves sign one message representative and both must hold, so that neither a broken
lattice nor a quantum computer alone forges a charter. The Ed25519 half is verified by libsodium.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from hotline.crypto.signing import SigningKey, check_public_key, verify_raw
from hotline.errors import Untrusted
from hotline.machine import Entropy

MLDSA_PUBLIC_SIZE: Final = 1952
MLDSA_SIGNATURE_SIZE: Final = 3309
PUBLIC_SIZE: Final = MLDSA_PUBLIC_SIZE + 32
SIGNATURE_SIZE: Final = MLDSA_SIGNATURE_SIZE + 64
SEED_SIZE: Final = 64
_PREFIX: Final = b"CompositeAlgorithmSignatures2025"
_LABEL: Final = b"COMPSIG-MLDSA65-Ed25519-SHA512"


def _representative(message: bytes, context: bytes) -> bytes:
    """M' = Prefix || Label || len(ctx) || ctx || SHA-512(M)."""
    if len(context) > 255:
        raise ValueError("a signature context has at most 255 bytes")
    return _PREFIX + _LABEL + bytes((len(context),)) + context + hashlib.sha512(message).digest()


class IdentityKey:
    """A party's private identity key. Its representation never shows it."""

    __slots__ = ("_ed25519", "_mldsa", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise ValueError("an identity key is made from 64 bytes")
        self._mldsa = MLDSA65PrivateKey.from_seed_bytes(seed[:32])
        self._ed25519 = SigningKey(seed[32:])
        self.public = self._mldsa.public_key().public_bytes_raw() + self._ed25519.public
        self.seed = seed

    @classmethod
    def from_seed(cls, seed: bytes) -> IdentityKey:
        """The key of a 64-byte seed: ML-DSA-65 seed, Ed25519 seed."""
        return cls(seed)

    @classmethod
    def generate(cls, entropy: Entropy) -> IdentityKey:
        """A new key."""
        return cls(entropy(SEED_SIZE))

    def __repr__(self) -> str:
        return f"IdentityKey({hashlib.sha256(self.public).hexdigest()[:16]})"

    def sign(self, message: bytes, context: bytes) -> bytes:
        """3373 bytes over `message` in `context`. Two signatures of one message differ: never use one as a name."""
        representative = _representative(message, context)
        return self._mldsa.sign(representative, context=_LABEL) + self._ed25519.sign_raw(representative)


def verify_composite(public: bytes, signature: bytes, message: bytes, context: bytes) -> None:
    """Raises Untrusted unless both halves of `signature` hold over `message` in `context`."""
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        raise Untrusted("signature", "a composite key or signature of the wrong length")
    representative = _representative(message, context)
    try:
        mldsa = MLDSA65PublicKey.from_public_bytes(public[:MLDSA_PUBLIC_SIZE])
        mldsa.verify(signature[:MLDSA_SIGNATURE_SIZE], representative, context=_LABEL)
    except (InvalidSignature, ValueError) as error:
        raise Untrusted("signature", "the ML-DSA half does not hold") from error
    verify_raw(public[MLDSA_PUBLIC_SIZE:], signature[MLDSA_SIGNATURE_SIZE:], representative)


def check_identity_key(public: bytes) -> None:
    """Raises Untrusted unless `public` can be an identity key."""
    if len(public) != PUBLIC_SIZE:
        raise Untrusted("weak-key", "an identity key has 1984 bytes")
    check_public_key(public[MLDSA_PUBLIC_SIZE:])
