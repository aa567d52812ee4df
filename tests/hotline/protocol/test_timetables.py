"""Timetables that a person can read: what a conversation makes each terminal do, and at which millisecond.

    HOTLINE_REWRITE=1 pytest tests/hotline/protocol/test_timetables.py   writes what happens now; read the difference

The plays are below; what they give stands in timetables/, one file for each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from hotline.crypto.signing import SigningKey
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.note import parse_note
from hotline.ledger.policy import parse_policy
from hotline.machine import Plane, RequestId
from hotline.protocol.events import (
    AlarmNotPassedOn,
    AnswerChallenge,
    AskChallenge,
    AskPresence,
    Audited,
    Closing,
    Cosigned,
    ExportBundle,
    HeadSeen,
    ImportBundle,
    RecordChecklist,
    SendTest,
    SetPresence,
    Submit,
    Translate,
)
from hotline.protocol.status import at_a_glance, status
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2, frame_pb2
from tests.hotline.charter.conftest import Ceremony, ceremony  # noqa: F401 - a fixture
from tests.hotline.protocol.offices import DRAFTER, RELEASER, TWO, Desk, smuggle
from tests.hotline.protocol.pair import FLASH, PRIORITY, ROUTINE, WALL, Pair, Party, clear, durable, losing
from tests.hotline.protocol.quartet import Quartet
from tests.hotline.protocol.test_amendments import RELAYS, activate, again, standing
from tests.hotline.protocol.test_gossip import _lie
from tests.hotline.protocol.timetable import Timetable
from tests.hotline.protocol.trio import Trio

HERE = Path(__file__).resolve().parent / "timetables"
LTR, RTL = content_pb2.DIRECTION_LTR, content_pb2.DIRECTION_RTL
SIGHT, COURTESY = content_pb2.TRANSLATION_GRADE_SIGHT, content_pb2.TRANSLATION_GRADE_COURTESY
Play = Callable[[Timetable], None]


def conversation(table: Timetable) -> None:
    """Two terminals over two relays, and all that officers do with statements that arrive."""
    table.part("Two terminals start and find each other")
    pair = Pair()
    pair.custody = True
    alpha, bravo = pair.alpha, pair.bravo
    alpha.start()
    table.picture(alpha, status(alpha.endpoint, alpha.now()))
    bravo.start()
    pair.run(2_000)
    table.part("A FLASH is read, shown to the principal, promised an answer, and answered")
    alpha.submit("We see radar echoes. Are these yours?", FLASH)
    pair.run(200)
    bravo.read(1)
    bravo.present(1, principal="the Prime Minister")
    bravo.promise(1, bravo.now().wall + 60_000)
    pair.run(300)
    bravo.submit("They are not ours.", FLASH, in_reply_to=1)
    pair.run(300)
    table.part("It is corrected, translated there, taken back, and put into other words here")
    alpha.submit("We saw radar echoes.", FLASH, corrects=1)
    pair.run(100)
    bravo.read(2)
    table.ask(bravo, Translate, Plane.REAL, 1, False, SIGHT, "A. Writer", "ur", RTL, "بازگشت", "watch")
    table.ask(alpha, Translate, Plane.REAL, 1, True, COURTESY, "A. Writer", "ur", RTL, "بازگشت", "watch")
    alpha.submit("There were none.", FLASH, corrects=2, retracts=True)
    pair.run(600)
    table.part("For whom it is, in an exercise, with a promise that is not kept")
    alpha.submit("A drill.", PRIORITY, Plane.EXERCISE, action=("Northern Command",), info=("Navy",), reference="N 7")
    pair.run(100)
    bravo.read(1, Plane.EXERCISE)
    bravo.promise(1, bravo.now().wall + 1_500, Plane.EXERCISE)
    pair.run(2_200)
    bravo.submit("Seen.", PRIORITY, Plane.EXERCISE, in_reply_to=1)
    pair.run(300)
    table.part("Presence is said until a time, and asked for")
    table.ask(bravo, SetPresence, "watch", "consulting", bravo.now().wall + 1_000)
    pair.run(100)
    table.ask(alpha, AskPresence, "watch")
    pair.run(1_500)
    table.part("Operators talk; a statement is challenged, and a person answers")
    alpha.submit("Is your relay well?", plane=Plane.SERVICE)
    table.ask(alpha, AskChallenge, "watch", Plane.REAL, 1, True)
    pair.run(300)
    table.ask(bravo, AnswerChallenge, "watch", 2, content_pb2.VERDICT_YES, "")
    table.ask(bravo, AskChallenge, "watch", Plane.EXERCISE, 1, False)
    pair.run(1_500)
    table.part("A watch ends")
    table.ask(alpha, RecordChecklist, "watch", "end-of-watch", bytes(32), (("done", ""), ("open", "")))
    alpha.step(Audited("export", "watch", "all", 1))
    alpha.step(AlarmNotPassedOn("timeout"))
    table.picture(alpha, json.loads(alpha.endpoint.handovers.listed()))
    bravo.step(Closing())
    pair.run(600)


def trouble(table: Timetable) -> None:
    """Two terminals whose line fails in the usual ways, with time objectives and channel tests."""
    pair = Pair(objective_ms={ROUTINE: 20_000, FLASH: 3_000}, channel_test_ms=8_000)
    pair.open(500)
    alpha, bravo = pair.alpha, pair.bravo
    table.part("One relay is lost and comes back")
    pair.cut("relay-2")
    alpha.submit("over one relay")
    pair.run(700)
    pair.join("relay-2")
    pair.run(600)
    table.part("The last word is withheld")
    pair.weather = losing(lambda sender, relay, envelope: sender is alpha and durable(envelope))
    alpha.submit("withheld", FLASH)
    pair.run(4_000)
    pair.weather = clear
    pair.run(1_500)
    table.part("Nothing arrives any more, and what is said expires")
    pair.weather = losing(lambda *_: True)
    alpha.submit("never heard", FLASH, valid_for_ms=4_000)
    bravo.submit("waits", ROUTINE)
    pair.run(9_000)
    for party in (alpha, bravo):
        table.picture(party, status(party.endpoint, party.now()))
    table.part("It arrives again")
    pair.weather = clear
    pair.run(4_000)
    table.picture(bravo, status(bravo.endpoint, bravo.now()))
    table.part("The clock of one side is set, and a test is asked for")
    bravo.offset += 60_000
    table.ask(alpha, SendTest, "watch")
    pair.run(1_200)
    table.part("Relays refuse, lie, and give the place away")
    alpha.submit("under way", valid_for_ms=60_000)
    for reason in (frame_pb2.REFUSAL_REASON_MAILBOX_FULL, frame_pb2.REFUSAL_REASON_REPLACED, 99):
        alpha.hear("relay-1", encode(frame_pb2.Frame(refusal=frame_pb2.Refusal(reason=reason))))  # type: ignore[arg-type]
    alpha.hear("relay-1", encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=2, relay="relay-1"))))
    (item,) = alpha.endpoint.context.outboxes[Plane.REAL].pending.values()
    alpha.hear("relay-2", pair.custody_frame("relay-2", 1, [item.name], SigningKey(bytes(32))), b"\xff")
    alpha.hear("relay-9", b"\xff")
    pair.run(200)


def losses(table: Timetable) -> None:
    """Both sides are given back old disks, one after the other."""
    pair = Pair(relays=1)
    pair.open(2_000)
    alpha, bravo = pair.alpha, pair.bravo
    alpha.submit("one")
    pair.run(300)
    disks = alpha.memory.copy(), bravo.memory.copy()
    alpha.submit("two")
    alpha.submit("three", FLASH)
    pair.run(300)
    bravo.read(2)
    pair.run(1_000)
    table.part("The sender is restored, and says another thing before it knows")
    alpha.restart(disks[0])
    alpha.submit("two, in other words")
    pair.run(2_500)
    table.part("The receiver is restored")
    bravo.restart(disks[1])
    pair.run(3_000)
    table.part("A restart of both")
    bravo.restart()
    alpha.submit("four")
    alpha.restart()
    pair.run(2_000)


def released(table: Timetable) -> None:
    """Drafts and releases; what lacks its release; what is said without prejudice, and put on record."""
    pair = Pair(relays=1, release=TWO)
    pair.open(1_500)
    alpha, bravo, desk = pair.alpha, pair.bravo, Desk(pair.alpha)
    table.part("A draft is made, worded anew, signed by two, and released")
    desk.make()
    desk.make("We shall not fire first.", number=1)
    desk.sign_as(1, "duty-1", DRAFTER)
    desk.sign_as(1, "duty-1", RELEASER)
    desk.sign_as(1, "both-1", DRAFTER)
    desk.release(1)
    desk.sign_as(1, "release-1", RELEASER)
    desk.release(1)
    desk.release(1)
    pair.run(300)
    table.part("Another is rejected; one is not signed lawfully; a thief says something")
    desk.make("In an exercise.", ROUTINE, Plane.EXERCISE)
    desk.reject(2, "Not today.")
    desk.make("A routine word.", ROUTINE)
    desk.sign_as(3, "former-1", DRAFTER)
    desk.sign_as(3, "nobody-1", DRAFTER)
    alpha.submit("Without a signature.", FLASH)
    thief = content_pb2.Statement(
        precedence=FLASH, kind=content_pb2.STATEMENT_KIND_TEXT, language="en", direction=LTR, drafter="duty-1",
        text="We fire.", valid_for_ms=60_000,
    )  # fmt: skip
    smuggle(alpha, thief)
    pair.run(300)
    table.part("A word without prejudice is read, asked for, and put on record")
    alpha.submit("Between us: we may wait.", PRIORITY, without_prejudice=True)
    alpha.submit("Between us, urgently.", FLASH, without_prejudice=True)
    pair.run(100)
    with patch("hotline.protocol.nonpapers.NONPAPER_KEPT", 1_500):
        bravo.read(3)
        record_it(bravo, 3, of_peer=True)
        pair.run(300)
        record_it(alpha, 3, of_peer=False)
        record_it(alpha, 3, of_peer=False)
        pair.run(300)
        table.part("Its text is gone")
        pair.run(1_500)
        record_it(bravo, 3, of_peer=True)


def record_it(party: Party, serial: int, *, of_peer: bool) -> None:
    """An officer wants something on record."""
    request = RequestId(len(party.replies) + 1)
    party.step(Submit(request, Plane.REAL, 0, "", 0, "", "watch", put_on_record=serial, of_peer=of_peer))  # type: ignore[arg-type]


def carried(table: Timetable) -> None:
    """No relay lives: bundles go by hand."""
    pair = Pair(relays=1)
    pair.open(2_000)
    alpha, bravo = pair.alpha, pair.bravo
    pair.cut()
    table.part("A bundle there, its receipts back, and a damaged one")
    alpha.submit("the first")
    alpha.submit("the urgent one", FLASH)
    alpha.submit("for the exercise", plane=Plane.EXERCISE)
    bundle = table.ask(alpha, ExportBundle, "watch").fields["bundle"]
    assert isinstance(bundle, bytes)
    table.ask(bravo, ImportBundle, "watch", bundle)
    bravo.read(1)
    back = table.ask(bravo, ExportBundle, "watch").fields["bundle"]
    table.ask(alpha, ImportBundle, "watch", back)
    table.ask(bravo, ImportBundle, "watch", bundle)
    table.ask(bravo, ImportBundle, "watch", bundle[:-1])
    table.ask(alpha, ImportBundle, "watch", bundle)


def siblings(table: Timetable) -> None:
    """Two terminals on each side: one record, taking over, and what the one that was cut off has missed."""
    four = Quartet()
    four.open(2_000)
    table.part("A statement is at all four, and read at one")
    four.alpha.submit("held by all", FLASH)
    four.run(300)
    four.beside.read(1)
    four.run(300)
    four.bravo.promise(1, four.bravo.now().wall + 60_000)
    four.run(600)
    table.part("The alternate is cut off while its sibling says something that expires, and more")
    four.part(*((four.alt, other) for other in four.all if other is not four.alt))
    four.run(2_500)
    four.alpha.submit("said meanwhile")
    four.run(300)
    four.meet()
    four.run(2_000)
    table.part("An officer lets the alternate speak, while its sibling says something that nobody hears")
    four.part((four.alpha, four.alt), (four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("nobody hears this", FLASH)
    four.alt.speak()
    four.alt.submit("what holds now", FLASH)
    four.run(1_000)
    four.meet()
    four.run(3_000)
    table.picture(four.bravo, {"terminals": status(four.bravo.endpoint, four.bravo.now())["terminals"]})
    table.part("It stands down, and nobody speaks; then the first one again")
    four.alt.speak(speak=False)
    four.alt.speak(speak=False)
    four.alt.submit("not now")
    four.run(600)
    four.alpha.speak()
    four.alpha.submit("one voice again")
    four.run(1_000)


def ruled(table: Timetable) -> None:
    """A lost terminal is followed by the charter's rule; another one travels, and its time comes and goes."""
    four = Quartet()
    for one in four.all:
        one.prepare(takeover_after_ms=4_000, travels={4: (WALL + 3_000, WALL + 14_000)})
    table.part("BRAVO's alternate travels, and is not activated yet")
    four.open(1_500)
    table.part("Its time comes")
    four.run(1_500)
    table.part("ALPHA's main terminal is lost")
    four.alpha.kill()
    four.run(8_000)
    table.part("It is back; the journey is over")
    four.alpha.start()
    four.run(3_000)
    table.picture(four.beside, status(four.beside.endpoint, four.beside.now()))


