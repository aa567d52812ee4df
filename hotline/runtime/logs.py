"""Structured logs on stderr. Bodies, keys and passphrases never reach them, foreign text only through safe-text."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from hotline.safetext import safe_line

SECRET_FIELDS: Final = frozenset({"text", "body", "content", "key", "seed", "secret", "passphrase", "pin", "pairwise"})
_REDACTED: Final = "(not logged)"

Logger = structlog.typing.FilteringBoundLogger


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name in SECRET_FIELDS and name != "event":
            event[name] = _REDACTED
        elif isinstance(value, bytes):
            event[name] = value.hex()
        elif isinstance(value, str):
            event[name] = str(safe_line(value))
    return event


def set_up_logs(level: str, form: str) -> None:
    """Write logs of `level` and above: JSON where stderr is no terminal (or `form` is json), key=value otherwise."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.processors.LogfmtRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger(part: str) -> Logger:
    """The log of one part of the program."""
    logger: Logger = structlog.get_logger(part=part)
    return logger
