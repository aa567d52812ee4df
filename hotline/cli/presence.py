"""`hotline presence`: what this side says of itself, and asking the other (docs/protocol.md section 18)."""

from __future__ import annotations

import json
import time

import click

from hotline.civil import iso_utc
from hotline.cli.exits import Exit, leave, need_accepted
from hotline.cli.groups import Commands
from hotline.cli.officer import socket_option
from hotline.cli.output import duration_ms, line, until_time
from hotline.errors import ConfigError
from hotline.protocol.presence import SETTABLE
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2


@click.group(cls=Commands)
def presence() -> None:
    """What this side says of itself, and asking the other: silence of a person is no fault of the line.

    \b
    Example:
      hotline presence set consulting --for 30m
    """


@presence.command("set")
@click.argument("word", type=click.Choice(tuple(SETTABLE)))
@click.option("--for", "lasting", metavar="30m", help="How long it holds; then the word is alive again.")
@click.option("--until", metavar="TIME", help="The same as a time: 2026-11-25T14:30Z.")
@socket_option
def set_(word: str, lasting: str | None, until: str | None, socket: str | None) -> None:
    """Tell the peer, in every heartbeat, what this side is: by the duty officer's word, signed by this terminal.

    \b
    alive             there; the word that needs no officer
    consulting        there, and asking the leadership
    declined          there, and will not answer
    principal-absent  the officer is there, the principal cannot be reached
    degraded          there, with less than the usual means

    \b
    Examples:
      hotline presence set consulting --for 30m
      hotline presence set principal-absent --until 2030-06-01T06:00Z
      hotline presence set alive

    Exit 8 for a caller who is no officer.
    """
    if lasting is not None and until is not None:
        raise ConfigError("--for and --until say the same thing: give one of them")
    end = 0 if until is None else until_time(until)
    if lasting is not None:
        end = time.time_ns() // 1_000_000 + duration_ms(lasting, 0, "--for")
    with daemon(socket) as stub:
        answer = stub.SetPresence(operator_pb2.SetPresenceRequest(presence=word, until_ms=end))
    need_accepted(answer)
    line(answer.text + (f" until {iso_utc(end)}" if end else ""))


@presence.command()
@socket_option
def ask(socket: str | None) -> None:
    """Ask the peer's duty officer whether anybody is there. The other terminal rings and answers that it has rung.

    \b
    Examples:
      hotline presence ask
      hotline watch            tells when the other terminal has rung, and what its officer says

    Exit 3 if there is no path: the question leaves with the first one.
    """
    with daemon(socket) as stub:
        answer = stub.AskPresence(operator_pb2.AskPresenceRequest())
        need_accepted(answer)
        picture = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
    line(answer.text)
    if picture["link"] != "up":
        leave(Exit.NO_PATH, "there is no path to the peer: it is asked as soon as there is one")
