"""Keys as people compare them: the same on both sides, and different for different keys."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.fingerprint import digits, fingerprint, joint_safety_number, qr_text, short, words
from hotline.crypto.signing import pae
from hotline.crypto.words import EVEN, ODD

NAMES = st.binary(min_size=32, max_size=32)


def test_a_fingerprint_is_of_one_kind_and_one_key() -> None:
    """A relay's key could be enrolled as an officer's because both read the same."""
    value = fingerprint("terminal", b"public")
    assert value == hashlib.sha256(b"HLv1 22 hotline/v1/fingerprint 8 terminal 6 public").digest()
    assert len({value, fingerprint("relay", b"public"), fingerprint("terminal", b"publiC")}) == 3


def test_digits_are_the_specified_ones() -> None:
    """Two versions of the program would read out different numbers for one key (docs/protocol.md 5.15)."""
    value = b"f" * 32
    stretched = hashlib.sha512(pae("hotline/v1/fingerprint-digits", value)).digest()
    groups = digits(value).split(" ")
    assert len(groups) == 12
    for index, group in enumerate(groups):
        chunk = stretched[5 * index : 5 * index + 5]
        assert group == str(int.from_bytes(chunk, "big") % 100_000).zfill(5)


@given(NAMES)
def test_digits_always_have_the_same_shape(value: bytes) -> None:
    """A leading zero that is left out makes two honest officers disagree."""
    assert re.fullmatch(r"[0-9]{5}( [0-9]{5}){11}", digits(value))


@given(NAMES, NAMES)
def test_the_joint_number_is_the_same_from_either_side(first: bytes, second: bytes) -> None:
    """Each capital would read out its own number, and every ceremony would fail (docs/protocol.md 5.15)."""
    number = joint_safety_number(first, second)
    assert number == joint_safety_number(second, first)
    assert re.fullmatch(r"[0-9]{5}( [0-9]{5}){11}", number)
    other = bytes((second[0] ^ 1,)) + second[1:]
    assert joint_safety_number(first, other) != number


def test_the_joint_number_does_not_join_halves_of_others() -> None:
    """A pair of keys could be found whose number is that of another pair."""
    assert joint_safety_number(b"ab", b"c") != joint_safety_number(b"a", b"bc")


def test_each_byte_has_one_word_and_each_word_one_byte() -> None:
    """Two different keys would be read out in the same words."""
    even, odd = ({word.lower() for word in listed} for listed in (EVEN, ODD))
    assert len(EVEN) == len(ODD) == len(even) == len(odd) == 256
    assert not even & odd
    assert all(word.isascii() and word.isalpha() for word in (*EVEN, *ODD))


def test_the_words_are_those_of_the_published_list() -> None:
    """Somebody with another program for the same list would hear other words (docs/protocol.md 5.15)."""
    published = (
        "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator "
        "goldfish Medusa afflict bravado chatter revolver Dupont midsummer"
    )
    value = bytes.fromhex("e58294f2e9a227486e8b061b31cc528fd7fa3f19")
    assert " ".join(words(value)) == published
    assert words(bytes(2)) == ["aardvark", "adroitness"]
    assert words(b"\xff\xff") == ["Zulu", "Yucatan"]
    # A word in a wrong place would break the order of the alphabet, which the even list keeps throughout.
    assert [word.lower() for word in EVEN] == sorted(word.lower() for word in EVEN)


def test_a_word_left_out_or_exchanged_is_noticed() -> None:
    """A listener would not hear that a word was lost on a poor line."""
    spoken = words(hashlib.sha256(b"key").digest())
    assert len(spoken) == 16
    assert all(word in (ODD if index % 2 else EVEN) for index, word in enumerate(spoken))


def test_the_qr_text_says_what_it_is() -> None:
    """A camera would hand over a number that nobody can place (docs/protocol.md 5.15)."""
    assert qr_text("identity", "ALPHA", b"\x01\xff") == "HOTLINE-FP:1:identity:ALPHA:01ff"


def test_the_short_form_is_a_beginning() -> None:
    """A log line could not be matched with the key it speaks of."""
    value = bytes(range(32))
    assert short(value) == "0001020304050607"
    assert value.hex().startswith(short(value))
