"""Words for people and --json for programs. Everything foreign goes through the safe-text module."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click

from hotline.charter.mandates import Mandate, read_mandate
from hotline.civil import iso_utc
from hotline.cli.fieldview import isolated, print_fields, print_text
from hotline.cli.phraseview import phrase_json, print_phrase
from hotline.cli.quoted import print_folded, print_quoted
from hotline.errors import ConfigError, Malformed
from hotline.protocol.language import grade_word
from hotline.protocol.neutral import NON_PAPER, UNATTENDED, VOIDS, kind_word
from hotline.protocol.release import LACKS, RELEASED, ROLES
from hotline.protocol.statements import EVERYONE
from hotline.safetext import safe_block, safe_line
from hotline.wire.v1 import content_pb2, operator_pb2


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on one line; `schema` comes with it."""
    click.echo(json.dumps(value, ensure_ascii=True, sort_keys=False))


def line(text: str = "") -> None:
    """One line of talk, made safe."""
    print_folded(safe_block(text))


def to_type(text: str) -> None:
    """A line that somebody copies into a shell: a window may break it, the program does not."""
    click.echo(safe_block(text))


def clock(unix_ms: int) -> str:
    """HH:MM:SS.mmmZ, or nothing for an unknown time."""
    return iso_utc(unix_ms)[11:] if unix_ms else ""


def ago(milliseconds: int | None) -> str:
    """How long ago, in words."""
    if milliseconds is None:
        return "never"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s ago"
    return (
        f"{milliseconds // 60_000:02d}:{milliseconds // 1000 % 60:02d} ago" if milliseconds < 3_600_000 else "long ago"
    )


def duration_ms(text: str | None, default: int, option: str | None = None) -> int:
    """Milliseconds of `90s`, `10m`, `2h`, `7d`, as `option` has them. Raises click.BadParameter."""
    if text is None:
        return default
    units = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.isascii() or not number.isdigit() or not 0 < int(number) < 10_000:
        said = f"{text!r} is not a duration; write 30s, 10m, 2h or 7d, at most 9999 of them"
        raise click.BadParameter(said, param_hint=option)
    return int(number) * units[unit]


def duration_or_none_ms(text: str | None, default: int, option: str | None = None) -> int:
    """As duration_ms, and 0 for `none`. Raises click.BadParameter."""
    try:
        return 0 if text == "none" else duration_ms(text, default, option)
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message}; or none", param_hint=option) from error


