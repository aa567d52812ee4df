"""Requests of officers as events, and replies of the machine as answers on the socket."""

from __future__ import annotations

from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import Submit, Translate
from hotline.protocol.fields import Typed
from hotline.wire.v1 import operator_pb2


def submit_event(number: RequestId, officer: str, request: operator_pb2.SubmitRequest) -> Submit:
    """A statement that `officer` hands in."""
    return Submit(
        number,
        plane_of(request.exercise, request.service),
        request.precedence,
        request.language,
        request.direction,
        request.text,
        officer,
        request.valid_for_ms,
        request.in_reply_to,
        request.corrects,
        request.retracts,
        request.phrase.code,
        bytes(request.phrase.book),
        tuple(Typed(one.name, one.kind, one.value) for one in request.field),
        request.without_prejudice,
        request.put_on_record,
        request.of_peer,
        tuple(request.action),
        tuple(request.info),
        request.originator_reference,
    )


def translate_event(number: RequestId, officer: str, request: operator_pb2.TranslateRequest) -> Translate:
    """A translation that `officer` hands in."""
    return Translate(
        number,
        plane_of(request.exercise),
        request.serial,
        request.sent,
        request.grade,
        request.translator,
        request.language,
        request.direction,
        request.text,
        officer,
        request.send,
    )


def plane_of(exercise: bool, service: bool = False) -> Plane:
    """The plane that a request names."""
    if service:
        return Plane.SERVICE
    return Plane.EXERCISE if exercise else Plane.REAL


def submit_response(reply: Reply) -> operator_pb2.SubmitResponse:
    """Queued, or refused with a sentence."""
    fields = reply.fields
    if not reply.ok:
        return operator_pb2.SubmitResponse(accepted=False, code=reply.code, text=reply.text)
    name = fields["hash"]
    assert isinstance(name, bytes)
    return operator_pb2.SubmitResponse(
        accepted=True,
        code=reply.code,
        text=reply.text,
        serial=whole(fields["serial"]),
        date_time_group=str(fields["dtg"]),
        composed=str(fields["composed"]),
        statement=name,
    )


def translate_response(reply: Reply) -> operator_pb2.TranslateResponse:
    """Kept, queued, or refused with a sentence."""
    response = operator_pb2.TranslateResponse(accepted=reply.ok, code=reply.code, text=reply.text)
    if reply.ok:
        name = reply.fields["hash"]
        assert isinstance(name, bytes)
        response.name = name
        response.serial = whole(reply.fields.get("serial", 0))
        response.number = whole(reply.fields.get("number", 0))
        response.date_time_group = str(reply.fields.get("dtg", ""))
    return response


def whole(value: object) -> int:
    """A number among the fields of a reply."""
    assert isinstance(value, int)
    return value
