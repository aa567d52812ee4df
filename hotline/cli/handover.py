"""`hotline handover`: one watch takes over from another and signs for it (docs/protocol.md 25.9 to 25.11)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from hotline.civil import iso_utc
from hotline.cli.exits import Exit, agree, leave
from hotline.cli.groups import Commands
from hotline.cli.officer import json_option, socket_option
from hotline.cli.officerkeys import officer_key, secret_option
from hotline.cli.output import line, print_json
from hotline.cli.quoted import print_quoted
from hotline.protocol.handover import LABEL, signed_parts
from hotline.runtime.client import daemon
from hotline.safetext import safe_block, safe_line
from hotline.wire.v1 import operator_pb2


@click.group(cls=Commands)
def handover() -> None:
    """The watch is handed over: what is open is shown, and the oncoming officer signs exactly that.

    \b
    Example:
      hotline handover show
    """


@handover.command()
@click.argument("number", type=click.IntRange(1), required=False)
@socket_option
@json_option
def show(number: int | None, socket: str | None, as_json: bool) -> None:
    """What would be handed over now; with NUMBER, a handover that was signed.

    \b
    Examples:
      hotline handover show
      hotline handover show 12
    """
    with daemon(socket) as stub:
        if number is None:
            view = operator_pb2.HandoverView(list=stub.GetHandover(operator_pb2.GetHandoverRequest()).list)
        else:
            found = stub.ListHandovers(operator_pb2.ListHandoversRequest(number=number)).handover
            if not found:
                leave(Exit.FIXABLE, f"there is no handover {number}; `hotline handover list` shows them")
            view = found[0]
    if as_json:
        print_json(handover_json(view))
        return
    if number is not None:
        line(f"handover {number}, {iso_utc(view.time_ms)}: {safe_line(view.outgoing)} to {safe_line(view.oncoming)}")
    print_list(view.list)
    if view.notes:
        line("NOTES")
        print_quoted(safe_block(view.notes))


@handover.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@socket_option
@json_option
def list_(limit: int, socket: str | None, as_json: bool) -> None:
    """Handovers that were signed, newest last.

    \b
    Example:
      hotline handover list
    """
    with daemon(socket) as stub:
        found = stub.ListHandovers(operator_pb2.ListHandoversRequest(limit=limit)).handover
    if not found and not as_json:
        line("no watch was handed over yet")
    for view in found:
        if as_json:
            print_json(handover_json(view))
        else:
            line(f"{view.number:4}  {iso_utc(view.time_ms)}  {safe_line(view.outgoing)} to {safe_line(view.oncoming)}")


@handover.command()
@click.option(
    "--key",
    "key",
    type=click.Path(path_type=Path),
    required=True,
    help="Key file of the oncoming officer; the key may be in a token.",
)
@click.option("--notes", default="", help="What the outgoing officer adds.")
@click.option("--yes", is_flag=True, help="The list was looked at; do not ask.")
@click.option("--list", "hash_", metavar="HASH", help="Sign only the list with this hash, as `show --json` gives it.")
@secret_option
@socket_option
def sign(key: Path, notes: str, yes: bool, hash_: str | None, passphrase_file: Path | None, socket: str | None) -> None:
    """Take over the watch. You who are logged in hand over; the officer of the key signs the list as it is shown.

    \b
    Examples:
      hotline handover sign --key ALPHA.duty-2.officer.key --notes "Relay-2 is down until 14:00Z."
      hotline handover sign --key ALPHA.duty-2.officer.key --passphrase-file word --yes

    What comes in while you look at it is the new watch's, and stands in the next list. After ten minutes nothing is
    signed, and the new list is shown. Exit 4 if the charter knows another key.
    """
    with officer_key(key, passphrase_file) as (_, oncoming, signer), daemon(socket) as stub:
        now = stub.GetHandover(operator_pb2.GetHandoverRequest())
        listed = now.list.encode()
        digest = hashlib.sha256(listed).digest()
        print_list(now.list)
        line(f"LIST     {digest.hex()}")
        if hash_ is not None and hash_ != digest.hex():
            leave(Exit.FIXABLE, "something has changed: this is another list than the one you name; nothing was signed")
        if not yes:
            agree(f"{oncoming} takes over from {safe_line(now.outgoing)}: sign this", "nothing was signed")
        parts = signed_parts(now.charter, now.terminal, listed, now.outgoing, notes)
        reply = stub.SignHandover(
            operator_pb2.SignHandoverRequest(
                list_hash=digest, oncoming=oncoming, notes=notes, signature=signer.sign(LABEL, *parts)
            )
        )
        if reply.code == "changed":
            print_list(stub.GetHandover(operator_pb2.GetHandoverRequest()).list)
    if not reply.accepted:
        codes = {"policy": Exit.REFUSED, "signature": Exit.UNTRUSTED, "officer": Exit.UNTRUSTED}
        leave(codes.get(reply.code, Exit.FIXABLE), reply.text)
    line(reply.text)


def print_list(listed: str) -> None:
    """The list in words. What is empty is said to be."""
    if not listed:
        line("its content key was destroyed when its time was over; the ledger still holds what was signed")
        return
    picture = json.loads(listed)
    party = picture.get("party")
    line(f"HANDOVER {picture['number']}" + (f", of what there is with {safe_line(party)}" if party else ""))
    for name, plane in picture["planes"].items():
        waiting = ", ".join(f"#{serial:04d} {state}" for serial, state in plane["waiting"]) or "nothing"
        unread = ", ".join(f"#{serial:04d}" for serial in plane["unread"]) or "nothing"
        unread += f" and {plane['unread_more']} more" if plane.get("unread_more") else ""
        line(f"{name.upper():9}unread: {unread}; waiting: {waiting}")
        if plane["missing"]:
            first, last = plane["missing"]
            line(f"         MISSING #{first:04d} to #{last:04d}")
    rows = {
        "ALARMS": ", ".join(f"{name} ({times})" for name, times in picture["alarms"].items()),
        "PATHS": ", ".join(f"{safe_line(name)} {state}" for name, state in picture["paths"].items()),
        "PRESENCE": f"here {_until(picture['presence'])}; the other side {_until(picture['peer_presence'])}",
        "TESTS": f"{picture['tests']['missed']} missed, {picture['tests']['undelivered']} undelivered",
        "PROMISED": ", ".join(
            f"{way} #{serial:04d} until {iso_utc(until)}{' OVERDUE' if late else ''}"
            for way, _, serial, until, late in picture["promises"]
        ),
        "DOUBTED": ", ".join(f"challenge #{serial:04d} {way}" for way, serial in picture["challenges"]),
    }
    for title, text in rows.items():
        line(f"{title:9}{text or 'none'}")


def _until(said: list[Any]) -> str:
    word, until = said
    return f"{word} until {iso_utc(until)}" if until else str(word)


def handover_json(view: operator_pb2.HandoverView) -> dict[str, Any]:
    """Schema hotline.handover/1."""
    return {
        "schema": "hotline.handover/1",
        "number": view.number or None,
        "time": iso_utc(view.time_ms) if view.time_ms else None,
        "outgoing": view.outgoing or None,
        "oncoming": view.oncoming or None,
        "notes": view.notes or None,
        "list": view.list or None,
        "hash": hashlib.sha256(view.list.encode()).hexdigest() if view.list else None,
        "signature": view.signature.hex() or None,
    }
