"""The operator socket: requests of officers before the real service and the real machine.

An input is a program. Each operation is one call of the service, by its name and its request: bytes as they come, a
message built field by field, or a lawful request of this moment with some of its fields replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any, NoReturn

from google.protobuf.message import DecodeError, Message

from hotline.charter.model import load_charter
from hotline.errors import HotlineError
from hotline.limits import OPERATOR_REQUEST_BYTES_MAX
from hotline.machine import Output, Plane, Put, Reply, RequestId
from hotline.protocol.events import AskChallenge, EndpointEvent
from hotline.protocol.handover import LABEL, signed_parts
from hotline.runtime.operators import OperatorService
from hotline.runtime.store import EndpointStore
from hotline.runtime.watchers import Watchers
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.fuzz.copies import Still, Template
from tests.fuzz.disk import stored
from tests.fuzz.fields import Fields
from tests.fuzz.machines import OFFICER_EVERY, RESTART_EVERY, Arguments, Shallow, text
from tests.fuzz.mutation import chained
from tests.fuzz.papers import agreed, given
from tests.fuzz.targets import Target, asked, holds, is_one_in, scratch
from tests.hotline.protocol.offices import DRAFTER, OFFICERS, RELEASER, TWO, key_of, signed
from tests.hotline.protocol.pair import Pair, Party
from tests.hotline.protocol.quartet import Quartet
from tests.hotline.runtime.store_writer import open_store

METHODS = tuple(
    method for method in operator_pb2.DESCRIPTOR.services_by_name["OperatorService"].methods if method.name != "Watch"
)
"""`Watch` has no request, and an answer without end."""
NAMES = [method.name for method in METHODS]
STEPS_MAX = 12
"""Calls of one input."""


class Aborted(HotlineError):
    """The service ended a call with a status and a sentence: a refusal."""


class Call:
    """What the service sees of a call."""

    async def abort(self, status: object, reason: str) -> NoReturn:
        """End it."""
        raise Aborted(f"{status}: {reason}")


class Door:
    """The driver's place: every request is stepped at once, and must be answered."""

    def __init__(self, party: Party, *, tables: bool = True) -> None:
        self._party, self._tables = party, tables
        self._asked = 0

    async def ask(self, make: Callable[[RequestId], EndpointEvent]) -> Reply:
        """The machine's answer."""
        self._asked += 1
        request = RequestId(10_000 + self._asked)
        try:
            made = make(request)
            output = self._party.step(made)
        except HotlineError as error:
            raise AssertionError(f"step raised {error!r}") from error
        if self._tables:
            stored(output)
        answers = [reply for reply in output.replies if reply.request == request]
        holds(len(answers) == 1, "a request that is answered otherwise than once: its officer waits for ever")
        if not answers[0].ok:
            changed = {change.table for change in output.changes}
            holds(
                not changed, f"{type(made).__name__}: refused ({answers[0].code}), and yet changed: {sorted(changed)}"
            )
        return answers[0]


def service_of(party: Party, store: EndpointStore, officer: str | None = "watch", *, tables: bool = True) -> Any:
    """The real service of one caller."""
    door: Any = Door(party, tables=tables)
    return OperatorService(door, party.endpoint, store, Watchers(), officer, lambda: {"alarms": []})


async def _pieces(requests: list[Message]) -> AsyncIterator[Message]:
    for request in requests:
        yield request


async def call(service: Any, name: str, requests: list[Message]) -> list[Message]:
    """Make one call; everything that is answered."""
    method = METHODS[NAMES.index(name)]
    if method.server_streaming:
        found = [one async for one in getattr(service, name)(requests[0], Call())]
    else:
        found = [await getattr(service, name)(_pieces(requests) if method.client_streaming else requests[0], Call())]
    for one in found:
        holds(one.ByteSize() <= 2**22, f"{name}: an answer that no client takes")
        encode(one)
    return found


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


# --- lawful requests -------------------------------------------------------------------------------------------------
Lawful = Message | Callable[[], Message]
"""A request, or what makes one, where that takes long."""


