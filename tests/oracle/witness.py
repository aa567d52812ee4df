"""What a witness answers to an add-checkpoint request (docs/protocol.md 13.7, 13.17)."""

from __future__ import annotations

import base64

from tests.oracle.content import Json, raw
from tests.oracle.ledger import both_roots
from tests.oracle.notes import (
    COSIGNED,
    LOG,
    Head,
    Key,
    base64_of,
    is_size,
    read_checkpoint,
    read_key,
    read_note,
    text_bytes,
    verified,
)
from tests.oracle.primitives import Refused, need, sha256, sign

REQUEST_MAX, LINES_MAX, NOTE_MAX = 65_536, 63, 65_536


def _parsed(data: bytes) -> tuple[int, list[bytes], bytes, Head]:
    """Old size, proof, note and the head in it. Raises Refused."""
    need(len(data) <= REQUEST_MAX)
    head, gap, note = data.partition(b"\n\n")
    need(gap and head.isascii() and len(note) <= NOTE_MAX)
    first, *lines = head.decode().split("\n")
    need(first.startswith("old ") and is_size(first[4:]) and len(lines) <= LINES_MAX)
    proof = [base64_of(line) for line in lines]
    need(all(len(one) == 32 for one in proof))
    return int(first[4:]), proof, note, read_checkpoint(read_note(note).text)


def _continues(held: Json | None, head: Head, proof: list[bytes]) -> bool:
    if held is None or held["size"] == 0:
        return not proof and (head.size > 0 or head.root == sha256(b""))
    if head.size < held["size"]:
        return False
    roots = raw(held["root"]), head.root
    try:
        return both_roots(held["size"], head.size, proof, roots[0]) == roots
    except Refused:
        return False


def _contradicts(held: Json | None, head: Head) -> bool:
    """Clause 13.7: what does not continue what is held, whoever made the proof."""
    size, root = (held["size"], raw(held["root"])) if held is not None else (0, sha256(b""))
    return bool(head.root != root) if head.size == size else 0 < size < head.size


def _told(status: int, held: int | None = None, answer: str = "", *, evidence: bool = False) -> Json:
    return {"status": status, "held": held, "evidence": evidence, "answer": answer}


def witness(given: Json, asked: Json) -> Json:
    """Clause 13.17."""
    logs = {key.name: key for key in (read_key(text, (LOG,)) for text in given["logs"])}
    try:
        old, proof, note, head = _parsed(text_bytes(asked["request"]))
    except Refused:
        return _told(400)
    if head.origin not in logs:
        return _told(404)
    try:
        verified(read_note(note), [logs[head.origin]])
    except Refused:
        return _told(403)
    size = asked["held"]["size"] if asked["held"] is not None else 0
    if old > head.size:
        return _told(400)
    if old != size:
        return _told(409, size)
    if not _continues(asked["held"], head, proof):
        return _told(422, evidence=_contradicts(asked["held"], head))
    public, signature = sign(raw(given["seed"]), b"cosignature/v1\ntime %d\n" % given["time"] + read_note(note).text)
    value = Key(given["witness"], COSIGNED, public).id + given["time"].to_bytes(8, "big") + signature
    return _told(200, None, f"\u2014 {given['witness']} {base64.b64encode(value).decode()}\n")
