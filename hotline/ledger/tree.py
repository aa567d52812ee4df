"""The RFC 6962 Merkle tree over SHA-256: appending, proving, checking. Pure arithmetic over stored nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from hotline.errors import Untrusted

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

ReadNode = Callable[[int, int], bytes]
"""`read(level, index)` returns the stored hash of a complete node."""


class Node(NamedTuple):
    """A complete subtree of 2**level leaves, the position-th from the left."""

    level: int
    position: int
    hash: bytes


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier_nodes(size: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that make a tree of `size` leaves, largest first."""
    nodes = []
    done = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            nodes.append((level, done >> level))
            done += 1 << level
    return nodes


class Frontier:
    """The right edge of a tree: enough to append and to know the root."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """`hashes` belong to `frontier_nodes(size)`, in that order."""
        if len(hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} edge nodes, got {len(hashes)}")
        self.size = size
        self.hashes = list(hashes)

    def copy(self) -> Frontier:
        """An independent copy."""
        return Frontier(self.size, self.hashes)

    def append(self, leaf: bytes) -> list[Node]:
        """Add one leaf by its hash; returns every node completed by it, level 0 first."""
        level, index, current = 0, self.size, leaf
        nodes = [Node(0, index, current)]
        while index & 1:
            current = node_hash(self.hashes.pop(), current)
            level, index = level + 1, index >> 1
            nodes.append(Node(level, index, current))
        self.hashes.append(current)
        self.size += 1
        return nodes

    def root(self) -> bytes:
        """The Merkle tree hash of everything appended."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def _subtree(begin: int, end: int, read: ReadNode) -> bytes:
    """Hash of the leaves [begin, end), where begin is a multiple of the largest power of two below the length."""
    frontier = [read(level, (begin >> level) + index) for level, index in frontier_nodes(end - begin)]
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """RFC 6962 section 2.1.1. Raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    proof = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_subtree(middle, end, read))
            end = middle
        else:
            proof.append(_subtree(begin, middle, read))
            begin = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """RFC 6962 section 2.1.2. Raises ValueError unless 0 < old <= new."""
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from {old} to {new}")
    proof = []
    begin, end, whole = 0, new, True
    while end - begin > 1 and old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(_subtree(middle, end, read))
            end = middle
        else:
            proof.append(_subtree(begin, middle, read))
            begin, whole = middle, False
    if not whole:
        proof.append(_subtree(begin, end, read))
    return proof[::-1]


def _check_hashes(kind: str, proof: Sequence[bytes]) -> None:
    # Two neighbours of wrong lengths that add up to 64 bytes hash like two right ones: another tree, the same root.
    if any(len(hash_) != HASH_SIZE for hash_ in proof):
        raise Untrusted(kind, "a hash of the wrong length in the proof")


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2; `leaf` is a leaf hash. Raises Untrusted."""
    if not 0 <= index < size:
        raise Untrusted("inclusion", f"no leaf {index} in a tree of {size}")
    if len(leaf) != HASH_SIZE:
        raise Untrusted("inclusion", "not a leaf hash")
    _check_hashes("inclusion", proof)
    position, last, current = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise Untrusted("inclusion", "the proof is too long")
        if position & 1 or position == last:
            current = node_hash(hash_, current)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, hash_)
        position, last = position >> 1, last >> 1
    if last:
        raise Untrusted("inclusion", "the proof is too short")
    if current != root:
        raise Untrusted("inclusion", "the proof leads to another root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """RFC 9162 section 2.1.4.2. Raises Untrusted; an old size of 0 proves nothing and is refused."""
    if not 0 < old <= new:
        raise Untrusted("consistency", f"from {old} to {new}")
    _check_hashes("consistency", proof)
    if old == new:
        if proof or old_root != new_root:
            raise Untrusted("consistency", "one size, two roots" if old_root != new_root else "the proof is too long")
        return
    if not proof:
        raise Untrusted("consistency", "the proof is empty")
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for hash_ in path[1:]:
        if last == 0:
            raise Untrusted("consistency", "the proof is too long")
        if position & 1 or position == last:
            first, second = node_hash(hash_, first), node_hash(hash_, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, hash_)
        position, last = position >> 1, last >> 1
    if last or first != old_root or second != new_root:
        raise Untrusted("consistency", "the proof does not lead from one root to the other")
