"""What was decided and may not be committed yet: the history does not tell of it (docs/protocol.md 3.2)."""

from __future__ import annotations

from typing import Final, TypeVar

REMEMBERED: Final = 4_096
_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


def remember(lately: dict[_KeyT, _ValueT], what: _KeyT, value: _ValueT) -> None:
    """Until long after its commit; what was said last longest ago is forgotten."""
    lately.pop(what, None)
    lately[what] = value
    while len(lately) > REMEMBERED:
        del lately[next(iter(lately))]
