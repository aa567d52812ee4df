"""A relay is exchanged in service: the next charter, signed by both parties, is handed to every terminal."""

from __future__ import annotations

import time
from typing import Final

from hotline.charter.amendment import Changes, amend
from hotline.charter.model import load_charter
from hotline.drill.injects import Amend
from hotline.drill.patterns import PARTIES
from hotline.drill.rehearsal import add_relay, signed_by_both
from hotline.drill.scene import PERFORMERS, Scene
from hotline.drill.stage import reserve_ports
from hotline.drill.telling import party_of

_IN_FORCE: Final = "charter that both were handed last"


def exchange(inject: Amend, scene: Scene) -> None:
    """The new relay runs, and both sides are ready for the charter that names it. The old one is not ended.

    Raises LocalError if the relay does not come up or a terminal does not take the charter.
    """
    stage = scene.stage
    base: bytes = scene.kept.get(_IN_FORCE) or stage.rehearsal.charter.read_bytes()
    file = f"{inject.joins}.note"
    (port,) = reserve_ports(1, stage.belongings)
    made, card = add_relay(stage.folder, inject.joins, f"127.0.0.1:{port}", file)
    changes = Changes(relays=(card,), retire=(f"relay:{inject.leaves}",))
    note = signed_by_both(stage.rehearsal, amend(base, changes, load_charter(base).created))
    (stage.folder / file).write_bytes(note)
    stage.added.append(made)
    stage.start(made.name)
    scene.kept[_IN_FORCE] = note
    for number, party in enumerate(PARTIES):
        if number:
            time.sleep(inject.apart / 1_000)
        for name, desk in scene.desks.items():
            if party_of(name) == party:
                desk.activate(note)


PERFORMERS["amend"] = exchange
