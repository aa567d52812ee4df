"""`hotline checklist`: what a watch does step by step, and the record of it (docs/protocol.md 25.12)."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import click
from pydantic import Field

from hotline.cli.exits import Exit, leave, need_accepted
from hotline.cli.groups import Commands
from hotline.cli.officer import json_option, socket_option
from hotline.cli.output import line, print_json
from hotline.config import Settings, parse_toml
from hotline.errors import ConfigError
from hotline.files import read_public
from hotline.limits import CHECKLIST_STEPS_MAX
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import operator_pb2

_FILE_MAX: Final = 65_536


class Step(Settings):
    """One step: what is done, and the command that does it, if there is one."""

    text: Annotated[str, Field(min_length=1, max_length=300)]
    command: Annotated[str, Field(max_length=200)] = ""


class Checklist(Settings):
    """A file of schema hotline.checklist/1."""

    schema_: Annotated[str, Field(alias="schema", pattern=r"^hotline\.checklist/1$")]
    title: Annotated[str, Field(min_length=1, max_length=100)]
    step: Annotated[list[Step], Field(min_length=1, max_length=CHECKLIST_STEPS_MAX)]


def shipped() -> list[str]:
    """Names of the checklists that come with the program."""
    folder = resources.files("hotline.cli") / "checklists"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load(name: str) -> tuple[str, bytes, Checklist]:
    """Name, bytes and content of a shipped checklist or of a file. Raises ConfigError with what to do."""
    path = Path(name)
    if name in shipped():
        data = (resources.files("hotline.cli") / "checklists" / f"{name}.toml").read_bytes()
    elif path.suffix == ".toml" and path.is_file():
        data = read_public(path, _FILE_MAX)
    else:
        raise ConfigError(f"{name}: no such checklist; one of {', '.join(shipped())}, or a file that ends in .toml")
    return path.stem, data, parse_toml(path, data, Checklist, {})


@click.group(cls=Commands)
def checklist() -> None:
    """What a watch does step by step: opening it, a FLASH, a silent line, a handover, suspected tampering.

    \b
    Example:
      hotline checklist run opening-the-watch
    """


@checklist.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The checklists that come with the program. Your own are files of the same form.

    \b
    Example:
      hotline checklist list
    """
    for name in shipped():
        _, _, content = load(name)
        if as_json:
            print_json(_json(name, content, []))
        else:
            line(f"{name:22}{content.title}, {len(content.step)} steps")


@checklist.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Print checklist NAME, or the one in a file that ends in .toml.

    \b
    Examples:
      hotline checklist show flash-received
      hotline checklist show our-own.toml --json
    """
    name, _, content = load(name)
    if as_json:
        print_json(_json(name, content, []))
        return
    line(safe_line(content.title))
    for number, step in enumerate(content.step, 1):
        line(f"{number:3}  {_words(step)}")


@checklist.command()
@click.argument("name")
@click.option("--answer", "answers", multiple=True, metavar="ANSWER", help="done, or skip:REASON; one for each step.")
@socket_option
@json_option
def run(name: str, answers: tuple[str, ...], socket: str | None, as_json: bool) -> None:
    """Go through checklist NAME: each step is done, or skipped for a reason, and the whole is entered in the ledger.

    \b
    Examples:
      hotline checklist run opening-the-watch
      hotline checklist run our-own.toml --answer done --answer "skip:no linguist on duty"

    Ctrl-C ends it: what was done until then is entered, and the rest as open (exit 130); before the first answer
    nothing is. With --json the questions go to standard error.
    """
    name, data, content = load(name)
    given = [_answer(text) for text in answers]
    if given and len(given) != len(content.step):
        raise ConfigError(
            f"{name} has {len(content.step)} steps, and the answers given are {len(given)}; nothing was recorded"
        )
    done: list[tuple[str, str]] = given
    ended = False
    try:
        if not given:
            done = []
            _walk(content, done, err=as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo(err=True)
        ended = True
        if not done:
            leave(Exit.INTERRUPTED, "ended before the first answer; nothing was recorded")
    steps = done + [("open", "")] * (len(content.step) - len(done))
    request = operator_pb2.RecordChecklistRequest(name=name, file=hashlib.sha256(data).digest())
    request.step.extend(operator_pb2.ChecklistStep(outcome=outcome, reason=reason) for outcome, reason in steps)
    with daemon(socket) as stub:
        reply = stub.RecordChecklist(request)
    need_accepted(reply)
    if as_json:
        print_json(_json(name, content, steps))
    else:
        line(f"{reply.text}: {', '.join(f'{sum(1 for o, _ in steps if o == word)} {word}' for word in _WORDS)}")
    if ended:
        leave(Exit.INTERRUPTED, f"ended before step {len(done) + 1}; what was done is on record")


_WORDS = ("done", "skipped", "open")


def _walk(content: Checklist, done: list[tuple[str, str]], *, err: bool) -> None:
    """Ask each step; `done` holds what was answered, also when somebody ends it."""
    how = "Enter when done, or why the step is skipped; Ctrl-C ends it"
    click.echo(f"{safe_line(content.title)}: {how}", err=err)
    for number, step in enumerate(content.step, 1):
        click.echo(f"{number:3}  {_words(step)}", err=err)
        reason = str(click.prompt("     done", default="", show_default=False, prompt_suffix="> ", err=err)).strip()
        done.append(("skipped", reason) if reason else ("done", ""))


def _words(step: Step) -> str:
    return safe_line(step.text, 300) + (f"   [{safe_line(step.command, 200)}]" if step.command else "")


def _answer(text: str) -> tuple[str, str]:
    """Outcome and reason of `done` or `skip:REASON`. Raises ConfigError."""
    if text == "done":
        return "done", ""
    word, _, reason = text.partition(":")
    if word != "skip" or not reason.strip():
        raise ConfigError(f"{text}: an answer is done, or skip:REASON; nothing was recorded")
    return "skipped", reason.strip()


def _json(name: str, content: Checklist, steps: list[tuple[str, str]]) -> dict[str, Any]:
    """Schema hotline.checklist-run/1."""
    outcomes = steps or [("", "")] * len(content.step)
    return {
        "schema": "hotline.checklist-run/1",
        "name": name,
        "title": content.title,
        "steps": [
            {"text": step.text, "command": step.command or None, "outcome": outcome or None, "reason": reason or None}
            for step, (outcome, reason) in zip(content.step, outcomes, strict=True)
        ],
    }
