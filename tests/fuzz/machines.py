"""Both machines under events made of bytes: lawful ones, altered ones, and nonsense that a peer really signed.

An input is a program: each operation takes its arguments from the bytes that follow. Every execution starts from a copy
of one prepared state, so that an input alone repeats what it showed. It counts as refused if nothing in it got past the
parsers.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, Protocol

from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import SigningKey
from hotline.errors import HotlineError
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.witness import Witness as JudgingWitness
from hotline.limits import BUNDLE_BYTES_MAX, FRAME_BYTES_MAX, MAILBOX_ENVELOPES_MAX, SERIAL_MAX
from hotline.machine import FramesReceived, Instant, LinkClosed, LinkOpened, Output, Plane, Put, RequestId, Tick
from hotline.protocol.bundle import encode_bundle
from hotline.protocol.events import (
    AskPresence,
    Cosigned,
    ExportBundle,
    HeadSeen,
    ImportBundle,
    MarkRead,
    SendTest,
    SetPresence,
    Submit,
)
from hotline.protocol.prekeys import COURIER_LABEL, LABEL
from hotline.protocol.session import Session
from hotline.protocol.tables import Row
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import FLAG_CLEAR, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import bundle_pb2, content_pb2, frame_pb2
from relay.machine import Closing, Hotline, Relay
from relay.mailbox import Held
from relay.witness import WitnessServer, WitnessService, WitnessStore
from tests.fuzz.copies import Still, Template
from tests.fuzz.disk import stored
from tests.fuzz.fields import Fields
from tests.fuzz.mutation import chained
from tests.fuzz.sayings import Moment, Saying, acts, altered, said
from tests.fuzz.state import changed, state
from tests.fuzz.targets import Target, asked, holds, is_one_in, scratch
from tests.hotline.protocol.pair import CHARTER, WALL, Pair, Party

STATEMENTS = asked("statement", "content")[:8]
STEPS_MAX = 24
"""Operations of one input."""
RESTART_EVERY, STATE_EVERY, OFFICER_EVERY, STORED_EVERY = 64, 64, 4, 8
"""Inputs, told by their bytes: one in so many ends with a restart, which takes as long as twenty operations; in one of
so many whole states are compared; after one in so many an officer is served; of one in so many all goes to tables."""


class Shallow(HotlineError):
    """Nothing got past the parsers."""


class Programme(Protocol):
    """What an input lays down."""

    taken: int
    """Frames of others in it that were taken."""

    def run(self) -> None:
        """All of it."""


def play(scene: Programme, whose: str) -> None:
    """A refusal out of `step` is a find as well: it MUST NOT raise (docs/protocol.md 3.3)."""
    try:
        scene.run()
    except HotlineError as error:
        raise AssertionError(f"step raised {error!r}") from error
    if not scene.taken:
        raise Shallow(f"of the {whose}, nothing was taken")


class Arguments:
    """Takes numbers and byte strings from an input; zeros when it has ended."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def over(self) -> bool:
        """Whether everything was taken."""
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        part = self._data[self._at : self._at + count]
        self._at += count
        return part

    def byte(self) -> int:
        """0 to 255."""
        return int.from_bytes(self.take(1), "big")

    def text(self) -> bytes:
        """A byte string after its length."""
        return self.take(int.from_bytes(self.take(2), "big"))

    def number(self) -> int:
        """A number of the sizes that matter: small, large, and beside the bounds."""
        kind = self.byte()
        if kind < 0xC0:
            return kind % 12
        if kind < 0xE0:
            return (SERIAL_MAX, SERIAL_MAX + 1, 2**63, 2**64 - 1, 2**53)[kind % 5]
        return int.from_bytes(self.take(8), "big")


def on_disk(party: Party) -> None:
    """From now on everything that it decides must fit into the tables of a store."""
    step = party.step

    def stepped(event: Any) -> Output:
        output = step(event)
        stored(output)
        return output

    party.step = stepped  # type: ignore[method-assign]


def argument(number: int) -> bytes:
    """How `Arguments.number` spells a number."""
    return bytes((number,)) if number < 12 else b"\xff" + number.to_bytes(8, "big")


def text(data: bytes) -> bytes:
    """How `Arguments.text` spells a byte string."""
    return len(data).to_bytes(2, "big") + data


