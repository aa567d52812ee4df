"""Typed fields of a statement: times, places, coordinates and numbers that read alike in every script, and the code of
a phrase (docs/protocol.md 21.7 to 21.9). Each value has one spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from hotline.civil import unix_ms
from hotline.errors import Malformed, TextError
from hotline.limits import FIELDS_MAX, PLACE_MAX, TEXT_BYTES_MAX
from hotline.protocol.neutral import CORRECTING
from hotline.wire.v1 import content_pb2

TIME, PLACE, COORDINATE, NUMBER = (
    content_pb2.FIELD_KIND_TIME,
    content_pb2.FIELD_KIND_PLACE,
    content_pb2.FIELD_KIND_COORDINATE,
    content_pb2.FIELD_KIND_NUMBER,
)
KINDS: Final = {"time": TIME, "place": PLACE, "coord": COORDINATE, "number": NUMBER}
"""Kinds of fields as officers and schemas spell them."""
FIELD_COST: Final = 16
"""What a field counts beside its name and value towards the bytes of a text."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,15}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z][A-Z0-9-]{0,15}", re.ASCII)
_TIME: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2}))?Z", re.ASCII)
_COORDINATE: Final = re.compile(r"(\d{2})\.(\d{1,6})([NS]) (\d{3})\.(\d{1,6})([EW])", re.ASCII)
_NUMBER: Final = re.compile(r"0|[1-9]\d{0,14}", re.ASCII)
CONTROLS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What could act on a screen or change the order of what stands beside it."""


class Typed(NamedTuple):
    """One field as an officer hands it in."""

    name: str
    kind: content_pb2.FieldKind.ValueType
    value: str


def field_word(kind: content_pb2.FieldKind.ValueType) -> str:
    """time, place, coord or number."""
    return next(word for word, one in KINDS.items() if one == kind)


def fault(field: content_pb2.Field | Typed) -> str:
    """Why a field is none, in words that say how to write it; nothing if it is one."""
    if not _NAME.fullmatch(field.name):
        return "a field's name has 1 to 16 small letters, digits and hyphens, and begins with a letter"
    match field.kind:
        case content_pb2.FIELD_KIND_TIME:
            return "" if _is_time(field.value) else "a time is written 2026-11-25T10:00Z, in UTC"
        case content_pb2.FIELD_KIND_PLACE:
            named = field.value == field.value.strip() and 1 <= len(field.value) <= PLACE_MAX
            good = named and not CONTROLS.search(field.value)
            return "" if good else f"a place is named in 1 to {PLACE_MAX} characters on one line, without control signs"
        case content_pb2.FIELD_KIND_COORDINATE:
            return "" if _is_coordinate(field.value) else "a coordinate is written 28.6139N 077.2090E"
        case content_pb2.FIELD_KIND_NUMBER:
            return "" if _NUMBER.fullmatch(field.value) else "a number has at most 15 digits and no leading zero"
        case _:
            return "a field is a time, a place, a coord or a number"


def _is_time(text: str) -> bool:
    match = _TIME.fullmatch(text)
    return match is not None and unix_ms(*(int(part or 0) for part in match.groups())) is not None


def _is_coordinate(text: str) -> bool:
    match = _COORDINATE.fullmatch(text)
    if match is None:
        return False
    north, east = match[1] + match[2].ljust(6, "0"), match[4] + match[5].ljust(6, "0")
    # Zero is neither south nor west: it would have two spellings.
    signed = (int(north) or match[3] == "N") and (int(east) or match[6] == "E")
    return bool(signed) and int(north) <= 90_000_000 and int(east) <= 180_000_000


def coordinate(latitude: str, longitude: str) -> str | None:
    """The one spelling of signed decimal degrees: `28.6139`, `-77.209` gives `28.6139N 077.2090W`; None for none."""
    parts = []
    for text, letters, digits in ((latitude, "NS", 2), (longitude, "EW", 3)):
        match = re.fullmatch(r"([+-]?)(\d{1,3})(?:\.(\d{1,6}))?", text, re.ASCII)
        if match is None:
            return None
        fraction = match[3] or "0"
        minus = match[1] == "-" and int(match[2] + fraction) != 0
        parts.append((f"{int(match[2]):0{digits}d}", fraction, letters[minus]))
    width = max(len(fraction) for _, fraction, _ in parts)
    made = " ".join(f"{whole}.{fraction.ljust(width, '0')}{letter}" for whole, fraction, letter in parts)
    return made if _is_coordinate(made) else None


def canonical(kind: content_pb2.FieldKind.ValueType, value: str) -> str:
    """The one spelling of a value: a coordinate may be given as signed decimal degrees."""
    if kind == COORDINATE and value.count(",") == 1:
        latitude, longitude = (part.strip() for part in value.split(","))
        return coordinate(latitude, longitude) or value
    return value


def check_fields(statement: content_pb2.Statement) -> None:
    """Raises Malformed unless the fields and the phrase of a statement are lawful, and it is one that may have any."""
    if not (statement.field or statement.HasField("phrase")):
        return
    if statement.kind not in (content_pb2.STATEMENT_KIND_TEXT, *CORRECTING):
        raise Malformed("field", "fields of what says nothing of its own")
    if any(fault(field) for field in statement.field) or _too_many(statement.text, statement.field):
        raise Malformed("field", "one that is none, a name twice, or too many")
    phrase = statement.phrase
    if statement.HasField("phrase") and (not _CODE.fullmatch(phrase.code) or len(phrase.book) != 32):
        raise Malformed("field", "a phrase without a code or a book")


def _too_many(text: str, fields: Iterable[content_pb2.Field | Typed]) -> str:
    """Why these fields together cannot go with this text; nothing if they can."""
    found = list(fields)
    if not found:
        return ""
    if len({field.name for field in found}) < len(found):
        return "two fields have one name"
    if len(found) > FIELDS_MAX:
        return f"there are {len(found)} fields, the limit is {FIELDS_MAX}"
    size = len(text.encode()) + sum(len((field.name + field.value).encode()) + FIELD_COST for field in found)
    return f"text and fields have {size} bytes, the limit is {TEXT_BYTES_MAX}" if size > TEXT_BYTES_MAX else ""


def add_fields(statement: content_pb2.Statement, phrase: str, book: bytes, fields: Iterable[Typed]) -> None:
    """Write what an officer handed in into `statement`. Raises TextError if it is not lawful."""
    given = list(fields)
    why = next((f"{field.name}: {fault(field)}" for field in given if fault(field)), "") or _too_many(
        statement.text, given
    )
    if phrase and not (_CODE.fullmatch(phrase) and len(book) == 32):
        why = "a phrase has a code of a book"
    if why:
        raise TextError(f"{why}: nothing was queued")
    statement.field.extend(content_pb2.Field(name=one.name, kind=one.kind, value=one.value) for one in given)
    if phrase:
        statement.phrase.CopyFrom(content_pb2.Phrase(code=phrase, book=book))
