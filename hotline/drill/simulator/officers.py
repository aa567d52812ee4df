"""What officers of a drill in virtual time do beside saying and reading statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from hotline.drill.injects import Ask, Challenge, Confirm, Presence, ReplyBy, Shown, Translate
from hotline.drill.plan import Plan, said_as
from hotline.drill.scene import Undo, serial_of
from hotline.drill.simulator.observer import Observer
from hotline.drill.simulator.world import World
from hotline.drill.telling import statement_id
from hotline.drill.texts import DIRECTIONS, VERDICTS
from hotline.errors import LocalError
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol import events
from hotline.protocol.events import (
    AnswerChallenge,
    AskChallenge,
    AskPresence,
    EndpointEvent,
    MarkShown,
    PromiseReply,
    SetPresence,
)
from hotline.wire.v1 import content_pb2

OFFICERS: Final = {"ALPHA": "duty-1", "BRAVO": "duty-2"}
Act = Presence | Ask | Shown | ReplyBy | Challenge | Confirm


def _nothing(reply: Reply) -> None:
    del reply


class Officers:
    """The officers of both sides. `said`: serials of single statements, by their labels."""

    def __init__(self, world: World, plan: Plan, observer: Observer, said: Mapping[str, int]) -> None:
        self._world = world
        self._plan = plan
        self._observer = observer
        self._said = said

    def act(self, inject: Act) -> Undo | None:
        """Do it; what a terminal refuses becomes a note. Raises LocalError for what cannot even be asked for."""
        match inject:
            case Presence():
                self._presence(inject.sender, inject.word, inject.until)
                return partial(self._presence, inject.sender, "alive", 0)
            case Ask():
                self._must(inject.sender, partial(AskPresence, officer=OFFICERS[inject.sender]))
            case Shown() | ReplyBy():
                self._climb(inject)
            case Challenge():
                self._challenge(inject)
            case Confirm():
                self._confirm(inject)
        return None

    def _presence(self, party: str, word: str, span: int) -> None:
        until = self._world.endpoints[party].now().wall + span if span else 0
        self._must(party, partial(SetPresence, officer=OFFICERS[party], word=word, until=until))

    def _climb(self, inject: Shown | ReplyBy) -> None:
        said = said_as(self._plan, inject.statement)
        plane = Plane(said.plane if said else "exercise")
        serial, party = serial_of(self._said, inject.statement), inject.sender
        who = OFFICERS[party]
        if isinstance(inject, Shown):
            self._must(party, lambda number: MarkShown(number, plane, serial, who, inject.principal))
            return
        until = self._world.endpoints[party].now().wall + inject.within
        self._must(party, lambda number: PromiseReply(number, plane, serial, who, until))

    def _challenge(self, inject: Challenge) -> None:
        said, party = said_as(self._plan, inject.statement), inject.sender
        assert said is not None  # a plan with such a challenge is not loaded
        serial, ours = serial_of(self._said, inject.statement), said.sender == party
        fields: dict[str, Any] = {"from": party, "id": statement_id(said.sender, said.plane, serial)}
        event = partial(AskChallenge, officer=OFFICERS[party], plane=Plane(said.plane), serial=serial, ours=ours)
        self._must(
            party,
            event,
            lambda reply: self._observer.add("challenge", serial=int(str(reply.fields["serial"])), **fields),
        )

    def _confirm(self, inject: Confirm) -> None:
        party, machine = inject.sender, self._world.endpoints[inject.sender].machine
        waiting = machine.challenges.open_ones() if machine is not None else []
        heard = max((int(serial) for way, serial in waiting if way == "heard"), default=0)
        if not heard:
            raise LocalError(f"{party}: no challenge waits for a person's answer")
        word, who = VERDICTS[inject.answer], OFFICERS[party]
        self._must(party, partial(AnswerChallenge, officer=who, serial=heard, verdict=word, text=inject.text))

    def _must(
        self, party: str, event: Callable[[RequestId], EndpointEvent], then: Callable[[Reply], object] = _nothing
    ) -> None:
        node = self._world.endpoints[party]
        if not node.up or node.frozen:
            raise LocalError(f"the terminal of {party} did not answer")

        def answered(reply: Reply) -> None:
            if reply.ok:
                then(reply)
            else:
                self._observer.add("note", text=f"{party}: {reply.text}")

        node.ask(event, answered)


def translation(inject: Translate, plane: Plane, serial: int, *, ours: bool) -> Callable[[RequestId], EndpointEvent]:
    """The translation of a statement, to be sent."""
    return partial(
        events.Translate,
        plane=plane,
        serial=serial,
        sent=ours,
        grade=content_pb2.TranslationGrade.Value(f"TRANSLATION_GRADE_{inject.grade.upper()}"),
        translator=inject.translator,
        language=inject.lang,
        direction=DIRECTIONS[inject.lang],
        text=inject.text,
        officer=OFFICERS[inject.sender],
        send=True,
    )
