"""Answers, corrections and retractions (docs/protocol.md 8.9 to 8.11)."""

from __future__ import annotations

import pytest

from hotline.errors import Malformed
from hotline.machine import Plane, Put, Reply, RequestId
from hotline.protocol.events import SendTest, Submit
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import Correction
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2

from .offices import smuggle
from .pair import Pair, Party, durable, losing

ROUTINE, FLASH = content_pb2.PRECEDENCE_ROUTINE, content_pb2.PRECEDENCE_FLASH
CORRECTION, RETRACTION = content_pb2.STATEMENT_KIND_CORRECTION, content_pb2.STATEMENT_KIND_RETRACTION


def say(
    party: Party,
    text: str,
    precedence: content_pb2.Precedence.ValueType = ROUTINE,
    plane: Plane = Plane.REAL,
    *,
    reply_to: int = 0,
    corrects: int = 0,
    retracts: bool = False,
) -> Reply:
    request = RequestId(len(party.replies) + 1)
    ltr = content_pb2.DIRECTION_LTR
    party.step(Submit(request, plane, precedence, "en", ltr, text, "watch", 0, reply_to, corrects, retracts))
    return party.replies[request]


def held(party: Party, serial: int) -> content_pb2.Statement:
    content = party.memory.received(Plane.REAL, serial)
    assert content is not None
    return decode_statement(content)


def marks(party: Party, way: str) -> list[tuple[object, ...]]:
    rows = party.memory.rows("correction")
    return [(row["serial"], row["stage"], row["by"]) for row in rows if row["way"] == way]


@pytest.fixture
def pair() -> Pair:
    pair = Pair().open()
    say(pair.alpha, "It begins at 14:30.")
    pair.run(1_000)
    return pair


def test_both_sides_keep_what_was_said_and_know_what_became_of_it(pair: Pair) -> None:
    """A correction would be one message more that nobody connects with the wrong one (docs/protocol.md 8.10)."""
    pair.bravo.read(1)
    assert say(pair.alpha, "It begins at 15:30, not at 14:30.", corrects=1).ok
    pair.run(1_000)
    assert (held(pair.bravo, 2).kind, held(pair.bravo, 2).corrects.serial) == (CORRECTION, 1)
    assert held(pair.bravo, 2).corrects.statement == pair.bravo.memory.received_hash(Plane.REAL, 1)
    assert pair.bravo.text(1) == "It begins at 14:30."
    assert marks(pair.alpha, "sent") == marks(pair.bravo, "received") == [(1, "corrected", 2)]
    assert list(pair.bravo.endpoint.context.unread[Plane.REAL]) == [2], "it is to be opened and acknowledged anew"
    assert say(pair.alpha, "It does not take place.", retracts=True, corrects=1).ok
    pair.run(1_000)
    assert held(pair.bravo, 3).kind == RETRACTION
    assert marks(pair.bravo, "received") == [(1, "corrected", 2), (1, "retracted", 3)]
    for party, way in ((pair.alpha, "sent"), (pair.bravo, "received")):
        told = [d.fields for d in party.told if d.kind == "corrected"]
        assert [(one["serial"], one["state"], one["by"], one["way"]) for one in told] == [
            (1, "corrected", 2, way),
            (1, "retracted", 3, way),
        ]
    kinds = [record.fields["kind"] for record in pair.bravo.records if record.kind == "msg.recv"]
    assert kinds == ["text", "correction", "retraction"]
    assert [record.fields.get("corrects") for record in pair.alpha.records if record.kind == "msg.submit"] == [
        None,
        1,
        1,
    ]


def test_an_answer_names_what_it_answers(pair: Pair) -> None:
    """docs/protocol.md 8.9: of ten open questions nobody would know which one is answered."""
    assert say(pair.bravo, "Noted, thank you.", reply_to=1).ok
    pair.run(1_000)
    answer = held(pair.alpha, 1)
    assert answer.in_reply_to.serial == 1
    row = pair.alpha.memory.sent(Plane.REAL, 1)
    assert row is not None
    assert answer.in_reply_to.statement == row.hash
    assert [record.fields.get("reply_to") for record in pair.alpha.records if record.kind == "msg.recv"] == [1]


