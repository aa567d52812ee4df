"""Entries, the sequencer, and the auditor's check: what is altered must be found, and named."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.signing import SigningKey
from hotline.errors import LocalError, Malformed
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier
from hotline.ledger.record import commitment, make_entry, parse_leaf
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.ledger.verify import Outcome, verify_log
from hotline.machine import Record

ORIGIN = "hotline/ab/ALPHA/main/1"
KEY = SigningKey.from_seed(bytes(range(32)))
VERIFIER = Ed25519Verifier(ORIGIN, KEY.public)
WALL = 1_795_000_000_000


def make_log(count: int, per_commit: int = 3) -> tuple[list[bytes], list[bytes], dict[int, bytes]]:
    """Leaves, checkpoints, and the stored leaf hashes of a log with `count` entries."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), 0, Random(1).randbytes)
    leaves: list[bytes] = []
    notes: list[bytes] = []
    stored: dict[int, bytes] = {}
    while len(leaves) < count:
        records = [Record("test", {"number": len(leaves) + i}) for i in range(min(per_commit, count - len(leaves)))]
        staged = ledger.stage(records, WALL + len(leaves) * 1_000)
        ledger.accept(staged)
        leaves += [entry.leaf for entry in staged.entries]
        notes.append(staged.note)
        stored.update({node.position: node.hash for node in staged.nodes if node.level == 0})
    return leaves, notes, stored


def rewritten(leaf: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(leaf) | changes, separators=(",", ":"), sort_keys=True).encode()


def test_an_honest_log_verifies() -> None:
    """The check would cry wolf."""
    leaves, notes, stored = make_log(20)
    verdict = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (verdict.outcome, verdict.size, verdict.good_through) == (Outcome.VERIFIED, 20, 20)


@pytest.mark.parametrize("index", [0, 7, 13, 19])
def test_an_altered_entry_is_named(index: int) -> None:
    """A changed word in the record would not be found, or the wrong entry blamed."""
    leaves, notes, stored = make_log(20)
    leaves[index] = rewritten(leaves[index], fields={"number": 999})
    verdict = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (verdict.outcome, verdict.first_bad) == (Outcome.TAMPERED, index)
    assert verdict.good_through <= index


@pytest.mark.parametrize("index", [0, 7, 18])
def test_a_removed_moved_or_inserted_entry_is_named(index: int) -> None:
    """A missing entry is a missing statement."""
    leaves, notes, stored = make_log(20)
    removed = leaves[:index] + leaves[index + 1 :]
    swapped = leaves[:index] + [leaves[index + 1], leaves[index]] + leaves[index + 2 :]
    inserted = [*leaves[:index], rewritten(leaves[index]), *leaves[index:]]
    for tampered, first in ((removed, index), (swapped, index), (inserted, index + 1)):
        verdict = verify_log(tampered, notes[-1], VERIFIER, stored.get, notes)
        assert (verdict.outcome, verdict.first_bad) == (Outcome.TAMPERED, first)


def test_a_cut_tail_and_an_unsigned_tail_are_found() -> None:
    """The last word would be deniable."""
    leaves, notes, stored = make_log(20)
    cut = verify_log(leaves[:17], notes[-1], VERIFIER, stored.get, notes)
    assert (cut.outcome, cut.kind, cut.first_bad) == (Outcome.TAMPERED, "truncated", 17)
    tail = verify_log(leaves, notes[-3], VERIFIER, stored.get, notes[:-2])
    assert (tail.outcome, tail.kind) == (Outcome.TAMPERED, "unsigned-tail")


def test_a_rewritten_log_with_its_stored_hashes_is_still_found() -> None:
    """Whoever can write the database would rewrite both the entry and its hash."""
    leaves, notes, stored = make_log(20)
    leaves[10] = rewritten(leaves[10], fields={"number": 999})
    stored[10] = leaf_hash(leaves[10])
    verdict = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (verdict.outcome, verdict.first_bad, verdict.good_through) == (Outcome.TAMPERED, 9, 9)


