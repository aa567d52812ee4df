"""What a watch asks of its terminal beside statements: challenges, handovers, checklists (protocol section 25)."""

from __future__ import annotations

import json

import grpc
import grpc.aio

from hotline.errors import StorageError
from hotline.machine import Plane
from hotline.protocol.events import AnswerChallenge, AskChallenge, RecordChecklist, ShowHandover, SignHandover
from hotline.runtime.desk import NOT_AN_OFFICER, Desk
from hotline.runtime.lookups import Lookups
from hotline.wire.v1 import operator_pb2

_LIST = "SELECT way, serial, plane, named, ours, statement, at, record, officer, by FROM challenge"


class WatchDesk(Desk):
    """A part of the operator service of one caller; what it needs is the service's."""

    _store: Lookups

    async def AskChallenge(  # noqa: N802 - gRPC's name
        self,
        request: operator_pb2.AskChallengeRequest,
        context: grpc.aio.ServicerContext[operator_pb2.AskChallengeRequest, operator_pb2.AskChallengeResponse],
    ) -> operator_pb2.AskChallengeResponse:
        """Ask the other side whether a statement is in its record; the answer comes when the question is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.AskChallengeResponse(code="policy", text=NOT_AN_OFFICER)
        plane = Plane.EXERCISE if request.exercise else Plane.REAL
        serial, ours = request.serial, request.sent
        reply = await self._ask(context, lambda number: AskChallenge(number, officer, plane, serial, ours))
        made = reply.fields.get("serial")
        return operator_pb2.AskChallengeResponse(
            accepted=reply.ok, code=reply.code, text=reply.text, serial=made if isinstance(made, int) else 0
        )

    async def AnswerChallenge(  # noqa: N802
        self,
        request: operator_pb2.AnswerChallengeRequest,
        context: grpc.aio.ServicerContext[operator_pb2.AnswerChallengeRequest, operator_pb2.AnswerChallengeResponse],
    ) -> operator_pb2.AnswerChallengeResponse:
        """A person's answer to a challenge of the peer."""
        officer = self._officer
        if officer is None:
            return operator_pb2.AnswerChallengeResponse(code="policy", text=NOT_AN_OFFICER)
        serial, verdict, text = request.serial, request.verdict, request.text
        reply = await self._ask(context, lambda number: AnswerChallenge(number, officer, serial, verdict, text))
        return operator_pb2.AnswerChallengeResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    async def ListChallenges(  # noqa: N802
        self,
        request: operator_pb2.ListChallengesRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ListChallengesRequest, operator_pb2.ListChallengesResponse],
    ) -> operator_pb2.ListChallengesResponse:
        """Challenges of both ways, newest last."""
        del context
        rows = self._store.query(f"{_LIST} ORDER BY at DESC, serial DESC LIMIT ?", (min(request.limit or 50, 500),))
        found = [
            operator_pb2.ChallengeView(
                way=way,
                serial=serial,
                exercise=plane == Plane.EXERCISE.value,
                named=named,
                ours=bool(ours),
                statement=statement,
                time_ms=at,
                record=record,
                officer=officer,
                by=by,
            )
            for way, serial, plane, named, ours, statement, at, record, officer, by in rows
        ]
        return operator_pb2.ListChallengesResponse(challenge=found[::-1])

    async def GetHandover(  # noqa: N802
        self,
        request: operator_pb2.GetHandoverRequest,
        context: grpc.aio.ServicerContext[operator_pb2.GetHandoverRequest, operator_pb2.GetHandoverResponse],
    ) -> operator_pb2.GetHandoverResponse:
        """The list as it is now, and what else is signed with it. What an officer is shown can be signed (25.10)."""
        del request
        setup = self._endpoint.context.setup
        if self._officer is None:
            listed = self._endpoint.handovers.listed().decode()
        else:
            listed = (await self._ask(context, ShowHandover)).text
        return operator_pb2.GetHandoverResponse(
            list=listed, outgoing=self._officer or "", charter=setup.charter, terminal=setup.local.number
        )

    async def SignHandover(  # noqa: N802
        self,
        request: operator_pb2.SignHandoverRequest,
        context: grpc.aio.ServicerContext[operator_pb2.SignHandoverRequest, operator_pb2.SignHandoverResponse],
    ) -> operator_pb2.SignHandoverResponse:
        """Enter a handover that the oncoming officer has signed."""
        officer = self._officer
        if officer is None:
            return operator_pb2.SignHandoverResponse(code="policy", text=NOT_AN_OFFICER)
        given = (request.oncoming, bytes(request.list_hash), request.notes, bytes(request.signature))
        reply = await self._ask(context, lambda number: SignHandover(number, officer, *given))
        made = reply.fields.get("number")
        return operator_pb2.SignHandoverResponse(
            accepted=reply.ok, code=reply.code, text=reply.text, number=made if isinstance(made, int) else 0
        )

    async def ListHandovers(  # noqa: N802
        self,
        request: operator_pb2.ListHandoversRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ListHandoversRequest, operator_pb2.ListHandoversResponse],
    ) -> operator_pb2.ListHandoversResponse:
        """Handovers, newest last. The notes of one whose content key was destroyed are gone, the entry is not."""
        number, limit = request.number, min(request.limit or 50, 500)
        clause, values = ("AND serial=?", (number,)) if number else ("ORDER BY serial DESC LIMIT ?", (limit,))
        sql = f"SELECT serial, content, signature, at FROM handover WHERE plane='service' {clause}"  # noqa: S608 - ours
        try:
            rows = self._store.query(sql, values)
            found = [self._handover(*row) for row in rows]
        except StorageError as error:
            await context.abort(grpc.StatusCode.ABORTED, str(error))
        for view in found if self._officer is None else ():
            view.ClearField("notes")
        return operator_pb2.ListHandoversResponse(handover=found[::-1])

    def _handover(self, number: int, box: bytes, signature: bytes, at: int) -> operator_pb2.HandoverView:
        content = self._store.content("handover", Plane.SERVICE.value, number, box)
        kept = json.loads(content) if content is not None else {}
        view = operator_pb2.HandoverView(number=number, time_ms=at, signature=signature)
        for name in ("list", "outgoing", "oncoming", "notes") if kept else ():
            setattr(view, name, kept[name])
        return view

    async def RecordChecklist(  # noqa: N802
        self,
        request: operator_pb2.RecordChecklistRequest,
        context: grpc.aio.ServicerContext[operator_pb2.RecordChecklistRequest, operator_pb2.RecordChecklistResponse],
    ) -> operator_pb2.RecordChecklistResponse:
        """Enter what the caller did of a checklist."""
        officer = self._officer
        if officer is None:
            return operator_pb2.RecordChecklistResponse(code="policy", text=NOT_AN_OFFICER)
        name, file = request.name, bytes(request.file)
        steps = tuple((step.outcome, step.reason) for step in request.step)
        reply = await self._ask(context, lambda number: RecordChecklist(number, officer, name, file, steps))
        return operator_pb2.RecordChecklistResponse(accepted=reply.ok, code=reply.code, text=reply.text)
