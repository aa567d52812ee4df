"""What `hotline log` makes of what a terminal knows (docs/protocol.md 20.12)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hotline.cli import timeslog
from hotline.cli.timeslog import Times, log_json, print_log, times
from hotline.machine import Plane, RequestId
from hotline.protocol.events import MarkShown
from hotline.protocol.outbox import LEFT
from hotline.runtime.operators import OperatorService
from hotline.runtime.store import EndpointStore
from hotline.runtime.watchers import Watchers
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.cli.conftest import Run
from tests.hotline.protocol.offices import DRAFTER, RELEASER, TWO, Desk, signed, smuggle
from tests.hotline.protocol.pair import Pair, Party
from tests.hotline.protocol.test_release import plain
from tests.hotline.protocol.test_translations import OFFICIAL, SIGHT, translate
from tests.hotline.runtime.store_writer import open_store
from tests.hotline.runtime.test_translationviews import Stored
from tests.schemas import printed

Ask = Callable[..., list[dict[str, Any]]]
NOW = 1_795_000_000_000
MINUTE = 60_000


def store_of(party: Party, folder: Path) -> EndpointStore:
    """From now on every step of this party is committed to a real store."""
    party.__class__ = Stored
    assert isinstance(party, Stored)
    folder.mkdir()
    party.store = open_store(folder)
    return party.store


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(release=TWO)
    stores = [store_of(pair.alpha, tmp_path / "alpha"), store_of(pair.bravo, tmp_path / "bravo")]
    yield pair.open()
    for store in stores:
        store.close()


@pytest.fixture
def typed(pair: Pair, monkeypatch: pytest.MonkeyPatch, run: Run) -> Callable[..., str]:
    """`hotline log` at one terminal, before the real operator service over its real store."""

    def typed(party: Party, *words: str) -> str:
        assert isinstance(party, Stored)
        unused: Any = None
        service = OperatorService(unused, unused, party.store, Watchers(), "watch", dict)

        class Stub:
            @staticmethod
            def ListStatements(request: operator_pb2.ListStatementsRequest) -> operator_pb2.ListStatementsResponse:  # noqa: N802
                return asyncio.run(service.ListStatements(request, unused))

        @contextmanager
        def daemon(given: str | None) -> Iterator[Any]:
            del given
            yield Stub

        monkeypatch.setattr(timeslog, "daemon", daemon)
        return run("log", *words).out

    return typed


def released(pair: Pair) -> None:
    """ALPHA's two officers have it said."""
    desk = Desk(pair.alpha)
    assert desk.make("We shall not fire.").ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    pair.run(MINUTE)
    assert desk.release(1).ok


def entry(party: Party, kind: str) -> str:
    """The time of the newest entry of this kind in the ledger."""
    leaves = [json.loads(leaf) for log in party.memory.log.epochs.values() for leaf in log.leaves]
    return str([leaf["ts"] for leaf in leaves if leaf["type"] == kind][-1])


def test_the_whole_chain_of_one_statement(pair: Pair, typed: Callable[..., str]) -> None:
    """A time of the record would be another than that of its log (docs/protocol.md 20.12)."""
    released(pair)
    pair.run(1_000)
    pair.bravo.read(1)
    assert translate(pair.bravo, 1, language="hi", grade=SIGHT, text="sight").ok
    pair.run(MINUTE)
    request = RequestId(len(pair.bravo.replies) + 1)
    pair.bravo.step(MarkShown(request, Plane.REAL, 1, "duty-2", ""))
    pair.run(MINUTE)
    assert translate(pair.bravo, 1, language="hi", grade=OFFICIAL, text="official").ok
    (row,) = printed(typed(pair.bravo, "--json"))
    assert row["approved"] == entry(pair.alpha, "draft.released")
    assert (row["transmitted"], row["rough"]) == (None, None)
    assert row["received"] == entry(pair.bravo, "msg.recv")
    assert row["shown"] == entry(pair.bravo, "msg.presented")
    assert row["official"] == entry(pair.bravo, "msg.translated")
    assert row["received"] < row["sight"] < row["shown"] < row["official"]
    (ours,) = printed(typed(pair.alpha, "--json"))
    assert ours["approved"] == row["approved"]
    assert ours["received"] == entry(pair.alpha, "msg.delivered")
    assert ours["transmitted"] == entry(pair.alpha, "msg.sent"), "no relay has signed: the peer's receipt was first"
    assert (ours["sight"], ours["official"]) == (None, None), "they stayed at the other terminal"


def test_a_relay_that_signs_tells_when_it_was_transmitted(pair: Pair, typed: Callable[..., str]) -> None:
    """The first receipt is the first proof that it left (docs/protocol.md 20.12)."""
    pair.custody = True
    pair.alpha.submit("Held.", precedence=content_pb2.PRECEDENCE_PRIORITY)
    pair.run(10_000)
    (row,) = printed(typed(pair.alpha, "--json"))
    assert row["transmitted"] == entry(pair.alpha, "msg.custody") < row["received"]
    tables = {name: list(rows.values()) for name, rows in pair.alpha.memory.tables.items()}
    assert LEFT not in {row["stage"] for row in tables["sent_fact"]}


