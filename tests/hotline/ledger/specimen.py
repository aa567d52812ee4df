"""A log made at test time, and ways to alter its leaves."""

from __future__ import annotations

import json
from random import Random

from hotline.crypto.signing import SigningKey
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.tree import Frontier
from hotline.machine import Record

BASE = "hotline/ab/ALPHA/main"
ORIGIN = f"{BASE}/1"
KEY = SigningKey.from_seed(bytes(range(32)))
VERIFIER = Ed25519Verifier(ORIGIN, KEY.public)
WALL = 1_795_000_000_000


def make_log(count: int, per_commit: int = 3) -> tuple[list[bytes], list[bytes], dict[int, bytes]]:
    """Leaves, checkpoints, and the stored leaf hashes of a log with `count` entries."""
    ledger = Ledger(BASE, KEY, 1, Frontier(), 0, Random(1).randbytes)
    ledger.signing = True
    leaves: list[bytes] = []
    notes: list[bytes] = []
    stored: dict[int, bytes] = {}
    while len(leaves) < count:
        records = [Record("test", {"number": len(leaves) + i}) for i in range(min(per_commit, count - len(leaves)))]
        staged = ledger.stage(records, WALL + len(leaves) * 1_000)
        ledger.accept(staged)
        (segment,) = staged.segments
        leaves += [entry.leaf for entry in segment.entries]
        notes.append(segment.note)
        stored.update({node.position: node.hash for node, *_ in segment.nodes})
    return leaves, notes, stored


def rewritten(leaf: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(leaf) | changes, separators=(",", ":"), sort_keys=True).encode()
