"""`hotline challenge`: was this really said, or received? (docs/protocol.md 25.5 to 25.8)"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click

from hotline.civil import iso_utc
from hotline.cli.exits import Exit, leave, need_accepted
from hotline.cli.groups import OneTouch
from hotline.cli.officer import exercise_option, json_option, socket_option
from hotline.cli.output import duration_ms, line, print_json
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import content_pb2, operator_pb2, operator_pb2_grpc

_POLL_SECONDS = 0.05
_VERDICTS: Final = {
    "yes": content_pb2.VERDICT_YES,
    "no": content_pb2.VERDICT_NO,
    "unknown": content_pb2.VERDICT_UNKNOWN,
}


@click.group(cls=OneTouch)
def challenge() -> None:
    """Ask the other side whether a statement is in its record: `hotline challenge SERIAL`.

    Its terminal answers by itself, out of its record and by the statement's name; its officers are told and may
    answer too.

    \b
    Examples:
      hotline challenge 3              did you say #3?
      hotline challenge 3 --sent       have you received our #3?
    """


@challenge.command()
@click.argument("serial", type=click.IntRange(1))
@click.option("--sent", is_flag=True, help="A statement of ours: have you received it?")
@click.option(
    "--wait",
    type=click.Choice(("none", "record", "officer")),
    default="record",
    show_default=True,
    help="Whose answer to wait for.",
)
@click.option("--timeout", metavar="30s", help="How long to wait.  [default: 30s]")
@exercise_option
@socket_option
@json_option
def ask(
    serial: int, sent: bool, wait: str, timeout: str | None, exercise: bool, socket: str | None, as_json: bool
) -> None:
    """Challenge statement SERIAL. The question and both answers are on record on both sides.

    \b
    Examples:
      hotline challenge ask 3
      hotline challenge ask 3 --wait officer --timeout 10m

    Exit 0 if every answer waited for is yes, 6 if one is no, 10 if one is unknown, 5 if none came in time: the
    question stays asked, and its silence is an alarm.
    """
    limit = duration_ms(timeout, 30_000, "--timeout") / 1_000
    with daemon(socket) as stub:
        answer = stub.AskChallenge(operator_pb2.AskChallengeRequest(exercise=exercise, serial=serial, sent=sent))
        need_accepted(answer)
        view = _await(stub, answer.serial, wait, limit)
    if as_json:
        print_json(challenge_json(view))
    else:
        for words in sentences(view):
            line(words)
    sys.exit(int(_verdict(view, wait)))


@challenge.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@socket_option
@json_option
def list_(limit: int, socket: str | None, as_json: bool) -> None:
    """Challenges of both sides and what came of them, newest last.

    \b
    Example:
      hotline challenge list
    """
    with daemon(socket) as stub:
        found = stub.ListChallenges(operator_pb2.ListChallengesRequest(limit=limit)).challenge
    if not found and not as_json:
        line("nothing was challenged")
    for view in found:
        if as_json:
            print_json(challenge_json(view))
        else:
            for words in sentences(view):
                line(words)


@challenge.command()
@click.argument("serial", type=click.IntRange(1))
@click.option(
    "--answer", type=click.Choice(tuple(_VERDICTS)), default="yes", show_default=True, help="Was it said, or received?"
)
@click.option("--text", default="", help="A sentence to go with it.")
@socket_option
def confirm(serial: int, answer: str, text: str, socket: str | None) -> None:
    """Answer challenge SERIAL of the other side, by your name: a person's word beside the record's.

    \b
    Examples:
      hotline challenge confirm 2
      hotline challenge confirm 2 --answer no --text "Nobody here has said this. Stop and call us."
    """
    request = operator_pb2.AnswerChallengeRequest(serial=serial, verdict=_VERDICTS[answer], text=text)
    with daemon(socket) as stub:
        reply = stub.AnswerChallenge(request)
    need_accepted(reply)
    line(f"challenge #{serial:04d} answered: {answer}")


def _await(
    stub: operator_pb2_grpc.OperatorServiceStub, serial: int, wait: str, limit: float
) -> operator_pb2.ChallengeView:
    """The challenge once whoever is waited for has answered, or as it is when time is over."""
    end = time.monotonic() + limit
    while True:
        found = stub.ListChallenges(operator_pb2.ListChallengesRequest(limit=500)).challenge
        view = next((one for one in found if one.way == "asked" and one.serial == serial), None)
        if view is None:
            leave(Exit.UNACKNOWLEDGED, f"SERVICE #{serial} is asked; too many challenges came since to follow it")
        done = {"none": True, "record": bool(view.record), "officer": bool(view.record and view.officer)}[wait]
        if done or time.monotonic() >= end:
            return view
        time.sleep(_POLL_SECONDS)


def _verdict(view: operator_pb2.ChallengeView, wait: str) -> Exit:
    answers = [view.record, *([view.officer] if wait == "officer" or view.officer else [])]
    if "no" in answers:
        return Exit.TAMPERED
    if "unknown" in answers:
        return Exit.UNDECIDED
    return Exit.DONE if wait == "none" or all(answers) else Exit.UNACKNOWLEDGED


def sentences(view: operator_pb2.ChallengeView) -> list[str]:
    """A challenge in words."""
    plane = "EXERCISE " if view.exercise else ""
    what = f"{plane}#{view.named:04d} ({view.statement.hex()[:16]})"
    theirs = "asked" if view.way == "asked" else "were asked"
    verb = "received" if view.ours else "said"
    whose = "the other side's" if view.way == "asked" else "our"
    person = f"{safe_line(view.by)}: {view.officer.upper()}" if view.officer else "no person has answered"
    return [
        f"SERVICE challenge #{view.serial:04d} {iso_utc(view.time_ms)}: we {theirs} whether {what} was {verb}",
        f"  {whose} record: {view.record.upper() or 'no answer yet'}",
        f"  {'the other side' if view.way == 'asked' else 'here'}: {person}",
    ]


def challenge_json(view: operator_pb2.ChallengeView) -> dict[str, Any]:
    """Schema hotline.challenge/1."""
    return {
        "schema": "hotline.challenge/1",
        "way": view.way,
        "serial": view.serial,
        "time": iso_utc(view.time_ms),
        "plane": "exercise" if view.exercise else "real",
        "challenged": view.named,
        "question": "received" if view.ours else "said",
        "statement": view.statement.hex(),
        "record": view.record or None,
        "officer": view.officer or None,
        "by": view.by or None,
    }
