"""Stolen keys and exchanged charters: what a drill does to the trust of one terminal.

A thief is a second daemon of the same terminal: its key, its charter, its pairwise secret, and nothing of its past. It
dials the relays of the charter, from elsewhere, while the robbed terminal runs.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import Final

from hotline.charter.amendment import Changes, amend
from hotline.charter.ceremony import day, make_offer, make_officer
from hotline.charter.model import sign_charter
from hotline.drill.injects import Roster, Thief
from hotline.drill.performers import stop_in_order
from hotline.drill.processes import alone, bring_back, end_now, once, runs
from hotline.drill.rehearsal import RehearsedTerminal, name_charter
from hotline.drill.scene import PERFORMERS, Scene, Undo
from hotline.errors import LocalError

_STOLEN: Final = ("terminal.key", "pairwise.key")
_THIEF_TOML: Final = """\
config = 1
party = "{party}"
terminal = "main"
charter = "charter.note"
key = "terminal.key"
pairwise = "pairwise.key"
store = "store"

[operator]
socket = "t.sock"

[[operator.officer]]
uid = {uid}
name = "{officer}"
"""
_UNSIGNED: Final = "unsigned.note"
ADDED_OFFICER: Final = "added"


# --- a thief ----------------------------------------------------------------------------------------------------------


def thief(inject: Thief, scene: Scene) -> Undo:
    """The thief's daemon runs when this returns; undone, it has ended. What it did to the hotline is not undone.

    Raises LocalError if it does not come up, or there is one already.
    """
    stage, robbed, name = scene.stage, _terminal(scene, inject.target), f"thief-{inject.target}"
    if runs(scene, name):
        raise LocalError(f"{name} runs already: one key has one thief at a time")
    home = scene.folder / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    for file in _STOLEN:
        shutil.copy2(robbed.folder / file, home / file)
    shutil.copy2(stage.rehearsal.charter, home / "charter.note")
    config = home / "endpoint.toml"
    officer = "duty-1" if inject.target == "ALPHA" else "duty-2"
    config.write_text(_THIEF_TOML.format(party=inject.target, uid=os.getuid(), officer=officer))
    stage.start_guest(name, config)
    scene.kept[f"thief of {inject.target}"] = RehearsedTerminal(inject.target, home, config, home / "t.sock")

    def undo() -> None:
        code = stage.ended(name)
        if code is not None:
            scene.note(f"{name} had ended by itself with exit code {code}")
        stop_in_order(scene, name)

    return once(undo)


def _terminal(scene: Scene, party: str) -> RehearsedTerminal:
    return next(one for one in scene.stage.rehearsal.terminals if one.party == party)


# --- a charter that one party has signed ------------------------------------------------------------------------------


def one_sided_charter(scene: Scene, party: str) -> bytes:
    """An amendment of the scene's charter, one more officer of `party`, which that party alone has signed."""
    key, now = scene.stage.rehearsal.identities[party], time.time_ns() // 1_000_000
    _, card = make_officer(key, party, ADDED_OFFICER, ("duty",), os.urandom, now)
    changes = Changes(offers=(make_offer(key, party, (), (card,), ()),))
    return sign_charter(amend(scene.stage.rehearsal.charter.read_bytes(), changes, day(now)), party, key)


def roster(inject: Roster, scene: Scene) -> Undo:
    """Handed to the terminal in service first; then it is stopped and started with that charter.

    The journal is told how it took both. Undone, it runs again under the charter that both have signed.
    """
    party = inject.target
    terminal = _terminal(scene, party)
    with alone(scene, party):
        false = terminal.folder / _UNSIGNED
        false.write_bytes(one_sided_charter(scene, party))
        if runs(scene, party):
            try:
                scene.desks[party].activate(false.read_bytes())
            except LocalError as error:
                scene.note(f"the charter that only {party} has signed was handed in: {error}")
            else:
                scene.note(f"{party} took a charter that only {party} has signed")
            scene.stage.stop(party)
        before = name_charter(terminal.config, _UNSIGNED)
        try:
            scene.stage.start(party)
        except LocalError:
            last = scene.stage.log_of(party).read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            scene.note(f"{party} ended with {scene.stage.ended(party)}: {''.join(last)}")
        else:
            scene.note(f"{party} was started under a charter that only {party} has signed")

    def undo() -> None:
        with alone(scene, party):
            end_now(scene, party)
            terminal.config.write_text(before, encoding="utf-8")
            bring_back(scene, party)

    return once(undo)


PERFORMERS["thief"] = thief
PERFORMERS["roster"] = roster
