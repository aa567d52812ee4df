"""A text that somebody hands in: as an argument, from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from hotline.errors import TextError
from hotline.limits import TEXT_BYTES_MAX
from hotline.wire.v1 import content_pb2

_RTL: Final = frozenset({"ar", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"})


def direction_of(language: str, given: str | None) -> content_pb2.Direction.ValueType:
    """The writing direction that was `given`, else that of the language."""
    way = given or ("rtl" if language.split("-")[0].lower() in _RTL else "ltr")
    return content_pb2.Direction.Value(f"DIRECTION_{way.upper()}")


def _typed(words: str | None, file: Path | None) -> bool:
    """Whether somebody at a terminal is about to type the text."""
    return words in (None, "-") and file is None and sys.stdin.isatty()


def before_typing(words: str | None, file: Path | None, socket: str | None) -> None:
    """Whoever is about to type a text is told first where no daemon is there to take it. Raises HotlineError."""
    if _typed(words, file):
        from hotline.runtime.client import daemon  # loads gRPC, which those that only read a text need not
        from hotline.wire.v1 import operator_pb2

        with daemon(socket) as stub:
            stub.GetStatus(operator_pb2.GetStatusRequest())


def read_text(words: str | None, file: Path | None) -> str:
    """The text: argument, --file, or standard input. Raises TextError."""
    if words is not None and words != "-" and file is not None:
        raise click.UsageError("give the text as an argument or with --file, not both")
    if words is not None and words != "-":
        return words
    name = str(file) if file is not None else "standard input"
    try:
        if file is not None:
            if file.exists() and not file.is_file():
                raise TextError(f"{file}: not a plain file; nothing was queued")
            with file.open("rb") as handle:
                data = handle.read(TEXT_BYTES_MAX + 2)
        else:
            if _typed(words, file):
                click.echo("Type the text; end with Ctrl-D on an empty line.", err=True)
            data = sys.stdin.buffer.read(TEXT_BYTES_MAX + 2)
        if len(data.removesuffix(b"\n")) > TEXT_BYTES_MAX:
            raise TextError(f"{name}: longer than {TEXT_BYTES_MAX} bytes; nothing was queued; send it in parts")
        text = data.decode()
    except FileNotFoundError as error:
        raise TextError(f"{name}: no such file; nothing was queued") from error
    except UnicodeDecodeError as error:
        raise TextError(f"{name}: not UTF-8 at byte {error.start}; nothing was queued") from error
    except OSError as error:
        raise TextError(f"{name}: {error.strerror}; nothing was queued") from error
    return text.removesuffix("\n")
