"""Sealing to and opening from one peer terminal (docs/protocol.md section 7).

Opening changes no state unless everything held: length, header, key, commitment, AEAD, padding, signature.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from hotline.crypto.epochs import OPENER_SIZE, PREKEY_TAG_SIZE, Binding, ReceivingEpoch, SendingEpoch
from hotline.crypto.sealing import open_sealed, seal
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, NotOpened, RemoteError, Untrusted
from hotline.limits import EPOCHS_KEPT_MAX, KEY_REQUEST_INTERVAL
from hotline.machine import Change, Delete, Entropy, Instant, Plane, Put
from hotline.protocol import nonpapers
from hotline.protocol.courierkeys import CourierKeys
from hotline.protocol.lately import remember
from hotline.protocol.openers import Openers
from hotline.protocol.prekeys import OwnPrekey, OwnPrekeys, PeerPrekey, read_peer_prekey, tag
from hotline.protocol.statements import Ends, sign_content, verify_content
from hotline.protocol.tables import Row
from hotline.wire.codec import decode, encode
from hotline.wire.envelope import (
    EPOCH_ID_SIZE,
    FLAG_CLEAR,
    FLAG_OPENER,
    FLAG_TRANSIENT,
    HEADER_SIZE,
    Header,
)
from hotline.wire.inner import ContentType, Inner, decode_inner, encode_inner
from hotline.wire.v1 import content_pb2

ASKABLE: Final = frozenset({"unknown-epoch", "unknown-prekey", "too-far"})
"""Reasons of NotOpened that a key request can mend."""

_RECENT_EPOCHS: Final = 16


@dataclass(frozen=True, slots=True)
class Side:
    """One terminal of the charter: who it is and how it signs."""

    number: int
    party: str
    name: str
    signing: bytes


class Opened(NamedTuple):
    """An envelope that held."""

    plane: Plane
    inner: Inner
    changes: list[Change]
    new_epoch: bytes | None
    author: int
    """The terminal that signed it: of a statement, any of the sender's party may have."""


class KeyRequested(NamedTuple):
    """What a key request asks for: seal again what was sealed in `reseal` (empty: nothing)."""

    changes: list[Change]
    reseal: bytes
    new_prekey: bool


