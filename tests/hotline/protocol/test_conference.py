"""Three parties on one hotline: what one says is signed once and sealed to each of the others."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from hotline.machine import FramesReceived, Plane, RequestId
from hotline.protocol.conference import To
from hotline.protocol.events import (
    AlarmNotPassedOn,
    AnswerChallenge,
    AskChallenge,
    EndpointEvent,
    ExportBundle,
    ImportBundle,
    PromiseReply,
    SendTest,
    SetPresence,
    Submit,
    Suspicion,
)
from hotline.protocol.paths import PathState
from hotline.wire.codec import encode
from hotline.wire.envelope import decode_header
from hotline.wire.v1 import content_pb2, frame_pb2
from tests.hotline.protocol.pair import FLASH, ROUTINE, Party
from tests.hotline.protocol.trio import Delegation, Disk, Trio

TEXT = "We see the same cloud as you do."


def _contents(one: Delegation, other: Delegation) -> list[tuple[object, object]]:
    rows = one.memory.of(one.scope(other)).rows("received")
    return [(row["content"], row["signature"]) for row in rows]


def _said_to_bravo_alone() -> tuple[Trio, Disk]:
    """ALPHA has said #1 while CHARLIE did not hear it; and what its disk held before."""
    three = Trio().open()
    alpha, _, charlie = three.all
    backup = alpha.memory.copy()
    three.part(alpha, charlie)
    assert alpha.submit("said before the loss").ok
    three.run(2_000)
    return three, backup


def test_one_statement_is_signed_once_and_read_by_each() -> None:
    """A capital would have to say the same thing twice, and could say two things (docs/protocol.md 26.4, 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    assert alpha.submit(TEXT).ok
    three.run(3_000)
    assert bravo.got(alpha) == charlie.got(alpha) == {1: TEXT}
    assert _contents(bravo, alpha) == _contents(charlie, alpha)
    statement = content_pb2.Statement.FromString(bytes(_contents(bravo, alpha)[0][0]))  # type: ignore[call-overload]
    assert (statement.from_party, statement.to_party) == ("ALPHA", "*")
    assert "read" not in alpha.facts(bravo, 1) | alpha.facts(charlie, 1)
    assert bravo.reads(alpha, 1)
    three.run(2_000)
    assert ("read" in alpha.facts(bravo, 1), "read" in alpha.facts(charlie, 1)) == (True, False)
    told = [d.fields["party"] for d in alpha.told if d.kind == "sent" and d.fields["state"] == "read"]
    assert told == ["BRAVO"]


def test_each_party_has_a_row_of_serials_that_all_see() -> None:
    """A reader would miss a statement and not know it (docs/protocol.md 26.4)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    for number in range(1, 6):
        for one in three.all:
            assert one.submit(f"{one.name} says {number}", FLASH if number == 3 else ROUTINE).ok
    three.run(6_000)
    for one in three.all:
        for other in one.others:
            assert one.got(other) == {number: f"{other.name} says {number}" for number in range(1, 6)}
    assert not any(one.alarms() for one in (alpha, bravo, charlie) if "gap" in one.alarms())


