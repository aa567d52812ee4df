"""The leaf: one spelling, blinded, content only as commitments."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import LocalError, Malformed
from hotline.ledger.record import commitment, make_entry, parse_leaf
from hotline.limits import LEAF_BYTES_MAX
from hotline.machine import Private, Record
from tests.hotline.ledger.specimen import WALL, make_log, rewritten

LAWFUL = make_entry(5, WALL, 1, Record("test", {"a": 1}, {"body": Private(b"x")}), Random(2).randbytes).leaf


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_leaves_read_back_and_have_one_spelling(fields: dict[str, str | int]) -> None:
    """Two auditors would read two records from one entry (docs/protocol.md 13.1 and 13.11)."""
    body = commitment(bytes(32), "body", b"a private word of nine").hex()
    private = {"body": Private(b"a private word of nine", bytes(32))}
    entry = make_entry(5, WALL, 1, Record("test", fields, private), Random(2).randbytes)
    leaf = parse_leaf(entry.leaf)
    assert dict(leaf.fields) == fields
    assert leaf.commit == {"body": body}
    assert b"a private word of nine" not in entry.leaf
    with pytest.raises(Malformed):
        parse_leaf(entry.leaf.replace(b'"epoch":1', b'"epoch": 1'))


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"v":1}',
        b"\xff",
        b"[" * 4_000,
        LAWFUL.replace(b'"a":1', b'"a":1,"a":1'),
        LAWFUL.replace(b'"epoch":1', b'"epoch":1,"epoch":1'),
        LAWFUL.replace(b'"test"', b'"t\\u0065st"'),
        LAWFUL + b"\n",
        b" " + LAWFUL,
        LAWFUL.replace(b'"a":1', b'"a":01'),
        LAWFUL.replace(b'"a":1', b'"a":-0'),
        LAWFUL.replace(b'"a":1', b'"b":1,"a":1'),
    ],
)
def test_another_spelling_is_refused(leaf: bytes) -> None:
    """Two programs would read two records from one entry, both under a good signature."""
    assert leaf != LAWFUL
    with pytest.raises(Malformed):
        parse_leaf(leaf)


@pytest.mark.parametrize(
    "change",
    [
        {"fields": {"a": 1.0}},
        {"fields": {"a": True}},
        {"fields": {"a": None}},
        {"fields": {"a": []}},
        {"fields": {"a": 2**53}},
        {"fields": []},
        {"commit": {"body": "0A" * 32}},
        {"commit": {"body": "0a" * 31}},
        {"commit": {"body": 5}},
        {"commit": "x"},
        {"seq": "0"},
        {"seq": True},
        {"seq": -1},
        {"seq": 2**53},
        {"epoch": 1.0},
        {"epoch": -1},
        {"epoch": 2**53},
        {"type": 7},
        {"rnd": ""},
        {"rnd": "0" * 31 + "G"},
        {"ts": ""},
        {"ts": "2026-11-24 02:00:00.000Z"},
        {"ts": "2026-13-24T02:00:00.000Z"},
        {"ts": "2026-11-24T24:00:00.000Z"},
        {"ts": "2026-11-24T02:00:00Z"},
        {"v": 2},
        {"v": True},
        {"note": "one more"},
    ],
)
def test_values_of_another_kind_are_refused(change: dict[str, object]) -> None:
    """An entry that is not one of ours would be read as one: without a blinder, without a time, without a place."""
    assert parse_leaf(rewritten(LAWFUL)).seq == 5
    with pytest.raises(Malformed):
        parse_leaf(rewritten(LAWFUL, **change))


def test_a_leaf_without_one_of_its_parts_is_refused() -> None:
    """An entry without its time or its number could stand anywhere."""
    for name in json.loads(LAWFUL):
        rest = {key: value for key, value in json.loads(LAWFUL).items() if key != name}
        with pytest.raises(Malformed):
            parse_leaf(json.dumps(rest, separators=(",", ":"), sort_keys=True).encode())


def test_the_longest_leaf_is_written_and_read_and_one_more_byte_is_not() -> None:
    """What one terminal wrote, the auditor's program would call tampering (docs/protocol.md 13.11)."""
    bare = len(make_entry(0, WALL, 1, Record("x", {"a": ""}), Random(1).randbytes).leaf)
    longest = "y" * (LEAF_BYTES_MAX - bare)
    leaf = make_entry(0, WALL, 1, Record("x", {"a": longest}), Random(1).randbytes).leaf
    assert len(leaf) == LEAF_BYTES_MAX
    assert parse_leaf(leaf).fields == {"a": longest}
    with pytest.raises(LocalError):
        make_entry(0, WALL, 1, Record("x", {"a": longest + "y"}), Random(1).randbytes)
    with pytest.raises(Malformed, match="too-long"):
        parse_leaf(leaf.replace(b'"yy', b'"yyy'))


def test_a_record_that_cannot_be_a_leaf_is_refused() -> None:
    """A float or a huge field would make the log unreadable for ever."""
    for record in (
        Record("x", {"a": 2**53}),
        Record("x", {"a": "y" * 5_000}),
        Record("x", {"a": True}),
        Record("x", {}, {"a\0b": Private(b"y")}),
    ):
        with pytest.raises(LocalError):
            make_entry(0, WALL, 1, record, Random(1).randbytes)


def test_a_commitment_is_the_hmac_that_the_specification_names() -> None:
    """The other capital's ledger would hold another commitment for the same text, and neither could prove it."""
    # docs/protocol.md 13.1 and 13.12
    salt, message = bytes(range(32)), b"body\0" + b"The exercise is over."
    inner = sha256(bytes(byte ^ 0x36 for byte in salt + bytes(32)) + message).digest()
    outer = sha256(bytes(byte ^ 0x5C for byte in salt + bytes(32)) + inner).digest()
    assert commitment(salt, "body", b"The exercise is over.") == outer


def test_a_tag_cannot_take_a_part_of_the_value() -> None:
    """One commitment would open as two different things."""
    assert commitment(bytes(32), "a", b"b\0c")
    with pytest.raises(LocalError):
        commitment(bytes(32), "a\0b", b"c")


def test_blinders_differ() -> None:
    """A witness that sees leaf hashes could guess what an entry says."""
    leaves, _, _ = make_log(50)
    assert len({json.loads(leaf)["rnd"] for leaf in leaves}) == 50


def test_salts_and_blinders_have_their_sizes() -> None:
    """A shorter one could be guessed, or be read by no other implementation (docs/protocol.md 13.12)."""
    sizes: list[int] = []

    def entropy(size: int) -> bytes:
        sizes.append(size)
        return bytes(size)

    make_entry(0, 0, 1, Record("x", {}, {"body": Private(b"v"), "salted": Private(b"v", bytes(32))}), entropy)
    assert sorted(sizes) == [16, 32]
