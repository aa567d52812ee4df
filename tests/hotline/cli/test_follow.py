"""What is told of a statement that was waited for in vain."""

from __future__ import annotations

import pytest

from hotline.cli.follow import late_words, print_stages
from hotline.cli.output import print_statement, statement_json
from hotline.wire.v1 import operator_pb2


@pytest.mark.parametrize(
    ("state", "where", "words"),
    [
        ("queued", {}, "#0007 is queued: not read in time. It stays queued. Watch: hotline sent 7"),
        ("relayed", {}, "#0007 is relayed: not read in time. It stays queued. Watch: hotline sent 7"),
        ("delivered", {}, "#0007 is delivered: not read in time. Watch: hotline sent 7"),
        ("read", {"exercise": True}, "#0007 is read: not read in time. Watch: hotline sent 7 --exercise"),
        ("delivered", {"service": True}, "#0007 is delivered: not read in time. Watch: hotline service sent"),
    ],
)
def test_what_has_arrived_is_not_told_as_queued(state: str, where: dict[str, bool], words: str) -> None:
    """An officer would fear for a statement that the other side holds, or look for it on another plane."""
    view = operator_pb2.StatementView(serial=7, state=state, **where)
    assert late_words(view, "not read in time") == words


def test_the_rung_of_the_principal_names_whom_it_was_shown_to(capsys: pytest.CaptureFixture[str]) -> None:
    """The peer's officer says who has seen it, and its sender would not read that (docs/protocol.md 20.1)."""
    view = operator_pb2.StatementView(
        sent=True, serial=7, state="shown", to_party="BRAVO", shown_ms=5, shown_by="duty-2", shown_to="The\x1b Minister"
    )
    print_stages(view, "read")
    assert "to The⟦U+001B ESC⟧ Minister, by duty-2, signed by BRAVO's terminal" in capsys.readouterr().out


@pytest.mark.parametrize(("window", "who"), [("", "the other side"), ("CHARLIE", "CHARLIE")])
def test_among_several_one_signs_and_not_everybody(capsys: pytest.CaptureFixture[str], window: str, who: str) -> None:
    """A receipt of one would read as one of all, or of anybody (docs/protocol.md 26.5, 26.8)."""
    view = operator_pb2.StatementView(
        sent=True, serial=7, state="read", precedence=1, from_party="ALPHA", to_party="*", answered_by=3, window=window
    )
    view.delivered_ms, view.read_ms, view.read_by = 5, 6, "duty-2"
    print_statement(view)
    print_stages(view, "queued")
    shown = capsys.readouterr().out
    assert "*" not in shown
    assert "from ALPHA to all the others\n" in shown
    assert shown.count(f"signed by {who}'s terminal") == 2
    assert f"answered         by #0003 from {who}\n" in shown
    assert statement_json(view)["window"] == (window or None)
