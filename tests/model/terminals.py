"""Runs of the model of takeovers on three real terminals, with the same observable result.

Nothing passes between them but what the run lets pass: a beat is some seconds in which only heartbeats do. Compared
after every action: who speaks as each knows it, what it holds of its party, what it owes, what its people were told,
and what BRAVO has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hotline.machine import Plane
from hotline.protocol.statements import Ends, statement_hash
from hotline.wire.envelope import FLAG_CLEAR
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import CHARTER, FLASH, Party
from tests.hotline.protocol.quartet import Quartet, Terminal
from tests.model import takeover as model
from tests.model.explorer import Action
from tests.model.replay import CALM

BEATS_MS = 2_500
"""In which a beat is said and answered, whatever it has to carry."""


class Unplayable(Exception):
    """The real machines do not say any more what should arrive."""


@dataclass(frozen=True)
class Waiting:
    """An envelope that is under way: from, to, and what is in it."""

    sender: Party
    to: int
    relay: str
    envelope: bytes
    inner: Inner


class Trio(Quartet):
    """ALPHA/main, ALPHA/alt and BRAVO/main; everything is held until the run says so."""

    def __init__(self) -> None:
        self.free = True
        self.beats: frozenset[int] = frozenset()
        self.waiting: list[Waiting] = []
        self.named: dict[bytes, Inner] = {}
        self.names: dict[bytes, tuple[int, int]] = {}
        """Serial and words of a statement by its name."""
        super().__init__(3)
        self.paths = tuple(replace(path, profile=CALM) for path in self.paths)
        for one in self.all:
            one.prepare()
        self.weather = self.held  # type: ignore[assignment]
        self.open()
        for one in self.all:
            self.watch(one)
        self.free = False

    def sides(self) -> tuple[Party, Party]:
        main, alt, there = (
            Terminal(self, "ALPHA", 1, "main"),
            Terminal(self, "ALPHA", 2, "alt"),
            Terminal(self, "BRAVO", 3, "main"),
        )
        self.all = [main, alt, there]
        self.alpha, self.bravo = main, there
        for one in self.all:
            one.prepare()
        return main, there

    def watch(self, one: Terminal) -> None:
        """Know what it seals."""
        for line in one.endpoint.context.lines:
            if "seal" in vars(line.session):
                continue
            seal = line.session.seal

            def noted(plane: Plane, inner: Inner, *, transient: bool, seal: Any = seal) -> bytes:
                envelope: bytes = seal(plane, inner, transient=transient)
                self.named[hashlib.sha256(envelope).digest()] = inner
                return envelope

            line.session.seal = noted  # type: ignore[method-assign]

    def held(self, sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        """What passes at once; the rest waits, the newest of each."""
        to, inner = int.from_bytes(envelope[2:4], "big"), self.named.get(hashlib.sha256(envelope).digest())
        if self.free or envelope[1] & FLAG_CLEAR:
            return [envelope]
        if inner is None:  # said at a start, before anybody was looking
            return []
        if inner.type is ContentType.HEARTBEAT:
            return [envelope] if {sender.number, to} == self.beats else []
        if inner.type is ContentType.STATEMENT:
            self.know(inner.content)
        self.waiting = [one for one in self.waiting if (one.sender, one.to, one.inner) != (sender, to, inner)]
        self.waiting.append(Waiting(sender, to, relay, envelope, inner))
        return []

    def know(self, content: bytes) -> tuple[int, int]:
        """Serial and words of a real statement; receipts may name it as either terminal's."""
        said = content_pb2.Statement.FromString(content)
        what = said.serial, int(said.text.removeprefix("text ")) if said.text else model.NOBODY
        for author in (1, 2):
            self.names[statement_hash(Plane.REAL, Ends(CHARTER, author, 3), content)] = what
        return what

    def pass_on(self, sender: int, to: int, wanted: Callable[[Inner], bool]) -> None:
        """The newest of what is under way and wanted arrives; what was lost is said again."""
        for _ in range(12):
            found = next(
                (o for o in self.waiting[::-1] if (o.sender.number, o.to) == (sender, to) and wanted(o.inner)), None
            )
            if found is not None:
                self.waiting.remove(found)
                self.bring(found.sender, found.relay, found.envelope)
                return
            self.run(500)
        raise Unplayable(f"nothing of that comes from {sender}")


