"""Where features of one wire meet: what one of them promises, another must not break."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest

from hotline.limits import ALARM_INTERVAL, CHALLENGES_KEPT_MAX, SERIAL_MAX, SERIAL_SKIP_MAX, SUMMARY_INTERVAL
from hotline.machine import Instant, Output, Plane, RequestId
from hotline.protocol.bundle import read_bundle
from hotline.protocol.credence import Credence
from hotline.protocol.events import AnswerChallenge, AskChallenge, ExportBundle, MakeDraft, SetTerminal, Submit
from hotline.protocol.release import RELEASED
from hotline.wire.v1 import content_pb2

from .offices import TWO, smuggle
from .pair import FLASH, PRIORITY, ROUTINE, WALL, Pair, losing
from .quartet import Quartet, Terminal
from .test_release import plain, released, verdicts

MINUTE = 60_000
LAST_TERM = 2**32 - 1


@pytest.fixture
def four() -> Quartet:
    return Quartet().open()


def word(terminal: Terminal, term: int) -> content_pb2.SignedActivation:
    """What a thief with the keys of a terminal signs."""
    standing = terminal.endpoint.standing
    own, signed = standing.turns[terminal.name], dict(standing.signed)
    standing.turns[terminal.name] = own._replace(term=term - 1)
    made = standing.begin(terminal.signing, WALL)
    standing.turns[terminal.name], standing.signed = own, signed
    return made


def cut_off(four: Quartet, one: Terminal) -> None:
    four.part(*((one, other) for other in four.all if other.name != one.name))


def test_a_siblings_word_is_no_delivery_of_what_expired(four: Quartet) -> None:
    """The operator would be told that the peer has what it never got (docs/protocol.md 23.5 and 12.4)."""
    four.alt.kill()
    cut_off(four, four.alpha)
    four.alpha.submit("too late", valid_for_ms=5_000)
    four.run(8_000)
    four.alt.start()
    four.run(10_000)
    assert four.alt.said() == {1: "too late"}
    assert four.alpha.states(1) == ["expired"]


def test_the_last_term_is_nobodys_ruin(four: Quartet) -> None:
    """A stolen terminal would stop the machine of the next who takes over (docs/protocol.md 23.2)."""
    four.alpha.endpoint.standing.hear("ALPHA", word(four.alt, LAST_TERM))
    request = RequestId(900)
    four.alpha.step(SetTerminal(request, "watch", True))
    assert four.alpha.replies[request].code == "terms"


@pytest.mark.parametrize("both", [True, False])
def test_a_terminal_that_the_charter_no_longer_names_has_no_turn(four: Quartet, both: bool) -> None:
    """Its word would keep its party from starting, or speaking, for ever (docs/protocol.md 23.2 and 24.10)."""
    assert four.alt.speak()
    four.run(2_000)
    four.alt.kill()
    for one in (four.alpha, four.bravo, four.beside) if both else (four.alpha,):
        four.alt.on = False
        one.prepare(others=tuple(other for other in one.setup.others if other.side.number != four.alt.number))
        one.restart()
    four.run(5_000)
    assert four.alpha.endpoint.standing.active
    assert four.alpha.endpoint.context.peer_is_heard
    assert four.alpha.submit("still here").ok
    four.run(3_000)
    assert four.bravo.got() == {1: "still here"}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_draft_is_not_used_again_as_the_repeat_of_something_else(at_once: bool) -> None:
    """A thief would have an order given twice, the second time as the repeat of small talk (docs/protocol.md 19.6)."""
    pair = Pair(release=TWO).open()
    smuggle(pair.alpha, released())
    pair.run(1_000)
    with patch.object(pair.alpha.endpoint.context, "entropy", lambda size: b"s" * size):
        smuggle(pair.alpha, plain(precedence=PRIORITY, draft=b""))
        if not at_once:
            pair.run(1_000)
        smuggle(pair.alpha, released(first_serial=2))
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED, 2: "", 3: "reused"}


def test_a_promise_that_comes_after_its_answer_is_kept() -> None:
    """An answer on record would be an alarm until somebody answers again (docs/protocol.md 20.4 and 20.5)."""
    pair = Pair().open()
    pair.alpha.submit("Whose aircraft is it?")
    pair.run(500)
    pair.bravo.read(1)
    pair.run(500)
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    assert pair.bravo.promise(1, WALL + pair.time + MINUTE).ok
    pair.run(1)
    pair.weather = lambda sender, relay, envelope: [envelope]
    pair.run(5)
    assert pair.bravo.submit("Ours.", FLASH, in_reply_to=1).ok
    pair.run(20)
    pair.run(2 * MINUTE)
    assert [d.fields["way"] for d in pair.alpha.told if d.kind == "promise"] == ["sent"]
    assert "promise-overdue" not in pair.alpha.alarms()


def test_a_promise_is_not_made_anew_at_the_sibling_by_its_echo(four: Quartet) -> None:
    """What was kept would be overdue there for ever (docs/protocol.md 20.5 and 23.5)."""
    four.alpha.submit("Whose aircraft is it?")
    four.run(1_000)
    four.bravo.read(1)
    four.run(1_000)
    to, by = four.bravo.number.to_bytes(2, "big"), four.beside.number.to_bytes(2, "big")
    four.weather = losing(lambda sender, relay, envelope: envelope[2:6] == to + by)  # no NOTED comes back
    assert four.bravo.promise(1, WALL + four.time + MINUTE).ok
    four.run(100)
    assert four.bravo.submit("Ours.", in_reply_to=1).ok
    four.run(30_000)
    four.weather = losing(lambda *_: False)
    four.run(2 * MINUTE)
    assert "promise-overdue" not in four.beside.alarms()
    assert not four.beside.endpoint.promises.open


def test_a_flood_of_challenges_makes_nobody_forget_what_was_asked() -> None:
    """Who must answer would rather be forgotten (docs/protocol.md 25.8)."""
    pair = Pair().open()
    pair.bravo.submit("x")
    pair.run(1_000)
    pair.alpha.step(AskChallenge(RequestId(900), "watch", Plane.REAL, 1, ours=False))
    challenges, named = pair.alpha.endpoint.challenges, content_pb2.Reference(serial=1, statement=bytes(32))
    pair.alpha.endpoint.context.out = Output()
    for serial in range(1, CHALLENGES_KEPT_MAX + 2):
        asked = content_pb2.Statement(serial=serial, challenge=content_pb2.Challenge(named=named))
        challenges.heard(asked, bytes(32), pair.alpha.now())
    assert ("asked", 1) in challenges._kept
    assert len(challenges._kept) <= 2 * CHALLENGES_KEPT_MAX
    pair.alpha.lies = True


def test_who_takes_over_watches_what_it_takes_over() -> None:
    """The one terminal that is left would never ring for what nobody gets (docs/protocol.md 20.7 and 23.6)."""
    four = Quartet()
    for one in four.all:
        one.prepare(objective_ms={FLASH: MINUTE, ROUTINE: MINUTE})
    four.open()
    cut_off(four, four.alpha)
    cut_off(four, four.alt)
    four.alpha.submit("now", FLASH)
    four.run(3_000)
    four.alpha.kill()
    assert four.alt.speak()
    four.run(2 * MINUTE)
    assert "not-delivered" in four.alt.alarms()


def test_a_courier_takes_nothing_from_a_terminal_that_stands_by(four: Quartet) -> None:
    """What was deposed would speak by hand (docs/protocol.md 23.3 and 17.1)."""
    cut_off(four, four.alpha)
    four.alpha.submit("pending", FLASH)
    assert four.alpha.speak(speak=False)
    request = RequestId(900)
    four.alpha.step(ExportBundle(request, "watch"))
    reply = four.alpha.replies[request]
    assert reply.fields["statements"] == 0, reply.text
    assert not read_bundle(bytes(reply.fields["bundle"])).envelopes  # type: ignore[arg-type]
    assert "stands by" in reply.text


def test_one_terminal_of_the_peer_cannot_use_up_our_serials(four: Quartet) -> None:
    """A stolen one would silence us before the other one too, for ever (docs/protocol.md 12.6)."""
    four.beside.lies = True
    four.beside.endpoint.context.inboxes[Plane.REAL].through = SERIAL_MAX
    four.run(3_000)
    assert four.alpha.submit("still heard").ok
    four.run(3_000)
    assert four.bravo.got() == {1: "still heard"}


def test_what_was_said_without_prejudice_goes_to_no_terminal_that_came_later() -> None:
    """Its text would go out under nobody's signature, or stop the terminal (docs/protocol.md 22.3 and 23.11)."""
    four = Quartet()
    main, there = four.alpha, four.bravo
    for one in (main, there):
        one.prepare(others=())
        one.start()
    four.run(3_000)
    assert main.submit("between us", without_prejudice=True).ok
    assert main.submit("of record").ok
    four.run(2_000)
    assert there.shown() == [1, 2]
    for one in four.all:
        one.prepare()
        one.start()
    four.run(20_000)
    assert set(four.alt.said()) == {2}
    assert main.submit("new").ok
    four.run(10_000)
    assert four.beside.shown() == [2, -1, 3], "else it would wait for ever, and take no more when it is full"
    assert not [reason for one in four.all for reason in one.refusals()]