def company(table: Timetable) -> None:
    """Three parties: one statement for two, a line that is cut, and a disk that was given back."""
    three = Trio(relays=1)
    table.part("Three terminals start")
    three.open(1_500)
    alpha, bravo, charlie = three.all
    backup = alpha.memory.copy()
    table.part("A statement is for both others; one is cut off, and it expires for it")
    alpha.submit("for both", FLASH)
    three.run(300)
    bravo.reads(alpha, 1)
    three.part(alpha, charlie)
    alpha.submit("for who hears it", valid_for_ms=1_000)
    three.run(3_000)
    three.meet()
    three.run(2_000)
    table.picture(alpha, at_a_glance("CHARLIE", alpha.member(charlie), alpha.now()))
    table.part("An old disk is given back while one is not heard")
    three.part(alpha, bravo)
    alpha.restart(backup)
    alpha.submit("in other words", FLASH)
    three.run(2_500)
    three.meet()
    three.run(1_500)


def liars(table: Timetable) -> None:
    """ALPHA tells two others different things, on two planes; what they show each other convicts it."""
    three = Trio(relays=1)
    three.open(4_000)
    alpha, _, charlie = three.all
    table.part("ALPHA says one thing to BRAVO and signs another for CHARLIE")
    three.part(alpha, charlie)
    for plane in (Plane.REAL, Plane.EXERCISE):
        alpha.submit("The fleet stays in port.", plane=plane)
    three.run(50)
    for plane in (Plane.REAL, Plane.EXERCISE):
        _lie(alpha, charlie, plane)
    three.meet()
    three.run(12_000)


