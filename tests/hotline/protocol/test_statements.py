"""Signed content: every field check, the separation of planes, and names that no signature changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, TextError, Untrusted
from hotline.limits import PADDING_CLASSES, RECEIPT_ITEMS_MAX, SERIAL_MAX, TEXT_BYTES_MAX, TIME_MAX
from hotline.machine import Plane
from hotline.protocol.statements import (
    CHECKPOINT_MAX,
    Ends,
    check_language,
    check_size,
    check_text,
    decode_heartbeat,
    decode_receipt,
    decode_statement,
    label,
    sign_content,
    spans,
    statement_hash,
    verify_content,
)
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2

KEY = SigningKey(bytes(range(32)))
ENDS = Ends(bytes(32), 1, 2)


def statement(**changes: object) -> content_pb2.Statement:
    fields: dict[str, object] = {
        "serial": 7,
        "previous_in_precedence": 5,
        "precedence": content_pb2.PRECEDENCE_ROUTINE,
        "kind": content_pb2.STATEMENT_KIND_TEXT,
        "date_time_group": "240237ZNOV26",
        "composed_ms": 1_795_000_000_000,
        "language": "en",
        "direction": content_pb2.DIRECTION_LTR,
        "from_party": "ALPHA",
        "to_party": "BRAVO",
        "drafter": "watch",
        "text": "The exercise ends at noon.",
        "body_salt": bytes(32),
        "valid_for_ms": 86_400_000,
    }
    return content_pb2.Statement(**{**fields, **changes})  # type: ignore[arg-type]


def void(**changes: object) -> content_pb2.Statement:
    return statement(**{"kind": content_pb2.STATEMENT_KIND_VOID, "text": "", "language": "", "drafter": "", **changes})


def refusal(decode: Callable[[bytes], object], message: object) -> str:
    with pytest.raises(Malformed) as caught:
        decode(encode(message))  # type: ignore[type-var]
    return caught.value.reason


BAD_STATEMENTS = [
    ("serial", {"serial": 0}),
    ("serial", {"serial": 0, "previous_in_precedence": 0}),
    ("serial", {"previous_in_precedence": 7}),
    ("serial", {"previous_in_precedence": 8}),
    ("serial", {"serial": SERIAL_MAX + 1}),
    ("serial", {"serial": 2**64 - 1}),
    ("precedence", {"precedence": 0}),
    ("precedence", {"precedence": 5}),
    ("kind", {"kind": 0}),
    ("kind", {"kind": 3}),
    ("direction", {"direction": 0}),
    ("direction", {"direction": 3}),
    ("salt", {"body_salt": b""}),
    ("salt", {"body_salt": bytes(31)}),
    ("salt", {"body_salt": bytes(33)}),
    ("field-length", {"date_time_group": "x" * 17}),
    ("field-length", {"from_party": "x" * 65}),
    ("field-length", {"to_party": "x" * 65}),
    ("field-length", {"drafter": "x" * 65}),
    ("field-length", {"composed_ms": TIME_MAX + 1}),
    ("field-length", {"valid_for_ms": TIME_MAX + 1}),
    ("text", {"text": ""}),
    ("text", {"text": " \n\t "}),
    ("text", {"text": "a\0b"}),
    ("text", {"text": "x" * (TEXT_BYTES_MAX + 1)}),
    ("text", {"language": ""}),
    ("text", {"language": "en--us"}),
    ("text", {"language": "x" * 9}),
    ("text", {"language": "a-" * 18 + "a"}),
]


@pytest.mark.parametrize(("word", "changes"), BAD_STATEMENTS)
def test_each_field_is_checked(word: str, changes: dict[str, object]) -> None:
    """A statement that no honest terminal makes would be shown, recorded, or stop the ledger."""
    # docs/protocol.md 8.1 and 8.6
    assert refusal(decode_statement, statement(**changes)) == word


def test_a_void_statement_says_nothing() -> None:
    """Text could be smuggled in under a kind that is never read (docs/protocol.md 8.6)."""
    assert decode_statement(encode(void())).kind == content_pb2.STATEMENT_KIND_VOID
    assert refusal(decode_statement, void(text="x")) == "kind"
    assert refusal(decode_statement, void(body_salt=b"\1" * 32)) == "kind"
    assert refusal(decode_statement, void(language="x" * 36)) == "kind"


def test_everything_at_its_bound_is_accepted() -> None:
    """A lawful statement would be refused by the other side after it was accepted here (docs/protocol.md 4.3)."""
    decode_statement(encode(statement(serial=SERIAL_MAX, previous_in_precedence=SERIAL_MAX - 1)))
    decode_statement(encode(statement(serial=1, previous_in_precedence=0)))
    decode_statement(encode(statement(text="x" * TEXT_BYTES_MAX, date_time_group="x" * 16, drafter="x" * 64)))
    decode_statement(encode(statement(language="de-" + "a" * 8, composed_ms=TIME_MAX)))


def test_other_spellings_of_the_same_statement_are_refused() -> None:
    """Two byte strings would be one statement, and the two ledgers would disagree on its name."""
    content = encode(statement())
    with pytest.raises(Malformed) as caught:
        decode_statement(content + b"\x08\x07")
    assert caught.value.reason == "spelling"


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else(noise: bytes) -> None:
    """A forged content would raise something that stops the daemon."""
    for decode in (decode_statement, decode_receipt, decode_heartbeat):
        try:
            decode(noise)
        except Malformed:
            continue


ITEM = content_pb2.ReceiptItem(serial=1, statement=bytes(32))


@pytest.mark.parametrize(
    ("word", "receipt"),
    [
        ("stage", content_pb2.Receipt(item=[ITEM])),
        ("stage", content_pb2.Receipt(stage=99, item=[ITEM])),  # type: ignore[arg-type]
        ("items", content_pb2.Receipt(stage=content_pb2.STAGE_DELIVERED)),
        ("items", content_pb2.Receipt(stage=content_pb2.STAGE_DELIVERED, item=[ITEM] * (RECEIPT_ITEMS_MAX + 1))),
        ("items", content_pb2.Receipt(stage=1, item=[content_pb2.ReceiptItem(serial=1, statement=bytes(31))])),
        ("items", content_pb2.Receipt(stage=1, item=[content_pb2.ReceiptItem(statement=bytes(32))])),
        ("items", content_pb2.Receipt(stage=1, item=[content_pb2.ReceiptItem(serial=2**60, statement=bytes(32))])),
        ("items", content_pb2.Receipt(stage=4, item=[ITEM], received_through=2**60)),
        ("officer", content_pb2.Receipt(stage=content_pb2.STAGE_READ, item=[ITEM])),
        ("officer", content_pb2.Receipt(stage=content_pb2.STAGE_READ, item=[ITEM], officer="x" * 65)),
        ("officer", content_pb2.Receipt(stage=content_pb2.STAGE_DELIVERED, item=[ITEM], officer="watch")),
    ],
)
def test_each_field_of_a_receipt_is_checked(word: str, receipt: content_pb2.Receipt) -> None:
    """READ without a reader, or a receipt for nothing, would be taken as somebody's word (docs/protocol.md 9.6)."""
    assert refusal(decode_receipt, receipt) == word