def test_one_party_that_is_away_holds_up_no_other() -> None:
    """A capital whose line is cut would silence two others (docs/protocol.md 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    three.run(3_000)
    assert alpha.submit(TEXT).ok
    three.run(3_000)
    assert bravo.got(alpha) == {1: TEXT}
    assert charlie.got(alpha) == {}
    assert ("delivered" in alpha.facts(bravo, 1), "delivered" in alpha.facts(charlie, 1)) == (True, False)
    assert [r.fields["party"] for r in alpha.records if r.kind == "alarm" and r.fields["name"] == "no-path"] == [
        "CHARLIE"
    ]
    three.meet()
    three.run(12_000)
    assert charlie.got(alpha) == {1: TEXT}
    assert "delivered" in alpha.facts(charlie, 1)


def test_what_expires_for_one_was_said_to_the_other() -> None:
    """A serial would be a hole for one reader, for ever (docs/protocol.md 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit(TEXT, valid_for_ms=4_000).ok
    three.run(6_000)
    three.meet()
    assert alpha.submit("Another.").ok
    three.run(12_000)
    assert bravo.got(alpha) == {1: TEXT, 2: "Another."}
    assert charlie.got(alpha) == {1: "", 2: "Another."}
    assert set(charlie.member(alpha).context.unread[Plane.REAL]) == {1, 2}, "what was withdrawn is to be opened"
    assert ("expired" in alpha.facts(bravo, 1), "expired" in alpha.facts(charlie, 1)) == (False, True)


def test_a_restart_forgets_nothing_of_anybody() -> None:
    """A power cut would make a terminal say serials again, to one of two (docs/protocol.md 26.4)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit("first").ok
    assert charlie.submit("theirs").ok
    three.run(2_000)
    alpha.restart()
    assert alpha.submit("second").ok
    three.run(2_000)
    three.meet()
    three.run(12_000)
    assert bravo.got(alpha) == charlie.got(alpha) == {1: "first", 2: "second"}
    assert alpha.got(charlie) == {1: "theirs"}
    assert _contents(bravo, alpha) == _contents(charlie, alpha)


def test_an_old_backup_says_no_serial_twice_that_it_is_told_of() -> None:
    """A restored terminal would say another thing to the one that knows less (docs/protocol.md 26.4)."""
    three, backup = _said_to_bravo_alone()
    alpha, bravo, charlie = three.all
    alpha.restart(backup)
    three.run(3_000)
    assert alpha.submit("said after it").ok
    three.meet()
    three.run(15_000)
    assert bravo.got(alpha) == {1: "said before the loss", 2: "said after it"}
    assert charlie.got(alpha) == {1: "", 2: "said after it"}
    assert "peer-restored" not in alpha.alarms()


def test_what_one_tells_of_lost_serials_holds_for_all() -> None:
    """At the window of the one that knows less, a serial would be given out again (docs/protocol.md 26.4)."""
    three, backup = _said_to_bravo_alone()
    alpha, bravo, charlie = three.all
    alpha.restart(backup)
    three.run(3_000)
    words = (ROUTINE, "en", content_pb2.DIRECTION_LTR, "said after it", "watch")
    alpha.at(charlie, Submit(RequestId(500), Plane.REAL, *words))
    assert alpha.replies[RequestId(500)].fields["serial"] == 2
    three.run(2_000)
    assert bravo.got(alpha) == {1: "said before the loss", 2: "said after it"}


def test_nothing_is_said_to_a_party_that_is_not_heard() -> None:
    """A restored terminal would say its serials again to the one that is behind a relay (docs/protocol.md 26.4)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    alpha.restart()
    three.run(2_000)
    three.sent.clear()
    assert alpha.submit(TEXT).ok
    three.run(1_000)
    durable = [envelope[3] for sender, _, envelope in three.sent if sender == "ALPHA" and not envelope[1] & 0x02]
    assert bravo.number in durable
    assert charlie.number not in durable


def test_a_statement_that_is_renumbered_is_so_for_all() -> None:
    """One reader would have it under another serial than the other one (docs/protocol.md 26.4)."""
    three, backup = _said_to_bravo_alone()
    alpha, bravo, charlie = three.all
    three.part(alpha, bravo)
    alpha.restart(backup)
    assert alpha.submit("said after it").ok  # nobody is heard: it waits, under a serial that BRAVO knows
    three.run(2_000)
    three.blocked.discard(frozenset((alpha.number, bravo.number)))
    three.run(8_000)
    three.meet()
    three.run(15_000)
    assert bravo.got(alpha) == {1: "said before the loss", 2: "said after it"}
    assert charlie.got(alpha) == {1: "", 2: "said after it"}


def test_nobody_reads_what_was_sealed_to_another() -> None:
    """A third party could open what it relays or steals (docs/protocol.md 26.1)."""
    three = Trio().open()
    alpha, _, charlie = three.all
    assert alpha.submit(TEXT).ok
    three.run(1_000)
    taken = [envelope for _, _, envelope in three.sent if envelope[2:6] == b"\0\2\0\1" and not envelope[1] & 2]
    assert taken
    for envelope in taken:
        changed = envelope[:2] + b"\0\3" + envelope[4:]
        session = charlie.member(alpha).context.session
        session.check_address(decode_header(changed))
        with pytest.raises(Exception, match=r"not-opened|unknown"):
            session.open(decode_header(changed), changed, charlie.now())
    assert charlie.refusals() == []


def test_a_statement_of_another_charter_of_two_is_refused() -> None:
    """What was said to one alone could be shown to the others as said to them (docs/protocol.md 26.4)."""
    three = Trio().open()
    alpha, bravo, _ = three.all
    member = alpha.member(bravo)
    member.context.setup = replace(member.context.setup, everyone=False)
    alpha.lies = True
    alpha.step(To("BRAVO", Submit(RequestId(99), Plane.REAL, ROUTINE, "en", content_pb2.DIRECTION_LTR, "aside", "w")))
    three.run(2_000)
    assert bravo.got(alpha) == {}
    assert "party" in bravo.refusals()


EVENTS: list[EndpointEvent] = [
    Submit(RequestId(1), Plane.REAL, ROUTINE, "en", content_pb2.DIRECTION_LTR, TEXT, "watch", without_prejudice=True),
    Submit(RequestId(1), Plane.REAL, ROUTINE, "en", content_pb2.DIRECTION_LTR, TEXT, "watch", put_on_record=1),
    AskChallenge(RequestId(1), "watch", Plane.REAL, 1, True),
    AnswerChallenge(RequestId(1), "watch", 1, content_pb2.VERDICT_YES),
    ExportBundle(RequestId(1), "watch"),
    ImportBundle(RequestId(1), "watch", b"x"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_there_is_not_yet_is_refused_in_a_sentence(event: EndpointEvent) -> None:
    """Something would go to one of several, or half of it happen (docs/protocol.md 26.3)."""
    three = Trio().open()
    before = len(three.alpha.records)
    three.alpha.at(three.charlie, event)
    reply = three.alpha.replies[RequestId(1)]
    assert (reply.ok, reply.code) == (False, "several-parties")
    assert reply.text.startswith("among several parties ")
    assert len(three.alpha.records) == before


def test_promises_and_answers_are_between_two() -> None:
    """An answer to one would keep a promise to another (docs/protocol.md 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    assert alpha.submit("Please answer.").ok
    assert charlie.submit("Please answer me too.").ok
    three.run(2_000)
    until = bravo.now().wall + 3_600_000
    for other in (alpha, charlie):
        assert bravo.reads(other, 1)
        bravo.at(other, PromiseReply(RequestId(100 + other.number), Plane.REAL, 1, "watch", until))
        assert bravo.replies[RequestId(100 + other.number)].ok
    three.run(2_000)
    answer = Submit(
        RequestId(200), Plane.REAL, ROUTINE, "en", content_pb2.DIRECTION_LTR, "To CHARLIE.", "watch", in_reply_to=1
    )
    bravo.at(charlie, answer)
    three.run(3_000)
    kept = [(one.name, d.fields["party"]) for one in three.all for d in one.told if d.kind == "promise-kept"]
    assert sorted(kept) == [("BRAVO", "CHARLIE"), ("CHARLIE", "BRAVO")]
    assert alpha.got(bravo) == charlie.got(bravo) == {1: "To CHARLIE."}


def test_presence_is_told_to_all() -> None:
    """One capital would take a consultation for silence (docs/protocol.md 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    alpha.step(SetPresence(RequestId(1), "watch", "consulting", alpha.now().wall + 600_000))
    assert alpha.replies[RequestId(1)].ok
    three.run(2_000)
    for one in (bravo, charlie):
        assert one.member(alpha).context.peer.presence == content_pb2.PRESENCE_CONSULTING


def test_tests_go_round_and_to_everybody() -> None:
    """Two would test the line at once, and a third never (docs/protocol.md 26.9)."""
    interval = 8_000
    three = Trio(channel_test_ms=interval).open()
    three.run(4 * interval)
    for one in three.all:
        slots = [int(str(row["at"])) // interval for row in one.memory.rows("channel_test") if row["way"] == "sent"]
        assert slots
        assert {slot % 3 for slot in slots} == {one.number - 1}
        assert not {"test-missed", "test-undelivered"} & set(one.alarms())
        for other in one.others:
            ways = [row["way"] for row in one.memory.of(one.scope(other)).rows("channel_test")]
            assert {"sent", "received"} <= set(ways)


def test_an_officers_test_goes_to_all() -> None:
    """An officer would look at one line of two (docs/protocol.md 26.9)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    alpha.at(charlie, SendTest(RequestId(1), "watch"))
    three.run(2_000)
    assert all(one.member(alpha).tests.kept.received == 1 for one in (bravo, charlie))


def test_ledgers_of_all_are_linked() -> None:
    """What one has on record could be changed without another's noticing (docs/protocol.md 26.6)."""
    three = Trio().open()
    three.run(12_000)
    for one in three.all:
        for other in one.others:
            linked = one.member(other).peer_log.linked
            assert linked is not None
            assert linked.size > 5
            assert one.member(other).own_log is one.conference.first.own_log


def test_too_many_frames_are_told_once() -> None:
    """A flood would be counted for each party, or for none (docs/protocol.md 4.8, 26.7)."""
    three = Trio().open()
    three.alpha.step(FramesReceived("relay-1", (b"\xff",) * 300))
    assert three.alpha.refusals().count("too-many-frames") == 1


def test_loss_and_disorder_lose_and_double_nothing() -> None:
    """Weather would do what no relay may (docs/protocol.md 26.4)."""
    three = Trio(seed=5)
    dice = random.Random(7)

    def weather(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        del sender, relay
        return [envelope] * dice.choice((0, 0, 1, 1, 1, 2))

    three.weather = weather
    three.open(8_000)
    for number in range(1, 5):
        for one in three.all:
            assert one.submit(f"{one.name} says {number}").ok
        three.run(2_000)
    three.run(30_000)
    for one in three.all:
        for other in one.others:
            assert one.got(other) == {number: f"{other.name} says {number}" for number in range(1, 5)}
            up = [path.state for path in one.member(other).context.paths.values()]
            assert PathState.UP in up


def test_what_a_ratchet_file_says_is_told_once_and_not_lost() -> None:
    """A restored terminal would go on in its old log, or open one for each party (docs/protocol.md 13.5, 26.6)."""
    three = Trio()
    alpha = three.all[0]
    alpha.suspicion = Suspicion("restored", 4)
    three.open()
    assert alpha.memory.log.epoch == 5
    assert [r.fields["reason"] for r in alpha.records if r.kind == "log.open"] == ["restored"]


def test_what_is_about_the_terminal_itself_is_about_no_party() -> None:
    """A stolen key or a pager that is dead was told at the window of the first party alone (docs/protocol.md 26.8)."""
    three = Trio()
    alpha, _, charlie = three.all
    alpha.suspicion = Suspicion("restored", 4)
    three.open()
    alpha.step(AlarmNotPassedOn("failed"))
    alpha.hear("relay-1", encode(frame_pb2.Frame(refusal=frame_pb2.Refusal(reason=frame_pb2.REFUSAL_REASON_REPLACED))))
    own = {"log-epoch", "alarm-command", "key-elsewhere"}
    entered = {str(r.fields["name"]): r.fields.get("party") for r in alpha.records if r.kind == "alarm"}
    told = {str(d.fields["name"]): d.fields.get("party") for d in alpha.told if d.kind == "alarm"}
    assert {name: entered[name] for name in own} == {name: told[name] for name in own} == dict.fromkeys(own)
    for member in alpha.conference.members.values():
        assert own <= json.loads(member.handovers.listed())["alarms"].keys(), "what a watch has heard it hands over"
    three.part(alpha, charlie)
    three.run(60_000)
    about = [d.fields["party"] for d in alpha.told if d.kind == "alarm" and d.fields["name"] == "no-path"]
    assert set(about) == {"CHARLIE"}
