"""Answers to challenges where a party has several terminals: they may come before what they answer.

docs/protocol.md 25.6 and 25.7. Question and answer reach each terminal on ways of their own, over runs of it too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from typing import Final

from hotline.machine import Plane
from hotline.protocol.asking import ASKED, HEARD
from hotline.protocol.context import Context
from hotline.protocol.lately import remember
from hotline.protocol.neutral import ANSWERS
from hotline.protocol.statements import decode_statement
from hotline.wire.v1 import content_pb2

RECALLED_MAX: Final = 512
"""Talk of each side that is looked through at a start."""
_EARLY_MAX: Final = 64


class EarlyAnswers:
    """What was answered and is not asked here yet, and what our party has answered for its record."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.theirs: deque[content_pb2.Statement] = deque(maxlen=_EARLY_MAX)
        """The peer's answers to what no sibling has told us yet."""
        self.ours: deque[content_pb2.Statement] = deque(maxlen=_EARLY_MAX)
        """A person's answers, given at a sibling, to what has not come here yet."""
        self.answered: dict[int, None] = {}
        """Challenges of the peer that the record of one of our terminals has answered."""

    def recall(self, known: Container[tuple[str, int]]) -> None:
        """After a start: what the last runs took before what it answers; `known` are the challenges that are here."""
        history, plane = self._ctx.history, Plane.SERVICE
        highest, last = self._ctx.inboxes[plane].highest, self._ctx.outboxes[plane].last_serial
        for serial in range(max(1, highest - RECALLED_MAX), highest + 1):
            content = history.received(plane, serial)
            statement = content_pb2.Statement() if content is None else decode_statement(content)
            if statement.kind in ANSWERS and (ASKED, statement.in_reply_to.serial) not in known:
                self.theirs.append(statement)
        for serial in range(max(1, last - RECALLED_MAX), last + 1):
            row = history.sent(plane, serial)
            if row is not None:
                self.said(decode_statement(row.content), known)

    def said(self, statement: content_pb2.Statement, known: Container[tuple[str, int]]) -> None:
        """Talk of our party, said here or at a sibling."""
        challenge = statement.in_reply_to.serial
        if statement.kind == content_pb2.STATEMENT_KIND_RECORD_ANSWER:
            remember(self.answered, challenge, None)
        elif statement.kind == content_pb2.STATEMENT_KIND_OFFICER_ANSWER and (HEARD, challenge) not in known:
            self.ours.append(statement)


def take(answers: deque[content_pb2.Statement], challenge: int) -> list[content_pb2.Statement]:
    """Those of `answers` that answer this challenge; they are no longer among them."""
    found = [answer for answer in answers if answer.in_reply_to.serial == challenge]
    for answer in found:
        answers.remove(answer)
    return found
