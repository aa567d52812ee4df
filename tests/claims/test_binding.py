"""What is sealed or signed for one place opens and holds in no other: charter, plane, direction, recipient, type.

Everything that could tell two places apart by accident is the same in all of them: prekey, pairwise secret, signing
key, epoch id. So only the binding of 7.3 and the labels of 7.4 stand between them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import NamedTuple

import pytest

from hotline.crypto import epochs
from hotline.crypto.epochs import Binding, ReceivingEpoch, SendingEpoch
from hotline.crypto.sealing import KemKey, open_sealed, seal
from hotline.crypto.signing import SigningKey, pae
from hotline.errors import NotOpened, Untrusted
from hotline.machine import Plane
from hotline.protocol import statements
from hotline.protocol.prekeys import prekey_hash, read_peer_prekey
from hotline.protocol.statements import Ends, sign_content, statement_hash, verify_content
from hotline.wire.codec import envelope_frame
from hotline.wire.envelope import FLAG_CLEAR, Header, decode_header
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import Pair

PAIRWISE, KEY, SIGNING = b"p" * 32, KemKey(b"k" * 32), SigningKey(b"s" * 32)
PREKEY = b"n" * 32
HEADER = bytes(22)


class Place(NamedTuple):
    """Where something is said."""

    charter: bytes
    plane: Plane
    sender: int
    recipient: int

    @property
    def binding(self) -> Binding:
        return Binding(self.charter, self.sender, self.recipient, PAIRWISE)

    @property
    def ends(self) -> Ends:
        return Ends(self.charter, self.sender, self.recipient)


PLACES = [
    Place(charter * 32, plane, *ends)
    for charter in (b"a", b"b")
    for plane in Plane
    for ends in itertools.permutations((1, 2, 3), 2)
]
"""Two charters, three planes, three terminals in every direction."""


def opens_elsewhere() -> list[tuple[Place, Place]]:
    """Pairs of different places of which the second opens what was sealed for the first."""
    found = []
    for place in PLACES:
        epoch = SendingEpoch(place.binding, place.plane, PREKEY, KEY.public, random.Random(1).randbytes)
        _, key = epoch.take(transient=False)
        sealed = seal(key, HEADER, b"words")
        for other in PLACES:
            try:
                peer = ReceivingEpoch(other.binding, other.plane, epoch.epoch_id, PREKEY, KEY, epoch.opener)
                opened = open_sealed(peer.look(0, transient=False), HEADER, sealed) == b"words"
            except NotOpened:
                opened = False
            assert opened or other != place
            if opened and other != place:
                found.append((place, other))
    return found


def test_what_is_sealed_for_one_place_opens_in_no_other() -> None:
    """An exercise would be read as the real thing, a word to one as a word to another, one's own as the peer's."""
    assert len(PLACES) == 36
    assert opens_elsewhere() == []


def _without(part: str) -> Callable[..., bytes]:
    def info(binding: Binding, plane: Plane, epoch_id: bytes, prekey: bytes) -> bytes:
        parts = {
            "plane": plane.value.encode(),
            "charter": binding.charter,
            "ends": bytes((binding.sender, binding.recipient)),
        }
        del parts[part]
        return pae("hotline/v1/epoch", *parts.values(), epoch_id, prekey)

    return info


@pytest.mark.parametrize("part", ["plane", "charter", "ends"])
def test_each_part_of_the_binding_is_needed(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """The claim above could rest on something else, and go with it unnoticed."""
    monkeypatch.setattr(epochs, "epoch_info", _without(part))
    pairs = opens_elsewhere()
    assert pairs
    for one, other in pairs:
        kept = {"plane": one.plane == other.plane, "charter": one.charter == other.charter}
        kept["ends"] = (one.sender, one.recipient) == (other.sender, other.recipient)
        assert not kept.pop(part)
        assert all(kept.values())


def holds_elsewhere(places: list[Place]) -> set[tuple[ContentType, Place, ContentType, Place]]:
    """Every signature that holds as something or somewhere that it was not made for."""
    found = set()
    for kind, place in itertools.product(ContentType, places):
        signed = sign_content(SIGNING, kind, place.plane, place.ends, b"words")
        for other_kind, other in itertools.product(ContentType, places):
            try:
                verify_content(SIGNING.public, Inner(other_kind, *signed[1:]), other.plane, other.ends)
            except Untrusted:
                assert (kind, place) != (other_kind, other)
                continue
            if (kind, place) != (other_kind, other):
                found.add((kind, place, other_kind, other))
    return found


SIGNED_IN = [place for place in PLACES if 1 in (place.sender, place.recipient)]
"""Fewer, for each signature is tried in each: still every way in which two places can differ."""


def expected_elsewhere() -> set[tuple[ContentType, Place, ContentType, Place]]:
    """A statement is signed once for every terminal of the recipient (7.4); nothing else holds anywhere else."""
    kind = ContentType.STATEMENT
    return {
        (kind, place, kind, other)
        for place, other in itertools.permutations(SIGNED_IN, 2)
        if place[:3] == other[:3] and place.recipient != other.recipient
    }


def test_what_is_signed_in_one_place_holds_in_no_other() -> None:
    """A receipt could be made of a statement, or an order given in an exercise be evidence in court."""
    assert holds_elsewhere(SIGNED_IN) == expected_elsewhere()


def test_a_label_without_plane_or_type_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim above could be blind."""
    planes = [Place(b"a" * 32, plane, 1, 2) for plane in Plane]
    assert holds_elsewhere(planes) == set()
    for label in (lambda kind, plane: kind.name, lambda kind, plane: plane.value):
        monkeypatch.setattr(statements, "label", label)
        assert holds_elsewhere(planes)


