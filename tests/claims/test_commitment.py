"""One ciphertext that opens under two keys, really made: the commitment is what refuses it (docs/protocol.md 7.5).

Poly1305 is linear in each block of the ciphertext. With two free blocks, the tags under two keys can be made equal: two
linear equations over the field of 2^130 - 5. An arbiter who is given the other key would read another text.
"""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from hotline.crypto.sealing import MessageKey, derive_message_key, open_sealed
from hotline.errors import NotOpened

P = 2**130 - 5
HEADER = bytes(range(22))
FREE = (5, 6)
"""Which 16-byte blocks of the ciphertext carry no text but make the tags agree."""
BLOCKS = 8


def _stream(key: MessageKey, counter: int, length: int) -> bytes:
    nonce = counter.to_bytes(4, "little") + key.nonce
    return Cipher(ChaCha20(key.key, nonce), None).encryptor().update(bytes(length))


def _blocks(associated: bytes, text: bytes) -> list[int]:
    """What Poly1305 sums up, as numbers (RFC 8439, 2.8)."""
    data = associated + bytes(-len(associated) % 16) + text + bytes(-len(text) % 16)
    data += len(associated).to_bytes(8, "little") + len(text).to_bytes(8, "little")
    return [int.from_bytes(data[at : at + 16] + b"\1", "little") for at in range(0, len(data), 16)]


def _tag_parts(key: MessageKey, text: bytes) -> tuple[list[int], int, int, int]:
    """Powers of r for each block, the sum over all blocks but the free ones, s, and where the ciphertext begins."""
    one_time = _stream(key, 0, 32)
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    associated = HEADER + key.commit
    blocks = _blocks(associated, text)
    first = (len(associated) + 15) // 16
    powers = [pow(r, len(blocks) - index, P) for index in range(len(blocks))]
    free = {first + block for block in FREE}
    total = sum(
        power * block for index, (power, block) in enumerate(zip(powers, blocks, strict=True)) if index not in free
    )
    return powers, total % P, int.from_bytes(one_time[16:], "little"), first


def two_faced(keys: tuple[MessageKey, MessageKey], texts: tuple[bytes, bytes], seed: int = 1) -> tuple[bytes, bytes]:
    """One ciphertext with one tag that ChaCha20-Poly1305 opens under both keys, each with its own associated data.

    The first 32 bytes are the first text under the first key, the next 32 the second text under the second.
    """
    rng = random.Random(seed)
    streams = [_stream(key, 1, 16 * BLOCKS) for key in keys]
    text = bytearray(16 * BLOCKS)
    for start, wanted, stream in ((0, texts[0], streams[0]), (32, texts[1], streams[1])):
        text[start : start + 32] = bytes(a ^ b for a, b in zip(wanted, stream[start : start + 32], strict=True))
    parts = [_tag_parts(key, bytes(text)) for key in keys]
    while True:
        tag = rng.getrandbits(128)
        # sum + a x + b y = tag - s + k 2^128 (mod p) for each key; x and y are 17-byte numbers with a leading one.
        sums = [((tag - s) % 2**128 + rng.randrange(4) * 2**128 - total) % P for _, total, s, _ in parts]
        (a, b), (c, d) = [[powers[first + block] for block in FREE] for powers, _, _, first in parts]
        inverse = pow(a * d - b * c, -1, P)
        x, y = (d * sums[0] - b * sums[1]) * inverse % P, (a * sums[1] - c * sums[0]) * inverse % P
        if x >> 128 == y >> 128 == 1:
            for block, number in zip(FREE, (x, y), strict=True):
                text[16 * block : 16 * block + 16] = (number - 2**128).to_bytes(16, "little")
            return bytes(text), tag.to_bytes(16, "little")


TEXTS = (b"We shall stand down at six today", b"We shall stand to at six today.!")


def _made() -> tuple[tuple[MessageKey, MessageKey], bytes]:
    keys = derive_message_key(b"a" * 32), derive_message_key(b"b" * 32)
    text, tag = two_faced(keys, TEXTS)
    return keys, text + tag


def test_one_ciphertext_opens_under_two_keys() -> None:
    """The attack that the commitment is for must be a real one, or the claim below says nothing."""
    keys, ciphertext = _made()
    plain = [ChaCha20Poly1305(key.key).decrypt(key.nonce, ciphertext, HEADER + key.commit) for key in keys]
    assert (plain[0][:32], plain[1][32:64]) == TEXTS
    assert plain[0] != plain[1]


def test_the_commitment_lets_it_open_under_one() -> None:
    """Two capitals, or a capital and an arbiter, would read two texts in one sealed envelope."""
    keys, ciphertext = _made()
    for committed in (0, 1):
        sealed = keys[committed].commit + ciphertext
        assert open_sealed(keys[committed], HEADER, sealed)
        with pytest.raises(NotOpened):
            open_sealed(keys[1 - committed], HEADER, sealed)


def test_without_the_comparison_it_would_open_under_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal above could have another reason."""
    keys, ciphertext = _made()
    monkeypatch.setattr("hotline.crypto.sealing.hmac.compare_digest", lambda one, other: True)
    sealed = keys[0].commit + ciphertext
    assert len({open_sealed(key, HEADER, sealed) for key in keys}) == 2
