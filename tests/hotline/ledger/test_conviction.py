"""Evidence: each kind is recognised from C2SP files alone, and an honest log can never be convicted."""

from __future__ import annotations

from random import Random

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, RemoteError
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.conviction import Exhibit, Kind, convict
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Signer, Note, parse_note
from hotline.ledger.policy import parse_policy
from hotline.ledger.proof import make_proof
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.machine import Private, Record

A, B = "hotline/ab/ALPHA/main/1", "hotline/ab/BRAVO/main/1"
SIBLING, LATER, OTHER_LINE = "hotline/ab/ALPHA/alt/1", "hotline/ab/ALPHA/main/2", "hotline/ac/CHARLIE/main/1"
ODD = "BRAVO/1"
KEYS = {
    origin: SigningKey(bytes(range(first, first + 32)))
    for origin, first in {A: 0, B: 1, SIBLING: 3, LATER: 4, OTHER_LINE: 5, ODD: 6}.items()
}
WITNESS = Ed25519Cosigner("witness.example/w", SigningKey(bytes(range(2, 34))))


def policy_lines() -> str:
    from hotline.ledger.note import Ed25519Verifier

    logs = "".join(f"log {Ed25519Verifier(origin, key.public).vkey()}\n" for origin, key in KEYS.items())
    return logs + f"witness w {WITNESS.verifier.vkey()}\nquorum w\n"


POLICY = parse_policy(policy_lines().encode())


class Kept:
    """A log of records and everything that can be shown of it."""

    def __init__(self, origin: str, records: list[Record], seed: int = 1) -> None:
        self.origin, self.nodes = origin, {}
        self.leaves: list[bytes] = []
        self.notes: dict[int, bytes] = {}
        ledger = Ledger(origin[:-2], KEYS[origin], int(origin[-1]), Frontier(), 0, Random(seed).randbytes)
        ledger.signing = True
        for record in records:
            staged = ledger.stage([record], 1_795_000_000_000)
            ledger.accept(staged)
            (segment,) = staged.segments
            self.leaves.append(segment.entries[0].leaf)
            self.notes[segment.checkpoint.size] = segment.note
            self.nodes.update({(node.level, node.position): node.hash for node in segment.nodes[0]})

    def proof(self, index: int, size: int = 0) -> Exhibit:
        note = self.notes[size or len(self.leaves)]
        proof = make_proof(index, note, lambda level, i: self.nodes[level, i])
        return Exhibit(proof.encode(), self.leaves[index])

    def head(self, size: int = 0, cosigned_at: int | None = None) -> Exhibit:
        note = parse_note(self.notes[size or len(self.leaves)])
        lines = note.signatures if cosigned_at is None else (*note.signatures, WITNESS.cosign(note.text, cosigned_at))
        return Exhibit(Note(note.text, lines).encode())


def said(text: str, entry: str = "msg.submit", serial: int = 1, **more: str | int) -> Record:
    name = leaf_hash(text.encode()).hex()
    body = Private(text.encode(), bytes([serial] * 32))
    fields: dict[str, str | int] = {"plane": "real", "serial": serial, "statement": name, "kind": "text"}
    if entry == "msg.recv":
        fields["peer_log_epoch"] = 1
    return Record(entry, fields | more, {"body": body})


HONEST = Kept(A, [Record("start"), said("one"), said("two", serial=2), Record("alarm")])
FORKED = Kept(A, [Record("start"), said("another"), said("two", serial=2), Record("alarm")], seed=2)
PEER = Kept(B, [Record("start"), said("one", "msg.recv"), said("two", "msg.recv", 2)])
LIAR = Kept(B, [Record("start"), said("never said", "msg.recv"), said("two", "msg.recv", 2)])


def test_one_size_two_roots() -> None:
    """A capital could show one log to its peer and another to a witness (docs/protocol.md 13.8)."""
    found = convict(HONEST.head(), FORKED.head(), POLICY)
    assert found is not None
    assert found.kind is Kind.FORK_SIZE
    found = convict(HONEST.proof(1), FORKED.head(), POLICY)
    assert found is not None
    assert found.kind is Kind.FORK_SIZE


def test_one_index_two_leaves() -> None:
    """Logs of different sizes could differ in one entry, and no two heads would show it (docs/protocol.md 13.8)."""
    found = convict(HONEST.proof(1, 3), FORKED.proof(1, 4), POLICY)
    assert found is not None
    assert found.kind is Kind.FORK_LEAF


def test_a_witness_that_went_back() -> None:
    """A witness could be restored from a backup and nobody would know (docs/protocol.md 13.8)."""
    found = convict(HONEST.head(4, 100), HONEST.head(2, 101), POLICY)
    assert found is not None
    assert found.kind is Kind.ROLLBACK
    assert convict(HONEST.head(2, 100), HONEST.head(4, 101), POLICY) is None


def test_two_texts_of_one_statement() -> None:
    """What one capital said and the other heard could differ, each with a lawful log (docs/protocol.md 13.8)."""
    found = convict(HONEST.proof(1), LIAR.proof(1), POLICY)
    assert found is not None
    assert found.kind is Kind.MISMATCH
    assert convict(LIAR.proof(1), HONEST.proof(1), POLICY) is not None


