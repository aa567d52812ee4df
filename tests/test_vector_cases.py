"""The published cases, accepted and refused, against the code, and the envelopes against the independent opener."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from Crypto.Signature import eddsa

from hotline.charter.model import load_charter
from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import SigningKey
from hotline.crypto.storage import storage_seal
from hotline.errors import ConfigError, Malformed, RemoteError
from hotline.ledger.checkpoint import open_checkpoint
from hotline.ledger.note import parse_note
from hotline.ledger.record import commitment, parse_leaf
from hotline.ledger.tree import leaf_hash, verify_consistency, verify_inclusion
from hotline.machine import Instant, Plane
from hotline.protocol.neutral import TEXTS
from hotline.protocol.prekeys import OwnPrekeys, read_peer_prekey
from hotline.protocol.session import Session, Side
from hotline.protocol.statements import Ends, decode_heartbeat, decode_receipt, decode_statement, label, statement_hash
from hotline.wire.envelope import FLAG_CLEAR, decode_header, envelope_id
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests import oracle

ROOT = Path(__file__).resolve().parent.parent
CASES: dict[str, Any] = json.loads((ROOT / "docs" / "vectors" / "cases.json").read_text())
NOW = Instant(10_000, 1_795_000_000_000)
DECODERS: dict[str, Callable[[bytes], object]] = {
    "statement": decode_statement,
    "receipt": decode_receipt,
    "heartbeat": decode_heartbeat,
}
raw = bytes.fromhex


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["why"] for case in cases])


def recipient() -> Session:
    """The session of terminal 2, made of nothing but what is published."""
    cases = CASES["envelopes"]
    own, peer, storage = cases["recipient"], cases["sender"], bytes(32)
    signing = SigningKey(raw(own["signing_seed"]))
    entropy = random.Random(1).randbytes
    box = storage_seal(storage, "hotline/v1/prekey-secret", raw(own["prekey_seed"]), entropy)
    row = {"generation": 1, "box": box, "content": raw(own["prekey_body"]), "signature": raw(own["prekey_signature"])}
    prekeys = OwnPrekeys(raw(cases["charter"]), own["number"], signing, storage, entropy, [row])
    local = Side(own["number"], "BRAVO", "main", signing.public)
    remote = Side(peer["number"], "ALPHA", "main", raw(peer["signing_public"]))
    return Session(raw(cases["charter"]), local, remote, raw(cases["pairwise"]), signing, prekeys, entropy)


def test_they_are_what_the_code_makes() -> None:
    """A change of the format would pass unnoticed, and the published file would lie."""
    spec = importlib.util.spec_from_file_location("make_case_vectors", ROOT / "tools" / "make_case_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.make(CASES) == CASES


def test_envelopes_open_in_their_order() -> None:
    """Another implementation that follows the published file could not talk to us."""
    session = recipient()
    for case in CASES["envelopes"]["accepted"]:
        envelope = raw(case["envelope"])
        opened = session.open(decode_header(envelope), envelope, NOW)
        assert (opened.plane.value, int(opened.inner.type)) == (case["plane"], case["type"])
        assert (opened.inner.content, opened.inner.signature) == (raw(case["content"]), raw(case["signature"]))
        assert envelope_id(envelope) == raw(case["identifier"])


@named(CASES["envelopes"]["rejected"])
def test_envelopes_are_refused_with_their_word(case: dict[str, Any]) -> None:
    """What one implementation refuses another would show (docs/protocol.md 7.11)."""
    session = recipient()
    for index in case["after"]:
        envelope = raw(CASES["envelopes"]["accepted"][index]["envelope"])
        session.open(decode_header(envelope), envelope, NOW)
    envelope = raw(case["envelope"])
    header = decode_header(envelope)
    clear = bool(header.flags & FLAG_CLEAR)
    with pytest.raises(RemoteError) as caught:
        session.read_key_request(envelope, NOW) if clear else session.open(header, envelope, NOW)
    assert caught.value.reason == case["word"]


def test_the_key_request_is_obeyed_as_far_as_it_may_be() -> None:
    """First contact would fail between two implementations."""
    case = CASES["envelopes"]["key_request"]
    session = recipient()
    asked = session.read_key_request(raw(case["envelope"]), NOW)
    assert asked.new_prekey
    assert asked.reseal == b"", "it names no epoch of ours"
    assert content_pb2.KeyRequest.FromString(raw(case["content"])).unknown_epoch == raw(case["unknown_epoch"])


def test_an_independent_opener_opens_both_planes_and_checks_every_signature() -> None:
    """The specification would not be enough to talk to us."""
    cases = CASES["envelopes"]
    charter, pairwise = raw(cases["charter"]), raw(cases["pairwise"])
    ends = (cases["sender"]["number"], cases["recipient"]["number"])
    verifier = eddsa.new(eddsa_key(), "rfc8032")
    prekey = raw(CASES["prekeys"]["accepted"][0]["name"])
    seed = raw(cases["recipient"]["prekey_seed"])
    for plane, epoch in zip(Plane, CASES["epochs"], strict=True):
        mine = [case for case in cases["accepted"] if case["plane"] == plane.value]
        secret, chains = oracle.open_epoch(seed, pairwise, charter, ends, plane.value, prekey, raw(mine[0]["envelope"]))
        assert (secret.hex(), chains.durable.hex(), chains.transient.hex()) == (
            epoch["secret"],
            epoch["durable_root"],
            epoch["transient_root"],
        )
        for case in mine:
            here = oracle.Chains(chains.durable, chains.transient)
            name = "transient" if case["flags"] & 2 else "durable"
            for _ in range(case["number"]):
                setattr(here, name, oracle.hmac.digest(getattr(here, name), b"hotline/v1/chain", "sha256"))
            kind, content, signature = oracle.open_next(here, raw(case["envelope"]))
            assert (kind, content.hex(), signature.hex()) == (case["type"], case["content"], case["signature"])
            both = [number.to_bytes(2, "big") for number in (ends[:1] if kind == 1 else ends)]
            word = ("statement", "receipt", "heartbeat")[kind - 1]
            verifier.verify(oracle.pae(f"hotline/v1/{word}/{plane.value}", charter, *both, content), signature)


def eddsa_key() -> Any:
    """The sender's key for the other library."""
    return eddsa.import_public_key(raw(CASES["envelopes"]["sender"]["signing_public"]))


