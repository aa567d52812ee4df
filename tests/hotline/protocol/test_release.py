"""Whether what arrives is the word of those who may speak: the receiver's judgement (docs/protocol.md 19.1 to 19.8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hotline.crypto.signing import SigningKey, pae
from hotline.machine import Plane, RequestId
from hotline.protocol.events import PromiseReply, SendTest, Submit
from hotline.protocol.release import FILLED_IN, RELEASED, covered, judge
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

from .offices import DRAFTER, DUTY, PRINCIPAL, RELEASER, TWO, Desk, key_of, signed, smuggle
from .pair import CHARTER, DAY, FLASH, IMMEDIATE, PRIORITY, ROUTINE, WALL, Pair, Party

TEXT = "We shall not fire."
Spoil = Callable[[content_pb2.Statement], None]


@pytest.fixture
def pair() -> Pair:
    return Pair(release=TWO).open()


def plain(text: str = TEXT, **changes: object) -> content_pb2.Statement:
    """A statement as a draft has it, unsigned."""
    fields: dict[str, object] = {
        "precedence": FLASH, "kind": content_pb2.STATEMENT_KIND_TEXT, "language": "en",
        "direction": content_pb2.DIRECTION_LTR, "from_party": "ALPHA", "to_party": "BRAVO", "drafter": "duty-1",
        "text": text, "valid_for_ms": DAY, "draft": b"a draft of tests",
    }  # fmt: skip
    return content_pb2.Statement(**{**fields, **changes})  # type: ignore[arg-type]


def released(**changes: object) -> content_pb2.Statement:
    """The same, signed by the two whom the charter asks for."""
    statement = plain(**changes)  # type: ignore[arg-type]
    statement.release.extend([signed(statement, "duty-1", DRAFTER), signed(statement, "release-1", RELEASER)])
    return statement


def by(*signers: tuple[str, content_pb2.Role.ValueType], **how: object) -> Spoil:
    """These sign, and nobody else."""

    def spoil(statement: content_pb2.Statement) -> None:
        del statement.release[:]
        made = [signed(statement, name, role, **how) for name, role in signers]  # type: ignore[arg-type]
        statement.release.extend(made)
        if not made:
            statement.draft = b""

    return spoil


def changed(**fields: object) -> Spoil:
    """Something is another than what was signed."""

    def spoil(statement: content_pb2.Statement) -> None:
        for name, value in fields.items():
            setattr(statement, name, value)

    return spoil


def also(name: str, role: content_pb2.Role.ValueType, **how: object) -> Spoil:
    """One more signs."""
    return lambda statement: statement.release.append(signed(statement, name, role, **how))  # type: ignore[arg-type]


def swapped(statement: content_pb2.Statement) -> None:
    first, second = statement.release[0].signature, statement.release[1].signature
    statement.release[0].signature, statement.release[1].signature = second, first


def written(index: int, **fields: object) -> Spoil:
    """What stands beside a signature is another than what it was made for."""
    return lambda statement: [setattr(statement.release[index], name, value) for name, value in fields.items()] and None


def answers(statement: content_pb2.Statement) -> None:
    statement.in_reply_to.CopyFrom(content_pb2.Reference(serial=1, statement=bytes(32)))


TWO_SIGN = (("duty-1", DRAFTER), ("release-1", RELEASER))
WRONG: dict[str, tuple[Spoil, str]] = {
    "nobody signed": (by(), "missing"),
    "only the drafter": (by(TWO_SIGN[0]), "missing"),
    "only the releaser": (by(TWO_SIGN[1]), "missing"),
    "two drafters": (by(("duty-1", DRAFTER), ("both-1", DRAFTER)), "missing"),
    "two releasers": (by(("release-1", RELEASER), ("both-1", RELEASER)), "missing"),
    "one person in both roles": (by(("both-1", DRAFTER), ("both-1", RELEASER)), "twice"),
    "one person twice beside the other": (also("release-1", RELEASER, at=WALL + 1), "twice"),
    "a drafter who releases": (by(("both-1", DRAFTER), ("duty-1", RELEASER)), "role"),
    "a releaser who drafts": (by(("release-1", DRAFTER), ("both-1", RELEASER)), "role"),
    "a duty officer's role does not release": (by(("duty-1", DUTY), ("release-1", RELEASER)), "missing"),
    "a third in a role that is not theirs": (also("both-1", PRINCIPAL), "role"),
    "a card that has expired": (by(("duty-1", DRAFTER), ("former-1", RELEASER)), "expired"),
    "an expired card, signed while it held": (by(*TWO_SIGN[:1], ("former-1", RELEASER), at=WALL - 5 * DAY), "expired"),
    "a card that does not hold yet": (by(("future-1", DRAFTER), ("release-1", RELEASER)), "expired"),
    "signed before the card held": (by(*TWO_SIGN, at=WALL - 400 * DAY), "expired"),
    "signed after the card will have held": (by(*TWO_SIGN, at=WALL + 800 * DAY), "expired"),
    "officers of the other party": (by(("duty-2", DRAFTER), ("release-2", RELEASER)), "officer"),
    "one officer of the other party": (by(("duty-1", DRAFTER), ("release-2", RELEASER)), "officer"),
    "an officer whom nobody knows": (by(("duty-1", DRAFTER), ("nobody", RELEASER)), "officer"),
    "one more whom nobody knows": (also("nobody", RELEASER), "officer"),
    "signed for an exercise": (by(*TWO_SIGN, plane=Plane.EXERCISE), "signature"),
    "signed for another charter": (by(*TWO_SIGN, charter=bytes(32)), "signature"),
    "signed with another key": (by(*TWO_SIGN, key=SigningKey(bytes(32))), "signature"),
    "one more signature that does not hold": (also("both-1", DRAFTER, key=key_of("duty-1")), "signature"),
    "the signatures exchanged": (swapped, "signature"),
    "a name written over another": (written(1, officer="both-1"), "signature"),
    "another role than was signed": (written(0, officer="both-1", role=RELEASER), "signature"),
    "another time than was signed": (written(0, signed_ms=WALL - 1), "signature"),
    "a sign of the text": (changed(text="We shall now fire."), "signature"),
    "a blank behind the text": (changed(text=TEXT + " "), "signature"),
    "another drafter": (changed(drafter="both-1"), "signature"),
    "another language": (changed(language="ur"), "signature"),
    "written from right to left": (changed(direction=content_pb2.DIRECTION_RTL), "signature"),
    "another validity": (changed(valid_for_ms=DAY + 1), "signature"),
    "another precedence that needs signatures": (changed(precedence=ROUTINE), "signature"),
    "another precedence that needs none": (changed(precedence=IMMEDIATE), "signature"),
    "another draft": (changed(draft=b"another draft of"), "signature"),
    "an answer that was none": (answers, "signature"),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_lacks_its_release_is_never_shown_as_authentic(pair: Pair, why: str) -> None:
    """A thief with the terminal, or a caller with the right line, would be believed."""
    # docs/protocol.md 19.2, 19.3, 19.4 and 19.5
    spoil, word = WRONG[why]
    statement = released()
    spoil(statement)
    smuggle(pair.alpha, statement)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: word}
    assert alarmed(pair.bravo) == [1]


def verdicts(party: Party) -> dict[object, object]:
    """What people were told with each statement, which must be what the record and the tables say."""
    told = {d.fields["serial"]: d.fields["authority"] for d in party.told if d.kind == "received"}
    recorded = {r.fields["serial"]: r.fields["verdict"] for r in party.records if r.kind == "msg.authority"}
    rows = {row["serial"]: row["by"] for row in party.memory.rows("received_fact") if row["stage"] == "authority"}
    assert recorded == rows == {serial: word for serial, word in told.items() if word}
    return told


def alarmed(party: Party) -> list[object]:
    return [d.fields["serial"] for d in party.told if d.kind == "alarm" and d.fields["name"] == "unreleased"]


@pytest.mark.parametrize(
    ("precedence", "plane", "signers", "word"),
    [
        (FLASH, Plane.REAL, TWO_SIGN, RELEASED),
        (FLASH, Plane.REAL, (("both-1", DRAFTER), ("release-1", RELEASER), ("duty-1", DUTY)), RELEASED),
        (ROUTINE, Plane.REAL, TWO_SIGN[:1], RELEASED),
        (ROUTINE, Plane.REAL, (), "missing"),
        (PRIORITY, Plane.REAL, (), ""),
        (PRIORITY, Plane.REAL, TWO_SIGN[1:], RELEASED),
        (PRIORITY, Plane.REAL, (("release-1", DRAFTER),), "role"),
        (FLASH, Plane.EXERCISE, (), ""),
        (FLASH, Plane.EXERCISE, TWO_SIGN, RELEASED),
    ],
)
def test_each_plane_and_precedence_has_its_own_policy(
    pair: Pair,
    precedence: content_pb2.Precedence.ValueType,
    plane: Plane,
    signers: tuple[tuple[str, content_pb2.Role.ValueType], ...],
    word: str,
) -> None:
    """The rule for a FLASH would stop an exercise, or that of an exercise let a FLASH pass (docs/protocol.md 19.3)."""
    statement = plain(precedence=precedence)
    by(*signers, plane=plane)(statement)
    smuggle(pair.alpha, statement, plane)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: word}


def test_a_branded_statement_loses_nothing_and_holds_nothing_up(pair: Pair) -> None:
    """Evidence would be lost, or order wait for ever for what nobody may say (docs/protocol.md 19.7)."""
    smuggle(pair.alpha, plain(draft=b""))
    smuggle(pair.alpha, released(draft=b"the second draft"))
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: "missing", 2: RELEASED}
    assert pair.bravo.shown() == [1, 2]
    assert pair.alpha.states(1)[-1] == pair.alpha.states(2)[-1] == "delivered"
    assert pair.bravo.text(1) == TEXT
    assert pair.bravo.read(1).ok
    pair.run(1_000)
    assert pair.alpha.states(1)[-1] == "read"


def test_the_verdict_stays_with_a_statement_that_is_shown_after_a_restart(pair: Pair) -> None:
    """A gap and a restart would wash a forged statement clean (docs/protocol.md 19.7)."""
    pair.weather = lambda sender, relay, envelope: []
    smuggle(pair.alpha, released())
    pair.run(100)
    pair.weather = lambda sender, relay, envelope: [envelope]
    smuggle(pair.alpha, plain(draft=b""))
    pair.run(300)
    assert pair.bravo.endpoint.context.inboxes[Plane.REAL].ahead, "the second is held back behind the first"
    pair.bravo.restart()
    pair.run(10_000)
    assert pair.bravo.shown() == [1, 2]
    assert verdicts(pair.bravo) == {1: RELEASED, 2: "missing"}


def one(**fields: object) -> Spoil:
    """One signature is spoilt."""
    return lambda statement: [setattr(statement.release[0], name, value) for name, value in fields.items()] and None


@pytest.mark.parametrize(
    "spoil",
    [
        changed(draft=b""),
        changed(draft=b"x" * 15),
        changed(draft=b"x" * 17),
        lambda statement: statement.ClearField("release"),
        lambda statement: statement.release.extend(list(statement.release) * 2),
        one(officer=""),
        one(officer="x" * 65),
        one(role=0),
        one(role=5),
        one(signed_ms=253_402_300_800_000),
        one(signature=bytes(63)),
        one(signature=bytes(65)),
    ],
)
def test_what_has_not_the_form_of_a_release_is_refused(pair: Pair, spoil: Spoil) -> None:
    """A peer's nonsense would be kept as if it were somebody's signature (docs/protocol.md 19.8)."""
    statement = released()
    spoil(statement)
    pair.alpha.lies = True
    smuggle(pair.alpha, statement)
    pair.run(500)
    assert pair.bravo.shown() == []
    assert set(pair.bravo.refusals()) == {"release"}


# --- used once -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("plane", [Plane.REAL, Plane.EXERCISE])
def test_signatures_serve_for_one_statement(pair: Pair, plane: Plane, restarts: bool) -> None:
    """Who has the terminal would say again what was said once: the same order a second time (docs/protocol.md 19.6)."""
    statement = plain()
    by(*TWO_SIGN, plane=plane)(statement)
    for serial in (1, 2, 3):
        smuggle(pair.alpha, statement, plane)
        pair.run(1_000)
        if restarts and serial == 1:
            pair.bravo.restart()
            pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED, 2: "reused", 3: "reused"}


def test_a_draft_of_one_plane_is_used_up_on_both(pair: Pair) -> None:
    """An exercise and the real thing would go out of one draft, and nobody could tell which was meant."""
    # docs/protocol.md 19.6
    for plane in (Plane.REAL, Plane.EXERCISE):
        statement = plain()
        by(*TWO_SIGN, plane=plane)(statement)
        smuggle(pair.alpha, statement, plane)
        pair.run(1_000)
    told = [(d.fields["plane"], d.fields["authority"]) for d in pair.bravo.told if d.kind == "received"]
    assert sorted(told) == [("exercise", "reused"), ("real", RELEASED)]


def test_a_forgery_does_not_use_a_draft_up(pair: Pair) -> None:
    """A thief who knows the draft's name would make the true statement look like a repeat (docs/protocol.md 19.6)."""
    forged = released()
    forged.text = "We shall fire."
    smuggle(pair.alpha, forged)
    smuggle(pair.alpha, released())
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: "signature", 2: RELEASED}