@pytest.mark.parametrize("name", ["plane", "serial", "statement"])
def test_an_entry_that_lacks_a_field_convicts_nobody(name: str) -> None:
    """A party could end the program of whoever holds its entry against another one (docs/protocol.md 13.18)."""
    whole = said("never said", "msg.recv")
    fields = {key: value for key, value in whole.fields.items() if key != name}
    other: str | int = "1" if name == "serial" else 7
    for wrong in (fields, {**fields, name: other}):
        odd = Kept(B, [Record("start"), Record("msg.recv", wrong, whole.private)])
        for pair in ((HONEST.proof(1), odd.proof(1)), (odd.proof(1), HONEST.proof(1))):
            with pytest.raises(Malformed):
                convict(*pair, POLICY)


def test_the_honest_are_not_convicted() -> None:
    """A correct terminal could be defamed with its own record."""
    exhibits = [HONEST.head(size) for size in range(1, 5)] + [HONEST.proof(i, 4) for i in range(4)]
    exhibits += [HONEST.proof(i, 3) for i in range(3)] + [PEER.head(), *(PEER.proof(i) for i in range(3))]
    for one in exhibits:
        for other in exhibits:
            assert convict(one, other, POLICY) is None


@pytest.mark.parametrize(
    ("more", "convicted"),
    [
        ({}, True),
        ({"kind": "void"}, False),
        ({"kind": "test-void"}, False),
        ({"peer_log_epoch": 2}, False),
        ({"other": "ALPHA/main"}, True),
        ({"other": "ALPHA/alt"}, False),
        ({"party": "ALPHA"}, True),
        ({"party": "CHARLIE"}, False),
    ],
)
def test_a_serial_that_honest_records_have_twice_convicts_nobody(more: dict[str, str | int], convicted: bool) -> None:
    """A capital would be a liar for a statement that expired, a backup that was put back, its alternate, or a third
    party (docs/protocol.md 13.8)."""
    heard = Kept(B, [Record("start"), said("another", "msg.recv", **more)]).proof(1)
    assert (convict(HONEST.proof(1), heard, POLICY) is not None) is convicted
    assert (convict(heard, HONEST.proof(1), POLICY) is not None) is convicted


def test_what_was_said_before_the_ledger_was_shown_convicts_nobody() -> None:
    """A terminal that does not yet know whether it was put back shows no head, and may say a serial again (13.5)."""
    heard = said("another", "msg.recv")
    heard = Record("msg.recv", {key: value for key, value in heard.fields.items() if "log" not in key}, heard.private)
    assert convict(HONEST.proof(1), Kept(B, [Record("start"), heard]).proof(1), POLICY) is None


@pytest.mark.parametrize("origin", [SIBLING, LATER, OTHER_LINE, ODD])
def test_logs_of_one_party_or_of_two_hotlines_are_not_compared(origin: str) -> None:
    """What the peer said under a serial would contradict what its own party said under the same (13.8)."""
    own = Kept(origin, [Record("start"), said("theirs", "msg.recv")]).proof(1)
    assert convict(HONEST.proof(1), own, POLICY) is None


def test_forged_evidence_convicts_nobody() -> None:
    """Anyone could make a file that accuses a capital."""
    forged = sign_checkpoint(Checkpoint(A, 4, bytes(32)), Ed25519Signer(A, SigningKey(bytes(32))))
    with pytest.raises(RemoteError):
        convict(HONEST.head(), Exhibit(forged), POLICY)
    with pytest.raises(RemoteError):
        convict(HONEST.head(), Exhibit(FORKED.proof(1).data, HONEST.leaves[1]), POLICY)
    with pytest.raises(RemoteError):
        convict(HONEST.head(), Exhibit(b"nothing"), POLICY)


def test_what_proves_nothing_convicts_nobody() -> None:
    """A witness that cosigned twice in one second, or the same head twice, would be called a liar."""
    assert convict(HONEST.head(4, 100), HONEST.head(2, 100), POLICY) is None
    assert convict(HONEST.head(4, 100), HONEST.head(4, 101), POLICY) is None


@pytest.mark.parametrize("field", ["statement", "body"])
def test_one_difference_is_enough(field: str) -> None:
    """A text could be exchanged under an old name, or a name under an old text (docs/protocol.md 13.8)."""
    name, body = leaf_hash(b"one").hex(), Private(b"one", bytes([1] * 32))
    if field == "statement":
        name = leaf_hash(b"other").hex()
    else:
        body = Private(b"other", bytes([1] * 32))
    fields = {"plane": "real", "serial": 1, "statement": name, "peer_log_epoch": 1}
    record = Record("msg.recv", fields, {"body": body})
    found = convict(HONEST.proof(1), Kept(B, [Record("start"), record]).proof(1), POLICY)
    assert found is not None
    assert found.kind is Kind.MISMATCH


def test_statements_of_other_serials_are_not_compared() -> None:
    """Every two logs would contradict each other."""
    assert convict(HONEST.proof(1), LIAR.proof(2), POLICY) is None
    assert convict(HONEST.proof(2), LIAR.proof(1), POLICY) is None
