"""Prekeys: rotation, grace, restoring, generations, and what of the peer's is taken."""

from __future__ import annotations

import random

import pytest

from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import SigningKey
from hotline.errors import KeyFileError, Malformed, Untrusted
from hotline.limits import PREKEY_GRACE, PREKEYS_KEPT_MAX
from hotline.machine import Delete, Instant, Put
from hotline.protocol.prekeys import OwnPrekeys, prekey_hash, read_peer_prekey, tag
from hotline.protocol.tables import Row
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2

CHARTER, NUMBER, STORAGE = b"c" * 32, 1, b"s" * 32
SIGNING = SigningKey(b"k" * 32)
KEM = KemKey(b"x" * 32)
LIFETIME = 600_000
WALL = 1_795_000_000_000


def at(mono: int, wall: int = WALL) -> Instant:
    return Instant(mono, wall + mono)


def prekeys(*saved: Row, storage: bytes = STORAGE, seed: int = 1) -> OwnPrekeys:
    return OwnPrekeys(CHARTER, NUMBER, SIGNING, storage, random.Random(seed).randbytes, saved)


def row(changes: list[Put | Delete]) -> Row:
    first = changes[0]
    assert isinstance(first, Put)
    return first.row


def generation(own: OwnPrekeys) -> int:
    assert own.newest is not None
    return own.newest.generation


def test_there_is_none_before_the_first_rotation() -> None:
    """A terminal would announce a key that nobody signed."""
    own = prekeys()
    assert own.newest is None
    assert own.next_deadline() is None
    assert own.due(at(0), LIFETIME) == ([], False)


def test_a_prekey_is_made_every_lifetime() -> None:
    """One key would open everything that was ever sent (docs/protocol.md 7.2)."""
    own = prekeys()
    own.rotate(at(0), LIFETIME)
    first = own.newest
    assert own.next_deadline() == LIFETIME
    assert own.due(at(LIFETIME - 1), LIFETIME) == ([], False)
    changes, made = own.due(at(LIFETIME), LIFETIME)
    assert made
    assert [change.table for change in changes] == ["prekey"]
    assert own.newest is not first
    assert own.next_deadline() == 2 * LIFETIME


def test_generations_rise_with_the_clock_and_without_it() -> None:
    """After a restored backup the peer would hold on to a prekey whose secret is gone (docs/protocol.md 7.2)."""
    own = prekeys()
    own.rotate(at(0), LIFETIME)
    assert generation(own) == WALL // 1_000
    own.rotate(at(1), LIFETIME)
    assert generation(own) == WALL // 1_000 + 1
    own.rotate(at(60_000), LIFETIME)
    assert generation(own) == WALL // 1_000 + 60
    own.rotate(at(60_001, wall=0), LIFETIME)
    assert generation(own) == WALL // 1_000 + 61, "the clock went back to 1970"


def test_older_secrets_are_destroyed_after_the_grace_and_not_before() -> None:
    """What is under way would be lost; or a stolen terminal would open what was said last month."""
    # docs/protocol.md 7.8
    own = prekeys()
    for now in (0, 1, 2):
        own.rotate(at(now), 10 * LIFETIME)
    old, middle, new = (own.with_tag(b""))[::-1]
    own.used(middle.name, at(10))
    assert own.due(at(10 + PREKEY_GRACE - 1), 10 * LIFETIME)[0] == []
    assert own.next_deadline() == 10 + PREKEY_GRACE
    own.used(middle.name, at(20))  # using it again does not postpone the end
    changes, _ = own.due(at(10 + PREKEY_GRACE), 10 * LIFETIME)
    assert Delete("prekey", {"generation": old.generation}) in changes
    assert own.named(old.name) is None
    assert own.named(middle.name) is not None
    assert own.named(new.name) is not None


def test_use_of_an_unknown_prekey_destroys_nothing() -> None:
    """A forged name would make the terminal forget its keys."""
    own = prekeys()
    own.rotate(at(0), LIFETIME)
    own.used(b"x" * 32, at(1))
    own.due(at(PREKEY_GRACE * 2), 10 * LIFETIME)
    assert own.newest is not None


def test_no_more_than_the_bound_are_kept() -> None:
    """A peer that never moves on would make the secrets pile up (docs/protocol.md 7.8)."""
    own = prekeys()
    for now in range(PREKEYS_KEPT_MAX):
        assert len(own.rotate(at(now), LIFETIME)) == 1
    assert len(own.with_tag(b"")) == PREKEYS_KEPT_MAX
    oldest = own.with_tag(b"")[-1]
    changes = own.rotate(at(99), LIFETIME)
    assert changes[1:] == [Delete("prekey", {"generation": oldest.generation})]
    assert len(own.with_tag(b"")) == PREKEYS_KEPT_MAX
    assert own.named(oldest.name) is None


