"""Signed notes and checkpoints: one spelling, and verification with keys from outside only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.ledger.checkpoint import (
    CHECKPOINT_BYTES_MAX,
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
    parse_size,
    sign_checkpoint,
)
from hotline.ledger.note import (
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    Ed25519Signer,
    Ed25519Verifier,
    check_name,
    open_note,
    parse_note,
    parse_vkey,
    sign_note,
)
from hotline.ledger.tree import Frontier, leaf_hash

KEY = SigningKey.from_seed(bytes(range(32)))
OTHER = SigningKey.from_seed(bytes(range(1, 33)))
SIGNER = Ed25519Signer("hotline/ab/ALPHA/main/1", KEY)
VERIFIER = Ed25519Verifier("hotline/ab/ALPHA/main/1", KEY.public)
HEAD = Checkpoint("hotline/ab/ALPHA/main/1", 3, bytes(32))


@pytest.mark.vectors
def test_a_public_log_verifies(vectors: Path) -> None:
    """Heads that other programs sign would not be readable here, nor ours there."""
    folder = vectors / "tessera_testlog"
    verifier = parse_vkey((folder / "VKEY").read_text().strip())
    seen = 0
    for size in range(16):
        checkpoint = open_checkpoint((folder / f"checkpoint.{size}").read_bytes(), verifier.name, verifier)
        assert checkpoint.size == size
        if not size:
            continue
        tile = (folder / "tile" / "0" / "000.p" / str(size)).read_bytes()
        bundle = (folder / "tile" / "entries" / "000.p" / str(size)).read_bytes()
        frontier, offset = Frontier(), 0
        for index in range(size):
            length = int.from_bytes(bundle[offset : offset + 2], "big")
            hash_ = leaf_hash(bundle[offset + 2 : offset + 2 + length])
            assert hash_ == tile[32 * index : 32 * index + 32]
            frontier.append(hash_)
            offset += 2 + length
        assert frontier.root() == checkpoint.root
        seen += 1
    assert seen == 15


def test_a_note_is_opened_by_the_given_key_and_no_other() -> None:
    """A note signed by a stranger would pass for the peer's."""
    note = sign_note(b"one\n", [SIGNER])
    assert open_note(note, [VERIFIER]).text == b"one\n"
    with pytest.raises(Untrusted, match="unverified"):
        open_note(note, [Ed25519Verifier("hotline/ab/ALPHA/main/1", OTHER.public)])
    with pytest.raises(Untrusted, match="unverified"):
        open_note(note, [Ed25519Verifier("somebody", KEY.public)])
    with pytest.raises(Untrusted, match="unverified"):
        open_note(note, [])


def test_a_known_key_that_fails_refuses_the_whole_note() -> None:
    """One good signature must not cover up a forged one."""
    note = sign_note(b"one\n", [SIGNER, Ed25519Signer("other", OTHER)]).replace(b"one\n", b"two\n", 1)
    with pytest.raises(Untrusted, match="does not hold"):
        open_note(note, [VERIFIER])
    good = parse_note(sign_note(b"one\n", [SIGNER]))
    twice = good.encode() + good.encode().split(b"\n\n")[1]
    with pytest.raises(Malformed, match="two signatures by one key"):
        open_note(twice, [VERIFIER])


def test_what_is_no_text_of_a_note_is_not_signed() -> None:
    """A signature would be out in the world over what nobody can read again (docs/protocol.md 5.9)."""
    with pytest.raises(ValueError, match="ends in a newline"):
        sign_note(b"one", [SIGNER])


@given(st.data())
def test_no_other_bytes_read_as_the_same_note(data: st.DataObject) -> None:
    """A note that reads differently in two programs would be two records under one signature."""
    # docs/protocol.md 2.4 and 5.9
    note = sign_note(HEAD.text(), [SIGNER])
    position = data.draw(st.integers(0, len(note) - 1))
    altered = bytearray(note)
    altered[position] = data.draw(st.integers(0, 255).filter(lambda value: value != note[position]))
    with pytest.raises(RemoteError):
        open_note(bytes(altered), [VERIFIER])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n\xe2\x80\x94 na+me AAAAAAAA\n",
        b"text\n\n- name AAAAAAAA\n",
        b"te\rxt\n\n\xe2\x80\x94 name AAAAAAAA\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAAA",
        b"text\n\n\xe2\x80\x94 name AAAAAAA*\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAAB==\n",
        b"\xff\n\n\xe2\x80\x94 name AAAAAAAA\n",
        b"text\n\n" + b"\xe2\x80\x94 name AAAAAAAA\n" * 65,
    ],
)
def test_malformed_notes_are_refused(note: bytes) -> None:
    """A lenient parser would give a forger room."""
    with pytest.raises(Malformed):
        parse_note(note)


