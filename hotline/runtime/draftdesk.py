"""What officers may ask of their terminal about drafts. Texts that nobody has said are for officers only."""

from __future__ import annotations

from abc import abstractmethod

import grpc.aio

from hotline.limits import OPERATOR_REQUEST_BYTES_MAX
from hotline.machine import RequestId
from hotline.protocol.drafts import Drafts
from hotline.protocol.events import MakeDraft, RejectDraft, ReleaseDraft, SignDraft
from hotline.runtime.desk import NOT_AN_OFFICER, Desk
from hotline.runtime.requests import plane_of, submit_event, translate_event
from hotline.runtime.views import StatementViews
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2, operator_pb2


class DraftDesk(Desk):
    """The part of the operator interface that is about drafts (docs/protocol.md 19.9)."""

    @property
    @abstractmethod
    def _drafts(self) -> Drafts:
        """The machine's drafts."""

    @property
    @abstractmethod
    def _signed_for(self) -> tuple[bytes, str]:
        """Charter and party that a signature is for."""

    @property
    @abstractmethod
    def _originals(self) -> StatementViews:
        """What was said, to be shown to whoever signs a translation of it."""

    async def MakeDraft(  # noqa: N802
        self,
        request: operator_pb2.MakeDraftRequest,
        context: grpc.aio.ServicerContext[operator_pb2.MakeDraftRequest, operator_pb2.MakeDraftResponse],
    ) -> operator_pb2.MakeDraftResponse:
        """A new draft, or another wording of an open one; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.MakeDraftResponse(code="policy", text=NOT_AN_OFFICER)

        def event(number: RequestId) -> MakeDraft:
            if request.HasField("translation"):
                return MakeDraft(number, request.number, translate_event(number, officer, request.translation))
            return MakeDraft(number, request.number, submit_event(number, officer, request.statement))

        reply = await self._ask(context, event)
        response = operator_pb2.MakeDraftResponse(accepted=reply.ok, code=reply.code, text=reply.text)
        if reply.ok:
            data = reply.fields["draft"]
            assert isinstance(data, bytes)
            response.draft.CopyFrom(decode(operator_pb2.Draft, data, 2 * OPERATOR_REQUEST_BYTES_MAX))
        return response

    async def SignDraft(  # noqa: N802
        self,
        request: operator_pb2.SignDraftRequest,
        context: grpc.aio.ServicerContext[operator_pb2.SignDraftRequest, operator_pb2.SignDraftResponse],
    ) -> operator_pb2.SignDraftResponse:
        """An officer's signature; the answer comes when it is durable."""
        if self._officer is None:
            return operator_pb2.SignDraftResponse(code="policy", text=NOT_AN_OFFICER)
        reply = await self._ask(context, lambda number: SignDraft(number, request.number, request.release))
        missing = str(reply.fields["missing"]) if reply.ok else ""
        return operator_pb2.SignDraftResponse(accepted=reply.ok, code=reply.code, text=reply.text, missing=missing)

    async def RejectDraft(  # noqa: N802
        self,
        request: operator_pb2.RejectDraftRequest,
        context: grpc.aio.ServicerContext[operator_pb2.RejectDraftRequest, operator_pb2.RejectDraftResponse],
    ) -> operator_pb2.RejectDraftResponse:
        """Put a draft aside; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.RejectDraftResponse(code="policy", text=NOT_AN_OFFICER)
        reply = await self._ask(context, lambda number: RejectDraft(number, officer, request.number, request.reason))
        return operator_pb2.RejectDraftResponse(accepted=reply.ok, code=reply.code, text=reply.text)

    async def ReleaseDraft(  # noqa: N802
        self,
        request: operator_pb2.ReleaseDraftRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ReleaseDraftRequest, operator_pb2.ReleaseDraftResponse],
    ) -> operator_pb2.ReleaseDraftResponse:
        """Have a draft said; the answer comes when it is durable."""
        officer = self._officer
        if officer is None:
            return operator_pb2.ReleaseDraftResponse(code="policy", text=NOT_AN_OFFICER)
        reply = await self._ask(context, lambda number: ReleaseDraft(number, officer, request.number))
        response = operator_pb2.ReleaseDraftResponse(accepted=reply.ok, code=reply.code, text=reply.text)
        if reply.ok:
            response.serial, response.date_time_group = int(str(reply.fields["serial"])), str(reply.fields["dtg"])
        return response

    async def ListDrafts(  # noqa: N802
        self,
        request: operator_pb2.ListDraftsRequest,
        context: grpc.aio.ServicerContext[operator_pb2.ListDraftsRequest, operator_pb2.ListDraftsResponse],
    ) -> operator_pb2.ListDraftsResponse:
        """One draft as it is, or a list of them without their texts."""
        del context
        if self._officer is None:
            return operator_pb2.ListDraftsResponse(code="policy", text=NOT_AN_OFFICER)
        charter, party = self._signed_for
        response = operator_pb2.ListDraftsResponse(accepted=True, charter=charter, party=party)
        for draft, missing in self._drafts.listed():
            wanted = draft.number == request.number if request.number else request.finished or draft.state == "open"
            if wanted:
                view = response.draft.add(draft=draft, missing=" ".join(missing))
                statement = decode(content_pb2.Statement, draft.content, OPERATOR_REQUEST_BYTES_MAX)
                if request.number and statement.HasField("translation"):
                    plane = plane_of(draft.exercise)
                    view.original.CopyFrom(self._originals.original(plane, statement.translation, sent=True))
                if not request.number:  # a hundred whole texts would not fit one answer
                    statement.text = ""
                    view.draft.content = encode(statement)
        return response
