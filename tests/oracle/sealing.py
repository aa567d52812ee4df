"""Frames, headers, contents under seal, and sealed epochs (docs/protocol.md sections 5 to 7)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from Crypto.Cipher import ChaCha20_Poly1305

from tests.oracle.content import WITHOUT_PREJUDICE, Json, quiet_key, quiet_mac, raw, read_prekey, word
from tests.oracle.primitives import (
    OPENER,
    SUITE,
    Refused,
    expand,
    hkdf,
    mac,
    need,
    pae,
    sha256,
    signed,
    unseal,
)
from tests.oracle.protobuf import read, shown

ENVELOPE_MAX, FRAME_MAX, PARCEL_MAX, FRAMES_MAX = 36_864, 40_960, 65_536, 256
PADDING = (128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 34_816)
SKIP_MAX, KEPT_DURABLE, KEPT_TRANSIENT = 4_096, 4_096, 4_096
HEADER, TAG, SIGNATURE = 22, 4, 64
WITH_OPENER, TRANSIENT, CLEAR = 1, 2, 4
TYPES = {1: "statement", 2: "receipt", 3: "heartbeat", 4: "key-request", 5: "without-prejudice"}
KEY_REQUEST = 4
PLANES = ("real", "exercise", "service")


def frame(given: Json, asked: Json) -> Json:
    """Clause 4.2, section 5."""
    made = read("Frame", raw(asked["bytes"]), FRAME_MAX)
    bodies = {name: shown(value) for name, value in made.items() if value is not None}
    need(bodies, "empty")
    return {"frame": bodies}


def parcel(given: Json, asked: Json) -> Json:
    """Clause 4.3: the frames that are looked at, and how many stand behind them."""
    frames = read("Parcel", raw(asked["bytes"]), PARCEL_MAX)["frame"]
    return {"frames": shown(frames[:FRAMES_MAX]), "refused": max(0, len(frames) - FRAMES_MAX)}


@dataclass(frozen=True)
class Header:
    """Clause 6.1."""

    flags: int
    to: int
    sender: int
    epoch: bytes
    number: int


def read_header(envelope: bytes) -> Header:
    """Raises Refused."""
    need(len(envelope) <= ENVELOPE_MAX, "too-long")
    need(len(envelope) > HEADER, "too-short")
    need(envelope[0] == 1, "version")
    need(envelope[1] in (0, 1, 2, 3, 6), "flags")
    to, sender = int.from_bytes(envelope[2:4], "big"), int.from_bytes(envelope[4:6], "big")
    need(to and sender and to != sender, "address")
    return Header(envelope[1], to, sender, envelope[6:18], int.from_bytes(envelope[18:22], "big"))


def header(given: Json, asked: Json) -> Json:
    """Clauses 6.1 and 6.3."""
    envelope = raw(asked["bytes"])
    made = read_header(envelope)
    return {
        "flags": made.flags,
        "to": made.to,
        "from": made.sender,
        "epoch": made.epoch.hex(),
        "number": made.number,
        "identifier": envelope[4:22].hex(),
    }


def read_inner(data: bytes, *, padded: bool) -> tuple[int, bytes, bytes]:
    """Clause 7.4: (type, content, signature). Raises Refused."""
    end = 4 + int.from_bytes(data[1:4], "big") + SIGNATURE
    need(len(data) >= end and data[0] in TYPES, "inner")
    if padded:
        need(len(data) == min((size for size in PADDING if size >= end), default=0), "padding")
        need(not any(data[end:]), "padding")
    else:
        need(len(data) == end, "inner")
    return data[0], data[4 : end - SIGNATURE], data[end - SIGNATURE : end]


def inner(given: Json, asked: Json) -> Json:
    """Clause 7.4."""
    kind, content, signature = read_inner(raw(asked["bytes"]), padded=asked["padded"])
    return {"type": kind, "content": content.hex(), "signature": signature.hex()}


# --- keys ------------------------------------------------------------------------------------------------------------


def message_key(chain: bytes) -> tuple[bytes, bytes, bytes]:
    """Clause 7.5: key, nonce and commitment."""
    made = expand(chain, b"hotline/v1/msg", 76)
    return made[:32], made[32:44], made[44:]


def following(chain: bytes) -> bytes:
    """The next chain key."""
    return mac(chain, b"hotline/v1/chain")


def chain(given: Json, asked: Json) -> Json:
    """Clause 7.5: keys of the envelope `number` of a chain that begins with `root`."""
    current = raw(asked["root"])
    for _ in range(asked["number"]):
        current = following(current)
    key, nonce, commitment = message_key(current)
    return {
        "key": key.hex(), "nonce": nonce.hex(), "commitment": commitment.hex(), "next": following(current).hex(),
    }  # fmt: skip


@dataclass
class Chain:
    """The receiving side of a chain: which numbers still have a key."""

    key: bytes
    kept_max: int
    next: int = 0
    kept: dict[int, bytes] = field(default_factory=dict)

    def look(self, number: int) -> bytes:
        """The chain key of `number`. Raises Refused('used' | 'too-far')."""
        if number < self.next:
            need(number in self.kept, "used")
            return self.kept[number]
        need(number - self.next <= SKIP_MAX, "too-far")
        key = self.key
        for _ in range(number - self.next):
            key = following(key)
        return key

    def use(self, number: int) -> None:
        """`number` opened: its key is gone, overtaken ones are kept as far as there is room."""
        if number < self.next:
            del self.kept[number]
            return
        while self.next <= number:
            self.kept[self.next] = self.key
            self.key, self.next = following(self.key), self.next + 1
        del self.kept[number]
        for oldest in sorted(self.kept)[: max(0, len(self.kept) - self.kept_max)]:
            del self.kept[oldest]


@dataclass
class Epoch:
    """Clause 7.3, the receiving side."""

    plane: str
    prekey: bytes
    opener: bytes
    secret: bytes
    durable: Chain
    transient: Chain


def open_epoch(
    keys: tuple[bytes, bytes, bytes], ends: tuple[int, int], plane: str, epoch: bytes, name: bytes, opener: bytes
) -> Epoch:
    """Clause 7.3; `keys` are the prekey's seed, the pairwise secret and the charter. Raises Refused('not-opened')."""
    seed, pairwise, charter = keys
    info = pae("hotline/v1/epoch", SUITE, plane.encode(), charter, word(ends[0]) + word(ends[1]), epoch, name)
    need(len(opener) == OPENER, "not-opened")
    secret = unseal(seed, opener, info)
    roots = hkdf(pairwise, secret, info + sha256(opener), 64)
    return Epoch(plane, name, opener, secret, Chain(roots[:32], KEPT_DURABLE), Chain(roots[32:], KEPT_TRANSIENT))


