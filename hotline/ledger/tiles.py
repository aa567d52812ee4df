"""A log as static files that other programs read: C2SP tiles and entry bundles (c2sp.org/tlog-tiles)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hotline.errors import Malformed
from hotline.ledger.tree import ReadNode

WIDTH: Final = 256
_HEIGHT: Final = 8
_LENGTH_BYTES: Final = 2
ENTRY_BYTES_MAX: Final = 65_535


def tile_path(level: int | None, index: int, width: int = WIDTH) -> str:
    """Where a tile stands; `level` None means a bundle of entries."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    kind = "entries" if level is None else str(level)
    return f"tile/{kind}/{name}" + ("" if width == WIDTH else f".p/{width}")


def spans(count: int) -> Iterator[tuple[int, int]]:
    """(index, width) of the tiles that hold `count` hashes or entries."""
    for index in range(count // WIDTH):
        yield index, WIDTH
    if count % WIDTH:
        yield count // WIDTH, count % WIDTH


def hash_tiles(size: int, read: ReadNode) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every hash tile of a tree of `size` leaves."""
    level = 0
    while size >> _HEIGHT * level:
        for index, width in spans(size >> _HEIGHT * level):
            hashes = [read(_HEIGHT * level, index * WIDTH + offset) for offset in range(width)]
            yield tile_path(level, index, width), b"".join(hashes)
        level += 1


def entry_bundles(leaves: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every bundle. Raises Malformed for a leaf that no bundle can hold."""
    index = 0
    parts: list[bytes] = []
    for leaf in leaves:
        if len(leaf) > ENTRY_BYTES_MAX:
            raise Malformed("too-long", f"entry of {len(leaf)} bytes")
        parts += [len(leaf).to_bytes(_LENGTH_BYTES, "big"), leaf]
        if len(parts) == 2 * WIDTH:
            yield tile_path(None, index), b"".join(parts)
            index, parts = index + 1, []
    if parts:
        yield tile_path(None, index, len(parts) // 2), b"".join(parts)


def split_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle. Raises Malformed unless it holds exactly these."""
    entries = []
    offset = 0
    for _ in range(width):
        length = int.from_bytes(data[offset : offset + _LENGTH_BYTES], "big")
        entry = data[offset + _LENGTH_BYTES : offset + _LENGTH_BYTES + length]
        if len(data) < offset + _LENGTH_BYTES or len(entry) != length:
            raise Malformed("bundle", "shorter than it says")
        entries.append(entry)
        offset += _LENGTH_BYTES + length
    if offset != len(data):
        raise Malformed("bundle", "longer than it says")
    return entries


def bundled_leaves(size: int, read: Callable[[str], bytes]) -> Iterator[bytes]:
    """The first `size` entries of exported files; `read(path)` may raise. Raises Malformed."""
    for index, width in spans(size):
        yield from split_bundle(read(tile_path(None, index, width)), width)


def stored_hashes(size: int, read: Callable[[str], bytes]) -> Iterator[bytes]:
    """The leaf hashes of the first `size` entries as the export has them. Raises Malformed."""
    for index, width in spans(size):
        data = read(tile_path(0, index, width))
        if len(data) != 32 * width:
            raise Malformed("tile", f"{len(data)} bytes where {32 * width} belong")
        yield from (data[offset : offset + 32] for offset in range(0, len(data), 32))
