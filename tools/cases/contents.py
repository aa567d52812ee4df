"""Statements, receipts, heartbeats, as they are signed."""

from __future__ import annotations

from typing import Any

from hotline.limits import TIME_MAX
from hotline.machine import Plane
from hotline.protocol.neutral import DRAFTER, LANGUAGE, TEXTS
from hotline.protocol.nonpapers import authenticate
from hotline.protocol.statements import Ends
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2
from tools.cases.keys import (
    ALPHA,
    BRAVO,
    BRAVO_PREKEY,
    CHARTER,
    NAME,
    NOW,
    PREKEY,
    SIGNING,
    flip,
    seed,
    signed_prekey,
)
from tools.cases.writing import Cases

SALT = seed("body salt")
CHECKPOINT = b"hotline/alpha-bravo/ALPHA/main/1\n7\n" + b"A" * 43 + b"=\n"


def made() -> list[Cases]:
    """Four kinds."""
    return [_statements(), _nonpapers(), _receipts(), _heartbeats()]


def statement(**changes: Any) -> bytes:
    """A statement of ALPHA."""
    fields: dict[str, Any] = {
        "serial": 3, "previous_in_precedence": 2, "precedence": content_pb2.PRECEDENCE_IMMEDIATE,
        "kind": content_pb2.STATEMENT_KIND_TEXT, "date_time_group": "181106Z NOV 26", "composed_ms": NOW,
        "language": "ur", "direction": content_pb2.DIRECTION_RTL, "from_party": "ALPHA", "to_party": "BRAVO",
        "drafter": "duty-1", "text": "ہم امن چاہتے ہیں۔", "body_salt": SALT, "valid_for_ms": 86_400_000,
    }  # fmt: skip
    return encode(content_pb2.Statement(**{**fields, **changes}))


TEST = {
    "kind": content_pb2.STATEMENT_KIND_TEST, "precedence": content_pb2.PRECEDENCE_ROUTINE, "drafter": DRAFTER,
    "text": TEXTS[3], "language": LANGUAGE, "direction": content_pb2.DIRECTION_LTR, "valid_for_ms": 1_800_000,
}  # fmt: skip
SILENT = {"text": "", "language": "", "drafter": "", "body_salt": bytes(32)}
VOID = {"kind": content_pb2.STATEMENT_KIND_VOID, **SILENT}
TEST_VOID = {**TEST, **SILENT, "kind": content_pb2.STATEMENT_KIND_TEST_VOID}


def _release(**changes: Any) -> content_pb2.Release:
    fields: dict[str, Any] = {"officer": "duty-1", "role": 1, "signed_ms": NOW, "signature": bytes(64)}
    return content_pb2.Release(**{**fields, **changes})


