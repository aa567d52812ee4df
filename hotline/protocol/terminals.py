"""Taking over and standing down: one terminal of a party speaks, and everybody is told which (docs/protocol.md 23)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hotline.limits import SERIAL_MAX, SERIAL_SKIP_MAX, TAKEOVERS_TOLD_MAX
from hotline.machine import Instant, Plane, Private, Put, Reply, RequestId
from hotline.protocol.context import Context
from hotline.protocol.events import SetTerminal
from hotline.protocol.mirror import Mirror
from hotline.protocol.standing import TERM_MAX
from hotline.protocol.tables import Saved
from hotline.protocol.takeover import TakeoverRule
from hotline.protocol.travelling import Travelling
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2

_TURN: Final = "terminal.turn."
_DOWN: Final = "terminal.down"


class Terminals:
    """Everything an endpoint does about who speaks."""

    def __init__(self, context: Context, mirror: Mirror) -> None:
        self._ctx = context
        self._standing = context.standing
        self._mirror = mirror
        self._rule = TakeoverRule(context)
        self._ruled_told = 0
        self._travelling = Travelling(context, mirror)
        self.look_at: int | None = None
        """When the clock says something else of travelling terminals."""

    def restore(self, saved: Saved) -> None:
        """Take up who spoke when the last run ended."""
        for row in saved.rows("fact"):
            name, value = str(row["name"]), row["value"]
            if name == _DOWN:
                self._standing.stood_down = value == b"1"
            party = name.removeprefix(_TURN)
            if party in self._standing.turns and name.startswith(_TURN) and isinstance(value, bytes):
                self._standing.hear(party, decode(content_pb2.SignedActivation, value, 256))

    def look(self, now: Instant) -> None:
        """Whether travelling terminals are activated now (24.13)."""
        self._travelling.look(now)
        self.look_at = self._travelling.next_deadline(now)

    # --- what officers ask -------------------------------------------------------------------------------------------

    def set(self, event: SetTerminal, now: Instant) -> None:
        """An officer lets this terminal speak for its party, or stand by."""
        standing = self._standing
        if not standing.siblings:
            self._answer(event, "single", f"{standing.local.party} has one terminal, which always speaks")
        elif event.speak == standing.active:
            word = "speaks for its party already" if standing.active else "stands by already"
            self._answer(event, "again", f"this terminal {word}: nothing was changed")
        elif event.speak and standing.asleep:
            text = "this terminal travels, and is not activated now: both parties activate it by an amendment"
            self._answer(event, "travelling", text)
        elif event.speak and standing.turn.term >= TERM_MAX:
            text = (
                f"{standing.name(standing.turn.terminal)} has begun the last term that there is: nobody can follow it; "
            )
            self._answer(event, "terms", text + "amend the charter so that it names that terminal no more")
        elif event.speak:
            self._take_over(event, now)
        else:
            self._stand_down(event, now)

    def refuse(self, request: RequestId) -> None:
        """What only the terminal that speaks may say."""
        standing = self._standing
        text = f"this terminal stands by, {standing.name(standing.turn.terminal)} speaks for {standing.local.party}"
        if standing.stood_down:
            text = f"this terminal was made to stand by: nobody speaks for {standing.local.party} here"
        if standing.asleep:
            text = "this terminal travels, and is not activated now"
        text += ": nothing was queued; say it there, or let this one speak with hotline terminal takeover"
        self._ctx.out.replies.append(Reply(request, False, "standby", text))

    def _answer(self, event: SetTerminal, code: str, text: str, *, ok: bool = False) -> None:
        self._ctx.out.replies.append(Reply(event.request, ok, code, text))

    def _take_over(self, event: SetTerminal, now: Instant) -> None:
        before = self._begin(now, by_rule=False)
        term = self._standing.turn.term
        self._ctx.record("terminal.takeover", {"officer": Private(event.officer.encode())}, other=before, term=term)
        self._speak(now)
        waiting = sum(len(self._ctx.outboxes[plane].pending) for plane in Plane)
        party = self._standing.local.party
        text = f"this terminal speaks for {party} in term {term}; {waiting} statements are under way"
        self._answer(event, "speaks", text, ok=True)

    def due(self, now: Instant) -> None:
        """Take over if the charter's rule says so (23.13)."""
        silent = self._rule.due(now)
        if silent:
            before = self._begin(now, by_rule=True)
            self._ctx.record("terminal.ruled", other=before, term=self._standing.turn.term, silent_ms=silent)
            self._speak(now)

    def _begin(self, now: Instant, *, by_rule: bool) -> str:
        """A new term of this terminal; who spoke before it."""
        standing = self._standing
        before = standing.name(standing.turn.terminal)
        standing.begin(self._ctx.setup.signing, now.wall, by_rule=by_rule)
        self._keep(standing.local.party)
        self._keep_down()
        return before

    def _speak(self, now: Instant) -> None:
        ctx = self._ctx
        self._tell(self._standing.local.party, now)
        for plane in Plane:
            self._beyond(plane)
        for line in ctx.lines:
            for path in line.paths.values():
                path.beat_soon(now)
        self._mirror.speak(now)

    def _beyond(self, plane: Plane) -> None:
        """New serials lie above everything that anybody has heard of, so that few are given out twice."""
        heard = [line.peer.sent_through[plane] for line in self._ctx.lines if line.sibling]
        heard += [line.peer.received_through[plane] for line in self._ctx.peers]
        last = self._ctx.outboxes[plane].last_serial
        last = max([last, *(serial for serial in heard if serial <= min(last + SERIAL_SKIP_MAX, SERIAL_MAX))])
        self._ctx.raise_serial(plane, last)
        for line in self._ctx.peers:
            line.outboxes[plane].restored()

    def _stand_down(self, event: SetTerminal, now: Instant) -> None:
        ctx = self._ctx
        self._standing.stood_down = True
        self._keep_down()
        ctx.record("terminal.standdown", {"officer": Private(event.officer.encode())}, term=self._standing.turn.term)
        self._mirror.rest()
        for line in ctx.lines:
            for path in line.paths.values():
                path.beat_soon(now)
        waiting = sum(len(ctx.outboxes[plane].pending) for plane in Plane)
        text = "this terminal stands by"
        if waiting:
            text += f"; {waiting} statements are not delivered: the terminal that takes over sends those that it holds"
        self._answer(event, "stands-by", text, ok=True)

    # --- on the wire -------------------------------------------------------------------------------------------------

    def write(self, heartbeat: content_pb2.Heartbeat, line: Context, now: Instant) -> None:
        """The terms that we know, and what proves one that the other side has not named."""
        standing, peer = self._standing, line.peer
        party = line.setup.remote.party
        own, theirs = standing.turn.number, standing.turns[party].number
        heartbeat.turn, heartbeat.peer_turn = own, 0 if line.sibling else theirs
        if own > peer.knows_us:
            heartbeat.activation.CopyFrom(standing.signed[standing.local.party])
        if theirs > peer.knows_itself and not line.sibling:
            heartbeat.peer_activation.CopyFrom(standing.signed[party])
        self._rule.write(heartbeat, line, now)
        if line.sibling:
            self._mirror.lacking.write(heartbeat, line)
            other = self._ctx.setup.remote.party
            heartbeat.other_turn = standing.turns[other].number
            if heartbeat.other_turn > peer.knows_other:
                heartbeat.other_activation.CopyFrom(standing.signed[other])

    def check(self, heartbeat: content_pb2.Heartbeat, line: Context) -> None:
        """Raises RemoteError if what a beat says of who speaks is not signed, or is nothing."""
        for party, signed in self._words(heartbeat, line):
            self._standing.check(party, signed)

    def read(self, heartbeat: content_pb2.Heartbeat, line: Context, now: Instant) -> None:
        """What a beat proves of who speaks. It need not be fresh: a turn goes up only. Call after `check`."""
        for party, signed in self._words(heartbeat, line):
            self._hear(party, signed, now)

    def _words(
        self, heartbeat: content_pb2.Heartbeat, line: Context
    ) -> Iterator[tuple[str, content_pb2.SignedActivation]]:
        if heartbeat.HasField("activation"):
            yield line.setup.remote.party, heartbeat.activation
        if heartbeat.HasField("peer_activation"):
            yield self._standing.local.party, heartbeat.peer_activation
        if heartbeat.HasField("other_activation") and line.sibling:
            yield self._ctx.setup.remote.party, heartbeat.other_activation

    def heard(self, heartbeat: content_pb2.Heartbeat, line: Context, answered: int, now: Instant) -> None:
        """A fresh beat says what the other side knows: it is shown the proof of what it does not."""
        line.peer.knows_itself = heartbeat.turn
        line.peer.knows_us = heartbeat.turn if line.sibling else heartbeat.peer_turn
        line.peer.knows_other = heartbeat.other_turn
        self._rule.heard(heartbeat, line, answered)
        if line.sibling:
            self._mirror.lacking.heard(heartbeat, line)
        elif not self._standing.active:
            self._mirror.held_there(heartbeat, line, now)

    def _hear(self, party: str, signed: content_pb2.SignedActivation, now: Instant) -> None:
        standing = self._standing
        spoke = standing.active
        if not standing.hear(party, signed):
            return
        self._keep(party)
        self._tell(party, now)
        if party != standing.local.party:
            return
        if spoke and not standing.active:
            self._mirror.rest()
            name = standing.name(standing.turn.terminal)
            text = f"{name} has taken over: this terminal stands by, and says nothing more for its party"
            self._ctx.alarm("taken-over", text, other=name, term=standing.turn.term)
        elif standing.active and not spoke:
            self._mirror.speak(now)
        for line in self._ctx.lines:
            for path in line.paths.values():
                path.beat_soon(now)

    def _tell(self, party: str, now: Instant) -> None:
        turn, ctx = self._standing.turns[party], self._ctx
        name = self._standing.name(turn.terminal)
        self._rule.begun(party, now)
        ctx.record("terminal.speaks", other=name, term=turn.term)
        ctx.tell("terminal", terminal=name, term=turn.term)
        if self._standing.by_rule(party) and self._ruled_told < TAKEOVERS_TOLD_MAX:
            self._ruled_told += 1
            text = f"{name} speaks for {party} by the charter's rule, after a silence: no officer let it"
            ctx.alarm("takeover-by-rule", text, other=name, term=turn.term)

    def _keep(self, party: str) -> None:
        value = encode(self._standing.signed[party])
        self._ctx.out.changes.append(Put("fact", {"name": f"{_TURN}{party}", "value": value}))

    def _keep_down(self) -> None:
        value = b"1" if self._standing.stood_down else b"0"
        self._ctx.out.changes.append(Put("fact", {"name": _DOWN, "value": value}))
