"""Two parties compare what a third one told them: whoever says one thing here and another there is convicted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable

import pytest

from hotline.ledger.checkpoint import Checkpoint
from hotline.ledger.conviction import Exhibit, Kind, convict
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, sign_note
from hotline.ledger.policy import Policy
from hotline.limits import GOSSIP_CLAIMS_MAX, GOSSIP_CONTENT_MAX, GOSSIP_ITEMS_MAX, GOSSIP_SHOWN_AGAIN
from hotline.machine import Instant, Plane
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.gossip import Gossip
from hotline.protocol.heads import SignedHead
from hotline.protocol.inbox import Ahead, Inbox
from hotline.protocol.outbox import Pending
from hotline.protocol.statements import statement_name
from hotline.protocol.tables import SentRow
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.liars import sealed, statement
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


def _until(three: Trio, done: Callable[[], bool], within: int = 60_000) -> None:
    end = three.time + within
    while not done():
        assert three.time < end
        three.run(500)


@pytest.mark.parametrize("plane", [Plane.REAL, Plane.EXERCISE])
def test_who_tells_two_parties_different_things_is_convicted_by_both(plane: Plane) -> None:
    """A capital would play two others against each other (docs/protocol.md 26.8, 26.10, 26.11)."""
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
    for one in (bravo, charlie):  # the next watch at that window hears of it
        assert json.loads(one.member(alpha).handovers.listed())["alarms"]["said-otherwise"] == 1
    for one, other, text in ((bravo, charlie, OTHER), (charlie, bravo, ONE)):
        (row,) = one.memory.of(one.scope(alpha)).rows("told")
        assert (row["plane"], row["serial"]) == (plane.value, 1)
        evidence = content_pb2.Told.FromString(row["content"])  # type: ignore[arg-type]
        assert content_pb2.Statement.FromString(evidence.content).text == text
        assert evidence.terminal == alpha.number
        assert not [row for row in one.memory.of(one.scope(alpha)).rows("fact") if text.encode() in bytes(row["value"])]  # type: ignore[arg-type]
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
        ("stage", row.content, row.signature, row.hash, alpha.number),
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
        plane = Plane.SERVICE if word == "stage" else Plane.REAL
        member.context.send_content(
            plane, ContentType.RECEIPT, encode(receipt), bravo.now(), transient=False, urgent=False
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


@pytest.mark.parametrize("forked", [False, True])
def test_no_proof_passes_over_a_ledger_elsewhere(forked: bool) -> None:
    """What was under way as one party was shown another record would lead past that, and nobody would look at it again
    (docs/protocol.md 26.12)."""
    three = Trio().open()
    alpha, _, charlie = three.all
    three.run(12_000)
    charlies, log = charlie.member(alpha).peer_log, alpha.memory.log
    linked = charlies.linked
    assert linked is not None
    assert alpha.submit(ONE).ok
    elsewhere = _another_ledger(alpha, log.head().size, lambda root: root[::-1] if forked else root)
    assert alpha.submit(OTHER).ok
    own = alpha.conference.first.own_log
    own.seen = lambda *_: None  # type: ignore[method-assign] - a liar takes no notice
    charlies.shown_to_another(elsewhere.note, "relay-1", charlie.now())
    head = log.head()
    past = content_pb2.LogExchange(checkpoint=head.note, proof_from=linked.size)
    past.proof.extend(log.consistency(linked.size, head.size))
    charlie.member(alpha).begin()
    charlies.heard(past, charlie.now())
    assert charlies.linked == linked
    charlies.shown_to_another(head.note, "relay-1", charlie.now())
    assert charlies._elsewhere == elsewhere, "else each new one would make the proofs under way worthless"
    three.run(25_000)
    assert ("peer-fork" in charlie.alarms()) is forked
    assert charlies.linked.size >= head.size or forked


def test_a_head_elsewhere_holds_no_link_up() -> None:
    """Cosignatures of the others would lag a whole exchange behind, which is twenty minutes on a slow line
    (docs/protocol.md 26.12)."""
    three = Trio().open()
    for number in range(8):
        for one in three.all:
            assert one.submit(f"number {number}").ok
        three.run(10_000)
        for one in three.all:
            own = one.conference.first.own_log
            offered = own.round_head()
            assert offered is not None
            assert {own.known_to(other.log.base).cosigned for other in one.others} == {offered.size}


@pytest.mark.parametrize("early", [True, False], ids=["before it is told", "once it hears somebody"])
def test_a_restored_party_learns_from_one_what_it_has_said_to_another(early: bool) -> None:
    """An honest capital that was given back an old disk would be convicted like a liar (docs/protocol.md 26.15)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    backup = alpha.memory.copy()
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    assert alpha.submit(ONE, plane=Plane.EXERCISE).ok
    three.run(2_000)
    three.meet()
    three.part(alpha, bravo)
    alpha.restart(backup)
    if not early:
        three.run(4_000)
    assert alpha.submit(OTHER).ok
    assert alpha.submit(OTHER, plane=Plane.EXERCISE).ok
    three.run(15_000)
    for plane in (Plane.REAL, Plane.EXERCISE):
        assert (bravo.got(alpha, plane), charlie.got(alpha, plane)) == ({1: ONE}, {1: "", 2: OTHER})
    three.meet()
    three.run(20_000)
    for plane in (Plane.REAL, Plane.EXERCISE):
        assert (bravo.got(alpha, plane), charlie.got(alpha, plane)) == ({1: ONE, 2: OTHER}, {1: "", 2: OTHER})
        assert set(charlie.member(alpha).context.unread[plane]) == ({1, 2} if early else {2}), "a gap says nothing"
    assert _accused(bravo) == _accused(charlie) == []
    assert ("restored" in alpha.alarms()) is not early  # else the officer is told of another number


