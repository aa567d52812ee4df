"""Officers on both sides, as commands:

alpha says "TEXT" [flash] [quiet] [exercise | service] [within 5s] [long 3000]      alpha reads all
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import MarkRead, Submit
from hotline.wire.v1 import content_pb2
from tests.simulator.charters import watch_of
from tests.simulator.judges import Judges
from tests.simulator.weather import milliseconds

PRECEDENCES = {name.removeprefix("PRECEDENCE_").lower(): value for name, value in content_pb2.Precedence.items()}
_READ_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Said:
    """What an officer hands in."""

    text: str
    plane: Plane
    precedence: content_pb2.Precedence.ValueType
    validity: int
    quiet: bool = False

    def event(self, request: RequestId, drafter: str) -> Submit:
        """The request to the terminal."""
        ltr = content_pb2.DIRECTION_LTR
        said = Submit(request, self.plane, self.precedence, "en", ltr, self.text, drafter, self.validity)
        return replace(said, without_prejudice=self.quiet)


def said(text: str, how: list[str]) -> Said:
    """The words after `says`. A text is made longer with `long`, so that a transcript need not show it."""
    length = int(how[how.index("long") + 1]) if "long" in how else 0
    return Said(
        text + " and so on" * (length // 10),
        next((Plane(word) for word in how if word in ("exercise", "service")), Plane.REAL),
        next((PRECEDENCES[word] for word in how if word in PRECEDENCES), content_pb2.PRECEDENCE_ROUTINE),  # type: ignore[arg-type]
        milliseconds(how[how.index("within") + 1]) if "within" in how else 0,
        "quiet" in how,
    )


def speaking(world: World, node: EndpointNode) -> EndpointNode:
    """Where people of a party go who find that their terminal stands by: to one that does not, if there is one."""
    others = [one for one in world.endpoints.values() if one.party == node.party]
    ready = [one for one in others if one.machine is not None and one.machine.standing.active]
    return node if node in ready or not ready else ready[0]


class People:
    """They do as the schedule says, where their terminal runs."""

    def __init__(self, world: World, judges: Judges) -> None:
        self.world, self.judges = world, judges
        self.on_valid: Callable[[EndpointNode, tuple[str, int], int], None] = lambda *_: None

    def obeys(self, command: str) -> bool:
        """Whether it was a command to people; then it is done."""
        name, verb, *rest = command.split(maxsplit=2)
        if verb not in ("says", "reads"):
            return False
        node = self.world.endpoints[name.upper()]
        if verb == "reads":
            self.read(node)
        elif (node := speaking(self.world, node)).up:
            text, *how = shlex.split(rest[0])
            self.say(node, said(text, how))
        return True

    def say(self, node: EndpointNode, what: Said) -> None:
        """Hand a statement in."""
        self.judges.on_said(node.name, what.text)

        def then(reply: Reply) -> None:
            if reply.ok:
                self.judges.on_accepted(node, what.plane, what.text, reply)
                if what.validity:
                    self.on_valid(node, (what.plane.value, int(str(reply.fields["serial"]))), what.validity)

        node.ask(lambda number: what.event(number, "duty"), then)

    def read(self, node: EndpointNode) -> None:
        """Open what has come."""
        if node.machine is None or not node.up:
            return
        for plane in Plane:
            for serial in list(node.machine.context.unread[plane])[:_READ_AT_ONCE]:
                node.ask(
                    lambda number, plane=plane, serial=serial: MarkRead(number, plane, serial, watch_of(node)),  # type: ignore[misc]
                    lambda reply: None,
                )

    def calm(self, rng: random.Random, until: int) -> None:
        """Ordinary days: something now and then, read some time later, until then."""
        count = 0

        def speak() -> None:
            nonlocal count
            if self.world.time >= until:
                return
            node, plane = self.world.endpoints[rng.choice(("ALPHA", "BRAVO"))], rng.choice(("real", "exercise"))
            count += 1
            text = f"{plane} answer {count} of {node.name}"
            if node.up:
                self.say(node, Said(text, Plane(plane), rng.choice((1, 2, 3, 4)), rng.choice((0, 0, 0, 5_000))))  # type: ignore[arg-type]
            self.world.after(rng.randint(20_000, 200_000), speak)

        def read() -> None:
            for node in self.world.endpoints.values():
                self.read(node)
            if self.world.time < until + 60_000:
                self.world.after(rng.randint(5_000, 60_000), read)

        speak()
        read()