@named(CASES["contents"]["accepted"])
def test_contents_are_accepted_and_named(case: dict[str, Any]) -> None:
    """A lawful statement would be refused, or be known under two names."""
    content = raw(case["content"])
    DECODERS[case["type"]](content)
    cases = CASES["contents"]
    for plane, name in case.get("names", {}).items():
        ends = Ends(raw(cases["charter"]), cases["from"], 2)
        assert statement_hash(Plane(plane), ends, content).hex() == name
        parts = (raw(cases["charter"]), cases["from"].to_bytes(2, "big"), content)
        assert oracle.hashlib.sha256(oracle.pae(f"hotline/v1/statement/{plane}", *parts)).hexdigest() == name


@named(CASES["contents"]["rejected"])
def test_contents_are_refused_with_their_word(case: dict[str, Any]) -> None:
    """What one implementation refuses another would show."""
    with pytest.raises(Malformed) as caught:
        DECODERS[case["type"]](raw(case["content"]))
    assert caught.value.reason == case["word"]


def test_texts_of_channel_tests() -> None:
    """A test of one implementation would ring for an officer at the other."""
    assert CASES["contents"]["test_texts"] == list(TEXTS)


def test_labels() -> None:
    """Signatures of one implementation would not hold for another."""
    for kind, planes in CASES["contents"]["labels"].items():
        for plane, text in planes.items():
            assert label(ContentType[kind], Plane(plane)) == text


def test_prekeys() -> None:
    """We would seal to a key that the other side never announced (docs/protocol.md 7.10)."""
    cases = CASES["prekeys"]
    assert KemKey(raw(cases["prekey_seed"])).public == raw(cases["prekey_public"])
    public = raw(cases["signing_public"])
    for case in (*cases["accepted"], *cases["rejected"]):
        signed = content_pb2.SignedPrekey(body=raw(case["body"]), signature=raw(case["signature"]))
        if "name" in case:
            assert read_peer_prekey(raw(cases["charter"]), cases["terminal"], public, signed).name == raw(case["name"])
            continue
        with pytest.raises(RemoteError) as caught:
            read_peer_prekey(raw(cases["charter"]), cases["terminal"], public, signed)
        assert caught.value.reason == case["word"], case["why"]


def test_ledger() -> None:
    """A log of one implementation could not be audited by another."""
    cases = CASES["ledger"]
    given = cases["commitment"]
    assert commitment(raw(given["salt"]), given["tag"], raw(given["value"])).hex() == given["result"]
    hashes = []
    for index, case in enumerate(cases["leaves"]):
        assert parse_leaf(case["leaf"].encode()).seq == index
        hashes.append(leaf_hash(case["leaf"].encode()))
        assert hashes[-1].hex() == case["hash"]
    roots = [raw(root) for root in cases["roots"]]
    assert len(roots) == len(hashes) + 1
    for case in cases["inclusion"]:
        proof = [raw(step) for step in case["proof"]]
        verify_inclusion(case["index"], case["size"], hashes[case["index"]], proof, roots[case["size"]])
    for case in cases["consistency"]:
        proof = [raw(step) for step in case["proof"]]
        verify_consistency(case["old"], case["new"], proof, roots[case["old"]], roots[case["new"]])
    head = cases["checkpoint"]
    opened = open_checkpoint(head["note"].encode(), head["origin"], raw(head["key"]))
    assert (opened.size, opened.root) == (len(hashes), roots[-1])
    for case in cases["rejected_leaves"]:
        with pytest.raises(Malformed):
            parse_leaf(case["leaf"].encode())


def test_charter() -> None:
    """Two terminals would be bound to two charters, or to one that nobody signed."""
    case = CASES["charter"]
    charter = load_charter(case["note"].encode())
    assert charter.hash.hex() == case["hash"]
    assert oracle.hashlib.sha256(parse_note(case["note"].encode()).text).hexdigest() == case["hash"]
    for refused in ("half_signed", "altered"):
        assert case[refused] != case["note"]
        with pytest.raises((RemoteError, ConfigError)):
            load_charter(case[refused].encode())
