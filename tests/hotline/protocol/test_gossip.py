"""Two parties compare what a third one told them: whoever says one thing here and another there is convicted."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hotline.ledger.checkpoint import Checkpoint
from hotline.ledger.note import Ed25519Signer, sign_note
from hotline.machine import Plane
from hotline.protocol.heads import SignedHead
from hotline.protocol.outbox import Pending
from hotline.protocol.statements import statement_name
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import Party
from tests.hotline.protocol.trio import Delegation, Trio

ONE, OTHER = "The fleet stays in port.", "The fleet puts to sea."


def _lie(alpha: Delegation, to: Delegation, plane: Plane = Plane.REAL) -> None:
    """ALPHA has said something to all, and signs another thing under the same serial for one of them."""
    member = alpha.member(to)
    session, outbox = member.context.session, member.context.outboxes[plane]
    (item,) = outbox.pending.values()
    statement = content_pb2.Statement.FromString(item.content)
    statement.text = OTHER
    content = encode(statement)
    signature = session.sign(ContentType.STATEMENT, plane, content).signature
    name = statement_name(plane, session.ends_out, statement, content)
    outbox.remove(item.serial, 0)
    outbox.add(Pending(item.serial, item.precedence, content, signature, name, item.expires_at))
    alpha.lies = True


def _accused(one: Delegation) -> list[tuple[object, ...]]:
    names = ("name", "party", "plane", "serial", "other")
    found = [r.fields for r in one.records if r.kind == "alarm" and r.fields["name"] == "said-otherwise"]
    return [tuple(fields[name] for name in names) for fields in found]


@pytest.mark.parametrize("plane", [Plane.REAL, Plane.EXERCISE])
def test_who_tells_two_parties_different_things_is_convicted_by_both(plane: Plane) -> None:
    """A capital would play two others against each other (docs/protocol.md 26.10, 26.11)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit(ONE, plane=plane).ok
    three.run(50)
    _lie(alpha, charlie, plane)
    three.meet()
    three.run(12_000)
    assert (bravo.got(alpha, plane), charlie.got(alpha, plane)) == ({1: ONE}, {1: OTHER})
    assert _accused(bravo) == [("said-otherwise", "ALPHA", plane.value, 1, "CHARLIE/main")]
    assert _accused(charlie) == [("said-otherwise", "ALPHA", plane.value, 1, "BRAVO/main")]
    assert _accused(alpha) == []
    for one, other, text in ((bravo, charlie, OTHER), (charlie, bravo, ONE)):
        rows = {str(row["name"]): row["value"] for row in one.memory.of(one.scope(alpha)).rows("fact")}
        evidence = content_pb2.Told.FromString(bytes(rows[f"told:{plane}:1"]))  # type: ignore[arg-type]
        assert content_pb2.Statement.FromString(evidence.content).text == text
        assert evidence.terminal == alpha.number
        assert other is not one