def test_what_lacks_its_release_was_approved_by_nobody(pair: Pair, typed: Callable[..., str]) -> None:
    """A forger's time of signing would stand in the column of approvals (docs/protocol.md 19.7 and 20.12)."""
    statement = plain()
    statement.release.append(signed(statement, "duty-1", DRAFTER))
    smuggle(pair.alpha, statement)
    pair.run(1_000)
    (row,) = printed(typed(pair.bravo, "--json"))
    assert (row["authority"], row["approved"]) == ("missing", None)
    assert "NOT RELEASED" in typed(pair.bravo)


def test_the_newest_of_both_ways_over_more_than_a_page(
    pair: Pair, typed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests of the channel would push every statement out of the log within days (docs/protocol.md 20.12)."""
    monkeypatch.setattr(timeslog, "_PAGE", 3)
    for number in range(4):
        pair.alpha.submit(f"ours {number}", precedence=content_pb2.PRECEDENCE_PRIORITY)
        pair.run(MINUTE)
        pair.bravo.submit(f"theirs {number}", precedence=content_pb2.PRECEDENCE_PRIORITY)
        pair.run(MINUTE)
    rows = printed(typed(pair.alpha, "--json"))
    assert [(row["way"], row["serial"]) for row in rows] == [
        (way, serial) for serial in range(1, 5) for way in ("sent", "received")
    ]
    assert [row["serial"] for row in printed(typed(pair.alpha, "--sent", "--limit", "2", "--json"))] == [3, 4]
    assert [row["way"] for row in printed(typed(pair.alpha, "2", "--json"))] == ["sent", "received"]
    assert typed(pair.alpha, "--exercise") == "nothing was said\n"


def view(**fields: Any) -> operator_pb2.StatementView:
    said = {"serial": 7, "precedence": 4, "kind": 1, "date_time_group": "180706Z NOV 26", "composed_ms": NOW}
    return operator_pb2.StatementView(**{**said, "statement": bytes(32), "state": "read", **fields})


def test_a_translation_that_was_retracted_is_no_time() -> None:
    """The leader had a text that its translator has taken back (docs/protocol.md 20.12)."""
    made = operator_pb2.TranslationView
    grade = content_pb2.TRANSLATION_GRADE_ROUGH
    listed = [
        made(grade=grade, made_ms=NOW, retracted=True, corrected_by=9),
        made(grade=grade, made_ms=NOW + 3),
        made(grade=grade, made_ms=NOW + 2),
        made(grade=content_pb2.TRANSLATION_GRADE_COURTESY, made_ms=NOW + 1),
    ]
    assert times(view(received_ms=NOW, translation=listed)) == Times(0, 0, NOW, 0, 0, NOW + 2, 0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": 2, "state": "unread"}, "WITHDRAWN"),
        ({"sent": True, "state": "expired"}, "EXPIRED"),
        ({"corrected_by": 8, "retracted": True}, "RETRACTED BY #0008"),
    ],
)
def test_what_must_not_be_taken_for_said_is_marked(
    fields: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row of times alone would look like any other (docs/protocol.md 20.12)."""
    print_log([view(**fields)])
    assert capsys.readouterr().out.splitlines()[-1].endswith(words)


def test_a_row_has_room_in_the_narrowest_window(capsys: pytest.CaptureFixture[str]) -> None:
    """A row was broken wherever a window ended, and not where its titles were: a time stood under another one's."""
    print_log([view(serial=9_999, date_time_group="270335Z NOV 26", sent=True, received_ms=NOW, shown_ms=NOW)])
    *titles, row = capsys.readouterr().out.splitlines()
    assert max(map(len, (*titles, row))) <= 80
    ends = [title.rstrip().rfind(" ") + 1 for title in titles]
    assert ends == [row.rfind(" ") + 1] * 2, "the last column begins at one place"
    assert titles[0].index("SHOWN") == [at for at in range(len(row)) if row.startswith("Z", at)][-1] - 6


def test_foreign_words_cannot_touch_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """A date-time group is what the peer wrote."""
    print_log([view(date_time_group="\x1b[2J\n18", received_ms=NOW)])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3, "the titles, and one row"


def test_what_was_destroyed_has_the_times_that_are_left() -> None:
    """A year later the log would fail where content was destroyed (docs/protocol.md 13.4)."""
    gone = operator_pb2.StatementView(sent=True, serial=3, delivered_ms=NOW, statement=bytes(32), state="delivered")
    (row,) = printed(json.dumps(log_json(gone)))
    assert (row["dtg"], row["from"], row["precedence"], row["composed"]) == (None, None, None, None)
    assert row["received"] is not None
