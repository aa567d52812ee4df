"""Envelopes held for one terminal, in the order in which they came. Pure; bounded, in all and for each sender."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from hotline.limits import MAILBOX_BYTES_MAX, MAILBOX_ENVELOPES_MAX


@dataclass(frozen=True, slots=True)
class Held:
    """One envelope as it came. `frame` is the encoded frame that carried it: it is forwarded as it is."""

    envelope_id: bytes
    name: bytes
    """SHA-256 of the envelope."""
    frame: bytes
    stored_at: int
    """Unix milliseconds."""

    @property
    def sender(self) -> int:
        """The number of the terminal that sent it (docs/protocol.md 6.3)."""
        return _sender(self.envelope_id)


class Admission(Enum):
    """What a mailbox says to an envelope."""

    NEW = "new"
    REPEAT = "repeat"
    CLASH = "clash"
    FULL = "full"


class _Room:
    """Something of which there is `whole` in a mailbox, half of it kept in equal shares for `senders`."""

    def __init__(self, whole: int, senders: Iterable[int]) -> None:
        self._whole = whole
        self._used = dict.fromkeys(senders, 0)
        self._share = whole // 2 // max(1, len(self._used))
        self.total = 0

    def fits(self, sender: int, more: int) -> bool:
        """Whether `sender` may use so much more (docs/protocol.md 5.24)."""
        if self._used.get(sender, self._share) + more <= self._share:
            return self.total + more <= self._whole
        kept = sum(max(0, self._share - used) for used in self._used.values())
        return self.total + more + kept <= self._whole

    def use(self, sender: int, more: int) -> None:
        """It is used, or comes back if negative. A sender whom an amendment has left has no share."""
        self.total += more
        if sender in self._used:
            self._used[sender] += more


class Mailbox:
    """What one terminal has not taken yet."""

    def __init__(self, senders: Iterable[int]) -> None:
        """`senders` are the numbers of the terminals that may send to it."""
        senders = tuple(senders)
        self._held: dict[bytes, Held] = {}
        self._count = _Room(MAILBOX_ENVELOPES_MAX, senders)
        self._bytes = _Room(MAILBOX_BYTES_MAX, senders)

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return self._bytes.total

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._held.values()))

    def judge(self, envelope_id: bytes, name: bytes, size: int) -> Admission:
        """Whether the envelope may be put; changes nothing."""
        held = self._held.get(envelope_id)
        if held is not None:
            return Admission.REPEAT if held.name == name else Admission.CLASH
        sender = _sender(envelope_id)
        return Admission.NEW if self._count.fits(sender, 1) and self._bytes.fits(sender, size) else Admission.FULL

    def put(self, held: Held) -> None:
        """Hold a NEW envelope."""
        self._held[held.envelope_id] = held
        self._use(held.envelope_id, 1, len(held.frame))

    def take(self, envelope_id: bytes) -> Held | None:
        """Let one envelope go."""
        held = self._held.pop(envelope_id, None)
        if held is not None:
            self._use(envelope_id, -1, -len(held.frame))
        return held

    def _use(self, envelope_id: bytes, count: int, size: int) -> None:
        sender = _sender(envelope_id)
        self._count.use(sender, count)
        self._bytes.use(sender, size)

    def older_than(self, limit: int) -> list[Held]:
        """Envelopes stored before Unix millisecond `limit`."""
        return [held for held in self._held.values() if held.stored_at < limit]


def _sender(envelope_id: bytes) -> int:
    return int.from_bytes(envelope_id[:2], "big")  # 6.3
