"""`hotline terminal`: which terminal of a party speaks, and taking over (docs/protocol.md section 23)."""

from __future__ import annotations

import json
from typing import Any

import click

from hotline.cli.exits import agree, need_accepted
from hotline.cli.groups import Commands
from hotline.cli.officer import json_option, socket_option
from hotline.cli.output import ago, line, print_json
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import operator_pb2

_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(cls=Commands)
def terminal() -> None:
    """Which terminal of a party speaks, and taking over: a party may have a main and alternate terminals.

    \b
    Example:
      hotline terminal list
    """


@terminal.command("list")
@socket_option
@json_option
def list_(socket: str | None, as_json: bool) -> None:
    """Every terminal of the charter: which speaks for its party, and which is heard from here.

    \b
    Examples:
      hotline terminal list
      hotline terminal list --json
    """
    with daemon(socket) as stub:
        found = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)["terminals"]
    if as_json:
        print_json({"schema": "hotline.terminals/1", "terminals": found})
        return
    names, words = (max(len(text(one)) for one in found) for text in (_name, _word))
    for one in found:
        line(f"{_name(one):{names}}  {_word(one):{words}}  {_heard(one)}")


def _name(one: dict[str, Any]) -> str:
    return safe_line(f"{one['party']}/{one['terminal']}")


def _word(one: dict[str, Any]) -> str:
    by_rule = " by the charter's rule" if one["by_rule"] else ""
    if one["travels"] is not None and not one["travels"]["active"]:
        return "travels, not active"
    return f"SPEAKS, term {one['term']}{by_rule}" if one["speaks"] else "stands by"


def _heard(one: dict[str, Any]) -> str:
    return "this terminal" if one["here"] else f"heard {ago(one['heard_ms_ago'])}, {one['paths_up']} paths up"


@terminal.command()
@_yes
@socket_option
def takeover(yes: bool, socket: str | None) -> None:
    """Let this terminal speak for its party from now on; the one that spoke so far stands by as soon as it hears of it.

    What this terminal's record holds and the peer has not acknowledged is sent; what the other one had accepted and
    nobody has received is not, and its operator is told so.

    A charter may let an alternate do so by itself after a silence: hotline charter new --takeover-after 10m. A terminal
    that an officer has made stand by waits for its officer all the same.

    \b
    Examples:
      hotline terminal takeover
      hotline terminal takeover --yes

    Exit 1 if it speaks already or is the only one, 8 for a caller who is no officer.
    """
    _set(socket, "Let this terminal speak for its party?", speak=True, yes=yes)


@terminal.command("stand-down")
@_yes
@socket_option
def stand_down(yes: bool, socket: str | None) -> None:
    """Let this terminal stand by. Nobody speaks for the party until a terminal takes over.

    \b
    Examples:
      hotline terminal stand-down
      hotline terminal stand-down --yes

    Exit 1 if it stands by already or is the only one, 8 for a caller who is no officer.
    """
    _set(socket, "Let this terminal say nothing more for its party?", speak=False, yes=yes)


def _set(socket: str | None, question: str, *, speak: bool, yes: bool) -> None:
    """Show the party's other terminals, ask where there is something to decide, and tell the daemon, which judges."""
    with daemon(socket) as stub:
        found = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)["terminals"]
    here = next(one for one in found if one["here"])
    others = [one for one in found if one["party"] == here["party"] and not one["here"]]
    for one in others:
        line(f"{_name(one)}: {_word(one)}, {_heard(one)}")
    if others and here["speaks"] != speak and not yes:  # else it is refused, whatever the answer
        agree(question, "nothing was changed")
    with daemon(socket) as stub:
        answer = stub.SetTerminal(operator_pb2.SetTerminalRequest(speak=speak))
    need_accepted(answer)
    line(answer.text)
