"""The tree against public vectors and against the definition."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.errors import Untrusted
from hotline.ledger.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    frontier_nodes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def grown(count: int) -> tuple[Frontier, dict[tuple[int, int], bytes], list[bytes]]:
    frontier, nodes, leaves = Frontier(), {}, []
    for number in range(count):
        leaves.append(f"entry {number}".encode())
        for node in frontier.append(leaf_hash(leaves[-1])):
            nodes[node.level, node.position] = node.hash
    return frontier, nodes, leaves


def check(raises: bool, call: object, *arguments: object) -> None:
    assert callable(call)
    if raises:
        with pytest.raises((Untrusted, ValueError)):
            call(*arguments)
    else:
        call(*arguments)


@pytest.mark.vectors
def test_public_inclusion_and_consistency_vectors(vectors: Path) -> None:
    """A proof made elsewhere would be refused here, or a false one taken."""
    data = json.loads((vectors / "merkle_testdata.json").read_text())

    def unpack(text: str | None) -> bytes:
        return base64.b64decode(text or "")

    for case in data["inclusion"]:
        proof = [unpack(hash_) for hash_ in case["proof"] or []]
        place = (case["leafIdx"], case["treeSize"])
        check(case["wantErr"], verify_inclusion, *place, unpack(case["leafHash"]), proof, unpack(case["root"]))
    for case in data["consistency"]:
        proof = [unpack(hash_) for hash_ in case["proof"] or []]
        sizes = (case["size1"], case["size2"])
        check(case["wantErr"], verify_consistency, *sizes, proof, unpack(case["root1"]), unpack(case["root2"]))
    assert len(data["inclusion"]) + len(data["consistency"]) == 196


@given(st.integers(0, 70))
def test_the_root_is_the_definitions(count: int) -> None:
    """Two implementations of one log would sign different heads (docs/protocol.md 13.1 and 13.11)."""
    frontier, _, leaves = grown(count)
    assert frontier.root() == naive_root(leaves)


@settings(deadline=None)
@given(st.data())
def test_every_proof_holds_and_no_other(data: st.DataObject) -> None:
    """An entry that was never logged could be proved, or one that was could not."""
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    frontier, nodes, leaves = grown(size)
    proof = inclusion_proof(index, size, lambda level, position: nodes[level, position])
    verify_inclusion(index, size, leaf_hash(leaves[index]), proof, frontier.root())
    with pytest.raises(Untrusted):
        verify_inclusion(index, size, leaf_hash(b"another"), proof, frontier.root())
    if proof:
        with pytest.raises(Untrusted):
            verify_inclusion(index, size, leaf_hash(leaves[index]), proof[:-1], frontier.root())
    old = data.draw(st.integers(1, size))
    path = consistency_proof(old, size, lambda level, position: nodes[level, position])
    verify_consistency(old, size, path, naive_root(leaves[:old]), frontier.root())
    if old < size:
        with pytest.raises(Untrusted):
            verify_consistency(old, size, path, naive_root([*leaves[: old - 1], b"x"]), frontier.root())


@given(st.integers(0, 300))
def test_a_frontier_is_rebuilt_from_stored_nodes(count: int) -> None:
    """After a restart the log would go on from another tree."""
    frontier, nodes, _ = grown(count)
    again = Frontier(count, [nodes[place] for place in frontier_nodes(count)])
    assert again.root() == frontier.root()
    assert [node.hash for node in again.append(leaf_hash(b"next"))] == [
        node.hash for node in frontier.append(leaf_hash(b"next"))
    ]


def test_proofs_of_nothing_are_refused() -> None:
    """`Nothing to prove` must never read as `proved`."""
    with pytest.raises(ValueError):
        inclusion_proof(3, 3, lambda *_: b"")
    with pytest.raises(ValueError):
        consistency_proof(0, 3, lambda *_: b"")
    with pytest.raises(ValueError):
        Frontier(3, [b""])


def test_hashes_of_a_wrong_length_are_refused() -> None:
    """Parted elsewhere, the same 64 bytes hash alike: a log could drop its old entries and prove that it kept them."""
    left, right, new = (leaf_hash(word) for word in (b"left", b"right", b"new"))
    old_root = node_hash(node_hash(left, right), left)
    # Nothing as the old right-hand node, and both nodes where the left one stands, lead to the old root.
    both = node_hash(left, right) + left
    new_root = node_hash(both, node_hash(b"", new + new))
    with pytest.raises(Untrusted, match="wrong length"):
        verify_consistency(3, 4, [b"", new + new, both], old_root, new_root)
    with pytest.raises(Untrusted, match="wrong length"):
        verify_inclusion(0, 2, left, [right + right], node_hash(left, right + right))


@settings(deadline=None)
@given(st.integers(2, 40), st.data())
def test_a_bent_proof_is_refused(size: int, data: st.DataObject) -> None:
    """One wrong hash, or one too many, would still lead somewhere."""
    frontier, nodes, leaves = grown(size)
    old = data.draw(st.integers(1, size - 1))
    path = consistency_proof(old, size, lambda level, position: nodes[level, position])
    place = data.draw(st.integers(0, len(path) - 1))
    bent = [*path[:place], leaf_hash(path[place]), *path[place + 1 :]]
    for proof in (bent, path[:-1], [*path, bytes(32)]):
        with pytest.raises(Untrusted):
            verify_consistency(old, size, proof, naive_root(leaves[:old]), frontier.root())


@pytest.mark.parametrize(("index", "size"), [(1, 8), (0, 5), (3, 7)])
def test_a_root_of_a_smaller_tree_proves_nothing_in_a_larger_one(index: int, size: int) -> None:
    """A log that signs a size with the root of another one could prove an entry at a place of its choice."""
    frontier, nodes, leaves = grown(4)
    proof = inclusion_proof(index, 4, lambda level, position: nodes[level, position])
    verify_inclusion(index, 4, leaf_hash(leaves[index]), proof, frontier.root())
    with pytest.raises(Untrusted, match="too short"):
        verify_inclusion(index, size, leaf_hash(leaves[index]), proof, frontier.root())


def test_a_step_too_many_is_refused_though_it_leads_to_the_roots() -> None:
    """The same for the roots of larger trees than the sizes say (RFC 9162 2.1.3.2 and 2.1.4.2)."""
    frontier, nodes, leaves = grown(8)

    def read(level: int, position: int) -> bytes:
        return nodes[level, position]

    more = b"m" * 32
    proof = [*inclusion_proof(7, 8, read), more]
    with pytest.raises(Untrusted, match="too long"):
        verify_inclusion(7, 8, leaf_hash(leaves[7]), proof, node_hash(more, frontier.root()))
    small, _, _ = grown(4)
    proof = [*consistency_proof(4, 8, read), more]
    with pytest.raises(Untrusted, match="too long"):
        verify_consistency(4, 8, proof, node_hash(more, small.root()), node_hash(more, frontier.root()))


@pytest.mark.parametrize(("old", "new"), [(3, 5), (4, 8), (1, 2), (7, 8)])
def test_an_empty_proof_leads_from_no_size_to_another(old: int, new: int) -> None:
    """A peer could end a terminal with it, or be believed without proof."""
    roots = [grown(size)[0].root() for size in (old, new)]
    with pytest.raises(Untrusted):
        verify_consistency(old, new, [], *roots)
    with pytest.raises(Untrusted):
        verify_consistency(old, new, [], roots[0], roots[0])


def test_a_size_below_zero_or_an_older_one_is_refused() -> None:
    """Nothing is proved about nothing (docs/protocol.md 13.6)."""
    root = grown(3)[0].root()
    for old, new in ((0, 3), (-1, 3), (4, 3), (0, 0)):
        with pytest.raises(Untrusted):
            verify_consistency(old, new, [], root, root)
    for index in (-1, 3, 4):
        with pytest.raises(Untrusted, match="no leaf"):
            verify_inclusion(index, 3, root, [], root)
