"""Key schedule of an epoch: both sides agree, each key serves once, directions and planes share nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.epochs import OPENER_SIZE, Binding, ReceivingEpoch, SendingEpoch, _Chain
from hotline.crypto.sealing import KemKey, MessageKey, next_chain_key, open_sealed, seal
from hotline.errors import NotOpened
from hotline.limits import DURABLE_SKIP_MAX, EPOCH_MESSAGES_MAX
from hotline.machine import Plane

BINDING = Binding(b"c" * 32, 1, 2, b"p" * 32)
PREKEY = b"n" * 32
KEY = KemKey(b"k" * 32)


def sender(binding: Binding = BINDING, plane: Plane = Plane.REAL) -> SendingEpoch:
    return SendingEpoch(binding, plane, PREKEY, KEY.public, random.Random(5).randbytes)


def receiver(
    epoch: SendingEpoch, binding: Binding = BINDING, plane: Plane = Plane.REAL, name: bytes = PREKEY
) -> ReceivingEpoch:
    return ReceivingEpoch(binding, plane, epoch.epoch_id, name, KEY, epoch.opener)


def test_both_sides_have_the_same_keys() -> None:
    """Nothing could be opened."""
    epoch = sender()
    peer = receiver(epoch)
    assert len(epoch.opener) == OPENER_SIZE
    for transient in (False, True):
        for number in range(5):
            taken, key = epoch.take(transient=transient)
            assert taken == number
            assert peer.look(number, transient=transient) == key
            peer.use(number, transient=transient)


def test_no_key_is_ever_handed_out_twice() -> None:
    """One key and nonce would seal two texts, and both could be read without any key."""
    epoch = sender()
    keys = [epoch.take(transient=bool(i % 2))[1] for i in range(400)]
    assert (
        len({key.key for key in keys}) == len({key.nonce for key in keys}) == len({key.commit for key in keys}) == 400
    )


@pytest.mark.parametrize(
    ("binding", "plane", "name"),
    [
        (Binding(b"d" * 32, 1, 2, b"p" * 32), Plane.REAL, PREKEY),
        (Binding(b"c" * 32, 3, 2, b"p" * 32), Plane.REAL, PREKEY),
        (Binding(b"c" * 32, 1, 3, b"p" * 32), Plane.REAL, PREKEY),
        (BINDING.reversed(), Plane.REAL, PREKEY),
        (BINDING, Plane.EXERCISE, PREKEY),
        (BINDING, Plane.REAL, b"m" * 32),
    ],
)
def test_an_opener_opens_for_one_charter_direction_plane_and_prekey(
    binding: Binding, plane: Plane, name: bytes
) -> None:
    """An epoch could be carried to another place and be believed there (docs/protocol.md 7.3)."""
    with pytest.raises(NotOpened):
        receiver(sender(), binding, plane, name)


def test_the_pairwise_secret_changes_every_key_though_the_opener_opens() -> None:
    """Whoever breaks X-Wing alone would read everything (docs/protocol.md 5.3)."""
    epoch = sender()
    other = receiver(epoch, Binding(b"c" * 32, 1, 2, b"q" * 32))
    for transient in (False, True):
        assert other.look(0, transient=transient) != receiver(epoch).look(0, transient=transient)


def test_looking_changes_nothing() -> None:
    """A forged envelope would move the chain past a true one."""
    epoch = sender()
    peer = receiver(epoch)
    far = peer.look(100, transient=False)
    assert peer.look(0, transient=False) == epoch.take(transient=False)[1]
    assert peer.look(100, transient=False) == far


def test_a_used_key_is_gone_also_when_it_was_kept() -> None:
    """A stolen terminal could open what it has already shown."""
    peer = receiver(sender())
    peer.use(3, transient=False)
    kept = peer.look(1, transient=False)
    assert isinstance(kept, MessageKey)
    peer.use(1, transient=False)
    for number in (1, 3):
        with pytest.raises(NotOpened) as caught:
            peer.look(number, transient=False)
        assert caught.value.reason == "used"
    peer.look(0, transient=False)


def test_the_jump_is_bounded_at_the_limit_and_one_beyond() -> None:
    """One forged number would cost four billion hashes."""
    peer = receiver(sender())
    peer.look(DURABLE_SKIP_MAX, transient=False)
    with pytest.raises(NotOpened) as caught:
        peer.look(DURABLE_SKIP_MAX + 1, transient=False)
    assert caught.value.reason == "too-far"


def test_a_forged_number_costs_its_distance_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One relay could keep a terminal busy with 70 bytes at a time (docs/protocol.md 7.11)."""
    steps: list[bytes] = []

    def counted(chain_key: bytes) -> bytes:
        steps.append(chain_key)
        return next_chain_key(chain_key)

    monkeypatch.setattr("hotline.crypto.epochs.next_chain_key", counted)
    epoch = sender()
    peer = receiver(epoch)
    for number in (DURABLE_SKIP_MAX, 7, DURABLE_SKIP_MAX, DURABLE_SKIP_MAX - 1):
        peer.look(number, transient=False)
    assert len(steps) == DURABLE_SKIP_MAX
    for number in range(9):
        assert peer.look(number, transient=False) == epoch.take(transient=False)[1]
        peer.use(number, transient=False)
    assert len(steps) == DURABLE_SKIP_MAX + 9, "nine of the sender, none of the receiver"


def test_an_epoch_says_when_it_is_exhausted() -> None:
    """One secret would protect an unbounded amount."""
    epoch = sender()
    epoch._sealed = EPOCH_MESSAGES_MAX - 1
    assert not epoch.exhausted
    epoch.take(transient=True)
    assert epoch.exhausted


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(1, 8))
def test_a_chain_keeps_the_newest_skipped_keys_and_no_more(numbers: list[int], kept_max: int) -> None:
    """Memory would grow with every gap; or a key that was kept would be the wrong one."""
    reference = _Chain(b"r" * 32, 0, 0)
    right = [reference.take()[1] for _ in range(41)]
    chain = _Chain(b"r" * 32, 50, kept_max)
    used: set[int] = set()
    for number in numbers:
        try:
            key = chain.look(number)
        except NotOpened:
            assert number in used or number < chain.next_number - kept_max or number not in chain.kept
            continue
        assert number not in used
        assert key == right[number]
        chain.use(number)
        used.add(number)
        assert len(chain.kept) <= kept_max
        assert all(right[n] == key for n, key in chain.kept.items())
        assert not used & set(chain.kept)


@given(st.binary(max_size=300), st.integers(0, 10_000))
def test_every_altered_bit_of_a_sealed_text_is_refused(plain: bytes, where: int) -> None:
    """Words could be altered on the way."""
    _, key = sender().take(transient=False)
    sealed = seal(key, b"header", plain)
    assert open_sealed(key, b"header", sealed) == plain
    altered = bytearray(sealed)
    altered[where % len(altered)] ^= 1 << where % 8
    for attempt, header in (
        (bytes(altered), b"header"),
        (sealed, b"headex"),
        (sealed[: where % len(sealed)], b"header"),
    ):
        with pytest.raises(NotOpened) as caught:
            open_sealed(key, header, attempt)
        assert caught.value.reason == "not-opened"
