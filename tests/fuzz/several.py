"""A terminal among three parties under events made of bytes, of which two others may be liars (docs/protocol.md 26)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hotline.limits import SERIAL_MAX
from hotline.machine import LinkClosed, LinkOpened, Output, Plane, RequestId, Tick
from hotline.protocol.conference import To
from hotline.protocol.events import (
    AskChallenge,
    Cosigned,
    EndpointEvent,
    ExportBundle,
    HeadSeen,
    MarkRead,
    MarkShown,
    SendTest,
    SetPresence,
    Submit,
)
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.session import Session
from hotline.protocol.statements import statement_name
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.fuzz.copies import Still, Template
from tests.fuzz.fields import Fields
from tests.fuzz.machines import (
    OFFICER_EVERY,
    RESTART_EVERY,
    STEPS_MAX,
    Arguments,
    argument,
    begin_here,
    check_refused,
    play,
    sayings,
    text,
)
from tests.fuzz.mutation import chained
from tests.fuzz.sayings import Moment, altered
from tests.fuzz.targets import Target, asked, holds, is_one_in
from tests.hotline.protocol.pair import WALL
from tests.hotline.protocol.trio import Delegation, Trio

PARTIES = ("BRAVO", "CHARLIE", "DELTA", "")


@cache
def template() -> Template[Trio]:
    """Three that have talked; what is said between BRAVO and CHARLIE no longer passes."""
    three = Trio(seed=7).open(3_000)
    alpha, bravo, charlie = three.all
    for one in three.all:
        one.submit(f"{one.name} to all")
    three.run(2_000)
    alpha.reads(bravo, 1)
    charlie.submit("an exercise", plane=Plane.EXERCISE)
    three.part(bravo, charlie)
    bravo.submit("not yet with CHARLIE")
    three.run(2_000)
    three.cut()
    begin_here(three, three.all)
    three.taken.clear()
    return Template(three, [setup for one in three.all for setup in one.setups])


@cache
def prepared() -> tuple[Trio, tuple[Delegation, ...]]:
    """One copy of them, of which the others stay as they are."""
    three = template().copy()
    return three, tuple(three.all[1:])


@cache
def alone() -> Template[Delegation]:
    """What copies of ALPHA alone are made from."""
    three, others = prepared()
    alpha = three.all[0]
    world: Any = Still(three)
    world.all = [alpha, *others]
    alpha.pair = world
    return Template(alpha, [*alpha.setups, *others])


@cache
def keys(number: int) -> Template[Session]:
    """The keys of one of the others."""
    other = prepared()[1][number]
    return Template(other.member(prepared()[0].all[0]).context.session, other.setups)


class Scene:
    """One copy of the prepared terminal; ALPHA is what is fuzzed, the keys of the others are what the liars have."""

    def __init__(self, data: bytes) -> None:
        self.alpha = alone().copy()
        self.three: Any = self.alpha.pair
        self.others = prepared()[1]
        self.sessions: dict[str, Session] = {}
        self.taken = 0
        """Envelopes that were not refused."""
        self.serves = is_one_in(OFFICER_EVERY, data)
        self.take = Arguments(data)
        self.restarts = is_one_in(RESTART_EVERY, data)

    def run(self) -> None:
        """Every operation, and after some an officer, and a restart."""
        operations: Sequence[Callable[[], object]] = (
            *(self.raw, self.signed, self.statement, self.two_words, self.gossip, self.told, self.misled),
            *(self.time, self.link, self.officer, self.window, self.witness, self.custody, self.restart),
            *(self.lawful,) * 8,
        )
        for _ in range(STEPS_MAX):
            if self.take.over:
                break
            operations[self.take.byte() % len(operations)]()
            self.check()
        if self.serves or self.restarts:
            holds(self.alpha.submit("still there").code in {"queued", "full"}, "an officer is not served any more")
        if self.restarts:
            self.alpha.restart()
            holds(self.alpha.submit("after it").code in {"queued", "full"}, "the tables do not start again")
            holds(not self.alpha.ledger_and_tables(), "tables that the ledger does not tell (13.3)")

    def check(self) -> None:
        """What holds after every step."""
        deadline = self.alpha.conference.next_deadline()
        holds(deadline is None or isinstance(deadline, int), "a deadline that is no time")
        for member in self.alpha.conference.members.values():
            for inbox in member.context.inboxes.values():
                holds(inbox.through <= SERIAL_MAX, "a serial that no ledger can write down")
        received = [told.fields for told in self.alpha.told if told.kind == "received"]
        shown = [(fields["party"], fields["plane"], fields["serial"]) for fields in received]
        holds(len(shown) == len(set(shown)), "a statement was shown twice (docs/protocol.md 1.1)")

    # --- what the others say ---------------------------------------------------------------------------------------

    def liar(self) -> Delegation:
        """One of the two others."""
        return self.others[self.take.byte() % 2]

    def hear(self, *frames: bytes) -> Output:
        return self.alpha.hear(f"relay-{1 + self.take.byte() % 3}", *frames)

    def plane(self) -> Plane:
        return list(Plane)[self.take.byte() % 2]

    def say(self, liar: Delegation, kind: ContentType, plane: Plane, content: bytes, *, transient: bool) -> None:
        session, refusals = self.session(liar), self.alpha.member(liar).context._refusals
        inner, before = session.sign(kind, plane, content[:34_000]), sum(refusals.values())
        output = self.hear(envelope_frame(session.seal(plane, inner, transient=transient)))
        self.taken += sum(refusals.values()) == before
        check_refused(output)

    def session(self, liar: Delegation) -> Session:
        """What this one has with ALPHA."""
        if liar.name not in self.sessions:
            self.sessions[liar.name] = keys(self.others.index(liar)).copy()
        return self.sessions[liar.name]

    def lawful(self) -> None:
        """What one of them would say now, with none to three fields of its choice."""
        take, liar = self.take, self.liar()
        rows = self.alpha.memory.of(self.alpha.scope(liar)).rows
        moment = Moment(self.alpha.member(liar).context, "relay-1", self.alpha.now().wall, rows)
        known = sayings()
        chosen, turn = known[int.from_bytes(take.take(2), "big") % len(known)], take.byte()
        other = Arguments(take.take(take.byte()))
        fields = Fields(other, [row["hash"] for row in rows("sent")] or [bytes(32)])  # type: ignore[misc]
        one = altered(chosen, moment, fields, [turn, *(other.byte() for _ in range(other.byte() % 4))])
        self.say(liar, one.kind, one.plane, one.content, transient=one.kind is ContentType.HEARTBEAT)

    def raw(self) -> None:
        self.hear(*[self.take.text()] * (1 + self.take.byte() % 3))

    def signed(self) -> None:
        liar, kind, flags = self.liar(), list(ContentType)[self.take.byte() % 5], self.take.byte()
        self.say(liar, kind, list(Plane)[flags & 1], self.take.text(), transient=bool(flags & 2))

    def spoken(self, liar: Delegation, serial: int, words: str) -> bytes:
        """A statement to all of them, or to one."""
        take = self.take
        said = content_pb2.Statement(
            serial=serial % 2**64,
            previous_in_precedence=take.number() % 2**64,
            precedence=1 + take.byte() % 4,  # type: ignore[arg-type]
            kind=(1, 1, 1, 2, 3, 4, NON_PAPER, 11, 13)[take.byte() % 9],  # type: ignore[arg-type]
            direction=1,  # type: ignore[arg-type]
            language="en",
            from_party=liar.name,
            to_party=("*", "*", "*", "ALPHA")[take.byte() % 4],
            drafter="liar",
            text=words,
            body_salt=bytes((1 + take.byte() % 4,)).ljust(32, b"\0"),
            composed_ms=WALL + take.number() % 2**40,
            first_serial=take.number() % 2**64,
        )
        if said.kind in (content_pb2.STATEMENT_KIND_VOID, content_pb2.STATEMENT_KIND_TEST_VOID):
            for name in ("language", "text", "drafter", "direction", "body_salt", "composed_ms"):
                said.ClearField(name)
            said.body_salt = bytes(32)
        return encode(said)

    def statement(self) -> None:
        liar, serial = self.liar(), self.take.number()
        words = self.take.text().decode("utf-8", "replace") or "x"
        content = self.spoken(liar, serial, words)
        quiet = content_pb2.Statement.FromString(content).kind == NON_PAPER
        kind = ContentType.WITHOUT_PREJUDICE if quiet else ContentType.STATEMENT
        self.say(liar, kind, self.plane(), content, transient=False)

    def two_words(self) -> None:
        """One thing here, and another under the same serial for the third party, who shows it."""
        liar, serial, plane = self.liar(), self.take.number(), self.plane()
        other = self.others[1 - self.others.index(liar)]
        self.say(liar, ContentType.STATEMENT, plane, self.spoken(liar, serial, "one"), transient=False)
        self.show(other, liar, plane, self.spoken(liar, serial, "other"), serial)

    def show(self, holder: Delegation, liar: Delegation, plane: Plane, content: bytes, serial: int) -> None:
        """What `holder` shows ALPHA of a statement that `liar` really signed."""
        session = liar.member(self.alpha).context.session
        ends = session.ends_out
        signature = session.sign(ContentType.STATEMENT, plane, content).signature
        name = statement_name(plane, ends, content_pb2.Statement.FromString(content), content)
        told = content_pb2.Told(terminal=liar.number, content=content, signature=signature)
        item = content_pb2.ReceiptItem(serial=serial % 2**64, statement=name)
        said = content_pb2.Receipt(stage=content_pb2.STAGE_TOLD, item=[item], time_ms=WALL, told=told)
        self.say(holder, ContentType.RECEIPT, plane, encode(said), transient=False)

    def told(self) -> None:
        """What one shows of the other, whatever it is."""
        take, holder = self.take, self.liar()
        told = content_pb2.Told(terminal=take.byte() % 5, content=take.text(), signature=take.take(64))
        items = [
            content_pb2.ReceiptItem(serial=take.number() % 2**64, statement=take.take(32))
            for _ in range(take.byte() % 3)
        ]
        said = content_pb2.Receipt(stage=content_pb2.STAGE_TOLD, item=items, told=told, time_ms=take.number() % 2**64)
        self.say(holder, ContentType.RECEIPT, self.plane(), encode(said), transient=bool(take.byte() & 1))

    def gossip(self) -> None:
        """A heartbeat with claims about third parties."""
        take, liar = self.take, self.liar()
        path = self.alpha.member(liar).context.paths["relay-1"]
        said = content_pb2.Heartbeat(
            beat=1 + take.byte(),
            echo=(path._beat - take.byte() % 8) % 2**32,
            path=1 + take.byte() % 2,
            presence=1,  # type: ignore[arg-type]
            time_ms=WALL + take.number() % 2**40,
            sent_through=take.number() % 2**64,
            received_through=take.number() % 2**64,
        )
        notes = [note for one in self.three.all for note in one.memory.log.current.notes]
        for _ in range(1 + take.byte() % 3):
            one = said.gossip.add(terminal=(2, 3, 1, 9)[take.byte() % 4])
            for heard in (one.heard, one.exercise_heard):
                for _ in range(take.byte() % 4):
                    heard.add(serial=take.number() % 2**64, statement=take.take(32).ljust(32, b"\0"))
            if take.byte() & 1:
                one.checkpoint = notes[take.byte() % len(notes)] if take.byte() & 1 else take.text()
        self.say(liar, ContentType.HEARTBEAT, Plane.REAL, encode(said), transient=not take.byte() & 1)

    def misled(self) -> None:
        """An envelope of one of them under a header that names somebody else."""
        take, liar = self.take, self.liar()
        session = self.session(liar)
        content = asked("statement", "content")[take.byte() % 4]
        envelope = bytearray(
            session.seal(Plane.REAL, session.sign(ContentType.STATEMENT, Plane.REAL, content), transient=False)
        )
        envelope[2 + take.byte() % 4] ^= take.byte() % 4
        self.hear(envelope_frame(bytes(envelope)))

    # --- what happens here ---------------------------------------------------------------------------------------

    def time(self) -> None:
        self.three.time += self.take.number() % 100_000 * 100
        self.alpha.step(Tick())

    def link(self) -> None:
        name = f"relay-{1 + self.take.byte() % 3}"
        self.alpha.step(LinkOpened(name) if self.take.byte() & 1 else LinkClosed(name, "fuzz"))

    def asked_for(self) -> EndpointEvent:
        """Something that an officer wants."""
        take = self.take
        request, plane = RequestId(1_000 + take.byte()), self.plane()
        kind = take.byte() % 8
        if kind < 3:
            words = take.text().decode("utf-8", "surrogateescape")
            return Submit(
                request, plane, take.byte() % 6, "en", 1 + take.byte() % 2, words, "watch", take.number(),
                without_prejudice=kind == 2 and bool(take.byte() & 1),
            )  # type: ignore[arg-type]  # fmt: skip
        number = take.number()
        return (
            MarkRead(request, plane, number, "watch"),
            MarkShown(request, plane, number, "watch", "principal-1"),
            SendTest(request, "watch"),
            SetPresence(request, "watch", ("alive", "consulting", "declined", "")[number % 4], take.number()),
            AskChallenge(request, "watch", plane, number, bool(take.byte() & 1))
            if number & 1
            else ExportBundle(request, "watch"),
        )[kind - 3]

    def answered(self, event: EndpointEvent, sent: EndpointEvent | To) -> None:
        request = event.request  # type: ignore[union-attr]
        output = self.alpha.step(sent)  # type: ignore[arg-type]
        holds(len([one for one in output.replies if one.request == request]) == 1, "not answered once")

    def officer(self) -> None:
        event = self.asked_for()
        self.answered(event, event)

    def window(self) -> None:
        """The same at the window of one other party, or of one that there is not."""
        event = self.asked_for()
        self.answered(event, To(PARTIES[self.take.byte() % len(PARTIES)], event))

    def witness(self) -> None:
        take = self.take
        notes = self.alpha.memory.log.current.notes
        note = notes[take.byte() % len(notes)] if take.byte() & 1 else take.text()
        self.alpha.step(HeadSeen("w", note) if take.byte() & 1 else Cosigned(note, take.text()))

    def custody(self) -> None:
        names = [self.take.take(32) for _ in range(self.take.byte() % 4)]
        self.alpha.hear("relay-1", self.three.custody_frame("relay-1", self.take.byte() % 4, names))

    def restart(self) -> None:
        """Seldom, for it takes long."""
        if self.take.byte() < 32:
            self.alpha.restart()


def conference(data: bytes) -> None:
    """What others say to one terminal."""
    play(Scene(data), "others")


def talk(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Programs in which the liars mostly say what they could, now and then with fields of their choice."""
    made, others = b"", b""
    for _ in range(rng.randrange(2, 8)):
        choices = rng.randbytes(rng.choice((0, 5, 10, 20)))
        said = bytes((14, rng.randrange(2), 0, rng.randrange(256), rng.randrange(256), len(choices))) + choices
        made += said + bytes((rng.choice((0, 0, 0, 1, 2)),))
        if rng.randrange(4) == 0:
            others += chained(rng, seeds)
    # What takes a text may take all that is behind it.
    return others + made if rng.randrange(8) == 0 else made + others