def unix_time(text: str) -> int:
    """Unix milliseconds of an ISO 8601 time with its zone. Raises ConfigError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(f"{text}: not a time with its zone, such as 2030-06-01T06:00Z")
    return int(moment.astimezone(UTC).timestamp() * 1_000)


def until_time(when: str) -> int:
    """Unix milliseconds of a span from now, or of a time. Raises ConfigError or click.BadParameter."""
    if when[:-1].isdigit():
        return time.time_ns() // 1_000_000 + duration_ms(when, 0)
    try:
        return unix_time(when)
    except ConfigError as error:
        raise ConfigError(f"{when}: not a time; write 2h, from now, or one with its zone: 2030-06-01T06:00Z") from error


def precedence_word(value: content_pb2.Precedence.ValueType) -> str:
    """FLASH, IMMEDIATE, PRIORITY, ROUTINE; a dash where it went with the text."""
    return content_pb2.Precedence.Name(value).removeprefix("PRECEDENCE_") if value else "-"


def direction_word(value: content_pb2.Direction.ValueType) -> str:
    """ltr or rtl."""
    return content_pb2.Direction.Name(value).removeprefix("DIRECTION_").lower()


def statement_json(view: operator_pb2.StatementView) -> dict[str, Any]:
    """Schema hotline.statement/1. What went with a text that is gone is null."""

    def time(unix_ms: int) -> str | None:
        return iso_utc(unix_ms) if unix_ms else None

    return {
        "schema": "hotline.statement/1",
        "serial": view.serial,
        "plane": "exercise" if view.exercise else "real",
        "way": "sent" if view.sent else "received",
        "from": view.from_party,
        "to": view.to_party,
        "window": view.window or None,
        "precedence": precedence_word(view.precedence).lower() if view.precedence else None,
        "kind": kind_word(view.kind) if view.kind else None,
        "mode": _mode(view.kind) if view.kind else None,
        "dtg": view.date_time_group,
        "lang": view.language,
        "dir": direction_word(view.direction) if view.direction else None,
        "drafter": view.drafter,
        "state": view.state,
        "reason": view.reason or None,
        "composed": time(view.composed_ms),
        "received": time(view.received_ms),
        "relayed": time(view.relayed_ms),
        "relayed_by": view.relayed_by or None,
        "delivered": time(view.delivered_ms),
        "read": time(view.read_ms),
        "read_by": view.read_by or None,
        "shown": time(view.shown_ms),
        "shown_by": view.shown_by or None,
        "shown_to": view.shown_to or None,
        "reply_by": time(view.reply_by_ms),
        "promised_by": view.promised_by or None,
        "answered_by": view.answered_by or None,
        "statement": view.statement.hex(),
        "repeats": view.repeats or None,
        "in_reply_to": view.in_reply_to or None,
        "corrects": view.corrects or None,
        "corrected_by": view.corrected_by or None,
        "retracted": view.retracted,
        "translates": view.original.serial or None,
        "grade": grade_word(view.grade) or None,
        "translator": view.translator or None,
        "translations": view.translations,
        "terminal": view.terminal or None,
        "term": view.term if view.terminal else None,
        **phrase_json(view),
        "put_on_record": view.put_on_record or None,
        "recorded_as": view.recorded_as or None,
        "record_asked": view.record_asked,
        "authority": view.authority or None,
        "releases": [release_json(release) for release in view.release],
        "action": list(view.action),
        "info": list(view.info),
        "reference": view.originator_reference or None,
        "text": view.text or None,
    }


def _mode(kind: content_pb2.StatementKind.ValueType) -> str:
    return "without-prejudice" if kind == NON_PAPER else "of-record"


def release_json(release: content_pb2.Release) -> dict[str, Any]:
    """One officer's signature, as schemas have it."""
    signed = {"officer": release.officer, "role": ROLES[release.role], "signed": iso_utc(release.signed_ms)}
    claim = _mandate(release)
    if claim is None:
        return {**signed, "mandate": None}
    named = ("party", "officer", "role", "not_before", "not_after", "grounds")
    return {**signed, "mandate": {name: getattr(claim, name, None) for name in named}}


def _mandate(release: content_pb2.Release) -> Mandate | Malformed | None:
    """What the mandate beside a signature says of itself, or that it cannot be read."""
    if not release.mandate:
        return None
    try:
        return read_mandate(release.mandate)
    except Malformed as error:
        return error


def signed_words(release: content_pb2.Release) -> str:
    """Who signed, as what, by what and when: duty-3 as releaser by mandate of ALPHA until 2026-12-01 (why), ..."""
    claim, by = _mandate(release), ""
    if isinstance(claim, Malformed):
        by = " by a mandate that cannot be read"
    elif claim is not None:
        by = f" by mandate of {safe_line(claim.party)} until {claim.not_after} ({safe_line(claim.grounds)})"
    return f"{safe_line(release.officer)} as {ROLES[release.role]}{by}, {iso_utc(release.signed_ms)}"


def unreleased(view: operator_pb2.StatementView) -> bool:
    """Whether a received statement lacks the authority that the charter asks for."""
    return view.authority not in ("", RELEASED)


def corrected(view: operator_pb2.StatementView) -> str:
    """What became of a statement by a later one: corrected by #0007; empty if nothing did."""
    if not view.corrected_by:
        return ""
    return f"{'retracted' if view.retracted else 'corrected'} by #{view.corrected_by:04d}"


def translation_of(view: operator_pb2.StatementView | TranslationOf) -> str:
    """What a translation is: courtesy translation of #0001, ours or theirs."""
    whose = "ours" if view.original.sent else "theirs"
    return f"{grade_word(view.grade)} translation of #{view.original.serial:04d} ({whose})"


