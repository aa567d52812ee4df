"""What one caller may ask of a terminal, without a socket: the door to it is tested in test_gate.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from hotline.errors import StorageError
from hotline.machine import Delivery, Reply, RequestId
from hotline.protocol.events import EndpointEvent, ImportBundle, SendTest, Submit
from hotline.runtime.onceonly import REMEMBERED_KEYS, OnceOnly
from hotline.runtime.operators import OperatorService
from hotline.runtime.watchers import Watchers
from hotline.wire.v1 import operator_pb2


class Asked:
    """A driver that answers like a terminal whose outbox may be full, and remembers what it was asked."""

    def __init__(self) -> None:
        self.events: list[EndpointEvent] = []
        self.full = False
        self.slow: asyncio.Event | None = None

    async def ask(self, make: Callable[[RequestId], EndpointEvent]) -> Reply:
        number = RequestId(len(self.events) + 1)
        self.events.append(make(number))
        if self.slow is not None:
            await self.slow.wait()
        if self.full:
            return Reply(number, False, "full", "1000 statements wait: nothing was queued")
        fields: dict[str, str | int | bytes | None] = {
            "serial": number,
            "dtg": "181200Z NOV 26",
            "hash": bytes(32),
            "composed": 0,
        }
        return Reply(number, True, "queued", f"#{number} queued", fields)


def service(asked: Asked, officer: str | None = "watch") -> OperatorService:
    unused: Any = None
    return OperatorService(asked, unused, unused, Watchers(), officer, dict)  # type: ignore[arg-type]


def words(key: bytes) -> operator_pb2.SubmitRequest:
    return operator_pb2.SubmitRequest(precedence=1, language="en", direction=1, text="Once.", request_key=key)  # type: ignore[arg-type]


async def test_a_repeated_request_says_nothing_twice() -> None:
    """An officer whose connection broke would say it again, as a second statement (docs/protocol.md 14.3)."""
    asked, context = Asked(), None
    operators = service(asked)
    first = await operators.Submit(words(b"k" * 16), context)  # type: ignore[arg-type]
    assert await operators.Submit(words(b"k" * 16), context) == first  # type: ignore[arg-type]
    assert [type(event) for event in asked.events] == [Submit]
    other = await operators.Submit(words(b"l" * 16), context)  # type: ignore[arg-type]
    unnamed = [await operators.Submit(words(b""), context) for _ in range(2)]  # type: ignore[arg-type]
    assert [answer.serial for answer in (first, other, *unnamed)] == [1, 2, 3, 4]
    test = operator_pb2.TestChannelRequest(request_key=b"k" * 16)
    assert await operators.TestChannel(test, context) == await operators.TestChannel(test, context)  # type: ignore[arg-type]
    assert [type(event) for event in asked.events[4:]] == [SendTest]


async def test_a_client_that_hung_up_and_asks_again_says_nothing_twice() -> None:
    """The disk is slow, the officer's command gives up and is typed again: two demands instead of one."""
    # docs/protocol.md 14.3
    asked, context = Asked(), None
    asked.slow = asyncio.Event()
    operators = service(asked)
    first = asyncio.create_task(operators.Submit(words(b"k" * 16), context))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    again = [asyncio.create_task(operators.Submit(words(b"k" * 16), context)) for _ in range(2)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    asked.slow.set()
    assert [answer.serial for answer in await asyncio.gather(*again)] == [1, 1]
    assert len(asked.events) == 1


async def test_a_request_that_failed_is_not_remembered() -> None:
    """A terminal that was stopping would refuse for ever what it never took (docs/protocol.md 14.3)."""
    once: OnceOnly[operator_pb2.SubmitResponse] = OnceOnly()

    async def fail() -> operator_pb2.SubmitResponse:
        raise StorageError("stopping")

    async def take() -> operator_pb2.SubmitResponse:
        return operator_pb2.SubmitResponse(accepted=True, serial=7)

    with pytest.raises(StorageError):
        await once.answer(b"k", fail)
    await asyncio.sleep(0)
    assert (await once.answer(b"k", take)).serial == 7
    for number in range(REMEMBERED_KEYS):
        await once.answer(b"%d" % number, take)
    assert len(once._asked) == REMEMBERED_KEYS


async def test_what_was_refused_may_be_tried_again() -> None:
    """An officer could never say it under the same request once there is room (docs/protocol.md 14.3 and 14.5)."""
    asked, context = Asked(), None
    operators = service(asked)
    asked.full = True
    refused = await operators.Submit(words(b"k" * 16), context)  # type: ignore[arg-type]
    assert (refused.accepted, refused.code) == (False, "full")
    assert "nothing was queued" in refused.text
    asked.full = False
    assert (await operators.Submit(words(b"k" * 16), context)).accepted  # type: ignore[arg-type]


LOOKING = {
    "GetStatus",
    "ListStatements",
    "ListTests",
    "ListChallenges",
    "ListHandovers",
    "GetHandover",
    "GetCharter",
    "Watch",
}
"""What whoever can connect may ask. Words are left out of it (test_withheld.py)."""
METHODS = operator_pb2.DESCRIPTOR.services_by_name["OperatorService"].methods


@pytest.mark.parametrize("method", [one for one in METHODS if one.name not in LOOKING], ids=lambda one: one.name)
async def test_who_is_no_officer_asks_nothing_of_the_machine(method: MethodDescriptor) -> None:
    """Any account of the machine could speak, sign, read or take over in a leader's name (docs/protocol.md 14.1)."""
    # docs/protocol.md 14.2 and 19.9
    asked = Asked()
    request = message_factory.GetMessageClass(method.input_type)()
    call = getattr(service(asked, None), method.name)(request, None)
    answer = await anext(call) if method.server_streaming else await call
    assert (answer.accepted, answer.code, asked.events) == (False, "policy", [])


async def test_a_bundle_that_is_refused_is_answered_in_a_sentence() -> None:
    """The command would end as an internal fault: among several parties there are none (docs/protocol.md 26.3)."""
    asked = Asked()
    asked.full = True
    call = service(asked).ExportBundle(operator_pb2.ExportBundleRequest(), None)  # type: ignore[arg-type]
    (answer,) = [one async for one in call]
    assert (answer.accepted, answer.code) == (False, "full")
    assert "nothing was queued" in answer.text


async def test_a_bundle_beyond_its_bound_is_not_even_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """One account would fill the daemon's memory, piece by piece (docs/protocol.md 4.7 and 17.3)."""
    monkeypatch.setattr("hotline.runtime.operators.BUNDLE_BYTES_MAX", 5)
    asked, taken = Asked(), list[bytes]()

    async def pieces(*given: bytes) -> AsyncIterator[operator_pb2.ImportBundleRequest]:
        for piece in given:
            taken.append(piece)
            yield operator_pb2.ImportBundleRequest(piece=piece)

    asked.full = True
    for given, code in (((b"123", b"45"), "full"), ((b"123", b"456", b"7"), "too-long")):
        taken.clear()
        answer = await service(asked).ImportBundle(pieces(*given), None)  # type: ignore[arg-type]
        assert (answer.accepted, answer.code, len(taken)) == (False, code, 2)
    assert [type(event) for event in asked.events] == [ImportBundle]


async def test_who_watches_a_window_hears_what_is_about_its_party() -> None:
    """An alarm about one capital was taken at the window of another, and filtered away there (14.4, 26.8)."""
    watchers, unused = Watchers(("BRAVO", "CHARLIE")), AsyncMock()
    watchers.tell(Delivery("alarm", {"name": "no-path", "party": "CHARLIE"}))
    heard: dict[str, list[str]] = {"BRAVO": [], "CHARLIE": []}

    async def watch(window: str) -> None:
        desk = OperatorService(unused, unused, unused, watchers, "watch", dict, window)
        async for event in desk.Watch(operator_pb2.WatchRequest(), unused):
            heard[window].append(str(json.loads(event.json)["name"]))

    watching = []
    for window in heard:
        watching.append(asyncio.create_task(watch(window)))
        await asyncio.sleep(0.01)
    watchers.tell(Delivery("alarm", {"name": "gap", "party": "CHARLIE"}))
    await asyncio.sleep(0.01)
    for task in watching:
        task.cancel()
    assert heard == {"BRAVO": [], "CHARLIE": ["no-path", "gap"]}
