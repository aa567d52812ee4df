"""Writes docs/vectors/v1.json: test vectors of this project's own frames, from fixed seeds.

HPKE draws its own randomness, so that an opener cannot be made twice: an opener that stands in the file is kept.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

from hotline.crypto import epochs
from hotline.crypto.derivation import SUITE
from hotline.crypto.epochs import Binding, SendingEpoch
from hotline.crypto.sealing import KemKey, seal
from hotline.crypto.signing import SigningKey, pae
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer
from hotline.ledger.record import make_entry
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.machine import Plane, Private, Record
from hotline.protocol.prekeys import prekey_hash
from hotline.protocol.statements import Ends, label, sign_content, statement_hash
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2, frame_pb2

TARGET = Path(__file__).parent.parent / "docs" / "vectors" / "v1.json"
WALL = 1_795_000_000_000
ALPHA, BRAVO = 1, 2


def seed(name: str) -> bytes:
    """32 bytes that anybody can make again: SHA-256 of a name."""
    return hashlib.sha256(f"hotline test vector: {name}".encode()).digest()


CHARTER, PAIRWISE = seed("charter"), seed("pairwise")
SIGNER = SigningKey.from_seed(seed("ALPHA signing"))
ENDS = Ends(CHARTER, ALPHA, BRAVO)
PREKEY = KemKey(seed("BRAVO prekey"))


def statement(serial: int, text: str) -> bytes:
    """Content of a sober statement."""
    return encode(
        content_pb2.Statement(
            serial=serial,
            previous_in_precedence=serial - 1,
            precedence=content_pb2.PRECEDENCE_FLASH,
            kind=content_pb2.STATEMENT_KIND_TEXT,
            date_time_group="181106Z NOV 26",
            composed_ms=WALL,
            language="en",
            direction=content_pb2.DIRECTION_LTR,
            from_party="ALPHA",
            to_party="BRAVO",
            drafter="duty-1",
            text=text,
            body_salt=seed(f"salt {serial}"),
            valid_for_ms=604_800_000,
        )
    )


def prekey() -> tuple[dict[str, Any], bytes]:
    """BRAVO's prekey, and its name."""
    body = encode(
        content_pb2.PrekeyBody(generation=7, public_key=PREKEY.public, created_ms=WALL, not_after_ms=WALL + 1_200_000)
    )
    key = SigningKey.from_seed(seed("BRAVO signing"))
    signature = key.sign("hotline/v1/prekey", CHARTER, BRAVO.to_bytes(2, "big"), body)
    name = prekey_hash(CHARTER, BRAVO, body)
    made = {
        "seed": PREKEY.seed.hex(),
        "terminal": BRAVO,
        "signing_public": key.public.hex(),
        "body": body.hex(),
        "signature": signature.hex(),
        "name": name.hex(),
    }
    return made, name


def epoch(name: bytes, kept: dict[str, Any] | None) -> tuple[dict[str, Any], SendingEpoch]:
    """The key schedule of one epoch; its opener is kept from the file if there is one."""
    random = Random(1)
    fixed = {12: seed("epoch id")[:12], 32: seed("epoch secret")}
    opener = bytes.fromhex(kept["opener"]) if kept else None
    genuine = epochs.seal_opener
    if opener is not None:
        epochs.seal_opener = lambda *_: opener  # type: ignore[assignment]
    try:
        binding = Binding(CHARTER, ALPHA, BRAVO, PAIRWISE)
        sending = SendingEpoch(binding, Plane.REAL, name, PREKEY.public, lambda n: fixed.get(n) or random.randbytes(n))
    finally:
        epochs.seal_opener = genuine
    info = epochs.epoch_info(binding, Plane.REAL, sending.epoch_id, name)
    roots = epochs.epoch_roots(binding, fixed[32], info, sending.opener)
    made = {
        "suite": SUITE,
        "plane": "real",
        "pairwise": PAIRWISE.hex(),
        "epoch": sending.epoch_id.hex(),
        "secret": fixed[32].hex(),
        "info": info.hex(),
        "opener": sending.opener.hex(),
        "durable_root": roots.durable.hex(),
        "transient_root": roots.transient.hex(),
    }
    return made, sending


def envelopes(sending: SendingEpoch) -> list[dict[str, Any]]:
    """Sealed envelopes in the order of their numbers."""
    beat = encode(
        content_pb2.Heartbeat(
            beat=77, echo=76, path=2, sent_through=2, received_through=5, time_ms=WALL, prekey=1, presence=1
        )
    )
    receipt = encode(
        content_pb2.Receipt(
            stage=content_pb2.STAGE_DELIVERED,
            item=[content_pb2.ReceiptItem(serial=4, statement=seed("a statement of BRAVO"))],
            time_ms=WALL,
        )
    )
    contents = [
        (ContentType.STATEMENT, statement(1, "Our exercise begins at 14:30."), False, True),
        (ContentType.STATEMENT, statement(2, "Our exercise has ended."), False, False),
        (ContentType.RECEIPT, receipt, False, False),
        (ContentType.HEARTBEAT, beat, True, False),
    ]
    made = []
    for kind, content, transient, with_opener in contents:
        inner = sign_content(SIGNER, kind, Plane.REAL, ENDS, content)
        number, key = sending.take(transient=transient)
        flags = (FLAG_TRANSIENT if transient else 0) | (FLAG_OPENER if with_opener else 0)
        header = Header(flags, BRAVO, ALPHA, sending.epoch_id, number).encode()
        prefix = sending.prekey_hash[:4] + sending.opener if with_opener else b""
        envelope = header + prefix + seal(key, header, encode_inner(inner, padded=True))
        case = {
            "type": kind.name.lower(),
            "label": label(kind, Plane.REAL),
            "chain": "transient" if transient else "durable",
            "number": number,
            "content": content.hex(),
            "signature": inner.signature.hex(),
            "key": key.key.hex(),
            "nonce": key.nonce.hex(),
            "commitment": key.commit.hex(),
            "envelope": envelope.hex(),
        }
        if kind is ContentType.STATEMENT:
            case["name"] = statement_hash(Plane.REAL, ENDS, content).hex()
        made.append(case)
    return made


