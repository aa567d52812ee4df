"""`hotline service`: what operators say to operators, apart from statements (docs/protocol.md section 25)."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

import click

from hotline.civil import iso_utc
from hotline.cli.exits import need_accepted
from hotline.cli.follow import STAGES, follow
from hotline.cli.groups import Commands, Said
from hotline.cli.officer import json_option, newest, socket_option
from hotline.cli.output import duration_ms, line, print_json, withdrawn
from hotline.cli.quoted import print_quoted
from hotline.cli.textinput import before_typing, read_text
from hotline.limits import LISTED_MAX
from hotline.protocol.neutral import VOIDS, kind_word
from hotline.runtime.client import daemon
from hotline.safetext import safe_block, safe_line
from hotline.wire.v1 import content_pb2, operator_pb2

BANNER = "SERVICE  operators' talk, no statement of either side"


@click.group(cls=Commands)
def service() -> None:
    """Talk between the operators of both sides. It is on record as everything else, and is nobody's statement.

    It has keys, numbers and an inbox of its own, and gives way to every statement on the line.

    \b
    Example:
      hotline service send "Relay-2 is down for repair until 14:00Z."
    """


@service.command(cls=Said)
@click.argument("text", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), help="Take the text from a file.")
@click.option("--reply-to", type=click.IntRange(1), metavar="SERIAL", help="The peer's talk that this answers.")
@click.option("--wait", type=click.Choice(STAGES[:4]), default="queued", show_default=True, help="Wait until then.")
@click.option("--timeout", metavar="30s", help="How long to wait.  [default: 30s]")
@socket_option
@json_option
def send(
    text: str | None,
    file: Path | None,
    reply_to: int | None,
    wait: str,
    timeout: str | None,
    socket: str | None,
    as_json: bool,
) -> None:
    """Say TEXT to the peer's operators (`-` or nothing: standard input). At most 1000 bytes, always ROUTINE.

    \b
    Examples:
      hotline service send "Relay-2 is down for repair until 14:00Z."
      hotline service send "Thank you, seen." --reply-to 3 --wait read --timeout 5m

    Exit 0 when the stage waited for is reached, 3 if there is no path, 5 if it was not reached in time.
    """
    limit = duration_ms(timeout, 30_000, "--timeout") / 1_000
    before_typing(text, file, socket)
    request = operator_pb2.SubmitRequest(
        service=True,
        precedence=content_pb2.PRECEDENCE_ROUTINE,
        language="en",
        direction=content_pb2.DIRECTION_LTR,
        text=read_text(text, file),
        request_key=secrets.token_bytes(16),
        in_reply_to=reply_to or 0,
    )
    with daemon(socket) as stub:
        answer = stub.Submit(request)
        need_accepted(answer)
        if not as_json:
            line(f"SERVICE #{answer.serial:04d} queued, {answer.date_time_group}")
        view, code = follow(stub, answer.serial, False, wait, limit, quiet=as_json, service=True)
    if as_json:
        print_json(talk_json(view))
    sys.exit(int(code))


@service.command()
@click.option("--unread", is_flag=True, help="Only what no officer has opened.")
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=20, show_default=True, help="The newest so many.")
@socket_option
@json_option
def inbox(unread: bool, limit: int, socket: str | None, as_json: bool) -> None:
    """List what the peer's operators have said, without opening it.

    \b
    Example:
      hotline service inbox --unread
    """
    _list(socket, sent=False, unread=unread, limit=limit, as_json=as_json)


@service.command()
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=20, show_default=True, help="The newest so many.")
@socket_option
@json_option
def sent(limit: int, socket: str | None, as_json: bool) -> None:
    """List what was said to the peer's operators, and what became of it.

    \b
    Example:
      hotline service sent --limit 5
    """
    _list(socket, sent=True, unread=False, limit=limit, as_json=as_json)


@service.command()
@click.argument("serial", type=click.IntRange(1))
@socket_option
@json_option
def read(serial: int, socket: str | None, as_json: bool) -> None:
    """Open talk SERIAL of the peer's operators. They are told that you, by name, have read it.

    \b
    Example:
      hotline service read 3
    """
    with daemon(socket) as stub:
        answer = stub.Read(operator_pb2.ReadRequest(service=True, serial=serial))
    need_accepted(answer)
    if as_json:
        print_json(talk_json(answer.statement))
    else:
        print_talk(answer.statement)


def _list(socket: str | None, *, sent: bool, unread: bool, limit: int, as_json: bool) -> None:
    request = operator_pb2.ListStatementsRequest(service=True, sent=sent, unread_only=unread)
    views, more = newest(socket, request, limit)
    if as_json:
        for view in views:
            print_json(talk_json(view))
        return
    line(BANNER)
    if not views:
        line("nothing was said" if sent else "nothing to read" if unread else "nothing has come")
        return
    line(f"{'NO':6}{'DATE-TIME GROUP':17}{'OFFICER':22}STATE")
    for view in views:
        state = view.state.upper() + (f" by {safe_line(view.read_by, 40)}" if view.read_by else "")
        state += f", repeats #{view.repeats:04d}" if view.repeats else ""
        group, officer = safe_line(view.date_time_group, 16), safe_line(view.drafter, 20)
        line(f"{view.serial:04d}  {group:17}{officer:22}{state}")
    if more:
        line(more)


def print_talk(view: operator_pb2.StatementView) -> None:
    """One piece of talk, its text last and with nothing beside it but the mark of one."""
    line(BANNER)
    if not view.kind:
        line(f"#{view.serial:04d} {view.state.upper()}: what it said is gone from here")
        return
    line(f"#{view.serial:04d} from {safe_line(view.drafter)} of {safe_line(view.from_party)}")
    line(f"  date-time group  {safe_line(view.date_time_group)}")
    if view.in_reply_to:
        line(f"  in reply to      #{view.in_reply_to:04d}")
    if view.repeats:
        line(f"  repeats          #{view.repeats:04d}: the same text came before; its sender had lost state")
    if view.kind in VOIDS:
        line(f"\n[{withdrawn(view)}]")
    elif view.text:
        line()
        print_quoted(safe_block(view.text))


def talk_json(view: operator_pb2.StatementView) -> dict[str, Any]:
    """Schema hotline.talk/1. What went with a text that is gone is null."""

    def time(unix_ms: int) -> str | None:
        return iso_utc(unix_ms) if unix_ms else None

    return {
        "schema": "hotline.talk/1",
        "serial": view.serial,
        "way": "sent" if view.sent else "received",
        "from": view.from_party,
        "to": view.to_party,
        "officer": view.drafter,
        "kind": kind_word(view.kind) if view.kind else None,
        "dtg": view.date_time_group,
        "state": view.state,
        "reason": view.reason or None,
        "composed": time(view.composed_ms),
        "received": time(view.received_ms),
        "delivered": time(view.delivered_ms),
        "read": time(view.read_ms),
        "read_by": view.read_by or None,
        "statement": view.statement.hex(),
        "in_reply_to": view.in_reply_to or None,
        "text": view.text or None,
    }
