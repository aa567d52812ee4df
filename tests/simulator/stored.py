"""What a disk of the simulator holds of a statement, also of one that lies under a key of its own."""

from __future__ import annotations

from hotline.drill.simulator.nodes import EndpointNode
from hotline.machine import Plane
from hotline.protocol.nonpapers import Name, is_sealed, open_stored
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2


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
    return decode_statement(content)
