"""Of record and without prejudice (docs/protocol.md section 22)."""

from __future__ import annotations

import pytest

from hotline.errors import Malformed, Untrusted
from hotline.ledger.record import parse_leaf
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol import nonpapers
from hotline.protocol.events import ExportBundle, ImportBundle, Submit
from hotline.protocol.statements import Ends, decode_statement, read_statement
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2

from .pair import CHARTER, FLASH, IMMEDIATE, ROUTINE, Pair, Party, durable, losing
from .test_courier import exported

QUIET = {"without_prejudice": True}
HOUR = 3_600_000
KEPT = 200_000


def forgetful(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Two that have met, and who keep non-papers for minutes instead of a day."""
    monkeypatch.setattr("hotline.protocol.nonpapers.NONPAPER_KEPT", KEPT)
    pair = Pair()
    pair.custody = True
    return pair.open()


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """As `forgetful` makes them."""
    return forgetful(monkeypatch)


def aside(party: Party, text: str, precedence: content_pb2.Precedence.ValueType = ROUTINE) -> int:
    """An officer says it without prejudice; its serial."""
    reply = party.submit(text, precedence, **QUIET)
    assert reply.ok, reply.text
    return int(str(reply.fields["serial"]))


def record_it(party: Party, serial: int, *, ours: bool) -> Reply:
    request = RequestId(len(party.replies) + 1)
    event = Submit(request, Plane.REAL, 0, "", 0, "", "watch", put_on_record=serial, of_peer=not ours)  # type: ignore[arg-type]
    party.step(event)
    return party.replies[request]


def content(party: Party, way: str, serial: int) -> content_pb2.Statement | None:
    """What this side still has of it."""
    history = party.endpoint.context.history
    row = history.sent(Plane.REAL, serial) if way == "sent" else None
    found = history.received(Plane.REAL, serial) if way == "received" else row.content if row else None
    return None if found is None else decode_statement(found)


def test_a_non_paper_goes_the_whole_way_among_statements_of_record(pair: Pair) -> None:
    """Two ways of saying with two orders, gaps and receipts would fail apart (docs/protocol.md 22.1, 22.4)."""
    pair.alpha.submit("of record")
    serial = aside(pair.alpha, "between us", IMMEDIATE)
    pair.alpha.submit("of record again")
    pair.run(1_000)
    assert pair.bravo.shown() == [1, 2, 3]
    modes = {d.fields["serial"]: d.fields["mode"] for d in pair.bravo.told if d.kind == "received"}
    assert modes == {1: "of-record", 2: "without-prejudice", 3: "of-record"}
    assert pair.bravo.read(serial).ok
    pair.run(1_000)
    assert pair.alpha.states(serial) == ["relayed", "delivered", "read"]
    assert {d.fields["mode"] for d in pair.alpha.told if d.kind == "sent" and d.fields["serial"] == serial} == {
        "without-prejudice"
    }
    assert [d.fields["mode"] for d in pair.bravo.told if d.kind == "read"] == ["without-prejudice"]
    said = content(pair.bravo, "received", serial)
    assert said is not None
    assert (said.text, said.kind) == ("between us", content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE)


def test_nothing_of_record_waits_for_a_non_paper(pair: Pair) -> None:
    """A courier brings what is of record: it would lie there until a path lives (docs/protocol.md 22.4 and 12.5)."""
    pair.weather = losing(lambda *_: True)
    aside(pair.alpha, "one between us")
    pair.alpha.submit("of record")
    pair.weather = lambda sender, relay, envelope: [envelope]
    lost = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[1]
    assert lost.is_nonpaper
    bundle = exported(pair.alpha)
    pair.alpha.endpoint.context.outboxes[Plane.REAL].schedule(lost, pair.time + HOUR)
    pair.bravo.step(ImportBundle(RequestId(900), "watch", bundle))
    assert pair.bravo.shown() == [2]
    assert decode_statement(lost.content).previous_in_precedence == 0
    third = aside(pair.alpha, "two between us")
    said = content(pair.alpha, "sent", third)
    assert said is not None
    assert said.previous_in_precedence == 1


@pytest.mark.parametrize("plane", list(Plane))
def test_the_mac_holds_for_one_direction_plane_and_charter(plane: Plane) -> None:
    """What was overheard in an exercise would be said in earnest (docs/protocol.md 22.2)."""
    pairwise, ends = bytes(range(32)), Ends(CHARTER, 1, 2)
    made = nonpapers.authenticate(pairwise, plane, ends, b"words")
    nonpapers.check(pairwise, made, plane, ends)
    other = Plane.EXERCISE if plane is Plane.REAL else Plane.REAL
    for secret, inner, where, who in (
        (bytes(32), made, plane, ends),
        (pairwise, made, other, ends),
        (pairwise, made, plane, Ends(CHARTER, 2, 1)),
        (pairwise, made, plane, Ends(CHARTER, 1, 3)),
        (pairwise, made, plane, Ends(bytes(32), 1, 2)),
        (pairwise, made._replace(content=b"word"), plane, ends),
        (pairwise, made._replace(signature=made.signature[:63] + b"\0"), plane, ends),
    ):
        with pytest.raises(Untrusted, match="signature"):
            nonpapers.check(secret, inner, where, who)


def statement(**changes: object) -> content_pb2.Statement:
    fields: dict[str, object] = {
        "serial": 9,
        "precedence": ROUTINE,
        "kind": content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE,
        "language": "en",
        "direction": content_pb2.DIRECTION_LTR,
        "from_party": "ALPHA",
        "to_party": "BRAVO",
        "drafter": "watch",
        "text": "between us",
        "body_salt": bytes(32),
    }
    return content_pb2.Statement(**{**fields, **changes})  # type: ignore[arg-type]


def reference(serial: int = 5, size: int = 32) -> content_pb2.Reference:
    return content_pb2.Reference(serial=serial, statement=bytes(size))


RECORD = content_pb2.STATEMENT_KIND_PUT_ON_RECORD
TEXT = content_pb2.STATEMENT_KIND_TEXT


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("kind", {"checkpoint": b"a head"}),
        ("kind", {"precedence": FLASH}),
        ("reference", {"corrects": reference()}),
        ("reference", {"put_on_record": reference(0)}),
        ("reference", {"put_on_record": reference(9)}),
        ("reference", {"put_on_record": reference(5, 31)}),
        ("reference", {"of_recipient": True}),
        ("reference", {"kind": TEXT, "put_on_record": reference()}),
        ("reference", {"kind": RECORD}),
        ("reference", {"kind": RECORD, "put_on_record": reference(), "of_recipient": True}),
        ("text", {"text": " "}),
    ],
)
def test_a_non_paper_holds_nothing_that_it_may_not(word: str, changes: dict[str, object]) -> None:
    """Somebody's signature, or a head, would come along in it (docs/protocol.md 22.4 and 22.9)."""
    with pytest.raises(Malformed, match=word):
        decode_statement(encode(statement(**changes)))
    decode_statement(encode(statement(put_on_record=reference(12), of_recipient=True, in_reply_to=reference())))
    decode_statement(encode(statement(kind=RECORD, put_on_record=reference())))


@pytest.mark.parametrize(
    ("kind", "said"), [(ContentType.STATEMENT, statement()), (ContentType.WITHOUT_PREJUDICE, statement(kind=TEXT))]
)
def test_what_is_without_prejudice_is_never_signed(kind: ContentType, said: content_pb2.Statement) -> None:
    """A sender that signs one hands the peer what it must not have (docs/protocol.md 22.3)."""
    with pytest.raises(Malformed, match="content-type"):
        read_statement(encode(said), Plane.REAL, "ALPHA", "BRAVO", kind)


def test_a_signed_non_paper_is_refused_on_the_line(pair: Pair) -> None:
    """The check would stand where no envelope comes by (docs/protocol.md 22.3)."""
    session = pair.alpha.endpoint.context.session
    data = encode(statement(serial=1))
    inner = session.sign(ContentType.STATEMENT, Plane.REAL, data)
    pair.carry(pair.alpha, "relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    pair.run(100)
    assert pair.bravo.refusals() == ["content-type"]
    forged = Inner(ContentType.WITHOUT_PREJUDICE, data, bytes(64))
    pair.carry(pair.alpha, "relay-1", envelope_frame(session.seal(Plane.REAL, forged, transient=False)))
    pair.run(100)
    assert pair.bravo.refusals() == ["content-type", "signature"]
    assert pair.bravo.shown() == []


def test_the_ledger_tells_length_and_time_and_no_more(pair: Pair) -> None:
    """A commitment is a signature that is opened later (docs/protocol.md 22.5)."""
    serial = aside(pair.alpha, "between us " * 30)
    pair.run(1_000)
    pair.bravo.read(serial)
    pair.run(1_000)
    for party, kinds in (
        (pair.alpha, ["nonpaper.submit", "nonpaper.sent", "nonpaper.custody"]),
        (pair.bravo, ["nonpaper.recv"]),
    ):
        told = [record for record in party.records if record.kind.startswith("nonpaper.")]
        assert [record.kind for record in told][: len(kinds)] == kinds
        assert all(not record.private for record in told)
        assert {name for record in told for name in record.fields} <= {
            "plane", "serial", "serials", "size", "shown", "path", "paths", "relay",
        }  # fmt: skip
        assert [record.fields["size"] for record in told if "size" in record.fields] == [512]
        assert not any(
            parse_leaf(leaf).type in ("msg.submit", "msg.recv", "msg.sent", "msg.custody")
            for leaf in party.memory.log.leaves
        )
        assert party.memory.rows("custody") == []
        table = "sent" if party is pair.alpha else "received"
        (row,) = party.memory.rows(table)
        assert row["signature"] == b""


def test_custody_that_names_a_non_paper_is_not_kept(pair: Pair) -> None:
    """What a relay signed of its envelope would bind us to what the peer can open (docs/protocol.md 22.5)."""
    pair.custody = False
    of_record, quiet = (
        int(str(pair.alpha.submit(text, **more).fields["serial"])) for text, more in (("a", {}), ("b", QUIET))
    )
    names = [pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[one].name for one in (of_record, quiet)]
    pair.alpha.hear("relay-1", pair.custody_frame("relay-1", 1, names))
    assert pair.alpha.memory.rows("custody") == []
    assert [dict(r.fields) for r in pair.alpha.records if r.kind == "msg.custody"] == [
        {"plane": "real", "relay": "relay-1", "serials": "1"}
    ]
    assert pair.alpha.states(of_record) == pair.alpha.states(quiet) == ["relayed"]
    pair.alpha.hear("relay-2", pair.custody_frame("relay-2", 1, names[:1]))
    assert len(pair.alpha.memory.rows("custody")) == 1


def test_no_bundle_carries_one(pair: Pair) -> None:
    """The courier's bundle is signed, and so would be all that is in it (docs/protocol.md 22.6)."""
    pair.cut()
    aside(pair.alpha, "between us")
    pair.alpha.submit("of record")
    request = RequestId(len(pair.alpha.replies) + 1)
    pair.alpha.step(ExportBundle(request, "watch"))
    assert pair.alpha.replies[request].fields["statements"] == 1
    # One that carries it all the same.
    context = pair.alpha.endpoint.context
    context.outboxes[Plane.REAL].pending[1].is_nonpaper = False
    item = context.outboxes[Plane.REAL].pending[1]
    item.signature = context.session.sign(ContentType.WITHOUT_PREJUDICE, Plane.REAL, item.content).signature
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hotline.protocol.courier.Inner", _as_nonpaper)
        bundle = exported(pair.alpha)
    item.is_nonpaper = True
    pair.bravo.step(ImportBundle(RequestId(901), "watch", bundle))
    assert pair.bravo.refusals() == ["content-type"]
    pair.join()
    pair.run(5_000)
    assert sorted(pair.bravo.shown()) == [1, 2]


def _as_nonpaper(kind: ContentType, data: bytes, signature: bytes) -> Inner:
    said = content_pb2.Statement.FromString(data)
    quiet = said.kind == content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE
    return Inner(ContentType.WITHOUT_PREJUDICE if quiet else kind, data, signature)


def test_its_text_is_gone_a_day_after_it_was_read(pair: Pair) -> None:
    """A diary of what was never said would grow for ever (docs/protocol.md 22.7)."""
    serial = aside(pair.alpha, "between us")
    pair.run(1_000)
    for party, table in ((pair.alpha, "sent"), (pair.bravo, "received")):
        (row,) = party.memory.rows(table)
        assert isinstance(row["content"], bytes)
        assert b"between us" not in row["content"]
    pair.bravo.restart()
    pair.alpha.restart()
    pair.run(3_000)
    assert pair.bravo.read(serial).ok
    pair.run(1_000)
    pair.alpha.offset = pair.bravo.offset = 0
    pair.run(KEPT // 2)
    pair.bravo.restart()
    pair.run(KEPT // 2 - 5_000)
    assert content(pair.alpha, "sent", serial) is not None
    assert content(pair.bravo, "received", serial) is not None
    pair.run(10_000)
    for party, way in ((pair.alpha, "sent"), (pair.bravo, "received")):
        assert content(party, way, serial) is None
        assert party.memory.rows("nonpaper") == []
        assert [dict(r.fields) for r in party.records if r.kind == "nonpaper.destroyed"] == [
            {"way": way, "plane": "real", "serial": serial}
        ]
    assert "no text" in record_it(pair.bravo, serial, ours=False).text


def test_a_clock_that_was_set_back_keeps_none_for_ever(pair: Pair) -> None:
    """A wrong date would decide how long a text rests (docs/protocol.md 22.7)."""
    serial = aside(pair.alpha, "between us")
    pair.run(1_000)
    pair.bravo.read(serial)
    pair.bravo.offset = -30 * KEPT
    pair.bravo.restart()
    pair.run(KEPT - 10_000)
    assert content(pair.bravo, "received", serial) is not None
    pair.run(20_000)
    assert content(pair.bravo, "received", serial) is None


def test_one_that_expires_is_kept_for_a_day_and_closes_its_gap(pair: Pair) -> None:
    """Its serial would hold up the order, or its text would stay (docs/protocol.md 22.4 and 22.7)."""
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    reply = pair.alpha.submit("between us", valid_for_ms=60_000, **QUIET)
    serial = int(str(reply.fields["serial"]))
    pair.run(70_000)
    assert pair.alpha.states(serial)[-1] == "expired"
    pair.weather = lambda sender, relay, envelope: [envelope]
    pair.run(120_000)
    assert pair.bravo.shown() == [-serial]
    assert content(pair.alpha, "sent", serial) is not None
    pair.run(KEPT)
    assert content(pair.alpha, "sent", serial) is None


def test_no_more_are_kept_than_may_be(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that nobody reads would fill memory and disk (docs/protocol.md 22.7)."""
    monkeypatch.setattr("hotline.protocol.nonpapers.NONPAPERS_KEPT_MAX", 2)
    first, second = aside(pair.alpha, "one"), aside(pair.alpha, "two")
    pair.run(1_000)
    full = pair.alpha.submit("three", **QUIET)
    assert (full.ok, full.code) == (False, "full")
    assert pair.alpha.submit("of record").ok
    pair.bravo.read(second)
    pair.run(1_000)
    third = aside(pair.alpha, "three")
    pair.run(1_000)
    assert [content(pair.bravo, "received", n) is not None for n in (first, second, third)] == [True, False, True]
    pair.alpha.endpoint.context.nonpapers.has_room = lambda way: True  # type: ignore[method-assign]
    fourth = aside(pair.alpha, "four")
    pair.run(1_000)
    assert pair.bravo.refusals()[-1] == "inbox-full"
    assert fourth not in pair.bravo.shown()
    pair.bravo.read(first)
    pair.run(60_000)
    assert fourth in pair.bravo.shown()


def test_what_cannot_be_said_so_is_refused_in_a_sentence(pair: Pair) -> None:
    """An officer would believe that it went (docs/protocol.md 22.4)."""
    serial = aside(pair.alpha, "between us")
    of_record = pair.alpha.submit("of record").fields["serial"]
    for text, more in (
        ("FLASH", {"precedence": FLASH, **QUIET}),
        ("of record", {"corrects": of_record, **QUIET}),
        ("of record", {"phrase": "B02", "book": bytes(32), **QUIET}),
        ("nothing was queued", {"plane": Plane.SERVICE, **QUIET}),
        ("without prejudice", {"corrects": serial}),
        ("without prejudice", {"corrects": serial, "retracts": True}),
    ):
        reply = pair.alpha.submit("no", **more)  # type: ignore[arg-type]
        assert not reply.ok
        assert text in reply.text


def test_both_sides_put_it_on_record(pair: Pair) -> None:
    """Either side alone would decide what was said of record (docs/protocol.md 22.9 and 22.10)."""
    serial = aside(pair.alpha, "we could live with Thursday", IMMEDIATE)
    pair.run(1_000)
    first = record_it(pair.alpha, serial, ours=True)
    pair.run(1_000)
    assert not any(record.kind in ("msg.submit", "nonpaper.asked") for record in pair.alpha.records)
    asked = record_it(pair.bravo, serial, ours=False)
    assert first.ok
    assert asked.ok
    pair.run(1_000)
    assert [d.fields["serial"] for d in pair.alpha.told if d.kind == "record-asked"] == [serial]
    wish = content(pair.alpha, "received", 1)
    assert wish is not None
    assert f"BRAVO wants #{serial} of ALPHA" in wish.text
    made = record_it(pair.alpha, serial, ours=True)
    pair.run(1_000)
    again = pair.bravo.memory.tables["received"]["real", made.fields["serial"]]["content"]
    assert isinstance(again, bytes)
    said = content_pb2.Statement.FromString(again)
    assert (said.kind, said.text, said.precedence) == (RECORD, "we could live with Thursday", IMMEDIATE)
    assert (said.put_on_record.serial, bool(said.checkpoint)) == (serial, True)
    for party, way in ((pair.alpha, "sent"), (pair.bravo, "received")):
        assert [dict(d.fields) for d in party.told if d.kind == "recorded"] == [
            {"way": way, "plane": "real", "serial": serial, "by": made.fields["serial"]}
        ]
    assert "already" in record_it(pair.alpha, serial, ours=True).text
    assert pair.bravo.alarms() == []
    assert "was not said without prejudice" in record_it(pair.alpha, int(str(made.fields["serial"])), ours=True).text
    assert "no text" in record_it(pair.bravo, 77, ours=False).text


def test_another_text_under_the_same_flag_is_an_alarm(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read as agreed would be another text (docs/protocol.md 22.10)."""
    serial = aside(pair.alpha, "we could live with Thursday")
    pair.run(1_000)
    row = pair.alpha.endpoint.context.history.sent(Plane.REAL, serial)
    assert row is not None
    for name, expected in ((bytes(32), []), (row.hash, ["record-differs"])):
        said = content_pb2.Statement(
            kind=RECORD,
            precedence=ROUTINE,
            language="en",
            direction=content_pb2.DIRECTION_LTR,
            drafter="watch",
            text="we demand Thursday",
            valid_for_ms=HOUR,
            put_on_record=content_pb2.Reference(serial=serial, statement=name),
        )
        monkeypatch.setattr("hotline.protocol.modes.on_record", lambda *_, said=said: said)
        assert record_it(pair.alpha, serial, ours=True).ok
        pair.run(1_000)
        assert pair.bravo.alarms() == expected


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("other", "rings"),
    [({}, False), ({"text": "we demand it"}, True), ({"language": "fr"}, True), ({"precedence": 2}, True)],
)
def test_whatever_is_another_than_what_was_said_is_told(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, other: dict[str, object], rings: bool, restarts: bool
) -> None:
    """What was said aside as ROUTINE would be of record as a demand for today (docs/protocol.md 22.10)."""
    serial = aside(pair.alpha, "we could live with Thursday")
    pair.run(1_000)
    if restarts:
        pair.bravo.restart()
    row = pair.alpha.endpoint.context.history.sent(Plane.REAL, serial)
    assert row is not None
    said = content_pb2.Statement.FromString(row.content)
    again = content_pb2.Statement(
        kind=RECORD, precedence=said.precedence, language=said.language, direction=said.direction, text=said.text,
        drafter="watch", valid_for_ms=HOUR,
        put_on_record=content_pb2.Reference(serial=serial, statement=row.hash),
    )  # fmt: skip
    for name, value in other.items():
        setattr(again, name, value)
    monkeypatch.setattr("hotline.protocol.modes.on_record", lambda *_: again)
    assert record_it(pair.alpha, serial, ours=True).ok
    pair.run(1_000)
    assert pair.bravo.alarms().count("record-differs") == rings


def test_a_wish_for_what_was_not_said_is_no_leave_to_put_anything_on_record(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that was restored would be asked for one text and put another on record (docs/protocol.md 22.9)."""
    serial = aside(pair.alpha, "we could live with Thursday")
    pair.run(1_000)
    wish = statement(text="BRAVO wants it on record.", valid_for_ms=HOUR, of_recipient=True)
    wish.put_on_record.CopyFrom(content_pb2.Reference(serial=serial, statement=bytes(32)))
    with monkeypatch.context() as lies:
        lies.setattr("hotline.protocol.modes.on_record", lambda *_: wish)
        assert record_it(pair.bravo, serial, ours=False).ok
        pair.run(1_000)
    assert content(pair.alpha, "received", 1) is not None
    assert "record-asked" not in [told.kind for told in pair.alpha.told]


def test_a_non_paper_survives_the_loss_of_state_of_either_side(pair: Pair) -> None:
    """What was said would be said twice, or be lost with its key (docs/protocol.md 22.4 and 12.6)."""
    backup = pair.alpha.memory.copy()
    aside(pair.alpha, "before")
    pair.run(1_000)
    pair.alpha.restart(backup)
    serial = aside(pair.alpha, "after")
    assert serial == 1
    pair.run(20_000)
    texts = [content(pair.bravo, "received", int(str(n))) for n in pair.bravo.shown()]
    assert [one.text for one in texts if one is not None] == ["before", "after"]
    moved = [record for record in pair.alpha.records if record.kind == "nonpaper.renumbered"]
    assert [dict(record.fields) for record in moved] == [{"plane": "real", "serial": 1, "new": 2, "size": 256}]
    held = pair.bravo.memory.copy()
    later = aside(pair.alpha, "later")
    pair.run(1_000)
    pair.bravo.restart(held)
    pair.run(20_000)
    again = content(pair.bravo, "received", later)
    assert again is not None
    assert again.text == "later"