class TranslationOf(NamedTuple):
    """A translation that is not said yet, as its draft has it."""

    original: operator_pb2.OriginalView
    grade: content_pb2.TranslationGrade.ValueType
    translator: str
    language: str


def print_original(view: operator_pb2.StatementView | TranslationOf) -> None:
    """A translation is never shown without saying what holds; the original stands before it where it may be shown."""
    original, by = view.original, safe_line(view.translator)
    line(f"*** {translation_of(view).upper()} by {by}: the original is authoritative ***")
    if original.state == "here":
        line(f"\nORIGINAL #{original.serial:04d} ({safe_line(original.language)}), which is authoritative:\n")
        print_text(original.text, original.field)
        line(f"\nTRANSLATION ({safe_line(view.language)}, {grade_word(view.grade)}), which is not:")
        return
    reasons = {
        "unread": f"nobody has opened the original yet: hotline read {original.serial}",
        "other": f"another statement has the serial #{original.serial:04d} here: what was translated is not known",
    }
    line(f"*** {reasons.get(original.state, 'the original is not here')} ***")


def print_translation(one: operator_pb2.TranslationView, fields: Iterable[content_pb2.Field] = ()) -> None:
    """Whose it is, how good it claims to be, and its text with nothing beside it but the mark of one."""
    line(f"TRANSLATION {translation_title(one)}; the original is authoritative")
    if one.corrected_by:
        line(f"*** {'RETRACTED' if one.retracted else 'CORRECTED'} BY #{one.corrected_by:04d} ***")
    if one.text:
        line()
        print_quoted(isolated(one.text, fields))
    elif one.way == "received":
        line(f"  nobody has opened it yet: hotline read {one.serial}")
    else:
        line("  its text was destroyed when its time was over")
    line()


def translation_title(one: operator_pb2.TranslationView) -> str:
    """rough (en) by A. Name, kept here as 3."""
    where = f"kept here as {one.serial}" if one.way == "here" else f"{one.way} as #{one.serial:04d}"
    return f"{grade_word(one.grade)} ({safe_line(one.language, 40)}) by {safe_line(one.translator, 64)}, {where}"


def print_addressees(said: operator_pb2.StatementView | content_pb2.Statement) -> None:
    """For whom it is, one name a line, and the originator's reference."""
    for what, names in (("action", said.action), ("information", said.info)):
        for name in names:
            line(f"  {what:17}{safe_line(name)}")
    if said.originator_reference:
        line(f"  reference        {safe_line(said.originator_reference)}")


def print_rungs(view: operator_pb2.StatementView) -> None:
    """What stands higher than READ: shown, promised, answered."""
    if view.shown_ms and not view.sent:  # among the stages of a sent one
        to = f"to {safe_line(view.shown_to)}, " if view.shown_to else ""
        line(f"  shown            {iso_utc(view.shown_ms)} {to}by {safe_line(view.shown_by)}")
    if view.reply_by_ms:
        line(f"  reply promised   until {iso_utc(view.reply_by_ms)} by {safe_line(view.promised_by)}")
    if view.answered_by:
        who = the_other_side(view.to_party, view.window, sent=view.sent)
        line(f"  answered         by #{view.answered_by:04d} from {who}")


def _print_trust(view: operator_pb2.StatementView) -> None:
    """By what it is known to come from its sender, and for whom."""
    if view.kind != NON_PAPER:
        line(f"  signature        valid, statement {view.statement.hex()[:16]}")
        return
    line("  signature        none: it came by the secret that both sides share, and proves nothing to anybody else")
    if view.recorded_as:
        line(f"  on record        as #{view.recorded_as:04d}")
    elif view.record_asked:
        line(f"  on record        the peer wants it; say it of record with: hotline record-it {view.serial} --ours")


def withdrawn(view: operator_pb2.StatementView) -> str:
    """Why an empty statement stands under its serial; without a date-time group it replaces nothing."""
    if view.date_time_group:
        return "the sender withdrew this serial: the statement expired before it was delivered"
    return (
        "the sender's terminal knows nothing of this serial: it was restored from an older state, or nothing was said"
    )


