"""Who must have told a terminal what was seen of its log before it signs for others again (docs/protocol.md 13.5)."""

from __future__ import annotations

import pytest

from hotline.drill.simulator.memorylog import MemoryLog
from hotline.limits import WITNESS_INTERVAL
from hotline.machine import Plane
from hotline.protocol.events import HeadSeen
from hotline.protocol.heads import open_head
from hotline.protocol.status import status
from hotline.wire.v1 import content_pb2

from .pair import Pair, clear, durable, losing
from .quartet import Quartet, Terminal
from .test_ledgers import POLICY
from .trio import Delegation, Trio

_TOLD_MS = 8_000
"""Time enough for a few beats of everybody."""


def _alarms(party: Terminal | Delegation, name: str) -> int:
    return party.alarms().count(name)


def _restored(four: Quartet) -> None:
    """BRAVO wrote on before ALPHA's alternate alone, lost that, and hears only those that have seen less."""
    backup = four.bravo.memory.copy()
    four.part((four.bravo, four.alpha), (four.bravo, four.beside))
    for _ in range(3):
        four.bravo.submit("seen by one terminal alone")
        four.run(WITNESS_INTERVAL)
    four.meet()
    four.part((four.bravo, four.alt), (four.alpha, four.alt), (four.beside, four.alt))
    four.bravo.restart(backup)
    four.run(_TOLD_MS)


def _for_others(log: MemoryLog, epoch: int, base: str) -> list[bytes]:
    """The signed heads of one log epoch that others may hold."""
    return [note for note in log.epochs[epoch].notes if not note.startswith(f"{base}/{epoch}/".encode())]


def test_who_has_not_told_what_it_has_seen_is_offered_no_head_whoever_vouches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witnesses that have seen less would let a restored terminal contradict what its peer holds (13.5)."""
    # docs/protocol.md 13.5 and 13.6
    pair = Pair(policy=POLICY).open()
    pair.weather = losing(lambda sender, relay, envelope: sender is pair.bravo)
    pair.alpha.restart()
    before, unasked = len(pair.sent), list[bool]()
    own, base = pair.alpha.endpoint.own_log, pair.bravo.log.base
    offer = own.offer

    def offered(exchange: content_pb2.LogExchange, to: str) -> None:
        unasked.append(own.asks(to))
        offer(exchange, to)

    monkeypatch.setattr(own, "offer", offered)
    for name in ("w1", "w2"):
        pair.alpha.step(HeadSeen(name, b""))
    pair.run(3 * WITNESS_INTERVAL)
    assert (own.vouched, own.asks(base), unasked) == (True, True, [])
    assert any(who == "ALPHA" and not durable(envelope) for who, _, envelope in pair.sent[before:]), "it beats"
    pair.weather = clear
    pair.run(3 * WITNESS_INTERVAL)
    assert unasked
    assert not any(unasked)


def test_a_restored_terminal_is_not_vouched_for_by_those_who_have_seen_less() -> None:
    """Its alternate alone answered, and it signed again what one terminal of the peer held otherwise: an honest capital
    was accused of two ledgers (docs/protocol.md 13.5)."""
    four = Quartet().open()
    four.run(2 * WITNESS_INTERVAL)
    _restored(four)
    for _ in range(30):
        four.bravo.submit("said by the restored")
    four.run(2 * WITNESS_INTERVAL)
    own, linked = four.bravo.endpoint.own_log, four.alt.endpoint._lines[four.bravo.number].peer_log.linked
    assert linked is not None
    assert (own.vouched, own.shown()) == (False, b"")
    assert all(
        open_head(note, four.bravo.log).size <= linked.size
        for note in _for_others(four.bravo.memory.log, 1, four.bravo.log.base)
    ), "nothing that was signed for others contradicts what somebody holds"
    four.meet()
    four.run(3 * WITNESS_INTERVAL)
    assert (own.vouched, four.bravo.memory.log.epoch) == (True, 2)
    for one in (four.alpha, four.alt, four.beside):
        assert (_alarms(one, "peer-fork"), _alarms(one, "peer-log")) == (0, 1)
        held = one.endpoint._lines[four.bravo.number].peer_log.linked
        assert held is not None
        assert (held.epoch, held.size > 1) == (2, True)


def test_one_of_several_parties_that_is_away_may_have_seen_more() -> None:
    """Two parties vouched for what the third one held otherwise (docs/protocol.md 13.5, 26.6)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.run(2 * WITNESS_INTERVAL)
    backup = bravo.memory.copy()
    alpha.on = False
    for _ in range(3):
        bravo.submit("seen by the third alone")
        three.run(WITNESS_INTERVAL)
    alpha.on, charlie.on = True, False
    bravo.restart(backup)
    for _ in range(30):
        bravo.submit("said by the restored")
    three.run(2 * WITNESS_INTERVAL)
    own = bravo.conference.first.own_log
    assert (own.vouched, own.shown()) == (False, b"")
    charlie.on = True
    three.run(3 * WITNESS_INTERVAL)
    assert (own.vouched, bravo.memory.log.epoch) == (True, 2)
    assert [_alarms(one, "peer-fork") for one in three.all] == [0, 0, 0]


