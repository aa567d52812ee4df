"""Exit codes: one table, the same for every command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import NoReturn, Protocol, TextIO

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


DEBUG_VARIABLE = "HOTLINE_DEBUG"
"""Set to anything, it shows the traceback of an internal fault."""


def exit_for(error: BaseException) -> Exit:
    """The exit code that an error stands for."""
    return next((code for kind, code in TABLE if isinstance(error, kind)), Exit.INTERNAL)


def leave(code: Exit, text: str = "") -> NoReturn:
    """End the command with one clear text on stderr."""
    if text:
        with read_or_not(sys.stderr):
            click.echo(safe_block(text), err=True)
    sys.exit(int(code))


class Answer(Protocol):
    """What every answer of the operator interface to an act says."""

    accepted: bool
    code: str
    text: str


def need_accepted(answer: Answer, otherwise: Exit = Exit.FIXABLE) -> None:
    """End the command if the daemon did not accept: 8 for what is refused by policy, `otherwise` for anything else."""
    if not answer.accepted:
        leave(Exit.REFUSED if answer.code == "policy" else otherwise, answer.text)


def _silence(stream: TextIO) -> None:
    """Its reader has gone; nothing can be said to it any more, not even by the interpreter at its end."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


@contextlib.contextmanager
def read_or_not(stream: TextIO) -> Iterator[None]:
    """For what goes on without a reader: that `stream` is a closed pipe or terminal ends nothing, now and later."""
    try:
        yield
    except OSError:
        _silence(stream)


def agree(question: str, otherwise: str) -> None:
    """Ask; end the command with 1 and `otherwise` where the answer is no. Only Ctrl-C is an interruption."""
    if not click.confirm(question, err=True):
        leave(Exit.FIXABLE, otherwise)


def open_streams() -> None:
    """Standard streams that were closed before the program began: nothing is read, and what is written is lost.

    Otherwise the next file that is opened, a store perhaps, would take their place, and a library's words.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _client() -> ModuleType | None:
    """How commands speak with a daemon; loaded by those only that do."""
    return sys.modules.get("hotline.runtime.client")


def _queued() -> str:
    """What to say of a command that ends early: nothing, unless it had spoken with the daemon."""
    client = _client()
    return "; what was accepted stays queued" if client is not None and client.turned_to else ""


def guarded(program: click.Command) -> NoReturn:
    """Run a whole program and turn whatever it raises into a text and an exit code."""
    open_streams()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by hotline.cli.start, until somebody listens
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if (client := _client()) is not None:
        client.turned_to.clear()
    try:
        program.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort as aborted:
        if aborted.__cause__ is None:  # a question that nobody answered stands on this line; click ends it after Ctrl-C
            click.echo(err=True)
        leave(Exit.INTERRUPTED, f"interrupted{_queued()}")
    except click.ClickException as error:
        error.show()
        sys.exit(int(Exit.USAGE))
    except HotlineError as error:
        leave(exit_for(error), str(error))
    except KeyboardInterrupt:
        leave(Exit.INTERRUPTED, f"interrupted{_queued()}")
    except BrokenPipeError:
        _silence(sys.stdout)
        sys.exit(int(Exit.DONE))
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        if isinstance(error, OSError) and error.strerror:  # a full disk, a folder of somebody else
            leave(Exit.FIXABLE, f"{error.filename or 'what is to be written'}: {error.strerror}{_queued()}")
        store = sys.modules.get("sqlite3")  # loaded by those commands only that read one
        if store is not None and isinstance(error, store.Error):
            leave(Exit.STORE, f"a store cannot be read ({error}); run hotline audit verify on a copy of it")
        leave(Exit.INTERNAL, f"internal fault: {type(error).__name__}; set {DEBUG_VARIABLE}=1 to see where{_queued()}")
    sys.exit(int(Exit.DONE))