def lawful(party: Party, serial: int = 1) -> Iterator[Lawful]:
    """Requests that this terminal takes, or could have taken a moment ago."""
    said = operator_pb2.SubmitRequest(
        precedence=1,  # type: ignore[arg-type]
        language="en",
        direction=1,  # type: ignore[arg-type]
        text="We shall not fire.",
        request_key=bytes(16),
        exercise=True,
        action=["alpha-command"],
    )
    yield said
    service = operator_pb2.SubmitRequest()
    service.CopyFrom(said)
    service.exercise, service.service, service.request_key = False, True, b"1" * 16
    service.ClearField("action")
    yield service
    flash = operator_pb2.SubmitRequest()
    flash.CopyFrom(said)
    flash.exercise, flash.precedence, flash.in_reply_to = False, 4, serial  # type: ignore[assignment]
    yield operator_pb2.MakeDraftRequest(statement=flash)
    for draft, _ in party.endpoint.drafts.listed()[-1:]:
        statement = decode(content_pb2.Statement, draft.content, 2 * OPERATOR_REQUEST_BYTES_MAX)
        plane = Plane.EXERCISE if draft.exercise else Plane.REAL
        charter = party.setup.charter
        for name, role, mandate in (
            ("duty-1", DRAFTER, b""),
            ("release-1", RELEASER, b""),
            ("duty-1", RELEASER, given()),
        ):
            yield partial(_signed, draft.number, statement, name, role, plane, charter, party.now().wall, mandate)
        yield operator_pb2.ReleaseDraftRequest(number=draft.number)
        yield operator_pb2.RejectDraftRequest(number=draft.number, reason="not now")
    yield operator_pb2.ListDraftsRequest(finished=True)
    for exercise in (False, True):
        yield operator_pb2.ReadRequest(exercise=exercise, serial=serial)
        yield operator_pb2.MarkShownRequest(exercise=exercise, serial=serial, principal="principal-1")
        yield operator_pb2.PromiseReplyRequest(exercise=exercise, serial=serial, reply_by_ms=party.now().wall + 600_000)
        for ours in (False, True):
            yield operator_pb2.ListStatementsRequest(exercise=exercise, sent=ours, serial=serial)
            yield operator_pb2.ListStatementsRequest(exercise=exercise, sent=ours, unread_only=not ours, limit=3)
            yield operator_pb2.AskChallengeRequest(exercise=exercise, serial=serial, sent=ours)
            translation = operator_pb2.TranslateRequest(
                exercise=exercise,
                serial=serial,
                sent=ours,
                grade=1,  # type: ignore[arg-type]
                translator="linguist-1",
                language="hi",
                direction=1,  # type: ignore[arg-type]
                text="translated",
                send=ours,
            )
            yield translation
            yield operator_pb2.MakeDraftRequest(translation=translation)
    for number in sorted({int(str(row["serial"])) for row in party.memory.rows("challenge") if row["way"] != "sent"}):
        yield operator_pb2.AnswerChallengeRequest(serial=number, verdict=1, text="it is ours")  # type: ignore[arg-type]
    yield operator_pb2.ListChallengesRequest(limit=5)
    yield operator_pb2.TestChannelRequest(request_key=b"2" * 16)
    yield operator_pb2.ListTestsRequest(limit=5)
    yield operator_pb2.SetPresenceRequest(presence="consulting", until_ms=party.now().wall + 600_000)
    yield operator_pb2.AskPresenceRequest()
    yield operator_pb2.GetHandoverRequest()
    yield partial(_handover, party)
    yield operator_pb2.ListHandoversRequest(number=1)
    step = [operator_pb2.ChecklistStep(outcome="done"), operator_pb2.ChecklistStep(outcome="skipped", reason="none")]
    yield operator_pb2.RecordChecklistRequest(name="opening-the-watch", file=bytes(32), step=step)
    yield operator_pb2.GetCharterRequest()
    for note in agreed():
        yield operator_pb2.ActivateCharterRequest(note=note)
    yield operator_pb2.ExportBundleRequest()
    yield operator_pb2.ImportBundleRequest(piece=asked("bundle", "bytes")[0])
    yield operator_pb2.GetStatusRequest()
    yield operator_pb2.SetTerminalRequest(speak=True)


def _signed(
    number: int,
    statement: content_pb2.Statement,
    name: str,
    role: content_pb2.Role.ValueType,
    plane: Plane,
    charter: bytes,
    at: int,
    mandate: bytes,
) -> operator_pb2.SignDraftRequest:
    release = signed(statement, name, role, plane=plane, charter=charter, at=at, mandate=mandate)
    return operator_pb2.SignDraftRequest(number=number, release=release)


def made(one: Lawful) -> Message:
    """The request."""
    return one() if callable(one) else one


def _handover(party: Party) -> operator_pb2.SignHandoverRequest:
    listed = party.endpoint.handovers.listed()
    parts = signed_parts(party.setup.charter, party.number, listed, "watch", "all quiet")
    signature = key_of("duty-1").sign(LABEL, *parts)
    name = hashlib.sha256(listed).digest()
    return operator_pb2.SignHandoverRequest(oncoming="duty-1", list_hash=name, notes="all quiet", signature=signature)


def name_of(request: Message) -> str:
    """The call that takes a request."""
    return request.DESCRIPTOR.name.removesuffix("Request")


