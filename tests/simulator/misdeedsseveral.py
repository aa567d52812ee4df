"""Faults of what officers do among several parties, for plantedseveral.py: what is done instead of what should be."""

from __future__ import annotations

import json
from typing import Any

from hotline.machine import Delete, Put
from hotline.protocol import composing
from hotline.protocol.conference import Conference
from hotline.protocol.context import Context
from hotline.protocol.events import (
    AskPresence,
    MarkRead,
    MarkShown,
    PromiseReply,
    RecordChecklist,
    SetPresence,
)
from hotline.protocol.handover import Handovers, record_checklist, spell
from hotline.protocol.promises import SENT, Promises
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending

_LAST = "CHARLIE"
"""The party that is forgotten."""


def says_it_at_one_window(self: Conference, event: Any, addressed: Any) -> Any:
    """What a party says of itself is told to that one alone at whose window it was said."""
    return [(addressed, event)] if isinstance(event, SetPresence) else _true_shares(self, event, addressed)


def asks_everybody(self: Conference, event: Any, addressed: Any) -> Any:
    """Who is asked at one window is asked at all."""
    if isinstance(event, AskPresence):
        return [(member, event) for member in self.members.values()]
    return _true_shares(self, event, addressed)


def does_it_at_the_first(self: Conference, event: Any, addressed: Any) -> Any:
    """What is done at a window counts at the first one."""
    at_first = isinstance(event, MarkRead | MarkShown | PromiseReply)
    return [(self.first, event)] if at_first else _true_shares(self, event, addressed)


_true_shares = Conference._shares


def marks_it_for_some(self: Sending, plane: Any, statement: Any, now: Any) -> None:
    """Of what was corrected the sender knows with one of the others alone."""
    if self._ctx.setup.remote.party != _LAST:
        _true_corrected(self, plane, statement, now)


_true_corrected = Sending.corrected


def names_another(ctx: Any, event: Any, statement: Any) -> None:
    """What corrects names no statement that was said."""
    _true_refer(ctx, event, statement)
    if statement.HasField("corrects"):
        statement.corrects.statement = bytes(32)


_true_refer = composing._refer


def takes_its_place(self: Receiving, plane: Any, statement: Any, now: Any) -> None:
    """What is corrected is here no more."""
    _true_correct(self, plane, statement, now)
    self._ctx.out.changes.append(Delete("received", {"plane": plane.value, "serial": statement.corrects.serial}))


_true_correct = Receiving._correct


def answers_whoever_has_that_serial(self: Promises, way: str, plane: Any, statement: Any) -> bool:
    """An answer to one of the others counts here too."""
    ctx, named = self._ctx, statement.in_reply_to
    held = ctx.history.sent_hash if way == SENT else lambda plane, serial: ctx.inboxes[plane].known_hash(serial)
    return statement.HasField("in_reply_to") and held(plane, named.serial) is not None


def of_no_party(self: Handovers) -> bytes:
    """The list does not say whose it is."""
    picture = json.loads(_true_list(self))
    picture.pop("party", None)
    return spell(picture)


_true_list = Handovers.listed


def enters_it_for_each(self: Conference, event: Any, addressed: Any) -> Any:
    """What was gone through at one window is entered of all the others too."""
    if isinstance(event, RecordChecklist):
        return [(member, event) for member in self.members.values()]
    return _true_shares(self, event, addressed)


def enters_it_at_the_first(self: Conference, event: Any, addressed: Any) -> Any:
    """What was gone through at a window is entered as of the first one."""
    at_first = isinstance(event, RecordChecklist)
    return [(self.first, event)] if at_first else _true_shares(self, event, addressed)


def says_it_too(ctx: Context, event: RecordChecklist) -> None:
    """The peer's operators are told of it."""
    record_checklist(ctx, event)
    row = {"plane": "service", "serial": 1, "content": b"", "signature": b"", "hash": event.file}
    ctx.out.changes.append(Put("sent", row))
