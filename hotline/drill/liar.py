"""A lying relay as a program of its own, and the inject that makes it lie: `python -m hotline.drill.liar run`.

It is the relay's daemon with another machine. What it lies about is said through a Unix socket in its folder, one JSON
line each way; without a word it is honest.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from pydantic import Field, ValidationError

from hotline.config import Settings
from hotline.drill import injects
from hotline.drill.lies import DELAY_MS, UNTOLD, How, Lie, LyingRelay
from hotline.drill.scene import PERFORMERS, PREPARERS, Scene, Undo
from hotline.errors import HotlineError, LocalError, StorageError
from hotline.runtime.logs import set_up_logs
from relay.config import RelayConfig, load_relay_config
from relay.relayd import Materials, load_materials, serve

SOCKET: Final = "liar.sock"
MODULE: Final = "hotline.drill.liar"
_LINE_MAX: Final = 4_096
_ANSWERS_WITHIN: Final = 2.0
_EXIT_STORE: Final = 9
_EXIT_FIXABLE: Final = 1
"""The codes that the relay's own command has for the same errors."""


class _Word(Settings):
    """What the socket is told."""

    how: How
    share: int = Field(default=1, ge=1)
    delay_ms: int = Field(default=DELAY_MS, ge=0)


# --- the program ------------------------------------------------------------------------------------------------------


class _Prompter:
    """Who tells the machine what to lie about."""

    def __init__(self) -> None:
        self.machine: LyingRelay | None = None

    def make(self, *arguments: Any) -> LyingRelay:
        """As `Relay` is constructed."""
        self.machine = LyingRelay(*arguments)
        return self.machine

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line, one answer."""
        line = await reader.readline()
        writer.write(json.dumps(self._obey(line)).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _obey(self, line: bytes) -> dict[str, object]:
        try:
            word = _Word.model_validate_json(line)
        except ValidationError as error:
            return {"error": f"not a lie: {error.errors()[0]['msg']}"}
        if self.machine is None:
            return {"error": "the relay is not ready yet"}
        told = dict(self.machine.told)
        self.machine.tell(Lie(word.how, word.share, word.delay_ms))
        return {"told": told}


async def _serve(config: RelayConfig, materials: Materials, place: Path) -> None:
    prompter = _Prompter()
    async with await asyncio.start_unix_server(prompter.answer, place, limit=_LINE_MAX):
        await serve(config, materials, prompter.make)


@click.group()
def cli() -> None:
    """A relay for drills that lies when it is told to. Never for a real hotline."""


@cli.command()
@click.option("--config", "path", type=click.Path(path_type=Path), required=True, metavar="FILE")
def run(path: Path) -> None:
    """Run in the foreground until SIGTERM or Ctrl-C; the arguments are those of `hotline-relay run`."""
    try:
        config = load_relay_config(path)
        set_up_logs(config.log.level, config.log.format)
        place = path.absolute().parent / SOCKET
        place.unlink(missing_ok=True)
        asyncio.run(_serve(config, load_materials(config), place))
    except HotlineError as error:
        click.echo(str(error), err=True)
        sys.exit(_EXIT_STORE if isinstance(error, StorageError) else _EXIT_FIXABLE)


# --- the inject -------------------------------------------------------------------------------------------------------


def tell(folder: Path, how: How, share: int = 1, delay_ms: int = DELAY_MS) -> dict[str, int]:
    """Tell the lying relay of `folder` what to do from now on; how many lies of each kind it has told since its start.

    Raises LocalError if it does not run or does not answer.
    """
    word = _Word(how=how, share=share, delay_ms=delay_ms).model_dump_json().encode()
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(_ANSWERS_WITHIN)
            channel.connect(str(folder / SOCKET))
            channel.sendall(word + b"\n")
            with channel.makefile("rb") as stream:
                answer = json.loads(stream.readline(_LINE_MAX))
    except (OSError, ValueError) as error:
        raise LocalError(f"{folder.name} cannot be told what to lie about: {error}") from error
    if "error" in answer:
        raise LocalError(f"{folder.name} cannot be told what to lie about: {answer['error']}")
    return dict(answer["told"])


def prepare(scene: Scene) -> None:
    """Relays that are to lie are started as liars; they are honest until then."""
    for inject in scene.plan.inject:
        if isinstance(inject, injects.Lie):
            scene.stage.module[inject.target] = MODULE


def lie(inject: injects.Lie, scene: Scene) -> Undo:
    """The relay lies from now on, whatever it lied about before; undone, it is honest. Raises LocalError."""
    folder = scene.stage.folder_of(inject.target)
    before = tell(folder, inject.how, inject.share).get(inject.how, 0)
    scene.kept[f"lie of {inject.target}"] = inject
    return partial(_confess, inject, scene, before, scene.stage.pid(inject.target))


def _confess(inject: injects.Lie, scene: Scene, before: int, liar: int) -> None:
    """The newest lie of a relay ends; an older one was over when the newer began.

    A lie that found no envelope has failed, unless another process than `liar` is asked, or the drill is given up.
    """
    if scene.kept.get(f"lie of {inject.target}") is not inject:
        return
    del scene.kept[f"lie of {inject.target}"]
    try:
        told = tell(scene.stage.folder_of(inject.target), "honest").get(inject.how, 0)
    except LocalError:
        return  # it has gone; started again it is honest
    scene.note(f"{inject.target} lied ({inject.how}) about {max(0, told - before)} envelopes")
    if told == before and scene.stage.pid(inject.target) == liar and not scene.stage.given_up:
        scene.failed(inject, UNTOLD)


PERFORMERS["lie"] = lie
PREPARERS.append(prepare)

if __name__ == "__main__":
    cli()
