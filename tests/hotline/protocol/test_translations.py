"""Translations of statements: tied to an original that holds, kept here or sent (docs/protocol.md 21.1 to 21.5)."""

from __future__ import annotations

import hashlib

import pytest

from hotline.crypto.signing import pae, verify
from hotline.errors import Malformed
from hotline.ledger.record import commitment, parse_leaf
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import SendTest, Translate
from hotline.protocol.statements import decode_statement
from hotline.wire.codec import decode, encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

from .pair import CHARTER, FLASH, ROUTINE, Pair, Party, durable, losing

COURTESY, SIGHT, ROUGH, OFFICIAL = (content_pb2.TranslationGrade.values()[i] for i in (1, 2, 3, 4))
URDU = "مشق منسوخ کر دی گئی ہے۔"


def translate(party: Party, serial: int, **changes: object) -> Reply:
    """A rough translation of the peer's statement into English, by an officer, unless changed."""
    request = RequestId(len(party.replies) + 1)
    usual: dict[str, object] = {
        "plane": Plane.REAL,
        "sent": False,
        "grade": ROUGH,
        "translator": "A. Reader",
        "language": "en",
        "direction": content_pb2.DIRECTION_LTR,
        "text": "The exercise has been cancelled.",
        "officer": "watch",
    }
    party.step(Translate(request, serial=serial, **(usual | changes)))  # type: ignore[arg-type]
    return party.replies[request]


def links(party: Party) -> list[tuple[object, ...]]:
    rows = party.memory.rows("translated")
    return [(row["way"], row["serial"], row["carrier"], row["number"]) for row in rows]


def held(party: Party, serial: int) -> content_pb2.Statement:
    content = party.memory.received(Plane.REAL, serial)
    assert content is not None
    return decode_statement(content)


@pytest.fixture
def pair() -> Pair:
    """ALPHA has said something in Urdu, and an officer of BRAVO has opened it."""
    pair = Pair().open()
    pair.alpha.submit(URDU, FLASH, language="ur", direction=content_pb2.DIRECTION_RTL)
    pair.run(1_000)
    assert pair.bravo.read(1).ok
    return pair


def test_a_translation_stays_here_and_the_original_stays_what_it_was(pair: Pair) -> None:
    """Whoever reads the record later would take a translator's word for the sender's (docs/protocol.md 21.1, 21.4)."""
    before, sent = pair.bravo.memory.rows("received"), len(pair.bravo.memory.rows("sent"))
    reply = translate(pair.bravo, 1)
    assert (reply.ok, reply.code, reply.fields["number"]) == (True, "kept", 1)
    longest = "B. Reader".ljust(64, "r")
    assert translate(pair.bravo, 1, grade=OFFICIAL, translator=longest).fields["number"] == 2
    pair.run(1_000)
    assert pair.bravo.memory.rows("received") == before, "the original is not touched"
    assert len(pair.bravo.memory.rows("sent")) == sent, "nothing went to the peer"
    assert links(pair.bravo) == [("received", 1, "here", 1), ("received", 1, "here", 2)]
    row = pair.bravo.memory.rows("translation")[0]
    content, signature, name = row["content"], row["signature"], row["hash"]
    assert isinstance(content, bytes)
    assert isinstance(signature, bytes)
    made = decode(content_pb2.LocalTranslation, content, 10_000)
    assert (made.translation.original.serial, made.translation.grade) == (1, ROUGH)
    assert made.translation.original.statement == pair.bravo.memory.received_hash(Plane.REAL, 1)
    parts = (b"real", CHARTER, (2).to_bytes(2, "big"), content)
    verify(pair.bravo.signing.public, signature, "hotline/v1/translation", *parts)
    assert name == hashlib.sha256(pae("hotline/v1/translation", *parts)).digest() == reply.fields["hash"]
    entries = [record for record in pair.bravo.records if record.kind == "msg.translated"]
    assert [(entry.fields["serial"], entry.fields["grade"], entry.fields["number"]) for entry in entries] == [
        (1, "rough", 1),
        (1, "official", 2),
    ]
    told = [delivery.fields for delivery in pair.bravo.told if delivery.kind == "translated"]
    assert [(one["way"], one["carrier"], one["grade"]) for one in told] == [
        ("received", "here", "rough"),
        ("received", "here", "official"),
    ]