def conference_seeds() -> list[bytes]:
    """A short program for each operation, and one in which somebody is convicted."""
    convicted = (
        bytes((3, 0)) + argument(3) + b"\0" + argument(1) + bytes((0, 0, 0, 1)) + argument(5) + argument(1) + b"\0"
    )
    again = bytes((3, 1)) + argument(2) + b"\0" + argument(1) + bytes((0, 0, 0, 1)) + argument(5) + argument(1) + b"\0"
    said = bytes((2, 0)) + argument(3) + text(b"hello") + b"\0" + argument(2) + bytes((0, 0, 0, 1))
    # A claim of another first statement than the one that is here, and a head of somebody's ledger.
    heard = [bytes((4, liar, 200, 0, 0, 0, 0, 0, 0, 1 - liar, 1, 1, *bytes(32), 0, 1, 1, 0, 0, 0)) for liar in (0, 1)]
    others = [bytes((number, *range(1, 60))) for number in range(14)]
    played = [bytes((1, 1, number, 0)) + text(one) for number, one in enumerate(asked("heartbeat", "content")[:4])]
    plain = [bytes((14, number % 2, *divmod(number, 256), 0, 0, 0)) for number in range(len(sayings()))]
    return [*plain, convicted, convicted + again, said + said, *heard, *others, *played]


SEVERAL: dict[str, Target] = {"conference": Target(conference, conference_seeds, 2_000, talk)}
"""Name to target, as in `targets.TARGETS`."""