def test_it_takes_a_few_heartbeats() -> None:
    """Two capitals would act upon two words before they knew (docs/protocol.md 26.10)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    three.run(50)
    _lie(alpha, charlie)
    three.meet()
    three.run(9_000)
    begin = three.time
    while not charlie.got(alpha):
        three.run(50)
        assert three.time - begin < 20_000
    three.run(2_500)
    assert _accused(bravo)
    assert _accused(charlie)


def test_an_honest_party_is_never_convicted() -> None:
    """Loss and disorder, an expiry for one, a restart, would make an honest capital a liar (docs/protocol.md 26.11)."""
    for seed in range(2):
        three = Trio(seed)
        dice = random.Random(seed)

        def weather(sender: Party, relay: str, envelope: bytes, dice: random.Random = dice) -> list[bytes]:
            del sender, relay
            return [envelope] * dice.choice((0, 0, 1, 1, 2))

        three.weather = weather
        three.open(6_000)
        alpha, bravo, charlie = three.all
        for number in range(1, 4):
            three.part(*dice.sample(three.all, 2))
            for one in three.all:
                one.submit(f"{one.name} says {number}", valid_for_ms=dice.choice((1_500, 60_000)))
            three.run(3_000)
            three.meet()
            three.run(1_000)
            if number == 2:
                bravo.restart()
        three.run(10_000)
        for one in (alpha, bravo, charlie):
            assert not {"said-otherwise", "peer-fork", "peer-old-log"} & set(one.alarms()), (seed, one.name)
            assert "third-party" not in one.refusals()


def test_what_a_third_party_never_signed_convicts_nobody() -> None:
    """A liar would have two honest capitals take each other for liars (docs/protocol.md 26.11)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    assert alpha.submit(ONE).ok
    three.run(2_000)
    row = charlie.memory.of(charlie.scope(alpha)).received_signed(Plane.REAL, 1)
    assert row is not None
    forged = content_pb2.Statement.FromString(row.content)
    forged.text = OTHER
    member = bravo.member(charlie)
    mine = bravo.member(alpha).context.session
    content = encode(forged)
    name = statement_name(Plane.REAL, mine.ends_in, forged, content)
    own = content_pb2.Statement.FromString(row.content)
    cases: list[tuple[str, bytes, bytes, bytes, int]] = [
        ("signature", content, row.signature, name, alpha.number),
        ("signature", content, mine.sign(ContentType.STATEMENT, Plane.REAL, content).signature, name, alpha.number),
        ("third-party", row.content, row.signature, bytes(32), alpha.number),
        ("third-party", row.content, row.signature, row.hash, bravo.number),
        ("third-party", row.content, row.signature, row.hash, 99),
    ]
    assert own.text == ONE
    for word, body, signature, called, terminal in cases:
        receipt = content_pb2.Receipt(
            stage=content_pb2.STAGE_TOLD,
            item=[content_pb2.ReceiptItem(serial=1, statement=called)],
            told=content_pb2.Told(terminal=terminal, content=body, signature=signature),
        )
        before = len(charlie.refusals())
        out = member.begin()
        member.context.send_content(
            Plane.REAL, ContentType.RECEIPT, encode(receipt), bravo.now(), transient=False, urgent=False
        )
        for item in out.transmit:
            three.carry(bravo, item.link, item.frame)
        three.run(500)
        assert charlie.refusals()[before:] == [word], word
    assert _accused(charlie) == []


def _another_ledger(alpha: Delegation, size: int, change: Callable[[bytes], bytes]) -> SignedHead:
    """A head that ALPHA signs for a ledger which it shows to BRAVO alone."""
    root = change(alpha.memory.log.root_at(size))
    origin = f"{alpha.log.base}/1"
    note = sign_note(Checkpoint(origin, size, root).text(), [Ed25519Signer(origin, alpha.ledger_key)])
    return SignedHead(1, size, root, note)


def test_two_ledgers_of_one_party_are_found_by_the_other_two() -> None:
    """A capital would keep one record for each of the others (docs/protocol.md 26.12)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.run(12_000)
    linked = charlie.member(alpha).peer_log.linked
    assert linked is not None
    bravo.member(alpha).peer_log.linked = _another_ledger(alpha, linked.size, lambda root: root[::-1])
    three.part(alpha, bravo)
    three.run(15_000)
    assert "peer-fork" in charlie.alarms()
    held = [r.fields for r in charlie.records if r.kind == "alarm" and r.fields["name"] == "peer-fork"]
    assert {fields["party"] for fields in held} == {"ALPHA"}


@pytest.mark.parametrize("forked", [False, True])
def test_a_larger_ledger_elsewhere_must_be_proven_here(forked: bool) -> None:
    """A capital would show each of the others another record, of sizes that never meet (docs/protocol.md 26.12)."""
    three = Trio().open()
    alpha, _, charlie = three.all
    three.run(12_000)
    charlies = charlie.member(alpha).peer_log
    assert charlies.linked is not None
    assert alpha.submit(ONE).ok
    three.run(200)
    head = alpha.memory.log.head()
    assert head.size > charlies.linked.size
    elsewhere = _another_ledger(alpha, head.size, lambda root: root[::-1] if forked else root)
    alpha.conference.first.own_log.seen = lambda *_: None  # type: ignore[method-assign] - a liar takes no notice
    charlies.shown_to_another(elsewhere.note, "relay-1", charlie.now())
    three.run(25_000)
    assert charlies.linked is not None
    assert ("peer-fork" in charlie.alarms()) is forked
    assert charlies.linked.size >= head.size or forked
