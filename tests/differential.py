"""The product and the oracle on altered cases: they must agree on every one.

    python -m tests.differential [--count N] [--seed S] [--kind KIND]      (docs/conformance.md)

An alteration turns bits, cuts, inserts, repeats or exchanges parts of one input. What is signed or sealed is, half of
the time, signed or sealed anew, so that what lies behind the signature is reached too.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.message import DecodeError

from hotline.conformance.answers import answer
from hotline.conformance.kit import CaseSet, Json, default_vectors, load
from hotline.crypto.signing import SigningKey
from hotline.errors import RemoteError
from hotline.ledger.note import parse_note, sign_note
from hotline.ledger.tree import leaf_hash
from hotline.machine import Plane
from hotline.protocol.bundle import MAGIC
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_CLEAR, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, encode_inner
from hotline.wire.v1 import bundle_pb2
from tests import oracle
from tools.cases import agreement, signed
from tools.cases.keys import ALPHA, BRAVO, CHARTER, SIGNING, Epoch, resigned_prekey, seed

SLOW = {
    "charter": 4,
    "several-parties": 6,
    "envelope": 4,
    "conviction": 4,
    "card": 2,
    "window": 4,
    "epoch": 2,
    "proof": 2,
    "pairwise": 2,
    "bundle": 2,
}
"""How many times rarer than others these kinds are altered: each costs some milliseconds."""
SIGNS = '\n "{}[]:,0123456789-+=\\u\u2014\u00e9aA/.'
REAL = Epoch("real", Plane.REAL)
RELAY = SigningKey(seed("signing key of relay-1"))


# --- alterations -----------------------------------------------------------------------------------------------------


def altered_bytes(data: bytes, other: bytes, random: Random) -> bytes:
    """`data` changed in one way."""
    at, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    if not data:
        return other[:1] or b"\0"
    place = min(at, len(data) - 1)
    ways: list[Callable[[], bytes]] = [
        lambda: data[:place] + bytes((data[place] ^ 1 << random.randrange(8),)) + data[place + 1 :],
        lambda: data[:place] + bytes((random.randrange(256),)) + data[place + 1 :],
        lambda: data[:at],
        lambda: data[at:],
        lambda: data[:-1],
        lambda: data[:at] + data[min(end, at + 4) :],
        lambda: data[:at] + random.randbytes(random.randrange(1, 4)) + data[at:],
        lambda: data[:end] + data[at:end] + data[end:],
        lambda: data[:at] + other[at:],
        lambda: other,
        lambda: data + random.randbytes(1),
        lambda: data[:place] + bytes((data[place] | 0x80, 0)) + data[place + 1 :],
        *[lambda: b"".join(shuffled(fields_of(data), random))] * 3,
        *[lambda: revalued(fields_of(data), random)] * 6,
    ]
    return random.choice(ways)()


def fields_of(data: bytes) -> list[bytes]:
    """The fields of a message as far as they can be told apart, each with its key and value."""
    made, at = [], 0
    while at < len(data):
        begin, wire = at, data[at] & 7
        while at < len(data) and data[at] & 0x80:
            at += 1
        at += 1
        if wire == 2 and at < len(data):
            length, shift = 0, 0
            while at < len(data) and data[at] & 0x80:
                length, shift, at = length | (data[at] & 0x7F) << shift, shift + 7, at + 1
            length, at = length | (data[at] << shift if at < len(data) else 0), at + 1
            at += length
        elif wire == 0:
            while at < len(data) and data[at] & 0x80:
                at += 1
            at += 1
        else:
            at += {1: 8, 5: 4}.get(wire, 0)
        made.append(data[begin:at])
    return made


VALUES = (0, 1, 2, 3, 4, 5, 2**31, 2**32, 2**32 - 1, 2**40, 2**40 + 1, 2**63, 2**64 - 1, 253_402_300_800_000)
LENGTHS = (0, 1, 16, 17, 31, 32, 33, 35, 64, 65, 1_024, 1_025, 1_216)
FILLINGS = (b"x", b"\0", b" ", b"-", "\u00e9".encode(), "\u2003".encode(), b"\xff")


def varint(value: int) -> bytes:
    """A number in its shortest form."""
    made = b""
    while value >= 0x80:
        made, value = made + bytes((value & 0x7F | 0x80,)), value >> 7
    return made + bytes((value,))


def revalued(parts: list[bytes], random: Random) -> bytes:
    """The fields of a message, one of them with another lawful value of its wire type."""
    if not parts:
        return b""
    place = random.randrange(len(parts))
    key = parts[place][: next((n + 1 for n, byte in enumerate(parts[place]) if byte < 0x80), 1)]
    wire = key[0] & 7
    if wire == 0:
        parts[place] = key + varint(random.choice(VALUES))
    elif wire == 2 and random.random() < 0.5:
        value = random.choice(FILLINGS) * random.choice(LENGTHS)
        parts[place] = key + varint(len(value)) + value
    elif wire == 2:
        value = parts[place][len(key) + len(varint(max(0, len(parts[place]) - len(key) - 1))) :]
        value = revalued(fields_of(value), random)
        parts[place] = key + varint(len(value)) + value
    else:
        parts[place] = key + random.randbytes(4)
    return b"".join(parts)


def shuffled(parts: list[bytes], random: Random) -> list[bytes]:
    """One part left out, repeated, or exchanged with its neighbour."""
    if len(parts) < 2:
        return parts + parts
    at = random.randrange(len(parts) - 1)
    way = random.randrange(3)
    if way == 0:
        return parts[:at] + parts[at + 1 :]
    if way == 1:
        return parts[: at + 1] + parts[at:]
    return [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]


def altered_text(text: str, other: str, random: Random) -> str:
    """A text changed in one way; what is no text any more is written as `hex:`."""
    data = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
    if random.random() < 0.4:
        changed = altered_bytes(data, other.encode(), random)
        return signed.spelled(changed)
    lines = text.splitlines(keepends=True)
    at = random.randrange(len(text) + 1)
    ways: list[Callable[[], str]] = [
        lambda: text[:at] + random.choice(SIGNS) + text[at + 1 :],
        lambda: text[:at] + random.choice(SIGNS) + text[at:],
        lambda: text[:at] + text[at + 1 :],
        lambda: text[:at] + text[at : at + 1].swapcase() + text[at + 1 :],
        lambda: b"".join(shuffled([line.encode() for line in lines], random)).decode(),
        lambda: "".join(lines[: random.randrange(len(lines) + 1)]),
        lambda: text.replace(" ", "", 1) if random.random() < 0.5 else text.replace(",", ", ", 1),
        lambda: text.replace(random.choice("0123456789"), random.choice("0123456789"), 1),
    ]
    return random.choice(ways)() if not text.startswith("hex:") else signed.spelled(altered_bytes(data, b"", random))


def altered_number(value: int, random: Random) -> int:
    """A number near by, or one at an end."""
    return random.choice((value + 1, value - 1, 0, 1, -1, value ^ 1 << random.randrange(12), 2 * value))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the strings, numbers and lists of an input are."""
    found = [path] if path and not isinstance(value, dict) else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for name, item in items for place in places(item, (*path, name))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a place."""
    for name in path:
        value = value[name]
    return value


NAMES = {"schema", "plane", "before", "policy_name", "tag"}
"""Strings that choose one of a few things: they are exchanged, not altered."""


def alter(one: CaseSet, asked: Json, random: Random) -> Json:
    """The input of a case with one place altered."""
    made = copy.deepcopy(asked)
    paths = places(made)
    path = random.choices(
        paths, [9 if isinstance(at(made, one_), str) and one_[0] not in NAMES else 1 for one_ in paths]
    )[0]
    holder, old = at(made, path[:-1]), at(made, path)
    other = at(random.choice(one.cases).asked, path[:1])
    if isinstance(old, bool):
        holder[path[-1]] = not old
    elif isinstance(old, int):
        holder[path[-1]] = altered_number(old, random) if one.kind != "chain" else abs(altered_number(old, random)) % 99
    elif isinstance(old, list):
        if old and path[0] not in NAMES:
            mixed = shuffled([json.dumps(item).encode() for item in old], random)
            holder[path[-1]] = [json.loads(item) for item in mixed]
    elif path[0] == "plane":
        made["plane"] = random.choice(("real", "exercise"))
    elif isinstance(old, str) and path[0] not in NAMES and not (path[0] == "policy" and one.kind != "policy"):
        other = other if isinstance(other, str) else old
        if is_hex(old):
            spare = bytes.fromhex(other) if is_hex(other) else b""
            holder[path[-1]] = altered_bytes(bytes.fromhex(old), spare, random).hex()
        else:
            holder[path[-1]] = altered_text(old, other, random)
    return made


def is_hex(text: str) -> bool:
    """Whether a string of an input is a byte string."""
    return len(text) % 2 == 0 and not set(text) - set("0123456789abcdef")


# --- behind signatures and seals -------------------------------------------------------------------------------------


def resign_prekey(asked: Json, random: Random) -> Json:
    """A body under a signature that holds."""
    body = altered_bytes(bytes.fromhex(asked["body"]), b"", random)
    return {"body": body.hex(), "signature": resigned_prekey("BRAVO", body, BRAVO).signature.hex()}


def resign_custody(asked: Json, random: Random) -> Json:
    """The same of a relay's word."""
    body = altered_bytes(bytes.fromhex(asked["body"]), b"", random)
    return {"body": body.hex(), "signature": RELAY.sign("hotline/v1/custody", body).hex()}


