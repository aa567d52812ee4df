"""Ed25519 over unambiguous bytes: one strict verdict, and no two meanings for one signature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.signing import (
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    SigningKey,
    check_public_key,
    pae,
    verify,
    verify_raw,
)
from hotline.errors import Untrusted

KEY = SigningKey.from_seed(b"k" * 32)
P = 2**255 - 19

SMALL_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
"""Every encoding of a point of order 1, 2, 4 or 8, canonical or not."""


def test_the_encoding_is_the_specified_one() -> None:
    """Another implementation would find none of our signatures valid (docs/protocol.md 2.2)."""
    assert pae("hotline/v1/x", b"ab", b"") == b"HLv1 12 hotline/v1/x 2 ab 0 "
    assert pae("") == b"HLv1 0 "


@given(st.lists(st.binary(max_size=12), max_size=4), st.lists(st.binary(max_size=12), max_size=4))
def test_two_inputs_never_give_the_same_bytes(first: list[bytes], second: list[bytes]) -> None:
    """A signature over one thing would hold for another (docs/protocol.md 2.2)."""
    assert (pae("label", *first) == pae("label", *second)) == (first == second)


@given(st.binary(max_size=40), st.integers(0, 40))
def test_moving_a_boundary_changes_the_bytes(text: bytes, cut: int) -> None:
    """The end of one field could be read as the beginning of the next."""
    cut = min(cut, len(text))
    assert pae("label", text[:cut], text[cut:]) != pae("label", text)
    if cut < len(text):
        assert pae("label", text[:cut], text[cut:]) != pae("label", text[: cut + 1], text[cut + 1 :])


def test_a_part_cannot_imitate_the_parts_after_it() -> None:
    """Whoever chooses one field would choose the others too."""
    assert pae("a", b"x 1 y") != pae("a", b"x", b"y")
    assert pae("a 1 b") != pae("a", b"b")


def test_a_label_that_is_not_ascii_is_our_own_mistake() -> None:
    """Two spellings of one label would look the same to a reader."""
    with pytest.raises(UnicodeEncodeError):
        pae("hotline/v1/é")


def test_a_signature_holds_for_its_label_and_parts_only() -> None:
    """An acknowledgement could be shown as a statement (docs/protocol.md 7.1)."""
    signature = KEY.sign("hotline/v1/one", b"a", b"b")
    assert len(signature) == SIGNATURE_SIZE
    verify(KEY.public, signature, "hotline/v1/one", b"a", b"b")
    for label, parts in (
        ("hotline/v1/two", (b"a", b"b")),
        ("hotline/v1/one", (b"ab",)),
        ("hotline/v1/one", (b"b", b"a")),
        ("hotline/v1/one", (b"a", b"b", b"")),
        ("hotline/v1/one", ()),
    ):
        with pytest.raises(Untrusted) as caught:
            verify(KEY.public, signature, label, *parts)
        assert caught.value.reason == "signature"


def test_the_raw_signature_is_over_the_message_itself() -> None:
    """Formats with their own separation, as signed notes, would not be checkable by others."""
    signature = KEY.sign_raw(b"message")
    verify_raw(KEY.public, signature, b"message")
    assert KEY.sign("l", b"message") == KEY.sign_raw(pae("l", b"message")) != signature


def test_the_first_published_example_comes_out() -> None:
    """It would not be Ed25519 (RFC 8032 section 7.1, test 1)."""
    key = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign_raw(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


@given(st.integers(0, SIGNATURE_SIZE * 8 - 1))
def test_every_altered_bit_of_a_signature_is_refused(bit: int) -> None:
    """There would be two signatures where the signer made one."""
    altered = bytearray(KEY.sign("l", b"text"))
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Untrusted):
        verify(KEY.public, bytes(altered), "l", b"text")


def test_a_signature_with_the_group_order_added_is_refused() -> None:
    """Anybody could make a second valid signature out of the first."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = KEY.sign_raw(b"text")
    raised = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    with pytest.raises(Untrusted):
        verify_raw(KEY.public, signature[:32] + raised, b"text")


@pytest.mark.parametrize("size", [0, 1, 63, 65, 96, 128])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    """Bytes of the message could be taken for the end of the signature."""
    signature = (KEY.sign_raw(b"text") + b"text" * 20)[:size]
    with pytest.raises(Untrusted) as caught:
        verify_raw(KEY.public, signature, b"text")
    assert caught.value.reason == "signature"


@pytest.mark.parametrize("moved", [-64, -1, 1, 4])
def test_bytes_do_not_move_between_signature_and_message(moved: int) -> None:
    """One signature would hold for a second message: with its own last bytes in front, or cut at the beginning."""
    joined = KEY.sign_raw(b"text") + b"text"
    signature, message = joined[: SIGNATURE_SIZE + moved], joined[SIGNATURE_SIZE + moved :]
    with pytest.raises(Untrusted) as caught:
        verify_raw(KEY.public, signature, message)
    assert caught.value.reason == "signature"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    """A hostile card would end the program in an exception that nobody expects."""
    public = (KEY.public * 2)[:size]
    with pytest.raises(Untrusted) as caught:
        verify_raw(public, KEY.sign_raw(b"text"), b"text")
    assert caught.value.reason == "signature"
    with pytest.raises(Untrusted) as caught:
        check_public_key(public)
    assert caught.value.reason == "weak-key"


@pytest.mark.parametrize("encoded", SMALL_ORDER)
def test_a_key_of_small_order_is_refused_and_signs_nothing(encoded: str) -> None:
    """One signature of zeros would be valid for every message in the world (docs/protocol.md 5.2)."""
    public = bytes.fromhex(encoded)
    with pytest.raises(Untrusted) as caught:
        check_public_key(public)
    assert caught.value.reason == "weak-key"
    for point in SMALL_ORDER:
        with pytest.raises(Untrusted):
            verify_raw(public, bytes.fromhex(point) + bytes(32), b"any message")


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", [P, P + 1, P + 3, P + 18])
def test_a_second_spelling_of_a_point_is_refused(y: int, sign: int) -> None:
    """One key would have two fingerprints."""
    with pytest.raises(Untrusted) as caught:
        check_public_key((y | sign << 255).to_bytes(32, "little"))
    assert caught.value.reason == "weak-key"


def test_bytes_that_are_no_point_are_refused() -> None:
    """A key that nobody can hold would be enrolled, and its officer could never sign."""
    with pytest.raises(Untrusted):
        check_public_key((2).to_bytes(32, "little"))


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_we_make_is_accepted(seed: bytes) -> None:
    """An honest officer would be refused at the ceremony."""
    key = SigningKey(seed)
    assert len(key.public) == PUBLIC_KEY_SIZE
    check_public_key(key.public)
    verify(key.public, key.sign("l", seed), "l", seed)


def test_a_seed_of_another_length_is_our_own_mistake() -> None:
    """A cut key file would silently be another key."""
    for size in (0, 31, 33, 64):
        with pytest.raises(ValueError, match="seed"):
            SigningKey(bytes(size))


def test_a_key_does_not_print_its_secret() -> None:
    """A private key would stand in a log or a traceback."""
    seed = bytes(range(32))
    shown = repr(SigningKey(seed)) + str(SigningKey(seed))
    assert seed.hex() not in shown
    assert seed.hex()[:16] not in shown
    assert repr(seed) not in shown
