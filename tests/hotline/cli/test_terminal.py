"""`hotline terminal`: who is asked what before the daemon judges."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hotline.wire.v1 import operator_pb2
from tests.hotline.cli.conftest import Run


def _terminal(name: str, *, here: bool, speaks: bool) -> dict[str, Any]:
    heard = {"heard_ms_ago": None if here else 100, "paths_up": None if here else 3}
    told = {"by_rule": False, "travels": None, **heard}
    return {"party": "ALPHA", "terminal": name, "here": here, "speaks": speaks, "term": 0, **told}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The terminals that a daemon tells of; it refuses every change."""
    terminals: list[dict[str, Any]] = []

    def get_status(request: Any) -> Any:
        del request
        return operator_pb2.GetStatusResponse(json=json.dumps({"terminals": terminals}))

    def set_terminal(request: Any) -> Any:
        return SimpleNamespace(accepted=False, code="again", text=f"asked for {request.speak}: nothing was changed")

    @contextlib.contextmanager
    def daemon(socket: str | None) -> Iterator[Any]:
        del socket
        yield SimpleNamespace(GetStatus=get_status, SetTerminal=set_terminal)

    monkeypatch.setattr("hotline.cli.terminal.daemon", daemon)
    return terminals


@pytest.mark.parametrize(
    ("command", "speaks", "alone", "asked"),
    [
        ("takeover", True, False, False),
        ("takeover", True, True, False),
        ("takeover", False, False, True),
        ("stand-down", False, False, False),
        ("stand-down", True, True, False),
        ("stand-down", True, False, True),
    ],
)
def test_nobody_is_asked_for_what_is_refused_in_any_case(
    run: Run,
    desk: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    speaks: bool,
    alone: bool,
    asked: bool,
) -> None:
    """In a hurry an officer said yes to what his terminal did already, and was told so afterwards."""
    desk += [_terminal("main", here=True, speaks=speaks)]
    desk += [] if alone else [_terminal("alt", here=False, speaks=not speaks)]
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = run("terminal", command)
    assert ran.code == 1
    assert ("[y/N]" in ran.err) == asked
    assert ran.err.endswith("nothing was changed\n")
    assert ("asked for" in ran.err) != asked
    assert ("ALPHA/alt: " in ran.out) != alone
