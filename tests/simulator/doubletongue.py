"""A party among several that plays two others against each other, with its own keys. Both must find out.

two-words    to one of the others it says another text under the serial of each statement that it says to all
two-ledgers  it keeps a second ledger, of the same entries under other blinders, and shows that to one of the others:
             what this one is shown holds by itself, always
"""

from __future__ import annotations

from typing import Final

from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.memorylog import MemoryLog
from hotline.drill.simulator.shelf import Shelf
from hotline.machine import Instant, Output, Plane
from hotline.protocol.conference import Conference
from hotline.protocol.outbox import Pending
from hotline.protocol.ownlog import OwnLog
from hotline.protocol.statements import statement_name
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

LIES: Final = ("two-words", "two-ledgers")
_ELSE: Final = "statement that is another"


class TwoWords:
    """Says another thing to `victim`, at every run of its terminal."""

    def __init__(self, liar: ConferenceNode, victim: str) -> None:
        self.said: set[str] = set()
        """What it has said to the victim alone."""
        self._victim = victim
        liar.on_made = self._turn

    def _turn(self, conference: Conference) -> None:
        member = conference.members[self._victim]
        sending, session, keep = member.sending, member.context.session, member.sending._keep

        def lying(plane: Plane, statement: content_pb2.Statement, item: Pending, now: Instant) -> None:
            if statement.kind == content_pb2.STATEMENT_KIND_TEXT and plane is not Plane.SERVICE:
                twin = content_pb2.Statement.FromString(item.content)
                twin.text = f"{plane.value} {_ELSE} {item.serial}"
                self.said.add(twin.text)
                content = encode(twin)
                signature = session.sign(ContentType.STATEMENT, plane, content).signature
                name = statement_name(plane, session.ends_out, twin, content)
                item = Pending(item.serial, item.precedence, content, signature, name, item.expires_at)
                item.mark(twin)
            keep(plane, statement, item, now)

        sending._keep = lying  # type: ignore[method-assign]


class _Mum(OwnLog):
    """What statements say of the ledger: nothing, for all have the same bytes."""

    def __init__(self) -> None:
        """Of no ledger."""

    def shown(self) -> bytes:
        return b""


class TwoLedgers:
    """Shows `victim` a ledger of its own. To be made before the world begins."""

    def __init__(self, liar: ConferenceNode, victim: str) -> None:
        self._liar, self._victim = liar, victim
        self._shadow = MemoryLog()
        liar.on_made = self._turn
        commit = liar.commit

        def committed(batch: list[Output]) -> None:
            commit(batch)
            records = [record for output in batch for record in output.records]
            if records:
                self._shadow.commit(records, liar.now().wall)

        liar.commit = committed  # type: ignore[method-assign]

    def _turn(self, conference: Conference) -> None:
        liar, member = self._liar, conference.members[self._victim]
        self._shadow.start(liar.log.base, liar.ledger_key, liar.world.entropy)
        member.own_log._ctx = next(one.context for one in conference.members.values() if one is not member)
        member.context.ledger = self._shadow
        own = OwnLog(member.context)
        own.restore(Shelf(liar.disk, liar.scope(self._victim)))
        member.own_log = member._receiving._own_log = member._first.beats._own_log = own
        for one in conference.members.values():
            one.sending._own_log = _Mum()
            one.own_log.seen = lambda *_: None  # type: ignore[method-assign] - it knows better
            one.own_log._told = dict.fromkeys(one.own_log._known)  # and waits for nobody's word of it
