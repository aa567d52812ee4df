"""Content at rest: readable with the terminal's key, and gone for good with the key of its month."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotline.errors import KeyFileError, StorageError
from hotline.ledger.record import Opening
from hotline.runtime.contentkeys import ContentKeys, period_of, read_openings, spell_openings

NOVEMBER, DECEMBER = 1_795_000_000_000, 1_797_000_000_000


def keys(folder: Path, storage: bytes = b"s" * 32) -> ContentKeys:
    return ContentKeys(folder / "keys", storage)


def test_what_is_sealed_opens_again_after_a_restart(tmp_path: Path) -> None:
    """A terminal could not read its own inbox."""
    box = keys(tmp_path).seal("received/real/1", b"text", NOVEMBER)
    assert b"text" not in box
    assert keys(tmp_path).open("received/real/1", box) == b"text"
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()] == [0o600]


def test_a_box_opens_at_its_own_place_only(tmp_path: Path) -> None:
    """One statement's text could be put into another's row."""
    made = keys(tmp_path)
    box = made.seal("received/real/1", b"text", NOVEMBER)
    for label in ("received/real/2", "sent/real/1", "received/exercise/1"):
        with pytest.raises(KeyFileError):
            made.open(label, box)
    with pytest.raises(KeyFileError):
        keys(tmp_path, b"t" * 32).open("received/real/1", box)
    for damaged in (b"", b"2026-13" + box[7:], b"xxxx-xx" + box[7:], box[:-1]):
        with pytest.raises(KeyFileError):
            made.open("received/real/1", damaged)


def test_a_destroyed_month_is_gone_and_others_stay(tmp_path: Path) -> None:
    """What was promised to be forgotten would still be read, or more would be lost than was promised."""
    # docs/protocol.md 13.4
    made = keys(tmp_path)
    old, new = made.seal("a", b"old", NOVEMBER), made.seal("a", b"new", DECEMBER)
    assert made.periods() == [period_of(NOVEMBER), period_of(DECEMBER)] == ["2026-11", "2026-12"]
    kept = (tmp_path / "keys" / "2026-11.key").read_bytes()
    assert made.destroy("2026-11")
    assert not made.destroy("2026-11")
    assert not made.destroy("../2026-12")
    for opened in (made, keys(tmp_path)):
        assert opened.open("a", old) is None
        assert opened.open("a", new) == b"new"
    assert kept not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_month_that_was_destroyed_gets_no_other_key(tmp_path: Path) -> None:
    """By a clock that went back what is gone would be taken for damage, and the terminal would not start."""
    # docs/protocol.md 13.4
    made = keys(tmp_path)
    old = made.seal("a", b"old", NOVEMBER)
    made.seal("a", b"new", DECEMBER)
    for month in ("2026-11", "2026-12"):
        assert made.destroy(month)
    for opened in (made, keys(tmp_path)):
        late = opened.seal("b", b"late", NOVEMBER)
        assert opened.open("a", old) is None
        assert opened.open("b", late) == b"late"
        assert opened.periods() == ["2027-01"]
    assert keys(tmp_path).open("b", late) == b"late"


def test_a_key_that_another_process_destroyed_seals_nothing_more(tmp_path: Path) -> None:
    """What a running terminal wrote under the key that it still knew would be gone at its next start."""
    # docs/protocol.md 13.4
    made = keys(tmp_path)
    made.seal("a", b"old", NOVEMBER)
    assert keys(tmp_path).destroy("2026-11")
    assert keys(tmp_path).open("b", made.seal("b", b"late", NOVEMBER)) == b"late"


def test_a_destruction_that_was_cut_off_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between the two steps would leave a key that is neither whole nor gone: a damaged store."""
    made = keys(tmp_path)
    box = made.seal("a", b"old", NOVEMBER)

    def cut(self: Path) -> None:
        raise OSError(5, "power cut")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", cut)
        with pytest.raises(StorageError, match="power cut"):
            made.destroy("2026-11")
    again = keys(tmp_path)
    assert again.open("a", box) is None
    assert again.periods() == ["2026-11"], "its time is over: it is looked at again"
    assert again.destroy("2026-11")
    assert again.periods() == []


def test_the_key_is_overwritten_before_its_name_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system would still hold the key in its free blocks."""
    made = keys(tmp_path)
    made.seal("a", b"old", NOVEMBER)
    path = tmp_path / "keys" / "2026-11.key"
    before, seen = path.read_bytes(), []
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda self, **_: (seen.append(self.read_bytes()), unlink(self)))
    made.destroy("2026-11")
    assert len(seen[0]) == len(before)
    assert seen[0] != before


def test_openings_read_back() -> None:
    """A commitment could never be opened."""
    openings = (Opening("body", os.urandom(32), "\u0648".encode()), Opening("drafter", bytes(32), b""))
    assert read_openings(spell_openings(openings)) == openings
    for damaged in (b"", b"[]", b"{", b'{"a":["zz",""]}', b'{"a":1}', b"[" * 40_000):
        with pytest.raises(KeyFileError):
            read_openings(damaged)
