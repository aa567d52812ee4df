"""Drafts at a terminal: written, signed, put aside, released (docs/protocol.md 19.9 to 19.11)."""

from __future__ import annotations

import pytest

from hotline.limits import DRAFTS_FINISHED_KEPT, DRAFTS_MAX, TEXT_BYTES_MAX
from hotline.machine import Plane, Private
from hotline.protocol.drafts import REASON_MAX
from hotline.protocol.release import RELEASED
from hotline.protocol.statements import decode_statement
from hotline.wire.v1 import content_pb2

from .offices import DRAFTER, RELEASER, TWO, Desk, key_of, signed
from .pair import DAY, FLASH, IMMEDIATE, ROUTINE, WALL, Pair


@pytest.fixture
def pair() -> Pair:
    return Pair(release=TWO).open()


@pytest.fixture
def desk(pair: Pair) -> Desk:
    desk = Desk(pair.alpha)
    assert desk.make().ok
    return desk


def steps(desk: Desk) -> list[str]:
    return [record.kind for record in desk.party.records if record.kind.startswith("draft.")]


def test_from_the_first_word_to_the_other_side(pair: Pair, desk: Desk) -> None:
    """Nobody could say by whom and when a message was approved: the first column of the log of 1967 stays empty."""
    # docs/protocol.md 19.9, 19.10 and 19.11
    assert desk.sign_as(1, "duty-1", DRAFTER).fields["missing"] == "releaser"
    reply = desk.sign_as(1, "release-1", RELEASER)
    assert (reply.ok, reply.fields["missing"]) == (True, "")
    assert desk.release(1).fields["serial"] == 1
    pair.run(1_000)
    assert pair.alpha.states(1)[-1] == "delivered"
    assert [d.fields["authority"] for d in pair.bravo.told if d.kind == "received"] == [RELEASED]
    content = pair.bravo.memory.received(Plane.REAL, 1)
    assert content is not None
    said = decode_statement(content)
    assert (said.text, said.drafter, said.valid_for_ms) == ("We shall not fire.", "duty-1", DAY)
    assert [(one.officer, one.role, one.signed_ms) for one in said.release] == [
        ("duty-1", DRAFTER, WALL),
        ("release-1", RELEASER, WALL),
    ]
    assert steps(desk) == ["draft.made", "draft.signed", "draft.signed", "draft.released"]
    made, one, two, released = (r for r in pair.alpha.records if r.kind.startswith("draft."))
    assert {record.fields["draft"] for record in (made, one, two, released)} == {said.draft.hex()}
    assert (made.private["body"], made.private["officers"]) == (Private(b"We shall not fire."), Private(b"duty-1"))
    assert [r.private["officers"].value for r in (one, two)] == [b"drafter duty-1", b"releaser release-1"]
    assert released.private["officers"].value == b"drafter duty-1, releaser release-1"
    assert (released.fields["serial"], released.fields["number"]) == (1, 1)
    told = [d.fields["state"] for d in pair.alpha.told if d.kind == "draft"]
    assert told == ["made", "signed", "signed", "released"]


@pytest.mark.parametrize("signers", [(), (("duty-1", DRAFTER),), (("release-1", RELEASER),)])
def test_a_draft_that_lacks_a_signature_is_not_released(
    pair: Pair, desk: Desk, signers: tuple[tuple[str, content_pb2.Role.ValueType], ...]
) -> None:
    """One person alone would speak for a state (docs/protocol.md 19.11)."""
    for signer in signers:
        assert desk.sign_as(1, *signer).ok
    reply = desk.release(1)
    assert (reply.ok, reply.code, desk.state(1)) == (False, "policy", "open")
    wanted = {"drafter", "releaser"} - {"drafter" if role == DRAFTER else "releaser" for _, role in signers}
    assert all(role in reply.text for role in wanted)
    pair.run(1_000)
    assert pair.bravo.shown() == []


def test_what_needs_nobody_is_released_by_one(pair: Pair, desk: Desk) -> None:
    """An exercise could not be written down before it is said (docs/protocol.md 19.11)."""
    assert desk.make("An exercise.", FLASH, Plane.EXERCISE).ok
    assert desk.release(2).ok
    pair.run(1_000)
    content = pair.bravo.memory.received(Plane.EXERCISE, 1)
    assert content is not None
    assert not decode_statement(content).draft
    assert [d.fields["authority"] for d in pair.bravo.told if d.kind == "received"] == [""]


