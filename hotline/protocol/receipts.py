"""READ, SHOWN and REPLY-BY are repeated until the peer has noted them (docs/protocol.md 9.4, 20.2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from hotline.limits import READ_RECEIPTS_PENDING_MAX
from hotline.machine import Instant, Plane, Put
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2

Stage: TypeAlias = content_pb2.Stage.ValueType
WORDS: Final[Mapping[Stage, str]] = {
    content_pb2.STAGE_READ: "read",
    content_pb2.STAGE_SHOWN: "shown",
    content_pb2.STAGE_REPLY_BY: "reply-by",
}
"""Receipts that a named officer causes, and that are repeated until they are noted, as tables spell them."""


@dataclass(slots=True)
class Unnoted:
    """A word of an officer of ours about a statement of the peer that the peer has not noted yet."""

    plane: Plane
    serial: int
    hash: bytes
    officer: str
    at: int
    stage: Stage = content_pb2.STAGE_READ
    principal: str = ""
    until: int = 0
    answered: int = 0
    attempts: int = 0
    retry_at: int | None = None

    def receipt(self) -> content_pb2.Receipt:
        """What the peer is told."""
        return content_pb2.Receipt(
            stage=self.stage,
            item=[content_pb2.ReceiptItem(serial=self.serial, statement=self.hash)],
            officer=self.officer,
            time_ms=self.at,
            principal=self.principal,
            reply_by_ms=self.until,
            answered=self.answered,
        )

    def encoded(self) -> bytes:
        """The receipt, the same bytes each time."""
        return encode(self.receipt())


def rung(way: str, plane: Plane, serial: int, stage: str, said: content_pb2.Receipt, now: Instant) -> Put:
    """What is kept of a word of an officer about a statement: a rung of the ladder above DELIVERED."""
    key: dict[str, str | int] = {"way": way, "plane": plane.value, "serial": serial, "stage": stage}
    whose: dict[str, str | int] = {"officer": said.officer, "principal": said.principal}
    promised: dict[str, str | int] = {"until": said.reply_by_ms, "answer": said.answered}
    return Put("ladder", {**key, "at": now.wall, "said": said.time_ms, **whose, **promised})


def note(said: content_pb2.Receipt, items: Iterable[content_pb2.ReceiptItem], at: int) -> bytes:
    """The receipt that notes what `said` says of `items`. Of a promise it tells which one."""
    answer = content_pb2.Receipt(stage=content_pb2.STAGE_NOTED, item=items, time_ms=at)
    if said.stage != content_pb2.STAGE_READ:
        answer.noted, answer.reply_by_ms = said.stage, said.reply_by_ms
    if said.stage == content_pb2.STAGE_REPLY_BY:
        answer.time_ms = said.time_ms
    return encode(answer)


_Key = tuple[Plane, int, Stage]


class LadderReceipts:
    """Our receipts under way that an officer caused, oldest first. A newer promise takes the place of an older one."""

    def __init__(self) -> None:
        self._pending: OrderedDict[_Key, Unnoted] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, item: Unnoted) -> list[_Key]:
        """Repeat `item` until it is noted; returns the oldest ones that are given up because there are too many."""
        self._pending[item.plane, item.serial, item.stage] = item
        given_up = []
        while len(self._pending) > READ_RECEIPTS_PENDING_MAX:
            key, _ = self._pending.popitem(last=False)
            given_up.append(key)
        return given_up

    def holds(self, plane: Plane, serial: int, stage: Stage) -> bool:
        """Whether this word about this statement is not noted yet."""
        return (plane, serial, stage) in self._pending

    def noted(
        self,
        plane: Plane,
        serial: int,
        statement: bytes,
        stage: Stage = content_pb2.STAGE_READ,
        until: int = 0,
        at: int = 0,
    ) -> bool:
        """The peer has noted this word about this statement, a promise by both its times."""
        item = self._pending.get((plane, serial, stage))
        if item is None or item.hash != statement or item.until != until:
            return False
        if stage == content_pb2.STAGE_REPLY_BY and item.at != at:
            return False  # it notes an older promise until the same time
        del self._pending[plane, serial, stage]
        return True

    def due(self, now: int) -> list[Unnoted]:
        """Those to send now. What stands higher on the ladder waits until READ is noted: the peer hears it in order."""
        return [
            item
            for item in self._pending.values()
            if item.retry_at is not None and item.retry_at <= now and not self._waits(item)
        ]

    def _waits(self, item: Unnoted) -> bool:
        return item.stage != content_pb2.STAGE_READ and self.holds(item.plane, item.serial, content_pb2.STAGE_READ)

    def of(self, plane: Plane) -> list[Unnoted]:
        """All of one plane, oldest first."""
        return [item for item in self._pending.values() if item.plane is plane]

    def all_now(self, now: int) -> None:
        """Everything is due at once: the peer cannot have opened what it was sealed in."""
        for item in self._pending.values():
            item.retry_at = now

    def next_deadline(self) -> int | None:
        """When the next one is due."""
        pending = self._pending.values()
        times = [one.retry_at for one in pending if one.retry_at is not None and not self._waits(one)]
        return min(times) if times else None
