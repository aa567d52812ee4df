"""Typed fields and phrases of statements, handed in and received (docs/protocol.md 21.7 to 21.10)."""

from __future__ import annotations

import pytest

from hotline.civil import civil, unix_ms
from hotline.limits import FIELDS_MAX, PADDING_CLASSES, TEXT_BYTES_MAX
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import Submit
from hotline.protocol.fields import NUMBER, PLACE, TIME, Typed, coordinate, fault
from hotline.protocol.statements import decode_statement
from hotline.wire.v1 import content_pb2

from .pair import ROUTINE, Pair, Party

SEVENTEEN = Typed("number", NUMBER, "17")


def say(
    party: Party, *fields: Typed, text: str = "At {time}.", phrase: str = "", book: bytes = b"", corrects: int = 0
) -> Reply:
    request = RequestId(len(party.replies) + 1)
    ltr = content_pb2.DIRECTION_LTR
    party.step(
        Submit(
            request,
            Plane.REAL,
            ROUTINE,
            "en",
            ltr,
            text,
            "watch",
            corrects=corrects,
            phrase=phrase,
            book=book,
            fields=fields,
        )
    )
    return party.replies[request]


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def test_fields_and_phrase_arrive_as_they_were_signed(pair: Pair) -> None:
    """docs/protocol.md 21.9: they are part of what the name of a statement covers."""
    fields = (SEVENTEEN, Typed("time", TIME, "2026-11-25T10:00Z"), Typed("site", PLACE, "مقام"))
    assert say(pair.alpha, *fields, phrase="B03", book=bytes(range(32))).ok
    assert say(pair.alpha, SEVENTEEN, corrects=1).ok
    pair.run(1_000)
    content = pair.bravo.memory.received(Plane.REAL, 1)
    assert content is not None
    came = decode_statement(content)
    assert [(one.name, one.kind, one.value) for one in came.field] == [tuple(one) for one in fields]
    assert (came.phrase.code, came.phrase.book) == ("B03", bytes(range(32)))
    assert pair.bravo.refusals() == []
    assert pair.bravo.shown() == [1, 2]


@pytest.mark.parametrize(
    ("fields", "more", "words"),
    [
        ([Typed("time", TIME, "10:00")], {}, "time: a time is written"),
        ([Typed("Time", TIME, "2026-11-25T10:00Z")], {}, "small letters"),
        ([Typed("a", 9, "1")], {}, "a field is a time"),  # type: ignore[arg-type]
        ([Typed("a", PLACE, "\ud800")], {}, "a place is named"),
        ([SEVENTEEN, SEVENTEEN], {}, "two fields have one name"),
        ([Typed(f"n{one}", NUMBER, "1") for one in range(FIELDS_MAX + 1)], {}, f"the limit is {FIELDS_MAX}"),
        ([SEVENTEEN], {"text": "x" * (TEXT_BYTES_MAX - 23)}, f"the limit is {TEXT_BYTES_MAX}"),
        ([], {"phrase": "b02", "book": bytes(32)}, "a phrase has a code"),
        ([], {"phrase": "B02", "book": bytes(31)}, "a phrase has a code"),
    ],
)
def test_what_is_no_field_is_refused_before_it_is_queued(
    pair: Pair, fields: list[Typed], more: dict[str, object], words: str
) -> None:
    """docs/protocol.md 21.9: in a sentence; the peer would refuse it for ever."""
    reply = say(pair.alpha, *fields, **more)  # type: ignore[arg-type]
    assert (reply.ok, reply.code) == (False, "text")
    assert words in reply.text
    assert reply.text.endswith("nothing was queued")
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial == 0


def test_operators_talk_has_none(pair: Pair) -> None:
    """It would be as long as a statement, and hold one up (docs/protocol.md 21.9)."""
    ltr, talk = content_pb2.DIRECTION_LTR, Plane.SERVICE
    for number, more in enumerate(({"fields": (SEVENTEEN,)}, {"phrase": "B02", "book": bytes(32)}), 70):
        pair.alpha.step(Submit(RequestId(number), talk, ROUTINE, "en", ltr, "Talk.", "watch", **more))  # type: ignore[arg-type]
        assert "neither fields nor a phrase" in pair.alpha.replies[number].text


