"""Proofs of single entries: they hold offline, for one leaf at one place in one log, and in one spelling."""

from __future__ import annotations

import base64
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Note, Signature, parse_note, parse_vkey, sign_note
from hotline.ledger.policy import parse_policy, policy_text
from hotline.ledger.proof import PROOF_BYTES_MAX, Proof, make_proof, parse_proof, verify_cosigned, verify_proof
from hotline.ledger.tree import Frontier, leaf_hash, verify_inclusion
from tests.hotline.ledger.specimen import KEY, ORIGIN, VERIFIER, make_log, rewritten

SIGNER = Ed25519Signer(ORIGIN, KEY)


def nodes_of(hashes: list[bytes]) -> dict[tuple[int, int], bytes]:
    frontier = Frontier()
    grown = [node for hash_ in hashes for node in frontier.append(hash_)]
    return {(node.level, node.position): node.hash for node in grown}


def proof_of(leaves: list[bytes], index: int, note: bytes, extra: bytes = b"") -> Proof:
    nodes = nodes_of([leaf_hash(leaf) for leaf in leaves])
    return make_proof(index, note, lambda level, position: nodes[level, position], extra)


LEAVES, NOTES, _ = make_log(20)
PROOF = proof_of(LEAVES, 13, NOTES[-1], b"context").encode()
HEAD, TAIL = PROOF.split(b"\n\n", 1)


@given(st.integers(1, 40), st.data())
@settings(deadline=None, max_examples=40)
def test_every_entry_can_be_proved_and_only_by_its_own_proof(size: int, data: st.DataObject) -> None:
    """A capital could not show one statement alone, or could show one that was never made."""
    leaves, notes, _ = make_log(size, per_commit=size)
    index = data.draw(st.integers(0, size - 1))
    written = proof_of(leaves, index, notes[-1]).encode()
    proven = verify_proof(written, leaves[index], VERIFIER)
    assert (proven.leaf.seq, proven.checkpoint.size) == (index, size)
    with pytest.raises(Untrusted, match="inclusion"):
        verify_proof(written, rewritten(leaves[index], fields={"number": 999}), VERIFIER)
    if size > 1:
        with pytest.raises(Untrusted, match="inclusion"):
            verify_proof(written, leaves[(index + 1) % size], VERIFIER)


def test_the_layout_is_the_published_one() -> None:
    """Verifiers that others wrote could not read what we export, in the year when our program is gone."""
    lines = PROOF.decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra Y29udGV4dA==", "index 13"]
    assert base64.b64decode(lines[3]) == leaf_hash(LEAVES[12])
    assert lines[8:10] == ["", ORIGIN]
    assert PROOF.endswith(b"\n\n" + NOTES[-1])
    assert parse_proof(PROOF) == proof_of(LEAVES, 13, NOTES[-1], b"context")
    single, notes, _ = make_log(1)
    bare = proof_of(single, 0, notes[0]).encode()
    assert bare == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + notes[0]
    assert parse_proof(bare) == Proof(0, (), notes[0])


def test_only_the_key_from_outside_counts() -> None:
    """A forger would hand over the log, the proof and the key together (docs/protocol.md 13.18)."""
    other = SigningKey.from_seed(bytes(32))
    stranger = Ed25519Verifier(ORIGIN, other.public)
    with pytest.raises(Untrusted, match="unverified"):
        verify_proof(PROOF, LEAVES[13], stranger)
    forged = Proof(0, (), sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(LEAVES[0])), Ed25519Signer(ORIGIN, other)))
    assert verify_proof(forged.encode(), LEAVES[0], stranger).leaf.seq == 0
    with pytest.raises(Untrusted, match="unverified"):
        verify_proof(forged.encode(), LEAVES[0], VERIFIER)


def test_a_head_of_another_log_under_the_same_key_is_refused() -> None:
    """An entry of the exercise log would be shown as one of the real log."""
    note = sign_note(Checkpoint("hotline/ab/ALPHA/main/2", 1, leaf_hash(LEAVES[0])).text(), [SIGNER])
    with pytest.raises(Untrusted, match="origin"):
        verify_proof(Proof(0, (), note).encode(), LEAVES[0], VERIFIER)