def test_what_was_translated_is_in_the_ledger_without_a_word_of_it(pair: Pair) -> None:
    """A ledger that is shown to others would tell what the translator made of it (docs/protocol.md 13.12, 21.4)."""
    translate(pair.bravo, 1)
    leaves = [leaf for log in pair.bravo.memory.log.epochs.values() for leaf in log.leaves]
    (leaf,) = [leaf for leaf in leaves if b"msg.translated" in leaf]
    assert b"cancelled" not in leaf
    assert b"Reader" not in leaf
    content = pair.bravo.memory.rows("translation")[0]["content"]
    assert isinstance(content, bytes)
    salt = decode(content_pb2.LocalTranslation, content, 10_000).body_salt
    assert parse_leaf(leaf).commit["body"] == commitment(salt, "body", b"The exercise has been cancelled.").hex()


def test_a_translation_may_be_sent_so_that_it_can_be_objected_to(pair: Pair) -> None:
    """Two capitals would act on two readings and neither would know (docs/protocol.md 21.2 and 21.4)."""
    reply = translate(pair.bravo, 1, grade=OFFICIAL, send=True)
    assert (reply.ok, reply.code, reply.fields["serial"]) == (True, "queued", 1)
    pair.run(1_000)
    came = held(pair.alpha, 1)
    assert (came.kind, came.precedence) == (content_pb2.STATEMENT_KIND_TRANSLATION, FLASH)
    assert (came.translation.grade, came.translation.translator, came.language) == (OFFICIAL, "A. Reader", "en")
    row = pair.alpha.memory.sent(Plane.REAL, 1)
    assert row is not None
    assert came.translation.original == content_pb2.Reference(serial=1, statement=row.hash)
    assert links(pair.bravo) == [("received", 1, "sent", 1)]
    assert links(pair.alpha) == [("sent", 1, "received", 1)]
    assert list(pair.alpha.endpoint.context.unread[Plane.REAL]) == [1], "it is opened like anything else"
    entries = [record.fields for record in pair.alpha.records if record.kind == "msg.recv"]
    assert [(entry["kind"], entry["translates"], entry["grade"]) for entry in entries] == [
        ("translation", 1, "official")
    ]


def test_a_courtesy_translation_goes_with_what_we_said(pair: Pair) -> None:
    """docs/protocol.md 21.3: of use to nobody if it stayed here."""
    reply = translate(pair.alpha, 1, sent=True, grade=COURTESY)
    assert reply.fields["serial"] == 2
    pair.run(1_000)
    assert held(pair.bravo, 2).translation.original.statement == pair.bravo.memory.received_hash(Plane.REAL, 1)
    assert links(pair.alpha) == [("sent", 1, "sent", 2)]
    (told,) = [delivery.fields for delivery in pair.alpha.told if delivery.kind == "translated"]
    assert (told["way"], told["carrier"], told["number"]) == ("sent", "sent", 2)
    assert links(pair.bravo) == [("received", 1, "received", 2)]
    again = translate(pair.alpha, 2, sent=True, grade=COURTESY, language="hi")
    assert "translate its original, #1" in again.text


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"serial": 9}, "no statement #9 of the peer"),
        ({"serial": 9, "sent": True, "grade": COURTESY}, "was not sent from here"),
        ({"serial": 2}, "has not been opened"),
        ({"serial": 3}, "nothing that could be translated"),
        ({"grade": COURTESY}, "our own statements get a courtesy translation"),
        ({"grade": 0}, "our own statements get a courtesy translation"),
        ({"grade": 9}, "our own statements get a courtesy translation"),
        ({"language": "UR"}, "is in ur already"),
        ({"language": "e n"}, "not a language tag"),
        ({"direction": 0}, "no such writing direction"),
        ({"text": " \n"}, "the text is empty"),
        ({"text": "x" * 32_769}, "the limit is 32768"),
        ({"translator": " "}, "1 to 64 characters"),
        ({"translator": "x" * 65}, "1 to 64 characters"),
        ({"translator": "a\0b"}, "NUL"),
        ({"plane": Plane.EXERCISE}, "no statement #1 of the peer"),
    ],
)
def test_what_cannot_be_a_translation_is_refused(pair: Pair, changes: dict[str, object], word: str) -> None:
    """docs/protocol.md 21.3: nothing is kept, sent or entered."""
    pair.alpha.submit("Unopened.")
    pair.alpha.step(SendTest(RequestId(90), "watch"))
    pair.run(1_000)
    records, given = len(pair.bravo.records), {"serial": 1} | changes
    reply = translate(pair.bravo, **given)  # type: ignore[arg-type]
    assert not reply.ok
    assert word in reply.text
    assert len(pair.bravo.records) == records
    assert not pair.bravo.memory.rows("translation")