def test_one_terminal_of_ours_cannot_use_up_our_serials(four: Quartet) -> None:
    """A stolen alternate would silence its party for ever (docs/protocol.md 12.6 and 23.5)."""
    four.alpha.kill()
    assert four.alt.speak()
    cut_off(four, four.alt)
    four.alt.endpoint.context.raise_serial(Plane.REAL, SERIAL_MAX - 1)
    assert four.alt.submit("the last word").ok
    four.alpha.start()
    four.run(3_000)
    four.alt.kill()
    assert "serial" in four.alpha.refusals()
    assert four.alpha.speak()
    assert four.alpha.submit("still heard", FLASH).ok
    four.run(3_000)
    assert "still heard" in four.bravo.got().values()
    four.alt.lies = True


def test_a_word_that_is_taken_back_does_not_undo_a_denial() -> None:
    """Who denied a statement would be seen to have confirmed it (docs/protocol.md 25.7)."""
    pair = Pair().open()
    pair.alpha.submit("x")
    pair.run(1_000)
    pair.bravo.step(AskChallenge(RequestId(900), "watch", Plane.REAL, 1, ours=False))
    pair.run(2_000)
    name = pair.alpha.endpoint.context.inboxes[Plane.SERVICE].known_hash(1)
    for verdict in (content_pb2.VERDICT_NO, content_pb2.VERDICT_YES, content_pb2.VERDICT_NO):
        said = content_pb2.Statement(
            precedence=ROUTINE, kind=content_pb2.STATEMENT_KIND_OFFICER_ANSWER, language="en", direction=1,
            drafter="duty-1", text="?", verdict=verdict, valid_for_ms=MINUTE,
        )  # fmt: skip
        said.in_reply_to.CopyFrom(content_pb2.Reference(serial=1, statement=name or b""))
        smuggle(pair.alpha, said, Plane.SERVICE)
        pair.run(ALARM_INTERVAL)
    assert [row["officer"] for row in pair.bravo.memory.rows("challenge")] == ["no"]
    assert pair.bravo.alarms().count("challenge-denied") == 2


