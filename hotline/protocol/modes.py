"""Of record or without prejudice: what an endpoint does otherwise for a non-paper (docs/protocol.md section 22)."""

from __future__ import annotations

from hotline.errors import LocalError, TextError
from hotline.machine import Instant, Plane, Put
from hotline.protocol.context import Context
from hotline.protocol.events import Submit
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.nonpapers import Name, size_class
from hotline.protocol.outbox import SentState
from hotline.protocol.statements import decode_statement
from hotline.protocol.voids import void
from hotline.wire.v1 import content_pb2

RECORDED = "recorded"
ASKED = "record-asked"
"""Stages of a non-paper beside its way: it is of record, and the peer wants it to be."""

_ON_RECORD = content_pb2.STATEMENT_KIND_PUT_ON_RECORD


def check_submit(ctx: Context, event: Submit) -> None:
    """Raises TextError or LocalError if this cannot be said without prejudice."""
    if not event.without_prejudice:
        return
    check_room(ctx)
    if event.precedence == content_pb2.PRECEDENCE_FLASH:
        raise TextError("a FLASH asks people to act at once and is always of record: nothing was queued")
    if event.plane is Plane.SERVICE:
        raise TextError("operators' talk binds nobody as it is: nothing was queued")
    if event.phrase or event.fields:
        raise TextError("phrases and fields are of record: nothing was queued; write them out in the text")
    if event.corrects:
        raise TextError("what was said of record is corrected of record: nothing was queued")


def check_room(ctx: Context) -> None:
    """Raises LocalError while no further non-paper can be said, or kept."""
    if ctx.standing.several:
        raise TextError("without prejudice nothing is said where a party has several terminals: nothing was queued")
    if not ctx.nonpapers.has_room("sent"):
        raise LocalError("too many non-papers wait to be read: nothing was queued; wait until the peer reads")


def on_record(ctx: Context, event: Submit) -> content_pb2.Statement:
    """What an officer says who wants a non-paper on record: the text again, or a word to the peer. Raises TextError."""
    plane, serial = event.plane, event.put_on_record
    if event.of_peer:
        content = ctx.history.received(plane, serial)
        name = ctx.inboxes[plane].known_hash(serial)
    else:
        row = ctx.history.sent(plane, serial)
        content, name = (None, None) if row is None else (row.content, row.hash)
    whose = ctx.setup.remote.party if event.of_peer else ctx.setup.local.party
    if content is None or name is None:
        raise TextError(f"no text #{serial} of {whose} is here any more: nothing was queued; say it anew")
    original = decode_statement(content)
    if original.kind != NON_PAPER:
        raise TextError(f"#{serial} of {whose} was not said without prejudice: nothing was queued")
    statement = content_pb2.Statement(
        precedence=original.precedence,
        drafter=event.drafter,
        valid_for_ms=ctx.setup.validity_ms[original.precedence],
        put_on_record=content_pb2.Reference(serial=serial, statement=name),
        of_recipient=event.of_peer,
    )
    if not event.of_peer and ctx.history.has_sent_fact(plane, serial, RECORDED):
        raise TextError(f"#{serial} is on record already: nothing was queued")
    if not event.of_peer and ctx.history.has_sent_fact(plane, serial, ASKED):
        statement.kind = _ON_RECORD
        statement.language, statement.direction = original.language, original.direction
        statement.text = original.text
        return statement
    check_room(ctx)
    statement.kind = NON_PAPER
    statement.language, statement.direction = "en", content_pb2.DIRECTION_LTR
    statement.text = f"{ctx.setup.local.party} wants #{serial} of {whose} ({original.date_time_group}) put on record."
    return statement


def keep(ctx: Context, name: Name, content: bytes, *, quiet: bool) -> bytes:
    """What the table of statements holds of it. The key of a non-paper is kept beside it until it is destroyed."""
    ctx.history.says(name, quiet=quiet)
    if not quiet:
        return content
    for old in ctx.nonpapers.make_room(name.way):
        destroy(ctx, old)
    stored, row = ctx.nonpapers.seal(name, content)
    ctx.out.changes.append(row)
    return stored


