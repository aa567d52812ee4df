"""Everything that a drill can do: importing the performers registers them with the scene."""

from __future__ import annotations

import importlib
from typing import Final

_ROOMS: Final = (
    "performers",
    "versions",
    "liar",
    "floods",
    "disks",
    "clocks",
    "namespaces",
    "thieves",
    "couriers",
    "checklists",
    "officers",
    "amendments",
    "unreleased",
)


def register() -> None:
    """Make every performer known."""
    for room in _ROOMS:
        importlib.import_module(f"hotline.drill.{room}")