def test_another_wording_is_another_draft(pair: Pair, desk: Desk) -> None:
    """Signed by two, and then changed by one (docs/protocol.md 19.9)."""
    old = desk.statement(1)
    first = signed(old, "duty-1", DRAFTER)
    assert desk.sign(1, first).ok
    assert desk.make("We shall fire.", number=1).ok
    new = desk.statement(1)
    assert (new.text, list(new.release)) == ("We shall fire.", [])
    assert new.draft != old.draft
    # The signature on the old wording is none on the new one, in whatever order they meet.
    late = desk.sign(1, first)
    assert (late.ok, late.code) == (False, "policy")
    assert "as it is now" in late.text
    made = [(r.fields["number"], r.fields["edit"]) for r in pair.alpha.records if r.kind == "draft.made"]
    assert made == [(1, 0), (1, 1)]


def test_an_edit_may_change_the_plane(desk: Desk) -> None:
    """A draft would lie in the table twice, and come back after a restart (docs/protocol.md 19.9)."""
    assert desk.make("An exercise.", FLASH, Plane.EXERCISE, number=1).ok
    desk.party.restart()
    assert [draft.exercise for draft, _ in desk.party.endpoint.drafts.listed()] == [True]


def test_whose_signature_a_terminal_takes(desk: Desk) -> None:
    """The other side would find it wanting, when it is too late (docs/protocol.md 19.10)."""
    draft = desk.statement(1)
    for release, words in (
        (signed(draft, "nobody", DRAFTER), "no officer nobody of ALPHA"),
        (signed(draft, "duty-2", DRAFTER), "no officer duty-2 of ALPHA"),
        (signed(draft, "release-1", DRAFTER), "is no drafter and has the role releaser: use that (--role)"),
        (signed(draft, "former-1", RELEASER), "card"),
        (signed(draft, "duty-1", DRAFTER, key=key_of("duty-2")), "as it is now"),
        (signed(draft, "duty-1", DRAFTER, plane=Plane.EXERCISE), "as it is now"),
    ):
        reply = desk.sign(1, release)
        assert (reply.ok, reply.code) == (False, "policy")
        assert words in reply.text
    for spoiled in ({"role": 0}, {"role": 9}, {"officer": ""}, {"signature": bytes(63)}):
        release = signed(draft, "duty-1", DRAFTER)
        for name, value in spoiled.items():
            setattr(release, name, value)
        assert desk.sign(1, release).code == "draft"
    assert steps(desk) == ["draft.made"]
    assert desk.sign_as(1, "both-1", DRAFTER).ok
    again = desk.sign_as(1, "both-1", RELEASER)
    assert not again.ok
    assert "signed draft 1 already" in again.text


def test_a_card_that_expires_before_the_release(pair: Pair, desk: Desk) -> None:
    """Signed in time and released too late, it would be branded (docs/protocol.md 19.11)."""
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    pair.alpha.offset = 800 * DAY
    reply = desk.release(1)
    assert (reply.ok, reply.code) == (False, "policy")
    assert "card" in reply.text


def test_a_rejected_draft_stays_and_goes_nowhere(pair: Pair, desk: Desk) -> None:
    """What one officer has refused, another would send (docs/protocol.md 19.10)."""
    for reason in ("", "  ", "x" * (REASON_MAX + 1)):
        assert not desk.reject(1, reason).ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.reject(1, "The hour is wrong.").ok
    draft = desk.draft(1)
    assert (draft.state, draft.by, draft.reason) == ("rejected", "release-1", "The hour is wrong.")
    replies = [desk.release(1), desk.sign_as(1, "both-1", DRAFTER), desk.make(number=1), desk.reject(1, "Again.")]
    assert [(reply.ok, "rejected already" in reply.text) for reply in replies] == [(False, True)] * 4
    rejected = next(r for r in pair.alpha.records if r.kind == "draft.rejected")
    assert rejected.private["reason"].value == b"The hour is wrong."
    pair.run(1_000)
    assert pair.bravo.shown() == []