def test_names_are_as_particular_as_signatures() -> None:
    """Two statements of one name would be one in every receipt and ledger."""
    names = {statement_hash(place.plane, place.ends, b"words"): place[:3] for place in PLACES}
    assert len(names) == len(set(names.values())) == 18
    assert len({prekey_hash(place.charter, place.sender, b"body") for place in PLACES}) == 6


def test_a_prekey_holds_for_one_terminal_of_one_charter() -> None:
    """A relay could hand a terminal the prekey of another, which it may have robbed."""
    body = content_pb2.PrekeyBody(generation=1, public_key=KEY.public, created_ms=1, not_after_ms=2)
    content = body.SerializeToString(deterministic=True)
    signature = SIGNING.sign("hotline/v1/prekey", b"a" * 32, b"\0\1", content)
    signed = content_pb2.SignedPrekey(body=content, signature=signature)
    for charter, terminal in itertools.product((b"a" * 32, b"b" * 32), (1, 2, 3)):
        if (charter, terminal) == (b"a" * 32, 1):
            assert read_peer_prekey(charter, terminal, SIGNING.public, signed).generation == 1
            continue
        with pytest.raises(Untrusted):
            read_peer_prekey(charter, terminal, SIGNING.public, signed)


@pytest.mark.parametrize("where", ["another charter", "back to its sender", "another recipient"])
def test_everything_that_was_carried_is_refused_elsewhere(where: str) -> None:
    """The rooms above could be right, and the endpoint put them together wrongly."""
    here = Pair(7, relays=1).open()
    for plane in Plane:
        here.alpha.submit("words", plane=plane)
        here.run(500)
        here.bravo.read(1, plane)
        here.run(500)
    there = Pair(7, relays=1)
    if where == "another charter":
        for party in (there.alpha, there.bravo):
            party.prepare(charter=b"x" * 32)
    there.open()
    envelopes = [envelope for name, _, envelope in here.sent if name == "ALPHA"][:50]
    assert len(envelopes) > 10
    assert any(envelope[1] & FLAG_CLEAR for envelope in envelopes)
    victim = there.alpha if where == "back to its sender" else there.bravo
    for envelope in envelopes:
        old = decode_header(envelope)
        new = {
            "another charter": old,
            "back to its sender": Header(old.flags, 1, 2, old.epoch, old.number),
            "another recipient": Header(old.flags, 3, 1, old.epoch, old.number),
        }[where]
        output = victim.hear("relay-1", envelope_frame(new.encode() + envelope[22:]))
        # A known epoch with a used number is passed over without a word: the seeds of both worlds are the same.
        assert {told.kind for told in output.deliver} <= {"refused"}
        assert output.changes == []
    assert victim.shown() == []
    assert victim.shown(Plane.EXERCISE) == []
    assert victim.refusals()
    assert set(victim.refusals()) <= {"unknown-epoch", "unknown-prekey", "not-opened", "signature", "address"}
