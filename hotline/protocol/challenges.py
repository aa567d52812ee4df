"""Was this really said? Asked over the service channel, answered out of the record and by a person.

docs/protocol.md 25.5 to 25.8. The record's answer needs nobody; a person's word is a second one, by name.
"""

from __future__ import annotations

from dataclasses import asdict

from hotline.errors import LocalError, TextError
from hotline.limits import (
    CHALLENGE_OFFICER_PATIENCE,
    CHALLENGE_RECORD_PATIENCE,
    CHALLENGES_KEPT_MAX,
    SERVICE_TEXT_BYTES_MAX,
)
from hotline.machine import Delete, Instant, Plane, Private, Put, Reply, RequestId
from hotline.protocol.asking import (
    ASKED,
    HEARD,
    OFFICER,
    OURS,
    RECORD,
    TERMINAL,
    THEIRS,
    UNDER_WAY,
    WORDS,
    Kept,
    answer,
    question,
)
from hotline.protocol.composing import check_room
from hotline.protocol.context import Context
from hotline.protocol.early import RECALLED_MAX, EarlyAnswers, take
from hotline.protocol.events import AnswerChallenge, AskChallenge
from hotline.protocol.lately import remember
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.sending import Sending
from hotline.protocol.statements import check_text, decode_statement
from hotline.protocol.tables import Row, Saved
from hotline.protocol.voids import filler, void
from hotline.wire.v1 import content_pb2


