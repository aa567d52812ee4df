"""`hotline log`: the chain of times that the log of a hotline keeps (docs/protocol.md 20.12)."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import click

from hotline.civil import date_time_group, iso_utc
from hotline.cli.exits import Exit, leave
from hotline.cli.officer import exercise_option, json_option, socket_option
from hotline.cli.output import corrected, line, precedence_word, print_json, unreleased
from hotline.protocol.neutral import NON_PAPER, UNATTENDED, VOIDS, kind_word
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import content_pb2, operator_pb2, operator_pb2_grpc

Stub = operator_pb2_grpc.OperatorServiceStub
View = operator_pb2.StatementView
_PAGE: Final = 64
"""Statements asked for at a time: so many of the longest are within what an answer may hold."""
_NO_ROW: Final = (*UNATTENDED, NON_PAPER, content_pb2.STATEMENT_KIND_TRANSLATION)
_SIGHT, _ROUGH, _OFFICIAL = (
    content_pb2.TRANSLATION_GRADE_SIGHT,
    content_pb2.TRANSLATION_GRADE_ROUGH,
    content_pb2.TRANSLATION_GRADE_OFFICIAL,
)


class Times(NamedTuple):
    """One row's times in Unix milliseconds; 0 where this terminal knows of none."""

    approved: int
    transmitted: int
    received: int
    sight: int
    shown: int
    rough: int
    official: int


_TITLES: Final = (
    ("", "", "", "APPRO-", "TRANS-", "RE-", "SIGHT", "SHOWN", "ROUGH", "OFFI-"),
    ("DATE-TIME GROUP", "WAY", "NO", "VED", "MITTED", "CEIVED", "", "", "", "CIAL"),
)
"""Over two lines, so that a row has room in the narrowest window: where one broke, a time stood in another column."""
_WIDTHS: Final = (15, 3, 4, 7, 7, 7, 7, 7, 7, 7)


def times(view: View) -> Times:
    """What is known of one statement, which has its translations with it."""

    def first(grade: content_pb2.TranslationGrade.ValueType) -> int:
        made = (one.made_ms for one in view.translation if one.grade == grade and not one.retracted)
        return min(made, default=0)

    return Times(
        approved=view.composed_ms if view.release and not unreleased(view) else 0,
        transmitted=view.transmitted_ms,
        received=view.delivered_ms if view.sent else view.received_ms,
        sight=first(_SIGHT),
        shown=view.shown_ms,
        rough=first(_ROUGH),
        official=first(_OFFICIAL),
    )


def _newest_first(stub: Stub, *, sent: bool, exercise: bool) -> Iterator[View]:
    """What one side has said, a page at a time as far as it is wanted."""
    before = 0
    while True:
        request = operator_pb2.ListStatementsRequest(exercise=exercise, sent=sent, limit=_PAGE, before=before)
        found = stub.ListStatements(request).statement
        yield from (view for view in reversed(found) if view.kind not in _NO_ROW)
        if len(found) < _PAGE:
            return
        before = found[0].serial


def _at(view: View) -> int:
    """When it was said, or came, by this terminal's clock; of what was destroyed, the next that is known."""
    if not view.sent:
        return view.received_ms
    return view.composed_ms or view.transmitted_ms or view.delivered_ms


def _one(stub: Stub, serial: int, *, sent: bool, exercise: bool) -> Iterator[View]:
    request = operator_pb2.ListStatementsRequest(exercise=exercise, sent=sent, serial=serial)
    yield from stub.ListStatements(request).statement


def _rows(stub: Stub, serial: int | None, ways: list[bool], limit: int, *, exercise: bool) -> list[View]:
    """The newest `limit` statements of those ways, oldest first, each with its translations."""
    if serial is not None:
        return [view for sent in ways for view in _one(stub, serial, sent=sent, exercise=exercise)]
    said = (_newest_first(stub, sent=sent, exercise=exercise) for sent in ways)
    newest = list(itertools.islice(heapq.merge(*said, key=_at, reverse=True), limit))
    for view in newest:
        for whole in _one(stub, view.serial, sent=view.sent, exercise=exercise) if view.translations else ():
            view.translation.extend(whole.translation)
    return newest[::-1]


@click.command()
@click.argument("serial", type=click.IntRange(1), required=False)
@click.option("--sent", "way", flag_value="sent", help="Only what this side said.")
@click.option("--received", "way", flag_value="received", help="Only what the peer said.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@exercise_option
@socket_option
@json_option
def log(serial: int | None, way: str | None, limit: int, exercise: bool, socket: str | None, as_json: bool) -> None:
    """The chain of times of what was said, one row per statement, both ways: approved, transmitted, received, sight
    translation, shown to the principal, rough and official translation.

    \b
    Examples:
      hotline log
      hotline log 3 --received
      hotline log --limit 100 --json

    Days, hours and minutes in UTC (DDHHMMZ); `-` where this terminal knows of no such time. Times are by this
    terminal's clock, but the peer's approvals and translations by the peer's.
    Channel tests, translations and what was said without prejudice have no row. Exit 1 if there is no such statement.
    """
    ways = [True, False] if way is None else [way == "sent"]
    with daemon(socket) as stub:
        views = _rows(stub, serial, ways, limit, exercise=exercise)
    if serial is not None and not views:
        leave(Exit.FIXABLE, f"there is no statement #{serial}: hotline sent and hotline inbox list them")
    if as_json:
        for view in views:
            print_json(log_json(view))
    else:
        print_log(views)


def print_log(views: list[View]) -> None:
    """The rows for people."""
    if not views:
        line("nothing was said")
        return
    for titles in _TITLES:
        _print_row(titles)
    for view in views:
        group, way = safe_line(view.date_time_group, 16), "out" if view.sent else "in"
        cells = (date_time_group(at)[:7] if at else "-" for at in times(view))
        _print_row((group, way, f"{view.serial:04d}", *cells))
        if remarks := ", ".join(_remarks(view)):
            line(f"{'':8}{remarks}")


def _print_row(cells: Sequence[str]) -> None:
    line(" ".join(f"{cell:{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip())


def _remarks(view: View) -> Iterator[str]:
    """What must be known of a statement wherever it is listed."""
    if unreleased(view):
        yield "NOT RELEASED"
    if view.kind in VOIDS:
        yield "WITHDRAWN"
    if view.state in ("expired", "renumbered"):
        yield view.state.upper()
    if view.corrected_by:
        yield corrected(view).upper()


def log_json(view: View) -> dict[str, Any]:
    """Schema hotline.log/1."""

    def time(unix_ms: int) -> str | None:
        return iso_utc(unix_ms) if unix_ms else None

    return {
        "schema": "hotline.log/1",
        "plane": "exercise" if view.exercise else "real",
        "way": "sent" if view.sent else "received",
        "serial": view.serial,
        "statement": view.statement.hex(),
        "from": view.from_party or None,
        "to": view.to_party or None,
        "dtg": view.date_time_group or None,
        "precedence": precedence_word(view.precedence).lower() if view.precedence else None,
        "kind": kind_word(view.kind) if view.kind else None,
        "state": view.state,
        "authority": view.authority or None,
        "corrected_by": view.corrected_by or None,
        "retracted": view.retracted,
        "composed": time(view.composed_ms),
        "read": time(view.read_ms),
        **{name: time(at) for name, at in times(view)._asdict().items()},
    }