class Session:
    """The secure channel between our terminal and one peer terminal."""

    def __init__(
        self,
        charter: bytes,
        local: Side,
        remote: Side,
        pairwise: bytes,
        signing: SigningKey,
        prekeys: OwnPrekeys,
        entropy: Entropy,
        courier: CourierKeys | None = None,
        authors: Mapping[int, bytes] | None = None,
    ) -> None:
        """`authors`: signing keys of other terminals whose statements the remote one may hand on."""
        self._authors = authors or {}
        self._out = Binding(charter, local.number, remote.number, pairwise)
        self._in = self._out.reversed()
        self._remote = remote
        self._signing = signing
        self._prekeys = prekeys
        self._courier = courier
        self._entropy = entropy
        self.ends_out = Ends(charter, local.number, remote.number)
        self.ends_in = Ends(charter, remote.number, local.number)
        self.peer_prekey: PeerPrekey | None = None
        self._confirmed = False
        self._sending: dict[Plane, SendingEpoch] = {}
        self._begun: list[tuple[bytes, Plane]] = []
        self._recent_sending = {plane: deque[bytes](maxlen=_RECENT_EPOCHS) for plane in Plane}
        self._receiving: OrderedDict[bytes, ReceivingEpoch] = OrderedDict()
        self._saved_openers: dict[bytes, Row] = {}
        self._openers = Openers(self._in)
        self._live = b""
        """The epoch of the last fresh heartbeat: what a relay kept of older ones does not push it out."""
        self._left: dict[bytes, None] = {}
        """Epochs that had to go in this run: whoever brings one back has kept its opener."""
        self.newest_peer_epochs: dict[Plane, bytes] = {}
        self._asked_at: int | None = None
        self._obeyed_at: int | None = None

    def restore(self, peer_prekeys: Iterable[Row], peer_epochs: Iterable[Row]) -> None:
        """Take up what the operational tables hold."""
        for row in peer_prekeys:
            if row["terminal"] == self._remote.number:
                signed = content_pb2.SignedPrekey(body=_blob(row, "content"), signature=_blob(row, "signature"))
                with contextlib.suppress(RemoteError):  # a start is held up by nothing that the peer once said
                    self.peer_prekey = self.read_prekey(signed)
        for row in sorted(peer_epochs, key=lambda saved: str(saved["at"]).zfill(20)):
            if row["terminal"] == self._remote.number:
                self._saved_openers[_blob(row, "epoch")] = row

    # --- sealing -----------------------------------------------------------------------------------------------------

    def sign(self, kind: ContentType, plane: Plane, content: bytes) -> Inner:
        """`content` with our signature for this peer; what is said without prejudice has none, and only a MAC."""
        if kind is ContentType.WITHOUT_PREJUDICE:
            return nonpapers.authenticate(self._out.pairwise, plane, self.ends_out, content)
        return sign_content(self._signing, kind, plane, self.ends_out, content)

    @property
    def has_prekey(self) -> bool:
        """Whether we hold any prekey of the peer: enough for heartbeats, which prove or disprove its freshness."""
        return self.peer_prekey is not None

    def can_seal(self, now: Instant) -> bool:
        """Whether we hold a prekey of the peer that statements and receipts may be sealed to."""
        prekey = self.peer_prekey
        # A heartbeat that answers ours proves freshness better than two clocks do; expiry binds only without one.
        return prekey is not None and (self._confirmed or now.wall <= prekey.not_after)

    def seal(self, plane: Plane, inner: Inner, *, transient: bool) -> bytes:
        """A new envelope with a fresh key. Call only if `can_seal`."""
        epoch = self._epoch_for(plane)
        number, key = epoch.take(transient=transient)
        flags = FLAG_TRANSIENT if transient else 0
        prefix = b""
        if not epoch.acknowledged:
            flags |= FLAG_OPENER
            prefix = epoch.prekey_hash[:PREKEY_TAG_SIZE] + epoch.opener
        header = Header(flags, self._out.recipient, self._out.sender, epoch.epoch_id, number).encode()
        return header + prefix + seal(key, header, encode_inner(inner, padded=True))

    def _epoch_for(self, plane: Plane) -> SendingEpoch:
        prekey = self.peer_prekey
        assert prekey is not None, "seal without a prekey"
        epoch = self._sending.get(plane)
        if epoch is None or epoch.exhausted or epoch.prekey_hash != prekey.name:
            epoch = SendingEpoch(self._out, plane, prekey.name, prekey.public, self._entropy)
            self._sending[plane] = epoch
            self._begun.append((epoch.epoch_id, plane))
            self._recent_sending[plane].append(epoch.epoch_id)
        return epoch

    def courier_epoch(self, plane: Plane, prekey: PeerPrekey) -> Callable[[Inner], bytes]:
        """Seals what one bundle carries on one plane, in the order of its opening: an epoch to a courier prekey.

        Only the first envelope carries the opener: in a bundle nothing overtakes it.
        """
        epoch = SendingEpoch(self._out, plane, prekey.name, prekey.public, self._entropy)

        def seal_next(inner: Inner) -> bytes:
            number, key = epoch.take(transient=False)
            flags, prefix = 0, b""
            if number == 0:
                self._begun.append((epoch.epoch_id, plane))
                flags, prefix = FLAG_OPENER, prekey.name[:PREKEY_TAG_SIZE] + epoch.opener
            header = Header(flags, self._out.recipient, self._out.sender, epoch.epoch_id, number).encode()
            return header + prefix + seal(key, header, encode_inner(inner, padded=True))

        return seal_next

    def take_begun(self) -> list[tuple[bytes, Plane]]:
        """The epochs opened since the last call, for the record."""
        begun, self._begun = self._begun, []
        return begun

    def acknowledge_epoch(self, epoch_tag: int) -> None:
        """The peer says which of our epochs it opened last: the opener need not ride along any more."""
        for epoch in self._sending.values():
            if tag(epoch.epoch_id) == epoch_tag:
                epoch.acknowledged = True

    def opened_epoch(self, turn: int) -> int:
        """Tag of the newest epoch of the peer that we opened, of each plane in turn; 0 for none."""
        names = list(self.newest_peer_epochs.values())
        return tag(names[turn % len(names)]) if names else 0

    # --- opening -----------------------------------------------------------------------------------------------------

    def check_address(self, header: Header) -> None:
        """Raises Malformed unless an envelope with this header is from the peer to us."""
        if (header.sender, header.recipient) != (self.ends_in.sender, self.ends_in.recipient):
            raise Malformed("address", f"from {header.sender} to {header.recipient}")

    def open(self, header: Header, envelope: bytes, now: Instant, path: str = "") -> Opened:
        """Open what came over `path` from the peer. Raises NotOpened, Malformed or Untrusted, state unchanged."""
        rest = envelope[HEADER_SIZE:]
        opener = prekey_tag = b""
        if header.flags & FLAG_OPENER:
            prekey_tag, opener = rest[:PREKEY_TAG_SIZE], rest[PREKEY_TAG_SIZE : PREKEY_TAG_SIZE + OPENER_SIZE]
            rest = rest[PREKEY_TAG_SIZE + OPENER_SIZE :]
        self._openers.keep(lambda name: self._secret_of(name) is not None)
        known = self._receiving.get(header.epoch) or self._reopen(header.epoch, path, now)
        if known is not None and opener and not self._is_opener_of(known, prekey_tag, opener):
            raise NotOpened("not-opened")
        epoch = known or self._begun_by(header.epoch, prekey_tag, opener, path, now)
        is_proven = epoch.epoch_id in self._receiving
        if not is_proven:
            self._openers.look_ahead(path, header.number, now)
        inner, author = self._open_with(epoch, header, envelope[:HEADER_SIZE], rest)
        epoch.use(header.number, transient=header.transient)
        if not is_proven:
            self._openers.proven(epoch, path)
        if known is None:
            return Opened(epoch.plane, inner, self._adopt(epoch, opener, now), epoch.epoch_id, author)
        self._remember(epoch)
        return Opened(epoch.plane, inner, [], None, author)

    def _begun_by(self, epoch_id: bytes, prekey_tag: bytes, opener: bytes, path: str, now: Instant) -> ReceivingEpoch:
        """The epoch that an opener begins, of whichever plane. Raises NotOpened."""
        if not opener or epoch_id in self._left:
            raise NotOpened("unknown-epoch")
        candidates = self._prekeys.with_tag(prekey_tag)
        if self._courier is not None:
            candidates += self._courier.with_tag(prekey_tag)
        if not candidates:
            raise NotOpened("unknown-prekey")
        for prekey in candidates:
            for plane in Plane:
                with contextlib.suppress(NotOpened):
                    return self._openers.epoch(plane, epoch_id, prekey, opener, path, now)
        raise NotOpened("not-opened")

    def _is_opener_of(self, epoch: ReceivingEpoch, prekey_tag: bytes, opener: bytes) -> bool:
        """Nothing else binds an opener that rides along once the epoch is open."""
        return epoch.prekey_hash.startswith(prekey_tag) and self._saved_openers[epoch.epoch_id]["opener"] == opener

    def _open_with(
        self, epoch: ReceivingEpoch, header: Header, header_bytes: bytes, sealed: bytes
    ) -> tuple[Inner, int]:
        key = epoch.look(header.number, transient=header.transient)
        inner = decode_inner(open_sealed(key, header_bytes, sealed), padded=True)
        if inner.type is ContentType.KEY_REQUEST:
            raise Untrusted("content-type", "a key request is never sealed")
        return inner, self._author(inner, epoch.plane)

    def _author(self, inner: Inner, plane: Plane) -> int:
        """Whose signature holds. Raises Untrusted."""
        if inner.type is ContentType.WITHOUT_PREJUDICE:
            nonpapers.check(self._in.pairwise, inner, plane, self.ends_in)
            return self._remote.number
        try:
            verify_content(self._remote.signing, inner, plane, self.ends_in)
        except Untrusted:
            if inner.type is not ContentType.STATEMENT:
                raise
            for number, key in self._authors.items():
                ends = Ends(self.ends_in.charter, number, self.ends_in.recipient)
                with contextlib.suppress(Untrusted):
                    verify_content(key, inner, plane, ends)
                    return number
            raise
        return self._remote.number

    def _reopen(self, epoch_id: bytes, path: str, now: Instant) -> ReceivingEpoch | None:
        """Rebuild an epoch that was open before a restart, from its opener and the prekey secret."""
        row = self._saved_openers.get(epoch_id)
        prekey = self._secret_of(_blob(row, "prekey")) if row is not None else None
        if row is None or prekey is None:
            return None
        return self._openers.epoch(Plane(str(row["plane"])), epoch_id, prekey, _blob(row, "opener"), path, now)

    def _secret_of(self, name: bytes) -> OwnPrekey | None:
        found = self._prekeys.named(name)
        return self._courier.named(name) if found is None and self._courier is not None else found

    def _adopt(self, epoch: ReceivingEpoch, opener: bytes, now: Instant) -> list[Change]:
        self._prekeys.used(epoch.prekey_hash, now)
        row = {
            "epoch": epoch.epoch_id,
            "plane": epoch.plane.value,
            "prekey": epoch.prekey_hash,
            "opener": opener,
            "at": now.wall,
            "terminal": self._remote.number,
        }
        self._saved_openers[epoch.epoch_id] = row
        changes: list[Change] = [Put("peer_epoch", row)]
        self._remember(epoch)
        while len(self._saved_openers) > EPOCHS_KEPT_MAX:
            oldest = next(one for one in self._saved_openers if one != self._live)
            del self._saved_openers[oldest]
            remember(self._left, oldest, None)
            self._receiving.pop(oldest, None)
            changes.append(Delete("peer_epoch", {"epoch": oldest}))
        return changes

    def is_live(self, epoch: bytes) -> None:
        """The peer has sealed a heartbeat in it that answers one of ours."""
        self._live = self.newest_peer_epochs[self._receiving[epoch].plane] = epoch

    def _remember(self, epoch: ReceivingEpoch) -> None:
        if epoch.epoch_id not in self._receiving:
            self._receiving[epoch.epoch_id] = epoch
            # What a bundle opened is not what the peer's heartbeats wait to hear of.
            if self._prekeys.named(epoch.prekey_hash) is not None:
                self.newest_peer_epochs[epoch.plane] = epoch.epoch_id

    # --- prekeys and key requests ------------------------------------------------------------------------------------

    def read_prekey(self, signed: content_pb2.SignedPrekey) -> PeerPrekey:
        """The prekey that the peer signed; the one we hold was looked at before. Raises Untrusted or Malformed."""
        if self.peer_prekey is not None and signed == self.peer_prekey.signed:
            return self.peer_prekey
        return read_peer_prekey(self._out.charter, self._remote.number, self._remote.signing, signed)

    def offer_prekey(self, signed: content_pb2.SignedPrekey, *, fresh: bool) -> list[Change]:
        """The peer announced a prekey; `fresh` if the announcement answers something we just said.

        An older generation is taken only when fresh: the peer may have lost its state. Raises Untrusted or Malformed.
        """
        if self.peer_prekey is not None and signed == self.peer_prekey.signed:
            self._confirmed = self._confirmed or fresh
            return []
        prekey = self.read_prekey(signed)
        if not fresh and self.peer_prekey is not None and prekey.generation <= self.peer_prekey.generation:
            return []
        self.peer_prekey = prekey
        self._confirmed = fresh
        row: Row = {"terminal": self._remote.number, "content": signed.body, "signature": signed.signature}
        return [Put("peer_prekey", row)]

    def confirm_prekey(self, prekey_tag: int) -> bool:
        """A fresh heartbeat names the peer's newest prekey; says whether it is the one we hold."""
        held = self.peer_prekey is not None and tag(self.peer_prekey.name) == prekey_tag
        self._confirmed = held
        return held

    def key_request(self, unknown_epoch: bytes, now: Instant) -> bytes | None:
        """A key request envelope in the clear, or None if one was sent less than KEY_REQUEST_INTERVAL ago."""
        newest = self._prekeys.newest
        if newest is None or (self._asked_at is not None and now.mono - self._asked_at < KEY_REQUEST_INTERVAL):
            return None
        self._asked_at = now.mono
        request = content_pb2.KeyRequest(unknown_epoch=unknown_epoch, prekey=newest.signed, time_ms=now.wall)
        inner = self.sign(ContentType.KEY_REQUEST, Plane.REAL, encode(request))
        header = Header(
            FLAG_CLEAR | FLAG_TRANSIENT, self._out.recipient, self._out.sender, self._entropy(EPOCH_ID_SIZE), 0
        )
        return header.encode() + encode_inner(inner, padded=False)

    def read_key_request(self, envelope: bytes, now: Instant) -> KeyRequested:
        """Verify and obey a key request. Raises Malformed or Untrusted.

        One that names no recent epoch of ours cannot be told from a replay: it may bring a newer prekey, no more.
        """
        inner = decode_inner(envelope[HEADER_SIZE:], padded=False)
        if inner.type is not ContentType.KEY_REQUEST:
            raise Untrusted("content-type", "only a key request comes in the clear")
        verify_content(self._remote.signing, inner, Plane.REAL, self.ends_in)
        request = decode(content_pb2.KeyRequest, inner.content, 4_096)
        if not request.HasField("prekey"):
            raise Malformed("prekey", "a key request without one")
        plane = next((one for one, begun in self._recent_sending.items() if request.unknown_epoch in begun), None)
        named = request.unknown_epoch if plane is not None else b""
        if named and self._obeyed_at is not None and now.mono - self._obeyed_at < KEY_REQUEST_INTERVAL:
            return KeyRequested([], b"", False)
        current = self._sending.get(plane) if plane is not None else None
        is_current = current is not None and current.epoch_id == named
        before = self.peer_prekey
        changes = self.offer_prekey(request.prekey, fresh=is_current)
        if named:
            self._obeyed_at = now.mono
        if is_current and plane is not None:
            del self._sending[plane]
        return KeyRequested(changes, named, self.peer_prekey is not before)


def _blob(row: Row, column: str) -> bytes:
    value = row[column]
    assert isinstance(value, bytes), column
    return value