def witnessed(table: Timetable) -> None:
    """A witness cosigns, falls silent and is back; a log is put back, and begun anew."""
    witness = Ed25519Cosigner("witness.example/w", SigningKey(b"w" * 32))
    policy = parse_policy(f"witness w {witness.verifier.vkey()}\nquorum w\n".encode())
    pair = Pair(relays=1, policy=policy)
    alpha = pair.alpha

    def cosigns() -> bytes:
        note = next(told.fields["note"] for told in reversed(alpha.told) if told.kind == "checkpoint")
        assert isinstance(note, bytes)
        line = witness.cosign(parse_note(note).text, 1_795_000_000).line()
        alpha.step(Cosigned(note, f"{line}\n".encode()))
        return note

    table.part("Nobody has vouched for either log yet; then a witness cosigns")
    pair.open(11_000)
    cosigns()
    disk = alpha.memory.copy()
    alpha.submit("one")
    pair.run(10_000)
    newest = cosigns()
    table.part("It falls silent")
    pair.run(61_000)
    table.picture(alpha, status(alpha.endpoint, alpha.now())["ledger"])
    table.part("It is back; it shows a head that the log has, and one that is forged")
    cosigns()
    alpha.step(HeadSeen("w", newest))
    alpha.step(HeadSeen("w", b"forged"))
    alpha.step(Cosigned(b"forged", b""))
    table.part("An old disk is given back, and the witness has seen more")
    pair.cut()
    alpha.restart(disk)
    alpha.step(HeadSeen("w", newest))
    pair.run(12_000)


