"""What ties a translation to its original: signed, linked, and spelt in records (docs/protocol.md section 21)."""

from __future__ import annotations

from typing import Final

from hotline.errors import Malformed
from hotline.limits import SERIAL_MAX, TEXT_BYTES_MAX
from hotline.machine import Plane, Put
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2

TRANSLATOR_MAX: Final = 64
GRADES: Final = tuple(value for value in content_pb2.TranslationGrade.values() if value)
_COURTESY: Final = content_pb2.TRANSLATION_GRADE_COURTESY


def grade_word(grade: content_pb2.TranslationGrade.ValueType) -> str:
    """courtesy, sight, rough or official, as records and schemas spell it; nothing for none."""
    return content_pb2.TranslationGrade.Name(grade).removeprefix("TRANSLATION_GRADE_").lower() if grade else ""


def original_is_senders(grade: content_pb2.TranslationGrade.ValueType) -> bool:
    """Whether a statement that carries a translation of this grade names one of its own sender's."""
    return grade == _COURTESY


def check_translation(statement: content_pb2.Statement) -> None:
    """Raises Malformed unless a translation, and nothing else, names one original, a grade and a translator."""
    has, is_one = statement.HasField("translation"), statement.kind == content_pb2.STATEMENT_KIND_TRANSLATION
    if has != is_one:
        raise Malformed("translation", "a translation names its original, and nothing else does")
    if not has:
        return
    made = statement.translation
    if made.grade not in GRADES:
        raise Malformed("translation", f"grade {made.grade}")
    if not 1 <= len(made.translator) <= TRANSLATOR_MAX:
        raise Malformed("translation", "a translator's name")
    highest = statement.serial - 1 if original_is_senders(made.grade) else SERIAL_MAX
    if not 1 <= made.original.serial <= highest or len(made.original.statement) != 32:
        raise Malformed("translation", "no statement that it could translate")
    if statement.HasField("in_reply_to"):
        raise Malformed("translation", "one that answers")


def translated(made: content_pb2.Translation, language: str, carrier: str) -> dict[str, str | int]:
    """What is told to those who watch of a translation that was handed in here; `carrier`: sent, or kept here."""
    way = "sent" if original_is_senders(made.grade) else "received"
    word = grade_word(made.grade)
    return {"serial": made.original.serial, "way": way, "grade": word, "lang": language, "carrier": carrier}


def decode_local(content: bytes) -> content_pb2.LocalTranslation:
    """A translation that was kept at this terminal. Raises Malformed."""
    return decode(content_pb2.LocalTranslation, content, 2 * TEXT_BYTES_MAX)


def link(plane: Plane, statement: content_pb2.Statement, carrier: str) -> Put:
    """The row by which a translation is found from its original; `carrier` says whether we sent or received it."""
    own = original_is_senders(statement.translation.grade) == (carrier == "sent")
    original = statement.translation.original
    return link_row(plane, "sent" if own else "received", original, carrier, statement.serial)


def link_row(plane: Plane, way: str, original: content_pb2.Reference, carrier: str, number: int) -> Put:
    """The same for an original of this `way`, sent or received."""
    row: dict[str, str | int | bytes | None] = {
        "plane": plane.value,
        "way": way,
        "serial": original.serial,
        "carrier": carrier,
        "number": number,
        "original": original.statement,
    }
    return Put("translated", row)
