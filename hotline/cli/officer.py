"""The officer's words: status, send, inbox, read; and `sent` for what became of one's own."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hotline.civil import iso_utc
from hotline.cli.addressed import Addressed, addressed_options
from hotline.cli.exits import Exit, leave, need_accepted
from hotline.cli.fieldview import check_named, said_fields
from hotline.cli.follow import STAGES, follow, print_stages
from hotline.cli.groups import Said
from hotline.cli.output import (
    ago,
    corrected,
    duration_ms,
    line,
    precedence_word,
    print_json,
    print_statement,
    statement_json,
    translation_of,
    unreleased,
)
from hotline.cli.parties import print_party
from hotline.cli.textinput import before_typing, direction_of, read_text
from hotline.errors import TextError
from hotline.limits import LISTED_MAX
from hotline.phrasebook import book
from hotline.protocol.neutral import NON_PAPER, UNATTENDED, kind_word
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import content_pb2, operator_pb2, operator_pb2_grpc

_PRECEDENCES = ("routine", "priority", "immediate", "flash")

socket_option = click.option("--socket", "socket", metavar="PATH", help="Operator socket of the endpoint daemon.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
exercise_option = click.option("--exercise", is_flag=True, help="The EXERCISE plane instead of the REAL one.")


@click.command()
@socket_option
@json_option
def status(socket: str | None, as_json: bool) -> None:
    """Link, paths, peer, queue, keys, ledger and alarms in one picture.

    \b
    Examples:
      hotline status
      hotline status --json | jq .link

    Exit 0 with a living path to the peer, 3 without one.
    """
    with daemon(socket) as stub:
        picture = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
    if as_json:
        print_json(picture)
    else:
        _print_status(picture)
    if picture["link"] != "up":
        sys.exit(int(Exit.NO_PATH))


def until_words(time: str | None) -> str:
    """` until TIME`, or nothing."""
    return f" until {time}" if time else ""


def _presence(peer: dict[str, Any]) -> str:
    return f"{peer['presence']}{until_words(peer['presence_until'])}"


def _unread(plane: dict[str, Any]) -> int:
    return len(plane["unread"]) + int(plane["unread_more"])


def _print_status(picture: dict[str, Any]) -> None:
    peer, real = picture["peer"], picture["planes"]["real"]
    line(f"HOTLINE  {picture['party']}/{picture['terminal']} to {peer['party']}/{peer['terminal']}   {picture['time']}")
    if not all(one["speaks"] for one in picture["terminals"] if one["here"]):
        line("STANDS BY nothing is said from here; which terminal speaks: hotline terminal list")
    coming = picture["charter_next"]
    if coming is not None:
        line(f"CHARTER serial {picture['charter_serial']} in force, ready for {coming['serial']}: the peer is not yet")
    for alarm in picture["alarms"]:
        line(f"# ALARM {alarm['name']}: {alarm['text']}")
    state = "UP" if picture["link"] == "up" else "NO PATH"
    line(f"LINK    {state:8} peer heard {ago(peer['heard_ms_ago'])}, says it is {_presence(peer)}")
    line(f"PEER    {peer['verdict']['text']}")
    own = picture["presence"]
    if own["word"] != "alive":
        line(f"HERE    we say that we are {own['word']}{until_words(own['until'])}")
    for path in picture["paths"]:
        trip = "" if path["round_trip_ms"] is None else f"round trip {path['round_trip_ms']} ms"
        error = safe_line(picture["stream_errors"].get(path["name"], ""))
        line(f"PATH    {path['name']:12} {path['state'].upper():9} {path['profile']:10} {trip or error}")
    offset = peer["clock_offset_ms"]
    line(f"CLOCK   peer's clock differs by {'?' if offset is None else offset} ms")
    line(f"QUEUE   {real['waiting']} to deliver, {_unread(real)} to read, sent through #{real['sent_through']}")
    exercise = picture["planes"]["exercise"]
    if exercise["sent_through"] or exercise["received_through"]:
        line(f"EXERCISE {exercise['waiting']} to deliver, {_unread(exercise)} to read")
    talk = picture["planes"]["service"]
    if talk["sent_through"] or talk["received_through"]:
        line(f"SERVICE {talk['waiting']} to deliver, {_unread(talk)} to read: operators' talk")
    for party in picture["parties"]:
        print_party(party)
    _print_tests(picture["tests"])
    _print_ledger(picture["ledger"], peer["ledger_size"])


def _print_tests(tests: dict[str, Any]) -> None:
    """The last channel test of each way, and when the next of ours is due."""
    sent, received, due = tests["sent"], tests["received"], tests["next_due"]
    parts = [
        f"sent #{sent['serial']:04d} {sent['time']} {sent['outcome']}" if sent else "none sent",
        f"received #{received['serial']:04d} {received['time']}" if received else "none received",
        f"next due {due}" if due else "no schedule",
    ]
    line(f"TESTS   {'; '.join(parts)}")


def _print_ledger(ledger: dict[str, Any], peer_size: int) -> None:
    """How far the record is logged, received by the peer, and witnessed."""
    epoch = "" if ledger["log_epoch"] == 1 else f" (log {ledger['log_epoch']})"
    parts = [f"{ledger['size']} logged{epoch}"]
    if not ledger["vouched"]:
        awaited = ", ".join(ledger["awaited"])
        parts.append(f"nothing of it is shown before {awaited} or witnesses have told what they have seen of it")
    else:
        parts.append(f"{ledger['peer_cosigned']} cosigned by the peer")
        if ledger["quorum"] is not None:
            parts.append(f"{ledger['witnessed']} witnessed" + ("" if ledger["quorum"] else ", NO QUORUM"))
    line(f"LEDGER  {', '.join(parts)}; of the peer's {peer_size} we have linked {ledger['peer_size'] or 0}")


@click.command(cls=Said)
@click.argument("text", required=False)
@click.option(
    "-p", "--precedence", type=click.Choice(_PRECEDENCES), help="[default: routine; that of what is corrected]"
)
@click.option("--lang", default="en", show_default=True, help="Language tag of the text: en, ur, hi, ...")
@click.option("--dir", "direction", type=click.Choice(("ltr", "rtl")), help="Writing direction; follows --lang.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Take the text from a file.")
@click.option("--reply-to", type=click.IntRange(1), metavar="SERIAL", help="The peer's statement that this answers.")
@click.option("--corrects", type=click.IntRange(1), metavar="SERIAL", help="Our statement that this one corrects.")
@click.option("--retracts", type=click.IntRange(1), metavar="SERIAL", help="Our statement that this one takes back.")
@click.option("--phrase", metavar="CODE", help="Say this phrase of the book: hotline phrase list.")
@click.option("--fill", "fills", multiple=True, metavar="NAME=VALUE", help="A value that the phrase takes.")
@click.option("--field", "fields", multiple=True, metavar="KIND=VALUE", help="A time, place, coord or number.")
@click.option("--office", metavar="NAME", help="Whom it is for: warns where the agreed form of address is not there.")
@addressed_options
@click.option("--without-prejudice", is_flag=True, help="Known to the peer alone: not signed, and not on record.")
@click.option("--wait", type=click.Choice(STAGES), default="queued", show_default=True, help="Wait until then.")
@click.option("--timeout", metavar="30s", help="How long to wait.  [default: 30s]")
@click.option("--valid-for", metavar="2h", help="Give up if not delivered by then.  [default: by the charter]")
@exercise_option
@socket_option
@json_option
def send(
    text: str | None,
    precedence: str | None,
    lang: str,
    direction: str | None,
    file: Path | None,
    reply_to: int | None,
    corrects: int | None,
    retracts: int | None,
    phrase: str | None,
    fills: tuple[str, ...],
    fields: tuple[str, ...],
    office: str | None,
    addressed: Addressed,
    without_prejudice: bool,
    wait: str,
    timeout: str | None,
    valid_for: str | None,
    exercise: bool,
    socket: str | None,
    as_json: bool,
) -> None:
    """Send TEXT to the peer (`-` or nothing: standard input).

    \b
    Examples:
      hotline send "Our exercise begins at 14:30." -p priority
      hotline send --lang ur --file statement.txt -p flash --wait read --timeout 10m
      echo "Received, thank you." | hotline send --reply-to 3
      hotline send "It begins at 15:30, not at 14:30." --corrects 4
      hotline send "There is no exercise on Friday." --retracts 5
      hotline send "It begins at {time}, near {place}." --field time=2026-11-25T10:00Z --field place="Point One"
      hotline send --phrase B02 --fill number=17 --lang ur
      hotline send "We could live with Thursday." --without-prejudice
      hotline send "Our exercise begins at 14:30." --action "Foreign Minister" --reference 12/26

    A field is signed as such and reads alike on both sides; {name} in the text stands for it (time.begin=... names one
    `begin`; coord takes 28.6139,77.2090). A phrase is said in --lang and read in the other side's language.
    What is corrected or retracted is shown with a mark from then on, and stays on record on both sides; what does it
    goes with at least the same precedence, and is to be read and acknowledged anew.
    What is said without prejudice bears no signature: the peer knows that it is yours and can show it to nobody. Both
    records tell that it was said, when, and how long it was; its text is destroyed a day after it was read.
    Exit 0 when the stage waited for is reached, 3 if there is no path, 5 if it was not reached in time; in both
    cases the statement is queued and goes on by itself. Among several parties the one of this socket is waited for.
    """
    limit = duration_ms(timeout, 30_000, "--timeout") / 1_000
    validity = duration_ms(valid_for, 0, "--valid-for")
    if phrase is None:
        before_typing(text, file, socket)
    typed_fields, entry = said_fields(phrase, fills, fields, text, file)
    body = entry.texts_in(lang) if entry else read_text(text, file)
    try:
        body.encode()
    except UnicodeEncodeError as error:
        raise TextError("the text is not UTF-8: nothing was queued") from error
    if corrects is not None and retracts is not None:
        raise TextError("a statement corrects or retracts, not both: nothing was queued")
    named = corrects or retracts or 0
    if entry is None:
        from hotline.cli.addresses import warn_of_departure  # reads configuration, which no other word here needs

        check_named(body, typed_fields)
        warn_of_departure(body, lang, office)
    request = operator_pb2.SubmitRequest(
        exercise=exercise,
        language=lang,
        direction=direction_of(lang, direction),
        text=body,
        valid_for_ms=validity,
        request_key=secrets.token_bytes(16),
        in_reply_to=reply_to or 0,
        corrects=named,
        retracts=retracts is not None,
        field=[content_pb2.Field(name=one.name, kind=one.kind, value=one.value) for one in typed_fields],
        phrase=content_pb2.Phrase(code=entry.code, book=book().name) if entry else None,
        without_prejudice=without_prejudice,
    )
    addressed.write(request)
    with daemon(socket) as stub:
        level = precedence or _precedence_of(stub, exercise, named)
        request.precedence = content_pb2.Precedence.Value(f"PRECEDENCE_{level.upper()}")
        answer = stub.Submit(request)
        need_accepted(answer)
        if not as_json:
            mode = " WITHOUT PREJUDICE" if without_prejudice else ""
            line(f"#{answer.serial:04d} {level.upper()}{mode} queued, {answer.date_time_group}")
        view, code = follow(stub, answer.serial, exercise, wait, limit, quiet=as_json)
    if as_json:
        print_json(statement_json(view))
    sys.exit(int(code))


def _precedence_of(stub: operator_pb2_grpc.OperatorServiceStub, exercise: bool, serial: int) -> str:
    """That of our statement with this serial; routine where there is none, or it went with the text."""
    request = operator_pb2.ListStatementsRequest(exercise=exercise, sent=True, serial=serial)
    found = stub.ListStatements(request).statement if serial else ()
    return precedence_word(found[0].precedence).lower() if found and found[0].precedence else "routine"


@click.command()
@click.option("--unread", is_flag=True, help="Only what no officer has opened.")
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=20, show_default=True, help="The newest so many.")
@exercise_option
@socket_option
@json_option
def inbox(unread: bool, limit: int, exercise: bool, socket: str | None, as_json: bool) -> None:
    """List received statements without opening them.

    \b
    Examples:
      hotline inbox --unread
      hotline inbox --json
    """
    _list(socket, exercise, sent=False, unread=unread, limit=limit, as_json=as_json)


@click.command()
@click.argument("serial", type=click.IntRange(1), required=False)
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=20, show_default=True, help="The newest so many.")
@exercise_option
@socket_option
@json_option
def sent(serial: int | None, limit: int, exercise: bool, socket: str | None, as_json: bool) -> None:
    """List sent statements and what became of them; with SERIAL, one of them with its text.

    \b
    Examples:
      hotline sent
      hotline sent 4
    """
    if serial is None:
        _list(socket, exercise, sent=True, unread=False, limit=limit, as_json=as_json)
        return
    with daemon(socket) as stub:
        found = stub.ListStatements(
            operator_pb2.ListStatementsRequest(exercise=exercise, sent=True, serial=serial)
        ).statement
    if not found:
        leave(Exit.FIXABLE, f"#{serial} was not sent from here")
    if as_json:
        print_json(statement_json(found[0]))
        return
    print_statement(found[0])
    line()
    line(f"State: {found[0].state.upper()} {found[0].reason}".rstrip())
    print_stages(found[0], "queued")


def newest(
    socket: str | None, request: operator_pb2.ListStatementsRequest, limit: int
) -> tuple[Sequence[operator_pb2.StatementView], str]:
    """The newest `limit` statements, oldest first; and a line for people where there are older ones, else nothing."""
    request.limit = min(limit + 1, LISTED_MAX)
    with daemon(socket) as stub:
        found = stub.ListStatements(request).statement
    more = f"older ones are not listed: --limit {LISTED_MAX}" if len(found) > limit else ""
    if limit == LISTED_MAX == len(found):
        more = f"there may be older ones: no more than {LISTED_MAX} are listed"
    return found[-limit:], more


def _list(socket: str | None, exercise: bool, *, sent: bool, unread: bool, limit: int, as_json: bool) -> None:
    request = operator_pb2.ListStatementsRequest(exercise=exercise, sent=sent, unread_only=unread)
    views, more = newest(socket, request, limit)
    if as_json:
        for view in views:
            print_json(statement_json(view))
        return
    if not views:
        line("nothing sent" if sent else "nothing to read" if unread else "nothing received")
    else:
        _print_list(views, more)
    if not sent and not exercise:
        _print_elsewhere(socket)


def _print_elsewhere(socket: str | None) -> None:
    """What waits at the windows of other parties (docs/protocol.md 26.8): this list has nothing of it."""
    with daemon(socket) as stub:
        picture = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
    for party in picture["parties"]:
        count = len(party["unread_here"]) + party["unread_more"]
        if count and party["party"] != picture["peer"]["party"]:
            line(f"{count} to read at the window of {party['party']}")


def _print_list(views: Sequence[operator_pb2.StatementView], more: str) -> None:
    line(f"{'NO':6}{'PRECEDENCE':12}{'DATE-TIME GROUP':17}{'LANG':6}STATE")
    for view in views:
        state = view.state.upper() + (f" by {safe_line(view.read_by, 40)}" if view.read_by else "")
        state += f", answer promised until {iso_utc(view.reply_by_ms)}" if view.reply_by_ms else ""
        state += f", answered by #{view.answered_by:04d}" if view.answered_by else ""
        state += f", repeats #{view.repeats:04d}" if view.repeats else ""
        state += f", {corrected(view).upper()}" if view.corrected_by else ""
        state += f", {kind_word(view.kind).upper()} OF #{view.corrects:04d}" if view.corrects else ""
        state += f", {translation_of(view).upper()}" if view.HasField("original") else ""
        state += f", {view.translations} TRANSLATED" if view.translations else ""
        state += f", ON RECORD AS #{view.recorded_as:04d}" if view.recorded_as else ""
        state = f"TEST {state}" if view.kind in UNATTENDED else state
        state = f"WITHOUT PREJUDICE {state}" if view.kind == NON_PAPER else state
        state = f"NOT RELEASED, {state}" if unreleased(view) else state
        group, lang = safe_line(view.date_time_group, 16), safe_line(view.language, 16)
        line(f"{view.serial:04d}  {precedence_word(view.precedence):12}{group:17}{lang:6}{state}")
    if more:
        line(more)


@click.command()
@click.argument("serial", type=click.IntRange(1))
@exercise_option
@socket_option
@json_option
def read(serial: int, exercise: bool, socket: str | None, as_json: bool) -> None:
    """Open statement SERIAL and show its text. The peer is told that you, by name, have read it.

    \b
    Examples:
      hotline read 3
      hotline read 3 --json
    """
    with daemon(socket) as stub:
        answer = stub.Read(operator_pb2.ReadRequest(exercise=exercise, serial=serial))
    need_accepted(answer)
    if as_json:
        print_json(statement_json(answer.statement))
    else:
        print_statement(answer.statement)
