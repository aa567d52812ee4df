"""Translations that officers sign: drafted, released and judged like any statement (docs/protocol.md 21.12)."""

from __future__ import annotations

import pytest

from hotline.limits import ALARM_INTERVAL
from hotline.machine import Plane, RequestId
from hotline.protocol.events import Submit, Translate
from hotline.protocol.release import RELEASED
from hotline.protocol.statements import decode_statement
from hotline.wire.v1 import content_pb2

from .offices import DRAFTER, RELEASER, TWO, Desk, signed, smuggle
from .pair import FLASH, IMMEDIATE, ROUTINE, Pair, Party
from .test_release import TWO_SIGN, WRONG, Spoil, alarmed, by, changed, verdicts

COURTESY, OFFICIAL = content_pb2.TRANSLATION_GRADE_COURTESY, content_pb2.TRANSLATION_GRADE_OFFICIAL
ORIGINAL = "We shall not fire."
URDU = "ہم فائر نہیں کریں گے۔"


@pytest.fixture
def pair() -> Pair:
    """ALPHA has said a FLASH that two have signed, and an officer of BRAVO has opened it."""
    pair = Pair(release=TWO).open()
    desk = Desk(pair.alpha)
    assert desk.make(ORIGINAL, FLASH).ok
    sign_and_release(desk, 1)
    pair.run(1_000)
    assert pair.bravo.read(1).ok
    return pair


def sign_and_release(desk: Desk, number: int) -> None:
    assert desk.sign_as(number, "duty-1", DRAFTER).ok
    assert desk.sign_as(number, "release-1", RELEASER).ok
    assert desk.release(number).ok


def links(party: Party) -> list[tuple[object, ...]]:
    rows = party.memory.rows("translated")
    return [(row["way"], row["serial"], row["carrier"], row["number"]) for row in rows]


def test_two_officers_release_a_translation_as_they_would_a_statement(pair: Pair) -> None:
    """What the charter lets nobody say alone could be said alone in another language, or not at all."""
    # docs/protocol.md 19.2, 19.5, 21.5 and 21.12
    desk = Desk(pair.alpha)
    made = desk.translate(1)
    assert (made.ok, made.text) == (True, "draft 2 is kept")
    draft = desk.statement(2)
    assert (draft.kind, draft.precedence) == (content_pb2.STATEMENT_KIND_TRANSLATION, FLASH)
    assert desk.release(2).text == "draft 2 is not released: officers who must sign have not signed: drafter, releaser"
    assert desk.sign_as(2, "duty-1", DRAFTER).ok
    assert desk.release(2).code == "policy"
    assert desk.sign_as(2, "release-1", RELEASER).ok
    assert links(pair.alpha) == []
    assert desk.release(2).ok
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED, 2: RELEASED}
    assert links(pair.alpha) == [("sent", 1, "sent", 2)]
    assert links(pair.bravo) == [("received", 1, "received", 2)]
    content = pair.bravo.memory.received(Plane.REAL, 2)
    assert content is not None
    came = decode_statement(content)
    assert (came.translation.grade, came.translation.translator, came.text) == (COURTESY, "A. Writer", URDU)
    assert [one.officer for one in came.release] == ["duty-1", "release-1"]
    (told,) = [one.fields for one in pair.alpha.told if one.kind == "translated"]
    assert (told["way"], told["carrier"], told["number"], told["grade"]) == ("sent", "sent", 2, "courtesy")
    (entered,) = [
        one.fields for one in pair.alpha.records if one.kind == "draft.released" and one.fields["number"] == 2
    ]
    assert entered["serial"] == 2
    (received,) = [one.fields for one in pair.bravo.records if one.kind == "msg.recv" and one.fields["serial"] == 2]
    assert (received["translates"], received["grade"]) == (1, "courtesy")


def test_a_translation_of_the_peers_statement_goes_out_signed_too(pair: Pair) -> None:
    """An objection to how the other side was understood would need nobody's word (docs/protocol.md 21.4, 21.12)."""
    assert pair.bravo.submit(ORIGINAL, IMMEDIATE).ok
    pair.run(1_000)
    assert pair.alpha.read(1).ok
    desk = Desk(pair.alpha)
    assert desk.translate(1, sent=False, grade=OFFICIAL).ok
    sign_and_release(desk, 2)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED, 2: RELEASED}
    assert links(pair.bravo) == [("sent", 1, "received", 2)]


