"""Texts that are gone: what was said still has its number, its name and its mode (docs/protocol.md 13.4 and 22.7)."""

from __future__ import annotations

import pytest

from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import AskChallenge, Submit
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.nonpapers import Name
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.v1 import content_pb2

from .liars import sealed, statement
from .pair import WALL, Pair, Party, clear, durable, losing
from .test_modes import HOUR, KEPT, QUIET, RECORD, aside, content, forgetful, record_it


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Two that have met, and who keep non-papers for minutes instead of a day."""
    return forgetful(monkeypatch)


def modes(party: Party, kind: str, serial: int) -> set[object]:
    """The modes in which people were told of it."""
    return {told.fields["mode"] for told in party.told if told.kind == kind and told.fields["serial"] == serial}


def expired_and_gone(pair: Pair) -> tuple[int, bytes]:
    """A non-paper that expired, whose text is gone, and that a relay still holds: its serial and its envelope."""
    pair.weather = losing(lambda *_: True)
    reply = pair.alpha.submit("between us", valid_for_ms=10_000, **QUIET)
    held = [envelope for name, _, envelope in pair.sent if name == "ALPHA" and durable(envelope)]
    pair.run(KEPT + 60_000)
    serial = int(str(reply.fields["serial"]))
    assert pair.alpha.states(serial)[-1] == "expired"
    assert content(pair.alpha, "sent", serial) is None
    return serial, held[-1]


def test_nothing_is_said_of_a_non_paper_whose_text_is_gone(pair: Pair) -> None:
    """A day later it would be of record, and signed, that a principal was shown it (docs/protocol.md 22.4)."""
    serial = aside(pair.alpha, "between us")
    pair.run(1_000)
    assert pair.bravo.read(serial).ok
    pair.run(KEPT + 10_000)
    assert content(pair.bravo, "received", serial) is None
    for reply in (pair.bravo.present(serial), pair.bravo.promise(serial, WALL + 10 * HOUR)):
        assert (reply.ok, reply.text) == (False, f"#{serial} was said without prejudice: nothing was said")


def test_what_becomes_of_a_non_paper_is_told_as_such_when_its_text_is_gone(pair: Pair) -> None:
    """Who reads that #1, of record, was delivered would look for what was never said (docs/protocol.md 22.1)."""
    serial, held = expired_and_gone(pair)
    pair.bravo.hear("relay-1", envelope_frame(held))
    pair.weather = clear
    pair.run(60_000)
    assert pair.alpha.states(serial)[-1] == "delivered"
    assert modes(pair.alpha, "sent", serial) == {"without-prejudice"}