def headers() -> dict[str, Any]:
    """Lawful and unlawful headers, each followed by one byte."""
    good = Header(FLAG_OPENER, BRAVO, ALPHA, seed("epoch id")[:12], 3).encode() + b"\0"

    def changed(position: int, value: int) -> str:
        data = bytearray(good)
        data[position] = value
        return data.hex()

    rejected = [
        ("too-short", good[:22].hex()),
        ("too-short", ""),
        ("version", changed(0, 2)),
        ("flags", changed(1, 8)),
        ("flags", changed(1, FLAG_CLEAR)),
        ("flags", changed(1, FLAG_OPENER | FLAG_CLEAR)),
        ("address", changed(3, ALPHA)),
        ("address", changed(5, 0)),
        ("too-long", (good + bytes(40_000)).hex()[:73_800]),
    ]
    return {"accepted": [good.hex()], "rejected": [{"word": word, "bytes": data} for word, data in rejected]}


def inners() -> dict[str, Any]:
    """Padded contents, lawful and not."""
    good = encode_inner(Inner(ContentType.RECEIPT, b"content", bytes(64)), padded=True)
    rejected = [
        ("padding", (good[:-1] + b"\1").hex()),
        ("padding", (good + bytes(128)).hex()),
        ("inner", good[:70].hex()),
        ("inner", (b"\x09" + good[1:]).hex()),
        ("inner", ""),
    ]
    return {"accepted": [good.hex()], "rejected": [{"word": word, "bytes": data} for word, data in rejected]}


def frames() -> dict[str, Any]:
    """Protobuf frames in their one spelling, and in others."""
    hello = encode(frame_pb2.Frame(hello=frame_pb2.Hello(version=1, charter=CHARTER, terminal=ALPHA)))
    taken = encode(frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=[bytes(18)])))
    rejected = [
        ("empty", ""),
        ("spelling", (hello + hello).hex()),
        ("spelling", (hello + b"\xc2\x3e\x01x").hex()),
        ("spelling", (taken + hello).hex()),
        ("unreadable", hello[:-1].hex()),
    ]
    return {
        "accepted": [hello.hex(), taken.hex()],
        "rejected": [{"word": word, "bytes": data} for word, data in rejected],
    }


def ledger() -> dict[str, Any]:
    """One leaf, its hash, and the checkpoint of a log that holds only it."""
    record = Record("msg.submit", {"plane": "real", "serial": 1}, {"body": Private(b"A text.", seed("body salt"))})
    leaf = make_entry(0, WALL, 1, record, lambda n: seed("blinder")[:n]).leaf
    frontier = Frontier()
    frontier.append(leaf_hash(leaf))
    origin = "hotline/vectors/ALPHA/main/1"
    key = SigningKey.from_seed(seed("ALPHA ledger"))
    note = sign_checkpoint(Checkpoint(origin, 1, frontier.root()), Ed25519Signer(origin, key))
    return {
        "leaf": leaf.decode(),
        "leaf_hash": leaf_hash(leaf).hex(),
        "origin": origin,
        "public": key.public.hex(),
        "checkpoint": note.decode(),
    }


def make(kept: dict[str, Any] | None) -> dict[str, Any]:
    """Every vector."""
    announced, name = prekey()
    schedule, sending = epoch(name, kept["epoch"] if kept else None)
    parts = [("", []), ("label", [b""]), ("hotline/v1/x", [b"a", b"bc"])]
    custody = encode(
        frame_pb2.CustodyBody(charter=CHARTER, terminal=ALPHA, envelope=[seed("an envelope")], time_ms=WALL)
    )
    relay = SigningKey.from_seed(seed("relay signing"))
    return {
        "schema": "hotline.vectors/1",
        "charter": CHARTER.hex(),
        "sender": ALPHA,
        "recipient": BRAVO,
        "sender_signing_public": SIGNER.public.hex(),
        "pae": [
            {"label": text, "parts": [part.hex() for part in values], "result": pae(text, *values).hex()}
            for text, values in parts
        ],
        "header": headers(),
        "inner": inners(),
        "frame": frames(),
        "prekey": announced,
        "epoch": schedule,
        "envelopes": envelopes(sending),
        "custody": {
            "public": relay.public.hex(),
            "body": custody.hex(),
            "signature": relay.sign("hotline/v1/custody", custody).hex(),
        },
        "ledger": ledger(),
    }


def main() -> int:
    """Write the file."""
    kept = json.loads(TARGET.read_text()) if TARGET.exists() else None
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(make(kept), indent=1) + "\n")
    print(f"{TARGET}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