def _epoch(given: Json, asked: Json) -> Epoch:
    keys = (raw(given["seed"]), raw(given["pairwise"]), raw(given["charter"]))
    ends = (given["from"], given["to"])
    return open_epoch(keys, ends, asked["plane"], raw(asked["epoch"]), raw(given["prekey"]), raw(asked["opener"]))


def epoch(given: Json, asked: Json) -> Json:
    """Clause 7.3."""
    made = _epoch(given, asked)
    return {"secret": made.secret.hex(), "durable": made.durable.key.hex(), "transient": made.transient.key.hex()}


def window(given: Json, asked: Json) -> Json:
    """Clause 7.5: what becomes of envelopes that arrive with these numbers, one after another."""
    made = _epoch(given, given)
    told = []
    for number in asked["numbers"]:
        side = made.transient if asked["transient"] else made.durable
        try:
            key = side.look(number)
            told.append(message_key(key)[2].hex())
            side.use(number)
        except Refused as refused:
            told.append(refused.word)
    return {"commitments": told}


# --- a terminal that receives ----------------------------------------------------------------------------------------


class Receiver:
    """A terminal with its prekeys, before and after envelopes arrived."""

    def __init__(self, given: Json) -> None:
        own, peer = given["recipient"], given["sender"]
        self.charter, self.pairwise = raw(given["charter"]), raw(given["pairwise"])
        self.ends = (peer["number"], own["number"])
        self.peer = raw(peer["public"])
        self.prekeys: list[tuple[bytes, bytes]] = []
        for sort, label in (("courier_prekeys", "hotline/v1/courier-prekey"), ("prekeys", "hotline/v1/prekey")):
            for kept in own[sort]:
                covered = pae(label, self.charter, word(own["number"]), raw(kept["body"]))
                self.prekeys.insert(0, (sha256(covered), raw(kept["seed"])))
        self.epochs: dict[bytes, Epoch] = {}

    def open(self, envelope: bytes) -> Json:
        """Clause 4.1. Raises Refused, nothing changed."""
        head = read_header(envelope)
        need((head.sender, head.to) == self.ends, "address")
        if head.flags & CLEAR:
            plane, found = "real", self._key_request(envelope[HEADER:])
        else:
            plane, found = self._sealed(head, envelope)
        kind, content, signature = found
        return {
            "plane": plane, "type": kind, "content": content.hex(), "signature": signature.hex(),
            "identifier": envelope[4:HEADER].hex(),
        }  # fmt: skip

    def _check(self, plane: str, found: tuple[int, bytes, bytes]) -> None:
        kind, content, signature = found
        if kind == WITHOUT_PREJUDICE:
            key = quiet_key(self.pairwise, self.charter, plane, *self.ends)
            need(hmac.compare_digest(signature, quiet_mac(key, self.charter, plane, *self.ends, content)), "signature")
            return
        ends = [word(number) for number in (self.ends[:1] if kind == 1 else self.ends)]
        need(signed(self.peer, signature, pae(f"hotline/v1/{TYPES[kind]}/{plane}", self.charter, *ends, content)),
             "signature")  # fmt: skip

    def _key_request(self, rest: bytes) -> tuple[int, bytes, bytes]:
        """Clause 7.7."""
        found = read_inner(rest, padded=False)
        need(found[0] == KEY_REQUEST, "content-type")
        self._check("real", found)
        asked = read("KeyRequest", found[1], 4_096)
        need(asked["prekey"] is not None, "prekey")
        read_prekey(self.charter, self.ends[0], self.peer, asked["prekey"]["body"], asked["prekey"]["signature"])
        return found

    def _sealed(self, head: Header, envelope: bytes) -> tuple[str, tuple[int, bytes, bytes]]:
        rest, tag, opener = envelope[HEADER:], b"", b""
        if head.flags & WITH_OPENER:
            tag, opener, rest = rest[:TAG], rest[TAG : TAG + OPENER], rest[TAG + OPENER :]
        known = self.epochs.get(head.epoch)
        if known is not None:
            same = known.opener == opener and known.prekey.startswith(tag)
            need(not opener or same, "not-opened")
            candidates = [known]
        else:
            need(opener, "unknown-epoch")
            named = [prekey for prekey in self.prekeys if prekey[0].startswith(tag)]
            need(named, "unknown-prekey")
            candidates = [
                made for name, seed in named for plane in PLANES if (made := self._try(plane, head, name, seed, opener))
            ]
        need(candidates, "not-opened")
        epoch_ = candidates[0]
        side = epoch_.transient if head.flags & TRANSIENT else epoch_.durable
        key, nonce, commitment = message_key(side.look(head.number))
        need(len(rest) >= 48 and hmac.compare_digest(rest[:32], commitment), "not-opened")
        cipher = ChaCha20_Poly1305.new(key=key, nonce=nonce)
        cipher.update(envelope[:HEADER] + commitment)
        try:
            plain = cipher.decrypt_and_verify(rest[32:-16], rest[-16:])
        except ValueError as error:
            raise Refused("not-opened") from error
        found = read_inner(plain, padded=True)
        need(found[0] != KEY_REQUEST, "content-type")
        self._check(epoch_.plane, found)
        side.use(head.number)
        self.epochs[head.epoch] = epoch_
        return epoch_.plane, found

    def _try(self, plane: str, head: Header, name: bytes, seed: bytes, opener: bytes) -> Epoch | None:
        keys = (seed, self.pairwise, self.charter)
        try:
            return open_epoch(keys, self.ends, plane, head.epoch, name, opener)
        except Refused:
            return None


def envelope(given: Json, asked: Json) -> Json:
    """Sections 6 and 7: what becomes of an envelope after the `before` ones arrived."""
    receiver = Receiver(given)
    for name in asked["before"]:
        receiver.open(raw(given["arrived"][name]))
    return receiver.open(raw(asked["envelope"]))
