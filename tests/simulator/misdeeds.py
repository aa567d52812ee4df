"""Faults of watches, checklists and charters for planted.py: what is done in the place of what should be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from hotline.charter.parts import Charter
from hotline.machine import Delete, Plane
from hotline.protocol.challenges import Challenges
from hotline.protocol.charters import Charters, terms_of
from hotline.protocol.context import Context
from hotline.protocol.events import RecordChecklist
from hotline.protocol.handover import Handovers, record_checklist, spell
from hotline.protocol.ladder import Ladder
from hotline.protocol.outbox import Pending
from hotline.protocol.receipts import WORDS
from hotline.wire.v1 import content_pb2


def hides_unread(self: Handovers) -> bytes:
    """The next watch does not hear of what nobody has opened."""
    picture = json.loads(_true_list(self))
    for plane in picture["planes"].values():
        plane["unread"] = []
    return spell(picture)


_true_list = Handovers.listed


def in_order(self: Handovers, event: Any, listed: bytes) -> None:
    """Whatever was signed, and by whom."""


def no_challenges(self: Challenges) -> list[Any]:
    """The next watch does not hear of them."""
    return []


def begins_with_one(self: Handovers, saved: Any) -> None:
    """After each start."""
    _true_restore(self, saved)
    self.number = 1


_true_restore = Handovers.restore


def confirms(known: bool, *, lost: bool) -> int:
    """The record says yes to everything."""
    return content_pb2.VERDICT_YES


def hears_another_word(self: Challenges, statement: content_pb2.Statement, now: Any) -> None:
    """A person's word is told as another one."""
    said = content_pb2.Statement()
    said.CopyFrom(statement)
    if said.kind == content_pb2.STATEMENT_KIND_OFFICER_ANSWER:
        yes, unknown = content_pb2.VERDICT_YES, content_pb2.VERDICT_UNKNOWN
        said.verdict = unknown if said.verdict == yes else yes
    _true_answered(self, said, now)


_true_answered = Challenges.answered


def stands_at_once(self: Charters, event: Any, now: Any) -> None:
    """Whoever is ready waits for nobody."""
    _true_activate(self, event, now)
    if self.next is not None:
        self._enforce(now)


_true_activate = Charters.activate


def forgets_the_next(self: Charters, saved: Any) -> None:
    """What a terminal was ready for ends with its run."""
    _true_start(self, saved)
    self.next = None
    self._lay()


_true_start = Charters.restore


def retires_none(self: Charters, now: Any = None) -> None:
    """Relays come and stay."""
    _true_lay(self)


_true_lay = Charters._lay


def keeps_the_roster(charter: Charter, note: bytes) -> dict[str, Any]:
    """Who may release stays as it was."""
    terms = terms_of(charter, note)
    del terms["release"]
    return terms


def enters_twice(ctx: Context, event: RecordChecklist) -> None:
    """A run of a checklist is two entries."""
    before = len(ctx.out.records)
    _true_checklist(ctx, event)
    ctx.out.records += ctx.out.records[before:]


def enters_nothing(ctx: Context, event: RecordChecklist) -> None:
    """A run of a checklist is told as recorded, and is not."""
    before = len(ctx.out.records)
    _true_checklist(ctx, event)
    del ctx.out.records[before:]


def enters_another(ctx: Context, event: RecordChecklist) -> None:
    """What was left open counts as done."""
    steps = tuple(("done", "") if outcome == "open" else (outcome, reason) for outcome, reason in event.steps)
    _true_checklist(ctx, replace(event, steps=steps))


_true_checklist = record_checklist


def amends_one_line(self: Charters, now: Any) -> None:
    """The lines to the other terminals go on under the charter that was."""
    lines, self.contexts = self.contexts, self.contexts[:1]
    _true_enforce(self, now)
    self.contexts = lines


_true_enforce = Charters._enforce


def noted_by_one(self: Ladder, plane: Any, receipt: Any, now: Any) -> None:
    """What one terminal has noted is told the others only as long as this one runs."""
    _true_noted(self, plane, receipt, now)
    stage = WORDS[receipt.noted or content_pb2.STAGE_READ]
    for item in receipt.item:
        self._ctx.out.changes.append(Delete("unnoted", {"plane": plane.value, "serial": item.serial, "stage": stage}))


_true_noted = Ladder.noted


def lists_copies(self: Context, plane: Plane) -> list[Pending]:
    """What has been delivered waits all the same for a terminal that lacks it."""
    return [item for _, item in sorted(self.outboxes[plane].pending.items())]


def only_notes(self: Ladder, plane: Any, receipt: Any, now: Any) -> None:
    """What an officer has opened at a sibling is noted, and has to be opened here again."""
    with patch.object(self, "_opened", lambda *_: None):
        _true_told(self, plane, receipt, now)


_true_told = Ladder.told