def test_renumbering_keeps_the_release(pair: Pair) -> None:
    """After a loss of state an honest statement would be branded for ever (docs/protocol.md 19.6 and 12.6)."""
    backup = pair.alpha.memory.copy()
    pair.alpha.submit("Said by a state that is lost.", PRIORITY)
    pair.run(1_000)
    pair.cut()
    pair.alpha.restart(backup)
    pair.cut()
    smuggle(pair.alpha, released())
    renumbered = pair.alpha.memory.copy()
    pair.join()
    pair.run(5_000)
    assert verdicts(pair.bravo) == {1: "", 2: RELEASED}
    # And once more: the sender forgets that it has renumbered it.
    pair.alpha.restart(renumbered)
    pair.run(10_000)
    assert verdicts(pair.bravo)[3] == RELEASED
    assert [r.fields["of"] for r in pair.bravo.records if r.kind == "msg.repeat"] == [2]


def test_a_restored_terminal_that_releases_a_draft_again_is_found_out(pair: Pair) -> None:
    """Yesterday's disk has the draft open; released once more it would be a second order (docs/protocol.md 19.6)."""
    desk = Desk(pair.alpha)
    assert desk.make().ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    backup = pair.alpha.memory.copy()
    assert desk.release(1).ok
    pair.run(1_000)
    pair.alpha.restart(backup)
    pair.run(3_000)
    assert desk.release(1).ok
    pair.run(5_000)
    assert verdicts(pair.bravo) == {1: RELEASED, 2: "reused"}


