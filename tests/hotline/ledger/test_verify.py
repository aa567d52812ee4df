"""The auditor's check: what is altered is found and named, and nothing to check is never good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import StorageError
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, parse_note
from hotline.ledger.tree import leaf_hash
from hotline.ledger.verify import Outcome, verify_log
from tests.hotline.ledger.specimen import KEY, ORIGIN, VERIFIER, make_log, rewritten


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
    swapped = [*leaves[:index], leaves[index + 1], leaves[index], *leaves[index + 2 :]]
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


def test_a_verdict_of_good_says_how_much_and_under_which_root() -> None:
    """Two auditors could not tell whether they had checked the same log."""
    leaves, notes, _ = make_log(20)
    verdict = verify_log(leaves, notes[-1], VERIFIER)
    assert (verdict.kind, verdict.size, verdict.first_bad) == ("ok", 20, None)
    assert verdict.root == parsed_root(notes[-1])


def parsed_root(note: bytes) -> bytes:
    return parse_checkpoint(parse_note(note).text).root


@pytest.mark.parametrize("size", [0, 1, 19])
def test_missing_entries_are_tampering_even_if_all_are(size: int) -> None:
    """Who wipes the whole record would be told that nothing can be said about it."""
    leaves, notes, _ = make_log(20)
    verdict = verify_log(leaves[:size], notes[-1], VERIFIER)
    assert (verdict.outcome, verdict.kind, verdict.first_bad) == (Outcome.TAMPERED, "truncated", size)


def test_the_first_unsigned_entry_is_named() -> None:
    """An entry slipped in behind the head would pass as part of the record."""
    leaves, notes, _ = make_log(20)
    verdict = verify_log([*leaves, rewritten(leaves[19], seq=20)], notes[-1], VERIFIER)
    assert (verdict.kind, verdict.first_bad, verdict.good_through) == ("unsigned-tail", 20, 20)


def test_a_head_put_back_does_not_hide_what_was_signed_after_it() -> None:
    """A restored backup with its own good signature would verify, and the last statements would be deniable."""
    leaves, notes, _ = make_log(20)
    verdict = verify_log(leaves[:12], notes[3], VERIFIER, older=notes[-1:])
    assert (verdict.kind, verdict.first_bad, verdict.good_through) == ("truncated", 12, 12)


def test_two_signed_roots_for_one_size_are_a_fork() -> None:
    """A terminal that told each side another story would be vouched for."""
    leaves, notes, _ = make_log(20)
    other = sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), Ed25519Signer(ORIGIN, KEY))
    for older in ([other, *notes], [*notes, other]):
        verdict = verify_log(leaves, notes[-1], VERIFIER, older=older)
        assert (verdict.outcome, verdict.kind) == (Outcome.TAMPERED, "fork")
    nothing = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), Ed25519Signer(ORIGIN, KEY))
    assert verify_log(leaves, notes[-1], VERIFIER, older=[nothing]).kind == "fork"


def test_without_stored_hashes_the_range_is_named() -> None:
    """One entry would be accused where any of several may be the bad one."""
    leaves, notes, _ = make_log(20)
    leaves[10] = rewritten(leaves[10], fields={"number": 999})
    near = verify_log(leaves, notes[-1], VERIFIER, older=notes)
    assert (near.kind, near.first_bad, near.good_through) == ("altered", 9, 9)
    assert "entries 9 to 11" in near.text
    far = verify_log(leaves, notes[-1], VERIFIER)
    assert (far.kind, far.first_bad, far.good_through) == ("altered", 0, 0)
    assert "entries 0 to 19" in far.text


def test_a_second_altered_entry_does_not_take_the_blame_of_the_first() -> None:
    """An intruder could rewrite one entry with its hash and point at another."""
    leaves, notes, stored = make_log(20)
    leaves[10] = rewritten(leaves[10], fields={"number": 999})
    stored[10] = leaf_hash(leaves[10])
    leaves[14] = rewritten(leaves[14], fields={"number": 999})
    verdict = verify_log(leaves, notes[-1], VERIFIER, stored.get)
    assert (verdict.kind, verdict.first_bad, verdict.good_through) == ("altered", 0, 0)
    assert "entries 0 to 19" in verdict.text


def test_an_altered_tree_is_told_from_an_altered_entry() -> None:
    """A good entry would be called forged because somebody scratched the tree beside it."""
    leaves, notes, stored = make_log(20)
    stored[4] = bytes(32)
    alone = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (alone.kind, alone.first_bad) == ("tree", 4)
    leaves[13] = rewritten(leaves[13], fields={"number": 999})
    both = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (both.kind, both.first_bad, both.good_through) == ("altered", 13, 12)


def test_an_altered_entry_before_a_removed_one_is_named_first() -> None:
    """The auditor would look only behind the place where the tampering began."""
    leaves, notes, stored = make_log(20)
    leaves[5] = rewritten(leaves[5], fields={"number": 999})
    for tampered in (leaves[:8] + leaves[9:], leaves[:8], [*leaves[:8], b"", *leaves[9:]]):
        verdict = verify_log(tampered, notes[-1], VERIFIER, stored.get)
        assert (verdict.kind, verdict.first_bad) == ("altered", 5)
    stored[9] = bytes(32)
    unsure = verify_log(leaves[:8] + leaves[9:], notes[-1], VERIFIER, stored.get)
    assert (unsure.kind, unsure.first_bad) == ("sequence", 8)
    del stored[9]
    unknown = verify_log(leaves[:8] + leaves[9:], notes[-1], VERIFIER, stored.get)
    assert (unknown.kind, unknown.first_bad) == ("sequence", 8)


def test_a_time_that_goes_back_is_named() -> None:
    """An answer could be dated before its question."""
    leaves, notes, _ = make_log(20)
    leaves[12] = rewritten(leaves[12], ts="2000-01-01T00:00:00.000Z")
    verdict = verify_log(leaves, notes[-1], VERIFIER, older=notes)
    assert (verdict.kind, verdict.first_bad) == ("time", 12)


def test_reading_that_stops_early_is_not_called_tampering() -> None:
    """A failing disk would be reported to the other capital as a forged record."""
    leaves, notes, _ = make_log(20)

    def failing() -> Iterator[bytes]:
        yield from leaves[:11]
        raise StorageError("the disk does not answer")

    verdict = verify_log(failing(), notes[-1], VERIFIER, older=notes)
    assert (verdict.outcome, verdict.kind) == (Outcome.UNDECIDED, "stopped")
    assert (verdict.size, verdict.good_through, verdict.first_bad) == (11, 9, None)


def test_without_the_head_older_checkpoints_only_vouch_up_to_their_size() -> None:
    """Entries nobody signed would count as checked because the ones before them were."""
    leaves, notes, _ = make_log(20)
    verdict = verify_log(leaves, None, VERIFIER, older=notes[:3])
    assert (verdict.outcome, verdict.kind, verdict.good_through) == (Outcome.UNDECIDED, "no-checkpoint", 9)


def test_an_unreadable_or_foreign_checkpoint_accuses_no_entry() -> None:
    """Entry 0 would be called forged because a file beside it is damaged."""
    leaves, notes, _ = make_log(4)
    elsewhere = sign_checkpoint(Checkpoint("hotline/ab/ALPHA/main/2", 4, bytes(32)), Ed25519Signer(ORIGIN, KEY))
    for note in (b"damaged", notes[-1].replace(b"\n4\n", b"\n5\n"), elsewhere):
        verdict = verify_log(leaves, note, VERIFIER)
        assert (verdict.outcome, verdict.kind, verdict.first_bad) == (Outcome.TAMPERED, "checkpoint", None)
