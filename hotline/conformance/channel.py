"""Answers about frames, envelopes, keys and contents (docs/protocol.md sections 4 to 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import Message

from hotline.conformance.kit import Json
from hotline.crypto.epochs import Binding, ReceivingEpoch, epoch_info, epoch_roots
from hotline.crypto.sealing import KemKey, derive_message_key, next_chain_key, open_opener
from hotline.crypto.signing import SigningKey
from hotline.crypto.storage import storage_seal
from hotline.errors import NotOpened
from hotline.limits import EPOCH_MESSAGES_MAX, FRAMES_PER_PARCEL_MAX, PARCEL_BYTES_MAX
from hotline.machine import Instant, Plane
from hotline.protocol import nonpapers
from hotline.protocol.bundle import bundle_name, open_bundle
from hotline.protocol.courierkeys import CourierKeys
from hotline.protocol.custody import read_custody
from hotline.protocol.neutral import UNATTENDED, kind_of
from hotline.protocol.prekeys import COURIER_LABEL, LABEL, STORAGE_LABEL, OwnPrekeys, read_peer_prekey, tag
from hotline.protocol.session import Session, Side
from hotline.protocol.statements import (
    Ends,
    decode_receipt,
    read_heartbeat,
    read_statement,
    statement_hash,
    statement_name,
)
from hotline.protocol.tables import Row
from hotline.wire.codec import decode, decode_frame
from hotline.wire.envelope import FLAG_CLEAR, HEADER_SIZE, decode_header, envelope_id
from hotline.wire.inner import ContentType, Inner, decode_inner
from hotline.wire.v1 import content_pb2, frame_pb2, relay_pb2

_NOW: Final = Instant(10_000, 1_795_000_000_000)
_STORAGE: Final = bytes(32)
_ZEROS: Final = bytes
"""Nothing is sealed for anyone here: zeros will do for the storage key and for entropy."""

raw = bytes.fromhex


def fields(message: Message) -> Json:
    """The fields that are written in a message, by their names; byte strings in hexadecimal."""
    return {field.name: _shown(value) for field, value in message.ListFields()}


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Message):
        return fields(value)
    return [_shown(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


# --- frames and envelopes --------------------------------------------------------------------------------------------


def frame(given: Json, asked: Json) -> Json:
    """One frame."""
    del given
    return {"frame": fields(decode_frame(raw(asked["bytes"])))}


def parcel(given: Json, asked: Json) -> Json:
    """The frames of one gRPC message that are looked at, and how many stand behind them."""
    del given
    frames = decode(relay_pb2.AttachRequest, raw(asked["bytes"]), PARCEL_BYTES_MAX).frame
    looked_at = [data.hex() for data in frames[:FRAMES_PER_PARCEL_MAX]]
    return {"frames": looked_at, "refused": len(frames) - len(looked_at)}


def header(given: Json, asked: Json) -> Json:
    """The header of an envelope."""
    del given
    data = raw(asked["bytes"])
    made = decode_header(data)
    return {
        "flags": made.flags,
        "to": made.recipient,
        "from": made.sender,
        "epoch": made.epoch.hex(),
        "number": made.number,
        "identifier": envelope_id(data).hex(),
    }


def inner(given: Json, asked: Json) -> Json:
    """Type, content, signature, padding."""
    del given
    made = decode_inner(raw(asked["bytes"]), padded=asked["padded"])
    return {"type": int(made.type), "content": made.content.hex(), "signature": made.signature.hex()}


def envelope(given: Json, asked: Json) -> Json:
    """What a terminal makes of an envelope after others have arrived."""
    session = _session(given)
    for name in asked["before"]:
        _open(session, raw(given["arrived"][name]))
    return _open(session, raw(asked["envelope"]))


def _session(given: Json) -> Session:
    """The session of the recipient, made of nothing but what is published."""
    own, peer = given["recipient"], given["sender"]
    charter, public = raw(given["charter"]), raw(peer["public"])
    signing = SigningKey(raw(own["signing_seed"]))
    prekeys = OwnPrekeys(charter, own["number"], signing, _STORAGE, _ZEROS, _rows(own["prekeys"]))
    courier = CourierKeys(charter, own["number"], {peer["number"]: public}, signing, _STORAGE, _ZEROS)
    courier.restore(_rows(own["courier_prekeys"]), [])
    local = Side(own["number"], "BRAVO", "main", signing.public)
    remote = Side(peer["number"], "ALPHA", "main", public)
    return Session(charter, local, remote, raw(given["pairwise"]), signing, prekeys, _ZEROS, courier)


def _rows(kept: Sequence[Json]) -> list[Row]:
    """Prekeys as a terminal stores them."""
    return [
        {
            "generation": number,
            "box": storage_seal(_STORAGE, STORAGE_LABEL, raw(one["seed"]), _ZEROS),
            "content": raw(one["body"]),
            "signature": raw(one["signature"]),
        }
        for number, one in enumerate(kept, 1)
    ]


def _open(session: Session, data: bytes) -> Json:
    made = decode_header(data)
    session.check_address(made)
    if made.flags & FLAG_CLEAR:
        session.read_key_request(data, _NOW)
        plane, found = Plane.REAL, decode_inner(data[HEADER_SIZE:], padded=False)
    else:
        plane, found, *_ = session.open(made, data, _NOW)
    return {
        "plane": plane.value,
        "type": int(found.type),
        "content": found.content.hex(),
        "signature": found.signature.hex(),
        "identifier": envelope_id(data).hex(),
    }


# --- keys ------------------------------------------------------------------------------------------------------------


def prekey(given: Json, asked: Json) -> Json:
    """A signed prekey of the peer."""
    return _prekey(given, asked, LABEL)


def courier_prekey(given: Json, asked: Json) -> Json:
    """The same of a courier prekey."""
    return _prekey(given, asked, COURIER_LABEL)


def _prekey(given: Json, asked: Json, label: str) -> Json:
    signed = content_pb2.SignedPrekey(body=raw(asked["body"]), signature=raw(asked["signature"]))
    made = read_peer_prekey(raw(given["charter"]), given["terminal"], raw(given["public"]), signed, label)
    body = content_pb2.PrekeyBody.FromString(signed.body)
    return {"prekey": fields(body), "name": made.name.hex(), "tag": tag(made.name)}


def _binding(given: Json) -> Binding:
    return Binding(raw(given["charter"]), given["from"], given["to"], raw(given["pairwise"]))


def epoch(given: Json, asked: Json) -> Json:
    """The secret and the roots that an opener gives."""
    binding, opener = _binding(given), raw(asked["opener"])
    info = epoch_info(binding, Plane(asked["plane"]), raw(asked["epoch"]), raw(given["prekey"]))
    secret = open_opener(KemKey(raw(given["seed"])), opener, info)
    roots = epoch_roots(binding, secret, info, opener)
    return {"secret": secret.hex(), "durable": roots.durable.hex(), "transient": roots.transient.hex()}


def chain(given: Json, asked: Json) -> Json:
    """The keys of one envelope of a chain."""
    del given
    current = raw(asked["root"])
    if asked["number"] >= EPOCH_MESSAGES_MAX:
        raise ValueError(f"an epoch has {EPOCH_MESSAGES_MAX} envelopes")
    for _ in range(asked["number"]):
        current = next_chain_key(current)
    made = derive_message_key(current)
    return {
        "key": made.key.hex(),
        "nonce": made.nonce.hex(),
        "commitment": made.commit.hex(),
        "next": next_chain_key(current).hex(),
    }


def window(given: Json, asked: Json) -> Json:
    """What becomes of envelopes that arrive with these numbers, one after another."""
    key, plane = KemKey(raw(given["seed"])), Plane(given["plane"])
    made = ReceivingEpoch(_binding(given), plane, raw(given["epoch"]), raw(given["prekey"]), key, raw(given["opener"]))
    told = []
    for number in asked["numbers"]:
        try:
            told.append(made.look(number, transient=asked["transient"]).commit.hex())
            made.use(number, transient=asked["transient"])
        except NotOpened as error:
            told.append(error.reason)
    return {"commitments": told}


# --- contents --------------------------------------------------------------------------------------------------------


def statement(given: Json, asked: Json) -> Json:
    """A statement, its name, and whether it is shown as a channel test."""
    content, plane = raw(asked["content"]), Plane(asked["plane"])
    made = read_statement(content, plane, given["from_party"], given["to_party"])
    name = statement_hash(plane, Ends(raw(given["charter"]), given["from"], given["to"]), content)
    return {"statement": fields(made), "name": name.hex(), "test": kind_of(made) in UNATTENDED}


def non_paper(given: Json, asked: Json) -> Json:
    """A statement without prejudice, its name, and the key that both ends have."""
    plane, ends = Plane(asked["plane"]), Ends(raw(given["charter"]), given["from"], given["to"])
    inner = Inner(ContentType.WITHOUT_PREJUDICE, raw(asked["content"]), raw(asked["mac"]))
    nonpapers.check(raw(given["pairwise"]), inner, plane, ends)
    made = read_statement(inner.content, plane, given["from_party"], given["to_party"], inner.type)
    name, key = statement_name(plane, ends, made, inner.content), nonpapers.mac_key(raw(given["pairwise"]), plane, ends)
    return {"statement": fields(made), "name": name.hex(), "key": key.hex()}


def receipt(given: Json, asked: Json) -> Json:
    """A receipt of any stage."""
    del given
    return {"receipt": fields(decode_receipt(raw(asked["content"])))}


def heartbeat(given: Json, asked: Json) -> Json:
    """A heartbeat with any of its parts."""
    made = read_heartbeat(raw(asked["content"]), given["path"], transient=asked["transient"])
    return {"heartbeat": fields(made)}


def custody(given: Json, asked: Json) -> Json:
    """A relay's signed word."""
    signed = frame_pb2.Custody(body=raw(asked["body"]), signature=raw(asked["signature"]))
    return {"custody": fields(read_custody(raw(given["relay"]), raw(given["charter"]), given["terminal"], signed))}


def bundle(given: Json, asked: Json) -> Json:
    """What a courier brought: the envelopes of a whole bundle, which are not opened here."""
    data, senders = raw(asked["bytes"]), {given["from"]: raw(given["public"])}
    made = open_bundle(data, raw(given["charter"]), senders, given["to"])
    return {
        "name": bundle_name(data).hex(),
        "made_ms": made.made_ms,
        "prekey": fields(made.prekey),
        "envelopes": [one.hex() for one in made.envelopes],
    }
