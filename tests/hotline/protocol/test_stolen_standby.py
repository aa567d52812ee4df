"""A thief of the key of a terminal that stands by: what it can take from its party, alone or with a peer that lies."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from hotline.limits import (
    ALARM_INTERVAL,
    RENUMBERED_MAX,
    SERIAL_MAX,
    SERIAL_SKIP_MAX,
    SUMMARY_INTERVAL,
    VOICES_WAITING_MAX,
)
from hotline.machine import Output, Plane, RequestId
from hotline.protocol.events import SendTest
from hotline.protocol.release import ReleasePolicy
from hotline.protocol.statements import CHECKPOINT_MAX, SAYABLE_MAX, fits_renumbered
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.liars import statement
from tests.hotline.protocol.pair import FLASH, ROUTINE, WALL, Pair, clear, durable, losing
from tests.hotline.protocol.quartet import Quartet, Terminal

REAL = Plane.REAL
Said = content_pb2.Statement | content_pb2.Heartbeat | content_pb2.Receipt


@pytest.fixture
def four() -> Quartet:
    return Quartet().open()


def tell(thief: Terminal, to: Terminal, said: Said) -> Output:
    """With the thief's key, whatever its machine would say."""
    thief.lies = True
    line = next(line for line in thief.endpoint.context.lines if line.setup.remote.number == to.number)
    kinds = {content_pb2.Statement: ContentType.STATEMENT, content_pb2.Receipt: ContentType.RECEIPT}
    kind = kinds.get(type(said), ContentType.HEARTBEAT)
    inner = line.session.sign(kind, REAL, encode(said))
    return to.hear("relay-1", envelope_frame(line.session.seal(REAL, inner, transient=kind is ContentType.HEARTBEAT)))


def last_serial(one: Terminal) -> int:
    return one.endpoint.context.outboxes[REAL].last_serial


# --- who speaks ------------------------------------------------------------------------------------------------------


def word(by: Terminal, term: int) -> content_pb2.SignedActivation:
    """The word by which a terminal begins a term."""
    body = encode(content_pb2.ActivationBody(term=term, terminal=by.number, time_ms=WALL))
    parts = by.setup.charter, by.number.to_bytes(2, "big"), body
    return content_pb2.SignedActivation(body=body, signature=by.signing.sign("hotline/v1/activation", *parts))


@pytest.mark.parametrize("part", ["peer_activation", "other_activation"])
def test_a_beat_with_one_word_that_nobody_signed_is_believed_in_none(four: Quartet, part: str) -> None:
    """A part of a beat would hold that is refused as a whole (docs/protocol.md 4.1, 10.11, 23.2 and 23.16)."""
    sender, own, another = (
        (four.bravo, four.beside, four.alt) if part == "peer_activation" else (four.alt, four.alt, four.beside)
    )
    good, forged = word(own, 5), word(another, 5)
    forged.signature = bytes(64)
    before = dict(four.alpha.endpoint.standing.turns)
    beat = content_pb2.Heartbeat(
        beat=7, path=1, presence=content_pb2.PRESENCE_ALIVE, time_ms=WALL, activation=good, **{part: forged}
    )
    tell(sender, four.alpha, beat)
    assert four.alpha.refusals() == ["signature"]
    assert four.alpha.endpoint.standing.turns == before
    getattr(beat, part).CopyFrom(word(another, 5))
    tell(sender, four.alpha, beat)
    assert [turn.term for turn in four.alpha.endpoint.standing.turns.values()] == [5, 5]


# --- serials ---------------------------------------------------------------------------------------------------------


def test_a_stolen_standby_uses_up_no_more_serials_in_a_run_than_any_liar(four: Quartet) -> None:
    """A party's serials would be gone after an afternoon, and nobody could say a word for it (docs/protocol.md
    12.6, 23.19)."""
    for step in range(1, 21):
        tell(four.alt, four.alpha, statement(four.alt, step * SERIAL_SKIP_MAX))
    assert last_serial(four.alpha) == SERIAL_SKIP_MAX
    assert four.alpha.refusals().count("serial") == 19
    tell(four.alt, four.alpha, statement(four.alt, SERIAL_SKIP_MAX + 1))
    assert last_serial(four.alpha) == SERIAL_SKIP_MAX + 1, "what passes over nothing costs nothing"
    four.time += SUMMARY_INTERVAL
    tell(four.alt, four.alpha, statement(four.alt, 2 * SERIAL_SKIP_MAX))
    assert last_serial(four.alpha) == SERIAL_SKIP_MAX + 1, "nor in the next minute"