def test_where_nobody_need_sign_a_draft_goes_as_the_terminals_word(pair: Pair) -> None:
    """docs/protocol.md 19.5 and 21.12: a draft is a way to look twice, also where the charter asks for nobody."""
    assert pair.alpha.submit("An exercise.", FLASH, Plane.EXERCISE).ok
    pair.run(1_000)
    desk = Desk(pair.alpha)
    assert desk.translate(1, plane=Plane.EXERCISE).ok
    assert desk.release(2).ok
    pair.run(1_000)
    told = {d.fields["serial"]: d.fields["authority"] for d in pair.bravo.told if d.fields.get("plane") == "exercise"}
    assert told == {1: "", 2: ""}
    assert len(links(pair.bravo)) == 1


def told_otherwise(**fields: object) -> Spoil:
    """The tie is another than what was signed."""
    return lambda statement: [setattr(statement.translation, name, value) for name, value in fields.items()] and None


def of_another(statement: content_pb2.Statement) -> None:
    statement.translation.original.statement = bytes(32)


SPOILT: dict[str, tuple[Spoil, str]] = {
    **{
        why: WRONG[why]
        for why in (
            "nobody signed",
            "only the drafter",
            "only the releaser",
            "one person in both roles",
            "a releaser who drafts",
            "a card that has expired",
            "officers of the other party",
            "signed for an exercise",
            "signed for another charter",
            "the signatures exchanged",
            "another precedence that needs none",
            "another draft",
        )
    },
    "another language": (changed(language="hi"), "signature"),
    "other words": (changed(text=URDU + " "), "signature"),
    "a better grade": (told_otherwise(grade=OFFICIAL), "signature"),
    "another translator": (told_otherwise(translator="B. Writer"), "signature"),
    "of another original": (of_another, "signature"),
}


def test_a_translation_that_lacks_its_release_stands_beside_nothing(pair: Pair) -> None:
    """A thief's reading of what a capital said would be read as that capital's own (docs/protocol.md 19.7, 21.12)."""
    draft = carried(pair)
    for serial, (why, (spoil, word)) in enumerate(SPOILT.items(), 2):
        statement = content_pb2.Statement()
        statement.CopyFrom(draft)
        by(*TWO_SIGN)(statement)
        spoil(statement)
        smuggle(pair.alpha, statement)
        pair.run(ALARM_INTERVAL)
        assert verdicts(pair.bravo)[serial] == word, why
    assert alarmed(pair.bravo) == list(range(2, len(SPOILT) + 2))
    assert links(pair.bravo) == []


def carried(pair: Pair) -> content_pb2.Statement:
    """A translation as its draft has it, unsigned."""
    desk = Desk(pair.alpha)
    assert desk.translate(1).ok
    statement = desk.statement(2)
    assert desk.reject(2, "Taken to be spoilt.").ok
    return statement


@pytest.mark.parametrize("with_original", [True, False])
def test_signatures_serve_for_one_translation(pair: Pair, *, with_original: bool) -> None:
    """The same signatures would carry it again, or those of the original a reading of it (19.6, 21.12)."""
    # docs/protocol.md 21.12
    statement = carried(pair)
    if with_original:
        statement.draft = Desk(pair.alpha).statement(1).draft
        statement.release.extend(Desk(pair.alpha).statement(1).release)
        smuggle(pair.alpha, statement)
    else:
        by(*TWO_SIGN)(statement)
        smuggle(pair.alpha, statement)
        pair.run(1_000)
        smuggle(pair.alpha, statement)
    pair.run(1_000)
    expected = {2: "signature"} if with_original else {2: RELEASED, 3: "reused"}
    assert verdicts(pair.bravo) == {1: RELEASED, **expected}
    assert len(links(pair.bravo)) == (0 if with_original else 1)


NO_TRANSLATION: tuple[tuple[dict[str, object], str], ...] = (
    ({"serial": 9}, "was not sent from here"),
    ({"sent": False}, "there is no statement #1 of the peer"),
    ({"grade": OFFICIAL}, "our own statements get a courtesy translation"),
    ({"language": "EN"}, "is in en already"),
    ({"text": " "}, "the text is empty"),
    ({"text": "x" * 32_769}, "the limit is 32768"),
    ({"translator": ""}, "1 to 64 characters"),
    ({"direction": 0}, "no such writing direction"),
)


