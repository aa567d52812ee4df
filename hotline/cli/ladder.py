"""`hotline shown` and `hotline reply-by`: the rungs above READ (docs/protocol.md section 20)."""

from __future__ import annotations

import click

from hotline.civil import iso_utc
from hotline.cli.exits import need_accepted
from hotline.cli.officer import exercise_option, socket_option
from hotline.cli.output import line, until_time
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2


@click.command()
@click.argument("serial", type=click.IntRange(1))
@click.option("--principal", default="", metavar="NAME", help="To whom it was shown; the peer is told.")
@exercise_option
@socket_option
def shown(serial: int, principal: str, exercise: bool, socket: str | None) -> None:
    """Say that statement SERIAL of the peer has been shown to the principal. The peer is told who says so.

    \b
    Examples:
      hotline shown 3
      hotline shown 3 --principal "The Prime Minister"

    Open it first (hotline read 3). Exit 8 for a caller who is no officer.
    """
    with daemon(socket) as stub:
        request = operator_pb2.MarkShownRequest(exercise=exercise, serial=serial, principal=principal)
        answer = stub.MarkShown(request)
    need_accepted(answer)
    line(answer.text)


@click.command("reply-by")
@click.argument("serial", type=click.IntRange(1))
@click.argument("when", metavar="TIME")
@exercise_option
@socket_option
def reply_by(serial: int, when: str, exercise: bool, socket: str | None) -> None:
    """Promise the peer an answer to its statement SERIAL until TIME: from now (30m, 2h) or as a time with its zone.

    \b
    Examples:
      hotline reply-by 3 2h
      hotline reply-by 3 2030-06-01T06:00Z
      hotline send "The answer." --reply-to 3     keeps the promise

    A newer promise takes the place of an older one; one that is made after an answer waits for a further one. It is
    kept once the answer has arrived. A promise that is not kept in time is an alarm on both sides.
    Exit 8 for a caller who is no officer.
    """
    until = until_time(when)
    with daemon(socket) as stub:
        request = operator_pb2.PromiseReplyRequest(exercise=exercise, serial=serial, reply_by_ms=until)
        answer = stub.PromiseReply(request)
    need_accepted(answer)
    line(f"{answer.text} until {iso_utc(until)}")