def test_an_entry_that_names_another_place_is_refused() -> None:
    """One entry, logged twice, would count as two statements (docs/protocol.md 13.18)."""
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(LEAVES[7])), SIGNER)
    with pytest.raises(Untrusted, match="entry 0 says it is entry 7"):
        verify_proof(Proof(0, (), note).encode(), LEAVES[7], VERIFIER)


def test_bytes_that_are_no_entry_are_refused() -> None:
    """Whatever was slipped into a tree would be shown as a record of the hotline."""
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(b"anything")), SIGNER)
    with pytest.raises(Malformed, match="leaf"):
        verify_proof(Proof(0, (), note).encode(), b"anything", VERIFIER)


def test_a_path_of_another_length_or_place_is_refused() -> None:
    """A path that is cut or lengthened can lead to a root that it does not prove."""
    good = proof_of(LEAVES, 13, NOTES[-1])
    wrong = [
        Proof(13, good.hashes[:-1], good.note),
        Proof(13, (*good.hashes, bytes(32)), good.note),
        Proof(13, good.hashes[::-1], good.note),
        Proof(12, good.hashes, good.note),
        Proof(20, good.hashes, good.note),
        Proof(13, good.hashes, NOTES[-2]),
        Proof(13, (), good.note),
    ]
    for proof in wrong:
        with pytest.raises(Untrusted, match="inclusion"):
            verify_proof(proof.encode(), LEAVES[13], VERIFIER)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        HEAD,
        HEAD + b"\n\n",
        TAIL,
        PROOF.replace(b"@v1", b"@v2"),
        PROOF.replace(b"\nindex 13", b""),
        PROOF.replace(b"index 13", b"index 013"),
        PROOF.replace(b"index 13", b"index +13"),
        PROOF.replace(b"index 13", b"index  13"),
        PROOF.replace(b"index 13", b"index 1_3"),
        PROOF.replace(b"index 13", b"index 13 "),
        PROOF.replace(b"index 13", b"Index 13"),
        PROOF.replace(b"index 13", "index \u0661\u0663".encode()),
        PROOF.replace(b"index 13", b"index 13\nindex 13"),
        PROOF.replace(b"extra Y29udGV4dA==", b"extra "),
        PROOF.replace(b"extra Y29udGV4dA==", b"extra"),
        PROOF.replace(b"extra Y29udGV4dA==", b"extra Y29udGV4dA"),
        PROOF.replace(b"extra Y29udGV4dA==", b"extra Y29udGV4dB=="),
        PROOF.replace(b"extra Y29udGV4dA==", b"extra Y29udGV4dA==\nextra Y29udGV4dA=="),
        PROOF.replace(b"\nindex", b"\r\nindex"),
        HEAD + b"\nAAAA\n\n" + TAIL,
        HEAD + b"\n" + b"A" * 42 + b"B=\n\n" + TAIL,
        HEAD + b"\n " + b"A" * 43 + b"=\n\n" + TAIL,
        HEAD + (b"\n" + b"A" * 43 + b"=") * 64 + b"\n\n" + TAIL,
        HEAD + b"\n\n\n" + TAIL,
        b"\n" + PROOF,
        PROOF + b"\n",
        PROOF[:-1],
        HEAD + b"\n\n" + TAIL.replace(b"\n20\n", b"\n020\n"),
        HEAD + b"\n\n" + TAIL.replace(b"\n20\n", b"\n20\nextension\n"),
    ],
)
def test_another_spelling_is_refused(text: bytes) -> None:
    """Two verifiers would disagree on one piece of evidence."""
    assert text != PROOF
    with pytest.raises(Malformed):
        parse_proof(text)


@given(st.data())
@settings(deadline=None)
def test_no_altered_byte_goes_unnoticed(data: st.DataObject) -> None:
    """Evidence could be bent on its way; only the extra line, which vouches for nothing, may differ."""
    signed = PROOF.index(b"index")
    position = data.draw(st.integers(signed, len(PROOF) - 1))
    altered = bytearray(PROOF)
    altered[position] = data.draw(st.integers(0, 255).filter(lambda value: value != PROOF[position]))
    with pytest.raises(RemoteError):
        verify_proof(bytes(altered), LEAVES[13], VERIFIER)


def test_the_extra_line_is_not_vouched_for() -> None:
    """Whoever reads it as evidence is deceived; nobody must take its change for tampering either."""
    changed = PROOF.replace(b"Y29udGV4dA==", b"b3RoZXI=")
    assert verify_proof(changed, LEAVES[13], VERIFIER).leaf.seq == 13
    assert parse_proof(changed).extra == b"other"


