"""Public test vectors that nobody here wrote, run against exactly the functions that the project uses."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from hotline.crypto.identity import IdentityKey, verify_composite
from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import check_public_key, verify_raw
from hotline.errors import Untrusted

pytestmark = pytest.mark.vectors


def load(vectors: Path, name: str) -> Any:
    return json.loads((vectors / name).read_text())


def accepted(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the project would take the signature: the verifier and the check every key passes when it is enrolled."""
    try:
        check_public_key(public)
        verify_raw(public, signature, message)
    except Untrusted:
        return False
    return True


def verifier_accepts(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        verify_raw(public, signature, message)
    except Untrusted:
        return False
    return True


def test_ed25519_verdicts_are_wycheproofs(vectors: Path) -> None:
    """A malleable or malformed signature would count as somebody's word."""
    checked = 0
    for group in load(vectors, "wycheproof_ed25519_test.json")["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            verdict = accepted(public, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            assert verdict == (case["result"] == "valid"), case["tcId"]
            checked += 1
    assert checked == 151


def test_ed25519_edge_cases_are_decided_by_one_strict_rule(vectors: Path) -> None:
    """Two capitals with two libraries would disagree on whether a signature holds."""
    cases = load(vectors, "cctv_ed25519vectors.json")
    taken = [
        case for case in cases if accepted(bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode())
    ]
    by_verifier = [
        case
        for case in cases
        if verifier_accepts(bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode())
    ]
    assert len(cases) == 914
    assert len(by_verifier) == 43
    assert all("low_order_A" not in (case["flags"] or []) for case in by_verifier)
    # At enrolment a key outside the prime-order subgroup is refused too: none of its signatures can ever count.
    assert all("low_order_component_A" not in (case["flags"] or []) for case in taken)


def test_ed25519_speccheck_pattern(vectors: Path) -> None:
    """An upgrade of the library that loosens the rule must not pass unseen."""
    pattern = "".join(
        "V" if verifier_accepts(*(bytes.fromhex(case[key]) for key in ("pub_key", "signature", "message"))) else "X"
        for case in load(vectors, "novifinancial-ed25519-speccheck-cases.json")
    )
    assert pattern == "XXXVXXXXXXXX"


def test_composite_signatures_of_the_draft_hold(vectors: Path) -> None:
    """A charter signed here could not be checked by anybody else's implementation."""
    data = load(vectors, "lamps-wg-draft-composite-sigs-testvectors.json")
    message, context = base64.b64decode(data["m"]), base64.b64decode(data["ctx"])
    case = next(test for test in data["tests"] if test["tcId"] == "id-MLDSA65-Ed25519-SHA512")
    public = base64.b64decode(case["pk"])
    plain, with_context = base64.b64decode(case["s"]), base64.b64decode(case["sWithContext"])
    verify_composite(public, plain, message, b"")
    verify_composite(public, with_context, message, context)
    assert IdentityKey.from_seed(base64.b64decode(case["sk"])).public == public
    with pytest.raises(Untrusted):
        verify_composite(public, plain, message, context)
    for position in (0, 3308, 3309, 3372):
        broken = bytearray(plain)
        broken[position] ^= 1
        with pytest.raises(Untrusted):
            verify_composite(public, bytes(broken), message, b"")


def test_xwing_keys_and_decapsulation(vectors: Path) -> None:
    """A seed would give another key pair than in every other implementation."""
    cases = load(vectors, "dconnolly-draft-connolly-cfrg-xwing-kem-test-vectors.json")
    for case in cases:
        key = KemKey(bytes.fromhex(case["seed"]))
        assert key.public.hex() == case["pk"]
        assert _xwing_decapsulate(bytes.fromhex(case["seed"]), bytes.fromhex(case["ct"])).hex() == case["ss"]
    assert len(cases) == 3


def _xwing_decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """draft-connolly-cfrg-xwing-kem section 5.4, from the library's ML-KEM and X25519."""
    import hashlib

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    ct_m, ct_x = ciphertext[:1088], ciphertext[1088:]
    ss_m = mlkem.decapsulate(ct_m)
    ss_x = x25519.exchange(X25519PublicKey.from_public_bytes(ct_x))
    label = b"\\.//^\\"
    return hashlib.sha3_256(ss_m + ss_x + ct_x + x25519.public_key().public_bytes_raw() + label).digest()


def test_hpke_with_xwing_opens_the_published_messages(vectors: Path) -> None:
    """An epoch opener could be opened by nobody but this library version."""
    opened = 0
    for case in load(vectors, "hpkewg-hpke-pq-test-vectors.json"):
        if (case["kem_id"], case["kdf_id"], case["aead_id"]) != (0x647A, 1, 3):
            continue
        suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
        key = KemKey(bytes.fromhex(case["skRm"]))
        assert key.public.hex() == case["pkRm"]
        first = case["encryptions"][0]
        sealed = bytes.fromhex(case["enc"]) + bytes.fromhex(first["ct"])
        info, aad = bytes.fromhex(case["info"]), bytes.fromhex(first["aad"])
        # Single-shot HPKE with AAD is not public in the library; the published messages have one.
        plain = openssl.hpke._decrypt_with_aad(suite, sealed, key.private, info, aad)
        assert plain.hex() == first["pt"]
        opened += 1
    assert opened == 1


def test_mlkem_768_is_wycheproofs(vectors: Path) -> None:
    """Half of the hybrid key exchange would not be what it is called."""
    checked = 0
    for group in load(vectors, "C2SP-wycheproof-mlkem_768_test.json")["testGroups"]:
        for case in group["tests"]:
            try:
                key = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(case["seed"]))
                shared = key.decapsulate(bytes.fromhex(case["c"])).hex()
            except ValueError:
                assert case["result"] == "invalid", case["tcId"]
            else:
                if "ek" in case:
                    assert key.public_key().public_bytes_raw().hex() == case["ek"], case["tcId"]
                assert (shared == case["K"]) == (case["result"] == "valid"), case["tcId"]
            checked += 1
    assert checked == 193


def test_mldsa_65_is_wycheproofs(vectors: Path) -> None:
    """Half of an identity's signature would not be what it is called."""
    checked = 0
    for group in load(vectors, "C2SP-wycheproof-mldsa_65_verify_test.json")["testGroups"]:
        try:
            public = MLDSA65PublicKey.from_public_bytes(bytes.fromhex(group["publicKey"]))
        except ValueError:
            assert all(case["result"] == "invalid" for case in group["tests"])
            checked += len(group["tests"])
            continue
        for case in group["tests"]:
            context = bytes.fromhex(case.get("ctx", ""))
            try:
                public.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]), context=context)
                verdict = True
            except (InvalidSignature, ValueError):
                verdict = False
            assert verdict == (case["result"] == "valid"), case["tcId"]
            checked += 1
    assert checked == 210
