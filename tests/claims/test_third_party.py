"""Among several parties one lies with its own keys: what it says of or to others harms nobody else (section 26)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hotline.limits import GOSSIP_ITEMS_MAX, RENUMBERED_MAX, SERIAL_MAX
from hotline.machine import Instant, Plane
from hotline.protocol.paths import Path
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import Party, clear, durable, losing
from tests.hotline.protocol.trio import Delegation, Trio

ONE, OTHER = "The fleet stays in port.", "The convoy has left."
ABSURD = range(SERIAL_MAX - GOSSIP_ITEMS_MAX, SERIAL_MAX)


class Four(Trio):
    """DELTA besides."""

    names = ("ALPHA", "BRAVO", "CHARLIE", "DELTA")


def say(liar: Delegation, other: Party, kind: ContentType, content: bytes, plane: Plane = Plane.REAL) -> None:
    """What no officer of the liar's could hand in."""
    liar.lies = True
    member = liar.member(other)
    out = member.begin()
    assert member.context.send_content(plane, kind, content, liar.now(), transient=False, urgent=False)
    for item in out.transmit:
        liar.pair.carry(liar, item.link, item.frame)
    liar.pair.run(500)


def make_up(liar: Delegation, other: Party, about: Party, serials: Sequence[int]) -> None:
    """From now on the liar tells `other` in every beat that it holds these statements of `about`."""
    gossip = liar.member(other)._first.beats.gossip
    assert gossip is not None
    write = gossip.write

    def lying(heartbeat: content_pb2.Heartbeat, path: Path, now: Instant) -> None:
        write(heartbeat, path, now)
        told = next((one for one in heartbeat.gossip if one.terminal == about.number), None)
        told = heartbeat.gossip.add(terminal=about.number) if told is None else told
        del told.heard[:]
        for serial in serials:
            told.heard.add(serial=serial, statement=bytes(32))

    gossip.write = lying  # type: ignore[method-assign]


def statement(kind: content_pb2.StatementKind.ValueType, to: str = "*", **more: object) -> bytes:
    said = content_pb2.Statement(
        serial=1,
        precedence=content_pb2.PRECEDENCE_ROUTINE,
        kind=kind,
        language="en",
        direction=content_pb2.DIRECTION_LTR,
        from_party="ALPHA",
        to_party=to,
        drafter="watch",
        text=ONE,
        body_salt=bytes(31) + b"\x01",
        **more,  # type: ignore[arg-type]
    )
    return encode(said)


def test_what_is_said_in_confidence_to_one_stops_no_terminal() -> None:
    """One capital would end the terminals of two others, and again at each start (docs/protocol.md 26.3)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    content = statement(content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE)
    say(alpha, bravo, ContentType.WITHOUT_PREJUDICE, content)
    assert bravo.refusals() == ["content-type"]
    three.run(11_000)  # BRAVO names all that it holds of ALPHA, and CHARLIE compares
    assert bravo.got(alpha) == {}
    assert bravo.submit(OTHER).ok
    three.run(2_000)
    assert charlie.got(bravo) == {1: OTHER}


def test_a_terminal_that_holds_one_already_goes_on() -> None:
    """A store from before would end its daemon at each start (docs/protocol.md 26.10)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    member = bravo.member(alpha)
    member.context.setup = replace(member.context.setup, everyone=False)
    content = statement(content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE, "BRAVO")
    say(alpha, bravo, ContentType.WITHOUT_PREJUDICE, content)
    assert bravo.memory.of(bravo.scope(alpha)).rows("received")
    bravo.lies = True
    bravo.restart()
    three.run(11_000)
    assert bravo.submit(OTHER).ok
    three.run(2_000)
    assert charlie.got(bravo) == {1: OTHER}


def test_who_may_challenge_nobody_is_answered_by_nobody() -> None:
    """One that asks on and on would have another talk to all, out of its own row of serials (docs/protocol.md 26.3)."""
    three = Trio().open()
    alpha, bravo, _ = three.all
    named = content_pb2.Challenge(ours=True, named=content_pb2.Reference(serial=1, statement=bytes(32)))
    say(
        alpha,
        bravo,
        ContentType.STATEMENT,
        statement(content_pb2.STATEMENT_KIND_CHALLENGE, challenge=named),
        Plane.SERVICE,
    )
    record = content_pb2.Reference(serial=1, statement=bytes(32))
    content = statement(content_pb2.STATEMENT_KIND_PUT_ON_RECORD, put_on_record=record)
    later = content_pb2.Statement.FromString(content)
    later.serial = 2
    say(alpha, bravo, ContentType.STATEMENT, encode(later))
    assert bravo.refusals() == ["kind", "kind"]
    assert bravo.memory.of(bravo.scope(alpha)).rows("sent") == []


