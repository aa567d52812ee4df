"""Blind mutation of byte strings: what the default tests use, and long runs where Atheris is not installed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

INTERESTING = (
    *(
        b"\x00",
        b"\xff",
        b"\x7f",
        b"\x80",
        b"\n",
        b"\n\n",
        b" ",
        b"+",
        b"=",
        b"\xe2\x80\x94 ",
        b"\xed\xa0\x80",
        b"\xc0\x80",
    ),
    *(b"-1", b"0", b"00", b"1e9", b"NaN", b"9" * 20, b"9" * 5_000, b"[" * 3_000, b'{"":' * 1_500, b"\\ud800", b"null"),
    *(b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", (2**63).to_bytes(8, "big"), b"\x80" * 11),
)


def mutated(seeds: Sequence[bytes], count: int, seed: int, size: int) -> Iterator[bytes]:
    """`count` inputs of at most `size` bytes made of `seeds` (not empty), always the same for one `seed`."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(1 << rng.randrange(5)):
            _change(rng, data, seeds)
        yield bytes(data[:size])


def _change(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """One change in place."""
    place = rng.randrange(len(data) + 1)
    length = min(len(data) - place, 1 << rng.randrange(7))
    match rng.randrange(8):
        case 0 if data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        case 1 if data:
            data[place % len(data)] = rng.randrange(256)
        case 2:
            del data[place : place + length]
        case 3:
            data[place:place] = rng.choice(INTERESTING)
        case 4:
            data[place : place + length] = rng.choice(INTERESTING)
        case 5:
            data[place:place] = data[place : place + length] * rng.randrange(1, 4)
        case 6:
            other = rng.choice(seeds)
            begin = rng.randrange(len(other) + 1)
            data[place:place] = other[begin : begin + (1 << rng.randrange(9))]
        case _:
            del data[place:]
