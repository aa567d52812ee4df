"""Copies of a prepared machine, hundreds in a second: it is pickled once, and read back for each execution."""

from __future__ import annotations

import dataclasses
import io
import pickle
import random
from collections.abc import Iterable
from enum import Enum
from types import BuiltinFunctionType, CellType, FunctionType
from typing import Any, Generic, TypeVar

from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import SigningKey
from tests.hotline.protocol.pair import Pair, Party

T = TypeVar("T")


class Still:
    """A world in which nothing that is sent arrives."""

    def __init__(self, pair: Pair) -> None:
        self.time, self.pairwise, self.paths, self.relay_keys = pair.time, pair.pairwise, pair.paths, pair.relay_keys
        self.entropy = random.Random(6).randbytes

    def carry(self, sender: Party, relay: str, frame: bytes) -> None:
        """It does not arrive."""

    custody_frame = Pair.custody_frame


_PLAIN = (int, float, str, bytes, bool, type(None))
_FIXED = (Enum, type, SigningKey, KemKey)
"""What no step changes, beside functions that hold nothing: words and keys."""


class Template(Generic[T]):
    """The state of one object. Whatever can change in it is made anew for each copy; the rest is shared."""

    def __init__(self, original: T, shared: Iterable[object] = ()) -> None:
        """`shared` are parts that are known never to change in their place."""
        file = io.BytesIO()
        pickler = _Pickler(file, shared)
        pickler.dump(original)
        self._data = file.getvalue()
        kept = {"persistent_load": staticmethod(pickler.kept.__getitem__)}
        self._reader = type("Reader", (pickle.Unpickler,), kept)

    def copy(self) -> T:
        """Another one in the same state."""
        made: T = self._reader(io.BytesIO(self._data)).load()
        return made


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: Iterable[object]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.kept: list[Any] = list(shared)
        self._places = {id(one): place for place, one in enumerate(self.kept)}

    def persistent_id(self, one: Any) -> int | None:
        """Its place among what is shared."""
        if id(one) not in self._places:
            if (isinstance(one, _PLAIN) and not (isinstance(one, bytes) and len(one) > 100)) or not _lasts(one):
                return None
            self._places[id(one)] = len(self.kept)
            self.kept.append(one)
        return self._places[id(one)]

    def reducer_override(self, one: Any) -> Any:
        """A function that holds variables gets its own: else a copy would look into the state of the original."""
        if not isinstance(one, FunctionType):
            return NotImplemented
        shape = _Shape(one)
        self._places[id(shape)] = len(self.kept)
        self.kept.append(shape)
        return _empty, (shape,), [cell.cell_contents for cell in one.__closure__ or ()], None, None, _fill


class _Shape:
    """A function without its variables."""

    def __init__(self, function: FunctionType) -> None:
        self.function = function


def _empty(shape: _Shape) -> FunctionType:
    one = shape.function
    cells = tuple(CellType() for _ in one.__closure__ or ())
    made = FunctionType(one.__code__, one.__globals__, one.__name__, one.__defaults__, cells)
    made.__kwdefaults__ = one.__kwdefaults__
    return made


def _fill(made: FunctionType, contents: list[object]) -> None:
    for cell, value in zip(made.__closure__ or (), contents, strict=True):
        cell.cell_contents = value


def _lasts(one: Any) -> bool:
    """Whether nothing in it can change."""
    if isinstance(one, _PLAIN + _FIXED):
        return True
    if isinstance(one, FunctionType):
        return not one.__closure__
    if isinstance(one, BuiltinFunctionType):
        return not isinstance(one.__self__, random.Random)
    if isinstance(one, tuple | frozenset):
        return all(map(_lasts, one))
    if dataclasses.is_dataclass(one) and type(one).__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return all(_lasts(getattr(one, field.name)) for field in dataclasses.fields(one)) and not _more(one)
    return False


def _more(one: Any) -> bool:
    """Whether an object has attributes that are no fields, such as what a cached property has kept."""
    return len(getattr(one, "__dict__", ())) > len(dataclasses.fields(one))
