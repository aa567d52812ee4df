"""What `hotline test` and `hotline watch` say of channel tests."""

from __future__ import annotations

import json

import pytest

from hotline.cli.channeltest import _json, _row
from hotline.cli.watching import _sentence
from hotline.wire.v1 import operator_pb2
from tests.hotline.cli.conftest import Run
from tests.schemas import printed

NOW = 1_795_000_000_000


def view(**fields: object) -> operator_pb2.StatementView:
    """A test as the daemon tells of it."""
    known: dict[str, object] = {"serial": 7, "composed_ms": NOW, "kind": 3, "statement": bytes(32)}
    return operator_pb2.StatementView(**(known | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("way", "statement", "outcome", "taken", "row"),
    [
        ("sent", view(sent=True, state="delivered", delivered_ms=NOW + 12), "delivered", 12, "0007  DELIVERED   12"),
        ("sent", view(sent=True, state="relayed", relayed_ms=NOW + 3), "relayed", None, "0007  RELAYED"),
        ("sent", view(sent=True, state="expired", reason="no relay took it"), "expired", None, "0007  EXPIRED"),
        ("received", view(received_ms=NOW - 40, state="shown"), "arrived", -40, "0007  ARRIVED     -40 by two clocks"),
        ("received", view(composed_ms=0, received_ms=NOW, reason="destroyed"), "arrived", None, "0007  ARRIVED"),
        ("missed", None, "missed", None, "MISSED"),
    ],
)
def test_history_invents_nothing(
    way: str, statement: operator_pb2.StatementView | None, outcome: str, taken: int | None, row: str
) -> None:
    """A time that nobody measured would end in a report on the line."""
    test = operator_pb2.ChannelTest(time_ms=NOW, way=way, statement=statement)
    (told,) = printed(json.dumps(_json(test)))
    assert (told["way"], told["outcome"], told["delivery_ms"]) == (way, outcome, taken)
    assert told["serial"] == (7 if statement else None)
    line = _row(told)
    assert line.startswith("2026-11-18T")
    assert line.endswith(row)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("received", {"plane": "real", "serial": 7, "test": 1}, "TEST #0007 received; nobody need open it"),
        ("received", {"plane": "real", "serial": 7, "test": 0}, "statement #0007 received; open it with"),
        ("sent", {"plane": "real", "serial": 7, "test": 1, "state": "delivered", "by": "main"}, "TEST statement #0007"),
        ("test-resumed", {"way": "sent", "serial": 7, "missed": 2}, "the line is well again, 2 missed"),
    ],
)
def test_events_say_that_it_is_a_test(kind: str, fields: dict[str, object], words: str) -> None:
    """An officer would be sent to the inbox for nothing, every hour."""
    assert words in _sentence(kind, fields)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("test", "now", "--timeout", "0s"), 2, "not a duration"),
        (("test", "now", "--wait", "read"), 2, "is not one of"),
        (("test", "history", "--limit", "501"), 2, "--limit"),
        (("test", "yesterday"), 2, "No such command"),
        (("test", "now", "--exercise"), 2, "No such option"),
        (("test", "now", "--socket", "/nowhere/operator.sock"), 1, "no endpoint daemon here"),
        (("test", "history", "--socket", "/nowhere/operator.sock"), 1, "no endpoint daemon here"),
    ],
)
def test_wrong_use_has_one_clear_answer(run: Run, words: tuple[str, ...], code: int, text: str) -> None:
    """Nobody would know whether the line had been tested."""
    done = run(*words)
    assert done.code == code
    assert text in done.err
    assert "Traceback" not in done.err
