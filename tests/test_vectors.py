"""The published vectors against the code, and against an independent opener on another library."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotline.crypto.signing import pae, verify
from hotline.errors import Malformed
from hotline.ledger.checkpoint import open_checkpoint
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import leaf_hash
from hotline.wire.codec import decode_frame
from hotline.wire.envelope import decode_header
from hotline.wire.inner import ContentType, decode_inner
from tests import oracle

ROOT = Path(__file__).parent.parent
VECTORS: dict[str, Any] = json.loads((ROOT / "docs" / "vectors" / "v1.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def test_they_are_what_the_code_makes() -> None:
    """A change of the wire format would pass unnoticed, and the published file would lie."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import make_vectors
    finally:
        sys.path.pop(0)
    assert make_vectors.make(VECTORS) == VECTORS


def test_pae() -> None:
    """Two implementations would sign different bytes."""
    for case in VECTORS["pae"]:
        parts = [raw(part) for part in case["parts"]]
        assert pae(case["label"], *parts) == oracle.pae(case["label"], *parts) == raw(case["result"])


@pytest.mark.parametrize(
    ("part", "parse"),
    [
        ("header", decode_header),
        ("frame", decode_frame),
        ("inner", lambda data: decode_inner(data, padded=True)),
    ],
)
def test_accepted_and_refused_bytes(part: str, parse: Callable[[bytes], object]) -> None:
    """What one implementation takes another would refuse."""
    for data in VECTORS[part]["accepted"]:
        parse(raw(data))
    for case in VECTORS[part]["rejected"]:
        with pytest.raises(Malformed) as caught:
            parse(raw(case["bytes"]))
        assert caught.value.reason == case["word"]


def test_an_independent_opener_opens_every_envelope() -> None:
    """The specification would not be enough to talk to us (docs/protocol.md 6.2)."""
    epoch, prekey = VECTORS["epoch"], VECTORS["prekey"]
    ends = (VECTORS["sender"], VECTORS["recipient"])
    first = raw(VECTORS["envelopes"][0]["envelope"])
    secret, chains = oracle.open_epoch(
        raw(prekey["seed"]), raw(epoch["pairwise"]), raw(VECTORS["charter"]), ends, "real", raw(prekey["name"]), first
    )
    assert secret == raw(epoch["secret"])
    assert (chains.durable, chains.transient) == (raw(epoch["durable_root"]), raw(epoch["transient_root"]))
    sender = VECTORS["sender"].to_bytes(2, "big")
    recipient = VECTORS["recipient"].to_bytes(2, "big")
    for case in VECTORS["envelopes"]:
        kind, content, signature = oracle.open_next(chains, raw(case["envelope"]))
        assert (content, signature) == (raw(case["content"]), raw(case["signature"]))
        assert ContentType(kind).name.lower() == case["type"]
        address = (sender,) if case["type"] == "statement" else (sender, recipient)
        parts = (raw(VECTORS["charter"]), *address, content)
        verify(raw(VECTORS["sender_signing_public"]), signature, case["label"], *parts)
        if "name" in case:
            assert hashlib.sha256(oracle.pae(case["label"], *parts)).hexdigest() == case["name"]


def test_overhead_is_within_the_wire_budget() -> None:
    """A statement would take longer on a slow line than was promised (docs/protocol.md 6.4)."""
    for case, overhead in zip(VECTORS["envelopes"], (1_310, 138, 138, 138), strict=True):
        envelope = len(raw(case["envelope"]))
        padded = envelope - overhead + 68  # type, length and signature are counted as overhead, and lie in the padding
        assert padded in (128, 256, 512, 1_024)
    assert len(raw(VECTORS["envelopes"][3]["envelope"])) <= 200


def test_prekey_custody_and_ledger() -> None:
    """A signature of ours could not be checked by anybody else."""
    prekey, custody, ledger = VECTORS["prekey"], VECTORS["custody"], VECTORS["ledger"]
    ends = (raw(VECTORS["charter"]), prekey["terminal"].to_bytes(2, "big"), raw(prekey["body"]))
    verify(raw(prekey["signing_public"]), raw(prekey["signature"]), "hotline/v1/prekey", *ends)
    assert hashlib.sha256(oracle.pae("hotline/v1/prekey", *ends)).hexdigest() == prekey["name"]
    verify(raw(custody["public"]), raw(custody["signature"]), "hotline/v1/custody", raw(custody["body"]))
    leaf = ledger["leaf"].encode()
    assert parse_leaf(leaf).seq == 0
    assert leaf_hash(leaf).hex() == ledger["leaf_hash"]
    head = open_checkpoint(ledger["checkpoint"].encode(), ledger["origin"], raw(ledger["public"]))
    assert (head.size, head.root.hex()) == (1, ledger["leaf_hash"])