def test_a_full_receipt_is_accepted() -> None:
    """The largest receipt of an honest peer would be refused for ever."""
    decode_receipt(encode(content_pb2.Receipt(stage=content_pb2.STAGE_DELIVERED, item=[ITEM] * RECEIPT_ITEMS_MAX)))


@pytest.mark.parametrize(
    "changes",
    [
        {"beat": 0},
        {"presence": 0},
        {"presence": 77},
        {"sent_through": SERIAL_MAX + 1},
        {"received_through": 2**64 - 1},
        {"exercise_sent_through": 2**53},
        {"exercise_received_through": 2**53},
        {"time_ms": TIME_MAX + 1},
    ],
)
def test_each_field_of_a_heartbeat_is_checked(changes: dict[str, int]) -> None:
    """A number that no ledger can hold would stop the daemon of the peer that hears it."""
    # docs/protocol.md 10.11 and 13.16
    fields: dict[str, int] = {"beat": 1, "path": 1, "presence": content_pb2.PRESENCE_ALIVE}
    decode_heartbeat(encode(content_pb2.Heartbeat(**fields)))  # type: ignore[arg-type]
    assert refusal(decode_heartbeat, content_pb2.Heartbeat(**{**fields, **changes})) == "beat"  # type: ignore[arg-type]


def test_a_signature_holds_for_one_type_plane_charter_and_pair_of_ends() -> None:
    """An exercise order could be played to the peer as a real one, or a receipt as a statement."""
    # docs/protocol.md 2.3 and 7.4
    content = encode(statement())
    signed = sign_content(KEY, ContentType.RECEIPT, Plane.REAL, ENDS, content)
    verify_content(KEY.public, signed, Plane.REAL, ENDS)
    wrong = [
        (signed, Plane.EXERCISE, ENDS),
        (signed, Plane.REAL, Ends(b"\1" * 32, 1, 2)),
        (signed, Plane.REAL, Ends(bytes(32), 3, 2)),
        (signed, Plane.REAL, Ends(bytes(32), 1, 3)),
        (signed, Plane.REAL, Ends(bytes(32), 2, 1)),
        (signed._replace(content=content + b"x"), Plane.REAL, ENDS),
        (signed._replace(signature=bytes(64)), Plane.REAL, ENDS),
        *((signed._replace(type=kind), Plane.REAL, ENDS) for kind in ContentType if kind is not ContentType.RECEIPT),
    ]
    for inner, plane, ends in wrong:
        with pytest.raises(Untrusted):
            verify_content(KEY.public, inner, plane, ends)


