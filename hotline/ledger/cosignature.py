"""C2SP cosignatures: a witness saw a log at this size and time, and never saw it otherwise (c2sp.org/tlog-cosignature).

Ed25519 (type 04) covers the whole note text and not the cosigner's name: one key serves one name. ML-DSA-44 (type 06)
covers name, time, origin, size and root.
"""

from __future__ import annotations

from typing import Final, Protocol

from hotline.crypto.mldsa44 import PUBLIC_SIZE as MLDSA44_PUBLIC
from hotline.crypto.mldsa44 import SIGNATURE_SIZE as MLDSA44_SIGNATURE
from hotline.crypto.mldsa44 import PostQuantumKey, verify_mldsa44
from hotline.crypto.signing import SIGNATURE_SIZE as ED25519_SIGNATURE
from hotline.crypto.signing import SigningKey, check_public_key, verify_raw
from hotline.errors import Malformed, Untrusted
from hotline.ledger.checkpoint import parse_checkpoint
from hotline.ledger.note import Signature, Verifier, check_name, check_vkey, key_id, spell_vkey, split_vkey

ED25519: Final = b"\x04"
MLDSA44: Final = b"\x06"
_TIME_BYTES: Final = 8
_TIME_MAX: Final = 2**63 - 1
_NAME_BYTES_MAX: Final = 255


def timestamp(signature: bytes) -> int:
    """When a cosignature says it was made, in Unix seconds. Raises Malformed."""
    if len(signature) < _TIME_BYTES:
        raise Malformed("cosignature", "no time in it")
    unix = int.from_bytes(signature[:_TIME_BYTES], "big")
    if unix > _TIME_MAX:
        raise Malformed("cosignature", "a time beyond every calendar")
    return unix


def _ed25519_message(text: bytes, unix: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % unix + text


def _mldsa44_message(name: str, text: bytes, unix: int) -> bytes:
    checkpoint = parse_checkpoint(text)
    names = [part.encode() for part in (name, checkpoint.origin)]
    if any(not 1 <= len(part) <= _NAME_BYTES_MAX for part in names):
        raise Malformed("key-name", "longer than 255 bytes")
    cosigner, origin = (bytes((len(part),)) + part for part in names)
    span = (0).to_bytes(8, "big") + checkpoint.size.to_bytes(8, "big")
    return b"subtree/v1\n\0" + cosigner + unix.to_bytes(8, "big") + origin + span + checkpoint.root


class Cosigner(Protocol):
    """Cosigns the text of a checkpoint."""

    @property
    def name(self) -> str: ...

    def cosign(self, text: bytes, unix: int) -> Signature:
        """The signature of this cosigner at `unix` seconds."""
        ...


class Ed25519Cosigner:
    """Cosigns with an Ed25519 key (type 04)."""

    def __init__(self, name: str, key: SigningKey) -> None:
        self.verifier = Ed25519CosignatureVerifier(name, key.public)
        self.name = name
        self._key = key

    def cosign(self, text: bytes, unix: int) -> Signature:
        """Time (8 bytes) and signature (64)."""
        value = unix.to_bytes(_TIME_BYTES, "big") + self._key.sign_raw(_ed25519_message(text, unix))
        return Signature(self.name, self.verifier.key_id, value)


class MlDsa44Cosigner:
    """Cosigns with an ML-DSA-44 key (type 06)."""

    def __init__(self, name: str, key: PostQuantumKey) -> None:
        self.verifier = MlDsa44CosignatureVerifier(name, key.public)
        self.name = name
        self._key = key

    def cosign(self, text: bytes, unix: int) -> Signature:
        """Time (8 bytes) and signature (2420)."""
        value = unix.to_bytes(_TIME_BYTES, "big") + self._key.sign_raw(_mldsa44_message(self.name, text, unix))
        return Signature(self.name, self.verifier.key_id, value)


class Ed25519CosignatureVerifier:
    """Verifies cosignatures of type 04."""

    def __init__(self, name: str, public: bytes) -> None:
        check_name(name)
        check_public_key(public)
        self.name = name
        self.public = public
        self.key_id = key_id(name, ED25519, public)

    def verify(self, text: bytes, signature: bytes) -> None:
        """`signature` is time and signature. Raises Malformed or Untrusted."""
        if len(signature) != _TIME_BYTES + ED25519_SIGNATURE:
            raise Untrusted("signature", "wrong length")
        verify_raw(self.public, signature[_TIME_BYTES:], _ed25519_message(text, timestamp(signature)))

    def vkey(self) -> str:
        """The C2SP verifier key."""
        return spell_vkey(self, ED25519 + self.public)


class MlDsa44CosignatureVerifier:
    """Verifies cosignatures of type 06."""

    def __init__(self, name: str, public: bytes) -> None:
        check_name(name)
        if len(public) != MLDSA44_PUBLIC:
            raise Untrusted("weak-key", "an ML-DSA-44 key has 1312 bytes")
        self.name = name
        self.public = public
        self.key_id = key_id(name, MLDSA44, public)

    def verify(self, text: bytes, signature: bytes) -> None:
        """`signature` is time and signature. Raises Malformed or Untrusted."""
        if len(signature) != _TIME_BYTES + MLDSA44_SIGNATURE:
            raise Untrusted("signature", "wrong length")
        message = _mldsa44_message(self.name, text, timestamp(signature))
        verify_mldsa44(self.public, signature[_TIME_BYTES:], message)

    def vkey(self) -> str:
        """The C2SP verifier key."""
        return spell_vkey(self, MLDSA44 + self.public)


CosignatureVerifier = Ed25519CosignatureVerifier | MlDsa44CosignatureVerifier


def parse_witness_vkey(text: str) -> CosignatureVerifier:
    """A cosigner's key from its C2SP encoding. Raises Malformed or Untrusted."""
    name, key, identifier = split_vkey(text)
    verifier: CosignatureVerifier
    if key[:1] == ED25519 and len(key) == 33:
        verifier = Ed25519CosignatureVerifier(name, key[1:])
    elif key[:1] == MLDSA44 and len(key) == 1 + MLDSA44_PUBLIC:
        verifier = MlDsa44CosignatureVerifier(name, key[1:])
    else:
        raise Malformed("vkey", "not a cosigner's key")
    check_vkey(verifier, identifier)
    return verifier


def check_cosignature(text: bytes, signature: Signature, verifier: Verifier) -> int:
    """The time of a cosignature over a note text. Raises Malformed or Untrusted unless `verifier` made it."""
    if (signature.name, signature.key_id) != (verifier.name, verifier.key_id):
        raise Untrusted("signature", "by another key")
    verifier.verify(text, signature.value)
    return timestamp(signature.value)
