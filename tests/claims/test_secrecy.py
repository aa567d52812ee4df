"""What a thief of a whole terminal can read, earlier and later, and that no key seals twice (docs/protocol.md 7).

The statements themselves rest in the record of both terminals, sealed under the content keys of 13.4: the claims are
about what relays, taps and their recordings hold.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from hotline.crypto.epochs import _Chain
from hotline.crypto.sealing import MessageKey, seal
from hotline.limits import PREKEY_GRACE
from hotline.machine import Change, Plane
from hotline.protocol import session as session_module
from hotline.protocol.prekeys import OwnPrekeys
from hotline.protocol.session import Session
from hotline.wire.envelope import FLAG_CLEAR
from hotline.wire.inner import ContentType, Inner
from tests.claims.attack import Thief, dump
from tests.claims.world import ROTATION, bodies, calm_pair, carried, converse
from tests.hotline.protocol.pair import Pair, Party, clear, losing

Opened = dict[bytes, Inner]


def statements(opened: Opened) -> int:
    return sum(inner.type is ContentType.STATEMENT for inner in opened.values())


def sealed(envelopes: Iterable[bytes]) -> set[bytes]:
    """Names of those that are not key requests in the clear."""
    return {hashlib.sha256(envelope).digest() for envelope in envelopes if not envelope[1] & FLAG_CLEAR}


# --- earlier: forward secrecy -----------------------------------------------------------------------------------------


def _stolen_later(pair: Pair) -> tuple[Opened, Opened]:
    """What whoever robs BRAVO reads of the conversation: at once, and after the prekey of then is destroyed."""
    converse(pair, "earlier")
    public, recorded = bodies(pair.bravo), carried(pair, pair.alpha)
    at_once = Thief(dump(pair.bravo), pair.alpha, pair.bravo, public).read(recorded)
    assert at_once.keys() == sealed(recorded)
    pair.run(ROTATION + 30_000 + PREKEY_GRACE)
    public += bodies(pair.bravo)
    later = Thief(dump(pair.bravo), pair.alpha, pair.bravo, public).read(recorded)
    return at_once, later


def test_what_was_delivered_cannot_be_opened_once_its_prekey_is_destroyed() -> None:
    """A recording of years would be read on the day a terminal is stolen."""
    pair = calm_pair()
    at_once, later = _stolen_later(pair)
    # The thief is an able one: until the prekey goes it reads every envelope, statements on every plane among them.
    assert statements(at_once) == len(Plane)
    assert len(at_once) > 8
    assert later == {}


def _kept(self: OwnPrekeys, generation: int) -> list[Change]:
    self._destroy_at.pop(generation, None)
    return []


def _chain_with_beginning(self: _Chain, key: bytes, skip_max: int, kept_max: int) -> None:
    _begin(self, key, skip_max, kept_max)
    self.kept[-1] = MessageKey(key, bytes(12), bytes(32))


_begin = _Chain.__init__


@pytest.mark.parametrize(
    ("where", "method", "weakness"),
    [(OwnPrekeys, "_destroy", _kept), (_Chain, "__init__", _chain_with_beginning)],
    ids=["a prekey is kept", "a chain remembers its beginning"],
)
def test_the_thief_would_read_if_anything_were_kept(
    monkeypatch: pytest.MonkeyPatch, where: type, method: str, weakness: Callable[..., Any]
) -> None:
    """The claim above could hold because the thief is blind."""
    monkeypatch.setattr(where, method, weakness)
    _, later = _stolen_later(calm_pair())
    assert statements(later) == len(Plane)


def test_the_senders_own_terminal_opens_nothing_that_it_sent() -> None:
    """Robbing the sender would be as good as robbing the recipient."""
    pair = calm_pair()
    converse(pair, "sent")
    public = bodies(pair.bravo)
    assert Thief(dump(pair.alpha), pair.alpha, pair.bravo, public).read(carried(pair, pair.alpha)) == {}
    pair.weather = losing(lambda sender, relay, envelope: True)
    recorded = len(pair.sent)
    pair.alpha.submit("still owed")
    stolen = dump(pair.alpha)
    assert any(b"still owed" in string for string in stolen.strings), "what is owed is held: the dump sees it"
    assert Thief(stolen, pair.alpha, pair.bravo, public).read(carried(pair, pair.alpha)[:recorded]) == {}


# --- later: a passive thief is shut out by one rotation ---------------------------------------------------------------


def _read_after_theft(victim: str) -> tuple[Opened, Opened]:
    """What a thief of one terminal reads of both directions: until the rotation, and after it."""
    pair = calm_pair()
    converse(pair, "before")
    party = pair.alpha if victim == "ALPHA" else pair.bravo
    stolen, start = dump(party), len(pair.sent)
    converse(pair, "soon after")
    pair.run(ROTATION + 15_000)
    middle = len(pair.sent)
    converse(pair, "later")
    until: Opened = {}
    after: Opened = {}
    for sender in (pair.alpha, pair.bravo):
        thief = Thief(stolen, sender, sender.peer, bodies(sender.peer))
        until |= thief.read([envelope for _, _, envelope in pair.sent[start:middle]])
        after |= thief.read([envelope for _, _, envelope in pair.sent[start:]][middle - start :])
    return until, after


@pytest.mark.parametrize("victim", ["ALPHA", "BRAVO"])
def test_one_rotation_of_both_sides_shuts_a_passive_thief_out(victim: str) -> None:
    """One theft would be enough for ever."""
    until, after = _read_after_theft(victim)
    # Until then it reads what was said to the victim, and what the victim said in epochs that were already begun.
    assert statements(until) == 2 * len(Plane)
    assert after == {}


def test_the_thief_would_read_on_without_a_new_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim above could hold because a dump grows old by itself."""
    renewed = Session._epoch_for
    monkeypatch.setattr(Session, "_epoch_for", lambda self, plane: self._sending.get(plane) or renewed(self, plane))
    _, after = _read_after_theft("BRAVO")
    assert statements(after) == 2 * len(Plane)