REFUSED = {"refused", "refused.more", "key.request.sent", "key.epoch.opened"}
"""Records of what was refused: who may say nothing may still have opened an epoch."""


def check_refused(output: Output, frames: int = 1) -> bool:
    """Whether all of so many frames was refused, as a whole; then nothing else may be entered or stored."""
    reasons = [str(record.fields["reason"]) for record in output.records if record.kind == "refused"]
    if len(reasons) < frames or any(reason.startswith("checkpoint-") for reason in reasons):
        return False  # some were taken, were too many to tell, or were refused in a part that stands by itself
    kinds = {record.kind for record in output.records}
    holds(kinds <= REFUSED, f"records of what was refused: {kinds - REFUSED}")
    tables = {change.table.partition("@")[0] for change in output.changes}
    holds(tables <= {"peer_epoch"}, f"changed by what was refused (docs/protocol.md 4.1): {tables}")
    return True


def begin_here(world: Pair, parties: Iterable[Party]) -> None:
    """What came before is no part of an input: nothing of it is under way, or remembered for the checks."""
    for one in parties:
        for kept in (one.records, one.told):
            kept.clear()  # type: ignore[attr-defined]
    world.sent.clear()
    world._agenda.clear()


NOTED = (
    *(".context.ledger", ".context.history", ".context._refusals", ".context.out", "._taken"),
    ".context.session",  # epochs, and which of their keys are used
    *(".context.prekeys", ".context.lines"),
)
"""What may change by an envelope that is refused."""


# --- the endpoint ----------------------------------------------------------------------------------------------------
@cache
def prepared() -> Pair:
    """Two terminals that have talked: statements both ways, delivered and read, one still waiting."""
    pair = Pair(seed=5, relays=2).open(2_000)
    pair.alpha.submit("one")
    pair.bravo.submit("two")
    pair.run(1_500)
    pair.alpha.read(1)
    pair.bravo.submit("three", plane=Plane.EXERCISE)
    pair.run(1_500)
    pair.cut("relay-2")
    begin_here(pair, (pair.alpha, pair.bravo))
    return pair


@cache
def template() -> Template[Pair]:
    """What copies of both are made from."""
    pair = prepared()
    return Template(pair, (pair.alpha.setup, pair.bravo.setup))


@cache
def alone() -> Template[Party]:
    """What copies of ALPHA alone are made from."""
    pair = template().copy()
    pair.alpha.pair = Still(pair)  # type: ignore[assignment]
    return Template(pair.alpha, (pair.alpha.setup,))


@cache
def liar() -> Template[Session]:
    """BRAVO's keys."""
    return Template(prepared().bravo.endpoint.context.session, (prepared().bravo.setup,))


@cache
def sayings() -> tuple[Saying, ...]:
    """What BRAVO could say to ALPHA."""
    return said(template().copy, acts())