def destroy(ctx: Context, name: Name) -> None:
    """The text of a non-paper is gone from here, and is said no more to a peer that has lost it."""
    changes = ctx.nonpapers.destroy(name)
    if not changes:
        return
    ctx.out.changes += changes
    ctx.record("nonpaper.destroyed", way=name.way, plane=name.plane.value, serial=name.serial)
    outbox = ctx.outboxes[name.plane]
    owed = outbox.pending.get(name.serial) if name.way == "sent" else None
    if owed is not None and owed.is_nonpaper:
        outbox.add(void(ctx, name.plane, owed))
        key = {"plane": name.plane.value, "serial": name.serial}
        ctx.out.changes.append(Put("outbox", {**key, "stage": SentState.EXPIRED.value}))


def due(ctx: Context, now: Instant) -> None:
    """Destroy what has been kept long enough."""
    for name in ctx.nonpapers.due(now):
        destroy(ctx, name)


def submitted(ctx: Context, plane: Plane, statement: content_pb2.Statement, content: bytes) -> None:
    """Enter that we have said something without prejudice: how long, and by the entry's time, when."""
    ctx.record("nonpaper.submit", plane=plane.value, serial=statement.serial, size=size_class(content))


def said_of_record(ctx: Context, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
    """We have put one of our non-papers on record."""
    _recorded(ctx, plane, "sent", statement, now)


def received(ctx: Context, plane: Plane, statement: content_pb2.Statement, now: Instant) -> None:
    """What a statement of the peer does to a non-paper: asks for it, or puts it on record. Nothing, for most."""
    if not statement.HasField("put_on_record"):
        return
    named = statement.put_on_record
    if statement.kind == _ON_RECORD:
        is_quiet = ctx.history.is_nonpaper("received", plane, named.serial)
        if is_quiet and ctx.inboxes[plane].known_hash(named.serial) == named.statement:
            _compare(ctx, plane, statement)
            _recorded(ctx, plane, "received", statement, now)
    elif statement.of_recipient:
        row = ctx.history.sent(plane, named.serial)
        if row is None or row.hash != named.statement or decode_statement(row.content).kind != NON_PAPER:
            return
        _fact(ctx, plane, "sent", named.serial, ASKED, statement.serial, now)
        ctx.record("nonpaper.asked", plane=plane.value, serial=named.serial, by=statement.serial)
        ctx.tell("record-asked", plane=plane.value, serial=named.serial, by=statement.serial)


def _compare(ctx: Context, plane: Plane, statement: content_pb2.Statement) -> None:
    """Whoever reads it as what was said before must know if it is not."""
    serial = statement.put_on_record.serial
    same = ctx.nonpapers.says(Name("received", plane, serial), statement)
    content = ctx.history.received(plane, serial) if same is None else None
    if content is not None:
        before = decode_statement(content)
        said = (statement.text, statement.language, statement.precedence)
        same = (before.text, before.language, before.precedence) == said
    if same is False:
        text = f"#{statement.serial} puts another text on record than #{serial} said without prejudice"
        ctx.alarm("record-differs", text, plane=plane.value, serial=statement.serial, of=serial)


def _recorded(ctx: Context, plane: Plane, way: str, statement: content_pb2.Statement, now: Instant) -> None:
    serial, by = statement.put_on_record.serial, statement.serial
    _fact(ctx, plane, way, serial, RECORDED, by, now)
    ctx.record("nonpaper.recorded", way=way, plane=plane.value, serial=serial, by=by)
    ctx.tell("recorded", way=way, plane=plane.value, serial=serial, by=by)


def _fact(ctx: Context, plane: Plane, way: str, serial: int, stage: str, by: int, now: Instant) -> None:
    row: dict[str, str | int | bytes | None] = {
        "plane": plane.value,
        "serial": serial,
        "stage": stage,
        "at": now.wall,
        "by": str(by),
    }
    if way == "sent":
        row["evidence"] = None
        ctx.history.reached(plane, serial, stage)
    ctx.out.changes.append(Put(f"{way}_fact", row))