def test_a_correction_that_overtakes_is_marked_all_the_same(pair: Pair) -> None:
    """A FLASH does not wait for the ROUTINE that it corrects (docs/protocol.md 8.10 and 12.5)."""
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.alpha and durable(envelope))
    say(pair.alpha, "Under way when it was corrected.")
    pair.run(100)
    pair.weather = losing(lambda sender, relay, envelope: False)
    say(pair.alpha, "Do not act on what comes next.", FLASH, corrects=2)
    pair.run(300)
    assert pair.bravo.shown() == [1, 3]
    pair.run(10_000)
    assert pair.bravo.shown() == [1, 3, 2]
    assert marks(pair.bravo, "received") == [(2, "corrected", 3)]


def newest(pair: Pair, serial: int = 1) -> tuple[Correction, Correction]:
    """What each side shows of this statement of ALPHA's as it stands there."""
    row = pair.alpha.memory.sent(Plane.REAL, serial)
    name = pair.bravo.memory.received_hash(Plane.REAL, serial)
    assert row is not None
    assert name is not None
    ours = pair.alpha.memory.correction("sent", Plane.REAL, serial, row.hash)
    return ours, pair.bravo.memory.correction("received", Plane.REAL, serial, name)


def heard(party: Party) -> list[object]:
    return [delivery.fields["by"] for delivery in party.told if delivery.kind == "corrected"]


