"""Officers of several parties, each at the window of one of the others, as commands:

alpha says "TEXT" [flash] [exercise] [within 5s] [long 3000] [at charlie]      alpha reads all
"""

from __future__ import annotations

import shlex

from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.world import World
from hotline.machine import Plane, Reply
from hotline.protocol.events import MarkRead
from tests.simulator.parties import Parties
from tests.simulator.people import said

_READ_AT_ONCE = 5


class Delegates:
    """They do as the schedule says, where their terminal runs."""

    def __init__(self, world: World, judges: Parties) -> None:
        self.world, self.judges = world, judges

    def obeys(self, command: str) -> bool:
        """Whether it was a command to them; then it is done."""
        name, verb, *rest = command.split(maxsplit=2)
        if verb not in ("says", "reads"):
            return False
        node = self.world.endpoints[name.upper()]
        assert isinstance(node, ConferenceNode)
        if node.conference is None or not node.up:
            return True
        if verb == "reads":
            self._read(node)
        else:
            self._say(node, *shlex.split(rest[0]))
        return True

    def _say(self, node: ConferenceNode, text: str, *how: str) -> None:
        what, words = said(text, list(how)), list(how)
        window = words[words.index("at") + 1].upper() if "at" in words else node.others[0].name
        self.judges.on_said(node.name, what.text)

        def then(reply: Reply) -> None:
            if reply.ok:
                self.judges.on_accepted(node, what.plane, what.text, reply)

        node.ask_at(window, lambda number: what.event(number, "duty"), then)

    @staticmethod
    def _read(node: ConferenceNode) -> None:
        for other in node.others:
            for plane in Plane:
                for serial in list(node.member(other.name).context.unread[plane])[:_READ_AT_ONCE]:
                    node.ask_at(
                        other.name,
                        lambda number, plane=plane, serial=serial: MarkRead(number, plane, serial, "duty"),  # type: ignore[misc]
                        lambda reply: None,
                    )