def narrow(table: Timetable) -> None:
    """A wide path and a narrow one, which is spared while the wide one is up."""
    pair = Pair(profiles=("satellite", "narrow"), latency=300)
    table.part("Both paths come up")
    pair.open(25_000)
    alpha = pair.alpha
    table.part("What is urgent goes over both")
    alpha.submit("a routine word")
    alpha.submit("an urgent one", FLASH)
    pair.run(3_000)
    table.part("The wide one carries nothing any more")
    pair.weather = losing(lambda sender, relay, envelope: relay == "relay-1")
    pair.run(16_000)
    alpha.submit("over the narrow one")
    pair.run(12_000)
    table.part("It carries again")
    pair.weather = clear
    pair.run(6_000)


def amended(table: Timetable, ceremony: Ceremony) -> None:  # noqa: F811
    """Both sides take up the next charter while they are in service; one of them restarts in the middle."""
    second = ceremony.agreed(RELAYS)
    pair = standing(ceremony.signed)
    alpha, bravo = pair.alpha, pair.bravo
    table.part("ALPHA is ready for the next charter")
    activate(alpha, second)
    alpha.submit("said under the first")
    pair.run(700)
    again(alpha)
    pair.run(700)
    table.part("BRAVO is ready too")
    activate(bravo, second)
    activate(bravo, second)
    pair.run(1_200)
    table.picture(bravo, status(bravo.endpoint, bravo.now()))
    table.part("It is not taken again, nor one that does not follow")
    activate(alpha, second)
    activate(alpha, ceremony.signed)
    pair.run(300)


