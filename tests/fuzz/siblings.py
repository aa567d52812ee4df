"""A terminal beside a sibling, and before two of the peer, of which all three may be liars (docs/protocol.md 23)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hotline.crypto.signing import SigningKey
from hotline.limits import SERIAL_MAX
from hotline.machine import LinkClosed, LinkOpened, Plane, RequestId, Tick
from hotline.protocol.context import Context
from hotline.protocol.events import MarkRead, SetTerminal, Submit
from hotline.protocol.session import Session
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.fuzz.copies import Still, Template
from tests.fuzz.fields import Fields
from tests.fuzz.machines import (
    OFFICER_EVERY,
    RESTART_EVERY,
    STEPS_MAX,
    STORED_EVERY,
    Arguments,
    begin_here,
    check_refused,
    on_disk,
    play,
)
from tests.fuzz.sayings import Moment, Saying, acts, altered, said
from tests.fuzz.targets import Target, holds, is_one_in
from tests.hotline.protocol.pair import WALL
from tests.hotline.protocol.quartet import Quartet, Terminal

LIARS = (2, 3, 4)


@cache
def template(stands_by: bool) -> Template[Quartet]:
    """Four that have talked; ALPHA/main speaks, or has been followed by ALPHA/alt."""
    four = Quartet(seed=9).open(4_000)
    four.alpha.submit("one")
    four.bravo.submit("two")
    four.run(1_500)
    four.alpha.read(1)
    four.beside.speak()
    four.run(1_500)
    four.beside.submit("three", plane=Plane.EXERCISE)
    if stands_by:
        four.alt.speak()
        four.run(1_500)
        four.alt.submit("four")
        four.run(1_500)
    four.part(*((four.alpha, one) for one in (four.bravo, four.beside)))
    (four.alt if stands_by else four.alpha).submit("still under way")
    four.run(1_500)
    four.meet()
    begin_here(four, four.all)
    return Template(four, [one.setup for one in four.all])


@cache
def alone(stands_by: bool) -> Template[Terminal]:
    """What copies of ALPHA/main alone are made from."""
    four = template(stands_by).copy()
    world: Any = Still(four)
    four.alpha.pair = world
    return Template(four.alpha, [four.alpha.setup])


@cache
def keys(stands_by: bool, number: int) -> Template[Session]:
    """Those of another one."""
    liar = template(stands_by).copy().all[number - 1]
    return Template(liar.endpoint._lines[1].context.session, [liar.setup])


@cache
def signing(stands_by: bool, number: int) -> SigningKey:
    """Its own key."""
    return template(stands_by).copy().all[number - 1].signing


@cache
def sayings() -> tuple[Saying, ...]:
    """What the others could say to ALPHA/main."""
    more: Sequence[Callable[[Quartet], object]] = (
        lambda four: four.alt.speak(),
        lambda four: four.alt.restart(),
        lambda four: four.alt.submit("said by the other one"),
        lambda four: four.alpha.submit("said here"),
        lambda four: four.alpha.speak(speak=False),
        lambda four: four.bravo.speak(),
        lambda four: four.beside.restart(),
        lambda four: four.beside.submit("said by the other one"),
        lambda four: four.beside.read(1),
    )
    speakers = lambda four: [one.endpoint._lines[1].context.session for one in four.all[1:]]  # noqa: E731
    found = said(template(False).copy, (*acts(), *more), speakers) + said(template(True).copy, more, speakers)
    return tuple(dict.fromkeys(found))


class Scene:
    """One copy of the prepared terminal, and the keys of the others."""

    def __init__(self, data: bytes) -> None:
        self.take = Arguments(data)
        self.stands_by = bool(self.take.byte() & 1)
        self.alpha = alone(self.stands_by).copy()
        self.world: Any = self.alpha.pair
        self.sessions: dict[int, Session] = {}
        self.taken = 0
        """Envelopes that were not refused."""
        self.restarts = is_one_in(RESTART_EVERY, data)
        self.serves = self.restarts or is_one_in(OFFICER_EVERY, data)
        if is_one_in(STORED_EVERY, data[1:]):
            on_disk(self.alpha)

    def run(self) -> None:
        """Every operation, and after some an officer, and a restart."""
        operations = (
            *(self.lawful,) * 8,
            self.signed,
            self.activation,
            self.time,
            self.link,
            self.officer,
            self.restart,
        )
        for _ in range(STEPS_MAX):
            if self.take.over:
                break
            operations[self.take.byte() % len(operations)]()
            self.check()
        if self.serves:
            self.served("still there")
        if self.restarts:
            self.alpha.restart()
            self.served("after it")

    def served(self, words: str) -> None:
        """An officer gets an answer."""
        holds(self.alpha.submit(words).code in {"queued", "full", "standby"}, "an officer is not served any more")

    def check(self) -> None:
        """What holds after every step."""
        endpoint = self.alpha.endpoint
        deadline = endpoint.next_deadline()
        holds(deadline is None or isinstance(deadline, int), "a deadline that is no time")
        for inbox in endpoint.context.inboxes.values():
            holds(inbox.through <= SERIAL_MAX, "a serial that no ledger can write down")
        shown = [(one.fields["plane"], one.fields["serial"]) for one in self.alpha.told if one.kind == "received"]
        holds(len(shown) == len(set(shown)), "a statement was shown twice (docs/protocol.md 1.1)")

    def line(self, number: int) -> Context:
        return self.alpha.endpoint._lines[number].context

    def plane(self) -> Plane:
        return list(Plane)[self.take.byte() % 3]

    def say(self, number: int, kind: ContentType, plane: Plane, content: bytes) -> None:
        if number not in self.sessions:
            self.sessions[number] = keys(self.stands_by, number).copy()
        session, refusals = self.sessions[number], self.line(number)._refusals
        inner, before = session.sign(kind, plane, content[:34_000]), sum(refusals.values())
        envelope = session.seal(plane, inner, transient=kind is ContentType.HEARTBEAT)
        output = self.alpha.hear("relay-1", envelope_frame(envelope))
        self.taken += sum(refusals.values()) == before
        check_refused(output)

    def lawful(self) -> None:
        """What one of them would say now, with none to three fields of its choice."""
        take, number = self.take, LIARS[self.take.byte() % 3]
        known, rows = sayings(), self.alpha.memory.rows
        moment = Moment(self.line(number), "relay-1", self.alpha.now().wall, rows)
        chosen, turn = known[int.from_bytes(take.take(2), "big") % len(known)], take.byte()
        other = Arguments(take.take(take.byte()))
        fields = Fields(other, [row["hash"] for row in rows("sent")])  # type: ignore[misc]
        one = altered(chosen, moment, fields, [turn, *(other.byte() for _ in range(other.byte() % 4))])
        self.say(number, one.kind, one.plane, one.content)

    def signed(self) -> None:
        """Anything at all."""
        number, kind = LIARS[self.take.byte() % 3], list(ContentType)[self.take.byte() % 4]
        self.say(number, kind, self.plane(), self.take.text())

    def activation(self) -> None:
        """A word of who speaks, in a beat: its own, or of any other with its signature."""
        take, number = self.take, LIARS[self.take.byte() % 3]
        body = content_pb2.ActivationBody(
            term=take.number() % 2**32,
            terminal=1 + take.byte() % 5,
            time_ms=WALL + take.number() % 2**40,
            by_rule=take.byte() & 1,
        )
        key = signing(self.stands_by, number) if take.byte() & 1 else self.alpha.signing
        signature = key.sign(
            "hotline/v1/activation", self.alpha.setup.charter, body.terminal.to_bytes(2, "big"), encode(body)
        )
        path = self.line(number).paths["relay-1"]
        said = content_pb2.Heartbeat(beat=path.peer_beat % 2**31 + 1, echo=path._beat, path=1, presence=1)  # type: ignore[arg-type]
        name = ("activation", "peer_activation", "other_activation")[take.byte() % 3]
        getattr(said, name).body, getattr(said, name).signature = encode(body), signature
        said.turn, said.peer_turn, said.other_turn = (take.number() % 2**64 for _ in range(3))
        self.say(number, ContentType.HEARTBEAT, Plane.REAL, encode(said))

    def time(self) -> None:
        self.world.time += self.take.number() % 100_000 * 100
        self.alpha.step(Tick())

    def link(self) -> None:
        self.alpha.step(LinkOpened("relay-1") if self.take.byte() & 1 else LinkClosed("relay-1", "fuzz"))

    def officer(self) -> None:
        take, request = self.take, RequestId(1_000 + self.take.byte())
        event: Any = (
            Submit(request, self.plane(), 1 + take.byte() % 4, "en", 1, "said", "watch", take.number()),  # type: ignore[arg-type]
            MarkRead(request, self.plane(), take.number(), "watch"),
            SetTerminal(request, "watch", bool(take.byte() & 1)),
        )[take.byte() % 3]
        output = self.alpha.step(event)
        holds(len([one for one in output.replies if one.request == request]) == 1, "not answered once")

    def restart(self) -> None:
        """Seldom, for it takes long."""
        if self.take.byte() < 32:
            self.alpha.restart()


def terminals(data: bytes) -> None:
    """What others say to one terminal."""
    play(Scene(data), "others")


def terminals_seeds() -> list[bytes]:
    """What each could say, in both worlds, and each other operation."""
    plain = [
        bytes((world, 0, number % 3, *divmod(number, 256), 0, 0))
        for number in range(len(sayings()))
        for world in (0, 1)
    ]
    return [*plain, *(bytes((world, number, *range(1, 20))) for number in range(8, 14) for world in (0, 1))]


def talk(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Programs in which the liars mostly say what they could, now and then with fields of their choice."""
    made = bytes((rng.randrange(2),))
    for _ in range(rng.randrange(2, 9)):
        if rng.randrange(4) == 0:
            made += bytes((rng.randrange(8, 14),)) + rng.randbytes(rng.randrange(12))
            continue
        choices = rng.randbytes(rng.choice((0, 0, 5, 10, 20)))
        number = rng.randrange(len(sayings()))
        made += bytes((0, rng.randrange(3), *divmod(number, 256), rng.randrange(256), len(choices))) + choices
    return made


TERMINALS: dict[str, Target] = {"terminals": Target(terminals, terminals_seeds, 2_000, talk)}
"""Name to target, as in `targets.TARGETS`."""