# --- never twice ------------------------------------------------------------------------------------------------------


class Seals:
    """Watches every seal of every terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.pairs: set[tuple[bytes, bytes]] = set()
        self.keys: set[bytes] = set()
        monkeypatch.setattr(session_module, "seal", self.seal)

    def seal(self, key: MessageKey, header: bytes, plaintext: bytes) -> bytes:
        self.count += 1
        self.pairs.add((key.key, key.nonce))
        self.keys.add(key.key)
        return seal(key, header, plaintext)


def _restored_again_and_again(pair: Pair, parties: tuple[Party, ...], restart: Callable[[Party, int], None]) -> None:
    for turn in range(12):
        for party in parties:
            restart(party, turn)
            for plane in Plane:
                party.submit(f"turn {turn} of {party.name}", plane=plane)
        pair.weather = losing(lambda sender, relay, envelope: True) if turn % 3 else clear
        pair.run(9_000)


def test_no_key_seals_twice_whatever_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two texts under one key and nonce give each other away, and let a relay forge a third."""
    seals = Seals(monkeypatch)
    pair = calm_pair()
    old = {party.name: party.memory.copy() for party in (pair.alpha, pair.bravo)}

    def restart(party: Party, turn: int) -> None:
        party.restart(old[party.name].copy() if turn % 2 else None)

    _restored_again_and_again(pair, (pair.alpha, pair.bravo), restart)
    assert seals.count > 150
    assert len(seals.pairs) == len(seals.keys) == seals.count


def test_a_chain_that_is_restored_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch above could be blind."""
    seals = Seals(monkeypatch)
    pair = calm_pair()
    chains = copy.deepcopy(pair.alpha.endpoint.context.session._sending)

    def restart(party: Party, turn: int) -> None:
        party.restart()
        party.endpoint.context.session._sending = copy.deepcopy(chains)

    _restored_again_and_again(pair, (pair.alpha,), restart)
    assert len(seals.pairs) < seals.count
