"""The export: files that programs of others read, byte for byte as they write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotline.errors import Malformed
from hotline.ledger.tiles import (
    bundled_leaves,
    entry_bundles,
    hash_tiles,
    split_bundle,
    stored_hashes,
    tile_path,
)
from hotline.ledger.tree import Frontier, leaf_hash, node_hash


def tree(leaves: list[bytes]) -> tuple[dict[tuple[int, int], bytes], bytes]:
    frontier, nodes = Frontier(), {}
    for leaf in leaves:
        nodes.update({(node.level, node.position): node.hash for node in frontier.append(leaf_hash(leaf))})
    return nodes, frontier.root()


def files_of(leaves: list[bytes]) -> dict[str, bytes]:
    nodes, _ = tree(leaves)
    return dict(entry_bundles(leaves)) | dict(hash_tiles(len(leaves), lambda level, i: nodes[level, i]))


@pytest.mark.vectors
def test_our_files_are_those_of_another_program(vectors: Path) -> None:
    """No other program could read the record in thirty years (docs/protocol.md 13.18)."""
    folder = vectors / "tessera_testlog"
    last = (folder / "tile/entries/000.p/15").read_bytes()
    leaves = split_bundle(last, 15)
    for size in range(1, 16):
        files = files_of(leaves[:size])
        assert files == {path: (folder / path).read_bytes() for path in files}
        assert set(files) == {f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"}


def test_paths_are_the_published_ones() -> None:
    """Files would stand where nobody looks for them."""
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(None, 0, 112) == "tile/entries/000.p/112"
    assert tile_path(1, 1000) == "tile/1/x001/000"
    assert tile_path(2, 999, 1) == "tile/2/999.p/1"


def test_the_published_example_of_sizes() -> None:
    """A larger log would be exported with tiles missing or doubled."""
    paths = [path for path, _ in hash_tiles(70_000, lambda level, i: bytes(32))]
    level0 = [path for path in paths if path.startswith("tile/0/")]
    assert (len(level0), level0[-1]) == (274, "tile/0/273.p/112")
    assert [path for path in paths if not path.startswith("tile/0/")] == [
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert [path for path, _ in hash_tiles(256, lambda level, i: bytes(32))] == ["tile/0/000", "tile/1/000.p/1"]


def test_every_entry_comes_back() -> None:
    """An export would hold less than the log."""
    leaves = [b"%d" % index * (index % 7) for index in range(700)]
    files = files_of(leaves)
    assert list(bundled_leaves(700, files.__getitem__)) == leaves
    assert list(stored_hashes(700, files.__getitem__)) == [leaf_hash(leaf) for leaf in leaves]
    level1 = files["tile/1/000.p/2"]
    hashes = [leaf_hash(leaf) for leaf in leaves[:256]]
    while len(hashes) > 1:
        hashes = [node_hash(*hashes[i : i + 2]) for i in range(0, len(hashes), 2)]
    assert level1[:32] == hashes[0]


def test_bundles_hold_exactly_their_entries() -> None:
    """An entry could be hidden behind the last one or cut from it."""
    (path, data), *_ = entry_bundles([b"one", b"two"])
    assert path == "tile/entries/000.p/2"
    for bad in (data + b"\0", data[:-1], data[:4], b""):
        with pytest.raises(Malformed):
            split_bundle(bad, 2)
    with pytest.raises(Malformed):
        list(entry_bundles([bytes(65_536)]))
    list(entry_bundles([bytes(65_535)]))
    with pytest.raises(Malformed):
        list(stored_hashes(2, lambda path: bytes(63)))
