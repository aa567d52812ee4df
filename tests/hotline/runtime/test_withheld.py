"""What an account that is no officer's sees of the record: that something was said, and no word of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from hotline.machine import Output, Put, RequestId
from hotline.protocol.events import SendTest
from hotline.runtime.operators import OperatorService
from hotline.runtime.views import withhold
from hotline.runtime.watchers import Watchers
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.protocol.pair import Pair
from tests.hotline.protocol.test_translations import SIGHT, URDU, translate
from tests.hotline.runtime.test_translationviews import Stored
from tests.hotline.runtime.test_translationviews import pair as pair

AnswerT = TypeVar("AnswerT")
SECRETS = (b"exercise is cancelled", b"sight of it", URDU.encode(), b"We hear you", b"Watch it")


def desk(pair: Pair, officer: str | None) -> OperatorService:
    assert isinstance(pair.bravo, Stored)
    unused: Any = None
    return OperatorService(unused, unused, pair.bravo.store, Watchers(), officer, dict)


async def lists(operators: OperatorService) -> list[operator_pb2.StatementView]:
    """All that can be asked for, the lists and each statement by itself."""
    unused: Any = None
    asked = [
        operator_pb2.ListStatementsRequest(sent=sent, serial=serial) for sent in (True, False) for serial in range(4)
    ]
    return [view for one in asked for view in (await operators.ListStatements(one, unused)).statement]


@pytest.mark.parametrize("opened", [False, True])
async def test_who_is_no_officer_reads_no_word(pair: Pair, opened: bool) -> None:
    """Whoever may see whether the line is up would read what two leaders write (docs/protocol.md 14.1 and 14.2)."""
    bravo = pair.bravo
    bravo.submit("We hear you.")
    if opened:
        assert bravo.read(1).ok
        assert bravo.read(2).ok
        assert translate(bravo, 1, language="hi", grade=SIGHT, text="sight of it").ok
    found = await lists(desk(pair, None))
    assert [word for word in SECRETS for view in found if word in view.SerializeToString()] == []
    assert {view.reason for view in found} == {"its words are for officers of this terminal"}
    assert {(view.sent, view.serial) for view in found} == {(True, 1), (False, 1), (False, 2)}
    shown = b"".join(view.SerializeToString() for view in await lists(desk(pair, "watch")))
    assert [word for word in SECRETS[:4] if word in shown] == (list(SECRETS[:4]) if opened else [SECRETS[3]])


def test_what_is_withheld_holds_no_word() -> None:
    """A field, a phrase or an office would say what the text was not allowed to (docs/protocol.md 14.2 and 21.7)."""
    field = [content_pb2.Field(name="place", value="secret")]
    seen = operator_pb2.StatementView(
        serial=7,
        text="secret",
        field=field,
        phrase=content_pb2.Phrase(code="secret"),
        action=["secret"],
        info=["secret"],
        originator_reference="secret",
        translation=[operator_pb2.TranslationView(serial=8, text="secret")],
        original=operator_pb2.OriginalView(serial=9, text="secret", field=field),
    )
    withhold(seen)
    assert b"secret" not in seen.SerializeToString()
    assert (seen.serial, seen.translation[0].serial, seen.original.serial) == (7, 8, 9)


async def test_a_channel_test_is_shown_to_whoever_may_list(pair: Pair) -> None:
    """Nobody but officers could see that the line was tried (docs/protocol.md 14.2)."""
    assert isinstance(pair.bravo, Stored)
    pair.alpha.step(SendTest(RequestId(900), "watch"))
    pair.run(2_000)
    unused: Any = None
    (view,) = (await desk(pair, None).ListStatements(operator_pb2.ListStatementsRequest(serial=3), unused)).statement
    assert view.text


async def test_notes_of_a_handover_are_for_officers(pair: Pair) -> None:
    """What one watch tells the next would be read by every account of the machine (docs/protocol.md 14.2)."""
    assert isinstance(pair.bravo, Stored)
    kept = b'{"list":"{}","notes":"Watch it","oncoming":"duty-2","outgoing":"duty-1"}'
    row = {"plane": "service", "serial": 1, "content": kept, "signature": b"s" * 64, "at": 1}
    pair.bravo.store.commit([Output(changes=[Put("handover", row)])], pair.bravo.now())
    unused: Any = None
    for officer, notes in ((None, ""), ("watch", "Watch it")):
        answer = await desk(pair, officer).ListHandovers(operator_pb2.ListHandoversRequest(), unused)
        assert [(view.oncoming, view.notes) for view in answer.handover] == [("duty-2", notes)]


async def meanwhile(asked: Awaitable[AnswerT]) -> tuple[AnswerT, int]:
    """What is answered, and how often others had a turn before."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    answer = await asked
    task.cancel()
    return answer, turns


@pytest.mark.parametrize("sent", [True, False])
async def test_a_long_list_keeps_nobody_waiting(pair: Pair, sent: bool) -> None:
    """A FLASH would wait until an officer has his five hundred statements (docs/protocol.md 14.5)."""
    unused: Any = None
    who = pair.bravo if sent else pair.alpha
    for number in range(50):
        who.submit(f"Number {number}.")
    pair.run(5_000)
    request = operator_pb2.ListStatementsRequest(sent=sent, limit=45, unread_only=not sent)
    answer, turns = await meanwhile(desk(pair, "watch").ListStatements(request, unused))
    newest = answer.statement[-1].serial
    assert [view.serial for view in answer.statement] == list(range(newest - 44, newest + 1))
    assert turns == 2


async def test_a_long_list_of_tests_keeps_nobody_waiting(pair: Pair) -> None:
    """The same, of some months of channel tests (docs/protocol.md 14.5)."""
    assert isinstance(pair.bravo, Stored)
    unused: Any = None
    rows = [Put("channel_test", {"at": at, "way": "missed", "serial": 0}) for at in range(50)]
    pair.bravo.store.commit([Output(changes=[*rows])], pair.bravo.now())
    answer, turns = await meanwhile(desk(pair, "watch").ListTests(operator_pb2.ListTestsRequest(limit=45), unused))
    assert [test.time_ms for test in answer.test] == list(range(5, 50))
    assert turns == 2
