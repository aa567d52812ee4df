"""The options that say for whom a statement is (docs/protocol.md 8.13)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click

from hotline.wire.v1 import content_pb2, operator_pb2

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Addressed(NamedTuple):
    """What an officer gave of them."""

    action: tuple[str, ...]
    info: tuple[str, ...]
    reference: str

    def write(self, request: operator_pb2.SubmitRequest, old: content_pb2.Statement | None = None) -> None:
        """Into a request; where nothing was given, those of the wording before."""
        source = self if any(self) or old is None else Addressed(*_of(old))
        request.action.extend(source.action)
        request.info.extend(source.info)
        request.originator_reference = source.reference


def _of(old: content_pb2.Statement) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    return tuple(old.action), tuple(old.info), old.originator_reference


def addressed_options(command: CommandT) -> CommandT:
    """--action, --info and --reference; the command takes them together as `addressed`."""

    @wraps(command)
    def taking(action: tuple[str, ...], info: tuple[str, ...], reference: str, **rest: Any) -> Any:
        return command(addressed=Addressed(action, info, reference), **rest)

    made: Any = taking
    for option in (
        click.option("--reference", default="", metavar="TEXT", help="The originator's own reference."),
        click.option("--info", multiple=True, metavar="NAME", help="For whom it is, for information; several times."),
        click.option("--action", multiple=True, metavar="NAME", help="For whom it is, for action; several times."),
    ):
        made = option(made)
    wrapped: CommandT = made
    return wrapped