# --- the scene -------------------------------------------------------------------------------------------------------
@cache
def prepared(several: bool) -> tuple[Party, EndpointStore]:
    """A terminal in the middle of a talk, beside a sibling if `several`, and its store as it is then."""
    pair: Pair = Quartet(seed=5) if several else Pair(seed=5)
    note, _ = agreed()
    standing = replace(load_charter(note), officers=tuple(OFFICERS.values()))
    for party in getattr(pair, "all", (pair.alpha, pair.bravo)):
        policy = {"release": TWO} if party.name == "ALPHA" else {}
        party.prepare(standing=standing, note=note, **policy)
    pair.open(4_000)
    store = open_store(scratch() / f"operators-{several}")
    for number, plane in enumerate((*Plane, *Plane, *Plane)):
        pair.bravo.submit(f"theirs, {number}", plane=plane)
    pair.run(1_000)
    alpha = pair.alpha
    for request in map(made, lawful(alpha)):
        if name_of(request) not in {"ActivateCharter", "ImportBundle"}:
            with contextlib.suppress(Aborted):
                _loop().run_until_complete(call(service_of(alpha, store, tables=False), name_of(request), [request]))
            pair.run(100)
    for serial, ours in ((1, True), (1, False), (2, False)):
        pair.bravo.step(AskChallenge(RequestId(900 + serial), "watch", Plane.EXERCISE, serial, ours))
    pair.run(2_000)
    pair.cut()
    now = alpha.now()
    rows = [Put(table, row) for table, rows in alpha.memory.tables.items() for row in rows.values()]
    store.commit([Output(changes=rows)], now)
    for kept in (alpha.records, alpha.told, alpha.replies):
        kept.clear()  # type: ignore[attr-defined]
    alpha.pair = Still(pair)  # type: ignore[assignment]
    return alpha, store


@cache
def template(several: bool) -> Template[Party]:
    """What copies of the terminal are made from."""
    party, _ = prepared(several)
    return Template(party, (party.setup, party.setup.standing, party.setup.release))


class Scene:
    """One copy of the prepared terminal."""

    def __init__(self, data: bytes) -> None:
        self.take = Arguments(data)
        kind = self.take.byte()
        _, self.store = prepared(bool(kind & 1))
        self.party = template(bool(kind & 1)).copy()
        self.restarts = is_one_in(RESTART_EVERY, data)
        self.serves = self.restarts or is_one_in(OFFICER_EVERY, data)
        self.fields = Fields(self.take, [row["hash"] for row in self.party.memory.rows("sent")])  # type: ignore[misc]
        self.taken = 0
        """Calls that were answered."""
        self.service = service_of(self.party, self.store, None if kind & 0xF0 == 0xF0 else "watch")

    async def run(self) -> None:
        """Every call, and after some an officer, and a restart."""
        for _ in range(STEPS_MAX):
            if self.take.over:
                break
            with contextlib.suppress(HotlineError):
                name, requests = self.request()
                await call(self.service, name, requests)
                self.taken += 1
        if not self.serves:
            return
        officer = service_of(self.party, self.store)
        (status,) = await call(officer, "GetStatus", [operator_pb2.GetStatusRequest()])
        holds(bool(status.json), "no picture any more")  # type: ignore[attr-defined]
        if not self.restarts:
            return
        self.party.restart()
        reply = self.party.submit("after a restart", plane=Plane.EXERCISE)
        holds(reply.code in {"queued", "full", "standby"}, "the tables do not start again")

    def request(self) -> tuple[str, list[Message]]:
        """The next call, and its request; several for a stream of them."""
        take = self.take
        kind = take.byte()
        if kind < 0x80:
            every = list(lawful(self.party, 1 + take.byte() % 4))
            chosen = made(every[take.byte() % len(every)])
            for _ in range(kind % 4):
                self.fields.replace(chosen, take.byte())
            return name_of(chosen), [chosen]
        method = METHODS[take.byte() % len(METHODS)]
        if kind < 0xC0:
            return method.name, [self.fields.built(method.input_type) for _ in range(1 + kind % 3)]
        parts = [take.text() for _ in range(1 + kind % 3)]
        try:
            return method.name, [method.input_type._concrete_class.FromString(part) for part in parts]
        except DecodeError as error:
            raise Aborted("gRPC refuses it") from error


def operators(data: bytes) -> None:
    """Whatever an officer asks, the service answers, the tables take what it decides, and it serves the next one."""
    scene = Scene(data)
    _loop().run_until_complete(scene.run())
    if not scene.taken:
        raise Shallow("no call was answered")


def operators_seeds() -> list[bytes]:
    """Each lawful request, as it is and as bytes, in both scenes; some altered, and calls built of anything."""
    every = list(map(made, lawful(prepared(False)[0])))
    raw = [
        bytes((0, 0xC0, NAMES.index(name_of(one)))) + text(data) for one in every if len(data := encode(one)) < 3_000
    ]
    plain = [bytes((place % 2, *(part for number in range(4) for part in (0, number, (place + number) % len(every)))))
             for place in range(0, len(every), 2)]  # fmt: skip
    altered = [bytes((1, 3, 1, number, *range(7, 30))) for number in range(len(every))]
    built = [bytes((0, 0x81, number, *range(1, 60, 2))) for number in range(len(METHODS))]
    return [*raw, *plain, *altered, *built, b"\xf0\0\0\0\1"]


OPERATORS: dict[str, Target] = {"operators": Target(operators, operators_seeds, 1_000, chained)}
"""Name to target, as in `targets.TARGETS`."""
