"""Faults of watches and of charters for planted.py: what is done in the place of what should be."""

from __future__ import annotations

import json
from typing import Any

from hotline.charter.parts import Charter
from hotline.protocol.challenges import Challenges
from hotline.protocol.charters import Charters, terms_of
from hotline.protocol.handover import Handovers, spell
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