def test_what_is_held_back_is_not_translated(pair: Pair) -> None:
    """An officer would read in the translation what the order of statements still hides (docs/protocol.md 21.3)."""
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
    pair.alpha.submit("First.")
    pair.run(10)
    pair.weather = losing(lambda sender, relay, envelope: False)
    pair.alpha.submit("Second, before the first.")
    pair.run(20)
    assert pair.bravo.endpoint.context.inboxes[Plane.REAL].ahead[3].shown is False
    assert "has not been opened" in translate(pair.bravo, 3, language="hi").text


def test_numbers_go_on_after_a_restart(pair: Pair) -> None:
    """A second translation would take the place of the first (docs/protocol.md 21.4)."""
    translate(pair.bravo, 1)
    pair.bravo.restart()
    assert translate(pair.bravo, 1, grade=OFFICIAL).fields["number"] == 2
    assert len(pair.bravo.memory.rows("translation")) == 2


def test_a_full_outbox_refuses_what_would_be_sent_and_keeps_what_stays() -> None:
    """docs/protocol.md 12.9 and 21.4."""
    pair = Pair(outbox_max=1).open()
    pair.alpha.submit(URDU, language="ur")
    pair.run(1_000)
    pair.bravo.read(1)
    pair.cut()
    pair.bravo.submit("Waits.")
    assert translate(pair.bravo, 1, send=True).code == "full"
    assert translate(pair.bravo, 1).ok


def test_a_renumbered_translation_is_found_under_its_new_serial(pair: Pair) -> None:
    """docs/protocol.md 12.6 and 21.5: the link would point at another statement."""
    backup = pair.alpha.memory.copy()
    pair.alpha.submit("Lost by the sender.")
    pair.run(1_000)
    pair.cut()
    pair.alpha.restart(backup)
    pair.cut()
    reply = translate(pair.alpha, 1, sent=True, grade=COURTESY)
    assert reply.fields["serial"] == 2
    pair.join()
    pair.run(20_000)
    assert ("sent", 1, "sent", 3) in links(pair.alpha)
    assert links(pair.bravo) == [("received", 1, "received", 3)]


@pytest.mark.parametrize("grade", [COURTESY, OFFICIAL])
def test_a_tie_to_nothing_is_refused(grade: content_pb2.TranslationGrade.ValueType) -> None:
    """docs/protocol.md 21.2."""
    tie = content_pb2.Translation(
        original=content_pb2.Reference(serial=5, statement=bytes(32)), grade=grade, translator="A. Reader"
    )
    statement = content_pb2.Statement(
        serial=5,
        precedence=ROUTINE,
        kind=content_pb2.STATEMENT_KIND_TRANSLATION,
        language="en",
        direction=content_pb2.DIRECTION_LTR,
        text="said",
        body_salt=bytes(32),
        translation=tie,
    )
    if grade == COURTESY:
        with pytest.raises(Malformed, match="translation"):
            decode_statement(encode(statement))
        statement.translation.original.serial = 4
    decode_statement(encode(statement))
    statement.ClearField("translation")
    with pytest.raises(Malformed, match="translation"):
        decode_statement(encode(statement))


def test_what_is_called_a_test_and_is_none_can_be_translated(pair: Pair) -> None:
    """It is an ordinary statement to its receiver, who may not read its language (docs/protocol.md 8.5, 21.3)."""
    session = pair.alpha.endpoint.context.session
    said = held(pair.bravo, 1)
    said.serial, said.precedence, said.kind, said.drafter = 2, ROUTINE, content_pb2.STATEMENT_KIND_TEST, "channel-test"
    inner = session.sign(ContentType.STATEMENT, Plane.REAL, encode(said))
    pair.bravo.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    assert pair.bravo.read(2).ok
    assert translate(pair.bravo, 2).code == "kept"
