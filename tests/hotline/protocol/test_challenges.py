"""Was this really said? The record answers, a person confirms, silence is an alarm (docs/protocol.md 25.5 to 25.8)."""

from __future__ import annotations

import pytest

from hotline.limits import (
    CHALLENGE_OFFICER_PATIENCE,
    CHALLENGE_RECORD_PATIENCE,
    CHALLENGES_KEPT_MAX,
    SERVICE_OUTBOX_MAX,
)
from hotline.machine import Delete, Output, Plane, Reply, RequestId, Tick
from hotline.protocol.asking import TERMINAL, Kept
from hotline.protocol.events import AnswerChallenge, AskChallenge
from hotline.protocol.statements import decode_statement
from hotline.protocol.voids import filler
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import FLASH, Pair, Party, durable, losing
from tests.hotline.protocol.quartet import Quartet

YES, NO, UNKNOWN = content_pb2.VERDICT_YES, content_pb2.VERDICT_NO, content_pb2.VERDICT_UNKNOWN


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def asks(party: Party, serial: int = 1, *, ours: bool = False, plane: Plane = Plane.REAL) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(AskChallenge(request, "duty-1", plane, serial, ours))
    return party.replies[request]


def confirms(party: Party, serial: int = 1, verdict: int = YES, text: str = "", officer: str = "duty-2") -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(AnswerChallenge(request, officer, serial, verdict, text))  # type: ignore[arg-type]
    return party.replies[request]


def answers(party: Party) -> list[tuple[object, object]]:
    return [(d.fields["by"], d.fields["verdict"]) for d in party.told if d.kind == "challenge-answered"]


def alarms(party: Party, name: str) -> list[dict[str, object]]:
    return [dict(r.fields) for r in party.records if r.kind == "alarm" and r.fields["name"] == name]


@pytest.mark.parametrize("plane", [Plane.REAL, Plane.EXERCISE])
def test_the_record_answers_at_once_and_a_person_by_name(pair: Pair, plane: Plane) -> None:
    """Nobody could tell a true FLASH from a stolen key's while the phones are down (docs/protocol.md 25.5 to 25.7)."""
    pair.alpha.submit("Our aircraft is in distress.", FLASH, plane)
    pair.run(1_000)
    assert asks(pair.bravo, plane=plane).ok
    pair.run(1_000)
    assert answers(pair.bravo) == [("record", "yes")]
    (told,) = alarms(pair.alpha, "challenged")
    assert (told["of"], told["plane"], told["verdict"]) == (1, plane.value, "yes")
    assert pair.alpha.shown(Plane.SERVICE) == [1]
    assert pair.alpha.text(1, Plane.SERVICE).startswith(f"Did you say #0001 of the {plane.value} plane, statement ")
    assert confirms(pair.alpha, text="It is ours. A pilot is missing.").ok
    pair.run(1_000)
    assert answers(pair.bravo) == [("record", "yes"), ("officer", "yes")]
    assert pair.bravo.text(2, Plane.SERVICE) == "It is ours. A pilot is missing."
    assert not confirms(pair.alpha).ok, "a person answers once"
    kinds = [record.kind for record in (*pair.alpha.records, *pair.bravo.records) if record.kind.startswith("chall")]
    assert sorted(kinds) == sorted(
        ["challenge.asked", "challenge.heard", "challenge.word", "challenge.answered", "challenge.answered"]
    )
    assert not alarms(pair.bravo, "challenge-denied")


def test_have_you_received_it(pair: Pair) -> None:
    """Whoever has no receipt could not ask by another way (docs/protocol.md 25.6)."""
    pair.weather = losing(lambda sender, relay, sealed: sender is pair.alpha and durable(sealed))
    pair.alpha.submit("one")
    pair.run(2)
    real = {item.envelope for item in pair.alpha.endpoint.context.outboxes[Plane.REAL].pending.values()}
    pair.weather = losing(lambda sender, relay, sealed: sealed in real)
    assert asks(pair.alpha, ours=True).ok
    pair.run(2_000)
    assert answers(pair.alpha) == [("record", "no")]
    assert not alarms(pair.alpha, "challenge-denied"), "a statement that is under way would be told of as a forgery"
    pair.weather = losing(lambda sender, relay, sealed: False)
    pair.run(60_000)
    assert asks(pair.alpha, ours=True).ok
    pair.run(2_000)
    assert answers(pair.alpha)[-1] == ("record", "yes")
    assert pair.bravo.text(1, Plane.SERVICE).startswith("Have you received our #0001 of the real plane, statement ")