# --- what is covered -------------------------------------------------------------------------------------------------


def test_what_the_terminal_fills_in_is_left_out_and_everything_else_is_signed() -> None:
    """A field of tomorrow would not be covered, or a serial of today break a signature (docs/protocol.md 19.2)."""
    statement = released()
    filled = released(
        serial=7, previous_in_precedence=3, date_time_group="181106Z NOV 26", composed_ms=WALL, body_salt=bytes(32),
        checkpoint=b"a head", first_serial=5, term=2,
    )  # fmt: skip
    assert covered(filled) == covered(statement)
    assert judge(TWO, Plane.REAL, CHARTER, filled, WALL) == RELEASED
    fields = content_pb2.Statement.DESCRIPTOR.fields_by_name
    assert set(FILLED_IN) < set(fields)
    # What is left of the exact bytes: the fields of the content, in their order, without those that are filled in.
    del statement.release[:]
    assert covered(filled) == encode(statement)


def test_a_signature_is_over_these_bytes() -> None:
    """Another implementation would sign something else (docs/protocol.md 19.1 and 19.2)."""
    statement = released()
    content = covered(statement)
    at = WALL.to_bytes(8, "big")
    signed_bytes = pae("hotline/v1/release/real", CHARTER, content, b"releaser", b"release-1", at)
    assert statement.release[1].signature == key_of("release-1").sign_raw(signed_bytes)


