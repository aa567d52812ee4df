"""Our prekeys, and the newest one of the peer (docs/protocol.md 7.2).

A prekey's name is the hash of its signed content. Secrets are kept sealed in the operational tables so that an
envelope that waited at a relay still opens after a restart; they are destroyed on a schedule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hotline.crypto.epochs import PREKEY_TAG_SIZE
from hotline.crypto.sealing import KemKey, seal_opener
from hotline.crypto.signing import SIGNATURE_SIZE, SigningKey, pae, verify
from hotline.crypto.storage import storage_open, storage_seal
from hotline.errors import Malformed, NotOpened, Untrusted
from hotline.limits import PREKEY_GRACE, PREKEYS_KEPT_MAX
from hotline.machine import Change, Delete, Entropy, Instant, Put
from hotline.protocol.tables import Row
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2

LABEL: Final = "hotline/v1/prekey"
COURIER_LABEL: Final = "hotline/v1/courier-prekey"
"""What courier prekeys are signed and named with: neither kind is ever taken for the other."""
_BODY_MAX = 2_048
STORAGE_LABEL = "hotline/v1/prekey-secret"


def prekey_hash(charter: bytes, terminal: int, body: bytes, label: str = LABEL) -> bytes:
    """The name of a prekey: 32 bytes."""
    return hashlib.sha256(pae(label, charter, terminal.to_bytes(2, "big"), body)).digest()


def tag(name: bytes) -> int:
    """The 32-bit short form of a hash or epoch id in heartbeats; 0 means none."""
    return int.from_bytes(name[:PREKEY_TAG_SIZE], "big") or 1


@dataclass(frozen=True, slots=True)
class OwnPrekey:
    """One of our prekeys with its secret."""

    generation: int
    key: KemKey
    signed: content_pb2.SignedPrekey
    name: bytes


class Keyring:
    """Makes, stores and loads the prekeys of one kind."""

    def __init__(
        self, label: str, table: str, charter: bytes, terminal: int, signing: SigningKey, storage_key: bytes
    ) -> None:
        self._label = label
        self._table = table
        self._charter = charter
        self._terminal = terminal
        self._signing = signing
        self._storage_key = storage_key

    def load(self, row: Row) -> OwnPrekey:
        """A prekey as it was stored."""
        generation, box, content, signature = row["generation"], row["box"], row["content"], row["signature"]
        assert isinstance(generation, int)
        assert isinstance(box, bytes)
        assert isinstance(content, bytes)
        assert isinstance(signature, bytes)
        key = KemKey(storage_open(self._storage_key, STORAGE_LABEL, box))
        signed = content_pb2.SignedPrekey(body=content, signature=signature)
        return OwnPrekey(generation, key, signed, prekey_hash(self._charter, self._terminal, content, self._label))

    def make(self, last: int, wall: int, validity: int, entropy: Entropy) -> tuple[OwnPrekey, Change]:
        """A new prekey, valid for `validity` from `wall`, of a generation beyond `last`; and the row that keeps it."""
        # The clock only keeps generations rising after a restored backup; a key request overrides it if the clock lies.
        generation = max(last + 1, wall // 1_000)
        seed = entropy(32)
        key = KemKey(seed)
        body = encode(
            content_pb2.PrekeyBody(
                generation=generation, public_key=key.public, created_ms=wall, not_after_ms=wall + validity
            )
        )
        signature = self._signing.sign(self._label, self._charter, self._terminal.to_bytes(2, "big"), body)
        signed = content_pb2.SignedPrekey(body=body, signature=signature)
        made = OwnPrekey(generation, key, signed, prekey_hash(self._charter, self._terminal, body, self._label))
        box = storage_seal(self._storage_key, STORAGE_LABEL, seed, entropy)
        row: Row = {"generation": generation, "box": box, "content": body, "signature": signature}
        return made, Put(self._table, row)

    def destroy(self, generation: int) -> Change:
        """Its row goes, and with it the secret."""
        return Delete(self._table, {"generation": generation})


class KeptPrekeys:
    """Our prekeys of one kind, newest last."""

    _kept: list[OwnPrekey]

    @property
    def newest(self) -> OwnPrekey | None:
        """The one that the peer should use."""
        return self._kept[-1] if self._kept else None

    def with_tag(self, prekey_tag: bytes) -> list[OwnPrekey]:
        """Those whose name begins with `prekey_tag`, newest first."""
        return [prekey for prekey in reversed(self._kept) if prekey.name.startswith(prekey_tag)]

    def named(self, name: bytes) -> OwnPrekey | None:
        """The one with this name."""
        return next((prekey for prekey in self._kept if prekey.name == name), None)


class OwnPrekeys(KeptPrekeys):
    """The secrets that open what the peer seals to us, newest last."""

    def __init__(
        self,
        charter: bytes,
        terminal: int,
        signing: SigningKey,
        storage_key: bytes,
        entropy: Entropy,
        saved: Iterable[Row],
    ) -> None:
        self._ring = Keyring(LABEL, "prekey", charter, terminal, signing, storage_key)
        self._entropy = entropy
        self._kept = [self._ring.load(row) for row in saved]
        self._rotate_at: int | None = None
        self._destroy_at: dict[int, int] = {}

    def rotate(self, now: Instant, lifetime: int) -> list[Change]:
        """Make a new newest prekey."""
        last = self._kept[-1].generation if self._kept else 0
        made, row = self._ring.make(last, now.wall, 2 * lifetime, self._entropy)
        self._kept.append(made)
        self._rotate_at = now.mono + lifetime
        changes = [row]
        while len(self._kept) > PREKEYS_KEPT_MAX:
            changes += self._destroy(self._kept[0].generation)
        return changes

    def used(self, name: bytes, now: Instant) -> None:
        """The peer opened an epoch to this prekey: every older one is destroyed after the grace period."""
        used = self.named(name)
        if used is None:
            return
        for prekey in self._kept:
            if prekey.generation < used.generation:
                self._destroy_at.setdefault(prekey.generation, now.mono + PREKEY_GRACE)

    def due(self, now: Instant, lifetime: int) -> tuple[list[Change], bool]:
        """Destroy and rotate what is due; says whether a new prekey was made."""
        changes: list[Change] = []
        for generation in [number for number, at in self._destroy_at.items() if at <= now.mono]:
            changes += self._destroy(generation)
        if self._rotate_at is not None and self._rotate_at <= now.mono:
            return changes + self.rotate(now, lifetime), True
        return changes, False

    def next_deadline(self) -> int | None:
        """When `due` has something to do."""
        times = [*self._destroy_at.values(), *([] if self._rotate_at is None else [self._rotate_at])]
        return min(times, default=None)

    def _destroy(self, generation: int) -> list[Change]:
        self._destroy_at.pop(generation, None)
        self._kept = [prekey for prekey in self._kept if prekey.generation != generation]
        return [self._ring.destroy(generation)]


@dataclass(frozen=True, slots=True)
class PeerPrekey:
    """The peer's newest prekey as we hold it."""

    generation: int
    public: bytes
    not_after: int
    signed: content_pb2.SignedPrekey
    name: bytes


@lru_cache(maxsize=64)
def _can_be_sealed_to(public: bytes) -> bool:
    """Whether it is an X-Wing key: an opener tells, and is made once for what is shown again and again."""
    try:
        seal_opener(bytes(32), public, b"")
    except NotOpened:
        return False
    return True


def read_peer_prekey(
    charter: bytes, terminal: int, public: bytes, signed: content_pb2.SignedPrekey, label: str = LABEL
) -> PeerPrekey:
    """Verify and parse a prekey of the peer. Raises Untrusted or Malformed."""
    if len(signed.signature) != SIGNATURE_SIZE:
        raise Untrusted("signature", "prekey")
    verify(public, signed.signature, label, charter, terminal.to_bytes(2, "big"), signed.body)
    body = decode(content_pb2.PrekeyBody, signed.body, _BODY_MAX)
    if not body.generation or body.not_after_ms <= body.created_ms or not _can_be_sealed_to(body.public_key):
        raise Malformed("prekey", f"generation {body.generation}")
    name = prekey_hash(charter, terminal, signed.body, label)
    return PeerPrekey(body.generation, body.public_key, body.not_after_ms, signed, name)
