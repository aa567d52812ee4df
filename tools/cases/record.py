"""Leaves of every type, commitments, the tree and its proofs."""

from __future__ import annotations

import re
from typing import Any

from hotline.ledger.record import commitment, make_entry
from hotline.ledger.tree import Frontier, consistency_proof, inclusion_proof, leaf_hash
from hotline.machine import Private, Record
from tools.cases.contents import SALT, TEXTS
from tools.cases.keys import NOW, flip, seed
from tools.cases.writing import TARGET, Cases

TABLES = TARGET.parent / "tables.md"
NUMBERS = {
    "at", "by_ms", "composed", "count", "first", "generation", "here", "last", "log_epoch", "missed", "new", "of",
    "offset_ms", "peer", "peer_log_epoch", "peer_size", "serial", "shown", "size", "terminal", "through", "up",
    "witnessed", "clock",
}  # fmt: skip
WORDS = {
    "signature": seed("signature", 64).hex(),
    "beats": "relay-1=120/119 relay-2=120/120", "by": "witnesses", "dtg": "181106Z NOV 26", "kind": "text",
    "lang": "ur", "path": "relay-1", "paths": "relay-1 relay-2", "plane": "real", "presence": "PRESENCE_CLOSING",
    "previous": "hotline/alpha-bravo/ALPHA/main/1", "reason": "signature", "relay": "relay-1", "serials": "3-5 8",
    "state": "suspect", "version": "0.1.0", "way": "received", "name": "no-path",
}  # fmt: skip
PRIVATE = {
    "body": TEXTS[0], "drafter": "duty-1", "precedence": "IMMEDIATE", "officer": "duty-1", "who": "auditor-1",
    "what": "entries 0 to 99", "officers": "drafter duty-1, releaser duty-2", "reason": "The hour is wrong.",
    "translator": "A. Reader", "principal": "The President",
    "mandates": "", "outgoing": "duty-1", "oncoming": "duty-2", "notes": "Relay-2 is down until 14:00Z.",
    "steps": '{"steps":[["done",""]]}',
}  # fmt: skip


def made() -> list[Cases]:
    """Five kinds."""
    return [_leaves(), _openings(), _trees(), _inclusions(), _consistencies()]


def leaf(seq: int, kind: str, fields: dict[str, Any], private: tuple[str, ...] = (), epoch: int = 1) -> bytes:
    """A leaf whose blinder and salts are made from its number and type."""
    hidden = {tag: Private(PRIVATE[tag].encode(), SALT if tag == "body" else b"") for tag in private}
    drawn = iter(range(100))
    record = Record(kind, fields, hidden)
    return make_entry(seq, NOW + seq, epoch, record, lambda size: seed(f"{kind} {seq} {next(drawn)}", size)).leaf