def _statements() -> Cases:
    given = {
        "charter": CHARTER.hex(), "from": ALPHA, "to": BRAVO, "from_party": "ALPHA", "to_party": "BRAVO",
        "test_texts": list(TEXTS),
    }  # fmt: skip
    cases = Cases(
        "statement", "8.1 to 8.6, 19.8", "The content of a statement, its name, and whether it is a test.", given
    )
    for plane in ("real", "exercise"):
        cases.good(f"a text, plane {plane}", plane=plane, content=statement().hex())
        cases.good(f"a void statement, plane {plane}", plane=plane, content=statement(**VOID).hex())
    good: dict[str, dict[str, Any]] = {
        **{f"precedence {number}": {"precedence": number} for number in (1, 2, 3, 4)},
        "left to right": {"direction": content_pb2.DIRECTION_LTR, "language": "en", "text": "The exercise has ended."},
        "the first serial": {"serial": 1, "previous_in_precedence": 0},
        "the highest serial": {"serial": 2**40, "previous_in_precedence": 2**40 - 1},
        "renumbered": {"serial": 9, "first_serial": 8},
        "with a head": {"checkpoint": CHECKPOINT},
        "with a head of 1024 bytes": {"checkpoint": b"x" * 1_024},
        "the longest text": {"text": "x" * 32_768},
        "a text of one sign": {"text": "."},
        "names of 64 characters of several bytes": {"drafter": "ہ" * 64},
        "the longest language tag": {"language": "abcdefgh-abcdefgh-abcdefgh-abcdefgh"},
        "the last millisecond of the year 9999": {"composed_ms": 253_402_300_799_999, "valid_for_ms": 0},
        "hostile signs are carried as they are": {"text": "\u202eevil\u202c \x1b[31mred\x1b[0m \u0301"},
        "both spellings of one look": {"text": "\u00e9 e\u0301"},
        "no date-time group, language of three letters": {"date_time_group": "", "language": "und"},
        "a test that is withdrawn": TEST_VOID,
        "a void statement that nothing is known of": {
            **VOID, "previous_in_precedence": 0, "precedence": 1, "date_time_group": "", "composed_ms": 0,
            "direction": content_pb2.DIRECTION_LTR, "valid_for_ms": 0,
        },
        "a test with a text of its own is no test": TEST | {"text": "We shall move at dawn."},
    }  # fmt: skip
    earlier = content_pb2.Reference(serial=2, statement=seed("name of a statement"))
    good |= {
        "an answer": {"in_reply_to": content_pb2.Reference(serial=2**40, statement=bytes(32))},
        "of a term": {"term": 2**32 - 1},
        "a correction": {"kind": 5, "corrects": earlier},
        "a correction that answers": {"kind": 5, "corrects": earlier, "in_reply_to": earlier},
        "a retraction": {"kind": 6, "corrects": earlier},
        "put on record": {"kind": 11, "put_on_record": earlier},
        "put on record as an answer": {"kind": 11, "put_on_record": earlier, "in_reply_to": earlier},
    }
    one = _release()
    draft = seed("draft")[:16]
    tie = content_pb2.Translation(original=earlier, grade=1, translator="A. Writer")
    good |= {
        "a courtesy translation": {
            "kind": 7,
            "language": "ur",
            "direction": 2,
            "text": "ایک بیان۔",
            "translation": tie,
        },
        "a translation of what the other side said": {"kind": 7, "translation": _tie(grade=4, serial=2**40)},
        "a translator of 64 characters": {"kind": 7, "translation": _tie(translator="ہ" * 64)},
        "signed by one officer": {"draft": draft, "release": [one]},
        "signed by four": {"draft": draft, "release": [_release(role=role) for role in (1, 2, 3, 4)]},
        "signed by a mandate": {"draft": draft, "release": [one, _release(role=2, mandate=b"a note")]},
        "a mandate of 8192 bytes": {"draft": draft, "release": [_release(mandate=bytes(8_192))]},
        "a name of 64 characters signs": {"draft": draft, "release": [_release(officer="ہ" * 64)]},
    }
    good |= {
        "addressees": {
            "action": ["Foreign Minister", "وزیر خارجہ"],
            "info": ["x" * 64],
            "originator_reference": "12/26",
        },
        "a correction for information": {"kind": 5, "corrects": earlier, "info": ["Defence Minister"]},
        "a reference alone, of 64 characters": {"originator_reference": "ہ" * 64},
        "sixteen addressees": {"action": [f"a{i}" for i in range(9)], "info": [f"i{i}" for i in range(7)]},
    }
    good |= {f"fields: {why}": changes for why, changes in _fields_good().items()}
    for number, text in enumerate(TEXTS):
        good[f"neutral text {number}"] = TEST | {"text": text}
    for why, changes in good.items():
        cases.good(why, plane="real", content=statement(**changes).hex())
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("serial", "serial 0", {"serial": 0, "previous_in_precedence": 0}),
        ("serial", "its own predecessor", {"previous_in_precedence": 3}),
        ("serial", "a later predecessor", {"previous_in_precedence": 4}),
        ("serial", "a serial beyond SERIAL_MAX", {"serial": 2**40 + 1}),
        ("serial", "renumbered from its own serial", {"first_serial": 3}),
        ("serial", "renumbered from a later serial", {"first_serial": 4}),
        ("precedence", "no precedence", {"precedence": 0}),
        ("precedence", "an unknown precedence", {"precedence": 99}),
        ("direction", "no direction", {"direction": 0}),
        ("direction", "an unknown direction", {"direction": 99}),
        ("salt", "no salt", {"body_salt": b""}),
        ("salt", "a salt of 31 bytes", {"body_salt": bytes(31)}),
        ("salt", "a salt of 33 bytes", {"body_salt": bytes(33)}),
        ("field-length", "a drafter of 65 characters", {"drafter": "x" * 65}),
        ("field-length", "a party of 65 characters", {"from_party": "x" * 65}),
        ("field-length", "a recipient of 65 characters", {"to_party": "x" * 65}),
        ("field-length", "a date-time group of 17 characters", {"date_time_group": "x" * 17}),
        ("field-length", "composed in the year 10000", {"composed_ms": 253_402_300_800_000}),
        ("field-length", "valid beyond the calendar", {"valid_for_ms": 253_402_300_800_000}),
        ("field-length", "a head of 1025 bytes", {"checkpoint": b"x" * 1_025}),
        ("kind", "no kind", {"kind": 0}),
        ("kind", "an unknown kind", {"kind": 99}),
        ("kind", "a void statement with text", {**VOID, "text": "x"}),
        ("kind", "a void statement with a language", {**VOID, "language": "en"}),
        ("kind", "a void statement with a drafter", {**VOID, "drafter": "duty-1"}),
        ("kind", "a void statement with a salt", {**VOID, "body_salt": SALT}),
        ("kind", "a void statement that was renumbered", {**VOID, "first_serial": 2}),
        ("kind", "a test that is urgent", TEST | {"precedence": 3}),
        ("kind", "a test by an officer", TEST | {"drafter": "duty-1"}),
        ("kind", "an urgent test withdrawn", TEST_VOID | {"precedence": 2}),
        ("kind", "a withdrawn test with text", TEST_VOID | {"text": "x"}),
        ("text", "a test without text", TEST | {"text": ""}),
        ("text", "no text", {"text": ""}),
        ("text", "a text of blanks and line ends", {"text": " \t\n\u2003"}),
        ("text", "a text of 32769 bytes", {"text": "x" * 32_769}),
        ("text", "a text of 32769 bytes in 16385 signs", {"text": "é" * 16_384 + "x"}),
        ("text", "NUL", {"text": "a\0b"}),
        ("text", "no language", {"language": ""}),
        ("text", "a language with a blank", {"language": "e n"}),
        ("text", "a language part of nine letters", {"language": "abcdefghi"}),
        ("text", "a language that ends in a hyphen", {"language": "en-"}),
        ("text", "a language in other letters", {"language": "ур"}),
        ("text", "a language tag of 36 characters", {"language": "abcdefgh-abcdefgh-abcdefgh-abcdefg-a"}),
        ("party", "from another party", {"from_party": "CHARLIE"}),
        ("party", "to another party", {"to_party": "CHARLIE"}),
        ("party", "back to its sender", {"from_party": "BRAVO", "to_party": "ALPHA"}),
        ("party", "in small letters", {"from_party": "alpha"}),
        ("release", "a draft that nobody signed", {"draft": draft}),
        ("release", "signatures on no draft", {"release": [one]}),
        ("release", "a draft of 15 bytes", {"draft": draft[1:], "release": [one]}),
        ("release", "a draft of 17 bytes", {"draft": draft + b"x", "release": [one]}),
        ("release", "five signatures", {"draft": draft, "release": [one] * 5}),
        ("release", "signed by nobody", {"draft": draft, "release": [_release(officer="")]}),
        ("release", "a name of 65 characters signs", {"draft": draft, "release": [_release(officer="x" * 65)]}),
        ("release", "a mandate of 8193 bytes", {"draft": draft, "release": [_release(mandate=bytes(8_193))]}),
        ("release", "signed in no role", {"draft": draft, "release": [_release(role=0)]}),
        ("release", "signed in an unknown role", {"draft": draft, "release": [_release(role=5)]}),
        ("release", "signed in the year 10000", {"draft": draft, "release": [_release(signed_ms=253_402_300_800_000)]}),
        ("release", "a signature of 63 bytes", {"draft": draft, "release": [_release(signature=bytes(63))]}),
        ("release", "the second signature cut", {"draft": draft, "release": [one, _release(signature=b"")]}),
        ("release", "a void statement that is signed", {**VOID, "draft": draft, "release": [one]}),
        ("release", "a test that is signed", TEST | {"draft": draft, "release": [one]}),
        ("reference", "a correction of nothing", {"kind": 5}),
        ("reference", "a retraction of nothing", {"kind": 6}),
        ("reference", "a text that corrects", {"corrects": earlier}),
        ("reference", "a void statement that corrects", {**VOID, "corrects": earlier}),
        ("reference", "a void statement that answers", {**VOID, "in_reply_to": earlier}),
        ("reference", "a test that answers", TEST | {"in_reply_to": earlier}),
        ("reference", "an answer to serial 0", {"in_reply_to": _named(0)}),
        ("reference", "an answer beyond SERIAL_MAX", {"in_reply_to": _named(2**40 + 1)}),
        ("reference", "an answer to a name of 31 bytes", {"in_reply_to": _named(1, 31)}),
        ("reference", "a correction of itself", {"kind": 5, "corrects": _named(3)}),
        ("reference", "a correction of serial 0", {"kind": 5, "corrects": _named(0)}),
        ("reference", "a correction of a name of 33 bytes", {"kind": 5, "corrects": _named(1, 33)}),
        ("content-type", "without prejudice, and signed", {"kind": 10}),
        ("reference", "nothing is put on record", {"kind": 11}),
        ("reference", "a text that puts on record", {"put_on_record": earlier}),
        ("reference", "a test that puts on record", TEST | {"put_on_record": earlier}),
        ("reference", "put on record: itself", {"kind": 11, "put_on_record": _named(3)}),
        ("reference", "put on record: serial 0", {"kind": 11, "put_on_record": _named(0)}),
        ("reference", "put on record: a name of 31 bytes", {"kind": 11, "put_on_record": _named(1, 31)}),
        ("reference", "put on record: of the recipient", {"kind": 11, "put_on_record": earlier, "of_recipient": True}),
        ("reference", "of the recipient, and nothing named", {"of_recipient": True}),
        ("text", "a correction without text", {"kind": 5, "corrects": earlier, "text": ""}),
    ]
    bad += [
        (
            "addressee",
            "seventeen addressees",
            {"action": [f"a{i}" for i in range(9)], "info": [f"i{i}" for i in range(8)]},
        ),
        ("addressee", "one addressee twice", {"action": ["Foreign Minister"], "info": ["Foreign Minister"]}),
        ("addressee", "an addressee without a name", {"action": [""]}),
        ("addressee", "an addressee of 65 characters", {"info": ["x" * 65]}),
        ("addressee", "an addressee of blanks", {"action": [" "]}),
        ("addressee", "an addressee on two lines", {"action": ["Foreign\nMinister"]}),
        ("addressee", "an addressee that turns the line round", {"info": ["\u202eretsiniM"]}),
        ("addressee", "a reference of 65 characters", {"originator_reference": "x" * 65}),
        ("addressee", "a reference that ends in a blank", {"originator_reference": "12/26 "}),
        ("addressee", "a test for somebody", TEST | {"action": ["Foreign Minister"]}),
        ("addressee", "a void statement with a reference", {**VOID, "originator_reference": "12/26"}),
        ("addressee", "a translation for somebody", {"kind": 7, "translation": tie, "info": ["Foreign Minister"]}),
        ("addressee", "put on record for somebody", {"kind": 11, "put_on_record": earlier, "action": ["x"]}),
    ]
    for word, why, changes in [*bad, *_ties(tie, earlier), *_fields_bad(tie)]:
        cases.bad(word, why, plane="real", content=statement(**changes).hex())
    cases.bad("kind", "a test in an exercise", plane="exercise", content=statement(**TEST).hex())
    cases.bad("kind", "a withdrawn test in an exercise", plane="exercise", content=statement(**TEST_VOID).hex())
    _talk(cases)
    _spellings(cases, statement(), {"plane": "real"})
    return cases


