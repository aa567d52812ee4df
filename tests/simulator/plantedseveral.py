"""Faults that somebody could make among several parties, planted one at a time: parties.py must see each.

`python -m tests.simulator.plantedseveral` plays storms over each until a judge complains, and prints the table.
"""

from __future__ import annotations

import sys
from typing import Any

from hotline.machine import Plane
from hotline.protocol.answers import Answers
from hotline.protocol.conference import Conference
from hotline.protocol.gossip import Gossip
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.peerlog import PeerLog
from hotline.protocol.sending import Sending
from hotline.protocol.statements import statement_name
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.simulator.planted import Planted, print_table
from tests.simulator.several import run_seed

STORM_MS = 30_000


def _nothing(*_: Any, **__: Any) -> None:
    """What should be done is not."""


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


def _for_all(self: Answers, plane: Plane, serial: int, statement: bytes, now: Any) -> bool:
    delivered = _true_deliver(self, plane, serial, statement, now)
    for fellow in self._sending.fellows if delivered else ():
        fellow.fact(plane, serial, SentState.DELIVERED, now, "main")
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
)
"""Each is found; the table says in which seed."""


def first_complaint(planted: Planted) -> tuple[int, str] | None:
    """The first seed in which a judge complains of this fault, and which judge; None if none does."""
    with planted.in_place():
        for seed in dict.fromkeys((planted.seed, *range(planted.within))):
            outcome = run_seed(seed, STORM_MS)
            if outcome.broken:
                return seed, outcome.judge
    return None


if __name__ == "__main__":
    sys.exit(print_table(PLANTED, first_complaint))
