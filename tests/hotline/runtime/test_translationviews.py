"""Translations as officers see them, out of a real store (docs/protocol.md 14.2, 21.1 and 21.5)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.ledger.record import check_opening, parse_leaf
from hotline.limits import TRANSLATIONS_SHOWN_MAX
from hotline.machine import Output, Plane, Put, RequestId
from hotline.protocol.events import EndpointEvent, MarkShown
from hotline.runtime.openings import openings_of
from hotline.runtime.store import EndpointStore, connect
from hotline.runtime.views import StatementViews
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.protocol.pair import Pair, Party
from tests.hotline.protocol.test_corrections import say
from tests.hotline.protocol.test_translations import COURTESY, OFFICIAL, SIGHT, URDU, translate
from tests.hotline.runtime.store_writer import open_store

HERE = "WHERE plane=? AND serial=?"


class Stored(Party):
    """A party whose every step is committed to a real store as well."""

    store: EndpointStore

    def step(self, event: EndpointEvent) -> Output:
        output = super().step(event)
        self.store.commit([output], self.now())
        return output


@contextlib.contextmanager
def stored(folder: Path) -> Iterator[Pair]:
    """A pair whose BRAVO commits to a real store in `folder`; closed at the end."""
    pair = Pair()
    pair.bravo.__class__ = Stored
    assert isinstance(pair.bravo, Stored)
    pair.bravo.store = open_store(folder)
    yield pair.open()
    pair.bravo.store.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """ALPHA has said something in Urdu and given a translation along; nobody has opened either."""
    with stored(tmp_path) as pair:
        pair.alpha.submit(URDU, language="ur", direction=content_pb2.DIRECTION_RTL)
        pair.run(500)
        assert translate(pair.alpha, 1, sent=True, grade=COURTESY, text="The exercise is cancelled.").ok
        pair.run(1_000)
        yield pair


def test_a_statement_is_shown_with_the_newest_that_corrects_it(tmp_path: Path) -> None:
    """The one that came last would be read, and not the one that was said last (docs/protocol.md 8.10)."""
    with stored(tmp_path) as pair:
        say(pair.alpha, "14:30")
        pair.run(500)
        for text in ("15:30", "16:30"):
            say(pair.alpha, text, corrects=1)
            pair.run(500)
        assert isinstance(pair.bravo, Stored)
        store = pair.bravo.store

        def shown() -> tuple[bytes, int, bool]:
            (one,) = StatementViews(store).received(Plane.REAL, HERE, ("real", 1))
            return one.statement, one.corrected_by, one.retracted

        name, *what = shown()
        assert what == [3, False]
        row = {"way": "received", "plane": "real", "serial": 1, "at": 1, "stage": "retracted"}
        later, other = row | {"by": 4, "named": name}, row | {"by": 5, "named": bytes(32)}
        for changed, seen in (
            (later | {"first": 2}, (3, False)),
            (other | {"first": 5}, (3, False)),
            (later | {"first": 4}, (4, True)),
        ):
            store.commit([Output(changes=[Put("correction", changed)])], pair.bravo.now())
            assert shown()[1:] == seen


def view(pair: Pair, serial: int) -> operator_pb2.StatementView:
    """A received statement with everything that belongs to it."""
    assert isinstance(pair.bravo, Stored)
    views = StatementViews(pair.bravo.store)
    (found,) = views.received(Plane.REAL, HERE, ("real", serial))
    views.add_translations(Plane.REAL, found)
    return found


def test_no_word_of_the_peer_is_shown_before_an_officer_has_opened_it(pair: Pair) -> None:
    """The peer would never learn that its translation was read (docs/protocol.md 14.2)."""
    assert [(one.way, one.serial, one.text) for one in view(pair, 1).translation] == [("received", 2, "")]
    carrier = view(pair, 2)
    assert (carrier.original.serial, carrier.original.state, carrier.original.text) == (1, "unread", "")
    pair.bravo.read(2)
    assert view(pair, 2).original.text == "", "the translation is open, its original is not"
    assert isinstance(pair.bravo, Stored)
    other = {"plane": "exercise", "serial": 1, "stage": "read", "at": 1, "by": "watch"}
    pair.bravo.store.commit([Output(changes=[Put("received_fact", other)])], pair.bravo.now())
    assert view(pair, 2).original.text == "", "nor is it by what was opened in an exercise"
    pair.bravo.read(1)
    assert [one.text for one in view(pair, 1).translation] == ["The exercise is cancelled."]


def test_a_view_of_a_translation_shows_the_original(pair: Pair) -> None:
    """A reader would act on the translator's words without knowing it (docs/protocol.md 21.1)."""
    pair.bravo.read(1)
    pair.bravo.read(2)
    shown = view(pair, 2)
    assert (shown.original.state, shown.original.text, shown.original.language) == ("here", URDU, "ur")
    assert (shown.grade, shown.translator, shown.original.sent) == (COURTESY, "A. Reader", False)
    original = view(pair, 1)
    assert (original.text, original.translations, original.HasField("original")) == (URDU, 1, False)


