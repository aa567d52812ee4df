"""What an officer hands in, looked at before anything is queued, and as the statement that it becomes (section 8)."""

from __future__ import annotations

from hotline.errors import LocalError, PolicyError, TextError
from hotline.limits import OUTBOX_BYTES_MAX, SERIAL_MAX, TIME_MAX
from hotline.machine import Plane
from hotline.protocol import modes
from hotline.protocol.addressees import add_addressees
from hotline.protocol.context import Context
from hotline.protocol.entries import precedence_name
from hotline.protocol.events import Submit
from hotline.protocol.fields import add_fields
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.references import check_references
from hotline.protocol.statements import PRECEDENCES, check_language, check_size, check_text
from hotline.protocol.talk import check_talk, outbox_room
from hotline.wire.v1 import content_pb2


def code_of(error: LocalError) -> str:
    """The word with which an officer's statement is refused."""
    return {TextError: "text", PolicyError: "policy"}.get(type(error), "full")


def compose(ctx: Context, event: Submit) -> content_pb2.Statement:
    """What an officer says, without what the terminal fills in when it goes. Raises LocalError."""
    if event.put_on_record:
        check_room(ctx, event.plane)
        return modes.on_record(ctx, event)
    _check(ctx, event)
    statement = content_pb2.Statement(
        precedence=event.precedence,
        kind=NON_PAPER if event.without_prejudice else content_pb2.STATEMENT_KIND_TEXT,
        language=event.language,
        direction=event.direction,
        drafter=event.drafter,
        text=event.text,
        valid_for_ms=event.valid_for_ms or ctx.setup.validity_ms[event.precedence],
    )
    add_fields(statement, event.phrase, event.book, event.fields)
    _refer(ctx, event, statement)
    add_addressees(statement, event.action, event.info, event.reference)
    check_size(statement)
    return statement


def _refer(ctx: Context, event: Submit, statement: content_pb2.Statement) -> None:
    """Name what this one answers, corrects or retracts. `_check` has seen that it is there."""
    if event.in_reply_to:
        answered = ctx.inboxes[event.plane].known_hash(event.in_reply_to) or b""
        statement.in_reply_to.CopyFrom(content_pb2.Reference(serial=event.in_reply_to, statement=answered))
    if event.corrects:
        row = ctx.history.sent(event.plane, event.corrects)
        assert row is not None
        kind = content_pb2.STATEMENT_KIND_RETRACTION if event.retracts else content_pb2.STATEMENT_KIND_CORRECTION
        statement.kind = kind
        statement.corrects.CopyFrom(content_pb2.Reference(serial=event.corrects, statement=row.hash))


def _check(ctx: Context, event: Submit) -> None:
    check_text(event.text, ctx.setup.text_bytes_max)
    check_language(event.language)
    if event.precedence not in PRECEDENCES:
        raise TextError("no such precedence: use ROUTINE, PRIORITY, IMMEDIATE or FLASH")
    if event.direction not in (content_pb2.DIRECTION_LTR, content_pb2.DIRECTION_RTL):
        raise TextError("no such writing direction: use ltr or rtl")
    if not 0 <= event.valid_for_ms <= TIME_MAX:
        raise TextError("no such validity: nothing was queued; give one that ends before the year 9999")
    if event.plane is Plane.SERVICE:
        check_talk(event)
    check_references(ctx, event)
    check_room(ctx, event.plane)
    modes.check_submit(ctx, event)


def check_authority(
    ctx: Context,
    plane: Plane,
    precedence: content_pb2.Precedence.ValueType,
    *,
    nothing: str = "nothing was queued",
    command: str = "hotline draft new",
) -> None:
    """Raises PolicyError where the charter asks for signatures; `command` is that which makes the draft."""
    roles = ctx.setup.release.roles(plane, precedence)
    if roles:
        what = f"{precedence_name(precedence)} on the {plane.value} plane"
        raise PolicyError(
            f"the charter asks for {' and '.join(roles)} to sign {what}: {nothing}; use "
            f"`{command}`, then `hotline draft sign` by each officer and `hotline release`"
        )


def is_full(ctx: Context, plane: Plane) -> bool:
    """Whether as much waits for the peer as may; what only closes a gap takes nobody's place."""
    most = outbox_room(plane, ctx.setup.outbox_max)
    boxes = [line.outboxes[plane] for line in ctx.peers]
    waiting = [box.owed if len(box.pending) >= most else 0 for box in boxes]
    return min(waiting) >= most or min(box.bytes for box in boxes) >= OUTBOX_BYTES_MAX


def check_room(ctx: Context, plane: Plane) -> None:
    """Raises LocalError while the outbox takes no more: of several parties, that of none."""
    if not ctx.standing.active:
        raise LocalError("this terminal stands by, another one speaks for its party: nothing was queued")
    if ctx.outboxes[plane].last_serial >= SERIAL_MAX:
        raise LocalError(
            "no serial is left on this plane: nothing was queued; only under a new charter they begin anew"
        )
    every = (ctx, *ctx.fellows)
    if all(is_full(one, plane) for one in every):
        waiting = min(line.outboxes[plane].owed for one in every for line in one.peers)
        raise LocalError(f"{waiting} statements wait to be delivered: nothing was queued; wait until the peer answers")