class Challenges:
    """Those that we asked and those that we heard."""

    def __init__(self, context: Context, sending: Sending) -> None:
        self._ctx = context
        self._sending = sending
        self._kept: dict[tuple[str, int], Kept] = {}
        self._late_at: dict[int, int] = {}
        self.early = EarlyAnswers(context)
        self._lately: dict[int, bytes] = {}
        """Names of siblings' challenges, which may not be committed yet."""

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what is not answered; patience begins anew."""
        for row in sorted(saved.rows("challenge"), key=lambda row: int(str(row["at"]))):
            kept = Kept(**row)  # type: ignore[arg-type]
            self._kept[kept.way, kept.serial] = kept
            self._wait(kept, now)
        if self._ctx.standing.siblings:
            self.early.recall(self._kept)

    def hear(self, event: AskChallenge | AnswerChallenge, now: Instant) -> None:
        """An officer asks or answers; told with a sentence."""
        if isinstance(event, AskChallenge):
            self.ask(event, now)
        else:
            self.confirm(event, now)

    # --- asking ------------------------------------------------------------------------------------------------------

    def ask(self, event: AskChallenge, now: Instant) -> None:
        """An officer asks whether a statement is in the other side's record."""
        ctx, serial = self._ctx, event.serial
        history, inbox = ctx.history, ctx.inboxes[event.plane]
        name = history.sent_hash(event.plane, serial) if event.ours else inbox.known_hash(serial)
        if name is None:
            whose = "was not sent from here" if event.ours else "has not been received"
            self._refuse(event.request, "unknown", f"#{serial} {whose}: nothing was asked")
            return
        statement = self._talk(content_pb2.STATEMENT_KIND_CHALLENGE, event.officer)
        statement.text = question(event.plane.value, serial, name, ours=event.ours)
        statement.challenge.ours, statement.challenge.exercise = event.ours, event.plane is Plane.EXERCISE
        statement.challenge.named.CopyFrom(content_pb2.Reference(serial=serial, statement=name))
        item = self._say(statement, event.request, now)
        if item is None:
            return
        kept = Kept(
            ASKED,
            item.serial,
            event.plane.value,
            serial,
            name,
            self._ours(event.plane, serial, ours=event.ours),
            now.wall,
        )
        self._keep(kept)
        self._wait(kept, now)
        ctx.record(
            "challenge.asked",
            {"officer": Private(event.officer.encode())},
            serial=item.serial,
            plane=kept.plane,
            of=serial,
            statement=name.hex(),
            ours=int(event.ours),
        )
        self._sending.answer(event.request, item, statement)

    def answered(self, statement: content_pb2.Statement, now: Instant) -> None:
        """An answer of the peer is here; one that answers no challenge of ours is talk and no more."""
        ctx, reply = self._ctx, statement.in_reply_to
        kept = self._kept.get((ASKED, reply.serial))
        if kept is None and ctx.standing.siblings:  # a sibling may have asked, and tell of it later
            self.early.theirs.append(statement)
        if kept is None or self._name_of(kept.serial) != reply.statement:
            return
        verdict = WORDS[statement.verdict]
        by = "record" if statement.kind == content_pb2.STATEMENT_KIND_RECORD_ANSWER else "officer"
        before = kept.record if by == "record" else kept.officer
        if before == verdict:
            return  # said again after a loss of state, or by a terminal that took over
        if not before:  # whoever takes a word back does not undo it: the first one stays, the other one is an alarm
            if by == "record":
                kept.record = verdict
            else:
                kept.officer, kept.by = verdict, statement.drafter
            self._keep(kept)
            self._wait(kept, now)
        serial, plane, of = kept.serial, kept.plane, kept.named
        ctx.record(
            "challenge.answered",
            {"officer": Private(statement.drafter.encode())},
            serial=serial,
            plane=plane,
            of=of,
            verdict=verdict,
            by=by,
        )
        ctx.tell("challenge-answered", serial=serial, plane=plane, of=of, verdict=verdict, by=by, at=now.wall)
        if (verdict != "yes" and kept.ours != UNDER_WAY) or before:
            text = "the other side does not know a statement as it stands here: trust neither before you have compared"
            ctx.alarm("challenge-denied", text, serial=serial, plane=plane, of=of, verdict=verdict, by=by)

    # --- being asked -------------------------------------------------------------------------------------------------

    def heard(self, statement: content_pb2.Statement, name: bytes, now: Instant) -> None:
        """The peer asks: the record answers at once, and our people are told."""
        ctx, asked = self._ctx, statement.challenge
        plane, named = Plane.EXERCISE if asked.exercise else Plane.REAL, asked.named
        kept = Kept(HEARD, statement.serial, plane.value, named.serial, named.statement, int(asked.ours), now.wall)
        verdict = self._look_up(kept, now)
        text = "the peer doubts a statement; our record has answered, a person confirms: hotline challenge confirm"
        ctx.alarm("challenged", text, serial=kept.serial, plane=kept.plane, of=kept.named, verdict=kept.record)
        if ctx.standing.active:
            self._answer_for_record(kept, name, verdict, now)
        for early in take(self.early.ours, kept.serial):
            self.said_elsewhere(early, now)

    def _look_up(self, kept: Kept, now: Instant) -> content_pb2.Verdict.ValueType:
        """What our record says of what is asked; kept and entered if it did not say so before."""
        asked = content_pb2.Challenge(ours=bool(kept.ours))
        asked.named.CopyFrom(content_pb2.Reference(serial=kept.named, statement=kept.statement))
        verdict = self._verdict(Plane(kept.plane), asked, now)
        if WORDS[verdict] != kept.record:
            kept.record = WORDS[verdict]
            self._keep(kept)
            self._ctx.record(
                "challenge.heard",
                serial=kept.serial,
                plane=kept.plane,
                of=kept.named,
                statement=kept.statement.hex(),
                ours=kept.ours,
                verdict=kept.record,
            )
        return verdict

    def _answer_for_record(self, kept: Kept, name: bytes, verdict: content_pb2.Verdict.ValueType, now: Instant) -> None:
        said = self._talk(content_pb2.STATEMENT_KIND_RECORD_ANSWER, TERMINAL)
        said.text, said.verdict = answer(kept.plane, kept.named, WORDS[verdict], ours=bool(kept.ours)), verdict
        said.in_reply_to.CopyFrom(content_pb2.Reference(serial=kept.serial, statement=name))
        if self._say(said, None, now) is not None:
            self.early.said(said, self._kept)

    def speak(self, now: Instant) -> None:
        """This terminal speaks from now on: it answers what no record of its party has answered."""
        inbox = self._ctx.inboxes[Plane.SERVICE]
        for kept in [kept for (way, _), kept in self._kept.items() if way == HEARD]:
            name = inbox.known_hash(kept.serial)
            if name is None or kept.serial in self.early.answered or kept.serial <= inbox.highest - RECALLED_MAX:
                continue
            self._answer_for_record(kept, name, self._look_up(kept, now), now)

    def said_elsewhere(self, statement: content_pb2.Statement, now: Instant) -> None:
        """A sibling asks or answers for our party: the answer counts here too, and nobody answers twice."""
        ctx, reply, officer = self._ctx, statement.in_reply_to.serial, Private(statement.drafter.encode())
        self.early.said(statement, self._kept)
        if statement.kind == content_pb2.STATEMENT_KIND_CHALLENGE:
            asked = statement.challenge
            plane = Plane.EXERCISE if asked.exercise else Plane.REAL
            serial, name, ours = (
                asked.named.serial,
                asked.named.statement,
                self._ours(plane, asked.named.serial, ours=asked.ours),
            )
            kept = Kept(ASKED, statement.serial, plane.value, serial, name, ours, now.wall)
            self._keep(kept)
            self._wait(kept, now)
            ctx.record(
                "challenge.asked",
                {"officer": officer},
                serial=kept.serial,
                plane=kept.plane,
                of=serial,
                statement=name.hex(),
                ours=int(asked.ours),
            )
            remember(self._lately, kept.serial, self._name_of(kept.serial))
            for answer in take(self.early.theirs, kept.serial):
                self.answered(answer, now)
        elif statement.kind == content_pb2.STATEMENT_KIND_OFFICER_ANSWER and (HEARD, reply) in self._kept:
            kept = self._kept[HEARD, reply]
            if not kept.officer and ctx.inboxes[Plane.SERVICE].known_hash(reply) == statement.in_reply_to.statement:
                kept.officer, kept.by = WORDS[statement.verdict], statement.drafter
                self._keep(kept)
                ctx.record("challenge.word", {"officer": officer}, serial=reply, verdict=kept.officer)

    def confirm(self, event: AnswerChallenge, now: Instant) -> None:
        """An officer answers a challenge of the peer, once."""
        ctx, kept = self._ctx, self._kept.get((HEARD, event.serial))
        name = ctx.inboxes[Plane.SERVICE].known_hash(event.serial)
        if kept is None or name is None:
            self._refuse(
                event.request, "unknown", f"#{event.serial} of the peer's talk is no challenge: nothing was said"
            )
            return
        if kept.officer:
            self._refuse(event.request, "again", f"#{event.serial} was answered before by {kept.by}: nothing was said")
            return
        word = WORDS.get(event.verdict)
        if word is None or event.officer == TERMINAL:
            text = "no such answer: use yes, no or unknown, under a person's name; nothing was said"
            self._refuse(event.request, "verdict", text)
            return
        said = self._talk(content_pb2.STATEMENT_KIND_OFFICER_ANSWER, event.officer)
        said.text, said.verdict = event.text or word.capitalize() + ".", event.verdict
        said.in_reply_to.CopyFrom(content_pb2.Reference(serial=event.serial, statement=name))
        try:
            check_text(said.text, SERVICE_TEXT_BYTES_MAX)
        except TextError as error:
            self._refuse(event.request, "text", str(error))
            return
        item = self._say(said, event.request, now)
        if item is None:
            return
        kept.officer, kept.by = word, event.officer
        self._keep(kept)
        ctx.record("challenge.word", {"officer": Private(event.officer.encode())}, serial=event.serial, verdict=word)
        self._sending.answer(event.request, item, said)

    def _verdict(self, plane: Plane, asked: content_pb2.Challenge, now: Instant) -> content_pb2.Verdict.ValueType:
        """What our own record says of what is named; by its name, not by its number."""
        ctx, serial, name = self._ctx, asked.named.serial, asked.named.statement
        if asked.ours:
            known = ctx.inboxes[plane].known_hash(serial)
            lost = known is None and serial <= ctx.inboxes[plane].through
            return _verdict(known == name, lost=lost)
        outbox, row, said = ctx.outboxes[plane], ctx.history.sent(plane, serial), ctx.history.sent_hash(plane, serial)
        item = outbox.pending.get(serial)
        names = set(item.names) if item is not None else set()
        if said is not None:
            names.add(said)
        if row is not None:
            precedence = decode_statement(row.content).precedence
            stored = Pending(serial, precedence, row.content, row.signature, row.hash, now.mono)
            names.update(void(ctx, plane, stored).names)
        elif serial <= outbox.last_serial:
            names.update(filler(ctx, plane, serial, now).names)
        # Where the text is gone nobody can tell what empty statement took its place, if any did.
        open_ = said is None or (row is None and ctx.history.has_sent_fact(plane, serial, SentState.EXPIRED.value))
        return _verdict(name in names, lost=open_ and item is None and serial <= outbox.last_serial)

    # --- both --------------------------------------------------------------------------------------------------------

    def renumbered(self, serial: int, new: int, now: Instant) -> None:
        """After a loss of state a challenge of ours goes on under another serial."""
        kept = self._forget(serial)
        if kept is not None:
            kept.serial = new
            self._keep(kept)
            self._wait(kept, now)

    def moved(self, serial: int, new: int) -> None:
        """The same of what a sibling asks: its new serial is known here already."""
        old, kept = self._kept.get((ASKED, serial)), self._kept.get((ASKED, new))
        if old is not None and kept is not None and old.statement == kept.statement:
            self._forget(serial)

    def _forget(self, serial: int) -> Kept | None:
        kept = self._kept.pop((ASKED, serial), None)
        if kept is not None:
            self._ctx.out.changes.append(Delete("challenge", {"way": ASKED, "serial": serial}))
            self._late_at.pop(serial, None)
        return kept

    def open_ones(self) -> list[list[str | int]]:
        """Way and serial of those that lack a person's answer, oldest first."""
        return [[kept.way, kept.serial] for kept in self._kept.values() if not kept.officer]

    def due(self, now: Instant) -> None:
        """Who has not answered in time is told of, once."""
        for serial, at in list(self._late_at.items()):
            if at > now.mono:
                continue
            kept = self._kept[ASKED, serial]
            kept.alarmed = OFFICER if kept.record else RECORD
            self._keep(kept)
            self._wait(kept, now)
            who = "officer" if kept.record else "record"
            text = "a challenge was not answered in time: by the other side's record, or by a person"
            self._ctx.alarm("challenge-unanswered", text, serial=serial, plane=kept.plane, of=kept.named, by=who)

    def next_deadline(self) -> int | None:
        """When that is."""
        return min(self._late_at.values()) if self._late_at else None

    def _wait(self, kept: Kept, now: Instant) -> None:
        """Set the time at which whoever owes an answer is late."""
        if kept.way != ASKED:
            return
        self._late_at.pop(kept.serial, None)
        if kept.officer:
            return
        if not kept.record and kept.alarmed < RECORD:
            self._late_at[kept.serial] = now.mono + CHALLENGE_RECORD_PATIENCE
        elif kept.record and kept.alarmed < OFFICER:
            self._late_at[kept.serial] = now.mono + CHALLENGE_OFFICER_PATIENCE

    def _keep(self, kept: Kept) -> None:
        row: Row = asdict(kept)
        self._kept[kept.way, kept.serial] = kept
        self._ctx.out.changes.append(Put("challenge", row))
        # Each way by itself: a flood of the peer's makes nobody forget what it was asked.
        while len(self._kept) > CHALLENGES_KEPT_MAX < sum(way == kept.way for way, _ in self._kept):
            way, serial = next(key for key in self._kept if key[0] == kept.way)
            del self._kept[way, serial]
            if way == ASKED:
                self._late_at.pop(serial, None)
            self._ctx.out.changes.append(Delete("challenge", {"way": way, "serial": serial}))

    def _ours(self, plane: Plane, serial: int, *, ours: bool) -> int:
        received = ours and self._ctx.history.has_sent_fact(plane, serial, SentState.DELIVERED.value)
        return OURS if received else UNDER_WAY if ours else THEIRS

    def _name_of(self, serial: int) -> bytes:
        item = self._ctx.outboxes[Plane.SERVICE].pending.get(serial)
        if item is not None:
            return item.original_hash or item.hash
        return self._ctx.history.sent_hash(Plane.SERVICE, serial) or self._lately.get(serial, b"")

    def _talk(self, kind: content_pb2.StatementKind.ValueType, drafter: str) -> content_pb2.Statement:
        return content_pb2.Statement(
            precedence=content_pb2.PRECEDENCE_ROUTINE,
            kind=kind,
            language="en",
            direction=content_pb2.DIRECTION_LTR,
            drafter=drafter,
            valid_for_ms=self._ctx.setup.validity_ms[content_pb2.PRECEDENCE_ROUTINE],
        )

    def _say(self, statement: content_pb2.Statement, request: RequestId | None, now: Instant) -> Pending | None:
        """Queue it. With no room it is not said: whoever asked is told so, a peer hears nothing and rings."""
        try:
            check_room(self._ctx, Plane.SERVICE)
        except LocalError as error:
            if request is not None:
                self._refuse(request, "full", str(error))
            return None
        item = self._sending.say(Plane.SERVICE, statement, now)
        self._sending.pump_all(now)
        return item

    def _refuse(self, request: RequestId, code: str, text: str) -> None:
        self._ctx.out.replies.append(Reply(request, False, code, text))


def _verdict(known: bool, *, lost: bool) -> content_pb2.Verdict.ValueType:
    if known:
        return content_pb2.VERDICT_YES
    return content_pb2.VERDICT_UNKNOWN if lost else content_pb2.VERDICT_NO
