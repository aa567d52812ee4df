"""What every part of the operator service stands on, and the part for charters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from hotline.errors import StorageError
from hotline.machine import Reply, RequestId
from hotline.protocol.conference import ConferenceEvent, To
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import ActivateCharter, EndpointEvent
from hotline.runtime.driver import Driver
from hotline.wire.v1 import operator_pb2, operator_pb2_grpc

NOT_AN_OFFICER = (
    "you are no officer of this terminal: an administrator adds you to [[operator.officer]] in its configuration"
)


class Desk(operator_pb2_grpc.OperatorServiceServicer):
    """One caller, who may be an officer, before the machine."""

    def __init__(
        self, driver: Driver[ConferenceEvent], endpoint: Endpoint, officer: str | None, party: str = ""
    ) -> None:
        """`party` is the one that this window is about, where there are several other ones."""
        self._party = party
        self._driver = driver
        self._endpoint = endpoint
        self._officer = officer

    async def _ask(
        self, context: grpc.aio.ServicerContext[Any, Any], make: Callable[[RequestId], EndpointEvent]
    ) -> Reply:
        """The machine's answer; a daemon that is stopping says so in a sentence."""
        try:
            return await self._driver.ask(
                (lambda number: To(self._party, make(number))) if self._party else make  # 26.8
            )
        except StorageError as error:
            await context.abort(grpc.StatusCode.ABORTED, str(error))


class CharterDesk(Desk):
    """The charter in force, and the next one."""

    async def GetCharter(  # noqa: N802
        self,
        request: operator_pb2.GetCharterRequest,
        context: grpc.aio.ServicerContext[operator_pb2.GetCharterRequest, operator_pb2.GetCharterResponse],
    ) -> operator_pb2.GetCharterResponse:
        """What this terminal stands under is no secret from whoever may see its status."""
        del request, context
        charters = self._endpoint.charters
        return operator_pb2.GetCharterResponse(in_force=charters.note, next=charters.next_note)

    async def ActivateCharter(  # noqa: N802
        self,
        request: operator_pb2.ActivateCharterRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ActivateCharterRequest, operator_pb2.ActivateCharterResponse],
    ) -> operator_pb2.ActivateCharterResponse:
        """Take the next charter; the answer comes when that is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.ActivateCharterResponse(code="policy", text=NOT_AN_OFFICER)
        note = request.note
        reply = await self._ask(context, lambda number: ActivateCharter(number, officer, note))
        return operator_pb2.ActivateCharterResponse(accepted=reply.ok, code=reply.code, text=reply.text)