def test_what_was_just_brought_is_told_too() -> None:
    """A terminal that asks at once was told less than there was, and went on with a log that had been seen larger
    (docs/protocol.md 13.6)."""
    pair = Pair().open()
    pair.alpha.submit("with a head that nobody has looked at yet")
    pair.run(5)
    peer_log = pair.bravo.endpoint.peer_log
    said = content_pb2.Statement.FromString(pair.bravo.memory.received(Plane.REAL, 1) or b"")
    assert peer_log.next_deadline() is not None, "it waits to be looked at"
    exchange = content_pb2.LogExchange()
    peer_log.answer(exchange, pair.bravo.now())
    assert open_head(exchange.seen, pair.alpha.log).place >= open_head(said.checkpoint, pair.alpha.log).place
    assert peer_log.next_deadline() is None


def test_a_terminal_that_has_not_told_is_offered_nothing() -> None:
    """Witnesses had vouched, and the peer, silent until then, was shown by proofs what contradicts what it holds
    (docs/protocol.md 13.5, 13.16)."""
    pair = Pair(policy=POLICY)
    pair.weather = losing(lambda sender, relay, envelope: True)
    pair.open()
    for name in ("w1", "w2"):
        pair.alpha.step(HeadSeen(name, b""))
    own, base = pair.alpha.endpoint.own_log, pair.bravo.log.base
    assert (own.vouched, own.asks(base), own.awaited) == (True, True, ["BRAVO/main"])
    beats = pair.alpha.endpoint._first.beats
    path = next(iter(pair.alpha.endpoint.context.paths.values()))
    pair.alpha.submit("One.")
    pair.run(WITNESS_INTERVAL)
    assert own.round_head() is not None
    asking = beats._exchange(path, pair.alpha.now())
    assert asking is not None
    assert (asking.asked, asking.checkpoint) == (True, b"")
    pair.weather = clear
    pair.run(2 * WITNESS_INTERVAL)
    assert (own.asks(base), own.awaited) == (False, [])
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    assert linked.size > 1


def test_nobody_waits_for_a_terminal_that_is_not_activated() -> None:
    """It is heard on no path for most of its life (docs/protocol.md 13.5, 24.13)."""
    four = Quartet()
    for one in four.all:
        one.prepare(travels={four.beside.number: (0, 0)})
    for one in (four.alpha, four.alt, four.bravo):
        one.start()
    four.run(_TOLD_MS)
    own = four.alpha.endpoint.own_log
    assert (own.vouched, own.awaited) == (True, [])


def test_status_names_those_who_have_not_told() -> None:
    """An operator would not know why nothing of the ledger is shown, and whom to bring back or to retire
    (docs/protocol.md 13.5)."""
    four = Quartet()
    for one in (four.alpha, four.bravo, four.alt):
        one.start()
    four.run(_TOLD_MS)
    ledger = status(four.alpha.endpoint, four.alpha.now())["ledger"]
    assert (ledger["vouched"], ledger["awaited"]) == (False, ["BRAVO/alt"])
    four.beside.start()
    four.run(_TOLD_MS)
    ledger = status(four.alpha.endpoint, four.alpha.now())["ledger"]
    assert (ledger["vouched"], ledger["awaited"]) == (True, [])
