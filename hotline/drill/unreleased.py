"""A terminal that says what nobody has released: `python -m hotline.drill.unreleased endpoint run`.

It is the daemon, with its keys, without the rule that a statement needs the officers' signatures (docs/protocol.md
19.11): what whoever holds a terminal can make of it. That the other side brands what it says is what a drill shows.
"""

from __future__ import annotations

import importlib
from typing import Final

from hotline.drill.injects import Say
from hotline.drill.plan import speaker
from hotline.drill.scene import PREPARERS, Scene

MODULE: Final = "hotline.drill.unreleased"


def prepare(scene: Scene) -> None:
    """The terminals that say something unreleased run this program."""
    for inject in scene.plan.inject:
        if isinstance(inject, Say) and inject.unreleased:
            scene.stage.module[speaker(inject)] = MODULE


PREPARERS.append(prepare)


def _run() -> None:
    room = importlib.import_module("hotline.protocol.sending")
    room.check_authority = lambda *_: None  # type: ignore[attr-defined]
    importlib.import_module("hotline.cli.main").main()


if __name__ == "__main__":
    _run()
