"""Two ledgers that hold each other: nothing shown before it may be, every head linked, every contradiction told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from hotline.charter.profiles import PROFILES
from hotline.crypto.mldsa44 import PostQuantumKey
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.memorylog import MemoryLog
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import (
    Ed25519CosignatureVerifier,
    Ed25519Cosigner,
    MlDsa44Cosigner,
    check_cosignature,
    timestamp,
)
from hotline.ledger.log import LOG_EPOCH_MAX, log_origin
from hotline.ledger.note import Ed25519Signer, Signature, parse_note
from hotline.ledger.policy import parse_policy
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import consistency_proof
from hotline.limits import CLAIMS_DELAY, LEDGER_ALARMS_MAX, LOG_EPOCHS_AHEAD_MAX, QUORUM_PATIENCE, WITNESS_INTERVAL
from hotline.machine import Delivery, Output, Put, Record
from hotline.protocol.events import Audited, Cosigned, HeadSeen, Suspicion
from hotline.protocol.heads import open_head
from hotline.protocol.session import ContentType
from hotline.protocol.status import status
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2
from tests.hotline.ledger.test_witness import Log

from .pair import DAY, ROUTINE, Pair, Party, clear, losing
from .quartet import Quartet

WITNESSES = {f"w{n}": Ed25519Cosigner(f"witness.example/w{n}", SigningKey(bytes([n] * 32))) for n in (1, 2, 3)}
POLICY = parse_policy(
    (
        "".join(f"witness {name} {one.verifier.vkey()} http://{name}\n" for name, one in WITNESSES.items())
        + "group two 2 w1 w2 w3\nquorum two\n"
    ).encode()
)


def types(party: Party, epoch: int) -> list[str]:
    return [parse_leaf(leaf).type for leaf in party.memory.log.epochs[epoch].leaves]


def statements_of(party: Party) -> list[content_pb2.Statement]:
    rows = party.memory.tables.get("sent", {}).values()
    return [content_pb2.Statement.FromString(row["content"]) for row in rows]  # type: ignore[arg-type]


def last_checkpoint(party: Party) -> Delivery:
    return [told for told in party.told if told.kind == "checkpoint"][-1]


# --- holding each other -----------------------------------------------------------------------------------------------


def test_each_links_and_cosigns_the_others_ledger() -> None:
    """A capital could rewrite its past, and nobody would hold anything against it (docs/protocol.md 13.6 and 13.16)."""
    pair = Pair().open()
    pair.run(3 * WITNESS_INTERVAL)
    for party in (pair.alpha, pair.bravo):
        linked = party.endpoint.peer_log.linked
        assert linked is not None
        assert linked.root == party.peer.memory.log.root_at(linked.size)
        own = party.endpoint.own_log
        assert own.vouched
        assert own.known_to(party.peer.log.base).cosigned > 0
        (row, *_) = party.memory.tables["cosignature"].values()
        assert row["name"] == party.peer.log.base


def test_the_peers_cosignature_is_one_that_others_can_check() -> None:
    """The peer's word would be good between the two only (docs/protocol.md 13.15)."""
    pair = Pair().open()
    pair.run(3 * WITNESS_INTERVAL)
    row = list(pair.alpha.memory.tables["cosignature"].values())[-1]
    name, _, encoded = str(row["line"]).removeprefix("\u2014 ").partition(" ")
    signature = parse_note(b"x\n\n" + str(row["line"]).encode() + b"\n").signatures[0]
    assert (name, bool(encoded)) == (pair.bravo.log.base, True)
    size = row["size"]
    assert isinstance(size, int)
    text = Checkpoint(f"{pair.alpha.log.base}/1", size, pair.alpha.memory.log.root_at(size)).text()
    check_cosignature(text, signature, Ed25519CosignatureVerifier(pair.bravo.log.base, pair.bravo.ledger_key.public))


def test_a_clock_set_back_makes_no_evidence_against_the_cosigner() -> None:
    """An honest terminal would seem to have cosigned a larger ledger before a smaller one."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    lines = pair.alpha.memory.tables["cosignature"]
    before = max(timestamp(line_value(row)) for row in lines.values())
    pair.bravo.offset -= 3_600_000
    pair.run(90_000)
    pair.bravo.restart()
    pair.run(90_000)
    assert min(timestamp(line_value(row)) for row in lines.values()) >= before


def line_value(row: Mapping[str, object]) -> bytes:
    return parse_note(b"x\n\n" + str(row["line"]).encode() + b"\n").signatures[0].value


def test_a_statement_carries_the_head_before_it_and_its_receipt_the_other() -> None:
    """What was said after the last exchange of heads could be taken back unseen (docs/protocol.md 13.6)."""
    pair = Pair().open()
    before = pair.alpha.memory.log.head()
    pair.alpha.submit("One.")
    pair.run(400)
    (statement,) = statements_of(pair.alpha)
    assert statement.checkpoint == before.note
    seen = pair.bravo.endpoint.peer_log.seen
    assert seen is not None
    assert seen.place >= (1, before.size)
    held = pair.alpha.endpoint.peer_log.seen
    assert held is not None
    assert held.size > 5


def test_a_head_in_a_statement_is_looked_at_soon_also_where_nothing_else_is_due() -> None:
    """On a line that beats once a minute a false head would stand unseen for a minute (docs/protocol.md 13.14)."""
    pair = Pair().open()
    peer_log = pair.bravo.endpoint.peer_log
    before = peer_log.seen
    pair.alpha.submit("One.")
    pair.run(5)
    due = peer_log.next_deadline()
    assert due is not None
    assert pair.time < due <= pair.time + CLAIMS_DELAY
    pair.run(due - pair.time)
    assert peer_log.next_deadline() is None
    assert peer_log.seen is not None
    assert before is None or peer_log.seen.place > before.place


def test_a_slow_path_puts_off_no_exchange_on_a_fast_one() -> None:
    """A rewritten ledger would go unnoticed for as long as the slowest line takes (docs/protocol.md 13.6)."""
    pair = Pair(profiles=("fibre", "narrow"))
    pair.weather = losing(lambda sender, relay, envelope: relay == "relay-1")
    pair.open(60_000)
    pair.weather = clear
    pair.run(PROFILES["fibre"].checkpoint_ms + 5_000)
    for party in (pair.alpha, pair.bravo):
        before = len(party.memory.log.current.leaves)
        pair.run(PROFILES["fibre"].checkpoint_ms + 2_000)
        linked = party.peer.endpoint.peer_log.linked
        assert linked is not None
        assert linked.size >= before


def test_heads_seen_in_statements_are_linked_by_the_next_beats() -> None:
    """A head between two heartbeats could be of another ledger, and nothing would ask (docs/protocol.md 13.16)."""
    pair = Pair().open()
    for _ in range(5):
        pair.alpha.submit("One.")
        pair.run(1_000)
    seen = pair.bravo.endpoint.peer_log.seen
    assert seen is not None
    pair.run(3 * WITNESS_INTERVAL)
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    assert linked.size >= seen.size
    assert pair.bravo.alarms() == []


def test_many_heads_between_two_beats_do_not_stop_the_linking() -> None:
    """A busy peer could never be linked again, and could rewrite what it likes."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    for _ in range(40):
        pair.alpha.submit("One of many.")
        pair.run(300)
    pair.run(3 * WITNESS_INTERVAL)
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    assert linked.size > 100
    assert pair.bravo.alarms() == []


