"""Leaves, commitments, trees, proofs and evidence (docs/protocol.md 13.1, 13.2, 13.8)."""

from __future__ import annotations

import re
from typing import Any

from tests.oracle.content import Json, raw
from tests.oracle.notes import (
    base64_of,
    is_size,
    open_cosigned,
    read_checkpoint,
    read_note,
    read_policy,
    text_bytes,
)
from tests.oracle.primitives import mac, need, sha256

LEAF_MAX, PROOF_MAX, HASHES_MAX, INTEGER_MAX, DEPTH_MAX = 4_096, 65_536, 63, 2**53, 64
HEADER = "c2sp.org/tlog-proof@v1"
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\bfnrt]|\\u[0-9a-f]{4})*)"')
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.\d{3}Z", re.ASCII)
_ORIGIN = re.compile(r"(?P<line>.*)/(?P<party>[^/]*)/(?P<terminal>[^/]*)/(?P<epoch>[1-9][0-9]{0,8})", re.ASCII)
_SHORT = {'"': '"', "\\": "\\", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


# --- canonical JSON, read by its grammar -----------------------------------------------------------------------------


class _Reader:
    """Objects of strings, integers and objects, keys ascending, no space, every sign in its one spelling."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def take(self, sign: str) -> None:
        need(self.text.startswith(sign, self.at))
        self.at += len(sign)

    def string(self) -> str:
        found = _STRING.match(self.text, self.at)
        need(found)
        assert found is not None
        self.at = found.end()
        return _unescaped(found[1])

    def value(self) -> Any:
        sign = self.text[self.at : self.at + 1]
        if sign == '"':
            return self.string()
        if sign == "{":
            return self.object()
        found = _INTEGER.match(self.text, self.at)
        need(found and abs(int(found[0])) < INTEGER_MAX)
        assert found is not None
        self.at = found.end()
        return int(found[0])

    def object(self) -> Json:
        made: Json = {}
        self.depth += 1
        need(self.depth <= DEPTH_MAX)
        self.take("{")
        while not self.text.startswith("}", self.at):
            if made:
                self.take(",")
            name = self.string()
            need(not made or name > max(made))
            self.take(":")
            made[name] = self.value()
        self.take("}")
        self.depth -= 1
        return made


def _unescaped(text: str) -> str:
    """The string of its escapes, each of which must be the only way to write its sign. Raises Refused."""
    made, at = [], 0
    while at < len(text):
        sign = text[at]
        if sign != "\\":
            made.append(sign)
            at += 1
        elif text[at + 1] == "u":
            code = int(text[at + 2 : at + 6], 16)
            need(not 0x20 <= code < 0x7F and chr(code) not in "\b\f\n\r\t")
            at += 6
            if 0xD800 <= code < 0xDC00 and re.match(r"\\ud[c-f]", text[at : at + 4]):
                code = 0x10000 + ((code - 0xD800) << 10) + int(text[at + 2 : at + 6], 16) - 0xDC00
                at += 6
            made.append(chr(code))
        else:
            made.append(_SHORT[text[at + 1]])
            at += 2
    return "".join(made)


def read_leaf(data: bytes) -> Json:
    """Clause 13.1. Raises Refused."""
    need(len(data) <= LEAF_MAX and data.isascii())
    reader = _Reader(data.decode())
    made = reader.object()
    need(reader.at == len(data))
    need(list(made) == ["commit", "epoch", "fields", "rnd", "seq", "ts", "type", "v"] and made["v"] == 1)
    need(all(isinstance(made[name], str) for name in ("rnd", "ts", "type")))
    need(all(isinstance(made[name], int) and made[name] >= 0 for name in ("epoch", "seq", "v")))
    need(all(isinstance(made[name], dict) for name in ("commit", "fields")))
    need(all(isinstance(value, str | int) for value in made["fields"].values()))
    need(all(isinstance(value, str) and _is_hex(value, 64) for value in made["commit"].values()))
    need(_is_hex(made["rnd"], 32) and _is_time(made["ts"]))
    return made


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and not set(text) - set("0123456789abcdef")


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    _, month, day, hour, minute, second = (int(part) for part in found.groups())
    return 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60


def leaf(given: Json, asked: Json) -> Json:
    """Clause 13.1."""
    data = text_bytes(asked["leaf"])
    return {"leaf": read_leaf(data), "hash": leaf_hash(data).hex()}


def committed(salt: bytes, tag: str, value: bytes) -> str:
    """A commitment, in hexadecimal. Raises Refused."""
    need("\0" not in tag)
    return mac(salt, tag.encode() + b"\0" + value).hex()


def opening(given: Json, asked: Json) -> Json:
    """Clause 13.1: whether salt and value open what a leaf commits to."""
    entry = read_leaf(text_bytes(given["leaf"]))
    made = committed(raw(asked["salt"]), asked["tag"], raw(asked["value"]))
    need(entry["commit"].get(asked["tag"]) == made)
    return {"commitment": made}


# --- the tree --------------------------------------------------------------------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962."""
    return sha256(b"\0" + data)


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962."""
    return sha256(b"\1" + left + right)


def half(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, by its recursion."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"")
    cut = half(len(hashes))
    return node(root_of(hashes[:cut]), root_of(hashes[cut:]))


def tree(given: Json, asked: Json) -> Json:
    """RFC 6962 section 2.1: the root of every size."""
    hashes = [raw(one) for one in asked["hashes"]]
    return {"roots": [root_of(hashes[:size]).hex() for size in range(len(hashes) + 1)]}


def included_root(index: int, size: int, hash_: bytes, proof: list[bytes]) -> bytes:
    """The root that a path leads to, from the top down. Raises Refused."""
    if size == 1:
        need(not proof)
        return hash_
    need(proof)
    cut = half(size)
    if index < cut:
        return node(included_root(index, cut, hash_, proof[:-1]), proof[-1])
    return node(proof[-1], included_root(index - cut, size - cut, hash_, proof[:-1]))


def is_included(index: int, size: int, hash_: bytes, proof: list[bytes], root: bytes) -> bool:
    """RFC 6962 section 2.1.1."""
    if not 0 <= index < size or any(len(one) != 32 for one in (hash_, *proof)):
        return False
    return included_root(index, size, hash_, proof) == root


def inclusion(given: Json, asked: Json) -> Json:
    """Clause 13.1."""
    proof = [raw(one) for one in asked["proof"]]
    need(is_included(asked["index"], asked["size"], raw(asked["hash"]), proof, raw(asked["root"])))
    return {}


def both_roots(old: int, size: int, proof: list[bytes], known: bytes | None) -> tuple[bytes, bytes]:
    """RFC 6962 section 2.1.2: the roots of `old` and `size` entries; `known` is the old one where it is left out."""
    if old == size:
        if known is not None:
            need(not proof)
            return known, known
        need(len(proof) == 1)
        return proof[0], proof[0]
    need(proof)
    cut, last = half(size), proof[-1]
    if old <= cut:
        first, second = both_roots(old, cut, proof[:-1], known)
        return first, node(second, last)
    first, second = both_roots(old - cut, size - cut, proof[:-1], None)
    return node(last, first), node(last, second)


def consistency(given: Json, asked: Json) -> Json:
    """Clause 13.6."""
    old, new, proof = asked["old"], asked["new"], [raw(one) for one in asked["proof"]]
    roots = raw(asked["old_root"]), raw(asked["new_root"])
    need(0 < old <= new and all(len(one) == 32 for one in proof))
    need(both_roots(old, new, proof, roots[0]) == roots)
    return {}


# --- proofs and evidence ---------------------------------------------------------------------------------------------


def read_proof(data: bytes) -> tuple[int, list[bytes], bytes]:
    """A C2SP proof: index, path, signed checkpoint. Raises Refused."""
    need(len(data) <= PROOF_MAX)
    head, gap, note = data.partition(b"\n\n")
    need(gap and head.isascii())
    lines = head.decode().split("\n")
    need(lines.pop(0) == HEADER)
    if lines and lines[0].startswith("extra "):
        need(base64_of(lines.pop(0)[6:]))
    need(lines and lines[0].startswith("index ") and is_size(lines[0][6:]))
    index = int(lines.pop(0)[6:])
    path = [base64_of(line) for line in lines]
    need(len(path) <= HASHES_MAX and all(len(one) == 32 for one in path))
    read_checkpoint(read_note(note).text)
    return index, path, note


def proof(given: Json, asked: Json) -> Json:
    """Clause 13.8: a leaf in a log, by a policy."""
    made = read_policy(text_bytes(given["policies"][asked["policy"]]))
    _, exhibit = _exhibit({"data": asked["proof"], "leaf": asked["leaf"]}, made)
    need(made.satisfied(list(exhibit["times"])))
    head = exhibit["head"]
    return {"origin": head.origin, "size": head.size, "index": exhibit["index"], "witnesses": exhibit["times"]}


def _exhibit(shown: Json, made: Any) -> tuple[Any, Json]:
    data = text_bytes(shown["data"])
    if shown.get("leaf") is None:
        head, times = open_cosigned(data, made)
        return head, {"head": head, "times": times, "index": -1, "data": b"", "leaf": None}
    index, path, note = read_proof(data)
    head, times = open_cosigned(note, made)
    leaf_data = text_bytes(shown["leaf"])
    need(is_included(index, head.size, leaf_hash(leaf_data), path, head.root))
    entry = read_leaf(leaf_data)
    need(entry["seq"] == index)
    return head, {"head": head, "times": times, "index": index, "data": leaf_data, "leaf": entry}


def conviction(given: Json, asked: Json) -> Json:
    """Clause 13.8: what two exhibits prove together."""
    made = read_policy(text_bytes(given["policies"][asked["policy"]]))
    (a, left), (b, right) = _exhibit(asked["one"], made), _exhibit(asked["other"], made)
    if a.origin != b.origin:
        found = _mismatch(left["leaf"], a.origin, right["leaf"], b.origin)
        found = found or _mismatch(right["leaf"], b.origin, left["leaf"], a.origin)
        return {"kind": "MISMATCH" if found else None}
    if a.size == b.size and a.root != b.root:
        return {"kind": "FORK-SIZE"}
    if left["index"] == right["index"] >= 0 and left["data"] != right["data"]:
        return {"kind": "FORK-LEAF"}
    for early, late in ((left, right), (right, left)):
        for name, time in early["times"].items():
            if late["times"].get(name, time) > time and late["head"].size < early["head"].size:
                return {"kind": "ROLLBACK"}
    return {"kind": None}


def _mismatch(said: Json | None, sender: str, heard: Json | None, receiver: str) -> bool:
    if said is None or heard is None or (said["type"], heard["type"]) != ("msg.submit", "msg.recv"):
        return False
    there, here = _ORIGIN.fullmatch(sender), _ORIGIN.fullmatch(receiver)
    if there is None or here is None or there["line"] != here["line"] or there["party"] == here["party"]:
        return False
    fields, wanted = heard["fields"], {"party": there["party"], "other": f"{there['party']}/{there['terminal']}"}
    if any(fields.get(name, value) != value for name, value in wanted.items()):
        return False
    if fields.get("peer_log_epoch") != int(there["epoch"]) or fields.get("kind") in ("void", "test-void"):
        return False
    if any(said["fields"].get(name) != fields.get(name) for name in ("plane", "serial")):
        return False
    return bool(
        said["commit"].get("body") != heard["commit"].get("body")
        or said["fields"].get("statement") != fields.get("statement")
    )
