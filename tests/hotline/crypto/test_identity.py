"""The composite identity key: both halves count, for one label and one message."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.crypto.identity import (
    MLDSA_PUBLIC_SIZE,
    MLDSA_SIGNATURE_SIZE,
    PUBLIC_SIZE,
    SIGNATURE_SIZE,
    IdentityKey,
    _representative,
    check_identity_key,
    verify_composite,
)
from hotline.errors import Untrusted

KEY = IdentityKey.from_seed(b"a" * 32 + b"b" * 32)
OTHER = IdentityKey.from_seed(b"c" * 32 + b"d" * 32)
CONTEXT = b"charter"
SIGNATURE = KEY.sign(b"text", CONTEXT)
NEUTRAL = bytes((1,)) + bytes(31)


def test_a_signature_holds_for_its_key_text_and_context_only() -> None:
    """A party's word on one document could be put under another; the context is signed apart from the text."""
    assert (len(KEY.public), len(SIGNATURE)) == (PUBLIC_SIZE, SIGNATURE_SIZE) == (1984, 3373)
    verify_composite(KEY.public, SIGNATURE, b"text", CONTEXT)
    for public, text, context in (
        (OTHER.public, b"text", CONTEXT),
        (KEY.public, b"test", CONTEXT),
        (KEY.public, b"text", b""),
        (KEY.public, b"text", b"amendment"),
        (KEY.public, b"text", CONTEXT[:-1]),
        (KEY.public, CONTEXT[-1:] + b"text", CONTEXT[:-1]),
    ):
        with pytest.raises(Untrusted) as caught:
            verify_composite(public, SIGNATURE, text, context)
        assert caught.value.reason == "signature"


def test_neither_half_alone_is_enough() -> None:
    """A broken lattice, or a quantum computer, would forge a charter by itself (docs/protocol.md 5.11)."""
    foreign = OTHER.sign(b"text", CONTEXT)
    for mixed in (
        SIGNATURE[:MLDSA_SIGNATURE_SIZE] + foreign[MLDSA_SIGNATURE_SIZE:],
        foreign[:MLDSA_SIGNATURE_SIZE] + SIGNATURE[MLDSA_SIGNATURE_SIZE:],
        SIGNATURE[:MLDSA_SIGNATURE_SIZE] + bytes(64),
        bytes(MLDSA_SIGNATURE_SIZE) + SIGNATURE[MLDSA_SIGNATURE_SIZE:],
    ):
        with pytest.raises(Untrusted):
            verify_composite(KEY.public, mixed, b"text", CONTEXT)
    for mixed_key in (
        KEY.public[:MLDSA_PUBLIC_SIZE] + OTHER.public[MLDSA_PUBLIC_SIZE:],
        OTHER.public[:MLDSA_PUBLIC_SIZE] + KEY.public[MLDSA_PUBLIC_SIZE:],
    ):
        with pytest.raises(Untrusted):
            verify_composite(mixed_key, SIGNATURE, b"text", CONTEXT)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, SIGNATURE_SIZE * 8 - 1))
def test_every_altered_bit_of_a_signature_is_refused(bit: int) -> None:
    """There would be two signatures where the party made one."""
    altered = bytearray(SIGNATURE)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Untrusted):
        verify_composite(KEY.public, bytes(altered), b"text", CONTEXT)


@pytest.mark.parametrize("change", [-3373, -64, -1, 1, 64])
def test_another_length_is_refused(change: int) -> None:
    """A half could be stripped off, or bytes added that no signature covers."""
    signature = (SIGNATURE + bytes(64))[: SIGNATURE_SIZE + change]
    with pytest.raises(Untrusted) as caught:
        verify_composite(KEY.public, signature, b"text", CONTEXT)
    assert caught.value.reason == "signature"
    public = (KEY.public + bytes(64))[: PUBLIC_SIZE + max(change, -PUBLIC_SIZE)]
    with pytest.raises(Untrusted):
        verify_composite(public, SIGNATURE, b"text", CONTEXT)
    with pytest.raises(Untrusted) as caught:
        check_identity_key(public)
    assert caught.value.reason == "weak-key"


def test_an_ed25519_half_of_small_order_is_refused() -> None:
    """Half of the key would say yes to everything, and only the lattice would be left."""
    public = KEY.public[:MLDSA_PUBLIC_SIZE] + NEUTRAL
    mldsa = KEY.sign(b"text", b"")[:MLDSA_SIGNATURE_SIZE]
    with pytest.raises(Untrusted):
        verify_composite(public, mldsa + NEUTRAL + bytes(32), b"text", b"")
    with pytest.raises(Untrusted) as caught:
        check_identity_key(public)
    assert caught.value.reason == "weak-key"
    check_identity_key(KEY.public)


def test_two_signatures_of_one_text_differ_and_both_hold() -> None:
    """Somebody would use a signature as a name and see two things in one."""
    second = KEY.sign(b"text", CONTEXT)
    assert second != SIGNATURE
    verify_composite(KEY.public, second, b"text", CONTEXT)


def test_the_representative_has_one_reading() -> None:
    """A context could take over the beginning of the message's digest."""
    assert _representative(b"m", b"ab") != _representative(b"m", b"a")
    assert _representative(b"m", bytes(255))[62] == 255
    with pytest.raises(ValueError, match="255"):
        _representative(b"m", bytes(256))


def test_a_key_is_its_seed() -> None:
    """A restored backup of the seed would be another identity."""
    drawn: list[int] = []

    def entropy(size: int) -> bytes:
        drawn.append(size)
        return os.urandom(size)

    key = IdentityKey.generate(entropy)
    assert drawn == [64]
    assert IdentityKey.from_seed(key.seed).public == key.public
    assert key.public not in (KEY.public, OTHER.public)
    for size in (0, 32, 63, 65):
        with pytest.raises(ValueError, match="64 bytes"):
            IdentityKey.from_seed(bytes(size))


def test_a_key_does_not_print_its_secret() -> None:
    """The identity of a state would stand in a log or a traceback."""
    key = IdentityKey.from_seed(bytes(range(64)))
    shown = repr(key) + str(key)
    assert key.seed.hex()[:16] not in shown
    assert key.seed.hex()[64:80] not in shown
