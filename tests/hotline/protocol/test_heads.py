"""Heads of a terminal's logs: whose they are is read in one way only."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.signing import SigningKey
from hotline.errors import RemoteError
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer
from hotline.limits import LOG_EPOCHS_AHEAD_MAX, LOG_EPOCHS_INTERVAL, SERIAL_MAX
from hotline.machine import Instant
from hotline.protocol.context import LogIdentity
from hotline.protocol.heads import EpochPace, open_head, place_of, said_head
from hotline.protocol.statements import CHECKPOINT_MAX

KEY = SigningKey(b"k" * 32)
LOG = LogIdentity("hotline/ab/ALPHA/main", KEY.public)


def note(origin: str = "hotline/ab/ALPHA/main/3", size: int = 7, root: bytes = bytes(range(32))) -> bytes:
    return sign_checkpoint(Checkpoint(origin, size, root), Ed25519Signer(origin, KEY))


def test_the_quick_reading_is_the_strict_one() -> None:
    """The record would say another head than the one that is checked later."""
    head = open_head(note(), LOG)
    assert head.place == place_of(note(), LOG) == (3, 7)
    assert said_head(note(), LOG) == {"peer_log_epoch": 3, "peer_size": 7, "peer_root": head.root.hex()}


def test_a_terminal_whose_name_begins_alike_is_another_one() -> None:
    """A head of `main-2` would be news of `main` (docs/protocol.md 13.14)."""
    with pytest.raises(RemoteError) as caught:
        place_of(note("hotline/ab/ALPHA/main-2/3"), LOG)
    assert caught.value.reason == "origin"


def test_what_others_wrote_beside_it_is_not_kept() -> None:
    """Whoever passes a head on would fill an entry of the ledger with lines of his own (docs/protocol.md 13.14)."""
    line = note("hotline/cd/stranger/main/1").rpartition(b"\n\n")[2]
    for beside in (note() + line, note().replace(b"\n\n", b"\n\n" + line)):
        assert open_head(beside, LOG).note == note()


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"one line",
        b"\n\n\n",
        note("hotline/ab/BRAVO/main/3"),
        note("hotline/ab/ALPHA/main/0"),
        note("hotline/ab/ALPHA/main/03"),
        note("hotline/ab/ALPHA/main/3/unvouched"),
        note("hotline/ab/ALPHA/main"),
        note(size=SERIAL_MAX + 1),
        note().replace(b"\n7\n", b"\n+7\n"),
        note().replace(b"\n7\n", b"\n07\n"),
        note(root=b"short"),
        note() + b"x" * 1_024,
    ],
)
def test_what_is_no_head_of_this_log_says_nothing(bad: bytes) -> None:
    """Another log, another spelling or an endless number would enter the record as the peer's head."""
    # docs/protocol.md 13.14
    assert said_head(bad, LOG) == {}
    with pytest.raises(RemoteError):
        open_head(bad, LOG)


@pytest.mark.parametrize(("beyond", "taken"), [(0, True), (1, False)])
def test_a_note_is_read_up_to_its_bound(beyond: int, taken: bool) -> None:
    """A head with many cosignatures would be refused, or one without end be read (docs/protocol.md 13.14)."""
    text = b"\n".join(note().split(b"\n")[:3])
    begin, end = text + "\n\n\u2014 ".encode(), b" " + base64.b64encode(bytes(300)) + b"\n"
    full = begin + b"w" * (CHECKPOINT_MAX + beyond - len(begin) - len(end)) + end
    assert len(full) == CHECKPOINT_MAX + beyond
    assert bool(said_head(full, LOG)) == taken
    with contextlib.nullcontext() if taken else pytest.raises(RemoteError, match="too-long"):
        assert place_of(full, LOG) == (3, 7)


@given(st.one_of(st.binary(max_size=300), st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=3))))
def test_whatever_comes_it_raises_nothing(spoilt: bytes | tuple[int, bytes]) -> None:
    """One odd statement would stop the terminal."""
    if isinstance(spoilt, tuple):
        data = bytearray(note())
        data[spoilt[0] : spoilt[0] + 1] = spoilt[1]
        spoilt = bytes(data)
    said = said_head(spoilt, LOG)
    try:
        place = place_of(spoilt, LOG)
    except RemoteError:
        return
    assert (said["peer_log_epoch"], said["peer_size"]) == place


def test_log_epochs_rise_so_far_at_once_and_as_far_again_an_hour_later() -> None:
    """A thief would use the numbers up, or lead two honest terminals apart for ever (docs/protocol.md 13.6)."""
    pace, most = EpochPace(), LOG_EPOCHS_AHEAD_MAX

    def taken(epoch: int, known: int, mono: int) -> bool:
        with contextlib.suppress(RemoteError):
            pace.check(epoch, known, Instant(mono, 0))
            return True
        return False

    assert not taken(5 + most + 1, 5, 0)
    assert taken(5 + most, 5, 0)
    later = LOG_EPOCHS_INTERVAL
    assert not taken(5 + most + 2, 5 + most, later - 1)
    assert taken(5 + most + 1, 5 + most, later - 1), "the next one always"
    assert not taken(5 + 2 * most + 1, 5, later)
    assert taken(5 + 2 * most, 5, later), "whoever was led on is followed"
    assert taken(10 * most, 9 * most, 2 * later), "the bound is above what is known now"
    assert not taken(10 * most + 1, 9 * most, 3 * later - 1)