def test_what_cannot_be_decided_is_never_good() -> None:
    """`Nothing to check` would read as `checked`."""
    leaves, notes, _ = make_log(4)
    other = Ed25519Verifier(ORIGIN, SigningKey.from_seed(bytes(32)).public)
    for verdict in (
        verify_log([], None, VERIFIER),
        verify_log(leaves, None, VERIFIER),
        verify_log(leaves, notes[-1], None),
        verify_log(leaves, notes[-1], other),
    ):
        assert verdict.outcome is Outcome.UNDECIDED
    forged = notes[-1].replace(b"\n4\n", b"\n5\n")
    assert verify_log(leaves, forged, VERIFIER).outcome is Outcome.TAMPERED


def test_times_never_go_back_and_a_late_clock_is_written_down() -> None:
    """A clock set back would put an entry before its cause."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), 0, Random(1).randbytes)
    first = ledger.stage([Record("a")], WALL)
    ledger.accept(first)
    second = ledger.stage([Record("b")], WALL - 86_400_000)
    leaves = [parse_leaf(staged.entries[0].leaf) for staged in (first, second)]
    assert leaves[1].ts == leaves[0].ts
    assert leaves[1].fields == {"clock": WALL - 86_400_000}


def test_a_staged_transaction_that_is_not_accepted_leaves_no_trace() -> None:
    """A failed commit would leave a hole in the sequence."""
    ledger = Ledger(ORIGIN, 1, Ed25519Signer(ORIGIN, KEY), Frontier(), 0, Random(1).randbytes)
    ledger.stage([Record("lost")], WALL)
    assert ledger.size == 0
    assert ledger.stage([Record("kept")], WALL).entries[0].seq == 0


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_leaves_read_back_and_have_one_spelling(fields: dict[str, str | int]) -> None:
    """Two auditors would read two records from one entry."""
    entry = make_entry(5, WALL, 1, Record("test", fields, {"body": commitment(b"salt", "body", b"a private word of nine").hex()}), Random(2).randbytes)
    leaf = parse_leaf(entry.leaf)
    assert dict(leaf.fields) == fields
    assert leaf.commit == {"body": commitment(b"salt", "body", b"a private word of nine").hex()}
    assert b"a private word of nine" not in entry.leaf
    with pytest.raises(Malformed):
        parse_leaf(entry.leaf.replace(b'"epoch":1', b'"epoch": 1'))


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":1}',
        b"\xff",
        b'{"commit":{},"epoch":1,"fields":{"a":1.0},"rnd":"","seq":0,"ts":"","type":"x","v":1}',
        b'{"commit":{},"epoch":1,"fields":{"a":true},"rnd":"","seq":0,"ts":"","type":"x","v":1}',
        b'{"commit":{},"epoch":1,"fields":{"a":[]},"rnd":"","seq":0,"ts":"","type":"x","v":1}',
        b'{"commit":{},"epoch":1,"fields":{},"fields":{},"rnd":"","seq":0,"ts":"","type":"x","v":1}',
        b'{"commit":{},"epoch":1,"fields":{},"rnd":"","seq":"0","ts":"","type":"x","v":1}',
        b"[" * 5_000,
    ],
)
def test_malformed_leaves_are_refused(leaf: bytes) -> None:
    """An entry that is not one of ours would be read as one."""
    with pytest.raises(Malformed):
        parse_leaf(leaf)


def test_a_record_that_cannot_be_a_leaf_is_refused() -> None:
    """A float or a huge field would make the log unreadable for ever."""
    for record in (Record("x", {"a": 2**53}), Record("x", {"a": "y" * 5_000}), Record("x", {"a": True})):
        with pytest.raises(LocalError):
            make_entry(0, WALL, 1, record, Random(1).randbytes)


def test_blinders_differ() -> None:
    """A witness that sees leaf hashes could guess what an entry says."""
    leaves, _, _ = make_log(50)
    assert len({json.loads(leaf)["rnd"] for leaf in leaves}) == 50