def test_the_largest_statement_still_fits_its_envelope(pair: Pair) -> None:
    """Sealing would fail, and the terminal stop (docs/protocol.md 4.3 and 21.9)."""
    fields = [Typed(f"{one:x}".rjust(16, "n"), PLACE, "ے" * 100) for one in range(FIELDS_MAX)]
    room = TEXT_BYTES_MAX - sum(16 + 16 + 200 for _ in fields)
    assert say(pair.alpha, *fields, text="x" * room, phrase="B" * 16, book=bytes(32)).ok
    assert not say(pair.alpha, *fields, text="x" * (room + 1)).ok
    pair.run(2_000)
    assert pair.bravo.shown() == [1]
    content = pair.bravo.memory.received(Plane.REAL, 1)
    assert content is not None
    assert len(content) > PADDING_CLASSES[-2]


def test_the_calendar_goes_both_ways() -> None:
    """A day that is none would be read as another one (docs/protocol.md 21.7)."""
    for days in range(-700_000, 2_900_000, 977):
        at = civil(days * 86_400_000 + 45_296_000)
        if 1 <= at.year <= 9_999:
            assert unix_ms(*at[:6]) == days * 86_400_000 + 45_296_000
    for none in ((2026, 2, 29), (2026, 13, 1), (2026, 0, 1), (2026, 4, 31), (2026, 1, 0), (0, 1, 1), (1900, 2, 29)):
        assert unix_ms(*none, 0, 0, 0) is None
    assert unix_ms(2028, 2, 29, 23, 59, 59) is not None
    assert unix_ms(2026, 1, 1, 24, 0, 0) is unix_ms(2026, 1, 1, 0, 60, 0) is unix_ms(2026, 1, 1, 0, 0, 60) is None


COORDINATE = content_pb2.FIELD_KIND_COORDINATE


@pytest.mark.parametrize(
    ("kind", "lawful", "unlawful"),
    [
        (
            COORDINATE,
            ["90.0N 180.0E", "90.000000S 180.000000W", "00.0N 000.0E", "00.000001S 000.000001W", "89.999999N 179.9E"],
            ["90.000001N 180.0E", "90.0N 180.000001E", "91.0N 000.0E", "00.0S 000.0E", "00.0N 000.0W", "1.0N 000.0E"],
        ),
        (NUMBER, ["0", "9" * 15], ["", "00", "01", "1" + "0" * 15, "-1", "1.0"]),
        (PLACE, ["x", "x" * 100], ["", "x" * 101, " x", "x ", "a\nb", "a\u202eb"]),
        (TIME, ["2026-11-25T10:00Z", "2026-11-25T23:59:59Z"], ["2026-11-25T24:00Z", "2026-13-01T00:00Z", "2026-11-25"]),
        (0, [], ["x"]),
    ],
)
def test_each_kind_at_its_bounds(kind: content_pb2.FieldKind.ValueType, lawful: list[str], unlawful: list[str]) -> None:
    """A place at the pole could not be named, or one beyond it could (docs/protocol.md 21.7 and 21.8)."""
    assert {value: fault(Typed("a", kind, value)) for value in lawful} == dict.fromkeys(lawful, "")
    assert [value for value in unlawful if not fault(Typed("a", kind, value))] == []
    for name, good in (("a" * 16, True), ("a1-b", True), ("a" * 17, False), ("", False), ("1a", False), ("A", False)):
        assert bool(fault(Typed(name, NUMBER, "1"))) != good, name


@pytest.mark.parametrize(
    ("latitude", "longitude", "spelt"),
    [
        ("28.6139", "-77.209", "28.6139N 077.2090W"),
        ("-0.0", "0", "00.0N 000.0E"),
        ("-0.5", "+5", "00.5S 005.0E"),
        ("90", "-180", "90.0N 180.0W"),
        ("90.1", "0", None),
        ("0", "180.1", None),
        ("1,5", "0", None),
    ],
)
def test_degrees_have_one_spelling(latitude: str, longitude: str, spelt: str | None) -> None:
    """One place would be two in two records (docs/protocol.md 21.8)."""
    assert coordinate(latitude, longitude) == spelt
