"""What makes virtual time faster and changes nothing in it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from nacl.bindings import crypto_sign, crypto_sign_open


@contextmanager
def hastened() -> Iterator[None]:
    """Signatures that were made in here hold without being computed again, and no garbage is looked for.

    Ed25519 signatures by one key over one message are the same bytes each time and do hold: only what was not made in
    here, forged or altered, need go to the verifier. A world is made of few cycles and is gone after its seed.
    """
    made: set[tuple[bytes, bytes]] = set()

    def sign(message: bytes, secret: bytes) -> bytes:
        signed = crypto_sign(message, secret)
        made.add((secret[32:], signed))
        return signed

    def look(signed: bytes, public: bytes) -> bytes:
        return signed[64:] if (public, signed) in made else crypto_sign_open(signed, public)

    collects = gc.isenabled()
    gc.disable()
    try:
        with patch("hotline.crypto.signing.crypto_sign", sign), patch("hotline.crypto.signing.crypto_sign_open", look):
            yield
    finally:
        if collects:
            gc.enable()
            gc.collect()
