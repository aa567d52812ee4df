"""Following one statement of ours until the peer has signed for it: for every command that sends something."""

from __future__ import annotations

import json
import time
from typing import Final

from hotline.cli.exits import Exit
from hotline.cli.output import clock, line, the_other_side
from hotline.errors import LocalError
from hotline.safetext import safe_line
from hotline.wire.v1 import operator_pb2, operator_pb2_grpc

STAGES: Final = ("queued", "relayed", "delivered", "read", "shown")
_POLL_SECONDS = 0.05


def follow(
    stub: operator_pb2_grpc.OperatorServiceStub,
    serial: int,
    exercise: bool,
    stage: str,
    limit: float,
    *,
    quiet: bool,
    service: bool = False,
) -> tuple[operator_pb2.StatementView, Exit]:
    """Follow one statement until `stage` or until `limit` seconds have passed; each stage is printed unless `quiet`.

    Raises LocalError if the terminal no longer knows it.
    """
    request = operator_pb2.ListStatementsRequest(exercise=exercise, service=service, sent=True, serial=serial)
    end = time.monotonic() + limit
    seen = "queued"
    while True:
        found = stub.ListStatements(request).statement
        if not found:
            raise LocalError(f"#{serial} is not known to this terminal any more; look at `hotline sent`")
        view = found[0]
        if view.state == "renumbered":
            # This terminal had lost state: the statement goes on under the serial that the reason names.
            if not quiet:
                line(f"#{serial:04d} is said again as #{int(view.reason):04d}")
            serial, seen = int(view.reason), "queued"
            request.serial = serial
            continue
        if view.state == "expired":
            if not quiet:
                line(f"#{serial:04d} EXPIRED: {view.reason}")
            return view, Exit.UNACKNOWLEDGED
        if view.state != seen and not quiet:
            print_stages(view, seen)
        seen = view.state
        if STAGES.index(view.state) >= STAGES.index(stage):
            return view, Exit.DONE
        if time.monotonic() >= end:
            return view, _late(stub, view, stage, quiet=quiet)
        time.sleep(_POLL_SECONDS)


def print_stages(view: operator_pb2.StatementView, seen: str) -> None:
    """The stages after `seen`, each with its time and who says so."""
    signed = f"signed by {the_other_side(view.to_party, view.window, sent=True)}'s terminal"
    to = f"to {view.shown_to}, " if view.shown_to else "to the principal "
    rows = (
        ("relayed", view.relayed_ms, f"held by {view.relayed_by}"),
        ("delivered", view.delivered_ms, signed),
        ("read", view.read_ms, f"by {view.read_by}, {signed}"),
        ("shown", view.shown_ms, f"{to}by {view.shown_by}, {signed}"),
    )
    for stage, at, by in rows:
        if at and STAGES.index(stage) > STAGES.index(seen):
            line(f"  {stage:10} {clock(at)}  {safe_line(by)}")


def late_words(view: operator_pb2.StatementView, reason: str) -> str:
    """What became of it so far, whether it is still under way, and the command that tells more."""
    stays = "It stays queued. " if view.state in ("queued", "relayed") else ""
    plane = " --exercise" if view.exercise else ""
    command = "hotline service sent" if view.service else f"hotline sent {view.serial}{plane}"
    return f"#{view.serial:04d} is {view.state}: {reason}. {stays}Watch: {command}"


def _late(
    stub: operator_pb2_grpc.OperatorServiceStub,
    view: operator_pb2.StatementView,
    stage: str,
    *,
    quiet: bool,
) -> Exit:
    link = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)["link"]
    no_path = link != "up" and view.state in ("queued", "relayed")
    reason = "no path to the peer" if no_path else f"not {stage} in time"
    if not quiet:
        line(late_words(view, reason))
    return Exit.NO_PATH if no_path else Exit.UNACKNOWLEDGED