def test_there_is_room_for_post_quantum_cosignatures() -> None:
    """Proofs that four witnesses have signed would be refused as too long."""
    note = parse_note(NOTES[-1])
    witnesses = tuple(Signature(f"witness-{n}", bytes(4), Random(n).randbytes(2_428)) for n in range(4))
    proof = proof_of(LEAVES, 13, Note(note.text, (*note.signatures, *witnesses)).encode())
    assert len(proof.note) > 13_000
    assert verify_proof(proof.encode(), LEAVES[13], VERIFIER).checkpoint.size == 20


def test_a_proof_without_end_is_refused_before_it_is_read() -> None:
    """One hostile file would keep the verifier busy, or fill its memory."""
    padding = base64.b64encode(bytes(PROOF_BYTES_MAX))
    with pytest.raises(Malformed, match="too-long"):
        parse_proof(PROOF.replace(b"Y29udGV4dA==", padding))


def test_a_proof_may_be_as_long_as_the_largest_one() -> None:
    """One of 64 KiB is read, and of one byte more nothing is (what every reader keeps room for)."""
    note = parse_note(NOTES[-1])

    def proof(extra: int, name: int) -> bytes:
        witness = Signature("w" * name, bytes(4), bytes(64))
        return proof_of(LEAVES, 13, Note(note.text, (*note.signatures, witness)).encode(), bytes(extra)).encode()

    fours, rest = divmod(65_536 - len(proof(3, 1)), 4)
    longest = proof(3 + 3 * fours, 1 + rest)
    assert len(longest) == 65_536
    assert verify_proof(longest, LEAVES[13], VERIFIER).checkpoint.size == 20
    with pytest.raises(Malformed, match="too-long"):
        parse_proof(proof(3 + 3 * fours, 2 + rest))


def test_nothing_is_proved_about_an_entry_that_is_not_there() -> None:
    """A proof would be made for an entry that the signed head does not count."""
    with pytest.raises(ValueError):
        proof_of(LEAVES, 20, NOTES[-1])
    with pytest.raises(Malformed):
        proof_of(LEAVES, 0, b"no checkpoint")


@pytest.mark.vectors
def test_proofs_for_a_public_log_hold(vectors: Path) -> None:
    """Our proofs would hold only for logs of our own making."""
    folder = vectors / "tessera_testlog"
    verifier = parse_vkey((folder / "VKEY").read_text().strip())
    size = 15
    note = (folder / f"checkpoint.{size}").read_bytes()
    tile = (folder / "tile" / "0" / "000.p" / str(size)).read_bytes()
    hashes = [tile[start : start + 32] for start in range(0, len(tile), 32)]
    nodes = nodes_of(hashes)
    for index in range(size):
        proof = parse_proof(make_proof(index, note, lambda level, place: nodes[level, place]).encode())
        checkpoint = open_checkpoint(proof.note, verifier.name, verifier)
        verify_inclusion(proof.index, checkpoint.size, hashes[index], proof.hashes, checkpoint.root)


def test_a_policy_decides_whose_word_is_enough() -> None:
    """A proof that no witness saw would convince a third party that asked for witnesses (docs/protocol.md 13.18)."""
    witnesses = [Ed25519Cosigner(f"witness.example/w{n}", SigningKey(bytes([n] * 32))) for n in (1, 2)]
    lines = "".join(f"witness w{n} {one.verifier.vkey()}\n" for n, one in enumerate(witnesses, 1))
    text = policy_text([VERIFIER], lines + "group both all w1 w2\nquorum both\n")
    policy = parse_policy(text.encode())
    note = parse_note(NOTES[-1])
    for count in range(3):
        cosigned = (one.cosign(note.text, 7) for one in witnesses[:count])
        proof = proof_of(LEAVES, 13, Note(note.text, (*note.signatures, *cosigned)).encode()).encode()
        if count == 2:
            assert verify_cosigned(proof, LEAVES[13], policy).witnesses == {"w1": 7, "w2": 7}
            with pytest.raises(Untrusted, match="inclusion"):
                verify_cosigned(proof, LEAVES[12], policy)
        else:
            with pytest.raises(Untrusted, match="no-quorum"):
                verify_cosigned(proof, LEAVES[13], policy)
