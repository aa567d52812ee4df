"""Secrets at rest: XChaCha20-Poly1305 with a random nonce, bound to a label."""

from __future__ import annotations

from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from hotline.errors import KeyFileError
from hotline.machine import Entropy

_BOX_NONCE: Final = 24


def storage_seal(key: bytes, label: str, plaintext: bytes, entropy: Entropy) -> bytes:
    """nonce(24) || XChaCha20-Poly1305 of a secret at rest, bound to `label`."""
    nonce = entropy(_BOX_NONCE)
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, label.encode(), nonce, key)


def storage_open(key: bytes, label: str, box: bytes) -> bytes:
    """Undo `storage_seal`. Raises KeyFileError."""
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(box[_BOX_NONCE:], label.encode(), box[:_BOX_NONCE], key)
    except (CryptoError, ValueError, TypeError) as error:
        raise KeyFileError(
            "a stored secret does not open with this terminal's key: the store belongs to another key"
        ) from error
