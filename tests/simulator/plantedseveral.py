"""Faults that somebody could make among several parties, planted one at a time: parties, alike, windows or checklists
must see it.

`python -m tests.simulator.plantedseveral` plays storms over each until a judge complains, and prints the table.
"""

from __future__ import annotations

import sys
from typing import Any

from hotline.machine import Plane
from hotline.protocol.answers import Answers
from hotline.protocol.beats import Beats
from hotline.protocol.conference import Conference
from hotline.protocol.gossip import Gossip
from hotline.protocol.handover import Handovers
from hotline.protocol.neutral import CORRECTING, UNATTENDED
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.peerlog import PeerLog
from hotline.protocol.promises import Promises
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.statements import statement_name
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.simulator import misdeeds as of_watches
from tests.simulator import misdeedsseveral as misdeeds
from tests.simulator import planted as of_two
from tests.simulator.misdeeds import in_order as _in_order
from tests.simulator.planted import Planted, print_table
from tests.simulator.several import draw, play

STORM_MS = 30_000
_BOOK = "hotline.protocol.handover"


def _nothing(*_: Any, **__: Any) -> None:
    """What should be done is not."""


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _none(*_: Any, **__: Any) -> tuple[()]:
    return ()


def _to_each_in_its_own_words(self: Sending, plane: Plane, statement: Any, item: Pending, now: Any) -> None:
    session = self._ctx.session
    own = content_pb2.Statement.FromString(item.content)
    own.body_salt = self._ctx.entropy(32)
    content = encode(own)
    signature = session.sign(ContentType.STATEMENT, plane, content).signature
    name = statement_name(plane, session.ends_out, own, content)
    item.content, item.signature, item.hash = content, signature, name
    _true_keep(self, plane, statement, item, now)


_true_keep = Sending._keep


def _for_all(self: Answers, plane: Plane, named: content_pb2.ReceiptItem, at: int, now: Any) -> bool:
    delivered = _true_deliver(self, plane, named, at, now)
    for fellow in self._sending.fellows if delivered else ():
        fellow.fact(plane, named.serial, SentState.DELIVERED, now, "main")
    return delivered


_true_deliver = Answers._deliver_one


def _speaks_to_one(self: Conference) -> None:
    _true_let_gossip(self)
    for member in self.members.values():
        member.sending.fellows = []


_true_let_gossip = Conference._let_gossip


def _of_the_first(self: Conference, event: Any) -> Any:
    first = next(iter(self.members))
    return [(member, one) for member, one in _true_parcels(self, event) if member is self.members[first]]


_true_parcels = Conference._parcels


PLANTED: tuple[Planted, ...] = (
    Planted("each of the others gets words of its own", Sending, "_keep", _to_each_in_its_own_words, 4),
    Planted("the receipt of one counts for all", Answers, "_deliver_one", _for_all, 4),
    Planted("what is said is owed to one", Conference, "_let_gossip", _speaks_to_one, 4),
    Planted("what expired for one is another word", "hotline.protocol.gossip", "VOIDS", (), 40, 4),  # type: ignore[arg-type]
    Planted("what a third party said is not shown", Gossip, "told", _nothing, 12, 3),
    Planted("what every beat lost is named no more", Gossip, "_in_turn", _none, 60, 11),
    Planted("whom others heard is not told so", Gossip, "_write_of_peer", _nothing, 60, 1),
    Planted("heads of thirds are not compared", PeerLog, "shown_to_another", _nothing, 12, 7),
    Planted("envelopes of the others are passed over", Conference, "_parcels", _of_the_first, 4),
    Planted("presence is told at one window", Conference, "_shares", misdeeds.says_it_at_one_window, 4, 1),
    Planted("all are asked for a word", Conference, "_shares", misdeeds.asks_everybody, 8),
    Planted("what is done at a window counts at the first", Conference, "_shares", misdeeds.does_it_at_the_first, 4),
    Planted("a word that was overtaken is told", Beats, "_is_newest", _yes, 12),
    Planted("a correction is marked for some", Sending, "corrected", misdeeds.marks_it_for_some, 8),
    Planted("a correction names what nobody said", "hotline.protocol.composing", "_refer", misdeeds.names_another, 8),
    Planted("what is corrected is not marked", Receiving, "_correct", _nothing, 8),
    Planted("what is corrected is deleted", Receiving, "_correct", misdeeds.takes_its_place, 8),
    Planted("a correction need not be opened", "hotline.protocol.neutral", "UNATTENDED", UNATTENDED + CORRECTING, 8),
    Planted("an answer to another counts", Promises, "_answers", misdeeds.answers_whoever_has_that_serial, 8),
    Planted("what was read is told as shown", Answers, "_read", of_two._told_as_shown, 8),
    Planted("another time is promised than was said", Answers, "_promised", of_two._promised_for_later, 8),
    Planted("an overdue promise rings again", Promises, "restore", of_two._forgets_what_rang, 20),
    Planted("alarms are not handed over", Handovers, "note", _nothing, 12),
    Planted("a handover is taken that nobody has signed", Handovers, "_wrong", _in_order, 8),
    Planted("a handover says not of which party", Handovers, "listed", misdeeds.of_no_party, 8),
    Planted("a checklist is entered for each of the others", Conference, "_shares", misdeeds.enters_it_for_each, 8, 2),
    Planted("a checklist counts at the first window", Conference, "_shares", misdeeds.enters_it_at_the_first, 8, 2),
    Planted("a checklist is entered twice", _BOOK, "record_checklist", of_watches.enters_twice, 8, 2),
    Planted("a checklist is not entered", _BOOK, "record_checklist", of_watches.enters_nothing, 8, 2),
    Planted("what is left open is done", _BOOK, "record_checklist", of_watches.enters_another, 8, 2),
    Planted("what nobody answered is entered", _BOOK, "_no_checklist", of_two._no_verdict, 8, 2),
    Planted("a checklist is told as talk", _BOOK, "record_checklist", misdeeds.says_it_too, 8, 2),
    Planted("talk fills the line", "hotline.protocol.sending", "UNDER_WAY_MAX", 8, 12),
    Planted("what there is not is done", "hotline.protocol.conference", "_unsupported", _nothing, 4),
)
"""Each is found; the table says in which seed."""


def first_complaint(planted: Planted) -> tuple[int, str] | None:
    """The first seed in which a judge complains of this fault, and which judge; None if none does."""
    with planted.in_place():
        for seed in dict.fromkeys((planted.seed, *range(planted.within))):
            outcome = play(draw(seed, storm_ms=STORM_MS))
            if outcome.broken:
                return seed, outcome.judge
    return None


if __name__ == "__main__":
    sys.exit(print_table(PLANTED, first_complaint))