def forge(pair: Pair, serial: int, name: bytes) -> None:
    """BRAVO's list shows a statement that ALPHA never said: its terminal, or its disk, was tampered with."""
    pair.bravo.memory.tables.setdefault("received", {})["real", serial] = {
        "plane": "real", "serial": serial, "content": b"", "signature": b"", "hash": name, "at": 1,
    }  # fmt: skip
    pair.bravo.endpoint.context.inboxes[Plane.REAL].through = max(
        serial, pair.bravo.endpoint.context.inboxes[Plane.REAL].through
    )
    pair.bravo.endpoint.context.inboxes[Plane.REAL]._recent.clear()
    pair.bravo.lies = True


@pytest.mark.parametrize("serial", [1, 2])
def test_what_was_never_said_is_denied_by_its_name_not_its_number(pair: Pair, serial: int) -> None:
    """A forged statement under a true number would be confirmed (docs/protocol.md 25.6 and 25.7)."""
    pair.alpha.submit("said")
    pair.run(1_000)
    forge(pair, serial, b"f" * 32)
    assert asks(pair.bravo, serial).ok
    pair.run(1_000)
    assert answers(pair.bravo) == [("record", "no")]
    (alarm,) = alarms(pair.bravo, "challenge-denied")
    assert (alarm["of"], alarm["by"]) == (serial, "record")


def test_what_was_received_once_is_not_denied_without_an_alarm(pair: Pair) -> None:
    """A peer that has changed its record would seem to have missed a statement (docs/protocol.md 25.7)."""
    pair.alpha.submit("received")
    pair.run(1_000)
    pair.bravo.memory.tables["received"]["real", 1]["hash"] = b"f" * 32
    pair.bravo.endpoint.context.inboxes[Plane.REAL]._recent.clear()
    pair.bravo.lies = True
    assert asks(pair.alpha, ours=True).ok
    pair.run(1_000)
    assert answers(pair.alpha) == [("record", "no")]
    assert [alarm["of"] for alarm in alarms(pair.alpha, "challenge-denied")] == [1]


def test_a_void_is_known_and_what_was_lost_is_unknown(pair: Pair) -> None:
    """An expired statement or an old backup would look like a forgery (docs/protocol.md 25.6)."""
    pair.weather = losing(lambda sender, relay, sealed: durable(sealed))
    pair.alpha.submit("short", valid_for_ms=5_000)
    pair.run(6_000)
    pair.weather = losing(lambda sender, relay, sealed: False)
    pair.run(20_000)
    assert pair.bravo.shown() == [-1]
    backup = pair.alpha.memory.copy()
    pair.alpha.submit("after the backup")
    pair.run(2_000)
    asks(pair.bravo, 1)
    pair.run(2_000)
    pair.alpha.restart(backup)
    pair.run(60_000)
    asks(pair.bravo, 2)
    pair.run(5_000)
    *known, last = answers(pair.bravo)
    assert set(known) == {("record", "yes")}, "what the backup did not know of is asked and answered again"
    assert last == ("record", "unknown")


def test_only_what_is_here_can_be_challenged(pair: Pair) -> None:
    """A question about nothing would ring at the other side (docs/protocol.md 25.5)."""
    for reply in (asks(pair.alpha, 1), asks(pair.alpha, 1, ours=True), confirms(pair.alpha, 1)):
        assert (reply.ok, "nothing was" in reply.text) == (False, True)
    assert pair.alpha.endpoint.context.outboxes[Plane.SERVICE].last_serial == 0


