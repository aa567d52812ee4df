"""`hotline draft` and `hotline release`: what two officers have read and signed before it is said.

A signature is made here, in the officer's own command, over the text that is on the screen; the daemon gets no key.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from hotline.charter.mandates import read_mandate
from hotline.cli.addressed import Addressed, addressed_options
from hotline.cli.artefacts import can_ask, now_ms
from hotline.cli.draftview import draft_json, plane_of, print_draft, state_of, statement_of
from hotline.cli.exits import Exit, agree, leave, need_accepted
from hotline.cli.follow import STAGES, follow
from hotline.cli.groups import Commands, Said
from hotline.cli.officer import exercise_option, json_option, socket_option
from hotline.cli.officerkeys import officer_file, officer_key, secret_option
from hotline.cli.output import (
    duration_ms,
    line,
    precedence_word,
    print_json,
    statement_json,
)
from hotline.cli.textinput import before_typing
from hotline.cli.wording import NOT_IN_TRANSLATIONS, Wording, wording
from hotline.errors import KeyFileError, TextError
from hotline.files import naming, read_public
from hotline.protocol.release import ROLES, sign_release
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import content_pb2, operator_pb2, operator_pb2_grpc

_PRECEDENCES: Final = ("routine", "priority", "immediate", "flash")
_ROLE_NAMES: Final = tuple(ROLES.values())
Stub = operator_pb2_grpc.OperatorServiceStub
CommandT = TypeVar("CommandT", bound=Callable[..., Any])

number_argument = click.argument("number", type=click.IntRange(1), metavar="DRAFT")
key_option = click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Officer's key file, made by hotline key officer; the key may be in a token.",
)
mandate_option = click.option(
    "--mandate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="By what you act in this role, if your card does not say it: hotline key mandate.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask; for scripts and rehearsals.")


@click.group(cls=Commands)
def draft() -> None:
    """Statements before they are said: written by one officer, signed by those whom the charter asks for.

    \b
    1  hotline draft new "..." -p flash
    2  hotline draft sign 1 --key draft-1.officer.key        the drafter, by default
    3  hotline release 1 --key release-1.officer.key         the releaser; then it goes

    A translation that is to be sent begins as one with: hotline translate 4 --sent --draft --lang ur --translator NAME
    """


def _get(stub: Stub, number: int) -> tuple[operator_pb2.ListDraftsResponse, operator_pb2.DraftView]:
    """One draft, and what a signature on it is for."""
    answer = stub.ListDrafts(operator_pb2.ListDraftsRequest(number=number))
    _check(answer)
    if not answer.draft:
        leave(Exit.FIXABLE, f"there is no draft {number}: hotline draft list shows them")
    return answer, answer.draft[0]


def _check(answer: Any) -> None:
    """Leave with the daemon's sentence unless it did as it was asked."""
    need_accepted(answer)


def print_made(stub: Stub, number: int, *, as_json: bool) -> None:
    """A draft that was just made or changed: what it waits for, or all of it."""
    view = _get(stub, number)[1]
    if as_json:
        print_json(draft_json(view))
    else:
        line(f"draft {number}: {state_of(view)}")