def resign_checkpoint(asked: Json, random: Random) -> Json:
    """A text that the log signed."""
    head = asked["note"].partition("\n\n")[0] + "\n"
    text = altered_text(head, head, random)
    data = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
    return {
        "note": signed.spelled(sign_note(data if data.endswith(b"\n") else data + b"\n", [signed.signer(signed.ALPHA)]))
    }


def resign_request(asked: Json, random: Random) -> Json:
    """A request whose checkpoint is altered and then signed."""
    head, gap, note = asked["request"].partition("\n\n")
    if not gap or "\n\n" not in note or asked["request"].startswith("hex:"):
        return asked
    signed_note = resign_checkpoint({"note": note}, random)["note"]
    return asked if signed_note.startswith("hex:") else asked | {"request": f"{head}\n\n{signed_note}"}


def reseal(asked: Json, random: Random) -> Json:
    """An envelope whose content, or what is sealed around it, is altered and then sealed."""
    kind = random.choice(list(ContentType))
    inner = REAL.content(kind, random.randbytes(random.randrange(300)))
    plain = encode_inner(inner, padded=kind is not ContentType.KEY_REQUEST)
    if random.random() < 0.6:
        plain = altered_bytes(plain, b"", random)
    if random.random() < 0.3:
        header = Header(FLAG_CLEAR | FLAG_TRANSIENT, BRAVO, ALPHA, seed("clear", 12), 0)
        return {"before": [], "envelope": (header.encode() + plain).hex()}
    flags, number = random.choice((0, 1, 2, 3)), random.choice((0, 1, 2, 5))
    return {"before": random.choice(([], ["first"], ["beat"], ["first", "later"])),
            "envelope": REAL.seal(plain, flags, number).hex()}  # fmt: skip