def to_whom(to_party: str) -> str:
    """To whom a statement is said; among several parties to all the others."""
    return "all the others" if to_party == EVERYONE else safe_line(to_party)


def the_other_side(to_party: str, window: str, *, sent: bool) -> str:
    """Who receives what is said to `to_party`, and answers it: of several parties, that of this `window`."""
    if to_party != EVERYONE:
        return safe_line(to_party)
    return (safe_line(window) or "the other side") if sent else "this side"


def _banner(view: operator_pb2.StatementView) -> str:
    """What nobody may overlook, before everything else."""
    banner = "EXERCISE EXERCISE EXERCISE  " if view.exercise else ""
    banner += "WITHOUT PREJUDICE  " if view.kind == NON_PAPER else ""
    return banner + ("TEST TEST TEST  " if view.kind in UNATTENDED else "")


def print_statement(view: operator_pb2.StatementView) -> None:
    """One statement with everything known of it, its text last and with nothing beside it but the mark of one."""
    banner, number = _banner(view), f"#{view.serial:04d}"
    if not view.precedence:
        line(f"{banner}{number} {view.state.upper()}: what it said is gone from here")
        return
    ends = f"from {safe_line(view.from_party)} to {to_whom(view.to_party)}"
    if unreleased(view):
        line(f"*** NOT RELEASED: {LACKS.get(view.authority, safe_line(view.authority))} ***")
        line(f"*** This is not the word of {safe_line(view.from_party)}: ask them by another way before acting ***")
    if view.corrected_by:
        line(f"*** {corrected(view).upper()}: that one is to be read, and this one stays on record ***")
    line(f"{banner}{number} {precedence_word(view.precedence)} {ends}")
    if view.corrects:
        what = "RETRACTS" if view.kind == content_pb2.STATEMENT_KIND_RETRACTION else "CORRECTS"
        line(f"*** {what} #{view.corrects:04d} ***")
    if view.put_on_record:
        whose = view.to_party if view.of_recipient else view.from_party
        what = "WANTS ON RECORD" if view.kind == NON_PAPER else "SAYS AGAIN, OF RECORD,"
        line(f"*** {what} #{view.put_on_record:04d} of {safe_line(whose)} ***")
    if view.in_reply_to:
        who = the_other_side(view.to_party, view.window, sent=view.sent)
        line(f"  in reply to      #{view.in_reply_to:04d} from {who}")
    line(f"  date-time group  {safe_line(view.date_time_group)}")
    print_addressees(view)
    line(f"  language         {safe_line(view.language)}, written {direction_word(view.direction)}")
    line(f"  drafter          {safe_line(view.drafter)}")
    if view.terminal:
        line(f"  said by          {safe_line(view.terminal)}, term {view.term}")
    line(f"  composed         {iso_utc(view.composed_ms)} by the sender's clock")
    if view.received_ms:
        line(f"  received         {iso_utc(view.received_ms)}")
    if view.read_ms:
        line(f"  read             {iso_utc(view.read_ms)} by {safe_line(view.read_by)}")
    print_rungs(view)
    if view.repeats:
        line(f"  repeats          #{view.repeats:04d}: the same text came before; its sender had lost state")
    for release in view.release:
        worth = "" if view.sent or not unreleased(view) else ", NOT CONFIRMED"
        line(f"  signed by        {signed_words(release)}{worth}")
    if view.release or unreleased(view):
        line(f"  release          {'NOT RELEASED' if unreleased(view) else 'by the charter, verified here'}")
    _print_trust(view)
    if view.kind in VOIDS:
        line(f"\n[{withdrawn(view)}]")
        return
    if view.HasField("original"):
        print_original(view)
    if view.text:
        line()
        # A translation has no fields of its own: those of the original stand there already.
        print_quoted(isolated(view.text, view.field or view.original.field))
        print_fields(view.field)
    print_phrase(view)
    if view.translation:
        line()
        option = " --sent" if view.sent else ""
        line(f"This is the original. Translations, side by side with: hotline translations {view.serial}{option}")
        for one in view.translation:
            line(f"  {translation_title(one)}")
