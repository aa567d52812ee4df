"""Two statements that one terminal signed under one serial, as evidence for whoever has the charter (26.14)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from hotline.charter.parts import Charter
from hotline.errors import ConfigError, Malformed
from hotline.machine import Plane
from hotline.protocol.neutral import VOIDS, kind_of
from hotline.protocol.statements import EVERYONE, Ends, read_statement, statement_name, verify_content
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2

_SCHEMA: Final = "hotline.two-words/1"


@dataclass(frozen=True, slots=True)
class TwoWords:
    """What is laid before somebody: two statements of a terminal with their signatures, on one plane."""

    terminal: int
    plane: Plane
    signed: tuple[tuple[bytes, bytes], tuple[bytes, bytes]]
    """Content and signature of each."""


def spell(words: TwoWords) -> bytes:
    """As a file."""
    texts = [[base64.b64encode(part).decode() for part in pair] for pair in words.signed]
    made = {"schema": _SCHEMA, "terminal": words.terminal, "plane": words.plane.value, "signed": texts}
    return (json.dumps(made, indent=1, sort_keys=True) + "\n").encode()


def parse(data: bytes) -> TwoWords:
    """Undo `spell`. Raises Malformed."""
    try:
        made = json.loads(data)
        one, other = [tuple(base64.b64decode(part, validate=True) for part in pair) for pair in made["signed"]]
        words = TwoWords(int(made["terminal"]), Plane(made["plane"]), ((one[0], one[1]), (other[0], other[1])))
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise Malformed("unreadable", "not a file of two signed statements") from error
    if spell(words) != data:
        raise Malformed("spelling", "not in its one spelling")
    return words


def judge(words: TwoWords, charter: Charter) -> tuple[content_pb2.Statement, content_pb2.Statement] | None:
    """Both statements if they convict whoever signed them, None if both can be true.

    Raises RemoteError if either does not hold by the charter's key: then they convict nobody.
    """
    try:
        signer = charter.terminal_number(words.terminal)
    except ConfigError as error:
        raise Malformed("address", str(error)) from error
    if words.plane is Plane.SERVICE:
        raise Malformed("kind", "operators' talk, of which nobody is told after a loss of state (26.15)")
    ends = Ends(charter.founding, signer.number, 0)
    found, names = [], set()
    for content, signature in words.signed:
        verify_content(signer.signing, Inner(ContentType.STATEMENT, content, signature), words.plane, ends)
        statement = read_statement(content, words.plane, signer.party, EVERYONE)
        found.append(statement)
        names.add(statement_name(words.plane, ends, statement, content))
    one, other = found
    empty = any(kind_of(statement) in VOIDS for statement in found)
    return None if len(names) == 1 or empty or one.serial != other.serial else (one, other)
