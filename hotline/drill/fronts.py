"""Several faults on one link: the last one decides, and when it is undone the one before decides again."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hotline.drill.scene import Links

_KEPT = "fronts"
_MARKS = itertools.count(1)


class Ground(Protocol):
    """What a scene and a simulated one have in common: links, and a place for what is remembered."""

    links: Links
    kept: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Front:
    """One fault on some links."""

    mark: int
    links: tuple[str, ...]
    way: str
    weather: dict[str, int | str | None]


class _Sky:
    """Every fault that lies on links now, oldest first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.fronts: list[_Front] = []


def cover(scene: Ground, links: Sequence[str], way: str, **weather: int | str | None) -> int:
    """Put weather on links; the number that comes back is for `uncover`. Raises LocalError."""
    sky: _Sky = scene.kept.setdefault(_KEPT, _Sky())
    front = _Front(next(_MARKS), tuple(links), way, weather)
    with sky.lock:
        scene.links.set(links, way, **weather)
        sky.fronts.append(front)
    return front.mark


def uncover(scene: Ground, mark: int) -> None:
    """Take it off again; what lay below is back. Nothing for what was taken off before. Raises LocalError."""
    sky: _Sky = scene.kept.setdefault(_KEPT, _Sky())
    with sky.lock:
        gone = next((front for front in sky.fronts if front.mark == mark), None)
        if gone is None:
            return
        sky.fronts.remove(gone)
        scene.links.clear(gone.links)
        for front in sky.fronts:
            below = [link for link in front.links if link in gone.links]
            # A reset breaks what is open once; it is not to be repeated because something else is over.
            if below and front.weather.get("mode") != "reset":
                scene.links.set(below, front.way, **front.weather)
