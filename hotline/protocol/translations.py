"""Translations of statements: kept here, or sent as statements of their own (docs/protocol.md section 21)."""

from __future__ import annotations

import hashlib

from hotline.crypto.signing import pae
from hotline.errors import LocalError, TextError
from hotline.machine import Instant, Plane, Private, Put, Reply
from hotline.protocol.composing import check_authority, check_room, code_of
from hotline.protocol.context import Context
from hotline.protocol.events import Translate
from hotline.protocol.language import GRADES, TRANSLATOR_MAX, grade_word, link_row, original_is_senders, translated
from hotline.protocol.neutral import NON_PAPER, SPOKEN, kind_of
from hotline.protocol.sending import Sending
from hotline.protocol.statements import check_language, check_text, decode_statement
from hotline.protocol.tables import Saved
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2

_NOTHING = "nothing was kept or sent"


class Translations:
    """Everything an endpoint does for translations that its officers hand in."""

    def __init__(self, context: Context, sending: Sending) -> None:
        self._ctx = context
        self._sending = sending
        self._last = dict.fromkeys(Plane, 0)

    def restore(self, saved: Saved) -> None:
        """Take up the numbers of those kept here."""
        for row in saved.rows("counter"):
            for plane in Plane:
                if row["name"] == f"translation:{plane}" and isinstance(row["value"], int):
                    self._last[plane] = row["value"]

    def translate(self, event: Translate, now: Instant) -> None:
        """Keep or send a translation, or refuse it with a sentence; the original stays as it is."""
        try:
            original, name = self._original(event)
            self._check(event, original)
            if event.goes:
                how = {"nothing": _NOTHING, "command": "hotline translate --draft"}
                check_authority(self._ctx, event.plane, original.precedence, **how)
                check_room(self._ctx, event.plane)
        except LocalError as error:
            self._ctx.out.replies.append(Reply(event.request, False, code_of(error), str(error)))
            return
        if event.goes:
            self._sending.hand_in(event.request, event.plane, self._carrier(event, original.precedence, name), now)
        else:
            self._keep(event, _tie(event, name), now)

    def compose(self, event: Translate) -> content_pb2.Statement:
        """The statement that would carry it to the peer, as a draft has it. Raises LocalError (21.12)."""
        original, name = self._original(event)
        self._check(event, original)
        check_room(self._ctx, event.plane)
        return self._carrier(event, original.precedence, name)

    def _original(self, event: Translate) -> tuple[content_pb2.Statement, bytes]:
        """What is translated, and its name. Raises TextError."""
        ctx, serial = self._ctx, event.serial
        if event.sent:
            row = ctx.history.sent(event.plane, serial)
            if row is None:
                raise TextError(f"#{serial} was not sent from here, or is in this very moment: {_NOTHING}")
            return decode_statement(row.content), row.hash
        inbox = ctx.inboxes[event.plane]
        name, held = inbox.known_hash(serial), inbox.ahead.get(serial)
        content = ctx.history.received(event.plane, serial)
        if name is None or content is None:
            raise TextError(f"there is no statement #{serial} of the peer: {_NOTHING}")
        if serial in ctx.unread[event.plane] or (held is not None and not held.shown):
            raise TextError(f"#{serial} has not been opened: read it first; {_NOTHING}")
        return decode_statement(content), name

    def _check(self, event: Translate, original: content_pb2.Statement) -> None:
        if original.kind == content_pb2.STATEMENT_KIND_TRANSLATION:
            serial = original.translation.original.serial
            raise TextError(f"#{event.serial} is a translation itself: translate its original, #{serial}; {_NOTHING}")
        if original.kind == NON_PAPER:
            raise TextError(f"#{event.serial} was said without prejudice, a translation would be of record: {_NOTHING}")
        if kind_of(original) not in SPOKEN:
            raise TextError(f"#{event.serial} says nothing that could be translated: {_NOTHING}")
        if event.grade not in GRADES or original_is_senders(event.grade) != event.sent:
            raise TextError(
                "our own statements get a courtesy translation, the peer's one at sight, a rough or an official one: "
                + _NOTHING
            )
        check_text(event.text, self._ctx.setup.text_bytes_max)
        check_language(event.language)
        if event.direction not in (content_pb2.DIRECTION_LTR, content_pb2.DIRECTION_RTL):
            raise TextError(f"no such writing direction: use ltr or rtl; {_NOTHING}")
        if event.language.lower() == original.language.lower():
            raise TextError(f"#{event.serial} is in {original.language} already: {_NOTHING}")
        if not 1 <= len(event.translator.strip()) <= TRANSLATOR_MAX >= len(event.translator):
            raise TextError(f"a translator's name has 1 to {TRANSLATOR_MAX} characters: {_NOTHING}")
        check_text(event.translator)

    def _carrier(
        self, event: Translate, precedence: content_pb2.Precedence.ValueType, name: bytes
    ) -> content_pb2.Statement:
        return content_pb2.Statement(
            # As urgent as the original, so that neither overtakes the other for good.
            precedence=precedence,
            kind=content_pb2.STATEMENT_KIND_TRANSLATION,
            language=event.language,
            direction=event.direction,
            drafter=event.officer,
            text=event.text,
            valid_for_ms=self._ctx.setup.validity_ms[precedence],
            translation=_tie(event, name),
        )

    def _keep(self, event: Translate, tie: content_pb2.Translation, now: Instant) -> None:
        """Sign it for this terminal alone, keep it, and enter it; its text enters the ledger as a commitment."""
        ctx, plane = self._ctx, event.plane
        self._last[plane] += 1
        number, salt = self._last[plane], ctx.entropy(32)
        made = content_pb2.LocalTranslation(
            translation=tie,
            language=event.language,
            direction=event.direction,
            text=event.text,
            body_salt=salt,
            made_ms=now.wall,
            officer=event.officer,
        )
        content = encode(made)
        parts = (plane.value.encode(), ctx.setup.charter, ctx.setup.local.number.to_bytes(2, "big"), content)
        name = hashlib.sha256(pae("hotline/v1/translation", *parts)).digest()
        signature = ctx.setup.signing.sign("hotline/v1/translation", *parts)
        key: dict[str, str | int | bytes | None] = {"plane": plane.value, "serial": number}
        ctx.out.changes += [
            Put("translation", {**key, "content": content, "signature": signature, "hash": name}),
            Put("counter", {"name": f"translation:{plane}", "value": number}),
            link_row(plane, "received", tie.original, "here", number),
        ]
        ctx.record(
            "msg.translated",
            {
                "body": Private(event.text.encode(), salt),
                "translator": Private(event.translator.encode()),
                "officer": Private(event.officer.encode()),
            },
            plane=plane.value,
            serial=event.serial,
            number=number,
            grade=grade_word(event.grade),
            lang=event.language,
            statement=tie.original.statement.hex(),
            translation=name.hex(),
        )
        told = translated(tie, event.language, "here")
        ctx.tell("translated", plane=plane.value, **told, number=number, at=now.wall)
        fields: dict[str, str | int | bytes | None] = {"number": number, "hash": name}
        ctx.out.replies.append(Reply(event.request, True, "kept", f"kept here as translation {number}", fields))


def _tie(event: Translate, name: bytes) -> content_pb2.Translation:
    original = content_pb2.Reference(serial=event.serial, statement=name)
    return content_pb2.Translation(original=original, grade=event.grade, translator=event.translator)