class Player:
    """Moves three real terminals by the actions of the model."""

    def __init__(self) -> None:
        self.trio = Trio()

    def play(self, action: Action) -> None:
        """Take one action."""
        getattr(self, "do_" + action[0])(*action[1:])

    def _one(self, number: int) -> Terminal:
        return self.trio.all[number - 1]

    def do_submit(self, number: int) -> None:
        one = self._one(number)
        words = sum(1 for other in self.trio.all for kind in other.kinds() if kind == "msg.submit")
        assert one.submit(f"text {words}", FLASH).ok

    def do_takeover(self, number: int) -> None:
        one = self._one(number)
        if one.endpoint.standing.active:
            assert one.speak(speak=False)
        assert one.speak()

    def do_crash(self, number: int) -> None:
        self._one(number).kill()

    def do_start(self, number: int) -> None:
        self._one(number).start()
        self.trio.watch(self._one(number))
        self.trio.run(50)

    def do_send(self, number: int, stmt: model.Stmt) -> None:
        """It says it of its own accord: see `do_deliver`."""

    def do_meet(self) -> None:
        self._beat(1, 2)

    def do_beat(self, number: int) -> None:
        self._beat(number, 3)

    def _beat(self, *ends: int) -> None:
        self.trio.beats = frozenset(ends)
        self.trio.run(BEATS_MS)
        self.trio.beats = frozenset()

    def do_deliver(self, number: int, stmt: model.Stmt) -> None:
        self.trio.pass_on(number, 3, self._statement(stmt))

    def do_delivered(self, number: int, held: model.Stmt) -> None:
        self.trio.pass_on(3, number, self._receipt(content_pb2.STAGE_DELIVERED, held))

    def do_conflict(self, number: int, held: model.Stmt) -> None:
        self.trio.pass_on(3, number, self._receipt(content_pb2.STAGE_CONFLICT, held))

    def do_settled(self, number: int, word: str, stmt: model.Stmt) -> None:
        self.trio.pass_on(3 - number, number, self._receipt(content_pb2.STAGE_SETTLED, stmt, expired=word == "expired"))

    def do_tell(self, number: int, stmt: model.Stmt) -> None:
        """And the sibling's answer."""
        self.trio.waiting = [one for one in self.trio.waiting if (one.sender.number, one.to) != (3 - number, number)
                             or one.inner.type is not ContentType.RECEIPT or settles(one.inner)]  # fmt: skip
        self.trio.pass_on(number, 3 - number, self._statement(stmt))
        self.trio.pass_on(3 - number, number, lambda inner: inner.type is ContentType.RECEIPT and not settles(inner))

    def _statement(self, stmt: model.Stmt) -> Callable[[Inner], bool]:
        wanted = stmt.serial, stmt.words
        return lambda inner: inner.type is ContentType.STATEMENT and self.trio.know(inner.content) == wanted

    def _receipt(self, stage: int, stmt: model.Stmt, *, expired: bool = False) -> Callable[[Inner], bool]:
        def wanted(inner: Inner) -> bool:
            if inner.type is not ContentType.RECEIPT:
                return False
            said = content_pb2.Receipt.FromString(inner.content)
            names = {self.trio.names.get(item.statement) for item in said.item}
            return said.stage == stage and said.expired == expired and (stmt.serial, stmt.words) in names

        return wanted

    def seen(self) -> dict[str, Any]:
        """What can be seen of the real terminals."""
        found: dict[str, Any] = {}
        for one in self.trio.all[:2]:
            serials = {serial: words(text) for serial, text in one.said().items()}
            told = {
                (serials[int(str(d.fields["serial"]))], str(d.fields["state"])) for d in one.told if d.kind == "sent"
            }
            pending = one.endpoint.context.outboxes[Plane.REAL].pending.values()
            found[f"record {one.number}"] = serials
            found[f"told {one.number}"] = {(what, word) for what, word in told if word in ("delivered", "expired")}
            if one.on:
                found[f"turn {one.number}"] = tuple(one.endpoint.standing.turn)
                found[f"pending {one.number}"] = {(item.serial, item.is_void) for item in pending if not item.copy}
        bravo = self.trio.bravo
        found["has"] = {serial: words(text) for serial, text in bravo.got().items()}
        found["turn 3"] = tuple(bravo.endpoint.standing.turns["ALPHA"])
        return found


def words(text: str) -> int:
    """The words of a real text as the model has them."""
    return int(text.removeprefix("text ")) if text else model.NOBODY


def settles(inner: Inner) -> bool:
    """Whether a receipt is a SETTLED."""
    return content_pb2.Receipt.FromString(inner.content).stage == content_pb2.STAGE_SETTLED


def expected(state: model.State) -> dict[str, Any]:
    """The same of a state of the model."""
    found: dict[str, Any] = {}
    for number, one in enumerate(state.alpha, 1):
        found[f"record {number}"] = {stmt.serial: stmt.words for stmt in one.record}
        found[f"told {number}"] = set(one.told)
        if one.on:
            found[f"turn {number}"] = one.turn
            found[f"pending {number}"] = {(stmt.serial, stmt.words == model.NOBODY) for stmt in one.pending}
    found["has"] = {stmt.serial: stmt.words for stmt in state.peer.received}
    found["turn 3"] = state.peer.turn
    return found


def replay_takeover(run: Iterable[tuple[Action, model.State]]) -> Iterator[tuple[Action, str]]:
    """Play a run; for each action what differs afterwards, empty if nothing. Ends where nothing more can be played."""
    player = Player()
    for action, state in run:
        try:
            player.play(action)
        except Unplayable:
            return
        seen, wanted = player.seen(), expected(state)
        yield action, "; ".join(f"{key}: {seen[key]} for {wanted[key]}" for key in wanted if seen[key] != wanted[key])