class Scene:
    """One copy of the prepared terminal; ALPHA is what is fuzzed, BRAVO's keys are what the liar has."""

    def __init__(self, data: bytes) -> None:
        self.alpha = alone().copy()
        self.world: Any = self.alpha.pair
        self.arguments = Arguments(data)
        self.restarts, self.is_watched = is_one_in(RESTART_EVERY, data), is_one_in(STATE_EVERY, data[::-1])
        self.serves = self.restarts or is_one_in(OFFICER_EVERY, data)
        if is_one_in(STORED_EVERY, data[1:]):
            on_disk(self.alpha)
        self.waiting: list[bytes] = []
        self.taken = 0
        """Envelopes that were not refused."""

    @cached_property
    def session(self) -> Session:
        """BRAVO's."""
        return liar().copy()

    def run(self) -> None:
        """Every operation, and after some an officer, and a restart."""
        operations: Sequence[Callable[[], object]] = (
            *(self.raw, self.signed, self.statement, self.receipt, self.beat, self.altered, self.key_request),
            *(self.time, self.link, self.officer, self.witness, self.custody, self.parcel, self.bundle),
            *(self.quiet, self.aside, self.presence, self.export, self.restart),
            *(self.lawful,) * 12,
        )
        for _ in range(STEPS_MAX):
            if self.arguments.over:
                break
            operations[self.arguments.byte() % len(operations)]()
            self.check()
        self.flush()
        alpha = self.alpha
        if self.serves:
            holds(alpha.submit("still there").code in {"queued", "full"}, "an officer is not served any more")
        if self.restarts:
            alpha.restart()
            holds(alpha.submit("and after a restart").code in {"queued", "full"}, "the tables do not start again")
            holds(not alpha.ledger_and_tables(), "tables that the ledger does not tell (docs/protocol.md 13.3)")

    def check(self) -> None:
        """What holds after every step."""
        alpha = self.alpha
        deadline = alpha.endpoint.next_deadline()
        holds(deadline is None or isinstance(deadline, int), "a deadline that is no time")
        for inbox in alpha.endpoint.context.inboxes.values():
            holds(inbox.through <= SERIAL_MAX, "a serial that no ledger can write down")
        shown = [(d.fields["plane"], d.fields["serial"]) for d in alpha.told if d.kind == "received"]
        holds(len(shown) == len(set(shown)), "a statement was shown twice (docs/protocol.md 1.1)")

    def link_name(self) -> str:
        return f"relay-{1 + self.arguments.byte() % 3}"

    def hear(self, *frames: bytes) -> Output:
        return self.alpha.hear(self.link_name(), *frames)

    def flush(self, link: str = "relay-1") -> None:
        """Envelopes that waited arrive in one parcel. What is refused changes nothing (docs/protocol.md 4.1)."""
        frames, self.waiting = self.waiting, []
        if not frames:
            return
        refusals = self.alpha.endpoint.context._refusals
        if self.is_watched:
            self.alpha.hear(link, b"\xff")  # so that its clocks have been read at this moment
        before, held = sum(refusals.values()), state(self.alpha.endpoint) if self.is_watched else {}
        output = self.alpha.hear(link, *frames)
        count = sum(refusals.values()) - before
        self.taken += max(0, len(frames) - count) if link != "relay-3" else 0
        if check_refused(output, len(frames)) and self.is_watched:
            places = {place for place in changed(held, state(self.alpha.endpoint)) if not place.startswith(NOTED)}
            holds(not places, f"changed by what was refused: {sorted(places)[:5]}")

    def raw(self) -> None:
        self.hear(self.arguments.text())

    def parcel(self) -> None:
        count = self.arguments.byte()
        part = self.arguments.text()
        self.hear(*[part] * count)

    def say(self, kind: ContentType, plane: Plane, content: bytes, *, transient: bool) -> None:
        inner = self.session.sign(kind, plane, content[:34_000])
        self.waiting.append(envelope_frame(self.session.seal(plane, inner, transient=transient)))
        many, link = self.arguments.byte() % 8 - 4, self.link_name()
        if len(self.waiting) > many:
            self.flush(link)

    def lawful(self) -> None:
        """What BRAVO would say now, with none to three fields of its choice."""
        take, listener = self.arguments, self.alpha.endpoint.context
        moment = Moment(listener, "relay-1", self.alpha.now().wall, self.alpha.memory.rows)
        known = sayings()
        chosen, turn = known[int.from_bytes(take.take(2), "big") % len(known)], take.byte()
        other = Arguments(take.take(take.byte()))
        fields = Fields(other, [row["hash"] for row in self.alpha.memory.rows("sent")])  # type: ignore[misc]
        one = altered(chosen, moment, fields, [turn, *(other.byte() for _ in range(other.byte() % 4))])
        self.say(one.kind, one.plane, one.content, transient=one.kind is ContentType.HEARTBEAT)

    def plane(self) -> Plane:
        return list(Plane)[self.arguments.byte() % 2]

    def signed(self) -> None:
        kind = list(ContentType)[self.arguments.byte() % 4]
        flags = self.arguments.byte()
        self.say(kind, list(Plane)[flags & 1], self.arguments.text(), transient=bool(flags & 2))

    def statement(self) -> None:
        take = self.arguments
        plane = self.plane()
        said = content_pb2.Statement(
            serial=take.number() % 2**64,
            previous_in_precedence=take.number() % 2**64,
            precedence=take.byte() % 6,  # type: ignore[arg-type]
            kind=take.byte() % 6,  # type: ignore[arg-type]
            direction=1 + take.byte() % 2,  # type: ignore[arg-type]
            from_party="BRAVO",
            to_party="ALPHA",
            valid_for_ms=take.number() % 2**64,
            composed_ms=take.number() % 2**64,
            first_serial=take.number() % 2**64,
        )
        if said.kind not in (content_pb2.STATEMENT_KIND_VOID, content_pb2.STATEMENT_KIND_TEST_VOID):
            said.language, said.text = "en", take.text().decode("utf-8", "replace") or "x"
            said.drafter = "channel-test" if said.kind == content_pb2.STATEMENT_KIND_TEST else "liar"
        said.body_salt = bytes((take.byte() % 4,)).ljust(32, b"\0") if said.text else bytes(32)
        said.checkpoint = take.text()[:1_100]
        self.say(ContentType.STATEMENT, plane, encode(said), transient=bool(take.byte() & 1))

    def receipt(self) -> None:
        take = self.arguments
        plane = self.plane()
        rows = [row["hash"] for row in self.alpha.memory.rows("sent")]
        items = [
            content_pb2.ReceiptItem(
                serial=take.number() % 2**64,
                statement=rows[take.byte() % len(rows)] if rows and take.byte() & 1 else take.take(32),  # type: ignore[arg-type]
            )
            for _ in range(take.byte() % 5)
        ]
        stage = take.byte() % 6
        said = content_pb2.Receipt(
            stage=stage,  # type: ignore[arg-type]
            item=items,
            officer="liar" if stage == content_pb2.STAGE_READ else "",
            time_ms=take.number() % 2**64,
            received_through=take.number() % 2**64,
            checkpoint=take.text()[:1_100],
        )
        self.say(ContentType.RECEIPT, plane, encode(said), transient=bool(take.byte() & 1))

    def beat(self) -> None:
        take = self.arguments
        path = self.alpha.endpoint.context.paths["relay-1"]
        said = content_pb2.Heartbeat(
            beat=1 + take.byte(),
            echo=(path._beat - take.byte() % 80) % 2**32,
            path=1 + take.byte() % 2,
            presence=1 + take.byte() % 2,  # type: ignore[arg-type]
            time_ms=WALL + take.number() % 2**63,
            sent_through=take.number() % 2**64,
            received_through=take.number() % 2**64,
            exercise_sent_through=take.number() % 2**64,
            exercise_received_through=take.number() % 2**64,
            prekey_held=take.byte(),
            epoch_opened=take.byte(),
            log_size=take.number() % 2**64,
            echo_delay_ms=take.number() % 2**32,
        )
        flags = take.byte()
        if flags & 1:
            said.announcement.CopyFrom(content_pb2.SignedPrekey(body=take.text(), signature=take.take(64)))
        if flags & 2:
            self.exchange(said.log)
        if flags & 8:
            said.announcement.CopyFrom(self.prekey(LABEL))
        if flags & 16:
            said.courier.prekey.CopyFrom(self.prekey(COURIER_LABEL))
        self.say(ContentType.HEARTBEAT, Plane.REAL, encode(said), transient=not flags & 4)

    def prekey(self, label: str) -> content_pb2.SignedPrekey:
        """One that BRAVO signed, whatever its key is."""
        take, lawful = self.arguments, KemKey(b"k" * 32).public
        shares = (lawful, lawful[:1184] + take.take(32).ljust(32, b"\0"), take.take(1_216).ljust(1_216, b"\0"))
        body = content_pb2.PrekeyBody(
            generation=take.number() % 2**64,
            public_key=shares[take.byte() % 3],
            not_after_ms=1 + take.number() % 2**63,
        )
        content = encode(body)
        signature = prepared().bravo.signing.sign(label, CHARTER, (2).to_bytes(2, "big"), content)
        return content_pb2.SignedPrekey(body=content, signature=signature)

    def exchange(self, log: content_pb2.LogExchange) -> None:
        take = self.arguments
        notes = [*prepared().bravo.memory.log.current.notes, *self.alpha.memory.log.current.notes]
        log.checkpoint = notes[take.byte() % len(notes)] if take.byte() & 1 else take.text()
        log.seen = notes[take.byte() % len(notes)] if take.byte() & 1 else take.text()
        log.proof.extend(take.take(32) for _ in range(take.byte() % 4))
        log.claimed_proof.extend(take.take(32) for _ in range(take.byte() % 4))
        log.proof_from, log.claimed_from, log.claimed_to = (take.number() % 2**64 for _ in range(3))
        log.linked, log.linked_epoch = take.number() % 2**64, take.number() % 2**64
        log.cosignature = take.take(72)
        log.asked, log.answered = bool(take.byte() & 1), bool(take.byte() & 1)

    def altered(self) -> None:
        """What BRAVO would have sent, with one byte changed."""
        session = self.session
        said = STATEMENTS[self.arguments.byte() % len(STATEMENTS)]
        envelope = bytearray(
            session.seal(Plane.REAL, session.sign(ContentType.STATEMENT, Plane.REAL, said), transient=False)
        )
        place = int.from_bytes(self.arguments.take(2), "big") % len(envelope)
        envelope[place] ^= 1 << self.arguments.byte() % 8
        self.waiting.append(envelope_frame(bytes(envelope)))
        self.flush()

    def key_request(self) -> None:
        """Signed by BRAVO, in the clear, saying whatever."""
        session = self.session
        content = self.arguments.text()[:8_000] or encode(content_pb2.KeyRequest(prekey=self.prekey(LABEL)))
        inner = session.sign(ContentType.KEY_REQUEST, Plane.REAL, content)
        header = Header(
            FLAG_CLEAR | FLAG_TRANSIENT, 1, 2, self.arguments.take(12).ljust(12, b"\0"), self.arguments.byte()
        )
        body = encode_inner(Inner(inner.type, inner.content, inner.signature), padded=False)
        self.hear(envelope_frame(header.encode() + body))

    def time(self) -> None:
        self.world.time += self.arguments.number() % 100_000 * 100
        self.alpha.offset += self.arguments.byte() * 100 if self.arguments.byte() & 1 else 0
        self.alpha.step(Tick())

    def link(self) -> None:
        name = self.link_name()
        self.alpha.step(LinkOpened(name) if self.arguments.byte() & 1 else LinkClosed(name, "fuzz"))

    def officer(self) -> None:
        take, alpha = self.arguments, self.alpha
        request, plane = RequestId(1 + take.byte()), self.plane()
        match take.byte() % 3:
            case 0:
                said = take.text().decode("utf-8", "surrogateescape")
                alpha.step(
                    Submit(request, plane, take.byte() % 6, "en", 1 + take.byte() % 2, said, "watch", take.number())
                )  # type: ignore[arg-type]
            case 1:
                alpha.step(MarkRead(request, plane, take.number(), "watch"))
            case _:
                alpha.step(SendTest(request, "watch"))

    def quiet(self) -> None:
        """BRAVO says something without prejudice, or what may not be said so."""
        take = self.arguments
        said = content_pb2.Statement(
            serial=take.number() % 2**64,
            previous_in_precedence=take.number() % 2**64,
            precedence=take.byte() % 6,  # type: ignore[arg-type]
            kind=(10, 10, 10, 11, 1)[take.byte() % 5],  # type: ignore[arg-type]
            language="en",
            direction=1,  # type: ignore[arg-type]
            from_party="BRAVO",
            to_party="ALPHA",
            drafter="liar",
            text=take.text().decode("utf-8", "replace") or "x",
            body_salt=bytes((take.byte() % 4,)).ljust(32, b"\1"),
            first_serial=take.number() % 2**64,
            checkpoint=take.text()[:1_100] if take.byte() & 1 else b"",
        )
        if take.byte() & 1:
            rows = [row["hash"] for row in self.alpha.memory.rows("sent")]
            known = rows[take.byte() % len(rows)] if take.byte() & 1 else take.take(32)
            said.put_on_record.CopyFrom(content_pb2.Reference(serial=take.number() % 2**64, statement=known))  # type: ignore[arg-type]
            said.of_recipient = bool(take.byte() & 1)
        kind = ContentType.STATEMENT if take.byte() % 8 == 0 else ContentType.WITHOUT_PREJUDICE
        self.say(kind, self.plane(), encode(said), transient=bool(take.byte() & 1))

    def aside(self) -> None:
        """An officer of ours says something without prejudice, or wants one on record."""
        take, request = self.arguments, RequestId(1 + self.arguments.byte())
        said = take.text().decode("utf-8", "surrogateescape")
        event = Submit(request, self.plane(), take.byte() % 6, "en", 1, said, "watch", without_prejudice=True)  # type: ignore[arg-type]
        if take.byte() & 1:
            event = replace(event, put_on_record=take.number(), of_peer=bool(take.byte() & 1))
        self.alpha.step(event)

    def presence(self) -> None:
        """Any word, any time; and a question."""
        take, request = self.arguments, RequestId(1 + self.arguments.byte())
        words = ("alive", "consulting", "declined", "principal-absent", "degraded", "closing", "")
        if take.byte() & 1:
            self.alpha.step(AskPresence(request, "watch"))
            return
        number = take.byte() % (len(words) + 1)
        word = words[number] if number < len(words) else take.text().decode("utf-8", "surrogateescape")
        self.alpha.step(SetPresence(request, "watch", word, take.number()))

    def restart(self) -> None:
        """Power off and on in the midst of it; seldom, for it takes long."""
        if self.arguments.byte() < 32:
            self.alpha.restart()

    def export(self) -> None:
        """A bundle for the courier, at any moment, which the other side can read."""
        self.alpha.step(ExportBundle(RequestId(302), "watch"))
        data = self.alpha.replies[302].fields["bundle"]
        holds(isinstance(data, bytes) and len(data) <= BUNDLE_BYTES_MAX, "no bundle, or one that nobody takes")

    def witness(self) -> None:
        take, alpha = self.arguments, self.alpha
        notes = alpha.memory.log.current.notes
        note = notes[take.byte() % len(notes)] if take.byte() & 1 else take.text()
        alpha.step(HeadSeen("w", note) if take.byte() & 1 else Cosigned(note, take.text()))

    def custody(self) -> None:
        names = [self.arguments.take(32) for _ in range(self.arguments.byte() % 4)]
        self.alpha.hear("relay-1", self.world.custody_frame("relay-1", self.arguments.byte() % 3, names))

    def bundle(self) -> None:
        """A bundle that BRAVO signed, whatever is in it, or just a file."""
        take, session = self.arguments, self.session
        flags = take.byte()
        if not flags & 1:
            self.alpha.step(ImportBundle(RequestId(300), "watch", take.text()))
            return
        inner = session.sign(ContentType.STATEMENT, Plane.REAL, take.text()[:34_000])
        sealed = session.seal(Plane.REAL, inner, transient=bool(take.byte() & 1))
        prekey = content_pb2.SignedPrekey(body=take.text(), signature=take.take(64))
        if flags & 2:
            prekey = self.prekey(COURIER_LABEL)
        body = bundle_pb2.BundleBody(
            charter=CHARTER,
            from_terminal=2,
            to_terminal=1,
            made_ms=take.number() % 2**64,
            envelope=[sealed, take.text()],
            prekey=prekey,
        )
        self.alpha.step(ImportBundle(RequestId(301), "watch", encode_bundle(prepared().bravo.signing, body)))