def types() -> list[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """Every type of the specification's table, with all its fields."""
    table = TABLES.read_text().split("## Records\n", 1)[1].split("\n### ", 1)[0]
    found = []
    for line in table.splitlines():
        row = re.fullmatch(r"\| `([a-z.]+)` \| ([^|]*)\| ([^|]*)\| .*\|", line)
        if row:
            names = re.findall(r"[a-z_]+", row[2])
            found.append((row[1], {name: _value(name) for name in names}, tuple(re.findall("[a-z]+", row[3]))))
    assert len(found) > 40, "the table of records is not where it was"
    return found


def _value(name: str) -> str | int:
    if name in NUMBERS:
        return 1_000 + len(name)
    return WORDS.get(name) or seed(f"field {name}", 12 if name == "epoch" else 32).hex()


def _leaves() -> Cases:
    cases = Cases(
        "leaf", "13.1, 13.11 to 13.13", "A leaf and its hash. Fields of a leaf depend on its type; their names do not."
    )
    good = leaf(7, "path.state", {"path": "relay-1", "state": "up"}).decode()
    accepted = {
        "an unknown type": leaf(0, "later.kind", {"x": "y"}),
        "no type": leaf(0, "", {}),
        "every sign that is spelled in a way of its own": leaf(
            0, "x", {"a": '"\\\n\r\t\b\f/\x00\x1f\x7f\x80é\u2028😀'}
        ),
        "lone surrogate": leaf(0, "x", {"a": "\ud800"}),
        "names in the order of their signs": leaf(0, "x", {"b": 1, "B": 2, "a-b": 3, "a.b": 4, "ab": 5, "": 6}),
        "names beyond ASCII, in the order of their signs": leaf(0, "x", {"é": 1, "z": 2, "😀": 3, "\uffff": 4}),
        "numbers": leaf(0, "x", {"a": 0, "b": -1, "c": 2**53 - 1, "d": -(2**53) + 1}),
        "the highest place": leaf(0, "x", {}).replace(b'"seq":0', b'"seq":9007199254740991'),
        "the largest leaf": leaf(0, "x", {"a": "x" * (4_096 - len(leaf(0, "x", {"a": ""})))}),
    }
    for why, data in accepted.items():
        cases.good(why, leaf=data.decode())
    for why, old, new in (
        ("a space", '"seq":7', '"seq": 7'),
        ("a line end behind it", '"v":1}', '"v":1}\n'),
        ("no version", ',"v":1', ""),
        ("another version", '"v":1', '"v":2'),
        ("a version that is true", '"v":1', '"v":true'),
        ("a version with a fraction", '"v":1', '"v":1.0'),
        ("one more member", '"v":1}', '"v":1,"w":1}'),
        ("a member twice", '"v":1}', '"v":1,"v":1}'),
        ("members not sorted", '{"commit":{},"epoch":1', '{"epoch":1,"commit":{}'),
        ("a number with a leading zero", '"seq":7', '"seq":07'),
        ("a number with an exponent", '"seq":7', '"seq":7e0'),
        ("a negative place", '"seq":7', '"seq":-7'),
        ("minus zero", '"seq":7', '"seq":-0'),
        ("a place of 2^53", '"seq":7', f'"seq":{2**53}'),
        ("a place as a string", '"seq":7', '"seq":"7"'),
        ("a log epoch as a string", '"epoch":1', '"epoch":"1"'),
        ("a type that is a number", '"type":"path.state"', '"type":1'),
        ("fields that are a list", '"fields":{"path":"relay-1","state":"up"}', '"fields":[]'),
        ("a field that is true", '"state":"up"', '"state":true'),
        ("a field that is null", '"state":"up"', '"state":null'),
        ("a field that is an object", '"state":"up"', '"state":{}'),
        ("a field that is a fraction", '"state":"up"', '"state":1.5'),
        ("a field of 2^53", '"state":"up"', f'"state":{2**53}'),
        ("a field that is no number", '"state":"up"', '"state":NaN'),
        ("fields not sorted", '"path":"relay-1","state":"up"', '"state":"up","path":"relay-1"'),
        ("a field twice", '"state":"up"', '"state":"up","state":"up"'),
        ("a slash spelled out", '"up"', '"\\/"'),
        ("a letter spelled out", '"up"', '"\\u0075p"'),
        ("hexadecimal in capitals", '"up"', '"\\u00E9"'),
        ("a letter beyond ASCII as it is", '"up"', '"é"'),
        ("a control sign as it is", '"up"', '"\x01"'),
        ("delete as it is", '"up"', '"\x7f"'),
        ("a commitment of 63 digits", '"commit":{}', f'"commit":{{"body":"{"a" * 63}"}}'),
        ("a commitment in capitals", '"commit":{}', f'"commit":{{"body":"{"A" * 64}"}}'),
        ("a commitment that is a number", '"commit":{}', '"commit":{"body":1}'),
        ("a time without milliseconds", ".007Z", "Z"),
        ("a time with an offset", ".007Z", ".007+00:00"),
        ("month 13", "-11-", "-13-"),
        ("hour 24", "T", "T2"),
        ("a time in other digits", ".007Z", ".\\u06607Z"),
    ):  # fmt: skip
        assert old in good, (why, good)
        cases.bad("", why, leaf=good.replace(old, new, 1))
    blinder = re.findall('"rnd":"([0-9a-f]{32})"', good)[0]
    cases.bad("", "a blinder of 31 digits", leaf=good.replace(blinder, blinder[:-1]))
    cases.bad("", "a blinder of 33 digits", leaf=good.replace(blinder, blinder + "0"))
    cases.bad("", "nothing", leaf="")
    cases.bad("", "a list", leaf="[]")
    cases.bad("", "cut", leaf=good[:-1])
    cases.bad("", "a byte order mark", leaf="hex:efbbbf" + good.encode().hex())
    cases.bad(
        "", "one byte more than LEAF_BYTES_MAX", leaf=accepted["the largest leaf"].decode().replace("xx", "xxx", 1)
    )
    cases.bad("", "deep", leaf='{"commit":' + "[" * 2_000)
    for kind, fields, private in types():
        cases.good(kind, leaf=leaf(7, kind, fields, private).decode())
    return cases


def _openings() -> Cases:
    data = leaf(3, "msg.submit", {"plane": "real", "serial": 3}, ("body", "drafter"))
    cases = Cases(
        "opening", "13.1, 13.12", "Whether salt and value open what the given leaf commits to.", {"leaf": data.decode()}
    )
    salt = seed("msg.submit 3 0")
    body = {"tag": "body", "salt": SALT.hex(), "value": TEXTS[0].encode().hex()}
    drafter = {"tag": "drafter", "salt": salt.hex(), "value": b"duty-1".hex()}
    assert commitment(salt, "drafter", b"duty-1").hex() in data.decode()
    cases.good("the text, with the salt of the statement", **body)
    cases.good("the drafter", **drafter)
    for why, wrong in (
        ("another salt", body | {"salt": flip(SALT, 0).hex()}),
        ("another value", body | {"value": TEXTS[1].encode().hex()}),
        ("a value with a byte more", body | {"value": body["value"] + "00"}),
        ("the right value under another tag", body | {"tag": "drafter"}),
        ("a tag that is not in the leaf", body | {"tag": "officer"}),
        ("no salt", body | {"salt": ""}),
    ):
        cases.bad("", why, **wrong)
    return cases


SIZE = 11


def _nodes() -> tuple[list[bytes], Frontier, dict[tuple[int, int], bytes], list[bytes]]:
    hashes = [leaf_hash(b"leaf %d" % n) for n in range(SIZE)]
    frontier, nodes, roots = Frontier(), {}, [Frontier().root()]
    for hash_ in hashes:
        for node in frontier.append(hash_):
            nodes[node.level, node.position] = node.hash
        roots.append(frontier.root())
    return hashes, frontier, nodes, roots


def _trees() -> Cases:
    cases = Cases("tree", "13.1, 13.11", "Leaf hashes, and the root of every size from 0.")
    hashes = _nodes()[0]
    cases.good("no leaf", hashes=[])
    cases.good("eleven leaves", hashes=[hash_.hex() for hash_ in hashes])
    cases.good("a leaf eight times", hashes=[hashes[0].hex()] * 8)
    return cases


def _inclusions() -> Cases:
    cases = Cases("inclusion", "13.1, 13.18", "A path from a leaf hash to a root.")
    hashes, _, nodes, roots = _nodes()

    def asked(index: int, size: int) -> dict[str, Any]:
        proof = inclusion_proof(index, size, lambda level, place: nodes[level, place])
        return {
            "index": index, "size": size, "hash": hashes[index].hex(), "proof": [hash_.hex() for hash_ in proof],
            "root": roots[size].hex(),
        }  # fmt: skip

    for size in range(1, SIZE + 1):
        for index in sorted({0, size // 2, size - 1}):
            cases.good(f"leaf {index} of {size}", **asked(index, size))
    good = asked(5, SIZE)
    proof, root = good["proof"], good["root"]
    for why, change in (
        ("another index", {"index": 4}),
        ("another size", {"size": 8}),
        ("another root", {"root": roots[SIZE - 1].hex()}),
        ("another leaf", {"hash": hashes[4].hex()}),
        ("a path that is too short", {"proof": proof[:-1]}),
        ("a path that is too long", {"proof": [*proof, proof[0]]}),
        ("no path", {"proof": []}),
        ("two steps exchanged", {"proof": [proof[1], proof[0], *proof[2:]]}),
        ("one bit turned", {"proof": [flip(bytes.fromhex(proof[0]), 3).hex(), *proof[1:]]}),
        ("a step of 31 bytes", {"proof": [proof[0][2:], *proof[1:]]}),
        ("an index beyond the tree", {"index": SIZE}),
        ("a negative index", {"index": -1}),
        ("an empty tree", {"index": 0, "size": 0, "proof": [], "root": roots[0].hex()}),
        ("a leaf hash of 31 bytes", {"hash": good["hash"][2:]}),
        ("the root as its own leaf", {"index": 0, "size": 2, "hash": root, "proof": []}),
    ):
        cases.bad("", why, **good | change)
    # Two neighbours of wrong lengths hash like two right ones.
    joined = bytes.fromhex(proof[0]) + hashes[5]
    cases.bad(
        "",
        "neighbours cut in another place",
        **good | {"proof": [joined[:31].hex(), *proof[1:]], "hash": joined[31:].hex()},
    )
    return cases


def _consistencies() -> Cases:
    cases = Cases("consistency", "13.6", "A proof that a larger tree continues a smaller one.")
    _, _, nodes, roots = _nodes()

    def asked(old: int, new: int) -> dict[str, Any]:
        proof = consistency_proof(old, new, lambda level, place: nodes[level, place])
        roots_ = {"old_root": roots[old].hex(), "new_root": roots[new].hex()}
        return {"old": old, "new": new, "proof": [hash_.hex() for hash_ in proof], **roots_}

    for new in range(1, SIZE + 1):
        for old in sorted({1, new // 2 or 1, new - 1 or 1, new}):
            cases.good(f"{new} after {old}", **asked(old, new))
    good, whole = asked(6, SIZE), asked(8, SIZE)
    proof = good["proof"]
    for why, wrong in (
        ("from nothing", asked(1, SIZE) | {"old": 0, "old_root": roots[0].hex(), "proof": []}),
        ("backwards", good | {"old": SIZE, "new": 6}),
        ("another old root", good | {"old_root": roots[5].hex()}),
        ("another new root", good | {"new_root": roots[5].hex()}),
        ("another old size", good | {"old": 5}),
        ("another new size", good | {"new": 8}),
        ("no proof", good | {"proof": []}),
        ("too short", good | {"proof": proof[:-1]}),
        ("too long", good | {"proof": [*proof, proof[0]]}),
        ("two steps exchanged", good | {"proof": [proof[1], proof[0], *proof[2:]]}),
        ("one bit turned", good | {"proof": [flip(bytes.fromhex(proof[0]), 3).hex(), *proof[1:]]}),
        ("a step of 31 bytes", good | {"proof": [proof[0][2:], *proof[1:]]}),
        ("one size, two roots", asked(6, 6) | {"new_root": roots[5].hex()}),
        ("one size with a proof", asked(6, 6) | {"proof": [proof[0]]}),
        ("the old root once more in the proof", whole | {"proof": [whole["old_root"], *whole["proof"]]}),
    ):
        cases.bad("", why, **wrong)
    return cases