def test_a_person_cannot_speak_as_the_record(pair: Pair) -> None:
    """One word of an officer would count as two (docs/protocol.md 25.5)."""
    pair.alpha.submit("x")
    pair.run(1_000)
    asks(pair.bravo)
    pair.run(1_000)
    assert not confirms(pair.alpha, officer=TERMINAL).ok
    assert not confirms(pair.alpha, verdict=9).ok
    assert not confirms(pair.alpha, text="x" * 1_001).ok
    assert confirms(pair.alpha, verdict=NO).ok
    pair.run(1_000)
    assert answers(pair.bravo) == [("record", "yes"), ("officer", "no")]
    assert [alarm["by"] for alarm in alarms(pair.bravo, "challenge-denied")] == ["officer"]


def test_silence_is_an_alarm_for_each_who_owes_an_answer(pair: Pair) -> None:
    """A challenge that a relay withholds would be forgotten by those who wait (docs/protocol.md 25.8)."""
    pair.alpha.submit("x")
    pair.run(1_000)
    pair.weather = losing(lambda sender, relay, sealed: sender is pair.bravo and durable(sealed))
    asks(pair.bravo)
    pair.run(CHALLENGE_RECORD_PATIENCE - 1_000)
    assert not alarms(pair.bravo, "challenge-unanswered")
    pair.run(2_000)
    assert [alarm["by"] for alarm in alarms(pair.bravo, "challenge-unanswered")] == ["record"]
    pair.run(CHALLENGE_RECORD_PATIENCE)
    pair.weather = losing(lambda sender, relay, sealed: False)
    pair.run(60_000)
    assert answers(pair.bravo) == [("record", "yes")]
    pair.bravo.restart()
    pair.run(CHALLENGE_OFFICER_PATIENCE + 1_000)
    assert pair.bravo.endpoint.challenges.next_deadline() is None
    assert [alarm["by"] for alarm in alarms(pair.bravo, "challenge-unanswered")] == ["record", "officer"]


def test_what_the_peer_asks_ends_no_patience_with_its_own_silence(pair: Pair) -> None:
    """A terminal that never answers would only have to ask something itself (docs/protocol.md 25.8)."""
    for party in pair.running():
        party.submit("x")
    pair.run(1_000)
    asks(pair.bravo)
    pair.weather = losing(lambda sender, relay, sealed: sender is pair.bravo and durable(sealed))
    asks(pair.alpha, ours=True)
    pair.weather = losing(lambda sender, relay, sealed: sender is pair.alpha and durable(sealed))
    pair.run(1_000)
    assert sorted((row["way"], row["serial"]) for row in pair.bravo.memory.rows("challenge")) == [
        ("asked", 1),
        ("heard", 1),
    ]
    pair.bravo.restart()
    pair.run(CHALLENGE_RECORD_PATIENCE + 2_000)
    assert [alarm["by"] for alarm in alarms(pair.bravo, "challenge-unanswered")] == ["record"]


def test_without_room_for_talk_it_is_silent(pair: Pair) -> None:
    """A flood of challenges would be a flood of answers (docs/protocol.md 25.6)."""
    pair.alpha.submit("x")
    pair.run(1_000)
    pair.weather = losing(lambda sender, relay, sealed: sender is pair.alpha and durable(sealed))
    for _ in range(SERVICE_OUTBOX_MAX):
        pair.alpha.submit("full", plane=Plane.SERVICE)
    asks(pair.bravo)
    pair.run(2_000)
    assert len(alarms(pair.alpha, "challenged")) == 1
    assert pair.alpha.endpoint.context.outboxes[Plane.SERVICE].last_serial == SERVICE_OUTBOX_MAX
    assert asks(pair.alpha, ours=True).code == "full"


def test_an_answer_to_another_question_is_talk_and_no_more(pair: Pair) -> None:
    """The peer's terminal could answer what nobody asked (docs/protocol.md 25.7)."""
    pair.alpha.submit("x")
    pair.run(1_000)
    asks(pair.bravo)
    alpha = pair.alpha
    for serial, name in ((1, bytes(32)), (7, bytes(32))):
        said = content_pb2.Statement(
            precedence=1, kind=content_pb2.STATEMENT_KIND_OFFICER_ANSWER, language="en", direction=1, drafter="duty-2",
            text="No.", verdict=NO, valid_for_ms=60_000,
        )  # fmt: skip
        said.in_reply_to.CopyFrom(content_pb2.Reference(serial=serial, statement=name))
        alpha.endpoint.sending.say(Plane.SERVICE, said, alpha.now())
        alpha.memory.apply(alpha.endpoint.context.out)
        alpha.step(Tick())
    alpha.lies = True
    pair.run(2_000)
    assert answers(pair.bravo) == [("record", "yes")]
    assert len(pair.bravo.shown(Plane.SERVICE)) == 3


