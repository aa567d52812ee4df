"""Officers of several parties, each at the window of one of the others, as commands:

alpha says "TEXT" [flash] [exercise | service] [within 5s] [long 3000] [at charlie]      alpha reads all
alpha tries WHAT at charlie          (alike.py: WHAT is not said or asked among several)
alpha hands-over elsewhere at charlie            (what was signed at that window is handed in at another one)
and what officers do beside it, at a window: alpha promises 7 within 20s at charlie, alpha goes-through whole 7 at bravo
(officers.py)
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from hotline.charter.parts import Officer
from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.nodes import CHARTER, EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Output, Plane, Reply, RequestId, Tick
from hotline.protocol.conference import ConferenceEvent, To
from hotline.protocol.context import EndpointSetup
from hotline.protocol.events import (
    AnswerChallenge,
    AskChallenge,
    EndpointEvent,
    ExportBundle,
    ImportBundle,
    MarkRead,
    RecordChecklist,
    SignHandover,
    Submit,
)
from hotline.protocol.handover import LABEL, signed_parts
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.offices import key_of
from tests.simulator.alike import Alike
from tests.simulator.charters import watch_of
from tests.simulator.checklists import Checklists
from tests.simulator.judges import Broken
from tests.simulator.officers import Heed, Officers
from tests.simulator.parties import Parties, charter_of
from tests.simulator.people import said
from tests.simulator.windows import Window, Windows

_READ_AT_ONCE = 5
_SUBMIT: Final = partial(
    Submit,
    plane=Plane.REAL,
    precedence=content_pb2.PRECEDENCE_ROUTINE,
    language="en",
    direction=content_pb2.DIRECTION_LTR,
    text="An aside.",
    drafter="duty",
)
_TRIED: Final[dict[str, Callable[[RequestId], EndpointEvent]]] = {
    "nonpaper": lambda request: _SUBMIT(request, without_prejudice=True),
    "record": lambda request: _SUBMIT(request, put_on_record=1),
    "challenge": lambda request: AskChallenge(request, "duty", Plane.REAL, 1, False),
    "word": lambda request: AnswerChallenge(request, "duty", 1, content_pb2.VERDICT_YES),
    "bundle": lambda request: ExportBundle(request, "duty"),
    "import": lambda request: ImportBundle(request, "duty", b"a bundle"),
}


class Delegates:
    """They do as the schedule says, where their terminal runs."""

    def __init__(
        self,
        world: World,
        judges: Parties,
        windows: Windows,
        alike: Alike,
        checklists: Checklists,
        done: Callable[[str, bool], None],
    ) -> None:
        self.world, self.judges, self.windows, self.alike, self._done = world, judges, windows, alike, done
        self._checklists = checklists
        self._officers = Officers(
            world,
            Heed(
                lambda node, text: judges.on_said(node.name, text),
                lambda node, plane, text, reply: judges.on_accepted(cast(Window, node).node, plane, text, reply),
                done=done,
                handed=self._handed,
                went=self._went,
            ),
        )
        officers = tuple(
            Officer(node.party, watch_of(node), ("duty",), key_of(watch_of(node)).public, "2026-01-01", "2028-01-01")
            for node in judges.nodes
        )
        charter = replace(charter_of(world), hash=CHARTER, serial=1, officers=officers)
        for node in judges.nodes:

            def setup(
                remote: EndpointNode, plain: Callable[[EndpointNode], EndpointSetup] = node.setup
            ) -> EndpointSetup:
                return replace(plain(remote), standing=charter)

            node.setup = setup  # type: ignore[method-assign]

    def obeys(self, command: str) -> bool:
        """Whether it was a command to them; then it is done."""
        name, verb, *rest = command.split(maxsplit=2)
        node = self.world.endpoints.get(name.upper())
        if not isinstance(node, ConferenceNode):
            return False
        words = shlex.split(rest[0]) if rest else []
        window = self._window(node, words)
        if node.conference is None or not node.up:
            return True
        match verb, words:
            case "reads", _:
                self._read(node)
            case "says", [text, *how]:
                self._say(window, text, how)
            case "tries", [what]:
                self._try(window, what)
            case "hands-over", ["elsewhere"]:
                self._hand_over_elsewhere(window)
            case _:
                return self._officers.does(cast(EndpointNode, window), verb, *words)
        return True

    def _window(self, node: ConferenceNode, words: list[str]) -> Window:
        """Where it is said: at the last two of `words`, which are taken away, or at the first window."""
        if "at" not in words[-2:-1]:
            return self.windows.at(node.name, node.others[0].name)
        peer = words[-1].upper()
        del words[-2:]
        return self.windows.at(node.name, peer)

    def _say(self, window: Window, text: str, how: list[str]) -> None:
        what = said(text, how)
        self.judges.on_said(window.node.name, what.text)

        def then(reply: Reply) -> None:
            if reply.ok:
                self.judges.on_accepted(window.node, what.plane, what.text, reply)

        window.ask(lambda number: what.event(number, "duty"), then)

    def _read(self, node: ConferenceNode) -> None:
        for window in self.windows.of(node):
            machine = window.machine
            assert machine is not None
            for plane in Plane:
                for serial in list(machine.context.unread[plane])[:_READ_AT_ONCE]:
                    window.ask(
                        lambda number, plane=plane, serial=serial: MarkRead(number, plane, serial, "duty"),  # type: ignore[misc]
                        lambda reply: None,
                    )

    def _try(self, window: Window, what: str) -> None:
        """What there is not: the whole output of that step is looked at."""
        node = window.node
        if node.frozen:
            return
        decide = node.decide

        def decided(event: ConferenceEvent | Tick) -> Output:
            output = decide(event)
            if isinstance(event, To):
                self.alike.on_tried(node, output, what)
            return output

        node.decide = decided  # type: ignore[method-assign]
        try:
            window.ask(_TRIED[what], lambda reply: None)
        finally:
            node.decide = decide  # type: ignore[method-assign]
        self._done("refused", True)

    # --- the watch ---------------------------------------------------------------------------------------------------

    def _handed(self, node: Any, reply: Reply, due: bool) -> None:
        """A window was given a watch's signature, which it has to take or to refuse."""
        node.world.watches.on_handed(node, reply, due=due)

    def _went(self, window: Any, run: RecordChecklist, reply: Reply | None, due: bool) -> None:
        """A checklist is handed in at a window, or whoever did is answered."""
        self._checklists.on_run(window.node, run, reply, due=due, party=window.peer)

    def _hand_over_elsewhere(self, window: Window) -> None:
        """What an officer has signed of one party is no word about another, however alike the lists are."""
        machine, node = window.machine, window.node
        assert machine is not None
        listed, oncoming = machine.handovers.listed(), watch_of(node)
        signature = key_of(oncoming).sign(LABEL, *signed_parts(CHARTER, node.number, listed, "watch", ""))
        name = hashlib.sha256(listed).digest()
        other = next(one for one in self.windows.of(node) if one is not window)

        def then(reply: Reply) -> None:
            if reply.ok:
                raise Broken("handover", f"{node.name} takes for {other.peer} what was signed of {window.peer}")
            self._done("handed-elsewhere", True)

        other.ask(lambda request: SignHandover(request, "watch", oncoming, name, "", signature), then)
