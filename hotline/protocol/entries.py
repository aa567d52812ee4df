"""How a statement enters a ledger: words as commitments, what it names as serials (docs/protocol.md 13.12, 13.13)."""

from __future__ import annotations

from hotline.machine import Private
from hotline.protocol.language import grade_word
from hotline.wire.v1 import content_pb2


def precedence_name(precedence: content_pb2.Precedence.ValueType) -> str:
    """FLASH, IMMEDIATE, PRIORITY or ROUTINE."""
    return content_pb2.Precedence.Name(precedence).removeprefix("PRECEDENCE_")


def said(statement: content_pb2.Statement) -> dict[str, Private]:
    """What enters a ledger of a statement only as commitments; the salt of the body is the sender's, on both sides."""
    return {
        "body": Private(statement.text.encode(), statement.body_salt),
        "drafter": Private(statement.drafter.encode()),
        "precedence": Private(precedence_name(statement.precedence).encode()),
    }


def corrected_word(kind: content_pb2.StatementKind.ValueType) -> str:
    """What becomes of a statement that one of this kind names."""
    return "retracted" if kind == content_pb2.STATEMENT_KIND_RETRACTION else "corrected"


def references(statement: content_pb2.Statement) -> dict[str, str | int]:
    """What enters a ledger of a statement's references: serials, and nothing where there is none."""
    tie = statement.translation
    named: dict[str, str | int] = {"reply_to": statement.in_reply_to.serial, "corrects": statement.corrects.serial}
    named |= {"translates": tie.original.serial, "grade": grade_word(tie.grade)}
    return {name: value for name, value in named.items() if value}
