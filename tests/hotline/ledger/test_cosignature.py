"""Cosignatures: bound to the checkpoint, the time, the cosigner; in the one published format."""

from __future__ import annotations

import base64
import hashlib

import pytest

from hotline.crypto.mldsa44 import PostQuantumKey
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import (
    Ed25519Cosigner,
    MlDsa44CosignatureVerifier,
    MlDsa44Cosigner,
    check_cosignature,
    parse_witness_vkey,
    timestamp,
)
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Note, Signature, open_note, parse_note
from tests.hotline.ledger.specimen import KEY, ORIGIN

HEAD = Checkpoint(ORIGIN, 3, bytes(range(32)))
TEXT = HEAD.text()
NAME = "witness.example/w1"
ED = Ed25519Cosigner(NAME, SigningKey(bytes(range(1, 33))))
PQ = MlDsa44Cosigner(NAME, PostQuantumKey(bytes(range(2, 34))))
BOTH = pytest.mark.parametrize("cosigner", [ED, PQ], ids=["ed25519", "ml-dsa-44"])


@BOTH
def test_it_holds_for_this_checkpoint_and_no_other(cosigner: Ed25519Cosigner | MlDsa44Cosigner) -> None:
    """A cosignature could be moved to a checkpoint that no witness ever saw."""
    signature = cosigner.cosign(TEXT, 1_795_000_000)
    assert check_cosignature(TEXT, signature, cosigner.verifier) == 1_795_000_000
    for other in (
        Checkpoint(ORIGIN, 4, HEAD.root),
        Checkpoint(ORIGIN, 3, bytes(32)),
        Checkpoint(ORIGIN.replace("ALPHA", "BRAVO"), 3, HEAD.root),
    ):
        with pytest.raises(Untrusted):
            check_cosignature(other.text(), signature, cosigner.verifier)


@BOTH
def test_its_time_cannot_be_altered(cosigner: Ed25519Cosigner | MlDsa44Cosigner) -> None:
    """An old word of a witness would pass for a fresh one, and a rollback would not show."""
    signature = cosigner.cosign(TEXT, 1_795_000_000)
    later = (1_795_000_001).to_bytes(8, "big") + signature.value[8:]
    with pytest.raises(Untrusted):
        check_cosignature(TEXT, Signature(signature.name, signature.key_id, later), cosigner.verifier)
    beyond = (2**63).to_bytes(8, "big") + signature.value[8:]
    with pytest.raises(Malformed):
        timestamp(beyond)
    with pytest.raises(RemoteError):
        check_cosignature(TEXT, Signature(signature.name, signature.key_id, beyond), cosigner.verifier)


@BOTH
def test_it_is_no_signature_of_the_log_and_not_of_another_witness(
    cosigner: Ed25519Cosigner | MlDsa44Cosigner,
) -> None:
    """One key's word would count for another role."""
    signature = cosigner.cosign(TEXT, 7)
    with pytest.raises(Untrusted, match="another key"):
        check_cosignature(TEXT, signature, Ed25519Cosigner(NAME, KEY).verifier)
    with pytest.raises(Untrusted):
        check_cosignature(TEXT, Signature(signature.name, signature.key_id, signature.value[:-1]), cosigner.verifier)
    log = Ed25519Signer(NAME, SigningKey(bytes(range(1, 33))))
    assert log.key_id != ED.verifier.key_id


def test_the_ed25519_message_is_the_published_one() -> None:
    """No other program could check a cosignature of ours (docs/protocol.md 13.15)."""
    signature = ED.cosign(TEXT, 1679315147)
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT
    assert signature.value == (1679315147).to_bytes(8, "big") + SigningKey(bytes(range(1, 33))).sign_raw(message)
    public = SigningKey(bytes(range(1, 33))).public
    assert signature.key_id == hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]


def test_the_ml_dsa_message_is_the_published_one() -> None:
    """No other program could check a post-quantum cosignature of ours (docs/protocol.md 13.15)."""
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    value = PQ.cosign(TEXT, 9).value
    message = b"subtree/v1\n\0" + bytes((len(NAME),)) + NAME.encode() + (9).to_bytes(8, "big")
    message += bytes((len(ORIGIN),)) + ORIGIN.encode() + bytes(8) + (3).to_bytes(8, "big") + HEAD.root
    MLDSA44PublicKey.from_public_bytes(PQ.verifier.public).verify(value[8:], message)
    assert PQ.verifier.key_id == hashlib.sha256(NAME.encode() + b"\n\x06" + PQ.verifier.public).digest()[:4]


@BOTH
def test_keys_have_one_spelling(cosigner: Ed25519Cosigner | MlDsa44Cosigner) -> None:
    """Two files would name one witness, or one file two."""
    written = cosigner.verifier.vkey()
    assert parse_witness_vkey(written).public == cosigner.verifier.public
    name, key_id, key = written.split("+", 2)
    log_key = base64.b64encode(b"\x01" + base64.b64decode(key)[1:]).decode()
    for bad in (
        f"{name}+{key_id.upper()}+{key}" if key_id.upper() != key_id else f"{name}+{key_id[::-1]}+{key}",
        f"{name}+00000000+{key}",
        f"{name}+{key_id}+{key[:-4]}",
        f"{name}+{key_id}+{log_key}",
        f"{name}+{key_id}",
        f" {written}",
        written + "\n",
    ):
        with pytest.raises(RemoteError):
            parse_witness_vkey(bad)


def test_a_note_carries_several() -> None:
    """A proof could not show that a quorum saw the log."""
    note = parse_note(sign_checkpoint(HEAD, Ed25519Signer(ORIGIN, KEY)))
    whole = Note(note.text, (*note.signatures, ED.cosign(TEXT, 5), PQ.cosign(TEXT, 6))).encode()
    opened = open_note(whole, [Ed25519Verifier(ORIGIN, KEY.public), ED.verifier, PQ.verifier])
    assert [timestamp(signature.value) for signature in opened.verified[1:]] == [5, 6]
    assert repr(PostQuantumKey(bytes(32))).startswith("PostQuantumKey(")


@pytest.mark.parametrize("length", [254, 255])
def test_a_name_is_as_long_as_one_byte_counts(length: int) -> None:
    """A lawful witness would be refused, or two names of different lengths be signed as one."""
    lawful = MlDsa44Cosigner("w" * length, PostQuantumKey(bytes(range(2, 34))))
    assert lawful.name == lawful.verifier.name
    assert check_cosignature(TEXT, lawful.cosign(TEXT, 5), lawful.verifier) == 5
    with pytest.raises(Malformed, match="longer than 255"):
        MlDsa44Cosigner("w" * 256, PostQuantumKey(bytes(range(2, 34)))).cosign(TEXT, 5)


@pytest.mark.parametrize("size", [0, 1_311, 1_313])
def test_a_key_of_another_length_is_no_key(size: int) -> None:
    """A cut key would be taken for a witness that never signs."""
    with pytest.raises(Untrusted, match="1312"):
        MlDsa44CosignatureVerifier(NAME, bytes(size))


def test_a_signature_that_is_shorter_than_its_time_has_none() -> None:
    """A cut line would pass for a cosignature of the year 1970."""
    for length in range(8):
        with pytest.raises(Malformed):
            timestamp(bytes(length))
    assert timestamp((5).to_bytes(8, "big")) == 5


def test_the_last_moment_of_the_calendar_is_one() -> None:
    """A lawful cosignature would be refused (docs/protocol.md 13.15)."""
    assert timestamp((2**63 - 1).to_bytes(8, "big")) == 2**63 - 1