def test_a_challenge_goes_on_under_another_serial(pair: Pair) -> None:
    """After a loss of state its answer would be taken for talk (docs/protocol.md 25.7 and 12.6)."""
    pair.alpha.submit("x")
    pair.run(1_000)
    backup = pair.bravo.memory.copy()
    pair.bravo.submit("lost", plane=Plane.SERVICE)
    pair.run(2_000)
    pair.bravo.restart(backup)
    pair.run(2)
    assert asks(pair.bravo).ok
    pair.run(60_000)
    assert answers(pair.bravo) == [("record", "yes")]
    rows = pair.bravo.memory.rows("challenge")
    assert [(row["serial"], row["record"]) for row in rows] == [(2, "yes")]


def named(serial: int, name: bytes, *, ours: bool = False) -> content_pb2.Challenge:
    return content_pb2.Challenge(named=content_pb2.Reference(serial=serial, statement=name), ours=ours)


def test_what_the_record_answers_at_its_ends(pair: Pair) -> None:
    """What the terminal lost would be denied, or what it never said left open (docs/protocol.md 25.6 and 8.7)."""
    alpha, now = pair.alpha, pair.alpha.now()
    alpha.submit("said")
    pair.bravo.submit("received")
    pair.run(1_000)
    ctx, other = alpha.endpoint.context, b"f" * 32
    real, said = ctx.outboxes[Plane.REAL], ctx.history.sent(Plane.REAL, 1)
    heard = ctx.inboxes[Plane.REAL].known_hash(1)
    assert said is not None
    assert heard is not None
    pair.weather = losing(lambda sender, relay, sealed: durable(sealed))
    alpha.submit("under way")
    (waiting,) = real.pending.values()
    real.last_serial = 4
    ctx.inboxes[Plane.REAL].through = 2
    alpha.lies = True
    fillers = {serial: filler(ctx, Plane.REAL, serial, now).hash for serial in (1, 4, 5)}
    asked = {
        (1, said.hash): YES,
        (1, other): NO,
        (1, fillers[1]): NO,
        (2, waiting.hash): YES,
        (2, other): NO,
        (3, other): UNKNOWN,
        (4, other): UNKNOWN,
        (4, fillers[4]): YES,
        (5, fillers[5]): NO,
    }
    verdict = alpha.endpoint.challenges._verdict
    assert {key: verdict(Plane.REAL, named(*key), now) for key in asked} == asked
    asked = {(1, heard): YES, (1, other): NO, (2, other): UNKNOWN, (3, other): NO}
    assert {key: verdict(Plane.REAL, named(*key, ours=True), now) for key in asked} == asked
    assert verdict(Plane.EXERCISE, named(1, said.hash), now) == NO


