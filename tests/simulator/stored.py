"""What a disk of the simulator holds of a statement, also of one that lies under a key of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hotline.drill.simulator.nodes import EndpointNode
from hotline.machine import Plane
from hotline.protocol.neutral import CORRECTING, NON_PAPER
from hotline.protocol.nonpapers import Name, is_sealed, open_stored
from hotline.protocol.outbox import BESIDE
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2

SAYS: Final = (content_pb2.STATEMENT_KIND_TEXT, NON_PAPER, *CORRECTING, content_pb2.STATEMENT_KIND_TRANSLATION)
"""Kinds whose text an officer has written."""


def words_of(statement: content_pb2.Statement) -> str:
    """What is said; what is said once more to put it on record is not the same as the first time."""
    again = statement.kind == content_pb2.STATEMENT_KIND_PUT_ON_RECORD
    return f"of record: {statement.text}" if again else statement.text


def lane_of(statement: content_pb2.Statement) -> int:
    """What is shown in order: statements of one precedence and mode."""
    return statement.precedence + (BESIDE if statement.kind == NON_PAPER else 0)


def statement_of(node: EndpointNode, way: str, row: Row) -> content_pb2.Statement:
    """The statement of a row of `sent` or `received`; an empty one where its text is gone."""
    content, plane, serial = row["content"], row["plane"], row["serial"]
    assert isinstance(content, bytes)
    assert isinstance(serial, int)
    if is_sealed(content):
        kept = node.disk.tables.get("nonpaper", {}).get((way, plane, serial))
        if kept is None:
            return content_pb2.Statement(serial=serial)
        box = kept["box"]
        assert isinstance(box, bytes)
        content = open_stored(node.storage_key, Name(way, Plane(str(plane)), serial), box, content)
    return _decoded(content)


@lru_cache(maxsize=4_096)
def _decoded(content: bytes) -> content_pb2.Statement:
    """Judges ask for one statement ten times and change none."""
    return decode_statement(content)


class Readings:
    """What was read once is known, also after the key of its text was destroyed (docs/protocol.md 22.7)."""

    def __init__(self) -> None:
        self._quiet: dict[object, content_pb2.Statement] = {}

    def statement_of(self, node: EndpointNode, way: str, row: Row) -> content_pb2.Statement:
        """The statement of a row; an empty one where nobody has read its text while it was there."""
        found = statement_of(node, way, row)
        if found.kind == NON_PAPER:
            self._quiet[row["hash"]] = found
        return found if found.kind else self._quiet.get(row["hash"], found)