@pytest.mark.parametrize("text", ["", "01", "+1", " 1", "1_000", "-1", "1e3", "\u0663", "1" * 20])
def test_sizes_have_one_spelling(text: str) -> None:
    """int() would take all of these (docs/protocol.md 2.4)."""
    with pytest.raises(Malformed):
        parse_size(text)


def test_checkpoints_have_three_lines_and_the_expected_origin() -> None:
    """The head of another log, or of another epoch, would pass for this one's (docs/protocol.md 13.14)."""
    note = sign_checkpoint(HEAD, SIGNER)
    assert open_checkpoint(note, HEAD.origin, VERIFIER) == HEAD
    with pytest.raises(Untrusted):
        open_checkpoint(note, "hotline/ab/BRAVO/main/1", VERIFIER)
    moved = sign_note(Checkpoint("hotline/ab/ALPHA/main/2", 3, bytes(32)).text(), [SIGNER])
    with pytest.raises(Untrusted, match="origin"):
        open_checkpoint(moved, HEAD.origin, VERIFIER)
    for text in (
        HEAD.text() + b"extension\n",
        b"a\n1\n",
        b"a\n1\nAAAA\n",
        b"a b\n1\n" + b"A" * 43 + b"=\n",
        b"\xff\n1\n",
    ):
        with pytest.raises(Malformed):
            parse_checkpoint(text)


def test_vkeys_must_name_their_own_key() -> None:
    """A wrong key id would make a verifier pass over the very signature it should check (docs/protocol.md 5.12)."""
    assert parse_vkey(VERIFIER.vkey()).key_id == VERIFIER.key_id
    name, _, encoded = VERIFIER.vkey().split("+", 2)
    for text in (f"{name}+00000000+{encoded}", f"{name}+{encoded}", name, VERIFIER.vkey() + "A"):
        with pytest.raises(RemoteError):
            parse_vkey(text)


def test_a_key_name_that_is_no_utf8_is_refused() -> None:
    """A key on a command line whose bytes are no UTF-8 would end in a traceback."""
    name, rest = VERIFIER.vkey().split("+", 1)
    with pytest.raises(Malformed, match="key-name"):
        parse_vkey(f"{name}\udcff+{rest}")


def test_no_lone_surrogate_names_a_key() -> None:
    """A name from a command line that is no UTF-8 would end the program when it is written (docs/protocol.md 13.5)."""
    for number in (0xD800, 0xDC80, 0xDFFF):
        with pytest.raises(Malformed):
            check_name(f"witness{chr(number)}")
    check_name(f"witness{chr(0xD7FF)}{chr(0xE000)}")


def test_a_note_at_its_bounds_is_read_and_one_beyond_is_not() -> None:
    """A lawful note would be refused, or one without end be read (docs/protocol.md 2.4)."""
    line = "\u2014 name AAAAAAA=\n".encode()
    assert len(parse_note(b"text\n\n" + line * SIGNATURES_MAX).signatures) == SIGNATURES_MAX
    with pytest.raises(Malformed, match="65 signatures"):
        parse_note(b"text\n\n" + line * (SIGNATURES_MAX + 1))
    (signature,) = parse_note(b"text\n\n" + line).signatures
    assert (signature.key_id, signature.value) == (bytes(4), b"\0")
    with pytest.raises(Malformed, match="too short"):
        parse_note("text\n\n\u2014 name AAAAAA==\n".encode())
    longest = b"x" * (NOTE_BYTES_MAX - len(line) - 2) + b"\n\n" + line
    assert parse_note(longest).text == longest[: -len(line) - 1]
    with pytest.raises(Malformed, match="too-long"):
        parse_note(b"x" + longest)


def test_a_checkpoint_is_read_up_to_its_bound() -> None:
    """What nobody needs would stand in every heartbeat, or a head with many cosignatures be refused (2.4)."""
    # docs/protocol.md 2.4
    note = sign_checkpoint(HEAD, SIGNER)
    room = CHECKPOINT_BYTES_MAX - len(note) - len("\u2014 x \n".encode())
    for spare in (room % 4, room % 4 + 1):
        name = "x" * (1 + spare)
        padded = note + f"\u2014 {name} {'A' * (room // 4 * 4)}\n".encode()
        assert len(padded) == CHECKPOINT_BYTES_MAX + spare - room % 4
        if spare == room % 4:
            assert open_checkpoint(padded, HEAD.origin, VERIFIER) == HEAD
        else:
            with pytest.raises(Malformed, match="too-long"):
                open_checkpoint(padded, HEAD.origin, VERIFIER)


def test_what_is_quoted_of_a_name_is_short() -> None:
    """A hostile name would fill the log line."""
    for text in ("+" + "x" * 80, "x" * 63 + "+" * 20):
        with pytest.raises(Malformed) as raised:
            check_name(text)
        assert text[:64] in str(raised.value)
        assert text[:65] not in str(raised.value)
    with pytest.raises(Malformed) as raised:
        parse_size("9" * 40)
    assert "9" * 32 in str(raised.value)
    assert "9" * 33 not in str(raised.value)