def test_a_minute_of_heartbeats_is_one_entry() -> None:
    """The record would grow by millions of entries a year, or tell nothing of the line."""
    pair = Pair().open()
    pair.run(10 * 60_000)
    summaries = [record for record in pair.alpha.records if record.kind == "hb.summary"]
    assert 9 <= len(summaries) <= 11
    assert str(summaries[3].fields["beats"]).startswith("relay-1=")
    assert "peer_root" in summaries[3].fields
    assert len(pair.alpha.records) < 60


# --- contradictions ---------------------------------------------------------------------------------------------------


def forged(party: Party, size: int, epoch: int = 1, root: bytes = bytes(32)) -> bytes:
    origin = log_origin(party.log.base, epoch)
    return sign_checkpoint(Checkpoint(origin, size, root), Ed25519Signer(origin, party.ledger_key))


def say(pair: Pair, exchange: content_pb2.LogExchange) -> Output:
    """BRAVO says something about ledgers in a heartbeat that is fresh; what ALPHA makes of it."""
    from hotline.machine import Plane
    from hotline.wire.codec import envelope_frame

    session = pair.bravo.endpoint.context.session
    path = pair.alpha.endpoint.context.paths["relay-1"]
    beat = content_pb2.Heartbeat(
        beat=pair.bravo.endpoint.context.paths["relay-1"]._beat + 1, path=1, echo=path._beat, presence=1, log=exchange
    )  # type: ignore[arg-type]
    inner = session.sign(ContentType.HEARTBEAT, Plane.REAL, encode(beat))
    return pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=True)))


def peer_alarms(pair: Pair) -> list[object]:
    return [name for name in pair.alpha.alarms() if str(name).startswith("peer-")]


def test_a_head_that_is_known_costs_no_write_and_one_that_is_news_does() -> None:
    """Each heartbeat would be a commit to the disk (docs/protocol.md 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None

    def written(note: bytes) -> int:
        made = say(pair, content_pb2.LogExchange(checkpoint=note)).changes
        return sum(1 for change in made if isinstance(change, Put) and change.table == "peer_head")

    assert written(linked.note) == 0
    assert written(forged(pair.bravo, 1, epoch=2)) > 0


def test_a_word_without_a_cosignature_says_how_far_the_peer_is_and_is_no_fault() -> None:
    """A peer that has linked and not yet signed would be refused on record each time (docs/protocol.md 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    offered = pair.alpha.endpoint.own_log.round_head()
    assert offered is not None
    say(pair, content_pb2.LogExchange(linked_epoch=offered.epoch, linked=offered.size))
    assert pair.alpha.endpoint.own_log.known_to(pair.bravo.log.base).linked == offered.size
    assert pair.alpha.refusals() == []


def test_one_size_and_two_roots_are_told_with_both_heads() -> None:
    """A split view would be seen and forgotten (docs/protocol.md 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, linked.size)))
    (alarm,) = [record for record in pair.alpha.records if record.fields.get("name") == "peer-fork"]
    for name in ("held", "note"):
        assert open_head(str(alarm.fields[name]).encode(), pair.bravo.log).size == linked.size
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, linked.size)))
    assert peer_alarms(pair) == ["peer-fork"]


def two_new_logs(pair: Pair) -> list[bytes]:
    """BRAVO claims heads of two new logs before ALPHA looks; the one that is looked at first is of the older."""
    pair.run(2 * WITNESS_INTERVAL)
    notes = [forged(pair.bravo, 9, epoch=3), forged(pair.bravo, 34, epoch=2)]
    before = pair.bravo.endpoint.own_log.shown
    for note in notes:
        pair.bravo.endpoint.own_log.shown = lambda note=note: note  # type: ignore[method-assign,misc]
        pair.bravo.submit("Said under a new log.")
    pair.bravo.endpoint.own_log.shown = before  # type: ignore[method-assign]
    pair.run(1_000)
    assert peer_alarms(pair) == ["peer-log", "peer-log"]
    return notes


def test_what_is_kept_of_a_log_is_of_that_log() -> None:
    """Two new logs in one step would leave one beside the head of another; a restart would know less (13.6)."""
    # docs/protocol.md 13.6
    pair = Pair().open()
    two_new_logs(pair)
    rows = {row["epoch"]: row for row in pair.alpha.memory.rows("peer_head")}
    for epoch, size in ((2, 34), (3, 9)):
        for kept in ("linked", "claimed"):
            assert open_head(bytes(rows[epoch][kept]), pair.bravo.log).place == (epoch, size)  # type: ignore[arg-type]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_fork_is_told_in_whichever_log_it_is(restarts: bool) -> None:
    """Who begins a new log could sign the old one anew; a restart would have forgotten it (docs/protocol.md 13.6)."""
    pair = Pair().open()
    notes = two_new_logs(pair)
    if restarts:
        pair.alpha.restart()
        pair.run(3_000)
    for note in notes:
        held = open_head(note, pair.bravo.log)
        say(pair, content_pb2.LogExchange(checkpoint=note))
        assert "peer-fork" not in pair.alpha.alarms(), "what was shown before is no fork"
    for number, note in enumerate(notes, 1):
        held = open_head(note, pair.bravo.log)
        say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, held.size, held.epoch, root=b"\1" * 32)))
        alarms = [record.fields for record in pair.alpha.records if record.fields.get("name") == "peer-fork"]
        assert len(alarms) == number
        assert open_head(str(alarms[-1]["held"]).encode(), pair.bravo.log) == held


def test_a_head_that_no_proof_has_reached_is_kept_over_a_restart() -> None:
    """Its log would be seen larger than it is by nobody, and could be another (docs/protocol.md 13.5 and 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, linked.size + 9)))
    pair.alpha.restart()
    held = pair.alpha.endpoint.peer_log
    assert held.seen is not None
    assert (held.linked, held.seen.size) == (linked, linked.size + 9)