@pytest.mark.parametrize("corrections", [1, 2])
def test_a_thief_without_an_officers_key_brings_no_correction_back(pair: Pair, corrections: int) -> None:
    """What was superseded would stand as the newest, released and without an alarm (docs/protocol.md 8.10 and 19.6)."""
    desk = Desk(pair.alpha)
    for text, corrects in (("14:30", 0), ("15:30", 1), ("16:30", 1))[: corrections + 1]:
        desk.make(text, corrects=corrects)
        number = next(r.fields["number"] for r in reversed(pair.alpha.records) if r.kind == "draft.made")
        desk.sign_as(number, "duty-1", DRAFTER)
        desk.sign_as(number, "release-1", RELEASER)
        assert desk.release(number).ok
        pair.run(500)
    content = pair.bravo.memory.received(Plane.REAL, 2)
    name = pair.bravo.memory.received_hash(Plane.REAL, 1)
    assert content is not None
    assert name is not None
    old = content_pb2.Statement.FromString(content)
    last = corrections + 1
    old.first_serial, old.serial, old.previous_in_precedence, old.composed_ms = 2, last + 1, last, WALL + pair.time
    session = pair.alpha.endpoint.context.session
    inner = session.sign(ContentType.STATEMENT, Plane.REAL, encode(old))
    pair.bravo.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    assert verdicts(pair.bravo)[last + 1] == RELEASED
    newest = pair.bravo.memory.correction("received", Plane.REAL, 1, name)
    assert newest.first == last
    assert pair.bravo.text(newest.by) == ("15:30", "16:30")[corrections - 1]
    assert [d.fields["by"] for d in pair.bravo.told if d.kind == "corrected"] == list(range(2, last + 1))