def test_what_operators_say_again_after_a_loss_convicts_nobody() -> None:
    """An honest capital that was given back an old disk would be shown as a liar (docs/protocol.md 26.11, 26.15)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    backup = alpha.memory.copy()
    three.part(alpha, charlie)
    assert alpha.submit(ONE, plane=Plane.SERVICE).ok
    three.run(2_000)
    three.part(alpha, bravo)
    alpha.restart(backup)
    three.blocked.discard(frozenset((alpha.number, charlie.number)))
    three.run(6_000)
    assert alpha.submit(OTHER, plane=Plane.SERVICE).ok
    three.run(6_000)
    assert (bravo.got(alpha, Plane.SERVICE), charlie.got(alpha, Plane.SERVICE)) == ({1: ONE}, {1: OTHER})
    row = bravo.memory.of(bravo.scope(alpha)).received_signed(Plane.SERVICE, 1)
    assert row is not None
    receipt = content_pb2.Receipt(
        stage=content_pb2.STAGE_TOLD,
        item=[content_pb2.ReceiptItem(serial=1, statement=row.hash)],
        told=content_pb2.Told(terminal=alpha.number, content=row.content, signature=row.signature),
    )
    say(bravo, charlie, ContentType.RECEIPT, encode(receipt), Plane.SERVICE)
    assert charlie.refusals() == ["stage"]
    assert "said-otherwise" not in charlie.alarms()


def test_who_passes_on_a_lie_is_not_taken_for_the_liar() -> None:
    """One capital would have two others distrust each other's terminals (docs/protocol.md 26.15)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    make_up(bravo, alpha, charlie, ABSURD)
    three.run(6_000)
    told = {key[2] for key in alpha.member(bravo)._first.beats.gossip._claims}  # type: ignore[union-attr]
    assert told == set(ABSURD)
    assert not {"absurd-serial", "restored"} & set(charlie.alarms())
    assert charlie.submit(ONE).fields["serial"] == 1


def test_a_lie_leaves_room_for_what_another_holds() -> None:
    """An honest capital with an old disk would say a serial twice: a liar was louder (docs/protocol.md 26.15)."""
    four = Four().open()
    alpha, bravo, charlie, delta = four.all
    make_up(bravo, alpha, charlie, ABSURD)
    backup = charlie.memory.copy()
    four.part(charlie, alpha)
    four.part(charlie, bravo)
    assert charlie.submit(ONE).ok
    four.run(6_000)
    four.part(charlie, delta)
    charlie.restart(backup)
    four.blocked.discard(frozenset((charlie.number, alpha.number)))
    four.run(6_000)
    assert charlie.submit(OTHER).fields["serial"] == 2
    four.meet()
    four.run(12_000)
    lacking = {1: "", 2: OTHER}
    assert [one.got(charlie) for one in (alpha, bravo, delta)] == [lacking, lacking, {1: ONE, 2: OTHER}]
    assert not [one.name for one in four.all if "said-otherwise" in one.alarms()]


def test_what_expired_for_one_is_not_said_to_it_because_of_another() -> None:
    """Its sender was told that it never arrived, and may have acted upon that (docs/protocol.md 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    backup = bravo.memory.copy()
    three.part(alpha, charlie)
    assert alpha.submit(ONE, valid_for_ms=3_000).ok
    three.run(5_000)
    assert (bravo.got(alpha), alpha.facts(charlie, 1)) == ({1: ONE}, {"expired"})
    pending = alpha.member(bravo).context.outboxes[Plane.REAL].pending
    three.weather = losing(lambda sender, relay, envelope: sender is alpha and durable(envelope))
    bravo.restart(backup)
    while 1 not in pending:  # BRAVO says that it has lost it
        three.run(500)
    conflict = content_pb2.Receipt(
        stage=content_pb2.STAGE_CONFLICT,
        item=[content_pb2.ReceiptItem(serial=1, statement=bytes(32))],
        received_through=1,
    )
    say(bravo, alpha, ContentType.RECEIPT, encode(conflict))  # and that it holds another one
    assert list(pending) == [2]
    three.weather = clear
    three.meet()
    three.run(12_000)
    assert (bravo.got(alpha), charlie.got(alpha)) == ({1: "", 2: ONE}, {1: "", 2: ""})
    assert "expired" in alpha.facts(charlie, 2)
    assert alpha.ledger_and_tables() == []


def test_what_one_has_acknowledged_is_not_said_again_because_of_another() -> None:
    """A liar would have another read the same words again and again, under new serials (docs/protocol.md 26.15)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    make_up(bravo, alpha, alpha, [1])  # CHARLIE is said to hold another one
    three.weather = losing(lambda sender, relay, envelope: sender is bravo and durable(envelope))  # no receipt
    assert alpha.submit(ONE).ok
    three.run(10_000)
    assert "delivered" in alpha.facts(charlie, 1)
    assert list(alpha.member(bravo).context.outboxes[Plane.REAL].pending) == [1]
    assert charlie.got(alpha) == {1: ONE}


def test_one_that_contradicts_every_serial_goes_without_alone() -> None:
    """It would have another read the same words a hundred times a second (docs/protocol.md 26.5)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.weather = losing(lambda sender, relay, envelope: sender is alpha and durable(envelope) and envelope[3] == 2)
    assert alpha.submit(ONE).ok
    three.run(1_000)
    for _ in range(2 * RENUMBERED_MAX):
        serial = max(alpha.member(bravo).context.outboxes[Plane.REAL].pending, default=1)
        item = content_pb2.ReceiptItem(serial=serial, statement=bytes(32))
        conflict = content_pb2.Receipt(stage=content_pb2.STAGE_CONFLICT, item=[item], received_through=serial)
        say(bravo, alpha, ContentType.RECEIPT, encode(conflict))
    last = 1 + RENUMBERED_MAX
    assert charlie.got(alpha) == dict.fromkeys(range(1, last + 1), ONE)
    assert ("expired" in alpha.facts(bravo, last), "expired" in alpha.facts(charlie, last)) == (True, False)
    assert alpha.ledger_and_tables() == []