def resign_charter(asked: Json, random: Random) -> Json:
    """A text that both parties signed."""
    try:
        head = parse_note(asked["note"].encode()).text.decode()
    except RemoteError:  # not every case is a note
        return asked
    lines = head.splitlines(keepends=True)
    number = random.choice([n for n, line in enumerate(lines) if len(line) < 200])
    lines[number] = altered_text(lines[number], lines[number], random)
    text = "".join(lines).encode()
    if not text.endswith(b"\n") or b"\n\n" in text or lines[number].startswith("hex:"):
        return asked
    return {"note": sign_note(text, [agreement.signer("ALPHA"), agreement.signer("BRAVO")]).decode()}


def rebuilt_proof(asked: Json, random: Random) -> Json:
    """A leaf that is altered and then truly in a log."""
    leaf = altered_text(asked["leaf"], asked["leaf"], random)
    data = bytes.fromhex(leaf[4:]) if leaf.startswith("hex:") else leaf.encode()
    log = signed.Log(signed.ALPHA, [data])
    assert log.root == leaf_hash(data)
    return {"policy": "none", "leaf": leaf, "proof": log.proof(0, log.head()).encode().decode()}


def resign_bundle(asked: Json, random: Random) -> Json:
    """A bundle whose body is altered and then signed."""
    outer = bundle_pb2.Bundle()
    try:
        outer.ParseFromString(bytes.fromhex(asked["bytes"])[len(MAGIC) :])
    except DecodeError:  # not every case is a bundle
        return asked
    body = altered_bytes(outer.body, b"", random)
    signature = SIGNING["ALPHA"].sign("hotline/v1/courier", CHARTER, b"\0\1\0\2", body)
    return {"bytes": (MAGIC + encode(bundle_pb2.Bundle(body=body, signature=signature))).hex()}


