"""`hotline record-it`: what was said without prejudice is put on record, if both sides want it."""

from __future__ import annotations

import secrets
import sys

import click

from hotline.cli.exits import need_accepted
from hotline.cli.follow import STAGES, follow
from hotline.cli.officer import exercise_option, json_option, socket_option
from hotline.cli.output import duration_ms, line, print_json, statement_json
from hotline.protocol.neutral import NON_PAPER
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2


@click.command("record-it")
@click.argument("serial", type=click.IntRange(1))
@click.option("--ours", is_flag=True, help="SERIAL is one that we have said, not the peer.")
@click.option("--wait", type=click.Choice(STAGES), default="queued", show_default=True, help="Wait until then.")
@click.option("--timeout", metavar="30s", help="How long to wait.  [default: 30s]")
@exercise_option
@socket_option
@json_option
def record_it(
    serial: int, ours: bool, wait: str, timeout: str | None, exercise: bool, socket: str | None, as_json: bool
) -> None:
    """Have what was said without prejudice as SERIAL put on record.

    \b
    Examples:
      hotline record-it 5
      hotline record-it 5 --ours --wait delivered

    For what the peer has said, this tells the peer that you want it on record. For what you have said, it tells the
    peer the same; once the peer has said that it wants it too, the same command says the text again, signed.

    Nobody opens what only tells the peer: of that, --wait read and --wait shown end when it is delivered.
    """
    limit = duration_ms(timeout, 30_000, "--timeout") / 1_000
    request = operator_pb2.SubmitRequest(
        exercise=exercise, put_on_record=serial, of_peer=not ours, request_key=secrets.token_bytes(16)
    )
    with daemon(socket) as stub:
        answer = stub.Submit(request)
        need_accepted(answer)
        made = operator_pb2.ListStatementsRequest(exercise=exercise, sent=True, serial=answer.serial)
        wish = any(view.kind == NON_PAPER for view in stub.ListStatements(made).statement)
        if wish and STAGES.index(wait) > STAGES.index("delivered"):
            wait = "delivered"
        if not as_json:
            what = (
                f"tells the peer that we want #{serial:04d} on record"
                if wish
                else f"says #{serial:04d} again, of record"
            )
            line(f"#{answer.serial:04d} queued, {what}")
        view, code = follow(stub, answer.serial, exercise, wait, limit, quiet=as_json)
    if as_json:
        print_json(statement_json(view))
    sys.exit(int(code))
