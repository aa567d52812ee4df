"""Mutation of byte strings, blind or in a target's form: what the default tests use, and long runs without Atheris."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

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


Shape = Callable[[random.Random, Sequence[bytes]], bytes]
"""Makes an input of seeds."""
BLIND_EVERY = 4
"""Where a target has a shape, one input in so many is made without it."""


def mutated(seeds: Sequence[bytes], count: int, seed: int, size: int, shape: Shape | None = None) -> Iterator[bytes]:
    """`count` inputs of at most `size` bytes made of `seeds` (not empty), always the same for one `seed`."""
    rng = random.Random(seed)
    for number in range(count):
        try:
            made = (blind if shape is None or number % BLIND_EVERY == 0 else shape)(rng, seeds)
        except (ValueError, RecursionError):  # the seed has no form: it once broke something
            made = blind(rng, seeds)
        yield made[:size]


def blind(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to sixteen changes at any place."""
    data = bytearray(rng.choice(seeds))
    for _ in range(1 << rng.randrange(5)):
        _change(rng, data, seeds)
    return bytes(data)


def chained(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to eight programs one behind the other, half of them with other bytes in them and behind them."""
    made = bytearray()
    for _ in range(rng.randrange(1, 9)):
        part = bytearray(rng.choice(seeds))
        if part and rng.randrange(2):
            for _ in range(rng.randrange(1, 4)):
                part[rng.randrange(len(part))] = rng.randrange(256)
            part += rng.randbytes(rng.randrange(12))
        made += part
    return bytes(made)


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
