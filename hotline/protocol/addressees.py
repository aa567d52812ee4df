"""For whom a statement is, and its originator's own reference (docs/protocol.md 8.13)."""

from __future__ import annotations

from hotline.errors import Malformed, TextError
from hotline.limits import ADDRESSEE_MAX, ADDRESSEES_MAX
from hotline.protocol.fields import CONTROLS
from hotline.protocol.neutral import CORRECTING
from hotline.wire.v1 import content_pb2


def _fault(statement: content_pb2.Statement) -> str:
    """Why addressees or reference are none, in words that say how to write them; nothing if they are lawful."""
    names = [*statement.action, *statement.info]
    said = statement.kind in (content_pb2.STATEMENT_KIND_TEXT, *CORRECTING)
    if (names or statement.originator_reference) and not said:
        return "only what an officer says of record has addressees or a reference"
    if len(names) > ADDRESSEES_MAX:
        return f"there are {len(names)} addressees, the limit is {ADDRESSEES_MAX}"
    if len(set(names)) < len(names):
        return "an addressee is named twice"
    given = [*names, *([statement.originator_reference] if statement.originator_reference else [])]
    if not all(1 <= len(one) <= ADDRESSEE_MAX and one == one.strip() and not CONTROLS.search(one) for one in given):
        return f"an addressee or reference has 1 to {ADDRESSEE_MAX} characters on one line, without control signs"
    return ""


def check_addressees(statement: content_pb2.Statement) -> None:
    """Raises Malformed unless they are lawful, and the statement is one that may have any."""
    why = _fault(statement)
    if why:
        raise Malformed("addressee", why)


def add_addressees(statement: content_pb2.Statement, action: tuple[str, ...], info: tuple[str, ...], own: str) -> None:
    """Write what an officer handed in into `statement`. Raises TextError if it is not lawful."""
    try:
        statement.action.extend(action)
        statement.info.extend(info)
        statement.originator_reference = own
    except UnicodeEncodeError as error:
        raise TextError("an addressee or reference is not valid Unicode: nothing was queued") from error
    why = _fault(statement)
    if why:
        raise TextError(f"{why}: nothing was queued")