def test_a_statement_is_signed_once_for_every_terminal_of_the_peer() -> None:
    """A second terminal of the peer could not check what the first one holds."""
    signed = sign_content(KEY, ContentType.STATEMENT, Plane.REAL, ENDS, b"x")
    verify_content(KEY.public, signed, Plane.REAL, Ends(bytes(32), 1, 9))


def test_labels_are_all_different() -> None:
    """Two kinds of content with one label could be exchanged for each other."""
    labels = {label(kind, plane) for kind in ContentType for plane in Plane}
    assert len(labels) == len(ContentType) * len(Plane)
    assert label(ContentType.KEY_REQUEST, Plane.REAL) == "hotline/v1/key-request/real"


def test_the_name_of_a_statement_depends_on_content_plane_and_sender_and_on_no_signature() -> None:
    """A second signature over the same words would make a second statement of them (docs/protocol.md 8.2)."""
    content = encode(statement())
    name = statement_hash(Plane.REAL, ENDS, content)
    other_key = SigningKey(b"\1" * 32)
    first = sign_content(KEY, ContentType.STATEMENT, Plane.REAL, ENDS, content)
    second = sign_content(other_key, ContentType.STATEMENT, Plane.REAL, ENDS, content)
    assert first.signature != second.signature
    assert statement_hash(Plane.REAL, ENDS, first.content) == statement_hash(Plane.REAL, ENDS, second.content) == name
    assert (
        len({name, statement_hash(Plane.EXERCISE, ENDS, content), statement_hash(Plane.REAL, ENDS, content + b"x")})
        == 3
    )
    assert statement_hash(Plane.REAL, Ends(bytes(32), 2, 1), content) != name
    assert statement_hash(Plane.REAL, Ends(b"\1" * 32, 1, 2), content) != name


@pytest.mark.parametrize("text", ["", "  ", "a\0", "\ud800", "x" * 11, "ü" * 6])
def test_texts_that_cannot_be_said_are_refused_with_what_happened(text: str) -> None:
    """An officer would believe that something was sent."""
    with pytest.raises(TextError, match="nothing was queued"):
        check_text(text, 10)


def test_the_limit_counts_bytes() -> None:
    """Scripts other than Latin would be cut or refused by the wrong measure."""
    check_text("ü" * 5, 10)
    check_text("اردو", 8)


@pytest.mark.parametrize("tag", ["en", "ur", "hi-Deva-IN", "x-very"])
def test_languages(tag: str) -> None:
    """A lawful language could not be named (docs/protocol.md 8.8)."""
    check_language(tag)


@pytest.mark.parametrize("tag", ["", "-", "en-", "e n", "é", "en_US", "abcdefghi", "a" * 8 + "-a" * 14])
def test_no_languages(tag: str) -> None:
    """Control characters or a novel could stand where a language belongs."""
    with pytest.raises(TextError):
        check_language(tag)


def test_spans_are_read_as_ranges() -> None:
    """The ledger would say less, or more, than what happened."""
    assert spans([5, 3, 4, 8]) == ["3-5 8"]
    assert spans([1]) == ["1"]
    assert spans([]) == []


@given(st.sets(st.integers(1, SERIAL_MAX), max_size=300))
def test_spans_name_every_serial_once_and_fit_a_leaf(serials: set[int]) -> None:
    """A receipt that names many scattered serials would make a leaf that the ledger refuses."""
    # docs/protocol.md 13.13
    found: set[int] = set()
    for line in spans(serials):
        assert len(line) <= 2_048
        for part in line.split():
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    assert found == serials


def test_what_is_said_leaves_room_for_what_the_terminal_adds() -> None:
    """docs/protocol.md 8.12: the bound on what officers say would be a guess, and the envelope too small by a byte."""
    said = content_pb2.Statement(
        precedence=4, kind=1, language="x" * 35, direction=1, drafter="d" * 32, valid_for_ms=TIME_MAX
    )
    said.draft = bytes(16)
    while True:
        said.text += "x" * 100
        try:
            check_size(said)
        except TextError:
            break
    said.text = said.text[:-100]
    added = content_pb2.Statement(
        serial=SERIAL_MAX,
        previous_in_precedence=SERIAL_MAX - 1,
        first_serial=SERIAL_MAX - 1,
        date_time_group="252359Z NOV 26 ",
        composed_ms=TIME_MAX,
        from_party="A" * 32,
        to_party="B" * 32,
        body_salt=bytes(32),
        checkpoint=bytes(CHECKPOINT_MAX),
        in_reply_to=content_pb2.Reference(serial=SERIAL_MAX, statement=bytes(32)),
        corrects=content_pb2.Reference(serial=SERIAL_MAX, statement=bytes(32)),
        term=2**32 - 1,
    )
    said.MergeFrom(added)
    assert len(encode_inner(Inner(ContentType.STATEMENT, encode(said), bytes(64)), padded=True)) == PADDING_CLASSES[-1]