def _ties(tie: content_pb2.Translation, earlier: content_pb2.Reference) -> list[tuple[str, str, dict[str, Any]]]:
    """Translations of nothing, and what is none and names an original."""
    ties: dict[str, dict[str, Any]] = {
        "no original": {"serial": 0},
        "a courtesy translation of itself": {"serial": 3},
        "an original beyond SERIAL_MAX": {"serial": 2**40 + 1, "grade": 2},
        "an original named in 31 bytes": {"size": 31},
        "no grade": {"grade": 0},
        "an unknown grade": {"grade": 5},
        "no translator": {"translator": ""},
        "a translator of 65 characters": {"translator": "x" * 65},
    }
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("translation", why, {"kind": 7, "translation": _tie(**changes)}) for why, changes in ties.items()
    ]
    return [
        *bad,
        ("translation", "a translation of nothing", {"kind": 7}),
        ("translation", "a text that names an original", {"translation": tie}),
        ("translation", "a void statement that names an original", {**VOID, "translation": tie}),
        ("translation", "a translation that answers", {"kind": 7, "translation": tie, "in_reply_to": earlier}),
        ("text", "a translation without text", {"kind": 7, "translation": tie, "text": ""}),
    ]


def _tie(
    serial: int = 2, size: int = 32, grade: Any = content_pb2.TRANSLATION_GRADE_COURTESY, translator: str = "A. Writer"
) -> content_pb2.Translation:
    return content_pb2.Translation(original=_named(serial, size), grade=grade, translator=translator)


def _fields_good() -> dict[str, dict[str, Any]]:
    phrase = content_pb2.Phrase(code="B02", book=seed("a book"))
    return {
        "one of each kind": {
            "text": "{begin} {place} {coord} {number}",
            "field": [
                _field("begin", 1, "2026-11-25T10:00Z"), _field("place", 2, "مقام"),
                _field("coord", 3, "28.6139N 077.2090E"), _field("number", 4, "17"),
            ],
        },
        "the leap day, to the second": {"field": [_field("time", 1, "2028-02-29T23:59:59Z")]},
        "the ends of the earth": {"field": [_field("a", 3, "90.0S 180.000000W"), _field("b", 3, "00.0N 000.0E")]},
        "sixteen of them": {"field": [_field(f"n{number}", 4, "0") for number in range(16)]},
        "a phrase": {"phrase": phrase, "field": [_field("number", 4, "999999999999999")]},
        "as long as text and fields may be": {"text": "x" * (32_768 - 18), "field": [_field("n", 4, "1")]},
    }  # fmt: skip


