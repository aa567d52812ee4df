"""What commands print of a statement whose text is gone: no word that no schema has, and nothing made up."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from hotline.cli.officer import _precedence_of, _print_list
from hotline.cli.output import print_statement, statement_json
from hotline.cli.service import print_talk, talk_json
from hotline.machine import Instant, Output, Plane, Put
from hotline.protocol.neutral import NON_PAPER
from hotline.runtime.views import StatementViews
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.runtime.store_writer import open_store
from tests.schemas import printed

NOW = Instant(1, 1_700_000_000_000)
MONTH = "2023-11"
LOST = {"precedence": None, "kind": None, "mode": None, "dir": None, "text": None}


def _destroyed(folder: Path, plane: Plane) -> operator_pb2.StatementView:
    statement = content_pb2.Statement(serial=1, precedence=1, kind=1, direction=1, language="en", text="gone")  # type: ignore[arg-type]
    row = {"plane": plane.value, "serial": 1, "content": encode(statement), "signature": bytes(64), "hash": bytes(32)}
    with closing(open_store(folder)) as store:
        store.commit([Output(changes=[Put("received", {**row, "at": NOW.wall}), Put("sent", row)])], NOW)
        assert store.keys.destroy(MONTH)
        (view,) = StatementViews(store).received(plane, "WHERE plane=?", (plane.value,))
    return view


def test_what_went_with_the_text_is_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that reads lists by their schema stopped on the first destroyed text, and a non-paper counted as of
    record (docs/protocol.md 13.20, 22.7).
    """
    view = _destroyed(tmp_path, Plane.REAL)
    (told,) = printed(json.dumps(statement_json(view)))
    assert {name: told[name] for name in LOST} == LOST
    print_statement(view)
    _print_list([view], "")
    shown = capsys.readouterr().out
    assert "what it said is gone from here" in shown
    assert "1970" not in shown
    assert "UNSPECIFIED" not in shown
    view.kind = NON_PAPER  # its own key is gone, and the month's is not
    (told,) = printed(json.dumps(statement_json(view)))
    assert (told["kind"], told["mode"], told["precedence"]) == ("without-prejudice", "without-prejudice", None)


def test_so_it_is_with_talk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same on the service channel (docs/protocol.md 13.20, 25.1)."""
    view = _destroyed(tmp_path, Plane.SERVICE)
    (told,) = printed(json.dumps(talk_json(view)))
    assert (told["kind"], told["text"]) == (None, None)
    print_talk(view)
    assert "what it said is gone from here" in capsys.readouterr().out


def test_what_corrects_a_text_that_is_gone_is_routine(tmp_path: Path) -> None:
    """An urgency that is no word was handed to the terminal, which refused the correction (docs/protocol.md 8.10)."""
    view = _destroyed(tmp_path, Plane.REAL)

    class Stub:
        def ListStatements(self, request: object) -> operator_pb2.ListStatementsResponse:  # noqa: N802
            del request
            return operator_pb2.ListStatementsResponse(statement=[view])

    assert _precedence_of(Stub(), False, 1) == "routine"  # type: ignore[arg-type]
    view.precedence = content_pb2.PRECEDENCE_FLASH
    assert _precedence_of(Stub(), False, 1) == "flash"  # type: ignore[arg-type]