def test_a_challenge_is_that_of_both_terminals_of_a_party(four: Quartet) -> None:
    """Its answer would mean nothing to whoever takes over, and be given twice (docs/protocol.md 25.7)."""
    four.alpha.submit("x")
    four.run(1_000)
    four.bravo.step(AskChallenge(RequestId(900), "watch", Plane.REAL, 1, ours=False))
    four.run(3_000)
    four.alpha.step(AnswerChallenge(RequestId(900), "duty-1", 1, content_pb2.VERDICT_YES, "We did."))
    four.run(3_000)
    for one in four.all:
        (row,) = one.memory.rows("challenge")
        assert (row["record"], row["officer"], row["by"]) == ("yes", "yes", "duty-1"), one.number
        assert "challenge.word" in one.kinds() or one.name == "BRAVO"
    four.alpha.kill()
    assert four.alt.speak()
    four.alt.step(AnswerChallenge(RequestId(900), "duty-3", 1, content_pb2.VERDICT_NO, "We did not."))
    assert four.alt.replies[RequestId(900)].code == "again"


def test_a_sibling_tells_that_a_terminal_of_ours_says_what_nobody_released() -> None:
    """The one who could see the theft first would mark a promise as kept (docs/protocol.md 23.5 and 19.7)."""
    four = Quartet()
    for one in four.all:
        one.prepare(release=TWO)
    four.open()
    four.bravo.submit("Whose aircraft is it?", PRIORITY)
    four.run(1_000)
    four.alpha.read(1, officer="duty-1")
    assert four.alpha.promise(1, WALL + four.time + 10 * MINUTE, officer="duty-1").ok
    four.run(1_000)
    assert len(four.alt.endpoint.promises.open) == 1
    name = four.alpha.endpoint.context.inboxes[Plane.REAL].known_hash(1) or b""
    smuggle(four.alpha, plain(draft=b"", in_reply_to=content_pb2.Reference(serial=1, statement=name)))
    four.run(1_000)
    assert "unreleased-by-us" in four.alt.alarms()
    assert len(four.alt.endpoint.promises.open) == 1
    smuggle(four.alpha, released(in_reply_to=content_pb2.Reference(serial=1, statement=name)))
    four.run(1_000)
    assert four.alt.alarms().count("unreleased-by-us") == 1
    assert not four.alt.endpoint.promises.open


def test_the_wish_for_a_record_is_no_draft_and_nothing_where_there_are_several() -> None:
    """It is said without prejudice: a ledger would commit to it, or the peer refuse it (docs/protocol.md 22.4)."""
    four = Quartet()
    main, there = four.alpha, four.bravo
    for one in (main, there):
        one.prepare(others=())
        one.start()
    four.run(3_000)
    assert there.submit("between us", without_prejudice=True).ok
    four.run(2_000)
    wish = Submit(RequestId(900), Plane.REAL, ROUTINE, "", 0, "", "watch", put_on_record=1, of_peer=True)  # type: ignore[arg-type]
    main.step(MakeDraft(RequestId(900), 0, wish))
    assert not main.replies[RequestId(900)].ok
    assert "draft.made" not in main.kinds()
    for one in four.all:
        one.prepare()
        one.start()
    four.run(3_000)
    main.step(wish)
    assert "several terminals" in main.replies[RequestId(900)].text


