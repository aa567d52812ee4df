"""What a peer could lawfully say at one moment, and the same with some fields of its choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message

from hotline.limits import SERIAL_MAX
from hotline.machine import Plane, RequestId
from hotline.protocol.context import Context
from hotline.protocol.events import (
    AskChallenge,
    AskPresence,
    MarkRead,
    MarkShown,
    PromiseReply,
    SendTest,
    SetPresence,
    Translate,
)
from hotline.protocol.session import Session
from hotline.protocol.tables import Row
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2
from tests.fuzz.fields import Fields
from tests.fuzz.targets import published
from tests.hotline.protocol.pair import WALL, Pair

KINDS: dict[ContentType, type[Message]] = {
    ContentType.STATEMENT: content_pb2.Statement,
    ContentType.WITHOUT_PREJUDICE: content_pb2.Statement,
    ContentType.RECEIPT: content_pb2.Receipt,
    ContentType.HEARTBEAT: content_pb2.Heartbeat,
}


@dataclass(frozen=True, slots=True)
class Saying:
    """One content."""

    kind: ContentType
    plane: Plane
    content: bytes


def acts() -> Iterator[Callable[[Pair], object]]:
    """What BRAVO does, each in a world of its own."""
    for plane in Plane:
        for precedence in content_pb2.Precedence.values()[1:]:
            yield lambda pair, plane=plane, precedence=precedence: pair.bravo.submit("said", precedence, plane)  # type: ignore[misc]
    for more in (
        {"corrects": 1},
        {"corrects": 1, "retracts": True},
        {"in_reply_to": 1},
        {"without_prejudice": True},
        {"action": ("alpha-command",), "info": ("alpha-desk",), "reference": "B/1"},
    ):
        yield lambda pair, more=more: pair.bravo.submit("said", **more)  # type: ignore[misc]
    for event in (
        SendTest(RequestId(1), "watch"),
        MarkRead(RequestId(1), Plane.REAL, 1, "watch"),
        MarkShown(RequestId(1), Plane.REAL, 1, "watch", "principal-1"),
        PromiseReply(RequestId(1), Plane.REAL, 1, "watch", WALL + 600_000),
        Translate(RequestId(1), Plane.REAL, 1, True, 1, "linguist-1", "hi", 1, "translated", "watch"),
        AskChallenge(RequestId(1), "watch", Plane.REAL, 1, True),
        AskChallenge(RequestId(1), "watch", Plane.REAL, 1, False),
        SetPresence(RequestId(1), "watch", "consulting", WALL + 600_000),
        AskPresence(RequestId(1), "watch"),
    ):  # fmt: skip
        yield lambda pair, event=event: pair.bravo.step(event)  # type: ignore[misc]
    yield lambda pair: pair.alpha.submit("to be delivered")
    yield lambda pair: pair.bravo.restart()


def bravo_alone(pair: Pair) -> list[Session]:
    """Where BRAVO speaks to ALPHA."""
    return [pair.bravo.endpoint.context.session]


def said(
    world: Callable[[], Pair],
    done: Iterable[Callable[[Any], object]],
    speakers: Callable[[Any], list[Session]] = bravo_alone,
) -> tuple[Saying, ...]:
    """What is said in `world()` by all that is `done`; one for each shape, with the published contents."""
    found: dict[object, Saying] = {}

    def note(kind: ContentType, plane: Plane, content: bytes) -> None:
        if kind in KINDS:
            found.setdefault((kind, plane, shape(KINDS[kind].FromString(content))), Saying(kind, plane, content))

    for act in done:
        pair = world()
        for session in speakers(pair):

            def spy(kind: ContentType, plane: Plane, content: bytes, sign: Any = session.sign) -> Inner:
                note(kind, plane, content)
                made: Inner = sign(kind, plane, content)
                return made

            session.sign = spy  # type: ignore[method-assign]
        act(pair)
        pair.run(600)
    for name, kind in (
        ("statement", ContentType.STATEMENT),
        ("non-paper", ContentType.WITHOUT_PREJUDICE),
        ("receipt", ContentType.RECEIPT),
        ("heartbeat", ContentType.HEARTBEAT),
    ):
        for case in published()[name].cases:
            if case.expected["accept"] and len(case.asked["content"]) < 4_000:
                note(kind, Plane(case.asked.get("plane", "real")), bytes.fromhex(case.asked["content"]))
    return tuple(found.values())


def shape(message: Message) -> object:
    """Which fields are set, and of what sort it is: two of one shape go one way."""
    sort = tuple(getattr(message, name) for name in ("kind", "stage", "presence") if hasattr(message, name))
    return sort, tuple(
        (field.number, shape(value) if field.message_type is not None and not field.is_repeated else None)
        for field, value in message.ListFields()
    )


class Moment:
    """What one listener knows, so that a saying can be one of now."""

    def __init__(self, listener: Context, path: str, wall: int, rows: Callable[[str], Sequence[Row]]) -> None:
        self._listener, self._path, self._wall, self._rows = listener, listener.paths[path], wall, rows

    def aim(self, message: Any, plane: Plane, turn: int) -> None:
        """Give it the numbers and names that it would have now; `turn` says which where there are several."""
        match message:
            case content_pb2.Statement():
                self._statement(message, plane, turn)
            case content_pb2.Receipt():
                sent = [row for row in self._rows("sent") if row["plane"] == plane.value]
                for place, item in enumerate(message.item if sent else ()):
                    row = sent[(turn + place) % len(sent)]
                    item.serial, item.statement = row["serial"], row["hash"]
                message.received_through = min(message.received_through, SERIAL_MAX)
            case content_pb2.Heartbeat():
                path, ctx = self._path, self._listener
                message.beat, message.echo = path.peer_beat % (2**32 - 1) + 1, path._beat
                message.path, message.time_ms = path.setup.number, self._wall
                message.sent_through = ctx.inboxes[Plane.REAL].highest
                message.received_through = ctx.outboxes[Plane.REAL].last_serial

    def _statement(self, message: content_pb2.Statement, plane: Plane, turn: int) -> None:
        listener, local = self._listener, self._listener.setup.local.party
        other = next(side.party for side in listener.standing.sides.values() if side.party != local)
        highest = listener.outboxes[plane].last_serial if listener.sibling else listener.inboxes[plane].through
        message.from_party, message.to_party = (local, other) if listener.sibling else (other, local)
        if listener.setup.everyone:
            message.from_party, message.to_party = listener.setup.remote.party, "*"
        message.serial = highest + (1, 1, 1, 1, 2, 3, 0, 5)[turn % 8] or 1
        message.previous_in_precedence = min(message.previous_in_precedence, message.serial - 1)
        message.first_serial = min(message.first_serial, message.serial - 1)
        if message.composed_ms:
            message.composed_ms = self._wall
        for name, way in (("in_reply_to", "sent"), ("corrects", "received"), ("put_on_record", "received")):
            known = [row for row in self._rows(way) if row["plane"] == plane.value]
            if message.HasField(name) and known:  # type: ignore[arg-type]
                row = known[turn % len(known)]
                reference = getattr(message, name)
                reference.serial, reference.statement = row["serial"], row["hash"]


def altered(saying: Saying, moment: Moment, fields: Fields, choices: Sequence[int]) -> Saying:
    """The saying as of now, with a field of another value for each of `choices` but the first."""
    message = KINDS[saying.kind].FromString(saying.content)
    turn, *numbers = choices
    moment.aim(message, saying.plane, turn)
    for number in numbers:
        fields.replace(message, number)
    return replace(saying, content=encode(message))
