"""Prekeys for the time when no path lives: exchanged ahead, long-lived, used by nothing but bundles (17.1, 17.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from hotline.crypto.signing import SigningKey
from hotline.errors import RemoteError
from hotline.limits import COURIER_PREKEYS_KEPT_MAX, COURIER_ROTATION, COURIER_VALIDITY
from hotline.machine import Change, Entropy, Instant, Put
from hotline.protocol.prekeys import COURIER_LABEL, KeptPrekeys, Keyring, PeerPrekey, read_peer_prekey, tag
from hotline.protocol.tables import Row
from hotline.wire.v1 import content_pb2


class CourierKeys(KeptPrekeys):
    """Our courier prekeys, newest last, and the newest one of each terminal of the peer."""

    def __init__(
        self,
        charter: bytes,
        local: int,
        remotes: Mapping[int, bytes],
        signing: SigningKey,
        storage_key: bytes,
        entropy: Entropy,
    ) -> None:
        """`remotes`: signing keys of the peer's terminals, by number."""
        self._ring = Keyring(COURIER_LABEL, "courier_prekey", charter, local, signing, storage_key)
        self._charter = charter
        self._remotes = remotes
        self._entropy = entropy
        self._kept = []
        self._rotate_at: int | None = None
        self._peers: dict[int, PeerPrekey] = {}

    def restore(self, own: Iterable[Row], peers: Iterable[Row]) -> None:
        """Take up what the operational tables hold."""
        self._kept = [self._ring.load(row) for row in own]
        for row in peers:
            terminal, content, signature = row["terminal"], row["content"], row["signature"]
            assert isinstance(terminal, int)
            assert isinstance(content, bytes)
            assert isinstance(signature, bytes)
            if terminal in self._remotes:
                signed = content_pb2.SignedPrekey(body=content, signature=signature)
                with suppress(RemoteError):  # a start is held up by nothing that the peer once said
                    self._peers[terminal] = self._read(signed, terminal)

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

    def _read(self, signed: content_pb2.SignedPrekey, terminal: int) -> PeerPrekey:
        return read_peer_prekey(self._charter, terminal, self._remotes[terminal], signed, COURIER_LABEL)

    def check(self, signed: content_pb2.SignedPrekey, terminal: int) -> None:
        """Raises what `offer` would raise."""
        held = self._peers.get(terminal)
        if held is None or signed != held.signed:
            self._read(signed, terminal)

    def offer(self, signed: content_pb2.SignedPrekey, terminal: int, *, fresh: bool) -> list[Change]:
        """`terminal` announced one; an older generation is taken only when fresh. Raises Untrusted or Malformed."""
        held = self._peers.get(terminal)
        if held is not None and signed == held.signed:
            return []
        prekey = self._read(signed, terminal)
        if not fresh and held is not None and prekey.generation <= held.generation:
            return []
        self._peers[terminal] = prekey
        return [Put("peer_courier", {"terminal": terminal, "content": signed.body, "signature": signed.signature})]

    def usable(self, terminal: int, now: Instant) -> PeerPrekey | None:
        """What a bundle for `terminal` may be sealed to now."""
        held = self._peers.get(terminal)
        return held if held is not None and now.wall <= held.not_after else None

    def word(self, terminal: int, held: int | None) -> content_pb2.CourierKey:
        """What a heartbeat to `terminal` says: our newest unless that one `held` it, and the tag of its own."""
        theirs = self._peers.get(terminal)
        word = content_pb2.CourierKey(held=tag(theirs.name) if theirs is not None else 0)
        if self.newest is not None and held != tag(self.newest.name):
            word.prekey.CopyFrom(self.newest.signed)
        return word