def test_a_restart_goes_on_from_the_heads_of_each_terminal() -> None:
    """Of all but one of them the past would be forgotten, and could be another one (docs/protocol.md 13.6)."""
    four = Quartet().open()
    four.run(5 * PROFILES["fibre"].checkpoint_ms)

    def linked() -> dict[int, object]:
        return {number: line.peer_log.linked for number, line in four.alpha.endpoint._lines.items()}

    before = linked()
    assert None not in before.values()
    for one in four.all[1:]:
        one.kill()
    four.alpha.restart()
    assert linked() == before


def test_a_proof_in_a_log_that_was_left_proves_nothing_in_the_new_one() -> None:
    """A beat that comes late would accuse an honest peer of a fork (docs/protocol.md 13.16)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    old = pair.alpha.endpoint.peer_log.linked
    assert old is not None
    for size in (3, old.size):
        say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, size, epoch=2)))
    before = pair.alpha.endpoint.peer_log.linked
    proof = pair.bravo.memory.log.consistency(3, old.size)
    for checkpoint in (old.note, b""):
        late = content_pb2.LogExchange(checkpoint=checkpoint, claimed_proof=proof, claimed_from=3, claimed_to=old.size)
        say(pair, late)
    assert pair.alpha.endpoint.peer_log.linked == before
    assert peer_alarms(pair) == ["peer-log"]


def test_a_ledger_that_does_not_continue_the_old_one_is_told() -> None:
    """A rewritten past would pass as long as it is longer."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None
    note = forged(pair.bravo, linked.size + 9)
    say(pair, content_pb2.LogExchange(checkpoint=note, proof=[bytes(32)] * 4, proof_from=linked.size))
    assert peer_alarms(pair) == ["peer-fork"]
    assert pair.alpha.endpoint.peer_log.linked == linked


def thief_writes(pair: Pair) -> MemoryLog:
    """What a thief with BRAVO's keys and an old copy of its ledger has written there, and signed."""
    log = pair.bravo.memory.log.copy()
    log.start(pair.bravo.log.base, pair.bravo.ledger_key, Random(7).randbytes)
    log.commit([Record("log.vouched", {"by": pair.alpha.log.base})] * 3, pair.time)
    return log


@pytest.mark.parametrize("linked", [False, True])
def test_a_terminal_whose_key_somebody_else_uses_is_told_so(linked: bool) -> None:
    """It would be accused of a fork for ever, and never hear of the thief (docs/protocol.md 13.5 and 13.16)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    before = pair.alpha.endpoint.peer_log.linked
    assert before is not None
    thief = thief_writes(pair)
    for _ in range(3):
        pair.bravo.submit("One.")
        pair.run(CLAIMS_DELAY + 50)
    if linked:
        size = thief.frontier.size
        proof = thief.consistency(before.size, size)
        say(pair, content_pb2.LogExchange(checkpoint=thief.note, proof=proof, proof_from=before.size))
        assert pair.alpha.endpoint.peer_log.linked == open_head(thief.note, pair.bravo.log)
    else:
        say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, before.size)))
    pair.run(5 * PROFILES["fibre"].checkpoint_ms)
    assert peer_alarms(pair) == ["peer-fork", "peer-log"]
    assert [name for name in pair.bravo.alarms() if name == "log-epoch"] == ["log-epoch"]
    assert pair.bravo.memory.log.epoch == 2
    after = pair.alpha.endpoint.peer_log.linked
    assert after is not None
    assert (after.epoch, after.root) == (2, pair.bravo.memory.log.root_at(after.size))


def test_two_heads_that_contradict_each_other_are_shown_in_turn_with_the_newest() -> None:
    """One of the two would be the thief's, and only the other one shown (docs/protocol.md 13.16)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    peer_log = pair.alpha.endpoint.peer_log
    held = peer_log.linked
    assert held is not None
    other, largest = forged(pair.bravo, held.size), forged(pair.bravo, held.size + 50)
    for note in (other, largest):
        say(pair, content_pb2.LogExchange(checkpoint=note))

    def answers(number: int) -> list[bytes]:
        said = [content_pb2.LogExchange() for _ in range(number)]
        for one in said:
            peer_log.answer(one, pair.alpha.now())
        return [one.seen for one in said]

    assert answers(4) == [held.note, other, largest, held.note]
    say(pair, content_pb2.LogExchange(checkpoint=(new := forged(pair.bravo, 9, epoch=2))))
    assert answers(2) == [new, new]


