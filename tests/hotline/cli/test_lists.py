"""Lists that are longer than what is shown of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from hotline.limits import LISTED_MAX
from hotline.wire.v1 import operator_pb2
from tests.hotline.cli.conftest import Run


class Terminal:
    """Has so many statements, and lists as many as it is asked for, the newest."""

    def __init__(self, count: int, elsewhere: int = 0) -> None:
        self._count = count
        self._elsewhere = elsewhere

    def GetStatus(self, request: Any) -> Any:  # noqa: N802
        del request
        waiting = {"BRAVO": self._count, "CHARLIE": self._elsewhere, "DELTA": 0}
        parties = [{"party": name, "unread_here": [1][:count], "unread_more": max(0, count - 1)}
                   for name, count in waiting.items()]  # fmt: skip
        picture = {"peer": {"party": "BRAVO"}, "parties": parties if self._elsewhere else []}
        return operator_pb2.GetStatusResponse(json=json.dumps(picture))

    def ListStatements(self, request: Any) -> Any:  # noqa: N802
        first = max(1, self._count - min(request.limit, LISTED_MAX) + 1)
        views = [
            operator_pb2.StatementView(serial=serial, precedence=1, kind=1, direction=1, state="unread")  # type: ignore[arg-type]
            for serial in range(first, self._count + 1)
        ]
        return operator_pb2.ListStatementsResponse(statement=views)


def _serve(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    @contextlib.contextmanager
    def daemon(socket: str | None) -> Iterator[Terminal]:
        yield terminal

    monkeypatch.setattr("hotline.cli.officer.daemon", daemon)


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

    _serve(monkeypatch, Terminal(count))
    done = run(*words, "--limit", limit)
    rows = [line for line in done.out.splitlines() if line[:4].isdigit()]
    assert (done.code, len(rows), int(rows[-1][:4])) == (0, shown, count)
    assert done.out.splitlines()[-1].startswith(said or rows[-1])
    assert len(run(*words, "--limit", limit, "--json").out.splitlines()) == shown


@pytest.mark.parametrize("count", [0, 2])
def test_what_waits_at_another_window_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Of several parties an officer sees one, and a FLASH of another would wait for nobody (docs/protocol.md 26.8)."""
    _serve(monkeypatch, Terminal(count, elsewhere=3))
    for words in (("inbox",), ("inbox", "--unread")):
        assert run(*words).out.splitlines()[-1] == "3 to read at the window of CHARLIE"
    assert "window" not in run("sent").out
    assert all(line.startswith("{") for line in run("inbox", "--json").out.splitlines())
