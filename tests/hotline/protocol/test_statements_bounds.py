"""Every field of a statement at its bound and beyond it (docs/protocol.md 4.3 and 8.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hotline.errors import Malformed, TextError
from hotline.limits import PADDING_CLASSES, RELEASES_MAX, SERIAL_MAX, SERVICE_TEXT_BYTES_MAX, TIME_MAX
from hotline.machine import Plane
from hotline.protocol.asking import TERMINAL
from hotline.protocol.neutral import DRAFTER, TEXTS
from hotline.protocol.statements import CHECKPOINT_MAX, check_size, decode_statement, read_statement
from hotline.wire.codec import encode
from hotline.wire.inner import INNER_OVERHEAD, ContentType
from hotline.wire.v1 import content_pb2

Fields = Mapping[str, Any]
KIND = content_pb2.StatementKind


def ref(serial: int = 1, size: int = 32) -> content_pb2.Reference:
    return content_pb2.Reference(serial=serial, statement=bytes(size))


def spoken(kind: str, **fields: Any) -> dict[str, Any]:
    """A lawful statement of this kind, serial 7."""
    plain: dict[str, Any] = {
        "serial": 7, "precedence": 1, "kind": KIND.Value(f"STATEMENT_KIND_{kind}"), "direction": 1, "language": "en",
        "from_party": "ALPHA", "to_party": "BRAVO", "drafter": "watch", "text": "x", "body_salt": bytes(32),
    }  # fmt: skip
    return plain | fields


def empty(kind: str) -> dict[str, Any]:
    return spoken(kind, language="", drafter="", text="")


def release(**fields: Any) -> list[content_pb2.Release]:
    return [content_pb2.Release(**({"officer": "duty-1", "role": 1, "signature": bytes(64)} | fields))]


TRANSLATION = content_pb2.Translation(original=ref(6), grade=content_pb2.TRANSLATION_GRADE_COURTESY, translator="t")
CHALLENGE = content_pb2.Challenge(named=ref())
ANSWER = {"verdict": 1, "in_reply_to": ref()}
BAD_REFERENCES = [ref(0), ref(1, 31), ref(1, 33), ref(SERIAL_MAX + 1)]

STATEMENTS: list[tuple[str, Fields, list[Fields], list[tuple[str, Fields]]]] = [
    (
        "text",
        spoken("TEXT"),
        [
            {"in_reply_to": ref(1)},
            {"in_reply_to": ref(SERIAL_MAX)},
            {"first_serial": 1},
            {"first_serial": 6},
            {"composed_ms": TIME_MAX, "valid_for_ms": TIME_MAX, "from_party": "x" * 64, "to_party": "x" * 64},
            {"term": 2**32 - 1, "precedence": 4, "direction": 2},
            {"draft": bytes(16), "release": release(officer="x", signed_ms=TIME_MAX)},
            {"draft": bytes(16), "release": release(officer="x" * 64) * RELEASES_MAX},
        ],
        [
            *(("reference", {"in_reply_to": bad}) for bad in BAD_REFERENCES),
            ("serial", {"first_serial": 7}),
            ("serial", {"first_serial": 8}),
            ("reference", {"corrects": ref()}),
            ("reference", {"put_on_record": ref()}),
            ("reference", {"of_recipient": True}),
            ("reference", {"challenge": CHALLENGE}),
            ("reference", {"verdict": 1}),
            ("translation", {"translation": TRANSLATION}),
            ("kind", {"kind": 99}),
            ("release", {"draft": bytes(16)}),
            ("release", {"release": release()}),
            ("release", {"draft": bytes(15), "release": release()}),
            ("release", {"draft": bytes(16), "release": release() * (RELEASES_MAX + 1)}),
            ("release", {"draft": bytes(16), "release": release(officer="")}),
            ("release", {"draft": bytes(16), "release": release(officer="x" * 65)}),
            ("release", {"draft": bytes(16), "release": release(role=0)}),
            ("release", {"draft": bytes(16), "release": release(signed_ms=TIME_MAX + 1)}),
            ("release", {"draft": bytes(16), "release": release(signature=bytes(63))}),
            ("release", {"draft": bytes(16), "release": [*release(), *release(signature=bytes(65))]}),
        ],
    ),
    *(
        (
            kind.lower(),
            spoken(kind, corrects=ref()),
            [{"corrects": ref(6), "in_reply_to": ref(9)}],
            [("reference", {"corrects": bad}) for bad in (ref(0), ref(7), ref(1, 31), None)],
        )
        for kind in ("CORRECTION", "RETRACTION")
    ),
    (
        "translation",
        spoken("TRANSLATION", translation=TRANSLATION),
        [],
        [("translation", {"in_reply_to": ref()}), ("translation", {"translation": None})],
    ),
    (
        "void",
        empty("VOID"),
        [{"precedence": 4}],
        [
            *(("kind", {name: "x"}) for name in ("text", "language", "drafter")),
            ("kind", {"body_salt": b"\1" + bytes(31)}),
            ("kind", {"first_serial": 1}),
            ("reference", {"in_reply_to": ref()}),
            ("release", {"draft": bytes(16), "release": release()}),
        ],
    ),
    ("test-void", empty("TEST_VOID"), [], [("kind", {"precedence": 2}), ("kind", {"text": "x"})]),
    (
        "test",
        spoken("TEST", drafter=DRAFTER),
        [{"text": TEXTS[0]}],
        [
            ("kind", {"precedence": 2}),
            ("kind", {"drafter": "watch"}),
            ("reference", {"in_reply_to": ref()}),
            ("text", {"text": ""}),
        ],
    ),
    (
        "without-prejudice",
        spoken("WITHOUT_PREJUDICE"),
        [
            {"precedence": 3, "first_serial": 6, "in_reply_to": ref(), "composed_ms": 1, "date_time_group": "x"},
            {"put_on_record": ref(6)},
            {"put_on_record": ref(SERIAL_MAX), "of_recipient": True},
            {
                "previous_in_precedence": 1,
                "date_time_group": "x",
                "composed_ms": 1,
                "valid_for_ms": 1,
                "first_serial": 1,
                "in_reply_to": ref(),
                "put_on_record": ref(),
                "of_recipient": True,
            },
        ],
        [
            ("kind", {"precedence": 4}),
            ("kind", {"checkpoint": b"x"}),
            ("kind", {"term": 1}),
            ("release", {"draft": bytes(16), "release": release()}),
            ("reference", {"corrects": ref()}),
            ("reference", {"of_recipient": True}),
            ("reference", {"put_on_record": ref(7)}),
            ("reference", {"put_on_record": ref(0), "of_recipient": True}),
            ("text", {"text": " "}),
        ],
    ),
    (
        "put-on-record",
        spoken("PUT_ON_RECORD", put_on_record=ref()),
        [{"put_on_record": ref(6)}],
        [
            ("reference", {"put_on_record": None}),
            ("reference", {"put_on_record": ref(7)}),
            ("reference", {"of_recipient": True}),
        ],
    ),
    (
        "challenge",
        spoken("CHALLENGE", challenge=CHALLENGE),
        [{"challenge": content_pb2.Challenge(named=ref(SERIAL_MAX), ours=True, exercise=True)}],
        [
            ("reference", {"challenge": None}),
            *(("reference", {"challenge": content_pb2.Challenge(named=bad)}) for bad in BAD_REFERENCES),
            ("reference", {"verdict": 1}),
            ("reference", {"in_reply_to": ref()}),
        ],
    ),
    (
        "record-answer",
        spoken("RECORD_ANSWER", drafter=TERMINAL, **ANSWER),
        [{"verdict": 3}],
        [
            ("kind", {"drafter": "watch"}),
            ("reference", {"verdict": 0}),
            ("reference", {"verdict": 4}),
            ("reference", {"in_reply_to": None}),
            ("reference", {"challenge": CHALLENGE}),
        ],
    ),
    ("officer-answer", spoken("OFFICER_ANSWER", **ANSWER), [], [("kind", {"drafter": TERMINAL})]),
]


def refused(decode: Callable[[bytes], object], message: Any) -> str:
    try:
        decode(encode(message))
    except Malformed as error:
        return error.reason
    return "taken"


@pytest.mark.parametrize(
    ("base", "lawful", "unlawful"), [row[1:] for row in STATEMENTS], ids=[r[0] for r in STATEMENTS]
)
def test_a_statement_holds_what_its_kind_may(
    base: Fields, lawful: list[Fields], unlawful: list[tuple[str, Fields]]
) -> None:
    """One kind could say what only another may, or a lawful one be refused (docs/protocol.md 8.6, 19.1, 22.4, 25.5)."""
    for fields in ({}, *lawful):
        assert refused(decode_statement, content_pb2.Statement(**(base | fields))) == "taken", fields
    for word, fields in unlawful:
        assert refused(decode_statement, content_pb2.Statement(**(base | fields))) == word, fields


_SERVICE, _EXERCISE = Plane.SERVICE, Plane.EXERCISE
FIELD = content_pb2.Field(name="at", kind=content_pb2.FIELD_KIND_NUMBER, value="1")
LONGEST = "é" * (SERVICE_TEXT_BYTES_MAX // 2)


@pytest.mark.parametrize(
    ("word", "plane", "fields"),
    [
        ("taken", Plane.REAL, spoken("TEXT")),
        ("taken", Plane.REAL, spoken("TEST", drafter=DRAFTER)),
        ("taken", _EXERCISE, spoken("TEXT", precedence=4)),
        ("taken", _SERVICE, spoken("TEXT", text=LONGEST)),
        ("taken", _SERVICE, empty("VOID")),
        ("taken", _SERVICE, spoken("CHALLENGE", challenge=CHALLENGE)),
        ("party", Plane.REAL, spoken("TEXT", from_party="BRAVO", to_party="ALPHA")),
        ("party", Plane.REAL, spoken("TEXT", to_party="*")),
        ("content-type", Plane.REAL, spoken("WITHOUT_PREJUDICE")),
        ("kind", _EXERCISE, spoken("TEST", drafter=DRAFTER)),
        ("kind", _EXERCISE, empty("TEST_VOID")),
        ("kind", Plane.REAL, spoken("CHALLENGE", challenge=CHALLENGE)),
        ("kind", _EXERCISE, spoken("OFFICER_ANSWER", **ANSWER)),
        ("precedence", _SERVICE, spoken("TEXT", precedence=2)),
        ("text", _SERVICE, spoken("TEXT", text=LONGEST + "x")),
        ("kind", _SERVICE, spoken("CORRECTION", corrects=ref())),
        ("kind", _SERVICE, spoken("TEST", drafter=DRAFTER)),
        ("field", _SERVICE, spoken("TEXT", field=[FIELD])),
        ("field", _SERVICE, spoken("TEXT", phrase=content_pb2.Phrase(code="A", book=bytes(32)))),
        ("addressee", _SERVICE, spoken("TEXT", action=["x"])),
        ("addressee", _SERVICE, spoken("TEXT", info=["x"])),
        ("addressee", _SERVICE, spoken("TEXT", originator_reference="x")),
    ],
)
def test_what_a_plane_takes_from_whom(word: str, plane: Plane, fields: Fields) -> None:
    """What one plane is for would be said on another, or for somebody else (docs/protocol.md 8.5, 8.6, 25.1, 25.2)."""
    statement = content_pb2.Statement(**fields)
    assert refused(lambda data: read_statement(data, plane, "ALPHA", "BRAVO"), statement) == word


def test_only_what_is_without_prejudice_goes_so() -> None:
    """What is deniable would be signed, or what is of record deniable (docs/protocol.md 22.3 and 22.4)."""
    for kind, word in (("WITHOUT_PREJUDICE", "taken"), ("TEXT", "content-type")):
        statement, goes = content_pb2.Statement(**spoken(kind)), ContentType.WITHOUT_PREJUDICE
        assert refused(lambda data: read_statement(data, Plane.REAL, "ALPHA", "BRAVO", goes), statement) == word  # noqa: B023


def test_what_is_said_is_bounded_to_the_byte() -> None:
    """An officer's words would be queued that no envelope holds (docs/protocol.md 8.12)."""
    most = PADDING_CLASSES[-1] - INNER_OVERHEAD - CHECKPOINT_MAX - 320
    statement = content_pb2.Statement(text="x")
    statement.text = "x" * (most - statement.ByteSize() - 1)
    while statement.ByteSize() < most:
        statement.text += "x"
    check_size(statement)
    statement.text += "x"
    with pytest.raises(TextError):
        check_size(statement)
