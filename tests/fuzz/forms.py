"""Mutation that keeps a form: JSON, lines of words, and protobuf.

An input that is refused at its first byte tells nothing. What is changed here is spelled as a program of ours
spells it, so that the rules behind the parser are reached.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzz.mutation import INTERESTING, Shape, blind

ODD: tuple[Any, ...] = (0, 1, -1, 1.5, 2**31, 2**53, 2**63, 2**64, True, False, None, "", "\0", "x" * 300, [], {}, [[]])
NUMBERS = (0, 1, 2, 127, 2**31 - 1, 2**32 - 1, 2**40, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
_HEX = re.compile("(?:[0-9a-f]{2})+")


def some(rng: random.Random) -> int:
    """How many changes: mostly one."""
    return rng.choice((1, 1, 1, 2, 3))


# --- JSON ------------------------------------------------------------------------------------------------------------
def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container with each key or place in it."""
    found, waiting = [], [tree]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            waiting.append(one[key])
    return found


def change(rng: random.Random, tree: Any, others: Sequence[Any], word: Callable[[random.Random, str], str]) -> None:
    """One change in a tree; `others` are values that stand elsewhere, `word` alters a string."""
    known = places(tree)
    if not known:
        return
    inside, key = rng.choice(known)
    value = inside[key]
    alike = [one[name] for one, name in known if name == key and isinstance(one[name], str | int)]
    match rng.randrange(8):
        case 0:
            inside[key] = json.loads(json.dumps(rng.choice(ODD)))
        case 1:
            del inside[key]
        case 2 if isinstance(inside, list):
            inside.insert(key, value)
        case 2 | 3:
            other, place = rng.choice(known)
            inside[key] = json.loads(json.dumps(other[place]))
        case 4 if isinstance(inside, dict):
            inside[rng.choice([*inside, f"{key}x"])] = inside.pop(key)
        case 5 | 6 if alike:
            inside[key] = rng.choice(alike)
        case _ if isinstance(value, str):
            inside[key] = word(rng, value)
        case _ if isinstance(value, int):
            inside[key] = rng.choice((value + 1, value - 1, -value, value * 2, rng.choice(NUMBERS)))
        case _:
            inside[key] = json.loads(json.dumps(rng.choice(others)))


def word(rng: random.Random, value: str) -> str:
    """A string with a sign or a part changed; hexadecimal stays so, and mostly one that is read."""
    if _HEX.fullmatch(value) and rng.randrange(8):
        return message(rng, bytes.fromhex(value)).hex()
    place = rng.randrange(len(value) + 1)
    match rng.randrange(5):
        case 0:
            return value[:place]
        case 1:
            return value[:place] + value[place + 1 :]
        case 2:
            return value[:place] + rng.choice("0159aAzZ-_/+= \n\u0301\u202e\u0661") + value[place:]
        case 3:
            return value[:place] + rng.choice("0159aAzZ") + value[place + 1 :]
        case _:
            return lines(rng, [value.encode()]).decode("utf-8", "replace")


