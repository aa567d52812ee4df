"""Envelopes held for one terminal, in the order in which they came. Pure; bounded."""

from __future__ import annotations

from collections.abc import Iterator
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


class Admission(Enum):
    """What a mailbox says to an envelope."""

    NEW = "new"
    REPEAT = "repeat"
    CLASH = "clash"
    FULL = "full"


class Mailbox:
    """What one terminal has not taken yet."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._held.values()))

    def judge(self, envelope_id: bytes, name: bytes, size: int) -> Admission:
        """Whether the envelope may be put; changes nothing."""
        held = self._held.get(envelope_id)
        if held is not None:
            return Admission.REPEAT if held.name == name else Admission.CLASH
        if len(self._held) >= MAILBOX_ENVELOPES_MAX or self.bytes + size > MAILBOX_BYTES_MAX:
            return Admission.FULL
        return Admission.NEW

    def put(self, held: Held) -> None:
        """Hold a NEW envelope."""
        self._held[held.envelope_id] = held
        self.bytes += len(held.frame)

    def take(self, envelope_id: bytes) -> Held | None:
        """Let one envelope go."""
        held = self._held.pop(envelope_id, None)
        if held is not None:
            self.bytes -= len(held.frame)
        return held

    def older_than(self, limit: int) -> list[Held]:
        """Envelopes stored before Unix millisecond `limit`."""
        return [held for held in self._held.values() if held.stored_at < limit]
