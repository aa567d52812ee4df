"""Prekeys for the time when no path lives: exchanged ahead, long-lived, used by nothing but bundles (17.1, 17.2)."""

from __future__ import annotations

from collections.abc import Iterable

from hotline.crypto.signing import SigningKey
from hotline.limits import COURIER_PREKEYS_KEPT_MAX, COURIER_ROTATION, COURIER_VALIDITY
from hotline.machine import Change, Entropy, Instant, Put
from hotline.protocol.prekeys import COURIER_LABEL, KeptPrekeys, Keyring, PeerPrekey, read_peer_prekey, tag
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2


class CourierKeys(KeptPrekeys):
    """Our courier prekeys, newest last, and the newest one of the peer."""

    def __init__(
        self,
        charter: bytes,
        local: int,
        remote: int,
        remote_signing: bytes,
        signing: SigningKey,
        storage_key: bytes,
        entropy: Entropy,
    ) -> None:
        self._ring = Keyring(COURIER_LABEL, "courier_prekey", charter, local, signing, storage_key)
        self._charter = charter
        self._remote = remote
        self._remote_signing = remote_signing
        self._entropy = entropy
        self._kept = []
        self._rotate_at: int | None = None
        self.peer: PeerPrekey | None = None

    def restore(self, own: Iterable[Row], peers: Iterable[Row]) -> None:
        """Take up what the operational tables hold."""
        self._kept = [self._ring.load(row) for row in own]
        for row in peers:
            content, signature = row["content"], row["signature"]
            assert isinstance(content, bytes)
            assert isinstance(signature, bytes)
            if row["terminal"] == self._remote:
                self.peer = self._read(content_pb2.SignedPrekey(body=content, signature=signature))

    def rotate(self, now: Instant) -> list[Change]:
        """Make a new newest one. Older ones stay: a bundle may be under way to them."""
        last = self._kept[-1].generation if self._kept else 0
        made, row = self._ring.make(last, now.wall, COURIER_VALIDITY, self._entropy)
        self._kept.append(made)
        self._rotate_at = now.mono + COURIER_ROTATION
        changes = [row]
        while len(self._kept) > COURIER_PREKEYS_KEPT_MAX:
            changes.append(self._ring.destroy(self._kept.pop(0).generation))
        return changes

    def due(self, now: Instant) -> list[Change]:
        """Rotate if it is time. At the start of a run the age of the newest is by the wall clock, then by ours."""
        if self._rotate_at is None and self._kept:
            # A generation is the clock in seconds at its making, or just beyond the one before.
            age = now.wall - 1_000 * self._kept[-1].generation
            self._rotate_at = now.mono + max(0, min(COURIER_ROTATION, COURIER_ROTATION - age))
        if self._rotate_at is None or self._rotate_at <= now.mono:
            return self.rotate(now)
        return []

    def next_deadline(self) -> int | None:
        """When `due` has something to do."""
        return self._rotate_at

    # --- the peer's --------------------------------------------------------------------------------------------------

    def _read(self, signed: content_pb2.SignedPrekey) -> PeerPrekey:
        return read_peer_prekey(self._charter, self._remote, self._remote_signing, signed, COURIER_LABEL)

    def check(self, signed: content_pb2.SignedPrekey) -> None:
        """Raises what `offer` would raise."""
        if self.peer is None or signed != self.peer.signed:
            self._read(signed)

    def offer(self, signed: content_pb2.SignedPrekey, *, fresh: bool) -> list[Change]:
        """The peer announced one; an older generation is taken only when fresh. Raises Untrusted or Malformed."""
        if self.peer is not None and signed == self.peer.signed:
            return []
        prekey = self._read(signed)
        if not fresh and self.peer is not None and prekey.generation <= self.peer.generation:
            return []
        self.peer = prekey
        return [Put("peer_courier", {"terminal": self._remote, "content": signed.body, "signature": signed.signature})]

    def usable(self, now: Instant) -> PeerPrekey | None:
        """What a bundle may be sealed to now."""
        return self.peer if self.peer is not None and now.wall <= self.peer.not_after else None

    def word(self, held: int | None) -> content_pb2.CourierKey:
        """What a heartbeat says: our newest unless the peer `held` it, and the tag of the peer's."""
        word = content_pb2.CourierKey(held=tag(self.peer.name) if self.peer is not None else 0)
        if self.newest is not None and held != tag(self.newest.name):
            word.prekey.CopyFrom(self.newest.signed)
        return word
