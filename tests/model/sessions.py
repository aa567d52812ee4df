"""Runs of the model of keys on the real Session and prekeys of two terminals, with the same observable result.

Compared after every action: why an envelope does not open, whether its opener rides along, which statements are to be
sealed again, which prekey of the peer is held, which secrets are kept, and what BRAVO has been shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hotline.errors import NotOpened
from hotline.limits import PREKEY_GRACE
from hotline.machine import Instant, Plane
from hotline.protocol.session import ASKABLE
from hotline.protocol.tables import Row
from hotline.wire.envelope import FLAG_OPENER, decode_header
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.test_session import WALL, End, ends
from tests.model import keys as model
from tests.model.explorer import Action

YEAR = 31_536_000_000
Tables = dict[str, dict[object, Row]]


def _copied(tables: Tables) -> Tables:
    return {name: dict(rows) for name, rows in tables.items()}


class Player:
    """Two real ends of a channel, moved by the actions of the model."""

    def __init__(self, statements: int) -> None:
        self.alpha, self.bravo = ends()
        self.time = 0
        self.owed = set(range(statements))
        self.sealed: dict[int, bytes] = {}
        self.envelopes: dict[model.Envelope, bytes] = {}
        self.names = [self._newest()]
        """Of the prekeys in the order in which they were drawn."""
        self.shown: list[int] = []
        self.beat: tuple[content_pb2.SignedPrekey, int, bool] | None = None
        self.request: bytes | None = None
        self.copies: dict[str, tuple[Tables, Any]] = {}
        self.reason = ""

    def now(self) -> Instant:
        return Instant(self.time, WALL + self.time)

    def _newest(self) -> bytes:
        newest = self.bravo.prekeys.newest
        assert newest is not None
        return newest.name

    def play(self, action: Action, state: model.State) -> None:
        """Take one action; `state` is what the model has become, and names what was sealed."""
        self.time += 2_000  # key requests are limited by the second
        self.reason = ""
        getattr(self, "do_" + action[0])(*action[1:])
        for envelope in state.alpha.sealed:
            self.envelopes.setdefault(envelope, self.sealed[envelope.stmt])

    def do_seal(self, stmt: int) -> None:
        inner = self.alpha.session.sign(ContentType.RECEIPT, Plane.REAL, b"%d" % stmt)
        self.sealed[stmt] = self.alpha.session.seal(Plane.REAL, inner, transient=False)

    def do_repeat(self, stmt: int) -> None:
        """The same envelope again: nothing changes at either end."""

    def do_reseal(self, stmt: int) -> None:
        del self.sealed[stmt]

    def do_deliver(self, envelope: model.Envelope) -> None:
        data = self.envelopes[envelope]
        header = decode_header(data)
        try:
            opened = self.bravo.session.open(header, data, self.now())
        except NotOpened as error:
            self.reason = error.reason
            if error.reason in ASKABLE:
                self.request = self.bravo.session.key_request(header.epoch, self.now())
                assert self.request is not None
            return
        self.bravo.keep(opened.changes)
        stmt = int(opened.inner.content)
        if stmt not in self.shown:
            self.shown.append(stmt)

    do_again = do_deliver

    def do_lose(self, envelope: model.Envelope) -> None:
        """It does not arrive."""

    def do_hear(self, stmt: int) -> None:
        self.owed.discard(stmt)
        self.sealed.pop(stmt, None)

    def do_beat(self) -> None:
        newest = self.bravo.prekeys.newest
        assert newest is not None
        self.beat = (newest.signed, self.bravo.session.opened_epoch(0), True)

    def do_believe(self) -> None:
        assert self.beat is not None
        signed, opened, fresh = self.beat
        self.alpha.keep(self.alpha.session.offer_prekey(signed, fresh=fresh))
        if fresh:
            self.alpha.session.acknowledge_epoch(opened)

    def do_obey(self) -> None:
        assert self.request is not None
        asked = self.alpha.session.read_key_request(self.request, self.now())
        self.alpha.keep(asked.changes)
        for stmt, envelope in list(self.sealed.items()):
            if envelope[6:18] == asked.reseal:
                del self.sealed[stmt]

    def do_replay(self, what: str) -> None:
        self.do_believe() if what == "beat" else self.do_obey()

    def do_rotate(self) -> None:
        self.bravo.keep(self.bravo.prekeys.rotate(self.now(), YEAR))
        self.names.append(self._newest())

    def do_destroy(self) -> None:
        self.time += PREKEY_GRACE
        changes, rotated = self.bravo.prekeys.due(self.now(), YEAR)
        assert changes
        assert not rotated
        self.bravo.keep(changes)

    def do_restart(self, who: str) -> None:
        self._start(who, self.alpha.tables if who == "ALPHA" else self.bravo.tables)

    def do_copy(self, who: str) -> None:
        end, more = (self.alpha, set(self.owed)) if who == "ALPHA" else (self.bravo, list(self.shown))
        self.copies[who] = (_copied(end.tables), more)

    def do_restore(self, who: str) -> None:
        tables, more = self.copies[who]
        if who == "ALPHA":
            self.owed = set(more)
        else:
            self.shown = list(more)
        self._start(who, _copied(tables))

    def _start(self, who: str, tables: Tables) -> None:
        end: End = self.alpha if who == "ALPHA" else self.bravo
        end.tables = tables
        end.start()
        if who == "ALPHA":
            self.sealed.clear()
            self.beat = None if self.beat is None else (*self.beat[:2], False)
        else:
            self.do_rotate()

    def seen(self) -> dict[str, Any]:
        """What can be seen of the real ends."""
        held = self.alpha.session.peer_prekey
        assert held is not None
        return {
            "owed": self.owed,
            "sealed": {stmt: bool(envelope[1] & FLAG_OPENER) for stmt, envelope in self.sealed.items()},
            "one epoch": len({envelope[6:18] for envelope in self.sealed.values()}),
            "held": self.names.index(held.name),
            "kept": [number for number, name in enumerate(self.names) if self.bravo.prekeys.named(name) is not None],
            "shown": tuple(self.shown),
        }


def expected(state: model.State) -> dict[str, Any]:
    """The same of a state of the model."""
    return {
        "owed": set(state.alpha.owed),
        "sealed": {one.stmt: one.opener is not None for one in state.alpha.sealed},
        "one epoch": len({one.epoch for one in state.alpha.sealed}),
        "held": state.alpha.held.secret,
        "kept": [prekey.secret for prekey in state.bravo.prekeys],
        "shown": state.bravo.shown,
    }


def replay_keys(run: Iterable[tuple[Action, model.State]], bounds: model.Bounds) -> Iterator[tuple[Action, str]]:
    """Play a run; for each action what differs afterwards, empty if nothing."""
    rules, before = model.Keys(bounds), model.Keys(bounds).begin()
    player = Player(bounds.statements)
    for action, state in run:
        player.play(action, state)
        seen, wanted = player.seen(), expected(state)
        if action[0] in ("deliver", "again"):
            seen["reason"], wanted["reason"] = player.reason, rules.reason(before.bravo, action[1])
        before = state
        yield action, "; ".join(f"{key}: {seen[key]} for {wanted[key]}" for key in wanted if seen[key] != wanted[key])