PLAYS: list[Play] = [
    *(conversation, trouble, losses, released, carried, siblings, ruled, company, liars, witnessed, narrow),
]


def _compared(name: str, table: Timetable) -> None:
    """What is written down is what happened."""
    table.close()
    path, happened = HERE / f"{name}.txt", "\n".join(table.lines).rstrip() + "\n"
    if os.environ.get("HOTLINE_REWRITE"):
        path.write_text(happened, encoding="utf-8")
    assert happened.splitlines() == path.read_text(encoding="utf-8").splitlines(), "if it is right: HOTLINE_REWRITE=1"


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_what_happens_is_what_is_written(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal would do otherwise, or later, than anybody has decided (docs/protocol.md 3.1 and 3.7)."""
    table = Timetable(monkeypatch)
    play(table)
    _compared(play.__name__, table)


def test_what_happens_in_an_amendment_is_what_is_written(
    ceremony: Ceremony,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two capitals would switch otherwise, or later, than anybody has decided (docs/protocol.md 3.1 and 24.9)."""
    table = Timetable(monkeypatch)
    amended(table, ceremony)
    _compared(amended.__name__, table)


def test_no_timetable_is_left_of_a_play_that_is_gone() -> None:
    """A reader would take it for what happens."""
    names = [*(play.__name__ for play in PLAYS), amended.__name__]
    assert sorted(path.stem for path in HERE.iterdir()) == sorted(names)