# --- corrections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [content_pb2.STATEMENT_KIND_CORRECTION, content_pb2.STATEMENT_KIND_RETRACTION])
def test_a_retraction_without_authority_takes_nothing_back(
    pair: Pair, kind: content_pb2.StatementKind.ValueType
) -> None:
    """A thief could not say anything, but unsay everything (docs/protocol.md 19.7 and 8.10)."""
    smuggle(pair.alpha, released())
    pair.run(1_000)
    row = pair.alpha.memory.sent(Plane.REAL, 1)
    assert row is not None
    unsaid = plain("It was not so.", kind=kind, draft=b"")
    unsaid.corrects.CopyFrom(content_pb2.Reference(serial=1, statement=row.hash))
    smuggle(pair.alpha, unsaid)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED, 2: "missing"}
    assert not [d for d in pair.bravo.told if d.kind == "corrected"]
    said = plain("It was otherwise.", kind=kind, draft=b"the second draft")
    said.corrects.CopyFrom(unsaid.corrects)
    by(*TWO_SIGN)(said)
    smuggle(pair.alpha, said)
    pair.run(1_000)
    assert [d.fields["by"] for d in pair.bravo.told if d.kind == "corrected"] == [3]


# --- what needs no release -------------------------------------------------------------------------------------------


def test_tests_and_voids_need_nobody_and_a_test_with_words_of_its_own_does(pair: Pair) -> None:
    """Channel tests would be branded every hour, or a thief speak in the form of one (docs/protocol.md 19.5, 8.5)."""
    pair.bravo.told.clear()
    test = plain("The days grow shorter.", kind=content_pb2.STATEMENT_KIND_TEST, precedence=ROUTINE, draft=b"")
    test.drafter = "channel-test"
    pair.alpha.lies = True
    smuggle(pair.alpha, test)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: "missing"}
    pair.alpha.step(SendTest(RequestId(99), "duty-1"))
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: "missing", 2: ""}
    quiet = judge(TWO, Plane.REAL, CHARTER, content_pb2.Statement(kind=content_pb2.STATEMENT_KIND_VOID), WALL)
    assert quiet == ""


