"""ML-DSA-44 (FIPS 204) for cosignatures that outlive Ed25519 (c2sp.org/tlog-cosignature, type 06)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from hotline.errors import Untrusted

PUBLIC_SIZE: Final = 1312
SIGNATURE_SIZE: Final = 2420


class PostQuantumKey:
    """An ML-DSA-44 private key, made from a 32-byte seed. Its representation never shows it."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"PostQuantumKey({self.public.hex()[:16]})"

    def sign_raw(self, message: bytes) -> bytes:
        """2420 bytes over `message` as it is. Two signatures of one message differ: never use one as a name."""
        return self._key.sign(message)


def verify_mldsa44(public: bytes, signature: bytes, message: bytes) -> None:
    """Raises Untrusted unless `signature` is `public`'s over `message`."""
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        raise Untrusted("signature", "an ML-DSA-44 key or signature of the wrong length")
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Untrusted("signature", "does not hold") from error
