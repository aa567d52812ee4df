"""The next charter of a hotline in service: a relay is exchanged, or a terminal that travels is activated for a time.

Both parties sign it, and it is handed to every terminal that runs.
"""

from __future__ import annotations

import time
from typing import Final

from hotline.charter.amendment import Changes, amend
from hotline.charter.model import load_charter
from hotline.drill.injects import Amend, Travel
from hotline.drill.patterns import PARTIES
from hotline.drill.performers import stop_in_order
from hotline.drill.processes import alone, bring_back, runs
from hotline.drill.rehearsal import add_relay, name_charter, signed_by_all
from hotline.drill.scene import PERFORMERS, Scene, Undo
from hotline.drill.stage import reserve_ports
from hotline.drill.telling import name_of, party_of

_AGREED: Final = "charters that were handed out, the staged one first"
_ABOARD: Final = "aboard.note"


def exchange(inject: Amend, scene: Scene) -> None:
    """The new relay runs, and both sides are ready for the charter that names it. The old one is not ended.

    Raises LocalError if the relay does not come up or a terminal does not take the charter.
    """
    stage = scene.stage
    file = f"{inject.joins}.note"
    (port,) = reserve_ports(1, stage.belongings)
    made, card = add_relay(stage.folder, inject.joins, f"127.0.0.1:{port}", file)
    note = _next(scene, Changes(relays=(card,), retire=(f"relay:{inject.leaves}",)))
    (stage.folder / file).write_bytes(note)
    stage.added.append(made)
    stage.start(made.name)
    _hand_out(scene, note, inject.apart)


def travel(inject: Travel, scene: Scene) -> Undo:
    """The terminal runs under the charter that activates it, and the others are ready for it. It ends by itself.

    Raises LocalError if it does not come up, or another one does not take the charter.
    """
    assert inject.lasting is not None  # a plan without it is not loaded
    now, target = time.time_ns() // 1_000_000, inject.target
    note = _next(scene, Changes(travelling={name_of(target): (now, now + inject.lasting)}))
    # It has missed what was handed out in service, for nobody was heard there: it takes each (docs/protocol.md 24.4).
    aboard, agreed = f"charters that {target} has taken", _agreed(scene)
    for missed in (*agreed[scene.kept.get(aboard, 1) :], note):
        _start_under(scene, target, missed)
    scene.kept[aboard] = len(agreed) + 1
    time.sleep(inject.apart / 1_000)
    _hand_out(scene, note, inject.apart, but=target)
    return lambda: None


def _agreed(scene: Scene) -> list[bytes]:
    agreed: list[bytes] = scene.kept.setdefault(_AGREED, [scene.stage.rehearsal.charter.read_bytes()])
    return agreed


def _next(scene: Scene, changes: Changes) -> bytes:
    """The charter that follows the one that was handed out last, signed by both parties."""
    base = _agreed(scene)[-1]
    return signed_by_all(amend(base, changes, load_charter(base).created), scene.stage.rehearsal.identities)


def _hand_out(scene: Scene, note: bytes, apart_ms: int, but: str = "") -> None:
    """To every terminal that runs, those of ALPHA first."""
    _agreed(scene).append(note)
    for number, party in enumerate(PARTIES):
        if number:
            time.sleep(apart_ms / 1_000)
        for name, desk in scene.desks.items():
            if party_of(name) == party and name != but and runs(scene, name):
                desk.activate(note)


def _start_under(scene: Scene, name: str, note: bytes) -> None:
    """The daemon of a terminal is started, or started anew, with this charter (docs/protocol.md 24.14)."""
    terminal = next(one for one in scene.stage.terminals if one.process == name)
    with alone(scene, name):
        stop_in_order(scene, name)
        (terminal.folder / _ABOARD).write_bytes(note)
        name_charter(terminal.config, _ABOARD)
        bring_back(scene, name)


PERFORMERS |= {"amend": exchange, "travel": travel}