def test_a_draft_is_released_once(pair: Pair, desk: Desk) -> None:
    """A second push of the same key would say it twice (docs/protocol.md 19.6 and 19.10)."""
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.release(1).ok
    again = [desk.release(1), desk.sign_as(1, "both-1", DRAFTER), desk.make(number=1), desk.reject(1, "No.")]
    assert [(reply.ok, "released as #1 already" in reply.text) for reply in again] == [(False, True)] * 4
    pair.run(1_000)
    assert pair.bravo.shown() == [1]
    assert not desk.release(7).ok


def test_drafts_outlive_a_restart(pair: Pair, desk: Desk) -> None:
    """A power cut between two signatures would cost the hour in which they were made (docs/protocol.md 19.9)."""
    assert desk.make("The second.", ROUTINE).ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.reject(2, "Not now.").ok
    before = [draft for draft, _ in pair.alpha.endpoint.drafts.listed()]
    pair.alpha.restart()
    pair.run(3_000)
    assert [draft for draft, _ in pair.alpha.endpoint.drafts.listed()] == before
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.release(1).ok
    assert desk.make("The third.").ok
    assert desk.draft(3).state == "open"


def test_a_draft_that_corrects_names_what_it_corrects(pair: Pair) -> None:
    """The text would go, and the link to what it corrects be lost (docs/protocol.md 19.9 and 8.10)."""
    desk = Desk(pair.alpha)
    assert pair.alpha.submit("It begins at 14:30.", IMMEDIATE).ok
    pair.run(1_000)
    assert desk.make("It begins at 15:30.", FLASH, corrects=1).ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.release(1).ok
    pair.run(1_000)
    assert [d.fields["serial"] for d in pair.alpha.told if d.kind == "corrected"] == [1]
    assert [d.fields["by"] for d in pair.bravo.told if d.kind == "corrected"] == [2]


def test_drafts_are_bounded(desk: Desk) -> None:
    """Whoever sits at a terminal would fill its memory (docs/protocol.md 19.9 and 4.7)."""
    for _ in range(DRAFTS_MAX - 1):
        assert desk.make(precedence=IMMEDIATE).ok
    full = desk.make(precedence=IMMEDIATE)
    assert not full.ok
    assert f"{DRAFTS_MAX} drafts are open" in full.text
    assert desk.make("Another wording.", number=1).ok
    assert desk.reject(1, "Too many.").ok
    assert desk.make(precedence=IMMEDIATE).ok
    for number in range(2, DRAFTS_MAX + 2):
        desk.reject(number, "Too many.")
    for _ in range(DRAFTS_FINISHED_KEPT):
        desk.make(precedence=IMMEDIATE)
        desk.reject(max(draft.number for draft, _ in desk.party.endpoint.drafts.listed()), "Too many.")
    kept = [draft.number for draft, _ in desk.party.endpoint.drafts.listed()]
    assert kept == list(range(DRAFTS_MAX + 2, DRAFTS_MAX + 2 + DRAFTS_FINISHED_KEPT))
    assert {row["serial"] for row in desk.party.memory.rows("draft")} == set(kept)
    assert not desk.make("", FLASH).ok
    assert desk.make("x" * 40_000).code == "draft"


def test_the_longest_text_goes_with_its_signatures(pair: Pair) -> None:
    """docs/protocol.md 8.12: a terminal that took what no envelope holds would stop in the middle of a step."""
    desk = Desk(pair.alpha)
    assert desk.make("x" * TEXT_BYTES_MAX).ok
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.release(1).ok
    pair.run(1_000)
    assert pair.alpha.states(1)[-1] == "delivered"


def test_what_no_envelope_holds_is_refused_before_it_is_signed_or_queued(
    pair: Pair, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, for what is too long by its signatures."""
    monkeypatch.setattr("hotline.protocol.statements._SAID_MAX", desk.statement(1).ByteSize())
    reply = desk.sign_as(1, "duty-1", DRAFTER)
    assert (reply.ok, reply.code) == (False, "draft")
    assert "send it in parts" in reply.text
    assert not desk.statement(1).release
    longer = desk.make("We shall not fire. " * 9)
    assert (longer.ok, [draft.number for draft, _ in pair.alpha.endpoint.drafts.listed()]) == (False, [1])