def test_the_policy_of_one_side_binds_what_it_hears(pair: Pair) -> None:
    """A terminal that was tampered with says nothing of release; the other side must not need its word for it."""
    # docs/protocol.md 19.5
    pair.alpha.prepare()
    pair.alpha.restart()
    pair.run(3_000)
    assert pair.alpha.submit(TEXT, FLASH).ok
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: "missing"}


# --- at the sender ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precedence", "plane"), [(FLASH, Plane.REAL), (ROUTINE, Plane.REAL)])
def test_a_terminal_does_not_take_what_needs_signatures(
    pair: Pair, precedence: content_pb2.Precedence.ValueType, plane: Plane
) -> None:
    """It would go out, arrive, and be branded in front of the other capital (docs/protocol.md 19.11)."""
    reply = pair.alpha.submit(TEXT, precedence, plane)
    assert (reply.ok, reply.code) == (False, "policy")
    for word in ("nothing was queued", "hotline draft new", "hotline draft sign", "hotline release", "drafter"):
        assert word in reply.text
    pair.run(1_000)
    assert pair.bravo.shown() == []
    assert pair.alpha.submit(TEXT, IMMEDIATE).ok
    assert pair.alpha.submit(TEXT, FLASH, Plane.EXERCISE).ok
    text = Submit(RequestId(99), plane, precedence, "en", content_pb2.DIRECTION_LTR, "", "duty-1")
    pair.alpha.step(text)
    assert pair.alpha.replies[RequestId(99)].code == "text"


def test_what_lacks_its_release_stands_beside_nothing_and_keeps_no_promise(pair: Pair) -> None:
    """A thief's translation would be read beside the original, a thief's answer taken for the one that was promised."""
    # docs/protocol.md 19.7, 20.4 and 21.5
    alpha, bravo = pair.alpha, pair.bravo
    assert alpha.submit("It begins at 14:30.", IMMEDIATE).ok
    pair.run(1_000)
    original = alpha.memory.sent(Plane.REAL, 1)
    assert original is not None
    named = content_pb2.Reference(serial=1, statement=original.hash)
    tie = content_pb2.Translation(original=named, grade=content_pb2.TRANSLATION_GRADE_COURTESY, translator="A. Writer")
    translation = plain("Other words.", kind=content_pb2.STATEMENT_KIND_TRANSLATION, draft=b"", language="ur")
    translation.translation.CopyFrom(tie)
    smuggle(alpha, translation)
    pair.run(1_000)
    assert verdicts(bravo)[2] == "missing"
    assert list(bravo.memory.rows("translated")) == []
    assert bravo.read(1).ok
    bravo.step(PromiseReply(RequestId(98), Plane.REAL, 1, "duty-2", bravo.now().wall + DAY))
    assert bravo.replies[RequestId(98)].ok
    pair.run(1_000)
    answer = plain("We shall see.", draft=b"")
    answer.in_reply_to.CopyFrom(named)
    smuggle(bravo, answer)
    pair.run(1_000)
    assert verdicts(alpha) == {1: "missing"}
    assert "promise.kept" not in alpha.kinds()


def test_what_lacks_its_release_puts_nothing_on_record(pair: Pair) -> None:
    """A thief could say for the party that its words between two were meant for the record (19.7, 22.10)."""
    # docs/protocol.md 19.7
    reply = pair.alpha.submit("between us", without_prejudice=True)
    assert reply.ok
    pair.run(1_000)
    named = content_pb2.Reference(serial=1, statement=reply.fields["hash"])  # type: ignore[arg-type]
    made = plain("between us", kind=content_pb2.STATEMENT_KIND_PUT_ON_RECORD, draft=b"", put_on_record=named)
    smuggle(pair.alpha, made)
    pair.run(1_000)
    assert verdicts(pair.bravo)[2] == "missing"
    assert not [told for told in pair.bravo.told if told.kind == "recorded"]
