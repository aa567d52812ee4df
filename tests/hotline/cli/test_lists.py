"""Lists that are longer than what is shown of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from hotline.limits import LISTED_MAX
from hotline.wire.v1 import operator_pb2
from tests.hotline.cli.conftest import Run


class Terminal:
    """Has so many statements, and lists as many as it is asked for, the newest."""

    def __init__(self, count: int) -> None:
        self._count = count

    def ListStatements(self, request: Any) -> Any:  # noqa: N802
        first = max(1, self._count - min(request.limit, LISTED_MAX) + 1)
        views = [
            operator_pb2.StatementView(serial=serial, precedence=1, kind=1, direction=1, state="unread")  # type: ignore[arg-type]
            for serial in range(first, self._count + 1)
        ]
        return operator_pb2.ListStatementsResponse(statement=views)


@pytest.mark.parametrize("words", [("inbox", "--unread"), ("inbox",), ("sent",), ("service", "inbox")])
@pytest.mark.parametrize(
    ("count", "limit", "shown", "said"),
    [
        (20, 20, 20, ""),
        (21, 20, 20, "older ones are not listed: --limit 500"),
        (499, 499, 499, ""),
        (500, 499, 499, "older ones are not listed"),
        (900, 500, 500, "there may be older ones: no more than 500 are listed"),
    ],
)
def test_what_is_not_listed_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], count: int, limit: int, shown: int, said: str
) -> None:
    """An officer would take the newest twenty unread statements for all of them, and an old FLASH would wait."""

    @contextlib.contextmanager
    def daemon(socket: str | None) -> Iterator[Terminal]:
        yield Terminal(count)

    monkeypatch.setattr("hotline.cli.officer.daemon", daemon)
    done = run(*words, "--limit", limit)
    rows = [line for line in done.out.splitlines() if line[:4].isdigit()]
    assert (done.code, len(rows), int(rows[-1][:4])) == (0, shown, count)
    assert done.out.splitlines()[-1].startswith(said or rows[-1])
    assert len(run(*words, "--limit", limit, "--json").out.splitlines()) == shown
