"""Sealing: HPKE openers, key derivation, and the committing AEAD of messages (docs/protocol.md 7.3 to 7.5)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from hotline.errors import NotOpened

COMMIT_SIZE: Final = 32
TAG_SIZE: Final = 16
_MLKEM_PUBLIC: Final = 1184
_KEM_SEED: Final = 32
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class MessageKey(NamedTuple):
    """What seals one envelope: AEAD key and nonce, and the commitment. Its representation never shows the key."""

    key: bytes
    nonce: bytes
    commit: bytes

    def __repr__(self) -> str:
        return f"MessageKey({self.commit.hex()[:16]})"


class KemKey:
    """An X-Wing key pair (ML-KEM-768 and X25519), kept as its 32-byte seed."""

    __slots__ = ("_private", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        # SHAKE takes any length: a cut seed would silently be another key.
        if len(seed) != _KEM_SEED:
            raise ValueError("an X-Wing key is made from 32 bytes")
        # draft-connolly-cfrg-xwing-kem, section 5.2: SHAKE256(seed, 96) = d || z || X25519 private key
        expanded = hashlib.shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self.seed = seed

    def __repr__(self) -> str:
        return f"KemKey({hashlib.sha256(self.public).hexdigest()[:16]})"

    @property
    def private(self) -> MLKEM768X25519PrivateKey:
        """The key as the HPKE library takes it."""
        return self._private


def seal_opener(secret: bytes, peer_public: bytes, info: bytes) -> bytes:
    """HPKE base mode, single shot: `secret` to `peer_public`. 1136 bytes longer than `secret`. Raises NotOpened."""
    try:
        public = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(peer_public[:_MLKEM_PUBLIC]),
            X25519PublicKey.from_public_bytes(peer_public[_MLKEM_PUBLIC:]),
        )
        return _SUITE.encrypt(secret, public, info=info)
    except ValueError as error:
        raise NotOpened("prekey", "not an X-Wing public key") from error


def open_opener(key: KemKey, opener: bytes, info: bytes) -> bytes:
    """Undo `seal_opener`. Raises NotOpened."""
    try:
        return _SUITE.decrypt(opener, key.private, info=info)
    except (InvalidTag, ValueError) as error:
        raise NotOpened("not-opened") from error


def next_chain_key(chain_key: bytes) -> bytes:
    """HMAC-SHA256(chain key, "hotline/v1/chain")."""
    return hmac.digest(chain_key, b"hotline/v1/chain", "sha256")


def derive_message_key(chain_key: bytes) -> MessageKey:
    """HKDF-Expand-SHA256(chain key, "hotline/v1/msg", 76) = key(32) || nonce(12) || commitment(32)."""
    first = hmac.digest(chain_key, b"hotline/v1/msg\x01", "sha256")
    second = hmac.digest(chain_key, first + b"hotline/v1/msg\x02", "sha256")
    third = hmac.digest(chain_key, second + b"hotline/v1/msg\x03", "sha256")
    material = first + second + third
    return MessageKey(material[:32], material[32:44], material[44:76])


def seal(message_key: MessageKey, header: bytes, plaintext: bytes) -> bytes:
    """commitment || ChaCha20-Poly1305(key, nonce, plaintext, header || commitment)."""
    key, nonce, commit = message_key
    return commit + ChaCha20Poly1305(key).encrypt(nonce, plaintext, header + commit)


def open_sealed(message_key: MessageKey, header: bytes, sealed: bytes) -> bytes:
    """Undo `seal`: length, commitment in constant time, AEAD. Raises NotOpened('not-opened') whatever failed."""
    key, nonce, commit = message_key
    if len(sealed) < COMMIT_SIZE + TAG_SIZE or not hmac.compare_digest(sealed[:COMMIT_SIZE], commit):
        raise NotOpened("not-opened")
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed[COMMIT_SIZE:], header + commit)
    except InvalidTag as error:
        raise NotOpened("not-opened") from error
