"""Making and reading signed content (docs/protocol.md sections 8 and 9).

A signature covers the exact content bytes, a label that names their type and plane, the charter and the ends. The
hash of a statement, its name in receipts and records, covers the same and never a signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from hotline.crypto.signing import SigningKey, pae, verify
from hotline.errors import Malformed, TextError
from hotline.ledger.tree import HASH_SIZE
from hotline.limits import (
    PADDING_CLASSES,
    RECEIPT_ITEMS_MAX,
    SERIAL_MAX,
    SERVICE_TEXT_BYTES_MAX,
    TEXT_BYTES_MAX,
    TIME_MAX,
)
from hotline.machine import Plane
from hotline.protocol.addressees import check_addressees
from hotline.protocol.asking import check_challenge
from hotline.protocol.fields import check_fields
from hotline.protocol.language import check_translation
from hotline.protocol.neutral import (
    ANSWERS,
    CHALLENGES,
    CORRECTING,
    DRAFTER,
    NON_PAPER,
    SPOKEN,
    TALK,
    UNATTENDED,
    VOIDS,
)
from hotline.protocol.receipts import WORDS
from hotline.protocol.release import check_form
from hotline.protocol.thirds import check_gossip, check_told
from hotline.wire.codec import decode
from hotline.wire.inner import INNER_OVERHEAD, ContentType, Inner
from hotline.wire.v1 import content_pb2

_CONTENT_MAX: Final = PADDING_CLASSES[-1]
_LANGUAGE_MAX: Final = 35  # the longest tag that RFC 5646 section 4.4.1 asks implementations to hold
NAME_MAX: Final = 64
_NON_PAPER_FIELDS: Final = frozenset({*range(1, 15), 16, 17, 33, 34})
"""What a statement without prejudice may hold; nothing in it is anybody's signature (22.4)."""
PROOF_HASHES_MAX: Final = 63
_HEARTBEAT_MAX: Final = 8_192
CHECKPOINT_MAX: Final = 1_024
"""Longer than any honest one, and short enough that two fit into a ledger entry as evidence."""
_FILLED_IN: Final = CHECKPOINT_MAX + 320
"""What a terminal adds to what an officer says: its head, party names, salt, numbers and times, at their longest."""
SAYABLE_MAX: Final = PADDING_CLASSES[-1] - INNER_OVERHEAD
"""Content that the largest envelope holds."""
_SAID_MAX: Final = SAYABLE_MAX - _FILLED_IN
_SPANS_PER_LINE: Final = 70  # of at most 27 characters each: with the other fields within LEAF_BYTES_MAX

PRECEDENCES: Final = tuple(value for value in content_pb2.Precedence.values() if value)
"""Lowest first."""
_STAGES: Final = frozenset(value for value in content_pb2.Stage.values() if value)
_PRESENCES: Final = frozenset(value for value in content_pb2.Presence.values() if value)


@dataclass(frozen=True, slots=True)
class Ends:
    """Who signs and who is addressed, as terminal numbers of one charter."""

    charter: bytes
    sender: int
    recipient: int

    def parts(self, kind: ContentType) -> tuple[bytes, ...]:
        """What is signed beside the content. A statement is signed once for every terminal of the recipient."""
        sender = self.sender.to_bytes(2, "big")
        if kind is ContentType.STATEMENT:
            return (self.charter, sender)
        return (self.charter, sender, self.recipient.to_bytes(2, "big"))


@cache
def label(kind: ContentType, plane: Plane) -> str:
    """The signature label of a content type on a plane."""
    return f"hotline/v1/{kind.name.lower().replace('_', '-')}/{plane.value}"


def sign_content(key: SigningKey, kind: ContentType, plane: Plane, ends: Ends, content: bytes) -> Inner:
    """`content` with our signature."""
    return Inner(kind, content, key.sign(label(kind, plane), *ends.parts(kind), content))