def _fields_bad(tie: content_pb2.Translation) -> list[tuple[str, str, dict[str, Any]]]:
    one = [_field("number", 4, "1")]
    values: dict[str, content_pb2.Field] = {
        "a name in capitals": _field("Time", 1, "2026-11-25T10:00Z"),
        "a name of 17 letters": _field("a" * 17, 4, "1"),
        "no kind": _field("a", 0, "1"),
        "an unknown kind": _field("a", 5, "1"),
        "a time without a zone": _field("a", 1, "2026-11-25T10:00"),
        "a time of another zone": _field("a", 1, "2026-11-25T10:00+05:30"),
        "a day that is not in the calendar": _field("a", 1, "2026-02-29T10:00Z"),
        "hour 24": _field("a", 1, "2026-11-25T24:00Z"),
        "digits of another script": _field("a", 1, "٢٠٢٦-11-25T10:00Z"),
        "no place": _field("a", 2, ""),
        "a place with a blank at its end": _field("a", 2, "Point One "),
        "a place on two lines": _field("a", 2, "Point\nOne"),
        "a place that turns round what follows": _field("a", 2, "Point \u202eenO"),
        "a place that ends an isolate": _field("a", 2, "Point\u2069One"),
        "a place of 101 characters": _field("a", 2, "x" * 101),
        "a latitude beyond the pole": _field("a", 3, "90.1N 000.0E"),
        "a longitude beyond 180": _field("a", 3, "00.0N 180.1E"),
        "zero south": _field("a", 3, "00.0S 000.0E"),
        "zero west": _field("a", 3, "00.0N 000.0W"),
        "degrees with a sign": _field("a", 3, "-28.6139 077.2090"),
        "a leading zero": _field("a", 4, "017"),
        "sixteen digits": _field("a", 4, "1" * 16),
    }
    bad: list[tuple[str, str, dict[str, Any]]] = [("field", why, {"field": [field]}) for why, field in values.items()]
    return [
        *bad,
        ("field", "a name twice", {"field": one * 2}),
        ("field", "seventeen of them", {"field": [_field(f"n{number}", 4, "0") for number in range(17)]}),
        ("field", "text and fields too long", {"text": "x" * (32_768 - 17), "field": [_field("n", 4, "1")]}),
        ("field", "a void statement with a field", {**VOID, "field": one}),
        ("field", "a test with a field", TEST | {"field": one}),
        ("field", "a translation with a field", {"kind": 7, "translation": tie, "field": one}),
        ("field", "put on record with a field", {"kind": 11, "put_on_record": tie.original, "field": one}),
        ("field", "a phrase without a code", {"phrase": content_pb2.Phrase(book=bytes(32))}),
        ("field", "a phrase in small letters", {"phrase": content_pb2.Phrase(code="b02", book=bytes(32))}),
        ("field", "a phrase of a book of 31 bytes", {"phrase": content_pb2.Phrase(code="B02", book=bytes(31))}),
        ("field", "a test with a phrase", TEST | {"phrase": content_pb2.Phrase(code="B02", book=bytes(32))}),
    ]


def _field(name: str, kind: Any, value: str) -> content_pb2.Field:
    return content_pb2.Field(name=name, kind=kind, value=value)


def _talk(cases: Cases) -> None:
    """What operators may say to operators, and what is no talk."""
    talk = {"precedence": content_pb2.PRECEDENCE_ROUTINE}
    good: dict[str, dict[str, Any]] = {
        "operators' talk": {},
        "operators' talk that answers": {"in_reply_to": _named(3)},
        "the longest talk": {"text": "x" * 1_000},
        "talk that expired": VOID,
        **CHALLENGES,
    }
    for why, changes in good.items():
        cases.good(why, plane="service", content=statement(**talk | changes).hex())
    bad: list[tuple[str, str, dict[str, Any]]] = [
        *[("precedence", f"talk of precedence {number}", {"precedence": number}) for number in (2, 3, 4)],
        ("text", "talk of 1001 bytes", {"text": "x" * 1_001}),
        ("text", "talk of 1001 bytes in 501 signs", {"text": "é" * 500 + "x"}),
        ("field", "talk with a field", {"field": [_field("number", 4, "1")]}),
        ("field", "talk that says a phrase", {"phrase": content_pb2.Phrase(code="B02", book=bytes(32))}),
        ("kind", "talk that corrects", {"kind": 5, "corrects": _named(2)}),
        ("kind", "talk that retracts", {"kind": 6, "corrects": _named(2)}),
        *_no_challenges(),
        ("kind", "a test among the talk", TEST),
        ("kind", "a withdrawn test among the talk", TEST_VOID),
    ]
    for word, why, changes in bad:
        cases.bad(word, why, plane="service", content=statement(**talk | changes).hex())
    for why, changes in CHALLENGES.items():
        cases.bad("kind", f"{why} among statements", plane="real", content=statement(**talk | changes).hex())


def _no_challenges() -> list[tuple[str, str, dict[str, Any]]]:
    """Challenges of nothing, answers to nothing, and who may not answer."""
    asks, record, officer = CHALLENGES.values()
    return [
        ("reference", "a challenge of nothing", {"kind": 13}),
        ("reference", "a challenge that names no statement", asks | {"challenge": content_pb2.Challenge(ours=True)}),
        ("reference", "a challenge of serial 0", asks | {"challenge": content_pb2.Challenge(named=_named(0))}),
        ("reference", "a challenge by 31 bytes", asks | {"challenge": content_pb2.Challenge(named=_named(1, 31))}),
        ("reference", "a challenge with a verdict", asks | {"verdict": 1}),
        ("reference", "a challenge that answers", asks | {"in_reply_to": _named(3)}),
        ("reference", "a text with a verdict", {"verdict": 1}),
        ("reference", "a text that challenges", {"challenge": asks["challenge"]}),
        ("reference", "an answer without a verdict", record | {"verdict": 0}),
        ("reference", "an answer with an unknown verdict", officer | {"verdict": 4}),
        (
            "reference",
            "an answer to no challenge",
            {"kind": 15, "verdict": 3},
        ),
        ("kind", "an officer who answers as the record", record | {"drafter": "duty-1"}),
        ("kind", "a terminal that answers as an officer", officer | {"drafter": "terminal-record"}),
        ("text", "an answer without text", officer | {"text": ""}),
    ]


