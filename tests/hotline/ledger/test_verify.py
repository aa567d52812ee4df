"""The auditor's check: what is altered is found and named, and nothing to check is never good."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import StorageError
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from hotline.ledger.log import FREEZE, VOUCHED, Ledger
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, parse_note
from hotline.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash
from hotline.ledger.verify import Outcome, verify_log
from hotline.machine import Record
from tests.hotline.ledger.specimen import BASE, KEY, ORIGIN, VERIFIER, WALL, make_log, rewritten


def test_an_honest_log_verifies() -> None:
    """The check would cry wolf."""
    leaves, notes, stored = make_log(20)
    verdict = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (verdict.outcome, verdict.size, verdict.good_through) == (Outcome.VERIFIED, 20, 20)


@pytest.mark.parametrize("index", [0, 7, 13, 19])
def test_an_altered_entry_is_named(index: int) -> None:
    """A changed word in the record would not be found, or the wrong entry blamed (docs/protocol.md 13.9 and 13.19)."""
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
    """`Nothing to check` would read as `checked` (docs/protocol.md 13.9 and 13.19)."""
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


# --- log epochs, ends and times ---------------------------------------------------------------------------------------


def grown(*batches: list[Record], signing: bool = True, gap_ms: int = 1_000) -> tuple[list[bytes], list[bytes]]:
    """Leaves and heads of a log that takes one batch of records after the other."""
    ledger = Ledger(BASE, KEY, 1, Frontier(), 0, Random(1).randbytes)
    ledger.signing = signing
    leaves: list[bytes] = []
    notes: list[bytes] = []
    for number, batch in enumerate(batches):
        staged = ledger.stage(batch, WALL + number * gap_ms)
        ledger.accept(staged)
        (segment,) = staged.segments
        leaves += [entry.leaf for entry in segment.entries]
        notes.append(segment.note)
    return leaves, notes


def test_entries_that_nobody_vouched_for_are_not_called_good_nor_forged() -> None:
    """A terminal that waits for its peer would be accused, or its unconfirmed entries believed."""
    leaves, notes = grown([Record("daemon.start")], [Record("alarm")], signing=False)
    verdict = verify_log(leaves, notes[-1], VERIFIER, older=notes)
    assert (verdict.outcome, verdict.kind, verdict.good_through) == (Outcome.UNDECIDED, "unvouched", 0)
    leaves, notes = grown([Record("a")], [Record("b")], [Record(VOUCHED)], [Record("c")], signing=False)
    verdict = verify_log(leaves, notes[-1], VERIFIER, older=notes)
    assert (verdict.outcome, verdict.good_through) == (Outcome.VERIFIED, 4)
    foreign = verify_log([*leaves, rewritten(leaves[-1], seq=4)], notes[-1], VERIFIER, older=notes)
    assert (foreign.outcome, foreign.kind) == (Outcome.TAMPERED, "unsigned-tail")


def test_nothing_stands_behind_the_end_of_a_closed_log() -> None:
    """A key kept from a closed log would go on writing into it."""
    leaves, notes = grown([Record("a")], [Record(FREEZE)], [Record("b")])
    verdict = verify_log(leaves, notes[-1], VERIFIER, older=notes)
    assert (verdict.outcome, verdict.kind, verdict.first_bad) == (Outcome.TAMPERED, "frozen", 2)
    assert verify_log(leaves[:2], notes[1], VERIFIER, older=notes[:2]).outcome is Outcome.VERIFIED


def test_an_entry_belongs_to_the_epoch_of_its_log() -> None:
    """Entries could be carried from one log into another."""
    leaves, notes = grown([Record("a")])
    other = Ed25519Verifier(f"{BASE}/2", KEY.public)
    leaves2 = [rewritten(leaves[0])]
    head = Checkpoint(f"{BASE}/2", 1, Frontier(1, [leaf_hash(leaves2[0])]).root())
    note = sign_checkpoint(head, Ed25519Signer(f"{BASE}/2", KEY))
    verdict = verify_log(leaves2, note, other)
    assert (verdict.outcome, verdict.kind) == (Outcome.TAMPERED, "epoch")
    assert notes


@pytest.mark.parametrize(
    ("cosigned", "kind"),
    [
        ([(3, WALL // 1_000 + 3)], "ok"),
        ([(3, WALL // 1_000 + 3 + 3_600)], "bracket"),
        ([(3, WALL // 1_000 - 3_600)], "bracket"),
        ([(6, WALL // 1_000 + 3_600)], "ok"),
        ([(3, WALL // 1_000 + 3 + 300)], "ok"),
        ([(3, WALL // 1_000 + 3 + 301)], "bracket"),
        ([(3, WALL // 1_000 + 2 - 300)], "ok"),
        ([(3, WALL // 1_000 + 2 - 301)], "bracket"),
    ],
    ids=[
        "honest",
        "entries after it claim to be older",
        "entries before it claim to be younger",
        "at the end",
        "five minutes late",
        "a second more",
        "five minutes early",
        "a second less",
    ],
)
def test_times_must_fit_between_those_of_the_witnesses(cosigned: list[tuple[int, int]], kind: str) -> None:
    """A clock set back or forward would date an order before or after the event that it answers."""
    # docs/protocol.md 13.9 and 13.19
    leaves, notes = grown(*([Record("a")] for _ in range(6)))
    verdict = verify_log(leaves, notes[-1], VERIFIER, older=notes, cosigned=cosigned)
    assert verdict.kind == kind
    assert verdict.good_through == 6, "the entries themselves are the signed ones"
    assert verdict.outcome is (Outcome.VERIFIED if kind == "ok" else Outcome.UNDECIDED), "a wrong clock is no tampering"


def test_a_false_time_hides_no_altered_entry() -> None:
    """Whoever sets a clock wrong could alter what stands behind it."""
    leaves, notes = grown(*([Record("a")] for _ in range(6)))
    altered = [*leaves[:4], rewritten(leaves[4], type="b"), leaves[5]]
    verdict = verify_log(altered, notes[-1], VERIFIER, older=notes, cosigned=[(3, WALL // 1_000 + 3 + 3_600)])
    assert (verdict.outcome, verdict.first_bad) == (Outcome.TAMPERED, 4)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_name_without_a_number_says_nothing_of_the_log_epoch(epoch: int) -> None:
    """A log that is named otherwise would be called tampered with."""
    verifier = Ed25519Verifier("log.example/ours", KEY.public)
    leaves = [rewritten(leaf, epoch=epoch) for leaf in make_log(3)[0]]
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
    note = sign_checkpoint(Checkpoint(verifier.name, 3, frontier.root()), Ed25519Signer(verifier.name, KEY))
    assert verify_log(leaves, note, verifier).outcome is Outcome.VERIFIED


def test_what_accuses_nobody_counts_nothing() -> None:
    """A verdict would vouch for entries that nobody has looked at (docs/protocol.md 13.9)."""
    leaves, notes, _ = make_log(4)
    other = Ed25519Verifier(ORIGIN, SigningKey.from_seed(bytes(32)).public)
    fork = sign_checkpoint(Checkpoint(ORIGIN, 4, bytes(32)), Ed25519Signer(ORIGIN, KEY))
    for verdict in (
        verify_log(leaves, notes[-1], None),
        verify_log(leaves, notes[-1], other),
        verify_log(leaves, b"damaged", VERIFIER),
        verify_log(leaves, notes[-1], VERIFIER, older=[fork]),
    ):
        found = (verdict.size, verdict.root, verdict.good_through, verdict.first_bad)
        assert found == (0, b"", 0, None), verdict.kind
    empty = verify_log([], None, VERIFIER)
    assert (empty.size, empty.root, empty.good_through, empty.first_bad) == (0, EMPTY_ROOT, 0, None)


def test_a_verdict_counts_what_was_read_and_what_is_vouched_for() -> None:
    """An auditor would look for more entries than there are (docs/protocol.md 13.9 and 13.19)."""
    leaves, notes, stored = make_log(20)
    tail = verify_log([*leaves, rewritten(leaves[19], seq=20)], notes[-1], VERIFIER)
    assert (tail.size, tail.root) == (21, b"")
    stored[4] = bytes(32)
    tree = verify_log(leaves, notes[-1], VERIFIER, stored.get, notes)
    assert (tree.size, tree.good_through, tree.root) == (20, 20, b"")
    moved = verify_log(leaves[:7] + leaves[8:], notes[-1], VERIFIER, older=notes)
    assert (moved.size, moved.good_through, moved.first_bad) == (7, 6, 7)
    alone = verify_log(leaves, None, VERIFIER)
    assert (alone.size, alone.good_through, alone.root) == (20, 0, parsed_root(notes[-1])), "what the next log names"
    late = verify_log(leaves, notes[-1], VERIFIER, cosigned=[(3, WALL // 1_000 + 3_600)])
    assert (late.kind, late.size, late.good_through) == ("bracket", 20, 20)
    assert late.root == parsed_root(notes[-1])


def test_the_earliest_and_the_latest_word_of_witnesses_count() -> None:
    """One witness's word would hide what another one saw (docs/protocol.md 13.9)."""
    leaves, notes = grown(*([Record("a")] for _ in range(6)))
    now = WALL // 1_000
    for cosigned, kind in (
        ([(2, now + 2), (3, now + 3_600)], "bracket"),
        ([(3, now + 3_600), (2, now + 2)], "bracket"),
        ([(4, now - 3_600), (6, now + 6)], "bracket"),
        ([(6, now + 6), (4, now - 3_600)], "bracket"),
        ([(2, now + 2), (4, now + 4), (6, now + 3_600)], "ok"),
    ):
        assert verify_log(leaves, notes[-1], VERIFIER, older=notes, cosigned=cosigned).kind == kind