def test_the_store_is_not_asked_for_the_mode_of_what_this_run_has_said(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement of record would wait for a look into the store at both ends (docs/protocol.md 22.1)."""
    for party in (pair.alpha, pair.bravo):
        monkeypatch.setattr(type(party.memory), "is_nonpaper", lambda *_: pytest.fail("the store was asked"))
    pair.alpha.submit("of record")
    pair.run(1_000)
    assert pair.bravo.read(1).ok
    pair.run(1_000)
    assert modes(pair.alpha, "sent", 1) | modes(pair.bravo, "received", 1) == {"of-record"}
    assert pair.alpha.states(1)[-1] == "read"


def test_what_takes_the_place_of_a_statement_of_record_is_told_as_what_it_is(pair: Pair) -> None:
    """After a restore other words may stand under a number of this run (docs/protocol.md 22.1)."""
    history, name = pair.alpha.endpoint.context.history, Name("sent", Plane.REAL, 1)
    pair.alpha.submit("of record")
    history.says(name, quiet=True)
    pair.alpha.endpoint.context.nonpapers.seal(name, encode(statement(pair.alpha, 1, "between us", kind=NON_PAPER)))
    assert history.mode(name) == "without-prejudice"
    history.says(name, quiet=False)
    assert history.mode(name) == "of-record"


def test_a_text_that_is_gone_is_not_said_again(pair: Pair) -> None:
    """Destroyed, by the record, it would leave once more for a peer that has lost it (docs/protocol.md 22.7)."""
    backup = pair.bravo.memory.copy()
    serial = aside(pair.alpha, "between us")
    pair.run(1_000)
    assert pair.bravo.read(serial).ok
    pair.run(1_000)
    pair.weather = losing(lambda _, __, envelope: durable(envelope))
    pair.bravo.restart(backup)
    pair.run(20_000)
    assert serial in pair.alpha.endpoint.context.outboxes[Plane.REAL].pending, "it is owed again"
    pair.run(KEPT)
    pair.weather = clear
    pair.run(60_000)
    assert "nonpaper.destroyed" in pair.alpha.kinds()
    assert pair.bravo.shown()[-1] == -serial, "an empty one keeps its serial"
    assert not pair.alpha.endpoint.context.outboxes[Plane.REAL].pending
    assert pair.alpha.ledger_and_tables() == []


def test_what_was_of_record_is_not_put_on_record(pair: Pair) -> None:
    """Other words would stand beside a statement as those that hold (docs/protocol.md 22.10)."""
    pair.alpha.submit("of record")
    pair.run(1_000)
    said = statement(pair.alpha, 2, "of record", kind=RECORD)
    said.put_on_record.serial, said.put_on_record.statement = 1, pair.alpha.memory.sent_hash(Plane.REAL, 1) or b""
    pair.bravo.hear("relay-1", sealed(pair.alpha.endpoint.context.session, said))
    assert pair.bravo.shown() == [1, 2]
    assert "nonpaper.recorded" not in pair.bravo.kinds()
    assert not [told for told in pair.bravo.told if told.kind == "recorded"]


def destroy(party: Party, *serials: int) -> None:
    """The month of these statements is over, and its key gone (docs/protocol.md 13.4)."""
    sent = party.memory.sent
    party.memory.sent = lambda plane, serial: None if serial in serials else sent(plane, serial)  # type: ignore[method-assign]


def ask(party: Party, serial: int, *, ours: bool = False) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(AskChallenge(request, "watch", Plane.REAL, serial, ours))
    return party.replies[request]


def verdicts(party: Party) -> list[object]:
    return [record.fields["verdict"] for record in party.records if record.kind == "challenge.answered"]


def test_what_is_read_when_its_text_is_gone_is_told(pair: Pair) -> None:
    """The peer's officer has opened it, and noted is that we know: nobody does (docs/protocol.md 9.4, 13.4)."""
    pair.alpha.submit("of record")
    pair.run(1_000)
    destroy(pair.alpha, 1)
    assert pair.bravo.read(1).ok
    assert pair.bravo.present(1).ok
    assert pair.bravo.promise(1, WALL + HOUR).ok
    pair.run(5_000)
    assert pair.alpha.states(1)[-2:] == ["read", "shown"]
    assert [told.fields["serial"] for told in pair.alpha.told if told.kind == "promise"] == [1]
    assert len(pair.bravo.endpoint.context.reads) == 0


def test_what_had_expired_and_arrived_is_told_when_its_text_is_gone(pair: Pair) -> None:
    """Who was told that it never arrived says it again, to a reader who has it (docs/protocol.md 8.4 and 1.1)."""
    serial, held = expired_and_gone(pair)
    pair.alpha.restart()
    pair.bravo.hear("relay-1", envelope_frame(held))
    assert pair.bravo.shown() == [serial]
    assert pair.bravo.read(serial).ok
    pair.weather = clear
    pair.run(60_000)
    assert pair.alpha.states(serial)[-3:] == ["expired", "delivered", "read"]
    assert modes(pair.alpha, "sent", serial) == {"without-prejudice"}
    assert "restored" not in pair.alpha.alarms()
    assert not pair.alpha.endpoint.context.outboxes[Plane.REAL].pending


def test_what_had_expired_is_told_late_when_its_empty_one_was_taken(pair: Pair) -> None:
    """The same of one whose empty statement arrived, and was lost with a backup of the peer (8.4, 12.7)."""
    backup = pair.bravo.memory.copy()
    serial, held = expired_and_gone(pair)
    pair.weather = clear
    pair.run(60_000)
    assert pair.bravo.shown() == [-serial]
    pair.bravo.restart(backup)
    pair.bravo.hear("relay-1", envelope_frame(held))
    pair.run(5_000)
    assert pair.bravo.read(serial).ok
    pair.run(5_000)
    assert pair.alpha.states(serial)[-3:] == ["expired", "delivered", "read"]


@pytest.mark.parametrize("held", [False, True])
def test_what_waits_and_whose_text_is_gone_has_expired(pair: Pair, held: bool) -> None:
    """It would stand as queued for ever: neither said, nor told that it was not (docs/protocol.md 8.4 and 1.1)."""
    pair.weather = losing(lambda *_: True)
    pair.alpha.submit("of record")
    under_way = [envelope for name, _, envelope in pair.sent if name == "ALPHA" and durable(envelope)]
    destroy(pair.alpha, 1)
    pair.alpha.restart()
    assert pair.alpha.states(1)[-1] == "expired"
    pair.alpha.restart()
    assert pair.alpha.states(1).count("expired") == 1
    if held:
        pair.bravo.hear("relay-1", envelope_frame(under_way[-1]))
    pair.weather = clear
    pair.run(60_000)
    assert pair.bravo.shown() == [1 if held else -1]
    assert pair.alpha.states(1)[-1] == ("delivered" if held else "expired")
    assert not pair.alpha.endpoint.context.outboxes[Plane.REAL].pending
    assert pair.alpha.ledger_and_tables() == []


def test_the_record_answers_for_what_it_said_when_the_text_is_gone(pair: Pair) -> None:
    """It would deny what its entries say, and ring at the other side as a forgery (docs/protocol.md 25.6)."""
    pair.alpha.submit("of record")
    pair.run(1_000)
    destroy(pair.alpha, 1)
    assert ask(pair.bravo, 1).ok
    assert ask(pair.alpha, 1, ours=True).ok, "its name is all that is asked for"
    pair.run(5_000)
    assert verdicts(pair.bravo) == verdicts(pair.alpha) == ["yes"]
    assert "challenge-denied" not in pair.bravo.alarms() + pair.alpha.alarms()


@pytest.mark.parametrize(("expired", "verdict"), [(False, "no"), (True, "unknown")])
def test_another_name_of_what_is_gone_is_not_said_unless_it_may_be_empty(
    pair: Pair, expired: bool, verdict: str
) -> None:
    """A forgery under the number of a text that is gone would pass for an old one (docs/protocol.md 25.6)."""
    if expired:
        pair.weather = losing(lambda *_: True)
    pair.alpha.submit("of record", valid_for_ms=10_000)
    pair.run(20_000)
    pair.weather = clear
    pair.run(60_000)
    destroy(pair.alpha, 1)
    pair.bravo.endpoint.context.inboxes[Plane.REAL]._recent[1] = bytes(32)
    pair.bravo.lies = True
    assert ask(pair.bravo, 1).ok
    pair.run(5_000)
    assert verdicts(pair.bravo) == [verdict]


@pytest.mark.parametrize(("text", "language", "alarms"), [("soft", "en", 0), ("hard", "en", 1), ("soft", "ur", 1)])
@pytest.mark.parametrize("together", [True, False])
def test_other_words_on_record_ring_also_in_one_parcel(
    pair: Pair, text: str, language: str, alarms: int, *, together: bool
) -> None:
    """The text that they are held against is not in the store before its commit (docs/protocol.md 22.10 and 3.2)."""
    quiet = statement(pair.alpha, 1, "soft", kind=content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE)
    said = statement(pair.alpha, 2, text, kind=RECORD)
    said.language = language
    said.put_on_record.serial, said.put_on_record.statement = 1, quiet.body_salt
    frames = sealed(pair.alpha.endpoint.context.session, quiet), sealed(pair.alpha.endpoint.context.session, said)
    if together:
        pair.bravo.hear("relay-1", *frames)
    else:
        pair.bravo.hear("relay-1", frames[0])
        pair.bravo.restart()
        pair.bravo.hear("relay-1", frames[1])
    assert pair.bravo.alarms().count("record-differs") == alarms
    assert "nonpaper.recorded" in pair.bravo.kinds()


def test_it_is_put_on_record_once_whatever_is_committed_yet(pair: Pair) -> None:
    """Two officers would say it twice, of record (docs/protocol.md 22.9 and 3.2)."""
    serial = aside(pair.alpha, "between us")
    pair.run(1_000)
    assert record_it(pair.bravo, serial, ours=False).ok
    pair.run(1_000)
    both = [Submit(RequestId(n), Plane.REAL, 0, "", 0, "", "watch", put_on_record=serial) for n in (800, 801)]  # type: ignore[arg-type]
    outputs = [pair.alpha.endpoint.step(event, pair.alpha.now()) for event in both]  # one transaction, not yet durable
    assert [output.replies[0].ok for output in outputs] == [True, False]
    pair.alpha.memory.apply(outputs[0])
    pair.alpha.memory.log.commit(outputs[0].records, pair.alpha.now().wall)
