"""A request that carries a key is asked of the machine once, however often it is made (docs/protocol.md 14.3)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

REMEMBERED_KEYS: Final = 1_024
"""Keys of accepted requests that are remembered. Full: the oldest is forgotten."""


class Answer(Protocol):
    """What a request is answered with."""

    @property
    def accepted(self) -> bool:
        """Whether it was done; what was refused may be tried again under the same key."""
        ...


AnswerT = TypeVar("AnswerT", bound=Answer)


class OnceOnly(Generic[AnswerT]):
    """The requests of one officer. A client that hangs up before the answer leaves the request under way."""

    def __init__(self) -> None:
        self._asked: OrderedDict[bytes, asyncio.Task[AnswerT]] = OrderedDict()

    async def answer(self, key: bytes, ask: Callable[[], Coroutine[Any, Any, AnswerT]]) -> AnswerT:
        """What `ask` gives, or gave before, or is about to give, under this key. Without a key it is always asked."""
        if not key:
            return await ask()
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.get_running_loop().create_task(ask())
            asked.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(asked)

    def _done(self, key: bytes, done: asyncio.Task[AnswerT]) -> None:
        if done.cancelled() or done.exception() is not None or not done.result().accepted:
            del self._asked[key]
        while len(self._asked) > REMEMBERED_KEYS and next(iter(self._asked.values())).done():
            self._asked.popitem(last=False)
