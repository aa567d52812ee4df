"""The whole state of a machine as values, so that what an event has changed can be named."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

_PLAIN = (int, float, str, bytes, bool, type(None), Enum)


def state(machine: object) -> dict[str, Any]:
    """Place to value for everything that `machine` holds, however deep. Keys and functions are left out."""
    return dict(_walk(machine, "", set()))


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Places whose value is another one, or which only one of the two has."""
    return {place for place in before.keys() | after.keys() if before.get(place, _NONE) != after.get(place, _NONE)}


_NONE = object()


def _walk(value: Any, place: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _PLAIN):
        yield place, value
        return
    if id(value) in seen or callable(value):
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        yield f"{place}#", len(value)
        for name, item in value.items():
            yield from _walk(item, f"{place}[{name!r}]", seen)
    elif isinstance(value, list | tuple | deque):
        yield f"{place}#", len(value)
        for number, item in enumerate(value):
            yield from _walk(item, f"{place}[{number}]", seen)
    elif isinstance(value, set | frozenset):
        yield place, sorted(map(repr, value))
    elif type(value).__module__.partition(".")[0] in {"hotline", "relay"}:
        for name in _names(value):
            yield from _walk(getattr(value, name), f"{place}.{name}", seen)


def _names(value: object) -> Iterator[str]:
    """The attributes of an object, in slots or not."""
    yield from getattr(value, "__dict__", ())
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and name not in {"__dict__", "__weakref__"}:
                yield name
