"""Structured logs on stderr. Bodies, keys and passphrases never reach them, foreign text only through safe-text."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

from hotline.safetext import safe_line

SECRET_FIELDS: Final = frozenset({"text", "body", "content", "key", "seed", "secret", "passphrase", "pin", "pairwise"})
_FIRST: Final = ("timestamp", "level", "part", "event")
"""What a line begins with where people read it; the rest is by its name."""
_REDACTED: Final = "(not logged)"

Logger = structlog.typing.FilteringBoundLogger


def _safe(value: object) -> object:
    """`value` as it may be written: whatever is not a number becomes safe text, tables and lists by their parts."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {
            str(safe_line(str(name))): _REDACTED if str(name) in SECRET_FIELDS else _safe(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(inner) for inner in value]
    return str(safe_line(str(value)))


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = _REDACTED if name in SECRET_FIELDS else _safe(value)
    return event


class _Unfailing:
    """A log that cannot be written (a full disk, a closed terminal) is lost, and costs nobody the line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def set_up_logs(level: str, form: str) -> None:
    """Write logs of `level` and above: JSON where stderr is no terminal (or `form` is json), key=value otherwise."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(_Unfailing(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


def get_logger(part: str) -> Logger:
    """The log of one part of the program."""
    logger: Logger = structlog.get_logger(part=part)
    return logger