def endpoint(data: bytes) -> None:
    """What others say to one terminal."""
    play(Scene(data), "peer")


def endpoint_seeds() -> list[bytes]:
    """A short program for each operation, and some that play contents from the vectors."""
    lawful = (
        bytes((2, 0))
        + b"".join(map(argument, (2, 1)))
        + bytes((1, 1, 0, 0, 0, 0))
        + text(b"hello")
        + b"\1"
        + text(b"")
        + b"\0\0"
    )
    beat = bytes((4, 9, 0, 0, 0)) + b"".join(map(argument, (0, 2, 2, 1, 1))) + bytes((0, 0, 5, 0, 0, 0))
    played = [
        bytes((1, number, 0)) + text(content) + b"\0"
        for number, kind in enumerate(("statement", "receipt", "heartbeat"))
        for content in asked(kind, "content")[:4]
    ]
    hello = encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay="relay-2")))
    frames = [bytes((0,)) + text(hello) + b"\1", bytes((12, 20)) + text(b"\xff") + b"\0"]
    others = [bytes((number, *range(1, 40))) for number in range(19)]
    said = [bytes((19, *divmod(number, 256), 0, 0, 0, 0)) for number in range(len(sayings()))]
    submitted = bytes((9, 5, 0, 0)) + text(b"hello") + b"\1\0\0"
    keys = [
        bytes((6, 0, 0)) + bytes(1_248) + argument(2**63) + bytes((kind,)) + argument(2**62) + bytes(14) + submitted
        for kind in range(3)
    ]
    return [lawful, lawful + lawful, lawful + beat, beat, *played, *frames, *others, *said, *keys]


