"""What `hotline service` and `hotline watch` say of operators' talk: never a word that could be a statement's."""

from __future__ import annotations

import json

import pytest

from hotline.cli.service import print_talk, talk_json
from hotline.cli.watching import _sentence
from hotline.wire.v1 import operator_pb2
from tests.schemas import printed

NOW = 1_795_000_000_000
TALK = operator_pb2.StatementView(
    service=True, serial=4, kind=1, composed_ms=NOW, received_ms=NOW, from_party="BRAVO", to_party="ALPHA",
    drafter="duty-2", text="Seen.", statement=bytes(32), state="read", read_ms=NOW, read_by="duty-1", in_reply_to=3,
    date_time_group="180706Z NOV 26",
)  # fmt: skip


def test_talk_is_shown_as_talk(capsys: pytest.CaptureFixture[str]) -> None:
    """An officer would carry an operator's remark to the leader (docs/protocol.md 25.1)."""
    print_talk(TALK)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "SERVICE  operators' talk, no statement of either side"
    assert rest[-1] == "| Seen."
    (told,) = printed(json.dumps(talk_json(TALK)))
    assert (told["schema"], told["officer"], told["in_reply_to"]) == ("hotline.talk/1", "duty-2", 3)


def test_foreign_talk_cannot_touch_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """A banner could be written over by what follows it."""
    hostile = operator_pb2.StatementView()
    hostile.CopyFrom(TALK)
    hostile.text, hostile.drafter = "\x1b[2JFLASH from the minister", "duty\n-2\x1b[A"
    print_talk(hostile)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.splitlines()[0].startswith("SERVICE")


@pytest.mark.parametrize(
    ("group", "words"), [("181200Z NOV 26", "expired before it was delivered"), ("", "knows nothing")]
)
def test_a_withdrawn_piece_says_so(capsys: pytest.CaptureFixture[str], group: str, words: str) -> None:
    """An empty screen would be taken for a fault."""
    view = operator_pb2.StatementView(service=True, serial=4, kind=2, from_party="BRAVO", date_time_group=group)
    print_talk(view)
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("received", {"serial": 7, "test": 0}, "SERVICE operators' talk #0007 received; open it with: hotline service"),
        ("sent", {"serial": 7, "state": "read", "by": "duty-2"}, "SERVICE statement #0007 is READ"),
    ],
)
def test_events_say_that_it_is_talk(kind: str, fields: dict[str, object], words: str) -> None:
    """Whoever watches would run for the leader."""
    assert words in _sentence(kind, {"plane": "service", **fields})