def test_a_longer_ledger_without_a_proof_is_not_linked() -> None:
    """A step without its proof would be believed (docs/protocol.md 13.16)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None
    for exchange in (
        content_pb2.LogExchange(checkpoint=forged(pair.bravo, linked.size + 9)),
        content_pb2.LogExchange(checkpoint=forged(pair.bravo, linked.size + 8), proof=[bytes(32)], proof_from=3),
        content_pb2.LogExchange(checkpoint=forged(pair.bravo, linked.size + 7), proof_from=linked.size),
    ):
        say(pair, exchange)
    assert pair.alpha.endpoint.peer_log.linked == linked
    assert "peer-fork" not in pair.alpha.alarms(), "what cannot be checked is no accusation"


def test_a_proof_that_begins_where_nothing_is_linked_links_nothing() -> None:
    """Another past would be linked by showing its head first, and then the way from there (docs/protocol.md 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked, other = pair.alpha.endpoint.peer_log.linked, Log(500, b"another past")
    assert linked is not None
    first, second = linked.size + 20, linked.size + 40
    shown, last = (forged(pair.bravo, size, root=other.head(size).root) for size in (first, second))
    say(pair, content_pb2.LogExchange(checkpoint=shown))
    answered = content_pb2.LogExchange()
    pair.alpha.endpoint.peer_log.answer(answered, pair.alpha.now())
    assert answered.seen == shown, "and what was told is remembered"
    proof = consistency_proof(first, second, lambda level, at: other.nodes[level, at])
    say(pair, content_pb2.LogExchange(checkpoint=last, proof=proof, proof_from=first))
    assert pair.alpha.endpoint.peer_log.linked == linked


def test_a_forged_claim_in_a_statement_is_refused_and_the_statement_stands() -> None:
    """A faulty head would cost a statement, or pass for the peer's (docs/protocol.md 13.14)."""
    pair = Pair().open()
    pair.run(1_000)
    own = pair.bravo.endpoint.own_log
    other = sign_checkpoint(
        Checkpoint(f"{pair.bravo.log.base}/1", 50, bytes(32)),
        Ed25519Signer(f"{pair.bravo.log.base}/1", SigningKey(bytes(32))),
    )
    own.shown = lambda: other  # type: ignore[method-assign]
    pair.bravo.submit("One.")
    pair.run(1_000)
    assert pair.alpha.shown() == [1]
    assert "checkpoint-unverified" in pair.alpha.refusals()


def test_a_peer_that_goes_on_with_a_log_that_it_left_is_told() -> None:
    """A stolen key could go on signing where the honest terminal has stopped (docs/protocol.md 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, 7, epoch=2)))
    assert peer_alarms(pair) == ["peer-log"]
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, 900)))
    assert peer_alarms(pair) == ["peer-log"], "a head that was under way is no fault"
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.run(700_000)
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, 901)))
    assert "peer-old-log" in pair.alpha.alarms()


# --- a log that was seen larger ---------------------------------------------------------------------------------------


def test_nothing_is_shown_before_somebody_has_vouched() -> None:
    """A terminal with an old state would sign what contradicts what it signed before (docs/protocol.md 13.5)."""
    pair = Pair()
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.open(20_000)
    assert pair.alpha.endpoint.own_log.shown() == b""
    assert pair.alpha.memory.log.note == b""
    pair.alpha.submit("Said while nobody answers.")
    assert statements_of(pair.alpha)[0].checkpoint == b""
    pair.weather = clear
    pair.run(10_000)
    assert pair.alpha.memory.log.note
    assert types(pair.alpha, 1).count("log.vouched") == 1
    assert pair.alpha.memory.log.epoch == pair.bravo.memory.log.epoch == 1


@pytest.mark.parametrize("longer", [False, True], ids=["smaller than it was", "other than it was"])
def test_an_old_state_opens_a_new_log_by_itself(longer: bool) -> None:
    """A capital would convict itself by an honest mistake, or its line would stand still until somebody comes."""
    # docs/protocol.md 13.5
    pair = Pair().open()
    backup = pair.alpha.memory.copy()
    for _ in range(3):
        pair.alpha.submit("Said and lost.")
        pair.run(1_000)
    pair.run(2 * WITNESS_INTERVAL)
    held = pair.bravo.endpoint.peer_log.linked
    assert held is not None
    pair.cut()
    pair.alpha.restart(backup)
    if longer:
        for _ in range(20):
            pair.alpha.submit("Said meanwhile.")
    pair.join()
    pair.run(5_000)
    assert pair.alpha.memory.log.epoch == 2
    assert types(pair.alpha, 2)[0] == "log.open"
    opening = parse_leaf(pair.alpha.memory.log.epochs[2].leaves[0])
    assert opening.fields["reason"] == "restored"
    assert opening.fields["previous"] == f"{pair.alpha.log.base}/1"
    assert "log-epoch" in pair.alpha.alarms()
    assert "peer-log" in pair.bravo.alarms()
    assert "peer-fork" not in pair.bravo.alarms()
    # Nothing that was signed for others under the old name contradicts what the peer holds.
    for note in pair.alpha.memory.log.epochs[1].notes:
        if not note.startswith(f"{pair.alpha.log.base}/1/".encode()):
            assert open_head(note, pair.alpha.log).size <= held.size
    pair.alpha.submit("And the line goes on.")
    pair.run(2 * WITNESS_INTERVAL)
    assert pair.alpha.states(pair.alpha.endpoint.context.outboxes[pair_plane()].last_serial)[-1] == "delivered"
    assert pair.bravo.endpoint.peer_log.linked is not None
    assert pair.bravo.endpoint.peer_log.linked.epoch == 2


def pair_plane() -> object:
    from hotline.machine import Plane

    return Plane.REAL


def test_an_empty_disk_opens_a_new_log() -> None:
    """A terminal that lost everything would begin its old log again from nothing."""
    from .pair import Memory

    pair = Pair().open()
    pair.run(WITNESS_INTERVAL)
    pair.cut()
    pair.alpha.restart(Memory())
    pair.join()
    pair.run(5_000)
    assert pair.alpha.memory.log.epoch == 2


def test_a_ratchet_file_that_knows_more_opens_a_new_log_without_the_peer() -> None:
    """Alone, a terminal could not know that its disk is an old one (docs/protocol.md 13.5)."""
    pair = Pair()
    pair.alpha.suspicion = Suspicion("restored", 4)
    pair.alpha.start()
    assert pair.alpha.memory.log.epoch == 5
    assert pair.alpha.memory.log.note == b""
    pair.bravo.start()
    pair.run(3_000)
    assert pair.alpha.memory.log.note.startswith(f"{pair.alpha.log.base}/5\n".encode())


def test_both_restored_at_once_find_each_other_again() -> None:
    """Two restored terminals would wait for each other for ever."""
    pair = Pair().open()
    backups = [party.memory.copy() for party in (pair.alpha, pair.bravo)]
    pair.alpha.submit("One.")
    pair.run(1_000)
    pair.cut()
    for party, backup in zip((pair.alpha, pair.bravo), backups, strict=True):
        party.restart(backup)
    pair.join()
    pair.run(5_000)
    assert all(party.memory.log.note for party in (pair.alpha, pair.bravo))
    pair.alpha.submit("Two.")
    pair.run(1_000)
    assert pair.alpha.states(1)[-1] == "delivered"


def test_a_head_that_we_never_signed_moves_nothing() -> None:
    """A relay, a witness or the peer could drive a terminal from one log to the next."""
    pair = Pair().open()
    stranger = sign_checkpoint(
        Checkpoint(f"{pair.alpha.log.base}/1", 900, bytes(32)),
        Ed25519Signer(f"{pair.alpha.log.base}/1", SigningKey(bytes(32))),
    )
    pair.alpha.step(HeadSeen("w1", stranger))
    say(pair, content_pb2.LogExchange(seen=stranger, answered=True))
    pair.alpha.step(HeadSeen("w1", forged(pair.bravo, 900)))
    pair.alpha.step(HeadSeen("w1", b"nothing"))
    assert pair.alpha.memory.log.epoch == 1
    assert len(pair.alpha.refusals()) == 4


def test_a_thief_can_use_up_no_log_epochs() -> None:
    """With the last number taken a robbed terminal could begin no log, and would not start again (13.5, 13.6)."""
    # docs/protocol.md 13.5 and 13.6
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    for epoch in (999_999_999, LOG_EPOCHS_AHEAD_MAX + 2):
        say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, 1, epoch=epoch)))
        pair.alpha.endpoint.peer_log.claim(forged(pair.bravo, 1, epoch=epoch), "relay-1", pair.alpha.now())
        pair.run(2_000)
    assert pair.alpha.refusals() == ["checkpoint-epoch"] * 4
    assert peer_alarms(pair) == []
    for epoch in (999_999_999, 999_999_998, LOG_EPOCHS_AHEAD_MAX + 2):
        pair.bravo.step(HeadSeen("w1", forged(pair.bravo, 1, epoch=epoch)))
    assert pair.bravo.refusals() == ["checkpoint-epoch"] * 3
    assert pair.bravo.memory.log.epoch == 1
    say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, 1, epoch=LOG_EPOCHS_AHEAD_MAX + 1)))
    pair.run(2 * WITNESS_INTERVAL)
    assert pair.bravo.memory.log.epoch == LOG_EPOCHS_AHEAD_MAX + 2
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None
    assert linked.epoch == LOG_EPOCHS_AHEAD_MAX + 2


def test_one_head_of_a_thief_leads_no_terminal_to_the_end_of_its_log_epochs() -> None:
    """A lying peer could show it: nobody would take the log that follows, and a quarter later none would (13.6)."""
    # docs/protocol.md 13.6
    pair = Pair().open()
    for _ in range(3):
        say(pair, content_pb2.LogExchange(seen=forged(pair.alpha, 1, epoch=999_999_998), answered=True))
        pair.run(1_000)
    assert pair.alpha.refusals() == ["checkpoint-epoch"] * 3
    for party in (pair.alpha, pair.bravo):
        party.offset += 95 * DAY
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    assert (pair.alpha.memory.log.epoch, linked.epoch) == (2, 2)


def test_after_the_last_log_epoch_no_log_is_begun() -> None:
    """Its number could be read nowhere, and the terminal would not start (docs/protocol.md 13.6, 13.14)."""
    pair = Pair()
    pair.alpha.suspicion = Suspicion("restored", LOG_EPOCH_MAX - 1)
    pair.open()
    assert pair.alpha.memory.log.epoch == LOG_EPOCH_MAX
    pair.alpha.step(HeadSeen("w1", forged(pair.alpha, 900, epoch=LOG_EPOCH_MAX)))
    assert pair.alpha.refusals() == ["checkpoint-epoch"]
    pair.alpha.offset += 95 * DAY
    pair.run(2 * WITNESS_INTERVAL)
    assert pair.alpha.memory.log.epoch == pair.alpha.endpoint.own_log.epoch == LOG_EPOCH_MAX
    assert pair.bravo.refusals() == []


def test_a_log_is_closed_at_the_end_of_a_quarter() -> None:
    """One stolen key would reach back to the first day (docs/protocol.md 13.5)."""
    pair = Pair().open()
    days = 0
    while pair.alpha.memory.log.epoch == 1 and days < 95:
        pair.alpha.offset += DAY
        pair.bravo.offset += DAY
        days += 1
        pair.run(WITNESS_INTERVAL)
    pair.run(3 * WITNESS_INTERVAL)
    assert types(pair.alpha, 1)[-1] == "log.freeze"
    last = open_head(pair.alpha.memory.log.epochs[1].notes[-1], pair.alpha.log)
    opening = parse_leaf(pair.alpha.memory.log.epochs[2].leaves[0])
    assert (opening.fields["size"], opening.fields["root"]) == (last.size, last.root.hex())
    assert opening.fields["reason"] == "calendar"
    assert pair.alpha.memory.log.epoch == 2
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    assert linked.epoch == 2


def test_a_log_that_is_full_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One log would grow until no machine can check it in a night."""
    monkeypatch.setattr("hotline.protocol.ownlog.LOG_ENTRIES_MAX", 30)
    pair = Pair().open()
    for _ in range(12):
        pair.alpha.submit("One of many.")
        pair.run(500)
    pair.run(3 * WITNESS_INTERVAL)
    assert types(pair.alpha, 1)[-1] == "log.freeze"
    assert parse_leaf(pair.alpha.memory.log.epochs[2].leaves[0]).fields["reason"] == "full"
    assert pair.alpha.states(12)[-1] == "delivered"
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    assert linked.epoch == pair.alpha.memory.log.epoch
    assert not [name for name in pair.bravo.alarms() if name in ("peer-fork", "peer-old-log")]


# --- witnesses --------------------------------------------------------------------------------------------------------


def answer(party: Party, *names: str, at: int = 1_795_000_000) -> None:
    """Witnesses cosign the head that everyone was given last."""
    note = last_checkpoint(party).fields["note"]
    assert isinstance(note, bytes)
    lines = "".join(f"{WITNESSES[name].cosign(parse_note(note).text, at).line()}\n" for name in names)
    party.step(Cosigned(note, lines.encode()))


def test_a_quorum_is_noted_missed_and_regained() -> None:
    """Nobody would learn that the record is no longer witnessed, or messages would wait for it."""
    # docs/protocol.md 13.7
    pair = Pair(policy=POLICY).open()
    pair.run(WITNESS_INTERVAL)
    answer(pair.alpha, "w1", "w3")
    witnessed = pair.alpha.endpoint.own_log.witnessed
    assert witnessed == last_checkpoint(pair.alpha).fields["size"]
    pair.run(QUORUM_PATIENCE + WITNESS_INTERVAL)
    assert "no-quorum" in pair.alpha.alarms()
    assert "quorum.lost" in pair.alpha.kinds()
    listed = {one["name"]: one["text"] for one in status(pair.alpha.endpoint, pair.alpha.now())["alarms"]}
    assert f"; {witnessed} entries are witnessed;" in listed["no-quorum"]
    pair.alpha.submit("Messages never wait.")
    pair.run(500)
    assert pair.alpha.states(1)[-1] == "delivered"
    pair.run(WITNESS_INTERVAL)
    answer(pair.alpha, "w1")
    assert pair.alpha.endpoint.own_log.quorum_lost
    answer(pair.alpha, "w1", "w2")
    assert "quorum.regained" in pair.alpha.kinds()
    assert pair.alpha.endpoint.own_log.witnessed > witnessed


def test_witnesses_that_an_amendment_brings_have_their_minute() -> None:
    """The moment it was in force all terminals rang that nobody had cosigned for a minute (docs/protocol.md 13.7)."""
    pair = Pair().open()
    ctx, own = pair.alpha.endpoint.context, pair.alpha.endpoint.own_log
    pair.run(2 * QUORUM_PATIENCE)
    ctx.setup = replace(ctx.setup, policy=POLICY)
    pair.run(QUORUM_PATIENCE - WITNESS_INTERVAL)
    assert "no-quorum" not in pair.alpha.alarms()
    pair.run(2 * WITNESS_INTERVAL)
    assert "no-quorum" in pair.alpha.alarms()
    ctx.setup = replace(ctx.setup, policy=None)
    pair.run(WITNESS_INTERVAL)
    assert not own.quorum_lost, "nobody is asked for any more"


def test_the_time_is_what_a_quorum_bears_out() -> None:
    """One witness with a wrong clock would have texts destroyed (docs/protocol.md 13.20)."""
    pair = Pair(policy=POLICY).open()
    own = pair.alpha.endpoint.own_log
    pair.run(WITNESS_INTERVAL)
    assert own.others_time() is None, "the peer has no vote where witnesses have"
    answer(pair.alpha, "w1", at=4_000_000_000)
    assert own.others_time() is None
    answer(pair.alpha, "w2", "w3", at=1_795_000_000)
    assert own.others_time() == 1_795_000_000_000
    pair.run(WITNESS_INTERVAL)
    answer(pair.alpha, "w2", at=1_795_000_020)
    assert own.others_time() == 1_795_000_020_000
    pair.alpha.restart()
    assert pair.alpha.endpoint.own_log.others_time() is None, "what was heard before the start may be long ago"


def test_a_witness_whose_clock_stands_is_passed_over() -> None:
    """It would keep every text for ever, though the others are a quorum (docs/protocol.md 13.20)."""
    lines = "".join(f"witness {name} {one.verifier.vkey()} http://{name}\n" for name, one in WITNESSES.items())
    pair = Pair(policy=parse_policy(f"{lines}group any 1 w1 w2 w3\nquorum any\n".encode())).open()
    pair.run(WITNESS_INTERVAL)
    answer(pair.alpha, "w1", at=1)
    answer(pair.alpha, "w2", at=1_795_000_000)
    assert pair.alpha.endpoint.own_log.others_time() == 1_795_000_000_000


def test_without_a_quorum_the_time_is_what_the_peer_bears_out() -> None:
    """Texts would be kept for ever where there are no witnesses (docs/protocol.md 13.20)."""
    pair = Pair().open()
    pair.bravo.offset += 86_400_000
    pair.run(3 * WITNESS_INTERVAL)
    told = pair.alpha.endpoint.own_log.others_time()
    assert told is not None
    assert abs(pair.bravo.now().wall - told) < 2 * WITNESS_INTERVAL


def test_a_peer_that_the_policy_names_bears_the_time_out_too() -> None:
    """Its word would be a witness's alone, and texts be kept for ever (docs/protocol.md 13.20)."""
    pair = Pair()
    key = Ed25519CosignatureVerifier(pair.bravo.log.base, pair.bravo.ledger_key.public)
    pair = Pair(policy=parse_policy(f"witness bravo {key.vkey()}\nquorum none\n".encode())).open()
    pair.run(3 * WITNESS_INTERVAL)
    assert pair.alpha.endpoint.own_log.others_time() is not None


def test_a_terminal_of_our_own_bears_out_no_time() -> None:
    """Two machines of one room, with one wrong time server, would be two clocks (docs/protocol.md 13.20)."""
    four = Quartet()
    four.alt.offset -= DAY
    four.open()
    four.run(3 * WITNESS_INTERVAL)
    assert four.alpha.endpoint.own_log.known_to(four.alt.log.base).cosigned > 0
    told = four.alpha.endpoint.own_log.others_time()
    assert told is not None
    assert abs(four.bravo.now().wall - told) < 2 * WITNESS_INTERVAL


def test_a_word_that_no_witness_gave_does_not_count() -> None:
    """A relay could make a quorum of its own."""
    pair = Pair(policy=POLICY).open()
    pair.run(WITNESS_INTERVAL)
    note = last_checkpoint(pair.alpha).fields["note"]
    assert isinstance(note, bytes)
    text = parse_note(note).text
    good = WITNESSES["w1"].cosign(text, 5)
    impostor = Ed25519Cosigner("witness.example/w2", SigningKey(bytes([9] * 32))).cosign(text, 5)
    moved = WITNESSES["w3"].cosign(Checkpoint(f"{pair.alpha.log.base}/1", 1, bytes(32)).text(), 5)
    altered = Signature(good.name, good.key_id, (6).to_bytes(8, "big") + good.value[8:])
    own = Ed25519Cosigner(pair.alpha.log.base, pair.alpha.ledger_key).cosign(text, 5)
    for signature in (impostor, moved, altered, own):
        pair.alpha.step(Cosigned(note, f"{signature.line()}\n".encode()))
    pair.alpha.step(Cosigned(note, b"nonsense"))
    pair.alpha.step(Cosigned(b"nonsense", f"{good.line()}\n".encode()))
    pair.alpha.step(Cosigned(note, f"{good.line()}\n".encode()))
    assert pair.alpha.endpoint.own_log.witnessed == 0
    assert len(pair.alpha.memory.tables["cosignature"]) <= 2  # w1, and perhaps the peer


def test_a_log_has_no_vote_for_itself_under_another_name() -> None:
    """A terminal that its party has put among the witnesses would vouch for its own record (docs/protocol.md 13.7)."""
    alias = Ed25519Cosigner("witness.example/alias", Pair().alpha.ledger_key)
    policy = (
        f"witness a {alias.verifier.vkey()}\nwitness w {WITNESSES['w1'].verifier.vkey()}\ngroup g any a w\nquorum g\n"
    )
    pair = Pair(policy=parse_policy(policy.encode())).open()
    pair.run(WITNESS_INTERVAL)
    note, own = last_checkpoint(pair.alpha).fields["note"], pair.alpha.endpoint.own_log
    assert isinstance(note, bytes)
    for voter, counts in ((alias, False), (WITNESSES["w1"], True)):
        line = voter.cosign(parse_note(note).text, 1_795_000_000).line()
        pair.alpha.step(Cosigned(note, f"{line}\n".encode()))
        assert (own.witnessed > 0) is counts


def test_what_a_witness_signed_of_a_thiefs_log_does_not_count_for_ours() -> None:
    """A quorum would vouch for entries that no witness has ever seen (docs/protocol.md 13.7)."""
    pair = Pair(policy=POLICY).open()
    pair.run(WITNESS_INTERVAL)
    size = last_checkpoint(pair.alpha).fields["size"]
    assert isinstance(size, int)
    note = forged(pair.alpha, size)
    lines = "".join(f"{one.cosign(parse_note(note).text, 1_795_000_000).line()}\n" for one in WITNESSES.values())
    pair.alpha.step(Cosigned(note, lines.encode()))
    assert pair.alpha.endpoint.own_log.witnessed == 0
    answer(pair.alpha, "w1", "w2")
    assert pair.alpha.endpoint.own_log.witnessed == size


def test_a_witness_may_have_two_keys_of_one_name() -> None:
    """Of what `witness init` makes, one key would never count, and its every answer would be an entry."""
    # docs/protocol.md 13.7 and 13.15
    name = "witness.example/w"
    old, new = Ed25519Cosigner(name, SigningKey(b"w" * 32)), MlDsa44Cosigner(name, PostQuantumKey(b"q" * 32))
    both = f"witness w {old.verifier.vkey()}\nwitness w-pq {new.verifier.vkey()}\ngroup g all w w-pq\nquorum g\n"
    for policy in (both, f"witness w-pq {new.verifier.vkey()}\nquorum w-pq\n"):
        pair = Pair(policy=parse_policy(policy.encode())).open()
        pair.run(WITNESS_INTERVAL)
        note, size = (last_checkpoint(pair.alpha).fields[field] for field in ("note", "size"))
        assert isinstance(note, bytes)
        lines = [one.cosign(parse_note(note).text, 1_795_000_000).line() for one in (old, new)]
        pair.alpha.step(Cosigned(note, "".join(f"{line}\n" for line in lines).encode()))
        assert pair.alpha.endpoint.own_log.witnessed == size
        held = {row["line"] for row in pair.alpha.memory.rows("cosignature") if str(row["name"]).startswith("w")}
        assert held == {*lines[policy is not both :]}
        assert "refused" not in pair.alpha.kinds()


def test_a_witness_of_the_peers_name_is_not_the_peer() -> None:
    """Its word would pass for the peer's, and the peer's own be refused (docs/protocol.md 13.7)."""
    base = Pair().bravo.log.base
    other = Ed25519Cosigner(base, SigningKey(b"o" * 32))
    pair = Pair(policy=parse_policy(f"witness o {other.verifier.vkey()}\nquorum o\n".encode())).open()
    pair.run(2 * WITNESS_INTERVAL)
    own = pair.alpha.endpoint.own_log
    before = own.known_to(base).cosigned
    pair.alpha.submit("The peer's word for this comes later.")
    while last_checkpoint(pair.alpha).fields["size"] == before:
        pair.run(100)
    note = last_checkpoint(pair.alpha).fields["note"]
    assert isinstance(note, bytes)
    pair.alpha.step(Cosigned(note, f"{other.cosign(parse_note(note).text, 1_795_000_000).line()}\n".encode()))
    assert 0 < before == own.known_to(base).cosigned < own.witnessed
    assert "refused" not in pair.alpha.kinds()


def test_witnesses_vouch_where_the_peer_is_silent() -> None:
    """A terminal whose peer is down could not sign for days (docs/protocol.md 13.5 and 13.17)."""
    pair = Pair(policy=POLICY)
    pair.alpha.start()
    pair.alpha.step(HeadSeen("w1", b""))
    assert pair.alpha.memory.log.note == b""
    pair.alpha.step(HeadSeen("w2", b""))
    assert pair.alpha.memory.log.note


def test_witnesses_of_whom_no_quorum_is_asked_vouch_for_nothing() -> None:
    """One of them would let a restored terminal sign over what its peer has seen (docs/protocol.md 13.5)."""
    lines = "".join(f"witness {name} {one.verifier.vkey()} http://{name}\n" for name, one in WITNESSES.items())
    pair = Pair(policy=parse_policy(f"{lines}quorum none\n".encode()))
    pair.alpha.start()
    for name in WITNESSES:
        pair.alpha.step(HeadSeen(name, b""))
    assert pair.alpha.memory.log.note == b""


def test_a_witness_that_saw_more_than_the_peer_opens_a_new_log() -> None:
    """A backup newer than the peer's view would go on with a log that a witness has seen larger."""
    pair = Pair(policy=POLICY).open()
    pair.run(WITNESS_INTERVAL)
    answer(pair.alpha, "w1", "w3")
    assert pair.alpha.endpoint.own_log.witnessed > 0
    note = forged(pair.alpha, pair.alpha.memory.log.head().size + 5)
    pair.alpha.step(HeadSeen("w1", note))
    assert pair.alpha.memory.log.epoch == 2
    assert pair.alpha.endpoint.own_log.witnessed == 0, "of the new log no quorum has seen anything"
    pair.run(2 * WITNESS_INTERVAL)
    assert pair.alpha.endpoint.own_log.known_to(pair.bravo.log.base).cosigned > 0


def test_the_newest_head_is_offered_in_a_fixed_rhythm() -> None:
    """Witnesses would learn from the rhythm when the two speak (docs/protocol.md 13.7)."""
    pair = Pair(policy=POLICY).open()
    pair.alpha.told.clear()
    pair.run(6 * WITNESS_INTERVAL)
    offered = [told for told in pair.alpha.told if told.kind == "checkpoint"]
    assert 5 <= len(offered) <= 7


def test_whoever_looks_into_the_record_stands_in_it() -> None:
    """Somebody could read everything and leave no trace."""
    pair = Pair().open()
    pair.alpha.step(Audited("disclose", "uid 1000", "entry 5: body", 3))
    record = pair.alpha.records[-1]
    assert record.kind == "audit.disclose"
    assert record.private["who"].value == b"uid 1000"


def test_another_charter_or_configuration_is_recorded() -> None:
    """Who changed the rules, and when, would be unknown."""
    pair = Pair().open()
    pair.alpha.prepare(config="one")
    pair.alpha.restart()
    pair.alpha.prepare(config="two")
    pair.alpha.restart()
    pair.alpha.restart()
    changed = [record for record in pair.alpha.records if record.kind == "config.changed"]
    assert [(record.fields["old"], record.fields["new"]) for record in changed] == [("", "one"), ("one", "two")]
    assert ROUTINE


def test_who_counts_is_what_the_policy_in_force_says() -> None:
    """A witness that an amendment has replaced would go on making a quorum (docs/protocol.md 13.7 and 24.9)."""
    pair = Pair(policy=POLICY).open()
    pair.run(WITNESS_INTERVAL)
    answer(pair.alpha, "w1")
    replaced = Ed25519Cosigner("witness.example/new", SigningKey(bytes([9] * 32)))
    text = f"witness w1 {replaced.verifier.vkey()}\nwitness w2 {WITNESSES['w2'].verifier.vkey()}\ngroup two 2 w1 w2\n"
    ctx = pair.alpha.endpoint.context
    ctx.setup = replace(ctx.setup, policy=parse_policy(f"{text}quorum two\n".encode()))
    answer(pair.alpha, "w2", "w1")
    assert pair.alpha.endpoint.own_log.witnessed == 0
    note = last_checkpoint(pair.alpha).fields["note"]
    assert isinstance(note, bytes)
    line = replaced.cosign(parse_note(note).text, 1_795_000_000).line()
    pair.alpha.step(Cosigned(note, f"{line}\n".encode()))
    assert pair.alpha.endpoint.own_log.witnessed > 0


def test_a_peer_that_contradicts_itself_for_ever_rings_no_longer_than_it_must() -> None:
    """Two signatures cost it nothing, and would cost us memory and an entry each time (docs/protocol.md 4.7, 13.6)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL)
    linked = pair.alpha.endpoint.peer_log.linked
    assert linked is not None
    for size in range(linked.size + 1, linked.size + LEDGER_ALARMS_MAX + 9):
        note = forged(pair.bravo, size)
        say(pair, content_pb2.LogExchange(checkpoint=note, proof=[bytes(32)], proof_from=linked.size))
    for epoch in range(2, LEDGER_ALARMS_MAX + 9):
        say(pair, content_pb2.LogExchange(checkpoint=forged(pair.bravo, 5, epoch)))
    rung = peer_alarms(pair)
    assert rung.count("peer-fork") == rung.count("peer-log") == LEDGER_ALARMS_MAX


@pytest.mark.parametrize("quiet", [0, 15_000, 25_000, 40_000])
def test_no_crash_and_no_clock_takes_the_times_of_a_cosigner_back(quiet: int) -> None:
    """Whoever holds both signatures could convict an honest terminal of a rollback (docs/protocol.md 13.15)."""
    pair = Pair().open()
    pair.run(2 * WITNESS_INTERVAL + quiet)
    before = max(timestamp(line_value(row)) for row in pair.alpha.memory.tables["cosignature"].values())
    pair.bravo.offset -= 3_600_000
    pair.bravo.restart()
    pair.alpha.memory.tables["cosignature"].clear()
    pair.run(2 * WITNESS_INTERVAL + 5_000)
    after = [timestamp(line_value(row)) for row in pair.alpha.memory.tables["cosignature"].values()]
    assert after
    assert min(after) >= before
