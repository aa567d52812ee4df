"""Texts that come a second time under another serial, after a loss of state (docs/protocol.md 12.6)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from hotline.limits import MOVED_MAX
from hotline.machine import Delete, Plane, Put
from hotline.protocol.context import Context
from hotline.protocol.neutral import VOIDS
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Saved
from hotline.wire.v1 import content_pb2

_SALTS_REMEMBERED = 4_096
"""Salts of recent statements kept in memory; older ones are looked up. More than one commit can ever hold back."""

_Name = tuple[Plane, int, bytes]


class Repeats:
    """Knows a text by the serial under which it was first given out and by its salt, which renumbering keeps."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._moved: OrderedDict[_Name, int] = OrderedDict()
        self._recent: OrderedDict[tuple[Plane, int], bytes] = OrderedDict()

    def restore(self, saved: Saved) -> None:
        """Take up the renumbered statements that have been received."""
        for row in sorted(saved.rows("moved"), key=lambda row: int(str(row["serial"]))):
            first, salt, serial = row["first"], row["salt"], row["serial"]
            assert isinstance(first, int)
            assert isinstance(salt, bytes)
            assert isinstance(serial, int)
            self._moved[Plane(str(row["plane"])), first, salt] = serial

    def take(self, plane: Plane, statement: content_pb2.Statement) -> int:
        """Note a new statement; the serial under which its text is here already, or 0."""
        if statement.kind in VOIDS:
            return 0
        self._recent[plane, statement.serial] = _name(statement.body_salt)
        if len(self._recent) > _SALTS_REMEMBERED:
            self._recent.popitem(last=False)
        first, salt = statement.first_serial, _name(statement.body_salt)
        if not first:
            return self._moved.get((plane, statement.serial, salt), 0)
        earlier = self._moved.get((plane, first, salt), 0)
        if not earlier and self._salt(plane, first) == salt:
            earlier = first
        self._keep((plane, first, salt), statement.serial)
        return earlier

    def _salt(self, plane: Plane, serial: int) -> bytes:
        if (plane, serial) in self._recent:
            return self._recent[plane, serial]
        content = self._ctx.history.received(plane, serial)
        return b"" if content is None else _name(decode_statement(content).body_salt)

    def _keep(self, name: _Name, serial: int) -> None:
        changes = self._ctx.out.changes
        self._moved[name] = serial
        changes.append(Put("moved", _key(name) | {"serial": serial}))
        while len(self._moved) > MOVED_MAX:
            oldest, _ = self._moved.popitem(last=False)
            changes.append(Delete("moved", _key(oldest)))


def _name(salt: bytes) -> bytes:
    """What is kept of a salt: the salt itself opens a commitment and rests sealed only."""
    return hashlib.sha256(salt).digest()


def _key(name: _Name) -> dict[str, str | int | bytes]:
    return {"plane": name[0].value, "first": name[1], "salt": name[2]}
