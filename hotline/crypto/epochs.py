"""Sealed epochs: which key seals envelope n, for one direction of one pair of terminals (docs/protocol.md section 7).

A sender opens an epoch by sealing 32 random bytes to the peer's prekey. From these and the pairwise secret of the
ceremony both sides derive two hash chains, one for durable envelopes and one for transient ones; each envelope takes
a fresh key. The sending side exists in memory only, so that no restart and no restored backup can use a key twice.
Directions share nothing, so that no partition can fork them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from hotline.crypto.derivation import SUITE, hkdf
from hotline.crypto.sealing import (
    KemKey,
    MessageKey,
    derive_message_key,
    next_chain_key,
    open_opener,
    seal_opener,
)
from hotline.crypto.signing import pae
from hotline.errors import NotOpened
from hotline.limits import (
    DURABLE_SKIP_MAX,
    EPOCH_MESSAGES_MAX,
    SKIPPED_KEYS_MAX,
    TRANSIENT_KEYS_KEPT,
    TRANSIENT_SKIP_MAX,
)
from hotline.machine import Entropy, Plane

EPOCH_ID_SIZE: Final = 12
OPENER_SIZE: Final = 1168
PREKEY_TAG_SIZE: Final = 4


@dataclass(frozen=True, slots=True)
class Binding:
    """What every key of one direction is bound to. `sender` and `recipient` are terminal numbers of the charter."""

    charter: bytes
    sender: int
    recipient: int
    pairwise: bytes

    def reversed(self) -> Binding:
        """The other direction."""
        return Binding(self.charter, self.recipient, self.sender, self.pairwise)


class Roots(NamedTuple):
    """Where both chains of an epoch begin."""

    durable: bytes
    transient: bytes


def epoch_info(binding: Binding, plane: Plane, epoch_id: bytes, prekey_hash: bytes) -> bytes:
    """What an epoch is bound to (docs/protocol.md 7.3)."""
    ends = binding.sender.to_bytes(2, "big") + binding.recipient.to_bytes(2, "big")
    parts = (SUITE.encode(), plane.value.encode(), binding.charter, ends, epoch_id, prekey_hash)
    return pae("hotline/v1/epoch", *parts)


def epoch_roots(binding: Binding, secret: bytes, info: bytes, opener: bytes) -> Roots:
    """The beginnings of both chains (docs/protocol.md 7.3)."""
    # The opener's hash goes into the derivation and not only beside it: a re-encapsulation gives other keys.
    material = hkdf(binding.pairwise, secret, info + hashlib.sha256(opener).digest(), 64)
    return Roots(material[:32], material[32:])


class _Chain:
    """One hash chain; hands out key n once, forward only, and can look ahead without moving."""

    __slots__ = ("_keys", "kept", "kept_max", "next_number", "skip_max")

    def __init__(self, key: bytes, skip_max: int, kept_max: int) -> None:
        self._keys = deque((key,))  # that of the next number, and those behind it that were looked at
        self.next_number = 0
        self.skip_max = skip_max
        self.kept_max = kept_max
        self.kept: dict[int, MessageKey] = {}

    def take(self) -> tuple[int, MessageKey]:
        number, key = self.next_number, derive_message_key(self._keys[0])
        self._pass()
        return number, key

    def _reach(self, ahead: int) -> bytes:
        # Each step is taken once: a forged number costs its distance the first time only.
        while len(self._keys) <= ahead:
            self._keys.append(next_chain_key(self._keys[-1]))
        return self._keys[ahead]

    def _pass(self) -> None:
        self._reach(1)
        self._keys.popleft()
        self.next_number += 1

    def look(self, number: int) -> MessageKey:
        """The key of `number` without using it up. Raises NotOpened('used' | 'too-far')."""
        if number < self.next_number:
            key = self.kept.get(number)
            if key is None:
                raise NotOpened("used", f"number {number}")
            return key
        if number - self.next_number > self.skip_max:
            raise NotOpened("too-far", f"number {number} after {self.next_number}")
        return derive_message_key(self._reach(number - self.next_number))

    def use(self, number: int) -> None:
        """Forget the key of `number`, keeping those of the numbers it overtook."""
        if number < self.next_number:
            self.kept.pop(number, None)
            return
        first_kept = max(self.next_number, number - self.kept_max)
        while self.next_number < number:
            if self.next_number >= first_kept:
                skipped, key = self.take()
                self.kept[skipped] = key
            else:
                self._pass()
        self._pass()
        while len(self.kept) > self.kept_max:
            del self.kept[next(iter(self.kept))]


class SendingEpoch:
    """The sending side of one epoch. Never written to disk."""

    __slots__ = ("_durable", "_sealed", "_transient", "acknowledged", "epoch_id", "opener", "prekey_hash")

    def __init__(
        self, binding: Binding, plane: Plane, prekey_hash: bytes, prekey_public: bytes, entropy: Entropy
    ) -> None:
        self.prekey_hash = prekey_hash
        self.epoch_id = entropy(EPOCH_ID_SIZE)
        secret = entropy(32)
        info = epoch_info(binding, plane, self.epoch_id, prekey_hash)
        self.opener = seal_opener(secret, prekey_public, info)
        roots = epoch_roots(binding, secret, info, self.opener)
        self._durable = _Chain(roots.durable, 0, 0)
        self._transient = _Chain(roots.transient, 0, 0)
        self.acknowledged = False
        """Whether the peer is known to have opened it; until then the opener rides in every envelope."""
        self._sealed = 0

    @property
    def exhausted(self) -> bool:
        """Whether the next envelope needs a new epoch."""
        return self._sealed >= EPOCH_MESSAGES_MAX

    def take(self, *, transient: bool) -> tuple[int, MessageKey]:
        """The next number of the chosen chain and its key; both are handed out once."""
        self._sealed += 1
        return (self._transient if transient else self._durable).take()


class ReceivingEpoch:
    """The receiving side of one epoch: finds the key of an envelope, and forgets it after use."""

    __slots__ = ("_durable", "_transient", "epoch_id", "plane", "prekey_hash")

    def __init__(
        self, binding: Binding, plane: Plane, epoch_id: bytes, prekey_hash: bytes, key: KemKey, opener: bytes
    ) -> None:
        """Open an epoch that the peer sealed to `key`. Raises NotOpened."""
        info = epoch_info(binding, plane, epoch_id, prekey_hash)
        roots = epoch_roots(binding, open_opener(key, opener, info), info, opener)
        self.plane = plane
        self.epoch_id = epoch_id
        self.prekey_hash = prekey_hash
        self._durable = _Chain(roots.durable, DURABLE_SKIP_MAX, SKIPPED_KEYS_MAX)
        self._transient = _Chain(roots.transient, TRANSIENT_SKIP_MAX, TRANSIENT_KEYS_KEPT)

    def look(self, number: int, *, transient: bool) -> MessageKey:
        """The key of an envelope, state unchanged. Raises NotOpened('used' | 'too-far')."""
        return (self._transient if transient else self._durable).look(number)

    def use(self, number: int, *, transient: bool) -> None:
        """Call after the envelope opened: its key is forgotten and the chain moves past it."""
        (self._transient if transient else self._durable).use(number)
