"""Writes docs/vectors/cases.json: refused contents and envelopes, both planes, key request, tree proofs, a charter.

    python tools/make_case_vectors.py [--check]      with --check: write nothing, exit 1 if the file would change

What cannot be made twice (HPKE openers, the charter's certificates and composite signatures) is kept from the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from hotline.charter.ceremony import make_offer, make_officer, make_relay, make_terminal
from hotline.charter.model import new_charter, sign_charter
from hotline.crypto.derivation import SUITE, hkdf
from hotline.crypto.identity import IdentityKey
from hotline.crypto.sealing import KemKey, derive_message_key, next_chain_key, seal, seal_opener
from hotline.crypto.signing import SigningKey, pae
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer, parse_note
from hotline.ledger.record import commitment, make_entry
from hotline.ledger.tree import Frontier, consistency_proof, inclusion_proof, leaf_hash
from hotline.machine import Plane, Private, Record
from hotline.protocol.neutral import DRAFTER, LANGUAGE, TEXTS
from hotline.protocol.prekeys import prekey_hash
from hotline.protocol.statements import Ends, label, sign_content, statement_hash
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, HEADER_SIZE, Header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2

TARGET = Path(__file__).resolve().parent.parent / "docs" / "vectors" / "cases.json"
NOW = 1_795_000_000_000
ALPHA, BRAVO = 1, 2
Vectors = dict[str, Any]


def seed(name: str, size: int = 32) -> bytes:
    """The fixed bytes of this name. Nobody uses them for anything else."""
    return hashlib.shake_256(b"hotline test vectors: " + name.encode()).digest(size)


CHARTER = seed("charter hash")
PAIRWISE = seed("pairwise secret")
SIGNING = SigningKey(seed("signing key of ALPHA"))
PREKEY = KemKey(seed("prekey of BRAVO"))
PREKEY_SIGNING = SigningKey(seed("signing key of BRAVO"))
OUT = Ends(CHARTER, ALPHA, BRAVO)


def signed_prekey(signer: SigningKey, key: KemKey, terminal: int, **changes: int) -> content_pb2.SignedPrekey:
    """A prekey as heartbeats announce it."""
    fields = {"generation": NOW // 1_000, "created_ms": NOW, "not_after_ms": NOW + 1_200_000} | changes
    body = encode(content_pb2.PrekeyBody(public_key=key.public, **fields))
    signature = signer.sign("hotline/v1/prekey", CHARTER, terminal.to_bytes(2, "big"), body)
    return content_pb2.SignedPrekey(body=body, signature=signature)


BRAVO_PREKEY = signed_prekey(PREKEY_SIGNING, PREKEY, BRAVO)
NAME = prekey_hash(CHARTER, BRAVO, BRAVO_PREKEY.body)


# --- keys ------------------------------------------------------------------------------------------------------------


def prekeys() -> Vectors:
    """Signed prekeys."""

    def case(why: str, signed: content_pb2.SignedPrekey, word: str = "") -> Vectors:
        made = {"why": why, "body": signed.body.hex(), "signature": signed.signature.hex()}
        return made | ({"word": word} if word else {"name": prekey_hash(CHARTER, BRAVO, signed.body).hex()})

    other = content_pb2.SignedPrekey(body=BRAVO_PREKEY.body, signature=bytes(64))
    return {
        "about": "7.2: an X-Wing key pair from its 32-byte seed, and the signed prekey of terminal 2.",
        "charter": CHARTER.hex(),
        "terminal": BRAVO,
        "signing_seed": PREKEY_SIGNING.seed.hex(),
        "signing_public": PREKEY_SIGNING.public.hex(),
        "prekey_seed": PREKEY.seed.hex(),
        "prekey_public": PREKEY.public.hex(),
        "accepted": [case("as it should be", BRAVO_PREKEY)],
        "rejected": [
            case("signature of zeros", other, "signature"),
            case("signed for terminal 3", signed_prekey(PREKEY_SIGNING, PREKEY, 3), "signature"),
            case("signed by the other side", signed_prekey(SIGNING, PREKEY, BRAVO), "signature"),
            case("generation 0", signed_prekey(PREKEY_SIGNING, PREKEY, BRAVO, generation=0), "prekey"),
            case("expires as it begins", signed_prekey(PREKEY_SIGNING, PREKEY, BRAVO, not_after_ms=NOW), "prekey"),
        ],
    }


class Epoch:
    """One epoch from ALPHA to BRAVO with every key in the open."""

    def __init__(self, plane: Plane, kept: Vectors) -> None:
        self.plane = plane
        self.id, self.secret = seed(f"epoch id {plane}", 12), seed(f"epoch secret {plane}")
        ends = ALPHA.to_bytes(2, "big") + BRAVO.to_bytes(2, "big")
        self.info = pae("hotline/v1/epoch", SUITE.encode(), plane.value.encode(), CHARTER, ends, self.id, NAME)
        same = kept.get("info") == self.info.hex() and kept.get("secret") == self.secret.hex()
        self.opener = bytes.fromhex(kept["opener"]) if same else seal_opener(self.secret, PREKEY.public, self.info)
        roots = hkdf(PAIRWISE, self.secret, self.info + hashlib.sha256(self.opener).digest(), 64)
        self.durable, self.transient = roots[:32], roots[32:]

    def chain(self, *, transient: bool, number: int) -> bytes:
        """Chain key of envelope `number`."""
        chain = self.transient if transient else self.durable
        for _ in range(number):
            chain = next_chain_key(chain)
        return chain

    def seal(self, plain: bytes, flags: int, number: int, by: int = ALPHA) -> bytes:
        """The envelope of `plain` as it is, padded or not."""
        header = Header(flags, BRAVO, by, self.id, number).encode()
        prefix = NAME[:4] + self.opener if flags & FLAG_OPENER else b""
        key = derive_message_key(self.chain(transient=bool(flags & FLAG_TRANSIENT), number=number))
        return header + prefix + seal(key, header, plain)

    def content(self, kind: ContentType, content: bytes) -> Inner:
        """`content` signed by ALPHA."""
        return sign_content(SIGNING, kind, self.plane, OUT, content)

    def send(self, kind: ContentType, content: bytes, flags: int, number: int) -> bytes:
        """The envelope of `content`."""
        return self.seal(encode_inner(self.content(kind, content), padded=True), flags, number)


def schedule(epochs: list[Epoch]) -> list[Vectors]:
    """What each epoch starts from, and its roots."""
    return [
        {
            "plane": epoch.plane.value,
            "epoch": epoch.id.hex(),
            "info": epoch.info.hex(),
            "secret": epoch.secret.hex(),
            "opener": epoch.opener.hex(),
            "durable_root": epoch.durable.hex(),
            "transient_root": epoch.transient.hex(),
        }
        for epoch in epochs
    ]


# --- contents and envelopes ------------------------------------------------------------------------------------------


def statement(**changes: object) -> content_pb2.Statement:
    """A statement of ALPHA."""
    fields: dict[str, object] = {
        "serial": 3, "previous_in_precedence": 2, "precedence": content_pb2.PRECEDENCE_IMMEDIATE,
        "kind": content_pb2.STATEMENT_KIND_TEXT, "date_time_group": "181106ZNOV26", "composed_ms": NOW,
        "language": "ur", "direction": content_pb2.DIRECTION_RTL, "from_party": "ALPHA", "to_party": "BRAVO",
        "drafter": "duty-1", "text": "ہم امن چاہتے ہیں۔", "body_salt": seed("body salt"), "valid_for_ms": 86_400_000,
    }  # fmt: skip
    return content_pb2.Statement(**{**fields, **changes})  # type: ignore[arg-type]


def receipt(**changes: object) -> content_pb2.Receipt:
    """A receipt of ALPHA for a statement of BRAVO."""
    item = content_pb2.ReceiptItem(serial=9, statement=seed("name of a statement"))
    fields: dict[str, object] = {
        "stage": content_pb2.STAGE_DELIVERED,
        "item": [item],
        "time_ms": NOW,
        "received_through": 9,
    }
    return content_pb2.Receipt(**{**fields, **changes})  # type: ignore[arg-type]


def heartbeat(**changes: object) -> content_pb2.Heartbeat:
    """A heartbeat of ALPHA."""
    fields: dict[str, object] = {
        "beat": 0xFFFF_FFFF, "echo": 77, "path": 1, "sent_through": 3, "received_through": 9, "time_ms": NOW,
        "prekey": 0x0102_0304, "prekey_held": int.from_bytes(NAME[:4], "big"), "epoch_opened": 0, "log_size": 1_234,
        "presence": content_pb2.PRESENCE_ALIVE, "echo_delay_ms": 250,
    }  # fmt: skip
    return content_pb2.Heartbeat(**{**fields, **changes})  # type: ignore[arg-type]


def contents() -> Vectors:
    """Content without its seal: what is accepted, and the word for what is not."""
    void = statement(kind=content_pb2.STATEMENT_KIND_VOID, text="", language="", drafter="", body_salt=bytes(32))
    good = encode(statement())
    test = {
        "kind": content_pb2.STATEMENT_KIND_TEST, "precedence": content_pb2.PRECEDENCE_ROUTINE, "drafter": DRAFTER,
        "text": TEXTS[3], "language": LANGUAGE, "direction": content_pb2.DIRECTION_LTR, "valid_for_ms": 1_800_000,
    }  # fmt: skip
    test_void = {"kind": 4, "text": "", "language": "", "drafter": "", "body_salt": bytes(32)}
    bad: list[tuple[str, str, str, bytes]] = [
        ("statement", "serial 0", "serial", encode(statement(serial=0, previous_in_precedence=0))),
        ("statement", "its own predecessor", "serial", encode(statement(previous_in_precedence=3))),
        ("statement", "serial beyond 2^40", "serial", encode(statement(serial=2**40 + 1))),
        ("statement", "no precedence", "precedence", encode(statement(precedence=0))),
        ("statement", "no kind", "kind", encode(statement(kind=0))),
        ("statement", "a void statement with text", "kind", encode(statement(kind=2))),
        ("statement", "a channel test that is urgent", "kind", encode(statement(**test | {"precedence": 3}))),
        ("statement", "a channel test by an officer", "kind", encode(statement(**test | {"drafter": "duty-1"}))),
        ("statement", "a channel test without text", "text", encode(statement(**test | {"text": ""}))),
        ("statement", "an urgent text withdrawn as a test", "kind", encode(statement(**test_void))),
        ("statement", "an unknown kind", "kind", encode(statement(kind=5))),
        ("statement", "no direction", "direction", encode(statement(direction=0))),
        ("statement", "a salt of 31 bytes", "salt", encode(statement(body_salt=bytes(31)))),
        ("statement", "a name of 65 characters", "field-length", encode(statement(drafter="x" * 65))),
        ("statement", "no text", "text", encode(statement(text=""))),
        ("statement", "a text of blanks", "text", encode(statement(text="  "))),
        ("statement", "NUL", "text", encode(statement(text="a\0b"))),
        ("statement", "a language with a blank", "text", encode(statement(language="e n"))),
        ("statement", "a field twice", "spelling", good + b"\x08\x03"),
        ("statement", "an unknown field", "spelling", good + b"\x78\x01"),
        ("statement", "a default value spelled out", "spelling", b"\x10\x00" + good),
        ("statement", "cut", "unreadable", good[:-1]),
        ("receipt", "no stage", "stage", encode(receipt(stage=0))),
        ("receipt", "no item", "items", encode(receipt(item=[]))),
        ("receipt", "257 items", "items", encode(receipt(item=list(receipt().item) * 257))),
        ("receipt", "READ by nobody", "officer", encode(receipt(stage=content_pb2.STAGE_READ))),
        ("receipt", "DELIVERED by an officer", "officer", encode(receipt(officer="duty-1"))),
        ("heartbeat", "beat 0", "beat", encode(heartbeat(beat=0))),
        ("heartbeat", "no presence", "beat", encode(heartbeat(presence=0))),
        ("heartbeat", "a serial beyond 2^40", "beat", encode(heartbeat(sent_through=2**40 + 1))),
    ]
    accepted = [
        ("statement", "text", good), ("statement", "void", encode(void)),
        ("statement", "channel test", encode(statement(**test))),
        ("statement", "channel test withdrawn", encode(statement(**test | test_void))),
        ("receipt", "delivered", encode(receipt())),
        ("receipt", "read", encode(receipt(stage=content_pb2.STAGE_READ, officer="duty-1"))),
        ("heartbeat", "alive", encode(heartbeat())),
    ]  # fmt: skip

    def names(content: bytes) -> dict[str, str]:
        return {plane.value: statement_hash(plane, OUT, content).hex() for plane in Plane}

    return {
        "about": "8 to 10: content as it is signed. `names` are of terminal 1 (8.2); `labels` are those of 7.4; "
        "`test_texts` are all that a channel test may say (8.5).",
        "charter": CHARTER.hex(),
        "from": ALPHA,
        "test_texts": list(TEXTS),
        "labels": {kind.name: {plane.value: label(kind, plane) for plane in Plane} for kind in ContentType},
        "accepted": [
            {"type": kind, "why": why, "content": content.hex()}
            | ({"names": names(content)} if kind == "statement" else {})
            for kind, why, content in accepted
        ],
        "rejected": [
            {"type": kind, "why": why, "word": word, "content": content.hex()} for kind, why, word, content in bad
        ],
    }


def envelopes(real: Epoch, exercise: Epoch) -> Vectors:
    """Sealed envelopes from ALPHA to BRAVO, and the key request in the clear."""
    words, beat = encode(statement()), encode(heartbeat())
    kinds = ContentType
    good: list[tuple[str, Epoch, ContentType, bytes, int, int]] = [
        ("statement with opener", real, kinds.STATEMENT, words, FLAG_OPENER, 0),
        ("heartbeat with opener", real, kinds.HEARTBEAT, beat, FLAG_OPENER | FLAG_TRANSIENT, 0),
        ("receipt", real, kinds.RECEIPT, encode(receipt()), 0, 1),
        ("statement that overtook two others", real, kinds.STATEMENT, words, 0, 4),
        ("one that it overtook", real, kinds.STATEMENT, words, 0, 2),
        ("heartbeat", real, kinds.HEARTBEAT, beat, FLAG_TRANSIENT, 1),
        ("statement of an exercise with opener", exercise, kinds.STATEMENT, words, FLAG_OPENER, 0),
        ("statement of an exercise", exercise, kinds.STATEMENT, words, 0, 1),
    ]
    accepted = []
    for why, epoch, kind, content, flags, number in good:
        envelope = epoch.send(kind, content, flags, number)
        accepted.append(
            {
                "why": why, "plane": epoch.plane.value, "type": int(kind), "content": content.hex(),
                "signature": epoch.content(kind, content).signature.hex(), "flags": flags, "number": number,
                "envelope": envelope.hex(), "identifier": envelope[4:HEADER_SIZE].hex(),
            }
        )  # fmt: skip
    first, later = bytes.fromhex(accepted[0]["envelope"]), bytes.fromhex(accepted[2]["envelope"])
    request = encode(
        content_pb2.KeyRequest(unknown_epoch=real.id, prekey=signed_prekey(SIGNING, PREKEY, ALPHA), time_ms=NOW)
    )
    clear = Header(FLAG_CLEAR | FLAG_TRANSIENT, BRAVO, ALPHA, seed("epoch of a key request", 12), 0).encode()
    asked = clear + encode_inner(sign_content(SIGNING, kinds.KEY_REQUEST, Plane.REAL, OUT, request), padded=False)
    inner = real.content(kinds.STATEMENT, words)
    padded = encode_inner(inner, padded=True)
    swapped = encode_inner(exercise.content(kinds.STATEMENT, words), padded=True)

    def flip(data: bytes, at: int) -> bytes:
        return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]

    bad: list[tuple[str, str, list[int], bytes]] = [
        ("the same again", "used", [0], first),
        ("no opener, unknown epoch", "unknown-epoch", [], later),
        ("another prekey tag", "unknown-prekey", [], flip(first, HEADER_SIZE)),
        ("opener altered", "not-opened", [], flip(first, HEADER_SIZE + 4)),
        ("opener altered, epoch known", "not-opened", [1], flip(first, HEADER_SIZE + 4)),
        ("prekey tag altered, epoch known", "not-opened", [1], flip(first, HEADER_SIZE)),
        ("commitment altered", "not-opened", [0], flip(later, HEADER_SIZE)),
        ("ciphertext altered", "not-opened", [0], flip(later, HEADER_SIZE + 32)),
        ("tag altered", "not-opened", [0], flip(later, len(later) - 1)),
        ("cut", "not-opened", [0], later[:-1]),
        ("another number", "not-opened", [0], later[:21] + b"\7" + later[22:]),
        ("a number too far ahead", "too-far", [0], later[:18] + b"\0\1\0\0" + later[22:]),
        ("padding not zero", "padding", [0], real.seal(padded[:-1] + b"\1", 0, 1)),
        ("padding too long", "padding", [0], real.seal(padded.ljust(1_024, b"\0"), 0, 1)),
        ("no content type", "inner", [0], real.seal(b"\0" + padded[1:], 0, 1)),
        ("a signature for the other plane", "signature", [0], real.seal(swapped, 0, 1)),
        ("a key request under seal", "content-type", [0], real.send(kinds.KEY_REQUEST, request, FLAG_TRANSIENT, 1)),
        ("a statement in the clear", "content-type", [], clear + encode_inner(inner, padded=False)),
        ("a key request with padding", "inner", [], asked + b"\0"),
        ("a key request altered", "signature", [], flip(asked, len(asked) - 1)),
    ]
    return {
        "about": "6 and 7: envelopes to terminal 2, in an order in which it opens them. `epochs` has their secrets.",
        "charter": CHARTER.hex(),
        "pairwise": PAIRWISE.hex(),
        "sender": {"number": ALPHA, "signing_public": SIGNING.public.hex(), "signing_seed": SIGNING.seed.hex()},
        "recipient": {
            "number": BRAVO, "signing_seed": PREKEY_SIGNING.seed.hex(), "prekey_seed": PREKEY.seed.hex(),
            "prekey_body": BRAVO_PREKEY.body.hex(), "prekey_signature": BRAVO_PREKEY.signature.hex(),
        },
        "accepted": accepted,
        "key_request": {"envelope": asked.hex(), "content": request.hex(), "unknown_epoch": real.id.hex()},
        "rejected": [
            {"why": why, "word": word, "after": after, "envelope": envelope.hex()} for why, word, after, envelope in bad
        ],
    }  # fmt: skip


# --- ledger, charter ------------------------------------------------------------------------------------------


def ledger() -> Vectors:
    """Leaves, the tree over them, proofs, a checkpoint."""
    text, salt = statement().text.encode(), statement().body_salt
    records = [
        Record("daemon.start", {"version": "0.1.0", "terminal": 1}),
        Record("msg.submit", {"serial": 3, "plane": "real"}, {"body": Private(text, salt)}),
        *(Record("note", {"text": f'line {n}: "é"'}) for n in range(5)),
    ]
    entries = [
        make_entry(n, NOW + n, 1, record, lambda size, n=n: seed(f"blinder {n}", size))  # type: ignore[misc]
        for n, record in enumerate(records)
    ]
    nodes: dict[tuple[int, int], bytes] = {}
    frontier, roots = Frontier(), [Frontier().root().hex()]
    for entry in entries:
        for node in frontier.append(leaf_hash(entry.leaf)):
            nodes[node.level, node.position] = node.hash
        roots.append(frontier.root().hex())

    def read(level: int, position: int) -> bytes:
        return nodes[level, position]

    key, origin, size = SigningKey(seed("ledger key")), "hotline/alpha-bravo/ALPHA/main/1", len(entries)
    note = sign_checkpoint(Checkpoint(origin, size, frontier.root()), Ed25519Signer(origin, key))
    return {
        "about": "13: leaves, RFC 6962 roots of every size, proofs, the signed checkpoint, a commitment.",
        "commitment": {
            "salt": salt.hex(), "tag": "body", "value": text.hex(), "result": commitment(salt, "body", text).hex(),
        },
        "leaves": [{"leaf": entry.leaf.decode(), "hash": leaf_hash(entry.leaf).hex()} for entry in entries],
        "roots": roots,
        "inclusion": [
            {"index": n, "size": size, "proof": [h.hex() for h in inclusion_proof(n, size, read)]} for n in range(size)
        ],
        "consistency": [
            {"old": n, "new": size, "proof": [h.hex() for h in consistency_proof(n, size, read)]}
            for n in range(1, size + 1)
        ],
        "checkpoint": {"origin": origin, "key_seed": key.seed.hex(), "key": key.public.hex(), "note": note.decode()},
        "rejected_leaves": [
            {"why": "blanks", "leaf": entries[0].leaf.decode().replace(",", ", ", 1)},
            {"why": "keys not sorted", "leaf": '{"v":1,' + entries[0].leaf.decode()[1:].replace(',"v":1', "")},
            {"why": "a fraction", "leaf": entries[0].leaf.decode().replace('"terminal":1', '"terminal":1.5')},
        ],
    }  # fmt: skip


def charter(kept: Vectors) -> Vectors:
    """A charter of two parties. Certificates and composite signatures are random, so it is made once."""
    if not kept:
        keys = {party: IdentityKey(seed(f"identity of {party}", 64)) for party in ("ALPHA", "BRAVO")}
        relay = make_relay("relay-1", "neutral", "127.0.0.1:41001", "fibre", os.urandom, NOW)[1]
        offers = []
        for party, key in keys.items():
            terminal = make_terminal(key, party, "main", os.urandom, NOW)[1]
            officer = make_officer(key, party, "duty-1", ("duty", "drafter"), os.urandom, NOW)[1]
            offers.append(make_offer(key, party, [terminal], [officer], [relay]))
        draft = new_charter("alpha-bravo", "2026-11-18", offers, hashlib.sha256(PAIRWISE).hexdigest())
        signed = sign_charter(sign_charter(draft, "ALPHA", keys["ALPHA"]), "BRAVO", keys["BRAVO"])
        kept = {"note": signed.decode(), "half_signed": sign_charter(draft, "ALPHA", keys["ALPHA"]).decode()}
    text = parse_note(kept["note"].encode()).text
    return {
        "about": "5.1: the whole signed charter, the hash that binds everything to it, and two that are refused.",
        "hash": hashlib.sha256(text).hexdigest(),
        "note": kept["note"],
        "half_signed": kept["half_signed"],
        "altered": kept["note"].replace("2026-11-18", "2026-11-19", 1),
    }


def make(kept: Vectors) -> Vectors:
    """Every case; openers and the charter are taken from `kept` if they are there."""
    openers = {epoch["plane"]: epoch for epoch in kept.get("epochs", [])}
    epochs = [Epoch(plane, openers.get(plane.value, {})) for plane in Plane]
    return {
        "schema": "hotline.vector-cases/1",
        "prekeys": prekeys(),
        "epochs": schedule(epochs),
        "contents": contents(),
        "envelopes": envelopes(*epochs),
        "ledger": ledger(),
        "charter": charter(kept.get("charter", {})),
    }


def main() -> int:
    """Write the file, or say that it would change."""
    text = TARGET.read_text() if TARGET.exists() else "{}"
    made = json.dumps(make(json.loads(text)), indent=1) + "\n"
    if "--check" in sys.argv:
        print("would change" if made != text else "as it should be")
        return int(made != text)
    TARGET.write_text(made)
    print(f"{TARGET}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