def test_rows_bring_everything_back() -> None:
    """After a restart nothing that waited at a relay could be opened."""
    own = prekeys()
    rows = [row(own.rotate(at(0), LIFETIME)), row(own.rotate(at(1), LIFETIME))]
    again = prekeys(*rows, seed=2)
    assert [key.name for key in again.with_tag(b"")] == [key.name for key in own.with_tag(b"")]
    assert [key.key.seed for key in again.with_tag(b"")] == [key.key.seed for key in own.with_tag(b"")]
    again.rotate(at(2, wall=0), LIFETIME)
    assert generation(again) == generation(own) + 1, "generations go on from the saved ones"


def test_a_row_holds_no_secret_in_the_clear_and_opens_with_one_key() -> None:
    """A copied store would open everything that was recorded on the line."""
    own = prekeys()
    saved = row(own.rotate(at(0), LIFETIME))
    assert own.newest is not None
    assert all(not isinstance(value, bytes) or own.newest.key.seed not in value for value in saved.values())
    with pytest.raises(KeyFileError):
        prekeys(saved, storage=b"t" * 32)


def test_lookups_by_tag_and_name() -> None:
    """An envelope to a known prekey would be answered with a key request."""
    own = prekeys()
    own.rotate(at(0), LIFETIME)
    own.rotate(at(1), LIFETIME)
    newest, older = own.with_tag(b"")
    assert own.with_tag(newest.name[:4]) == [newest]
    assert own.with_tag(older.name[:4]) == [older]
    assert own.with_tag(bytes(4)) == []
    assert own.named(older.name) is older
    assert own.named(older.name[:31]) is None
    assert tag(newest.name) == int.from_bytes(newest.name[:4], "big")
    assert tag(bytes(32)) == 1, "0 says that there is none"


def signed(
    key: SigningKey = SIGNING, charter: bytes = CHARTER, number: int = NUMBER, **changes: object
) -> content_pb2.SignedPrekey:
    fields: dict[str, object] = {
        "generation": 1,
        "public_key": KEM.public,
        "created_ms": WALL,
        "not_after_ms": WALL + 1,
    }
    body = encode(content_pb2.PrekeyBody(**{**fields, **changes}))  # type: ignore[arg-type]
    return content_pb2.SignedPrekey(
        body=body, signature=key.sign("hotline/v1/prekey", charter, number.to_bytes(2, "big"), body)
    )


def test_the_peers_prekey_is_read_as_it_was_signed() -> None:
    """We would seal to a key that is nobody's."""
    made = signed()
    read = read_peer_prekey(CHARTER, NUMBER, SIGNING.public, made)
    assert (read.generation, read.not_after) == (1, WALL + 1)
    assert read.name == prekey_hash(CHARTER, NUMBER, made.body)


@pytest.mark.parametrize(
    "made",
    [
        signed(key=SigningKey(b"x" * 32)),
        signed(charter=b"d" * 32),
        signed(number=2),
        content_pb2.SignedPrekey(body=signed().body, signature=b""),
        content_pb2.SignedPrekey(body=signed().body, signature=bytes(64)),
        content_pb2.SignedPrekey(body=signed().body + b"\x08\x01", signature=signed().signature),
    ],
)
def test_a_prekey_signed_for_something_else_is_refused(made: content_pb2.SignedPrekey) -> None:
    """Somebody between would make us seal to a key of his."""
    with pytest.raises(Untrusted):
        read_peer_prekey(CHARTER, NUMBER, SIGNING.public, made)


@pytest.mark.parametrize(
    "made",
    [
        signed(public_key=KEM.public[:-1]),
        signed(public_key=KEM.public + b"x"),
        signed(public_key=bytes(1216)),
        signed(public_key=KEM.public[:1184] + bytes(32)),
        signed(public_key=b"\xff" * 1184 + KEM.public[1184:]),
        signed(generation=0),
        signed(not_after_ms=WALL),
    ],
)
def test_a_prekey_that_makes_no_sense_is_refused(made: content_pb2.SignedPrekey) -> None:
    """A faulty peer would stop the terminal when it seals (docs/protocol.md 7.10)."""
    with pytest.raises(Malformed) as caught:
        read_peer_prekey(CHARTER, NUMBER, SIGNING.public, made)
    assert caught.value.reason == "prekey"