@pytest.mark.parametrize("number", [0, 2])
def test_what_cannot_be_a_translation_is_no_draft_and_no_other_wording(pair: Pair, number: int) -> None:
    """docs/protocol.md 21.3 and 21.12: nothing is kept or entered, and a draft that was there is as it was."""
    desk = Desk(pair.alpha)
    assert desk.translate(1).ok
    assert desk.sign_as(2, "duty-1", DRAFTER).ok
    before, records = desk.draft(2).SerializeToString(), len(pair.alpha.records)
    for changes, word in NO_TRANSLATION:
        reply = desk.translate(**({"serial": 1, "number": number} | changes))  # type: ignore[arg-type]
        assert (reply.ok, word in reply.text) == (False, True), reply.text
        assert (desk.draft(2).SerializeToString(), len(pair.alpha.records)) == (before, records)


def test_another_wording_keeps_the_tie_and_loses_the_signatures(pair: Pair) -> None:
    """An officer would have signed words that were put in afterwards (docs/protocol.md 19.9 and 21.12)."""
    desk = Desk(pair.alpha)
    assert desk.translate(1).ok
    assert desk.sign_as(2, "duty-1", DRAFTER).ok
    old = desk.statement(2)
    stale = signed(old, "release-1", RELEASER)
    assert desk.translate(1, number=2, text="ہم ہرگز فائر نہیں کریں گے۔").ok
    new = desk.statement(2)
    assert (new.translation, list(new.release)) == (old.translation, [])
    assert new.draft != old.draft
    assert desk.sign(2, stale).code == "policy"


def test_a_draft_of_one_kind_is_not_worded_as_the_other(pair: Pair) -> None:
    """Who reads draft 2 again for a second signature would find another thing under its number (21.12)."""
    # docs/protocol.md 21.12
    desk = Desk(pair.alpha)
    assert desk.translate(1).ok
    assert desk.make("It was so.", FLASH).ok
    for reply in (desk.make("Other words.", FLASH, number=2), desk.translate(1, number=3)):
        assert not reply.ok
        assert "is not of that kind" in reply.text
    assert desk.statement(2).text == URDU
    assert desk.statement(3).text == "It was so."


@pytest.mark.parametrize("precedence", [FLASH, ROUTINE])
def test_what_must_be_signed_is_not_sent_without_and_what_stays_needs_nobody(
    pair: Pair, precedence: content_pb2.Precedence.ValueType
) -> None:
    """It would arrive and be branded in front of the other capital (docs/protocol.md 19.11, 21.12)."""
    desk = Desk(pair.bravo)
    assert desk.make("Understood.", precedence).ok
    assert desk.sign_as(1, "duty-2", DRAFTER).ok
    if precedence == FLASH:
        assert desk.sign_as(1, "release-2", RELEASER).ok
    assert desk.release(1).ok
    pair.run(1_000)
    assert pair.alpha.read(1).ok
    for send in (True, False):
        request, rtl = RequestId(len(pair.alpha.replies) + 1), content_pb2.DIRECTION_RTL
        event = Translate(request, Plane.REAL, 1, False, OFFICIAL, "A. Reader", "ur", rtl, URDU, "duty-1", send)
        pair.alpha.step(event)
        reply = pair.alpha.replies[request]
        assert reply.ok is not send
        if send:
            assert reply.code == "policy"
            for what in ("nothing was kept or sent", "hotline translate --draft", "hotline draft sign", "drafter"):
                assert what in reply.text
    assert links(pair.alpha) == [("received", 1, "here", 1)]


def test_a_full_outbox_and_a_standby_take_no_draft_of_one() -> None:
    """docs/protocol.md 12.9 and 21.12: it would be signed and then could not go."""
    pair = Pair(outbox_max=1, release=TWO).open()
    assert pair.alpha.submit(ORIGINAL, IMMEDIATE).ok
    pair.run(1_000)
    pair.cut()
    ltr = content_pb2.DIRECTION_LTR
    pair.alpha.step(Submit(RequestId(77), Plane.REAL, IMMEDIATE, "en", ltr, "Waits.", "duty-1"))
    assert pair.alpha.replies[RequestId(77)].ok
    reply = Desk(pair.alpha).translate(1)
    assert (reply.ok, "wait to be delivered" in reply.text) == (False, True)
