"""What an officer refers to, looked up before anything is said (docs/protocol.md 8.9 to 8.11, 22.9)."""

from __future__ import annotations

from hotline.errors import TextError
from hotline.protocol.context import Context
from hotline.protocol.entries import precedence_name
from hotline.protocol.events import Submit
from hotline.protocol.neutral import NON_PAPER, SPOKEN
from hotline.protocol.statements import decode_statement


def check_references(ctx: Context, event: Submit) -> None:
    """Raises TextError unless what `event` answers, corrects or puts on record is there."""
    serial = event.corrects
    if event.in_reply_to and ctx.inboxes[event.plane].known_hash(event.in_reply_to) is None:
        raise TextError(f"there is no statement #{event.in_reply_to} of the peer to answer: nothing was queued")
    if event.retracts and not serial:
        raise TextError("a retraction names what it takes back: nothing was queued")
    if not serial:
        return
    row = ctx.history.sent(event.plane, serial)
    if row is None:
        raise TextError(f"#{serial} was not sent from here, or is in this very moment: nothing was queued")
    original = decode_statement(row.content)
    if original.kind == NON_PAPER:
        raise TextError(f"#{serial} was said without prejudice: nothing was queued; say it anew")
    if original.kind not in SPOKEN:
        raise TextError(f"#{serial} is a channel test, which says nothing: nothing was queued")
    if event.precedence < original.precedence:
        name = precedence_name(original.precedence)
        raise TextError(f"#{serial} went as {name}: what corrects it goes at least as high; nothing was queued")