def verify_content(public: bytes, inner: Inner, plane: Plane, ends: Ends) -> None:
    """Raises Untrusted unless the peer's terminal signed exactly this."""
    verify(public, inner.signature, label(inner.type, plane), *ends.parts(inner.type), inner.content)


def statement_hash(plane: Plane, ends: Ends, content: bytes) -> bytes:
    """The name of a statement: 32 bytes."""
    kind = ContentType.STATEMENT
    return hashlib.sha256(pae(label(kind, plane), *ends.parts(kind), content)).digest()


def statement_name(plane: Plane, ends: Ends, statement: content_pb2.Statement, content: bytes) -> bytes:
    """What receipts call it: 32 bytes. Of a non-paper its salt: no hash of it may be signed (22.3)."""
    return statement.body_salt if statement.kind == NON_PAPER else statement_hash(plane, ends, content)


def check_text(text: str, limit: int = TEXT_BYTES_MAX) -> None:
    """Raises TextError unless `text` can be said: not empty, not longer than `limit` UTF-8 bytes, encodable, no NUL."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise TextError("the text is not valid Unicode (a lone surrogate): nothing was queued") from error
    if not text.strip():
        raise TextError("the text is empty: nothing was queued")
    if "\0" in text:
        raise TextError("the text contains a NUL character: nothing was queued")
    if size > limit:
        raise TextError(f"the text has {size} bytes, the limit is {limit}: nothing was queued; send it in parts")


def check_size(statement: content_pb2.Statement) -> None:
    """Raises TextError unless an envelope holds what an officer says, with its fields and signatures (8.12)."""
    size = statement.ByteSize()
    if size > _SAID_MAX:
        raise TextError(
            f"with its fields and signatures the statement has {size} bytes, the limit is {_SAID_MAX}: "
            "nothing was queued or signed; send it in parts"
        )


def fits_renumbered(statement: content_pb2.Statement) -> bool:
    """Whether an envelope holds it under any serial, with the longest head (12.6): all that keeps to 8.12 does."""
    longest = content_pb2.Statement()
    longest.CopyFrom(statement)
    longest.serial = SERIAL_MAX
    longest.previous_in_precedence = longest.first_serial = SERIAL_MAX - 1
    longest.checkpoint = bytes(CHECKPOINT_MAX)
    return longest.ByteSize() <= SAYABLE_MAX


def check_language(language: str) -> None:
    """Raises TextError unless `language` looks like a language tag (letters, digits, hyphens)."""
    parts = language.split("-")
    if len(language) > _LANGUAGE_MAX or not all(part.isascii() and part.isalnum() and len(part) <= 8 for part in parts):
        raise TextError(f"not a language tag: {language[:_LANGUAGE_MAX]!r}; use one like en, ur or hi")


def decode_statement(content: bytes) -> content_pb2.Statement:
    """Parse and check every field of a statement. Raises Malformed."""
    statement = decode(content_pb2.Statement, content, _CONTENT_MAX)
    if not statement.serial or statement.previous_in_precedence >= statement.serial:
        raise Malformed("serial", f"{statement.serial} after {statement.previous_in_precedence}")
    if statement.serial > SERIAL_MAX:
        raise Malformed("serial", "beyond every ledger")
    if statement.first_serial and statement.first_serial >= statement.serial:
        raise Malformed("serial", f"{statement.serial} renumbered from {statement.first_serial}")
    if statement.precedence not in PRECEDENCES:
        raise Malformed("precedence", str(statement.precedence))
    if statement.direction not in (content_pb2.DIRECTION_LTR, content_pb2.DIRECTION_RTL):
        raise Malformed("direction", str(statement.direction))
    if len(statement.body_salt) != 32:
        raise Malformed("salt", f"{len(statement.body_salt)} bytes")
    if len(statement.date_time_group) > 16 or any(
        len(name) > NAME_MAX for name in (statement.from_party, statement.to_party, statement.drafter)
    ):
        raise Malformed("field-length", "a name or date-time group")
    if statement.composed_ms > TIME_MAX or statement.valid_for_ms > TIME_MAX:
        raise Malformed("field-length", "a time beyond the calendar")
    if len(statement.checkpoint) > CHECKPOINT_MAX:
        raise Malformed("field-length", "a checkpoint")
    check_form(statement)
    _check_references(statement)
    check_translation(statement)
    check_fields(statement)
    check_addressees(statement)
    check_challenge(statement)
    _check_kind(statement)
    return statement


EVERYONE: Final = "*"
"""To whom a statement is said where the charter has several parties: to all the others. No party has this name."""
_NOT_TO_ALL: Final = (*CHALLENGES, content_pb2.STATEMENT_KIND_PUT_ON_RECORD)


def read_statement(
    content: bytes, plane: Plane, sender: str, recipient: str, kind: ContentType = ContentType.STATEMENT
) -> content_pb2.Statement:
    """A statement as it may arrive from the party `sender` at `recipient` on `plane`, as `kind`. Raises Malformed."""
    statement = decode_statement(content)
    if (statement.kind == NON_PAPER) != (kind is ContentType.WITHOUT_PREJUDICE):
        raise Malformed("content-type", "what is said without prejudice is never signed, and nothing else goes so")
    if (statement.from_party, statement.to_party) != (sender, recipient):
        raise Malformed("party", "the statement names other parties than the channel")
    if recipient == EVERYONE and statement.kind in _NOT_TO_ALL:
        raise Malformed("kind", "what nobody says among several parties")
    if plane is Plane.EXERCISE and statement.kind in UNATTENDED:
        raise Malformed("kind", "a channel test in an exercise")
    if plane is Plane.SERVICE:
        _check_talk(statement)
    elif statement.kind in CHALLENGES:
        raise Malformed("kind", "a challenge among statements")
    return statement


def _check_talk(statement: content_pb2.Statement) -> None:
    """What operators say has neither the weight nor the length of a statement."""
    if statement.precedence != content_pb2.PRECEDENCE_ROUTINE:
        raise Malformed("precedence", "operators' talk with a precedence")
    if statement.kind not in TALK:
        raise Malformed("kind", f"{statement.kind} is nothing that operators say")
    if statement.field or statement.HasField("phrase"):
        raise Malformed("field", "fields among operators' talk")
    if statement.action or statement.info or statement.originator_reference:
        raise Malformed("addressee", "addressees of operators' talk")
    if len(statement.text.encode()) > SERVICE_TEXT_BYTES_MAX:
        raise Malformed("text", "longer than operators' talk")


def _check_references(statement: content_pb2.Statement) -> None:
    answers, corrects = statement.HasField("in_reply_to"), statement.HasField("corrects")
    if answers and not _names(statement.in_reply_to, SERIAL_MAX):
        raise Malformed("reference", "an answer to nothing")
    if corrects and not _names(statement.corrects, statement.serial - 1):
        raise Malformed("reference", "a correction of nothing that was said before")
    if corrects != (statement.kind in CORRECTING):
        raise Malformed("reference", "what corrects names what it corrects, and nothing else does")
    if answers and statement.kind not in (*SPOKEN, *ANSWERS, NON_PAPER):
        raise Malformed("reference", "an answer that nobody gave")
    _check_record(statement)


def _check_record(statement: content_pb2.Statement) -> None:
    """What puts something on record, or asks for it (22.9)."""
    named, kind = statement.HasField("put_on_record"), statement.kind
    if named and kind not in (NON_PAPER, content_pb2.STATEMENT_KIND_PUT_ON_RECORD):
        raise Malformed("reference", "what may put nothing on record")
    if not named and kind == content_pb2.STATEMENT_KIND_PUT_ON_RECORD:
        raise Malformed("reference", "nothing is put on record")
    if statement.of_recipient and not (named and kind == NON_PAPER):
        raise Malformed("reference", "nothing of the recipient's is named")
    highest = SERIAL_MAX if statement.of_recipient else statement.serial - 1
    if named and not _names(statement.put_on_record, highest):
        raise Malformed("reference", "what was not said before")


def _names(reference: content_pb2.Reference, highest: int) -> bool:
    return 1 <= reference.serial <= highest and len(reference.statement) == 32


def _check_kind(statement: content_pb2.Statement) -> None:
    if statement.kind in UNATTENDED and statement.precedence != content_pb2.PRECEDENCE_ROUTINE:
        raise Malformed("kind", "a channel test with a precedence")
    if statement.kind in VOIDS:
        words = statement.text or statement.language or statement.drafter
        if words or any(statement.body_salt) or statement.first_serial:
            raise Malformed("kind", "a void statement that says something")
        return
    if statement.kind == NON_PAPER:
        if statement.precedence == content_pb2.PRECEDENCE_FLASH:
            raise Malformed("kind", "a FLASH without prejudice")
        if not {field.number for field, _ in statement.ListFields()} <= _NON_PAPER_FIELDS:
            raise Malformed("kind", "a field that nothing without prejudice has")
    elif statement.kind == content_pb2.STATEMENT_KIND_TEST:
        if statement.drafter != DRAFTER:
            raise Malformed("kind", "a channel test with a drafter of its own")
    elif statement.kind not in (*SPOKEN, *CHALLENGES):
        raise Malformed("kind", str(statement.kind))
    try:
        check_text(statement.text)
        check_language(statement.language)
    except TextError as error:
        raise Malformed("text", str(error)) from error


def decode_receipt(content: bytes) -> content_pb2.Receipt:
    """Parse and check a receipt. Raises Malformed."""
    receipt = decode(content_pb2.Receipt, content, _CONTENT_MAX)
    if receipt.stage not in _STAGES:
        raise Malformed("stage", str(receipt.stage))
    most = 1 if receipt.stage in (*_RUNGS, content_pb2.STAGE_TOLD) else RECEIPT_ITEMS_MAX
    if not 1 <= len(receipt.item) <= most or receipt.received_through > SERIAL_MAX:
        raise Malformed("items", f"{len(receipt.item)}")
    if any(len(item.statement) != 32 or not 1 <= item.serial <= SERIAL_MAX for item in receipt.item):
        raise Malformed("items", "one that names no statement")
    if len(receipt.checkpoint) > (CHECKPOINT_MAX if receipt.stage == content_pb2.STAGE_DELIVERED else 0):
        raise Malformed("field-length", "a checkpoint")
    if receipt.time_ms > TIME_MAX:
        raise Malformed("field-length", "a time beyond the calendar")
    if len(receipt.officer) > NAME_MAX or (receipt.stage in WORDS) != bool(receipt.officer):
        raise Malformed("officer", "what an officer says names one, no other receipt does")
    _check_ladder(receipt)
    if receipt.expired and receipt.stage != content_pb2.STAGE_SETTLED:
        raise Malformed("stage", "what expired is told between siblings")
    check_told(receipt)
    return receipt


_RUNGS: Final = (content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY)


def _check_ladder(receipt: content_pb2.Receipt) -> None:
    """What only the rungs above READ have (20.2)."""
    if len(receipt.principal) > (NAME_MAX if receipt.stage == content_pb2.STAGE_SHOWN else 0):
        raise Malformed("officer", "a principal")
    noted = receipt.noted if receipt.stage == content_pb2.STAGE_NOTED else receipt.stage
    if receipt.noted and (receipt.stage != content_pb2.STAGE_NOTED or noted not in _RUNGS):
        raise Malformed("stage", "notes what is not noted so")
    promises = noted == content_pb2.STAGE_REPLY_BY
    if promises != bool(receipt.reply_by_ms) or receipt.reply_by_ms > TIME_MAX:
        raise Malformed("stage", "a promise without a time, or a time without a promise")
    if receipt.answered > (SERIAL_MAX if receipt.stage == content_pb2.STAGE_REPLY_BY else 0):
        raise Malformed("stage", "a serial that no answer has, or an answer before what is no promise")


PRESENCE_WITH_TIME: Final = frozenset(
    {content_pb2.PRESENCE_CONSULTING, content_pb2.PRESENCE_PRINCIPAL_ABSENT, content_pb2.PRESENCE_DEGRADED}
)
"""What may say until when it holds."""


def decode_heartbeat(content: bytes) -> content_pb2.Heartbeat:
    """Parse and check a heartbeat; what it says of paths and keys is checked by who knows them. Raises Malformed."""
    heartbeat = decode(content_pb2.Heartbeat, content, _HEARTBEAT_MAX)
    serials = (
        heartbeat.sent_through,
        heartbeat.received_through,
        heartbeat.exercise_sent_through,
        heartbeat.exercise_received_through,
        heartbeat.log_size,
        heartbeat.service_sent,
        heartbeat.service_received,
        heartbeat.silent_ms,
    )
    if bool(heartbeat.service_sent) != bool(heartbeat.service_received):
        raise Malformed("beat", "half a word of the SERVICE plane")
    if not heartbeat.beat or max(serials) > SERIAL_MAX or heartbeat.time_ms > TIME_MAX:
        raise Malformed("beat", "a number that is none")
    if heartbeat.presence not in _PRESENCES:
        raise Malformed("beat", f"presence {heartbeat.presence}")
    if heartbeat.presence_until_ms > (TIME_MAX if heartbeat.presence in PRESENCE_WITH_TIME else 0):
        raise Malformed("beat", "an end of what has none")
    if heartbeat.charter_serial > SERIAL_MAX or {len(heartbeat.charter), len(heartbeat.charter_next)} - {0, HASH_SIZE}:
        raise Malformed("beat", "a charter that is none")
    lacking = heartbeat.lacking
    stretches = (
        (lacking.first, lacking.last),
        (lacking.exercise_first, lacking.exercise_last),
        (lacking.service_first, lacking.service_last),
    )
    turns = max(heartbeat.turn, heartbeat.peer_turn, heartbeat.other_turn)
    if turns > SERIAL_MAX * 256 or any(not first <= last <= SERIAL_MAX for first, last in stretches):
        raise Malformed("beat", "a turn or a stretch that is none")
    if heartbeat.HasField("log"):
        _check_exchange(heartbeat.log)
    check_gossip(heartbeat.gossip)
    return heartbeat


def read_heartbeat(content: bytes, path: int, *, transient: bool) -> content_pb2.Heartbeat:
    """A heartbeat as it may arrive over the path of this number. Raises Malformed."""
    if not transient:
        raise Malformed("durable-heartbeat")
    heartbeat = decode_heartbeat(content)
    if heartbeat.path != path:
        raise Malformed("wrong-path", f"made for path {heartbeat.path}")
    return heartbeat


def _check_exchange(log: content_pb2.LogExchange) -> None:
    sizes = (log.proof_from, log.claimed_from, log.claimed_to, log.linked, log.linked_epoch)
    if max(sizes) > SERIAL_MAX or max(len(log.proof), len(log.claimed_proof)) > PROOF_HASHES_MAX:
        raise Malformed("beat", "a size or a proof that is none")
    if max(len(log.checkpoint), len(log.seen)) > CHECKPOINT_MAX or any(
        len(hash_) != HASH_SIZE for hash_ in (*log.proof, *log.claimed_proof)
    ):
        raise Malformed("beat", "a checkpoint or a proof that is none")


def spans(serials: Iterable[int]) -> list[str]:
    """Serials as ranges, 3-5 8, in as many lines as fit one ledger entry each."""
    parts: list[list[int]] = []
    for serial in sorted(serials):
        if parts and parts[-1][1] + 1 == serial:
            parts[-1][1] = serial
        else:
            parts.append([serial, serial])
    ranges = [f"{first}-{last}" if last > first else str(first) for first, last in parts]
    return [" ".join(ranges[start : start + _SPANS_PER_LINE]) for start in range(0, len(ranges), _SPANS_PER_LINE)]