def _named(serial: int, size: int = 32) -> content_pb2.Reference:
    return content_pb2.Reference(serial=serial, statement=bytes(size))


def _nonpapers() -> Cases:
    pairwise = seed("pairwise secret")
    given = {
        "charter": CHARTER.hex(), "from": ALPHA, "to": BRAVO, "from_party": "ALPHA", "to_party": "BRAVO",
        "pairwise": pairwise.hex(),
    }  # fmt: skip
    about = "A statement without prejudice: content of type 5 and what stands in the place of a signature."
    cases = Cases("non-paper", "22.2 to 22.4, 22.9", about, given)
    quiet: dict[str, Any] = {"kind": 10, "precedence": 2, "checkpoint": b""}

    def made(
        plane: Plane = Plane.REAL, secret: bytes = pairwise, ends: Ends | None = None, under: str = "", **changes: Any
    ) -> dict[str, str]:
        content = statement(**{**quiet, **changes})
        inner = authenticate(secret, plane, ends or Ends(CHARTER, ALPHA, BRAVO), content)
        return {"plane": under or plane.value, "content": content.hex(), "mac": inner.signature.hex()}

    earlier = content_pb2.Reference(serial=2, statement=seed("name of a non-paper"))
    theirs = {"put_on_record": _named(2**40), "of_recipient": True}
    for plane in (Plane.REAL, Plane.EXERCISE):
        cases.good(f"a text, plane {plane.value}", **made(plane))
    cases.bad("kind", "in operators' talk", **made(Plane.SERVICE, precedence=1))
    for why, changes in {
        **{f"precedence {number}": {"precedence": number} for number in (1, 2, 3)},
        "an answer": {"in_reply_to": earlier},
        "renumbered": {"serial": 9, "first_serial": 8},
        "its own put on record": {"put_on_record": earlier},
        "the other side's put on record": theirs,
        "the longest text": {"text": "x" * 32_768},
    }.items():
        cases.good(why, **made(**changes))
    for word, why, changes in (
        ("kind", "a FLASH", {"precedence": 4}),
        ("kind", "with a head", {"checkpoint": CHECKPOINT}),
        ("field", "with a field", {"field": [content_pb2.Field(name="n", kind=4, value="1")], "text": "{n}"}),
        ("reference", "a correction", {"corrects": earlier}),
        (
            "translation",
            "a translation",
            {"translation": content_pb2.Translation(original=earlier, grade=1, translator="x")},
        ),
        ("reference", "itself put on record", {"put_on_record": _named(3)}),
        ("reference", "nothing named of the recipient's", {"of_recipient": True}),
        ("reference", "serial 0 of the recipient", {**theirs, "put_on_record": _named(0)}),
        ("reference", "beyond SERIAL_MAX", {**theirs, "put_on_record": _named(2**40 + 1)}),
        ("content-type", "a text of record", {"kind": 1}),
        ("content-type", "a void statement", VOID),
        ("content-type", "what is put on record", {"kind": 11, "put_on_record": earlier}),
        ("text", "no text", {"text": ""}),
        ("party", "back to its sender", {"from_party": "BRAVO", "to_party": "ALPHA"}),
        ("kind", "an unknown kind", {"kind": 99}),
    ):
        cases.bad(word, why, **made(**changes))
    good = made()
    other = Ends(CHARTER, BRAVO, ALPHA)
    for why, wrong in (
        ("another pairwise secret", made(secret=seed("another pairwise secret"))),
        ("made in an exercise", made(Plane.EXERCISE, under="real")),
        ("made in earnest", made(Plane.REAL, under="exercise")),
        ("of the other direction", made(ends=other)),
        ("for another terminal", made(ends=Ends(CHARTER, ALPHA, 3))),
        ("under another charter", made(ends=Ends(seed("another charter"), ALPHA, BRAVO))),
        ("one bit of the MAC turned", {**good, "mac": flip(bytes.fromhex(good["mac"]), -1).hex()}),
        ("half of the MAC", {**good, "mac": good["mac"][:64] + "00" * 32}),
        ("no MAC", {**good, "mac": "00" * 64}),
        ("another content", {**good, "content": statement(**quiet, text="x").hex()}),
        ("signed", {**good, "mac": SIGNING["ALPHA"].sign("hotline/v1/statement/real", b"x").hex()}),
    ):
        cases.bad("signature", why, **wrong)
    return cases


CHALLENGES: dict[str, dict[str, Any]] = {
    "a challenge": {"kind": 13, "challenge": content_pb2.Challenge(ours=True, exercise=True, named=_named(3))},
    "the record's answer": {"kind": 14, "drafter": "terminal-record", "verdict": 2, "in_reply_to": _named(3)},
    "an officer's answer": {"kind": 15, "verdict": 3, "in_reply_to": _named(3)},
}


def _spellings(cases: Cases, data: bytes, asked: dict[str, Any]) -> None:
    """What any message is refused for, whatever it says."""
    for word, why, wrong in (
        ("spelling", "the first field once more", data + data[:2]),
        ("spelling", "an unknown field", data + b"\xc2\x3e\x01x"),
        ("spelling", "a first value of five bytes more", data[:1] + bytes((data[1] | 0x80, 0)) + data[2:]),
        ("unreadable", "cut", data[:-1]),
        ("unreadable", "a byte behind it", data + b"\x08"),
        ("too-long", "longer than any", data + b"\xc2\x3e" + bytes(34_816)),
    ):
        cases.bad(word, why, **asked, content=wrong.hex())


ITEM = content_pb2.ReceiptItem(serial=9, statement=seed("name of a statement"))