def test_the_newest_correction_counts_and_not_the_last_to_come(pair: Pair) -> None:
    """One loss, or one relay at will, would bring back what was corrected once more (docs/protocol.md 8.10)."""
    held_up: list[bytes] = []

    def late(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is pair.alpha and durable(envelope) and len(held_up) < len(sender.endpoint.context.paths):
            held_up.append(envelope)
            return []
        return [envelope]

    pair.weather = late
    assert say(pair.alpha, "It begins at 15:30.", corrects=1).ok
    assert say(pair.alpha, "It begins at 16:30.", FLASH, corrects=1).ok
    pair.run(8_000)
    assert pair.bravo.shown() == [1, 3, 2]
    assert newest(pair) == ((3, 3, "corrected"),) * 2
    assert (heard(pair.alpha), heard(pair.bravo)) == ([2, 3], [3]), "the older one is no news"
    assert pair.bravo.ledger_and_tables() == []


def test_a_correction_of_another_statement_takes_no_mark_away(pair: Pair) -> None:
    """What was truly corrected would be shown as if it held (docs/protocol.md 8.10)."""
    say(pair.alpha, "It begins at 15:30.", corrects=1)
    pair.run(1_000)
    before = newest(pair)
    assert before[1] == (2, 2, "corrected")
    statement = content_pb2.Statement()
    statement.CopyFrom(held(pair.bravo, 2))
    statement.corrects.statement = bytes(32)
    smuggle(pair.alpha, statement)
    pair.run(1_000)
    assert held(pair.bravo, 3).corrects.serial == 1
    assert (newest(pair), heard(pair.bravo)) == (before, [2])
    assert pair.bravo.ledger_and_tables() == []


def test_two_that_are_committed_at_once_are_told_apart(pair: Pair) -> None:
    """The store does not tell yet of what came in the same commit (docs/protocol.md 8.10)."""
    corrections = pair.bravo.endpoint._receiving._corrections
    out = pair.bravo.endpoint.begin()
    for serial in (7, 5, 6):
        statement = content_pb2.Statement(serial=serial, kind=CORRECTION)
        statement.corrects.CopyFrom(content_pb2.Reference(serial=4, statement=bytes(32)))
        corrections.mark("received", Plane.REAL, statement, pair.bravo.now())
    assert [delivery.fields["by"] for delivery in out.deliver] == [7]
    assert [change.row["by"] for change in out.changes if isinstance(change, Put)] == [7, 5, 6]


def test_a_correction_that_is_renumbered_stands_in_its_place_on_both_sides(pair: Pair) -> None:
    """It would take the place of what was said after it, on one side or on both (docs/protocol.md 8.10 and 12.6)."""
    backup = pair.alpha.memory.copy()
    say(pair.alpha, "What the restored state does not know.")
    pair.run(1_000)
    pair.cut()
    pair.alpha.restart(backup)
    assert say(pair.alpha, "It begins at 15:30.", corrects=1).ok
    assert say(pair.alpha, "It begins at 16:30.", corrects=1).ok
    pair.join()
    pair.run(20_000)
    assert pair.bravo.text(2) == "What the restored state does not know."
    assert pair.bravo.text(4) == "It begins at 15:30."
    assert newest(pair) == ((3, 3, "corrected"),) * 2, "what was first said last"
    kept = [(row["first"], row["by"]) for row in pair.alpha.memory.rows("correction")]
    assert kept == [(2, 2), (3, 3), (2, 4)]
    assert heard(pair.alpha)[-2:] == [2, 3]
    assert (pair.alpha.ledger_and_tables(), pair.bravo.ledger_and_tables()) == ([], [])


def test_another_statement_under_that_serial_is_not_marked(pair: Pair) -> None:
    """After a loss of state a number may stand for something else here (docs/protocol.md 8.10)."""
    row = pair.alpha.memory.sent(Plane.REAL, 1)
    assert row is not None
    pair.alpha.lies = True
    pair.alpha.memory.tables["sent"]["real", 1] = {
        "plane": "real", "serial": 1, "content": row.content, "signature": row.signature, "hash": bytes(32),
    }  # fmt: skip
    say(pair.alpha, "Corrects what is not held there.", corrects=1)
    pair.run(1_000)
    assert held(pair.bravo, 2).corrects.statement == bytes(32)
    assert not [delivery for delivery in pair.bravo.told if delivery.kind == "corrected"]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"corrects": 9}, "was not sent from here"),
        ({"corrects": 2}, "channel test"),
        ({"corrects": 3, "precedence": ROUTINE}, "goes at least as high"),
        ({"retracts": True}, "names what it takes back"),
        ({"reply_to": 5}, "no statement #5 of the peer"),
        ({"corrects": 1, "plane": Plane.EXERCISE}, "was not sent from here"),
    ],
)
def test_what_names_nothing_is_refused_before_it_is_queued(pair: Pair, fields: dict[str, object], word: str) -> None:
    """docs/protocol.md 8.10: a correction in a lower precedence would have less weight than the mistake."""
    pair.alpha.step(SendTest(RequestId(70), "watch"))
    say(pair.alpha, "urgent", FLASH)
    reply = say(pair.alpha, "corrects", **({"precedence": FLASH} | fields))  # type: ignore[arg-type]
    assert not reply.ok
    assert word in reply.text
    assert reply.text.endswith("nothing was queued")
    assert pair.alpha.endpoint.context.outboxes[Plane.REAL].last_serial == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": CORRECTION},
        {"kind": content_pb2.STATEMENT_KIND_TEXT, "corrects": (1, 32)},
        {"kind": CORRECTION, "corrects": (0, 32)},
        {"kind": CORRECTION, "corrects": (1, 31)},
        {"kind": CORRECTION, "corrects": (5, 32)},
        {"kind": RETRACTION, "corrects": (6, 32)},
        {"in_reply_to": (0, 32)},
        {"in_reply_to": (2**40 + 1, 32)},
        {"in_reply_to": (1, 33)},
        {"kind": content_pb2.STATEMENT_KIND_VOID, "in_reply_to": (1, 32)},
        {"kind": content_pb2.STATEMENT_KIND_TEST, "in_reply_to": (1, 32)},
    ],
)
def test_a_reference_to_nothing_is_refused(changes: dict[str, object]) -> None:
    """docs/protocol.md 8.11."""
    lawful = {
        "serial": 5,
        "precedence": ROUTINE,
        "kind": content_pb2.STATEMENT_KIND_TEXT,
        "language": "en",
        "direction": content_pb2.DIRECTION_LTR,
        "text": "said",
        "body_salt": bytes(32),
    }
    decode_statement(encode(content_pb2.Statement(**lawful)))  # type: ignore[arg-type]
    named = {
        name: content_pb2.Reference(serial=value[0], statement=bytes(value[1])) if isinstance(value, tuple) else value
        for name, value in changes.items()
    }
    with pytest.raises(Malformed, match="reference"):
        decode_statement(encode(content_pb2.Statement(**(lawful | named))))  # type: ignore[arg-type]