def test_every_translation_stands_by_its_original(pair: Pair) -> None:
    """docs/protocol.md 21.5: whichever way it came, and whoever made it."""
    pair.bravo.read(1)
    translate(pair.bravo, 1, grade=SIGHT, text="It is off.")
    pair.run(10)
    translate(pair.bravo, 1, grade=OFFICIAL, text="The exercise has been cancelled.", send=True)
    found = view(pair, 1)
    assert [(one.way, one.serial, one.grade) for one in found.translation] == [
        ("received", 2, COURTESY),
        ("here", 1, SIGHT),
        ("sent", 1, OFFICIAL),
    ]
    assert [one.officer for one in found.translation] == ["watch"] * 3
    assert all(len(one.name) == 32 for one in found.translation)
    assert (found.translations, found.text) == (3, URDU)


def test_one_of_another_statement_stands_beside_nothing(pair: Pair) -> None:
    """After a loss of state a number may mean another text: its translation would be taken for this one's
    (docs/protocol.md 21.5)."""
    pair.bravo.read(1)
    pair.bravo.read(2)
    assert isinstance(pair.bravo, Stored)
    pair.bravo.lies = True
    row = {**pair.bravo.memory.rows("received")[0], "hash": bytes(32)}
    pair.bravo.store.commit([Output(changes=[Put("received", row)])], pair.bravo.now())
    assert list(view(pair, 1).translation) == []
    assert view(pair, 1).translations == 0
    carrier = view(pair, 2)
    assert (carrier.original.state, carrier.original.text) == ("other", "")


def test_one_that_was_taken_back_says_so(pair: Pair) -> None:
    """docs/protocol.md 21.6 and 8.10."""
    pair.bravo.read(1)
    pair.bravo.read(2)
    say(pair.alpha, "The translation was wrong.", retracts=True, corrects=2)
    pair.run(1_000)
    (one,) = view(pair, 1).translation
    assert (one.corrected_by, one.retracted) == (3, True)


def test_the_text_of_an_entry_is_the_translation_s(pair: Pair) -> None:
    """Whoever discloses what was made of a statement would show the statement, and no commitment would open
    (docs/protocol.md 21.4 and 13.12)."""
    pair.bravo.read(1)
    translate(pair.bravo, 1, text="It is off.")
    assert isinstance(pair.bravo, Stored)
    stored = [parse_leaf(bytes(row[0])) for row in pair.bravo.store.query("SELECT leaf FROM entry ORDER BY seq", ())]
    (leaf,) = [leaf for leaf in stored if leaf.type == "msg.translated"]
    with contextlib.closing(connect(pair.bravo.store.path, read_only=True)) as database:
        found = openings_of(database, pair.bravo.store.keys, 1, leaf)
    assert found is not None
    for opening in found:
        check_opening(leaf, opening)
    assert {opening.tag: opening.value for opening in found} == {
        "body": b"It is off.",
        "translator": b"A. Reader",
        "officer": b"watch",
    }


def test_the_newest_are_shown(pair: Pair) -> None:
    """Translations without end would not fit into one answer (docs/protocol.md 4.7)."""
    pair.bravo.read(1)
    for _ in range(TRANSLATIONS_SHOWN_MAX + 1):
        pair.run(1)
        translate(pair.bravo, 1)
    found = view(pair, 1)
    assert [one.serial for one in found.translation] == list(range(2, TRANSLATIONS_SHOWN_MAX + 2))
    assert found.translations == TRANSLATIONS_SHOWN_MAX + 2


def test_rungs_are_those_of_the_same_plane(pair: Pair) -> None:
    """Operators' talk #1 would be told as shown to the principal because a statement #1 was (20.2)."""
    # docs/protocol.md 20.2
    assert isinstance(pair.bravo, Stored)
    pair.bravo.read(1)
    request = RequestId(50)
    pair.bravo.step(MarkShown(request, Plane.REAL, 1, "watch", "The Prime Minister"))
    assert pair.bravo.replies[request].ok
    pair.alpha.submit("The line is well.", plane=Plane.SERVICE)
    pair.run(1_000)
    (talk,) = StatementViews(pair.bravo.store).received(Plane.SERVICE, HERE, ("service", 1))
    assert (view(pair, 1).shown_to, talk.shown_to, talk.shown_ms) == ("The Prime Minister", "", 0)


def test_an_answer_stands_beside_what_it_names(pair: Pair) -> None:
    """An answer that came first may mean what a sibling said under that number (docs/protocol.md 20.4, 23.8)."""
    pair.bravo.read(1)
    assert pair.bravo.submit("So we have read.", in_reply_to=1).ok
    pair.run(1_000)
    assert view(pair, 1).answered_by == 1
    assert isinstance(pair.bravo, Stored)
    pair.bravo.lies = True
    row = {**pair.bravo.memory.rows("received")[0], "hash": bytes(32)}
    pair.bravo.store.commit([Output(changes=[Put("received", row)])], pair.bravo.now())
    assert view(pair, 1).answered_by == 0
