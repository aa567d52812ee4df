"""Secrets at rest: opened by one key under one label, or not at all."""

from __future__ import annotations

import os

import pytest

from hotline.crypto.storage import storage_open, storage_seal
from hotline.errors import KeyFileError

KEY = b"k" * 32
BOX = storage_seal(KEY, "prekey", b"secret", os.urandom)


def test_it_comes_back_under_its_key_and_label_only() -> None:
    """A stolen disk would be a stolen terminal; or one secret could be put in the place of another."""
    assert storage_open(KEY, "prekey", BOX) == b"secret"
    for key, label in ((b"j" * 32, "prekey"), (KEY, "pairwise"), (KEY, "")):
        with pytest.raises(KeyFileError, match="another key"):
            storage_open(key, label, BOX)


def test_the_nonce_is_drawn_anew() -> None:
    """Two secrets under one key and nonce would tell each other."""
    second = storage_seal(KEY, "prekey", b"secret", os.urandom)
    assert second[:24] != BOX[:24]
    assert second[24:] != BOX[24:]
    assert len(BOX) == 24 + len(b"secret") + 16
    assert b"secret" not in BOX


def test_everything_altered_cut_or_added_is_refused() -> None:
    """A damaged disk would give a terminal another key than it had."""
    attempts = [BOX[:size] for size in range(len(BOX))] + [BOX + b"\0"]
    for bit in range(len(BOX) * 8):
        altered = bytearray(BOX)
        altered[bit // 8] ^= 1 << bit % 8
        attempts.append(bytes(altered))
    for attempt in attempts:
        with pytest.raises(KeyFileError):
            storage_open(KEY, "prekey", attempt)