DEEPER: dict[str, Callable[[Json, Random], Json]] = {
    "prekey": resign_prekey,
    "custody": resign_custody,
    "bundle": resign_bundle,
    "checkpoint": resign_checkpoint,
    "witness": resign_request,
    "envelope": reseal,
    "charter": resign_charter,
    "proof": rebuilt_proof,
}


# --- comparison ------------------------------------------------------------------------------------------------------


def disagreement(one: CaseSet, asked: Json, *, words: bool) -> str:
    """What the two answer, if it is not the same; a refusal's word counts if section 15 gives words for this kind."""
    try:
        ours = answer(one.kind, one.given, asked)
    except Exception as error:  # noqa: BLE001 - any fault of either is what is looked for
        ours = {"fault": repr(error)}
    try:
        theirs = oracle.answer(one.kind, one.given, asked)
    except Exception as error:  # noqa: BLE001 - any fault of either is what is looked for
        theirs = {"fault": repr(error)}
    if not words and not ours.get("accept", True):
        ours = {"accept": False}
    if not words and not theirs.get("accept", True):
        theirs = {"accept": False}
    if ours == theirs and "fault" not in ours:
        return ""
    return f"{one.kind}: product {str(ours)[:300]}, oracle {str(theirs)[:300]}, input {json.dumps(asked)[:2_000]}"


def run(count: int, seed_: int, only: str = "") -> tuple[list[str], Counter[str]]:
    """Alter `count` cases; every disagreement, and how many of each kind were accepted and refused."""
    random = Random(seed_)
    sets = [one for one in load(default_vectors()) if one.kind != "pae" and only in ("", one.kind)]
    weights = [1 / SLOW.get(one.kind, 1) for one in sets]
    words = {one.kind: any("word" in case.expected for case in one.cases) for one in sets}
    found, counts = [], Counter[str]()
    for one in random.choices(sets, weights, k=count):
        case = random.choice(one.cases)
        deeper = DEEPER.get(one.kind)
        if deeper is not None and random.random() < 0.5:
            asked = deeper(case.asked, random)
        else:
            asked = alter(one, case.asked, random)
        told = disagreement(one, asked, words=words[one.kind])
        if told:
            found.append(told)
        counts[one.kind] += 1
    return found, counts


def main() -> int:
    """Run for long, and print every disagreement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="")
    options = parser.parse_args()
    begun = time.monotonic()
    found, counts = run(options.count, options.seed, options.kind)
    for told in found[:20]:
        print(told)
    kinds = " ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))
    print(f"{options.count} altered cases, seed {options.seed}, {time.monotonic() - begun:.0f} s: {kinds}")
    print(f"{len(found)} disagreements")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
