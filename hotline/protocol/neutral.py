"""What a channel test says, and what counts as one (docs/protocol.md 8.5).

The texts say nothing about either party, anybody's forces or any matter between them: whoever finds one in a record
ten years later must be able to tell at a glance that it meant nothing.
"""

from __future__ import annotations

from typing import Final

from hotline.wire.v1 import content_pb2

DRAFTER: Final = "channel-test"
LANGUAGE: Final = "en"

TEXTS: Final = (
    "The days grow longer from the turn of winter until midsummer, and shorter again after it.",
    "Light needs about eight minutes and twenty seconds from the sun to the earth.",
    "A kilometre is a thousand metres; a nautical mile is one thousand eight hundred and fifty-two.",
    "Vowels are A, E, I, O and U; the letter Y is counted among them in some words.",
    "Rivers are narrow and quick near the spring, broad and slow near the sea.",
    "Water boils at a lower temperature on a mountain than at the shore.",
    "A year has fifty-two weeks and a day; a leap year has one day more.",
    "Figures for a check of the line: one two three four five six seven eight nine zero.",
    "Migrating birds leave in autumn and are back before the orchards bloom.",
    "Zinc, yew, xylophone, window, valley, umbrella, table: the alphabet read from its end.",
)

VOIDS: Final = (content_pb2.STATEMENT_KIND_VOID, content_pb2.STATEMENT_KIND_TEST_VOID)
"""Empty statements that keep the serial of another one."""

CORRECTING: Final = (content_pb2.STATEMENT_KIND_CORRECTION, content_pb2.STATEMENT_KIND_RETRACTION)
"""What changes how an earlier statement of the same side is to be read."""

SPOKEN: Final = (
    content_pb2.STATEMENT_KIND_TEXT,
    *CORRECTING,
    content_pb2.STATEMENT_KIND_TRANSLATION,
    content_pb2.STATEMENT_KIND_PUT_ON_RECORD,
)
"""What an officer has said of record."""

NON_PAPER: Final = content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE
"""What an officer has said without prejudice."""

UNATTENDED: Final = (content_pb2.STATEMENT_KIND_TEST, content_pb2.STATEMENT_KIND_TEST_VOID)
"""What no officer need open."""


ANSWERS: Final = (content_pb2.STATEMENT_KIND_RECORD_ANSWER, content_pb2.STATEMENT_KIND_OFFICER_ANSWER)
"""What a challenge is answered with."""

CHALLENGES: Final = (content_pb2.STATEMENT_KIND_CHALLENGE, *ANSWERS)

TALK: Final = (content_pb2.STATEMENT_KIND_TEXT, content_pb2.STATEMENT_KIND_VOID, *CHALLENGES)
"""What may be said on the SERVICE plane."""


def kind_of(statement: content_pb2.Statement) -> content_pb2.StatementKind.ValueType:
    """What a statement counts as: its kind, but TEXT for a test that says something of its own."""
    if statement.kind == content_pb2.STATEMENT_KIND_TEST and statement.text not in TEXTS:
        return content_pb2.STATEMENT_KIND_TEXT
    return statement.kind


def kind_word(kind: content_pb2.StatementKind.ValueType) -> str:
    """text, void, test-void, without-prejudice and so on, as records and schemas spell it."""
    return content_pb2.StatementKind.Name(kind).removeprefix("STATEMENT_KIND_").lower().replace("_", "-")


def needs_opening(kind: content_pb2.StatementKind.ValueType, date_time_group: str) -> bool:
    """Whether an officer has to open what counts as `kind`: no test, nor what only closes a gap (8.7)."""
    closes_gap = kind == content_pb2.STATEMENT_KIND_VOID and not date_time_group
    return not (closes_gap or kind in UNATTENDED)


def attention(statement: content_pb2.Statement) -> tuple[content_pb2.StatementKind.ValueType, bool]:
    """What a statement counts as, and whether an officer has to open it."""
    kind = kind_of(statement)
    return kind, needs_opening(kind, statement.date_time_group)
