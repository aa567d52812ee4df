"""What a watch asks of its terminal beside statements: challenges (docs/protocol.md section 25)."""

from __future__ import annotations

import grpc
import grpc.aio

from hotline.machine import Plane
from hotline.protocol.events import AnswerChallenge, AskChallenge
from hotline.runtime.desk import NOT_AN_OFFICER, Desk
from hotline.runtime.store import EndpointStore
from hotline.wire.v1 import operator_pb2

_LIST = "SELECT way, serial, plane, named, ours, statement, at, record, officer, by FROM challenge"


class WatchDesk(Desk):
    """A part of the operator service of one caller; what it needs is the service's."""

    _store: EndpointStore

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