SHOWN: dict[str, Any] = {"stage": content_pb2.STAGE_SHOWN, "officer": "duty-1", "received_through": 0}
PROMISE: dict[str, Any] = {**SHOWN, "stage": content_pb2.STAGE_REPLY_BY, "reply_by_ms": NOW + 3_600_000}
NOTES_PROMISE: dict[str, Any] = {"stage": content_pb2.STAGE_NOTED, "noted": content_pb2.STAGE_REPLY_BY}


def receipt(**changes: Any) -> bytes:
    """A receipt of ALPHA for a statement of BRAVO."""
    fields = {"stage": content_pb2.STAGE_DELIVERED, "item": [ITEM], "time_ms": NOW, "received_through": 9}
    return encode(content_pb2.Receipt(**{**fields, **changes}))


def told(**changes: Any) -> dict[str, Any]:
    """A statement of a third party, shown to who has it otherwise."""
    fields = {"terminal": 3, "content": statement(), "signature": bytes(64)}
    return {"stage": content_pb2.STAGE_TOLD, "received_through": 0, "told": content_pb2.Told(**{**fields, **changes})}


def _receipts() -> Cases:
    cases = Cases("receipt", "9.1 to 9.6, 20.2 and 26.11", "The content of a receipt.")
    item = content_pb2.ReceiptItem
    good: dict[str, dict[str, Any]] = {
        "DELIVERED": {},
        "DELIVERED with a head": {"checkpoint": CHECKPOINT},
        "DELIVERED with a head of 1024 bytes": {"checkpoint": b"x" * 1_024},
        "READ": {"stage": content_pb2.STAGE_READ, "officer": "duty-1", "received_through": 0},
        "READ by an officer of 64 characters": {"stage": content_pb2.STAGE_READ, "officer": "ہ" * 64},
        "NOTED": {"stage": content_pb2.STAGE_NOTED, "received_through": 0},
        "SHOWN": SHOWN,
        "SHOWN to a name of 64 characters": {**SHOWN, "principal": "ہ" * 64},
        "REPLY-BY": PROMISE,
        "REPLY-BY after an answer of the highest serial": {**PROMISE, "answered": 2**40},
        "NOTED for SHOWN": {"stage": content_pb2.STAGE_NOTED, "noted": content_pb2.STAGE_SHOWN},
        "NOTED for REPLY-BY": {**NOTES_PROMISE, "reply_by_ms": NOW + 3_600_000},
        "CONFLICT": {"stage": content_pb2.STAGE_CONFLICT},
        "256 statements": {"item": [item(serial=n, statement=bytes(32)) for n in range(1, 257)]},
        "the highest serial": {"item": [item(serial=2**40, statement=bytes(32))], "received_through": 2**40},
        "one statement twice": {"item": [ITEM, ITEM]},
        "SETTLED": {"stage": content_pb2.STAGE_SETTLED, "received_through": 0},
        "SETTLED, as expired": {"stage": content_pb2.STAGE_SETTLED, "received_through": 0, "expired": True},
        "no time": {"time_ms": 0},
        "the last time": {"time_ms": TIME_MAX},
        "TOLD": told(),
    }
    for why, changes in good.items():
        cases.good(why, content=receipt(**changes).hex())
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("stage", "no stage", {"stage": 0}),
        ("stage", "an unknown stage", {"stage": 99}),
        ("stage", "DELIVERED, as expired", {"expired": True}),
        ("stage", "DELIVERED, and what a third party said", {**told(), "stage": content_pb2.STAGE_DELIVERED}),
        ("stage", "TOLD without what was said", {"stage": content_pb2.STAGE_TOLD}),
        ("items", "TOLD of two statements", {**told(), "item": [ITEM, ITEM]}),
        ("items", "TOLD of terminal 0", told(terminal=0)),
        ("items", "TOLD of terminal 65536", told(terminal=65_536)),
        ("items", "TOLD with half a signature", told(signature=bytes(32))),
        ("items", "no item", {"item": []}),
        ("items", "257 items", {"item": [ITEM] * 257}),
        ("items", "a statement of serial 0", {"item": [item(statement=bytes(32))]}),
        ("items", "a serial beyond SERIAL_MAX", {"item": [item(serial=2**40 + 1, statement=bytes(32))]}),
        ("items", "a hash of 31 bytes", {"item": [item(serial=1, statement=bytes(31))]}),
        ("items", "a second item without a hash", {"item": [ITEM, item(serial=1)]}),
        ("items", "received beyond SERIAL_MAX", {"received_through": 2**40 + 1}),
        ("officer", "READ by nobody", {"stage": content_pb2.STAGE_READ}),
        ("officer", "READ by an officer of 65 characters", {"stage": content_pb2.STAGE_READ, "officer": "x" * 65}),
        ("officer", "SHOWN by nobody", {**SHOWN, "officer": ""}),
        ("officer", "SHOWN to a name of 65 characters", {**SHOWN, "principal": "x" * 65}),
        ("officer", "REPLY-BY with a principal", {**PROMISE, "principal": "The President"}),
        ("items", "SHOWN for two statements", {**SHOWN, "item": [ITEM, ITEM]}),
        ("items", "REPLY-BY for two statements", {**PROMISE, "item": [ITEM, ITEM]}),
        ("stage", "REPLY-BY without a time", {**PROMISE, "reply_by_ms": 0}),
        ("stage", "REPLY-BY beyond the calendar", {**PROMISE, "reply_by_ms": TIME_MAX + 1}),
        ("stage", "REPLY-BY after an answer beyond SERIAL_MAX", {**PROMISE, "answered": 2**40 + 1}),
        ("stage", "SHOWN after an answer", {**SHOWN, "answered": 1}),
        ("stage", "NOTED for REPLY-BY after an answer", {**NOTES_PROMISE, "reply_by_ms": NOW + 1, "answered": 1}),
        ("stage", "SHOWN with a time", {**SHOWN, "reply_by_ms": NOW}),
        ("stage", "DELIVERED with a time", {"reply_by_ms": NOW}),
        ("stage", "NOTED for READ with its word", {**NOTES_PROMISE, "noted": content_pb2.STAGE_READ}),
        ("stage", "NOTED for REPLY-BY without its time", NOTES_PROMISE),
        ("stage", "NOTED for SHOWN with a time", {**NOTES_PROMISE, "noted": content_pb2.STAGE_SHOWN, "reply_by_ms": 1}),
        ("stage", "SHOWN that notes", {**SHOWN, "noted": content_pb2.STAGE_SHOWN}),
        ("officer", "DELIVERED by an officer", {"officer": "duty-1"}),
        ("officer", "NOTED by an officer", {"stage": content_pb2.STAGE_NOTED, "officer": "duty-1"}),
        ("field-length", "a head of 1025 bytes", {"checkpoint": b"x" * 1_025}),
        ("field-length", "a head on NOTED", {"stage": content_pb2.STAGE_NOTED, "checkpoint": CHECKPOINT}),
        ("field-length", "a head on CONFLICT", {"stage": content_pb2.STAGE_CONFLICT, "checkpoint": CHECKPOINT}),
        ("field-length", "a time beyond the calendar", {"time_ms": TIME_MAX + 1}),
        ("field-length", "SHOWN beyond the calendar", {**SHOWN, "time_ms": 2**63}),
    ]
    for word, why, changes in bad:
        cases.bad(word, why, content=receipt(**changes).hex())
    _spellings(cases, receipt(), {})
    return cases


