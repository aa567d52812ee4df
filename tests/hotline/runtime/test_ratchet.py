"""The file that remembers how far we had signed, and what follows at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import ConfigError
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer
from hotline.protocol.context import LogIdentity
from hotline.protocol.events import Suspicion
from hotline.protocol.heads import open_head
from hotline.protocol.tables import Head
from hotline.runtime.ratchet import Ratchet, suspicion

KEY, OTHER = SigningKey(b"k" * 32), SigningKey(b"o" * 32)
LOG = LogIdentity("hotline/ab/ALPHA/main", KEY.public)
ROOTS = {size: bytes([size]) * 32 for size in range(20)}


def note(size: int, epoch: int = 1, root: bytes = b"", key: SigningKey = KEY) -> bytes:
    origin = f"{LOG.base}/{epoch}"
    return sign_checkpoint(Checkpoint(origin, size, root or ROOTS[size]), Ed25519Signer(origin, key))


def found(size: int, epoch: int = 1) -> Head:
    return Head(epoch, size, ROOTS[size], b"")


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    """A restored database would go on as if nothing had been."""
    ratchet = Ratchet(tmp_path / "ratchet")
    assert ratchet.load(LOG) is None
    ratchet.keep(note(5))
    ratchet.keep(note(7))
    ratchet.keep(b"")
    kept = Ratchet(tmp_path / "ratchet").load(LOG)
    assert kept is not None
    assert kept.place == (1, 7)


@pytest.mark.parametrize("data", [b"", b"nothing", note(5, key=OTHER), note(5).replace(b"ALPHA", b"BRAVO")])
def test_a_foreign_file_stops_the_start(tmp_path: Path, data: bytes) -> None:
    """A ratchet that says nothing would let everything pass."""
    (tmp_path / "ratchet").write_bytes(data)
    with pytest.raises(ConfigError, match="not a head that this terminal signed"):
        Ratchet(tmp_path / "ratchet").load(LOG)


@pytest.mark.parametrize(
    ("head", "behind", "kept", "wanted"),
    [
        (found(9), note(9), None, None),
        (found(9), note(9), note(9), None),
        (found(9), note(9), note(7), None),
        (found(3, 2), note(3, 2), note(9), None),
        (found(9), note(9), note(10), Suspicion("restored", 1)),
        (found(9), note(9), note(9, root=b"x" * 32), Suspicion("restored", 1)),
        (found(9), note(9), note(7, root=b"x" * 32), Suspicion("restored", 1)),
        (found(9), note(9), note(2, 4), Suspicion("restored", 4)),
        (found(0), b"", note(2), Suspicion("restored", 1)),
        (found(9), note(9, key=OTHER), None, Suspicion("key", 1)),
        (found(0), b"", None, None),
    ],
)
def test_when_the_log_must_begin_anew(head: Head, behind: bytes, kept: bytes | None, wanted: Suspicion | None) -> None:
    """A log seen larger, or otherwise, would sign again; or an honest one would be closed at every start."""
    known = None if kept is None else open_head(kept, LOG)
    assert suspicion(head, behind, known, LOG, ROOTS.__getitem__) == wanted
