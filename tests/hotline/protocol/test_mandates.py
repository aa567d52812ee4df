"""Officers who act by a mandate of their party's identity key, and every way in which one does not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hotline.charter.cards import encode
from hotline.charter.mandates import read_mandate
from hotline.crypto.signing import SigningKey, pae
from hotline.errors import ConfigError, Malformed
from hotline.limits import MANDATE_BYTES_MAX, TEXT_BYTES_MAX
from hotline.machine import Plane, Private
from hotline.protocol.release import RELEASED, covered, judge, sign_release
from hotline.wire.v1 import content_pb2

from .offices import DRAFTER, DUTY, PRINCIPAL, RELEASER, TWO, Desk, key_of, mandate_for, signed, smuggle
from .pair import CHARTER, DAY, FLASH, ROUTINE, WALL, Pair
from .test_release import plain, verdicts

AT = WALL
LAST = ("2026-11-18", "2026-11-19")


@pytest.fixture
def pair() -> Pair:
    return Pair(release=TWO).open()


def by_mandate(
    mandate: bytes,
    name: str = "duty-1",
    role: content_pb2.Role.ValueType = RELEASER,
    at: int = AT,
) -> content_pb2.Statement:
    """Drafted by somebody whose card says so, released by a mandate."""
    statement = plain()
    drafter = "both-1" if name == "duty-1" else "duty-1"
    statement.release.append(signed(statement, drafter, DRAFTER))
    statement.release.append(signed(statement, name, role, at=at, mandate=mandate))
    return statement


def _bent(mandate: bytes, old: bytes, new: bytes) -> bytes:
    assert old in mandate
    return mandate.replace(old, new, 1)


GOOD: dict[str, content_pb2.Statement] = {
    "a role that the card has not": by_mandate(mandate_for()),
    "a role that the card has as well": by_mandate(mandate_for("release-1"), "release-1"),
    "its only day": by_mandate(mandate_for(days=LAST)),
}


@pytest.mark.parametrize("why", GOOD)
def test_an_officer_acts_by_mandate(pair: Pair, why: str) -> None:
    """A state whose only releaser is ill could not speak (docs/protocol.md 19.12 and 19.13)."""
    smuggle(pair.alpha, GOOD[why])
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED}


HELD = mandate_for()
WRONG: dict[str, tuple[content_pb2.Statement, str]] = {
    "of the other party": (by_mandate(mandate_for(party="BRAVO")), "mandate"),
    "of the other party, signed by ours": (by_mandate(mandate_for(party="BRAVO", by="ALPHA")), "mandate"),
    "signed by the other party": (by_mandate(mandate_for(by="BRAVO")), "mandate"),
    "for another officer": (by_mandate(mandate_for("both-1")), "mandate"),
    "for another officer by name, with this one's key": (
        by_mandate(mandate_for("both-1", key=key_of("duty-1"))), "mandate"
    ),
    "for another key of the officer": (by_mandate(mandate_for(key=SigningKey(bytes(32)))), "mandate"),
    "for another role": (by_mandate(mandate_for(role="principal")), "mandate"),
    "signed in another role than its own": (by_mandate(HELD, role=PRINCIPAL), "mandate"),
    "for another role, though the card has the role signed in": (
        by_mandate(mandate_for("release-1", "drafter"), "release-1"), "mandate"
    ),
    "of another hotline": (by_mandate(mandate_for(founding=bytes(32))), "mandate"),
    "from tomorrow": (by_mandate(mandate_for(days=("2026-11-19", "2026-12-01"))), "mandate"),
    "until today": (by_mandate(mandate_for(days=("2026-11-01", "2026-11-18"))), "mandate"),
    "signed before its first day": (by_mandate(HELD, at=AT - DAY), "mandate"),
    "signed after its last day": (by_mandate(mandate_for(days=LAST), at=AT + DAY), "mandate"),
    "signed while it held": (by_mandate(mandate_for(days=("2026-11-17", "2026-11-18")), at=AT - DAY), "mandate"),
    "its last day altered": (by_mandate(_bent(HELD, b"2026-11-20", b"2027-11-20")), "mandate"),
    "its role altered": (by_mandate(_bent(HELD, b"releaser", b"duty"), role=DUTY), "mandate"),
    "its grounds altered": (by_mandate(_bent(HELD, b"abroad", b"at home")), "mandate"),
    "its signature altered: ML-DSA": (by_mandate(_bent(HELD, HELD[-4_000:-3_980], HELD[-3_900:-3_880])), "mandate"),
    "its signature altered: Ed25519": (by_mandate(HELD[:-12] + b"AAAAAAAAAAA\n"), "mandate"),
    "without its signature": (by_mandate(HELD.rpartition(b"\n\n")[0] + b"\n"), "mandate"),
    "no note": (by_mandate(b"\xff\x00 \x1b[31m"), "mandate"),
    "for somebody whom the charter does not name": (by_mandate(mandate_for("nobody"), "nobody"), "officer"),
    "for an officer of the other party": (by_mandate(mandate_for("release-2"), "release-2"), "officer"),
    "for an officer whose card has expired": (by_mandate(mandate_for("former-1"), "former-1"), "expired"),
}  # fmt: skip


def _signed_without() -> content_pb2.Statement:
    """The mandate is put beside a signature that was made without one."""
    statement = by_mandate(b"")
    statement.release[1].mandate = HELD
    return statement


def _taken_off() -> content_pb2.Statement:
    statement = by_mandate(mandate_for("release-1"), "release-1")
    statement.release[1].mandate = b""
    return statement


def _exchanged() -> content_pb2.Statement:
    """Two mandates for the same, with other grounds: what the officer signed by is what is shown."""
    statement = by_mandate(HELD)
    statement.release[1].mandate = mandate_for(grounds="For no reason.")
    return statement


WRONG |= {
    "added to a signature": (_signed_without(), "signature"),
    "taken off a signature": (_taken_off(), "signature"),
    "exchanged for another that holds": (_exchanged(), "signature"),
    "none, and the role is not on the card": (by_mandate(b""), "role"),
}


@pytest.mark.parametrize("why", WRONG)
def test_a_mandate_that_does_not_hold_is_never_shown_as_authentic(pair: Pair, why: str) -> None:
    """Anybody with a terminal would write a paper that makes a clerk a releaser (docs/protocol.md 19.5 and 19.13)."""
    statement, word = WRONG[why]
    smuggle(pair.alpha, statement)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: word}
    assert pair.alpha.states(1)[-1] == "delivered"


def test_a_mandate_holds_by_the_clock_of_whoever_judges_too() -> None:
    """A releaser for a day would be one for ever: the signer writes the time (docs/protocol.md 19.13)."""
    statement = by_mandate(mandate_for(days=LAST))
    assert judge(TWO, Plane.REAL, CHARTER, statement, AT) == RELEASED
    assert judge(TWO, Plane.REAL, CHARTER, statement, AT + DAY) == "mandate"
    stranger = replace(TWO, identities={})
    assert judge(stranger, Plane.REAL, CHARTER, statement, AT) == "mandate"


def test_one_officer_does_not_sign_in_two_roles_by_mandate(pair: Pair) -> None:
    """One person would speak for a state after all (docs/protocol.md 19.3)."""
    statement = plain()
    statement.release.append(signed(statement, "duty-1", DRAFTER))
    statement.release.append(signed(statement, "duty-1", RELEASER, mandate=HELD))
    smuggle(pair.alpha, statement)
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: "twice"}


def test_what_is_too_long_for_a_mandate_is_refused(pair: Pair) -> None:
    """A peer would fill the memory of everybody who shows it (docs/protocol.md 19.8)."""
    pair.alpha.lies = True
    smuggle(pair.alpha, by_mandate(bytes(MANDATE_BYTES_MAX + 1)))
    pair.run(500)
    assert (pair.bravo.shown(), set(pair.bravo.refusals())) == ([], {"release"})


def test_every_mandate_that_is_made_can_be_carried() -> None:
    """One would be signed by an identity key and refused by every terminal (docs/protocol.md 19.12)."""
    longest = mandate_for("n" * 32, "principal", grounds="\U0001f600" * 200)
    assert len(longest) <= MANDATE_BYTES_MAX
    assert read_mandate(longest).grounds == "\U0001f600" * 200
    stranger = "\u2014 CHARLIE " + encode(bytes(MANDATE_BYTES_MAX)) + "\n"
    with pytest.raises(Malformed, match="too-long"):
        read_mandate(longest + stranger.encode())


@pytest.mark.parametrize(
    ("days", "grounds"),
    [
        (("2026-11-18", "2026-11-18"), "Why."),
        (("2026-11-19", "2026-11-18"), "Why."),
        (("2026-11-31", "2026-12-18"), "Why."),
        (("today", "2026-12-18"), "Why."),
        (LAST, " "),
        (LAST, "x" * 201),
    ],
)
def test_a_mandate_without_days_or_grounds_is_not_made(days: tuple[str, str], grounds: str) -> None:
    """Nobody could say later why a clerk spoke for the state (docs/protocol.md 19.12)."""
    with pytest.raises(ConfigError):
        mandate_for(days=days, grounds=grounds)


# --- at the sender ---------------------------------------------------------------------------------------------------


def test_an_officer_signs_a_draft_by_mandate_and_the_record_holds_it(pair: Pair) -> None:
    """docs/protocol.md 19.10 and 19.13: who acted, and by what, would be the word of a terminal."""
    desk = Desk(pair.alpha)
    assert desk.make().ok
    assert desk.sign_as(1, "both-1", DRAFTER).ok
    assert desk.sign_as(1, "duty-1", RELEASER).code == "policy"
    reply = desk.sign_as(1, "duty-1", RELEASER, mandate_for(days=("2026-11-19", "2026-12-01")))
    assert (reply.code, "holds from 2026-11-19 until 2026-12-01 only" in reply.text) == ("policy", True)
    other = desk.sign_as(1, "duty-1", RELEASER, mandate_for(role="principal"))
    assert "for the role principal, not releaser" in other.text
    assert desk.sign_as(1, "duty-1", RELEASER, HELD).ok
    assert desk.release(1).ok
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED}
    kept = {
        record.kind: record.private.get("mandates")
        for record in (*pair.alpha.records, *pair.bravo.records)
        if record.kind in ("draft.signed", "draft.released", "msg.authority")
    }
    assert kept == dict.fromkeys(("draft.signed", "draft.released", "msg.authority"), Private(HELD))


def test_a_mandate_that_no_envelope_holds_beside_the_text_is_refused_at_the_desk(pair: Pair) -> None:
    """docs/protocol.md 8.12: the terminal would take what it can never send."""
    desk = Desk(pair.alpha)
    assert desk.make("x" * TEXT_BYTES_MAX, ROUTINE).ok
    reply = desk.sign_as(1, "release-1", DRAFTER, mandate_for("release-1", "drafter"))
    assert (reply.ok, "send it in parts" in reply.text) == (False, True)
    assert desk.make("x" * 20_000, FLASH, number=1).ok
    assert desk.sign_as(1, "release-1", DRAFTER, mandate_for("release-1", "drafter")).ok
    assert desk.sign_as(1, "duty-1", RELEASER, HELD).ok
    assert desk.release(1).ok
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED}


def test_the_mandate_is_signed_as_one_part_more() -> None:
    """Another implementation would sign something else (docs/protocol.md 19.2)."""
    statement = plain()
    made = sign_release(key_of("duty-1"), Plane.REAL, CHARTER, statement, "duty-1", RELEASER, AT, HELD)
    parts = (CHARTER, covered(statement), b"releaser", b"duty-1", AT.to_bytes(8, "big"), HELD)
    assert made.signature == key_of("duty-1").sign_raw(pae("hotline/v1/release/real", *parts))
