"""The local face of an endpoint for its officers: what one caller may ask, the caller being known (runtime/gate.py).

A caller who is no officer may look, but neither send nor read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import grpc
import grpc.aio

from hotline.limits import BUNDLE_BYTES_MAX, BUNDLE_PIECE_BYTES, LISTED_MAX, SERIAL_MAX, STATUS_JSON_MAX
from hotline.protocol.conference import ConferenceEvent
from hotline.protocol.drafts import Drafts
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import (
    AskPresence,
    ExportBundle,
    ImportBundle,
    MarkRead,
    MarkShown,
    PromiseReply,
    SendTest,
    SetPresence,
    SetTerminal,
)
from hotline.protocol.neutral import UNATTENDED
from hotline.protocol.status import status
from hotline.runtime.desk import NOT_AN_OFFICER, CharterDesk
from hotline.runtime.draftdesk import DraftDesk
from hotline.runtime.driver import Driver, system_clock
from hotline.runtime.lookups import Lookups
from hotline.runtime.onceonly import OnceOnly
from hotline.runtime.requests import plane_of, submit_event, submit_response, translate_event, translate_response, whole
from hotline.runtime.testlist import channel_tests
from hotline.runtime.views import LISTED_AT_ONCE, StatementViews, clear_words, withhold
from hotline.runtime.watchdesk import WatchDesk
from hotline.runtime.watchers import Watchers
from hotline.wire.v1 import operator_pb2

_NEWEST: Final = "WHERE plane=? AND serial<? ORDER BY serial DESC LIMIT ?"
_UNREAD: Final = (
    "JOIN unread u ON u.plane=r.plane AND u.serial=r.serial"
    " WHERE r.plane=? AND r.serial<? ORDER BY r.serial DESC LIMIT ?"
)
_LAST: Final = SERIAL_MAX + 1


class OperatorService(WatchDesk, DraftDesk, CharterDesk):
    """What officers may ask of their terminal."""

    def __init__(
        self,
        driver: Driver[ConferenceEvent],
        endpoint: Endpoint,
        store: Lookups,
        watchers: Watchers,
        officer: str | None,
        extra_status: Callable[[], Mapping[str, Any]],
        party: str = "",
    ) -> None:
        super().__init__(driver, endpoint, officer, party)
        self._store = store
        self._views = StatementViews(store, party)
        self._watchers = watchers
        self._extra_status = extra_status
        self._submits: OnceOnly[operator_pb2.SubmitResponse] = OnceOnly()
        self._tests: OnceOnly[operator_pb2.TestChannelResponse] = OnceOnly()
        self._translations: OnceOnly[operator_pb2.TranslateResponse] = OnceOnly()

    @property
    def _drafts(self) -> Drafts:
        return self._endpoint.drafts

    @property
    def _originals(self) -> StatementViews:
        return self._views

    @property
    def _signed_for(self) -> tuple[bytes, str]:
        setup = self._endpoint.context.setup
        return setup.charter, setup.local.party

    # --- statements --------------------------------------------------------------------------------------------------

    async def Submit(  # noqa: N802 - gRPC's name
        self,
        request: operator_pb2.SubmitRequest,
        context: grpc.aio.ServicerContext[operator_pb2.SubmitRequest, operator_pb2.SubmitResponse],
    ) -> operator_pb2.SubmitResponse:
        """Queue one statement; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.SubmitResponse(code="policy", text=NOT_AN_OFFICER)

        async def ask() -> operator_pb2.SubmitResponse:
            reply = await self._ask(
                context,
                lambda number: submit_event(number, officer, request),
            )
            return submit_response(reply)

        return await self._submits.answer(bytes(request.request_key), ask)

    async def Translate(  # noqa: N802
        self,
        request: operator_pb2.TranslateRequest,
        context: grpc.aio.ServicerContext[operator_pb2.TranslateRequest, operator_pb2.TranslateResponse],
    ) -> operator_pb2.TranslateResponse:
        """Keep or send a translation; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.TranslateResponse(code="policy", text=NOT_AN_OFFICER)

        async def ask() -> operator_pb2.TranslateResponse:
            reply = await self._ask(
                context,
                lambda number: translate_event(number, officer, request),
            )
            return translate_response(reply)

        return await self._translations.answer(bytes(request.request_key), ask)

    async def TestChannel(  # noqa: N802
        self,
        request: operator_pb2.TestChannelRequest,
        context: grpc.aio.ServicerContext[operator_pb2.TestChannelRequest, operator_pb2.TestChannelResponse],
    ) -> operator_pb2.TestChannelResponse:
        """Send a channel test; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.TestChannelResponse(code="policy", text=NOT_AN_OFFICER)

        async def ask() -> operator_pb2.TestChannelResponse:
            made = submit_response(await self._ask(context, lambda number: SendTest(number, officer)))
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

        limit = min(request.limit or 50, LISTED_MAX)
        found = await channel_tests(self._store, one(self._views.sent), one(self._views.received), limit)
        return operator_pb2.ListTestsResponse(test=found)

    async def Read(  # noqa: N802
        self,
        request: operator_pb2.ReadRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ReadRequest, operator_pb2.ReadResponse],
    ) -> operator_pb2.ReadResponse:
        """Open one received statement as the calling officer."""
        officer = self._officer
        if officer is None:
            return operator_pb2.ReadResponse(code="policy", text=NOT_AN_OFFICER)
        plane, serial = plane_of(request.exercise, request.service), request.serial
        reply = await self._ask(context, lambda number: MarkRead(number, plane, serial, officer))
        response = operator_pb2.ReadResponse(accepted=reply.ok, code=reply.code, text=reply.text)
        if reply.ok:
            views = self._views.received(plane, "WHERE r.plane=? AND r.serial=?", (plane.value, serial))
            if views:
                self._views.add_translations(plane, views[0])
                response.statement.CopyFrom(views[0])
        return response

    async def MarkShown(  # noqa: N802
        self,
        request: operator_pb2.MarkShownRequest,
        context: grpc.aio.ServicerContext[operator_pb2.MarkShownRequest, operator_pb2.MarkShownResponse],
    ) -> operator_pb2.MarkShownResponse:
        """The calling officer has shown a statement to the principal."""
        officer = self._officer
        if officer is None:
            return operator_pb2.MarkShownResponse(code="policy", text=NOT_AN_OFFICER)
        plane, serial, principal = plane_of(request.exercise), request.serial, request.principal
        reply = await self._ask(context, lambda number: MarkShown(number, plane, serial, officer, principal))
        return operator_pb2.MarkShownResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    async def PromiseReply(  # noqa: N802
        self,
        request: operator_pb2.PromiseReplyRequest,
        context: grpc.aio.ServicerContext[operator_pb2.PromiseReplyRequest, operator_pb2.PromiseReplyResponse],
    ) -> operator_pb2.PromiseReplyResponse:
        """The calling officer promises an answer."""
        officer = self._officer
        if officer is None:
            return operator_pb2.PromiseReplyResponse(code="policy", text=NOT_AN_OFFICER)
        plane, serial, until = plane_of(request.exercise), request.serial, request.reply_by_ms
        reply = await self._ask(context, lambda number: PromiseReply(number, plane, serial, officer, until))
        return operator_pb2.PromiseReplyResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    async def ListStatements(  # noqa: N802
        self,
        request: operator_pb2.ListStatementsRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ListStatementsRequest, operator_pb2.ListStatementsResponse],
    ) -> operator_pb2.ListStatementsResponse:
        """Statements without opening them: received ones without their words until an officer has read them."""
        del context
        plane = plane_of(request.exercise, request.service)
        limit, before = min(request.limit or 50, LISTED_MAX), min(request.before or _LAST, _LAST)
        if request.serial:
            views = (self._views.sent if request.sent else self._views.received)(
                plane, "WHERE plane=? AND serial=?", (plane.value, request.serial)
            )
            for view in views:
                self._views.add_translations(plane, view)
        else:
            read = self._views.sent if request.sent else self._views.received
            clause = _UNREAD if request.unread_only and not request.sent else _NEWEST
            views = []
            while len(views) < limit:
                part = read(plane, clause, (plane.value, before, min(limit - len(views), LISTED_AT_ONCE)))
                views += part
                if len(part) < LISTED_AT_ONCE:
                    break
                before = part[-1].serial
                await asyncio.sleep(0)
        for view in views:
            if view.kind in UNATTENDED:
                continue
            if self._officer is None:
                withhold(view)
            elif not view.sent and not view.read_ms:
                clear_words(view)
        return operator_pb2.ListStatementsResponse(statement=views[::-1])

    # --- presence ----------------------------------------------------------------------------------------------------

    async def SetPresence(  # noqa: N802
        self,
        request: operator_pb2.SetPresenceRequest,
        context: grpc.aio.ServicerContext[operator_pb2.SetPresenceRequest, operator_pb2.SetPresenceResponse],
    ) -> operator_pb2.SetPresenceResponse:
        """Say what this side is; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.SetPresenceResponse(code="policy", text=NOT_AN_OFFICER)
        word, until = request.presence, request.until_ms
        reply = await self._ask(context, lambda number: SetPresence(number, officer, word, until))
        return operator_pb2.SetPresenceResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    async def AskPresence(  # noqa: N802
        self,
        request: operator_pb2.AskPresenceRequest,
        context: grpc.aio.ServicerContext[operator_pb2.AskPresenceRequest, operator_pb2.AskPresenceResponse],
    ) -> operator_pb2.AskPresenceResponse:
        """Ask the peer's duty officer for a word."""
        del request
        officer = self._officer
        if officer is None:
            return operator_pb2.AskPresenceResponse(code="policy", text=NOT_AN_OFFICER)
        reply = await self._ask(context, lambda number: AskPresence(number, officer))
        return operator_pb2.AskPresenceResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    # --- terminals ---------------------------------------------------------------------------------------------------

    async def SetTerminal(  # noqa: N802
        self,
        request: operator_pb2.SetTerminalRequest,
        context: grpc.aio.ServicerContext[operator_pb2.SetTerminalRequest, operator_pb2.SetTerminalResponse],
    ) -> operator_pb2.SetTerminalResponse:
        """Let this terminal speak for its party, or stand by; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.SetTerminalResponse(code="policy", text=NOT_AN_OFFICER)
        speak = request.speak
        reply = await self._ask(context, lambda number: SetTerminal(number, officer, speak))
        return operator_pb2.SetTerminalResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    # --- courier -----------------------------------------------------------------------------------------------------

    async def ExportBundle(  # noqa: N802
        self,
        request: operator_pb2.ExportBundleRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ExportBundleRequest, operator_pb2.ExportBundleResponse],
    ) -> AsyncIterator[operator_pb2.ExportBundleResponse]:
        """A bundle of what the peer lacks; that it was made is in the ledger before the first piece leaves."""
        officer = self._officer
        if officer is None:
            yield operator_pb2.ExportBundleResponse(code="policy", text=NOT_AN_OFFICER)
            return
        reply = await self._ask(context, lambda number: ExportBundle(number, officer, request.terminal))
        if not reply.ok:
            yield operator_pb2.ExportBundleResponse(code=reply.code, text=reply.text)
            return
        data = reply.fields["bundle"]
        assert isinstance(data, bytes)
        first = operator_pb2.ExportBundleResponse(
            accepted=True,
            code=reply.code,
            text=reply.text,
            statements=whole(reply.fields["statements"]),
            terminal=str(reply.fields["terminal"]),
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
            return operator_pb2.ImportBundleResponse(code="policy", text=NOT_AN_OFFICER)
        data = bytearray()
        async for request in request_iterator:
            data += request.piece
            if len(data) > BUNDLE_BYTES_MAX:
                return operator_pb2.ImportBundleResponse(code="too-long", text="no terminal makes so large a bundle")
        reply = await self._ask(context, lambda number: ImportBundle(number, officer, bytes(data)))
        response = operator_pb2.ImportBundleResponse(accepted=reply.ok, code=reply.code, text=reply.text)
        if reply.ok:
            response.envelopes = whole(reply.fields["envelopes"])
            response.statements = whole(reply.fields["statements"])
            response.delivered = whole(reply.fields["delivered"])
            response.refused = whole(reply.fields["refused"])
        return response

    # --- state and events --------------------------------------------------------------------------------------------

    async def GetStatus(  # noqa: N802
        self,
        request: operator_pb2.GetStatusRequest,
        context: grpc.aio.ServicerContext[operator_pb2.GetStatusRequest, operator_pb2.GetStatusResponse],
    ) -> operator_pb2.GetStatusResponse:
        """One picture of everything."""
        del request, context
        extra = self._extra_status()
        picture = status(self._endpoint, system_clock())
        picture |= {**extra, "alarms": [*picture["alarms"], *extra["alarms"]]}
        text = json.dumps(picture)
        assert len(text) <= STATUS_JSON_MAX
        return operator_pb2.GetStatusResponse(json=text)

    async def Watch(  # noqa: N802
        self,
        request: operator_pb2.WatchRequest,
        context: grpc.aio.ServicerContext[operator_pb2.WatchRequest, operator_pb2.WatchResponse],
    ) -> AsyncIterator[operator_pb2.WatchResponse]:
        """Events of this window from now on."""
        del request
        queue = self._watchers.add(self._party)
        try:
            await context.send_initial_metadata(())
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)