def heartbeat(**changes: Any) -> bytes:
    """A heartbeat of ALPHA."""
    fields: dict[str, Any] = {
        "beat": 0xFFFF_FFFF, "echo": 77, "path": 1, "sent_through": 3, "received_through": 9, "time_ms": NOW,
        "prekey": 0x0102_0304, "prekey_held": int.from_bytes(NAME[:4], "big"), "log_size": 1_234,
        "presence": content_pb2.PRESENCE_ALIVE, "echo_delay_ms": 250,
    }  # fmt: skip
    return encode(content_pb2.Heartbeat(**{**fields, **changes}))


def _exchange(**changes: Any) -> content_pb2.LogExchange:
    fields: dict[str, Any] = {
        "checkpoint": CHECKPOINT, "proof": [seed("a"), seed("b")], "proof_from": 5, "claimed_proof": [seed("c")],
        "claimed_from": 3, "claimed_to": 5, "seen": CHECKPOINT, "linked": 4, "linked_epoch": 1,
        "cosignature": seed("cosignature", 72), "asked": True, "answered": True,
    }  # fmt: skip
    return content_pb2.LogExchange(**{**fields, **changes})


def _item(serial: int, name: bytes = bytes(32)) -> content_pb2.ReceiptItem:
    return content_pb2.ReceiptItem(serial=serial, statement=name)


def gossip(**changes: Any) -> content_pb2.Gossip:
    """What ALPHA holds of a third party."""
    return content_pb2.Gossip(**{"terminal": 3, "checkpoint": CHECKPOINT, "heard": [ITEM], **changes})


