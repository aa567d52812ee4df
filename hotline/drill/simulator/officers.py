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
    """The officers of both sides. `said`: serials of single statements, by their labels.

    `failed` is told what a terminal refuses, and its words.
    """

    def __init__(
        self, world: World, plan: Plan, observer: Observer, said: Mapping[str, int], failed: Callable[[Act, str], None]
    ) -> None:
        self._world = world
        self._plan = plan
        self._observer = observer
        self._said = said
        self._failed = failed

    def act(self, inject: Act) -> Undo | None:
        """Do it; what a terminal refuses has failed. Raises LocalError for what cannot even be asked for."""
        match inject:
            case Presence():
                self._presence(inject, inject.word, inject.until, self._failed)
                return partial(self._presence, inject, "alive", 0, self._not_undone)
            case Ask():
                self._must(inject, partial(AskPresence, officer=OFFICERS[inject.sender]))
            case Shown() | ReplyBy():
                self._climb(inject)
            case Challenge():
                self._challenge(inject)
            case Confirm():
                self._confirm(inject)
        return None

    def _presence(self, inject: Presence, word: str, span: int, refused: Callable[[Act, str], None]) -> None:
        party = inject.sender
        until = self._world.endpoints[party].now().wall + span if span else 0
        self._must(inject, partial(SetPresence, officer=OFFICERS[party], word=word, until=until), refused=refused)

    def _not_undone(self, inject: Act, why: str) -> None:
        self._observer.add("note", text=f"{inject.name} could not be undone: {why}")

    def _climb(self, inject: Shown | ReplyBy) -> None:
        said = said_as(self._plan, inject.statement)
        plane = Plane(said.plane if said else "exercise")
        serial, party = serial_of(self._said, inject.statement), inject.sender
        who = OFFICERS[party]
        if isinstance(inject, Shown):
            self._must(inject, lambda number: MarkShown(number, plane, serial, who, inject.principal))
            return
        until = self._world.endpoints[party].now().wall + inject.within
        self._must(inject, lambda number: PromiseReply(number, plane, serial, who, until))

    def _challenge(self, inject: Challenge) -> None:
        said, party = said_as(self._plan, inject.statement), inject.sender
        assert said is not None  # a plan with such a challenge is not loaded
        serial, ours = serial_of(self._said, inject.statement), said.sender == party
        fields: dict[str, Any] = {"from": party, "id": statement_id(said.sender, said.plane, serial)}
        event = partial(AskChallenge, officer=OFFICERS[party], plane=Plane(said.plane), serial=serial, ours=ours)
        self._must(
            inject,
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
        self._must(inject, partial(AnswerChallenge, officer=who, serial=heard, verdict=word, text=inject.text))

    def _must(
        self,
        inject: Act,
        event: Callable[[RequestId], EndpointEvent],
        then: Callable[[Reply], object] = _nothing,
        refused: Callable[[Act, str], None] | None = None,
    ) -> None:
        party, refused = inject.sender, refused or self._failed
        node, silent = self._world.endpoints[party], f"the terminal of {party} did not answer"
        if not node.up or node.frozen:
            raise LocalError(silent)

        def answered(reply: Reply) -> None:
            if reply.ok:
                then(reply)
            else:
                refused(inject, f"{party}: {reply.text}")

        node.ask(event, answered, lambda: refused(inject, silent))


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
