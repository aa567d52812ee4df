"""Messages whose fields an input chooses, or changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from tests.hotline.protocol.pair import WALL

WORDS = (
    *("watch", "duty-1", "release-1", "duty-2", "", "en", "hi", "ur-PK", "alive", "consulting", "declined", "done"),
    *("principal-absent", "skipped", "open", "B02", "number", "17", "place", "alpha-command", "opening-the-watch"),
    *("a reason", "x" * 300, "\u202e\x1b[2J", "\0", "180900Z NOV 26", "\U0001f600", "hotline-charter/1 a b"),
)
NUMBERS = (0, 1, 2, 3, 4, 5, WALL, WALL + 600_000, 2**31, 2**32 - 1, 2**40, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


class Taking(Protocol):
    """Where the choices come from: `machines.Arguments`."""

    def take(self, count: int) -> bytes:
        """The next bytes."""

    def byte(self) -> int:
        """0 to 255."""

    def text(self) -> bytes:
        """A byte string."""


class Fields:
    """Builds and alters messages."""

    def __init__(self, take: Taking, hashes: Sequence[bytes]) -> None:
        """`hashes` are names that mean something where the messages go; not empty."""
        self._take, self._hashes = take, hashes

    def built(self, shape: Any, depth: int = 0) -> Message:
        """A message of this shape, field by field."""
        message: Message = shape._concrete_class()
        for number in range(len(shape.fields)):
            if self._take.byte() & 1:
                self.replace(message, number, depth)
        return message

    def replace(self, message: Message, number: int, depth: int = 0) -> None:
        """Give a field, or a field of a message in it, another value."""
        fields, take = message.DESCRIPTOR.fields, self._take
        if not fields:
            return
        field = fields[number % len(fields)]
        if field.is_repeated:
            message.ClearField(field.name)
            values = [self.value(field, depth) for _ in range((0, 1, 2, 3, 17, 70)[take.byte() % 6])]
            getattr(message, field.name).extend(values)
        elif field.message_type is not None:
            if depth < 3:
                inner = getattr(message, field.name)
                self.replace(inner, take.byte(), depth + 1) if take.byte() & 1 else inner.CopyFrom(
                    self.built(field.message_type, depth + 1)
                )
        else:
            setattr(message, field.name, self.value(field, depth))

    def value(self, field: Any, depth: int) -> Any:
        """Something for a field."""
        take = self._take
        if field.message_type is not None:
            return self.built(field.message_type, depth + 1) if depth < 3 else field.message_type._concrete_class()
        if field.enum_type is not None:
            kind = take.byte()
            return kind % 24 if kind < 0xF0 else (2**31 - 1, -1, -(2**31), 1_000)[kind % 4]
        if field.type == field.TYPE_BOOL:
            return bool(take.byte() & 1)
        if field.type == field.TYPE_STRING:
            kind = take.byte()
            return WORDS[kind % len(WORDS)] if kind < 0xC0 else take.text().decode("utf-8", "replace")
        if field.type == field.TYPE_BYTES:
            kind = take.byte()
            return (bytes(kind % 66), self._hashes[kind % len(self._hashes)], take.text())[kind % 3]
        kind = take.byte()
        number = NUMBERS[kind % len(NUMBERS)] if kind < 0xE0 else int.from_bytes(take.take(8), "big")
        return number % 2**32 if field.cpp_type == field.CPPTYPE_UINT32 else number
