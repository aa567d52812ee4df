"""Statements as officers see them at the window of one of several parties, out of a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.cli.output import print_statement
from hotline.machine import Instant, Output, Plane, Put, RequestId
from hotline.protocol.conference import ConferenceEvent
from hotline.protocol.events import Submit
from hotline.protocol.statements import SAYABLE_MAX
from hotline.runtime.store import EndpointStore
from hotline.runtime.views import StatementViews
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import ROUTINE
from tests.hotline.protocol.trio import Delegation, Trio
from tests.hotline.runtime.store_writer import open_store

HERE = "WHERE plane=? AND serial=?"


class Stored(Delegation):
    """One whose every step is committed to a real store as well."""

    store: EndpointStore

    def step(self, event: ConferenceEvent) -> Output:
        output = super().step(event)  # type: ignore[arg-type]
        self.store.commit([output], self.now())
        return output


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Trio]:
    """Each has said #1, and everybody has opened all."""
    three = Trio()
    charlie = three.charlie
    charlie.__class__ = Stored
    assert isinstance(charlie, Stored)
    charlie.store = open_store(tmp_path)
    charlie.store.of("BRAVO")
    three.open()
    for one in three.all:
        assert one.submit(f"{one.name} asks.").ok
    three.run(2_000)
    assert all(one.reads(other, 1) for one in three.all for other in one.others)
    yield three
    charlie.store.close()


def answer(one: Delegation, other: Delegation) -> None:
    words = (ROUTINE, "en", content_pb2.DIRECTION_LTR, f"{one.name} answers {other.name}.", "watch")
    request = RequestId(900)
    one.at(other, Submit(request, Plane.REAL, *words, in_reply_to=1))
    assert one.replies[request].fields["serial"] == 2


def test_an_answer_to_another_party_names_nothing_here(three: Trio) -> None:
    """CHARLIE would take ALPHA's answer to BRAVO's #1 for one to its own #1 (docs/protocol.md 26.5)."""
    alpha, bravo, charlie = three.all
    assert isinstance(charlie, Stored)
    answer(alpha, bravo)
    answer(bravo, charlie)
    answer(charlie, bravo)
    three.run(2_000)
    of_alpha, of_bravo = (StatementViews(store) for store in (charlie.store, charlie.store.of("BRAVO")))
    at = ("real", 2)
    found = [view.text for views in (of_alpha, of_bravo) for view in views.received(Plane.REAL, HERE, at)]
    assert found == ["ALPHA answers BRAVO.", "BRAVO answers CHARLIE."]
    named = [views.received(Plane.REAL, HERE, at)[0].in_reply_to for views in (of_alpha, of_bravo)]
    assert named == [0, 1]
    assert [views.sent(Plane.REAL, HERE, at)[0].in_reply_to for views in (of_alpha, of_bravo)] == [0, 1]
    (view,) = StatementViews(charlie.store.of("BRAVO"), "BRAVO").sent(Plane.REAL, HERE, at)
    assert view.window == "BRAVO", "whose receipts these are"


@pytest.mark.parametrize(
    ("group", "state", "words"), [("", "shown", "knows nothing"), ("181200Z NOV 26", "unread", "expired")]
)
def test_what_only_closes_a_gap_is_nothing_to_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str, state: str, words: str
) -> None:
    """An officer would open thousands of empty statements that a liar made up (docs/protocol.md 8.7)."""
    empty = content_pb2.Statement(
        serial=2,
        precedence=ROUTINE,
        kind=content_pb2.STATEMENT_KIND_VOID,
        date_time_group=group,
        direction=content_pb2.DIRECTION_LTR,
        from_party="ALPHA",
        to_party="*",
        body_salt=bytes(32),
    )
    place = {"plane": "real", "serial": 2, "at": 5}
    row = {**place, "content": encode(empty), "signature": bytes(64), "hash": bytes(32)}
    changes = [Put("received", row), Put("received_fact", {**place, "stage": "shown", "by": ""})]
    store = open_store(tmp_path)
    store.commit([Output(changes=changes)], Instant(0, 5))  # type: ignore[arg-type]
    (view,) = StatementViews(store).received(Plane.REAL, HERE, ("real", 2))
    assert view.state == state
    print_statement(view)
    assert words in capsys.readouterr().out
    store.close()


def test_what_no_envelope_holds_is_listed_without_its_words(tmp_path: Path) -> None:
    """One such row of an earlier program would keep officers from every list (docs/protocol.md 12.6)."""
    content = b"\x08" + bytes(SAYABLE_MAX)
    row = {"plane": "real", "serial": 2, "content": content, "signature": bytes(64), "hash": bytes(32)}
    store = open_store(tmp_path)
    store.commit([Output(changes=[Put("sent", row)])], Instant(0, 5))  # type: ignore[arg-type]
    (view,) = StatementViews(store).sent(Plane.REAL, HERE, ("real", 2))
    assert (view.text, view.reason) == ("", "no envelope holds it: it was not sent")
    store.close()