def test_what_one_has_signed_for_takes_no_other_serial_on_hearsay() -> None:
    """A liar would have a statement go on under another number than the one it was delivered under (26.15)."""
    # docs/protocol.md 26.15
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    three.run(2_000)
    assert bravo.got(alpha) == {1: ONE}
    heard = [content_pb2.ReceiptItem(serial=1, statement=bytes(32))]
    line, session = alpha.member(charlie).context, charlie.member(alpha).context.session
    beat = content_pb2.Heartbeat(
        beat=7, path=1, echo=line.paths["relay-1"]._beat, presence=content_pb2.PRESENCE_ALIVE,
        gossip=[content_pb2.Gossip(terminal=alpha.number, heard=heard)],
    )  # fmt: skip
    inner = session.sign(ContentType.HEARTBEAT, Plane.REAL, encode(beat))
    alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=True)))
    assert alpha.refusals() == []
    assert set(line.outboxes[Plane.REAL].pending) == {1}
    assert "renumbered" not in alpha.facts(charlie, 1)


def test_nothing_without_prejudice_is_taken_from_one_of_several() -> None:
    """Each of the others would hold another text, and could prove none of them (docs/protocol.md 26.3)."""
    three = Trio().open()
    alpha, bravo, _ = three.all
    quiet = content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE
    said = statement(alpha, 1, "between us", kind=quiet, to_party="*")
    three.part(alpha, bravo)
    bravo.hear("relay-1", sealed(alpha.member(bravo).context.session, said))
    assert bravo.refusals() == ["content-type"]
    assert bravo.got(alpha) == {}


