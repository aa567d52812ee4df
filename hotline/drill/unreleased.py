"""A terminal whose program was changed: `python -m hotline.drill.unreleased endpoint run`.

It is the daemon, with its keys, without the rule that a statement needs the officers' signatures (docs/protocol.md
19.11): what whoever holds a terminal can make of it. That the other side brands what it says is what a drill shows. Of
the texts that its environment names it also makes statements that no terminal may take: to a party that there is not.
"""

from __future__ import annotations

import importlib
import json
import os
from typing import Any, Final

from hotline.drill.injects import Say
from hotline.drill.plan import speaker
from hotline.drill.scene import PREPARERS, Scene

MODULE: Final = "hotline.drill.unreleased"
_ODD: Final = "HOTLINE_DRILL_ODD"
_NOBODY: Final = "NOBODY"


def prepare(scene: Scene) -> None:
    """The terminals that say something unreleased or odd run this program."""
    odd: dict[str, list[str]] = {}
    for inject in scene.plan.inject:
        if isinstance(inject, Say) and (inject.unreleased or inject.odd):
            scene.stage.module[speaker(inject)] = MODULE
            odd.setdefault(speaker(inject), []).extend([inject.text] if inject.odd else [])
    for name, texts in odd.items():
        scene.stage.environment.setdefault(name, {})[_ODD] = json.dumps(texts)


PREPARERS.append(prepare)


def _run() -> None:
    room = importlib.import_module("hotline.protocol.sending")
    room.check_authority = lambda *_: None  # type: ignore[attr-defined]
    texts, take = json.loads(os.environ.get(_ODD, "[]")), room.Sending.take

    def take_oddly(self: Any, plane: Any, statement: Any, now: Any) -> Any:
        if statement.text in texts:
            statement.to_party = _NOBODY
        return take(self, plane, statement, now)

    room.Sending.take = take_oddly
    importlib.import_module("hotline.cli.main").main()


if __name__ == "__main__":
    _run()