def test_patience_ends_to_the_millisecond_and_is_told_with_what_it_is_about(pair: Pair) -> None:
    """The watch would not know which challenge nobody answers (docs/protocol.md 25.8)."""
    pair.alpha.submit("x", plane=Plane.EXERCISE)
    pair.alpha.submit("y", plane=Plane.EXERCISE)
    pair.run(1_000)
    pair.weather = losing(lambda sender, relay, sealed: durable(sealed))
    bravo, first = pair.bravo, {"serial": 1, "plane": "exercise", "of": 2}
    assert asks(bravo, 2, plane=Plane.EXERCISE).text
    assert bravo.endpoint.challenges.next_deadline() == pair.time + CHALLENGE_RECORD_PATIENCE
    pair.run(CHALLENGE_RECORD_PATIENCE - 1)
    assert not alarms(bravo, "challenge-unanswered")
    pair.run(1)
    (alarm,) = alarms(bravo, "challenge-unanswered")
    assert (first | {"by": "record"}).items() <= alarm.items()
    assert bravo.endpoint.challenges.next_deadline() is None, "nobody's silence is told twice"
    (row,) = bravo.memory.rows("challenge")
    assert (row["serial"], row["plane"], row["named"], row["ours"], row["alarmed"]) == (1, "exercise", 2, 0, 1)
    bravo.restart()
    assert bravo.endpoint.challenges.next_deadline() is None
    pair.weather = losing(lambda sender, relay, sealed: False)
    while not answers(bravo):
        pair.run(100)
    due = bravo.endpoint.challenges.next_deadline()
    assert due is not None
    assert pair.time + CHALLENGE_OFFICER_PATIENCE - 100 <= due <= pair.time + CHALLENGE_OFFICER_PATIENCE
    confirms(pair.alpha)
    pair.run(20_000)
    assert pair.bravo.text(2, Plane.SERVICE) == "Yes."
    assert bravo.endpoint.challenges.next_deadline() is None
    assert (bravo.endpoint.challenges.open_ones(), pair.alpha.endpoint.challenges.open_ones()) == ([], [])
    again = confirms(pair.alpha, officer="duty-9")
    assert (again.code, "duty-2" in again.text) == ("again", True)


def test_of_each_way_the_newest_are_listed(pair: Pair) -> None:
    """A year of challenges would stay in memory, or one too many be forgotten (docs/protocol.md 25.8)."""
    challenges, now = pair.alpha.endpoint.challenges, pair.alpha.now()
    out = pair.alpha.endpoint.context.out = Output()
    pair.alpha.lies = True

    def keep(way: str, serial: int) -> None:
        kept = Kept(way, serial, "real", 1, bytes(32), 0, now.wall)
        challenges._keep(kept)
        challenges._wait(kept, now)

    for serial in range(1, CHALLENGES_KEPT_MAX + 1):
        keep("heard", serial)
        keep("asked", serial)
    assert len(challenges.open_ones()) == 2 * CHALLENGES_KEPT_MAX
    assert len(challenges._late_at) == CHALLENGES_KEPT_MAX
    keep("asked", CHALLENGES_KEPT_MAX + 1)
    assert [change for change in out.changes if isinstance(change, Delete)] == [
        Delete("challenge", {"way": "asked", "serial": 1})
    ]
    assert challenges.open_ones()[:2] == [["heard", 1], ["heard", 2]]
    assert 1 not in challenges._late_at
    keep("heard", CHALLENGES_KEPT_MAX + 1)
    assert challenges.open_ones()[:2] == [["heard", 2], ["asked", 2]]
    assert 2 in challenges._late_at