def test_an_empty_statement_that_closes_a_gap_is_left_under_way() -> None:
    """The gap of what was lost would stay, and hold up whoever was not told of it (docs/protocol.md 26.15)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    backup = alpha.memory.copy()
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    three.run(2_000)
    three.meet()
    three.part(alpha, bravo)

    def beats_alone(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        del relay
        return [envelope] if sender is not alpha or envelope[1] & 0x02 else []

    three.weather = beats_alone
    alpha.restart(backup)
    _until(three, lambda: "restored" in alpha.alarms())
    assert alpha.submit(OTHER).ok
    for _ in range(20):
        three.run(200)
        pending = alpha.member(charlie).context.outboxes[Plane.REAL].pending
        assert {serial: item.is_void for serial, item in pending.items()} in ({1: True, 2: False}, {2: False})
    assert set(pending) == {1, 2}
    three.weather = lambda sender, relay, envelope: [envelope]
    three.run(12_000)
    assert charlie.got(alpha) == {1: "", 2: OTHER}


def test_what_expired_for_another_is_offered_again_under_its_serial() -> None:
    """Who was given back an old disk would get a statement under two serials (docs/protocol.md 26.15)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    backup = charlie.memory.copy()
    three.part(alpha, bravo)
    assert alpha.submit(ONE, valid_for_ms=3_000).ok
    three.run(5_000)
    three.meet()
    _until(three, lambda: bravo.got(alpha) == {1: ""})

    def beats_alone(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        del relay
        kept = sender is alpha and envelope[2:4] == charlie.number.to_bytes(2, "big") and not envelope[1] & 0x02
        return [] if kept else [envelope]

    three.weather = beats_alone
    charlie.restart(backup)
    _until(three, lambda: 1 in alpha.member(charlie).context.outboxes[Plane.REAL].pending)
    assert alpha.submit(OTHER).ok
    three.run(5_000)
    three.weather = lambda sender, relay, envelope: [envelope]
    three.run(12_000)
    assert (bravo.got(alpha), charlie.got(alpha)) == ({1: "", 2: OTHER}, {1: ONE, 2: OTHER})
    assert not [told for told in alpha.told if told.kind == "renumbered"]


def test_what_every_beat_lost_is_compared_in_its_turn() -> None:
    """A relay that kept back three heartbeats would have kept a lie from both for ever (docs/protocol.md 26.10)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    three.run(50)
    _lie(alpha, charlie)
    three.meet()
    three.part(bravo, charlie)
    _until(three, lambda: bool(charlie.got(alpha)))
    for number in range(GOSSIP_ITEMS_MAX + 1):
        assert alpha.submit(f"word {number}").ok
    three.run(4_000)
    assert not _accused(bravo) + _accused(charlie)
    assert (bravo.got(alpha)[1], charlie.got(alpha)[1]) == (ONE, OTHER)
    three.meet()
    _until(three, lambda: bool(_accused(bravo) and _accused(charlie)))
    assert len(_accused(bravo)) == len(_accused(charlie)) == 1


def test_what_is_shown_of_a_third_party_is_shown_again_until_it_has_come() -> None:
    """The one whose line loses a receipt would be the only one that does not know (docs/protocol.md 26.11)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    three.run(50)
    _lie(alpha, charlie)
    deaf = [bravo.member(charlie)._first.beats.gossip, charlie.member(bravo)._first.beats.gossip]
    for gossip in deaf:
        assert gossip is not None
        gossip.told = lambda *_: None  # type: ignore[method-assign] - the receipt is lost
    three.meet()
    three.run(12_000)
    assert not _accused(bravo) + _accused(charlie)
    assert all(times <= 2 for gossip in deaf if gossip is not None for times, _ in gossip._shown.values())
    for gossip in deaf:
        del gossip.told  # type: ignore[union-attr]
    _until(three, lambda: bool(_accused(bravo) and _accused(charlie)))
    assert len(_accused(bravo)) == len(_accused(charlie)) == 1
    shown = [gossip._shown for gossip in deaf if gossip is not None]
    assert all(set(one) == {(alpha.number, Plane.REAL, 1)} for one in shown)
    assert max(times for one in shown for times, _ in one.values()) <= 4, "a liar would fill the line of two others"


def test_two_heads_that_convict_are_shown_to_whoever_knows_only_one_ledger() -> None:
    """Of two who were shown two ledgers one would never know (docs/protocol.md 26.12)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.run(12_000)
    linked = charlie.member(alpha).peer_log.linked
    assert linked is not None
    forged = _another_ledger(alpha, linked.size, lambda root: root[::-1])
    three.part(alpha, charlie)
    assert alpha.submit(ONE).ok
    three.run(25_000)
    bravos = bravo.member(alpha).peer_log
    bravos._known.clear()  # it is long since BRAVO was shown that size
    assert bravos.linked is not None
    assert bravos.linked.size > linked.size
    assert "peer-fork" not in bravo.alarms()
    three.part(alpha, bravo)
    charlie.member(alpha).peer_log.shown_to_another(forged.note, "relay-1", charlie.now())
    _until(three, lambda: "peer-fork" in bravo.alarms())
    (found,) = [r.fields for r in bravo.records if r.kind == "alarm" and r.fields["name"] == "peer-fork"]
    policy = Policy((Ed25519Verifier(f"{alpha.log.base}/1", alpha.log.key),), (), (), "")
    convicted = convict(*(Exhibit(str(found[name]).encode()) for name in ("held", "note")), policy)
    assert convicted is not None
    assert convicted.kind is Kind.FORK_SIZE


def _told_to_charlie(three: Trio) -> tuple[Gossip, Endpoint]:
    """What BRAVO tells CHARLIE of others, and what BRAVO has with ALPHA."""
    gossip = three.bravo.member(three.charlie)._first.beats.gossip
    assert gossip is not None
    return gossip, three.bravo.member(three.alpha)


def _shown(gossip: Gossip, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What it shows from now on; no statement counts as empty."""
    sent: list[bytes] = []
    gossip._ctx.send_content = lambda plane, kind, content, *_, **__: sent.append(content) or True  # type: ignore[method-assign, func-returns-value]
    monkeypatch.setattr("hotline.protocol.gossip._is_empty", lambda row: False)
    return sent


def test_what_has_come_is_named_three_times_and_then_in_its_turn() -> None:
    """Each heartbeat would name everything, or what three beats lost never be compared (docs/protocol.md 26.10)."""
    three = Trio().open()
    gossip, third = _told_to_charlie(three)
    inbox = third.context.inboxes[Plane.REAL] = Inbox(20, lambda serial: bytes([serial]) * 32)
    inbox.ahead = {serial: Ahead(1, 0, bytes([serial]) * 32, shown=False) for serial in (23, 25)}
    newest = [*range(15, 21), 23, 25]

    def named(how: str) -> list[int]:
        items = list(getattr(gossip, how)(three.alpha.number, third, Plane.REAL))
        assert [item.statement for item in items] == [bytes([item.serial]) * 32 for item in items]
        return [item.serial for item in items]

    assert [named("_newest") for _ in range(5)] == [newest] * 3 + [[]] * 2
    inbox.ahead[22] = Ahead(1, 0, bytes([22]) * 32, shown=False)
    assert [named("_newest") for _ in range(4)] == [[*range(16, 21), 22, 23, 25]] * 3 + [[]]
    said = content_pb2.Statement(serial=1, precedence=1, kind=1, direction=1, language="en", text="x", drafter="w",
                                 from_party="ALPHA", to_party="*", body_salt=bytes(32))  # fmt: skip
    empty = content_pb2.Statement(serial=1, precedence=1, kind=2, direction=1, from_party="ALPHA", to_party="*",
                                  body_salt=bytes(32))  # fmt: skip
    third.context.history.received_signed = lambda plane, serial: (  # type: ignore[method-assign]
        None if serial == 7 else SentRow(encode(empty if serial == 3 else said), b"s", bytes([serial]) * 32)
    )
    turns = [named("_in_turn") for _ in range(4)]
    assert turns == [[*range(13, 21)], [5, 6, 8, 9, 10, 11, 12], [1, 2, 4], [*range(13, 21)]]


def test_what_is_shown_is_shown_again_ever_more_rarely_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A liar would fill the line between two others (docs/protocol.md 26.11)."""
    three = Trio().open()
    three.bravo.lies = True
    gossip, third = _told_to_charlie(three)
    sent = _shown(gossip, monkeypatch)
    content = bytes(GOSSIP_CONTENT_MAX)
    third.context.history.received_signed = lambda plane, serial: (  # type: ignore[method-assign]
        None if serial == 9 else SentRow(content + b"x" * (serial == 8), b"s", bytes(32))
    )

    def shown(serial: int, mono: int) -> tuple[bool, int]:
        before = len(sent)
        known = gossip._show((three.alpha.number, Plane.REAL, serial), Instant(mono, 0))
        return known, len(sent) - before

    assert shown(9, 0) == (False, 0), "it is being committed"
    assert shown(8, 0) == (True, 0), "longer than what is shown"
    at, gaps = 0, [GOSSIP_SHOWN_AGAIN << times for times in (0, 1, 2, 3)]
    assert shown(1, at) == (True, 1)
    for gap in gaps:
        assert shown(1, at + gap - 1) == (True, 0)
        assert shown(1, at + gap) == (True, 1)
        at += gap
    receipt = content_pb2.Receipt.FromString(sent[0])
    assert (receipt.stage, receipt.told.terminal, receipt.told.signature) == (content_pb2.STAGE_TOLD, 1, b"s")
    for serial in range(10, 10 + GOSSIP_CLAIMS_MAX):
        at += GOSSIP_SHOWN_AGAIN
        assert shown(serial, at) == (True, 1)
    assert [key[2] for key in gossip._shown] == [*range(10, 10 + GOSSIP_CLAIMS_MAX)], "the oldest went"


def _names(three: Trio, serials: Iterable[int]) -> content_pb2.Heartbeat:
    """A beat that names what nobody has said under these serials of ALPHA's."""
    beat = content_pb2.Heartbeat()
    one = beat.gossip.add(terminal=three.alpha.number)
    for serial in serials:
        one.heard.add(serial=serial, statement=b"l" * 32)
    return beat


def test_who_lies_of_more_than_is_remembered_is_not_shown_all_of_it_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A beat of 600 bytes would have 260 kB sent, as often as a liar likes, and all others wait (protocol 26.11)."""
    three = Trio().open()
    gossip, third = _told_to_charlie(three)
    sent = _shown(gossip, monkeypatch)
    third.context.inboxes[Plane.REAL] = Inbox(2 * GOSSIP_CLAIMS_MAX, lambda serial: b"o" * 32)
    third.context.history.received_signed = lambda plane, serial: SentRow(b"said", b"s", b"o" * 32)  # type: ignore[method-assign]
    path = next(iter(gossip._ctx.paths.values()))
    for _ in range(2):
        for first in range(1, GOSSIP_CLAIMS_MAX + GOSSIP_ITEMS_MAX, GOSSIP_ITEMS_MAX):
            three.time += 20
            beat = _names(three, range(first, first + GOSSIP_ITEMS_MAX))
            gossip.heard(beat, path, third._first.answers, three.bravo.now())
    assert (len(sent), gossip._claims) == (2 * GOSSIP_ITEMS_MAX, {})
    three.time += GOSSIP_SHOWN_AGAIN
    gossip.heard(_names(three, [200]), path, third._first.answers, three.bravo.now())
    assert len(sent) == 2 * GOSSIP_ITEMS_MAX + 1


def test_a_name_whose_statement_has_lost_its_text_is_not_kept_and_not_passed_on() -> None:
    """Each beat would name it for ever, and look for it in the store (docs/protocol.md 26.11, 26.15)."""
    three = Trio().open()
    assert three.alpha.submit("kept for a month").ok
    three.run(2_000)
    gossip, third = _told_to_charlie(three)
    third.context.history.received_signed = lambda plane, serial: None  # type: ignore[method-assign]
    path = next(iter(gossip._ctx.paths.values()))
    gossip.heard(_names(three, [1, 2]), path, third._first.answers, three.bravo.now())
    assert list(gossip._claims) == [(three.alpha.number, Plane.REAL, 2)], "the second may still come"


def test_a_name_is_compared_again_while_its_statement_is_being_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who told two parties different things would go free if both came within one commit (docs/protocol.md 26.11)."""
    three = Trio().open()
    three.bravo.lies = True
    gossip, third = _told_to_charlie(three)
    sent = _shown(gossip, monkeypatch)
    third.context.inboxes[Plane.REAL] = Inbox(1, lambda serial: b"o" * 32)
    key = (three.alpha.number, Plane.REAL, 1)
    gossip._claims[key] = b"t" * 32
    rows: list[SentRow] = []
    third.context.history.received_signed = lambda plane, serial: next(iter(rows), None)  # type: ignore[method-assign]
    gossip._compare(three.bravo.now())
    assert (key in gossip._claims, len(sent)) == (True, 0)
    rows.append(SentRow(b"content", b"s", b"o" * 32))
    gossip._compare(three.bravo.now())
    assert (key in gossip._claims, len(sent)) == (False, 1)


def test_names_that_are_not_here_yet_are_bounded() -> None:
    """A peer would fill the memory with names of statements that never were (docs/protocol.md 26.11)."""
    three = Trio().open()
    gossip, third = _told_to_charlie(three)
    beat, path = content_pb2.Heartbeat(), next(iter(gossip._ctx.paths.values()))
    one = beat.gossip.add(terminal=three.alpha.number)
    for serial in range(1, GOSSIP_CLAIMS_MAX + 2):
        one.exercise_heard.add(serial=serial, statement=bytes(32))
    gossip.heard(beat, path, third._first.answers, three.bravo.now())
    assert [key[2] for key in gossip._claims] == [*range(2, GOSSIP_CLAIMS_MAX + 2)]
