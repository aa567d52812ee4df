"""Every number that a peer can say, at its extremes: refused, or stored; never the end of a terminal.

The peer is lawful in all but one field: its key signs, its session seals. What the step puts out goes to the tables and
into a real ledger of the pair, which take no more than a terminal's disk does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from hotline.machine import Plane
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.fuzz.machines import Scene
from tests.fuzz.targets import published

KINDS: dict[str, tuple[ContentType, type[Message]]] = {
    "statement": (ContentType.STATEMENT, content_pb2.Statement),
    "receipt": (ContentType.RECEIPT, content_pb2.Receipt),
    "heartbeat": (ContentType.HEARTBEAT, content_pb2.Heartbeat),
}
EXTREMES = {
    FieldDescriptor.CPPTYPE_UINT32: (2**32 - 1,),
    FieldDescriptor.CPPTYPE_UINT64: (2**53, 2**63, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (2**31 - 1,),
}
"""2^53 is more than an entry of a ledger holds, 2^63 more than a table does."""
Place = tuple[str, ...]


def numbers(message: Message, place: Place = ()) -> Iterator[tuple[Place, tuple[int, ...]]]:
    """Each number in a message, also those that it leaves out, and its extremes."""
    for field in message.DESCRIPTOR.fields:
        inside = (*place, field.name)
        if field.cpp_type in EXTREMES:
            yield inside, EXTREMES[field.cpp_type]
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            held: Any = getattr(message, field.name)
            if field.is_repeated:
                yield from numbers(held[0], (*inside, "0")) if held else ()
            elif message.HasField(field.name):
                yield from numbers(held, inside)


def put(message: Any, place: Place, value: int) -> None:
    """Set one number; of a repeated one the first."""
    for name in place[:-1]:
        message = message[int(name)] if name.isdigit() else getattr(message, name)
    held = getattr(message, place[-1])
    if not isinstance(held, int):
        del held[:]
        held.append(value)
    else:
        setattr(message, place[-1], value)


def samples(kind: str) -> Iterator[tuple[Message, Place, tuple[int, ...]]]:
    """Lawful contents as BRAVO would say them to ALPHA, and of each the numbers that no one before it of its stage or
    kind has."""
    seen: set[tuple[int, Place]] = set()
    for case in published()[kind].cases:
        if not case.expected["accept"]:
            continue
        message: Any = KINDS[kind][1].FromString(bytes.fromhex(case.asked["content"]))
        sort = message.presence if kind == "heartbeat" else message.stage if kind == "receipt" else message.kind
        if kind == "statement":
            message.from_party, message.to_party, message.serial = "BRAVO", "ALPHA", 3
        elif kind == "receipt" and message.item:
            (sent,) = Scene(b"").alpha.memory.rows("sent")
            message.item[0].serial, message.item[0].statement = sent["serial"], sent["hash"]
        for place, values in numbers(message):
            if (sort, place) not in seen:
                seen.add((sort, place))
                yield message, place, values


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_of_a_peer_ends_a_terminal(kind: str) -> None:
    """A time of 2^63 in a receipt would fail the commit, at every start anew (docs/protocol.md 3.3, 4.3, 15.3)."""
    tried = 0
    for sample, place, values in samples(kind):
        for value in values:
            said = type(sample)()
            said.CopyFrom(sample)
            put(said, place, value)
            scene = Scene(b"")
            scene.say(KINDS[kind][0], Plane.REAL, encode(said), transient=kind == "heartbeat")
            scene.run()
            tried += 1
    assert tried > 50