def claims(four: Quartet, liar: Terminal, through: int) -> None:
    """It says to ALPHA/main that it holds so many of its statements."""
    (line,) = [one for one in four.alpha.endpoint.context.peers if one.setup.remote.number == liar.number]
    echo = line.paths["relay-1"]._beat
    beat = content_pb2.Heartbeat(beat=7, path=1, echo=echo, presence=content_pb2.PRESENCE_ALIVE, time_ms=WALL)
    beat.received_through = through
    tell(liar, four.alpha, beat)


def test_what_one_terminal_claims_without_end_keeps_no_other_from_hearing_us(
    four: Quartet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stolen alternate of the peer would have a FLASH refused at its main terminal as far above all that came: on a
    slow line empty statements do not come as fast as one makes up serials (docs/protocol.md 12.6, 12.13, 23.19)."""
    most = 40
    for room in ("hotline.protocol.credence", "hotline.protocol.inbox"):
        monkeypatch.setattr(f"{room}.SERIAL_SKIP_MAX", most)
    for _ in range(4):
        claims(four, four.beside, last_serial(four.alpha) + most - 10)
        four.time += SUMMARY_INTERVAL
    assert last_serial(four.alpha) == most - 10
    assert "absurd-serial" in four.alpha.alarms()
    four.weather = losing(lambda sender, relay, envelope: sender is four.alpha and durable(envelope))
    four.run(2_000)  # what closes the gap is still to come
    four.weather = clear
    assert four.alpha.submit("now", FLASH).ok
    four.run(2_000)
    assert (four.bravo.got()[most - 9], "serial" in four.bravo.refusals()) == ("now", False)


def test_what_one_terminal_contradicts_for_ever_is_not_said_for_ever(four: Quartet) -> None:
    """A stolen alternate of the peer would have the main one told the same words 300 times a second, until it has no
    room for more (docs/protocol.md 23.8, 23.19)."""
    four.weather = losing(lambda sender, relay, envelope: sender is four.beside and durable(envelope))
    assert four.alpha.submit("once", FLASH).ok
    four.run(1_000)
    for _ in range(3 * RENUMBERED_MAX):
        (line,) = [one for one in four.alpha.endpoint.context.peers if one.setup.remote.number == four.beside.number]
        serial = max(line.outboxes[REAL].pending, default=1)
        item = content_pb2.ReceiptItem(serial=serial, statement=bytes([9]) * 32)
        said = content_pb2.Receipt(stage=content_pb2.STAGE_CONFLICT, item=[item], received_through=serial, time_ms=WALL)
        tell(four.beside, four.alpha, said)
        four.run(100)
    assert last_serial(four.alpha) == 1 + RENUMBERED_MAX
    assert {text for text in four.bravo.got().values() if text} == {"once"}
    assert "delivered" in four.alpha.states(1 + RENUMBERED_MAX)
    assert four.alpha.submit("and on", FLASH).ok
    four.run(1_000)
    assert four.bravo.got()[2 + RENUMBERED_MAX] == "and on"


def test_what_both_terminals_contradict_is_still_said(four: Quartet) -> None:
    """It would be given up by each for the other (docs/protocol.md 23.8, 23.19)."""
    four.weather = losing(lambda sender, relay, envelope: sender is not four.alpha and durable(envelope))
    assert four.alpha.submit("still", FLASH).ok
    four.run(500)
    for liar in (four.beside, four.bravo) * (2 * RENUMBERED_MAX):
        (line,) = [one for one in four.alpha.endpoint.context.peers if one.setup.remote.number == liar.number]
        serial = max(line.outboxes[REAL].pending, default=1)
        item = content_pb2.ReceiptItem(serial=serial, statement=bytes([9]) * 32)
        said = content_pb2.Receipt(stage=content_pb2.STAGE_CONFLICT, item=[item], received_through=serial, time_ms=WALL)
        tell(liar, four.alpha, said)
        assert four.alpha.endpoint.context.owed(REAL) != []
    four.weather = clear
    four.run(30_000)
    assert "delivered" in [state for serial in four.alpha.said() for state in four.alpha.states(serial)]


def test_a_peer_that_lies_helps_a_stolen_standby_to_no_more(four: Quartet) -> None:
    """Two liars would use up a party's serials in one step (docs/protocol.md 12.6)."""
    line = next(line for line in four.alpha.endpoint.context.peers if line.setup.remote.number == four.bravo.number)
    beat = content_pb2.Heartbeat(
        beat=7,
        path=1,
        echo=line.paths["relay-1"]._beat,
        presence=content_pb2.PRESENCE_ALIVE,
        time_ms=WALL,
        received_through=SERIAL_MAX,
    )
    tell(four.bravo, four.alpha, beat)
    assert "absurd-serial" in four.alpha.alarms()
    read = content_pb2.Receipt(
        stage=content_pb2.STAGE_READ,
        item=[content_pb2.ReceiptItem(serial=SERIAL_MAX, statement=bytes(32))],
        time_ms=WALL,
        officer="nobody",
    )
    tell(four.bravo, four.alpha, read)  # for which siblings are asked
    tell(four.alt, four.alpha, statement(four.alt, SERIAL_MAX))
    assert last_serial(four.alpha) == 0
    assert "serial" in four.alpha.refusals()
    assert four.alpha.submit("still heard").fields["serial"] == 1


def almost_used_up(pair: Pair) -> None:
    """One serial of REAL is left to ALPHA."""
    pair.alpha.lies = pair.bravo.lies = True
    pair.alpha.endpoint.context.raise_serial(REAL, SERIAL_MAX - 1)
    pair.bravo.endpoint.context.inboxes[REAL].through = SERIAL_MAX - 1


def test_after_the_last_serial_nothing_is_queued_and_a_sentence_says_so() -> None:
    """The officer would be told that it is queued, and no beat would be heard any more (docs/protocol.md 12.6)."""
    pair = Pair().open()
    almost_used_up(pair)
    assert pair.alpha.submit("the last one").fields["serial"] == SERIAL_MAX
    for plane in (REAL, Plane.EXERCISE):
        reply = pair.alpha.submit("one more", plane=plane)
        assert (reply.ok, reply.code) == (plane is Plane.EXERCISE, "queued" if reply.ok else "full")
    assert "no serial is left" in pair.alpha.submit("one more").text
    pair.alpha.step(SendTest(RequestId(900), "watch"))
    assert "no serial is left" in pair.alpha.replies[900].text
    pair.run(5_000)
    assert "beat" not in pair.bravo.refusals()


def test_a_store_that_ends_beyond_the_last_serial_is_started_all_the_same() -> None:
    """One submit of an earlier program would have silenced the terminal for good (docs/protocol.md 12.6)."""
    pair = Pair().open()
    almost_used_up(pair)
    assert pair.alpha.submit("the last one").ok
    pair.alpha.endpoint.context.raise_serial(REAL, SERIAL_MAX + 1)
    rows = pair.alpha.memory.tables
    beyond = {"plane": "real", "serial": SERIAL_MAX + 1}
    content = encode(content_pb2.Statement(serial=SERIAL_MAX + 1, precedence=ROUTINE))
    rows["sent"]["real", SERIAL_MAX + 1] = {**beyond, "content": content, "signature": bytes(64), "hash": bytes(32)}
    rows["outbox"]["real", SERIAL_MAX + 1] = {**beyond, "stage": "queued"}
    rows["counter"][("sent:real",)] = {"name": "sent:real", "value": SERIAL_MAX + 1}
    pair.alpha.restart()
    heard = pair.bravo.endpoint.context.peer
    heard.heard_at = None
    pair.run(5_000)
    assert heard.heard_at is not None, "its beats say no serial that none is"
    assert "beat" not in pair.bravo.refusals()
    assert not pair.alpha.submit("one more").ok


# --- size ------------------------------------------------------------------------------------------------------------


def filling(one: Terminal, serial: int, size: int, text: str = "x" * 32_768) -> content_pb2.Statement:
    """Of `size` bytes, with a signature of nobody: it need not count."""
    said = statement(one, serial, text, draft=bytes(16))
    said.release.append(content_pb2.Release(officer="z", role=1, signed_ms=1, signature=bytes(64), mandate=b"m" * 200))
    said.release[0].mandate += b"m" * (size - said.ByteSize())
    assert said.ByteSize() == size
    return said


def longest_that_fits(one: Terminal) -> int:
    """Bytes of what goes under any serial with any head."""
    size = SAYABLE_MAX
    while not fits_renumbered(filling(one, 1, size)):
        size -= 1
    return size


def test_what_no_envelope_would_hold_under_another_serial_is_refused(four: Quartet) -> None:
    """It would end the daemon of the terminal that speaks, at every start again (docs/protocol.md 12.6 and 3.3)."""
    four.part((four.alpha, four.beside))
    most = longest_that_fits(four.alt)
    assert SAYABLE_MAX - most == CHECKPOINT_MAX + 3 + 5 + 7 + 8, "a head, and serials in the place of one small one"
    tell(four.alt, four.bravo, statement(four.alt, 1, "another"))
    tell(four.alt, four.alpha, filling(four.alt, 1, most + 1))
    assert (last_serial(four.alpha), four.alpha.refusals()) == (0, ["too-long"])
    tell(four.alt, four.alpha, filling(four.alt, 1, most))
    four.run(5_000)
    assert four.alpha.states(1) == ["renumbered"], "the peer has another one there"
    assert four.bravo.got() == {1: "another", 2: "x" * 32_768}
    four.alpha.restart()
    four.run(1_000)
    assert four.alpha.submit("and on").ok


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_what_cannot_be_said_under_another_serial_has_expired(
    four: Quartet, last: bool, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick that renumbers it would raise (docs/protocol.md 12.6 and 3.3)."""
    if not last:
        monkeypatch.setattr("hotline.protocol.mirror.fits_renumbered", lambda _: True)
    if not beside:
        four.part((four.alpha, four.beside))
    said = statement(four.alt, 1) if last else filling(four.alt, 1, SAYABLE_MAX)
    tell(four.alt, four.bravo, statement(four.alt, 1, "another"))
    tell(four.alt, four.alpha, said)
    if last:
        four.alpha.endpoint.context.raise_serial(REAL, SERIAL_MAX)
        four.bravo.endpoint.context.inboxes[REAL].through = SERIAL_MAX
        four.bravo.endpoint.context.inboxes[REAL]._recent[1] = b"another" * 4 + b"none"
        four.beside.endpoint.context.inboxes[REAL].through = SERIAL_MAX if not beside else 0
    four.alpha.lies = four.bravo.lies = four.beside.lies = last
    four.run(8_000)
    assert four.alpha.states(1) == ["expired", "delivered"][: 1 + beside], "where the peer's other terminal has it"
    (record,) = [record for record in four.alpha.records if record.kind == "msg.expired"]
    assert record.fields["reason"] == "it cannot be said under another serial"
    outbox = four.alpha.endpoint.context.outboxes[REAL]
    assert 1 not in outbox.pending, "the peer has something there"
    four.alpha.restart()
    four.run(1_000)


def test_a_store_that_holds_what_no_envelope_does_is_started_all_the_same(four: Quartet) -> None:
    """What an earlier program took would silence the terminal for good (docs/protocol.md 12.6 and 3.5)."""
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    assert four.alpha.submit("one").ok
    assert four.alpha.submit("two").ok
    four.run(100)
    four.alpha.lies = True
    row = four.alpha.memory.tables["sent"]["real", 1]
    four.alpha.memory.tables["sent"]["real", 1] = {**row, "content": encode(filling(four.alpha, 1, SAYABLE_MAX + 1))}
    four.alpha.kill()
    four.meet()
    four.alpha.start()
    four.run(5_000)
    assert four.bravo.shown() == [-1, 2]
    assert four.alpha.submit("three").ok


# --- who speaks ------------------------------------------------------------------------------------------------------


def longest_silence(four: Quartet) -> int:
    return max(path.profile.silent_ceiling_ms for path in four.paths)


@pytest.mark.parametrize("term", [1, 2**32 - 1])
def test_a_term_that_nobody_signed_for_hides_no_voice(four: Quartet, term: int) -> None:
    """A FLASH of a thief would be shown as the peer's, and nothing would tell (docs/protocol.md 23.9)."""
    tell(four.beside, four.alpha, statement(four.beside, 1, "we attack", precedence=FLASH, term=term))
    assert four.alpha.shown() == [1]
    four.run(longest_silence(four) - 1)
    assert "late-voice" not in four.alpha.alarms(), "it may have overtaken the word"
    four.run(2)
    (told,) = [told.fields for told in four.alpha.told if told.fields.get("name") == "late-voice"]
    assert (told["other"], told["term"], told["serial"]) == ("BRAVO/alt", term, 1)
    assert "nobody has shown" in str(told["meaning"])
    four.run(60_000)
    assert four.alpha.alarms().count("late-voice") == 1


def test_what_overtakes_the_word_of_its_term_rings_nothing(four: Quartet) -> None:
    """Each takeover would be told as a theft (docs/protocol.md 23.9)."""
    tell(four.beside, four.alpha, statement(four.beside, 1, "from now on I speak", term=1))
    four.run(100)
    assert four.beside.speak()
    four.run(60_000)
    assert "late-voice" not in four.alpha.alarms()


def test_once_another_one_speaks_in_that_term_it_rings_at_once(four: Quartet) -> None:
    """The thief's word would stand unmarked beside that of its successor (docs/protocol.md 23.9)."""
    tell(four.beside, four.alpha, statement(four.beside, 1, "we attack", term=1))
    assert four.bravo.speak(speak=False)
    assert four.bravo.speak()
    four.run(100)
    told = [told.fields for told in four.alpha.told if told.fields.get("name") == "late-voice"]
    assert ["no longer speaks" in str(one["meaning"]) for one in told] == [True]


def test_a_flood_of_such_words_hides_none(four: Quartet) -> None:
    """The first one would be forgotten for the last (docs/protocol.md 23.9)."""
    for serial in range(1, VOICES_WAITING_MAX + 3):
        tell(four.beside, four.alpha, statement(four.beside, serial, term=7))
    told = [told.fields["serial"] for told in four.alpha.told if told.fields.get("name") == "late-voice"]
    assert told == [VOICES_WAITING_MAX + 1], "what finds no place rings at once"
    four.run(longest_silence(four) + ALARM_INTERVAL)
    told = [str(told.fields["meaning"]) for told in four.alpha.told if told.fields.get("name") == "late-voice"]
    counted = [int(text.split("(and ")[1].split()[0]) for text in told if "(and" in text]
    assert len(told) + sum(counted) == VOICES_WAITING_MAX + 2


# --- what became of statements ---------------------------------------------------------------------------------------


def unheard(four: Quartet, text: str) -> bytes:
    """ALPHA's main terminal says a FLASH that nobody of the peer gets; its name."""
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    assert four.alpha.submit(text, FLASH).ok
    four.run(3_000)
    row = four.alpha.memory.sent(REAL, 1)
    assert row is not None
    return row.hash


def settled(name: bytes, *, expired: bool) -> content_pb2.Receipt:
    item = content_pb2.ReceiptItem(serial=1, statement=name)
    return content_pb2.Receipt(stage=content_pb2.STAGE_SETTLED, item=[item], time_ms=WALL, expired=expired)


def test_a_stolen_standby_expires_nothing_that_is_being_said(four: Quartet) -> None:
    """A FLASH would be taken back on a thief's word, and the peer get an empty statement (docs/protocol.md 23.5)."""
    name = unheard(four, "launch nothing")
    tell(four.alt, four.alpha, settled(name, expired=True))
    assert four.alpha.states(1) == []
    four.meet()
    four.run(15_000)
    assert four.alpha.states(1) == ["delivered"]
    assert four.bravo.got() == {1: "launch nothing"}


def test_of_an_earlier_term_the_word_of_a_sibling_counts(four: Quartet) -> None:
    """What the one that spoke before knows as expired would be said after its time (docs/protocol.md 23.5)."""
    four.part((four.alt, four.bravo), (four.alt, four.beside))
    name = unheard(four, "by noon")
    assert four.alt.speak()
    tell(four.alpha, four.alt, settled(name, expired=True))
    assert four.alt.states(1) == ["expired"]


def test_what_a_sibling_calls_delivered_the_peer_gets_all_the_same(four: Quartet) -> None:
    """A thief's word alone tells our officer DELIVERED; it keeps nothing from the peer (docs/protocol.md 23.5 and
    10.5)."""
    name = unheard(four, "launch nothing")
    tell(four.alt, four.alpha, settled(name, expired=False))
    (record,) = [record for record in four.alpha.records if record.kind == "msg.delivered"]
    assert record.fields["other"] == "ALPHA/alt", "the record says whose word it is"
    four.meet()
    four.run(15_000)
    assert four.bravo.got() == four.beside.got() == {1: "launch nothing"}


RUNGS: list[dict[str, object]] = [
    {"stage": content_pb2.STAGE_READ},
    {"stage": content_pb2.STAGE_SHOWN, "principal": "the president"},
    {"stage": content_pb2.STAGE_REPLY_BY, "reply_by_ms": WALL + 10**6},
]


@pytest.mark.parametrize("fields", RUNGS)
def test_nobody_of_ours_has_opened_a_statement_of_the_peer(four: Quartet, fields: dict[str, object]) -> None:
    """The peer's FLASH would leave the list of what is unread on the word of nobody (docs/protocol.md 23.5)."""
    four.bravo.submit("URGENT", FLASH)
    four.run(500)
    name = four.alpha.endpoint.context.unread[REAL][1]
    officers = {("ALPHA", "duty-1"): None, ("BRAVO", "duty-2"): None}
    for one in (four.alpha, four.alt):
        setup = one.endpoint.context.setup
        one.endpoint.context.setup = replace(setup, release=ReleasePolicy(officers))  # type: ignore[arg-type]
        for line in one.endpoint.context.lines:
            line.setup = replace(line.setup, release=one.endpoint.context.setup.release)
    if fields["stage"] != content_pb2.STAGE_READ:
        four.alpha.read(1)
    item = content_pb2.ReceiptItem(serial=1, statement=name)
    before = len(four.alpha.told), len(four.sent)
    for nobody in ("nobody-at-all", "duty-2"):
        said = content_pb2.Receipt(item=[item], time_ms=WALL, officer=nobody, **fields)  # type: ignore[arg-type]
        tell(four.alt, four.alpha, said)
    assert (len(four.alpha.told), len(four.sent)) == before, "neither told nor noted"
    said.officer = "duty-1"
    tell(four.alt, four.alpha, said)
    (told,) = four.alpha.told[before[0] :]
    assert told.fields["officer"] == "duty-1"
    said.officer = "nobody-at-all"
    sent = len(four.sent)
    tell(four.alt, four.alpha, said)
    assert (len(four.alpha.told), len(four.sent)) == (before[0] + 1, sent + 1), "what is no news is noted"


def test_a_stolen_standby_puts_nothing_in_the_place_of_what_is_being_said(four: Quartet) -> None:
    """The officer would be told of another number, and the peer get another text for it (docs/protocol.md 23.18)."""
    unheard(four, "launch nothing")
    row = four.alpha.memory.sent(REAL, 1)
    assert row is not None
    salt = content_pb2.Statement.FromString(row.content).body_salt
    said = statement(four.alt, 2, "launch everything", precedence=FLASH, first_serial=1, body_salt=salt)
    tell(four.alt, four.alpha, said)
    assert four.alpha.states(1) == []
    four.meet()
    four.run(15_000)
    assert four.alpha.states(1) == ["delivered"]
    assert four.bravo.got()[1] == "launch nothing"
    assert "late-voice" in four.bravo.alarms(), "the other one is marked there"


def test_what_it_renumbered_itself_and_forgot_it_says_once(four: Quartet) -> None:
    """Put back to an older state, a terminal would say again what it goes on with (docs/protocol.md 23.18)."""
    tell(four.alt, four.bravo, statement(four.alt, 1, "another"))
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    assert four.alpha.submit("once", FLASH).ok
    four.run(3_000)
    before = deepcopy(four.alpha.memory)
    four.meet()
    four.part((four.alpha, four.beside))
    four.run(10_000)
    assert four.alpha.states(1) == ["renumbered"]
    four.part((four.alpha, four.bravo))
    four.alpha.restart(before)
    four.run(10_000)
    assert four.alpha.states(1) == ["renumbered"] * 2, "its sibling shows it what it has signed"
    assert 1 not in four.alpha.endpoint.context.outboxes[REAL].pending


def test_what_was_said_in_an_earlier_term_may_go_on_at_a_sibling(four: Quartet) -> None:
    """It would be said twice, by the one that spoke before and by the one that speaks now (docs/protocol.md 23.18)."""
    unheard(four, "once")
    row = four.alpha.memory.sent(REAL, 1)
    assert row is not None
    salt = content_pb2.Statement.FromString(row.content).body_salt
    assert four.alpha.speak(speak=False)
    assert four.alpha.speak()
    tell(four.alt, four.alpha, statement(four.alt, 2, "once", precedence=FLASH, first_serial=1, body_salt=salt, term=1))
    assert four.alpha.states(1) == ["renumbered"]
