"""`hotline test`: channel tests, at once or as they were (docs/protocol.md 8.5, 10.7 to 10.9)."""

from __future__ import annotations

import secrets
import sys
from typing import Any

import click

from hotline.civil import iso_utc
from hotline.cli.exits import need_accepted
from hotline.cli.follow import STAGES, follow
from hotline.cli.groups import Commands
from hotline.cli.officer import json_option, socket_option
from hotline.cli.output import duration_ms, line, print_json, statement_json
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2


@click.group(cls=Commands)
def test() -> None:
    """Channel tests: neutral texts that go the whole way of a statement, by the charter's schedule or at once.

    \b
    Example:
      hotline test now
    """


@test.command()
@click.option("--wait", type=click.Choice(STAGES[:3]), default="delivered", show_default=True, help="Wait until then.")
@click.option("--timeout", metavar="30s", help="How long to wait.  [default: 30s]")
@socket_option
@json_option
def now(wait: str, timeout: str | None, socket: str | None, as_json: bool) -> None:
    """Send a channel test at once, beside the schedule. The terminal chooses the text; nobody at the peer need read it.

    \b
    Examples:
      hotline test now
      hotline test now --wait relayed --timeout 10s
      hotline test now --json | jq -r .delivered

    Exit 0 when the stage waited for is reached, 3 if there is no path, 5 if it was not reached in time.
    """
    limit = duration_ms(timeout, 30_000, "--timeout") / 1_000
    with daemon(socket) as stub:
        answer = stub.TestChannel(operator_pb2.TestChannelRequest(request_key=secrets.token_bytes(16)))
        need_accepted(answer)
        if not as_json:
            line(f"#{answer.serial:04d} TEST queued, {answer.date_time_group}")
        view, code = follow(stub, answer.serial, False, wait, limit, quiet=as_json)
    if as_json:
        print_json(statement_json(view))
    sys.exit(int(code))


@test.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@socket_option
@json_option
def history(limit: int, socket: str | None, as_json: bool) -> None:
    """List channel tests sent, received and missed, newest last.

    \b
    Examples:
      hotline test history
      hotline test history --limit 100 --json | jq -c 'select(.way == "missed")'

    The milliseconds of a test that was sent are by the clock of this terminal, from its composing to the peer's signed
    receipt; those of one that was received are by two clocks, from the peer's word for its composing to its arrival.
    """
    with daemon(socket) as stub:
        found = stub.ListTests(operator_pb2.ListTestsRequest(limit=limit)).test
    if as_json:
        for item in found:
            print_json(_json(item))
        return
    if not found:
        line("no channel test was sent, received or missed")
        return
    line(f"{'TIME':26}{'WAY':10}{'NO':6}{'OUTCOME':12}MS TO DELIVERY")
    for item in found:
        line(_row(_json(item)))


def _row(test: dict[str, Any]) -> str:
    number = f"{test['serial']:04d}" if test["serial"] else ""
    taken = "" if test["delivery_ms"] is None else str(test["delivery_ms"])
    taken += " by two clocks" if taken and test["way"] == "received" else ""
    return f"{test['time']:26}{test['way']:10}{number:6}{test['outcome'].upper():12}{taken}".rstrip()


def _json(test: operator_pb2.ChannelTest) -> dict[str, Any]:
    """Schema hotline.channel-test/1."""
    view = test.statement if test.HasField("statement") else None
    outcome = {"sent": view.state if view else "", "received": "arrived", "missed": "missed"}[test.way]
    end = 0 if view is None else view.delivered_ms if view.sent else view.received_ms
    taken = end - view.composed_ms if view is not None and end and view.composed_ms else None
    return {
        "schema": "hotline.channel-test/1",
        "time": iso_utc(test.time_ms),
        "way": test.way,
        "serial": view.serial if view else None,
        "outcome": outcome,
        "reason": (view.reason or None) if view else None,
        "delivery_ms": taken,
        "statement": view.statement.hex() if view else None,
    }