def test_promises_that_are_broken_as_soon_as_made_ring_once() -> None:
    """A peer could have our watch called as often as it likes (docs/protocol.md 20.5)."""
    pair = Pair().open()
    pair.alpha.submit("Whose aircraft is it?")
    pair.run(500)
    pair.bravo.read(1)
    pair.run(500)
    for _ in range(20):
        assert pair.bravo.promise(1, WALL + pair.time + 10).ok
        pair.run(50)
    assert pair.alpha.alarms().count("promise-overdue") == 1
    assert pair.bravo.promise(1, WALL + pair.time + 2 * MINUTE).ok
    pair.run(3 * MINUTE)
    assert pair.alpha.alarms().count("promise-overdue") == 2


def test_a_peer_that_names_another_charter_in_each_beat_fills_nothing() -> None:
    """Neither our memory nor the ears of our watch (docs/protocol.md 24.10)."""
    pair = Pair().open()
    charters = pair.alpha.endpoint.charters
    out = pair.alpha.endpoint.context.out = Output()
    for number in range(1_000):
        charters._conflict(number.to_bytes(32, "big"))
    assert len(out.deliver) == len(charters._alarmed) == 64


def test_a_handover_tells_what_any_terminal_of_the_peer_says_is_missing(four: Quartet) -> None:
    """The next watch would not know that something is withheld (docs/protocol.md 25.9)."""
    four.bravo.kill()
    assert four.beside.speak()
    four.run(2_000)
    reals = four.alpha.endpoint.context.lines
    line = next(one for one in reals if one.setup.remote.number == four.beside.number)
    line.peer.sent_through[Plane.REAL] = 3
    assert json.loads(four.alpha.endpoint.handovers.listed())["planes"]["real"]["missing"] == [1, 3]


def test_an_older_promise_that_comes_late_undoes_no_newer_one_at_the_sibling(four: Quartet) -> None:
    """The two terminals of a party would watch two times (docs/protocol.md 20.3 and 23.5)."""
    four.alpha.submit("Whose aircraft is it?")
    four.run(1_000)
    four.bravo.read(1)
    four.run(1_000)
    beside = four.beside
    ladder, context = beside.endpoint._lines[four.bravo.number].ladder, beside.endpoint.context
    name = context.inboxes[Plane.REAL].known_hash(1) or b""
    item = content_pb2.ReceiptItem(serial=1, statement=name)
    for said, until in ((2_000, 9 * MINUTE), (1_000, 5 * MINUTE)):
        receipt = content_pb2.Receipt(
            stage=content_pb2.STAGE_REPLY_BY,
            item=[item],
            officer="watch",
            time_ms=WALL + said,
            reply_by_ms=WALL + until,
        )
        out = beside.endpoint.begin()
        ladder.told(Plane.REAL, receipt, beside.now())
        beside.memory.apply(out)
    beside.lies = True
    assert [promise.until for promise in beside.endpoint.promises.open.values()] == [WALL + 9 * MINUTE]


def test_a_minutes_worth_of_unknown_serials_is_believed_and_no_more() -> None:
    """A terminal that lies could use up all serials a little at a time (docs/protocol.md 12.6)."""
    party = Pair().open().alpha
    credence, out = Credence(party.endpoint.context), party.endpoint.begin()
    last = party.endpoint.context.outboxes[Plane.REAL].last_serial

    def believed(beyond: int, mono: int, plane: Plane = Plane.REAL) -> bool:
        return credence.believes(plane, last + beyond, Instant(mono, 0))

    assert believed(SERIAL_SKIP_MAX - 1, 1_000)
    assert believed(1, 1_001)
    assert believed(0, 1_001)
    assert believed(-1, 1_001)
    assert out.records == []
    assert not believed(1, 1_002)
    assert not believed(1, 1_000 + SUMMARY_INTERVAL - 1)
    assert [record.fields["name"] for record in out.records] == ["absurd-serial"], "told once"
    assert believed(SERIAL_SKIP_MAX, 1_000, Plane.EXERCISE)
    assert believed(SERIAL_SKIP_MAX, 1_000 + SUMMARY_INTERVAL)
    assert not believed(1, 1_000 + 2 * SUMMARY_INTERVAL - 1)
    assert not believed(SERIAL_SKIP_MAX + 1, 1_000 + 9 * SUMMARY_INTERVAL)
    assert not believed(1, 1_000, Plane.EXERCISE)
    assert [record.fields["plane"] for record in out.records] == ["real", "exercise"]
