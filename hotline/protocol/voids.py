"""Empty statements, which keep the serials of what is not said any more (docs/protocol.md 8.4, 8.7)."""

from __future__ import annotations

from typing import Final

from hotline.machine import Instant, Plane
from hotline.protocol.context import Context
from hotline.protocol.neutral import UNATTENDED
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.statements import Ends, decode_statement, statement_hash
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

_NO_SALT: Final = bytes(32)


def void(ctx: Context, plane: Plane, item: Pending) -> Pending:
    """The empty statement that keeps the serial of an expired one. The same bytes each time it is made."""
    original = decode_statement(item.content)
    is_test = original.kind in UNATTENDED
    statement = content_pb2.Statement(
        serial=original.serial,
        previous_in_precedence=original.previous_in_precedence,
        precedence=original.precedence,
        kind=content_pb2.STATEMENT_KIND_TEST_VOID if is_test else content_pb2.STATEMENT_KIND_VOID,
        date_time_group=original.date_time_group,
        composed_ms=original.composed_ms,
        direction=original.direction,
        from_party=original.from_party,
        to_party=original.to_party,
        body_salt=_NO_SALT,
        valid_for_ms=original.valid_for_ms,
    )
    made = _pending(ctx, plane, statement, item.expires_at)
    made.is_test = is_test
    made.original_hash = item.hash
    made.copy = item.copy
    return made


def filler(ctx: Context, plane: Plane, serial: int, now: Instant) -> Pending:
    """An empty statement for a serial of ours that we know nothing of. Not stored: it can be made again."""
    statement = content_pb2.Statement(
        serial=serial,
        precedence=content_pb2.PRECEDENCE_ROUTINE,
        kind=content_pb2.STATEMENT_KIND_VOID,
        direction=content_pb2.DIRECTION_LTR,
        from_party=ctx.setup.local.party,
        to_party=ctx.setup.said_to,
        body_salt=_NO_SALT,
    )
    return _pending(ctx, plane, statement, now.mono)


def _pending(ctx: Context, plane: Plane, statement: content_pb2.Statement, expires_at: int) -> Pending:
    content = encode(statement)
    inner = ctx.session.sign(ContentType.STATEMENT, plane, content)
    name = statement_hash(plane, ctx.session.ends_out, content)
    made = Pending(statement.serial, statement.precedence, content, inner.signature, name, expires_at, is_void=True)
    # A sibling's is the same bytes under another signature: a receipt may name either.
    ends = [Ends(ctx.setup.charter, number, ctx.setup.remote.number) for number in ctx.standing.siblings]
    made.other_names = tuple(statement_hash(plane, one, content) for one in ends)
    made.state = SentState.EXPIRED
    return made
