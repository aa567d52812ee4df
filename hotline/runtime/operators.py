"""The local face of an endpoint for its officers: what one caller may ask, the caller being known (runtime/gate.py).

A caller who is no officer may look, but neither send nor read.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from hotline.errors import StorageError
from hotline.limits import BUNDLE_BYTES_MAX, BUNDLE_PIECE_BYTES, STATUS_JSON_MAX
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import EndpointEvent, ExportBundle, ImportBundle, MarkRead, SendTest, Submit
from hotline.protocol.neutral import UNATTENDED, kind_of
from hotline.protocol.statements import decode_statement
from hotline.protocol.status import status
from hotline.runtime.driver import Driver, system_clock
from hotline.runtime.onceonly import OnceOnly
from hotline.runtime.store import EndpointStore
from hotline.runtime.testlist import channel_tests
from hotline.runtime.watchers import Watchers
from hotline.wire.v1 import operator_pb2, operator_pb2_grpc

_NOT_AN_OFFICER = (
    "you are no officer of this terminal: an administrator adds you to [[operator.officer]] in its configuration"
)

_SENT = "SELECT s.serial, s.content, s.hash FROM sent s"
_RECEIVED = "SELECT r.serial, r.content, r.hash, r.at FROM received r"


class OperatorService(operator_pb2_grpc.OperatorServiceServicer):
    """What officers may ask of their terminal."""

    def __init__(
        self,
        driver: Driver[EndpointEvent],
        endpoint: Endpoint,
        store: EndpointStore,
        watchers: Watchers,
        officer: str | None,
        extra_status: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._driver = driver
        self._endpoint = endpoint
        self._store = store
        self._watchers = watchers
        self._officer = officer
        self._extra_status = extra_status
        self._submits: OnceOnly[operator_pb2.SubmitResponse] = OnceOnly()
        self._tests: OnceOnly[operator_pb2.TestChannelResponse] = OnceOnly()

    # --- statements --------------------------------------------------------------------------------------------------

    async def _ask(
        self, context: grpc.aio.ServicerContext[Any, Any], make: Callable[[RequestId], EndpointEvent]
    ) -> Reply:
        """The machine's answer; a daemon that is stopping says so in a sentence."""
        try:
            return await self._driver.ask(make)
        except StorageError as error:
            await context.abort(grpc.StatusCode.ABORTED, str(error))

    async def Submit(  # noqa: N802 - gRPC's name
        self,
        request: operator_pb2.SubmitRequest,
        context: grpc.aio.ServicerContext[operator_pb2.SubmitRequest, operator_pb2.SubmitResponse],
    ) -> operator_pb2.SubmitResponse:
        """Queue one statement; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.SubmitResponse(code="policy", text=_NOT_AN_OFFICER)
        plane = _plane(request.exercise)

        async def ask() -> operator_pb2.SubmitResponse:
            reply = await self._ask(
                context,
                lambda number: Submit(
                    number,
                    plane,
                    request.precedence,
                    request.language,
                    request.direction,
                    request.text,
                    officer,
                    request.valid_for_ms,
                ),
            )
            return _submit_response(reply)

        return await self._submits.answer(bytes(request.request_key), ask)

    async def TestChannel(  # noqa: N802
        self,
        request: operator_pb2.TestChannelRequest,
        context: grpc.aio.ServicerContext[operator_pb2.TestChannelRequest, operator_pb2.TestChannelResponse],
    ) -> operator_pb2.TestChannelResponse:
        """Send a channel test; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.TestChannelResponse(code="policy", text=_NOT_AN_OFFICER)

        async def ask() -> operator_pb2.TestChannelResponse:
            made = _submit_response(await self._ask(context, lambda number: SendTest(number, officer)))
            return operator_pb2.TestChannelResponse(
                accepted=made.accepted,
                code=made.code,
                text=made.text,
                serial=made.serial,
                date_time_group=made.date_time_group,
            )

        return await self._tests.answer(bytes(request.request_key), ask)

    async def ListTests(  # noqa: N802
        self,
        request: operator_pb2.ListTestsRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ListTestsRequest, operator_pb2.ListTestsResponse],
    ) -> operator_pb2.ListTestsResponse:
        """Channel tests of both ways, and those that did not come."""
        del context

        def one(views: Callable[..., list[operator_pb2.StatementView]]) -> Callable[..., Any]:
            return lambda plane, serial: next(
                iter(views(plane, "WHERE plane=? AND serial=?", (plane.value, serial))), None
            )

        limit = min(request.limit or 50, 500)
        found = channel_tests(self._store, one(self._sent), one(self._received), limit)
        return operator_pb2.ListTestsResponse(test=found)

    async def Read(  # noqa: N802
        self,
        request: operator_pb2.ReadRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ReadRequest, operator_pb2.ReadResponse],
    ) -> operator_pb2.ReadResponse:
        """Open one received statement as the calling officer."""
        officer = self._officer
        if officer is None:
            return operator_pb2.ReadResponse(code="policy", text=_NOT_AN_OFFICER)
        plane, serial = _plane(request.exercise), request.serial
        reply = await self._ask(context, lambda number: MarkRead(number, plane, serial, officer))
        response = operator_pb2.ReadResponse(accepted=reply.ok, code=reply.code, text=reply.text)
        if reply.ok:
            views = self._received(plane, "WHERE r.plane=? AND r.serial=?", (plane.value, serial))
            if views:
                response.statement.CopyFrom(views[0])
        return response

    async def ListStatements(  # noqa: N802
        self,
        request: operator_pb2.ListStatementsRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ListStatementsRequest, operator_pb2.ListStatementsResponse],
    ) -> operator_pb2.ListStatementsResponse:
        """Statements without opening them: received ones come without their text until an officer has read them."""
        del context
        plane = _plane(request.exercise)
        limit = min(request.limit or 50, 500)
        if request.serial:
            views = (self._sent if request.sent else self._received)(
                plane, "WHERE plane=? AND serial=?", (plane.value, request.serial)
            )
        elif request.sent:
            views = self._sent(plane, "WHERE plane=? ORDER BY serial DESC LIMIT ?", (plane.value, limit))
        elif request.unread_only:
            clause = (
                "JOIN unread u ON u.plane=r.plane AND u.serial=r.serial WHERE r.plane=? ORDER BY r.serial DESC LIMIT ?"
            )
            views = self._received(plane, clause, (plane.value, limit))
        else:
            views = self._received(plane, "WHERE plane=? ORDER BY serial DESC LIMIT ?", (plane.value, limit))
        for view in views:
            if not view.sent and not view.read_ms and view.kind not in UNATTENDED:
                view.text = ""
        return operator_pb2.ListStatementsResponse(statement=views[::-1])

    def _sent(self, plane: Plane, clause: str, parameters: tuple[str | int, ...]) -> list[operator_pb2.StatementView]:
        views = []
        for serial, content, name in self._store.query(f"{_SENT} {clause}", parameters):
            assert isinstance(serial, int)
            view = self._view(plane, serial, content, name, sent=True)
            view.state = "queued"
            facts = self._store.query(
                "SELECT stage, at, by FROM sent_fact WHERE plane=? AND serial=? ORDER BY at", (plane.value, serial)
            )
            _apply_sent_facts(view, facts)
            views.append(view)
        return views

    def _view(self, plane: Plane, serial: int, box: object, name: object, *, sent: bool) -> operator_pb2.StatementView:
        assert isinstance(box, bytes)
        assert isinstance(name, bytes)
        content = self._store.content("sent" if sent else "received", plane.value, serial, box)
        if content is None:
            reason = "its content was destroyed when its time was over; the ledger still proves that it was said"
            return operator_pb2.StatementView(
                exercise=plane is Plane.EXERCISE, sent=sent, serial=serial, statement=name, reason=reason
            )
        return _view(plane, content, name, sent=sent)

    def _received(
        self, plane: Plane, clause: str, parameters: tuple[str | int, ...]
    ) -> list[operator_pb2.StatementView]:
        views = []
        for serial, content, name, at in self._store.query(f"{_RECEIVED} {clause}", parameters):
            assert isinstance(serial, int)
            assert isinstance(at, int)
            view = self._view(plane, serial, content, name, sent=False)
            view.received_ms = at
            view.state = "held"
            facts = self._store.query(
                "SELECT stage, at, by FROM received_fact WHERE plane=? AND serial=? ORDER BY at", (plane.value, serial)
            )
            for stage, fact_at, by in facts:
                if stage == "shown" and view.state == "held":
                    view.state = "shown" if view.kind in UNATTENDED else "unread"
                elif stage == "read":
                    view.state, view.read_ms, view.read_by = "read", _int(fact_at), str(by)
                elif stage == "repeat":
                    view.repeats = int(str(by))
            views.append(view)
        return views

    # --- courier -----------------------------------------------------------------------------------------------------

    async def ExportBundle(  # noqa: N802
        self,
        request: operator_pb2.ExportBundleRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ExportBundleRequest, operator_pb2.ExportBundleResponse],
    ) -> AsyncIterator[operator_pb2.ExportBundleResponse]:
        """A bundle of what the peer lacks; that it was made is in the ledger before the first piece leaves."""
        del request
        officer = self._officer
        if officer is None:
            yield operator_pb2.ExportBundleResponse(code="policy", text=_NOT_AN_OFFICER)
            return
        reply = await self._ask(context, lambda number: ExportBundle(number, officer))
        data = reply.fields["bundle"]
        assert isinstance(data, bytes)
        first = operator_pb2.ExportBundleResponse(
            accepted=reply.ok, code=reply.code, text=reply.text, statements=_int(reply.fields["statements"])
        )
        for start in range(0, len(data), BUNDLE_PIECE_BYTES):
            first.piece = data[start : start + BUNDLE_PIECE_BYTES]
            yield first
            first = operator_pb2.ExportBundleResponse(accepted=True)

    async def ImportBundle(  # noqa: N802
        self,
        request_iterator: AsyncIterator[operator_pb2.ImportBundleRequest],
        context: grpc.aio.ServicerContext[operator_pb2.ImportBundleRequest, operator_pb2.ImportBundleResponse],
    ) -> operator_pb2.ImportBundleResponse:
        """A bundle that a courier has brought; the answer comes when all that was in it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.ImportBundleResponse(code="policy", text=_NOT_AN_OFFICER)
        data = bytearray()
        async for request in request_iterator:
            data += request.piece
            if len(data) > BUNDLE_BYTES_MAX:
                return operator_pb2.ImportBundleResponse(code="too-long", text="no terminal makes so large a bundle")
        reply = await self._ask(context, lambda number: ImportBundle(number, officer, bytes(data)))
        response = operator_pb2.ImportBundleResponse(accepted=reply.ok, code=reply.code, text=reply.text)
        if reply.ok:
            response.envelopes = _int(reply.fields["envelopes"])
            response.statements = _int(reply.fields["statements"])
            response.delivered = _int(reply.fields["delivered"])
            response.refused = _int(reply.fields["refused"])
        return response

    # --- state and events --------------------------------------------------------------------------------------------

    async def GetStatus(  # noqa: N802
        self,
        request: operator_pb2.GetStatusRequest,
        context: grpc.aio.ServicerContext[operator_pb2.GetStatusRequest, operator_pb2.GetStatusResponse],
    ) -> operator_pb2.GetStatusResponse:
        """One picture of everything."""
        del request, context
        picture = status(self._endpoint, system_clock()) | dict(self._extra_status())
        text = json.dumps(picture)
        assert len(text) <= STATUS_JSON_MAX
        return operator_pb2.GetStatusResponse(json=text)

    async def Watch(  # noqa: N802
        self,
        request: operator_pb2.WatchRequest,
        context: grpc.aio.ServicerContext[operator_pb2.WatchRequest, operator_pb2.WatchResponse],
    ) -> AsyncIterator[operator_pb2.WatchResponse]:
        """Events from now on."""
        del request
        queue = self._watchers.add()
        try:
            await context.send_initial_metadata(())
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)


def _plane(exercise: bool) -> Plane:
    return Plane.EXERCISE if exercise else Plane.REAL


def _submit_response(reply: Reply) -> operator_pb2.SubmitResponse:
    fields = reply.fields
    if not reply.ok:
        return operator_pb2.SubmitResponse(accepted=False, code=reply.code, text=reply.text)
    name = fields["hash"]
    assert isinstance(name, bytes)
    return operator_pb2.SubmitResponse(
        accepted=True,
        code=reply.code,
        text=reply.text,
        serial=_int(fields["serial"]),
        date_time_group=str(fields["dtg"]),
        composed=str(fields["composed"]),
        statement=name,
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _view(plane: Plane, content: bytes, name: bytes, *, sent: bool) -> operator_pb2.StatementView:
    statement = decode_statement(content)
    return operator_pb2.StatementView(
        exercise=plane is Plane.EXERCISE,
        sent=sent,
        serial=statement.serial,
        precedence=statement.precedence,
        kind=kind_of(statement),
        date_time_group=statement.date_time_group,
        composed_ms=statement.composed_ms,
        language=statement.language,
        direction=statement.direction,
        from_party=statement.from_party,
        to_party=statement.to_party,
        drafter=statement.drafter,
        text=statement.text,
        statement=name,
    )


def _apply_sent_facts(view: operator_pb2.StatementView, facts: list[tuple[object, ...]]) -> None:
    rank = {"queued": 0, "expired": 1, "relayed": 1, "delivered": 2, "read": 3, "renumbered": 4}
    for stage, at, by in facts:
        name = str(stage)
        if rank[name] >= rank[view.state]:
            view.state = name
        match name:
            case "relayed":
                view.relayed_ms, view.relayed_by = _int(at), str(by)
            case "delivered":
                view.delivered_ms = _int(at)
            case "read":
                view.read_ms, view.read_by = _int(at), str(by)
            case "expired" | "renumbered":
                view.reason = str(by)