@draft.command(cls=Said)
@wording
@click.option("--reply-to", type=click.IntRange(1), metavar="SERIAL", help="The peer's statement that this answers.")
@click.option("--corrects", type=click.IntRange(1), metavar="SERIAL", help="Our statement that it corrects: see -p.")
@click.option("--retracts", type=click.IntRange(1), metavar="SERIAL", help="Our statement that it takes back: see -p.")
@addressed_options
@exercise_option
@socket_option
@json_option
def new(
    reply_to: int | None,
    corrects: int | None,
    retracts: int | None,
    addressed: Addressed,
    exercise: bool,
    socket: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Write a draft (TEXT, `-` or nothing: standard input). Nothing is said by it.

    \b
    Examples:
      hotline draft new "Our exercise begins at 14:30." -p priority
      hotline draft new --lang ur --file statement.txt -p flash
      hotline draft new "It begins at 15:30, not at 14:30." -p priority --corrects 4
      hotline draft new --phrase B02 --fill number=17 -p flash

    What corrects or retracts has at least the precedence of what it names: give it with -p.
    """
    if corrects is not None and retracts is not None:
        raise TextError("a statement corrects or retracts, not both: nothing was kept")
    if given["phrase"] is None:
        before_typing(given["text"], given["file"], socket)
    request = Wording(**given).first()
    request.exercise, request.in_reply_to = exercise, reply_to or 0
    request.corrects, request.retracts = corrects or retracts or 0, retracts is not None
    addressed.write(request)
    with daemon(socket) as stub:
        answer = stub.MakeDraft(operator_pb2.MakeDraftRequest(statement=request))
        _check(answer)
        print_made(stub, answer.draft.number, as_json=as_json)


@draft.command(cls=Said)
@number_argument
@wording
@addressed_options
@click.option("--plain", is_flag=True, help="In words alone: without the phrase and the fields that the draft has.")
@socket_option
@json_option
def edit(number: int, plain: bool, addressed: Addressed, socket: str | None, as_json: bool, **given: Any) -> None:
    """Say an open draft otherwise. Who had signed it must sign again; its fields, phrase and addressees stay.

    Of a translation, text and language can change; original, grade, translator and precedence stay.

    \b
    Examples:
      hotline draft edit 1 "Our exercise begins at 15:30."
      hotline draft edit 1 --file statement.txt -p immediate
      hotline draft edit 1 "It begins at {time}." --field time=2026-11-25T11:00Z
      hotline draft edit 2 --fill number=18
      hotline draft edit 2 "It is seventeen ships." --plain
    """
    with daemon(socket) as stub:
        view = _get(stub, number)[1]
        old, said, request = statement_of(view), Wording(**given), operator_pb2.MakeDraftRequest(number=number)
        if old.HasField("translation"):
            if plain or any(addressed):
                raise TextError(NOT_IN_TRANSLATIONS)
            request.translation.CopyFrom(said.translation_instead_of(old))
            request.translation.exercise = view.draft.exercise
        else:
            request.statement.CopyFrom(said.instead_of(old, plain=plain))
            request.statement.exercise = view.draft.exercise
            addressed.write(request.statement, old)
        _check(stub.MakeDraft(request))
        print_made(stub, number, as_json=as_json)


@draft.command()
@number_argument
@socket_option
@json_option
def show(number: int, socket: str | None, as_json: bool) -> None:
    """Show a draft as it would be signed and said.

    \b
    Example:
      hotline draft show 1
    """
    with daemon(socket) as stub:
        view = _get(stub, number)[1]
    if as_json:
        print_json(draft_json(view))
    else:
        print_draft(view)


@draft.command(name="list")
@click.option("--all", "finished", is_flag=True, help="Those that were released or rejected as well.")
@socket_option
@json_option
def list_(finished: bool, socket: str | None, as_json: bool) -> None:
    """List drafts, and who has yet to sign them.

    \b
    Examples:
      hotline draft list
      hotline draft list --all --json
    """
    with daemon(socket) as stub:
        answer = stub.ListDrafts(operator_pb2.ListDraftsRequest(finished=finished))
    _check(answer)
    if as_json:
        for view in answer.draft:
            print_json(draft_json(view))
        return
    if not answer.draft:
        line("no drafts" if finished else "no open drafts")
        return
    line(f"{'DRAFT':7}{'PRECEDENCE':12}{'DRAFTER':17}STATE")
    for view in answer.draft:
        statement = statement_of(view)
        plane = "EXERCISE, " if view.draft.exercise else ""
        who = safe_line(statement.drafter, 16)
        line(f"{view.draft.number:<7}{precedence_word(statement.precedence):12}{who:17}{plane}{state_of(view)}")


def _sign(
    stub: Stub, number: int, role: str, key: Path, passphrase_file: Path | None, mandate: Path | None, *, ask: bool
) -> None:
    """Show the draft, ask, and hand in the signature on exactly what was shown."""
    answer, view = _get(stub, number)
    print_draft(view)
    line()
    officer_file(key)
    if view.draft.state in ("released", "rejected"):
        leave(Exit.FIXABLE, f"draft {number} is {state_of(view)}: nothing was done")
    if ask:
        if not can_ask():
            raise click.UsageError("no terminal to ask at: look at the draft, then give --yes")
        agree(f"Sign this as {role}?", "nothing was signed")
    paper = b"" if mandate is None else read_public(mandate)
    if mandate is not None:
        naming(mandate, lambda: read_mandate(paper))
    statement, named = statement_of(view), content_pb2.Role.Value(f"ROLE_{role.upper()}")
    with officer_key(key, passphrase_file) as (party, officer, signer):
        if party != answer.party:
            raise KeyFileError(f"{key}: the key of an officer of {party}; this terminal speaks for {answer.party}")
        release = sign_release(signer, plane_of(view), answer.charter, statement, officer, named, now_ms(), paper)
    signed = stub.SignDraft(operator_pb2.SignDraftRequest(number=number, release=release))
    _check(signed)
    line(signed.text)


@draft.command()
@number_argument
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    required=True,
    help="Your officer's key file; the key may be in a token.",
)
@click.option("--role", type=click.Choice(_ROLE_NAMES), default="drafter", show_default=True, help="As what you sign.")
@mandate_option
@secret_option
@yes_option
@socket_option
def sign(
    number: int,
    key: Path,
    role: str,
    mandate: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    socket: str | None,
) -> None:
    """Show a draft, ask, and sign it with your own key, which stays in this command.

    \b
    Examples:
      hotline draft sign 1 --key ALPHA.draft-1.officer.key
      hotline draft sign 1 --key ALPHA.release-1.officer.key --role releaser
      hotline draft sign 1 --key ALPHA.release-1.officer.key --role releaser --pin-file pin
      hotline draft sign 1 --key ALPHA.duty-3.officer.key --role releaser --mandate ALPHA.duty-3.releaser.mandate
    """
    with daemon(socket) as stub:
        _sign(stub, number, role, key, passphrase_file, mandate, ask=not yes)
        print_made(stub, number, as_json=False)


@draft.command()
@number_argument
@click.option("--reason", required=True, help="Why; it is kept with the draft and in the record.")
@socket_option
@json_option
def reject(number: int, reason: str, socket: str | None, as_json: bool) -> None:
    """Put a draft aside. It stays to be looked at, and cannot be released any more.

    \b
    Example:
      hotline draft reject 1 --reason "The hour is wrong."
    """
    with daemon(socket) as stub:
        _check(stub.RejectDraft(operator_pb2.RejectDraftRequest(number=number, reason=reason)))
        print_made(stub, number, as_json=as_json)


@click.command()
@number_argument
@key_option
@click.option("--role", type=click.Choice(_ROLE_NAMES), default="releaser", show_default=True, help="With --key.")
@mandate_option
@secret_option
@yes_option
@click.option("--wait", type=click.Choice(STAGES), default="queued", show_default=True, help="Wait until then.")
@click.option("--timeout", metavar="30s", help="How long to wait.  [default: 30s]")
@socket_option
@json_option
def release(
    number: int,
    key: Path | None,
    role: str,
    mandate: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    wait: str,
    timeout: str | None,
    socket: str | None,
    as_json: bool,
) -> None:
    """Say a draft that bears the signatures which the charter asks for. With --key, sign it first as releaser.

    \b
    Examples:
      hotline release 1 --key ALPHA.release-1.officer.key --wait delivered
      hotline release 1

    Exit 0 when the stage waited for is reached, 8 if signatures are missing; 3 and 5 as for hotline send.
    """
    limit = duration_ms(timeout, 30_000, "--timeout") / 1_000
    with daemon(socket) as stub:
        if key is not None:
            _sign(stub, number, role, key, passphrase_file, mandate, ask=not yes)
        exercise = _get(stub, number)[1].draft.exercise
        answer = stub.ReleaseDraft(operator_pb2.ReleaseDraftRequest(number=number))
        _check(answer)
        if not as_json:
            line(f"#{answer.serial:04d} released from draft {number} and queued, {answer.date_time_group}")
        view, code = follow(stub, answer.serial, exercise, wait, limit, quiet=as_json)
    if as_json:
        print_json(statement_json(view))
    sys.exit(int(code))