def spelled(tree: Any) -> bytes:
    """As documents of ours are."""
    return (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()


def trees(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """JSON."""
    tree, other = (json.loads(rng.choice(seeds)) for _ in range(2))
    others = [inside[key] for inside, key in places(other)] or [0]
    for _ in range(some(rng)):
        change(rng, tree, others, word)
    return spelled(tree)


def documents(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A document whose text is JSON, with its signature lines or without them; so are the cards in it."""

    def within(rng: random.Random, value: str) -> str:
        return documents(rng, [value.encode()]).decode() if value.startswith("{") else word(rng, value)

    data = rng.choice(seeds)
    text, gap, signatures = data.rpartition(b"\n\n")
    tree = json.loads(text if gap else data)
    others = [inside[key] for inside, key in places(tree)] or [0]
    for _ in range(some(rng)):
        change(rng, tree, others, within)
    if b"\n" not in data:  # entries of a ledger stand on one line
        return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return spelled(tree) + (b"\n" + signatures if gap and rng.randrange(8) else b"")


# --- lines -----------------------------------------------------------------------------------------------------------
def lines(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Lines of words: one is left out, said twice, exchanged, or has another word or number."""
    found, others = rng.choice(seeds).split(b"\n"), rng.choice(seeds).split(b"\n")
    for _ in range(some(rng)):
        place = rng.randrange(len(found)) if found else 0
        match rng.randrange(6):
            case 0:
                del found[place : place + 1]
            case 1:
                found[place:place] = found[place : place + 1]
            case 2:
                found.insert(place, rng.choice(others))
            case 3 if found:
                one = rng.randrange(len(found))
                found[place], found[one] = found[one], found[place]
            case _ if found:
                words = found[place].split(b" ")
                at = rng.randrange(len(words))
                kind = rng.randrange(4)
                if kind == 0 and words[at].isdigit():
                    words[at] = b"%d" % (int(words[at][:30]) + rng.choice((1, -1, 2**32, 2**63)))
                elif kind == 1:
                    words[at] = rng.choice(rng.choice(others).split(b" "))
                elif kind == 2:
                    words[at] = rng.choice(INTERESTING)
                else:
                    words[at] = blind(rng, [words[at]])
                found[place] = b" ".join(words)
    return b"\n".join(found)


# --- protobuf --------------------------------------------------------------------------------------------------------
Field = tuple[int, int, int | bytes]


def fields(data: bytes) -> list[Field] | None:
    """Number, wire type and value of each field; None for what is no message."""
    found: list[Field] = []
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind, value = key & 7, 0
        if at < 0 or kind not in (0, 1, 2, 5):
            return None
        if kind in (0, 2):
            value, at = _number(data, at)
            if at < 0 or (kind == 2 and at + value > len(data)):
                return None
        size = {0: 0, 1: 8, 2: value, 5: 4}[kind]
        if at + size > len(data):
            return None
        found.append((key >> 3, kind, data[at : at + size] if kind else value))
        at += size
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends, or -1."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return 0, -1
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return 0, -1


def varint(value: int) -> bytes:
    """In its shortest spelling."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def joined(parts: Sequence[Field]) -> bytes:
    """Undo `fields`."""
    found = b""
    for number, kind, value in parts:
        found += varint(number << 3 | kind)
        if isinstance(value, int):
            found += varint(value)
        else:
            found += (varint(len(value)) if kind == 2 else b"") + value
    return found


def message(rng: random.Random, data: bytes, depth: int = 0) -> bytes:
    """A message with other values, fields left out, said twice, or new ones; in order of their numbers mostly."""
    parts = fields(data)
    if not parts or depth > 6:
        return blind(rng, [data])
    for _ in range(some(rng)):
        place = rng.randrange(len(parts)) if parts else 0
        number, kind, value = parts[place] if parts else (1, 0, 0)
        match rng.randrange(8):
            case 0:
                del parts[place : place + 1]
            case 1:
                parts.insert(place, (number, kind, value))
            case 2:
                parts.insert(
                    place, (rng.randrange(1, 50), *rng.choice(((0, rng.choice(NUMBERS)), (2, b""), (2, bytes(32)))))
                )
            case _ if isinstance(value, int) and parts:
                parts[place] = number, kind, rng.choice((value + 1, max(0, value - 1), rng.choice(NUMBERS)))
            case _ if parts:
                assert isinstance(value, bytes)
                parts[place] = number, kind, _text(rng, value) if kind == 2 else bytes(len(value))
    if rng.randrange(8):
        parts.sort(key=lambda part: part[0])
    return joined([part for part in parts if rng.randrange(16) == 0 or part[2] not in (0, b"")])


def _text(rng: random.Random, value: bytes) -> bytes:
    """Another value of a field that has a length."""
    match rng.randrange(6):
        case 0:
            return bytes(value[:-1]) if rng.randrange(2) else value + b"\0"
        case 1:
            return rng.choice((b"", bytes(32), bytes(len(value)), b"x" * 64, rng.choice(INTERESTING)))
        case 2 if value and len(value) in (12, 18, 32, 64):
            place = rng.randrange(len(value))
            return value[:place] + bytes((value[place] ^ 1,)) + value[place + 1 :]
        case _ if fields(value):
            return message(rng, value, 1)
        case _:
            return lines(rng, [value]) if rng.randrange(2) else blind(rng, [value])


def messages(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Protobuf."""
    return message(rng, rng.choice(seeds))


def after(size: int, shape: Callable[[int], Shape]) -> Shape:
    """Behind `size` bytes of which the first says the form."""

    def shaped(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
        data = rng.choice(seeds)
        return data[:size] + shape(data[0] if data else 0)(rng, [data[size:]])

    return shaped


def split(data: bytes, at: int) -> list[bytes]:
    """The byte strings behind that many bytes."""
    found = []
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found