def talk(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Programs in which the liar mostly says what it could, now and then with fields of its choice."""
    made, others = b"", b""
    for _ in range(rng.randrange(2, 10)):
        choices = rng.randbytes(rng.choice((0, 5, 10, 20)))
        said = bytes((19, 0, rng.randrange(256), rng.randrange(256), len(choices))) + choices
        link = rng.choice((0, 0, 0, 1, 2))
        made += said + bytes((rng.randrange(8), link))
        if rng.randrange(4) == 0:
            others += chained(rng, seeds)
    # What takes a text may take all that is behind it.
    return others + made if rng.randrange(8) == 0 else made + others


# --- the relay -------------------------------------------------------------------------------------------------------
HOTLINE = Hotline(CHARTER, {"fp-a": 1, "fp-b": 2, "fp-c": 3})
STREAMS = ("a", "b", "c", "d")


class Crowd:
    """A relay with three terminals, of which two are attached, and a stranger, each on a stream of its own."""

    def __init__(self, data: bytes) -> None:
        self.take, self.now = Arguments(data), Instant(1_000, WALL)
        self.machine = Relay("relay-1", SigningKey(b"r" * 32), [HOTLINE], [])
        self.rows: dict[tuple[object, ...], Row] = {}
        self.custody: set[bytes] = set()
        self.taken = 0
        """Frames that were not refused, without the first ones."""
        for number, link in enumerate(STREAMS[:2], 1):
            self.step(LinkOpened(link, f"fp-{link}"))
            self.step(FramesReceived(link, (hello(number),)))
        self.taken = 0

    def run(self, restarts: bool) -> None:
        """Every operation, and for some inputs a restart."""
        for _ in range(4 * STEPS_MAX):
            if self.take.over:
                break
            self.step(self.event(STREAMS[self.take.byte() % 4]))
        if restarts:
            self.step(Closing())
            saved = [(row["charter"], row["terminal"], _held(row)) for row in self.rows.values()]
            again: Any = Relay("relay-1", SigningKey(b"r" * 32), [HOTLINE], saved)  # type: ignore[arg-type]
            same = all(list(again.mailboxes[place]) == list(box) for place, box in self.machine.mailboxes.items())
            holds(same, "after a restart it holds something else")

    def event(self, link: str) -> Any:
        """The next one."""
        take, own = self.take, 1 + STREAMS.index(link)
        match take.byte() % 8:
            case 0:
                return LinkOpened(link, f"fp-{link}")
            case 1:
                return LinkClosed(link, "fuzz")
            case 2:
                version, kind = take.byte(), take.byte()
                return FramesReceived(
                    link, (hello(kind % 5 if kind >= 0x80 else own, version % 3 if version >= 0x80 else 1, kind),)
                )
            case 3 | 4:
                numbers = [take.byte() for _ in range(4)]
                sender, recipient = (own if numbers[1] < 0xD0 else numbers[1] % 5), numbers[2] % (3 + numbers[2] // 64)
                flags = numbers[0] % (3 if numbers[0] < 0xD0 else 8)
                header = Header(flags, 1 + recipient, sender, take.take(1).ljust(12, b"e"), numbers[3] % 4)
                return FramesReceived(link, (envelope_frame(header.encode() + take.text()),) * (1 + take.byte() % 3))
            case 5:
                names = [
                    bytes((0, take.byte() % 5)) + take.take(1).ljust(12, b"e") + (take.byte() % 4).to_bytes(4, "big")
                    for _ in range(take.byte() % 4)
                ]
                return FramesReceived(link, (encode(frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=names))),))
            case 6:
                return FramesReceived(link, (take.text(),))
            case _:
                later = take.number() % 10**9
                self.now = Instant(self.now.mono + later, self.now.wall + later)
                return Tick() if take.byte() else Closing()

    def step(self, event: Any) -> None:
        """One step, and what holds after it."""
        known, before = event.link in self.machine._streams if hasattr(event, "link") else False, self.machine.refused
        out = self.machine.step(event, self.now)
        refused, frames = self.machine.refused - before, len(getattr(event, "frames", ()))
        self.taken += max(0, frames - refused) if known else 0
        holds(not frames or refused < frames or not out.changes, "what is refused has changed a mailbox")
        for change in out.changes:
            if isinstance(change, Put):
                self.rows[change.row["charter"], change.row["terminal"], change.row["envelope_id"]] = change.row
                self.custody.add(hashlib.sha256(decode_frame(_held(change.row).frame).envelope).digest())
            else:
                del self.rows[tuple(change.match[name] for name in ("charter", "terminal", "envelope_id"))]
        _check_relay(self.machine, out, self.custody)


def _held(row: Row) -> Held:
    return Held(*(row[name] for name in ("envelope_id", "name", "frame", "stored_at")))  # type: ignore[arg-type]


def hello(terminal: int, version: int = 1, charter: int = 1) -> bytes:
    """What a stream says first."""
    said = frame_pb2.Hello(version=version, charter=CHARTER if charter else b"", terminal=terminal)
    return encode(frame_pb2.Frame(hello=said))


def relay(data: bytes) -> None:
    """A refusal out of `step` is a find as well."""
    try:
        crowd = Crowd(data)
        crowd.run(is_one_in(RESTART_EVERY, data))
    except HotlineError as error:
        raise AssertionError(f"step raised {error!r}") from error
    if not crowd.taken:
        raise Shallow("no frame was taken")


def _check_relay(machine: Relay, out: Output, stored: set[bytes]) -> None:
    """Custody only for what this or an earlier transaction stored; nothing to strangers; bounded mailboxes."""
    for item in (*out.express, *out.transmit):
        holds(len(item.frame) <= FRAME_BYTES_MAX and item.link in STREAMS, "a frame that no terminal would take")
        body = decode_frame(item.frame)
        if body.WhichOneof("body") == "custody":
            names = set(frame_pb2.CustodyBody.FromString(body.custody.body).envelope)
            holds(names <= stored, "custody for what is not stored (docs/protocol.md 5.6)")
    holds(all(len(mailbox) <= MAILBOX_ENVELOPES_MAX for mailbox in machine.mailboxes.values()), "a mailbox without end")
    admitted = {link for link, stream in machine._streams.items() if stream.hotline is not None}
    holds(admitted == set(machine._attached.values()), "attached without a stream that is admitted")


def relay_seeds() -> list[bytes]:
    """The third terminal attaches, one sends, the other takes; streams close and come again; time passes."""
    third = bytes((2, 0, 2, 2, 1, 1))
    stored = bytes((0, 3, 0, 0, 2, 0, 7)) + text(b"sealed") + b"\0"
    forwarded = bytes((0, 3, 0, 0, 1, 1, 8)) + text(b"sealed") + b"\1"
    passing = bytes((1, 4, 2, 0, 0, 2, 9)) + text(b"sealed") + b"\0"
    taken = bytes((1, 5, 1, 1, 8, 1))
    wait, long = (bytes((0, 7)) + argument(number) + b"\1" for number in (100, 10**9))
    again = bytes((0, 1, 0, 0, 0, 2, 1, 1))
    return [
        *(third, stored, forwarded, passing, taken, wait, long, again),
        stored + third + bytes((2, 5, 1, 1, 7, 0)) + long,
        forwarded + taken + wait,
        bytes((3, 0, 3, 2, 1, 1)),
        bytes((0, 7, 0, 0)),
        bytes((0, 6)) + text(b"\xff"),
    ]


# --- the witness over HTTP -------------------------------------------------------------------------------------------
@cache
def _witness() -> WitnessServer:
    """A real server with a real database; connections come in pairs of sockets, not over its port."""
    ours = Ed25519Cosigner("witness.example/w1", SigningKey(b"w" * 32))
    store = WitnessStore(scratch() / "witness")
    return WitnessServer("127.0.0.1:0", WitnessService(JudgingWitness(lambda origin: None, [ours]), store))


def witness_http(data: bytes) -> None:
    """Whatever a connection says: its handler ends, and of itself."""
    server = _witness()
    near, far = socket.socketpair()
    with near, far:
        near.sendall(data[:4_000])
        near.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            server.finish_request(far, ("127.0.0.1", 1))


def witness_http_seeds() -> list[bytes]:
    """Requests as terminals make them, and what scanners send."""
    requests = asked("witness", "request")[:4]
    return [
        b"GET /" + b"0" * 64 + b"/checkpoint HTTP/1.1\r\nHost: w\r\n\r\n",
        *(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(one) + one for one in requests),
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 5\r\n\r\nold",
        b"GET / HTTP/0.9\r\n\r\n",
    ]


MACHINES: dict[str, Target] = {
    "witness-http": Target(witness_http, witness_http_seeds, 2_000),
    "endpoint": Target(endpoint, endpoint_seeds, 3_000, talk),
    "relay": Target(relay, relay_seeds, 1_000, chained),
}
"""Name to target, as in `targets.TARGETS`."""
