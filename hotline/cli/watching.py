"""`hotline watch`: what happens, one line per event."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click

from hotline.civil import iso_utc
from hotline.cli.exits import Exit, leave
from hotline.cli.officer import json_option, socket_option, until_words
from hotline.cli.output import clock, line, print_json
from hotline.protocol.release import RELEASED
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import operator_pb2


@click.command()
@socket_option
@json_option
def watch(socket: str | None, as_json: bool) -> None:
    """Print one line per event until Ctrl-C.

    \b
    Examples:
      hotline watch
      hotline watch --json | jq -c 'select(.kind == "alarm")'
    """
    with daemon(socket) as stub:
        try:
            for event in stub.Watch(operator_pb2.WatchRequest()):
                _tell(event, as_json=as_json)
        except KeyboardInterrupt:
            click.echo(err=True)
            leave(Exit.INTERRUPTED, "no longer watching; the endpoint daemon goes on")


def _tell(event: operator_pb2.WatchResponse, *, as_json: bool) -> None:
    fields = json.loads(event.json)
    if as_json:
        print_json({"schema": "hotline.event/1", "time": event.time_ms, "kind": event.kind, **fields})
    else:
        line(f"{clock(event.time_ms)} {_sentence(event.kind, fields)}")
    sys.stdout.flush()


def _received(which: str, number: str, fields: dict[str, Any]) -> str:
    """Something has come; what lacks its release says so first."""
    if fields.get("test"):
        return f"{which}{number} received; nobody need open it"
    if fields["plane"] == "service":
        return f"{which}operators' talk {number} received; open it with: hotline service read {fields['serial']}"
    lacks = "" if fields.get("authority", "") in ("", RELEASED) else "NOT RELEASED: "
    return f"{lacks}{which}statement {number} received; open it with: hotline read {fields['serial']}"


def _sentence(kind: str, fields: dict[str, Any]) -> str:
    """One event in words."""
    number = f"#{fields['serial']:04d}" if "serial" in fields else ""
    exercise = {"exercise": "EXERCISE ", "service": "SERVICE "}.get(str(fields.get("plane")), "")
    exercise += "TEST " if fields.get("test") else ""
    exercise += "WITHOUT PREJUDICE " if fields.get("mode") == "without-prejudice" else ""
    match kind:
        case "received":
            return _received(exercise, number, fields)
        case "draft":
            return f"{exercise}draft {fields['number']} is {fields['state']} by {safe_line(str(fields['by']))}"
        case "sent":
            return f"{exercise}statement {number} is {str(fields['state']).upper()} ({safe_line(str(fields['by']))})"
        case "read":
            return f"{exercise}statement {number} opened by {safe_line(str(fields['officer']))}"
        case "presented":
            return f"{exercise}statement {number} shown to the principal by {safe_line(str(fields['officer']))}"
        case "promise" | "promise-kept":
            return f"{exercise}{_promise(kind, number, fields)}"
        case "record-asked" | "recorded":
            return f"{exercise}{_record(kind, number, fields)}"
        case "path":
            return f"path {safe_line(str(fields['path']))} is {str(fields['state']).upper()}"
        case "alarm":
            return f"{exercise}{_alarm(fields)}"
        case "handover":
            return f"the watch goes from {safe_line(str(fields['outgoing']))} to {safe_line(str(fields['oncoming']))}"
        case "challenge-answered":
            who = "the other side's record" if fields["by"] == "record" else "an officer of the other side"
            return f"SERVICE challenge {number} of #{fields['of']:04d}: {who} says {str(fields['verdict']).upper()}"
        case "presence":
            who = "the peer says it is" if fields["by"] == "peer" else "we say that we are"
            return f"{who} {fields['presence']}{until_words(iso_utc(fields['until']) if fields['until'] else None)}"
        case "presence-asked":
            return f"the peer's terminal has rung for its duty officer; its word is {fields['presence']}"
        case "courier" if fields["way"] == "out":
            return f"a bundle with {fields['statements']} statements was made for a courier"
        case "courier":
            return f"a courier's bundle brought {fields['statements']} statements and {fields['delivered']} receipts"
        case "refused":
            return f"refused over {safe_line(str(fields['path']))}: {safe_line(str(fields['reason']))}"
        case "test-resumed":
            return f"TEST {number} {safe_line(str(fields['way']))}: the line is well again, {fields['missed']} missed"
        case "repeat":
            return f"{exercise}statement {number} says again what #{fields['of']:04d} said"
        case "corrected":
            whose = "our statement" if fields["way"] == "sent" else "statement"
            return f"{exercise}{whose} {number} is {str(fields['state']).upper()} by #{fields['by']:04d}"
        case "translated":
            return f"{exercise}{_translated(number, fields)}"
        case "renumbered":
            return f"statement {number} now has the serial #{fields['new']:04d}"
        case _:
            details = " ".join(f"{name}={safe_line(str(value))}" for name, value in sorted(fields.items()))
            return f"{kind} {details}"


_NUMBERS: Final = frozenset({"serial", "of", "through"})
_ABOUT: Final = ("serial", "of", "through", "other", "path", "term", "by", "verdict", "reason")
"""Fields of alarms that say which one it is (docs/tables.md, Alarms)."""


def _alarm(fields: dict[str, Any]) -> str:
    """What an alarm means, and which terminal, path or statement it is about where its sentence does not say so."""
    meaning, about = str(fields["meaning"]), []
    for name in (one for one in _ABOUT if one in fields):
        value = f"#{fields[name]:04d}" if name in _NUMBERS else str(fields[name])
        if value not in meaning and f"#{fields[name]} " not in f"{meaning} ":
            about.append(f"{name} {safe_line(value)}")
    which = f" ({', '.join(about)})" if about else ""
    return f"ALARM {safe_line(str(fields['name']))}: {safe_line(meaning)}{which}"


def _record(kind: str, number: str, fields: dict[str, Any]) -> str:
    """What becomes of what was said without prejudice."""
    if kind == "record-asked":
        command = f"hotline record-it {fields['serial']} --ours"
        return f"the peer wants our non-paper {number} on record; to say it so: {command}"
    whose = "our non-paper" if fields["way"] == "sent" else "the peer's non-paper"
    return f"{whose} {number} is on record as #{fields['by']:04d}"


def _promise(kind: str, number: str, fields: dict[str, Any]) -> str:
    """A promise of an answer, ours or the peer's, and that it was kept."""
    ours = fields["way"] == "received"
    if kind == "promise":
        who = "we promise" if ours else "the peer promises"
        return f"{who} an answer to {number} until {iso_utc(fields['until'])} ({safe_line(str(fields['officer']))})"
    late = ", late" if fields["late"] else ""
    return f"{'we' if ours else 'the peer'} answered {number} as promised by #{fields['by']:04d}{late}"


def _translated(number: str, fields: dict[str, Any]) -> str:
    """Which statement has a translation now, of what grade, and where it is."""
    whose = "our statement" if fields["way"] == "sent" else "statement"
    where = "kept here" if fields["carrier"] == "here" else f"as #{fields['number']:04d}"
    return f"{whose} {number} has a {fields['grade']} translation ({safe_line(str(fields['lang']))}), {where}"