@pytest.mark.parametrize("restarts", [False, True])
def test_a_sibling_that_hears_the_answer_first_keeps_it_for_the_question(restarts: bool) -> None:
    """Whoever takes over would ask again, and ring for what was answered (docs/protocol.md 25.7)."""
    four = Quartet().open()
    four.alpha.submit("x")
    four.run(1_000)
    four.part((four.bravo, four.beside))
    assert asks(four.bravo).ok
    four.run(3_000)
    assert confirms(four.alpha, text="We did.").ok
    four.run(3_000)
    assert [row["officer"] for row in four.bravo.memory.rows("challenge")] == ["yes"]
    assert not four.beside.memory.rows("challenge")
    if restarts:
        four.beside.restart()
    assert len(four.beside.endpoint.challenges.early.theirs) == 2
    four.meet()
    four.run(12_000)
    rows = [dict(one.memory.rows("challenge")[0]) | {"at": 0} for one in (four.bravo, four.beside)]
    assert rows[0] == rows[1]
    assert (rows[1]["record"], rows[1]["officer"], rows[1]["by"]) == ("yes", "yes", "duty-2")
    assert answers(four.beside) == answers(four.bravo) == [("record", "yes"), ("officer", "yes")]
    assert not four.beside.endpoint.challenges.early.theirs
    assert four.beside.endpoint.challenges.next_deadline() is None
    asked = [dict(r.fields) for one in (four.bravo, four.beside) for r in one.records if r.kind == "challenge.asked"]
    assert asked[0] == asked[1]
    heard = [decode_statement(row["content"]).kind for row in four.alt.memory.rows("sent")]  # type: ignore[arg-type]
    assert heard.count(content_pb2.STATEMENT_KIND_RECORD_ANSWER) == 1, "the record of one terminal answers"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_sibling_that_hears_the_question_last_knows_that_it_is_answered(restarts: bool) -> None:
    """Whoever takes over would answer what was answered, maybe with another word (docs/protocol.md 25.7)."""
    four = Quartet().open()
    four.alpha.submit("x")
    four.run(1_000)
    four.part((four.alt, four.bravo), (four.alt, four.beside))
    assert asks(four.bravo).ok
    four.run(3_000)
    assert confirms(four.alpha).ok
    four.run(3_000)
    assert not four.alt.memory.rows("challenge")
    if restarts:
        four.alt.restart()
    four.meet()
    four.run(12_000)
    rows = [dict(one.memory.rows("challenge")[0]) | {"at": 0} for one in (four.alpha, four.alt)]
    assert rows[0] == rows[1]
    assert (rows[1]["way"], rows[1]["officer"], rows[1]["by"]) == ("heard", "yes", "duty-2")
    assert [one.endpoint.challenges.open_ones() for one in (four.alpha, four.alt)] == [[], []]
    assert not four.alt.endpoint.challenges.early.ours
    assert four.alt.speak()
    assert confirms(four.alt).code == "again"


def test_who_takes_over_answers_what_no_record_of_its_party_has_answered() -> None:
    """A party whose terminals changed places just then would be silent for ever (docs/protocol.md 25.6)."""
    four = Quartet().open()
    four.alpha.submit("x")
    four.run(1_000)
    four.part((four.alpha, four.bravo), (four.alpha, four.beside), (four.alpha, four.alt))
    assert asks(four.bravo).ok
    four.run(3_000)
    assert answers(four.bravo) == []
    kept = four.alt.endpoint.challenges._kept["heard", 1]
    kept.record = "no"  # as if it had not been told yet what its sibling had said
    assert four.alt.speak()
    four.run(3_000)
    assert answers(four.bravo) == answers(four.beside) == [("record", "yes")]
    heard = [r.fields["verdict"] for r in four.alt.records if r.kind == "challenge.heard"]
    assert heard == ["yes", "yes"], "what is answered is entered"
    four.meet()
    four.run(12_000)
    assert four.alpha.speak()
    four.run(3_000)
    assert answers(four.bravo) == [("record", "yes")]
    four.alpha.restart()
    assert four.alt.speak()
    four.run(3_000)
    assert four.alpha.speak()
    four.run(3_000)
    said = [decode_statement(row["content"]).kind for row in four.alpha.memory.rows("sent")]  # type: ignore[arg-type]
    assert said.count(content_pb2.STATEMENT_KIND_RECORD_ANSWER) == 1, "the record answers once"


def test_a_siblings_challenge_that_goes_on_under_another_serial_is_listed_once() -> None:
    """The old one would ring for its answer, and be handed over as open, for ever (docs/protocol.md 25.7 and 12.6)."""
    four = Quartet().open()
    four.alpha.submit("x")
    four.run(1_000)
    four.part((four.bravo, four.beside))
    backup = four.bravo.memory.copy()
    four.bravo.submit("lost", plane=Plane.SERVICE)
    four.run(2_000)
    four.part((four.beside, four.alpha), (four.beside, four.alt))
    four.bravo.restart(backup)
    assert asks(four.bravo).ok
    four.blocked.remove(frozenset((four.bravo.number, four.beside.number)))
    four.run(20_000)
    four.meet()
    four.run(20_000)
    lists = [sorted((row["way"], row["serial"]) for row in one.memory.rows("challenge")) for one in four.all[2:]]
    assert lists == [[("asked", 2)], [("asked", 2)]]
    moved = [record.kind for record in four.beside.records].count("msg.renumbered")
    assert (moved, answers(four.bravo)) == (1, [("record", "yes")])
