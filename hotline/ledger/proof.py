"""C2SP proofs: one leaf is in a signed log, checkable offline by whoever has the log's key (c2sp.org/tlog-proof)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hotline.errors import Malformed, Untrusted
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, parse_size
from hotline.ledger.note import Verifier, decode_base64, parse_note
from hotline.ledger.policy import Policy, open_cosigned, require_quorum
from hotline.ledger.record import Leaf, parse_leaf
from hotline.ledger.tree import HASH_SIZE, ReadNode, inclusion_proof, leaf_hash, verify_inclusion

HEADER: Final = "c2sp.org/tlog-proof@v1"
PROOF_BYTES_MAX: Final = 65_536
"""Room for the checkpoint with many cosignatures, also post-quantum ones."""
HASHES_MAX: Final = 63
"""A tree of 2**63 leaves has no longer path."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it is written. Nothing in it is verified, and `extra` is covered by no signature at all."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        """The proof's one spelling; `note` stands in it byte by byte."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(hash_).decode() for hash_ in self.hashes]
        return "\n".join(lines).encode() + b"\n\n" + self.note


@dataclass(frozen=True, slots=True)
class Proven:
    """A leaf that is in the log, and the signed state of the log that says so."""

    leaf: Leaf
    checkpoint: Checkpoint
    witnesses: Mapping[str, int]
    """Who cosigned that state, by the names of the policy, and when (Unix seconds)."""


def make_proof(index: int, note: bytes, read: ReadNode, extra: bytes = b"") -> Proof:
    """The proof for leaf `index` under the signed checkpoint `note`. Raises Malformed, or ValueError: no such leaf."""
    size = parse_checkpoint(parse_note(note).text).size
    return Proof(index, tuple(inclusion_proof(index, size, read)), note, extra)


def parse_proof(data: bytes) -> Proof:
    """Parse a proof in its one spelling. Raises Malformed."""
    if len(data) > PROOF_BYTES_MAX:
        raise Malformed("too-long", f"proof of {len(data)} bytes")
    head, gap, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("proof", "not ASCII before the checkpoint") from error
    if not gap or lines[0] != HEADER:
        raise Malformed("proof", "not a proof of a known version")
    rest = lines[1:]
    extra = b""
    if rest and rest[0].startswith("extra "):
        extra = decode_base64(rest.pop(0).removeprefix("extra "))
        if not extra:
            raise Malformed("proof", "an empty extra line")
    if not rest or not rest[0].startswith("index "):
        raise Malformed("proof", "no index")
    index = parse_size(rest.pop(0).removeprefix("index "))
    if len(rest) > HASHES_MAX:
        raise Malformed("proof", f"{len(rest)} hashes")
    hashes = tuple(decode_base64(line) for line in rest)
    if any(len(hash_) != HASH_SIZE for hash_ in hashes):
        raise Malformed("proof", "a hash that is not 32 bytes")
    parse_checkpoint(parse_note(note).text)
    return Proof(index, hashes, note, extra)


def verify_proof(data: bytes, leaf: bytes, verifier: Verifier) -> Proven:
    """Check that `leaf` is in the log whose key, given from outside, is `verifier`. Raises Malformed or Untrusted.

    The log's origin is the name of its key. A leaf that says it stands elsewhere than where it is proved is refused.
    """
    proof = parse_proof(data)
    checkpoint = open_checkpoint(proof.note, verifier.name, verifier, PROOF_BYTES_MAX)
    return Proven(_included(proof, leaf, checkpoint), checkpoint, {})


def verify_cosigned(data: bytes, leaf: bytes, policy: Policy) -> Proven:
    """The same by a policy. Raises Malformed or Untrusted; Untrusted('no-quorum') if all holds but too few cosigned."""
    proof = parse_proof(data)
    vouched = open_cosigned(proof.note, policy)
    proven = Proven(_included(proof, leaf, vouched.checkpoint), vouched.checkpoint, vouched.witnesses)
    require_quorum(vouched, policy)
    return proven


def _included(proof: Proof, data: bytes, checkpoint: Checkpoint) -> Leaf:
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(data), proof.hashes, checkpoint.root)
    leaf = parse_leaf(data)
    if leaf.seq != proof.index:
        raise Untrusted("sequence", f"entry {proof.index} says it is entry {leaf.seq}")
    return leaf