def _heartbeats() -> Cases:
    about = "The content of a heartbeat that came over the path of this number."
    cases = Cases("heartbeat", "10.1 to 10.4, 10.11, 13.16, 24.8, 26.10", about, {"path": 1})
    good: dict[str, dict[str, Any]] = {
        "alive": {},
        "the first of a run": {"beat": 1, "echo": 0, "echo_delay_ms": 0},
        "closing": {"presence": content_pb2.PRESENCE_CLOSING},
        "both planes": {"exercise_sent_through": 2, "exercise_received_through": 1},
        "the service plane": {"service_sent": 3, "service_received": 1, "log_size": 0, "epoch_opened": 0},
        "an epoch opened": {"epoch_opened": 0x0A0B_0C0D},
        "the highest numbers": {"sent_through": 2**40, "log_size": 2**40, "time_ms": 253_402_300_799_999},
        "with a prekey": {"announcement": signed_prekey("ALPHA", PREKEY, ALPHA)},
        "with an announcement of nothing": {"announcement": content_pb2.SignedPrekey()},
        "with a whole log exchange": {"log": _exchange()},
        "with a log exchange that only asks": {"log": content_pb2.LogExchange(asked=True)},
        "with an empty log exchange": {"log": content_pb2.LogExchange()},
        "with an empty answer": {"log": content_pb2.LogExchange(answered=True)},
        "with the longest proof": {"log": _exchange(proof=[bytes(32)] * 63)},
        "with everything": {"log": _exchange(), "announcement": BRAVO_PREKEY, "epoch_opened": 1},
        "late by a long wait": {"echo_delay_ms": 999_999},
        "with a courier key": {"courier": content_pb2.CourierKey(prekey=BRAVO_PREKEY, held=0x0E0F_1011)},
        "with a courier key that says nothing": {"courier": content_pb2.CourierKey()},
        "presence asked for": {"presence_asked": 0x1234_5678},
        "presence answered": {"presence_answered": 0x1234_5678},
        "an amended charter": {"charter_serial": 2**40, "charter": bytes(range(32)), "charter_next": bytes(32)},
        "turns": {"turn": (1 << 16) + 2, "peer_turn": (2**32 - 1 << 16) + 3},
        "with a word of who speaks": {
            "turn": (1 << 16) + 2,
            "activation": content_pb2.SignedActivation(body=b"\x08\x01\x10\x02", signature=bytes(64)),
        },
        "with a word that the recipient has not heard": {
            "peer_turn": (1 << 16) + 2,
            "peer_activation": content_pb2.SignedActivation(body=b"\x08\x01\x10\x02", signature=bytes(64)),
        },
        "a turn of the other party, and its word, between siblings": {
            "other_turn": (1 << 16) + 4,
            "other_activation": content_pb2.SignedActivation(
                body=b"\x08\x01\x10\x04\x18\x01\x20\x01", signature=bytes(64)
            ),
        },
        "of a third party": {"gossip": [gossip()]},
        "of two third parties": {"gossip": [gossip(terminal=4, checkpoint=b"", heard=[]), gossip()]},
        "of a third party, as much as there may be": {
            "gossip": [gossip(checkpoint=b"x" * 1_024, heard=[ITEM] * 8, exercise_heard=[ITEM] * 8)]
        },
        "silent for ten minutes": {"silent_ms": 600_000, "peer_turn": (1 << 16) + 2},
        "lacking": {"lacking": content_pb2.Lacking(first=3, last=66, exercise_first=1, exercise_last=1)},
        "lacking talk": {"lacking": content_pb2.Lacking(service_first=2, service_last=2)},
        "lacking nothing": {"lacking": content_pb2.Lacking()},
        **{f"presence {number}": {"presence": number} for number in (3, 4, 5, 6)},
        **{f"presence {number} until a time": {"presence": number, "presence_until_ms": NOW} for number in (3, 5, 6)},
    }
    for why, changes in good.items():
        cases.good(why, transient=True, content=heartbeat(**changes).hex())
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("beat", "beat 0", {"beat": 0}),
        ("beat", "no presence", {"presence": 0}),
        ("beat", "a turn beyond the last", {"turn": 2**48 + 1}),
        ("beat", "a turn of the peer beyond the last", {"peer_turn": 2**48 + 1}),
        ("beat", "a turn of the other party beyond the last", {"other_turn": 2**48 + 1}),
        ("beat", "a third party twice", {"gossip": [gossip(), gossip(heard=[])]}),
        ("beat", "six third parties", {"gossip": [gossip(terminal=3 + number) for number in range(6)]}),
        ("beat", "nine statements of a third party", {"gossip": [gossip(heard=[ITEM] * 9)]}),
        ("beat", "nine statements of a third party's exercise", {"gossip": [gossip(exercise_heard=[ITEM] * 9)]}),
        ("beat", "terminal 0 as a third party", {"gossip": [gossip(terminal=0)]}),
        ("beat", "terminal 65536 as a third party", {"gossip": [gossip(terminal=65_536)]}),
        ("beat", "serial 0 of a third party", {"gossip": [gossip(heard=[_item(0)])]}),
        ("beat", "a third party's serial beyond SERIAL_MAX", {"gossip": [gossip(exercise_heard=[_item(2**40 + 1)])]}),
        ("beat", "a name of 31 bytes", {"gossip": [gossip(heard=[_item(1, bytes(31))])]}),
        ("beat", "a third party's head of 1025 bytes", {"gossip": [gossip(checkpoint=b"x" * 1_025)]}),
        ("beat", "silent for longer than SERIAL_MAX", {"silent_ms": 2**40 + 1}),
        ("beat", "lacking what ends before it begins", {"lacking": content_pb2.Lacking(first=3, last=2)}),
        ("beat", "lacking beyond SERIAL_MAX", {"lacking": content_pb2.Lacking(exercise_last=2**40 + 1)}),
        ("beat", "lacking talk that ends before it begins", {"lacking": content_pb2.Lacking(service_first=1)}),
        ("beat", "an unknown presence", {"presence": 99}),
        *[
            ("beat", f"presence {number} until a time", {"presence": number, "presence_until_ms": NOW})
            for number in (1, 2, 4)
        ],
        ("beat", "until a time beyond TIME_MAX", {"presence": 3, "presence_until_ms": 253_402_300_800_000}),
        *[
            ("beat", f"{name} beyond SERIAL_MAX", {name: 2**40 + 1})
            for name in ("sent_through", "received_through", "exercise_sent_through", "exercise_received_through")
        ],
        ("beat", "a ledger beyond SERIAL_MAX", {"log_size": 2**40 + 1}),
        ("beat", "of the service plane only what was sent", {"service_sent": 1}),
        ("beat", "of the service plane only what was received", {"service_received": 1}),
        ("beat", "service serials beyond SERIAL_MAX", {"service_sent": 2**40 + 1, "service_received": 1}),
        ("beat", "a charter serial beyond SERIAL_MAX", {"charter_serial": 2**40 + 1}),
        ("beat", "a charter of 31 bytes", {"charter": bytes(31)}),
        ("beat", "a next charter of 33 bytes", {"charter_next": bytes(33)}),
        ("beat", "a time beyond TIME_MAX", {"time_ms": 253_402_300_800_000}),
        *[
            ("beat", f"an exchange with {name} beyond SERIAL_MAX", {"log": _exchange(**{name: 2**40 + 1})})
            for name in ("proof_from", "claimed_from", "claimed_to", "linked", "linked_epoch")
        ],
        ("beat", "a proof of 64 hashes", {"log": _exchange(proof=[bytes(32)] * 64)}),
        ("beat", "a claimed proof of 64 hashes", {"log": _exchange(claimed_proof=[bytes(32)] * 64)}),
        ("beat", "a hash of 31 bytes in a proof", {"log": _exchange(proof=[bytes(31)])}),
        ("beat", "a hash of 33 bytes in a claimed proof", {"log": _exchange(claimed_proof=[bytes(33)])}),
        ("beat", "a head of 1025 bytes", {"log": _exchange(checkpoint=b"x" * 1_025)}),
        ("beat", "a seen head of 1025 bytes", {"log": _exchange(seen=b"x" * 1_025)}),
        ("wrong-path", "made for another path", {"path": 2}),
        ("wrong-path", "made for no path", {"path": 0}),
    ]
    for word, why, changes in bad:
        cases.bad(word, why, transient=True, content=heartbeat(**changes).hex())
    cases.bad("durable-heartbeat", "in a durable envelope", transient=False, content=heartbeat().hex())
    data = heartbeat()
    for word, why, wrong in (
        ("spelling", "a field twice", data + b"\x18\x01"),
        ("spelling", "an echo of 0 spelled out", heartbeat(echo=0)[:5] + b"\x15" + bytes(4) + heartbeat(echo=0)[5:]),
        ("spelling", "a beat as a varint", b"\x08\x01" + data[5:]),
        ("spelling", "a truth that is 2", heartbeat(log=content_pb2.LogExchange(asked=True))[:-1] + b"\x02"),
        ("unreadable", "cut", data[:-1]),
        ("too-long", "8193 bytes", heartbeat(log=_exchange(cosignature=bytes(8_193)))),
    ):
        cases.bad(word, why, transient=True, content=wrong.hex())
    return cases
