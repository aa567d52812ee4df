"""Drafts in words for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from hotline.civil import iso_utc
from hotline.cli.fieldview import print_text
from hotline.cli.output import (
    TranslationOf,
    direction_word,
    line,
    precedence_word,
    print_addressees,
    print_original,
    release_json,
    signed_words,
    the_other_side,
    to_whom,
)
from hotline.cli.phraseview import phrase_json
from hotline.limits import OPERATOR_REQUEST_BYTES_MAX
from hotline.machine import Plane
from hotline.protocol.language import grade_word
from hotline.protocol.neutral import kind_word
from hotline.safetext import safe_line
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2, operator_pb2


def statement_of(view: operator_pb2.DraftView) -> content_pb2.Statement:
    """What would be said, with its signatures."""
    return decode(content_pb2.Statement, view.draft.content, OPERATOR_REQUEST_BYTES_MAX)


def plane_of(view: operator_pb2.DraftView) -> Plane:
    """Where it would be said."""
    return Plane.EXERCISE if view.draft.exercise else Plane.REAL


def draft_json(view: operator_pb2.DraftView) -> dict[str, Any]:
    """Schema hotline.draft/1."""
    statement, one = statement_of(view), view.draft
    return {
        "schema": "hotline.draft/1",
        "number": one.number,
        "plane": plane_of(view).value,
        "state": one.state,
        "precedence": precedence_word(statement.precedence).lower(),
        "kind": kind_word(statement.kind),
        "lang": statement.language,
        "dir": direction_word(statement.direction),
        "drafter": statement.drafter,
        "in_reply_to": statement.in_reply_to.serial or None,
        "corrects": statement.corrects.serial or None,
        "translates": statement.translation.original.serial or None,
        "grade": grade_word(statement.translation.grade) or None,
        "translator": statement.translation.translator or None,
        **phrase_json(statement),
        "releases": [release_json(release) for release in statement.release],
        "missing": view.missing.split(),
        "action": list(statement.action),
        "info": list(statement.info),
        "reference": statement.originator_reference or None,
        "by": one.by,
        "at": iso_utc(one.at_ms),
        "reason": one.reason or None,
        "serial": one.serial or None,
        "text": statement.text or None,
    }


def print_draft(view: operator_pb2.DraftView) -> None:
    """A draft as it is read before it is signed: everything that a signature is for, the text last."""
    statement, one = statement_of(view), view.draft
    banner = "EXERCISE EXERCISE EXERCISE  " if one.exercise else ""
    ends = f"from {safe_line(statement.from_party)} to {to_whom(statement.to_party)}"
    line(f"{banner}DRAFT {one.number} {precedence_word(statement.precedence)} {ends}: {state_of(view)}")
    if statement.HasField("corrects"):
        what = "RETRACTS" if statement.kind == content_pb2.STATEMENT_KIND_RETRACTION else "CORRECTS"
        line(f"*** {what} #{statement.corrects.serial:04d} ***")
    if statement.HasField("in_reply_to"):
        whose = the_other_side(statement.to_party, "", sent=True)
        line(f"  in reply to      #{statement.in_reply_to.serial:04d} from {whose}")
    print_addressees(statement)
    line(f"  language         {safe_line(statement.language)}, written {direction_word(statement.direction)}")
    line(f"  drafter          {safe_line(statement.drafter)}")
    line(f"  valid for        {statement.valid_for_ms / 3_600_000:g} h")
    for release in statement.release:
        line(f"  signed by        {signed_words(release)}")
    if statement.HasField("phrase"):
        line(f"  phrase           {safe_line(statement.phrase.code)}")
    if statement.HasField("translation"):
        made = statement.translation
        line(f"  original         statement {made.original.statement.hex()[:16]}")
        print_original(TranslationOf(view.original, made.grade, made.translator, statement.language))
    line()
    print_text(statement.text, statement.field or view.original.field)


def state_of(view: operator_pb2.DraftView) -> str:
    """What a draft waits for, or what became of it, in words."""
    one = view.draft
    match one.state:
        case "released":
            return f"RELEASED as #{one.serial:04d} by {safe_line(one.by)}"
        case "rejected":
            return f"REJECTED by {safe_line(one.by)}: {safe_line(one.reason)}"
    return f"to be signed by {view.missing.replace(' ', ' and ')}" if view.missing else "ready to be released"
