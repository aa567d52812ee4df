"""Exit codes: one table, the same for every command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn

import click

from hotline.errors import (
    ConfigError,
    HotlineError,
    KeyFileError,
    LocalError,
    PolicyError,
    RemoteError,
    StorageError,
    TextError,
)
from hotline.safetext import safe_block


class Exit(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    FIXABLE = 1
    USAGE = 2
    NO_PATH = 3
    UNTRUSTED = 4
    UNACKNOWLEDGED = 5
    TAMPERED = 6
    DRILL_BROKEN = 7
    REFUSED = 8
    STORE = 9
    UNDECIDED = 10
    INTERNAL = 70
    INTERRUPTED = 130


TABLE = (
    (PolicyError, Exit.REFUSED),
    (KeyFileError, Exit.STORE),
    (ConfigError, Exit.FIXABLE),
    (TextError, Exit.FIXABLE),
    (LocalError, Exit.FIXABLE),
    (RemoteError, Exit.UNTRUSTED),
    (StorageError, Exit.STORE),
    (HotlineError, Exit.FIXABLE),
)
"""The first class that fits decides."""


def exit_for(error: BaseException) -> Exit:
    """The exit code that an error stands for."""
    return next((code for kind, code in TABLE if isinstance(error, kind)), Exit.INTERNAL)


def leave(code: Exit, text: str = "") -> NoReturn:
    """End the command with one clear text on stderr."""
    if text:
        click.echo(safe_block(text), err=True)
    sys.exit(int(code))


def guarded(command: Callable[[], Any]) -> NoReturn:
    """Run a whole program and turn what it raises into a text and an exit code."""
    try:
        command()
    except HotlineError as error:
        leave(exit_for(error), f"{error}")
    except KeyboardInterrupt:
        leave(Exit.INTERRUPTED, "interrupted; what was accepted stays queued")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(int(Exit.DONE))
    sys.exit(int(Exit.DONE))
